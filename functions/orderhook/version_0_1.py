"""Entries as version 0.1 left them in a table, and what they are in this version: pure functions for the migration.

An entry had the ids of its legs by their names, and each leg was an item of its own, `<request id>.STOP1`; entries and
legs were numbered apart, and no number was given twice.
"""

import string
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from orderhook.leg_prices import with_bounds
from orderhook.orders import Event, Leg, LegEnd, Order, OrderState
from orderhook.store import items
from orderhook.trade import kind_of, leg_id


class OldLeg(NamedTuple):
    """A leg as its own item has it."""

    name: str
    order: Order

    @property
    def number(self) -> int:
        """Its number in the strategy."""
        return number_of(self.name)

    @property
    def waits(self) -> bool:
        """Whether it waits for its entry."""
        return self.order.state is OrderState.INITIALIZED


class OldEntry(NamedTuple):
    """An entry, and its legs as far as they are items of their own: all of one that is not migrated, none otherwise."""

    order: Order
    legs: Sequence[OldLeg]

    @property
    def is_numbered(self) -> bool:
        """Whether it has its number in this version's way."""
        return self.order.number is not None

    @property
    def width(self) -> int:
        """How many numbers it takes."""
        return max(1, len({number_of(name) for name in (*self.order.legs, *(leg.name for leg in self.legs))}))


def is_leg(item: Mapping[str, Any]) -> bool:
    """Return whether an item is that of a leg of version 0.1; a leg that a fill released knows its entry."""
    return str(item.get("order_name", "")).startswith(("TARGET", "STOP")) and "entry_id" not in item


def is_entry(item: Mapping[str, Any]) -> bool:
    """Return whether an item is that of an entry of version 0.1 with legs, or of any open entry in a strategy."""
    return bool(leg_ids(item)) or ("open" in item and str(item.get("order_name", "")).startswith("ENTRY"))


def leg_ids(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids of an entry's legs by their names; none of an entry of this version."""
    return {name: leg for name, leg in item.get("legs", {}).items() if isinstance(leg, str)}


def read_entry(item: Mapping[str, Any], legs: Mapping[str, Mapping[str, Any]]) -> OldEntry:
    """Return the entry of an item, with those of its legs that are still there, of the `legs` by their ids.

    Raises KeyError, TypeError or ValueError for an item that this version cannot read.
    """
    ids = leg_ids(item)
    own = [OldLeg(name, items.order(legs[order_id])) for name, order_id in ids.items() if order_id in legs]
    order = items.order({**item, "legs": {}} if ids else item)
    return OldEntry(order, sorted(own, key=lambda leg: (leg.number, leg.name)))


def migrated(entry: OldEntry, number: int | None) -> tuple[Order, dict[str, str]]:
    """Return an entry with its legs in it, and the new ids of its waiting legs by their old ones.

    With a `number` its names begin there; without one it keeps those that it has. Of an entry with fills the legs stay
    orders of their own.
    """
    names = _new_names(entry, number)
    if entry.order.filled:
        entry = entry._replace(legs=())
    order = entry.order._replace(
        legs={names[leg.name]: it for leg, it in zip(entry.legs, _legs(entry), strict=True)} or entry.order.legs,
        history=_joined_history(entry, names),
    )
    if number is not None:
        order = order._replace(number=number, order_name=f"ENTRY{number}")
    moved = {leg.order.order_id: leg_id(order.order_id, names[leg.name]) for leg in entry.legs if leg.waits}
    return with_bounds(order), moved


def number_of(name: str) -> int:
    """Return the number of an order name."""
    return int(name.lstrip(string.ascii_uppercase))


def _new_names(entry: OldEntry, number: int | None) -> dict[str, str]:
    """Return the names of the legs, which have the numbers from `number` on."""
    numbers = sorted({leg.number for leg in entry.legs})
    new = dict(zip(numbers, range(number, number + len(numbers)), strict=True)) if number else {n: n for n in numbers}
    return {leg.name: f"{kind_of(leg.name)}{new[leg.number]}" for leg in entry.legs}


def _legs(entry: OldEntry) -> Iterable[Leg]:
    """Yield the legs as they lie in their entry's item; of a template each bracket takes its own quantity."""
    is_template = any(
        leg.order.offset is not None or placed_qty(leg.order) != placed_qty(entry.order) for leg in entry.legs
    )
    sizes = {leg.number: placed_qty(leg.order) for leg in entry.legs}
    for leg in entry.legs:
        last = leg.order.history[-1]
        yield Leg(
            order_type=leg.order.order_type,
            limit_price=leg.order.limit_price,
            stop_price=leg.order.stop_price,
            offset=leg.order.offset,
            start=sum(size for number, size in sizes.items() if number < leg.number) if is_template else 0,
            size=sizes[leg.number] if is_template else None,
            oco_id=leg.order.oco_id,
            end=None if leg.waits else LegEnd(leg.order.state, leg.order.since, last.request_id, last.key_id),
        )


def placed_qty(order: Order) -> int:
    """Return the quantity that an order was placed with."""
    return int(Decimal(order.history[0].changes.get("qty", order.qty)))


def _joined_history(entry: OldEntry, names: Mapping[str, str]) -> tuple[Event, ...]:
    """Return an entry's history with what happened to its legs, whose beginning is the entry's own."""
    events = list(entry.order.history)
    for leg in entry.legs:
        events += [event._replace(state=None, leg=names[leg.name]) for event in leg.order.history[1:]]
    return tuple(sorted(events, key=lambda event: event.at))
