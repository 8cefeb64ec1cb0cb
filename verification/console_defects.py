"""Defects to be seeded into the console and the API: who sends them what no page of theirs would has to notice each."""

import json
from datetime import datetime
from typing import Any

import tests.environment  # noqa: F401  the functions read it when they are imported

# isort: split

from markupsafe import Markup

from orderhook import telemetry
from orderhook.console import app, guard, http
from orderhook.console.http import HttpError, Request
from orderhook.console.pages import layout, text
from orderhook.console.sessions import ProcessSessions
from orderhook.console.visit import Visit
from orderhook.grants import Session
from orderhook.responses import Response
from orderhook.store.once import OnceStore
from orderhook.visible import visible
from verification.defects import Defect, Patch


def markup_in_a_value(patch: Patch) -> None:
    """What came in an alert is taken for the console's own markup."""
    patch.setattr(text, "visible", lambda value: Markup(visible(value)))


def invisible_characters_in_a_value(patch: Patch) -> None:
    """What came in an alert can turn what stands around it."""
    patch.setattr(text, "visible", str)


def a_page_that_writes_when_it_is_looked_at(patch: Patch) -> None:
    """A GET changes the table."""
    respond = layout.respond

    def writing(visit: Visit, *arguments: Any, **options: Any) -> Response:
        OnceStore(visit.services.table).claim(visit.trader, "a" * 32, "b" * 32, visit.now)
        return respond(visit, *arguments, **options)

    patch.setattr(layout, "respond", writing)


def forms_of_other_sites_taken(patch: Patch) -> None:
    """Whoever has a page can have a browser stop trading, or worse."""
    patch.setattr(guard, "check_same_origin", lambda _: None)


def a_missing_site_taken_for_the_same(patch: Patch) -> None:
    """Where a browser says nothing of the site, nobody asks where the page came from."""
    check = guard.check_same_origin

    def only_site(request: Request) -> None:
        if "sec-fetch-site" in request.headers:
            check(request)

    patch.setattr(guard, "check_same_origin", only_site)


def sessions_that_act_for_ever(patch: Patch) -> None:
    """A session that may only look, or whose sign-in is old, does more than that."""
    patch.setattr(Session, "may_act", lambda *_: True)


def two_sessions_in_one_request(patch: Patch) -> None:
    """Of two cookies of the name the first counts: one that another site has set."""

    def first(request: Request, name: str) -> str | None:
        cookies = (cookie.partition("=") for cookie in request.http.cookies)
        return next((value for each, _, value in cookies if each == name), None)

    patch.setattr(Request, "cookie", first)


def a_header_that_is_missing(patch: Patch) -> None:
    """Answers have no policy of what a page may load."""
    patch.setattr(http, "SECURITY", {name: it for name, it in http.SECURITY.items() if "Policy" not in name})


def a_redirect_elsewhere(patch: Patch) -> None:
    """A redirect leads to another host."""
    address = http.address
    patch.setattr(http, "address", lambda path, parameters=None: f"/{address(path, parameters)}")


def a_cookie_for_scripts(patch: Patch) -> None:
    """The cookie of a session can be read by scripts."""
    patch.setattr(app.Console, "cookie_attributes", property(lambda _: "Path=/; SameSite=Lax"))


def an_answer_that_repeats_what_was_sent(patch: Patch) -> None:
    """A refusal quotes the address, and what may be a key in it."""
    answer = app._answer

    def quoting(console: app.Console, request: Request) -> Response:
        try:
            return answer(console, request)
        except HttpError as error:
            raise HttpError(error.status, f"{request.path} {request.http.query}: {error.detail}") from None

    patch.setattr(app, "_answer", quoting)


def a_session_in_the_log(patch: Patch) -> None:
    """The token of a session is logged."""
    find = ProcessSessions.find

    def logging(sessions: ProcessSessions, token: str, now: datetime, **how: Any) -> Session | None:
        telemetry.logger.info("looking for %s", token)
        return find(sessions, token, now, **how)

    patch.setattr(ProcessSessions, "find", logging)


def an_id_in_a_command_line(patch: Patch) -> None:
    """A line to be copied holds what a shell would run."""
    patch.setattr(Visit, "command_line", lambda *_: "orderhook orders show $(touch /tmp/x)")


def an_unexpected_exception(patch: Patch) -> None:
    """A page takes for granted what a request need not have."""
    patch.setattr(Request, "parameter", lambda request, name: dict(request.query)[name])


def an_exception_that_gets_out(patch: Patch) -> None:
    """A refusal cannot be put into words."""
    patch.setattr(http, "refusal", lambda error: json.loads(error.detail))


SEEDED: tuple[tuple[Defect, str], ...] = (
    (markup_in_a_value, "ends what is not open"),
    (invisible_characters_in_a_value, "a text holds what cannot be seen"),
    (a_page_that_writes_when_it_is_looked_at, "a GET wrote"),
    (forms_of_other_sites_taken, "to somebody who may not"),
    (a_missing_site_taken_for_the_same, "to somebody who may not"),
    (sessions_that_act_for_ever, "somebody who may not has written"),
    (two_sessions_in_one_request, "to somebody who may not"),
    (a_header_that_is_missing, "Content-Security-Policy is None"),
    (a_redirect_elsewhere, "redirected to"),
    (a_cookie_for_scripts, "a cookie is kept as"),
    (an_answer_that_repeats_what_was_sent, "is in the answer"),
    (a_session_in_the_log, "is in the log"),
    (an_id_in_a_command_line, "a command line holds"),
    (an_unexpected_exception, "answered 503"),
    (an_exception_that_gets_out, "was raised"),
)
"""Each with words of the finding that it has to lead to."""
