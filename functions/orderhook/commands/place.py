"""PLACE: place an order; it may bring a target and a stop, and start or join a strategy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from orderhook.commands.command import TimeLimit
from orderhook.commands.fields import Id, Minutes, NewOrderId
from orderhook.commands.new_order import NewOrder, PlacesOrder
from orderhook.errors import (
    DuplicateOrderIdError,
    InvalidValueError,
    StrategyMismatchError,
    StrategyNotFoundError,
    TemporarilyUnavailableError,
)
from orderhook.orders import Order, Outcome, Provenance, Strategy, StrategyState, Template
from orderhook.store.results import PlaceResult
from orderhook.trade import EntryTerms, LegTerms, entry_and_legs, legs_of, single_order

if TYPE_CHECKING:
    from orderhook.services import Services

_RACES = 4
"""How often another alert may start or join the same strategy at the same moment before this one gives up."""


class Place(PlacesOrder):
    """Place one order, and with it the legs that its fields or its template ask for."""

    word: ClassVar[str] = "PLACE"

    order_id: NewOrderId | None = None
    strategy_id: Id | None = None
    cancel_after: Minutes = 0
    new_order: NewOrder

    @property
    def repeatable(self) -> bool:
        """Whether a resend is recognised: without an order_id it would be another order."""
        return self.order_id is not None

    @property
    def content(self) -> str:
        """The fingerprint of the order that this alert asks for."""
        return self.new_order.content(self.order_id, self.strategy_id)

    def time_limit(self, services: "Services", provenance: Provenance) -> TimeLimit | None:  # noqa: ARG002
        """Return the order with its cancel_after."""
        if not self.cancel_after:
            return None
        return TimeLimit(self.order_id or provenance.request_id, self.content, self.cancel_after)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Write the order, and in one transaction with it its strategy and legs.

        Run twice with an order_id, the second writes nothing and answers already_placed. Raises DuplicateOrderIdError,
        StrategyMismatchError and StrategyNotFoundError (for a template that is not stored).
        """
        placing = Placing(
            order_id=self.order_id or provenance.request_id,
            strategy_id=self.strategy_id,
            new_order=self.new_order,
            terms=self.new_order.terms(self.notes, self.content),
            repeatable=self.repeatable,
        )
        order, result = place(services, provenance, placing)
        return placed(order, result, self.content)


class Placing(NamedTuple):
    """A new order, under which id and in which strategy it is to be placed, and in place of which other order."""

    order_id: str
    strategy_id: str | None
    new_order: NewOrder
    terms: EntryTerms
    repeatable: bool
    replaces: str | None = None


def place(services: "Services", provenance: Provenance, placing: Placing) -> tuple[Order, PlaceResult]:
    """Write the order, in one transaction with its legs, its strategy and the cancel of the order that it replaces.

    Returns the order as it was to be, and what the write met. Raises StrategyMismatchError, DuplicateOrderIdError (for
    a leg's id) and StrategyNotFoundError (for a template that is not stored).
    """
    new_order, order_id = placing.new_order, placing.order_id
    template = services.templates.get(provenance.trader, new_order.strategy) if new_order.strategy else None
    if new_order.strategy and not _fits(template, new_order.qty):
        return _without_template(services, provenance, placing, template)
    brackets = [legs_of(bracket) for bracket in template.brackets] if template else [new_order.legs]
    # Legs have names, and names need a strategy: without one of its own the order's id serves.
    strategy_id = placing.strategy_id or (order_id if any(brackets) else None)
    if strategy_id is None:
        order = single_order(provenance, order_id, placing.terms, replaces=placing.replaces)
        return order, _write(services, provenance, placing, [order])
    strategy = Strategy(
        strategy_id=strategy_id,
        account=new_order.account,
        instrument=new_order.instrument,
        state=StrategyState.ACTIVE,
        template=new_order.strategy,
    )
    return _place_in_strategy(services, provenance, placing, strategy, brackets)


def _place_in_strategy(
    services: "Services",
    provenance: Provenance,
    placing: Placing,
    strategy: Strategy,
    brackets: Sequence[Sequence[LegTerms]],
) -> tuple[Order, PlaceResult]:
    """Start the strategy with the orders, or join it where it is there already."""
    running: Strategy | None = None
    for _ in range(_RACES):
        orders = entry_and_legs(
            provenance, placing.order_id, placing.terms, running or strategy, brackets, placing.replaces
        )
        result = _write(services, provenance, placing, orders, running or strategy, join=running is not None)
        if result.applied or result.existing or not result.replaceable:
            return orders[0], result
        running = result.strategy
        _check_joinable(placing, running)
    raise TemporarilyUnavailableError("Other alerts are changing this strategy. Send the same alert again; it is safe.")


def _write(
    services: "Services",
    provenance: Provenance,
    placing: Placing,
    orders: Sequence[Order],
    strategy: Strategy | None = None,
    *,
    join: bool = False,
) -> PlaceResult:
    if placing.replaces is not None:
        return services.orders.replace(provenance, placing.replaces, orders, strategy, join=join)
    if strategy is not None:
        return services.orders.place_in_strategy(provenance, strategy, orders, join=join)
    return services.orders.place(provenance, orders[0])


def _fits(template: Template | None, qty: int) -> bool:
    return template is not None and sum(bracket.qty for bracket in template.brackets) <= qty


def _without_template(
    services: "Services", provenance: Provenance, placing: Placing, template: Template | None
) -> tuple[Order, PlaceResult]:
    """Refuse for want of a template that fits, unless it did when this very alert placed its order."""
    existing = services.orders.get(provenance.trader, placing.order_id) if placing.repeatable else None
    if existing is not None:
        return existing, PlaceResult(applied=False, existing=existing)
    name = placing.new_order.strategy
    if template is None:
        raise StrategyNotFoundError(
            f"There is no template {name}; store it with `orderhook templates put`.", field="strategy"
        )
    raise InvalidValueError(
        f"The brackets of template {name} are for more than qty={placing.new_order.qty}.", field="qty"
    )


def _check_joinable(placing: Placing, running: Strategy | None) -> None:
    new_order = placing.new_order
    if running is None:
        raise DuplicateOrderIdError("One of the new order ids is taken; choose another order_id.", field="order_id")
    if placing.strategy_id is None:
        raise StrategyMismatchError(
            f"The legs need a strategy, and {running.strategy_id} is taken by another: add a strategy_id.",
            field="strategy_id",
        )
    if (new_order.account, new_order.instrument) != (running.account, running.instrument):
        raise StrategyMismatchError(
            f"Strategy {running.strategy_id} trades {running.instrument} in account {running.account}.",
            field="strategy_id",
        )
    if running.state is not StrategyState.ACTIVE:
        raise StrategyMismatchError(
            f"Strategy {running.strategy_id} is closed; use a new strategy_id.", field="strategy_id"
        )


def placed(order: Order, result: PlaceResult, content: str) -> Outcome:
    """Return the outcome for the order as written, or for the one that has its id already if it has this content."""
    existing = result.existing
    if not result.applied and existing is not None:
        if existing.content != content:
            raise DuplicateOrderIdError(
                f"order_id {existing.order_id} is taken by another order, which is {existing.state}; choose another.",
                field="order_id",
                state=existing.state,
            )
        order = existing
    return Outcome(
        status="placed" if result.applied else "already_placed",
        order_id=order.order_id,
        strategy_id=order.strategy_id,
        order_name=order.order_name,
        legs=order.legs or None,
        state=order.state,
    )
