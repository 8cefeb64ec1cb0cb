"""Lambda: POST /webhook. An alert comes in as text and leaves as an answer, before TradingView gives up waiting."""

# ruff: noqa: E402  the collector is off while modules are imported

import gc

# Imports make many objects and hardly any garbage: looking for it takes a twentieth of the cold start.
gc.disable()

import os
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orderhook import payload, pipeline, responses, telemetry
from orderhook.aws.budget import time_budget
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.aws.gateway import HttpRequest
from orderhook.errors import (
    DuplicateFieldError,
    InvalidSecretKeyError,
    InvalidValueError,
    MalformedPayloadError,
    OrderhookError,
    SourceNotAllowedError,
    TemporarilyUnavailableError,
)
from orderhook.keys import Key, KeyRing, holds_key
from orderhook.orders import Outcome, Provenance
from orderhook.pipeline import RequestFacts
from orderhook.responses import Response
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store.alert_log import as_sent, id_prefix

BUDGET_SECONDS = 2.2
"""TradingView gives up after 3 s; what is left is for the way there and back."""

_UNAVAILABLE = "This alert could not be answered. Send it again; it is safe."

settings = Settings.from_environment(os.environ)
services = Services.connect(settings)
keyring = KeyRing(services.keys.get, settings.key_cache_seconds)

gc.freeze()  # all of this stays; a request's own garbage is found without looking through it
gc.enable()


def handler(event: Mapping[str, Any], context: object) -> Response:  # noqa: ARG001  Lambda passes a context
    """Answer one API Gateway request (payload format 2.0) within the time budget.

    Never raises: a defect is logged without its payload, counted, and answered 503, or 409 where sending the alert
    again could place a second order.
    """
    started, now = time.monotonic(), datetime.now(UTC)
    # Not API Gateway's id, which a replayed event brings along: two runs are two requests. It sorts by time.
    facts = RequestFacts(request_id=f"{id_prefix(now)}{secrets.token_hex(10)}")
    request = HttpRequest(event)
    deadline = started + BUDGET_SECONDS - request.seconds_waited(now)
    ignored: tuple[str, ...] = ()
    with time_budget(deadline):
        try:
            # The budget keeps requests from beginning that could last too long; this ends what does so nevertheless.
            result, ignored = call_until(deadline, _carry_out, request, now, facts)
        except DeadlineError:
            result = pipeline.as_answered(TemporarilyUnavailableError(_UNAVAILABLE), facts)
        milliseconds = telemetry.milliseconds_since(started)
        if record := telemetry.alert_record(facts, result, now, milliseconds):
            telemetry.write_record(services.alert_log, record, facts.request_id, deadline)
    telemetry.log(facts, result, telemetry.milliseconds_since(started))
    if isinstance(result, OrderhookError):
        return responses.refusal(result, facts.request_id)
    warnings = [responses.ignored_field(str(facts.command), name) for name in ignored]
    return responses.success(result, warnings, facts.request_id)


def _carry_out(
    request: HttpRequest, now: datetime, facts: RequestFacts
) -> tuple[Outcome | OrderhookError, tuple[str, ...]]:
    """Return what came of the alert, and the fields that it gives and its command does not use."""
    try:
        pairs, key = _authenticate(request, facts)
        alert = pipeline.parse_alert(payload.parse_fields(pairs), key, facts)
        provenance = Provenance(key.trader, key.key_id, facts.request_id, now)
        return pipeline.carry_out(alert, services, provenance), alert.ignored
    except OrderhookError as error:
        return pipeline.as_answered(error, facts), ()
    except Exception as defect:
        telemetry.report(defect, facts.request_id)
        return pipeline.as_answered(TemporarilyUnavailableError(_UNAVAILABLE), facts), ()


def _authenticate(request: HttpRequest, facts: RequestFacts) -> tuple[list[payload.Pair], Key]:
    """Return the pairs without the key, and whose they are. What comes after this sees no secret."""
    facts.source = request.source
    if not settings.allows_source(facts.source):
        raise SourceNotAllowedError("This address is not on the allow-list of this endpoint.")
    split = payload.split(_body(request))
    presented, pairs = payload.take_keys(split.pairs)
    try:
        key = keyring.verify(presented[0] if presented else None, time.monotonic())
    except InvalidSecretKeyError:
        if split.fault:
            raise MalformedPayloadError(payload.FORMS) from None
        raise
    facts.key, facts.key_id, facts.fields = key, key.key_id, as_sent(pairs)
    if split.fault:
        raise MalformedPayloadError(split.fault)
    if len(presented) > 1:
        raise DuplicateFieldError("key is given twice; give it once.", field="key")
    if any(holds_key(f"{name}={value}") for name, value in pairs):
        raise InvalidValueError("A key stands outside key=...; take it out, and have it revoked if others saw it.")
    return pairs, key


def _body(request: HttpRequest) -> bytes:
    try:
        return request.body()
    except ValueError:
        raise MalformedPayloadError(payload.FORMS) from None
