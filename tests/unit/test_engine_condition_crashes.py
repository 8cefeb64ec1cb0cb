"""The bridge crashes between any two effects of an order that closes something first: what NinjaTrader then has."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from bridge.engine import step
from bridge.events import (
    ConnectionRead,
    Effect,
    Event,
    FileConsumed,
    FileWritten,
    NinjaTraderStarted,
    OrderStateRead,
    PositionRead,
    Save,
    WriteFile,
)
from orderhook.conditions import Conditions, Sync
from orderhook.orders import Order
from tests.bridge import Desk, order, placed

CASES = {
    "flatten_first": Conditions(closes_first="orders_and_position"),
    "REVERSEPOSITION": Conditions(closes_first="orders_and_position", reverses=True),
    "FLATPLACE": Conditions(closes_first="position"),
    "flatten": Conditions(sync=Sync("short", "flat", "flatten")),
    "resync": Conditions(sync=Sync("short", "flat", "resync", 1)),
}
TARGETS = {"flatten_first": -1, "REVERSEPOSITION": -1, "FLATPLACE": -1, "flatten": 0, "resync": -1}


class _CrashError(Exception):
    """The bridge ends here."""


class Fragile(Desk):
    """A desk whose engine crashes before one effect, and a NinjaTrader that takes every file at once."""

    def __init__(self, crashes_at: int) -> None:
        super().__init__()
        self.crashes_at, self.asked = crashes_at, 0
        self.position = 0
        self.working: dict[str, str] = {}
        self.sent: list[tuple[datetime, str, int]] = []
        """When which command was taken, and what the position was then."""

    def tell(self, event: Event) -> list[Effect]:
        events = [event]
        while events:
            self.state, effects = step(self.state, events.pop(0), self.at)
            for effect in effects:
                self.asked += 1
                if self.asked == self.crashes_at:
                    raise _CrashError
                match effect:
                    case Save(records):
                        self.journal.update(records)
                    case WriteFile(name, line):
                        self.lines[name] = line
                        events.append(FileWritten(name))
        return []

    def take_files(self) -> None:
        """Have NinjaTrader carry out what lies there, and the bridge read what it says, unless that has crashed."""
        for name, line in list(self.lines.items()):
            del self.lines[name]
            said = list(self._carry_out(placed(line)))
            for event in (FileConsumed(name), *said):
                self.tell(event)

    def _carry_out(self, line: dict[str, str]) -> Iterator[Event]:
        venue_id = line["order_id"]
        if line["command"] != "CANCEL" or venue_id in self.working:
            self.sent.append((self.at, line["command"], self.position))
        match line["command"]:
            case "PLACE" if line["order_type"] == "LIMIT":
                self.working[venue_id] = "WORKING"
                yield OrderStateRead(venue_id, "Sim101", "WORKING", 0, None)
            case "PLACE":
                self.position += int(line["qty"]) * (1 if line["action"] == "BUY" else -1)
                self.working[venue_id] = "FILLED"
                yield OrderStateRead(venue_id, "Sim101", "FILLED", int(line["qty"]), Decimal(5000))
                yield self.position_file()
            case "CANCEL" if self.working.get(venue_id) == "WORKING":
                self.working[venue_id] = "CANCELLED"
                yield OrderStateRead(venue_id, "Sim101", "CANCELLED", 0, None)
            case "CLOSEPOSITION":
                self.position = 0
                yield self.position_file()

    def position_file(self) -> PositionRead:
        side = "LONG" if self.position > 0 else "SHORT" if self.position else "FLAT"
        return PositionRead("Sim101", "ES 12-26", side, abs(self.position), Decimal(5000) if self.position else None)  # type: ignore[arg-type]

    def restart(self) -> None:
        """Start again from the journal, beside what NinjaTrader's files say."""
        self.crash_keeping_files()
        self.tell(NinjaTraderStarted(emptied=False))
        self.tell(ConnectionRead(connected=True))
        for venue_id, state in self.working.items():
            done = int(state == "FILLED") and self.state.venue_orders[venue_id].qty
            self.tell(OrderStateRead(venue_id, "Sim101", state, done, Decimal(5000) if done else None))
        self.tell(self.position_file())

    def crash_keeping_files(self) -> None:
        """Lose everything but the journal and what lies in `incoming`, which NinjaTrader takes meanwhile."""
        files = dict(self.lines)
        self.lines.clear()
        for line in files.values():
            list(self._carry_out(placed(line)))
        known = {name: value for name, value in self.journal.items() if value is not None}
        self.journal = known
        self.crash()


def play(case: str, crashes_at: int) -> Fragile:
    """Have an order come while a position is open and an entry works; returns what became of it after 20 s."""
    desk = Fragile(0)
    desk.start()
    desk.take_files()
    desk.wait(1)
    desk.look(order(desk, "first"))
    desk.take_files()
    resting = order(desk, "resting", order_type="LIMIT", limit_price=Decimal(4000))
    desk.look(resting, order(desk, "first"))
    desk.take_files()
    desk.wait(1)
    shown = [order(desk, action="SELL", conditions=CASES[case]), resting]
    desk.sent.clear()
    desk.crashes_at = crashes_at and desk.asked + crashes_at
    for _ in range(200):
        _moment(desk, shown)
    return desk


def _moment(desk: Fragile, shown: list[Order]) -> None:
    try:
        desk.look(*shown)
        desk.take_files()
        desk.wait(0.1)
    except _CrashError:
        desk.restart()


@pytest.mark.parametrize("case", CASES)
def test_without_a_crash_the_order_ends_where_it_should(case: str) -> None:
    desk = play(case, 0)
    assert desk.position == TARGETS[case]


@pytest.mark.parametrize("crashes_at", range(1, 22))
@pytest.mark.parametrize("case", CASES)
def test_a_crash_between_two_effects_closes_once_and_opens_only_on_flat(case: str, crashes_at: int) -> None:
    desk = play(case, crashes_at)
    assert desk.position in {1, 0, TARGETS[case]}
    closes = [at for at, command, _ in desk.sent if command == "CLOSEPOSITION"]
    assert all((later - earlier).total_seconds() >= 10 for earlier, later in pairwise(closes))
    orders = [before for _, command, before in desk.sent if command == "PLACE"]
    # FLATPLACE closes by an order of its own, and a resync is one order.
    assert orders in ([], [0], [1], [1, 0]) if case in ("FLATPLACE", "resync") else orders in ([], [0])
