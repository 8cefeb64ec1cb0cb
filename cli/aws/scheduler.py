"""SQS and EventBridge Scheduler on this machine: moto keeps the queue and the schedules, LocalScheduler runs them."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from cli.aws.table import read_template
from orderhook.aws.clients import connect
from orderhook.commands.release import end
from orderhook.keys import Key
from orderhook.listing import Unreadable, list_keys, list_orders
from orderhook.orders import timestamp
from orderhook.provenance import Provenance
from orderhook.services import Services
from orderhook.settings import DeferredSettings

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

POLL_SECONDS = 0.25

Handler = Callable[[Mapping[str, Any], object], Mapping[str, Any]]


def create_queue(name: str = "orderhook") -> DeferredSettings:
    """Create the queues of template.yaml and a group for schedules in moto, and return where they are."""
    sqs, scheduler = _clients()
    _, dead_letter_arn = create_like(sqs, f"{name}-dead-letters", "DeadLetterQueue")
    url, arn = create_like(sqs, name, "Queue", dead_letter_arn)
    scheduler.create_schedule_group(Name=name)
    return DeferredSettings(
        queue_url=url,
        queue_arn=arn,
        dead_letter_arn=dead_letter_arn,
        schedule_group=name,
        scheduler_role=f"arn:aws:iam::123456789012:role/{name}",
    )


def create_like(sqs: "SQSClient", name: str, resource: str, dead_letter_arn: str | None = None) -> tuple[str, str]:
    """Create a queue as template.yaml has this one, and return its URL and its ARN."""
    properties = read_template()["Resources"][resource]["Properties"]
    names = ("MessageRetentionPeriod", *(["VisibilityTimeout"] if dead_letter_arn else []))
    # Without long polls, in which moto would answer nobody else; a dead letter that fails is looked at again at once.
    attributes: Any = {it: str(properties[it]) for it in names if it in properties}
    if dead_letter_arn is not None:
        times = properties["RedrivePolicy"]["maxReceiveCount"]
        attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": times})
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@cache
def _clients() -> tuple["SQSClient", "EventBridgeSchedulerClient"]:
    return connect("sqs"), connect("scheduler")


@cache
def _queue_url(arn: str) -> str:
    sqs, _ = _clients()
    return sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]


def resume(services: Services, now: datetime) -> None:
    """Schedule anew what the open orders of a lasting table wait for: this queue knows nothing of an earlier run.

    A time limit is kept, and if it is over meanwhile it is carried out at once. An order that waited for its delay
    ends, because its trade window went with the message. Run twice, the second run changes nothing.
    """
    for trader in {key.trader for key in list_keys(services) if isinstance(key, Key)}:
        for order in list_orders(services, trader, timestamp(now), open_only=True):
            if isinstance(order, Unreadable):
                continue
            first = order.history[0]
            provenance = Provenance(trader, first.key_id, first.request_id, now)
            if order.due:
                end(services, provenance, order, "the server was stopped while it waited for its delay")
            elif order.cancels_at:
                at = datetime.fromisoformat(order.cancels_at)
                services.deferred_for("cancel_after").schedule(provenance, order.order_id, 0, at)


def environment(settings: DeferredSettings) -> dict[str, str]:
    """Return the environment variables that tell the functions where these are."""
    return {f"ORDERHOOK_{name.upper()}": value for name, value in settings._asdict().items()}


class LocalScheduler:
    """Send the messages of schedules that are due, and call the function with the messages of the queue, as AWS does.

    `lock` is held during each call, so that no other function uses the same table meanwhile.
    """

    def __init__(
        self, handler: Handler, settings: DeferredSettings, lock: AbstractContextManager[object] | None = None
    ) -> None:
        self._handler = handler
        self._settings = settings
        self._lock = lock or nullcontext()
        self._sqs, self._scheduler = _clients()
        self._sent: set[str] = set()

    def run_once(self, now: datetime) -> None:
        """Send the messages of schedules that are due at `now`, then deliver everything that the queue gives out."""
        self.send_due_messages(now)
        self.deliver()

    def send_due_messages(self, now: datetime) -> None:
        """Send the messages of due schedules, and delete those that ask for it, as EventBridge Scheduler does."""
        group = self._settings.schedule_group
        pages = self._scheduler.get_paginator("list_schedules").paginate(GroupName=group)
        for name in [schedule["Name"] for page in pages for schedule in page["Schedules"]]:
            schedule = self._scheduler.get_schedule(GroupName=group, Name=name)
            due = datetime.strptime(schedule["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
            # A schedule that does not ask to be deleted stays there, and must not be sent twice.
            if due <= now and schedule["Arn"] not in self._sent:
                self._sent.add(schedule["Arn"])
                self._sqs.send_message(QueueUrl=self._settings.queue_url, MessageBody=schedule["Target"]["Input"])
                if schedule["ActionAfterCompletion"] == "DELETE":
                    self._scheduler.delete_schedule(GroupName=group, Name=name)

    def deliver(self) -> None:
        """Call the function with each message of the queue; then with those that SQS has given up."""
        deliver(self._handler, (self._settings.queue_arn, self._settings.dead_letter_arn), self._lock)


def deliver(handler: Handler, arns: Iterable[str], lock: AbstractContextManager[object]) -> None:
    """Call a function with each message of these queues, and delete the message unless it failed, as Lambda does."""
    sqs, _ = _clients()
    for arn in arns:
        url = _queue_url(arn)
        while messages := _receive(sqs, url):
            for message in messages:
                with lock:
                    answer = handler(sqs_event(message, arn), None)
                if not answer["batchItemFailures"]:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def _receive(sqs: "SQSClient", url: str) -> list[Any]:
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"])
    return [*answer.get("Messages", [])]


def sqs_event(message: Mapping[str, Any], queue_arn: str) -> dict[str, Any]:
    """Return the event that Lambda makes of a message."""
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
    return {"Records": [record]}


@contextmanager
def running(scheduler: LocalScheduler) -> Iterator[None]:
    """Run the scheduler in the background, several times a second."""

    def run(stopped: Event) -> None:
        while not stopped.wait(POLL_SECONDS):
            scheduler.run_once(datetime.now(UTC))

    with in_background("local-scheduler", run):
        yield


@contextmanager
def in_background(name: str, work: Callable[[Event], None]) -> Iterator[None]:
    """Do work in a thread of this name until the block ends, which sets the event and waits for the thread."""
    stopped = Event()
    thread = Thread(target=work, args=(stopped,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
