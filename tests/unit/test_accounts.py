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
            "account": "Sim101", "order_id": "a.sim101", "strategy_id": "s.sim101", "oco_id": "o.sim101", "qty": "1",
        },
        "Apex-7": {
            "account": "Apex-7", "order_id": "a.apex-7", "strategy_id": "s.apex-7", "oco_id": "o.apex-7", "qty": "1",
        },
    }  # fmt: skip


def test_absent_ids_stay_absent() -> None:
    assert per_account({"account": "A,B"}, PLACE) == {"A": {"account": "A"}, "B": {"account": "B"}}


@pytest.mark.parametrize("name", ["STOP1", "stop1", "TARGET", "Entry12"])
def test_an_order_name_is_the_same_in_the_strategy_of_each_account(name: str) -> None:
    assert per_account({"account": "A,B", "order_id": name, "strategy_id": "s"}, CANCEL) == {
        "A": {"order_id": name, "strategy_id": "s.a"},
        "B": {"order_id": name, "strategy_id": "s.b"},
    }


def test_the_ending_of_a_leg_stays_last() -> None:
    assert per_account({"account": "A,B", "order_id": "long.stop1"}, CANCEL) == {
        "A": {"order_id": "long.a.STOP1"},
        "B": {"order_id": "long.b.STOP1"},
    }


def test_a_command_that_has_no_id_but_an_account_is_given_for_each() -> None:
    assert per_account({"account": "A,B"}, ("account",)) == {"A": {"account": "A"}, "B": {"account": "B"}}


def test_an_id_that_had_no_value_is_refused_before_an_ending_makes_it_one() -> None:
    with pytest.raises(InvalidValueError) as refused:
        per_account({"account": "A,B", "order_id": "a", "oco_id": "null"}, PLACE)
    assert (refused.value.detail, refused.value.field) == (
        "oco_id=null looks like a variable that had no value; see what the script puts there.",
        "oco_id",
    )


def test_a_command_without_an_account_is_given_for_each_of_its_ids() -> None:
    assert per_account({"account": "A,B", "order_id": "a"}, CANCEL) == {
        "A": {"order_id": "a.a"},
        "B": {"order_id": "a.b"},
    }


def test_a_command_with_neither_an_account_nor_an_id_is_given_once() -> None:
    assert per_account({"account": "A,B"}, ()) == {"": {"account": "A,B"}}


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        ("A,B,a", "account lists A and a, which are the same account; list it once."),
        ("A,", "account has a ',' without an account beside it; take it out."),
        (",", "account has a ',' without an account beside it; take it out."),
        ("A, ,B", "account has a ',' without an account beside it; take it out."),
        (
            "A,stop1",
            "Account stop1 looks like an order name, so it cannot be in a list; send an alert of its own for it.",
        ),
        ("A,null", "account=null looks like a variable that had no value; see what the script puts there."),
        ("A,B,,", "account has a ',' without an account beside it; take it out."),
        (
            "A,B=C",
            """account holds '=' (U+003D) at position 2; use printable ASCII without ; = " ' \\ < > and &.""",
        ),
        (
            ",".join(map(str, range(MAX_ACCOUNTS + 1))),
            f"account lists {MAX_ACCOUNTS + 1} accounts; at most {MAX_ACCOUNTS} are accepted.",
        ),
    ],
)
def test_a_list_that_cannot_be_is_refused(sent: str, detail: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        per_account({"account": sent}, PLACE)
    assert (refused.value.detail, refused.value.field) == (detail, "account")


def test_as_many_accounts_as_are_accepted_are_accepted() -> None:
    assert MAX_ACCOUNTS == 20
    assert len(per_account({"account": ",".join(map(str, range(MAX_ACCOUNTS)))}, PLACE)) == MAX_ACCOUNTS
