"""The controls of a trader: the kill switch, and how often alerts of one id may come. Their items and conditions.

As in the book: no write without a condition, and every write stores the id of its request. The counted alerts lie in a
partition of their own, so that they take nothing from what the trader's orders can be written with in a second.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from botocore.exceptions import ClientError

from orderhook.aws.clients import ANSWER_SECONDS, call, existing_item, last_requests_until, repeatable_writes
from orderhook.errors import KillSwitchOnError, RateLimitedError, TemporarilyUnavailableError
from orderhook.orders import Provenance, timestamp
from orderhook.store import items
from orderhook.store.items import Item, aliases, plain, wire

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


class TurnResult(NamedTuple):
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

    def turn_kill_switch(self, provenance: Provenance, *, on: bool) -> TurnResult:
        """Turn the trader's kill switch by one conditional write; run twice, the second finds it turned."""
        update = "SET #kill_switch = :on, #since = :at, #request_id = :request_id, #key_id = :key_id"
        condition = "#kill_switch <> :on"
        if on:  # a switch that nobody ever turned is off
            condition = f"attribute_not_exists(#kill_switch) OR {condition}"
        else:
            condition = f"attribute_exists(#kill_switch) AND {condition}"
        values = {
            ":on": on,
            ":at": timestamp(provenance.at),
            ":request_id": provenance.request_id,
            ":key_id": provenance.key_id,
        }
        try:
            self._update(items.controls_key(provenance.trader), update, condition, values)
        except ClientError as refusal:
            met = existing_item(refusal)
            return TurnResult(_kill_switch(met), done=_is_by(provenance, met))
        return TurnResult(KillSwitchState(on, timestamp(provenance.at)), done=True)

    # How often alerts come

    def count(self, provenance: Provenance, alert_id: str, rate: Rate) -> None:
        """Count an alert of this id; raises RateLimitedError, and counts nothing, if as many came as may.

        One conditional write while there are fewer than that, whenever they came; else the item that it met tells which
        of them no longer count, and a second write leaves those out. Alerts of one id may differ in their limits: each
        is judged by its own, over what the one that looks back furthest so far had to keep.
        """
        mine = _entry(provenance)
        for _ in range(_RACES):
            met = self._count_if_few(provenance, alert_id, rate, mine)
            if met is None or mine in met.alerts:
                return
            self._check_rate(provenance.at, alert_id, rate, met.alerts)
            if self._count_beside_recent(provenance, alert_id, rate, mine, met):
                return
        raise TemporarilyUnavailableError(
            f"Other alerts of id {alert_id} are being counted. Send the same alert again; it is safe."
        )

    def uncount(self, provenance: Provenance, alert_id: str) -> None:
        """Take back that this request was counted, if it was and the table answers in time."""
        update = "DELETE #alerts :mine ADD #version :one SET #request_id = :request_id"
        values = {":mine": frozenset({_entry(provenance)}), ":entry": _entry(provenance), ":one": 1}
        values |= {":request_id": provenance.request_id}
        try:
            # Mostly the time is almost up when it comes to this.
            with last_requests_until(ANSWER_SECONDS):
                self._update(items.rate_key(provenance.trader, alert_id), update, "contains(#alerts, :entry)", values)
        except TemporarilyUnavailableError:
            return
        except ClientError as refusal:
            existing_item(refusal)

    def _count_if_few(self, provenance: Provenance, alert_id: str, rate: Rate, mine: int) -> _Counted | None:
        """Count the alert if there are fewer than `rate` allows, whenever they came; else return what there is."""
        update = (
            "ADD #alerts :mine, #version :one "
            "SET #seconds = if_not_exists(#seconds, :seconds), #request_id = :request_id, #expires = :expires"
        )
        few = "attribute_not_exists(#alerts) OR size(#alerts) < :allowed"
        condition = f"attribute_not_exists(#seconds) OR (#seconds >= :seconds AND ({few}))"
        values = _values(provenance, frozenset({mine}), rate.seconds) | {":allowed": rate.alerts}
        try:
            self._update(items.rate_key(provenance.trader, alert_id), update, condition, values)
        except ClientError as refusal:
            return _counted(existing_item(refusal))
        return None

    def _count_beside_recent(self, provenance: Provenance, alert_id: str, rate: Rate, mine: int, met: _Counted) -> bool:
        """Count the alert, and forget those that no rate limit looks back to; False if it is no longer as it was."""
        seconds = max(rate.seconds, met.seconds)
        recent = _recent(met.alerts, provenance.at, seconds)
        kept = frozenset({mine, *recent[-(MOST_ALERTS - 1) :]})
        update = (
            "SET #alerts = :mine, #version = #version + :one, #seconds = :seconds, #request_id = :request_id, "
            "#expires = :expires"
        )
        values = _values(provenance, kept, seconds) | {":seen": met.version}
        try:
            self._update(items.rate_key(provenance.trader, alert_id), update, "#version = :seen", values)
        except ClientError as refusal:
            existing_item(refusal)
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


def _is_by(provenance: Provenance, item: Item | None) -> bool:
    """Tell our own write, whose answer was lost and which the SDK has sent again."""
    return item is not None and plain(item).get("request_id") == provenance.request_id


def _values(provenance: Provenance, alerts: frozenset[int], seconds: int) -> Item:
    return {
        ":mine": alerts,
        ":one": 1,
        ":seconds": seconds,
        ":request_id": provenance.request_id,
        ":expires": int((provenance.at + _KEPT).timestamp()),
    }


def _counted(item: Any) -> _Counted:
    found = plain(item or {})
    alerts = frozenset(map(int, found.get("alerts", ())))
    return _Counted(alerts, int(found.get("seconds", 0)), int(found.get("version", 0)))


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
    """Return those of the last so many seconds, oldest first."""
    return sorted(entry for entry in alerts if _milliseconds(entry) > _time(at) - seconds * 1000)
