"""What is deferred: an alert with a delay, and the cancel of an order whose time is over.

Both end as a message in one queue, and DeferredFunction does what it says. A delayed alert is sent to the queue at
once, and SQS holds it back; a cancel is sent there by a schedule of EventBridge Scheduler, which then deletes itself.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from orderhook.aws.clients import connect, send
from orderhook.settings import DeferredSettings

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

_MOST_SECONDS = 3600
_MOST_ATTEMPTS = 60
"""How long, and how often, EventBridge Scheduler tries to send a cancel to the queue."""


class DelayedAlert(NamedTuple):
    """An alert that was understood and waits for its time; the key is nowhere in it."""

    trader: str
    key_id: str
    request_id: str
    """Every delivery is carried out under this id, so that its own writes are recognised."""
    received_at: str
    """ISO 8601 text in UTC."""
    fields: Mapping[str, str]


class TimedCancel(NamedTuple):
    """The cancel of the order that an alert placed for a limited time."""

    trader: str
    key_id: str
    request_id: str
    """That of the cancel, which has an id of its own."""
    order_id: str
    content: str
    """The order must be the one of this content: another one may have its id."""


def serialize(message: DelayedAlert | TimedCancel) -> str:
    """Return the message as the queue holds it: JSON in ASCII, because SQS does not take every character."""
    return json.dumps({"alert" if isinstance(message, DelayedAlert) else "cancel": message._asdict()})


def parse(body: str) -> DelayedAlert | TimedCancel:
    """Return the message that serialize wrote; raises ValueError, KeyError or TypeError for anything else."""
    match json.loads(body):
        case {"alert": alert}:
            return DelayedAlert(**alert)
        case {"cancel": cancel}:
            return TimedCancel(**cancel)
    raise ValueError("neither an alert nor a cancel")


class Deferred:
    """The queue and the schedules of one deployment.

    A client is made when an alert first needs it: few do, and no cold start waits for it. Every method raises
    TemporarilyUnavailableError when AWS does not answer inside the time budget.
    """

    def __init__(self, settings: DeferredSettings) -> None:
        self._settings = settings

    @cached_property
    def _sqs(self) -> "SQSClient":
        return connect("sqs")

    @cached_property
    def _scheduler(self) -> "EventBridgeSchedulerClient":
        return connect("scheduler")

    def defer(self, alert: DelayedAlert, seconds: int) -> None:
        """Have an alert carried out after `seconds`; run twice, it is carried out twice, under the same request id."""
        send(
            self._sqs.send_message,
            QueueUrl=self._settings.queue_url,
            MessageBody=serialize(alert),
            DelaySeconds=seconds,
        )

    def schedule(self, cancel: TimedCancel, minutes: int, now: datetime) -> datetime:
        """Have an order cancelled after `minutes`, and return the time; run twice, there is one schedule.

        An order that is not placed after all, or is finished by then, is not touched.
        """
        at = _next_second(now + timedelta(minutes=minutes))
        # The time is part of the name: a schedule that has fired stays for a while before it is deleted, and must not
        # be taken for one that is still to fire. Of two schedules for one order the earlier cancels it.
        name = _digest(cancel.trader, cancel.order_id, cancel.content, at.isoformat())
        body = serialize(cancel)
        try:
            send(
                self._scheduler.create_schedule,
                Name=name,
                GroupName=self._settings.schedule_group,
                ClientToken=_digest(name, body),
                ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={
                    "Arn": self._settings.queue_arn,
                    "RoleArn": self._settings.scheduler_role,
                    "Input": body,
                    "RetryPolicy": {
                        "MaximumEventAgeInSeconds": _MOST_SECONDS,
                        "MaximumRetryAttempts": _MOST_ATTEMPTS,
                    },
                    "DeadLetterConfig": {"Arn": self._settings.dead_letter_arn},
                },
            )
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] != "ConflictException":
                raise
        return at


def _next_second(at: datetime) -> datetime:
    return at if at.microsecond == 0 else at.replace(microsecond=0) + timedelta(seconds=1)


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()
