"""The stand-in's market: contracts, prices that move, orders, positions, and when an order is filled. No files.

Prices are made up, and the same for the same seed.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from bridge.contracts import canonical

FINISHED = frozenset({"Filled", "Cancelled", "Rejected"})
MATCHED = frozenset({"Working", "PartFilled"})
"""The states in which an order may be filled."""


class Contract(NamedTuple):
    """A root that the stand-in knows; any month of it may be traded."""

    tick: Decimal
    price: Decimal
    exchange: str


def _contract(tick: str, price: str, exchange: str = "Globex") -> Contract:
    return Contract(Decimal(tick), Decimal(price), exchange)


CONTRACTS: Mapping[str, Contract] = {
    "ES": _contract("0.25", "5000"),
    "MES": _contract("0.25", "5000"),
    "NQ": _contract("0.25", "18000"),
    "MNQ": _contract("0.25", "18000"),
    "RTY": _contract("0.1", "2200"),
    "M2K": _contract("0.1", "2200"),
    "YM": _contract("1", "40000", "Cbot"),
    "MYM": _contract("1", "40000", "Cbot"),
    "CL": _contract("0.01", "70", "Nymex"),
    "MCL": _contract("0.01", "70", "Nymex"),
    "GC": _contract("0.1", "2500", "Comex"),
    "MGC": _contract("0.1", "2500", "Comex"),
    "6E": _contract("0.00005", "1.1"),
}


class AtmTemplate(NamedTuple):
    """An ATM strategy template, as far as the stand-in has them: one target and one stop, in points from the fill."""

    target: Decimal
    stop: Decimal


ATM_TEMPLATES: Mapping[str, AtmTemplate] = {"paper-atm": AtmTemplate(Decimal(10), Decimal(5))}


@dataclass(slots=True)
class PaperOrder:
    """An order as NinjaTrader has it."""

    order_id: str
    """The instruction's ORDER ID, else the native one."""
    native_id: str
    account: str
    instrument: str
    action: str
    quantity: int
    order_type: str
    limit: Decimal = Decimal(0)
    stop: Decimal = Decimal(0)
    tif: str = "GTC"
    oco: str = ""
    state: str = "Initialized"
    filled: int = 0
    average: Decimal = Decimal(0)
    is_triggered: bool = False
    atm: "AtmTemplate | None" = None
    """What it is placed with, of NinjaTrader's own."""
    atm_id: str = ""
    """The ATM strategy that it belongs to, its entry or a leg."""

    @property
    def is_finished(self) -> bool:
        """Whether it has come to an end."""
        return self.state in FINISHED

    @property
    def rest(self) -> int:
        """How much is still to be filled."""
        return self.quantity - self.filled

    @property
    def sign(self) -> int:
        """1 for what buys, -1 for what sells."""
        return 1 if self.action == "BUY" else -1

    def is_partner_of(self, other: "PaperOrder") -> bool:
        """Whether both are of one OCO group."""
        return self is not other and self.oco == other.oco != "" and self.account == other.account

    def is_beyond_market(self, price: Decimal) -> bool:
        """Whether its stop price is one that the market has passed already, so that no exchange takes it."""
        return self.order_type.startswith("STOP") and self.sign * (self.stop - price) <= 0

    def price_at(self, price: Decimal) -> Decimal | None:
        """Return at what price it is filled while the market stands at `price`; None if it is not."""
        if self.order_type.startswith("STOP") and self.sign * (price - self.stop) >= 0:
            self.is_triggered = True
        if self.order_type.startswith("STOP") and not self.is_triggered:
            return None
        if self.order_type in ("LIMIT", "STOPLIMIT") and self.sign * (price - self.limit) > 0:
            return None
        return price


def legs_of(order: PaperOrder, quantity: int, price: Decimal, ids: Sequence[str]) -> list[PaperOrder]:
    """Return the target and the stop that an order's template gives to what was just filled of it (D).

    The `ids` are NinjaTrader's own: of the target, of the stop, and of their OCO group.
    """
    if order.atm is None:
        return []
    action = "SELL" if order.action == "BUY" else "BUY"
    return [
        PaperOrder(
            own,
            own,
            order.account,
            order.instrument,
            action,
            quantity,
            order_type,
            limit,
            stop,
            oco=ids[2],
            atm_id=order.atm_id,
        )
        for own, order_type, limit, stop in (
            (ids[0], "LIMIT", price + order.sign * order.atm.target, Decimal(0)),
            (ids[1], "STOPMARKET", Decimal(0), price - order.sign * order.atm.stop),
        )
    ]


class Execution(NamedTuple):
    """A fill."""

    order_id: str
    account: str
    instrument: str
    quantity: int
    """Negative when sold."""
    price: Decimal
    at: datetime


class Position(NamedTuple):
    """What an account holds of a contract: contracts, negative when short, and their average price."""

    quantity: int = 0
    average: Decimal = Decimal(0)

    def after(self, quantity: int, price: Decimal) -> "Position":
        """Return the position after a fill; what is sold is negative."""
        total = self.quantity + quantity
        if total == 0:
            return Position()
        if self.quantity * quantity >= 0:
            return Position(total, (self.average * self.quantity + price * quantity) / total)
        return Position(total, self.average if total * self.quantity > 0 else price)


class Market:
    """The price of every contract that was asked for: a walk of a few ticks, or what was set."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  it makes prices, not secrets
        self._prices: dict[str, Decimal] = {}

    def contract(self, name: str, today: date) -> str | None:
        """Return the canonical name of a contract that NinjaTrader knows, in whatever spelling; None otherwise."""
        instrument = canonical(name, today)
        return instrument if " " in instrument and instrument.split(" ")[0] in CONTRACTS else None

    def price(self, instrument: str) -> Decimal:
        """Return where the market stands."""
        return self._prices.setdefault(instrument, details(instrument).price)

    def set_price(self, instrument: str, price: Decimal) -> None:
        """Put the market at a price."""
        self._prices[instrument] = price

    def move(self) -> None:
        """Move every price by up to two ticks."""
        for instrument in sorted(self._prices):
            step = details(instrument).tick * self._random.randint(-2, 2)
            self._prices[instrument] = max(self._prices[instrument] + step, details(instrument).tick)


def details(instrument: str) -> Contract:
    """Return what is known of the root of a contract."""
    return CONTRACTS[instrument.split(" ")[0]]
