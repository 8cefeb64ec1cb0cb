"""Lambda: POST /webhook. An alert comes in as text and leaves as an answer, within TradingView's patience."""

# ruff: noqa: E402  what costs time is imported after the collector is off

import base64
import gc
import os
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# Imports make a great many objects and hardly any garbage: looking for it took a twentieth of the cold start.
gc.disable()

# Python looks these codecs up by name, for a host and for an alert: the first alert would wait for them.
import encodings.idna
import encodings.utf_8_sig  # noqa: F401

from orderhook import commands, payload, pipeline, responses, telemetry
from orderhook.aws.clients import connect, may_have_written, time_budget
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.aws.deferred import Deferred
from orderhook.errors import (
    DuplicateFieldError,
    InvalidSecretKeyError,
    InvalidValueError,
    MalformedPayloadError,
    OrderhookError,
    OutcomeUnknownError,
    SourceNotAllowedError,
    TemporarilyUnavailableError,
)
from orderhook.keys import Key, KeyRing, holds_key
from orderhook.orders import Provenance
from orderhook.pipeline import RequestFacts, Services
from orderhook.responses import Response
from orderhook.settings import Settings
from orderhook.store.alert_log import AlertLog, as_sent, id_prefix
from orderhook.store.book import OrderBook
from orderhook.store.controls import Controls

BUDGET_SECONDS = 2.2
"""TradingView gives up after 3 s; what is left is for the way there and back."""

_UNAVAILABLE = "This alert could not be answered. Send it again; it is safe."

settings = Settings.from_environment(os.environ)
_client = connect()
book = OrderBook(_client, settings.table, settings.retention)
alerts = AlertLog(_client, settings.table, settings.alert_retention)
controls = Controls(_client, settings.table)
later = Deferred(settings.later) if settings.later else None
keyring = KeyRing(book.key, settings.key_cache_seconds)
commands.load(commands.COMMANDS if settings.starts_ahead else ["CANCEL"])

gc.freeze()  # all of this stays; a request's own garbage is found without looking through it
gc.enable()


def handler(event: Mapping[str, Any], context: object) -> Response:  # noqa: ARG001  Lambda passes a context
    """Answer one API Gateway request (payload format 2.0) within the time budget.

    Never raises: a defect is logged without its payload, counted, and answered 503, or 409 where sending the alert
    again could place a second order.
    """
    started, now = time.monotonic(), datetime.now(UTC)
    # Not API Gateway's id, which a replayed event brings along: two runs are two requests. Sorts by time.
    trail = RequestFacts(request_id=f"{id_prefix(now)}{secrets.token_hex(10)}")
    deadline = started + BUDGET_SECONDS - _age(event, now)
    with time_budget(deadline):
        try:
            # The budget keeps requests from beginning that could last too long; this ends what does so nevertheless.
            response = call_until(deadline, _answer, event, now, trail)
        except DeadlineError:
            response = _refuse(TemporarilyUnavailableError(_UNAVAILABLE), trail)
        _record(trail, now, response["statusCode"], telemetry.milliseconds_since(started), deadline)
    telemetry.log(trail, response["statusCode"], telemetry.milliseconds_since(started))
    return response


def _answer(event: Mapping[str, Any], now: datetime, trail: RequestFacts) -> Response:
    try:
        pairs, key = _authenticate(event, trail)
        alert = pipeline.read(payload.read_fields(pairs), key, trail)
        provenance = Provenance(key.trader, key.key_id, trail.request_id, now)
        outcome = pipeline.carry_out(alert, Services(book, controls, later), provenance)
    except OrderhookError as error:
        return _refuse(error, trail)
    except Exception as defect:
        telemetry.report(defect, trail.request_id)
        return _refuse(TemporarilyUnavailableError(_UNAVAILABLE), trail)
    trail.note_success(outcome)
    warnings = [responses.ignored_field(str(trail.command), name) for name in alert.ignored]
    return responses.success(outcome, warnings, trail.request_id)


def _refuse(error: OrderhookError, trail: RequestFacts) -> Response:
    if isinstance(error, TemporarilyUnavailableError) and not trail.repeatable and may_have_written():
        cause = error.__cause__
        error = OutcomeUnknownError(
            "The order may or may not have been placed: look before you send it again. An order_id makes that safe."
        )
        error.__cause__ = cause
    trail.note_refusal(error)
    return responses.refusal(error, trail.request_id)


def _authenticate(event: Mapping[str, Any], trail: RequestFacts) -> tuple[list[payload.Pair], Key]:
    """Return the pairs without the key, and whose they are. What comes after this sees no secret."""
    # An event is whatever JSON says: a lone surrogate could not be recorded.
    trail.source = str(_at(event, "requestContext", "http", "sourceIp")).encode(errors="replace").decode()
    if not settings.allows_source(trail.source):
        raise SourceNotAllowedError("This address is not on the allow-list of this endpoint.")
    split = payload.split(_body(event))
    presented, pairs = payload.take_keys(split.pairs)
    try:
        key = keyring.verify(presented[0] if presented else None, time.monotonic())
    except InvalidSecretKeyError:
        if split.fault:
            raise MalformedPayloadError(payload.FORMS) from None
        raise
    trail.key, trail.key_id, trail.fields = key, key.key_id, as_sent(pairs)
    if split.fault:
        raise MalformedPayloadError(split.fault)
    if len(presented) > 1:
        raise DuplicateFieldError("key is given twice; give it once.", field="key")
    if any(holds_key(f"{name}={value}") for name, value in pairs):
        raise InvalidValueError("A key stands outside key=...; take it out, and have it revoked if others saw it.")
    return pairs, key


def _body(event: Mapping[str, Any]) -> bytes:
    body: Any = _at(event, "body") or ""
    if not _at(event, "isBase64Encoded"):
        return str(body).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (ValueError, TypeError):
        raise MalformedPayloadError(payload.FORMS) from None


def _age(event: Mapping[str, Any], now: datetime) -> float:
    """Return for how many seconds TradingView has been waiting already; an event replayed from a file has no age."""
    epoch = _at(event, "requestContext", "timeEpoch")
    milliseconds = int(now.timestamp() * 1000) - epoch if isinstance(epoch, int) else 0
    return milliseconds / 1000 if 0 < milliseconds < 10_000 else 0.0


def _at(event: object, *path: str) -> object:
    for name in path:
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _record(trail: RequestFacts, now: datetime, status: int, milliseconds: float, deadline: float) -> None:
    """Leave the record of an authenticated alert; of any other it is not known whose it is."""
    if trail.key is not None:
        made = pipeline.record(trail, trail.key, now, status=status, milliseconds=milliseconds)
        telemetry.record(alerts, made, trail, deadline)
