"""API Gateway on this machine: turn HTTP requests into events (payload format 2.0), and answers into responses."""

import base64
import errno
import json
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from ipaddress import ip_address
from threading import Lock
from typing import Any

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import create_environ
from werkzeug.wrappers import Request, Response

from cli.aws.moto import Forward
from cli.connection import ROUTE
from cli.views.answers import answer_word, describe_counts

MAX_BYTES = 10_000_000
"""API Gateway's limit for a body; the handler's own is far smaller."""

Handler = Callable[[Mapping[str, Any], object], Mapping[str, Any]]
Log = Callable[[str], None]
Action = Callable[..., object]
"""Takes the lists of a query's values by their names, and returns what is told as JSON."""


class ListenError(Exception):
    """The server cannot listen on this address; the message says why, in one line."""


class QuietRequestHandler(WSGIRequestHandler):
    """Speak HTTP/1.1 and log nothing: a broken request line may be part of a body, and hold a key."""

    protocol_version = "HTTP/1.1"
    error_message_format = '{"message":"Bad Request"}'
    error_content_type = "application/json"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  werkzeug's name for it
        """Log nothing."""


class Gateway:
    """Answer HTTP requests as API Gateway does; a WSGI application.

    With `forward_to_dynamodb`, it also answers DynamoDB requests, and handles one request at a time.
    """

    def __init__(
        self,
        handler: Handler,
        log: Log,
        forward_to_dynamodb: Forward | None = None,
    ) -> None:
        self._handler = handler
        self.actions: dict[str, Action] = {}
        """What a POST to other paths does, without the lock."""
        self._log = log
        self._forward_to_dynamodb = forward_to_dynamodb
        self.lock: AbstractContextManager[object] = Lock() if forward_to_dynamodb else nullcontext()
        """Held during each request. Whoever else calls a function that uses the same table must hold it too."""

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
        if self._forward_to_dynamodb and request.headers.get("X-Amz-Target", "").startswith("DynamoDB_"):
            with self.lock:
                return self._forward_to_dynamodb(request)
        if request.method == "POST" and (action := self.actions.get(request.path)):
            told = action(**request.args.to_dict(flat=False))
            return Response(json.dumps(told), 200, content_type="application/json")
        if (request.method, request.path) != ("POST", ROUTE):
            return _message(404, "Not Found")
        with self.lock:
            started = time.monotonic()
            answer = self._handler(make_event(request, arrived), None)
            milliseconds = (time.monotonic() - started) * 1000
        self._log(_log_line(arrived, answer, milliseconds))
        return make_response(answer)


def make_event(request: Request, arrived: datetime, route: str = f"POST {ROUTE}") -> dict[str, Any]:
    """Return the event that API Gateway makes of a request to this route."""
    host, agent = request.headers.get("Host", ""), request.headers.get("User-Agent", "")
    source = request.remote_addr or ""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": request.path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "headers": {
            **{name.lower(): value for name, value in request.headers.items() if name.lower() != "cookie"},
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
            "routeKey": route,
            "stage": "$default",
            "time": arrived.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(arrived.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies := request.headers.getlist("Cookie"):
        event["cookies"] = [cookie.strip() for line in cookies for cookie in line.split(";")]
    if request.args:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in request.args.lists()}
    return event | _body(request.get_data(), request.mimetype)


def event_of(body: bytes) -> dict[str, Any]:
    """Return the event that API Gateway would make of an alert that comes from this machine now."""
    environ = create_environ(ROUTE, method="POST", data=body, content_type="text/plain", headers={"Host": "127.0.0.1"})
    return make_event(Request(environ | {"REMOTE_ADDR": "127.0.0.1"}), datetime.now(UTC))


def _body(body: bytes, content_type: str) -> dict[str, Any]:
    if not body:
        return {}
    if content_type.startswith("text/") or content_type in ("application/json", "application/xml"):
        try:
            return {"body": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def make_response(answer: Mapping[str, Any]) -> Response:
    """Return the HTTP response that API Gateway makes of a function's answer."""
    body = answer.get("body") or ""
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else body
    response = Response(content, answer["statusCode"], answer.get("headers"))
    for cookie in answer.get("cookies", ()):
        response.headers.add("Set-Cookie", cookie)
    return response


def _message(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, content_type="application/json")


def _log_line(arrived: datetime, answer: Mapping[str, Any], milliseconds: float) -> str:
    """Return one line about a request, from its answer alone, which never holds a key."""
    body = json.loads(answer["body"])
    subject = body.get("order_id") or body.get("strategy_id") or body.get("field")
    summary = " ".join(filter(None, (answer_word(body), subject)))
    if "reason" in body:
        summary += f": {body['reason']}"
    if "counts" in body:
        summary += f": {describe_counts(body['counts'])}"
    if "results" in body:
        summary += f": {len(body['results'])} accounts"
    time_of_day = arrived.astimezone().strftime("%H:%M:%S")
    return f"{time_of_day}  {answer['statusCode']}  {summary}  ({milliseconds:.0f} ms)"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address; port 0 chooses a free one. Raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ListenError(f"Port {port} is in use; stop what uses it, or choose another with --port.") from error
        raise ListenError(f"Cannot listen on {host}, port {port}: {str(error.strerror).partition(' (')[0]}.") from error


def is_loopback(listener: socket.socket) -> bool:
    """Return whether only this machine can reach it."""
    return ip_address(listener.getsockname()[0]).is_loopback


def serve_forever(listener: socket.socket, application: Gateway) -> None:
    """Answer requests, each in a thread of its own, until Ctrl-C."""
    host, port = listener.getsockname()[:2]
    server: BaseWSGIServer = make_server(
        host, port, application, threaded=True, request_handler=QuietRequestHandler, fd=listener.fileno()
    )
    with listener:
        server.serve_forever()
