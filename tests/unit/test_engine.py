"""The engine of the bridge, step by step."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge import oif
from bridge.events import (
    FileMovedOut,
    FileNotWritten,
    FileWritten,
    FlatConfirmed,
    LogLine,
    Look,
    Looked,
    MoveOut,
    NinjaTraderStarted,
    PositionRead,
    Save,
    WriteFile,
)
from orderhook.orders import Leg, OrderState, timestamp
from orderhook.venue import Side
from tests.bridge import JOURNAL, START, Desk, order, placed, want

BRACKET = {
    "STOP1": Leg("STOPMARKET", stop_price=Decimal(4990), oco_id="group"),
    "TARGET1": Leg("LIMIT", limit_price=Decimal(5010), oco_id="group"),
}
LONG = oif.venue_id("request-long", 1)
STOP = oif.venue_id("request-long", 1, "STOP1", 0)
TARGET = oif.venue_id("request-long", 1, "TARGET1", 0)


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def test_a_new_order_is_written_after_its_intent_was_saved(desk: Desk) -> None:
    desk.effects.clear()
    desk.look(order(desk))
    kinds = [type(effect) for effect in desk.effects]
    assert kinds.index(Save) < kinds.index(WriteFile)
    assert desk.take() == [f"PLACE;Sim101;ES 12-26;BUY;1;MARKET;;;DAY;;{LONG};;"]


def test_an_order_is_written_once_whatever_is_listed_again(desk: Desk) -> None:
    shown = order(desk)
    desk.look(shown)
    assert len(desk.take()) == 1
    for _ in range(3):
        desk.look(shown)
        desk.wait(1)
    assert desk.take() == []


def test_what_a_slow_look_has_shown_is_opened_by_the_next_one_alone(desk: Desk) -> None:
    shown = order(desk)
    desk.wait(4)
    desk.effects.clear()
    desk.tell(Looked([shown], kill_switch=False, owner=desk.config.journal, began_at=START))
    assert (desk.take(), [type(effect) for effect in desk.effects].count(Look)) == ([], 1)
    desk.look(shown)
    assert len(desk.take()) == 1


def test_what_nt_says_is_reported_with_its_fill(desk: Desk) -> None:
    desk.look(order(desk))
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000.25")
    report = desk.last("long")
    assert (report.state, report.filled, report.average, report.acked) == ("Filled", 1, Decimal("5000.25"), 1)
    assert [(it.cumulative, it.price) for it in report.executions] == [(1, Decimal("5000.25"))]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"account": "Other"}, "--account"),
        ({"received_at": None}, None),
    ],
)
def test_an_order_that_may_not_open_is_not_written(desk: Desk, values: dict[str, Any], reason: str | None) -> None:
    desk.look(order(desk, **values))
    assert desk.take() == []
    report = desk.last("long")
    assert reason in str(report.reason) if reason else report.unresolved


def test_a_real_account_needs_live() -> None:
    desk = Desk()
    desk.config = desk.config._replace(accounts=("Apex1",))
    desk.crash()
    desk.start().look(order(desk, account="apex1"))
    assert desk.last("long").state == "Rejected"
    desk.config = desk.config._replace(live=True)
    desk.crash()
    desk.start().look(order(desk, "other", account="apex1"))
    assert [placed(line)["account"] for line in desk.take()] == ["Apex1"]


def test_the_kill_switch_rejects_what_opens(desk: Desk) -> None:
    desk.look(order(desk), kill_switch=True)
    assert desk.take() == []
    assert (desk.last("long").state, desk.last("long").reason) == ("Rejected", "the kill switch is on")


def test_an_order_that_is_too_late_is_rejected(desk: Desk) -> None:
    late = order(desk)
    desk.at += timedelta(seconds=31)
    desk.look(late)
    assert desk.take() == []
    assert desk.last("long").reason == "too late: the bridge was away"


def test_a_bridge_that_does_not_own_the_stack_writes_nothing(desk: Desk) -> None:
    desk.look(order(desk), owner="another")
    desk.wait(60)
    assert desk.take() == []
    assert desk.reports == []


def test_an_order_older_than_the_journal_is_unresolved_and_can_be_cancelled(desk: Desk) -> None:
    old = order(desk, received_at=timestamp(START - timedelta(hours=1)))
    desk.look(old)
    assert desk.take() == []
    assert "younger" in str(desk.last("long").unresolved)
    desk.look(old._replace(want=want(desk, 2, "cancel")))
    assert desk.take() == [oif.cancel(LONG)]


def test_a_crash_after_the_intent_never_writes_again(desk: Desk) -> None:
    shown = order(desk)
    desk.look(shown)
    desk.crash()
    desk.start().look(shown)
    desk.wait(61)
    assert not [line for line in desk.take() if line.startswith("PLACE")]
    assert LONG in str(desk.last("long").unresolved)
    desk.say(LONG, "FILLED", 1, "5000")
    assert (desk.last("long").state, desk.last("long").unresolved) == ("Filled", None)


def test_a_file_that_certainly_was_not_written_is_tried_again(desk: Desk) -> None:
    shown = order(desk)
    desk.look(shown)
    [name] = desk.lines
    desk.lines.clear()
    desk.tell(FileNotWritten(name, "denied"))
    desk.wait(1)
    desk.look(shown)
    assert len(desk.take()) == 1


def test_a_cancel_waits_for_the_first_state_of_its_order(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    assert desk.take() == []
    desk.say(LONG, "WORKING")
    assert desk.take() == [oif.cancel(LONG)]
    assert desk.last("long").acked < 2
    desk.say(LONG, "CANCELLED")
    assert (desk.last("long").state, desk.last("long").acked) == ("Cancelled", 2)


def test_a_cancel_is_written_early_after_five_seconds_and_again_when_alive(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    desk.wait(5)
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "WORKING")
    assert desk.take() == [oif.cancel(LONG)]


def test_a_cancel_that_nothing_follows_is_repeated_then_refused(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    written = len(desk.take())
    for _ in range(70):
        desk.wait(1)
        written += len(desk.take())
    assert written == 4
    assert "cancel_refused" in desk.alarms
    assert (desk.last("long").state, desk.last("long").acked) == ("Working", 2)


def test_an_order_that_was_never_written_is_cancelled_at_once(desk: Desk) -> None:
    desk.look(order(desk, want=want(desk, 2, "cancel")))
    assert desk.take() == []
    assert (desk.last("long").state, desk.last("long").acked) == ("Cancelled", 2)


def test_a_change_is_confirmed_by_a_later_state(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    desk.look(shown._replace(limit_price=Decimal(4001), want=want(desk, 2, "change")))
    assert desk.take() == [oif.change(LONG, qty=1, limit_price=Decimal(4001))]
    assert desk.last("long").acked == 1
    desk.say(LONG, "WORKING")
    desk.wait(0.3)
    assert (desk.last("long").acked, desk.last("long").values["limit_price"]) == (2, "4001")


def test_a_change_that_the_log_refuses_after_the_state_was_read_is_not_confirmed(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    desk.look(shown._replace(limit_price=Decimal(4001), want=want(desk, 2, "change")))
    desk.take()
    for state in ("CHANGEPENDING", "WORKING"):
        desk.say(LONG, state)
        desk.wait(0.1)
    assert desk.last("long").acked == 1
    desk.tell(LogLine(LONG, "Unable to change order", is_error=True))
    assert (desk.last("long").acked, desk.last("long").values["limit_price"]) == (2, "4000")
    assert "change_refused" in desk.alarms


def test_a_change_that_nothing_confirms_alarms_and_stays_wanted(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    desk.look(shown._replace(limit_price=Decimal(4001), want=want(desk, 2, "change")))
    desk.take()
    desk.wait(5)
    assert "change_unconfirmed" in desk.alarms
    assert desk.last("long").acked == 1


def test_another_kind_replaces_after_the_end_and_one_more_look(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000), qty=3)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "PARTFILLED", 1, "4000")
    other = shown._replace(order_type="MARKET", limit_price=None, want=want(desk, 2, "replace"))
    desk.look(other)
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "CANCELLED", 1, "4000")
    assert desk.last("long").state == "ChangePending"
    desk.look(other)
    assert desk.take() == []
    desk.wait(1)
    desk.look(other)
    [line] = desk.take()
    assert (placed(line)["order_type"], placed(line)["qty"]) == ("MARKET", "2")
    assert placed(line)["order_id"] == oif.venue_id("request-long", 2)


def test_the_stop_follows_the_fill_and_the_target_its_first_state(desk: Desk) -> None:
    desk.look(order(desk, legs=BRACKET))
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    [stop] = desk.take()
    assert (placed(stop)["order_id"], placed(stop)["stop_price"], placed(stop)["tif"]) == (STOP, "4990", "GTC")
    desk.say(STOP, "ACCEPTED")
    [target] = desk.take()
    assert (placed(target)["order_id"], placed(target)["action"]) == (TARGET, "SELL")
    assert placed(target)["oco_id"] == placed(stop)["oco_id"] != ""


def test_every_fill_increment_has_a_pair_of_its_own(desk: Desk) -> None:
    desk.look(order(desk, legs=BRACKET, qty=3))
    desk.take()
    desk.say(LONG, "PARTFILLED", 1, "5000")
    [first] = desk.take()
    desk.say(LONG, "FILLED", 3, "5000")
    [second] = desk.take()
    assert (placed(first)["qty"], placed(second)["qty"]) == ("1", "2")
    assert placed(first)["oco_id"] != placed(second)["oco_id"]


def test_offsets_count_from_the_average_at_the_first_fill_to_the_tick() -> None:
    desk = Desk(tick_of=lambda _: Decimal("0.25")).start()
    legs = {"STOP1": Leg("STOPMARKET", offset=Decimal(10), size=2)}
    desk.look(order(desk, legs=legs, qty=2))
    desk.take()
    desk.say(LONG, "PARTFILLED", 1, "5000.1")
    desk.say(LONG, "FILLED", 2, "5004")
    assert {placed(line)["stop_price"] for line in desk.take()} == {"4990"}


def test_a_rejected_stop_closes_its_part_once(desk: Desk) -> None:
    desk.look(order(desk, legs=BRACKET))
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    desk.take()
    desk.say(STOP, "REJECTED")
    [close] = desk.take()
    assert (placed(close)["order_type"], placed(close)["action"], placed(close)["qty"]) == ("MARKET", "SELL", "1")
    desk.wait(1)
    assert desk.take() == []


def test_a_leg_that_fills_in_part_has_its_partner_shrunk(desk: Desk) -> None:
    desk.look(order(desk, legs=BRACKET, qty=3))
    desk.take()
    desk.say(LONG, "FILLED", 3, "5000")
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.say(TARGET, "PARTFILLED", 1, "5010")
    [line] = desk.take()
    assert line == oif.change(STOP, qty=2, stop_price=Decimal(4990))


def test_the_partner_of_a_leg_cancelled_by_name_is_placed_again(desk: Desk) -> None:
    desk.look(order(desk, legs=BRACKET))
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.say(TARGET, "WORKING")
    leg = order(desk, "long.STOP1", entry_id="long", order_name="STOP1", want=want(desk, 1, "cancel"))
    desk.look(leg)
    assert desk.take() == [oif.cancel(STOP)]
    desk.say(TARGET, "CANCELLED")
    assert desk.take() == []
    desk.say(STOP, "CANCELLED")
    [again] = desk.take()
    assert (placed(again)["order_id"], placed(again)["oco_id"]) == (oif.venue_id("request-long", 2, "TARGET1", 0), "")
    assert desk.last("long.STOP1").state == "Cancelled"


def test_a_crash_after_the_fill_was_saved_places_the_stop_once(desk: Desk) -> None:
    shown = order(desk, legs=BRACKET)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    [name] = desk.lines
    desk.tell(FileWritten(name))
    desk.crash()
    desk.start()
    desk.wait(1)
    assert not [line for line in desk.take() if line.startswith("PLACE")]
    desk.say(STOP, "ACCEPTED")
    assert [placed(line)["order_id"] for line in desk.take()] == [TARGET]


def test_a_report_that_the_table_lacks_is_sent_again_after_ten_seconds(desk: Desk) -> None:
    shown = order(desk)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    sent = desk.last("long")
    desk.reports.clear()
    desk.look(shown)
    desk.at += timedelta(seconds=9)
    desk.look(shown)
    assert desk.reports == []
    desk.at += timedelta(seconds=1)
    desk.look(shown)
    assert desk.reports == [sent]


def test_a_late_state_of_before_takes_no_cancel_away(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "ACCEPTED")
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    desk.take()
    desk.say(LONG, "WORKING")
    assert (desk.last("long").state, desk.last("long").acked) == (OrderState.WORKING, 1)


def test_what_opens_counts_from_when_the_look_began(desk: Desk) -> None:
    desk.tell(Looked([order(desk)], kill_switch=False, owner=JOURNAL, began_at=desk.at - timedelta(seconds=4)))
    assert desk.take() == []
    assert any(isinstance(effect, Look) for effect in desk.effects)


def _protected(desk: Desk) -> None:
    desk.look(order(desk, legs=BRACKET))
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.say(TARGET, "WORKING")


def _position(side: Side, quantity: int = 0, *, since_start: bool = True) -> PositionRead:
    return PositionRead("Sim101", "ES 12-26", side, quantity, None, since_start)


def test_legs_whose_position_is_surely_gone_are_cancelled(desk: Desk) -> None:
    _protected(desk)
    desk.wait(1)
    desk.tell(_position("LONG", 1))
    desk.wait(1)
    desk.tell(_position("FLAT"))
    assert desk.take() == []
    desk.wait(2)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    desk.say(STOP, "CANCELLED")
    desk.say(TARGET, "CANCELLED")
    assert desk.take() == []
    assert desk.last("long.STOP1").state == "Cancelled"


def test_legs_whose_position_only_seems_to_be_gone_are_told_of(desk: Desk) -> None:
    desk.tell(_position("LONG", 1))
    desk.wait(1)
    _protected(desk)
    desk.tell(_position("FLAT"))
    desk.wait(3)
    assert desk.take() == []
    assert "orphans" in desk.alarms


def test_legs_are_left_alone_while_another_trade_of_the_pair_waits_for_its_own(desk: Desk) -> None:
    _protected(desk)
    desk.wait(1)
    shown = order(desk, "other", action="SELL", legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(5100))})
    first = order(desk, legs=BRACKET)
    desk.look(first, shown)
    desk.take()
    desk.say(oif.venue_id("request-other", 1), "FILLED", 1, "5000")
    assert len(desk.take()) == 1  # its stop, of which nothing is said yet
    desk.tell(_position("LONG", 1))
    desk.wait(1)
    desk.tell(_position("FLAT"))
    desk.wait(2)
    assert desk.take() == []
    assert "orphans" in desk.alarms


def test_a_position_file_from_before_the_start_says_nothing(desk: Desk) -> None:
    desk.tell(_position("FLAT", since_start=False))
    assert desk.state.positions == {}


def test_a_start_of_nt_makes_every_position_unknown(desk: Desk) -> None:
    desk.tell(_position("LONG", 1))
    desk.tell(NinjaTraderStarted())
    assert [it.side for it in desk.state.positions.values()] == ["UNKNOWN"]
    desk.tell(FlatConfirmed("sim101"))
    assert [it.side for it in desk.state.positions.values()] == ["FLAT"]


def test_a_file_that_is_not_taken_is_moved_out_and_its_order_rejected(desk: Desk) -> None:
    desk.look(order(desk))
    [name] = desk.lines
    desk.lines.clear()
    desk.tell(FileWritten(name))
    desk.effects.clear()
    desk.wait(2)
    assert MoveOut(name) in desk.effects
    desk.tell(FileMovedOut(name))
    assert "not_read" in desk.alarms
    assert not desk.state.reads
    desk.wait(60)
    assert (desk.last("long").state, str(desk.last("long").reason)[:8]) == ("Rejected", "not_read")


def test_a_change_that_is_too_late_is_dropped_and_answered(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    changed = shown._replace(limit_price=Decimal(4001), want=want(desk, 2, "change"))
    desk.at += timedelta(seconds=31)
    desk.look(changed)
    assert desk.take() == []
    report = desk.last("long")
    assert (report.state, report.acked, report.values["limit_price"]) == ("Working", 2, "4000")
    assert str(report.reason).startswith("too late")


def test_a_change_to_what_is_filled_is_a_cancel_reported_as_filled(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000), qty=3)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "PARTFILLED", 2, "4000")
    desk.look(shown._replace(qty=2, want=want(desk, 2, "change")))
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "CANCELLED", 2, "4000")
    assert (desk.last("long").state, desk.last("long").acked) == ("Filled", 2)


def test_members_of_a_traders_oco_group_share_an_id_until_one_ends(desk: Desk) -> None:
    desk.look(order(desk, "a", oco_id="g"), order(desk, "b", oco_id="g"))
    first, second = (placed(line)["oco_id"] for line in desk.take())
    assert first == second != ""
    desk.say(oif.venue_id("request-a", 1), "CANCELLED")
    desk.look(order(desk, "c", oco_id="g"))
    [third] = (placed(line)["oco_id"] for line in desk.take())
    assert third not in ("", first)
