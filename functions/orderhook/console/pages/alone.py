"""Pages that need nothing of the table: what went wrong, and what to do."""

import htpy as h

from orderhook.console import http
from orderhook.console.pages import layout
from orderhook.console.visit import Deployment, Visit
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


def stop_unknown(deployment: Deployment) -> Response:
    """Answer that nobody knows whether trading is stopped."""
    line = f"orderhook kill-switch on {deployment.command_options}".strip()
    return http.html(
        layout.document(
            deployment,
            "Not known to be stopped",
            str(
                h.main(".alone")[
                    h.h1["It is not known whether trading is stopped"],
                    h.p["The table did not answer in time, so alerts may trade on. Pressing again is safe:"],
                    layout.stop_form(),
                    h.p[h.a(href="/console/stop")["Look how it stands"]],
                    h.p["Or on the command line, and at the venue if there is one:"],
                    h.pre[h.code[line]],
                ]
            ),
        ),
        503,
    )


def not_stopped(visit: Visit, why: str) -> Response:
    """Answer that a visit may not stop trading, and what does."""
    return message(
        visit.deployment,
        403,
        "Trading was not stopped",
        f"{why} `{visit.command_line('kill-switch on')}` stops it, and so does an alert kill_switch=on with a key "
        "without limits.",
    )


def may_not_act(visit: Visit) -> Response:
    """Answer that a visit may not do what was asked for, and how to be allowed to."""
    if visit.deployment.read_only_because:
        why = f"This console only looks, and stops trading: {visit.why_not}"
    else:
        why = f"{visit.why_not} `orderhook console` gives a new link."
    return message(visit.deployment, 403, "Nothing was done", why)


def message(deployment: Deployment, status: int, title: str, text: str) -> Response:
    """Answer with a page that says one thing."""
    body = h.main(".alone")[h.h1[title], h.p[text], h.p[h.a(href="/console")["To the console"]]]
    return http.html(layout.document(deployment, title, str(body)), status)
