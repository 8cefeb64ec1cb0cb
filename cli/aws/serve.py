"""The local run: the webhook on this machine, over a table in memory unless another is named."""

import os
import shlex
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stdout
from datetime import UTC, datetime

from cli import show
from cli.aws import demo, gateway, moto, scheduler
from cli.aws.table import create_table
from cli.target import Target, explained, local_credentials
from orderhook.aws.clients import connect
from orderhook.settings import DeferredSettings
from orderhook.services import Services


def serve(host: str, port: int, target: Target) -> None:
    """Answer alerts until Ctrl-C or SIGTERM.

    Raises ListenError when the address cannot be had, and TargetError when the table cannot be used.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(gateway.listen(host, port))
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        door = stack.enter_context(moto.everything()) if target.in_memory else None
        os.environ |= _environment(target, os.environ)
        queue = _queue(target, stack)
        with explained(target):
            import webhook  # reads the environment and makes its client

            _prepare(target, webhook.services)
            _welcome(_url(listener), target, webhook.services)
        application = gateway.Gateway(webhook.handler, lambda line: show.line(line, show.DIM, error=True), door)
        # Metrics are printed for CloudWatch to collect from the log, and nobody does so here.
        stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        if queue:
            import deferred  # as webhook

            stack.enter_context(scheduler.at_work(scheduler.LocalScheduler(deferred.handler, queue, application.turn)))
        gateway.serve_forever(listener, application)


def _queue(target: Target, stack: ExitStack) -> DeferredSettings | None:
    """Make what the functions need to do things later, and lead them there; not for a table on AWS.

    What waits is lost when this stops, as it must not be for orders that are not a demo's.
    """
    if not target.is_local:
        return None
    if not target.in_memory:
        stack.enter_context(moto.queue_and_schedules(os.environ["AWS_DEFAULT_REGION"]))
    made = scheduler.create_queue()
    os.environ |= scheduler.environment(made)
    return made


def _environment(target: Target, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the function finds in its environment on AWS, and what leads its client to the table."""
    made = {
        "POWERTOOLS_SERVICE_NAME": "orderhook",
        "POWERTOOLS_METRICS_NAMESPACE": "orderhook",
        # The gateway prints a line for each request; the function's own log speaks up for a defect only.
        "POWERTOOLS_LOG_LEVEL": environment.get("POWERTOOLS_LOG_LEVEL", "ERROR"),
        "ORDERHOOK_TABLE": target.table,
    }
    if target.is_local:
        made |= local_credentials(environment)
    if target.endpoint:
        made["AWS_ENDPOINT_URL_DYNAMODB"] = target.endpoint
    return made


def _prepare(target: Target, services: Services) -> None:
    """Make and seed a table that is local; of another, only see that it is there."""
    if target.is_local:
        create_table(connect(), target.table)
        demo.seed(services, datetime.now(UTC))
    else:
        next(services.keys.list(), None)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{gateway.ROUTE}"


def _welcome(url: str, target: Target, services: Services) -> None:
    """Print the start page; its last line says that the server answers."""
    show.line(f"url: {url}")
    if target.is_local:
        _welcome_to_demo(url, target, services)
    else:
        show.line(f"{target}; `orderhook keys create --table {target.table}` issues a key for it")
        show.line(
            "delay and cancel_after are refused here: only a deployed stack keeps for sure what is to be done later"
        )
    show.line()
    show.line("orderhook is running; Ctrl-C stops it.", show.GOOD)


def _welcome_to_demo(url: str, target: Target, services: Services) -> None:
    show.line(f"key: {demo.KEY}")
    show.line(f"{target}{', gone when this stops' if target.in_memory else ''}")
    show.line()
    show.orders(services.orders.list(demo.TRADER))
    show.line()
    show.line("Cancel one, in another terminal:")
    for kind, line in curl_lines(url).items():
        show.line()
        show.line(f"# {kind}", show.DIM)
        show.line(line)


def curl_lines(url: str) -> Mapping[str, str]:
    """Return a shell command for each kind of cancel, each in one line."""
    return {kind: f"curl -sS -w '\\n' -d {_quoted(text)} {url}" for kind, text in demo.CANCELS.items()}


def _quoted(text: str) -> str:
    if "\n" not in text:
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("%", "%%").replace("\n", "\\n")
    return f'"$(printf {shlex.quote(escaped)})"'
