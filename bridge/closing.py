"""Closes a pair's position: own orders are cancelled, then NinjaTrader closes what there is, and FLAT is waited for.

NinjaTrader sizes its CLOSEPOSITION itself. With a live stop beside it, it can turn the position over: so own orders
have their ends first. No order of our own is sent to correct one that went wrong.
"""

from datetime import datetime, timedelta

from bridge import oif
from bridge.cancelling import ask_cancel
from bridge.carrying_out import end
from bridge.confirming import follow_file
from bridge.positions import known_position, pair
from bridge.records import Close, TableOrder
from bridge.state import Turn
from orderhook.orders import OrderState

ORDERS_END_WITHIN = timedelta(seconds=5)
"""How long a close waits for the ends of own orders."""

_WRITTEN_AGAIN = timedelta(seconds=10)
_GIVEN_UP = timedelta(seconds=60)
_MOST_WRITES = 2

CLOSED = "the position is closed"
"""Why an own order is cancelled when its pair's position is to be closed."""


def begin_close(
    turn: Turn,
    owner: str,
    account: str,
    instrument: str,
    until: datetime,
    *,
    keeps_entries: bool = False,
    even_flat: bool = False,
) -> Close:
    """Begin to close a pair's position; begun before, it is the same."""
    name = f"{owner}/{pair(turn.at, account, instrument)}"
    if name not in turn.closes:
        side = known_position(turn, account, instrument).side
        turn.put(Close(name, owner, account, instrument, until, turn.at, side, keeps_entries, even_flat))
    return turn.closes[name]


def follow_close(turn: Turn, close: Close) -> None:
    """Take the next step of a close, if there is one."""
    if close.result is not None or not turn.may_write:
        return
    position = known_position(turn, close.account, close.instrument)
    if close.last_at is None:
        if close.side == "FLAT" and not close.even_flat:
            turn.put(close._replace(result="no_position"))
            return
        left = _cancel_orders(turn, close)
        if left and turn.at - close.began < ORDERS_END_WITHIN:
            return
        if position.side == "FLAT":  # a leg has closed it meanwhile
            turn.put(close._replace(result="no_position" if close.side == "FLAT" else "done"))
            return
        _write(turn, close._replace(is_unclean=bool(left)))
    elif position.side == "FLAT" and position.read_at is not None and position.read_at >= close.last_at:
        turn.put(close._replace(result="done"))
    elif close.first_at is not None and turn.at - close.first_at >= _GIVEN_UP:
        turn.put(close._replace(result="failed", reason="the position was not seen flat within 60 s"))
    elif close.writes < _MOST_WRITES and position.side != "UNKNOWN" and turn.at - close.last_at >= _WRITTEN_AGAIN:
        _write(turn, close)


def follow_close_file(turn: Turn, close: Close) -> None:
    """Move the file of a close out of `incoming` where NinjaTrader does not take it."""
    if close.file is not None:
        follow_file(turn, close.file)


def _cancel_orders(turn: Turn, close: Close) -> bool:
    """Have the own orders of the pair end that were received before; return whether some have not ended yet."""
    name = pair(turn.at, close.account, close.instrument)
    is_left = False
    for order in list(turn.active()):
        if pair(turn.at, order.account, order.instrument) != name or not _is_earlier(turn, order, close.until):
            continue
        if order.placed_by == close.owner:
            continue
        if order.leg is None and not order.venue_ids and not order.ended:
            end(turn, order, OrderState.CANCELLED, CLOSED)
        for venue_order in turn.venue_orders_of(order):
            if venue_order.may_work:
                ask_cancel(turn, venue_order, CLOSED)
                is_left = True
    return is_left


def _is_earlier(turn: Turn, order: TableOrder, until: datetime) -> bool:
    entry = turn.orders.get(order.entry_id or "", order)
    return entry.received_at is None or entry.received_at <= until


def _write(turn: Turn, close: Close) -> None:
    venue_id, writes = oif.venue_id("close", close.name), close.writes + 1
    line = oif.close_position(turn.config.account(close.account) or close.account, close.instrument)
    file = turn.write(oif.file_name(venue_id, "close", writes), line)
    turn.put(close._replace(file=file, writes=writes, first_at=close.first_at or turn.at, last_at=turn.at))
