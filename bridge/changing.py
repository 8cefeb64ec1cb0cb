"""Changes: one CHANGE with all values at a time, confirmed by the order's state file or refused by the log."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from bridge import oif
from bridge.reading import CHANGE_IS_JUDGED, CHANGED_AGAIN
from bridge.records import Change, Refused, TableOrder, VenueOrder
from bridge.state import Turn
from orderhook.orders import BEING_CANCELLED

_LOG_FOLLOWS = timedelta(milliseconds=300)
"""How soon after an order's state NinjaTrader's log says that its change was refused: the state never says it."""


class Goal(NamedTuple):
    """The values that an order of the venue should have."""

    qty: int
    limit_price: Decimal | None
    stop_price: Decimal | None


def values_of(order: VenueOrder | Change | Refused) -> Goal:
    """Return the values that an order has, or is asked to take."""
    return Goal(order.qty, order.limit_price, order.stop_price)


def is_changing(order: VenueOrder, goal: Goal) -> bool:
    """Return whether an order has yet to take these values."""
    return order.change is not None or values_of(order) != goal


def may_change(turn: Turn, order: VenueOrder, goal: Goal) -> bool:
    """Return whether a CHANGE to these values can be written now: the order lives, and nothing is under way.

    A state says of no CHANGE which one it answers, so that the next one waits until the last is judged.
    """
    if not order.is_live or order.state in BEING_CANCELLED or order.awaits_cancel:
        return False
    waits_for_state = order.unseen_since is not None and not order.is_lost
    if waits_for_state or order.is_held(turn.at) or _is_refused(turn, order, goal):
        return False
    if order.change is None:
        return values_of(order) != goal
    if not order.change.is_overdue or order.change.instruction.stage != "consumed":
        return False
    return values_of(order.change) != goal or turn.orders[order.order_id].n > order.change.n


def _is_refused(turn: Turn, order: VenueOrder, goal: Goal) -> bool:
    """Return whether NinjaTrader has refused these values just now, or so often that they are not tried again."""
    refused = order.refused
    if refused is None or refused.n != turn.orders[order.order_id].n or values_of(refused) != goal:
        return False
    return refused.times > len(CHANGED_AGAIN) or turn.at - refused.at < CHANGED_AGAIN[refused.times - 1]


def write_change(turn: Turn, table_order: TableOrder, order: VenueOrder, goal: Goal) -> None:
    """Write a CHANGE; it brings all values, so that it does not matter what became of the one before."""
    line = oif.change(order.venue_id, qty=goal.qty, limit_price=goal.limit_price, stop_price=goal.stop_price)
    files = order.files + 1
    instruction = turn.write(oif.file_name(order.venue_id, "change", files), line)
    turn.put(order._replace(change=Change(instruction, table_order.n, *goal), changed_for=table_order.n, files=files))


def follow_change(turn: Turn, order: VenueOrder) -> None:
    """Confirm a change whose file was taken and whose order was seen alive since; tell of one that is overdue."""
    change = order.change
    if change is None:
        return
    if order.is_over:
        turn.put(order._replace(change=None))
    elif change.instruction.stage == "consumed" and change.seen_at and turn.at - change.seen_at >= _LOG_FOLLOWS:
        turn.put(order.changed)
    elif not (change.is_overdue or change.seen_at) and turn.at - change.instruction.at >= CHANGE_IS_JUDGED:
        turn.put(order._replace(change=change._replace(is_overdue=True)))
        why = f"nothing says that {order.venue_id} has changed"
        turn.alarm_once(order.order_id, "change_unconfirmed", why, of=change.instruction.name)
