"""A new version gets traffic only if it answers; what it is asked does nothing."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from urllib3 import HTTPResponse

import before_traffic
import deferred
import webhook
from orderhook.aws import deployment
from tests.client_faults import Deliver
from tests.faults import lose_request, refuse
from tests.service import Service

EVENT = {"DeploymentId": "d-EXAMPLE", "LifecycleEventHookExecutionId": "opaque"}
FUNCTIONS: dict[str, Callable[..., Any]] = {"webhook:7": webhook.handler, "deferred": deferred.handler}


class Aws:
    """Lambda and CodeDeploy, as far as a deployment asks them: over HTTP."""

    def __init__(self) -> None:
        self.functions = dict(FUNCTIONS)
        self.reported: list[dict[str, str]] = []

    def invoke(self, request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
        name = request.url.split("/functions/")[1].split("/")[0].replace("%3A", ":")
        try:
            return _response(request, self.functions[name](json.loads(request.body), None))
        except Exception as fault:
            # As Lambda answers where a function fails.
            return _response(request, {"errorType": type(fault).__name__}, {"X-Amz-Function-Error": "Unhandled"})

    def take_report(self, request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
        self.reported.append(json.loads(request.body))
        return _response(request, {})


def _response(request: AWSPreparedRequest, body: object, headers: dict[str, str] | None = None) -> AWSResponse:
    raw = HTTPResponse(BytesIO(json.dumps(body).encode()), preload_content=False)
    return AWSResponse(request.url, 200, headers or {}, raw)


@pytest.fixture
def aws(service: Service, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("ORDERHOOK_WEBHOOK_VERSION", "webhook:7")
    monkeypatch.setenv("ORDERHOOK_DEFERRED_FUNCTION", "deferred")
    service.output.take()
    aws = Aws()
    for client in (before_traffic.deployment._lambda, before_traffic.deployment._code_deploy):
        service.network.watch(client)
    service.network.inject("Invoke", *[aws.invoke] * len(FUNCTIONS))
    service.network.inject("PutLifecycleEventHookExecutionStatus", aws.take_report)
    return aws


def status(aws: Aws) -> str:
    """Return what CodeDeploy is told of the event."""
    before_traffic.handler(EVENT, None)
    [report] = aws.reported
    assert (report["deploymentId"], report["lifecycleEventHookExecutionId"]) == ("d-EXAMPLE", "opaque")
    return report["status"]


def test_a_version_that_answers_gets_traffic(aws: Aws) -> None:
    assert status(aws) == "Succeeded"


def test_the_check_needs_what_alerts_need_and_leaves_nothing(aws: Aws, service: Service) -> None:
    before = service.everything()
    status(aws)
    assert [it.operation for it in service.network.requests if it.service == "dynamodb"] == [
        "GetItem",
        "Query",
        "UpdateItem",
    ]
    assert service.everything() == before
    # No alarm hears of it.
    assert "CloudWatchMetrics" not in service.output.take()


@pytest.mark.parametrize("operation", ["GetItem", "Query", "UpdateItem"])
def test_a_version_that_may_not_use_the_table_gets_none(aws: Aws, service: Service, operation: str) -> None:
    service.network.inject(operation, refuse("AccessDeniedException"))
    assert status(aws) == "Failed"
    [line] = service.output.lines()
    assert (line["message"], line["function"]) == ("not ready", "webhook:7")
    assert line["answer"] == {"ready": False, "reason": "AccessDeniedException"}


def test_a_version_that_does_not_reach_the_table_gets_none(aws: Aws, service: Service) -> None:
    service.network.inject("GetItem", *[lose_request] * 3)
    assert status(aws) == "Failed"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_version_that_cannot_start_gets_none(aws: Aws, function: str) -> None:
    def fail(*_: object) -> None:
        raise ImportError

    aws.functions[function] = fail
    assert status(aws) == "Failed"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_cannot_be_asked_gets_none(aws: Aws, function: str) -> None:
    del aws.functions[function]
    assert status(aws) == "Failed"


def test_nobody_can_ask_from_outside(service: Service) -> None:
    assert service.post(json.dumps(deployment.REQUEST)).status == 401
