"""One strategy: its entries with their legs, what is filled by them, and closing it."""

from collections.abc import Sequence
from typing import NamedTuple

import htpy as h
from htpy import Node

from orderhook.console import placed
from orderhook.console.http import address
from orderhook.console.pages import came_of, layout, orders, parts
from orderhook.console.pages.text import value
from orderhook.console.placed import Trade
from orderhook.console.visit import Visit
from orderhook.listing import OrderFilter, find_orders
from orderhook.orders import Order, Strategy
from orderhook.responses import Response
from orderhook.store import items

_LONGEST = 200
_MOST = 100
"""As many of its trades stand on the page."""


class Known(NamedTuple):
    """A strategy as the session may see it, and its trades."""

    strategy_id: str
    item: Strategy | None
    """None where there is none yet: an order names it that waits for its delay. Or where it cannot be read."""
    trades: Sequence[Trade]
    complete: bool
    unreadable: bool = False

    @property
    def open_orders(self) -> list[Order]:
        """What is open of it."""
        return [row for trade in self.trades for row in trade.rows if isinstance(row, Order) and row.is_open]


def find(visit: Visit) -> Known | None:
    """Return the strategy that the request names; None where there is none, or the session may not know of it."""
    given = visit.request.form if visit.request.method == "POST" else dict(visit.request.query)
    strategy_id = given.get("strategyId", "")
    if not strategy_id or len(strategy_id.encode()) > _LONGEST:
        return None
    limits, unreadable, item = visit.session.grant.limits, False, None
    try:
        item = visit.services.strategies.get(visit.trader, strategy_id)
    except items.UNREADABLE:
        unreadable = True
    if item and not visit.reaches(item.account, item.instrument):
        item = None
    now = parts.now_of(visit)
    wanted = OrderFilter(strategy_id=strategy_id)
    found = placed.open_trades(visit.services, visit.trader, now, wanted, limits)
    if item is None and not found.trades and not (unreadable and not (limits and limits.is_to_markets)):
        return None
    trades = placed.with_entries(visit.services, visit.trader, now, found.trades[:_MOST])
    return Known(strategy_id, item, [*trades, *_bound(visit, item, trades)], found.complete, unreadable)


def _bound(visit: Visit, item: Strategy | None, trades: Sequence[Trade]) -> list[Trade]:
    """Return the trades of the entries to which its names lead and of which nothing is open."""
    listed = {trade.entry.order_id for trade in trades if isinstance(trade.entry, Order)}
    numbers = {**item.freed, **item.numbers} if item else {}
    order_ids = [it.order_id for it in numbers.values() if it.order_id not in listed][:_MOST]
    now = parts.now_of(visit)
    rows = find_orders(visit.services, visit.trader, order_ids, now).values()
    mine = [
        row
        for row in rows
        if visit.reaches(row.account, row.instrument)
        and (not isinstance(row, Order) or item is None or row.strategy_id == item.strategy_id)
    ]
    return list(placed.with_legs(visit.services, visit.trader, now, mine))


def page(visit: Visit) -> Response:
    """Answer with the strategy that the query names."""
    known = find(visit)
    if known is None:
        name = visit.request.parameter("strategyId")
        return came_of.not_found(visit, "strategy", name, here=parts.STRATEGIES)
    number = len(known.open_orders)
    link = address(f"{parts.STRATEGY}/close", {"strategyId": known.strategy_id})
    content = h.fragment[
        h.h1["Strategy ", value(known.strategy_id)],
        came_of.note(visit),
        h.div(".panel", data_part="strategy")[
            _where(known),
            h.p(".facts")[h.b[parts.count(number, "order")], " open. ", _filled(visit, known)],
            h.div(".acts")[h.a(".button.danger", href=link)["Close this strategy …"]],
        ],
        h.h2["Its trades"],
        None if known.complete else h.p(".notice.warn")["Not all could be read in time."],
        orders.table(visit, known.trades)
        if known.trades
        else h.p(".empty", data_part="orders")["None of its orders is in the table any more."],
    ]
    return layout.respond(visit, "Strategy", content, here=parts.STRATEGIES)


def _where(known: Known) -> Node:
    item = known.item
    if known.unreadable:
        return h.p(".facts.warn")["Its item cannot be read by this version; its orders are below."]
    if item is None:
        return h.p(".facts")["It begins when the delay of its order is over."]
    return h.p(".facts")[
        value(item.instrument),
        " in ",
        value(item.account),
        [", by the template ", value(item.template)] if item.template else None,
        [". Last closed ", parts.day_and_time(item.closed_at)] if item.closed_at else None,
    ]


def _filled(visit: Visit, known: Known) -> Node:
    """Return what is filled of the orders that are listed here."""
    if visit.services.venue.name is None:
        return "No venue: nothing of it is filled."
    net = 0
    for trade in known.trades:
        for row in trade.rows:
            if isinstance(row, Order):
                net += row.filled if row.action == "BUY" else -row.filled
    if not net:
        return "What is filled of the orders below comes to nothing, or nothing is."
    return f"By what is filled of the orders below: {'LONG' if net > 0 else 'SHORT'} {abs(net)}."
