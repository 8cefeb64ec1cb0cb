"""Positions that are closed by alerts while everything around them goes wrong: in sequences, the whole way."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge import operator_requests
from bridge.events import FlatConfirmed, Resumed
from orderhook.instructions import Instruction
from orderhook.orders import timestamp
from orderhook.venues import NINJATRADER
from tests.bridge_world import World
from tests.builders import provenance
from tests.integration.test_bridge_loop import BRACKET, have_bracket, place
from tests.integration.test_bridge_positions import close_position, result_of
from tests.marks import OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE

CLOSE = "CLOSEPOSITION;Sim101;ES 12-26;;;;;;;;;;"


def ask(world: World, command: str, name: str = "asked", **fields: Any) -> str:
    """Have an instruction be in the table as its command writes it."""
    signed = provenance(world.service.trader, name)
    asked = Instruction(name, command, timestamp(world.at), str(NINJATRADER.name), **fields)
    world.service.services.instructions.put(signed, asked)
    return name


def until_result(world: World, instruction_id: str) -> str | None:
    world.until(lambda: result_of(world, instruction_id))
    return result_of(world, instruction_id)


def closes(world: World) -> int:
    """Return how many CLOSEPOSITIONs NinjaTrader has read."""
    return world.paper.lines.count(CLOSE)


def alarms(world: World) -> list[str]:
    return [line.split()[1].rstrip(":") for line in world.told if line.startswith("ALARM")]


def by_hand(world: World, action: str, order_type: str, qty: int, stop: str = "") -> None:
    """Have somebody else place an order in NinjaTrader."""
    line = f"PLACE;Sim101;ES 12-26;{action};{qty};{order_type};;{stop};GTC;;;;"
    (world._path / "incoming" / f"oif_by_hand_{len(world.paper.orders)}.txt").write_text(f"{line}\r\n")
    world.let_pass(1)


def sides(world: World) -> set[int]:
    """Return the signs that the position ever had."""
    seen, total = set(), 0
    for it in world.paper.executions:
        total += it.quantity
        seen.add((total > 0) - (total < 0))
    return seen


def test_a_stop_that_fills_while_ninjatrader_closes_turns_the_position_over_and_nothing_follows(world: World) -> None:
    place(world)
    world.until(lambda: world.position() == 1)
    by_hand(world, "SELL", "STOPMARKET", 1, "4960")  # of which the bridge knows nothing
    world.paper.misbehaviour.stop_fills_during_close = True
    closing = close_position(world)
    world.until(lambda: "flipped" in alarms(world))
    assert (world.position(), len(world.placed_lines())) == (-1, 2)
    assert result_of(world, closing) is None
    place(world, "next")
    world.until_state("next", "Rejected")
    next_order = world.service.order("next")
    assert next_order
    assert str(next_order.reason).startswith("blocked: the position was LONG and is SHORT 1")
    world.paper.misbehaviour.stop_fills_during_close = False
    assert until_result(world, closing) == "failed"
    assert (world.position(), closes(world), len(world.placed_lines())) == (0, 2, 2)
    world.kill()
    world.start()
    world.let_pass(2)
    place(world, "after")
    world.until_state("after", "Rejected")
    operator_requests.ask(world.asked_in, Resumed("Sim101", "ES DEC26"))
    world.let_pass(1)
    place(world, "resumed")
    world.until_state("resumed", "Filled")


def test_an_own_stop_has_its_end_before_so_that_it_cannot_turn_the_position_over(world: World) -> None:
    have_bracket(world)
    world.paper.misbehaviour.stop_fills_during_close = True
    assert until_result(world, close_position(world)) == "done"
    world.let_pass(15)
    assert (sides(world), closes(world), alarms(world)) == ({0, 1}, 1, [])


def test_a_stop_that_fills_while_it_is_cancelled_leaves_nothing_to_close(world: World) -> None:
    place(world, stop_loss=4960)
    world.until(lambda: world.live() == ["STOPMARKET SELL 1 4960"])
    world.paper.misbehaviour.fills_overtake_cancels = True
    world.paper.misbehaviour.position_files_after = timedelta(seconds=1)
    closing = close_position(world)
    assert until_result(world, closing) == "done"
    world.let_pass(15)
    assert (world.position(), closes(world)) == (0, 0)


def test_closes_that_are_repeated_without_files_of_the_position_build_none(world: World) -> None:
    place(world)
    world.until(lambda: world.position() == 1)
    world.let_pass(1)
    world.paper.misbehaviour.position_files_after = timedelta(hours=1)
    asked = []
    for number in range(30):
        asked.append(close_position(world, notes=f"again {number}"))
        world.let_pass(5)
    assert (world.position(), sides(world)) == (0, {0, 1})
    assert closes(world) <= 6  # two of each that came after the one before had failed
    assert len(world.placed_lines()) == 1
    assert "close_failed" in alarms(world)
    place(world, "next")
    world.until_state("next", "Rejected")


def test_an_alert_that_closes_right_after_one_that_opens_leaves_nothing(world: World) -> None:
    for number, moments in enumerate((0, 1, 2, 3, 5, 8)):
        place(world, f"long-{number}", **BRACKET)
        for _ in range(moments):
            world.step()
        closing = close_position(world, notes=str(number))
        until_result(world, closing)
        world.let_pass(3)
        assert (world.position(), world.live()) == (0, []), number


def test_an_alert_that_opens_right_after_one_that_closes_is_what_is_left(world: World) -> None:
    for number, moments in enumerate((1, 2, 4, 7)):
        place(world, f"long-{number}", **BRACKET)
        world.let_pass(3)
        closing = close_position(world, notes=str(number))
        for _ in range(moments):
            world.step()
        place(world, f"short-{number}", action="SELL", qty=2)
        world.until_state(f"short-{number}", "Filled")
        assert result_of(world, closing) == "done"
        world.let_pass(3)
        assert (world.position(), world.live()) == (-2, [])
        until_result(world, close_position(world, notes=f"end {number}"))
    assert alarms(world) == []


def test_without_a_bridge_a_close_waits_for_it_and_its_stops_work_on(world: World) -> None:
    have_bracket(world)
    world.stop()
    closing = close_position(world)
    world.let_pass(60)
    assert len(world.live()) == 2
    world.start()
    assert until_result(world, closing) == "done"
    assert (world.position(), world.live()) == (0, [])


def test_ninjatrader_that_takes_no_files_closes_when_it_does(world: World) -> None:
    place(world)
    world.until(lambda: world.position() == 1)
    world.paper.misbehaviour.leaves_files = True
    closing = close_position(world)
    world.let_pass(30)
    assert (world.position(), result_of(world, closing), closes(world)) == (1, None, 0)
    world.paper.misbehaviour.leaves_files = False
    assert until_result(world, closing) == "done"
    assert (world.position(), closes(world), alarms(world)) == (0, 1, ["not_read"])


def test_a_start_of_ninjatrader_in_the_middle_leaves_nothing_open(world: World) -> None:
    for moments in range(1, 12, 2):
        place(world, f"long-{moments}", **BRACKET)
        world.until(lambda: len(world.live()) == 2)
        closing = close_position(world, notes=str(moments))
        for _ in range(moments):
            world.step()
        world.paper.stop()
        world.let_pass(3)
        world.paper.start(world.at)
        result = until_result(world, closing)
        assert (world.position(), result in ("done", "unresolved", "failed")) == (0, True), (moments, result)
        operator_requests.ask(world.asked_in, Resumed("Sim101", "ES 12-26"))
        world.let_pass(2)


@pytest.mark.parametrize("steps", range(1, 14))
def test_a_bridge_that_is_killed_at_any_moment_closes_once(world: World, steps: int) -> None:
    have_bracket(world)
    closing = close_position(world)
    for _ in range(steps):
        world.step()
    world.kill()
    world.start()
    assert until_result(world, closing) in ("done", "no_position")
    world.let_pass(15)
    assert (world.position(), world.live(), sides(world)) == (0, [], {0, 1})
    assert closes(world) <= 2
    assert set(alarms(world)) <= {"not_read"}


def test_another_bridge_that_takes_over_closes_what_the_first_has_begun(world: World, tmp_path: Path) -> None:
    have_bracket(world)
    closing = close_position(world)
    for _ in range(3):
        world.step()
    world.kill()
    (tmp_path / "journal.sqlite").rename(tmp_path / "first.sqlite")
    world.start(take_over=True)
    assert until_result(world, closing) in ("done", "no_position")
    world.let_pass(15)
    assert (world.position(), world.live(), sides(world)) == (0, [], {0, 1})
    assert closes(world) <= 2


def test_everything_is_flattened_of_the_bridges_accounts_alone(world: World) -> None:
    have_bracket(world)
    nq = {"account": "Sim102", "instrument": "NQ 12-26"}
    place(world, "short", **{**nq, "action": "SELL"})
    place(world, "resting", **{**nq, "order_type": "LIMIT", "limit_price": 1, "instrument": "CL 01-27", "tif": "GTC"})
    world.until(lambda: world.position(**nq) == -1 and world.states()["resting"] == "Working")
    operator_requests.ask(world.asked_in, FlatConfirmed("Sim102"))
    assert until_result(world, ask(world, "FLATTENEVERYTHING")) == "done"
    assert (world.position(), world.position(**nq), world.live()) == (0, 0, [])
    assert not [line for line in world.paper.lines if line.startswith(("FLATTENEVERYTHING", "CANCELALLORDERS"))]
    assert alarms(world) == []


def test_what_is_held_is_flattened_and_pending_orders_elsewhere_stay(world: World) -> None:
    have_bracket(world)
    nq = {"account": "Sim102", "instrument": "NQ 12-26"}
    place(world, "resting", **{**nq, "order_type": "LIMIT", "limit_price": 100, "tif": "GTC"})
    world.until_state("resting", "Working")
    operator_requests.ask(world.asked_in, FlatConfirmed("Sim102"))
    assert until_result(world, ask(world, "FLATTEN", market_position="long")) == "done"
    assert (world.position(), world.live()) == (0, ["LIMIT BUY 1 100"])


def test_a_close_that_is_seen_after_a_later_entry_waits_for_a_late_file(world: World) -> None:
    world.paper.misbehaviour.position_files_after = timedelta(seconds=4)
    have_bracket(world)
    world.let_pass(8)
    received_at = world.at
    world.let_pass(0.2)
    place(world, "later", stop_loss=4950)
    world.let_pass(1.5)
    asked = Instruction("asked", "CLOSEPOSITION", timestamp(received_at), "ninjatrader", "Sim101", "ES 12-26")
    world.service.services.instructions.put(provenance(world.service.trader, "asked"), asked)
    world.ring()
    assert until_result(world, "asked") == "done"
    world.let_pass(8)
    assert (world.position(), world.live(), alarms(world)) == (1, ["STOPMARKET SELL 1 4950"], [])


def test_a_close_whose_file_never_comes_after_its_stops_have_ended_calls_a_person(world: World) -> None:
    have_bracket(world)
    world.let_pass(3)
    world.paper.misbehaviour.position_files_after = timedelta(hours=1)
    received_at = world.at
    world.let_pass(0.2)
    place(world, "later", stop_loss=4950)
    world.let_pass(1.5)
    asked = Instruction("asked", "CLOSEPOSITION", timestamp(received_at), "ninjatrader", "Sim101", "ES 12-26")
    world.service.services.instructions.put(provenance(world.service.trader, "asked"), asked)
    world.ring()
    assert until_result(world, "asked") == "failed"
    assert "unprotected" in alarms(world)
