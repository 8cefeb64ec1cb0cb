"""Every file of events/, sent through the handler over the demo's table."""

from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from uuid import uuid4

import pytest

import deferred
from cli.aws import demo
from cli.aws.scheduler import sqs_event
from cli.aws.table import create_table, read_template
from orderhook.services import Services
from orderhook.store import table as store
from tests.answers import ANSWERS, MESSAGES
from tests.builders import EVENTS, event_named
from tests.service import Service
from tests.tables import RETENTION, Table

FILES = sorted(path.stem for path in EVENTS.glob("*.json"))

PUBLISHED = """key=your-secret-key;
command=CANCEL
order_id=your-order-ID;
strategy_id=your-strategy-id; (optional)"""
"""CrossTrade's page "Cancel Order", character for character."""


@pytest.fixture
def demo_service(service: Service, table: Table) -> Service:
    """The handler over a table of its own, which holds the demo."""
    name = f"demo-{uuid4().hex}"
    create_table(table.client, name)
    demo.seed(
        Services.over(store.Table(table.client, name), retention=RETENTION, alert_retention=RETENTION),
        datetime.now(UTC),
    )
    service.use_table(name)
    return service


def test_every_file_has_its_row_here() -> None:
    assert sorted(ANSWERS) == FILES


@pytest.mark.parametrize("name", FILES)
def test_an_event_gets_its_answer(demo_service: Service, name: str) -> None:
    answer = demo_service.handle(event_named(name))
    assert (answer.status, answer.word) == ANSWERS[name]


def test_events_do_not_depend_on_one_another(demo_service: Service) -> None:
    # Whoever tries them by hand sends one after the other to the same table, in whatever order.
    for name in reversed(FILES):
        answer = demo_service.handle(event_named(name))
        assert (name, answer.status, answer.word) == (name, *ANSWERS[name])


def test_events_together_use_exactly_the_actions_that_the_template_allows(demo_service: Service) -> None:
    for name in reversed(FILES):  # the kill switch is turned on, and then off
        demo_service.handle(event_named(name))
    used = {action for request in demo_service.network.requests for action in request.actions}
    # A metric and a line go by way of the function's output.
    assert used == {action for action in actions_allowed() if not action.startswith("logs:")}


def actions_allowed() -> set[str]:
    return {
        action
        for policy in read_template()["Resources"]["WebhookRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_every_message_has_its_row_here() -> None:
    assert sorted(MESSAGES) == sorted(path.stem for path in (EVENTS / "sqs").glob("*.json"))


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_its_outcome(demo_service: Service, name: str) -> None:
    for _ in range(2):
        assert deferred.handler(event_named(f"sqs/{name}"), None) == {"batchItemFailures": []}
        assert demo_service.output.lines()[0]["outcome"] == MESSAGES[name]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_an_event_as_lambda_makes_it(name: str) -> None:
    [record] = event_named(f"sqs/{name}")["Records"]
    message = {"MessageId": "a", "ReceiptHandle": "b", "Body": "c", "Attributes": {}, "MD5OfBody": "d"}
    [made] = sqs_event(message, record["eventSourceARN"])["Records"]
    assert record.keys() == made.keys()
    assert record["md5OfBody"] == md5(record["body"].encode(), usedforsecurity=False).hexdigest()
    assert "ohk_" not in record["body"]


def test_the_published_example_is_what_crosstrade_published() -> None:
    body = event_named("cancel_published_example")["body"]
    for made_up, published in {
        demo.KEY: "your-secret-key",
        "demo-entry": "your-order-ID",
        demo.STRATEGY_ID: "your-strategy-id",
    }.items():
        assert body.count(made_up) == 1
        body = body.replace(made_up, published)
    assert body == PUBLISHED


@pytest.mark.parametrize("name", FILES)
def test_an_event_is_a_request_as_api_gateway_passes_it_on(name: str) -> None:
    request = event_named(name)
    context: dict[str, Any] = request["requestContext"]
    assert (request["version"], request["routeKey"], context["http"]["method"]) == ("2.0", "POST /webhook", "POST")
    assert context["http"]["sourceIp"] == request["headers"]["x-forwarded-for"]
    if not request["isBase64Encoded"]:
        assert request["headers"]["content-length"] == str(len(request["body"].encode()))
