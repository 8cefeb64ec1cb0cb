"""Show orders, and one order's history."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

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
    print_text,
    printable,
    readable_average,
    readable_time,
)
from orderhook.listing import Unreadable
from orderhook.orders import OPEN, PRICES, Event, Order, OrderState, decimal_text
from orderhook.records import cause
from orderhook.relative_prices import Offsets
from orderhook.venue_words import guidance_for_reason

_ID_WIDTH, _WHAT_WIDTH, _STATE_WIDTH = 28, 25, 23
"""What each column of orders has of a terminal's 80; a leg's id that is longer is parted before the leg's name."""

_ALERT_WIDTH = 16
"""This much of an alert's id tells it from others."""

_UNRESOLVED = "UNRESOLVED"

_SHOWN_FIRST = ("alarm", "filled", "average", "qty", "order_type", "tif", *PRICES)
"""The order of an event's values; the others follow. The table does not keep that of a map."""

_GIVEN_ANEW = frozenset({"qty", "order_type", "tif", *PRICES})

_TIMES = ("due", "day_ends", "cancels_at")


def show_orders(orders: Iterable[Order | Unreadable]) -> None:
    """Print orders as a table; in a terminal, which is seldom wide enough for one line each, on two lines."""
    if is_terminal():
        print_table(("order", "what", "state"), map(_two_lines, orders))
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
            "average",
            "state",
            "since",
        )
        print_table(columns, map(_one_line, orders))


def show_list(orders: Sequence[Order | Unreadable]) -> None:
    """Print orders as a table, and where to look for those of which nobody knows what has become."""
    show_orders(orders)
    if any(isinstance(order, Order) and order.unresolved for order in orders):
        print_text(
            f"{_UNRESOLVED}: nobody knows what has become of it. `orderhook order ID` says why and what to do.", BAD
        )


def show_order(order: Order, legs: Sequence[Order | Unreadable] = ()) -> None:
    """Print an order, its legs, what rang of them, and its history, oldest first."""
    show_orders([order, *legs])
    for name in ("reason", "due", "day_ends", "cancels_at", "notes", "made_by"):
        if value := getattr(order, name):
            shown = readable_time(value) if name in _TIMES else value
            print_text(printable(f"{name.replace('_', ' ')}: {shown}"))
    if not order.is_open and (guidance := guidance_for_reason(order.reason)):
        print_text(f"{guidance.meaning} {guidance.what_to_do}", WARNING)
    if order.venue:
        _show_venue(order)
    _show_alarms(order, legs)
    print_line()
    if is_terminal():
        print_table(("time", "what", "alert"), map(_event_on_lines, _with_what_changed(order)))
    else:
        print_table(("time", "state", "values", "alert", "key id"), map(_event_cells, _with_what_changed(order)))
    if order.history_dropped:
        print_line(f"{order.history_dropped} entries after the first were dropped; the latest ones are kept.", DIM)


def _show_alarms(order: Order, legs: Sequence[Order | Unreadable]) -> None:
    """Print what the bridge has called a person for; of legs that wait it stands in their entry's history."""
    released = [leg for leg in legs if isinstance(leg, Order) and leg.released_at]
    # What a leg was told while it waited stands in its own history, too.
    rung = dict.fromkeys(alarm for it in (order, *released) for alarm in _alarms(it))
    for at, name, alarm in sorted(rung):
        print_text(printable(f"ALARM of {name}: {alarm}, at {readable_time(at)}"), BAD)
    if rung:
        print_text("What an alarm means, and what to do: docs/bridge.md#alarms", BAD)


def _alarms(order: Order) -> Iterator[tuple[str, str, str]]:
    for event in order.history:
        if alarm := event.changes.get("alarm"):
            yield event.at, event.leg or order.order_name or order.order_id, alarm


def _show_venue(order: Order) -> None:
    """Print what the venue has of an order, and what it is asked for and has not answered."""
    # Sorted, because the table does not keep the order of a map.
    values = ", ".join(f"{name} {value}" for name, value in sorted(order.confirmed.items()))
    print_text(printable(f"venue: {order.venue}, {f'which has {values}' if values else 'which has confirmed nothing'}"))
    if order.atm_template:
        print_text(printable(f"targets and stops: NinjaTrader's, by its own template {order.atm_template}"))
    if order.want and order.acked < order.want.n and order.is_open:
        print_line(f"not answered: {order.want.kind}, asked at {readable_time(order.want.at)}", WARNING)
    if order.unresolved:
        print_text(printable(f"{_UNRESOLVED}: {order.unresolved}"), BAD)
        print_text(f"Look it up at the venue, then: `orderhook resolve {order.order_id} cancelled`, or filled=N.", BAD)


def describe(order: Order) -> str:
    """Say how an order stands, in one line."""
    filled = f"{order.filled} of {order.present_qty} filled" if order.filled else ""
    average = f"at {readable_average(order.average)}" if order.filled and order.average is not None else ""
    doubt = f"{_UNRESOLVED}: {order.unresolved}" if order.unresolved else order.reason or ""
    told = " ".join(filter(None, (filled, average)))
    asked = f"{order.action} {order.present_qty} {order.instrument} {_kind(order)}"
    return ", ".join(filter(None, (order.state, asked, _prices(order), told, doubt)))


def _filled(order: Order) -> str:
    """Say in a cell how much is filled, and at which price."""
    if not order.filled:
        return ""
    quantity = f"{order.filled}" if order.filled == order.present_qty else f"{order.filled} of {order.present_qty}"
    return quantity if order.average is None else f"{quantity} at {readable_average(order.average)}"


def show_news(order: Order) -> None:
    """Print a line about an order that is new or has changed."""
    style = BAD if order.unresolved else GOOD if order.state in OPEN else DIM
    print_text(printable(f"{readable_time(order.since)}  {order.order_id}  {describe(order)}"), style, hanging=4)


def _one_line(order: Order | Unreadable) -> list[Cell]:
    if isinstance(order, Unreadable):
        return [order.id, "", "", order.account, order.instrument, "", "", "", "", Text(_unreadable(order), BAD), ""]
    return [
        order.order_id,
        order.order_name or "",
        order.strategy_id or "",
        order.account,
        order.instrument,
        _summary(order),
        _prices(order),
        str(order.filled),
        readable_average(order.average),
        Text.assemble(order.state, (f", {_UNRESOLVED}", BAD)) if order.unresolved else order.state,
        readable_time(order.since),
    ]


def _two_lines(order: Order | Unreadable) -> list[Cell]:
    if isinstance(order, Unreadable):
        return [order.id, f"{order.instrument}, {order.account}", Text(_unreadable(order), BAD)]
    style = GOOD if order.state in OPEN else WARNING if order.state is OrderState.CANCELLED else DIM
    name = f"{order.order_name} of {order.strategy_id}" if order.order_name else ""
    what = _fitting(_WHAT_WIDTH, f"{order.action} {order.present_qty} {order.instrument}", ", ", order.account)
    filled = _fitting(_STATE_WIDTH, order.state, ", ", _filled(order)).removeprefix(order.state)
    doubt = [("\n" + _UNRESOLVED, BAD)] if order.unresolved else []
    return [
        Text.assemble(parted_id(order.order_id), "\n", (printable(name), DIM)),
        Text.assemble(what, "\n", (_fitting(_WHAT_WIDTH, _kind(order), " ", _prices(order)), DIM)),
        Text.assemble((order.state, style), filled, *doubt, "\n", (readable_time(order.since), DIM)),
    ]


def _fitting(width: int, first: str, joint: str, second: str) -> str:
    """Return both on one line if they fit into it, else on lines of their own."""
    first, second = printable(first), printable(second)
    one = f"{first}{joint}{second}" if second else first
    return one if len(one) <= width else "\n".join([first, *textwrap.wrap(second, width)])


def parted_id(order_id: str) -> str:
    """Return an order's id for a Text, that of a leg on two lines where one would be too wide."""
    entry_id, dot, name = order_id.rpartition(".")
    is_wide = entry_id and len(order_id) > _ID_WIDTH
    return f"{printable(entry_id)}\n{dot}{printable(name)}" if is_wide else printable(order_id)


def _kind(order: Order) -> str:
    return f"{order.order_type} {order.tif}"


def _unreadable(order: Unreadable) -> str:
    return printable(f"unreadable: {order.state}" if order.state else "unreadable")


def _summary(order: Order) -> str:
    return f"{order.action} {order.present_qty} {order.order_type} {order.tif}"


def _prices(order: Order) -> str:
    # A leg closes what its entry opened: a target that sells, or a stop that buys, is above the entry.
    above_entry = (order.order_type == "LIMIT") == (order.action == "SELL")
    prices = {
        "stop": order.stop_price,
        "limit": order.limit_price,
    }
    sign = "+" if above_entry else "-"
    offsets = Offsets(order.offset, order.limit_offset, order.in_percent).texts
    texts = {name: decimal_text(price) for name, price in prices.items() if price is not None}
    texts |= {f"{'limit ' if name == 'limit_offset' else ''}entry {sign}": text for name, text in offsets.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())


def _with_what_changed(order: Order) -> Iterator[Event]:
    """Yield an order's history without values that it had already: CANCELREPLACE gives all of them anew.

    The cancel of a leg that waits is an event without a state: at a venue what an alert says is only asked.
    """
    present: dict[tuple[str | None, str], str] = {(None, name): value for name, value in order.placed.items()}
    for number, event in enumerate(order.history):
        if number == 1 and order.history_dropped:
            present.clear()  # what was dropped may have changed it
        given = {(event.leg, name): value for name, value in event.changes.items() if name in _GIVEN_ANEW}
        same = {name for (leg, name), value in given.items() if number and present.get((leg, name)) == value}
        present |= given
        if order.venue and event.leg and not (event.state or event.changes) and event.key_id != order.venue:
            yield event._replace(state=OrderState.CANCEL_PENDING)
            continue
        yield event._replace(changes={name: value for name, value in event.changes.items() if name not in same})


def _event_cells(event: Event) -> list[Cell]:
    state, values = _what_happened(event)
    # A replacement has more values than a cell is wide, and none of them may be cut.
    lines = "\n".join(textwrap.wrap(values, MOST_IN_CELL))
    return [readable_time(event.at), state, Text(lines), cause(event.request_id), event.key_id]


def _event_on_lines(event: Event) -> list[Cell]:
    state, values = _what_happened(event)
    style = BAD if "alarm" in event.changes else DIM if state else ""
    by = f"{cause(event.request_id, _ALERT_WIDTH)}\n{event.key_id}"
    return [readable_time(event.at), Text.assemble(state, "\n" if state and values else "", (values, style)), Text(by)]


def _what_happened(event: Event) -> tuple[str, str]:
    """Return the state that an order took, and its values."""
    first = [name for name in _SHOWN_FIRST if name in event.changes]
    names = (*first, *sorted(event.changes.keys() - first))
    values = [f"{name} {_value(name, event.changes[name])}" for name in names]
    state = event.state or ""
    if event.leg:
        values = [f"{event.leg}: {', '.join(filter(None, (state, *values))) or 'cancelled'}"]
        state = ""
    return state, printable(", ".join(values))


def _value(name: str, value: str) -> str:
    return readable_average(Decimal(value)) if name == "average" else value
