"""Assemble the `orderhook` command."""

from importlib.metadata import version
from typing import Annotated

import typer

from cli import alerts, keys, kill_switch, migrate, orders, send, serve, templates, verify
from cli.terminal import print_line

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        print_line(f"orderhook {version('orderhook')}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Run orderhook on your own machine, try alerts on it, and manage orders, keys and templates."""


app.command()(serve.serve)
app.command()(serve.seed)
app.command()(send.send)
app.command()(send.check)
app.command("orders")(orders.list_orders)
app.command("order")(orders.show_order)
app.add_typer(alerts.app, name="alerts")
app.add_typer(keys.app, name="keys")
app.add_typer(templates.app, name="templates")
app.command("kill-switch")(kill_switch.kill_switch)
app.command("migrate")(migrate.migrate_table)
app.command("verify")(verify.verify)
