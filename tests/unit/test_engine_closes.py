"""The engine of the bridge closes positions: CLOSEPOSITION, FLATTEN, FLATTENEVERYTHING, and what waits for them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge import oif
from bridge.closing import begin_close
from bridge.events import (
    ConnectionRead,
    FileConsumed,
    FileMovedOut,
    FileWritten,
    FlatConfirmed,
    Looked,
    MoveOut,
    NinjaTraderStarted,
    NinjaTraderStopped,
    Resumed,
    WriteFile,
)
from bridge.records import Close
from orderhook.instructions import Instruction
from orderhook.orders import Leg, Order, OrderState
from tests.bridge import JOURNAL, Desk, asked, order, placed, want

LONG, RESTING = (oif.venue_id(f"request-{name}", 1) for name in ("long", "resting"))
BRACKET = {
    "STOP1": Leg("STOPMARKET", stop_price=Decimal(4990), oco_id="group"),
    "TARGET1": Leg("LIMIT", limit_price=Decimal(5010), oco_id="group"),
}
STOP, TARGET = (oif.venue_id("request-long", 1, name, 0) for name in BRACKET)
CLOSE = oif.close_position("Sim101", "ES 12-26")


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def have(desk: Desk, qty: int = 1, legs: Any = BRACKET) -> Order:
    """Be long by an own entry, with its target and its stop at work."""
    shown = order(desk, legs=legs, qty=qty)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", qty, "5000")
    desk.hold("LONG", qty)
    while desk.lines:
        for line in desk.take():
            if line.startswith("PLACE"):
                desk.say(placed(line)["order_id"], "WORKING")
    desk.wait(3)
    desk.reports.clear()
    return shown._replace(state=OrderState.FILLED)


def end(desk: Desk, *venue_ids: str) -> None:
    for venue_id in venue_ids:
        desk.say(venue_id, "CANCELLED")


def closes(desk: Desk) -> list[str]:
    """Return the names of the CLOSEPOSITIONs that were asked for."""
    return [it.name for it in desk.effects if isinstance(it, WriteFile) and it.line == CLOSE]


def lines(desk: Desk) -> list[str]:
    """Return all that was asked for, but for probes."""
    written = [it.line for it in desk.effects if isinstance(it, WriteFile)]
    return [
        line for line in written if not (line.startswith("CANCEL;") and line[-14:-2] not in f"{LONG}{STOP}{TARGET}")
    ]


def ask(desk: Desk, *others: Order, owned_since: str | None = None, **values: Any) -> Instruction:
    """Have a CLOSEPOSITION be seen, received just now."""
    closing = asked(desk, **values)
    desk.look(*others, closing, owned_since=owned_since)
    return closing


def under_way(desk: Desk) -> Instruction:
    """Have the CLOSEPOSITION of a position without orders be written and taken."""
    desk.hold("LONG", 2)
    closing = ask(desk)
    assert desk.take() == [CLOSE]
    return closing


def test_own_orders_have_their_ends_before_ninjatrader_closes(desk: Desk) -> None:
    have(desk)
    closing = ask(desk)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    end(desk, STOP)
    assert not closes(desk)
    end(desk, TARGET)
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    assert desk.result() is None  # it has to stand
    desk.wait(1)
    assert (desk.result(), desk.state.instructions["close"].reason) == ("done", None)
    assert [(it.instruction_id, it.result) for it in desk.results] == [("close", "done")]
    desk.look(closing)
    desk.look()
    assert desk.state.instructions["close"].is_closed
    assert (desk.alarms, len(closes(desk))) == ([], 1)


def test_legs_that_do_not_end_in_five_seconds_make_it_unclean(desk: Desk) -> None:
    have(desk)
    ask(desk)
    desk.take()
    desk.wait(4.9)
    assert not closes(desk)
    desk.wait(0.2)
    assert CLOSE in desk.take()
    desk.hold("FLAT")
    desk.wait(1)
    assert desk.result() == "done"
    assert str(desk.state.instructions["close"].reason).startswith("unclean")


def test_a_leg_that_fills_instead_leaves_nothing_to_close(desk: Desk) -> None:
    have(desk)
    ask(desk)
    desk.take()
    desk.say(STOP, "FILLED", 1, "4990")
    end(desk, TARGET)
    desk.hold("FLAT")
    desk.wait(0.1)
    assert (desk.result(), closes(desk), desk.alarms) == ("done", [], [])


def test_a_file_that_is_behind_a_leg_that_filled_is_waited_for(desk: Desk) -> None:
    have(desk)
    ask(desk)
    desk.take()
    desk.wait(1)
    desk.say(STOP, "FILLED", 1, "4990")
    end(desk, TARGET)
    desk.wait(1)
    assert not closes(desk)  # it would open the opposite position
    desk.hold("FLAT")
    desk.wait(1)
    assert (desk.result(), closes(desk)) == ("done", [])


def test_no_leg_is_placed_again_while_its_position_is_closed(desk: Desk) -> None:
    shown = order(desk, legs=BRACKET)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    desk.take()
    desk.say(STOP, "WORKING")
    desk.take()
    desk.say(TARGET, "REJECTED")  # by which NinjaTrader ends the stop, and it is placed again otherwise
    desk.hold("LONG", 1)
    desk.wait(3)
    ask(desk)
    assert desk.take() == [oif.cancel(STOP)]
    end(desk, STOP)
    assert desk.take() == [CLOSE]
    desk.wait(3)
    desk.hold("FLAT")
    desk.wait(1)
    assert (desk.take(), desk.result(), desk.alarms) == ([], "done", ["target_rejected"])


def test_an_entry_that_fills_in_part_while_it_ends_gets_no_legs_and_is_closed(desk: Desk) -> None:
    limit: dict[str, Any] = {"order_type": "LIMIT", "limit_price": Decimal(4999), "qty": 3}
    shown = order(desk, legs=BRACKET, **limit)
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    desk.hold("LONG", 1)  # of another's
    ask(desk, shown)
    assert desk.take() == [oif.cancel(LONG)]
    desk.wait(0.1)
    desk.say(LONG, "CANCELPENDING", 2, "4999")
    desk.say(LONG, "CANCELLED", 2, "4999")
    desk.wait(0.1)
    assert not closes(desk)  # the position's file is behind
    desk.hold("LONG", 3)
    assert desk.take() == [CLOSE]
    desk.wait(2)
    desk.hold("FLAT")
    desk.wait(1)
    assert (desk.result(), desk.take(), desk.alarms) == ("done", [], [])
    assert {desk.last(f"long.{name}").state for name in BRACKET} <= {OrderState.CANCELLED}
    desk.wait(10)
    assert desk.take() == []


def test_what_was_received_before_and_not_written_ends_cancelled(desk: Desk) -> None:
    desk.hold("LONG", 1)
    earlier = order(desk)
    desk.wait(1)
    ask(desk, earlier)
    assert desk.take() == [CLOSE]
    assert (desk.last("long").state, desk.last("long").reason) == (OrderState.CANCELLED, "the position is closed")


def test_what_was_received_before_and_is_seen_later_is_not_opened_either(desk: Desk) -> None:
    earlier = order(desk)
    desk.wait(1)
    closing = under_way(desk)
    desk.hold("FLAT")
    desk.wait(1)
    assert desk.result() == "done"
    desk.look(earlier, closing)
    assert (desk.take(), desk.last("long").state) == ([], OrderState.CANCELLED)


def test_an_order_that_is_being_replaced_is_not_replaced_any_more(desk: Desk) -> None:
    for is_over in (False, True):
        desk = Desk().start()
        shown = order(desk, order_type="LIMIT", limit_price=Decimal(4990))
        desk.look(shown)
        desk.take()
        desk.say(LONG, "WORKING")
        other: dict[str, Any] = {"order_type": "STOPMARKET", "limit_price": None, "stop_price": Decimal(5100)}
        shown = shown._replace(**other, want=want(desk, 2, "replace"))
        desk.look(shown)
        assert desk.take() == [oif.cancel(LONG)]
        if is_over:
            desk.say(LONG, "CANCELLED")
        desk.hold("LONG", 1)
        ask(desk, shown)
        desk.say(LONG, "CANCELLED")
        desk.wait(1)
        desk.look(shown)
        assert desk.take() == [CLOSE]
        assert desk.last("long").state is OrderState.CANCELLED


def test_a_flat_position_is_not_closed_and_working_orders_stay(desk: Desk) -> None:
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(4990))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    desk.hold("FLAT")
    ask(desk, shown)
    assert (desk.take(), desk.result()) == ([], "no_position")


def test_an_entry_on_its_way_is_closed_although_the_file_says_flat(desk: Desk) -> None:
    desk.hold("FLAT")
    shown = order(desk)
    desk.look(shown)
    desk.take()
    desk.wait(1)
    ask(desk, shown)
    assert desk.take() == []  # it waits for what becomes of it
    assert desk.state.venue_orders[LONG].cancel is None
    desk.say(LONG, "FILLED", 1, "5000")
    desk.wait(1)
    desk.hold("LONG", 1)
    assert desk.take() == [CLOSE]


def test_an_entry_on_its_way_of_which_nothing_comes_is_closed_in_case(desk: Desk) -> None:
    desk.hold("FLAT")
    shown = order(desk)
    desk.look(shown)
    desk.take()
    ask(desk, shown)
    desk.wait(2)
    desk.wait(5)
    assert CLOSE in desk.take()
    desk.say(LONG, "CANCELLED")
    desk.wait(6)
    assert (desk.result(), desk.state.blocks) == ("done", {})


def test_a_market_order_received_before_does_not_open_after_no_position(desk: Desk) -> None:
    desk.hold("FLAT")
    earlier = order(desk)
    desk.wait(1)
    ask(desk, earlier)
    assert (desk.take(), desk.result(), desk.last("long").state) == ([], "no_position", OrderState.CANCELLED)


def test_flat_from_before_the_closing_does_not_count(desk: Desk) -> None:
    under_way(desk)
    desk.wait(5)
    assert desk.result() is None
    desk.hold("LONG", 1)  # in part
    desk.hold("FLAT")
    desk.wait(1)
    assert desk.result() == "done"


def test_flat_does_not_count_while_the_file_may_still_be_read(desk: Desk) -> None:
    desk.hold("LONG", 1)
    ask(desk)
    [name] = closes(desk)
    desk.tell(FileWritten(name))
    desk.hold("FLAT")  # by a person
    desk.wait(1.5)
    assert desk.result() is None
    desk.wait(0.6)
    assert MoveOut(name) in desk.effects
    desk.tell(FileMovedOut(name))
    assert (desk.result(), len(closes(desk))) == ("done", 1)


def test_what_does_not_end_where_nothing_is_open_is_no_success(desk: Desk) -> None:
    desk.hold("FLAT")
    shown = order(desk, order_type="LIMIT", limit_price=Decimal(1))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    desk.look(shown, asked(desk, "FLATTENEVERYTHING"))
    desk.take()
    desk.wait(30)
    assert (desk.result(), closes(desk)) == (None, [])
    desk.wait(30)
    assert (desk.result(), closes(desk), desk.state.blocks) == ("failed", [], {})


def test_what_this_version_does_not_know_ends_and_holds_nothing_up(desk: Desk) -> None:
    closing = asked(desk, "CLOSEHALF")
    desk.wait(1)
    desk.look(order(desk), closing)
    desk.wait(0.1)
    assert (desk.result(), desk.alarms) == ("failed", ["unreadable"])
    assert [placed(line)["command"] for line in desk.take()] == ["PLACE"]


def test_a_start_of_ninjatrader_before_the_file_is_written_forgets_no_side(desk: Desk) -> None:
    have(desk)
    closing = ask(desk)
    desk.take()
    desk.tell(NinjaTraderStarted())
    desk.tell(ConnectionRead(connected=True))
    desk.look(closing)
    desk.wait(5)
    assert CLOSE in desk.take()
    desk.wait(60)
    assert (desk.result(), len(desk.state.blocks)) == ("failed", 1)


# It goes wrong


def test_a_second_closeposition_comes_after_ten_seconds_and_no_third(desk: Desk) -> None:
    under_way(desk)
    for _ in range(9):
        desk.wait(1)
    assert len(closes(desk)) == 1
    desk.wait(1)
    assert desk.take() == [CLOSE]
    for _ in range(60):
        desk.wait(1)
        desk.take()
    assert len(set(closes(desk))) == len(closes(desk)) == 2
    assert (desk.result(), desk.alarms) == ("failed", ["close_failed"])
    assert desk.results[-1].alarms == ("close_failed",)
    assert list(desk.state.blocks) == ["sim101/es 12-26"]


def test_nothing_opens_in_a_blocked_pair_until_a_person_resumes_it(desk: Desk) -> None:
    under_way(desk)
    desk.wait(60)
    desk.take()
    desk.crash()
    desk.start()
    desk.look(order(desk, instrument="ESZ6"), order(desk, "other", instrument="NQ 12-26"))
    assert [placed(line)["instrument"] for line in desk.take()] == ["NQ 12-26"]
    last = desk.last("long")
    assert (last.state, str(last.reason)[:40]) == (OrderState.REJECTED, "blocked: the position was not seen flat ")
    assert desk.alarms == ["close_failed", "blocked"]
    desk.tell(Resumed("sim101", "ES DEC26"))
    desk.look(order(desk, "again"))
    assert len(desk.take()) == 1
    desk.crash()
    assert desk.state.blocks == {}


def test_a_position_that_turns_over_is_told_of_blocked_and_closed_once_more(desk: Desk) -> None:
    under_way(desk)
    desk.hold("SHORT", 2)
    assert desk.alarms == ["flipped"]
    assert list(desk.state.blocks) == ["sim101/es 12-26"]
    desk.wait(9)
    assert desk.take() == []
    desk.wait(1)
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    desk.wait(1)
    assert (desk.result(), desk.alarms) == ("failed", ["flipped"])
    assert not [line for line in lines(desk) if line.startswith("PLACE")]


def test_a_position_that_turns_over_after_flat_is_told_of(desk: Desk) -> None:
    under_way(desk)
    desk.hold("FLAT")
    desk.wait(1)
    assert desk.result() == "done"
    desk.hold("SHORT", 2)
    desk.wait(1)
    assert (desk.alarms, list(desk.state.blocks)) == (["flipped"], ["sim101/es 12-26"])
    assert len(closes(desk)) == 1


def test_a_position_that_an_order_opens_after_the_close_has_not_turned_over(desk: Desk) -> None:
    closing = under_way(desk)
    desk.hold("FLAT")
    desk.wait(1)
    desk.look(order(desk, action="SELL"), closing)
    desk.take()
    desk.hold("SHORT", 1)
    desk.wait(1)
    assert (desk.alarms, desk.state.blocks) == ([], {})


@pytest.mark.parametrize("known", [True, False])
def test_an_unknown_position_is_closed_and_unresolved_where_nothing_is_seen(desk: Desk, known: bool) -> None:
    ask(desk)
    assert desk.take() == [CLOSE]
    desk.wait(14)
    assert desk.result() is None
    if known:
        desk.hold("FLAT")
    desk.wait(1)
    assert (desk.result(), desk.alarms) == (("done", []) if known else ("unresolved", ["close_failed"]))
    assert (len(closes(desk)), desk.state.blocks) == (1, {})


NOTHING_SAID = "NinjaTrader has said nothing of ES 12-26 in Sim101 since its start, nor after its CLOSEPOSITION"


def test_a_close_that_nothing_is_seen_of_says_what_that_means(desk: Desk) -> None:
    ask(desk)
    desk.take()
    desk.wait(15)
    reason = str(desk.state.instructions["close"].reason)
    assert reason.startswith(NOTHING_SAID)
    assert reason.endswith("if it shows a position, close it there")


def have_unknown(desk: Desk, filled: int = 0, closed: int = 0, works: int = 0) -> None:
    """Have own orders in a pair of which no position file was written since NinjaTrader's start."""
    bought, sold = order(desk, "bought", qty=2), order(desk, "sold", action="SELL", qty=2)
    limit = order(desk, "works", order_type="LIMIT", limit_price=Decimal(4000), tif="GTC")
    shown = [it for it, there in ((bought, filled), (sold, closed), (limit, works)) if there]
    desk.look(*shown)
    desk.take()
    for name, qty in (("bought", filled), ("sold", closed)):
        if qty:
            desk.say(oif.venue_id(f"request-{name}", 1), "FILLED", qty, "5000")
    if works:
        desk.say(oif.venue_id("request-works", 1), "WORKING")
    desk.wait(3)
    desk.tell(NinjaTraderStarted())
    desk.tell(ConnectionRead(connected=True))
    desk.look(*shown)
    desk.take()
    desk.wait(1)


@pytest.mark.parametrize("command", ["FLATTEN", "FLATTENEVERYTHING"])
@pytest.mark.parametrize(
    ("ours", "rings"),
    [
        ({}, False),
        ({"filled": 2, "closed": 2}, False),
        ({"filled": 2}, True),
        ({"closed": 2}, True),
        ({"filled": 2, "closed": 1}, True),
    ],
)
def test_what_closes_all_rings_of_the_unknown_only_where_a_position_may_be(
    command: str, ours: dict[str, int], rings: bool
) -> None:
    desk = Desk(instruments=("ES 12-26", "CL 01-27")).start()
    have_unknown(desk, **ours)
    desk.hold("LONG", 1, "NQ 12-26")
    desk.look(asked(desk, command))
    desk.take()
    desk.hold("FLAT", 0, "NQ 12-26")
    for _ in range(16):
        desk.wait(1)
        desk.take()
    assert (desk.result(), desk.alarms) == (("unresolved", ["close_failed"]) if rings else ("done", []))
    told = str(desk.state.instructions["close"].reason)
    assert ("ES 12-26" in told, "CL 01-27 in Sim101" in told, "NQ" in told) == (True, True, False)


def test_what_closes_all_where_nothing_is_known_finds_no_position() -> None:
    desk = Desk(instruments=("ES 12-26", "CL 01-27")).start()
    desk.look(asked(desk, "FLATTEN"))
    desk.take()
    desk.wait(14)
    assert desk.result() is None
    desk.wait(1)
    told = str(desk.state.instructions["close"].reason)
    assert (desk.result(), desk.alarms, told.count("Sim101")) == ("no_position", [], 2)


def test_an_own_order_that_worked_when_the_unknown_was_closed_rings(desk: Desk) -> None:
    have_unknown(desk, works=1)
    desk.look(asked(desk, "FLATTEN", instrument="ES 12-26"))
    desk.take()
    desk.say(oif.venue_id("request-works", 1), "CANCELLED")
    desk.take()
    for _ in range(16):
        desk.wait(1)
        desk.take()
    assert (desk.result(), desk.alarms) == ("unresolved", ["close_failed"])


def test_fills_before_the_pair_was_seen_flat_are_no_sign_of_a_position(desk: Desk) -> None:
    have(desk)
    desk.say(STOP, "CANCELLED")
    desk.say(TARGET, "CANCELLED")
    desk.hold("FLAT")  # closed by hand
    desk.look()
    desk.wait(3)
    desk.alarms.clear()
    desk.tell(NinjaTraderStarted())
    desk.tell(ConnectionRead(connected=True))
    desk.look(asked(desk, "FLATTEN"))
    for _ in range(16):
        desk.wait(1)
        desk.take()
    assert (desk.result(), desk.alarms, len(closes(desk))) == ("no_position", [], 1)


@pytest.mark.parametrize("held", [True, False])
def test_a_close_of_every_month_rings_where_nothing_is_known_of_any(held: bool) -> None:
    desk = Desk(instruments=("ES 12-26", "ES 03-27")).start()
    if held:
        desk.hold("LONG", 1)
    desk.look(asked(desk, root="ES"))
    assert len(desk.take()) == 2
    if held:
        desk.hold("FLAT")
    desk.wait(15)
    assert (desk.result(), desk.alarms) == (("done", []) if held else ("unresolved", ["not_closed"]))


def test_a_close_all_that_came_behind_one_without_news_ends_as_that() -> None:
    desk = Desk(instruments=("ES 12-26",)).start()
    first = asked(desk, "FLATTEN", name="first")
    desk.look(first)
    desk.take()
    desk.wait(5)
    second = asked(desk, "FLATTENEVERYTHING", name="second")
    desk.look(first, second)
    for _ in range(30):
        desk.wait(1)
        desk.take()
    assert (desk.result("first"), desk.result("second"), desk.alarms) == ("no_position", "no_position", [])


@pytest.mark.parametrize("command", ["CLOSEPOSITION", "FLATTEN"])
def test_an_entry_that_waited_for_a_close_which_is_not_confirmed_is_rejected(command: str) -> None:
    desk = Desk(instruments=("ES 12-26",)).start()
    closing = asked(desk, command)
    desk.look(closing)
    desk.take()
    desk.wait(5)
    waiting = order(desk, "waiting")
    desk.look(waiting, closing)
    for _ in range(15):
        desk.wait(1)
        desk.look(waiting, closing)
    assert desk.result() == ("unresolved" if command == "CLOSEPOSITION" else "no_position")
    assert desk.state.orders["waiting"].ended is OrderState.REJECTED
    why = "blocked: the close that was asked for before it was not confirmed: "
    assert str(desk.state.orders["waiting"].why).startswith(why + NOTHING_SAID)
    later = order(desk, "later")
    desk.look(later)
    assert [line for line in desk.take() if line.startswith("PLACE")]


def test_a_person_may_say_that_an_unknown_position_is_flat(desk: Desk) -> None:
    shown = order(desk, "known", order_type="LIMIT", limit_price=Decimal(1))
    closing = ask(desk, shown)
    desk.take()
    desk.wait(5)
    desk.look(closing)
    desk.tell(FlatConfirmed("Sim101"))
    desk.wait(1)
    assert desk.result() == "done"


def test_closes_that_waited_for_one_that_failed_are_not_tried_in_a_loop(desk: Desk) -> None:
    desk.hold("LONG", 1)
    several = []
    for number in range(20):
        several.append(asked(desk, name=f"close-{number}"))
        desk.look(*several)
        desk.take()
        desk.wait(4)
    for _ in range(20):
        desk.wait(0.1)
    assert {desk.result(f"close-{number}") for number in range(15)} == {"failed"}
    assert len(closes(desk)) <= 4  # two of the first, two of the first that came after its end
    assert not [line for line in lines(desk) if line.startswith("PLACE")]


def test_a_close_that_comes_after_a_failed_one_is_written_ten_seconds_after_its_last(desk: Desk) -> None:
    under_way(desk)
    desk.wait(55)
    desk.take()
    desk.wait(5)
    assert (desk.result(), len(closes(desk))) == ("failed", 2)
    ask(desk, name="again")
    desk.wait(4)
    assert desk.take() == []
    desk.wait(1)
    assert desk.take() == [CLOSE]


# Files


def test_a_file_that_is_not_taken_is_written_again_when_files_are(desk: Desk) -> None:
    desk.hold("LONG", 1)
    ask(desk)
    [name] = desk.lines
    desk.lines.clear()
    desk.tell(FileWritten(name))
    desk.wait(2)
    assert MoveOut(name) in desk.effects
    desk.tell(FileMovedOut(name))
    assert desk.alarms == ["not_read"]
    assert [line for line in desk.take() if line == CLOSE] == []  # the probe goes first
    desk.wait(10)
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    desk.wait(1)
    assert desk.result() == "done"


def test_a_file_that_could_not_be_written_is_tried_again_and_told_of_once(desk: Desk) -> None:
    desk.hold("LONG", 1)
    ask(desk)
    desk.refuse_file()
    desk.wait(1)
    desk.refuse_file()
    desk.wait(1)
    assert desk.take() == [CLOSE]
    assert desk.alarms == ["not_written"]


@pytest.mark.parametrize("there", [True, False])
def test_a_crash_in_the_intent_closes_once_at_most_within_ten_seconds(desk: Desk, there: bool) -> None:
    desk.hold("LONG", 1)
    closing = ask(desk)
    [name] = closes(desk)
    desk.crash()
    if there:
        desk.tell(FileMovedOut(name))
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    desk.look(closing)
    desk.hold("LONG", 1)
    if not there:
        assert MoveOut(name) in desk.effects
        desk.tell(FileConsumed(name))
    desk.take()
    desk.wait(9)
    assert len(closes(desk)) == 1
    desk.wait(1)
    assert desk.take() == [CLOSE]
    assert len(closes(desk)) == 2


def test_a_crash_after_the_file_was_taken_waits_for_flat(desk: Desk) -> None:
    closing = under_way(desk)
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    desk.look(closing)
    desk.take()
    desk.hold("FLAT")
    desk.wait(1)
    assert (desk.result(), len(closes(desk))) == ("done", 1)


def test_a_result_that_the_table_lacks_is_sent_again(desk: Desk) -> None:
    desk.hold("FLAT")
    closing = ask(desk)
    assert len(desk.results) == 1
    desk.wait(9)
    desk.look(closing)
    assert len(desk.results) == 1
    desk.wait(1)
    desk.look(closing)
    assert [it.result for it in desk.results] == ["no_position"] * 2
    desk.look(closing._replace(report_seq=desk.results[0].seq))
    desk.wait(20)
    desk.look()
    assert len(desk.results) == 2


def test_closes_are_forgotten_after_a_day_and_instructions_after_thirty(desk: Desk) -> None:
    under_way(desk)
    desk.hold("FLAT")
    desk.wait(1)
    desk.look()
    desk.wait(25 * 3600)
    desk.look()
    assert ([*desk.state.instructions], desk.state.closes) == (["close"], {})
    desk.wait(30 * 86400)
    desk.look()
    assert desk.state.instructions == {}
    assert [name for name in desk.journal if name.startswith(("instruction/", "close/"))] == []


def test_no_close_is_forgotten_before_its_instruction_has_its_result(desk: Desk) -> None:
    desk.hold("LONG", 1)
    desk.hold("LONG", 1, "NQ 12-26")
    flatten = asked(desk, "FLATTEN")
    desk.look(flatten)
    desk.take()
    desk.hold("FLAT")
    desk.wait(1)
    # The machine sleeps.
    desk.at += timedelta(days=2)
    desk.look(flatten)
    assert desk.result() == "failed"
    assert "NQ 12-26" in str(desk.state.instructions["close"].reason)


# Order


def test_what_opens_waits_for_the_close_that_was_received_before(desk: Desk) -> None:
    desk.hold("LONG", 1)
    closing = asked(desk)
    desk.wait(0.5)
    later = order(desk)
    desk.look(later, closing)
    assert desk.take() == [CLOSE]
    desk.wait(3)
    desk.look(later, closing)
    assert desk.take() == []
    desk.hold("FLAT")
    desk.wait(1)
    desk.look(later)
    assert [placed(line)["command"] for line in desk.take()] == ["PLACE"]


def test_what_opens_waits_no_longer_than_it_may(desk: Desk) -> None:
    desk.hold("LONG", 1)
    closing = asked(desk)
    desk.wait(0.5)
    later = order(desk)
    desk.look(later, closing)
    desk.take()
    desk.wait(31)
    assert desk.last("long").reason == "too late: the bridge was away"


def test_what_opens_elsewhere_does_not_wait(desk: Desk) -> None:
    desk.hold("LONG", 1)
    closing = asked(desk)
    desk.wait(0.5)
    desk.look(order(desk, instrument="NQ 12-26"), closing)
    assert {placed(line)["command"] for line in desk.take()} == {"PLACE", "CLOSEPOSITION"}


def test_a_second_close_waits_for_the_first_and_finds_no_position(desk: Desk) -> None:
    desk.hold("LONG", 1)
    first = asked(desk)
    desk.wait(0.5)
    second = asked(desk, name="second")
    desk.look(second, first)
    assert desk.take() == [CLOSE]
    desk.wait(3)
    assert (desk.result(), desk.result("second")) == (None, None)
    desk.hold("FLAT")
    desk.wait(1)
    desk.wait(0.1)
    assert (desk.result(), desk.result("second"), len(closes(desk))) == ("done", "no_position", 1)


def test_a_close_waits_for_ninjatrader_however_long(desk: Desk) -> None:
    have(desk)
    desk.tell(NinjaTraderStopped())
    closing = ask(desk)
    desk.wait(3600)
    assert (desk.take(), desk.result()) == ([], None)
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.look(closing)
    desk.take()  # the probe
    desk.tell(ConnectionRead(connected=True))
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])


def test_without_a_connection_a_close_leaves_its_stops_alone(desk: Desk) -> None:
    have(desk)
    desk.tell(ConnectionRead(connected=False))
    ask(desk)
    desk.wait(30)
    assert (desk.take(), desk.result()) == ([], None)
    desk.tell(ConnectionRead(connected=True))
    assert len(desk.take()) == 2


def test_without_a_connection_what_comes_before_an_order_leaves_its_stops_alone(desk: Desk) -> None:
    have(desk)
    desk.look(flat_place(desk), kill_switch=True)
    desk.tell(ConnectionRead(connected=False))
    begin(desk)
    desk.wait(1)
    assert (desk.take(), the_close(desk).began) == ([], None)


def test_a_flatten_that_meets_a_close_waits_for_it_there(desk: Desk) -> None:
    desk.hold("LONG", 1)
    desk.hold("LONG", 1, "NQ 12-26")
    closing = asked(desk)
    desk.wait(0.5)
    desk.look(closing, asked(desk, "FLATTEN", "all"))
    assert sorted(placed(line)["instrument"] for line in desk.take()) == ["ES 12-26", "NQ 12-26"]
    assert desk.state.closes["all/sim101/es 12-26"].began is None
    desk.hold("FLAT")
    desk.hold("FLAT", 0, "NQ 12-26")
    desk.wait(1)
    desk.wait(0.1)
    assert (desk.result(), desk.result("all"), len(closes(desk))) == ("done", "done", 1)


def test_what_closes_goes_before_what_opens_and_was_received_before(desk: Desk) -> None:
    desk.hold("LONG", 1)
    turning = asked(desk, "REVERSE", "turn")
    desk.wait(0.5)
    desk.look(turning, asked(desk))
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    desk.wait(1)
    assert (desk.result(), desk.result("turn"), desk.take()) == ("done", "superseded", [])


def test_a_reverse_that_is_closing_already_opens_nothing_after_a_close(desk: Desk) -> None:
    desk.hold("LONG", 1)
    turning = asked(desk, "REVERSE", "turn")
    desk.look(turning)
    assert desk.take() == [CLOSE]
    desk.wait(0.5)
    desk.look(turning, asked(desk))
    desk.hold("FLAT")
    desk.wait(1)
    desk.wait(1)
    assert (desk.result("turn"), desk.take(), desk.result() in ("done", "no_position")) == ("superseded", [], True)
    assert desk.state.instructions["turn"].order_ids == ()


# Accounts


@pytest.mark.parametrize("command", ["CLOSEPOSITION", "FLATTEN"])
@pytest.mark.parametrize("account", ["Sim999", "Live1"])
def test_an_account_that_the_bridge_may_not_trade_is_never_closed(account: str, command: str) -> None:
    desk = Desk()
    desk.config = desk.config._replace(accounts=("Sim101", "Live1"))
    desk.state = desk.state._replace(config=desk.config)
    desk.start()
    desk.hold("LONG", 1, account=account)
    desk.look(asked(desk, command, account=account, instrument="ES 12-26"))
    assert (desk.take(), desk.result()) == ([], "blocked")


# Several


def test_flatten_closes_what_is_not_flat_of_configured_accounts(desk: Desk) -> None:
    desk.hold("LONG", 1)
    desk.hold("SHORT", 2, "NQ 12-26")
    desk.hold("FLAT", 0, "CL 01-27")
    desk.hold("LONG", 1, "GC 02-27", account="Other")
    desk.look(asked(desk, "FLATTEN"))
    assert sorted(placed(line)["instrument"] for line in desk.take()) == ["ES 12-26", "NQ 12-26"]
    desk.hold("FLAT")
    desk.wait(1)
    assert desk.result() is None
    desk.hold("FLAT", 0, "NQ 12-26")
    desk.wait(1)
    assert desk.result() == "done"


def test_flatten_closes_what_nobody_knows(desk: Desk) -> None:
    shown = order(desk, instrument="NQ 12-26")
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    desk.look(asked(desk, "FLATTEN"))
    assert [placed(line)["instrument"] for line in desk.take()] == ["NQ 12-26"]


def test_flatten_of_one_side_leaves_what_nobody_knows(desk: Desk) -> None:
    desk.hold("LONG", 1)
    shown = order(desk, instrument="NQ 12-26")
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000")
    desk.look(shown, asked(desk, "FLATTEN", market_position="long"))
    desk.wait(2)
    assert desk.take() == [CLOSE]
    desk.hold("FLAT")
    desk.wait(1)
    assert desk.result() == "unresolved"
    reason = "NQ 12-26, Sim101: position_unknown: it may be on the other side"
    assert desk.state.instructions["close"].reason == reason


@pytest.mark.parametrize("before", ["UNKNOWN", "FLAT", "SHORT"])
def test_flatten_of_one_side_waits_for_what_is_about_to_be_on_it(desk: Desk, before: Any) -> None:
    if before != "UNKNOWN":
        desk.hold(before, int(before == "SHORT"))
    shown = order(desk, qty=2)
    desk.look(shown)
    desk.take()
    flatten = asked(desk, "FLATTEN", market_position="long")
    desk.look(shown, flatten)
    desk.wait(0.1)
    desk.say(LONG, "FILLED", 2, "5000")
    desk.wait(1)
    assert (desk.take(), desk.result()) == ([], None)
    desk.hold("LONG", 1)
    desk.wait(0.1)
    assert desk.take() == [CLOSE]


def test_flatten_of_one_side_leaves_what_may_be_on_the_other(desk: Desk) -> None:
    desk.hold("FLAT")
    shown = order(desk, action="SELL")
    desk.look(shown)
    desk.take()
    desk.look(shown, asked(desk, "FLATTEN", market_position="long"))
    desk.wait(0.1)
    desk.say(LONG, "FILLED", 1, "5000")
    desk.wait(2)
    assert (desk.take(), desk.result()) == ([], "unresolved")


def test_flatten_keeps_to_its_side_its_pair_and_its_key(desk: Desk) -> None:
    for values, closed in (
        ({"market_position": "long"}, ["ES 12-26"]),
        ({"market_position": "short"}, ["NQ 12-26"]),
        ({"instrument": "NQZ6"}, ["NQ 12-26"]),
        ({"account": "Sim102"}, []),
        ({"accounts": ("sim101",), "instruments": ("es dec26",)}, ["ES 12-26"]),
        ({"root": "NQ", "instrument": "NQ 12-26"}, ["NQ 12-26"]),
    ):
        desk = Desk().start()
        desk.hold("LONG", 1)
        desk.hold("SHORT", 2, "NQ 12-26")
        desk.look(asked(desk, "FLATTEN", **values))
        assert [placed(line)["instrument"] for line in desk.take()] == closed, values
        assert desk.result() == (None if closed else "blocked")


def test_the_worst_result_of_several_counts_and_names_its_pair(desk: Desk) -> None:
    desk.hold("LONG", 1)
    desk.hold("SHORT", 2, "NQ 12-26")
    desk.look(asked(desk, "FLATTEN"))
    desk.take()
    desk.hold("FLAT")
    desk.wait(60)
    assert desk.result() == "failed"
    assert str(desk.state.instructions["close"].reason).startswith("NQ 12-26, Sim101: the position was not seen flat")


def test_flatten_everything_ends_every_own_order_and_closes(desk: Desk) -> None:
    desk.hold("LONG", 1)
    desk.hold("FLAT", 0, "NQ 12-26")
    shown = order(desk, instrument="NQ 12-26", order_type="LIMIT", limit_price=Decimal(1))
    desk.look(shown)
    desk.take()
    desk.say(LONG, "WORKING")
    desk.look(shown, asked(desk, "FLATTENEVERYTHING"))
    assert sorted(desk.take()) == sorted([oif.cancel(LONG), CLOSE])
    desk.say(LONG, "CANCELLED")
    desk.hold("FLAT")
    desk.wait(1)
    assert (desk.result(), len(desk.effects)) != (None, 0)
    assert desk.result() == "done"


def test_what_opens_waits_for_a_flatten_that_may_close_its_pair(desk: Desk) -> None:
    desk.hold("LONG", 1, "NQ 12-26")
    everything = asked(desk, "FLATTEN")
    desk.wait(0.5)
    later = order(desk, instrument="NQ 12-26")
    desk.look(later, everything)
    assert [placed(line)["command"] for line in desk.take()] == ["CLOSEPOSITION"]


def test_a_root_means_every_month_that_is_held_or_worked(desk: Desk) -> None:
    desk.hold("LONG", 1)
    desk.hold("SHORT", 1, "ES 03-27")
    desk.hold("LONG", 1, "MES 12-26")
    ask(desk, root="ES")
    assert sorted(placed(line)["instrument"] for line in desk.take()) == ["ES 03-27", "ES 12-26"]


def test_a_root_goes_no_further_than_its_key(desk: Desk) -> None:
    for limits, closed in (
        (("ESZ6",), ["ES 12-26"]),
        (("ES1!",), ["ES 03-27", "ES 12-26"]),
        (("MES1!",), []),
        ((), ["ES 03-27", "ES 12-26"]),
    ):
        for values in ({"root": "ES", "instrument": "ES 12-26"}, {"root": "ES", "accounts": ("Sim101",)}):
            desk = Desk().start()
            desk.hold("LONG", 1)
            desk.hold("SHORT", 1, "ES 03-27")
            desk.look(asked(desk, "FLATTEN", instruments=limits, **values))
            assert sorted(placed(line)["instrument"] for line in desk.take()) == closed, limits


def test_a_key_s_continuous_contract_is_every_month_of_it(desk: Desk) -> None:
    desk.hold("LONG", 1)
    desk.hold("SHORT", 1, "ES 03-27")
    desk.hold("LONG", 1, "MES 12-26")
    desk.look(asked(desk, "FLATTEN", instruments=("ES1!",)))
    assert sorted(placed(line)["instrument"] for line in desk.take()) == ["ES 03-27", "ES 12-26"]


# Another journal


def test_what_another_journal_may_have_begun_is_closed_after_ten_seconds(desk: Desk) -> None:
    desk.hold("LONG", 1)
    closing = asked(desk)
    desk.wait(1)
    desk.look(owner="journal-2")
    desk.tell(Looked((), False, JOURNAL, owned_since="taken over", instructions=[closing]))
    desk.wait(9)
    assert desk.take() == []
    desk.wait(1)
    assert desk.take() == [CLOSE]


def test_orders_of_another_journal_are_ended_where_they_are_seen_alone(desk: Desk) -> None:
    older = order(desk)
    desk.wait(1)
    desk.look(owner="journal-2")
    desk.look(older, owned_since="taken over")
    desk.hold("LONG", 1)
    ask(desk, older, owned_since="taken over")
    assert desk.take() == [CLOSE]
    desk.wait(70)
    assert [line for line in lines(desk) if line == oif.cancel(LONG)] == []


def test_what_another_bridge_has_finished_is_left(desk: Desk) -> None:
    desk.hold("LONG", 1)
    closing = ask(desk)
    desk.take()
    desk.look(closing, owner="journal-2")
    desk.wait(100)
    desk.look(owner="journal-2")
    desk.look()
    desk.look(order(desk))
    assert [placed(line)["command"] for line in desk.take()] == ["PLACE"]
    assert len(closes(desk)) == 1


def test_a_close_that_an_operator_has_ended_after_its_stops_were_cancelled_rings(desk: Desk) -> None:
    have(desk)
    ask(desk)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    desk.look()
    assert (desk.result(), desk.alarms) == ("superseded", ["unprotected"])
    end(desk, STOP, TARGET)
    desk.wait(10)
    assert (desk.take(), desk.alarms) == ([], ["unprotected"])


# By an order of our own


def begin(desk: Desk, **values: Any) -> None:
    """Have a close be asked for that leaves pending entries alone, for an order received just now."""
    pair = ("flat-place", "Sim101", "ES 12-26")
    desk.do(lambda turn: begin_close(turn, *pair, desk.at, keeps_entries=True, **values))


def the_close(desk: Desk) -> Close:
    [close] = desk.state.closes.values()
    return close


def flat_place(desk: Desk) -> Order:
    """Return an order that waits for the close that it asks for."""
    return order(desk, "flat-place", order_type="LIMIT", limit_price=Decimal(1))


def test_what_keeps_entries_ends_the_legs_of_trades_and_closes_by_its_own_order(desk: Desk) -> None:
    shown = have(desk, qty=2)
    resting = order(desk, "resting", order_type="LIMIT", limit_price=Decimal(4900))
    desk.look(shown, resting)
    desk.take()
    desk.say(RESTING, "WORKING")
    desk.wait(1)
    desk.look(shown, resting, flat_place(desk), kill_switch=True)
    begin(desk)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    desk.wait(6)  # an order of our own is never sent beside a stop that works
    assert [line for line in desk.take() if line.startswith("PLACE")] == []
    end(desk, STOP, TARGET)
    [line] = desk.take()
    made = placed(line)
    assert (made["command"], made["action"], made["qty"], made["order_type"]) == ("PLACE", "SELL", "2", "MARKET")
    desk.say(made["order_id"], "FILLED", 2, "5001")
    assert the_close(desk).result is None
    desk.hold("FLAT")
    desk.wait(1)
    assert (the_close(desk).result, closes(desk), desk.alarms) == ("done", [], [])
    assert desk.state.venue_orders[RESTING].cancel is None


def test_what_keeps_entries_needs_the_number(desk: Desk) -> None:
    desk.look(flat_place(desk), kill_switch=True)
    begin(desk)
    assert (the_close(desk).result, str(the_close(desk).reason)[:16]) == ("failed", "position_unknown")


def test_what_keeps_entries_rings_where_its_stops_are_gone_and_the_number_is_not_known(desk: Desk) -> None:
    have(desk, 2)
    begin(desk)
    desk.take()
    desk.say(TARGET, "PARTFILLED", 1, "5010")
    desk.wait(0.1)
    end(desk, STOP)
    desk.say(TARGET, "CANCELLED", 1, "5010")
    desk.wait(3)
    assert (the_close(desk).result, desk.alarms) == (None, [])
    desk.wait(55)
    assert (the_close(desk).result, desk.alarms) == ("failed", ["unprotected"])


def test_an_order_that_closes_and_is_rejected_blocks_the_pair(desk: Desk) -> None:
    desk.hold("LONG", 1)
    desk.look(flat_place(desk), kill_switch=True)
    begin(desk)
    [line] = desk.take()
    desk.say(placed(line)["order_id"], "REJECTED")
    assert (the_close(desk).result, desk.alarms[-1], len(desk.state.blocks)) == ("failed", "close_failed", 1)
    desk.wait(100)
    assert desk.take() == []


def test_what_came_later_is_not_closed_with_what_was_there(desk: Desk) -> None:
    desk.hold("SHORT", 2)
    closing = asked(desk)
    desk.wait(1)
    later = order(desk, qty=3, legs=BRACKET)
    desk.look(later)  # the close came into the table after it
    desk.take()
    desk.wait(0.1)
    desk.say(LONG, "FILLED", 3, "5000")
    desk.wait(0.1)
    desk.hold("LONG", 1)
    desk.take()
    for leg in (STOP, TARGET):
        desk.say(leg, "WORKING")
    desk.take()
    desk.look(later, closing)
    [line] = desk.take()
    assert (placed(line)["action"], placed(line)["qty"], placed(line)["order_type"]) == ("BUY", "2", "MARKET")
    desk.say(placed(line)["order_id"], "FILLED", 2, "5001")
    desk.hold("LONG", 3)
    desk.wait(1)
    assert (desk.result(), desk.alarms, closes(desk)) == ("done", [], [])
    assert {desk.state.venue_orders[it].cancel for it in (STOP, TARGET)} == {None}


def test_what_only_came_later_is_no_position_of_an_earlier_close(desk: Desk) -> None:
    desk.hold("FLAT")
    closing = asked(desk)
    desk.wait(1)
    later = order(desk)
    desk.look(later)
    desk.take()
    desk.wait(0.1)
    desk.say(LONG, "FILLED", 1, "5000")
    desk.wait(0.1)
    desk.hold("LONG", 1)
    desk.look(later, closing)
    assert (desk.take(), desk.result()) == ([], "no_position")
