"""One alert: what happened, what to do, what it said, and what became of its orders."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import htpy as h
from htpy import Node

from orderhook import reference
from orderhook.console.alert_list import Row, rows_of
from orderhook.console.fates import answer_in_account
from orderhook.console.http import address
from orderhook.console.pages import ROOT, layout
from orderhook.console.pages.alert_parts import (
    ORIGINS,
    answer_words,
    fate,
    relations,
    result_link,
)
from orderhook.console.pages.parts import marked, order_link
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.errors import InvalidValueError
from orderhook.payload import lower
from orderhook.records import find_record, related_records
from orderhook.resend import LATEST
from orderhook.responses import Response
from orderhook.store.alert_log import UNREADABLE, AlertRecord
from orderhook.venue_words import guidance_for_reason, guidance_for_result

_OUTSIDE = "There is no record of such an alert, or it lies outside the limits of this session."

_NEAR = 200
"""How many records are read to see whether the alert came before, or came again."""


class Chosen(NamedTuple):
    """The alert that is shown beside the list."""

    request_id: str
    content: Node


def page(visit: Visit) -> Response:
    """Answer with one alert, by its id or the beginning of it."""
    try:
        record = find_record(visit.services.alert_log, visit.trader, visit.request.path.rpartition("/")[2])
        if not visit.sees(record):
            raise InvalidValueError(_OUTSIDE)  # noqa: TRY301  answered as what is not there
    except InvalidValueError as error:
        content = h.fragment[
            h.h1["There is no such alert"],
            h.p[value(error.detail)],
            h.p[
                h.a(href=ROOT)["All alerts"], ", or ", h.a(href=f"{ROOT}/alerts/missing")["why one may be missing"], "."
            ],
        ]
        return layout.respond(visit, "No such alert", content, here=ROOT, status=404, live=False)
    content = h.fragment[
        h.p(".back")[h.a(href=ROOT)["All alerts"]],
        h.h1(".vh")[f"Alert {record.request_id[:12]}"],
        h.article(".detail.alert.panel", data_part="alert")[_content(visit, record)],
    ]
    return layout.respond(visit, f"Alert {record.request_id[:12]}", content, here=ROOT)


def chosen(visit: Visit, request_id: str, records: Sequence[AlertRecord]) -> Chosen | None:
    """Return the alert that is to be shown beside the list; None where there is none with this id."""
    record = next((it for it in records if it.request_id == request_id), None)
    if record is None and request_id:
        record = visit.services.alert_log.get(visit.trader, request_id)
        record = record if record and visit.sees(record) else None
    return Chosen(record.request_id, _content(visit, record)) if record else None


def _content(visit: Visit, record: AlertRecord) -> Node:
    if record.outcome == UNREADABLE:
        return h.fragment[
            h.h2["A record that this version cannot read"],
            h.p["A newer version may have written it. Its id is ", h.code[record.request_id], "."],
        ]
    at = datetime.fromisoformat(record.received_at)
    near, _ = visit.services.alert_log.page(visit.trader, _NEAR, at - LATEST, at + LATEST + timedelta(seconds=1))
    context = [it for it in near if it.request_id != record.request_id and visit.sees(it)]
    related = list(filter(visit.sees, related_records(visit.services.alert_log, record)))
    [row] = rows_of(visit, [record], context)
    return h.fragment[
        h.h2[answer_words(row)],
        _heading_facts(visit, record),
        _what_happened(row),
        _what_to_do(row),
        _accounts(record),
        _others(row, related, visit.now),
        _orders(row),
        _asked(row),
        _text(record),
        h.div(".acts")[
            h.a(".button", href=address(f"{ROOT}/builder", {"alert": record.request_id}))[
                "Correct it in the builder" if record.status >= 400 else "Open it in the builder"
            ]
        ]
        if record.fields and record.origin in ("webhook", "api", "console")
        else None,
        h.h3["On the command line"],
        h.pre[h.code[visit.command_line(f"alerts show {record.request_id}")]],
    ]


def _heading_facts(visit: Visit, record: AlertRecord) -> Node:
    key = " ".join(filter(None, (record.key_label, f"({record.key_id})" if record.key_id else "")))
    facts = (
        (str(record.status),),
        (layout.when(record.received_at, visit.now), " New York ", layout.age(record.received_at)),
        (f"answered in {record.milliseconds} ms",) if record.origin in ("webhook", "api", "console") else None,
        ("key ", value(key)) if key else None,
        ("from ", value(record.source)) if record.source else None,
        (ORIGINS[record.origin],) if record.origin in ORIGINS else None,
    )
    return h.p(".small.dim.sub")[([" · " if number else None, *it] for number, it in enumerate(filter(None, facts)))]


def _what_happened(row: Row) -> Node:
    record = row.record
    guidance = reference.guidance_of(record, is_finished=bool(row.asked) and all(it.result for it, _ in row.asked))
    return h.fragment[
        h.h3["What happened"],
        h.p(".happened")[value(record.detail)] if record.detail else None,
        h.p[_plain(guidance.meaning)] if guidance else None,
        h.p[f"Reason in the log: {record.reason}"] if record.reason else None,
        (
            h.p(".warn")[h.span(".mark", aria_hidden="true")["!"], h.span(".word")["Warning: "], value(it.detail)]
            for it in record.warnings
        ),
    ]


def _what_to_do(row: Row) -> Node:
    record = row.record
    guidance = reference.guidance_of(record, is_finished=bool(row.asked) and all(it.result for it, _ in row.asked))
    if guidance is None:
        return None
    again = None
    if record.status >= 400 and record.origin == "webhook":
        repeats = reference.is_sent_again(record.status)
        again = f"TradingView {'sends it again, up to three times' if repeats else 'does not send it again'}."
    return h.fragment[h.h3["What to do"], h.p[_plain(guidance.what_to_do)], h.p[again] if again else None]


def _plain(text: str) -> Node:
    """Return a sentence of the reference, in which names of code stand between backticks."""
    return [h.code[value(part)] if number % 2 else value(part) for number, part in enumerate(text.split("`"))]


def _accounts(record: AlertRecord) -> Node:
    if not record.results:
        return None
    return h.fragment[
        h.h3["Each account"],
        h.ul(".list")[
            (
                h.li[
                    h.b[value(result.account)],
                    ": ",
                    marked((told := answer_in_account(result)).mark, told.words),
                    [" ", value(result.detail)] if result.detail else None,
                ]
                for result in record.results
            )
        ],
    ]


def _others(row: Row, related: Sequence[AlertRecord], now: datetime) -> Node:
    shown = [it for it in related if row.result is None or it.request_id != row.result.request_id]
    if not (row.repeats or row.resend_of or row.came_again or row.result or shown):
        return None
    return h.fragment[
        h.h3["Repetitions, and what belongs to it"],
        relations(row),
        (
            h.p(".why.rel")[
                "The alert" if it.origin == "webhook" else ORIGINS.get(it.origin, it.origin).capitalize(),
                ", ",
                layout.when(it.received_at, now),
                ": ",
                result_link(it),
            ]
            for it in shown
        ),
    ]


def _orders(row: Row) -> Node:
    if not (row.fates or row.unreadable or row.gone or row.more):
        return None
    reasons = dict.fromkeys(order.reason for order, _ in row.fates if not order.is_open)
    return h.fragment[
        h.h3["Its orders now"],
        h.ul(".list")[
            (h.li[order_link(order), " ", fate(it)] for order, it in row.fates),
            (h.li[value(it.id), ": cannot be read by this version"] for it in row.unreadable),
            h.li[f"{row.gone} no longer in the table: finished orders leave it in time"] if row.gone else None,
            h.li[f"and {row.more} more: the line below lists them"] if row.more else None,
        ],
        (h.p(".why")[_plain(f"{it.meaning} {it.what_to_do}")] for it in map(guidance_for_reason, reasons) if it),
    ]


def _asked(row: Row) -> Node:
    if not row.asked:
        return None
    return h.fragment[
        h.h3["What it asks of positions"],
        (
            h.fragment[
                fate(it_fate),
                h.p(".why")[_plain(f"{guidance.meaning} {guidance.what_to_do}")]
                if (guidance := guidance_for_result(it.result.result, it.result.reason) if it.result else None)
                else None,
            ]
            for it, it_fate in row.asked
        ),
    ]


def _text(record: AlertRecord) -> Node:
    if not record.fields:
        return None
    title = "The alert, without its key" if record.origin == "webhook" else "What was asked, without a key"
    return h.fragment[
        h.h3["It was about" if record.origin in ("operator", "cancel_after") else title],
        h.pre(".text")[h.code[_lines(record)]],
    ]


def _lines(record: AlertRecord) -> Iterator[Node]:
    for name, text in record.fields.items():
        line = h.fragment[value(name), "=", value(text), ";"]
        is_faulty = record.field is not None and lower(name.partition(" (")[0]) == lower(record.field)
        yield h.mark[h.span(".vh")["faulty: "], line] if is_faulty else h.fragment[line, "\n"]
