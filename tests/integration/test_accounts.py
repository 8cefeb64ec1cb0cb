"""One alert for several accounts: one answer, a result for each, and ids that a trader knows beforehand."""

from typing import Any

import pytest

from orderhook.store.items import order_key
from orderhook.store.table import serialize
from tests.builders import ENTRY, alert
from tests.client_faults import in_requests_with
from tests.faults import lose_request, lose_response, no_fault, throttle, throttle_throughput
from tests.output import Answer
from tests.service import Service

LEGS: dict[str, object] = {"take_profit": 5020, "stop_loss": 4980}


def results(answer: Answer) -> dict[str, Any]:
    """Return each account's status or error, and its order id."""
    return {
        result["account"]: (result.get("status") or result.get("error"), result.get("order_id"))
        for result in answer.body["results"]
    }


def spoil(service: Service, order_id: str) -> None:
    """Have the item of an order be one in which a defect strikes."""
    service.table.client.update_item(
        TableName=service.table.name,
        Key=serialize(order_key(service.trader, order_id)),
        UpdateExpression="SET #day_ends = :number",
        ExpressionAttributeNames={"#day_ends": "day_ends"},
        ExpressionAttributeValues={":number": {"N": "7"}},
    )


def test_an_order_is_placed_in_each_account(service: Service) -> None:
    answer = service.place("long", account="Sim101, Apex-7 ,My  Acct")
    assert (answer.status, answer.word) == (200, "placed")
    ids = {"Sim101": "long.sim101", "Apex-7": "long.apex-7", "My  Acct": "long.my acct"}
    assert results(answer) == {account: ("placed", order_id) for account, order_id in ids.items()}
    for number, (account, order_id) in enumerate(ids.items(), 1):
        item = service.plain(order_id)
        assert (item["account"], item["request_id"]) == (account, f"{answer.request_id}.{number}")
    assert service.record_of(answer).order_ids == tuple(ids.values())


def test_each_account_gets_the_result_that_an_alert_of_its_own_would_get(service: Service) -> None:
    service.place("long", account="A,B", strategy_id="s", take_profit=5020)
    own = service.cancel("target1", strategy_id="s.a")
    answer = service.cancel("target1", strategy_id="s", account="A,B")
    expected = {**own.body, "status": "already_cancelled", "account": "A"}
    del expected["previous_state"]
    assert answer.body["results"][0] == expected


def test_orders_without_an_id_get_one_for_each_account(service: Service) -> None:
    answer = service.place(account="A,B")
    assert results(answer) == {
        "A": ("placed", f"{answer.request_id}.1"),
        "B": ("placed", f"{answer.request_id}.2"),
    }


# The same accounts again


def test_the_same_accounts_cancel_what_they_placed(service: Service) -> None:
    service.place("long", account="A,B")
    for account in ("A,B", "b,a"):  # compared without case, in any order
        answer = service.cancel("long", account=account)
        word = "cancelled" if account == "A,B" else "already_cancelled"
        assert (answer.status, answer.word) == (200, word)
        assert results(answer) == {name: (word, f"long.{name.lower()}") for name in account.split(",")}
        assert "warnings" not in answer.body


def test_what_was_replaced_in_each_account_is_cancelled_in_each(service: Service) -> None:
    service.place("long", account="A,B")
    for number in (2, 3):
        fields = {**ENTRY, "order_id": "long", "account": "A,B", "limit_price": 4990 - number}
        answer = service.send("CANCELREPLACE", **fields)
        assert results(answer) == {"A": ("replaced", "long.a"), "B": ("replaced", "long.b")}
        assert [result["generation"] for result in answer.body["results"]] == [number, number]
    assert results(service.cancel("long", account="A,B")) == {
        "A": ("cancelled", "long.a"),
        "B": ("cancelled", "long.b"),
    }
    assert service.open_orders() == []


def test_an_order_is_changed_in_each_account(service: Service) -> None:
    service.place("long", account="A,B")
    answer = service.send("CHANGE", order_id="long", account="A,B", qty=7)
    assert (answer.status, answer.word) == (200, "changed")
    assert [service.plain(f"long.{account}")["qty"] for account in "ab"] == [7, 7]


@pytest.mark.parametrize("order_id", ["long.STOP1", "long.stop1"])
def test_the_name_in_the_id_of_a_leg_stays_last(service: Service, order_id: str) -> None:
    service.place("long", account="A,B", **LEGS)
    answer = service.cancel(order_id, account="A,B")
    assert results(answer) == {"A": ("cancelled", "long.a.STOP1"), "B": ("cancelled", "long.b.STOP1")}
    assert service.state("long.a") == "Working"


def test_one_of_the_orders_can_be_cancelled_alone(service: Service) -> None:
    service.place("long", account="A,B")
    assert service.cancel("long.b").word == "cancelled"
    assert service.state("long.a") == "Working"


def test_each_account_has_a_strategy_and_an_oco_group_of_its_own(service: Service) -> None:
    service.place("long", account="A,B", strategy_id="s", stop_loss=4990, oco_id="Pair")
    assert [service.plain(f"long.{account}")["oco_id"] for account in "ab"] == ["Pair.a", "Pair.b"]
    for name in ("STOP1", "entry1"):  # which is the same in every account
        answer = service.cancel(name, strategy_id="s", account="A,B")
        assert answer.word == "cancelled"
        assert [result["strategy_id"] for result in answer.body["results"]] == ["s.a", "s.b"]
    assert service.open_orders() == []


def test_the_strategy_of_each_account_is_closed(service: Service) -> None:
    service.place("long", account="A,B,C", strategy_id="s")
    answer = service.send("CLOSESTRATEGY", strategy_id="s", account="A,B")
    assert (answer.status, answer.word) == (200, "closed")
    assert [(result["strategy_id"], result["cancelled"]) for result in answer.body["results"]] == [
        ("s.a", ["long.a"]),
        ("s.b", ["long.b"]),
    ]
    assert service.open_orders() == ["long.c"]


def test_working_orders_of_several_accounts_are_cancelled(service: Service) -> None:
    service.place("long", account="A,B,C")
    answer = service.send("CANCELORDERS", account="a,B")
    assert (answer.status, answer.word) == (200, "cancelled")
    assert [result["cancelled"] for result in answer.body["results"]] == [["long.a"], ["long.b"]]
    assert service.open_orders() == ["long.c"]


def test_what_was_cancelled_in_one_account_is_told_before_nothing_in_another(service: Service) -> None:
    service.place("long", account="B")
    answer = service.send("CANCELORDERS", account="A,B,C")
    assert (answer.status, answer.word) == (200, "cancelled")
    assert [result["status"] for result in answer.body["results"]] == [
        "nothing_to_cancel",
        "cancelled",
        "nothing_to_cancel",
    ]
    warnings = answer.body["warnings"]
    # Each account looks for itself: B's order may be open or cancelled by then.
    details = [warning["detail"].partition(" Accounts with")[0].partition(" No account")[0] for warning in warnings]
    assert details == ["Account A: No open order matched.", "Account C: No open order matched."]
    assert service.send("CANCELORDERS", account="A,B,C").word == "nothing_to_cancel"


def test_orders_that_wait_for_their_delay_are_released_and_judged_alone(service: Service) -> None:
    answer = service.place("long", account="A,B,C", delay=5, **LEGS)
    assert (answer.word, len(service.queue.messages)) == ("scheduled", 3)
    assert results(answer) == {name: ("scheduled", f"long.{name.lower()}") for name in "ABC"}
    assert service.cancel("long.b").word == "cancelled"
    service.pass_time(6)
    assert [service.state(f"long.{name}") for name in "abc"] == ["Working", "Cancelled", "Working"]
    assert service.cancel("STOP1", strategy_id="long", account="A,C").word == "cancelled"


# Duplicates


def test_a_repeated_alert_is_recognised_in_every_account(service: Service) -> None:
    service.place("long", account="A,B")
    answer = service.place("long", account="A,B")
    assert (answer.status, answer.word) == (200, "already_placed")
    assert answer.body["duplicate"] is True


def test_what_is_new_in_one_account_is_new(service: Service) -> None:
    service.place("long", account="A,B")
    service.remove("long.b")
    answer = service.place("long", account="A,B")
    assert (answer.word, "duplicate" in answer.body) == ("placed", False)
    assert results(answer) == {"A": ("already_placed", "long.a"), "B": ("placed", "long.b")}


# Warnings


def test_what_is_said_of_the_fields_is_said_once_and_of_orders_for_each_account(service: Service) -> None:
    service.put_template("one", (2, 10, 5))
    answer = service.place(account="A,B", strategy="one", oco_id="pair", notes="x" * 501)
    assert answer.word == "placed"
    assert [warning["code"] for warning in answer.body["warnings"]] == [
        "notes_cut",
        "unprotected_quantity",
        "oco_without_venue",
        "no_order_id",
        "unprotected_quantity",
    ]


def test_what_was_done_in_one_account_is_warned_of_though_another_is_refused(service: Service) -> None:
    service.place("long", account="A,B", order_type="LIMIT", limit_price=5000, stop_loss=4990)
    service.report("Filled", 5, order_id="long.a")
    answer = service.cancel("long.STOP1", account="A,C")
    assert (answer.status, answer.word) == (404, "order_not_found")
    assert [warning["code"] for warning in answer.body["warnings"]] == ["unprotected_quantity"]
    assert [it.code for it in service.record_of(answer).warnings] == ["unprotected_quantity"]


# One account is not a list


@pytest.mark.parametrize("account", ["A", "B", "Nobody", "NaN"])
@pytest.mark.parametrize("command", ["CANCEL", "CHANGE"])
def test_one_account_alone_is_not_used_by_a_command_about_an_order(
    service: Service, command: str, account: str
) -> None:
    service.place("long", account="A")
    answer = service.send(command, order_id="long", account=account, qty=7)
    assert (answer.status, answer.body["order_id"]) == (200, "long")
    assert ("ignored_field", "account") in [(it["code"], it["field"]) for it in answer.body["warnings"]]


@pytest.mark.parametrize(
    ("command", "accounts"), [("CLOSESTRATEGY", ["A"]), ("CANCELALLORDERS", ["A", "A,B"])], ids=str
)
def test_an_account_that_was_meant_to_narrow_is_refused(service: Service, command: str, accounts: list[str]) -> None:
    service.place("long", account="A", strategy_id="s")
    for account in accounts:
        strategy = {"strategy_id": "s"} if command == "CLOSESTRATEGY" else {}
        answer = service.send(command, account=account, **strategy)
        assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "account")
    assert service.state("long") == "Working"


# Refusals


def test_a_refusal_in_one_account_leaves_the_others_served(service: Service) -> None:
    service.place("long.b", account="B", qty=1)
    answer = service.place("long", account="A,B,C")
    since = service.plain("long.b")["since"]
    assert (answer.status, answer.word) == (409, "duplicate_order_id")
    assert answer.body["detail"].startswith(
        f"1 of 3 accounts were refused. Account B: order_id long.b is taken by another order, which has been Working "
        f"since {since}. "
    )
    assert (answer.body["field"], answer.body["state"]) == ("order_id", "Working")
    assert results(answer) == {
        "A": ("placed", "long.a"),
        "B": ("duplicate_order_id", None),
        "C": ("placed", "long.c"),
    }


def test_of_several_refusals_the_first_stands_for_all(service: Service) -> None:
    for account, state in (("A", "Filled"), ("C", "Rejected")):
        service.place(f"long.{account.lower()}", account=account)
        service.report(state, order_id=f"long.{account.lower()}")
    answer = service.cancel("long", account="A,B,C")
    assert (answer.status, answer.word, answer.body["state"]) == (409, "order_already_terminal", "Filled")
    assert [error for error, _ in results(answer).values()] == [
        "order_already_terminal",
        "order_not_found",
        "order_already_terminal",
    ]
    assert service.cancel("long", account="B,A").status == 404


def test_the_record_of_a_refusal_names_the_orders_of_the_other_accounts(service: Service) -> None:
    service.place("long.b", account="B", qty=1)
    assert service.record_of(service.place("long", account="A,B,C")).order_ids == ("long.a", "long.c")


@pytest.mark.parametrize(
    ("order_id", "account", "field"),
    [
        ("x" * 60, "A,Sim101", "order_id"),
        ("null", "A,B", "order_id"),
        ("STOP1", "A,B", "order_id"),
        ("long.STOP1", "A,B", "order_id"),
        ("long", "A,B,a", "account"),
        ("long", "My Acct,my  acct", "account"),
        ("long", ",", "account"),
        ("long", "A,,B", "account"),
        ("long", "A,B,", "account"),
        ("long", "A,NaN", "account"),
        ("long", "A,Stop1", "account"),
        ("long", "A'B,C", "account"),
        ("long", "\u0410,B", "account"),
        ("long", ",".join(f"A{number}" for number in range(21)), "account"),
    ],
    ids=str,
)
def test_a_mistake_in_the_alert_places_nothing_anywhere(
    service: Service, order_id: str, account: str, field: str
) -> None:
    answer = service.place(order_id, account=account)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", field)
    assert service.belongings() == []


def test_twenty_accounts_can_be_listed(service: Service) -> None:
    accounts = ",".join(f"A{number}" for number in range(20))
    answer = service.place("x" * 60, account=accounts)
    assert (answer.status, len(answer.body["results"])) == (200, 20)
    assert len(service.open_orders()) == 20


def test_an_account_without_its_strategy_is_told_and_the_others_are_closed(service: Service) -> None:
    service.place("long", account="A,C", strategy_id="s")
    answer = service.send("CLOSESTRATEGY", strategy_id="s", account="A,B,C")
    assert (answer.status, answer.word) == (404, "strategy_not_found")
    assert [result.get("cancelled") for result in answer.body["results"]] == [["long.a"], None, ["long.c"]]
    assert service.record_of(answer).order_ids == ("long.a", "long.c")


# Faults


def test_what_may_be_sent_again_comes_before_what_may_not(service: Service) -> None:
    service.place("long.a", account="A", qty=1)
    service.warm_up()
    service.network.always = in_requests_with("long.b", throttle)
    first = service.place("long", account="A,B")
    assert (first.status, first.word, first.headers["Retry-After"]) == (503, "temporarily_unavailable", "5")
    assert first.body["detail"].startswith("2 of 2 accounts were refused. Account B: ")
    assert results(first) == {"A": ("duplicate_order_id", None), "B": ("temporarily_unavailable", None)}
    service.network.always = no_fault
    assert results(service.place("long", account="A,B")) == {
        "A": ("duplicate_order_id", None),
        "B": ("placed", "long.b"),
    }


def test_the_same_alert_again_does_what_the_table_prevented(service: Service) -> None:
    service.warm_up()
    service.network.always = lose_request
    first = service.place("long", account="A,B")
    assert (first.status, first.headers["Retry-After"]) == (503, "5")
    service.network.always = no_fault
    service.let_pass(5)
    assert results(service.place("long", account="A,B")) == {"A": ("placed", "long.a"), "B": ("placed", "long.b")}


def test_a_resend_cancels_in_no_account_what_was_placed_in_between(service: Service) -> None:
    service.place("old", account="A,B")
    service.warm_up()
    service.network.always = in_requests_with("ORDER#old.b", throttle)
    text = alert({"key": service.key, "command": "CANCELORDERS", "account": "A,B"})
    first = service.post(text)
    assert first.status == 503
    assert [result["cancelled"] for result in first.body["results"]] == [["old.a"], []]
    assert service.record_of(first).order_ids == ("old.a",)
    service.network.always = no_fault
    service.let_pass(2)
    service.place("new", account="A,B")
    service.let_pass(3)
    assert [result["cancelled"] for result in service.post(text).body["results"]] == [[], ["old.b"]]
    assert service.open_orders() == ["new.a", "new.b"]


def fails_for_b(service: Service, text: str, what: str) -> None:
    """Have an alert for A and B be carried out for A alone: requests that hold `what` are throttled."""
    service.warm_up()
    service.network.always = in_requests_with(what, throttle)
    assert service.post(text).status == 503
    service.network.always = no_fault


@pytest.mark.parametrize(
    "handle", [{"order_id": "ENTRY1", "strategy_id": "s"}, {"order_id": "STOP1", "strategy_id": "s"}]
)
def test_a_resent_cancel_ends_in_no_account_what_has_taken_the_name_since(
    service: Service, handle: dict[str, str]
) -> None:
    service.place("old", account="A,B", strategy_id="s", stop_loss=4980)
    text = alert({"key": service.key, "command": "CANCEL", **handle, "account": "A,B"})
    fails_for_b(service, text, "ORDER#old.b")
    service.let_pass(1)
    service.post(alert({"key": service.key, "command": "CANCELORDERS", "account": "A,B"}))
    service.place("new", account="A,B", strategy_id="s", stop_loss=4980)
    service.let_pass(4)
    answer = service.post(text)
    assert [(it["status"], it["order_id"][:3]) for it in answer.body["results"]] == [("already_cancelled", "old")] * 2
    assert service.open_orders() == ["new.a", "new.b"]
    legs = [order.legs["STOP1"] for order in service.placed() if order.order_id in ("new.a", "new.b")]
    assert [leg.end for leg in legs] == [None, None]


def test_a_resent_cancel_by_id_ends_what_was_there_when_it_first_came(service: Service) -> None:
    service.place("old", account="A,B")
    text = alert({"key": service.key, "command": "CANCEL", "order_id": "old", "account": "A,B"})
    fails_for_b(service, text, "ORDER#old.b")
    service.let_pass(5)
    assert [it["status"] for it in service.post(text).body["results"]] == ["already_cancelled", "cancelled"]
    assert service.open_orders() == []


def test_a_resent_cancel_reaches_in_no_account_an_order_that_was_placed_since(service: Service) -> None:
    text = alert({"key": service.key, "command": "CANCEL", "order_id": "long", "account": "A,B"})
    fails_for_b(service, text, "ORDER#long.b")
    service.place("long", account="A,B")
    service.let_pass(5)
    answer = service.post(text)
    assert results(answer) == {"A": ("order_not_found", None), "B": ("order_not_found", None)}
    assert "came in after the alert that this is a resend of. " in answer.body["results"][1]["detail"]
    assert service.open_orders() == ["long.a", "long.b"]


@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_a_resend_undoes_in_no_account_what_came_in_between(service: Service, command: str) -> None:
    service.place("long", account="A,B")
    fields = {**(ENTRY if command == "CANCELREPLACE" else {}), "order_id": "long", "account": "A,B"}
    text = alert({"key": service.key, "command": command, **fields, "limit_price": 4000})
    fails_for_b(service, text, "ORDER#long.b")
    service.let_pass(1)
    assert service.post(alert({"key": service.key, "command": command, **fields, "limit_price": 4500})).status == 200
    service.let_pass(4)
    answer = service.post(text)
    assert [(it["duplicate"], it["limit_price"]) for it in answer.body["results"]] == [(True, "4500")] * 2
    assert {str(order.limit_price) for order in service.placed()} == {"4500"}


def test_a_resent_place_is_placed_in_no_account_whose_strategy_was_closed_since(service: Service) -> None:
    service.place("old", account="A,B", strategy_id="s")
    text = alert(
        {"key": service.key, "command": "PLACE", **ENTRY, "order_id": "new", "strategy_id": "s", "account": "A,B"}
    )
    fails_for_b(service, text, "ORDER#new.b")
    service.let_pass(1)
    service.post(alert({"key": service.key, "command": "CLOSESTRATEGY", "strategy_id": "s", "account": "A,B"}))
    service.let_pass(4)
    answer = service.post(text)
    assert results(answer) == {"A": ("already_placed", "new.a"), "B": ("strategy_mismatch", None)}
    assert service.open_orders() == []


def test_a_resent_close_counts_from_the_first_alert_in_each_account(service: Service) -> None:
    service.place("old", account="A,B", strategy_id="s")
    text = alert({"key": service.key, "command": "CLOSESTRATEGY", "strategy_id": "s", "account": "A,B"})
    fails_for_b(service, text, "STRATEGY#s.b")
    service.let_pass(5)
    assert service.post(text).status == 200
    strategies = [service.services.strategies.get(service.trader, f"s.{account}") for account in "ab"]
    assert len({strategy.closed_at for strategy in strategies if strategy}) == 1


@pytest.mark.parametrize("void", [[{"kill_switch": "on"}, {"kill_switch": "off"}], [{"command": "CANCELALLORDERS"}]])
def test_a_resent_place_with_delay_is_void_in_each_account_by_what_came_in_between(
    service: Service, void: list[dict[str, str]]
) -> None:
    text = alert({"key": service.key, "command": "PLACE", **ENTRY, "order_id": "long", "account": "A,B", "delay": 3})
    fails_for_b(service, text, "ORDER#long.b")
    service.let_pass(1)
    for fields in void:
        assert service.post(alert({"key": service.key, **fields})).status == 200
    service.pass_time(4)
    assert service.post(text).status == 200
    service.pass_time(10)
    assert service.open_orders() == []


def test_a_write_whose_answer_was_lost_is_recognised_in_each_account(service: Service) -> None:
    service.warm_up()
    # The first is the trace of the alert.
    service.network.inject("PutItem", lose_response, no_fault, lose_response, lose_response)
    answer = service.place("long", account="A,B")
    assert results(answer) == {"A": ("placed", "long.a"), "B": ("placed", "long.b")}


@pytest.mark.parametrize("delay", [None, 5])
def test_orders_without_an_id_of_which_one_is_in_doubt_are_told_with_their_ids(
    service: Service, delay: int | None
) -> None:
    service.warm_up()
    service.network.always = in_requests_with('.2"}', lose_response)
    answer = service.place(account="A,B,C", delay=delay)
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    assert answer.body["detail"].startswith("1 of 3 accounts could not be answered. Account B: The order may or may")
    assert "Retry-After" not in answer.headers
    ids = [f"{answer.request_id}.{number}" for number in (1, 2, 3)]
    word = "scheduled" if delay else "placed"
    assert results(answer) == {"A": (word, ids[0]), "B": ("outcome_unknown", ids[1]), "C": (word, ids[2])}
    assert service.record_of(answer).order_ids == tuple(ids)
    assert sorted(service.open_orders()) == ids


def test_orders_without_an_id_that_were_surely_not_placed_are_sent_again(service: Service) -> None:
    service.warm_up()
    service.network.inject("PutItem", *[throttle_throughput] * 12)
    answer = service.place(account="A,B")
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert service.open_orders() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"command": "CANCEL", "order_id": "long"},
        {"command": "CHANGE", "order_id": "long", "qty": 9},
        {**ENTRY, "command": "PLACE", "order_id": "long"},
    ],
    ids=lambda fields: str(fields["command"]),
)
def test_a_defect_in_one_account_hides_no_other(service: Service, fields: dict[str, object]) -> None:
    service.place("long", account="A,B,C")
    spoil(service, "long.b")
    service.output.take()
    answer = service.post(alert({"key": service.key, **fields, "account": "A,B,C"}))
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert [result["success"] for result in answer.body["results"]] == [True, False, True]
    assert answer.body["results"][1]["error"] == "temporarily_unavailable"
    assert service.record_of(answer).order_ids == ("long.a", "long.c")
    lines = service.output.lines()
    assert [line["reason"] for line in lines if line.get("message") == "defect"] == ["TypeError"]
    assert [line["UnhandledErrors"] for line in lines if "UnhandledErrors" in line] == [[1.0]]


def test_a_defect_behind_the_queue_is_told_and_the_others_are_served(service: Service) -> None:
    service.place("long", account="A,B")
    spoil(service, "long.a")
    assert service.send("CANCEL", order_id="long", account="A,B", delay=2).word == "scheduled"
    service.output.take()
    service.pass_time(3)
    assert service.state("long.b") == "Cancelled"
    assert "TypeError" in [line.get("reason") for line in service.output.lines()]
    assert len(service.queue.messages) == 1  # SQS delivers it again
