"""`orderhook serve` and `orderhook seed`: the webhook on this machine, and the demo to try it on."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import connection
from cli.aws import demo
from cli.aws import serve as local_server
from cli.aws.gateway import ListenError
from cli.aws.table import create_table
from cli.connection import ENDPOINT_VARIABLES, IN_MEMORY, LOCAL_PORT, PORT_VARIABLE, TableError
from cli.options import ConsolePort, TableOptions, examples, takes_table_options
from cli.terminal import GOOD, fail, print_line

SERVE_EXAMPLES = examples(
    "orderhook serve",
    "orderhook serve --paper",
    "orderhook serve --port 3001",
    "orderhook serve --table orders --endpoint-url http://127.0.0.1:8000",
)
SEED_EXAMPLES = examples("orderhook seed --endpoint-url http://127.0.0.1:8000")


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to listen on; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            envvar=PORT_VARIABLE,
            show_default=False,
            show_envvar=False,
            help=f"The port to listen on; 0 chooses a free one.  [default: {LOCAL_PORT}; env var: {PORT_VARIABLE}]",
        ),
    ] = LOCAL_PORT,
    table: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The table to serve; it is on AWS unless --endpoint-url is given."),
    ] = None,
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar=list(ENDPOINT_VARIABLES),
            help="Where the table is served, if not in memory, such as DynamoDB Local.",
        ),
    ] = None,
    console_port: ConsolePort = 0,
    no_alerts: Annotated[
        bool, typer.Option("--no-alerts", help="Begin with an empty list of alerts: send none of the demo's own.")
    ] = False,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper", help="Fill orders: with a bridge and a stand-in for NinjaTrader, over a made-up market."
        ),
    ] = False,
) -> None:
    """Serve the webhook on this machine, with demo orders.

    Nothing is sent to a broker. Unless you name a table or an endpoint, the table is in memory and gone when the
    server stops.
    """
    try:
        is_named = table or endpoint_url
        if paper and is_named:
            fail("--paper has a table of its own, in memory; leave out --table and --endpoint-url.")
        address = connection.find_table(table, None, endpoint_url) if is_named else IN_MEMORY
        local_server.serve(host, port, address, paper=paper, console_port=console_port, with_alerts=not no_alerts)
    except (ListenError, TableError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        pass


@takes_table_options(without=["trader", "stack", "local_times", "as_json"])
def seed(options: TableOptions) -> None:
    """Write the demo into a local table.

    The table is created if it is not there. The requests in events/ name the key and the orders of the demo.
    """
    with options.address() as address:
        if not address.is_local:
            fail("The demo's key is public, so it goes into no table on AWS; give --endpoint-url of a local one.")
        create_table(connection.client(address, os.environ), address.table)
        demo.seed(connection.connect(address, os.environ), datetime.now(UTC))
    print_line(f"The demo is in {address}.", GOOD)
    print_line(f"key: {demo.KEY}")
