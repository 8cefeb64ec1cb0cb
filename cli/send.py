"""`orderhook send` and `orderhook check`: try an alert, or see what it would do."""

import os
import sys
from typing import Annotated

import typer

from cli import tradingview
from cli.aws.gateway import ROUTE
from cli.connection import LOCAL_ENDPOINT
from cli.options import AsJson
from cli.terminal import REFUSED, UNREACHABLE, fail, print_json
from cli.views.answers import show_answer
from cli.views.explanations import show_explanation
from orderhook.explain import explain
from orderhook.representations import represent_explanation

AlertText = Annotated[
    str, typer.Argument(metavar="ALERT", help="The alert's text, or - to read it from standard input.")
]
SecretKey = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", envvar="ORDERHOOK_KEY", help="The key to add to an alert that has none."),
]


def send(
    alert: AlertText,
    url: Annotated[str, typer.Option(metavar="URL", help="The address of the webhook.")] = LOCAL_ENDPOINT + ROUTE,
    key: SecretKey = None,
    as_json: AsJson = False,
) -> None:
    """Send an alert as TradingView does, and show the answer.

    The exit code is 0 if it was carried out, 1 if it was refused and 2 if there was no answer. A key from the
    environment does not end up in your shell's history.
    """
    try:
        status, answer = tradingview.post(url, _body(alert, key))
    except tradingview.UnreachableError as error:
        fail(str(error), UNREACHABLE)
    if as_json:
        print_json({"status_code": status, **answer})
    else:
        show_answer(status, answer)
    if answer.get("success") is not True:
        raise typer.Exit(REFUSED)


def check(alert: AlertText, key: SecretKey = None, as_json: AsJson = False) -> None:
    """Explain what an alert would do, and everything that is wrong with it, without sending it.

    The exit code is 0 if the alert is correct and 1 if it would be refused. Neither the key nor the orders are looked
    up.
    """
    explanation = explain(_body(alert, key))
    if as_json:
        print_json(represent_explanation(explanation))
    else:
        show_explanation(explanation)
    if explanation.faults:
        raise typer.Exit(REFUSED)


def _body(alert: str, key: str | None) -> bytes:
    # The shell's bytes as they are: an alert that is not UTF-8 has to arrive like that.
    body = sys.stdin.buffer.read() if alert == "-" else os.fsencode(alert)
    return tradingview.with_key(body, key) if key else body
