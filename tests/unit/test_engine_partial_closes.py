"""The engine of the bridge closes a part of a position: own legs shrink first, then one order closes the part."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge import oif
from bridge.events import Alarm, ConnectionRead, Fetched, LogLine, NinjaTraderStarted
from orderhook.instructions import Instruction
from orderhook.order_reports import made_order
from orderhook.orders import Leg, OrderState
from orderhook.provenance import Provenance
from tests.bridge import START, Desk, asked, order, placed
from tests.unit.test_engine_closes import BRACKET, CLOSE, STOP, TARGET, ask, end, have

PART = "close.1"
ID = oif.venue_id(PART, 1)


def sell(qty: int) -> str:
    return f"PLACE;Sim101;ES 12-26;SELL;{qty};MARKET;;;DAY;;{ID};;"


def change(venue_id: str, qty: int, limit: str = "0", stop: str = "0") -> str:
    return f"CHANGE;;;;{qty};;{limit};{stop};;;{venue_id};;"


TO_TWO = sorted([change(STOP, 2, stop="4990"), change(TARGET, 2, limit="5010")])


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def shrink(desk: Desk, *venue_ids: str) -> None:
    """Have NinjaTrader say that these orders have changed."""
    for venue_id in venue_ids or (STOP, TARGET):
        desk.say(venue_id, "WORKING")
    desk.wait(0.4)


def close_one(desk: Desk) -> Instruction:
    """Have one of three contracts be closed, as far as its order is on its way."""
    have(desk, 3)
    closing = ask(desk, qty=1)
    desk.take()
    shrink(desk)
    assert desk.take() == [sell(1)]
    return closing


def quantities(desk: Desk) -> dict[str, int]:
    return {it.venue_id: it.qty for it in desk.state.venue_orders.values() if it.is_live}


def test_legs_shrink_before_a_part_is_closed_and_stay_so(desk: Desk) -> None:
    have(desk, 3)
    ask(desk, qty=1)
    assert sorted(desk.take()) == TO_TWO
    assert desk.result() is None
    shrink(desk, STOP)
    assert desk.take() == []
    shrink(desk, TARGET)
    assert desk.take() == [sell(1)]
    desk.say(ID, "FILLED", 1, "5001")
    desk.hold("LONG", 2)
    desk.wait(10)
    assert (desk.result(), quantities(desk), desk.take()) == ("done", {STOP: 2, TARGET: 2}, [])
    assert desk.results[-1].order_ids == (PART,)
    assert desk.alarms == []
    desk.say(STOP, "FILLED", 2, "4990")
    desk.say(TARGET, "CANCELLED")
    assert [str(desk.last(f"long.{name}").state) for name in BRACKET] == ["Filled", "Cancelled"]
    assert (desk.last("long.STOP1").values["qty"], desk.alarms) == ("2", [])


@pytest.mark.parametrize(
    ("values", "closed"),
    [({"qty": 1}, 1), ({"percent": Decimal("0.5")}, 2), ({"percent": Decimal("0.01")}, 1), ({"qty": 2}, 2)],
)
@pytest.mark.parametrize(("side", "action"), [("LONG", "SELL"), ("SHORT", "BUY")])
def test_a_part_is_a_quantity_or_a_percentage_rounded_up(
    desk: Desk, values: dict[str, Any], closed: int, side: Any, action: str
) -> None:
    desk.hold(side, 3)
    ask(desk, **values)
    [line] = desk.take()
    assert (placed(line)["action"], placed(line)["qty"]) == (action, str(closed))


@pytest.mark.parametrize("values", [{"qty": 3}, {"qty": 5}, {"percent": Decimal(1)}, {"percent": Decimal("0.9")}])
def test_all_of_it_is_the_full_close(desk: Desk, values: dict[str, Any]) -> None:
    have(desk, 3)
    ask(desk, **values)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    end(desk, STOP, TARGET)
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    desk.wait(1)
    assert desk.result() == "done"


@pytest.mark.parametrize(("qty", "is_part"), [(1, True), (2, True), (3, False)])
def test_of_an_entry_that_fills_on_no_more_is_closed_than_was_asked(desk: Desk, qty: int, is_part: bool) -> None:
    shown = order(desk, legs=BRACKET, qty=3, order_type="LIMIT", limit_price=Decimal(5000))
    desk.look(shown)
    desk.take()
    desk.say(oif.venue_id("request-long", 1), "PARTFILLED", 1, "5000")
    desk.hold("LONG", 1)
    for venue_id in (STOP, TARGET):
        desk.take()
        desk.say(venue_id, "WORKING")
    desk.wait(3)
    ask(desk, shown, qty=qty)
    taken = desk.take()
    assert {oif.cancel(STOP), oif.cancel(TARGET)} <= set(taken)
    assert (oif.cancel(oif.venue_id("request-long", 1)) in taken) is not is_part
    end(desk, STOP, TARGET)
    assert (sell(1) in desk.take()) is is_part


def test_no_part_of_nothing_is_closed(desk: Desk) -> None:
    desk.hold("FLAT")
    ask(desk, qty=1)
    assert (desk.result(), desk.take()) == ("no_position", [])


def test_a_part_needs_the_number(desk: Desk) -> None:
    ask(desk, qty=1)
    assert (desk.result(), desk.take()) == ("blocked", [])
    assert "position_unknown" in str(desk.results[-1].reason)


def test_a_position_that_is_about_to_change_is_waited_for_two_seconds(desk: Desk) -> None:
    have(desk, 3)
    shown = order(desk, "more")
    desk.look(shown)
    desk.take()
    ask(desk, shown, qty=1)
    desk.wait(1)
    assert (desk.result(), desk.take()) == (None, [])
    desk.wait(1.5)
    assert desk.result() == "blocked"
    assert quantities(desk) == {STOP: 3, TARGET: 3}


def test_legs_that_do_not_shrink_in_five_seconds_do_not_keep_a_part_open(desk: Desk) -> None:
    have(desk, 3)
    ask(desk, qty=1)
    desk.take()
    desk.wait(4)
    assert desk.take() == []
    desk.wait(1.5)
    assert sell(1) in desk.take()


def test_a_stop_that_fills_while_the_legs_shrink_leaves_nothing_to_close(desk: Desk) -> None:
    have(desk, 3)
    ask(desk, qty=1)
    desk.take()
    desk.say(STOP, "FILLED", 3, "4990")
    desk.say(TARGET, "CANCELLED")
    desk.wait(1)
    assert desk.take() == []
    desk.hold("FLAT")
    desk.wait(1)
    assert (desk.result(), desk.take(), desk.alarms) == ("done", [], [])


def test_a_target_that_fills_in_part_meanwhile_leaves_less_to_close(desk: Desk) -> None:
    have(desk, 3)
    ask(desk, qty=2)
    desk.take()
    desk.say(TARGET, "PARTFILLED", 2, "5010")
    desk.hold("LONG", 1)
    while desk.lines:
        desk.take()
        desk.say(STOP, "WORKING")
        desk.wait(0.4)
    # What is left is all of it.
    assert desk.state.instructions["close"].closes
    end(desk, STOP, TARGET)
    assert CLOSE in desk.take()


def test_an_order_that_is_rejected_gives_the_legs_their_part_again(desk: Desk) -> None:
    close_one(desk)
    desk.tell(LogLine(ID, "PLACE: no margin", is_error=True))
    desk.say(ID, "REJECTED")
    assert desk.result() == "failed"
    assert "0 of 1 are filled: PLACE: no margin" in str(desk.state.instructions["close"].reason)
    assert sorted(desk.take()) == sorted([change(STOP, 3, stop="4990"), change(TARGET, 3, limit="5010")])


def test_what_was_closed_in_part_stays_closed_when_the_rest_is_refused(desk: Desk) -> None:
    have(desk, 3)
    ask(desk, qty=2)
    desk.take()
    shrink(desk)
    desk.take()
    desk.say(ID, "PARTFILLED", 1, "5000")
    desk.hold("LONG", 2)
    desk.say(ID, "CANCELLED", 1, "5000")
    assert desk.result() == "failed"
    assert sorted(desk.take()) == TO_TWO


def test_legs_with_nothing_left_to_close_are_cancelled_the_oldest_first(desk: Desk) -> None:
    first = have(desk, 1)
    second = order(desk, "more", legs=BRACKET, qty=2)
    ids = [oif.venue_id("request-more", 1, name, 0) for name in BRACKET]
    desk.look(first, second)
    desk.take()
    desk.say(oif.venue_id("request-more", 1), "FILLED", 2, "5000")
    desk.hold("LONG", 3)
    for venue_id in ids:
        desk.take()
        desk.say(venue_id, "WORKING")
    desk.wait(1)
    ask(desk, qty=1)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    end(desk, STOP, TARGET)
    assert desk.take() == [sell(1)]
    desk.say(ID, "FILLED", 1, "5000")
    desk.hold("LONG", 2)
    desk.wait(5)
    assert (desk.result(), quantities(desk), desk.alarms) == ("done", dict.fromkeys(ids, 2), [])
    assert [str(desk.last(f"long.{name}").state) for name in BRACKET] == ["Cancelled", "Cancelled"]


def test_legs_that_were_cancelled_for_a_part_come_back_where_it_is_not_closed(desk: Desk) -> None:
    have(desk, 1)
    desk.hold("LONG", 2)  # one by hand
    desk.look(order(desk, "other", legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))}))
    desk.take()
    desk.say(oif.venue_id("request-other", 1), "FILLED", 1, "5000")
    desk.hold("LONG", 2)
    desk.take()
    desk.say(oif.venue_id("request-other", 1, "STOP1", 0), "WORKING")
    desk.wait(1)
    closing = ask(desk, qty=1)
    desk.take()
    end(desk, STOP, TARGET)
    assert desk.take() == [sell(1)]
    # The table has finished the legs by now.
    desk.look(closing)
    assert "long.STOP1" not in desk.state.active
    desk.say(ID, "REJECTED")
    assert desk.result() == "failed"
    [line] = desk.take()
    assert (placed(line)["order_type"], placed(line)["qty"], placed(line)["stop_price"]) == ("STOPMARKET", "1", "4990")
    desk.say(placed(line)["order_id"], "WORKING")
    assert [placed(it)["limit_price"] for it in desk.take()] == ["5010"]
    assert desk.alarms == []


def test_what_has_no_legs_of_ours_is_closed_without_a_change(desk: Desk) -> None:
    have(desk, 1)
    desk.hold("LONG", 3)  # two by hand
    ask(desk, qty=1)
    assert desk.take() == [sell(1)]
    assert quantities(desk) == {STOP: 1, TARGET: 1}


@pytest.mark.parametrize(("state", "result"), [("REJECTED", None), ("FILLED", "blocked")])
def test_of_a_root_a_month_that_nobody_knows_counts_where_something_of_ours_was_filled(
    desk: Desk, state: str, result: str | None
) -> None:
    desk.hold("LONG", 2)
    desk.look(order(desk, "next", instrument="ES 03-27"))
    desk.take()
    desk.say(oif.venue_id("request-next", 1), state, *((1, "5000") if state == "FILLED" else ()))
    desk.look()
    ask(desk, qty=1, root="ES")
    assert (desk.result(), desk.take()) == (result, [] if result else [sell(1)])


def test_of_a_root_a_month_that_is_about_to_be_held_is_waited_for(desk: Desk) -> None:
    desk.hold("FLAT")
    shown = order(desk, qty=2)
    desk.look(shown)
    desk.take()
    ask(desk, shown, qty=1, root="ES")
    desk.wait(0.5)
    assert desk.result() is None
    desk.say(oif.venue_id("request-long", 1), "FILLED", 2, "5000")
    desk.hold("LONG", 2)
    desk.wait(0.1)
    assert desk.take() == [sell(1)]


def test_a_crash_while_its_order_is_written_leaves_a_part_unresolved(desk: Desk) -> None:
    have(desk, 3)
    closing = ask(desk, qty=1)
    desk.take()
    shrink(desk)
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.hold("LONG", 3)
    desk.look(closing)
    desk.wait(1)
    desk.wait(61)
    assert (desk.result(), sell(1) in desk.take()) == ("unresolved", False)


@pytest.mark.parametrize(("filled", "back"), [(0, 3), (1, 2), (2, 1)])
def test_legs_take_back_what_a_person_says_was_not_closed(desk: Desk, filled: int, back: int) -> None:
    have(desk, 3)
    ask(desk, qty=2)
    desk.take()
    shrink(desk)
    assert desk.take() == [sell(2)]
    desk.wait(61)
    assert (desk.result(), quantities(desk)) == ("unresolved", {STOP: 1, TARGET: 1})
    said = desk.last(PART)
    assert said.made
    listed = made_order(Provenance("main", "ninjatrader", PART, desk.at), PART, said.made)
    state = OrderState.FILLED if filled == 2 else OrderState.REJECTED
    desk.tell(Fetched(PART, listed._replace(state=state, filled=filled)))
    desk.wait(1)
    desk.take()
    shrink(desk)
    desk.wait(5)
    assert (quantities(desk), desk.alarms) == ({STOP: back, TARGET: back}, ["unprotected"])


def test_a_person_is_told_how_much_has_no_stop_while_nobody_knows_of_its_order(desk: Desk) -> None:
    have(desk, 3)
    ask(desk, qty=2)
    desk.take()
    shrink(desk)
    desk.take()
    desk.say(ID, "PARTFILLED", 1, "5000")
    desk.tell(NinjaTraderStarted())
    desk.tell(ConnectionRead(connected=True))
    for venue_id in (STOP, TARGET):
        desk.say(venue_id, "WORKING")
    desk.take()
    desk.wait(61)
    assert desk.result() == "unresolved"
    [told] = [it.detail for it in desk.effects if isinstance(it, Alarm) and it.code == "unprotected"]
    assert "own stops close 1 less" in told


@pytest.mark.parametrize("is_emptied", [True, False])
def test_legs_take_back_a_part_that_a_restart_cuts_short_while_they_shrink(desk: Desk, is_emptied: bool) -> None:
    have(desk, 3)
    closing = ask(desk, qty=1)
    assert sorted(desk.take()) == TO_TWO
    if not is_emptied:
        desk.crash()
    # Whether the legs have shrunk nothing says any more: they are told once more how much they close.
    desk.tell(NinjaTraderStarted(emptied=is_emptied))
    desk.tell(ConnectionRead(connected=True))
    desk.look(closing)
    taken = desk.take()
    shrink(desk)
    taken += desk.take()
    assert desk.result() == "blocked"
    assert {change(STOP, 3, stop="4990"), change(TARGET, 3, limit="5010")} <= set(taken)
    shrink(desk)
    assert (quantities(desk), desk.take(), desk.alarms) == ({STOP: 3, TARGET: 3}, [], ["not_closed"])


def test_legs_take_back_what_is_rejected_after_a_minute(desk: Desk) -> None:
    close_one(desk)
    desk.wait(61)
    assert desk.result() == "unresolved"
    desk.say(ID, "REJECTED")
    assert sorted(desk.take()) == sorted([change(STOP, 3, stop="4990"), change(TARGET, 3, limit="5010")])


def test_legs_take_back_a_part_whose_instruction_an_operator_has_ended(desk: Desk) -> None:
    have(desk, 3)
    ask(desk, qty=1)
    assert sorted(desk.take()) == TO_TWO
    desk.look()
    assert (desk.result(), desk.state.instructions["close"].order_ids) == ("superseded", ())
    shrink(desk)
    desk.take()
    shrink(desk)
    assert (quantities(desk), desk.take(), desk.alarms) == ({STOP: 3, TARGET: 3}, [], [])


def test_a_crash_before_its_order_goes_on_from_the_journal(desk: Desk) -> None:
    have(desk, 3)
    closing = ask(desk, qty=1)
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    desk.hold("LONG", 3)
    desk.look(closing)
    desk.wait(1)
    desk.take()
    shrink(desk)
    assert desk.take() == [sell(1)]


def test_another_journal_closes_no_part_a_second_time(desk: Desk) -> None:
    closing = asked(desk, qty=1)
    other = Desk()
    other.at = START + timedelta(minutes=1)
    other.start()
    other.hold("LONG", 3)
    other.look(closing)
    assert (other.result(), other.take()) == ("unresolved", [])
    [told] = [it.detail for it in other.effects if isinstance(it, Alarm)]
    assert "LONG 3: another journal may have made its stops smaller" in told


def test_a_later_close_ends_the_order_that_closes_a_part(desk: Desk) -> None:
    first = close_one(desk)
    desk.say(ID, "WORKING")
    later = asked(desk, name="later")
    desk.look(first, later)
    assert desk.result("later") is None
    desk.say(ID, "FILLED", 1, "5000")
    desk.hold("LONG", 2)
    desk.wait(0.1)
    assert desk.result() == "done"
    end(desk, STOP, TARGET)
    assert CLOSE in desk.take()


def test_a_position_that_turned_over_opens_nothing_any_more(desk: Desk) -> None:
    close_one(desk)
    desk.say(ID, "FILLED", 1, "5000")
    desk.hold("SHORT", 1)
    desk.wait(0.1)
    assert desk.result() == "failed"
    assert desk.alarms[-1:] == ["flipped"]
    assert desk.state.blocks


def test_an_order_of_which_nobody_knows_keeps_no_part_open(desk: Desk) -> None:
    have(desk, 3)
    lost = order(desk, "lost")
    desk.look(lost)
    desk.take()
    desk.wait(61)
    assert desk.last("lost").unresolved
    desk.look(lost)
    ask(desk, lost, qty=1)
    assert sorted(desk.take()) == TO_TWO


def test_a_file_that_stays_as_it_is_keeps_no_part_open(desk: Desk) -> None:
    have(desk, 3)
    shown = [order(desk, "more"), order(desk, "less", action="SELL")]
    desk.look(*shown)
    desk.take()
    for it in shown:
        desk.say(oif.venue_id(f"request-{it.order_id}", 1), "FILLED", 1, "5000")
    desk.wait(61)
    ask(desk, qty=1)
    assert sorted(desk.take()) == TO_TWO
