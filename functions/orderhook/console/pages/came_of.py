"""What came of a form: a page that says why it was refused, or the page it leads to, which says what was done."""

import re
from collections.abc import Iterator, Mapping

import htpy as h
from htpy import Node

from orderhook.console import fates, http
from orderhook.console.acting import Acted
from orderhook.console.closed import seen_closed
from orderhook.console.fates import Mark
from orderhook.console.pages import ROOT, layout, parts
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.errors import OrderhookError
from orderhook.listing import instructions_of
from orderhook.orders import Order
from orderhook.reference import guidance_for, guidance_of
from orderhook.responses import Response, status, word
from orderhook.store.alert_log import AlertRecord

_ID = re.compile(r"[0-9a-f]{32}")


def settled(visit: Visit, acted: Acted, path: str, parameters: Mapping[str, str], *, here: str) -> Response:
    """Send the browser to the page that says what came of a form; what was refused is a page of its own."""
    if isinstance(acted.result, OrderhookError):
        return refused(visit, acted.request_id, acted.result, http.address(path, parameters), here=here)
    came_again = "" if acted.result else "yes"
    return http.see_other(path, {**parameters, "did": acted.request_id, "again": came_again})


def refused(visit: Visit, request_id: str, error: OrderhookError, back: str, *, here: str) -> Response:
    """Answer why something was not done, or not all of it, as the webhook would, and what to do about it."""
    code, number = word(error), status(error)
    guidance = guidance_for(number, code)
    content = h.div(".panel.bad")[
        h.h1[h.span(".mark", aria_hidden="true")["✕"], "Refused: ", code.replace("_", " ")],
        h.p[value(error.detail)],
        _pair("What happened", guidance.meaning) if guidance else None,
        _pair("What to do", guidance.what_to_do) if guidance else None,
        map(_warning, error.warnings),
        h.p(".dim")[f"{number} {code} · ", parts.alert_link(request_id)],
        h.p(".acts")[h.a(".button", href=back)["Back"]],
    ]
    return layout.respond(visit, "Refused", content, here=here, status=number, live=False)


def not_found(visit: Visit, what: str, name: str, *, here: str) -> Response:
    """Answer that there is nothing of this id which this session may see."""
    content = h.div(".panel")[
        h.h1[f"There is no such {what}"],
        h.p[
            "No ",
            what,
            " of yours is called ",
            h.b[value(name[:200])],
            ". Case matters, and finished ones leave in time.",
        ],
        h.p[h.a(".button", href=here)["Back to the list"]],
    ]
    return layout.respond(visit, f"No such {what}", content, here=here, status=404, live=False)


def nowhere(visit: Visit, why: str) -> Response:
    """Answer that there is no page at this address, with the way to those that there are."""
    content = h.div(".panel")[h.h1["There is no such page"], h.p[why], h.p[h.a(".button", href=ROOT)["To the alerts"]]]
    return layout.respond(visit, "No such page", content, here="", status=404, live=False)


def changed_since(visit: Visit, title: str, text: str, back: str, *, here: str) -> Response:
    """Answer that nothing was done, because what a form was about is not as it said any more."""
    content = h.div(".panel.warn")[
        h.h1[h.span(".mark", aria_hidden="true")["!"], title],
        h.p[text],
        h.p(".acts")[h.a(".button", href=back)["Look again"]],
    ]
    return layout.respond(visit, "Nothing was done", content, here=here, status=409, live=False)


def note(visit: Visit, order: Order | None = None, entry: Order | None = None) -> Node:
    """Return what came of the form that has led here: what was answered, and what has become of it since.

    Only its own session is told, or one that may see everything; of an order only what concerns that.
    """
    request_id = visit.request.parameter("did")
    if not _ID.fullmatch(request_id):
        return None
    again = "This form had come before: nothing new was sent. " if visit.request.parameter("again") else ""
    record = visit.services.alert_log.get(visit.trader, request_id)
    if record is None:
        text = f"{again}It was sent, and has no record that says more; what became of it stands below."
        return h.div(".notice", data_part="note")[h.p[text]]
    if not _concerns(visit, record, order):
        return None
    answer = fates.answer_of(record)
    now = parts.now_of(visit)
    fate = fates.fate_for(record, order, now, entry, closed=seen_closed(visit)) if order else None
    instructed = list(instructions_of(visit.services, record))
    mark = fates.worst(
        [answer.mark, *([fate.mark] if fate else []), *(fates.fate_of_instruction(it).mark for it in instructed)]
    )
    is_under_way = mark is Mark.GOOD and any(it.under_way for it in instructed)
    guidance = guidance_of(record)
    return h.div(class_=["notice", (Mark.LATER if is_under_way else mark).value], data_part="note")[
        h.p[
            h.b[again],
            value(record.command or "It"),
            " at ",
            layout.when(record.received_at, visit.now),
            " was answered: ",
            parts.marked(answer.mark, answer.words),
        ],
        h.p[guidance.meaning] if guidance else None,
        h.p[value(record.detail)] if record.detail else None,
        h.p["Now: ", parts.fate(fate)] if fate else None,
        (h.p["What came of it: ", parts.fate(fates.fate_of_instruction(it))] for it in instructed),
        map(_warning, record.warnings),
        h.p(".dim")[parts.alert_link(record.request_id)],
    ]


def _concerns(visit: Visit, record: AlertRecord, order: Order | None) -> bool:
    if record.origin != "console":
        return False
    limits = visit.session.grant.limits
    if limits and limits.is_to_markets and record.key_id != visit.session.key.key_id:
        return False
    return order is None or order.order_id in _named(record)


def _named(record: AlertRecord) -> Iterator[str]:
    yield from record.order_ids
    yield from filter(None, (record.fields.get("order_id"),))


def _warning(warning: object) -> Node:
    code, detail = getattr(warning, "code", ""), getattr(warning, "detail", "")
    return h.p(".note.warn")[
        h.span(".mark", aria_hidden="true")["!"],
        h.span(".word")[str(code).replace("_", " "), ": "],
        value(detail),
    ]


def _pair(name: str, text: str) -> Node:
    return h.fragment[h.h3[name], h.p[text]]
