"""The builder: an alert's text by filling in a form, with what the webhook would make of it; nothing is sent."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import htpy as h
from htpy import Node

from orderhook import reference
from orderhook.console import http, reading
from orderhook.console.drafts import (
    MISSING,
    PRICES,
    REAL_KEY,
    Draft,
    Fired,
    Preview,
    Told,
    companions,
    draft_of,
    preview,
)
from orderhook.console.fields import FIELDS, KINDS, defaults
from orderhook.console.pages import ROOT, inputs, layout, parts
from orderhook.console.pages.text import value
from orderhook.console.placeholders import SAYS, is_of
from orderhook.console.reading import Taken
from orderhook.console.visit import Visit
from orderhook.responses import Response
from orderhook.store.alert_log import AlertRecord
from orderhook.trade_window import NEW_YORK
from orderhook.visible import visible

PATH = f"{ROOT}/builder"
_FIRST_COMMAND = "PLACE"


def page(visit: Visit) -> Response:
    """Answer with an empty form, or with that of an alert which was recorded."""
    if request_id := visit.request.parameter("alert"):
        record = visit.services.alert_log.get(visit.trader, request_id)
        if record is None or not visit.sees(record):
            raise http.HttpError(404, "There is no record of this alert any more.")
        taken = reading.from_record(record.fields, record.command)
        return _respond(visit, _draft_taken(taken), _of_record(record, taken), strictly=True, told=_marked(record))
    command = visit.request.parameter("command").upper()
    command = command if command in KINDS else _FIRST_COMMAND
    return _respond(visit, draft_of("strategy", command, defaults(command)), None)


def show(visit: Visit) -> Response:
    """Answer with the form as it was sent, and with what the webhook would make of it."""
    form = visit.request.form
    go = form.get("go", "")
    if go == "read":
        taken = reading.from_text(form.get("text", ""))
        return _respond(visit, _draft_taken(taken), _of_text(taken), strictly=True)
    command = form.get("command", "")
    command = command if command in KINDS else _FIRST_COMMAND
    values = {**(defaults(command) if go == "fields" else {}), **{name: it for name, it in form.items() if it.strip()}}
    draft = draft_of(form.get("kind", ""), command, values)
    if go == "offer":
        draft = draft._replace(values={**draft.values, **preview(draft, visit.services.venue, visit.now).offer})
    return _respond(visit, draft, None, strictly=go in ("preview", "offer"))


def _draft_taken(taken: Taken) -> Draft:
    return draft_of("strategy", taken.command, taken.values)


def _respond(
    visit: Visit, draft: Draft, notice: Node, *, strictly: bool = False, told: Iterable[Told] = ()
) -> Response:
    """Answer with the page; `strictly` marks also what is not filled in yet."""
    read = preview(draft, visit.services.venue, visit.now)
    if draft.has_key:
        draft = draft._replace(values={name: "" if _is_key(read, name) else it for name, it in draft.values.items()})
    marks = _marks(draft, read, strictly=strictly, told=told)
    content = h.fragment[
        h.h1["Build an alert"],
        h.p(".hint")["The text of an alert for TradingView's message box. Nothing is sent from here."],
        notice,
        h.div(".cols.builder")[
            h.div[
                h.form(".fields", method="post", action=PATH, data_preview=True)[
                    _kinds(draft),
                    inputs.choose_command(draft.command),
                    inputs.fields_of(draft.command, draft.values, marks, of_strategy=draft.kind == "strategy"),
                    h.div(".acts")[
                        h.button(".primary", name="go", value="preview", formaction=f"{PATH}#preview")["Preview"]
                    ],
                ],
                _read_a_text(),
                _placeholders(draft),
                inputs.all_fields(draft.command),
            ],
            h.aside("#preview.detail", aria_label="Preview")[_preview(draft, read, strictly=strictly)],
        ],
    ]
    return layout.respond(visit, "Build an alert", content, here=PATH, live=False)


def _is_key(read: Preview, name: str) -> bool:
    return any(it.field == name and it.detail == REAL_KEY for it in read.faults)


# The form


def _kinds(draft: Draft) -> Node:
    kinds = (("strategy", "a strategy's orders"), ("indicator", "an indicator, or a price"))
    return h.fieldset(".choices")[
        h.legend["An alert on"],
        (
            h.label[h.input(type="radio", name="kind", value=kind, checked=draft.kind == kind), " ", words]
            for kind, words in kinds
        ),
        h.p(".hint")["It decides which placeholders TradingView fills in."],
    ]


def _read_a_text() -> Node:
    return h.details(".options")[
        h.summary["Read a text ", h.small["an alert that you have already, without its key"]],
        h.form(".fields", method="post", action=PATH)[
            h.div(".field")[
                h.label(for_="f-text")["Its text, or its JSON"],
                h.textarea("#f-text", name="text", rows=7, maxlength=8192, spellcheck="false", autocomplete="off"),
                h.p(".hint")["Leave the key out: it is not needed here, and would not come back."],
            ],
            h.div(".acts")[h.button(name="go", value="read")["Read it into the form"]],
        ],
    ]


def _placeholders(draft: Draft) -> Node:
    return h.details(".options")[
        h.summary["Placeholders ", h.small["that TradingView fills in for this kind of alert"]],
        h.dl(".pairs")[
            ((h.dt[h.code[f"{{{{{name}}}}}"]], h.dd[says]) for name, says in SAYS.items() if is_of(draft.kind, name))
        ],
    ]


def _marks(draft: Draft, read: Preview, *, strictly: bool, told: Iterable[Told]) -> dict[str, list[Node]]:
    marks: dict[str, list[Node]] = {}
    for it in (*told, *read.faults):
        if it.field and it.field in FIELDS and (strictly or it.code != MISSING):
            marks.setdefault(it.field, []).append(inputs.error(it))
    for it in read.warnings:
        if it.field and it.field in FIELDS and it.code != PRICES:
            marks.setdefault(it.field, []).append(inputs.hint(value(it.detail)))
    if read.offer and any(it.field == "order_id" for it in read.warnings):
        marks["order_id"].append(_offer(read))
    for name, filled in (read.fired[0].values if read.fired else {}).items():
        if filled != draft.values.get(name):
            marks.setdefault(name, []).append(inputs.hint(["for example ", h.b[value(filled)]]))
    return marks


def _offer(read: Preview) -> Node:
    words = " with ".join(f"{name}={it}" for name, it in read.offer.items())
    return h.p(".told")[h.button(name="go", value="offer")["Use ", value(words)]]


# The preview


def _preview(draft: Draft, read: Preview, *, strictly: bool) -> Node:
    return h.div("#told-preview", data_told=True)[
        h.h2["What it would do"],
        _faults(read, strictly=strictly) if read.faults else _right(read),
        _text(read),
        _beside(draft) if read.is_right else None,
    ]


def _faults(read: Preview, *, strictly: bool) -> Node:
    missing = [it for it in read.faults if it.code == MISSING and it.field in FIELDS]
    others = [it for it in read.faults if it not in missing]
    if missing and not others and not strictly:
        names = ", ".join(FIELDS[str(it.field)].label for it in missing)
        return h.p(".notice", role="status")["Still needed: ", names, "."]
    return h.div(".notice.bad", role="status")[
        h.p[h.span(".mark", aria_hidden="true")["✕"], h.span(".word")["This would be refused."]],
        h.ul[(h.li[_where(it), value(it.detail)] for it in (*others, *missing))],
    ]


def _where(told: Told) -> Node:
    field = told.field or ""
    return [h.a(href=f"#f-{field}")[FIELDS[field].label], ": "] if field in FIELDS else None


def _right(read: Preview) -> Node:
    return h.fragment[
        h.div(".notice.good", role="status")[
            h.p[h.span(".mark", aria_hidden="true")["✓"], h.span(".word")["The webhook would take it."]],
            _firings(read.fired),
        ],
        (_warning(it) for it in read.warnings),
    ]


def _firings(fired: Iterable[Fired]) -> Iterator[Node]:
    first, later = fired
    yield h.p[value(first.verdict)]
    if first.values != later.values:
        yield h.p(".dim")[f"An hour later, at {_clock(later.at)}: ", value(_words(later))]


def _words(fired: Fired) -> str:
    return fired.faults[0].detail if fired.faults else fired.verdict


def _clock(at: datetime) -> str:
    return f"{at.astimezone(NEW_YORK):%H:%M} in New York"


def _warning(told: Told) -> Node:
    return h.div(".notice.warn")[
        h.p[h.span(".mark", aria_hidden="true")["!"], h.span(".word")["Mind: "], _where(told), value(told.detail)]
    ]


def _text(read: Preview) -> Node:
    if not read.is_right:
        return h.div(".acts")[
            h.button(type="button", disabled=True, data_copy="#alert-text")["Copy the text"],
            h.small["once nothing is wrong with it"],
        ]
    return h.fragment[
        h.h2["The text"],
        h.pre("#alert-text")[visible_lines(read.text)],
        h.div(".acts")[h.button(".primary", type="button", data_copy="#alert-text")["Copy the text"]],
        h.p(".hint")[
            "Paste it into the alert's message, and put your own key where ",
            h.code["your-secret-key"],
            " stands. This page does not know it; ",
            h.code["orderhook keys create"],
            " makes a new one.",
        ],
    ]


def visible_lines(text: str) -> str:
    """Return a text of lines as a page shows it."""
    return "\n".join(map(visible, text.split("\n")))


def _beside(draft: Draft) -> Node:
    texts = list(companions(draft))
    if not texts and "order_id" in draft.values and draft.command in ("PLACE", "FLATPLACE", "REVERSEPOSITION"):
        return h.p(".hint")["With a strategy, a fixed text can cancel and change this order by its name, ENTRY1."]
    return [
        h.details(".options")[
            h.summary[what],
            h.pre(id=f"beside-{number}")[visible_lines(text)],
            h.div(".acts")[h.button(type="button", data_copy=f"#beside-{number}")["Copy"]],
        ]
        for number, (what, text) in enumerate(texts)
    ]


# What was read


def _marked(record: AlertRecord) -> Iterator[Told]:
    if record.status >= 400 and record.detail and record.field:
        yield Told(f"Refused at {_clock(datetime.fromisoformat(record.received_at))}: {record.detail}", record.field)


def _of_record(record: AlertRecord, taken: Taken) -> Node:
    guidance = reference.guidance_of(record)
    refused = record.status >= 400
    return h.div(class_=["notice", "bad" if refused else "neutral"])[
        h.p[
            h.span(".word")["Refused: " if refused else "Answered: ", record.outcome],
            ". These are the fields of ",
            parts.alert_link(record.request_id, "the alert") or "the alert",
            " of ",
            parts.day_and_time(record.received_at),
            ", as TradingView had filled them in; its key is not among them.",
        ],
        h.p[value(record.detail)] if record.detail else None,
        h.p[guidance.what_to_do] if guidance and refused else None,
        _told_list(taken.told),
    ]


def _told_list(told: Iterable[Told]) -> Node:
    told = list(told)
    return h.ul[(h.li[value(it.detail)] for it in told)] if told else None


def _of_text(taken: Taken) -> Node:
    key = Told(f"{REAL_KEY} The text is not shown again.")
    told = [*([key] if taken.had_key else []), *taken.told]
    tone = "bad" if told else "good"
    return h.div(class_=["notice", tone], role="status")[
        h.p[h.span(".word")["The text was read into the form."]],
        _told_list(told),
        h.pre[_lines(taken.text, taken.line)] if taken.line and taken.text else None,
    ]


def _lines(text: str, faulty: int) -> Iterator[Node]:
    for number, line in enumerate(text.split("\n"), 1):
        shown = visible(line)
        yield h.mark[shown] if number == faulty else f"{shown}\n"
