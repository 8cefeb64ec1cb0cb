"""Drive the engine by hand: a table that is shown to it, and what NinjaTrader would say."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from bridge import oif
from bridge.engine import step
from bridge.events import (
    Alarm,
    ConnectionRead,
    Effect,
    Event,
    FileConsumed,
    FileNotWritten,
    FileWritten,
    Looked,
    NinjaTraderStarted,
    OrderStateRead,
    PositionRead,
    Save,
    SendReport,
    Tick,
    WriteFile,
)
from bridge.making import make_order
from bridge.state import Config, State, Turn
from orderhook.bridge_messages import InstructionReport, OrderReport, Side
from orderhook.instructions import Instruction
from orderhook.orders import Event as HistoryEvent
from orderhook.orders import Leg, Order, OrderState, Want, timestamp
from orderhook.venues import NINJATRADER

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
JOURNAL = "journal-1"

Asked = TypeVar("Asked")


class Desk:
    """An engine, what its journal has, and what it has asked for."""

    def __init__(self, **config: Any) -> None:
        self.at = START
        self.config = Config(JOURNAL, "pc", ("Sim101",), **config)
        self.journal: dict[str, object] = {}
        self.state = State.restored(self.config, {}, self.at)
        self.lines: dict[str, str] = {}
        """The files that were asked for since the last look at them, by name."""
        self.reports: list[OrderReport] = []
        self.results: list[InstructionReport] = []
        self.alarms: list[str] = []
        self.effects: list[Effect] = []

    def tell(self, event: Event) -> list[Effect]:
        """Have the engine take a step, and keep what it asks for."""
        self.state, effects = step(self.state, event, self.at)
        return self._do(effects)

    def make(self, by: str, number: int = 1, **values: Any) -> str:
        """Have the engine make an order, and return its id."""
        defaults = {"account": "Sim101", "instrument": "ES 12-26", "action": "SELL", "qty": 1, "opens": False}
        made = self.do(lambda turn: make_order(turn, by, number, **defaults | values))  # type: ignore[arg-type]
        return made.order_id

    def do(self, ask: Callable[[Turn], Asked]) -> Asked:
        """Have the engine do something in a step of its own, and go on from there."""
        turn = Turn(self.state, self.at)
        answer = ask(turn)
        self.state, effects = turn.done()
        self._do(effects)
        self.tell(Tick())
        return answer

    def _do(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        for effect in effects:
            match effect:
                case Save(records):
                    for name, value in records.items():
                        self.journal[name] = json.loads(json.dumps(value))
                    self.journal = {name: value for name, value in self.journal.items() if value is not None}
                case WriteFile(name, line):
                    self.lines[name] = line
                case SendReport(OrderReport() as report):
                    self.reports.append(report)
                case SendReport(InstructionReport() as report):
                    self.results.append(report)
                case Alarm(code, _):
                    self.alarms.append(code)
        return effects

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        self.tell(Tick())

    def look(
        self,
        *shown: Order | Instruction,
        kill_switch: bool = False,
        owner: str | None = JOURNAL,
        asked: Sequence[Instruction] = (),
        **more: Any,
    ) -> None:
        """Show the table."""
        orders = [it for it in shown if isinstance(it, Order)]
        instructions = [*(it for it in shown if isinstance(it, Instruction)), *asked]
        self.tell(Looked(orders, kill_switch, owner, instructions=instructions, **more))

    def start(self) -> "Desk":
        """Own the stack, with a NinjaTrader that takes files and is connected."""
        self.tell(NinjaTraderStarted())
        self.tell(ConnectionRead(connected=True))
        self.look()
        self.take()
        self.wait(1)
        return self

    def take(self) -> list[str]:
        """Have every file be written and consumed; returns the lines."""
        taken: list[str] = []
        while self.lines:
            name, line = self.lines.popitem()
            taken.append(line)
            self.tell(FileWritten(name))
            self.tell(FileConsumed(name))
        return taken

    def refuse_file(self, why: str = "denied") -> None:
        """Have the one file that is to be written not be written."""
        [name] = self.lines
        self.lines.clear()
        self.tell(FileNotWritten(name, why))

    def say(self, venue_id: str, state: str, filled: int = 0, average: str | None = None) -> None:
        """Have NinjaTrader write an order's state."""
        self.tell(OrderStateRead(venue_id, "Sim101", state, filled, Decimal(average) if average else None))

    def hold(self, side: Side, quantity: int = 0, instrument: str = "ES 12-26", account: str = "Sim101") -> None:
        """Have NinjaTrader write a position."""
        self.tell(PositionRead(account, instrument, side, quantity, Decimal(5000) if quantity else None))

    def result(self, instruction_id: str = "close") -> str | None:
        """Return what has become of an instruction."""
        return self.state.instructions[instruction_id].result

    def crash(self) -> None:
        """Lose everything but the journal, and start again."""
        self.lines.clear()
        self.state = State.restored(self.config, self.journal, self.at)

    def last(self, order_id: str) -> OrderReport:
        """Return the last report of an order."""
        return [report for report in self.reports if report.order_id == order_id][-1]


def placed(line: str) -> dict[str, str]:
    """Return a line's fields by their names."""
    return dict(zip(oif.FIELDS, line.split(";"), strict=True))


def order(desk: Desk, order_id: str = "long", *, legs: Mapping[str, Leg] | None = None, **values: Any) -> Order:
    """Return an order as the table would list it, placed just now."""
    defaults: dict[str, Any] = {
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "BUY",
        "qty": 1,
        "order_type": "MARKET",
        "tif": "DAY",
        "state": OrderState.INITIALIZED,
        "since": timestamp(desk.at),
        "received_at": timestamp(desk.at),
        "venue": NINJATRADER.name,
        "want": want(desk),
        "legs": legs or {},
        "history": (HistoryEvent(OrderState.INITIALIZED, timestamp(desk.at), f"request-{order_id}", "key"),),
    }
    return Order(order_id, **defaults | values)


def asked(desk: Desk, command: str = "CLOSEPOSITION", name: str = "close", **values: Any) -> Instruction:
    """Return an instruction as the table would list it, received just now; without a pair it is about every one."""
    pair = {} if command.startswith("FLATTEN") else {"account": "Sim101", "instrument": "ES 12-26"}
    defaults: dict[str, Any] = {"received_at": timestamp(desk.at), "venue": NINJATRADER.name, **pair}
    return Instruction(name, command, **defaults | values)


def want(desk: Desk, n: int = 1, kind: Any = "place") -> Want:
    """Return what is asked just now."""
    not_after = None if kind == "cancel" else timestamp(desk.at + timedelta(seconds=30))
    return Want(n, kind, timestamp(desk.at), not_after)
