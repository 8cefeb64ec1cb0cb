"""CLOSESTRATEGY: the strategy and its working orders in one answer, and what comes at the same moment or later."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orderhook.orders import Binding, timestamp
from orderhook.store.strategies import strategy_write
from orderhook.store.table import deserialize
from tests.builders import ENTRY, alert, event, lists, provenance, refused, unfinished
from tests.client_faults import in_requests_with, in_writes
from tests.faults import (
    LEAVING_DONE,
    Fault,
    every_fault,
    lose_request,
    lose_response,
    no_fault,
    reject,
    run_and_lose_response,
    run_before,
    throttle,
)
from tests.marks import EACH_ONCE
from tests.output import Answer
from tests.service import FILLED, Service
from tests.states import BEING_CANCELLED, CANCELLABLE, FINISHED
from tests.tables import Item

LEGS: dict[str, Any] = {"take_profit": 5020, "stop_loss": 4980}
LEG_IDS = ["order-1.STOP1", "order-1.TARGET1"]


def enter(service: Service, order_id: str | None = "order-1", **changes: object) -> Answer:
    """Send a PLACE that starts or joins strategy-1."""
    return service.place(order_id, **{"strategy_id": "strategy-1", **changes})


def close(service: Service, strategy_id: str = "strategy-1", **more: str) -> Answer:
    return service.send("CLOSESTRATEGY", strategy_id=strategy_id, **more)


def close_text(service: Service) -> str:
    return alert({"key": service.key, "command": "CLOSESTRATEGY", "strategy_id": "strategy-1"})


def closed(**more: Any) -> dict[str, Any]:
    """Return the body of a close that was carried out; `more` are the lists, and what else there is."""
    extra = {name: more.pop(name) for name in ("duplicate",) if name in more}
    return {"success": True, "status": "closed", "strategy_id": "strategy-1", **extra, **lists(**more)}


def without_stop(order_id: str) -> list[dict[str, str]]:
    detail = f"What is filled stays, and has no stop now: {order_id} protected it."
    return [{"code": "unprotected_quantity", "detail": detail}]


def body(answer: Answer) -> dict[str, Any]:
    """Return the body of an answer with the legs of each entry in order: the table does not keep that of a map."""
    legs = {entry: sorted(found) for entry, found in answer.body.get("cancelled_legs", {}).items()}
    return {**answer.body, **({"cancelled_legs": legs} if legs else {})}


def strategy(service: Service) -> Item:
    """Return strategy-1 as the table holds it, in plain values."""
    found = service.strategy()
    assert found is not None
    return deserialize(found)


def joining(service: Service) -> bool:
    """Have another function place order-2 in strategy-1, and return whether it could."""
    return service.join_strategy("order-2", "ENTRY9", state="Working")


def test_a_strategy_is_closed_and_its_working_orders_are_cancelled(service: Service) -> None:
    enter(service, **LEGS)
    before = strategy(service)
    began = datetime.now(UTC)
    answer = close(service)
    assert (answer.status, body(answer)) == (200, closed(cancelled=["order-1"], cancelled_legs={"order-1": LEG_IDS}))
    at, [trace] = strategy(service)["closed_at"], strategy(service)["traces"]
    assert timestamp(began) <= at <= timestamp(datetime.now(UTC))
    assert strategy(service) == before | {
        "closed_at": at,
        "traces": [{"digest": trace["digest"], "request_id": answer.request_id, "received_at": at}],
        "digests": [trace["digest"]],
        "version": 2,
        "request_id": answer.request_id,
    }
    assert len(trace["digest"]) == 32
    assert service.open_orders() == []
    assert service.record_of(answer).order_ids == ("order-1", *LEG_IDS)


@pytest.mark.parametrize("state", CANCELLABLE)
def test_a_working_order_of_the_strategy_is_cancelled_and_keeps_what_is_filled(service: Service, state: str) -> None:
    service.have_strategy(state, "ENTRY1", filled=FILLED.get(state))
    answer = close(service)
    assert answer.body == closed(cancelled=["order-1"])
    found = service.order()
    assert found is not None
    assert (found.state, found.filled, found.cancel_request_id) == (
        "Cancelled",
        FILLED.get(state, 0),
        answer.request_id,
    )
    assert service.open_orders() == []


@pytest.mark.parametrize("state", [*BEING_CANCELLED, *FINISHED])
def test_an_order_that_is_finished_or_being_cancelled_stays_as_it_is(service: Service, state: str) -> None:
    service.have_strategy(state, "ENTRY1", filled=FILLED.get(state))
    before = service.item()
    answer = close(service)
    assert answer.body == closed(**({"cancel_pending": ["order-1"]} if state in BEING_CANCELLED else {}))
    assert service.item() == before


def test_legs_that_work_are_cancelled_each_by_itself(service: Service) -> None:
    enter(service, **LEGS)
    service.report("Filled", 5)
    answer = close(service)
    assert answer.body == closed(cancelled=LEG_IDS) | {"warnings": without_stop("order-1.STOP1")}
    assert [service.state(order_id) for order_id in ("order-1", *LEG_IDS)] == ["Filled", "Cancelled", "Cancelled"]


def test_a_part_filled_entry_ends_with_the_legs_that_wait_and_those_that_work(service: Service) -> None:
    service.put_template("two", (2, None, 5), (3, None, 5))
    enter(service, strategy="two")
    service.report("PartFilled", 1)  # of which the first bracket takes all
    answer = close(service)
    expected = closed(cancelled=["order-1", "order-1.STOP1"], cancelled_legs={"order-1": ["order-1.STOP2"]})
    assert answer.body == expected | {"warnings": without_stop("order-1.STOP1")}
    assert service.open_orders() == []


def test_an_order_whose_day_is_over_is_in_no_list(service: Service) -> None:
    enter(service, tif="DAY")
    service.let_pass(24 * 3600)
    enter(service, "order-2", tif="GTC")
    assert close(service).body == closed(cancelled=["order-2"])


def test_a_strategy_closed_twice_is_a_success_that_cancels_nothing(service: Service) -> None:
    enter(service)
    close(service)
    before = service.item()
    answer = close(service)
    assert (answer.status, answer.body) == (200, closed())
    assert service.item() == before
    assert strategy(service)["traces"][-1]["request_id"] == answer.request_id


def test_an_unknown_strategy_and_another_traders_look_the_same(service: Service) -> None:
    enter(service)
    before = service.belongings()
    mine = service.issue_key(trader=f"{service.trader}-not")
    for strategy_id in ("strategy-1", "nobodys", "Strategy-1"):
        answer = close(service, strategy_id, key=mine)
        assert (answer.status, answer.body) == (
            404,
            refused(
                "strategy_not_found",
                f"There is no strategy {strategy_id} of yours; give the strategy_id of a PLACE: case matters.",
                field="strategy_id",
            ),
        )
    assert service.belongings() == before
    assert close(service, "Strategy-1").word == "strategy_not_found"


@pytest.mark.parametrize(
    ("strategy_id", "word"),
    [
        (None, "missing_field"),
        ("", "missing_field"),
        ("a\\b", "invalid_value"),
        ("NaN", "invalid_value"),
        ("{{x}}", "unresolved_placeholder"),
    ],
)
def test_an_alert_that_does_not_say_which_strategy_closes_none(
    service: Service, strategy_id: str | None, word: str
) -> None:
    service.warm_up()
    answer = service.send("CLOSESTRATEGY", strategy_id=strategy_id)
    assert (answer.status, answer.word, answer.body["field"]) == (400, word, "strategy_id")
    assert service.network.requests == []


@pytest.mark.parametrize("name", ["account", "instrument", "order_id", "action", "symbol", "contract_month"])
def test_what_was_meant_to_narrow_a_close_is_refused(service: Service, name: str) -> None:
    enter(service)
    answer = service.send("CLOSESTRATEGY", strategy_id="strategy-1", **{name: "Sim101"})
    assert (answer.status, answer.body["field"]) == (400, name)
    assert service.state() == "Working"


def test_orders_of_other_strategies_and_of_none_stay_as_they_are(service: Service) -> None:
    enter(service)
    others: dict[str, dict[str, Any]] = {
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
    assert sorted(service.open_orders()) == sorted(others)


# Later


@pytest.mark.parametrize("fields", [{}, LEGS, {"account": "Sim102"}, {"instrument": "NQ 12-26"}], ids=str)
def test_a_closed_strategy_is_started_anew_by_the_next_entry(service: Service, fields: dict[str, Any]) -> None:
    enter(service, **LEGS)
    close(service)
    for order_id in ("order-2", None):
        answer = enter(service, order_id, **fields)
        assert (answer.word, answer.body["order_name"]) == ("placed", "ENTRY1")
        again = close(service)
        assert (again.word, again.body["cancelled"]) == ("closed", [answer.body["order_id"]])


def test_a_late_duplicate_of_an_entry_does_not_revive_the_closed_strategy(service: Service) -> None:
    enter(service, stop_loss=4980)
    close(service)
    before = service.belongings()
    again = enter(service, stop_loss=4980)
    assert (again.word, again.body["state"]) == ("duplicate_order_id", "Cancelled")
    assert service.belongings() == before


def test_the_names_of_a_closed_strategy_still_lead_to_their_orders(service: Service) -> None:
    enter(service, **LEGS)
    close(service)
    for name, order_id in {"ENTRY1": "order-1", "STOP1": LEG_IDS[0], "TARGET1": LEG_IDS[1]}.items():
        answer = service.cancel(name, strategy_id="strategy-1")
        assert (answer.word, answer.body["order_id"]) == ("already_cancelled", order_id)
        changed = service.send("CHANGE", order_id=name, strategy_id="strategy-1", limit_price=7)
        assert (changed.word, changed.body["state"]) == ("order_already_terminal", "Cancelled")


def test_a_strategy_whose_orders_have_left_the_table_is_closed(service: Service) -> None:
    service.have_strategy("Filled", "ENTRY1", filled=5)
    service.remove("order-1")
    assert close(service).body == closed()


def received(service: Service, body: str, at: datetime) -> Answer:
    """Have an alert be answered that API Gateway received at this time."""
    request = event(body)
    request["requestContext"]["timeEpoch"] = int(at.timestamp() * 1000)
    return service.handle(request)


@EACH_ONCE
@pytest.mark.parametrize("known", [True, False], ids=["in a running strategy", "that would start it anew"])
@pytest.mark.parametrize("fields", [{}, LEGS], ids=["alone", "with legs"])
def test_an_entry_received_before_the_close_is_refused_after_it(
    service: Service, fields: dict[str, Any], known: bool
) -> None:
    enter(service)
    if not known:
        close(service)
        service.remove("order-1")
    at = service.queue.now
    service.let_pass(0.01)
    close(service)
    before = service.belongings()
    place = {"key": service.key, "command": "PLACE", "order_id": "order-2", "strategy_id": "strategy-1"}
    answer = received(service, alert({**place, **ENTRY, **fields}), at)
    closed_at = strategy(service)["closed_at"]
    assert (answer.status, answer.body) == (
        409,
        refused(
            "strategy_mismatch",
            f"Strategy strategy-1 was closed by an alert that was received later, at {closed_at}; send the order again "
            "if it is still wanted.",
            field="strategy_id",
        ),
    )
    assert service.belongings() == before
    assert enter(service, "order-2").word == "placed"


def test_a_close_touches_no_entry_that_was_received_after_it(service: Service) -> None:
    enter(service)
    service.let_pass(0.01)
    at = service.queue.now
    service.let_pass(0.01)
    enter(service, "order-2")
    # The close was received before order-2, and waited for a function.
    answer = received(service, close_text(service), at)
    assert answer.body == closed(cancelled=["order-1"])
    assert service.open_orders() == ["order-2"]


def test_an_order_that_does_not_say_when_it_was_received_counts_as_older(service: Service) -> None:
    at = service.queue.now
    service.have_strategy("Working", "ENTRY1")
    assert "received_at" not in service.plain()
    assert received(service, close_text(service), at).body == closed(cancelled=["order-1"])


# What waits for its delay


def test_a_waiting_order_that_names_the_strategy_is_cancelled_with_it(service: Service) -> None:
    enter(service)
    enter(service, "order-2", delay=30, **LEGS)
    service.let_pass(4)
    assert close(service).body == closed(cancelled=["order-1", "order-2"])
    service.pass_time(60)
    assert (service.state("order-2"), service.open_orders()) == ("Cancelled", [])


def test_a_waiting_order_that_would_start_the_strategy_is_cancelled(service: Service) -> None:
    enter(service, delay=30)
    service.let_pass(4)
    assert close(service).body == closed(cancelled=["order-1"])
    assert close(service).body == closed()


@pytest.mark.parametrize("changes", [{"account": "Sim102"}, {"instrument": "NQ 12-26"}], ids=str)
def test_a_waiting_order_is_cancelled_though_it_is_for_another_market(
    service: Service, changes: dict[str, str]
) -> None:
    enter(service)
    enter(service, "order-2", delay=30, **changes)
    service.let_pass(4)
    assert close(service).body == closed(cancelled=["order-1", "order-2"])


@pytest.mark.parametrize("running", [True, False], ids=["in a running strategy", "that will start it"])
def test_a_waiting_order_of_the_same_bar_is_left_alone_and_listed(service: Service, running: bool) -> None:
    if running:
        enter(service)
    enter(service, "order-2", delay=2)
    answer = close(service)
    assert answer.body == closed(waiting=["order-2"], cancelled=["order-1"] if running else [])
    service.pass_time(2)
    assert (service.state("order-2"), service.plain("order-2")["order_name"]) == ("Working", "ENTRY1")


def test_an_order_of_the_same_bar_is_left_alone_though_it_was_released(service: Service) -> None:
    enter(service, delay=1, **LEGS)
    service.pass_time(1)
    assert service.state() == "Working"
    assert close(service).body == closed(waiting=["order-1"])
    service.let_pass(3)
    assert body(close(service)) == closed(cancelled=["order-1"], cancelled_legs={"order-1": LEG_IDS})


# The same alert again


def test_a_resent_close_touches_nothing_that_was_placed_in_between(service: Service) -> None:
    enter(service)
    service.warm_up()
    service.network.always = in_writes(lose_response)
    text = close_text(service)
    assert service.post(text).status == 503
    service.network.always = no_fault
    at = strategy(service)["closed_at"]
    service.let_pass(2)
    assert enter(service, "order-2").word == "placed"
    service.let_pass(3)
    answer = service.post(text)
    assert [warning["code"] for warning in answer.body["warnings"]] == ["newer_orders"]
    expected = closed(cancelled=["order-1"], newer=["order-2"])
    assert {name: value for name, value in answer.body.items() if name != "warnings"} == expected
    assert (service.state("order-2"), strategy(service)["closed_at"]) == ("Working", at)
    assert enter(service, "order-3").word == "placed"


def test_a_resent_close_that_finds_all_of_it_done_is_a_duplicate(service: Service) -> None:
    enter(service)
    service.warm_up()
    service.network.inject("UpdateItem", no_fault, *[lose_response] * 6)
    text = close_text(service)
    assert (service.post(text).status, service.state()) == (503, "Cancelled")
    service.network.inject("UpdateItem")
    service.let_pass(5)
    answer = service.post(text)
    assert (answer.status, answer.body) == (200, closed(duplicate=True))
    assert service.record_of(answer).duplicate


def test_a_close_of_the_same_text_that_is_no_resend_is_carried_out(service: Service) -> None:
    for seconds in (5, 20, 24 * 3600):
        assert enter(service, f"order-{seconds}").word == "placed"
        assert service.post(close_text(service)).body == closed(cancelled=[f"order-{seconds}"])
        service.let_pass(seconds)


# At the same moment


def test_an_entry_that_joins_just_before_is_cancelled_with_the_others(service: Service) -> None:
    enter(service)
    service.warm_up()
    service.network.inject("UpdateItem", run_before(lambda: joining(service)))
    assert close(service).body["cancelled"] == ["order-1", "order-2"]
    assert service.open_orders() == []


@pytest.mark.parametrize("operation", ["Query", "UpdateItem"])
def test_an_entry_received_later_that_joins_meanwhile_stays(service: Service, operation: str) -> None:
    enter(service)
    service.warm_up()
    joined = run_before(lambda: enter(service, "order-2"))
    service.network.inject(operation, *([no_fault] if operation == "UpdateItem" else []), joined)
    assert close(service).body["cancelled"] == ["order-1"]
    assert service.open_orders() == ["order-2"]


@pytest.mark.parametrize("fields", [{}, {"take_profit": 5020}], ids=["alone", "with legs"])
def test_an_entry_that_the_close_overtakes_is_refused_and_writes_nothing(
    service: Service, fields: dict[str, Any]
) -> None:
    enter(service)
    service.warm_up()
    service.network.inject("TransactWriteItems", run_before(lambda: close(service)))
    answer = enter(service, "order-2", **fields)
    assert (answer.status, answer.word, answer.body["field"]) == (409, "strategy_mismatch", "strategy_id")
    assert [found.order_id for found in service.placed()] == ["order-1"]
    assert list(strategy(service)["numbers"]) == ["1"]


def test_an_order_that_becomes_one_of_another_strategy_meanwhile_stays(service: Service) -> None:
    enter(service)

    def replace() -> None:
        service.cancel_elsewhere()
        service.remove("order-1")
        assert service.place("order-1", strategy_id="another").word == "placed"

    service.warm_up()
    service.network.inject("UpdateItem", no_fault, run_before(replace))
    assert close(service).body["cancelled"] == []
    assert service.state() == "Working"


# Faults


def test_a_close_whose_answer_was_lost_recognises_its_own_write(service: Service) -> None:
    enter(service)
    service.warm_up()
    service.network.inject("UpdateItem", lose_response)
    assert close(service).body == closed(cancelled=["order-1"])
    assert strategy(service)["version"] == 2


def test_a_close_of_an_empty_strategy_whose_answer_was_lost_is_no_duplicate(service: Service) -> None:
    service.have_strategy("Filled", "ENTRY1", filled=5)
    service.network.inject("UpdateItem", lose_response)
    assert close(service).body == closed()


def test_a_close_whose_answer_was_lost_and_that_another_repeated_was_done(service: Service) -> None:
    service.have_strategy("Filled", "ENTRY1", filled=5)
    service.warm_up()
    service.network.inject("UpdateItem", run_and_lose_response(service.close_strategy))
    assert close(service).body == closed()


@every_fault
def test_a_close_that_the_table_does_not_take_is_to_be_sent_again(service: Service, fault: Fault) -> None:
    enter(service)
    before = service.belongings()
    service.warm_up()
    service.network.inject("UpdateItem", *[fault] * 6)
    answer = close(service)
    assert (answer.status, answer.word, answer.headers["Retry-After"]) == (503, "temporarily_unavailable", "5")
    assert service.belongings() == before or fault in LEAVING_DONE
    service.network.inject("UpdateItem")
    service.let_pass(5)
    again = close(service)
    assert (again.status, again.body) == (200, closed(cancelled=["order-1"]))


@pytest.mark.parametrize("operation", ["Query", "UpdateItem"])
@pytest.mark.parametrize("fault", [throttle, lose_request], ids=str)
def test_orders_that_remain_after_a_close_are_cancelled_by_its_resend(
    service: Service, operation: str, fault: Fault
) -> None:
    enter(service)
    service.warm_up()
    service.network.inject(operation, *([no_fault] if operation == "UpdateItem" else []), *[fault] * 6)
    answer = close(service)
    remaining = ["order-1"] if operation == "UpdateItem" else []
    assert (answer.status, answer.body) == (
        503,
        refused("temporarily_unavailable", unfinished(*remaining), reason=answer.body["reason"])
        | lists(remaining=remaining),
    )
    assert ("closed_at" in strategy(service), service.state()) == (True, "Working")
    service.network.inject(operation)
    service.let_pass(5)
    again = close(service)
    assert again.body == closed(cancelled=["order-1"])


def test_one_order_that_cannot_be_cancelled_hides_no_other(service: Service) -> None:
    for number in (1, 2, 3):
        enter(service, f"order-{number}")
    service.warm_up()
    service.network.always = in_requests_with("ORDER#order-2", reject)
    answer = close(service)
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    failed = [{"order_id": "order-2", "reason": "ValidationException"}]
    assert lists(cancelled=["order-1", "order-3"], failed=failed).items() <= answer.body.items()
    assert service.record_of(answer).order_ids == ("order-1", "order-3")
    assert service.open_orders() == ["order-2"]


def test_a_close_reads_the_index_of_open_orders_alone(service: Service) -> None:
    enter(service)
    signed = provenance(service.trader, "arranged")
    found = service.services.strategies.get(service.trader, "strategy-1")
    assert found is not None
    numbers = {number: Binding(f"gone-{number}", signed.now) for number in range(1, 100)}
    service.services.table.transact([strategy_write(signed, found, found._replace(numbers=numbers))])
    service.warm_up()
    close(service)
    assert service.network.operations == ["UpdateItem", "Query", "UpdateItem"]
    [query] = [request for request in service.network.requests if request.operation == "Query"]
    assert (query.payload["IndexName"], query.payload["ConsistentRead"]) == ("open", True)
