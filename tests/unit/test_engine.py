"""The engine of the bridge, step by step."""

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
    FlatConfirmed,
    LogLine,
    Look,
    Looked,
    MoveOut,
    NinjaTraderStarted,
    PositionRead,
    Save,
    SendReport,
    WriteFile,
)
from orderhook.bridge_messages import PositionReport, Side
from orderhook.orders import Leg, Order, OrderState, timestamp
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


def _working(desk: Desk, **values: Any) -> Order:
    """Have a LIMIT order work."""
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000), **values)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    return shown


def _fill(desk: Desk, average: str | None, **values: Any) -> None:
    """Have an order be placed and be filled at once."""
    shown = order(desk, **values)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", shown.qty, average)


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
    _fill(desk, "5000.25")
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


@pytest.mark.parametrize("account", ["Sim102", "DEMO1234567"])
def test_an_account_of_ninjatraders_simulation_needs_no_live(account: str) -> None:
    desk = Desk()
    desk.config = desk.config._replace(accounts=(account,))
    desk.crash()
    desk.start().look(order(desk, account=account))
    assert [placed(line)["account"] for line in desk.take()] == [account]


def test_an_entry_names_the_template_of_ninjatraders_own_and_a_strategy_there(desk: Desk) -> None:
    desk.look(order(desk, atm_template="Scalp"), order(desk, "other"))
    named = {placed(line)["order_id"]: (placed(line)["strategy"], placed(line)["strategy_id"]) for line in desk.take()}
    assert named == {
        LONG: ("Scalp", oif.venue_id("request-long", 1, "ATM")),
        oif.venue_id("request-other", 1): ("", ""),
    }


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


@pytest.mark.parametrize("kind", ["place", "cancel"])
def test_what_came_in_before_the_stack_was_owned_again_is_unresolved(desk: Desk, kind: str) -> None:
    shown = order(desk, want=want(desk, 1 if kind == "place" else 2, kind))
    desk.look(shown, owner="another")
    desk.wait(5)
    desk.tell(Looked([shown], kill_switch=False, owner=JOURNAL, owned_since="then"))
    assert not any(line.startswith("PLACE") for line in desk.take())
    assert "younger" in str(desk.last("long").unresolved)
    desk.crash()
    later = order(desk, "later")
    desk.tell(Looked([shown, later], kill_switch=False, owner=JOURNAL, owned_since="then"))
    assert "younger" in str(desk.last("long").unresolved)


def test_a_cancel_of_which_nothing_comes_is_not_said_to_leave_an_order_that_works(desk: Desk) -> None:
    old = timestamp(START - timedelta(hours=1))
    desk.look(order(desk, received_at=old, want=want(desk, 2, "cancel")))
    for _ in range(14):
        desk.take()
        desk.wait(5)
    [alarm] = [it for it in desk.effects if isinstance(it, Alarm) and it.code == "cancel_refused"]
    assert alarm.detail == f"long: {LONG} was cancelled four times: NinjaTrader says nothing of it"


def test_what_comes_in_while_the_stack_is_owned_is_placed(desk: Desk) -> None:
    desk.tell(Looked([], kill_switch=False, owner=JOURNAL, owned_since="then"))
    desk.wait(1)
    desk.tell(Looked([order(desk)], kill_switch=False, owner=JOURNAL, owned_since="then"))
    assert len(desk.take()) == 1


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
    desk.refuse_file()
    desk.wait(1)
    desk.look(shown)
    assert len(desk.take()) == 1
    desk.say(LONG, "FILLED", 1, "5000")
    report = desk.last("long")
    assert (report.state, report.filled, report.venue_ids) == ("Filled", 1, (LONG,))


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
    desk.wait(4.9)
    assert desk.take() == []
    desk.wait(0.1)
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "WORKING")
    assert desk.take() == [oif.cancel(LONG)]


def test_a_cancel_that_nothing_follows_is_repeated_then_refused(desk: Desk) -> None:
    shown = _working(desk)
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    written = [0] * len(desk.take())
    for second in range(1, 65):
        desk.wait(1)
        written += [second] * len(desk.take())
    assert (written, desk.alarms) == ([0, 5, 15, 60], [])
    desk.wait(1)
    assert desk.alarms == ["cancel_refused"]
    desk.wait(1)
    assert (desk.last("long").state, desk.last("long").acked) == ("Working", 2)


def test_a_cancel_is_repeated_under_another_name_once_its_file_was_taken(desk: Desk) -> None:
    shown = _working(desk)
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    [first] = desk.lines
    desk.lines.clear()
    desk.tell(FileWritten(first))
    desk.wait(6)
    assert desk.lines == {}
    desk.tell(FileConsumed(first))
    [second] = desk.lines
    assert second != first


def test_an_order_that_was_never_written_is_cancelled_at_once(desk: Desk) -> None:
    desk.look(order(desk, want=want(desk, 2, "cancel")))
    assert desk.take() == []
    assert (desk.last("long").state, desk.last("long").acked) == ("Cancelled", 2)


def test_a_change_is_confirmed_by_a_later_state(desk: Desk) -> None:
    shown = _working(desk)
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
    shown = _working(desk)
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
    assert desk.take() == []
    desk.look(other)
    [line] = desk.take()
    assert (placed(line)["order_type"], placed(line)["qty"]) == ("MARKET", "2")
    assert placed(line)["order_id"] == oif.venue_id("request-long", 2)


def test_a_replacement_that_could_not_be_written_and_may_not_open_any_more_is_a_cancel(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    other = shown._replace(order_type="MARKET", limit_price=None, want=want(desk, 2, "replace"))
    desk.look(other)
    desk.take()
    desk.say(LONG, "CANCELLED")
    desk.wait(1)
    desk.look(other)
    desk.refuse_file()
    desk.look(other, kill_switch=True)
    desk.wait(1)
    assert (desk.take(), desk.last("long").state) == ([], "Cancelled")


def test_an_order_that_is_cancelled_while_it_is_being_replaced_ends_with_its_end(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    other = shown._replace(order_type="MARKET", limit_price=None, want=want(desk, 2, "replace"))
    desk.look(other)
    assert desk.take() == [oif.cancel(LONG)]
    desk.look(other._replace(want=want(desk, 3, "cancel")))
    desk.say(LONG, "CANCELLED")
    desk.wait(1)
    assert desk.take() == []
    assert (desk.last("long").state, desk.last("long").acked) == ("Cancelled", 3)


def test_the_stop_follows_the_fill_and_the_target_its_first_state(desk: Desk) -> None:
    _fill(desk, "5000", legs=BRACKET)
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
    _fill(desk, "5000", legs=BRACKET)
    desk.take()
    desk.say(STOP, "REJECTED")
    [close] = desk.take()
    assert (placed(close)["order_type"], placed(close)["action"], placed(close)["qty"]) == ("MARKET", "SELL", "1")
    desk.wait(1)
    assert desk.take() == []


def test_a_leg_that_fills_in_part_has_its_partner_shrunk(desk: Desk) -> None:
    _fill(desk, "5000", legs=BRACKET, qty=3)
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.say(TARGET, "PARTFILLED", 1, "5010")
    [line] = desk.take()
    assert line == oif.change(STOP, qty=2, stop_price=Decimal(4990))


def test_the_partner_of_a_leg_cancelled_by_name_is_placed_again(desk: Desk) -> None:
    _fill(desk, "5000", legs=BRACKET)
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


def _protected(desk: Desk, **values: Any) -> None:
    _fill(desk, "5000", legs=BRACKET, **values)
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


@pytest.mark.parametrize("spelling", ["ES DEC26", "ESZ6", "es 12-26", "ESZ2026"])
def test_a_contract_is_that_of_its_position_file_however_it_is_spelled(desk: Desk, spelling: str) -> None:
    _protected(desk, instrument=spelling)
    desk.wait(1)
    desk.tell(_position("LONG", 1))
    desk.wait(1)
    desk.tell(_position("FLAT"))
    desk.wait(2)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])


def test_another_trade_of_the_contract_keeps_orphans_from_being_cancelled(desk: Desk) -> None:
    _protected(desk, instrument="ES DEC26")
    desk.look(order(desk, "other", instrument="ESZ6", legs=BRACKET))
    desk.take()
    desk.say(oif.venue_id("request-other", 1), "FILLED", 1, "5000")
    desk.take()
    desk.say(oif.venue_id("request-other", 1, "STOP1", 0), "ACCEPTED")
    desk.take()
    desk.wait(1)
    desk.tell(_position("LONG", 2))
    desk.wait(1)
    desk.tell(_position("FLAT"))
    desk.wait(2)
    assert (desk.take(), "orphans" in desk.alarms) == ([], True)


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


def test_a_start_makes_every_known_pair_unknown_of_the_journal_and_named_ones() -> None:
    desk = Desk(instruments=["NQ DEC26", "ES 12-26"]).start()
    desk.look(order(desk, instrument="CL 01-27"), order(desk, "other", account="Other", instrument="GC 02-27"))
    assert _sides(desk) == {"NQ 12-26": "UNKNOWN", "ES 12-26": "UNKNOWN"}
    desk.crash()
    desk.effects.clear()
    desk.tell(NinjaTraderStarted(emptied=False))
    assert _sides(desk) == {"NQ 12-26": "UNKNOWN", "ES 12-26": "UNKNOWN", "CL 01-27": "UNKNOWN"}
    assert len([it for it in desk.effects if isinstance(it, SendReport) and isinstance(it.what, PositionReport)]) == 3


def test_a_flat_account_is_flat_in_every_known_pair_without_a_file() -> None:
    desk = Desk(instruments=["NQ 12-26"]).start()
    desk.look(order(desk, instrument="CL 01-27"))
    desk.tell(_position("LONG", 1))
    desk.tell(FlatConfirmed("Sim101"))
    assert _sides(desk) == {"NQ 12-26": "FLAT", "ES 12-26": "LONG", "CL 01-27": "FLAT"}
    desk.tell(FlatConfirmed("Other"))
    desk.tell(NinjaTraderStarted())
    assert set(_sides(desk).values()) == {"UNKNOWN"}


def _sides(desk: Desk) -> dict[str, str]:
    return {it.instrument: it.side for it in desk.state.positions.values()}


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


def test_probes_that_are_not_taken_leave_nothing_behind() -> None:
    desk = Desk()
    desk.tell(NinjaTraderStarted())
    desk.look()
    desk.effects.clear()
    for _ in range(10):
        [name] = desk.lines
        desk.lines.clear()
        desk.tell(FileWritten(name))
        desk.wait(2)
        assert MoveOut(name, is_kept=False) in desk.effects
        desk.tell(FileMovedOut(name))
        desk.wait(5)
    assert (desk.state.moving, desk.alarms) == ({}, [])


def test_a_change_that_is_too_late_is_dropped_and_answered(desk: Desk) -> None:
    shown = _working(desk)
    changed = shown._replace(limit_price=Decimal(4001), want=want(desk, 2, "change"))
    desk.at += timedelta(seconds=31)
    desk.look(changed)
    assert desk.take() == []
    report = desk.last("long")
    assert (report.state, report.acked, report.values["limit_price"]) == ("Working", 2, "4000")
    assert str(report.reason).startswith("too late")


@pytest.mark.parametrize(("qty", "end"), [(2, "Filled"), (1, "Cancelled")])
def test_a_change_to_no_more_than_is_filled_is_a_cancel_and_keeps_its_quantity(desk: Desk, qty: int, end: str) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4000), qty=3)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "PARTFILLED", 2, "4000")
    desk.look(shown._replace(qty=qty, want=want(desk, 2, "change")))
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "CANCELLED", 2, "4000")
    report = desk.last("long")
    assert (report.state, report.filled, report.acked, report.values["qty"]) == (end, 2, 2, str(qty))


def test_what_closes_is_written_before_what_opens_in_the_order_of_their_alerts(desk: Desk) -> None:
    _protected(desk)
    desk.look(order(desk, "b"))
    desk.take()
    desk.say(oif.venue_id("request-b", 1), "WORKING")
    desk.at += timedelta(seconds=1)
    new = order(desk, "new")
    desk.at += timedelta(seconds=1)
    newer = order(desk, "newer")
    leg = order(desk, "long.STOP1", entry_id="long", order_name="STOP1", want=want(desk, 1, "change"))
    leg = leg._replace(order_type="STOPMARKET", stop_price=Decimal(4980))
    desk.at += timedelta(seconds=1)
    desk.look(newer, new, leg, order(desk, "b", want=want(desk, 2, "cancel")))
    ids = [oif.venue_id(f"request-{it}", 1) for it in ("b", "new", "newer")]
    [cancel, change, *opened] = desk.lines.values()
    assert (cancel, change) == (oif.cancel(ids[0]), oif.change(STOP, qty=1, stop_price=Decimal(4980)))
    assert [placed(line)["order_id"] for line in opened] == ids[1:]


def test_the_cancel_of_a_leg_is_written_before_what_opens(desk: Desk) -> None:
    _protected(desk)
    leg = order(desk, "long.STOP1", entry_id="long", order_name="STOP1", want=want(desk, 1, "cancel"))
    desk.look(order(desk, "new"), leg)
    [cancel, opened] = desk.lines.values()
    assert (cancel, placed(opened)["order_id"]) == (oif.cancel(STOP), oif.venue_id("request-new", 1))


def test_a_late_fill_of_the_first_makes_the_rest_smaller_however_late(desk: Desk) -> None:
    shown = _working(desk, qty=3)
    other = shown._replace(order_type="STOPMARKET", limit_price=None, stop_price=Decimal(6000))
    other = other._replace(want=want(desk, 2, "replace"))
    desk.look(other)
    desk.take()
    desk.say(LONG, "CANCELLED")
    desk.wait(1)
    desk.look(other)
    assert [placed(line)["qty"] for line in desk.take()] == ["3"]
    desk.at += timedelta(seconds=31)
    desk.say(LONG, "CANCELLED", 1, "4000")
    assert "late_fill" in desk.alarms
    second = oif.venue_id("request-long", 2)
    desk.say(second, "WORKING")
    assert desk.take() == [oif.change(second, qty=2, stop_price=Decimal(6000))]
    desk.say(second, "WORKING")
    desk.wait(1)
    assert (desk.last("long").acked, desk.last("long").values["qty"]) == (2, "3")


def test_a_line_of_the_log_proves_that_a_file_was_read(desk: Desk) -> None:
    desk.look(order(desk))
    [(name, line)] = desk.lines.items()
    desk.lines.clear()
    desk.tell(FileWritten(name))
    desk.wait(2)
    desk.tell(FileMovedOut(name))
    desk.tell(LogLine(LONG, f"OIF, '{line}' processing", is_error=False))
    desk.wait(61)
    assert (desk.last("long").state, LONG in str(desk.last("long").unresolved)) == ("Initialized", True)


@pytest.mark.parametrize("is_cancel_told_first", [True, False])
def test_what_the_log_says_of_a_place_is_kept_before_what_it_says_of_its_cancel(
    desk: Desk, *, is_cancel_told_first: bool
) -> None:
    desk.look(order(desk))
    [line] = desk.take()
    cancel = f"OIF, 'CANCEL;;;;;;;;;;{LONG};;' order with ID/Name '{LONG}' does not exist"
    told = [f"OIF, '{line}' holds unknown instrument 'ES 12-26'", cancel, cancel]
    for text in reversed(told) if is_cancel_told_first else told:
        desk.tell(LogLine(LONG, text, is_error=True))
    desk.wait(61)
    assert desk.last("long").unresolved == (
        f"PLACE: holds unknown instrument 'ES 12-26'; then CANCEL: order with ID/Name '{LONG}' does not exist"
    )


def test_of_a_place_that_was_not_taken_the_log_of_its_cancel_is_not_the_reason(desk: Desk) -> None:
    shown = order(desk)
    desk.look(shown)
    [name] = desk.lines
    desk.tell(FileWritten(name))
    desk.wait(2)
    desk.tell(FileMovedOut(name))
    cancel = f"OIF, 'CANCEL;;;;;;;;;;{LONG};;' order with ID/Name '{LONG}' does not exist"
    desk.tell(LogLine(LONG, cancel, is_error=True))
    desk.wait(61)
    last = desk.last("long")
    assert (last.state, last.reason) == (
        "Rejected",
        f"not_read: NinjaTrader has not taken its file; then CANCEL: order with ID/Name '{LONG}' does not exist",
    )


def test_members_of_a_traders_oco_group_share_an_id_until_one_ends(desk: Desk) -> None:
    desk.look(order(desk, "a", oco_id="g"), order(desk, "b", oco_id="g"))
    first, second = (placed(line)["oco_id"] for line in desk.take())
    assert first == second
    assert first in [oif.venue_id("oco", "sim101/g", f"request-{it}", 1) for it in "ab"]
    desk.say(oif.venue_id("request-a", 1), "CANCELLED")
    desk.look(order(desk, "c", oco_id="g"))
    [third] = (placed(line)["oco_id"] for line in desk.take())
    assert third == oif.venue_id("oco", "sim101/g", "request-c", 2)


def test_a_group_of_which_a_member_is_being_cancelled_is_joined_by_no_other(desk: Desk) -> None:
    first = order(desk, "a", oco_id="g")
    desk.look(first)
    desk.take()
    desk.say(oif.venue_id("request-a", 1), "WORKING")
    desk.look(first._replace(want=want(desk, 2, "cancel")), order(desk, "b", oco_id="g"))
    groups = [placed(line)["oco_id"] for line in desk.take() if line.startswith("PLACE")]
    assert groups == [oif.venue_id("oco", "sim101/g", "request-b", 2)]


def test_a_replacement_that_is_given_up_is_answered_with_the_kind_that_works(desk: Desk) -> None:
    shown = _working(desk)
    other = shown._replace(order_type="MARKET", limit_price=None, tif="GTC", want=want(desk, 2, "replace"))
    desk.look(other, kill_switch=True)
    report = desk.last("long")
    assert (desk.take(), report.acked, report.reason) == ([], 2, "the kill switch is on")
    assert report.values == {"qty": "1", "order_type": "LIMIT", "tif": "DAY", "limit_price": "4000"}


def test_a_member_that_could_not_be_written_gets_no_id_that_has_ended_meanwhile(desk: Desk) -> None:
    first, second = order(desk, "a", oco_id="g"), order(desk, "b", oco_id="g")
    desk.look(first, second)
    names = {placed(line)["order_id"]: name for name, line in desk.lines.items()}
    ids = [oif.venue_id(f"request-{it}", 1) for it in "ab"]
    used = placed(desk.lines.pop(names[ids[0]]))["oco_id"]
    desk.tell(FileNotWritten(names[ids[0]], "denied"))
    desk.take()
    desk.say(ids[1], "CANCELLED")
    desk.wait(1)
    desk.look(first)
    [again] = desk.take()
    assert placed(again)["order_id"] == ids[0]
    assert placed(again)["oco_id"] not in ("", used)


# Legs whose files NinjaTrader has not taken


def _write_stop(desk: Desk) -> str:
    """Have an entry be filled; returns the name of its stop's file, which is about to be written."""
    _fill(desk, "5000", legs=BRACKET)
    [name] = desk.lines
    return name


def _start_again(desk: Desk, moved_out: str) -> list[str]:
    """Crash, have a file be moved out at the start, and return what is placed then."""
    desk.crash()
    desk.tell(FileMovedOut(moved_out))
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    desk.look(order(desk, state=OrderState.FILLED, filled=1, legs=BRACKET))
    return [line for line in desk.take() if line.startswith("PLACE")]


def test_a_stop_that_a_start_takes_back_is_written_again_at_once(desk: Desk) -> None:
    name = _write_stop(desk)
    line = desk.lines[name]
    desk.tell(FileWritten(name))
    assert _start_again(desk, name) == [line]
    assert "unprotected" not in desk.alarms
    desk.say(STOP, "ACCEPTED")
    assert [placed(line)["order_id"] for line in desk.take()] == [TARGET]


def test_a_stop_taken_back_after_a_crash_in_its_intent_alarms_and_is_written(desk: Desk) -> None:
    name = _write_stop(desk)
    line = desk.lines[name]
    assert _start_again(desk, name) == [line]
    assert "unprotected" in desk.alarms


def test_a_stop_is_written_again_as_soon_as_nt_takes_files_again(desk: Desk) -> None:
    name = _write_stop(desk)
    line = desk.lines.pop(name)
    desk.tell(FileWritten(name))
    desk.wait(2)
    desk.tell(FileMovedOut(name))
    desk.wait(3)
    assert {"not_read", "unprotected"} <= set(desk.alarms)
    assert name not in desk.lines
    assert line in desk.take()


def test_a_file_of_the_same_name_is_moved_out_anew(desk: Desk) -> None:
    name = _write_stop(desk)
    for _ in range(2):
        del desk.lines[name]
        desk.tell(FileWritten(name))
        desk.effects.clear()
        desk.wait(2)
        assert MoveOut(name) in desk.effects
        desk.tell(FileMovedOut(name))
        [probe] = desk.lines
        desk.lines.clear()
        desk.tell(FileWritten(probe))
        desk.tell(FileConsumed(probe))


def test_a_stop_of_which_nt_says_something_is_not_written_again(desk: Desk) -> None:
    name = _write_stop(desk)
    desk.crash()
    desk.tell(FileMovedOut(name))
    desk.say(STOP, "WORKING")
    assert [placed(line)["order_id"] for line in _start_again(desk, name)] == [TARGET]


def test_a_market_order_that_closes_is_never_written_again(desk: Desk) -> None:
    _write_stop(desk)
    desk.take()
    desk.say(STOP, "REJECTED")
    [name] = desk.lines
    desk.tell(FileWritten(name))
    assert _start_again(desk, name) == []
    desk.wait(61)
    assert [line for line in desk.take() if line.startswith("PLACE")] == []
    assert "unprotected" in desk.alarms


# Legs that cannot be as they were wanted

OFFSETS = {"STOP1": Leg("STOPMARKET", offset=Decimal(10)), "TARGET1": Leg("LIMIT", offset=Decimal(20))}


def test_offsets_count_from_the_entrys_price_where_nobody_knows_the_fills(desk: Desk) -> None:
    _fill(desk, None, order_type="LIMIT", limit_price=Decimal(5000), legs=OFFSETS)
    assert [placed(line)["stop_price"] for line in desk.take()] == ["4990"]


def test_offsets_without_any_price_alarm_and_send_nothing(desk: Desk) -> None:
    _fill(desk, None, legs=OFFSETS)
    assert (desk.take(), desk.alarms) == ([], ["unprotected"])
    assert desk.last("long.STOP1").alarms == ("unprotected",)


def test_a_target_without_any_price_is_told_of_and_not_sent(desk: Desk) -> None:
    _fill(desk, None, legs={"TARGET1": OFFSETS["TARGET1"]})
    assert (desk.take(), desk.alarms) == ([], ["target_not_sent"])


@pytest.mark.parametrize("fill", ["4990", "4989.75"])
def test_a_stop_on_the_wrong_side_of_the_fill_closes_its_part(desk: Desk, fill: str) -> None:
    desk.look(order(desk, legs=BRACKET, qty=2))
    desk.take()
    desk.say(LONG, "FILLED", 2, fill)
    [line] = desk.take()
    assert (placed(line)["order_type"], placed(line)["action"], placed(line)["qty"]) == ("MARKET", "SELL", "2")
    assert "stop_on_wrong_side" in desk.alarms
    desk.wait(5)
    assert desk.take() == []


def test_a_target_on_the_wrong_side_of_the_fill_is_told_of_and_not_sent(desk: Desk) -> None:
    _fill(desk, "5010", legs=BRACKET)
    assert [placed(line)["order_type"] for line in desk.take()] == ["STOPMARKET"]
    desk.say(STOP, "ACCEPTED")
    assert (desk.take(), desk.alarms) == ([], ["target_not_sent"])


def test_a_rejected_stop_only_alarms_where_that_is_wished() -> None:
    desk = Desk(stop_rejected="alarm").start()
    _fill(desk, "5000", legs=BRACKET)
    desk.take()
    desk.say(STOP, "REJECTED")
    desk.wait(60)
    assert (desk.take(), desk.alarms) == ([], ["stop_rejected"])
    assert desk.last("long.STOP1").state == "Rejected"


def test_a_stop_that_ended_with_its_rejected_target_is_placed_again_alone(desk: Desk) -> None:
    _fill(desk, "5000", legs=BRACKET)
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.say(TARGET, "REJECTED")
    desk.say(STOP, "CANCELLED")
    [line] = desk.take()
    again = oif.venue_id("request-long", 2, "STOP1", 0)
    assert (placed(line)["order_id"], placed(line)["stop_price"], placed(line)["oco_id"]) == (again, "4990", "")
    assert desk.alarms == ["target_rejected"]
    desk.say(again, "WORKING")
    assert (desk.take(), desk.last("long.STOP1").state) == ([], "Working")


# Orders of another journal


def test_legs_of_another_journals_entry_are_never_placed(desk: Desk) -> None:
    old = order(desk, received_at=timestamp(START - timedelta(hours=1)), legs=BRACKET)
    desk.look(old)
    desk.say(LONG, "FILLED", 1, "5000")
    desk.wait(10)
    assert (desk.take(), desk.alarms) == ([], ["unprotected"])
    assert (desk.last("long").state, desk.last("long").filled) == ("Filled", 1)


def test_a_released_leg_of_another_journal_is_cancelled_at_every_id_it_may_have(desk: Desk) -> None:
    old = timestamp(START - timedelta(hours=1))
    asked = want(desk, 2, "cancel")
    leg = order(desk, "long.STOP1", qty=2, entry_id="long", order_name="STOP1", received_at=old, want=asked)
    desk.look(leg)
    assert Fetch("long") in desk.effects
    assert desk.take() == []
    desk.tell(Fetched("long", order(desk, received_at=old, state=OrderState.FILLED)))
    ids = [oif.venue_id("request-long", number, "STOP1", start) for number in (1, 2, 3) for start in (0, 1)]
    assert sorted(desk.take()) == sorted(oif.cancel(it) for it in ids)
    assert "younger" in str(desk.last("long.STOP1").unresolved)


# What only a person knows


def _resolved(desk: Desk, filled: int, **values: Any) -> None:
    """Have nobody know what has become of an order for three, until a person says what was filled of it."""
    shown = order(desk, qty=3, legs=BRACKET)
    desk.look(shown)
    desk.take()
    desk.wait(61)
    assert desk.last("long").unresolved
    desk.look()
    assert Fetch("long") in desk.effects
    desk.tell(Fetched("long", shown._replace(state=OrderState.CANCELLED, filled=filled, **values)))


def test_what_a_person_says_was_filled_has_its_stop_and_its_target(desk: Desk) -> None:
    _resolved(desk, 2)
    [stop] = desk.take()
    assert (placed(stop)["order_id"], placed(stop)["qty"]) == (STOP, "2")
    desk.say(STOP, "ACCEPTED")
    assert [placed(line)["qty"] for line in desk.take()] == ["2"]
    desk.say(TARGET, "WORKING")
    desk.say(TARGET, "FILLED", 2, "5010")
    desk.say(STOP, "CANCELLED")
    assert (desk.last("long.TARGET1").state, desk.last("long.STOP1").state) == ("Filled", "Cancelled")


def test_what_nt_says_later_of_a_persons_word_counts_once(desk: Desk) -> None:
    _resolved(desk, 2)
    desk.take()
    desk.say(LONG, "PARTFILLED", 2, "5000")
    assert desk.take() == []
    desk.say(LONG, "FILLED", 3, "5000")
    assert [placed(line)["qty"] for line in desk.take()] == ["1"]


def test_what_a_person_says_was_not_filled_has_no_stop(desk: Desk) -> None:
    _resolved(desk, 0)
    desk.wait(10)
    assert desk.take() == []


def test_what_a_person_says_was_filled_of_another_journals_order_rings(desk: Desk) -> None:
    shown = order(desk, received_at=timestamp(START - timedelta(hours=1)), legs=BRACKET)
    desk.look(shown)
    assert desk.last("long").unresolved
    desk.look()
    desk.tell(Fetched("long", shown._replace(state=OrderState.FILLED, filled=1)))
    assert (desk.take(), desk.alarms) == ([], ["unprotected"])


def test_an_order_that_took_the_id_meanwhile_is_not_a_persons_word(desk: Desk) -> None:
    _resolved(desk, 2, history=order(desk, "other").history)
    assert desk.take() == []


# What is over


def test_an_order_is_forgotten_thirty_days_after_its_end(desk: Desk) -> None:
    shown = order(desk)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    seen = shown._replace(state=OrderState.FILLED, filled=1, report_seq=desk.last("long").seq)
    desk.look(seen)
    desk.look()
    desk.at += timedelta(days=30)
    desk.look()
    assert "order/long" in desk.journal
    desk.at += timedelta(seconds=1)
    desk.look()
    assert [name for name in desk.journal if name != "memory/"] == []
    desk.say(LONG, "FILLED", 1, "5000")
    assert desk.take() == []
