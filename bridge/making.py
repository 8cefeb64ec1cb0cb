"""Orders that the bridge makes itself, to carry out what is asked of positions.

Once made, one is an order like any other: the same code places, cancels and reports it, at most once. The table hears
of it by its reports, the first of which writes its item.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from bridge.carrying_out import filled_of, is_being_replaced, latest
from bridge.confirming import unresolved_of
from bridge.pairs import CLOSED
from bridge.records import TableOrder
from bridge.state import Turn
from orderhook.bridge_messages import Made, Side
from orderhook.instructions import Result
from orderhook.orders import Action, OrderState, OrderType, TimeInForce, timestamp

CLOSING_ACTION: Mapping[Side, Action] = {"LONG": "SELL", "SHORT": "BUY"}
"""The side of an order that closes what a position holds."""


def make_order(
    turn: Turn,
    by: str,
    number: int,
    *,
    account: str,
    instrument: str,
    action: Action,
    qty: int,
    order_type: OrderType = "MARKET",
    tif: TimeInForce = "DAY",
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    oco_id: str | None = None,
    strategy_id: str | None = None,
    opens: bool,
) -> TableOrder:
    """Return the order of this number that is made for an instruction or an order; made before, it is what is there.

    One that `opens` asks what a PLACE asks; another is written whenever files are read.
    """
    order_id = made_id(turn, by, number)
    if order_id not in turn.orders:
        received_at, not_after = _times(turn, by)
        made = TableOrder(
            order_id=order_id,
            placed_by=order_id,
            account=turn.config.account(account) or account,
            instrument=instrument,
            action=action,
            order_type=order_type,
            tif=tif,
            qty=qty,
            limit_price=limit_price,
            stop_price=stop_price,
            oco_id=oco_id,
            received_at=received_at,
            n=1,
            wanted_at=turn.at,
            not_after=not_after if opens else None,
            made_by=by,
            opens=opens,
            strategy_id=strategy_id,
        )
        turn.put(made)
    return turn.orders[order_id]


def made_id(turn: Turn, by: str, number: int) -> str:
    """Return the id of an order that is made; it names the placing of an order, whose id another may take later."""
    return f"{turn.orders[by].placed_by if by in turn.orders else by}.{number}"


def _times(turn: Turn, by: str) -> tuple[datetime | None, datetime | None]:
    """Return when what an order is made for was received, and until when it may open anything.

    A later command that closes reaches what an earlier alert has brought, whenever the bridge made it. And a journal
    that is younger than the alert takes it for another's.
    """
    if by in turn.instructions:
        return turn.instructions[by].received_at, turn.instructions[by].not_after
    return turn.orders[by].received_at, turn.orders[by].not_after


class Became(NamedTuple):
    """What has become of a made order, as its instruction tells it."""

    result: Result
    reason: str | None
    filled: int


def outcome(turn: Turn, order: TableOrder) -> Became | None:
    """Return what has become of a made order; None while it may still be filled."""
    # What a person has said was filled is known by the order's parts alone.
    current, filled = latest(turn, order), max(filled_of(turn, order), sum(it.quantity for it in order.increments))
    if filled >= order.qty:
        return Became("done", None, filled)
    is_over = current is not None and current.is_over and not is_being_replaced(turn, order)
    if not (order.ended or is_over):
        why = unresolved_of(turn, order)
        return Became("unresolved", why, filled) if why else None
    asked = current.cancel.why if current is not None and current.cancel is not None else order.why
    state = order.ended or (current and current.state)
    why = order.why or (current and current.log) or f"{order.order_id} is {state}"
    result: Result = "superseded" if asked == CLOSED else "blocked" if order.ended is OrderState.REJECTED else "failed"
    return Became(result, f"{filled} of {order.qty} are filled: {why}", filled)


def told_of(turn: Turn, order: TableOrder) -> Made | None:
    """Return what the table is told of an order that the bridge has made; None of any other."""
    if order.made_by is None:
        return None
    return Made(
        account=order.account,
        instrument=order.instrument,
        action=order.action,
        qty=order.qty,
        order_type=order.order_type,
        tif=order.tif,
        by=order.made_by,
        received_at=timestamp(order.received_at or turn.at),
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        oco_id=order.oco_id,
        strategy_id=order.strategy_id,
    )
