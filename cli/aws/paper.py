"""A stand-in for NinjaTrader 8: does to a folder what NinjaTrader does, over a small market of its own.

The letter beside a fact is its grade: D, its documentation says so; M, somebody measured and published it; C, somebody
claims it; I, inferred. None was tried by this project on a running NinjaTrader.
"""

import os
import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from heapq import heapify, heappop, heappush
from pathlib import Path
from threading import Event, RLock
from typing import NamedTuple

from bridge.contracts import spellings
from cli.aws.paper_instructions import Instruction, RefusedError, parse
from cli.aws.paper_market import MATCHED, Market, PaperOrder, Position, details

_READ_AFTER = timedelta(milliseconds=100)
"""M: a file is read and gone about 0.1 s after it was written."""

_SUBMITTED_AFTER = timedelta(milliseconds=100)
"""M: the first state comes about 0.1 s after the file was read; until then the id is unknown."""

_NEXT_STATE_AFTER = timedelta(milliseconds=50)
"""M: Submitted, Accepted and Working follow one another within a second."""

_CANCELLED_AFTER = timedelta(milliseconds=200)
_WITHOUT_DATA = timedelta(seconds=21)
"""M: without market data the simulator rejects an order after 21 s, and a cancel of it after 5 s."""
_CANCEL_WITHOUT_DATA = timedelta(seconds=5)

_MOVES_EVERY = timedelta(milliseconds=500)


class Execution(NamedTuple):
    """A fill."""

    order_id: str
    account: str
    instrument: str
    quantity: int
    """Negative when sold."""
    price: Decimal
    at: datetime


@dataclass(slots=True)
class Misbehaviour:
    """What NinjaTrader does at its worst; everything is off at first, and may be turned on and off at any time."""

    leaves_files: bool = False
    """M: a file in `incoming` is not read; one that lies there is read much later."""
    writes_halves: bool = False
    """I: an update file is met half written, without a line end; the rest follows 0.1 s later."""
    position_files_after: timedelta = timedelta(0)
    """C: a position file is written later than the state of the order that moved it."""
    has_no_data: bool = False
    """M: no market data: orders are rejected after 21 s."""
    fills_overtake_cancels: bool = False
    """D: an order that is being cancelled is filled first."""
    fills_overtake_changes: bool = False
    """D: an order that is being changed is filled first, as it was before."""
    rejects_stops: bool = False
    """C: a stop is rejected."""
    stop_fills_during_close: bool = False
    """C: a stop fills while CLOSEPOSITION is under way, which sells the position a second time."""
    keeps_oco_partner: bool = False
    """I: what fills in part leaves the size of its OCO partner as it is."""
    fills_at_most: int | None = None
    """D: how much is filled at a time; the rest follows as the market moves."""
    part_filled: str = "PARTFILLED"
    """C: or PARTIALLYFILLED."""


@dataclass(order=True, slots=True)
class _Due:
    at: datetime
    number: int
    do: Callable[[datetime], None] = field(compare=False)


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
        self._folder, self._accounts, self._spelling, self._moves = folder, tuple(accounts), spelling, moves
        self.misbehaviour = Misbehaviour()
        self.orders: list[PaperOrder] = []
        self.executions: list[Execution] = []
        self.positions: dict[tuple[str, str], Position] = defaultdict(Position)
        """By account and instrument."""
        self.lines: list[str] = []
        """Every instruction that was read, as it stood in its file."""
        self._market = Market(seed)
        self._random = random.Random(seed)  # noqa: S311
        self._due: list[_Due] = []
        self._numbers = 0
        self._seen: set[str] = set()
        self._lock = RLock()
        self._started_at: datetime | None = None
        self._moved_at: datetime | None = None

    # What a person does with it

    def start(self, at: datetime) -> None:
        """Start: D, `outgoing` is emptied; its connection is up. Positions and orders are those of before (I)."""
        for name in ("incoming", "outgoing", "log"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        for file in (self._folder / "outgoing").iterdir():
            file.unlink()
        self._started_at = self._moved_at = at
        self._seen.clear()
        for due in self._due:
            due.at = max(due.at, at)  # what was under way goes on now
        heapify(self._due)
        self.set_connected(True, at)

    def stop(self) -> None:
        """Stop: nothing is read or written any more; files that exist stay."""
        self._started_at = None

    def started(self) -> float | None:
        """Return since when it runs, in seconds since 1970, as a process's start time; None while it does not."""
        return self._started_at.timestamp() if self._started_at else None

    def set_connected(self, connected: bool, at: datetime) -> None:
        """Bring its connection up or down: D, a file of the connection's name says so."""
        self._put("Simulated Data Feed.txt", "CONNECTED" if connected else "DISCONNECTED", at)

    def set_price(self, instrument: str, price: Decimal | str, at: datetime) -> None:
        """Put the market at a price, and fill what it fills; the instrument as `ES 12-26`."""
        with self._lock:
            self._market.set_price(instrument, Decimal(price))
            if self._started_at is not None:
                self._match(at)

    def price(self, instrument: str) -> Decimal:
        """Return where the market stands."""
        return self._market.price(instrument)

    def run(self, stopped: Event, interval: float = 0.05) -> None:
        """Step until `stopped`, by this machine's clock; for a thread of its own."""
        while not stopped.wait(interval):
            self.step(datetime.now(UTC))

    def step(self, at: datetime) -> None:
        """Do what is due at a time: read instructions, move the market, fill orders, write what has changed."""
        with self._lock:
            if self._started_at is not None:
                self._step(at)

    def _step(self, at: datetime) -> None:
        while self._due and self._due[0].at <= at:
            due = heappop(self._due)
            due.do(due.at)
        self._look(at)
        while self._moves and self._moved_at and self._moved_at + _MOVES_EVERY <= at:
            self._moved_at += _MOVES_EVERY
            self._market.move()
            self._match(self._moved_at)
        self._match(at)

    # Instructions

    def _look(self, at: datetime) -> None:
        if self.misbehaviour.leaves_files:
            return
        names = {entry.name for entry in os.scandir(self._folder / "incoming")}
        self._seen &= names
        for name in sorted(names - self._seen):
            self._seen.add(name)
            self._at(at + _READ_AFTER, partial(self._take, name))

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
        do = {
            "PLACE": self._place,
            "CANCEL": self._cancel_one,
            "CHANGE": self._change,
            "CLOSEPOSITION": lambda asked, at: self._close(asked.account, asked.instrument, at),
            "CANCELALLORDERS": lambda _, at: self._cancel_where(lambda _: True, at),  # M: of every account
            "FLATTENEVERYTHING": self._flatten,
        }
        try:
            asked = parse(line, self._accounts, lambda name: self._market.contract(name, at.date()))
            self._log(at, 1, f"OIF, '{line}' processing")  # M
            do[asked.command](asked, at)
        except RefusedError as refusal:
            self._log(at, 1, f"OIF, '{line}' {refusal}")

    def _place(self, asked: Instruction, at: datetime) -> None:
        native = f"{self._random.getrandbits(128):032x}"
        order = PaperOrder(
            order_id=asked.order_id or native,  # M: the state file is named by NinjaTrader's own id then
            native_id=native,
            account=asked.account,
            instrument=asked.instrument,
            action=asked.action,
            quantity=asked.quantity,
            order_type=asked.order_type,
            limit=asked.limit,
            stop=asked.stop,
            tif=asked.tif,
            oco=asked.oco,
        )
        if asked.strategy:
            template = f"templates/AtmStrategy/{asked.strategy}.xml"
            raise RefusedError(f"Unable to load ATM strategy template from file '{template}'")  # M
        self._at(at + _SUBMITTED_AFTER, lambda then: self._submit(order, then))

    def _submit(self, order: PaperOrder, at: datetime) -> None:
        is_used = order.oco and any(each.oco == order.oco and each.is_finished for each in self.orders)
        self.orders.append(order)  # an id that is there already makes a second order (I)
        self._move(order, "Submitted", at)
        if self.misbehaviour.has_no_data:
            why = "There is no market data available to drive the simulation engine."
            self._at(at + _WITHOUT_DATA, lambda then: self._reject(order, why, then))
        elif is_used:
            self._reject(order, f"The OCO ID '{order.oco}' cannot be reused.", at)  # M, as a window that waits
        elif order.order_type.startswith("STOP") and self.misbehaviour.rejects_stops:
            self._reject(order, "Stop orders are not accepted at this moment.", at)
        elif order.is_beyond_market(self.price(order.instrument)):
            side = "Buy" if order.action == "BUY" else "Sell"
            where = "below" if order.action == "BUY" else "above"
            self._reject(
                order, f"{side} stop or {side.lower()} stop limit orders can't be placed {where} the market.", at
            )
        else:
            self._at(at + _NEXT_STATE_AFTER, lambda then: self._advance(order, "Submitted", "Accepted", then))
            self._at(at + 2 * _NEXT_STATE_AFTER, lambda then: self._advance(order, "Accepted", "Working", then))

    def _advance(self, order: PaperOrder, before: str, after: str, at: datetime) -> None:
        if order.state == before:
            self._move(order, after, at)

    def _reject(self, order: PaperOrder, why: str, at: datetime) -> None:
        if not order.is_finished:
            self._move(order, "Rejected", at, why)
            self._cancel_where(lambda each: each.oco == order.oco != "" and each.account == order.account, at)

    def _cancel_one(self, asked: Instruction, at: datetime) -> None:
        orders = [order for order in self.orders if order.order_id == asked.order_id]
        if not orders:
            raise RefusedError(f"order with ID/Name '{asked.order_id}' does not exist")  # M
        self._cancel_where(lambda each: each.order_id == asked.order_id, at)

    def _cancel_where(self, is_meant: Callable[[PaperOrder], bool], at: datetime) -> None:
        for order in self.orders:
            if is_meant(order) and not order.is_finished and order.state != "CancelPending":
                self._cancel(order, at)

    def _cancel(self, order: PaperOrder, at: datetime) -> None:
        self._move(order, "CancelPending", at)  # M
        if self.misbehaviour.has_no_data:
            self._at(at + _CANCEL_WITHOUT_DATA, lambda then: self._reject(order, "", then))
        else:
            self._at(at + _CANCELLED_AFTER, lambda then: self._end_cancel(order, then))

    def _end_cancel(self, order: PaperOrder, at: datetime) -> None:
        if order.is_finished:
            return
        if self.misbehaviour.fills_overtake_cancels:
            self._fill(order, order.rest, order.limit or order.stop or self.price(order.instrument), at)
        if not order.is_finished:
            self._move(order, "Cancelled", at)
        # D: what is filled or cancelled ends the others of its group
        self._cancel_where(lambda each: each.oco == order.oco != "" and each.account == order.account, at)

    def _change(self, asked: Instruction, at: datetime) -> None:
        order = next((each for each in reversed(self.orders) if each.order_id == asked.order_id), None)
        if order is None or order.is_finished:
            raise RefusedError(f"order with ID/Name '{asked.order_id}' does not exist")  # M of CANCEL, I of CHANGE
        if asked.quantity and asked.quantity <= order.filled:
            raise RefusedError(f"quantity {asked.quantity} is already filled")  # I
        self._move(order, "ChangePending", at)  # C
        self._at(at + _NEXT_STATE_AFTER, lambda then: self._end_change(order, asked, then))

    def _end_change(self, order: PaperOrder, asked: Instruction, at: datetime) -> None:
        if self.misbehaviour.fills_overtake_changes and not order.is_finished:
            self._fill(order, order.rest, order.limit or order.stop or self.price(order.instrument), at)
        if order.state != "ChangePending":
            return
        # D: a zero leaves the value as it is
        order.quantity = max(asked.quantity or order.quantity, order.filled)
        order.limit, order.stop = asked.limit or order.limit, asked.stop or order.stop
        self._move(order, "PartFilled" if order.filled else "Working", at)

    def _close(self, account: str, instrument: str, at: datetime) -> None:
        """D: working orders of the pair are cancelled, and the position is closed by an order of NinjaTrader's own."""
        size = self.positions[account, instrument].quantity
        stops = [each for each in self._open(account, instrument) if each.order_type.startswith("STOP")]
        self._cancel_where(lambda each: (each.account, each.instrument) == (account, instrument), at)
        if self.misbehaviour.stop_fills_during_close:
            for order in stops[:1]:
                self._fill(order, order.rest, order.stop, at)
        if size:
            action = "SELL" if size > 0 else "BUY"
            closing = Instruction(
                "PLACE", account, instrument, action, abs(size), "MARKET", Decimal(0), Decimal(0), "GTC", "", "", "", ""
            )
            self._place(closing, at)

    def _flatten(self, _: Instruction, at: datetime) -> None:
        """D: of every account."""
        self._cancel_where(lambda _: True, at)
        for account, instrument in sorted(self.positions):
            self._close(account, instrument, at)

    def _open(self, account: str, instrument: str) -> list[PaperOrder]:
        return [
            order
            for order in self.orders
            if (order.account, order.instrument) == (account, instrument) and not order.is_finished
        ]

    # Fills

    def _match(self, at: datetime) -> None:
        for order in self.orders:
            if order.state in MATCHED and (price := order.price_at(self.price(order.instrument))):
                self._fill(order, min(order.rest, self.misbehaviour.fills_at_most or order.rest), price, at)

    def _fill(self, order: PaperOrder, quantity: int, price: Decimal, at: datetime) -> None:
        order.average = (order.average * order.filled + price * quantity) / (order.filled + quantity)
        order.filled += quantity
        pair = (order.account, order.instrument)
        self.executions.append(Execution(order.order_id, *pair, order.sign * quantity, price, at))
        self.positions[pair] = self.positions[pair].after(order.sign * quantity, price)
        self._move(order, "Filled" if order.rest == 0 else "PartFilled", at)
        # C: the position's file comes later than the order's
        self._at(at + self.misbehaviour.position_files_after, lambda then: self._put_position(*pair, then))
        for partner in self.orders:
            if partner is not order and partner.oco == order.oco != "" and partner.account == order.account:
                self._after_partner(partner, order, quantity, at)

    def _after_partner(self, partner: PaperOrder, order: PaperOrder, quantity: int, at: datetime) -> None:
        if partner.is_finished or partner.state == "CancelPending":
            return
        if order.is_finished or (partner.rest <= quantity and not self.misbehaviour.keeps_oco_partner):
            self._cancel(partner, at)  # D
        elif not self.misbehaviour.keeps_oco_partner:
            partner.quantity -= quantity  # I
            self._move(partner, partner.state, at)

    # Files

    def _move(self, order: PaperOrder, state: str, at: datetime, why: str = "") -> None:
        order.state = state
        word = self.misbehaviour.part_filled if state == "PartFilled" else state.upper()
        # M: `<Account>_<id>.txt`, upper case without blanks, 0 while nothing is filled, and a line end
        average = _plain(order.average) if order.filled else "0"
        self._put(f"{order.account}_{order.order_id}.txt", f"{word};{order.filled};{average}", at)
        words = re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", state)
        error = "Order rejected" if state == "Rejected" else "No error"
        self._log(  # M: it has NinjaTrader's own id of the order, never ours
            at,
            32,
            f"Order='{order.native_id}/{order.account}' Name='' New state='{words}' "
            f"Instrument='{spellings(order.instrument)[1]}' Action='{order.action.capitalize()}' "
            f"Limit price={_plain(order.limit)} Stop price={_plain(order.stop)} Quantity={order.quantity} "
            f"Type='{_TYPE_WORDS[order.order_type]}' Time in force={order.tif} Oco='{order.oco}' "
            f"Filled={order.filled} Fill price={average} Error='{error}' Native error='{why}'",
        )

    def _put_position(self, account: str, instrument: str, at: datetime) -> None:
        quantity, average = self.positions[account, instrument]
        side = "LONG" if quantity > 0 else "SHORT" if quantity else "FLAT"
        name = f"{spellings(instrument)[self._spelling]} {details(instrument).exchange}_{account}_position.txt"
        self._put(name, f"{side};{abs(quantity)};{_plain(average)}", at)  # M

    def _put(self, name: str, text: str, at: datetime) -> None:
        path, content = self._folder / "outgoing" / name, f"{text}\r\n".encode()
        if self.misbehaviour.writes_halves:
            self._write(path, content[: len(text) // 2], at)
            self._at(at + _READ_AFTER, lambda then: self._write(path, content, then))
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

    def _at(self, at: datetime, do: Callable[[datetime], None]) -> None:
        self._numbers += 1
        heappush(self._due, _Due(at, self._numbers, do))


_TYPE_WORDS = {"MARKET": "Market", "LIMIT": "Limit", "STOPMARKET": "Stop Market", "STOPLIMIT": "Stop Limit"}


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
