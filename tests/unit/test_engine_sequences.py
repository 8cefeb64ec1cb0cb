"""The engine of the bridge under sequences of alerts, files and failures that are chosen against it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge import oif
from bridge.events import (
    ConnectionRead,
    Fetched,
    FileNotWritten,
    NinjaTraderStarted,
    OrderStateRead,
    PositionRead,
)
from orderhook.orders import Leg, LegEnd, Order, OrderState, timestamp
from orderhook.venue import Side
from tests.bridge import Desk, order, placed, want

BRACKET = {
    "STOP1": Leg("STOPMARKET", stop_price=Decimal(4990), oco_id="group"),
    "TARGET1": Leg("LIMIT", limit_price=Decimal(5010), oco_id="group"),
}
LONG = oif.venue_id("request-long", 1)


def leg_at_venue(name: str, start: int = 0, generation: int = 1) -> str:
    return oif.venue_id("request-long", generation, name, start)


STOP, TARGET = leg_at_venue("STOP1"), leg_at_venue("TARGET1")


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def work(desk: Desk, **values: Any) -> Order:
    """Have a LIMIT entry with a bracket work; returns it as the table has it."""
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(5000), **{"legs": BRACKET, **values})
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    return shown


def protect(desk: Desk, **values: Any) -> None:
    """Have an entry be filled, and its bracket work."""
    shown = work(desk, **values)
    desk.say(LONG, "FILLED", shown.qty, "5000")
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.say(TARGET, "WORKING")


def leg_order(desk: Desk, name: str = "STOP1", **values: Any) -> Order:
    """Return a leg's own item, as the table has it after the fill."""
    return order(desk, f"long.{name}", entry_id="long", order_name=name, action="SELL", **values)


# Legs that are given anew


@pytest.mark.parametrize("name", ["STOP1", "TARGET1"])
def test_a_leg_given_anew_after_its_end_is_placed_with_the_fill(desk: Desk, name: str) -> None:
    shown = work(desk)
    asked = want(desk, 2, "cancel")
    desk.look(shown._replace(legs={**BRACKET, name: BRACKET[name]._replace(want=asked)}))
    end = LegEnd(OrderState.CANCELLED, timestamp(desk.at), "request", "key")
    desk.look(shown._replace(legs={**BRACKET, name: BRACKET[name]._replace(want=asked, end=end)}))
    anew = want(desk, 3, "replace")
    desk.look(shown._replace(legs={**BRACKET, name: BRACKET[name]._replace(want=anew)}))
    desk.say(LONG, "FILLED", 1, "5000")
    lines = desk.take()
    desk.say(STOP, "ACCEPTED")
    assert sorted(placed(line)["order_id"] for line in lines + desk.take()) == sorted([STOP, TARGET])


def test_a_stop_given_anew_that_was_cancelled_at_the_venue_is_placed_again(desk: Desk) -> None:
    protect(desk)
    asked = want(desk, 2, "cancel")
    waiting = order(desk, state=OrderState.WORKING, legs={"STOP1": BRACKET["STOP1"]._replace(want=asked)})
    desk.look(waiting)
    assert desk.take() == [oif.cancel(STOP)]
    desk.say(STOP, "CANCELLED")
    anew = BRACKET["STOP1"]._replace(want=want(desk, 3, "replace"), stop_price=Decimal(4980))
    desk.look(waiting._replace(legs={"STOP1": anew}))
    [line] = desk.take()
    assert (placed(line)["order_id"], placed(line)["stop_price"]) == (leg_at_venue("STOP1", generation=2), "4980")


# A stop beyond break-even


def move_stop(desk: Desk) -> Order:
    """Have the stop be moved into profit."""
    desk.wait(1)
    stop = leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(5005), want=want(desk, 2, "change"))
    desk.look(stop)
    desk.take()
    desk.say(STOP, "ACCEPTED")
    return stop


def test_a_stop_in_profit_is_placed_again_where_it_was(desk: Desk) -> None:
    protect(desk)
    stop = move_stop(desk)
    desk.look(stop, leg_order(desk, "TARGET1", want=want(desk, 2, "cancel")))
    assert desk.take() == [oif.cancel(TARGET)]
    desk.say(STOP, "CANCELLED")
    desk.say(TARGET, "CANCELLED")
    [line] = desk.take()
    assert (placed(line)["order_type"], placed(line)["stop_price"]) == ("STOPMARKET", "5005")
    assert desk.alarms == []


def test_a_stop_in_profit_that_a_rejected_target_ends_is_placed_again(desk: Desk) -> None:
    protect(desk)
    move_stop(desk)
    desk.say(TARGET, "REJECTED")
    desk.say(STOP, "CANCELLED")
    [line] = desk.take()
    assert (placed(line)["order_type"], placed(line)["stop_price"]) == ("STOPMARKET", "5005")
    assert desk.alarms == ["target_rejected"]


def test_a_stop_moved_into_profit_before_its_file_was_taken_is_placed_there(desk: Desk) -> None:
    work(desk)
    desk.say(LONG, "FILLED", 1, "5000")
    [name] = desk.lines
    desk.lines.clear()
    desk.tell(FileNotWritten(name, "denied"))
    desk.at += timedelta(seconds=1)
    desk.look(leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(5005), want=want(desk, 2, "change")))
    [line] = desk.take()
    assert (placed(line)["order_type"], placed(line)["stop_price"]) == ("STOPMARKET", "5005")


# Replacements


def test_a_cancel_while_the_next_generation_cannot_be_written_ends_the_order(desk: Desk) -> None:
    shown = work(desk, legs={})
    other = shown._replace(order_type="MARKET", limit_price=None, want=want(desk, 2, "replace"))
    desk.look(other)
    desk.take()
    desk.say(LONG, "CANCELLED")
    desk.wait(1)
    desk.look(other)
    [name] = desk.lines
    desk.lines.clear()
    desk.tell(FileNotWritten(name, "denied"))
    desk.look(other._replace(want=want(desk, 3, "cancel")))
    assert (desk.last("long").state, desk.last("long").acked) == ("Cancelled", 3)
    desk.wait(5)
    assert desk.take() == []


# NinjaTrader was started meanwhile


def restart(desk: Desk) -> None:
    """Start NinjaTrader anew: its folder is emptied, and it says nothing of its orders."""
    desk.tell(NinjaTraderStarted())
    desk.tell(ConnectionRead(connected=True))
    desk.take()


def test_an_order_of_which_a_new_nt_says_nothing_is_unresolved(desk: Desk) -> None:
    work(desk)
    restart(desk)
    desk.wait(59)
    assert (desk.alarms, desk.last("long").unresolved) == ([], None)
    desk.wait(1)
    assert (desk.alarms, desk.last("long").state) == (["unresolved"], "Working")
    assert LONG in str(desk.last("long").unresolved)
    desk.say(LONG, "FILLED", 1, "5000")
    assert (desk.last("long").state, desk.last("long").unresolved) == ("Filled", None)
    assert [placed(line)["order_id"] for line in desk.take()] == [STOP]


def test_the_time_to_speak_of_an_order_begins_with_the_connection(desk: Desk) -> None:
    work(desk)
    desk.tell(NinjaTraderStarted())
    desk.wait(600)
    assert desk.alarms == []
    desk.tell(ConnectionRead(connected=True))
    desk.wait(59)
    assert desk.alarms == []
    desk.wait(1)
    assert desk.alarms == ["unresolved"]


def test_an_order_stays_unresolved_when_the_bridge_starts_again(desk: Desk) -> None:
    shown = work(desk)
    restart(desk)
    desk.wait(60)
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    desk.look(shown)
    assert desk.last("long").unresolved
    assert desk.alarms == ["unresolved"]


def test_a_start_that_the_bridge_was_told_of_before_a_crash_still_counts(desk: Desk) -> None:
    work(desk)
    desk.tell(NinjaTraderStarted())
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    desk.look()
    desk.wait(60)
    assert "unresolved" in desk.alarms


def test_a_state_from_before_the_start_does_not_show_that_an_order_works(desk: Desk) -> None:
    work(desk)
    restart(desk)
    desk.tell(OrderStateRead(LONG, "Sim101", "WORKING", 0, None, written_since_start=False))
    desk.wait(60)
    assert desk.alarms == ["unresolved"]


def test_a_state_that_is_written_after_the_start_ends_the_doubt(desk: Desk) -> None:
    work(desk)
    restart(desk)
    desk.say(LONG, "WORKING")
    desk.wait(120)
    assert (desk.alarms, desk.last("long").unresolved) == ([], None)


def test_legs_that_went_out_of_sight_are_unresolved_and_can_be_cancelled(desk: Desk) -> None:
    protect(desk)
    restart(desk)
    desk.wait(60)
    assert desk.alarms == ["unresolved", "unresolved"]
    desk.look(leg_order(desk, want=want(desk, 2, "cancel")))
    assert desk.take() == [oif.cancel(STOP)]
    desk.say(STOP, "CANCELLED")
    assert (desk.last("long.STOP1").state, desk.last("long.STOP1").unresolved) == ("Cancelled", None)


def test_what_a_person_has_resolved_rings_no_more(desk: Desk) -> None:
    shown = work(desk, legs={})
    restart(desk)
    desk.wait(60)
    desk.tell(Fetched("long", shown._replace(state=OrderState.CANCELLED)))
    assert desk.alarms == ["unresolved"]


@pytest.mark.parametrize(("side", "quantity"), [("LONG", 1), ("SHORT", 1), ("FLAT", 0)])
def test_a_position_that_no_own_fill_explains_rings_at_once(desk: Desk, side: Side, quantity: int) -> None:
    work(desk)
    restart(desk)
    desk.tell(PositionRead("Sim101", "ES DEC26", side, quantity, None))
    assert desk.alarms == (["unprotected"] if side == "LONG" else [])


def test_a_position_that_own_fills_explain_does_not_ring(desk: Desk) -> None:
    work(desk)
    desk.look(order(desk, "other"))
    desk.take()
    desk.say(oif.venue_id("request-other", 1), "FILLED", 1, "5000")
    restart(desk)
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))
    assert desk.alarms == []


def test_an_entry_without_a_stop_does_not_ring_for_a_position(desk: Desk) -> None:
    work(desk, legs={"TARGET1": BRACKET["TARGET1"]})
    restart(desk)
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))
    assert desk.alarms == []
