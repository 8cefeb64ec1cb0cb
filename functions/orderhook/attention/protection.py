"""How much of a position its working stops cover. Plain data; it says less rather than more.

A stop counts where its venue has confirmed that it works, and for what is left of it. What is pending, UNRESOLVED or
Unknown may work or not: it is told beside it. Targets protect nothing.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Literal, NamedTuple

from orderhook.bridge_messages import PositionReport
from orderhook.orders import Action, Order, OrderState, folded
from orderhook.trade import opposite, types_of

WORKS = frozenset({OrderState.ACCEPTED, OrderState.WORKING, OrderState.PART_FILLED})
"""The states in which a venue works a stop for certain."""

Standing = Literal["works", "uncertain"]


class Cover(NamedTuple):
    """What working stops cover of a position."""

    covered: int
    """How many contracts of it have a stop that works, at most all."""
    beyond: int = 0
    """How many contracts stops are for besides: a fill of those would open the other side."""
    uncertain: int = 0
    """How many contracts stops are for of which nobody knows whether they work."""


def cover(position: PositionReport, orders: Iterable[Order]) -> Cover:
    """Return what the open orders of an account cover of its position; of one that is UNKNOWN what would be sold.

    Of a group of which one fills and the others end, only the smallest stop counts: nobody knows which is first.
    """
    stops = [order for order in orders if is_stop_of(position, order)]
    working = _contracts(order for order in stops if standing(order) == "works")
    uncertain = sum(_rest(order) for order in stops if standing(order) == "uncertain")
    covered = min(working, position.quantity)
    return Cover(covered, working - covered, uncertain)


def is_stop_of(position: PositionReport, order: Order) -> bool:
    """Return whether an open order would close the position, or a part of it, at a stop."""
    return (
        order.is_open
        and order.venue is not None
        and order.order_type in types_of("STOP")
        and is_of(position, order)
        and order.action == closing_action(position)
    )


def is_of(position: PositionReport, order: Order) -> bool:
    """Return whether an order is of the account and the instrument of a position."""
    return (folded(order.account), folded(order.instrument)) == (folded(position.account), folded(position.instrument))


def closing_action(position: PositionReport) -> Action | None:
    """Return the side that closes a position; None where there is none, or nobody knows on which side it is."""
    sides: dict[str, Action] = {"LONG": "BUY", "SHORT": "SELL"}
    side = sides.get(position.side)
    return opposite(side) if side else None


def standing(order: Order) -> Standing | None:
    """Return whether an open order works at its venue; None where it has not been sent there, as a leg that waits."""
    if order.entry_id is not None and order.closes is None:
        return None
    if order.unresolved or order.state not in WORKS or _confirmed(order) is None:
        return "uncertain"
    return "works"


def _contracts(orders: Iterable[Order]) -> int:
    """Return for how many contracts some of the stops are at least, whichever of a group fills first."""

    def group(order: Order) -> str:
        return order.oco_id or ""

    total = 0
    for oco_id, members in groupby(sorted(orders, key=group), group):
        open_parts = list(map(_rest, members))
        total += min(open_parts) if oco_id else sum(open_parts)
    return total


def _rest(order: Order) -> int:
    """Return what is left of an order at its venue, or, where that has confirmed nothing, of what is asked."""
    confirmed = _confirmed(order)
    return max(0, (order.qty if confirmed is None else min(order.qty, confirmed)) - order.filled)


def _confirmed(order: Order) -> int | None:
    """Return the quantity that the venue has confirmed."""
    text = order.confirmed.get("qty", "")
    return int(text) if text.isdecimal() else None


def loses(position: PositionReport, orders: Iterable[Order], order: Order) -> int:
    """Return how much less of a position is covered without one of the open orders."""
    orders = list(orders)
    others = [other for other in orders if other.order_id != order.order_id]
    return max(0, cover(position, orders).covered - cover(position, others).covered)
