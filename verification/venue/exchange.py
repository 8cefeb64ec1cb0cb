"""NinjaTrader and its exchange, small: takes files, fills what it likes, ends partners. Chance comes from outside."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

FIELDS = 13
LIVE = ("WORKING", "PARTFILLED", "CANCELPENDING", "ACCEPTED")


class AtExchange:
    """An order at the exchange."""

    def __init__(self, fields: list[str]) -> None:
        _, self.account, self.instrument, self.action, qty, self.kind, limit, stop, self.tif, self.oco, self.id, *_ = (
            fields
        )
        self.qty = int(qty)
        self.limit, self.stop = limit, stop
        self.state = ""
        """Empty until its first state file is written."""
        self.filled = 0
        self.paid = Decimal(0)

    @property
    def is_live(self) -> bool:
        """Whether it may fill."""
        return self.state in LIVE


class Exchange:
    """What lies in `incoming`, and what became of it; `found` takes what may not be."""

    def __init__(self, chance: Random, found: Callable[[str], None]) -> None:
        self.chance, self.found = chance, found
        self.incoming: dict[str, str] = {}
        self.orders: dict[str, AtExchange] = {}
        self.spent_groups: set[str] = set()
        self.news: list[str] = []
        """The ids whose state files were written since the last scan."""
        self.on_place: Callable[[AtExchange], None] = lambda _: None

    def consume(self, name: str) -> None:
        """Take a file, and do what it says."""
        line = self.incoming.pop(name)
        fields = line.split(";")
        if len(fields) != FIELDS or fields[0] not in ("PLACE", "CHANGE", "CANCEL"):
            self.found(f"a line that may not be written: {line}")
        elif fields[0] == "PLACE":
            self._place(AtExchange(fields))
        elif (order := self.orders.get(fields[10])) and order.is_live:
            if fields[0] == "CANCEL":
                self._say(order, "CANCELPENDING")
            else:
                order.qty = int(fields[4]) or order.qty
                order.limit, order.stop = fields[6].strip("0") and fields[6], fields[7].strip("0") and fields[7]
                self._say(order, order.state)
                if order.qty <= order.filled:
                    self._end(order, "FILLED")

    def _place(self, order: AtExchange) -> None:
        if order.id in self.orders:
            self.found(f"{order.id} was placed twice")
        if order.account != "Sim101":
            self.found(f"account {order.account} was traded")
        self.on_place(order)
        self.orders[order.id] = order
        if order.oco in self.spent_groups:
            self._end(order, "REJECTED")

    def acknowledge(self) -> None:
        """Give everything that has no state one: most work, some are rejected."""
        for order in self.orders.values():
            if not order.state:
                if self.chance.random() < 0.06 and order.kind != "MARKET":
                    self._end(order, "REJECTED")
                else:
                    self._say(order, "WORKING")

    def finish_cancels(self) -> None:
        """End what is being cancelled."""
        for order in list(self.orders.values()):
            if order.state == "CANCELPENDING":
                self._end(order, "CANCELLED")

    def fill(self, order: AtExchange, qty: int, price: Decimal) -> None:
        """Fill a part of an order, perhaps after its end; its partners end with it."""
        order.filled += qty
        order.paid += qty * price
        if order.filled >= order.qty:
            self._end(order, "FILLED")
        else:
            self._say(order, order.state if order.state in ("CANCELPENDING", "CANCELLED") else "PARTFILLED")

    def _say(self, order: AtExchange, state: str) -> None:
        order.state = state
        self.news.append(order.id)

    def _end(self, order: AtExchange, state: str) -> None:
        self._say(order, state)
        if order.oco:
            self.spent_groups.add(order.oco)
            for other in self.orders.values():
                if other.oco == order.oco and other.is_live:
                    self._say(other, "CANCELLED")
