"""What was naked, was over, and is naked again: no report tells of it, so each look compares with what the last saw."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from orderhook.attention.entries import Entry
from orderhook.orders import timestamp
from orderhook.store.notices import NakedSeen

STAYS_FOR = timedelta(seconds=15)
"""How long something is naked again before that is told: a stop that is being changed counts for none."""

_RECURS_WITHIN = timedelta(days=7)
"""How long it is known that something was naked before."""


def can_recur(entry: Entry) -> bool:
    """Return whether something may be over and come again by itself: what stops cover, and cover no more."""
    return entry.naked and entry.ends != "looked at"


def seen_by(before: Mapping[str, NakedSeen], naked: Mapping[str, str], now: datetime) -> dict[str, NakedSeen]:
    """Return what is seen now, after what was seen `before`; `naked` has by its name since when each first was so."""
    at = timestamp(now)
    seen = {name: it._replace(over=it.over or at) for name, it in before.items() if name not in naked}
    seen = {name: it for name, it in seen.items() if str(it.over) > timestamp(now - _RECURS_WITHIN)}
    for name, since in naked.items():
        known = before.get(name, NakedSeen(since))
        seen[name] = NakedSeen(at) if known.over else known
    return seen
