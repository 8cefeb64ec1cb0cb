"""CLOSESTRATEGY: take no further entry into a strategy, and cancel its working orders."""

from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.addressed_order import strategy_not_found
from orderhook.commands.cancel_many import cancel_many, counts_and_ids
from orderhook.commands.command import Command
from orderhook.commands.fields import Id
from orderhook.orders import Outcome, Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


class CloseStrategy(Command):
    """Close the strategy; its order names stay, so that a late alert that uses one still finds its order."""

    word: ClassVar[str] = "CLOSESTRATEGY"
    risk_reducing: ClassVar[bool] = True

    strategy_id: Id

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Close it, then cancel each of its working orders: none can join any more.

        Raises StrategyNotFoundError, and TemporarilyUnavailableError, with what was done, when the time budget ends
        before the last order; run twice, the second finds what the first left.
        """
        strategy, closed_now = services.strategies.close(provenance, self.strategy_id)
        if strategy is None:
            raise strategy_not_found(self.strategy_id)
        order_ids = services.orders.open_ids(provenance.trader, strategy.account, strategy.instrument, self.strategy_id)
        result = cancel_many(services, provenance, order_ids)
        return Outcome(
            status="closed",
            duplicate=None if closed_now or result.cancelled else True,
            strategy_id=self.strategy_id,
            extra=counts_and_ids(result),
            affected_order_ids=tuple(result.cancelled),
        )
