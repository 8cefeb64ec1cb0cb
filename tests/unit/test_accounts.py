"""`account=A,B,C`: which commands an alert becomes, and the ids that they have."""

import pytest

from orderhook.accounts import MAX_ACCOUNTS, per_account
from orderhook.errors import InvalidValueError

PLACE = ("account", "order_id", "strategy_id", "oco_id")
CANCEL = ("order_id", "strategy_id")


@pytest.mark.parametrize("fields", [{}, {"account": "Sim101", "order_id": "a"}, {"order_id": "a", "strategy_id": "s"}])
def test_an_alert_for_one_account_stays_as_it_is(fields: dict[str, str]) -> None:
    assert per_account(fields, PLACE) == {"": fields}


def test_each_account_has_ids_of_its_own_that_end_in_its_name() -> None:
    fields = {"account": "Sim101, Apex-7", "order_id": "a", "strategy_id": "s", "oco_id": "o", "qty": "1"}
    assert per_account(fields, PLACE) == {
        "Sim101": {
            "account": "Sim101", "order_id": "a.Sim101", "strategy_id": "s.Sim101", "oco_id": "o.Sim101", "qty": "1",
        },
        "Apex-7": {
            "account": "Apex-7", "order_id": "a.Apex-7", "strategy_id": "s.Apex-7", "oco_id": "o.Apex-7", "qty": "1",
        },
    }  # fmt: skip


def test_absent_ids_stay_absent() -> None:
    assert per_account({"account": "A,B"}, PLACE) == {"A": {"account": "A"}, "B": {"account": "B"}}


def test_what_no_id_may_hold_becomes_an_underscore() -> None:
    found = per_account({"account": "My Sim!,B", "order_id": "a"}, PLACE)
    assert found["My Sim!"] == {"account": "My Sim!", "order_id": "a.My_Sim_"}


@pytest.mark.parametrize("name", ["STOP1", "stop1", "TARGET", "Entry12"])
def test_an_order_name_is_the_same_in_the_strategy_of_each_account(name: str) -> None:
    assert per_account({"account": "A,B", "order_id": name, "strategy_id": "s"}, CANCEL) == {
        "A": {"order_id": name, "strategy_id": "s.A"},
        "B": {"order_id": name, "strategy_id": "s.B"},
    }


def test_a_command_without_an_account_is_spread_over_its_ids() -> None:
    assert per_account({"account": "A,B", "order_id": "a"}, CANCEL) == {
        "A": {"order_id": "a.A"},
        "B": {"order_id": "a.B"},
    }


def test_a_command_with_neither_an_account_nor_an_id_is_given_once() -> None:
    assert per_account({"account": "A,B"}, ()) == {"": {"account": "A,B"}}


@pytest.mark.parametrize("sent", ["A,", ",A", "A, ,"])
def test_a_comma_too_many_makes_no_second_account(sent: str) -> None:
    assert per_account({"account": sent, "order_id": "a"}, PLACE) == {"": {"account": "A", "order_id": "a"}}


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        ("A,B,A", "Accounts A and A would give their orders the same ids; list each once, or send an alert for each."),
        (
            "A!,A?",
            "Accounts A! and A? would give their orders the same ids; list each once, or send an alert for each.",
        ),
        (",", f"account lists 0 accounts; from 1 to {MAX_ACCOUNTS} are accepted."),
        (
            ",".join(map(str, range(MAX_ACCOUNTS + 1))),
            f"account lists {MAX_ACCOUNTS + 1} accounts; from 1 to {MAX_ACCOUNTS} are accepted.",
        ),
    ],
)
def test_a_list_that_cannot_be_is_refused(sent: str, detail: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        per_account({"account": sent}, PLACE)
    assert (refused.value.detail, refused.value.field) == (detail, "account")


def test_as_many_accounts_as_are_accepted_are_accepted() -> None:
    assert len(per_account({"account": ",".join(map(str, range(MAX_ACCOUNTS)))}, PLACE)) == MAX_ACCOUNTS
