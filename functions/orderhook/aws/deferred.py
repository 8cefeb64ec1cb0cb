"""What is deferred: an alert with a delay, and the cancel of an order whose time is over.

Both end as a message in one queue, and DeferredFunction does what it says. A delayed alert is sent to the queue at
once, and SQS holds it back; a cancel is sent there by a schedule of EventBridge Scheduler, which then deletes itself.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from orderhook.aws.clients import connect, send
from orderhook.messages import DelayedAlert, Release, TimedCancel, serialize
from orderhook.orders import timestamp
from orderhook.provenance import Provenance
from orderhook.settings import DeferredSettings

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

_MOST_SECONDS = 3600
_MOST_ATTEMPTS = 60
"""How long, and how often, EventBridge Scheduler tries to send a cancel to the queue."""


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

    def is_dead_letter_queue(self, arn: str) -> bool:
        """Return whether this is the queue of what was given up."""
        return arn == self._settings.dead_letter_arn

    def send(self, message: DelayedAlert | Release, seconds: int) -> None:
        """Have a message delivered after `seconds`; run twice, it is delivered twice, under the same request id."""
        send(
            self._sqs.send_message,
            QueueUrl=self._settings.queue_url,
            MessageBody=serialize(message),
            DelaySeconds=seconds,
        )

    def deliver_again(self, receipt_handle: str, seconds: int) -> None:
        """Have a message of the queue delivered again after `seconds`, if it is not done by then."""
        send(
            self._sqs.change_message_visibility,
            QueueUrl=self._settings.queue_url,
            ReceiptHandle=receipt_handle,
            VisibilityTimeout=seconds,
        )

    def schedule(self, provenance: Provenance, order_id: str, minutes: int, received: datetime) -> str:
        """Have an order cancelled `minutes` after its alert was received, and return the time, which it must carry.

        Run twice, there is one schedule. An order that carries another time is not touched.
        """
        at = _next_second(received + timedelta(minutes=minutes))
        cancel = TimedCancel(
            trader=provenance.trader,
            key_id=provenance.key_id,
            request_id=f"{provenance.request_id}.cancel_after",
            order_id=order_id,
            cancels_at=timestamp(at),
        )
        # The time is part of the name: a schedule that has fired stays for a while before it is deleted, and must not
        # be taken for one that is still to fire.
        name = _digest(cancel.trader, order_id, cancel.cancels_at)
        body = serialize(cancel)
        with suppress(ClientError):  # an answer, as `send` says: there is such a schedule already
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
        return cancel.cancels_at


def _next_second(at: datetime) -> datetime:
    return at if at.microsecond == 0 else at.replace(microsecond=0) + timedelta(seconds=1)


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()
