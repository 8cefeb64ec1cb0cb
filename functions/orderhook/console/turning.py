"""Turning a position over by hand, once, whoever else does so: what closes it and opens another is claimed before.

A turn is over for the table before the bridge has told what the position is by then. Until that is told, a second one
would be of a position that is gone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from orderhook.attention.needing import Pair, pair_of
from orderhook.bridge_messages import PositionReport
from orderhook.commands import Command
from orderhook.commands.conditional_order import PlacesConditionally
from orderhook.commands.reverse import Reverse
from orderhook.console.visit import Visit
from orderhook.instructions import Instruction
from orderhook.listing import (
    UnreadableError,
    each_readable,
    find_instruction,
    find_order,
    list_instructions,
    list_orders,
)
from orderhook.orders import Order, OrderState, folded, timestamp
from orderhook.store.once import OnceStore, Turn
from orderhook.trade_window import NEW_YORK

_TOLD_WITHIN = timedelta(minutes=1)
"""So long after a turn it is waited for what the bridge tells of the position, as equal alerts are refused so long."""

_UNKNOWN_OUTCOME = ("outcome_unknown", "temporarily_unavailable")
_WITHOUT_EFFECT = ("no_position", "blocked", "too_late", "superseded")
_NOTHING_FILLED = (OrderState.REJECTED, OrderState.CANCELLED)


class Market(NamedTuple):
    """The account and the instrument of a position."""

    account: str
    instrument: str

    @property
    def pair(self) -> Pair:
        """By which positions are compared."""
        return pair_of(*self)


def turned_by(commands: Iterable[Command]) -> list[Market]:
    """Return the positions that commands turn over: each is closed, and another opened in its place."""
    return [market for command in commands if (market := _turned(command))]


def _turned(command: Command) -> Market | None:
    if isinstance(command, Reverse):
        return Market(command.account, command.instrument)
    if isinstance(command, PlacesConditionally) and command.position_conditions.closes_first:
        return Market(command.new_order.account, command.new_order.instrument)
    return None


def position_of(visit: Visit, market: Market) -> PositionReport | None:
    """Return what was told of a position last; None where nothing was."""
    told = each_readable(visit.services.bridge.positions(visit.trader))
    return next((it for it in told if it and pair_of(it.account, it.instrument) == market.pair), None)


def seen(visit: Visit, market: Market) -> str:
    """Return the position as a page that asks for confirmation says it."""
    told = position_of(visit, market)
    return f"{told.side} {told.quantity}" if told else ""


def claim(visit: Visit, markets: Iterable[Market], once: str) -> str:
    """Claim positions for the form that turns them over; return why they cannot be, empty where they are.

    The claim is a conditional write, so of two forms at one moment one has it.
    """
    store = OnceStore(visit.services.table)
    claims = []
    for market in markets:
        before, told = store.turn(visit.trader, *market.pair), seen(visit, market)
        if why := _under_way(visit, market) or (before and _stands(visit, market, before, once)):
            return f"{why} Look at the positions first."
        claims.append((market, Turn(once, told, timestamp(visit.now)), before))
    for market, turn, before in claims:
        if not store.claim_turn(visit.trader, *market.pair, turn, before):
            return "Somebody else turns this position over at this moment. Look at the positions first."
    return ""


def _under_way(visit: Visit, market: Market) -> str:
    """Say what is asked of a position, or closes it, and is not done yet."""
    for it in list_instructions(visit.services, visit.trader):
        if isinstance(it, Instruction) and _concerns(it, market):
            return f"{it.command}, asked for at {_time(it.since)}, is under way for this position."
    rows = list_orders(visit.services, visit.trader, timestamp(visit.now), open_only=True, account=market.account)
    for order in rows:
        if isinstance(order, Order) and _is_to_turn(order) and pair_of(order.account, order.instrument) == market.pair:
            command = order.placed.get("command", "PLACE")
            return f"{command} {order.order_id}, sent at {_time(order.received_at)}, is under way for this position."
    return ""


def _concerns(it: Instruction, market: Market) -> bool:
    """Return whether something is asked of a position, by its name or with all others."""
    return folded(it.account or market.account) == folded(market.account) and (
        it.instrument is None or folded(it.instrument) == folded(market.instrument)
    )


def _is_to_turn(order: Order) -> bool:
    """Return whether an order still closes a position before it is placed, or moves it as soon as it is."""
    if order.conditions is None or order.conditions.closes_first is None or order.venue is None:
        return False
    return order.order_type == "MARKET" or not order.confirmed


def _stands(visit: Visit, market: Market, turn: Turn, once: str) -> str:
    """Say by what a position was turned over of which the bridge has not told since; empty where nothing stands."""
    if turn.once == once:
        return ""
    moves = _moves(visit, market, turn)
    if moves == []:
        return ""
    end = max([turn.at, *(moves or ())])
    told = position_of(visit, market)
    is_told = moves and told and told.at > end and f"{told.side} {told.quantity}" != turn.seen
    if is_told or visit.now - datetime.fromisoformat(end) > _TOLD_WITHIN:
        return ""
    return (
        f"This position was turned over by hand at {_time(turn.at)}, and the bridge has not told yet what it is since."
    )


def _moves(visit: Visit, market: Market, turn: Turn) -> list[str] | None:
    """Return when each part of a turn ended that may have moved the position; None where nobody knows of any part."""
    sent = OnceStore(visit.services.table).get(visit.trader, turn.once)
    record = visit.services.alert_log.get(visit.trader, sent.request_id) if sent else None
    if record is None:
        return None
    order_ids = {*record.order_ids, *(it for result in record.results for it in result.order_ids)}
    was_refused = record.status >= 400 and record.outcome not in _UNKNOWN_OUTCOME
    if was_refused and not order_ids and not record.instruction_ids:
        return []
    instructions = [it for it in (_instruction(visit, each) for each in record.instruction_ids) if it]
    instructions = [it for it in instructions if _concerns(it, market)]
    orders = [it for it in (_order(visit, each) for each in order_ids) if it]
    orders = [it for it in orders if pair_of(it.account, it.instrument) == market.pair]
    if not instructions and not orders:
        return None
    moves = [it.ended_at or turn.at for it in instructions if it.result not in _WITHOUT_EFFECT]
    return moves + [it.since for it in orders if it.filled or it.state not in _NOTHING_FILLED]


def _instruction(visit: Visit, instruction_id: str) -> Instruction | None:
    try:
        return find_instruction(visit.services, visit.trader, instruction_id)
    except UnreadableError:
        return None


def _order(visit: Visit, order_id: str) -> Order | None:
    try:
        return find_order(visit.services, visit.trader, order_id, timestamp(visit.now))
    except UnreadableError:
        return None


def _time(at: str | None) -> str:
    return f"{datetime.fromisoformat(at).astimezone(NEW_YORK):%H:%M:%S} New York" if at else "a time that is not known"
