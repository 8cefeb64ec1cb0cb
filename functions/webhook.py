"""Lambda: POST /webhook. An alert comes in as text and leaves as an answer, before TradingView gives up waiting."""

# ruff: noqa: E402  the collector is off while modules are imported

import gc

# Imports make many objects and hardly any garbage: looking for it takes a twentieth of the cold start.
gc.disable()

# Python looks these codecs up by name when an alert first needs them: imported here, they make it a tenth shorter.
import encodings.idna
import encodings.utf_8_sig  # noqa: F401
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orderhook import payload, pipeline, readiness, responses, telemetry
from orderhook.aws import deployment
from orderhook.aws.budget import time_budget
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.aws.gateway import HttpRequest, aws_ids
from orderhook.commands.cancel import Cancel
from orderhook.errors import (
    AlertWarning,
    DuplicateFieldError,
    InvalidSecretKeyError,
    InvalidValueError,
    MalformedPayloadError,
    OrderhookError,
    SourceNotAllowedError,
    TemporarilyUnavailableError,
)
from orderhook.keys import Key, KeyRing, holds_key, key_id_of
from orderhook.outcome import Outcome
from orderhook.payload import Split
from orderhook.provenance import Provenance
from orderhook.request_facts import RequestFacts
from orderhook.responses import Response
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store.alert_log import as_sent, digest_of, id_prefix

BUDGET_SECONDS = 2.2
"""TradingView gives up after 3 s; what is left is for the way there and back."""

RECORD_SECONDS = 0.08
"""How much longer an alert's record may take: one that was cut off has a record too."""

settings = Settings.from_environment(os.environ)
services = Services.connect(settings)
keyring = KeyRing(services.keys.get, settings.key_cache_seconds)
Cancel.model_rebuild()  # other models are built when they are first used; this makes the first CANCEL a tenth shorter

gc.freeze()  # all of this stays; a request's own garbage is found without looking through it
gc.enable()


def handler(event: Mapping[str, Any], context: object) -> Response:
    """Answer one API Gateway request (payload format 2.0) within the time budget.

    Never raises: a defect is logged without its payload, counted, and answered 503, or 409 where sending the alert
    again could place a second order.
    """
    if event == deployment.REQUEST:
        return readiness.answer(services)
    started, now = time.monotonic(), datetime.now(UTC)
    # Not API Gateway's id, which a replayed event brings along: two runs are two requests. It sorts by time.
    facts = RequestFacts(request_id=f"{id_prefix(now)}{secrets.token_hex(10)}")
    request = HttpRequest(event)
    facts.received = now - timedelta(seconds=request.seconds_waited(now))
    facts.aws_ids = aws_ids(context, os.environ, request)
    deadline = started + BUDGET_SECONDS - request.seconds_waited(now)
    warnings: tuple[AlertWarning, ...] = ()
    with time_budget(deadline) as budget:
        facts.faults = budget.faults
        try:
            # The budget keeps requests from beginning that could last too long; this ends what does so nevertheless.
            result, warnings = call_until(deadline, _carry_out, request, now, facts)
        except DeadlineError:
            result = pipeline.as_answered(pipeline.cut_off(facts), facts)
    milliseconds = telemetry.milliseconds_since(started)
    with telemetry.doorbell_rung(services.doorbell, facts, result, deadline + RECORD_SECONDS):
        if record := telemetry.alert_record(facts, result, now, milliseconds, warnings=warnings):
            telemetry.write_record(services.alert_log, record, facts, deadline + RECORD_SECONDS)
    with time_budget(deadline) as budget:
        telemetry.note_use(services.keys, facts, now, deadline)
    facts.faults = [*facts.faults, *(fault for fault in budget.faults if not fault.passing)]
    telemetry.log(facts, result, telemetry.milliseconds_since(started))
    if isinstance(result, OrderhookError):
        return responses.refusal(result, facts.request_id, facts.told)
    return responses.success(result, warnings, facts.request_id, facts.told)


def _carry_out(
    request: HttpRequest, now: datetime, facts: RequestFacts
) -> tuple[Outcome | OrderhookError, tuple[AlertWarning, ...]]:
    """Return what came of the alert, and what the trader should know of its fields where it was carried out."""
    try:
        split, key = _authenticate(request, facts)
        alert = pipeline.parse_alert(
            split.pairs, key, facts, received=facts.received, is_json=split.is_json, remarks=split.remarks
        )
        provenance = Provenance(
            key.trader,
            key.key_id,
            facts.request_id,
            now,
            digest_of([("key", key.key_id), *split.pairs]),
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


def _authenticate(request: HttpRequest, facts: RequestFacts) -> tuple[Split, Key]:
    """Return the body taken apart, without the key, and whose it is. What comes after this sees no secret."""
    facts.source = request.source
    if not settings.allows_source(facts.source):
        raise SourceNotAllowedError("This address is not on the allow-list of this endpoint.")
    split = payload.split(_body(request))
    presented, pairs = payload.take_keys(split.pairs)
    secret = _only_key(split.keys) if split.fault else next(iter(presented), None)
    try:
        key = keyring.verify(secret, time.monotonic())
    except InvalidSecretKeyError:
        if split.public_fault:
            raise split.public_fault from None
        raise
    secrets_sent = {*presented, *split.keys}
    facts.key, facts.key_id, facts.fields = key, key.key_id, as_sent(pairs, *secrets_sent)
    if split.fault:
        raise split.fault
    if len(presented) > 1:
        raise DuplicateFieldError("key is given twice; give it once.", field="key")
    if any(holds_key(f"{name}={value}", *secrets_sent) for name, value in pairs):
        raise InvalidValueError("A key stands outside key=...; take it out, and have it revoked if others saw it.")
    return split._replace(pairs=tuple(pairs)), key


def _only_key(presented: Iterable[str]) -> str | None:
    """Return the one key of ours, by its form, that a body with a fault presents; with several it is nobody's."""
    keys = {secret for secret in presented if key_id_of(secret)}
    return keys.pop() if len(keys) == 1 else None


def _body(request: HttpRequest) -> bytes:
    try:
        return request.body()
    except ValueError:
        raise MalformedPayloadError(payload.FORMS) from None
