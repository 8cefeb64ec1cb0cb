"""`orderhook orders` and `orderhook order`: the orders in a table, and what happened to one."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.options import TableOptions, takes_table_options
from cli.terminal import BAD, REFUSED, fail, print_json, print_line, printable
from cli.views import orders as view
from orderhook.listing import Unreadable, find_order
from orderhook.listing import list_orders as orders_of
from orderhook.orders import timestamp
from orderhook.representations import represent_order, represent_order_with_history, represent_unreadable


@takes_table_options()
def list_orders(
    options: TableOptions,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only the orders that are not finished, with their waiting legs.")
    ] = False,
) -> None:
    """List a trader's orders and their legs: in the local server, in another table, or in a deployed stack."""
    with options.services() as (services, trader, _):
        rows = list(orders_of(services, trader, timestamp(datetime.now(UTC)), open_only=open_only))
    unreadable = [row for row in rows if isinstance(row, Unreadable)]
    if options.as_json:
        print_json([represent_unreadable(row) if isinstance(row, Unreadable) else represent_order(row) for row in rows])
    else:
        view.show_orders([row for row in rows if not isinstance(row, Unreadable)])
        for row in unreadable:
            print_line(printable(f"{row.order_id}: cannot be read by this version; its state is {row.state!a}."), BAD)
    if unreadable:
        raise typer.Exit(REFUSED)


@takes_table_options()
def show_order(
    options: TableOptions,
    order_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id, in the same upper and lower case.")],
) -> None:
    """Show an order and its whole history: each state and change, its time, and the alert and key that caused it."""
    with options.services() as (services, trader, address):
        order = find_order(services, trader, order_id, timestamp(datetime.now(UTC)))
    if order is None:
        fail(f"There is no order {order_id!a} of trader {trader} in {address}; `orderhook orders` lists them.")
    if options.as_json:
        print_json(represent_order_with_history(order))
    else:
        view.show_order(order)
