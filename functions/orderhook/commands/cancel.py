"""CANCEL: cancel one order, by its id or by its name within a strategy."""

from typing import ClassVar, Self

from pydantic import model_validator

from orderhook.book import OrderBook
from orderhook.commands.command import Command
from orderhook.commands.fields import ORDER_NAME, Id, OrderIdOrName
from orderhook.errors import (
    OrderAlreadyTerminalError,
    OrderNotFoundError,
    StrategyIdRequiredError,
    StrategyMismatchError,
    StrategyNotFoundError,
)
from orderhook.orders import TERMINAL, Order, OrderState, Outcome, Stamp, timestamp


class Cancel(Command):
    """Cancel the order that `order_id` is the id of, or, in a strategy, the name of."""

    word: ClassVar[str] = "CANCEL"
    risk_reducing: ClassVar[bool] = True

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

    def run(self, book: OrderBook, stamp: Stamp) -> Outcome:
        """Cancel it with one conditional write; an order that is cancelled already is a success.

        Raises OrderNotFoundError, StrategyNotFoundError, StrategyMismatchError and OrderAlreadyTerminalError.
        """
        order_id = self._bound_order_id(book, stamp) if self.order_name else self.order_id
        written = book.cancel(stamp, order_id, self.strategy_id)
        order = written.before
        if order is None:
            raise self._not_found()
        if not written.done:
            self._check_that_it_is_cancelled(order)
        return Outcome(
            status="cancelled" if written.done else "already_cancelled",
            order_id=order_id,
            strategy_id=order.strategy_id,
            order_name=order.order_name,
            previous_state=order.state if written.done else None,
            state=OrderState.CANCELLED if written.done else order.state,
            filled=str(order.filled),
            cancelled_at=timestamp(stamp.at) if written.done else order.cancelled_at,
        )

    def _bound_order_id(self, book: OrderBook, stamp: Stamp) -> str:
        strategy = book.strategy(stamp.trader, str(self.strategy_id))
        if strategy is None:
            raise StrategyNotFoundError(
                f"There is no strategy {self.strategy_id}; give the strategy_id of a PLACE.", field="strategy_id"
            )
        if self.order_id not in strategy.names:
            raise self._not_found()
        return strategy.names[self.order_id]

    def _check_that_it_is_cancelled(self, order: Order) -> None:
        if self.strategy_id not in (None, order.strategy_id):
            raise StrategyMismatchError(
                f"Order {order.order_id} does not belong to strategy {self.strategy_id}; leave strategy_id out, or "
                "correct it.",
                field="strategy_id",
            )
        if order.state in TERMINAL - {OrderState.CANCELLED}:
            raise OrderAlreadyTerminalError(
                f"Order linked to '{self.order_id}' not found or already terminal. It is {order.state} since "
                f"{order.since}; there is nothing left to cancel.",
                field="order_id",
                state=order.state,
            )

    def _not_found(self) -> OrderNotFoundError:
        # CrossTrade's API promises to keep this phrase stable, and clients match on it.
        return OrderNotFoundError(
            f"Order linked to '{self.order_id}' not found or already terminal. Check order_id: case matters.",
            field="order_id",
        )
