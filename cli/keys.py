"""`orderhook keys`: issue, list and revoke keys."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.options import AsCsv, TableOptions, examples, takes_table_options
from cli.terminal import REFUSED, fail, print_csv, print_json, print_line, readable_time
from cli.views.keys import show_keys
from orderhook import administration
from orderhook.listing import Unreadable
from orderhook.listing import list_keys as keys_of
from orderhook.representations import represent_key, represent_unreadable

_CREATE = "orderhook keys create --label TradingView"
_LIST = "orderhook keys list"

app = typer.Typer(no_args_is_help=True, help="Issue, list and revoke keys.", epilog=examples(_CREATE, _LIST))


@app.command("create", epilog=examples(_CREATE, f"{_CREATE} --scope CANCEL --stack orderhook"))
@takes_table_options(without=["local_times"])
def create_key(
    options: TableOptions,
    label: Annotated[
        str, typer.Option(metavar="TEXT", help="What the key is for; it is shown in the list of keys.")
    ] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="COMMAND", help="A command that the key may give; repeat it. Without it, every command."),
    ] = None,
) -> None:
    """Issue a key and show it, this once.

    You see it only this once, because only its hash is stored.
    """
    with options.services() as (services, trader, address):
        now = datetime.now(UTC)
        secret, key = administration.create_key(services.keys, trader=trader, label=label, scopes=scope or (), now=now)
    if options.as_json:
        print_json({"key": secret} | represent_key(key))
        return
    print_line(f"key: {secret}")
    print_line(f"Copy it now: it is not stored, and you will not see it again. It is valid for {address}.")


@app.command("list", epilog=examples(_LIST, f"{_LIST} --stack orderhook --csv"))
@takes_table_options(without=["trader"])
def list_keys(options: TableOptions, as_csv: AsCsv = False) -> None:
    """List all keys, including revoked ones.

    The keys themselves cannot be shown.
    """
    with options.services() as (services, _, address):
        keys = list(keys_of(services))
    if options.as_json or as_csv:
        (print_json if options.as_json else print_csv)(
            [represent_unreadable(key, "key_id") if isinstance(key, Unreadable) else represent_key(key) for key in keys]
        )
    elif keys:
        show_keys(keys)
    else:
        print_line(f"There is no key in {address}; `orderhook keys create` issues one.")
    if any(isinstance(key, Unreadable) for key in keys):
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
    print_line(
        f"Key {key.key_id} has been revoked since {readable_time(str(key.revoked))}. It may still work for up to 30 s."
    )
