"""The entries that work, and one press that cancels them: stops and targets stay."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import htpy as h
from htpy import Node

from orderhook.console import http
from orderhook.console.acting import ONCE, act, claim, new_request_id
from orderhook.console.fates import Answer, Fate, Mark, answer_of, fate_of_order, worst
from orderhook.console.pages import STOP, forms, parts
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.description import order_in_words
from orderhook.listing import Unreadable, find_orders, list_orders
from orderhook.orders import BEING_CANCELLED, Order, timestamp
from orderhook.responses import Response
from orderhook.store.alert_log import AlertRecord
from orderhook.store.once import OnceStore
from orderhook.trade import entry_and_leg

ADDRESS = f"{STOP}/entries"
SECONDS = 4.0
"""After so long no further cancel is begun: what is left is said, and a second press goes on."""
_SHOWN = 200
_NUMBER_DIGITS = 4


class Working(NamedTuple):
    """The open orders that this session reaches."""

    entries: Sequence[Order]
    others: int
    """How many targets and stops, and orders that a bridge has made for what it was asked."""
    unreadable: int


def working(visit: Visit) -> Working:
    """Return the open orders: those that may open a position apart from those that protect or close one."""
    rows = list(list_orders(visit.services, visit.trader, timestamp(visit.now), open_only=True))
    orders = [row for row in rows if isinstance(row, Order) and visit.reaches(row.account, row.instrument)]
    entries = [order for order in orders if _is_entry(order)]
    return Working(entries, len(orders) - len(entries), sum(isinstance(row, Unreadable) for row in rows))


def _is_entry(order: Order) -> bool:
    return order.entry_id is None and order.made_by is None and entry_and_leg(order.order_id) is None


def _is_asked(order: Order) -> bool:
    """Return whether its venue is being asked to cancel it."""
    want = order.want
    is_under_way = want is not None and want.kind == "cancel" and want.n > max(order.acked, order.dropped)
    return is_under_way or order.state in BEING_CANCELLED


def cancel(visit: Visit) -> Response:
    """Cancel each entry that works now by a CANCEL of its own; the same form sent again shows what that did."""
    first, once = new_request_id(visit.now), visit.request.form.get(forms.ONCE, "")
    entries = working(visit).entries[: 16**_NUMBER_DIGITS]
    if claim(visit, once, first, [order.order_id for order in entries[:_SHOWN]]) == first:
        until = time.monotonic() + SECONDS
        for number, order in enumerate(entries):
            if time.monotonic() > until:
                break
            act(
                visit.services,
                [("command", "CANCEL"), ("order_id", order.order_id)],
                visit.session.key,
                origin="console",
                source=visit.request.source,
                request_id=_numbered(first, number),
            )
    return http.see_other(STOP, {"entries": once})


def _numbered(first: str, number: int) -> str:
    """Return the request id of one of the cancels of a press."""
    return f"{first[:-_NUMBER_DIGITS]}{number:0{_NUMBER_DIGITS}x}"


def list_of(visit: Visit, orders: Sequence[Order], since: str | None) -> Node:
    """Return the entries as a table; those written after `since`, when trading was stopped, say so."""
    if not orders:
        return h.p(".empty")["No entry works."]
    return h.fragment[
        h.table(".rows")[
            h.thead[h.tr[h.th["placed"], h.th["entry"], h.th["account"], h.th["what became of it"]]],
            h.tbody[(_row(visit, order, since) for order in orders[:_SHOWN])],
        ],
        h.p(".dim")[f"and {len(orders) - _SHOWN} more"] if len(orders) > _SHOWN else None,
        h.p(".small.dim")[
            "A stop order placed by an alert of its own is an entry here: only its sender knows what for."
        ]
        if any("STOP" in order.order_type for order in orders)
        else None,
    ]


def _row(visit: Visit, order: Order, since: str | None) -> Node:
    fate = fate_of_order(order, timestamp(visit.now))
    placed = order.history[0].at if order.history else order.since
    late = since is not None and placed > since
    return h.tr(id=f"order-{order.placed_by or order.order_id}", class_=fate.mark.value)[
        h.td(".t")[parts.day_and_time(placed)],
        h.td(".wide")[
            value(order_in_words(order)),
            " ",
            h.small[value(order.order_id)],
            h.p(".why.warn")[h.span(".word")["Written after Stop: "], "it had passed the check before."]
            if late
            else None,
        ],
        h.td[value(order.account)],
        h.td[_told(fate)],
    ]


def _told(fate: Fate) -> Node:
    return [
        h.span(".mark", aria_hidden="true")[fate.mark.sign],
        value(fate.words),
        [" ", parts.day_and_time(fate.at)] if fate.at else None,
    ]


def button(visit: Visit, orders: Sequence[Order]) -> Node:
    """Return the press that cancels those of which no cancel is asked yet; None where there are none."""
    count = sum(not _is_asked(order) for order in orders)
    if not count:
        return None
    words = "Cancel the 1 entry" if count == 1 else f"Cancel the {count} entries"
    return forms.form(ADDRESS, forms.act_button(visit, words, class_="danger"))


def results(visit: Visit, once: str) -> Node:
    """Return what a press has done: what each cancel was answered, and what its order is now; read together."""
    claimed = OnceStore(visit.services.table).get(visit.trader, once) if ONCE.fullmatch(once) else None
    if claimed is None or not claimed.about:
        return h.p(".notice.warn")[
            h.span(".mark", aria_hidden="true")["!"],
            "No record says what became of the cancels: the entries that still work stand below.",
        ]
    ids = [_numbered(claimed.request_id, number) for number in range(len(claimed.about))]
    # The page looks again every few seconds, and a press may have cancelled two hundred.
    of_press = visit.services.alert_log.beginning_with(visit.trader, claimed.request_id[:-_NUMBER_DIGITS])
    left = {record.request_id: record for record in of_press}
    records = [left.get(it) for it in ids]
    orders = find_orders(visit.services, visit.trader, claimed.about, timestamp(visit.now))
    missing = records.count(None)
    return h.section[
        h.h2[f"What became of the {len(records)} cancels" if len(records) > 1 else "What became of the cancel"],
        h.p(".notice.warn")[
            h.span(".mark", aria_hidden="true")["!"],
            f"{parts.count(missing, 'cancel')} left no record, or was not begun in time: see what became of the order.",
        ]
        if missing
        else None,
        h.table(".rows")[
            h.thead[h.tr[h.th["entry"], h.th["answer"], h.th["what became of it"]]],
            h.tbody[
                (
                    _result(visit, order_id, orders.get(order_id), request_id, record)
                    for order_id, request_id, record in zip(claimed.about, ids, records, strict=True)
                )
            ],
        ],
    ]


def _result(
    visit: Visit, order_id: str, order: Order | Unreadable | None, request_id: str, record: AlertRecord | None
) -> Node:
    answer = answer_of(record) if record else Answer("unreadable", Mark.WARN, "no record")
    order = order if isinstance(order, Order) else None
    fate = fate_of_order(order, timestamp(visit.now)) if order else None
    mark = worst([answer.mark, fate.mark]) if fate else answer.mark
    return h.tr(id=f"a{request_id}", class_=mark.value)[
        h.td(".wide")[value(order_in_words(order)) if order else None, " ", h.small[value(order_id)]],
        h.td[
            h.span(".mark", aria_hidden="true")[answer.mark.sign],
            h.span(".word")[answer.words],
            h.p(".why")[value(record.detail)] if record and record.detail else None,
        ],
        h.td[_told(fate) if fate else "cannot be read by this version"],
    ]
