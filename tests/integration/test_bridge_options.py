"""Options of orders on their whole way to NinjaTrader: as a trader means them, in sequences."""

from decimal import Decimal

from tests.bridge_world import World
from tests.integration.test_bridge_loop import ES, place
from tests.marks import OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE

FROM_FILL = {"take_profit": "40 ticks", "stop_loss": "-0.2%"}


def have_flat(world: World) -> None:
    """Have NinjaTrader say that the position is flat: of what was never traded it says nothing."""
    place(world, "first")
    world.until_state("first", "Filled")
    place(world, "last", action="SELL")
    world.until_state("last", "Filled")
    world.let_pass(3)


def test_a_target_and_a_stop_lie_as_far_from_the_fill_as_the_alert_says(world: World) -> None:
    place(world, **FROM_FILL)
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])
    fill = world.paper.executions[0].price
    tick = Decimal("0.25")
    stop = (fill * Decimal("0.998") / tick).quantize(Decimal(1)) * tick
    target, stopped = (world.service.order(f"long.{name}") for name in ("TARGET1", "STOP1"))
    assert target
    assert stopped
    assert (target.limit_price, stopped.stop_price) == (fill + 10, stop)
    # A price of its own takes the place of the distance.
    answer = world.service.send("CHANGE", order_id="STOP1", strategy_id="long", stop_price=fill - 5)
    assert answer.word == "change_pending"
    world.until(lambda: f"STOPMARKET SELL 1 {fill - 5:f}" in world.live())


def test_an_entry_is_trailed_under_a_condition_until_the_position_is_another(world: World) -> None:
    resting = {"order_type": "LIMIT", "limit_price": 4900, "tif": "GTC"}
    have_flat(world)
    place(world, "next", **resting, require_market_position="flat")
    world.until_state("next", "Working")
    trailed = {**ES, "action": "BUY", "qty": 1, **resting, "limit_price": 4910, "require_market_position": "flat"}
    assert world.service.send("CANCELREPLACE", order_id="next", **trailed).word == "replace_pending"
    world.until(lambda: world.live() == ["LIMIT BUY 1 4910"])
    place(world, "long")
    world.until_state("long", "Filled")
    world.let_pass(3)
    assert world.service.send("CANCELREPLACE", order_id="next", **{**trailed, "limit_price": 4920}).status == 200
    world.let_pass(5)
    order = world.service.order("next")
    assert order
    assert (order.state, order.limit_price, world.live()) == ("Working", 4910, ["LIMIT BUY 1 4910"])
    # Without the condition it is altered.
    assert world.service.send("CHANGE", order_id="next", limit_price=4930).word == "change_pending"
    world.until(lambda: world.live() == ["LIMIT BUY 1 4930"])


def test_a_turn_by_flatten_first_ends_on_the_other_side_and_nothing_else_works(world: World) -> None:
    place(world, take_profit=5040, stop_loss=4960, limit_price=None)
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])
    place(world, "short", action="SELL", flatten_first="true")
    world.until_state("short", "Filled")
    world.let_pass(5)
    assert (world.position(), world.live()) == (-1, [])
