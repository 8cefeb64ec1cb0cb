"""What a trader is told without looking: how, what has been told of already, and what became of it.

Everything that is told is claimed before it is sent, by a conditional write: whoever claims it sends it, once. Where
the sender dies in between, it was never told, and its claim says so.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, Literal, NamedTuple

from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Item, Update

KEPT = timedelta(days=30)
"""How long it stays known what was told."""

AGAIN_AFTER = timedelta(minutes=15)
"""How soon what is told of again and again, as by every heartbeat, is told again."""

MOST_TRIES = 3
"""How often something is sent of which each time is certain that nobody has got it."""

State = Literal["claimed", "sent", "failed", "not reached"]
"""Claimed: being sent, or its sender died, and nobody knows whether it got there. Not reached: nobody has got it."""


class Told(NamedTuple):
    """Something that was told, or was to be told."""

    name: str
    channel: str
    at: str
    """When it was claimed."""
    title: str
    state: State
    tries: int = 1
    reason: str | None = None
    """Why it was not sent."""


class Notifying(NamedTuple):
    """How a trader is told, and how far that has got."""

    service: str | None = None
    """Where the outgoing webhook goes: discord, slack or telegram; None where there is none."""
    ends: str = ""
    """The last four characters of its URL, which is nowhere but in SSM."""
    email: bool = True
    quiet: str | None = None
    """Quiet hours, as `22:00-07:00`; None without."""
    zone: str = "America/New_York"
    """Of the quiet hours."""
    test: str | None = None
    """The id of the last test that somebody has asked for, and when he did."""
    test_at: str | None = None
    refused_until: str | None = None
    """Up to which moment refused alerts are summed."""
    away_since: str | None = None
    """Since when the bridge is seen to be away; None while it is there."""
    away_told: bool = False


class NoticeStore:
    """What is told, in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def settings(self, trader: str) -> Notifying:
        """Return how a trader is told, and how far that has got."""
        item = self._table.get(_settings_key(trader)) or {}
        return Notifying(**{name: item[name] for name in Notifying._fields if name in item})

    def change(self, trader: str, **values: Any) -> None:
        """Write some of the settings, whatever they are now; None takes one away."""
        self._change(trader, values, "attribute_exists(pk) OR attribute_not_exists(pk)", {})

    def advance(self, trader: str, before: Notifying, **values: Any) -> bool:
        """Write how far it has got unless another has meanwhile; return whether it was this one that did."""
        met = {name: getattr(before, name) for name in values}
        checks = [
            f"attribute_not_exists(#{name})" if it in (None, False) else f"#{name} = :met_{name}"
            for name, it in met.items()
        ]
        # What is not so is not there, but for what an earlier version wrote.
        kept = {f":met_{name}": it for name, it in met.items() if it not in (None, False)}
        try:
            self._change(trader, values, " AND ".join(checks), kept)
        except ConditionFailed:
            return False
        return True

    def _change(self, trader: str, values: dict[str, Any], condition: str, met: dict[str, object]) -> None:
        kept = {name: it for name, it in values.items() if it not in (None, False) or name == "email"}
        sets = ", ".join(f"#{name} = :{name}" for name in kept)
        removes = ", ".join(f"#{name}" for name in values if name not in kept)
        expression = " ".join(filter(None, (sets and f"SET {sets}", removes and f"REMOVE {removes}")))
        new = {f":{name}": it for name, it in kept.items()}
        self._table.update(Update(_settings_key(trader), expression, condition, {**new, **met}))

    def news(self, trader: str, channel: str, names: Mapping[str, str], now: datetime) -> set[str]:
        """Return which of these, each with its time, may be claimed now: it spares a write for each that was told."""
        by_key = {_claim_key(trader, channel, name)["sk"]: name for name in names}
        keys = [_claim_key(trader, channel, name) for name in names]
        found = {by_key[item["sk"]]: item for item in self._table.get_many(keys)}
        return {name for name, at in names.items() if name not in found or _may_be_again(found[name], at, now)}

    def claim(self, trader: str, channel: str, name: str, at: str, title: str, now: datetime) -> bool:
        """Claim what is named so, as it was at that time, for a channel; return whether it is this caller's to send.

        Run twice, or by two at a time, one of them has it. It can be claimed again when it is told anew, after a while;
        and a few times where it is certain that nobody has got it.
        """
        told_at = timestamp(now)
        values: dict[str, object] = {
            ":name": name,
            ":channel": channel,
            ":of": at,
            ":at": told_at,
            ":title": title,
            ":state": "claimed",
            ":open": f"{told_at}#{channel}#{_short(name)}",
            ":expires": int((now + KEPT).timestamp()),
            ":one": 1,
            ":not_reached": "not reached",
            ":most": MOST_TRIES,
            ":a_while_ago": timestamp(now - AGAIN_AFTER),
        }
        kept = ("name", "channel", "of", "at", "title", "state", "open", "expires")
        sets = ", ".join(f"#{it} = :{it}" for it in kept)
        condition = "attribute_not_exists(pk) OR (#state = :not_reached AND #tries < :most)"
        condition += " OR (#of < :of AND #at < :a_while_ago)"
        try:
            key = _claim_key(trader, channel, name)
            self._table.update(Update(key, f"SET {sets} REMOVE #reason ADD #tries :one", condition, values))
        except ConditionFailed:
            return False
        return True

    def note(self, trader: str, channel: str, name: str, state: State, reason: str | None) -> None:
        """Note what became of what was claimed."""
        values = {":state": state, ":reason": reason} if reason else {":state": state}
        sets = ", ".join(f"#{value[1:]} = {value}" for value in values)
        key = _claim_key(trader, channel, name)
        self._table.update(Update(key, f"SET {sets}", "attribute_exists(pk)", values))

    def told(self, trader: str, channel: str, name: str) -> Told | None:
        """Return what became of something; None where it was not claimed."""
        item = self._table.get(_claim_key(trader, channel, name))
        return _told(item) if item else None

    def latest(self, trader: str, most: int) -> Iterator[Told]:
        """Yield what was told last, the latest first."""
        partition = items.notice_key(trader, "")["pk"]
        found = self._table.query("#pk = :pk", {":pk": partition}, index="open", newest_first=True, limit=most)
        return map(_told, islice(found, most))


def _may_be_again(item: Item, at: str, now: datetime) -> bool:
    """Return what the condition of a claim says of what was claimed before."""
    if item["state"] == "not reached" and item["tries"] < MOST_TRIES:
        return True
    return bool(item["of"] < at and item["at"] < timestamp(now - AGAIN_AFTER))


def _settings_key(trader: str) -> dict[str, str]:
    return items.notice_key(trader, "SETTINGS")


def _claim_key(trader: str, channel: str, name: str) -> dict[str, str]:
    return items.notice_key(trader, f"TOLD#{channel}#{_short(name)}")


def _short(name: str) -> str:
    """Return what stands for a name in a key: an id in it may be longer than a key."""
    return sha256(name.encode(errors="replace")).hexdigest()[:32]


def _told(item: Item) -> Told:
    values = {name: item[name] for name in Told._fields if name in item}
    return Told(**values | {"tries": int(item.get("tries", 1))})
