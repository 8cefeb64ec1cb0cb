"""Flatten everything: asked for by a second press, and done where the bridge says so."""

import htpy as h
from htpy import Node

from orderhook.console import http
from orderhook.console.acting import act_by_hand
from orderhook.console.fates import answer_of, fate_of_instruction, worst
from orderhook.console.http import HttpError
from orderhook.console.pages import STOP, entries, forms, layout, parts
from orderhook.console.pages.order_cancel import positions_of
from orderhook.console.pages.positions import side
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.listing import instructions_of
from orderhook.responses import Response

ADDRESS = f"{STOP}/flatten"


def offer(visit: Visit) -> Node:
    """Return the first press, which only leads to the second; nothing for a session that it is not for."""
    if visit.session.grant.limits:
        return h.p(".dim")["Flatten everything is for everything, and this session is limited."]
    count = sum(position.side != "FLAT" for position in positions_of(visit))
    return h.section[
        h.h2["Flatten everything"],
        h.p["Cancels every order, stops and targets too, and closes every position at the market."],
        h.p(".acts")[h.a(".button.danger", href=ADDRESS)[f"Flatten everything: {parts.count(count, 'position')} …"]],
    ]


def page(visit: Visit) -> Response:
    """Answer with what would be ended, and the press that ends it."""
    if visit.services.venue.name is None:
        raise HttpError(404, "There is no venue, so there is no position to close.")
    work = entries.working(visit)
    orders = len(work.entries) + work.others
    held = [it for it in positions_of(visit) if it.side != "FLAT"]  # an unknown one is not flat
    content = h.fragment[
        h.h1["Flatten everything?"],
        h.p[
            f"This asks the bridge to cancel {parts.count(orders, 'order')}, stops and targets too, and to close "
            f"{parts.count(len(held), 'position')} at the market, in every account, also what was opened by hand."
        ],
        h.ul[
            (h.li[value(f"{it.account} {it.instrument}"), " ", side(it), " ", parts.day_and_time(it.at)] for it in held)
        ]
        if held
        else h.p(".notice.warn")["No position is known. What the bridge does not tell is not known to be flat."],
        h.div(".acts")[
            forms.form(ADDRESS, forms.act_button(visit, "Flatten everything now", class_="danger")),
            h.a(href=STOP)["Back"],
        ],
    ]
    return layout.respond(visit, "Flatten everything", content, here=ADDRESS, live=False)


def flatten(visit: Visit) -> Response:
    """Ask the bridge to end everything; the same form sent again asks nothing new."""
    acted = act_by_hand(visit, [("command", "FLATTENEVERYTHING")], visit.request.form.get(forms.ONCE, ""))
    return http.see_other(STOP, {"asked": acted.request_id})


def result(visit: Visit, request_id: str) -> Node:
    """Return what it was answered, and what has become of it: accepted is asked for, not done."""
    record = visit.services.alert_log.get(visit.trader, request_id)
    if record is None or not visit.sees(record):
        return h.p(".notice.warn")[
            h.span(".mark", aria_hidden="true")["!"],
            "No record says whether everything is being flattened: look at the positions.",
        ]
    answer = answer_of(record)
    fates = [fate_of_instruction(it) for it in instructions_of(visit.services, record)]
    mark = worst([answer.mark, *(fate.mark for fate in fates)])
    is_asked = record.outcome == "accepted"
    return h.div(class_=["notice", mark.value], id=f"a{request_id}")[
        h.p[
            h.span(".mark", aria_hidden="true")[mark.sign],
            h.span(".word")[f"Flatten everything: {answer.words}"],
            ". Asked of the bridge; it is done where its positions say FLAT." if is_asked else None,
        ],
        h.p[value(record.detail)] if record.detail else None,
        (h.p[value(fate.words)] for fate in fates),
    ]
