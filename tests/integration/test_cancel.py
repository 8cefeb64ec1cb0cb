"""CANCEL: every state by every way of naming the order, its waiting legs, and what the table holds before and after."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orderhook.commands.cancel import Cancel, cancel_overdue
from orderhook.orders import timestamp
from orderhook.store.table import deserialize
from tests.builders import WAYS, every_way, not_found, phrase, provenance, refused
from tests.faults import lose_request, lose_response, no_fault, run_and_lose_response, run_before
from tests.marks import EACH_ONCE, LONG
from tests.output import Answer
from tests.service import FILLED, Service
from tests.states import BEING_CANCELLED, CANCELLABLE, FINISHED, FINISHED_OTHERWISE, OPEN
from tests.tables import RETENTION, Item
from tests.trades import (
    QUERY,
    READ,
    SECONDS_TO_CLOSE,
    UPDATE,
    bring_to,
    every_way_to_the_stop,
    have_bracket,
    operations,
    seen,
    to_noon_in_new_york,
    with_event,
    without_digest,
)


def have_entry(service: Service, state: str) -> Item:
    """Have order-1 be ENTRY1 of strategy-1, in this state and filled to match, and return its item."""
    service.have_strategy(state, "ENTRY1", filled=FILLED.get(state))
    return service.plain()


def after_cancel(before: Item, service: Service, answer: Answer) -> Item:
    """Return an order's item with all that a cancel changes, and nothing else."""
    at = answer.body["cancelled_at"]
    expires = datetime.fromisoformat(at) + RETENTION
    changes = {
        "state": "Cancelled",
        "since": at,
        "cancelled_at": at,
        "cancel_request_id": answer.request_id,
        "cancel_key_id": service.key.split("_")[1],
        "cancel_filled": before["filled"],
        "expires": int(expires.timestamp()),
    }
    after = with_event(before, service, answer, at, state="Cancelled") | changes
    return {name: value for name, value in after.items() if name != "open"}


# What the write meets


@EACH_ONCE
@every_way
@pytest.mark.parametrize("state", CANCELLABLE)
def test_an_open_order_is_cancelled_and_nothing_else_of_it_changes(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = have_entry(service, state)
    assert service.open_orders() == ["order-1"]
    began = datetime.now(UTC)
    answer = service.send("CANCEL", **way)
    at = answer.body["cancelled_at"]
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "cancelled",
            "order_id": "order-1",
            "strategy_id": "strategy-1",
            "order_name": "ENTRY1",
            "previous_state": state,
            "state": "Cancelled",
            "filled": str(FILLED.get(state, 0)),
            "cancelled_at": at,
        },
    )
    assert f"{began:%Y-%m-%dT%H:%M:%S.%fZ}" <= at <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert without_digest(service.plain()) == after_cancel(before, service, answer)
    assert service.open_orders() == []


@every_way
@pytest.mark.parametrize("state", BEING_CANCELLED)
def test_a_cancel_that_is_on_its_way_already_is_told_as_that_and_not_as_done(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = have_entry(service, state)
    answer = service.send("CANCEL", **way)
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "cancel_pending",
            "duplicate": True,
            "order_id": "order-1",
            "strategy_id": "strategy-1",
            "order_name": "ENTRY1",
            "state": state,
            "filled": "0",
        },
    )
    assert service.plain() == before
    assert service.record_of(answer).duplicate


@every_way
def test_a_cancelled_order_is_a_success_and_stays_as_it_is(service: Service, way: dict[str, str]) -> None:
    before = have_entry(service, "Cancelled")
    answer = service.send("CANCEL", **way)
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "already_cancelled",
            "order_id": "order-1",
            "strategy_id": "strategy-1",
            "order_name": "ENTRY1",
            "state": "Cancelled",
            "filled": "0",
            "cancelled_at": before["cancelled_at"],
        },
    )
    assert service.plain() == before
    assert service.record_of(answer).duplicate


@EACH_ONCE
@every_way
@pytest.mark.parametrize("state", FINISHED_OTHERWISE)
def test_a_finished_order_is_refused_with_its_state_and_time_and_stays_as_it_is(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = have_entry(service, state)
    answer = service.send("CANCEL", **way)
    sent = "ENTRY1" if way is WAYS["by name"] else "order-1"
    assert (answer.status, answer.body) == (
        409,
        refused(
            "order_already_terminal",
            f"Order '{sent}' ended as {state} at {before['since']}; there is nothing left of it to cancel. "
            f"{phrase(sent)}",
            field="order_id",
            state=state,
        ),
    )
    assert service.plain() == before


def test_an_order_without_a_strategy_is_cancelled_without_one_in_the_answer(service: Service) -> None:
    service.have_order("Working")
    answer = service.cancel("order-1")
    assert (answer.word, service.state()) == ("cancelled", "Cancelled")
    assert not {"strategy_id", "order_name"} & set(answer.body)


def test_a_cancel_sent_twice_is_answered_the_second_time_with_the_time_of_the_first(service: Service) -> None:
    service.have_order("Working")
    first, second = service.cancel("order-1"), service.cancel("order-1")
    assert (first.word, second.word) == ("cancelled", "already_cancelled")
    assert second.body["cancelled_at"] == first.body["cancelled_at"]
    assert first.request_id != second.request_id


def test_finished_orders_are_kept_for_the_retention_and_never_less_than_a_week(service: Service) -> None:
    service.have_order("Working")
    service.cancel("order-1")
    assert service.plain()["expires"] >= (datetime.now(UTC) + timedelta(days=7)).timestamp()


def test_an_entry_whose_legs_were_released_stays_as_long_as_they_may_live(service: Service) -> None:
    have_bracket(service, "PartFilled", 2)
    assert service.cancel("order-1").word == "cancelled"
    assert service.plain()["expires"] >= (datetime.now(UTC) + timedelta(days=399)).timestamp()


def test_an_order_that_waits_for_its_delay_is_cancelled_like_any_other(service: Service) -> None:
    assert service.place("order-1", delay=30, strategy_id="strategy-1").word == "scheduled"
    answer = service.cancel("order-1", strategy_id="strategy-1")
    assert (answer.word, answer.body["previous_state"], answer.body["strategy_id"]) == (
        "cancelled",
        "Initialized",
        "strategy-1",
    )
    service.pass_time(60)
    assert service.state() == "Cancelled"


# Orders of one day


@EACH_ONCE
@every_way
@pytest.mark.parametrize("state", ["Working", "PartFilled", "Unknown"])
def test_a_day_order_is_expired_from_17_00_new_york_on_and_the_cancel_writes_that(
    service: Service, state: str, way: dict[str, str]
) -> None:
    to_noon_in_new_york(service)
    service.place("order-1", strategy_id="strategy-1", tif="DAY")
    if state != "Working":
        service.report(state, FILLED.get(state))
    ends = service.plain()["day_ends"]
    assert datetime.fromisoformat(ends).astimezone(ZoneInfo("America/New_York")).hour == 17
    service.let_pass(SECONDS_TO_CLOSE)
    for _ in range(2):
        answer = service.send("CANCEL", **way)
        assert (answer.status, answer.word, answer.body["state"]) == (409, "order_already_terminal", "Expired")
        assert f" ended as Expired at {ends}; " in answer.body["detail"]
        item = service.plain()
        assert (item["state"], item["since"], item["filled"]) == ("Expired", ends, FILLED.get(state, 0))
        assert [event["state"] for event in item["history"]][-1] == "Expired"
        assert (service.open_orders(), "cancelled_at" in item) == ([], False)
    assert [event.get("state") for event in service.plain()["history"]].count("Expired") == 1


def test_a_day_order_is_cancelled_until_its_day_is_over_and_one_without_end_for_ever(service: Service) -> None:
    to_noon_in_new_york(service)
    for order_id, tif in (("day", "DAY"), ("late", "DAY"), ("lasting", "GTC")):
        service.place(order_id, tif=tif)
    service.let_pass(SECONDS_TO_CLOSE - 60)
    assert service.cancel("day").word == "cancelled"
    service.let_pass(120)
    assert service.cancel("late").word == "order_already_terminal"
    service.let_pass(30 * 86400)
    assert service.cancel("lasting").word == "cancelled"


def test_a_day_order_that_was_placed_after_17_00_works_until_the_next(service: Service) -> None:
    to_noon_in_new_york(service)
    service.let_pass(SECONDS_TO_CLOSE)
    service.place("order-1", tif="DAY")
    service.let_pass(20 * 3600)
    assert service.cancel("order-1").word == "cancelled"


@every_way_to_the_stop
def test_the_legs_of_a_day_order_end_with_its_day(service: Service, way: dict[str, str]) -> None:
    to_noon_in_new_york(service)
    have_bracket(service, tif="DAY")
    ends = service.plain()["day_ends"]
    service.let_pass(SECONDS_TO_CLOSE)
    answer = service.send("CANCEL", **way)
    assert (answer.word, answer.body["state"], answer.body["cancelled_at"]) == ("already_cancelled", "Cancelled", ends)


# Waiting legs end with their entry


@LONG
@every_way
@pytest.mark.parametrize("state", CANCELLABLE)
def test_legs_that_wait_are_cancelled_in_the_entrys_own_write(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_bracket(service, state if state != "PartFilled" else "Working")
    service.warm_up()
    answer = service.send("CANCEL", **way)
    assert (answer.word, answer.body["order_id"]) == ("cancelled", "order-1")
    assert service.network.operations == operations(way, UPDATE)
    at = answer.body["cancelled_at"]
    for leg_id in ("order-1.STOP1", "order-1.TARGET1"):
        leg = seen(service, leg_id)
        assert (leg.state, leg.since, leg.cancelled_at, leg.reason) == ("Cancelled", at, at, "entry ended unfilled")
    assert service.open_orders() == []
    assert [order.order_id for order in service.placed()] == ["order-1"]


@every_way_to_the_stop
def test_a_leg_whose_entry_was_cancelled_is_cancelled_already(service: Service, way: dict[str, str]) -> None:
    have_bracket(service)
    at = service.cancel("order-1").body["cancelled_at"]
    before = service.plain()
    answer = service.send("CANCEL", **way)
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "already_cancelled",
            "order_id": "order-1.STOP1",
            "strategy_id": "strategy-1",
            "order_name": "STOP1",
            "state": "Cancelled",
            "filled": "0",
            "cancelled_at": at,
        },
    )
    assert service.plain() == before


@EACH_ONCE
@every_way_to_the_stop
@pytest.mark.parametrize("state", FINISHED)
def test_a_leg_whose_entry_ended_unfilled_is_cancelled_already_whatever_the_end(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_bracket(service, state)
    before = service.plain()
    answer = service.send("CANCEL", **way)
    assert (answer.word, answer.body["state"], answer.body["cancelled_at"]) == (
        "already_cancelled",
        "Cancelled",
        before["since"],
    )
    assert service.plain() == before


def test_an_entry_that_is_cancelled_part_filled_leaves_its_released_legs_to_work(service: Service) -> None:
    have_bracket(service, "PartFilled", 2)
    assert service.cancel("order-1").body["filled"] == "2"
    assert [(leg.state, leg.qty) for leg in (seen(service, "order-1.STOP1"), seen(service, "order-1.TARGET1"))] == [
        ("Working", 2),
        ("Working", 2),
    ]
    assert service.open_orders() == ["order-1.STOP1", "order-1.TARGET1"]


def test_of_a_template_the_legs_that_still_wait_end_with_the_entry_and_the_released_ones_stay(
    service: Service,
) -> None:
    service.put_template("two", (2, 10, 5), (3, 20, 8))
    service.place("order-1", strategy_id="strategy-1", strategy="two")
    service.report("PartFilled", 2)
    service.cancel("order-1")
    states = {name: str(seen(service, f"order-1.{name}").state) for name in ("STOP1", "TARGET1", "STOP2", "TARGET2")}
    assert states == {"STOP1": "Working", "TARGET1": "Working", "STOP2": "Cancelled", "TARGET2": "Cancelled"}
    assert seen(service, "order-1.STOP2").reason == "entry ended"


# One leg by itself


@EACH_ONCE
@every_way_to_the_stop
@pytest.mark.parametrize("state", OPEN)
def test_a_waiting_leg_is_ended_inside_its_entrys_item_and_nothing_else_changes(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_bracket(service, state if state != "PartFilled" else "Working")
    before = service.plain()
    service.warm_up()
    answer = service.send("CANCEL", **way)
    at = answer.body["cancelled_at"]
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "cancelled",
            "order_id": "order-1.STOP1",
            "strategy_id": "strategy-1",
            "order_name": "STOP1",
            "previous_state": "Initialized",
            "state": "Cancelled",
            "filled": "0",
            "cancelled_at": at,
        },
    )
    assert service.network.operations == operations(way, UPDATE)
    key_id = service.key.split("_")[1]
    expected = with_event(before, service, answer, at, leg="STOP1")
    end = {"state": "Cancelled", "at": at, "request_id": answer.request_id, "key_id": key_id}
    expected["legs"] = {**before["legs"], "STOP1": {**before["legs"]["STOP1"], "end": end}}
    assert without_digest(service.plain()) == expected
    assert seen(service, "order-1.TARGET1").state == "Initialized"
    again = service.send("CANCEL", **way)
    assert (again.word, again.body["cancelled_at"]) == ("already_cancelled", at)


def test_a_leg_that_was_ended_by_itself_keeps_that_end_when_its_entry_ends(service: Service) -> None:
    have_bracket(service)
    leg = service.cancel("order-1.STOP1")
    entry = service.cancel("order-1")
    assert entry.body["cancelled_at"] > leg.body["cancelled_at"]
    assert service.cancel("order-1.STOP1").body["cancelled_at"] == leg.body["cancelled_at"]
    assert service.cancel("order-1.TARGET1").body["cancelled_at"] == entry.body["cancelled_at"]


def test_a_leg_that_was_ended_is_not_made_by_a_later_fill(service: Service) -> None:
    have_bracket(service)
    service.cancel("STOP1", strategy_id="strategy-1")
    service.report("Filled", 5)
    assert service.item("order-1.STOP1") is None
    assert seen(service, "order-1.STOP1").state == "Cancelled"
    assert service.open_orders() == ["order-1.TARGET1"]


@LONG
@every_way_to_the_stop
@pytest.mark.parametrize("state", CANCELLABLE)
def test_a_released_leg_is_cancelled_in_its_own_item_and_its_entrys_stays(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_bracket(service, "PartFilled", 2)
    bring_to(service, "order-1.STOP1", state, 1 if state == "PartFilled" else 0)
    before, entry = service.plain("order-1.STOP1"), service.plain()
    service.warm_up()
    answer = service.send("CANCEL", **way)
    assert (answer.word, answer.body["order_id"], answer.body["order_name"]) == ("cancelled", "order-1.STOP1", "STOP1")
    assert (answer.body["previous_state"], answer.body["filled"]) == (state, str(before["filled"]))
    assert service.network.operations == operations(way, UPDATE, UPDATE)
    assert without_digest(service.plain("order-1.STOP1")) == after_cancel(before, service, answer)
    assert service.plain() == entry
    assert service.state("order-1.TARGET1") == "Working"


@LONG
@every_way_to_the_stop
@pytest.mark.parametrize(
    ("state", "status", "word"),
    [
        ("Cancelled", 200, "already_cancelled"),
        ("CancelPending", 200, "cancel_pending"),
        ("Filled", 409, "order_already_terminal"),
        ("Rejected", 409, "order_already_terminal"),
    ],
)
def test_a_released_leg_that_is_not_open_any_more_is_answered_as_any_order(
    service: Service, state: str, status: int, word: str, way: dict[str, str]
) -> None:
    have_bracket(service, "Filled", 5)
    service.report(state, 5 if state == "Filled" else 0, order_id="order-1.STOP1")
    before = service.plain("order-1.STOP1")
    answer = service.send("CANCEL", **way)
    assert (answer.status, answer.word, answer.body["state"]) == (status, word, state)
    assert service.plain("order-1.STOP1") == before


def test_the_cancel_of_a_released_stop_warns_of_what_has_none_now_and_no_other_does(service: Service) -> None:
    have_bracket(service, "Filled", 5)
    service.report("PartFilled", 2, order_id="order-1.STOP1")
    detail = "3 contracts that are filled had STOP1, and have no stop now."
    warning = {"code": "unprotected_quantity", "field": "order_id", "detail": detail}
    assert service.cancel("order-1.STOP1").body["warnings"] == [warning]
    assert "warnings" not in service.cancel("order-1.STOP1").body
    assert "warnings" not in service.cancel("order-1.TARGET1").body
    service.place("order-2", stop_loss=4990)
    assert "warnings" not in service.cancel("order-2").body


def test_the_cancel_of_the_stop_of_one_contract_warns_of_that_one(service: Service) -> None:
    have_bracket(service, "Filled", 5)
    service.report("PartFilled", 4, order_id="order-1.STOP1")
    [warning] = service.cancel("order-1.STOP1").body["warnings"]
    assert warning["detail"] == "1 contract that is filled had STOP1, and has no stop now."


def test_the_cancel_of_a_stop_that_has_closed_its_part_does_not_warn(service: Service) -> None:
    have_bracket(service, "PartFilled", 2)
    service.report("PartFilled", 2, order_id="order-1.STOP1")
    answer = service.cancel("order-1.STOP1")
    assert (answer.word, answer.body.get("warnings")) == ("cancelled", None)


def test_the_record_of_a_cancel_names_the_legs_that_ended_with_the_entry(service: Service) -> None:
    have_bracket(service)
    record = service.record_of(service.cancel("order-1"))
    assert (record.order_ids[0], {*record.order_ids[1:]}) == ("order-1", {"order-1.TARGET1", "order-1.STOP1"})
    assert service.record_of(service.cancel("order-1")).order_ids == ("order-1",)


def test_a_leg_that_is_released_just_before_its_cancel_arrives_is_cancelled_where_it_is_then(
    service: Service,
) -> None:
    have_bracket(service)
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.report("PartFilled", 2)))
    answer = service.cancel("STOP1", strategy_id="strategy-1")
    assert (answer.word, answer.body["previous_state"]) == ("cancelled", "Working")
    assert service.state("order-1.STOP1") == "Cancelled"
    assert service.open_orders() == ["order-1", "order-1.TARGET1"]


def test_a_leg_of_another_name_is_none_of_the_entrys(service: Service) -> None:
    have_bracket(service)
    before = service.belongings()
    for order_id in ("order-1.STOP2", "order-1.TARGET2", "order-2.STOP1"):
        answer = service.cancel(order_id)
        assert (answer.status, answer.body) == (404, not_found(order_id))
    for name in ("STOP2", "TARGET2", "EXIT1", "SIMSTOP1", "ENTRY2"):
        answer = service.cancel(name, strategy_id="strategy-1")
        assert (answer.status, answer.body) == (404, not_found(name))
    assert service.belongings() == before


def test_a_leg_of_a_template_can_be_ended_once_the_quantity_reaches_it(service: Service) -> None:
    service.put_template("two", (5, 10, 5), (3, 20, 8))
    service.place("order-1", strategy_id="strategy-1", strategy="two")
    assert service.cancel("STOP2", strategy_id="strategy-1").word == "order_not_found"
    service.send("CHANGE", order_id="order-1", qty=8)
    assert service.cancel("STOP2", strategy_id="strategy-1").word == "cancelled"
    service.report("Filled", 8)
    assert service.open_orders() == ["order-1.STOP1", "order-1.TARGET1", "order-1.TARGET2"]


def test_the_name_of_an_entrys_further_bracket_is_no_entry(service: Service) -> None:
    service.put_template("two", (2, 10, 5), (3, 20, 8))
    service.place("order-1", strategy_id="strategy-1", strategy="two")
    before = service.belongings()
    assert service.cancel("ENTRY2", strategy_id="strategy-1").word == "order_not_found"
    assert service.belongings() == before
    assert service.place("order-2", strategy_id="strategy-1").body["order_name"] == "ENTRY3"
    assert service.cancel("ENTRY3", strategy_id="strategy-1").body["order_id"] == "order-2"


# Our own write


@every_way
@pytest.mark.parametrize("state", ["Working", "PartFilled"])
def test_a_cancel_whose_answer_was_lost_recognises_its_own_write(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = have_entry(service, state)
    service.warm_up()
    service.network.inject(UPDATE, lose_response)
    answer = service.send("CANCEL", **way)
    assert service.network.operations.count(UPDATE) == 2
    assert (answer.status, answer.word, answer.body["previous_state"]) == (200, "cancelled", state)
    assert without_digest(service.plain()) == after_cancel(before, service, answer)


@every_way_to_the_stop
def test_a_cancel_of_a_waiting_leg_whose_answer_was_lost_recognises_its_own_write(
    service: Service, way: dict[str, str]
) -> None:
    have_bracket(service)
    service.warm_up()
    service.network.inject(UPDATE, lose_response)
    answer = service.send("CANCEL", **way)
    assert service.network.operations.count(UPDATE) == 2
    assert (answer.status, answer.word) == (200, "cancelled")
    assert (answer.body["previous_state"], answer.body["state"]) == ("Initialized", "Cancelled")
    assert answer.body["cancelled_at"] == service.plain()["legs"]["STOP1"]["end"]["at"]
    assert len(service.plain()["history"]) == 2


@every_way_to_the_stop
def test_a_cancel_of_a_waiting_leg_whose_answer_was_lost_was_done_though_its_entry_filled_since(
    service: Service, way: dict[str, str]
) -> None:
    have_bracket(service)
    service.warm_up()
    service.network.inject(UPDATE, run_and_lose_response(lambda: service.report("Filled", 5)))
    answer = service.send("CANCEL", **way)
    assert (answer.word, answer.body["previous_state"]) == ("cancelled", "Initialized")
    assert service.open_orders() == ["order-1.TARGET1"]


def test_a_cancel_whose_answer_was_lost_reports_the_fill_before_it_not_after_it(service: Service) -> None:
    service.have_order("PartFilled", filled=2)
    service.warm_up()
    service.network.inject(UPDATE, run_and_lose_response(lambda: service.report("Filled", 5)))
    answer = service.cancel("order-1")
    assert (answer.word, answer.body["previous_state"], answer.body["filled"]) == ("cancelled", "PartFilled", "2")
    item = service.plain()
    assert (item["state"], item["filled"], item["cancel_filled"], item["filled_after_end"]) == ("Cancelled", 5, 2, 5)


def test_a_cancel_that_was_lost_on_its_way_is_done_by_the_second_attempt(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.inject(UPDATE, lose_request)
    assert service.cancel("order-1").word == "cancelled"
    assert service.state() == "Cancelled"


@pytest.mark.parametrize("order_id", ["order-1", "order-1.STOP1"])
def test_a_cancel_whose_answers_were_all_lost_is_found_done_by_the_next_alert(service: Service, order_id: str) -> None:
    have_bracket(service)
    service.warm_up()
    service.network.always = lose_response
    answer = service.cancel(order_id)
    assert (answer.status, answer.word, answer.headers["Retry-After"]) == (503, "temporarily_unavailable", "5")
    service.network.always = no_fault
    assert service.cancel(order_id).word == "already_cancelled"


def test_a_cancel_that_is_delivered_again_after_its_orders_day_was_in_time(service: Service) -> None:
    signed = provenance(service.trader, "r1")
    ends = timestamp(signed.at + timedelta(minutes=1))
    service.have_order("Working", day_ends=ends, cancels_at=ends)
    cancel = Cancel(order_id="order-1")
    later = signed._replace(at=signed.at + timedelta(hours=1))
    for by in (signed, later):
        outcome = cancel.run(service.services, by)
        assert (outcome.status, outcome.previous_state) == ("cancelled", "Working")
    for done in (
        cancel.already_done(service.services, later),
        cancel_overdue(service.services, later, "order-1", ends),
    ):
        assert done is not None
        assert (done.status, done.previous_state) == ("cancelled", "Working")


# Strategies and names


def test_an_order_of_another_strategy_is_refused_and_stays_as_it_is(service: Service) -> None:
    before = have_entry(service, "Working")
    answer = service.cancel("order-1", strategy_id="strategy-2")
    assert (answer.status, answer.body) == (
        409,
        refused(
            "strategy_mismatch",
            "Order order-1 does not belong to strategy strategy-2; leave strategy_id out, or correct it.",
            field="strategy_id",
        ),
    )
    assert service.plain() == before


@pytest.mark.parametrize("state", ["Working", "Filled"])
def test_a_leg_of_another_strategy_is_refused_and_stays_as_it_is(service: Service, state: str) -> None:
    have_bracket(service, state, FILLED.get(state, 0))
    before = service.belongings()
    assert service.cancel("order-1.STOP1", strategy_id="strategy-2").word == "strategy_mismatch"
    assert service.belongings() == before


@pytest.mark.parametrize("state", ["Working", "Cancelled", "Filled", "CancelPending"])
def test_an_order_without_a_strategy_belongs_to_none_whatever_its_state(service: Service, state: str) -> None:
    service.have_order(state)
    before = service.item()
    assert service.cancel("order-1", strategy_id="strategy-1").word == "strategy_mismatch"
    assert service.item() == before


def test_strategy_ids_are_case_sensitive(service: Service) -> None:
    have_entry(service, "Working")
    assert service.cancel("order-1", strategy_id="Strategy-1").word == "strategy_mismatch"
    assert service.cancel("ENTRY1", strategy_id="Strategy-1").word == "strategy_not_found"


def test_a_name_in_an_unknown_strategy_is_refused(service: Service) -> None:
    answer = service.cancel("stop1", strategy_id="strategy-1")
    assert (answer.status, answer.body) == (
        404,
        refused(
            "strategy_not_found",
            "There is no strategy strategy-1 of yours; give the strategy_id of a PLACE: case matters.",
            field="strategy_id",
        ),
    )


def test_a_name_whose_order_has_left_the_table_is_refused(service: Service) -> None:
    have_entry(service, "Filled")
    service.remove("order-1")
    for name in ("ENTRY1", "STOP1"):
        answer = service.cancel(name, strategy_id="strategy-1")
        assert (answer.status, answer.body) == (404, not_found(name))


def test_a_leg_whose_entry_has_left_the_table_is_cancelled_where_it_lies(service: Service) -> None:
    have_bracket(service, "Filled", 5)
    service.remove("order-1")
    assert service.cancel("order-1.STOP1").word == "cancelled"
    assert service.cancel("target1", strategy_id="strategy-1").body["order_id"] == "order-1.TARGET1"
    assert service.open_orders() == []


def test_a_name_never_reaches_an_order_that_has_taken_the_id_since(service: Service) -> None:
    have_entry(service, "Filled")
    service.remove("order-1")
    service.have_order("Working")
    assert service.cancel("ENTRY1", strategy_id="strategy-1").word == "strategy_mismatch"
    assert service.state() == "Working"


@pytest.mark.parametrize("name", ["ENTRY1", "EXIT2", "STOP3", "SIMSTOP4", "TARGET15", "target1"])
def test_a_name_without_a_strategy_is_refused_before_anything_is_read(service: Service, name: str) -> None:
    service.warm_up()
    answer = service.cancel(name)
    detail = f"{name.upper()} is an order name: add strategy_id=... of the strategy that it belongs to."
    assert (answer.status, answer.body) == (
        400,
        refused("strategy_id_required", detail, field="strategy_id"),
    )
    assert service.network.requests == []


# A name leads to the order that has it when the answer is given


@EACH_ONCE
@pytest.mark.parametrize(("name", "ending"), [("ENTRY1", ""), ("STOP1", ".STOP1"), ("TARGET1", ".TARGET1")])
@pytest.mark.parametrize("end", ["Cancelled", "Filled", "Rejected", "Expired"])
def test_a_name_that_another_order_takes_before_the_write_arrives_is_read_once_more(
    service: Service, name: str, ending: str, end: str
) -> None:
    have_bracket(service, end)
    service.warm_up()

    def take_the_name() -> None:
        have = {"strategy_id": "strategy-1", "take_profit": 5010, "stop_loss": 4990}
        assert service.place("order-2", **have).body["order_name"] == "ENTRY1"

    service.network.inject(UPDATE, run_before(take_the_name))
    answer = service.cancel(name, strategy_id="strategy-1")
    assert (answer.status, answer.word, answer.body["order_id"]) == (200, "cancelled", f"order-2{ending}")
    assert seen(service, f"order-2{ending}").state == "Cancelled"


@pytest.mark.parametrize("end", ["Cancelled", "Filled"])
def test_a_name_that_leads_to_the_same_finished_order_again_is_answered_about_that(service: Service, end: str) -> None:
    have_entry(service, end)
    service.warm_up()
    answer = service.cancel("ENTRY1", strategy_id="strategy-1")
    assert answer.word == ("already_cancelled" if end == "Cancelled" else "order_already_terminal")
    assert service.network.operations == [READ, UPDATE, READ, QUERY]


def test_an_id_is_looked_at_once(service: Service) -> None:
    have_entry(service, "Cancelled")
    service.warm_up()
    service.cancel("order-1", strategy_id="strategy-1")
    assert service.network.operations == [UPDATE]


def test_one_fixed_alert_cancels_the_entry_and_the_stop_of_every_day(service: Service) -> None:
    for day in range(3):
        service.place(f"day-{day}", strategy_id="strategy-1", stop_loss=4990)
        answer = service.cancel("STOP1", strategy_id="strategy-1")
        assert (answer.word, answer.body["order_id"]) == ("cancelled", f"day-{day}.STOP1")
        answer = service.cancel("ENTRY1", strategy_id="strategy-1")
        assert (answer.word, answer.body["order_id"]) == ("cancelled", f"day-{day}")
        service.let_pass(86400)


# Whose order it is


def test_an_unknown_order_and_another_traders_get_the_same_answer(service: Service) -> None:
    have_bracket(service)
    before = service.belongings()
    mine = service.issue_key(trader="somebody-else")
    answers = [service.cancel(order_id, key=mine) for order_id in ("order-1", "nobodys")]
    legs = [service.cancel(order_id, key=mine) for order_id in ("order-1.STOP1", "nobodys.STOP1")]
    assert [(answer.status, answer.body) for answer in (*answers, *legs)] == [
        (404, not_found("order-1")),
        (404, not_found("nobodys")),
        (404, not_found("order-1.STOP1")),
        (404, not_found("nobodys.STOP1")),
    ]
    assert answers[0].headers == answers[1].headers
    assert service.belongings() == before


def test_another_traders_strategy_is_unknown(service: Service) -> None:
    before = have_entry(service, "Working")
    mine = service.issue_key(trader="somebody-else")
    assert service.cancel("ENTRY1", strategy_id="strategy-1", key=mine).word == "strategy_not_found"
    assert service.cancel("order-1", strategy_id="strategy-1", key=mine).word == "order_not_found"
    assert service.plain() == before


def test_order_ids_are_case_sensitive_and_the_ending_of_a_leg_is_not(service: Service) -> None:
    have_bracket(service)
    assert service.cancel("Order-1").word == "order_not_found"
    assert service.cancel("Order-1.STOP1").word == "order_not_found"
    assert service.state("order-1") == "Working"
    assert service.cancel("order-1.Stop1").word == "cancelled"


def test_a_refused_cancel_writes_nothing_anywhere(service: Service) -> None:
    assert service.cancel("nobodys").word == "order_not_found"
    assert service.cancel("nobodys.STOP1").word == "order_not_found"
    assert service.belongings() == []


def test_a_fill_that_overtook_the_cancel_is_recorded_and_the_order_stays_cancelled(service: Service) -> None:
    service.have_order("Working")
    at = service.cancel("order-1").body["cancelled_at"]
    service.report("Filled", 5)
    before = service.item()
    answer = service.cancel("order-1")
    assert (answer.word, answer.body["filled"], answer.body["cancelled_at"]) == ("already_cancelled", "5", at)
    assert service.item() == before


def test_the_item_of_a_cancel_comes_back_as_the_order_that_it_is(service: Service) -> None:
    have_bracket(service)
    service.cancel("order-1.STOP1")
    service.cancel("order-1")
    order = service.order()
    assert order is not None
    item = service.item()
    assert item is not None
    assert [event.leg for event in order.history] == [None, "STOP1", None]
    assert order.version == len(order.history) == deserialize(item)["version"]
