"""`orderhook alerts` and `orderhook alerts show`: the alerts that came in, and what became of them."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Annotated

import typer

from cli.operator_records import OPERATOR
from cli.options import AsCsv, TableOptions, examples, takes_table_options
from cli.plain import App
from cli.terminal import REFUSED, USAGE, fail, print_csv, print_json, print_line, print_text, shown_zone
from cli.views import alerts as view
from orderhook.keys import Key
from orderhook.listing import Instructed, Unreadable, UnreadableError, find_order, instructions_of, list_keys
from orderhook.orders import Order, timestamp
from orderhook.records import (
    RecordFilter,
    find_record,
    follow_records,
    parse_time,
    recent_records,
    related_records,
)
from orderhook.representations import represent_alert_record, represent_instructed, represent_order
from orderhook.services import Services
from orderhook.store.alert_log import UNREADABLE, AlertLog, AlertRecord

app = App()

_MOST_ORDERS = 20
"""Of how many orders it is told what has become of them."""

_TIME_FORMS = (
    "An age (30m, 2h, 7d), a time of today (06:00), or ISO 8601; in UTC unless it names a zone or you say --local."
)


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "orderhook alerts --since 2h --status refused",
        "orderhook alerts --order demo-1",
        "orderhook alerts --stack orderhook --follow",
        "orderhook alerts --stack orderhook --since 7d --csv > alerts.csv",
        "orderhook alerts show 01a21e2341b6",
    ),
)
@takes_table_options()
def list_alerts(
    options: TableOptions,
    context: typer.Context,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="WORD", help="Only alerts with this status: done, refused, 404, or a word such as order_not_found."
        ),
    ] = None,
    command: Annotated[str | None, typer.Option(metavar="COMMAND", help="Only alerts with this command.")] = None,
    order: Annotated[
        str | None, typer.Option(metavar="ORDER_ID", help="Only alerts that affected this order or named it.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY_ID", help="Only alerts of this key, by the id that `keys list` shows.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Only alerts received at this time or later. {_TIME_FORMS}")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only alerts received before this time.")] = None,
    limit: Annotated[
        int,
        typer.Option(
            metavar="NUMBER", min=1, help="The largest number of alerts to list, or to begin with under --follow."
        ),
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep running, and show new alerts as they come in, until Ctrl-C.")
    ] = False,
    as_csv: AsCsv = False,
) -> None:
    """List the alerts that came in, newest first.

    Each has what became of it, and `show ID` explains one of them. A record that this version cannot read is listed as
    unreadable, and the exit code is 1.
    """
    if context.invoked_subcommand:
        _refuse_options_before_subcommand(context)
        return
    with options.services_of_trader() as (services, trader, address):
        record_filter = RecordFilter.parse(status, command, order, key)
        if key is not None:
            _check_key_id(services, key, trader)
        now = datetime.now(UTC)
        start, end = (parse_time(text, now, shown_zone()) if text else None for text in (since, until))
        if follow:
            if end:
                fail("--follow waits for new alerts, so --until makes no sense with it; leave --until out.")
            if as_csv:
                fail("--follow writes lines or JSON; leave --csv out.")
            _follow(services.alert_log, trader, record_filter, start, limit, as_json=options.as_json)
            return
        records = list(islice(filter(record_filter.matches, services.alert_log.newest(trader, start, end)), limit))
        nor_order = not records and order is not None and not _is_order(services, trader, order)
    if options.as_json or as_csv:
        (print_json if options.as_json else print_csv)([represent_alert_record(record) for record in records])
    elif records:
        view.show_alerts(records)
    else:
        nor = f", nor an order {order!a}" if nor_order else ""
        print_text(f"There is no record of such an alert of trader {trader} in {address}{nor}.")
    if any(record.outcome == UNREADABLE for record in records):
        raise typer.Exit(REFUSED)


@app.command(
    "show", epilog=examples("orderhook alerts show 01a21e2341b6", "orderhook alerts show ID --stack orderhook")
)
@takes_table_options()
def show_alert(
    options: TableOptions,
    request_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The alert's id, enough of its beginning to tell it from others, or the id in an order's history.",
        ),
    ],
) -> None:
    """Show one alert: what it said, what was answered, and why.

    It says what the answer means, what to do about it, where the records of what followed are, what has become of its
    orders, and what the bridge has done with what it asks of a position.
    """
    now = datetime.now(UTC)
    with options.services_of_trader() as (services, trader, _):
        record = find_record(services.alert_log, trader, request_id)
        related = list(related_records(services.alert_log, record))
        instructions = list(islice(instructions_of(services, record), _MOST_ORDERS))
        orders = list(_orders_of(services, record, instructions, timestamp(now)))
    if options.as_json:
        more = {
            "related": [it.request_id for it in related],
            "orders": [represent_order(order) for order in orders],
            "instructions": [represent_instructed(it) for it in instructions],
        }
        print_json(represent_alert_record(record) | more)
    else:
        view.show_alert(record, related, orders, instructions, now)
    if record.outcome == UNREADABLE:
        raise typer.Exit(REFUSED)


def _orders_of(
    services: Services, record: AlertRecord, instructions: Iterable[Instructed], now: str
) -> Iterator[Order]:
    """Yield the first orders that an alert reached, and those that the bridge has made for it, as they are now.

    One that cannot be read hides no other.
    """
    made = [order_id for it in instructions if it.result for order_id in it.result.order_ids]
    for order_id in [*record.order_ids, *made][:_MOST_ORDERS]:
        with suppress(UnreadableError):
            order = find_order(services, record.trader, order_id, now)
            if order is not None:
                yield order


def _check_key_id(services: Services, key_id: str, trader: str) -> None:
    """End the command if no key of the trader's has this id: nothing that it lists could be of it."""
    of = {key.id if isinstance(key, Unreadable) else key.key_id: key for key in list_keys(services)}
    key = of.get(key_id)
    if key is None and key_id != OPERATOR:
        fail(f"There is no key with the id {key_id!a}; `orderhook keys list` shows all ids.")
    if isinstance(key, Key) and key.trader != trader:
        fail(f"The key {key_id} is of trader {key.trader}; add --trader {key.trader}.")


def _is_order(services: Services, trader: str, order_id: str) -> bool:
    try:
        return find_order(services, trader, order_id, timestamp(datetime.now(UTC))) is not None
    except UnreadableError:
        return True


def _refuse_options_before_subcommand(context: typer.Context) -> None:
    """End the command if an option stands before the subcommand, which would not see it and read another table."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source and source.name == "COMMANDLINE":
            fail(f"The options stand before {context.invoked_subcommand}; write them after it.", USAGE)


def _follow(
    log: AlertLog,
    trader: str,
    record_filter: RecordFilter,
    since: datetime | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Print the newest records, oldest first, then each new one as it comes, until Ctrl-C."""
    recent = recent_records(log, trader)
    first = list(islice(filter(record_filter.matches, log.newest(trader, since)), limit))
    new = filter(record_filter.matches, follow_records(log, trader, recent, first))
    try:
        for record in chain(reversed(first), new):
            _print_at_once(record, as_json=as_json)
    except KeyboardInterrupt:
        pass


def _print_at_once(record: AlertRecord, *, as_json: bool) -> None:
    if as_json:
        print_line(json.dumps(represent_alert_record(record)))
    else:
        view.show_alert_line(record)
