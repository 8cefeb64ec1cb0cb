"""The table is slow, busy or gone: 503 in time, the order as it was or cancelled, and never a second order."""

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event

import pytest

from orderhook import answering
from tests.builders import ENTRY, refused
from tests.client_faults import in_writes
from tests.endpoints import closed, deaf, full
from tests.fault_proxy import Answer as FaultAnswer
from tests.fault_proxy import Exchange, FaultProxy
from tests.faults import (
    LEAVING_DONE,
    PASSING,
    PASSING_IN_TRANSACTIONS,
    Fault,
    cancel_transaction,
    conflict,
    conflict_in_transaction,
    every_fault,
    no_fault,
    throttle_account,
)
from tests.marks import LONG
from tests.output import Answer
from tests.service import Service
from tests.trades import seen

PATIENCE_SECONDS = 2.3
NOWHERE = "http://127.0.0.1:9"

WORDS = ("The table did not answer in time.", "No time was left", "Other alerts are changing")


def assert_unavailable(service: Service, answer: Answer) -> None:
    body = answer.body
    assert (answer.status, body) == (503, refused("temporarily_unavailable", body["detail"], reason=body["reason"]))
    assert body["detail"].startswith(WORDS)
    assert answer.headers["Retry-After"] == "5"
    assert "UnhandledErrors" not in service.output.take()


@every_fault
def test_a_cancel_that_the_table_does_not_take_is_to_be_sent_again(service: Service, fault: Fault) -> None:
    service.have_order("PartFilled", filled=2)
    before = service.item()
    service.warm_up()
    service.network.always = fault
    answer = service.cancel("order-1")
    assert_unavailable(service, answer)
    if fault in LEAVING_DONE:
        assert service.state() == "Cancelled"
    else:
        assert service.item() == before
    service.network.always = no_fault
    assert service.cancel("order-1").word in ("cancelled", "already_cancelled")


@LONG
@every_fault
@pytest.mark.parametrize("way", [{"order_id": "order-1.STOP1"}, {"order_id": "STOP1", "strategy_id": "strategy-1"}])
def test_a_cancel_of_a_waiting_leg_that_the_table_does_not_take_is_to_be_sent_again(
    service: Service, way: dict[str, str], fault: Fault
) -> None:
    service.place("order-1", strategy_id="strategy-1", stop_loss=4980)
    before = service.item()
    service.warm_up()
    service.network.inject("UpdateItem", *[fault] * 6)
    assert_unavailable(service, service.cancel(**way))
    if fault in LEAVING_DONE:
        assert seen(service, "order-1.STOP1").state == "Cancelled"
    else:
        assert service.item() == before
    assert seen(service).state == "Working"
    service.network.inject("UpdateItem")
    assert service.cancel(**way).word in ("cancelled", "already_cancelled")


@every_fault
def test_a_key_or_a_strategy_that_cannot_be_read_is_no_refusal(service: Service, fault: Fault) -> None:
    service.place("order-1", strategy_id="strategy-1", stop_loss=4980)
    service.remember_keys(30)
    service.network.inject("GetItem", *[fault] * 6)
    assert_unavailable(service, service.cancel("stop1", strategy_id="strategy-1"))
    service.network.inject("GetItem", no_fault, *[fault] * 6)
    assert_unavailable(service, service.cancel("stop1", strategy_id="strategy-1"))
    assert (seen(service).state, seen(service, "order-1.STOP1").state) == ("Working", "Initialized")


@pytest.mark.parametrize("fault", PASSING_IN_TRANSACTIONS, ids=str)
def test_a_transaction_that_the_table_does_not_take_is_to_be_sent_again(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.network.always = in_writes(fault)
    for order_id in ("order-1", None):
        assert_unavailable(service, service.place(order_id, strategy_id="strategy-1"))
    assert service.belongings() == []


@pytest.mark.parametrize("fault", [fault for fault in PASSING if fault != throttle_account], ids=str)
def test_a_fault_that_passes_at_once_is_not_noticed(service: Service, fault: Fault) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.inject("UpdateItem", fault)
    answer = service.cancel("order-1")
    assert (answer.word, answer.body["previous_state"]) == ("cancelled", "Working")
    assert service.network.operations == ["UpdateItem", "UpdateItem"]


@pytest.mark.parametrize("fault", [conflict, conflict_in_transaction], ids=str)
def test_a_conflict_is_retried_often_enough_to_pass(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.network.inject("TransactWriteItems", *[fault] * 4)
    assert service.place("order-1", strategy_id="strategy-1").word == "placed"


# In time


@every_fault
@pytest.mark.parametrize("warm", [True, False], ids=["key known", "key not known"])
def test_an_answer_leaves_in_time_whatever_every_request_meets(service: Service, fault: Fault, *, warm: bool) -> None:
    service.warm_up()
    if not warm:
        service.remember_keys(30)
    started = service.clock.elapsed
    service.network.always = service.network.records_meet = fault
    assert_unavailable(service, service.cancel("order-1"))
    assert service.clock.elapsed - started < PATIENCE_SECONDS


# Real sockets


@pytest.mark.parametrize("endpoint", [deaf, full, closed], ids=["deaf", "full", "closed"])
def test_a_table_that_gives_no_answer_is_answered_503(
    service: Service, endpoint: Callable[[], AbstractContextManager[str]]
) -> None:
    service.warm_up()
    with endpoint() as address:
        service.write_to(address)
        assert_unavailable(service, service.cancel("order-1"))


def test_an_order_without_id_that_never_reached_the_table_is_to_be_sent_again(service: Service) -> None:
    service.warm_up()
    with closed() as address:
        service.write_to(address)
        assert_unavailable(service, service.place())


def test_an_order_without_id_that_a_deaf_table_may_have_taken_must_not_be_sent_again(service: Service) -> None:
    service.warm_up()
    with deaf() as address:
        service.write_to(address)
        assert service.place().word == "outcome_unknown"


@pytest.mark.parametrize(
    ("command", "fields", "word"),
    [
        ("CANCEL", {"order_id": "order-1"}, "temporarily_unavailable"),
        ("PLACE", {**ENTRY, "order_id": "order-1"}, "temporarily_unavailable"),
        ("PLACE", ENTRY, "outcome_unknown"),
    ],
    ids=["cancel", "place", "place without id"],
)
def test_an_alarm_ends_the_wait_for_a_table_that_answers_byte_by_byte(
    service: Service, command: str, fields: dict[str, object], word: str
) -> None:
    service.warm_up()
    service.set_budget(1)
    service.clock.ring_alarms()

    def drip(exchange: Exchange) -> None:
        service.clock.advance(1 + answering.RECORD_SECONDS)  # nor is there time left for a record
        exchange.reply(FaultAnswer(200, {}, 100 * b" "), pause=0.3)

    with FaultProxy(upstream=NOWHERE) as proxy:
        proxy.inject(drip)
        service.write_to(proxy.endpoint)
        answer = service.send(command, **fields)
        [not_recorded, _, line, metric] = service.output.lines()
    assert not_recorded["message"] == "alert not recorded"
    assert (line["reason"], line["operation"]) == (
        "DeadlineError",
        {"CANCEL": "UpdateItem", "PLACE": "PutItem"}[command],
    )
    assert answer.word == line["outcome"] == metric["outcome"] == word


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_alerts(service: Service) -> None:
    bodies, connections = {}, []
    too_late, sent = Event(), Event()
    for order_id in ("order-1", "order-2"):
        service.have_order("Working", order_id)
        bodies[order_id] = json.dumps({"Attributes": service.item(order_id)}).encode()

    def answer(exchange: Exchange) -> None:
        connections.append(exchange.client)
        order_id = exchange.request.payload["Key"]["sk"]["S"].removeprefix("ORDER#")
        if order_id == "order-2":
            exchange.reply(FaultAnswer(200, {}, bodies[order_id]))
            return
        try:
            exchange.reply(FaultAnswer(200, {}, 300 * b" " + bodies[order_id]), pause=0.1, until=too_late)
        finally:
            sent.set()

    service.warm_up()
    service.set_budget(1)
    service.clock.ring_alarms()
    with FaultProxy(upstream=NOWHERE) as proxy:
        proxy.inject(answer, times=math.inf)
        service.write_to(proxy.endpoint)
        late = service.cancel("order-1")
        too_late.set()
        sent.wait(60)
        following = [service.cancel("order-2") for _ in range(2)]
    assert late.word == "temporarily_unavailable"
    assert [(it.word, it.body["order_id"]) for it in following] == [("cancelled", "order-2")] * 2
    *of_the_first, second, third = connections
    assert second == third
    assert second not in of_the_first


# Defects


def test_a_defect_is_counted_and_answered_503_and_its_message_appears_nowhere(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.have_order("Working")
    before = service.item()
    service.warm_up()

    def defect(*_: object) -> None:
        raise RuntimeError("THE-MESSAGE")

    monkeypatch.setattr("orderhook.commands.cancel.Cancel.address", defect)
    answer = service.cancel("order-1")
    assert (answer.status, answer.body) == (
        503,
        refused(
            "temporarily_unavailable",
            "This alert could not be answered. Send it again; it is safe.",
            reason="RuntimeError",
        ),
    )
    assert answer.headers["Retry-After"] == "5"
    written = service.output.take()
    assert "THE-MESSAGE" not in written + answer.text
    assert service.key not in written
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line.get("message") for line in lines] == ["defect", None, "alert", None]
    assert (lines[0]["level"], lines[0]["request_id"], lines[0]["reason"]) == (
        "ERROR",
        answer.request_id,
        "RuntimeError",
    )
    assert any("orderhook" in frame for frame in lines[0]["frames"])
    assert lines[1]["UnhandledErrors"] == [1.0]
    assert service.item() == before


def test_a_transaction_that_also_fails_for_a_reason_of_ours_is_refused_for_good(service: Service) -> None:
    service.warm_up()
    mixed = cancel_transaction("ConditionalCheckFailed", "ValidationError")
    service.network.inject("TransactWriteItems", mixed)
    answer = service.place("order-1", take_profit="5010")
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    assert service.belongings() == []
    [refusal] = [line for line in service.output.lines() if line.get("message") == "refused by AWS"]
    assert refusal["reason"] == "TransactionCanceledException: ConditionalCheckFailed, ValidationError"


def test_a_defect_after_an_order_without_id_was_written_must_not_be_sent_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.warm_up()
    monkeypatch.setattr("orderhook.commands.place.outcome_of", None)
    answer = service.place()
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    assert len(service.open_orders()) == 1
    assert "UnhandledErrors" in service.output.take()


def test_a_defect_before_an_order_without_id_was_written_is_to_be_sent_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderhook.commands.place.place_entry", None)
    assert service.place().status == 503
    assert service.belongings() == []
