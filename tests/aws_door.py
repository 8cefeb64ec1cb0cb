"""A door to the AWS in this process's memory, for processes that a test starts: DynamoDB and SQS over HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from cli.aws.moto import REGION, forward_to

PAUSE_SECONDS = 0.1
"""How long who waits for a message is kept waiting: moto would let nobody else in meanwhile."""


class Door:
    """What other processes send to `url`; `lock` is held during each request, for moto keeps threads apart by luck."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.url = ""
        self._forward = {"AmazonSQS": forward_to("sqs", REGION), "DynamoDB_20120810": forward_to("dynamodb", REGION)}

    def answer(self, request: Request) -> Response:
        service, _, operation = request.headers["X-Amz-Target"].partition(".")
        if operation == "ReceiveMessage":
            time.sleep(PAUSE_SECONDS)
            body = json.dumps({**json.loads(request.get_data()), "WaitTimeSeconds": 0}).encode()
            request = Request.from_values(
                method=request.method, headers=_without_length(request), data=body, base_url="http://sqs/"
            )
        with self.lock:
            return self._forward[service](request)


def _without_length(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.headers.items() if name.lower() != "content-length"]


@contextmanager
def opened() -> Iterator[Door]:
    """Keep the door open for as long as the block lasts."""
    door = Door()
    server = make_server("127.0.0.1", 0, Request.application(door.answer), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    door.url = f"http://127.0.0.1:{server.port}"
    thread.start()
    try:
        yield door
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
