"""Every file of events/, sent through the handler over the demo's table."""

from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import md5
from typing import Any

import pytest

import deferred
from cli.aws import demo
from cli.aws.scheduler import sqs_event
from cli.aws.table import read_template
from orderhook.messages import DelayedAlert, Release, TimedCancel, parse, serialize
from tests.answers import ANSWERS, MESSAGES
from tests.builders import EVENTS, LISTS, event_named
from tests.marks import LONG
from tests.service import Service
from tests.tables import Table

SHOWN: dict[str, dict[str, Any]] = {
    "cancel_by_name": {"order_id": "demo-bracket.STOP1", "order_name": "STOP1", "previous_state": "Initialized"},
    "cancel_leg_that_works": {"order_id": "demo-position.TARGET1", "previous_state": "Working"},
    "cancel_orders": {"cancelled": ["demo-4"], "counts": dict.fromkeys(LISTS, 0) | {"cancelled": 1}},
    "cancel_published_example": {"order_id": "demo-entry", "order_name": "ENTRY1"},
    "cancel_replace": {"order_id": "demo-5", "generation": 2, "limit_price": "4961.25"},
    "cancel_replace_duplicate": {"order_id": "demo-replaced", "limit_price": "4971"},
    "cancel_replace_leg": {"order_id": "demo-running.TARGET1", "order_name": "TARGET1", "state": "Initialized"},
    "cancel_waiting": {"order_id": "demo-waiting", "previous_state": "Initialized"},
    "change_leg": {"order_id": "demo-running.STOP1", "stop_price": "4981.5", "qty": "2"},
    "change_leg_quantity": {"field": "qty"},
    "change_stop_to_break_even": {"order_id": "demo-position.STOP1", "stop_price": "4991", "state": "Working"},
    "close_strategy": {
        "cancelled": ["demo-to-close"],
        "cancelled_legs": {"demo-to-close": ["demo-to-close.STOP1"]},
    },
    "close_strategy_unknown": {"field": "strategy_id"},
    "place_finished_again": {"field": "order_id", "state": "Cancelled"},
    "place_in_closed_strategy": {"order_name": "ENTRY1", "strategy_id": "demo-closed"},
    "place_strategy": {"legs": {"TARGET1": "alert-2.TARGET1", "STOP1": "alert-2.STOP1"}},
}
"""What else an answer shows."""

WARNINGS: dict[str, list[str]] = {
    "cancel_orders_none": ["nothing_to_cancel"],
    "cancel_with_other_fields": ["unknown_field", "ignored_field", "missing_semicolon"],
    "place_unprotected_quantity": ["unprotected_quantity"],
    "place_without_id": ["no_order_id"],
}
"""The codes of the warnings in an answer."""

FILES = sorted(path.stem for path in EVENTS.glob("*.json"))

PUBLISHED = """key=your-secret-key;
command=CANCEL
order_id=your-order-ID;
strategy_id=your-strategy-id; (optional)"""
"""CrossTrade's page "Cancel Order", character for character."""


@pytest.fixture(scope="module")
def put_demo(table: Table) -> Callable[[Service], None]:
    """Have the table hold the demo: written once, and then restored."""
    restore: list[Callable[[], None]] = []

    def put(service: Service) -> None:
        if restore:
            restore[0]()
        else:
            demo.seed(service.services, datetime.now(UTC))
            restore.append(table.checkpoint())

    return put


@pytest.fixture
def demo_service(service: Service, put_demo: Callable[[Service], None]) -> Service:
    """The handlers over the table, which holds the demo."""
    put_demo(service)
    return service


@pytest.fixture
def new_demo_service(service: Service) -> Service:
    """The same, where what waits for its delay must not be late."""
    demo.seed(service.services, datetime.now(UTC))
    return service


def test_the_demo_written_twice_is_as_it_was_written_once(demo_service: Service) -> None:
    before = demo_service.everything()
    demo.seed(demo_service.services, datetime.now(UTC))
    assert demo_service.everything() == before
    assert demo.PLACES.keys() <= {order.order_id for order in demo_service.placed(demo.TRADER)}


def test_every_file_has_its_row_here() -> None:
    assert sorted(ANSWERS) == FILES


@pytest.mark.parametrize("name", FILES)
def test_an_event_gets_its_answer(demo_service: Service, name: str) -> None:
    answer = demo_service.handle(event_named(name))
    assert (answer.status, answer.word) == ANSWERS[name]
    shown = SHOWN.get(name, {})
    assert {field: answer.body.get(field) for field in shown} == shown
    codes = [warning["code"] for warning in answer.body.get("warnings", [])]
    assert codes == WARNINGS.get(name, []) or "kill_switch" in name


@pytest.mark.parametrize("name", [name for name in FILES if ANSWERS[name][1] == "unsupported_command"])
def test_with_a_venue_what_acts_on_positions_is_accepted(demo_service: Service, name: str) -> None:
    demo_service.trader = demo.TRADER
    demo_service.use_venue()
    assert demo_service.handle(event_named(name)).word == "accepted"


NEED_POSITION = {
    **dict.fromkeys([name for name in FILES if ANSWERS[name][1] == "unsupported_value"], "placed"),
    "cancel_orders_if_flat": "accepted",
    "cancel_replace_if_flat": "unsupported_value",  # the demo's orders were placed without a venue
}


@pytest.mark.parametrize("name", NEED_POSITION)
def test_with_a_venue_what_asks_something_of_a_position_is_taken(demo_service: Service, name: str) -> None:
    demo_service.trader = demo.TRADER
    demo_service.use_venue()
    assert demo_service.handle(event_named(name)).word == NEED_POSITION[name]


@LONG
@pytest.mark.parametrize("backwards", [False, True])
def test_events_do_not_depend_on_one_another(demo_service: Service, *, backwards: bool) -> None:
    # Whoever tries them by hand sends one after the other to the same table, in whatever order: but while the kill
    # switch is on, little else is done.
    switch = ["kill_switch_on", "kill_switch_off"]
    for name in [*sorted(set(FILES) - set(switch), reverse=backwards), *switch]:
        answer = demo_service.handle(event_named(name))
        assert (name, answer.status, answer.word) == (name, *ANSWERS[name])


def test_events_together_use_exactly_the_actions_that_the_template_allows(demo_service: Service) -> None:
    for name in reversed(FILES):  # the kill switch is turned on, and then off
        demo_service.handle(event_named(name))
    used = {action for request in demo_service.network.requests for action in request.actions}
    # A metric and a line go by way of the function's output.
    assert used == {action for action in actions_allowed() if not action.startswith("logs:")}


def test_every_write_of_an_event_is_in_a_partition_that_the_template_lets_functions_write(
    demo_service: Service,
) -> None:
    for name in reversed(FILES):
        demo_service.handle(event_named(name))
    network = demo_service.network
    sent = [*network.requests, *network.records, *network.key_uses]
    written = [write for request in sent for write in request.writes if "UpdateExpression" in write or "Item" in write]
    partitions = {(write.get("Key") or write["Item"])["pk"]["S"] for write in written}
    patterns = partitions_written()
    assert {name for name in partitions if not any(fnmatchcase(name, pattern) for pattern in patterns)} == set()
    # And each of those is needed.
    assert all(any(fnmatchcase(name, pattern) for name in partitions) for pattern in patterns)


def partitions_written() -> list[str]:
    return [
        pattern
        for policy in read_template()["Resources"]["WebhookRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for pattern in statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
    ]


def actions_allowed() -> set[str]:
    return {
        action
        for policy in read_template()["Resources"]["WebhookRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


AGAIN = {"delayed_place": "already_placed"}
"""What comes of them when SQS delivers them a second time, where that is another word."""

KINDS = {"delayed_place": Release, "cancel_after": TimedCancel, "delayed_c": DelayedAlert}
"""What a message is whose name begins like this."""


def test_every_message_has_its_row_here() -> None:
    assert sorted(MESSAGES) == sorted(path.stem for path in (EVENTS / "sqs").glob("*.json"))


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_its_outcome(new_demo_service: Service, name: str) -> None:
    assert handle(new_demo_service, name)["outcome"] == MESSAGES[name]
    again = handle(new_demo_service, name)
    if name.startswith("delayed_c"):  # what was answered for good is not done again
        assert again["message"] == "delivered again"
    else:
        assert again["outcome"] == AGAIN.get(name, MESSAGES[name])


def handle(service: Service, name: str) -> dict[str, Any]:
    """Deliver a message, and return the line that the function logs."""
    assert deferred.handler(event_named(f"sqs/{name}"), None) == {"batchItemFailures": []}
    line: dict[str, Any] = service.output.lines()[0]
    return line


def test_messages_do_not_depend_on_one_another(new_demo_service: Service) -> None:
    for name, outcome in reversed(MESSAGES.items()):
        assert deferred.handler(event_named(f"sqs/{name}"), None) == {"batchItemFailures": []}
        assert (name, new_demo_service.output.lines()[0]["outcome"]) == (name, outcome)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_one_as_this_version_writes_it(name: str) -> None:
    [record] = event_named(f"sqs/{name}")["Records"]
    message = parse(record["body"])
    assert serialize(message) == record["body"]
    assert type(message) is next(kind for beginning, kind in KINDS.items() if name.startswith(beginning))


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
