"""CANCELORDERS and CANCELALLORDERS: cancel every working order of an account, or of the trader."""

from typing import ClassVar

from orderhook.commands.cancel_many import cancel_many
from orderhook.commands.command import Command
from orderhook.commands.fields import Label
from orderhook.orders import Outcome, Provenance
from orderhook.store.book import OrderBook


class CancelAllOrders(Command):
    """Cancel every working order of every account of the trader."""

    word: ClassVar[str] = "CANCELALLORDERS"
    risk_reducing: ClassVar[bool] = True

    def run(self, book: OrderBook, provenance: Provenance) -> Outcome:
        """Cancel each with its own conditional write; run twice, the second finds what the first left.

        Raises TemporarilyUnavailableError, with what was done, when the time budget ends first. An order that is placed
        meanwhile may be cancelled or not.
        """
        return self._sweep(book, provenance)

    def _sweep(
        self, book: OrderBook, provenance: Provenance, account: str | None = None, instrument: str | None = None
    ) -> Outcome:
        sweep = cancel_many(book, provenance, book.open_order_ids(provenance.trader, account, instrument))
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

    def run(self, book: OrderBook, provenance: Provenance) -> Outcome:
        """Cancel each as CANCELALLORDERS does."""
        return self._sweep(book, provenance, self.account, self.instrument)
