"""What CANCEL, CHANGE and CANCELREPLACE share: the one order that they address, by its id or by its name."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from pydantic import model_validator

from orderhook.commands.command import Command
from orderhook.commands.fields import ORDER_NAME, Id, OrderIdOrName
from orderhook.commands.strategy_names import bearing, to_come
from orderhook.errors import (
    OrderAlreadyTerminalError,
    OrderhookError,
    OrderNotFoundError,
    StrategyIdRequiredError,
    StrategyMismatchError,
    StrategyNotFoundError,
    UnsupportedValueError,
)
from orderhook.orders import RESENDS_END, Order, Strategy, timestamp
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt
from orderhook.store.expressions import Condition, leg_received_until, of_strategy, received_until
from orderhook.trade import entry_and_leg, leg_id, view_of_leg

if TYPE_CHECKING:
    from orderhook.services import Services
    from orderhook.store.writes import Item

NOTHING_OPEN = (OrderNotFoundError, OrderAlreadyTerminalError, StrategyNotFoundError)
"""The refusals which say that a name leads to no open order."""


class Address(NamedTuple):
    """The order that a command addresses now, and those that its name led to shortly before, the last one first."""

    order_id: str
    before: tuple[str, ...] = ()
    settled: bool = False
    """Whether this very alert was led to that order before: it means no other, whatever has become of it."""


class Met(NamedTuple):
    """An order that a command met: the item that holds it, and the order, which may be a leg that waits in it."""

    item: Order
    leg: str | None = None
    entry: Order | None = None
    """Of a leg that has an item of its own, its entry, where that is still there."""

    def order(self, now: str) -> Order | None:
        """Return the order as it is now; None for a leg that the entry does not have, or has no share for."""
        entry = self.item.at(now)
        if self.leg is None:
            return entry
        leg = entry.legs.get(self.leg)
        order = view_of_leg(entry, self.leg, leg) if leg else None
        return order if order and (order.qty or not order.is_open) else None


class AddressesOrder(Command):
    """A command about the order that `order_id` is the id of, or, in a strategy, the name of."""

    order_id: OrderIdOrName
    strategy_id: Id | None = None

    @property
    def order_name(self) -> str | None:
        """The order name, if that is what `order_id` holds. PLACE accepts no id that looks like one."""
        return self.order_id if ORDER_NAME.fullmatch(self.order_id) else None

    @property
    def addresses_leg(self) -> bool:
        """Whether `order_id` is a leg's id or name."""
        name = ORDER_NAME.fullmatch(self.order_id)
        return name[1] in ("TARGET", "STOP") if name else entry_and_leg(self.order_id) is not None

    @model_validator(mode="after")
    def _name_has_its_strategy(self) -> Self:
        if self.order_name and self.strategy_id is None:
            raise StrategyIdRequiredError(
                f"{self.order_name} is an order name: add strategy_id=... of the strategy that it belongs to.",
                field="strategy_id",
            )
        return self

    def address(self, services: "Services", provenance: Provenance) -> Address:
        """Return the id of the order; raises StrategyNotFoundError and OrderNotFoundError for a name."""
        match = ORDER_NAME.fullmatch(self.order_id)
        if not match:
            return Address(self.order_id)
        strategy = services.strategies.get(provenance.trader, str(self.strategy_id))
        if strategy and (order_id := _led_to(services, provenance, strategy)):
            return Address(order_id, settled=True)
        if strategy is None or not provenance.reaches(strategy.account, strategy.instrument):
            raise strategy_not_found(str(self.strategy_id))
        kind = match[1]
        number = int(self.order_id[len(kind) :])
        binding = strategy.numbers.get(number) or strategy.freed.get(number)
        if strategy.has_atm and kind != "ENTRY" and (binding is None or kind in ("EXIT", "SIMSTOP")):
            raise self.is_ninjatraders()
        if binding is None or kind in ("EXIT", "SIMSTOP"):
            raise self.not_found()

        def addressed(entry_id: str) -> str:
            return entry_id if kind == "ENTRY" else leg_id(entry_id, self.order_id)

        earliest = timestamp(provenance.received_on - RESENDS_END)
        before = tuple(addressed(former.order_id) for former in binding.before if former.until > earliest)
        order_id = addressed(binding.order_id)
        if kind == "ENTRY" and binding.legs_only:
            # A later entry has the number for legs alone; what was reached before that is told all the same.
            resent = self.resent(services, provenance, Address(order_id, before))
            if resent is None:
                raise self.not_found()
            return Address(resent.item.order_id, settled=True)
        if provenance.until is None or binding.at <= provenance.until or self._is_meant(services, provenance, order_id):
            return Address(order_id, before)
        at_due = [former.order_id for former in binding.before if former.until > provenance.until]
        if not at_due:
            raise self.came_later(provenance)
        return Address(addressed(at_due[-1]), before)

    def _is_meant(self, services: "Services", provenance: Provenance, order_id: str) -> bool:
        """Return whether an order that got its name when the alert's delay was over had come in before."""
        met = self.find(services, provenance, order_id)
        order = met and met.order(provenance.now)
        return order is not None and not _came_later(provenance, order)

    def resent(self, services: "Services", provenance: Provenance, address: Address) -> Met | None:
        """Return the order that this very alert has reached before its name was given to another one.

        That was its first receipt, or this very request: a queue delivers a message again.
        """
        for order_id in address.before:
            met = self.find(services, provenance, order_id)
            order = met and met.order(provenance.now)
            if order and has_reached(services, provenance, order):
                return met
        return None

    def find(self, services: "Services", provenance: Provenance, order_id: str) -> Met | None:
        """Read an order: a waiting leg from its entry's item, anything else from its own."""
        split = entry_and_leg(order_id)
        entry = services.orders.reached(provenance, split[0]) if split else None
        if split and entry is not None and waits(entry, split[1]):
            return Met(entry, split[1])
        order = services.orders.reached(provenance, order_id)
        return Met(order, entry=entry) if order else None

    def conditions(self, provenance: Provenance, leg: str | None = None) -> list[Condition]:
        """Return what must hold for the order that is addressed, which may be a leg in the item of its entry."""
        conditions = [of_strategy(self.strategy_id)] if self.strategy_id else []
        if provenance.until is not None:
            conditions.append(received_until(provenance.until))
            if leg is not None:
                conditions.append(leg_received_until(leg, provenance.until))
        return conditions

    def check_meant(self, provenance: Provenance, order: Order) -> None:
        """Raise StrategyMismatchError if the order is not of the strategy that the alert gives.

        And OrderNotFoundError if it came in later than what the alert can mean.
        """
        if _came_later(provenance, order):
            raise self.came_later(provenance)
        if self.strategy_id not in (None, order.strategy_id):
            raise StrategyMismatchError(
                f"Order {order.order_id} does not belong to strategy {self.strategy_id}; leave strategy_id out, or "
                "correct it.",
                field="strategy_id",
            )

    # CrossTrade's API promises to keep the phrase of these two stable, and clients match on it.

    def not_found(self) -> OrderNotFoundError:
        """Return the refusal of an order that the trader does not have."""
        fact = f"There is no order '{self.order_id}' of yours; check order_id: case matters."
        if self.order_name:
            fact = f"Strategy {self.strategy_id} has no {self.order_name}; `orderhook orders` shows the names."
        return OrderNotFoundError(
            f"{fact} Order linked to '{self.order_id}' not found or already terminal.",
            field="order_id",
        )

    def came_later(self, provenance: Provenance) -> OrderNotFoundError:
        """Return the refusal of an order that an alert with `delay`, or a resend, cannot mean."""
        than = "when the delay of this alert was over" if provenance.due else "after the alert that this is a resend of"
        return OrderNotFoundError(
            f"What '{self.order_id}' leads to came in {than}. "
            f"Order linked to '{self.order_id}' not found or already terminal.",
            field="order_id",
        )

    def is_ninjatraders(self) -> UnsupportedValueError:
        """Return the refusal of a leg that NinjaTrader's own template brings: nobody knows a way to reach one there."""
        return UnsupportedValueError(
            f"{self.order_id} would be NinjaTrader's own: orderhook reaches no targets and stops of templates there. "
            "Cancel or change it in NinjaTrader.",
            field="order_id",
        )

    def check_is_known(self, entry: Order | None, name: str) -> None:
        """Raise UnsupportedValueError for a leg of this entry that NinjaTrader's own template brings."""
        if entry is not None and entry.atm_template is not None and name not in entry.legs:
            raise self.is_ninjatraders()

    def not_yet(self, waiting: Sequence[str]) -> OrderNotFoundError:
        """Return the refusal of a name that no order has before one of these is placed, which wait for their delay."""
        return OrderNotFoundError(
            f"{self.strategy_id} has no {self.order_name} yet: {_waits_for_delay(waiting)} "
            f"Order linked to '{self.order_id}' not found or already terminal.",
            field="order_id",
        )

    def bearing_name(
        self, services: "Services", provenance: Provenance, open_items: "Iterable[Item]", bound: Address | None
    ) -> Iterator[str]:
        """Yield the ids of open orders that bear the name, none where the one that is bound to it is still open.

        Before each is given, the strategy notes that the name leads this alert to it.
        """
        order_ids = bearing(open_items, str(self.order_name), provenance.until)
        if bound and bound.order_id in order_ids:
            return
        for order_id in order_ids:
            services.strategies.note_named(provenance, str(self.strategy_id), order_id)
            yield order_id

    def open_of_strategy(self, services: "Services", provenance: Provenance) -> "Sequence[Item]":
        """Return the items of the open orders of the strategy, and of those that wait for their delay to join it."""
        return list(services.orders.naming(provenance, str(self.strategy_id)))

    def naming_what_waits(
        self, services: "Services", provenance: Provenance, open_items: "Sequence[Item]", refusal: OrderhookError
    ) -> OrderhookError:
        """Return the refusal of a name, with the orders that wait for their delay and take it next."""
        if isinstance(refusal, StrategyNotFoundError):
            waiting: Sequence[str] = [item["order_id"] for item in open_items if "due" in item]
        else:
            waiting = to_come(services, provenance, open_items, str(self.order_name), of_bar=True)
        if not waiting:
            return refusal
        if not isinstance(refusal, OrderAlreadyTerminalError):
            return self.not_yet(waiting)
        detail = f"{_waits_for_delay(waiting)} Meanwhile: {refusal.detail}"
        return OrderAlreadyTerminalError(detail, field=refusal.field, state=refusal.state)

    def borne_elsewhere(self, order_ids: Sequence[str], refusal: OrderhookError) -> OrderhookError:
        """Return the refusal of a name that open orders bear in another market or side than what it led to."""
        detail = (
            f"{', '.join(order_ids[:5])} bears the name {self.order_name} too, but not in the account, instrument and "
            f"action of what it leads to; address it by that id. Meanwhile: {refusal.detail}"
        )
        return type(refusal)(detail, field=refusal.field, state=refusal.state)

    def already_terminal(self, order: Order, way_out: str) -> OrderAlreadyTerminalError:
        """Return the refusal of an order that is finished, with the legs of it that may go on."""
        legs = sorted(leg_id(order.order_id, name) for name, leg in order.legs.items() if leg.released)
        released = f"{' and '.join(legs)} may still work: orders of their own since it filled. " if legs else ""
        return OrderAlreadyTerminalError(
            f"Order '{self.order_id}' {ended(order)}; {way_out} {released}"
            f"Order linked to '{self.order_id}' not found or already terminal.",
            field="order_id",
            state=order.state,
        )


def _came_later(provenance: Provenance, order: Order) -> bool:
    """Return whether an order came in when the delay of the alert was over, or after the one it is a resend of."""
    return provenance.until is not None and (order.received_at or "") > provenance.until


def _led_to(services: "Services", provenance: Provenance, strategy: Strategy) -> str | None:
    """Return the order that this very alert was led to by its name, in this request or at its first receipt."""
    own = next((trace for trace in strategy.named if trace.request_id == provenance.request_id), None)
    trace = own or first_receipt(services, provenance, strategy.named)
    return trace and trace.order_id


def _waits_for_delay(waiting: Sequence[str]) -> str:
    return f"{', '.join(waiting[:5])} waits for its delay; address it by that id."


def wrote(provenance: Provenance, order: Order) -> bool:
    """Return whether this very request has written an order before."""
    return order.event_of(provenance.request_id) is not None


def has_reached(services: "Services", provenance: Provenance, order: Order) -> bool:
    """Return whether this very alert has reached an order before, in this request or at its first receipt."""
    return wrote(provenance, order) or first_receipt(services, provenance, order.traces) is not None


def waits(entry: Order, name: str) -> bool:
    """Return whether an entry has a leg of this name that lies in its item, be it ended or not."""
    leg = entry.legs.get(name)
    return leg is not None and not leg.released


def ended(order: Order) -> str:
    """Return how and when a finished order ended, as refusals say it."""
    return f"ended as {order.state} at {order.since}"


def strategy_not_found(strategy_id: str) -> StrategyNotFoundError:
    """Return the refusal of a strategy that the trader does not have."""
    return StrategyNotFoundError(
        f"There is no strategy {strategy_id} of yours; give the strategy_id of a PLACE: case matters.",
        field="strategy_id",
    )
