"""What a person has to look at: an item each, from a bridge's report until somebody has said that he looked."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any

from orderhook.needs import Need
from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Update

KEPT = timedelta(days=400)
"""As long as executions: an item nobody has looked at for longer leaves with its order."""

LOOKED_KEPT = timedelta(days=30)
"""How long one stays that somebody has looked at: what is delivered late must not bring it back."""

MOST = 500
"""How many are read, the latest ones."""

_LONGEST_ID = 700
"""Bytes: DynamoDB takes keys of 1,024."""


class NeedStore:
    """What the bridges of one table have told that a person has to look at.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, trader: str, needs: Iterable[Need]) -> None:
        """Keep these; what was told before, or is older than what was, changes nothing.

        What is told anew is to be looked at again.
        """
        for need in needs:
            told = {name: it for name, it in need._asdict().items() if it not in (None, 0)}
            expires = int((datetime.fromisoformat(need.at) + KEPT).timestamp())
            told |= {"open": f"{need.at}#{_name(need)}", "expires": expires}
            absent = [name for name in Need._fields if name not in told]
            sets = ", ".join(f"#{name} = :{name}" for name in told)
            removes = ", ".join(f"#{name}" for name in (*absent, "looked_at", "looked_by"))
            newer = "attribute_not_exists(#at) OR #at < :at"
            values = {f":{name}": it for name, it in told.items()}
            with suppress(ConditionFailed):
                key = items.need_key(trader, _name(need))
                self._table.update(Update(key, f"SET {sets} REMOVE {removes}", newer, values))

    def latest(self, trader: str) -> Iterator[Need]:
        """Yield what nobody has looked at, the last told first, by one bounded query; a bad item hides no other."""
        partition = items.need_key(trader, "")["pk"]
        found = self._table.query("#pk = :pk", {":pk": partition}, index="open", newest_first=True, limit=MOST)
        for item in islice(found, MOST):
            with suppress(*items.UNREADABLE):
                yield _need(item)

    def looking(self, trader: str, need: Need, by: str, at: datetime) -> Update:
        """Return the write that somebody has looked at it as it was told then, for a transaction.

        Its condition fails where somebody has before, or where it was told anew.
        """
        values = {
            ":told": need.at,
            ":looked_at": timestamp(at),
            ":looked_by": by,
            ":expires": int((at + LOOKED_KEPT).timestamp()),
        }
        expression = "SET #looked_at = :looked_at, #looked_by = :looked_by, #expires = :expires REMOVE #open"
        condition = "#at = :told AND attribute_not_exists(#looked_at)"
        return Update(items.need_key(trader, _name(need)), expression, condition, values)


def _name(need: Need) -> str:
    """Return what names it in the table; a long id is named by its digest."""
    of_id = need.id if len(need.id.encode()) <= _LONGEST_ID else sha256(need.id.encode()).hexdigest()
    return f"{need.code}#{need.subject}#{of_id}"


def _need(item: dict[str, Any]) -> Need:
    values = {name: item[name] for name in Need._fields if name in item}
    need = Need(**values | {"want": int(item.get("want", 0))})
    if not all(isinstance(it, str) for it in (need.code, need.subject, need.id, need.at)):
        raise TypeError("not of the form of this version")
    return need
