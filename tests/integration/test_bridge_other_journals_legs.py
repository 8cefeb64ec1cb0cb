"""Commands on a position whose target and stop a journal has placed that is lost."""

from pathlib import Path

import pytest

from tests.bridge_world import World
from tests.integration.test_bridge_bracketing import carry_out
from tests.integration.test_bridge_conditions import send
from tests.integration.test_bridge_loop import is_ready, place
from tests.integration.test_bridge_positions import close_position, result_of
from tests.integration.test_bridge_sequences import lose_journal
from tests.marks import OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE


@pytest.fixture
def world(world: World, tmp_path: Path) -> World:
    """A bridge with a new journal, and a long trade of the one before, with its target and stop at work."""
    place(world, qty=2, take_profit=5040, stop_loss=4960)
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])
    lose_journal(world, tmp_path)
    world.until(lambda: is_ready(world))
    return world


def alarms(world: World) -> list[str]:
    return [it for it in world.told if it.startswith("ALARM")]


def test_flatplace_ends_the_legs_of_what_it_closes(world: World) -> None:
    place(world, "resting", order_type="LIMIT", limit_price=4900, tif="GTC")
    world.until_state("resting", "Working")
    send(world, "FLATPLACE", "short", take_profit=4910, stop_loss=5100)
    world.until(lambda: world.states().get("short.TARGET1") == "Working")
    world.let_pass(5)
    assert world.position() == -1
    assert world.live() == ["LIMIT BUY 1 4900", "LIMIT BUY 1 4910", "STOPMARKET BUY 1 5100"]
    assert (world.states()["long.STOP1"], alarms(world)) == ("Cancelled", [])


def test_no_part_is_closed_beside_legs_that_cannot_be_made_smaller(world: World) -> None:
    closing = close_position(world, qty=1)
    world.until(lambda: result_of(world, closing))
    assert (result_of(world, closing), world.position()) == ("blocked", 2)
    assert world.live() == ["LIMIT SELL 2 5040", "STOPMARKET SELL 2 4960"]
    [alarm] = alarms(world)
    assert "long.STOP1" in alarm
    # What gives the position legs of its own makes it possible.
    assert carry_out(world, qty=2, stop_loss="4970", take_profit=None) == "done"
    closing = close_position(world, qty=1, notes="again")
    world.until(lambda: result_of(world, closing))
    world.let_pass(5)
    assert (result_of(world, closing), world.position(), world.live()) == ("done", 1, ["STOPMARKET SELL 1 4970"])


def test_a_bracket_in_the_place_of_its_legs_rings_no_alarm(world: World) -> None:
    assert carry_out(world, qty=2, stop_loss="4970", take_profit=None) == "done"
    world.let_pass(10)
    assert (world.live(), alarms(world)) == (["STOPMARKET SELL 2 4970"], [])
