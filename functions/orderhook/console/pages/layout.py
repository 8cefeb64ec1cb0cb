"""What is around every page: where one is, what alerts can reach, and Stop."""

import re
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import htpy as h
from htpy import Node

from orderhook.console import assets, http
from orderhook.console.pages import forms
from orderhook.console.pages.switch import why_not
from orderhook.console.pages.text import value
from orderhook.console.visit import Deployment, Visit
from orderhook.responses import Response
from orderhook.store.bridge import BridgeState
from orderhook.store.controls import KillSwitchState
from orderhook.trade_window import NEW_YORK, day_began
from orderhook.venues import is_simulated
from orderhook.visible import visible

NAVIGATION = (
    ("Alerts", "/console"),
    ("Orders", "/console/orders"),
    ("Positions", "/console/positions"),
    ("Strategies", "/console/strategies"),
    ("Build an alert", "/console/builder"),
    ("Trade", "/console/trade"),
    ("Keys", "/console/keys"),
)
ON_A_PHONE = 3
"""As many stand in the header of a phone, and the rest behind "More"."""


class Told(NamedTuple):
    """What a page has to say to somebody who does not look at it."""

    needs: int = 0
    """How many things need a person: the title says so."""
    aloud: str = ""
    """What a screen reader is told when it changes."""


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z)")
_NOTHING = Told()
_ONCE = re.compile(f'name="{forms.ONCE}" value="[0-9a-f]*"')
"""What differs in a form each time that it is made."""


def respond(
    visit: Visit, title: str, content: Node, *, here: str, status: int = 200, live: bool = True, told: Told = _NOTHING
) -> Response:
    """Answer with a page around this content, or that nothing of it has changed since it was last asked for.

    A `live` page asks for itself every few seconds; it holds no age and no time of now, which the browser writes. What
    it shows then of the content are the parts that have `data-part`.
    """
    switch, bridge, *_ = visit.controls()
    full_title = f"! {told.needs} · {title}" if told.needs else title
    shown = str(
        h.fragment[
            _header(visit, here, switch, bridge),
            h.p("#aloud.vh", role="status", data_part="aloud")[told.aloud],
            h.main("#content", tabindex="-1")[content],
        ]
    )
    tag = f'"{sha256(_ONCE.sub("", full_title + shown).encode()).hexdigest()[:20]}"'
    if "x-poll" in visit.request.headers and visit.request.headers.get("if-none-match") == tag:
        return http.not_modified(tag)
    # What answers a form has no address of its own that could be asked again.
    is_live = live and visit.request.method != "POST"
    return http.html(document(visit.deployment, full_title, shown, live=is_live, tag=tag), status, tag=tag)


def document(deployment: Deployment, title: str, body: str, *, live: bool = False, tag: str | None = None) -> str:
    """Return a whole document; the body is markup that htpy has made."""
    from markupsafe import Markup

    page = h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="color-scheme", content="light dark"),
            h.title[visible(f"{title} · orderhook {deployment.name}".strip())],
            h.link(rel="icon", href=assets.address("icon.svg")),
            h.link(rel="stylesheet", href=assets.address("app.css")),
            h.script(src=assets.address("app.js"), defer=True),
        ],
        h.body(data_live=tag if live else None)[Markup(body)],  # noqa: S704  htpy has escaped it
    ]
    return str(page)


def _header(visit: Visit, here: str, switch: KillSwitchState, bridge: BridgeState) -> Node:
    return h.fragment[
        h.a(".skip", href="#content")["To the content"],
        h.header(".top")[
            h.div[
                h.p(".brand")[h.a(href=NAVIGATION[0][1])["orderhook"]],
                h.nav(aria_label="Pages")[_links(NAVIGATION, here), _more(here)],
                h.div(".switch", data_part="switch")[_switch(visit, switch, bridge)],
            ],
            h.div(".place", data_part="place")[
                h.p[_place(visit.deployment), ", trader ", value(visit.trader)],
                _venue(visit, bridge),
                _may(visit),
                _sign_out(),
            ],
            h.p("#not-live.not-live", hidden=True),
            h.button("#new-rows.new-rows", type="button", hidden=True),
        ],
    ]


def _links(pages: Iterable[tuple[str, str]], here: str) -> Node:
    return [h.a(href=path, aria_current="page" if path == here else None)[name] for name, path in pages]


def _more(here: str) -> Node:
    hidden = NAVIGATION[ON_A_PHONE:]
    name = next((name for name, path in hidden if path == here), "More")
    return h.details(".more")[h.summary[name], h.div[_links(hidden, here), _sign_out()]]


def _sign_out() -> Node:
    return forms.form("/console/sign-out", h.button["Sign out"], once=False, class_="sign-out")


def _place(deployment: Deployment) -> str:
    return "demo" if deployment.is_demo else f"{deployment.name}, {deployment.region}"


def _venue(visit: Visit, bridge: BridgeState) -> Node:
    if visit.services.venue.name is None:
        return _marked("neutral", "○", "No venue: nothing reaches a market")
    live = [account for account in bridge.accounts if not is_simulated(account)]
    if live:
        return h.p(".venue.live")[h.span(aria_hidden="true")["● "], "LIVE: ", value(", ".join(live))]
    if bridge.accounts:
        return _marked("good", "◐", "Simulated accounts only")
    return _marked("warn", "?", "No bridge was heard of yet: nobody knows which accounts it trades")


def _marked(tone: str, sign: str, words: str) -> Node:
    return h.p(class_=["venue", tone])[h.span(".mark", aria_hidden="true")[sign], words]


def _may(visit: Visit) -> Node:
    if visit.deployment.read_only_because:
        return h.p(".warn")[h.span(".word")["Read-only: "], visit.deployment.read_only_because]
    if visit.session.grant.read_only:
        return h.p[h.b["This session only looks."]]
    if not visit.session.may_act(visit.now):
        return h.p[h.b["Signed in more than 12 h ago: looks and stops."]]
    return None


def _switch(visit: Visit, switch: KillSwitchState, bridge: BridgeState) -> Node:
    if switch.on:
        return h.p(".stopped")[
            h.a(href="/console/stop")[
                h.span(".mark", aria_hidden="true")["■"], "Stopped since ", when(switch.since, visit.now)
            ]
        ]
    return h.fragment[_trades(visit, bridge), stop_form(why_not(visit))]


def _trades(visit: Visit, bridge: BridgeState) -> Node:
    if visit.services.venue.name is None:
        return h.p["Alerts change ", h.b["the table only"]]
    if bridge.away(visit.now):
        return h.p["Alerts trade: ", h.span(".word.bad")["no, bridge away"]]
    return h.p["Alerts trade: ", h.span(".word.good")["yes"]]


def stop_form(why_not: str = "") -> Node:
    """Return what stops trading by one press; `why_not` is why this visit may not."""
    if not why_not:
        return forms.form("/console/stop", h.button["Stop trading"], once=False, class_="stop")
    return h.p(".stop.not")[
        h.button(disabled=True, title=why_not)["Stop trading"], " ", h.a(href="/console/stop")["not by this session"]
    ]


def when(at: str | None, now: datetime | None = None) -> Node:
    """Return a time of the table: New York's, with UTC where one points at it; the browser adds its own zone there.

    Where it may be old, `now` puts its day before what is not of today.
    """
    if at is None:
        return "-"
    moment = datetime.fromisoformat(at)
    local = moment.astimezone(NEW_YORK)
    is_old = now is not None and moment < day_began(now)
    day = h.span(".day")[f"{local:%a %-d %b} "] if is_old else None
    return h.fragment[day, h.time(datetime=at, title=f"{moment:%Y-%m-%d %H:%M:%S} UTC")[f"{local:%H:%M:%S}"]]


def told_times(text: str) -> Node:
    """Return words with the times of the table in them as a person reads them."""
    return [when(part) if _TIME.fullmatch(part) else value(part) for part in _TIME.split(text)]


def day(at: str | None) -> Node:
    """Return the day in New York of a time of the table."""
    return f"{datetime.fromisoformat(at).astimezone(NEW_YORK):%Y-%m-%d}" if at else "-"


def age(at: str | None, *, is_due: bool = False) -> Node:
    """Return where the browser writes how long ago a time of the table is; of one that is due, in how long it is."""
    return h.span(".age", data_at=at, data_due=is_due) if at else None
