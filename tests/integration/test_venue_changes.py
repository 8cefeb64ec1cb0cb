"""CHANGE and CANCELREPLACE with a venue: what is asked for stands in the order, and the venue confirms it."""

from typing import Any

import pytest

from orderhook.orders import LegEnd, Order, OrderState
from orderhook.venues import TABLE
from tests.builders import ENTRY, provenance
from tests.integration.test_requests import READ, SEND, TRANSACTION, UPDATE
from tests.marks import EACH_ONCE
from tests.service import Service

STRATEGY = {"strategy_id": "strategy-1"}
LEGS: dict[str, object] = {"take_profit": 5020, "stop_loss": 4980}
STOP = {**ENTRY, "action": "SELL", "order_type": "STOPMARKET", "limit_price": None, "stop_price": "4981"}


@pytest.fixture(autouse=True)
def venue(service: Service) -> None:
    service.use_venue()


def have(service: Service, **fields: object) -> None:
    """Have order-1 be ENTRY1 of strategy-1, which the venue has and works on."""
    assert service.place("order-1", **STRATEGY, **fields).word == "placed"
    service.answer_want("Working")
    service.warm_up()


def order_of(service: Service, order_id: str = "order-1") -> Order:
    order = service.order(order_id)
    assert order is not None
    return order


def asked(order: Any) -> tuple[int, str]:
    assert order.want is not None
    return order.want.n, order.want.kind


@EACH_ONCE
@pytest.mark.parametrize("way", [{"order_id": "order-1"}, {"order_id": "ENTRY1", **STRATEGY}], ids=str)
@pytest.mark.parametrize(
    ("command", "fields", "word"),
    [
        ("CHANGE", {"limit_price": 4990}, "change_pending"),
        ("CANCELREPLACE", {**ENTRY, "limit_price": 4990}, "replace_pending"),
    ],
    ids=["CHANGE", "CANCELREPLACE"],
)
def test_a_change_asks_for_the_values_that_the_order_then_has(
    service: Service, command: str, fields: dict[str, object], word: str, way: dict[str, str]
) -> None:
    have(service, **LEGS)
    answer = service.send(command, **way, **fields)
    assert (answer.status, answer.word, answer.body["state"]) == (200, word, "ChangePending")
    assert answer.body["limit_price"] == "4990"
    named = [READ] if "strategy_id" in way else []
    assert service.network.operations == [READ, *named, UPDATE, SEND]
    order = order_of(service)
    assert (order.state, order.limit_price, asked(order)) == ("ChangePending", 4990, (2, "change"))
    assert order.want is not None
    assert order.want.not_after is not None
    assert order.want.not_after > order.want.at
    assert order.history[-1].state == "ChangePending"


def test_each_change_asks_anew_before_the_one_before_is_answered(service: Service) -> None:
    have(service)
    for number, price in enumerate([4990, 4991, 4992], 2):
        assert service.send("CHANGE", order_id="order-1", limit_price=price).word == "change_pending"
        assert asked(order_of(service)) == (number, "change")
    assert service.cancel("order-1").word == "cancel_pending"
    assert asked(order_of(service)) == (5, "cancel")
    assert service.send("CHANGE", order_id="order-1", limit_price=4993).word == "order_already_terminal"


@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_the_values_that_the_order_has_already_ask_nothing(service: Service, command: str) -> None:
    have(service)
    fields = ENTRY if command == "CANCELREPLACE" else {"limit_price": "5000.25"}
    answer = service.send(command, order_id="order-1", **fields)
    assert (answer.word, answer.body["duplicate"]) == ("changed" if command == "CHANGE" else "replaced", True)
    assert (order_of(service).state, asked(order_of(service))) == ("Working", (1, "place"))


def test_the_values_that_were_asked_for_already_and_are_not_confirmed_are_asked_anew(service: Service) -> None:
    have(service)
    service.send("CHANGE", order_id="order-1", limit_price=4990)
    answer = service.send("CHANGE", order_id="order-1", limit_price=4990)
    assert (answer.word, answer.body.get("duplicate")) == ("change_pending", None)
    assert asked(order_of(service)) == (3, "change")


def test_until_the_venue_has_the_order_a_change_keeps_the_time_of_its_placing(service: Service) -> None:
    service.place("order-1")
    placing = order_of(service).want
    service.let_pass(20)
    service.warm_up()
    assert service.send("CHANGE", order_id="order-1", limit_price=4990).word == "change_pending"
    assert service.network.operations == [READ, UPDATE, UPDATE, SEND]
    want = order_of(service).want
    assert placing is not None
    assert want is not None
    assert (want.n, want.kind, want.not_after) == (2, "change", placing.not_after)


@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_until_an_order_of_another_kind_is_there_a_change_keeps_the_time_of_its_alert(
    service: Service, command: str
) -> None:
    have(service)
    market: dict[str, object] = {**ENTRY, "order_type": "MARKET", "limit_price": None}
    service.send("CANCELREPLACE", order_id="order-1", **market)
    replacing = order_of(service).want
    service.let_pass(20)
    fields = {"qty": 1} if command == "CHANGE" else {**market, "qty": 1}
    assert service.send(command, order_id="order-1", **fields).status == 200
    want = order_of(service).want
    assert replacing is not None
    assert want is not None
    assert (want.n, want.kind, want.not_after) == (3, "replace", replacing.not_after)


@pytest.mark.parametrize("qty", [2, 1])
def test_a_quantity_that_is_filled_already_ends_by_a_report(service: Service, qty: int) -> None:
    have(service)
    service.answer_want("PartFilled", filled=2)
    answer = service.send("CHANGE", order_id="order-1", qty=qty)
    assert (answer.word, answer.body["state"]) == ("change_pending", "ChangePending")
    order = order_of(service)
    assert (order.state, order.qty, asked(order)) == ("ChangePending", 2, (2, "change"))
    assert order.reason is None
    assert service.open_orders() == ["order-1"]


def test_a_replacement_for_the_day_ends_when_the_venue_says_so(service: Service) -> None:
    have(service, tif="DAY")
    fields = {**ENTRY, "tif": "DAY", "limit_price": 4990}
    assert service.send("CANCELREPLACE", order_id="order-1", **fields).word == "replace_pending"
    assert service.network.operations == [READ, UPDATE, SEND]
    assert order_of(service).day_ends is None
    assert "expires" not in service.plain()


# Legs


@EACH_ONCE
@pytest.mark.parametrize("way", [{"order_id": "order-1.STOP1"}, {"order_id": "STOP1", **STRATEGY}], ids=str)
@pytest.mark.parametrize(
    ("command", "fields", "word"),
    [("CHANGE", {"stop_price": "4981"}, "change_pending"), ("CANCELREPLACE", STOP, "replace_pending")],
    ids=["CHANGE", "CANCELREPLACE"],
)
def test_a_leg_that_waits_takes_its_price_by_its_own_want(
    service: Service, command: str, fields: dict[str, object], word: str, way: dict[str, str]
) -> None:
    have(service, **LEGS)
    answer = service.send(command, **way, **fields)
    assert (answer.status, answer.word, answer.body["state"]) == (200, word, "ChangePending")
    assert service.network.operations[-2:] == [UPDATE, SEND]
    order = order_of(service)
    stop = order.legs["STOP1"]
    assert (stop.stop_price, asked(stop), stop.want and stop.want.not_after) == (4981, (2, "change"), None)
    assert (order.state, asked(order), asked(order.legs["TARGET1"])) == ("Working", (1, "place"), (1, "place"))


def test_a_leg_that_is_being_cancelled_takes_no_other_price(service: Service) -> None:
    have(service, **LEGS)
    service.cancel("order-1.STOP1")
    assert service.send("CHANGE", order_id="order-1.STOP1", stop_price=4981).word == "order_already_terminal"
    answer = service.send("CANCELREPLACE", order_id="order-1", **ENTRY, stop_loss=4982)
    assert (answer.status, answer.word) == (400, "unsupported_value")
    assert order_of(service).legs["STOP1"].stop_price == 4980


def test_legs_that_a_replacement_brings_have_their_wants(service: Service) -> None:
    have(service, stop_loss=4980)
    answer = service.send("CANCELREPLACE", order_id="order-1", **ENTRY, stop_loss=4985, take_profit=5030)
    assert answer.word == "replace_pending"
    order = order_of(service)
    assert asked(order) == (1, "place")
    assert asked(order.legs["STOP1"]) == (2, "change")
    assert asked(order.legs["TARGET1"]) == (1, "place")


def test_the_first_legs_of_an_order_have_their_wants(service: Service) -> None:
    service.place("order-1")
    service.answer_want("Working")
    service.warm_up()
    assert service.send("CANCELREPLACE", order_id="order-1", **ENTRY, stop_loss=4985).word == "replace_pending"
    assert TRANSACTION in service.network.operations
    assert asked(order_of(service).legs["STOP1"]) == (1, "place")


# What the venue cannot do


def test_an_order_of_another_kind_takes_the_place_of_the_one_that_is_cancelled(service: Service) -> None:
    have(service)
    new = {**ENTRY, "order_type": "MARKET", "limit_price": None}
    answer = service.send("CANCELREPLACE", order_id="order-1", **new)
    assert (answer.word, answer.body["state"]) == ("replace_pending", "ChangePending")
    order = order_of(service)
    assert (order.order_type, order.limit_price, asked(order)) == ("MARKET", None, (2, "replace"))
    assert service.open_orders() == ["order-1"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"order_type": "MARKET", "limit_price": None}, "order_type"),
        ({"tif": "DAY"}, "tif"),
        ({"oco_id": "g2"}, "oco_id"),
    ],
    ids=str,
)
def test_a_member_of_a_group_is_not_replaced_by_another_kind(
    service: Service, fields: dict[str, object], field: str
) -> None:
    have(service, oco_id="g1")
    answer = service.send("CANCELREPLACE", order_id="order-1", **{**ENTRY, **fields})
    assert (answer.status, answer.word, answer.body["field"]) == (400, "unsupported_value", field)
    assert (order_of(service).state, asked(order_of(service))) == ("Working", (1, "place"))


def test_an_order_at_a_venue_joins_no_group(service: Service) -> None:
    have(service)
    answer = service.send("CANCELREPLACE", order_id="order-1", **ENTRY, oco_id="g1")
    assert (answer.status, answer.word, answer.body["field"]) == (400, "unsupported_value", "oco_id")
    assert asked(order_of(service)) == (1, "place")


def test_a_cancel_of_one_of_a_group_names_the_group_that_ends_with_it(service: Service) -> None:
    have(service, oco_id="g1")
    answer = service.cancel("order-1")
    [warning] = answer.body["warnings"]
    assert (answer.word, warning["code"], warning["field"]) == ("cancel_pending", "oco_group", "order_id")
    assert "g1" in warning["detail"]


def test_a_leg_that_waits_is_cancelled_alone_and_no_group_is_named(service: Service) -> None:
    have(service, **LEGS)
    assert "warnings" not in service.cancel("TARGET1", **STRATEGY).body


def test_a_leg_keeps_its_kind_though_it_waits(service: Service) -> None:
    have(service, **LEGS)
    answer = service.send(
        "CANCELREPLACE", order_id="order-1.STOP1", **{**STOP, "order_type": "STOPLIMIT", "limit_price": "4981"}
    )
    assert (answer.status, answer.word, answer.body["field"]) == (400, "unsupported_value", "order_type")


def test_a_cancel_of_a_waiting_leg_says_what_was_asked_of_it_before(service: Service) -> None:
    have(service, **LEGS)
    service.send("CHANGE", order_id="order-1.STOP1", stop_price=4981)
    assert service.cancel("order-1.STOP1").body["previous_state"] == "ChangePending"


def have_released_legs(service: Service, **legs: object) -> None:
    """Have the legs of order-1 be orders of their own, which the venue has, as reports write them."""
    have(service, **(legs or LEGS))
    service.report("Filled", 5)
    for name in order_of(service).legs:
        leg = order_of(service, f"order-1.{name}")
        if leg.venue is None:
            waiting = order_of(service).legs[name].want
            service.answer_release(f"order-1.{name}", waiting)
    service.warm_up()


@pytest.mark.parametrize(
    ("command", "fields"),
    [("CHANGE", {"qty": 4}), ("CHANGE", {"qty": 4, "stop_price": 4981}), ("CANCELREPLACE", {**STOP, "qty": 4})],
    ids=str,
)
def test_the_quantity_of_a_leg_that_works_is_the_venues(
    service: Service, command: str, fields: dict[str, object]
) -> None:
    have_released_legs(service)
    answer = service.send(command, order_id="order-1.STOP1", **fields)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "unsupported_value", "qty")


def test_a_leg_that_works_takes_another_price(service: Service) -> None:
    have_released_legs(service)
    assert service.send("CHANGE", order_id="STOP1", **STRATEGY, stop_price=4981).word == "change_pending"
    stop = order_of(service, "order-1.STOP1")
    assert (stop.state, stop.stop_price, asked(stop)) == ("ChangePending", 4981, (2, "change"))
    assert stop.want is not None
    assert stop.want.not_after is None


def test_a_cancel_of_a_leg_that_works_names_the_one_that_ends_with_it(service: Service) -> None:
    have_released_legs(service)
    answer = service.cancel("STOP1", **STRATEGY)
    assert answer.word == "cancel_pending"
    unprotected, partner = answer.body["warnings"]
    assert unprotected["code"] == "unprotected_quantity"
    assert partner == {
        "code": "oco_partner",
        "field": "order_id",
        "detail": "TARGET1 and STOP1 are one group at the venue, which ends both; TARGET1 is placed again, unless "
        "it was cancelled too, or another bridge or one that has lost its journal had placed it.",
    }
    assert asked(order_of(service, "order-1.STOP1")) == (2, "cancel")
    assert order_of(service, "order-1.TARGET1").state != "CancelPending"


@pytest.mark.parametrize("ended", [None, "TARGET1"], ids=["came alone", "is alone"])
def test_a_cancel_of_a_leg_without_a_partner_names_none_that_ends_with_it(service: Service, ended: str | None) -> None:
    have(service, **(LEGS if ended else {"stop_loss": 4980}))
    if ended:
        before = order_of(service)
        end = LegEnd(OrderState.CANCELLED, before.since, "r9", "k9")
        after = before._replace(legs={**before.legs, ended: before.legs[ended]._replace(end=end)})
        assert service.orders.rewrite(provenance(service.trader, "r9"), before, after)
    service.report("Filled", 5)
    service.answer_release("order-1.STOP1", order_of(service).legs["STOP1"].want)
    [warning] = service.cancel("STOP1", **STRATEGY).body["warnings"]
    assert warning["code"] == "unprotected_quantity"


# Whose the order is


@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_an_order_of_the_table_is_changed_there_whatever_venue_there_is_by_now(service: Service, command: str) -> None:
    service.use_venue(TABLE)
    service.place("order-1")
    service.use_venue()
    service.warm_up()
    fields = {**ENTRY, "limit_price": 4990} if command == "CANCELREPLACE" else {"limit_price": 4990}
    answer = service.send(command, order_id="order-1", **fields)
    assert answer.word == ("replaced" if command == "CANCELREPLACE" else "changed")
    assert service.network.operations == [READ, UPDATE, UPDATE, SEND]
    assert (order_of(service).state, order_of(service).want) == ("Working", None)


@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_an_order_at_a_venue_is_asked_for_there_though_there_is_none_now(service: Service, command: str) -> None:
    have(service)
    service.use_venue(TABLE)
    service.warm_up()
    fields = {**ENTRY, "limit_price": 4990} if command == "CANCELREPLACE" else {"limit_price": 4990}
    answer = service.send(command, order_id="order-1", **fields)
    assert answer.word == ("replace_pending" if command == "CANCELREPLACE" else "change_pending")
    assert service.network.operations == [READ, UPDATE, UPDATE]
    assert asked(order_of(service)) == (2, "change")
