"""The records of alerts: what each one asked for and what came of it. All of their keys, items and conditions.

A trader's records lie in a partition of their own, so that they take nothing from what the trader's orders can be
written with in a second.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from orderhook.aws.clients import call, pages, single_attempt
from orderhook.keys import holds_key
from orderhook.payload import MAX_FIELDS, Pair
from orderhook.store.items import Item, plain, wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MASK = "…"
"""Stands where a key stood."""

NESTED = "(nested)"
"""Stands for a JSON object or array."""

MAX_ORDER_IDS = 1000
"""So many ids of orders are kept of an alert that was about more: an item has room for 400 KB."""

Origin = Literal["webhook", "delayed", "cancel_after"]


class AlertRecord(NamedTuple):
    """What an alert asked for, and what came of it; the key is nowhere in it."""

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
    """The orders that it was about, as far as it came to any."""
    duplicate: bool = False
    """Whether an earlier alert had done it already."""
    origin: Origin = "webhook"


def as_sent(pairs: Iterable[Pair]) -> dict[str, str]:
    """Return an alert's fields as they may be kept: no key is in them, wherever it stood.

    A name that comes again is numbered, as in `order_id (2)`. What is beyond the number of fields that any alert may
    have is left out.
    """
    kept: dict[str, str] = {}
    for name, value in islice(pairs, MAX_FIELDS):
        shown = unique = MASK if holds_key(name) else name
        number = 1
        while unique in kept:
            number += 1
            unique = f"{shown} ({number})"
        kept[unique] = NESTED if value is None else MASK if holds_key(value) else value
    return kept


def id_prefix(at: datetime) -> str:
    """Return how the id of a request begins that comes in at this moment: ids sort as time does, by milliseconds."""
    return f"{max(0, int(at.timestamp() * 1000)):012x}"


class AlertLog:
    """The records of one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, client: "DynamoDBClient", table: str, retention: timedelta) -> None:
        self._client = client
        self._table = table
        self._retention = retention

    def put(self, record: AlertRecord) -> None:
        """Write a record by one request that is not sent again; with no retention, write nothing.

        Raises ClientError where the table refuses it for good, as it does when there is a record with this id.
        """
        if not self._retention:
            return
        with single_attempt():
            call(
                self._client.put_item,
                TableName=self._table,
                Item=_item(record, self._retention),
                ConditionExpression="attribute_not_exists(pk)",
            )

    def get(self, trader: str, request_id: str) -> AlertRecord | None:
        """Return the record of a request."""
        key = wire(_key(trader, request_id))
        item = call(self._client.get_item, TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return _record(item) if item else None

    def newest(
        self, trader: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[AlertRecord]:
        """Yield a trader's records, newest first: of what came in at `since` or later, and before `until`."""
        low = id_prefix(since) if since else "0"
        high = id_prefix(until) if until else "~"  # after every hexadecimal digit
        return self._query("pk = :pk AND sk BETWEEN :low AND :high", trader, {":low": low, ":high": high})

    def beginning_with(self, trader: str, prefix: str) -> Iterator[AlertRecord]:
        """Yield a trader's records whose request id begins with `prefix`, which must not be empty, newest first."""
        return self._query("pk = :pk AND begins_with(sk, :prefix)", trader, {":prefix": prefix})

    def _query(self, condition: str, trader: str, values: Item) -> Iterator[AlertRecord]:
        found = pages(
            self._client.query,
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=wire({":pk": _partition(trader)} | values),
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return map(_record, found)


def _partition(trader: str) -> str:
    return f"ALERTS#{trader}"


def _key(trader: str, request_id: str) -> Item:
    return {"pk": _partition(trader), "sk": request_id}


def _item(record: AlertRecord, retention: timedelta) -> Item:
    expires = datetime.fromisoformat(record.received_at) + retention
    # A list, because the table does not keep the order of a map.
    more = {"fields": list(record.fields.items()), "expires": int(expires.timestamp())}
    return wire(_key(record.trader, record.request_id) | record._asdict() | more)


def _record(item: Mapping[str, Any]) -> AlertRecord:
    found = plain(item)
    known = {name: found[name] for name in AlertRecord._fields if name in found}
    typed = {
        "fields": dict(found["fields"]),
        "command": found.get("command"),
        "status": int(found["status"]),
        "order_ids": tuple(found["order_ids"]),
    }
    return AlertRecord(**known | typed)
