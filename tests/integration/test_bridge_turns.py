"""One command after the other on a pair: what has begun goes on until its outcome, so that nothing turns over."""

from datetime import timedelta
from typing import Any

import pytest

from tests.bridge_world import World
from tests.integration.test_bridge_positions import result_of
from tests.integration.test_bridge_sequences import ES, place

ENTRY: dict[str, Any] = {"order_type": "MARKET", "tif": "DAY", **ES}
TURNS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "REVERSE": (ES, [2, 0, -2]),
    "REVERSEPOSITION": ({"action": "SELL", "qty": 2, "order_id": "turn", **ENTRY}, [2, 0, -2]),
    "FLATPLACE": ({"action": "BUY", "qty": 1, "order_id": "turn", **ENTRY}, [2, 0, 1]),
    "PLACE": ({"action": "SELL", "qty": 1, "order_id": "turn", "flatten_first": True, **ENTRY}, [2, 0, -1]),
}


def path(world: World) -> list[int]:
    """Return what was open after each execution."""
    quantities = [it.quantity for it in world.paper.executions]
    return [sum(quantities[: number + 1]) for number in range(len(quantities))]


def have(world: World, qty: int = 2) -> None:
    place(world, qty=qty, stop_loss=4900, strategy_id="S")
    world.let_pass(2)


def send(world: World, command: str, **fields: object) -> str:
    answer = world.service.send(command, **fields)
    assert answer.body["status"] in ("accepted", "placed"), answer.body
    return str(answer.body.get("instruction_id"))


@pytest.mark.parametrize("tenths", [1, 3, 5, 8])
@pytest.mark.parametrize("command", TURNS)
def test_a_strategy_closed_while_its_position_is_turned_takes_nothing_twice(
    world: World, command: str, tenths: int
) -> None:
    have(world)
    fields, expected = TURNS[command]
    send(world, command, **fields)
    world.let_pass(tenths / 10)
    closing = send(world, "CLOSESTRATEGY", strategy_id="S")
    world.until(lambda: result_of(world, closing))
    world.let_pass(10)
    assert (path(world), result_of(world, closing)) == (expected, "no_position")


@pytest.mark.parametrize("tenths", [1, 3, 5, 8])
@pytest.mark.parametrize("command", TURNS)
def test_a_part_closed_while_a_position_is_turned_is_a_part_of_what_follows(
    world: World, command: str, tenths: int
) -> None:
    have(world)
    fields, expected = TURNS[command]
    send(world, command, **fields)
    world.let_pass(tenths / 10)
    closing = send(world, "CLOSEPOSITION", **ES, qty=1)
    world.until(lambda: result_of(world, closing))
    world.let_pass(10)
    left = expected[-1] - (1 if expected[-1] > 0 else -1)
    assert (path(world), result_of(world, closing)) == ([*expected, left], "done")


@pytest.mark.parametrize("tenths", [0, 1, 3, 5, 8])
@pytest.mark.parametrize("command", ["REVERSE", "REVERSEPOSITION", "PLACE"])
def test_legs_for_a_position_that_is_turned_over_meanwhile_are_not_placed(
    world: World, command: str, tenths: int
) -> None:
    have(world)
    fields, expected = TURNS[command]
    send(world, command, **fields)
    world.at += timedelta(milliseconds=1)
    world.let_pass(tenths / 10)
    bracket = send(world, "CANCELANDBRACKET", action="BUY", qty=2, stop_loss="4950", **ES)
    world.until(lambda: result_of(world, bracket))
    world.let_pass(10)
    assert (path(world), result_of(world, bracket), world.live()) == (expected, "blocked", [])


@pytest.mark.parametrize("tenths", [1, 3, 5, 8])
@pytest.mark.parametrize("command", TURNS)
def test_a_later_full_close_leaves_nothing_of_what_is_turned(world: World, command: str, tenths: int) -> None:
    have(world)
    send(world, command, **TURNS[command][0])
    world.let_pass(tenths / 10)
    closing = send(world, "CLOSEPOSITION", **ES)
    world.let_pass(25)
    assert (path(world), world.live(), result_of(world, closing) in ("done", "no_position")) == ([2, 0], [], True)
