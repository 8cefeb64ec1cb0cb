"""Alerts, releases and reports that meet at the same moment, with a venue; and alerts that come again."""

from threading import Event

import pytest
from botocore.awsrequest import AWSPreparedRequest

from orderhook.orders import Order
from orderhook.services import Services
from orderhook.settings import Settings
from tests.builders import ENTRY
from tests.client_faults import Deliver, in_requests_with, in_writes
from tests.faults import lose_response, no_fault, run_before
from tests.integration.test_requests import SEND, UPDATE
from tests.service import Service

STRATEGY = {"strategy_id": "strategy-1"}
LEGS: dict[str, object] = {"take_profit": 5020, "stop_loss": 4980}


@pytest.fixture(autouse=True)
def venue(service: Service) -> None:
    service.use_venue()


def order_of(service: Service, order_id: str = "order-1") -> Order:
    order = service.order(order_id)
    assert order is not None
    return order


def want_of(service: Service, order_id: str = "order-1") -> tuple[int, str]:
    want = order_of(service, order_id).want
    assert want is not None
    return want.n, want.kind


def test_a_cancel_reaches_an_order_that_gets_to_the_venue_meanwhile(service: Service) -> None:
    service.place("order-1", delay=5)
    service.warm_up()
    # The first write finds an order without a venue; before the second its release is done.
    service.network.inject(UPDATE, no_fault, run_before(lambda: service.pass_time(6)))
    assert service.cancel("order-1").word == "cancel_pending"
    assert (order_of(service).state, want_of(service)) == ("CancelPending", (2, "cancel"))
    assert service.network.operations.count(UPDATE) == 3


def test_a_change_never_takes_away_a_cancel_that_came_meanwhile(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    # The venue does not have it yet, so the change is written by version: after a look.
    service.network.inject(UPDATE, no_fault, run_before(service.cancel_elsewhere))
    answer = service.send("CHANGE", order_id="order-1", limit_price=4990)
    assert (answer.status, answer.word) == (409, "order_already_terminal")
    assert order_of(service).limit_price != 4990


def test_a_cancel_after_a_change_is_asked_after_it(service: Service) -> None:
    service.place("order-1")
    service.answer_want("Working")
    service.warm_up()
    change = run_before(lambda: service.send("CHANGE", order_id="order-1", limit_price=4990))
    service.network.inject(UPDATE, change)
    assert service.cancel("order-1").word == "cancel_pending"
    assert (order_of(service).limit_price, want_of(service)) == (4990, (3, "cancel"))


def test_a_fill_that_overtakes_the_cancel_leaves_nothing_to_cancel(service: Service) -> None:
    service.place("order-1", **LEGS)
    service.answer_want("Working")
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.report("Filled", 5)))
    answer = service.cancel("order-1")
    assert (answer.status, answer.word) == (409, "order_already_terminal")


def test_two_cancels_at_once_ask_once(service: Service) -> None:
    service.place("order-1")
    service.answer_want("Working")
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.cancel("order-1")))
    answer = service.cancel("order-1", notes="the other one")
    assert (answer.word, answer.body["duplicate"]) == ("cancel_pending", True)
    assert want_of(service) == (2, "cancel")


# The same alert again


@pytest.mark.parametrize(
    ("command", "fields"),
    [("CHANGE", {"limit_price": 4990}), ("CANCELREPLACE", {**ENTRY, "limit_price": 4990})],
    ids=["CHANGE", "CANCELREPLACE"],
)
def test_a_resent_change_asks_nothing_more(service: Service, command: str, fields: dict[str, object]) -> None:
    service.place("order-1")
    service.answer_want("Working")
    service.warm_up()
    service.network.always = in_writes(lose_response)
    assert service.send(command, order_id="order-1", **fields).status == 503
    service.network.always = no_fault
    service.let_pass(5)
    answer = service.send(command, order_id="order-1", **fields)
    assert (answer.status, answer.body["duplicate"], answer.body["state"]) == (200, True, "ChangePending")
    assert answer.word == ("change_pending" if command == "CHANGE" else "replace_pending")
    assert want_of(service) == (2, "change")


def test_a_resent_cancel_of_a_leg_asks_nothing_more(service: Service) -> None:
    service.place("order-1", **LEGS)
    service.answer_want("Working")
    service.warm_up()
    service.network.always = in_writes(lose_response)
    assert service.cancel("order-1.STOP1").status == 503
    service.network.always = no_fault
    service.let_pass(5)
    assert service.cancel("order-1.STOP1").word == "cancel_pending"
    stop = order_of(service).legs["STOP1"].want
    assert stop is not None
    assert stop.n == 2


# The kill switch


def test_what_the_kill_switch_lets_pass_is_asked_of_the_venue(service: Service) -> None:
    service.place("order-1", **STRATEGY, **LEGS)
    service.answer_want("Working")
    service.turn("on")
    assert service.place("order-2").word == "kill_switch_on"
    assert service.send("CHANGE", order_id="order-1", qty=3).word == "change_pending"
    assert service.send("CHANGE", order_id="order-1", qty=9).word == "kill_switch_on"
    assert service.send("CHANGE", order_id="STOP1", **STRATEGY, stop_price=4985).word == "change_pending"
    assert service.cancel("order-1").word == "cancel_pending"


# The doorbell


def test_an_answer_does_not_wait_for_a_doorbell_that_hangs(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    given_up = Event()

    def hang(_: AWSPreparedRequest, __: Deliver) -> None:
        given_up.wait(30)

    service.network.inject(SEND, hang)
    service.clock.run()
    try:
        answer = service.cancel("order-1")
        assert answer.word == "cancel_pending"
        assert "NotInTime" in service.output.take()
    finally:
        given_up.set()


def test_a_doorbell_that_is_refused_is_rung_once(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.always = in_requests_with("look", lose_response)
    service.cancel("order-1")
    assert service.network.operations == [UPDATE, SEND]


def test_without_a_venue_no_client_is_made_for_a_doorbell() -> None:
    environment = {"ORDERHOOK_TABLE": "orders"}
    assert Services.connect(Settings.from_environment(environment)).doorbell is None
    with_venue = environment | {"ORDERHOOK_VENUE": "ninjatrader", "ORDERHOOK_DOORBELL_URL": "https://queue"}
    assert Services.connect(Settings.from_environment(with_venue)).doorbell is not None
