"""CANCELANDBRACKET on its way to NinjaTrader and back: the stop and the target of a position, in sequences."""

from datetime import timedelta
from typing import Any

import pytest

from tests.bridge_world import World
from tests.integration.test_bridge_loop import ES, have_bracket, place
from tests.integration.test_bridge_positions import close_position, result_of
from tests.marks import LONG, OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE


def bracket(world: World, **fields: object) -> str:
    """Send CANCELANDBRACKET, and return the instruction's id."""
    given = {"action": "BUY", "qty": 1, "stop_loss": "4970", "take_profit": "5030", **ES, **fields}
    answer = world.service.send("CANCELANDBRACKET", **{name: it for name, it in given.items() if it is not None})
    assert answer.body["status"] == "accepted", answer.body
    return str(answer.body["instruction_id"])


def carry_out(world: World, **fields: object) -> str:
    """Have a CANCELANDBRACKET be carried out to its end, and return its result."""
    name = bracket(world, **fields)
    world.until(lambda: result_of(world, name))
    return str(result_of(world, name))


def have_position(world: World, qty: int = 1, order_id: str = "long", **fields: object) -> None:
    """Hold a position that nothing protects."""
    place(world, order_id, qty=qty, **fields)
    world.until_state(order_id, "Filled")
    world.let_pass(1)


def test_the_legs_of_a_trade_are_moved_in_place_bar_after_bar(world: World) -> None:
    have_bracket(world)
    for stop in (4970, 4980, 4990):
        assert carry_out(world, stop_loss=str(stop)) == "done"
        assert world.live() == ["LIMIT SELL 1 5030", f"STOPMARKET SELL 1 {stop}"]
        order = world.service.order("long.STOP1")
        assert order
        assert (str(order.state), order.stop_price) == ("Working", stop)
    assert len(world.placed_lines()) == 3
    assert not [line for line in world.paper.lines if line.startswith("CANCEL;") and "oh" in line.split(";")[10]][2:]


def test_a_position_without_legs_is_given_some_which_later_ones_move(world: World) -> None:
    have_position(world, 2)
    first = bracket(world, qty=2)
    world.until(lambda: result_of(world, first))
    assert result_of(world, first) == "done"
    assert world.live() == ["LIMIT SELL 2 5030", "STOPMARKET SELL 2 4970"]
    world.let_pass(1)
    assert world.states() == {"long": "Filled", f"{first}.1": "Working", f"{first}.2": "Working"}
    for stop in ("4980", "4990"):
        assert carry_out(world, qty=2, stop_loss=stop) == "done"
        assert world.live() == ["LIMIT SELL 2 5030", f"STOPMARKET SELL 2 {stop}"]
    assert len(world.placed_lines()) == 3


def test_a_cancel_of_a_made_stop_by_its_id_warns_and_leaves_the_target(world: World) -> None:
    have_position(world)
    name = bracket(world)
    world.until(lambda: result_of(world, name))
    answer = world.service.cancel(f"{name}.1")
    assert [it["code"] for it in answer.body["warnings"]] == ["unprotected_quantity", "oco_partner"]
    world.until_state(f"{name}.1", "Cancelled")
    world.let_pass(5)
    assert (world.live(), world.position()) == (["LIMIT SELL 1 5030"], 1)


def test_a_stop_alone_takes_the_place_of_a_bracket(world: World) -> None:
    have_bracket(world)
    name = bracket(world, take_profit=None)
    world.until(lambda: result_of(world, name))
    assert (result_of(world, name), world.live()) == ("done", ["STOPMARKET SELL 1 4970"])
    world.let_pass(5)
    assert world.states() == {
        "long": "Filled", "long.STOP1": "Cancelled", "long.TARGET1": "Cancelled", f"{name}.1": "Working",
    }  # fmt: skip
    assert [line for line in world.told if "ALARM" in line] == []


def test_pending_entries_end_with_a_bracket(world: World) -> None:
    have_bracket(world)
    place(world, "more", order_type="LIMIT", limit_price=4990, tif="GTC")
    world.until_state("more", "Working")
    assert carry_out(world) == "done"
    world.until_state("more", "Cancelled")
    assert world.live() == ["LIMIT SELL 1 5030", "STOPMARKET SELL 1 4970"]


def test_a_made_target_that_fills_ends_its_stop(world: World) -> None:
    have_position(world)
    name = bracket(world)
    world.until(lambda: result_of(world, name))
    world.paper.set_price("ES 12-26", "5031", world.at)
    world.until_state(f"{name}.2", "Filled")
    world.until_state(f"{name}.1", "Cancelled")
    assert (world.position(), world.live()) == (0, [])
    assert carry_out(world) == "no_position"


@pytest.mark.parametrize("by", ["CLOSEPOSITION", "CANCELORDERS", "CANCEL"])
def test_made_legs_end_with_their_position_or_by_a_cancel(world: World, by: str) -> None:
    have_position(world)
    name = bracket(world)
    world.until(lambda: result_of(world, name))
    world.let_pass(1)
    if by == "CLOSEPOSITION":
        closing = close_position(world)
        world.until(lambda: result_of(world, closing))
        assert (result_of(world, closing), world.position()) == ("done", 0)
    elif by == "CANCELORDERS":
        world.service.send(by, **ES)
    else:
        world.service.cancel(f"{name}.2")
        world.until(lambda: world.live() == ["STOPMARKET SELL 1 4970"])
        world.service.cancel(f"{name}.1")
    world.until(lambda: not world.live())
    world.let_pass(5)
    assert world.live() == []
    assert {world.states()[f"{name}.{number}"] for number in (1, 2)} == {"Cancelled"}


def test_a_position_closed_by_hand_leaves_no_made_legs(world: World) -> None:
    have_position(world)
    name = bracket(world)
    world.until(lambda: result_of(world, name))
    world.let_pass(1)
    place(world, "by-hand", action="SELL")
    world.until(lambda: world.position() == 0)
    world.until(lambda: not world.live())
    world.until(lambda: {world.states()[f"{name}.{number}"] for number in (1, 2)} == {"Cancelled"})


def test_a_stop_that_fills_while_it_is_replaced_is_not_followed_by_another(world: World) -> None:
    have_bracket(world)
    name = bracket(world, take_profit=None)
    world.paper.set_price("ES 12-26", "4950", world.at)
    world.until(lambda: result_of(world, name))
    world.let_pass(5)
    assert (world.position(), world.live()) == (0, [])
    assert result_of(world, name) == "no_position"


def test_a_short_position_has_its_stop_above(world: World) -> None:
    have_position(world, action="SELL")
    assert carry_out(world, action="LONG") == "blocked"
    assert carry_out(world, action="SHORT", stop_loss="5030", take_profit="4970") == "done"
    assert world.live() == ["LIMIT BUY 1 4970", "STOPMARKET BUY 1 5030"]


def test_distances_count_from_the_average_of_the_position(world: World) -> None:
    have_position(world)
    average = world.paper.executions[0].price
    assert carry_out(world, stop_loss="-40 ticks", take_profit="+20 points") == "done"
    assert world.live() == [f"LIMIT SELL 1 {average + 20}", f"STOPMARKET SELL 1 {average - 10}"]


@LONG
@pytest.mark.parametrize("kind", ["in place", "replacing", "fresh"])
def test_a_bridge_that_is_killed_at_any_moment_protects_and_places_nothing_twice(world: World, kind: str) -> None:
    for steps in (0, 1, 2, 4, 7):
        world.let_pass(2)
        if kind == "fresh":
            have_position(world, order_id=f"long-{steps}")
        else:
            place(world, f"long-{steps}", stop_loss=4960, take_profit=5040)
            world.until(lambda: len(world.live()) == 2)
            world.let_pass(1)
        name = bracket(world, take_profit=None if kind == "replacing" else "5030")
        for _ in range(steps):
            world.step()
        world.kill()
        world.start()
        world.until(lambda name=name: result_of(world, name))  # type: ignore[misc]
        world.let_pass(3)
        stops = [order for order in world.live() if order.startswith("STOPMARKET")]
        is_told = any("ALARM unprotected" in line for line in world.told)
        assert stops == ["STOPMARKET SELL 1 4970"] or (is_told and not stops), (steps, world.picture())
        closing = close_position(world, notes=str(steps))
        world.until(lambda closing=closing: result_of(world, closing))  # type: ignore[misc]
        world.until(lambda: not world.live() and not world.position())
        world.told.clear()
    ids = [line.split(";")[10] for line in world.placed_lines()]
    assert len(ids) == len(set(ids))


def told(world: World, code: str) -> int:
    return len([line for line in world.told if line.startswith(f"ALARM {code}:")])


def reason_of(world: World, name: str) -> str | None:
    instruction = world.service.services.instructions.get(world.service.trader, name)
    assert instruction
    return instruction.reason


@pytest.mark.parametrize("has_legs", [True, False])
def test_a_target_that_would_close_the_position_at_once_is_not_sent(world: World, *, has_legs: bool) -> None:
    if has_legs:
        have_bracket(world)
    else:
        have_position(world)
    name = bracket(world, take_profit="4980")
    world.until(lambda: result_of(world, name))
    world.let_pass(5)
    assert world.position() == 1
    assert world.live() == (["LIMIT SELL 1 5040"] if has_legs else []) + ["STOPMARKET SELL 1 4970"]
    assert (result_of(world, name), told(world, "target_not_sent")) == ("done", 1)
    assert "4980 is not sent" in str(reason_of(world, name))


def test_a_target_alone_that_would_close_at_once_leaves_all_as_it_was(world: World) -> None:
    have_bracket(world)
    before = world.live()
    assert carry_out(world, stop_loss=None, take_profit="4000") == "failed"
    assert (world.live(), told(world, "target_not_sent")) == (before, 1)


@pytest.mark.parametrize("has_legs", [True, False])
def test_a_stop_on_the_wrong_side_of_the_market_closes_and_says_so(world: World, *, has_legs: bool) -> None:
    if has_legs:
        have_bracket(world)
    else:
        have_position(world)
    name = bracket(world, stop_loss="5090", take_profit="5100" if has_legs else None)
    world.until(lambda: result_of(world, name))
    world.let_pass(5)
    assert (world.position(), world.live(), result_of(world, name)) == (0, [], "failed")
    assert told(world, "stop_on_wrong_side" if has_legs else "stop_rejected") == 1
    said = "on the wrong side of the market" if has_legs else "closed at the market"
    assert said in str(reason_of(world, name))


@pytest.mark.parametrize(
    ("fields", "bare"),
    [({"qty": 1}, "3 of 4 have no stop"), ({"qty": 4, "stop_loss": None}, "4 of 4 have no stop")],
)
def test_what_a_bracket_leaves_without_a_stop_is_said_once(world: World, fields: dict[str, object], bare: str) -> None:
    have_position(world, 4, stop_loss=4900, take_profit=5100)
    for target in ("5050", "5060"):
        name = bracket(world, take_profit=target, **fields)
        world.until(lambda name=name: result_of(world, name))  # type: ignore[misc]
        assert (result_of(world, name), reason_of(world, name)) == ("done", bare)
    assert told(world, "unprotected") == 1


def test_a_stop_in_profit_is_moved_and_nothing_is_told(world: World) -> None:
    have_bracket(world)
    world.paper.set_price("ES 12-26", "5020", world.at)
    name = bracket(world, stop_loss="5010")
    world.until(lambda: result_of(world, name))
    assert (result_of(world, name), reason_of(world, name)) == ("done", None)
    assert not [line for line in world.told if line.startswith("ALARM")]


def test_legs_take_the_size_that_a_late_file_tells(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    faults, exchange = world.paper.misbehaviour, world.paper._exchange
    faults.fills_at_most = 1
    place(world, "long", qty=3, order_type="LIMIT", limit_price=4995, stop_loss=4960, take_profit=5040)
    world.let_pass(3)
    world.paper.set_price("ES 12-26", "4995", world.at)
    world.paper.set_price("ES 12-26", "5000", world.at)
    world.let_pass(3)
    faults.fills_at_most, faults.position_files_after = None, timedelta(seconds=4)
    ends = exchange._end_cancel

    def overtaken(order: Any, at: Any) -> None:
        faults.fills_overtake_cancels = order.action == "BUY"
        ends(order, at)
        faults.fills_overtake_cancels = False

    monkeypatch.setattr(exchange, "_end_cancel", overtaken)
    bracket(world, qty=3, stop_loss=4970, take_profit=None)
    world.let_pass(20)
    assert (world.position(), world.live()) == (3, ["STOPMARKET SELL 3 4970"])
