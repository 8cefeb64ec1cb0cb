"""Orders as trades: each entry with its legs under it, open ones or those that are finished."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import chain

import htpy as h
from htpy import Node

from orderhook.console import placed
from orderhook.console.closed import seen_closed
from orderhook.console.fates import Closed
from orderhook.console.http import address
from orderhook.console.pages import layout, parts
from orderhook.console.pages.text import value
from orderhook.console.placed import Row, Trade, Trades
from orderhook.console.visit import Visit
from orderhook.listing import Unreadable
from orderhook.orders import Order
from orderhook.responses import Response
from orderhook.trade_window import day_began

SHOWN = 50
"""As many trades stand on a page."""

SPANS = {"today": None, "7 days": timedelta(days=7), "30 days": timedelta(days=30)}
_FILTERS = {"account": "account", "instrument": "instrument", "strategyId": "strategy"}


def page(visit: Visit) -> Response:
    """Answer with the trades that are asked for."""
    is_closed = visit.request.parameter("status") == "closed"
    content = _closed(visit) if is_closed else _open(visit)
    return layout.respond(visit, "Orders", content, here=parts.ORDERS)


def _open(visit: Visit) -> Node:
    now = parts.now_of(visit)
    found = placed.open_trades(visit.services, visit.trader, now, parts.wanted(visit), visit.session.grant.limits)
    first = _first(visit)
    trades = placed.with_entries(visit.services, visit.trader, now, found.trades[first : first + SHOWN])
    more = len(found.trades) - first - len(trades)
    older = _address(visit, status="open", first=str(first + SHOWN)) if more > 0 else ""
    return h.fragment[
        _head(visit, "open"),
        h.p(".facts", data_part="facts")[_count(found)],
        table(visit, trades) if trades else _nothing(visit, "No order is open", found),
        h.p(".more-rows", data_part="more")[h.a(href=older)[f"and {more:,} more"]] if older else None,
    ]


def _count(found: Trades) -> Node:
    orders = sum(1 for trade in found.trades for row in trade.rows if isinstance(row, Unreadable) or row.is_open)
    if not found.complete:
        return [
            h.b[f"more than {orders:,}"],
            " orders are open, and could not all be read in time: narrow the list by account.",
        ]
    unknown = sum(1 for trade in found.trades if trade.urgency == 0)
    return [
        h.b[f"{orders:,}"],
        f" {'order' if orders == 1 else 'orders'} open, in {parts.count(len(found.trades), 'trade')}",
        f"; of {parts.count(unknown, 'trade')} nobody knows what became of it, which stand first" if unknown else "",
        ".",
    ]


def _closed(visit: Visit) -> Node:
    if not visit.services.alert_log.keeps:
        return h.fragment[_head(visit, "closed"), _KEPT_NOWHERE]
    span = visit.request.parameter("span")
    span = span if span in SPANS else "today"
    length = SPANS[span]
    since = visit.now - length if length else day_began(visit.now)
    found = placed.finished_trades(
        visit.services,
        visit.trader,
        parts.now_of(visit),
        parts.wanted(visit),
        visit.session.grant.limits,
        since=since,
        until=parts.before(visit),
        most=SHOWN,
    )
    back_to = found.back_to
    older = _address(visit, status="closed", span=span, before=placed.until_of(back_to)) if back_to else ""
    return h.fragment[
        _head(visit, "closed", span),
        h.p(".dim")[
            "Placed since ",
            parts.day_and_time(since.isoformat()),
            " New York, and finished; found by the records of their alerts.",
        ],
        table(visit, found.trades) if found.trades else _nothing(visit, "No order placed then is finished", found),
        h.p(".more-rows", data_part="more")[
            "Searched back to ", parts.day_and_time(back_to), ": ", h.a(href=older)["older"]
        ]
        if older
        else None,
    ]


_KEPT_NOWHERE = h.div(".empty", data_part="orders")[
    h.p["Finished orders are found by the records of their alerts, and none are kept here (AlertRetentionDays=0)."],
    h.p[h.code["orderhook orders"], " lists them, and search finds one by its id."],
]


def _first(visit: Visit) -> int:
    text = visit.request.parameter("first")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0


def _address(visit: Visit, **more: str) -> str:
    return address(parts.ORDERS, {name: visit.request.parameter(name) for name in _FILTERS} | more)


def _head(visit: Visit, status: str, span: str = "") -> Node:
    tabs = {name: _address(visit, status=name) for name in ("open", "closed")}
    spans = {name: _address(visit, status="closed", span=name) for name in SPANS}
    return h.fragment[
        h.h1["Orders"],
        h.div(".bar")[
            parts.chips("Which orders", tabs, status), parts.chips("Placed within", spans, span) if span else None
        ],
        parts.filters(visit, parts.ORDERS, _FILTERS, {"status": status, "span": span}),
    ]


def _nothing(visit: Visit, what: str, found: Trades) -> Node:
    is_narrowed = any(visit.request.parameter(name) for name in _FILTERS)
    if not found.complete:
        return h.p(".empty", data_part="orders")["Nothing of this was found in the time that a page has: go on below."]
    return h.div(".empty", data_part="orders")[
        h.p[what, " that matches all of this." if is_narrowed else "."],
        h.p[h.a(href=address(parts.ORDERS, {"status": visit.request.parameter("status")}))["Show all"]]
        if is_narrowed
        else h.p["An alert with PLACE, or ", h.a(href=parts.TRADE)["the trade form"], ", places one."],
    ]


def table(visit: Visit, trades: Sequence[Trade]) -> Node:
    """Return trades as a table, each entry with its legs under it."""
    now, closed = parts.now_of(visit), seen_closed(visit)
    heads = ("placed", "order", "state", "account, strategy", "what can be done")
    return h.table(".rows.trades", data_part="orders", data_rows=True)[
        h.thead[h.tr[(h.th(scope="col")[name] for name in heads)]],
        h.tbody[chain.from_iterable(_trade(trade, now, closed) for trade in trades)],
    ]


def _trade(trade: Trade, now: str, closed: Closed) -> Iterator[Node]:
    entry = trade.entry if isinstance(trade.entry, Order) else None
    if trade.entry is not None:
        yield _row(trade.entry, now, closed)
    for leg in trade.legs:
        yield _row(leg, now, closed, entry, is_leg=True)


def _row(row: Row, now: str, closed: Closed, entry: Order | None = None, *, is_leg: bool = False) -> Node:
    kind = ["leg" if is_leg else "entry"]
    if isinstance(row, Unreadable):
        return h.tr(class_=kind, id=parts.row_id("o", row.id))[
            h.td(".t")["-"],
            h.td(".wide")[parts.order_link(row), h.p(".why")[value(row.instrument)]],
            h.td(".wide")[parts.unreadable(row)],
            h.td[value(row.account)],
            h.td,
        ]
    at = placed.placed_at(row)
    name = row.order_name if row.order_name and is_leg else None
    return h.tr(class_=kind, id=parts.row_id("o", row.order_id))[
        h.td(".t")[None if is_leg else [parts.day_and_time(at), layout.age(at)]],
        h.td(".wide")[
            h.span(".name")[value(name), " "] if name else None,
            parts.words(row),
            h.p(".why")[parts.order_link(row), *_notes(row)],
        ],
        h.td(".wide")[
            parts.order_fate(row, entry, now, closed), map(_alarm, placed.alarms_of(row)) if row.is_open else None
        ],
        h.td[None if is_leg else [value(row.account), h.p(".why")[parts.strategy_link(row.strategy_id), _named(row)]]],
        h.td[h.a(href=parts.order_address(row.account, row.order_id))["Look, cancel, change"] if row.is_open else None],
    ]


def _named(order: Order) -> Node:
    return [" ", value(order.order_name)] if order.strategy_id and order.order_name else None


def _notes(order: Order) -> list[Node]:
    notes: list[Node] = []
    if order.made_by:
        notes.append(" made by the bridge")
    if order.oco_id and order.entry_id is None:
        notes += [" · group ", value(order.oco_id)]
    return notes


def _alarm(alarm: tuple[str, str, str]) -> Node:
    at, _, told = alarm
    return h.p(".note.bad")[
        h.span(".mark", aria_hidden="true")["!"], h.span(".word")["ALARM "], value(told), " ", parts.day_and_time(at)
    ]
