"""Sequences of alerts, fills and failures that were chosen against the bridge, through everything that is real."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.bridge_world import World
from tests.faults import lose_response
from tests.marks import OF_THE_BRIDGE

pytestmark = OF_THE_BRIDGE

ES = {"account": "Sim101", "instrument": "ES 12-26"}
BRACKET: dict[str, Any] = {"take_profit": 5040, "stop_loss": 4960}


def place(world: World, order_id: str = "long", **fields: object) -> None:
    """Place an order for one contract, of a strategy of its own: at the market, unless a limit is given."""
    kind = {"order_type": "LIMIT" if "limit_price" in fields else "MARKET", "limit_price": None}
    values = {"action": "BUY", "qty": 1, "tif": "GTC", "strategy_id": order_id, **ES, **kind, **fields}
    answer = world.service.place(order_id, **values)
    assert answer.body["status"] == "placed", answer.body


def have_bracket(world: World) -> None:
    """Have an order be filled, and its target and stop work."""
    place(world, **BRACKET)
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])


def restart_nt(world: World) -> None:
    """Have NinjaTrader be closed and started, which empties its folder."""
    world.paper.stop()
    world.let_pass(2)
    world.paper.start(world.at)


def test_a_stop_given_anew_with_its_entry_protects_the_fill(world: World) -> None:
    place(world, limit_price=4990, **BRACKET)
    world.until_state("long", "Working")
    world.service.cancel("STOP1", strategy_id="long")
    world.until(lambda: (order := world.service.order("long")) and order.legs["STOP1"].end)
    terms = {"action": "BUY", "qty": 1, "order_type": "LIMIT", "limit_price": 4990, "tif": "GTC", **ES}
    answer = world.service.send("CANCELREPLACE", order_id="ENTRY1", strategy_id="long", **terms, stop_loss=4970)
    assert answer.body["status"] == "replace_pending"
    world.let_pass(6)
    world.paper.set_price("ES 12-26", "4989", world.at)
    world.until(lambda: world.live() == ["LIMIT SELL 1 5040", "STOPMARKET SELL 1 4970"])
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])


@pytest.mark.parametrize("how", ["cancelled", "too late"])
def test_legs_of_an_entry_that_ends_unfilled_end_in_its_item(world: World, how: str) -> None:
    if how == "too late":
        world.kill()
    place(world, limit_price=4990, **BRACKET)
    if how == "too late":
        world.at += timedelta(seconds=31)
        world.start()
    else:
        world.until_state("long", "Working")
        world.service.cancel("long")
    world.until_state("long", "Cancelled", "Rejected")
    world.let_pass(3)
    assert list(world.states()) == ["long"]
    answer = world.service.cancel("STOP1", strategy_id="long")
    assert answer.word == "already_cancelled"
    assert "may still work" not in str(world.service.cancel("long").body)


@pytest.mark.parametrize("ends_line", [True, False])
def test_what_nt_has_said_while_the_bridge_was_away_rings_no_alarm(
    world: World, tmp_path: Path, *, ends_line: bool
) -> None:
    place(world, **BRACKET)
    world.until(lambda: any("STOPMARKET" in line for line in world.placed_lines()))
    world.kill()
    world.let_pass(70)
    if not ends_line:
        for file in (tmp_path / "outgoing").iterdir():
            file.write_bytes(file.read_bytes().rstrip())
    world.start()
    world.until_state("long.TARGET1", "Working")
    assert not [line for line in world.told if "ALARM" in line]
    stop = world.service.order("long.STOP1")
    assert stop
    assert not [event.changes for event in stop.history if "unresolved" in event.changes]


def test_a_stop_in_profit_stays_when_its_target_is_cancelled(world: World) -> None:
    have_bracket(world)
    world.paper.set_price("ES 12-26", "5020", world.at)
    changed = world.service.send("CHANGE", order_id="STOP1", strategy_id="long", stop_price=5005)
    assert changed.body["status"] == "change_pending"
    world.until(lambda: "STOPMARKET SELL 1 5005" in world.live())
    world.until(lambda: world.states()["long.STOP1"] == "Working")
    world.service.cancel("TARGET1", strategy_id="long")
    world.until(lambda: world.states()["long.TARGET1"] == "Cancelled")
    world.let_pass(3)
    assert (world.live(), world.position()) == (["STOPMARKET SELL 1 5005"], 1)


def test_a_stop_that_fills_as_soon_as_it_is_moved_has_its_new_price(world: World) -> None:
    have_bracket(world)
    world.paper.set_price("ES 12-26", "4985", world.at)
    assert world.service.send("CHANGE", order_id="STOP1", strategy_id="long", stop_price=5000).word == "change_pending"
    world.until_state("long.STOP1", "Filled")
    stop = world.service.order("long.STOP1")
    assert stop is not None
    assert (stop.stop_price, stop.average) == (5000, 4985)
    assert stop.confirmed["stop_price"] == "5000"


def test_an_order_that_fills_while_nobody_looks_is_named_for_a_person(world: World) -> None:
    place(world, limit_price=4990, **BRACKET)
    world.until_state("long", "Working")
    world.kill()
    world.paper.set_price("ES 12-26", "4989", world.at)
    restart_nt(world)
    world.start()
    world.let_pass(70)
    order = world.service.order("long")
    assert order
    assert "NinjaTrader was started" in str(order.unresolved)
    assert [line for line in world.told if "ALARM unresolved: long" in line]


def test_legs_that_another_journal_has_placed_are_cancelled_by_name(world: World, tmp_path: Path) -> None:
    have_bracket(world)
    lose_journal(world, tmp_path)
    for name in ("STOP1", "TARGET1"):
        assert world.service.cancel(name, strategy_id="long").body["status"] == "cancel_pending"
    world.until(lambda: [world.states()[f"long.{name}"] for name in ("STOP1", "TARGET1")] == ["Cancelled"] * 2)
    assert world.live() == []


def test_a_leg_that_filled_while_the_journal_was_lost_is_filled(world: World, tmp_path: Path) -> None:
    have_bracket(world)
    world.kill()
    world.paper.set_price("ES 12-26", "5041", world.at)
    lose_journal(world, tmp_path)
    world.until(lambda: list(world.states().values()) == ["Filled", "Cancelled", "Filled"])
    assert not [line for line in world.told if "unprotected" in line]


def lose_journal(world: World, tmp_path: Path) -> None:
    world.kill()
    for file in tmp_path.glob("journal.sqlite*"):
        file.unlink()
    world.start(take_over=True)
    world.let_pass(8)


def take_turns(world: World, tmp_path: Path, own: str, other: str) -> None:
    """Have the bridge stop, and one with another journal take over."""
    world.stop()
    for file in tmp_path.glob("journal.sqlite*"):
        file.rename(tmp_path / f"{own} {file.name}")
    for file in tmp_path.glob(f"{other} journal.sqlite*"):
        file.rename(tmp_path / file.name.removeprefix(f"{other} "))
    world.start(take_over=True)
    world.until(lambda: (owner := world.link.owner()) and owner["journal"] == world.state.owner and owner["ready"])


def test_what_another_bridge_has_placed_meanwhile_is_not_placed_again(world: World, tmp_path: Path) -> None:
    take_turns(world, tmp_path, "first", "second")
    place(world, limit_price=4990, stop_loss=4980)
    world.until_state("long", "Working")
    take_turns(world, tmp_path, "second", "first")
    world.let_pass(10)
    assert [world.live(), world.states()["long"]] == [["LIMIT BUY 1 4990"], "Working"]


def test_what_another_bridge_has_placed_meanwhile_is_cancelled_at_the_venue(world: World, tmp_path: Path) -> None:
    take_turns(world, tmp_path, "first", "second")
    place(world, limit_price=4990, stop_loss=4980)
    world.let_pass(31)
    take_turns(world, tmp_path, "second", "first")
    assert world.states()["long"] == "Working"
    world.service.cancel("long")
    world.until_state("long", "Cancelled")
    assert world.live() == []


def test_a_bridge_that_looks_on_leaves_the_owners_orders_alone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(world, "before", limit_price=4990)
    world.until_state("before", "Working")
    other = World(world.service, tmp_path / "other", monkeypatch, reports_of=world)
    other.at = world.at
    other.start()
    place(world, "after", limit_price=4990)
    for _ in range(90):
        other.at = world.at
        world.step()
        other.step()
    orders = [world.service.order(name) for name in ("before", "after")]
    assert [(it.state, it.unresolved) for it in orders if it] == [("Working", None)] * 2
    world.kill()
    other.rest(100)
    orders = [world.service.order(name) for name in ("before", "after")]
    assert ["younger" in str(it.unresolved) for it in orders if it] == [True] * 2
    assert [it.state for it in orders if it] == ["Working"] * 2
    other.kill()
    other.network.leave()


def test_legs_of_a_trade_that_was_closed_and_begun_anew_are_told_of(world: World) -> None:
    have_bracket(world)
    place(world, "close", action="SELL")
    world.until_state("close", "Filled")
    place(world, "again", **BRACKET)
    world.until_state("again.TARGET1", "Working")
    world.let_pass(6)
    assert [line for line in world.told if "ALARM orphans: long." in line]
    assert not [line for line in world.told if "ALARM orphans: again" in line]


REPLACED: dict[str, Any] = {"action": "BUY", "qty": 1, "order_type": "LIMIT", "limit_price": 4998, "tif": "GTC", **ES}


def drop(world: World, how: str, **fields: object) -> None:
    """Have a CANCELREPLACE of the entry be taken, and dropped by the bridge."""
    if how == "too late":
        world.kill()
    world.paper.misbehaviour.refuses_changes = how == "refused"
    terms = {**REPLACED, **fields}
    answer = world.service.send("CANCELREPLACE", order_id="ENTRY1", strategy_id="long", **terms)
    assert answer.body["status"] == "replace_pending"
    if how == "kill switch":
        world.service.turn("on")
    if how == "too late":
        world.at += timedelta(seconds=35)
        world.start()
    world.until(lambda: (order := world.service.order("long")) and order.acked == 2)
    world.let_pass(2)
    world.service.turn("off")
    world.paper.misbehaviour.refuses_changes = False


@pytest.mark.parametrize("how", ["kill switch", "too late", "refused"])
def test_a_dropped_replacement_leaves_its_entry_and_legs_and_time_limit(world: World, how: str) -> None:
    place(world, limit_price=4990, stop_loss=4980, take_profit=5000, cancel_after=5)
    world.until_state("long", "Working")
    before = world.service.order("long")
    drop(world, how, stop_loss=4992, take_profit=5008, cancel_after=60)
    order = world.service.order("long")
    assert before
    assert order
    assert (order.limit_price, order.cancels_at) == (4990, before.cancels_at)
    assert (order.legs["STOP1"].stop_price, order.legs["TARGET1"].limit_price) == (4980, 5000)
    assert (order.nearest_stop, order.nearest_target) == (4980, 5000)
    world.paper.set_price("ES 12-26", "4989", world.at)
    world.until(lambda: world.live() == ["LIMIT SELL 1 5000", "STOPMARKET SELL 1 4980"])
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])
    stop, target = (world.service.order(f"long.{name}") for name in ("STOP1", "TARGET1"))
    assert stop
    assert target
    assert (stop.stop_price, target.limit_price) == (4980, 5000)


def test_a_target_that_a_dropped_replacement_was_to_add_is_cancelled(world: World) -> None:
    place(world, limit_price=4990, stop_loss=4980)
    world.until_state("long", "Working")
    drop(world, "refused", take_profit=5008)
    order = world.service.order("long")
    assert order
    assert order.legs["TARGET1"].end
    assert order.nearest_target is None
    world.paper.set_price("ES 12-26", "4989", world.at)
    world.until(lambda: world.live() == ["STOPMARKET SELL 1 4980"])


def test_a_target_that_fills_as_it_is_cancelled_is_filled(world: World) -> None:
    have_bracket(world)
    world.paper.misbehaviour.fills_overtake_cancels = True
    world.service.cancel("TARGET1", strategy_id="long")
    world.until(lambda: world.states()["long.TARGET1"] != "CancelPending")
    world.let_pass(3)
    assert world.states()["long.TARGET1"] == "Filled"
    again = world.service.cancel("TARGET1", strategy_id="long")
    assert (again.status, again.word) == (409, "order_already_terminal")


@pytest.mark.parametrize("how", ["kill switch", "too late", "refused"])
def test_a_stop_of_a_dropped_replacement_stays_cancelled_as_the_rest_fills(world: World, how: str) -> None:
    world.paper.misbehaviour.fills_at_most = 1
    place(world, limit_price=4990, qty=2, take_profit=5040)
    fill_one(world)
    world.until_state("long", "PartFilled")
    drop(world, how, qty=2, stop_loss=4970)
    assert world.states()["long.STOP1"] == "Cancelled"
    fill_one(world)
    world.until_state("long", "Filled")
    world.let_pass(10)
    assert world.states()["long.STOP1"] == "Cancelled"


def test_a_stop_of_another_journal_that_its_target_ended_rings_and_stays_ended(world: World, tmp_path: Path) -> None:
    world.paper.misbehaviour.fills_at_most = 1
    place(world, limit_price=4990, qty=3, **BRACKET)
    fill_one(world)
    world.until_state("long.TARGET1", "Working")
    lose_journal(world, tmp_path)
    world.service.cancel("TARGET1", strategy_id="long")
    world.until(lambda: [line for line in world.told if "ALARM unprotected: long.STOP1" in line])
    world.let_pass(1)
    fill_one(world)
    world.let_pass(10)
    assert world.position() == 2
    assert world.states()["long.STOP1"] == "Cancelled"


def fill_one(world: World) -> None:
    """Have the market touch a price at which one contract of what rests at 4990 is filled."""
    world.until(lambda: world.states()["long"] in ("Working", "PartFilled"))
    world.paper.set_price("ES 12-26", "4990", world.at)
    world.paper.set_price("ES 12-26", "4995", world.at)
    world.let_pass(2)


def test_a_replacement_that_is_done_brings_legs_and_time_limit(world: World) -> None:
    place(world, limit_price=4990, stop_loss=4980, cancel_after=5)
    world.until_state("long", "Working")
    fields = {**REPLACED, "stop_loss": 4992, "take_profit": 5008, "cancel_after": 0}
    world.service.send("CANCELREPLACE", order_id="ENTRY1", strategy_id="long", **fields)
    world.until_state("long", "Working")
    world.let_pass(2)
    order = world.service.order("long")
    assert order
    assert (order.limit_price, order.legs["STOP1"].stop_price, order.cancels_at) == (4998, 4992, None)
    assert order.want
    assert order.want.cancels_at is None
    assert {name: leg.acked for name, leg in order.legs.items()} == {"STOP1": 2, "TARGET1": 1}


def test_the_time_limit_before_a_replacement_counts_until_that_is_done(world: World) -> None:
    place(world, limit_price=4990, cancel_after=1)
    world.until_state("long", "Working")
    world.kill()
    world.service.send("CANCELREPLACE", order_id="ENTRY1", strategy_id="long", **REPLACED, cancel_after=0)
    order = world.service.order("long")
    assert order
    assert order.cancels_at is None
    world.at += timedelta(seconds=70)
    world.service.scheduler.send_due_messages(world.at)
    world.service.scheduler.deliver()
    assert world.states()["long"] == "CancelPending"


@pytest.mark.parametrize("command", ["CANCELREPLACE", "CHANGE"])
def test_a_resend_of_what_was_dropped_tells_what_stands(world: World, command: str) -> None:
    place(world, limit_price=4990)
    world.until_state("long", "Working")
    world.paper.misbehaviour.refuses_changes = True
    fields = REPLACED if command == "CANCELREPLACE" else {"limit_price": 4998}
    fields = {"order_id": "ENTRY1", "strategy_id": "long", **fields}
    world.service.network.inject("UpdateItem", *[lose_response] * 6)
    first = world.service.send(command, **fields)
    world.service.network.inject("UpdateItem")
    world.until(lambda: (order := world.service.order("long")) and order.acked == 2)
    world.let_pass(5)
    again = world.service.send(command, **fields)
    assert (first.status, again.status, again.word) == (503, 409, "change_dropped")
    assert "limit_price=4990" in again.body["detail"]
    assert again.body["state"] == "Working"


def test_a_change_of_another_journals_order_is_taken_back(world: World, tmp_path: Path) -> None:
    place(world, limit_price=4990, **BRACKET)
    world.until_state("long", "Working")
    lose_journal(world, tmp_path)
    for name, price in (("ENTRY1", {"limit_price": 4998}), ("STOP1", {"stop_price": 4970})):
        answer = world.service.send("CHANGE", order_id=name, strategy_id="long", **price)
        assert answer.body["status"] == "change_pending"
    world.until_state("long", "Working")
    world.until(lambda: (order := world.service.order("long")) and order.legs["STOP1"].acked == 2)
    order = world.service.order("long")
    assert order
    assert (order.limit_price, order.legs["STOP1"].stop_price) == (4990, 4960)
    assert order.reason == "another journal's order can only be cancelled"


def test_the_same_change_again_is_asked_anew_while_it_is_unconfirmed(world: World) -> None:
    place(world, limit_price=4990)
    world.until_state("long", "Working")
    world.kill()
    fields = {"order_id": "ENTRY1", "strategy_id": "long", "limit_price": 4995}
    answers = [world.service.send("CHANGE", **fields).body for _ in range(2)]
    assert [answer["status"] for answer in answers] == ["change_pending"] * 2
    assert "duplicate" not in answers[1]
    order = world.service.order("long")
    assert order
    assert order.want
    assert order.want.n == 3
