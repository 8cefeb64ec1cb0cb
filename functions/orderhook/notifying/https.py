"""The request to an outgoing webhook: HTTPS alone, no redirects, 3 seconds in all, and no error that names the URL."""

import json
import socket
import ssl
import time
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.notifying.destinations import Request
from orderhook.store.notices import State

SECONDS = 3.0


def post(request: Request) -> tuple[State, str | None]:
    """Post a message once; return whether it was taken, and if not, why.

    "Not reached" is certain: the service was not connected to, or has said that it takes none now. Of all else that
    fails nobody knows whether it was taken. In any thread but the main one a service that answers bit by bit may take
    longer.
    """
    ends = time.monotonic() + SECONDS
    connection = HTTPSConnection(urlsplit(request.url).netloc)
    try:
        call_until(ends, _connect, connection)
    except (DeadlineError, OSError) as error:
        connection.close()
        return "not reached", _reason(error)
    try:
        status = call_until(ends, _status_of, connection, request)
    except (DeadlineError, OSError, HTTPException) as error:
        return "failed", _reason(error)
    finally:
        connection.close()
    if 200 <= status < 300:
        return "sent", None
    return "not reached" if status == 429 else "failed", f"it was answered {status}"


def _connect(connection: HTTPSConnection) -> None:
    connection.sock = socket.create_connection((connection.host, connection.port), SECONDS)
    # Kept before the handshake, so that it is closed whenever that ends.
    connection.sock = ssl.create_default_context().wrap_socket(
        connection.sock, server_hostname=connection.host, do_handshake_on_connect=False
    )
    connection.sock.do_handshake()


def _status_of(connection: HTTPSConnection, request: Request) -> int:
    parts = urlsplit(request.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    body = json.dumps(request.body).encode()
    connection.request("POST", target, body, {"Content-Type": "application/json", "User-Agent": "orderhook"})
    return connection.getresponse().status  # what it says besides is not read


def _reason(error: BaseException) -> str:
    if isinstance(error, DeadlineError | TimeoutError):
        return f"there was no answer within {SECONDS:g} s"
    return type(error).__name__
