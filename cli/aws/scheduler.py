"""SQS and EventBridge Scheduler on this machine: moto keeps a queue and schedules, and a courier does the rest."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from cli.aws.table import read_template
from orderhook.aws.clients import connect
from orderhook.settings import DeferredSettings

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

POLL_SECONDS = 0.25

Handler = Callable[[Mapping[str, Any], object], Mapping[str, Any]]


def create_queue(name: str = "orderhook") -> DeferredSettings:
    """Make the queues of template.yaml and a group for schedules in moto, and return where they are."""
    sqs, scheduler = _clients()
    properties = read_template()["Resources"]["Queue"]["Properties"]
    _, dead_letter_arn = _made(sqs, f"{name}-dead-letters", {})
    redrive = {
        "deadLetterTargetArn": dead_letter_arn,
        "maxReceiveCount": properties["RedrivePolicy"]["maxReceiveCount"],
    }
    attributes = {it: str(properties[it]) for it in ("VisibilityTimeout", "MessageRetentionPeriod")}
    url, arn = _made(sqs, name, attributes | {"RedrivePolicy": json.dumps(redrive)})
    scheduler.create_schedule_group(Name=name)
    return DeferredSettings(
        queue_url=url,
        queue_arn=arn,
        dead_letter_arn=dead_letter_arn,
        schedule_group=name,
        scheduler_role=f"arn:aws:iam::123456789012:role/{name}",
    )


def _made(sqs: "SQSClient", name: str, attributes: Any) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@cache
def _clients() -> tuple["SQSClient", "EventBridgeSchedulerClient"]:
    return connect("sqs"), connect("scheduler")


def environment(settings: DeferredSettings) -> dict[str, str]:
    """Return the variables that lead the functions there."""
    return {f"ORDERHOOK_{name.upper()}": value for name, value in settings._asdict().items()}


class LocalScheduler:
    """Bring what is due to the queue, and what is in the queue to the function, as AWS does.

    The function is called in its `turn`, which is whoever else's too that must not be at work at the same time.
    """

    def __init__(
        self, handler: Handler, settings: DeferredSettings, turn: AbstractContextManager[object] | None = None
    ) -> None:
        self._handler = handler
        self._settings = settings
        self._turn = turn or nullcontext()
        self._sqs, self._scheduler = _clients()
        self._fired: set[str] = set()

    def round(self, now: datetime) -> None:
        """Send the messages of schedules that are due at `now`, then have everything done that the queue gives out."""
        self.fire(now)
        self.deliver()

    def fire(self, now: datetime) -> None:
        """Do what EventBridge Scheduler does: send the messages of due schedules, and delete those that want it."""
        group = self._settings.schedule_group
        pages = self._scheduler.get_paginator("list_schedules").paginate(GroupName=group)
        for name in [found["Name"] for page in pages for found in page["Schedules"]]:
            schedule = self._scheduler.get_schedule(GroupName=group, Name=name)
            due = datetime.strptime(schedule["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
            if due <= now and schedule["Arn"] not in self._fired:
                self._fired.add(schedule["Arn"])  # a time comes once; without the deletion a schedule stays there, idle
                self._sqs.send_message(QueueUrl=self._settings.queue_url, MessageBody=schedule["Target"]["Input"])
                if schedule["ActionAfterCompletion"] == "DELETE":
                    self._scheduler.delete_schedule(GroupName=group, Name=name)

    def deliver(self) -> None:
        """Do what Lambda does: hand over each message of the queue, and delete it unless it is said to have failed."""
        while messages := self._receive():
            for message in messages:
                with self._turn:
                    answer = self._handler(event(message, self._settings.queue_arn), None)
                if not answer["batchItemFailures"]:
                    self._sqs.delete_message(QueueUrl=self._settings.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _receive(self) -> list[Any]:
        answer = self._sqs.receive_message(
            QueueUrl=self._settings.queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return [*answer.get("Messages", [])]


def event(message: Mapping[str, Any], queue_arn: str) -> dict[str, Any]:
    """Return the event that Lambda makes of a message that it has received."""
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
def at_work(courier: LocalScheduler) -> Iterator[None]:
    """Have the courier make its rounds in the background, several times a second."""
    stop = Event()

    def work() -> None:
        while not stop.wait(POLL_SECONDS):
            courier.round(datetime.now(UTC))

    thread = Thread(target=work, name="courier", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
