"""What alerts ask of positions, on its whole way to NinjaTrader and back: as a trader means it, in sequences."""

import json
from decimal import Decimal
from typing import Any

from orderhook.instructions import Result
from tests.bridge_world import World
from tests.builders import provenance
from tests.integration.conftest import Run
from tests.integration.test_bridge_loop import ES, have_bracket
from tests.marks import OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE


def close_position(world: World, **fields: object) -> str:
    """Send CLOSEPOSITION, and return the instruction's id."""
    answer = world.service.send("CLOSEPOSITION", **{**ES, **fields})
    assert answer.body["status"] == "accepted", answer.body
    return str(answer.body["instruction_id"])


def result_of(world: World, instruction_id: str) -> str | None:
    instruction = world.service.services.instructions.get(world.service.trader, instruction_id)
    assert instruction is not None
    return instruction.result


def test_a_position_is_closed_and_nothing_of_its_trade_works_on(world: World) -> None:
    have_bracket(world)
    closing = close_position(world)
    world.until(lambda: result_of(world, closing))
    assert result_of(world, closing) == "done"
    assert (world.position(), world.live()) == (0, [])
    world.let_pass(5)
    assert world.states() == {"long": "Filled", "long.STOP1": "Cancelled", "long.TARGET1": "Cancelled"}
    assert not list(world.service.services.instructions.open(world.service.trader))


def test_a_flat_position_is_not_closed_and_its_orders_stay(world: World) -> None:
    have_bracket(world)
    closing = close_position(world)
    world.until(lambda: result_of(world, closing))
    answer = world.service.place("next", **ES, action="BUY", qty=1, order_type="LIMIT", limit_price=4900, tif="GTC")
    assert answer.body["status"] == "placed"
    world.until_state("next", "Working")
    again = close_position(world, notes="again")
    world.until(lambda: result_of(world, again))
    assert (result_of(world, again), world.states()["next"]) == ("no_position", "Working")


def realized(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("positions", "--pnl", "--json").stdout)
    return found


def test_what_a_trade_wins_is_told_from_the_fills_of_its_entry_and_its_leg(world: World, run: Run) -> None:
    have_bracket(world)
    entry = world.service.order("long")
    assert entry is not None
    world.paper.set_price("ES 12-26", "5045", world.at)
    world.until(lambda: world.position() == 0)
    world.let_pass(5)
    [day] = realized(run)["days"]
    [of_es] = day["instruments"]
    target = world.service.order("long.TARGET1")
    assert target is not None
    assert entry.average is not None
    assert target.average is not None
    won = entry.filled * (target.average - entry.average)
    assert Decimal(of_es["points"]) == won
    assert Decimal(day["realized"]) == 50 * won
    assert (of_es["closed"], of_es["unpriced"], day["account"]) == (str(entry.filled), "0", "Sim101")


def test_what_ninjatrader_closes_itself_has_no_price_and_shifts_nothing(world: World, run: Run) -> None:
    have_bracket(world)
    world.let_pass(5)
    closing = close_position(world)
    world.until(lambda: result_of(world, closing))
    world.let_pass(5)
    answer = world.service.place("next", **ES, action="BUY", qty=1, order_type="LIMIT", limit_price=6000)
    assert answer.body["status"] == "placed"
    world.until_state("next", "Filled")
    found = realized(run)
    [of_es] = found["days"][0]["instruments"]
    assert (of_es["closed"], found["days"][0]["realized"]) == ("0", "0")
    assert int(of_es["unpriced"]) > 0
    assert not [note for note in found["notes"] if "by NinjaTrader. Fills" in note]


def resolve(world: World, instruction_id: str, result: Result) -> None:
    """Say what became of an instruction, as `orderhook resolve` does."""
    by = provenance(world.service.trader, "operator")
    assert world.service.services.instructions.resolve(by, instruction_id, result)[1]


def test_what_an_operator_has_ended_no_bridge_carries_out_any_more(world: World) -> None:
    """The PC was away when the alert came in; somebody has closed by hand, said so, and opened again."""
    have_bracket(world)
    world.let_pass(5)
    world.stop()
    closing = close_position(world)
    resolve(world, closing, "done")
    world.start()
    world.let_pass(30)
    assert world.position() == 1
    assert result_of(world, closing) == "done"


def test_what_an_operator_has_ended_meanwhile_is_not_gone_on_with(world: World) -> None:
    have_bracket(world)
    world.let_pass(5)
    closing = close_position(world)
    world.until(lambda: closing in world.state.instructions)
    world.kill()
    resolve(world, closing, "failed")
    world.start()
    world.let_pass(90)
    assert world.position() == 1
    assert result_of(world, closing) == "failed"
