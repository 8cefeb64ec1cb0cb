"""One fixed text with `ES1!` before and after a roll, on its whole way to NinjaTrader and back."""

from datetime import date, timedelta
from typing import Any

import pytest

from bridge import operator_requests
from bridge.events import FlatConfirmed
from orderhook import instruments
from orderhook.instruments import Roll, rolls
from tests.bridge_world import World

TEXT: dict[str, Any] = {"account": "Sim101", "instrument": "ES1!", "qty": 1, "order_type": "MARKET", "tif": "DAY"}


class Rolled(dict[tuple[str, str], date]):
    """Days on which contracts roll, as they were published."""


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> Rolled:
    days = Rolled()
    monkeypatch.setattr(instruments, "PUBLISHED_OTHERWISE", days)
    return days


@pytest.fixture
def roll(world: World, days: Rolled) -> Roll:
    """The next roll of ES, which is not near; the account is flat, as a person has said."""
    today = world.at.date()
    roll = next(it for it in rolls(today, today + timedelta(days=150)) if it.new.root == "ES")
    days[roll.old.name, "roll"] = today + timedelta(days=14)
    operator_requests.ask(world.asked_in, FlatConfirmed("Sim101"))
    world.let_pass(1)
    return roll


def send(world: World, order_id: str, command: str = "PLACE", **fields: Any) -> dict[str, Any]:
    return dict(world.service.send(command, order_id=order_id, **{**TEXT, **fields}).body)


def be_long_in_the_old_month(world: World, roll: Roll, days: Rolled) -> None:
    """Have the fixed text open the front month, which then rolls."""
    send(world, "day-1", action="BUY", flatten_first="true", stop_loss=4900)
    world.until(lambda: world.position(instrument=roll.old.name) == 1)
    world.let_pass(3)
    days[roll.old.name, "roll"] = world.at.date() - timedelta(days=1)


def positions(world: World, roll: Roll) -> tuple[int, int]:
    """Return what is open in the old month and in the new one."""
    return world.position(instrument=roll.old.name), world.position(instrument=roll.new.name)


def test_flatten_first_after_a_roll_closes_the_old_month(world: World, roll: Roll, days: Rolled) -> None:
    be_long_in_the_old_month(world, roll, days)
    send(world, "day-2", action="SELL", flatten_first="true", stop_loss=5200)
    world.until_state("day-2", "Filled")
    world.let_pass(5)
    assert positions(world, roll) == (0, -1)
    assert len(world.live()) == 1  # its stop: that of the old month has ended


def test_flatplace_after_a_roll_closes_the_old_month(world: World, roll: Roll, days: Rolled) -> None:
    be_long_in_the_old_month(world, roll, days)
    send(world, "day-2", "FLATPLACE", action="SELL")
    world.until_state("day-2", "Filled")
    world.let_pass(5)
    assert positions(world, roll) == (0, -1)


def test_what_closes_alone_after_a_roll_closes_the_old_month(world: World, roll: Roll, days: Rolled) -> None:
    be_long_in_the_old_month(world, roll, days)
    window = {"start_time": "0:00", "end_time": "23:59", "closing_only_after": "0:00"}
    assert "instruction_id" in send(world, "day-2", action="SELL", flatten_first="true", **window)
    world.let_pass(8)
    assert positions(world, roll) == (0, 0)
