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
from datetime import UTC, datetime
from functools import partial
from typing import Any

from orderhook import payload, readiness, responses
from orderhook.answering import answer
from orderhook.aws import deployment
from orderhook.aws.gateway import HttpRequest, aws_ids
from orderhook.commands.cancel import Cancel
from orderhook.errors import (
    DuplicateFieldError,
    InvalidSecretKeyError,
    InvalidValueError,
    MalformedPayloadError,
    OrderhookError,
    SourceNotAllowedError,
)
from orderhook.keys import Key, KeyRing, holds_key, key_id_of
from orderhook.payload import Split
from orderhook.request_facts import RequestFacts
from orderhook.responses import Response
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store.alert_log import as_sent, id_prefix

settings = Settings.from_environment(os.environ)
services = Services.connect(settings)
keyring = KeyRing(services.keys.get, settings.key_cache_seconds)
Cancel.model_rebuild()  # other models are built when they are first used; this makes the first CANCEL a tenth shorter

gc.freeze()  # all of this stays; a request's own garbage is found without looking through it
gc.enable()


def handler(event: Mapping[str, Any], context: object) -> Response:
    """Answer one API Gateway request (payload format 2.0) within the time budget. Never raises."""
    if event == deployment.REQUEST:
        return readiness.answer(services)
    started, now = time.monotonic(), datetime.now(UTC)
    # Not API Gateway's id, which a replayed event brings along: two runs are two requests. It sorts by time.
    facts = RequestFacts(request_id=f"{id_prefix(now)}{secrets.token_hex(10)}")
    request = HttpRequest(event)
    facts.aws_ids = aws_ids(context, os.environ, request)
    result, warnings = answer(
        services, facts, partial(_authenticate, request), started=started, now=now, waited=request.seconds_waited(now)
    )
    if isinstance(result, OrderhookError):
        return responses.refusal(result, facts.request_id, facts.told)
    return responses.success(result, warnings, facts.request_id, facts.told)


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
