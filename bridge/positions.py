"""Positions by NinjaTrader's own files, and the legs that a closed position has left behind. Unknown is not flat."""

from datetime import timedelta

from bridge.brackets import parts_of
from bridge.cancelling import ask_cancel
from bridge.events import PositionRead, Report
from bridge.records import Fill, TableOrder, VenueOrder
from bridge.state import Position, Turn
from orderhook.orders import folded, timestamp
from orderhook.venue import PositionReport

_FLAT_STOOD = timedelta(seconds=2)


def pair(account: str, instrument: str) -> str:
    """Return the name of an account and an instrument, compared without case."""
    return f"{folded(account)}/{folded(instrument)}"


def read_position(turn: Turn, read: PositionRead) -> None:
    """Take a position file down; one from before NinjaTrader's start says nothing."""
    if not read.written_since_start or turn.config.account(read.account) is None:
        return
    name = pair(read.account, read.instrument)
    known = turn.now.positions.get(name)
    is_same = known is not None and (known.side, known.quantity) == (read.side, read.quantity)
    open_at = turn.at if read.side in ("LONG", "SHORT") else known and known.open_at
    since = known.since if known and known.side == read.side else turn.at
    position = Position(read.account, read.instrument, read.side, read.quantity, read.average, since, open_at)
    _set(turn, position)
    if not is_same:
        turn.ask(Report(report_of(turn, position)))


def forget_positions(turn: Turn) -> None:
    """Know no position any more: NinjaTrader has started, or does not run."""
    turn.set(flat_accounts=frozenset())
    for position in turn.now.positions.values():
        if position.side != "UNKNOWN":
            unknown = position._replace(side="UNKNOWN", quantity=0, average=None, since=turn.at, open_at=None)
            _set(turn, unknown)
            turn.ask(Report(report_of(turn, unknown)))


def confirm_flat(turn: Turn, account: str) -> None:
    """Take every pair of an account for flat that has no file since NinjaTrader's start: a person has said so."""
    turn.set(flat_accounts=turn.now.flat_accounts | {folded(account)})
    for position in turn.now.positions.values():
        if position.side == "UNKNOWN" and folded(position.account) == folded(account):
            flat = position._replace(side="FLAT", since=turn.at)
            _set(turn, flat)
            turn.ask(Report(report_of(turn, flat)))


def report_of(turn: Turn, position: Position) -> PositionReport:
    """Return what the cloud is told of a position."""
    return PositionReport(
        position.account,
        position.instrument,
        position.side,
        position.quantity,
        position.average,
        timestamp(turn.at),
    )


def _set(turn: Turn, position: Position) -> None:
    turn.set(positions={**turn.now.positions, pair(position.account, position.instrument): position})


def end_orphans(turn: Turn) -> None:
    """Cancel the legs of trades whose position is gone, where that is certain; else tell a person."""
    open_legs = {
        order.order_id: legs
        for order in turn.active_entries()
        if order.increments and (legs := _live_legs(turn, order)) and any(it.rest > 0 for it in parts_of(turn, order))
    }
    for order_id, legs in open_legs.items():
        entry = turn.orders[order_id]
        position = turn.now.positions.get(pair(entry.account, entry.instrument))
        if position is None or position.side != "FLAT" or turn.at - position.since < _FLAT_STOOD:
            continue
        others = [it for it in turn.active_entries() if it.order_id != order_id and _is_same_pair(it, entry)]
        others = [it for it in others if _awaits_legs(turn, it) or it.order_id in open_legs]
        fills = [fill.at for it in (entry, *turn.legs_of(entry)) for fill in _fills(turn, it)]
        was_open_since = position.open_at is not None and position.open_at >= max(fills)
        if turn.now.connected and was_open_since and not others:
            turn.alarm("orphans_cancelled", f"{order_id}: its position is gone; its legs are cancelled")
            turn.put(entry._replace(over=len(entry.increments)))
            for leg in legs:
                ask_cancel(turn, leg, "the position is gone")
        else:
            turn.alarm_once(order_id, "orphans", "its position seems to be gone, and its legs work")


def _live_legs(turn: Turn, entry: TableOrder) -> list[VenueOrder]:
    return [it for leg in turn.legs_of(entry) for it in turn.venue_orders_of(leg) if it.is_live and not it.cancel]


def _awaits_legs(turn: Turn, entry: TableOrder) -> bool:
    """Return whether legs of a trade are being placed, perhaps again: they do not work yet."""
    legs = turn.legs_of(entry)
    sent = [it for leg in legs for it in turn.venue_orders_of(leg) if it.state is None and not it.is_unwritten]
    return bool(sent) or any(leg.order_id in turn.awaiting for leg in legs)


def _fills(turn: Turn, order: TableOrder) -> list[Fill]:
    return [fill for it in turn.venue_orders_of(order) for fill in it.fills]


def _is_same_pair(one: TableOrder, other: TableOrder) -> bool:
    return pair(one.account, one.instrument) == pair(other.account, other.instrument)
