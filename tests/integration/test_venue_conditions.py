"""Orders with a venue that ask something of the position: what stands in the table for the bridge to ask."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orderhook.conditions import Conditions, Sync
from orderhook.instructions import Instruction
from orderhook.orders import Order
from orderhook.venues import TABLE
from tests.builders import ENTRY
from tests.service import Service

FLAT = Conditions(require_market_position=("flat",))
SYNC = {
    "sync_strategy": "true",
    "market_position": "long",
    "prev_market_position": "short",
    "out_of_sync": "resync",
    "target_quantity": "2",
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
        (SYNC, Conditions(sync=Sync("long", "short", "resync", 2))),
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


# After closing_only_after


def closing_only(service: Service) -> dict[str, str]:
    """Return a window of which the last part has begun, in which only closes pass."""
    now = service.queue.now.astimezone(ZoneInfo("America/New_York"))
    start, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-2, 2))
    return {"start_time": start, "end_time": end, "closing_only_after": start}


def instructions(service: Service) -> list[Instruction]:
    return list(service.services.instructions.open(service.trader))


def test_of_an_order_that_flattens_first_only_the_close_is_done_then(service: Service) -> None:
    fields = {"flatten_first": "true", "require_market_position": "long", **closing_only(service)}
    answer = service.place("order-1", **fields)
    assert (answer.status, answer.word) == (200, "accepted")
    assert [it["code"] for it in answer.body["warnings"]] == ["closing_only"]
    [asked] = instructions(service)
    assert asked.instruction_id == answer.body["instruction_id"]
    assert (asked.command, asked.account, asked.instrument) == ("CLOSEPOSITION", "Sim101", "ES 12-26")
    assert (asked.conditions, asked.qty, asked.not_after) == (Conditions(require_market_position=("long",)), None, None)
    assert service.placed() == []


def test_the_close_of_such_an_order_is_asked_once_of_its_resends(service: Service) -> None:
    service.record_nothing()
    fields = {"flatten_first": "true", **closing_only(service)}
    first = service.place("order-1", **fields)
    service.let_pass(5)
    again = service.place("order-1", **fields)
    assert (again.word, again.body["instruction_id"]) == ("accepted", first.body["instruction_id"])
    assert len(instructions(service)) == 1


def test_the_close_of_such_an_order_is_for_a_key_that_reaches_it(service: Service) -> None:
    key = service.issue_key(accounts=("Other",))
    answer = service.place("order-1", flatten_first="true", **closing_only(service), key=key)
    assert (answer.status, answer.word) == (403, "command_not_allowed")
    assert instructions(service) == []


@pytest.mark.parametrize(
    "fields",
    [{}, {"require_market_position": "flat"}, {"flatten_first": "true", "delay": 5}, {"flatten_first": "true", **SYNC}],
)
def test_what_has_no_close_of_its_own_is_refused_whole_then(service: Service, fields: dict[str, Any]) -> None:
    answer = service.place("order-1", **fields, **closing_only(service))
    assert (answer.status, answer.word, answer.body["field"]) == (423, "outside_trade_window", "closing_only_after")
    assert (instructions(service), service.placed()) == ([], [])


def test_the_kill_switch_refuses_also_the_close_of_such_an_order(service: Service) -> None:
    service.turn("on")
    assert service.place("order-1", flatten_first="true", **closing_only(service)).word == "kill_switch_on"
    assert instructions(service) == []


def test_a_change_that_lowers_what_is_at_stake_passes_then(service: Service) -> None:
    service.place("order-1", stop_loss=4980)
    window = closing_only(service)
    assert service.send("CHANGE", order_id="order-1", qty=3, **window).word == "change_pending"
    assert service.send("CHANGE", order_id="order-1.STOP1", stop_price=4985, **window).word == "change_pending"
    for fields in ({"order_id": "order-1", "qty": 9}, {"order_id": "order-1", "limit_price": 4999}):
        answer = service.send("CHANGE", **fields, **window)
        assert (answer.word, answer.body["field"]) == ("outside_trade_window", "closing_only_after")
    assert replace(service, qty=1, **window).word == "outside_trade_window"


# CANCELORDERS

PAIR: dict[str, object] = {"account": "Sim101", "instrument": "ES 12-26"}


def test_a_cancel_of_many_with_a_condition_is_the_bridges(service: Service) -> None:
    service.place("order-1")
    answer = service.send("CANCELORDERS", **PAIR, require_market_position="flat/short")
    assert (answer.status, answer.word) == (200, "accepted")
    [asked] = instructions(service)
    assert (asked.instruction_id, asked.command) == (answer.body["instruction_id"], "CANCELORDERS")
    assert (asked.account, asked.instrument) == ("Sim101", "ES 12-26")
    assert asked.conditions == Conditions(require_market_position=("flat", "short"))
    assert order_of(service).state == "Initialized"
    again = service.send("CANCELORDERS", **PAIR, require_market_position="flat/short")
    assert (again.body["duplicate"], again.body["instruction_id"]) == (True, asked.instruction_id)


def test_a_cancel_of_many_accounts_with_a_condition_is_one_instruction_each(service: Service) -> None:
    answer = service.send(
        "CANCELORDERS", account="Sim101,Sim102", instrument="ES 12-26", require_market_position="flat"
    )
    assert {it.account for it in instructions(service)} == {"Sim101", "Sim102"}
    assert [it["status"] for it in answer.body["results"]] == ["accepted", "accepted"]


def test_a_condition_on_a_cancel_of_many_needs_the_instrument(service: Service) -> None:
    answer = service.send("CANCELORDERS", account="Sim101", require_market_position="flat")
    assert (answer.status, answer.word, answer.body["field"]) == (400, "missing_field", "instrument")


def test_a_cancel_of_many_passes_the_kill_switch_with_a_condition_too(service: Service) -> None:
    service.turn("on")
    assert service.send("CANCELORDERS", **PAIR, require_market_position="flat").word == "accepted"


def test_a_cancel_with_a_condition_beyond_the_keys_limits_is_refused(service: Service) -> None:
    key = service.issue_key(accounts=("Other",))
    answer = service.send("CANCELORDERS", **PAIR, require_market_position="flat", key=key)
    assert (answer.status, answer.word) == (403, "command_not_allowed")
    assert instructions(service) == []


def test_without_a_venue_a_cancel_with_a_condition_cancels_nothing(service: Service) -> None:
    service.use_venue(TABLE)
    service.place("order-1")
    before = service.belongings()
    answer = service.send("CANCELORDERS", **PAIR, require_market_position="flat")
    assert (answer.status, answer.word, answer.body["field"]) == (400, "unsupported_value", "require_market_position")
    assert service.belongings() == before
    assert service.send("CANCELORDERS", **PAIR, require_market_position="off").word == "cancelled"


def test_an_empty_condition_does_not_cancel_without_it(service: Service) -> None:
    service.place("order-1")
    answer = service.send("CANCELORDERS", **PAIR, require_market_position="")
    assert (answer.status, answer.word) == (400, "missing_field")
    assert order_of(service).state == "Initialized"


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        (SYNC, True),
        ({**SYNC, "out_of_sync": "flatten"}, False),
        ({**SYNC, "market_position": "flat", "target_quantity": "0"}, False),
    ],
)
def test_a_key_with_a_largest_quantity_resyncs_to_nothing_but_flat(
    service: Service, fields: dict[str, str], *, refused: bool
) -> None:
    answer = service.place("order-1", **fields, qty=1, key=service.issue_key(max_qty=1))
    expected = (403, "command_not_allowed", "out_of_sync") if refused else (200, "placed", None)
    assert (answer.status, answer.word, answer.body.get("field")) == expected
    assert (service.order("order-1") is None) is refused
