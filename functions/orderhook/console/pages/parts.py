"""What the pages about orders, positions and strategies share: marks, orders in words, links, filters."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

import htpy as h
from htpy import Node

from orderhook.console.fates import Closed, Fate, Mark, fate_of_order
from orderhook.console.http import address
from orderhook.console.pages import ROOT, layout
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.description import order_in_words
from orderhook.instruments import canonical, continuous_root
from orderhook.limits import CONTINUOUS
from orderhook.listing import OrderFilter, Unreadable
from orderhook.orders import Order, timestamp
from orderhook.trade_window import NEW_YORK, day_in_new_york

ORDER = f"{ROOT}/order"
ORDERS = f"{ROOT}/orders"
POSITIONS = f"{ROOT}/positions"
STRATEGIES = f"{ROOT}/strategies"
STRATEGY = f"{ROOT}/strategy"
TRADE = f"{ROOT}/trade"
EXECUTIONS = f"{ROOT}/executions"

_MOST_ENDING = 30
_REQUEST_ID = re.compile(r"[0-9a-f]{8,64}")


def now_of(visit: Visit) -> str:
    """Return the moment of a request as the table writes it."""
    return timestamp(visit.now)


def marked(mark: Mark, words: Node, *, sign: str | None = None) -> Node:
    """Return words with their mark: a sign, a colour, and what both say."""
    return h.span(class_=mark.value)[
        h.span(".mark", aria_hidden="true")[sign or mark.sign], h.span(".vh")[f"{mark.word}: "], h.span(".word")[words]
    ]


def fate(it: Fate) -> Node:
    """Return what became of something, why, and what must be said besides."""
    since = h.fragment[" ", day_and_time(it.at), " ", layout.age(it.at, is_due=it.is_due)] if it.at else None
    return h.fragment[
        marked(it.mark, it.words),
        since,
        h.p(".why")[value(it.reason)] if it.reason else None,
        h.p(".note.warn")[h.span(".mark", aria_hidden="true")["!"], h.span(".word")[it.note]] if it.note else None,
    ]


def order_fate(order: Order, entry: Order | None, now: str, closed: Closed) -> Node:
    """Return what became of an order."""
    return fate(fate_of_order(order, now, entry, closed=closed))


def words(order: Order) -> Node:
    """Return what an order asks for."""
    return value(order_in_words(order))


def order_link(order: Order | Unreadable, text: str | None = None) -> Node:
    """Return a link to the page of an order."""
    order_id = order.order_id if isinstance(order, Order) else order.id
    return h.a(href=order_address(order.account, order_id))[value(text or order_id)]


def ending(orders: Sequence[Order], nothing: str, *, complete: bool) -> Node:
    """Return the list of the orders that something ends, the first of them by name; `complete` if all were read."""
    more = len(orders) - _MOST_ENDING
    return h.fragment[
        h.ul[
            (
                h.li[order_link(order), " ", words(order), " ", h.span(".dim")[value(order.state)]]
                for order in orders[:_MOST_ENDING]
            )
        ]
        if orders
        else h.p(".dim")[nothing],
        h.p(".dim")[f"and {more:,} more"] if more > 0 else None,
        None if complete else h.p(".warn")["Not all orders could be read in time: there may be more."],
    ]


def order_address(account: str, order_id: str, **more: str) -> str:
    """Return the address of the page of an order; ids stand in its query alone."""
    return address(ORDER, {"account": account, "orderId": order_id, **more})


def alert_address(request_id: str) -> str:
    """Return the address of the record of a request."""
    return f"{ROOT}/alerts/{request_id}"


def alert_link(request_id: str, text: str = "the whole alert") -> Node:
    """Return a link to the alert that a request belongs to; nothing but a hexadecimal id goes into a path."""
    alert_id = request_id.partition(".")[0]
    if not _REQUEST_ID.fullmatch(alert_id):
        return None
    return h.a(href=alert_address(alert_id))[text]


def strategy_link(strategy_id: str | None) -> Node:
    """Return a link to the page of a strategy."""
    if strategy_id is None:
        return None
    return h.a(href=strategy_address(strategy_id))[value(strategy_id)]


def strategy_address(strategy_id: str) -> str:
    """Return the address of the page of a strategy."""
    return address(STRATEGY, {"strategyId": strategy_id})


def row_id(kind: str, name: str) -> str:
    """Return an id for a part of a page: what it is named by may hold anything."""
    return f"{kind}-{sha256(name.encode(errors='replace')).hexdigest()[:12]}"


def day_and_time(at: str | None) -> Node:
    """Return a time of the table with its day, in New York."""
    if at is None:
        return "-"
    moment = datetime.fromisoformat(at)
    local = moment.astimezone(NEW_YORK)
    return h.time(datetime=at, title=f"{moment:%Y-%m-%d %H:%M:%S} UTC")[f"{local:%b} {local.day}, {local:%H:%M:%S}"]


def count(number: int, noun: str) -> str:
    """Return a number of things: 1 contract, 2 contracts."""
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"


# Filters


def wanted(visit: Visit) -> OrderFilter:
    """Return what the query asks for; an empty field is anything."""
    texts = {name: visit.request.parameter(name).strip() or None for name in ("account", "instrument", "strategyId")}
    return OrderFilter(texts["account"], instrument_of(visit, texts["instrument"]), texts["strategyId"])


def before(visit: Visit) -> datetime | None:
    """Return the time before which the query asks a list to go on."""
    try:
        at = datetime.fromisoformat(visit.request.parameter("before"))
    except ValueError:
        return None
    return at if at.tzinfo else None


def instrument_of(visit: Visit, text: str | None) -> str | None:
    """Return the one name of an instrument, `ES1!` where every month of a future is meant."""
    if not text:
        return None
    root = continuous_root(text)
    return f"{root}{CONTINUOUS}" if root else canonical(text, day_in_new_york(visit.now))


def filters(visit: Visit, path: str, names: Mapping[str, str], hidden: Mapping[str, str]) -> Node:
    """Return the form that narrows a list, sent by GET; `names` are its fields with their labels."""
    given = {name: visit.request.parameter(name) for name in names}
    kept = (h.input(type="hidden", name=name, value=text) for name, text in hidden.items() if text)
    return h.form(".bar", method="get", action=path, role="search")[
        kept,
        (
            h.input(name=name, value=given[name], placeholder=label, aria_label=label, autocomplete="off")
            for name, label in names.items()
        ),
        h.button["Show"],
        h.a(href=address(path, hidden))["Show all"] if any(given.values()) else None,
    ]


def chips(label: str, links: Mapping[str, str], chosen: str) -> Node:
    """Return a row of links of which one is chosen."""
    return h.nav(".chips", aria_label=label)[
        (h.a(href=href, aria_current="true" if name == chosen else None)[name] for name, href in links.items())
    ]


def unreadable(row: Unreadable) -> Node:
    """Return what is said of an item that this version cannot read."""
    state = f", {row.state} by its item" if row.state else ""
    return marked(Mark.WARN, ["cannot be read by this version", value(state) if state else None])
