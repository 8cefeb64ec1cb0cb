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
from cli.connection import LOCAL_PORT, PORT_VARIABLE, TableAddress, TableError
from cli.terminal import USAGE, fail, times_shown
from orderhook import administration
from orderhook.errors import OrderhookError
from orderhook.services import Services

Stack = Annotated[str | None, typer.Option("--stack", metavar="NAME", help="A deployed stack on AWS, by its name.")]
# Read from the environment by find_table and find_webhook: an address that is given goes before one that is set there.
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        metavar="PORT",
        help=f"The local server's port.  [default: {LOCAL_PORT}; env var: {PORT_VARIABLE}]",
        show_default=False,
    ),
]
ConsolePort = Annotated[
    int,
    typer.Option(
        "--console-port",
        metavar="PORT",
        min=0,
        max=65535,
        show_default=False,
        help="The console's port, which only this machine reaches.  [default: a free one]",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet: the same values as --json.")]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """The options of every command that works on a table: whose data, which table, and how to print it."""

    trader: Annotated[str, typer.Option("--trader", metavar="NAME", help="The trader; every key belongs to one.")] = (
        "main"
    )
    table: Annotated[
        str | None,
        typer.Option(
            "--table", metavar="NAME", help="The table's name; it is on AWS unless --port or --endpoint-url is given."
        ),
    ] = None
    stack: Stack = None
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            "--endpoint-url",
            metavar="URL",
            help="Where the table is served, if not in the local server, such as DynamoDB Local.  [env var: "
            f"{', '.join(connection.ENDPOINT_VARIABLES)}]",
        ),
    ] = None
    port: Port = None
    local_times: Annotated[
        bool, typer.Option("--local", help="Show times, and read them, in this machine's time zone, not in UTC.")
    ] = False
    as_json: AsJson = False

    @contextmanager
    def services(self) -> Iterator[tuple[Services, str, TableAddress]]:
        """Give the services over the table, the trader's checked name, and the table's address.

        Any error ends the command with one line.
        """
        with self.address() as address:
            yield connection.connect(address, os.environ), administration.check_trader(self.trader), address

    @contextmanager
    def services_of_trader(self) -> Iterator[tuple[Services, str, TableAddress]]:
        """Give the same as services(), for a trader that has a key: another name is probably mistyped."""
        with self.services() as (services, trader, address):
            administration.check_has_key(services.keys, trader)
            yield services, trader, address

    @contextmanager
    def address(self) -> Iterator[TableAddress]:
        """Give the address of the table; any error in reaching or using the table ends the command with one line."""
        try:
            address = connection.find_table(self.table, self.stack, self.endpoint_url, self.port, os.environ)
            with connection.explained_errors(address):
                yield address
        except TableError as error:
            fail(str(error))
        except OrderhookError as error:
            fail(error.detail)


def examples(*lines: str) -> str:
    """Return the end of a command's help: lines that a person can try as they stand."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


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
            if options.as_json and values.get("as_csv"):
                fail("--csv and --json are both given; give only one of them.", USAGE)
            with times_shown(local=options.local_times):
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
