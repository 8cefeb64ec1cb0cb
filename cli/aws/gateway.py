"""API Gateway on this machine: HTTP requests become events (payload format 2.0), the handler's answers responses."""

import base64
import errno
import json
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from cli.aws.moto import Forward
from cli.show import answer_word, counted

ROUTE = "/webhook"
MAX_BYTES = 10_000_000
"""API Gateway's quota for a body; the handler itself takes far less."""

Handler = Callable[[Mapping[str, Any], object], Mapping[str, Any]]
Tell = Callable[[str], None]


class ListenError(Exception):
    """The address cannot be listened on; the message says why, in one line."""


class Quiet(WSGIRequestHandler):
    """Speak HTTP/1.1 without a log of its own: a broken request line can be a piece of a body, and hold a key."""

    protocol_version = "HTTP/1.1"
    error_message_format = '{"message":"Bad Request"}'
    error_content_type = "application/json"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  werkzeug's name for it
        """Say nothing."""


class Gateway:
    """Answer HTTP requests as API Gateway would; a WSGI application.

    With a `door`, DynamoDB's protocol is spoken beside the webhook, and everything happens one request at a time.
    """

    def __init__(self, handler: Handler, tell: Tell, door: Forward | None = None) -> None:
        self._handler = handler
        self._tell = tell
        self._door = door
        self.turn: AbstractContextManager[object] = Lock() if door else nullcontext()
        """Whoever else calls functions over the same table waits for it."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        arrived = datetime.now(UTC)
        request.max_content_length = MAX_BYTES
        try:
            request.get_data()
        except RequestEntityTooLarge:
            return _message(413, "Request Entity Too Large")
        except ClientDisconnected:
            return _message(400, "Bad Request")
        if self._door and request.headers.get("X-Amz-Target", "").startswith("DynamoDB_"):
            with self.turn:
                return self._door(request)
        if (request.method, request.path) != ("POST", ROUTE):
            return _message(404, "Not Found")
        with self.turn:
            started = time.monotonic()
            answer = self._handler(event(request, arrived), None)
            milliseconds = (time.monotonic() - started) * 1000
        self._tell(_line(arrived, answer, milliseconds))
        return response(answer)


def event(request: Request, arrived: datetime) -> dict[str, Any]:
    """Return the event that API Gateway makes of a request."""
    host, agent = request.headers.get("Host", ""), request.headers.get("User-Agent", "")
    source = request.remote_addr or ""
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"POST {ROUTE}",
        "rawPath": request.path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "headers": {
            **{name.lower(): value for name, value in request.headers.items()},
            "x-forwarded-for": source,
            "x-forwarded-port": host.rpartition(":")[2],
            "x-forwarded-proto": "http",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": str(request.environ.get("SERVER_PROTOCOL")),
                "sourceIp": source,
                "userAgent": agent,
            },
            "requestId": secrets.token_urlsafe(11) + "=",
            "routeKey": f"POST {ROUTE}",
            "stage": "$default",
            "time": arrived.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(arrived.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if request.args:
        made["queryStringParameters"] = {name: ",".join(values) for name, values in request.args.lists()}
    return made | _body(request.get_data(), request.mimetype)


def _body(body: bytes, content_type: str) -> dict[str, Any]:
    if not body:
        return {}
    if content_type.startswith("text/") or content_type in ("application/json", "application/xml"):
        try:
            return {"body": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def response(answer: Mapping[str, Any]) -> Response:
    """Return the HTTP response of what a Lambda function answers."""
    body = answer.get("body") or ""
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else body
    return Response(content, answer["statusCode"], answer.get("headers"))


def _message(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, content_type="application/json")


def _line(arrived: datetime, answer: Mapping[str, Any], milliseconds: float) -> str:
    """Return the log line of a request: from its answer only, which never holds a key."""
    body = json.loads(answer["body"])
    about = body.get("order_id") or body.get("strategy_id") or body.get("field")
    words = " ".join(filter(None, (answer_word(body), about)))
    if "counts" in body:
        words += f": {counted(body['counts'])}"
    if "results" in body:
        words += f": {len(body['results'])} accounts"
    time_of_day = arrived.astimezone().strftime("%H:%M:%S")
    return f"{time_of_day}  {answer['statusCode']}  {words}  ({milliseconds:.0f} ms)"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address, port 0 being any free one; raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ListenError(f"Port {port} is in use: stop what uses it, or choose another with --port.") from error
        raise ListenError(f"Cannot listen on {host}, port {port}: {str(error.strerror).partition(' (')[0]}.") from error


def serve_forever(listener: socket.socket, application: Gateway) -> None:
    """Answer requests, each in a thread of its own, until Ctrl-C."""
    host, port = listener.getsockname()[:2]
    server: BaseWSGIServer = make_server(
        host, port, application, threaded=True, request_handler=Quiet, fd=listener.fileno()
    )
    with listener:
        server.serve_forever()
