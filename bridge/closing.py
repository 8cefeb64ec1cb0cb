"""Closes a pair's position: own orders are cancelled, then NinjaTrader closes what there is, and FLAT is waited for.

NinjaTrader sizes its CLOSEPOSITION itself. With a live stop beside it, it can turn the position over: so own orders
have their ends first. No order of our own is sent to correct one that went wrong: a person is told, and nothing opens
in the pair until the person says so.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bridge import oif
from bridge.cancelling import ask_cancel
from bridge.carrying_out import REPLACED, end, is_being_replaced, why_not_account
from bridge.confirming import follow_file
from bridge.making import make_order
from bridge.pairs import CLOSED, CLOSING, block, closes_alone, concerns, is_next, is_of, pair
from bridge.positions import SETTLES_WITHIN, flat_since, known_position, unsettled_since
from bridge.records import Close, TableOrder, VenueOrder, filled
from bridge.state import Position, Turn
from orderhook.bridge_messages import Side
from orderhook.instructions import Result
from orderhook.orders import OrderState

ORDERS_END_WITHIN = timedelta(seconds=5)
"""How long a close waits for the ends of own orders."""

FLAT_WITHIN = timedelta(seconds=5)
"""How soon after its closing a position must be seen flat for anything to be opened."""

_FLAT_STANDS = timedelta(seconds=1)
"""How long FLAT must stand: a stop that has filled meanwhile shows it before NinjaTrader's own order turns it over."""

FILE_IS_LATE = timedelta(seconds=55)
"""How long what needs the number waits for the position's file, once own stops have ended for it."""

_WRITTEN_AGAIN = timedelta(seconds=10)
_GIVEN_UP = timedelta(seconds=60)
_MOST_WRITES = 2

_UNHEARD = timedelta(seconds=15)
"""How long a close of a position of which nothing was known is waited for: what is open moves within seconds."""

_FLAT_ALREADY = timedelta(seconds=5)
"""How long after its closing a position that was FLAT, but for an order on its way, is taken to have stayed so."""

_WATCHED = timedelta(seconds=10)
"""How long after its end a close is watched: NinjaTrader's own order may come after a stop has closed all."""

_SUPERSEDED = "a later command closes the position"

_FIRST_NUMBER = 90
"""From which on the orders that close are numbered among those that are made for one thing."""

_OPPOSITE: dict[Side, Side] = {"LONG": "SHORT", "SHORT": "LONG"}


def begin_close(
    turn: Turn,
    owner: str,
    account: str,
    instrument: str,
    until: datetime,
    *,
    keeps_entries: bool = False,
    even_flat: bool = False,
    only_orders: bool = False,
) -> Close:
    """Ask for a pair's position to be closed, for an instruction or an order; asked before, it is the same close.

    With `only_orders` it stays, and own orders end. What was received later than `until` is not touched. It begins when
    its turn has come.
    """
    name = f"{owner}/{pair(turn.at, account, instrument)}"
    known = turn.closes.get(name)
    if known is None or known.until != until:
        close = Close(name, owner, account, instrument, until, keeps_entries=keeps_entries, even_flat=even_flat)
        close = close._replace(only_orders=only_orders)
        if (why := why_not_account(turn, account)) is not None:
            close = close._replace(result="blocked", reason=why, ended_at=turn.at)
        turn.put(close)
    return turn.closes[name]


def follow_close(turn: Turn, close: Close) -> None:
    """Take the next step of a close, if there is one."""
    if not turn.owns:
        return
    if close.result is not None:
        _watch(turn, close)
    elif close.began is None:
        _begin(turn, close)
    elif close.made is not None:
        _follow_made(turn, close)
    elif close.writes == 0:
        _close(turn, close)
    else:
        _await_flat(turn, close)


def follow_close_file(turn: Turn, close: Close) -> None:
    """Move the file of a close out of `incoming` where NinjaTrader does not take it: it is written again."""
    if close.file is None:
        return
    follow_file(turn, close.file)
    if close.file.stage not in ("unread", "unwritten"):
        return
    name, writes = close.file.name, close.writes - 1
    if close.file.stage == "unread":
        turn.alarm_of(close.owner, "not_read", f"NinjaTrader has not taken {name}; it was moved out")
    elif close.held_until is None:
        turn.alarm_of(close.owner, "not_written", f"{name} could not be written")
    is_provably_unwritten = close.file.stage == "unwritten"
    turn.put(
        close._replace(
            file=None,
            writes=writes,
            first_at=close.first_at if writes else None,
            held_until=turn.at + (timedelta(seconds=1) if is_provably_unwritten else timedelta(0)),
            last_at=None if is_provably_unwritten and not writes else close.last_at,
        )
    )


def end_close(turn: Turn, close: Close, result: Result, why: str) -> None:
    """End a close that is not to go on, unless it has its result, and tell a person where own orders were cancelled."""
    if close.result is not None:
        return
    position = known_position(turn, close.account, close.instrument)
    if close.began is not None and position.side != "FLAT":
        what = f"{why}; own orders were cancelled, and the position is {position.side}"
        turn.alarm_of(close.owner, "unprotected", f"{close.instrument}, {close.account}: {what}")
    _finish(turn, close, result, why)


# Before anything is sent


def _begin(turn: Turn, close: Close) -> None:
    """Begin a close when NinjaTrader can carry it out, its turn has come, and the position is known as it can be."""
    account, instrument = close.account, close.instrument
    if not (turn.is_ready and is_next(turn, close.owner, account, instrument)):
        return
    if (failed := _failed_meanwhile(turn, close)) is not None:
        turn.put(close._replace(is_unheard=failed.is_unheard))
        _finish(turn, close, failed.result or "failed", f"with that of {failed.owner}: {failed.reason}")
        return
    position, moved_at = known_position(turn, account, instrument), unsettled_since(turn, account, instrument)
    if position.side == "FLAT" and moved_at is not None and turn.at - moved_at < SETTLES_WITHIN:
        return
    is_flat = position.side == "FLAT" and moved_at is None
    if is_flat and not (close.even_flat or close.only_orders):
        _end_waiting(turn, close)
        _finish(turn, turn.closes[close.name], "no_position")
        return
    had_orders = any(_is_sent(turn, close, order) for order in turn.active())
    turn.put(close._replace(began=turn.at, side=position.side, had_orders=had_orders))
    _supersede_openers(turn, close)
    _close(turn, turn.closes[close.name])


def _is_sent(turn: Turn, close: Close, order: TableOrder) -> bool:
    """Return whether an own order that a close is to end may be at the venue."""
    is_meant = _is_meant(turn, close, turn.orders.get(order.entry_id or "", order))
    return is_meant and any(it.may_work and (it.place or it.state) for it in turn.venue_orders_of(order))


def _failed_meanwhile(turn: Turn, close: Close) -> Close | None:
    """Return a close of the pair that has failed since this one was received: to try at once again is a loop."""
    others = (it for it in turn.closes.values() if it.pair == close.pair and it.name != close.name)
    failed = (it for it in others if it.result in ("failed", "unresolved") and it.writes)
    return next((it for it in failed if it.ended_at is not None and it.ended_at > close.until), None)


def _supersede_openers(turn: Turn, close: Close) -> None:
    """End what waits to open something in the pair, and was received before a command that closes it."""
    if not closes_alone(turn, close):
        return
    for other in list(turn.closes.values()):
        if other.pair == close.pair and other.until <= close.until and not closes_alone(turn, other):
            _supersede(turn, other)
    for it in list(turn.instructions.values()):
        waits = it.result is None and it.begun_at is None and it.asked.command not in CLOSING
        if waits and it.received_at <= close.until and concerns(turn, it, close.account, close.instrument):
            turn.put(it._replace(result="superseded", reason=_SUPERSEDED))


def _supersede(turn: Turn, close: Close) -> None:
    if close.result is None:
        _finish(turn, close, "superseded", _SUPERSEDED)


def _close(turn: Turn, close: Close) -> None:
    """Have own orders end, then close what is open by what is known then."""
    left = _end_orders(turn, close)
    if close.only_orders:
        _await_ends(turn, close, left=left)
        return
    position = known_position(turn, close.account, close.instrument)
    moved_at = unsettled_since(turn, close.account, close.instrument)
    by_order = close.keeps_entries or (position.side != "UNKNOWN" and _is_followed(turn, close))
    is_flat = position.side == "FLAT" and moved_at is None
    if left and is_flat:
        # There is nothing to close; what does not end may open something yet.
        patience = _GIVEN_UP if closes_alone(turn, close) else ORDERS_END_WITHIN
        if turn.at - (close.began or turn.at) >= patience:
            _finish(turn, close, "failed", f"own orders have not ended {patience.seconds} s after their cancel")
    elif left and (by_order or turn.at - (close.began or turn.at) < ORDERS_END_WITHIN):
        _tell_late(turn, close)
    elif moved_at is not None and turn.at - moved_at < (FILE_IS_LATE if by_order else SETTLES_WITHIN):
        return
    elif by_order and moved_at is not None:
        _fail(turn, close, "unsettled: NinjaTrader's file of the position is behind what was filled")
    elif is_flat and not by_order:
        _finish(turn, close, "done")  # a leg has closed it meanwhile, or there was nothing but orders
    elif by_order:
        _make(turn, close, position)
    elif _may_write(turn, close):
        side = close.side if position.side == "UNKNOWN" else position.side
        _write(turn, close._replace(side=side, is_unclean=left))
    else:
        _tell_late(turn, close)


def _await_ends(turn: Turn, close: Close, *, left: bool) -> None:
    if not left:
        _finish(turn, close, "done")
    elif turn.at - (close.began or turn.at) >= _GIVEN_UP:
        _finish(turn, close, "failed", "an order has not ended a minute after its cancel")


def _end_orders(turn: Turn, close: Close) -> bool:
    """Have the own orders of the pair end that were received before; return whether some have not ended yet."""
    is_left = False
    for order in list(turn.active()):
        entry = turn.orders.get(order.entry_id or "", order)
        if not _is_meant(turn, close, entry) or (close.keeps_entries and not _is_filled(turn, entry, order)):
            continue
        # What is filled from now on has its legs, where the position stays.
        began = close.began or turn.at
        is_protected = close.only_orders and not (entry.is_foreign or any(it.at <= began for it in entry.increments))
        if is_protected and order.leg:
            continue
        if entry.closing != close.name and not is_protected:
            turn.put(entry._replace(closing=close.name))
        if close.keeps_entries and order.leg is None:
            continue
        is_left = have_end(turn, order, _why(close)) or is_left
    return is_left


def _is_filled(turn: Turn, entry: TableOrder, order: TableOrder) -> bool:
    """Return whether the trade of an order has begun: of another journal's entry only the legs that are seen tell."""
    is_seen = order.leg is not None and order.is_foreign and any(it.state for it in turn.venue_orders_of(order))
    return is_seen or bool(entry.increments)


def have_end(turn: Turn, order: TableOrder, why: str) -> bool:
    """Have an own order end; return whether NinjaTrader has some of it still."""
    is_left = False
    if order.leg is None and not order.ended and (not order.venue_ids or is_being_replaced(turn, order)):
        end(turn, order, OrderState.CANCELLED, why)
    for it in turn.venue_orders_of(order):
        # An order of another journal has one of many ids: what is not seen NinjaTrader's own command ends.
        if it.may_work and (it.state or not order.is_foreign):
            _cancel(turn, it, why)
            is_left = True
    return is_left


def _is_meant(turn: Turn, close: Close, entry: TableOrder) -> bool:
    if pair(turn.at, entry.account, entry.instrument) != close.pair or is_of(entry, close.owner):
        return False
    return entry.received_at is None or entry.received_at <= close.until


def _why(close: Close) -> str:
    """Return why own orders are cancelled."""
    return "the orders of its instrument are cancelled" if close.only_orders else CLOSED


def _cancel(turn: Turn, order: VenueOrder, why: str) -> None:
    if order.cancel is not None and order.cancel.why == REPLACED:
        # Nothing comes in its place any more.
        turn.put(order._replace(cancel=order.cancel._replace(why=why)))
    ask_cancel(turn, turn.venue_orders[order.venue_id], why)


def _end_waiting(turn: Turn, close: Close) -> None:
    """End what would open at once, and was received before a close that has found no position."""
    for order in list(turn.active()):
        opens_at_once = order.leg is None and order.order_type == "MARKET" and not order.ended and not order.is_foreign
        was_sent = any(not it.is_unwritten for it in turn.venue_orders_of(order))
        if opens_at_once and not was_sent and _is_meant(turn, close, order):
            end(turn, order, OrderState.CANCELLED, CLOSED)


def _tell_late(turn: Turn, close: Close) -> None:
    """Tell a person of a close that cannot be carried out though its own stops are being cancelled."""
    if not close.is_late and close.began is not None and turn.at - close.began >= _GIVEN_UP:
        turn.put(close._replace(is_late=True))
        why = "a minute after its stops were to be cancelled the position cannot be closed yet: look at NinjaTrader"
        turn.alarm_of(close.owner, "unprotected", f"{close.instrument}, {close.account}: {why}")


# NinjaTrader's own command


def _may_write(turn: Turn, close: Close) -> bool:
    """Return whether CLOSEPOSITION may be written: never soon after one of which nothing is seen yet."""
    if not turn.is_ready or (close.held_until is not None and turn.at < close.held_until):
        return False
    others = (it for it in turn.closes.values() if it.pair == close.pair)
    written = [it.last_at for it in others if it.last_at and (it.result != "done" or it.is_flipped)]
    memory = turn.now.memory
    if memory is not None and close.until < memory.began:
        # Another journal may have begun it, until this one took over.
        written.append(memory.began)
    return not written or turn.at - max(written) >= _WRITTEN_AGAIN


def _write(turn: Turn, close: Close) -> None:
    venue_id, writes = oif.venue_id("close", close.name, close.until.isoformat()), close.writes + 1
    line = oif.close_position(turn.config.account(close.account) or close.account, close.instrument)
    file = turn.write(oif.file_name(venue_id, "close", writes), line)
    turn.put(close._replace(file=file, writes=writes, first_at=close.first_at or turn.at, last_at=turn.at))


def _await_flat(turn: Turn, close: Close) -> None:
    position = known_position(turn, close.account, close.instrument)
    close = _take_side(turn, close, position)
    last_at, first_at = close.last_at or turn.at, close.first_at or turn.at
    is_on_its_way = close.file is not None and close.file.is_under_way
    if _is_flat_since(turn, close, position, last_at) and not is_on_its_way:
        _finish_flat(turn, close)
    elif position.side == "UNKNOWN" and close.side == "UNKNOWN":
        if turn.at - first_at >= _UNHEARD:
            _end_unheard(turn, close)
    elif turn.at - first_at >= _GIVEN_UP:
        _give_up(turn, close, position)
    elif (
        close.writes < _MOST_WRITES
        and position.side in ("LONG", "SHORT")
        and not is_on_its_way
        and _may_write(turn, close)
        and not _end_orders(turn, close)
    ):
        _write(turn, close)


def _take_side(turn: Turn, close: Close, position: Position) -> Close:
    """Take down which side is open where that was not known, and that it was turned over."""
    if position.side not in _OPPOSITE or position.read_at is None or close.first_at is None:
        return close
    if position.read_at < close.first_at:
        return close
    if close.side not in _OPPOSITE:
        close = close._replace(side=position.side)
        turn.put(close)
    elif position.side != close.side and not close.is_flipped:
        _flip(turn, close, position)
    return turn.closes[close.name]


def _flip(turn: Turn, close: Close, position: Position) -> None:
    turn.put(close._replace(is_flipped=True))
    why = f"the position was {close.side} and is {position.side} {position.quantity} after its closing"
    turn.alarm_of(close.owner, "flipped", f"{close.instrument}, {close.account}: {why}; nothing opens there")
    block(turn, close.account, close.instrument, why)


def _is_flat_since(turn: Turn, close: Close, position: Position, last_at: datetime) -> bool:
    """Return whether a position is FLAT by what was read, or said, since its closing was written."""
    if position.side != "FLAT" or turn.at - position.since < _FLAT_STANDS:
        return False
    is_read = (position.read_at or position.since) >= last_at
    if close.side != "FLAT":
        return is_read
    # Nothing is written of what stays as it is.
    is_settled = unsettled_since(turn, close.account, close.instrument) is None
    return is_settled and (is_read or turn.at - last_at >= _FLAT_ALREADY)


def _finish_flat(turn: Turn, close: Close) -> None:
    if close.is_flipped:
        _finish(turn, close, "failed", "the position turned over while it was closed; it is flat now")
    else:
        _finish(
            turn, close, "done", "unclean: own orders had not ended when it was closed" if close.is_unclean else None
        )


def _end_unheard(turn: Turn, close: Close) -> None:
    """End a close of a position of which NinjaTrader has said nothing at all, and tell a person if there may be one.

    NinjaTrader writes a position when it changes: there was none, or the market is closed. So nothing is blocked.
    """
    has_evidence = close.had_orders or _net_since_flat(turn, close) != 0
    if has_evidence or _is_named(turn, close):
        why = why_unheard([close])
        if has_evidence:
            why = f"{why}. Own orders worked there, or have filled what nobody saw closed"
        turn.alarm_of(close.owner, "close_failed", f"{why}: look there")
    turn.put(close._replace(is_unheard=not has_evidence))
    _finish(turn, close, "unresolved", why_unheard([close]))


def why_unheard(closes: Sequence[Close]) -> str:
    """Return what is known of the positions of which NinjaTrader has said nothing, before their closing or after it."""
    pairs = ", ".join(f"{it.instrument} in {it.account}" for it in closes)
    return (
        f"NinjaTrader has said nothing of {pairs} since its start, nor after its CLOSEPOSITION, as where there is no "
        "position, or the market is closed; if it shows a position, close it there"
    )


def _net_since_flat(turn: Turn, close: Close) -> int:
    """Return what own orders of the pair have filled since it was last seen flat; below 0 where more was sold."""
    since = flat_since(turn, close.account, close.instrument)
    return sum(
        fill.quantity if it.action == "BUY" else -fill.quantity
        for it in turn.venue_orders.values()
        for fill in it.fills
        if (since is None or fill.at > since) and pair(turn.at, it.account, it.instrument) == close.pair
    )


def _is_named(turn: Turn, close: Close) -> bool:
    """Return whether an alert asks for this one position to be closed, and not for whatever is open."""
    owner = turn.instructions.get(close.owner)
    return owner is not None and owner.asked.command == "CLOSEPOSITION" and len(owner.closes) == 1


def _give_up(turn: Turn, close: Close, position: Position) -> None:
    """End a close whose position was not seen flat: a person is told, and nothing opens there."""
    where = f"{close.instrument}, {close.account}"
    seen = f"{position.side} {position.quantity}" if position.quantity else position.side
    why = f"the position was not seen flat within 60 s of its closing; it is {seen}"
    turn.alarm_of(close.owner, "close_failed", f"{where}: {why}: close it there; nothing opens there")
    block(turn, close.account, close.instrument, why)
    _finish(turn, close, "failed", why)


# An order of our own, where NinjaTrader's command would take too much with it


def _later(turn: Turn, close: Close) -> list[VenueOrder]:
    """Return what own orders have at the venue that were received later than the close."""
    newer = [it for it in turn.orders.values() if it.received_at is not None and it.received_at > close.until]
    entries = [
        it
        for it in newer
        if it.entry_id not in turn.orders
        if not is_of(it, close.owner) and pair(turn.at, it.account, it.instrument) == close.pair
    ]
    return [
        known for entry in entries for order in (entry, *turn.legs_of(entry)) for known in turn.venue_orders_of(order)
    ]


def _is_followed(turn: Turn, close: Close) -> bool:
    """Return whether something received later is at the venue already: the close was seen after it."""
    later = _later(turn, close)
    return any(it.place and it.may_work for it in later) or _net(later) != 0


def _net(orders: list[VenueOrder]) -> int:
    return sum(it.filled if it.action == "BUY" else -it.filled for it in orders)


def _make(turn: Turn, close: Close, position: Position) -> None:
    """Close what is open, but for what came later, by one opposite MARKET order."""
    if position.side == "UNKNOWN":
        _fail(turn, close, "position_unknown: NinjaTrader has not said how much is open")
        return
    is_followed = _is_followed(turn, close)
    left = signed(position) - _net(_later(turn, close))
    if left == 0:
        _finish(turn, close, "no_position" if is_followed else "done")
        return
    made = make_order(
        turn,
        close.owner,
        _FIRST_NUMBER + _number(turn, close),
        account=close.account,
        instrument=close.instrument,
        action="SELL" if left > 0 else "BUY",
        qty=abs(left),
        opens=False,
    )
    side: Side = "LONG" if left > 0 else "SHORT"
    turn.put(close._replace(made=made.order_id, side=side, first_at=turn.at, last_at=turn.at))


def _number(turn: Turn, close: Close) -> int:
    """Return the number of a close among those of what it is for."""
    instruction, order = turn.instructions.get(close.owner), turn.orders.get(close.owner)
    names = instruction.closes if instruction else ("", *order.month_closes) if order else ()
    return names.index(close.name) if close.name in names else 0


def signed(position: Position) -> int:
    """Return how much is open: below 0 where it is short."""
    return {"LONG": 1, "SHORT": -1}.get(position.side, 0) * position.quantity


def _follow_made(turn: Turn, close: Close) -> None:
    """Wait until the order that closes is filled and, unless something came later, for FLAT."""
    made = turn.orders[str(close.made)]
    known = turn.venue_orders_of(made)
    position = known_position(turn, close.account, close.instrument)
    last_at = close.last_at or turn.at
    if filled(known) >= made.qty:
        if _is_flat_since(turn, close, position, last_at) or _is_followed(turn, close):
            _finish(turn, close, "done")
        elif turn.at - last_at >= _GIVEN_UP:
            _give_up(turn, close, position)
    elif made.ended or (known and all(it.is_over for it in known)) or turn.at - last_at >= _GIVEN_UP:
        _give_up(turn, close, position)


# The end


def _finish(turn: Turn, close: Close, result: Result, reason: str | None = None) -> None:
    turn.put(turn.closes[close.name]._replace(result=result, reason=reason, ended_at=turn.at))
    for entry in list(turn.orders.values()):
        if entry.closing == close.name:
            # What is filled later has its legs again.
            ends_at = close.began if close.only_orders else close.first_at if close.made else None
            over = sum(it.at <= ends_at for it in entry.increments) if ends_at else None
            turn.put(entry._replace(closing=None, over=len(entry.increments) if over is None else over))


def _fail(turn: Turn, close: Close, why: str) -> None:
    """End a close whose stops have ended, and which cannot close."""
    tell_unprotected(turn, close.owner, close.account, close.instrument, f"its closing: {why}")
    _finish(turn, close, "failed", why)


def tell_unprotected(turn: Turn, owner: str, account: str, instrument: str, why: str) -> None:
    """Tell a person of a position whose own orders were cancelled for what did not come, unless it is flat."""
    position = known_position(turn, account, instrument)
    if position.side == "FLAT":
        return
    held = f"{position.side} {position.quantity}" if position.quantity else position.side
    what = f"{instrument}, {account}: own orders were cancelled for {why}; the position is {held}"
    if owner in turn.orders:
        turn.alarm_once(owner, "unprotected", what, of="its orders were cancelled")
    else:
        turn.alarm_of(owner, "unprotected", what)


def _watch(turn: Turn, close: Close) -> None:
    """Tell a person where a closed position is turned over after all, and nothing of ours has opened it."""
    if close.result != "done" or close.is_flipped or close.side not in _OPPOSITE or close.made or not close.ended_at:
        return
    if close.first_at is None or turn.at - close.ended_at >= _WATCHED:
        return
    position = known_position(turn, close.account, close.instrument)
    is_after = position.read_at is not None and position.read_at >= close.first_at
    if position.side == _OPPOSITE[close.side] and is_after and not _has_opened(turn, close, position.side):
        _flip(turn, close, position)


def _has_opened(turn: Turn, close: Close, side: Side) -> bool:
    """Return whether something of ours that was sent since the closing may have opened a side."""
    action = "BUY" if side == "LONG" else "SELL"
    return any(
        it.action == action
        and it.place is not None
        and it.place.at >= (close.first_at or turn.at)
        and turn.orders[it.order_id].leg is None
        and pair(turn.at, it.account, it.instrument) == close.pair
        for it in turn.venue_orders.values()
    )
