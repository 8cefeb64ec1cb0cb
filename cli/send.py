"""`orderhook send` and `orderhook check`: try an alert, or see what it would do."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli import connection, tradingview
from cli.connection import NO_SERVER, TableError
from cli.options import AsJson, Port, Stack, examples
from cli.terminal import REFUSED, UNREACHABLE, USAGE, WARNING, fail, print_json, print_text, printable
from cli.views.answers import show_answer
from cli.views.explanations import show_explanation
from orderhook.explain import PLACEHOLDER_SENT, explain
from orderhook.keys import is_placeholder
from orderhook.representations import represent_explanation
from orderhook.trade_window import day_in_new_york
from orderhook.venues import VENUES

SEND_EXAMPLES = examples(
    "orderhook send 'command=CANCEL; order_id=demo-1;'",
    "orderhook send --file alert.txt --stack orderhook",
    "echo 'command=CANCELALLORDERS;' | orderhook send - --port 3001",
)
CHECK_EXAMPLES = examples("orderhook check 'command=CANCEL; order_id=demo-1;'", "orderhook check --file alert.txt")

AlertText = Annotated[
    str | None,
    typer.Argument(metavar="ALERT", help="The alert's text, or - to read it from standard input.", show_default=False),
]
AlertFile = Annotated[
    Path | None, typer.Option("--file", metavar="PATH", help="Read the alert's text from this file, in its place.")
]


def key_option(told: str) -> Any:
    """Return the option that gives a key, or the environment's."""
    return typer.Option("--key", metavar="KEY", envvar="ORDERHOOK_KEY", help=told, show_envvar=True)


SecretKey = Annotated[str | None, key_option("The key to send with an alert that has none.")]
CheckedKey = Annotated[str | None, key_option("The key that an alert without one will be sent with.")]


def send(
    alert: AlertText = None,
    file: AlertFile = None,
    key: SecretKey = None,
    stack: Stack = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The webhook's whole address, wherever it is.")] = None,
    port: Port = None,
    as_json: AsJson = False,
) -> None:
    """Send an alert as TradingView does, and show the answer.

    It goes to the local server, unless you say --stack, --url or --port. The exit code is 0 if it was carried out, 1
    if it was refused and 2 if there was no answer. A key from the environment does not end up in your shell's history.
    """
    body = _body(alert, file)
    try:
        address = connection.find_webhook(url, stack, port, os.environ)
        status, answer = tradingview.post(address, tradingview.with_key(body, key) if key else body)
    except TableError as error:
        fail(str(error))
    except tradingview.UnreachableError as error:
        hint = f" {NO_SERVER}" if not (url or stack) else ""
        fail(f"{error}{hint}", UNREACHABLE)
    if as_json:
        print_json({"status_code": status, **answer})
    else:
        show_answer(status, answer)
    _hint_at_file(body)
    if status == 401 and (about_key := _hint_at_key([*tradingview.keys_of(body), key])):
        print_text(about_key, WARNING, error=True)
    if answer.get("success") is not True:
        raise typer.Exit(REFUSED)


def check(
    alert: AlertText = None,
    file: AlertFile = None,
    key: CheckedKey = None,
    venue: Annotated[
        Literal["none", "ninjatrader"],
        typer.Option(
            metavar="none|ninjatrader",
            envvar="ORDERHOOK_VENUE",
            help="The stack's Venue: with one, an alert asks the venue for what it would do at once without one.",
        ),
    ] = "none",
    as_json: AsJson = False,
) -> None:
    """Say what an alert would do, and all that is wrong with it.

    Nothing is sent, and neither the key nor the orders are looked up. The exit code is 0 if the alert is correct and 1
    if it would be refused.
    """
    body = _body(alert, file)
    explanation = explain(body, key, VENUES[venue], day_in_new_york(datetime.now(UTC)))
    if as_json:
        print_json(represent_explanation(explanation))
    else:
        show_explanation(explanation)
    _hint_at_file(body)
    if explanation.faults:
        raise typer.Exit(REFUSED)


def _hint_at_key(keys: Sequence[str | None]) -> str | None:
    """Return what to do about the key of an alert that was refused, where that can be seen."""
    given = next(filter(None, keys), None)
    if given is None:
        return (
            "The alert has no key: give --key, or set ORDERHOOK_KEY. `orderhook serve` shows the demo's, and "
            "`orderhook keys create` issues one."
        )
    return PLACEHOLDER_SENT if is_placeholder(given) else None


def _hint_at_file(body: bytes) -> None:
    """Say how a file or standard input is read, where what was sent is neither pairs nor JSON."""
    if b"=" not in body and not body.lstrip().startswith(b"{"):
        hint = "That is no alert: it has no name=value. A file is read by --file PATH, standard input by -."
        print_text(hint, WARNING, error=True)


def _body(alert: str | None, file: Path | None) -> bytes:
    """Return the bytes of the alert as they are: one that is not UTF-8 has to arrive like that."""
    if (alert is None) == (file is None):
        fail("Give either the alert's text, - for standard input, or --file PATH.", USAGE)
    try:
        if file is not None:
            return file.read_bytes()
        if alert == "-":
            return sys.stdin.buffer.read()
        if "=" not in str(alert) and Path(str(alert)).is_file():
            fail(f"{alert!a} is the name of a file, not an alert; write --file {alert}.", USAGE)
    except (OSError, ValueError) as error:
        if file is not None:
            why = printable(str(getattr(error, "strerror", None) or error))
            hint = " Standard input is read by -, without --file." if str(file) == "-" else ""
            here = f" It is looked for in {Path.cwd()}." if not (hint or file.is_absolute()) else ""
            fail(f"{str(file)!a} cannot be read: {why}.{hint or here}", USAGE)
    return os.fsencode(str(alert))
