"""The engine of the bridge closes a strategy: its own orders, and what those have filled, and nothing else."""

from decimal import Decimal
from typing import Any

import pytest

from bridge import oif
from bridge.events import ConnectionRead, FlatConfirmed, NinjaTraderStarted, WriteFile
from orderhook.instructions import Instruction
from orderhook.orders import Leg, Order, OrderState
from tests.bridge import Desk, asked, order, placed

NAME = "closing"
ID = oif.venue_id(f"{NAME}.1", 1)
STOPS = {"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))}


def line(qty: int, action: str = "SELL") -> str:
    return f"PLACE;Sim101;ES 12-26;{action};{qty};MARKET;;;DAY;;{ID};;"


def stop_of(order_id: str) -> str:
    return oif.venue_id(f"request-{order_id}", 1, "STOP1", 0)


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


class Trader:
    """Trades strategies: knows what the table lists, and what NinjaTrader holds."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.shown: list[Order] = []
        self.held = 0

    def trade(self, order_id: str, strategy_id: str | None, qty: int = 1, action: Any = "BUY") -> None:
        """Have an entry be filled, and its stop work."""
        stop = Leg("STOPMARKET", stop_price=Decimal(4990 if action == "BUY" else 5010))
        trade = {"strategy_id": strategy_id, "qty": qty, "action": action, "legs": {"STOP1": stop}}
        self.shown.append(order(self.desk, order_id, **trade))
        self.desk.look(*self.shown)
        self.desk.take()
        self.hold(self.held + qty * (1 if action == "BUY" else -1), oif.venue_id(f"request-{order_id}", 1), qty)
        self.shown[-1] = self.shown[-1]._replace(state=OrderState.FILLED)
        self.desk.take()
        self.desk.say(stop_of(order_id), "WORKING")
        self.desk.wait(1)

    def hold(self, held: int, venue_id: str | None = None, filled: int = 0) -> None:
        """Have NinjaTrader hold so much, after a fill."""
        self.desk.wait(0.1)
        if venue_id:
            self.desk.say(venue_id, "FILLED", filled, "5000")
        self.held = held
        self.desk.hold("FLAT" if not held else "LONG" if held > 0 else "SHORT", abs(held))
        self.desk.wait(0.1)

    def close(self, strategy_id: str = "S") -> Instruction:
        closing = asked(self.desk, "CLOSESTRATEGY", NAME, strategy_id=strategy_id)
        self.desk.look(*self.shown, closing)
        return closing


@pytest.fixture
def trader(desk: Desk) -> Trader:
    return Trader(desk)


def live(desk: Desk) -> list[str]:
    return sorted(it.order_id for it in desk.state.venue_orders.values() if it.is_live)


def test_a_strategy_is_closed_and_another_ones_trade_goes_on(desk: Desk, trader: Trader) -> None:
    trader.trade("long", "S", 2)
    trader.trade("other", "T", 3)
    trader.close()
    assert desk.take() == [oif.cancel(stop_of("long"))]
    assert desk.result(NAME) is None
    desk.say(stop_of("long"), "CANCELLED")
    assert desk.take() == [line(2)]
    trader.hold(3, ID, 2)
    desk.wait(5)
    assert (desk.result(NAME), live(desk), desk.alarms) == ("done", ["other.STOP1"], [])
    assert desk.take() == []


def test_the_order_that_closes_a_strategy_is_the_strategys(desk: Desk, trader: Trader) -> None:
    trader.trade("long", "S")
    trader.close()
    desk.take()
    desk.say(stop_of("long"), "CANCELLED")
    desk.take()
    made = desk.last(f"{NAME}.1").made
    assert made
    assert (made.strategy_id, made.by) == ("S", NAME)


@pytest.mark.parametrize(
    ("own", "held", "closed"),
    [
        ([("BUY", 3)], 2, line(2)),  # one was closed by hand
        ([("BUY", 3), ("SELL", 1)], 2, line(2)),
        ([("SELL", 2)], -2, line(2, "BUY")),
        ([("BUY", 1)], 5, line(1)),  # four by hand
    ],
)
def test_a_strategy_is_closed_by_its_net_and_at_most_the_position(
    desk: Desk, trader: Trader, own: list[tuple[str, int]], held: int, closed: str
) -> None:
    for number, (action, qty) in enumerate(own):
        trader.trade(f"trade-{number}", "S", qty, action)
    if trader.held != held:
        trader.hold(held)
    trader.close()
    desk.take()
    for number in range(len(own)):
        desk.say(stop_of(f"trade-{number}"), "CANCELLED")
    assert desk.take() == [closed]


@pytest.mark.parametrize("held", [-1, 0])
def test_what_is_open_on_the_other_side_is_not_the_strategys(desk: Desk, trader: Trader, held: int) -> None:
    trader.trade("long", "S")
    trader.hold(held)
    trader.close()
    desk.take()
    desk.say(stop_of("long"), "CANCELLED")
    assert (desk.result(NAME), desk.take()) == ("no_position", [])


@pytest.mark.parametrize("is_said_by_a_person", [True, False])
def test_an_earlier_trade_that_was_closed_by_other_means_does_not_count(
    desk: Desk, trader: Trader, *, is_said_by_a_person: bool
) -> None:
    trader.trade("earlier", "S", 2)
    if is_said_by_a_person:
        desk.hold("UNKNOWN")
        desk.tell(FlatConfirmed("Sim101"))
        trader.held = 0
    else:
        trader.hold(0)
    desk.wait(10)
    desk.take()
    desk.say(stop_of("earlier"), "CANCELLED")
    trader.trade("other", "T", 3)
    trader.trade("long", "S", 1)
    desk.crash()
    desk.start()
    trader.hold(4)
    desk.say(stop_of("long"), "WORKING")
    trader.close()
    while line(1) not in (taken := desk.take()):
        assert taken, desk.state.instructions[NAME]
        desk.say(stop_of("long"), "CANCELLED")
    assert line(1) in taken


def test_a_file_that_tells_of_flat_after_the_next_fill_forgets_nothing_of_that(desk: Desk, trader: Trader) -> None:
    trader.trade("earlier", "S", 1)
    desk.wait(5)
    desk.say(stop_of("earlier"), "FILLED", 1, "4990")
    desk.wait(0.3)
    trader.shown.append(order(desk, "long", strategy_id="S", qty=2, legs=STOPS))
    desk.look(*trader.shown)
    desk.take()
    desk.say(oif.venue_id("request-long", 1), "FILLED", 2, "5000")
    trader.hold(0)
    trader.hold(2)
    desk.take()
    desk.say(stop_of("long"), "WORKING")
    trader.close()
    desk.take()
    desk.say(stop_of("long"), "CANCELLED")
    assert desk.take() == [line(2)]


def test_nothing_of_a_strategy_that_holds_nothing_is_closed(desk: Desk, trader: Trader) -> None:
    trader.trade("other", "T", 3)
    resting = order(desk, "resting", strategy_id="S", order_type="LIMIT", limit_price=Decimal(4900))
    trader.shown.append(resting)
    desk.look(*trader.shown)
    desk.take()
    desk.say(oif.venue_id("request-resting", 1), "WORKING")
    trader.close()
    assert desk.take() == [oif.cancel(oif.venue_id("request-resting", 1))]
    desk.say(oif.venue_id("request-resting", 1), "CANCELLED")
    assert (desk.result(NAME), desk.take(), live(desk)) == ("no_position", [], ["other.STOP1"])


def test_an_entry_that_fills_while_its_strategy_is_closed_is_closed_too(desk: Desk, trader: Trader) -> None:
    desk.hold("FLAT")
    desk.wait(1)
    trader.shown.append(order(desk, "long", strategy_id="S", order_type="LIMIT", limit_price=Decimal(4900), legs=STOPS))
    desk.look(*trader.shown)
    desk.take()
    entry = oif.venue_id("request-long", 1)
    desk.say(entry, "WORKING")
    trader.close()
    assert desk.take() == [oif.cancel(entry)]
    trader.hold(1, entry, 1)
    assert desk.take() == [line(1)]
    trader.hold(0, ID, 1)
    assert (desk.result(NAME), desk.take(), live(desk)) == ("done", [], [])


def test_orders_that_do_not_end_in_five_seconds_do_not_keep_a_strategy_open(desk: Desk, trader: Trader) -> None:
    trader.trade("long", "S")
    trader.close()
    desk.take()
    desk.wait(4)
    assert line(1) not in desk.take()
    desk.wait(2)
    assert line(1) in desk.take()


def test_a_strategy_that_cannot_be_closed_calls_a_person(desk: Desk, trader: Trader) -> None:
    trader.trade("long", "S")
    trader.close()
    desk.take()
    desk.say(stop_of("long"), "CANCELLED")
    desk.take()
    desk.say(ID, "REJECTED")
    desk.wait(0.1)
    assert desk.result(NAME) == "failed"
    assert "close_failed" in desk.alarms
    assert "unprotected" in desk.alarms


def test_a_strategy_keeps_its_stops_where_nobody_knows_how_much_is_open(desk: Desk, trader: Trader) -> None:
    trader.trade("long", "S")
    desk.hold("UNKNOWN")
    trader.close()
    desk.wait(10)
    assert (desk.result(NAME), desk.alarms) == ("blocked", ["close_failed"])
    assert (desk.take(), live(desk)) == ([], ["long.STOP1"])


def test_a_strategy_keeps_its_stops_where_the_position_is_not_settled(desk: Desk, trader: Trader) -> None:
    trader.trade("long", "S")
    trader.shown.append(order(desk, "other", strategy_id="T"))
    desk.look(*trader.shown)
    desk.take()
    desk.say(oif.venue_id("request-other", 1), "FILLED", 1, "5000")
    trader.close()
    desk.wait(3)
    assert (desk.result(NAME), desk.alarms) == ("blocked", ["close_failed"])
    assert (desk.take(), live(desk)) == ([], ["long.STOP1"])


def test_what_is_open_is_closed_when_its_file_comes_late_and_the_stops_have_ended(desk: Desk, trader: Trader) -> None:
    trader.trade("long", "S", 2)
    trader.close()
    desk.take()
    desk.say(stop_of("long"), "FILLED", 1, "4990")
    desk.say(stop_of("long"), "CANCELLED", 1, "4990")
    desk.wait(20)
    assert (desk.result(NAME), desk.take()) == (None, [])
    trader.hold(1)
    assert desk.take() == [line(1)]


def hedge(trader: Trader) -> None:
    trader.trade("long", "S")
    trader.trade("short", "T", action="SELL")


def test_a_trade_is_open_though_one_on_the_other_side_made_the_pair_flat(desk: Desk, trader: Trader) -> None:
    hedge(trader)
    trader.hold(1, stop_of("short"), 1)
    desk.wait(3)
    trader.close()
    desk.take()
    desk.say(stop_of("long"), "CANCELLED")
    assert desk.take() == [line(1)]
    trader.hold(0, ID, 1)
    assert (desk.result(NAME), live(desk)) == ("done", [])


@pytest.mark.parametrize("more", [0, 1])
def test_a_trade_whose_contracts_another_strategy_has_used_up_keeps_its_stop(
    desk: Desk, trader: Trader, more: int
) -> None:
    hedge(trader)
    if more:
        trader.trade("more", "T", more, "SELL")
    trader.close()
    desk.wait(10)
    assert (desk.result(NAME), desk.take()) == ("blocked", [])
    assert "close_failed" in desk.alarms
    assert "long.STOP1" in live(desk)


def test_a_later_entry_of_the_strategy_waits_and_is_not_closed(desk: Desk, trader: Trader) -> None:
    trader.trade("long", "S")
    closing = trader.close()
    desk.take()
    desk.wait(0.1)
    later = order(desk, "later", strategy_id="S")
    desk.look(*trader.shown, later, closing)
    assert not [it for it in desk.take() if placed(it)["command"] == "PLACE"]
    desk.say(stop_of("long"), "CANCELLED")
    assert desk.take() == [line(1)]
    trader.hold(0, ID, 1)
    desk.look(*trader.shown, later)
    assert [placed(it)["order_id"] for it in desk.take()] == [oif.venue_id("request-later", 1)]


# NinjaTrader's own ATM strategies

ATM = oif.venue_id("request-atm", 1, "ATM")
CLOSE_ATM = f"CLOSESTRATEGY;;;;;;;;;;;;{ATM}"


def have_atm(desk: Desk, trader: Trader, qty: int = 2) -> None:
    """Have an entry be filled whose target and stop are NinjaTrader's own."""
    trader.shown.append(order(desk, "atm", strategy_id="S", qty=qty, atm_template="Scalp"))
    desk.look(*trader.shown)
    desk.take()
    trader.hold(trader.held + qty, oif.venue_id("request-atm", 1), qty)
    trader.shown[-1] = trader.shown[-1]._replace(state=OrderState.FILLED)
    desk.wait(3)


def test_ninjatrader_closes_its_own_strategy(desk: Desk, trader: Trader) -> None:
    have_atm(desk, trader)
    trader.close()
    assert desk.take() == [CLOSE_ATM]
    trader.hold(0)
    assert desk.result(NAME) is None
    desk.wait(1)
    assert (desk.result(NAME), desk.take(), desk.alarms) == ("done", [], [])


def test_what_ninjatraders_own_strategy_holds_is_closed_beside_the_rest(desk: Desk, trader: Trader) -> None:
    have_atm(desk, trader)
    trader.trade("long", "S", 1)
    trader.trade("other", "T", 3)
    trader.close()
    desk.take()
    desk.say(stop_of("long"), "CANCELLED")
    assert desk.take() == [CLOSE_ATM]
    trader.hold(4)
    desk.wait(1)
    assert desk.take() == [line(1)]
    trader.hold(3, ID, 1)
    assert desk.result(NAME) == "done"


def test_a_strategy_of_ninjatraders_that_is_not_seen_closed_calls_a_person(desk: Desk, trader: Trader) -> None:
    have_atm(desk, trader)
    trader.close()
    desk.take()
    desk.wait(9)
    assert desk.result(NAME) is None
    desk.wait(2)
    assert (desk.result(NAME), desk.alarms) == ("failed", ["close_failed"])
    assert ATM in str(desk.state.instructions[NAME].reason)


def test_a_file_for_a_strategy_of_ninjatraders_is_written_again_after_a_crash(desk: Desk, trader: Trader) -> None:
    have_atm(desk, trader)
    closing = trader.close()
    assert list(desk.lines.values()) == [CLOSE_ATM]
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    trader.hold(2)
    desk.look(*trader.shown, closing)
    desk.take()
    desk.wait(1)
    desk.take()
    trader.hold(0)
    desk.wait(1)
    assert (desk.result(NAME), [it.line for it in desk.effects if isinstance(it, WriteFile)].count(CLOSE_ATM)) == (
        "done",
        2,
    )


def test_a_file_that_was_not_taken_is_written_again(desk: Desk, trader: Trader) -> None:
    have_atm(desk, trader)
    trader.close()
    desk.refuse_file()
    desk.wait(0.5)
    assert desk.take() == []
    desk.wait(1)
    assert desk.take() == [CLOSE_ATM]


def test_nothing_is_closed_of_a_strategy_of_ninjatraders_that_has_ended(desk: Desk, trader: Trader) -> None:
    have_atm(desk, trader)
    trader.hold(0)
    desk.wait(5)
    trader.close()
    assert (desk.result(NAME), desk.take()) == ("no_position", [])


def test_a_strategy_whose_close_an_operator_has_ended_is_looked_after_again(desk: Desk, trader: Trader) -> None:
    trader.trade("first", "S")
    trader.close()
    assert desk.take() == [oif.cancel(stop_of("first"))]
    desk.look(*trader.shown)
    assert (desk.result(NAME), desk.alarms) == ("superseded", ["close_failed"])
    assert desk.state.orders["first"].closing is None


def close_part(desk: Desk, trader: Trader, qty: int, left: int) -> None:
    """Have a part of the position be closed, which leaves so much; every leg has NinjaTrader's word."""
    part = asked(desk, "CLOSEPOSITION", "part", qty=qty)
    desk.look(*trader.shown, part)
    made = oif.venue_id("part.1", 1)
    for _ in range(10):
        for taken in map(placed, desk.take()):
            if taken["command"] == "CHANGE":
                desk.say(taken["order_id"], "ACCEPTED")
                desk.say(taken["order_id"], "WORKING")
        desk.wait(1)
        if "part.1" in desk.state.orders:
            break
    desk.take()
    trader.hold(left, made, qty)
    desk.wait(1)
    assert desk.result("part") == "done"


def take_closing(desk: Desk, order_id: str) -> list[str]:
    """Have a strategy's stop end, and return what closes its position."""
    desk.take()
    desk.say(stop_of(order_id), "CANCELLED")
    return [it for it in desk.take() if placed(it)["command"] == "PLACE"]


@pytest.mark.parametrize(("strategy_id", "closed"), [("S", 1), ("T", 3)])
def test_a_part_that_was_closed_of_a_strategys_trade_is_not_closed_again(
    desk: Desk, trader: Trader, strategy_id: str, closed: int
) -> None:
    trader.trade("long", "S", 3)
    close_part(desk, trader, 2, left=1)
    trader.trade("other", "T", 3)
    trader.close(strategy_id)
    assert take_closing(desk, "long" if strategy_id == "S" else "other") == [line(closed)]


@pytest.mark.parametrize(("strategy_id", "closed"), [("S", 1), ("T", 3)])
def test_a_part_that_was_closed_where_nothing_has_legs_is_the_oldest_strategys(
    desk: Desk, trader: Trader, strategy_id: str, closed: int
) -> None:
    for name, whose in (("long", "S"), ("other", "T")):
        trader.shown.append(order(desk, name, strategy_id=whose, qty=3))
        desk.look(*trader.shown)
        desk.take()
        trader.hold(trader.held + 3, oif.venue_id(f"request-{name}", 1), 3)
        trader.shown[-1] = trader.shown[-1]._replace(state=OrderState.FILLED)
        desk.wait(1)
    close_part(desk, trader, 2, left=4)
    trader.close(strategy_id)
    assert [it for it in desk.take() if placed(it)["command"] == "PLACE"] == [line(closed)]
