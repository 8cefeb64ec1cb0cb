"""CANCELREPLACE: cancel one order and place another in its stead, both or neither."""

import re
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from orderhook.commands.addressed_order import AddressesOrder
from orderhook.commands.command import TimeLimit
from orderhook.commands.fields import MAX_LENGTH, Minutes
from orderhook.commands.new_order import NewOrder, PlacesOrder
from orderhook.commands.place import Placing, place, placed
from orderhook.errors import DuplicateOrderIdError, InvalidValueError
from orderhook.orders import Order, Outcome, Provenance
from orderhook.store.results import PlaceResult

if TYPE_CHECKING:
    from orderhook.services import Services

_NUMBERED = re.compile(r"(.+):([1-9][0-9]{0,8})")


class CancelReplace(AddressesOrder, PlacesOrder):
    """Cancel the order that `order_id` addresses and place what the other fields say, as PLACE would.

    The new order's id is the old one's with a number, so that a trader can tell it beforehand: `a` is replaced by
    `a:2`, and that by `a:3`.
    """

    word: ClassVar[str] = "CANCELREPLACE"

    cancel_after: Minutes = 0
    new_order: NewOrder

    @model_validator(mode="after")
    def _leaves_room_for_a_number(self) -> Self:
        if not self.order_name:
            next_order_id(self.order_id)
        return self

    @property
    def content(self) -> str:
        """The fingerprint of the order that this alert asks for."""
        return self.new_order.content(self.order_id, self.strategy_id)

    def time_limit(self, services: "Services", provenance: Provenance) -> TimeLimit | None:
        """Return the new order with its cancel_after."""
        if not self.cancel_after:
            return None
        new_order_id = next_order_id(self._addressed_order_id(services, provenance))
        return TimeLimit(new_order_id, self.content, self.cancel_after)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Cancel and place in one transaction; run twice, the second finds both done and changes nothing.

        An order that is finished, or about to be cancelled, is not replaced, so that exposure never doubles. Raises
        OrderNotFoundError, OrderAlreadyTerminalError, and what PLACE raises.
        """
        old_order_id = self._addressed_order_id(services, provenance)
        placing = Placing(
            order_id=next_order_id(old_order_id),
            strategy_id=self.strategy_id,
            new_order=self.new_order,
            terms=self.new_order.terms(self.notes, self.content),
            repeatable=True,
            replaces=old_order_id,
        )
        order, result = place(services, provenance, placing)
        if result.existing is None or result.existing.content != self.content:
            self._check_replaced(order, result)
        outcome = placed(order, result, self.content)
        return outcome._replace(
            status="replaced",
            duplicate=None if result.applied else True,
            extra={"replaced_order_id": (result.existing or order).replaces},
        )

    def _check_replaced(self, order: Order, result: PlaceResult) -> None:
        if result.missing:
            raise self._not_found()
        if result.not_replaced is not None:
            successor = result.not_replaced.replaced_by
            raise self._already_terminal(
                result.not_replaced,
                f"it was replaced by {successor}: give that." if successor else "nothing was placed.",
            )
        if result.existing is not None:
            raise DuplicateOrderIdError(
                f"The order in place of {self.order_id} would be {order.order_id}, and that id is taken by another "
                f"order, which is {result.existing.state}; cancel {self.order_id} and place another.",
                field="order_id",
                state=result.existing.state,
            )


def next_order_id(order_id: str) -> str:
    """Return the id of the order that replaces this one; raises InvalidValueError where it would be too long."""
    numbered = _NUMBERED.fullmatch(order_id)
    following = f"{numbered[1]}:{int(numbered[2]) + 1}" if numbered else f"{order_id}:2"
    if len(following) > MAX_LENGTH:
        raise InvalidValueError(
            f"order_id is too long to be replaced: the new order would be {following}, of more than {MAX_LENGTH} "
            "characters. Cancel it and place another.",
            field="order_id",
        )
    return following
