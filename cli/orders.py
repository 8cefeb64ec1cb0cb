"""`orderhook orders` and `orderhook order`: the orders in a table, and what happened to one."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

from cli.options import AsCsv, TableOptions, examples, takes_table_options
from cli.terminal import REFUSED, fail, print_csv, print_json, print_text, printable
from cli.views import orders as view
from cli.views.instructions import show_instruction_news, show_instructions
from orderhook.administration import instrument_name
from orderhook.instructions import Instruction
from orderhook.listing import (
    Instructed,
    OrderFilter,
    Unreadable,
    UnreadableError,
    by_placing,
    find_instruction,
    find_legs,
    find_order,
    list_instructions,
)
from orderhook.listing import list_orders as orders_of
from orderhook.orders import Order, timestamp
from orderhook.representations import (
    represent_instructed,
    represent_instruction,
    represent_order,
    represent_order_with_history,
    represent_unreadable,
)
from orderhook.services import Services
from orderhook.trade_window import day_in_new_york

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
        str | None,
        typer.Option(metavar="NAME", help="Only orders in this instrument, in any spelling; ES1! is every month."),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="STRATEGY_ID", help="Only orders of this strategy, in the same case.")
    ] = None,
    as_csv: AsCsv = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on: print a line for each change, until Ctrl-C.")
    ] = False,
) -> None:
    """List a trader's orders and their legs, the newest last.

    They are those in the local server, in another table, or in a deployed stack. An order that this version cannot
    read is listed as unreadable, and the exit code is 1. Below them stands what alerts ask of positions and the bridge
    has not done yet; scripts find that in `orderhook bridge status --json`.
    """
    name = instrument and instrument_name(instrument, day_in_new_york(datetime.now(UTC)))
    order_filter = OrderFilter(account, name, strategy)
    if follow:
        if options.as_json or as_csv:
            fail("--follow prints lines for a person; leave out --json and --csv.")
        _follow(options, order_filter, open_only=open_only)
    with options.services_of_trader() as (services, trader, address):
        now = datetime.now(UTC)
        found = by_placing(orders_of(services, trader, timestamp(now), open_only=open_only))
        under_way = [
            it
            for it in list_instructions(services, trader)
            if isinstance(it, Unreadable) or order_filter.matches_instruction(it)
        ]
    rows = [row for row in found if isinstance(row, Unreadable) or order_filter.matches(row)]
    if options.as_json or as_csv:
        (print_json if options.as_json else print_csv)(list(map(_represent, rows)))
    elif rows:
        view.show_list(rows)
    else:
        print_text(printable(_no_orders(f"trader {trader} in {address}", found, order_filter, open_only=open_only)))
    if not (options.as_json or as_csv):
        show_instructions(list(map(represent_instruction, under_way)), now)
    if any(isinstance(row, Unreadable) for row in rows):
        raise typer.Exit(REFUSED)


def _follow(options: TableOptions, order_filter: OrderFilter, *, open_only: bool) -> NoReturn:
    """Print a line for each order and change of one, until Ctrl-C; it looks once a second.

    So it does for each instruction that is under way, and when that has its result.
    """
    shown: dict[str, str] = {}
    under_way: set[str] = set()
    try:
        with options.services_of_trader() as (services, trader, _):
            while True:
                for order in _followed(services, trader, shown, open_only=open_only):
                    told = view.describe(order)
                    if order_filter.matches(order) and shown.get(order.order_id) != told:
                        view.show_news(order)
                        if order.is_open or not open_only:
                            shown[order.order_id] = told
                for asked in _followed_instructions(services, trader, under_way):
                    if order_filter.matches_instruction(asked):
                        it = represent_instructed(Instructed(asked.instruction_id, asked, asked.told))
                        show_instruction_news(it, it["result"])
                time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _followed_instructions(services: Services, trader: str, under_way: set[str]) -> list[Instruction]:
    """Return the instructions that are new, or have their result; `under_way` names those that have none yet."""
    listed = [it for it in list_instructions(services, trader) if isinstance(it, Instruction)]
    new = [it for it in listed if it.instruction_id not in under_way]
    ended = []
    for instruction_id in sorted(under_way.difference(it.instruction_id for it in listed)):
        with suppress(UnreadableError):
            instruction = find_instruction(services, trader, instruction_id)
            ended += [instruction] if instruction else []
    under_way.clear()
    under_way.update(it.instruction_id for it in listed)
    return [*ended, *new]


def _followed(services: Services, trader: str, shown: dict[str, str], *, open_only: bool) -> list[Order]:
    """Return the orders that may have news, the latest last; under `open_only` also those that have ended since.

    Those are forgotten, as they have no news any more.
    """
    now = timestamp(datetime.now(UTC))
    listed = [row for row in orders_of(services, trader, now, open_only=open_only) if isinstance(row, Order)]
    gone = set(shown).difference(order.order_id for order in listed) if open_only else ()
    for order_id in gone:
        del shown[order_id]
        with suppress(UnreadableError):
            order = find_order(services, trader, order_id, now)
            listed += [order] if order else []
    return sorted(listed, key=lambda order: (order.since, order.order_id))


@takes_table_options()
def show_order(
    options: TableOptions,
    order_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id, in the same upper and lower case.")],
) -> None:
    """Show an order, its legs and its whole history.

    It shows what has raised an alarm, too. Each state and change has its time, and the alert and the key that caused
    it; `orderhook alerts show` takes the alert's id.
    """
    now = timestamp(datetime.now(UTC))
    with options.services_of_trader() as (services, trader, address):
        try:
            order = find_order(services, trader, order_id, now)
        except UnreadableError as error:
            print_json(_represent(error.item)) if options.as_json else view.show_orders([error.item])
            raise typer.Exit(REFUSED) from None
        legs = find_legs(services, trader, order, now) if order else []
    if order is None:
        fail(f"There is no order {order_id!a} of trader {trader} in {address}; `orderhook orders` lists them.")
    if options.as_json:
        print_json(represent_order_with_history(order))
    else:
        view.show_order(order, legs)


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
