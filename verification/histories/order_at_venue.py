"""What one order at a venue answers when commands and a bridge's reports come one at a time: the specification again.

As `order`, which is an order of the table. Here a command only asks, and a report says what is: a snapshot with a
number (`seq`) and the last want that it answers (`acked`), which may come late, twice, and in any order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from tests.states import BEING_CANCELLED, CANCELLABLE, FINISHED, may_follow
from verification.histories.linearizability import Model
from verification.histories.order import (
    MAY_CHANGE,
    QTY,
    Answer,
    Cancel,
    CancelMany,
    Change,
    Command,
    Look,
    Place,
    Replace,
    agrees,
)

REPLACED = "5002"
"""The price that a replacement gives, always the same."""

ASKED = "asked"
"""Of an order in the list of those whose cancel is asked for: of it alone it is not known whether it was before."""

SNAPSHOTS = 40
"""So many reports of an order may come."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A bridge's report; that with this number always says the same."""

    seq: int

    @property
    def said(self) -> "Said":
        """What it says."""
        chance = Random(self.seq)
        live = ("Submitted", "Accepted", "Working", "Working", "PartFilled", "CancelPending", "Initialized")
        state = chance.choice((*live, *live, "Filled", "Cancelled", "Rejected"))
        filled = {"PartFilled": chance.randint(1, 9), "Filled": QTY, "Cancelled": chance.choice((0, 2))}.get(state, 0)
        values = (chance.choice((4, QTY)), chance.choice(("5000", REPLACED))) if chance.random() < 0.6 else None
        return Said(state, filled, chance.randint(0, 4), values)


@dataclass(frozen=True, slots=True)
class Said:
    state: str
    filled: int
    acked: int
    values: tuple[int, str] | None
    """The quantity and the price that the venue has confirmed."""


@dataclass(frozen=True, slots=True)
class Order:
    content: str
    price: str
    state: str = "Initialized"
    filled: int = 0
    qty: int = QTY
    n: int = 1
    kind: str = "place"
    acked: int = 0
    seq: int = 0
    confirmed: tuple[int, str] | None = None


def order_at_venue() -> Model[Order | None, Command | Snapshot, Answer]:
    """Model one order id from its placing on."""

    def step(order: Order | None, command: Command | Snapshot) -> Iterable[tuple[Answer, Order | None]]:
        if command == Cancel(own=False):
            return [(Answer("order_not_found"), order)]
        if order is None:
            return [_of_no_order(command)]
        return [(Answer(word, order.state, order.filled), after) for word, after in _of_an_order(order, command)]

    return Model(None, step, agrees, lambda answer: answer.word not in {*MAY_CHANGE, ASKED})


def _of_no_order(command: Command | Snapshot) -> tuple[Answer, Order | None]:
    match command:
        case Place(content):
            return Answer("placed"), Order(content, content)
        case Snapshot():
            return Answer("refused"), None
        case CancelMany():
            return Answer("not listed"), None
    return Answer("order_not_found"), None


def _of_an_order(order: Order, command: Command | Snapshot) -> Iterable[tuple[str, Order]]:
    match command:
        case Place(content):
            same = content == order.content and order.state not in FINISHED
            return [("already_placed" if same else "duplicate_order_id", order)]
        case Cancel():
            return [_cancel(order)]
        case CancelMany():
            return _cancel_many(order)
        case Change(qty):
            return _asked("changed", order, qty, order.price)
        case Replace():
            return _asked("replaced", order, QTY, REPLACED)
        case Snapshot(seq):
            return _report(order, seq, command.said)
        case Look():
            return [("found", order)]
    raise ValueError(command)


def _cancel(order: Order) -> tuple[str, Order]:
    if order.state in FINISHED:
        return "already_cancelled" if order.state == "Cancelled" else "order_already_terminal", order
    if order.kind == "cancel" and order.state in BEING_CANCELLED:
        return "already_cancelled", order
    return "cancelled", replace(order, state="CancelPending", n=order.n + 1, kind="cancel")


def _cancel_many(order: Order) -> Iterable[tuple[str, Order]]:
    word, after = _cancel(order)
    if order.state in FINISHED:
        # It was listed while it was open, or was not any more.
        return [(word, order), ("not listed", order)]
    return [(ASKED, after), *([(word, order)] if after is order else [])]


def _asked(word: str, order: Order, qty: int, price: str) -> Iterable[tuple[str, Order]]:
    """Ask for other values; what was asked before the order's end, and is sent again, its venue has dropped."""
    dropped = [("change_dropped", order)] if order.state in FINISHED else []
    return [_ask(word, order, qty, price), *dropped]


def _ask(word: str, order: Order, qty: int, price: str) -> tuple[str, Order]:
    """Ask for other values; those that it has already, and that are confirmed, ask nothing."""
    if order.state not in CANCELLABLE:
        return "order_already_terminal", order
    qty = max(qty, order.filled)
    is_unconfirmed = order.kind == "change" and order.n > order.acked
    if (qty, price) == (order.qty, order.price) and not is_unconfirmed:
        return word, order
    return word, replace(order, qty=qty, price=price, state="ChangePending", n=order.n + 1, kind="change")


def _report(order: Order, seq: int, said: Said) -> Iterable[tuple[str, Order]]:
    """Take a snapshot: fills are facts, an older one undoes nothing, and only the answer ends what was asked."""
    is_newer, has_more = seq > order.seq, said.filled > order.filled
    if not (is_newer or has_more):
        # One that came before says so of itself, as a repetition of its own write would.
        return [("refused", order), ("applied", order)]
    moves = is_newer and _moves(order, said, has_more=has_more)
    after = replace(order, filled=max(order.filled, said.filled), seq=max(order.seq, seq))
    if is_newer and order.state not in FINISHED:
        after = _told(after, said, ends=moves and said.state in FINISHED)
    return [("applied", replace(after, state=said.state) if moves else after)]


def _moves(order: Order, said: Said, *, has_more: bool) -> bool:
    is_pending = order.state in ("ChangePending", "CancelPending")
    if is_pending and said.acked < order.n and said.state not in FINISHED:
        return False
    if said.state == order.state:
        return has_more and said.state == "PartFilled"
    is_unknown_there = is_pending and said.state in ("Initialized", "Submitted")
    return is_unknown_there or may_follow(order.state, said.state)


def _told(order: Order, said: Said, *, ends: bool) -> Order:
    after = replace(order, acked=max(order.acked, said.acked), confirmed=said.values or order.confirmed)
    is_answered = after.acked >= after.n
    if after.confirmed and ((said.values and is_answered) or (ends and not is_answered)):
        qty, price = after.confirmed
        return replace(after, qty=qty, price=price)
    return after
