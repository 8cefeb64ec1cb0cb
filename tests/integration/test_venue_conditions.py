"""Orders with a venue that ask something of the position: what stands in the table for the bridge to ask."""

from typing import Any

import pytest

from orderhook.conditions import Conditions, Sync
from orderhook.orders import Order
from tests.builders import ENTRY
from tests.service import Service

FLAT = Conditions(require_market_position=("flat",))
SYNC = {
    "sync_strategy": "true",
    "market_position": "short",
    "prev_market_position": "long",
    "out_of_sync": "resync",
    "target_quantity": "-2",
}


@pytest.fixture(autouse=True)
def venue(service: Service) -> None:
    service.use_venue()


def order_of(service: Service, order_id: str = "order-1") -> Order:
    order = service.order(order_id)
    assert order is not None
    return order


def replace(service: Service, **fields: object) -> Any:
    return service.send("CANCELREPLACE", **{**ENTRY, "order_id": "order-1", **fields})


@pytest.mark.parametrize(
    ("fields", "conditions"),
    [
        ({"flatten_first": "true"}, Conditions(closes_first="orders_and_position")),
        ({"require_market_position": "FLAT/long"}, Conditions(require_market_position=("flat", "long"))),
        ({"max_position": "2"}, Conditions(max_positions=2)),
        (SYNC, Conditions(sync=Sync("short", "long", "resync", 2))),
        ({"flatten_first": "false", "sync_strategy": "no"}, None),
        (
            {"flatten_first": "true", "require_market_position": "long", "max_positions": "1"},
            Conditions("orders_and_position", False, ("long",), 1),
        ),
    ],
)
def test_an_order_carries_what_is_asked_of_the_position(
    service: Service, fields: dict[str, str], conditions: Conditions | None
) -> None:
    answer = service.place("order-1", **fields)
    assert (answer.status, answer.word, answer.body["state"]) == (200, "placed", "Initialized")
    assert order_of(service).conditions == conditions


def test_an_order_of_several_accounts_carries_it_in_each(service: Service) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim102"))
    assert service.place("order-1", account="Sim101,Sim102", require_market_position="flat").word == "placed"
    assert [order_of(service, f"order-1.{account}").conditions for account in ("sim101", "sim102")] == [FLAT, FLAT]


def test_the_release_of_a_delayed_order_keeps_what_is_asked(service: Service) -> None:
    assert service.place("order-1", delay=5, flatten_first="true", **SYNC).word == "scheduled"
    asked = order_of(service).conditions
    assert asked is not None
    assert asked.closes_first == "orders_and_position"
    service.pass_time(6)
    released = order_of(service)
    assert (released.state, released.due, released.venue) == ("Initialized", None, "ninjatrader")
    assert released.conditions == asked


def test_a_delayed_order_is_replaced_before_its_release_and_is_asked_for_all_the_same(service: Service) -> None:
    service.place("order-1", delay=5, flatten_first="true", require_market_position="flat")
    assert replace(service, limit_price=4990).word == "replaced"
    assert replace(service, limit_price=4991, require_market_position="long").word == "replaced"
    service.pass_time(6)
    assert order_of(service).conditions == Conditions("orders_and_position", require_market_position=("long",))


def test_a_replacement_of_an_order_that_works_has_its_own_conditions_alone(service: Service) -> None:
    service.place("order-1", flatten_first="true", require_market_position="flat")
    service.answer_want("Working")
    assert replace(service, limit_price=4990, require_market_position="long").word == "replace_pending"
    assert order_of(service).conditions == Conditions(require_market_position=("long",))
    service.answer_want("Working")
    assert replace(service, limit_price=4991).word == "replace_pending"
    assert order_of(service).conditions is None


def test_a_replacement_before_the_venue_has_answered_drops_nothing_that_the_order_asks(service: Service) -> None:
    service.place("order-1", flatten_first="true", require_market_position="flat")
    assert replace(service, limit_price=4990).word == "replace_pending"
    assert order_of(service).conditions == Conditions("orders_and_position", require_market_position=("flat",))
    assert replace(service, limit_price=4990, max_positions=1).word == "replace_pending"
    assert order_of(service).conditions == Conditions("orders_and_position", False, ("flat",), 1)


def test_a_replacement_on_every_bar_with_the_same_condition_asks_once(service: Service) -> None:
    service.place("order-1")
    service.answer_want("Working")
    assert replace(service, require_market_position="flat").body["generation"] == 2
    service.answer_want("Working")
    again = replace(service, require_market_position="flat")
    assert (again.word, again.body["duplicate"], again.body["generation"]) == ("replaced", True, 2)
    order = order_of(service)
    assert order.want is not None
    assert (order.want.n, order.conditions) == (2, FLAT)
    without = replace(service)
    assert (without.word, without.body["duplicate"]) == ("replaced", True)


def test_a_change_of_an_order_that_works_asks_nothing_of_the_position(service: Service) -> None:
    service.place("order-1", require_market_position="flat")
    assert service.send("CHANGE", order_id="order-1", limit_price=4990).word == "change_pending"
    assert order_of(service).conditions == FLAT  # it is not placed yet
    service.answer_want("Working")
    assert service.send("CHANGE", order_id="order-1", limit_price=4991).word == "change_pending"
    assert order_of(service).conditions is None


@pytest.mark.parametrize("released", [False, True])
def test_a_target_or_stop_has_no_condition_on_the_position(service: Service, released: bool) -> None:
    service.place("order-1", stop_loss=4980)
    if released:
        service.report("Filled", 5)
    stop = {"action": "SELL", "order_type": "STOPMARKET", "stop_price": 4985, "limit_price": None}
    before = service.belongings()
    answer = replace(service, **stop, order_id="order-1.STOP1", require_market_position="long")
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "require_market_position")
    assert service.belongings() == before


def test_an_order_from_before_there_was_a_venue_takes_no_condition(service: Service) -> None:
    service.use_venue(service.venue._replace(name=None))
    service.place("order-1")
    service.use_venue()
    answer = replace(service, max_positions=1)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "unsupported_value", "max_positions")


def test_the_same_order_with_other_conditions_says_that_the_first_ones_stay(service: Service) -> None:
    service.place("order-1", require_market_position="flat")
    answer = service.place("order-1", flatten_first="true")
    assert (answer.status, answer.word) == (200, "already_placed")
    assert [(it["code"], it["field"]) for it in answer.body["warnings"]] == [
        ("ignored_field", "flatten_first"),
        ("ignored_field", "require_market_position"),
    ]
    assert order_of(service).conditions == FLAT
    assert "warnings" not in service.place("order-1", require_market_position="flat").body


def test_a_resend_is_the_same_order_with_the_same_conditions(service: Service) -> None:
    service.record_nothing()
    service.place("order-1", flatten_first="true")
    service.let_pass(5)
    again = service.place("order-1", flatten_first="true")
    assert (again.word, again.body.get("warnings")) == ("already_placed", None)


@pytest.mark.parametrize("option", ["flatten_first", "sync_strategy"])
def test_the_kill_switch_refuses_an_order_whole_whatever_it_closes_first(service: Service, option: str) -> None:
    service.turn("on")
    fields = {"flatten_first": "true"} if option == "flatten_first" else SYNC
    answer = service.place("order-1", **fields)
    assert (answer.status, answer.word) == (423, "kill_switch_on")
    assert service.placed() == []
