"""The items of the table: their keys, and how each becomes plain data and back.

What an item holds and the code does not know, such as a field of a newer version, is left alone. Writes of orders and
strategies name what they change; the parts inside them, which are written as a whole, bring along what is unknown.
"""

from collections.abc import Mapping
from typing import Any

from orderhook.conditions import Conditions, Sync
from orderhook.instructions import Instruction
from orderhook.keys import Key
from orderhook.limits import Limits
from orderhook.orders import (
    OPEN,
    Binding,
    Bracket,
    Event,
    FormerBinding,
    Leg,
    LegEnd,
    Order,
    OrderState,
    Strategy,
    Template,
    Trace,
    Want,
    end_of_wait,
    folded,
)
from orderhook.store.writes import Item

_Part = Event | Trace | Leg | LegEnd | Want | Binding | FormerBinding | Conditions | Sync
"""What lies inside an order, a strategy or an instruction."""

UNREADABLE = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)
"""What it raises to read an item that this version cannot read: of a newer one, say."""

KEY_LIST = "KEYS"
"""The partition that names every key, so that they can be listed without a scan."""

SIGN_IN_CODES, SESSIONS = "SIGN_IN_CODES", "SESSIONS"
"""The partitions of who signs in to the console of a stack, of all traders."""

INDEX_VERSION = "3"
"""Begins the index values of open orders; raise it when their form changes, for `orderhook migrate` to rewrite them."""


def trader_partition(trader: str) -> str:
    """Return the partition of everything that belongs to a trader."""
    return f"TRADER#{trader}"


def order_key(trader: str, order_id: str) -> dict[str, str]:
    """Return the key of an order."""
    return {"pk": trader_partition(trader), "sk": f"ORDER#{order_id}"}


def instruction_key(trader: str, instruction_id: str) -> dict[str, str]:
    """Return the key of an instruction to a venue, which is the request id of its alert in its account."""
    return {"pk": trader_partition(trader), "sk": f"INSTRUCTION#{instruction_id}"}


def strategy_key(trader: str, strategy_id: str) -> dict[str, str]:
    """Return the key of a strategy."""
    return {"pk": trader_partition(trader), "sk": f"STRATEGY#{strategy_id}"}


def template_key(trader: str, name: str) -> dict[str, str]:
    """Return the key of a template, whose name is compared without case."""
    return {"pk": trader_partition(trader), "sk": f"TEMPLATE#{folded(name)}"}


def key_key(key_id: str) -> dict[str, str]:
    """Return the key of the item that holds a key."""
    return {"pk": f"KEY#{key_id}", "sk": "KEY"}


def sign_in_code_key(digest: str) -> dict[str, str]:
    """Return the key of a code that signs somebody in to the console."""
    return {"pk": SIGN_IN_CODES, "sk": digest}


def session_key(digest: str) -> dict[str, str]:
    """Return the key of a session of the console, by the digest of its token."""
    return {"pk": SESSIONS, "sk": digest}


def controls_key(trader: str) -> dict[str, str]:
    """Return the key of a trader's kill switch."""
    return {"pk": trader_partition(trader), "sk": "CONTROLS"}


def trace_key(trader: str, word: str, digest: str) -> dict[str, str]:
    """Return the key of the trace of a command over many orders."""
    return {"pk": f"TRACES#{trader}", "sk": f"{word}#{digest}"}


def key_use_key(trader: str, key_id: str) -> dict[str, str]:
    """Return the key of the item that says when a key was last used: the trader's, for a key's own is never written."""
    return {"pk": trader_partition(trader), "sk": f"KEYUSE#{key_id}"}


def rate_key(trader: str, alert_id: str) -> dict[str, str]:
    """Return the key of the counted alerts of one id.

    A partition of its own, so that counting takes nothing from what a second allows the trader's orders.
    """
    return {"pk": f"RATE#{trader}", "sk": alert_id}


def once_key(trader: str, once: str) -> dict[str, str]:
    """Return the key of a form that was sent."""
    return {"pk": f"ONCE#{trader}", "sk": once}


def alert_key(trader: str, request_id: str) -> dict[str, str]:
    """Return the key of the record of an alert, in a partition of its own for the same reason."""
    return {"pk": f"ALERTS#{trader}", "sk": request_id}


def position_key(trader: str, account: str, instrument: str) -> dict[str, str]:
    """Return the key of a position, by account and instrument without their case."""
    return {"pk": f"POSITIONS#{trader}", "sk": f"{_index_part(account)}#{_index_part(instrument)}"}


def execution_key(trader: str, venue_id: str, cumulative: int) -> dict[str, str]:
    """Return the key of an execution, which has one whenever and however often it is told."""
    return {"pk": f"EXECUTIONS#{trader}", "sk": f"{venue_id}#{cumulative}"}


def flat_key(trader: str, account: str, instrument: str, at: str) -> dict[str, str]:
    """Return the key of what says that an account was seen flat, beside its executions."""
    return {"pk": f"EXECUTIONS#{trader}", "sk": f"FLAT#{_index_part(account)}#{_index_part(instrument)}#{at}"}


def need_key(trader: str, name: str) -> dict[str, str]:
    """Return the key of what a person has to look at, in a partition of its own: orders lose nothing by it."""
    return {"pk": f"NEEDS#{trader}", "sk": name}


def notice_key(trader: str, name: str) -> dict[str, str]:
    """Return the key of what a trader is told without looking, or of how he is told."""
    return {"pk": f"NOTICES#{trader}", "sk": name}


def open_prefix(account: str | None = None, instrument: str | None = None, root: str | None = None) -> str:
    """Return how the index values of open orders begin, of an account, or of an account and instrument.

    With the root of a future, of each month of it, whichever the instrument is. All are folded, so that they are
    compared without case; a '#' inside a part cannot end it early.
    """
    if root is not None:
        return f"{open_prefix(account)}{_index_part(root)} "
    parts = [INDEX_VERSION, *(part for part in (account, instrument) if part is not None)]
    return "".join(f"{_index_part(part)}#" for part in parts)


def open_ending(instrument: str, order_id: str) -> str:
    """Return how the index value of this order ends if it is in this instrument, be the account what it may."""
    return f"#{_index_part(instrument)}#{order_id}"


def _index_part(text: str) -> str:
    return folded(text).replace("%", "%25").replace("#", "%23")


def open_value(order: Order) -> str | None:
    """Return the value that puts an order into the index `open`; None for a finished one."""
    return open_prefix(order.account, order.instrument) + order.order_id if order.state in OPEN else None


def is_indexed(item: Mapping[str, Any]) -> bool:
    """Return whether the index value of an order, where it has one, is in the form of this version."""
    return str(item.get("open", open_prefix())).startswith(open_prefix())


def is_open(item: Mapping[str, Any], now: str) -> bool:
    """Return whether an item of the index is an order that has not come to its end by its time (Order.at)."""
    day_is_over = "day_ends" in item and str(item["day_ends"]) <= now
    given_up = "due" in item and end_of_wait(str(item["due"])) <= now
    return not (day_is_over or given_up)


def is_instruction(item: Mapping[str, Any]) -> bool:
    """Return whether an item of the index is an instruction to a venue, and no order."""
    return str(item.get("open", "")).startswith("#")


def event(entry: Event) -> Item:
    """Return an entry of a history as plain values."""
    return _part(entry)


def trace(value: Trace) -> Item:
    """Return a trace as plain values."""
    return _part(value)


def leg(value: Leg) -> Item:
    """Return a leg in its entry's item as plain values."""
    return _part(value, end=value.end and _part(value.end), want=value.want and _part(value.want))


def want(value: Want) -> Item:
    """Return what is asked of a venue as plain values."""
    return _part(value)


def _part(part: _Part, **inside: Any) -> Item:
    """Return a part of an item as plain values, with those that this version does not know."""
    values = part._asdict() | inside
    unknown = values.pop("unknown")
    return {**unknown, **{name: it for name, it in values.items() if it not in (None, False, {}, [], ())}}


def order_item(trader: str, order: Order, request_id: str | None = None) -> Item:
    """Return the item of an order; `open` and `expires` follow from its state."""
    extra = {
        "history": [event(entry) for entry in order.history],
        "legs": {name: leg(value) for name, value in order.legs.items()} or None,
        "wanted": {name: leg(value) for name, value in order.wanted.items()} or None,
        "digests": list(order.digests) or None,
        "placed": dict(order.placed) or None,
        "in_percent": order.in_percent or None,
        "want": order.want and _part(order.want),
        "conditions": order.conditions and conditions(order.conditions),
        "acked": order.acked or None,
        "dropped": order.dropped or None,
        "confirmed": dict(order.confirmed) or None,
        "history_dropped": order.history_dropped or None,
        "open": open_value(order),
        "request_id": request_id,
    }
    return order_key(trader, order.order_id) | order._asdict() | extra


SHOWN_IN_LISTS = (
    "pk",
    "sk",
    *(name for name in dict.fromkeys((*Order._fields, *Instruction._fields)) if name not in ("history", "digests")),
    "history[0]",
)
"""What is read of an order or an instruction to show it in a list; most of an item is its history."""


_WHOLE_NUMBERS = (
    "qty filled closes version cancel_filled number filled_after_end generation delay report_seq history_dropped acked "
    "dropped"
).split()


def order(item: Mapping[str, Any]) -> Order:
    """Return the order that an item holds; raises one of UNREADABLE for what is not one."""
    values = _fields(Order, item)
    values |= {name: int(values[name]) for name in _WHOLE_NUMBERS if name in values}
    values["state"] = OrderState(values["state"])
    values["history"] = tuple(_event(entry) for entry in values.get("history", ()))
    for legs in ("legs", "wanted"):
        # Version 0.1 had ids here, of legs that are items of their own.
        here = {name: value for name, value in values.get(legs, {}).items() if isinstance(value, Mapping)}
        values[legs] = {name: _leg(value) for name, value in here.items()}
    values["digests"] = tuple(values.get("digests", ()))
    if "want" in values:
        values["want"] = _want(values["want"])
    if "conditions" in values:
        values["conditions"] = _conditions(values["conditions"])
    return Order(**values)


def _event(entry: Mapping[str, Any]) -> Event:
    values = {"state": None} | _fields(Event, entry)
    if values["state"] in list(OrderState):
        return Event(**values | {"state": OrderState(values["state"])})
    # A state of another version is passed by.
    unknown = values["unknown"] | ({} if values["state"] is None else {"state": values["state"]})
    return Event(**values | {"state": None, "unknown": unknown})


def read_trace(value: Mapping[str, Any]) -> Trace:
    """Return the trace that lies in an item."""
    return Trace(**_fields(Trace, value))


def _leg(value: Mapping[str, Any]) -> Leg:
    values = _fields(Leg, value)
    values |= {name: int(values[name]) for name in ("start", "size", "generation", "acked") if name in values}
    if "want" in values:
        values["want"] = _want(values["want"])
    if "end" in values:
        end = _fields(LegEnd, values["end"])
        values["end"] = LegEnd(**end | {"state": OrderState(end["state"])})
    return Leg(**values)


def _want(value: Mapping[str, Any]) -> Want:
    values = _fields(Want, value)
    return Want(**values | {name: int(values[name]) for name in ("n", "of") if name in values})


def conditions(value: Conditions) -> Item:
    """Return what is asked of a position before something is done, as plain values."""
    lists = {name: [*getattr(value, name)] for name in ("require_market_position", "instruments")}
    return _part(value, sync=value.sync and _part(value.sync), **lists)


def _conditions(value: Mapping[str, Any]) -> Conditions:
    values = _fields(Conditions, value)
    values |= {name: tuple(values.get(name, ())) for name in ("require_market_position", "instruments")}
    if "max_positions" in values:
        values["max_positions"] = int(values["max_positions"])
    if "sync" in values:
        sync = _fields(Sync, values["sync"])
        values["sync"] = Sync(**sync | {name: int(sync[name]) for name in ("target_quantity",) if name in sync})
    return Conditions(**values)


def instruction_item(trader: str, instruction: Instruction, request_id: str | None = None) -> Item:
    """Return the item of an instruction; it is in the index `open` until it has a result."""
    extra = {
        "conditions": conditions(instruction.conditions) or None,
        "order_ids": list(instruction.order_ids) or None,
        "accounts": list(instruction.accounts) or None,
        "instruments": list(instruction.instruments) or None,
        "open": f"#{instruction.instruction_id}" if instruction.is_open else None,
        "request_id": request_id,
    }
    return instruction_key(trader, instruction.instruction_id) | instruction._asdict() | extra


def instruction(item: Mapping[str, Any]) -> Instruction:
    """Return the instruction that an item holds; raises one of UNREADABLE for what is not one."""
    values = _fields(Instruction, item)
    values |= {name: int(values[name]) for name in ("qty", "report_seq") if name in values}
    values |= {name: tuple(values[name]) for name in ("order_ids", "accounts", "instruments") if name in values}
    values["conditions"] = _conditions(values.get("conditions", {}))
    return Instruction(**values)


def strategy_item(trader: str, strategy: Strategy, request_id: str | None = None) -> Item:
    """Return the item of a strategy."""
    extra = {
        "numbers": {str(number): _binding(binding) for number, binding in strategy.numbers.items()},
        "freed": {str(number): _binding(binding) for number, binding in strategy.freed.items()} or None,
        "traces": [trace(it) for it in strategy.traces] or None,
        "digests": [it.digest for it in strategy.traces] or None,
        "named": [trace(it) for it in strategy.named] or None,
        "request_id": request_id,
    }
    return strategy_key(trader, strategy.strategy_id) | strategy._asdict() | extra


def _binding(binding: Binding) -> Item:
    return _part(binding, before=[_part(former) for former in binding.before])


def strategy(item: Mapping[str, Any]) -> Strategy:
    """Return the strategy that an item holds."""
    values = _fields(Strategy, item)
    for name in ("numbers", "freed"):
        values[name] = {int(number): _bound(binding) for number, binding in item.get(name, {}).items()}
    for traces in ("traces", "named"):
        values[traces] = tuple(map(read_trace, values.get(traces, ())))
    values["version"] = int(values.get("version", 1))
    return Strategy(**values)


def _bound(binding: Mapping[str, Any]) -> Binding:
    values = _fields(Binding, binding)
    before = (FormerBinding(**_fields(FormerBinding, former)) for former in values.get("before", ()))
    return Binding(**values | {"before": tuple(before)})


def template_item(trader: str, template: Template) -> Item:
    """Return the item of a template."""
    # One of NinjaTrader's has no `brackets`, so that no earlier version takes it for one that has none.
    if template.ninjatrader:
        return template_key(trader, template.name) | {"name": template.name, "ninjatrader": True}
    brackets = [bracket._asdict() for bracket in template.brackets]
    return template_key(trader, template.name) | {"name": template.name, "brackets": brackets}


def template(item: Mapping[str, Any]) -> Template:
    """Return the template that an item holds."""
    if item.get("ninjatrader"):
        return Template(item["name"], ninjatrader=True)
    brackets = (_fields(Bracket, bracket) for bracket in item["brackets"])
    return Template(item["name"], tuple(Bracket(**bracket | {"qty": int(bracket["qty"])}) for bracket in brackets))


def key_item(key: Key) -> Item:
    """Return the item of a key; it holds the digest, never the key."""
    limits = key.limits and limits_item(key.limits)
    return key_key(key.key_id) | key._asdict() | {"scopes": sorted(key.scopes), "limits": limits}


def key(item: Mapping[str, Any]) -> Key:
    """Return the stored half of the key that an item holds."""
    values = _fields(Key, item)
    limits = read_limits(values["limits"]) if "limits" in values else None
    return Key(**values | {"scopes": frozenset(values["scopes"]), "limits": limits})


def limits_item(limits: Limits) -> Item:
    """Return limits as plain values."""
    return {name: value for name, value in limits._asdict().items() if value}


def read_limits(value: Mapping[str, Any]) -> Limits:
    """Return the limits that a part of an item holds."""
    values = _fields(Limits, value)
    values |= {name: tuple(values[name]) for name in ("accounts", "instruments") if name in values}
    values |= {name: int(values[name]) for name in ("max_qty", "max_orders_per_minute") if name in values}
    return Limits(**values)


def _fields(
    kind: type[_Part | Order | Instruction | Strategy | Bracket | Key | Limits], item: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attributes that `kind` has fields for, and the others as `unknown` where it keeps them."""
    values = {name: item[name] for name in kind._fields if name in item}
    if "unknown" in kind._fields:
        values["unknown"] = {name: value for name, value in item.items() if name not in kind._fields}
    return values
