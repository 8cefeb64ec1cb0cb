"""One fixed text with `ES1!` before and after a roll, on its whole way to NinjaTrader and back."""

from datetime import date, timedelta
from typing import Any

import pytest

from bridge import operator_requests
from bridge.events import FlatConfirmed
from orderhook import instruments
from orderhook.instruments import Roll, rolls
from tests.bridge_world import World
from tests.marks import OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE

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


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("REVERSEPOSITION", {}),
        ("PLACE", {"require_market_position": "long"}),
        ("PLACE", {"sync_strategy": "true", "prev_market_position": "long", "market_position": "flat"}),
    ],
)
def test_an_exit_after_a_roll_that_cannot_find_its_position_names_the_old_month(
    world: World, roll: Roll, days: Rolled, command: str, fields: dict[str, str]
) -> None:
    be_long_in_the_old_month(world, roll, days)
    send(world, "day-2", command, action="SELL", **fields)
    world.until_state("day-2", "Rejected")
    order = world.service.order("day-2")
    assert order
    assert f"{roll.old.name} is held, {roll.new.name} is the front month" in str(order.reason)
    assert positions(world, roll) == (1, 0)
    assert sum("other_month" in it for it in world.told) == 1


def test_a_reverse_after_a_roll_names_the_old_month(world: World, roll: Roll, days: Rolled) -> None:
    be_long_in_the_old_month(world, roll, days)
    answer = world.service.send("REVERSE", account="Sim101", instrument="ES1!")
    world.let_pass(3)
    known = world.state.instructions[answer.body["instruction_id"]]
    assert (known.result, positions(world, roll)) == ("no_position", (1, 0))
    assert f"{roll.old.name} is held" in str(known.reason)
    assert sum("other_month" in it for it in world.told) == 1


def test_an_entry_after_a_roll_beside_the_old_month_rings(world: World, roll: Roll, days: Rolled) -> None:
    be_long_in_the_old_month(world, roll, days)
    send(world, "day-2", action="BUY")
    world.until_state("day-2", "Filled")
    assert positions(world, roll) == (1, 1)
    assert sum("other_month" in it for it in world.told) == 1
