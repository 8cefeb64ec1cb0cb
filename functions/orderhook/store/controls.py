"""The controls of a trader: the kill switch, and how often alerts of one id may come."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zlib import crc32

from orderhook.aws.budget import ANSWER_SECONDS, last_requests_until, repeatable_writes
from orderhook.errors import KillSwitchOnError, RateLimitedError, TemporarilyUnavailableError
from orderhook.orders import Provenance, timestamp
from orderhook.rate_limit import MAX_ALERTS, Rate
from orderhook.store import items
from orderhook.store.table import ConditionFailed, Item, Key, Table, Update

_KEPT = timedelta(days=2)
"""Longer than the longest rate limit looks back, however far the clocks of two functions are apart."""

_RACES = 4
"""How often other alerts of the same id may be counted at the same moment before this one gives up."""


class KillSwitchState(NamedTuple):
    """Whether a trader's kill switch is on, and since when it is as it is (None: nobody ever turned it)."""

    on: bool
    since: str | None = None


class KillSwitchResult(NamedTuple):
    """The kill switch after an alert has turned it; `applied` is False where it stood that way already."""

    state: KillSwitchState
    applied: bool


class _Counted(NamedTuple):
    """The alerts of one id that are counted, and the longest time for which one of them had to be."""

    alerts: frozenset[int] = frozenset()
    seconds: int = 0
    version: int = 0


class Controls:
    """The kill switches and counted alerts in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    # The kill switch

    def kill_switch(self, trader: str) -> KillSwitchState:
        """Return the trader's kill switch as it is now."""
        return _kill_switch(self._table.get(items.controls_key(trader)))

    def check_kill_switch(self, trader: str) -> None:
        """Raise KillSwitchOnError if it is on."""
        state = self.kill_switch(trader)
        if state.on:
            raise KillSwitchOnError(f"The kill switch has been on since {state.since}; send kill_switch=off.")

    def turn_kill_switch(self, provenance: Provenance, *, on: bool) -> KillSwitchResult:
        """Turn the trader's kill switch by one conditional write; run twice, the second finds it turned."""
        expression = "SET #kill_switch = :on, #since = :at, #request_id = :request_id, #key_id = :key_id"
        condition = "#kill_switch <> :on"
        if on:  # a switch that nobody ever turned is off
            condition = f"attribute_not_exists(#kill_switch) OR {condition}"
        else:
            condition = f"attribute_exists(#kill_switch) AND {condition}"
        at = timestamp(provenance.at)
        values = {":on": on, ":at": at, ":request_id": provenance.request_id, ":key_id": provenance.key_id}
        try:
            self._update(items.controls_key(provenance.trader), expression, condition, values)
        except ConditionFailed as failure:
            return KillSwitchResult(_kill_switch(failure.item), applied=failure.met_own_write(provenance.request_id))
        return KillSwitchResult(KillSwitchState(on, at), applied=True)

    # How often alerts come

    def count(self, provenance: Provenance, alert_id: str, rate: Rate) -> None:
        """Count an alert of this id; raises RateLimitedError, and counts nothing, if `rate` allows no more.

        One conditional write while there are fewer than that, whenever they came. Otherwise the item that it met shows
        which of them no longer count, and a second write leaves those out. Alerts of one id may differ in their limits:
        each is judged by its own, over what the one that looks back furthest so far had to keep.
        """
        own = _entry(provenance)
        for _ in range(_RACES):
            counted = self._count_if_few(provenance, alert_id, rate, own)
            if counted is None or own in counted.alerts:
                return
            self._check_rate(provenance.at, alert_id, rate, counted.alerts)
            if self._count_beside_recent(provenance, alert_id, rate, own, counted):
                return
        raise TemporarilyUnavailableError(
            f"Other alerts of id {alert_id} are being counted. Send the same alert again; it is safe."
        )

    def uncount(self, provenance: Provenance, alert_id: str) -> None:
        """Take back that this request was counted, if it was and the table answers in time."""
        expression = "DELETE #alerts :own ADD #version :one SET #request_id = :request_id"
        values = {":own": frozenset({_entry(provenance)}), ":entry": _entry(provenance), ":one": 1}
        values |= {":request_id": provenance.request_id}
        try:
            # Mostly the time is almost up when this is called.
            with last_requests_until(ANSWER_SECONDS):
                key = items.rate_key(provenance.trader, alert_id)
                self._update(key, expression, "contains(#alerts, :entry)", values)
        except (TemporarilyUnavailableError, ConditionFailed):
            return

    def _count_if_few(self, provenance: Provenance, alert_id: str, rate: Rate, own: int) -> _Counted | None:
        """Count the alert if there are fewer than `rate` allows, whenever they came; else return those there are."""
        expression = (
            "ADD #alerts :own, #version :one "
            "SET #seconds = if_not_exists(#seconds, :seconds), #request_id = :request_id, #expires = :expires"
        )
        few = "attribute_not_exists(#alerts) OR size(#alerts) < :allowed"
        condition = f"attribute_not_exists(#seconds) OR (#seconds >= :seconds AND ({few}))"
        values = _values(provenance, frozenset({own}), rate.seconds) | {":allowed": rate.alerts}
        try:
            self._update(items.rate_key(provenance.trader, alert_id), expression, condition, values)
        except ConditionFailed as failure:
            return _counted(failure.item)
        return None

    def _count_beside_recent(
        self, provenance: Provenance, alert_id: str, rate: Rate, own: int, counted: _Counted
    ) -> bool:
        """Count the alert, and forget those that no rate limit looks back to; returns False if others were quicker."""
        seconds = max(rate.seconds, counted.seconds)
        recent = _recent(counted.alerts, provenance.at, seconds)
        alerts = frozenset({own, *recent[-(MAX_ALERTS - 1) :]})
        expression = (
            "SET #alerts = :own, #version = #version + :one, #seconds = :seconds, #request_id = :request_id, "
            "#expires = :expires"
        )
        values = _values(provenance, alerts, seconds) | {":seen": counted.version}
        try:
            self._update(items.rate_key(provenance.trader, alert_id), expression, "#version = :seen", values)
        except ConditionFailed:
            return False
        return True

    def _check_rate(self, at: datetime, alert_id: str, rate: Rate, alerts: frozenset[int]) -> None:
        recent = _recent(alerts, at, rate.seconds)
        if len(recent) < rate.alerts:
            return
        free = datetime.fromtimestamp(_milliseconds(recent[-rate.alerts]) / 1000, UTC) + timedelta(seconds=rate.seconds)
        raise RateLimitedError(
            f"{len(recent)} alerts of id {alert_id} came within {rate.seconds} s, and rate_limit allows {rate.alerts}. "
            f"The next may come at {timestamp(free)}.",
            field="rate_limit",
        )

    def _update(self, key: Key, expression: str, condition: str, values: Mapping[str, object]) -> None:
        # None of these places an order: an alert that fails after them may be sent again.
        with repeatable_writes():
            self._table.update(Update(key, expression, condition, values))


def _kill_switch(item: Item | None) -> KillSwitchState:
    item = item or {}
    return KillSwitchState(on=item.get("kill_switch", False), since=item.get("since"))


def _values(provenance: Provenance, alerts: frozenset[int], seconds: int) -> dict[str, Any]:
    return {
        ":own": alerts,
        ":one": 1,
        ":seconds": seconds,
        ":request_id": provenance.request_id,
        ":expires": int((provenance.at + _KEPT).timestamp()),
    }


def _counted(item: Item | None) -> _Counted:
    item = item or {}
    alerts = frozenset(map(int, item.get("alerts", ())))
    return _Counted(alerts, int(item.get("seconds", 0)), int(item.get("version", 0)))


# A counted alert is one number, so that a thousand of them are 13 KB: the milliseconds of its time, and ten digits by
# which two requests of one millisecond differ. In a set of numbers, what is sent twice is counted once.
_DIGITS = 10**10


def _entry(provenance: Provenance) -> int:
    return _time(provenance.at) * _DIGITS + crc32(provenance.request_id.encode())


def _time(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _milliseconds(entry: int) -> int:
    return entry // _DIGITS


def _recent(alerts: Iterable[int], at: datetime, seconds: int) -> list[int]:
    """Return the alerts of the last `seconds`, oldest first."""
    return sorted(entry for entry in alerts if _milliseconds(entry) > _time(at) - seconds * 1000)
