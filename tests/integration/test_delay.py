"""delay: an alert is put off by one message, and carried out once when its time has come, whatever stops."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import deferred
from cli.aws.scheduler import sqs_event
from orderhook.aws.deferred import Deferred
from orderhook.orders import timestamp
from tests.builders import ENTRY, refused
from tests.client_faults import in_writes
from tests.faults import (
    Fault,
    Stopped,
    block_connection,
    internal_error,
    lose_request,
    lose_response,
    no_fault,
    refuse,
    refuse_connection,
    service_unavailable,
    stop_after,
    stop_before,
    throttle,
)
from tests.service import Service

READ, PUT, SEND = "GetItem", "PutItem", "SendMessage"
VISIBILITY_SECONDS = 36
ATTEMPTS = 5


def body_of(service: Service) -> dict[str, Any]:
    """Return the one message that was sent."""
    [sent] = [request for request in service.network.requests if request.operation == SEND]
    body: dict[str, Any] = json.loads(sent.payload["MessageBody"])
    return body


def retry(service: Service, times: int = 1) -> None:
    """Let SQS deliver again what was not deleted, this many times."""
    for _ in range(times):
        service.pass_time(VISIBILITY_SECONDS)


# Putting off


def test_a_delayed_alert_is_one_message_and_nothing_else(service: Service) -> None:
    service.warm_up()
    before = datetime.now(UTC)
    answer = service.place("order-1", delay=30)
    assert (answer.status, answer.word) == (200, "scheduled")
    assert answer.body.keys() == {"success", "status", "due"}
    due = datetime.fromisoformat(answer.body["due"])
    assert before + timedelta(seconds=30) <= due <= datetime.now(UTC) + timedelta(seconds=30)
    assert answer.body["due"] == timestamp(due)
    assert service.network.operations == [READ, SEND]
    assert service.network.requests[1].payload["DelaySeconds"] == 30
    assert service.belongings() == []


def test_the_message_holds_the_alert_and_not_its_key(service: Service) -> None:
    service.warm_up()
    answer = service.place("order-1", delay=1, notes="café")
    assert body_of(service) == {
        "alert": {
            "trader": service.trader,
            "key_id": service.key.split("_")[1],
            "request_id": answer.request_id,
            "received_at": service.record_of(answer).received_at,
            "fields": {
                "command": "PLACE",
                "order_id": "order-1",
                **{name: str(value) for name, value in ENTRY.items()},
                "delay": "1",
                "notes": "café",
            },
        }
    }
    assert service.network.requests[-1].payload["MessageBody"].isascii()


@pytest.mark.parametrize("command", ["PLACE", "CANCEL", "CANCELALLORDERS", "CHANGE", "CLOSESTRATEGY"])
def test_every_command_can_be_put_off(service: Service, command: str) -> None:
    fields = {**ENTRY, "order_id": "order-1", "strategy_id": "strategy-1", "delay": 60}
    assert service.send(command, **fields).word == "scheduled"
    assert service.belongings() == []


@pytest.mark.parametrize("delay", ["", "0", "0.0"])
def test_a_delay_of_zero_is_none(service: Service, delay: str) -> None:
    assert service.place("order-1", delay=delay).word == "placed"


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"delay": "61"}, 400, "invalid_value"),
        ({"delay": "1.5"}, 400, "invalid_value"),
        ({"delay": "-1"}, 400, "invalid_value"),
        ({"delay": "soon"}, 400, "invalid_value"),
        ({"qty": "none"}, 400, "invalid_value"),
        ({"tif": None}, 400, "missing_field"),
        ({"colour": "red"}, 400, "unknown_field"),
        ({"key": "wrong"}, 401, "invalid_secret_key"),
    ],
)
def test_what_is_wrong_with_a_delayed_alert_is_answered_at_once(
    service: Service, changes: dict[str, object], status: int, word: str
) -> None:
    answer = service.place("order-1", **{"delay": 5, **changes})
    assert (answer.status, answer.word) == (status, word)
    assert service.queue.messages == []


def test_without_a_queue_a_delay_is_refused(service: Service) -> None:
    service.defer_with(None)
    answer = service.place("order-1", delay=5)
    assert (answer.status, answer.body) == (
        400,
        refused("unsupported_value", "delay is not available in this deployment; take it out.", field="delay"),
    )
    assert service.place("order-1").word == "placed"


# Carrying out


def test_it_is_carried_out_when_the_delay_is_over_and_not_before(service: Service) -> None:
    answer = service.place("order-1", delay=30)
    service.pass_time(29)
    assert service.state() is None
    service.pass_time(1.5)
    assert service.state() == "Working"
    item = service.item()
    assert item is not None
    assert item["request_id"]["S"] == answer.request_id
    assert service.queue.messages == []


def test_an_order_without_id_takes_its_id_from_the_alert(service: Service) -> None:
    answer = service.place(delay=1)
    service.pass_time(2)
    assert service.state(answer.request_id) == "Working"


def test_a_cancel_can_wait_too(service: Service) -> None:
    service.have_strategy("Working", "STOP1")
    assert service.cancel("stop1", strategy_id="strategy-1", delay=5).word == "scheduled"
    assert service.state() == "Working"
    service.pass_time(6)
    assert service.state() == "Cancelled"


def test_an_alert_for_several_accounts_is_one_message_and_carried_out_for_each(service: Service) -> None:
    service.warm_up()
    service.place("order-1", account="A, B", delay=5)
    assert service.network.operations == [READ, SEND]
    service.pass_time(6)
    assert (service.state("order-1.A"), service.state("order-1.B")) == ("Working", "Working")


def test_the_log_the_metric_and_the_record_are_those_of_an_alert(service: Service) -> None:
    service.warm_up()
    answer = service.place("order-1", delay=1)
    service.output.take()
    service.pass_time(2)
    line, metric = service.output.lines()
    assert {name: line[name] for name in ("message", "status", "request_id", "key_id", "command", "order_id")} == {
        "message": "alert",
        "status": 200,
        "request_id": answer.request_id,
        "key_id": service.key.split("_")[1],
        "command": "PLACE",
        "order_id": "order-1",
    }
    assert (line["outcome"], line["state"], metric["outcome"], metric["Alerts"]) == ("placed", "Working", "placed", [1])
    newest, first, *_ = service.alerts.newest(service.trader)
    assert first == service.record_of(answer)
    assert (first.outcome, first.origin) == ("scheduled", "webhook")
    assert (newest.outcome, newest.origin, newest.order_ids) == ("placed", "delayed", ("order-1",))
    assert newest.fields == {name: value for name, value in first.fields.items() if name != "key"}
    assert (newest.key_label, newest.request_id[12:]) == (first.key_label, first.request_id[12:])


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"order_id": "taken"}, "duplicate_order_id"),
        ({"strategy": "no-such-template"}, "strategy_not_found"),
    ],
)
def test_a_refusal_is_final_and_logged(service: Service, fields: dict[str, object], word: str) -> None:
    service.place("taken", qty=1)
    service.send("PLACE", **{**ENTRY, "delay": 1, **fields})
    service.output.take()
    service.pass_time(2)
    line, metric = service.output.lines()
    assert (line["outcome"], metric["outcome"]) == (word, word)
    assert line["status"] in (404, 409)
    assert service.queue.messages == []
    assert next(service.alerts.newest(service.trader)).outcome == word


def test_a_key_that_is_revoked_meanwhile_opens_nothing(service: Service) -> None:
    service.place("order-1", delay=5)
    service.revoke_key()
    service.output.take()
    service.pass_time(6)
    assert service.state() is None
    assert service.output.lines()[0]["outcome"] == "invalid_secret_key"
    assert service.queue.messages == []


def test_a_delayed_alert_takes_one_read_of_the_key_and_then_what_it_takes_at_once(service: Service) -> None:
    service.place("order-1", delay=1)
    service.network.requests.clear()
    service.pass_time(2)
    assert service.network.operations == [READ, READ, PUT]


# Long after its time


def carry_out(service: Service, *, late: timedelta) -> None:
    """Have the queue deliver its one message this late."""
    [message] = service.queue.messages
    body = json.loads(message.body)
    alert = body["alert"]
    due = datetime.fromisoformat(alert["received_at"]) + timedelta(seconds=int(alert["fields"]["delay"]))
    alert["received_at"] = timestamp(datetime.fromisoformat(alert["received_at"]) - (due - datetime.now(UTC)) - late)
    event = {"Records": [{"messageId": "1", "body": json.dumps(body)}]}
    assert deferred.handler(event, None) == {"batchItemFailures": []}


def test_what_may_open_a_position_is_not_done_long_after_its_time(service: Service) -> None:
    service.place("order-1", delay=30)
    carry_out(service, late=timedelta(minutes=5, seconds=1))
    assert service.state() is None
    record = next(service.alerts.newest(service.trader))
    assert (record.status, record.outcome, record.origin) == (423, "too_late", "delayed")
    assert record.detail is not None
    assert record.detail.startswith("It was due at 20")
    assert "more than 5 minutes later: nothing is done now." in record.detail


def test_what_is_a_little_late_is_done(service: Service) -> None:
    service.place("order-1", delay=30)
    carry_out(service, late=timedelta(minutes=4, seconds=50))
    assert service.state() == "Working"


def test_what_only_reduces_risk_is_done_however_late(service: Service) -> None:
    service.place("order-1")
    service.cancel("order-1", delay=30)
    carry_out(service, late=timedelta(hours=20))
    assert service.state() == "Cancelled"


# The webhook meets a fault


@pytest.mark.parametrize(
    "fault",
    [
        refuse("RequestThrottled"),
        throttle,
        refuse("InternalError", 500),
        service_unavailable,
        refuse_connection,
        block_connection,
        lose_request,
    ],
)
def test_a_queue_that_does_not_take_the_message_has_it_sent_again(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.network.always = in_writes(fault)
    answer = service.place("order-1", delay=5)
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert set(service.network.operations) == {READ, SEND}
    assert service.queue.messages == []
    assert "UnhandledErrors" not in service.output.take()


def test_a_fault_that_passes_at_once_is_not_noticed(service: Service) -> None:
    service.warm_up()
    service.network.inject(SEND, refuse("InternalError", 500), lose_request)
    assert service.place("order-1", delay=5).word == "scheduled"
    assert service.network.operations == [READ, *[SEND] * 3]


def test_the_attempts_follow_one_another_within_the_time_budget(service: Service) -> None:
    waited: list[float] = []
    service.monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waited.append))
    service.network.inject(SEND, refuse("InternalError", 500), lose_request)
    service.network.inject("CreateSchedule", refuse("ThrottlingException", 429), block_connection)
    assert service.place("order-1", delay=5).word == "scheduled"
    assert service.place("order-2", cancel_after=5).word == "placed"
    assert waited == pytest.approx([0.05, 0.1] * 2)


def test_a_message_whose_answer_is_lost_is_sent_twice_and_places_one_order(service: Service) -> None:
    service.warm_up()
    service.network.inject(SEND, lose_response)
    answer = service.place(delay=5)
    assert answer.word == "scheduled"
    assert len(service.queue.messages) == 2
    service.pass_time(6)
    assert service.open_orders() == [answer.request_id]
    outcomes = [line["outcome"] for line in service.output.lines() if line.get("message") == "alert"]
    assert outcomes == ["scheduled", "placed", "placed"]


@pytest.mark.parametrize(
    ("order_id", "word"), [("order-1", "temporarily_unavailable"), (None, "outcome_unknown")], ids=["id", "no id"]
)
def test_a_message_that_may_be_in_the_queue_is_sent_again_only_if_that_is_safe(
    service: Service, order_id: str | None, word: str
) -> None:
    service.warm_up()
    service.network.always = in_writes(lose_response)
    assert service.place(order_id, delay=5).word == word
    service.network.always = no_fault
    if order_id:
        assert service.place(order_id, delay=5).word == "scheduled"
    service.pass_time(6)
    assert len(service.open_orders()) == 1
    assert service.queue.messages == []


@pytest.mark.parametrize("fault", [refuse_connection, block_connection, refuse("RequestThrottled")])
def test_a_message_that_is_surely_not_in_the_queue_is_sent_again(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.network.always = in_writes(fault)
    assert service.place(delay=5).word == "temporarily_unavailable"


def test_one_order_is_placed_though_the_webhook_stops_after_the_message(service: Service) -> None:
    service.network.inject(SEND, stop_after)
    with pytest.raises(Stopped):
        service.place("order-1", delay=5)
    assert service.place("order-1", delay=5).word == "scheduled"
    service.output.take()
    service.pass_time(6)
    assert service.open_orders() == ["order-1"]
    outcomes = [line["outcome"] for line in service.output.lines() if line.get("message") == "alert"]
    assert outcomes == ["placed", "already_placed"]


# The function behind the queue meets a fault


@pytest.mark.parametrize("fault", [throttle, internal_error, lose_request])
@pytest.mark.parametrize("operation", ["GetItem", PUT])
def test_what_the_table_does_not_take_is_delivered_again(service: Service, operation: str, fault: Fault) -> None:
    answer = service.place(delay=5)
    service.network.inject(operation, *[fault] * 6)
    service.output.take()
    service.pass_time(6)
    assert service.open_orders() == []
    line, metric = service.output.lines()
    assert (line["status"], line["outcome"], metric["outcome"]) == (503, *["temporarily_unavailable"] * 2)
    assert len(service.queue.messages) == 1
    assert [record.outcome for record in service.alerts.newest(service.trader)] == ["scheduled"]
    service.network.inject(operation)
    retry(service)
    assert service.open_orders() == [answer.request_id]
    assert service.queue.messages == []


@pytest.mark.parametrize("fields", [{}, {"strategy_id": "strategy-1"}, {"take_profit": 5020}, {"account": "A,B"}])
@pytest.mark.parametrize("death", [stop_before, stop_after], ids=["before the write", "after the write"])
def test_a_function_that_stops_is_called_again_and_there_is_one_order(
    service: Service, death: Fault, fields: dict[str, object]
) -> None:
    service.send("PLACE", **{**ENTRY, "delay": 5, **fields})
    if "account" in fields:
        # Each account is served in a thread of its own: let one of them meet a lost answer for good.
        service.network.inject(PUT, no_fault, *[lose_response] * 6)
    else:
        service.network.inject(PUT, death)
        service.network.inject("TransactWriteItems", death)
    with suppress(Stopped):
        service.pass_time(6)
    found = service.open_orders()
    service.network.inject(PUT)
    retry(service)
    placed = len(service.open_orders())
    assert placed == (2 if "account" in fields or "take_profit" in fields else 1)
    assert set(found) <= set(service.open_orders())
    assert service.queue.messages == []
    retry(service)
    assert len(service.open_orders()) == placed


def test_a_message_that_is_done_and_not_deleted_is_recognised(service: Service) -> None:
    answer = service.place(delay=5)
    service.queue.pass_time(6, service.monkeypatch)
    [message] = service.queue.messages
    body = {"MessageId": "a", "ReceiptHandle": "b", "Body": message.body, "Attributes": {}, "MD5OfBody": "c"}
    event = sqs_event(body, service.queue.settings.queue_arn)
    for _ in range(2):
        assert deferred.handler(event, None) == {"batchItemFailures": []}
    assert service.open_orders() == [answer.request_id]


def test_only_what_failed_of_several_messages_is_delivered_again(service: Service) -> None:
    for order_id in ("order-1", "order-2", "order-3"):
        service.place(order_id, delay=1)
    bodies = [message.body for message in service.queue.messages]
    event = {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}
    service.network.inject(PUT, no_fault, *[internal_error] * 3)
    assert deferred.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert service.open_orders() == ["order-1", "order-3"]


def test_what_fails_five_times_lies_in_the_dead_letter_queue(service: Service) -> None:
    service.place("order-1", delay=5)
    service.network.inject(PUT, *[internal_error] * 3 * ATTEMPTS)
    service.pass_time(6)
    retry(service, ATTEMPTS - 1)
    assert (len(service.queue.messages), len(service.queue.dead_letters)) == (1, 0)
    retry(service)
    assert (len(service.queue.messages), len(service.queue.dead_letters)) == (0, 1)
    assert service.state() is None


def test_there_is_time_for_every_attempt_before_the_message_is_given_up(service: Service) -> None:
    service.place("order-1", delay=5)
    service.network.inject(PUT, *[internal_error] * 3 * (ATTEMPTS - 1))
    service.pass_time(6)
    retry(service, ATTEMPTS - 1)
    assert service.state() == "Working"


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "{}", '{"alert": {}}', '{"alert": 1}', '{"cancel": {"a": 1}}'])
def test_a_message_that_cannot_be_read_is_a_defect_and_given_up(service: Service, body: str) -> None:
    event = {"Records": [{"messageId": "1", "body": body}]}
    assert deferred.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    line, metric = service.output.lines()
    assert (line["level"], line["message"], metric["UnhandledErrors"]) == ("ERROR", "defect", [1.0])
    assert "nonsense" not in json.dumps(line)


def test_a_defect_is_counted_and_delivered_again(service: Service) -> None:
    answer = service.place("order-1", delay=5)
    service.network.inject(PUT, refuse("ValidationException", message="THE-MESSAGE"))
    service.output.take()
    service.pass_time(6)
    written = service.output.lines()
    assert (written[0]["message"], written[0]["request_id"]) == ("defect", answer.request_id)
    assert "THE-MESSAGE" not in json.dumps(written)
    retry(service)
    assert service.state() == "Working"


def test_nothing_begins_that_could_outlast_the_function(service: Service) -> None:
    service.place("order-1", delay=5)
    service.monkeypatch.setattr(deferred, "BUDGET_SECONDS", 0.5)
    service.network.requests.clear()
    service.pass_time(6)
    assert service.network.operations == []
    assert len(service.queue.messages) == 1


# Clients are made when they are needed


def test_an_alert_that_is_done_at_once_needs_no_queue(service: Service) -> None:
    made: list[str] = []
    service.monkeypatch.setattr("orderhook.aws.deferred.connect", made.append)
    service.defer_with(Deferred(service.queue.settings))
    service.place("order-1")
    service.cancel("order-1")
    assert made == []
