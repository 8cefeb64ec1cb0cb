"""Files that NinjaTrader does not take, and orders that it says nothing of: what follows as time passes."""

from datetime import timedelta

from bridge.events import MoveOut
from bridge.reading import why_unread
from bridge.records import InstructionFile, TableOrder, VenueOrder, filled
from bridge.state import Turn
from orderhook.bridge_messages import ANOTHER_JOURNALS
from orderhook.orders import OrderState

_TAKEN = timedelta(seconds=2)
"""How long a file may lie in `incoming`: one that is left there would be carried out hours later."""

_SEEN = timedelta(seconds=60)
"""Until when an order must have had a state."""

_COMES_BACK = timedelta(seconds=60)
"""Until when the state of an order must be written again after NinjaTrader's start, while it is connected."""

_ASKED_AGAIN = timedelta(seconds=5)


def follow_files(turn: Turn, order: VenueOrder) -> None:
    """Have files moved out that NinjaTrader does not take, and reject what it has not read."""
    for instruction in (
        order.place,
        order.change and order.change.instruction,
        order.cancel and order.cancel.instruction,
    ):
        if instruction is not None:
            follow_file(turn, instruction)
    place = order.place
    if place is not None and place.stage == "unread" and order.state is None and turn.at - place.at >= _SEEN:
        over = order._replace(state=OrderState.REJECTED, since=turn.at, log=why_unread(order), is_presumed_over=True)
        turn.put(over)


def follow_file(turn: Turn, instruction: InstructionFile, *, is_kept: bool = True) -> None:
    """Have a file moved out of `incoming` that is there too long, or perhaps since before a crash."""
    is_stuck = instruction.stage == "written" and turn.at - instruction.at >= _TAKEN
    if not (is_stuck or instruction.stage == "ambiguous"):
        return
    asked = turn.now.moving.get(instruction.name)
    # Whether the file of an ambiguous one is there is asked once: that it is not proves nothing.
    if asked is None or (is_stuck and turn.at - asked >= _ASKED_AGAIN):
        turn.set(moving={**turn.now.moving, instruction.name: turn.at})
        turn.ask(MoveOut(instruction.name, is_kept))


def forget_states(turn: Turn) -> None:
    """Record that NinjaTrader has started and emptied its folder: nothing says any more what its orders are.

    Nor does what it says of them from now on answer a CHANGE that was taken before: that is written again.
    """
    for table_order in turn.active():
        for order in turn.venue_orders_of(table_order):
            if order.is_live:
                change = order.change if order.change and order.change.instruction.is_under_way else None
                in_doubt = order.in_doubt or order.change is not change
                order = order._replace(change=change, done=None, in_doubt=in_doubt)
                turn.put(order._replace(unseen_since=turn.at, is_lost=False))


def follow_state(turn: Turn, order: VenueOrder) -> None:
    """Name an order whose state has gone with a start of NinjaTrader's and is not written again."""
    gone, connected = order.unseen_since, turn.now.connected_at
    if gone is None or order.is_lost or not order.is_live or connected is None or not turn.now.connected:
        return
    if turn.at - max(gone, connected) >= _COMES_BACK:
        turn.put(order._replace(is_lost=True))
        why = f"{_lost(order)}: look whether it works, was filled, or is gone"
        turn.alarm_once(order.order_id, "unresolved", why, of=f"{order.venue_id} {gone}")


def _lost(order: VenueOrder) -> str:
    return f"NinjaTrader was started, and says nothing of {order.venue_id} since"


def _is_part_of_leg(leg: TableOrder, known: list[VenueOrder]) -> bool:
    """Return whether all that is seen of a leg has filled, and was not all of it."""
    is_filled = all(it.state is OrderState.FILLED for it in known if it.state)
    return leg.leg is not None and is_filled and filled(known) < leg.qty


def unresolved_of(turn: Turn, order: TableOrder) -> str | None:
    """Return why nobody knows what has become of an order; None where it is known, or may still be."""
    known = turn.venue_orders_of(order)
    if lost := next((it for it in known if it.is_lost and it.is_live), None):
        return _lost(lost)
    if order.is_foreign:
        waits = order.leg is not None and not order.is_released
        if waits or (any(it.state for it in known) and not _is_part_of_leg(order, known)):
            return None
        return f"{ANOTHER_JOURNALS}: look in NinjaTrader whether it is there"
    for it in known:
        place = it.place if it.state is None else None
        is_out = place is not None and place.stage in ("written", "consumed", "ambiguous")
        if place is not None and is_out and turn.at - place.at >= _SEEN:
            return it.log or f"NinjaTrader has said nothing of {it.venue_id} within 60 s"
    return None
