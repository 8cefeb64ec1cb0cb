"""CHANGE: every state by every way of naming the order, every value, and what the table holds before and after."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from orderhook.store.table import deserialize
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
from tests.output import Answer
from tests.service import FILLED, Service
from tests.states import CANCELLABLE, NOT_CANCELLABLE
from tests.tables import Item

PRICES_OF = {
    "MARKET": [],
    "LIMIT": ["limit_price"],
    "STOPMARKET": ["stop_price"],
    "STOPLIMIT": ["limit_price", "stop_price"],
}


def change(service: Service, order_id: str = "order-1", /, **fields: object) -> Answer:
    return service.send("CHANGE", order_id=order_id, **fields)


def after_change(service: Service, before: Item, request_id: str, at: str, **changes: str) -> Item:
    """Return an order's item in plain values, with all that a change adds to it."""
    found = deserialize(before)
    event = {"at": at, "request_id": request_id, "key_id": service.key.split("_")[1], "changes": changes}
    return (
        found
        | {name: Decimal(value) for name, value in changes.items()}
        | {
            "version": found["version"] + 1,
            "request_id": request_id,
            "changed_by": [*found.get("changed_by", []), request_id],
            "history": [*found["history"], event],
        }
    )


def last_time(service: Service, order_id: str = "order-1") -> str:
    at: str = service.plain(order_id)["history"][-1]["at"]
    return at


def place_of_type(service: Service, order_type: str) -> Item:
    prices = {name: Decimal(5000) for name in PRICES_OF[order_type]}
    fields: dict[str, Any] = {"limit_price": None, **prices, "order_type": order_type}
    service.have_order("Working", **fields)
    item = service.item()
    assert item is not None
    return item


# States


@every_way
@pytest.mark.parametrize("state", CANCELLABLE)
def test_an_open_order_is_changed_and_nothing_else_of_it_changes(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = service.have_stop(state)
    began = datetime.now(UTC)
    answer = service.send("CHANGE", **way, qty=7, limit_price="4999.50")
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "changed",
            "order_id": "order-1",
            "strategy_id": "strategy-1",
            "order_name": "STOP1",
            "state": state,
            "filled": str(FILLED.get(state, 0)),
            "qty": "7",
            "limit_price": "4999.5",
        },
    )
    at = last_time(service)
    assert f"{began:%Y-%m-%dT%H:%M:%S.%fZ}" <= at <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert service.plain() == after_change(service, before, answer.request_id, at, qty="7", limit_price="4999.5")
    assert service.open_orders() == ["order-1"]


@every_way
@pytest.mark.parametrize("state", NOT_CANCELLABLE)
def test_an_order_that_is_finished_or_being_cancelled_is_not_changed(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = service.have_stop(state)
    answer = service.send("CHANGE", **way, qty=7)
    sent = "STOP1" if way is WAYS["by name"] else "order-1"
    assert (answer.status, answer.body) == (
        409,
        refused(
            "order_already_terminal",
            f"Order '{sent}' is {state} since {before['since']['S']}; it cannot be changed any more. {phrase(sent)}",
            field="order_id",
            state=state,
        ),
    )
    assert service.item() == before


# Values


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"qty": 7}, {"qty": "7"}),
        ({"qty": 7, "limit_price": 0}, {"qty": "7"}),
        ({"qty": "7.0", "limit_price": "", "stop_price": "0.00"}, {"qty": "7"}),
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
    before = service.item()
    assert before is not None
    answer = change(service, **fields)
    assert answer.word == "changed"
    expected = {"qty": "5", "limit_price": "5000.25"} | changes
    assert {name: answer.body[name] for name in expected} == expected
    assert service.plain() == after_change(service, before, answer.request_id, last_time(service), **changes)


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


@pytest.mark.parametrize("qty", [2, 3, 9])
def test_a_part_filled_order_can_be_reduced_to_what_is_filled(service: Service, qty: int) -> None:
    service.have_order("PartFilled", filled=2)
    answer = change(service, qty=qty)
    assert (answer.word, answer.body["qty"], answer.body["filled"]) == ("changed", str(qty), "2")
    assert (service.plain()["qty"], service.plain()["filled"]) == (qty, 2)
    again = change(service, qty=qty)
    assert (again.word, again.body["duplicate"]) == ("changed", True)


def test_the_answer_also_has_the_values_that_stay(service: Service) -> None:
    place_of_type(service, "STOPLIMIT")
    body = change(service, qty=7).body
    assert (body["qty"], body["limit_price"], body["stop_price"]) == ("7", "5000", "5000")


@pytest.mark.parametrize("more", [{}, {"limit_price": "4999"}], ids=["quantity alone", "with a price"])
def test_a_part_filled_order_cannot_be_reduced_below_what_is_filled(service: Service, more: dict[str, str]) -> None:
    service.have_order("PartFilled", filled=2)
    before = service.item()
    answer = change(service, qty=1, **more)
    assert (answer.status, answer.body) == (
        400,
        refused(
            "invalid_value",
            "Order order-1 has 2 filled already; qty cannot go below that.",
            field="qty",
            state="PartFilled",
        ),
    )
    assert service.item() == before


def test_a_fill_that_comes_first_forbids_a_quantity_below_it(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.inject("UpdateItem", run_before(lambda: service.report("PartFilled", 4)))
    assert change(service, qty=3).word == "invalid_value"
    assert (service.plain()["qty"], service.plain()["filled"]) == (5, 4)


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
    assert service.item() == before


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
def test_values_that_the_order_has_already_write_nothing_however_they_are_spelled(
    service: Service, fields: dict[str, object]
) -> None:
    service.place("order-1")
    before = service.item()
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
        },
    )
    assert service.item() == before
    assert service.record_of(answer).duplicate


def test_one_new_value_of_two_is_enough(service: Service) -> None:
    service.place("order-1")
    answer = change(service, qty=5, limit_price="4999")
    assert "duplicate" not in answer.body
    assert service.plain()["limit_price"] == 4999


@pytest.mark.parametrize(("name", "price"), [("TARGET1", "limit_price"), ("STOP1", "stop_price")])
def test_a_leg_whose_price_is_given_no_longer_takes_it_from_its_entry(service: Service, name: str, price: str) -> None:
    service.put_template("one", (2, 10, 5))
    leg = service.place("order-1", strategy_id="strategy-1", strategy="one").body["legs"][name]
    assert change(service, name, strategy_id="strategy-1", qty=3).word == "changed"
    assert (service.plain(leg)["qty"], "offset" in service.plain(leg)) == (3, True)
    answer = change(service, name, strategy_id="strategy-1", **{price: "5005"})
    assert (answer.word, answer.body["order_id"], answer.body[price]) == ("changed", leg, "5005")
    item = service.plain(leg)
    assert (item[price], "offset" in item) == (5005, False)
    again = change(service, name, strategy_id="strategy-1", **{price: "5005.0"})
    assert again.body["duplicate"] is True


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


# Sent twice, lost, refused by the table


@every_way
def test_a_change_sent_twice_writes_once(service: Service, way: dict[str, str]) -> None:
    service.have_stop("Working")
    first = service.send("CHANGE", **way, qty=7, limit_price="4999")
    before = service.item()
    second = service.send("CHANGE", **way, qty=7, limit_price="4999")
    assert (second.status, second.body) == (200, {**first.body, "duplicate": True})
    assert service.item() == before


@every_way
@pytest.mark.parametrize("state", ["Working", "PartFilled"])
def test_a_change_whose_answer_was_lost_recognises_its_own_write(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = service.have_stop(state)
    service.warm_up()
    service.network.inject("UpdateItem", lose_response)
    answer = service.send("CHANGE", **way, qty=7)
    assert service.network.operations.count("UpdateItem") == 2
    assert (answer.status, answer.word, answer.body["state"]) == (200, "changed", state)
    assert "duplicate" not in answer.body
    assert service.plain() == after_change(service, before, answer.request_id, last_time(service), qty="7")


def test_a_change_that_was_lost_on_its_way_is_done_by_the_second_attempt(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("UpdateItem", lose_request)
    assert "duplicate" not in change(service, qty=7).body
    assert service.plain()["qty"] == 7


def test_a_change_whose_answer_was_lost_does_not_undo_a_later_one(service: Service) -> None:
    service.place("order-1")
    service.warm_up()

    def overtake() -> None:
        assert service.orders.change(provenance(service.trader, "later"), "order-1", {"qty": 9}).applied

    service.network.inject("UpdateItem", run_and_lose_response(overtake))
    answer = change(service, qty=7)
    assert (answer.word, answer.body["qty"]) == ("changed", "7")
    item = service.plain()
    assert item["qty"] == 9
    assert [event["request_id"] for event in item["history"][1:]] == [answer.request_id, "later"]


@pytest.mark.parametrize("state", ["Cancelled", "Filled", "Rejected"])
def test_a_change_whose_answer_was_lost_was_done_even_if_the_order_is_finished_now(
    service: Service, state: str
) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("UpdateItem", run_and_lose_response(lambda: service.report(state)))
    answer = change(service, qty=7)
    assert (answer.status, answer.word, answer.body["state"]) == (200, "changed", "Working")
    assert (service.state(), service.plain()["qty"]) == (state, 7)


def test_a_cancel_after_a_change_knows_the_state_before_it_if_its_answer_was_lost(service: Service) -> None:
    service.have_order("Accepted")
    change(service, qty=7)
    service.network.inject("UpdateItem", lose_response)
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
    again = change(service, qty=7)
    assert (again.word, "duplicate" in again.body) == ("changed", fault in LEAVING_DONE)
    assert (service.plain()["qty"], service.plain()["version"]) == (7, 2)


# Whose order, which strategy


def test_an_unknown_order_and_another_traders_look_the_same_to_a_change(service: Service) -> None:
    service.place("theirs", strategy_id="strategy-1")
    before = service.belongings()
    mine = service.issue_key(trader="somebody-else")
    for order_id in ("theirs", "nobodys"):
        answer = change(service, order_id, qty=7, key=mine)
        assert (answer.status, answer.body) == (404, not_found(order_id))
        answer = change(service, order_id, qty=7, strategy_id="strategy-1", key=mine)
        assert (answer.status, answer.body) == (404, not_found(order_id))
    assert change(service, "ENTRY1", qty=7, strategy_id="strategy-1", key=mine).word == "strategy_not_found"
    assert service.belongings() == before


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"order_id": "order-1", "strategy_id": "strategy-2"}, "strategy_mismatch"),
        ({"order_id": "STOP1", "strategy_id": "strategy-2"}, "strategy_not_found"),
        ({"order_id": "STOP2", "strategy_id": "strategy-1"}, "order_not_found"),
        ({"order_id": "STOP1"}, "strategy_id_required"),
        ({"order_id": "STOP01", "strategy_id": "strategy-1"}, "invalid_value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_that_addresses_no_order_writes_nothing(service: Service, fields: dict[str, str], word: str) -> None:
    before = service.have_stop("Working")
    assert service.send("CHANGE", **fields, qty=7).word == word
    assert service.item() == before


@pytest.mark.parametrize("state", ["Filled", "Cancelled"])
def test_a_finished_order_of_another_strategy_is_a_mismatch_too(service: Service, state: str) -> None:
    before = service.have_stop(state)
    assert change(service, strategy_id="strategy-2", qty=7).word == "strategy_mismatch"
    assert service.item() == before


def test_a_refused_change_writes_nothing_anywhere(service: Service) -> None:
    assert change(service, "nobodys", qty=7).word == "order_not_found"
    assert service.belongings() == []


def test_a_full_history_takes_no_change_but_still_the_cancel(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    # An item has a greatest size: changed without end, an order could not be cancelled any more.
    monkeypatch.setattr("orderhook.store.orders.MAX_HISTORY", 3)
    monkeypatch.setattr("orderhook.commands.change.MAX_HISTORY", 3)
    service.place("order-1")
    assert [change(service, qty=qty).word for qty in (1, 2)] == ["changed", "changed"]
    answer = change(service, qty=3)
    assert (answer.status, answer.body) == (
        400,
        refused(
            "invalid_value",
            "Order order-1 was changed so often that its history is full; give CANCELREPLACE instead.",
            field="order_id",
            state="Working",
        ),
    )
    assert change(service, qty=2).body["duplicate"] is True
    assert service.cancel("order-1").word == "cancelled"
