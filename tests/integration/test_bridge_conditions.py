"""Orders that ask something of positions, on their whole way to NinjaTrader and back, in sequences."""

from datetime import timedelta
from typing import Any

import pytest

from bridge import operator_requests
from bridge.events import FlatConfirmed
from tests.bridge_world import World
from tests.integration.test_bridge_loop import BRACKET, ES, have_bracket, place
from tests.marks import OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE

NQ = {"account": "Sim101", "instrument": "NQ 12-26"}


@pytest.fixture
def world(world: World) -> World:
    """A bridge that is ready, with an account that is flat, as a person has said."""
    operator_requests.ask(world.asked_in, FlatConfirmed("Sim101"))
    world.let_pass(1)
    return world


def send(world: World, command: str, order_id: str, **fields: Any) -> None:
    """Send FLATPLACE or REVERSEPOSITION with a MARKET order that sells one contract."""
    sold = {"action": "SELL", "qty": 1, "order_type": "MARKET", "tif": "DAY", **ES}
    answer = world.service.send(command, order_id=order_id, strategy_id=order_id, **{**sold, **fields})
    assert answer.body["status"] == "accepted", answer.body


def end_of(world: World, order_id: str) -> tuple[str, str]:
    """Return the state of an order, and the word that begins the reason for it."""
    order = world.service.order(order_id)
    assert order
    return str(order.state), (order.reason or "").partition(":")[0]


def kinds(world: World) -> list[str]:
    """Return the commands that NinjaTrader has read, but for those of ids that no order has."""
    known = {order.order_id for order in world.paper.orders}
    commands = [line.split(";") for line in world.paper.lines]
    return [fields[0] for fields in commands if fields[0] != "CANCEL" or fields[10] in known]


def test_entries_of_two_instruments_in_one_bar_open_the_first_alone(world: World) -> None:
    place(world, "spoos", max_positions=1)
    place(world, "nasdaq", max_positions=1, **NQ)
    world.until_state("nasdaq", "Rejected")
    world.let_pass(3)
    assert (end_of(world, "spoos"), end_of(world, "nasdaq")) == (("Filled", ""), ("Rejected", "blocked"))
    assert (world.position(), world.position(instrument="NQ 12-26")) == (1, 0)


def test_an_entry_may_add_to_the_one_instrument_that_is_open(world: World) -> None:
    place(world, "first", max_positions=1)
    world.until_state("first", "Filled")
    place(world, "second", max_positions=1)
    world.until_state("second", "Filled")
    assert world.position() == 2


def test_an_entry_that_requires_flat_sent_twice_in_one_bar_opens_once(world: World) -> None:
    world.paper.misbehaviour.position_files_after = timedelta(seconds=0.5)
    for order_id in ("first", "second"):
        place(world, order_id, require_market_position="flat")
    world.until_state("second", "Rejected")
    assert (end_of(world, "first")[0], end_of(world, "second")) == ("Filled", ("Rejected", "blocked"))
    assert world.position() == 1


def test_a_retry_loop_builds_no_position(world: World) -> None:
    for number in range(10):
        place(world, f"try-{number}", require_market_position="flat")
        world.let_pass(0.3)
    world.let_pass(4)
    assert world.position() == 1


def test_a_position_is_unknown_until_a_person_has_confirmed_it(world: World) -> None:
    place(world, "other", account="Sim102", require_market_position="flat")
    world.until_state("other", "Rejected")
    assert end_of(world, "other") == ("Rejected", "position_unknown")


def test_a_trade_with_a_bracket_is_turned_into_its_opposite(world: World) -> None:
    have_bracket(world)
    short = {"action": "SELL", **BRACKET, "take_profit": 4960, "stop_loss": 5040}
    place(world, "short", flatten_first="true", **short)
    world.until_state("short", "Filled")
    world.until(lambda: world.states().get("short.TARGET1") == "Working")
    world.let_pass(3)
    assert world.position() == -1
    assert world.live() == ["LIMIT BUY 1 4960", "STOPMARKET BUY 1 5040"]
    assert kinds(world).count("CLOSEPOSITION") == 1
    assert {world.states()[f"long.{leg}"] for leg in ("STOP1", "TARGET1")} == {"Cancelled"}


def test_flatten_first_ends_entries_that_wait_where_it_is_flat(world: World) -> None:
    place(world, "resting", order_type="LIMIT", limit_price=4900, tif="GTC")
    world.until_state("resting", "Working")
    place(world, "next", flatten_first="true", order_type="LIMIT", limit_price=4950, tif="GTC")
    world.until_state("next", "Working")
    assert (world.states()["resting"], world.live()) == ("Cancelled", ["LIMIT BUY 1 4950"])
    assert "CLOSEPOSITION" not in kinds(world)


def test_a_stop_that_fills_while_the_position_is_turned_over_leaves_nothing_doubled(world: World) -> None:
    have_bracket(world)
    send(world, "REVERSEPOSITION", "short")
    world.paper.set_price("ES 12-26", "4950", world.at)
    world.until(lambda: world.states()["short"] in ("Filled", "Rejected"))
    world.let_pass(12)
    assert world.position() == (-1 if world.states()["short"] == "Filled" else 0)
    assert world.live() == []


def test_there_is_nothing_to_turn_over_after_the_stop(world: World) -> None:
    have_bracket(world)
    world.paper.set_price("ES 12-26", "4950", world.at)
    world.until_state("long.STOP1", "Filled")
    send(world, "REVERSEPOSITION", "short")
    world.until_state("short", "Rejected")
    assert end_of(world, "short") == ("Rejected", "no_position")
    assert (world.position(), kinds(world).count("CLOSEPOSITION")) == (0, 0)


def test_a_close_that_is_not_confirmed_is_followed_by_no_entry(world: World) -> None:
    have_bracket(world)
    world.paper.misbehaviour.position_files_after = timedelta(seconds=8)
    place(world, "short", action="SELL", flatten_first="true")
    world.until_state("short", "Rejected")
    assert end_of(world, "short") == ("Rejected", "flatten_timeout")
    world.let_pass(15)
    assert (world.position(), world.live()) == (0, [])


def test_a_strategy_that_missed_an_alert_waits_until_it_is_in_sync_again(world: World) -> None:
    sync = {"sync_strategy": "true"}
    # The entry was missed; its exit finds the position where it should be after it.
    place(world, "leave", action="SELL", prev_market_position="long", market_position="flat", **sync)
    world.until_state("leave", "Cancelled")
    assert end_of(world, "leave") == ("Cancelled", "already there")
    # The next entry is in sync; the one after an entry by hand is not.
    place(world, "enter", prev_market_position="flat", market_position="long", **sync)
    world.until_state("enter", "Filled")
    place(world, "again", action="SELL", prev_market_position="flat", market_position="short", **sync)
    world.until_state("again", "Rejected")
    assert end_of(world, "again") == ("Rejected", "blocked")
    place(world, "out", action="SELL", prev_market_position="long", market_position="flat", **sync)
    world.until_state("out", "Filled")
    assert world.position() == 0


def test_out_of_sync_is_flattened_and_its_alert_dropped(world: World) -> None:
    have_bracket(world)
    place(
        world,
        "short",
        action="SELL",
        sync_strategy="true",
        prev_market_position="flat",
        market_position="short",
        out_of_sync="flatten",
    )
    world.until_state("short", "Rejected")
    assert end_of(world, "short") == ("Rejected", "blocked")
    world.let_pass(3)
    assert (world.position(), world.live()) == (0, [])


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_bridge_killed_while_it_turns_a_position_over_closes_and_opens_once(world: World, steps: int) -> None:
    have_bracket(world)
    place(world, "short", action="SELL", flatten_first="true")
    for _ in range(steps):
        world.step()
    world.kill()
    world.let_pass(1)
    world.start()
    world.until(lambda: world.states()["short"] in ("Filled", "Rejected"))
    world.let_pass(12)
    assert world.position() == (-1 if world.states()["short"] == "Filled" else 0)
    assert kinds(world).count("CLOSEPOSITION") == 1


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 0.8])
def test_a_stop_that_fills_at_any_moment_of_a_turn_leaves_nothing_doubled(world: World, seconds: float) -> None:
    have_bracket(world)
    world.paper.misbehaviour.stop_fills_during_close = True
    send(world, "REVERSEPOSITION", "short")
    world.let_pass(seconds)
    world.paper.set_price("ES 12-26", "4950", world.at)
    world.until(lambda: world.states()["short"] in ("Filled", "Rejected"))
    world.let_pass(15)
    assert world.states()["short"] == "Rejected" or world.position() == -1
    assert world.live() == []


def test_flatplace_closes_the_position_and_leaves_an_entry_that_waits(world: World) -> None:
    have_bracket(world)
    place(world, "resting", order_type="LIMIT", limit_price=4900, tif="GTC")
    world.until_state("resting", "Working")
    send(world, "FLATPLACE", "short", take_profit=4960, stop_loss=5040)
    world.until_state("short", "Filled")
    world.until(lambda: world.states().get("short.TARGET1") == "Working")
    world.let_pass(3)
    assert world.position() == -1
    assert world.live() == ["LIMIT BUY 1 4900", "LIMIT BUY 1 4960", "STOPMARKET BUY 1 5040"]
    assert "CLOSEPOSITION" not in kinds(world)


def test_flatplace_of_a_flat_position_places_its_order(world: World) -> None:
    send(world, "FLATPLACE", "short")
    world.until_state("short", "Filled")
    assert world.position() == -1


def test_a_flatplace_that_cannot_close_after_its_stop_has_ended_calls_a_person(world: World) -> None:
    have_bracket(world)
    world.let_pass(3)
    send(world, "FLATPLACE", "short")
    world.let_pass(0.3)
    world.paper.stop()
    world.let_pass(2)
    world.paper.start(world.at)
    world.until_state("short", "Rejected")
    world.let_pass(3)
    assert (world.position(), world.live()) == (1, [])
    assert [told for told in world.told if told.startswith("ALARM unprotected: short: ES 12-26")]


def test_a_flatplace_whose_file_is_late_closes_the_position_and_opens_nothing(world: World) -> None:
    have_bracket(world)
    world.let_pass(3)
    world.paper.misbehaviour.position_files_after = timedelta(seconds=12)
    place(world, "resting", order_type="LIMIT", limit_price=4990, tif="GTC")
    world.until_state("resting", "Working")
    send(world, "FLATPLACE", "short")
    world.paper.set_price("ES 12-26", "4989", world.at)
    world.until_state("short", "Rejected")
    world.let_pass(20)
    assert (end_of(world, "short")[1], world.position(), world.live()) == ("flatten_timeout", 0, [])


def test_an_entry_and_a_flatplace_in_one_bar_end_with_the_flatplace_alone(world: World) -> None:
    place(world, "long")
    send(world, "FLATPLACE", "short")
    world.until(lambda: world.states()["short"] in ("Filled", "Rejected"))
    world.let_pass(3)
    assert (world.position(), end_of(world, "short")) == (-1, ("Filled", ""))


def test_a_second_turn_in_the_same_bar_turns_nothing_back_unseen(world: World) -> None:
    place(world, "long")
    world.until_state("long", "Filled")
    for order_id in ("first", "second"):
        send(world, "REVERSEPOSITION", order_id)
    world.until(lambda: all(world.states()[it] in ("Filled", "Rejected", "Cancelled") for it in ("first", "second")))
    world.let_pass(15)
    assert world.position() in (0, -1)


def test_cancelorders_with_a_condition_ends_the_orders_of_its_instrument(world: World) -> None:
    have_bracket(world)
    place(world, "resting", order_type="LIMIT", limit_price=4900, tif="GTC")
    place(world, "nasdaq", order_type="LIMIT", limit_price=15000, tif="GTC", **NQ)
    world.until(lambda: (world.states()["resting"], world.states()["nasdaq"]) == ("Working", "Working"))
    world.service.send("CANCELORDERS", require_market_position="flat", **ES)
    world.let_pass(7)
    assert world.states()["resting"] == "Working"
    world.service.send("CANCELORDERS", require_market_position="long", **ES)
    world.until(lambda: world.live() == ["LIMIT BUY 1 15000"])
    world.let_pass(3)
    assert world.position() == 1
    assert world.live() == ["LIMIT BUY 1 15000"]


def test_out_of_sync_one_order_brings_the_position_where_it_should_be(world: World) -> None:
    have_bracket(world)
    sync = {"prev_market_position": "flat", "market_position": "short", "out_of_sync": "resync", "target_quantity": 2}
    place(world, "short", action="SELL", qty=2, sync_strategy="true", **sync)
    world.until_state("short", "Cancelled")
    world.let_pass(3)
    assert end_of(world, "short") == ("Cancelled", "resynced")
    assert (world.position(), world.live()) == (-2, [])
    [made] = [order for order in world.service.placed() if order.made_by == "short"]
    assert (str(made.state), made.qty) == ("Filled", 3)


@pytest.mark.parametrize(("asked", "price"), [("flat", "4900"), ("long", "4950")])
def test_an_entry_is_replaced_only_where_its_condition_holds(world: World, asked: str, price: str) -> None:
    have_bracket(world)
    place(world, "resting", order_type="LIMIT", limit_price=4900, tif="GTC")
    world.until_state("resting", "Working")
    moved = {"action": "BUY", "qty": 1, "order_type": "LIMIT", "limit_price": 4950, "tif": "GTC", **ES}
    fields = {**moved, "require_market_position": asked}
    answer = world.service.send("CANCELREPLACE", order_id="resting", strategy_id="resting", **fields)
    assert answer.body["status"] == "replace_pending", answer.body
    world.let_pass(3)
    assert world.states()["resting"] == "Working"
    assert f"LIMIT BUY 1 {price}" in world.live()
