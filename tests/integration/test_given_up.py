"""What SQS gives up after five tries leads to the same function once more: one record, one metric, a settled end."""

import json
from contextlib import suppress
from typing import Any

import pytest

import deferred
from cli.aws.scheduler import sqs_event
from orderhook.store.alert_log import AlertRecord
from orderhook.store.items import alert_key
from tests.client_faults import in_requests_with, in_writes
from tests.faults import Fault, Stopped, deny, internal_error, lose_response, no_fault, stop_before, throttle
from tests.marks import EACH_ONCE
from tests.service import Service
from tests.trades import seen

TRANSACT = "TransactWriteItems"
VISIBILITY_SECONDS = 36
ATTEMPTS = 5

GIVEN_UP = (
    "Given up: the order could not be placed when its delay was over, however often it was tried. It is cancelled."
)


def retry(service: Service, times: int = 1) -> None:
    """Let SQS deliver again what was not deleted, this many times."""
    for _ in range(times):
        with suppress(Stopped):
            service.pass_time(VISIBILITY_SECONDS)


def fail(service: Service, fault: Fault = internal_error) -> None:
    """Have five deliveries fail, so that SQS moves what is due to the dead-letter queue at the next look."""
    service.network.always = in_writes(fault)
    with suppress(Stopped):
        service.pass_time(11)
    retry(service, ATTEMPTS - 1)
    assert (len(service.queue.messages), len(service.queue.dead_letters)) == (1, 0)
    service.network.always = no_fault
    service.output.take()


def records(service: Service, origin: str = "delayed") -> list[AlertRecord]:
    return [record for record in service.alerts.newest(service.trader) if record.origin == origin]


def given_up(service: Service) -> tuple[int, int]:
    """Return how many lines say that something was given up, and what the metric counts, since the last look."""
    lines = service.output.lines()
    return sum("given_up" in line for line in lines), sum(line["GivenUp"][0] for line in lines if "GivenUp" in line)


def deliver(service: Service, body: str, *, dead: bool) -> dict[str, Any]:
    """Call the function with a message of one of the two queues, and return its answer."""
    settings = service.queue.settings
    message = {"MessageId": "a", "ReceiptHandle": "b", "Body": body, "Attributes": {}, "MD5OfBody": "c"}
    return deferred.handler(sqs_event(message, settings.dead_letter_arn if dead else settings.queue_arn), None)


def assert_nothing_waits(service: Service) -> None:
    assert (service.queue.messages, service.queue.dead_letters) == ([], [])


# A PLACE that waits


@EACH_ONCE
@pytest.mark.parametrize(
    "fields", [{}, {"strategy_id": "strategy-1", "take_profit": 5020}], ids=["plain", "with a leg"]
)
@pytest.mark.parametrize("fault", [internal_error, throttle, deny, stop_before], ids=str)
def test_an_order_that_was_given_up_ends_as_cancelled_with_one_record_and_one_metric(
    service: Service, fault: Fault, fields: dict[str, Any]
) -> None:
    service.place("order-1", delay=10, **fields)
    fail(service, fault)
    retry(service)
    assert_nothing_waits(service)
    order = seen(service)
    assert (order.state, order.reason, order.due, order.released_at) == ("Cancelled", GIVEN_UP, None, None)
    assert service.open_orders() == []
    assert given_up(service) == (1, 1)
    [record] = records(service)
    assert (record.status, record.outcome, record.detail) == (423, "too_late", GIVEN_UP)
    assert (record.command, record.order_ids) == ("PLACE", ("order-1",))
    retry(service, 3)
    assert given_up(service) == (0, 0)


def test_to_give_up_takes_two_reads_and_one_write(service: Service) -> None:
    service.place("order-1", delay=10)
    fail(service)
    service.network.forget()
    retry(service)
    assert service.network.operations == ["GetItem", "GetItem", "UpdateItem"]


def test_each_account_is_given_up_by_itself(service: Service) -> None:
    service.place("order-1", account="A,B", delay=10)
    service.network.always = in_requests_with("ORDER#order-1.b", internal_error)
    service.pass_time(11)
    retry(service, ATTEMPTS - 1)
    service.network.always = no_fault
    retry(service)
    assert [(order.order_id, order.state) for order in service.placed()] == [
        ("order-1.a", "Working"),
        ("order-1.b", "Cancelled"),
    ]
    assert {(record.order_ids, record.outcome) for record in records(service)} == {
        (("order-1.a",), "placed"),
        (("order-1.b",), "too_late"),
    }


def test_while_the_table_does_not_answer_the_message_is_kept_and_nothing_is_told(service: Service) -> None:
    service.place("order-1", delay=10)
    fail(service)
    service.network.always = internal_error
    retry(service, 20)
    assert (service.state(), len(service.queue.dead_letters), records(service)) == ("Initialized", 1, [])
    assert given_up(service) == (0, 0)
    service.network.always = no_fault
    retry(service)
    assert_nothing_waits(service)
    assert (seen(service).state, len(records(service))) == ("Cancelled", 1)
    assert given_up(service) == (1, 1)


@pytest.mark.parametrize("fault", [throttle, lose_response], ids=str)
def test_a_record_that_is_not_taken_is_written_by_the_next_delivery(service: Service, fault: Fault) -> None:
    service.place("order-1", delay=10)
    fail(service)
    service.network.records_meet = fault
    retry(service)
    assert (seen(service).state, len(service.queue.dead_letters)) == ("Cancelled", 1)
    service.network.records_meet = no_fault
    retry(service)
    assert_nothing_waits(service)
    [record] = records(service)
    assert (record.outcome, record.detail) == ("too_late", GIVEN_UP)


def test_a_dead_letter_that_comes_twice_leaves_one_record_and_one_metric(service: Service) -> None:
    service.place("order-1", delay=10)
    [message] = service.queue.messages
    fail(service)
    for _ in range(2):
        assert deliver(service, message.body, dead=True) == {"batchItemFailures": []}
    assert given_up(service) == (1, 1)
    assert [record.outcome for record in records(service)] == ["too_late"]


def test_an_order_that_was_placed_though_nobody_heard_of_it_is_not_given_up(service: Service) -> None:
    service.place("order-1", delay=10)
    [message] = service.queue.messages
    service.pass_time(11)
    assert deliver(service, message.body, dead=True) == {"batchItemFailures": []}
    assert seen(service).state == "Working"
    assert given_up(service) == (0, 0)
    assert [record.outcome for record in records(service)] == ["placed"]


def test_an_order_that_was_cancelled_meanwhile_keeps_its_end(service: Service) -> None:
    service.place("order-1", delay=10)
    fail(service)
    service.cancel("order-1")
    service.output.take()
    retry(service)
    assert (seen(service).state, seen(service).reason) == ("Cancelled", None)
    assert given_up(service) == (0, 0)
    assert [record.outcome for record in records(service)] == ["already_cancelled"]


def test_an_order_that_was_never_written_is_not_found_when_it_is_given_up(service: Service) -> None:
    service.network.inject("PutItem", *[throttle] * 3)
    service.place("order-1", delay=10)
    service.network.inject("GetItem", *[internal_error] * 3 * ATTEMPTS)
    service.pass_time(11)
    retry(service, ATTEMPTS)
    assert_nothing_waits(service)
    assert [record.outcome for record in records(service)] == ["order_not_found"]


def test_without_retention_what_was_given_up_is_counted_once_too(service: Service) -> None:
    service.record_nothing()
    service.place("order-1", delay=10)
    [message] = service.queue.messages
    fail(service)
    for _ in range(2):
        deliver(service, message.body, dead=True)
    assert given_up(service) == (1, 1)
    kept = [item for item in service.everything() if item["pk"] == {"S": alert_key(service.trader, "")["pk"]}]
    assert all(item.keys() == {"pk", "sk", "received_at", "status", "expires"} for item in kept)
    assert sorted(item["status"]["N"] for item in kept) == ["200", "423"]


# The rest


@pytest.mark.parametrize("command", ["CHANGE", "CANCEL"])
def test_another_command_that_was_given_up_is_not_done_any_more(service: Service, command: str) -> None:
    service.place("order-1")
    service.send(command, order_id="order-1", limit_price=None if command == "CANCEL" else 4990, delay=10)
    fail(service)
    retry(service)
    assert_nothing_waits(service)
    assert (seen(service).state, len(seen(service).history)) == ("Working", 1)
    assert given_up(service) == (1, 1)
    [record] = records(service)
    assert (record.status, record.outcome, record.command) == (409, "outcome_unknown", command)
    assert str(record.detail).startswith("Given up: ")
    assert record.fields["order_id"] == "order-1"


def test_an_order_whose_time_is_over_is_cancelled_however_late(service: Service) -> None:
    service.place("order-1", cancel_after=1)
    service.let_pass(62)
    service.scheduler.send_due_messages(service.queue.now)
    fail(service)
    retry(service)
    assert_nothing_waits(service)
    assert seen(service).state == "Cancelled"
    assert [record.outcome for record in records(service, "cancel_after")] == ["cancelled"]
    assert given_up(service) == (0, 0)


@pytest.mark.parametrize("body", ["nonsense", "{}", '{"release": {}}'])
def test_a_dead_letter_that_cannot_be_read_ends_there(service: Service, body: str) -> None:
    assert deliver(service, body, dead=True) == {"batchItemFailures": []}
    line, metric = service.output.lines()
    assert (line["message"], metric["MessagesRefused"]) == ("message refused", [1.0])
    assert "nonsense" not in json.dumps(line)


def test_a_defect_keeps_a_dead_letter(service: Service) -> None:
    service.place("order-1", delay=10)
    [message] = service.queue.messages
    service.monkeypatch.setattr("orderhook.commands.release.end", None)
    service.output.take()
    failed = {"batchItemFailures": [{"itemIdentifier": "a"}]}
    assert deliver(service, message.body, dead=True) == failed
    assert [line.get("message") for line in service.output.lines()] == ["defect", None, "alert", None]


@pytest.mark.parametrize(
    ("command", "fields", "done"),
    [
        ("CHANGE", {"limit_price": 4990}, "changed"),
        ("CANCEL", {}, "cancelled"),
        ("CANCEL", {"order_id": "ENTRY1", "strategy_id": "s"}, "cancelled"),
    ],
    ids=["CHANGE", "CANCEL", "CANCEL by name"],
)
def test_the_record_of_a_list_that_was_given_up_has_what_became_of_each_account(
    service: Service, command: str, fields: dict[str, Any], done: str
) -> None:
    service.place("order-1", account="A,B", strategy_id="s")
    service.send(command, **{"order_id": "order-1", "account": "A,B", "delay": 10, **fields})
    service.network.always = in_requests_with("ORDER#order-1.b", internal_error)
    service.pass_time(11)
    retry(service, ATTEMPTS - 1)
    service.network.always = no_fault
    service.output.take()
    retry(service)
    assert_nothing_waits(service)
    [record] = records(service)
    assert (record.status, record.outcome) == (409, "outcome_unknown")
    assert [(it.account, it.outcome, it.order_ids) for it in record.results] == [
        ("A", done, ("order-1.a",)),
        ("B", "outcome_unknown", ()),
    ]
    assert record.order_ids == ("order-1.a",)
    assert str(record.results[1].detail).startswith("Given up: ")
    assert given_up(service) == (1, 1)
