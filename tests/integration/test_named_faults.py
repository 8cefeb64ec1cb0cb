"""Every fault names itself: AWS's code and the operation stand in the line, and the answer says whether to repeat."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

import deferred
import webhook
from cli.aws.scheduler import sqs_event
from tests.builders import ENTRY, alert, event
from tests.client_faults import in_requests_with, in_writes, perform
from tests.endpoints import deaf
from tests.faults import Fault, Refusal, cancel_transaction, refuse, throttle
from tests.marks import EACH_ONCE
from tests.service import Service

REFUSED = "would refuse it again"
AGAIN = "Send the same alert again; it is safe."

PASSING = (
    refuse("ThrottlingException", message="THE-MESSAGE"),
    refuse("ProvisionedThroughputExceededException", message="THE-MESSAGE"),
    refuse("RequestLimitExceeded", message="THE-MESSAGE"),
    refuse("TransactionConflictException", message="THE-MESSAGE"),
    refuse("InternalServerError", 500, message="THE-MESSAGE"),
)
"""Nobody has to do anything."""

FOR_AN_OPERATOR = (
    refuse("AccessDeniedException", message="THE-MESSAGE"),
    refuse("ExpiredTokenException", message="THE-MESSAGE"),
    refuse("UnrecognizedClientException", message="THE-MESSAGE"),
    refuse("InvalidSignatureException", message="THE-MESSAGE"),
    refuse("RequestTimeTooSkewed", 403, message="THE-MESSAGE"),
    refuse("ResourceNotFoundException", message="THE-MESSAGE"),
    refuse("KMSDisabledException", message="THE-MESSAGE"),
    refuse("SomethingNewException", message="THE-MESSAGE"),
)
"""They may be mended within seconds, and nothing is written: sent again, the alert may get through."""

FOR_GOOD = (
    refuse("ValidationException", message="THE-MESSAGE"),
    refuse("ItemCollectionSizeLimitExceededException", message="THE-MESSAGE"),
    refuse("SerializationException", message="THE-MESSAGE"),
    cancel_transaction("ValidationError"),
)
"""The same write would be refused again."""


@dataclass
class Written:
    """What was written for one alert."""

    text: str
    lines: list[dict[str, Any]]

    @property
    def line(self) -> dict[str, Any]:
        [line] = [line for line in self.lines if line.get("message") == "alert"]
        return line

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """What AWS refused and an operator has to look at."""
        lines = [line for line in self.lines if line.get("message") == "refused by AWS"]
        assert all(line["level"] == "ERROR" for line in lines)
        return [(line["reason"], line["operation"]) for line in lines]

    @property
    def counted(self) -> float:
        return float(sum(line["UnhandledErrors"][0] for line in self.lines if "UnhandledErrors" in line))


def written(service: Service) -> Written:
    text = service.output.take()
    assert "THE-MESSAGE" not in text
    assert service.key not in text
    return Written(text, [json.loads(line) for line in text.splitlines()])


def named(fault: Fault) -> str:
    assert isinstance(fault, Refusal)
    return ": ".join(filter(None, (fault.code, ", ".join(fault.reasons))))


# At once


@pytest.mark.parametrize("fault", [*PASSING, *FOR_AN_OPERATOR], ids=named)
def test_what_may_pass_or_be_mended_is_answered_503_with_its_name_in_the_line(service: Service, fault: Fault) -> None:
    service.have_order("Working")
    before = service.item()
    service.warm_up()
    service.network.always = fault
    answer = service.cancel("order-1")
    assert (answer.status, answer.word, answer.headers["Retry-After"]) == (503, "temporarily_unavailable", "5")
    assert AGAIN in answer.body["detail"]
    assert service.item() == before
    told = written(service)
    assert (told.line["reason"], told.line["operation"]) == (named(fault), "UpdateItem")
    expected = [(named(fault), "UpdateItem")] if fault in FOR_AN_OPERATOR else []
    assert (told.refusals, told.counted) == (expected, len(expected))
    assert "THE-MESSAGE" not in answer.text


@EACH_ONCE
@pytest.mark.parametrize("fault", FOR_GOOD, ids=named)
@pytest.mark.parametrize(
    ("command", "fields", "operation"),
    [
        ("CANCEL", {"order_id": "order-1"}, "UpdateItem"),
        ("PLACE", {**ENTRY, "order_id": "order-2"}, "PutItem"),
        ("PLACE", ENTRY, "PutItem"),
        ("PLACE", {**ENTRY, "order_id": "order-2", "take_profit": 5020}, "TransactWriteItems"),
        ("CHANGE", {"order_id": "order-1", "qty": 7}, "UpdateItem"),
        ("CANCELREPLACE", {**ENTRY, "order_id": "order-1"}, "UpdateItem"),
        ("CLOSESTRATEGY", {"strategy_id": "strategy-1"}, "UpdateItem"),
    ],
    ids=["cancel", "place", "place without id", "place with a leg", "change", "replace", "close"],
)
def test_a_write_that_is_refused_for_good_is_a_4xx_and_an_alarm(
    service: Service, command: str, fields: dict[str, object], operation: str, fault: Fault
) -> None:
    service.have_strategy("Working", "ENTRY1")
    before = service.belongings()
    service.warm_up()
    service.network.always = in_writes(fault)
    answer = service.send(command, **fields)
    assert (answer.status, answer.word, answer.body["reason"]) == (409, "outcome_unknown", named(fault))
    assert "Retry-After" not in answer.headers
    assert REFUSED in answer.body["detail"]
    assert service.belongings() == before
    told = written(service)
    assert (told.line["reason"], told.line["operation"]) == (named(fault), operation)
    assert (told.refusals, told.counted) == ([(named(fault), operation)], 1)
    assert service.network.operations.count(operation) == 1


@EACH_ONCE
@pytest.mark.parametrize("fault", [*FOR_AN_OPERATOR, *FOR_GOOD[:1]], ids=named)
@pytest.mark.parametrize(
    ("command", "fields", "operation"),
    [
        ("CANCEL", {"order_id": "ENTRY1", "strategy_id": "strategy-1"}, "GetItem"),
        ("CANCELALLORDERS", {}, "Query"),
    ],
    ids=["a key", "the index of open orders"],
)
def test_a_read_that_is_refused_is_a_fault_of_the_table_and_may_be_mended(
    service: Service, command: str, fields: dict[str, object], operation: str, fault: Fault
) -> None:
    service.have_strategy("Working", "ENTRY1")
    service.remember_keys(0 if operation == "GetItem" else 30)
    service.warm_up()
    service.network.inject(operation, *[fault] * 3)
    answer = service.send(command, **fields)
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert service.state() == "Working"
    told = written(service)
    assert (told.line["reason"], told.line["operation"]) == (named(fault), operation)
    assert told.refusals == [(named(fault), operation)]


@pytest.mark.parametrize("fault", FOR_AN_OPERATOR, ids=named)
def test_one_order_of_many_that_may_be_mended_remains_and_is_sent_again(service: Service, fault: Fault) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.warm_up()
    service.network.always = in_requests_with('"ORDER#b"', fault)
    answer = service.send("CANCELALLORDERS")
    assert (answer.status, answer.body["cancelled"], answer.body["remaining"]) == (503, ["a", "c"], ["b"])
    assert written(service).refusals == [(named(fault), "UpdateItem")]


def test_what_many_orders_meet_is_told_once(service: Service) -> None:
    for number in range(5):
        service.place(f"order-{number}")
    service.warm_up()
    service.network.always = in_requests_with('"ORDER#', FOR_AN_OPERATOR[0])
    assert len(service.send("CANCELALLORDERS").body["remaining"]) == 5
    told = written(service)
    assert (len(told.refusals), told.counted) == (1, 1)


@pytest.mark.parametrize("fault", [*FOR_AN_OPERATOR, *FOR_GOOD[:3]], ids=named)
def test_each_account_is_answered_by_itself(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.network.always = in_requests_with("order-1.b", fault)
    answer = service.place("order-1", account="A,B,C")
    status, word = (409, "outcome_unknown") if fault in FOR_GOOD else (503, "temporarily_unavailable")
    assert (answer.status, answer.word) == (status, word)
    assert [result.get("status", result.get("error")) for result in answer.body["results"]] == [
        "placed",
        word,
        "placed",
    ]
    assert written(service).refusals == [(named(fault), "PutItem")]


@EACH_ONCE
@pytest.mark.parametrize("order_id", ["order-1", None])
@pytest.mark.parametrize("fault", FOR_AN_OPERATOR, ids=named)
def test_an_order_that_was_refused_is_surely_not_there_and_not_counted(
    service: Service, fault: Fault, order_id: str | None
) -> None:
    service.warm_up()
    service.network.inject("PutItem", fault)
    answer = service.place(order_id, rate_limit="1", id="es")
    assert answer.status == 503
    assert service.place(order_id, rate_limit="1", id="es").word == "placed"


# What the queue and the scheduler refuse


@pytest.mark.parametrize(
    ("fields", "operation"), [({"delay": 5}, "SendMessage"), ({"cancel_after": 5}, "CreateSchedule")], ids=str
)
@pytest.mark.parametrize(
    "fault",
    [
        refuse("AccessDeniedException", 403, "THE-MESSAGE"),
        refuse("KMS.AccessDeniedException", 400, "THE-MESSAGE"),
        refuse("QueueDoesNotExist", 400, "THE-MESSAGE"),
        refuse("ResourceNotFoundException", 404, "THE-MESSAGE"),
        refuse("ServiceQuotaExceededException", 402, "THE-MESSAGE"),
    ],
    ids=named,
)
def test_what_is_deferred_and_refused_names_the_operation(
    service: Service, fields: dict[str, object], operation: str, fault: Fault
) -> None:
    service.warm_up()
    service.network.inject(operation, fault)
    answer = service.place("order-1", **fields)
    assert (answer.status, service.state()) == (503, None)
    told = written(service)
    assert (told.line["reason"], told.line["operation"]) == (named(fault), operation)
    assert told.refusals == [(named(fault), operation)]


# No answer


def test_a_table_that_hangs_is_told_by_what_the_first_attempt_met(service: Service) -> None:
    service.warm_up()
    with deaf() as address:
        service.write_to(address)
        assert service.cancel("order-1").status == 503
    line = written(service).line
    assert (line["reason"], line["operation"]) == ("ReadTimeoutError", "UpdateItem")


def test_a_throttled_request_without_time_for_another_attempt_is_told_as_throttled(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()

    def throttled_late(request: Any, deliver: Any) -> Any:
        service.clock.advance(1.4)
        return perform(throttle, request, deliver)

    service.network.inject("UpdateItem", throttled_late)
    assert service.cancel("order-1").status == 503
    line = written(service).line
    assert (line["reason"], line["operation"]) == ("ThrottlingException", "UpdateItem")


def test_an_alert_that_came_too_late_to_ask_anything_says_so(service: Service) -> None:
    service.warm_up()
    service.set_budget(0.5)
    answer = service.cancel("order-1")
    assert (answer.status, answer.body["reason"]) == (503, "OutOfTimeError")
    assert "came in late" in answer.body["detail"]
    line = written(service).line
    assert (line["reason"], line["operation"]) == ("OutOfTimeError", "UpdateItem")
    assert service.record_of(answer).reason == "OutOfTimeError"


def test_a_fault_that_passed_is_not_told(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.inject("UpdateItem", throttle)
    assert service.cancel("order-1").word == "cancelled"
    assert "reason" not in written(service).line


def test_a_refusal_of_ours_has_no_reason_of_aws(service: Service) -> None:
    service.warm_up()
    assert service.cancel("nobodys").status == 404
    assert "reason" not in written(service).line


# Behind the queue


@pytest.mark.parametrize("fault", [*PASSING, *FOR_AN_OPERATOR], ids=named)
def test_behind_the_queue_what_may_be_mended_is_delivered_again(service: Service, fault: Fault) -> None:
    service.place("order-1", delay=5)
    service.network.always = in_writes(fault)
    service.output.take()
    service.pass_time(6)
    assert (service.state(), len(service.queue.messages)) == ("Initialized", 1)
    told = written(service)
    assert (told.line["status"], told.line["reason"], told.line["operation"]) == (
        503,
        named(fault),
        "TransactWriteItems",
    )
    expected = [(named(fault), "TransactWriteItems")] if fault in FOR_AN_OPERATOR else []
    assert (told.refusals, told.counted) == (expected, len(expected))


@pytest.mark.parametrize("fault", FOR_GOOD, ids=named)
def test_behind_the_queue_a_release_that_is_refused_for_good_ends_its_order(service: Service, fault: Fault) -> None:
    service.place("order-1", delay=5)
    service.network.inject("TransactWriteItems", fault)
    service.output.take()
    service.pass_time(6)
    assert service.queue.messages == []
    order = service.order()
    assert order is not None
    assert order.state == "Cancelled"
    assert REFUSED in str(order.reason)
    told = written(service)
    assert (told.line["outcome"], told.line["reason"]) == ("outcome_unknown", named(fault))
    assert (told.refusals, told.counted) == ([(named(fault), "TransactWriteItems")], 1)
    record, _ = service.alerts.newest(service.trader)
    assert (record.origin, record.status, record.outcome) == ("delayed", 409, "outcome_unknown")


@pytest.mark.parametrize("fault", FOR_GOOD[:3], ids=named)
def test_behind_the_queue_a_cancel_refused_for_good_is_told_and_not_tried_again(service: Service, fault: Fault) -> None:
    service.place("order-1", cancel_after=5)
    service.network.inject("UpdateItem", fault)
    service.output.take()
    service.pass_time(302)
    assert (service.state(), service.queue.messages) == ("Working", [])
    told = written(service)
    assert (told.line["outcome"], told.line["reason"], told.counted) == ("outcome_unknown", named(fault), 1)
    record, _ = service.alerts.newest(service.trader)
    assert (record.origin, record.outcome, record.fields) == (
        "cancel_after",
        "outcome_unknown",
        {"order_id": "order-1"},
    )


# What AWS calls a request


CONTEXT = SimpleNamespace(aws_request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd")
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled={}"
IDS = {"api_request_id": "hTX8to7cCXiILU4=", "function_request_id": CONTEXT.aws_request_id}


@pytest.mark.parametrize(
    ("sampled", "traced"), [("1", {"xray_trace_id": "1-5759e988-bd862e3fe1be46a994272793"}), ("0", {})], ids=str
)
def test_the_ids_of_api_gateway_lambda_and_x_ray_stand_in_the_line_and_the_record(
    service: Service, sampled: str, traced: dict[str, str]
) -> None:
    service.monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE.format(sampled))
    body = alert({"key": service.key, "command": "CANCEL", "order_id": "order-1"})
    webhook.handler(event(body), CONTEXT)
    line = written(service).line
    [record] = service.alerts.newest(service.trader)
    for name, value in (IDS | traced).items():
        assert line[name] == getattr(record, name) == value
    if not traced:
        assert record.xray_trace_id is None


def test_behind_the_queue_the_id_of_lambda_stands_in_the_line_and_the_record(service: Service) -> None:
    service.place("order-1", delay=5)
    service.let_pass(6)
    [message] = service.queue.messages
    body = {"MessageId": "a", "ReceiptHandle": "b", "Body": message.body, "Attributes": {}, "MD5OfBody": "c"}
    service.output.take()
    deferred.handler(sqs_event(body, service.queue.settings.queue_arn), CONTEXT)
    record, _ = service.alerts.newest(service.trader)
    assert written(service).line["function_request_id"] == record.function_request_id == CONTEXT.aws_request_id
    assert record.api_request_id is None


@pytest.mark.parametrize("request_id", [None, 7, {"a": 1}, "", "x" * 65, "two\nlines", "\ud800", "a;b"], ids=repr)
def test_an_id_of_api_gateway_that_is_none_is_left_out(service: Service, request_id: object) -> None:
    request = event(alert({"key": service.key, "command": "CANCEL", "order_id": "order-1"}))
    request["requestContext"]["requestId"] = request_id
    answer = service.handle(request)
    assert "api_request_id" not in written(service).line
    assert service.record_of(answer).api_request_id is None
