"""CANCELREPLACE: cancelled and placed or neither, whatever the table holds and whatever happens to the answer."""

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest

from orderhook import commands
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.errors import DuplicateOrderIdError
from tests.builders import ENTRY, WAYS, every_way, not_found, phrase, refused
from tests.faults import (
    PASSING_IN_TRANSACTIONS,
    Fault,
    conflict_in_transaction,
    lose_request,
    lose_response,
    no_fault,
    refuse_connection,
    run_and_lose_response,
    run_before,
    throttle,
    transaction_in_progress,
)
from tests.output import Answer
from tests.service import FILLED, Service
from tests.states import CANCELLABLE, NOT_CANCELLABLE

FAULTS: tuple[Fault, ...] = (
    *PASSING_IN_TRANSACTIONS,
    throttle,
    transaction_in_progress,
    lose_request,
    lose_response,
    refuse_connection,
)


def replace(service: Service, order_id: str = "order-1", /, **changes: object) -> Answer:
    """Send a CANCELREPLACE of the order by builders.ENTRY at another price."""
    return service.send("CANCELREPLACE", order_id=order_id, **{**ENTRY, "limit_price": "4990", **changes})


def command(order_id: str, **changes: object) -> commands.Command:
    """Return what replace() sends as a command, to be run without the handler."""
    fields = {**ENTRY, "order_id": order_id, "limit_price": "4990", **changes}
    made, _ = commands.parse_command(CancelReplace, {name: str(value) for name, value in fields.items()})
    return made


# States


@every_way
@pytest.mark.parametrize("state", CANCELLABLE)
def test_an_open_order_is_cancelled_and_another_takes_its_place(
    service: Service, state: str, way: dict[str, str]
) -> None:
    before = service.have_stop(state)
    answer = service.send("CANCELREPLACE", **{**ENTRY, "limit_price": "4990.50", "notes": "lower", **way})
    joined = {"strategy_id": "strategy-1", "order_name": "ENTRY1"} if "strategy_id" in way else {}
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "status": "replaced",
            "order_id": "order-1:2",
            **joined,
            "state": "Working",
            "replaced_order_id": "order-1",
        },
    )
    old, new = service.item("order-1"), service.plain("order-1:2")
    assert old is not None
    at, key_id = old["cancelled_at"]["S"], service.key.split("_")[1]
    assert old == service.after_cancel(before, answer.request_id, at) | {"replaced_by": {"S": "order-1:2"}}
    assert old["filled"] == old["cancel_filled"] == {"N": str(FILLED.get(state, 0))}
    assert len(new.pop("content")) == 64
    assert new == {
        "pk": f"TRADER#{service.trader}",
        "sk": "ORDER#order-1:2",
        "open": "Sim101#ES 12-26#order-1:2",
        "order_id": "order-1:2",
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "BUY",
        "qty": 5,
        "order_type": "LIMIT",
        "limit_price": Decimal("4990.50"),
        "tif": "DAY",
        "state": "Working",
        "since": at,
        "filled": 0,
        "legs": {},
        "notes": "lower",
        "replaces": "order-1",
        **joined,
        "version": 1,
        "request_id": answer.request_id,
        "history": [
            {
                "state": "Working",
                "at": at,
                "request_id": answer.request_id,
                "key_id": key_id,
                "changes": {"qty": "5", "limit_price": "4990.5"},
            }
        ],
    }
    assert service.open_orders() == ["order-1:2"]
    assert service.names() == {"STOP1": "order-1"} | ({"ENTRY1": "order-1:2"} if joined else {})


@every_way
@pytest.mark.parametrize("state", NOT_CANCELLABLE)
def test_an_order_that_is_finished_or_being_cancelled_is_not_replaced(
    service: Service, state: str, way: dict[str, str]
) -> None:
    since = service.have_stop(state)["since"]["S"]
    before = service.belongings()
    answer = service.send("CANCELREPLACE", **{**ENTRY, **way})
    sent = "STOP1" if way is WAYS["by name"] else "order-1"
    assert (answer.status, answer.body) == (
        409,
        refused(
            "order_already_terminal",
            f"Order '{sent}' is {state} since {since}; nothing was placed. {phrase(sent)}",
            field="order_id",
            state=state,
        ),
    )
    assert service.belongings() == before


# Both or neither


def strategy_as(service: Service, kind: str) -> dict[str, str]:
    """Have strategy-1 be running, closed or not there, and return the field that names it."""
    if kind == "no strategy":
        return {}
    if kind != "a new strategy":
        service.place("first", strategy_id="strategy-1")
    if kind == "a closed strategy":
        assert service.send("CLOSESTRATEGY", strategy_id="strategy-1").word == "closed"
    return {"strategy_id": "strategy-1"}


STRATEGIES = ["no strategy", "a new strategy", "a running strategy", "a closed strategy"]


@pytest.mark.parametrize("kind", STRATEGIES)
@pytest.mark.parametrize("legs", [{}, {"take_profit": 5020, "stop_loss": 4980}], ids=["alone", "with legs"])
@pytest.mark.parametrize(("old", "new"), list(product(["open", "finished", "missing"], ["free", "taken"])))
def test_whatever_the_table_holds_it_is_both_or_neither(
    service: Service, kind: str, legs: dict[str, object], old: str, new: str
) -> None:
    fields = strategy_as(service, kind) | legs
    if old != "missing":
        service.have_order("Working" if old == "open" else "Filled", "order-1")
    if new == "taken":
        service.place("order-1:2", qty=1)
    before = service.belongings()
    answer = replace(service, **fields)
    words = {"missing": (404, "order_not_found"), "finished": (409, "order_already_terminal")}
    if old in words:
        assert (answer.status, answer.word) == words[old]
    elif new == "taken":
        assert (answer.status, answer.word) == (409, "duplicate_order_id")
    elif kind == "a closed strategy":
        assert (answer.status, answer.word, answer.body["field"]) == (409, "strategy_mismatch", "strategy_id")
    else:
        assert (answer.status, answer.word) == (200, "replaced")
        assert (service.state("order-1"), service.state("order-1:2")) == ("Cancelled", "Working")
        assert len(answer.body.get("legs", {})) == len(legs)
        return
    assert service.belongings() == before


def test_a_new_id_that_is_taken_is_named(service: Service) -> None:
    service.place("order-1")
    service.place("order-1:2", qty=1)
    answer = replace(service)
    assert (answer.status, answer.body) == (
        409,
        refused(
            "duplicate_order_id",
            "The order in place of order-1 would be order-1:2, and that id is taken by another order, which is "
            "Working; cancel order-1 and place another.",
            field="order_id",
            state="Working",
        ),
    )


def test_a_leg_id_that_is_taken_leaves_the_old_order_as_it_is(service: Service) -> None:
    service.place("order-1")
    service.have_order("Working", "request-1.STOP1")
    before = service.belongings()
    with pytest.raises(DuplicateOrderIdError):
        service.run(command("order-1", strategy_id="strategy-1", stop_loss=4980), "request-1")
    assert service.belongings() == before


@pytest.mark.parametrize(
    ("changes", "status", "word", "field"),
    [
        ({"strategy": "nobodys"}, 404, "strategy_not_found", "strategy"),
        ({"strategy": "large"}, 400, "invalid_value", "qty"),
        ({"strategy_id": "strategy-1", "account": "Sim102"}, 409, "strategy_mismatch", "strategy_id"),
        ({"strategy_id": "strategy-1", "instrument": "NQ 12-26"}, 409, "strategy_mismatch", "strategy_id"),
        ({"limit_price": None}, 400, "missing_field", "limit_price"),
        ({"qty": None}, 400, "missing_field", "qty"),
        ({"qty": 0}, 400, "invalid_value", "qty"),
        ({"stop_price": 5000}, 400, "invalid_value", "stop_price"),
        ({"take_profit": 4000}, 400, "invalid_value", "take_profit"),
        ({"flatten_first": "true"}, 400, "unsupported_value", "flatten_first"),
    ],
    ids=str,
)
def test_where_nothing_can_be_placed_nothing_is_cancelled(
    service: Service, changes: dict[str, object], status: int, word: str, field: str
) -> None:
    service.put_template("large", (6, 10, 5))
    service.place("order-1")
    service.place("first", strategy_id="strategy-1")
    before = service.belongings()
    answer = replace(service, **changes)
    assert (answer.status, answer.word, answer.body["field"]) == (status, word, field)
    assert service.belongings() == before


def test_legs_without_a_strategy_id_get_a_strategy_named_after_the_new_order(service: Service) -> None:
    service.place("order-1")
    answer = replace(service, take_profit=5020)
    assert (answer.body["order_id"], answer.body["strategy_id"]) == ("order-1:2", "order-1:2")
    assert service.cancel("TARGET1", strategy_id="order-1:2").word == "cancelled"


def test_a_template_brings_its_legs(service: Service) -> None:
    service.put_template("one", (1, 10, 5))
    service.place("order-1")
    assert list(replace(service, strategy="one").body["legs"]) == ["TARGET1", "STOP1"]


@pytest.mark.parametrize("brackets", [[(6, 10, 5)], []], ids=["too large", "gone"])
def test_a_duplicate_of_a_replacement_is_recognised_whatever_became_of_its_template(
    service: Service, brackets: list[tuple[int, int, int]]
) -> None:
    service.put_template("one", (1, 10, 5))
    service.place("order-1")
    first = replace(service, strategy="one")
    if brackets:
        service.put_template("one", *brackets, replacing=True)
    else:
        service.remove_template("one")
    again = replace(service, strategy="one")
    assert (again.status, again.body) == (200, {**first.body, "duplicate": True})


# Names and ids


def test_a_strategy_id_is_that_of_the_new_order_and_the_old_one_may_have_none(service: Service) -> None:
    service.place("order-1")
    answer = replace(service, strategy_id="strategy-1")
    assert (answer.word, answer.body["order_name"]) == ("replaced", "ENTRY1")
    assert service.names() == {"ENTRY1": "order-1:2"}


def test_an_order_is_replaced_by_its_name_and_the_next_entry_takes_its_place(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    answer = replace(service, "entry1", strategy_id="strategy-1")
    assert answer.body["replaced_order_id"] == "order-1"
    assert (answer.body["order_id"], answer.body["order_name"]) == ("order-1:2", "ENTRY2")
    again = replace(service, "ENTRY1", strategy_id="strategy-1")
    assert (again.word, again.body["duplicate"]) == ("replaced", True)
    assert service.names() == {"ENTRY1": "order-1", "ENTRY2": "order-1:2"}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"order_id": "STOP1", "strategy_id": "strategy-2"}, "strategy_not_found"),
        ({"order_id": "STOP2", "strategy_id": "strategy-1"}, "order_not_found"),
        ({"order_id": "STOP1"}, "strategy_id_required"),
        ({"order_id": "STOP01", "strategy_id": "strategy-1"}, "invalid_value"),
        ({"order_id": "nobodys"}, "order_not_found"),
        ({"order_id": None}, "missing_field"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_alert_that_addresses_no_order_places_none(service: Service, fields: dict[str, object], word: str) -> None:
    service.have_stop("Working")
    before = service.belongings()
    assert service.send("CANCELREPLACE", **{**ENTRY, **fields}).word == word
    assert service.belongings() == before


def test_an_unknown_order_and_another_traders_look_the_same_to_a_replacement(service: Service) -> None:
    service.place("theirs")
    before = service.belongings()
    mine = service.issue_key(trader=f"{service.trader}-not")
    for order_id in ("theirs", "nobodys"):
        for fields in ({}, {"strategy_id": "strategy-1"}, {"take_profit": 5020}):
            answer = replace(service, order_id, key=mine, **fields)
            assert (answer.status, answer.body) == (404, not_found(order_id))
    assert service.belongings() == before
    assert service.placed(f"{service.trader}-not") == []


def test_the_new_orders_are_numbered_and_late_duplicates_find_theirs(service: Service) -> None:
    service.place("order-1")
    alerts = [("order-1", "4990"), ("order-1:2", "4991"), ("order-1:3", "4992")]
    for number, (order_id, price) in enumerate(alerts, 2):
        answer = replace(service, order_id, limit_price=price)
        assert (answer.body["order_id"], answer.body["replaced_order_id"]) == (f"order-1:{number}", order_id)
    before = service.belongings()
    for number, (order_id, price) in enumerate(alerts, 2):
        answer = replace(service, order_id, limit_price=price)
        assert (answer.status, answer.body) == (
            200,
            {
                "success": True,
                "status": "replaced",
                "duplicate": True,
                "order_id": f"order-1:{number}",
                "state": "Working" if number == 4 else "Cancelled",
                "replaced_order_id": order_id,
            },
        )
        assert service.record_of(answer).duplicate
    assert service.belongings() == before
    assert service.open_orders() == ["order-1:4"]


def test_an_order_that_was_replaced_is_refused_with_the_order_in_its_place(service: Service) -> None:
    service.place("order-1")
    replace(service)
    since = service.plain()["since"]
    before = service.belongings()
    answer = replace(service, limit_price="4980")
    assert (answer.status, answer.body) == (
        409,
        refused(
            "order_already_terminal",
            f"Order 'order-1' is Cancelled since {since}; it was replaced by order-1:2: give that. {phrase('order-1')}",
            field="order_id",
            state="Cancelled",
        ),
    )
    assert service.belongings() == before


def test_a_duplicate_is_recognised_when_the_old_order_has_left_the_table(service: Service) -> None:
    service.place("order-1")
    replace(service)
    service.remove("order-1")
    assert replace(service).body["duplicate"] is True
    assert replace(service, limit_price="4980").word == "order_not_found"


def test_another_spelling_or_note_is_the_same_replacement(service: Service) -> None:
    service.place("order-1")
    replace(service, notes="first")
    again = replace(service, notes="second", qty="5.0", limit_price="4990.00", action="buy")
    assert again.body["duplicate"] is True
    assert service.plain("order-1:2")["notes"] == "first"


def test_a_place_is_not_taken_for_the_replacement_that_has_its_id(service: Service) -> None:
    service.place("order-1")
    replace(service)
    assert service.place("order-1:2", limit_price="4990").word == "duplicate_order_id"
    assert service.place("order-1").word == "already_placed"


@pytest.mark.parametrize("number", ["", ":7"])
def test_the_longest_ids_that_leave_room_for_a_number_are_replaced(service: Service, number: str) -> None:
    order_id = "x" * (62 if not number else 64 - len(number)) + number
    service.place(order_id)
    answer = replace(service, order_id)
    assert answer.word == "replaced"
    assert len(answer.body["order_id"]) == 64
    assert service.cancel(answer.body["order_id"]).word == "cancelled"


TOO_LONG = ["x" * 63, "x" * 64, "x" * 62 + ":9"]


@pytest.mark.parametrize("order_id", TOO_LONG, ids=lambda order_id: f"{len(order_id)} {order_id[-2:]}")
def test_an_id_that_would_be_too_long_is_refused_before_the_table_is_read(service: Service, order_id: str) -> None:
    service.place(order_id)
    service.warm_up()
    answer = replace(service, order_id)
    following = f"{'x' * 62}:10" if order_id.endswith(":9") else f"{order_id}:2"
    assert (answer.status, answer.body) == (
        400,
        refused(
            "invalid_value",
            f"order_id is too long to be replaced: the new order would be {following}, of more than 64 characters. "
            "Cancel it and place another.",
            field="order_id",
        ),
    )
    assert service.network.requests == []
    assert service.state(order_id) == "Working"


def test_a_name_whose_order_has_too_long_an_id_is_refused(service: Service) -> None:
    service.place("x" * 63, strategy_id="strategy-1")
    before = service.belongings()
    answer = replace(service, "ENTRY1", strategy_id="strategy-1")
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "order_id")
    assert service.belongings() == before


# Answers that are lost, and a table that is busy


def shapes() -> Iterator[tuple[str, dict[str, object]]]:
    yield "alone", {}
    yield "starting a strategy", {"strategy_id": "strategy-2"}
    yield "joining its strategy", {"strategy_id": "strategy-1"}
    yield "with legs", {"strategy_id": "strategy-1", "take_profit": 5020, "stop_loss": 4980}
    yield "by name", {"order_id": "ENTRY1", "strategy_id": "strategy-1"}


SHAPES = dict(shapes())
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))


def sent(service: Service, shape: dict[str, object]) -> Answer:
    return service.send("CANCELREPLACE", **{**ENTRY, "order_id": "order-1", "limit_price": "4990", **shape})


def orders_of(service: Service) -> list[tuple[str, str]]:
    return [(order.order_id, order.state) for order in service.placed() if not order.oco_id]


BOTH = [("order-1", "Cancelled"), ("order-1:2", "Working")]


@every_shape
def test_a_replacement_whose_answer_was_lost_recognises_its_own_write(
    service: Service, shape: dict[str, object]
) -> None:
    service.place("order-1", strategy_id="strategy-1")
    service.warm_up()
    attempts = 2 if shape.get("strategy_id") == "strategy-1" else 1  # the first finds that the strategy is running
    service.network.inject("TransactWriteItems", *[no_fault] * (attempts - 1), lose_response)
    answer = sent(service, shape)
    assert service.network.operations.count("TransactWriteItems") == attempts + 1
    assert (answer.status, answer.word, answer.body["replaced_order_id"]) == (200, "replaced", "order-1")
    assert "duplicate" not in answer.body
    assert orders_of(service) == BOTH
    assert service.plain()["version"] == 2


def test_a_replacement_whose_answer_was_lost_was_done_even_if_cancelled_since(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", run_and_lose_response(lambda: service.cancel_elsewhere("order-1:2")))
    answer = replace(service)
    assert (answer.word, "duplicate" in answer.body) == ("replaced", False)
    assert orders_of(service) == [("order-1", "Cancelled"), ("order-1:2", "Cancelled")]


@every_shape
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_replacement_that_the_table_does_not_take_is_sent_again_and_done_once(
    service: Service, shape: dict[str, object], fault: Fault
) -> None:
    service.place("order-1", strategy_id="strategy-1")
    before = service.belongings()
    service.warm_up()
    service.network.inject("TransactWriteItems", *[fault] * 12)
    answer = sent(service, shape)
    lost = fault == lose_response and shape.get("strategy_id") != "strategy-1"
    assert (answer.status, answer.word, answer.headers["Retry-After"]) == (503, "temporarily_unavailable", "5")
    assert service.belongings() == before or lost
    service.network.inject("TransactWriteItems")
    again = sent(service, shape)
    assert (again.word, "duplicate" in again.body) == ("replaced", lost)
    assert orders_of(service) == BOTH
    after = service.belongings()
    assert sent(service, shape).body["duplicate"] is True
    assert service.belongings() == after


@pytest.mark.parametrize("fault", [lose_request, conflict_in_transaction], ids=["lost", "conflict"])
def test_a_replacement_passes_over_a_fault_that_passes_at_once(service: Service, fault: Fault) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", fault)
    assert "duplicate" not in replace(service).body
    assert orders_of(service) == BOTH


# At the same moment


def test_an_order_that_is_cancelled_first_is_not_replaced(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", run_before(service.cancel_elsewhere))
    assert replace(service).word == "order_already_terminal"
    assert orders_of(service) == [("order-1", "Cancelled")]


@pytest.mark.parametrize(("state", "filled"), [("Filled", 5), ("CancelPending", None), ("Rejected", None)])
def test_an_order_that_the_venue_reports_as_finished_first_is_not_replaced(
    service: Service, state: str, filled: int | None
) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", run_before(lambda: service.report(state, filled)))
    answer = replace(service)
    assert (answer.word, answer.body["state"]) == ("order_already_terminal", state)
    assert orders_of(service) == [("order-1", state)]


def test_a_part_that_fills_first_is_kept(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", run_before(lambda: service.report("PartFilled", 3)))
    assert replace(service).word == "replaced"
    assert (service.plain()["filled"], service.plain()["cancel_filled"]) == (3, 3)


def test_of_two_equal_alerts_at_once_the_second_is_a_duplicate(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    service.network.inject("TransactWriteItems", run_before(lambda: service.run(command("order-1"), "first")))
    answer = replace(service)
    assert (answer.word, answer.body["duplicate"]) == ("replaced", True)
    assert service.plain("order-1:2")["request_id"] == "first"


def test_of_two_different_replacements_at_once_one_is_done(service: Service) -> None:
    service.place("order-1")
    service.warm_up()
    other = command("order-1", limit_price="4980")
    service.network.inject("TransactWriteItems", run_before(lambda: service.run(other, "first")))
    answer = replace(service)
    assert (answer.status, answer.word) == (409, "order_already_terminal")
    assert "replaced by order-1:2" in answer.body["detail"]
    assert service.plain("order-1:2")["limit_price"] == 4980


def test_two_orders_replaced_in_one_strategy_at_once_get_names_of_their_own(service: Service) -> None:
    for order_id in ("order-1", "order-2"):
        service.place(order_id, strategy_id="strategy-1")
    service.warm_up()
    other = command("order-2", strategy_id="strategy-1")
    service.network.inject("TransactWriteItems", no_fault, run_before(lambda: service.run(other, "first")))
    assert replace(service, strategy_id="strategy-1").body["order_name"] == "ENTRY4"
    assert service.names() == {
        "ENTRY1": "order-1",
        "ENTRY2": "order-2",
        "ENTRY3": "order-2:2",
        "ENTRY4": "order-1:2",
    }


def test_an_alert_in_json_is_read_the_same(service: Service) -> None:
    service.place("order-1")
    body = json.dumps({"key": service.key, "command": "cancelreplace", "order_id": "order-1", **ENTRY})
    assert service.post(body).body["order_id"] == "order-1:2"
