"""What one order answers when commands and venue reports come one at a time: the specification, stated once more.

Written from the project's rules and tests/states.py, and importing nothing of the product: a wrong row in its table of
transitions is thereby a contradiction in a history. No alert here is the resend of another: that is the model's part.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.states import CANCELLABLE, CANCELLED_ALREADY, FINISHED, may_follow
from verification.histories.linearizability import Model

QTY = 10
"""The quantity that every order begins with."""

MAY_CHANGE = {"placed", "cancelled", "applied", "changed", "replaced"}
"""Answers that may go with a new state."""


@dataclass(frozen=True, slots=True)
class Order:
    state: str
    filled: int
    content: str
    qty: int = QTY


@dataclass(frozen=True, slots=True)
class Place:
    content: str = ""
    """Stands for everything that the alert says about the order."""


@dataclass(frozen=True, slots=True)
class Cancel:
    own: bool = True
    """False: with the key of another trader, who must not learn that the order exists."""


@dataclass(frozen=True, slots=True)
class CancelMany:
    """A cancel of all that is open around it: of its account, or of its strategy."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another quantity."""

    qty: int


@dataclass(frozen=True, slots=True)
class Replace:
    """Another order, always the same and of QTY in all, under the same id."""


@dataclass(frozen=True, slots=True)
class Report:
    """A venue's report that the order is in `state`, with `filled` of it filled so far (0: it does not say)."""

    state: str
    filled: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """A consistent read of the order."""


Command = Place | Cancel | CancelMany | Change | Replace | Report | Look


@dataclass(frozen=True, slots=True)
class Answer:
    """The status or error, and how the order stood when it was decided; None where the client was not told."""

    word: str
    state: str | None = None
    filled: int | None = None

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.word, self.state, self.filled) if part is not None)


def one_order(placed_as: str = "Working", initial: Order | None = None) -> Model[Order | None, Command, Answer]:
    """Model one order id from `initial` on (None: no such order yet), where PLACE writes an order as `placed_as`."""

    def step(order: Order | None, command: Command) -> Iterable[tuple[Answer, Order | None]]:
        if command == Cancel(own=False):
            return [(Answer("order_not_found"), order)]
        if order is None:
            return _of_no_order(command, placed_as)
        return [(Answer(word, order.state, order.filled), after) for word, after in _of_an_order(order, command)]

    return Model(initial, step, agrees, lambda answer: answer.word not in MAY_CHANGE)


def agrees(given: Answer, allowed: Answer) -> bool:
    """Return whether an answer is the allowed one, as far as it says."""
    return (
        given.word == allowed.word and given.state in (None, allowed.state) and given.filled in (None, allowed.filled)
    )


def _of_no_order(command: Command, placed_as: str) -> Iterable[tuple[Answer, Order | None]]:
    match command:
        case Place(content):
            return [(Answer("placed"), Order(placed_as, 0, content))]
        case Report():
            return [(Answer("refused"), None)]
        case CancelMany():
            return [(Answer("not listed"), None)]
    return [(Answer("order_not_found"), None)]


def _of_an_order(order: Order, command: Command) -> Iterable[tuple[str, Order]]:
    match command:
        case Place(content):
            same = content == order.content and order.state not in FINISHED
            return [("already_placed" if same else "duplicate_order_id", order)]
        case Cancel():
            return [_cancel(order)]
        case CancelMany():
            # It lists what is open, and writes a little later.
            return [_cancel(order), *([("not listed", order)] if order.state in FINISHED else [])]
        case Change(qty):
            return [_with_qty("changed", order, qty)]
        case Replace():
            return [_with_qty("replaced", order, QTY)]
        case Report(state, filled):
            return [_report(order, state, filled)]
        case Look():
            return [("found", order)]


def _cancel(order: Order) -> tuple[str, Order]:
    if order.state in CANCELLABLE:
        return "cancelled", replace(order, state="Cancelled")
    if order.state in CANCELLED_ALREADY:
        return "already_cancelled", order
    return "order_already_terminal", order


def _with_qty(word: str, order: Order, qty: int) -> tuple[str, Order]:
    """Give an order another quantity in all; where it is not above what is filled, the remainder ends."""
    if order.state not in CANCELLABLE:
        return "order_already_terminal", order
    if order.filled and qty <= order.filled:
        state = "Filled" if qty == order.filled else "Cancelled"
        return word, replace(order, qty=order.filled, state=state)
    return word, replace(order, qty=qty)


def _report(order: Order, state: str, filled: int) -> tuple[str, Order]:
    """Take a report: a larger fill is a fact whatever the state, and a finished order keeps its end."""
    more = filled > order.filled
    moves = may_follow(order.state, state) and (more or state != order.state)
    if not (more or moves):
        return "refused", order
    return "applied", replace(order, filled=max(filled, order.filled), state=state if moves else order.state)
