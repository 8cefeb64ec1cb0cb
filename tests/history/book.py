"""What a trader's whole book answers when alerts and venue reports come one at a time: the specification, once more.

Like order.py, which it asks what one order does, it imports nothing of the product. A further command is a further
class here, and a case in `step`. Generated ids begin with the id of the request that made them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.history import order as one
from tests.history.order import FINISHED, one_order

_ORDER = one_order()


@dataclass(frozen=True)
class Order:
    """An order as it lies in the book; `terms` is what never changes."""

    state: str
    filled: int
    terms: Mapping[str, Any]
    content: str | None = field(default=None, compare=False)
    """What the alert said; a leg has none."""
    reports: frozenset[str] = field(default=frozenset(), compare=False)
    """The requests by which a venue has moved it."""

    @property
    def strategy_id(self) -> str | None:
        return self.terms.get("strategy_id")

    @property
    def open(self) -> bool:
        return self.state not in FINISHED


@dataclass(frozen=True)
class Strategy:
    account: str
    instrument: str
    state: str
    template: str | None
    names: Mapping[str, str]


Bracket = tuple[int, str | None, str | None]
"""A quantity, and the points to its target and to its stop."""


@dataclass(frozen=True)
class Book:
    """What belongs to one trader."""

    orders: Mapping[str, Order] = field(default_factory=dict)
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    templates: Mapping[str, tuple[Bracket, ...]] = field(default_factory=dict)

    def with_orders(self, **orders: Order) -> "Book":
        return replace(self, orders={**self.orders, **orders})


@dataclass(frozen=True)
class Place:
    """PLACE, with valid fields as the alert spells them."""

    fields: Mapping[str, str]

    word = "PLACE"

    @property
    def repeatable(self) -> bool:
        return "order_id" in self.fields


@dataclass(frozen=True)
class Cancel:
    """CANCEL of an id, or of an order name in capitals."""

    fields: Mapping[str, str]

    word = "CANCEL"
    repeatable = True


Command = Place | Cancel


@dataclass(frozen=True)
class Report:
    """A venue's word that the order is in `state`, with `filled` of it filled so far (None: no word)."""

    request_id: str
    order_id: str
    state: str
    filled: int | None = None


@dataclass(frozen=True)
class Step:
    """What an alert is answered, and the book after it."""

    answer: Mapping[str, Any]
    after: Book
    halfway: tuple[Book, ...] = ()
    """The books, other than the one before and the one after, that it may leave when it is cut short."""


def step(book: Book, command: Command, request_id: str) -> Step:
    """Do what one alert says; `request_id` is that of its answer."""
    match command:
        case Place(fields):
            return _place(book, fields, request_id)
        case Cancel(fields):
            return _cancel(book, fields)


def report(book: Book, said: Report) -> tuple[bool, Book]:
    """Tell whether the report is recorded, and the book after it; the same report again is recorded already.

    The rules leave open which unusual reports a book takes: the model says yes to those.
    """
    found = book.orders.get(said.order_id)
    if found is None or said.request_id in found.reports:
        return found is not None, book
    if said.filled is not None and said.filled > int(found.terms["qty"]):
        return False, book
    # Where both are allowed, taking it is named first.
    [(told, life), *_] = _ORDER.step(one.Order(found.state, found.filled, ""), one.Report(said.state, said.filled))
    if told.word == "refused" or life is None:
        return False, book
    moved = replace(found, state=life.state, filled=life.filled, reports=found.reports | {said.request_id})
    return True, book.with_orders(**{said.order_id: moved})


def may_be_refused(book: Book, said: Report) -> bool:
    """Tell whether the rules leave open if the book takes this report."""
    found = book.orders[said.order_id]
    allowed = _ORDER.step(one.Order(found.state, found.filled, ""), one.Report(said.state, said.filled))
    return "refused" in {told.word for told, _ in allowed}


# CANCEL


def _cancel(book: Book, fields: Mapping[str, str]) -> Step:
    asked, strategy_id = fields["order_id"], fields.get("strategy_id")
    order_id = asked
    if _is_name(asked):
        if strategy_id is None:
            return Step(_refusal("strategy_id_required"), book)
        strategy = book.strategies.get(strategy_id)
        if strategy is None:
            return Step(_refusal("strategy_not_found"), book)
        if asked not in strategy.names:
            return Step(_refusal("order_not_found"), book)
        order_id = strategy.names[asked]
    found = book.orders.get(order_id)
    if found is None:
        return Step(_refusal("order_not_found"), book)
    if strategy_id not in (None, found.strategy_id):
        return Step(_refusal("strategy_mismatch"), book)
    [(told, life)] = _ORDER.step(one.Order(found.state, found.filled, ""), one.Cancel())
    assert life is not None
    if told.word == "order_already_terminal":
        return Step(_refusal(told.word, state=found.state), book)
    done = told.word == "cancelled"
    answer = _success(
        told.word,
        order_id=order_id,
        strategy_id=found.strategy_id,
        order_name=found.terms.get("order_name"),
        previous_state=found.state if done else None,
        state=life.state,
        filled=str(found.filled),
    )
    return Step(answer, book.with_orders(**{order_id: replace(found, state=life.state)}))


def _is_name(text: str) -> bool:
    kind = text.rstrip("0123456789")
    return kind in ("ENTRY", "EXIT", "STOP", "SIMSTOP", "TARGET") and text != kind


# PLACE


def _place(book: Book, fields: Mapping[str, str], request_id: str) -> Step:
    fields = {name: text for name, text in fields.items() if not (name in _PRICES and Decimal(text) == 0)}
    order_id = fields.get("order_id", request_id)
    if order_id in book.orders:
        # Whatever else the alert would be refused for, it is about this order.
        return Step(_answer_for_a_taken_id(order_id, book.orders[order_id], fields), book)
    brackets = _brackets(book, fields)
    if brackets is None:
        return Step(_refusal("strategy_not_found"), book)
    if sum(qty for qty, _, _ in brackets) > int(fields["qty"]):
        return Step(_refusal("invalid_value"), book)
    legs = _legs(fields, brackets)
    strategy_id = fields.get("strategy_id", order_id if legs else None)
    if strategy_id is None:
        placed = {order_id: _entry(fields)}
        return Step(_placed(order_id, placed[order_id], {}), book.with_orders(**placed))
    running = book.strategies.get(strategy_id)
    if running and (
        "strategy_id" not in fields
        or (running.account, running.instrument) != (fields["account"], fields["instrument"])
        or running.state != "Active"
    ):
        return Step(_refusal("strategy_mismatch"), book)
    return _place_in_strategy(book, fields, order_id, strategy_id, legs, request_id)


def _place_in_strategy(
    book: Book,
    fields: Mapping[str, str],
    order_id: str,
    strategy_id: str,
    legs: list[dict[str, dict[str, Any]]],
    request_id: str,
) -> Step:
    running = book.strategies.get(strategy_id)
    names = dict(running.names) if running else {}
    first = 1 + max((_number(name) for name in names if not name.startswith("ENTRY")), default=0)
    entry_name = f"ENTRY{1 + max((_number(name) for name in names if name.startswith('ENTRY')), default=0)}"
    orders, bound = {}, {}
    for number, kinds in enumerate(legs, first):
        group = f"{request_id}.OCO{number}" if len(kinds) > 1 else None
        for kind, terms in kinds.items():
            name, leg_id = f"{kind}{number}", f"{request_id}.{kind}{number}"
            bound[name] = leg_id
            both = {"order_name": name, "strategy_id": strategy_id, "oco_id": group}
            orders[leg_id] = Order("Initialized", 0, _terms({**fields, **terms, **both}))
    orders[order_id] = _entry(fields, strategy_id=strategy_id, order_name=entry_name, legs=bound)
    strategy = running or Strategy(fields["account"], fields["instrument"], "Active", fields.get("strategy"), {})
    strategy = replace(strategy, names={**names, entry_name: order_id, **bound})
    after = replace(book.with_orders(**orders), strategies={**book.strategies, strategy_id: strategy})
    return Step(_placed(order_id, orders[order_id], bound), after)


def _answer_for_a_taken_id(order_id: str, holder: Order, fields: Mapping[str, str]) -> Mapping[str, Any]:
    if holder.content != _content(fields):
        return _refusal("duplicate_order_id", state=holder.state)
    return _placed(order_id, holder, holder.terms.get("legs", {})) | {"status": "already_placed"}


def _brackets(book: Book, fields: Mapping[str, str]) -> tuple[Bracket, ...] | None:
    return book.templates.get(fields["strategy"]) if "strategy" in fields else ()


def _legs(fields: Mapping[str, str], brackets: tuple[Bracket, ...]) -> list[dict[str, dict[str, Any]]]:
    """Return the legs' own terms, by kind, bracket by bracket; one bracket more for those that the alert gives."""
    side = {"action": "SELL" if fields["action"].upper() == "BUY" else "BUY", "tif": "GTC"}
    nothing = dict.fromkeys(("limit_price", "stop_price"))
    target, stop = {"order_type": "LIMIT"}, {"order_type": "STOPMARKET"}
    legs = []
    for qty, points_to_target, points_to_stop in brackets:
        ways = (("TARGET", target, points_to_target), ("STOP", stop, points_to_stop))
        legs.append(
            {kind: side | nothing | more | {"qty": qty, "offset": off} for kind, more, off in ways if off is not None}
        )
    own: dict[str, dict[str, Any]] = {}
    if "take_profit" in fields:
        own["TARGET"] = side | nothing | target | {"limit_price": fields["take_profit"]}
    if "stop_loss" in fields:
        own["STOP"] = side | nothing | stop | {"stop_price": fields["stop_loss"]}
    if "stop_loss_limit" in fields:
        trigger = fields.get("stop_loss_stop", fields["stop_loss_limit"])
        prices = {"limit_price": fields["stop_loss_limit"], "stop_price": trigger}
        own["STOP"] = side | {"order_type": "STOPLIMIT"} | prices
    return [*legs, *([own] if own else [])]


def _entry(fields: Mapping[str, str], **more: Any) -> Order:
    return Order("Working", 0, _terms({**fields, **more}), content=_content(fields))


_PRICES = ("limit_price", "stop_price", "take_profit", "stop_loss", "stop_loss_limit", "stop_loss_stop")
_WORDS = ("action", "order_type", "tif")
TERMS = (
    *("account", "instrument", "qty", *_WORDS, "limit_price", "stop_price", "offset"),
    *("oco_id", "strategy_id", "order_name", "legs"),
)
"""The attributes of an order that no alert and no report changes."""


def terms(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what never changes of an order, from its plain attributes; an empty one is none."""
    return _terms({name: value for name, value in attributes.items() if value != {}})


def _terms(given: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: _value(name, given[name]) for name in TERMS if given.get(name) is not None and given[name] != {}}


def _value(name: str, value: Any) -> Any:
    if name in (*_PRICES, "offset", "qty"):
        return Decimal(value)
    return value.upper() if name in _WORDS else value


def _content(fields: Mapping[str, str]) -> str:
    """Return everything that the alert asks for, in one spelling."""
    return repr(sorted((name, _one_spelling(name, text)) for name, text in fields.items()))


def _one_spelling(name: str, text: str) -> str:
    value = _value(name, text)
    return str(value.normalize() if isinstance(value, Decimal) else value)


def _number(name: str) -> int:
    return int(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


def _placed(order_id: str, order: Order, legs: Mapping[str, str]) -> dict[str, Any]:
    return _success(
        "placed",
        order_id=order_id,
        strategy_id=order.strategy_id,
        order_name=order.terms.get("order_name"),
        legs=dict(legs) or None,
        state=order.state,
    )


def _success(status: str, **more: Any) -> dict[str, Any]:
    return {"success": True, "status": status} | {name: value for name, value in more.items() if value is not None}


def _refusal(error: str, state: str | None = None) -> dict[str, Any]:
    return {"success": False, "error": error} | ({"state": state} if state else {})
