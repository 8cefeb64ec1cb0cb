"""What is around every page: where one is, whether alerts trade, and Stop."""

from datetime import datetime
from hashlib import sha256

import htpy as h
from htpy import Node

from orderhook.console import assets, http
from orderhook.console.pages.text import value
from orderhook.console.visit import Deployment, Visit
from orderhook.responses import Response
from orderhook.store.controls import KillSwitchState
from orderhook.trade_window import NEW_YORK

NAVIGATION = (("Alerts", "/console"),)


def respond(visit: Visit, title: str, content: Node, *, here: str, status: int = 200, live: bool = True) -> Response:
    """Answer with a page around this content, or that nothing of it has changed since it was last asked for.

    A `live` page asks for itself every few seconds; it holds no age and no time of now, which the browser writes.
    """
    switch = visit.services.controls.kill_switch(visit.trader)
    shown = str(h.fragment[_header(visit, here, switch), h.main(id="content", tabindex="-1")[content]])
    tag = f'"{sha256(shown.encode()).hexdigest()[:20]}"'
    if "x-poll" in visit.request.headers and visit.request.headers.get("if-none-match") == tag:
        return http.not_modified(tag)
    return http.html(document(visit.deployment, title, shown, live=live), status, tag=tag)


def document(deployment: Deployment, title: str, body: str, *, live: bool = False) -> str:
    """Return a whole document; the body is markup that htpy has made."""
    from markupsafe import Markup

    page = h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="color-scheme", content="light dark"),
            h.title[f"{title} · orderhook {deployment.name}"],
            h.link(rel="icon", href=assets.address("icon.svg")),
            h.link(rel="stylesheet", href=assets.address("app.css")),
            h.script(src=assets.address("app.js"), defer=True),
        ],
        h.body(data_live=live)[Markup(body)],  # noqa: S704  htpy has escaped it
    ]
    return str(page)


def _header(visit: Visit, here: str, switch: KillSwitchState) -> Node:
    deployment = visit.deployment
    place = "demo" if deployment.is_demo else f"{deployment.name}, {deployment.region}"
    return h.header[
        h.a(".skip", href="#content")["To the content"],
        h.p(".place")[h.b["orderhook"], " ", place, ", trader ", value(visit.trader)],
        h.nav(aria_label="Pages")[
            (h.a(href=path, aria_current="page" if path == here else None)[name] for name, path in NAVIGATION)
        ],
        _stop(visit, switch),
    ]


def _stop(visit: Visit, switch: KillSwitchState) -> Node:
    if switch.on:
        return h.p(".stopped")[h.b["Stopped"], " since ", when(switch.since)]
    return h.form(".stop", method="post", action="/console/stop")[
        h.button(disabled=not visit.session.may_stop)["Stop trading"]
    ]


def when(at: str | None) -> Node:
    """Return a time of the table: New York's, with UTC where one points at it; the browser adds how long ago."""
    if at is None:
        return "-"
    moment = datetime.fromisoformat(at)
    local = moment.astimezone(NEW_YORK)
    return h.time(datetime=at, title=f"{moment:%Y-%m-%d %H:%M:%S} UTC")[f"{local:%H:%M:%S}"]
