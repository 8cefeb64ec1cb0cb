"""Serve the webhook on this machine, over a table in memory unless another is named."""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import urlsplit

from bridge.windows import HeldElsewhereError, lock
from cli.aws import demo, gateway, moto, scheduler, venue
from cli.aws.table import create_table
from cli.connection import ROUTE, TableAddress, TableError, explained_errors, local_credentials
from cli.terminal import DIM, WARNING, print_line, print_text, printable
from cli.views.start_page import show_paper_page, show_start_page
from orderhook.aws.clients import connect
from orderhook.grants import Grant
from orderhook.instruments import front_month
from orderhook.listing import Unreadable, list_orders
from orderhook.orders import Order, timestamp
from orderhook.services import Services
from orderhook.settings import DeferredSettings
from orderhook.trade_window import day_in_new_york


def serve(
    host: str,
    port: int,
    address: TableAddress,
    *,
    paper: bool = False,
    console_port: int = 0,
    with_alerts: bool = True,
) -> None:
    """Answer alerts until Ctrl-C or SIGTERM; with `paper` they are carried out, in a made-up market.

    `with_alerts` those of the demo are sent to a new table, so that the console has something to show.

    Raises ListenError if the server cannot listen there, and TableError if the table cannot be used.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(gateway.listen(host, port))
        if address.is_local:
            stack.enter_context(_only_server_of(address, listener.getsockname()[1]))
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        forward_to_dynamodb = stack.enter_context(moto.everything()) if address.in_memory else None
        os.environ |= _environment(address, os.environ)
        queue = _create_queue(address, stack)
        venue_queues = venue.create_queues() if paper else None
        os.environ |= venue_queues.environment if venue_queues else {}
        with explained_errors(address):
            import webhook  # reads the environment and makes its client

            is_new = _prepare(address, webhook.services, with_orders=not paper)
        application = gateway.Gateway(webhook.handler, _log, forward_to_dynamodb)
        terminal = sys.stdout
        from cli.aws import console_door, notifier  # their log is as the environment says, as webhook's

        region = connect("dynamodb").meta.region_name
        deployment = console_door.deployment_at(address, region, listener.getsockname()[1])
        console = stack.enter_context(
            console_door.running(webhook.services, deployment, application.lock, console_port)
        )
        link = console.link(Grant(demo.TRADER))
        # The functions print metrics for CloudWatch to collect, and nothing collects them here.
        stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        if is_new and with_alerts and not paper:
            with application.lock:
                for text in demo.ALERTS:
                    webhook.handler(gateway.event_of(text.encode()), None)
        if venue_queues:
            import reports  # as webhook

            in_paper = venue.running(venue_queues, address.table, reports.handler, application.lock, _log)
            bridge, market = stack.enter_context(in_paper)
            application.actions |= bridge.actions
            started = bridge.start_afresh()
            # Under the lock no function runs, whose metrics would stand in the page.
            with application.lock, redirect_stdout(terminal):
                print_text(started)
                front = front_month(demo.ROOT, day_in_new_york(datetime.now(UTC)))
                show_paper_page(_url(listener), link, address, market.price(front.name))
        else:
            with explained_errors(address), redirect_stdout(terminal):
                orders = _demo_orders(webhook.services) if address.is_local else ()
                show_start_page(_url(listener), link, address, orders, is_open=not gateway.is_loopback(listener))
        if queue:
            import deferred  # as webhook

            local_scheduler = scheduler.LocalScheduler(deferred.handler, queue, application.lock)
            stack.enter_context(scheduler.running(local_scheduler))
        if address.is_local:
            # Whoever starts the demo has sent none of its alerts.
            told = notifier.running(webhook.services, application.lock, _tell, past_is_told=is_new)
            stack.enter_context(told)
        gateway.serve_forever(listener, application)


@contextmanager
def _only_server_of(address: TableAddress, port: int) -> Iterator[None]:
    """Keep other servers of this user from the table: each begins by ending what waits in the queue of another."""
    where = urlsplit(address.endpoint or f"http://127.0.0.1:{port}")
    host = "127.0.0.1" if where.hostname == "localhost" else where.hostname
    digest = sha256(f"{Path.home()} {host} {where.port} {address.table}".encode()).hexdigest()[:16]
    try:
        with lock(Path(gettempdir()) / f"orderhook-serve-{digest}"):
            yield
    except HeldElsewhereError:
        raise TableError(
            f"Another server serves {address}; stop that first: this one would cancel what waits there for its delay."
        ) from None


def _create_queue(address: TableAddress, stack: ExitStack) -> DeferredSettings | None:
    """Create the queue and the schedules in memory, and point the functions to them; not for a table on AWS.

    What waits there is lost when the server stops, which must not happen to real orders.
    """
    if not address.is_local:
        return None
    if not address.in_memory:
        stack.enter_context(moto.queue_and_schedules(os.environ["AWS_DEFAULT_REGION"]))
    queue = scheduler.create_queue()
    os.environ |= scheduler.environment(queue)
    return queue


def _environment(address: TableAddress, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the functions find on AWS, and those that point their client to the table."""
    variables = {
        "POWERTOOLS_SERVICE_NAME": "orderhook",
        "POWERTOOLS_METRICS_NAMESPACE": "orderhook",
        # The gateway prints a line for each request, so the function's own log only has to report errors.
        "POWERTOOLS_LOG_LEVEL": environment.get("POWERTOOLS_LOG_LEVEL", "ERROR"),
        "ORDERHOOK_TABLE": address.table,
    }
    if address.is_local:
        variables |= local_credentials(environment)
    if address.endpoint:
        variables["AWS_ENDPOINT_URL_DYNAMODB"] = address.endpoint
    return variables


def _prepare(address: TableAddress, services: Services, *, with_orders: bool) -> bool:
    """Create a local table, or take up what an earlier run left there, and write the demo into it.

    Of a table on AWS only check that it is there. Return whether it is new.
    """
    if address.is_local:
        is_new = create_table(connect("dynamodb"), address.table)
        if not is_new:
            scheduler.resume(services, datetime.now(UTC))
        demo.seed(services, datetime.now(UTC), with_orders=with_orders)
        return is_new
    next(services.keys.list(), None)
    return False


def _log(line: str) -> None:
    print_line(line, DIM, error=True)


def _tell(text: str) -> None:
    """Print what the trader is told, beside the lines of the requests, without what the message begins with."""
    _, *notices = text.split("\n\n")
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    for notice in notices:
        first, *further = map(printable, notice.splitlines())
        print_line("\n".join([f"{now}  told {first}", *(f"{' ' * 15}{line}" for line in further)]), WARNING, error=True)


def _demo_orders(services: Services) -> Iterator[Order | Unreadable]:
    return list_orders(services, demo.TRADER, timestamp(datetime.now(UTC)))


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    # The address of every network is one to listen on, and none to send to.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  nothing is bound here
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{ROUTE}"
