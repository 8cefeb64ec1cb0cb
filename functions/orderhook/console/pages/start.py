"""Start: whoever has read what begins again types START."""

from dataclasses import replace

import htpy as h
from htpy import Node

from orderhook.console import http
from orderhook.console.acting import act_by_hand
from orderhook.console.fates import answer_of
from orderhook.console.pages import ROOT, forms, layout
from orderhook.console.pages.switch import BY_COMMAND_LINE, turned_by
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.errors import KillSwitchOnError
from orderhook.responses import Response
from orderhook.store.controls import KillSwitchState

ADDRESS = f"{ROOT}/start"
WORD = "START"
_STALE = h.p(".notice.warn", role="alert")[
    h.span(".mark", aria_hidden="true")["!"],
    h.span(".word")["Nothing was started. "],
    "Trading was stopped anew after this page was made: see above since when, and by whom.",
]


def page(visit: Visit) -> Response:
    """Answer with how trading stands, and what starts it."""
    return _page(visit, status=200)


def turn_off(visit: Visit) -> Response:
    """Turn the trader's kill switch off, where the word was typed; the same form sent again turns nothing.

    A page that was made before a later Stop does not undo that: it comes again, and says who stopped, and since when.
    The write itself asks whether it is the Stop that the page has shown.
    """
    form = visit.request.form
    if form.get("word", "").strip().upper() != WORD:
        return _page(visit, status=400)
    controls = visit.services.controls.of_stop(form.get("since", ""))
    services = visit.services._replace(controls=controls)
    once = form.get(forms.ONCE, "")
    acted = act_by_hand(replace(visit, services=services), [("kill_switch", "off")], once)
    if isinstance(acted.result, KillSwitchOnError) and not visit.controls().kill_switch.locked:
        return _page(visit, status=409)
    return http.see_other(ADDRESS, {"asked": acted.request_id})


def _page(visit: Visit, *, status: int) -> Response:
    switch = visit.controls().kill_switch
    asked = visit.request.parameter("asked")
    content = h.fragment[
        h.div(data_part="start-state")[_state(visit, switch)],
        h.div(data_part="start-result")[_refused(visit, asked) if asked else None, _STALE if status == 409 else None],
        h.div(data_part="start-form")[_form(visit, switch, is_wrong=status == 400)] if switch.on else None,
    ]
    told = layout.Told(aloud="Trading is stopped." if switch.on else "Alerts trade.")
    return layout.respond(visit, "Start", content, here=ADDRESS, status=status, told=told)


def _state(visit: Visit, switch: KillSwitchState) -> Node:
    since = h.fragment[
        layout.when(switch.since, visit.now), " ", layout.age(switch.since), ", ", turned_by(visit, switch)
    ]
    if switch.on:
        locked = " and locked" if switch.locked else ""
        return h.fragment[h.h1["Trading is stopped"], h.p(".facts")[f"Stopped{locked} since ", since, "."]]
    return h.fragment[
        h.h1["Trading is not stopped"],
        h.p(".facts")["Alerts are carried out", [" since ", since] if switch.since else None, "."],
    ]


def _refused(visit: Visit, request_id: str) -> Node:
    record = visit.services.alert_log.get(visit.trader, request_id)
    if record is None or record.status < 400:
        return None
    answer = answer_of(record)
    return h.p(class_=["notice", answer.mark.value])[
        h.span(".mark", aria_hidden="true")[answer.mark.sign],
        h.span(".word")[f"Not started: {answer.words}. "],
        value(record.detail or ""),
    ]


def _form(visit: Visit, switch: KillSwitchState, *, is_wrong: bool) -> Node:
    if switch.locked:
        return h.fragment[
            h.p["Only the command line opens a switch that is locked:"],
            h.pre[h.code[visit.command_line(f"{BY_COMMAND_LINE} off")]],
        ]
    if visit.session.grant.limits:
        return h.p(".notice")["This session is limited, and Start is for everything: a session without limits can."]
    return h.fragment[
        h.ul[
            h.li["Alerts are carried out again from the next one on."],
            h.li[
                "What was refused meanwhile is not done later, and orders that waited for their delay stay cancelled."
            ],
            h.li["A strategy at TradingView may believe in a position that was never opened, or was closed since."],
        ],
        forms.form(
            ADDRESS,
            h.fragment[
                h.input(type="hidden", name="since", value=switch.since or ""),
                h.div(".field")[
                    h.label(for_="word")[f"Type {WORD}"],
                    h.input(
                        id="word",
                        name="word",
                        autocomplete="off",
                        required=True,
                        aria_invalid="true" if is_wrong else None,
                        aria_describedby="word-error" if is_wrong else None,
                    ),
                    h.p(".error", id="word-error")[f"Nothing was started: that was not {WORD}."] if is_wrong else None,
                ],
                h.div(".acts")[forms.act_button(visit, "Start trading", class_="primary")],
            ],
            class_="fields",
        ),
    ]
