"""What a trader's alerts are answered, and what then belongs to the trader, one alert or venue report at a time.

It is the specification, stated once more.

Like order.py, which it asks what one order does, it imports nothing of the product. A further command is a further
class here, and a case in `step`. Generated ids begin with the id of the request that made them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.states import FINISHED
from verification.histories import order as one
from verification.histories.order import one_order

_ORDER = one_order()


@dataclass(frozen=True)
class Order:
    """An order; `terms` is what no report changes."""

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

    def with_terms(self, **more: Any) -> "Order":
        return replace(self, terms={**self.terms, **more})


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
class Belongings:
    """What belongs to one trader."""

    orders: Mapping[str, Order] = field(default_factory=dict)
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    templates: Mapping[str, tuple[Bracket, ...]] = field(default_factory=dict)

    def with_orders(self, **orders: Order) -> "Belongings":
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


@dataclass(frozen=True)
class CancelOrders:
    """CANCELORDERS of an account, or of an account and instrument."""

    fields: Mapping[str, str]

    word = "CANCELORDERS"
    repeatable = True


@dataclass(frozen=True)
class CancelAllOrders:
    """CANCELALLORDERS."""

    fields: Mapping[str, str] = field(default_factory=dict)

    word = "CANCELALLORDERS"
    repeatable = True


@dataclass(frozen=True)
class CloseStrategy:
    """CLOSESTRATEGY."""

    fields: Mapping[str, str]

    word = "CLOSESTRATEGY"
    repeatable = True


@dataclass(frozen=True)
class Change:
    """CHANGE of an id, or of an order name in capitals, with a value above 0 at least."""

    fields: Mapping[str, str]

    word = "CHANGE"
    repeatable = True


@dataclass(frozen=True)
class CancelReplace:
    """CANCELREPLACE of an id, or of an order name in capitals, with valid fields as PLACE has them."""

    fields: Mapping[str, str]

    word = "CANCELREPLACE"
    repeatable = True


Command = Place | Cancel | CancelOrders | CancelAllOrders | CloseStrategy | Change | CancelReplace


@dataclass(frozen=True)
class Report:
    """A venue's report that the order is in `state`, with `filled` of it filled so far (None: it does not say)."""

    request_id: str
    order_id: str
    state: str
    filled: int | None = None


@dataclass(frozen=True)
class Step:
    """The answer to an alert, and what is owned after it."""

    answer: Mapping[str, Any]
    after: Belongings
    during: Belongings | None = None
    """What is owned when it begins to write order by order; None if it writes all at once."""

    def cut_short(self, before: Belongings, seen: Belongings) -> Belongings:
        """Return what it left when it was cut short, if that may look like `seen`.

        If it may not, what is returned looks different.
        """
        if seen == before:
            return before
        if self.during is None:
            return self.after
        done = {order_id: order for order_id, order in self.after.orders.items() if seen.orders.get(order_id) == order}
        return self.during.with_orders(**done)


class _RefusedError(Exception):
    """The alert is refused, and nothing changes."""

    def __init__(self, error: str, state: str | None = None) -> None:
        super().__init__(error)
        self.answer = {"success": False, "error": error} | ({"state": state} if state else {})


def step(owned: Belongings, command: Command, request_id: str) -> Step:
    """Do what one alert says; `request_id` is the one in its answer."""
    try:
        return _step(owned, command, request_id)
    except _RefusedError as refusal:
        return Step(refusal.answer, owned)


def _step(owned: Belongings, command: Command, request_id: str) -> Step:
    match command:
        case Place(fields):
            return _place(owned, fields, request_id)
        case Cancel(fields):
            return _cancel(owned, fields)
        case CancelOrders(fields):
            return _cancel_orders(owned, fields)
        case CancelAllOrders():
            return _cancel_orders(owned, {})
        case CloseStrategy(fields):
            return _close_strategy(owned, fields["strategy_id"])
        case Change(fields):
            return _change(owned, fields)
        case CancelReplace(fields):
            return _cancel_replace(owned, fields, request_id)


def report(owned: Belongings, said: Report) -> tuple[bool, Belongings]:
    """Return whether the report is recorded, and what is owned after it; the same report again is recorded already.

    The rules leave open which unusual reports are taken: the model takes them all.
    """
    found = owned.orders.get(said.order_id)
    if found is None or said.request_id in found.reports:
        return found is not None, owned
    # Where both are allowed, taking it is named first.
    word, life = _alone(found, one.Report(said.state, said.filled))[0]
    if word == "refused":
        return False, owned
    moved = replace(found, state=life.state, filled=life.filled, reports=found.reports | {said.request_id})
    return True, owned.with_orders(**{said.order_id: moved})


def may_be_refused(owned: Belongings, said: Report) -> bool:
    """Return whether the rules leave open if this report is taken."""
    allowed = _alone(owned.orders[said.order_id], one.Report(said.state, said.filled))
    return "refused" in {word for word, _ in allowed}


def _alone(order: Order, command: one.Command) -> list[tuple[str, one.Order]]:
    """Return what the order by itself may answer, and how it stands then."""
    allowed = _ORDER.step(one.Order(order.state, order.filled, "", int(order.terms["qty"])), command)
    return [(answer.word, life) for answer, life in allowed if life]


# CANCEL


def _cancel(owned: Belongings, fields: Mapping[str, str]) -> Step:
    order_id, found = _addressed_in_strategy(owned, fields)
    [(word, life)] = _alone(found, one.Cancel())
    if word == "order_already_terminal":
        raise _RefusedError(word, found.state)
    answer = _success(
        word,
        order_id=order_id,
        strategy_id=found.strategy_id,
        order_name=found.terms.get("order_name"),
        previous_state=found.state if word == "cancelled" else None,
        state=life.state,
        filled=str(found.filled),
    )
    return Step(answer, owned.with_orders(**{order_id: replace(found, state=life.state)}))


def _addressed_in_strategy(owned: Belongings, fields: Mapping[str, str]) -> tuple[str, Order]:
    """Return the addressed order, which must belong to the strategy that the alert gives, if it gives one."""
    order_id, found = _addressed(owned, fields)
    if fields.get("strategy_id") not in (None, found.strategy_id):
        raise _RefusedError("strategy_mismatch")
    return order_id, found


def _addressed(owned: Belongings, fields: Mapping[str, str]) -> tuple[str, Order]:
    """Return the order that `order_id` is the id of, or, in a strategy, the name of; and its id."""
    order_id = _addressed_id(owned, fields)
    if order_id not in owned.orders:
        raise _RefusedError("order_not_found")
    return order_id, owned.orders[order_id]


def _addressed_id(owned: Belongings, fields: Mapping[str, str]) -> str:
    order_id, strategy_id = fields["order_id"], fields.get("strategy_id")
    if not _is_name(order_id):
        return order_id
    if strategy_id is None:
        raise _RefusedError("strategy_id_required")
    if strategy_id not in owned.strategies:
        raise _RefusedError("strategy_not_found")
    if order_id not in owned.strategies[strategy_id].names:
        raise _RefusedError("order_not_found")
    return owned.strategies[strategy_id].names[order_id]


def _is_name(text: str) -> bool:
    kind = text.rstrip("0123456789")
    return kind in ("ENTRY", "EXIT", "STOP", "SIMSTOP", "TARGET") and text != kind


# CANCELORDERS, CANCELALLORDERS and CLOSESTRATEGY


def _cancel_orders(owned: Belongings, place: Mapping[str, str]) -> Step:
    lists, after = _cancel_many(owned, lambda order: place.items() <= order.terms.items())
    return Step(_success("cancelled" if lists["cancelled"] else "already_cancelled", **lists), after, during=owned)


def _close_strategy(owned: Belongings, strategy_id: str) -> Step:
    running = owned.strategies.get(strategy_id)
    if running is None:
        raise _RefusedError("strategy_not_found")
    # Closed first, so that no order can join while the others are cancelled.
    closed = replace(owned, strategies={**owned.strategies, strategy_id: replace(running, state="Closed")})
    lists, after = _cancel_many(closed, lambda order: order.strategy_id == strategy_id)
    duplicate = running.state == "Closed" and not lists["cancelled"]
    return Step(_success("closed", duplicate=duplicate or None, strategy_id=strategy_id, **lists), after, during=closed)


OUTCOMES = ("cancelled", "already_cancelled", "already_terminal", "remaining")
"""What may become of each order; one step at a time, nothing is ever terminal already or remains."""


def _cancel_many(owned: Belongings, reached: Callable[[Order], bool]) -> tuple[dict[str, Any], Belongings]:
    """Cancel the open orders among those reached; return the lists of the answer, and what is owned after it."""
    lists: dict[str, list[str]] = {word: [] for word in OUTCOMES}
    orders = {}
    for order_id, found in sorted(owned.orders.items()):
        if found.open and reached(found):
            [(word, life)] = _alone(found, one.CancelMany())
            lists[word].append(order_id)
            orders[order_id] = replace(found, state=life.state)
    return {"counts": {word: len(ids) for word, ids in lists.items()}, **lists}, owned.with_orders(**orders)


# CHANGE


PRICES_OF = {
    "MARKET": set(),
    "LIMIT": {"limit_price"},
    "STOPMARKET": {"stop_price"},
    "STOPLIMIT": {"limit_price", "stop_price"},
}


def _change(owned: Belongings, fields: Mapping[str, str]) -> Step:
    order_id, found = _addressed_in_strategy(owned, fields)
    values = {name: Decimal(fields[name]) for name in ("qty", "limit_price", "stop_price") if name in fields}
    new = {name: value for name, value in values.items() if value}
    prices = new.keys() - {"qty"}
    [(word, _)] = _alone(found, one.Change(int(new.get("qty", found.terms["qty"]))))
    if word == "order_already_terminal":
        raise _RefusedError(word, found.state)
    if prices - PRICES_OF[found.terms["order_type"]]:
        raise _RefusedError("invalid_value")
    if word == "invalid_value":
        raise _RefusedError(word, found.state)
    # A leg whose price is given no longer takes it from its entry's fill.
    kept = {name: value for name, value in found.terms.items() if not (name == "offset" and prices)}
    terms = kept | new
    answer = _success(
        "changed",
        duplicate=terms == found.terms or None,
        order_id=order_id,
        strategy_id=found.strategy_id,
        order_name=terms.get("order_name"),
        state=found.state,
        filled=str(found.filled),
        **{name: _shortest(terms[name]) for name in ("qty", "limit_price", "stop_price") if name in terms},
    )
    return Step(answer, owned.with_orders(**{order_id: replace(found, terms=terms)}))


def _shortest(number: Decimal) -> str:
    return f"{number.normalize():f}"


# PLACE


def _place(owned: Belongings, fields: Mapping[str, str], request_id: str) -> Step:
    fields = _without_zeros(fields)
    order_id = fields.get("order_id", request_id)
    holder = owned.orders.get(order_id)
    if holder is None:
        after = _write(owned, fields, order_id, _brackets(owned, fields), request_id)
        return Step(_placed("placed", order_id, after.orders[order_id]), after)
    # Whatever else the alert would be refused for, it is about this order.
    if holder.content != _content(fields):
        raise _RefusedError("duplicate_order_id", holder.state)
    return Step(_placed("already_placed", order_id, holder), owned)


def _without_zeros(fields: Mapping[str, str]) -> Mapping[str, str]:
    return {name: text for name, text in fields.items() if not (name in _PRICES and Decimal(text) == 0)}


def _brackets(owned: Belongings, fields: Mapping[str, str]) -> tuple[Bracket, ...]:
    """Return those of the alert's template, if it gives one."""
    brackets = owned.templates.get(fields["strategy"]) if "strategy" in fields else ()
    if brackets is None:
        raise _RefusedError("strategy_not_found")
    if sum(qty for qty, _, _ in brackets) > int(fields["qty"]):
        raise _RefusedError("invalid_value")
    return brackets


def _write(
    owned: Belongings, fields: Mapping[str, str], order_id: str, brackets: tuple[Bracket, ...], request_id: str
) -> Belongings:
    """Return what is owned with the alert's order, under this id, and what comes with it."""
    legs = _legs(fields, brackets)
    strategy_id = fields.get("strategy_id", order_id if legs else None)
    if strategy_id is None:
        return owned.with_orders(**{order_id: _entry(fields)})
    running = owned.strategies.get(strategy_id)
    if running and (
        "strategy_id" not in fields
        or (running.account, running.instrument) != (fields["account"], fields["instrument"])
        or running.state != "Active"
    ):
        raise _RefusedError("strategy_mismatch")
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
    return replace(owned.with_orders(**orders), strategies={**owned.strategies, strategy_id: strategy})


# CANCELREPLACE


def _cancel_replace(owned: Belongings, fields: Mapping[str, str], request_id: str) -> Step:
    fields = _without_zeros(fields)
    replaced = _addressed_id(owned, fields)
    order_id = _next_id(replaced)
    holder = owned.orders.get(order_id)
    if holder and holder.content == _content(fields):
        return Step(_placed("replaced", order_id, holder, duplicate=True, replaced_order_id=replaced), owned)
    brackets = _brackets(owned, fields)
    _, old = _addressed(owned, fields)
    [(word, life)] = _alone(old, one.Replace())
    if word == "order_already_terminal":
        raise _RefusedError(word, old.state)
    if holder:
        raise _RefusedError("duplicate_order_id", holder.state)
    after = _write(owned, fields, order_id, brackets, request_id)
    old = replace(old.with_terms(replaced_by=order_id), state=life.state)
    new = after.orders[order_id].with_terms(replaces=replaced)
    answer = _placed("replaced", order_id, new, replaced_order_id=replaced)
    return Step(answer, after.with_orders(**{replaced: old, order_id: new}))


def _next_id(order_id: str) -> str:
    name, mark, number = order_id.rpartition(":")
    return f"{name}:{int(number) + 1}" if mark else f"{order_id}:2"


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
    *("oco_id", "strategy_id", "order_name", "legs", "replaces", "replaced_by"),
)
"""The attributes of an order that no report changes."""


def terms(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what no report changes of an order, from its plain attributes; an empty one is none."""
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


def _placed(word: str, order_id: str, order: Order, **more: Any) -> dict[str, Any]:
    return _success(
        word,
        order_id=order_id,
        strategy_id=order.strategy_id,
        order_name=order.terms.get("order_name"),
        legs=order.terms.get("legs"),
        state=order.state,
        **more,
    )


def _success(status: str, **more: Any) -> dict[str, Any]:
    return {"success": True, "status": status} | {name: value for name, value in more.items() if value is not None}
