"""The stand-in behaves as NinjaTrader is known to: what it reads, refuses, fills and writes, and its misbehaviours."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.events import ConnectionRead, FileConsumed, LogLine, NinjaTraderStarted, OrderStateRead, PositionRead
from bridge.ninjatrader import Folder
from cli.aws.paper import Paper
from cli.aws.paper_market import FINISHED, Market, Position
from cli.aws.paper_misbehaviour import Misbehaviour

ACCOUNTS = ("Sim101", "Sim_VWAP v2")
ES = "ES 12-26"
START = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
A, B, C = "ohaaaaaaaaaaaaaaaa", "ohbbbbbbbbbbbbbbbb", "ohcccccccccccccccc"
OCO = "ohoooooooooooooooo"


class Desk:
    """A stand-in and the folder over it; time goes on by a tenth of a second at each step."""

    def __init__(self, path: Path, **settings: int) -> None:
        self.path = path
        self.paper = Paper(path, accounts=ACCOUNTS, moves=False, **settings)
        self.paper.start(START)
        self.folder = Folder(path, ACCOUNTS, self.paper.started)
        self.now = START
        self.files = 0
        self.logged: list[LogLine] = []
        self.states: dict[str, list[str]] = {}
        self.read: dict[str, OrderStateRead] = {}
        self.positions: dict[tuple[str, str], PositionRead] = {}
        self.consumed: list[str] = []
        self.connected: bool | None = None
        self.starts = 0
        self.wait()

    def wait(self, seconds: float = 0.1) -> None:
        """Let time go by, and read the folder all the while."""
        for _ in range(round(seconds * 10)):
            self.now += timedelta(milliseconds=100)
            self.paper.step(self.now)
            self.look()

    def look(self) -> None:
        """Read the folder once."""
        for event in self.folder.scan():
            match event:
                case OrderStateRead():
                    self.read[event.venue_id] = event
                    self.states.setdefault(event.venue_id, []).append(event.state)
                case PositionRead():
                    self.positions[event.account, event.instrument] = event
                case LogLine():
                    self.logged.append(event)
                case FileConsumed(name):
                    self.consumed.append(name)
                case ConnectionRead(connected):
                    self.connected = connected
                case NinjaTraderStarted():
                    self.starts += 1

    def write(self, line: str, wait: float = 1) -> None:
        """Write an instruction of the bridge, and let NinjaTrader work."""
        self.files += 1
        self.folder.write(f"oif_oh_{self.files:04}.txt", line)
        self.wait(wait)

    def write_raw(self, line: str, wait: float = 1) -> None:
        """Write whatever another program may."""
        (self.path / "incoming" / "oif1.txt").write_text(f"{line}\r\n", newline="")
        self.wait(wait)

    def place(self, order_id: str, what: str, oco: str = "", wait: float = 1, account: str = "Sim101") -> None:
        """Place `BUY 2 LIMIT 4990 0`."""
        action, quantity, order_type, limit, stop = what.split()
        self.write(f"PLACE;{account};{ES};{action};{quantity};{order_type};{limit};{stop};GTC;{oco};{order_id};;", wait)

    def cancel(self, order_id: str, wait: float = 1) -> None:
        self.write(f"CANCEL;;;;;;;;;;{order_id};;", wait)

    def price(self, price: str) -> None:
        self.paper.set_price(ES, price, self.now)
        self.wait()

    def state(self, order_id: str) -> tuple[str, int, Decimal | None]:
        read = self.read[order_id]
        return read.state, read.filled, read.average

    def side(self, account: str = "Sim101") -> tuple[str, int, Decimal | None]:
        read = self.positions[account, ES]
        return read.side, read.quantity, read.average

    def errors(self) -> list[str]:
        return [line.text for line in self.logged if line.is_error]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# What it does on a good day


def test_it_starts_with_an_empty_folder_and_its_connection_up(desk: Desk) -> None:
    assert desk.connected
    assert desk.starts == 1
    desk.paper.set_connected(False, desk.now)
    desk.look()
    assert desk.connected is False


def test_a_file_is_gone_and_a_market_order_filled_within_a_second(desk: Desk) -> None:
    desk.place(A, "BUY 2 MARKET 0 0")
    assert desk.consumed == ["oif_oh_0001.txt"]
    assert desk.states[A][0] == "SUBMITTED"
    assert desk.state(A) == ("FILLED", 2, Decimal(5000))
    assert desk.side() == ("LONG", 2, Decimal(5000))
    assert desk.paper.positions["Sim101", ES] == Position(2, Decimal(5000))


@pytest.mark.parametrize("spelling", [0, 1, 2])
@pytest.mark.parametrize("account", ACCOUNTS)
def test_positions_are_written_in_each_spelling_and_for_each_account(
    tmp_path: Path, spelling: int, account: str
) -> None:
    desk = Desk(tmp_path, spelling=spelling)
    desk.place(A, "SELL 1 MARKET 0 0", account=account)
    assert desk.side(account) == ("SHORT", 1, Decimal(5000))
    assert desk.read[A].account == account


@pytest.mark.parametrize(
    ("what", "prices", "filled_at"),
    [
        ("BUY 1 LIMIT 4990 0", ["4995", "4990.25", "4990"], "4990"),
        ("SELL 1 LIMIT 5010 0", ["5009.75", "5012"], "5012"),
        ("BUY 1 LIMIT 5005 0", [], "5000"),
        ("BUY 1 STOPMARKET 0 5010", ["5009.75", "5010.5"], "5010.5"),
        ("SELL 1 STOPMARKET 0 4990", ["4990.25", "4990"], "4990"),
        ("SELL 1 STOPLIMIT 4991 4990", ["4989", "4990.75", "4991.25"], "4991.25"),
        ("BUY 1 STOPLIMIT 5010 5010", ["5011", "5010"], "5010"),
    ],
)
def test_an_order_is_filled_when_the_market_is_there(desk: Desk, what: str, prices: list[str], filled_at: str) -> None:
    desk.place(A, what)
    for price in prices:
        assert desk.state(A) == ("WORKING", 0, None)
        desk.price(price)
    assert desk.state(A) == ("FILLED", 1, Decimal(filled_at))


def test_what_is_filled_ends_its_oco_partner(desk: Desk) -> None:
    desk.place(A, "BUY 1 MARKET 0 0")
    desk.place(B, "SELL 1 STOPMARKET 0 4990", OCO)
    desk.place(C, "SELL 1 LIMIT 5010 0", OCO)
    desk.price("5010")
    desk.wait(1)
    assert desk.state(C)[0] == "FILLED"
    assert desk.states[B][-2:] == ["CANCELPENDING", "CANCELLED"]
    assert desk.side() == ("FLAT", 0, None)


def test_what_is_cancelled_ends_its_oco_partner(desk: Desk) -> None:
    desk.place(B, "SELL 1 STOPMARKET 0 4990", OCO)
    desk.place(C, "SELL 1 LIMIT 5010 0", OCO)
    desk.cancel(B)
    assert [desk.state(B)[0], desk.state(C)[0]] == ["CANCELLED", "CANCELLED"]


def test_a_part_fill_shrinks_the_oco_partner(desk: Desk) -> None:
    desk.paper.misbehaviour.fills_at_most = 1
    desk.place(B, "SELL 3 STOPMARKET 0 4990", OCO)
    desk.place(C, "SELL 3 LIMIT 5010 0", OCO)
    desk.paper.set_price(ES, "5010", desk.now)
    desk.look()
    assert desk.state(C) == ("PARTFILLED", 1, Decimal(5010))
    [partner] = [order for order in desk.paper.orders if order.order_id == B]
    assert partner.quantity == 2
    desk.wait(1)
    assert [desk.state(C)[0], desk.state(B)[0]] == ["FILLED", "CANCELLED"]


def test_a_change_leaves_what_is_zero_as_it_is(desk: Desk) -> None:
    desk.place(A, "BUY 2 STOPLIMIT 5012 5010")
    desk.write(f"CHANGE;;;;0;;0;5005;;;{A};;")
    [order] = desk.paper.orders
    assert (order.quantity, order.limit, order.stop, order.state) == (2, Decimal(5012), Decimal(5005), "Working")
    assert desk.states[A].count("WORKING") == 2, "the file is written again"
    desk.write(f"CHANGE;;;;1;;5006;0;;;{A};;")
    assert (order.quantity, order.limit, order.stop) == (1, Decimal(5006), Decimal(5005))


def test_a_position_grows_shrinks_turns_and_ends(desk: Desk) -> None:
    for order_id, what, price, side in [
        ("oh" + "a" * 16, "BUY 1 MARKET 0 0", "5000", ("LONG", 1, "5000")),
        ("oh" + "b" * 16, "BUY 1 MARKET 0 0", "5010", ("LONG", 2, "5005")),
        ("oh" + "c" * 16, "SELL 1 MARKET 0 0", "5020", ("LONG", 1, "5005")),
        ("oh" + "d" * 16, "SELL 3 MARKET 0 0", "4990", ("SHORT", 2, "4990")),
        ("oh" + "e" * 16, "BUY 2 MARKET 0 0", "4980", ("FLAT", 0, None)),
    ]:
        desk.price(price)
        desk.place(order_id, what)
        assert desk.side() == (*side[:2], Decimal(side[2]) if side[2] else None)


def test_closeposition_cancels_the_pairs_orders_and_closes_what_is_open(desk: Desk) -> None:
    desk.place(A, "BUY 2 MARKET 0 0")
    desk.place(B, "SELL 2 STOPMARKET 0 4990")
    desk.place(C, "SELL 1 LIMIT 5010 0", account="Sim_VWAP v2")
    desk.write(f"CLOSEPOSITION;Sim101;{ES};;;;;;;;;;")
    assert desk.side() == ("FLAT", 0, None)
    assert [desk.state(B)[0], desk.state(C)[0]] == ["CANCELLED", "WORKING"]
    desk.write(f"CLOSEPOSITION;Sim101;{ES};;;;;;;;;;")
    assert len(desk.paper.executions) == 2, "what is flat stays flat"


def test_global_commands_reach_every_account(desk: Desk) -> None:
    desk.place(A, "BUY 1 MARKET 0 0")
    desk.place(B, "BUY 1 MARKET 0 0", account="Sim_VWAP v2")
    desk.place(C, "BUY 1 LIMIT 4000 0", account="Sim_VWAP v2")
    desk.write_raw("CANCELALLORDERS;;;;;;;;;;;;")
    assert desk.state(C)[0] == "CANCELLED"
    desk.write_raw("FLATTENEVERYTHING;;;;;;;;;;;;")
    assert [desk.side()[0], desk.side("Sim_VWAP v2")[0]] == ["FLAT", "FLAT"]


def test_an_order_without_an_id_has_a_file_under_ninjatraders_own(desk: Desk) -> None:
    desk.write_raw(f"PLACE;Sim101;{ES};BUY;1;MARKET;0;0;GTC;;;;")
    [order] = desk.paper.orders
    assert (desk.path / "outgoing" / f"Sim101_{order.native_id}.txt").exists()


def test_a_second_cancel_changes_nothing(desk: Desk) -> None:
    desk.place(A, "BUY 1 LIMIT 4990 0")
    desk.cancel(A, wait=0.1)
    desk.cancel(A)
    assert desk.states[A][-2:] == ["CANCELPENDING", "CANCELLED"]
    assert desk.states[A].count("CANCELPENDING") == 1


def test_an_oco_group_is_of_one_account(desk: Desk) -> None:
    desk.place(A, "BUY 1 LIMIT 4990 0", OCO)
    desk.place(B, "BUY 1 LIMIT 4990 0", OCO, account="Sim_VWAP v2")
    desk.cancel(A)
    assert desk.state(B)[0] == "WORKING"


# What it refuses


def test_a_template_gives_each_fill_a_target_and_a_stop_of_ninjatraders_own(desk: Desk) -> None:
    desk.paper.misbehaviour.fills_at_most = 1
    desk.write(f"PLACE;Sim101;{ES};SELL;2;MARKET;0;0;GTC;;{A};paper-atm;{B}", 2)
    _, *legs = desk.paper.orders
    shown = [(it.order_type, it.action, it.quantity, it.limit, it.stop, it.state) for it in legs]
    target = ("LIMIT", "BUY", 1, Decimal(4990), Decimal(0), "Working")
    stop = ("STOPMARKET", "BUY", 1, Decimal(0), Decimal(5005), "Working")
    assert shown == [target, stop, target, stop]
    assert len({it.oco for it in legs}) == 2
    assert list(desk.states) == [A]  # nothing of ours tells of them
    desk.paper.set_price(ES, "4990", desk.now)
    desk.wait(2)
    assert sorted(it.state for it in legs) == ["Cancelled", "Cancelled", "Filled", "Filled"]


def test_a_strategys_id_starts_one_strategy(desk: Desk) -> None:
    for order_id in (A, C):
        desk.write(f"PLACE;Sim101;{ES};BUY;1;MARKET;0;0;GTC;;{order_id};paper-atm;{B}")
    assert desk.paper.positions["Sim101", ES].quantity == 1
    assert any("invalid strategy id" in error for error in desk.errors())


def test_a_strategy_is_closed_with_its_orders_and_no_others(desk: Desk) -> None:
    desk.write(f"PLACE;Sim101;{ES};SELL;2;MARKET;0;0;GTC;;{A};paper-atm;{B}")
    desk.write(f"PLACE;Sim101;{ES};SELL;1;MARKET;0;0;GTC;;{C};;")
    desk.write(f"CLOSESTRATEGY;;;;;;;;;;;;{B}")
    desk.wait(2)
    assert desk.paper.positions["Sim101", ES].quantity == -1
    assert not [it for it in desk.paper.orders if not it.is_finished]
    desk.write(f"CLOSESTRATEGY;;;;;;;;;;;;{C}")
    [log] = (desk.path / "log").glob("log.*.txt")
    assert f"strategy with ID '{C}' does not exist" in log.read_text()


GOOD = f"PLACE;Sim101;{ES};BUY;1;LIMIT;4990;0;GTC;;{A};;"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD[:-1], "has invalid # of parameters, should be 13 but is 12"),
        (GOOD + ";", "has invalid # of parameters, should be 13 but is 14"),
        (GOOD.replace("LIMIT", "STOP"), "holds invalid order type parameter 'STOP'"),
        (GOOD.replace(ES, "XYZ 12-26"), "holds unknown instrument 'XYZ 12-26'"),
        (GOOD.replace(ES, "ES"), "holds unknown instrument 'ES'"),
        (GOOD.replace("Sim101", "Sim999"), "holds unknown account 'Sim999'"),
        (GOOD.replace("BUY", "buy"), "holds invalid action parameter 'buy'"),
        (GOOD.replace("4990", "4990,25"), "holds invalid limit price parameter '4990,25'"),
        (GOOD.replace(";1;", ";1.5;"), "holds invalid quantity parameter '1.5'"),
        (GOOD.replace(";1;", ";0;"), "holds invalid quantity parameter '0'"),
        (GOOD.replace("GTC", "GTD"), "holds invalid time in force parameter 'GTD'"),
        (GOOD.replace(f"{A};;", f"{A};MyAtm;"), "Unable to load ATM strategy template"),
        (f"CANCEL;;;;;;;;;;{B};;", f"order with ID/Name '{B}' does not exist"),
        (f"CHANGE;;;;1;;0;0;;;{B};;", f"order with ID/Name '{B}' does not exist"),
    ],
)
def test_what_is_refused_leaves_a_line_in_the_log_and_no_file(desk: Desk, line: str, words: str) -> None:
    desk.write_raw(line)
    assert [words in error for error in desk.errors()] == [True]
    assert desk.states == {}
    assert os.listdir(desk.path / "incoming") == []
    assert desk.paper.orders == []


def test_a_file_that_is_not_named_oif_is_not_read(desk: Desk) -> None:
    (desk.path / "incoming" / "place.txt").write_text(GOOD)
    desk.wait(1)
    assert desk.paper.lines == []
    assert "Unknown OIF file type" in (desk.path / "log" / "log.20261127.00000.txt").read_text()


def test_a_byte_order_mark_spoils_the_line(desk: Desk) -> None:
    (desk.path / "incoming" / "oif1.txt").write_text(GOOD, encoding="utf-8-sig")
    desk.wait(1)
    assert desk.paper.orders == []


def test_an_oco_id_is_taken_once(desk: Desk) -> None:
    desk.place(A, "SELL 1 LIMIT 5010 0", OCO)
    desk.cancel(A)
    desk.place(B, "SELL 1 LIMIT 5010 0", OCO)
    assert desk.state(B)[0] == "REJECTED"
    assert any("cannot be reused" in error for error in desk.errors())


@pytest.mark.parametrize("what", ["BUY 1 STOPMARKET 0 4990", "SELL 1 STOPMARKET 0 5000", "SELL 1 STOPLIMIT 5000 5010"])
def test_a_stop_beyond_the_market_is_rejected_with_a_reason_in_the_log(desk: Desk, what: str) -> None:
    desk.place(A, what)
    assert desk.state(A)[0] == "REJECTED"
    assert any("can't be placed" in error for error in desk.errors())


def test_a_cancel_before_the_first_state_is_lost(desk: Desk) -> None:
    desk.place(A, "BUY 1 LIMIT 4990 0", wait=0)
    desk.cancel(A, wait=2)
    assert desk.state(A)[0] == "WORKING"
    assert any("does not exist" in error for error in desk.errors())


def test_an_order_id_that_is_used_twice_makes_two_orders(desk: Desk) -> None:
    for _ in range(2):
        desk.place(A, "BUY 1 MARKET 0 0")
    assert desk.side()[:2] == ("LONG", 2)


def test_a_change_of_what_is_finished_or_filled_is_refused(desk: Desk) -> None:
    desk.paper.misbehaviour.fills_at_most = 1
    desk.place(A, "BUY 2 LIMIT 4990 0")
    desk.paper.set_price(ES, "4990", desk.now)
    desk.price("5000")
    desk.write(f"CHANGE;;;;1;;0;0;;;{A};;")
    desk.cancel(A)
    desk.write(f"CHANGE;;;;3;;0;0;;;{A};;")
    filled, finished = desk.errors()
    assert "already filled" in filled
    assert "does not exist" in finished


# Its misbehaviours


def test_a_file_that_is_left_is_read_much_later(desk: Desk) -> None:
    desk.paper.misbehaviour.leaves_files = True
    desk.place(A, "BUY 1 MARKET 0 0", wait=60)
    assert desk.states == {}
    desk.paper.misbehaviour.leaves_files = False
    desk.wait(1)
    assert desk.state(A)[0] == "FILLED"


def test_half_written_files_are_never_taken_for_whole_ones(desk: Desk) -> None:
    desk.paper.misbehaviour.writes_halves = True
    desk.place(A, "BUY 2 MARKET 0 0", wait=2)
    assert desk.state(A) == ("FILLED", 2, Decimal(5000))
    assert desk.side() == ("LONG", 2, Decimal(5000))
    assert {"FILLED", "SUBMITTED", "ACCEPTED", "WORKING"} >= set(desk.states[A])


def test_a_restart_empties_the_folder_and_keeps_orders_and_positions(desk: Desk) -> None:
    desk.place(A, "BUY 1 MARKET 0 0")
    desk.place(B, "SELL 1 STOPMARKET 0 4990")
    desk.paper.stop()
    desk.place(C, "BUY 1 MARKET 0 0", wait=2)
    assert C not in desk.states
    desk.positions.clear()
    desk.paper.start(desk.now)
    desk.wait(1)
    assert desk.starts == 2
    assert desk.state(C)[0] == "FILLED", "a file that lay there is carried out at its start"
    assert desk.side()[:2] == ("LONG", 2), "a position is written when it changes"
    desk.price("4990")
    assert desk.state(B)[0] == "FILLED"


def test_a_position_file_may_come_later_than_the_orders(desk: Desk) -> None:
    desk.paper.misbehaviour.position_files_after = timedelta(seconds=3)
    desk.place(A, "BUY 1 MARKET 0 0", wait=2)
    assert desk.state(A)[0] == "FILLED"
    assert desk.positions == {}
    desk.wait(3)
    assert desk.side()[:2] == ("LONG", 1)


def test_without_market_data_orders_are_rejected_after_21_seconds(desk: Desk) -> None:
    desk.paper.misbehaviour.has_no_data = True
    desk.place(A, "BUY 1 MARKET 0 0", wait=20)
    desk.place(B, "BUY 1 LIMIT 4990 0", wait=1)
    assert desk.state(A)[0] == "SUBMITTED"
    desk.cancel(B, wait=6)
    assert [desk.state(A)[0], desk.state(B)[0]] == ["REJECTED", "REJECTED"]
    assert desk.states[B] == ["SUBMITTED", "CANCELPENDING", "REJECTED"]
    assert any("no market data" in error for error in desk.errors())


def test_a_fill_may_overtake_a_cancel(desk: Desk) -> None:
    desk.paper.misbehaviour.fills_overtake_cancels = True
    desk.place(A, "BUY 1 LIMIT 4990 0")
    desk.cancel(A)
    assert desk.states[A][-2:] == ["CANCELPENDING", "FILLED"]
    assert desk.side() == ("LONG", 1, Decimal(4990))


def test_a_fill_may_overtake_a_change(desk: Desk) -> None:
    desk.paper.misbehaviour.fills_overtake_changes = True
    desk.place(A, "BUY 2 LIMIT 4990 0")
    desk.write(f"CHANGE;;;;1;;4980;0;;;{A};;")
    assert desk.state(A) == ("FILLED", 2, Decimal(4990))


def test_a_change_may_be_refused_in_the_log_alone(desk: Desk) -> None:
    desk.paper.misbehaviour.refuses_changes = True
    desk.place(A, "BUY 2 LIMIT 4990 0")
    desk.write(f"CHANGE;;;;1;;4980;0;;;{A};;")
    assert desk.state(A)[0] == "WORKING"
    [order] = desk.paper.orders
    assert (order.quantity, order.limit) == (2, Decimal(4990))
    assert any("Unable to change order" in text for text in desk.errors())


def test_stops_may_be_rejected(desk: Desk) -> None:
    desk.paper.misbehaviour.rejects_stops = True
    desk.place(A, "SELL 1 STOPMARKET 0 4990")
    assert desk.state(A)[0] == "REJECTED"


def test_a_stop_may_fill_while_a_close_is_under_way_and_turn_the_position(desk: Desk) -> None:
    desk.paper.misbehaviour.stop_fills_during_close = True
    desk.place(A, "BUY 1 MARKET 0 0")
    desk.place(B, "SELL 1 STOPMARKET 0 4990")
    desk.write(f"CLOSEPOSITION;Sim101;{ES};;;;;;;;;;")
    assert desk.side()[:2] == ("SHORT", 1)


def test_an_oco_partner_may_keep_its_size(desk: Desk) -> None:
    desk.paper.misbehaviour.fills_at_most = 1
    desk.paper.misbehaviour.keeps_oco_partner = True
    desk.place(B, "SELL 2 STOPMARKET 0 4990", OCO)
    desk.place(C, "SELL 2 LIMIT 5010 0", OCO)
    desk.paper.set_price(ES, "5010", desk.now)
    assert next(order for order in desk.paper.orders if order.order_id == B).quantity == 2
    desk.wait(1)
    assert [desk.state(C)[0], desk.state(B)[0]] == ["FILLED", "CANCELLED"]


def test_an_average_is_written_with_fifteen_digits(desk: Desk) -> None:
    desk.paper.misbehaviour.fills_at_most = 1
    desk.place(A, "BUY 3 LIMIT 4990 0")
    for price in ("4990", "4989", "4989"):
        desk.paper.set_price(ES, price, desk.now)
    desk.wait(1)
    assert desk.state(A) == ("FILLED", 3, Decimal("4989.33333333333"))
    assert desk.side() == ("LONG", 3, Decimal("4989.33333333333"))


def test_a_part_fill_has_two_spellings(desk: Desk) -> None:
    desk.paper.misbehaviour.part_filled = "PARTIALLYFILLED"
    desk.paper.misbehaviour.fills_at_most = 1
    desk.place(A, "BUY 5 LIMIT 4990 0")
    desk.paper.set_price(ES, "4990", desk.now)
    desk.look()
    assert desk.state(A)[:2] == ("PARTIALLYFILLED", 1)


def test_every_misbehaviour_is_off_at_first(desk: Desk) -> None:
    assert desk.paper.misbehaviour == Misbehaviour()


# The market


def history(path: Path, seed: int) -> list[str]:
    """Trade for a minute over a market that moves, and return everything that the stand-in wrote."""
    paper, now = Paper(path, seed=seed), START
    paper.start(now)
    for number in range(600):
        now += timedelta(milliseconds=100)
        if number % 50 == 0:
            name = path / "incoming" / f"oif{number}.txt"
            name.write_text(f"PLACE;Sim101;{ES};BUY;1;LIMIT;{paper.price(ES) - 1};0;GTC;;o{number};;\r\n")
        paper.step(now)
    return [file.read_text() for folder in ("log", "outgoing") for file in sorted((path / folder).iterdir())]


def test_the_same_seed_makes_the_same_market(tmp_path: Path) -> None:
    first, second, other = (history(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == second != other
    assert "Filled" in first[0]


def test_prices_move_by_whole_ticks_unless_they_are_held(tmp_path: Path) -> None:
    prices = set()
    for moves in (True, False):
        paper = Paper(tmp_path, moves=moves)
        paper.start(START)
        paper.price(ES)
        for seconds in range(1, 20):
            paper.step(START + timedelta(seconds=seconds))
            prices |= {paper.price(ES)} if moves else set()
    assert paper.price(ES) == 5000
    assert len(prices) > 2
    assert {price % Decimal("0.25") for price in prices} == {0}


def test_a_price_never_falls_below_a_tick() -> None:
    market = Market(seed=1)
    market.set_price("MCL 12-26", Decimal("0.01"))
    prices = []
    for _ in range(50):
        market.move()
        prices.append(market.price("MCL 12-26"))
    assert min(prices) == Decimal("0.01") < max(prices)


@pytest.mark.parametrize("quantity", [2, -2])
def test_what_is_closed_has_neither_size_nor_price(quantity: int) -> None:
    assert Position(quantity, Decimal(5000)).after(-quantity, Decimal(5010)) == Position()


@pytest.mark.parametrize(
    ("instrument", "exchange"),
    [("ES 12-26", "Globex"), ("YM 12-26", "Cbot"), ("CL 12-26", "Nymex"), ("GC 12-26", "Comex")],
)
def test_a_position_file_names_the_contracts_exchange(desk: Desk, instrument: str, exchange: str) -> None:
    desk.write(f"PLACE;Sim101;{instrument};BUY;1;MARKET;0;0;GTC;;{A};;", 1)
    assert list((desk.path / "outgoing").glob(f"* {exchange}_*_position.txt"))


def test_it_runs_by_the_machines_clock_in_a_thread(tmp_path: Path) -> None:
    paper, stopped, now = Paper(tmp_path), Event(), datetime.now(UTC)
    paper.start(now)
    thread = Thread(target=paper.run, args=(stopped, 0.001))
    thread.start()
    Folder(tmp_path, ("Sim101",)).write("oif_oh_1.txt", GOOD)
    while not (tmp_path / "outgoing" / f"Sim101_{A}.txt").exists():
        assert thread.is_alive()
    stopped.set()
    thread.join()


WHAT = [
    "BUY 2 MARKET 0 0",
    "SELL 1 MARKET 0 0",
    "BUY 3 LIMIT 4995 0",
    "SELL 2 STOPMARKET 0 4990",
    "BUY 1 STOPLIMIT 5020 5010",
]
FAULTS = ["writes_halves", "fills_overtake_cancels", "fills_overtake_changes", "rejects_stops", "keeps_oco_partner"]


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("place"), st.sampled_from(WHAT)),
            st.tuples(st.just("cancel"), st.integers(0, 5)),
            st.tuples(st.just("change"), st.integers(0, 5)),
            st.tuples(st.just("price"), st.integers(4980, 5020)),
            st.tuples(st.just("close"), st.none()),
        ),
        max_size=12,
    ),
    faults=st.sets(st.sampled_from(FAULTS)),
    most=st.sampled_from([None, 1]),
)
def test_files_and_books_agree_whatever_happens(
    steps: list[tuple[str, object]], faults: set[str], most: int | None
) -> None:
    with TemporaryDirectory() as name:
        desk = Desk(Path(name))
        for fault in faults:
            setattr(desk.paper.misbehaviour, fault, True)
        desk.paper.misbehaviour.fills_at_most = most
        placed = 0
        for step, value in steps:
            match step, value:
                case "place", str(what):
                    desk.place(f"oh{'abcdefghijkl'[placed] * 16}", what, wait=0.2)
                    placed += 1
                case "cancel", int(which):
                    desk.cancel(f"oh{'abcdefghijkl'[which] * 16}", wait=0.2)
                case "change", int(which):
                    desk.write(f"CHANGE;;;;4;;0;0;;;oh{'abcdefghijkl'[which] * 16};;", wait=0.2)
                case "price", int(price):
                    desk.price(str(price))
                case _:
                    desk.write(f"CLOSEPOSITION;Sim101;{ES};;;;;;;;;;", wait=0.2)
        desk.wait(2)
        for order in desk.paper.orders:
            assert 0 <= order.filled <= order.quantity
            assert order.state in FINISHED or order.state in ("Working", "PartFilled")
            if order.order_id.startswith("oh"):
                assert desk.state(order.order_id)[:2] == (order.state.upper(), order.filled)
        net = sum(execution.quantity for execution in desk.paper.executions)
        assert desk.paper.positions["Sim101", ES].quantity == net
        if desk.paper.executions:
            side, quantity, _ = desk.side()
            assert {"LONG": 1, "SHORT": -1, "FLAT": 0}[side] * quantity == net
        assert os.listdir(desk.path / "incoming") == []
