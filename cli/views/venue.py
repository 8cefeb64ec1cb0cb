"""Show positions and executions."""

from collections.abc import Iterable

from rich.text import Text

from cli.terminal import BAD, DIM, Cell, is_terminal, print_table, printable, readable_average, readable_time
from cli.views.orders import parted_id
from orderhook.bridge_messages import PositionReport
from orderhook.store.bridge import ExecutionRecord


def show_positions(positions: Iterable[PositionReport]) -> None:
    """Print positions as a table; in a terminal what is held is one value."""
    if is_terminal():
        print_table(("account", "instrument", "position", "as of"), map(_held, positions))
    else:
        print_table(("account", "instrument", "side", "quantity", "average", "as of"), map(_position, positions))


def show_executions(executions: Iterable[ExecutionRecord]) -> None:
    """Print executions as a table; in a terminal, which is seldom wide enough for one line each, on two lines."""
    if is_terminal():
        print_table(("filled", "order", "venue's id"), map(_two_lines, executions))
    else:
        columns = ("time", "order id", "account", "instrument", "action", "quantity", "price", "venue's id")
        print_table(columns, map(_execution, executions))


def _held(it: PositionReport) -> list[Cell]:
    if it.side == "UNKNOWN":
        held = Text("UNKNOWN", BAD)
    elif it.quantity:
        price = readable_average(it.average)
        held = Text(f"{it.side} {it.quantity}{f' at {price}' if price else ''}")
    else:
        held = Text(it.side, DIM)
    return [it.account, it.instrument, held, Text(readable_time(it.at), DIM)]


def _position(it: PositionReport) -> list[Cell]:
    return [it.account, it.instrument, it.side, str(it.quantity), readable_average(it.average), readable_time(it.at)]


def _two_lines(it: ExecutionRecord) -> list[Cell]:
    price = readable_average(it.price)
    filled = f"{it.action or ''} {it.quantity}{f' at {price}' if price else ''}".strip()
    where = Text(printable(f"{it.instrument}, {it.account}"), DIM) if it.instrument else Text("not known", BAD)
    return [
        Text.assemble(filled, "\n", (readable_time(it.at), DIM)),
        Text.assemble(parted_id(it.order_id), "\n", where),
        Text(printable(it.venue_id), DIM),
    ]


def _execution(it: ExecutionRecord) -> list[Cell]:
    order_id = f"{it.order_id} (not known)" if it.unattached else it.order_id
    market = [it.account or "", it.instrument or "", it.action or ""]
    return [readable_time(it.at), order_id, *market, str(it.quantity), readable_average(it.price), it.venue_id]
