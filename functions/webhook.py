"""Lambda: POST /webhook. An alert comes in as text and leaves as an answer, within TradingView's patience."""

# ruff: noqa: E402  what costs time is imported after the collector is off

import base64
import gc
import os
import secrets
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

# Imports make a great many objects and hardly any garbage: looking for it took a twentieth of the cold start.
gc.disable()

# First, and from here: its long regular expressions are compiled by recursion. At the depth where botocore imports it
# that crosses the edge of a 16 KB chunk of CPython's stack, mapped anew each time: a sixth of the cold start.
import urllib3  # noqa: F401
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from orderhook import commands, payload, responses
from orderhook.book import OrderBook
from orderhook.errors import (
    CommandNotAllowedError,
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
from orderhook.orders import Stamp
from orderhook.responses import Response
from orderhook.settings import Settings
from orderhook.wire import connect, may_have_written, time_budget

BUDGET_SECONDS = 2.2
"""TradingView gives up after 3 s; what is left is for the way there and back."""

_UNAVAILABLE = "This alert could not be answered. Send it again; it is safe."

logger = Logger()
settings = Settings.from_environment(os.environ)
book = OrderBook(connect(), settings.table, settings.retention)
keyring = KeyRing(book.key, settings.key_cache_seconds)
_threads = ThreadPoolExecutor(max_workers=64, thread_name_prefix="alert")

gc.freeze()  # all of this stays; a request's own garbage is found without looking through it
gc.enable()


@dataclass(slots=True)
class Trail:
    """What is known of a request so far, for its log line; nothing of it can hold a secret."""

    request_id: str
    key_id: str | None = None
    command: str | None = None
    order_id: str | None = None
    strategy_id: str | None = None
    outcome: str | None = None
    field: str | None = None
    state: str | None = None
    repeatable: bool = True
    """Whether the same alert may be sent again; not for the log."""


def handler(event: Mapping[str, Any], context: object) -> Response:  # noqa: ARG001  Lambda passes a context
    """Answer one API Gateway request (payload format 2.0) within the time budget.

    Never raises: a defect is logged without its payload, counted, and answered 503, or 409 where sending the alert
    again could place a second order.
    """
    started, now = time.monotonic(), datetime.now(UTC)
    # Not API Gateway's id, which a replayed event brings along: two runs are two requests. Sorts by time.
    trail = Trail(request_id=f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}")
    deadline = started + BUDGET_SECONDS - _age(event, now)
    with time_budget(deadline):
        # In a thread: the client's time-outs are for each part of an answer, and only leaving ends the wait for a name
        # server, or for a table that answers byte by byte.
        answering = _threads.submit(copy_context().run, _answer, event, now, trail)
        try:
            response = answering.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            trail = replace(trail)  # a copy: the thread may still write to the other
            response = _refuse(TemporarilyUnavailableError(_UNAVAILABLE), trail)
    milliseconds = round((time.monotonic() - started) * 1000, 1)
    _log(trail, response["statusCode"], milliseconds)
    return response


def _answer(event: Mapping[str, Any], now: datetime, trail: Trail) -> Response:
    try:
        pairs, key = _authenticate(event, trail)
        command, warnings = _read(pairs, key, trail)
        outcome = command.run(book, Stamp(key.trader, key.key_id, trail.request_id, now))
    except OrderhookError as error:
        return _refuse(error, trail)
    except Exception as defect:
        _report(defect, trail)
        return _refuse(TemporarilyUnavailableError(_UNAVAILABLE), trail)
    trail.outcome, trail.state = outcome.status, outcome.state
    return responses.success(outcome, warnings, trail.request_id)


def _refuse(error: OrderhookError, trail: Trail) -> Response:
    if isinstance(error, TemporarilyUnavailableError) and not trail.repeatable and may_have_written():
        error = OutcomeUnknownError(
            "The order may or may not have been placed: look before you send it again. An order_id makes that safe."
        )
    trail.outcome, trail.field, trail.state = responses.code(error), error.field, error.state
    return responses.refusal(error, trail.request_id)


def _authenticate(event: Mapping[str, Any], trail: Trail) -> tuple[list[payload.Pair], Key]:
    """Return the pairs without the key, and whose they are. What comes after this sees no secret."""
    if not settings.allows_source(str(_at(event, "requestContext", "http", "sourceIp"))):
        raise SourceNotAllowedError("This address is not on the allow-list of this endpoint.")
    split = payload.split(_body(event))
    presented, pairs = payload.take_keys(split.pairs)
    try:
        key = keyring.verify(presented[0] if presented else None, time.monotonic())
    except InvalidSecretKeyError:
        if split.fault:
            raise MalformedPayloadError(payload.FORMS) from None
        raise
    trail.key_id = key.key_id
    if split.fault:
        raise MalformedPayloadError(split.fault)
    if len(presented) > 1:
        raise DuplicateFieldError("key is given twice; give it once.", field="key")
    if any(holds_key(f"{name}={value}") for name, value in pairs):
        raise InvalidValueError("A key stands outside key=...; take it out, and have it revoked if others saw it.")
    return pairs, key


def _read(pairs: list[payload.Pair], key: Key, trail: Trail) -> tuple[commands.Command, list[dict[str, str]]]:
    fields = payload.read_fields(pairs)
    kind = commands.recognise(fields)
    trail.command = kind.word
    if not key.allows(kind.word):
        raise CommandNotAllowedError(f"This key may not give {kind.word}; use one that may.", field="command")
    command, ignored = commands.read(kind, fields)
    trail.order_id = getattr(command, "order_id", None)
    trail.strategy_id = getattr(command, "strategy_id", None)
    trail.repeatable = command.repeatable
    return command, [responses.ignored_field(kind.word, name) for name in ignored]


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
        event = event.get(name) if isinstance(event, Mapping) else None
    return event


def _log(trail: Trail, status: int, milliseconds: float) -> None:
    known = {name: value for name, value in asdict(trail).items() if value is not None and name != "repeatable"}
    logger.info("alert", status=status, milliseconds=milliseconds, **known)
    _count("Alerts", outcome=str(trail.outcome))


def _report(defect: Exception, trail: Trail) -> None:
    """Log where a defect struck. Its message stays out: it may quote the payload."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(defect.__traceback__)]
    logger.error("defect", request_id=trail.request_id, defect=type(defect).__name__, frames=frames)
    _count("UnhandledErrors")


def _count(name: str, **dimensions: str) -> None:
    with single_metric(name=name, unit=MetricUnit.Count, value=1) as metric:
        for dimension, value in {"service": logger.service, **dimensions}.items():
            metric.add_dimension(dimension, value)
