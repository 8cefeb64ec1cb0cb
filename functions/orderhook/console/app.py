"""Which door a request came in by, and which page or operation answers it.

`/console/*` is for a browser with a session, `/v1/api/*` for a program with a key of the API: neither takes what the
other one does.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orderhook import telemetry
from orderhook.answering import BUDGET_SECONDS
from orderhook.aws.budget import time_budget
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.console import assets, guard, http, signing
from orderhook.console.http import HttpError, Request
from orderhook.console.pages import PAGES, ROOT, STOP, alone, sign_in
from orderhook.console.remembered import forget
from orderhook.console.sessions import Sessions
from orderhook.console.visit import Deployment, Visit
from orderhook.errors import OrderhookError
from orderhook.responses import Response
from orderhook.services import Services

COOKIE = "orderhook"


def _nothing(_: BaseException) -> None:
    """Return that whoever uses the console can do nothing about it."""


@dataclass(frozen=True, slots=True)
class Console:
    """What the console of one deployment works with; made once."""

    services: Services
    sessions: Sessions
    deployment: Deployment
    origin: str | None = None
    """Where its pages come from; None is the domain name that API Gateway has of each request, over HTTPS."""
    what_to_do: Callable[[BaseException], str | None] = _nothing
    """Returns what whoever uses it can do about a failure, such as to log in to AWS again."""
    seconds: float = BUDGET_SECONDS
    """How long a page may take; on a person's own machine, which may be busy, longer than API Gateway likes."""

    @property
    def cookie(self) -> str:
        """What the cookie of a session is called: a browser keeps a `__Host-` one over HTTPS alone."""
        return COOKIE if self.origin else f"__Host-{COOKIE}"

    @property
    def cookie_attributes(self) -> str:
        """How a browser is to keep it."""
        return f"Path=/;{'' if self.origin else ' Secure;'} HttpOnly; SameSite=Lax"


def answer(console: Console, event: Mapping[str, Any], context: object) -> Response:  # noqa: ARG001
    """Answer one API Gateway request (payload format 2.0).

    Never raises: a defect is logged, counted and answered 503.
    """
    started = time.monotonic()
    request = Request(event, console.origin)
    if request.path == http.API or request.path.startswith(f"{http.API}/"):
        from orderhook.console import api  # a page waits for none of it

        return api.answer(console, request)
    try:
        guard.check_size(request)
        with time_budget(started + console.seconds):
            if request.method in guard.SAFE:
                return call_until(started + console.seconds, _answer, console, request)
            return _answer(console, request)  # what acts has the hard end of an alert
    except HttpError as error:
        return http.refusal(error)
    except (OrderhookError, DeadlineError) as failure:
        return _not_answered(console, request, console.what_to_do(failure))
    except Exception as defect:
        telemetry.report(defect, None)
        return _not_answered(console, request)


def _not_answered(console: Console, request: Request, what_to_do: str | None = None) -> Response:
    if (request.method, request.path) == ("POST", STOP):
        return alone.stop_unknown(console.deployment)
    return alone.not_answered(what_to_do)


def _answer(console: Console, request: Request) -> Response:
    if request.path in ("/", "/console/"):
        return http.see_other(ROOT)
    if found := assets.find(request):
        return found
    guard.check_same_origin(request)
    guard.check_address(request)
    if request.path == sign_in.PATH:
        return _sign_in(console, request)
    return _page(console, request)


def _sign_in(console: Console, request: Request) -> Response:
    if request.method in guard.SAFE:  # the preview of a link uses nothing up
        return sign_in.page(console.deployment)
    if request.method != "POST":
        raise HttpError(405, "This page takes GET and POST.", {"Allow": "GET, POST"})
    token = signing.redeem(console.services, console.sessions, request, datetime.now(UTC))
    if token is None:
        return sign_in.page(console.deployment, refused=True)
    return http.see_other(ROOT, cookies=[f"{console.cookie}={token}; {console.cookie_attributes}"])


def _page(console: Console, request: Request) -> Response:
    now = datetime.now(UTC)
    is_safe = request.method in guard.SAFE
    is_poll = "x-poll" in request.headers
    token = request.cookie(console.cookie)
    session = token and console.sessions.find(token, now, consistently=not is_safe, renew=not is_poll)
    if not token or not session:
        return sign_in.page(console.deployment, signed_out=True)
    visit = Visit(console.services, console.sessions, console.deployment, request, session, token, now)
    try:
        page = PAGES.find("GET" if request.method == "HEAD" else request.method, request.path)
    except HttpError as error:
        if error.status != 404:
            raise
        from orderhook.console.pages import came_of  # no other page waits for it

        return came_of.nowhere(visit, error.detail)
    if page.needs == "act" and not visit.may_act:
        return alone.may_not_act(visit)
    if is_safe:
        return page.answer(visit)
    forget(visit.trader)
    try:
        return page.answer(visit)
    finally:
        forget(visit.trader)
