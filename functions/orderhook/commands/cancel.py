"""CANCEL: cancel one order, by its id or by its name within a strategy."""

from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.addressed_order import AddressesOrder
from orderhook.errors import OrderAlreadyTerminalError, OrderNotFoundError
from orderhook.orders import FINISHED_OTHERWISE, Order, OrderState, Outcome, Provenance, timestamp

if TYPE_CHECKING:
    from orderhook.services import Services


class Cancel(AddressesOrder):
    """Cancel the order that `order_id` is the id of, or, in a strategy, the name of."""

    word: ClassVar[str] = "CANCEL"
    risk_reducing: ClassVar[bool] = True

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Cancel it with one conditional write; an order that is cancelled already is a success.

        Raises OrderNotFoundError, StrategyNotFoundError, StrategyMismatchError and OrderAlreadyTerminalError.
        """
        order_id = self._addressed_order_id(services, provenance)
        result = services.orders.cancel(provenance, order_id, self.strategy_id)
        order = result.before
        if order is None:
            raise self._not_found()
        if not result.applied:
            self._check_strategy(order)
            if order.state in FINISHED_OTHERWISE:
                raise self._already_terminal(order, "there is nothing left to cancel.")
        return _outcome(provenance, order, applied=result.applied)


def cancel_overdue(services: "Services", provenance: Provenance, order_id: str, content: str) -> Outcome:
    """Cancel an order whose time is over with one conditional write, if it is the one of this content.

    Run twice, the second finds it cancelled. Raises OrderNotFoundError and OrderAlreadyTerminalError.
    """
    result = services.orders.cancel(provenance, order_id, content=content)
    order = result.before
    if order is None or order.content != content:
        raise OrderNotFoundError(
            f"Order '{order_id}' was never placed by this alert, so there is nothing to cancel.", field="order_id"
        )
    if not result.applied and order.state in FINISHED_OTHERWISE:
        raise OrderAlreadyTerminalError(
            f"Order '{order_id}' is {order.state} since {order.since}; there is nothing left to cancel.",
            field="order_id",
            state=order.state,
        )
    return _outcome(provenance, order, applied=result.applied)


def _outcome(provenance: Provenance, order: Order, *, applied: bool) -> Outcome:
    return Outcome(
        status="cancelled" if applied else "already_cancelled",
        order_id=order.order_id,
        strategy_id=order.strategy_id,
        order_name=order.order_name,
        previous_state=order.state if applied else None,
        state=OrderState.CANCELLED if applied else order.state,
        filled=str(order.filled),
        cancelled_at=timestamp(provenance.at) if applied else order.cancelled_at,
    )
