"""Positions by NinjaTrader's own files, and the legs that a closed position has left behind. Unknown is not flat."""

from datetime import datetime, timedelta

from bridge.brackets import is_wanted, parts_of
from bridge.cancelling import ask_cancel
from bridge.contracts import canonical
from bridge.events import PositionRead, SendReport
from bridge.pairs import concerns
from bridge.pairs import pair as pair  # every caller that knows a position names its pair
from bridge.records import Fill, TableInstruction, TableOrder, VenueOrder
from bridge.state import Position, State, Turn
from orderhook.bridge_messages import PositionReport, Side
from orderhook.conditions import MarketSide
from orderhook.orders import Action, folded, timestamp
from orderhook.trade import kind_of

SETTLES_WITHIN = timedelta(seconds=2)
"""How long a position is waited for that own orders are about to move, or whose file is behind them."""

_FLAT_STOOD = timedelta(seconds=2)
_TOO_MANY_STOOD = timedelta(seconds=5)
"""How long legs must seem to close more than is open before anybody is told."""

_FILE_COMES = timedelta(seconds=60)
"""How long after a fill the position's file may be missing: it comes later by a moment that nobody has measured."""


def known_position(turn: Turn, account: str, instrument: str) -> Position:
    """Return the position of a pair as it is known: UNKNOWN where no file says it since NinjaTrader's start.

    Where a person has said that the account is flat, that holds for a pair of which nothing was known then, too, until
    something of ours is filled.
    """
    name, flat_since = pair(turn.at, account, instrument), turn.now.flat_since.get(folded(account))
    unknown = Position(account, instrument, "UNKNOWN", 0, None, turn.at)
    unheard = unknown if flat_since is None else unknown._replace(side="FLAT", since=flat_since)
    position = turn.now.positions.get(name, unheard)
    is_said = position.side == "FLAT" and position.read_at is None
    return unknown if is_said and _fills_since(turn, name, position.since) else position


def last_moved(turn: Turn, account: str, instrument: str) -> datetime | None:
    """Return when an own order last moved a position of which the file has not told since, or is about to move it.

    What is silent for a minute is not waited for: an order of which nobody knows whether NinjaTrader had it or what has
    become of it, and a file that stays as it is.
    """
    position = known_position(turn, account, instrument)
    name = _name(turn, position)
    in_flight = [
        it.place.at if it.place else it.since or turn.at
        for order in turn.active()
        for it in turn.venue_orders_of(order)
        if it.order_type == "MARKET" and it.may_work and _is_heard_of(turn, it)
        if pair(turn.at, it.account, it.instrument) == name
    ]
    return max([*in_flight, *_untold_fills(turn, name, position)], default=None)


def _is_heard_of(turn: Turn, order: VenueOrder) -> bool:
    """Return whether an order that may work has a state, or was written so lately that one may come."""
    if order.state is not None:
        return not order.is_lost
    return order.place is not None and turn.at - order.place.at < _FILE_COMES


def unsettled_since(turn: Turn, account: str, instrument: str) -> datetime | None:
    """Return since when a position's file is behind; None where it is not, or says nothing."""
    is_unknown = known_position(turn, account, instrument).side == "UNKNOWN"
    return None if is_unknown else last_moved(turn, account, instrument)


def read_position(turn: Turn, read: PositionRead) -> None:
    """Record a position file; one from before NinjaTrader's start says nothing."""
    if not read.written_since_start or turn.config.account(read.account) is None:
        return
    name = pair(turn.at, read.account, read.instrument)
    known = turn.now.positions.get(name)
    is_same = known is not None and (known.side, known.quantity) == (read.side, read.quantity)
    open_at = turn.at if read.side in ("LONG", "SHORT") else known and known.open_at
    since = known.since if known and known.side == read.side else turn.at
    position = Position(read.account, read.instrument, read.side, read.quantity, read.average, since, open_at, turn.at)
    _set(turn, position)
    if position.side == "FLAT" and not is_same:
        _note_flat(turn, name)
    if not is_same:
        turn.ask(SendReport(report_of(turn, position)))
    _tell_unseen_fills(turn, name, position)


def flat_since(turn: Turn, account: str, instrument: str) -> datetime | None:
    """Return when a pair was last seen flat; None where it never was."""
    return turn.now.memory.flat_at.get(pair(turn.at, account, instrument)) if turn.now.memory else None


def _note_flat(turn: Turn, name: str) -> None:
    """Take down that a pair was flat: now, or when own fills came to nothing, if the file is that late."""
    memory = turn.now.memory
    if memory is None:
        return
    before = memory.flat_at.get(name)
    fills = sorted(
        (fill.at, fill.quantity if it.action == "BUY" else -fill.quantity)
        for it in turn.venue_orders.values()
        for fill in it.fills
        if (before is None or fill.at > before) and pair(turn.at, it.account, it.instrument) == name
    )
    total, nothing_at = 0, None
    for at, qty in fills:
        total += qty
        nothing_at = at if total == 0 else nothing_at
    # What was filled since then opened it again before this file was read.
    is_late = total != 0 and nothing_at is not None and turn.at - nothing_at <= _FLAT_STOOD
    flat_at = nothing_at if nothing_at is not None and is_late else turn.at
    turn.set(memory=memory._replace(flat_at={**memory.flat_at, name: flat_at}))


def _tell_unseen_fills(turn: Turn, name: str, position: Position) -> None:
    """Alarm where a position is larger than what own orders have filled, and an entry with a stop is out of sight."""
    sides: dict[str, tuple[Side, int]] = {"BUY": ("LONG", 1), "SELL": ("SHORT", -1)}
    for entry in turn.active_entries():
        side, sign = sides[entry.action]
        is_out_of_sight = any(it.unseen_since and it.is_live for it in turn.venue_orders_of(entry))
        has_stop = any(kind_of(str(leg.leg)) == "STOP" and is_wanted(leg) for leg in turn.legs_of(entry))
        if not (is_out_of_sight and has_stop and side == position.side and _is_of(turn, entry, name)):
            continue
        own = [
            it for it in turn.venue_orders.values() if it.filled and pair(turn.at, it.account, it.instrument) == name
        ]
        unexplained = position.quantity - sum(it.filled * sides[it.action][1] for it in own) * sign
        if unexplained > 0:
            why = f"{unexplained} of the position came while NinjaTrader said nothing of it; it may have no stop"
            turn.alarm_once(entry.order_id, "unprotected", why, of=f"position {unexplained}")


def forget_positions(turn: Turn) -> None:
    """Know no position any more, of any known pair: NinjaTrader has started, or does not run."""
    for position in known_pairs(turn):
        if position.side != "UNKNOWN" or _name(turn, position) not in turn.now.positions:
            unknown = Position(position.account, position.instrument, "UNKNOWN", 0, None, turn.at)
            _set(turn, unknown)
            turn.ask(SendReport(report_of(turn, unknown)))
    turn.set(flat_since={})


def confirm_flat(turn: Turn, account: str) -> None:
    """Take every known pair of an account for flat of which NinjaTrader says nothing: a person has said so."""
    for position in known_pairs(turn):
        if position.side == "UNKNOWN" and folded(position.account) == folded(account):
            flat = position._replace(side="FLAT", since=turn.at)
            _set(turn, flat)
            _note_flat(turn, _name(turn, flat))
            turn.ask(SendReport(report_of(turn, flat)))
    turn.set(flat_since={**turn.now.flat_since, folded(account): turn.at})


def open_by_files(state: State, account: str) -> list[str]:
    """Return what is open in an account by NinjaTrader's own files, which a person's word does not end."""
    known = (it for it in state.positions.values() if folded(it.account) == folded(account))
    return sorted(f"{it.side} {it.quantity} {it.instrument}" for it in known if it.side in ("LONG", "SHORT"))


def pairs_to_close(turn: Turn, instruction: TableInstruction) -> list[tuple[str, str]]:
    """Return the accounts and instruments that an instruction closes: the one it names, or those that may be open.

    A root means every month of it that is held or worked.
    """
    asked = instruction.asked
    if asked.account and asked.instrument and not asked.root:
        return [(asked.account, asked.instrument)]
    return [
        (it.account, it.instrument)
        for it in known_pairs(turn)
        if concerns(turn, instruction._replace(begun_at=None), it.account, it.instrument)
        and (asked.command == "FLATTENEVERYTHING" or may_be_open(turn, it, asked.market_position))
    ]


def may_be_on_other_side(turn: Turn, account: str, instrument: str, side: MarketSide) -> bool:
    """Return whether nobody knows if a position is on a side: its file does not say so, and may be behind."""
    position = known_position(turn, account, instrument)
    is_behind = unsettled_since(turn, account, instrument) is not None
    return position.side == "UNKNOWN" or (is_behind and position.side != side.upper())


def may_be_open(turn: Turn, position: Position, side: MarketSide | None) -> bool:
    """Return whether a position is open on a side, or may be, now or by an order that is not at its end."""
    if side is not None:
        is_there = position.side == side.upper()
        return is_there or may_be_on_other_side(turn, position.account, position.instrument, side)
    return position.side != "FLAT" or any(
        it.leg is None and not it.ended and _is_of(turn, it, _name(turn, position)) for it in turn.active()
    )


def held(turn: Turn, months: list[Position]) -> list[Position]:
    """Return which months of a root are held, or may be.

    One of which NinjaTrader says nothing, and in which nothing of ours was filled, counts only where no other does.
    """
    unknown = [it for it in months if it.side == "UNKNOWN"]
    known = [
        it
        for it in months
        if it.side in ("LONG", "SHORT") or unsettled_since(turn, it.account, it.instrument) is not None
    ]
    return [*known, *(it for it in unknown if _was_filled(turn, _name(turn, it)))] or unknown


def _was_filled(turn: Turn, name: str) -> bool:
    """Return whether something of ours was filled in a pair; another journal's trade shows by its legs."""
    return any(
        it.filled and pair(turn.at, it.account, it.instrument) == name for it in turn.venue_orders.values()
    ) or any(it.leg and it.is_released and _is_of(turn, it, name) for it in turn.active())


def known_pairs(turn: Turn) -> list[Position]:
    """Return the position of each pair that is known: by a file, an order of ours, or because the operator named it."""
    known = dict(turn.now.positions)
    named = [(account, instrument) for account in turn.config.accounts for instrument in turn.config.instruments]
    ours = [(turn.config.account(it.account), it.instrument) for it in turn.orders.values()]
    for account, instrument in dict.fromkeys(named + ours):
        if account is not None:
            position = known_position(turn, account, canonical(instrument, turn.at.date()))
            known.setdefault(_name(turn, position), position)
    return list(known.values())


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
    turn.set(positions={**turn.now.positions, _name(turn, position): position})


def _name(turn: Turn, position: Position) -> str:
    return pair(turn.at, position.account, position.instrument)


def is_behind(turn: Turn, name: str, position: Position) -> bool:
    """Return whether something of ours was filled since a position's file was read: another file is still to come."""
    return bool(_untold_fills(turn, name, position))


def _untold_fills(turn: Turn, name: str, position: Position) -> list[datetime]:
    """Return when orders of ours were last filled of which a position's file may still tell."""
    read_at = position.read_at or (turn.at - _FILE_COMES if position.side == "UNKNOWN" else position.since)
    return [at for at in _fills_since(turn, name, read_at) if turn.at - at < _FILE_COMES]


def _fills_since(turn: Turn, name: str, since: datetime) -> list[datetime]:
    """Return when orders of ours of a pair were last filled, where that was later."""
    newer = [it for it in turn.venue_orders.values() if it.fills and it.fills[-1].at > since]
    return [it.fills[-1].at for it in newer if pair(turn.at, it.account, it.instrument) == name]


def end_orphans(turn: Turn) -> None:
    """Cancel the legs of trades whose position is gone, where that is certain; else tell a person."""
    open_legs = {
        order.order_id: legs
        for order in turn.active_entries()
        if order.increments and (legs := _live_legs(turn, order)) and any(it.rest > 0 for it in parts_of(turn, order))
    }
    doubtful = _too_many(turn, list(open_legs))
    for order_id, legs in open_legs.items():
        entry = turn.orders[order_id]
        name = pair(turn.at, entry.account, entry.instrument)
        position = turn.now.positions.get(name)
        if position is None or position.side != "FLAT" or turn.at - position.since < _FLAT_STOOD:
            continue
        if is_behind(turn, name, position):
            continue
        others = [it for it in turn.active_entries() if it.order_id != order_id and _is_of(turn, it, name)]
        others = [it for it in others if _awaits_legs(turn, it) or it.order_id in open_legs]
        fills = [it.at for it in entry.increments] + [it.at for leg in turn.legs_of(entry) for it in _fills(turn, leg)]
        was_open_since = position.open_at is not None and position.open_at >= max(fills)
        if turn.now.connected and was_open_since and not others:
            turn.alarm("orphans_cancelled", f"{order_id}: its position is gone; its legs are cancelled")
            turn.put(entry._replace(over=len(entry.increments)))
            for leg in legs:
                ask_cancel(turn, leg, "the position is gone")
        else:
            doubtful.add(order_id)
    for order_id, legs in open_legs.items():
        trade = turn.legs_of(turn.orders[order_id])
        if order_id not in doubtful:
            for it in trade:
                turn.calm(it.order_id, "orphans")
        elif not any(turn.has_rung(it.order_id, "orphans") for it in trade):
            # A leg that works is reported; its entry may be finished long since.
            why = "the position of its trade seems to be gone, or smaller, and its legs work"
            turn.alarm_once(legs[0].order_id, "orphans", why)


def _too_many(turn: Turn, entries: list[str]) -> set[str]:
    """Return the trades whose legs would close more than is open, for a while: the oldest ones of their pair."""
    trades = sorted((turn.orders[it] for it in entries), key=lambda it: it.increments[-1].at, reverse=True)
    left: dict[tuple[str, Action], int] = {}
    over: list[str] = []
    for trade in trades:
        name = pair(turn.at, trade.account, trade.instrument)
        position = turn.now.positions.get(name)
        # This journal does not know for which parts another one has placed its legs.
        if trade.is_foreign or position is None or position.side in ("UNKNOWN", "FLAT"):
            continue
        if (name, trade.action) not in left:
            # What trades of the other side have open is open for this one: the position is the difference.
            others = sum(_rest(turn, it) for it in trades if it.action != trade.action and _is_of(turn, it, name))
            is_same_side = (trade.action == "BUY") == (position.side == "LONG")
            left[name, trade.action] = others + position.quantity * (1 if is_same_side else -1)
        left[name, trade.action] -= _rest(turn, trade)
        if left[name, trade.action] < 0 and not is_behind(turn, name, position):
            over.append(trade.order_id)
    since = {it: turn.now.too_many.get(it, turn.at) for it in over}
    if since != turn.now.too_many:
        turn.set(too_many=since)
    return {it for it, began in since.items() if turn.at - began >= _TOO_MANY_STOOD}


def _rest(turn: Turn, entry: TableOrder) -> int:
    """Return what the legs of an entry that work would close."""
    return sum(it.rest for it in parts_of(turn, entry) if it.rest > 0 and any(leg.is_live for leg in it.all))


def _live_legs(turn: Turn, entry: TableOrder) -> list[VenueOrder]:
    """Return what works of an entry's legs, and is not about to be cancelled."""
    known = [it for leg in turn.legs_of(entry) for it in turn.venue_orders_of(leg)]
    return [it for it in known if it.is_live and not it.awaits_cancel]


def _awaits_legs(turn: Turn, entry: TableOrder) -> bool:
    """Return whether legs of a trade are being placed, perhaps again: they do not work yet."""
    legs = turn.legs_of(entry)
    known = [it for leg in legs for it in turn.venue_orders_of(leg) if it.place is not None]
    sent = [it for it in known if it.state is None and not it.is_unwritten]
    return bool(sent) or any(leg.order_id in turn.awaiting for leg in legs)


def _fills(turn: Turn, order: TableOrder) -> list[Fill]:
    return [fill for it in turn.venue_orders_of(order) for fill in it.fills]


def _is_of(turn: Turn, order: TableOrder, name: str) -> bool:
    return pair(turn.at, order.account, order.instrument) == name
