"""The items of the table: their keys, and how each becomes plain data and back."""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from orderhook.keys import Key
from orderhook.orders import OPEN, Bracket, Event, Order, OrderState, Provenance, Strategy, StrategyState, Template

Item = dict[str, Any]

KEY_LIST = "KEYS"
"""The partition that names every key, so that they can be listed without a scan."""


def trader_partition(trader: str) -> str:
    """Return the partition of everything that belongs to a trader."""
    return f"TRADER#{trader}"


def order_key(trader: str, order_id: str) -> Item:
    """Return the key of an order."""
    return {"pk": trader_partition(trader), "sk": f"ORDER#{order_id}"}


def strategy_key(trader: str, strategy_id: str) -> Item:
    """Return the key of a strategy."""
    return {"pk": trader_partition(trader), "sk": f"STRATEGY#{strategy_id}"}


def template_key(trader: str, name: str) -> Item:
    """Return the key of a template."""
    return {"pk": trader_partition(trader), "sk": f"TEMPLATE#{name}"}


def key_key(key_id: str) -> Item:
    """Return the key of the item that holds a key."""
    return {"pk": f"KEY#{key_id}", "sk": "KEY"}


def controls_key(trader: str) -> Item:
    """Return the key of a trader's kill switch."""
    return {"pk": trader_partition(trader), "sk": "CONTROLS"}


def rate_key(trader: str, alert_id: str) -> Item:
    """Return the key of the counted alerts of one id."""
    return {"pk": f"RATE#{trader}", "sk": alert_id}


def open_prefix(account: str, instrument: str | None = None) -> str:
    """Return how the index values of an account's open orders begin; a '#' inside a part cannot end it early."""
    parts = [account] if instrument is None else [account, instrument]
    return "".join(part.replace("%", "%25").replace("#", "%23") + "#" for part in parts)


@lru_cache(64)  # the same expressions come with every alert
def aliases(*expressions: str) -> Mapping[str, str]:
    """Alias every attribute of the expressions: some of their names are reserved words."""
    return {f"#{name}": name for expression in expressions for name in re.findall(r"#(\w+)", expression)}


def wire(plain: Mapping[str, Any]) -> Item:
    """Give plain values DynamoDB's types; absent ones (None) are left out."""
    return {name: _typed(value) for name, value in plain.items() if value is not None}


def plain(item: Mapping[str, Any]) -> Item:
    """Take DynamoDB's types away."""
    return {name: _untyped(value) for name, value in item.items()}


# The pair that boto3 has, for the types that the items need: importing boto3's brings its whole transfer manager along,
# a twentieth of the cold start. tests/unit compares the two.


def _typed(value: object) -> Item:
    if isinstance(value, str):
        return {"S": value}
    if value is None or isinstance(value, bool):
        return {"NULL": True} if value is None else {"BOOL": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, Mapping):
        return {"M": {name: _typed(member) for name, member in value.items()}}
    if isinstance(value, frozenset) and value and all(isinstance(member, int) for member in value):
        return {"NS": [str(member) for member in sorted(value)]}
    if isinstance(value, list | tuple):
        return {"L": [_typed(member) for member in value]}
    raise TypeError(f"{type(value).__name__} has no place in an item")


def _untyped(typed: Mapping[str, Any]) -> Any:
    [(kind, value)] = typed.items()
    match kind:
        case "S" | "BOOL" | "B":
            return value
        case "N":
            return Decimal(value)
        case "NS":
            return frozenset(map(Decimal, value))
        case "NULL":
            return None
        case "M":
            return {name: _untyped(member) for name, member in value.items()}
        case "L":
            return [_untyped(member) for member in value]
    raise TypeError(f"{kind} has no place in an item")


def event(entry: Event) -> Item:
    """Return an entry of a history as plain values."""
    return {name: value for name, value in entry._asdict().items() if value not in ({}, None)}


def order_item(provenance: Provenance, order: Order) -> Item:
    """Return the item of an order; `open` is what puts it into the index of open orders."""
    place = open_prefix(order.account, order.instrument) + order.order_id if order.state in OPEN else None
    more = {"history": [event(entry) for entry in order.history], "open": place, "request_id": provenance.request_id}
    return wire(order_key(provenance.trader, order.order_id) | order._asdict() | more)


def order(item: Mapping[str, Any]) -> Order:
    """Return the order that an item holds."""
    found = _known(Order, item)
    for name in ("qty", "filled", "version", "cancel_filled"):
        if name in found:
            found[name] = int(found[name])
    found["state"] = OrderState(found["state"])
    found["history"] = tuple(_event(**entry) for entry in found["history"])
    return Order(**found)


def _event(*, state: str | None = None, **rest: Any) -> Event:
    return Event(OrderState(state) if state else None, **rest)


def strategy_item(provenance: Provenance, strategy: Strategy, names: Mapping[str, str]) -> Item:
    """Return the item of a strategy that starts with these names."""
    more = {"names": names, "version": 1, "request_id": provenance.request_id}
    return wire(strategy_key(provenance.trader, strategy.strategy_id) | strategy._asdict() | more)


def strategy(item: Mapping[str, Any]) -> Strategy:
    """Return the strategy that an item holds."""
    found = _known(Strategy, item)
    return Strategy(**found | {"state": StrategyState(found["state"])})


def template_item(trader: str, template: Template) -> Item:
    """Return the item of a template."""
    return wire(
        template_key(trader, template.name)
        | {"name": template.name, "brackets": [bracket._asdict() for bracket in template.brackets]}
    )


def template(item: Mapping[str, Any]) -> Template:
    """Return the template that an item holds."""
    found = plain(item)
    brackets = (Bracket(**bracket | {"qty": int(bracket["qty"])}) for bracket in found["brackets"])
    return Template(found["name"], tuple(brackets))


def key_item(key: Key) -> Item:
    """Return the item of a key; it holds the digest, never the key."""
    return wire(key_key(key.key_id) | key._asdict() | {"scopes": sorted(key.scopes)})


def key(item: Mapping[str, Any]) -> Key:
    """Return the stored half of the key that an item holds."""
    found = _known(Key, item)
    return Key(**found | {"scopes": frozenset(found["scopes"])})


def _known(kind: type[Order | Strategy | Key], item: Mapping[str, Any]) -> Item:
    """Return the plain values of the attributes that `kind` has fields for."""
    return {name: _untyped(item[name]) for name in kind._fields if name in item}
