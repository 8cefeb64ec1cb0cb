"""What the pages about alerts share: marks with their words, times, what an alert says, and links."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import htpy as h
from htpy import Node

from orderhook.console.alert_list import Related, Row
from orderhook.console.alert_words import AlertWords
from orderhook.console.fates import Fate, Mark, answer_of
from orderhook.console.pages import layout, parts
from orderhook.console.pages.parts import alert_address, marked, order_link, strategy_link
from orderhook.console.pages.text import value
from orderhook.description import order_in_words
from orderhook.orders import Order, timestamp
from orderhook.store.alert_log import AlertRecord, Origin

ORIGINS: Mapping[Origin, str] = {
    "console": "by the console",
    "api": "by the API",
    "delayed": "its delay was over",
    "cancel_after": "its time limit was over",
    "operator": "by the command line",
}
"""What a record is that no alert of TradingView's has left."""


def answer(row: Row) -> Node:
    """Return what an alert was answered, under the mark of its row."""
    beside = ORIGINS.get(row.record.origin)
    return h.fragment[answer_words(row), h.small[beside] if beside else None]


def answer_words(row: Row) -> Node:
    """Return the same without what stands beside it."""
    told = answer_of(row.record)
    is_again = told.kind == "repeated" and row.mark is Mark.NEUTRAL
    words = f"{told.words}, then {answer_of(row.result).words}" if row.result else told.words
    return marked(row.mark, words, sign="=" if is_again else None)


def said(words: AlertWords, row: Row) -> Node:
    """Return what an alert asks for; of what came by the queue its order says it."""
    if row.record.command == "PLACE" and "action" not in row.record.fields and row.fates:
        order = row.fates[0][0]
        return h.span(".said")[value(order_in_words(order)), h.span(".acc")[value(order.account)]]
    phrases = [h.b[value(it.text)] if it.strong else value(it.text) for it in words.phrases]
    return h.span(".said")[
        _joined(phrases, " "), h.span(".acc")[value(", ".join(words.accounts.split(",")))] if words.accounts else None
    ]


def _joined(parts: Iterable[Node], by: str) -> Node:
    return [(by if number else None, part) for number, part in enumerate(parts)]


def fate(it: Fate, name: str | None = None) -> Node:
    """Return what became of one order, with why; a name tells it from others."""
    ends = (
        [" ", parts.day_and_time(it.at), [" ", layout.age(it.at, is_due=True)] if it.is_due else None]
        if it.at
        else None
    )
    return h.p(class_=["fate", it.mark.value])[
        h.span(".mark", aria_hidden="true")[it.mark.sign],
        h.span(".name")[value(name), ": "] if name else None,
        h.span(".word")[it.words, ends],
        h.span(".why")[": ", value(it.reason)] if it.reason else None,
        h.b[f" {it.note}"] if it.note else None,
    ]


def fates(row: Row, now: datetime) -> Node:
    """Return what became of an alert's orders, and of what it asks of positions; what is alike stands once."""
    alike: dict[Fate, list[str]] = {}
    for order, its_fate in row.fates:
        alike.setdefault(its_fate, []).append(_name(order, row))
    is_one = len(row.fates) + len(row.unreadable) == 1 and not row.more and not row.gone
    return h.fragment[
        (fate(it, None if is_one else ", ".join(names)) for it, names in alike.items()),
        (
            fate(Fate(Mark.WARN, f"unreadable: {it.state}" if it.state.isalpha() else "unreadable"), it.id)
            for it in row.unreadable
        ),
        (fate(it) for _, it in row.asked),
        h.p(".fate")[f"and {row.more} more"] if row.more else None,
        h.p(".fate")["no longer in the table" if row.gone == 1 else f"{row.gone} no longer in the table"]
        if row.gone
        else None,
        _nothing(row, now),
    ]


def _name(order: Order, row: Row) -> str:
    several = len(row.record.results) > 1
    name = order.order_name or ("order" if several else order.order_id)
    return f"{order.account} {name}" if several else name


def _nothing(row: Row, now: datetime) -> Node:
    if row.fates or row.unreadable or row.asked or row.gone or row.more:
        return None
    kind = answer_of(row.record).kind
    if row.came_again:
        return h.p(".fate")["came again"]
    if kind == "later" and row.due and not row.result:
        if row.due <= timestamp(now):
            return h.p(".fate")["its delay is over: what came of it stands higher in the list"]
        return fate(Fate(Mark.LATER, "waits for its delay, until", at=row.due, is_due=True))
    if row.record.outcome == "nothing_to_cancel":
        return h.p(".fate")["no order was cancelled"]
    return h.p(".fate")["nothing was done"] if kind == "refused" and row.record.outcome != "outcome_unknown" else None


def relations(row: Row) -> Node:
    """Return which other alerts this one has to do with."""
    return h.fragment[
        (h.p(".why.rel")[_repeats(it)] for it in row.repeats),
        h.p(".why.rel")[
            "TradingView sent it again, ", _ago(row.resend_of), " after ", _link(row.resend_of), " was answered 5xx."
        ]
        if row.resend_of
        else None,
        h.p(".why.rel")[
            "It came again ",
            _ago(row.came_again),
            " later: ",
            _link(row.came_again, _words(row.came_again.outcome)),
            ".",
        ]
        if row.came_again
        else None,
        h.p(".why.rel")["What came of it: ", result_link(row.result), "."] if row.result else None,
    ]


def result_link(record: AlertRecord) -> Node:
    """Return a link to a record that says what came of another one."""
    return h.a(href=alert_address(record.request_id))[answer_of(record).words]


def _repeats(it: Related) -> Node:
    where = ["In ", value(it.account), ": a"] if it.account else "A"
    return [where, " repetition of ", _link(it), ", ", _ago(it), " earlier: nothing was done twice."]


def _link(it: Related, text: str | None = None) -> Node:
    return h.a(href=alert_address(it.request_id))[text or it.request_id[:12]]


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def _ago(it: Related) -> str:
    seconds = abs(it.seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def links(row: Row, words: AlertWords) -> Node:
    """Return links to the orders of an alert and to its strategy; what it only names is no link."""
    strategies = dict.fromkeys(order.strategy_id for order, _ in row.fates if order.strategy_id)
    named = words.strategy_id if not strategies else None
    return h.fragment[
        orders(row, words),
        h.small[_joined([strategy_link(it) for it in strategies] or [value(named)], ", ")]
        if strategies or named
        else None,
    ]


def orders(row: Row, words: AlertWords) -> Node:
    """Return links to an alert's orders: entries alone where legs came with them."""
    found = [order for order, _ in row.fates]
    entries = {order.order_id for order in found}
    shown = [order for order in found if order.entry_id not in entries]
    if shown:
        return _joined([order_link(order) for order in shown], ", ")
    return value(words.order_id) if words.order_id else "-"
