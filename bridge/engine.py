"""Decides what the bridge does: (state, event) to (state, effects). No input or output, and no clock.

looking, reading     record what the table and NinjaTrader's files say
adopting             takes in what another journal has placed
carrying_out         brings an order nearer to what is wanted of it
legs                 what is asked of legs is done with what is asked of their entry
brackets, positions  protect what is filled; cancel legs that a closed position has left
instructing, closing, partial_closes, reversing, strategy_closes, atm_closes, bracketing, making, pairs
                     carry out what is asked of positions, one thing of a pair after the other
heeding, conditions  have conditions be heeded before an order is placed, or an instruction carried out
cancelling, changing, confirming
                     what was written is held, repeated, confirmed, or left to a person
lateness             what came too late is told of
reporting, readiness what the cloud is told

After each event every open order takes its next step, by what is known and what is wanted: so a step that could not be
taken, or was lost with the process, is taken at the next.
"""

from datetime import datetime

from bridge.adopting import decline_change, watch
from bridge.brackets import cancel_by_name, keep
from bridge.cancelling import follow_cancel
from bridge.carrying_out import carry_out
from bridge.changing import follow_change
from bridge.closing import follow_close, follow_close_file
from bridge.confirming import follow_files, follow_state, forget_states
from bridge.events import (
    ConnectionRead,
    Effect,
    Event,
    Fetched,
    FileConsumed,
    FileMovedOut,
    FileNotWritten,
    FileWritten,
    FlatConfirmed,
    LogLine,
    Looked,
    NinjaTraderStarted,
    NinjaTraderStopped,
    OrderStateRead,
    PositionRead,
    Resumed,
    Tick,
)
from bridge.heeding import cancel_resync, heed, watch_resync
from bridge.instructing import instruct, rank, report_instruction
from bridge.lateness import watch_lateness
from bridge.legs import settle
from bridge.looking import fetch, look
from bridge.pairs import resume
from bridge.positions import confirm_flat, end_orphans, forget_positions, read_position
from bridge.readiness import beat, probe, probe_is_taken
from bridge.reading import file_is, forget_unclaimed, read_log, read_state
from bridge.records import TableOrder
from bridge.reporting import report
from bridge.state import State, Turn


def step(state: State, event: Event, at: datetime) -> tuple[State, list[Effect]]:
    """Return the state after an event, and what is to be done, in this order; `at` is AWS's time.

    The effects are done one after the other, up to the first that fails: the state is the new one all the same, except
    that a Save that fails ends the bridge.
    """
    turn = Turn(state, at)
    _take_down(turn, event)
    if turn.now.has_read:
        _act(turn)
    return turn.done()


def _take_down(turn: Turn, event: Event) -> None:
    match event:
        case Looked():
            look(turn, event)
        case Fetched():
            fetch(turn, event)
        case FileWritten():
            file_is(turn, event.name, "written")
        case FileNotWritten():
            file_is(turn, event.name, "unwritten", event.reason)
        case FileConsumed():
            file_is(turn, event.name, "consumed")
        case FileMovedOut():
            file_is(turn, event.name, "unread")
        case OrderStateRead():
            read_state(turn, event)
        case PositionRead():
            read_position(turn, event)
        case ConnectionRead():
            since = turn.now.connected_at if turn.now.connected else turn.at
            turn.set(connected=event.connected, connected_at=since if event.connected else None)
        case NinjaTraderStarted():
            turn.set(runs=True, reads=False, probe=None, connected=turn.now.connected and not event.emptied)
            forget_positions(turn)
            if event.emptied:
                forget_states(turn)
                forget_unclaimed(turn)
        case NinjaTraderStopped():
            turn.set(runs=False, reads=False, connected=False)
            forget_positions(turn)
        case LogLine():
            read_log(turn, event)
        case FlatConfirmed():
            confirm_flat(turn, event.account)
        case Resumed():
            resume(turn, event.account, event.instrument)
        case Tick():
            turn.set(has_read=True)


def _act(turn: Turn) -> None:
    """Have every order take its next step: what is cancelled first, then what protects, then what opens."""
    probe_is_taken(turn)
    for order in turn.active():
        for venue_order in turn.venue_orders_of(order):
            follow_files(turn, venue_order)
            follow_change(turn, turn.venue_orders[venue_order.venue_id])
            follow_state(turn, turn.venue_orders[venue_order.venue_id])
    for instruction in sorted(turn.instructions.values(), key=rank):
        instruct(turn, turn.instructions[instruction.instruction_id])
    for close in list(turn.closes.values()):
        follow_close_file(turn, close)
        follow_close(turn, turn.closes[close.name])
    asked = [order.order_id for order in sorted(turn.active(), key=_asked_at)]
    for order in map(turn.orders.__getitem__, asked):
        if order.wants_cancel:
            cancel_resync(turn, order)
            (cancel_by_name if order.leg else carry_out)(turn, order)
            _write_cancels(turn, order)
        if order.is_foreign:
            decline_change(turn, turn.orders[order.order_id])
        if order.is_foreign and order.leg:
            watch(turn, turn.orders[order.order_id])
    for entry in turn.active_entries():
        settle(turn, turn.orders[entry.order_id])
        keep(turn, turn.orders[entry.order_id])
    end_orphans(turn)
    for order in map(turn.orders.__getitem__, asked):
        if order.leg is None and not order.wants_cancel and heed(turn, order):
            carry_out(turn, turn.orders[order.order_id])
    for order in turn.active():
        _write_cancels(turn, order)
        watch_resync(turn, turn.orders[order.order_id])
        watch_lateness(turn, turn.orders[order.order_id])
        report(turn, turn.orders[order.order_id])
    for instruction in list(turn.instructions.values()):
        instruct(turn, turn.instructions[instruction.instruction_id])
        report_instruction(turn, turn.instructions[instruction.instruction_id])
    turn.tell_unreported_alarms()
    probe(turn)
    beat(turn)


def _write_cancels(turn: Turn, order: TableOrder) -> None:
    for venue_order in turn.venue_orders_of(turn.orders[order.order_id]):
        follow_cancel(turn, venue_order)


def _asked_at(order: TableOrder) -> float:
    return order.wanted_at.timestamp() if order.wanted_at else 0.0
