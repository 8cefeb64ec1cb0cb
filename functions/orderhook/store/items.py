"""The items of the table: their keys, and how each becomes plain data and back."""

from collections.abc import Mapping
from typing import Any

from orderhook.keys import Key
from orderhook.orders import OPEN, Bracket, Event, Order, OrderState, Provenance, Strategy, StrategyState, Template
from orderhook.store.table import Item

KEY_LIST = "KEYS"
"""The partition that names every key, so that they can be listed without a scan."""


def trader_partition(trader: str) -> str:
    """Return the partition of everything that belongs to a trader."""
    return f"TRADER#{trader}"


def order_key(trader: str, order_id: str) -> dict[str, str]:
    """Return the key of an order."""
    return {"pk": trader_partition(trader), "sk": f"ORDER#{order_id}"}


def strategy_key(trader: str, strategy_id: str) -> dict[str, str]:
    """Return the key of a strategy."""
    return {"pk": trader_partition(trader), "sk": f"STRATEGY#{strategy_id}"}


def template_key(trader: str, name: str) -> dict[str, str]:
    """Return the key of a template."""
    return {"pk": trader_partition(trader), "sk": f"TEMPLATE#{name}"}


def key_key(key_id: str) -> dict[str, str]:
    """Return the key of the item that holds a key."""
    return {"pk": f"KEY#{key_id}", "sk": "KEY"}


def controls_key(trader: str) -> dict[str, str]:
    """Return the key of a trader's kill switch."""
    return {"pk": trader_partition(trader), "sk": "CONTROLS"}


def rate_key(trader: str, alert_id: str) -> dict[str, str]:
    """Return the key of the counted alerts of one id.

    A partition of its own, so that counting takes nothing from what a second allows the trader's orders.
    """
    return {"pk": f"RATE#{trader}", "sk": alert_id}


def alert_key(trader: str, request_id: str) -> dict[str, str]:
    """Return the key of the record of an alert, in a partition of its own for the same reason."""
    return {"pk": f"ALERTS#{trader}", "sk": request_id}


def open_prefix(account: str, instrument: str | None = None) -> str:
    """Return how the index values of an account's open orders begin; a '#' inside a part cannot end it early."""
    parts = [account] if instrument is None else [account, instrument]
    return "".join(part.replace("%", "%25").replace("#", "%23") + "#" for part in parts)


def event(entry: Event) -> Item:
    """Return an entry of a history as plain values."""
    return {name: value for name, value in entry._asdict().items() if value not in ({}, None)}


def order_item(provenance: Provenance, order: Order) -> Item:
    """Return the item of an order; the attribute `open` is what puts it into the index of open orders."""
    place = open_prefix(order.account, order.instrument) + order.order_id if order.state in OPEN else None
    extra = {
        "history": [event(entry) for entry in order.history],
        "open": place,
        "request_id": provenance.request_id,
    }
    return order_key(provenance.trader, order.order_id) | order._asdict() | extra


def order(item: Mapping[str, Any]) -> Order:
    """Return the order that an item holds."""
    values = _fields(Order, item)
    for name in ("qty", "filled", "version", "cancel_filled"):
        if name in values:
            values[name] = int(values[name])
    values["state"] = OrderState(values["state"])
    values["history"] = tuple(_event(**entry) for entry in values["history"])
    return Order(**values)


def _event(*, state: str | None = None, **rest: Any) -> Event:
    return Event(OrderState(state) if state else None, **rest)


def strategy_item(provenance: Provenance, strategy: Strategy, names: Mapping[str, str]) -> Item:
    """Return the item of a strategy that starts with these names."""
    extra = {"names": names, "version": 1, "request_id": provenance.request_id}
    return strategy_key(provenance.trader, strategy.strategy_id) | strategy._asdict() | extra


def strategy(item: Mapping[str, Any]) -> Strategy:
    """Return the strategy that an item holds."""
    values = _fields(Strategy, item)
    return Strategy(**values | {"state": StrategyState(values["state"])})


def template_item(trader: str, template: Template) -> Item:
    """Return the item of a template."""
    brackets = [bracket._asdict() for bracket in template.brackets]
    return template_key(trader, template.name) | {"name": template.name, "brackets": brackets}


def template(item: Mapping[str, Any]) -> Template:
    """Return the template that an item holds."""
    brackets = (Bracket(**bracket | {"qty": int(bracket["qty"])}) for bracket in item["brackets"])
    return Template(item["name"], tuple(brackets))


def key_item(key: Key) -> Item:
    """Return the item of a key; it holds the digest, never the key."""
    return key_key(key.key_id) | key._asdict() | {"scopes": sorted(key.scopes)}


def key(item: Mapping[str, Any]) -> Key:
    """Return the stored half of the key that an item holds."""
    values = _fields(Key, item)
    return Key(**values | {"scopes": frozenset(values["scopes"])})


def _fields(kind: type[Order | Strategy | Key], item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that `kind` has fields for."""
    return {name: item[name] for name in kind._fields if name in item}
