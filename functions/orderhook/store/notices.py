"""What a trader is told without looking: how, what has been told of already, and what became of it.

Everything that is told is claimed before it is sent, by a conditional write: whoever claims it sends it, once. Where
the sender dies in between, it was never told, and its claim says so.
"""

from collections.abc import Container, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Item, Update

KEPT = timedelta(days=400)
"""How long it stays known what was told: as long as what needs a person, which would be told anew without it."""

AGAIN_AFTER = timedelta(minutes=15)
"""How soon what is told of again and again, as by every heartbeat, is told again."""

URGENT_AGAIN_AFTER = timedelta(minutes=1)
"""How soon what cannot wait is: a position whose new stop is gone too may be without one for as long."""

MOST_TRIES = 3
"""How often something is sent of which each time is certain that nobody has got it."""

TRIED_AGAIN_AFTER = timedelta(seconds=30)

_DIES_WITHIN = timedelta(minutes=1)
"""A sender is stopped after 30 s."""

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
    away_since: str | None = None
    """Since when the bridge is seen to be away, or was last."""
    back_since: str | None = None
    """Since when it is there again; None while it is away."""


class Summing(NamedTuple):
    """How far the refused alerts of a trader are summed for one way to him."""

    since: str
    """What came before is told."""
    until: str | None = None
    """What came before this is being told; None where nothing is."""


class News(NamedTuple):
    """Which of some notices may be claimed now."""

    new: Mapping[str, Item | None]
    """By its name, what the table has of each that may."""
    pending: frozenset[str]
    """Those that may have to be sent again, and not now."""


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
            f"attribute_not_exists(#{name})" if it is None else f"#{name} = :met_{name}" for name, it in met.items()
        ]
        try:
            kept = {f":met_{name}": it for name, it in met.items() if it is not None}
            self._change(trader, values, " AND ".join(checks), kept)
        except ConditionFailed:
            return False
        return True

    def _change(self, trader: str, values: dict[str, Any], condition: str, met: dict[str, object]) -> None:
        key = _settings_key(trader)
        self._table.update(Update(key, _expression(values), condition, {**_values(values), **met}))

    def summing(self, trader: str, channel: str) -> Summing | None:
        """Return how far refused alerts are summed for a way; None where nobody has begun."""
        item = self._table.get(_summing_key(trader, channel))
        return Summing(item["since"], item.get("until")) if item else None

    def begin_summing(self, trader: str, channel: str, since: datetime) -> None:
        """Have no alert be told by a way that was refused before."""
        values = Summing(timestamp(since))._asdict()
        condition = "attribute_exists(pk) OR attribute_not_exists(pk)"
        self._table.update(Update(_summing_key(trader, channel), _expression(values), condition, _values(values)))

    def advance_summing(self, trader: str, channel: str, before: Summing | None, after: Summing) -> bool:
        """Write how far refused alerts are summed for a way unless another has meanwhile; return whether it is so."""
        condition, met = "attribute_not_exists(pk)", {}
        if before:
            has_until = "#until = :met_until" if before.until else "attribute_not_exists(#until)"
            condition = f"#since = :met_since AND {has_until}"
            met = {f":met_{name}": it for name, it in before._asdict().items() if it}
        values = after._asdict()
        update = Update(_summing_key(trader, channel), _expression(values), condition, {**_values(values), **met})
        try:
            self._table.update(update)
        except ConditionFailed as failure:
            item = failure.item or {}
            return bool(item) and Summing(item["since"], item.get("until")) == after
        return True

    def news(
        self,
        trader: str,
        channel: str,
        names: Mapping[str, str],
        now: datetime,
        only_after: Mapping[str, str] = MappingProxyType({}),
        urgent: Container[str] = (),
    ) -> News:
        """Return which of these, each with its time, may be claimed now: it spares a write for each that was told.

        Some may be told `only_after` others were; some are `urgent`, and so told again sooner.
        """
        asked = [*names, *only_after.values()]
        by_key = {_claim_key(trader, channel, name)["sk"]: name for name in asked}
        items_found = self._table.get_many([_claim_key(trader, channel, name) for name in asked])
        found = {by_key[item["sk"]]: item for item in items_found}
        new, pending = dict[str, Item | None](), set[str]()
        for name, at in names.items():
            before = found.get(name)
            if name in only_after and found.get(only_after[name], {"state": "not reached"})["state"] == "not reached":
                continue
            again_after = URGENT_AGAIN_AFTER if name in urgent else AGAIN_AFTER
            if before is None or _may_be_again(before, at, now, again_after):
                new[name] = before
            elif _may_be_later(before, now):
                pending.add(name)
        return News(new, frozenset(pending))

    def claim(
        self, trader: str, channel: str, name: str, at: str, title: str, now: datetime, before: Item | None, look: str
    ) -> bool:
        """Claim what is named so, as it was at that time, for a channel; return whether it is this caller's to send.

        `before` is what the table has of it, as `news` has it. Run twice, or by two at a time, one of them has it;
        `look` names the caller, whose own write is known where it is sent again.
        """
        told_at = timestamp(now)
        is_retry = before is not None and before["state"] == "not reached" and before["of"] >= at
        values: dict[str, object] = {
            "name": name,
            "channel": channel,
            "of": at,
            "at": told_at,
            "title": title,
            "state": "claimed",
            "open": f"{told_at}#{channel}#{_short(name)}",
            "expires": int((now + KEPT).timestamp()),
            "tries": int(before["tries"]) + 1 if before and is_retry else 1,
            "look": look,
            "reason": None,
        }
        condition = "attribute_not_exists(pk)"
        met: dict[str, object] = {}
        if before:
            condition = "#state = :met_state AND #at = :met_at AND #look = :met_look"
            met = {f":met_{it}": before[it] for it in ("state", "at", "look")}
        try:
            key = _claim_key(trader, channel, name)
            self._table.update(Update(key, _expression(values), condition, {**_values(values), **met}))
        except ConditionFailed as failure:
            return failure.item is not None and failure.item.get("look") == look
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


def _may_be_again(item: Item, at: str, now: datetime, after: timedelta) -> bool:
    if item["state"] == "not reached" and item["tries"] < MOST_TRIES:
        return bool(item["at"] < timestamp(now - TRIED_AGAIN_AFTER))
    return bool(item["of"] < at and item["at"] < timestamp(now - after))


def _may_be_later(item: Item, now: datetime) -> bool:
    is_being_sent = item["state"] == "claimed" and item["at"] > timestamp(now - _DIES_WITHIN)
    return bool(is_being_sent or (item["state"] == "not reached" and item["tries"] < MOST_TRIES))


def _expression(values: Mapping[str, object]) -> str:
    """Return what sets these attributes, and takes away what is None."""
    sets = ", ".join(f"#{name} = :{name}" for name, it in values.items() if it is not None)
    removes = ", ".join(f"#{name}" for name, it in values.items() if it is None)
    return " ".join(filter(None, (sets and f"SET {sets}", removes and f"REMOVE {removes}")))


def _values(values: Mapping[str, object]) -> dict[str, object]:
    return {f":{name}": it for name, it in values.items() if it is not None}


def _settings_key(trader: str) -> dict[str, str]:
    return items.notice_key(trader, "SETTINGS")


def _summing_key(trader: str, channel: str) -> dict[str, str]:
    return items.notice_key(trader, f"SUMMED#{channel}")


def _claim_key(trader: str, channel: str, name: str) -> dict[str, str]:
    return items.notice_key(trader, f"TOLD#{channel}#{_short(name)}")


def _short(name: str) -> str:
    """Return what stands for a name in a key: an id in it may be longer than a key."""
    return sha256(name.encode(errors="replace")).hexdigest()[:32]


def _told(item: Item) -> Told:
    values = {name: item[name] for name in Told._fields if name in item}
    return Told(**values | {"tries": int(item.get("tries", 1))})
