"""CloudFormation, of which a test says what it answers; moto's wants packages that nothing else needs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

OUTPUT = "<Outputs><member><OutputKey>{}</OutputKey><OutputValue>orderhook-Table-1</OutputValue></member></Outputs>"
STACK = (
    '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>'
    "<member><StackName>mine</StackName><StackStatus>CREATE_COMPLETE</StackStatus>{}</member></Stacks>"
    "</DescribeStacksResult></DescribeStacksResponse>"
)
MISSING = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
    "<Message>Stack with id mine does not exist</Message></Error></ErrorResponse>"
)

Answering = Callable[[str, int], AbstractContextManager[None]]


def stand_in(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Return what has CloudFormation answer every request with the same text and status."""

    @contextmanager
    def answering(text: str, status: int) -> Iterator[None]:
        def answer(request: Request) -> Response:
            assert request.form["StackName"] == "mine"
            return Response(text, status, content_type="text/xml")

        server = make_server("127.0.0.1", 0, Request.application(answer))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", f"http://127.0.0.1:{server.port}")
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()

    return answering
