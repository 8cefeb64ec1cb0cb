"""CANCELREPLACE: cancel one order and place another in its stead, both or neither."""

import re
from typing import ClassVar, Self

from pydantic import model_validator

from orderhook.commands.addressed_order import AddressesOrder
from orderhook.commands.fields import MAX_LENGTH, OrderIdOrName
from orderhook.commands.place import Place
from orderhook.errors import DuplicateOrderIdError, InvalidValueError
from orderhook.orders import Order, Outcome, Provenance
from orderhook.store.book import OrderBook, PlaceResult

_NUMBERED = re.compile(r"(.+):([1-9][0-9]{0,8})")


class CancelReplace(AddressesOrder, Place):
    """Cancel the order that `order_id` names and place what the other fields say, as PLACE would.

    The new order's id is the old one's with a number, so that a trader can tell it beforehand: `a` is replaced by
    `a:2`, and that by `a:3`.
    """

    word: ClassVar[str] = "CANCELREPLACE"

    order_id: OrderIdOrName

    @model_validator(mode="after")
    def _leaves_room_for_a_number(self) -> Self:
        if not self.order_name:
            next_order_id(self.order_id)
        return self

    @property
    def repeatable(self) -> bool:
        """Tell that a resend is recognised: it finds the order that it would place in the place of the old one."""
        return True

    def run(self, book: OrderBook, provenance: Provenance) -> Outcome:
        """Cancel and place in one transaction; run twice, the second finds both done and changes nothing.

        An order that is finished, or about to be cancelled, is not replaced, so that exposure never doubles. Raises
        OrderNotFoundError, OrderAlreadyTerminalError, and what PLACE raises.
        """
        old_order_id = self._target(book, provenance)
        return self._place(book, provenance, next_order_id(old_order_id), old_order_id)

    def _new_order_id(self, book: OrderBook, provenance: Provenance) -> str:
        return next_order_id(self._target(book, provenance))

    def _answer(self, order: Order, placed: PlaceResult) -> Outcome:
        if placed.entry is None or placed.entry.content != self.content:
            self._check_that_it_was_cancelled(placed)
            self._check_that_its_id_was_free(order, placed)
        outcome = super()._answer(order, placed)
        return outcome._replace(
            status="replaced",
            duplicate=None if placed.done else True,
            more={"replaced_order_id": (placed.entry or order).replaces},
        )

    def _check_that_it_was_cancelled(self, placed: PlaceResult) -> None:
        if placed.missing:
            raise self._not_found()
        if placed.kept is not None:
            successor = placed.kept.replaced_by
            raise self._already_terminal(
                placed.kept, f"it was replaced by {successor}: give that." if successor else "nothing was placed."
            )

    def _check_that_its_id_was_free(self, order: Order, placed: PlaceResult) -> None:
        if placed.entry is not None:
            raise DuplicateOrderIdError(
                f"The order in place of {self.order_id} would be {order.order_id}, and that id is taken by another "
                f"order, which is {placed.entry.state}; cancel {self.order_id} and place another.",
                field="order_id",
                state=placed.entry.state,
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
