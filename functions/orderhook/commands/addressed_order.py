"""What CANCEL, CHANGE and CANCELREPLACE share: the one order that they address, by its id or by its name."""

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from orderhook.commands.command import Command
from orderhook.commands.fields import ORDER_NAME, Id, OrderIdOrName
from orderhook.errors import (
    OrderAlreadyTerminalError,
    OrderNotFoundError,
    StrategyIdRequiredError,
    StrategyMismatchError,
    StrategyNotFoundError,
)
from orderhook.orders import Order, Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


class AddressesOrder(Command):
    """A command about the order that `order_id` is the id of, or, in a strategy, the name of."""

    order_id: OrderIdOrName
    strategy_id: Id | None = None

    @property
    def order_name(self) -> str | None:
        """The order name, if that is what `order_id` holds. PLACE accepts no id that looks like one."""
        return self.order_id if ORDER_NAME.fullmatch(self.order_id) else None

    @model_validator(mode="after")
    def _name_has_its_strategy(self) -> Self:
        if self.order_name and self.strategy_id is None:
            raise StrategyIdRequiredError(
                f"{self.order_name} is an order name: add strategy_id=... of the strategy that it belongs to.",
                field="strategy_id",
            )
        return self

    def _addressed_order_id(self, services: "Services", provenance: Provenance) -> str:
        """Return the id of the order; raises StrategyNotFoundError and OrderNotFoundError for a name."""
        if not self.order_name:
            return self.order_id
        strategy = services.strategies.get(provenance.trader, str(self.strategy_id))
        if strategy is None:
            raise strategy_not_found(str(self.strategy_id))
        if self.order_id not in strategy.names:
            raise self._not_found()
        return strategy.names[self.order_id]

    def _check_strategy(self, order: Order) -> None:
        if self.strategy_id not in (None, order.strategy_id):
            raise StrategyMismatchError(
                f"Order {order.order_id} does not belong to strategy {self.strategy_id}; leave strategy_id out, or "
                "correct it.",
                field="strategy_id",
            )

    # CrossTrade's API promises to keep the phrase of these two stable, and clients match on it.

    def _not_found(self) -> OrderNotFoundError:
        return OrderNotFoundError(
            f"There is no order '{self.order_id}' of yours; check order_id: case matters. "
            f"Order linked to '{self.order_id}' not found or already terminal.",
            field="order_id",
        )

    def _already_terminal(self, order: Order, way_out: str) -> OrderAlreadyTerminalError:
        return OrderAlreadyTerminalError(
            f"Order '{self.order_id}' is {order.state} since {order.since}; {way_out} "
            f"Order linked to '{self.order_id}' not found or already terminal.",
            field="order_id",
            state=order.state,
        )


def strategy_not_found(strategy_id: str) -> StrategyNotFoundError:
    """Return the refusal of a strategy that the trader does not have."""
    return StrategyNotFoundError(
        f"There is no strategy {strategy_id}; give the strategy_id of a PLACE.", field="strategy_id"
    )
