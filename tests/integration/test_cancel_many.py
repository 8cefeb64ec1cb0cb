"""CANCELORDERS and CANCELALLORDERS: which orders they reach, one write for each, and what remains when time is up."""

import time
from collections.abc import Mapping
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from orderhook.aws.budget import CONNECTIONS, time_budget
from orderhook.commands.cancel_many import Scope, cancel_many
from orderhook.orders import timestamp
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.expressions import Condition
from orderhook.store.orders import OrderStore
from orderhook.store.results import WriteResult
from orderhook.store.table import serialize
from tests.builders import lists, provenance, refused, unfinished
from tests.client_faults import in_requests_with, perform
from tests.faults import (
    LEAVING_DONE,
    Fault,
    every_fault,
    lose_request,
    lose_response,
    no_fault,
    reject,
    run_before,
    throttle,
)
from tests.marks import EACH_ONCE, LONG
from tests.output import Answer
from tests.service import FILLED, Service
from tests.states import BEING_CANCELLED, CANCELLABLE, FINISHED, FINISHED_OTHERWISE
from tests.tables import Item
from tests.trades import to_noon_in_new_york

PUT, UPDATE, QUERY = "PutItem", "UpdateItem", "Query"

ALERTS: dict[str, dict[str, str]] = {
    "an account": {"command": "CANCELORDERS", "account": "Sim101"},
    "an account and instrument": {"command": "CANCELORDERS", "account": "Sim101", "instrument": "ES 12-26"},
    "all": {"command": "CANCELALLORDERS"},
}
every_alert = pytest.mark.parametrize("alert", ALERTS.values(), ids=list(ALERTS))

LEGS: dict[str, Any] = {"take_profit": 5020, "stop_loss": 4980}


def cancelled(*order_ids: str, **more: Any) -> dict[str, Any]:
    """Return the body of an answer that lists these orders as cancelled, and no others."""
    return {"success": True, "status": "cancelled", **lists(cancelled=list(order_ids), **more)}


def nothing_to_cancel(*accounts: str, what: str = "No open order matched.") -> dict[str, Any]:
    """Return the body of an answer to what matched nothing, while orders of these accounts are open."""
    there = f"Accounts with open orders: {', '.join(accounts)}." if accounts else "No account has an open order."
    warning = {"code": "nothing_to_cancel", "detail": f"{what} {there}"}
    return {"success": True, "status": "nothing_to_cancel", **lists(), "warnings": [warning]}


def of_account(service: Service, account: str, instrument: str | None = None, **more: str) -> Answer:
    return service.send("CANCELORDERS", account=account, instrument=instrument, **more)


def before_the_cancels(alert: Mapping[str, str]) -> list[str]:
    """Return the requests that come before the first cancel."""
    # The trace that a resend would meet; for all orders what voids those that wait; the list.
    return [PUT, *([UPDATE] if alert["command"] == "CANCELALLORDERS" else []), QUERY]


def put_item(service: Service, order_id: str, **attributes: object) -> None:
    """Have an item that the product did not write lie among the open orders."""
    key = items.order_key(service.trader, order_id)
    item = {"order_id": order_id, "open": f"{items.open_prefix('Sim101', 'ES 12-26')}{order_id}", **attributes}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(key | item))


# Which orders


@EACH_ONCE
@every_alert
@pytest.mark.parametrize("state", CANCELLABLE)
def test_a_working_order_is_cancelled_and_nothing_else_of_it_changes(
    service: Service, state: str, alert: dict[str, str]
) -> None:
    service.have_order(state, filled=FILLED.get(state))
    before = service.plain()
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (200, cancelled("order-1"))
    after = service.plain()
    signed = {
        "state": "Cancelled",
        "since": after["cancelled_at"],
        "version": before["version"] + 1,
        "request_id": answer.request_id,
        "cancel_request_id": answer.request_id,
        "cancel_key_id": service.key.split("_")[1],
        "cancel_filled": before["filled"],
    }
    assert signed.items() <= after.items()
    *earlier, latest = after["history"]
    assert (earlier, latest["state"], latest["request_id"]) == (before["history"], "Cancelled", answer.request_id)
    assert after.keys() == (before.keys() - {"open"}) | signed.keys() | {"cancelled_at", "expires", "history"}
    changed = signed.keys() | {"cancelled_at", "expires", "history"}
    assert {name: after[name] for name in after.keys() - changed} == {
        name: before[name] for name in before.keys() - changed - {"open"}
    }
    assert service.record_of(answer).order_ids == ("order-1",)


@every_alert
@pytest.mark.parametrize("state", BEING_CANCELLED)
def test_an_order_that_is_being_cancelled_is_listed_and_stays_as_it_is(
    service: Service, state: str, alert: dict[str, str]
) -> None:
    service.have_order(state)
    before = service.item()
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (
        200,
        {"success": True, "status": "cancel_pending", **lists(cancel_pending=["order-1"])},
    )
    assert service.item() == before


@EACH_ONCE
@every_alert
@pytest.mark.parametrize("state", FINISHED)
def test_a_finished_order_is_neither_read_nor_listed(service: Service, state: str, alert: dict[str, str]) -> None:
    service.have_order(state)
    before = service.item()
    service.warm_up()
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (200, nothing_to_cancel())
    assert service.network.operations == [*before_the_cancels(alert), QUERY]
    assert service.item() == before
    assert not service.record_of(answer).duplicate


@every_alert
def test_finished_orders_cost_nothing(service: Service, alert: dict[str, str]) -> None:
    for number in range(20):
        service.have_order("Filled", f"filled-{number}")
    for order_id in ("a", "b"):
        service.place(order_id, **LEGS)
    service.warm_up()
    answer = service.send(**alert)
    assert (answer.word, answer.body["cancelled"]) == ("cancelled", ["a", "b"])
    before = before_the_cancels(alert)
    assert service.network.operations == [*before, UPDATE, UPDATE]
    [query, *writes] = service.network.requests[len(before) - 1 :]
    assert (query.payload["IndexName"], query.payload["ConsistentRead"]) == ("open", True)
    assert all(write.payload["ConditionExpression"] for write in writes)


def test_each_order_is_listed_once_by_its_outcome(service: Service) -> None:
    for order_id, state in {"a": "Working", "b": "CancelPending", "c": "Filled", "d": "PartFilled"}.items():
        service.have_order(state, order_id)
    answer = of_account(service, "Sim101")
    assert answer.body == cancelled("a", "d", cancel_pending=["b"])
    assert of_account(service, "Sim101").word == "cancel_pending"


LABELS = ["Sim1", "Sim10", "Sim1 ", "Sim1#", "Sim1%", "Sim1%23", "Sim1#ES", "#", "%", "%25", "##"]


@pytest.mark.parametrize("account", [label for label in LABELS if label == label.strip()])
def test_only_orders_of_exactly_this_account_are_cancelled(service: Service, account: str) -> None:
    accounts = {label.strip(): f"order-{number}" for number, label in enumerate(LABELS)}
    for name, order_id in accounts.items():
        service.place(order_id, account=name)
    assert of_account(service, account).body == cancelled(accounts[account])
    assert sorted(service.open_orders()) == sorted(set(accounts.values()) - {accounts[account]})


@pytest.mark.parametrize("instrument", ["ES", "ES 12-26", "ES#", "E", "%", "#"])
def test_only_orders_of_exactly_this_instrument_are_cancelled(service: Service, instrument: str) -> None:
    instruments = {name: f"order-{n}" for n, name in enumerate(["ES", "ES 12-26", "ES#", "E", "%", "#"])}
    for name, order_id in instruments.items():
        service.place(order_id, instrument=name)
    service.place("elsewhere", instrument=instrument, account="Sim102")
    answer = dict(of_account(service, "Sim101", instrument).body)
    assert [it["code"] for it in answer.pop("warnings", [])] == ["unlisted_instrument"] * (instrument != "ES 12-26")
    assert answer == cancelled(instruments[instrument])
    assert len(service.open_orders()) == len(instruments)


@pytest.mark.parametrize(
    ("account", "instrument"),
    [("sim101", None), ("SIM101", "es 12-26"), ("Sim101", "Es  12-26")],
)
def test_accounts_and_instruments_are_compared_without_case(
    service: Service, account: str, instrument: str | None
) -> None:
    service.place("order-1")
    assert of_account(service, account, instrument).body == cancelled("order-1")


def test_a_separator_in_an_account_does_not_blur_where_it_ends(service: Service) -> None:
    service.place("order-1", account="A#B", instrument="C")
    service.place("order-2", account="A", instrument="B#C")
    assert of_account(service, "A").body == cancelled("order-2")
    assert of_account(service, "A#B", "C").body["cancelled"] == ["order-1"]


@every_alert
def test_waiting_legs_end_with_their_entry_and_are_not_counted(service: Service, alert: dict[str, str]) -> None:
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    service.place("order-2", stop_loss=4980)
    legs = {"order-1": ["order-1.STOP1", "order-1.TARGET1"], "order-2": ["order-2.STOP1"]}
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (200, cancelled("order-1", "order-2", cancelled_legs=legs))
    assert service.cancel("STOP1", strategy_id="strategy-1").word == "already_cancelled"
    assert service.open_orders() == []


@every_alert
def test_released_legs_are_orders_of_their_own(service: Service, alert: dict[str, str]) -> None:
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    service.report("PartFilled", 2)
    answer = service.send(**alert)
    assert sorted(answer.body["cancelled"]) == ["order-1", "order-1.STOP1", "order-1.TARGET1"]
    assert "cancelled_legs" not in answer.body
    assert service.open_orders() == []


def test_a_leg_that_was_ended_by_itself_is_not_listed_with_its_entry(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    service.cancel("TARGET1", strategy_id="strategy-1")
    assert of_account(service, "Sim101").body["cancelled_legs"] == {"order-1": ["order-1.STOP1"]}


def test_orders_in_all_accounts_are_cancelled(service: Service) -> None:
    service.place("order-1", account="A")
    service.place("order-2", account="B", instrument="NQ 12-26")
    service.place("order-3", account="C", strategy_id="strategy-1")
    assert service.send("CANCELALLORDERS").body == cancelled("order-1", "order-2", "order-3")


@every_alert
def test_another_traders_orders_stay_as_they_are(service: Service, alert: dict[str, str]) -> None:
    service.place("order-1")
    before = service.belongings()
    # Longer by an ending, so that a key condition that only begins with the name would reach it too.
    for trader in (f"{service.trader}-not", service.trader[:-1]):
        answer = service.send(**alert, key=service.issue_key(trader=trader))
        assert (answer.status, answer.body) == (200, nothing_to_cancel())
    assert service.belongings() == before


@every_alert
def test_a_day_order_whose_day_is_over_is_none(service: Service, alert: dict[str, str]) -> None:
    to_noon_in_new_york(service)
    service.place("order-1", tif="DAY", account="Sim101")
    service.place("order-2", tif="DAY", account="Sim102")
    service.let_pass(6 * 3600)
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (200, nothing_to_cancel())
    assert service.state() != "Cancelled"


@every_alert
def test_a_day_order_is_cancelled_before_its_day_is_over(service: Service, alert: dict[str, str]) -> None:
    to_noon_in_new_york(service)
    service.place("order-1", tif="DAY")
    service.let_pass(4 * 3600)
    assert service.send(**alert).body == cancelled("order-1")


def test_what_is_in_the_index_and_is_no_order_is_passed_by(service: Service) -> None:
    service.place("order-1")
    put_item(service, "marker", open="#marker")
    assert service.send("CANCELALLORDERS").body == cancelled("order-1")
    assert of_account(service, "Sim101").body == nothing_to_cancel()


# What matches nothing


def test_where_nothing_matches_the_accounts_with_open_orders_are_named(service: Service) -> None:
    service.place("order-1", account="Sim102")
    service.place("order-2", account="Sim101", instrument="NQ 12-26")
    before = service.belongings()
    for account, instrument in (("NoSuch", None), ("Sim101", "ES 12-26"), ("Sim10", None)):
        answer = of_account(service, account, instrument)
        assert (answer.status, answer.body) == (200, nothing_to_cancel("Sim101", "Sim102"))
        record = service.record_of(answer)
        assert (record.outcome, record.duplicate, record.order_ids) == ("nothing_to_cancel", False, ())
    assert service.belongings() == before


def test_an_account_that_is_spelt_in_two_ways_is_named_once(service: Service) -> None:
    for order_id, account in (("a", "sim101"), ("b", "Sim101"), ("c", "Apex-7"), ("d", "SIM101")):
        service.place(order_id, account=account)
    assert of_account(service, "NoSuch").body == nothing_to_cancel("Apex-7", "SIM101")


def test_where_nothing_is_open_any_more_it_is_said_again_and_is_no_duplicate(service: Service) -> None:
    service.place("order-1")
    assert of_account(service, "Sim101").word == "cancelled"
    for _ in range(2):
        answer = of_account(service, "Sim101")
        assert answer.body == nothing_to_cancel()
        assert "duplicate" not in answer.body


# What does not say which


@pytest.mark.parametrize(
    ("fields", "field", "word"),
    [
        ({}, "account", "missing_field"),
        ({"account": ""}, "account", "missing_field"),
        ({"instrument": "ES"}, "account", "missing_field"),
        ({"account": "Sim101", "instrument": ""}, "instrument", "missing_field"),
        ({"account": "{{account}}"}, "account", "unresolved_placeholder"),
        ({"account": "Sim\t101"}, "account", "invalid_value"),
        ({"account": '"Sim101"'}, "account", "invalid_value"),
        ({"account": "null"}, "account", "invalid_value"),
        ({"account": "Sim101", "instrument": "x" * 65}, "instrument", "invalid_value"),
        ({"account": "Sim101", "symbol": "ES 12-26"}, "symbol", "unknown_field"),
        ({"account": "Sim101", "order_id": "order-1"}, "order_id", "invalid_value"),
        ({"account": "Sim101", "strategy_id": "strategy-1"}, "strategy_id", "invalid_value"),
        ({"account": "Sim101", "action": "BUY"}, "action", "invalid_value"),
    ],
    ids=str,
)
def test_an_alert_that_does_not_say_which_orders_cancels_nothing(
    service: Service, fields: dict[str, str], field: str, word: str
) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    answer = service.send("CANCELORDERS", **fields)
    assert (answer.status, answer.word, answer.body["field"]) == (400, word, field)
    assert service.network.requests == []


@pytest.mark.parametrize(
    ("fields", "word", "way_out"),
    [
        ({"account": "Sim101"}, "invalid_value", "CANCELORDERS"),
        ({"account": ""}, "invalid_value", "CANCELORDERS"),
        ({"account": "Sim101,Sim102"}, "invalid_value", "CANCELORDERS"),
        ({"instrument": "ES 12-26"}, "invalid_value", "CANCELORDERS"),
        ({"order_id": "order-1"}, "invalid_value", "CANCEL "),
        ({"strategy_id": "strategy-1"}, "invalid_value", "CLOSESTRATEGY"),
        ({"action": "BUY"}, "invalid_value", ""),
        ({"ticker": "ES 12-26"}, "unknown_field", ""),
    ],
    ids=str,
)
def test_what_was_meant_to_narrow_cancelallorders_cancels_nothing(
    service: Service, fields: dict[str, str], word: str, way_out: str
) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    answer = service.send("CANCELALLORDERS", **fields)
    assert (answer.status, answer.word) == (400, word)
    assert way_out in answer.body["detail"]
    assert service.network.requests == []


# Pages


def test_every_page_of_a_long_list_is_cancelled(service: Service) -> None:
    order_ids = have_two_pages(service)
    assert service.send("CANCELALLORDERS").body == cancelled(*order_ids)
    queries = [request for request in service.network.requests if request.operation == QUERY]
    assert ["ExclusiveStartKey" in query.payload for query in queries] == [False, True]
    assert service.open_orders() == []


def test_the_pages_before_one_that_cannot_be_read_are_cancelled(service: Service) -> None:
    order_ids = have_two_pages(service)
    service.warm_up()
    service.network.inject(QUERY, no_fault, *[throttle] * 6)
    answer = service.send("CANCELALLORDERS")
    first = answer.body["cancelled"]
    assert (answer.status, answer.body) == (
        503,
        refused("temporarily_unavailable", unfinished(), reason=answer.body["reason"]) | lists(cancelled=first),
    )
    assert 0 < len(first) < len(order_ids)
    assert service.record_of(answer).order_ids == tuple(first)
    service.network.inject(QUERY)
    assert service.send("CANCELALLORDERS").body == cancelled(*order_ids[len(first) :])


def have_two_pages(service: Service) -> list[str]:
    """Have more than a megabyte of open orders, which is what DynamoDB lists on one page."""
    order_ids = [f"order-{number}" for number in range(8)]
    for order_id in order_ids:
        service.have_order("Initialized", order_id, notes="x" * 150_000)
    return order_ids


# Meanwhile


@EACH_ONCE
@pytest.mark.parametrize("state", FINISHED_OTHERWISE)
@every_alert
def test_an_order_that_finishes_after_it_was_listed_stays_as_it_is(
    service: Service, state: str, alert: dict[str, str]
) -> None:
    service.place("order-1")
    service.warm_up()
    finish_after_the_list(service, lambda: service.report(state))
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (
        200,
        {
            **nothing_to_cancel(what="What matched was finished before it could be cancelled: see `already_terminal`."),
            **lists(already_terminal=["order-1"]),
        },
    )
    assert service.state() == state


def finish_after_the_list(service: Service, action: Any) -> None:
    """Have something else happen just before the first cancel."""
    service.network.always = in_requests_with('"ORDER#order-1"', run_before(once(service, action)))


def once(service: Service, action: Any) -> Any:
    def run() -> None:
        service.network.always = no_fault
        action()

    return run


def test_an_order_that_is_cancelled_after_it_was_listed_is_already_cancelled(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, run_before(service.cancel_elsewhere))
    assert of_account(service, "Sim101").body["already_cancelled"] == ["order-1"]
    assert service.plain()["cancel_request_id"] == "elsewhere"


def test_an_order_that_leaves_the_table_after_it_was_listed_is_already_cancelled(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.remove("order-1")))
    assert of_account(service, "Sim101").body["already_cancelled"] == ["order-1"]
    assert service.item() is None


def test_an_order_that_is_placed_after_the_list_is_cancelled_by_the_next_alert(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: service.have_order("Initialized", "order-2")))
    assert of_account(service, "Sim101").body == cancelled("order-1")
    assert of_account(service, "Sim101").body == cancelled("order-2")


@pytest.mark.parametrize("elsewhere", [{"account": "Sim102"}, {"instrument": "NQ 12-26"}], ids=str)
def test_an_order_that_took_the_id_of_a_listed_one_elsewhere_stays_as_it_is(
    service: Service, elsewhere: dict[str, Any]
) -> None:
    """What was asked for is part of the write's condition, and not only of the list."""
    service.place("order-1")
    service.warm_up()

    def replace() -> None:
        service.remove("order-1")
        service.have_order("Initialized", "order-1", **elsewhere)

    service.network.inject(UPDATE, run_before(replace))
    answer = of_account(service, "Sim101", "ES 12-26")
    assert (answer.status, answer.body["cancelled"]) == (200, [])
    assert service.state() == "Initialized"


@every_alert
def test_an_order_that_was_received_after_the_alert_stays_as_it_is(service: Service, alert: dict[str, str]) -> None:
    """Another function may have taken it in, and written it before this one lists."""
    later = timestamp(service.queue.now + timedelta(minutes=10))
    service.have_order("Working", "order-1", received_at=later)
    service.have_order("Working", "order-2")
    assert service.send(**alert).body["cancelled"] == ["order-2"]
    assert service.state() == "Working"


# Each part by itself


@EACH_ONCE
@every_alert
@pytest.mark.parametrize(
    "attributes",
    [
        {"state": "Banana", "account": "Sim101", "instrument": "ES 12-26"},
        {"state": "Banana"},
        {"colour": "red"},
        {"state": 7},
    ],
    ids=str,
)
def test_an_item_that_this_version_cannot_read_hides_no_other(
    service: Service, alert: dict[str, str], attributes: dict[str, Any]
) -> None:
    service.place("a")
    service.place("c")
    put_item(service, "b", **attributes)
    answer = service.send(**alert)
    assert (answer.status, answer.word, answer.body["cancelled"]) == (409, "outcome_unknown", ["a", "c"])
    [failed] = answer.body["failed"]
    assert failed == {"order_id": "b", "reason": "this version cannot read it"}
    assert answer.body["counts"]["failed"] == 1
    record = service.record_of(answer)
    assert record.order_ids == ("a", "c")
    assert (answer.body["reason"], record.reason) == ("UnreadableOrder", "UnreadableOrder")


def test_an_item_that_cannot_be_read_in_one_account_is_the_reason_of_the_whole(service: Service) -> None:
    service.place("x", account="A,B")
    put_item(service, "x.b", state="Weird", account="B")
    answer = service.cancel("x", account="A,B")
    assert (answer.status, answer.body["reason"]) == (409, "UnreadableOrder")
    assert [result.get("reason") for result in answer.body["results"]] == [None, "this version cannot read it"]


@pytest.mark.parametrize("delay", [None, 2])
def test_a_defect_at_one_order_hides_no_other_and_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch, delay: int | None
) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    cancel = OrderStore.cancel

    def strike(store: OrderStore, signed: Provenance, order_id: str, *conditions: Condition) -> WriteResult:
        if order_id == "b":
            raise RuntimeError("THE-MESSAGE")
        return cancel(store, signed, order_id, *conditions)

    monkeypatch.setattr(OrderStore, "cancel", strike)
    answer = service.send("CANCELORDERS", account="Sim101", delay=delay)
    if delay is None:
        assert (answer.status, answer.body["reason"]) == (409, "RuntimeError")
        assert answer.body["failed"] == [{"order_id": "b", "reason": "RuntimeError"}]
    service.pass_time(3)
    assert service.open_orders() == ["b"]
    lines = service.output.lines()
    [defect] = [line for line in lines if line.get("message") == "defect"]
    assert (defect["reason"], "strike" in defect["frames"][-1]) == ("RuntimeError", True)
    assert [line["UnhandledErrors"] for line in lines if "UnhandledErrors" in line] == [[1.0]]


@pytest.mark.parametrize("delay", [None, 2])
@pytest.mark.parametrize(
    "alert",
    [
        {"command": "CANCEL", "order_id": "b"},
        {"command": "CHANGE", "order_id": "b", "qty": 2},
        {"command": "CANCELORDERS", "account": "Sim101"},
    ],
    ids=lambda alert: alert["command"],
)
def test_no_command_says_that_a_resend_helps_with_what_this_version_cannot_read(
    service: Service, alert: dict[str, Any], delay: int | None
) -> None:
    put_item(service, "b", state="Weird", account="Sim101", instrument="ES 12-26")
    answer = service.send(**alert, delay=delay)
    if delay is None:
        assert (answer.status, answer.word) == (409, "outcome_unknown")
        assert "would not help" in answer.body["detail"]
        assert "this version cannot read it" in (
            answer.body.get("reason"),
            *answer.body.get("failed", [{}])[0].values(),
        )
    service.pass_time(3)
    [line] = [line for line in service.output.lines() if line.get("outcome") == "outcome_unknown" and "status" in line]
    assert (line["reason"], service.queue.messages) == ("UnreadableOrder", [])


@every_alert
def test_an_order_whose_history_this_version_cannot_read_is_cancelled_and_told_so(
    service: Service, alert: dict[str, str]
) -> None:
    service.place("order-1")
    item = service.plain()
    item["history"] = [{**item["history"][0], "state": "Banana"}]
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (200, cancelled("order-1"))
    assert service.state() == "Cancelled"


@every_alert
def test_an_order_that_cannot_be_written_hides_no_other(service: Service, alert: dict[str, str]) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.warm_up()
    service.network.always = in_requests_with('"ORDER#b"', reject)
    answer = service.send(**alert)
    failed = [{"order_id": "b", "reason": "ValidationException"}]
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    assert lists(cancelled=["a", "c"], failed=failed).items() <= answer.body.items()
    assert service.record_of(answer).order_ids == ("a", "c")
    assert service.open_orders() == ["b"]


def test_a_record_says_which_orders_could_not_be_cancelled(service: Service) -> None:
    for number in range(7):
        put_item(service, f"b{number}", state="Banana", account="Sim101", instrument="ES 12-26")
    detail = service.record_of(of_account(service, "Sim101")).detail or ""
    assert "b0 (this version cannot read it), b1" in detail
    assert detail.endswith("b4 (this version cannot read it) and 2 more.")
    assert not {"b5", "b6"} & set(detail.split())


def test_where_a_part_may_be_sent_again_it_is_though_another_cannot_be_written(service: Service) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.warm_up()

    def meet(request: Any, deliver: Any) -> Any:
        for order_id, fault in (("b", reject), ("c", throttle)):
            if f'"ORDER#{order_id}"' in str(request.body):
                return perform(fault, request, deliver)
        return None

    service.network.always = meet
    answer = of_account(service, "Sim101")
    assert (answer.status, answer.word, answer.headers["Retry-After"]) == (503, "temporarily_unavailable", "5")
    body = answer.body
    assert (body["cancelled"], body["remaining"], [it["order_id"] for it in body["failed"]]) == (["a"], ["c"], ["b"])


def test_each_account_of_a_list_is_told_what_became_of_it(service: Service) -> None:
    service.place("order-1", account="A,B", **LEGS)
    service.place("order-2", account="C")
    answer = of_account(service, "a,B,NoSuch")
    assert (answer.status, answer.word) == (200, "cancelled")
    first, second, third = answer.body["results"]
    legs = {"order-1.a": ["order-1.a.STOP1", "order-1.a.TARGET1"]}
    assert first == {"account": "a", **cancelled("order-1.a", cancelled_legs=legs)}
    assert (second["account"], second["cancelled"]) == ("B", ["order-1.b"])
    assert (third["account"], third["status"]) == ("NoSuch", "nothing_to_cancel")
    in_a, in_b = (tuple(f"order-1.{account}{leg}" for leg in ("", ".STOP1", ".TARGET1")) for account in "ab")
    assert service.record_of(answer).order_ids == in_a + in_b
    assert service.open_orders() == ["order-2"]


@pytest.mark.parametrize(
    ("fault", "status", "word"),
    [(throttle, 503, "temporarily_unavailable"), (reject, 409, "outcome_unknown")],
    ids=["may be sent again", "cannot be written"],
)
def test_an_order_that_was_not_cancelled_in_one_account_hides_no_other(
    service: Service, fault: Fault, status: int, word: str
) -> None:
    service.place("order-1", account="A,B,C")
    service.warm_up()
    service.network.always = in_requests_with('"ORDER#order-1.b"', fault)
    answer = of_account(service, "A,B,C")
    assert (answer.status, answer.word) == (status, word)
    first, second, third = answer.body["results"]
    assert (first["cancelled"], second["cancelled"], third["cancelled"]) == (["order-1.a"], [], ["order-1.c"])
    assert second["error"] == word
    assert service.record_of(answer).order_ids == ("order-1.a", "order-1.c")


# Faults


def test_a_cancel_among_many_whose_answer_was_lost_recognises_its_own_write(service: Service) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.warm_up()
    service.network.inject(UPDATE, lose_response, lose_request)
    assert of_account(service, "Sim101").body == cancelled("a", "b", "c")
    assert [service.plain(order_id)["version"] for order_id in ("a", "b", "c")] == [2, 2, 2]


@EACH_ONCE
@LONG
@every_fault
@every_alert
@pytest.mark.parametrize("operation", [PUT, QUERY], ids=["the trace", "the list"])
def test_what_cannot_be_begun_cancels_nothing_and_is_to_be_sent_again(
    service: Service, operation: str, alert: dict[str, str], fault: Fault
) -> None:
    service.place("order-1")
    before = service.item()
    service.warm_up()
    service.network.inject(operation, *[fault] * 6)
    answer = service.send(**alert)
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    if operation == QUERY:
        assert answer.body == refused("temporarily_unavailable", unfinished(), reason=answer.body["reason"]) | lists()
    assert answer.headers["Retry-After"] == "5"
    assert service.item() == before
    service.network.inject(operation)
    assert service.send(**alert).body == cancelled("order-1")


@every_fault
def test_what_the_table_does_not_take_remains_and_the_next_alert_finishes_it(service: Service, fault: Fault) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.warm_up()
    service.network.always = in_requests_with('"ORDER#b"', fault)
    answer = of_account(service, "Sim101")
    assert (answer.status, answer.body) == (
        503,
        refused("temporarily_unavailable", unfinished("b"), reason=answer.body["reason"])
        | lists(cancelled=["a", "c"], remaining=["b"]),
    )
    assert service.record_of(answer).order_ids == ("a", "c")
    done = fault in LEAVING_DONE
    assert service.open_orders() == ([] if done else ["b"])
    service.network.always = no_fault
    assert of_account(service, "Sim101").body == (nothing_to_cancel() if done else cancelled("b"))
    assert of_account(service, "Sim101").body == nothing_to_cancel()


def test_a_cancel_that_is_not_finished_says_all_the_same_which_stops_it_took(service: Service) -> None:
    service.place("a", stop_loss=4990)
    service.report("Filled", 5, order_id="a")
    service.place("b")
    service.warm_up()
    service.network.always = in_requests_with('"ORDER#b"', throttle)
    answer = of_account(service, "Sim101")
    assert (answer.status, answer.body["cancelled"], answer.body["remaining"]) == (503, ["a.STOP1"], ["b"])
    [warning] = answer.body["warnings"]
    assert (warning["code"], "a.STOP1" in warning["detail"]) == ("unprotected_quantity", True)
    assert [it.code for it in service.record_of(answer).warnings] == ["unprotected_quantity"]
    service.network.always = no_fault
    # What the first has done, the second cannot know.
    assert "warnings" not in of_account(service, "Sim101").body


@every_alert
def test_when_time_is_up_the_rest_remains_for_the_next_alert(service: Service, alert: dict[str, str]) -> None:
    order_ids = [f"order-{number:02}" for number in range(40)]
    for order_id in order_ids:
        service.have_order("Initialized", order_id)
    service.warm_up()
    begun: list[str] = []
    over = Event()

    def hold_all_but_the_first(params: Item, **_: object) -> None:
        if not params["Key"]["sk"]["S"].startswith("ORDER#"):
            return
        begun.append(params["Key"]["sk"]["S"])
        if not begun[-1].endswith("order-00"):
            if len(begun) == CONNECTIONS + 1:  # the first is done, and every connection is busy again
                service.clock.advance(60)
            over.wait(60)

    events = service.table.handlers_client.meta.events
    events.register("provide-client-params.dynamodb.UpdateItem", hold_all_but_the_first)
    answer = service.send(**alert)
    over.set()
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert (answer.body["cancelled"], sorted(answer.body["remaining"])) == (order_ids[:1], order_ids[1:])
    again = service.send(**alert)
    events.unregister("provide-client-params.dynamodb.UpdateItem", hold_all_but_the_first)
    assert (again.status, sorted(again.body["cancelled"])) == (200, order_ids[1:])
    # Nothing is sent when time is up, and what has not begun by then never does.
    cancels = [request for request in service.network.requests if '"ORDER#' in str(request.payload).replace("'", '"')]
    assert len(cancels) == len(order_ids)
    assert len(begun) == CONNECTIONS + 1 + len(order_ids[1:])


def test_a_cancel_among_many_begins_while_one_second_is_left(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    signed = provenance(service.trader, "request-1")
    with time_budget(time.monotonic() + 1):
        result = cancel_many(service.services, signed, Scope(), signed.received_at)
    assert result.cancelled == ["order-1"]
