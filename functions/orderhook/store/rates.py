"""How often the alerts of one id, and the orders of one key, may come: those that a rate limit counts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zlib import crc32

from orderhook.aws.budget import ANSWER_SECONDS, last_requests_until, repeatable_writes
from orderhook.errors import OutcomeUnknownError, RateLimitedError, TemporarilyUnavailableError
from orderhook.orders import Trace, timestamp
from orderhook.provenance import Provenance
from orderhook.rate_limit import MAX_ALERTS, Rate
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.traces import ADDS_TRACE, SETS_TRACES, FirstReceipt, takes_trace, trace_values, traces_of
from orderhook.store.writes import ConditionFailed, Item, Update

_KEPT = timedelta(days=2)
"""Longer than the longest rate limit looks back, however far the clocks of two functions are apart."""

_RACES = 4
"""How often other alerts of the same id may be counted at the same moment before this one gives up."""


class Counter(NamedTuple):
    """What a rate limit counts together, and how many of them an alert is."""

    counter_id: str
    rate: Rate
    number: int = 1
    of_key: bool = False

    @classmethod
    def for_key(cls, key_id: str, rate: Rate, number: int) -> "Counter":
        """Return the counter of the orders that a key opens; no alert can give its id, for none holds a '='."""
        return cls(f"key={key_id}", rate, number, of_key=True)

    def entries(self, at: datetime, request_id: str) -> frozenset[int]:
        """Return what an alert leaves in it."""
        if self.number == 1:
            return frozenset({_entry(at, request_id)})
        return frozenset(_entry(at, f"{request_id}.{part}") for part in range(1, self.number + 1))


class _Counted(NamedTuple):
    """The alerts of one id that are counted, and the longest time for which one of them had to be."""

    alerts: frozenset[int] = frozenset()
    seconds: int = 0
    version: int = 0
    traces: Sequence[Trace] = ()
    """What they left, oldest first."""


class RateStore:
    """The counted alerts in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def count(self, provenance: Provenance, counter: Counter, first_receipt: FirstReceipt) -> None:
        """Count an alert; raises RateLimitedError, and counts nothing, if the rate allows no more.

        One conditional write while there are fewer than that, whenever they came. Otherwise the item that it met shows
        which of them no longer count, and a second write leaves those out. Alerts of one id may differ in their limits:
        each is judged by its own, over what the one that looks back furthest so far had to keep. A resend takes the
        place of the alert that it repeats, and a message that the queue delivers again its own.
        """
        _check_rate(provenance.at, counter, frozenset())
        own = counter.entries(provenance.at, provenance.request_id)
        for _ in range(_RACES):
            counted = self._count_if_few(provenance, counter, own)
            if counted is None or own <= counted.alerts:
                return
            again = (it for it in counted.traces if it.request_id == provenance.request_id)
            if any(_is_counted(it, counter, counted) for it in again):
                return
            first = first_receipt(counted.traces)
            if first and _holds_place(first, counter, counted):
                return
            _check_rate(provenance.at, counter, counted.alerts)
            if self._count_beside_recent(provenance, counter, own, counted):
                return
        which = "by this key" if counter.of_key else f"of id {counter.counter_id}"
        raise TemporarilyUnavailableError(
            f"Other alerts {which} are being counted. Send the same alert again; it is safe."
        )

    def uncount(self, provenance: Provenance, counter: Counter, number: int = MAX_ALERTS) -> None:
        """Take back so many of what this request was counted as, if it was and the table answers in time."""
        own = frozenset(sorted(counter.entries(provenance.at, provenance.request_id))[:number])
        expression = "DELETE #alerts :own ADD #version :one SET #request_id = :request_id"
        values = {":own": own, ":entry": min(own), ":one": 1}
        values |= {":request_id": provenance.request_id}
        try:
            # Mostly the time is almost up when this is called.
            with last_requests_until(ANSWER_SECONDS):
                self._update(provenance, counter, expression, "contains(#alerts, :entry)", values)
        except (TemporarilyUnavailableError, OutcomeUnknownError, ConditionFailed):
            return

    def _count_if_few(self, provenance: Provenance, counter: Counter, own: frozenset[int]) -> _Counted | None:
        """Count the alert if there are fewer than the rate allows, whenever they came; else return those there are."""
        rate = counter.rate
        expression = (
            "ADD #alerts :own, #version :one "
            "SET #seconds = if_not_exists(#seconds, :seconds), #request_id = :request_id, #expires = :expires, "
            f"{ADDS_TRACE}"
        )
        few = "attribute_not_exists(#alerts) OR size(#alerts) < :allowed"
        allowed = takes_trace(provenance.digest)
        condition = f"attribute_not_exists(#seconds) OR (#seconds >= :seconds AND ({few}) AND {allowed.expression})"
        values = _values(provenance, own, rate.seconds) | {":allowed": rate.alerts - len(own) + 1, ":none": []}
        values |= dict(allowed.values) | trace_values(_counted_at(provenance))
        try:
            self._update(provenance, counter, expression, condition, values)
        except ConditionFailed as failure:
            return _counted(failure.item, provenance)
        return None

    def _count_beside_recent(
        self, provenance: Provenance, counter: Counter, own: frozenset[int], counted: _Counted
    ) -> bool:
        """Count the alert, and forget those that no rate limit looks back to; returns False if others were quicker."""
        seconds = max(counter.rate.seconds, counted.seconds)
        recent = _recent(counted.alerts, provenance.at, seconds)
        alerts = own | frozenset(recent[-(MAX_ALERTS - len(own)) :])
        expression = (
            "SET #alerts = :own, #version = #version + :one, #seconds = :seconds, #request_id = :request_id, "
            f"#expires = :expires, {SETS_TRACES}"
        )
        values = _values(provenance, alerts, seconds) | {":seen": counted.version}
        values |= trace_values(_counted_at(provenance), counted.traces)
        try:
            self._update(provenance, counter, expression, "#version = :seen", values)
        except ConditionFailed:
            return False
        return True

    def _update(
        self, provenance: Provenance, counter: Counter, expression: str, condition: str, values: Mapping[str, object]
    ) -> None:
        key = items.rate_key(provenance.trader, counter.counter_id)
        # It places no order: an alert that fails after it may be sent again.
        with repeatable_writes():
            self._table.update(Update(key, expression, condition, values))


def _values(provenance: Provenance, alerts: frozenset[int], seconds: int) -> dict[str, Any]:
    return {
        ":own": alerts,
        ":one": 1,
        ":seconds": seconds,
        ":request_id": provenance.request_id,
        ":expires": int((provenance.at + _KEPT).timestamp()),
    }


def _counted(item: Item | None, provenance: Provenance) -> _Counted:
    item = item or {}
    alerts = frozenset(map(int, item.get("alerts", ())))
    traces = traces_of(item, provenance)
    return _Counted(alerts, int(item.get("seconds", 0)), int(item.get("version", 0)), traces)


def _check_rate(at: datetime, counter: Counter, alerts: frozenset[int]) -> None:
    """Raise RateLimitedError if the alert is more than the rate allows beside those that are counted."""
    alerts_allowed, seconds = counter.rate
    recent = _recent(alerts, at, seconds)
    beside = alerts_allowed - counter.number
    if len(recent) <= beside:
        return
    if beside < 0:
        raise RateLimitedError(
            f"This alert is {counter.number} orders, and its key may open {alerts_allowed} within {seconds} s: send "
            "fewer accounts in one alert, or use another key."
        )
    free = datetime.fromtimestamp(_milliseconds(recent[-1 - beside]) / 1000, UTC) + timedelta(seconds=seconds)
    came = (
        f"{len(recent)} orders were opened by this key within {seconds} s, and its limit"
        if counter.of_key
        else f"Alerts of id {counter.counter_id} within {seconds} s: {len(recent)}; rate_limit"
    )
    raise RateLimitedError(
        f"{came} allows {alerts_allowed}. The next may come at {timestamp(free)}.",
        field=None if counter.of_key else "rate_limit",
    )


def _holds_place(first: Trace, counter: Counter, counted: _Counted) -> bool:
    """Return whether the alert that a resend repeats, or an earlier resend of it, is counted."""
    equal = (it for it in counted.traces if it.digest == first.digest and it.received_at >= first.received_at)
    return any(_is_counted(it, counter, counted) for it in equal)


def _is_counted(left: Trace, counter: Counter, counted: _Counted) -> bool:
    """Return whether the alert that left this trace is counted still."""
    return counter.entries(datetime.fromisoformat(left.received_at), left.request_id) <= counted.alerts


def _counted_at(provenance: Provenance) -> Provenance:
    """Return the provenance with the time of the write as its receipt, because the counted entry has that time too."""
    return provenance._replace(received=provenance.at)


# A counted alert is one number, so that a thousand of them are 13 KB: the milliseconds of its time, and ten digits by
# which two requests of one millisecond differ. In a set of numbers, what is sent twice is counted once.
_DIGITS = 10**10


def _entry(at: datetime, request_id: str) -> int:
    return _time(at) * _DIGITS + crc32(request_id.encode())


def _time(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _milliseconds(entry: int) -> int:
    return entry // _DIGITS


def _recent(alerts: Iterable[int], at: datetime, seconds: int) -> list[int]:
    """Return the alerts of the last `seconds`, oldest first."""
    return sorted(entry for entry in alerts if _milliseconds(entry) > _time(at) - seconds * 1000)
