"""The table: requests to DynamoDB in plain Python values, every write under a condition.

Values go in and come out as boto3's own serializer pair has them: numbers as Decimal, binary as bytes.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from orderhook.aws.budget import unavailable
from orderhook.aws.clients import send
from orderhook.store.writes import Check, ConditionFailed, Delete, Item, Key, Put, TransactionFailed, Update, Write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_KEYS = 100
"""How many items DynamoDB reads in one request."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.4
"""How long to wait before what was left out of an answer is asked for again; each time twice as long."""

_serializer, _deserializer = TypeSerializer(), TypeDeserializer()


class Table:
    """One table of DynamoDB.

    Every method raises TemporarilyUnavailableError when DynamoDB does not answer inside the time budget or not this
    sender, and OutcomeUnknownError for a write that it would refuse again. Reads are consistent.
    """

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.client = client
        self.name = name

    def get(self, key: Key) -> Item | None:
        """Return the item with this key."""
        answer = send(self.client.get_item, TableName=self.name, Key=serialize(key), ConsistentRead=True)
        return deserialize(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key], attributes: Sequence[str] = ()) -> Iterator[Item]:
        """Yield the items that there are of these keys, each once and in any order, a request for a hundred of them.

        With `attributes` only those are read; one may be a path, such as `history[0]`. What DynamoDB leaves out of an
        answer is asked for again.
        """
        distinct = list({tuple(key.items()): key for key in keys}.values())
        for start in range(0, len(distinct), MOST_KEYS):
            yield from self._get_together(distinct[start : start + MOST_KEYS], attributes)

    def _get_together(self, keys: Sequence[Key], attributes: Sequence[str]) -> Iterator[Item]:
        asked: dict[str, Any] = {"Keys": [serialize(key) for key in keys], "ConsistentRead": True}
        if attributes:
            # Moto knows no alias of what is part of another attribute, and `history` is no reserved word.
            projection = ", ".join(name if "[" in name else f"#{name}" for name in attributes)
            asked |= {"ProjectionExpression": projection, "ExpressionAttributeNames": _names(projection)}
        pause = _SHORTEST_PAUSE
        while asked["Keys"]:
            answer = send(self.client.batch_get_item, RequestItems={self.name: asked})
            yield from map(deserialize, answer["Responses"].get(self.name, ()))
            asked["Keys"] = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if asked["Keys"]:
                if pause > _LONGEST_PAUSE:
                    raise unavailable("ThrottlingException")
                time.sleep(pause)
                pause *= 2

    def query(
        self,
        key_condition: str,
        values: Mapping[str, object],
        *,
        index: str | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        attributes: Sequence[str] = (),
    ) -> Iterator[Item]:
        """Yield the items that the condition finds, asking for a page when the one before is used up.

        With a `limit` no page has more items, and who wants no more asks for none; with `attributes` only those are
        read.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": key_condition,
            "ExpressionAttributeNames": _names(key_condition),
            "ExpressionAttributeValues": serialize(values),
            "ScanIndexForward": not newest_first,
            "ConsistentRead": True,
        }
        if index is not None:
            request["IndexName"] = index
        if limit is not None:
            request["Limit"] = limit
        if attributes:
            projection = ", ".join(f"#{name}" for name in attributes)
            request |= {
                "ProjectionExpression": projection,
                "ExpressionAttributeNames": _names(key_condition, projection),
            }
        while True:
            answer = send(self.client.query, **request)
            yield from map(deserialize, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def put(self, put: Put) -> None:
        """Write an item; raises ConditionFailed."""
        try:
            send(self.client.put_item, **self._write(put))
        except ClientError as error:
            raise _condition_failed(error) from error

    def update(self, update: Update, *, return_new: bool = False) -> Item:
        """Update an item and return it as it was, or with `return_new` as it is now; raises ConditionFailed."""
        returned: Any = "ALL_NEW" if return_new else "ALL_OLD"
        try:
            answer = send(self.client.update_item, **self._write(update), ReturnValues=returned)
        except ClientError as error:
            raise _condition_failed(error) from error
        return deserialize(answer.get("Attributes", {}))

    def transact(self, writes: Sequence[Write]) -> None:
        """Write all or nothing; raises TransactionFailed with what each condition met, by position."""
        try:
            send(
                self.client.transact_write_items,
                TransactItems=[{_KINDS[type(write)]: self._write(write)} for write in writes],
            )
        except ClientError as error:
            raise _transaction_failed(error) from error

    def _write(self, write: Write) -> dict[str, Any]:
        request: dict[str, Any] = {
            "TableName": self.name,
            "ConditionExpression": write.condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if isinstance(write, Put):
            request["Item"] = serialize(write.item)
            expressions = [write.condition]
        else:
            request["Key"] = serialize(write.key)
            expressions = [write.condition, *([write.expression] if isinstance(write, Update) else [])]
        if isinstance(write, Update):
            request["UpdateExpression"] = write.expression
        # DynamoDB refuses names and values that no expression uses, and empty maps of them.
        if names := _names(*expressions):
            request["ExpressionAttributeNames"] = names
        if write.values:
            request["ExpressionAttributeValues"] = serialize(write.values)
        return request


_KINDS = {Put: "Put", Update: "Update", Check: "ConditionCheck", Delete: "Delete"}


def serialize(values: Mapping[str, object]) -> Item:
    """Give plain values DynamoDB's types; absent ones (None) are left out."""
    return {
        # Most are text, which the serializer would try as three other types first.
        name: {"S": value} if type(value) is str else _serializer.serialize(value)
        for name, value in values.items()
        if value is not None
    }


def deserialize(item: Mapping[str, Any]) -> Item:
    """Take DynamoDB's types away."""
    return {
        name: value["S"] if "S" in value else _plain(_deserializer.deserialize(value)) for name, value in item.items()
    }


def _plain(value: Any) -> Any:
    return cast("Any", value).value if isinstance(value, Binary) else value


@lru_cache(64)  # the same expressions come with every alert
def _names(*expressions: str) -> Mapping[str, str]:
    """Return an alias for every attribute of the expressions: some of their names are reserved words."""
    return {f"#{name}": name for expression in expressions for name in re.findall(r"#(\w+)", expression)}


def _condition_failed(error: ClientError) -> ConditionFailed:
    item: Any = error.response.get("Item")
    return ConditionFailed(deserialize(item) if item else None)


def _transaction_failed(error: ClientError) -> TransactionFailed:
    reasons: Any = error.response["CancellationReasons"]
    return TransactionFailed([_failure(reason) for reason in reasons])


def _failure(reason: Mapping[str, Any]) -> ConditionFailed | None:
    if reason["Code"] == "None":
        return None
    return ConditionFailed(deserialize(reason["Item"]) if reason.get("Item") else None)
