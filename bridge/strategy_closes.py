"""Closes what a strategy has open: its orders end, then one opposite MARKET order closes its net filled quantity.

A pair has one position, whoever has opened it: so of that at most, and only what its own orders have filled since the
pair was last flat, or in trades whose own legs work. Other strategies' orders are not touched, but for what a bracket
of the position would close too much. Whether it can be closed is decided before its own stops are cancelled.
"""

from datetime import datetime
from math import inf

from bridge import oif
from bridge.atm_closes import close_atm
from bridge.brackets import parts_of
from bridge.cancelling import ask_cancel
from bridge.carrying_out import end as end_order
from bridge.carrying_out import is_being_replaced
from bridge.closing import ORDERS_END_WITHIN, signed
from bridge.making import outcome
from bridge.pairs import CLOSED, is_older, pair
from bridge.partial_closes import POSITION_UNKNOWN, end, give_back, settled, shrink_and_close
from bridge.positions import flat_since, known_position, unsettled_since
from bridge.records import TableInstruction, TableOrder
from bridge.state import Position, Turn
from orderhook.bridge_messages import ANOTHER_JOURNALS
from orderhook.instructions import Result
from orderhook.orders import OrderState


def close_strategy(turn: Turn, instruction: TableInstruction) -> None:
    """Take the next step of closing the strategy that an instruction names."""
    if instruction.order_ids:
        order = turn.orders[instruction.order_ids[0]]
        became = outcome(turn, order)
        if became is not None:
            if became.result not in ("done", "unresolved"):
                instruction = give_back(turn, instruction, order.qty - became.filled)
            end(turn, instruction, became.result, became.reason)
            release(turn, instruction.instruction_id)
        return
    if instruction.decided_at is None and not _decide(turn, instruction):
        return
    instruction = turn.instructions[instruction.instruction_id]
    is_left = _end_orders(turn, instruction)
    if is_left and turn.at - (instruction.decided_at or turn.at) < ORDERS_END_WITHIN:
        return
    strategy_ids = _atm_strategies(turn, instruction)
    if not strategy_ids or close_atm(turn, instruction, strategy_ids):
        _close(turn, turn.instructions[instruction.instruction_id])
    if turn.instructions[instruction.instruction_id].result is not None:
        release(turn, instruction.instruction_id)


def _decide(turn: Turn, instruction: TableInstruction) -> bool:
    """Return whether the strategy is to be closed, before any of its orders is touched; a person is told if not."""
    position = known_position(turn, str(instruction.asked.account), str(instruction.asked.instrument))
    living = tuple(it.order_id for it in _orders_of(turn, instruction) if it.leg is None and _left_of(turn, it) > 0)
    # NinjaTrader's own command needs no number, and what is flat has nothing to lose.
    needs_number = living or not _atm_strategies(turn, instruction)
    is_flat = position.side == "FLAT" and not _is_moving(turn, position)
    is_other = is_older(turn, instruction.received_at)
    if (is_other or (needs_number and not is_flat)) and settled(turn, instruction, position) is None:
        _tell_refused(turn, instruction.instruction_id)
        return False
    instruction = turn.instructions[instruction.instruction_id]._replace(living=living)
    if position.quantity and _has_foreign_legs(turn, instruction):
        end(turn, instruction, "unresolved", f"{ANOTHER_JOURNALS}: look in NinjaTrader what it has open")
        _tell_refused(turn, instruction.instruction_id)
        return False
    if (why := _why_netted(turn, instruction, position)) is not None:
        end(turn, instruction, "blocked", why)
        _tell_refused(turn, instruction.instruction_id)
        return False
    turn.put(instruction._replace(decided_at=turn.at))
    return True


def _is_moving(turn: Turn, position: Position) -> bool:
    return unsettled_since(turn, position.account, position.instrument) is not None


def _tell_refused(turn: Turn, instruction_id: str) -> None:
    instruction = turn.instructions[instruction_id]
    if instruction.result in ("blocked", "unresolved"):
        what = f"{instruction.asked.strategy_id} is not closed: {instruction.reason}; its targets and stops stay"
        turn.alarm_of(instruction_id, "close_failed", what)


def _has_foreign_legs(turn: Turn, instruction: TableInstruction) -> bool:
    """Return whether legs of a trade work of whose fills another journal knows."""
    legs = [it for it in _orders_of(turn, instruction) if it.leg is not None and it.is_foreign]
    return any(it.is_live for leg in legs for it in turn.venue_orders_of(leg))


def _left_of(turn: Turn, entry: TableOrder) -> int:
    """Return what the legs of a trade that work would close."""
    return sum(it.rest for it in parts_of(turn, entry) if it.rest > 0 and any(leg.is_live for leg in it.all))


def _why_netted(turn: Turn, instruction: TableInstruction, position: Position) -> str | None:
    """Return why a trade cannot be closed whose contracts another strategy's on the other side have used up."""
    net = _net(turn, instruction)
    if net == 0 or not instruction.living or signed(position) * net > 0:
        return None
    name = pair(turn.at, position.account, position.instrument)
    own = "BUY" if net > 0 else "SELL"
    if not any(
        entry.action != own
        and entry.order_id not in instruction.living
        and pair(turn.at, entry.account, entry.instrument) == name
        and _left_of(turn, entry) > 0
        for entry in turn.active_entries()
    ):
        return None
    held = f"{position.side} {position.quantity}" if position.quantity else position.side
    return f"it has {own} {abs(net)} open, and trades of the other side have used that up: the position is {held}"


def _close(turn: Turn, instruction: TableInstruction) -> None:
    """Close what is left of the strategy's own, and have what else protects the position shrink to the rest."""
    position = known_position(turn, str(instruction.asked.account), str(instruction.asked.instrument))
    if position.side == "UNKNOWN":
        end(turn, instruction, "blocked", POSITION_UNKNOWN)
        return
    if _is_moving(turn, position):
        return  # its stops have ended: what is open is closed as soon as that is known
    net = _net(turn, instruction)
    if signed(position) * net <= 0:
        if (why := _why_netted(turn, instruction, position)) is not None:
            end(turn, instruction, "failed", why)
            return
        what = f"the position is {position.side} {position.quantity}, and none of it is the strategy's"
        result: Result = "done" if instruction.files or instruction.prepared_at else "no_position"
        end(turn, instruction, result, what if position.quantity and result == "no_position" else None)
        return
    if not instruction.prepared_at:
        instruction = instruction._replace(held=net)
        turn.put(instruction)
    shrink_and_close(turn, instruction, position, min(abs(net), position.quantity))


def _net(turn: Turn, instruction: TableInstruction) -> int:
    """Return what of the strategy's fills is open: above 0 is long.

    That is what was filled since the pair was last flat, and all of a trade whose own legs work: the trades of others
    may have made the pair flat. A part that was closed of the position is closed of the trades whose legs have left it
    to that order; what no legs have left is of the strategies that have contracts without legs, of the oldest first.
    """
    account, instrument = str(instruction.asked.account), str(instruction.asked.instrument)
    name, last_flat = pair(turn.at, account, instrument), flat_since(turn, account, instrument)
    net: dict[str | None, int] = {}
    protected: dict[str | None, int] = {}
    closed = by_nobody = 0
    of_pair = [it for it in turn.orders.values() if pair(turn.at, it.account, it.instrument) == name]
    for order in sorted(of_pair, key=_filled_first):
        entry = turn.orders.get(order.entry_id or "", order)
        if entry.received_at is not None and entry.received_at > instruction.received_at:
            continue
        since = None if entry.order_id in instruction.living else last_flat
        if _closes_for_nobody(order, entry):
            by_nobody += _filled_since(turn, order, since)
            continue
        left = sum(sum(it.closed.values()) for it in order.increments if since is None or it.at > since) * _sign(order)
        closed += left
        whose = entry.strategy_id
        net[whose] = net.get(whose, 0) + _filled_since(turn, order, since) - left
        protected[whose] = protected.get(whose, 0) + sum(max(part.rest, 0) for part in parts_of(turn, order))
    own = instruction.asked.strategy_id
    side = 1 if net.get(own, 0) > 0 else -1
    by_nobody = -side * (by_nobody + closed)
    for whose, open_ in net.items():
        taken = max(0, min(side * open_ - protected[whose], by_nobody))
        by_nobody -= taken
        net[whose] = open_ - side * taken
    return net.get(own, 0)


def _filled_first(order: TableOrder) -> float:
    return order.increments[0].at.timestamp() if order.increments else inf


def _filled_since(turn: Turn, order: TableOrder, since: datetime | None) -> int:
    """Return what an order has bought since then, or sold below 0; NinjaTrader alone knows it of its own strategies."""
    return _sign(order) * sum(
        fill.quantity
        for it in turn.venue_orders_of(order)
        for fill in it.fills
        if it.atm_strategy_id is None
        if since is None or fill.at > since
    )


def _sign(order: TableOrder) -> int:
    return 1 if order.action == "BUY" else -1


def _closes_for_nobody(order: TableOrder, entry: TableOrder) -> bool:
    """Return whether the bridge has made an order to close something of a position, whoever has opened that."""
    return (entry.made_by is not None or entry.is_position) and entry.strategy_id is None and not order.opens


def _atm_strategies(turn: Turn, instruction: TableInstruction) -> list[str]:
    """Return the ids of NinjaTrader's own strategies that the strategy's entries have started since then.

    What those hold, NinjaTrader alone knows: a target or a stop there may have closed some of it.
    """
    if instruction.files:
        return [known[0] for it in instruction.files if (known := oif.read_file_name(it.name))]
    since = flat_since(turn, str(instruction.asked.account), str(instruction.asked.instrument))
    return [
        it.atm_strategy_id
        for order in _orders_of(turn, instruction)
        for it in turn.venue_orders_of(order)
        if it.atm_strategy_id and any(since is None or fill.at > since for fill in it.fills)
    ]


def _orders_of(turn: Turn, instruction: TableInstruction) -> list[TableOrder]:
    """Return the strategy's orders in the pair, with their legs, that were received before it was to be closed."""
    asked = instruction.asked
    name = pair(turn.at, str(asked.account), str(asked.instrument))
    return [
        order
        for order in turn.orders.values()
        if (entry := turn.orders.get(order.entry_id or "", order)).strategy_id == asked.strategy_id
        and (entry.received_at is None or entry.received_at <= instruction.received_at)
        and pair(turn.at, entry.account, entry.instrument) == name
    ]


def _end_orders(turn: Turn, instruction: TableInstruction) -> bool:
    """Have the strategy's orders end; return whether some have not ended yet."""
    is_left = False
    for order in _orders_of(turn, instruction):
        if order.is_closed and not any(it.may_work for it in turn.venue_orders_of(order)):
            continue
        entry = turn.orders.get(order.entry_id or "", order)
        if entry.closing is None:
            turn.put(entry._replace(closing=instruction.instruction_id))
        if order.leg is None and not order.ended and (not order.venue_ids or is_being_replaced(turn, order)):
            end_order(turn, order, OrderState.CANCELLED, CLOSED)
        for it in turn.venue_orders_of(order):
            if it.may_work:
                ask_cancel(turn, it, CLOSED)
                is_left = True
    return is_left


def release(turn: Turn, instruction_id: str) -> None:
    """Have the trades of the strategy be looked after again: what is closed of them needs no legs any more."""
    instruction = turn.instructions[instruction_id]
    is_closed = instruction.result in ("done", "no_position")
    for order in _orders_of(turn, instruction):
        if order.closing == instruction_id:
            over = len(order.increments) if is_closed else order.over
            turn.put(turn.orders[order.order_id]._replace(closing=None, over=over))
    if not is_closed:
        what = f"{instruction.reason}: its stops are cancelled; look what is open"
        turn.alarm_of(instruction_id, "close_failed", f"{instruction.asked.strategy_id}: {what}")
