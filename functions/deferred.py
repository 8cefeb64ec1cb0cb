"""Lambda: the queue. What was deferred is done: delayed alerts, releases, and cancels of orders whose time is over."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orderhook import pipeline, telemetry
from orderhook.aws.budget import time_budget
from orderhook.commands.cancel import Cancel, cancel_overdue
from orderhook.commands.place import Place
from orderhook.commands.release import release
from orderhook.errors import (
    InvalidSecretKeyError,
    OrderhookError,
    TemporarilyUnavailableError,
    TooLateError,
)
from orderhook.messages import Message, Release, TimedCancel, parse
from orderhook.orders import RELEASED_WITHIN, Outcome, Provenance, timestamp
from orderhook.pipeline import Alert, RequestFacts
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store.alert_log import Origin, id_prefix

BUDGET_SECONDS = 5.0
"""Nobody waits, but the function is stopped after 6 s."""

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


def _carry_out(message: Message, started: float, now: datetime, deadline: float) -> bool:
    facts = RequestFacts(message.request_id, key_id=message.key_id, received=now)
    try:
        result: Outcome | OrderhookError = _outcome(message, facts, now)
    except OrderhookError as error:
        result = error
    for defect in facts.defects:
        telemetry.report(defect, facts.request_id)
    final = not isinstance(result, TemporarilyUnavailableError)
    if final:
        _record(message, facts, result, now, telemetry.milliseconds_since(started), deadline)
    telemetry.log(facts, result, telemetry.milliseconds_since(started), origin=_origin(message))
    return final


def _outcome(message: Message, facts: RequestFacts, now: datetime) -> Outcome:
    facts.key = services.keys.get(message.key_id)
    key_is_good = facts.key is not None and not facts.key.revoked
    provenance = Provenance(message.trader, message.key_id, message.request_id, now, resend_of=facts.resend_of)
    if isinstance(message, TimedCancel):
        # Whatever has become of the key: an order that was given a time must not stay beyond it.
        facts.command, facts.order_id = Cancel.word, message.order_id
        facts.fields = {"order_id": message.order_id}
        return cancel_overdue(services, provenance, message.order_id, message.cancels_at)
    received = datetime.fromisoformat(message.received_at)
    if isinstance(message, Release):
        facts.command, facts.order_id = Place.word, message.order_id
        facts.fields = {"order_id": message.order_id}
        provenance = provenance._replace(received=received)
        return release(services, provenance, message, key_is_good=key_is_good)
    facts.fields = message.fields
    if facts.key is None or not key_is_good:
        raise InvalidSecretKeyError("The key was revoked while the alert waited for its delay: use another one.")
    alert = pipeline.parse_alert(message.fields.items(), facts.key, facts)
    _check_in_time(alert, received, now)
    provenance = provenance._replace(received=received, alert_digest=message.digest)
    return pipeline.carry_out(alert, services, provenance, delayed=True, defects=facts.defects)


def _check_in_time(alert: Alert, received: datetime, now: datetime) -> None:
    """Raise TooLateError for an alert that may open a position; what reduces risk is never too late."""
    if alert.first.risk_reducing:
        return
    due = alert.due(received)
    if now - due > RELEASED_WITHIN:
        raise TooLateError(
            f"It was due at {timestamp(due)}, more than {RELEASED_WITHIN.seconds // 60} minutes ago: nothing is done "
            "now. See whether an earlier attempt has done it; if not, send it again if you still want it."
        )


def _record(
    message: Message,
    facts: RequestFacts,
    result: Outcome | OrderhookError,
    now: datetime,
    milliseconds: float,
    deadline: float,
) -> None:
    """Write a record beside the one that the webhook has written: its id has the time at which it was due.

    Its ending is the request's, so that a message that is delivered again leaves no second record.
    """
    due = id_prefix(datetime.fromisoformat(_due(message)))
    record = telemetry.alert_record(
        facts,
        result,
        now,
        milliseconds,
        origin=_origin(message),
        record_id=due + message.request_id[len(due) :],
    )
    if record:
        telemetry.write_record(services.alert_log, record, facts, deadline)


def _origin(message: Message) -> Origin:
    return "cancel_after" if isinstance(message, TimedCancel) else "delayed"


def _due(message: Message) -> str:
    if isinstance(message, TimedCancel):
        return message.cancels_at
    return message.due or message.received_at
