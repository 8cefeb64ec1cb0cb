"""`orderhook orders` and `orderhook order`: the orders in a table, and what happened to one."""

from typing import Annotated

import typer

from cli.options import TableOptions, takes_table_options
from cli.terminal import fail, print_json
from cli.views import orders as view
from orderhook.representations import represent_order, represent_order_with_history


@takes_table_options()
def list_orders(
    options: TableOptions,
    open_only: Annotated[bool, typer.Option("--open", help="Only the orders that are not finished.")] = False,
) -> None:
    """List a trader's orders: in the local server, in another table, or in a deployed stack."""
    with options.services() as (services, trader, _):
        orders = list(services.orders.list(trader, open_only=open_only))
    if options.as_json:
        print_json([represent_order(order) for order in orders])
    else:
        view.show_orders(orders)


@takes_table_options()
def show_order(
    options: TableOptions,
    order_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id, in the same upper and lower case.")],
) -> None:
    """Show an order and its whole history: each state and change, its time, and the alert and key that caused it."""
    with options.services() as (services, trader, address):
        order = services.orders.get(trader, order_id)
    if order is None:
        fail(f"There is no order {order_id!a} of trader {trader} in {address}; `orderhook orders` lists them.")
    if options.as_json:
        print_json(represent_order_with_history(order))
    else:
        view.show_order(order)
