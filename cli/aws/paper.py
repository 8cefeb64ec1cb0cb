"""A stand-in for NinjaTrader 8: does to a folder what NinjaTrader does, over a small market of its own.

The letter beside a fact is its grade: D, its documentation says so; M, somebody measured and published it; C, somebody
claims it; I, inferred. None was tried by this project on a running NinjaTrader.
"""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import partial
from pathlib import Path
from threading import Event, RLock

from bridge.contracts import spellings
from cli.aws.paper_exchange import Exchange
from cli.aws.paper_instructions import RefusedError, parse
from cli.aws.paper_market import Execution, PaperOrder, Position, details
from cli.aws.paper_misbehaviour import Misbehaviour

_READ_AFTER = timedelta(milliseconds=100)
"""M: a file is read and gone about 0.1 s after it was written."""

_TYPE_WORDS = {"MARKET": "Market", "LIMIT": "Limit", "STOPMARKET": "Stop Market", "STOPLIMIT": "Stop Limit"}

_FIFTEEN = Context(prec=15)


class Paper:
    """NinjaTrader over one folder. `step` does everything that is due; between two steps nothing happens."""

    def __init__(
        self,
        folder: Path,
        *,
        accounts: Sequence[str] = ("Sim101",),
        seed: int = 0,
        spelling: int = 2,
        moves: bool = True,
    ) -> None:
        """`spelling` says how position files name a contract: 0 `ES 12-26` (C), 1 `ES DEC26` (C), 2 `ESZ6` (M)."""
        self._folder, self._accounts, self._spelling = folder, tuple(accounts), spelling
        self._exchange = Exchange(self, seed=seed, moves=moves)
        self.lines: list[str] = []
        """Every instruction that was read, as it stood in its file."""
        self._seen: set[str] = set()
        self._started_at: datetime | None = None
        self._lock = RLock()

    # What it has

    @property
    def misbehaviour(self) -> Misbehaviour:
        """Its switches."""
        return self._exchange.misbehaviour

    @property
    def orders(self) -> Sequence[PaperOrder]:
        """Every order that it ever had, finished ones included."""
        return self._exchange.orders

    @property
    def executions(self) -> Sequence[Execution]:
        """Every fill."""
        return self._exchange.executions

    @property
    def positions(self) -> Mapping[tuple[str, str], Position]:
        """What is held, by account and contract."""
        return self._exchange.positions

    def price(self, instrument: str) -> Decimal:
        """Return where the market stands; the instrument as `ES 12-26`."""
        return self._exchange.market.price(instrument)

    def started(self) -> float | None:
        """Return since when it runs, in seconds since 1970, as a process's start time; None while it does not."""
        return self._started_at.timestamp() if self._started_at else None

    # What a person does with it

    def start(self, at: datetime) -> None:
        """Start: D, `outgoing` is emptied; its connection is up. Positions and orders are those of before (I)."""
        for name in ("incoming", "outgoing", "log"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        for file in (self._folder / "outgoing").iterdir():
            file.unlink()
        self._started_at = at
        self._seen.clear()
        self._exchange.start(at)
        self.set_connected(True, at)

    def stop(self) -> None:
        """Stop: nothing is read, written or filled any more; files that exist stay."""
        with self._lock:
            self._started_at = None

    def set_connected(self, connected: bool, at: datetime) -> None:
        """Bring its connection up or down: D, a file of the connection's name says so."""
        self._put("Simulated Data Feed.txt", "CONNECTED" if connected else "DISCONNECTED", at)

    def set_price(self, instrument: str, price: Decimal | str, at: datetime) -> None:
        """Put the market at a price, and fill what it fills; the instrument as `ES 12-26`."""
        with self._lock:
            self._exchange.market.set_price(instrument, Decimal(price))
            if self._started_at is not None:
                self._exchange.match(at)

    def run(self, stopped: Event, interval: float = 0.05) -> None:
        """Step until `stopped`, by this machine's clock; for a thread of its own."""
        while not stopped.wait(interval):
            self.step(datetime.now(UTC))

    def step(self, at: datetime) -> None:
        """Do what is due at a time: read instructions, move the market, fill orders, write what has changed."""
        with self._lock:
            if self._started_at is not None:
                self._exchange.do_due(at)
                self._look(at)
                self._exchange.move(at)

    # Instructions

    def _look(self, at: datetime) -> None:
        if self.misbehaviour.leaves_files:
            return
        names = {entry.name for entry in os.scandir(self._folder / "incoming")}
        self._seen &= names
        for name in sorted(names - self._seen):
            self._seen.add(name)
            self._exchange.later(at + _READ_AFTER, partial(self._take, name))

    def _take(self, name: str, at: datetime) -> None:
        if self.misbehaviour.leaves_files:
            self._seen.discard(name)
            return
        path = self._folder / "incoming" / name
        try:
            content = path.read_bytes()
            path.unlink()
        except OSError:
            return  # it was moved away
        if not re.fullmatch(r"oif.*\.txt", name, re.IGNORECASE):
            self._log(at, 1, f"Unknown OIF file type '{name}'")  # M, for a name that does not begin with `oif`
            return
        for line in content.decode("utf-8", errors="replace").splitlines():
            self.lines.append(line)
            self._carry_out(line, at)

    def _carry_out(self, line: str, at: datetime) -> None:
        exchange = self._exchange
        do = {
            "PLACE": exchange.place,
            "CANCEL": exchange.cancel,
            "CHANGE": exchange.change,
            "CLOSEPOSITION": exchange.close,
            "CLOSESTRATEGY": exchange.close_strategy,
            "CANCELALLORDERS": exchange.cancel_all,
            "FLATTENEVERYTHING": exchange.flatten,
        }
        try:
            asked = parse(line, self._accounts, lambda name: exchange.market.contract(name, at.date()))
            self._log(at, 1, f"OIF, '{line}' processing")  # M
            do[asked.command](asked, at)
        except RefusedError as refusal:
            self._log(at, 1, f"OIF, '{line}' {refusal}")

    # Files

    def order_moved(self, order: PaperOrder, why: str, at: datetime) -> None:
        """Write the order's state file, and its line in the log."""
        word = self.misbehaviour.part_filled if order.state == "PartFilled" else order.state.upper()
        # M: `<Account>_<id>.txt`, upper case without blanks, 0 while nothing is filled, and a line end
        average = _plain(order.average) if order.filled else "0"
        self._put(f"{order.account}_{order.order_id}.txt", f"{word};{order.filled};{average}", at)
        words = re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", order.state)
        error = "Order rejected" if order.state == "Rejected" else "Unable to change order" if why else "No error"
        self._log(  # M: it has NinjaTrader's own id of the order, never ours
            at,
            32,
            f"Order='{order.native_id}/{order.account}' Name='' New state='{words}' "
            f"Instrument='{spellings(order.instrument)[1]}' Action='{order.action.capitalize()}' "
            f"Limit price={_plain(order.limit)} Stop price={_plain(order.stop)} Quantity={order.quantity} "
            f"Type='{_TYPE_WORDS[order.order_type]}' Time in force={order.tif} Oco='{order.oco}' "
            f"Filled={order.filled} Fill price={average} Error='{error}' Native error='{why}'",
        )

    def position_moved(self, account: str, instrument: str, at: datetime) -> None:
        """Write the position's file."""
        quantity, average = self.positions[account, instrument]
        side = "LONG" if quantity > 0 else "SHORT" if quantity else "FLAT"
        name = f"{spellings(instrument)[self._spelling]} {details(instrument).exchange}_{account}_position.txt"
        self._put(name, f"{side};{abs(quantity)};{_plain(average)}", at)  # M

    def _put(self, name: str, text: str, at: datetime) -> None:
        path, content = self._folder / "outgoing" / name, f"{text}\r\n".encode()
        if self.misbehaviour.writes_halves:
            self._write(path, content[: len(text) * 3 // 4], at)  # a price that is cut short is one, too
            self._exchange.later(at + _READ_AFTER, lambda then: self._write(path, content, then))
        else:
            self._write(path, content, at)

    def _write(self, path: Path, content: bytes, at: datetime) -> None:
        path.write_bytes(content)
        os.utime(path, (at.timestamp(), at.timestamp()))  # a simulation's clock is not the machine's

    def _log(self, at: datetime, category: int, text: str) -> None:
        """M: time, level, category, text."""
        path = self._folder / "log" / f"log.{at:%Y%m%d}.00000.txt"
        with open(path, "a", encoding="utf-8", newline="\r\n") as file:
            file.write(f"{at:%Y-%m-%d %H:%M:%S}:{at.microsecond // 1000:03}|1|{category}|{text}\n")


def _plain(number: Decimal) -> str:
    """Return a number as NinjaTrader's language writes one: with 15 digits at most (I)."""
    return format(_FIFTEEN.plus(number).normalize(), "f")
