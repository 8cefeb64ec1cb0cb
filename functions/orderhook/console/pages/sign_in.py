"""Signing in by a link from the command line, and signing out."""

import htpy as h

from orderhook.console import http, signing
from orderhook.console.pages import layout
from orderhook.console.visit import Deployment, Visit
from orderhook.responses import Response

PATH = "/console/login"


def page(deployment: Deployment, *, refused: bool = False, signed_out: bool = False) -> Response:
    """Answer with the page that redeems the code behind the '#' of a link: the browser posts it, no GET does.

    Whoever follows a link only to preview it sends no fragment, and uses nothing up.
    """
    told = "This link was used already, or is older than 5 minutes." if refused else "You are not signed in."
    line = f"orderhook console {deployment.command_options}".strip()
    body = h.main(".alone", id="sign-in")[
        h.h1["Sign in"],
        h.p(".told", role="status")[told],
        h.p["On the computer where you set orderhook up, this gives a new link, which works once:"],
        h.pre[h.code[line]],
        h.form(method="post", action=PATH, id="redeem")[h.input(type="hidden", name="code")],
    ]
    status = 403 if refused else 401 if signed_out else 200
    return http.html(layout.document(deployment, "Sign in", str(body)), status)


def sign_out(visit: Visit) -> Response:
    """End the session, and show the page that signs in; the browser forgets what it has kept of the pages."""
    signing.sign_out(visit)
    answer = http.see_other(PATH)
    answer["headers"]["Clear-Site-Data"] = '"cache"'
    return answer
