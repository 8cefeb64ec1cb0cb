"""Which table the options of a command name."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from cli.target import IN_MEMORY, LOCAL_ENDPOINT, Target, TargetError, choose, local_credentials

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


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """CloudFormation, which answers every request with the same text; moto's wants packages that nothing else needs."""

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


def test_without_options_it_is_the_table_of_the_local_run() -> None:
    assert choose(None, None, None) == Target("orderhook", LOCAL_ENDPOINT)


def test_a_table_is_on_aws_unless_there_is_an_endpoint() -> None:
    assert choose("book", None, None) == Target("book")
    assert choose("book", None, "http://localhost:8000") == Target("book", "http://localhost:8000")


def test_a_stack_is_the_table_of_its_outputs(cloudformation: Answering) -> None:
    with cloudformation(STACK.format(OUTPUT.format("TableName")), 200):
        assert choose(None, "mine", None) == Target("orderhook-Table-1")


def test_a_stack_without_that_output_is_said_so(cloudformation: Answering) -> None:
    for outputs in ("", OUTPUT.format("SomethingElse")):
        with (
            cloudformation(STACK.format(outputs), 200),
            pytest.raises(TargetError, match="Stack mine has no output TableName"),
        ):
            choose(None, "mine", None)


def test_a_stack_that_is_not_there_is_said_so(cloudformation: Answering) -> None:
    with (
        cloudformation(MISSING, 400),
        pytest.raises(TargetError, match=r"Stack mine cannot be read: .* does not exist"),
    ):
        choose(None, "mine", None)


def test_a_table_and_a_stack_contradict_each_other() -> None:
    with pytest.raises(TargetError, match="not both"):
        choose("book", "mine", None)


@pytest.mark.parametrize("endpoint", ["localhost:8000", "book", "ftp://localhost"])
def test_an_endpoint_is_a_url(endpoint: str) -> None:
    with pytest.raises(TargetError, match="must be a URL"):
        choose(None, None, endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "https://dynamodb.eu-west-1.amazonaws.com",
        "https://DYNAMODB.EU-WEST-1.AMAZONAWS.COM:443/",
        "https://dynamodb.cn-north-1.amazonaws.com.cn",
        "https://dynamodb.eu-west-1.api.aws",
        "https://vpce-0a-1b.dynamodb.eu-west-1.vpce.amazonaws.com",
    ],
)
def test_a_table_on_aws_is_not_local(endpoint: str | None) -> None:
    assert not Target("book", endpoint).is_local


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8000", "http://dynamodb-local:8000", "http://[::1]:8000"])
def test_a_table_elsewhere_is_local(endpoint: str) -> None:
    assert Target("book", endpoint).is_local
    assert IN_MEMORY.is_local


def test_credentials_for_a_local_endpoint_are_the_environments_or_made_up() -> None:
    assert local_credentials({}) == {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    own = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    assert local_credentials(own) == {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
