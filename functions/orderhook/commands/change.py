"""CHANGE: give a working order another quantity or other prices."""

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from orderhook.commands.addressed_order import AddressesOrder
from orderhook.commands.fields import NewQty, Price
from orderhook.commands.opens_position import OpensPosition
from orderhook.errors import InvalidValueError, MissingFieldError
from orderhook.orders import CHANGEABLE, MAX_HISTORY, PRICES, Order, Outcome, Provenance, decimal_text

if TYPE_CHECKING:
    from orderhook.services import Services


class Change(AddressesOrder, OpensPosition):
    """Change the order that `order_id` is the id of, or, in a strategy, the name of; 0 or absent means unchanged."""

    word: ClassVar[str] = "CHANGE"

    qty: NewQty = None
    limit_price: Price = None
    stop_price: Price = None

    @property
    def new(self) -> dict[str, int | Decimal]:
        """The values that the order is to take."""
        values = {"qty": self.qty, "limit_price": self.limit_price, "stop_price": self.stop_price}
        return {name: value for name, value in values.items() if value is not None}

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.new:
            raise MissingFieldError(
                "CHANGE needs a new qty, limit_price or stop_price above 0: add one of them.", field="qty"
            )
        return self

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Change it with one conditional write; run twice, the second finds the values there and is a success.

        Raises OrderNotFoundError, StrategyNotFoundError, StrategyMismatchError, OrderAlreadyTerminalError, and
        InvalidValueError for a value that this order cannot take.
        """
        order_id = self._addressed_order_id(services, provenance)
        result = services.orders.change(provenance, order_id, self.new, self.strategy_id)
        order = result.before
        if order is None:
            raise self._not_found()
        if not result.applied:
            self._check_values_are_there(order)
        new = {name: decimal_text(Decimal(value)) for name, value in self.new.items()}
        return Outcome(
            status="changed",
            duplicate=None if result.applied else True,
            order_id=order_id,
            strategy_id=order.strategy_id,
            order_name=order.order_name,
            state=order.state,
            filled=str(order.filled),
            extra=_values(order) | new,
        )

    def _check_values_are_there(self, order: Order) -> None:
        """Say why nothing was written, unless all that was asked for is there already."""
        self._check_strategy(order)
        if order.state not in CHANGEABLE:
            raise self._already_terminal(order, "it cannot be changed any more.")
        for name in PRICES:
            if name in self.new and order.order_type not in PRICES[name]:
                raise InvalidValueError(
                    f"Order {order.order_id} is a {order.order_type} order and has no {name}; take it out.", field=name
                )
        if self.qty is not None and self.qty < order.filled:
            raise InvalidValueError(
                f"Order {order.order_id} has {order.filled} filled already; qty cannot go below that.",
                field="qty",
                state=order.state,
            )
        if len(order.history) >= MAX_HISTORY and any(getattr(order, name) != new for name, new in self.new.items()):
            raise InvalidValueError(
                f"Order {order.order_id} was changed so often that its history is full; give CANCELREPLACE instead.",
                field="order_id",
                state=order.state,
            )


def _values(order: Order) -> dict[str, str]:
    values = {"qty": Decimal(order.qty), "limit_price": order.limit_price, "stop_price": order.stop_price}
    return {name: decimal_text(value) for name, value in values.items() if value is not None}
