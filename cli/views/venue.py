"""Show positions and executions."""

from collections.abc import Iterable
from decimal import Decimal

from cli.terminal import print_table, readable_time
from orderhook.orders import decimal_text
from orderhook.store.bridge import ExecutionRecord
from orderhook.venue import PositionReport


def show_positions(positions: Iterable[PositionReport]) -> None:
    """Print positions as a table."""
    columns = ("account", "instrument", "side", "quantity", "average", "as of")
    print_table(columns, map(_position, positions))


def show_executions(executions: Iterable[ExecutionRecord]) -> None:
    """Print executions as a table."""
    columns = ("time", "order id", "account", "instrument", "action", "quantity", "price", "venue's id")
    print_table(columns, map(_execution, executions))


def _position(it: PositionReport) -> list[str]:
    return [it.account, it.instrument, it.side, str(it.quantity), _price(it.average), readable_time(it.at)]


def _execution(it: ExecutionRecord) -> list[str]:
    order_id = f"{it.order_id} (not known)" if it.unattached else it.order_id
    market = [it.account or "", it.instrument or "", it.action or ""]
    return [readable_time(it.at), order_id, *market, str(it.quantity), _price(it.price), it.venue_id]


def _price(price: Decimal | None) -> str:
    return "" if price is None else decimal_text(price)
