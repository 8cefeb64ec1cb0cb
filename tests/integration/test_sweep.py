"""CANCELORDERS and CANCELALLORDERS: which orders they reach, each by its own write, and what remains when time ends."""

import time
from threading import Event
from typing import Any, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from orderhook.aws.clients import CONNECTIONS, time_budget
from orderhook.commands.cancel_many import cancel_many
from orderhook.orders import OrderState
from orderhook.store import items
from tests.builders import order, provenance, refused
from tests.integration.test_cancel import (
    CANCELLABLE,
    CANCELLED_ALREADY,
    FILLED,
    TERMINAL_OTHERWISE,
    added_by_cancel,
)
from tests.integration.test_faults import PASSING, PATIENCE_SECONDS
from tests.service import Answer, Item, Service
from tests.wire import COMMITTED, Deliver, Fault, lost_after_commit, lost_before_commit, preceded, through

BEING_CANCELLED = ["CancelPending", "CancelSubmitted"]
SWEEPS: dict[str, dict[str, str]] = {
    "of an account": {"command": "CANCELORDERS", "account": "Sim101"},
    "of an account and instrument": {"command": "CANCELORDERS", "account": "Sim101", "instrument": "ES 12-26"},
    "of all": {"command": "CANCELALLORDERS"},
}
every_sweep = pytest.mark.parametrize("sweep", SWEEPS.values(), ids=list(SWEEPS))
LISTS = ("cancelled", "already_cancelled", "already_terminal", "remaining")
UNFINISHED = "Not all orders could be cancelled in time. Send the same alert again; it is safe, and cancels the rest."


def told(**found: list[str]) -> dict[str, Any]:
    """Return the lists of an answer and their lengths."""
    lists = {name: found.get(name, []) for name in LISTS}
    return {"counts": {name: len(ids) for name, ids in lists.items()}, **lists}


def cancelled(*order_ids: str) -> dict[str, Any]:
    """Return the body of an answer that tells of these orders, cancelled, and of no others."""
    status = "cancelled" if order_ids else "already_cancelled"
    return {"success": True, "status": status, **told(cancelled=list(order_ids))}


def of_account(service: Service, account: str, instrument: str | None = None, **more: str) -> Answer:
    return service.send("CANCELORDERS", account=account, instrument=instrument, **more)


def order_in(request: AWSPreparedRequest) -> str:
    """Return the body of a request, in which its order's id stands."""
    return cast("bytes", request.body).decode()


# Which orders


@every_sweep
@pytest.mark.parametrize("state", CANCELLABLE)
def test_a_working_order_is_cancelled_and_nothing_else_of_it_changes(
    service: Service, state: str, sweep: dict[str, str]
) -> None:
    service.have_order(state, filled=FILLED.get(state))
    before = service.item()
    assert before is not None
    answer = service.send(**sweep)
    assert (answer.status, answer.body) == (200, cancelled("order-1"))
    at, key_id = items.plain(service.item() or {})["cancelled_at"], service.key.split("_")[1]
    del before["open"]
    assert service.item() == before | added_by_cancel(before, answer.request_id, key_id, at)
    assert service.record_of(answer).order_ids == ("order-1",)


@every_sweep
@pytest.mark.parametrize("state", BEING_CANCELLED)
def test_an_order_that_is_being_cancelled_is_told_and_stays_as_it_is(
    service: Service, state: str, sweep: dict[str, str]
) -> None:
    service.have_order(state)
    before = service.item()
    answer = service.send(**sweep)
    assert (answer.status, answer.body) == (
        200,
        {"success": True, "status": "already_cancelled", **told(already_cancelled=["order-1"])},
    )
    assert service.item() == before


@every_sweep
@pytest.mark.parametrize("state", ["Cancelled", *TERMINAL_OTHERWISE])
def test_a_finished_order_is_neither_read_nor_told(service: Service, state: str, sweep: dict[str, str]) -> None:
    service.have_order(state)
    before = service.item()
    service.warm_up()
    answer = service.send(**sweep)
    assert (answer.status, answer.body) == (200, cancelled())
    assert service.wire.operations == ["Query"]
    assert service.item() == before
    assert service.record_of(answer).duplicate


def test_every_state_is_swept_or_being_cancelled_or_finished() -> None:
    assert sorted(OrderState) == sorted([*CANCELLABLE, *CANCELLED_ALREADY, *TERMINAL_OTHERWISE])
    assert {*BEING_CANCELLED, "Cancelled"} == set(CANCELLED_ALREADY)


def test_finished_orders_cost_nothing_however_many_there_are(service: Service) -> None:
    for number in range(20):
        service.have_order("Filled", f"filled-{number}")
    for order_id in ("a", "b"):
        service.place(order_id)
    service.warm_up()
    assert of_account(service, "Sim101").body == cancelled("a", "b")
    [query, *writes] = service.wire.requests
    assert (query.payload["IndexName"], query.payload["ConsistentRead"]) == ("open", True)
    assert [write.operation for write in writes] == ["UpdateItem"] * 2
    assert all(write.payload["ConditionExpression"] for write in writes)


def test_each_order_is_told_once_and_by_its_outcome(service: Service) -> None:
    for order_id, state in {"a": "Working", "b": "CancelPending", "c": "Filled", "d": "PartFilled"}.items():
        service.have_order(state, order_id)
    answer = of_account(service, "Sim101")
    assert (answer.word, answer.body) == (
        "cancelled",
        {"success": True, "status": "cancelled", **told(cancelled=["a", "d"], already_cancelled=["b"])},
    )
    again = of_account(service, "Sim101")
    assert (again.word, again.body["counts"]) == ("already_cancelled", told(already_cancelled=["b"])["counts"])


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


def test_where_an_account_ends_is_not_moved_by_a_mark_in_a_name(service: Service) -> None:
    service.place("order-1", account="A#B", instrument="C")
    service.place("order-2", account="A", instrument="B#C")
    assert of_account(service, "A").body == cancelled("order-2")
    assert of_account(service, "A#B", "C").body == cancelled("order-1")


def test_all_accounts_are_swept_and_legs_with_them(service: Service) -> None:
    service.place("order-1", account="A")
    service.place("order-2", account="B", instrument="NQ 12-26")
    legs = service.place("order-3", account="C", strategy_id="strategy-1", take_profit=5020, stop_loss=4980).body[
        "legs"
    ]
    answer = service.send("CANCELALLORDERS")
    assert sorted(answer.body["cancelled"]) == sorted(["order-1", "order-2", "order-3", *legs.values()])
    assert service.open_orders() == []
    assert service.cancel("STOP1", strategy_id="strategy-1").word == "already_cancelled"


@every_sweep
def test_another_traders_orders_stay_as_they_are(service: Service, sweep: dict[str, str]) -> None:
    service.place("order-1")
    before = service.belongings()
    # Longer by an ending, so that a key condition that only begins with the name would reach it too.
    for trader in (f"{service.trader}-not", service.trader[:-1]):
        answer = service.send(**sweep, key=service.issue_key(trader=trader))
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
def test_a_sweep_that_says_not_what_of_cancels_nothing(
    service: Service, fields: dict[str, str], field: str, word: str
) -> None:
    service.place("order-1")
    service.warm_up()
    answer = service.send("CANCELORDERS", **fields)
    assert (answer.status, answer.word, answer.body["field"]) == (400, word, field)
    assert service.wire.requests == []


def test_a_sweep_of_everything_that_names_an_account_says_that_it_does_not_heed_it(service: Service) -> None:
    answer = service.send("CANCELALLORDERS", account="Sim101")
    assert [warning["field"] for warning in answer.body["warnings"]] == ["account"]


# Pages


def test_every_page_of_a_long_list_is_swept(service: Service) -> None:
    order_ids = have_two_pages(service)
    assert service.send("CANCELALLORDERS").body == cancelled(*order_ids)
    queries = [request for request in service.wire.requests if request.operation == "Query"]
    assert ["ExclusiveStartKey" in query.payload for query in queries] == [False, True]
    assert service.open_orders() == []


def test_what_is_on_the_pages_before_one_that_cannot_be_had_is_cancelled(service: Service) -> None:
    order_ids = have_two_pages(service)
    service.warm_up()
    service.wire.fault_at("Query", through, *[PASSING["throttled"]] * 6)
    answer = service.send("CANCELALLORDERS")
    first = answer.body["cancelled"]
    assert (answer.status, answer.body) == (
        503,
        refused("temporarily_unavailable", UNFINISHED) | told(cancelled=first),
    )
    assert 0 < len(first) < len(order_ids)
    service.wire.fault_at("Query")
    assert service.send("CANCELALLORDERS").body == cancelled(*order_ids[len(first) :])


def have_two_pages(service: Service) -> list[str]:
    """Have more than a megabyte of open orders: DynamoDB lists so much on one page."""
    order_ids = [f"order-{number}" for number in range(8)]
    for order_id in order_ids:
        placed = provenance(service.trader, order_id)
        assert service.book.place(placed, order(placed, order_id, notes="x" * 150_000)).done
    return order_ids


# Meanwhile


@pytest.mark.parametrize("state", TERMINAL_OTHERWISE)
@every_sweep
def test_an_order_that_finishes_after_it_was_listed_stays_as_it_is(
    service: Service, state: str, sweep: dict[str, str]
) -> None:
    service.place("order-1")
    service.warm_up()

    def finish() -> None:
        assert service.book.report(provenance(service.trader, "finished"), "order-1", OrderState(state)).done

    service.wire.fault_at("UpdateItem", preceded(finish))
    answer = service.send(**sweep)
    assert (answer.status, answer.body) == (
        200,
        {"success": True, "status": "already_cancelled", **told(already_terminal=["order-1"])},
    )
    assert service.state() == state


def test_an_order_that_is_cancelled_after_it_was_listed_was_cancelled_already(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.wire.fault_at(
        "UpdateItem", preceded(lambda: service.book.cancel(provenance(service.trader, "a"), "order-1"))
    )
    assert of_account(service, "Sim101").body["already_cancelled"] == ["order-1"]
    assert items.plain(service.item() or {})["cancel_request_id"] == "a"


def test_an_order_that_left_the_table_after_it_was_listed_was_finished(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.wire.fault_at("UpdateItem", preceded(lambda: service.remove("order-1")))
    assert of_account(service, "Sim101").body["already_terminal"] == ["order-1"]
    assert service.item() is None


def test_an_order_that_is_placed_after_the_list_is_cancelled_by_the_next_alert(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    placed = provenance(service.trader, "late")
    service.wire.fault_at("UpdateItem", preceded(lambda: service.book.place(placed, order(placed, "order-2"))))
    assert of_account(service, "Sim101").body == cancelled("order-1")
    assert of_account(service, "Sim101").body == cancelled("order-2")


# Faults


def test_a_cancel_among_many_whose_answer_was_lost_recognises_its_own_write(service: Service) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.warm_up()
    service.wire.fault_at("UpdateItem", lost_after_commit, lost_before_commit)
    assert of_account(service, "Sim101").body == cancelled("a", "b", "c")
    assert [items.plain(service.item(order_id) or {})["version"] for order_id in ("a", "b", "c")] == [2, 2, 2]


@pytest.mark.parametrize("fault", PASSING.values(), ids=list(PASSING))
@every_sweep
def test_a_list_that_cannot_be_had_cancels_nothing_and_is_to_be_sent_again(
    service: Service, sweep: dict[str, str], fault: Fault
) -> None:
    service.place("order-1")
    before = service.belongings()
    service.warm_up()
    service.wire.fault_at("Query", *[fault] * 6)
    answer = service.send(**sweep)
    assert (answer.status, answer.body) == (503, refused("temporarily_unavailable", UNFINISHED) | told())
    assert answer.headers["Retry-After"] == "5"
    assert service.belongings() == before
    service.wire.fault_at("Query")
    assert service.send(**sweep).body == cancelled("order-1")


@pytest.mark.parametrize("fault", PASSING.values(), ids=list(PASSING))
def test_what_the_table_does_not_take_remains_and_the_next_alert_finishes_it(service: Service, fault: Fault) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.warm_up()
    service.wire.always = lambda request, deliver: fault(request, deliver) if '"ORDER#b"' in order_in(request) else None
    answer = of_account(service, "Sim101")
    assert (answer.status, answer.body) == (
        503,
        refused("temporarily_unavailable", UNFINISHED) | told(cancelled=["a", "c"], remaining=["b"]),
    )
    assert service.record_of(answer).order_ids == ("a", "c")
    done = fault in COMMITTED
    assert service.open_orders() == ([] if done else ["b"])
    service.wire.always = None
    assert of_account(service, "Sim101").body == cancelled(*([] if done else ["b"]))
    assert of_account(service, "Sim101").body == cancelled()


class Held:
    """Let the first requests through and hold the others back until they are let go, and then lose them."""

    def __init__(self, let_through: int) -> None:
        self._left = let_through
        self._go = Event()

    def __call__(self, request: AWSPreparedRequest, _: Deliver) -> AWSResponse | None:
        if b"UpdateExpression" not in cast("bytes", request.body):
            return None
        self._left -= 1
        if self._left >= 0:
            return None
        self._go.wait(30)
        return lost_before_commit(request, _)

    def let_go(self) -> None:
        self._go.set()


@every_sweep
def test_when_time_is_up_the_rest_remains_is_not_sent_any_more_and_the_next_alert_finishes_it(
    service: Service, sweep: dict[str, str]
) -> None:
    order_ids = [f"order-{number:02}" for number in range(60)]
    for order_id in order_ids:
        placed = provenance(service.trader, order_id)
        assert service.book.place(placed, order(placed, order_id)).done
    service.warm_up()
    service.keep_time()
    begun: list[Item] = []
    events, begins = service.table.handlers_client.meta.events, lambda params, **_: begun.append(params)
    events.register("provide-client-params.dynamodb.UpdateItem", begins)
    held = Held(let_through=10)
    service.wire.always = held
    started = time.monotonic()
    answer = service.send(**sweep)
    assert time.monotonic() - started < PATIENCE_SECONDS
    service.wire.always = None
    held.let_go()
    done = answer.body["cancelled"]
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert sorted(done + answer.body["remaining"]) == order_ids
    assert len(done) == 10
    # As many as there are connections were on their way; those that waited for their turn do not stand in the way of
    # the next alert.
    time.sleep(0.3)
    assert len(done) + CONNECTIONS <= len(begun) < len(order_ids) / 2
    service.take_time()
    again = service.send(**sweep)
    events.unregister("provide-client-params.dynamodb.UpdateItem", begins)
    assert (again.status, sorted(done + again.body["cancelled"])) == (200, order_ids)
    assert service.send(**sweep).body == cancelled()


def test_a_cancel_among_many_begins_while_a_second_is_left(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    with time_budget(time.monotonic() + 1):
        swept = cancel_many(service.book, provenance(service.trader, "request-1"), ["order-1"])
    assert swept.cancelled == ["order-1"]
