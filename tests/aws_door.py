"""A door to the AWS in this process's memory, for processes that a test starts: DynamoDB and SQS over HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from cli.aws.moto import REGION, forward_to

PAUSE_SECONDS = 0.1
"""How long who waits for a message is kept waiting at most: moto would let nobody else in meanwhile."""


class Door:
    """What other processes send to `url`; `lock` is held during each request, for moto keeps threads apart by luck."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.url = ""
        self.is_open = True
        self._sent = threading.Condition()
        self._forward = {"AmazonSQS": forward_to("sqs", REGION), "DynamoDB_20120810": forward_to("dynamodb", REGION)}

    def answer(self, request: Request) -> Response:
        service, _, operation = request.headers["X-Amz-Target"].partition(".")
        if operation == "ReceiveMessage":
            return self._receive(json.loads(request.get_data()), request)
        with self.lock:
            answer = self._forward[service](request)
        if operation == "SendMessage":
            with self._sent:
                self._sent.notify_all()
        return answer

    def _receive(self, asked: dict[str, Any], request: Request) -> Response:
        """Answer at once if there is a message, else when one is sent through the door; what others send waits."""
        body = json.dumps({**asked, "WaitTimeSeconds": 0}).encode()
        with self._sent:  # what is sent from here on notifies
            answer = self._take(body, request)
            if b"Messages" in answer.get_data() or not asked.get("WaitTimeSeconds"):
                return answer
            self._sent.wait(PAUSE_SECONDS)
        return self._take(body, request)

    def _take(self, body: bytes, request: Request) -> Response:
        there = Request.from_values(
            method=request.method, headers=_without_length(request), data=body, base_url="http://sqs/"
        )
        with self.lock:
            # Who waited until the door was closed must not reach past moto, which may have ended with it.
            return self._forward["AmazonSQS"](there) if self.is_open else Response(status=503)


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Leave stderr to the tests."""


def _without_length(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.headers.items() if name.lower() != "content-length"]


@contextmanager
def opened() -> Iterator[Door]:
    """Keep the door open for as long as the block lasts."""
    door = Door()
    server = make_server("127.0.0.1", 0, Request.application(door.answer), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    door.url = f"http://127.0.0.1:{server.port}"
    thread.start()
    try:
        yield door
    finally:
        with door.lock:
            door.is_open = False
        server.shutdown()
        thread.join()
        server.server_close()
