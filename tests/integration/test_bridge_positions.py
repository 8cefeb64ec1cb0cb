"""What alerts ask of positions, on its whole way to NinjaTrader and back: as a trader means it, in sequences."""

from tests.bridge_world import World
from tests.integration.test_bridge_loop import ES, have_bracket


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
