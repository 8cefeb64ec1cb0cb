"""The engine where an order ends, or is asked for something, after an end, a refusal, or what was not done yet."""

from decimal import Decimal

import pytest

from bridge import oif
from bridge.events import Alarm, ConnectionRead, FileMovedOut, FileWritten, NinjaTraderStarted, PositionRead
from orderhook.orders import OrderState
from tests.bridge import Desk, placed, want
from tests.unit.test_engine_sequences import BRACKET, LONG, STOP, TARGET, leg_order, protect, refuse_cancels, work


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def test_a_replacement_is_opened_in_its_own_time_whatever_is_asked_after_it(desk: Desk) -> None:
    shown = work(desk, qty=2, legs={})._replace(order_type="MARKET", limit_price=None)
    desk.look(shown._replace(want=want(desk, 2, "replace")))
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "CANCELLED")
    desk.tell(ConnectionRead(connected=False))
    desk.wait(26)
    desk.look(shown._replace(qty=1, want=want(desk, 3, "change")))
    desk.wait(25)
    desk.tell(ConnectionRead(connected=True))
    desk.look(shown._replace(qty=1, want=want(desk, 3, "change")))
    desk.wait(1)
    assert desk.take() == []
    told = desk.last("long")
    assert (told.state, told.reason) == (OrderState.CANCELLED, "not replaced: too late: the bridge was away")


# Orphans


def lose_position(desk: Desk) -> None:
    """Have a position be closed by hand, so that what should close it has nothing to close any more."""
    desk.tell(PositionRead("Sim101", "ES 12-26", "LONG", 1, Decimal(5000)))
    desk.tell(PositionRead("Sim101", "ES 12-26", "FLAT", 0, None))
    desk.wait(3)


@pytest.mark.parametrize("filled", [[STOP], [STOP, TARGET]], ids=len)
def test_an_orphan_that_fills_as_it_is_being_cancelled_rings(desk: Desk, filled: list[str]) -> None:
    protect(desk)
    lose_position(desk)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    for venue_id in filled:
        desk.say(venue_id, "FILLED", 1, "4990")
    assert desk.alarms == ["orphans_cancelled", *["overfill"] * len(filled)]


def test_an_orphan_that_ends_as_it_is_cancelled_rings_no_more(desk: Desk) -> None:
    protect(desk)
    lose_position(desk)
    desk.take()
    for venue_id in (STOP, TARGET):
        desk.say(venue_id, "CANCELLED")
    assert desk.alarms == ["orphans_cancelled"]


def test_an_orphan_whose_cancel_was_refused_before_is_cancelled_again(desk: Desk) -> None:
    protect(desk, legs={"STOP1": BRACKET["STOP1"]})
    desk.look(leg_order(desk, want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    assert desk.alarms == ["cancel_refused"]
    lose_position(desk)
    assert desk.take() == [oif.cancel(STOP)]
    assert desk.alarms == ["cancel_refused", "orphans_cancelled"]
    refuse_cancels(desk)
    refuse_cancels(desk)
    assert desk.alarms == ["cancel_refused", "orphans_cancelled", "cancel_refused"]
    assert desk.take() == []


def test_a_target_joins_the_group_of_a_stop_whose_cancel_was_refused(desk: Desk) -> None:
    work(desk)
    desk.say(LONG, "FILLED", 1, "5000")
    [stop] = desk.take()
    desk.look(leg_order(desk, want=want(desk, 2, "cancel")))
    desk.say(STOP, "ACCEPTED")
    lines = refuse_cancels(desk)
    assert desk.alarms == ["cancel_refused"]
    [target] = [line for line in lines if line.startswith("PLACE;")]
    assert placed(target)["oco_id"] == placed(stop)["oco_id"] != ""


def test_a_stop_whose_cancel_was_refused_is_cancelled_again_once_its_part_is_closed(desk: Desk) -> None:
    protect(desk)
    desk.look(leg_order(desk, want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    desk.say(TARGET, "FILLED", 1, "5010")
    desk.wait(3)
    assert desk.take() == [oif.cancel(STOP)]


# Legs that were cancelled


def test_a_stop_that_was_cancelled_stays_so_though_the_change_that_gives_it_anew_is_dropped(desk: Desk) -> None:
    shown = work(desk)
    stop, target = BRACKET["STOP1"], BRACKET["TARGET1"]
    desk.look(shown._replace(legs={"STOP1": stop._replace(want=want(desk, 2, "cancel")), "TARGET1": target}))
    assert desk.last("long.STOP1").state is OrderState.CANCELLED
    anew = stop._replace(stop_price=Decimal(4980), want=want(desk, 3)._replace(of=2))
    changed = shown._replace(
        limit_price=Decimal(4999), want=want(desk, 2, "change"), legs={"STOP1": anew, "TARGET1": target}
    )
    desk.look(changed, kill_switch=True)
    desk.say(LONG, "FILLED", 1, "5000")
    desk.wait(1)
    assert [placed(line)["order_id"] for line in desk.take()] == [TARGET]
    told = desk.last("long.STOP1")
    assert (told.state, told.acked, told.dropped) == (OrderState.CANCELLED, 3, 3)


# Legs that NinjaTrader has ended


def end_stop(desk: Desk, state: str = "CANCELLED") -> None:
    """Have one of three be filled, and its stop be ended in NinjaTrader."""
    work(desk, qty=3, legs={"STOP1": BRACKET["STOP1"]})
    desk.say(LONG, "PARTFILLED", 1, "5000")
    desk.take()
    desk.say(STOP, "WORKING")
    desk.say(STOP, state)


def move_stop(desk: Desk) -> None:
    desk.look(leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(4985), want=want(desk, 2, "change")))


@pytest.mark.parametrize("state", ["CANCELLED", "REJECTED"])
def test_a_change_of_a_stop_that_has_ended_in_nt_is_dropped_and_says_so(state: str) -> None:
    desk = Desk(stop_rejected="alarm").start()
    end_stop(desk, state)
    assert desk.last("long.STOP1").state is OrderState.INITIALIZED
    move_stop(desk)
    assert desk.take() == []
    told = desk.last("long.STOP1")
    assert (told.acked, told.dropped, told.values["stop_price"]) == (2, 2, "4990")
    assert f"it is {state.title()} in NinjaTrader" in str(told.reason)


def test_a_change_of_a_target_that_has_ended_in_nt_is_dropped(desk: Desk) -> None:
    protect(desk, qty=2)
    desk.say(TARGET, "CANCELLED")
    desk.wait(3)
    target = leg_order(desk, "TARGET1", order_type="LIMIT", limit_price=Decimal(5020), want=want(desk, 2, "change"))
    desk.look(target)
    assert desk.take() == []
    assert desk.last("long.TARGET1").dropped == 2


def test_a_stop_whose_part_is_closed_has_the_price_for_the_next_part(desk: Desk) -> None:
    work(desk, qty=2)
    desk.say(LONG, "PARTFILLED", 1, "5000")
    desk.take()
    desk.say(STOP, "WORKING")
    desk.take()
    desk.say(TARGET, "FILLED", 1, "5010")
    desk.say(STOP, "CANCELLED")
    move_stop(desk)
    told = desk.last("long.STOP1")
    assert (told.acked, told.dropped, told.values["stop_price"]) == (2, 0, "4985")
    desk.say(LONG, "FILLED", 2, "5000")
    assert [placed(line)["stop_price"] for line in desk.take()] == ["4985"]


# More, after less


@pytest.mark.parametrize("more", [4, 5, 7])
def test_a_quantity_raised_again_as_the_rest_is_being_ended_is_named_as_dropped(desk: Desk, more: int) -> None:
    shown = work(desk, qty=5, legs={})
    desk.say(LONG, "PARTFILLED", 3, "5000")
    desk.look(shown._replace(qty=3, want=want(desk, 2, "change")))
    assert desk.take() == [oif.cancel(LONG)]
    desk.look(shown._replace(qty=more, want=want(desk, 3, "change")))
    desk.say(LONG, "CANCELLED", 3, "5000")
    assert desk.take() == []
    told = desk.last("long")
    assert (told.state, told.acked, told.dropped, told.values["qty"]) == (OrderState.CANCELLED, 3, 3, "5")
    assert told.reason == "its rest was being ended by the change before"


def test_a_quantity_lowered_again_as_the_rest_is_being_ended_is_done(desk: Desk) -> None:
    shown = work(desk, qty=5, legs={})
    desk.say(LONG, "PARTFILLED", 3, "5000")
    desk.look(shown._replace(qty=3, want=want(desk, 2, "change")))
    desk.take()
    desk.look(shown._replace(qty=2, want=want(desk, 3, "change")))
    desk.say(LONG, "CANCELLED", 3, "5000")
    told = desk.last("long")
    assert (told.acked, told.dropped, told.values["qty"]) == (3, 0, "2")


# After a refused cancel


def test_a_change_after_a_refused_cancel_is_done(desk: Desk) -> None:
    shown = work(desk, qty=2, legs={})
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    assert (desk.last("long").acked, desk.last("long").reason) == (2, "the cancel was refused")
    desk.look(shown._replace(limit_price=Decimal(4985), acked=2, want=want(desk, 3, "change")))
    assert desk.take() == [oif.change(LONG, qty=2, limit_price=Decimal(4985))]
    desk.say(LONG, "WORKING")
    desk.wait(1)
    told = desk.last("long")
    assert (told.acked, told.dropped, told.values["limit_price"]) == (3, 2, "4985")


def test_a_replacement_after_a_refused_cancel_is_tried_and_dropped_if_that_is_refused_too(desk: Desk) -> None:
    shown = work(desk, qty=2, legs={})
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    desk.look(shown._replace(order_type="MARKET", limit_price=None, acked=2, want=want(desk, 3, "replace")))
    assert desk.take() == [oif.cancel(LONG)]
    refuse_cancels(desk)
    told = desk.last("long")
    assert (told.acked, told.dropped) == (3, 3)
    assert told.reason == "NinjaTrader has refused the cancel that would make room"
    assert desk.alarms == ["cancel_refused", "cancel_refused"]


# A cancel that NinjaTrader does not end


def test_a_cancel_that_stays_on_its_way_rings_once(desk: Desk) -> None:
    shown = work(desk, legs={})
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    desk.take()
    desk.say(LONG, "CANCELPENDING")
    desk.wait(60)
    assert desk.alarms == []
    for _ in range(3):
        desk.wait(10)
    assert desk.alarms == ["cancel_refused"]
    assert desk.take() == []
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    desk.wait(70)
    assert desk.alarms == ["cancel_refused"]
    desk.say(LONG, "CANCELLED")
    assert (desk.last("long").state, desk.last("long").acked) == (OrderState.CANCELLED, 2)


def test_a_cancel_of_what_nt_says_nothing_of_is_not_called_refused(desk: Desk) -> None:
    shown = work(desk, legs={})
    desk.tell(NinjaTraderStarted())
    desk.tell(ConnectionRead(connected=True))
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    desk.wait(70)
    assert desk.alarms == ["unresolved"]
    told = desk.last("long")
    assert (told.acked, told.reason) == (1, None)
    assert "NinjaTrader was started" in str(told.unresolved)
    desk.say(LONG, "CANCELLED")
    assert (desk.last("long").state, desk.last("long").acked) == (OrderState.CANCELLED, 2)


def test_a_cancel_is_called_refused_as_soon_as_nt_says_that_its_order_works(desk: Desk) -> None:
    shown = work(desk, legs={})
    desk.tell(NinjaTraderStarted())
    desk.tell(ConnectionRead(connected=True))
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    refuse_cancels(desk)
    desk.say(LONG, "WORKING")
    desk.wait(1)
    assert desk.alarms == ["unresolved", "cancel_refused"]
    assert (desk.last("long").acked, desk.last("long").unresolved) == (2, None)


# A close that NinjaTrader does not take


def test_a_close_that_nt_does_not_take_is_not_written_again_and_its_alarm_says_so(desk: Desk) -> None:
    protect(desk, legs={"STOP1": BRACKET["STOP1"]})
    desk.say(STOP, "REJECTED")
    [(name, _)] = desk.lines.items()
    desk.lines.clear()
    desk.tell(FileWritten(name))
    desk.tell(FileMovedOut(name))
    [detail] = [it.detail for it in desk.effects if isinstance(it, Alarm) and it.code == "not_read"]
    assert detail.endswith("it was moved out, and is not written again: close the part by hand")
    for _ in range(70):
        desk.wait(1)
        assert not [line for line in desk.take() if line.startswith("PLACE;")]
    assert desk.alarms == ["stop_rejected", "not_read", "unprotected"]
