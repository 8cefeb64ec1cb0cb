"""CLOSESTRATEGY: the strategy and its working orders in one answer, and what comes at the same moment or later."""

from datetime import UTC, datetime

import pytest

from orderhook.store.table import deserialize
from tests.builders import UNFINISHED, lists, refused
from tests.faults import (
    LEAVING_DONE,
    Fault,
    conflict_in_transaction,
    every_fault,
    lose_request,
    lose_response,
    no_fault,
    run_and_lose_response,
    run_before,
    throttle,
)
from tests.output import Answer
from tests.service import FILLED, Service
from tests.states import BEING_CANCELLED, CANCELLABLE, FINISHED
from tests.tables import Item

CLOSED = "Strategy strategy-1 is closed; use a new strategy_id."


def close(service: Service, strategy_id: str = "strategy-1", **more: str) -> Answer:
    return service.send("CLOSESTRATEGY", strategy_id=strategy_id, **more)


def closed(service: Service) -> Item:
    """Return strategy-1 as the table holds it, in plain values."""
    found = service.strategy()
    assert found is not None
    return deserialize(found)


def joining(service: Service) -> bool:
    """Have another function place order-2 in strategy-1, and return whether it could."""
    return service.join_strategy("order-2", "ENTRY9", state="Working")


def test_a_strategy_is_closed_and_its_working_orders_are_cancelled(service: Service) -> None:
    legs = service.place("order-1", strategy_id="strategy-1", take_profit=5020, stop_loss=4980).body["legs"]
    before = closed(service)
    began = datetime.now(UTC)
    answer = close(service)
    ids = ["order-1", legs["STOP1"], legs["TARGET1"]]
    body = dict(answer.body) | {"cancelled": sorted(answer.body["cancelled"])}
    assert (answer.status, body) == (
        200,
        {"success": True, "status": "closed", "strategy_id": "strategy-1", **lists(cancelled=sorted(ids))},
    )
    at = closed(service)["closed_at"]
    assert f"{began:%Y-%m-%dT%H:%M:%S.%fZ}" <= at <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert closed(service) == before | {
        "state": "Closed",
        "closed_at": at,
        "version": 2,
        "request_id": answer.request_id,
    }
    assert service.open_orders() == []
    assert sorted(service.record_of(answer).order_ids) == sorted(ids)


@pytest.mark.parametrize("state", CANCELLABLE)
def test_a_working_order_of_the_strategy_is_cancelled_and_nothing_else_of_it_changes(
    service: Service, state: str
) -> None:
    before = service.have_stop(state)
    answer = close(service)
    assert answer.body == {
        "success": True,
        "status": "closed",
        "strategy_id": "strategy-1",
        **lists(cancelled=["order-1"]),
    }
    item = service.item()
    assert item is not None
    assert item == service.after_cancel(before, answer.request_id, item["cancelled_at"]["S"])
    assert item["filled"] == {"N": str(FILLED.get(state, 0))}


@pytest.mark.parametrize("state", [*BEING_CANCELLED, *FINISHED])
def test_an_order_that_is_finished_or_being_cancelled_stays_as_it_is(service: Service, state: str) -> None:
    before = service.have_stop(state)
    answer = close(service)
    found = lists(already_cancelled=["order-1"]) if state in BEING_CANCELLED else lists()
    assert answer.body == {"success": True, "status": "closed", "strategy_id": "strategy-1", **found}
    assert service.item() == before


def test_a_strategy_closed_twice_is_a_success_that_writes_nothing(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    close(service)
    before = service.belongings()
    answer = close(service)
    assert (answer.status, answer.body) == (
        200,
        {"success": True, "status": "closed", "duplicate": True, "strategy_id": "strategy-1", **lists()},
    )
    assert service.belongings() == before
    assert service.record_of(answer).duplicate


def test_an_unknown_strategy_and_another_traders_look_the_same(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    before = service.belongings()
    mine = service.issue_key(trader=f"{service.trader}-not")
    for strategy_id in ("strategy-1", "nobodys", "Strategy-1"):
        answer = close(service, strategy_id, key=mine)
        assert (answer.status, answer.body) == (
            404,
            refused(
                "strategy_not_found",
                f"There is no strategy {strategy_id}; give the strategy_id of a PLACE.",
                field="strategy_id",
            ),
        )
    assert service.belongings() == before
    assert close(service, "Strategy-1").word == "strategy_not_found"


@pytest.mark.parametrize(
    ("strategy_id", "word"),
    [(None, "missing_field"), ("", "missing_field"), ("a/b", "invalid_value"), ("{{x}}", "unresolved_placeholder")],
)
def test_an_alert_that_does_not_say_which_strategy_closes_none(
    service: Service, strategy_id: str | None, word: str
) -> None:
    service.warm_up()
    answer = service.send("CLOSESTRATEGY", strategy_id=strategy_id, account="Sim101")
    assert (answer.status, answer.word, answer.body["field"]) == (400, word, "strategy_id")
    assert service.network.requests == []


def test_orders_of_other_strategies_and_of_none_stay_as_they_are(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    others: dict[str, dict[str, object]] = {
        "of-none": {},
        "of-another": {"strategy_id": "strategy-10", "stop_loss": 4980},
        "strategy-1": {"take_profit": 5020, "strategy_id": "strategy"},
        "elsewhere": {"strategy_id": "strategy-2", "account": "Sim102"},
    }
    for order_id, fields in others.items():
        assert service.place(order_id, **fields).word == "placed"
    kept = [item for item in service.belongings() if item.get("strategy_id") != {"S": "strategy-1"}]
    assert close(service).body["cancelled"] == ["order-1"]
    assert [item for item in service.belongings() if item.get("strategy_id") != {"S": "strategy-1"}] == kept
    assert len(service.open_orders()) == 6


# Later


def test_a_closed_strategy_takes_no_further_entry(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    close(service)
    before = service.belongings()
    for fields in ({}, {"take_profit": 5020}):
        answer = service.place("order-2", strategy_id="strategy-1", **fields)
        assert (answer.status, answer.body) == (409, refused("strategy_mismatch", CLOSED, field="strategy_id"))
    assert service.place(None, strategy_id="strategy-1").word == "strategy_mismatch"
    assert service.belongings() == before


def test_a_late_duplicate_of_an_entry_finds_it_in_the_closed_strategy(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", stop_loss=4980)
    close(service)
    before = service.belongings()
    again = service.place("order-1", strategy_id="strategy-1", stop_loss=4980)
    assert (again.word, again.body["state"], again.body["order_name"]) == ("already_placed", "Cancelled", "ENTRY1")
    assert service.belongings() == before


def test_the_names_of_a_closed_strategy_still_lead_to_their_orders(service: Service) -> None:
    legs = service.place("order-1", strategy_id="strategy-1", take_profit=5020, stop_loss=4980).body["legs"]
    close(service)
    for name, order_id in {"ENTRY1": "order-1", **legs}.items():
        answer = service.cancel(name, strategy_id="strategy-1")
        assert (answer.word, answer.body["order_id"]) == ("already_cancelled", order_id)
        changed = service.send("CHANGE", order_id=name, strategy_id="strategy-1", qty=7)
        assert (changed.word, changed.body["state"]) == ("order_already_terminal", "Cancelled")


def test_a_strategy_whose_orders_have_left_the_table_is_closed(service: Service) -> None:
    service.have_stop("Filled")
    service.remove("order-1")
    assert close(service).body == {"success": True, "status": "closed", "strategy_id": "strategy-1", **lists()}


# At the same moment


def test_an_entry_that_joins_just_before_is_cancelled_with_the_others(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    service.network.inject("UpdateItem", run_before(lambda: joining(service)))
    assert close(service).body["cancelled"] == ["order-1", "order-2"]
    assert service.open_orders() == []


@pytest.mark.parametrize("operation", ["Query", "UpdateItem"])
def test_no_entry_can_join_between_the_close_and_the_last_cancel(service: Service, operation: str) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    joined: list[bool] = []
    late = run_before(lambda: joined.append(joining(service)))
    service.network.inject(operation, *([no_fault] if operation == "UpdateItem" else []), late)
    assert close(service).body["cancelled"] == ["order-1"]
    assert joined == [False]
    assert service.item("order-2") is None


@pytest.mark.parametrize("before", [[], [no_fault]], ids=["at the start", "at the join"])
@pytest.mark.parametrize("fields", [{}, {"take_profit": 5020}], ids=["alone", "with legs"])
def test_an_entry_that_comes_just_after_is_refused_and_writes_nothing(
    service: Service, before: list[Fault], fields: dict[str, object]
) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", *before, run_before(service.close_strategy))
    answer = service.place("order-2", strategy_id="strategy-1", **fields)
    assert (answer.status, answer.body) == (409, refused("strategy_mismatch", CLOSED, field="strategy_id"))
    assert [found.order_id for found in service.placed()] == ["order-1"]
    assert closed(service)["names"] == {"ENTRY1": "order-1"}


def test_a_replacement_that_comes_just_after_cancels_nothing(service: Service) -> None:
    service.place("order-1")
    service.place("order-2", strategy_id="strategy-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", no_fault, run_before(service.close_strategy))
    fields = {name: deserialize(service.item() or {})[name] for name in ("account", "instrument", "action", "qty")}
    answer = service.send(
        "CANCELREPLACE", order_id="order-1", order_type="MARKET", tif="DAY", strategy_id="strategy-1", **fields
    )
    assert (answer.status, answer.word) == (409, "strategy_mismatch")
    assert (service.state("order-1"), service.item("order-1:2")) == ("Working", None)


# Faults


def test_a_close_whose_answer_was_lost_recognises_its_own_write(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    service.network.inject("UpdateItem", lose_response)
    answer = close(service)
    assert answer.body == {
        "success": True,
        "status": "closed",
        "strategy_id": "strategy-1",
        **lists(cancelled=["order-1"]),
    }
    assert closed(service)["version"] == 2


def test_a_close_of_an_empty_strategy_whose_answer_was_lost_is_no_duplicate(service: Service) -> None:
    service.have_stop("Filled")
    service.network.inject("UpdateItem", lose_response)
    assert "duplicate" not in close(service).body


def test_a_close_whose_answer_was_lost_and_that_another_repeated_was_done(service: Service) -> None:
    service.have_stop("Filled")
    service.warm_up()
    service.network.inject("UpdateItem", run_and_lose_response(service.close_strategy))
    answer = close(service)
    assert "duplicate" not in answer.body
    assert closed(service)["request_id"] == answer.request_id


@every_fault
def test_a_close_that_the_table_does_not_take_is_to_be_sent_again(service: Service, fault: Fault) -> None:
    service.place("order-1", strategy_id="strategy-1")
    before = service.belongings()
    service.warm_up()
    service.network.inject("UpdateItem", *[fault] * 6)
    answer = close(service)
    assert (answer.status, answer.word, answer.headers["Retry-After"]) == (503, "temporarily_unavailable", "5")
    assert service.belongings() == before or fault in LEAVING_DONE
    service.network.inject("UpdateItem")
    again = close(service)
    assert (again.status, again.body) == (
        200,
        {"success": True, "status": "closed", "strategy_id": "strategy-1", **lists(cancelled=["order-1"])},
    )
    assert close(service).body["duplicate"] is True


@pytest.mark.parametrize("operation", ["Query", "UpdateItem"])
@pytest.mark.parametrize("fault", [throttle, lose_request], ids=str)
def test_orders_that_remain_after_a_close_are_cancelled_by_the_next_alert(
    service: Service, operation: str, fault: Fault
) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    service.network.inject(operation, *([no_fault] if operation == "UpdateItem" else []), *[fault] * 6)
    answer = close(service)
    remaining = ["order-1"] if operation == "UpdateItem" else []
    assert (answer.status, answer.body) == (
        503,
        refused("temporarily_unavailable", UNFINISHED) | lists(remaining=remaining),
    )
    assert (closed(service)["state"], service.state()) == ("Closed", "Working")
    service.network.inject(operation)
    again = close(service)
    assert again.body == {
        "success": True,
        "status": "closed",
        "strategy_id": "strategy-1",
        **lists(cancelled=["order-1"]),
    }


def test_a_join_that_conflicts_with_a_close_is_sent_again_and_then_refused(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", *[conflict_in_transaction] * 6)
    assert service.place("order-2", strategy_id="strategy-1").status == 503
    close(service)
    service.network.inject("TransactWriteItems")
    assert service.place("order-2", strategy_id="strategy-1").word == "strategy_mismatch"
    assert service.item("order-2") is None


def test_only_orders_in_its_account_and_instrument_are_read(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    close(service)
    [query] = [request for request in service.network.requests if request.operation == "Query"]
    assert query.payload["IndexName"] == "open"
    assert {"S": "Sim101#ES 12-26#"} in query.payload["ExpressionAttributeValues"].values()
