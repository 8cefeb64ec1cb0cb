"""The engine of the bridge under sequences of alerts, files and failures that are chosen against it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge import oif
from bridge.events import (
    Alarm,
    ConnectionRead,
    Fetch,
    Fetched,
    FileConsumed,
    FileMovedOut,
    FileNotWritten,
    FileWritten,
    LogLine,
    Looked,
    NinjaTraderStarted,
    OrderStateRead,
    PositionRead,
    SendReport,
    WriteFile,
)
from orderhook.bridge_messages import Heartbeat, Side
from orderhook.orders import Leg, LegEnd, Order, OrderState, timestamp
from tests.bridge import JOURNAL, START, Desk, order, placed, want

BRACKET = {
    "STOP1": Leg("STOPMARKET", stop_price=Decimal(4990), oco_id="group"),
    "TARGET1": Leg("LIMIT", limit_price=Decimal(5010), oco_id="group"),
}
LONG = oif.venue_id("request-long", 1)


def leg_at_venue(name: str, start: int = 0, generation: int = 1) -> str:
    return oif.venue_id("request-long", generation, name, start)


def close_at_venue(start: int = 0) -> str:
    return leg_at_venue("CLOSE1", start)


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


def refuse_cancels(desk: Desk) -> list[str]:
    """Have every file be taken, and no order end, until what is cancelled counts as refused; returns the lines."""
    lines: list[str] = []
    for _ in range(70):
        lines += desk.take()
        desk.wait(1)
    return lines


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
    waiting = order(desk, state=OrderState.WORKING)
    for generation in (1, 2):
        asked = BRACKET["STOP1"]._replace(want=want(desk, 2 * generation, "cancel"))
        desk.look(waiting._replace(legs={"STOP1": asked}))
        assert desk.take() == [oif.cancel(leg_at_venue("STOP1", generation=generation))]
        desk.say(leg_at_venue("STOP1", generation=generation), "CANCELLED")
        anew = asked._replace(want=want(desk, 2 * generation + 1, "replace"), stop_price=Decimal(4980))
        desk.look(waiting._replace(legs={"STOP1": anew}))
        [line] = desk.take()
        again = leg_at_venue("STOP1", generation=generation + 1)
        assert (placed(line)["order_id"], placed(line)["stop_price"]) == (again, "4980")
        desk.say(again, "ACCEPTED")


def test_a_stop_whose_cancel_was_refused_and_a_person_cancels_stays_cancelled(desk: Desk) -> None:
    protect(desk)
    desk.look(leg_order(desk, want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    stop = leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(4985), want=want(desk, 3, "change"))
    desk.look(stop)
    assert desk.take() == [oif.change(STOP, qty=1, stop_price=Decimal(4985))]
    desk.say(STOP, "ACCEPTED")
    desk.say(TARGET, "CANCELLED")
    desk.say(STOP, "CANCELLED")
    assert desk.take() == []
    assert desk.alarms == ["cancel_refused", "unprotected"]


# A leg that the table takes to work again


def test_a_leg_that_the_table_takes_to_work_again_is_told_anew_if_it_does_not(desk: Desk) -> None:
    protect(desk)
    desk.say(TARGET, "FILLED", 1, "5010")
    desk.say(STOP, "CANCELLED")
    told = desk.last("long.STOP1")
    assert told.state == "Cancelled"
    again = leg_order(desk, want=None, report_seq=told.seq)
    desk.look(again)
    anew = desk.last("long.STOP1")
    assert (anew.seq > told.seq, anew) == (True, told._replace(seq=anew.seq))
    desk.look(again)
    assert desk.last("long.STOP1") is anew


# A change is done when a state says so that was written for it


def change_stop(desk: Desk, n: int, price: int) -> Order:
    """Ask another price of the stop, and return its item."""
    shown = leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(price), want=want(desk, n, "change"))
    desk.look(shown)
    return shown


def refuse(desk: Desk, venue_id: str) -> None:
    desk.tell(LogLine(venue_id, "Unable to change order", is_error=True))


def test_a_second_change_waits_until_the_first_is_judged(desk: Desk) -> None:
    protect(desk)
    change_stop(desk, 2, 4992)
    assert desk.take() == [oif.change(STOP, qty=1, stop_price=Decimal(4992))]
    desk.say(STOP, "CHANGEPENDING")
    change_stop(desk, 3, 4995)
    desk.say(STOP, "ACCEPTED")
    assert desk.take() == []
    desk.wait(0.3)
    assert desk.take() == [oif.change(STOP, qty=1, stop_price=Decimal(4995))]
    assert desk.last("long.STOP1").acked == 0
    refuse(desk, STOP)
    last = desk.last("long.STOP1")
    assert (last.acked, last.dropped, last.values["stop_price"]) == (3, 3, "4992")


def test_a_state_from_before_its_file_was_taken_confirms_no_change(desk: Desk) -> None:
    protect(desk)
    change_stop(desk, 2, 4992)
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.wait(1)
    assert desk.last("long.STOP1").acked == 0


@pytest.mark.parametrize("is_pending", [False, True])
def test_a_state_after_five_seconds_confirms_only_what_nt_was_at(desk: Desk, *, is_pending: bool) -> None:
    protect(desk)
    change_stop(desk, 2, 4992)
    desk.take()
    if is_pending:
        desk.say(STOP, "CHANGEPENDING")
    desk.wait(5.1)
    desk.say(STOP, "ACCEPTED")
    desk.wait(1)
    assert desk.last("long.STOP1").acked == (2 if is_pending else 0)
    assert desk.alarms == ["change_unconfirmed"]


def test_the_log_confirms_a_change_that_was_taken_and_is_not_overdue(desk: Desk) -> None:
    works = LogLine(STOP, "Order='7/Sim101' New state='Working'", is_error=False)
    protect(desk)
    change_stop(desk, 2, 4992)
    desk.tell(works)
    desk.take()
    desk.wait(1)
    assert desk.last("long.STOP1").acked == 0
    desk.tell(works)
    desk.wait(0.3)
    assert desk.last("long.STOP1").acked == 2
    change_stop(desk, 3, 4995)
    desk.take()
    desk.wait(5.1)
    desk.tell(works)
    desk.wait(1)
    assert (desk.last("long.STOP1").acked, desk.alarms) == (2, ["change_unconfirmed"])


def test_a_change_that_is_answered_at_the_last_moment_is_not_unconfirmed(desk: Desk) -> None:
    protect(desk)
    change_stop(desk, 2, 4992)
    desk.take()
    desk.wait(4.9)
    desk.say(STOP, "ACCEPTED")
    desk.wait(0.2)
    desk.wait(0.1)
    assert (desk.last("long.STOP1").acked, desk.alarms) == (2, [])


def test_a_part_fill_confirms_no_change(desk: Desk) -> None:
    shown = work(desk, qty=3)
    desk.look(shown._replace(qty=5, want=want(desk, 2, "change")))
    desk.take()
    desk.say(LONG, "CHANGEPENDING")
    desk.say(LONG, "PARTFILLED", 1, "5000")
    desk.wait(0.6)
    assert desk.last("long").acked == 1
    refuse(desk, LONG)
    assert (desk.last("long").acked, desk.last("long").dropped, desk.last("long").values["qty"]) == (2, 2, "3")
    assert "change_refused" in desk.alarms


def test_a_change_under_way_as_nt_starts_is_written_again(desk: Desk) -> None:
    protect(desk)
    change_stop(desk, 2, 4992)
    [line] = desk.take()
    desk.say(STOP, "CHANGEPENDING")
    desk.start()
    assert desk.take() == []
    desk.say(STOP, "ACCEPTED")
    assert desk.last("long.STOP1").acked == 0
    assert desk.take() == [line]
    desk.wait(1)
    assert desk.last("long.STOP1").acked == 0
    desk.say(STOP, "ACCEPTED")
    desk.wait(0.3)
    assert desk.last("long.STOP1").acked == 2


def test_a_change_that_the_log_refuses_after_it_seemed_done_is_taken_back(desk: Desk) -> None:
    protect(desk)
    change_stop(desk, 2, 4992)
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.wait(1)
    assert desk.last("long.STOP1").values["stop_price"] == "4992"
    refuse(desk, STOP)
    last = desk.last("long.STOP1")
    assert (last.dropped, last.values["stop_price"]) == (2, "4990")
    assert last.alarms == ("change_refused",)
    assert desk.take() == []


@pytest.mark.parametrize(("text", "seconds"), [("Unable to cancel order", 1), ("Unable to change order", 6)])
def test_an_error_of_something_else_takes_no_change_back(desk: Desk, text: str, seconds: int) -> None:
    protect(desk)
    change_stop(desk, 2, 4992)
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.wait(0.5)
    desk.wait(seconds)
    desk.tell(LogLine(STOP, text, is_error=True))
    assert (desk.last("long.STOP1").dropped, desk.last("long.STOP1").values["stop_price"]) == (0, "4992")


def test_a_refusal_read_before_the_next_change_was_taken_is_of_the_last_one(desk: Desk) -> None:
    protect(desk)
    change_stop(desk, 2, 4992)
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.wait(0.5)
    change_stop(desk, 3, 4995)
    refuse(desk, STOP)
    desk.take()
    refuse(desk, STOP)
    last = desk.last("long.STOP1")
    assert (last.acked, last.dropped, last.values["stop_price"]) == (3, 3, "4990")


# A leg that fills while it is being cancelled


@pytest.mark.parametrize(("filled", "state"), [(2, "Filled"), (1, "Cancelled")])
def test_a_leg_whose_fill_overtakes_its_cancel_is_filled_if_it_is_whole(desk: Desk, filled: int, state: str) -> None:
    protect(desk, qty=2)
    desk.look(leg_order(desk, "TARGET1", want=want(desk, 2, "cancel")))
    desk.take()
    desk.say(TARGET, "FILLED" if filled == 2 else "CANCELLED", filled, "5010")
    last = desk.last("long.TARGET1")
    assert (last.state, last.filled, last.acked) == (state, filled, 2)


def test_a_cancelled_leg_that_its_entry_may_still_outgrow_is_cancelled(desk: Desk) -> None:
    work(desk, qty=2)
    desk.say(LONG, "PARTFILLED", 1, "5000")
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.look(order(desk, qty=2, state=OrderState.PART_FILLED), leg_order(desk, want=want(desk, 2, "cancel")))
    desk.take()
    desk.say(STOP, "FILLED", 1, "4990")
    assert desk.last("long.STOP1").state == "Cancelled"


# A stop whose end is read before that of the target which has ended it


def test_a_stop_read_as_ended_before_its_rejected_target_does_not_end_its_leg(desk: Desk) -> None:
    protect(desk)
    desk.say(STOP, "CANCELLED")
    desk.say(TARGET, "REJECTED")
    [line] = desk.take()
    assert placed(line)["order_id"] == leg_at_venue("STOP1", generation=2)
    desk.say(leg_at_venue("STOP1", generation=2), "ACCEPTED")
    assert "Cancelled" not in [report.state for report in desk.reports if report.order_id == "long.STOP1"]
    assert desk.alarms == ["target_rejected"]


def test_a_stop_read_as_ended_before_its_filled_target_rings_no_alarm(desk: Desk) -> None:
    protect(desk)
    desk.say(STOP, "CANCELLED")
    desk.say(TARGET, "FILLED", 1, "5010")
    assert (desk.take(), desk.alarms) == ([], [])
    assert (desk.last("long.STOP1").state, desk.last("long.TARGET1").state) == ("Cancelled", "Filled")


def test_a_stop_that_ends_while_its_target_works_on_rings_after_2_seconds(desk: Desk) -> None:
    protect(desk)
    desk.say(STOP, "CANCELLED")
    desk.wait(1.9)
    assert desk.alarms == []
    desk.wait(0.1)
    assert desk.alarms == ["unprotected"]
    assert desk.last("long.STOP1").state == "Cancelled"


# What is asked of an entry and its legs at once is done at once, or not at all


HIGHER: dict[str, dict[str, Any]] = {"STOP1": {"stop_price": Decimal(5012)}, "TARGET1": {"limit_price": Decimal(5030)}}


def replacing(desk: Desk, shown: Order, n: int = 2, **legs: Leg) -> Order:
    """Return an entry that is to work at 5020, with a stop and a target to go with that."""
    asked = want(desk, n, "change")
    of = {name: BRACKET[name]._replace(want=asked._replace(of=n), **prices) for name, prices in HIGHER.items()}
    return shown._replace(limit_price=Decimal(5020), want=asked, legs={**of, **legs})


def legs_placed(desk: Desk, fill: str = "5000") -> list[str]:
    """Have an entry be filled, and return the prices of the stop and the target that are placed for it."""
    desk.say(LONG, "FILLED", 1, fill)
    lines = desk.take()
    desk.say(STOP, "ACCEPTED")
    lines += desk.take()
    legs = [placed(line) for line in lines if line.startswith("PLACE;")]
    return [price for leg in legs for name in ("stop_price", "limit_price") if (price := leg[name])]


@pytest.mark.parametrize("how", ["kill switch", "too late", "refused", "filled first", "filled unseen", "crash"])
def test_a_change_that_is_not_done_leaves_the_legs_as_they_were(desk: Desk, how: str) -> None:
    shown = work(desk)
    asked = replacing(desk, shown)
    if how == "too late":
        desk.wait(31)
    if how != "filled unseen":
        desk.look(asked, kill_switch=how in ("kill switch", "crash"))
    if how == "crash":
        desk.crash()
        desk.start()
        desk.look(asked, kill_switch=True)
    if how == "refused":
        desk.take()
        desk.tell(LogLine(LONG, "Unable to change order", is_error=True))
        desk.wait(1)
    assert legs_placed(desk) == ["4990", "5010"]
    released = [leg_order(desk, it, state=OrderState.CHANGE_PENDING, want=asked.legs[it].want) for it in HIGHER]
    desk.look(*released)
    assert desk.take() == []
    for name, price in (("STOP1", ("stop_price", "4990")), ("TARGET1", ("limit_price", "5010"))):
        desk.say(leg_at_venue(name), "WORKING")
        last = desk.last(f"long.{name}")
        assert (last.acked, last.dropped) == (2, 2)
        assert price in last.values.items()


def test_a_change_that_is_done_brings_its_legs(desk: Desk) -> None:
    shown = work(desk)
    desk.look(replacing(desk, shown))
    desk.take()
    assert "long.STOP1" not in [it.order_id for it in desk.reports if it.acked == 2]
    desk.say(LONG, "WORKING")
    desk.wait(1)
    assert legs_placed(desk, "5020") == ["5012", "5030"]


def test_a_fill_that_only_the_changed_price_allows_brings_the_changes_legs(desk: Desk) -> None:
    desk.look(replacing(desk, work(desk)))
    desk.take()
    assert legs_placed(desk, "5015") == ["5012", "5030"]


@pytest.mark.parametrize(
    ("average", "stop_price"),
    [("4996", "5000"), ("4989", "4990"), ("5001", "4990")],
    ids=["between-both", "below-both", "above-both"],
)
def test_a_moved_stop_has_the_price_that_its_fill_allows(desk: Desk, average: str, stop_price: str) -> None:
    protect(desk)
    stop = leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(5000), want=want(desk, 2, "change"))
    desk.look(stop)
    assert desk.take() == [oif.change(STOP, qty=1, stop_price=Decimal(5000))]
    desk.say(STOP, "FILLED", 1, average)
    assert desk.last("long.STOP1").values["stop_price"] == stop_price


def test_a_target_that_comes_with_a_dropped_change_is_not_there(desk: Desk) -> None:
    shown = work(desk, legs={"STOP1": BRACKET["STOP1"]})
    desk.look(replacing(desk, shown), kill_switch=True)
    desk.wait(1)
    last = desk.last("long.TARGET1")
    assert (last.state, last.acked, last.dropped) == (OrderState.CANCELLED, 2, 2)
    assert legs_placed(desk) == ["4990"]


def test_a_stop_that_comes_with_a_change_after_the_fill_rings(desk: Desk) -> None:
    shown = work(desk, legs={})
    desk.say(LONG, "FILLED", 1, "5000")
    desk.look(replacing(desk, shown))
    desk.wait(1)
    assert (desk.last("long.STOP1").state, desk.take(), desk.alarms) == (OrderState.CANCELLED, [], ["unprotected"])


def test_legs_of_an_entry_that_ends_unfilled_say_nothing_of_their_end(desk: Desk) -> None:
    shown = work(desk, legs={name: leg._replace(want=want(desk)) for name, leg in BRACKET.items()})
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    desk.take()
    desk.say(LONG, "CANCELLED")
    desk.wait(10)
    assert desk.last("long").state == OrderState.CANCELLED
    assert [it.order_id for it in desk.reports if it.state is OrderState.CANCELLED] == ["long"]


def test_a_stop_asked_alone_is_taken_at_once_where_it_fits_its_entry(desk: Desk) -> None:
    shown = work(desk)
    entry = shown._replace(limit_price=Decimal(5020), want=want(desk, 2, "change"))
    stop = BRACKET["STOP1"]._replace(want=want(desk, 2, "change"), stop_price=Decimal(4995))
    desk.look(entry._replace(legs={**BRACKET, "STOP1": stop}), kill_switch=True)
    assert legs_placed(desk) == ["4995", "5010"]


def test_a_stop_asked_for_a_price_that_its_entry_does_not_get_is_dropped(desk: Desk) -> None:
    shown = work(desk)
    entry = shown._replace(limit_price=Decimal(5020), want=want(desk, 2, "change"))
    stop = BRACKET["STOP1"]._replace(want=want(desk, 2, "change"), stop_price=Decimal(5012))
    desk.look(entry._replace(legs={**BRACKET, "STOP1": stop}), kill_switch=True)
    desk.wait(1)
    assert desk.last("long.STOP1").reason == "dropped with the change of long: the kill switch is on"
    assert legs_placed(desk) == ["4990", "5010"]


def test_a_change_asked_on_top_of_a_dropped_one_does_not_bring_that_back(desk: Desk) -> None:
    shown = work(desk)
    desk.look(replacing(desk, shown), kill_switch=True)
    on_top = replacing(desk, shown)._replace(qty=2, want=want(desk, 3, "change"), acked=1)
    desk.look(on_top)
    assert desk.take() == []
    assert (desk.last("long").acked, desk.last("long").values["limit_price"]) == (3, "5000")
    assert legs_placed(desk) == ["4990", "5010"]


def test_a_change_written_before_a_crash_is_not_too_late_after_it(desk: Desk) -> None:
    shown = work(desk)
    desk.look(changed := shown._replace(limit_price=Decimal(5020), want=want(desk, 2, "change")))
    desk.take()
    desk.crash()
    desk.wait(40)
    desk.look(changed)
    desk.start()
    desk.say(LONG, "WORKING")
    lines = [effect.line for effect in desk.effects if isinstance(effect, WriteFile)]
    assert lines.count(oif.change(LONG, qty=1, limit_price=Decimal(5020))) == 2


def test_the_same_change_asked_again_while_it_is_unconfirmed_is_written_again(desk: Desk) -> None:
    shown = work(desk)
    lines = []
    for n in (2, 3):
        desk.look(shown._replace(limit_price=Decimal(5020), want=want(desk, n, "change")))
        lines += desk.take()
        desk.wait(6)
    assert lines == [oif.change(LONG, qty=1, limit_price=Decimal(5020))] * 2


# Partners


def test_a_target_added_to_a_filled_part_is_in_one_group_with_its_stop(desk: Desk) -> None:
    shown = work(desk, qty=2, legs={"STOP1": BRACKET["STOP1"]})
    desk.say(LONG, "PARTFILLED", 1, "5000")
    [stop] = desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.look(shown._replace(legs=BRACKET))
    [target] = desk.take()
    assert placed(stop)["oco_id"]
    assert placed(target)["oco_id"] == placed(stop)["oco_id"]


def test_a_partner_in_no_group_is_cancelled_as_soon_as_the_other_has_filled(desk: Desk) -> None:
    protect(desk)
    target = BRACKET["TARGET1"]._replace(want=want(desk, 2, "cancel"))
    waiting = order(desk, state=OrderState.WORKING, legs={**BRACKET, "TARGET1": target})
    desk.look(waiting)
    desk.take()
    desk.say(TARGET, "CANCELLED")
    desk.say(STOP, "CANCELLED")
    desk.take()
    stop = leg_at_venue("STOP1", generation=2)
    desk.say(stop, "ACCEPTED")
    anew = BRACKET["TARGET1"]._replace(want=want(desk, 3, "replace"))
    desk.look(waiting._replace(legs={**BRACKET, "TARGET1": anew}))
    desk.take()
    target_anew = leg_at_venue("TARGET1", generation=2)
    desk.say(target_anew, "WORKING")
    desk.say(stop, "FILLED", 1, "4990")
    assert desk.take() == [oif.cancel(target_anew)]


def test_an_orders_record_keeps_a_bounded_number_of_alarms(desk: Desk) -> None:
    shown = work(desk)
    for n in range(2, 80):
        desk.look(shown._replace(limit_price=Decimal(5000 + n), want=want(desk, n, "change"), acked=n - 1))
        desk.take()
        desk.tell(LogLine(LONG, "Unable to change order", is_error=True))
    record = desk.state.orders["long"]
    assert desk.alarms.count("change_refused") == 78
    assert (len(record.rung), len(record.alarms)) == (50, 0)


def test_a_rest_that_is_ended_says_why(desk: Desk) -> None:
    shown = work(desk, qty=3)
    desk.say(LONG, "PARTFILLED", 1, "5000")
    desk.look(shown._replace(qty=1, want=want(desk, 2, "change")))
    desk.take()
    desk.say(LONG, "CANCELLED", 1, "5000")
    last = desk.last("long")
    assert (last.state, last.reason) == (OrderState.FILLED, "qty not above what is filled")


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
    desk.refuse_file()
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
    desk.refuse_file()
    desk.look(other._replace(want=want(desk, 3, "cancel")))
    assert (desk.last("long").state, desk.last("long").acked) == ("Cancelled", 3)
    desk.wait(5)
    assert desk.take() == []


@pytest.mark.parametrize("filled", [2, 3])
def test_another_kind_for_what_is_filled_at_its_end_ends_the_order(desk: Desk, filled: int) -> None:
    shown = work(desk, legs={}, qty=5)
    desk.say(LONG, "PARTFILLED", filled, "5000")
    desk.look(shown._replace(order_type="MARKET", limit_price=None, qty=3, want=want(desk, 2, "replace")))
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "CANCELLED", 3, "5000")
    report = desk.last("long")
    assert (report.state, report.filled, report.acked, report.values["qty"]) == ("Filled", 3, 2, "3")


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


def lose_cancelled_target(desk: Desk) -> None:
    """Have a target be cancelled by name, and NinjaTrader be started and say that its stop has ended, no more."""
    protect(desk)
    desk.look(leg_order(desk, "TARGET1", want=want(desk, 2, "cancel")), leg_order(desk))
    desk.take()
    restart(desk)
    desk.say(STOP, "CANCELLED")
    desk.wait(60)


def test_a_stop_that_ended_with_a_target_of_which_nothing_is_said_rings(desk: Desk) -> None:
    lose_cancelled_target(desk)
    assert sorted(desk.alarms) == ["unprotected", "unresolved"]
    assert not any(line.startswith("PLACE") for line in desk.take())


def test_a_stop_is_placed_again_when_a_person_says_that_its_target_has_ended(desk: Desk) -> None:
    lose_cancelled_target(desk)
    desk.take()
    desk.tell(Fetched("long.TARGET1", leg_order(desk, "TARGET1", state=OrderState.CANCELLED)))
    [line] = desk.take()
    assert (placed(line)["command"], placed(line)["order_id"]) == ("PLACE", leg_at_venue("STOP1", generation=2))


@pytest.mark.parametrize("state", ["CANCELLED", "REJECTED"])
def test_a_stop_that_a_person_says_has_ended_is_left_to_that_person(desk: Desk, state: str) -> None:
    protect(desk)
    restart(desk)
    desk.wait(60)
    desk.tell(Fetched("long.STOP1", leg_order(desk, state=OrderState[state])))
    desk.wait(60)
    assert not [line for line in desk.take() if "PLACE" in line]
    assert "unprotected" in desk.alarms


def test_a_stop_that_a_person_says_was_filled_leaves_no_target(desk: Desk) -> None:
    protect(desk)
    restart(desk)
    desk.say(TARGET, "WORKING")
    desk.wait(60)
    desk.tell(Fetched("long.STOP1", leg_order(desk, state=OrderState.FILLED, filled=1)))
    desk.wait(3)
    assert desk.take() == [oif.cancel(TARGET)]
    desk.say(STOP, "FILLED", 1, "4990")
    assert desk.alarms == ["unresolved"]


def test_what_works_though_a_person_has_resolved_it_rings(desk: Desk) -> None:
    shown = work(desk, legs={})
    restart(desk)
    desk.wait(60)
    ended = shown._replace(state=OrderState.CANCELLED)
    desk.tell(Fetched("long", ended))
    desk.say(LONG, "WORKING")
    desk.look()
    desk.tell(Fetched("long", ended))
    assert desk.alarms == ["unresolved", "works_though_finished"]


@pytest.mark.parametrize(("state", "alarm"), [("WORKING", "works_though_finished"), ("FILLED", "late_fill")])
def test_a_file_that_nt_had_read_after_all_rings(desk: Desk, state: str, alarm: str) -> None:
    shown = order(desk)
    desk.look(shown)
    [name] = desk.lines
    desk.lines.clear()
    desk.tell(FileWritten(name))
    desk.wait(2)
    desk.tell(FileMovedOut(name))
    desk.wait(61)
    assert desk.last("long").state == "Rejected"
    desk.look()
    desk.say(LONG, state, 1 if state == "FILLED" else 0, "5000" if state == "FILLED" else None)
    desk.look()
    desk.tell(Fetched("long", shown._replace(state=OrderState.REJECTED)))
    assert desk.alarms == ["not_read", alarm]


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


# Another journal's legs

AGO = timestamp(START - timedelta(hours=1))


def foreign_leg(desk: Desk, name: str, **values: Any) -> Order:
    return leg_order(desk, name, **{"state": OrderState.WORKING, "received_at": AGO, **values})


def know_entry(desk: Desk, **values: Any) -> None:
    """Answer which placing the legs are of."""
    item = order(desk, received_at=AGO, **{"state": OrderState.FILLED, "filled": 1, "legs": BRACKET, **values})
    desk.tell(Fetched("long", item))


def test_every_leg_of_another_journal_can_be_cancelled_by_its_name(desk: Desk) -> None:
    legs = [foreign_leg(desk, name) for name in BRACKET]
    desk.look(*legs)
    know_entry(desk)
    desk.look(*(leg._replace(want=want(desk, 2, "cancel")) for leg in legs))
    assert {oif.cancel(STOP), oif.cancel(TARGET)} <= set(desk.take())
    for name, venue_id in (("STOP1", STOP), ("TARGET1", TARGET)):
        desk.say(venue_id, "CANCELLED")
        assert (desk.last(f"long.{name}").state, desk.last(f"long.{name}").acked) == ("Cancelled", 2)
    desk.wait(70)
    assert "cancel_refused" not in desk.alarms


@pytest.mark.parametrize(("generation", "start"), [(1, 0), (2, 0), (3, 2)])
def test_a_state_that_was_read_before_its_leg_was_known_counts(desk: Desk, generation: int, start: int) -> None:
    desk.say(leg_at_venue("TARGET1", start, generation), "FILLED", 3, "5010")
    desk.look(*(foreign_leg(desk, name, qty=3) for name in BRACKET))
    know_entry(desk, qty=3, filled=3)
    report = desk.last("long.TARGET1")
    assert (report.state, report.filled, report.unresolved) == ("Filled", 3, None)
    assert desk.last("long.STOP1").unresolved


@pytest.mark.parametrize(("filled", "parts"), [(3, 3), (2, 3), (40, 20)], ids=["filled", "more asked", "many"])
def test_a_leg_of_another_journal_is_cancelled_wherever_it_may_be(desk: Desk, filled: int, parts: int) -> None:
    legs = [foreign_leg(desk, name, qty=filled) for name in BRACKET]
    desk.look(*legs)
    know_entry(desk, qty=max(3, filled), filled=filled)
    desk.look(*(leg._replace(want=want(desk, 2, "cancel")) for leg in legs))
    places = [leg_at_venue(name, start, n) for name in BRACKET for start in range(parts) for n in (1, 2, 3)]
    assert sorted(desk.take()) == sorted(map(oif.cancel, places))


def test_a_leg_of_another_journal_is_cancelled_where_more_was_filled_than_asked_for(desk: Desk) -> None:
    stop = foreign_leg(desk, "STOP1")  # its quantity was lowered
    desk.say(leg_at_venue("STOP1", 2), "WORKING")
    desk.look(stop)
    know_entry(desk, qty=2, filled=3)
    desk.look(stop._replace(want=want(desk, 2, "cancel")))
    assert oif.cancel(leg_at_venue("STOP1", 2)) in desk.take()


@pytest.mark.parametrize("start", [0, 2])
def test_what_closes_in_place_of_another_journals_stop_is_its_own(desk: Desk, start: int) -> None:
    desk.say(close_at_venue(start), "FILLED", 3, "4989")
    stop = foreign_leg(desk, "STOP1", qty=3)
    desk.look(stop)
    know_entry(desk, qty=3, filled=3)
    report = desk.last("long.STOP1")
    assert (report.state, report.filled, report.unresolved) == ("Filled", 3, None)
    [execution] = report.executions
    assert execution.venue_id == close_at_venue(start)
    desk.wait(5)
    assert desk.alarms == []


def test_what_closes_in_place_of_another_journals_stop_is_cancelled_once_it_is_seen(desk: Desk) -> None:
    stop = foreign_leg(desk, "STOP1")
    desk.say(close_at_venue(), "WORKING")
    desk.look(stop)
    know_entry(desk)
    desk.look(stop._replace(want=want(desk, 2, "cancel")))
    assert oif.cancel(close_at_venue()) in desk.take()


def test_a_state_read_before_an_entry_was_known_counts_and_rings(desk: Desk) -> None:
    desk.say(LONG, "FILLED", 1, "5000")
    desk.look(order(desk, received_at=AGO, legs=BRACKET))
    assert (desk.last("long").state, desk.last("long").filled) == ("Filled", 1)
    assert desk.alarms == ["unprotected"]


def test_a_state_from_before_the_start_does_not_count_for_what_is_adopted(desk: Desk) -> None:
    desk.say(LONG, "WORKING")
    restart(desk)
    desk.look(order(desk, received_at=AGO, legs=BRACKET))
    assert desk.last("long").unresolved


def test_an_end_from_before_the_start_counts_for_what_is_adopted(desk: Desk) -> None:
    desk.say(LONG, "FILLED", 1, "5000")
    restart(desk)
    desk.look(order(desk, received_at=AGO))
    assert (desk.last("long").state, desk.last("long").unresolved) == ("Filled", None)


def test_a_fill_that_the_table_knew_does_not_ring_for_another_journal(desk: Desk) -> None:
    desk.say(LONG, "PARTFILLED", 1, "5000")
    desk.look(order(desk, received_at=AGO, qty=2, filled=1, state=OrderState.PART_FILLED, legs=BRACKET))
    assert desk.alarms == []


def test_released_legs_of_another_journals_open_entry_are_adopted(desk: Desk) -> None:
    released = {name: leg._replace(released=True) for name, leg in BRACKET.items()}
    entry = order(desk, received_at=AGO, qty=2, filled=1, state=OrderState.PART_FILLED, legs=released)
    legs = [foreign_leg(desk, name, want=want(desk, 2, "cancel")) for name in BRACKET]
    desk.look(*legs, entry)
    assert {oif.cancel(STOP), oif.cancel(TARGET)} <= set(desk.take())
    assert desk.last("long.STOP1").unresolved


def test_a_waiting_leg_of_another_journals_unfilled_entry_is_cancelled(desk: Desk) -> None:
    waiting = {"STOP1": BRACKET["STOP1"]._replace(want=want(desk, 2, "cancel"))}
    desk.look(order(desk, received_at=AGO, legs=BRACKET, state=OrderState.WORKING))
    assert [report.order_id for report in desk.reports] == ["long"]
    desk.say(LONG, "WORKING")
    desk.look(order(desk, received_at=AGO, legs=waiting, state=OrderState.WORKING))
    assert (desk.last("long.STOP1").state, desk.last("long.STOP1").acked) == ("Cancelled", 2)


def test_a_waiting_leg_of_another_journals_unfilled_entry_writes_no_cancel(desk: Desk) -> None:
    desk.look(order(desk, received_at=AGO, qty=20, legs=BRACKET, state=OrderState.WORKING))
    desk.say(LONG, "WORKING")
    waiting = {"STOP1": BRACKET["STOP1"]._replace(want=want(desk, 2, "cancel"))}
    desk.look(order(desk, received_at=AGO, qty=20, legs=waiting, state=OrderState.WORKING))
    assert (desk.last("long.STOP1").acked, desk.take()) == (2, [])
    desk.wait(5)
    desk.say(LONG, "FILLED", 20, "5000")
    assert desk.take() == []
    desk.say(STOP, "WORKING")
    assert desk.take() == [oif.cancel(STOP)]


def test_cancels_of_ids_that_are_never_seen_end_with_the_answer(desk: Desk) -> None:
    desk.look(foreign_leg(desk, "STOP1"))
    know_entry(desk)
    desk.look(foreign_leg(desk, "STOP1", want=want(desk, 2, "cancel")))
    assert len(desk.take()) > 1
    desk.say(STOP, "CANCELLED")
    assert desk.last("long.STOP1").acked == 2
    desk.wait(5)
    assert desk.take() == []


def test_a_refused_cancel_of_another_journals_entry_is_answered(desk: Desk) -> None:
    asked: dict[str, Any] = {"received_at": AGO, "state": OrderState.WORKING}
    desk.look(order(desk, **asked))
    desk.say(LONG, "WORKING")
    desk.look(order(desk, **asked, want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    report = desk.last("long")
    assert (report.state, report.acked, report.reason) == ("Working", 2, "the cancel was refused")


def test_a_refused_cancel_of_another_journals_leg_is_answered(desk: Desk) -> None:
    desk.look(foreign_leg(desk, "STOP1"))
    know_entry(desk)
    desk.say(STOP, "WORKING")
    desk.look(foreign_leg(desk, "STOP1", want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    report = desk.last("long.STOP1")
    assert (report.state, report.acked, report.reason) == ("Working", 2, "the cancel was refused")


def test_ids_of_another_journals_order_that_are_never_seen_keep_nobody_busy(desk: Desk) -> None:
    desk.look(order(desk, received_at=AGO, state=OrderState.WORKING))
    assert not desk.state.is_busy
    desk.say(LONG, "WORKING")
    assert desk.state.is_busy


ONLY_CANCELLED = "another journal's order can only be cancelled"


@pytest.mark.parametrize("kind", ["change", "replace"])
def test_a_change_of_another_journals_entry_is_answered_and_not_done(desk: Desk, kind: str) -> None:
    asked: dict[str, Any] = {
        "received_at": AGO,
        "state": OrderState.WORKING,
        "order_type": "LIMIT",
        "limit_price": Decimal(4999),
    }
    desk.look(order(desk, **asked))
    desk.say(LONG, "WORKING")
    desk.look(order(desk, **asked, want=want(desk, 2, kind)))
    report = desk.last("long")
    assert (report.state, report.acked, report.reason, desk.take()) == ("Working", 2, ONLY_CANCELLED, [])
    assert report.dropped == 2
    desk.look(order(desk, **asked, want=want(desk, 3, "cancel")))
    assert desk.take() == [oif.cancel(LONG)]


def test_a_change_that_another_journal_has_seen_through_is_not_said_to_be_dropped(desk: Desk) -> None:
    asked = want(desk, 2, "change")
    changed: dict[str, Any] = {"received_at": AGO, "state": OrderState.WORKING, "order_type": "LIMIT", "want": asked}
    waiting = {"STOP1": BRACKET["STOP1"]._replace(want=asked, acked=2)}
    desk.look(order(desk, **changed, limit_price=Decimal(4999), acked=2, legs=waiting))
    desk.say(LONG, "WORKING")
    assert [it for it in desk.reports if it.dropped or it.reason] == []
    assert {it.acked for it in desk.state.orders.values()} == {2}


def test_a_change_of_another_journals_legs_is_answered_and_not_done(desk: Desk) -> None:
    asked = want(desk, 2, "change")
    desk.look(foreign_leg(desk, "STOP1"))
    know_entry(desk)
    desk.say(STOP, "WORKING")
    waiting = {"STOP1": BRACKET["STOP1"]._replace(want=asked)}
    old = order(desk, "old", received_at=AGO, state=OrderState.WORKING, legs=waiting)
    desk.look(foreign_leg(desk, "STOP1", want=asked), old)
    report, waits = desk.last("long.STOP1"), desk.last("old.STOP1")
    assert (report.state, report.acked, report.reason) == ("Working", 2, ONLY_CANCELLED)
    assert (waits.state, waits.acked, waits.unresolved) == ("Initialized", 2, None)
    assert desk.take() == []


def test_an_entry_that_could_not_be_read_is_asked_for_again(desk: Desk) -> None:
    leg = foreign_leg(desk, "STOP1")
    desk.look(leg)
    desk.effects.clear()
    desk.wait(30)
    desk.look(leg)
    assert Fetch("long") in desk.effects


def test_a_stop_of_another_journal_that_ends_with_its_target_rings(desk: Desk) -> None:
    legs = [foreign_leg(desk, name) for name in BRACKET]
    desk.look(*legs)
    know_entry(desk)
    desk.say(STOP, "WORKING")
    desk.say(TARGET, "WORKING")
    desk.look(legs[0], legs[1]._replace(want=want(desk, 2, "cancel")))
    desk.take()
    desk.say(TARGET, "CANCELLED")
    desk.say(STOP, "CANCELLED")
    desk.wait(2)
    assert desk.alarms == ["unprotected"]


def test_each_end_of_another_journals_stop_rings_with_what_is_open(desk: Desk) -> None:
    desk.look(foreign_leg(desk, "STOP1", qty=3))
    know_entry(desk, qty=3, filled=3)
    for generation in (1, 2):
        desk.say(leg_at_venue("STOP1", generation=generation), "WORKING")
        desk.effects.clear()
        desk.say(leg_at_venue("STOP1", generation=generation), "CANCELLED", 1 if generation == 1 else 0)
        desk.wait(2)
        desk.wait(5)
        [alarm] = [effect for effect in desk.effects if isinstance(effect, Alarm)]
        assert alarm == Alarm("unprotected", "long.STOP1: it has ended, with 2 open")


@pytest.mark.parametrize("asked", [False, True])
def test_an_end_of_another_journals_leg_that_leaves_no_stop_missing_does_not_ring(desk: Desk, *, asked: bool) -> None:
    legs = [foreign_leg(desk, name) for name in BRACKET]
    desk.look(*legs)
    know_entry(desk)
    desk.say(STOP, "WORKING")
    if asked:
        desk.look(*(leg._replace(want=want(desk, 2, "cancel")) for leg in legs))
        desk.say(STOP, "CANCELLED")
    desk.say(TARGET, "CANCELLED")
    desk.wait(5)
    assert desk.alarms == []


def test_another_journals_stop_that_has_filled_does_not_ring(desk: Desk) -> None:
    desk.look(*(foreign_leg(desk, name) for name in BRACKET))
    know_entry(desk)
    desk.say(STOP, "FILLED", 1, "4990")
    desk.wait(5)
    assert desk.alarms == []


def test_a_stop_of_another_journal_that_ends_with_its_filled_target_is_well(desk: Desk) -> None:
    desk.look(*(foreign_leg(desk, name) for name in BRACKET))
    know_entry(desk)
    desk.say(STOP, "CANCELLED")
    desk.say(TARGET, "FILLED", 1, "5010")
    desk.wait(5)
    assert desk.alarms == []


def test_a_stop_added_just_before_a_fill_is_placed_for_it(desk: Desk) -> None:
    shown = work(desk, legs={})
    desk.say(LONG, "FILLED", 1, "5000")
    desk.wait(1)
    desk.look(leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(4990)))
    released = {"STOP1": BRACKET["STOP1"]._replace(released=True)}
    desk.tell(Fetched("long", shown._replace(state=OrderState.FILLED, filled=1, legs=released)))
    assert [placed(line)["order_id"] for line in desk.take()] == [STOP]
    desk.say(STOP, "WORKING")
    assert (desk.last("long.STOP1").state, desk.last("long.STOP1").unresolved) == ("Working", None)


def test_another_journals_trade_does_not_keep_orphans_from_being_cancelled(desk: Desk) -> None:
    protect(desk)
    desk.look(order(desk, "old", received_at=AGO, state=OrderState.WORKING, legs=BRACKET))
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))
    desk.tell(PositionRead("Sim101", "ES 12-26", "FLAT", 0, None))
    desk.wait(2)
    assert desk.alarms == ["orphans_cancelled"]
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])


# Positions that are smaller than what the legs close


def reenter(desk: Desk) -> None:
    """Have a trade be closed by a plain order and begun anew, within a second."""
    protect(desk)
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))
    desk.look(order(desk, "close", action="SELL"))
    desk.take()
    desk.say(oif.venue_id("request-close", 1), "FILLED", 1, "5001")
    desk.tell(PositionRead("Sim101", "ES 12-26", "FLAT", 0, None))
    desk.wait(1)
    desk.look(order(desk, "again", legs=BRACKET))
    desk.take()
    desk.say(oif.venue_id("request-again", 1), "FILLED", 1, "5000")
    desk.take()
    desk.say(oif.venue_id("request-again", 1, "STOP1", 0), "WORKING")
    desk.take()
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))


def test_legs_of_a_trade_that_was_closed_and_begun_anew_ring(desk: Desk) -> None:
    reenter(desk)
    desk.wait(4)
    assert desk.alarms == []
    desk.wait(1)
    assert (desk.alarms, desk.last("long.STOP1").alarms, desk.take()) == (["orphans"], ("orphans",), [])


def test_legs_without_their_position_ring_once_though_the_first_of_them_ends(desk: Desk) -> None:
    protect(desk)
    desk.tell(PositionRead("Sim101", "ES 12-26", "FLAT", 0, None))
    desk.wait(2)
    desk.look(leg_order(desk, want=want(desk, 2, "cancel")), leg_order(desk, "TARGET1"))
    desk.wait(5)
    assert desk.alarms == ["orphans"]


def test_legs_of_another_journal_do_not_ring_for_a_smaller_position(desk: Desk) -> None:
    desk.look(order(desk, qty=3, received_at=AGO, state=OrderState.WORKING, legs=BRACKET))
    desk.say(LONG, "FILLED", 3, "5000")
    desk.say(STOP, "WORKING")
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))
    desk.wait(5)
    desk.wait(1)
    assert desk.alarms == ["unprotected"]


def test_legs_that_close_more_than_is_open_ring_again_the_next_time(desk: Desk) -> None:
    protect(desk, qty=2)
    for quantity, seen in ((2, []), (1, ["orphans"]), (2, ["orphans"]), (1, ["orphans", "orphans"])):
        desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", quantity, None))
        desk.wait(5)
        desk.wait(5)
        assert desk.alarms == seen


@pytest.mark.parametrize("before", [("FLAT", 0), ("LONG", 1)])
def test_legs_do_not_ring_for_a_position_file_that_is_late(desk: Desk, before: tuple[Side, int]) -> None:
    side, quantity = before
    desk.tell(PositionRead("Sim101", "ES 12-26", side, quantity, None))
    desk.wait(3)
    protect(desk, qty=2)
    for _ in range(5):
        desk.wait(10)
    assert desk.alarms == []
    desk.wait(10)
    desk.wait(5)
    assert desk.alarms == ["orphans"]  # by now the file should have come


def test_legs_ring_by_a_position_file_that_was_written_since_the_fill(desk: Desk) -> None:
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))
    desk.wait(3)
    protect(desk, qty=2)
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))
    desk.wait(5)
    desk.wait(5)
    assert desk.alarms == ["orphans"]


def test_legs_against_a_position_of_the_other_side_ring(desk: Desk) -> None:
    protect(desk)
    desk.tell(PositionRead("Sim101", "ES 12-26", "SHORT", 1, None))
    desk.wait(5)
    desk.wait(1)
    assert desk.alarms == ["orphans"]


def test_trades_of_both_sides_whose_difference_is_the_position_are_well(desk: Desk) -> None:
    protect(desk, qty=2)
    legs = {"STOP1": Leg("STOPMARKET", stop_price=Decimal(5010))}
    desk.look(order(desk, "short", action="SELL", legs=legs))
    desk.take()
    desk.say(oif.venue_id("request-short", 1), "FILLED", 1, "5000")
    desk.take()
    desk.say(oif.venue_id("request-short", 1, "STOP1", 0), "WORKING")
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, None))
    desk.wait(10)
    assert desk.alarms == []


# What NinjaTrader refuses


def refuse_changes(desk: Desk, seconds: int, step: int = 1) -> int:
    """Have every CHANGE be refused for a while; returns how many were written."""
    written = 0
    for _ in range(0, seconds, step):
        for line in desk.take():
            written += line.startswith("CHANGE")
            desk.tell(LogLine(placed(line)["order_id"], "Unable to change order", is_error=True))
        desk.wait(step)
    return written


def test_a_partner_that_nt_does_not_let_shrink_is_tried_four_times(desk: Desk) -> None:
    protect(desk, qty=3)
    desk.say(TARGET, "PARTFILLED", 1, "5010")
    assert refuse_changes(desk, 300) == 4
    assert desk.alarms == ["change_refused", "change_refused"]
    desk.say(TARGET, "PARTFILLED", 2, "5010")
    assert refuse_changes(desk, 4) == 1


def test_a_change_that_nt_takes_after_a_refusal_is_done(desk: Desk) -> None:
    protect(desk, qty=3)
    desk.say(TARGET, "PARTFILLED", 1, "5010")
    assert refuse_changes(desk, 1) == 1
    desk.wait(5)
    assert desk.take() == [oif.change(STOP, qty=2, stop_price=Decimal(4990))]
    desk.say(STOP, "WORKING")
    assert refuse_changes(desk, 100) == 0


def test_the_same_change_sent_again_after_a_refusal_is_written_at_once(desk: Desk) -> None:
    shown = work(desk)
    for n in (2, 3):
        desk.look(shown._replace(limit_price=Decimal(4999), want=want(desk, n, "change"), acked=n - 1))
        assert refuse_changes(desk, 1) == 1
        assert (desk.last("long").acked, desk.last("long").values["limit_price"]) == (n, "5000")
    assert desk.alarms == ["change_refused", "change_refused"]


def test_a_refused_change_takes_no_newer_cancel_away(desk: Desk) -> None:
    shown = work(desk)
    desk.look(shown._replace(limit_price=Decimal(4999), want=want(desk, 2, "change")))
    desk.take()
    desk.look(shown._replace(limit_price=Decimal(4999), want=want(desk, 3, "cancel")))
    desk.tell(LogLine(LONG, "Unable to change order", is_error=True))
    assert desk.last("long").acked < 3
    assert desk.take() == [oif.cancel(LONG)]


# Alarms ring for each occurrence


def test_a_second_refused_cancel_rings_again(desk: Desk) -> None:
    shown = work(desk)
    for n in (2, 3):
        desk.look(shown._replace(want=want(desk, n, "cancel")))
        refuse_cancels(desk)
    assert desk.alarms == ["cancel_refused", "cancel_refused"]
    assert [code for report in desk.reports for code in report.alarms] == ["cancel_refused", "cancel_refused"]


def test_a_second_unconfirmed_change_rings_again(desk: Desk) -> None:
    shown = work(desk)
    for n in (2, 3):
        desk.look(shown._replace(limit_price=Decimal(5000 - n), want=want(desk, n, "change")))
        desk.take()
        desk.wait(5)
        desk.wait(5)
    assert desk.alarms == ["change_unconfirmed", "change_unconfirmed"]


def test_every_part_without_its_stop_rings_once(desk: Desk) -> None:
    work(desk, qty=3)
    for filled, start in ((1, 0), (2, 1)):
        desk.say(LONG, "PARTFILLED", filled, "5000")
        desk.take()
        desk.say(leg_at_venue("STOP1", start), "WORKING")
        desk.say(leg_at_venue("STOP1", start), "CANCELLED")
        desk.wait(5)
        desk.wait(5)
    assert desk.alarms == ["unprotected", "unprotected"]


def alarms_of_heartbeats(desk: Desk) -> list[str]:
    beats = [it.what for it in desk.effects if isinstance(it, SendReport) and isinstance(it.what, Heartbeat)]
    return [alarm for beat in beats for alarm in beat.alarms]


def test_an_alarm_of_an_order_travels_with_its_report_alone(desk: Desk) -> None:
    protect(desk)
    desk.say(TARGET, "REJECTED")
    assert (desk.alarms, desk.last("long.TARGET1").alarms) == (["target_rejected"], ("target_rejected",))
    assert alarms_of_heartbeats(desk) == []


def test_an_alarm_of_an_order_without_a_report_travels_with_the_heartbeat_alone(desk: Desk) -> None:
    shown = work(desk, legs={})
    desk.say(LONG, "FILLED", 1, "5000")
    desk.look()
    desk.tell(FileNotWritten(oif.file_name(LONG, "cancel"), "denied"))
    assert [alarm.partition(":")[0] for alarm in alarms_of_heartbeats(desk)] == ["not_written"]
    desk.look(shown)
    desk.wait(31)
    assert [code for report in desk.reports for code in report.alarms] == []


def test_a_file_that_cannot_be_written_rings_once_until_one_can(desk: Desk) -> None:
    shown = work(desk)
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    for seconds, is_written in ((3, False), (1, True), (3, False)):
        for _ in range(seconds):
            [name] = desk.lines
            desk.lines.clear()
            desk.tell(FileWritten(name) if is_written else FileNotWritten(name, "denied"))
            desk.tell(FileConsumed(name))
            desk.wait(6 if is_written else 1)
    assert desk.alarms == ["not_written", "not_written"]


# What the journal forgets


def test_a_trade_is_forgotten_with_its_legs_and_its_group(desk: Desk) -> None:
    protect(desk, oco_id="group")
    desk.look(order(desk, "unfilled", order_type="LIMIT", limit_price=Decimal(4000), legs=BRACKET))
    desk.take()
    desk.say(oif.venue_id("request-unfilled", 1), "CANCELLED")
    desk.say(TARGET, "FILLED", 1, "5010")
    desk.say(STOP, "CANCELLED")
    desk.look()
    assert len(desk.state.active) == 0
    desk.wait(timedelta(days=30).total_seconds() + 1)
    desk.look()
    assert list(desk.journal) == ["memory/"]
    assert [*desk.state.orders, *desk.state.venue_orders, *desk.state.groups] == []


def test_a_trade_of_which_one_leg_works_is_not_forgotten(desk: Desk) -> None:
    protect(desk)
    stop = leg_order(desk)
    desk.look(stop)
    desk.wait(timedelta(days=31).total_seconds())
    desk.look(stop)
    assert {"order/long", "order/long.STOP1"} <= desk.journal.keys()


def test_a_group_is_kept_while_a_member_is(desk: Desk) -> None:
    protect(desk, oco_id="group")
    desk.at += timedelta(days=20)
    desk.look(order(desk, "other", order_type="LIMIT", limit_price=Decimal(4000), oco_id="group"))
    desk.take()
    desk.say(TARGET, "FILLED", 1, "5010")
    desk.say(STOP, "CANCELLED")
    for _ in range(2):
        desk.at += timedelta(days=20)
        desk.look()
    assert "group/sim101/group" in desk.journal


def test_a_step_walks_only_through_what_is_not_finished(desk: Desk) -> None:
    shown = work(desk, legs={})
    assert desk.state.active == ("long",)
    assert desk.state.is_busy
    desk.say(LONG, "CANCELLED")
    desk.look()
    assert (desk.state.active, desk.state.is_busy) == ((), False)
    desk.look(shown._replace(state=OrderState.WORKING))
    assert desk.state.active == ("long",)
    desk.crash()
    assert desk.state.active == ("long",)


def test_what_a_person_says_was_filled_out_of_sight_has_its_stop(desk: Desk) -> None:
    shown = work(desk)
    restart(desk)
    desk.wait(60)
    desk.tell(Fetched("long", shown._replace(state=OrderState.FILLED, filled=1)))
    assert [placed(line)["order_id"] for line in desk.take()] == [STOP]
    assert desk.alarms == ["unresolved"]


# The first generation fills while the next could not be written


def unwritten_next_generation(desk: Desk, qty: int) -> Order:
    """Replace a working order of two by one of another kind, whose file cannot be created."""
    shown = work(desk, qty=2, legs={})
    desk.wait(1)
    more: dict[str, Any] = {"order_type": "STOPMARKET", "limit_price": None, "stop_price": Decimal(5100), "qty": qty}
    shown = shown._replace(**more, want=want(desk, 2, "replace"))
    desk.look(shown)
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "CANCELLED")
    while not desk.lines:
        desk.wait(0.3)
        desk.look(shown)
    desk.refuse_file("held")
    return shown


@pytest.mark.parametrize("qty", [2, 1])
def test_a_generation_of_which_nothing_is_left_is_not_written(desk: Desk, qty: int) -> None:
    shown = unwritten_next_generation(desk, qty)
    desk.say(LONG, "FILLED", 2, "5000")
    for _ in range(4):
        desk.wait(0.5)
        desk.look(shown)
    assert desk.lines == {}
    assert (desk.last("long").state, desk.last("long").filled, desk.last("long").acked) == ("Filled", 2, 2)


def test_a_cancel_of_an_unwritten_generation_that_needs_none_is_answered_filled(desk: Desk) -> None:
    shown = unwritten_next_generation(desk, 2)
    desk.say(LONG, "FILLED", 2, "5000")
    desk.look(shown._replace(want=want(desk, 3, "cancel")))
    assert (desk.last("long").state, desk.last("long").filled, desk.lines) == ("Filled", 2, {})


def test_an_unwritten_generation_is_written_for_what_is_left(desk: Desk) -> None:
    shown = unwritten_next_generation(desk, 2)
    desk.say(LONG, "PARTFILLED", 1, "5000")
    desk.wait(1)
    desk.look(shown)
    [line] = desk.take()
    assert (placed(line)["order_type"], placed(line)["qty"]) == ("STOPMARKET", "1")


# A close that does not close


@pytest.mark.parametrize("end", ["REJECTED", "CANCELLED", "EXPIRED"])
def test_a_close_that_ends_without_closing_rings(desk: Desk, end: str) -> None:
    protect(desk)
    desk.say(STOP, "REJECTED")
    desk.say(TARGET, "CANCELLED")
    [line] = [line for line in desk.take() if ";MARKET;" in line]
    assert "unprotected" not in desk.alarms
    desk.say(placed(line)["order_id"], end)
    for _ in range(3):
        desk.wait(5)
    assert desk.alarms.count("unprotected") == 1


# What cannot be read


def look_without(desk: Desk, *unreadable: str, orders: tuple[Order, ...] = ()) -> None:
    desk.tell(Looked(orders, kill_switch=False, owner=JOURNAL, unreadable=unreadable))


def test_what_cannot_be_read_rings_and_travels_with_the_heartbeat(desk: Desk) -> None:
    desk.effects.clear()
    for names in (("newer",), ("newer",), ("newer", "newest"), (), ("newer",)):
        look_without(desk, *names)
    assert desk.alarms == ["unreadable"] * 3
    assert [alarm.split(" ", 2)[:2] for alarm in alarms_of_heartbeats(desk)] == [
        ["unreadable:", "newer"],
        ["unreadable:", "newer,"],
        ["unreadable:", "newer"],
    ]


def test_beside_what_cannot_be_read_the_others_end_as_ever(desk: Desk) -> None:
    shown, resting = (
        work(desk, legs={}),
        order(desk, "resting", order_type="LIMIT", limit_price=Decimal(4000), legs=BRACKET),
    )
    desk.look(shown, resting)
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    look_without(desk, "resting")
    assert desk.state.active == ("resting", "resting.STOP1", "resting.TARGET1")
    desk.look()
    assert desk.state.active == ("resting",)
