"""What became of alerts and orders: `orderhook alerts`, `orderhook alerts show`, `orderhook order`."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Annotated

import typer

from cli import admin, records, show, show_records, target
from cli.options import USAGE, AsJson, EndpointUrl, StackName, TableName, Trader, services_of, fail, target_of
from orderhook.store.alert_log import AlertLog

app = typer.Typer(help="List the alerts that came in and what came of them, newest first; `show ID` explains one.")

_TIME = "An age (30m, 2h, 7d), a date or a time in ISO 8601; UTC if it names no zone."


@app.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    status: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="done, refused, an HTTP status, or a word of an answer: order_not_found."),
    ] = None,
    command: Annotated[str | None, typer.Option(metavar="COMMAND", help="Only alerts with this command.")] = None,
    order: Annotated[
        str | None, typer.Option(metavar="ORDER_ID", help="Only alerts that touched this order, or named it.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"From then on. {_TIME}")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many at most; --follow begins with so many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Then show new ones as they come, until Ctrl-C.")] = False,
    trader: Trader = "main",
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the alerts that came in and what came of them, newest first; `show ID` explains one."""
    if context.invoked_subcommand:
        _refuse_options(context)
        return
    with _log_of(table_name, stack, endpoint_url) as (log, chosen):
        wanted = records.Wanted.checked(status, command, order)
        now = datetime.now(UTC)
        start, end = (records.moment(text, now) if text else None for text in (since, until))
        trader = admin.checked_trader(trader)
        if follow:
            if end:
                fail("--follow waits for what is still to come: leave --until out.")
            _follow(log, trader, wanted, start, limit, as_json=as_json)
            return
        found = list(islice(filter(wanted, log.newest(trader, start, end)), limit))
    if as_json:
        show.as_json([show_records.alert_as_data(record) for record in found])
    elif found:
        show_records.alerts(found)
    else:
        show.line(f"There is no record of such an alert of trader {trader} in {chosen}.")


def _refuse_options(context: typer.Context) -> None:
    """Let no option stand before a subcommand, where it would be overlooked, and another table be asked."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source and source.name == "COMMANDLINE":
            fail(f"Options go after {context.invoked_subcommand}.", USAGE)


def _follow(
    log: AlertLog, trader: str, wanted: records.Wanted, since: datetime | None, limit: int, *, as_json: bool
) -> None:
    """Print the newest records, oldest first, then each as it comes, until Ctrl-C."""
    last = records.recent(log, trader)
    found = list(islice(filter(wanted, log.newest(trader, since)), limit))
    try:
        for record in chain(reversed(found), filter(wanted, records.follow(log, trader, last, found))):
            if as_json:
                show.line(json.dumps(show_records.alert_as_data(record)))
            else:
                show_records.alert_line(record)
    except KeyboardInterrupt:
        pass


@app.command("show")
def show_alert(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The alert's id, or enough of its beginning.")],
    trader: Trader = "main",
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show one alert: what it said, what was answered, what that means and what to do about it."""
    with _log_of(table_name, stack, endpoint_url) as (log, _):
        record = records.find(log, admin.checked_trader(trader), request_id)
    if as_json:
        show.as_json(show_records.alert_as_data(record))
    else:
        show_records.alert(record)


def order(
    order_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id; case matters.")],
    trader: Trader = "main",
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show an order's whole history: each state, when it took it, by which alert and key, and what changed."""
    with services_of(table_name, stack, endpoint_url) as (services, chosen):
        found = services.orders.get(admin.checked_trader(trader), order_id)
    if found is None:
        fail(f"There is no order {order_id!a} of trader {trader} in {chosen}; `orderhook orders` lists them.")
    if as_json:
        show.as_json(show_records.order_as_data(found))
    else:
        show_records.order(found)


@contextmanager
def _log_of(
    table_name: str | None, stack: str | None, endpoint_url: str | None
) -> Iterator[tuple[AlertLog, target.Target]]:
    with target_of(table_name, stack, endpoint_url) as chosen:
        yield target.alert_log(chosen, os.environ), chosen
