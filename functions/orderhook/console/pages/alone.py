"""Pages that need nothing of the table: what went wrong, and what to do."""

import htpy as h

from orderhook.console import http
from orderhook.console.pages import layout
from orderhook.console.sessions import Session
from orderhook.console.visit import Deployment
from orderhook.responses import Response

_NOWHERE = Deployment("")


_LOOK_FIRST = "If you have just sent something, look first what became of it."


def not_answered(what_to_do: str | None = None) -> Response:
    """Answer that the table did not answer in time, or that something went wrong which is logged.

    `what_to_do` is for somebody who can mend it.
    """
    why = what_to_do or (
        "The table did not answer in time, or refused; whoever runs this endpoint is told. Load the page again."
    )
    return message(_NOWHERE, 503, "This page could not be made", f"{why} {_LOOK_FIRST}")


def may_not_act(deployment: Deployment, session: Session) -> Response:
    """Answer that a session may not do what was asked for, and how to be allowed to."""
    if deployment.read_only_because:
        why = f"This console only looks, and stops trading: {deployment.read_only_because}"
        return message(deployment, 403, "Nothing was done", why)
    if session.grant.read_only:
        why = "This session may only look. A sign-in without --read-only may do more."
    else:
        why = "Your sign-in is more than 12 hours old, so that it only looks and stops. Sign in again to do more."
    return message(deployment, 403, "Nothing was done", f"{why} `orderhook console` gives a new link.")


def message(deployment: Deployment, status: int, title: str, text: str) -> Response:
    """Answer with a page that says one thing."""
    body = h.main(".alone")[h.h1[title], h.p[text], h.p[h.a(href="/console")["To the console"]]]
    return http.html(layout.document(deployment, title, str(body)), status)
