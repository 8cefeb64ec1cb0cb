"""One alert for several accounts: one answer, a result for each, and ids that a trader knows beforehand."""

from typing import Any

import pytest

from tests.client_faults import in_requests_with
from tests.faults import lose_request, lose_response, no_fault, throttle
from tests.output import Answer
from tests.service import Service


def results(answer: Answer) -> dict[str, Any]:
    """Return each account's status or error, and its order id."""
    return {
        result.pop("account"): (result.get("status") or result.get("error"), result.get("order_id"))
        for result in answer.body["results"]
    }


def test_an_order_is_placed_in_each_account(service: Service) -> None:
    answer = service.place("long", account="A,B,C")
    assert (answer.status, answer.word) == (200, "placed")
    assert results(answer) == {name: ("placed", f"long.{name}") for name in "ABC"}
    for name in "ABC":
        item = service.item(f"long.{name}")
        assert item is not None
        assert item["account"]["S"] == name
        assert item["request_id"]["S"].startswith(f"{answer.request_id}.")


def test_each_account_gets_the_result_that_an_alert_of_its_own_would_get(service: Service) -> None:
    service.place("long", account="A,B", strategy_id="s", take_profit=5020)
    own = service.cancel("target1", strategy_id="s.A")
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


def test_the_same_accounts_cancel_what_they_placed(service: Service) -> None:
    service.place("long", account="A,B")
    answer = service.cancel("long", account="A,B")
    assert (answer.status, answer.word) == (200, "cancelled")
    assert results(answer) == {"A": ("cancelled", "long.A"), "B": ("cancelled", "long.B")}
    assert "warnings" not in answer.body


def test_one_of_the_orders_can_be_cancelled_alone(service: Service) -> None:
    service.place("long", account="A,B")
    assert service.cancel("long.B").word == "cancelled"
    assert service.state("long.A") == "Working"


def test_each_account_has_a_strategy_of_its_own(service: Service) -> None:
    service.place("long", account="A,B", strategy_id="s", stop_loss=4990)
    answer = service.cancel("STOP1", strategy_id="s", account="A,B")
    assert answer.word == "cancelled"
    assert [result["strategy_id"] for result in answer.body["results"]] == ["s.A", "s.B"]
    assert service.state("long.A") == "Working"


def test_working_orders_of_several_accounts_are_cancelled(service: Service) -> None:
    service.place("long", account="A,B,C")
    answer = service.send("CANCELORDERS", account="A,B")
    assert (answer.status, answer.word) == (200, "cancelled")
    assert [result["cancelled"] for result in answer.body["results"]] == [["long.A"], ["long.B"]]
    assert service.open_orders() == ["long.C"]


def test_a_repeated_alert_is_recognised_in_every_account(service: Service) -> None:
    service.place("long", account="A,B")
    answer = service.place("long", account="A,B")
    assert (answer.status, answer.word) == (200, "already_placed")
    assert answer.body["duplicate"] is True


def test_what_is_new_in_one_account_is_new(service: Service) -> None:
    service.place("long", account="A,B")
    service.remove("long.B")
    answer = service.place("long", account="A,B")
    assert (answer.word, "duplicate" in answer.body) == ("placed", False)
    assert results(answer) == {"A": ("already_placed", "long.A"), "B": ("placed", "long.B")}


def test_a_refusal_in_one_account_leaves_the_others_served(service: Service) -> None:
    service.place("long.B", account="B", qty=1)
    answer = service.place("long", account="A,B,C")
    assert (answer.status, answer.word) == (409, "duplicate_order_id")
    assert answer.body["detail"] == (
        "1 of 3 accounts were refused. Account B: order_id long.B is taken by another order, which is Working; choose "
        "another."
    )
    assert answer.body["field"] == "order_id"
    assert results(answer) == {
        "A": ("placed", "long.A"),
        "B": ("duplicate_order_id", None),
        "C": ("placed", "long.C"),
    }


def test_the_record_of_a_refusal_names_the_orders_of_the_other_accounts(service: Service) -> None:
    service.place("long.B", account="B", qty=1)
    assert service.record_of(service.place("long", account="A,B,C")).order_ids == ("long.A", "long.C")


def test_a_mistake_in_the_alert_places_nothing_anywhere(service: Service) -> None:
    answer = service.place("x" * 60, account="A,Sim101")
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "order_id")
    assert service.belongings() == []


def test_what_may_be_sent_again_comes_before_what_may_not(service: Service) -> None:
    service.place("long.A", account="A", qty=1)
    service.warm_up()
    service.network.always = in_requests_with("long.B", throttle)
    first = service.place("long", account="A,B")
    assert (first.status, first.word) == (503, "temporarily_unavailable")
    assert first.body["detail"].startswith("2 of 2 accounts were refused. Account B: ")
    service.network.always = no_fault
    assert results(service.place("long", account="A,B")) == {
        "A": ("duplicate_order_id", None),
        "B": ("placed", "long.B"),
    }


def test_the_same_alert_again_does_what_the_table_prevented(service: Service) -> None:
    service.warm_up()
    service.network.always = lose_request
    first = service.place("long", account="A,B")
    assert (first.status, first.headers["Retry-After"]) == (503, "5")
    service.network.always = no_fault
    assert results(service.place("long", account="A,B")) == {"A": ("placed", "long.A"), "B": ("placed", "long.B")}


def test_a_write_whose_answer_was_lost_is_recognised_in_each_account(service: Service) -> None:
    service.warm_up()
    service.network.inject("PutItem", lose_response, lose_response)
    answer = service.place("long", account="A,B")
    assert results(answer) == {"A": ("placed", "long.A"), "B": ("placed", "long.B")}


def test_orders_without_an_id_are_not_sent_again_when_some_may_be_placed(service: Service) -> None:
    service.warm_up()
    service.network.inject("PutItem", *[lose_response] * 6)
    answer = service.place(account="A,B")
    assert (answer.status, answer.word) == (409, "outcome_unknown")


@pytest.mark.parametrize("account", ["A,B,A", ",", "A!,A?"])
def test_a_bad_list_of_accounts_is_refused(service: Service, account: str) -> None:
    answer = service.place("long", account=account)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "account")
    assert service.belongings() == []
