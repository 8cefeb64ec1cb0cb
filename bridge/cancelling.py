"""Cancels: held until an order is known to live, and repeated until it is being cancelled."""

from datetime import timedelta

from bridge import oif
from bridge.records import Cancel, TableOrder, VenueOrder
from bridge.state import Turn
from orderhook.orders import BEING_CANCELLED

HELD = timedelta(seconds=5)
"""How long a cancel waits at most for the first state of its order: a CANCEL before it was lost once."""

REPEATED = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 15, 60))
"""When a cancel is written, counted from its first writing."""

_REFUSED = timedelta(seconds=65)

TAKEN_OVER = "another bracket takes its place"
"""Why an own order is cancelled when its position is given other legs."""


def ask_cancel(turn: Turn, order: VenueOrder, why: str, n: int = 0) -> None:
    """Have an order of the venue cancelled; a later want, or another reason, begins anew where one was refused."""
    if not order.may_work:
        return
    cancel = order.cancel
    # While its owner is to be cancelled by name, that is what is refused or not.
    is_other = cancel is not None and cancel.why != why and not turn.orders[order.order_id].wants_cancel
    if cancel is None or (cancel.is_refused and (is_other or n > cancel.n)):
        turn.put(order._replace(cancel=Cancel(why, n, turn.at)))
    elif n > cancel.n:
        turn.put(order._replace(cancel=cancel._replace(why=why, n=n)))


def answer_refused(turn: Turn, order: TableOrder) -> None:
    """Answer a cancel once NinjaTrader has refused it for all that works; the order works on."""
    left = [it for it in turn.venue_orders_of(order) if it.may_work]
    if order.is_foreign:
        # It has one of the ids that it may have: those that are seen count.
        left = [it for it in left if it.state]
    if left and all(it.cancel and it.cancel.is_refused for it in left):
        turn.put(turn.orders[order.order_id]._replace(given_up=order.n, acked=order.n, why="the cancel was refused"))


def follow_cancel(turn: Turn, order: VenueOrder) -> None:
    """Write the cancel of an order when it is due."""
    cancel = order.cancel
    if cancel is None or cancel.is_refused or order.is_over or not turn.may_write or _is_held(turn, order):
        return
    owner = turn.orders[order.order_id]
    if owner.leg and order.place is None and order.state is None and cancel.writes and owner.acked >= owner.n:
        # A leg of another journal may have dozens of ids; one that is seen has answered.
        return
    if order.is_live or order.place is None:
        _follow_live(turn, order, cancel)
    elif not (cancel.is_early or order.is_unwritten) and turn.at - cancel.since >= HELD:
        _write(turn, order, cancel._replace(is_early=True))


def _is_held(turn: Turn, order: VenueOrder) -> bool:
    """Return whether a file of the cancel is on its way, or the last one could not be written just now."""
    instruction = order.cancel.instruction if order.cancel else None
    return (instruction is not None and instruction.is_under_way) or order.is_held(turn.at)


def _follow_live(turn: Turn, order: VenueOrder, cancel: Cancel) -> None:
    is_due = cancel.first_at is not None and turn.at - cancel.first_at >= _REFUSED
    # What NinjaTrader says nothing of is unresolved: nobody knows whether it works.
    is_judged = is_due and not order.unseen_since
    if cancel.first_at is None:
        _write(turn, order, cancel._replace(first_at=turn.at, writes=1))
    elif order.state in BEING_CANCELLED:
        if is_judged:
            why = f"{order.venue_id} is {order.state} for more than a minute, and has not ended"
            turn.alarm_once(order.order_id, "cancel_refused", why, of=f"{order.venue_id} {cancel.n} on its way")
    elif cancel.writes < len(REPEATED):
        if turn.at - cancel.first_at >= REPEATED[cancel.writes]:
            _write(turn, order, cancel._replace(writes=cancel.writes + 1))
    elif is_judged:
        turn.put(order._replace(cancel=cancel._replace(is_refused=True)))
        if order.state is None and any(it.state for it in turn.venue_orders_of(turn.orders[order.order_id])):
            # One of the ids that an order of another journal might have had, which is seen under another.
            return
        left = ", and works on" if order.state else f": {order.log or 'NinjaTrader says nothing of it'}"
        why = f"{order.venue_id} was cancelled four times{left}"
        turn.alarm_once(order.order_id, "cancel_refused", why, of=f"{order.venue_id} {cancel.n} {cancel.why}")


def _write(turn: Turn, order: VenueOrder, cancel: Cancel) -> None:
    files = order.files + 1
    instruction = turn.write(oif.file_name(order.venue_id, "cancel", files), oif.cancel(order.venue_id))
    turn.put(order._replace(cancel=cancel._replace(instruction=instruction), files=files))
