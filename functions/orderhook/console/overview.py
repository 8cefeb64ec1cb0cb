"""What the first page says before the alerts: whether alerts trade, what there was today, what needs a person.

An overview that nobody has asked for in the last seconds costs nine requests to the table at most with one key, and one
more for each position that may be without its stop, for each group of alerts that were answered 503 (of both no more
than `_MOST`), and for who has turned the kill switch. Asked for again at once it is one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Literal, NamedTuple

from orderhook import reference
from orderhook.bridge_messages import PositionReport
from orderhook.console.attention import Attention, Facts, Pair, needing_a_person, pair_of, pairs_in_question
from orderhook.console.remembered import remembered
from orderhook.console.visit import Visit
from orderhook.instructions import Instruction
from orderhook.listing import Unreadable, list_orders
from orderhook.needs import Need
from orderhook.orders import RESENDS_END, Order, timestamp
from orderhook.resend import EARLIEST
from orderhook.services import Services
from orderhook.store import items
from orderhook.store.alert_log import AlertRecord
from orderhook.store.bridge import BridgeState
from orderhook.store.controls import KillSwitchState
from orderhook.trade_window import end_of_day

MOST_COUNTED = 1000
"""As many alerts of today are counted."""

_SECONDS_OF_COUNTS = 30
_SECONDS = 10
"""For how long an instance remembers what it has read, but for the kill switch and the bridge."""

_MOST = 5
"""For how many positions, and groups of alerts, the table is asked more."""

_OF_ONE_GROUP = timedelta(minutes=10)
_MOST_NEAR = 300
"""How many records are read to see whether the alerts of a group came again."""

_SIMULATED_PREFIX, _PLAYBACK = "sim", "playback101"

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
    turned_by: str | None
    bridge: BridgeState | None
    """None without a venue."""
    away: str | None
    today: Today
    working: Mapping[str, int]
    """How many open orders each account has, waiting legs apart."""
    positions: Sequence[PositionReport] | None
    """Those that are open, or not known; None without a venue."""
    needs: Sequence[Attention]


class Market(NamedTuple):
    """What alerts can reach."""

    kind: Literal["none", "simulated", "live", "unknown"]
    """`unknown` where there is a venue, and its bridge has never said which accounts it has."""
    live: Sequence[str] = ()
    """The accounts that are not known to be simulated."""

    @property
    def words(self) -> str:
        """Say it; the names of accounts are as the bridge has them."""
        return {
            "none": "No venue: nothing reaches a market",
            "simulated": "Simulated accounts only",
            "live": f"LIVE: {', '.join(self.live)}",
            "unknown": "No bridge was heard of: nobody knows which accounts it has",
        }[self.kind]


def market_of(services: Services, bridge: BridgeState) -> Market:
    """Return what alerts can reach: an account whose name is not a simulation account's of NinjaTrader is live."""
    if services.venue.name is None:
        return Market("none")
    live = tuple(account for account in bridge.accounts if not is_simulated(account))
    if live:
        return Market("live", live)
    return Market("simulated" if bridge.accounts else "unknown")


def is_simulated(account: str) -> bool:
    """Return whether an account is one of NinjaTrader's simulation: Sim101, or that of its playback."""
    name = account.strip().casefold()
    return name.startswith(_SIMULATED_PREFIX) or name == _PLAYBACK


def needs_person(visit: Visit) -> int:
    """Return how many things need a person."""
    return len(_overview_of(visit).needs)


def overview_of(visit: Visit) -> Overview:
    """Return what the first page says before the alerts."""
    return _overview_of(visit)


def _overview_of(visit: Visit) -> Overview:
    services, trader, now = visit.services, visit.trader, visit.now
    switch, heard = services.controls.with_bridge(trader)
    bridge = heard if services.venue.name else None
    known = remembered(trader, "open", now, _SECONDS, lambda: _Read.of(services, trader, now))
    reaches = visit.session.grant.limits.reaches if visit.session.grant.limits else None
    facts = known.facts(bridge, now)
    away = bridge.away(now) if bridge else None
    return Overview(
        standing=_standing(visit, switch, away),
        kill_switch=switch,
        turned_by=_turned_by(services, trader, now, switch),
        bridge=bridge,
        away=away,
        today=remembered(trader, "today", now, _SECONDS_OF_COUNTS, partial(_today, services, trader, now)),
        working=_working(it for it in known.orders if reaches is None or reaches(it.account, it.instrument)),
        positions=_open_positions(it for it in known.positions if reaches is None or reaches(it.account, it.instrument))
        if bridge
        else None,
        needs=[it for it in needing_a_person(facts) if reaches is None or _is_reached(visit, it)],
    )


def _is_reached(visit: Visit, it: Attention) -> bool:
    """Return whether something is there for this session: what names no account may be anybody's."""
    limits = visit.session.grant.limits
    return limits is None or limits.refusal(account=it.account, instrument=it.instrument) is None


class _Read(NamedTuple):
    """What was read of the table for the list of what needs a person."""

    orders: Sequence[Order]
    open_ids: frozenset[str]
    instructions: Sequence[Instruction]
    kept: Sequence[Need]
    records: Sequence[AlertRecord]
    repeated: frozenset[str]
    unsearched: frozenset[str]
    positions: Sequence[PositionReport]
    seen_flat: Mapping[Pair, str]

    @classmethod
    def of(cls, services: Services, trader: str, now: datetime) -> "_Read":
        """Read it."""
        rows = list(list_orders(services, trader, timestamp(now), open_only=True))
        orders = [row for row in rows if isinstance(row, Order)]
        kept = list(services.needs.latest(trader))
        records = list(services.alert_log.unlooked(trader))
        repeated, unsearched = _repeated(services, trader, records)
        with_venue = services.venue.name is not None
        in_question = pairs_in_question(kept, records) if with_venue else {}
        return cls(
            orders=orders,
            open_ids=frozenset(row.id if isinstance(row, Unreadable) else row.order_id for row in rows),
            instructions=list(_instructions(services, trader)) if with_venue else [],
            kept=kept,
            records=records,
            repeated=repeated,
            unsearched=unsearched,
            positions=list(services.bridge.positions(trader)) if with_venue else [],
            seen_flat={
                pair: at
                for pair, named in islice(in_question.items(), _MOST)
                if (at := services.bridge.last_flat(trader, *named))
            },
        )

    def facts(self, bridge: BridgeState | None, now: datetime) -> Facts:
        """Return it as the list takes it."""
        return Facts(
            now=now,
            bridge=bridge,
            positions={pair_of(it.account, it.instrument): it for it in self.positions},
            **{name: getattr(self, name) for name in self._fields if name != "positions"},
        )


def _instructions(services: Services, trader: str) -> Iterable[Instruction]:
    for item in services.instructions.open_items(trader):
        with suppress(*items.UNREADABLE):
            yield items.instruction(item)


def _repeated(services: Services, trader: str, records: Sequence[AlertRecord]) -> tuple[frozenset[str], frozenset[str]]:
    """Return which of the alerts answered 503 came again, and of which nobody has looked: a few groups are enough."""
    groups: list[list[AlertRecord]] = []
    for record in (it for it in records if it.status >= 500):  # the newest first
        if groups and _at(groups[-1][-1]) - _at(record) <= _OF_ONE_GROUP:
            groups[-1].append(record)
        else:
            groups.append([record])
    repeated: set[str] = set()
    unsearched = {it.request_id for group in groups[_MOST:] for it in group}
    for group in groups[:_MOST]:
        since, until = _at(group[-1]), _at(group[0]) + RESENDS_END
        near = list(islice(services.alert_log.newest(trader, since, until), _MOST_NEAR))
        repeated |= {it.request_id for it in group if any(_repeats(other, it) for other in near)}
        if len(near) == _MOST_NEAR:
            unsearched |= {it.request_id for it in group if it.request_id < near[-1].request_id}
    return frozenset(repeated), frozenset(unsearched - repeated)


def _repeats(other: AlertRecord, record: AlertRecord) -> bool:
    """Return whether an alert is the same one again, so that its own record says what became of it."""
    if other.key_id != record.key_id or dict(other.fields) != dict(record.fields):
        return False
    return EARLIEST <= _at(other) - _at(record) <= RESENDS_END


def _at(record: AlertRecord) -> datetime:
    return datetime.fromisoformat(record.received_at)


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
    return any(key.trader == trader and not key.revoked for key in services.keys.list())


def _turned_by(services: Services, trader: str, now: datetime, switch: KillSwitchState) -> str | None:
    """Return the label of who has turned the kill switch on, None where nobody knows any more."""
    request_id = switch.request_id
    if not switch.on or request_id is None:
        return None

    def read() -> str | None:
        record = services.alert_log.get(trader, request_id.partition(".")[0])
        return f"{record.key_label or record.key_id} ({record.source})" if record else switch.key_id

    return remembered(trader, f"turned by {request_id}", now, _SECONDS_OF_COUNTS, read)


def day_began(now: datetime) -> datetime:
    """Return when today began: at the last 17:00 in New York."""
    return end_of_day(now) - timedelta(days=1)


def shown_as(status: int, outcome: str, *, duplicate: bool) -> Shown:
    """Return under which word an alert is listed: refused, later (its delay is not over), repeated or done."""
    if status >= 400:
        return "refused"
    if outcome == "scheduled":
        return "later"
    return "repeated" if duplicate else "done"


def _today(services: Services, trader: str, now: datetime) -> Today:
    since = day_began(now)
    counts: Counter[Shown] = Counter()
    reasons: set[str] = set()
    number = 0
    for status, outcome, duplicate, origin in services.alert_log.answers(trader, since, MOST_COUNTED):
        number += 1
        if origin == "operator" or outcome in reference.OPERATOR_WORDS:
            continue
        shown = shown_as(status, outcome, duplicate=duplicate)
        counts[shown] += 1
        if shown == "refused":
            reasons.add(outcome)
    return Today(since, counts, len(reasons), number < MOST_COUNTED)


def _working(orders: Iterable[Order]) -> Mapping[str, int]:
    """Return how many open orders each account has: a leg that waits for its entry works nowhere yet."""
    counted = Counter(order.account for order in orders if not _waits(order))
    return dict(sorted(counted.items()))


def _waits(order: Order) -> bool:
    return order.entry_id is not None and order.released_at is None


def _open_positions(positions: Iterable[PositionReport]) -> Sequence[PositionReport]:
    return [it for it in positions if it.side != "FLAT"]
