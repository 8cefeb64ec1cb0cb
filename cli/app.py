"""Assemble the `orderhook` command."""

import io
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from cli import (
    alerts,
    bridge,
    console,
    instruments,
    keys,
    kill_switch,
    migrate,
    notify,
    orders,
    send,
    serve,
    templates,
    venue,
    verify,
)
from cli.options import examples
from cli.plain import App
from cli.terminal import EXIT_CODES, print_line

_EXAMPLES = examples(
    "orderhook serve",
    "orderhook send 'command=CANCEL; order_id=demo-1;'",
    "orderhook orders --open",
    "orderhook alerts --stack orderhook --since 2h --status refused",
)
_EXIT_CODES = "\n".join(f"  {code}  {meaning}" for code, meaning in EXIT_CODES.items())

app = App(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=f"{_EXAMPLES}\n\n\b\nExit codes:\n{_EXIT_CODES}",
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
    """Run orderhook on your own machine, try alerts on it, and look after orders, keys and the bridge of a stack."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Windows gives what is redirected an encoding of few characters: one that it lacks must end nothing.
            stream.reconfigure(errors="backslashreplace")


app.command(epilog=serve.SERVE_EXAMPLES)(serve.serve)
app.command(epilog=serve.SEED_EXAMPLES)(serve.seed)
app.command(epilog=send.SEND_EXAMPLES)(send.send)
app.command(epilog=send.CHECK_EXAMPLES)(send.check)
app.command("orders", epilog=orders.ORDERS_EXAMPLES)(orders.list_orders)
app.command("order", epilog=orders.ORDER_EXAMPLES)(orders.show_order)
app.command("resolve", epilog=venue.RESOLVE_EXAMPLES)(venue.resolve_order)
app.command("positions", epilog=venue.POSITIONS_EXAMPLES)(venue.list_positions)
app.command("executions", epilog=venue.EXECUTIONS_EXAMPLES)(venue.list_executions)
app.command("instruments", epilog=instruments.EXAMPLES)(instruments.list_instruments)
app.add_typer(alerts.app, name="alerts")
app.add_typer(bridge.app, name="bridge")
app.add_typer(keys.app, name="keys")
app.add_typer(templates.app, name="templates")
app.command("console", epilog=console.EXAMPLES)(console.console)
app.command("kill-switch", epilog=kill_switch.EXAMPLES)(kill_switch.kill_switch)
app.add_typer(notify.app, name="notify")
app.command("migrate", epilog=migrate.EXAMPLES)(migrate.migrate_table)
app.command("verify", epilog=verify.EXAMPLES)(verify.verify)
