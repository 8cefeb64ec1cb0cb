"""What a key may reach, and how much it may open."""

from typing import Any

import pytest

from orderhook.errors import CommandNotAllowedError
from orderhook.limits import Limits, reaches
from orderhook.rate_limit import Rate

MARKETS = Limits(accounts=("Sim101", "Sim102"), instruments=("ES 12-26",))


@pytest.mark.parametrize(
    ("account", "instrument", "reached"),
    [
        ("Sim101", "ES 12-26", True),
        ("SIM102", "es  12-26", True),
        ("Sim103", "ES 12-26", False),
        ("Sim101", "NQ 12-26", False),
    ],
)
def test_a_key_reaches_its_accounts_and_instruments_in_any_spelling(
    account: str, instrument: str, *, reached: bool
) -> None:
    assert MARKETS.reaches(account, instrument) is reached
    assert reaches(MARKETS, account, instrument) is reached
    assert Limits().reaches(account, instrument)


def test_what_does_not_say_where_it_is_is_not_there_where_that_is_limited() -> None:
    assert reaches(None, None, None)
    assert reaches(Limits(max_qty=1), None, "")
    assert reaches(Limits(accounts=("Sim101",)), "sim101", None)
    assert not reaches(Limits(accounts=("Sim101",)), "", "ES 12-26")
    assert not reaches(MARKETS, "Sim101", None)


@pytest.mark.parametrize(
    ("limits", "is_to_markets"),
    [
        ({}, False),
        ({"max_qty": 1, "max_orders_per_minute": 1}, False),
        ({"accounts": ("Sim101",)}, True),
        ({"instruments": ("ES 12-26",)}, True),
    ],
)
def test_only_accounts_and_instruments_leave_orders_beyond_reach(
    limits: dict[str, Any], *, is_to_markets: bool
) -> None:
    assert Limits(**limits).is_to_markets is is_to_markets


def test_the_orders_of_a_key_are_counted_by_the_minute() -> None:
    assert Limits(max_orders_per_minute=3).rate == Rate(3, 60)
    assert Limits(max_qty=3).rate is None


@pytest.mark.parametrize("asked", [{}, {"account": "sim101"}, {"instrument": "ES 12-26"}, {"qty": 5}])
def test_what_a_key_may_is_not_refused(asked: dict[str, Any]) -> None:
    assert MARKETS._replace(max_qty=5).refusal(**asked) is None
    assert Limits().refusal(**asked) is None


@pytest.mark.parametrize(
    ("asked", "field", "detail"),
    [
        (
            {"account": "Sim103", "instrument": "NQ 12-26", "qty": 6},
            "account",
            "This key is limited to account Sim101 or Sim102; give that, or use another key.",
        ),
        (
            {"account": "Sim101", "instrument": "NQ 12-26", "qty": 6},
            "instrument",
            "This key is limited to instrument ES 12-26; give that, or use another key.",
        ),
        ({"qty": 6}, "qty", "This key is limited to a quantity of 5; give no more, or use another key."),
    ],
)
def test_the_refusal_names_the_field_and_what_the_key_is_limited_to(
    asked: dict[str, Any], field: str, detail: str
) -> None:
    refusal = MARKETS._replace(max_qty=5).refusal(**asked)
    assert isinstance(refusal, CommandNotAllowedError)
    assert (refusal.field, refusal.detail) == (field, detail)
