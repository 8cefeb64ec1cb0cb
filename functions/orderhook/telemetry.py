"""What a request leaves behind in either function: a log line, a metric, and the record of its alert.

A line, metric or record that cannot be written takes no answer away. Nothing here can hold a secret.
"""

import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from orderhook import alarms, responses
from orderhook.aws.budget import Fault, time_budget
from orderhook.aws.clients import error_code
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.aws.doorbell import Doorbell
from orderhook.errors import (
    AccessError,
    AlertWarning,
    ControlError,
    OrderhookError,
    PayloadError,
    VenueOfflineError,
)
from orderhook.messages import MessageError
from orderhook.orders import timestamp
from orderhook.outcome import AccountResults, Outcome
from orderhook.pipeline import affected_order_ids
from orderhook.request_facts import RequestFacts
from orderhook.store.alert_log import MAX_ORDER_IDS, MAX_WARNINGS, AlertLog, AlertRecord, Origin, RecordedResult
from orderhook.store.keys import KeyStore
from orderhook.store.writes import ConditionFailed

_LOGGED_FACTS = ("request_id", "key_id", "command", "order_id", "strategy_id")

logger = Logger()


class _Metrics(threading.local):
    """The metrics of the line that a thread is making: on the local server there are several threads."""

    def __init__(self) -> None:
        self.own = EphemeralMetrics()


_metrics = _Metrics()


def milliseconds_since(started: float) -> float:
    """Return how long ago `started` was, a second of time.monotonic."""
    return round((time.monotonic() - started) * 1000, 1)


def log(
    facts: RequestFacts,
    result: Outcome | OrderhookError,
    milliseconds: float,
    *,
    origin: Origin = "webhook",
    dead_letter: bool = False,
    given_up: bool = False,
) -> None:
    """Write the line and the metrics of a request that was answered, and before them what an operator has to mend.

    `given_up` says that it is not tried any more, though nothing was wrong with it.
    """
    for defect in facts.all_defects:
        report(defect, facts.request_id)
    _report_faults(facts)
    with _never_raising():
        values = {name: getattr(facts, name) for name in _LOGGED_FACTS}
        values |= {"outcome": responses.word(result), "state": result.state, **facts.aws_ids}
        if isinstance(result, OrderhookError):
            values |= {"field": result.field}
        values |= _named(facts.why(result))
        if given_up:
            values |= {"given_up": True}
        present = {name: value for name, value in values.items() if value is not None}
        logger.info("alert", status=responses.status(result), milliseconds=milliseconds, **present)
        word = responses.word(result)
        code, field = (word, result.field) if isinstance(result, OrderhookError) else (None, None)
        metrics = alarms.metrics_of(
            code,
            origin,
            key_is_known=facts.key_id is not None,
            dead_letter=dead_letter,
            by_key=alarms.is_of_key(code, field),
        )
        _count(*(["Deferred", "GivenUp"] if given_up else metrics), outcome=word)


def report(defect: Exception, request_id: str | None) -> None:
    """Log where a defect struck. Its message stays out: it may quote the payload."""
    with _never_raising():
        frames = _frames(traceback.extract_tb(defect.__traceback__))
        logger.error("defect", request_id=request_id, reason=error_code(defect), frames=frames)
        _count("UnhandledErrors")


def log_delivered_again(request_id: str) -> None:
    """Log a message that an earlier delivery has answered for good, so that nothing is done."""
    with _never_raising():
        logger.info("delivered again", request_id=request_id)


def log_sign_in(source: str, session_id: str | None) -> None:
    """Write the line of who signs in to the console, and count who is refused: whoever has no good code."""
    with _never_raising():
        if session_id:
            logger.info("sign-in", source=source, session_id=session_id)
        else:
            logger.warning("sign-in refused", source=source)
            _count("SignInsRefused")


def refuse_message(refusal: MessageError, message_id: str) -> None:
    """Log and count a message of the queue that is not understood or not to be trusted; it may hold anything."""
    with _never_raising():
        logger.error("message refused", message_id=message_id, reason=str(refusal))
        _count("MessagesRefused")


def log_report(message_id: str, told: Mapping[str, Any], metrics: Iterable[str]) -> None:
    """Write the line and the metrics of a report that was taken."""
    with _never_raising():
        if told:
            logger.info("report", message_id=message_id, **{name: it for name, it in told.items() if it is not None})
        _count(*metrics)


def log_report_not_taken(message_id: str, faults: list[Fault], metrics: Iterable[str]) -> None:
    """Write the line and the metrics of a report that SQS is to deliver again."""
    facts = RequestFacts(message_id, faults=faults)
    _report_faults(facts)
    with _never_raising():
        logger.warning("report not taken", message_id=message_id, **_named(next(iter(faults), None)))
        _count(*metrics)


def log_notified(trader: str, channel: str, state: str, reason: str | None, notices: int) -> None:
    """Write the line of a message to a trader, and count it: what was not sent rings."""
    with _never_raising():
        told: dict[str, Any] = {"trader": trader, "channel": channel, "state": state, "notices": notices}
        told |= {"reason": reason} if reason else {}
        (logger.info if state == "sent" else logger.warning)("notification", **told)
        _count("Notifications", *([] if state == "sent" else [alarms.NOTIFICATIONS_FAILED]))


def log_not_looked(trader: str | None, faults: list[Fault]) -> None:
    """Log that it could not be seen what there is to tell, of all traders or of one; the next message looks again."""
    _report_faults(RequestFacts("", faults=faults))
    with _never_raising():
        logger.warning("not looked", trader=trader, **_named(next(iter(faults), None)))


def count_look() -> None:
    """Count that it was seen what there is to tell every trader: where nobody can, it rings."""
    with _never_raising():
        _count(alarms.LOOKS)


def _report_faults(facts: RequestFacts) -> None:
    """Log what AWS refused and will go on refusing until an operator mends it: each once, however often it was met."""
    met = {(fault.reason, fault.operation): fault for fault in facts.faults if not fault.passing}
    for fault in met.values():
        with _never_raising():
            logger.error("refused by AWS", request_id=facts.request_id, **_named(fault), frames=_frames(fault.stack))
            _count("UnhandledErrors")


def write_record(alert_log: AlertLog, record: AlertRecord, facts: RequestFacts, deadline: float) -> bool | None:
    """Write the record of an alert in the time that is left; without it, all else is as it is.

    A resend that was answered for good is noted in the record of the alert that it repeats, and of any other what it
    has done. Returns whether the record was written: False where a message that is delivered again has left it before,
    None where the table did not take it.
    """
    written = True
    with time_budget(deadline) as budget:
        try:
            try:
                call_until(deadline, alert_log.put, record, facts.progress.stops)
            except ConditionFailed:
                written = False
            for first, earlier in list(facts.resend_of.items()):
                if record.status < 500:
                    call_until(deadline, alert_log.note_answered, record.trader, first, facts.received)
                elif (known := earlier.and_again(record.results, facts.progress.stops)) != earlier:
                    call_until(deadline, alert_log.note_again, record.trader, first, known, facts.received)
        except (Exception, DeadlineError) as failure:
            with _never_raising():
                fault = budget.faults[0] if budget.faults else Fault(error_code(failure))
                logger.warning("alert not recorded", request_id=facts.request_id, **_named(fault))
                _count("AlertsNotRecorded")
            return None
    return written


@contextmanager
def doorbell_rung(
    doorbell: Doorbell | None, facts: RequestFacts, result: Outcome | OrderhookError, deadline: float
) -> Iterator[None]:
    """Ring meanwhile, where there is a doorbell and may be news: duplicates too, for the ring before may be lost.

    Where it fails that is counted, and all else is as it is.
    """
    refused = isinstance(result, PayloadError | AccessError | ControlError | VenueOfflineError)
    if doorbell is None or (refused and not (result.results or result.affected_order_ids)):
        yield
        return
    ringing = None
    with _never_raising(), time_budget(deadline):
        ringing = doorbell.ring()
    yield
    with _never_raising():
        reason = ringing.failure(deadline) if ringing else "NotSent"
        if reason:
            logger.warning("doorbell lost", request_id=facts.request_id, reason=reason)
            _count(alarms.DOORBELLS_LOST)


def note_use(keys: KeyStore, facts: RequestFacts, now: datetime, deadline: float) -> None:
    """Note when the key was used, in the time that is left; where that fails, it shows the use before."""
    if facts.key is not None:
        with suppress(Exception, DeadlineError):
            call_until(deadline, keys.note_use, facts.key, now)


def alert_record(
    facts: RequestFacts,
    result: Outcome | OrderhookError,
    received_at: datetime,
    milliseconds: float,
    *,
    warnings: Iterable[AlertWarning] = (),
    origin: Origin = "webhook",
    record_id: str | None = None,
) -> AlertRecord | None:
    """Return the record of an alert that had this result, None where it is not known whose it is.

    `warnings` are those of its fields; the result has others.

    What is deferred has a record of its own, with an id of its own.
    """
    key = facts.key
    if key is None:
        return None
    return AlertRecord(
        trader=key.trader,
        request_id=record_id or facts.request_id,
        received_at=timestamp(received_at),
        key_id=key.key_id,
        key_label=key.label,
        source=facts.source,
        fields=facts.fields or {},
        command=facts.command,
        milliseconds=Decimal(str(milliseconds)),
        order_ids=tuple(affected_order_ids(result))[:MAX_ORDER_IDS],
        instruction_ids=tuple(_instruction_ids(result)),
        warnings=(*warnings, *result.warnings)[:MAX_WARNINGS],
        origin=origin,
        results=tuple(_results(result.results)),
        instrument=_instrument(result) or facts.told.get("instrument"),
        reason=_named(facts.why(result)).get("reason"),
        **dict[str, Any](facts.aws_ids),
        **_answer(result),
    )


def _instrument(result: Outcome | OrderhookError) -> str | None:
    """Return the instrument of the order that a result is about, where that is another than its alert means."""
    instrument = result.extra.get("instrument")
    return str(instrument) if instrument else None


def _instruction_ids(result: Outcome | OrderhookError) -> Iterator[str]:
    """Yield the ids of what an alert asks of positions, in each of its accounts."""
    for one in (result, *(of_account for _, of_account in result.results)):
        if instruction_id := one.extra.get("instruction_id"):
            yield str(instruction_id)


def _results(results: AccountResults) -> Iterator[RecordedResult]:
    """Yield what is kept of each account's result; the ids of all together are no more than a record keeps."""
    room = MAX_ORDER_IDS
    for account, result in results:
        order_ids = tuple(affected_order_ids(result))[:room]
        room -= len(order_ids)
        instruction_id = next(_instruction_ids(result), None)
        yield RecordedResult(account, order_ids=order_ids, instruction_id=instruction_id, **_answer(result))


def _answer(result: Outcome | OrderhookError) -> dict[str, Any]:
    """Return what a record has of an answer, be it that to the alert or that of one account."""
    refusal = result if isinstance(result, OrderhookError) else None
    return {
        "status": responses.status(result),
        "outcome": responses.word(result),
        "detail": refusal and refusal.detail,
        "field": refusal and refusal.field,
        "duplicate": isinstance(result, Outcome) and result.is_duplicate,
    }


def as_recorded(result: RecordedResult) -> Outcome | OrderhookError:
    """Return what an alert came to in an account, as far as its record has it."""
    if error := responses.ERRORS.get(result.outcome):
        return error(result.detail or "The first of these alerts was refused so.", field=result.field)
    order_id, *others = result.order_ids or (None,)
    duplicate = True if result.duplicate else None
    extra = {"instruction_id": result.instruction_id} if result.instruction_id else {}
    return Outcome(
        result.outcome, duplicate, order_id=order_id, extra=extra, affected_order_ids=tuple(filter(None, others))
    )


def _named(fault: Fault | None) -> dict[str, Any]:
    """Return what a line says of a fault, if there is one."""
    named = {"reason": fault.reason, "operation": fault.operation} if fault else {}
    return {name: value for name, value in named.items() if value is not None}


def _frames(stack: Iterable[traceback.FrameSummary]) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in stack]


def _count(*names: str, **properties: str) -> None:
    """Write one line that CloudWatch makes metrics of; properties stand in it and are no dimensions, which cost."""
    metrics = _metrics.own
    try:
        for name in names:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        for name, value in properties.items():
            metrics.add_metadata(key=name, value=value)
        metrics.flush_metrics()
    finally:
        metrics.clear_metrics()  # where one was refused, or metrics are switched off, flushing leaves them


@contextmanager
def _never_raising() -> Iterator[None]:
    """Turn a failure to log into a plain line on standard error, which CloudWatch keeps too."""
    try:
        yield
    except Exception as failure:
        sys.stderr.write(f"telemetry failed: {type(failure).__name__}\n")
