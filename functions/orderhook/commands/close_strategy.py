"""CLOSESTRATEGY: take no further entry into a strategy, and cancel its working orders."""

from typing import ClassVar

from orderhook.commands.addressed_order import strategy_not_found
from orderhook.commands.cancel_many import cancel_many
from orderhook.commands.command import Command
from orderhook.commands.fields import Id
from orderhook.orders import Outcome, Provenance
from orderhook.store.book import OrderBook


class CloseStrategy(Command):
    """Close the strategy; its order names stay, so that a late alert that uses one still finds its order."""

    word: ClassVar[str] = "CLOSESTRATEGY"
    risk_reducing: ClassVar[bool] = True

    strategy_id: Id

    def run(self, book: OrderBook, provenance: Provenance) -> Outcome:
        """Close it, then cancel each of its working orders: none can join any more.

        Raises StrategyNotFoundError, and TemporarilyUnavailableError, with what was done, when the time budget ends
        before the last order; run twice, the second finds what the first left.
        """
        strategy, done = book.close_strategy(provenance, self.strategy_id)
        if strategy is None:
            raise strategy_not_found(self.strategy_id)
        order_ids = book.open_order_ids(provenance.trader, strategy.account, strategy.instrument, self.strategy_id)
        sweep = cancel_many(book, provenance, order_ids)
        return Outcome(
            status="closed",
            duplicate=None if done or sweep.cancelled else True,
            strategy_id=self.strategy_id,
            more=sweep.as_data,
            touched=tuple(sweep.cancelled),
        )
