"""`orderhook console`: look at a table, and act on it, in a browser."""

import os
import signal
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from tempfile import mkstemp
from threading import Event
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cli import connection
from cli.aws.gateway import ListenError
from cli.connection import TableAddress
from cli.operator_records import leave_record, operators_provenance
from cli.options import ConsolePort, TableOptions, examples, takes_table_options
from cli.terminal import GOOD, USAGE, WARNING, fail, print_line, print_text
from cli.views.qr_code import show_qr_code
from orderhook import administration
from orderhook.grants import CODE_FOR, Grant
from orderhook.services import Services
from orderhook.store.sessions import TableSessions
from orderhook.trade_window import day_in_new_york

EXAMPLES = examples(
    "orderhook console",
    "orderhook console --stack orderhook",
    "orderhook console --stack orderhook --phone --label phone --read-only",
    "orderhook console --stack orderhook --sign-out",
)

_MINUTES = int(CODE_FOR.total_seconds() // 60)


@takes_table_options(without=["local_times", "as_json"])
def console(
    options: TableOptions,
    label: Annotated[
        str, typer.Option(metavar="TEXT", help="What the session is called in the records of what is done by it.")
    ] = "console",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="The session only looks; it cannot even stop.")
    ] = False,
    account: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An account that the session is for; repeat it.")
    ] = None,
    max_qty: Annotated[
        int | None, typer.Option(metavar="N", help="The largest quantity that an order may get by it.")
    ] = None,
    console_port: ConsolePort = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the link, and open no browser.")] = False,
    phone: Annotated[
        bool, typer.Option("--phone", help="A link and a QR code that sign you in to the stack's own console.")
    ] = False,
    sign_out: Annotated[
        bool, typer.Option("--sign-out", help="End all sessions of the trader in the stack's own console.")
    ] = False,
) -> None:
    """Look at a table, and act on it, in a browser.

    It runs on this machine until you stop it. With --stack it works with your own AWS credentials.
    """
    if phone and sign_out:
        fail("--phone and --sign-out are both given; give only one of them.", USAGE)
    if (phone or sign_out) and not options.stack:
        fail(
            f"{'--phone' if phone else '--sign-out'} is for the console of a stack: add --stack NAME. A console on "
            "this machine ends with its command, and its sessions with it.",
            USAGE,
        )
    with options.services_of_trader() as (services, trader, address):
        limits = administration.make_limits(
            accounts=account or (), max_qty=max_qty, on=day_in_new_york(datetime.now(UTC))
        )
        grant = Grant(trader, administration.check_label(label) or "console", read_only, limits)
        if sign_out:
            _sign_out(services, trader, str(options.stack))
        elif phone:
            _sign_in_elsewhere(services, grant, str(options.stack))
        else:
            _run(options, services, grant, address, console_port, opens_browser=not no_browser)


def _sign_in_elsewhere(services: Services, grant: Grant, stack: str) -> None:
    """Print what signs a phone in to the stack's own console: whoever may write the table may sign in."""
    url = connection.stack_outputs(stack).get("ConsoleUrl")
    if not url:
        fail(
            f"Stack {stack} has no console of its own: deploy it with Console=true, or leave --phone out to have one "
            "on this machine."
        )
    code = TableSessions(services.table).issue_code(grant, connection.aws_clock.now())
    link = f"{url}/login#{code}"
    show_qr_code(link)
    print_line(f"console: {link}")
    print_text(f"It signs in once, within {_MINUTES} minutes. Give it to nobody.", WARNING)


def _sign_out(services: Services, trader: str, stack: str) -> None:
    signed = operators_provenance(trader)
    number = TableSessions(services.table).end_all(trader, signed.at)
    problem = leave_record(services, signed, "SIGN OUT", "sessions_ended", {"sessions": str(number)})
    print_text(
        f"{number} session{'' if number == 1 else 's'} of {trader} ended, and every link that was not used yet. A page "
        "may still be shown for 30 s; nothing can be done by it.",
        GOOD,
    )
    if "ConsoleUrl" not in connection.stack_outputs(stack):
        print_text(f"Stack {stack} has no console of its own; Console=true gives it one.")
    if problem:
        fail(problem)


def _run(
    options: TableOptions,
    services: Services,
    grant: Grant,
    address: TableAddress,
    console_port: int,
    *,
    opens_browser: bool,
) -> None:
    """Answer on this machine until Ctrl-C or SIGTERM."""
    # The pages' log lines would stand in the terminal: it has what went wrong alone.
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "ERROR")
    os.environ |= {"POWERTOOLS_SERVICE_NAME": "orderhook", "POWERTOOLS_METRICS_NAMESPACE": "orderhook"}
    from cli.aws import console_door, deployed  # their log is as the environment says

    if options.stack:
        services, deployment = deployed.find(options.stack, services, address, grant.trader, os.environ)
    else:
        region = services.table.client.meta.region_name
        port = urlsplit(address.endpoint or "").port if address.of_server else None
        deployment = console_door.deployment_at(address, region, port)
        deployment = console_door.beside_bridge(deployment, services, grant.trader)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running = console_door.running(services, deployment, nullcontext(), console_port, deployed.what_to_do)
    try:
        with running as door:
            link = door.link(grant)
            print_line(f"{address}")
            if deployment.read_only_because:
                print_text(f"It only looks, and stops trading: {deployment.read_only_because}", WARNING)
            print_line(f"console: {link}")
            print_text("It signs in once, and only on this machine. Ctrl-C stops it.", GOOD)
            with (
                _opened(link) if opens_browser else nullcontext(),
                open(os.devnull, "w") as nowhere,
                redirect_stdout(nowhere),  # metrics for CloudWatch to collect, and nothing collects them here
            ):
                Event().wait()
    except ListenError as error:
        fail(str(error))
    except KeyboardInterrupt:
        pass


@contextmanager
def _opened(link: str) -> Iterator[None]:
    """Have the browser open a file that leads to the link, for as long as this runs.

    A link itself would stand in the list of processes, for every user of this machine to follow. Only its owner may
    read the file.
    """
    handle, name = mkstemp(prefix="orderhook-", suffix=".html")
    path = Path(name)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(link)}">\n')
        if not webbrowser.open(path.as_uri()):
            print_text("No browser could be opened: follow the link above.", WARNING)
        yield
    finally:
        path.unlink(missing_ok=True)
