"""The engine keeps the legs of what is filled: what it writes, what it waits for, and what it reports meanwhile."""

from decimal import Decimal

import pytest

from bridge import oif
from bridge.events import Alarm
from orderhook.orders import Leg
from tests.bridge import JOURNAL, Desk, order, placed, want
from tests.unit.test_engine_sequences import BRACKET, LONG, STOP, TARGET, leg_at_venue, leg_order, protect, work

CLOSE = leg_at_venue("CLOSE1")
OFFSETS = {"STOP1": Leg("STOPMARKET", offset=Decimal(10)), "TARGET1": Leg("LIMIT", offset=Decimal(20))}


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def states(desk: Desk, name: str) -> list[str]:
    """Return the states that were reported of a leg, each once in a row."""
    reported = [str(report.state) for report in desk.reports if report.order_id == f"long.{name}"]
    return [state for state, before in zip(reported, [None, *reported], strict=False) if state != before]


def release(desk: Desk, *cancelled: str, owner: str = JOURNAL) -> None:
    """Have the table show the legs as items of their own, of which some are to be cancelled."""
    desk.look(
        *(
            leg_order(
                desk,
                name,
                order_type=leg.order_type,
                limit_price=leg.limit_price,
                stop_price=leg.stop_price,
                want=want(desk, 2, "cancel") if name in cancelled else want(desk),
            )
            for name, leg in BRACKET.items()
        ),
        owner=owner,
    )


# Prices


@pytest.mark.parametrize(("action", "stop", "target"), [("BUY", "4990.25", "5020.25"), ("SELL", "5010.25", "4980.25")])
def test_an_offset_is_a_price_on_its_legs_side_to_the_nearest_tick(action: str, stop: str, target: str) -> None:
    desk = Desk(tick_of=lambda _: Decimal("0.25")).start()
    desk.look(order(desk, action=action, legs=OFFSETS))
    desk.take()
    desk.say(LONG, "FILLED", 1, "5000.125")
    [line] = desk.take()
    assert placed(line)["stop_price"] == stop
    desk.say(STOP, "ACCEPTED")
    [line] = desk.take()
    assert placed(line)["limit_price"] == target


def test_offsets_count_from_the_stop_price_of_an_entry_that_has_no_limit(desk: Desk) -> None:
    desk.look(order(desk, order_type="STOPMARKET", stop_price=Decimal(5000), legs=OFFSETS))
    desk.take()
    desk.say(LONG, "FILLED", 1)
    assert [placed(line)["stop_price"] for line in desk.take()] == ["4990"]


def test_a_price_that_a_leg_was_given_takes_the_place_of_its_offset(desk: Desk) -> None:
    work(desk, legs={"STOP1": OFFSETS["STOP1"]._replace(stop_price=Decimal(4995))})
    desk.say(LONG, "FILLED", 1, "5000")
    assert [placed(line)["stop_price"] for line in desk.take()] == ["4995"]


def test_a_target_that_works_gets_another_price(desk: Desk) -> None:
    protect(desk)
    desk.look(leg_order(desk, "TARGET1", order_type="LIMIT", limit_price=Decimal(5020), want=want(desk, 2, "change")))
    assert desk.take() == [oif.change(TARGET, qty=1, limit_price=Decimal(5020))]


def test_the_pairs_of_two_fills_are_two_groups(desk: Desk) -> None:
    work(desk, qty=2)
    groups = []
    for start in (0, 1):
        desk.say(LONG, "PARTFILLED" if start == 0 else "FILLED", start + 1, "5000")
        lines = desk.take()
        desk.say(leg_at_venue("STOP1", start), "ACCEPTED")
        groups.append({placed(line)["oco_id"] for line in (*lines, *desk.take())})
    assert groups == [{oif.venue_id("request-long", "OCO", "1", start)} for start in (0, 1)]


# A stop that cannot work


def reject_stop(desk: Desk) -> None:
    """Have NinjaTrader reject a stop limit while its target works: that is to end first."""
    protect(desk, legs={**BRACKET, "STOP1": Leg("STOPLIMIT", Decimal(4989), Decimal(4990), oco_id="group")})
    desk.say(STOP, "REJECTED")
    assert desk.take() == [oif.cancel(TARGET)]


def test_a_rejected_stop_closes_its_part_once_its_target_has_ended(desk: Desk) -> None:
    reject_stop(desk)
    desk.wait(1)
    assert (desk.take(), states(desk, "STOP1")[-1]) == ([], "Initialized")
    desk.say(TARGET, "CANCELLED")
    [line] = desk.take()
    fields = ("order_id", "action", "qty", "order_type", "limit_price", "stop_price", "tif")
    assert [placed(line)[name] for name in fields] == [CLOSE, "SELL", "1", "MARKET", "", "", "GTC"]
    desk.say(CLOSE, "FILLED", 1, "4988")
    desk.wait(5)
    assert (desk.take(), desk.alarms) == ([], ["stop_rejected"])
    assert (desk.last("long.STOP1").state, desk.last("long.STOP1").filled) == ("Filled", 1)


def test_the_part_of_each_fill_is_closed_by_an_order_of_its_own(desk: Desk) -> None:
    work(desk, qty=2, legs={"STOP1": BRACKET["STOP1"]})
    closed = []
    for start in (0, 1):
        desk.say(LONG, "PARTFILLED" if start == 0 else "FILLED", start + 1, "5000")
        desk.take()
        desk.say(leg_at_venue("STOP1", start), "REJECTED")
        closed += [(placed(line)["order_id"], placed(line)["qty"]) for line in desk.take()]
    assert closed == [(leg_at_venue("CLOSE1", start), "1") for start in (0, 1)]


def test_what_closes_is_not_written_by_a_bridge_that_may_not_write(desk: Desk) -> None:
    reject_stop(desk)
    desk.look(owner="another")
    desk.say(TARGET, "CANCELLED")
    assert desk.take() == []
    desk.look()
    assert [placed(line)["order_id"] for line in desk.take()] == [CLOSE]


def test_what_closes_is_tried_again_where_it_certainly_was_not_written(desk: Desk) -> None:
    reject_stop(desk)
    desk.say(TARGET, "CANCELLED")
    desk.refuse_file("no such folder")
    assert desk.take() == []
    desk.wait(10)
    assert [placed(line)["order_id"] for line in desk.take()] == [CLOSE]


def test_a_change_of_a_rejected_target_is_dropped(desk: Desk) -> None:
    protect(desk)
    desk.say(TARGET, "REJECTED")
    desk.say(STOP, "WORKING")
    desk.look(leg_order(desk, "TARGET1", order_type="LIMIT", limit_price=Decimal(5020), want=want(desk, 2, "change")))
    assert (desk.last("long.TARGET1").acked, desk.last("long.TARGET1").dropped) == (2, 2)


# What is still to be placed is not at its end


def test_legs_that_cannot_be_sent_are_not_reported_as_ended(desk: Desk) -> None:
    work(desk)
    desk.look(owner="another")
    desk.say(LONG, "FILLED", 1, "5000")
    release(desk, owner="another")
    desk.wait(4)
    assert desk.alarms == []
    desk.wait(1)
    [alarm] = [effect for effect in desk.effects if isinstance(effect, Alarm)]
    assert alarm == Alarm("unprotected", "long.STOP1: its stop cannot be sent: no file would be read")
    assert [states(desk, name) for name in BRACKET] == [["Initialized"]] * 2


def test_a_stop_that_nt_says_nothing_of_rings_after_five_seconds(desk: Desk) -> None:
    work(desk)
    desk.say(LONG, "FILLED", 1, "5000")
    desk.take()
    release(desk)
    desk.wait(4.9)
    assert desk.alarms == []
    desk.wait(0.1)
    [alarm] = [effect for effect in desk.effects if isinstance(effect, Alarm)]
    assert alarm == Alarm("unprotected", f"long.STOP1: nobody knows whether the stop {STOP} is at the venue")
    assert states(desk, "TARGET1") == ["Initialized"]
    desk.say(STOP, "ACCEPTED")
    assert [placed(line)["order_id"] for line in desk.take()] == [TARGET]


def test_a_target_that_follows_the_end_of_its_stop_is_not_reported_as_ended(desk: Desk) -> None:
    work(desk)
    desk.say(LONG, "FILLED", 1, "5000")
    desk.take()
    release(desk, "STOP1")
    desk.wait(1)
    assert (states(desk, "TARGET1"), desk.take()) == (["Initialized"], [])
    desk.say(STOP, "WORKING")
    assert desk.take() == [oif.cancel(STOP)]
    desk.say(STOP, "CANCELLED")
    assert [placed(line)["order_id"] for line in desk.take()] == [TARGET]


def test_a_stop_that_ends_with_its_cancelled_target_goes_on(desk: Desk) -> None:
    protect(desk)
    desk.look(leg_order(desk, "TARGET1", order_type="LIMIT", want=want(desk, 2, "cancel")))
    assert desk.take() == [oif.cancel(TARGET)]
    desk.say(STOP, "CANCELLED")
    assert desk.take() == []
    desk.say(TARGET, "CANCELLED")
    assert [placed(line)["order_id"] for line in desk.take()] == [leg_at_venue("STOP1", generation=2)]
    assert "Cancelled" not in states(desk, "STOP1")
    assert desk.alarms == []


def test_a_stop_that_nobody_has_ended_counts_as_ended_after_two_seconds(desk: Desk) -> None:
    protect(desk)
    desk.say(STOP, "CANCELLED")
    desk.wait(1.9)
    assert (desk.alarms, "Cancelled" in states(desk, "STOP1")) == ([], False)
    desk.wait(0.1)
    [alarm] = [effect for effect in desk.effects if isinstance(effect, Alarm)]
    assert alarm == Alarm("unprotected", f"long.STOP1: the stop {STOP} is Cancelled, with 1 open")
    assert states(desk, "STOP1")[-1] == "Cancelled"
    desk.look(leg_order(desk, "TARGET1", order_type="LIMIT", limit_price=Decimal(5020), want=want(desk, 2, "change")))
    assert desk.take() == [oif.change(TARGET, qty=1, limit_price=Decimal(5020))]


def test_a_target_that_is_to_be_placed_again_is_not_reported_as_ended(desk: Desk) -> None:
    protect(desk)
    desk.look(leg_order(desk, "STOP1", order_type="STOPMARKET", want=want(desk, 2, "cancel")))
    assert desk.take() == [oif.cancel(STOP)]
    desk.say(STOP, "CANCELLED")
    desk.look(owner="another")
    desk.say(TARGET, "CANCELLED")
    assert (desk.take(), "Cancelled" in states(desk, "TARGET1")) == ([], False)
    desk.look()
    assert [placed(line)["order_id"] for line in desk.take()] == [leg_at_venue("TARGET1", generation=2)]


def test_a_stop_that_was_not_seen_and_one_that_ends_ring_each(desk: Desk) -> None:
    work(desk)
    desk.say(LONG, "FILLED", 1, "5000")
    desk.take()
    desk.wait(5)
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.say(TARGET, "WORKING")
    desk.say(STOP, "CANCELLED")
    desk.wait(2)
    assert desk.alarms == ["unprotected", "unprotected"]


def test_a_change_that_was_done_is_not_dropped_when_its_stop_ends(desk: Desk) -> None:
    protect(desk)
    release(desk)
    desk.look(
        leg_order(desk, order_type="STOPMARKET", stop_price=Decimal(4985), want=want(desk, 2, "change"), oco_id="group")
    )
    assert desk.take() == [oif.change(STOP, qty=1, stop_price=Decimal(4985))]
    desk.say(STOP, "ACCEPTED")
    desk.wait(1)
    assert desk.last("long.STOP1").acked == 2
    desk.say(STOP, "CANCELLED")
    desk.wait(2)
    report = desk.last("long.STOP1")
    assert (report.state, report.acked, report.dropped, desk.alarms) == ("Cancelled", 2, 0, ["unprotected"])


# What is closed


def test_the_partner_of_a_leg_that_has_filled_is_cancelled_after_two_seconds(desk: Desk) -> None:
    protect(desk)
    desk.say(STOP, "FILLED", 1, "4990")
    desk.wait(1.9)
    assert desk.take() == []
    desk.wait(0.1)
    assert desk.take() == [oif.cancel(TARGET)]


def test_a_bridge_that_may_not_write_cancels_no_partner_until_it_may(desk: Desk) -> None:
    protect(desk)
    desk.say(STOP, "FILLED", 1, "4990")
    desk.look(owner="another")
    desk.wait(2)
    assert desk.take() == []
    desk.look()
    assert desk.take() == [oif.cancel(TARGET)]


def test_a_cancel_by_name_of_what_is_being_cancelled_is_refused_with_that(desk: Desk) -> None:
    protect(desk)
    desk.say(STOP, "FILLED", 1, "4990")
    desk.wait(2)
    assert desk.take() == [oif.cancel(TARGET)]
    desk.look(leg_order(desk, "TARGET1", order_type="LIMIT", want=want(desk, 2, "cancel")))
    assert desk.take() == []
    for _ in range(66):
        desk.wait(1)
        desk.take()
    report = desk.last("long.TARGET1")
    assert (report.state, report.acked, report.reason) == ("Working", 2, "the cancel was refused")
    assert desk.alarms == ["cancel_refused"]


def test_legs_that_have_closed_more_than_was_filled_ring(desk: Desk) -> None:
    protect(desk)
    desk.say(STOP, "FILLED", 1, "4990")
    desk.say(TARGET, "FILLED", 1, "5010")
    assert desk.alarms == ["overfill"]
