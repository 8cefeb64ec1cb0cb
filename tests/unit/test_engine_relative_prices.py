"""The engine makes the prices of legs that count from the fill, in points or percent, and tells of them."""

from decimal import Decimal

import pytest

from bridge import oif
from bridge.events import LogLine
from orderhook.orders import Leg, Order
from tests.bridge import START, Desk, order, placed, want
from tests.unit.test_engine_sequences import LONG, STOP, TARGET, leg_at_venue, leg_order

TICK = Decimal("0.25")
IN_PERCENT = {
    "STOP1": Leg("STOPMARKET", offset=Decimal("0.5"), in_percent=True, oco_id="group"),
    "TARGET1": Leg("LIMIT", offset=Decimal(1), in_percent=True, oco_id="group"),
}
STOP_LIMIT = {"STOP1": Leg("STOPLIMIT", offset=Decimal(10), limit_offset=Decimal(12))}


@pytest.fixture
def desk() -> Desk:
    return Desk(tick_of=lambda _: TICK).start()


def fill(desk: Desk, average: str | None = "5000", **values: object) -> Order:
    """Have an entry be placed and filled whole; returns it as the table has it."""
    shown = order(desk, **{"legs": IN_PERCENT, **values})  # type: ignore[arg-type]
    desk.look(shown)
    desk.take()
    desk.say(LONG, "FILLED", shown.qty, average)
    return shown


def prices(line: str) -> tuple[str, str]:
    return placed(line)["stop_price"], placed(line)["limit_price"]


@pytest.mark.parametrize(("action", "stop", "target"), [("BUY", "4975.25", "5050.25"), ("SELL", "5025.25", "4950.25")])
def test_percent_counts_from_the_fill_to_the_nearest_tick(desk: Desk, action: str, stop: str, target: str) -> None:
    fill(desk, "5000.25", action=action)
    [line] = desk.take()
    assert prices(line) == (stop, "")
    desk.say(STOP, "ACCEPTED")
    [line] = desk.take()
    assert prices(line) == ("", target)


def test_a_price_of_an_unlisted_instrument_is_not_rounded_to_a_tick() -> None:
    desk = Desk().start()
    fill(desk, "5000.25")
    [line] = desk.take()
    assert prices(line) == ("4975.24875", "")


@pytest.mark.parametrize(
    ("action", "in_percent", "expected"),
    [("BUY", False, ("4990", "4988")), ("SELL", False, ("5010", "5012")), ("BUY", True, ("4500", "4400"))],
)
def test_a_stop_limit_has_both_its_prices_from_the_fill(
    desk: Desk, action: str, in_percent: bool, expected: tuple[str, str]
) -> None:
    fill(desk, action=action, legs={"STOP1": STOP_LIMIT["STOP1"]._replace(in_percent=in_percent)})
    [line] = desk.take()
    assert (placed(line)["order_type"], prices(line)) == ("STOPLIMIT", expected)


def test_all_pairs_count_from_the_average_at_the_first_fill(desk: Desk) -> None:
    desk.look(order(desk, qty=2, legs=STOP_LIMIT))
    desk.take()
    desk.say(LONG, "PARTFILLED", 1, "5000")
    desk.say(LONG, "FILLED", 2, "5001")
    assert {prices(line) for line in desk.take()} == {("4990", "4988")}


def test_a_stop_that_rounds_to_the_fill_closes_its_part(desk: Desk) -> None:
    fill(desk, legs={"STOP1": Leg("STOPMARKET", offset=Decimal("0.1"))})
    [line] = desk.take()
    assert (placed(line)["order_type"], desk.alarms) == ("MARKET", ["stop_on_wrong_side"])


def test_a_target_that_rounds_to_the_fill_is_told_of_and_not_sent(desk: Desk) -> None:
    fill(desk, legs={"TARGET1": Leg("LIMIT", offset=Decimal("0.1"))})
    assert (desk.take(), desk.alarms) == ([], ["target_not_sent"])


def test_a_stop_below_zero_is_told_of_and_not_sent(desk: Desk) -> None:
    fill(desk, "5", legs={"STOP1": Leg("STOPMARKET", offset=Decimal(10))})
    assert (desk.take(), desk.alarms) == ([], ["unprotected"])


def test_the_prices_that_were_made_are_told(desk: Desk) -> None:
    fill(desk, legs={name: leg._replace(want=want(desk)) for name, leg in IN_PERCENT.items()})
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    desk.say(TARGET, "WORKING")
    stop, target = desk.last("long.STOP1"), desk.last("long.TARGET1")
    assert (stop.values["stop_price"], target.values["limit_price"]) == ("4975", "5050")
    assert (stop.acked, target.acked) == (1, 1)


def test_a_distance_that_came_while_the_entry_filled_is_done_and_answered(desk: Desk) -> None:
    shown = fill(desk, order_type="LIMIT", limit_price=Decimal(5000))
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    again = IN_PERCENT["STOP1"]._replace(offset=Decimal("0.2"), want=want(desk, 2, "replace"))
    desk.look(shown._replace(legs={**IN_PERCENT, "STOP1": again}))
    assert desk.take() == [oif.change(STOP, qty=1, stop_price=Decimal(4990))]
    desk.say(STOP, "ACCEPTED")
    desk.wait(1)
    said = desk.last("long.STOP1")
    assert (said.acked, said.values["stop_price"]) == (2, "4990")


def test_a_waiting_leg_takes_a_price_and_then_a_distance_again(desk: Desk) -> None:
    entry = order(desk, order_type="LIMIT", limit_price=Decimal(5000), legs=IN_PERCENT)
    desk.look(entry)
    desk.take()
    desk.say(LONG, "WORKING")
    stop = IN_PERCENT["STOP1"]
    fixed = Leg("STOPMARKET", stop_price=Decimal(4999), oco_id="group", want=want(desk, 2, "change"))
    desk.look(entry._replace(legs={**IN_PERCENT, "STOP1": fixed}))
    assert desk.last("long.STOP1").acked == 2
    again = stop._replace(offset=Decimal("0.2"), want=want(desk, 3, "replace"))
    desk.look(entry._replace(legs={**IN_PERCENT, "STOP1": again}))
    assert desk.last("long.STOP1").acked == 3
    desk.say(LONG, "FILLED", 1, "5000")
    [line] = desk.take()
    assert prices(line) == ("4990", "")


def test_a_waiting_leg_with_a_price_has_that_one(desk: Desk) -> None:
    entry = order(desk, order_type="LIMIT", limit_price=Decimal(5000), legs=IN_PERCENT)
    desk.look(entry)
    desk.take()
    desk.say(LONG, "WORKING")
    fixed = Leg("STOPMARKET", stop_price=Decimal(4999), oco_id="group", want=want(desk, 2, "change"))
    desk.look(entry._replace(legs={**IN_PERCENT, "STOP1": fixed}))
    desk.say(LONG, "FILLED", 1, "5000")
    [line] = desk.take()
    assert prices(line) == ("4999", "")


def test_a_change_that_is_dropped_tells_the_distance_that_stays(desk: Desk) -> None:
    legs = {"STOP1": STOP_LIMIT["STOP1"]._replace(in_percent=True)}
    entry = order(desk, order_type="LIMIT", limit_price=Decimal(5000), legs=legs)
    desk.look(entry)
    desk.take()
    desk.say(LONG, "WORKING")
    asked = want(desk, 2, "replace")
    fixed = Leg("STOPMARKET", stop_price=Decimal(5090), want=asked._replace(of=2))
    desk.look(entry._replace(limit_price=Decimal(5100), want=asked, legs={"STOP1": fixed}))
    desk.take()
    desk.tell(LogLine(LONG, f"Order='{LONG}' Unable to change order", is_error=True))
    said = desk.last("long.STOP1")
    assert (said.dropped, said.values["offset"], said.values["limit_offset"]) == (2, "10%", "12%")


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_restart_makes_the_same_prices(desk: Desk, seconds: int) -> None:
    entry = order(desk, qty=2, legs=IN_PERCENT)
    desk.look(entry)
    desk.take()
    desk.say(LONG, "PARTFILLED", 1, "5000")
    lines = desk.take()
    desk.wait(seconds)
    desk.crash()
    desk.start()
    desk.look(entry)
    desk.say(LONG, "FILLED", 2, "5002")
    lines += [line for line in desk.take() if line.startswith("PLACE")]
    assert [prices(line) for line in lines] == [("4975", "")] * 2
    assert {placed(line)["order_id"] for line in lines} == {leg_at_venue("STOP1", start) for start in (0, 1)}


def test_another_journal_sends_no_leg_that_counts_from_the_fill(desk: Desk) -> None:
    other = Desk(tick_of=lambda _: TICK)
    shown = order(other, received_at=order(desk).received_at, legs=IN_PERCENT)
    other.at = START.replace(hour=13)
    other.start().look(shown)
    other.say(LONG, "FILLED", 1, "5000")
    assert [line for line in other.take() if line.startswith("PLACE")] == []
    assert other.alarms == ["unprotected"]


def test_a_released_leg_gets_another_price(desk: Desk) -> None:
    fill(desk)
    desk.take()
    desk.say(STOP, "ACCEPTED")
    desk.take()
    changed = leg_order(
        desk, order_type="STOPMARKET", stop_price=Decimal(4990),
        offset=Decimal("0.5"), in_percent=True, want=want(desk, 2, "change"),
    )  # fmt: skip
    desk.look(changed)
    assert desk.take() == [oif.change(STOP, qty=1, stop_price=Decimal(4990))]
