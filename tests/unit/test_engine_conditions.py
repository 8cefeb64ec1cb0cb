"""What the engine asks of positions before it places an order, and what it closes before."""

from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any, get_args

import pytest

from bridge import oif
from bridge.events import (
    ConnectionRead,
    FlatConfirmed,
    Looked,
    NinjaTraderStarted,
    NinjaTraderStopped,
    PositionRead,
    SendReport,
)
from orderhook.bridge_messages import InstructionReport, Side
from orderhook.conditions import Conditions, MarketSide, Sync
from orderhook.instructions import Instruction
from orderhook.orders import Action, Leg, Order, OrderState, TimeInForce, timestamp
from orderhook.venues import NINJATRADER
from tests.bridge import JOURNAL, Desk, order, placed, want

SIDES: tuple[Side, ...] = get_args(Side)
SETS = [each for size in (1, 2, 3) for each in combinations(get_args(MarketSide), size)]

STEP = timedelta(milliseconds=100)


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def be(desk: Desk, side: Side, qty: int = 1, instrument: str = "ES 12-26") -> None:
    """Have NinjaTrader write a position, or say nothing of it."""
    if side == "UNKNOWN":
        return
    quantity = 0 if side == "FLAT" else qty
    desk.tell(PositionRead("Sim101", instrument, side, quantity, Decimal(5000) if quantity else None))


def ask(desk: Desk, conditions: Conditions, order_id: str = "long", **values: Any) -> Order:
    """Show an order with conditions besides what the table has already."""
    shown = order(desk, order_id, conditions=conditions, **values)
    desk.look(*others(desk, order_id), shown)
    return shown


def others(desk: Desk, order_id: str) -> list[Order]:
    """Return the orders that the table still has."""
    known = [it for it in desk.state.orders.values() if not (it.is_closed or it.leg or it.made_by)]
    known = [it for it in known if it.order_id != order_id]
    return [order(desk, it.order_id, **_values(it)) for it in known]


def _values(known: Any) -> dict[str, Any]:
    names = ("instrument", "action", "qty", "order_type", "limit_price", "tif")
    return {name: getattr(known, name) for name in names} | {"state": OrderState.WORKING}


def sent(desk: Desk) -> list[str]:
    """Have NinjaTrader take what is there; return the orders that are placed, by their ids in the table."""
    lines = [placed(line) for line in desk.take() if line.startswith("PLACE")]
    return [desk.state.venue_orders[line["order_id"]].order_id for line in lines]


def end_of(desk: Desk, order_id: str = "long") -> tuple[OrderState | None, str]:
    """Return the end of an order, and the word that begins its reason."""
    reports = [it for it in desk.reports if it.order_id == order_id]
    if not reports:
        return None, ""
    return reports[-1].state, (reports[-1].reason or "").partition(":")[0]


def in_flight(desk: Desk, instrument: str = "ES 12-26", order_id: str = "first") -> str:
    """Have a MARKET order be at the venue of which nothing was read; return its id there."""
    desk.look(*others(desk, order_id), order(desk, order_id, instrument=instrument))
    assert sent(desk) == [order_id]
    return oif.venue_id(f"request-{order_id}", 1)


def unsettle(desk: Desk, how: str) -> str:
    """Have a position be about to change."""
    venue_id = in_flight(desk)
    if how == "filled":
        desk.wait(0.1)
        desk.say(venue_id, "FILLED", 1, "5000")
    return venue_id


def restart(desk: Desk, side: Side) -> None:
    """Have the bridge crash and start again, beside a NinjaTrader that runs on."""
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    be(desk, side)


REJECTED = OrderState.REJECTED


# require_market_position


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("allowed", SETS)
def test_an_order_is_placed_where_its_position_is_one_of_those_asked(
    desk: Desk, side: Side, allowed: tuple[MarketSide, ...]
) -> None:
    be(desk, side)
    ask(desk, Conditions(require_market_position=allowed))
    if side.lower() in allowed:
        assert sent(desk) == ["long"]
    else:
        why = "position_unknown" if side == "UNKNOWN" else "blocked"
        assert (sent(desk), end_of(desk)) == ([], (REJECTED, why))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("how", ["in flight", "filled"])
@pytest.mark.parametrize("condition", [{"require_market_position": get_args(MarketSide)}, {"reverses": True}])
def test_a_position_that_is_about_to_change_is_waited_for_and_not_for_ever(
    desk: Desk, side: Side, how: str, condition: dict[str, Any]
) -> None:
    be(desk, side)
    unsettle(desk, how)
    ask(desk, Conditions(**condition))
    desk.wait(1.9)
    assert (sent(desk), end_of(desk)) == ([], (None, ""))
    desk.wait(0.1)
    desk.wait(0.1)
    assert (sent(desk), end_of(desk)) == ([], (REJECTED, "position_unknown" if side == "UNKNOWN" else "blocked"))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("allowed", SETS)
@pytest.mark.parametrize("how", ["in flight", "filled"])
def test_a_position_that_settles_in_time_counts_as_it_is_then(
    desk: Desk, side: Side, allowed: tuple[MarketSide, ...], how: str
) -> None:
    be(desk, side)
    venue_id = unsettle(desk, how)
    ask(desk, Conditions(require_market_position=allowed))
    desk.wait(1)
    desk.say(venue_id, "FILLED", 1, "5000")
    be(desk, "LONG")
    desk.wait(0.1)
    assert sent(desk) == (["long"] if "long" in allowed else [])
    if "long" not in allowed:
        assert end_of(desk) == (REJECTED, "blocked")


@pytest.mark.parametrize("seen", [False, True])
def test_an_order_of_which_nobody_knows_is_waited_for_a_minute_at_most(desk: Desk, seen: bool) -> None:
    venue_id = in_flight(desk)
    if seen:
        desk.say(venue_id, "WORKING")
        desk.tell(NinjaTraderStarted())
        desk.tell(ConnectionRead(connected=True))
        desk.take()
    be(desk, "LONG")
    desk.wait(61)
    assert desk.last("first").unresolved
    ask(desk, Conditions(require_market_position=("long",)))
    assert sent(desk) == ["long"]


def test_a_working_entry_does_not_count_for_require_market_position(desk: Desk) -> None:
    be(desk, "FLAT")
    desk.look(order(desk, "resting", order_type="LIMIT", limit_price=Decimal(4000)))
    desk.take()
    desk.say(oif.venue_id("request-resting", 1), "WORKING")
    ask(desk, Conditions(require_market_position=("flat",)))
    assert sent(desk) == ["long"]


def test_require_flat_sent_twice_in_one_bar_opens_once(desk: Desk) -> None:
    be(desk, "FLAT")
    flat = Conditions(require_market_position=("flat",))
    desk.look(order(desk, conditions=flat), order(desk, "twin", conditions=flat))
    assert sent(desk) == ["long"]
    desk.wait(0.2)
    desk.say(oif.venue_id("request-long", 1), "FILLED", 1, "5000")
    desk.wait(0.2)
    be(desk, "LONG")
    desk.wait(0.1)
    assert (sent(desk), end_of(desk, "twin")) == ([], (REJECTED, "blocked"))


def test_what_waits_for_its_conditions_is_told_as_initialized_and_can_be_cancelled(desk: Desk) -> None:
    be(desk, "FLAT")
    unsettle(desk, "in flight")
    shown = ask(desk, Conditions(require_market_position=("flat",)))
    desk.wait(1)
    assert not [it for it in desk.reports if it.order_id == "long"]
    desk.look(*others(desk, "long"), shown._replace(want=want(desk, 2, "cancel")))
    assert end_of(desk) == (OrderState.CANCELLED, "cancelled before it was sent")
    desk.wait(3)
    assert sent(desk) == []


def test_what_waits_too_long_for_the_table_is_too_late(desk: Desk) -> None:
    be(desk, "FLAT")
    unsettle(desk, "in flight")
    ask(desk, Conditions(require_market_position=("flat",)))
    desk.wait(31)
    assert (sent(desk), end_of(desk)) == ([], (REJECTED, "too late"))


def test_what_waits_is_refused_as_soon_as_the_kill_switch_is_on(desk: Desk) -> None:
    be(desk, "FLAT")
    unsettle(desk, "in flight")
    shown = ask(desk, Conditions(require_market_position=("flat",)))
    desk.look(*others(desk, "long"), shown, kill_switch=True)
    assert end_of(desk) == (REJECTED, "the kill switch is on")


def test_after_a_restart_the_rest_of_the_waiting_is_left(desk: Desk) -> None:
    be(desk, "FLAT")
    unsettle(desk, "in flight")
    flat = Conditions(require_market_position=("flat",))
    shown = ask(desk, flat)
    desk.wait(1.5)
    restart(desk, "FLAT")
    desk.look(*others(desk, "long"), shown)
    assert sent(desk) == []
    desk.wait(0.6)
    assert (sent(desk), end_of(desk)) == ([], (REJECTED, "blocked"))


def test_a_position_is_unknown_after_ninjatraders_start_until_a_person_says_that_it_is_flat(desk: Desk) -> None:
    be(desk, "FLAT")
    desk.tell(NinjaTraderStopped())
    desk.tell(NinjaTraderStarted())
    desk.start()
    flat = Conditions(require_market_position=("flat",))
    ask(desk, flat)
    assert (sent(desk), end_of(desk)) == ([], (REJECTED, "position_unknown"))
    desk.tell(FlatConfirmed("sim101"))
    ask(desk, flat, "next")
    assert sent(desk) == ["next"]


def test_a_persons_word_that_an_account_is_flat_counts_for_an_instrument_that_comes_later(desk: Desk) -> None:
    desk.tell(FlatConfirmed("Sim101"))
    ask(desk, Conditions(require_market_position=("flat",)), instrument="NQ 12-26")
    assert sent(desk) == ["long"]


def test_a_persons_word_ends_with_a_fill_though_no_file_ever_tells_it(desk: Desk) -> None:
    desk.tell(FlatConfirmed("Sim101"))
    flat = Conditions(require_market_position=("flat",))
    ask(desk, flat)
    assert sent(desk) == ["long"]
    desk.wait(1)
    desk.say(oif.venue_id("request-long", 1), "FILLED", 1, "5000")
    desk.wait(70)
    ask(desk, flat, "next")
    assert (sent(desk), end_of(desk, "next")) == ([], (REJECTED, "position_unknown"))
    desk.tell(NinjaTraderStopped())
    ask(desk, flat, "third")
    desk.wait(40)
    assert sent(desk) == []


# max_positions


@pytest.mark.parametrize("own", SIDES)
@pytest.mark.parametrize("other", SIDES)
@pytest.mark.parametrize("most", [1, 2])
def test_an_order_opens_a_further_instrument_only_where_there_is_room(
    desk: Desk, own: Side, other: Side, most: int
) -> None:
    be(desk, own)
    be(desk, other, instrument="NQ 12-26")
    if other == "UNKNOWN":  # an order of ours was in it
        venue_id = in_flight(desk, "NQ 12-26")
        desk.say(venue_id, "REJECTED")
        desk.wait(1)
    ask(desk, Conditions(max_positions=most))
    if own in ("LONG", "SHORT") or most == 2 or other == "FLAT":
        assert sent(desk) == ["long"]
    else:
        assert (sent(desk), end_of(desk)) == ([], (REJECTED, "blocked"))


def test_entries_of_two_instruments_in_one_bar_open_one_where_one_may_be_open(desk: Desk) -> None:
    be(desk, "FLAT")
    be(desk, "FLAT", instrument="NQ 12-26")
    one = Conditions(max_positions=1)
    desk.look(order(desk, conditions=one), order(desk, "nasdaq", conditions=one, instrument="NQ 12-26"))
    assert sent(desk) == ["long"]
    desk.wait(0.5)
    desk.say(oif.venue_id("request-long", 1), "FILLED", 1, "5000")
    desk.wait(0.5)
    assert (sent(desk), end_of(desk, "nasdaq")) == ([], (None, ""))
    be(desk, "LONG")
    desk.wait(0.1)
    assert (sent(desk), end_of(desk, "nasdaq")) == ([], (REJECTED, "blocked"))


def test_the_second_instrument_is_opened_where_the_first_order_is_rejected(desk: Desk) -> None:
    be(desk, "FLAT")
    be(desk, "FLAT", instrument="NQ 12-26")
    one = Conditions(max_positions=1)
    desk.look(order(desk, conditions=one), order(desk, "nasdaq", conditions=one, instrument="NQ 12-26"))
    assert sent(desk) == ["long"]
    desk.say(oif.venue_id("request-long", 1), "REJECTED")
    desk.wait(0.1)
    assert sent(desk) == ["nasdaq"]


def test_an_entry_that_works_counts_for_max_positions_at_once(desk: Desk) -> None:
    be(desk, "FLAT", instrument="NQ 12-26")
    desk.look(order(desk, "resting", instrument="NQ 12-26", order_type="LIMIT", limit_price=Decimal(4000)))
    desk.take()
    desk.say(oif.venue_id("request-resting", 1), "WORKING")
    ask(desk, Conditions(max_positions=1))
    assert (sent(desk), end_of(desk)) == ([], (REJECTED, "blocked"))


def test_a_position_of_another_account_does_not_count() -> None:
    desk = Desk()
    desk.config = desk.config._replace(accounts=("Sim101", "Sim102"))
    desk.state = desk.state._replace(config=desk.config)
    desk.start()
    desk.tell(PositionRead("Sim102", "NQ 12-26", "LONG", 1, Decimal(20000)))
    ask(desk, Conditions(max_positions=1))
    assert sent(desk) == ["long"]


def test_every_spelling_of_a_contract_is_one_position(desk: Desk) -> None:
    be(desk, "LONG")
    ask(desk, Conditions(max_positions=1, require_market_position=("long",)), instrument="ESZ6")
    assert sent(desk) == ["long"]


# sync_strategy


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("now", get_args(MarketSide))
@pytest.mark.parametrize("before", get_args(MarketSide))
def test_an_alert_is_done_only_where_its_strategy_is_in_sync(
    desk: Desk, side: Side, now: MarketSide, before: MarketSide
) -> None:
    be(desk, side)
    ask(desk, Conditions(sync=Sync(now, before)), action="SELL" if before == "long" else "BUY")
    if side.lower() == before and (before, now) != ("flat", "flat"):
        assert sent(desk) == ["long"]
        return
    assert sent(desk) == []
    if side == "UNKNOWN":
        assert end_of(desk) == (REJECTED, "position_unknown")
    elif side.lower() == now:
        assert end_of(desk) == (OrderState.CANCELLED, "already there")
    else:
        assert end_of(desk) == (REJECTED, "blocked")
        assert "out of sync" in str(desk.last("long").reason)


def test_sync_waits_for_a_fill_that_is_not_in_the_position_yet(desk: Desk) -> None:
    be(desk, "FLAT")
    unsettle(desk, "filled")
    ask(desk, Conditions(sync=Sync("flat", "long")), action="SELL")
    assert sent(desk) == []
    be(desk, "LONG")
    desk.wait(0.1)
    assert sent(desk) == ["long"]


@pytest.mark.parametrize(
    ("side", "before", "action", "qty"),
    [
        ("LONG", "long", "SELL", 2),
        ("SHORT", "short", "BUY", 2),
        ("LONG", "long", "BUY", 1),
        ("FLAT", "flat", "SELL", 1),
    ],
)
@pytest.mark.parametrize("out_of_sync", ["wait", "flatten", "resync"])
def test_an_order_of_a_strategy_that_is_flat_after_it_opens_nothing(
    desk: Desk, side: Side, before: MarketSide, action: Action, qty: int, out_of_sync: Any
) -> None:
    be(desk, side)
    desk.wait(1)
    shown = ask(desk, Conditions(sync=Sync("flat", before, out_of_sync)), action=action, qty=qty)
    pass_by(desk, 0.2, shown)
    lines = [line.split(";") for line in desk.take()]
    orders = [(line[3], line[4]) for line in lines if line[0] == "PLACE"]
    closed = [line[0] for line in lines if line[0] == "CLOSEPOSITION"]
    if side == "FLAT":
        assert (orders, closed, end_of(desk)) == ([], [], (OrderState.CANCELLED, "already there"))
    elif out_of_sync == "wait":
        assert (orders, closed, end_of(desk)) == ([], [], (REJECTED, "blocked"))
        why = f"blocked: out of sync: the position is {before} 1, and {action} {qty} would not leave it flat"
        assert desk.last("long").reason == why
    elif out_of_sync == "flatten":
        assert (orders, closed) == ([], ["CLOSEPOSITION"])
    else:
        assert (orders, closed) == ([("SELL" if side == "LONG" else "BUY", "1")], [])


def test_nothing_is_placed_after_a_close_for_a_strategy_that_is_flat_then(desk: Desk) -> None:
    be(desk, "LONG")
    desk.wait(1)
    shown = ask(desk, Conditions(closes_first="orders_and_position", sync=Sync("flat", "long")), action="SELL")
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    be(desk, "FLAT")
    pass_by(desk, 1.3, shown)
    assert (taken(desk), end_of(desk)) == ([], (OrderState.CANCELLED, "already there"))


def test_sync_comes_before_the_other_conditions(desk: Desk) -> None:
    be(desk, "LONG")
    ask(desk, Conditions(sync=Sync("long", "flat"), require_market_position=("flat",), closes_first="position"))
    assert end_of(desk) == (OrderState.CANCELLED, "already there")


# What is closed before


FLATTEN = Conditions(closes_first="orders_and_position")
TURN = Conditions(closes_first="orders_and_position", reverses=True)


def taken(desk: Desk) -> list[str]:
    """Have NinjaTrader take what is there; return the commands."""
    return sorted(line.partition(";")[0] for line in desk.take())


def work(desk: Desk, order_id: str = "resting") -> str:
    """Have a LIMIT entry work; return its id at the venue."""
    resting = order(desk, order_id, order_type="LIMIT", limit_price=Decimal(4000), tif="GTC")
    desk.look(*others(desk, order_id), resting)
    desk.take()
    venue_id = oif.venue_id(f"request-{order_id}", 1)
    desk.say(venue_id, "WORKING")
    return venue_id


def pass_by(desk: Desk, seconds: float, shown: Order) -> None:
    """Let time pass, in which the table is looked at."""
    for _ in range(round(seconds * 10)):
        desk.wait(0.1)
        desk.look(*others(desk, shown.order_id), shown)


@pytest.mark.parametrize("conditions", [FLATTEN, TURN])
@pytest.mark.parametrize("side", ["LONG", "SHORT", "UNKNOWN"])
def test_an_order_follows_a_close_that_was_seen(desk: Desk, side: Side, conditions: Conditions) -> None:
    be(desk, side)
    shown = ask(desk, conditions)
    if side == "UNKNOWN" and conditions.reverses:
        assert (taken(desk), end_of(desk)) == ([], (REJECTED, "position_unknown"))
        return
    pass_by(desk, 0.5, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    pass_by(desk, 1, shown)
    assert taken(desk) == []
    be(desk, "FLAT")
    pass_by(desk, 0.9, shown)
    assert sent(desk) == []
    pass_by(desk, 0.3, shown)
    assert sent(desk) == ["long"]


def test_a_flat_position_with_no_orders_keeps_no_order_waiting(desk: Desk) -> None:
    be(desk, "FLAT")
    shown = ask(desk, FLATTEN)
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["PLACE"]


def test_flatten_first_ends_own_orders_of_the_pair_also_where_it_is_flat(desk: Desk) -> None:
    be(desk, "FLAT")
    resting = work(desk)
    desk.wait(1)
    shown = ask(desk, FLATTEN)
    pass_by(desk, 0.5, shown)
    assert taken(desk) == ["CANCEL"]
    pass_by(desk, 1, shown)
    assert taken(desk) == []
    desk.say(resting, "CANCELLED")
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["PLACE"]


def test_an_entry_that_fills_while_flatten_first_ends_it_is_closed(desk: Desk) -> None:
    be(desk, "FLAT")
    resting = work(desk)
    desk.wait(1)
    shown = ask(desk, FLATTEN)
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CANCEL"]
    be(desk, "LONG")
    desk.say(resting, "FILLED", 1, "4000")
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    be(desk, "FLAT")
    pass_by(desk, 1.3, shown)
    assert taken(desk) == ["PLACE"]


def test_an_own_order_that_does_not_end_keeps_flatten_first_from_opening(desk: Desk) -> None:
    be(desk, "FLAT")
    work(desk)
    desk.wait(1)
    shown = ask(desk, FLATTEN)
    for _ in range(15):
        pass_by(desk, 1, shown)
        assert "PLACE" not in taken(desk)
    assert end_of(desk) == (REJECTED, "flatten_timeout")


@pytest.mark.parametrize("conditions", [FLATTEN, TURN])
def test_a_close_that_is_not_seen_within_five_seconds_is_followed_by_nothing(
    desk: Desk, conditions: Conditions
) -> None:
    be(desk, "LONG")
    shown = ask(desk, conditions)
    pass_by(desk, 0.5, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    pass_by(desk, 5, shown)
    assert end_of(desk) == (REJECTED, "flatten_timeout")
    be(desk, "FLAT")
    pass_by(desk, 1, shown)
    assert taken(desk) == []


def test_there_is_nothing_to_turn_over_where_it_is_flat(desk: Desk) -> None:
    be(desk, "FLAT")
    work(desk)
    desk.wait(1)
    ask(desk, TURN)
    desk.wait(0.2)
    assert (taken(desk), end_of(desk)) == ([], (REJECTED, "no_position"))


def test_a_position_that_is_there_again_is_not_opened_on(desk: Desk) -> None:
    be(desk, "LONG")
    shown = ask(desk, FLATTEN)
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    be(desk, "FLAT")
    desk.wait(3.5)  # so long that nothing is opened before another look
    assert taken(desk) == []
    be(desk, "SHORT")
    pass_by(desk, 0.2, shown)
    assert taken(desk) == []
    assert str(desk.last("long").reason).startswith(("flatten_timeout", "blocked"))


def test_the_kill_switch_lets_a_position_be_closed_and_nothing_follow(desk: Desk) -> None:
    be(desk, "LONG")
    desk.look(order(desk, conditions=FLATTEN), kill_switch=True)
    desk.wait(0.2)
    assert (taken(desk), end_of(desk)) == (["CLOSEPOSITION"], (REJECTED, "the kill switch is on"))
    be(desk, "FLAT")
    desk.wait(1)
    assert taken(desk) == []


def test_what_comes_too_late_closes_nothing(desk: Desk) -> None:
    be(desk, "LONG")
    shown = order(desk, conditions=FLATTEN)
    desk.wait(31)
    desk.look(shown, kill_switch=True)
    desk.wait(0.2)
    assert (taken(desk), end_of(desk)) == ([], (REJECTED, "too late"))
    assert desk.last("long").alarms == ("not_closed",)


def test_a_cancel_ends_what_waits_for_a_close_and_the_close_goes_on(desk: Desk) -> None:
    be(desk, "LONG")
    shown = ask(desk, FLATTEN)
    desk.wait(0.1)
    desk.look(shown._replace(want=want(desk, 2, "cancel")))
    desk.wait(0.1)
    assert (taken(desk), end_of(desk)[0]) == (["CLOSEPOSITION"], OrderState.CANCELLED)
    be(desk, "FLAT")
    desk.wait(1)
    assert taken(desk) == []


@pytest.mark.parametrize("is_flat", [True, False])
def test_a_restart_writes_no_second_close_and_opens_only_once_it_is_flat(desk: Desk, *, is_flat: bool) -> None:
    be(desk, "LONG")
    shown = ask(desk, FLATTEN)
    desk.wait(0.1)
    desk.wait(0.1)
    assert "CLOSEPOSITION;Sim101;ES 12-26;;;;;;;;;;" in desk.lines.values()
    restart(desk, "FLAT" if is_flat else "LONG")
    desk.look(shown)
    commands = taken(desk)
    for _ in range(8):
        pass_by(desk, 1, shown)
        commands += taken(desk)
    assert "CLOSEPOSITION" not in commands
    assert ("PLACE" in commands) is is_flat
    assert end_of(desk)[1] == ("" if is_flat else "flatten_timeout")


def test_an_id_that_is_taken_again_has_a_close_of_its_own(desk: Desk) -> None:
    be(desk, "LONG")
    shown = ask(desk, FLATTEN)
    pass_by(desk, 0.2, shown)
    desk.take()
    be(desk, "FLAT")
    pass_by(desk, 1.3, shown)
    assert taken(desk) == ["PLACE"]
    desk.say(oif.venue_id("request-long", 1), "FILLED", 1, "5000")
    be(desk, "LONG")
    desk.look()
    desk.wait(15)
    [event] = shown.history
    again = order(desk, conditions=FLATTEN, history=(event._replace(request_id="request-again"),))
    desk.look(again)
    pass_by(desk, 0.2, again)
    assert taken(desk) == ["CLOSEPOSITION"]


def test_its_conditions_are_not_asked_again_after_the_close(desk: Desk) -> None:
    be(desk, "LONG")
    shown = ask(desk, FLATTEN._replace(require_market_position=("long",), max_positions=1))
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    be(desk, "FLAT")
    pass_by(desk, 1.3, shown)
    assert taken(desk) == ["PLACE"]


def test_an_instrument_that_is_turned_over_keeps_its_place_among_max_positions(desk: Desk) -> None:
    be(desk, "LONG")
    be(desk, "FLAT", instrument="NQ 12-26")
    one = FLATTEN._replace(max_positions=1)
    shown = ask(desk, one)
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    be(desk, "FLAT")
    further = order(desk, "nasdaq", conditions=Conditions(max_positions=1), instrument="NQ 12-26")
    desk.look(shown, further)
    assert end_of(desk, "nasdaq") == (REJECTED, "blocked")
    pass_by(desk, 1.3, shown)
    assert sent(desk) == ["long"]


def test_out_of_sync_a_position_is_closed_and_the_alert_dropped(desk: Desk) -> None:
    be(desk, "SHORT")
    resting = work(desk)
    desk.wait(1)
    shown = ask(desk, Conditions(sync=Sync("long", "flat", "flatten")))
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CANCEL"]
    desk.say(resting, "CANCELLED")
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    be(desk, "FLAT")
    pass_by(desk, 1.3, shown)
    assert (taken(desk), end_of(desk)) == ([], (REJECTED, "blocked"))
    assert desk.last("long").reason == "blocked: out of sync: it was closed; the order is dropped"


# CANCELREPLACE


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("tif", "kind"), [("GTC", "replace"), ("GTC", "change"), ("DAY", "replace")])
def test_a_replacement_is_dropped_where_its_condition_does_not_hold(
    desk: Desk, side: Side, tif: TimeInForce, kind: str
) -> None:
    be(desk, "FLAT")
    work(desk)
    resting = order(desk, "resting", order_type="LIMIT", limit_price=Decimal(4000), tif="GTC")
    desk.tell(PositionRead("Sim101", "ES 12-26", "FLAT", 0, None))
    if side == "UNKNOWN":
        desk.tell(NinjaTraderStarted(emptied=False))
    be(desk, side)
    asked = resting._replace(
        limit_price=Decimal(4100),
        tif=tif,
        state=OrderState.CHANGE_PENDING,
        want=want(desk, 2, kind),
        conditions=Conditions(require_market_position=("flat",)),
    )
    desk.take()
    desk.look(asked)
    commands = [it for it in taken(desk) if it != "CANCEL" or tif == "DAY"]
    if side == "FLAT":
        assert commands == (["CHANGE"] if tif == "GTC" else ["CANCEL"])
    else:
        assert commands == []
        last = desk.last("resting")
        assert (last.state, last.dropped, last.values["limit_price"]) == (OrderState.WORKING, 2, "4000")
        assert str(last.reason).startswith("position_unknown" if side == "UNKNOWN" else "blocked")


def test_a_replacement_of_another_kind_is_asked_again_before_its_second_order(desk: Desk) -> None:
    be(desk, "FLAT")
    venue_id = work(desk)
    asked = order(
        desk,
        "resting",
        order_type="MARKET",
        state=OrderState.CHANGE_PENDING,
        want=want(desk, 2, "replace"),
        conditions=Conditions(require_market_position=("flat",)),
    )
    desk.look(asked)
    assert taken(desk) == ["CANCEL"]
    be(desk, "SHORT")
    desk.say(venue_id, "CANCELLED")
    pass_by(desk, 1, asked)
    assert (taken(desk), end_of(desk, "resting")) == ([], (OrderState.CANCELLED, "not replaced"))


def test_a_change_of_what_waits_for_its_close_does_not_open_before(desk: Desk) -> None:
    be(desk, "LONG")
    shown = ask(desk, FLATTEN)
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    for n, kind in ((2, "change"), (3, "replace")):
        shown = shown._replace(qty=n, want=want(desk, n, kind), conditions=None)
        pass_by(desk, 0.2, shown)
        assert taken(desk) == []
    be(desk, "FLAT")
    pass_by(desk, 1.3, shown)
    [line] = desk.take()
    assert placed(line)["qty"] == "3"


# resync


def resync(side: MarketSide, before: MarketSide, target: int | None = None) -> Conditions:
    return Conditions(sync=Sync(side, before, "resync", target))


@pytest.mark.parametrize(
    ("side", "asked", "gap"),
    [
        ("FLAT", resync("long", "short", 3), ("BUY", "3")),
        ("FLAT", resync("short", "long", 2), ("SELL", "2")),
        ("LONG", resync("short", "flat", 2), ("SELL", "3")),
        ("SHORT", resync("flat", "long"), ("BUY", "1")),
        ("SHORT", resync("long", "flat", 9), ("BUY", "10")),
    ],
)
def test_one_order_brings_a_position_to_where_its_strategy_thinks_it_is(
    desk: Desk, side: Side, asked: Conditions, gap: tuple[str, str]
) -> None:
    be(desk, side)
    shown = ask(desk, asked)
    pass_by(desk, 0.5, shown)
    [line] = desk.take()
    found = placed(line)
    assert (found["action"], found["qty"], found["order_type"]) == (*gap, "MARKET")
    assert desk.state.orders["long"].ended is None  # until it is known what becomes of it
    desk.say(found["order_id"], "FILLED", int(found["qty"]), "5000")
    desk.wait(0.1)
    assert end_of(desk) == (OrderState.CANCELLED, "resynced")
    pass_by(desk, 2, shown)
    assert desk.take() == []


def test_a_resync_of_more_contracts_than_it_may_have_is_blocked_and_touches_nothing(desk: Desk) -> None:
    be(desk, "SHORT", qty=2)
    work(desk)
    desk.wait(1)
    shown = ask(desk, resync("long", "flat", 9))
    pass_by(desk, 1, shown)
    assert (taken(desk), end_of(desk)) == ([], (REJECTED, "blocked"))
    assert "--max-resync is 10" in str(desk.last("long").reason)


def test_own_orders_of_the_pair_end_before_a_resync(desk: Desk) -> None:
    be(desk, "SHORT")
    resting = work(desk)
    desk.wait(1)
    shown = ask(desk, resync("long", "flat", 1))
    pass_by(desk, 0.5, shown)
    assert taken(desk) == ["CANCEL"]
    desk.say(resting, "CANCELLED")
    pass_by(desk, 0.3, shown)
    [line] = desk.take()
    assert (placed(line)["action"], placed(line)["qty"]) == ("BUY", "2")


def test_what_fills_while_its_orders_end_counts_for_a_resync(desk: Desk) -> None:
    be(desk, "SHORT")
    resting = work(desk)
    desk.wait(1)
    shown = ask(desk, resync("long", "flat", 1))
    pass_by(desk, 0.5, shown)
    assert taken(desk) == ["CANCEL"]
    desk.say(resting, "FILLED", 1, "4000")
    pass_by(desk, 0.2, shown)
    assert taken(desk) == []  # its file is still to come
    be(desk, "FLAT")
    pass_by(desk, 0.3, shown)
    [line] = desk.take()
    assert (placed(line)["action"], placed(line)["qty"]) == ("BUY", "1")


def test_a_resync_with_orders_that_do_not_end_is_blocked(desk: Desk) -> None:
    be(desk, "SHORT")
    work(desk)
    desk.wait(1)
    shown = ask(desk, resync("long", "flat", 1))
    pass_by(desk, 6, shown)
    assert (set(taken(desk)), end_of(desk)) == ({"CANCEL"}, (REJECTED, "blocked"))


def test_a_resync_in_place_of_an_order_with_a_stop_says_that_it_has_none(desk: Desk) -> None:
    be(desk, "FLAT")
    shown = ask(desk, resync("long", "short", 1), legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))})
    pass_by(desk, 0.3, shown)
    assert "unprotected" in desk.alarms


def test_a_crash_in_a_resync_sends_its_order_once(desk: Desk) -> None:
    be(desk, "FLAT")
    shown = ask(desk, resync("long", "short", 1))
    pass_by(desk, 0.3, shown)
    assert len(desk.lines) == 1
    restart(desk, "FLAT")
    desk.look(shown)
    pass_by(desk, 3, shown)
    assert "PLACE" not in taken(desk)


# Instructions


def instruct(desk: Desk, command: str, *allowed: MarketSide, **values: Any) -> Instruction:
    """Show an instruction that has a condition, besides what the table has already."""
    defaults = {"account": "Sim101", "instrument": "ES 12-26"}
    asked = Instruction(
        f"{command}-1",
        command,
        timestamp(desk.at),
        str(NINJATRADER.name),
        conditions=Conditions(require_market_position=allowed),
        **defaults | values,
    )
    desk.tell(Looked(others(desk, ""), kill_switch=False, owner=JOURNAL, instructions=[asked]))
    return asked


def results(desk: Desk) -> list[tuple[str | None, str | None]]:
    told = [it.what for it in desk.effects if isinstance(it, SendReport)]
    return [(it.result, it.reason) for it in told if isinstance(it, InstructionReport)]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("allowed", SETS)
@pytest.mark.parametrize("command", ["CLOSEPOSITION", "FLATTEN", "CANCELORDERS"])
def test_an_instruction_begins_only_where_its_position_is_one_of_those_asked(
    desk: Desk, side: Side, allowed: tuple[MarketSide, ...], command: str
) -> None:
    be(desk, side)
    work(desk)
    desk.wait(1)
    instruct(desk, command, *allowed)
    desk.wait(0.2)
    commands = taken(desk)
    if side.lower() not in allowed:
        [(result, reason)] = results(desk)
        assert (commands, result) == ([], "blocked")
        assert str(reason).startswith("position_unknown" if side == "UNKNOWN" else f"the position is {side.lower()}")
    elif side == "FLAT" and command != "CANCELORDERS":
        assert (commands, results(desk)) == ([], [("no_position", None)])
    else:
        assert commands == ["CANCEL"]


@pytest.mark.parametrize("side", SIDES)
def test_an_instruction_waits_for_a_position_that_is_about_to_change(desk: Desk, side: Side) -> None:
    be(desk, side)
    unsettle(desk, "filled")
    instruct(desk, "CANCELORDERS", "flat", "long", "short")
    desk.wait(1.9)
    assert results(desk) == []
    desk.wait(0.2)
    [(result, reason)] = results(desk)
    assert result == "blocked"
    assert ("position_unknown" in str(reason)) is (side == "UNKNOWN")


def test_after_a_restart_an_instruction_that_has_begun_is_not_asked_again(desk: Desk) -> None:
    be(desk, "LONG")
    resting = work(desk)
    desk.wait(1)
    asked = instruct(desk, "CLOSEPOSITION", "long")
    desk.wait(0.1)
    restart(desk, "FLAT")
    desk.tell(Looked(others(desk, ""), kill_switch=False, owner=JOURNAL, instructions=[asked]))
    desk.wait(0.1)
    desk.take()
    desk.say(resting, "CANCELLED")
    desk.wait(0.2)
    assert results(desk) == [("done", None)]


def test_cancelorders_ends_orders_that_were_received_before_and_is_done_once_they_have_ended(desk: Desk) -> None:
    be(desk, "LONG")
    resting = work(desk)
    desk.wait(1)
    asked = instruct(desk, "CANCELORDERS", "long")
    later = order(desk, "later", order_type="LIMIT", limit_price=Decimal(4100), received_at=timestamp(desk.at + STEP))
    desk.tell(Looked([*others(desk, ""), later], kill_switch=False, owner=JOURNAL, instructions=[asked]))
    desk.wait(0.2)
    assert (taken(desk), results(desk)) == (["CANCEL"], [])
    desk.say(resting, "CANCELLED")
    desk.wait(0.2)
    assert results(desk) == [("done", None)]
    assert taken(desk) == ["PLACE"]  # its turn came after
    assert end_of(desk, "resting")[0] == OrderState.CANCELLED


def test_cancelorders_ends_stops_that_are_not_placed_again_and_leaves_the_position(desk: Desk) -> None:
    protected = order(desk, legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))})
    desk.look(protected)
    desk.take()
    desk.say(oif.venue_id("request-long", 1), "FILLED", 1, "5000")
    be(desk, "LONG")
    [line] = desk.take()
    desk.say(placed(line)["order_id"], "WORKING")
    desk.wait(1)
    instruct(desk, "CANCELORDERS", "long")
    desk.wait(0.2)
    assert taken(desk) == ["CANCEL"]
    desk.say(placed(line)["order_id"], "CANCELLED")
    desk.wait(0.2)
    assert results(desk) == [("done", None)]
    desk.wait(20)
    assert taken(desk) == []


def test_an_entry_that_fills_while_cancelorders_ends_it_has_its_stop(desk: Desk) -> None:
    be(desk, "FLAT")
    resting = order(
        desk,
        order_type="LIMIT",
        limit_price=Decimal(4995),
        legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))},
    )
    desk.look(resting)
    desk.take()
    desk.say(oif.venue_id("request-long", 1), "WORKING")
    desk.wait(1)
    instruct(desk, "CANCELORDERS", "flat")
    desk.wait(0.2)
    assert taken(desk) == ["CANCEL"]
    desk.say(oif.venue_id("request-long", 1), "FILLED", 1, "4995")
    be(desk, "LONG")
    desk.wait(0.2)
    [line] = desk.take()
    assert placed(line)["order_type"] == "STOPMARKET"


def test_a_condition_of_a_root_is_about_the_months_that_are_held(desk: Desk) -> None:
    be(desk, "FLAT")
    be(desk, "LONG", instrument="ES 03-27")
    instruct(desk, "CLOSEPOSITION", "short", instrument=None, root="ES")
    desk.wait(0.2)
    assert [result for result, _ in results(desk)] == ["blocked"]
    assert taken(desk) == []


# What a close of its own, the kill switch, and legs ask


def test_flatplace_asks_how_much_is_open_before_it_closes_anything(desk: Desk) -> None:
    ask(desk, Conditions(closes_first="position"))
    desk.wait(0.2)
    assert (taken(desk), end_of(desk)) == ([], (REJECTED, "position_unknown"))


def test_flatplace_closes_what_was_about_to_be_filled(desk: Desk) -> None:
    be(desk, "FLAT")
    venue_id = in_flight(desk)
    desk.wait(0.1)
    shown = ask(desk, Conditions(closes_first="position"), action="SELL")
    pass_by(desk, 0.5, shown)
    assert taken(desk) == []
    desk.say(venue_id, "FILLED", 1, "5000")
    be(desk, "LONG")
    pass_by(desk, 0.5, shown)
    [line] = desk.take()
    assert (placed(line)["action"], placed(line)["qty"]) == ("SELL", "1")
    assert placed(line)["order_id"] != oif.venue_id("request-long", 1)
    desk.say(placed(line)["order_id"], "FILLED", 1, "5000")
    be(desk, "FLAT")
    pass_by(desk, 1.3, shown)
    assert sent(desk) == ["long"]


@pytest.mark.parametrize(
    "conditions",
    [FLATTEN._replace(require_market_position=("flat",)), FLATTEN._replace(sync=Sync("short", "flat"))],
)
def test_under_the_kill_switch_nothing_is_closed_where_a_condition_fails(desk: Desk, conditions: Conditions) -> None:
    be(desk, "LONG")
    desk.look(order(desk, conditions=conditions), kill_switch=True)
    desk.wait(0.2)
    assert (taken(desk), end_of(desk)) == ([], (REJECTED, "the kill switch is on"))


def test_a_resync_that_ends_after_stops_were_cancelled_rings(desk: Desk) -> None:
    be(desk, "SHORT")
    resting = work(desk)
    desk.wait(1)
    shown = ask(desk, resync("long", "flat", 1))
    pass_by(desk, 0.3, shown)
    assert taken(desk) == ["CANCEL"]
    desk.look(shown, kill_switch=True)
    desk.say(resting, "CANCELLED")
    assert end_of(desk) == (REJECTED, "the kill switch is on")
    assert desk.alarms == ["unprotected"]


def resyncing(desk: Desk) -> tuple[str, Order]:
    """Have a resync of a short position end an own order first; return that order's id at the venue."""
    be(desk, "SHORT")
    resting = work(desk)
    desk.wait(1)
    shown = ask(desk, resync("long", "flat", 1))
    pass_by(desk, 0.3, shown)
    assert taken(desk) == ["CANCEL"]
    return resting, shown


@pytest.mark.parametrize("how", ["the kill switch", "the time", "NinjaTrader"])
def test_a_resync_whose_order_is_refused_after_stops_were_cancelled_rings(desk: Desk, how: str) -> None:
    resting, shown = resyncing(desk)
    if how == "NinjaTrader":
        desk.say(resting, "CANCELLED")
        pass_by(desk, 0.2, shown)
        assert taken(desk) == ["PLACE"]
        desk.say(oif.venue_id("request-long.1", 1), "REJECTED")
    else:
        # A look comes between the making of the order and its writing.
        desk.say(resting, "CANCELLED")
        while "request-long.1" not in desk.state.orders:
            desk.wait(0.1)
        assert not desk.lines
        desk.at += timedelta(seconds=40 if how == "the time" else 0)
        desk.look(shown, kill_switch=how == "the kill switch")
    desk.wait(0.1)
    assert end_of(desk)[0] == REJECTED
    assert "request-long.1 has not brought it there" in str(desk.last("long").reason)
    assert end_of(desk, "request-long.1")[0] == REJECTED
    assert desk.alarms == ["unprotected"]
    desk.wait(5)
    assert (desk.alarms, "PLACE" in taken(desk)) == (["unprotected"], False)


def test_a_resync_that_is_cancelled_after_stops_were_cancelled_rings(desk: Desk) -> None:
    resting, shown = resyncing(desk)
    desk.look(shown._replace(want=want(desk, 2, "cancel"), state=OrderState.CANCEL_PENDING))
    desk.say(resting, "CANCELLED")
    desk.wait(1)
    assert (end_of(desk)[0], desk.alarms) == (OrderState.CANCELLED, ["unprotected"])


def test_a_cancel_of_a_resync_reaches_the_order_in_its_place(desk: Desk) -> None:
    resting, shown = resyncing(desk)
    desk.say(resting, "CANCELLED")
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["PLACE"]
    made = oif.venue_id("request-long.1", 1)
    desk.say(made, "ACCEPTED")
    desk.look(shown._replace(want=want(desk, 2, "cancel"), state=OrderState.CANCEL_PENDING))
    assert oif.cancel(made) in desk.take()
    assert end_of(desk)[0] == OrderState.CANCELLED


def test_a_resync_that_is_cancelled_while_the_position_is_flat_does_not_ring(desk: Desk) -> None:
    resting, shown = resyncing(desk)
    be(desk, "FLAT")
    desk.look(shown._replace(want=want(desk, 2, "cancel"), state=OrderState.CANCEL_PENDING))
    desk.say(resting, "CANCELLED")
    be(desk, "SHORT")
    desk.wait(1)
    assert (end_of(desk)[0], desk.alarms) == (OrderState.CANCELLED, [])


@pytest.mark.parametrize("allowed", SETS)
def test_a_leg_is_replaced_only_where_its_condition_holds(desk: Desk, allowed: tuple[MarketSide, ...]) -> None:
    protected = order(desk, legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))})
    desk.look(protected)
    desk.take()
    desk.say(oif.venue_id("request-long", 1), "FILLED", 1, "5000")
    be(desk, "LONG")
    [line] = desk.take()
    desk.say(placed(line)["order_id"], "WORKING")
    desk.wait(1)
    leg = order(
        desk,
        "long.STOP1",
        entry_id="long",
        order_name="STOP1",
        action="SELL",
        order_type="STOPMARKET",
        stop_price=Decimal(4995),
        want=want(desk, 2, "replace"),
        conditions=Conditions(require_market_position=allowed),
    )
    desk.look(leg)
    if "long" in allowed:
        assert taken(desk) == ["CHANGE"]
    else:
        assert taken(desk) == []
        last = desk.last("long.STOP1")
        assert (last.dropped, last.values["stop_price"], str(last.reason)[:7]) == (2, "4990", "blocked")


# What would otherwise go unnoticed


def test_a_change_on_top_of_a_replacement_waits_for_its_condition(desk: Desk) -> None:
    be(desk, "FLAT")
    venue_id = work(desk)
    desk.wait(1)
    market = in_flight(desk, order_id="second")
    shown = order(
        desk,
        "resting",
        order_type="LIMIT",
        limit_price=Decimal(4100),
        tif="GTC",
        state=OrderState.CHANGE_PENDING,
        want=want(desk, 2, "change"),
        conditions=Conditions(require_market_position=("flat",)),
    )
    desk.look(*others(desk, "resting"), shown)
    desk.wait(0.2)
    desk.look(*others(desk, "resting"), shown._replace(qty=2, want=want(desk, 3, "change"), conditions=None))
    assert taken(desk) == []
    desk.say(market, "FILLED", 1, "5000")
    be(desk, "LONG")
    desk.wait(0.2)
    assert taken(desk) == []
    assert desk.last("resting").dropped == 3
    assert desk.state.venue_orders[venue_id].limit_price == Decimal(4000)


def test_a_change_of_what_was_placed_with_conditions_asks_nothing(desk: Desk) -> None:
    be(desk, "FLAT")
    limit: dict[str, Any] = {"order_type": "LIMIT", "limit_price": Decimal(4000)}
    shown = ask(desk, Conditions(require_market_position=("flat",)), **limit)
    assert sent(desk) == ["long"]
    desk.say(oif.venue_id("request-long", 1), "WORKING")
    be(desk, "SHORT")
    desk.look(shown._replace(limit_price=Decimal(4100), want=want(desk, 2, "change"), conditions=None))
    assert taken(desk) == ["CHANGE"]


def test_a_position_that_was_opened_again_by_hand_is_not_opened_on(desk: Desk) -> None:
    be(desk, "LONG")
    shown = ask(desk, FLATTEN)
    pass_by(desk, 0.2, shown)
    assert taken(desk) == ["CLOSEPOSITION"]
    be(desk, "FLAT")
    desk.wait(3.5)  # so long that nothing is opened before another look
    be(desk, "LONG")
    pass_by(desk, 0.2, shown)
    assert (taken(desk), end_of(desk)) == ([], (REJECTED, "flatten_timeout"))


def test_a_condition_of_a_root_holds_where_it_does_for_every_month_that_is_held(desk: Desk) -> None:
    be(desk, "FLAT")
    be(desk, "LONG", instrument="ES 03-27")
    instruct(desk, "CLOSEPOSITION", "long", instrument=None, root="ES")
    desk.wait(0.2)
    assert (taken(desk), results(desk)) == (["CLOSEPOSITION"], [])


def test_a_replacement_waits_its_own_two_seconds(desk: Desk) -> None:
    be(desk, "FLAT")
    venue_id = unsettle(desk, "in flight")
    limit: dict[str, Any] = {"order_type": "LIMIT", "limit_price": Decimal(4000)}
    shown = ask(desk, Conditions(require_market_position=("flat", "long")), **limit)
    desk.say(venue_id, "FILLED", 1, "5000")
    be(desk, "LONG")
    assert sent(desk) == ["long"]
    desk.say(oif.venue_id("request-long", 1), "WORKING")
    desk.wait(10)
    second = in_flight(desk, order_id="second")
    asked = shown._replace(
        limit_price=Decimal(4100),
        state=OrderState.CHANGE_PENDING,
        want=want(desk, 2, "replace"),
        conditions=Conditions(require_market_position=("long",)),
    )
    desk.look(*others(desk, "long"), asked)
    desk.wait(1)
    assert taken(desk) == []
    desk.say(second, "FILLED", 1, "5000")
    be(desk, "LONG", qty=2)
    desk.wait(0.1)
    assert taken(desk) == ["CHANGE"]


def test_a_persons_word_ends_with_ninjatraders_start_for_every_instrument(desk: Desk) -> None:
    desk.tell(FlatConfirmed("Sim101"))
    desk.tell(NinjaTraderStopped())
    desk.tell(NinjaTraderStarted())
    desk.start()
    ask(desk, Conditions(require_market_position=("flat",)), instrument="NQ 12-26")
    assert (sent(desk), end_of(desk)) == ([], (REJECTED, "position_unknown"))


def test_an_entry_that_fills_has_its_stop_while_cancelorders_waits_for_another(desk: Desk) -> None:
    be(desk, "FLAT")
    work(desk)
    limit: dict[str, Any] = {"order_type": "LIMIT", "limit_price": Decimal(4995)}
    desk.look(*others(desk, "long"), order(desk, legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))}, **limit))
    desk.take()
    desk.say(oif.venue_id("request-long", 1), "WORKING")
    desk.wait(1)
    instruct(desk, "CANCELORDERS", "flat")
    desk.wait(0.2)
    assert taken(desk) == ["CANCEL", "CANCEL"]
    desk.say(oif.venue_id("request-long", 1), "FILLED", 1, "4995")
    desk.wait(0.1)
    [line] = desk.take()
    assert placed(line)["order_type"] == "STOPMARKET"
    desk.say(placed(line)["order_id"], "WORKING")
    desk.wait(1)
    assert (taken(desk), results(desk)) == ([], [])


def test_the_bridge_looks_often_while_an_order_waits(desk: Desk) -> None:
    be(desk, "FLAT")
    unsettle(desk, "filled")
    assert not desk.state.is_busy
    ask(desk, Conditions(require_market_position=("flat",)))
    assert desk.state.is_busy


def test_the_bridge_looks_often_while_an_instruction_waits(desk: Desk) -> None:
    be(desk, "FLAT")
    unsettle(desk, "filled")
    instruct(desk, "CANCELORDERS", "flat")
    assert desk.state.is_busy
