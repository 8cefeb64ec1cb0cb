"""CANCEL: cancel one order, by its id or by its name within a strategy."""

from typing import ClassVar

from orderhook.book import OrderBook
from orderhook.commands.target import Targeted
from orderhook.orders import TERMINAL, Order, OrderState, Outcome, Stamp, timestamp


class Cancel(Targeted):
    """Cancel the order that `order_id` is the id of, or, in a strategy, the name of."""

    word: ClassVar[str] = "CANCEL"

    def run(self, book: OrderBook, stamp: Stamp) -> Outcome:
        """Cancel it with one conditional write; an order that is cancelled already is a success.

        Raises OrderNotFoundError, StrategyNotFoundError, StrategyMismatchError and OrderAlreadyTerminalError.
        """
        order_id = self._target(book, stamp)
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

    def _check_that_it_is_cancelled(self, order: Order) -> None:
        self._check_strategy(order)
        if order.state in TERMINAL - {OrderState.CANCELLED}:
            raise self._already_terminal(order, "there is nothing left to cancel.")
