"""Lambda: the report queue. What the bridge says of orders, positions and itself goes into the table.

What failed too often SQS moves to the dead-letter queue, which leads here too: it is tried until the table takes it.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from orderhook import alarms, bridge_messages, needs, telemetry
from orderhook.aws.budget import time_budget
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.aws.doorbell import Doorbell
from orderhook.errors import OrderhookError
from orderhook.messages import MessageError
from orderhook.reporting import Taken, take
from orderhook.services import Services
from orderhook.settings import Settings

BUDGET_SECONDS = 8.0
"""For all messages of an event; the function is stopped after 10 s."""

settings = Settings.from_environment(os.environ)
services = Services.connect(settings)
notify_bell = Doorbell(url) if (url := os.environ.get("ORDERHOOK_NOTIFY_QUEUE_URL")) else None


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001  Lambda passes a context
    """Record what the messages of one SQS event say, and return which of them SQS is to deliver again."""
    deadline = time.monotonic() + BUDGET_SECONDS
    failed = [message["messageId"] for message in event["Records"] if not _finish(message, deadline)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _finish(delivered: Mapping[str, Any], deadline: float) -> bool:
    """Record what one message says; return whether that is final, be it recorded or refused."""
    message_id: str = delivered["messageId"]
    dead_letter = delivered.get("eventSourceARN") == settings.report_dead_letter_arn
    with time_budget(deadline) as budget:
        try:
            taken: Taken = call_until(deadline, _take, delivered)
        except MessageError as refusal:
            # It ends after its attempts, and an alarm tells.
            telemetry.refuse_message(refusal, message_id)
            return dead_letter and _note_refused(delivered, refusal)
        except (OrderhookError, DeadlineError):
            metric = alarms.REPORT_DEAD_LETTERS if dead_letter else alarms.REPORTS_UNAVAILABLE
            telemetry.log_report_not_taken(message_id, budget.faults, ["Reports", metric])
            return False
        except Exception as defect:
            telemetry.report(defect, message_id)
            return False
    telemetry.log_report(message_id, taken.told, taken.metrics)
    if notify_bell and alarms.rings(taken.metrics):
        _ring(notify_bell, deadline)
    return True


def _ring(bell: Doorbell, deadline: float) -> None:
    """Have the trader told at once; a lost ring costs a minute."""
    with suppress(Exception), time_budget(deadline):
        bell.ring().failure(deadline)


def _note_refused(delivered: Mapping[str, Any], refusal: MessageError) -> bool:
    """Keep that a report is given up; return whether the table took that, for nobody else will know."""
    sent = _sent(delivered)
    try:
        services.needs.note(
            settings.venue_trader, [needs.of_refused_message(delivered["messageId"], sent, str(refusal))]
        )
    except OrderhookError:
        return False
    return True


def _sent(delivered: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(delivered["attributes"]["SentTimestamp"]) / 1000, UTC)


def _take(delivered: Mapping[str, Any]) -> Taken:
    sent = bridge_messages.parse(delivered["body"])
    if sent.trader != settings.venue_trader:
        raise MessageError("its trader is another one than the venue's")
    return take(services, sent, _sent(delivered))
