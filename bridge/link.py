"""The bridge's way to AWS: the look at the table, the doorbell, the reports. BridgePolicy allows no more.

A request is sent once: whoever asks tries again, for as long as it takes.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bridge.events import Fetched, Looked
from bridge.settings import BridgeSettings
from orderhook.instructions import Instruction
from orderhook.orders import Order
from orderhook.store import items
from orderhook.store.table import deserialize, serialize
from orderhook.store.writes import Item
from orderhook.venues import NINJATRADER

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

CONNECT_SECONDS, READ_SECONDS = 3, 5
WAIT_SECONDS = 20
"""How long the doorbell's queue holds a request that finds no message."""

_ONE_SECOND = timedelta(seconds=1)

Read = TypeVar("Read")


class LinkError(Exception):
    """AWS was not reached, or refused; the message says what was asked and what came back, in one line."""


class Link:
    """The table and the queues of one stack, for one trader.

    Every method raises LinkError, and may be called from several threads.
    """

    def __init__(
        self, dynamodb: "DynamoDBClient", sqs: "SQSClient", settings: BridgeSettings, clock: "Clock | None" = None
    ) -> None:
        self.dynamodb = dynamodb
        self.sqs = sqs
        self._settings = settings
        self._clock = clock or Clock()

    @classmethod
    def connect(cls, settings: BridgeSettings, clock: "Clock | None" = None) -> "Link":
        """Return the link of a bridge on a person's own machine, with the credentials that it finds there."""
        # Only legacy mode compares DynamoDB's checksums: without that, half an answer is taken for a whole one.
        once: Any = {"mode": "legacy", "total_max_attempts": 1}
        short = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=once, tcp_keepalive=True)
        long = short.merge(Config(read_timeout=WAIT_SECONDS + READ_SECONDS))
        try:
            dynamodb = boto3.client("dynamodb", config=short, region_name=settings.region)
            sqs = boto3.client("sqs", config=long, region_name=settings.region)
        except (BotoCoreError, ValueError) as error:
            raise LinkError(f"AWS cannot be asked: {error}") from error
        return cls(dynamodb, sqs, settings, clock)

    def now(self) -> datetime:
        """Return AWS's time; before the first answer, and where it has no date, this machine's."""
        return self._clock.now()

    def look(self) -> Looked:
        """Read what is open for this trader at the venue, and then the controls."""
        began = time.monotonic()
        orders: list[Order] = []
        instructions: list[Instruction] = []
        unreadable: list[str] = []
        for item in self._open_items():
            if item.get("venue") != NINJATRADER.name:
                continue
            if items.is_instruction(item):
                read: Order | Instruction | None = _read(items.instruction, item)
            else:
                read = _read(items.order, item)
            match read:
                case Order():
                    orders.append(read)
                case Instruction():
                    instructions.append(read)
                case None:
                    unreadable.append(str(item["sk"]).partition("#")[2])
        controls = self._controls()
        return Looked(
            orders,
            kill_switch=bool(controls.get("kill_switch", False)),
            owner=_owner(controls).get("journal"),
            unreadable=unreadable,
            # Told by the time at its end: before the first answer AWS's is not known.
            began_at=self.now() - timedelta(seconds=time.monotonic() - began),
            owned_since=_owner(controls).get("since"),
            instructions=instructions,
        )

    def fetch(self, order_id: str) -> Fetched | None:
        """Read one order; None where it is there and cannot be read."""
        item = self._get(items.order_key(self._settings.trader, order_id))
        if item is None:
            return Fetched(order_id, None)
        order = _read(items.order, item)
        return None if order is None else Fetched(order_id, order)

    def owner(self) -> Mapping[str, Any]:
        """Read what is known of the bridge that owns the stack; empty where none ever did."""
        return _owner(self._controls())

    def wait(self, seconds: int = WAIT_SECONDS, heard: Callable[[], object] | None = None) -> bool:
        """Wait for the doorbell, at most so long; return whether it rang.

        `heard` is called as soon as it rings: the look need not wait until the ring is deleted.
        """
        queue = self._settings.doorbell_url
        answer = self._ask(
            "the doorbell", self.sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=seconds, MaxNumberOfMessages=10
        )
        messages = answer.get("Messages", [])
        if messages and heard is not None:
            heard()
        for message in messages:
            self._ask("the doorbell", self.sqs.delete_message, QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return bool(messages)

    def send(self, report: str) -> None:
        """Put a report into its queue; sent twice, it is there twice, which does no harm."""
        queue = self._settings.report_queue_url
        self._ask("the queue of reports", self.sqs.send_message, QueueUrl=queue, MessageBody=report)

    def _open_items(self) -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": self._settings.table,
            "IndexName": "open",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": serialize({":pk": items.trader_partition(self._settings.trader)}),
            "ConsistentRead": True,
        }
        while True:
            answer = self._ask("the table", self.dynamodb.query, **request)
            yield from map(deserialize, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _controls(self) -> Item:
        return self._get(items.controls_key(self._settings.trader)) or {}

    def _get(self, key: Item) -> Item | None:
        answer = self._ask(
            "the table",
            self.dynamodb.get_item,
            TableName=self._settings.table,
            Key=serialize(key),
            ConsistentRead=True,
        )
        return deserialize(answer["Item"]) if "Item" in answer else None

    def _ask(self, of: str, request: Callable[..., Any], **arguments: Any) -> Any:
        sent = time.monotonic()
        try:
            answer = request(**arguments)
        except ClientError as error:
            self._clock.set(error.response, sent, time.monotonic())
            raise LinkError(f"AWS refused what was asked of {of}: {error}") from error
        except BotoCoreError as error:
            raise LinkError(f"There is no answer from {of}: {error}") from error
        self._clock.set(answer, sent, time.monotonic())
        return answer


class Clock:
    """AWS's time, by the dates of its answers and the time since then; a PC's own clock may be wrong by hours."""

    def __init__(self, first: datetime | None = None) -> None:
        """Begin with `first`, which holds until an answer contradicts it; without it with the first answer's date."""
        self._zero = None if first is None else first - timedelta(seconds=time.monotonic())
        """AWS's time when this machine's monotonic clock was zero."""

    def now(self) -> datetime:
        """Return AWS's time; before the first answer with a date, this machine's."""
        zero = self._zero
        return datetime.now(UTC) if zero is None else zero + timedelta(seconds=time.monotonic())

    def set(self, answer: Any, sent: float, received: float) -> None:
        """Correct it by an answer's date, which is of some moment between the two, cut to the second."""
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if date is None:
            return
        try:
            at = parsedate_to_datetime(date).astimezone(UTC)
        except ValueError:
            return
        earliest, latest = at - timedelta(seconds=received), at + _ONE_SECOND - timedelta(seconds=sent)
        # What fits the answer stays, so that the time does not go to and fro by what the date leaves open.
        self._zero = earliest if self._zero is None else min(max(self._zero, earliest), latest)


def _owner(controls: Item) -> Mapping[str, Any]:
    bridge = controls.get("bridge")
    return bridge if isinstance(bridge, Mapping) else {}


def _read(read: Callable[[Item], Read], item: Item) -> Read | None:
    try:
        return read(item)
    except items.UNREADABLE:
        return None
