"""Changes: one CHANGE with all values at a time, confirmed by what is said of the order, or refused by the log."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from bridge import oif
from bridge.events import OrderStateRead
from bridge.log_lines import words_of
from bridge.records import Change, Done, Refused, TableOrder, VenueOrder, filled
from bridge.state import Turn
from orderhook.leg_prices import is_beyond
from orderhook.orders import BEING_CANCELLED, Action, OrderState
from orderhook.trade import opposite

_BEING_CHANGED = frozenset({OrderState.CHANGE_PENDING, OrderState.CHANGE_SUBMITTED})

_AGAIN = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60))
"""How long after each refusal a CHANGE is tried again that is wanted all the same, as by a leg whose partner fills."""

_IS_JUDGED = timedelta(seconds=5)
"""How long after its file was taken a CHANGE is confirmed, or refused by the log."""

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
    return not order.has_known_values or values_of(order) != goal


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
        return order.in_doubt or values_of(order) != goal
    if not order.change.is_overdue or order.change.instruction.stage != "consumed":
        return False
    return values_of(order.change) != goal or turn.orders[order.order_id].n > order.change.n


def _is_refused(turn: Turn, order: VenueOrder, goal: Goal) -> bool:
    """Return whether NinjaTrader has refused these values just now, or so often that they are not tried again."""
    refused = order.refused
    if refused is None or refused.n != turn.orders[order.order_id].n or values_of(refused) != goal:
        return False
    return refused.times > len(_AGAIN) or turn.at - refused.at < _AGAIN[refused.times - 1]


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
    elif not (change.is_overdue or change.seen_at) and turn.at - change.instruction.at >= _IS_JUDGED:
        turn.put(order._replace(change=change._replace(is_overdue=True)))
        why = f"nothing says that {order.venue_id} has changed"
        turn.alarm_once(order.order_id, "change_unconfirmed", why, of=change.instruction.name)


def answered(order: VenueOrder, change: Change, read: OrderStateRead, at: datetime) -> VenueOrder:
    """Return an order after a state that may say that its CHANGE was done.

    One that was written for a fill does not say it, nor one from before the CHANGE was taken, nor a late one, unless
    NinjaTrader was seen to be at it.
    """
    if change.instruction.stage != "consumed" or order.is_over:
        return order
    if order.state in _BEING_CHANGED:
        return order._replace(change=change._replace(is_pending=True, seen_at=None))
    return order if read.filled > order.filled else said_to_work(order, change, at)


def said_to_work(order: VenueOrder, change: Change, at: datetime) -> VenueOrder:
    """Return an order of which a state, or the log, says that it works; a late word says nothing of its CHANGE."""
    is_late = at - change.instruction.at > _IS_JUDGED and not change.is_pending
    if change.instruction.stage != "consumed" or is_late:
        return order
    return order._replace(change=change._replace(seen_at=change.seen_at or at))


def proves_change(order: VenueOrder, price: Decimal | None) -> bool:
    """Return whether a fill's price shows that a CHANGE was done: at the prices before, it could not have been.

    Where NinjaTrader fills an order as soon as it is changed, nothing else says so.
    """
    if order.change is None or price is None or order.change.instruction.stage != "consumed":
        return False
    return _allows(order.action, order.change, price) and not _allows(order.action, order, price)


def _allows(action: Action, values: VenueOrder | Change, price: Decimal) -> bool:
    """Return whether an order with these limit and stop prices could be filled at this price."""
    is_past_limit = values.limit_price is not None and is_beyond(action, price, values.limit_price)
    is_before_stop = values.stop_price is not None and is_beyond(opposite(action), price, values.stop_price)
    return not (is_past_limit or is_before_stop)


def take_error(turn: Turn, order: VenueOrder, text: str) -> None:
    """Drop the CHANGE that an error in the log is about, if it is about one: that under way, or the last one done."""
    change = order.change
    if order.done is not None and _is_about(order, order.done, text, turn.at):
        order = order.unchanged
        turn.put(order)
        if change is None:
            _refuse(turn, order, words_of(text))
    elif change is not None and turn.at - change.instruction.at <= _IS_JUDGED:
        _refuse(turn, order, words_of(text))


def _is_about(order: VenueOrder, done: Done, text: str, at: datetime) -> bool:
    """Return whether an error in the log is about the last CHANGE, though a state has seemed to confirm it."""
    is_of_next = order.change is not None and order.change.instruction.stage == "consumed"
    is_of_cancel = "CANCEL" in text.upper()
    return order.is_live and not (is_of_next or is_of_cancel) and at - done.change.instruction.at <= _IS_JUDGED


def _refuse(turn: Turn, order: VenueOrder, why: str) -> None:
    """Drop a CHANGE that NinjaTrader has refused: its order has the old values, unless more is asked by now."""
    change, before, owner = order.change, order.refused, turn.orders[order.order_id]
    if change is None:
        return
    refused = Refused(change.n, change.qty, change.limit_price, change.stop_price, 1, turn.at)
    if before is not None and before[:4] == refused[:4]:
        refused = refused._replace(times=before.times + 1)
    turn.put(order._replace(change=None, refused=refused))
    if change.n == owner.n and owner.asked is None:
        give_up(turn, owner, order, f"NinjaTrader has refused the change: {why}")
    is_last = refused.times > len(_AGAIN)
    if refused.times == 1 or is_last:
        then = ", and is not tried again" if is_last else ""
        turn.alarm_once(order.order_id, "change_refused", f"{why}{then}", of=change.instruction.name)


def give_up(turn: Turn, order: TableOrder, current: VenueOrder, why: str) -> None:
    """Drop what is wanted of an order, and answer that: it keeps the values that it had."""
    elsewhere = filled(it for it in turn.venue_orders_of(order) if it.venue_id != current.venue_id)
    qty = order.qty if order.leg else current.qty + elsewhere
    turn.put(
        order._replace(
            qty=qty,
            order_type=current.order_type,
            tif=current.tif,
            limit_price=current.limit_price,
            stop_price=current.stop_price,
            given_up=order.n,
            acked=order.n,
            why=why,
        )
    )
