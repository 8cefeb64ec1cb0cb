"""Which request a form of the console has led to: sent again, by a double click or Back, it leads to no other.

And which form turns a position over: two of them would turn it back.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import NEW, ConditionFailed, Item, Put

KEPT = timedelta(days=8)
"""Longer than a session lasts that nobody uses, so that no form is left that could be sent again."""


class Claimed(NamedTuple):
    """What a form has led to."""

    request_id: str
    about: tuple[str, ...] = ()
    """The ids of the orders that it was about, where it is told what became of each."""


class Turn(NamedTuple):
    """That a form has claimed to turn a position over."""

    once: str
    """The form's own field."""
    seen: str
    """The position as it was told then."""
    at: str


class OnceStore:
    """The claimed forms in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, trader: str, once: str, request_id: str, at: datetime, about: Sequence[str] = ()) -> str:
        """Return the id of the request that this form leads to: this one's, or that of the first which sent it.

        Run twice, or by two at a time, one of them is first, and what it is `about` is kept with it. Raises
        TemporarilyUnavailableError.
        """
        expires = int((at + KEPT).timestamp())
        item: Item = {**items.once_key(trader, once), "request_id": request_id, "expires": expires}
        item |= {"about": list(about)} if about else {}
        try:
            self._table.put(Put(item))
        except ConditionFailed as failure:
            return str((failure.item or {}).get("request_id", request_id))
        return request_id

    def get(self, trader: str, once: str) -> Claimed | None:
        """Return what this form has led to; None where it was never sent."""
        item = self._table.get(items.once_key(trader, once))
        return Claimed(str(item["request_id"]), tuple(map(str, item.get("about", ())))) if item else None

    def turn(self, trader: str, account: str, instrument: str) -> Turn | None:
        """Return the form that was the last to claim a position; None where none did."""
        item = self._table.get(_turn_key(trader, account, instrument))
        return Turn(*(str(item[name]) for name in Turn._fields)) if item else None

    def claim_turn(self, trader: str, account: str, instrument: str, turn: Turn, before: Turn | None) -> bool:
        """Claim a position in the place of who had it before; return whether no other form was first.

        Run twice for one form, it has it.
        """
        expires = int((datetime.fromisoformat(turn.at) + KEPT).timestamp())
        item: Item = {**_turn_key(trader, account, instrument), **turn._asdict(), "expires": expires}
        condition, values = NEW, {":once": turn.once}
        if before:
            condition += " OR (#once = :before AND #at = :at_before)"
            values |= {":before": before.once, ":at_before": before.at}
        try:
            self._table.put(Put(item, f"{condition} OR #once = :once", values))
        except ConditionFailed:
            return False
        return True


def _turn_key(trader: str, account: str, instrument: str) -> dict[str, str]:
    return items.once_key(trader, f"POSITION#{account}#{instrument}")
