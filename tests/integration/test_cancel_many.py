"""CANCELORDERS and CANCELALLORDERS: which orders they reach, one write for each, and what remains when time is up."""

import time
from threading import Event
from typing import Any

import pytest

from orderhook.aws.budget import CONNECTIONS, time_budget
from orderhook.commands.cancel_many import cancel_many
from tests.builders import UNFINISHED, lists, provenance, refused
from tests.client_faults import in_requests_with
from tests.faults import LEAVING_DONE, Fault, every_fault, lose_request, lose_response, no_fault, run_before, throttle
from tests.output import Answer
from tests.service import FILLED, Service
from tests.states import BEING_CANCELLED, CANCELLABLE, FINISHED, FINISHED_OTHERWISE
from tests.tables import Item

ALERTS: dict[str, dict[str, str]] = {
    "an account": {"command": "CANCELORDERS", "account": "Sim101"},
    "an account and instrument": {"command": "CANCELORDERS", "account": "Sim101", "instrument": "ES 12-26"},
    "all": {"command": "CANCELALLORDERS"},
}
every_alert = pytest.mark.parametrize("alert", ALERTS.values(), ids=list(ALERTS))


def cancelled(*order_ids: str) -> dict[str, Any]:
    """Return the body of an answer that lists these orders as cancelled, and no others."""
    status = "cancelled" if order_ids else "already_cancelled"
    return {"success": True, "status": status, **lists(cancelled=list(order_ids))}


def of_account(service: Service, account: str, instrument: str | None = None, **more: str) -> Answer:
    return service.send("CANCELORDERS", account=account, instrument=instrument, **more)


# Which orders


@every_alert
@pytest.mark.parametrize("state", CANCELLABLE)
def test_a_working_order_is_cancelled_and_nothing_else_of_it_changes(
    service: Service, state: str, alert: dict[str, str]
) -> None:
    service.have_order(state, filled=FILLED.get(state))
    before = service.item()
    assert before is not None
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (200, cancelled("order-1"))
    assert service.item() == service.after_cancel(before, answer.request_id, service.plain()["cancelled_at"])
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
        {"success": True, "status": "already_cancelled", **lists(already_cancelled=["order-1"])},
    )
    assert service.item() == before


@every_alert
@pytest.mark.parametrize("state", FINISHED)
def test_a_finished_order_is_neither_read_nor_listed(service: Service, state: str, alert: dict[str, str]) -> None:
    service.have_order(state)
    before = service.item()
    service.warm_up()
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (200, cancelled())
    assert service.network.operations == ["Query"]
    assert service.item() == before
    assert service.record_of(answer).duplicate


def test_finished_orders_cost_nothing(service: Service) -> None:
    for number in range(20):
        service.have_order("Filled", f"filled-{number}")
    for order_id in ("a", "b"):
        service.place(order_id)
    service.warm_up()
    assert of_account(service, "Sim101").body == cancelled("a", "b")
    [query, *writes] = service.network.requests
    assert (query.payload["IndexName"], query.payload["ConsistentRead"]) == ("open", True)
    assert [write.operation for write in writes] == ["UpdateItem"] * 2
    assert all(write.payload["ConditionExpression"] for write in writes)


def test_each_order_is_listed_once_by_its_outcome(service: Service) -> None:
    for order_id, state in {"a": "Working", "b": "CancelPending", "c": "Filled", "d": "PartFilled"}.items():
        service.have_order(state, order_id)
    answer = of_account(service, "Sim101")
    assert (answer.word, answer.body) == (
        "cancelled",
        {"success": True, "status": "cancelled", **lists(cancelled=["a", "d"], already_cancelled=["b"])},
    )
    again = of_account(service, "Sim101")
    assert (again.word, again.body["counts"]) == ("already_cancelled", lists(already_cancelled=["b"])["counts"])


LABELS = ["Sim1", "Sim10", "sim1", "Sim1 ", "Sim1#", "Sim1%", "Sim1%23", "Sim1#ES", "#", "%", "%25", "##"]


@pytest.mark.parametrize("account", [label for label in LABELS if label == label.strip()])
def test_only_orders_of_exactly_this_account_are_cancelled(service: Service, account: str) -> None:
    accounts = {label.strip(): f"order-{number}" for number, label in enumerate(LABELS)}
    for name, order_id in accounts.items():
        service.place(order_id, account=name)
    assert of_account(service, account).body == cancelled(accounts[account])
    assert sorted(service.open_orders()) == sorted(set(accounts.values()) - {accounts[account]})


@pytest.mark.parametrize("instrument", ["ES", "ES 12-26", "es", "ES#", "E", "%", "#"])
def test_only_orders_of_exactly_this_instrument_are_cancelled(service: Service, instrument: str) -> None:
    instruments = {name: f"order-{n}" for n, name in enumerate(["ES", "ES 12-26", "es", "ES#", "E", "%", "#"])}
    for name, order_id in instruments.items():
        service.place(order_id, instrument=name)
    service.place("elsewhere", instrument=instrument, account="Sim102")
    assert of_account(service, "Sim101", instrument).body == cancelled(instruments[instrument])
    assert len(service.open_orders()) == len(instruments)


def test_a_separator_in_an_account_does_not_blur_where_it_ends(service: Service) -> None:
    service.place("order-1", account="A#B", instrument="C")
    service.place("order-2", account="A", instrument="B#C")
    assert of_account(service, "A").body == cancelled("order-2")
    assert of_account(service, "A#B", "C").body == cancelled("order-1")


def test_orders_in_all_accounts_are_cancelled_and_their_legs_with_them(service: Service) -> None:
    service.place("order-1", account="A")
    service.place("order-2", account="B", instrument="NQ 12-26")
    legs = service.place("order-3", account="C", strategy_id="strategy-1", take_profit=5020, stop_loss=4980).body[
        "legs"
    ]
    answer = service.send("CANCELALLORDERS")
    assert sorted(answer.body["cancelled"]) == sorted(["order-1", "order-2", "order-3", *legs.values()])
    assert service.open_orders() == []
    assert service.cancel("STOP1", strategy_id="strategy-1").word == "already_cancelled"


@every_alert
def test_another_traders_orders_stay_as_they_are(service: Service, alert: dict[str, str]) -> None:
    service.place("order-1")
    before = service.belongings()
    # Longer by an ending, so that a key condition that only begins with the name would reach it too.
    for trader in (f"{service.trader}-not", service.trader[:-1]):
        answer = service.send(**alert, key=service.issue_key(trader=trader))
        assert (answer.status, answer.body) == (200, cancelled())
    assert service.belongings() == before


@pytest.mark.parametrize(
    ("fields", "field", "word"),
    [
        ({}, "account", "missing_field"),
        ({"account": ""}, "account", "missing_field"),
        ({"instrument": "ES"}, "account", "missing_field"),
        ({"account": "{{account}}"}, "account", "unresolved_placeholder"),
        ({"account": "Sim\t101"}, "account", "invalid_value"),
        ({"account": "Sim101", "instrument": "x" * 65}, "instrument", "invalid_value"),
    ],
    ids=str,
)
def test_an_alert_that_does_not_say_which_account_cancels_nothing(
    service: Service, fields: dict[str, str], field: str, word: str
) -> None:
    service.place("order-1")
    service.warm_up()
    answer = service.send("CANCELORDERS", **fields)
    assert (answer.status, answer.word, answer.body["field"]) == (400, word, field)
    assert service.network.requests == []


def test_an_account_given_to_cancelallorders_is_ignored_with_a_warning(service: Service) -> None:
    answer = service.send("CANCELALLORDERS", account="Sim101")
    assert [warning["field"] for warning in answer.body["warnings"]] == ["account"]


# Pages


def test_every_page_of_a_long_list_is_cancelled(service: Service) -> None:
    order_ids = have_two_pages(service)
    assert service.send("CANCELALLORDERS").body == cancelled(*order_ids)
    queries = [request for request in service.network.requests if request.operation == "Query"]
    assert ["ExclusiveStartKey" in query.payload for query in queries] == [False, True]
    assert service.open_orders() == []


def test_the_pages_before_one_that_cannot_be_read_are_cancelled(service: Service) -> None:
    order_ids = have_two_pages(service)
    service.warm_up()
    service.network.inject("Query", no_fault, *[throttle] * 6)
    answer = service.send("CANCELALLORDERS")
    first = answer.body["cancelled"]
    assert (answer.status, answer.body) == (
        503,
        refused("temporarily_unavailable", UNFINISHED) | lists(cancelled=first),
    )
    assert 0 < len(first) < len(order_ids)
    service.network.inject("Query")
    assert service.send("CANCELALLORDERS").body == cancelled(*order_ids[len(first) :])


def have_two_pages(service: Service) -> list[str]:
    """Have more than a megabyte of open orders, which is what DynamoDB lists on one page."""
    order_ids = [f"order-{number}" for number in range(8)]
    for order_id in order_ids:
        service.have_order("Initialized", order_id, notes="x" * 150_000)
    return order_ids


# Meanwhile


@pytest.mark.parametrize("state", FINISHED_OTHERWISE)
@every_alert
def test_an_order_that_finishes_after_it_was_listed_stays_as_it_is(
    service: Service, state: str, alert: dict[str, str]
) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("UpdateItem", run_before(lambda: service.report(state)))
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (
        200,
        {"success": True, "status": "already_cancelled", **lists(already_terminal=["order-1"])},
    )
    assert service.state() == state


def test_an_order_that_is_cancelled_after_it_was_listed_is_already_cancelled(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("UpdateItem", run_before(service.cancel_elsewhere))
    assert of_account(service, "Sim101").body["already_cancelled"] == ["order-1"]
    assert service.plain()["cancel_request_id"] == "elsewhere"


def test_an_order_that_leaves_the_table_after_it_was_listed_is_already_terminal(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("UpdateItem", run_before(lambda: service.remove("order-1")))
    assert of_account(service, "Sim101").body["already_terminal"] == ["order-1"]
    assert service.item() is None


def test_an_order_that_is_placed_after_the_list_is_cancelled_by_the_next_alert(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("UpdateItem", run_before(lambda: service.have_order("Initialized", "order-2")))
    assert of_account(service, "Sim101").body == cancelled("order-1")
    assert of_account(service, "Sim101").body == cancelled("order-2")


# Faults


def test_a_cancel_among_many_whose_answer_was_lost_recognises_its_own_write(service: Service) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.warm_up()
    service.network.inject("UpdateItem", lose_response, lose_request)
    assert of_account(service, "Sim101").body == cancelled("a", "b", "c")
    assert [service.plain(order_id)["version"] for order_id in ("a", "b", "c")] == [2, 2, 2]


@every_fault
@every_alert
def test_a_list_that_cannot_be_read_cancels_nothing_and_is_to_be_sent_again(
    service: Service, alert: dict[str, str], fault: Fault
) -> None:
    service.place("order-1")
    before = service.belongings()
    service.warm_up()
    service.network.inject("Query", *[fault] * 6)
    answer = service.send(**alert)
    assert (answer.status, answer.body) == (503, refused("temporarily_unavailable", UNFINISHED) | lists())
    assert answer.headers["Retry-After"] == "5"
    assert service.belongings() == before
    service.network.inject("Query")
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
        refused("temporarily_unavailable", UNFINISHED) | lists(cancelled=["a", "c"], remaining=["b"]),
    )
    assert service.record_of(answer).order_ids == ("a", "c")
    done = fault in LEAVING_DONE
    assert service.open_orders() == ([] if done else ["b"])
    service.network.always = no_fault
    assert of_account(service, "Sim101").body == cancelled(*([] if done else ["b"]))
    assert of_account(service, "Sim101").body == cancelled()


@every_alert
def test_when_time_is_up_the_rest_remains_for_the_next_alert(service: Service, alert: dict[str, str]) -> None:
    order_ids = [f"order-{number:02}" for number in range(40)]
    for order_id in order_ids:
        service.have_order("Initialized", order_id)
    service.warm_up()
    begun: list[str] = []
    over = Event()

    def hold_all_but_the_first(params: Item, **_: object) -> None:
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
    assert service.network.operations.count("UpdateItem") == len(order_ids)
    assert len(begun) == CONNECTIONS + 1 + len(order_ids[1:])


def test_a_cancel_among_many_begins_while_one_second_is_left(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    with time_budget(time.monotonic() + 1):
        result = cancel_many(service.services, provenance(service.trader, "request-1"), ["order-1"])
    assert result.cancelled == ["order-1"]
