"""Answer one alert within its time: carry it out, ring the venue's doorbell, and leave its record, line and metrics.

The webhook and the console do so, each with its own way to find out who asks for it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from orderhook import pipeline, telemetry
from orderhook.aws.budget import time_budget
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.errors import AlertWarning, OrderhookError, TemporarilyUnavailableError
from orderhook.keys import Key
from orderhook.outcome import Outcome
from orderhook.payload import Split
from orderhook.provenance import Provenance
from orderhook.request_facts import RequestFacts
from orderhook.services import Services
from orderhook.store.alert_log import Origin, digest_of

BUDGET_SECONDS = 2.2
"""TradingView gives up after 3 s; what is left is for the way there and back."""

RECORD_SECONDS = 0.08
"""How much longer an alert's record may take: one that was cut off has a record too."""

Authenticate = Callable[[RequestFacts], tuple[Split, Key]]
"""Returns the fields, without any key, and who sends them; raises the OrderhookError of a sender who may not."""

Answered = tuple[Outcome | OrderhookError, tuple[AlertWarning, ...]]


def answer(
    services: Services,
    facts: RequestFacts,
    authenticate: Authenticate,
    *,
    started: float,
    now: datetime,
    waited: float = 0.0,
    origin: Origin = "webhook",
    once: str | None = None,
) -> Answered:
    """Return what came of an alert, and what its sender should know of its fields where it was carried out.

    `started` is a second of time.monotonic, and `waited` how many seconds the sender had waited by then. `once` tells
    texts apart that are alike and are not meant to be the same. Never raises: a defect is logged without its payload,
    counted, and answered 503, or 409 where sending the alert again could place a second order.
    """
    facts.received = now - timedelta(seconds=waited)
    deadline = started + BUDGET_SECONDS - waited
    warnings: tuple[AlertWarning, ...] = ()
    with time_budget(deadline) as budget:
        facts.faults = budget.faults
        try:
            # The budget keeps requests from beginning that could last too long; this ends what does so nevertheless.
            result, warnings = call_until(deadline, _carry_out, services, facts, authenticate, now, once)
        except DeadlineError:
            result = pipeline.as_answered(pipeline.cut_off(facts), facts)
    milliseconds = telemetry.milliseconds_since(started)
    with telemetry.doorbell_rung(services.doorbell, facts, result, deadline + RECORD_SECONDS):
        if record := telemetry.alert_record(facts, result, now, milliseconds, warnings=warnings, origin=origin):
            telemetry.write_record(services.alert_log, record, facts, deadline + RECORD_SECONDS)
    if origin != "console":  # a session is no key
        with time_budget(deadline) as budget:
            telemetry.note_use(services.keys, facts, now, deadline)
        facts.faults = [*facts.faults, *(fault for fault in budget.faults if not fault.passing)]
    telemetry.log(facts, result, telemetry.milliseconds_since(started), origin=origin)
    return result, warnings


def _carry_out(
    services: Services, facts: RequestFacts, authenticate: Authenticate, now: datetime, once: str | None
) -> Answered:
    try:
        split, key = authenticate(facts)
        alert = pipeline.parse_alert(
            split.pairs, key, facts, received=facts.received, is_json=split.is_json, remarks=split.remarks
        )
        told_apart = [("once", once)] if once else []
        provenance = Provenance(
            key.trader,
            key.key_id,
            facts.request_id,
            now,
            digest_of([("key", key.key_id), *told_apart, *split.pairs]),
            facts.received,
            facts.resend_of,
            limits=key.limits,
            progress=facts.progress,
        )
        alert = pipeline.as_first_received(alert, services, provenance, facts)
        return (
            pipeline.carry_out(alert, services, provenance, defects=facts.defects, as_recorded=telemetry.as_recorded),
            alert.warnings,
        )
    except OrderhookError as error:
        return pipeline.as_answered(error, facts), ()
    except Exception as defect:
        facts.defects.append(defect)
        return pipeline.as_answered(TemporarilyUnavailableError(pipeline.UNANSWERED), facts), ()
