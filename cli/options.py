"""The options that commands share, each written once, and the table that they name."""

import inspect
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from typing import Annotated

import typer

from cli import connection
from cli.connection import TableAddress, TableError
from cli.terminal import fail
from orderhook import administration
from orderhook.errors import OrderhookError
from orderhook.services import Services

ENDPOINT_VARIABLES = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"]
"""The environment variables that give every AWS tool another endpoint."""

TableName = Annotated[
    str | None,
    typer.Option("--table", metavar="NAME", help="The table's name; it is on AWS unless an endpoint is given."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """The options of every command that works on a table: whose data, which table, and how to print it."""

    trader: Annotated[str, typer.Option("--trader", metavar="NAME", help="The trader; every key belongs to one.")] = (
        "main"
    )
    table: TableName = None
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="The name of a deployed stack, to use its table.")
    ] = None
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            "--endpoint-url",
            metavar="URL",
            envvar=ENDPOINT_VARIABLES,
            help="Where the table is served, such as DynamoDB Local; by default the local server at "
            f"{connection.LOCAL_ENDPOINT}.",
        ),
    ] = None
    as_json: AsJson = False

    @contextmanager
    def services(self) -> Iterator[tuple[Services, str, TableAddress]]:
        """Give the services over the table, the trader's checked name, and the table's address.

        Any error ends the command with one line.
        """
        with self.address() as address:
            yield connection.connect(address, os.environ), administration.check_trader(self.trader), address

    @contextmanager
    def address(self) -> Iterator[TableAddress]:
        """Give the address of the table; any error in reaching or using the table ends the command with one line."""
        try:
            address = connection.find_table(self.table, self.stack, self.endpoint_url)
            with connection.explained_errors(address):
                yield address
        except TableError as error:
            fail(str(error))
        except OrderhookError as error:
            fail(error.detail)


def takes_table_options(*, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of TableOptions, and pass them to it as its first argument.

    typer reads a command's options from its signature, so the decorated function has the command's own parameters and,
    after them, one for each field of TableOptions, `without` those named.
    """
    shared = [field for field in fields(TableOptions) if field.name not in without]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**values: object) -> None:
            options = TableOptions(**{field.name: values.pop(field.name) for field in shared})  # type: ignore[arg-type]
            command(options, **values)

        signature = inspect.signature(command)
        own = list(signature.parameters.values())[1:]
        added = [
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
            for field in shared
        ]
        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own), *added]
        )
        return run

    return decorate
