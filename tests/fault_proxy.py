"""Faults injected in a proxy: it stands between a client and DynamoDB and loses, refuses or delays.

    with FaultProxy(endpoint) as proxy:
        client = connect(endpoint_url=proxy.endpoint)
        proxy.inject(lose_response, operation="UpdateItem")
        ...
        assert proxy.operations == ["UpdateItem", "UpdateItem"]

Unlike client_faults.py, which stands in for botocore's sender, it leaves the client's sockets, pool and time-outs at
work.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import urllib3

from tests.faults import Delay, Fault, Refusal, no_fault

# They belong to one connection, and the proxy has one to either side.
_OF_A_CONNECTION = {"connection", "content-length", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Request:
    operation: str
    """DynamoDB's name for it, such as UpdateItem."""
    payload: dict[str, Any]
    at: float
    """When it arrived, in seconds of time.monotonic."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One request and its answer, as a fault sees it."""

    def __init__(self, handler: "_Handler", request: Request, body: bytes) -> None:
        self.request = request
        self.client = handler.client_address
        self._handler, self._body = handler, body

    def forward(self) -> Answer:
        """Bring the request to DynamoDB."""
        headers = _without_hop(self._handler.headers)
        upstream = self._handler.server.proxy.upstream
        answer = upstream.request("POST", self._handler.path, self._body, headers=headers, decode_content=False)
        return Answer(answer.status, answer.headers, answer.data)

    def reply(self, answer: Answer, *, pause: float = 0, until: threading.Event | None = None) -> None:
        """Answer the client; with a pause (seconds), byte by byte, until the event if there is one."""
        handler, rest = self._begin(answer), answer.body
        while pause and rest and not (until and until.is_set()):
            handler.wfile.flush()
            self.wait(pause)
            handler.wfile.write(rest[:1])
            rest = rest[1:]
        handler.wfile.write(rest)

    def reply_in_part(self, answer: Answer, share: float) -> None:
        """Answer with the beginning of the body, and hang up."""
        self._begin(answer).wfile.write(answer.body[: int(len(answer.body) * share)])
        self.hang_up()

    def _begin(self, answer: Answer) -> "_Handler":
        handler = self._handler
        handler.send_response_only(answer.status)
        for name, value in _without_hop(answer.headers).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        return handler

    def hang_up(self) -> None:
        """Close the connection; the client reads an end where an answer should be."""
        self._handler.close_connection = True

    def wait(self, seconds: float) -> None:
        """Sleep, but not longer than the proxy listens."""
        self._handler.server.closing.wait(seconds)


def _without_hop(headers: Message | Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_A_CONNECTION}


Interception = Callable[[Exchange], None]
"""What a test does with a request of its own."""


def perform(fault: Fault, exchange: Exchange) -> None:
    """Do to a request what the fault says."""
    match fault:
        case Refusal(body=body, status=status):
            content_type = {"Content-Type": "application/x-amz-json-1.0"}
            exchange.reply(Answer(status, content_type, json.dumps(body).encode()))
        case Delay("delay_request", seconds):
            exchange.wait(seconds)
            exchange.reply(exchange.forward())
        case Delay("delay_response", seconds):
            answer = exchange.forward()
            exchange.wait(seconds)
            exchange.reply(answer)
        case Delay("drip", seconds):
            exchange.reply(exchange.forward(), pause=seconds)
        case Fault("no_fault"):
            exchange.reply(exchange.forward())
        case Fault("lose_request"):
            exchange.hang_up()
        case Fault("lose_response"):
            exchange.forward()
            exchange.hang_up()
        case Fault("cut_response"):
            exchange.reply_in_part(exchange.forward(), 0.5)
        case _:
            raise ValueError(f"{fault} cannot be injected in a proxy")


@dataclass(slots=True)
class _Plan:
    fault: Fault | Interception
    matches: Callable[[Request], bool]
    skip: int
    times: float


class FaultProxy:
    """Forward every request to `upstream`, record it, and put the planned faults in its way."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urllib3.connection_from_url(upstream, maxsize=64, retries=False)
        self.requests: list[Request] = []
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = _Server(self, port=0)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop()
        self.upstream.close()

    @property
    def operations(self) -> list[str]:
        """What was asked so far, whether or not it got through."""
        return [request.operation for request in self.requests]

    def inject(
        self,
        fault: Fault | Interception,
        *,
        operation: str | None = None,
        when: Callable[[Request], bool] = lambda _: True,
        skip: int = 0,
        times: float = 1,
    ) -> None:
        """Put `fault` in the way of the next `times` (math.inf: all) matching requests after the first `skip`.

        A request meets one fault: that of the earliest plan that wants it. `when` is never called by two threads at
        once, so it may draw from a seeded random.Random.
        """

        def matches(request: Request) -> bool:
            return operation in (None, request.operation) and when(request)

        with self._lock:
            self._plans.append(_Plan(fault, matches, skip, times))

    def clear(self) -> None:
        """Forget the plans, and the requests so far."""
        with self._lock:
            self._plans.clear()
            self.requests.clear()

    @contextmanager
    def refusing_connections(self) -> Iterator[None]:
        """Close every connection and let nobody listen, as if DynamoDB were gone; afterwards it is back."""
        port = self._server.server_port
        self._server.stop()
        try:
            yield
        finally:
            self._server = _Server(self, port)

    def fault_for(self, request: Request) -> Fault | Interception:
        with self._lock:
            self.requests.append(request)
            for plan in self._plans:
                if plan.times > 0 and plan.matches(request):
                    if plan.skip == 0:
                        plan.times -= 1
                        return plan.fault
                    plan.skip -= 1
        return no_fault


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.proxy = proxy
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._accepting.start()

    def stop(self) -> None:
        self.shutdown()
        self._accepting.join()
        self.closing.set()
        for connection in list(self._connections):
            with suppress(OSError):  # closed by its client at this moment
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that gives up is nothing to report.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections alive
    wbufsize = -1  # buffered, and sent at once: an answer in two packets waits 40 ms for an acknowledgement
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # the connection ended in the middle of it
            self.close_connection = True
            return
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        request = Request(operation, json.loads(body), time.monotonic())
        fault, exchange = self.server.proxy.fault_for(request), Exchange(self, request, body)
        if isinstance(fault, Fault):
            perform(fault, exchange)
        else:
            fault(exchange)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is http.server's
        """Leave stderr to the tests."""
