"""What the function that tells the trader asks of AWS, against what the template lets its role do.

An emulator refuses nothing: without this, what the role lacks is first missed on AWS.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

import notify
import reports
from cli.aws.table import read_template
from orderhook.bridge_messages import PositionReport
from orderhook.notifying.channels import by_terminal
from orderhook.orders import timestamp
from orderhook.venues import TABLE
from tests.client_faults import Request
from tests.faults import no_fault, throttle
from tests.integration.test_venue_reports import deliver, have, say
from tests.service import Service, wall_clock

STATEMENTS = [
    statement
    for policy in read_template()["Resources"]["NotifyRole"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]
    if "dynamodb:" in str(statement["Action"])
]


@pytest.fixture(autouse=True)
def _with_venue(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))
    monkeypatch.setattr(notify, "datetime", wall_clock(lambda: service.queue.now))
    monkeypatch.setattr(notify, "stack", "mine")
    service.use_venue()


def partitions(payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield the partitions that a request reaches, which IAM calls leading keys."""
    if "RequestItems" in payload:
        for asked in payload["RequestItems"].values():
            yield from (key["pk"]["S"] for key in asked["Keys"])
    elif "Key" in payload:
        yield payload["Key"]["pk"]["S"]
    else:
        yield payload["ExpressionAttributeValues"][":pk"]["S"]


def is_allowed(request: Request, partition: str) -> bool:
    def allows(statement: Mapping[str, Any]) -> bool:
        actions = statement["Action"]
        of_index = "/index/" in str(statement["Resource"])
        patterns = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", ["*"])
        return (
            f"dynamodb:{request.operation}" in ([actions] if isinstance(actions, str) else actions)
            and of_index == ("IndexName" in request.payload)
            and any(fnmatchcase(partition, pattern) for pattern in patterns)
        )

    return any(map(allows, STATEMENTS))


def trouble(service: Service) -> None:
    """Have something of each kind to tell: a position without its stop, refusals, a 503, a turned switch."""
    have(service, state="Working")
    deliver(service, say("Filled", 5, alarms=["unprotected"]))
    deliver(service, PositionReport("Sim101", "ES 12-26", "LONG", 5, None, timestamp(service.queue.now)))
    service.cancel("none")  # an id that nothing may have
    service.network.always = throttle
    service.cancel("other")
    service.network.always = no_fault
    service.turn("on")


def test_it_asks_nothing_that_its_role_may_not_do(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(notify, "services", service.handlers_services)
    monkeypatch.setattr(notify, "_channels", lambda _trader, _told: [by_terminal(told.append)])
    event = {"Records": [{"messageId": "1"}]}
    assert notify.handler(event, None) == {"batchItemFailures": []}  # from here on refusals are summed
    trouble(service)
    service.network.forget()
    for _ in range(3):
        service.pass_time(120)
        assert notify.handler(event, None) == {"batchItemFailures": []}
    said = "\n".join(told)
    assert all(code in said for code in ("unprotected:", "kill_switch_on:", "invalid_value:", "bridge_away:")), said
    refused = [
        (request.operation, partition)
        for request in service.network.requests
        for partition in partitions(request.payload)
        if not is_allowed(request, partition)
    ]
    assert refused == []
    assert {request.operation for request in service.network.requests} == {
        *("BatchGetItem", "GetItem", "Query", "UpdateItem"),
    }


def test_what_the_role_lacks_would_be_noticed() -> None:
    assert is_allowed(Request("dynamodb", "UpdateItem", {}), "NOTICES#main")
    assert not is_allowed(Request("dynamodb", "UpdateItem", {}), "TRADER#main")
    assert not is_allowed(Request("dynamodb", "PutItem", {}), "NOTICES#main")
    assert not is_allowed(Request("dynamodb", "GetItem", {}), "SESSIONS")
    assert not is_allowed(Request("dynamodb", "Query", {}), "SIGN_IN_CODES")


@pytest.mark.parametrize(("with_venue", "reads"), [(False, 9), (True, 11)])
def test_a_look_that_finds_nothing_costs_what_the_page_about_cost_says(
    service: Service, monkeypatch: pytest.MonkeyPatch, *, with_venue: bool, reads: int
) -> None:
    if not with_venue:
        service.use_venue(TABLE)
    monkeypatch.setattr(notify, "services", service.handlers_services)
    monkeypatch.setattr(notify, "_channels", lambda _trader, _told: [by_terminal(print)])
    event = {"Records": [{"messageId": "1"}]}
    notify.handler(event, None)
    service.network.forget()
    service.let_pass(60)
    service.hear_bridge()
    notify.handler(event, None)
    operations = service.network.operations
    assert (len(operations) - operations.count("UpdateItem"), operations.count("UpdateItem")) == (reads, 1), operations
