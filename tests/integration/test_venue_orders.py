"""Orders with a venue: what is asked of it stands in the table, and only its reports end an order."""

from datetime import timedelta

import pytest

from orderhook.aws.doorbell import LOOK
from orderhook.orders import Want
from orderhook.venues import TABLE
from tests.builders import every_way
from tests.client_faults import in_requests_with
from tests.faults import lose_response
from tests.integration.test_requests import READ, SEND, UPDATE
from tests.service import Service

STRATEGY = {"strategy_id": "strategy-1"}
LEGS: dict[str, object] = {"take_profit": 5020, "stop_loss": 4980}


@pytest.fixture(autouse=True)
def venue(service: Service) -> None:
    service.use_venue()


def have(service: Service, **fields: object) -> None:
    """Have order-1 be ENTRY1 of strategy-1, which the venue has and works on."""
    assert service.place("order-1", **STRATEGY, **fields).word == "placed"
    service.answer_want("Working")
    service.warm_up()


# PLACE


def test_a_placed_order_says_what_is_wanted_and_until_when(service: Service) -> None:
    answer = service.place("order-1", tif="DAY")
    assert (answer.status, answer.word, answer.body["state"]) == (200, "placed", "Initialized")
    order = service.order()
    assert order is not None
    assert (order.venue, order.state, order.acked, order.day_ends) == ("ninjatrader", "Initialized", 0, None)
    assert order.want is not None
    assert order.received_at is not None
    assert order.want == Want(1, "place", order.received_at, order.want.not_after)
    assert order.want.not_after is not None
    assert order.want.not_after > order.received_at
    assert "expires" not in service.plain()
    assert service.open_orders() == ["order-1"]


def test_legs_wait_in_their_entrys_item_each_with_its_own_want(service: Service) -> None:
    assert service.place("order-1", **LEGS).body["legs"] == {"TARGET1": "order-1.TARGET1", "STOP1": "order-1.STOP1"}
    order = service.order()
    assert order is not None
    assert [(leg.want.n, leg.want.kind, leg.want.not_after) for leg in order.legs.values() if leg.want] == [
        (1, "place", None)
    ] * 2
    assert service.open_orders() == ["order-1"]


def test_a_group_is_handed_to_the_venue_without_a_warning(service: Service) -> None:
    assert "warnings" not in service.place("order-1", oco_id="group").body
    assert "warnings" not in service.place("order-2", oco_id="group", delay=5).body


def test_the_time_for_an_order_to_get_to_the_venue_is_the_deployments(service: Service) -> None:
    service.use_venue(service.venue._replace(too_late=timedelta(seconds=10)))
    service.place("order-1")
    order = service.order()
    assert order is not None
    assert order.want is not None
    assert order.want.at[:17] <= str(order.want.not_after)[:17]
    assert str(order.want.not_after)[19:] == order.want.at[19:]


def test_the_same_order_placed_again_writes_nothing_and_rings(service: Service) -> None:
    service.place("order-1")
    service.queue.rings.clear()
    assert service.place("order-1").word == "already_placed"
    assert [ring.body for ring in service.queue.rings] == [LOOK]


# CANCEL


@every_way
def test_a_cancel_asks_the_venue_and_leaves_the_order_in_the_index(service: Service, way: dict[str, str]) -> None:
    have(service, **LEGS)
    answer = service.send("CANCEL", **way)
    assert (answer.status, answer.word) == (200, "cancel_pending")
    assert (answer.body["previous_state"], answer.body["state"]) == ("Working", "CancelPending")
    assert answer.body.keys().isdisjoint({"duplicate", "cancelled_at"})
    read = [READ] if way["order_id"] == "eNtRy1" else []
    assert service.network.operations == [*read, UPDATE, SEND]
    order = service.order()
    assert order is not None
    assert order.want is not None
    assert (order.want.n, order.want.kind, order.want.not_after) == (2, "cancel", None)
    assert (order.state, order.cancelled_at) == ("CancelPending", None)
    assert all(leg.end is None for leg in order.legs.values())
    assert service.open_orders() == ["order-1"]


def test_what_the_venue_cancels_by_itself_is_asked_for_all_the_same(service: Service) -> None:
    have(service)
    service.answer_want("CancelPending")
    answer = service.cancel("order-1")
    assert (answer.word, answer.body.get("duplicate")) == ("cancel_pending", None)
    order = service.order()
    assert order is not None
    assert order.want is not None
    assert (order.want.n, order.want.kind) == (2, "cancel")


def test_a_second_cancel_is_a_duplicate_that_asks_nothing_more_and_rings(service: Service) -> None:
    have(service)
    service.cancel("order-1")
    service.network.forget()
    answer = service.cancel("order-1")
    assert (answer.status, answer.word, answer.body["duplicate"]) == (200, "cancel_pending", True)
    assert service.network.operations == [UPDATE, SEND]
    order = service.order()
    assert order is not None
    assert order.want is not None
    assert order.want.n == 2


@pytest.mark.parametrize(("state", "status", "word"), [("Cancelled", 200, "already_cancelled"), ("Filled", 409, None)])
def test_a_cancel_of_what_the_venue_has_ended_says_so(
    service: Service, state: str, status: int, word: str | None
) -> None:
    have(service)
    service.cancel("order-1")
    service.answer_want(state)
    answer = service.cancel("order-1")
    assert (answer.status, answer.word) == (status, word or "order_already_terminal")


def test_a_cancel_whose_answer_is_lost_is_recognised_as_its_own(service: Service) -> None:
    have(service)
    service.network.inject(UPDATE, lose_response)
    answer = service.cancel("order-1")
    assert (answer.word, answer.body["previous_state"], answer.body["state"]) == (
        "cancel_pending",
        "Working",
        "CancelPending",
    )
    assert "duplicate" not in answer.body


@pytest.mark.parametrize("way", [{"order_id": "order-1.STOP1"}, {"order_id": "stop1", **STRATEGY}], ids=str)
def test_a_leg_that_waits_is_cancelled_by_its_own_want(service: Service, way: dict[str, str]) -> None:
    have(service, **LEGS)
    answer = service.send("CANCEL", **way)
    assert (answer.word, answer.body["previous_state"], answer.body["state"]) == (
        "cancel_pending",
        "Initialized",
        "CancelPending",
    )
    assert service.network.operations[-2:] == [UPDATE, SEND]
    order = service.order()
    assert order is not None
    stop, target = order.legs["STOP1"], order.legs["TARGET1"]
    assert (stop.want and (stop.want.n, stop.want.kind), stop.end) == ((2, "cancel"), None)
    assert target.want is not None
    assert target.want.n == 1
    assert (order.state, order.want and order.want.n) == ("Working", 1)
    for text in ({}, {"notes": "another text"}):
        second = service.send("CANCEL", **way, **text)
        assert (second.word, second.body["duplicate"]) == ("cancel_pending", True)
    order = service.order()
    assert order is not None
    assert order.legs["STOP1"].want == stop.want


def test_a_leg_whose_cancel_was_lost_on_its_way_back_is_recognised(service: Service) -> None:
    have(service, **LEGS)
    service.network.inject(UPDATE, lose_response)
    answer = service.cancel("order-1.STOP1")
    assert (answer.word, answer.body["previous_state"]) == ("cancel_pending", "Initialized")
    order = service.order()
    assert order is not None
    assert order.legs["STOP1"].want is not None
    assert order.legs["STOP1"].want.n == 2


@pytest.mark.parametrize("changed", [False, True], ids=["at once", "after a change"])
def test_a_leg_whose_cancel_the_venue_has_refused_is_cancelled_anew(service: Service, *, changed: bool) -> None:
    have(service, **LEGS)
    service.cancel("order-1.STOP1")
    order = service.order()
    assert order is not None
    answered = {**order.legs, "STOP1": order.legs["STOP1"]._replace(acked=2)}
    service.answer_want("Working", legs=answered)
    if changed:
        assert service.send("CHANGE", order_id="order-1.STOP1", stop_price=4981).word == "change_pending"
    answer = service.cancel("order-1.STOP1", notes="again")
    assert (answer.word, "duplicate" in answer.body) == ("cancel_pending", False)
    order = service.order()
    assert order is not None
    want = order.legs["STOP1"].want
    assert want is not None
    assert (want.n, want.kind) == (4 if changed else 3, "cancel")


# Whose the order is


def test_an_order_of_the_table_is_cancelled_there_whatever_venue_there_is_by_now(service: Service) -> None:
    service.use_venue(TABLE)
    service.place("order-1", **LEGS)
    service.use_venue()
    service.warm_up()
    answer = service.cancel("order-1")
    assert (answer.word, answer.body["state"]) == ("cancelled", "Cancelled")
    assert service.network.operations == [UPDATE, UPDATE, SEND]
    assert service.open_orders() == []


def test_an_order_at_a_venue_is_asked_for_there_though_there_is_none_any_more(service: Service) -> None:
    have(service, **LEGS)
    service.use_venue(TABLE)
    service.warm_up()
    assert service.cancel("order-1.STOP1").word == "cancel_pending"
    assert service.network.operations == [UPDATE, UPDATE]
    service.network.forget()
    assert service.cancel("order-1").word == "cancel_pending"
    assert service.network.operations == [UPDATE, UPDATE]
    assert service.open_orders() == ["order-1"]


def test_a_place_that_waits_for_its_delay_is_ended_by_the_cloud(service: Service) -> None:
    service.place("order-1", delay=5)
    order = service.order()
    assert order is not None
    assert (order.venue, order.want) == (None, None)
    assert service.cancel("order-1").word == "cancelled"
    assert service.state() == "Cancelled"


# The doorbell


def test_every_alert_that_may_be_news_rings_once(service: Service) -> None:
    service.place("order-1")
    service.cancel("order-1")
    service.turn("on")
    assert [ring.body for ring in service.queue.rings] == [LOOK] * 3


def test_what_is_refused_does_not_ring(service: Service) -> None:
    service.cancel("STOP1")
    service.cancel("order-1", key="nobodys")
    service.turn("on")
    service.queue.rings.clear()
    service.place("order-1")
    assert service.queue.rings == []


def test_without_a_venue_nobody_rings(service: Service) -> None:
    service.use_venue(TABLE)
    service.place("order-1")
    service.cancel("order-1")
    assert service.queue.rings == []


def test_a_doorbell_that_fails_is_counted_and_changes_nothing(service: Service) -> None:
    have(service)
    service.network.always = in_requests_with("look", lose_response)
    answer = service.cancel("order-1")
    assert (answer.status, answer.word) == (200, "cancel_pending")
    assert service.record_of(answer).outcome == "cancel_pending"
    assert "DoorbellsLost" in service.output.take()


# Readiness


def test_what_opens_is_refused_while_nobody_has_heard_of_the_bridge(service: Service) -> None:
    service.use_venue(heard=False)
    other = service.issue_key(trader="somebody-else")
    answer = service.place("order-1", key=other)
    assert (answer.status, answer.word) == (503, "venue_offline")
    assert answer.headers["Retry-After"] == "5"
    assert answer.body["detail"] == (
        "The bridge has not been heard of. Nothing was written. `orderhook bridge doctor`, on its PC, says what is "
        "missing; send the same alert again when it is ready."
    )
    assert service.placed("somebody-else") == []


def test_the_record_of_a_cancel_names_no_legs_that_the_venue_has_not_ended(service: Service) -> None:
    have(service, **LEGS)
    assert service.record_of(service.cancel("order-1")).order_ids == ("order-1",)
