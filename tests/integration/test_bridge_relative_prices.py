"""Targets and stops that count from the fill, on their way to NinjaTrader and back: the table has what was made."""

from decimal import Decimal
from typing import Any

import pytest

from tests.bridge_world import World
from tests.integration.test_bridge_loop import ES, place
from tests.marks import OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE


def price_of(world: World, name: str, order_id: str = "long") -> Decimal | None:
    order = world.service.order(f"{order_id}.{name}")
    assert order
    return order.limit_price if name.startswith("TARGET") else order.stop_price


def have_legs(world: World, **fields: Any) -> Decimal:
    """Have an order be filled whose target and stop count from the fill, and return its average."""
    world.paper.set_price("ES 12-26", "5010.25", world.at)
    place(world, **{"take_profit": "+20 ticks", "stop_loss": "-0.5%", **fields})
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])
    order = world.service.order("long")
    assert order
    assert order.average
    return order.average


def to_tick(price: Decimal) -> Decimal:
    return round(price * 4) / Decimal(4)


def test_legs_count_from_what_was_paid_and_the_table_has_their_prices(world: World) -> None:
    average = have_legs(world)
    assert (price_of(world, "TARGET1"), price_of(world, "STOP1")) == (average + 5, to_tick(average * Decimal("0.995")))
    assert f"LIMIT SELL 1 {average + 5}" in world.live()
    for name in ("TARGET1", "STOP1"):
        leg = world.service.order(f"long.{name}")
        assert leg
        assert (leg.acked, leg.confirmed.get("order_type")) == (1, leg.order_type)


def test_plus_is_above_and_minus_below_for_a_short_too(world: World) -> None:
    average = have_legs(world, action="SELL", take_profit="-10 points", stop_loss="$250")
    assert (price_of(world, "TARGET1"), price_of(world, "STOP1")) == (average - 10, average + 5)


def test_both_prices_of_a_stop_limit_count_from_the_fill(world: World) -> None:
    average = have_legs(world, stop_loss=None, stop_loss_stop="-10 points", stop_loss_limit="-12 points")
    stop = world.service.order("long.STOP1")
    assert stop
    assert (stop.stop_price, stop.limit_price) == (average - 10, average - 12)


@pytest.mark.parametrize("back", [False, True])
def test_a_waiting_stop_takes_a_price_and_a_distance_again(world: World, back: bool) -> None:
    fields: dict[str, Any] = {
        "order_type": "LIMIT",
        "limit_price": 4990,
        "tif": "GTC",
        "take_profit": "+20 points",
        "qty": 1,
    }
    place(world, **{**fields, "stop_loss": "-10 points"})
    world.until_state("long", "Working")
    changed = {"order_id": "long", "action": "BUY", **ES, **fields}
    assert world.service.send("CANCELREPLACE", **changed, stop_loss=4985).body["status"] == "replace_pending"
    world.until_state("long", "Working")
    if back:
        world.service.send("CANCELREPLACE", **changed, stop_loss="-8 points")
        world.until_state("long", "Working")
    world.let_pass(1)
    world.paper.set_price("ES 12-26", "4989", world.at)
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])
    order = world.service.order("long")
    assert order
    assert order.average
    assert price_of(world, "STOP1") == (order.average - 8 if back else 4985)
    assert price_of(world, "TARGET1") == order.average + 20


def test_a_leg_that_counts_from_the_fill_is_moved_by_its_name(world: World) -> None:
    have_legs(world)
    answer = world.service.send("CHANGE", order_id="STOP1", strategy_id="long", stop_price=4990)
    assert answer.body["status"] == "change_pending"
    world.until_state("long.STOP1", "Working")
    assert price_of(world, "STOP1") == 4990
    assert "STOPMARKET SELL 1 4990" in world.live()
