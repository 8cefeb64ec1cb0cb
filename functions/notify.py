"""Lambda: the queue of notifications. Each message says only: look what there is to tell the trader.

A schedule sends one every minute, and the function for reports one as soon as the bridge has told of something. No
alert waits for any of it.
"""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orderhook import telemetry
from orderhook.aws.budget import time_budget
from orderhook.errors import OrderhookError
from orderhook.listing import traders
from orderhook.notifying.channels import Channel, by_email, by_webhook, url_parameter
from orderhook.notifying.looking import Recipient, look
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store.notices import Notifying

BUDGET_SECONDS = 20.0
"""For the table, all traders together; the function is stopped after 30 s."""

_LEAST_SECONDS = 8.0
"""With less no look for a trader is begun: two messages of 3 s each, and the table before and after."""

settings = Settings.from_environment(os.environ)
services = Services.connect(settings)
stack = os.environ.get("ORDERHOOK_STACK", "")
topics = [arn for arn in os.environ.get("ORDERHOOK_ALARM_TOPICS", "").split(",") if arn]


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001  Lambda passes a context
    """Tell every trader what there is to tell; several messages are one look.

    Returns all of them as failed where the table did not answer, so that SQS delivers them again while they are of use.
    """
    messages = event["Records"]
    if not messages:  # as the check before traffic has it
        return {"batchItemFailures": []}
    if not _look():
        return {"batchItemFailures": [{"itemIdentifier": message["messageId"]} for message in messages]}
    telemetry.count_look()
    return {"batchItemFailures": []}


def _look() -> bool:
    """Look once for each trader; return whether the table has answered for all of them."""
    deadline = time.monotonic() + BUDGET_SECONDS
    with time_budget(deadline) as budget:
        try:
            everyone = _in_turn(sorted(_traders()), datetime.now(UTC))
        except OrderhookError:
            telemetry.log_not_looked(None, budget.faults)
            return False
    unanswered = [trader for trader in everyone if not _look_for(trader, deadline)]
    return not unanswered


def _in_turn(everyone: list[str], now: datetime) -> list[str]:
    """Return all of them, each minute from the next one on: none waits for ever for those whose services are slow."""
    first = int(now.timestamp() // 60) % len(everyone) if everyone else 0
    return [*everyone[first:], *everyone[:first]]


def _traders() -> set[str]:
    """Return whoever has a key, or a bridge."""
    return traders(services) | ({settings.venue_trader} if settings.venue.name else set())


def _look_for(trader: str, deadline: float) -> bool:
    if deadline - time.monotonic() < _LEAST_SECONDS:
        return False
    recipient = Recipient(services, trader, stack, f" --stack {stack}")
    with time_budget(deadline) as budget:
        try:
            for result in look(recipient, datetime.now(UTC), lambda notifying: _channels(trader, notifying)):
                telemetry.log_notified(trader, result.channel, result.state, result.reason, result.notices)
        except OrderhookError:
            telemetry.log_not_looked(trader, budget.faults)
            return False
        except Exception as defect:  # which rings by itself; the other traders are told all the same
            telemetry.report(defect, None)
    return True


def _channels(trader: str, notifying: Notifying) -> Sequence[Channel]:
    by_mail = [by_email(topics)] if notifying.email and topics else []
    outgoing = [by_webhook(notifying.service, url_parameter(stack, trader))] if notifying.service else []
    return [*by_mail, *outgoing]
