"""Show orders, and one order's history."""

import textwrap
from collections.abc import Iterable

from rich.text import Text

from cli.terminal import (
    BAD,
    DIM,
    GOOD,
    MOST_IN_CELL,
    WARNING,
    Cell,
    is_terminal,
    print_line,
    print_table,
    printable,
    readable_time,
)
from orderhook.listing import Unreadable
from orderhook.orders import OPEN, Event, Order, OrderState, decimal_text
from orderhook.trade import waiting_legs

_TIMES = ("due", "day_ends", "cancels_at")


def show_orders(orders: Iterable[Order | Unreadable]) -> None:
    """Print orders as a table; in a terminal, which is seldom wide enough for one line each, on two lines."""
    if is_terminal():
        print_table(("order", "", "", "state"), map(_two_lines, orders))
    else:
        columns = (
            "order id",
            "name",
            "strategy",
            "account",
            "instrument",
            "order",
            "price",
            "filled",
            "state",
            "since",
        )
        print_table(columns, map(_one_line, orders))


def show_order(order: Order) -> None:
    """Print an order, its waiting legs, and its history, oldest first."""
    show_orders([order, *waiting_legs(order)])
    for name in ("reason", "due", "day_ends", "cancels_at", "notes"):
        if value := getattr(order, name):
            shown = readable_time(value) if name in _TIMES else value
            print_line(printable(f"{name.replace('_', ' ')}: {shown}"))
    if order.venue:
        _show_venue(order)
    print_line()
    print_table(("time", "state", "values", "alert", "key id"), map(_event_cells, order.history))
    if order.history_dropped:
        print_line(f"{order.history_dropped} entries after the first were dropped; the latest ones are kept.", DIM)


def _show_venue(order: Order) -> None:
    """Print what the venue has of an order, and what it is asked for and has not answered."""
    # Sorted, because the table does not keep the order of a map.
    values = ", ".join(f"{name} {value}" for name, value in sorted(order.confirmed.items()))
    print_line(printable(f"venue: {order.venue}, {f'which has {values}' if values else 'which has confirmed nothing'}"))
    if order.atm_template:
        print_line(printable(f"targets and stops: NinjaTrader's, by its own template {order.atm_template}"))
    if order.want and order.acked < order.want.n and order.is_open:
        print_line(f"not answered: {order.want.kind}, asked at {readable_time(order.want.at)}", WARNING)
    if order.unresolved:
        print_line(printable(f"UNRESOLVED: {order.unresolved}"), BAD)
        print_line(f"Look it up at the venue, then: `orderhook resolve {order.order_id} cancelled`, or filled=N.", BAD)


def describe(order: Order) -> str:
    """Say how an order stands, in one line."""
    filled = f"{order.filled} of {order.qty} filled" if order.filled else ""
    average = f"at {decimal_text(order.average)}" if order.filled and order.average is not None else ""
    doubt = f"UNRESOLVED: {order.unresolved}" if order.unresolved else order.reason or ""
    told = " ".join(filter(None, (filled, average)))
    return ", ".join(filter(None, (order.state, _summary(order), _prices(order), told, doubt)))


def show_news(order: Order) -> None:
    """Print a line about an order that is new or has changed."""
    style = BAD if order.unresolved else GOOD if order.state in OPEN else DIM
    print_line(printable(f"{readable_time(order.since)}  {order.order_id}  {describe(order)}"), style)


def _one_line(order: Order | Unreadable) -> list[Cell]:
    if isinstance(order, Unreadable):
        return [order.id, "", "", order.account, order.instrument, "", "", "", Text(_unreadable(order), BAD), ""]
    return [
        order.order_id,
        order.order_name or "",
        order.strategy_id or "",
        order.account,
        order.instrument,
        _summary(order),
        _prices(order),
        str(order.filled),
        order.state,
        readable_time(order.since),
    ]


def _two_lines(order: Order | Unreadable) -> list[Cell]:
    if isinstance(order, Unreadable):
        where = Text.assemble(printable(order.instrument), "\n", (printable(order.account), DIM))
        return [order.id, "", where, Text(_unreadable(order), BAD)]
    style = GOOD if order.state in OPEN else WARNING if order.state is OrderState.CANCELLED else DIM
    filled = f", {order.filled} filled" if order.filled else ""
    name = f"{order.order_name} of {order.strategy_id}" if order.order_name else ""
    return [
        Text.assemble(order.order_id, "\n", (name, DIM)),
        Text.assemble(_summary(order), "\n", (_prices(order), DIM)),
        Text.assemble(printable(order.instrument), "\n", (printable(order.account), DIM)),
        Text.assemble((order.state, style), filled, "\n", (readable_time(order.since), DIM)),
    ]


def _unreadable(order: Unreadable) -> str:
    return printable(f"unreadable: {order.state}" if order.state else "unreadable")


def _summary(order: Order) -> str:
    return f"{order.action} {order.qty} {order.order_type} {order.tif}"


def _prices(order: Order) -> str:
    # A leg closes what its entry opened: a target that sells, or a stop that buys, is above the entry.
    above_entry = (order.order_type == "LIMIT") == (order.action == "SELL")
    prices = {
        "stop": order.stop_price,
        "limit": order.limit_price,
        f"entry {'+' if above_entry else '-'}": order.offset,
    }
    return ", ".join(f"{name} {decimal_text(price)}" for name, price in prices.items() if price is not None)


def _event_cells(event: Event) -> list[Cell]:
    values = [f"{name} {value}" for name, value in event.changes.items()]
    state = event.state or ""
    if event.leg:
        values = [f"{event.leg}: {', '.join(filter(None, (state, *values))) or 'cancelled'}"]
        state = ""
    # A replacement has more values than a cell is wide, and none of them may be cut.
    lines = "\n".join(textwrap.wrap(printable(", ".join(values)), MOST_IN_CELL))
    return [readable_time(event.at), state, Text(lines), event.request_id, event.key_id]
