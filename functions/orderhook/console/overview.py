"""What the first page says before the alerts: whether alerts trade, what there was today, what needs a person.

An overview that nobody has asked for in the last seconds costs nine requests to the table at most with one key, and one
more for each position that may be without its stop, and for each group of alerts that were answered 503, of both no
more than `gathering.MOST_ASKED`. Asked for again at once it is one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Literal, NamedTuple

from orderhook import reference
from orderhook.attention.gathering import Gathered
from orderhook.attention.needing import Attention, needing_a_person
from orderhook.attention.protection import cover
from orderhook.bridge_messages import PositionReport
from orderhook.console.remembered import remembered
from orderhook.console.visit import Visit
from orderhook.errors import OrderhookError
from orderhook.orders import Order
from orderhook.services import Services
from orderhook.store.alert_log import UNREADABLE, AlertRecord, Answered, end_of_id
from orderhook.store.bridge import BridgeState
from orderhook.store.controls import KillSwitchState
from orderhook.trade_window import day_began

MOST_COUNTED = 1000
"""As many alerts of today are counted."""

_SECONDS_OF_COUNTS = 30
_SECONDS = 10
"""For how long an instance remembers what it has read, but for the kill switch and the bridge."""

Standing = Literal["stopped", "no key", "bridge away", "no venue", "trades"]
Shown = Literal["done", "refused", "repeated", "later"]


class Today(NamedTuple):
    """How many alerts came since the last 17:00 in New York, and what they were answered."""

    since: datetime
    counts: Mapping[Shown, int]
    reasons: int
    """How many different ones the refused have."""
    is_whole: bool
    """Whether it is all of today: there may be more than are counted."""


class Overview(NamedTuple):
    """What the first page says before the alerts."""

    standing: Standing
    kill_switch: KillSwitchState
    bridge: BridgeState | None
    """None without a venue."""
    away: str | None
    today: Today
    working: Mapping[str, int]
    """How many open orders each account has, waiting legs apart."""
    positions: Sequence[PositionReport] | None
    """Those that are open, or not known; None without a venue."""
    needs: Sequence[Attention]
    without_stop: int = 0
    """How many of the positions no stop is for: that the trader has asked for none calls for nobody."""
    not_wholly_protected: int = 0
    """For how many there are stops, of which it is not known that they work for all of it."""


def overview_in_time(visit: Visit) -> Overview | None:
    """Return what the first page says before the alerts; None where that cannot be read in time."""
    try:
        return overview_of(visit)
    except OrderhookError:
        return None


def overview_of(visit: Visit) -> Overview:
    """Return what the first page says before the alerts."""
    services, trader, now = visit.services, visit.trader, visit.now
    switch, heard = visit.controls().kill_switch, visit.controls().bridge
    bridge = heard if services.venue.name else None
    known = remembered(trader, "open", now, _SECONDS, lambda: Gathered.of(services, trader, now))
    facts = known.facts(bridge, now)
    away = bridge.away(now) if bridge else None
    positions = _open_positions(it for it in known.positions if visit.reaches(it.account, it.instrument))
    less = [it for at in positions if (it := cover(at, known.orders)).covered < at.quantity]
    return Overview(
        standing=_standing(visit, switch, away),
        kill_switch=switch,
        bridge=bridge,
        away=away,
        today=remembered(trader, f"today {_limits_of(visit)}", now, _SECONDS_OF_COUNTS, partial(_today, visit)),
        working=_working(it for it in known.orders if visit.reaches(it.account, it.instrument)),
        positions=positions if bridge else None,
        needs=[it for it in needing_a_person(facts) if _is_reached(visit, it)],
        without_stop=sum(not (it.covered or it.uncertain) for it in less),
        not_wholly_protected=sum(bool(it.covered or it.uncertain) for it in less),
    )


def _limits_of(visit: Visit) -> str:
    return "" if visit.sees_all else visit.session.session_id


def _is_reached(visit: Visit, it: Attention) -> bool:
    """Return whether something is there for this session: what names no account may be anybody's."""
    limits = visit.session.grant.limits
    return limits is None or limits.refusal(account=it.account, instrument=it.instrument) is None


def _standing(visit: Visit, switch: KillSwitchState, away: str | None) -> Standing:
    if switch.on:
        return "stopped"
    has_key = partial(_has_key, visit.services, visit.trader)
    if not remembered(visit.trader, "key", visit.now, _SECONDS_OF_COUNTS, has_key):
        return "no key"
    if away:
        return "bridge away"
    return "no venue" if visit.services.venue.name is None else "trades"


def _has_key(services: Services, trader: str) -> bool:
    """Return whether there is a key by which alerts are taken; it reads no more of them than that takes."""
    return any(key.trader == trader and key.takes_alerts for key in services.keys.list())


def shown_as(it: Answered) -> Shown | None:
    """Return under which word an alert is listed and counted; None of what is none.

    What is done beside alerts is none, nor is an order's time limit, unless that was not carried out.
    """
    if it.origin == "operator" or it.outcome in reference.OPERATOR_WORDS or it.outcome == UNREADABLE:
        return None
    if it.origin == "cancel_after" and (it.status < 400 or it.outcome == "order_already_terminal"):
        return None
    if it.status >= 400 or it.is_partly_done:
        return "refused"
    if it.is_duplicate or it.outcome.startswith("already_"):
        return "repeated"
    return "later" if it.outcome == "scheduled" else "done"


def is_alert(record: AlertRecord) -> bool:
    """Return whether a record is that of an alert, or of what was sent by hand or a program as one."""
    return record.origin in ("webhook", "console", "api") and shown_as(record.answered) is not None


class LaterResults:
    """Which alerts with a delay are counted by what came of them, as long as records are passed newest first."""

    def __init__(self) -> None:
        self._ends: set[str] = set()

    def has(self, it: Answered) -> bool:
        """Note a result; of an alert with a delay return whether its result was passed."""
        if it.origin == "delayed":
            self._ends.add(end_of_id(it.request_id))
        return it.outcome == "scheduled" and end_of_id(it.request_id) in self._ends


def _today(visit: Visit) -> Today:
    log, since = visit.services.alert_log, day_began(visit.now)
    if visit.sees_all:
        return _counted(since, log.answers(visit.trader, since, MOST_COUNTED))
    records = list(islice(log.newest(visit.trader, since), MOST_COUNTED))
    counted = _counted(since, (it.answered for it in records if visit.sees(it)))
    return counted._replace(is_whole=len(records) < MOST_COUNTED)


def _counted(since: datetime, answers: Iterable[Answered]) -> Today:
    counts: Counter[Shown] = Counter()
    reasons: set[str] = set()
    results = LaterResults()
    number = 0
    for it in answers:
        number += 1
        shown = shown_as(it)
        if shown is None or results.has(it):
            continue
        counts[shown] += 1
        if shown == "refused":
            reasons.add(it.outcome if it.status >= 400 else "partly done")
    return Today(since, counts, len(reasons), number < MOST_COUNTED)


def _working(orders: Iterable[Order]) -> Mapping[str, int]:
    """Return how many open orders each account has: a leg that waits for its entry works nowhere yet."""
    counted = Counter(order.account for order in orders if not _waits(order))
    return dict(sorted(counted.items()))


def _waits(order: Order) -> bool:
    return order.entry_id is not None and order.released_at is None


def _open_positions(positions: Iterable[PositionReport]) -> Sequence[PositionReport]:
    return [it for it in positions if it.side != "FLAT"]
