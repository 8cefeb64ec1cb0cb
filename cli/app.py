"""The `orderhook` command: its commands, options and exit codes."""

import os
import secrets
import sys
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from cli import admin, alerts, send, show, target
from cli.aws import demo, gateway, table
from cli.aws import serve as serving
from cli.options import (
    REFUSED,
    UNREACHABLE,
    AsJson,
    EndpointUrl,
    StackName,
    TableName,
    Trader,
    services_of,
    fail,
    target_of,
)
from orderhook import explain as checking
from orderhook.orders import Provenance

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run orderhook on your own machine, try alerts on it, and look after orders, keys and templates.",
)
keys_app = typer.Typer(no_args_is_help=True, help="Issue, list and revoke keys.")
templates_app = typer.Typer(no_args_is_help=True, help="Store and list the brackets that `strategy=NAME` attaches.")
app.add_typer(keys_app, name="keys")
app.add_typer(templates_app, name="templates")
app.add_typer(alerts.app, name="alerts")

Alert = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's text; - reads it from standard input.")]
SecretKey = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", envvar="ORDERHOOK_KEY", help="Goes before an alert that has no key."),
]


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 is any free one.")] = 3000,
    table_name: TableName = None,
    endpoint_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar=["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"], help="DynamoDB Local."),
    ] = None,
) -> None:
    """Serve POST /webhook on this machine, with a demo to try it on.

    Its table is in memory, unless --table or an endpoint names another.
    """
    try:
        chosen = target.choose(table_name, None, endpoint_url) if table_name or endpoint_url else target.IN_MEMORY
        serving.serve(host, port, chosen)
    except (gateway.ListenError, target.TargetError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        pass


@app.command()
def seed(table_name: TableName = None, endpoint_url: EndpointUrl = None) -> None:
    """Write the demo into a local table, made if it is not there: the data that the requests in events/ expect."""
    with target_of(table_name, None, endpoint_url) as chosen:
        if not chosen.is_local:
            fail("The demo's key is public, so no table on AWS gets it: give --endpoint-url of a local one.")
        client = target.connect(chosen, os.environ)
        table.create_table(client, chosen.table)
        demo.seed(target.services(chosen, os.environ), datetime.now(UTC))
    show.line(f"The demo is in {chosen}.", show.GOOD)
    show.line(f"key: {demo.KEY}")


@app.command("send")
def send_alert(
    alert: Alert,
    url: Annotated[str, typer.Option(metavar="URL", help="The webhook.")] = target.LOCAL_ENDPOINT + gateway.ROUTE,
    key: SecretKey = None,
    as_json: AsJson = False,
) -> None:
    """Send an alert as TradingView does, and show the answer.

    Exit code 0: done, 1: refused, 2: no answer. A key from the environment does not end up in the shell's history.
    """
    try:
        status, answer = send.post(url, _body(alert, key))
    except send.UnreachableError as error:
        fail(str(error), UNREACHABLE)
    if as_json:
        show.as_json({"status_code": status, **answer})
    else:
        show.answer(status, answer)
    if answer.get("success") is not True:
        raise typer.Exit(REFUSED)


@app.command()
def check(alert: Alert, key: SecretKey = None, as_json: AsJson = False) -> None:
    """Say how an alert is read and what it would do, without sending it.

    Exit code 0: it is in order, 1: it would be refused. Neither the key nor the orders are looked up.
    """
    reading = checking.read(_body(alert, key))
    if as_json:
        show.as_json(show.reading_as_data(reading))
    else:
        show.reading(reading)
    if reading.faults:
        raise typer.Exit(REFUSED)


@app.command()
def orders(
    open_only: Annotated[bool, typer.Option("--open", help="Only the orders that are not finished.")] = False,
    trader: Trader = "main",
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List a trader's orders: those of the local run, a table, or a deployed stack."""
    with services_of(table_name, stack, endpoint_url) as (services, _):
        found = list(services.orders.list(admin.checked_trader(trader), open_only=open_only))
    if as_json:
        show.as_json([show.order_as_data(order) for order in found])
    else:
        show.orders(found)


app.command("order")(alerts.order)


@app.command("kill-switch")
def kill_switch(
    turn: Annotated[
        Literal["on", "off"] | None, typer.Argument(help="How to turn it; leave it out to see how it is.")
    ] = None,
    stops_cancels: Annotated[
        Literal["yes", "no"] | None,
        typer.Option(help="Whether it stops cancels too, which only reduce risk. At first it does not."),
    ] = None,
    trader: Trader = "main",
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Turn a trader's kill switch on or off, say what it stops, or see how it is."""
    with services_of(table_name, stack, endpoint_url) as (services, chosen):
        trader = admin.checked_trader(trader)
        controls = target.controls(chosen, os.environ)
        if stops_cancels:
            admin.set_stops_cancels(services, trader, stops=stops_cancels == "yes")
        if turn:
            provenance = Provenance(trader, "orderhook", secrets.token_hex(16), datetime.now(UTC))
            controls.turn_kill_switch(provenance, on=turn == "on")
        state, strict = controls.kill_switch(trader), admin.stops_cancels(services, trader)
    if as_json:
        show.as_json({"trader": trader, "on": state.on, "since": state.since, "stops_cancels": strict})
        return
    since = f" since {show.moment(state.since)}" if state.since else ""
    show.line(
        f"The kill switch of {trader} is {'on' if state.on else 'off'}{since}.", show.BAD if state.on else show.GOOD
    )
    show.line(f"While it is on, cancels {'are refused too' if strict else 'pass'}.")
    if stops_cancels:
        show.line("Functions remember keys, and this with them, for up to 30 s.")


@keys_app.command("create")
def create_key(
    trader: Trader = "main",
    label: Annotated[str, typer.Option(metavar="TEXT", help="What the key is for; you will see it in the list.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(metavar="COMMAND", help="What it may do; repeat it. None: every command.")
    ] = None,
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Issue a key and show it, once: only its hash is stored."""
    with services_of(table_name, stack, endpoint_url) as (services, chosen):
        now = datetime.now(UTC)
        secret, key = admin.create_key(services, trader=trader, label=label, scopes=scope or (), now=now)
    if as_json:
        show.as_json({"key": secret} | show.key_as_data(key))
        return
    show.line(f"key: {secret}")
    show.line(f"Keep it now: it is not stored, and this is the only time you see it. It is good for {chosen}.")


@keys_app.command("list")
def list_keys(
    table_name: TableName = None, stack: StackName = None, endpoint_url: EndpointUrl = None, as_json: AsJson = False
) -> None:
    """List the keys, revoked ones too, by what is stored of them."""
    with services_of(table_name, stack, endpoint_url) as (services, _):
        found = list(services.keys.list())
    if as_json:
        show.as_json([show.key_as_data(key) for key in found])
    else:
        show.keys(found)


@keys_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="Its id, from `orderhook keys list`; not the key.")],
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
) -> None:
    """Revoke a key for good."""
    with services_of(table_name, stack, endpoint_url) as (services, chosen):
        key = services.keys.revoke(key_id, datetime.now(UTC))
    if key is None:
        fail(f"There is no key with this id in {chosen}; `orderhook keys list` shows them.")
    show.line(f"Key {key.key_id} is revoked since {show.moment(str(key.revoked))}. It may still work for up to 30 s.")


@templates_app.command("put")
def put_template(
    name: Annotated[str, typer.Argument(help="What an alert writes as strategy=NAME.")],
    bracket: Annotated[
        list[str],
        typer.Option(
            metavar="QTY:TARGET:STOP",
            help="Repeat it. Target and stop are points from the entry's fill price; either may be empty, as in 1:10:.",
        ),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Change a template that is there already.")] = False,
    trader: Trader = "main",
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
) -> None:
    """Store a template: the targets and stops that an entry with strategy=NAME brings along."""
    with services_of(table_name, stack, endpoint_url) as (services, chosen):
        template = admin.make_template(name, bracket)
        stored = services.templates.put(admin.checked_trader(trader), template, replacing=replace)
    if not stored:
        fail(
            f"There is no template {template.name} to replace: leave --replace out."
            if replace
            else f"There is a template {template.name} already: add --replace to change it."
        )
    show.line(f"Template {template.name} is stored in {chosen}; orders that are placed already keep their legs.")


@templates_app.command("list")
def list_templates(
    trader: Trader = "main",
    table_name: TableName = None,
    stack: StackName = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List a trader's templates and their brackets."""
    with services_of(table_name, stack, endpoint_url) as (services, _):
        found = list(services.templates.list(admin.checked_trader(trader)))
    if as_json:
        show.as_json([show.template_as_data(template) for template in found])
    else:
        show.templates(found)


def _body(alert: str, key: str | None) -> bytes:
    # The shell's bytes as they are: an alert that is not UTF-8 has to arrive as such.
    body = sys.stdin.buffer.read() if alert == "-" else os.fsencode(alert)
    return send.with_key(body, key) if key else body
