"""CANCELORDERS and CANCELALLORDERS: cancel every working order of an account, or of the trader."""

from typing import ClassVar

from orderhook.book import OrderBook
from orderhook.commands.command import Command
from orderhook.commands.fields import Label
from orderhook.commands.sweep import cancel_all
from orderhook.orders import Outcome, Stamp


class CancelAllOrders(Command):
    """Cancel every working order of every account of the trader."""

    word: ClassVar[str] = "CANCELALLORDERS"
    risk_reducing: ClassVar[bool] = True

    def run(self, book: OrderBook, stamp: Stamp) -> Outcome:
        """Cancel each with its own conditional write; run twice, the second finds what the first left.

        Raises TemporarilyUnavailableError, with what was done, when the time budget ends first. An order that is placed
        meanwhile may be cancelled or not.
        """
        return self._sweep(book, stamp)

    def _sweep(
        self, book: OrderBook, stamp: Stamp, account: str | None = None, instrument: str | None = None
    ) -> Outcome:
        sweep = cancel_all(book, stamp, book.open_order_ids(stamp.trader, account, instrument))
        return Outcome(
            status="cancelled" if sweep.cancelled else "already_cancelled",
            more=sweep.as_data,
            touched=tuple(sweep.cancelled),
        )


class CancelOrders(CancelAllOrders):
    """Cancel every working order of the account, or of the account and instrument."""

    word: ClassVar[str] = "CANCELORDERS"

    account: Label
    instrument: Label | None = None

    def run(self, book: OrderBook, stamp: Stamp) -> Outcome:
        """Cancel each as CANCELALLORDERS does."""
        return self._sweep(book, stamp, self.account, self.instrument)
