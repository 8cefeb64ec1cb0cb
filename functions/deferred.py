"""Lambda: the queue. What was to be done later is done: delayed alerts, and cancels of orders whose time is over."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orderhook import pipeline, responses, telemetry
from orderhook.aws.clients import connect, time_budget
from orderhook.aws.deferred import Deferred, DelayedAlert, TimedCancel, read_message
from orderhook.commands.cancel import Cancel, cancel_overdue
from orderhook.errors import InvalidSecretKeyError, OrderhookError, TemporarilyUnavailableError, TooLateError
from orderhook.orders import Outcome, Provenance, timestamp
from orderhook.pipeline import Alert, RequestFacts, Services
from orderhook.settings import Settings
from orderhook.store.alert_log import AlertLog, id_prefix
from orderhook.store.book import OrderBook
from orderhook.store.controls import Controls

BUDGET_SECONDS = 5.0
"""Nobody waits, but the function is stopped after 6 s."""

MOST_LATE = timedelta(minutes=5)
"""How long after its delay an alert may still open a position; SQS's own repetitions are over before."""

settings = Settings.from_environment(os.environ)
_client = connect()
book = OrderBook(_client, settings.table, settings.retention)
controls = Controls(_client, settings.table)
alerts = AlertLog(_client, settings.table, settings.alert_retention)
later = Deferred(settings.later) if settings.later else None


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001  Lambda passes a context
    """Do what the messages of one SQS event say, and return which of them SQS is to deliver again.

    SQS may deliver any message twice: each is done under the id of its request, which recognises what it has written.
    """
    deadline = time.monotonic() + BUDGET_SECONDS
    failed = [message["messageId"] for message in event["Records"] if not _is_done(message["body"], deadline)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_done(body: str, deadline: float) -> bool:
    """Do what one message says; tell whether that is final, be it a success or a refusal."""
    started, now = time.monotonic(), datetime.now(UTC)
    request_id = None
    try:
        message = read_message(body)
        request_id = message.request_id
        with time_budget(deadline):
            return _do(message, started, now, deadline)
    except Exception as defect:
        # Not final: after some more tries the message lies in the dead-letter queue, where it can be looked at.
        telemetry.report(defect, request_id)
        return False


def _do(message: DelayedAlert | TimedCancel, started: float, now: datetime, deadline: float) -> bool:
    trail = RequestFacts(message.request_id, key_id=message.key_id)
    status, final = 200, True
    try:
        trail.note_success(_outcome(message, trail, now))
    except OrderhookError as error:
        trail.note_refusal(error)
        status, final = responses.status(error), not isinstance(error, TemporarilyUnavailableError)
    if final:
        _record(message, trail, now, status, telemetry.milliseconds_since(started), deadline)
    telemetry.log(trail, status, telemetry.milliseconds_since(started))
    return final


def _outcome(message: DelayedAlert | TimedCancel, trail: RequestFacts, now: datetime) -> Outcome:
    provenance = Provenance(message.trader, message.key_id, message.request_id, now)
    trail.key = book.key(message.key_id)
    if isinstance(message, TimedCancel):
        # Whatever has become of the key: an order that was given a time must not stay beyond it.
        trail.command, trail.order_id = Cancel.word, message.order_id
        trail.fields = {"order_id": message.order_id}
        return cancel_overdue(book, provenance, message.order_id, message.content)
    trail.fields = message.fields
    if trail.key is None or trail.key.revoked:
        raise InvalidSecretKeyError("The key was revoked while the alert waited for its delay: use another one.")
    alert = pipeline.read(message.fields, trail.key, trail)
    _check_punctual(alert, datetime.fromisoformat(message.received_at), now)
    return pipeline.carry_out(alert, Services(book, controls, later), provenance, delayed=True)


def _check_punctual(alert: Alert, received_at: datetime, now: datetime) -> None:
    """Raise TooLateError where the price that the alert was meant for is gone; what reduces risk is never too late."""
    due = alert.due(received_at)
    if now - due > MOST_LATE and not alert.first.risk_reducing:
        raise TooLateError(
            f"It was due at {timestamp(due)}, and now it is more than {MOST_LATE.seconds // 60} minutes later: nothing "
            "is done now. See whether an earlier attempt has placed it; if not, send it again if you still want it."
        )


def _record(
    message: DelayedAlert | TimedCancel,
    trail: RequestFacts,
    now: datetime,
    status: int,
    milliseconds: float,
    deadline: float,
) -> None:
    """Leave a record beside the one that the webhook has left: its id has the time of now, and the same ending."""
    if trail.key is not None:
        made = pipeline.record(
            trail,
            trail.key,
            now,
            status=status,
            milliseconds=milliseconds,
            origin="delayed" if isinstance(message, DelayedAlert) else "cancel_after",
            record_id=id_prefix(now) + message.request_id[len(id_prefix(now)) :],
        )
        telemetry.record(alerts, made, trail, deadline)
