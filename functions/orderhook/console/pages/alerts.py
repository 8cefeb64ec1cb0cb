"""The first page: whether the last alert was done, what became of it, and why not; then all of them."""

import time
from collections.abc import Sequence

import htpy as h
from htpy import Node

from orderhook.console.alert_list import (
    KINDS,
    SEARCH_SECONDS,
    SHOWN,
    SPANS,
    Asked,
    Found,
    Row,
    parse,
    read,
    rows_of,
)
from orderhook.console.alert_words import in_words
from orderhook.console.fates import Mark, answer_of
from orderhook.console.http import address
from orderhook.console.overview import is_alert, overview_in_time
from orderhook.console.pages import ROOT, alert, layout
from orderhook.console.pages.alert_parts import (
    answer,
    answer_words,
    fates,
    links,
    relations,
    said,
)
from orderhook.console.pages.layout import Told
from orderhook.console.pages.overview import overview
from orderhook.console.pages.parts import alert_address
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.responses import Response
from orderhook.trade_window import NEW_YORK
from orderhook.visible import visible

MISSING = f"{ROOT}/alerts/missing"


def page(visit: Visit) -> Response:
    """Answer with the alerts that the query asks for, newest first, and beside them the one that it names."""
    ends = time.monotonic() + SEARCH_SECONDS
    asked = parse(visit)
    known = overview_in_time(visit)  # before a search may have used up the time in which requests begin
    found = read(visit, asked, ends)
    rows = rows_of(visit, found.records, found.context)
    chosen = alert.chosen(visit, visit.request.parameter("alert"), found.records)
    last = _last(visit, asked, found, rows)
    content = h.fragment[
        h.h1["Alerts"],
        overview(visit, known, *((_facts(visit, last), last.record.received_at) if last else (None, None))),
        _bar(asked, known.today.counts.get("refused", 0) if known else 0),
        h.div(".cols" if chosen else ".one")[
            h.div[
                h.div(data_part="rows", data_rows=True)[_list(visit, asked, found, rows, chosen)],
                _foot(asked, found),
            ],
            h.aside(".detail.alert", data_part="alert", aria_label="The chosen alert")[chosen.content]
            if chosen
            else None,
        ],
    ]
    needs = len(known.needs) if known else 1  # to look again
    return layout.respond(visit, "Alerts", content, here=ROOT, told=Told(needs, _aloud(last)))


def _last(visit: Visit, asked: Asked, found: Found, rows: Sequence[Row]) -> Row | None:
    """Return the newest alert of all: what an operator or a session does beside them is none."""
    has_newest = not (asked.before or asked.until)
    read_already = sorted((*found.records, *found.context), key=lambda it: it.request_id, reverse=True)
    newest = next(filter(is_alert, read_already), None) if has_newest else None
    if newest is None:
        read_already = [*filter(visit.sees, visit.services.alert_log.page(visit.trader, SHOWN)[0])]
        newest = next(filter(is_alert, read_already), None)
    if newest is None:
        return None
    of_page = (row for row in rows if row.record.request_id == newest.request_id)
    return next(of_page, None) or rows_of(visit, [newest], read_already)[0]


def _facts(visit: Visit, row: Row) -> Node:
    now, why = _now(row), _why_not(row)
    return h.p(".facts.last")[
        "Last alert ",
        h.a(href=alert_address(row.record.request_id))[layout.when(row.record.received_at, visit.now)],
        " New York ",
        layout.age(row.record.received_at),
        ": ",
        answer_words(row),
        f"; now {now}" if now else None,
        [": ", h.span(".why")[value(why)]] if why else None,
    ]


def _now(row: Row) -> str:
    """Say what has become of the alert: of several orders the worst, with how many there are."""
    fates = [(f"{order.account} {order.order_name or order.order_id}: ", it) for order, it in row.fates]
    fates += [("", it) for _, it in row.asked]
    if not fates:
        return ""
    name, worst = max(fates, key=lambda it: list(Mark).index(it[1].mark))
    is_one = len({it for _, it in fates}) == 1
    return "".join(
        (
            "" if is_one else visible(name),
            worst.words,
            f", {worst.note}" if worst.note else "",
            "" if is_one else f", and {len(fates) - 1} more",
        )
    )


def _why_not(row: Row) -> str:
    """Return why an alert was not done."""
    record = row.result or row.record
    refused = next((it for it in record.results if it.status >= 400), None)
    if refused and any(it.status < 400 for it in record.results):
        return f"{refused.account}: {refused.detail or refused.outcome}"
    return (record.detail or "") if record.status >= 400 and not row.came_again else ""


def _aloud(row: Row | None) -> str:
    if row is None:
        return ""
    now, why = _now(row), _why_not(row)
    return (
        f"Last alert: {answer_of(row.record).words}{f'; now {now}' if now else ''}{f': {visible(why)}' if why else ''}"
    )


# What is shown


def _bar(asked: Asked, refused: int) -> Node:
    return h.div(".bar.alerts")[
        h.nav(".chips", aria_label="Which alerts")[
            (
                h.a(
                    href=address(ROOT, asked.parameters(show=kind)),
                    aria_current="true" if kind == asked.kind else None,
                )[name, f" {refused}" if kind == "refused" and refused and asked.span == "today" else None]
                for kind, name in KINDS.items()
            )
        ],
        h.form(method="get", action=ROOT, role="search")[
            (h.input(type="hidden", name=name, value=text) for name, text in asked.parameters(q="").items() if text),
            h.input(
                type="search",
                name="q",
                value=asked.text,
                aria_label="Search alerts",
                placeholder="order id, strategy, instrument, error code",
            ),
        ],
        h.nav(".chips", aria_label="Since when")[
            (
                h.a(
                    href=address(ROOT, asked.parameters(**_NO_TIMES, span="" if span == "today" else span)),
                    aria_current="true" if span == asked.span else None,
                )[name]
                for span, name in SPANS.items()
            )
        ],
        _own_span(asked),
    ]


_NO_TIMES = {"from": "", "to": ""}


def _own_span(asked: Asked) -> Node:
    kept = {"show": asked.kind, "q": asked.text, "span": "own"}
    return h.details(".own", open=asked.span == "own")[
        h.summary["from … to"],
        h.form(method="get", action=ROOT)[
            (h.input(type="hidden", name=name, value=text) for name, text in kept.items() if text),
            h.label["from ", h.input(name="from", value=asked.start, placeholder="09:30")],
            h.label["to ", h.input(name="to", value=asked.end, placeholder="2026-01-02T16:00")],
            h.button["Show"],
            h.p(".hint")["New York: 09:30, 2026-01-02, 2026-01-02T09:30, or an age such as 2h."],
            h.p(".error", role="alert")[value(asked.fault)] if asked.fault else None,
        ],
    ]


def _list(visit: Visit, asked: Asked, found: Found, rows: Sequence[Row], chosen: "alert.Chosen | None") -> Node:
    if not rows:
        return _empty(visit, asked, found)
    selected = chosen.request_id if chosen else None
    return h.table(".rows.alerts")[
        h.thead[
            h.tr[
                (
                    h.th(scope="col")[name]
                    for name in ("time", "answer", "alert, and why", "what became of it", "order, strategy")
                )
            ]
        ],
        h.tbody[(_row(visit, asked, row, is_chosen=row.record.request_id == selected) for row in rows)],
    ]


def _row(visit: Visit, asked: Asked, row: Row, *, is_chosen: bool) -> Node:
    record, words = row.record, in_words(row.record)
    beside = address(ROOT, asked.parameters(before=asked.before, alert=record.request_id))
    shown_time = layout.when(record.received_at, visit.now)
    return h.tr(id=f"a{record.request_id}", class_=[row.mark.value, {"chosen": is_chosen}])[
        h.td(".t")[
            h.a(".wide-only", href=beside, aria_current="true" if is_chosen else None)[shown_time],
            h.a(".phone-only", href=alert_address(record.request_id))[shown_time],
            layout.age(record.received_at),
        ],
        h.td(".o")[answer(row)],
        h.td(".s.wide")[
            said(words, row),
            _why(row),
            relations(row),
        ],
        h.td(".f.wide")[fates(row, visit.now)],
        h.td(".d.wide")[links(row, words)],
    ]


def _why(row: Row) -> Node:
    record = row.record
    refused = [result for result in record.results if result.status >= 400]
    if refused and len(refused) < len(record.results):
        return [
            h.p(".why")[h.b[value(result.account)], ": ", value(result.detail or result.outcome)] for result in refused
        ]
    if record.detail:
        return h.p(".why")[value(record.detail)]
    return [h.p(".why.warn")[h.span(".mark", aria_hidden="true")["!"], value(it.detail)] for it in record.warnings]


def _foot(asked: Asked, found: Found) -> Node:
    further = address(ROOT, asked.parameters(before=found.older)) if found.older else None
    if found.searched_to:
        at = found.searched_to.astimezone(NEW_YORK)
        onward = [f"Searched back to {at:%a %-d %b %H:%M:%S} New York; ", h.a(href=further)["go on"], "."]
    else:
        onward = [h.a(href=further, rel="next")["Older alerts"]] if further else []
    newest = h.a(href=address(ROOT, asked.parameters()))["Newest alerts"] if asked.before else None
    return h.p(".foot", data_part="foot")[
        h.a(href=MISSING)["My alert is not in this list"], h.span[newest, " " if newest else None, onward]
    ]


def _empty(visit: Visit, asked: Asked, found: Found) -> Node:
    all_of_week = address(ROOT, {"span": "7d"})
    if found.searched_to:
        return h.div(".empty")[h.p["Nothing matches so far: the search goes on below."]]
    if asked.before:
        return h.div(".empty")[h.p["There is nothing older in this time."]]
    if asked.filters:
        return h.div(".empty")[
            h.p[h.b["Nothing matches."]],
            h.p[
                "Of the alerts in this time none is so. ",
                h.a(href=address(ROOT, asked.parameters(show="", q="")))["Show all of them"],
            ],
        ]
    if not visit.services.alert_log.page(visit.trader, 1)[0]:
        return _first()
    return h.div(".empty")[
        h.p[h.b["No alert came in this time."]],
        h.p[
            h.a(href=all_of_week)["Show the last 7 days"],
            ", or see ",
            h.a(href=MISSING)["why an alert may be missing"],
            ".",
        ],
    ]


def _first() -> Node:
    return h.div(".empty")[
        h.p[h.b["No alert has come yet."]],
        h.p[
            "Build one in ",
            h.a(href=f"{ROOT}/builder")["the builder"],
            ", put the webhook's URL and your key into TradingView, or send one from a terminal:",
        ],
        h.pre["orderhook send 'key=YOUR_KEY; command=CANCEL; order_id=ANY_ID;'"],
        h.p["It appears here by itself."],
    ]
