"""The stored halves of keys, and when each was last used."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from orderhook.aws.budget import single_attempt
from orderhook.keys import Key
from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import EXISTING, ConditionFailed, Item, Put, Update


def revoking(key_id: str, at: datetime) -> Update:
    """Return the write that revokes a key for good, for a transaction; it fails where there is none, or it is."""
    condition = f"{EXISTING} AND attribute_not_exists(#revoked)"
    return Update(items.key_key(key_id), "SET #revoked = :at", condition, {":at": timestamp(at)})


class KeyStore:
    """The keys in one table, of all traders.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._noted: dict[str, str] = {}

    def get(self, key_id: str) -> Key | None:
        """Return the stored half of a key as it is now."""
        item = self._table.get(items.key_key(key_id))
        return items.key(item) if item else None

    def list(self) -> Iterator[Key]:
        """Yield the stored halves of all keys, by id; one that this version cannot read is passed by."""
        for item in self.items():
            try:
                key = items.key(item)
            except items.UNREADABLE:
                continue
            yield key

    def items(self) -> Iterator[Item]:
        """Yield the items of all keys, by id, also of those that this version cannot read."""
        for entry in self._table.query("#pk = :pk", {":pk": items.KEY_LIST}):
            if item := self._table.get(items.key_key(entry["sk"])):
                yield item

    def last_used(self, key: Key) -> str | None:
        """Return the hour in which the key was last used; None where nobody noted one."""
        item = self._table.get(items.key_use_key(key.trader, key.key_id))
        return item["used"] if item else None

    def note_use(self, key: Key, at: datetime) -> None:
        """Note the hour in which a key is used, in an item of its trader's, by one request that is not sent again.

        An instance does so once an hour, whether or not the table takes it.
        """
        hour = timestamp(at.replace(minute=0, second=0, microsecond=0))
        if self._noted.get(key.key_id) == hour:
            return
        self._noted[key.key_id] = hour
        where, later = items.key_use_key(key.trader, key.key_id), "attribute_not_exists(#used) OR #used < :hour"
        with single_attempt(), suppress(ConditionFailed):
            self._table.update(Update(where, "SET #used = :hour", later, {":hour": hour}))

    def put(self, key: Key) -> None:
        """Store a new key, and its id in the list of keys; raises TransactionFailed if the id is taken."""
        entry = {"pk": items.KEY_LIST, "sk": key.key_id}
        self._table.transact([Put(items.key_item(key)), Put(entry)])

    def revoke(self, key_id: str, at: datetime) -> Key | None:
        """Revoke a key for good and return it, None if there is none; run twice, the first time stays."""
        return self._update(key_id, "SET #revoked = if_not_exists(#revoked, :at)", {":at": timestamp(at)})

    def set_strict_kill_switch(self, key_id: str, *, strict: bool) -> Key | None:
        """Set whether the kill switch stops even what reduces risk; returns the key, None if there is none."""
        return self._update(key_id, "SET #strict_kill_switch = :strict", {":strict": strict})

    def _update(self, key_id: str, expression: str, values: dict[str, object]) -> Key | None:
        update = Update(items.key_key(key_id), expression, EXISTING, values)
        try:
            return items.key(self._table.update(update, return_new=True))
        except ConditionFailed:
            return None
