"""delay: a PLACE is an order that waits in the table, all else is a message; each is carried out once, or ends."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import deferred
from cli.aws.scheduler import sqs_event
from orderhook import listing
from orderhook.aws.deferred import Deferred
from orderhook.orders import Order, timestamp
from tests.builders import ENTRY, provenance, refused
from tests.client_faults import in_requests_with, in_writes
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
    run_before,
    service_unavailable,
    stop_after,
    stop_before,
    throttle,
)
from tests.marks import EACH_ONCE
from tests.output import Answer
from tests.service import Service
from tests.trades import seen, to_noon_in_new_york

READ, PUT, UPDATE, SEND, TRANSACT = "GetItem", "PutItem", "UpdateItem", "SendMessage", "TransactWriteItems"
VISIBILITY_SECONDS = 36
ATTEMPTS = 5

LEGS: Mapping[str, Any] = {"take_profit": 5020, "stop_loss": 4980}


def body_of(service: Service) -> dict[str, Any]:
    """Return the one message that was sent."""
    [sent] = [request for request in service.network.requests if request.operation == SEND]
    body: dict[str, Any] = json.loads(sent.payload["MessageBody"])
    return body


def retry(service: Service, times: int = 1) -> None:
    """Let SQS deliver again what was not deleted, this many times."""
    for _ in range(times):
        service.pass_time(VISIBILITY_SECONDS)


def wait(service: Service, order_id: str | None = "order-1", **changes: object) -> Answer:
    """Send a PLACE that waits for ten seconds, or for the `delay` among the changes."""
    answer = service.place(order_id, **{"delay": 10, **changes})
    assert (answer.status, answer.word) == (200, "scheduled"), answer.body
    return answer


def outcomes(service: Service) -> list[str]:
    return [line["outcome"] for line in service.output.lines() if line.get("message") == "alert"]


def assert_ended(service: Service, order_id: str, reason: str) -> Order:
    """Assert that an order was never placed, and says why."""
    order = seen(service, order_id)
    assert (order.state, order.released_at, order.due, order.order_name) == ("Cancelled", None, None, None)
    assert order.reason is not None
    assert reason in order.reason
    assert order_id not in service.open_orders()
    return order


# A PLACE that waits


def test_a_place_with_a_delay_is_an_order_from_its_answer_on(service: Service) -> None:
    service.warm_up()
    before = datetime.now(UTC)
    answer = service.place("order-1", delay=30)
    due = datetime.fromisoformat(answer.body["due"])
    assert before + timedelta(seconds=30) <= due <= datetime.now(UTC) + timedelta(seconds=30)
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "scheduled",
            "order_id": "order-1",
            "state": "Initialized",
            "due": timestamp(due),
        },
    )
    assert service.network.operations == [READ, SEND, PUT]
    assert service.network.requests[1].payload["DelaySeconds"] == 30
    assert service.open_orders() == ["order-1"]
    [listed] = listing.list_orders(service.services, service.trader, timestamp(service.queue.now), open_only=True)
    assert isinstance(listed, Order)
    assert (listed.state, listed.due, listed.qty) == ("Initialized", answer.body["due"], 5)
    assert service.record_of(answer).order_ids == ("order-1",)


def test_its_message_holds_nothing_but_which_order_and_until_when(service: Service) -> None:
    service.warm_up()
    answer = service.place("order-1", delay=1, notes="café", start_time="00:00", end_time="24:00")
    if answer.status == 400:  # 24:00 is not a time
        answer = service.place("order-1", delay=1, notes="café", start_time="00:00", end_time="23:59")
    assert body_of(service) == {
        "version": 2,
        "release": {
            "trader": service.trader,
            "key_id": service.key.split("_")[1],
            "request_id": answer.request_id,
            "received_at": seen(service).received_at,
            "order_id": "order-1",
            "due": answer.body["due"],
            "window": [0, 23 * 60 + 59, None],
        },
    }
    assert service.network.requests[-2].payload["MessageBody"].isascii()


@pytest.mark.parametrize("fields", [{}, {"strategy_id": "strategy-1"}, LEGS, {"strategy": "brackets"}], ids=str)
def test_it_has_neither_name_nor_legs_before_its_release(service: Service, fields: dict[str, Any]) -> None:
    service.put_template("brackets", (5, 10, 5))
    service.warm_up()
    answer = wait(service, **fields)
    # A template that is not there is told at once.
    assert service.network.operations == [READ, *([READ] if "strategy" in fields else []), SEND, PUT]
    assert answer.body.keys() & {"order_name", "legs"} == set()
    assert answer.body.get("strategy_id") == fields.get("strategy_id")
    assert service.strategy() is None
    named = "order_not_found" if "strategy_id" in fields else "strategy_not_found"
    assert service.cancel("ENTRY1", strategy_id="strategy-1").word == named
    assert service.cancel("order-1.STOP1").word == "order_not_found"


@pytest.mark.parametrize(("delay", "seconds"), [("0.2", 1), ("1.5", 2), ("2.0", 2), ("59.5", 60), ("60", 60)], ids=str)
def test_parts_of_a_second_are_rounded_up(service: Service, delay: str, seconds: int) -> None:
    service.warm_up()
    answer = wait(service, delay=delay)
    assert service.network.requests[1].payload["DelaySeconds"] == seconds
    received = datetime.fromisoformat(str(seen(service).received_at))
    assert answer.body["due"] == timestamp(received + timedelta(seconds=seconds))


@pytest.mark.parametrize("delay", ["0", "0.0"])
def test_a_delay_of_zero_is_none(service: Service, delay: str) -> None:
    assert service.place("order-1", delay=delay).word == "placed"


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"delay": "61"}, 400, "invalid_value"),
        ({"delay": "60.5"}, 400, "invalid_value"),
        ({"delay": "-1"}, 400, "invalid_value"),
        ({"delay": "soon"}, 400, "invalid_value"),
        ({"delay": ""}, 400, "missing_field"),
        ({"delay": "{{x}}"}, 400, "unresolved_placeholder"),
        ({"qty": "none"}, 400, "invalid_value"),
        ({"tif": None}, 400, "missing_field"),
        ({"colour": "red"}, 400, "unknown_field"),
        ({"stop_loss": 5000.25}, 400, "invalid_value"),
        ({"key": "wrong"}, 401, "invalid_secret_key"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_delayed_alert_is_answered_at_once(
    service: Service, changes: dict[str, Any], status: int, word: str
) -> None:
    answer = service.place("order-1", **{"delay": 5, **changes})
    assert (answer.status, answer.word) == (status, word)
    assert service.queue.messages == []
    assert service.belongings() == []


@pytest.mark.parametrize("command", ["PLACE", "CANCEL"])
def test_without_a_queue_a_delay_is_refused(service: Service, command: str) -> None:
    service.defer_with(None)
    answer = service.send(command, **{**(ENTRY if command == "PLACE" else {}), "order_id": "order-1", "delay": 5})
    assert (answer.status, answer.body) == (
        400,
        refused("unsupported_value", "delay is not available in this deployment; take it out.", field="delay"),
    )
    assert service.place("order-1").word == "placed"


def test_its_id_is_taken_from_the_answer_on(service: Service) -> None:
    first = wait(service)
    again = wait(service)
    assert again.body == {**first.body, "duplicate": True}
    other = service.place("order-1", qty=2)
    assert (other.status, other.word, other.body["state"]) == (409, "duplicate_order_id", "Initialized")
    assert service.place("order-1").body["due"] == first.body["due"]  # a delay is no part of an order
    service.pass_time(11)
    assert service.open_orders() == ["order-1"]


def test_an_order_without_id_takes_its_id_from_the_alert(service: Service) -> None:
    answer = wait(service, None)
    assert answer.body["order_id"] == answer.request_id
    assert [warning["code"] for warning in answer.body["warnings"]] == ["no_order_id"]
    service.pass_time(11)
    assert service.state(answer.request_id) == "Working"


# Its release


def test_it_is_placed_when_the_delay_is_over_and_not_before(service: Service) -> None:
    answer = wait(service, delay=30)
    service.pass_time(20)
    assert service.state() == "Initialized"
    service.pass_time(10.5)
    order = seen(service)
    assert (order.state, order.due, order.delay) == ("Working", None, 30)
    assert order.released_at == order.since > answer.body["due"]
    assert [(event.state, event.request_id) for event in order.history] == [
        ("Initialized", answer.request_id),
        ("Working", answer.request_id),
    ]
    assert service.queue.messages == []


@pytest.mark.parametrize(
    ("fields", "requests"),
    [
        ({}, [READ, READ, TRANSACT]),
        ({"strategy_id": "strategy-1"}, [READ, READ, READ, TRANSACT]),
        (LEGS, [READ, READ, READ, TRANSACT]),
        ({"strategy_id": "strategy-1", "strategy": "brackets"}, [READ, READ, READ, READ, TRANSACT]),
    ],
    ids=["alone", "in a strategy", "with legs", "with a template"],
)
def test_a_release_takes_one_read_of_the_key_and_of_the_order_and_then_what_a_place_takes(
    service: Service, fields: dict[str, Any], requests: list[str]
) -> None:
    service.put_template("brackets", (5, 10, 5))
    wait(service, **fields)
    service.network.forget()
    service.pass_time(11)
    assert seen(service).state == "Working"
    assert service.network.operations == requests


def test_its_name_and_legs_come_with_its_release(service: Service) -> None:
    wait(service, strategy_id="strategy-1", **LEGS)
    service.pass_time(11)
    order = seen(service)
    assert (order.order_name, order.strategy_id, sorted(order.legs)) == ("ENTRY1", "strategy-1", ["STOP1", "TARGET1"])
    assert not order.wanted
    for name, leg in order.legs.items():
        assert leg.oco_id
        assert seen(service, f"order-1.{name}").state == "Initialized"
    assert service.cancel("STOP1", strategy_id="strategy-1").body["order_id"] == "order-1.STOP1"


def test_legs_without_a_strategy_have_one_named_like_the_order(service: Service) -> None:
    wait(service, stop_loss=4980)
    service.pass_time(11)
    assert service.cancel("STOP1", strategy_id="order-1").word == "cancelled"


def test_the_template_is_that_of_the_release(service: Service) -> None:
    service.put_template("brackets", (5, 10, 5))
    wait(service, strategy_id="strategy-1", strategy="Brackets")
    service.put_template("brackets", (2, 10, 5), (3, 20, None), replacing=True)
    service.pass_time(11)
    assert sorted(seen(service).legs) == ["STOP1", "TARGET1", "TARGET2"]


def test_who_is_released_first_has_the_smaller_name(service: Service) -> None:
    wait(service, "later", delay=20, strategy_id="strategy-1")
    wait(service, "sooner", delay=10, strategy_id="strategy-1")
    assert service.place("now", strategy_id="strategy-1").body["order_name"] == "ENTRY1"
    service.pass_time(11)
    service.pass_time(10)
    assert [seen(service, order_id).order_name for order_id in ("sooner", "later")] == ["ENTRY2", "ENTRY3"]


def test_cancel_and_enter_again_in_one_bar_is_a_delay_of_two(service: Service) -> None:
    service.place("old", strategy_id="strategy-1", **LEGS)
    wait(service, "new", delay=2, strategy_id="strategy-1", **LEGS)
    assert service.cancel("ENTRY1", strategy_id="strategy-1").body["order_id"] == "old"
    service.pass_time(2.5)
    assert (seen(service, "new").order_name, seen(service, "new").state) == ("ENTRY1", "Working")
    assert service.cancel("STOP1", strategy_id="strategy-1").body["order_id"] == "new.STOP1"


def test_each_of_several_accounts_has_a_message_and_an_order_and_is_judged_alone(service: Service) -> None:
    service.warm_up()
    answer = service.place("order-1", account="A, B", delay=10, strategy_id="strategy-1", stop_loss=4980)
    assert [(it["account"], it["status"], it["order_id"]) for it in answer.body["results"]] == [
        ("A", "scheduled", "order-1.a"),
        ("B", "scheduled", "order-1.b"),
    ]
    assert sorted(service.network.operations) == sorted([READ, PUT, *[SEND, PUT] * 2])
    service.cancel("order-1.a")
    service.pass_time(11)
    assert seen(service, "order-1.a").state == "Cancelled"
    assert (seen(service, "order-1.b").state, seen(service, "order-1.b").strategy_id) == ("Working", "strategy-1.b")
    assert service.open_orders() == ["order-1.b"]


def test_the_log_the_metric_and_the_record_are_those_of_an_alert(service: Service) -> None:
    service.warm_up()
    answer = wait(service, delay=1)
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
    assert (line["outcome"], line["state"], metric["outcome"], metric["Deferred"]) == (
        "placed",
        "Working",
        "placed",
        [1],
    )
    newest, first, *_ = service.alerts.newest(service.trader)
    assert first == service.record_of(answer)
    assert (first.outcome, first.origin) == ("scheduled", "webhook")
    assert (newest.outcome, newest.origin, newest.order_ids) == ("placed", "delayed", ("order-1",))
    assert newest.fields == {"order_id": "order-1"}
    assert (newest.key_label, newest.request_id[12:]) == (first.key_label, first.request_id[12:])


@pytest.mark.parametrize("late", [2, 40])
def test_a_message_that_comes_twice_places_one_order_and_leaves_one_record(service: Service, late: float) -> None:
    wait(service, strategy_id="strategy-1", **LEGS)
    service.let_pass(11)
    event = event_of(service)
    deferred.handler(event, None)
    before = service.belongings()
    service.let_pass(late)
    assert deferred.handler(event, None) == {"batchItemFailures": []}
    assert service.belongings() == before
    assert [record.outcome for record in service.alerts.newest(service.trader)] == ["placed", "scheduled"]


def event_of(service: Service) -> dict[str, Any]:
    """Return what the function is called with for the messages in the queue, whether they are due or not."""
    bodies = [message.body for message in service.queue.messages]
    return {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}


def test_a_message_that_comes_again_when_its_order_is_cancelled_does_not_place_it(service: Service) -> None:
    wait(service)
    service.let_pass(11)
    event = event_of(service)
    deferred.handler(event, None)
    service.cancel("order-1")
    deferred.handler(event, None)
    assert service.state() == "Cancelled"


def test_a_message_of_an_order_that_was_never_written_places_nothing(service: Service) -> None:
    service.warm_up()
    service.network.inject(PUT, *[throttle] * 6)
    assert service.place("order-1", delay=5).status == 503
    service.network.inject(PUT)
    service.output.take()
    service.pass_time(60)
    assert service.belongings() == []
    assert outcomes(service)[-1:] == ["order_not_found"]
    assert service.queue.messages == []


def test_an_order_that_is_written_after_its_message_came_is_placed_all_the_same(service: Service) -> None:
    """The table may take its time, and the message of a short delay overtakes the order."""
    service.warm_up()
    service.network.inject(PUT, run_before(lambda: service.pass_time(1.5)))
    assert service.place("order-1", delay=1).word == "scheduled"
    retry(service)
    assert service.state() == "Working"
    assert service.queue.messages == []


def test_a_message_of_another_order_of_the_same_id_places_nothing(service: Service) -> None:
    wait(service, delay=5)
    service.cancel("order-1")
    service.remove("order-1")
    wait(service, delay=30, qty=2)
    service.pass_time(6)
    assert (seen(service).state, seen(service).qty) == ("Initialized", 2)
    service.pass_time(25)
    assert seen(service).state == "Working"


# Cancelled before its release


@pytest.mark.parametrize("fields", [{}, {"strategy_id": "strategy-1"}], ids=["by id", "by id and strategy"])
def test_a_cancel_ends_it_at_once_and_it_is_never_placed(service: Service, fields: dict[str, Any]) -> None:
    wait(service, strategy_id="strategy-1")
    answer = service.cancel("order-1", **fields)
    assert (answer.status, answer.word, answer.body["previous_state"]) == (200, "cancelled", "Initialized")
    service.pass_time(11)
    assert (seen(service).state, seen(service).released_at) == ("Cancelled", None)
    assert service.open_orders() == []
    assert service.cancel("order-1").word == "already_cancelled"


def test_a_cancel_of_another_strategy_leaves_it_waiting(service: Service) -> None:
    wait(service, strategy_id="strategy-1")
    assert service.cancel("order-1", strategy_id="strategy-2").word == "strategy_mismatch"
    service.pass_time(11)
    assert seen(service).state == "Working"


def test_cancelallorders_ends_it_at_once_however_new_it_is(service: Service) -> None:
    wait(service)
    assert service.send("CANCELALLORDERS").body["cancelled"] == ["order-1"]
    service.pass_time(11)
    assert (seen(service).state, seen(service).released_at) == ("Cancelled", None)


def test_cancelallorders_voids_also_what_was_received_before_and_written_after_its_list(service: Service) -> None:
    service.warm_up()
    service.network.inject(PUT, run_before(lambda: service.send("CANCELALLORDERS")))
    wait(service)
    assert service.state() == "Initialized"
    service.pass_time(11)
    assert_ended(service, "order-1", "CANCELALLORDERS")
    assert next(service.alerts.newest(service.trader)).status == 423


def test_a_cancelallorders_before_it_does_not_void_it(service: Service) -> None:
    service.send("CANCELALLORDERS")
    wait(service)
    service.pass_time(11)
    assert service.state() == "Working"


def test_a_cancelallorders_of_another_trader_does_not_void_it(service: Service) -> None:
    wait(service)
    service.send("CANCELALLORDERS", key=service.issue_key(trader=f"{service.trader}-too"))
    service.pass_time(11)
    assert service.state() == "Working"


# The commands of its bar

OF_THE_BAR: dict[str, dict[str, Any]] = {
    "CANCELORDERS": {"command": "CANCELORDERS", "account": "sim101"},
    "of an instrument": {"command": "CANCELORDERS", "account": "Sim101", "instrument": "ES 12-26"},
    "CLOSESTRATEGY": {"command": "CLOSESTRATEGY", "strategy_id": "strategy-1"},
}
every_command_of_the_bar = pytest.mark.parametrize("alert", OF_THE_BAR.values(), ids=list(OF_THE_BAR))


@EACH_ONCE
@every_command_of_the_bar
@pytest.mark.parametrize("after", [0.1, 1.5])
def test_the_cancel_of_its_bar_lets_it_wait_and_says_so(service: Service, alert: dict[str, Any], after: float) -> None:
    service.place("old", strategy_id="strategy-1")
    wait(service, strategy_id="strategy-1")
    service.let_pass(after)
    answer = service.send(**alert)
    assert (answer.status, answer.body["cancelled"], answer.body["waiting"]) == (200, ["old"], ["order-1"])
    assert answer.body["counts"]["waiting"] == 1
    service.pass_time(11)
    assert (seen(service).state, seen(service).order_name) == ("Working", "ENTRY1")


@every_command_of_the_bar
def test_the_cancel_of_its_bar_leaves_it_alone_though_it_was_released_already(
    service: Service, alert: dict[str, Any]
) -> None:
    wait(service, delay=1, strategy_id="strategy-1", **LEGS)
    service.pass_time(1.1)
    assert service.state() == "Working"
    answer = service.send(**alert)
    assert (answer.body["cancelled"], answer.body["waiting"]) == ([], ["order-1"])
    assert service.state() == "Working"


@EACH_ONCE
@every_command_of_the_bar
@pytest.mark.parametrize("released", [False, True], ids=["waiting", "released"])
def test_after_more_than_3_s_it_is_cancelled_like_any_other(
    service: Service, alert: dict[str, Any], *, released: bool
) -> None:
    wait(service, delay=2 if released else 30, strategy_id="strategy-1")
    service.pass_time(3.2)
    answer = service.send(**alert)
    assert (answer.status, answer.body["cancelled"]) == (200, ["order-1"])
    assert "waiting" not in answer.body
    service.pass_time(31)
    assert service.state() == "Cancelled"


@every_command_of_the_bar
def test_one_that_comes_after_the_cancel_of_its_bar_is_not_touched(service: Service, alert: dict[str, Any]) -> None:
    service.place("old", strategy_id="strategy-1")
    service.send(**alert)
    wait(service, delay=2, strategy_id="strategy-1")
    service.pass_time(2.5)
    assert seen(service).state == "Working"


def test_an_order_without_delay_is_of_no_bar(service: Service) -> None:
    service.place("order-1")
    answer = service.send("CANCELORDERS", account="Sim101")
    assert (answer.body["cancelled"], "waiting" in answer.body) == (["order-1"], False)


def test_closestrategy_knows_a_strategy_by_an_order_that_waits_for_it(service: Service) -> None:
    assert service.send("CLOSESTRATEGY", strategy_id="strategy-1").word == "strategy_not_found"
    wait(service, strategy_id="strategy-1", delay=30)
    answer = service.send("CLOSESTRATEGY", strategy_id="strategy-1")
    assert (answer.word, answer.body["waiting"]) == ("closed", ["order-1"])
    service.let_pass(4)
    answer = service.send("CLOSESTRATEGY", strategy_id="strategy-1")
    assert (answer.word, answer.body["cancelled"]) == ("closed", ["order-1"])
    assert service.send("CLOSESTRATEGY", strategy_id="strategy-1").body["cancelled"] == []
    service.pass_time(31)
    assert service.state() == "Cancelled"


def test_closestrategy_finds_one_that_waits_in_another_account(service: Service) -> None:
    service.place("old", strategy_id="strategy-1")
    service.cancel("old")
    wait(service, strategy_id="strategy-1", account="Sim102", delay=30)
    service.let_pass(4)
    assert service.send("CLOSESTRATEGY", strategy_id="strategy-1").body["cancelled"] == ["order-1"]
    service.pass_time(31)
    assert service.state() == "Cancelled"


# The kill switch


def test_a_kill_switch_that_is_on_at_its_release_voids_it(service: Service) -> None:
    wait(service)
    service.turn("on")
    service.output.take()
    service.pass_time(11)
    assert_ended(service, "order-1", "kill switch has been on")
    record = next(service.alerts.newest(service.trader))
    assert (record.status, record.outcome, record.origin) == (423, "kill_switch_on", "delayed")
    assert service.queue.messages == []


def test_a_kill_switch_that_was_on_and_off_in_between_voids_it(service: Service) -> None:
    wait(service)
    service.turn("on")
    service.turn("off")
    service.pass_time(11)
    assert_ended(service, "order-1", "kill switch was turned on")


def test_a_kill_switch_that_was_on_before_it_does_not(service: Service) -> None:
    service.turn("on")
    assert service.place("order-1", delay=10).word == "kill_switch_on"
    assert service.belongings() != []
    assert service.open_orders() == []
    service.turn("off")
    wait(service)
    service.pass_time(11)
    assert service.state() == "Working"


def test_a_kill_switch_turned_by_another_key_or_the_command_line_voids_it(service: Service) -> None:
    wait(service)
    for on in (True, False):
        signed = provenance(service.trader, f"by the command line, {on}")
        if on:
            service.controls.turn_on(signed)
        else:
            service.controls.turn_off(signed, lambda _: None)
    service.pass_time(11)
    assert_ended(service, "order-1", "kill switch was turned on")


def test_the_kill_switch_of_another_trader_does_not_void_it(service: Service) -> None:
    wait(service)
    service.controls.turn_on(provenance(f"{service.trader}-too", "theirs"))
    service.pass_time(11)
    assert service.state() == "Working"


# Changed before its release


def test_a_change_alters_what_its_release_places(service: Service) -> None:
    wait(service, strategy_id="strategy-1", **LEGS)
    answer = service.send("CHANGE", order_id="order-1", qty=2, limit_price=5001)
    assert (answer.status, answer.word, answer.body["state"]) == (200, "changed", "Initialized")
    service.pass_time(11)
    order = seen(service)
    assert (order.state, order.qty, str(order.limit_price)) == ("Working", 2, "5001")
    assert seen(service, "order-1.STOP1").qty == 2
    assert service.open_orders() == ["order-1"]
    retry(service)
    assert [event.state for event in order.history] == ["Initialized", None, "Working"]


@pytest.mark.parametrize("limit_price", [5020, 4980, 5030])
def test_a_change_that_place_would_refuse_is_refused_before_the_release_too(service: Service, limit_price: int) -> None:
    wait(service, **LEGS)
    answer = service.send("CHANGE", order_id="order-1", limit_price=limit_price)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "limit_price")
    service.pass_time(11)
    assert str(seen(service).limit_price) == "5000.25"


def test_a_replacement_alters_what_its_release_places(service: Service) -> None:
    first = wait(service, **LEGS)
    replaced = {**ENTRY, "order_id": "order-1", "qty": 3, "order_type": "MARKET", "limit_price": None}
    answer = service.send("CANCELREPLACE", **replaced, stop_loss=4970)
    assert (answer.word, answer.body["state"], answer.body["generation"]) == ("replaced", "Initialized", 2)
    assert seen(service).due == first.body["due"]
    service.pass_time(11)
    order = seen(service)
    assert (order.state, order.qty, order.order_type, order.generation) == ("Working", 3, "MARKET", 2)
    assert (str(seen(service, "order-1.STOP1").stop_price), str(seen(service, "order-1.TARGET1").limit_price)) == (
        "4970",
        "5020",
    )


def test_a_replacement_adds_a_leg_to_one_that_waits(service: Service) -> None:
    wait(service)
    service.send("CANCELREPLACE", **ENTRY, order_id="order-1", stop_loss=4970)
    assert service.cancel("order-1.STOP1").word == "order_not_found"
    service.pass_time(11)
    assert list(seen(service).legs) == ["STOP1"]


Overtaking = Callable[[Service], object]


def test_a_change_that_overtakes_its_release_is_in_what_is_placed(service: Service) -> None:
    wait(service)
    service.network.inject(TRANSACT, run_before(lambda: service.send("CHANGE", order_id="order-1", qty=2)))
    service.pass_time(11)
    assert (seen(service).state, seen(service).qty) == ("Working", 2)


@EACH_ONCE
@pytest.mark.parametrize(
    ("overtake", "reason"),
    [
        (lambda service: service.cancel("order-1"), None),
        (lambda service: service.send("CANCELALLORDERS"), None),
        (lambda service: service.send("CANCELORDERS", account="Sim101"), None),
        (lambda service: service.send("CLOSESTRATEGY", strategy_id="strategy-1"), None),
        (lambda service: service.turn("on"), "kill switch has been on"),
    ],
    ids=["CANCEL", "CANCELALLORDERS", "CANCELORDERS", "CLOSESTRATEGY", "kill switch"],
)
@pytest.mark.parametrize("fields", [{"strategy_id": "strategy-1"}, {"strategy_id": "strategy-1", **LEGS}], ids=str)
def test_what_ends_it_before_its_release_is_written_wins(
    service: Service, fields: dict[str, Any], overtake: Overtaking, reason: str | None
) -> None:
    wait(service, **fields)
    service.network.inject(TRANSACT, run_before(lambda: overtake(service)))
    service.pass_time(11)
    assert seen(service).state == "Cancelled"
    assert seen(service).released_at is None
    assert service.open_orders() == []
    if reason:
        assert reason in str(seen(service).reason)


@pytest.mark.parametrize("end", ["CANCELORDERS", "CLOSESTRATEGY"])
def test_what_comes_after_its_release_was_written_ends_it_too(service: Service, end: str) -> None:
    wait(service, delay=4, strategy_id="strategy-1", **LEGS)
    service.pass_time(4.5)
    answer = service.send(**OF_THE_BAR[end])
    assert answer.body["cancelled"] == ["order-1"]
    assert answer.body["cancelled_legs"] == {"order-1": ["order-1.STOP1", "order-1.TARGET1"]}


def test_a_release_that_others_overtake_in_its_strategy_looks_again(service: Service) -> None:
    wait(service, strategy_id="strategy-1")
    service.network.inject(TRANSACT, run_before(lambda: service.place("faster", strategy_id="strategy-1")))
    service.pass_time(11)
    assert (seen(service, "faster").order_name, seen(service).order_name) == ("ENTRY1", "ENTRY2")


# What cannot be placed at its release


def test_a_template_that_is_gone_ends_it(service: Service) -> None:
    service.put_template("brackets", (5, 10, 5))
    wait(service, strategy="brackets")
    service.remove_template("brackets")
    service.output.take()
    service.pass_time(11)
    assert_ended(service, "order-1", "There is no template brackets")
    assert outcomes(service) == ["strategy_not_found"]


def test_a_strategy_that_works_elsewhere_by_then_ends_it(service: Service) -> None:
    wait(service, strategy_id="strategy-1")
    service.place("elsewhere", strategy_id="strategy-1", account="Sim102")
    service.output.take()
    service.pass_time(11)
    assert_ended(service, "order-1", "Strategy strategy-1 has open orders in ES 12-26, account Sim102")
    assert outcomes(service) == ["strategy_mismatch"]
    assert service.open_orders() == ["elsewhere"]


def test_legs_that_find_their_strategy_taken_end_it(service: Service) -> None:
    wait(service, stop_loss=4980)
    service.place("other", strategy_id="order-1")
    service.pass_time(11)
    assert_ended(service, "order-1", "add a strategy_id")


def test_the_item_of_an_earlier_leg_of_its_id_ends_it(service: Service) -> None:
    service.place("order-1", stop_loss=4980)
    service.report("Filled", 5)
    service.remove("order-1")
    wait(service, strategy_id="other", stop_loss=4970)
    service.output.take()
    service.pass_time(11)
    assert_ended(service, "order-1", "earlier leg")
    assert outcomes(service) == ["duplicate_order_id"]


def window_around(service: Service, minutes: int) -> dict[str, str]:
    """Let the next minute begin, and return a trade window that began an hour ago and ends so many minutes later."""
    there = service.queue.now.astimezone(ZoneInfo("America/New_York"))
    service.let_pass(62 - there.second)
    there = service.queue.now.astimezone(ZoneInfo("America/New_York"))
    return {
        "start_time": f"{there - timedelta(hours=1):%H:%M}",
        "end_time": f"{there + timedelta(minutes=minutes):%H:%M}",
    }


def test_a_window_that_is_closed_by_then_ends_it(service: Service) -> None:
    wait(service, delay=60, **window_around(service, 1))
    service.output.take()
    service.pass_time(61)
    assert_ended(service, "order-1", "this alert trades from")
    assert outcomes(service) == ["outside_trade_window"]


def test_a_window_that_only_closes_by_then_ends_it(service: Service) -> None:
    window = window_around(service, 30)
    there = service.queue.now.astimezone(ZoneInfo("America/New_York"))
    wait(service, delay=60, **window, closing_only_after=f"{there + timedelta(minutes=1):%H:%M}")
    service.pass_time(61)
    assert_ended(service, "order-1", "only closing orders pass")


def test_a_window_that_is_open_or_bypassed_lets_it_pass(service: Service) -> None:
    wait(service, "inside", delay=60, **window_around(service, 10))
    wait(service, "bypassed", delay=60, **window_around(service, 1), bypass_trade_windows="true")
    service.pass_time(61)
    assert service.open_orders() == ["bypassed", "inside"]
    assert {seen(service, order_id).state for order_id in ("inside", "bypassed")} == {"Working"}


def test_a_key_that_is_revoked_meanwhile_opens_nothing(service: Service) -> None:
    wait(service)
    service.revoke_key()
    service.output.take()
    service.pass_time(11)
    assert_ended(service, "order-1", "key was revoked")
    assert outcomes(service) == ["invalid_secret_key"]
    assert service.queue.messages == []


@pytest.mark.parametrize(("seconds", "placed"), [(10 + 4 * 60 + 30, True), (10 + 5 * 60 + 1, False)])
def test_more_than_five_minutes_late_it_is_not_placed_any_more(
    service: Service, seconds: float, *, placed: bool
) -> None:
    wait(service)
    service.pass_time(seconds)
    if placed:
        assert service.state() == "Working"
        return
    order = assert_ended(service, "order-1", "more than 5 minutes ago")
    assert str(order.reason).startswith("The order was due at 20")
    record = next(service.alerts.newest(service.trader))
    assert (record.status, record.outcome, record.origin) == (423, "too_late", "delayed")


def test_what_is_given_up_ends_as_cancelled_with_the_reason(service: Service) -> None:
    wait(service)
    service.network.inject(TRANSACT, *[internal_error] * 6 * ATTEMPTS)
    service.pass_time(11)
    retry(service, ATTEMPTS)
    assert service.queue.messages == []
    service.network.inject(TRANSACT)
    service.pass_time(301)
    assert seen(service).state == "Cancelled"
    assert seen(service).reason


# DAY orders


def test_a_day_order_ends_at_the_first_close_after_its_release(service: Service) -> None:
    to_noon_in_new_york(service)
    service.let_pass(5 * 3600 - 30)
    answer = wait(service, delay=60, tif="DAY")
    service.let_pass(40)  # past 17:00, and still waiting
    assert seen(service).state == "Initialized"
    assert service.place("order-1", delay=60, tif="DAY").body["due"] == answer.body["due"]
    service.pass_time(21)
    assert seen(service).state == "Working"
    service.let_pass(23 * 3600)
    assert seen(service).state == "Working"
    service.let_pass(3600)
    assert seen(service).state == "Expired"


def test_a_day_order_that_is_released_the_same_day_ends_that_day(service: Service) -> None:
    to_noon_in_new_york(service)
    wait(service, tif="DAY")
    service.pass_time(11)
    assert seen(service).state == "Working"
    service.let_pass(5 * 3600)
    assert seen(service).state == "Expired"


# Other commands with a delay


def test_another_command_is_one_message_and_nothing_else(service: Service) -> None:
    service.warm_up()
    before = datetime.now(UTC)
    answer = service.cancel("order-1", delay=30)
    assert (answer.status, answer.word) == (200, "scheduled")
    assert answer.body.keys() == {"success", "status", "due"}
    due = datetime.fromisoformat(answer.body["due"])
    assert before + timedelta(seconds=30) <= due <= datetime.now(UTC) + timedelta(seconds=30)
    assert service.network.operations == [SEND]
    assert service.network.requests[0].payload["DelaySeconds"] == 30
    assert service.belongings() == []


def test_its_message_holds_the_alert_and_not_its_key(service: Service) -> None:
    service.warm_up()
    answer = service.cancel("order-1", delay=1, notes="café")
    body = body_of(service)
    assert len(body["alert"].pop("digest")) == 32
    received = datetime.fromisoformat(body["alert"]["received_at"])
    assert datetime.fromisoformat(body["alert"].pop("due")) == received + timedelta(seconds=1)
    assert body == {
        "version": 2,
        "alert": {
            "trader": service.trader,
            "key_id": service.key.split("_")[1],
            "request_id": answer.request_id,
            "received_at": service.record_of(answer).received_at,
            "fields": {"command": "CANCEL", "order_id": "order-1", "delay": "1", "notes": "café"},
        },
    }
    assert service.network.requests[-1].payload["MessageBody"].isascii()


OTHERS: dict[str, dict[str, Any]] = {
    "CANCEL": {"order_id": "order-1"},
    "CANCELORDERS": {"account": "Sim101"},
    "CANCELALLORDERS": {},
    "CANCELREPLACE": {**ENTRY, "order_id": "order-1"},
    "CHANGE": {"order_id": "order-1", "qty": 2},
    "CLOSESTRATEGY": {"strategy_id": "strategy-1"},
}


@pytest.mark.parametrize("command", OTHERS)
def test_every_other_command_can_be_put_off(service: Service, command: str) -> None:
    assert service.send(command, **OTHERS[command], delay=60).word == "scheduled"
    assert service.belongings() == []
    assert len(service.queue.messages) == 1


def test_the_kill_switch_cannot_be_put_off(service: Service) -> None:
    answer = service.turn("on", delay=5)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "unsupported_value", "delay")
    assert service.queue.messages == []


def test_a_cancel_can_wait_too(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    assert service.cancel("stop1", strategy_id="strategy-1", delay=5).word == "scheduled"
    assert seen(service, "order-1.STOP1").state == "Initialized"
    service.pass_time(6)
    assert seen(service, "order-1.STOP1").state == "Cancelled"
    newest = next(service.alerts.newest(service.trader))
    assert (newest.outcome, newest.origin, newest.order_ids) == ("cancelled", "delayed", ("order-1.STOP1",))


def test_another_command_for_several_accounts_is_one_message(service: Service) -> None:
    service.place("order-1", account="A,B")
    service.warm_up()
    service.send("CANCEL", order_id="order-1", account="A,B", delay=5)
    assert service.network.operations == [SEND]
    service.pass_time(6)
    assert service.open_orders() == []


@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
@pytest.mark.parametrize(
    "turn",
    [
        lambda service: service.turn("on"),
        lambda service: [service.turn("on"), service.turn("off")],
        lambda service: service.send("CANCELALLORDERS"),
    ],
    ids=["on", "on and off", "CANCELALLORDERS"],
)
def test_a_kill_switch_or_cancelallorders_in_between_voids_what_may_open(
    service: Service, command: str, turn: Overtaking
) -> None:
    service.place("order-1", qty=1)
    service.send(command, **{**OTHERS[command], "qty": 9}, delay=5)
    turn(service)
    service.pass_time(6)
    assert seen(service).qty == 1
    record = next(service.alerts.newest(service.trader))
    assert (record.status, record.outcome, record.origin) == (423, "kill_switch_on", "delayed")


@pytest.mark.parametrize("command", ["CANCEL", "CANCELORDERS", "CANCELALLORDERS", "CLOSESTRATEGY"])
def test_a_kill_switch_in_between_does_not_void_what_only_cancels(service: Service, command: str) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.send(command, **OTHERS[command], delay=5)
    service.turn("on")
    service.pass_time(6)
    assert service.state() == "Cancelled"


@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_what_may_open_a_position_is_not_done_long_after_its_time(service: Service, command: str) -> None:
    service.place("order-1")
    service.send(command, **{**OTHERS[command], "qty": 9}, delay=30)
    service.pass_time(30 + 301)
    assert seen(service).qty == 5
    record = next(service.alerts.newest(service.trader))
    assert (record.status, record.outcome, record.origin) == (423, "too_late", "delayed")
    assert record.detail is not None
    assert record.detail.startswith("It was due at 20")
    assert "more than 5 minutes ago: nothing is done now." in record.detail


def test_what_is_a_little_late_is_done(service: Service) -> None:
    service.place("order-1")
    service.send("CHANGE", order_id="order-1", qty=2, delay=30)
    service.pass_time(30 + 270)
    assert seen(service).qty == 2


def test_what_only_reduces_risk_is_done_however_late(service: Service) -> None:
    service.place("order-1")
    service.cancel("order-1", delay=30)
    service.pass_time(20 * 3600)
    assert service.state() == "Cancelled"


@pytest.mark.parametrize("command", ["CANCEL", "CHANGE", "CANCELREPLACE", "CANCELALLORDERS", "CLOSESTRATEGY"])
def test_another_command_that_comes_twice_is_done_once_and_leaves_one_record(service: Service, command: str) -> None:
    service.place("order-1", qty=7, strategy_id="strategy-1")
    service.send(command, **OTHERS[command], delay=5)
    service.let_pass(6)
    event = event_of(service)
    deferred.handler(event, None)
    version = service.plain()["version"]
    service.place("order-2", strategy_id="strategy-1")
    service.let_pass(2)
    assert deferred.handler(event, None) == {"batchItemFailures": []}
    assert service.plain()["version"] == version
    assert service.state("order-2") == "Working"
    records = [record for record in service.alerts.newest(service.trader) if record.origin == "delayed"]
    assert len(records) == 1


def test_a_resend_of_a_delayed_change_changes_nothing_twice(service: Service) -> None:
    service.place("order-1")
    service.network.inject(SEND, *[lose_response] * 6)
    change: dict[str, Any] = {"command": "CHANGE", "order_id": "order-1", "qty": 2, "delay": 10}
    assert service.send(**change).status == 503
    service.network.inject(SEND)
    service.let_pass(5)
    assert service.send(**change).word == "scheduled"
    service.pass_time(5.5)
    assert seen(service).qty == 2
    service.send("CHANGE", order_id="order-1", qty=4)
    service.pass_time(5)
    assert seen(service).qty == 4
    assert service.queue.messages == []


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
    ids=str,
)
def test_a_queue_that_does_not_take_the_message_has_it_sent_again(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.network.always = in_writes(fault)
    answer = service.place("order-1", delay=5)
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert set(service.network.operations) == {READ, SEND}
    assert service.queue.messages == []
    assert service.belongings() == []
    assert "UnhandledErrors" not in service.output.take()


def test_a_fault_that_passes_at_once_is_not_noticed(service: Service) -> None:
    service.warm_up()
    service.network.inject(SEND, refuse("InternalError", 500), lose_request)
    wait(service)
    assert service.network.operations == [READ, *[SEND] * 3, PUT]


def test_the_attempts_follow_one_another_within_the_time_budget(service: Service) -> None:
    waited: list[float] = []
    service.monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waited.append))
    service.network.inject(SEND, refuse("InternalError", 500), lose_request)
    service.network.inject("CreateSchedule", refuse("ThrottlingException", 429), block_connection)
    wait(service)
    assert service.place("order-2", cancel_after=5).word == "placed"
    assert waited == pytest.approx([0.05, 0.1] * 2)


def test_a_message_whose_answer_is_lost_is_sent_twice_and_places_one_order(service: Service) -> None:
    service.warm_up()
    service.network.inject(SEND, lose_response)
    answer = wait(service, None)
    assert len(service.queue.messages) == 2
    service.pass_time(11)
    assert service.open_orders() == [answer.request_id]
    assert outcomes(service) == ["scheduled", "placed", "already_placed"]


@pytest.mark.parametrize(
    ("order_id", "word"), [("order-1", "temporarily_unavailable"), (None, "outcome_unknown")], ids=["id", "no id"]
)
@pytest.mark.parametrize("lost", [SEND, PUT])
def test_what_may_be_waiting_is_sent_again_only_if_that_is_safe(
    service: Service, order_id: str | None, word: str, lost: str
) -> None:
    service.warm_up()
    service.network.inject(lost, *[lose_response] * 6)
    assert service.place(order_id, delay=20).word == word
    service.network.inject(lost)
    service.let_pass(5)
    if order_id:
        assert service.place(order_id, delay=20).word == "scheduled"
    service.pass_time(40)
    # A message alone places nothing: the order has to be there.
    assert len(service.open_orders()) == (1 if order_id or lost == PUT else 0)
    assert service.queue.messages == []


@pytest.mark.parametrize("fault", [refuse_connection, block_connection, refuse("RequestThrottled")], ids=str)
def test_a_message_that_is_surely_not_in_the_queue_is_sent_again(service: Service, fault: Fault) -> None:
    service.warm_up()
    service.network.always = in_writes(fault)
    assert service.place(delay=5).word == "temporarily_unavailable"


@pytest.mark.parametrize("operation", [SEND, PUT])
def test_one_order_is_placed_though_the_webhook_stops(service: Service, operation: str) -> None:
    service.network.inject(operation, stop_after)
    with pytest.raises(Stopped):
        service.place("order-1", delay=20)
    service.let_pass(5)
    wait(service, delay=20)
    service.pass_time(40)
    assert service.open_orders() == ["order-1"]
    assert seen(service).state == "Working"
    assert len(seen(service).history) == 2
    assert service.queue.messages == []


# The function behind the queue meets a fault


@pytest.mark.parametrize("fault", [throttle, internal_error, lose_request], ids=str)
@pytest.mark.parametrize("operation", [READ, TRANSACT])
def test_what_the_table_does_not_take_is_delivered_again(service: Service, operation: str, fault: Fault) -> None:
    answer = wait(service, None)
    service.network.inject(operation, *[fault] * 6)
    service.output.take()
    service.pass_time(11)
    assert service.state(answer.request_id) == "Initialized"
    line, metric = service.output.lines()
    assert (line["status"], line["outcome"], metric["outcome"]) == (503, *["temporarily_unavailable"] * 2)
    assert len(service.queue.messages) == 1
    assert [record.outcome for record in service.alerts.newest(service.trader)] == ["scheduled"]
    service.network.inject(operation)
    retry(service)
    assert service.state(answer.request_id) == "Working"
    assert service.queue.messages == []


@EACH_ONCE
@pytest.mark.parametrize(
    "fields", [{}, {"strategy_id": "strategy-1"}, {"take_profit": 5020}, {"account": "A,B"}], ids=str
)
@pytest.mark.parametrize("death", [stop_before, stop_after], ids=["before the write", "after the write"])
def test_a_function_that_stops_is_called_again_and_there_is_one_order(
    service: Service, death: Fault, fields: dict[str, Any]
) -> None:
    service.place("order-1", delay=5, **fields)
    service.network.inject(TRANSACT, death)
    with suppress(Stopped):
        service.pass_time(6)
    retry(service)
    placed = ["order-1.a", "order-1.b"] if "account" in fields else ["order-1"]
    assert service.open_orders() == placed
    for order_id in placed:
        assert [event.state for event in seen(service, order_id).history] == ["Initialized", "Working"]
    assert service.queue.messages == []


@pytest.mark.parametrize("fields", [{}, {"strategy_id": "strategy-1", **LEGS}], ids=str)
def test_a_release_whose_answer_is_lost_recognises_its_own_write(service: Service, fields: dict[str, Any]) -> None:
    wait(service, **fields)
    service.network.inject(TRANSACT, lose_response)
    service.output.take()
    service.pass_time(11)
    assert seen(service).state == "Working"
    assert outcomes(service)[0] in ("placed", "already_placed")
    assert service.queue.messages == []


def test_a_message_that_is_done_and_not_deleted_is_recognised(service: Service) -> None:
    answer = wait(service, None)
    service.let_pass(11)
    [message] = service.queue.messages
    body = {"MessageId": "a", "ReceiptHandle": "b", "Body": message.body, "Attributes": {}, "MD5OfBody": "c"}
    event = sqs_event(body, service.queue.settings.queue_arn)
    for _ in range(2):
        assert deferred.handler(event, None) == {"batchItemFailures": []}
    assert service.open_orders() == [answer.request_id]


def test_only_what_failed_of_several_messages_is_delivered_again(service: Service) -> None:
    for order_id in ("order-1", "order-2", "order-3"):
        wait(service, order_id)
    service.let_pass(11)
    service.network.always = in_requests_with("ORDER#order-2", internal_error)
    assert deferred.handler(event_of(service), None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    service.network.always = no_fault
    states = [seen(service, order_id).state for order_id in ("order-1", "order-2", "order-3")]
    assert states == ["Working", "Initialized", "Working"]


def test_there_is_time_for_every_attempt_before_the_message_is_given_up(service: Service) -> None:
    wait(service, delay=5)
    service.network.inject(TRANSACT, *[internal_error] * 3 * (ATTEMPTS - 1))
    service.pass_time(6)
    retry(service, ATTEMPTS - 1)
    assert service.state() == "Working"


@pytest.mark.parametrize(
    "body",
    ["", "nonsense", "[]", "{}", '{"alert": {}}', '{"alert": 1}', '{"cancel": {"a": 1}}', '{"release": {}}'],
)
def test_a_message_that_cannot_be_read_is_refused_and_given_up(service: Service, body: str) -> None:
    event = {"Records": [{"messageId": "1", "body": body}]}
    assert deferred.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    line, metric = service.output.lines()
    assert (line["level"], line["message"], line["message_id"]) == ("ERROR", "message refused", "1")
    assert metric["MessagesRefused"] == [1.0]
    assert "nonsense" not in json.dumps(line)


def test_a_defect_is_counted_and_delivered_again(service: Service) -> None:
    answer = wait(service)

    def defect(*_: object, **__: object) -> None:
        raise RuntimeError("THE-MESSAGE")

    service.output.take()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orderhook.commands.release.place_entry", defect)
        service.pass_time(11)
    written = service.output.lines()
    assert (written[0]["message"], written[0]["request_id"]) == ("defect", answer.request_id)
    assert "THE-MESSAGE" not in json.dumps(written)
    retry(service)
    assert service.state() == "Working"


def test_nothing_begins_that_could_outlast_the_function(service: Service) -> None:
    wait(service)
    service.monkeypatch.setattr(deferred, "BUDGET_SECONDS", 0.5)
    service.network.forget()
    service.pass_time(11)
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
