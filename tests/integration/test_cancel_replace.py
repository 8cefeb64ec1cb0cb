"""CANCELREPLACE: the same order in its next generation, its legs, and what the table holds before and after."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, reject, settings
from hypothesis import strategies as st

from orderhook import commands
from orderhook.commands import parse_command
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.errors import PayloadError
from orderhook.orders import CANCELS_OF_A_TRADE, KEPT_HISTORY, MAX_HISTORY
from tests.builders import ENTRY, WAYS, every_way, not_found, phrase, refused
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
    LEG_WAYS,
    READ,
    SECONDS_TO_CLOSE,
    TRANSACTION,
    UPDATE,
    BothWays,
    entries,
    every_way_to_the_stop,
    have_bracket,
    have_bracket_again,
    have_long_history,
    is_placeable,
    last_time,
    new_orders,
    operations,
    released_leg,
    seen,
    to_noon_in_new_york,
    with_event,
    without_digest,
)

STOP: Mapping[str, object] = {"action": "SELL", "order_type": "STOPMARKET", "limit_price": None, "stop_price": "4995"}
"""What a CANCELREPLACE of the stop says of it."""
TARGET: Mapping[str, object] = {"action": "SELL", "limit_price": "5020"}


def replace(service: Service, order_id: str = "order-1", /, **changes: object) -> Answer:
    """Send a CANCELREPLACE of the order by builders.ENTRY at another price."""
    return service.send("CANCELREPLACE", **{**ENTRY, "limit_price": "4995", "order_id": order_id, **changes})


def replace_by(service: Service, way: Mapping[str, str], **changes: object) -> Answer:
    return service.send("CANCELREPLACE", **{**ENTRY, "limit_price": "4995", **way, **changes})


def command(order_id: str, **changes: object) -> commands.Command:
    """Return what replace() sends as a command, to be run without the handler."""
    fields = {**ENTRY, "order_id": order_id, "limit_price": "4995", **changes}
    made, _ = parse_command(CancelReplace, {name: str(value) for name, value in fields.items()})
    return made


def have_entry(service: Service, state: str) -> Item:
    """Have order-1 be ENTRY1 of strategy-1, in this state and filled to match, and return its item."""
    service.have_strategy(state, "ENTRY1", filled=FILLED.get(state))
    return service.plain()


def warned(answer: Answer) -> list[str]:
    return [warning["code"] for warning in answer.body.get("warnings", [])]


def changes_of(**changes: object) -> dict[str, str]:
    """Return what the history says of a replacement by builders.ENTRY with these changes."""
    fields = {**ENTRY, "limit_price": "4995", **changes}
    stays = ("account", "instrument", "action")
    return {name: str(value) for name, value in fields.items() if value is not None and name not in stays}


# States


@EACH_ONCE
@every_way
@pytest.mark.parametrize("state", CANCELLABLE)
def test_an_open_order_is_replaced_in_its_own_item_and_keeps_id_name_and_strategy(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = have_entry(service, state)
    strategy = service.strategy()
    service.warm_up()
    answer = replace_by(service, way, limit_price="4995.50", qty=7, notes="lower")
    filled = FILLED.get(state, 0)
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "replaced",
            "order_id": "order-1",
            "strategy_id": "strategy-1",
            "order_name": "ENTRY1",
            "state": state,
            "filled": str(filled),
            "qty": "7",
            "limit_price": "4995.5",
            "remaining": str(7 - filled),
            "generation": 2,
        },
    )
    assert service.network.operations == [READ, *operations(way, UPDATE)], "the kill switch, and the one write"
    item = service.plain()
    changes = changes_of(limit_price="4995.5", qty="7")
    expected = with_event(before, service, answer, last_time(item), changes=changes)
    expected |= {"limit_price": Decimal("4995.5"), "qty": 7, "notes": "lower", "generation": 2}
    assert without_digest(item) == expected
    assert service.open_orders() == ["order-1"]
    assert service.strategy() == strategy
    assert [order.order_id for order in service.placed()] == ["order-1"]


@EACH_ONCE
@every_way
@pytest.mark.parametrize("state", NOT_CANCELLABLE)
def test_an_order_that_is_finished_or_being_cancelled_is_not_replaced(
    service: Service, state: str, way: dict[str, str]
) -> None:
    since = have_entry(service, state)["since"]
    before = service.belongings()
    answer = replace_by(service, way)
    sent = "ENTRY1" if way is WAYS["by name"] else "order-1"
    assert (answer.status, answer.word, answer.body["state"]) == (409, "order_already_terminal", state)
    assert answer.body["detail"].startswith(f"Order '{sent}' ended as {state} at {since}; ")
    assert answer.body["detail"].endswith(phrase(sent))
    assert service.belongings() == before


@every_way
def test_a_day_order_whose_day_is_over_is_not_replaced_and_the_alert_writes_its_end(
    service: Service, way: dict[str, str]
) -> None:
    to_noon_in_new_york(service)
    service.place("order-1", strategy_id="strategy-1", tif="DAY")
    ends = service.plain()["day_ends"]
    service.let_pass(SECONDS_TO_CLOSE)
    for _ in range(2):
        answer = replace_by(service, way)
        assert (answer.status, answer.word, answer.body["state"]) == (409, "order_already_terminal", "Expired")
        item = service.plain()
        assert (item["state"], item["since"], item["generation"], "open" in item) == ("Expired", ends, 1, False)


# What the order takes, and what stays


@pytest.mark.parametrize(
    ("order_type", "prices"),
    [
        ("MARKET", {}),
        ("LIMIT", {"limit_price": "4990.25"}),
        ("STOPMARKET", {"stop_price": "5001"}),
        ("STOPLIMIT", {"limit_price": "5002", "stop_price": "5001"}),
    ],
)
def test_an_order_takes_the_type_and_the_prices_that_place_would_give_it(
    service: Service, order_type: str, prices: dict[str, str]
) -> None:
    service.place("order-1")
    answer = replace(service, **{"limit_price": None, **prices}, order_type=order_type)
    item = service.plain()
    assert (answer.word, item["order_type"]) == ("replaced", order_type)
    assert {name: item[name] for name in ("limit_price", "stop_price") if name in item} == {
        name: Decimal(value) for name, value in prices.items()
    }
    assert {name: value for name, value in answer.body.items() if name.endswith("price")} == prices


@pytest.mark.parametrize(("before", "after"), [("GTC", "DAY"), ("DAY", "GTC"), ("DAY", "DAY")])
def test_the_day_of_a_replacement_is_that_of_its_own_receipt(service: Service, before: str, after: str) -> None:
    to_noon_in_new_york(service)
    service.let_pass(SECONDS_TO_CLOSE - 60)
    service.place("order-1", tif=before)
    if before == "GTC":
        service.let_pass(120)
    assert replace(service, tif=after).word == "replaced"
    item = service.plain()
    assert (item["tif"], "day_ends" in item, "expires" in item) == (after, after == "DAY", after == "DAY")
    if after == "DAY":
        ends = datetime.fromisoformat(item["day_ends"])
        hours = (ends - service.queue.now).total_seconds() / 3600
        assert hours == pytest.approx(24 if before == "GTC" else 0, abs=0.1)
        assert 8 < (int(item["expires"]) - ends.timestamp()) / 86400 < 10


def test_a_day_order_that_is_replaced_the_evening_before_works_on_and_one_that_is_not_ends(service: Service) -> None:
    to_noon_in_new_york(service)
    for order_id in ("order-1", "order-2"):
        service.place(order_id, tif="DAY")
    replace(service, tif="GTC")
    service.let_pass(SECONDS_TO_CLOSE)
    assert replace(service, tif="DAY").word == "replaced"
    assert replace(service, "order-2", tif="DAY").body["state"] == "Expired"
    service.let_pass(12 * 3600)
    assert service.cancel("order-1").word == "cancelled"


def test_group_and_remark_stay_unless_they_are_given(service: Service) -> None:
    service.place("order-1", oco_id="x", notes="first")
    replace(service)
    assert (service.plain()["oco_id"], service.plain()["notes"]) == ("x", "first")
    replace(service, oco_id="y", notes="second")
    assert (service.plain()["oco_id"], service.plain()["notes"]) == ("y", "second")


def test_the_time_limit_stays_unless_it_is_given(service: Service) -> None:
    first = service.place("order-1", cancel_after=5).body["cancels_at"]
    assert replace(service).body["cancels_at"] == first
    later = replace(service, limit_price="4994", cancel_after=10).body["cancels_at"]
    assert later > first
    service.pass_time(6 * 60)
    assert service.state() == "Working"
    service.pass_time(5 * 60 + 1)
    assert service.state() == "Cancelled"


def test_what_waits_for_its_delay_goes_on_waiting_and_is_placed_as_it_is_then(service: Service) -> None:
    service.place("order-1", delay=30, stop_loss=4980)
    due = service.plain()["due"]
    assert replace(service, limit_price="4980").word == "invalid_value"
    answer = replace(service, qty=7, stop_loss=4985, take_profit=5010)
    assert (answer.word, answer.body["state"], answer.body["generation"]) == ("replaced", "Initialized", 2)
    assert service.plain()["due"] == due
    service.pass_time(60)
    assert service.state() == "Working"
    assert [
        (leg.stop_price or leg.limit_price, leg.qty)
        for leg in (seen(service, "order-1.STOP1"), seen(service, "order-1.TARGET1"))
    ] == [
        (4985, 7),
        (5010, 7),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"account": "Sim102"}, "account"),
        ({"instrument": "NQ 12-26"}, "instrument"),
        ({"action": "SELL"}, "action"),
        ({"strategy": "large"}, "strategy"),
        ({"limit_price": None}, "limit_price"),
        ({"qty": None}, "qty"),
        ({"qty": 0}, "qty"),
        ({"stop_price": 5000}, "stop_price"),
        ({"take_profit": 4990, "stop_loss": 4991}, "take_profit"),
        ({"take_profit": 4995}, "limit_price"),
        ({"stop_loss": 4995}, "limit_price"),
        ({"stop_loss": 5000}, "limit_price"),
        ({"stop_loss_limit": 4991, "stop_loss_stop": 4990}, "stop_loss_limit"),
        ({"flatten_first": "true"}, "flatten_first"),
    ],
    ids=str,
)
def test_what_place_would_refuse_and_what_must_stay_is_refused(
    service: Service, changes: dict[str, object], field: str
) -> None:
    service.place("order-1")
    before = service.belongings()
    answer = replace(service, **changes)
    assert (answer.status, answer.body["field"]) == (400, field)
    assert service.belongings() == before


def test_another_spelling_of_the_account_and_the_instrument_is_the_orders(service: Service) -> None:
    service.place("order-1")
    assert replace(service, account="SIM101", instrument="es  12-26").word == "replaced"
    assert (service.plain()["account"], service.plain()["instrument"]) == ("Sim101", "ES 12-26")


def test_one_text_replaces_as_often_as_its_values_are_new(service: Service) -> None:
    service.place("order-1")
    for generation, price in enumerate(("4995", "4996", "4997", "4995"), 2):
        answer = replace(service, limit_price=price)
        assert (answer.word, answer.body["generation"], answer.body["limit_price"]) == ("replaced", generation, price)
        assert "duplicate" not in answer.body
        service.let_pass(60)
    assert service.cancel("order-1").word == "cancelled"
    assert service.open_orders() == []


@pytest.mark.parametrize(
    "fields",
    [{}, {"qty": "5.0", "limit_price": "5000.250"}, {"account": "sim101", "action": "buy"}],
    ids=str,
)
def test_values_that_the_order_has_already_are_a_duplicate_however_they_are_spelled(
    service: Service, fields: dict[str, object]
) -> None:
    service.place("order-1")
    answer = replace(service, **{"limit_price": "5000.25", **fields})
    assert (answer.status, answer.word, answer.body.get("duplicate")) == (200, "replaced", True)
    assert (answer.body["limit_price"], answer.body["generation"]) == ("5000.25", 1)
    assert service.plain()["generation"] == 1
    assert service.record_of(answer).duplicate


@pytest.mark.parametrize(
    "fields",
    [
        {"tif": "DAY"},
        {"oco_id": "x"},
        {"stop_loss": 4980},
        {"cancel_after": 5},
        {"order_type": "MARKET", "limit_price": None},
    ],
    ids=str,
)
def test_one_value_that_is_new_is_enough_to_replace(service: Service, fields: dict[str, object]) -> None:
    service.place("order-1")
    answer = replace(service, **{"limit_price": "5000.25", **fields})
    assert ("duplicate" in answer.body, answer.body["generation"]) == (False, 2)


def test_the_same_place_again_is_compared_with_what_the_order_was_placed_with(service: Service) -> None:
    service.place("order-1")
    replace(service)
    assert service.place("order-1").word == "already_placed"
    assert service.place("order-1", limit_price="4995").word == "duplicate_order_id"
    assert service.plain()["limit_price"] == 4995


# The quantity is the total, what is filled included


@pytest.mark.parametrize(
    ("qty", "state", "remaining"),
    [(1, "Cancelled", 0), (3, "Filled", 0), (4, "PartFilled", 1), (5, "PartFilled", 2), (8, "PartFilled", 5)],
)
def test_the_quantity_is_the_total_wanted_and_the_answer_tells_what_remains(
    service: Service, qty: int, state: str, remaining: int
) -> None:
    service.place("order-1")
    service.report("PartFilled", 3)
    answer = replace(service, qty=qty)
    assert (answer.status, answer.word, answer.body["state"]) == (200, "replaced", state)
    assert (answer.body["filled"], answer.body["remaining"]) == ("3", str(remaining))
    assert warned(answer) == (["filled_more"] if qty < 3 else [])
    item = service.plain()
    assert (item["state"], item["qty"], item["filled"], "open" in item) == (
        state,
        max(qty, 3),
        3,
        state == "PartFilled",
    )


def test_a_fill_that_comes_first_counts(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.report("PartFilled", 3)))
    assert replace(service).body["remaining"] == "2"
    service.network.inject(UPDATE, run_before(lambda: service.report("PartFilled", 5, request_id="more")))
    answer = replace(service, limit_price="4994")
    assert (answer.body["state"], answer.body["remaining"]) == ("Filled", "0")


def test_released_legs_keep_what_is_filled_and_waiting_ones_end_with_the_remainder(service: Service) -> None:
    service.put_template("two", (2, 10, 5), (3, 20, 8))
    service.place("order-1", strategy_id="strategy-1", strategy="two")
    service.report("PartFilled", 2)
    assert replace(service, qty=1).body["state"] == "Cancelled"
    assert [(seen(service, f"order-1.{name}").state) for name in ("STOP1", "STOP2")] == ["Working", "Cancelled"]
    assert service.plain("order-1.STOP1")["qty"] == 2
    assert service.plain()["expires"] > (service.queue.now + timedelta(days=399)).timestamp()


@pytest.mark.parametrize("by", ["replacement", "cancel"])
def test_an_entry_whose_legs_were_released_stays_in_the_table_as_long_as_they_may_live(
    service: Service, by: str
) -> None:
    have_bracket(service, "PartFilled", 2)
    replace(service, tif="DAY")
    if by == "cancel":
        service.cancel("order-1")
    assert service.plain()["expires"] > (service.queue.now + timedelta(days=399)).timestamp()


# An entry and its legs


def test_waiting_legs_follow_their_entry(service: Service) -> None:
    have_bracket(service)
    legs = service.plain()["legs"]
    assert replace(service, qty=2).word == "replaced"
    assert [seen(service, f"order-1.{name}").qty for name in ("STOP1", "TARGET1")] == [2, 2]
    assert service.plain()["legs"] == legs


@pytest.mark.parametrize("limit_price", ["4980", "4990", "5010", "5020"])
def test_an_entry_is_not_moved_beyond_its_legs_before_something_is_filled(service: Service, limit_price: str) -> None:
    have_bracket(service)
    before = service.belongings()
    answer = replace(service, limit_price=limit_price)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "limit_price")
    assert service.belongings() == before
    service.report("PartFilled", 1)
    assert replace(service, limit_price=limit_price).word == "replaced"


@pytest.mark.parametrize(
    ("given_legs", "after"),
    [
        ({"stop_loss": 4985}, {"STOP1": ("STOPMARKET", 4985, 2), "TARGET1": ("LIMIT", 5010, 1)}),
        ({"take_profit": 5020}, {"STOP1": ("STOPMARKET", 4990, 1), "TARGET1": ("LIMIT", 5020, 2)}),
        (
            {"stop_loss_limit": 4984, "stop_loss_stop": 4985},
            {"STOP1": ("STOPLIMIT", 4985, 2), "TARGET1": ("LIMIT", 5010, 1)},
        ),
        ({"stop_loss": 4985, "take_profit": 5020}, {"STOP1": ("STOPMARKET", 4985, 2), "TARGET1": ("LIMIT", 5020, 2)}),
    ],
    ids=str,
)
def test_only_the_kinds_of_legs_that_are_given_are_replaced_and_keep_id_and_name(
    service: Service, given_legs: dict[str, object], after: dict[str, tuple[str, int, int]]
) -> None:
    have_bracket(service)
    groups = {seen(service, f"order-1.{name}").oco_id for name in after}
    assert replace(service, **given_legs).word == "replaced"
    for name, (order_type, price, generation) in after.items():
        leg = seen(service, f"order-1.{name}")
        assert (leg.order_name, leg.order_type, leg.generation, leg.state) == (
            name,
            order_type,
            generation,
            "Initialized",
        )
        assert (leg.limit_price if name == "TARGET1" else leg.stop_price) == price
        assert {leg.oco_id} == groups
    assert service.cancel("STOP1", strategy_id="strategy-1").body["order_id"] == "order-1.STOP1"


def test_a_kind_of_leg_that_was_not_there_is_added_and_addressed_like_any(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", take_profit=5010)
    assert replace(service, stop_loss=4985).word == "replaced"
    stop, target = seen(service, "order-1.STOP1"), seen(service, "order-1.TARGET1")
    assert (stop.order_name, stop.stop_price, stop.qty) == ("STOP1", 4985, 5)
    assert stop.oco_id == target.oco_id is not None
    assert service.send("CHANGE", order_id="STOP1", strategy_id="strategy-1", stop_price=4986).word == "changed"
    service.report("Filled", 5)
    assert service.open_orders() == ["order-1.STOP1", "order-1.TARGET1"]


@pytest.mark.parametrize("given_legs", [{"stop_loss": 4985}, {"take_profit": 5020}], ids=str)
def test_once_that_kind_is_released_the_leg_itself_is_to_be_replaced(
    service: Service, given_legs: dict[str, object]
) -> None:
    have_bracket(service, "PartFilled", 2)
    before = service.belongings()
    answer = replace(service, **given_legs)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", next(iter(given_legs)))
    assert service.belongings() == before
    way, leg = ("STOP1", STOP) if "stop_loss" in given_legs else ("TARGET1", TARGET)
    assert replace(service, way, strategy_id="strategy-1", **leg, qty=2).word == "replaced"


def test_a_templates_legs_stay_and_what_they_do_not_reach_is_told(service: Service) -> None:
    service.put_template("two", (2, 10, 5), (3, 20, 8))
    service.place("order-1", strategy_id="strategy-1", strategy="two")
    assert warned(replace(service, qty=7)) == ["unprotected_quantity"]
    assert warned(replace(service, qty=4)) == []
    assert [seen(service, f"order-1.STOP{number}").qty for number in (1, 2)] == [2, 2]


# A leg that waits


@LONG
@every_way_to_the_stop
@pytest.mark.parametrize("state", CANCELLABLE)
def test_a_waiting_leg_is_replaced_inside_its_entrys_item_and_goes_on_waiting(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_bracket(service, state if state != "PartFilled" else "Working")
    before = service.plain()
    service.warm_up()
    answer = replace_by(service, way, **STOP, tif="DAY")
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "replaced",
            "order_id": "order-1.STOP1",
            "strategy_id": "strategy-1",
            "order_name": "STOP1",
            "state": "Initialized",
            "filled": "0",
            "qty": "5",
            "stop_price": "4995",
            "remaining": "5",
            "generation": 2,
            "warnings": [
                {
                    "code": "ignored_field",
                    "field": "tif",
                    "detail": "A target or stop stays GTC.",
                }
            ],
        },
    )
    assert service.network.operations == [READ, *operations(way, UPDATE)]
    item = service.plain()
    changes = changes_of(**STOP, tif="DAY")
    expected = with_event(before, service, answer, last_time(item), leg="STOP1", changes=changes)
    stop = {**before["legs"]["STOP1"], "stop_price": 4995, "generation": 2}
    expected |= {"legs": {**before["legs"], "STOP1": stop}, "nearest_stop": 4995}
    assert without_digest(item) == expected
    leg = seen(service, "order-1.STOP1")
    assert (leg.tif, leg.oco_id, leg.day_ends) == ("GTC", seen(service, "order-1.TARGET1").oco_id, None)


@EACH_ONCE
@every_way_to_the_stop
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"qty": 4}, "qty"),
        ({"qty": 6}, "qty"),
        ({"action": "BUY"}, "action"),
        ({"account": "Sim102"}, "account"),
        ({"instrument": "NQ 12-26"}, "instrument"),
        ({"order_type": "LIMIT", "limit_price": 5005, "stop_price": None}, "order_type"),
        ({"order_type": "MARKET", "stop_price": None}, "order_type"),
        ({"take_profit": 4000}, "take_profit"),
        ({"stop_price": "5000.25"}, "stop_price"),
        ({"stop_price": 5010}, "stop_price"),
        ({"order_type": "STOPLIMIT", "limit_price": 4996}, "stop_price"),
    ],
    ids=str,
)
def test_what_a_waiting_leg_cannot_become_is_refused(
    service: Service, changes: dict[str, object], field: str, way: dict[str, str]
) -> None:
    have_bracket(service)
    before = service.belongings()
    answer = replace_by(service, way, **{**STOP, **changes})
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", field)
    assert service.belongings() == before


def test_a_waiting_leg_keeps_its_kind_and_may_be_of_either_type(service: Service) -> None:
    have_bracket(service)
    answer = replace(service, "order-1.STOP1", **{**STOP, "order_type": "STOPLIMIT", "limit_price": 4994})
    assert (answer.word, answer.body["limit_price"], answer.body["stop_price"]) == ("replaced", "4994", "4995")
    assert replace(service, "order-1.STOP1", **STOP).body["generation"] == 3
    assert seen(service, "order-1.STOP1").limit_price is None
    answer = replace(
        service, "order-1.TARGET1", **{**TARGET, "order_type": "STOPMARKET", "limit_price": None, "stop_price": 5020}
    )
    assert (answer.status, answer.body["field"]) == (400, "order_type")
    assert replace(service, "order-1.TARGET1", **TARGET).body["limit_price"] == "5020"


@pytest.mark.parametrize("field", ["cancel_after", "oco_id"])
def test_a_waiting_leg_takes_a_group_and_a_time_limit_or_says_that_it_does_not(service: Service, field: str) -> None:
    have_bracket(service)
    answer = replace(service, "order-1.STOP1", **STOP, **{field: 5 if field == "cancel_after" else "x"})
    if answer.status == 400:
        assert answer.body["field"] == field
    elif field == "oco_id":
        assert seen(service, "order-1.STOP1").oco_id == "x"
    else:
        service.pass_time(6 * 60)
        assert (answer.word, seen(service, "order-1.STOP1").state) == ("replaced", "Cancelled")


def test_the_qty_of_a_templates_leg_is_its_share(service: Service) -> None:
    service.put_template("two", (2, 10, 5), (3, 20, 8))
    service.place("order-1", strategy_id="strategy-1", strategy="two", qty=4)
    assert replace(service, "STOP2", strategy_id="strategy-1", **STOP, qty=3).body["field"] == "qty"
    assert replace(service, "STOP2", strategy_id="strategy-1", **STOP, qty=2).body["qty"] == "2"
    assert (seen(service, "order-1.STOP2").stop_price, seen(service, "order-1.STOP1").stop_price) == (4995, None)


@pytest.mark.parametrize("end", ["by itself", "with its entry"])
def test_a_leg_that_has_ended_is_not_replaced_by_itself(service: Service, end: str) -> None:
    have_bracket(service)
    service.cancel("order-1.STOP1" if end == "by itself" else "order-1")
    before = service.belongings()
    answer = replace(service, "order-1.STOP1", **STOP)
    assert (answer.status, answer.word, answer.body["state"]) == (409, "order_already_terminal", "Cancelled")
    assert service.belongings() == before


# A leg that was released


@EACH_ONCE
@every_way_to_the_stop
@pytest.mark.parametrize("stop_price", ["4985", "5000.25", "5005"])
def test_a_released_leg_is_replaced_in_its_own_item_and_its_entrys_stays(
    service: Service, stop_price: str, way: dict[str, str]
) -> None:
    have_bracket(service, "Filled", 5)
    before, entry = service.plain("order-1.STOP1"), service.plain()
    service.warm_up()
    answer = replace_by(service, way, **{**STOP, "stop_price": stop_price}, tif="DAY")
    assert (answer.word, answer.body["state"], answer.body["generation"]) == ("replaced", "Working", 2)
    assert service.network.operations == [READ, *operations(way, UPDATE, READ, TRANSACTION)]
    item = service.plain("order-1.STOP1")
    assert {name: value for name, value in item.items() if before.get(name) != value} == {
        "stop_price": Decimal(stop_price),
        "generation": 2,
        "version": before["version"] + 1,
        "request_id": answer.request_id,
        "history": item["history"],
        "digests": item["digests"],
    }
    assert (item["tif"], "day_ends" in item, "expires" in item) == ("GTC", False, False)
    assert service.plain() == entry


@EACH_ONCE
@every_way_to_the_stop
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"qty": 6}, "qty"),
        ({"action": "BUY"}, "action"),
        ({"order_type": "LIMIT", "limit_price": 5005, "stop_price": None}, "order_type"),
        ({"take_profit": 4000}, "take_profit"),
    ],
    ids=str,
)
def test_what_a_released_leg_cannot_become_is_refused(
    service: Service, changes: dict[str, object], field: str, way: dict[str, str]
) -> None:
    have_bracket(service, "Filled", 5)
    before = service.belongings()
    answer = replace_by(service, way, **{**STOP, **changes})
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", field)
    assert service.belongings() == before


def test_a_released_legs_quantity_is_lowered_with_a_warning(service: Service) -> None:
    have_bracket(service, "Filled", 5)
    answer = replace(service, "STOP1", strategy_id="strategy-1", **STOP, qty=3)
    assert (answer.word, answer.body["qty"], warned(answer)) == ("replaced", "3", ["unprotected_quantity"])


# Histories


@LONG
@pytest.mark.parametrize("order_id", ["order-1", "order-1.STOP1"])
@pytest.mark.parametrize("length", [1, 158, 159, 198, 199, 200, 240])
def test_no_replacement_is_refused_for_the_length_of_a_history(service: Service, length: int, order_id: str) -> None:
    have_long_history(service, length)
    service.warm_up()
    assert replace(service, order_id, **(STOP if order_id != "order-1" else {})).word == "replaced"
    writes = service.network.operations[1:]
    assert writes == ([UPDATE] if length < MAX_HISTORY - CANCELS_OF_A_TRADE else [UPDATE, UPDATE])
    item = service.plain()
    kept, dropped = item["history"], int(item.get("history_dropped", 0))
    assert len(kept) + dropped == length + 1
    assert KEPT_HISTORY < len(kept) <= MAX_HISTORY or not dropped
    assert kept[0]["request_id"] == "r0"
    assert [event["request_id"] for event in kept[1:-1]] == [f"r{number}" for number in range(dropped + 1, length)]


@LONG
def test_an_entry_that_is_trailed_by_one_text_without_end_stays_a_small_item(service: Service) -> None:
    have_long_history(service, 150)
    for number in range(12):
        assert replace(service, limit_price=4995 + number % 3).word == "replaced"
    item = service.plain()
    assert len(item["history"]) <= MAX_HISTORY
    assert item["history_dropped"] > 0
    assert len(item["history"]) + item["history_dropped"] == 150 + 12
    assert (item["generation"], len(item["digests"])) == (13, 3)
    assert service.cancel("order-1").word == "cancelled"


# Sent twice, lost, refused by the table


@EACH_ONCE
@every_way
@pytest.mark.parametrize("state", ["Working", "PartFilled"])
def test_a_replacement_whose_answer_was_lost_recognises_its_own_write(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_entry(service, state)
    service.warm_up()
    service.network.inject(UPDATE, lose_response)
    answer = replace_by(service, way)
    assert service.network.operations.count(UPDATE) == 2
    assert (answer.status, answer.word, answer.body["state"]) == (200, "replaced", state)
    assert (answer.body["generation"], "duplicate" in answer.body) == (2, False)
    item = service.plain()
    assert (item["generation"], item["version"], item["limit_price"]) == (2, len(item["history"]), 4995)


@EACH_ONCE
@pytest.mark.parametrize("way", LEG_WAYS.values(), ids=list(LEG_WAYS))
@pytest.mark.parametrize("state", ["Working", "Filled"])
def test_a_replacement_of_a_leg_whose_answer_was_lost_recognises_its_own_write(
    service: Service, state: str, way: dict[str, str]
) -> None:
    have_bracket(service, state, FILLED.get(state, 0))
    service.warm_up()
    # Of a released leg the first write meets the entry, and finds that the leg is not there.
    service.network.inject(UPDATE, *([no_fault] if state == "Filled" else []), lose_response)
    answer = replace_by(service, way, **STOP)
    assert (answer.status, answer.word, answer.body["generation"]) == (200, "replaced", 2)
    assert "duplicate" not in answer.body
    assert (seen(service, "order-1.STOP1").generation, seen(service, "order-1.STOP1").stop_price) == (2, 4995)


def test_a_replacement_by_version_whose_answer_was_lost_recognises_its_own_write(service: Service) -> None:
    have_bracket(service)
    service.warm_up()
    service.network.inject(UPDATE, lose_response)
    answer = replace(service, stop_loss=4985)
    assert (answer.word, answer.body["generation"], "duplicate" in answer.body) == ("replaced", 2, False)
    assert (service.plain()["generation"], seen(service, "order-1.STOP1").generation) == (2, 2)


def test_a_replacement_whose_answer_was_lost_was_done_even_if_cancelled_since(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, run_and_lose_response(service.cancel_elsewhere))
    answer = replace(service)
    assert (answer.word, "duplicate" in answer.body) == ("replaced", False)
    assert (service.state(), service.plain()["limit_price"]) == ("Cancelled", 4995)


def test_a_replacement_that_was_lost_on_its_way_is_done_by_the_second_attempt(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, lose_request)
    assert "duplicate" not in replace(service).body
    assert service.plain()["limit_price"] == 4995


@EACH_ONCE
@every_fault
@pytest.mark.parametrize("order_id", ["order-1", "order-1.STOP1"])
def test_a_replacement_that_the_table_does_not_take_is_sent_again_and_done_once(
    service: Service, fault: Fault, order_id: str
) -> None:
    have_bracket(service)
    before = service.belongings()
    fields = STOP if order_id != "order-1" else {}
    service.warm_up()
    service.network.always = in_writes(fault)
    answer = replace(service, order_id, **fields)
    assert (answer.status, answer.word, answer.headers["Retry-After"]) == (503, "temporarily_unavailable", "5")
    assert service.belongings() == before or fault in LEAVING_DONE
    service.network.always = no_fault
    service.let_pass(5)
    again = replace(service, order_id, **fields)
    assert (again.word, again.body["generation"]) == ("replaced", 2)
    assert ("duplicate" in again.body) is (fault in LEAVING_DONE)
    assert seen(service, order_id).generation == 2


# At the same moment


def test_an_order_that_is_cancelled_first_is_not_replaced(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, run_before(service.cancel_elsewhere))
    assert replace(service).word == "order_already_terminal"
    assert (service.state(), service.plain()["generation"]) == ("Cancelled", 1)


@EACH_ONCE
@pytest.mark.parametrize(("stop_loss", "write"), [(None, UPDATE), (4985, TRANSACTION)], ids=["at once", "by version"])
@pytest.mark.parametrize(("state", "filled"), [("Filled", 5), ("CancelPending", 0), ("Rejected", 0)])
def test_an_order_that_the_venue_reports_as_finished_first_is_not_replaced(
    service: Service, state: str, filled: int, stop_loss: int | None, write: str
) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(write, run_before(lambda: service.report(state, filled)))
    answer = replace(service, stop_loss=stop_loss)
    assert (answer.word, answer.body["state"]) == ("order_already_terminal", state)
    assert (service.state(), service.plain()["generation"]) == (state, 1)


def test_of_two_different_replacements_at_once_the_later_stands(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    other = command("order-1", limit_price="4980", qty=9)
    service.network.inject(UPDATE, run_before(lambda: service.run(other, "first")))
    answer = replace(service)
    assert (answer.word, answer.body["generation"]) == ("replaced", 3)
    assert (service.plain()["limit_price"], service.plain()["qty"]) == (4995, 5)


def test_a_leg_that_is_released_just_before_its_replacement_arrives_is_replaced_where_it_is_then(
    service: Service,
) -> None:
    have_bracket(service)
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.report("Filled", 5)))
    answer = replace(service, "STOP1", strategy_id="strategy-1", **STOP)
    assert (answer.word, answer.body["state"]) == ("replaced", "Working")
    assert (service.plain("order-1.STOP1")["stop_price"], service.plain("order-1.STOP1")["generation"]) == (4995, 2)


def test_no_replacement_opens_an_order_that_was_not_there(service: Service) -> None:
    service.place("order-1")
    service.cancel("order-1")
    before = service.belongings()
    for order_id in ("order-1", "order-1:2", "nobodys", "order-1.STOP1", "nobodys.STOP1"):
        assert replace(service, order_id).status in (404, 409)
    assert service.belongings() == before


# Names and ids


@pytest.mark.parametrize("order_id", ["x" * 62, "x" * 63, "x" * 64, "x" * 62 + ":9", "es-09:30"])
def test_every_id_can_be_replaced_and_stays(service: Service, order_id: str) -> None:
    service.place(order_id, stop_loss=4980)
    assert replace(service, order_id).body["order_id"] == order_id
    assert replace(service, f"{order_id}.STOP1", **STOP, qty=5).body["field"] == "stop_price"
    assert service.cancel(order_id).word == "cancelled"


def test_a_strategy_id_is_a_check_and_starts_none(service: Service) -> None:
    service.place("order-1")
    before = service.belongings()
    assert replace(service, strategy_id="strategy-1").word == "strategy_mismatch"
    assert service.belongings() == before


@EACH_ONCE
@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"order_id": "order-1", "strategy_id": "strategy-2"}, "strategy_mismatch"),
        ({"order_id": "order-1.STOP1", "strategy_id": "strategy-2", **STOP}, "strategy_mismatch"),
        ({"order_id": "STOP1", "strategy_id": "strategy-2"}, "strategy_not_found"),
        ({"order_id": "STOP2", "strategy_id": "strategy-1"}, "order_not_found"),
        ({"order_id": "ENTRY2", "strategy_id": "strategy-1"}, "order_not_found"),
        ({"order_id": "STOP1"}, "strategy_id_required"),
        ({"order_id": "STOP01", "strategy_id": "strategy-1"}, "invalid_value"),
        ({"order_id": "nobodys"}, "order_not_found"),
        ({"order_id": "order-1.TARGET2"}, "order_not_found"),
        ({"order_id": None}, "missing_field"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("state", ["Working", "PartFilled"])
def test_an_alert_that_addresses_no_order_changes_nothing(
    service: Service, fields: dict[str, object], word: str, state: str
) -> None:
    have_bracket(service, state, FILLED.get(state, 0))
    before = service.belongings()
    assert service.send("CANCELREPLACE", **{**ENTRY, **fields}).word == word
    assert service.belongings() == before


def test_an_unknown_order_and_another_traders_look_the_same_to_a_replacement(service: Service) -> None:
    service.place("theirs", take_profit=5010)
    before = service.belongings()
    mine = service.issue_key(trader=f"{service.trader}-not")
    for order_id in ("theirs", "nobodys", "theirs.TARGET1"):
        for fields in ({}, {"strategy_id": "strategy-1"}, {"take_profit": 5020}):
            answer = replace(service, order_id, key=mine, **fields)
            assert (answer.status, answer.body) == (404, not_found(order_id))
    assert service.belongings() == before
    assert service.placed(f"{service.trader}-not") == []


def test_an_old_name_does_not_reach_an_order_that_has_taken_the_id_since(service: Service) -> None:
    have_entry(service, "Filled")
    service.remove("order-1")
    service.have_order("Working", account="Sim102")
    before = service.belongings()
    assert replace(service, "ENTRY1", strategy_id="strategy-1").word == "strategy_mismatch"
    assert service.belongings() == before


def test_an_alert_in_json_is_read_the_same(service: Service) -> None:
    service.place("order-1")
    body = json.dumps({"key": service.key, "command": "cancelreplace", "order_id": "order-1", **ENTRY, "qty": 3})
    assert service.post(body).body["qty"] == "3"
    assert replace(service, qty="3").word == "replaced"


def test_the_refusal_of_another_market_says_which_it_is(service: Service) -> None:
    service.place("order-1")
    answer = replace(service, account="Sim102")
    assert answer.body == refused(
        "invalid_value",
        "Order order-1 has account=Sim101, and a replacement keeps it; give that, or place another order.",
        field="account",
    )


# A name leads to the order that has it when the answer is given


@pytest.mark.parametrize("end", ["Cancelled", "Filled", "Rejected", "Expired"])
def test_a_name_that_another_order_takes_before_the_replacement_arrives_is_read_once_more(
    service: Service, end: str
) -> None:
    have_bracket(service, end)
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: have_bracket_again(service)))
    answer = replace(service, "ENTRY1", strategy_id="strategy-1", limit_price=5001, cancel_after=5)
    assert (answer.status, answer.word, answer.body["order_id"]) == (200, "replaced", "order-2")
    assert seen(service, "order-2").limit_price == 5001
    service.pass_time(5 * 60 + 1)
    assert seen(service, "order-2").state == "Cancelled", "its end is scheduled, not that of the order before"


# The one write, and the look at the item


@LONG
def test_the_one_write_makes_of_an_order_what_a_look_at_its_item_makes_of_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = BothWays(service, monkeypatch, ("replace", "replace_leg"))

    @settings(max_examples=80, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.data())
    def compare(data: Any) -> None:
        order = data.draw(entries())
        name = data.draw(st.sampled_from([None, None, *order.legs]))
        fields = data.draw(new_orders(order, order.legs[name] if name else None))
        assume(is_placeable(order))
        try:
            made, _ = parse_command(CancelReplace, {"order_id": f"order-1.{name}" if name else "order-1", **fields})
        except PayloadError:
            reject()
        leg = data.draw(released_leg(order, name)) if name else None
        both.compare(made, order, *([leg] if leg else []))

    compare()
    assert both.written_at_once > 5
    assert both.written_by_version > 0
    assert both.refused > 20


@LONG
def test_a_replacement_that_was_written_is_a_success_whatever_prices_the_order_had(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = BothWays(service, monkeypatch, ("replace", "replace_leg"))

    @settings(max_examples=120, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.data())
    def try_at_once(data: Any) -> None:
        order = data.draw(entries())
        name = data.draw(st.sampled_from([None, None, *order.legs]))
        fields = data.draw(new_orders(order, order.legs[name] if name else None))
        assume(not is_placeable(order))
        try:
            made, _ = parse_command(CancelReplace, {"order_id": f"order-1.{name}" if name else "order-1", **fields})
        except PayloadError:
            reject()
        leg = data.draw(released_leg(order, name)) if name else None
        both.try_at_once(made, order, *([leg] if leg else []))

    try_at_once()
    assert both.written_at_once > 5
