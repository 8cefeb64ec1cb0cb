"""What a command has done."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from orderhook.errors import AlertWarning, OrderhookError
from orderhook.orders import Order, OrderState


class Outcome(NamedTuple):
    """What a command has done; `status` is the word of the answer, and None is left out of it."""

    status: str
    duplicate: bool | None = None
    """True where an earlier alert had done it already and `status` does not say so."""
    order_id: str | None = None
    strategy_id: str | None = None
    order_name: str | None = None
    legs: Mapping[str, str] | None = None
    previous_state: OrderState | None = None
    state: OrderState | None = None
    filled: str | None = None
    cancelled_at: str | None = None
    extra: Mapping[str, object] = MappingProxyType({})
    """What only this command tells; it stands in the answer beside the rest."""
    warnings: tuple[AlertWarning, ...] = ()
    results: "AccountResults" = ()
    """What became of each account, where the alert lists several."""
    affected_order_ids: tuple[str, ...] = ()
    """The ids of the orders that were written, where `order_id` and `legs` do not name them; not in the answer."""

    @classmethod
    def of(cls, order: Order, status: str, **told: Any) -> "Outcome":
        """Return the outcome of a command about one order: its ids, its name and its state, and what else is told."""
        return cls(
            status,
            order_id=order.order_id,
            strategy_id=order.strategy_id,
            order_name=order.order_name,
            state=order.state,
            **told,
        )

    @property
    def is_duplicate(self) -> bool:
        """Whether an earlier alert had done it already."""
        return bool(self.duplicate) or self.status.startswith("already_")

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The ids of all orders that this is about."""
        own = (self.order_id,) if self.order_id else ()
        return (*own, *(self.legs or {}).values(), *self.affected_order_ids)


AccountResults = Sequence[tuple[str, Outcome | OrderhookError]]
"""What became of an alert in each account that it lists."""
