"""Which request a form of the console has led to: sent again, by a double click or Back, it leads to no other."""

from datetime import datetime, timedelta

from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Item, Put

KEPT = timedelta(days=8)
"""Longer than a session lasts that nobody uses, so that no form is left that could be sent again."""


class OnceStore:
    """The claimed forms in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, trader: str, once: str, request_id: str, at: datetime) -> str:
        """Return the id of the request that this form leads to: this one's, or that of the first which sent it.

        Run twice, or by two at a time, one of them is first. Raises TemporarilyUnavailableError.
        """
        expires = int((at + KEPT).timestamp())
        item: Item = {**items.once_key(trader, once), "request_id": request_id, "expires": expires}
        try:
            self._table.put(Put(item))
        except ConditionFailed as failure:
            return str((failure.item or {}).get("request_id", request_id))
        return request_id

    def get(self, trader: str, once: str) -> str | None:
        """Return the id of the request that this form has led to; None where it was never sent."""
        item = self._table.get(items.once_key(trader, once))
        return str(item["request_id"]) if item else None
