"""Closes a part of a position: own legs shrink to the rest first, then one opposite MARKET order closes the part.

So what works never closes more than is open, and a stop that fills meanwhile leaves no opposite position.
"""

from datetime import timedelta
from decimal import ROUND_CEILING
from typing import NamedTuple

from bridge.brackets import Part, parts_of
from bridge.closing import begin_close
from bridge.making import CLOSING_ACTION, make_order, outcome
from bridge.pairs import block, is_older, pair
from bridge.positions import SETTLES_WITHIN, held, known_position, pairs_to_close, unsettled_since
from bridge.records import Share, TableInstruction, TableOrder
from bridge.state import Position, Turn
from orderhook.bridge_messages import ANOTHER_JOURNALS
from orderhook.instructions import Instruction, Result

LEGS_SHRINK_WITHIN = timedelta(seconds=5)
"""How long own legs may take to shrink; then the part is closed all the same."""

POSITION_UNKNOWN = "position_unknown: NinjaTrader has not told the position since its start"
UNSETTLED = "the position is not settled: a market order or a fill is under way"


def close_in_part(turn: Turn, instruction: TableInstruction) -> None:
    """Take the next step of closing what an instruction says of the position that it means."""
    if instruction.closes:
        close = turn.closes[instruction.closes[0]]
        if close.result is not None:
            turn.put(instruction._replace(result=close.result, reason=close.reason))
    elif instruction.order_ids:
        follow_part(turn, instruction)
    elif (position := position_of(turn, instruction)) is not None:
        close_part(turn, instruction, position, how_many(instruction.asked, position.quantity))
    elif turn.instructions[instruction.instruction_id].result == "unresolved":
        _tell_of_other_journal(turn, instruction)


def _tell_of_other_journal(turn: Turn, instruction: TableInstruction) -> None:
    """Tell a person of positions whose legs another journal may have made smaller, and not larger again."""
    known = [known_position(turn, *it) for it in pairs_to_close(turn, instruction)]
    held = [
        f"{it.instrument}, {it.account}: {it.side} {it.quantity or ''}".strip() for it in known if it.side != "FLAT"
    ]
    if held:
        why = "another journal may have made its stops smaller to close a part: look whether they close all of it"
        turn.alarm_of(instruction.instruction_id, "unprotected", f"{'; '.join(held)}: {why}")


def how_many(asked: Instruction, quantity: int) -> int:
    """Return how much of a position of this quantity is to be closed; a percentage is rounded up."""
    if asked.percent is not None:
        return int((asked.percent * quantity).to_integral_value(ROUND_CEILING))
    return min(asked.qty or quantity, quantity)


def position_of(turn: Turn, instruction: TableInstruction) -> Position | None:
    """Return the one position that is meant; of a continuous contract the month that is held."""
    pairs = pairs_to_close(turn, instruction)
    known = [known_position(turn, *it) for it in pairs]
    if instruction.asked.root is not None:
        known = held(turn, known)
    if len(known) == 1:
        return settled(turn, instruction, known[0])
    months = ", ".join(sorted(it.instrument for it in known))
    end(turn, instruction, *(("blocked", f"several months are held: {months}") if known else ("no_position", None)))
    return None


def settled(turn: Turn, instruction: TableInstruction, position: Position) -> Position | None:
    """Return a position once its number is certain; None while it is not, or where the instruction ends with that.

    What a journal that is younger than the alert might do twice is done by none.
    """
    moved_at = unsettled_since(turn, position.account, position.instrument)
    if is_older(turn, instruction.received_at):
        end(turn, instruction, "unresolved", f"{ANOTHER_JOURNALS}: look in NinjaTrader what was closed")
    elif position.side == "UNKNOWN":
        end(turn, instruction, "blocked", POSITION_UNKNOWN)
    elif moved_at is not None and turn.at - moved_at >= SETTLES_WITHIN:
        end(turn, instruction, "blocked", UNSETTLED)
    elif moved_at is None and position.side == "FLAT":
        # Where something was to be closed already, its own legs have done it.
        end(turn, instruction, "done" if instruction.prepared_at else "no_position")
    elif moved_at is None:
        return position
    return None


def close_part(turn: Turn, instruction: TableInstruction, position: Position, qty: int) -> None:
    """Close so much of a position, by the full close if that is all of it."""
    if qty >= position.quantity and not _fills_beyond(turn, instruction, position):
        _share_out(turn, instruction, ())
        close = begin_close(
            turn, instruction.instruction_id, position.account, position.instrument, instruction.received_at
        )
        turn.put(turn.instructions[instruction.instruction_id]._replace(closes=(close.name,)))
        return
    if others := _works_of_other_journal(turn, position):
        _refuse_beside(turn, instruction, position, others)
        return
    shrink_and_close(turn, instruction, position, qty)


def shrink_and_close(turn: Turn, instruction: TableInstruction, position: Position, qty: int) -> None:
    """Have legs shrink to what is left of a position, and then close so much of it by an order of its own."""
    shares = _shares(turn, instruction, position, qty)
    instruction = _share_out(turn, instruction, shares)
    prepared_at = instruction.prepared_at or turn.at
    if instruction.prepared_at is None:
        instruction = instruction._replace(prepared_at=prepared_at, side=position.side)
        turn.put(instruction)
    if not _have_shrunk(turn, shares) and turn.at - prepared_at < LEGS_SHRINK_WITHIN:
        return
    order = make_order(
        turn,
        instruction.instruction_id,
        1,
        account=position.account,
        instrument=position.instrument,
        action=CLOSING_ACTION[position.side],
        qty=qty,
        strategy_id=instruction.asked.strategy_id,
        opens=False,
    )
    turn.put(instruction._replace(order_ids=(order.order_id,), side=position.side))


def _fills_beyond(turn: Turn, instruction: TableInstruction, position: Position) -> bool:
    """Return whether an entry that is filled in part fills on beyond what is to be closed: the full close takes all."""
    name, closing = pair(turn.at, position.account, position.instrument), CLOSING_ACTION[position.side]
    rest = sum(
        it.qty - it.filled
        for entry in turn.active()
        if entry.leg is None and entry.action != closing
        if pair(turn.at, entry.account, entry.instrument) == name
        for it in turn.venue_orders_of(entry)
        if it.filled and it.is_live and not it.awaits_cancel
    )
    return rest > 0 and instruction.asked.qty is not None and instruction.asked.qty < position.quantity + rest


def follow_part(turn: Turn, instruction: TableInstruction) -> None:
    """Wait for the end of the order that closes a part, and for the position after it."""
    order = turn.orders[instruction.order_ids[0]]
    became = outcome(turn, order)
    if became is None:
        return
    if became.result == "done":
        moved_at = unsettled_since(turn, order.account, order.instrument)
        if moved_at is not None and turn.at - moved_at < SETTLES_WITHIN:
            return
        position = known_position(turn, order.account, order.instrument)
        if {position.side, instruction.side} == {"LONG", "SHORT"}:
            why = f"the position was {instruction.side} and is {position.side} {position.quantity} after its closing"
            turn.alarm_of(instruction.instruction_id, "flipped", f"{order.instrument}, {order.account}: {why}")
            block(turn, order.account, order.instrument, why)
            end(turn, turn.instructions[instruction.instruction_id], "failed", why)
            return
    elif became.result != "unresolved":
        instruction = give_back(turn, instruction, order.qty - became.filled)
    elif open_without := min(order.qty - became.filled, sum(it.qty for it in instruction.shares)):
        why = f"own stops close {open_without} less, and nobody knows whether {order.order_id} has closed it"
        turn.alarm_of(instruction.instruction_id, "unprotected", f"{order.instrument}, {order.account}: {why}")
        instruction = turn.instructions[instruction.instruction_id]
    end(turn, instruction, became.result, became.reason)


def take_back(turn: Turn, instruction: TableInstruction) -> None:
    """Have legs close again what the order of an instruction that ended before has not closed, once that is known."""
    if instruction.result is None or instruction.prepared_at is None or not instruction.shares:
        return
    order = turn.orders.get(instruction.order_ids[0]) if instruction.order_ids else None
    became = outcome(turn, order) if order else None
    if order and became and became.result != "unresolved":
        instruction = give_back(turn, instruction, order.qty - became.filled)
        turn.put(instruction._replace(prepared_at=None))


def end(turn: Turn, instruction: TableInstruction, result: Result, reason: str | None = None) -> None:
    """End an instruction; legs take back what nothing else closes."""
    if not instruction.order_ids:
        instruction = _share_out(turn, instruction, ())
    turn.put(instruction._replace(result=result, reason=reason))


# What own legs leave to the order


class _Key(NamedTuple):
    order_id: str
    start: int
    number: str


def _key(part: Part) -> _Key:
    return _Key(part.entry.order_id, part.increment.start, part.number)


def _shares(turn: Turn, instruction: TableInstruction, position: Position, qty: int) -> tuple[Share, ...]:
    """Return what legs are to leave, those of the oldest fills first: all of them together close the rest at most."""
    name = pair(turn.at, position.account, position.instrument)
    given = {_Key(it.order_id, it.start, it.number): it.qty for it in instruction.shares}
    parts = [
        part
        for entry in turn.active_entries()
        if entry.action != CLOSING_ACTION[position.side] and not (entry.is_foreign or entry.closing)
        if pair(turn.at, entry.account, entry.instrument) == name
        for part in parts_of(turn, entry)
    ]
    rests = [(_key(it), it.rest + given.get(_key(it), 0)) for it in sorted(parts, key=lambda it: it.increment.at)]
    over = sum(max(rest, 0) for _, rest in rests) - (position.quantity - qty)
    shares: list[Share] = []
    for key, rest in rests:
        if (taken := min(rest, over)) > 0:
            shares.append(Share(*key, taken))
            over -= taken
    return tuple(shares)


def _works_of_other_journal(turn: Turn, position: Position) -> list[str]:
    """Return the legs of a position that work, or may, and cannot be made smaller: nobody here knows their values."""
    name, action = pair(turn.at, position.account, position.instrument), CLOSING_ACTION[position.side]
    legs = [it for it in turn.active() if it.is_foreign and it.leg and it.action == action]
    return [leg.order_id for leg in legs if pair(turn.at, leg.account, leg.instrument) == name and _works(turn, leg)]


def _refuse_beside(turn: Turn, instruction: TableInstruction, position: Position, others: list[str]) -> None:
    why = f"another journal's {', '.join(others)} would close more than is left; CANCELANDBRACKET replaces them"
    turn.alarm_of(instruction.instruction_id, "blocked", f"{position.instrument}, {position.account}: {why}")
    end(turn, turn.instructions[instruction.instruction_id], "blocked", why)


def _works(turn: Turn, leg: TableOrder) -> bool:
    seen = [it for it in turn.venue_orders_of(leg) if it.state]
    return any(it.is_live for it in seen) or (leg.is_released and not seen)


def _share_out(turn: Turn, instruction: TableInstruction, shares: tuple[Share, ...]) -> TableInstruction:
    """Have legs leave these shares, and no others, to what is done for an instruction."""
    if shares == instruction.shares:
        return instruction
    for sign, these in ((-1, instruction.shares), (1, shares)):
        for share in these:
            _leave(turn, share, sign * share.qty)
    instruction = turn.instructions[instruction.instruction_id]._replace(shares=shares)
    turn.put(instruction)
    return instruction


def _leave(turn: Turn, share: Share, qty: int) -> None:
    entry = turn.orders.get(share.order_id)
    if entry is None:
        return
    increments = [
        it._replace(closed={**it.closed, share.number: it.closed.get(share.number, 0) + qty})
        if it.start == share.start
        else it
        for it in entry.increments
    ]
    turn.put(entry._replace(increments=tuple(increments)))
    if qty < 0:
        # The table may have finished legs that had nothing left to close.
        for leg in turn.legs_of(entry):
            turn.put(leg._replace(is_closed=False))


def give_back(turn: Turn, instruction: TableInstruction, qty: int) -> TableInstruction:
    """Have legs close again what the order has not closed, those of the newest fills first."""
    kept: list[Share] = []
    for share in reversed(instruction.shares):
        back = min(share.qty, qty)
        qty -= back
        if back < share.qty:
            kept.insert(0, share._replace(qty=share.qty - back))
    return _share_out(turn, instruction, tuple(kept))._replace(prepared_at=None)


def _have_shrunk(turn: Turn, shares: tuple[Share, ...]) -> bool:
    """Return whether no leg of these parts may close more any more than is left to it."""
    keys = {_Key(it.order_id, it.start, it.number) for it in shares}
    entries = {it.order_id: turn.orders[it.order_id] for it in shares if it.order_id in turn.orders}
    parts = [part for entry in entries.values() for part in parts_of(turn, entry) if _key(part) in keys]
    return all(
        it.has_known_values and it.qty - it.filled <= max(part.rest, 0)
        for part in parts
        for it in part.all
        if it.may_work
    )
