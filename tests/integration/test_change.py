"""CHANGE: every state by every way of naming the order, every value, its legs, and what the table holds afterwards."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from orderhook.commands import parse_command
from orderhook.commands.change import Change
from orderhook.leg_prices import with_bounds
from orderhook.orders import CANCELS_OF_A_TRADE, KEPT_HISTORY, MAX_HISTORY, Leg, Order, OrderState
from tests import builders
from tests.builders import WAYS, every_way, not_found, phrase, provenance, refused
from tests.client_faults import in_writes
from tests.faults import (
    LEAVING_DONE,
    Fault,
    every_fault,
    lose_request,
    lose_response,
    no_fault,
    run_and_lose_response,
    run_before,
)
from tests.marks import EACH_ONCE, LONG
from tests.output import Answer
from tests.service import FILLED, Service
from tests.states import CANCELLABLE, NOT_CANCELLABLE
from tests.tables import Item
from tests.trades import (
    QUERY,
    READ,
    SECONDS_TO_CLOSE,
    TRANSACTION,
    UPDATE,
    BothWays,
    bring_to,
    entries,
    every_way_to_the_stop,
    have_bracket,
    have_bracket_again,
    have_long_history,
    is_placeable,
    last_time,
    new_values,
    operations,
    released_leg,
    seen,
    to_noon_in_new_york,
    with_event,
    without_digest,
)

PRICES_OF = {
    "MARKET": [],
    "LIMIT": ["limit_price"],
    "STOPMARKET": ["stop_price"],
    "STOPLIMIT": ["limit_price", "stop_price"],
}


def change(service: Service, order_id: str = "order-1", /, **fields: object) -> Answer:
    return service.send("CHANGE", order_id=order_id, **fields)


def have_entry(service: Service, state: str) -> Item:
    """Have order-1 be ENTRY1 of strategy-1, in this state and filled to match, and return its item."""
    service.have_strategy(state, "ENTRY1", filled=FILLED.get(state))
    return service.plain()


def after_change(service: Service, before: Item, answer: Answer, **changes: str) -> Item:
    """Return an order's item with all that a change adds to it, and nothing else."""
    after = with_event(before, service, answer, last_time(service.plain()), changes=changes)
    return after | {name: Decimal(value) for name, value in changes.items()}


def place_of_type(service: Service, order_type: str) -> Item:
    prices = {name: Decimal(5000) for name in PRICES_OF[order_type]}
    fields: dict[str, Any] = {"limit_price": None, **prices, "order_type": order_type}
    service.have_order("Working", **fields)
    return service.plain()


def warned(answer: Answer) -> list[str]:
    return [warning["code"] for warning in answer.body.get("warnings", [])]


# States


@EACH_ONCE
@every_way
@pytest.mark.parametrize("state", CANCELLABLE)
def test_an_open_order_is_changed_and_nothing_else_of_it_changes(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = have_entry(service, state)
    service.warm_up()
    began = datetime.now(UTC)
    answer = service.send("CHANGE", **way, qty=7, limit_price="4999.50")
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "changed",
            "order_id": "order-1",
            "strategy_id": "strategy-1",
            "order_name": "ENTRY1",
            "state": state,
            "filled": str(FILLED.get(state, 0)),
            "qty": "7",
            "limit_price": "4999.5",
            "remaining": str(7 - FILLED.get(state, 0)),
        },
    )
    assert service.network.operations == [READ, *operations(way, UPDATE)], "the kill switch, and the one write"
    at = last_time(service.plain())
    assert f"{began:%Y-%m-%dT%H:%M:%S.%fZ}" <= at <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert without_digest(service.plain()) == after_change(service, before, answer, qty="7", limit_price="4999.5")
    assert service.open_orders() == ["order-1"]


@EACH_ONCE
@every_way
@pytest.mark.parametrize("state", NOT_CANCELLABLE)
def test_an_order_that_is_finished_or_being_cancelled_is_not_changed(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = have_entry(service, state)
    answer = service.send("CHANGE", **way, qty=7)
    sent = "ENTRY1" if way is WAYS["by name"] else "order-1"
    assert (answer.status, answer.body) == (
        409,
        refused(
            "order_already_terminal",
            f"Order '{sent}' ended as {state} at {before['since']}; it cannot be changed any more. {phrase(sent)}",
            field="order_id",
            state=state,
        ),
    )
    assert service.plain() == before


@every_way
def test_a_day_order_whose_day_is_over_is_not_changed_and_the_change_writes_its_end(
    service: Service, way: dict[str, str]
) -> None:
    to_noon_in_new_york(service)
    service.place("order-1", strategy_id="strategy-1", tif="DAY")
    ends = service.plain()["day_ends"]
    service.let_pass(SECONDS_TO_CLOSE - 60)
    assert service.send("CHANGE", **way, qty=7).word == "changed"
    service.let_pass(120)
    for _ in range(2):
        answer = service.send("CHANGE", **way, qty=8)
        assert (answer.status, answer.word, answer.body["state"]) == (409, "order_already_terminal", "Expired")
        item = service.plain()
        assert (item["state"], item["since"], item["qty"], "open" in item) == ("Expired", ends, 7, False)


def test_a_change_leaves_the_end_of_the_day_as_it_is(service: Service) -> None:
    to_noon_in_new_york(service)
    service.place("order-1", tif="DAY")
    before = service.plain()
    service.let_pass(SECONDS_TO_CLOSE - 60)
    change(service, qty=7)
    assert {name: service.plain()[name] for name in ("day_ends", "expires")} == {
        name: before[name] for name in ("day_ends", "expires")
    }


# Values


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"qty": 7}, {"qty": "7"}),
        ({"qty": 7, "limit_price": 0}, {"qty": "7"}),
        ({"qty": "7.0", "stop_price": "0.00"}, {"qty": "7"}),
        ({"limit_price": "4999"}, {"limit_price": "4999"}),
        ({"qty": 0, "limit_price": "4999.000"}, {"limit_price": "4999"}),
        ({"qty": "00", "limit_price": "0.00000001"}, {"limit_price": "0.00000001"}),
        ({"qty": 1, "limit_price": "999999999999.99"}, {"qty": "1", "limit_price": "999999999999.99"}),
    ],
    ids=str,
)
def test_what_is_zero_or_absent_stays_as_it_is(
    service: Service, fields: dict[str, object], changes: dict[str, str]
) -> None:
    service.place("order-1")
    before = service.plain()
    answer = change(service, **fields)
    assert answer.word == "changed"
    told = {"qty": "5", "limit_price": "5000.25"} | changes
    assert {name: answer.body[name] for name in told} == told
    assert without_digest(service.plain()) == after_change(service, before, answer, **changes)


@pytest.mark.parametrize("fields", [{}, {"qty": 0}, {"qty": "0.0", "limit_price": 0, "stop_price": "0.00"}], ids=str)
def test_a_change_of_nothing_is_refused_before_the_table_is_read(service: Service, fields: dict[str, object]) -> None:
    service.place("order-1")
    service.warm_up()
    answer = change(service, **fields)
    assert (answer.status, answer.body) == (
        400,
        refused(
            "missing_field", "CHANGE needs a new qty, limit_price or stop_price above 0: add one of them.", field="qty"
        ),
    )
    assert service.network.requests == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"qty": "1.5"}, "qty"),
        ({"qty": -1}, "qty"),
        ({"qty": 1_000_001}, "qty"),
        ({"limit_price": "abc"}, "limit_price"),
        ({"qty": 1, "stop_price": "-5"}, "stop_price"),
        ({"limit_price": "5 ticks"}, "limit_price"),
    ],
    ids=str,
)
def test_a_bad_value_is_refused_before_the_table_is_read(
    service: Service, fields: dict[str, object], field: str
) -> None:
    service.place("order-1")
    service.warm_up()
    answer = change(service, **fields)
    assert (answer.status, answer.body["field"]) == (400, field)
    assert service.network.requests == []


@pytest.mark.parametrize("field", ["limit_price", "stop_price"])
def test_an_empty_price_is_refused_for_a_trailing_stop_must_not_lose_its_move_in_silence(
    service: Service, field: str
) -> None:
    service.place("order-1")
    service.warm_up()
    answer = change(service, qty=3, **{field: ""})
    detail = f"{field} is empty, and without it CHANGE would do something else than the alert asks for; give it a value"
    assert (answer.status, answer.body) == (400, refused("missing_field", f"{detail}, or take it out.", field=field))
    assert service.network.requests == []


def test_a_price_of_json_null_is_absent(service: Service) -> None:
    service.place("order-1")
    fields = {"key": service.key, "command": "CHANGE", "order_id": "order-1", "qty": 3, "limit_price": None}
    answer = service.post(json.dumps(fields))
    assert (answer.word, answer.body["limit_price"], "warnings" in answer.body) == ("changed", "5000.25", False)


def test_the_answer_also_has_the_values_that_stay(service: Service) -> None:
    place_of_type(service, "STOPLIMIT")
    body = change(service, qty=7).body
    assert (body["qty"], body["limit_price"], body["stop_price"]) == ("7", "5000", "5000")


@EACH_ONCE
@pytest.mark.parametrize("order_type", PRICES_OF)
@pytest.mark.parametrize("prices", [["limit_price"], ["stop_price"], ["limit_price", "stop_price"]], ids=" ".join)
def test_only_the_prices_of_its_type_can_be_changed(service: Service, order_type: str, prices: list[str]) -> None:
    before = place_of_type(service, order_type)
    missing = [name for name in prices if name not in PRICES_OF[order_type]]
    # A good quantity does not make up for a price that the order does not have.
    answer = change(service, qty=7, **dict.fromkeys(prices, "4999"))
    if not missing:
        assert answer.word == "changed"
        assert {name: service.plain().get(name) for name in prices} == dict.fromkeys(prices, 4999)
        return
    assert (answer.status, answer.body) == (
        400,
        refused(
            "invalid_value",
            f"Order order-1 is a {order_type} order and has no {missing[0]}; take it out.",
            field=missing[0],
        ),
    )
    assert service.plain() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"qty": 5},
        {"limit_price": "5000.250"},
        {"qty": "5.0", "limit_price": "05000.25"},
        {"qty": "005", "stop_price": 0},
    ],
    ids=str,
)
def test_values_that_the_order_has_already_are_a_duplicate_however_they_are_spelled(
    service: Service, fields: dict[str, object]
) -> None:
    service.place("order-1")
    before = service.plain()
    answer = change(service, **fields)
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "changed",
            "duplicate": True,
            "order_id": "order-1",
            "state": "Working",
            "filled": "0",
            "qty": "5",
            "limit_price": "5000.25",
            "remaining": "5",
        },
    )
    own = {"version", "request_id", "history", "digests"}
    assert {name: value for name, value in service.plain().items() if name not in own} == {
        name: value for name, value in before.items() if name not in own
    }
    assert service.record_of(answer).duplicate


def test_one_new_value_of_two_is_enough(service: Service) -> None:
    service.place("order-1")
    answer = change(service, qty=5, limit_price="4999")
    assert "duplicate" not in answer.body
    assert service.plain()["limit_price"] == 4999


def test_every_change_is_kept_in_the_history(service: Service) -> None:
    service.place("order-1")
    for fields in ({"qty": 6}, {"limit_price": "4999"}, {"qty": 7, "limit_price": "4998.5"}):
        assert change(service, **fields).word == "changed"
    assert service.cancel("order-1").word == "cancelled"
    found = service.order()
    assert found is not None
    assert [(event.state, event.changes) for event in found.history] == [
        ("Working", {"qty": "5", "limit_price": "5000.25"}),
        (None, {"qty": "6"}),
        (None, {"limit_price": "4999"}),
        (None, {"qty": "7", "limit_price": "4998.5"}),
        ("Cancelled", {}),
    ]
    assert found.version == len(found.history) == len({event.request_id for event in found.history})


def test_a_late_duplicate_of_the_place_finds_the_changed_order(service: Service) -> None:
    service.place("order-1")
    change(service, qty=7, limit_price="4999")
    before = service.item()
    assert service.place("order-1").word == "already_placed"
    assert service.place("order-1", qty=7, limit_price="4999").word == "duplicate_order_id"
    assert service.item() == before


def test_an_order_that_waits_for_its_delay_is_changed_and_placed_as_it_is_then(service: Service) -> None:
    service.place("order-1", delay=30, stop_loss=4990)
    before = service.plain()
    assert change(service, limit_price="4990").word == "invalid_value"
    answer = change(service, qty=7, limit_price="4999")
    assert (answer.word, answer.body["state"]) == ("changed", "Initialized")
    assert without_digest(service.plain()) == after_change(service, before, answer, qty="7", limit_price="4999")
    service.pass_time(60)
    item = service.plain()
    assert (item["state"], item["qty"], item["limit_price"]) == ("Working", 7, 4999)
    assert seen(service, "order-1.STOP1").qty == 7


# The quantity is the total, what is filled included


@LONG
@pytest.mark.parametrize("state", ["PartFilled", "Unknown", "Working", "ChangePending"])
@pytest.mark.parametrize("more", [{}, {"limit_price": "4999"}], ids=["quantity alone", "with a price"])
@pytest.mark.parametrize(("qty", "end"), [(1, "Cancelled"), (2, "Filled"), (3, None), (9, None)])
def test_a_quantity_not_above_what_is_filled_ends_the_remainder(
    service: Service, qty: int, end: str | None, more: dict[str, str], state: str
) -> None:
    service.have_order("PartFilled", filled=2)
    if state != "PartFilled":
        service.report(state, 2)
    answer = change(service, qty=qty, **more)
    assert (answer.status, answer.word, answer.body["filled"]) == (200, "changed", "2")
    assert answer.body["qty"] == str(max(qty, 2))
    assert answer.body["state"] == (end or state)
    assert warned(answer) == (["filled_more"] if qty < 2 else [])
    item = service.plain()
    assert (item["qty"], item["filled"], item["state"]) == (max(qty, 2), 2, end or state)
    assert item["limit_price"] == Decimal(more.get("limit_price", "5000.25"))
    assert ("open" in item, "expires" in item, "cancelled_at" in item) == (not end, bool(end), end == "Cancelled")
    if end:
        assert (item["since"], item["history"][-1]["state"]) == (last_time(item), end)
        assert change(service, qty=9).word == "order_already_terminal"


def test_a_fill_that_comes_first_counts(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.report("PartFilled", 4)))
    answer = change(service, qty=3)
    assert (answer.word, answer.body["state"], answer.body["filled"]) == ("changed", "Cancelled", "4")
    assert warned(answer) == ["filled_more"]
    assert (service.plain()["qty"], service.plain()["filled"], service.state()) == (4, 4, "Cancelled")


def test_legs_that_wait_end_with_the_remainder_and_released_ones_keep_what_is_filled(service: Service) -> None:
    service.put_template("two", (2, 10, 5), (3, 20, 8))
    service.place("order-1", strategy_id="strategy-1", strategy="two")
    service.report("PartFilled", 2)
    assert change(service, qty=2).body["state"] == "Filled"
    assert [
        (seen(service, f"order-1.{name}").state, seen(service, f"order-1.{name}").qty) for name in ("STOP1", "STOP2")
    ] == [
        ("Working", 2),
        ("Cancelled", 0),
    ]
    assert service.open_orders() == ["order-1.STOP1", "order-1.TARGET1"]


# An entry and its legs


def test_waiting_legs_follow_their_entrys_quantity(service: Service) -> None:
    have_bracket(service)
    assert change(service, qty=2).word == "changed"
    assert [seen(service, f"order-1.{name}").qty for name in ("STOP1", "TARGET1")] == [2, 2]


@pytest.mark.parametrize("limit_price", ["4980", "4990", "5010", "5020"])
def test_an_entry_is_not_moved_beyond_its_legs_before_something_is_filled(service: Service, limit_price: str) -> None:
    have_bracket(service)
    before = service.belongings()
    answer = change(service, limit_price=limit_price)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "limit_price")
    assert service.belongings() == before
    assert change(service, limit_price="4990.25").word == "changed"
    service.report("PartFilled", 1)
    assert change(service, limit_price=limit_price).word == "changed"


@pytest.mark.parametrize("limit_price", ["4980", "5020"])
def test_the_legs_of_a_short_entry_lie_the_other_way(service: Service, limit_price: str) -> None:
    have_bracket(service, action="SELL", take_profit=4990, stop_loss=5010)
    assert change(service, limit_price=limit_price).word == "invalid_value"
    assert change(service, limit_price="5009.75").word == "changed"
    assert change(service, "STOP1", strategy_id="strategy-1", stop_price="5009.75").word == "invalid_value"
    assert change(service, "STOP1", strategy_id="strategy-1", stop_price="5009.80").word == "changed"


def test_a_leg_that_was_ended_holds_its_entry_back_no_more(service: Service) -> None:
    have_bracket(service)
    service.cancel("order-1.STOP1")
    assert change(service, limit_price="4980").word == "changed"
    assert change(service, limit_price="5010").word == "invalid_value"


def test_what_a_templates_brackets_do_not_reach_is_told(service: Service) -> None:
    service.put_template("two", (2, 10, 5), (3, 20, 8))
    service.place("order-1", strategy_id="strategy-1", strategy="two")
    assert warned(change(service, qty=7)) == ["unprotected_quantity"]
    assert warned(change(service, limit_price="4999")) == ["unprotected_quantity"]
    assert warned(change(service, qty=4)) == []
    assert [seen(service, f"order-1.STOP{number}").qty for number in (1, 2)] == [2, 2]


# A leg that waits


@LONG
@every_way_to_the_stop
@pytest.mark.parametrize("state", CANCELLABLE)
def test_a_waiting_leg_gets_its_price_inside_its_entrys_item_and_nothing_else_changes(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_bracket(service, state if state != "PartFilled" else "Working")
    before = service.plain()
    service.warm_up()
    answer = service.send("CHANGE", **way, stop_price="4995.50")
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "changed",
            "order_id": "order-1.STOP1",
            "strategy_id": "strategy-1",
            "order_name": "STOP1",
            "state": "Initialized",
            "filled": "0",
            "qty": "5",
            "stop_price": "4995.5",
            "remaining": "5",
        },
    )
    assert service.network.operations == [READ, *operations(way, UPDATE)]
    item = service.plain()
    expected = with_event(before, service, answer, last_time(item), leg="STOP1", changes={"stop_price": "4995.5"})
    stop = {**before["legs"]["STOP1"], "stop_price": Decimal("4995.5")}
    expected |= {"legs": {**before["legs"], "STOP1": stop}, "nearest_stop": Decimal("4995.5")}
    assert without_digest(item) == expected
    assert seen(service, "order-1.STOP1").stop_price == Decimal("4995.5")


@every_way_to_the_stop
def test_the_same_price_again_is_a_duplicate_of_a_waiting_leg_too(service: Service, way: dict[str, str]) -> None:
    have_bracket(service)
    assert service.send("CHANGE", **way, stop_price="4990.00").body["duplicate"] is True
    assert "duplicate" not in service.send("CHANGE", **way, stop_price="4991").body


@EACH_ONCE
@every_way_to_the_stop
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"qty": 3}, "qty"),
        ({"qty": 5}, "qty"),
        ({"qty": 5, "stop_price": "4995"}, "qty"),
        ({"limit_price": "4995"}, "limit_price"),
        ({"stop_price": "5000.25"}, "stop_price"),
        ({"stop_price": "5010"}, "stop_price"),
        ({"stop_price": "5050"}, "stop_price"),
    ],
    ids=str,
)
def test_what_a_waiting_leg_cannot_take_is_refused(
    service: Service, fields: dict[str, object], field: str, way: dict[str, str]
) -> None:
    have_bracket(service)
    before = service.belongings()
    answer = service.send("CHANGE", **way, **fields)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", field)
    assert service.belongings() == before


def test_the_two_prices_of_a_waiting_stop_limit_keep_their_order(service: Service) -> None:
    have_bracket(service, stop_loss=None, stop_loss_limit=4989, stop_loss_stop=4990)
    assert change(service, "order-1.STOP1", limit_price="4991").word == "invalid_value"
    assert change(service, "order-1.STOP1", stop_price="4988").word == "invalid_value"
    answer = change(service, "order-1.STOP1", limit_price="4992", stop_price="4993")
    assert (answer.word, answer.body["limit_price"], answer.body["stop_price"]) == ("changed", "4992", "4993")
    assert change(service, "order-1.STOP1", limit_price="4990").body["limit_price"] == "4990"


@pytest.mark.parametrize(("given", "missing"), [("limit_price", "stop_price"), ("stop_price", "limit_price")])
def test_of_a_stop_limit_at_distances_both_prices_are_given_or_none(service: Service, given: str, missing: str) -> None:
    """One alone would lose the distance of the other, and stand without it when the entry fills."""
    service.use_venue()
    distances: Any = {"stop_loss_limit": "-12 points", "stop_loss_stop": "-10 points"}
    have_bracket(service, take_profit=None, stop_loss=None, **distances)
    before = service.belongings()
    answer = change(service, "order-1.STOP1", **{given: "4988"})
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", missing)
    assert service.belongings() == before
    prices = {"limit_price": "4988", "stop_price": "4989"}
    answer = change(service, "order-1.STOP1", **prices)
    assert answer.body.items() >= {"status": "change_pending", **prices}.items()
    assert "offset" not in service.plain()["legs"]["STOP1"]
    assert change(service, "order-1.STOP1", limit_price="4987").word == "change_pending"


@pytest.mark.parametrize(("name", "price"), [("TARGET1", "limit_price"), ("STOP1", "stop_price")])
def test_a_leg_whose_price_is_given_no_longer_takes_it_from_its_entry(service: Service, name: str, price: str) -> None:
    service.put_template("one", (2, 10, 5))
    service.place("order-1", strategy_id="strategy-1", strategy="one")
    assert "offset" in service.plain()["legs"][name]
    value = "5005" if name == "TARGET1" else "4995"
    answer = change(service, name, strategy_id="strategy-1", **{price: value})
    assert (answer.word, answer.body["order_id"], answer.body[price]) == ("changed", f"order-1.{name}", value)
    leg = service.plain()["legs"][name]
    assert (leg[price], "offset" in leg) == (Decimal(value), False)
    service.report("Filled", 2)
    assert service.plain(f"order-1.{name}")[price] == Decimal(value)


@pytest.mark.parametrize("end", ["by itself", "with its entry", "with the day"])
def test_a_leg_that_has_ended_is_not_changed(service: Service, end: str) -> None:
    to_noon_in_new_york(service)
    have_bracket(service, tif="DAY")
    if end == "with the day":
        service.let_pass(SECONDS_TO_CLOSE)
    else:
        service.cancel("order-1.STOP1" if end == "by itself" else "order-1")
    answer = change(service, "order-1.STOP1", stop_price="4995")
    assert (answer.status, answer.word, answer.body["state"]) == (409, "order_already_terminal", "Cancelled")
    assert service.plain()["legs"]["STOP1"]["stop_price"] == 4990


# A leg that was released


@EACH_ONCE
@every_way_to_the_stop
@pytest.mark.parametrize("stop_price", ["4985", "5000.25", "5005"])
def test_a_released_stop_is_moved_to_break_even_and_beyond(
    service: Service, stop_price: str, way: dict[str, str]
) -> None:
    have_bracket(service, "Filled", 5)
    before, entry = service.plain("order-1.STOP1"), service.plain()
    answer = service.send("CHANGE", **way, stop_price=stop_price)
    assert (answer.word, answer.body["order_id"], answer.body["state"]) == ("changed", "order-1.STOP1", "Working")
    item = service.plain("order-1.STOP1")
    expected = with_event(before, service, answer, last_time(item), changes={"stop_price": answer.body["stop_price"]})
    assert without_digest(item) == expected | {"stop_price": Decimal(stop_price)}
    assert service.plain() == entry


def test_a_released_leg_beside_another_takes_a_look_and_a_transaction(service: Service) -> None:
    have_bracket(service, "Filled", 5)
    service.warm_up()
    change(service, "STOP1", strategy_id="strategy-1", stop_price="4995")
    assert service.network.operations == [READ, READ, UPDATE, READ, TRANSACTION]


def test_a_released_stop_is_not_moved_beyond_its_target(service: Service) -> None:
    have_bracket(service, "Filled", 5)
    before = service.belongings()
    answer = change(service, "STOP1", strategy_id="strategy-1", stop_price="5050")
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "stop_price")
    assert service.belongings() == before


@every_way_to_the_stop
def test_a_released_legs_quantity_is_lowered_with_a_warning_and_never_raised_above_what_is_filled(
    service: Service, way: dict[str, str]
) -> None:
    have_bracket(service, "PartFilled", 4)
    assert service.send("CHANGE", **way, qty=5).word == "invalid_value"
    answer = service.send("CHANGE", **way, qty=3)
    assert (answer.word, answer.body["qty"], warned(answer)) == ("changed", "3", ["unprotected_quantity"])
    assert service.plain("order-1.STOP1")["qty"] == 3
    assert service.plain("order-1.TARGET1")["qty"] == 4


def test_a_released_leg_that_was_lowered_is_raised_again_up_to_what_is_filled(service: Service) -> None:
    have_bracket(service, "PartFilled", 4)
    change(service, "order-1.STOP1", qty=2)
    answer = change(service, "order-1.STOP1", qty=4)
    assert (answer.word, answer.body["qty"], warned(answer)) == ("changed", "4", [])
    assert change(service, "order-1.STOP1", qty=5).word == "invalid_value"


def test_a_leg_that_is_released_just_before_its_change_arrives_is_changed_where_it_is_then(service: Service) -> None:
    have_bracket(service)
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.report("PartFilled", 2)))
    answer = change(service, "STOP1", strategy_id="strategy-1", stop_price="5001")
    assert (answer.word, answer.body["state"], answer.body["qty"]) == ("changed", "Working", "2")
    assert service.plain("order-1.STOP1")["stop_price"] == 5001


# Histories


@LONG
@pytest.mark.parametrize("order_id", ["order-1", "order-1.STOP1"])
@pytest.mark.parametrize("length", [1, 100, 158, 159, 198, 199, 200, 240])
def test_no_change_is_refused_for_the_length_of_a_history(service: Service, length: int, order_id: str) -> None:
    have_long_history(service, length)
    service.warm_up()
    fields = {"limit_price": "4999"} if order_id == "order-1" else {"stop_price": "4991"}
    assert change(service, order_id, **fields).word == "changed"
    writes = service.network.operations[1:]
    assert writes == ([UPDATE] if length < MAX_HISTORY - CANCELS_OF_A_TRADE else [UPDATE, UPDATE])
    item = service.plain()
    kept, dropped = item["history"], int(item.get("history_dropped", 0))
    assert len(kept) + dropped == length + 1
    assert KEPT_HISTORY < len(kept) <= MAX_HISTORY or not dropped
    assert kept[0]["request_id"] == "r0"
    assert [event["request_id"] for event in kept[1:-1]] == [f"r{number}" for number in range(dropped + 1, length)]
    assert kept[-1]["changes"] == fields
    assert service.cancel("order-1").word == "cancelled"
    assert len(service.plain()["history"]) <= MAX_HISTORY


@LONG
def test_a_stop_that_is_moved_without_end_stays_a_small_item(service: Service) -> None:
    have_long_history(service, 150)
    for number in range(12):
        alert = {"stop_price": "4991" if number % 2 else "4992"}
        assert change(service, "order-1.STOP1", **alert).word == "changed"
    item = service.plain()
    assert len(item["history"]) <= MAX_HISTORY
    assert item["history_dropped"] > 0
    assert len(item["history"]) + item["history_dropped"] == 150 + 12
    assert len(item["digests"]) == 2
    assert service.cancel("order-1.STOP1").word == "cancelled"
    assert service.cancel("order-1").word == "cancelled"


# Sent twice, lost, refused by the table


@every_way
def test_a_change_sent_twice_changes_nothing_more(service: Service, way: dict[str, str]) -> None:
    have_entry(service, "Working")
    first = service.send("CHANGE", **way, qty=7, limit_price="4999")
    second = service.send("CHANGE", **way, qty=7, limit_price="4999")
    assert (second.status, second.body) == (200, {**first.body, "duplicate": True})
    assert (service.plain()["qty"], service.plain()["limit_price"]) == (7, 4999)


@every_way
@pytest.mark.parametrize("state", ["Working", "PartFilled"])
def test_a_change_whose_answer_was_lost_recognises_its_own_write(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = have_entry(service, state)
    service.warm_up()
    service.network.inject(UPDATE, lose_response)
    answer = service.send("CHANGE", **way, qty=7)
    assert service.network.operations.count(UPDATE) == 2
    assert (answer.status, answer.word, answer.body["state"]) == (200, "changed", state)
    assert "duplicate" not in answer.body
    assert without_digest(service.plain()) == after_change(service, before, answer, qty="7")


@EACH_ONCE
@every_way_to_the_stop
@pytest.mark.parametrize("state", ["Working", "Filled"])
def test_a_change_of_a_leg_whose_answer_was_lost_recognises_its_own_write(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_bracket(service, state, FILLED.get(state, 0))
    service.warm_up()
    # Of a released leg the first write meets the entry, and finds that the leg is not there.
    service.network.inject(UPDATE, *([no_fault] if state == "Filled" else []), lose_response)
    answer = service.send("CHANGE", **way, stop_price="4995")
    assert (answer.status, answer.word, answer.body["stop_price"]) == (200, "changed", "4995")
    assert "duplicate" not in answer.body
    item = service.plain() if state == "Working" else service.plain("order-1.STOP1")
    assert len([event for event in item["history"] if event["request_id"] == answer.request_id]) == 1


def test_the_end_of_a_remainder_whose_answer_was_lost_recognises_its_own_write(service: Service) -> None:
    service.have_order("PartFilled", filled=2)
    service.warm_up()
    service.network.inject(UPDATE, no_fault, lose_response)
    answer = change(service, qty=2)
    assert (answer.status, answer.word, answer.body["state"]) == (200, "changed", "Filled")
    assert "duplicate" not in answer.body
    assert [event.get("state") for event in service.plain()["history"]].count("Filled") == 1


def test_a_change_that_was_lost_on_its_way_is_done_by_the_second_attempt(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, lose_request)
    assert "duplicate" not in change(service, qty=7).body
    assert service.plain()["qty"] == 7


def test_a_change_whose_answer_was_lost_does_not_undo_a_later_one(service: Service) -> None:
    service.place("order-1")
    service.warm_up()

    def overtake() -> None:
        assert service.orders.change(provenance(service.trader, "later"), "order-1", {"qty": 9}).applied

    service.network.inject(UPDATE, run_and_lose_response(overtake))
    answer = change(service, qty=7)
    assert (answer.word, "duplicate" in answer.body) == ("changed", False)
    item = service.plain()
    assert item["qty"] == 9
    assert [event["request_id"] for event in item["history"][1:]] == [answer.request_id, "later"]


@pytest.mark.parametrize("state", ["Cancelled", "Filled", "Rejected"])
def test_a_change_whose_answer_was_lost_was_done_even_if_the_order_is_finished_now(
    service: Service, state: str
) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, run_and_lose_response(lambda: service.report(state, 7 if state == "Filled" else 0)))
    answer = change(service, qty=7)
    assert (answer.status, answer.word, "duplicate" in answer.body) == (200, "changed", False)
    assert (service.state(), service.plain()["qty"]) == (state, 7)


def test_a_cancel_after_a_change_knows_the_state_before_it_if_its_answer_was_lost(service: Service) -> None:
    service.have_order("Accepted")
    change(service, qty=7)
    service.network.inject(UPDATE, lose_response)
    answer = service.cancel("order-1")
    assert (answer.word, answer.body["previous_state"]) == ("cancelled", "Accepted")


@every_fault
def test_a_change_that_the_table_does_not_take_is_sent_again_and_done_once(service: Service, fault: Fault) -> None:
    service.place("order-1")
    before = service.item()
    assert before is not None
    service.warm_up()
    service.network.always = in_writes(fault)
    answer = change(service, qty=7)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert service.item() == before or fault in LEAVING_DONE
    service.network.always = no_fault
    service.let_pass(5)
    again = change(service, qty=7)
    assert (again.word, "duplicate" in again.body) == ("changed", fault in LEAVING_DONE)
    assert (service.plain()["qty"], service.plain()["version"]) == (7, 2)


def test_of_two_changes_at_once_both_are_made(service: Service) -> None:
    have_long_history(service, 199)
    service.warm_up()

    def overtake() -> None:
        assert change(service, "order-1", qty=9).word == "changed"

    # The history is full, so that each is worked out and written under the version that it saw.
    service.network.inject(UPDATE, no_fault, run_before(overtake))
    assert change(service, limit_price="4999").word == "changed"
    assert (service.plain()["qty"], service.plain()["limit_price"]) == (9, 4999)


def test_a_change_that_others_overtake_again_and_again_is_to_be_sent_again(service: Service) -> None:
    have_long_history(service, 199)
    before = service.plain()
    service.warm_up()

    def overtake() -> None:
        service.table.client.update_item(
            TableName=service.table.name,
            Key={"pk": {"S": before["pk"]}, "sk": {"S": before["sk"]}},
            UpdateExpression="SET #version = #version + :one",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    service.network.inject(UPDATE, no_fault, *[run_before(overtake)] * 20)
    answer = change(service, limit_price="4999")
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert service.plain()["limit_price"] == before["limit_price"]


# Whose order, which strategy


def test_an_unknown_order_and_another_traders_look_the_same_to_a_change(service: Service) -> None:
    service.place("theirs", strategy_id="strategy-1", stop_loss=4990)
    before = service.belongings()
    mine = service.issue_key(trader="somebody-else")
    for order_id in ("theirs", "nobodys", "theirs.STOP1", "nobodys.STOP1"):
        answer = change(service, order_id, limit_price=7, key=mine)
        assert (answer.status, answer.body) == (404, not_found(order_id))
        answer = change(service, order_id, limit_price=7, strategy_id="strategy-1", key=mine)
        assert (answer.status, answer.body) == (404, not_found(order_id))
    assert change(service, "ENTRY1", qty=7, strategy_id="strategy-1", key=mine).word == "strategy_not_found"
    assert service.belongings() == before


@EACH_ONCE
@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"order_id": "order-1", "strategy_id": "strategy-2"}, "strategy_mismatch"),
        ({"order_id": "order-1.STOP1", "strategy_id": "strategy-2"}, "strategy_mismatch"),
        ({"order_id": "STOP1", "strategy_id": "strategy-2"}, "strategy_not_found"),
        ({"order_id": "STOP2", "strategy_id": "strategy-1"}, "order_not_found"),
        ({"order_id": "EXIT1", "strategy_id": "strategy-1"}, "order_not_found"),
        ({"order_id": "order-1.STOP2"}, "order_not_found"),
        ({"order_id": "STOP1"}, "strategy_id_required"),
        ({"order_id": "STOP01", "strategy_id": "strategy-1"}, "invalid_value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("state", ["Working", "Filled"])
def test_a_change_that_addresses_no_order_writes_nothing(
    service: Service, fields: dict[str, str], word: str, state: str
) -> None:
    have_bracket(service, state, FILLED.get(state, 0))
    before = service.belongings()
    assert service.send("CHANGE", **fields, stop_price=4995).word == word
    assert service.belongings() == before


@pytest.mark.parametrize("state", ["Filled", "Cancelled", "Working"])
def test_an_order_of_another_strategy_is_a_mismatch_whatever_its_state(service: Service, state: str) -> None:
    before = have_entry(service, state)
    assert change(service, strategy_id="strategy-2", qty=7).word == "strategy_mismatch"
    assert service.plain() == before


def test_a_refused_change_writes_nothing_anywhere(service: Service) -> None:
    assert change(service, "nobodys", qty=7).word == "order_not_found"
    assert change(service, "nobodys.STOP1", stop_price=7).word == "order_not_found"
    assert service.belongings() == []


# A name leads to the order that has it when the answer is given


@EACH_ONCE
@pytest.mark.parametrize(("name", "field"), [("ENTRY1", "limit_price"), ("STOP1", "stop_price")])
@pytest.mark.parametrize("end", ["Cancelled", "Filled", "Rejected", "Expired"])
def test_a_name_that_another_order_takes_before_the_change_arrives_is_read_once_more(
    service: Service, name: str, field: str, end: str
) -> None:
    have_bracket(service, end)
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: have_bracket_again(service)))
    new = {"limit_price": "5001", "stop_price": "4995"}[field]
    answer = service.send("CHANGE", order_id=name, strategy_id="strategy-1", **{field: new})
    changed_id = "order-2" if name == "ENTRY1" else "order-2.STOP1"
    assert (answer.status, answer.word, answer.body["order_id"]) == (200, "changed", changed_id)
    assert getattr(seen(service, changed_id), field) == Decimal(new)


def test_a_name_that_leads_to_the_same_finished_order_again_is_told_of_that(service: Service) -> None:
    have_bracket(service, "Filled", 5)
    service.cancel("STOP1", strategy_id="strategy-1")
    service.cancel("TARGET1", strategy_id="strategy-1")
    service.warm_up()
    answer = service.send("CHANGE", order_id="ENTRY1", strategy_id="strategy-1", qty=3)
    assert (answer.status, answer.word) == (409, "order_already_terminal")
    assert service.network.operations[-4:] == [READ, UPDATE, READ, QUERY]


# The one write, and the look at the item


@LONG
def test_the_one_write_makes_of_an_entry_what_a_look_at_its_item_makes_of_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = BothWays(service, monkeypatch, ("change", "change_leg"))

    @settings(max_examples=80, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.data(), entries(), new_values())
    def compare(data: Any, order: Order, new: Mapping[str, str]) -> None:
        assume(is_placeable(order))
        name = data.draw(st.sampled_from([None, None, "STOP1", *order.legs]))
        command, _ = parse_command(Change, {"order_id": f"order-1.{name}" if name else "order-1", **new})
        leg = data.draw(released_leg(order, name)) if name else None
        both.compare(command, order, *([leg] if leg else []))

    compare()
    assert both.written_at_once > 5
    assert both.written_by_version > 0
    assert both.refused > 20


@LONG
def test_a_change_that_was_written_is_a_success_whatever_prices_the_order_had(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = BothWays(service, monkeypatch, ("change", "change_leg"))

    @settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.data(), entries(), new_values())
    def try_at_once(data: Any, order: Order, new: Mapping[str, str]) -> None:
        assume(not is_placeable(order))
        name = data.draw(st.sampled_from([None, None, *order.legs]))
        command, _ = parse_command(Change, {"order_id": f"order-1.{name}" if name else "order-1", **new})
        leg = data.draw(released_leg(order, name)) if name else None
        both.try_at_once(command, order, *([leg] if leg else []))

    try_at_once()
    assert both.written_at_once > 5


@pytest.mark.parametrize("times", [1, 2])
def test_the_quantity_of_an_order_of_0_1_is_changed_though_its_stop_has_its_price(service: Service, times: int) -> None:
    placed = builders.provenance(service.trader, "r0")
    legs = {"STOP1": Leg("STOPMARKET", stop_price=Decimal("5000.25"))}
    order = builders.order(placed, "order-1", state=OrderState.WORKING, legs=legs)
    assert service.orders.put(placed, with_bounds(order)).applied
    answers = [change(service, qty=3) for _ in range(times)]
    assert [(answer.status, answer.word, answer.body["qty"]) for answer in answers] == [(200, "changed", "3")] * times


def test_a_change_is_as_old_as_its_receipt(service: Service) -> None:
    service.place("order-1")
    change(service, qty=7)
    event = service.plain()["history"][-1]
    assert event["received_at"] == event["at"]
    assert datetime.fromisoformat(event["at"]) > datetime.now(UTC) - timedelta(minutes=5)


def test_a_leg_of_an_entry_that_is_being_cancelled_can_still_be_moved(service: Service) -> None:
    have_bracket(service)
    bring_to(service, "order-1", "CancelPending")
    assert change(service, "order-1.STOP1", stop_price="4995").word == "changed"
    service.report("Filled", 5)
    assert service.plain("order-1.STOP1")["stop_price"] == 4995
