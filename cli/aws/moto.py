"""moto's AWS inside this process, and a door to its DynamoDB over HTTP for the other commands."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import requests
from botocore.awsrequest import AWSPreparedRequest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.model_instances import reset_model_data
from werkzeug.wrappers import Request, Response

# moto keeps a database for each region; whichever the caller signs for, this is the one that the handler sees.
REGION = "us-east-1"

_ELSEWHERE = (
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_SCHEDULER",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
"""Settings that would lead a client past moto."""

_ADDRESS = "https://{}.{}.amazonaws.com/"

Forward = Callable[[Request], Response]


@contextmanager
def one_request_at_a_time() -> Iterator[None]:
    """Keep moto's requests apart: its conditional write is a read and a write, its transaction a copy of the table."""
    answer, turn = BotocoreStubber.process_request, RLock()

    def in_turn(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        with turn:
            try:
                return answer(stubber, request)
            finally:
                reset_model_data()  # moto's dashboard would keep every copy of the table that a transaction makes

    BotocoreStubber.process_request = in_turn  # type: ignore[assignment]
    try:
        yield
    finally:
        BotocoreStubber.process_request = answer  # type: ignore[method-assign]


@contextmanager
def everything() -> Iterator[Forward]:
    """Answer all AWS clients that this process makes from memory; give the door for DynamoDB clients of others."""
    with one_request_at_a_time(), mock_aws():  # which also puts made-up credentials into the environment
        for name in _ELSEWHERE:
            os.environ.pop(name, None)
        os.environ |= {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        yield door_to("dynamodb", REGION)


@contextmanager
def queue_and_schedules(region: str) -> Iterator[None]:
    """Answer the SQS and EventBridge Scheduler clients that this process makes from memory, and no others."""
    here: Any = {"core": {"mock_credentials": False, "passthrough": {"services": ["dynamodb"]}}}
    with one_request_at_a_time(), mock_aws(config=here):
        # Whatever endpoint is set for all services, or in a profile, is the table's.
        for service in ("sqs", "scheduler"):
            os.environ[f"AWS_ENDPOINT_URL_{service.upper()}"] = _ADDRESS.format(service, region)
        yield


def door_to(service: str, region: str) -> Forward:
    """Return what hands requests for a service on to moto, which must be answering for it."""
    address = _ADDRESS.format(service, region)

    def forward(request: Request) -> Response:
        # moto answers the `requests` library too, so this reaches what is in memory and never AWS.
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        url = address.rstrip("/") + request.full_path.rstrip("?")
        answer = requests.request(request.method, url, data=request.get_data(), headers=headers, timeout=5)
        return Response(answer.content, answer.status_code, dict(answer.headers))

    return forward
