"""Strategies: where each one trades, what of it is open, and what its names lead to."""

from collections import Counter
from collections.abc import Sequence

import htpy as h
from htpy import Node

from orderhook.console import placed
from orderhook.console.http import address
from orderhook.console.pages import layout, parts
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.listing import each_readable, list_orders
from orderhook.orders import Order, Strategy, folded
from orderhook.responses import Response

SHOWN = 100

_FILTERS = {"account": "account"}


def page(visit: Visit) -> Response:
    """Answer with the strategies, those with something open first."""
    read = placed.InTime(each_readable(visit.services.strategies.list(visit.trader)))
    everything = list(read)
    account = visit.request.parameter("account").strip()
    found = [
        it
        for it in everything
        if it is not None
        and visit.reaches(it.account, it.instrument)
        and (not account or folded(it.account) == folded(account))
    ]
    orders = placed.InTime(list_orders(visit.services, visit.trader, parts.now_of(visit), open_only=True))
    mine = (it for it in orders if isinstance(it, Order) and visit.reaches(it.account, it.instrument))
    open_of = Counter(it.strategy_id for it in mine if it.strategy_id)
    known = {it.strategy_id for it in found}
    to_come = sorted(name for name in open_of if name not in known) if not account else []
    unreadable = sum(1 for it in everything if it is None)
    found.sort(key=lambda it: (not open_of[it.strategy_id], it.strategy_id.lower()))
    content = h.fragment[
        h.h1["Strategies"],
        parts.filters(visit, parts.STRATEGIES, _FILTERS, {}),
        h.p(".notice.warn")[f"{unreadable} cannot be read by this version."] if unreadable else None,
        None
        if read.complete and orders.complete
        else h.p(".notice.warn")["Not all could be read in time: what stands below is not everything."],
        _table(visit, found[:SHOWN], to_come, open_of) if found or to_come else _nothing(),
        h.p(".more-rows")[f"and {len(found) - SHOWN:,} more: narrow the list"] if len(found) > SHOWN else None,
    ]
    return layout.respond(visit, "Strategies", content, here=parts.STRATEGIES)


def _nothing() -> Node:
    return h.div(".empty", data_part="strategies")[
        h.p["There is no strategy yet."], h.p["A PLACE with strategy_id, or with a target or a stop, starts one."]
    ]


def _table(visit: Visit, found: Sequence[Strategy], to_come: Sequence[str], open_of: Counter[str]) -> Node:
    has_venue = visit.services.venue.name is not None
    heads = ("strategy", "account, instrument", "open orders", "names", "what can be done")
    return h.table(".rows.strategies", data_part="strategies")[
        h.thead[h.tr[(h.th(scope="col")[name] for name in heads)]],
        h.tbody[
            (_row(it, open_of[it.strategy_id], has_venue=has_venue) for it in found),
            (_waits(name, open_of[name]) for name in to_come),
        ],
    ]


def _row(it: Strategy, number: int, *, has_venue: bool) -> Node:
    names = [(f"ENTRY{n}", binding.order_id) for n, binding in sorted(it.numbers.items()) if not binding.legs_only]
    closed = h.p(".why")["last closed ", parts.day_and_time(it.closed_at)] if it.closed_at else None
    return h.tr(id=parts.row_id("s", it.strategy_id))[
        h.td(".wide")[h.b[parts.strategy_link(it.strategy_id)], closed],
        h.td[value(it.instrument), h.p(".why")[value(it.account)]],
        h.td(data_label="open orders")[h.b[str(number)] if number else h.span(".dim")["0"]],
        h.td(".wide")[
            (
                h.p[f"{name}: ", h.a(href=parts.order_address(it.account, order_id))[value(order_id)]]
                for name, order_id in names
            )
        ],
        h.td[_close(it.strategy_id) if number or has_venue else None],
    ]


def _waits(name: str, number: int) -> Node:
    return h.tr(id=parts.row_id("s", name))[
        h.td(".wide")[h.b[parts.strategy_link(name)], h.p(".why")["begins when the delay of its order is over"]],
        h.td["-"],
        h.td(data_label="open orders")[h.b[str(number)]],
        h.td,
        h.td[_close(name)],
    ]


def _close(strategy_id: str) -> Node:
    return h.a(href=address(f"{parts.STRATEGY}/close", {"strategyId": strategy_id}))["Close …"]
