"""`orderhook keys`: issue, list and revoke keys."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.operator_records import leave_record, operators_provenance
from cli.options import AsCsv, TableOptions, examples, takes_table_options
from cli.plain import App
from cli.terminal import REFUSED, fail, print_csv, print_json, print_line, print_text, readable_time
from cli.views.keys import show_keys
from orderhook import administration
from orderhook.administration import describe_limits, describe_scopes
from orderhook.listing import Unreadable
from orderhook.listing import list_keys as keys_of
from orderhook.representations import represent_key, represent_unreadable
from orderhook.trade_window import day_in_new_york

_CREATE = "orderhook keys create --label TradingView"
_LIST = "orderhook keys list"

app = App(no_args_is_help=True, help="Issue, list and revoke keys.", epilog=examples(_CREATE, _LIST))


@app.command(
    "create",
    epilog=examples(
        _CREATE,
        f"{_CREATE} --scope CANCEL --stack orderhook",
        "orderhook keys create --account Sim101 --max-qty 2 --stack orderhook",
        "orderhook keys create --api --scope read --label dashboard",
    ),
)
@takes_table_options(without=["local_times"])
def create_key(
    options: TableOptions,
    label: Annotated[
        str, typer.Option(metavar="TEXT", help="What the key is for; it is shown in the list of keys.")
    ] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMMAND",
            help="A command that the key may give; repeat it. Without it, every command but the kill switch. "
            "With --api: read, trade or both, which is the default.",
        ),
    ] = None,
    api: Annotated[
        bool, typer.Option("--api", help="A key for programs that use the HTTP API. It is good for no alert.")
    ] = False,
    kill_switch: Annotated[
        bool, typer.Option("--kill-switch", help="The key may turn the kill switch too. Not with a limit.")
    ] = False,
    account: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An account that the key is for; repeat it.")
    ] = None,
    instrument: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An instrument that the key is for; repeat it.")
    ] = None,
    max_qty: Annotated[
        int | None, typer.Option(metavar="N", help="The largest quantity that an order may get by it.")
    ] = None,
    max_orders_per_minute: Annotated[
        int | None, typer.Option(metavar="N", help="How many orders it may open in a minute.")
    ] = None,
) -> None:
    """Issue a key and show it, this once.

    You see it only this once, because only its hash is stored.
    """
    with options.services() as (services, trader, address):
        limits = administration.make_limits(
            on=day_in_new_york(datetime.now(UTC)),
            accounts=account or (),
            instruments=instrument or (),
            max_qty=max_qty,
            max_orders_per_minute=max_orders_per_minute,
        )
        signed = operators_provenance(trader)
        secret, key = administration.create_key(
            services.keys,
            trader=trader,
            label=label,
            scopes=scope or (),
            now=signed.at,
            kill_switch=kill_switch,
            limits=limits,
            api=api,
        )
        if options.as_json:
            print_json({"key": secret} | represent_key(key))
        else:
            print_line(f"key: {secret}")
            print_text(f"Copy it now: it is not stored, and you will not see it again. It is valid for {address}.")
        # The key is shown by now: nobody could show it later, whatever becomes of the record.
        done = {
            "key_id": key.key_id,
            "label": key.label,
            "may": describe_scopes(key),
            "limits": describe_limits(key.limits),
        }
        problem = leave_record(
            services, signed, "KEYS CREATE", "key_created", {name: text for name, text in done.items() if text}
        )
    if problem:
        fail(problem)


@app.command("list", epilog=examples(_LIST, f"{_LIST} --stack orderhook --csv"))
@takes_table_options(without=["trader"])
def list_keys(options: TableOptions, as_csv: AsCsv = False) -> None:
    """List all keys, including revoked ones.

    The keys themselves cannot be shown.
    """
    with options.services() as (services, _, address):
        keys = [
            (key, None if isinstance(key, Unreadable) else services.keys.last_used(key)) for key in keys_of(services)
        ]
    if options.as_json or as_csv:
        (print_json if options.as_json else print_csv)(
            [
                represent_unreadable(key, "key_id") if isinstance(key, Unreadable) else represent_key(key, last_used)
                for key, last_used in keys
            ]
        )
    elif keys:
        show_keys(keys)
    else:
        print_text(f"There is no key in {address}; `orderhook keys create` issues one.")
    if any(isinstance(key, Unreadable) for key, _ in keys):
        raise typer.Exit(REFUSED)


@app.command("revoke", epilog=examples("orderhook keys revoke KEY_ID --stack orderhook"))
@takes_table_options(without=["trader", "as_json"])
def revoke_key(
    options: TableOptions,
    key_id: Annotated[
        str, typer.Argument(metavar="KEY_ID", help="The key's id as `orderhook keys list` shows it; not the key.")
    ],
) -> None:
    """Revoke a key for good."""
    with options.services() as (services, _, address):
        key = services.keys.revoke(key_id, datetime.now(UTC))
        if key is None:
            fail(f"There is no key with this id in {address}; `orderhook keys list` shows all ids.")
        since = readable_time(str(key.revoked))
        print_text(f"Key {key.key_id} has been revoked since {since}. It may still work for up to 30 s.")
        signed, done = operators_provenance(key.trader), {"key_id": key.key_id, "label": key.label}
        problem = leave_record(services, signed, "KEYS REVOKE", "key_revoked", done)
    if problem:
        fail(problem)
