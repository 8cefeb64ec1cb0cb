"""An alert that its deadline cuts off leaves a record too, with what is known of accounts and orders by then."""

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from threading import Event
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

import webhook
from orderhook import answering, pipeline
from orderhook.aws.budget import time_budget
from orderhook.errors import OrderhookError, OutcomeUnknownError
from orderhook.outcome import Outcome
from orderhook.request_facts import Progress, RequestFacts
from orderhook.store.alert_log import RecordedResult
from tests.builders import ENTRY
from tests.client_faults import Deliver
from tests.clock import PATIENCE_SECONDS
from tests.faults import Stopped, throttle
from tests.output import Answer
from tests.service import Service
from tests.trades import seen


@pytest.fixture
def patient(service: Service) -> Service:
    """The handlers with a deadline that is reached when a test says so, and time for a record after it."""
    service.warm_up()
    service.set_budget(PATIENCE_SECONDS)
    service.clock.ring_alarms()
    service.monkeypatch.setattr(answering, "RECORD_SECONDS", float(PATIENCE_SECONDS))
    return service


@pytest.fixture
def progress(patient: Service) -> Progress:
    """How far the alert has come that the test sends."""
    progress = Progress()
    patient.monkeypatch.setattr(webhook, "RequestFacts", partial(RequestFacts, progress=progress))
    return progress


def reach_deadline() -> None:
    """Have the alarm ring that ends the alert: at once, and until it is heard."""
    # A busy machine must have the time to note the first one before the next.
    signal.setitimer(signal.ITIMER_REAL, 1e-3, 5e-3)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    gives_up = time.perf_counter() + PATIENCE_SECONDS
    while not condition() and time.perf_counter() < gives_up:
        time.sleep(0.01)


def hanging(service: Service, *, done: bool = False) -> Callable[[AWSPreparedRequest, Deliver], AWSResponse | None]:
    """Return a fault that lasts until the deadline; the request never arrives, or is `done` and its answer not read."""

    def hang(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
        if done:
            deliver(request)
        service.clock.advance(PATIENCE_SECONDS)
        reach_deadline()
        until(lambda: False)
        raise AssertionError("the alarm was not heard")

    return hang


def assert_was_cut_off(service: Service) -> None:
    [line] = [line for line in service.output.lines() if line.get("message") == "alert"]
    assert line["reason"] == "DeadlineError"


# One order


@pytest.mark.parametrize(
    ("command", "fields", "operation", "word"),
    [
        ("CANCEL", {"order_id": "order-1"}, "UpdateItem", "temporarily_unavailable"),
        ("PLACE", {**ENTRY, "order_id": "order-2"}, "PutItem", "temporarily_unavailable"),
        ("PLACE", ENTRY, "PutItem", "outcome_unknown"),
    ],
    ids=["cancel", "place", "place without id"],
)
def test_an_alert_that_is_cut_off_has_a_line_and_a_record(
    patient: Service, command: str, fields: dict[str, object], operation: str, word: str
) -> None:
    patient.place("order-1")
    patient.output.take()
    patient.network.inject(operation, hanging(patient, done=True))
    answer = patient.send(command, **fields)
    assert answer.word == word
    line, metric = patient.output.lines()
    assert (line["reason"], line["operation"], metric["outcome"]) == ("DeadlineError", operation, word)
    record = patient.record_of(answer)
    assert (record.outcome, record.status, record.command) == (word, answer.status, command)
    assert record.detail == answer.body["detail"]


def test_a_record_that_the_table_does_not_take_either_is_a_line_and_a_metric(patient: Service) -> None:
    patient.network.inject("UpdateItem", hanging(patient))
    patient.network.records_meet = throttle
    assert patient.cancel("order-1").status == 503
    not_recorded, metric, line, _ = patient.output.lines()
    assert (not_recorded["message"], not_recorded["reason"]) == ("alert not recorded", "ThrottlingException")
    assert (metric["AlertsNotRecorded"], line["reason"]) == ([1.0], "DeadlineError")


def test_without_a_key_there_is_no_record_of_what_is_cut_off(patient: Service) -> None:
    patient.remember_keys(0)
    patient.network.inject("GetItem", hanging(patient))
    assert patient.cancel("order-1").status == 503
    assert patient.network.records == []
    line, _ = patient.output.lines()
    assert (line["reason"], line["operation"]) == ("DeadlineError", "GetItem")


def test_the_first_alert_after_one_that_was_cut_off_is_carried_out(patient: Service) -> None:
    patient.place("order-1")
    patient.network.inject("UpdateItem", hanging(patient))
    assert [patient.cancel("order-1").word for _ in range(2)] == ["temporarily_unavailable", "cancelled"]


# Several


def send_to_accounts(service: Service, progress: Progress, order_id: str | None) -> Answer:
    """Send a PLACE for three accounts that is cut off when two have been served, and the third's write is under way."""
    over = Event()

    def hang_in_b(request: AWSPreparedRequest, _: Deliver) -> AWSResponse | None:
        item = json.loads(request.body)["Item"]  # type: ignore[arg-type]
        if item.get("account") != {"S": "B"}:
            return None
        until(lambda: sum(future.done() for _, future in progress.accounts) == 2)
        reach_deadline()
        until(over.is_set)
        raise Stopped

    service.network.inject("PutItem", *[hang_in_b] * 4)
    answer = service.place(order_id, account="A,B,C")
    over.set()
    assert_was_cut_off(service)
    return answer


def test_an_alert_for_several_accounts_that_is_cut_off_tells_what_is_known_of_each(
    patient: Service, progress: Progress
) -> None:
    answer = send_to_accounts(patient, progress, "long")
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert [result["account"] for result in answer.body["results"]] == ["A", "B", "C"]
    record = patient.record_of(answer)
    a, b, c = record.results
    assert (a, c) == (
        RecordedResult("A", 200, "placed", order_ids=("long.a",)),
        RecordedResult("C", 200, "placed", order_ids=("long.c",)),
    )
    assert (b.status, b.outcome, b.order_ids) == (503, "temporarily_unavailable", ())
    assert record.order_ids == ("long.a", "long.c")


def test_accounts_that_were_all_answered_at_the_deadline_are_not_said_to_be_unknown() -> None:
    answered: Future[Outcome | OrderhookError] = Future()
    answered.set_result(Outcome("placed", order_id="order-1"))
    facts = RequestFacts("request-1", repeatable=False, progress=Progress(accounts=[("A", answered), ("B", answered)]))
    with time_budget(time.monotonic()) as budget:
        budget.count_in_doubt(1)
        error = pipeline.as_answered(pipeline.cut_off(facts), facts)
    assert (type(error), [account for account, _ in error.results]) == (OutcomeUnknownError, ["A", "B"])
    assert error.detail.startswith("It was cut off, but what became of it in each account is known")


def test_an_order_without_id_of_an_account_that_is_cut_off_is_told_by_its_id(
    patient: Service, progress: Progress
) -> None:
    answer = send_to_accounts(patient, progress, None)
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    ids = [f"{answer.request_id}.{number}" for number in (1, 2, 3)]
    record = patient.record_of(answer)
    assert [(result.outcome, result.order_ids) for result in record.results] == [
        ("placed", (ids[0],)),
        ("outcome_unknown", (ids[1],)),
        ("placed", (ids[2],)),
    ]
    assert record.order_ids == tuple(ids)


over_many = pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("CANCELALLORDERS", {}),
        ("CANCELORDERS", {"account": "Sim101"}),
        ("CANCELORDERS", {"account": "Sim101,Sim102"}),
        ("CLOSESTRATEGY", {"strategy_id": "strategy-1"}),
    ],
    ids=["all", "of an account", "of accounts", "of a strategy"],
)


@over_many
def test_a_command_over_many_that_is_cut_off_is_recorded_with_the_orders_it_ended(
    patient: Service, progress: Progress, command: str, fields: dict[str, object]
) -> None:
    patient.place("order-1", strategy_id="strategy-1", stop_loss=4980)
    answer = send_cut_off_while_it_lists(patient, progress, command, fields)
    assert seen(patient).state == "Cancelled"
    assert patient.record_of(answer).order_ids == ("order-1", "order-1.STOP1")


@over_many
def test_a_resend_tells_of_the_stop_that_one_which_was_cut_off_has_cancelled(
    patient: Service, progress: Progress, command: str, fields: dict[str, object]
) -> None:
    patient.place("order-1", strategy_id="strategy-1", stop_loss=4980)
    patient.report("Filled", 5)
    answer = send_cut_off_while_it_lists(patient, progress, command, fields)
    assert patient.record_of(answer).order_ids == ("order-1.STOP1",)
    patient.let_pass(5)
    again = patient.send(command, **fields)
    assert again.status == 200
    [detail] = [it["detail"] for it in again.body["warnings"] if it["code"] == "unprotected_quantity"]
    assert detail.endswith("has no stop now: order-1.STOP1 protected it.")


def send_cut_off_while_it_lists(
    patient: Service, progress: Progress, command: str, fields: dict[str, object]
) -> Answer:
    """Send a command over many that has ended something when its deadline is reached, and lists the second page."""
    over = Event()

    def two_pages(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
        if "ExclusiveStartKey" not in json.loads(request.body):  # type: ignore[arg-type]
            whole: dict[str, Any] = json.loads(deliver(request).content)
            last = {"pk": {"S": "a"}, "sk": {"S": "b"}, "open": {"S": "c"}}
            return _answer(request, json.dumps(whole | {"LastEvaluatedKey": last}))
        until(lambda: bool(progress.ended))
        reach_deadline()
        until(over.is_set)
        raise Stopped

    patient.network.inject("Query", *[two_pages] * 4)
    patient.output.take()
    answer = patient.send(command, **fields)
    over.set()
    patient.network.inject("Query")
    assert_was_cut_off(patient)
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    return answer


def _answer(request: AWSPreparedRequest, text: str) -> AWSResponse:
    class Raw:
        def stream(self, **_: object) -> list[bytes]:
            return [text.encode()]

    return AWSResponse(request.url, 200, HTTPHeaders(), Raw())
