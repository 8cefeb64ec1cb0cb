"""Whose money an account trades, as its name and the venue say it."""

import pytest

from orderhook.console.money import Money, money_of
from orderhook.venues import NINJATRADER, TABLE


@pytest.mark.parametrize(
    ("account", "money"),
    [
        ("Sim101", "simulated"),
        ("SIM-2", "simulated"),
        ("Playback101", "simulated"),
        ("Apex-7", "live"),
        ("Playback102", "live"),
        ("DEMO1", "live"),
        ("", "live"),
        ("MySim", "live"),
    ],
)
def test_what_is_not_surely_simulated_is_live(account: str, money: Money) -> None:
    assert money_of(account, NINJATRADER) == money
    assert money_of(account, TABLE) == "nothing"
