"""The HTTP API: JSON for programs, by a key of its own kind.

routes       the table of operations; `models` has what they take, `answers` what they answer
reading      a query and a body, read strictly; `writing` puts answers into JSON
call         a request that is understood, and who sends it
acting       what trades: each builds an alert's fields, and goes the way of every alert
orders, alerts, strategies, positions, executions, kill_switch, about
             what reads; `paging` has lists page by page
errors       what the API alone refuses a request with
openapi      the table as OpenAPI 3.1, and as docs/api.md, for which `documentation` has what else stands there
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from orderhook import telemetry
from orderhook.aws.budget import time_budget
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.console.acting import new_request_id
from orderhook.console.api import routes, writing
from orderhook.console.api.call import Call
from orderhook.console.api.models import Switch
from orderhook.console.api.reading import read_body, read_query
from orderhook.console.http import HttpError, Request
from orderhook.errors import (
    AccessError,
    CommandNotAllowedError,
    InvalidValueError,
    MalformedPayloadError,
    OrderhookError,
    TemporarilyUnavailableError,
    UnsupportedCommandError,
)
from orderhook.keys import API, KeyRing, holds_key
from orderhook.request_facts import RequestFacts
from orderhook.responses import Response
from orderhook.store.keys import KeyStore

if TYPE_CHECKING:
    from orderhook.console.app import Console

BUDGET_SECONDS = 2.2
"""As an alert's."""

KEPT_SECONDS = 30.0
"""As long a good key is remembered: one that is revoked works so much longer."""


def answer(console: "Console", request: Request) -> Response:
    """Answer one request. Never raises: a defect is logged, counted and answered 503."""
    started, now = time.monotonic(), datetime.now(UTC)
    facts = RequestFacts(new_request_id(now), source=request.source)
    try:
        with time_budget(started + BUDGET_SECONDS):
            return _answer(console, request, facts, started, now)
    except HttpError as error:
        return writing.refusal(MalformedPayloadError(error.detail))
    except AccessError as error:
        telemetry.log(facts, error, telemetry.milliseconds_since(started), origin="api")
        return writing.refusal(error)
    except OrderhookError as error:
        return writing.refusal(error)
    except DeadlineError:
        return writing.refusal(TemporarilyUnavailableError("This could not be answered in time. Ask again."))
    except Exception as defect:
        telemetry.report(defect, facts.request_id)
        return writing.refusal(TemporarilyUnavailableError("This could not be answered. Ask again."))


def _answer(console: "Console", request: Request, facts: RequestFacts, started: float, now: datetime) -> Response:
    if holds_key(f"{request.path}?{request.http.query}"):
        raise InvalidValueError("A key stands in this address: take it out, and have it revoked if others saw it.")
    route, path = routes.find(request.method, request.path)
    services, deadline = console.services, started + BUDGET_SECONDS
    if route.scope is None:
        read_query(request, route.query)
        read_body(request, route.body)
        return _operation(route)()
    facts.key = key = _keyring(services.keys).verify(_bearer(request), started)
    facts.key_id = key.key_id
    if route.scope not in key.scopes:
        raise CommandNotAllowedError(f"This key may not {route.scope}; use one that may.")
    if route.venue and route.scope == "read" and services.venue.name is None:
        raise UnsupportedCommandError(
            "Without a venue nobody knows accounts, positions and executions. Deploy with Venue=ninjatrader, and start "
            "the bridge."
        )
    query, body = read_query(request, route.query), read_body(request, route.body)
    is_stop = isinstance(body, Switch) and body.on  # which only makes the risk smaller
    if console.deployment.read_only_because and route.scope == "trade" and not is_stop:
        raise CommandNotAllowedError(f"This console only looks: {console.deployment.read_only_because}")
    call = Call(services, request, key, path, query, body, now, started)
    if route.scope == "trade":  # which has the hard end of an alert
        return _operation(route)(call)
    telemetry.note_use(services.keys, facts, now, deadline)
    return call_until(deadline, _operation(route), call)


@lru_cache(maxsize=8)
def _keyring(keys: KeyStore) -> KeyRing:
    return KeyRing(keys.get, KEPT_SECONDS, API)


def _bearer(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _operation(route: routes.Route) -> Callable[..., Response]:
    """Return the function of an operation, whose module is imported when it is first asked for."""
    module, _, function = route.does.partition(".")
    found: Callable[..., Response] = getattr(import_module(f"{__name__}.{module}"), function)
    return found
