"""A new version gets traffic only if it answers; what it is asked does nothing."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from urllib3 import HTTPResponse

import before_traffic
import deferred
import notify
import reports
import webhook
from cli.aws.table import create_table
from orderhook.aws import deployment
from orderhook.keys import Key, issue
from orderhook.services import Services
from orderhook.store.table import Table as StoreTable
from tests.client_faults import Deliver
from tests.faults import lose_request, refuse
from tests.service import Service
from tests.tables import RETENTION

FUNCTIONS_FOLDER = Path(before_traffic.__file__).parent
EVENT = {"DeploymentId": "d-EXAMPLE", "LifecycleEventHookExecutionId": "opaque"}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "webhook:7": webhook.handler,
    "deferred": deferred.handler,
    "reports": reports.handler,
    "notify": notify.handler,
}


class Aws:
    """Lambda and CodeDeploy, as far as a deployment asks them: over HTTP."""

    def __init__(self) -> None:
        self.functions = dict(FUNCTIONS)
        self.reported: list[dict[str, str]] = []
        self.table_before = ""

    def invoke(self, request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
        name = request.url.split("/functions/")[1].split("/")[0].replace("%3A", ":")
        try:
            return _response(request, self.functions[name](_body(request), None))
        except Exception as fault:
            # As Lambda answers where a function fails.
            return _response(request, {"errorType": type(fault).__name__}, {"X-Amz-Function-Error": "Unhandled"})

    def configuration(self, request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
        assert request.url.endswith("/functions/webhook/configuration?Qualifier=live")
        return _response(request, {"Environment": {"Variables": {"ORDERHOOK_TABLE": self.table_before}}})

    def take_report(self, request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
        self.reported.append(_body(request))
        return _response(request, {})


def _body(request: AWSPreparedRequest) -> Any:
    assert isinstance(request.body, bytes)
    return json.loads(request.body)


def _response(request: AWSPreparedRequest, body: object, headers: Mapping[str, str] | None = None) -> AWSResponse:
    raw = HTTPResponse(BytesIO(json.dumps(body).encode()), preload_content=False)
    return AWSResponse(request.url, 200, HTTPHeaders.from_dict(headers or {}), raw)


def use_table(service: Service, name: str) -> None:
    """Have the stack be deployed with this table."""
    service.monkeypatch.setattr(before_traffic, "table", StoreTable(service.table.handlers_client, name))


@pytest.fixture
def aws(service: Service, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("ORDERHOOK_WEBHOOK_VERSION", "webhook:7")
    monkeypatch.setenv("ORDERHOOK_DEFERRED_FUNCTION", "deferred")
    monkeypatch.setenv("ORDERHOOK_REPORTS_FUNCTION", "reports")
    monkeypatch.setenv("ORDERHOOK_NOTIFY_FUNCTION", "notify")
    service.output.take()
    aws = Aws()
    aws.table_before = service.table.name
    use_table(service, service.table.name)
    for client in (before_traffic.deployment._lambda, before_traffic.deployment._code_deploy):
        service.network.watch(client)
    service.network.inject("Invoke", *[aws.invoke] * len(FUNCTIONS))
    service.network.inject("GetFunctionConfiguration", aws.configuration)
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


def test_without_a_venue_nobody_asks_for_reports(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERHOOK_REPORTS_FUNCTION", "")
    del aws.functions["reports"]
    assert status(aws) == "Succeeded"


@pytest.fixture
def other(service: Service) -> Iterator[Services]:
    """Another table than before, without a key: the new version has it."""
    name = f"other-{uuid4().hex}"
    create_table(service.table.client, name)
    use_table(service, name)
    service.use_table(name)
    yield Services.over(StoreTable(service.table.client, name), retention=RETENTION, alert_retention=RETENTION)
    service.table.client.delete_table(TableName=name)


def a_key() -> Key:
    return issue(trader="main", label="", scopes=frozenset({"CANCEL"}), created="2026-01-02")[1]


def test_a_version_that_moves_to_a_table_without_a_key_gets_none(aws: Aws, service: Service, other: Services) -> None:
    assert status(aws) == "Failed"
    [line] = service.output.lines()
    assert (line["message"], line["table"]) == ("not ready", other.table.name)
    assert line["reason"] == "the table is another one than before, and has no valid key: every alert would be refused"


def test_a_version_that_moves_to_a_table_whose_keys_are_revoked_gets_none(aws: Aws, other: Services) -> None:
    revoked = a_key()
    other.keys.put(revoked)
    other.keys.revoke(revoked.key_id, datetime.now(UTC))
    assert status(aws) == "Failed"


def test_a_version_that_moves_to_a_table_with_a_key_gets_traffic(aws: Aws, other: Services) -> None:
    other.keys.put(a_key())
    assert status(aws) == "Succeeded"


def test_a_stack_that_has_no_key_yet_can_be_deployed_again(aws: Aws, other: Services) -> None:
    aws.table_before = other.table.name
    assert status(aws) == "Succeeded"


@pytest.mark.parametrize("has_key", [True, False])
def test_keys_decide_where_the_table_before_is_not_told(
    aws: Aws, service: Service, other: Services, has_key: bool
) -> None:
    service.network.inject("GetFunctionConfiguration", refuse("AccessDeniedException"))
    if has_key:
        other.keys.put(a_key())
    assert status(aws) == ("Succeeded" if has_key else "Failed")


def test_who_asks_can_tell_where_nothing_compiled_can_be_imported() -> None:
    program = "import sys; sys.modules['pydantic_core'] = None; import before_traffic"
    subprocess.run([sys.executable, "-c", program], cwd=FUNCTIONS_FOLDER, check=True)


def test_nobody_can_ask_from_outside(service: Service) -> None:
    assert service.post(json.dumps(deployment.REQUEST)).status == 401
