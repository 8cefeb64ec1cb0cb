"""Closes what a strategy has open: its orders end, then one opposite MARKET order closes its net filled quantity.

A pair has one position, whoever has opened it: so of that at most, and only what its own orders have filled since the
pair was last flat. Other strategies' orders are not touched.
"""

from datetime import datetime
from math import inf

from bridge import oif
from bridge.atm_closes import close_atm
from bridge.brackets import parts_of
from bridge.cancelling import ask_cancel
from bridge.carrying_out import end as end_order
from bridge.carrying_out import is_being_replaced
from bridge.closing import ORDERS_END_WITHIN
from bridge.making import CLOSING_ACTION, make_order, outcome
from bridge.pairs import CLOSED, pair
from bridge.partial_closes import end, settled
from bridge.positions import flat_since, known_position
from bridge.records import TableInstruction, TableOrder
from bridge.state import Position, Turn
from orderhook.orders import OrderState


def close_strategy(turn: Turn, instruction: TableInstruction) -> None:
    """Take the next step of closing the strategy that an instruction names."""
    if instruction.order_ids:
        became = outcome(turn, turn.orders[instruction.order_ids[0]])
        if became is not None:
            end(turn, instruction, became.result, became.reason)
            release(turn, instruction.instruction_id)
        return
    is_left = _end_orders(turn, instruction)
    if is_left and turn.at - (instruction.begun_at or turn.at) < ORDERS_END_WITHIN:
        return
    strategy_ids = _atm_strategies(turn, instruction)
    if not strategy_ids or close_atm(turn, instruction, strategy_ids):
        instruction = turn.instructions[instruction.instruction_id]
        position = known_position(turn, str(instruction.asked.account), str(instruction.asked.instrument))
        known = settled(turn, instruction, position)
        if known is not None:
            _close(turn, instruction, known)
        instruction = turn.instructions[instruction.instruction_id]
        if instruction.files and instruction.result == "no_position":
            # NinjaTrader has closed what there was.
            turn.put(instruction._replace(result="done", reason=None))
    if turn.instructions[instruction.instruction_id].result is not None:
        release(turn, instruction.instruction_id)


def _close(turn: Turn, instruction: TableInstruction, position: Position) -> None:
    net = _net(turn, instruction)
    is_same_side = net * (1 if position.side == "LONG" else -1) > 0
    if not is_same_side:
        what = f"the position is {position.side} {position.quantity}, and none of it is the strategy's"
        end(turn, instruction, "no_position", what)
        return
    order = make_order(
        turn,
        instruction.instruction_id,
        1,
        account=position.account,
        instrument=position.instrument,
        action=CLOSING_ACTION[position.side],
        qty=min(abs(net), position.quantity),
        strategy_id=instruction.asked.strategy_id,
        opens=False,
    )
    turn.put(instruction._replace(order_ids=(order.order_id,), side=position.side, held=net))


def _net(turn: Turn, instruction: TableInstruction) -> int:
    """Return what of the strategy's fills is open since the pair was last flat: above 0 is long.

    A part that was closed of the position is closed of the trades whose legs have left it to that order; what no legs
    have left is of the strategies that have contracts without legs, of the oldest first.
    """
    account, instrument = str(instruction.asked.account), str(instruction.asked.instrument)
    name, since = pair(turn.at, account, instrument), flat_since(turn, account, instrument)
    net: dict[str | None, int] = {}
    protected: dict[str | None, int] = {}
    closed = by_nobody = 0
    of_pair = [it for it in turn.orders.values() if pair(turn.at, it.account, it.instrument) == name]
    for order in sorted(of_pair, key=_filled_first):
        entry = turn.orders.get(order.entry_id or "", order)
        if entry.received_at is not None and entry.received_at > instruction.received_at:
            continue
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
        if it.atm_strategy_id is None and (since is None or fill.at > since)
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
        if order.leg is None and order.closing is None:
            turn.put(turn.orders[order.order_id]._replace(closing=instruction.instruction_id))
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
