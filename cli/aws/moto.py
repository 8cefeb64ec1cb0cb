"""AWS in this process's memory, by moto; other processes reach it by HTTP requests that are forwarded to it."""

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

REGION = "us-east-1"
"""moto keeps the tables of each region apart, and the functions see this one, whichever a caller signs for."""

_ENDPOINT_VARIABLES = (
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_SCHEDULER",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
"""Settings that would send a client's requests to something other than moto."""

_ADDRESS = "https://{}.{}.amazonaws.com/"

Forward = Callable[[Request], Response]
"""Hands an HTTP request for an AWS service on, and returns the answer."""


@contextmanager
def one_request_at_a_time() -> Iterator[None]:
    """Have moto answer one request at a time.

    Its conditional write is a read and then a write, and its transaction works on a copy of the table.
    """
    process_request, lock = BotocoreStubber.process_request, RLock()

    def process_alone(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        with lock:
            try:
                return process_request(stubber, request)
            finally:
                reset_model_data()  # moto's dashboard would keep every copy of the table that a transaction makes

    BotocoreStubber.process_request = process_alone  # type: ignore[assignment]
    try:
        yield
    finally:
        BotocoreStubber.process_request = process_request  # type: ignore[method-assign]


@contextmanager
def everything() -> Iterator[Forward]:
    """Answer all AWS clients of this process from memory; give a function that forwards DynamoDB requests to it."""
    with one_request_at_a_time(), mock_aws():  # which also puts made-up credentials into the environment
        for name in _ENDPOINT_VARIABLES:
            os.environ.pop(name, None)
        os.environ |= {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        yield forward_to("dynamodb", REGION)


@contextmanager
def queue_and_schedules(region: str) -> Iterator[None]:
    """Answer the SQS and EventBridge Scheduler clients of this process from memory, and no others."""
    config: Any = {"core": {"mock_credentials": False, "passthrough": {"services": ["dynamodb"]}}}
    with one_request_at_a_time(), mock_aws(config=config):
        # An endpoint that is set for all services, or in a profile, is meant for the table.
        for service in ("sqs", "scheduler"):
            os.environ[f"AWS_ENDPOINT_URL_{service.upper()}"] = _ADDRESS.format(service, region)
        yield


def forward_to(service: str, region: str) -> Forward:
    """Return a function that forwards requests for a service to moto, which must be answering for it."""
    address = _ADDRESS.format(service, region)

    def forward(request: Request) -> Response:
        # moto answers the `requests` library too, so this reaches its memory and never AWS.
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        url = address.rstrip("/") + request.full_path.rstrip("?")
        answer = requests.request(request.method, url, data=request.get_data(), headers=headers, timeout=5)
        return Response(answer.content, answer.status_code, dict(answer.headers))

    return forward
