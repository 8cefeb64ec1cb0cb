"""PLACE: what is written, all or nothing, which names it takes, and what a second alert with the same ids meets."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orderhook import commands, listing
from orderhook.commands.place import Place
from orderhook.orders import Binding, Order, Strategy, timestamp
from orderhook.store.strategies import strategy_write
from orderhook.store.table import deserialize
from tests.builders import ENTRY, alert, provenance, refused
from tests.client_faults import in_writes
from tests.faults import (
    Fault,
    conflict_in_transaction,
    internal_error,
    lose_request,
    lose_response,
    no_fault,
    run_before,
    throttle,
    throttle_throughput,
)
from tests.marks import EACH_ONCE, LONG
from tests.output import Answer
from tests.service import Service
from tests.states import FINISHED
from tests.tables import Item

DAY = 24 * 3600

OCO_WARNING = {
    "code": "oco_without_venue",
    "field": "oco_id",
    "detail": "Without a venue oco_id is kept and has no effect: when one order of the group fills, cancel the others "
    "yourself.",
}
NO_ID_WARNING = {
    "code": "no_order_id",
    "field": "order_id",
    "detail": "Without an order_id no later alert can be sure to reach this order, and a resend is not recognised: add "
    "order_id=...-{{timenow}}.",
}


def enter(service: Service, order_id: str | None = "order-1", **changes: object) -> Answer:
    """Send a PLACE that starts or joins strategy-1."""
    return service.place(order_id, **{"strategy_id": "strategy-1", **changes})


def names(service: Service, order_id: str, **changes: object) -> list[str]:
    """Have an entry placed in strategy-1, and return its name and those of its legs."""
    answer = enter(service, order_id, **changes)
    assert answer.word == "placed", answer.body
    return [answer.body["order_name"], *answer.body.get("legs", {})]


def listed(service: Service, *, open_only: bool = False) -> dict[str, Order]:
    """Return the trader's orders as they are now, waiting legs included, by id."""
    now = timestamp(service.queue.now)
    found = listing.list_orders(service.services, service.trader, now, open_only=open_only)
    return {each.order_id: each for each in found if isinstance(each, Order)}


def strategy_item(service: Service, strategy_id: str = "strategy-1") -> Item:
    """Return a strategy as the table holds it, in plain values."""
    found = service.strategy(strategy_id)
    assert found is not None
    return deserialize(found)


def entries(service: Service) -> dict[str, str]:
    """Return to which entries the numbers of strategy-1 lead."""
    return {number: binding["order_id"] for number, binding in strategy_item(service)["numbers"].items()}


def have_numbers(service: Service, bound: Mapping[int, str], strategy_id: str = "strategy-1") -> None:
    """Have the numbers of a strategy lead to these orders, as far as they are there."""
    signed = provenance(service.trader, "arranged")
    before = service.services.strategies.get(service.trader, strategy_id)
    numbers = {number: Binding(order_id, signed.now) for number, order_id in bound.items()}
    strategy = before or Strategy(strategy_id, "Sim101", "ES 12-26")
    service.services.table.transact([strategy_write(signed, before, strategy._replace(numbers=numbers))])


def have_entry(service: Service, number: int, order_id: str, strategy_id: str = "strategy-1", **fields: Any) -> None:
    """Have an open order be this entry of a strategy whose numbers are arranged besides."""
    service.have_order(
        "Working", order_id, strategy_id=strategy_id, order_name=f"ENTRY{number}", number=number, **fields
    )


# Plain orders


def test_a_plain_order_is_written_once_and_works(service: Service) -> None:
    answer = service.place("order-1", oco_id="pair-1", notes="breakout")
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "placed",
            "order_id": "order-1",
            "state": "Working",
            "warnings": [OCO_WARNING],
        },
    )
    item = service.plain()
    at, digest, key_id = item.pop("since"), item["history"][0].pop("digest"), service.key.split("_")[1]
    assert item == {
        "pk": f"TRADER#{service.trader}",
        "sk": "ORDER#order-1",
        "open": "3#sim101#es 12-26#order-1",
        "order_id": "order-1",
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "BUY",
        "qty": 5,
        "order_type": "LIMIT",
        "limit_price": Decimal("5000.25"),
        "tif": "GTC",
        "oco_id": "pair-1",
        "state": "Working",
        "filled": 0,
        "generation": 1,
        "placed": {
            "order_id": "order-1",
            "account": "sim101",
            "instrument": "es 12-26",
            "action": "BUY",
            "qty": "5",
            "order_type": "LIMIT",
            "limit_price": "5000.25",
            "tif": "GTC",
            "oco_id": "pair-1",
        },
        "received_at": at,
        "version": 1,
        "request_id": answer.request_id,
        "notes": "breakout",
        "history": [
            {
                "state": "Working",
                "at": at,
                "received_at": at,
                "request_id": answer.request_id,
                "key_id": key_id,
                "changes": {"qty": "5", "limit_price": "5000.25"},
            }
        ],
    }
    assert len(digest) == 32
    assert service.open_orders() == ["order-1"]
    assert len(service.belongings()) == 1


def test_an_order_that_needs_neither_notes_nor_an_oco_id_has_neither(service: Service) -> None:
    answer = service.place("order-1")
    assert {"notes", "oco_id", "day_ends", "legs", "delay", "expires"}.isdisjoint(service.plain())
    assert "warnings" not in answer.body


@pytest.mark.parametrize("delay", [None, 5])
def test_an_order_without_id_is_placed_under_the_id_in_the_answer(service: Service, delay: int | None) -> None:
    answer = service.place(delay=delay)
    assert (answer.word, answer.body["order_id"]) == ("scheduled" if delay else "placed", answer.request_id)
    assert answer.body["warnings"] == [NO_ID_WARNING]
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
    item = service.plain()
    assert (item.get("limit_price"), item.get("stop_price")) == (limit_price, stop_price)


def test_an_account_is_kept_as_sent_and_a_contract_has_one_name(service: Service) -> None:
    answer = service.place("order-1", account="SIM101", instrument="es  12-26")
    item = service.plain()
    assert (item["account"], item["instrument"]) == ("SIM101", "ES 12-26")
    assert item["open"] == "3#sim101#es 12-26#order-1"
    assert "instrument" not in answer.body  # its case is no other spelling


# Strategies


def test_a_first_order_with_a_strategy_id_starts_the_strategy(service: Service) -> None:
    answer = enter(service)
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
    strategy, at = strategy_item(service), service.plain()["since"]
    assert int(strategy.pop("expires")) > service.queue.now.timestamp() + 399 * DAY
    assert strategy == {
        "pk": f"TRADER#{service.trader}",
        "sk": "STRATEGY#strategy-1",
        "strategy_id": "strategy-1",
        "account": "Sim101",
        "instrument": "ES 12-26",
        "numbers": {"1": {"order_id": "order-1", "at": at}},
        "version": 1,
        "request_id": answer.request_id,
    }
    assert service.cancel("entry1", strategy_id="strategy-1").body["order_id"] == "order-1"


@pytest.mark.parametrize(("leg", "kind"), [({"take_profit": 5100}, "TARGET"), ({"stop_loss": 4900}, "STOP")])
def test_orders_that_join_an_open_strategy_get_further_names(service: Service, leg: dict[str, int], kind: str) -> None:
    for number in (1, 2, 3):
        assert names(service, f"order-{number}", **leg) == [f"ENTRY{number}", f"{kind}{number}"]
    assert entries(service) == {"1": "order-1", "2": "order-2", "3": "order-3"}
    assert service.cancel("ENTRY2", strategy_id="strategy-1").body["order_id"] == "order-2"
    assert [service.state(f"order-{number}") for number in (1, 2, 3)] == ["Working", "Cancelled", "Working"]


def test_a_join_adds_its_number_to_the_strategy_and_signs_it(service: Service) -> None:
    enter(service)
    before = strategy_item(service)
    service.let_pass(3600)
    answer = enter(service, "order-2", take_profit=5100)
    after = strategy_item(service)
    assert after["expires"] - before["expires"] >= 3600  # it stays for 400 days after the last that joined
    assert after == before | {
        "numbers": before["numbers"] | {"2": {"order_id": "order-2", "at": service.plain("order-2")["since"]}},
        "version": 2,
        "request_id": answer.request_id,
        "expires": after["expires"],
    }


ENDS: dict[str, Callable[[Service], object]] = {
    "CANCEL": lambda service: service.cancel("order-1"),
    "CANCEL by name": lambda service: service.cancel("ENTRY1", strategy_id="strategy-1"),
    "CANCELORDERS": lambda service: service.send("CANCELORDERS", account="Sim101"),
    "CANCELALLORDERS": lambda service: service.send("CANCELALLORDERS"),
    "CLOSESTRATEGY": lambda service: service.send("CLOSESTRATEGY", strategy_id="strategy-1"),
    "Cancelled": lambda service: service.report("Cancelled"),
    "Rejected": lambda service: service.report("Rejected"),
    "Expired": lambda service: service.report("Expired"),
    "the day is over": lambda service: service.let_pass(DAY),
    "gone": lambda service: service.remove("order-1"),
}
"""The ways in which order-1, a DAY order of strategy-1, ends with nothing filled."""

every_end = pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
LEGS: dict[str, Any] = {"take_profit": 5020, "stop_loss": 4980}


@every_end
def test_one_entry_after_the_other_is_always_the_first(service: Service, end: Callable[[Service], object]) -> None:
    for cancelled in ("order-2", "order-3"):
        assert names(service, "order-1", tif="DAY", **LEGS) == ["ENTRY1", "TARGET1", "STOP1"]
        end(service)
        assert names(service, cancelled, **LEGS) == ["ENTRY1", "TARGET1", "STOP1"]
        for name, state in (("STOP1", "Initialized"), ("ENTRY1", "Working")):
            answer = service.cancel(name, strategy_id="strategy-1")
            assert (answer.word, answer.body["previous_state"]) == ("cancelled", state)
            assert answer.body["order_id"].partition(".")[0] == cancelled
        service.remove("order-1")
    assert entries(service) == {"1": "order-3"}


@every_end
def test_nothing_of_an_entry_stays_open_when_it_has_ended(service: Service, end: Callable[[Service], object]) -> None:
    enter(service, tif="DAY", **LEGS)
    end(service)
    assert listed(service, open_only=True) == {}


def test_a_filled_entry_without_legs_frees_its_name(service: Service) -> None:
    enter(service)
    service.report("Filled", 5)
    assert names(service, "order-2") == ["ENTRY1"]


@EACH_ONCE
@pytest.mark.parametrize("leg", ["TARGET1", "STOP1"])
@pytest.mark.parametrize("fields", [{}, LEGS], ids=["alone", "with legs"])
def test_a_leg_that_works_keeps_the_number_of_its_entry(service: Service, leg: str, fields: dict[str, Any]) -> None:
    enter(service, **LEGS)
    service.report("Filled", 5)
    [other] = {"order-1.TARGET1", "order-1.STOP1"} - {f"order-1.{leg}"}
    service.report("Cancelled", order_id=other)
    assert names(service, "order-2", **fields)[0] == "ENTRY2"
    assert service.cancel(leg, strategy_id="strategy-1").body["order_id"] == f"order-1.{leg}"
    assert names(service, "order-3", **fields)[0] == "ENTRY1"


def test_the_smallest_free_number_is_taken(service: Service) -> None:
    for number in range(1, 6):
        enter(service, f"order-{number}")
    for order_id, name in {"order-4": "ENTRY4", "order-2": "ENTRY2", "order-1": "ENTRY1"}.items():
        service.cancel(order_id)
        assert names(service, f"after-{order_id}") == [name]
    assert entries(service) == {"1": "after-order-1", "2": "after-order-2", "3": "order-3"} | {
        "4": "after-order-4",
        "5": "order-5",
    }


def test_a_binding_remembers_the_order_before_it_and_since_when_it_is(service: Service) -> None:
    enter(service)
    service.cancel("order-1")
    enter(service, "order-2")
    at = service.plain("order-2")["since"]
    assert strategy_item(service)["numbers"] == {
        "1": {"order_id": "order-2", "at": at, "before": [{"order_id": "order-1", "until": at}]}
    }


def test_a_number_whose_orders_are_finished_is_free_and_leads_to_what_it_led_to(service: Service) -> None:
    for number in (1, 2, 3):
        enter(service, f"order-{number}")
    service.cancel("order-1")
    service.cancel("order-2")
    enter(service, "order-4")
    assert entries(service) == {"1": "order-4", "3": "order-3"}
    answer = service.cancel("ENTRY2", strategy_id="strategy-1")
    assert (answer.status, answer.word, answer.body["order_id"]) == (200, "already_cancelled", "order-2")
    enter(service, "order-5")
    assert service.cancel("ENTRY2", strategy_id="strategy-1").body["order_id"] == "order-5"


@LONG
def test_the_numbers_that_are_free_are_remembered(service: Service) -> None:
    for number in range(1, 15):
        enter(service, f"order-{number}")
    service.send("CLOSESTRATEGY", strategy_id="strategy-1")
    for number in range(15, 18):
        enter(service, f"order-{number}")
    assert len(strategy_item(service)["freed"]) == 11


def test_a_name_whose_order_is_of_another_strategy_now_leads_to_no_order(service: Service) -> None:
    enter(service)
    service.cancel("order-1")
    service.remove("order-1")
    assert service.place("order-1", strategy_id="another", account="Sim102").word == "placed"
    # The first strategy's ENTRY1 still leads to this id, and to no order of its own.
    for command in ("CANCEL", "CHANGE"):
        answer = service.send(command, order_id="ENTRY1", strategy_id="strategy-1", qty=1)
        assert (answer.status, answer.word) == (409, "strategy_mismatch")
    assert service.plain()["qty"] == 5
    assert names(service, "order-2") == ["ENTRY1"]
    assert service.state("order-1") == "Working"


def test_what_fills_after_its_end_gets_its_number_back_before_it_is_given_away(service: Service) -> None:
    enter(service, stop_loss=4980)
    service.cancel("order-1")
    service.warm_up()
    # A fill that overtook the cancel is reported just before the next entry takes the number over.
    service.network.inject("TransactWriteItems", run_before(lambda: service.report("Filled", 5)))
    assert names(service, "order-2", stop_loss=4980) == ["ENTRY2", "STOP2"]
    answer = service.cancel("STOP1", strategy_id="strategy-1")
    assert (answer.word, answer.body["order_id"]) == ("cancelled", "order-1.STOP1")


def test_a_resent_cancel_by_name_means_the_order_before_a_release(service: Service) -> None:
    enter(service)
    enter(service, "order-2", delay=40)
    service.let_pass(37)
    service.warm_up()
    service.network.always = in_writes(lose_response)
    text = alert({"key": service.key, "command": "CANCEL", "order_id": "ENTRY1", "strategy_id": "strategy-1"})
    assert (service.post(text).status, service.state()) == (503, "Cancelled")
    service.network.always = no_fault
    service.pass_time(3)
    assert entries(service) == {"1": "order-2"}
    service.let_pass(2)
    answer = service.post(text)
    assert (answer.word, answer.body["order_id"], service.state("order-2")) == (
        "already_cancelled",
        "order-1",
        "Working",
    )


# A strategy's account and instrument


MISMATCH = "Strategy strategy-1 has open orders in ES 12-26, account Sim101; give those, or another strategy_id."
elsewhere = pytest.mark.parametrize("changes", [{"account": "Sim102"}, {"instrument": "NQ 12-26"}], ids=str)


@elsewhere
@pytest.mark.parametrize("state", ["an open entry", "an entry that is part-filled", "a leg that works"])
def test_while_something_is_open_no_order_joins_from_elsewhere(
    service: Service, changes: dict[str, str], state: str
) -> None:
    enter(service, stop_loss=4980)
    if state != "an open entry":
        service.report(*(("Filled", 5) if state == "a leg that works" else ("PartFilled", 2)))
    before = service.belongings()
    answer = enter(service, "order-2", **changes)
    assert (answer.status, answer.body) == (409, refused("strategy_mismatch", MISMATCH, field="strategy_id"))
    assert service.belongings() == before


def test_an_account_and_an_instrument_spelled_in_another_way_are_the_same(service: Service) -> None:
    enter(service)
    assert names(service, "order-2", account="SIM101", instrument="es  12-26") == ["ENTRY2"]


@LONG
@elsewhere
@every_end
def test_with_nothing_open_a_strategy_is_started_anew_anywhere(
    service: Service, end: Callable[[Service], object], changes: dict[str, str]
) -> None:
    enter(service, tif="DAY", **LEGS)
    end(service)
    assert names(service, "order-2", **changes, **LEGS) == ["ENTRY1", "TARGET1", "STOP1"]
    strategy = strategy_item(service)
    assert (strategy["account"], strategy["instrument"]) == (
        changes.get("account", "Sim101"),
        changes.get("instrument", "ES 12-26"),
    )
    back = enter(service, "order-3")
    assert (back.status, back.word) == (409, "strategy_mismatch")
    assert names(service, "order-4", **changes) == ["ENTRY2"]


def test_a_strategy_that_begins_anew_has_the_template_of_its_new_entry(service: Service) -> None:
    service.put_template("one", (1, 10, 5))
    enter(service, strategy="one")
    service.cancel("order-1")
    assert strategy_item(service)["template"] == "one"
    enter(service, "order-2")
    assert "template" not in strategy_item(service)


def test_an_order_that_waits_for_its_delay_has_no_name_and_keeps_none_open(service: Service) -> None:
    answer = enter(service, delay=30, account="Sim102", **LEGS)
    assert {"order_name", "legs"}.isdisjoint(answer.body)
    assert service.strategy() is None
    assert names(service, "order-2") == ["ENTRY1"]


# Many names


def test_a_strategy_has_no_more_numbers_than_open_orders(service: Service) -> None:
    enter(service, "stays", stop_loss=4980)
    for number in range(6):
        assert names(service, f"order-{number}", stop_loss=4980) == ["ENTRY2", "STOP2"]
        service.cancel(f"order-{number}")
    assert entries(service) == {"1": "stays", "2": "order-5"}


@LONG
def test_a_strategy_with_hundreds_of_names_takes_further_entries(service: Service) -> None:
    # As an older version may have left it; of these, two are open.
    have_numbers(service, {number: f"gone-{number}" for number in reversed(range(1, 301))})
    for number in (1, 299):
        have_entry(service, number, f"gone-{number}")
    assert names(service, "order-1") == ["ENTRY2"]
    assert len(entries(service)) == 300 - 25 + 1
    assert names(service, "order-2") == ["ENTRY3"]
    assert len(entries(service)) < 260
    for name, order_id in (("ENTRY1", "gone-1"), ("ENTRY299", "gone-299"), ("ENTRY3", "order-2")):
        answer = service.cancel(name, strategy_id="strategy-1")
        assert (answer.word, answer.body["order_id"]) == ("cancelled", order_id)


def test_a_strategy_with_many_open_entries_takes_the_smallest_number_still(service: Service) -> None:
    have_numbers(service, {number: f"open-{number}" for number in reversed(range(1, 31))})
    for number in range(1, 31):
        have_entry(service, number, f"open-{number}")
    service.cancel("open-2")
    service.cancel("open-29")
    assert [names(service, f"order-{number}") for number in (1, 2, 3)] == [["ENTRY2"], ["ENTRY29"], ["ENTRY31"]]
    answer = enter(service, "order-4", account="Sim102")
    assert (answer.status, answer.body["detail"]) == (409, MISMATCH)


def test_many_names_that_lead_to_nothing_open_keep_no_strategy_from_starting_anew(service: Service) -> None:
    have_numbers(service, {number: f"gone-{number}" for number in range(1, 61)})
    assert names(service, "order-1", account="Sim102") == ["ENTRY1"]
    assert strategy_item(service)["account"] == "Sim102"


def test_the_largest_template_fits_into_one_transaction(service: Service) -> None:
    service.put_template("large", *[(1, 10, 5)] * 20)
    have_numbers(service, {number: f"gone-{number}" for number in range(1, 26)})
    service.warm_up()
    answer = enter(service, strategy="large", qty=20)
    assert (answer.word, len(answer.body["legs"])) == ("placed", 40)
    [transaction] = [request for request in service.network.requests if request.operation == "TransactWriteItems"]
    assert len(transaction.writes) <= 100


@LONG
@pytest.mark.parametrize("end", ["ENTRY1", "CLOSESTRATEGY"])
def test_the_largest_template_is_the_first_entry_round_after_round(service: Service, end: str) -> None:
    service.put_template("large", *[(1, 10, 5)] * 20)
    for number in range(4):
        answer = enter(service, f"order-{number}", strategy="large", qty=20)
        assert (answer.word, answer.body["order_name"]) == ("placed", "ENTRY1")
        if end == "ENTRY1":
            cancelled = service.cancel("ENTRY1", strategy_id="strategy-1")
            assert (cancelled.word, cancelled.body["order_id"]) == ("cancelled", f"order-{number}")
        else:
            assert service.send(end, strategy_id="strategy-1").body["cancelled"] == [f"order-{number}"]
        assert entries(service) == {str(n): f"order-{number}" for n in range(1, 21)}
        # An entry of one number between frees the others, which are bound anew by the next.
        assert names(service, f"between-{number}") == ["ENTRY1"]
        service.cancel(f"between-{number}")
        assert entries(service) == {"1": f"between-{number}"}


@LONG
def test_a_bracket_of_the_largest_template_that_works_keeps_its_number(service: Service) -> None:
    service.put_template("large", *[(1, 10, 5)] * 20)
    enter(service, strategy="large", qty=20)
    service.report("Filled", 20)
    for number in range(1, 21):
        for kind in ("TARGET", "STOP"):
            if number != 7:
                service.report("Cancelled", order_id=f"order-1.{kind}{number}")
    assert names(service, "order-2", strategy="large", qty=20)[0] == "ENTRY8"
    assert entries(service) == {"7": "order-1"} | {str(n): "order-2" for n in range(8, 28)}
    assert service.cancel("STOP7", strategy_id="strategy-1").body["order_id"] == "order-1.STOP7"


@LONG
def test_twenty_names_of_as_many_entries_are_too_many_for_one_transaction(service: Service) -> None:
    service.put_template("large", *[(1, 10, 5)] * 20)
    have_numbers(service, {number: f"gone-{number}" for number in range(1, 21)})
    # Their 60 orders, its own 40 legs, itself and the strategy would be 102 items: the first name is left out once.
    for order_id, name in {"order-1": "ENTRY2", "order-2": "ENTRY1", "order-3": "ENTRY1"}.items():
        answer = enter(service, order_id, strategy="large", qty=20)
        assert (answer.word, answer.body["order_name"]) == ("placed", name)
        assert service.cancel(name, strategy_id="strategy-1").body["order_id"] == order_id
    assert entries(service) == {str(n): "order-3" for n in range(1, 21)}


@LONG
def test_an_order_of_a_day_that_is_over_is_not_counted_among_many(service: Service) -> None:
    over = timestamp(service.queue.now + timedelta(hours=1))
    have_numbers(service, {number: f"open-{number}" for number in range(1, 31)})
    for number in range(1, 31):
        have_entry(service, number, f"open-{number}", **({"tif": "DAY", "day_ends": over} if number == 3 else {}))
    service.let_pass(3600)
    assert names(service, "order-1") == ["ENTRY3"]


# Legs


def test_take_profit_and_stop_loss_lie_in_their_entry_until_it_fills(service: Service) -> None:
    answer = enter(service, take_profit="5020.50", stop_loss="4980")
    assert answer.body["legs"] == {"TARGET1": "order-1.TARGET1", "STOP1": "order-1.STOP1"}
    group = f"{answer.request_id}.OCO.1"
    assert service.plain()["legs"] == {
        "TARGET1": {"order_type": "LIMIT", "limit_price": Decimal("5020.50"), "oco_id": group, "generation": 1},
        "STOP1": {"order_type": "STOPMARKET", "stop_price": Decimal(4980), "oco_id": group, "generation": 1},
    }
    assert "oco_id" not in service.plain()
    # One item and one entry of the index; yet each leg is listed like an order.
    assert (len(service.belongings()), service.open_orders()) == (2, ["order-1"])
    orders = listed(service)
    assert list(orders) == ["order-1", "order-1.STOP1", "order-1.TARGET1"]
    for name in ("TARGET1", "STOP1"):
        leg = orders[f"order-1.{name}"]
        assert (leg.state, leg.action, leg.qty, leg.tif, leg.order_name) == ("Initialized", "SELL", 5, "GTC", name)
        assert (leg.account, leg.instrument, leg.strategy_id) == ("Sim101", "ES 12-26", "strategy-1")
        assert (leg.oco_id, leg.entry_id) == (group, "order-1")


def test_the_legs_of_a_sell_are_buys(service: Service) -> None:
    service.place("order-1", action="SELL", take_profit=4900, stop_loss=5100)
    assert {leg.action for leg in listed(service).values() if leg.entry_id} == {"BUY"}


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
    assert names(service, "order-1", **fields) == ["ENTRY1", name]
    leg = listed(service)[f"order-1.{name}"]
    assert (leg.order_type, leg.limit_price, leg.stop_price, leg.oco_id) == (order_type, limit_price, stop_price, None)


@pytest.mark.parametrize(
    "legs",
    [
        {"stop_loss": "5000.25"},
        {"stop_loss": "5001"},
        {"take_profit": "5000.25"},
        {"take_profit": "4999"},
        {"stop_loss_limit": "5001"},
        {"stop_loss_limit": "4981", "stop_loss_stop": "4980"},
        {"order_type": "MARKET", "limit_price": None, "take_profit": "4980", "stop_loss": "4980"},
        {"action": "SELL", "stop_loss": "4980"},
        {"action": "SELL", "stop_loss_limit": "5009", "stop_loss_stop": "5010"},
    ],
    ids=str,
)
def test_legs_on_the_wrong_side_or_at_the_entrys_price_are_refused(service: Service, legs: dict[str, Any]) -> None:
    for delay in (None, 5):
        answer = service.place("order-1", delay=delay, **legs)
        assert (answer.status, answer.word) == (400, "invalid_value")
    assert service.belongings() == []


def test_a_leg_is_cancelled_by_its_name_and_alone(service: Service) -> None:
    enter(service, **LEGS)
    answer = service.cancel("stop1", strategy_id="strategy-1")
    assert (answer.word, answer.body["order_id"]) == ("cancelled", "order-1.STOP1")
    states = {order_id: str(found.state) for order_id, found in listed(service).items()}
    assert states == {"order-1": "Working", "order-1.TARGET1": "Initialized", "order-1.STOP1": "Cancelled"}


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
            "The legs need a strategy, and order-2 has other open orders: add a strategy_id.",
            field="strategy_id",
        ),
    )
    assert service.belongings() == before
    service.cancel("order-1")
    assert service.place("order-2", take_profit=5020).body["order_name"] == "ENTRY1"


def test_the_id_of_an_earlier_leg_keeps_it_from_being_another(service: Service) -> None:
    enter(service, stop_loss=4980)
    service.report("Filled", 5)
    service.report("Filled", 5, order_id="order-1.STOP1")
    service.remove("order-1")
    before = service.belongings()
    for strategy_id in ("strategy-1", "another", None):
        answer = service.place("order-1", strategy_id=strategy_id, stop_loss=4980)
        assert (answer.status, answer.body) == (
            409,
            refused(
                "duplicate_order_id",
                "An earlier leg of an order order-1 is still there; choose another order_id.",
                field="order_id",
            ),
        )
    assert service.belongings() == before
    # Neither another leg nor an order without legs is in its way.
    assert names(service, "order-1", take_profit=5020) == ["ENTRY1", "TARGET1"]


def test_an_order_without_legs_takes_an_id_whose_leg_is_still_there(service: Service) -> None:
    enter(service, stop_loss=4980)
    service.report("Filled", 5)
    service.remove("order-1")
    assert service.place("order-1").word == "placed"
    assert service.state("order-1.STOP1") == "Working"


# Templates


def test_a_template_adds_numbered_legs_for_each_of_its_brackets(service: Service) -> None:
    service.put_template("scale out", (2, 10, 5), (1, 20, None), (1, None, 5))
    answer = enter(service, strategy="scale out", qty=4)
    assert answer.body["legs"] == {name: f"order-1.{name}" for name in ("TARGET1", "STOP1", "TARGET2", "STOP3")}
    assert "warnings" not in answer.body
    legs = {leg.order_name: leg for leg in listed(service).values() if leg.entry_id}
    shape = {
        name: (leg.order_type, leg.qty, leg.offset, leg.tif, leg.action, str(leg.state)) for name, leg in legs.items()
    }
    assert shape == {
        "TARGET1": ("LIMIT", 2, 10, "GTC", "SELL", "Initialized"),
        "STOP1": ("STOPMARKET", 2, 5, "GTC", "SELL", "Initialized"),
        "TARGET2": ("LIMIT", 1, 20, "GTC", "SELL", "Initialized"),
        "STOP3": ("STOPMARKET", 1, 5, "GTC", "SELL", "Initialized"),
    }
    assert legs["TARGET1"].oco_id == legs["STOP1"].oco_id is not None
    assert legs["TARGET2"].oco_id is legs["STOP3"].oco_id is None
    assert strategy_item(service)["template"] == "scale out"
    assert entries(service) == {"1": "order-1", "2": "order-1", "3": "order-1"}


@pytest.mark.parametrize(
    ("qty", "shares", "rest"),
    [(1, [1], 0), (2, [2], 0), (3, [2, 1], 0), (5, [2, 2, 1], 0), (6, [2, 2, 2], 0), (9, [2, 2, 2], 3)],
)
def test_brackets_take_the_quantity_in_their_order_and_warn_of_the_rest(
    service: Service, qty: int, shares: list[int], rest: int
) -> None:
    service.put_template("three", *[(2, None, 5)] * 3)
    answer = enter(service, strategy="three", qty=qty)
    legs = [leg.qty for leg in listed(service).values() if leg.entry_id]
    assert (legs, list(answer.body["legs"])) == (shares, [f"STOP{n}" for n, _ in enumerate(shares, 1)])
    warned = [(warning["code"], warning["field"]) for warning in answer.body.get("warnings", [])]
    assert warned == ([("unprotected_quantity", "qty")] if rest else [])
    # The numbers of all brackets are taken: a larger quantity may reach the others still.
    assert names(service, "order-2") == ["ENTRY4"]


@pytest.mark.parametrize("name", ["one", "ONE", "  One"])
@pytest.mark.parametrize("field", ["strategy", "atm_strategy"])
def test_a_template_can_be_given_as_atm_strategy_and_in_any_case(service: Service, field: str, name: str) -> None:
    service.put_template("One", (5, 10, 5))
    assert list(service.place("order-1", **{field: name}).body["legs"]) == ["TARGET1", "STOP1"]


def test_a_second_entry_with_the_template_gets_the_next_numbers(service: Service) -> None:
    service.put_template("two", (3, 10, 5), (2, 20, None))
    enter(service, strategy="two")
    answer = enter(service, "order-2", strategy="two")
    assert answer.body["order_name"] == "ENTRY3"
    assert list(answer.body["legs"]) == ["TARGET3", "STOP3", "TARGET4"]


def test_a_template_needs_as_many_free_numbers_in_a_row(service: Service) -> None:
    service.put_template("two", (3, 10, 5), (2, 20, 10))
    for number in (1, 2, 3, 4):
        enter(service, f"order-{number}")
    service.cancel("order-1")
    service.cancel("order-3")
    assert names(service, "large", strategy="two") == ["ENTRY5", "TARGET5", "STOP5", "TARGET6", "STOP6"]
    assert names(service, "small") == ["ENTRY1"]
    service.cancel("order-2")
    assert names(service, "second", strategy="two") == ["ENTRY2", "TARGET2", "STOP2", "TARGET3", "STOP3"]


def test_an_entry_has_one_name_though_its_template_takes_several_numbers(service: Service) -> None:
    service.put_template("two", (3, 10, 5), (2, 20, 10))
    enter(service, strategy="two")
    for name in ("ENTRY2", "ENTRY3"):
        answer = service.cancel(name, strategy_id="strategy-1")
        assert (answer.status, answer.word) == (404, "order_not_found")
    assert service.state() == "Working"
    assert service.cancel("STOP2", strategy_id="strategy-1").body["order_id"] == "order-1.STOP2"


def test_a_bracket_that_is_finished_frees_its_number_while_another_works(service: Service) -> None:
    service.put_template("two", (3, 10, 5), (2, 20, 10))
    enter(service, strategy="two")
    service.report("Filled", 5)
    for order_id, state in (("order-1.TARGET1", "Filled"), ("order-1.STOP1", "Cancelled")):
        service.report(state, 3 if state == "Filled" else 0, order_id=order_id)
    assert names(service, "order-2") == ["ENTRY1"]
    assert names(service, "order-3") == ["ENTRY3"]
    for name, order_id in (("STOP2", "order-1.STOP2"), ("TARGET2", "order-1.TARGET2"), ("ENTRY1", "order-2")):
        answer = service.cancel(name, strategy_id="strategy-1")
        assert (answer.word, answer.body["order_id"]) == ("cancelled", order_id)


def test_an_unknown_template_and_another_traders_are_refused_and_nothing_is_written(service: Service) -> None:
    service.put_template("theirs", (1, 10, 5), trader="somebody-else")
    for name in ("theirs", "nobodys"):
        answer = service.place("order-1", strategy=name)
        assert (answer.status, answer.body) == (
            404,
            refused(
                "strategy_not_found",
                f"There is no template {name}; store it with `orderhook templates put`, with --ninjatrader if it is "
                "one of NinjaTrader's own.",
                field="strategy",
            ),
        )
    assert service.belongings() == []


def test_a_taken_id_is_refused_before_a_template_that_is_missing(service: Service) -> None:
    service.place("order-1")
    answer = service.place("order-1", strategy="none")
    assert (answer.status, answer.word, answer.body["field"]) == (409, "duplicate_order_id", "order_id")


# The same id again

SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "in a strategy": {"strategy_id": "strategy-1"},
    "with legs": {"strategy_id": "strategy-1", "take_profit": 5020, "stop_loss": 4980},
    "with legs and no strategy id": {"take_profit": 5020, "stop_loss": 4980},
    "in an OCO group": {"oco_id": "pair-1"},
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))


def taken(order_id: str, what: str, state: str, since: str, strategy_id: str | None = None) -> dict[str, Any]:
    """Return the body of the refusal of an id that an order has."""
    example = "" if strategy_id else " (S stands for a strategy_id of your choice)"
    strategy_id = strategy_id or "S"
    return refused(
        "duplicate_order_id",
        f"order_id {order_id} is taken by {what}, which has been {state} since {since}. Write an id that is new each "
        f"time, order_id={order_id}-{{{{timenow}}}};strategy_id={strategy_id}, and cancel it by order_id=ENTRY1;"
        f"strategy_id={strategy_id}{example}.",
        field="order_id",
        state=state,
    )


@every_shape
def test_the_same_alert_again_is_a_success_that_writes_nothing(service: Service, shape: dict[str, Any]) -> None:
    first = service.place("order-1", **shape)
    before = service.belongings()
    second = service.place("order-1", **shape)
    assert (second.status, second.body) == (200, {**first.body, "status": "already_placed"})
    assert service.belongings() == before


@pytest.mark.parametrize(
    "spelling",
    [
        {"qty": "5.0", "limit_price": "5000.2500", "action": "buy", "tif": "gtc", "stop_price": 0},
        {"account": "SIM101", "instrument": "es  12-26"},
        {"notes": "another remark"},
        {"cancel_after": 5},
        {"delay": 5},
        {"rate_limit": 9, "id": "es"},
        {"bypass_trade_windows": "true", "start_time": "09:30"},
    ],
    ids=str,
)
def test_the_same_order_said_in_another_way_is_the_same(service: Service, spelling: dict[str, Any]) -> None:
    service.place("order-1")
    before = service.belongings()
    again = service.place("order-1", **spelling)
    assert (again.word, again.body["state"]) == ("already_placed", "Working")
    assert service.belongings() == before
    service.pass_time(600)  # what the second alert may have put off does nothing to the first one's order
    assert service.belongings() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": 6},
        {"action": "SELL"},
        {"limit_price": "5000"},
        {"account": "Sim102"},
        {"tif": "DAY"},
        {"oco_id": "pair-1"},
        {"strategy_id": "strategy-1"},
        {"take_profit": 5100},
    ],
    ids=str,
)
def test_the_same_id_with_other_content_is_refused_and_the_first_stays(
    service: Service, changes: dict[str, Any]
) -> None:
    service.place("order-1")
    before = service.belongings()
    answer = service.place("order-1", **changes)
    since = service.plain()["since"]
    assert (answer.status, answer.body) == (409, taken("order-1", "another order", "Working", since))
    assert service.belongings() == before


def test_an_order_is_compared_with_what_it_was_placed_with(service: Service) -> None:
    replacement = {**ENTRY, "order_id": "order-1", "qty": 8, "limit_price": 4990}
    for number, fields in enumerate([{"command": "CHANGE", "order_id": "order-1", "qty": 7}, replacement], 1):
        service.place("order-1")
        assert service.send(**{"command": "CANCELREPLACE", **fields}).status == 200  # type: ignore[arg-type]
        assert service.place("order-1").word == "already_placed"
        present = {name: fields[name] for name in ("qty", "limit_price") if name in fields}
        assert service.place("order-1", **present).word == "duplicate_order_id"
        assert service.plain()["version"] == 1 + number


@EACH_ONCE
@every_shape
@pytest.mark.parametrize("state", FINISHED)
def test_the_id_of_a_finished_order_stays_taken(service: Service, state: str, shape: dict[str, Any]) -> None:
    strategy_id = service.place("order-1", **shape).body.get("strategy_id")
    service.report(state)
    since, before = service.plain()["since"], service.belongings()
    again, other = service.place("order-1", **shape), service.place("order-1", **{**shape, "qty": 6})
    same = "the same order, placed before"
    assert (again.status, again.body) == (409, taken("order-1", same, state, since, strategy_id))
    assert (other.status, other.body) == (409, taken("order-1", "another order", state, since, strategy_id))
    assert service.belongings() == before


def test_the_id_of_an_order_whose_day_is_over_is_taken_by_what_has_expired(service: Service) -> None:
    service.place("order-1", tif="DAY")
    service.let_pass(DAY)
    answer = service.place("order-1", tif="DAY")
    day_ends = service.plain()["day_ends"]
    assert (answer.status, answer.body) == (409, taken("order-1", "the same order, placed before", "Expired", day_ends))


@pytest.mark.parametrize("seconds", [0, 5, 20, DAY])
def test_a_finished_orders_alert_that_was_answered_is_a_new_alert(service: Service, seconds: float) -> None:
    service.place("order-1")
    service.cancel("order-1")
    service.let_pass(seconds)
    answer = service.place("order-1")
    assert (answer.word, answer.body["state"]) == ("duplicate_order_id", "Cancelled")


def test_the_way_out_of_a_taken_id_works_every_day(service: Service) -> None:
    for day in ("2026-03-02T14:30:00Z", "2026-03-03T14:30:00Z"):
        assert service.place(f"long-{day}", strategy_id="S", **LEGS).word == "placed"
        answer = service.cancel("ENTRY1", strategy_id="S")
        assert (answer.word, answer.body["order_id"]) == ("cancelled", f"long-{day}")


@pytest.mark.parametrize("order_id", ["x", "long:2", "long:15", "es-09:30", "a.b", "ENTRY1-a", "Long Entry", "TP/SL"])
def test_an_id_is_never_mixed_up_with_that_of_another_order(service: Service, order_id: str) -> None:
    service.place(order_id)
    replacement = service.send("CANCELREPLACE", **{**ENTRY, "order_id": order_id, "limit_price": 4990})
    assert (replacement.word, replacement.body["order_id"]) == ("replaced", order_id)
    head, _, end = order_id.rpartition(":")
    if head:
        assert service.place(f"{head}:{int(end) + 1}").word == "placed"
        assert service.place(head).word == "placed"
    assert service.cancel(order_id).body["order_id"] == order_id


def test_a_duplicate_that_would_join_its_own_strategy_is_recognised(service: Service) -> None:
    enter(service)
    enter(service, "order-2", take_profit=5020)
    before = service.belongings()
    answer = enter(service, "order-2", take_profit=5020)
    assert (answer.word, answer.body["order_name"]) == ("already_placed", "ENTRY2")
    assert service.belongings() == before


def test_a_duplicate_without_strategy_id_is_recognised_beside_many_others(service: Service) -> None:
    service.place("order-1", **LEGS)
    have_numbers(service, {1: "order-1"} | {number: f"open-{number}" for number in range(2, 28)}, "order-1")
    have_entry(service, 27, "open-27", "order-1")
    assert service.place("order-1", **LEGS).word == "already_placed"
    assert service.place("order-1", **LEGS, qty=1).word == "duplicate_order_id"


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


def test_a_duplicate_of_what_waits_for_its_delay_is_scheduled_already(service: Service) -> None:
    first = enter(service, delay=30, **LEGS)
    before = service.belongings()
    again = enter(service, delay=30, **LEGS)
    assert (again.status, again.body) == (200, {**first.body, "duplicate": True})
    assert service.belongings() == before
    service.pass_time(31)
    assert enter(service, delay=30, **LEGS).word == "already_placed"
    assert enter(service, delay=30, qty=1).word == "duplicate_order_id"
    assert entries(service) == {"1": "order-1"}


def test_another_traders_order_id_is_free(service: Service) -> None:
    service.place("order-1")
    other = service.issue_key(trader=f"{service.trader}-neighbour")
    assert service.place("order-1", key=other, qty=1).word == "placed"
    assert service.plain()["qty"] == 5


@pytest.mark.parametrize(
    "name", ["ENTRY1", "exit2", "STOP", "SimStop0", "TARGET01", "order-1.STOP1", "order-1.target2", "a.b.ENTRY12"]
)
def test_an_id_that_looks_like_a_name_or_a_legs_is_refused(service: Service, name: str) -> None:
    service.place("order-1", take_profit=5020)
    before = service.belongings()
    answer = service.place(name)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "order_id")
    assert "-{{timenow}}" in answer.body["detail"]
    assert service.belongings() == before


# All or nothing, and writes whose answer is lost


def command(order_id: str, **changes: object) -> commands.Command:
    fields = {**ENTRY, "order_id": order_id, "strategy_id": "strategy-1", **changes}
    place, _ = commands.parse_command(Place, {name: str(value) for name, value in fields.items()})
    return place


def overtaking(service: Service, order_id: str) -> Fault:
    """Have another alert place this order in strategy-1 just before a request arrives."""
    return run_before(lambda: service.run(command(order_id), f"request-{order_id}"))


def test_two_alerts_that_start_one_strategy_become_its_first_and_second_entry(service: Service) -> None:
    service.warm_up()
    service.network.inject("TransactWriteItems", overtaking(service, "faster"))
    assert names(service, "order-1", take_profit=5020) == ["ENTRY2", "TARGET2"]
    assert entries(service) == {"1": "faster", "2": "order-1"}


def test_a_join_that_another_overtakes_takes_the_next_name(service: Service) -> None:
    enter(service)
    service.warm_up()
    service.network.inject("TransactWriteItems", no_fault, overtaking(service, "faster"))
    assert names(service, "order-2") == ["ENTRY3"]
    assert entries(service) == {"1": "order-1", "2": "faster", "3": "order-2"}


def test_two_alerts_that_take_a_free_name_over_do_not_share_it(service: Service) -> None:
    enter(service)
    service.cancel("order-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", overtaking(service, "faster"))
    assert names(service, "order-2") == ["ENTRY2"]
    assert entries(service) == {"1": "faster", "2": "order-2"}


def test_a_name_that_is_free_again_at_the_last_moment_is_found(service: Service) -> None:
    for number in (1, 2):
        enter(service, f"order-{number}")
    service.warm_up()
    service.network.inject("TransactWriteItems", run_before(lambda: service.cancel_elsewhere("order-1")))
    assert names(service, "order-3") == ["ENTRY1"]


def test_a_strategy_that_began_anew_elsewhere_just_before_takes_no_order_from_here(service: Service) -> None:
    enter(service)
    service.cancel("order-1")
    service.warm_up()
    faster = command("faster", account="Sim102")
    service.network.inject("TransactWriteItems", run_before(lambda: service.run(faster, "request-faster")))
    answer = enter(service, "order-2")
    assert (answer.status, answer.word) == (409, "strategy_mismatch")
    assert service.item("order-2") is None


def test_a_strategy_that_leaves_the_table_at_the_last_moment_is_started_again(service: Service) -> None:
    enter(service)
    service.cancel("order-1")
    service.warm_up()
    key = {name: service.strategy()[name] for name in ("pk", "sk")}  # type: ignore[index]
    leave = run_before(lambda: service.table.client.delete_item(TableName=service.table.name, Key=key))
    service.network.inject("TransactWriteItems", leave)
    assert names(service, "order-2") == ["ENTRY1"]
    assert strategy_item(service)["version"] == 1


@pytest.mark.parametrize("order_id", ["order-1", None])
def test_a_join_that_is_overtaken_again_and_again_gives_way(service: Service, order_id: str | None) -> None:
    service.warm_up()
    service.network.inject("TransactWriteItems", *(overtaking(service, f"faster-{number}") for number in range(4)))
    answer = enter(service, order_id)
    assert (answer.status, answer.body) == (
        503,
        refused(
            "temporarily_unavailable",
            "Other alerts are changing this strategy. Send the same alert again; it is safe.",
            reason="Contention",
        ),
    )
    assert len(service.open_orders()) == 4


@every_shape
def test_an_order_whose_id_is_taken_leaves_no_strategy(service: Service, shape: dict[str, Any]) -> None:
    service.have_order("Working")
    before = service.belongings()
    assert service.place("order-1", **shape).word == "duplicate_order_id"
    assert service.belongings() == before


@pytest.mark.parametrize("order_id", ["order-1", None])
@every_shape
def test_a_write_whose_answer_is_lost_is_recognised_when_it_is_sent_again(
    service: Service, shape: dict[str, Any], order_id: str | None
) -> None:
    service.warm_up()
    in_strategy = bool(shape.keys() - {"oco_id"})
    operation = "TransactWriteItems" if in_strategy else "PutItem"
    service.network.inject(operation, lose_response)
    answer = service.place(order_id, **shape)
    assert (answer.status, answer.word) == (200, "placed")
    reads = ["GetItem", "GetItem"] if in_strategy else ["GetItem"]
    assert service.network.operations == [*reads, operation, operation]
    assert service.state(answer.body["order_id"]) == "Working"
    assert len(listed(service, open_only=True)) == 1 + len(answer.body.get("legs", {}))


def test_a_join_whose_answer_is_lost_is_recognised_when_it_is_sent_again(service: Service) -> None:
    enter(service)
    service.warm_up()
    service.network.inject("TransactWriteItems", throttle, no_fault, lose_response)
    # The first attempt is throttled, the next meets that ENTRY1 is open, and the answer of the third is lost.
    answer = enter(service, "order-2", take_profit=5020)
    assert (answer.word, answer.body["order_name"]) == ("placed", "ENTRY2")
    assert entries(service) == {"1": "order-1", "2": "order-2"}


def test_a_join_that_conflicts_with_another_write_is_to_be_sent_again(service: Service) -> None:
    enter(service)
    before = service.belongings()
    service.warm_up()
    service.network.inject("TransactWriteItems", *[conflict_in_transaction] * 6)
    assert enter(service, "order-2").status == 503
    assert service.belongings() == before


@every_shape
def test_an_order_with_an_id_whose_outcome_is_unknown_is_sent_again(service: Service, shape: dict[str, Any]) -> None:
    service.warm_up()
    service.network.always = in_writes(lose_response)
    first = service.place("order-1", **shape)
    assert (first.status, first.word) == (503, "temporarily_unavailable")
    service.network.always = no_fault
    assert service.place("order-1", **shape).word == "already_placed"
    assert len([item for item in service.belongings() if item["sk"]["S"] == "ORDER#order-1"]) == 1


@every_shape
def test_a_resend_of_an_order_that_is_finished_meanwhile_is_a_success(service: Service, shape: dict[str, Any]) -> None:
    service.warm_up()
    service.network.always = in_writes(lose_response)
    assert service.place("order-1", **shape).status == 503
    service.network.always = no_fault
    service.cancel("order-1")
    service.let_pass(5)
    again = service.place("order-1", **shape)
    assert (again.status, again.word, again.body["state"]) == (200, "already_placed", "Cancelled")
    # That was answered, so the next is a new alert.
    service.let_pass(5)
    assert service.place("order-1", **shape).word == "duplicate_order_id"


@pytest.mark.parametrize("lost", [lose_request, lose_response, internal_error])
@every_shape
def test_an_order_without_id_whose_outcome_is_unknown_must_not_be_sent_again(
    service: Service, shape: dict[str, Any], lost: Fault
) -> None:
    service.warm_up()
    service.network.always = in_writes(lost)
    answer = service.place(None, **shape)
    assert (answer.status, answer.body) == (
        409,
        refused(
            "outcome_unknown",
            "The order may or may not have been placed: look before you send it again. An order_id makes that safe.",
            order_id=answer.request_id,
            reason=answer.body["reason"],
        ),
    )
    assert {order.order_id for order in service.placed()} <= {answer.body["order_id"]}
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("refusal", [throttle_throughput, throttle], ids=["throughput", "throttling"])
@every_shape
def test_an_order_without_id_that_was_surely_not_placed_is_sent_again(
    service: Service, shape: dict[str, Any], refusal: Fault
) -> None:
    service.warm_up()
    service.network.always = in_writes(refusal)
    assert service.place(None, **shape).status == 503
    assert service.belongings() == []
