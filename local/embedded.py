"""moto's DynamoDB inside this process, and a door to it over HTTP for the other commands."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import requests
from botocore.awsrequest import AWSPreparedRequest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from werkzeug.wrappers import Request, Response

# moto keeps a database for each region; whichever the caller signs for, this is the one that the handler sees.
REGION = "us-east-1"
_ADDRESS = f"https://dynamodb.{REGION}.amazonaws.com/"

_ELSEWHERE = ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_USE_DUALSTACK_ENDPOINT")
"""Settings that would lead a client past moto."""

Door = Callable[[Request], Response]


@contextmanager
def one_request_at_a_time() -> Iterator[None]:
    """Keep moto's requests apart: its conditional write is a read and a write, its transaction a copy of the table."""
    answer, turn = BotocoreStubber.process_request, RLock()

    def in_turn(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        with turn:
            return answer(stubber, request)

    BotocoreStubber.process_request = in_turn  # type: ignore[assignment]
    try:
        yield
    finally:
        BotocoreStubber.process_request = answer  # type: ignore[method-assign]


@contextmanager
def dynamodb() -> Iterator[Door]:
    """Answer the DynamoDB clients that this process makes from memory; give the door for those of others."""
    with one_request_at_a_time(), mock_aws():  # which also puts made-up credentials into the environment
        for name in _ELSEWHERE:
            os.environ.pop(name, None)
        os.environ |= {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        yield _forward


def _forward(request: Request) -> Response:
    # moto answers the `requests` library too, so this reaches the tables in memory and never AWS.
    headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
    answer = requests.post(_ADDRESS, data=request.get_data(), headers=headers, timeout=5)
    return Response(answer.content, answer.status_code, dict(answer.headers))
