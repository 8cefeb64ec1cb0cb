"""Lambda: the queue. What was deferred is done: delayed alerts, and cancels of orders whose time is over."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orderhook import pipeline, telemetry
from orderhook.aws.budget import time_budget
from orderhook.aws.deferred import DelayedAlert, TimedCancel, parse
from orderhook.commands.cancel import Cancel, cancel_overdue
from orderhook.errors import InvalidSecretKeyError, OrderhookError, TemporarilyUnavailableError, TooLateError
from orderhook.orders import Outcome, Provenance, timestamp
from orderhook.pipeline import Alert, RequestFacts
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store.alert_log import id_prefix

BUDGET_SECONDS = 5.0
"""Nobody waits, but the function is stopped after 6 s."""

MAX_LATENESS = timedelta(minutes=5)
"""How long after its delay an alert may still open a position; SQS's own repetitions are over before."""

services = Services.connect(Settings.from_environment(os.environ))


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001  Lambda passes a context
    """Do what the messages of one SQS event say, and return which of them SQS is to deliver again.

    SQS may deliver any message twice: each is done under the id of its request, which recognises what it has written.
    """
    deadline = time.monotonic() + BUDGET_SECONDS
    failed = [message["messageId"] for message in event["Records"] if not _finish(message["body"], deadline)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _finish(body: str, deadline: float) -> bool:
    """Do what one message says; return whether that is final, be it a success or a refusal."""
    started, now = time.monotonic(), datetime.now(UTC)
    request_id = None
    try:
        message = parse(body)
        request_id = message.request_id
        with time_budget(deadline):
            return _carry_out(message, started, now, deadline)
    except Exception as defect:
        # Not final: after some more tries the message is in the dead-letter queue, where it can be looked at.
        telemetry.report(defect, request_id)
        return False


def _carry_out(message: DelayedAlert | TimedCancel, started: float, now: datetime, deadline: float) -> bool:
    facts = RequestFacts(message.request_id, key_id=message.key_id)
    try:
        result: Outcome | OrderhookError = _outcome(message, facts, now)
    except OrderhookError as error:
        result = error
    final = not isinstance(result, TemporarilyUnavailableError)
    if final:
        _record(message, facts, result, now, telemetry.milliseconds_since(started), deadline)
    telemetry.log(facts, result, telemetry.milliseconds_since(started))
    return final


def _outcome(message: DelayedAlert | TimedCancel, facts: RequestFacts, now: datetime) -> Outcome:
    provenance = Provenance(message.trader, message.key_id, message.request_id, now)
    facts.key = services.keys.get(message.key_id)
    if isinstance(message, TimedCancel):
        # Whatever has become of the key: an order that was given a time must not stay beyond it.
        facts.command, facts.order_id = Cancel.word, message.order_id
        facts.fields = {"order_id": message.order_id}
        return cancel_overdue(services, provenance, message.order_id, message.content)
    facts.fields = message.fields
    if facts.key is None or facts.key.revoked:
        raise InvalidSecretKeyError("The key was revoked while the alert waited for its delay: use another one.")
    alert = pipeline.parse_alert(message.fields, facts.key, facts)
    _check_lateness(alert, datetime.fromisoformat(message.received_at), now)
    return pipeline.carry_out(alert, services, provenance, delayed=True)


def _check_lateness(alert: Alert, received_at: datetime, now: datetime) -> None:
    """Raise TooLateError where the price that the alert was meant for is gone; what reduces risk is never too late."""
    due = alert.due(received_at)
    if now - due > MAX_LATENESS and not alert.first.risk_reducing:
        raise TooLateError(
            f"It was due at {timestamp(due)}, more than {MAX_LATENESS.seconds // 60} minutes ago: nothing is done "
            "now. See whether an earlier attempt has placed it; if not, send it again if you still want it."
        )


def _record(
    message: DelayedAlert | TimedCancel,
    facts: RequestFacts,
    result: Outcome | OrderhookError,
    now: datetime,
    milliseconds: float,
    deadline: float,
) -> None:
    """Write a record beside the one that the webhook has written: its id has the time of now, and the same ending."""
    record = telemetry.alert_record(
        facts,
        result,
        now,
        milliseconds,
        origin="delayed" if isinstance(message, DelayedAlert) else "cancel_after",
        record_id=id_prefix(now) + message.request_id[len(id_prefix(now)) :],
    )
    if record:
        telemetry.write_record(services.alert_log, record, facts.request_id, deadline)
