"""The records of alerts: what each one asked for and its result."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Literal, NamedTuple

from orderhook.aws.budget import single_attempt
from orderhook.keys import holds_key
from orderhook.payload import MAX_FIELDS, Pair
from orderhook.store.items import alert_key
from orderhook.store.table import Item, Put, Table

MASK = "…"
"""Stands where a key stood."""

NESTED = "(nested)"
"""Stands for a JSON object or array."""

MAX_ORDER_IDS = 1000
"""How many order ids a record keeps of an alert that was about more: an item has room for 400 KB."""

Origin = Literal["webhook", "delayed", "cancel_after"]


class AlertRecord(NamedTuple):
    """What an alert asked for, and its result; the key is nowhere in it."""

    trader: str
    request_id: str
    received_at: str
    """ISO 8601 text in UTC."""
    key_id: str
    key_label: str
    source: str
    """The address that the alert came from."""
    fields: Mapping[str, str]
    """Its fields as `as_sent` gives them, in the order of the alert."""
    command: str | None
    status: int
    """The answer's HTTP status."""
    milliseconds: Decimal
    """From when the alert came in to when its answer was ready, which is before the record was written."""
    outcome: str
    """The answer's status word, or its error code."""
    detail: str | None = None
    field: str | None = None
    order_ids: tuple[str, ...] = ()
    """The orders that it reached, if any."""
    duplicate: bool = False
    """Whether an earlier alert had done it already."""
    origin: Origin = "webhook"


def as_sent(pairs: Iterable[Pair]) -> dict[str, str]:
    """Return an alert's fields as they may be kept: no key is in them, wherever it stood.

    A name that comes again is numbered, as in `order_id (2)`. What is beyond the number of fields that any alert may
    have is left out.
    """
    fields: dict[str, str] = {}
    for name, value in islice(pairs, MAX_FIELDS):
        shown = unique = MASK if holds_key(name) else name
        number = 1
        while unique in fields:
            number += 1
            unique = f"{shown} ({number})"
        fields[unique] = NESTED if value is None else MASK if holds_key(value) else value
    return fields


def id_prefix(at: datetime) -> str:
    """Return how the id of a request begins that comes in at this moment: ids sort as time does, by milliseconds."""
    return f"{max(0, int(at.timestamp() * 1000)):012x}"


class AlertLog:
    """The records in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table, retention: timedelta) -> None:
        self._table = table
        self._retention = retention

    def put(self, record: AlertRecord) -> None:
        """Write a record by one request that is not sent again; with no retention, write nothing.

        Raises ConditionFailed if there is a record with this id.
        """
        if not self._retention:
            return
        with single_attempt():
            self._table.put(Put(_item(record, self._retention)))

    def get(self, trader: str, request_id: str) -> AlertRecord | None:
        """Return the record of a request."""
        item = self._table.get(alert_key(trader, request_id))
        return _record(item) if item else None

    def newest(
        self, trader: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[AlertRecord]:
        """Yield a trader's records, newest first: of what was received at `since` or later, and before `until`."""
        low = id_prefix(since) if since else "0"
        high = id_prefix(until) if until else "~"  # after every hexadecimal digit
        return self._query(trader, "#sk BETWEEN :low AND :high", {":low": low, ":high": high})

    def beginning_with(self, trader: str, prefix: str) -> Iterator[AlertRecord]:
        """Yield a trader's records whose request id begins with `prefix`, which must not be empty, newest first."""
        return self._query(trader, "begins_with(#sk, :prefix)", {":prefix": prefix})

    def _query(self, trader: str, condition: str, values: dict[str, object]) -> Iterator[AlertRecord]:
        values |= {":pk": alert_key(trader, "")["pk"]}
        return map(_record, self._table.query(f"#pk = :pk AND {condition}", values, newest_first=True))


def _item(record: AlertRecord, retention: timedelta) -> Item:
    expires = datetime.fromisoformat(record.received_at) + retention
    # A list, because the table does not keep the order of a map.
    extra = {"fields": list(record.fields.items()), "expires": int(expires.timestamp())}
    return alert_key(record.trader, record.request_id) | record._asdict() | extra


def _record(item: Mapping[str, Any]) -> AlertRecord:
    values = {name: item[name] for name in AlertRecord._fields if name in item}
    typed = {
        "fields": dict(item["fields"]),
        "command": item.get("command"),
        "status": int(item["status"]),
        "order_ids": tuple(item["order_ids"]),
    }
    return AlertRecord(**values | typed)
