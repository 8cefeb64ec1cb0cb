"""What a bridge has reported goes into the table; what somebody should look at becomes a metric."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from orderhook import alarms, needs
from orderhook.bridge_messages import Heartbeat, InstructionReport, OrderReport, PositionReport, Sent
from orderhook.instructions import OVERDUE
from orderhook.orders import TERMINAL, Order, OrderState, timestamp
from orderhook.provenance import Provenance
from orderhook.services import Services
from orderhook.store.reports import ReportResult
from orderhook.trade import entry_and_leg
from orderhook.venues import NINJATRADER

_FAILED = ("failed", "unresolved")


class Taken(NamedTuple):
    """What has come of a report: for its log line, which one that says nothing new does without, and its metrics."""

    told: Mapping[str, object]
    metrics: tuple[str, ...] = ()


def take(services: Services, sent: Sent, at: datetime) -> Taken:
    """Record what a bridge has sent at this time; run twice, or late, it is recorded once."""
    match sent.what:
        case OrderReport():
            return _order(services, sent.trader, sent.what, at)
        case InstructionReport():
            return _instruction(services, sent.trader, sent.what, at)
        case PositionReport():
            return _position(services, sent, sent.what)
        case Heartbeat():
            return _heartbeat(services, sent.trader, sent.what, at)


def _order(services: Services, trader: str, said: OrderReport, at: datetime) -> Taken:
    # A leg's first entry is that of the report which released it, so its own reports must have other ids.
    leg = entry_and_leg(said.order_id)
    request_id = f"report.{said.seq}.{leg[1]}" if leg else f"report.{said.seq}"
    provenance = Provenance(trader, str(NINJATRADER.name), request_id, at)
    result = services.reports.take(provenance, said)
    for execution in said.executions:
        services.bridge.put_execution(trader, execution, said.order_id, result.before)
    services.needs.note(trader, needs.of_order(said, result, at))
    told = {
        "order_id": said.order_id,
        "state": said.state,
        "filled": said.filled,
        "seq": said.seq,
        "acked": said.acked,
        "reason": said.reason,
        "unresolved": said.unresolved,
        "alarms": [*said.alarms] or None,
        "unprotected": [*result.unprotected] or None,
        "applied": result.applied,
        "known": result.before is not None,
    }
    return Taken(told, ("Reports", *dict.fromkeys(_metrics(said, result))))


def _metrics(said: OrderReport, result: ReportResult) -> Iterator[str]:
    before, after = result.before, result.after
    # Of what neither works nor was filled there is nothing to look at.
    if before is None and (said.filled or said.executions or said.state not in TERMINAL):
        yield alarms.UNATTACHED
    # What comes a second time rings a second time: nobody knows whether the first has rung.
    yield from alarms.metrics_of_bridge(said.alarms)
    if before is None or after is None:
        return
    if (after.unresolved and not before.unresolved) or _is_new(OrderState.UNKNOWN, before, after):
        yield alarms.UNRESOLVED
    if needs.is_overfilled(before, after):
        yield alarms.OVERFILLS
    if result.unprotected:
        yield alarms.UNPROTECTED


def _is_new(state: OrderState, before: Order, after: Order) -> bool:
    return after.state is state and before.state is not state


def _instruction(services: Services, trader: str, said: InstructionReport, at: datetime) -> Taken:
    provenance = Provenance(trader, str(NINJATRADER.name), f"report.{said.seq}", at)
    instruction, applied = services.instructions.report(provenance, said)
    if instruction is not None:
        # Each time: where it was not taken the first time, the report comes again.
        services.alert_log.note_result(trader, instruction)
    services.needs.note(trader, needs.of_instruction(said, instruction, at))
    told = {
        "instruction_id": said.instruction_id,
        "result": said.result,
        "reason": said.reason,
        "alarms": [*said.alarms] or None,
        "applied": applied,
        "known": instruction is not None,
    }
    unattached = () if instruction else (alarms.UNATTACHED,)
    failed = (alarms.NOT_CARRIED_OUT,) if said.result in _FAILED else ()
    rung = (*unattached, *failed, *alarms.metrics_of_bridge(said.alarms))
    return Taken(told, ("Reports", *dict.fromkeys(rung)))


def _position(services: Services, sent: Sent, said: PositionReport) -> Taken:
    owner = services.bridge.owner(sent.trader)
    is_owner = owner in (None, sent.journal)
    if is_owner:
        if said.side == "FLAT":
            services.bridge.note_flat(sent.trader, said)
        services.bridge.put_position(sent.trader, said)
    told = {name: getattr(said, name) for name in ("account", "instrument", "side", "quantity")}
    return Taken(told | {"owner": is_owner}, ("Reports",))


def _heartbeat(services: Services, trader: str, said: Heartbeat, at: datetime) -> Taken:
    owns = services.bridge.note_heartbeat(trader, said, at)
    if owns:
        for position in said.positions:
            services.bridge.put_position(trader, position)
    services.needs.note(trader, needs.of_heartbeat(said))
    overdue = _overdue(services, trader, at) if owns else None
    ready = [alarms.BRIDGE_READY] if owns and said.ready else []
    rung = ((alarms.NOT_CARRIED_OUT,) if overdue else ()) + tuple(alarms.metrics_of_bridge(said.alarms))
    metrics = ("Reports", *ready, *dict.fromkeys(rung))
    if ready and not rung:
        return Taken({}, metrics)
    told = {"journal": said.journal, "host": said.host, "owner": owns, "ready": said.ready, "reason": said.reason}
    return Taken(told | {"alarms": [*said.alarms] or None, "overdue": overdue}, metrics)


def _overdue(services: Services, trader: str, at: datetime) -> str | None:
    """Return the id of the oldest instruction if it is under way for too long: one that the bridge does not end."""
    oldest = next(services.instructions.open_items(trader), None)
    if oldest is None or str(oldest.get("asked_at", oldest.get("received_at"))) > timestamp(at - OVERDUE):
        return None
    return str(oldest["sk"]).partition("#")[2]
