"""The engine gives a position a stop and a target (CANCELANDBRACKET): in place, or in the place of what works there."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge import oif
from bridge.events import ConnectionRead, FileMovedOut, LogLine, MoveOut, NinjaTraderStarted, PositionRead
from orderhook.bridge_messages import InstructionReport, Side
from orderhook.order_reports import made_order
from orderhook.orders import Order, timestamp
from orderhook.provenance import Provenance
from tests.bridge import START, Desk, asked, order, placed, want
from tests.unit.test_engine_sequences import LONG, STOP, TARGET, leg_order, protect, work

MADE_STOP, MADE_TARGET = oif.venue_id("move.1", 1), oif.venue_id("move.2", 1)
ES = "ES 12-26"


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def have(desk: Desk, quantity: int, side: Side = "LONG", average: str | None = "5000", instrument: str = ES) -> None:
    """Have a position file say what is open."""
    desk.at += timedelta(milliseconds=10)
    price = Decimal(average) if average else None
    desk.tell(PositionRead("Sim101", instrument, side if quantity else "FLAT", quantity, price))


def ask(desk: Desk, instruction_id: str = "move", *shown: Order, **values: Any) -> None:
    """Have the table show a CANCELANDBRACKET that has come just now, beside these orders."""
    fields = {"action": "BUY", "qty": 1, "stop_loss": "4995", "take_profit": "5020", **values}
    desk.at += timedelta(milliseconds=10)
    desk.look(*shown, asked=[asked(desk, "CANCELANDBRACKET", instruction_id, **fields)])


def result(desk: Desk, instruction_id: str = "move") -> InstructionReport | None:
    return next((it for it in reversed(desk.results) if it.instruction_id == instruction_id), None)


def result_of(desk: Desk, instruction_id: str = "move") -> tuple[str | None, str | None]:
    said = result(desk, instruction_id)
    return (said.result, said.reason) if said else (None, None)


def words(lines: list[str]) -> list[str]:
    """Return what lines ask for, in short."""
    fields = [placed(line) for line in lines]
    names = ("command", "action", "qty", "order_type", "limit_price", "stop_price")
    return sorted(" ".join(it[name] for name in names if it[name]) for it in fields)


def have_made(desk: Desk, quantity: int = 1, **values: Any) -> None:
    """Have a position that nobody protects be given a stop and a target, which work."""
    have(desk, quantity)
    ask(desk, qty=quantity, **values)
    desk.take()
    desk.say(MADE_STOP, "ACCEPTED")
    desk.take()
    desk.say(MADE_TARGET, "WORKING")
    assert result_of(desk) == ("done", None)


def end(desk: Desk, *venue_ids: str) -> None:
    for venue_id in venue_ids:
        desk.say(venue_id, "CANCELLED")


# What is refused, and touches nothing


@pytest.mark.parametrize(
    ("quantity", "side", "expected"),
    [
        (0, "FLAT", ("no_position", None)),
        (1, "SHORT", ("blocked", "the position is SHORT")),
        (None, "UNKNOWN", ("blocked", "position_unknown: NinjaTrader has not told the position since its start")),
    ],
)
def test_what_is_not_for_the_position_touches_nothing(
    desk: Desk, quantity: int | None, side: Side, expected: tuple[str, str | None]
) -> None:
    work(desk)
    if quantity is not None:
        have(desk, quantity, side)
    ask(desk)
    assert (result_of(desk), desk.take()) == (expected, [])
    assert desk.alarms == ["unprotected"] * (side != "FLAT")


def test_a_target_within_its_stop_is_not_sent(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk, stop_loss="5020", take_profit="5010")
    assert (result_of(desk), desk.take()) == (("failed", "the target 5010 is not beyond the stop 5020"), [])


def test_a_position_that_is_behind_a_fill_is_waited_for(desk: Desk) -> None:
    have(desk, 0)
    desk.wait(1)
    protect(desk)
    ask(desk)
    desk.wait(1)
    assert (result_of(desk), desk.take()) == ((None, None), [])
    have(desk, 1)
    assert words(desk.take()) == ["CHANGE 1 0 4995", "CHANGE 1 5020 0"]


def test_a_position_that_stays_behind_a_fill_blocks_and_touches_nothing(desk: Desk) -> None:
    have(desk, 0)
    desk.wait(1)
    protect(desk)
    ask(desk)
    desk.wait(2)
    assert result_of(desk) == ("blocked", "the position is not settled: a market order or a fill is under way")
    assert desk.take() == []


# In place


def test_legs_that_cover_the_position_are_changed_in_place(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk)
    assert sorted(desk.take()) == sorted(
        [oif.change(STOP, qty=1, stop_price=Decimal(4995)), oif.change(TARGET, qty=1, limit_price=Decimal(5020))]
    )
    assert result_of(desk) == (None, None)
    desk.say(STOP, "ACCEPTED")
    desk.say(TARGET, "WORKING")
    desk.wait(1)
    assert (result_of(desk), desk.take(), desk.alarms) == (("done", None), [], [])
    assert desk.last("long.STOP1").values["stop_price"] == "4995"
    assert desk.last("long.TARGET1").values["limit_price"] == "5020"


def test_pending_entries_end_though_legs_are_changed_in_place(desk: Desk) -> None:
    protect(desk)
    desk.look(more := order(desk, "more", order_type="LIMIT", limit_price=Decimal(4990)))
    desk.take()
    desk.say(oif.venue_id("request-more", 1), "WORKING")
    have(desk, 1)
    ask(desk, "move", more)
    assert "CANCEL" in words(desk.take())[0]


def test_what_was_received_later_is_left_alone(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    later = order(desk, "more", order_type="LIMIT", limit_price=Decimal(4990))
    it = asked(desk, "CANCELANDBRACKET", "move", action="BUY", qty=1, stop_loss="4995", take_profit="5020")
    desk.look(later, asked=[it._replace(received_at=timestamp(desk.at - timedelta(milliseconds=1)))])
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.say(TARGET, "WORKING")
    desk.wait(1)
    assert result_of(desk) == ("done", None)
    desk.look(later)
    assert words(desk.take()) == ["PLACE BUY 1 LIMIT 4990"]


def test_legs_of_two_fills_are_all_changed(desk: Desk) -> None:
    work(desk, qty=2)
    for filled in (1, 2):
        desk.say(LONG, "PARTFILLED" if filled == 1 else "FILLED", filled, "5000")
        desk.take()
        desk.say(oif.venue_id("request-long", 1, "STOP1", filled - 1), "ACCEPTED")
        desk.take()
        desk.say(oif.venue_id("request-long", 1, "TARGET1", filled - 1), "WORKING")
    have(desk, 2)
    ask(desk, qty=5)
    assert words(desk.take()) == ["CHANGE 1 0 4995"] * 2 + ["CHANGE 1 5020 0"] * 2


def test_a_stop_that_is_not_placed_yet_is_placed_with_the_new_price(desk: Desk) -> None:
    shown = work(desk)
    desk.look(shown, owner="another")  # it may not write when the fill comes
    desk.say(LONG, "FILLED", 1, "5000")
    have(desk, 1)
    ask(desk, "move", shown)
    assert words(desk.take()) == ["PLACE SELL 1 STOPMARKET 4995"]
    desk.say(STOP, "ACCEPTED")
    assert words(desk.take()) == ["PLACE SELL 1 LIMIT 5020"]
    desk.say(TARGET, "WORKING")
    assert result_of(desk) == ("done", None)


def test_a_change_that_is_refused_fails_and_the_old_stop_stays(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk)
    desk.take()
    text = f"Order='{STOP}' ... Unable to change order"
    desk.tell(LogLine(STOP, text, is_error=True))
    said, reason = result_of(desk)
    assert (said, str(reason).startswith("long.STOP1 keeps its price: NinjaTrader has refused")) == ("failed", True)
    desk.say(STOP, "ACCEPTED")
    assert desk.last("long.STOP1").values["stop_price"] == "4990"


def test_a_change_of_a_leg_that_came_later_counts(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    stop = leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(4997), want=want(desk, 2, "change"))
    it = asked(desk, "CANCELANDBRACKET", "move", action="BUY", qty=1, stop_loss="4995", take_profit="5020")
    desk.look(stop, asked=[it._replace(received_at=timestamp(desk.at - timedelta(milliseconds=1)))])
    assert words(desk.take()) == ["CHANGE 1 0 4997", "CHANGE 1 5020 0"]


def test_the_same_bracket_again_asks_for_nothing_and_is_done(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk, stop_loss="4990", take_profit="5010")
    assert (result_of(desk), desk.take()) == (("done", None), [])


# In the place of others


@pytest.mark.parametrize(
    "given",
    [
        {"take_profit": None},
        {"stop_loss": None, "stop_loss_limit": "4995", "stop_loss_stop": "4996"},
    ],
)
def test_other_kinds_take_the_place_of_what_works(desk: Desk, given: dict[str, Any]) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk, **given)
    assert sorted(desk.take()) == sorted([oif.cancel(STOP), oif.cancel(TARGET)])
    end(desk, TARGET)
    assert desk.take() == []
    end(desk, STOP)
    [line] = words(desk.take())
    expected = "STOPLIMIT 4995 4996" if "stop_loss_limit" in given else "STOPMARKET 4995"
    assert line == f"PLACE SELL 1 {expected}"
    assert desk.alarms == []


def test_the_target_follows_its_stop_in_one_new_group(desk: Desk) -> None:
    have(desk, 2)
    ask(desk, qty=2)
    [stop] = desk.take()
    assert (placed(stop)["order_id"], placed(stop)["tif"], placed(stop)["qty"]) == (MADE_STOP, "GTC", "2")
    desk.say(MADE_STOP, "ACCEPTED")
    [target] = desk.take()
    assert (placed(target)["order_id"], placed(target)["oco_id"]) == (MADE_TARGET, placed(stop)["oco_id"])
    assert result_of(desk) == (None, None)
    desk.say(MADE_TARGET, "WORKING")
    said = result(desk)
    assert said
    assert (said.result, said.order_ids) == ("done", ("move.1", "move.2"))


def test_the_quantity_is_what_is_open_then(desk: Desk) -> None:
    protect(desk)
    have(desk, 3)
    ask(desk, qty=5, take_profit=None)
    desk.take()
    end(desk, TARGET)
    end(desk, STOP)
    assert words(desk.take()) == ["PLACE SELL 3 STOPMARKET 4995"]


def test_a_stop_that_fills_while_it_is_cancelled_leaves_nothing_to_protect(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk, take_profit=None)
    desk.take()
    desk.wait(0.1)
    end(desk, TARGET)
    desk.say(STOP, "FILLED", 1, "4990")
    desk.wait(1)
    assert (desk.take(), result_of(desk)) == ([], (None, None))
    have(desk, 0)
    assert result_of(desk) == ("no_position", "own orders have closed it while they were being cancelled")
    assert (desk.take(), desk.alarms) == ([], [])


def test_a_position_that_stays_behind_the_fill_of_its_stop_counts_as_closed(desk: Desk) -> None:
    protect(desk)
    have(desk, 3)
    ask(desk, qty=3, take_profit=None)
    desk.take()
    desk.wait(0.1)
    end(desk, TARGET)
    desk.say(STOP, "FILLED", 1, "4990")
    desk.wait(2)
    assert words(desk.take()) == ["PLACE SELL 2 STOPMARKET 4995"]


def test_orders_that_do_not_end_are_not_doubled(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk, take_profit=None)
    for _ in range(6):
        desk.take()
        desk.wait(1)
    said, reason = result_of(desk)
    assert (said, "have not ended" in str(reason), desk.alarms) == ("failed", True, ["unprotected"])
    assert result(desk).alarms == ("unprotected",)  # type: ignore[union-attr]


def test_what_does_not_end_is_left_out_of_the_new_quantity(desk: Desk) -> None:
    protect(desk)
    have(desk, 3)
    ask(desk, qty=3, take_profit=None)
    lines = []
    for _ in range(6):
        lines += desk.take()
        desk.wait(1)
    assert "PLACE SELL 2 STOPMARKET 4995" in words(lines + desk.take())


def test_a_position_that_nobody_knows_any_more_is_told(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk, take_profit=None)
    desk.take()
    end(desk, TARGET)
    desk.tell(NinjaTraderStarted())
    desk.tell(ConnectionRead(connected=True))
    desk.wait(1)
    desk.take()
    end(desk, STOP)
    desk.wait(1)
    desk.take()
    assert (result_of(desk)[0], "unprotected" in desk.alarms) == ("failed", True)


def test_an_order_that_is_being_replaced_is_not_placed_again(desk: Desk) -> None:
    resting = order(desk, order_type="LIMIT", limit_price=Decimal(4990))
    desk.look(resting)
    desk.take()
    desk.say(LONG, "WORKING")
    other = resting._replace(order_type="STOPMARKET", limit_price=None, stop_price=Decimal(5050))
    desk.look(other._replace(want=want(desk, 2, "replace")))
    assert desk.take() == [oif.cancel(LONG)]
    have(desk, 1)
    ask(desk, "move", other._replace(want=want(desk, 2, "replace")), take_profit=None)
    end(desk, LONG)
    desk.wait(1)
    desk.look()
    assert words(desk.take()) == ["PLACE SELL 1 STOPMARKET 4995"]


def test_of_a_continuous_contract_the_month_that_is_held_is_meant(desk: Desk) -> None:
    have(desk, 2, instrument="ES 03-27")
    ask(desk, root="ES", qty=2, take_profit=None)
    [line] = desk.take()
    assert (placed(line)["instrument"], placed(line)["qty"]) == ("ES 03-27", "2")
    desk.say(MADE_STOP, "WORKING")
    assert result_of(desk) == ("done", None)


# The legs that are made


def made_item(desk: Desk, name: str = "move.1", **values: Any) -> Order:
    """Return a made leg as the table has it."""
    said = desk.last(name)
    assert said.made
    item = made_order(Provenance("main", "ninjatrader", said.placed_by, desk.at), name, said.made)
    return item._replace(**values)


@pytest.mark.parametrize(("answer", "lines"), [("close", ["PLACE SELL 1 MARKET"]), ("alarm", [])])
def test_a_made_stop_that_is_rejected_closes_the_position_or_rings(answer: Any, lines: list[str]) -> None:
    desk = Desk(stop_rejected=answer).start()
    have(desk, 1)
    ask(desk)
    desk.take()
    desk.tell(LogLine(MADE_STOP, "stop price above the market", is_error=True))
    desk.say(MADE_STOP, "REJECTED")
    assert (words(desk.take()), desk.alarms) == (lines, ["stop_rejected"])
    then = "is closed at the market" if answer == "close" else "has no stop"
    assert result_of(desk) == ("failed", f"move.1 was rejected: stop price above the market; its part {then}")


def test_a_second_bracket_changes_what_the_first_has_made(desk: Desk) -> None:
    have_made(desk)
    for number, price in enumerate(("4996", "4997", "4998")):
        ask(desk, f"move-{number}", stop_loss=price, take_profit="5020")
        assert desk.take() == [oif.change(MADE_STOP, qty=1, stop_price=Decimal(price))]
        desk.say(MADE_STOP, "ACCEPTED")
        desk.wait(1)
        assert result_of(desk, f"move-{number}") == ("done", None)
        assert desk.last("move.1").values["stop_price"] == price


@pytest.mark.parametrize(("open_", "qty"), [(3, 3), (3, 2)])
def test_a_second_bracket_takes_the_quantity_along(desk: Desk, open_: int, qty: int) -> None:
    have_made(desk)
    have(desk, open_)
    ask(desk, "again", qty=qty)
    assert words(desk.take()) == [f"CHANGE {qty} 0 4995", f"CHANGE {qty} 5020 0"]


def test_a_bracket_that_is_not_confirmed_gives_way_to_a_later_one(desk: Desk) -> None:
    have(desk, 1)
    ask(desk)
    desk.take()
    first = asked(desk, "CANCELANDBRACKET", "move", action="BUY", qty=1, stop_loss="4995", take_profit="5020")
    desk.at += timedelta(milliseconds=10)
    again = asked(desk, "CANCELANDBRACKET", "again", action="BUY", qty=1, stop_loss="4997", take_profit="5020")
    desk.look(asked=[first, again])
    assert result_of(desk) == ("superseded", "a later command cancels or changes its legs")
    desk.say(MADE_STOP, "ACCEPTED")
    assert words(desk.take()) == ["CHANGE 1 0 4997", "PLACE SELL 1 LIMIT 5020"]
    desk.say(MADE_STOP, "ACCEPTED")
    desk.say(MADE_TARGET, "WORKING")
    desk.wait(1)
    assert result_of(desk, "again") == ("done", None)


@pytest.mark.parametrize(("part", "expected"), [({}, "superseded"), ({"qty": 1}, None)])
def test_a_bracket_that_is_not_confirmed_gives_way_to_a_close_of_all(
    desk: Desk, part: dict[str, Any], expected: str | None
) -> None:
    have(desk, 2)
    ask(desk, qty=2)
    desk.take()
    first = asked(desk, "CANCELANDBRACKET", "move", action="BUY", qty=2, stop_loss="4995", take_profit="5020")
    desk.at += timedelta(milliseconds=10)
    desk.look(asked=[first, asked(desk, "CLOSEPOSITION", "close", **part)])
    assert result_of(desk)[0] == expected


def test_a_close_waits_while_no_stop_has_taken_the_place_of_the_old_one(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk, take_profit=None)
    desk.take()
    first = asked(desk, "CANCELANDBRACKET", "move", action="BUY", qty=1, stop_loss="4995")
    desk.at += timedelta(milliseconds=10)
    desk.look(asked=[first, asked(desk, "CLOSEPOSITION", "close")])
    assert result_of(desk) == (None, None)
    end(desk, TARGET, STOP)
    assert words(desk.take())[-1] == "PLACE SELL 1 STOPMARKET 4995"
    assert result_of(desk)[0] == "superseded"


def test_a_part_that_is_closed_is_left_out_and_taken_along_again(desk: Desk) -> None:
    have_made(desk, 3)
    desk.at += timedelta(milliseconds=10)
    desk.look(asked=[asked(desk, "CLOSEPOSITION", "close", qty=1)])
    assert words(desk.take()) == ["CHANGE 2 0 4995", "CHANGE 2 5020 0"]
    desk.say(MADE_STOP, "ACCEPTED")
    desk.say(MADE_TARGET, "WORKING")
    desk.wait(1)
    [line] = desk.take()
    desk.say(placed(line)["order_id"], "FILLED", 1, "5001")
    have(desk, 2)
    assert result_of(desk, "close")[0] == "done"
    ask(desk, "again", qty=2, stop_loss="4999")
    assert desk.take() == [oif.change(MADE_STOP, qty=2, stop_price=Decimal(4999))]


def test_a_part_fill_of_the_target_shrinks_the_stop(desk: Desk) -> None:
    have_made(desk, 3)
    desk.say(MADE_TARGET, "PARTFILLED", 1, "5020")
    assert desk.take() == [oif.change(MADE_STOP, qty=2, stop_price=Decimal(4995))]
    have(desk, 2)
    desk.say(MADE_STOP, "ACCEPTED")
    desk.wait(1)
    ask(desk, "again", qty=2, stop_loss="4999")
    assert desk.take() == [oif.change(MADE_STOP, qty=2, stop_price=Decimal(4999))]


def test_a_made_leg_that_fills_ends_its_partner_if_nt_does_not(desk: Desk) -> None:
    have_made(desk)
    desk.say(MADE_TARGET, "FILLED", 1, "5020")
    assert desk.take() == []
    desk.wait(2)
    assert desk.take() == [oif.cancel(MADE_STOP)]


def test_made_legs_of_a_position_that_is_closed_by_hand_are_cancelled(desk: Desk) -> None:
    have_made(desk)
    have(desk, 0)
    desk.wait(2)
    assert sorted(desk.take()) == sorted([oif.cancel(MADE_STOP), oif.cancel(MADE_TARGET)])
    assert desk.alarms == ["orphans_cancelled"]


def test_a_made_target_that_is_cancelled_by_its_id_has_its_stop_placed_again(desk: Desk) -> None:
    have_made(desk)
    stop, target = made_item(desk), made_item(desk, "move.2", want=want(desk, 2, "cancel"))
    desk.look(stop, target)
    assert desk.take() == [oif.cancel(MADE_TARGET)]
    end(desk, MADE_TARGET, MADE_STOP)
    [line] = desk.take()
    assert (placed(line)["order_id"], placed(line)["stop_price"]) == (oif.venue_id("move.1", 2), "4995")


def test_made_legs_that_are_cancelled_together_are_not_placed_again(desk: Desk) -> None:
    have_made(desk)
    desk.look(*(made_item(desk, name, want=want(desk, 2, "cancel")) for name in ("move.1", "move.2")))
    assert len(desk.take()) == 2
    end(desk, MADE_TARGET, MADE_STOP)
    desk.wait(5)
    assert desk.take() == []
    assert [desk.last(name).state for name in ("move.1", "move.2")] == ["Cancelled"] * 2


def test_a_change_of_a_made_stop_is_done(desk: Desk) -> None:
    have_made(desk)
    changed = made_item(desk, stop_price=Decimal(4999), want=want(desk, 2, "change"))
    desk.look(changed, made_item(desk, "move.2"))
    assert desk.take() == [oif.change(MADE_STOP, qty=1, stop_price=Decimal(4999))]
    desk.say(MADE_STOP, "ACCEPTED")
    desk.wait(1)
    assert desk.last("move.1").acked == 2


def test_another_quantity_of_a_made_leg_is_not_done_and_that_is_said(desk: Desk) -> None:
    have_made(desk, 2)
    changed = made_item(desk, qty=1, stop_price=Decimal(4999), want=want(desk, 2, "change"))
    desk.look(changed, made_item(desk, "move.2"))
    assert desk.take() == []
    said = desk.last("move.1")
    assert (said.acked, said.dropped, said.values["qty"]) == (2, 2, "2")
    assert "CANCELANDBRACKET" in str(said.reason)


# Restarts


def start_again(desk: Desk, *shown: Order, quantity: int = 1, **values: Any) -> None:
    """Lose everything but the journal, and start beside a NinjaTrader that has run on."""
    fields = {"action": "BUY", "qty": 1, "stop_loss": "4995", "take_profit": "5020", **values}
    asked_before = asked(desk, "CANCELANDBRACKET", "move", **fields)
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    have(desk, quantity)
    received_at = timestamp(START + timedelta(seconds=1))
    desk.look(*shown, asked=[asked_before._replace(received_at=received_at)])
    desk.take()
    desk.wait(1)


def test_a_crash_while_own_orders_end_is_gone_on_from(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk, take_profit=None)
    desk.take()
    start_again(desk, take_profit=None)
    desk.take()
    end(desk, TARGET)
    end(desk, STOP)
    assert words(desk.take()) == ["PLACE SELL 1 STOPMARKET 4995"]


def test_a_crash_while_the_made_stop_is_written_is_told_and_never_doubled(desk: Desk) -> None:
    have(desk, 1)
    ask(desk)
    start_again(desk)
    assert (desk.alarms, words(desk.take())) == (["unprotected"], [])
    assert [it for it in desk.effects if isinstance(it, MoveOut)][-1].name == oif.file_name(MADE_STOP)
    desk.tell(FileMovedOut(oif.file_name(MADE_STOP)))  # it lay there still
    desk.wait(1)
    assert "PLACE SELL 1 STOPMARKET 4995" in words(desk.take())


def test_a_crash_while_the_made_stop_is_written_is_unresolved_if_nobody_says_more(desk: Desk) -> None:
    have(desk, 1)
    ask(desk)
    start_again(desk)
    desk.wait(60)
    assert (result_of(desk)[0], words(desk.take())) == ("unresolved", [])
    assert desk.last("move.1").unresolved


@pytest.mark.parametrize("after", [0, 1])
def test_a_crash_after_the_stop_was_taken_brings_the_target(desk: Desk, after: int) -> None:
    have(desk, 1)
    ask(desk)
    desk.take()
    if after:
        desk.say(MADE_STOP, "ACCEPTED")
        desk.lines.clear()  # it dies before it writes that of the target
    start_again(desk)
    desk.say(MADE_STOP, "ACCEPTED")
    if after:
        desk.tell(FileMovedOut(oif.file_name(MADE_TARGET)))
        desk.wait(1)
    assert "PLACE SELL 1 LIMIT 5020" in words(desk.take())


def test_a_crash_while_legs_are_changed_in_place_changes_them_again(desk: Desk) -> None:
    protect(desk)
    have(desk, 1)
    ask(desk)
    desk.lines.clear()
    start_again(desk)
    assert desk.lines == {}
    desk.say(STOP, "ACCEPTED")
    desk.say(TARGET, "WORKING")
    desk.wait(1)
    assert result_of(desk) == ("done", None)


def test_another_journal_has_made_legs_end_and_makes_others(desk: Desk) -> None:
    have_made(desk)
    items = [made_item(desk, name) for name in ("move.1", "move.2")]
    other = Desk()
    other.at = START + timedelta(minutes=1)
    other.start()
    other.say(MADE_STOP, "WORKING")
    other.say(MADE_TARGET, "WORKING")
    have(other, 1)
    other.look(*items)
    other.wait(1)
    ask(other, "again", *items, stop_loss="4999")
    lines = other.take()
    assert oif.cancel(MADE_STOP) in lines
    end(other, MADE_STOP, MADE_TARGET)
    assert words(other.take()) == ["PLACE SELL 1 STOPMARKET 4999"]


def test_nothing_takes_the_place_of_an_order_of_which_nobody_knows_whether_it_works(desk: Desk) -> None:
    have_made(desk)
    items = [made_item(desk, name) for name in ("move.1", "move.2")]
    other = Desk()
    other.at = START + timedelta(minutes=1)
    other.start()
    have(other, 1)
    other.look(*items)
    ask(other, "again", *items, stop_loss="4999")
    why = "nobody knows what has become of move.1, move.2: see orderhook orders"
    assert (result_of(other, "again"), other.take()) == (("blocked", why), [])
    assert "unprotected" in other.alarms


def test_what_another_journal_was_at_is_unresolved(desk: Desk) -> None:
    have(desk, 1)
    it = asked(desk, "CANCELANDBRACKET", "move", action="BUY", qty=1, stop_loss="4995")
    desk.look(asked=[it._replace(received_at=timestamp(START - timedelta(minutes=1)))])
    assert desk.take() == []
    assert result_of(desk)[0] == "unresolved"
    assert desk.alarms == ["unprotected"]


def test_a_bracket_that_an_operator_has_ended_after_its_stops_were_cancelled_rings(desk: Desk) -> None:
    have_made(desk)
    ask(desk, "other", take_profit=None)
    assert "CANCEL" in " ".join(words(desk.take()))
    desk.look()
    assert (desk.state.instructions["other"].result, desk.alarms) == ("superseded", ["unprotected"])
