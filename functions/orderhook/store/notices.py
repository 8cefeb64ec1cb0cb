"""What a trader is told without looking: how, what has been told of already, and what became of it.

Everything that is told is claimed before it is sent, by a conditional write: whoever claims it sends it, once. Where
the sender dies in between, it was never told, and its claim says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Item, Key, Update

KEPT = timedelta(days=400)
"""How long it stays known what was told: as long as what needs a person, which would be told anew without it."""

AGAIN_AFTER = timedelta(minutes=15)
"""How soon what is told of again and again, as by every heartbeat, is told again."""

URGENT_AGAIN_AFTER = timedelta(minutes=5)
"""How soon what cannot wait is: a position whose new stop is gone too may be without one for as long."""

MOST_TRIES = 3
"""How often something is sent of which each time is certain that nobody has got it."""

TRIED_AGAIN_AFTER = timedelta(seconds=30)

_DIES_WITHIN = timedelta(minutes=1)
"""A sender is stopped after 30 s."""

_ANY = "attribute_exists(pk) OR attribute_not_exists(pk)"

State = Literal["claimed", "sent", "failed", "not reached"]
"""Claimed: being sent, or its sender died, and nobody knows whether it got there. Not reached: nobody has got it."""


class Told(NamedTuple):
    """Something that is told by one way: its claim, and what became of it."""

    name: str
    channel: str
    of: str
    """The time of what it tells of."""
    at: str
    """When it was claimed."""
    title: str
    state: State
    look: str
    """The id of the look that has claimed it."""
    tries: int = 1
    reason: str | None = None
    """Why it was not sent."""

    @property
    def is_tried_again(self) -> bool:
        """Whether it is sent again, because nobody has got it."""
        return self.state == "not reached" and self.tries < MOST_TRIES

    def may_be_claimed(self, of: str, now: datetime, again_after: timedelta = AGAIN_AFTER) -> bool:
        """Return whether it may be told again now, or anew, because it is of a later time."""
        if self.is_tried_again:
            return self.at < timestamp(now - TRIED_AGAIN_AFTER)
        return self.of < of and self.at < timestamp(now - again_after)

    def is_over(self, now: datetime) -> bool:
        """Return whether nothing more becomes of it: nobody is sending it, and it is not sent again."""
        is_being_sent = self.state == "claimed" and self.at > timestamp(now - _DIES_WITHIN)
        return not (is_being_sent or self.is_tried_again)


class BridgeSeen(NamedTuple):
    """Since when the bridge is seen to be away, or there."""

    away_since: str | None = None
    """Since when it is away, or was last."""
    back_since: str | None = None
    """Since when it is there again; None while it is away."""

    @property
    def is_away(self) -> bool:
        """Whether it was away when it was looked for last."""
        return self.away_since is not None and self.back_since is None


class NakedSeen(NamedTuple):
    """Since when a position is seen to be naked, and whether it is not any more."""

    since: str
    """Since when; where it was over meanwhile, since when it is so again."""
    over: str | None = None
    """Since when it is seen to be over; None while it is not."""


class Notifying(NamedTuple):
    """How a trader wants to be told."""

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
    bridge: BridgeSeen = BridgeSeen()
    """What the looks have seen of it, which stands in the same item."""
    naked: Mapping[str, NakedSeen] = MappingProxyType({})
    """What they have seen of what may be naked, by what stands for the names of the notices."""


class Summing(NamedTuple):
    """How far the refused alerts of a trader are summed for one way to him."""

    since: str
    """What came before is told."""
    until: str | None = None
    """What came before this is being told; None where nothing is."""


class NoticeStore:
    """What is told, in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def settings(self, trader: str) -> Notifying:
        """Return how a trader wants to be told, and what the looks have seen."""
        item = self._table.get(_settings_key(trader)) or {}
        seen = BridgeSeen(*(item.get(name) for name in BridgeSeen._fields))
        naked = {name: NakedSeen(**it) for name, it in item.get("naked", {}).items()}
        own = (name for name in Notifying._fields if name not in ("bridge", "naked"))
        return Notifying(**{name: item[name] for name in own if name in item}, bridge=seen, naked=naked)

    def change(self, trader: str, **values: Any) -> None:
        """Write some of the settings, whatever they are now; None takes one away."""
        self._write(_settings_key(trader), values)

    def advance_bridge(self, trader: str, before: BridgeSeen, after: BridgeSeen) -> bool:
        """Write what is seen of the bridge unless another has meanwhile; return whether it is so."""
        return self._write(_settings_key(trader), after._asdict(), before._asdict())

    def advance_naked(self, trader: str, before: Mapping[str, NakedSeen], after: Mapping[str, NakedSeen]) -> bool:
        """Write what is seen of what may be naked unless another has meanwhile; return whether it is so."""
        met, values = ({name: it._asdict() for name, it in seen.items()} or None for seen in (before, after))
        return self._write(_settings_key(trader), {"naked": values}, {"naked": met})

    def summing(self, trader: str, channel: str) -> Summing | None:
        """Return how far refused alerts are summed for a way; None where nobody has begun."""
        item = self._table.get(_summing_key(trader, channel))
        return Summing(item["since"], item.get("until")) if item else None

    def begin_summing(self, trader: str, channel: str, since: datetime) -> None:
        """Have no alert be told by a way that was refused before."""
        self._write(_summing_key(trader, channel), Summing(timestamp(since))._asdict())

    def advance_summing(self, trader: str, channel: str, before: Summing | None, after: Summing) -> bool:
        """Write how far refused alerts are summed for a way unless another has meanwhile; return whether it is so."""
        met = before._asdict() if before else dict.fromkeys(Summing._fields)
        return self._write(_summing_key(trader, channel), after._asdict(), met)

    def told(self, trader: str, channel: str, names: Iterable[str]) -> dict[str, Told]:
        """Return by their names which of these were claimed for a way."""
        found = self._table.get_many([_claim_key(trader, channel, name) for name in dict.fromkeys(names)])
        return {it.name: it for it in map(_told, found)}

    def claim(self, trader: str, claim: Told, before: Told | None) -> bool:
        """Claim something, in the place of the claim `before`; return whether it is this look's to send.

        Of two looks at a time one has it.
        """
        values = {
            **claim._asdict(),
            "open": f"{claim.at}#{claim.channel}#{short(claim.name)}",
            "expires": int((datetime.fromisoformat(claim.at) + KEPT).timestamp()),
        }
        met = {"look": before.look if before else None}
        return self._write(_claim_key(trader, claim.channel, claim.name), values, met)

    def note(self, trader: str, claim: Told, state: State, reason: str | None) -> None:
        """Note what became of what was claimed."""
        key = _claim_key(trader, claim.channel, claim.name)
        self._write(key, {"state": state, "reason": reason}, {"look": claim.look})

    def latest(self, trader: str, most: int) -> Iterator[Told]:
        """Yield what was told last, the latest first."""
        partition = items.notice_key(trader, "")["pk"]
        found = self._table.query("#pk = :pk", {":pk": partition}, index="open", newest_first=True, limit=most)
        return map(_told, islice(found, most))

    def _write(self, key: Key, values: Mapping[str, object], met: Mapping[str, object] = MappingProxyType({})) -> bool:
        """Write attributes of an item, if these are as they were `met`; return whether it has them.

        None is an attribute that is not there. A write of one's own that is sent again finds what it has written.
        """
        sets = ", ".join(f"#{name} = :{name}" for name, it in values.items() if it is not None)
        removes = ", ".join(f"#{name}" for name, it in values.items() if it is None)
        expression = " ".join(filter(None, (sets and f"SET {sets}", removes and f"REMOVE {removes}")))
        checks = [
            f"attribute_not_exists(#{name})" if it is None else f"#{name} = :met_{name}" for name, it in met.items()
        ]
        used = {f":{name}": it for name, it in values.items()} | {f":met_{name}": it for name, it in met.items()}
        used = {name: it for name, it in used.items() if it is not None}
        try:
            self._table.update(Update(key, expression, " AND ".join(checks) or _ANY, used))
        except ConditionFailed as failure:
            item = failure.item or {}
            return all(item.get(name) == it for name, it in values.items())
        return True


def _settings_key(trader: str) -> Key:
    return items.notice_key(trader, "SETTINGS")


def _summing_key(trader: str, channel: str) -> Key:
    return items.notice_key(trader, f"SUMMED#{channel}")


def _claim_key(trader: str, channel: str, name: str) -> Key:
    return items.notice_key(trader, f"TOLD#{channel}#{short(name)}")


def short(name: str) -> str:
    """Return what stands for a name in a key: an id in it may be longer than a key."""
    return sha256(name.encode(errors="replace")).hexdigest()[:32]


def _told(item: Item) -> Told:
    values = {name: item[name] for name in Told._fields if name in item}
    return Told(**values | {"tries": int(item["tries"])})
