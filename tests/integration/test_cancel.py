"""CANCEL: every state by every way of naming the order, and what the table holds before and after."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import every_way, not_found, phrase, refused
from tests.faults import lose_request, lose_response, no_fault, run_and_lose_response
from tests.service import FILLED, Service
from tests.states import CANCELLABLE, CANCELLED_ALREADY, FINISHED_OTHERWISE


@every_way
@pytest.mark.parametrize("state", CANCELLABLE)
def test_an_open_order_is_cancelled_and_nothing_else_of_it_changes(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = service.have_stop(state)
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
            "order_name": "STOP1",
            "previous_state": state,
            "state": "Cancelled",
            "filled": str(FILLED.get(state, 0)),
            "cancelled_at": at,
        },
    )
    assert f"{began:%Y-%m-%dT%H:%M:%S.%fZ}" <= at <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert service.item() == service.after_cancel(before, answer.request_id, at)
    assert service.open_orders() == []


@every_way
@pytest.mark.parametrize("state", CANCELLED_ALREADY)
def test_an_order_that_is_or_is_being_cancelled_is_a_success_and_stays_as_it_is(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = service.have_stop(state)
    answer = service.send("CANCEL", **way)
    expected = {
        "success": True,
        "status": "already_cancelled",
        "order_id": "order-1",
        "strategy_id": "strategy-1",
        "order_name": "STOP1",
        "state": state,
        "filled": "0",
    }
    if state == "Cancelled":
        expected["cancelled_at"] = before["cancelled_at"]["S"]
    assert (answer.status, answer.body) == (200, expected)
    assert service.item() == before


@every_way
@pytest.mark.parametrize("state", FINISHED_OTHERWISE)
def test_a_finished_order_is_refused_with_its_state_and_time_and_stays_as_it_is(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = service.have_stop(state)
    answer = service.send("CANCEL", **way)
    sent = "STOP1" if way["order_id"] == "sToP1" else "order-1"
    since = before["since"]["S"]
    assert (answer.status, answer.body) == (
        409,
        refused(
            "order_already_terminal",
            f"Order '{sent}' is {state} since {since}; there is nothing left to cancel. {phrase(sent)}",
            field="order_id",
            state=state,
        ),
    )
    assert service.item() == before


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
    item = service.item()
    assert item is not None
    assert int(item["expires"]["N"]) >= (datetime.now(UTC) + timedelta(days=7)).timestamp()


# Our own write


@every_way
@pytest.mark.parametrize("state", ["Working", "PartFilled"])
def test_a_cancel_whose_answer_was_lost_recognises_its_own_write(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = service.have_stop(state)
    service.warm_up()
    service.network.inject("UpdateItem", lose_response)
    answer = service.send("CANCEL", **way)
    assert service.network.operations.count("UpdateItem") == 2
    assert (answer.status, answer.word, answer.body["previous_state"]) == (200, "cancelled", state)
    assert service.item() == service.after_cancel(before, answer.request_id, answer.body["cancelled_at"])


def test_a_cancel_whose_answer_was_lost_reports_the_fill_before_it_not_after_it(
    service: Service,
) -> None:
    service.have_order("PartFilled", filled=2)
    service.warm_up()
    service.network.inject("UpdateItem", run_and_lose_response(lambda: service.report("Filled", 5)))
    answer = service.cancel("order-1")
    assert (answer.word, answer.body["previous_state"], answer.body["filled"]) == ("cancelled", "PartFilled", "2")
    assert service.state() == "Filled"


def test_a_cancel_that_was_lost_on_its_way_is_done_by_the_second_attempt(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.inject("UpdateItem", lose_request)
    assert service.cancel("order-1").word == "cancelled"
    assert service.state() == "Cancelled"


def test_a_cancel_whose_answers_were_all_lost_is_found_done_by_the_next_alert(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.always = lose_response
    assert service.cancel("order-1").word == "temporarily_unavailable"
    service.network.always = no_fault
    assert service.cancel("order-1").word == "already_cancelled"


# Strategies and names


def test_an_order_of_another_strategy_is_refused_and_stays_as_it_is(service: Service) -> None:
    before = service.have_stop("Working")
    answer = service.cancel("order-1", strategy_id="strategy-2")
    assert (answer.status, answer.body) == (
        409,
        refused(
            "strategy_mismatch",
            "Order order-1 does not belong to strategy strategy-2; leave strategy_id out, or correct it.",
            field="strategy_id",
        ),
    )
    assert service.item() == before


@pytest.mark.parametrize("state", ["Working", "Cancelled", "Filled"])
def test_an_order_without_a_strategy_belongs_to_none_whatever_its_state(service: Service, state: str) -> None:
    service.have_order(state)
    before = service.item()
    assert service.cancel("order-1", strategy_id="strategy-1").word == "strategy_mismatch"
    assert service.item() == before


def test_strategy_ids_are_case_sensitive(service: Service) -> None:
    service.have_stop("Working")
    assert service.cancel("order-1", strategy_id="Strategy-1").word == "strategy_mismatch"
    assert service.cancel("STOP1", strategy_id="Strategy-1").word == "strategy_not_found"


def test_a_name_in_an_unknown_strategy_is_refused(service: Service) -> None:
    answer = service.cancel("stop1", strategy_id="strategy-1")
    assert (answer.status, answer.body) == (
        404,
        refused(
            "strategy_not_found",
            "There is no strategy strategy-1; give the strategy_id of a PLACE.",
            field="strategy_id",
        ),
    )


def test_a_name_that_the_strategy_has_not_given_is_refused(service: Service) -> None:
    before = service.have_stop("Working")
    answer = service.cancel("stop2", strategy_id="strategy-1")
    assert (answer.status, answer.body) == (404, not_found("STOP2"))
    assert service.item() == before


def test_a_name_whose_order_has_left_the_table_is_refused(service: Service) -> None:
    service.have_stop("Filled")
    service.remove("order-1")
    answer = service.cancel("stop1", strategy_id="strategy-1")
    assert (answer.status, answer.body) == (404, not_found("STOP1"))


def test_a_name_never_reaches_an_order_that_has_taken_the_id_since(service: Service) -> None:
    service.have_stop("Filled")
    service.remove("order-1")
    service.have_order("Working")
    assert service.cancel("stop1", strategy_id="strategy-1").word == "strategy_mismatch"
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


# Whose order it is


def test_an_unknown_order_and_another_traders_get_the_same_answer(service: Service) -> None:
    service.have_order("Working", "theirs")
    before = service.belongings()
    mine = service.issue_key(trader="somebody-else")
    theirs = service.cancel("theirs", key=mine)
    unknown = service.cancel("nobodys", key=mine)
    assert (theirs.status, theirs.body) == (404, not_found("theirs"))
    assert (unknown.status, unknown.body) == (404, not_found("nobodys"))
    assert theirs.headers == unknown.headers
    assert service.belongings() == before


def test_another_traders_strategy_is_unknown(service: Service) -> None:
    before = service.have_stop("Working")
    mine = service.issue_key(trader="somebody-else")
    assert service.cancel("stop1", strategy_id="strategy-1", key=mine).word == "strategy_not_found"
    assert service.cancel("order-1", strategy_id="strategy-1", key=mine).word == "order_not_found"
    assert service.item() == before


def test_order_ids_are_case_sensitive(service: Service) -> None:
    service.have_order("Working", "order-1")
    assert service.cancel("Order-1").word == "order_not_found"
    assert service.state("order-1") == "Working"


def test_a_refused_cancel_writes_nothing_anywhere(service: Service) -> None:
    assert service.cancel("nobodys").word == "order_not_found"
    assert service.belongings() == []


def test_a_fill_that_overtook_the_cancel_is_recorded_and_stays(service: Service) -> None:
    service.have_order("Working")
    service.cancel("order-1")
    service.report("Filled", 5)
    before = service.item()
    assert service.cancel("order-1").word == "order_already_terminal"
    assert service.item() == before
