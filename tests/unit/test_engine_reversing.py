"""The engine of the bridge turns a position over: closed, seen flat, and as much opened on the other side."""

from datetime import timedelta
from typing import Any

import pytest

from bridge import oif
from bridge.events import ConnectionRead, LogLine, NinjaTraderStarted
from orderhook.bridge_messages import Side
from orderhook.instructions import Instruction
from orderhook.orders import timestamp
from tests.bridge import START, Desk, asked, order, placed
from tests.unit.test_engine_closes import CLOSE, STOP, TARGET, end, have

NAME = "reverse"
ID = oif.venue_id(f"{NAME}.1", 1)


def sell(qty: int, action: str = "SELL") -> str:
    return f"PLACE;Sim101;ES 12-26;{action};{qty};MARKET;;;DAY;;{ID};;"


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def ask(desk: Desk, *others: Any, **controls: Any) -> Instruction:
    """Have a REVERSE be seen, received just now."""
    not_after = timestamp(desk.at + timedelta(seconds=30))
    turning = asked(desk, "REVERSE", NAME, not_after=not_after)
    desk.look(*others, turning, **controls)
    return turning


def closed(desk: Desk, side: Side = "LONG", **controls: Any) -> Instruction:
    """Have a position of two be closed and seen flat; what opens is to follow."""
    desk.hold(side, 2)
    turning = ask(desk, **controls)
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    desk.wait(1)
    return turning


def why(desk: Desk) -> str:
    return str(desk.state.instructions[NAME].reason)


@pytest.mark.parametrize(("side", "action"), [("LONG", "SELL"), ("SHORT", "BUY")])
def test_a_position_ends_as_much_on_the_other_side(desk: Desk, side: Side, action: str) -> None:
    turning = closed(desk, side)
    desk.look(turning)
    assert desk.take() == [sell(2, action)]
    assert desk.result(NAME) is None
    desk.say(ID, "FILLED", 2, "5000")
    assert (desk.result(NAME), desk.results[-1].order_ids) == ("done", (f"{NAME}.1",))
    desk.wait(5)
    assert (desk.take(), desk.alarms) == ([], [])


def test_own_orders_have_their_ends_before_a_position_is_turned_over(desk: Desk) -> None:
    have(desk)
    ask(desk)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    end(desk, STOP, TARGET)
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    desk.wait(1)
    desk.wait(0.1)
    assert desk.take() == [sell(1)]


def test_nothing_that_is_flat_is_turned_over(desk: Desk) -> None:
    desk.hold("FLAT")
    ask(desk)
    assert (desk.result(NAME), desk.take()) == ("no_position", [])


def test_what_is_turned_over_has_to_be_known(desk: Desk) -> None:
    ask(desk)
    assert (desk.result(NAME), desk.take()) == ("blocked", [])
    assert "position_unknown" in why(desk)


def test_a_stop_that_fills_meanwhile_opens_what_was_held_and_no_more(desk: Desk) -> None:
    have(desk, 2)
    turning = ask(desk)
    desk.take()
    desk.say(STOP, "FILLED", 2, "4990")
    desk.say(TARGET, "CANCELLED")
    desk.hold("FLAT")
    desk.wait(1)
    desk.look(turning)
    assert desk.take() == [sell(2)]


def test_a_position_that_is_not_seen_flat_in_five_seconds_opens_nothing(desk: Desk) -> None:
    desk.hold("LONG", 2)
    turning = ask(desk)
    desk.take()
    desk.wait(4.5)
    assert desk.result(NAME) is None
    desk.wait(1)
    assert (desk.result(NAME), desk.take()) == ("failed", [])
    assert "flatten_timeout" in why(desk)
    desk.hold("FLAT")
    desk.wait(2)
    desk.look(turning)
    assert desk.take() == []


def test_orders_that_do_not_end_where_it_is_flat_by_now_keep_anything_from_being_opened(desk: Desk) -> None:
    have(desk, 2)
    turning = ask(desk)
    desk.take()
    desk.hold("FLAT")
    desk.wait(6)
    desk.look(turning)
    assert (desk.result(NAME), desk.state.instructions[NAME].order_ids) == ("failed", ())
    assert "have not ended" in why(desk)


def test_a_close_that_is_asked_for_meanwhile_reaches_the_order_that_was_made_since(desk: Desk) -> None:
    desk.hold("LONG", 2)
    turning = ask(desk)
    desk.take()
    desk.wait(0.2)
    later = asked(desk)
    desk.hold("FLAT")
    desk.wait(1)
    [made] = desk.state.instructions[NAME].order_ids
    assert not desk.lines, "the look is fresh no more"
    desk.look(turning, later)
    assert (desk.take(), str(desk.last(made).state)) == ([], "Cancelled")


def test_the_kill_switch_lets_a_position_be_closed_and_nothing_be_opened(desk: Desk) -> None:
    closed(desk, kill_switch=True)
    desk.wait(0.1)
    assert (desk.result(NAME), desk.take()) == ("blocked", [])
    assert why(desk) == "the position is closed; on the other side 0 of 2 are filled: the kill switch is on"


def test_what_is_seen_too_late_is_not_begun(desk: Desk) -> None:
    desk.hold("LONG", 2)
    late = asked(desk, "REVERSE", NAME, not_after=timestamp(desk.at + timedelta(seconds=30)))
    desk.wait(31)
    desk.look(late)
    assert (desk.result(NAME), desk.take()) == ("too_late", [])
    assert desk.alarms == ["not_closed"]


def test_a_later_close_takes_the_place_of_what_was_to_be_opened(desk: Desk) -> None:
    desk.hold("LONG", 2)
    turning = ask(desk)
    desk.take()
    later = asked(desk)
    desk.look(turning, later)
    desk.hold("FLAT")
    desk.wait(1)
    desk.look(turning, later)
    desk.wait(5)
    assert sell(2) not in desk.take()
    assert desk.result(NAME) in ("superseded", "failed")
    assert desk.result() in ("done", "no_position")


def test_what_a_person_has_to_look_at_first_is_not_turned_over(desk: Desk) -> None:
    desk.hold("LONG", 2)
    desk.look(asked(desk))
    desk.take()
    desk.hold("SHORT", 2)
    desk.hold("FLAT")
    desk.wait(1)
    desk.hold("LONG", 2)
    ask(desk)
    assert (desk.result(NAME), desk.take()) == ("blocked", [])


def test_an_order_that_is_rejected_leaves_a_position_flat_and_says_so(desk: Desk) -> None:
    turning = closed(desk)
    desk.look(turning)
    desk.take()
    desk.tell(LogLine(ID, "PLACE: no margin", is_error=True))
    desk.say(ID, "REJECTED")
    assert desk.result(NAME) == "failed"
    assert why(desk) == "the position is closed; on the other side 0 of 2 are filled: PLACE: no margin"


def test_a_crash_while_the_order_is_written_opens_nothing_twice(desk: Desk) -> None:
    turning = closed(desk)
    desk.look(turning)
    assert [placed(line)["order_id"] for line in desk.lines.values()] == [ID]
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    desk.hold("FLAT")
    desk.look(turning)
    desk.wait(1)
    desk.wait(61)
    assert (desk.result(NAME), sell(2) in desk.take()) == ("unresolved", False)


def test_a_crash_while_it_is_closed_goes_on_from_the_journal(desk: Desk) -> None:
    desk.hold("LONG", 2)
    turning = ask(desk)
    desk.take()
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    desk.hold("FLAT")
    desk.look(turning)
    while not desk.result(NAME) and sell(2) not in desk.take():
        desk.wait(0.5)
    assert desk.result(NAME) is None


def test_another_journal_turns_nothing_over_again(desk: Desk) -> None:
    turning = ask(desk)
    other = Desk()
    other.at = START + timedelta(minutes=1)
    other.start()
    other.hold("LONG", 2)
    other.look(turning._replace(not_after=timestamp(other.at + timedelta(seconds=30))))
    assert (other.result(NAME), other.take()) == ("unresolved", [])


def test_a_fill_that_its_file_does_not_tell_yet_is_waited_for(desk: Desk) -> None:
    have(desk, 2)
    desk.look(order(desk, "more"))
    desk.take()
    turning = ask(desk)
    assert desk.take() == []
    desk.say(oif.venue_id("request-more", 1), "FILLED", 1, "5000")
    desk.hold("LONG", 3)
    desk.wait(0.1)
    desk.take()
    end(desk, STOP, TARGET)
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    desk.wait(1)
    desk.look(turning)
    assert desk.take() == [sell(3)]


def test_the_loop_does_not_rest_until_what_was_begun_has_its_result(desk: Desk) -> None:
    turning = closed(desk)
    assert (desk.state.closes[f"{NAME}/sim101/es 12-26"].result, desk.state.is_busy) == ("done", True)
    desk.look(turning)
    desk.take()
    desk.say(ID, "FILLED", 2, "5000")
    assert not desk.state.is_busy
