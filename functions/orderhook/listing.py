"""Orders as a person lists them: each as it is now, with the legs that wait in its item."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from orderhook.orders import Order
from orderhook.services import Services
from orderhook.store import items
from orderhook.trade import entry_and_leg, view_of_leg, waiting_legs


class Unreadable(NamedTuple):
    """The item of an order that this version cannot read, such as one of a newer version."""

    order_id: str
    state: str


def list_orders(services: Services, trader: str, now: str, *, open_only: bool = False) -> Iterator[Order | Unreadable]:
    """Yield a trader's orders, by id, each followed by its waiting legs; one bad item hides no other.

    With `open_only` only those that are open, at the cost of those alone.
    """
    for item in services.orders.items(trader, open_only=open_only):
        if str(item.get("open", "")).startswith("#"):
            continue  # not an order
        order = _read(item)
        if isinstance(order, Unreadable):
            yield order
            continue
        order = order.at(now)
        if open_only and not order.is_open:
            continue
        yield order
        # Sorted, because the table does not keep the order of a map.
        legs = sorted(waiting_legs(order), key=lambda leg: leg.order_id)
        yield from (leg for leg in legs if leg.is_open or not open_only)


def find_order(services: Services, trader: str, order_id: str, now: str) -> Order | None:
    """Return an order, or a leg that waits in its entry's item, as it is now."""
    order = services.orders.get(trader, order_id)
    if order is not None:
        return order.at(now)
    split = entry_and_leg(order_id)
    entry = services.orders.get(trader, split[0]) if split else None
    leg = entry.legs.get(split[1]) if split and entry else None
    if split is None or entry is None or leg is None or leg.released:
        return None  # a released leg has an item of its own, which has left the table
    return view_of_leg(entry.at(now), split[1], leg)


def _read(item: Mapping[str, Any]) -> Order | Unreadable:
    try:
        return items.order(item)
    except (KeyError, TypeError, ValueError):
        return Unreadable(str(item.get("order_id", item["sk"])), str(item.get("state", "")))
