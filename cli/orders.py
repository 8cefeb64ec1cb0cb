"""`orderhook orders` and `orderhook order`: the orders in a table, and what happened to one."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

from cli.options import AsCsv, TableOptions, examples, takes_table_options
from cli.terminal import REFUSED, fail, print_csv, print_json, print_line, printable
from cli.views import orders as view
from orderhook.listing import OrderFilter, Unreadable, UnreadableError, find_order
from orderhook.listing import list_orders as orders_of
from orderhook.orders import Order, timestamp
from orderhook.representations import represent_order, represent_order_with_history, represent_unreadable

FOLLOW_SECONDS = 1

ORDERS_EXAMPLES = examples(
    "orderhook orders",
    "orderhook orders --open --account Sim101 --instrument 'ES 12-26'",
    "orderhook orders --follow",
    "orderhook orders --stack orderhook --csv > orders.csv",
)
ORDER_EXAMPLES = examples("orderhook order demo-1", "orderhook order demo-entry.STOP1 --stack orderhook --local")


@takes_table_options()
def list_orders(
    options: TableOptions,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only the orders that are not finished, with their waiting legs.")
    ] = False,
    account: Annotated[
        str | None, typer.Option(metavar="ACCOUNT", help="Only orders in this account, in any case.")
    ] = None,
    instrument: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only orders in this instrument, in any case.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="STRATEGY_ID", help="Only orders of this strategy, in the same case.")
    ] = None,
    as_csv: AsCsv = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on: print a line for each change, until Ctrl-C.")
    ] = False,
) -> None:
    """List a trader's orders and their legs.

    They are those in the local server, in another table, or in a deployed stack. An order that this version cannot
    read is listed as unreadable, and the exit code is 1.
    """
    order_filter = OrderFilter(account, instrument, strategy)
    if follow:
        if options.as_json or as_csv:
            fail("--follow prints lines for a person; leave out --json and --csv.")
        _follow(options, order_filter, open_only=open_only)
    with options.services_of_trader() as (services, trader, address):
        found = list(orders_of(services, trader, timestamp(datetime.now(UTC)), open_only=open_only))
    rows = [row for row in found if isinstance(row, Unreadable) or order_filter.matches(row)]
    if options.as_json or as_csv:
        (print_json if options.as_json else print_csv)(list(map(_represent, rows)))
    elif rows:
        view.show_orders(rows)
    else:
        print_line(printable(_no_orders(f"trader {trader} in {address}", found, order_filter, open_only=open_only)))
    if any(isinstance(row, Unreadable) for row in rows):
        raise typer.Exit(REFUSED)


def _follow(options: TableOptions, order_filter: OrderFilter, *, open_only: bool) -> NoReturn:
    """Print a line for each order, and for each change of one, until Ctrl-C; it looks once a second."""
    before: dict[str, str] = {}
    try:
        with options.services_of_trader() as (services, trader, _):
            while True:
                listed = orders_of(services, trader, timestamp(datetime.now(UTC)), open_only=open_only)
                for order in listed:
                    if isinstance(order, Order) and order_filter.matches(order):
                        now = view.describe(order)
                        if before.get(order.order_id) != now:
                            view.show_news(order)
                        before[order.order_id] = now
                time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit from None


@takes_table_options()
def show_order(
    options: TableOptions,
    order_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id, in the same upper and lower case.")],
) -> None:
    """Show an order and its whole history.

    Each state and change has its time, and the alert and the key that caused it; `orderhook alerts show` takes the
    alert's id.
    """
    with options.services_of_trader() as (services, trader, address):
        try:
            order = find_order(services, trader, order_id, timestamp(datetime.now(UTC)))
        except UnreadableError as error:
            print_json(_represent(error.item)) if options.as_json else view.show_orders([error.item])
            raise typer.Exit(REFUSED) from None
    if order is None:
        fail(f"There is no order {order_id!a} of trader {trader} in {address}; `orderhook orders` lists them.")
    if options.as_json:
        print_json(represent_order_with_history(order))
    else:
        view.show_order(order)


def _represent(row: Order | Unreadable) -> dict[str, object]:
    return represent_unreadable(row) if isinstance(row, Unreadable) else represent_order(row)


def _no_orders(whose: str, found: Sequence[Order | Unreadable], order_filter: OrderFilter, *, open_only: bool) -> str:
    """Say that there are no such orders, and where there are some: a name that is not among those is mistyped."""
    kind = "open order" if open_only else "order"
    orders = [row for row in found if isinstance(row, Order)]
    if not orders:
        return f"There is no {kind} of {whose}."
    for name, wanted, there in order_filter.unmatched(orders):
        return f"There is no {kind} of {whose} with {name} {wanted!a}; there are orders with {', '.join(there)}."
    return f"There is no {kind} of {whose} that matches all of this."
