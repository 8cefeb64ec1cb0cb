"""The controls of a trader: the kill switch, and how often alerts of one id may come. Their items and conditions.

As in the book: no write without a condition, and every write stores the id of its request. The counted alerts lie in a
partition of their own, so that they take nothing from what the trader's orders can be written with in a second.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from botocore.exceptions import ClientError

from orderhook import items
from orderhook.errors import KillSwitchOnError, RateLimitedError, TemporarilyUnavailableError
from orderhook.items import Item, aliases, plain, wire
from orderhook.orders import Stamp, timestamp
from orderhook.wire import ANSWER_SECONDS, call, last_requests_until, met_by, repeatable_writes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_ALERTS, MOST_SECONDS = 1_000, 86_400
"""The largest rate limit that there is: so many alerts in so many seconds."""

_KEPT = timedelta(days=2)
"""Longer than the longest rate limit looks back, however far the clocks of two functions are apart."""

_RACES = 4
"""How often other alerts of the same id may be counted at the same moment before this one gives way."""


class Rate(NamedTuple):
    """At most so many alerts in any so many seconds."""

    alerts: int
    seconds: int


class KillSwitchState(NamedTuple):
    """Whether a trader's kill switch is on, and since when it is as it is (None: nobody ever turned it)."""

    on: bool
    since: str | None = None


class Turned(NamedTuple):
    """The kill switch after it was to be turned, and whether it had to be."""

    state: KillSwitchState
    done: bool


class _Counted(NamedTuple):
    """The alerts of one id that are counted, and the longest time for which one of them had to be."""

    alerts: frozenset[int] = frozenset()
    seconds: int = 0
    version: int = 0


class Controls:
    """The kill switches and counted alerts of one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    # The kill switch

    def kill_switch(self, trader: str) -> KillSwitchState:
        """Return the trader's kill switch as it is now."""
        key = wire(items.controls_key(trader))
        return _kill_switch(
            call(self._client.get_item, TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        )

    def check_kill_switch(self, trader: str) -> None:
        """Raise KillSwitchOnError if it is on."""
        state = self.kill_switch(trader)
        if state.on:
            raise KillSwitchOnError(f"The kill switch is on since {state.since}; send kill_switch=off.")

    def turn_kill_switch(self, stamp: Stamp, *, on: bool) -> Turned:
        """Turn the trader's kill switch by one conditional write; run twice, the second finds it turned."""
        update = "SET #kill_switch = :on, #since = :at, #request_id = :request_id, #key_id = :key_id"
        condition = "#kill_switch <> :on"
        if on:  # a switch that nobody ever turned is off
            condition = f"attribute_not_exists(#kill_switch) OR {condition}"
        else:
            condition = f"attribute_exists(#kill_switch) AND {condition}"
        values = {":on": on, ":at": timestamp(stamp.at), ":request_id": stamp.request_id, ":key_id": stamp.key_id}
        try:
            self._update(items.controls_key(stamp.trader), update, condition, values)
        except ClientError as refusal:
            met = met_by(refusal)
            return Turned(_kill_switch(met), done=_is_by(stamp, met))
        return Turned(KillSwitchState(on, timestamp(stamp.at)), done=True)

    # How often alerts come

    def count(self, stamp: Stamp, alert_id: str, rate: Rate) -> None:
        """Count an alert of this id; raises RateLimitedError, and counts nothing, if as many came as may.

        One conditional write while there are fewer than that, whenever they came; else the item that it met tells which
        of them no longer count, and a second write leaves those out. Alerts of one id may differ in their limits: each
        is judged by its own, over what the one that looks back furthest so far had to keep.
        """
        mine = _entry(stamp)
        for _ in range(_RACES):
            met = self._count_if_few(stamp, alert_id, rate, mine)
            if met is None or mine in met.alerts:
                return
            self._check_rate(stamp.at, alert_id, rate, met.alerts)
            if self._count_beside_recent(stamp, alert_id, rate, mine, met):
                return
        raise TemporarilyUnavailableError(
            f"Other alerts of id {alert_id} are being counted. Send the same alert again; it is safe."
        )

    def uncount(self, stamp: Stamp, alert_id: str) -> None:
        """Take back that this request was counted, if it was and the table answers in time."""
        update = "DELETE #alerts :mine ADD #version :one SET #request_id = :request_id"
        values = {":mine": frozenset({_entry(stamp)}), ":entry": _entry(stamp), ":one": 1}
        values |= {":request_id": stamp.request_id}
        try:
            # Mostly the time is almost up when it comes to this.
            with last_requests_until(ANSWER_SECONDS):
                self._update(items.rate_key(stamp.trader, alert_id), update, "contains(#alerts, :entry)", values)
        except TemporarilyUnavailableError:
            return
        except ClientError as refusal:
            met_by(refusal)

    def _count_if_few(self, stamp: Stamp, alert_id: str, rate: Rate, mine: int) -> _Counted | None:
        """Count the alert if there are fewer than `rate` allows, whenever they came; else return what there is."""
        update = (
            "ADD #alerts :mine, #version :one "
            "SET #seconds = if_not_exists(#seconds, :seconds), #request_id = :request_id, #expires = :expires"
        )
        few = "attribute_not_exists(#alerts) OR size(#alerts) < :allowed"
        condition = f"attribute_not_exists(#seconds) OR (#seconds >= :seconds AND ({few}))"
        values = _values(stamp, frozenset({mine}), rate.seconds) | {":allowed": rate.alerts}
        try:
            self._update(items.rate_key(stamp.trader, alert_id), update, condition, values)
        except ClientError as refusal:
            return _counted(met_by(refusal))
        return None

    def _count_beside_recent(self, stamp: Stamp, alert_id: str, rate: Rate, mine: int, met: _Counted) -> bool:
        """Count the alert, and forget those that no rate limit looks back to; False if it is no longer as it was."""
        seconds = max(rate.seconds, met.seconds)
        recent = _recent(met.alerts, stamp.at, seconds)
        kept = frozenset({mine, *recent[-(MOST_ALERTS - 1) :]})
        update = (
            "SET #alerts = :mine, #version = #version + :one, #seconds = :seconds, #request_id = :request_id, "
            "#expires = :expires"
        )
        values = _values(stamp, kept, seconds) | {":seen": met.version}
        try:
            self._update(items.rate_key(stamp.trader, alert_id), update, "#version = :seen", values)
        except ClientError as refusal:
            met_by(refusal)
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

    def _update(self, key: Item, update: str, condition: str, values: Item) -> None:
        # Neither places an order: an alert that fails after them may be sent again.
        with repeatable_writes():
            call(
                self._client.update_item,
                TableName=self._table,
                Key=wire(key),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=aliases(update, condition),
                ExpressionAttributeValues=wire(values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )


def _kill_switch(item: Item | None) -> KillSwitchState:
    found = plain(item or {})
    return KillSwitchState(on=found.get("kill_switch", False), since=found.get("since"))


def _is_by(stamp: Stamp, item: Item | None) -> bool:
    """Tell our own write, whose answer was lost and which the SDK has sent again."""
    return item is not None and plain(item).get("request_id") == stamp.request_id


def _values(stamp: Stamp, alerts: frozenset[int], seconds: int) -> Item:
    return {
        ":mine": alerts,
        ":one": 1,
        ":seconds": seconds,
        ":request_id": stamp.request_id,
        ":expires": int((stamp.at + _KEPT).timestamp()),
    }


def _counted(item: Any) -> _Counted:
    found = plain(item or {})
    alerts = frozenset(map(int, found.get("alerts", ())))
    return _Counted(alerts, int(found.get("seconds", 0)), int(found.get("version", 0)))


# A counted alert is one number, so that a thousand of them are 13 KB: the milliseconds of its time, and ten digits by
# which two requests of one millisecond differ. In a set of numbers, what is sent twice is counted once.
_DIGITS = 10**10


def _entry(stamp: Stamp) -> int:
    return _time(stamp.at) * _DIGITS + crc32(stamp.request_id.encode())


def _time(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _milliseconds(entry: int) -> int:
    return entry // _DIGITS


def _recent(alerts: Iterable[int], at: datetime, seconds: int) -> list[int]:
    """Return those of the last so many seconds, oldest first."""
    return sorted(entry for entry in alerts if _milliseconds(entry) > _time(at) - seconds * 1000)
