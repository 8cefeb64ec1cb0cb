"""What the bridge does by orders of its own, on the whole way to NinjaTrader and back: as a trader means it."""

from datetime import timedelta
from typing import Any

import pytest

from bridge.events import Effect, Event
from bridge.run import Bridge
from orderhook.instructions import Instruction
from orderhook.orders import Template, timestamp
from tests import builders
from tests.bridge_world import World
from tests.integration.conftest import Run
from tests.integration.test_bridge_loop import place
from tests.integration.test_bridge_positions import result_of
from tests.marks import LONG, OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE


def have(world: World, qty: int = 3, order_id: str = "long", **legs: object) -> None:
    """Be long, with a target and a stop that work."""
    fields = {"qty": qty, "stop_loss": 4960, "take_profit": 5040, "strategy_id": order_id, **legs}
    place(world, order_id, **fields)
    last = f"{order_id}.TARGET1" if fields["take_profit"] else order_id
    world.until(lambda: world.states().get(last) in ("Working", "Filled"))
    world.let_pass(1)


def ask(world: World, command: str, name: str = "asked", **fields: Any) -> str:
    """Have an instruction be in the table, received just now."""
    values = {"account": "Sim101", "instrument": "ES 12-26"} | fields
    instruction = Instruction(name, command, timestamp(world.at), "ninjatrader", **values)
    world.service.services.instructions.put(builders.provenance(world.service.trader, name), instruction)
    world.ring()
    return name


def until_done(world: World, name: str = "asked") -> str:
    world.until(lambda: result_of(world, name))
    return str(result_of(world, name))


def test_a_part_is_closed_and_the_legs_protect_the_rest(world: World) -> None:
    have(world)
    ask(world, "CLOSEPOSITION", qty=1)
    assert until_done(world) == "done"
    assert (world.position(), world.live()) == (2, ["LIMIT SELL 2 5040", "STOPMARKET SELL 2 4960"])
    world.let_pass(5)
    order = world.service.order("asked.1")
    assert order
    assert (order.state, order.filled, order.action, order.made_by) == ("Filled", 1, "SELL", "asked")
    assert "asked.1" not in world.state.active
    [execution] = [it for it in world.service.services.bridge.executions(world.service.trader) if it.action == "SELL"]
    assert (execution.order_id, execution.quantity, execution.unattached) == ("asked.1", 1, False)
    instruction = world.service.services.instructions.get(world.service.trader, "asked")
    assert instruction
    assert instruction.order_ids == ("asked.1",)
    world.paper.set_price("ES 12-26", "4950", world.at)
    world.until(lambda: world.states()["long.STOP1"] == "Filled")
    world.until(lambda: not world.live())
    assert world.position() == 0


def test_after_a_close_in_part_a_leg_is_shown_as_it_works(world: World, run: Run) -> None:
    have(world)
    ask(world, "CLOSEPOSITION", qty=2)
    until_done(world)
    world.let_pass(5)
    for arguments in ((), ("--open",)):
        shown = run("orders", *arguments).stdout
        assert "SELL 1 STOPMARKET GTC" in shown
        assert "SELL 3" not in shown
    shown = run("order", "long.STOP1").stdout
    assert "SELL 1 STOPMARKET GTC" in shown
    looked = world.link.look().orders
    assert {it.present_qty for it in looked if it.entry_id} == {1}
    world.paper.set_price("ES 12-26", "4950", world.at)
    world.until(lambda: world.states()["long.STOP1"] == "Filled")
    world.let_pass(1)
    assert " of 3" not in run("orders").stdout


def test_a_bridge_that_ends_at_any_moment_closes_a_part_once_at_most(world: World) -> None:
    have(world, 30)
    left = 30
    for steps in range(1, 11):
        name = ask(world, "CLOSEPOSITION", f"asked-{steps}", qty=1)
        world.let_pass(steps / 10)
        world.kill()
        world.let_pass(1)
        world.start()
        until_done(world, name)
        world.let_pass(1)
        made = [it for it in world.paper.orders if it.order_type == "MARKET" and it.action == "SELL"]
        left = 30 - len(made)
        assert world.position() == left
        assert world.live() == [f"LIMIT SELL {left} 5040", f"STOPMARKET SELL {left} 4960"]
    assert left == 20


def test_a_stop_that_fills_while_a_part_is_closed_turns_nothing_over(world: World) -> None:
    for tenths in (1, 2, 4, 6, 8):
        have(world, 3, f"long-{tenths}")
        name = ask(world, "CLOSEPOSITION", f"asked-{tenths}", qty=2)
        world.let_pass(tenths / 10)
        world.paper.set_price("ES 12-26", "4950", world.at)
        assert until_done(world, name) == "done"
        world.until(lambda: not world.live())
        assert world.position() == 0
        world.paper.set_price("ES 12-26", "5000", world.at)
        world.let_pass(1)


def turn_over(world: World, name: str = "asked") -> str:
    return ask(world, "REVERSE", name, not_after=timestamp(world.at + timedelta(seconds=30)))


def test_a_position_is_turned_over(world: World) -> None:
    have(world)
    turn_over(world)
    assert until_done(world) == "done"
    world.let_pass(3)
    assert (world.position(), world.live()) == (-3, [])
    assert world.states()["asked.1"] == "Filled"
    turn_over(world, "again")
    assert until_done(world, "again") == "done"
    world.let_pass(3)
    assert world.position() == 3


def test_a_stop_that_fills_at_any_moment_leaves_a_position_turned_over_or_flat(world: World) -> None:
    ends = set()
    for tenths in (1, 5, 9, 14, 25):
        have(world, 2, f"long-{tenths}")
        name = turn_over(world, f"asked-{tenths}")
        world.let_pass(tenths / 10)
        world.paper.set_price("ES 12-26", "4950", world.at)
        result = until_done(world, name)
        world.let_pass(3)
        ends.add((result, world.position(), len(world.live())))
        world.paper.set_price("ES 12-26", "5000", world.at)
        ask(world, "CLOSEPOSITION", f"end-{tenths}")
        until_done(world, f"end-{tenths}")
        world.let_pass(2)
    assert ends <= {("done", -2, 0), ("no_position", 0, 0)}
    assert ("done", -2, 0) in ends


def test_a_bridge_that_ends_at_any_moment_turns_a_position_over_once_at_most(world: World) -> None:
    for tenths in (1, 3, 5, 7, 12, 17, 19, 21):
        have(world, 2, f"long-{tenths}", stop_loss=None, take_profit=None)
        name = turn_over(world, f"asked-{tenths}")
        world.let_pass(tenths / 10)
        world.kill()
        world.let_pass(1)
        world.start()
        result = until_done(world, name)
        world.let_pass(3)
        assert (result, world.position()) in {("done", -2), ("unresolved", -2), ("unresolved", 0)}
        if world.position():
            ask(world, "CLOSEPOSITION", f"end-{tenths}")
            until_done(world, f"end-{tenths}")
            world.let_pass(2)
        assert world.position() == 0


def close_strategy(world: World, strategy_id: str) -> str:
    answer = world.service.send("CLOSESTRATEGY", strategy_id=strategy_id)
    assert answer.body["status"] == "accepted", answer.body
    return str(answer.body["instruction_id"])


def test_a_strategy_is_closed_with_its_position_and_another_one_goes_on(world: World) -> None:
    have(world, 2)
    have(world, 1, "other")
    name = close_strategy(world, "long")
    assert until_done(world, name) == "done"
    world.let_pass(5)
    assert (world.position(), world.live()) == (1, ["LIMIT SELL 1 5040", "STOPMARKET SELL 1 4960"])
    assert world.states() == {
        "long": "Filled",
        "long.STOP1": "Cancelled",
        "long.TARGET1": "Cancelled",
        "other": "Filled",
        "other.STOP1": "Working",
        "other.TARGET1": "Working",
        f"{name}.1": "Filled",
    }
    made = world.service.order(f"{name}.1")
    assert made
    assert made.strategy_id == "long"
    again = close_strategy(world, "other")
    assert until_done(world, again) == "done"
    assert world.position() == 0


def test_a_strategy_whose_position_nobody_knows_keeps_its_target_and_stop(world: World) -> None:
    have(world, 2)
    world.paper.stop()
    world.let_pass(5)
    world.paper.start(world.at)
    world.let_pass(10)
    name = close_strategy(world, "long")
    assert until_done(world, name) == "blocked"
    world.let_pass(10)
    assert (world.position(), world.live()) == (2, ["LIMIT SELL 2 5040", "STOPMARKET SELL 2 4960"])
    assert any("close_failed" in told for told in world.told)


def test_a_bracket_of_two_strategies_is_cut_down_to_what_the_close_of_one_leaves(world: World) -> None:
    for strategy_id in ("long", "other"):
        have(world, 1, strategy_id, take_profit=None, stop_loss=None)
    ask(world, "CANCELANDBRACKET", "bracket", action="BUY", qty=2, stop_loss="4970", take_profit="5040")
    assert until_done(world, "bracket") == "done"
    assert until_done(world, close_strategy(world, "long")) == "done"
    world.let_pass(3)
    assert (world.position(), world.live()) == (1, ["LIMIT SELL 1 5040", "STOPMARKET SELL 1 4970"])


def test_a_strategy_that_a_stop_has_closed_meanwhile_is_not_closed_again(world: World) -> None:
    ends = set()
    for tenths in (1, 2, 4, 6, 8):
        have(world, 2, f"long-{tenths}")
        name = close_strategy(world, f"long-{tenths}")
        world.let_pass(tenths / 10)
        world.paper.set_price("ES 12-26", "4950", world.at)
        ends.add(until_done(world, name))
        world.let_pass(3)
        assert (world.position(), world.live()) == (0, [])
        world.paper.set_price("ES 12-26", "5000", world.at)
    assert ends <= {"done", "no_position"}


def test_a_strategy_of_ninjatraders_own_template_is_closed_there(world: World) -> None:
    templates = world.service.services.templates
    assert templates.put(world.service.trader, Template("paper-atm", ninjatrader=True))
    have(world, 1, "other")
    place(world, "long", qty=2, strategy="paper-atm", strategy_id="S")
    world.until_state("long", "Filled")
    world.let_pass(1)
    assert (world.position(), len(world.live())) == (3, 4)
    name = close_strategy(world, "S")
    assert until_done(world, name) == "done"
    assert (world.position(), world.live()) == (1, ["LIMIT SELL 1 5040", "STOPMARKET SELL 1 4960"])
    assert [line.split(";")[0] for line in world.paper.lines].count("CLOSESTRATEGY") == 1
    assert not [line for line in world.told if line.startswith("ALARM")]


class Killed(BaseException):
    """The process has ended."""


class Mortal(Bridge):
    """A bridge that ends when so much was done of what its engine asks for."""

    left: int | None = None

    def _do(self, effect: Effect) -> list[Event]:
        if Mortal.left == 0:
            Mortal.left = None
            raise Killed
        Mortal.left = None if Mortal.left is None else Mortal.left - 1
        return super()._do(effect)


def asks(world: World, command: str, number: int) -> str:
    if command == "CLOSEPOSITION":
        return ask(world, command, f"asked-{number}", qty=1)
    if command == "REVERSE":
        return turn_over(world, f"asked-{number}")
    return close_strategy(world, f"long-{number}")


@LONG
@pytest.mark.parametrize(
    ("command", "first", "allowed"),
    [
        ("CLOSEPOSITION", 0, {("done", 2), ("unresolved", 2), ("unresolved", 3)}),
        ("REVERSE", 2, {("done", -3), ("unresolved", -3), ("unresolved", 0), ("failed", 3), ("failed", 0)}),
        ("CLOSESTRATEGY", 2, {("done", 0), ("unresolved", 0), ("unresolved", 3)}),
    ],
)
def test_a_bridge_that_ends_between_any_two_effects_does_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, command: str, first: int, allowed: set[tuple[str, int]]
) -> None:
    monkeypatch.setattr(world, "make_bridge", lambda *parts, **options: Mortal(*parts, **options))
    world.kill()
    world.start()
    world.let_pass(2)
    ends: list[tuple[str, int]] = []
    for number in range(first, 60, 8):
        have(world, 3, f"long-{number}")
        name = asks(world, command, number)
        Mortal.left = number
        try:
            world.let_pass(4)
        except Killed:
            world.kill()
            world.let_pass(0.5)
            world.start()
        was_killed, Mortal.left = Mortal.left is None, None
        result = until_done(world, name)
        world.let_pass(3)
        ends.append((result, world.position()))
        while world.position() or world.live():
            flat = ask(world, "FLATTENEVERYTHING", f"flat-{world.at.timestamp()}", account=None, instrument=None)
            until_done(world, flat)
            world.let_pass(2)
        if not was_killed:
            break
    assert set(ends) <= allowed
    assert ends[-1][0] == "done"
    assert len(ends) > 2
