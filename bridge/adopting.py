"""Orders that another journal has placed: the ids that they may have at the venue, so that they can be cancelled."""

from typing import NamedTuple

from bridge import oif
from bridge.brackets import PARTNER_ENDS
from bridge.carrying_out import at_venue
from bridge.reading import read_state
from bridge.records import TableOrder, filled
from bridge.state import Turn
from orderhook.orders import Order
from orderhook.trade import kind_of, leg_id

_FOREIGN_PLACES = 20
"""How many generations of an entry of another journal are looked for at most, or parts of it that a leg closes."""
_FOREIGN_GENERATIONS = (1, 2, 3)
"""Those of its legs: one is placed again where NinjaTrader has ended it with its partner."""


class _Place(NamedTuple):
    """What an order of another journal may be at the venue."""

    start: int = 0
    closes: bool = False


def _places(order: TableOrder, entry: Order) -> dict[str, _Place]:
    """Return the ids that an order of another journal may have at the venue."""
    placed_by, leg = order.placed_by, order.leg
    if leg is None:
        generations = range(1, min(entry.generation, _FOREIGN_PLACES) + 1)
        return {oif.venue_id(placed_by, number): _Place() for number in generations}
    starts = range(min(max(entry.qty, entry.filled, order.qty), _FOREIGN_PLACES))
    ids = {
        oif.venue_id(placed_by, number, leg, start): _Place(start)
        for number in _FOREIGN_GENERATIONS
        for start in starts
    }
    if kind_of(leg) == "STOP":
        close = f"CLOSE{leg.removeprefix('STOP')}"
        ids |= {oif.venue_id(placed_by, 1, close, start): _Place(start, closes=True) for start in starts}
    return ids


def adopt(turn: Turn, order: TableOrder, entry: Order) -> None:
    """Give an order of another journal the ids that it may have at the venue; `entry` is its item, or its entry's.

    So it can be cancelled. What NinjaTrader's files say of them was read before anybody knew whose they are.
    """
    ids = _places(order, entry)
    for venue_id, place in ids.items():
        turn.put(at_venue(turn, order, venue_id)._replace(start=place.start, closes=place.closes))
    turn.put(order._replace(venue_ids=tuple(ids)))
    reads = [read for venue_id in ids if (read := turn.now.unclaimed.get(venue_id))]
    turn.set(unclaimed={name: read for name, read in turn.now.unclaimed.items() if name not in ids})
    for read in reads:
        read_state(turn, read)
    if order.leg is None and entry.legs and sum(read.filled for read in reads) > entry.filled:
        turn.alarm_once(
            order.order_id, "unprotected", "it was filled, and its legs are another journal's", of="adopted"
        )


def decline_change(turn: Turn, order: TableOrder) -> None:
    """Answer a change of an order of another journal, which is not done: nobody here knows what values it has."""
    if turn.owns and order.acked < order.n and order.kind in ("change", "replace"):
        why = "another journal's order can only be cancelled"
        turn.put(order._replace(given_up=order.n, acked=order.n, why=why))


def watch(turn: Turn, stop: TableOrder) -> None:
    """Alarm where a stop of another journal has ended although nobody asked: this one does not place it again."""
    known = [it for it in turn.venue_orders_of(stop) if it.state]
    if kind_of(str(stop.leg)) != "STOP" or stop.wants_cancel or not known or any(it.is_live for it in known):
        return
    target = turn.orders.get(leg_id(str(stop.entry_id), str(stop.leg).replace("STOP", "TARGET")))
    closed = sum(filled(turn.venue_orders_of(leg)) for leg in (stop, target) if leg)
    if any(it.awaits_cancel for it in known):
        return  # what has cancelled it sees to the position
    ended_at = max(it.since or turn.at for it in known)
    if closed < stop.qty and turn.at - ended_at >= PARTNER_ENDS:
        turn.alarm_once(stop.order_id, "unprotected", f"it has ended, with {stop.qty - closed} open", of=ended_at)
