"""PLACE: what is written, all or nothing, and what a second alert with the same ids meets."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from orderhook import commands
from orderhook.commands.place import Place
from orderhook.errors import DuplicateOrderIdError
from orderhook.orders import Strategy, StrategyState
from orderhook.store.table import deserialize
from tests.builders import ENTRY, order, provenance, refused
from tests.client_faults import in_writes
from tests.faults import (
    Fault,
    internal_error,
    lose_request,
    lose_response,
    no_fault,
    run_before,
    throttle,
    throttle_throughput,
)
from tests.service import Service
from tests.states import FINISHED
from tests.tables import Item


def legs_of(service: Service, legs: Mapping[str, str]) -> dict[str, Item]:
    return {name: service.plain(order_id) for name, order_id in legs.items()}


def parts(item: Item, *names: str) -> tuple[Any, ...]:
    return tuple(item.get(name) for name in names)


# Plain orders


def test_a_plain_order_is_written_once_and_works(service: Service) -> None:
    answer = service.place("order-1", oco_id="pair-1", notes="breakout")
    assert (answer.status, answer.body) == (
        200,
        {"success": True, "status": "placed", "order_id": "order-1", "state": "Working"},
    )
    item = service.plain()
    at, key_id, content = item.pop("since"), service.key.split("_")[1], item.pop("content")
    assert item == {
        "pk": f"TRADER#{service.trader}",
        "sk": "ORDER#order-1",
        "open": "Sim101#ES 12-26#order-1",
        "order_id": "order-1",
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "BUY",
        "qty": 5,
        "order_type": "LIMIT",
        "limit_price": Decimal("5000.25"),
        "tif": "DAY",
        "oco_id": "pair-1",
        "state": "Working",
        "filled": 0,
        "legs": {},
        "version": 1,
        "request_id": answer.request_id,
        "notes": "breakout",
        "history": [
            {
                "state": "Working",
                "at": at,
                "request_id": answer.request_id,
                "key_id": key_id,
                "changes": {"qty": "5", "limit_price": "5000.25"},
            }
        ],
    }
    assert len(content) == 64
    assert service.open_orders() == ["order-1"]
    assert len(service.belongings()) == 1


def test_an_order_that_needs_neither_notes_nor_an_oco_id_has_neither(service: Service) -> None:
    service.place("order-1")
    assert {"notes", "oco_id"}.isdisjoint(service.plain())


def test_an_order_without_id_is_placed_under_the_id_in_the_answer(service: Service) -> None:
    answer = service.place()
    assert (answer.word, answer.body["order_id"]) == ("placed", answer.request_id)
    assert service.cancel(answer.body["order_id"]).word == "cancelled"


def test_each_alert_without_an_id_places_an_order(service: Service) -> None:
    assert service.place().body["order_id"] != service.place().body["order_id"]
    assert len(service.belongings()) == 2


@pytest.mark.parametrize(
    ("fields", "limit_price", "stop_price"),
    [
        ({"order_type": "market", "limit_price": None}, None, None),
        ({"order_type": "LIMIT", "limit_price": "0.00000001"}, Decimal("0.00000001"), None),
        ({"order_type": "StopMarket", "limit_price": None, "stop_price": "18250"}, None, Decimal(18250)),
        ({"order_type": "STOPLIMIT", "limit_price": "1.10", "stop_price": "1.09"}, Decimal("1.10"), Decimal("1.09")),
    ],
    ids=["market", "limit", "stop market", "stop limit"],
)
def test_prices_are_kept_exactly(
    service: Service, fields: dict[str, str | None], limit_price: Decimal | None, stop_price: Decimal | None
) -> None:
    assert service.place("order-1", **fields).word == "placed"
    assert parts(service.plain(), "limit_price", "stop_price") == (limit_price, stop_price)


# Strategies


def test_a_first_order_with_a_strategy_id_starts_the_strategy(service: Service) -> None:
    answer = service.place("order-1", strategy_id="strategy-1")
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "placed",
            "order_id": "order-1",
            "strategy_id": "strategy-1",
            "order_name": "ENTRY1",
            "state": "Working",
        },
    )
    strategy = service.strategy()
    assert strategy is not None
    assert deserialize(strategy) == {
        "pk": f"TRADER#{service.trader}",
        "sk": "STRATEGY#strategy-1",
        "strategy_id": "strategy-1",
        "account": "Sim101",
        "instrument": "ES 12-26",
        "state": "Active",
        "names": {"ENTRY1": "order-1"},
        "version": 1,
        "request_id": answer.request_id,
    }
    assert service.cancel("entry1", strategy_id="strategy-1").body["order_id"] == "order-1"


@pytest.mark.parametrize(("leg", "kind"), [({"take_profit": 5100}, "TARGET"), ({"stop_loss": 4900}, "STOP")])
def test_further_orders_join_the_strategy_under_further_names(service: Service, leg: dict[str, int], kind: str) -> None:
    for number in (1, 2, 3):
        answer = service.place(f"order-{number}", strategy_id="strategy-1", **leg)
        assert (answer.word, answer.body["order_name"]) == ("placed", f"ENTRY{number}")
        assert list(answer.body["legs"]) == [f"{kind}{number}"]
    assert {name: order_id for name, order_id in service.names().items() if name.startswith("ENTRY")} == {
        "ENTRY1": "order-1",
        "ENTRY2": "order-2",
        "ENTRY3": "order-3",
    }
    assert service.cancel("ENTRY2", strategy_id="strategy-1").body["order_id"] == "order-2"
    assert [service.state(f"order-{number}") for number in (1, 2, 3)] == ["Working", "Cancelled", "Working"]


def test_a_join_adds_its_names_to_the_strategy_and_signs_it(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    before = deserialize(service.strategy() or {})
    answer = service.place("order-2", strategy_id="strategy-1", take_profit=5100)
    names = before["names"] | {"ENTRY2": "order-2", **answer.body["legs"]}
    assert deserialize(service.strategy() or {}) == before | {
        "names": names,
        "version": 2,
        "request_id": answer.request_id,
    }


def test_a_finished_order_keeps_its_name(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.cancel("ENTRY1", strategy_id="strategy-1")
    assert service.place("order-2", strategy_id="strategy-1").body["order_name"] == "ENTRY2"
    assert service.cancel("ENTRY1", strategy_id="strategy-1").word == "already_cancelled"
    assert service.state("order-2") == "Working"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"account": "Sim102"}, "Strategy strategy-1 trades ES 12-26 in account Sim101."),
        ({"account": "sim101"}, "Strategy strategy-1 trades ES 12-26 in account Sim101."),
        ({"instrument": "NQ 12-26"}, "Strategy strategy-1 trades ES 12-26 in account Sim101."),
    ],
    ids=str,
)
def test_an_order_for_another_account_or_instrument_cannot_join(
    service: Service, changes: dict[str, str], detail: str
) -> None:
    service.place("order-1", strategy_id="strategy-1")
    before = service.belongings()
    answer = service.place("order-2", strategy_id="strategy-1", **changes)
    assert (answer.status, answer.body) == (
        409,
        refused("strategy_mismatch", detail, field="strategy_id"),
    )
    assert service.belongings() == before


def test_an_order_cannot_join_a_strategy_that_is_closed(service: Service) -> None:
    placed = provenance(service.trader, "place-order-1")
    closed = Strategy(strategy_id="strategy-1", account="Sim101", instrument="ES 12-26", state=StrategyState.CLOSED)
    entry = order(placed, "order-1", strategy_id="strategy-1", order_name="ENTRY1")
    assert service.orders.place_in_strategy(placed, closed, [entry], join=False).applied
    answer = service.place("order-2", strategy_id="strategy-1")
    assert (answer.status, answer.body) == (
        409,
        refused("strategy_mismatch", "Strategy strategy-1 is closed; use a new strategy_id.", field="strategy_id"),
    )
    assert service.item("order-2") is None


# Legs


def test_take_profit_and_stop_loss_wait_as_an_oco_pair_on_the_other_side(service: Service) -> None:
    answer = service.place("order-1", strategy_id="strategy-1", take_profit="5020.50", stop_loss="4980")
    assert answer.body["legs"] == {
        "TARGET1": f"{answer.request_id}.TARGET1",
        "STOP1": f"{answer.request_id}.STOP1",
    }
    assert service.names() == {"ENTRY1": "order-1", **answer.body["legs"]}
    legs = legs_of(service, answer.body["legs"])
    for leg in legs.values():
        assert parts(leg, "state", "action", "qty", "tif", "account", "instrument", "strategy_id") == (
            ("Initialized", "SELL", 5, "GTC", "Sim101", "ES 12-26", "strategy-1")
        )
    assert parts(legs["TARGET1"], "order_name", "order_type", "limit_price", "stop_price") == (
        ("TARGET1", "LIMIT", Decimal("5020.50"), None)
    )
    assert parts(legs["STOP1"], "order_name", "order_type", "limit_price", "stop_price") == (
        ("STOP1", "STOPMARKET", None, Decimal(4980))
    )
    assert {leg["oco_id"] for leg in legs.values()} == {f"{answer.request_id}.OCO1"}
    assert "oco_id" not in service.plain()
    assert len(service.open_orders()) == 3


def test_the_legs_of_a_sell_are_buys(service: Service) -> None:
    legs = service.place("order-1", action="SELL", take_profit=4900, stop_loss=5100).body["legs"]
    assert {leg["action"] for leg in legs_of(service, legs).values()} == {"BUY"}


@pytest.mark.parametrize(
    ("fields", "name", "order_type", "limit_price", "stop_price"),
    [
        ({"take_profit": "5020"}, "TARGET1", "LIMIT", Decimal(5020), None),
        ({"stop_loss": "4980"}, "STOP1", "STOPMARKET", None, Decimal(4980)),
        ({"stop_loss_limit": "4979"}, "STOP1", "STOPLIMIT", Decimal(4979), Decimal(4979)),
        (
            {"stop_loss_limit": "4979", "stop_loss_stop": "4980"},
            "STOP1",
            "STOPLIMIT",
            Decimal(4979),
            Decimal(4980),
        ),
    ],
    ids=["take profit", "stop loss", "stop limit", "stop limit with its own trigger"],
)
def test_a_single_leg_has_no_partner(
    service: Service,
    fields: dict[str, str],
    name: str,
    order_type: str,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
) -> None:
    legs = service.place("order-1", strategy_id="strategy-1", **fields).body["legs"]
    assert list(legs) == [name]
    leg = legs_of(service, legs)[name]
    assert parts(leg, "order_type", "limit_price", "stop_price", "oco_id") == (
        (order_type, limit_price, stop_price, None)
    )


def test_a_leg_is_cancelled_by_its_name_and_alone(service: Service) -> None:
    legs = service.place("order-1", strategy_id="strategy-1", take_profit=5020, stop_loss=4980).body["legs"]
    answer = service.cancel("stop1", strategy_id="strategy-1")
    assert (answer.word, answer.body["order_id"]) == ("cancelled", legs["STOP1"])
    assert (service.state(), service.state(legs["TARGET1"])) == ("Working", "Initialized")


@pytest.mark.parametrize(
    ("leg", "name"),
    [({"take_profit": 5020}, "TARGET1"), ({"stop_loss": 4980}, "STOP1"), ({"stop_loss_limit": 4980}, "STOP1")],
)
def test_a_leg_without_strategy_id_gets_a_strategy_named_after_the_order(
    service: Service, leg: dict[str, int], name: str
) -> None:
    answer = service.place("order-1", **leg)
    assert (answer.word, answer.body["strategy_id"], list(answer.body["legs"])) == ("placed", "order-1", [name])
    assert service.cancel(name.lower(), strategy_id="order-1").word == "cancelled"


def test_legs_without_any_id_get_a_strategy_named_after_the_order(service: Service) -> None:
    answer = service.place(take_profit=5020)
    assert answer.body["strategy_id"] == answer.body["order_id"] == answer.request_id
    assert service.cancel("entry1", strategy_id=answer.body["strategy_id"]).word == "cancelled"


def test_legs_without_a_strategy_id_do_not_join_a_strategy_with_the_orders_id(service: Service) -> None:
    service.place("order-1", strategy_id="order-2")
    before = service.belongings()
    answer = service.place("order-2", take_profit=5020)
    assert (answer.status, answer.body) == (
        409,
        refused(
            "strategy_mismatch",
            "The legs need a strategy, and order-2 is taken by another: add a strategy_id.",
            field="strategy_id",
        ),
    )
    assert service.belongings() == before


# Templates


def test_a_template_adds_numbered_legs_for_each_of_its_brackets(service: Service) -> None:
    service.put_template("scale out", (2, 10, 5), (1, 20, None), (1, None, 5))
    answer = service.place("order-1", strategy_id="strategy-1", strategy="scale out")
    legs = legs_of(service, answer.body["legs"])
    shape = {name: parts(leg, "order_type", "qty", "offset", "tif", "action", "state") for name, leg in legs.items()}
    assert shape == {
        "TARGET1": ("LIMIT", 2, 10, "GTC", "SELL", "Initialized"),
        "STOP1": ("STOPMARKET", 2, 5, "GTC", "SELL", "Initialized"),
        "TARGET2": ("LIMIT", 1, 20, "GTC", "SELL", "Initialized"),
        "STOP3": ("STOPMARKET", 1, 5, "GTC", "SELL", "Initialized"),
    }
    assert legs["TARGET1"]["oco_id"] == legs["STOP1"]["oco_id"] is not None
    assert "oco_id" not in legs["TARGET2"]
    assert "oco_id" not in legs["STOP3"]
    strategy = service.strategy()
    assert strategy is not None
    assert strategy["template"] == {"S": "scale out"}
    assert service.names() == {"ENTRY1": "order-1", **answer.body["legs"]}


def test_a_template_can_be_given_as_atm_strategy(service: Service) -> None:
    service.put_template("one", (1, 10, 5))
    assert list(service.place("order-1", atm_strategy="one").body["legs"]) == ["TARGET1", "STOP1"]


def test_a_second_entry_with_the_template_gets_the_next_numbers(service: Service) -> None:
    service.put_template("one", (1, 10, 5), (1, 20, None))
    service.place("order-1", strategy_id="strategy-1", strategy="one")
    answer = service.place("order-2", strategy_id="strategy-1", strategy="one")
    assert answer.body["order_name"] == "ENTRY2"
    assert list(answer.body["legs"]) == ["TARGET3", "STOP3", "TARGET4"]


def test_an_unknown_template_and_another_traders_are_refused_and_nothing_is_written(service: Service) -> None:
    service.put_template("theirs", (1, 10, 5), trader="somebody-else")
    for name in ("theirs", "nobodys"):
        answer = service.place("order-1", strategy=name)
        assert (answer.status, answer.body) == (
            404,
            refused(
                "strategy_not_found",
                f"There is no template {name}; store it with `orderhook templates put`.",
                field="strategy",
            ),
        )
    assert service.belongings() == []


def test_a_taken_id_is_refused_before_a_template_that_is_missing(service: Service) -> None:
    service.place("order-1")
    answer = service.place("order-1", strategy="none")
    assert (answer.status, answer.word, answer.body["field"]) == (409, "duplicate_order_id", "order_id")


def test_a_template_for_more_than_the_order_is_refused(service: Service) -> None:
    service.put_template("large", (3, 10, 5), (3, 20, 5))
    answer = service.place("order-1", strategy="large")
    assert (answer.status, answer.body) == (
        400,
        refused("invalid_value", "The brackets of template large are for more than qty=5.", field="qty"),
    )
    assert service.item() is None
    assert service.place("order-1", strategy="large", qty=6).word == "placed"


# The same id again

SHAPES: dict[str, dict[str, object]] = {
    "plain": {},
    "in a strategy": {"strategy_id": "strategy-1"},
    "with legs": {"strategy_id": "strategy-1", "take_profit": 5020, "stop_loss": 4980},
    "with legs and no strategy id": {"take_profit": 5020, "stop_loss": 4980},
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))


@every_shape
def test_the_same_alert_again_is_a_success_that_writes_nothing(service: Service, shape: dict[str, object]) -> None:
    first = service.place("order-1", **shape)
    before = service.belongings()
    second = service.place("order-1", **shape)
    assert (second.status, second.body) == (200, {**first.body, "status": "already_placed"})
    assert service.belongings() == before


def test_the_same_content_spelled_in_another_way_is_the_same_alert(service: Service) -> None:
    service.place("order-1")
    again = service.place("order-1", qty="5.0", limit_price="5000.2500", action="buy", tif="day", stop_price=0)
    assert again.word == "already_placed"


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": 6},
        {"action": "SELL"},
        {"limit_price": "5000"},
        {"account": "Sim102"},
        {"tif": "GTC"},
        {"oco_id": "pair-1"},
        {"strategy_id": "strategy-1"},
        {"take_profit": 5100},
    ],
    ids=str,
)
def test_the_same_id_with_other_content_is_refused_and_the_first_stays(
    service: Service, changes: dict[str, object]
) -> None:
    service.place("order-1")
    before = service.belongings()
    answer = service.place("order-1", **changes)
    assert (answer.status, answer.body) == (
        409,
        refused(
            "duplicate_order_id",
            "order_id order-1 is taken by another order, which is Working; choose another.",
            field="order_id",
            state="Working",
        ),
    )
    assert service.belongings() == before


@every_shape
@pytest.mark.parametrize("state", FINISHED)
def test_the_id_of_a_finished_order_stays_taken(service: Service, state: str, shape: dict[str, object]) -> None:
    service.place("order-1", **shape)
    service.report(state)
    before = service.belongings()
    again, other = service.place("order-1", **shape), service.place("order-1", **{**shape, "qty": 6})
    assert (again.word, again.body["state"]) == ("already_placed", state)
    assert (other.word, other.body["state"]) == ("duplicate_order_id", state)
    assert service.belongings() == before


def test_a_duplicate_that_would_join_its_own_strategy_is_recognised(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.place("order-2", strategy_id="strategy-1", take_profit=5020)
    before = service.belongings()
    answer = service.place("order-2", strategy_id="strategy-1", take_profit=5020)
    assert (answer.word, answer.body["order_name"]) == ("already_placed", "ENTRY2")
    assert service.belongings() == before


@pytest.mark.parametrize("brackets", [[(6, 10, 5)], [(1, 10, 5), (1, 20, 5)], []], ids=["too large", "other", "gone"])
def test_a_duplicate_is_recognised_whatever_became_of_its_template(
    service: Service, brackets: list[tuple[int, int, int]]
) -> None:
    service.put_template("one", (1, 10, 5))
    first = service.place("order-1", strategy="one")
    if brackets:
        service.put_template("one", *brackets, replacing=True)
    else:
        service.remove_template("one")
    again = service.place("order-1", strategy="one")
    assert (again.status, again.body) == (200, {**first.body, "status": "already_placed"})


def test_another_traders_order_id_is_free(service: Service) -> None:
    service.place("order-1")
    other = service.issue_key(trader=f"{service.trader}-neighbour")
    assert service.place("order-1", key=other, qty=1).word == "placed"
    assert service.plain()["qty"] == 5


def test_the_id_of_a_leg_is_taken(service: Service) -> None:
    legs = service.place("order-1", strategy_id="strategy-1", take_profit=5020).body["legs"]
    assert service.place(legs["TARGET1"]).word == "duplicate_order_id"


@pytest.mark.parametrize("name", ["ENTRY1", "exit2", "STOP", "SimStop0", "TARGET01"])
def test_an_id_that_looks_like_a_name_is_refused(service: Service, name: str) -> None:
    answer = service.place(name)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "order_id")
    assert service.belongings() == []


# All or nothing, and writes whose answer is lost


def command(order_id: str, **changes: object) -> commands.Command:
    fields = {**ENTRY, "order_id": order_id, "strategy_id": "strategy-1", **changes}
    place, _ = commands.parse_command(Place, {name: str(value) for name, value in fields.items()})
    return place


def test_a_start_whose_leg_id_is_taken_leaves_nothing(service: Service) -> None:
    service.have_order("Working", "request-1.STOP1")
    before = service.belongings()
    place = command("order-1", take_profit=5020, stop_loss=4980)
    with pytest.raises(DuplicateOrderIdError) as refusal:
        service.run(place, "request-1")
    assert refusal.value.detail == "One of the new order ids is taken; choose another order_id."
    assert refusal.value.field == "order_id"
    assert service.belongings() == before


def overtaking(service: Service, order_id: str) -> Fault:
    """Have another alert place this order in strategy-1 just before a request arrives."""
    return run_before(lambda: service.run(command(order_id), f"request-{order_id}"))


def test_two_alerts_that_start_one_strategy_become_its_first_and_second_entry(service: Service) -> None:
    service.warm_up()
    service.network.inject("TransactWriteItems", overtaking(service, "faster"))
    answer = service.place("order-1", strategy_id="strategy-1", take_profit=5020)
    assert (answer.word, answer.body["order_name"]) == ("placed", "ENTRY2")
    assert service.names() == {"ENTRY1": "faster", "ENTRY2": "order-1", **answer.body["legs"]}


def test_a_join_that_another_overtakes_takes_the_next_name(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", no_fault, overtaking(service, "faster"))
    answer = service.place("order-2", strategy_id="strategy-1")
    assert (answer.word, answer.body["order_name"]) == ("placed", "ENTRY3")
    assert service.names() == {"ENTRY1": "order-1", "ENTRY2": "faster", "ENTRY3": "order-2"}


@pytest.mark.parametrize("order_id", ["order-1", None])
def test_a_join_that_is_overtaken_again_and_again_gives_way(service: Service, order_id: str | None) -> None:
    service.warm_up()
    service.network.inject("TransactWriteItems", *(overtaking(service, f"faster-{number}") for number in range(4)))
    answer = service.place(order_id, strategy_id="strategy-1")
    assert (answer.status, answer.body) == (
        503,
        refused(
            "temporarily_unavailable", "Other alerts are changing this strategy. Send the same alert again; it is safe."
        ),
    )
    assert len(service.open_orders()) == 4


def test_a_start_whose_order_id_is_taken_leaves_no_strategy(service: Service) -> None:
    service.have_order("Working")
    before = service.belongings()
    assert service.place("order-1", strategy_id="strategy-1").word == "duplicate_order_id"
    assert service.belongings() == before


@pytest.mark.parametrize("order_id", ["order-1", None])
@every_shape
def test_a_write_whose_answer_is_lost_is_recognised_when_it_is_sent_again(
    service: Service, shape: dict[str, object], order_id: str | None
) -> None:
    service.warm_up()
    operation = "TransactWriteItems" if shape else "PutItem"
    service.network.inject(operation, lose_response)
    answer = service.place(order_id, **shape)
    assert (answer.status, answer.word) == (200, "placed")
    assert service.network.operations == ["GetItem", operation, operation]
    assert service.state(answer.body["order_id"]) == "Working"
    assert len(service.open_orders()) == 1 + len(answer.body.get("legs", {}))


def test_a_join_whose_answer_is_lost_is_recognised_when_it_is_sent_again(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", throttle, lose_response)
    # The first attempt to start it is throttled, the next loses: the strategy runs already.
    answer = service.place("order-2", strategy_id="strategy-1", take_profit=5020)
    assert (answer.word, answer.body["order_name"]) == ("placed", "ENTRY2")
    assert service.names() == {"ENTRY1": "order-1", "ENTRY2": "order-2", **answer.body["legs"]}


@every_shape
def test_an_order_with_an_id_whose_outcome_is_unknown_is_sent_again(service: Service, shape: dict[str, object]) -> None:
    service.warm_up()
    service.network.always = in_writes(lose_response)
    first = service.place("order-1", **shape)
    assert (first.status, first.word) == (503, "temporarily_unavailable")
    service.network.always = no_fault
    assert service.place("order-1", **shape).word == "already_placed"
    assert len([item for item in service.belongings() if item["sk"]["S"] == "ORDER#order-1"]) == 1


@pytest.mark.parametrize("lost", [lose_request, lose_response, internal_error])
@every_shape
def test_an_order_without_id_whose_outcome_is_unknown_must_not_be_sent_again(
    service: Service, shape: dict[str, object], lost: Fault
) -> None:
    service.warm_up()
    service.network.always = in_writes(lost)
    answer = service.place(None, **shape)
    assert (answer.status, answer.body) == (
        409,
        refused(
            "outcome_unknown",
            "The order may or may not have been placed: look before you send it again. An order_id makes that safe.",
        ),
    )
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    "refusal",
    [
        throttle_throughput,
        throttle,
    ],
    ids=["throughput", "throttling"],
)
@every_shape
def test_an_order_without_id_that_was_surely_not_placed_is_sent_again(
    service: Service, shape: dict[str, object], refusal: Fault
) -> None:
    service.warm_up()
    service.network.always = in_writes(refusal)
    assert service.place(None, **shape).status == 503
    assert service.belongings() == []
