"""What NinjaTrader's files say is recorded: states of orders, files that were taken, the log."""

from datetime import datetime, timedelta
from decimal import Decimal

from bridge import oif
from bridge.cancelling import TAKEN_OVER
from bridge.changing import answered, proves_change, said_to_work, take_error
from bridge.events import LogLine, OrderStateRead
from bridge.log_lines import words_of
from bridge.records import PRICE_DIGITS, Cancel, Fill, Increment, InstructionFile, Stage, TableOrder, VenueOrder, filled
from bridge.state import Turn
from orderhook.orders import TERMINAL, OrderState
from orderhook.trade import kind_of

_STATES = {str(state).upper(): state for state in OrderState} | {
    "PARTIALLYFILLED": OrderState.PART_FILLED,
    "CANCELED": OrderState.CANCELLED,
}

_THEN = "; then "

_NOT_READ = "not_read: NinjaTrader has not taken its file"


def read_state(turn: Turn, read: OrderStateRead) -> None:
    """Record an order's state file; fills only grow, and an end stays."""
    order = turn.venue_orders.get(read.venue_id)
    if order is None:
        turn.set(unclaimed={**turn.now.unclaimed, read.venue_id: read})
        return
    state = _state_of(read)
    was_presumed_over = order.is_presumed_over and read.written_since_start
    if was_presumed_over:
        order = order._replace(is_presumed_over=False)
    elif order.is_over and state is not OrderState.FILLED:
        state = order.state or state
    if state is not order.state:
        order = order._replace(state=state, since=turn.at)
    if read.written_since_start:
        order = order._replace(unseen_since=None, is_lost=False)
    if order.place is not None and order.place.stage != "consumed":
        # Its state proves that NinjaTrader had the file.
        order = order._replace(place=order.place._replace(stage="consumed", at=turn.at))
    if order.change is not None and read.written_since_start:
        order = answered(order, order.change, read, turn.at)
    turn.put(order)
    if read.filled > order.filled:
        known = turn.orders[order.order_id]
        _fill(turn, order, read)
        if was_presumed_over and (known.leg or known.increments != turn.orders[order.order_id].increments):
            _tell_late_fill(turn, order, read.filled)
    _reopen(turn, order.order_id)


def _state_of(read: OrderStateRead) -> OrderState:
    return _STATES.get(read.state.upper(), OrderState.UNKNOWN)


def forget_unclaimed(turn: Turn) -> None:
    """Forget what was read of orders that nobody knows yet, unless it is their end: it may be so no more."""
    ended = {name: read for name, read in turn.now.unclaimed.items() if _state_of(read) in TERMINAL}
    turn.set(unclaimed=ended)


def _fill(turn: Turn, order: VenueOrder, read: OrderStateRead) -> None:
    fill = Fill(read.filled, read.filled - order.filled, _price(order, read), turn.at)
    average = read.average if read.average is not None else order.average
    order = order._replace(filled=read.filled, average=average, fills=(*order.fills, fill))
    owner = turn.orders[order.order_id]
    if proves_change(order, fill.price):
        order = order.changed
    turn.put(order)
    if owner.leg is None:
        total = filled(turn.venue_orders_of(owner))
        # What a person has said was filled counts already.
        start = sum(it.quantity for it in owner.increments)
        if total > start:
            increment = Increment(start, total - start, fill.price, turn.at)
            turn.put(owner._replace(increments=(*owner.increments, increment)))
        if total > owner.qty:
            turn.alarm_once(owner.order_id, "overfill", f"{total} of {owner.qty} are filled", of=total)
        if order.venue_id != owner.venue_ids[-1] and not owner.is_foreign:
            _tell_late_fill(turn, order, fill.cumulative)
        if owner.is_foreign and owner.legs:
            turn.alarm_once(owner.order_id, "unprotected", "its legs are another journal's; look at its stop", of=start)
    elif _closes_nothing(turn, owner, order):
        why = f"{order.venue_id} was filled though its position was gone: look whether it has opened one"
        turn.alarm_once(owner.order_id, "overfill", why, of=f"{order.venue_id} {fill.cumulative}")


def _tell_late_fill(turn: Turn, order: VenueOrder, cumulative: int) -> None:
    why = f"{order.venue_id} was filled after its end"
    turn.alarm_once(order.order_id, "late_fill", why, of=f"{order.venue_id} {cumulative}")


def _closes_nothing(turn: Turn, leg: TableOrder, order: VenueOrder) -> bool:
    """Return whether an order of a leg was placed for a part of its entry whose position is gone."""
    entry = turn.orders.get(leg.entry_id or "")
    is_taken_over = order.cancel is not None and order.cancel.why == TAKEN_OVER
    return (
        entry is not None and not is_taken_over and order.start in [it.start for it in entry.increments[: entry.over]]
    )


def _price(order: VenueOrder, read: OrderStateRead) -> Decimal | None:
    """Return what was paid for what was filled since the last reading, by the averages before and after."""
    if read.average is None or not order.filled:
        return read.average
    if order.average is None:
        return None
    price = (read.average * read.filled - order.average * order.filled) / (read.filled - order.filled)
    return price.quantize(PRICE_DIGITS).normalize() if price else price


def _reopen(turn: Turn, order_id: str) -> None:
    """Have an order and its legs be looked after again: something is said of it after its end."""
    order = turn.orders[order_id]
    if order.is_closed:
        turn.put(order._replace(is_closed=False))
        for leg in turn.legs_of(order):
            turn.put(leg._replace(is_closed=False))


def read_log(turn: Turn, line: LogLine) -> None:
    """Record a line of the log: it gives reasons, and may refuse a CHANGE that was just written."""
    order = turn.venue_orders.get(line.venue_id or "")
    if order is None:
        return
    if line.is_error:
        order = order._replace(log=_reason(order, words_of(line.text)))
    place = order.place
    if place is not None and place.stage != "consumed" and "PLACE;" in line.text:
        # NinjaTrader has read the file, whatever has become of that.
        order = order._replace(place=place._replace(stage="consumed", at=turn.at))
    if order.change is not None and not line.is_error and "WORKING" in line.text.upper():
        order = said_to_work(order, order.change, turn.at)
    turn.put(order)
    if line.is_error:
        take_error(turn, order, line.text)


def _reason(order: VenueOrder, said: str) -> str:
    """Return what is kept of the log: while an order has no state, what became of its PLACE stays and comes first."""
    if order.log is None or order.state is not None:
        return said
    first = order.log.partition(_THEN)[0]
    if said.startswith("PLACE:") and not first.startswith("PLACE:"):
        first, said = said, first
    return first if said == first else f"{first}{_THEN}{said}"


def why_unread(order: VenueOrder) -> str:
    """Return the reason of an order whose PLACE was not taken: what the log says of its CANCEL follows from that."""
    if order.log is None:
        return _NOT_READ
    return f"{_NOT_READ}{_THEN}{order.log}" if order.log.startswith("CANCEL:") else order.log


# Files


def file_is(turn: Turn, name: str, stage: Stage, reason: str = "") -> None:
    """Record how far a file of ours has come."""
    if turn.now.probe is not None and turn.now.probe.name == name:
        turn.set(probe=turn.now.probe._replace(stage=stage, at=turn.at))
        if stage in ("unread", "unwritten"):
            turn.set(reads=False)
    if stage in ("written", "unread") and name in turn.now.moving:
        # It is out; and what was moved out before was another file of this name.
        turn.set(moving={other: at for other, at in turn.now.moving.items() if other != name})
    known = oif.read_file_name(name)
    if known and known[1] == "close":
        _close_is(turn, name, stage)
        return
    if known and known[1] == "strategy":
        _file_of_instruction_is(turn, name, stage)
        return
    order = turn.venue_orders.get(known[0]) if known else None
    if stage == "consumed" and _was_written(order, name):
        turn.set(reads=turn.now.runs is not False)
    if order is None or known is None:
        return
    match known[1]:
        case "place":
            _place_is(turn, order, stage)
        case "change":
            _change_is(turn, order, name, stage)
        case "cancel":
            _cancel_is(turn, order, name, stage)
    if stage == "unwritten":
        turn.put(turn.venue_orders[order.venue_id]._replace(held_until=turn.at + timedelta(seconds=1)))
        turn.alarm_once(order.order_id, "not_written", f"{name} could not be written: {reason}", of=known)
    elif stage == "written":
        turn.calm(order.order_id, "not_written", of=known)
    if stage == "unread":
        turn.set(reads=False)
        order = turn.venue_orders[order.venue_id]
        then = ", and is written again" if order.is_unwritten else ""
        if order.closes and known[1] == "place":
            # It is no stop any more: a second one, should NinjaTrader have had the first, would open a position.
            then = ", and is not written again: close the part by hand"
        why = f"NinjaTrader has not taken {name}; it was moved out{then}"
        turn.alarm_once(order.order_id, "not_read", why, of=f"{name} {turn.at}")


def _close_is(turn: Turn, name: str, stage: Stage) -> None:
    close = next((it for it in turn.closes.values() if it.file is not None and it.file.name == name), None)
    if close is None or close.file is None:
        return
    if stage == "consumed" and close.file.stage == "written":
        turn.set(reads=turn.now.runs is not False)
    if stage == "unread":
        turn.set(reads=False)
    turn.put(close._replace(file=close.file._replace(stage=stage, at=turn.at)))


def _file_of_instruction_is(turn: Turn, name: str, stage: Stage) -> None:
    owner = next((it for it in turn.instructions.values() if name in [file.name for file in it.files]), None)
    if owner is None:
        return
    if stage == "consumed" and any(it.name == name and it.stage == "written" for it in owner.files):
        turn.set(reads=turn.now.runs is not False)
    if stage == "unread":
        turn.set(reads=False)
    files = tuple(it._replace(stage=stage, at=turn.at) if it.name == name else it for it in owner.files)
    turn.put(owner._replace(files=files))


def _was_written(order: VenueOrder | None, name: str) -> bool:
    """Return whether it is certain that a file was there before it was gone."""
    if order is None:
        return False
    instructions = (order.place, order.change and order.change.instruction, order.cancel and order.cancel.instruction)
    return any(it and it.name == name and it.stage == "written" for it in instructions)


def _place_is(turn: Turn, order: VenueOrder, stage: Stage) -> None:
    place = order.place
    if place is None or not _follows(place, stage):
        return
    leg = turn.orders[order.order_id].leg
    if stage == "unread" and leg is not None and order.order_type != "MARKET" and order.state is None:
        # A leg does not wait for what NinjaTrader may still say of a file that lay there untouched.
        # A MARKET order does wait: a second one would open another position.
        if place.stage == "ambiguous" and kind_of(leg) == "STOP":
            why = f"the bridge ended while it wrote the stop {order.venue_id}"
            turn.alarm_once(order.order_id, "unprotected", why, of=order.venue_id)
        stage = "unwritten"
    turn.put(order._replace(place=place._replace(stage=stage, at=turn.at)))


def _follows(place: InstructionFile, after: Stage) -> bool:
    """Return whether a PLACE's file may go from one stage to another.

    That the file of an ambiguous one is gone proves nothing: perhaps it never was there.
    """
    return after == "unread" if place.stage == "ambiguous" else place.is_under_way


def _change_is(turn: Turn, order: VenueOrder, name: str, stage: Stage) -> None:
    change = order.change
    if change is None or change.instruction.name != name:
        return
    if stage in ("unread", "unwritten"):
        turn.put(order._replace(change=None))
    else:
        instruction = _moved(change.instruction, stage, turn.at)
        turn.put(order._replace(change=change._replace(instruction=instruction)))


def _cancel_is(turn: Turn, order: VenueOrder, name: str, stage: Stage) -> None:
    cancel = order.cancel
    if cancel is None or cancel.instruction is None or cancel.instruction.name != name:
        return
    if stage in ("unread", "unwritten"):
        turn.put(order._replace(cancel=_unwritten(cancel)))
    else:
        turn.put(order._replace(cancel=cancel._replace(instruction=_moved(cancel.instruction, stage, turn.at))))


def _unwritten(cancel: Cancel) -> Cancel:
    """Return a cancel as it was before its last file, which NinjaTrader has not read."""
    writes = max(0, cancel.writes - 1)
    first_at = cancel.first_at if writes else None
    return cancel._replace(instruction=None, writes=writes, first_at=first_at, is_early=False)


def _moved(instruction: InstructionFile, stage: Stage, at: datetime) -> InstructionFile:
    return instruction._replace(stage=stage, at=at)
