"""One command after the other on a pair: what has begun goes on until its outcome, so that nothing turns over."""

from datetime import timedelta
from typing import Any

import pytest

from orderhook.attention.gathering import Gathered
from orderhook.attention.needing import needing_a_person
from tests.bridge_world import World
from tests.integration.test_bridge_positions import result_of
from tests.integration.test_bridge_sequences import ES, place, restart_nt
from tests.marks import EACH_ONCE, OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE

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


@EACH_ONCE
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


@EACH_ONCE
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


@EACH_ONCE
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


@EACH_ONCE
@pytest.mark.parametrize("tenths", [1, 3, 5, 8])
@pytest.mark.parametrize("command", TURNS)
def test_a_later_full_close_leaves_nothing_of_what_is_turned(world: World, command: str, tenths: int) -> None:
    have(world)
    send(world, command, **TURNS[command][0])
    world.let_pass(tenths / 10)
    closing = send(world, "CLOSEPOSITION", **ES)
    world.let_pass(25)
    assert (path(world), world.live(), result_of(world, closing) in ("done", "no_position")) == ([2, 0], [], True)


# What was not closed, though somebody may believe that it was


def told(world: World, code: str) -> int:
    return len([line for line in world.told if line.startswith(f"ALARM {code}:")])


def restarted(world: World) -> None:
    """Hold two of which NinjaTrader says nothing any more."""
    have(world)
    restart_nt(world)
    world.let_pass(8)
    world.told.clear()


def test_the_whole_by_percent_is_closed_as_the_bare_command_does(world: World) -> None:
    restarted(world)
    closing = send(world, "CLOSEPOSITION", **ES, percent=1)
    world.until(lambda: result_of(world, closing))
    assert (world.position(), result_of(world, closing), told(world, "not_closed")) == (0, "done", 0)


@pytest.mark.parametrize(
    "fields", [{"qty": 1}, {"percent": "0.5"}, {"require_market_position": "long"}], ids=["qty", "percent", "require"]
)
def test_what_is_not_closed_because_nobody_knows_how_much_is_open_rings(world: World, fields: dict[str, Any]) -> None:
    restarted(world)
    closing = send(world, "CLOSEPOSITION", **ES, **fields)
    world.until(lambda: result_of(world, closing))
    world.let_pass(3)
    assert (world.position(), result_of(world, closing), told(world, "not_closed")) == (2, "blocked", 1)


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("CLOSEPOSITION", {"instrument": "ES1!"}),
        ("CLOSEPOSITION", {"instrument": "ES1!", "qty": 1}),
        ("FLATTEN", {}),
    ],
)
def test_an_account_that_the_bridge_does_not_have_blocks_what_closes_there(
    world: World, command: str, fields: dict[str, Any]
) -> None:
    have(world)
    closing = send(world, command, account="Sim110", **fields)
    world.until(lambda: result_of(world, closing))
    instruction = world.service.services.instructions.get(world.service.trader, closing)
    assert instruction
    why = "account Sim110 is not one of this bridge's: give it by --account"
    assert (instruction.result, instruction.reason, told(world, "not_closed")) == ("blocked", why, 1)


def test_a_part_is_not_closed_hours_later_and_the_whole_is(world: World) -> None:
    have(world)
    world.kill()
    part = send(world, "CLOSEPOSITION", **ES, qty=1)
    world.at += timedelta(minutes=6)
    world.start()
    world.until(lambda: result_of(world, part))
    world.let_pass(3)
    assert (result_of(world, part), world.position(), told(world, "not_closed")) == ("too_late", 2, 1)
    world.kill()
    whole = send(world, "CLOSEPOSITION", **ES)
    world.at += timedelta(hours=6)
    world.start()
    world.until(lambda: result_of(world, whole))
    assert (result_of(world, whole), world.position()) == ("done", 0)


# What came while the bridge was away


def needs(world: World) -> list[str]:
    """Return what the list shows that the console and the notifications tell."""
    services, trader = world.service.handlers_services, world.service.trader
    gathered = Gathered.of(services, trader, world.at)
    facts = gathered.facts(services.controls.look(trader).bridge, world.at)
    return [it.code for it in needing_a_person(facts)]


def miss(world: World, command: str, **fields: object) -> None:
    """Have a command come while the bridge is away, and the bridge start when its time is over."""
    world.kill()
    send(world, command, **fields)
    world.at += timedelta(seconds=40)
    world.start()
    world.let_pass(5)


EXIT = {"action": "SELL", "qty": 2, "order_id": "out", **ENTRY}


@pytest.mark.parametrize("command", [*TURNS, "an exit"])
def test_a_position_that_is_not_closed_as_the_bridge_was_away_rings(world: World, command: str) -> None:
    have(world)
    fields = EXIT if command == "an exit" else TURNS[command][0]
    miss(world, "PLACE" if command == "an exit" else command, **fields)
    assert (world.position(), told(world, "not_closed"), needs(world)) == (2, 1, ["not_closed"])


@pytest.mark.parametrize("command", ["FLATPLACE", "PLACE", "an exit"])
def test_an_order_that_comes_too_late_where_nothing_is_open_is_told_of(world: World, command: str) -> None:
    have(world)
    send(world, "CLOSEPOSITION", **ES)
    world.until(lambda: world.position() == 0)
    world.let_pass(3)
    fields = EXIT if command == "an exit" else TURNS[command][0]
    miss(world, "PLACE" if command == "an exit" else command, **fields)
    assert (world.position(), told(world, "not_closed"), needs(world)) == (0, 0, ["too_late"])


def test_a_reverse_that_comes_too_late_where_nothing_is_open_calls_nobody(world: World) -> None:
    have(world)
    send(world, "CLOSEPOSITION", **ES)
    world.until(lambda: world.position() == 0)
    world.let_pass(3)
    miss(world, "REVERSE", **ES)
    assert needs(world) == []


def test_what_may_be_an_exit_is_told_as_one_where_nobody_knows_the_position(world: World) -> None:
    restarted(world)
    miss(world, "PLACE", **EXIT)
    assert told(world, "not_closed") == 1
    assert "not_closed" in needs(world)
