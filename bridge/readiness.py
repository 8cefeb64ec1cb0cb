"""Whether what opens can be carried out: the probe, and the heartbeat that says so."""

from datetime import datetime, timedelta

from bridge import oif
from bridge.confirming import follow_file
from bridge.events import SendReport
from bridge.positions import report_of
from bridge.state import State, Turn
from orderhook.bridge_messages import Heartbeat
from orderhook.orders import timestamp

_PROBED_AGAIN = timedelta(seconds=5)
_HEARTBEAT = timedelta(seconds=30)


def probe(turn: Turn) -> None:
    """Where it is in doubt whether NinjaTrader takes files, write a CANCEL of an id that no order has."""
    known = turn.now.probe
    if known is not None:
        follow_file(turn, known, is_kept=False)  # while NinjaTrader takes none, there are thousands a day
    if turn.now.reads or turn.now.runs is False or not turn.owns:
        return
    if known is None or turn.at - known.at >= _PROBED_AGAIN:
        venue_id = oif.venue_id("probe", turn.config.journal, timestamp(turn.at))
        turn.set(probe=turn.write(oif.file_name(venue_id, "cancel"), oif.cancel(venue_id)))


def probe_is_taken(turn: Turn) -> None:
    """Record that NinjaTrader takes files, if the probe says so."""
    if turn.now.probe is not None and turn.now.probe.stage == "consumed":
        turn.set(probe=None, reads=turn.now.runs is not False)


def why_not_ready(turn: Turn) -> str | None:
    """Return why what opens cannot be carried out; None where it can."""
    if not turn.owns:
        return f"the bridge with the journal {turn.now.owner} owns the stack" if turn.now.owner else "not heard yet"
    if turn.now.runs is False:
        return "NinjaTrader does not run"
    if not turn.now.reads:
        return "NinjaTrader has not taken a file yet: is its AT Interface on?"
    return None if turn.now.connected else "NinjaTrader has no connection"


def beat(turn: Turn) -> None:
    """Send a heartbeat every 30 s, and at once when the bridge gets ready, or is so no more."""
    why = why_not_ready(turn)
    last, at = turn.now.heartbeat, turn.now.heartbeat_at
    is_news = last is None or (last.ready, last.reason) != (why is None, why)
    if is_news or at is None or turn.at - at >= _HEARTBEAT or turn.now.alarms:
        heartbeat = _heartbeat(turn, why)
        turn.set(heartbeat=heartbeat, heartbeat_at=turn.at, alarms=())
        turn.ask(SendReport(heartbeat))


def _heartbeat(turn: Turn, why: str | None) -> Heartbeat:
    config = turn.config
    return Heartbeat(
        journal=config.journal,
        host=config.host,
        accounts=tuple(config.accounts),
        ready=why is None,
        at=timestamp(turn.at),
        reason=why,
        take_over=config.take_over,
        positions=tuple(report_of(turn, it) for it in turn.now.positions.values()),
        alarms=turn.now.alarms,
    )


def farewell(state: State, at: datetime) -> Heartbeat:
    """Return the last heartbeat of a bridge that stops."""
    return _heartbeat(Turn(state, at), "the bridge was stopped")
