"""The table is slow, busy or gone: 503 in time, the order as it was or cancelled, and never a second order."""

import json
import math
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orderhook.aws.clients import connect
from orderhook.commands.place import Place
from orderhook.store.book import OrderBook
from tests.builders import ENTRY, refused
from tests.faults import Answer as FaultAnswer
from tests.faults import Exchange, FaultProxy
from tests.service import RETENTION, Answer, Service
from tests.wire import (
    Fault,
    answering,
    cut_short,
    in_writes,
    lost_after_commit,
    lost_before_commit,
    nobody_listens,
    refusal_cut_short,
    through,
    unreachable,
)

PATIENCE_SECONDS = 2.3

UNAVAILABLE = refused(
    "temporarily_unavailable", "The order book did not answer in time. Send the same alert again; it is safe."
)

PASSING: dict[str, Fault] = {
    "throughput exceeded": answering(400, "ProvisionedThroughputExceededException"),
    "throttled": answering(400, "ThrottlingException"),
    "account limit": answering(400, "RequestLimitExceeded"),
    "conflict": answering(400, "TransactionConflictException"),
    "internal error": answering(500, "InternalServerError"),
    "unavailable": answering(503, "ServiceUnavailable"),
    "connection refused": nobody_listens,
    "no way there": unreachable,
    "request lost": lost_before_commit,
    "answer lost": lost_after_commit,
    "answer cut short": cut_short,
    "refusal cut short": refusal_cut_short,
}
every_fault = pytest.mark.parametrize("fault", PASSING.values(), ids=list(PASSING))

CANCELLED_IN_PART: dict[str, Fault] = {
    "conflict": answering(400, "TransactionCanceledException", "None", "TransactionConflict"),
    "throttled": answering(400, "TransactionCanceledException", "ThrottlingError", "None"),
    "throughput": answering(400, "TransactionCanceledException", "None", "ProvisionedThroughputExceeded"),
    "conflict and condition": answering(
        400, "TransactionCanceledException", "ConditionalCheckFailed", "TransactionConflict"
    ),
    "throttled and condition": answering(
        400, "TransactionCanceledException", "ThrottlingError", "ConditionalCheckFailed"
    ),
}


def assert_unavailable(service: Service, answer: Answer) -> None:
    assert (answer.status, answer.body) == (503, UNAVAILABLE)
    assert answer.headers["Retry-After"] == "5"
    assert "UnhandledErrors" not in service.output.take()


@every_fault
def test_a_cancel_that_the_table_does_not_take_is_to_be_sent_again(service: Service, fault: Fault) -> None:
    service.have_order("PartFilled", filled=2)
    before = service.item()
    service.warm_up()
    service.wire.always = fault
    answer = service.cancel("order-1")
    assert_unavailable(service, answer)
    if fault in (lost_after_commit, cut_short):
        assert service.state() == "Cancelled"
    else:
        assert service.item() == before
    service.wire.always = None
    assert service.cancel("order-1").word in ("cancelled", "already_cancelled")


@every_fault
def test_a_key_or_a_strategy_that_cannot_be_read_is_no_refusal(service: Service, fault: Fault) -> None:
    service.have_strategy("Working", "STOP1")
    service.wire.fault_at("GetItem", *[fault] * 6)
    assert_unavailable(service, service.cancel("stop1", strategy_id="strategy-1"))
    service.wire.fault_at("GetItem", through, *[fault] * 6)
    assert_unavailable(service, service.cancel("stop1", strategy_id="strategy-1"))
    assert service.state() == "Working"


@pytest.mark.parametrize("fault", CANCELLED_IN_PART.values(), ids=list(CANCELLED_IN_PART))
def test_a_transaction_that_the_table_does_not_take_is_to_be_sent_again(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.wire.always = in_writes(fault)
    for order_id in ("order-1", None):
        assert_unavailable(service, service.place(order_id, strategy_id="strategy-1"))
    assert service.belongings() == []


@pytest.mark.parametrize("kind", sorted(PASSING.keys() - {"account limit"}))
def test_a_fault_that_passes_at_once_is_not_noticed(service: Service, kind: str) -> None:
    service.have_order("Working")
    service.warm_up()
    service.wire.fault_at("UpdateItem", PASSING[kind])
    answer = service.cancel("order-1")
    assert (answer.word, answer.body["previous_state"]) == ("cancelled", "Working")
    assert service.wire.operations == ["UpdateItem", "UpdateItem"]


@pytest.mark.parametrize("fault", [PASSING["conflict"], CANCELLED_IN_PART["conflict"]], ids=["single", "transaction"])
def test_a_conflict_is_tried_often_enough_to_pass(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.wire.fault_at("TransactWriteItems", *[fault] * 4)
    assert service.place("order-1", strategy_id="strategy-1").word == "placed"


# Real sockets


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port that lets no further connection in: what an unreachable address looks like."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("port", ["deaf_port", "full_port", "closed_port"])
@pytest.mark.parametrize("warm", [True, False], ids=["key known", "key not known"])
def test_an_answer_leaves_in_time_when_the_table_gives_none(
    service: Service, port: str, request: pytest.FixtureRequest, *, warm: bool
) -> None:
    client = connect(endpoint_url=f"http://127.0.0.1:{request.getfixturevalue(port)}")
    gone = OrderBook(client, service.table.name, RETENTION)
    service.warm_up()
    service.keep_time()
    if warm:
        service.write_to(gone)
    else:
        service.work_on(gone)
    started = time.monotonic()
    answer = service.cancel("order-1")
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert_unavailable(service, answer)
    client.close()


@pytest.mark.parametrize(
    ("command", "fields", "word"),
    [
        ("CANCEL", {"order_id": "order-1"}, "temporarily_unavailable"),
        ("PLACE", {**ENTRY, "order_id": "order-1"}, "temporarily_unavailable"),
        ("PLACE", ENTRY, "outcome_unknown"),
    ],
    ids=["cancel", "place", "place without id"],
)
def test_an_answer_leaves_in_time_when_the_table_answers_byte_by_byte(
    service: Service, command: str, fields: dict[str, object], word: str
) -> None:
    service.warm_up()
    service.keep_time()
    with FaultProxy(upstream="http://127.0.0.1:9") as proxy:
        proxy.inject(lambda exchange: exchange.reply(FaultAnswer(200, {}, 20 * b" "), pause=0.3), times=math.inf)
        client = connect(endpoint_url=proxy.endpoint)
        service.write_to(OrderBook(client, service.table.name, RETENTION))
        started = time.monotonic()
        answer = service.send(command, **fields)
        assert time.monotonic() - started < PATIENCE_SECONDS
        # Nor is there time left for a record.
        [not_recorded, _, line, metric] = service.output.lines()
    client.close()
    assert not_recorded["message"] == "alert not recorded"
    assert answer.word == line["outcome"] == metric["outcome"] == word


def test_what_came_too_late_for_one_alert_is_not_taken_for_the_answer_to_the_next(service: Service) -> None:
    answers, connections = {}, []
    for order_id in ("order-1", "order-2"):
        service.have_order("Working", order_id)
        answers[order_id] = FaultAnswer(200, {}, json.dumps({"Attributes": service.item(order_id)}).encode())

    def answer(exchange: Exchange) -> None:
        connections.append(exchange.client)
        order_id = exchange.request.payload["Key"]["sk"]["S"].removeprefix("ORDER#")
        # The first answer is nearly there when its time is over, and its rest arrives soon after.
        exchange.reply(answers[order_id], pause=2.25 / len(answers[order_id].body) if order_id == "order-1" else 0)

    service.warm_up()
    service.keep_time()
    with FaultProxy(upstream="http://127.0.0.1:9") as proxy:
        proxy.inject(answer, times=math.inf)
        client = connect(endpoint_url=proxy.endpoint)
        service.write_to(OrderBook(client, service.table.name, RETENTION))
        late, *following = [service.cancel(order_id) for order_id in ("order-1", "order-2", "order-2")]
    client.close()
    assert late.word == "temporarily_unavailable"
    assert [(it.word, it.body["order_id"]) for it in following] == [("cancelled", "order-2")] * 2
    first, second, third = connections
    assert first != second == third


def test_an_order_without_id_that_never_reached_the_table_is_to_be_sent_again(
    service: Service, closed_port: int
) -> None:
    service.warm_up()
    client = connect(endpoint_url=f"http://127.0.0.1:{closed_port}")
    service.write_to(OrderBook(client, service.table.name, RETENTION))
    assert_unavailable(service, service.place())
    client.close()


def test_an_order_without_id_that_a_deaf_table_may_have_taken_must_not_be_sent_again(
    service: Service, deaf_port: int
) -> None:
    service.warm_up()
    client = connect(endpoint_url=f"http://127.0.0.1:{deaf_port}")
    service.write_to(OrderBook(client, service.table.name, RETENTION))
    assert service.place().word == "outcome_unknown"
    client.close()


# Defects


DEFECTS: dict[str, Fault] = {
    "validation": answering(400, "ValidationException", message="THE-MESSAGE"),
    "no permission": answering(400, "AccessDeniedException", message="THE-MESSAGE"),
    "no table": answering(400, "ResourceNotFoundException", message="THE-MESSAGE"),
    "nonsense": answering(200, "nothing", message="THE-MESSAGE"),
}


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=list(DEFECTS))
def test_a_defect_is_counted_and_answered_503_and_its_message_is_in_no_output(service: Service, defect: Fault) -> None:
    service.have_order("Working")
    before = service.item()
    service.warm_up()
    service.wire.always = defect
    answer = service.cancel("order-1")
    assert (answer.status, answer.body) == (
        503,
        refused("temporarily_unavailable", "This alert could not be answered. Send it again; it is safe."),
    )
    assert answer.headers["Retry-After"] == "5"
    written = service.output.take()
    assert "THE-MESSAGE" not in written + answer.text
    assert service.key not in written
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line.get("message") for line in lines] == ["defect", None, "alert", None]
    assert (lines[0]["level"], lines[0]["request_id"]) == ("ERROR", answer.request_id)
    assert any("book.py" in frame for frame in lines[0]["frames"])
    assert lines[1]["UnhandledErrors"] == [1.0]
    assert service.item() == before


def test_a_transaction_that_also_fails_for_a_reason_of_ours_is_a_defect_and_no_answer_of_the_book(
    service: Service,
) -> None:
    service.warm_up()
    mixed = answering(400, "TransactionCanceledException", "ConditionalCheckFailed", "ValidationError")
    service.wire.fault_at("TransactWriteItems", mixed)
    answer = service.place("order-1", take_profit="5010")
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert service.belongings() == []
    defects = [line for line in service.output.lines() if line.get("message") == "defect"]
    assert [line["defect"] for line in defects] == ["TransactionCanceledException"]


def test_a_defect_after_an_order_without_id_was_written_must_not_be_sent_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.warm_up()
    monkeypatch.setattr(Place, "_answer", None)
    answer = service.place()
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    assert len(service.open_orders()) == 1
    assert "UnhandledErrors" in service.output.take()


def test_a_defect_before_an_order_without_id_was_written_is_to_be_sent_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Place, "_entry", None)
    assert service.place().status == 503
    assert service.belongings() == []
