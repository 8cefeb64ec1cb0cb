"""Tells a person of what came too late, by what it may have been for: a bridge that was away answers nobody else."""

from bridge.carrying_out import TOO_LATE
from bridge.months import months_to_close
from bridge.positions import known_position, unsettled_since
from bridge.records import TableInstruction, TableOrder
from bridge.state import Turn
from orderhook.orders import TERMINAL, OrderState

_SIDE_OF = {"BUY": "LONG", "SELL": "SHORT"}


def watch_lateness(turn: Turn, order: TableOrder) -> None:
    """Tell a person of an order that ends in this step as too late; an alert was answered that it would be placed.

    Of one that the bridge has made itself, that tells which has made it.
    """
    is_told = order.report is not None and order.report.state in TERMINAL
    if is_told or order.made_by is not None or order.ended is not OrderState.REJECTED or order.why != TOO_LATE:
        return
    if _may_have_closed(turn, order):
        turn.alarm_once(order.order_id, "not_closed", f"{TOO_LATE}: look in NinjaTrader")
    else:
        turn.alarm_once(order.order_id, "too_late", TOO_LATE)


def tell_not_turned(turn: Turn, instruction: TableInstruction) -> None:
    """Tell a person of a position that is not turned over any more; where it is flat, it would not have been either."""
    asked = instruction.asked
    if asked.account is None or asked.instrument is None or _may_be_open(turn, asked.account, asked.instrument):
        turn.alarm_of(asked.instruction_id, "not_closed", f"{TOO_LATE}: look in NinjaTrader")


def _may_have_closed(turn: Turn, order: TableOrder) -> bool:
    """Return whether an order may have been to close a position: by what it asks, or because it is on the other side.

    One without targets and stops may be an exit where nobody knows the position.
    """
    if order.conditions is not None and order.conditions.closes_first:
        others = months_to_close(turn, order.conditions, order.account, order.instrument)
        return bool(others) or _may_be_open(turn, order.account, order.instrument)
    side = known_position(turn, order.account, order.instrument).side
    if side == "UNKNOWN":
        return not order.legs
    return side not in ("FLAT", _SIDE_OF[order.action])


def _may_be_open(turn: Turn, account: str, instrument: str) -> bool:
    is_behind = unsettled_since(turn, account, instrument) is not None
    return is_behind or known_position(turn, account, instrument).side != "FLAT"
