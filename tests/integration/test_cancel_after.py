"""cancel_after: the schedule is made before the order, and cancels that order and no other."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orderhook.commands.cancel import cancel_overdue
from orderhook.errors import OrderAlreadyTerminalError, OrderNotFoundError
from orderhook.orders import timestamp
from tests.builders import ENTRY, provenance, refused
from tests.faults import (
    Fault,
    Stopped,
    block_connection,
    internal_error,
    lose_request,
    lose_response,
    refuse,
    refuse_connection,
    run_before,
    service_unavailable,
    stop_after,
    stop_before,
    throttle,
)
from tests.marks import LONG
from tests.service import Service
from tests.trades import seen, to_noon_in_new_york

READ, PUT, CREATE, UPDATE, TRANSACT = "GetItem", "PutItem", "CreateSchedule", "UpdateItem", "TransactWriteItems"
LEGS: dict[str, Any] = {"take_profit": 5020, "stop_loss": 4980}
VISIBILITY_SECONDS = 36


def schedule_of(service: Service) -> dict[str, Any]:
    """Return the one schedule that there is."""
    [schedule] = service.queue.schedules.values()
    found: dict[str, Any] = schedule.to_dict()
    return found


def outcomes(service: Service) -> list[str]:
    return [line["outcome"] for line in service.output.lines() if line.get("message") == "alert"]


def assert_ends(service: Service, order_id: str = "order-1", *, minutes: int = 5) -> None:
    """Assert that the order is cancelled when its time is over, and that nothing is left behind."""
    service.pass_time(minutes * 60 + 2)
    assert seen(service, order_id).state == "Cancelled"
    assert service.queue.schedules == {}
    assert service.queue.messages == []


def cancels_at(service: Service, order_id: str = "order-1") -> datetime:
    return datetime.fromisoformat(str(seen(service, order_id).cancels_at))


# The schedule


def test_the_schedule_is_made_before_the_order_and_the_answer_says_when_it_ends(service: Service) -> None:
    service.warm_up()
    before = datetime.now(UTC)
    answer = service.place("order-1", cancel_after=5)
    assert (answer.word, service.network.operations) == ("placed", [READ, CREATE, PUT])
    at = datetime.fromisoformat(answer.body["cancels_at"])
    assert before + timedelta(minutes=5) <= at <= datetime.now(UTC) + timedelta(minutes=5, seconds=1)
    assert answer.body["cancels_at"] == timestamp(at)
    assert schedule_of(service)["ScheduleExpression"] == f"at({at:%Y-%m-%dT%H:%M:%S})"


def test_the_schedule_fires_once_into_the_queue_and_deletes_itself(service: Service) -> None:
    answer = service.place("order-1", cancel_after=5)
    schedule, settings = schedule_of(service), service.queue.settings
    assert schedule["GroupName"] == settings.schedule_group
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["ActionAfterCompletion"] == "DELETE"
    body = json.loads(schedule["Target"].pop("Input"))
    assert body == {
        "version": 2,
        "cancel": {
            "trader": service.trader,
            "key_id": service.key.split("_")[1],
            "request_id": f"{answer.request_id}.cancel_after",
            "order_id": "order-1",
            "cancels_at": service.plain()["cancels_at"],
        },
    }
    assert answer.body["cancels_at"] == service.plain()["cancels_at"]
    assert schedule["Target"] == {
        "Arn": settings.queue_arn,
        "RoleArn": settings.scheduler_role,
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 60},
        "DeadLetterConfig": {"Arn": settings.dead_letter_arn},
    }


@pytest.mark.parametrize("cancel_after", ["0", "0.0"])
def test_without_a_time_there_is_no_schedule(service: Service, cancel_after: str) -> None:
    answer = service.place("order-1", cancel_after=cancel_after)
    assert answer.word == "placed"
    assert "cancels_at" not in answer.body
    assert service.queue.schedules == {}


@pytest.mark.parametrize(
    ("cancel_after", "word"),
    [("", "missing_field"), *((value, "invalid_value") for value in ("181", "1.5", "-1", "later"))],
)
def test_a_bad_time_is_refused(service: Service, cancel_after: str, word: str) -> None:
    answer = service.place("order-1", cancel_after=cancel_after)
    assert (answer.status, answer.word, answer.body["field"]) == (400, word, "cancel_after")
    assert service.queue.schedules == {}


def test_without_a_queue_a_time_is_refused(service: Service) -> None:
    service.defer_with(None)
    answer = service.place("order-1", cancel_after=5)
    assert (answer.status, answer.body) == (
        400,
        refused(
            "unsupported_value", "cancel_after is not available in this deployment; take it out.", field="cancel_after"
        ),
    )
    assert service.belongings() == []


def test_a_command_that_places_nothing_ignores_it(service: Service) -> None:
    service.have_order("Working")
    answer = service.cancel("order-1", cancel_after=5)
    assert [warning["field"] for warning in answer.body["warnings"]] == ["cancel_after"]
    assert service.queue.schedules == {}


# The cancel


def test_an_open_order_is_cancelled_when_its_time_is_over_and_not_before(service: Service) -> None:
    answer = service.place("order-1", cancel_after=1)
    service.pass_time(40)
    assert service.state() == "Working"
    service.pass_time(22)
    item = service.item()
    assert item is not None
    assert item["state"]["S"] == "Cancelled"
    assert item["cancel_request_id"]["S"] == f"{answer.request_id}.cancel_after"
    assert item["cancel_key_id"]["S"] == service.key.split("_")[1]
    assert service.queue.schedules == {}
    assert service.queue.messages == []


@pytest.mark.parametrize(
    "fields",
    [
        {"order_id": None},
        {"order_id": "order-1", "strategy_id": "strategy-1"},
        {"order_id": "order-1", "take_profit": 5020},
        {"order_id": "order-1", "delay": 30},
    ],
    ids=["without id", "in a strategy", "with a leg", "that waits"],
)
def test_every_kind_of_entry_can_have_a_time(service: Service, fields: dict[str, Any]) -> None:
    answer = service.send("PLACE", **{**ENTRY, "cancel_after": 5, **fields})
    service.pass_time(31)
    assert seen(service, answer.body["order_id"]).state == "Working"
    assert_ends(service, answer.body["order_id"])


def test_it_takes_one_read_of_the_key_and_one_write(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", cancel_after=5, **LEGS)
    service.network.forget()
    service.pass_time(302)
    assert service.network.operations == [READ, UPDATE]


def test_its_legs_end_in_the_same_write(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", cancel_after=5, **LEGS)
    assert_ends(service)
    for name in ("TARGET1", "STOP1"):
        leg = seen(service, f"order-1.{name}")
        assert (leg.state, leg.reason, leg.since) == ("Cancelled", "entry ended unfilled", seen(service).since)
    assert service.open_orders() == []


def test_legs_that_were_released_go_on_for_what_is_filled(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", cancel_after=5, **LEGS)
    service.report("PartFilled", 2)
    assert_ends(service)
    assert [(seen(service, leg).state, seen(service, leg).qty) for leg in ("order-1.STOP1", "order-1.TARGET1")] == [
        ("Working", 2)
    ] * 2


def test_each_of_several_accounts_has_a_schedule(service: Service) -> None:
    answer = service.place("order-1", account="A,B", cancel_after=5)
    assert all("cancels_at" in result for result in answer.body["results"])
    assert len(service.queue.schedules) == 2
    service.pass_time(302)
    assert (service.state("order-1.a"), service.state("order-1.b")) == ("Cancelled", "Cancelled")


@pytest.mark.parametrize(
    "address", [{"order_id": "order-1"}, {"order_id": "ENTRY1", "strategy_id": "strategy-1"}], ids=["by id", "by name"]
)
def test_a_replacement_can_have_a_time(service: Service, address: dict[str, Any]) -> None:
    service.place("order-1", strategy_id="strategy-1")
    answer = service.send("CANCELREPLACE", **{**ENTRY, "qty": 2, "cancel_after": 5, **address})
    assert (answer.word, answer.body["order_id"]) == ("replaced", "order-1")
    assert answer.body["cancels_at"] == seen(service).cancels_at
    assert_ends(service)


def test_a_released_leg_that_is_replaced_can_have_a_time(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    service.report("Filled", 5)
    stop = {**ENTRY, "action": "SELL", "order_type": "STOPMARKET", "limit_price": None, "stop_price": 4990}
    answer = service.send("CANCELREPLACE", **stop, order_id="STOP1", strategy_id="strategy-1", cancel_after=5)
    assert answer.word == "replaced"
    assert_ends(service, "order-1.STOP1")
    assert seen(service).state == "Filled"


def test_the_time_of_a_waiting_leg_is_kept_or_refused(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    stop = {**ENTRY, "action": "SELL", "order_type": "STOPMARKET", "limit_price": None, "stop_price": 4990}
    answer = service.send("CANCELREPLACE", **stop, order_id="STOP1", strategy_id="strategy-1", cancel_after=5)
    service.pass_time(302)
    ended = seen(service, "order-1.STOP1").state == "Cancelled"
    assert (answer.status, ended) in ((200, True), (400, False))


def test_what_was_filled_stays_filled(service: Service) -> None:
    service.place("order-1", cancel_after=5)
    service.report("PartFilled", 2)
    assert_ends(service)
    item = service.item()
    assert item is not None
    assert item["cancel_filled"]["N"] == "2"


def test_an_order_that_waits_has_its_time_from_when_it_is_due(service: Service) -> None:
    answer = service.place("order-1", delay=60, cancel_after=1)
    due, ends = (datetime.fromisoformat(answer.body[name]) for name in ("due", "cancels_at"))
    assert due + timedelta(minutes=1) <= ends <= due + timedelta(minutes=1, seconds=1)
    service.pass_time(61)
    assert seen(service).state == "Working"
    assert cancels_at(service) == ends
    assert_ends(service, minutes=1)


def test_the_log_the_metric_and_the_record_are_those_of_a_cancel(service: Service) -> None:
    answer = service.place("order-1", cancel_after=1)
    service.output.take()
    service.pass_time(62)
    line, metric = service.output.lines()
    assert {name: line[name] for name in ("message", "status", "request_id", "command", "order_id", "outcome")} == {
        "message": "alert",
        "status": 200,
        "request_id": f"{answer.request_id}.cancel_after",
        "command": "CANCEL",
        "order_id": "order-1",
        "outcome": "cancelled",
    }
    assert (metric["outcome"], metric["Deferred"]) == ("cancelled", [1])
    newest, first = service.alerts.newest(service.trader)
    assert first == service.record_of(answer)
    assert (newest.outcome, newest.origin, newest.command) == ("cancelled", "cancel_after", "CANCEL")
    assert (newest.order_ids, newest.fields) == (("order-1",), {"order_id": "order-1"})


def test_an_order_is_cancelled_though_its_key_was_revoked_meanwhile(service: Service) -> None:
    service.place("order-1", cancel_after=5)
    service.revoke_key()
    assert_ends(service)


def test_a_key_that_may_only_place_has_its_order_cancelled(service: Service) -> None:
    service.place("order-1", cancel_after=5, key=service.issue_key(scopes=frozenset({"PLACE"})))
    assert_ends(service)


@pytest.mark.parametrize(("state", "word"), [("Filled", "order_already_terminal"), ("Cancelled", "already_cancelled")])
def test_an_order_that_is_finished_by_then_is_left_as_it_is(service: Service, state: str, word: str) -> None:
    service.place("order-1", cancel_after=5)
    if state == "Filled":
        service.report("Filled", 5)
    else:
        service.cancel("order-1")
    before = service.item()
    service.output.take()
    service.pass_time(302)
    assert service.item() == before
    assert outcomes(service) == [word]
    assert service.queue.messages == []


def test_a_day_order_whose_day_ends_before_its_time_is_expired(service: Service) -> None:
    to_noon_in_new_york(service)
    service.let_pass(5 * 3600 - 30)
    service.place("order-1", tif="DAY", cancel_after=5)
    service.output.take()
    service.pass_time(302)
    assert seen(service).state == "Expired"
    assert outcomes(service) == ["order_already_terminal"]


def test_a_refusal_says_what_became_of_the_order(service: Service) -> None:
    late = provenance(service.trader, "late")
    with pytest.raises(OrderNotFoundError) as unknown:
        cancel_overdue(service.services, late, "order-1", late.now)
    assert (unknown.value.field, unknown.value.detail) == (
        "order_id",
        f"Order 'order-1' has no cancel_after that ends at {late.now}, so there is nothing to cancel.",
    )
    service.place("order-1", cancel_after=5)
    service.report("Filled", 5)
    filled = seen(service)
    with pytest.raises(OrderAlreadyTerminalError) as finished:
        cancel_overdue(service.services, late, "order-1", str(filled.cancels_at))
    assert (finished.value.field, finished.value.state, finished.value.detail) == (
        "order_id",
        "Filled",
        f"Order 'order-1' ended as Filled at {filled.since}; there is nothing left of it to cancel.",
    )


def test_an_order_that_has_left_the_table_by_then_is_no_defect(service: Service) -> None:
    service.place("order-1", cancel_after=5)
    service.remove("order-1")
    service.output.take()
    service.pass_time(302)
    assert outcomes(service) == ["order_not_found"]
    assert service.queue.messages == []


# Only at the order's own time


@pytest.mark.parametrize("own", [{}, {"cancel_after": 60}], ids=["without a time", "with a time of its own"])
@pytest.mark.parametrize(
    "fields",
    [{"qty": 1}, {}, {"strategy_id": "strategy-2"}],
    ids=["refused", "the same order", "another strategy"],
)
def test_an_alert_that_places_nothing_ends_no_order(
    service: Service, own: dict[str, Any], fields: dict[str, Any]
) -> None:
    service.place("order-1", strategy_id="strategy-1", **own)
    before = service.item()
    answer = service.place("order-1", **{"strategy_id": "strategy-1", **fields}, cancel_after=5)
    assert answer.word == ("duplicate_order_id" if fields else "already_placed")
    recorded = [*service.alerts.newest(service.trader)]
    service.output.take()
    service.pass_time(302)
    assert service.item() == before
    assert outcomes(service) == ["order_not_found"]
    assert service.queue.messages == []
    # A CANCEL that nobody sent, and that found no order, would look like a fault.
    assert [*service.alerts.newest(service.trader)] == recorded


def test_a_time_that_was_replaced_leaves_no_record(service: Service) -> None:
    service.place("order-1", cancel_after=5)
    assert service.send("CANCELREPLACE", **ENTRY, order_id="order-1", cancel_after=10).word == "replaced"
    service.pass_time(302)
    assert [record.command for record in service.alerts.newest(service.trader)] == ["CANCELREPLACE", "PLACE"]


def test_the_same_place_with_another_time_keeps_the_time_that_it_has(service: Service) -> None:
    first = service.place("order-1", cancel_after=5)
    service.let_pass(1.5)
    again = service.place("order-1", cancel_after=10)
    assert (again.word, again.body["cancels_at"]) == ("already_placed", first.body["cancels_at"])
    assert service.place("order-1").body["cancels_at"] == first.body["cancels_at"]
    service.pass_time(302)
    assert seen(service).state == "Cancelled"


def test_a_replacement_with_a_time_ends_at_that_one(service: Service) -> None:
    service.place("order-1", cancel_after=5)
    service.let_pass(60)
    answer = service.send("CANCELREPLACE", **ENTRY, order_id="order-1", cancel_after=10)
    assert cancels_at(service) == datetime.fromisoformat(answer.body["cancels_at"])
    service.output.take()
    service.pass_time(9 * 60)
    assert (seen(service).state, outcomes(service)) == ("Working", ["order_not_found"])
    service.pass_time(62)
    assert seen(service).state == "Cancelled"


@pytest.mark.parametrize(
    "alert",
    [
        {"command": "CANCELREPLACE", **ENTRY, "qty": 7},
        {"command": "CHANGE", "qty": 7},
        {"command": "CHANGE", "limit_price": 4000},
    ],
    ids=["CANCELREPLACE", "CHANGE of qty", "CHANGE of a price"],
)
def test_whatever_else_is_done_to_it_it_keeps_its_time(service: Service, alert: dict[str, Any]) -> None:
    first = service.place("order-1", cancel_after=5)
    assert service.send(**{**alert, "order_id": "order-1"}).status == 200
    assert seen(service).cancels_at == first.body["cancels_at"]
    assert_ends(service)


@pytest.mark.parametrize("finished", [False, True], ids=["of another side", "finished"])
def test_a_replacement_that_is_refused_ends_no_order(service: Service, *, finished: bool) -> None:
    service.place("order-1")
    if finished:
        service.report("Filled", 5)
    before = service.item()
    answer = service.send("CANCELREPLACE", **{**ENTRY, "action": "SELL", "order_id": "order-1"}, cancel_after=5)
    assert answer.status in (400, 409)
    service.pass_time(302)
    assert service.item() == before
    assert service.queue.messages == []


def test_a_resent_replacement_keeps_the_time_of_the_first(service: Service) -> None:
    service.place("order-1")
    alert: dict[str, Any] = {"command": "CANCELREPLACE", **ENTRY, "order_id": "order-1", "cancel_after": 5}
    service.network.inject(UPDATE, *[lose_response] * 6)
    assert service.send(**alert).status == 503
    service.network.inject(UPDATE)
    ends = cancels_at(service)
    service.let_pass(5)
    answer = service.send(**alert)
    assert (answer.word, answer.body["duplicate"]) == ("replaced", True)
    assert answer.body["cancels_at"] == timestamp(ends)
    assert_ends(service)


def test_a_name_that_another_order_takes_meanwhile_leaves_no_order_without_its_end(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")

    def rebind() -> None:
        service.cancel("order-1")
        service.place("order-2", strategy_id="strategy-1")

    service.network.inject(CREATE, run_before(rebind))
    answer = service.send("CANCELREPLACE", **ENTRY, order_id="ENTRY1", strategy_id="strategy-1", cancel_after=5)
    if answer.status == 200:
        assert answer.body["order_id"] == "order-2"
        service.pass_time(302)
        assert seen(service, "order-2").state == "Cancelled"
    else:
        assert seen(service, "order-2").generation == 1


def test_an_order_that_follows_under_the_same_id_is_not_touched(service: Service) -> None:
    service.place("order-1", cancel_after=5)
    service.cancel("order-1")
    service.remove("order-1")
    service.let_pass(2)
    service.place("order-1", cancel_after=30)
    service.pass_time(302)
    assert seen(service).state == "Working"


def test_another_traders_order_of_the_same_id_is_not_touched(service: Service) -> None:
    theirs = service.issue_key(trader="somebody-else")
    service.place("order-1", cancel_after=5)
    service.place("order-1", key=theirs)
    assert_ends(service)
    assert [order.state for order in service.placed("somebody-else")] == ["Working"]


@pytest.mark.parametrize("changes", [{"tif": None}, {"strategy": "no-such-template"}], ids=["bad", "no template"])
def test_a_schedule_of_an_order_that_was_not_placed_does_nothing(service: Service, changes: dict[str, Any]) -> None:
    assert service.send("PLACE", **{**ENTRY, "order_id": "order-1", "cancel_after": 5, **changes}).status in (400, 404)
    service.pass_time(302)
    assert service.belongings() == []
    assert service.queue.messages == []


def test_a_time_is_no_part_of_an_order(service: Service) -> None:
    service.place("order-1")
    for more in ({"cancel_after": 5}, {"cancel_after": 6}, {"delay": 5}):
        assert service.place("order-1", **more).word == "already_placed"


def test_a_duplicate_whose_time_limit_was_lifted_says_that_there_is_none_now(service: Service) -> None:
    service.place("order-1", cancel_after=5)
    service.send("CANCELREPLACE", **ENTRY, order_id="order-1", cancel_after=0)
    [warning] = service.place("order-1", cancel_after=5).body["warnings"]
    assert (warning["code"], warning["field"]) == ("ignored_field", "cancel_after")
    assert warning["detail"] == "The order is there already and has no time limit now; CANCELREPLACE can give it one."


def test_a_duplicate_says_when_an_open_order_ends(service: Service) -> None:
    service.place("order-1", cancel_after=5)
    assert "cancels_at" in service.place("order-1", cancel_after=5).body
    assert "cancels_at" not in service.place("order-2").body


# Faults


@LONG
@pytest.mark.parametrize(
    "fault",
    [
        refuse("ThrottlingException", 429),
        refuse("InternalServerException", 500),
        service_unavailable,
        refuse_connection,
        block_connection,
        lose_request,
        lose_response,
    ],
)
@pytest.mark.parametrize("order_id", ["order-1", None], ids=["id", "no id"])
def test_without_its_schedule_no_order_is_placed_and_the_alert_is_sent_again(
    service: Service, order_id: str | None, fault: Fault
) -> None:
    service.warm_up()
    service.network.inject(CREATE, *[fault] * 3)
    answer = service.place(order_id, cancel_after=5)
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert service.belongings() == []
    assert set(service.network.operations) == {READ, CREATE}
    assert "UnhandledErrors" not in service.output.take()
    again = service.place(order_id, cancel_after=5)
    assert again.word == "placed"
    assert_ends(service, again.body["order_id"])


def test_a_schedule_whose_answer_is_lost_is_there_once(service: Service) -> None:
    service.network.inject(CREATE, lose_response)
    answer = service.place("order-1", cancel_after=5)
    assert (answer.word, "cancels_at" in answer.body) == ("placed", True)
    assert len(service.queue.schedules) == 1
    attempts = [request.payload for request in service.network.requests if request.operation == CREATE]
    assert len(attempts) == 2
    assert attempts[0] == attempts[1]
    assert_ends(service)


def test_two_attempts_at_the_same_second_are_one_schedule(service: Service) -> None:
    now = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    for request_id in ("one", "two"):
        signed = provenance(service.trader, request_id)
        at = service.deferred.schedule(signed, "order-1", 5, now + timedelta(milliseconds=1))
        assert at == timestamp(now + timedelta(minutes=5, seconds=1))
    assert len(service.queue.schedules) == 1


@pytest.mark.parametrize(
    ("operation", "death"),
    [(CREATE, stop_after), (PUT, stop_before), (PUT, stop_after)],
    ids=["with the schedule made", "before the order", "with the order placed"],
)
def test_a_webhook_that_stops_leaves_no_order_without_its_end(service: Service, operation: str, death: Fault) -> None:
    service.network.inject(operation, death)
    with pytest.raises(Stopped):
        service.place("order-1", cancel_after=5)
    assert len(service.queue.schedules) == 1
    if death == stop_after and operation == PUT:
        assert service.state() == "Working"  # and nobody comes back for it
    else:
        assert service.state() is None
        assert service.place("order-1", cancel_after=5).word == "placed"
    assert_ends(service)


def test_a_schedule_that_fired_without_an_order_does_not_block_the_next(service: Service) -> None:
    service.network.inject(PUT, stop_before)
    with pytest.raises(Stopped):
        service.place("order-1", cancel_after=1)
    # Due, fired, and not deleted yet.
    for schedule in service.queue.schedules.values():
        schedule.action_after_completion = "NONE"
    service.pass_time(62)
    assert service.place("order-1", cancel_after=1).word == "placed"
    service.pass_time(62)
    assert service.state() == "Cancelled"


@pytest.mark.parametrize("death", [stop_before, stop_after], ids=["before the cancel", "with the cancel done"])
def test_a_function_that_stops_is_called_again_and_cancels_once(service: Service, death: Fault) -> None:
    service.place("order-1", cancel_after=5)
    service.network.inject(UPDATE, death)
    with pytest.raises(Stopped):
        service.pass_time(302)
    assert service.state() == ("Working" if death == stop_before else "Cancelled")
    service.output.take()
    service.pass_time(VISIBILITY_SECONDS)
    item = service.item()
    assert item is not None
    assert [entry["M"]["state"]["S"] for entry in item["history"]["L"]] == ["Working", "Cancelled"]
    assert outcomes(service) == ["cancelled"]
    assert service.queue.messages == []


def test_an_order_that_waits_ends_though_the_function_stops_at_its_release(service: Service) -> None:
    answer = service.place(delay=5, cancel_after=5)
    order_id = answer.body["order_id"]
    service.network.inject(TRANSACT, stop_before)
    with pytest.raises(Stopped):
        service.pass_time(6)
    service.pass_time(VISIBILITY_SECONDS)
    assert seen(service, order_id).state == "Working"
    assert_ends(service, order_id)


@pytest.mark.parametrize("fault", [throttle, internal_error, lose_request])
def test_a_cancel_that_the_table_does_not_take_is_delivered_again(service: Service, fault: Fault) -> None:
    service.place("order-1", cancel_after=5)
    service.network.inject(UPDATE, *[fault] * 6)
    service.pass_time(302)
    assert service.state() == "Working"
    service.network.inject(UPDATE)
    service.pass_time(VISIBILITY_SECONDS)
    assert service.state() == "Cancelled"
    assert service.queue.messages == []
