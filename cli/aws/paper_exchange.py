"""What the stand-in does with orders: states, fills, OCO groups, positions, as NinjaTrader has them. No files.

The letters are those of `paper`.
"""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from heapq import heapify, heappop, heappush
from typing import Protocol

from cli.aws.paper_instructions import Instruction, RefusedError
from cli.aws.paper_market import ATM_TEMPLATES, MATCHED, Execution, Market, PaperOrder, Position, legs_of
from cli.aws.paper_misbehaviour import Misbehaviour

_SUBMITTED_AFTER = timedelta(milliseconds=100)
"""M: the first state comes about 0.1 s after the file was read; until then the id is unknown."""

_NEXT_STATE_AFTER = timedelta(milliseconds=50)
"""M: Submitted, Accepted and Working follow one another within a second."""

_CANCELLED_AFTER = timedelta(milliseconds=200)
_WITHOUT_DATA, _CANCEL_WITHOUT_DATA = timedelta(seconds=21), timedelta(seconds=5)
"""M: without market data the simulator rejects an order after 21 s, and a cancel of it after 5 s."""

_MOVES_EVERY = timedelta(milliseconds=500)


@dataclass(order=True, slots=True)
class _Due:
    at: datetime
    number: int
    do: Callable[[datetime], None] = field(compare=False)


class Told(Protocol):
    """Who is told of what has happened: it writes the files."""

    def order_moved(self, order: PaperOrder, why: str, at: datetime) -> None:
        """Take that an order has a new state, or was changed in it; `why` it was rejected, or its change refused."""

    def position_moved(self, account: str, instrument: str, at: datetime) -> None:
        """Take that a position has another size or price, and that it is time to say so."""


class Exchange:
    """Orders, fills and positions of all accounts, over a market; what is to happen later is due at a time."""

    def __init__(self, told: Told, *, seed: int, moves: bool) -> None:
        """Make one without orders, whose prices move if `moves`."""
        self.misbehaviour = Misbehaviour()
        self.market = Market(seed)
        self.orders: list[PaperOrder] = []
        self.executions: list[Execution] = []
        self.positions: dict[tuple[str, str], Position] = defaultdict(Position)
        self._told, self._moves = told, moves
        self._random = random.Random(seed)  # noqa: S311  it makes ids, not secrets
        self._due: list[_Due] = []
        self._numbers = 0
        self._strategy_ids: set[str] = set()
        self._moved_at: datetime | None = None

    def start(self, at: datetime) -> None:
        """Go on after a stop: what was under way happens now."""
        self._moved_at = at
        for due in self._due:
            due.at = max(due.at, at)
        heapify(self._due)

    def do_due(self, at: datetime) -> None:
        """Do what is due by a time, in its order."""
        while self._due and self._due[0].at <= at:
            due = heappop(self._due)
            due.do(due.at)

    def move(self, at: datetime) -> None:
        """Move the market up to a time, and fill what it fills."""
        while self._moves and self._moved_at and self._moved_at + _MOVES_EVERY <= at:
            self._moved_at += _MOVES_EVERY
            self.market.move()
            self.match(self._moved_at)
        self.match(at)

    def later(self, at: datetime, do: Callable[[datetime], None]) -> None:
        """Have something done at a time, which it is given."""
        self._numbers += 1
        heappush(self._due, _Due(at, self._numbers, do))

    # Instructions; a RefusedError says in the log's words why one is not carried out

    def place(self, asked: Instruction, at: datetime) -> None:
        """Take a new order."""
        if asked.strategy and asked.strategy not in ATM_TEMPLATES:
            template = f"templates/AtmStrategy/{asked.strategy}.xml"
            raise RefusedError(f"Unable to load ATM strategy template from file '{template}'")  # M
        if asked.strategy_id and asked.strategy_id in self._strategy_ids:
            raise RefusedError(f"holds invalid strategy id parameter '{asked.strategy_id}'")  # I: it is in use
        self._strategy_ids.add(asked.strategy_id)
        native = self._native_id()
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
            atm=ATM_TEMPLATES.get(asked.strategy),
            atm_id=asked.strategy_id,
        )
        self.later(at + _SUBMITTED_AFTER, lambda then: self._submit(order, then))

    def _native_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def _submit(self, order: PaperOrder, at: datetime) -> None:
        is_used = order.oco and any(each.oco == order.oco and each.is_finished for each in self.orders)
        self.orders.append(order)  # an id that is there already makes a second order (I)
        self._move(order, "Submitted", at)
        if self.misbehaviour.has_no_data:
            why = "There is no market data available to drive the simulation engine."
            self.later(at + _WITHOUT_DATA, lambda then: self._reject(order, why, then))
        elif is_used:
            self._reject(order, f"The OCO ID '{order.oco}' cannot be reused.", at)  # M, as a window that waits
        elif order.order_type.startswith("STOP") and self.misbehaviour.rejects_stops:
            self._reject(order, "Stop orders are not accepted at this moment.", at)
        elif order.is_beyond_market(self.market.price(order.instrument)):
            side = "Buy" if order.action == "BUY" else "Sell"
            where = "below" if order.action == "BUY" else "above"
            self._reject(
                order, f"{side} stop or {side.lower()} stop limit orders can't be placed {where} the market.", at
            )
        else:
            self.later(at + _NEXT_STATE_AFTER, lambda then: self._advance(order, "Submitted", "Accepted", then))
            self.later(at + 2 * _NEXT_STATE_AFTER, lambda then: self._advance(order, "Accepted", "Working", then))

    def _advance(self, order: PaperOrder, before: str, after: str, at: datetime) -> None:
        if order.state == before:
            self._move(order, after, at)

    def _reject(self, order: PaperOrder, why: str, at: datetime) -> None:
        if not order.is_finished:
            self._move(order, "Rejected", at, why)
            self._cancel_group(order, at)

    def cancel(self, asked: Instruction, at: datetime) -> None:
        """Cancel the order of an id."""
        orders = [order for order in self.orders if order.order_id == asked.order_id]
        if not orders:
            raise RefusedError(f"order with ID/Name '{asked.order_id}' does not exist")  # M
        self._cancel_where(lambda each: each.order_id == asked.order_id, at)

    def _cancel_where(self, is_meant: Callable[[PaperOrder], bool], at: datetime) -> None:
        for order in self.orders:
            if is_meant(order) and not order.is_finished and order.state != "CancelPending":
                self._cancel(order, at)

    def _cancel_group(self, order: PaperOrder, at: datetime) -> None:
        """D: what is filled or cancelled ends the others of its OCO group."""
        self._cancel_where(lambda each: each.is_partner_of(order), at)

    def _cancel(self, order: PaperOrder, at: datetime) -> None:
        self._move(order, "CancelPending", at)  # M
        if self.misbehaviour.has_no_data:
            self.later(at + _CANCEL_WITHOUT_DATA, lambda then: self._reject(order, "", then))
        else:
            self.later(at + _CANCELLED_AFTER, lambda then: self._end_cancel(order, then))

    def _end_cancel(self, order: PaperOrder, at: datetime) -> None:
        if order.is_finished:
            return
        if self.misbehaviour.fills_overtake_cancels:
            self._fill(order, order.rest, order.limit or order.stop or self.market.price(order.instrument), at)
        if not order.is_finished:
            self._move(order, "Cancelled", at)
        self._cancel_group(order, at)

    def change(self, asked: Instruction, at: datetime) -> None:
        """Give an order another quantity or other prices."""
        order = next((each for each in reversed(self.orders) if each.order_id == asked.order_id), None)
        if order is None or order.is_finished:
            raise RefusedError(f"order with ID/Name '{asked.order_id}' does not exist")  # M of CANCEL, I of CHANGE
        if asked.quantity and asked.quantity <= order.filled:
            raise RefusedError(f"quantity {asked.quantity} is already filled")  # I
        self._move(order, "ChangePending", at)  # C
        self.later(at + _NEXT_STATE_AFTER, lambda then: self._end_change(order, asked, then))

    def _end_change(self, order: PaperOrder, asked: Instruction, at: datetime) -> None:
        if self.misbehaviour.fills_overtake_changes and not order.is_finished:
            self._fill(order, order.rest, order.limit or order.stop or self.market.price(order.instrument), at)
        if order.state != "ChangePending":
            return
        why = "Order can't be changed at this moment." if self.misbehaviour.refuses_changes else ""
        if not why:
            # D: a zero leaves the value as it is
            order.quantity = max(asked.quantity or order.quantity, order.filled)
            order.limit, order.stop = asked.limit or order.limit, asked.stop or order.stop
        self._move(order, "PartFilled" if order.filled else "Working", at, why)

    def cancel_all(self, _: Instruction, at: datetime) -> None:
        """M: of every account."""
        self._cancel_where(lambda _: True, at)

    def close(self, asked: Instruction, at: datetime) -> None:
        """D: working orders of the pair are cancelled, and the position is closed by an order of NinjaTrader's own."""
        self._close(asked.account, asked.instrument, at)

    def close_strategy(self, asked: Instruction, at: datetime) -> None:
        """D: an ATM strategy is closed. I: its orders are cancelled, and what it holds is closed by a MARKET order."""
        orders = [order for order in self.orders if order.atm_id == asked.strategy_id]
        if not orders:
            raise RefusedError(f"strategy with ID '{asked.strategy_id}' does not exist")  # I
        self._cancel_where(lambda each: each.atm_id == asked.strategy_id, at)
        self._close_size(orders[0].account, orders[0].instrument, sum(it.sign * it.filled for it in orders), at)

    def flatten(self, _: Instruction, at: datetime) -> None:
        """D: of every account."""
        self._cancel_where(lambda _: True, at)
        for account, instrument in sorted(self.positions):
            self._close(account, instrument, at)

    def _close(self, account: str, instrument: str, at: datetime) -> None:
        size = self.positions[account, instrument].quantity
        stops = [each for each in self._open(account, instrument) if each.order_type.startswith("STOP")]
        self._cancel_where(lambda each: (each.account, each.instrument) == (account, instrument), at)
        if self.misbehaviour.stop_fills_during_close:
            for order in stops[:1]:
                self._fill(order, order.rest, order.stop, at)
        self._close_size(account, instrument, size, at)

    def _close_size(self, account: str, instrument: str, size: int, at: datetime) -> None:
        if size:
            action = "SELL" if size > 0 else "BUY"
            nothing = Decimal(0)
            closing = (
                "PLACE",
                account,
                instrument,
                action,
                abs(size),
                "MARKET",
                nothing,
                nothing,
                "GTC",
                "",
                "",
                "",
                "",
            )
            self.place(Instruction(*closing), at)

    def _open(self, account: str, instrument: str) -> list[PaperOrder]:
        return [
            order
            for order in self.orders
            if (order.account, order.instrument) == (account, instrument) and not order.is_finished
        ]

    # Fills

    def match(self, at: datetime) -> None:
        """Fill what the market fills where it stands."""
        for order in self.orders:
            if order.state in MATCHED and (price := order.price_at(self.market.price(order.instrument))):
                self._fill(order, min(order.rest, self.misbehaviour.fills_at_most or order.rest), price, at)

    def _fill(self, order: PaperOrder, quantity: int, price: Decimal, at: datetime) -> None:
        order.average = (order.average * order.filled + price * quantity) / (order.filled + quantity)
        order.filled += quantity
        pair = (order.account, order.instrument)
        self.executions.append(Execution(order.order_id, *pair, order.sign * quantity, price, at))
        self.positions[pair] = self.positions[pair].after(order.sign * quantity, price)
        self._move(order, "Filled" if order.rest == 0 else "PartFilled", at)
        # C: the position's file comes later than the order's
        self.later(at + self.misbehaviour.position_files_after, lambda then: self._told.position_moved(*pair, then))
        for partner in self.orders:
            if partner.is_partner_of(order):
                self._after_partner(partner, order, quantity, at)
        for leg in legs_of(order, quantity, price, [self._native_id() for _ in range(3)]) if order.atm else ():
            self._submit(leg, at)

    def _after_partner(self, partner: PaperOrder, order: PaperOrder, quantity: int, at: datetime) -> None:
        if partner.is_finished or partner.state == "CancelPending":
            return
        if order.is_finished or (partner.rest <= quantity and not self.misbehaviour.keeps_oco_partner):
            self._cancel(partner, at)  # D
        elif not self.misbehaviour.keeps_oco_partner:
            partner.quantity -= quantity  # I
            self._move(partner, partner.state, at)

    def _move(self, order: PaperOrder, state: str, at: datetime, why: str = "") -> None:
        order.state = state
        self._told.order_moved(order, why, at)
