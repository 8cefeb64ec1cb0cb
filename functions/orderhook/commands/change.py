"""CHANGE: give a working order another quantity or other prices."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from pydantic import model_validator

from orderhook.altering import changed, changed_leg, check_changed, check_changed_leg
from orderhook.commands.addressed_order import Address, AddressesOrder, Met
from orderhook.commands.changing import (
    Altered,
    alter,
    alter_addressed,
    find_addressed,
    find_resent,
    lower,
    needs_venue,
    values,
)
from orderhook.commands.fields import NewQty
from orderhook.commands.opens_position import OpensPosition
from orderhook.commands.price_fields import Price
from orderhook.errors import AlertWarning, CommandNotAllowedError, ControlError, MissingFieldError
from orderhook.orders import PRICES, Order, OrderState, decimal_text
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.store.expressions import no_larger_than
from orderhook.store.results import WriteResult
from orderhook.venues import venue_of

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services


class Change(AddressesOrder, OpensPosition):
    """Change the order that `order_id` is the id of, or, in a strategy, the name of; 0 or absent means unchanged."""

    word: ClassVar[str] = "CHANGE"
    never_empty: ClassVar[frozenset[str]] = OpensPosition.never_empty | set(PRICES)

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

    def beyond(self, limits: "Limits") -> CommandNotAllowedError | None:
        """Return the refusal of a quantity that is larger than the key may give."""
        return limits.refusal(qty=self.qty)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Change it with one conditional write; a resend changes nothing and is a success.

        Raises OrderNotFoundError, StrategyNotFoundError, StrategyMismatchError, OrderAlreadyTerminalError, and
        InvalidValueError for a value that this order cannot take.
        """

        def change(address: Address) -> Altered:
            return alter(_Changing(self), services, provenance, address)

        return self._outcome(alter_addressed(self, services, provenance, change))

    def needs_venue(self, services: "Services", provenance: Provenance) -> bool:
        """Return whether it alters an entry that a venue has."""
        return needs_venue(self, services, provenance)

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome for an order that this very alert has changed, if this is its resend."""
        altered = find_resent(self, services, provenance, _Changing(self))
        return self._outcome(altered) if altered else None

    @property
    def may_reduce(self) -> bool:
        """Whether it gives a leg other prices, or gives another quantity alone, which may be a lower one."""
        return self.addresses_leg or not (self.limit_price or self.stop_price)

    def check_reduces(self, services: "Services", provenance: Provenance, refusal: ControlError) -> None:
        """Raise `refusal` where the quantity would grow, as the order is now, or where there is none."""
        _, order = find_addressed(self, services, provenance)
        if order is None or (self.qty or 0) > order.qty:
            raise refusal

    @property
    def may_enlarge(self) -> bool:
        """Whether it gives an entry another quantity alone."""
        return self.may_reduce and not self.addresses_leg

    def reduce(self, services: "Services", provenance: Provenance, refusal: ControlError) -> Outcome:
        """Change a leg's prices, or lower a quantity; raise `refusal` where the quantity would grow."""
        return self._outcome(lower(_Changing(self), services, provenance, refusal))

    def _outcome(self, altered: Altered) -> Outcome:
        order = altered.order
        same = all(value == getattr(altered.before, name) for name, value in self.new.items())
        unchanged = altered.resent or (same and not altered.own and not altered.is_asked)
        return Outcome.of(
            order,
            answered("changed", order, unchanged=unchanged),
            duplicate=True if unchanged else None,
            filled=str(order.filled),
            extra={**values(order), "remaining": remaining(order)},
            warnings=altered.warnings,
        )


class _Changing(NamedTuple):
    """How a CHANGE alters its order."""

    command: Change

    def try_at_once(
        self, services: "Services", provenance: Provenance, order_id: str, leg: str | None = None
    ) -> WriteResult:
        """Change the order, or a leg in its item, by the one write that serves where nothing more must be looked at."""
        conditions = self.command.conditions(provenance, leg)
        if provenance.limits and provenance.limits.max_qty:
            conditions.append(no_larger_than(provenance.limits.max_qty))
        if leg is None:
            return services.orders.change(provenance, order_id, self.command.new, *conditions)
        prices = {name: Decimal(value) for name, value in self.command.new.items()}
        if "qty" in prices:
            return WriteResult(services.orders.reached(provenance, order_id), applied=False)
        return services.orders.change_leg(provenance, order_id, leg, prices, *conditions)

    def applied_to(self, met: Met) -> tuple[Order, list[AlertWarning]]:
        """Return the item as the change makes it, and what to warn of."""
        if met.leg is not None:
            return changed_leg(met.item, met.leg, self.command.new), []
        return changed(met.item, self.command.new)

    def check(self, met: Met, after: Order) -> None:
        """Raise InvalidValueError unless the item can be changed so."""
        if met.leg is not None:
            check_changed_leg(met.leg, self.command.new, after)
        else:
            check_changed(met.item, self.command.new, after)

    @property
    def changes(self) -> Mapping[str, str]:
        """The new values as the history has them."""
        return {name: decimal_text(Decimal(value)) for name, value in self.command.new.items()}


def answered(done: str, order: Order, *, unchanged: bool) -> str:
    """Return the word of an answer: `done`, or that it is asked of the venue, which has not answered yet."""
    pending = not unchanged or order.state is OrderState.CHANGE_PENDING
    return venue_of(order).word(done) if pending else done


def remaining(order: Order) -> str:
    """Return what of an order may still be filled, as an answer has it."""
    return str(max(0, order.qty - order.filled) if order.is_open else 0)
