"""Lambda: the queue. What was deferred is done: delayed alerts, releases, and cancels of orders whose time is over.

What failed too often SQS moves to the dead-letter queue, which leads here too: there it is given up, and says so.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from orderhook import pipeline, telemetry
from orderhook.aws.budget import time_budget
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.aws.gateway import aws_ids
from orderhook.commands.cancel import Cancel, cancel_overdue
from orderhook.commands.place import Place
from orderhook.commands.release import give_up, release
from orderhook.errors import (
    InvalidSecretKeyError,
    OrderhookError,
    OrderNotFoundError,
    OutcomeUnknownError,
    TemporarilyUnavailableError,
    TooLateError,
    VenueOfflineError,
)
from orderhook.grants import key_of_session
from orderhook.messages import DelayedAlert, Message, MessageError, Release, TimedCancel, parse
from orderhook.orders import RELEASED_WITHIN, timestamp
from orderhook.outcome import Outcome
from orderhook.pipeline import Alert
from orderhook.provenance import Provenance
from orderhook.request_facts import RequestFacts
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store.alert_log import Origin, due_record_id

BUDGET_SECONDS = 5.0
"""Nobody waits, but the function is stopped after 6 s."""

RECORD_SECONDS = 0.5
"""How much longer a record may take: what was cut off, and is not tried again, has one too."""

BRIDGE_SECONDS = 10
"""How soon a release is tried again while the bridge is away: three times before it is too late, and then it ends."""

services = Services.connect(Settings.from_environment(os.environ))


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Do what the messages of one SQS event say, and return which of them SQS is to deliver again.

    SQS may deliver any message twice: each is done under the id of its request, which recognises what it has written.
    """
    deadline = time.monotonic() + BUDGET_SECONDS
    ids = aws_ids(context, os.environ)
    failed = [message["messageId"] for message in event["Records"] if not _finish(message, ids, deadline)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _finish(delivered: Mapping[str, Any], ids: Mapping[str, str], deadline: float) -> bool:
    """Do what one message says; return whether that is final, be it a success or a refusal."""
    queue_arn = str(delivered.get("eventSourceARN"))
    dead_letter = services.deferred is not None and services.deferred.is_dead_letter_queue(queue_arn)
    try:
        message = parse(delivered["body"])
    except MessageError as refusal:
        # Nobody but this deployment writes here. It ends after its attempts, and an alarm tells.
        telemetry.refuse_message(refusal, delivered["messageId"])
        return dead_letter
    except Exception as defect:
        telemetry.report(defect, None)
        # After some more tries it is in the dead-letter queue, where it ends: nobody can do what it says.
        return dead_letter
    try:
        return _carry_out(message, ids, deadline, str(delivered.get("receiptHandle")), dead_letter=dead_letter)
    except MessageError as refusal:
        telemetry.refuse_message(refusal, delivered["messageId"])
        return dead_letter


def _carry_out(
    message: Message, ids: Mapping[str, str], deadline: float, receipt_handle: str, *, dead_letter: bool
) -> bool:
    started, now = time.monotonic(), datetime.now(UTC)
    if isinstance(message, DelayedAlert) and _was_recorded(message, deadline):
        telemetry.log_delivered_again(message.request_id)
        return True  # what was refused left no trace, and must not meet what came later
    facts = RequestFacts(message.request_id, key_id=message.key_id, received=now, aws_ids=ids)
    result: Outcome | OrderhookError
    with time_budget(deadline) as budget:
        facts.faults = budget.faults
        try:
            result = call_until(deadline, _outcome, message, facts, now, dead_letter)
        except OrderhookError as error:
            result = error
        except DeadlineError:
            result = pipeline.cut_off(facts)
        except MessageError:
            raise
        except Exception as defect:
            facts.defects.append(defect)
            result = TemporarilyUnavailableError(pipeline.UNANSWERED)
    milliseconds = telemetry.milliseconds_since(started)
    if isinstance(result, TemporarilyUnavailableError):
        telemetry.log(facts, result, milliseconds, origin=_origin(message), dead_letter=dead_letter)
        if isinstance(result, VenueOfflineError) and services.deferred:
            with suppress(Exception), time_budget(deadline + RECORD_SECONDS):  # or it comes when SQS says
                services.deferred.deliver_again(receipt_handle, BRIDGE_SECONDS)
        return False
    with telemetry.doorbell_rung(services.doorbell, facts, result, deadline + RECORD_SECONDS):
        recorded = _record(message, facts, result, now, milliseconds, deadline + RECORD_SECONDS)
    gives_up = dead_letter and not isinstance(message, TimedCancel)
    given_up = gives_up and isinstance(result, TooLateError | OutcomeUnknownError)
    if given_up and not recorded:
        # Either it was recorded before, and what it came to was told; or the table must take that first.
        return recorded is not None
    telemetry.log(facts, result, milliseconds, origin=_origin(message), given_up=given_up)
    return True


def _was_recorded(message: DelayedAlert, deadline: float) -> bool:
    with suppress(Exception), time_budget(deadline):
        return services.alert_log.get(message.trader, _record_id(message)) is not None
    return False


def _record_id(message: Message) -> str:
    """Return the id of the record."""
    return due_record_id(message.request_id, datetime.fromisoformat(_due(message)))


def _outcome(message: Message, facts: RequestFacts, now: datetime, dead_letter: bool) -> Outcome:
    key = services.keys.get(message.key_id)
    if key is None and not isinstance(message, TimedCancel):
        raise MessageError("its key is unknown")  # no key ever leaves the table
    if key is not None and key.trader != message.trader:
        raise MessageError("its key is another trader's")
    facts.key = key
    key_is_good = facts.key is not None and not facts.key.revoked
    provenance = Provenance(
        message.trader,
        message.key_id,
        message.request_id,
        now,
        resend_of=facts.resend_of,
        progress=facts.progress,
    )
    if isinstance(message, TimedCancel):
        # Whatever has become of the key, and however late: an order that was given a time must not stay beyond it.
        facts.command, facts.order_id = Cancel.word, message.order_id
        facts.fields = {"order_id": message.order_id}
        facts.key = key or key_of_session(message.key_id, message.trader)  # it has a record as a key's has
        return cancel_overdue(services, provenance, message.order_id, message.cancels_at)
    received = datetime.fromisoformat(message.received_at)
    provenance = provenance._replace(limits=facts.key and facts.key.limits)
    if isinstance(message, Release):
        facts.command, facts.order_id = Place.word, message.order_id
        facts.fields = {"order_id": message.order_id}
        provenance = provenance._replace(received=received)
        if dead_letter:
            return give_up(services, provenance, message)
        return release(services, provenance, message, key_is_good=key_is_good)
    facts.fields = message.fields
    if facts.key is None or not key_is_good:
        raise InvalidSecretKeyError("The key was revoked while the alert waited for its delay: use another one.")
    alert = pipeline.parse_alert(message.fields.items(), facts.key, facts, received=received)
    if dead_letter:
        return pipeline.give_up(alert, services, provenance, OutcomeUnknownError(_GIVEN_UP), facts.defects)
    _check_in_time(alert, received, now)
    due = datetime.fromisoformat(message.due) if message.due else None
    provenance = provenance._replace(received=received, alert_digest=message.digest, due=due)
    return pipeline.carry_out(alert, services, provenance, delayed=True, defects=facts.defects)


_GIVEN_UP = (
    "Given up: it could not be carried out when its delay was over, however often it was tried, and may be done in "
    "part. Look at your orders, and send the alert again if you still want it."
)


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
) -> bool | None:
    """Write a record beside the one that the webhook has written; a message delivered again leaves no second one.

    Returns what telemetry.write_record does; without a key nobody is known whose record it could be. A time limit that
    no order has was scheduled by an alert that placed nothing, or has been replaced: neither is anybody's news.
    """
    if isinstance(message, TimedCancel) and isinstance(result, OrderNotFoundError):
        return True
    record = telemetry.alert_record(
        facts,
        result,
        now,
        milliseconds,
        origin=_origin(message),
        record_id=_record_id(message),
    )
    return telemetry.write_record(services.alert_log, record, facts, deadline) if record else True


def _origin(message: Message) -> Origin:
    return "cancel_after" if isinstance(message, TimedCancel) else "delayed"


def _due(message: Message) -> str:
    if isinstance(message, TimedCancel):
        return message.cancels_at
    return message.due or message.received_at
