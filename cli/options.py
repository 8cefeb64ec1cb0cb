"""The options that commands share, and what they open: a table, its services, or one line that says why not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from cli import show, target
from orderhook.errors import OrderhookError
from orderhook.services import Services

REFUSED, UNREACHABLE, USAGE = 1, 2, 2
"""Exit codes."""

TableName = Annotated[
    str | None, typer.Option("--table", metavar="NAME", help="A table, on AWS unless there is an endpoint.")
]
StackName = Annotated[str | None, typer.Option("--stack", metavar="NAME", help="A deployed stack: its table.")]
EndpointUrl = Annotated[
    str | None,
    typer.Option(
        "--endpoint-url",
        metavar="URL",
        envvar=["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"],
        help=f"Where the table is served: DynamoDB Local, or (the default) the local run at {target.LOCAL_ENDPOINT}.",
    ),
]
Trader = Annotated[str, typer.Option("--trader", metavar="NAME", help="Whose; every key belongs to a trader.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a script.")]


@contextmanager
def target_of(table_name: str | None, stack: str | None, endpoint_url: str | None) -> Iterator[target.Target]:
    """Give the table that the options name; whatever goes wrong with it ends the command with one line."""
    try:
        chosen = target.choose(table_name, stack, endpoint_url)
        with target.explained(chosen):
            yield chosen
    except target.TargetError as error:
        fail(str(error))
    except OrderhookError as error:
        fail(error.detail)


@contextmanager
def services_of(
    table_name: str | None, stack: str | None, endpoint_url: str | None
) -> Iterator[tuple[Services, target.Target]]:
    """Give the book of the table that the options name, and which table that is."""
    with target_of(table_name, stack, endpoint_url) as chosen:
        yield target.services(chosen, os.environ), chosen


def fail(message: str, code: int = REFUSED) -> NoReturn:
    """End the command with one line."""
    show.line(show.printable(message), show.BAD, error=True)
    raise typer.Exit(code)
