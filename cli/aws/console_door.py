"""The console on this machine: a port of its own that only this machine reaches, and only by its own name."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from cli.aws.gateway import QuietRequestHandler, listen, make_event, make_response
from cli.connection import LOCAL_PORT, TableAddress
from orderhook.console import app
from orderhook.console.guard import MAX_BYTES
from orderhook.console.http import SECURITY
from orderhook.console.sessions import ProcessSessions
from orderhook.console.visit import Deployment
from orderhook.grants import Grant
from orderhook.services import Services

HOST = "127.0.0.1"
"""Never another: the webhook's port may be open to the world by a tunnel, this one must not be."""

PATIENCE_SECONDS = 10.0
"""How long a page may take: whoever waits for it has their own machine to wait for."""


class ConsoleDoor:
    """Answer the requests of a browser on this machine; a WSGI application."""

    def __init__(self, console: app.Console, port: int, lock: AbstractContextManager[object]) -> None:
        self._console = console
        self._hosts = (f"{HOST}:{port}", f"localhost:{port}")
        self._lock = lock

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        # A page of somebody else's can have its own name lead to this port, but not send another Host than that.
        if request.headers.getlist("Host") not in ([host] for host in self._hosts):
            return Response(status=421, headers=SECURITY)
        request.max_content_length = MAX_BYTES
        try:
            request.get_data()
        except RequestEntityTooLarge:
            return Response("This is more than the console takes.\n", 413, SECURITY)
        except ClientDisconnected:
            return Response(status=400, headers=SECURITY)
        event = make_event(request, datetime.now(UTC), f"{request.method} {request.path}")
        with self._lock:
            return make_response(app.answer(self._console, event, None))


class Running:
    """A console that answers, and how one gets in."""

    def __init__(self, console: app.Console) -> None:
        self._console = console

    def link(self, grant: Grant) -> str:
        """Return a link that signs somebody in, once, within the next minutes."""
        code = self._console.sessions.issue_code(grant, datetime.now(UTC))
        return f"{self._console.origin}/console/login#{code}"


def deployment_at(address: TableAddress, region: str | None, port: int | None) -> Deployment:
    """Return what the console says that it shows; `port` is the local server's."""
    if address.in_memory or address.of_server:
        return Deployment("demo", command_options="" if port in (None, LOCAL_PORT) else f"--port {port}")
    options = f"--table {address.table}" + (f" --endpoint-url {address.endpoint}" if address.endpoint else "")
    return Deployment(f"table {address.table}", None if address.is_local else region, command_options=options)


def beside_bridge(deployment: Deployment, services: Services, trader: str) -> Deployment:
    """Return the deployment, read-only where a bridge brings its orders to a venue of which the services do not know.

    Such a console would say of orders that nothing reaches a market, and place some that never would.
    """
    if services.venue.name or services.bridge.state(trader).at is None:
        return deployment
    why = (
        "A bridge works on this table, whatever is said of a venue. Use the link that the server of the bridge has "
        "printed, once and within 5 minutes: for another, stop that server and start it again."
    )
    return replace(deployment, read_only_because=why)


@contextmanager
def running(
    services: Services,
    deployment: Deployment,
    lock: AbstractContextManager[object],
    port: int = 0,
    what_to_do: Callable[[BaseException], str | None] | None = None,
) -> Iterator[Running]:
    """Answer in threads of their own; port 0 is a free one. Raises ListenError."""
    listener: socket.socket = listen(HOST, port)
    port = listener.getsockname()[1]
    # Its own name is one of two; a link has this one, and a cookie is for one of them alone.
    console = app.Console(
        services, ProcessSessions(), deployment, origin=f"http://{HOST}:{port}", seconds=PATIENCE_SECONDS
    )
    if what_to_do:
        console = replace(console, what_to_do=what_to_do)
    server = make_server(
        HOST,
        port,
        ConsoleDoor(console, port, lock),
        threaded=True,
        request_handler=QuietRequestHandler,
        fd=listener.fileno(),
    )
    thread = Thread(target=server.serve_forever, daemon=True)
    with listener:
        thread.start()
        try:
            yield Running(console)
        finally:
            server.shutdown()
            thread.join()
