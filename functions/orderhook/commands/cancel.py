"""CANCEL: cancel one order, by its id or by its name within a strategy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from orderhook.commands.addressed_order import NOTHING_OPEN, Address, AddressesOrder, Met, ended, wrote
from orderhook.commands.changing import find_resent
from orderhook.commands.strategy_names import to_come
from orderhook.errors import AlertWarning, OrderAlreadyTerminalError, OrderhookError, OrderNotFoundError
from orderhook.orders import BEING_CANCELLED, CANCELLABLE, FINISHED_OTHERWISE, Order, OrderState
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt
from orderhook.store.expressions import Condition, cancels_at, no_trace
from orderhook.store.results import refused
from orderhook.trade import entry_and_leg, leg_id, open_legs, partner_of, protected_by
from orderhook.venues import venue_of

if TYPE_CHECKING:
    from orderhook.services import Services


_NOTHING_LEFT = "there is nothing left of it to cancel."


class Cancelled(NamedTuple):
    """The order that a cancel met, as it was before, and whether the cancel was applied."""

    order: Order
    applied: bool
    entry: Order | None = None
    """Of a leg that has an item of its own, its entry, where that is still there."""
    resent: bool = False
    """Whether this is a resend of the alert that ended it."""


class Cancel(AddressesOrder):
    """Cancel the order that `order_id` is the id of, or, in a strategy, the name of."""

    word: ClassVar[str] = "CANCEL"
    risk_reducing: ClassVar[bool] = True
    takes_unknown_names: ClassVar[bool] = True

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Cancel it with one conditional write; an order that is cancelled already is a success.

        Where a name leads to a finished order, it is read once more: another order may have taken it meanwhile. If that
        is finished too, what is open of the strategy is looked at: nothing that bears the name may go on. Raises
        OrderNotFoundError, StrategyNotFoundError, StrategyMismatchError and OrderAlreadyTerminalError.
        """
        address = None
        try:
            address = self.address(services, provenance)
            cancelled = self._cancel_addressed(services, provenance, address)
        except NOTHING_OPEN as refusal:
            if self.order_name is None or (address and address.settled):
                raise
            return self._cancel_bearing_name(services, provenance, address, refusal)
        settled = self.order_name is None or address.settled or cancelled.resent or cancelled.applied
        if settled or cancelled.order.state is not OrderState.CANCELLED:
            self._check_has_no_other_end(cancelled)
            return _outcome(provenance, cancelled)
        return self._cancel_bearing_name(services, provenance, address, cancelled)

    def _cancel_addressed(self, services: "Services", provenance: Provenance, address: Address) -> Cancelled:
        """Cancel what the id or the name leads to, if this is no resend of an alert that did."""
        met = self.resent(services, provenance, address)
        resent = met and met.order(provenance.now)
        if met and resent and not wrote(provenance, resent):
            return Cancelled(resent, applied=False, entry=met.entry, resent=True)
        cancelled = self._cancel(services, provenance, resent.order_id if resent else address.order_id)
        if self.order_name and not (resent or address.settled or (cancelled and cancelled.applied)):
            again = self.address(services, provenance)
            if again.order_id != address.order_id:
                cancelled = self._cancel(services, provenance, again.order_id)
        if cancelled is None:
            raise self.not_found()
        self.check_meant(provenance, cancelled.order)
        self._check_has_no_other_end(cancelled)
        # That a resend was answered is noted, or its text would be taken for one when its name leads elsewhere.
        first = first_receipt(services, provenance, cancelled.order.traces)
        return cancelled._replace(resent=first is not None)

    def _cancel_bearing_name(
        self,
        services: "Services",
        provenance: Provenance,
        bound: Address | None,
        found: Cancelled | OrderhookError,
    ) -> Outcome:
        """Cancel an open order that bears the name though it was `found` to lead to none; else answer that.

        Where one takes the name next that waits for its delay, OrderNotFoundError says so: nothing of that has ended.
        """
        open_items = self.open_of_strategy(services, provenance)
        for order_id in self.bearing_name(services, provenance, open_items, bound):
            cancelled = self._cancel(services, provenance, order_id)
            if cancelled and (cancelled.applied or cancelled.order.is_open):
                return _outcome(provenance, cancelled)
        if isinstance(found, OrderhookError):
            raise self.naming_what_waits(services, provenance, open_items, found) from None
        if waiting := to_come(services, provenance, open_items, str(self.order_name), of_bar=False):
            raise self.not_yet(waiting)
        return _outcome(provenance, found)

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome for an order that this very alert has cancelled, in this request or as its resend."""
        found = find_resent(self, services, provenance)
        if found is None:
            return None
        before = refused(found.order, provenance.request_id).before or found.order
        cancelled = Cancelled(before, applied=found.own, resent=found.resent)
        self._check_has_no_other_end(cancelled)
        return _outcome(provenance, cancelled)

    def _check_has_no_other_end(self, cancelled: Cancelled) -> None:
        """Raise OrderAlreadyTerminalError for an order that has ended otherwise: at a venue a fill may be first."""
        if cancelled.order.state in FINISHED_OTHERWISE:
            raise self.already_terminal(cancelled.order, _NOTHING_LEFT)

    def _cancel(self, services: "Services", provenance: Provenance, order_id: str) -> Cancelled | None:
        """Cancel an order or a leg.

        A leg may have been given anew since an equal alert ended it: a resend of that leaves it, and a new alert ends
        it all the same.
        """
        split = entry_and_leg(order_id)
        if split is None:
            return self._cancel_item(services, provenance, order_id, self.conditions(provenance))
        cancelled = self._cancel_leg(services, provenance, *split, no_trace(provenance.digest))
        if cancelled is None or cancelled.applied or cancelled.order.state not in CANCELLABLE:
            return cancelled
        if first_receipt(services, provenance, cancelled.order.traces):
            return cancelled
        return self._cancel_leg(services, provenance, *split)

    def _cancel_leg(
        self,
        services: "Services",
        provenance: Provenance,
        entry_id: str,
        name: str,
        *further: Condition,
    ) -> Cancelled | None:
        """Cancel a leg in its entry's item, or, where it was released, in its own."""
        conditions = [*self.conditions(provenance, name), *further]
        result = services.orders.cancel_leg(provenance, entry_id, name, *conditions)
        self.check_is_known(result.before, name)
        leg = result.before.legs.get(name) if result.before else None
        if result.before and leg and not leg.released:
            entry = result.before
            if result.applied and wrote(provenance, entry):
                # Our own write, its answer lost: the leg was waiting before it, and nothing was asked of it.
                entry = entry._replace(legs={name: leg._replace(end=None, want=None)})
            order = Met(entry, name).order(provenance.now)
            return Cancelled(order, result.applied) if order else None
        conditions = [*self.conditions(provenance), *further]
        cancelled = self._cancel_item(services, provenance, leg_id(entry_id, name), conditions)
        return cancelled and cancelled._replace(entry=result.before)

    def _cancel_item(
        self, services: "Services", provenance: Provenance, order_id: str, conditions: Sequence[Condition]
    ) -> Cancelled | None:
        result = services.orders.cancel(provenance, order_id, *conditions)
        if result.before is None:
            return None
        if not result.applied:
            services.orders.expire(provenance, result.before)
        order = result.before if result.applied else result.before.at(provenance.now)
        return Cancelled(order, result.applied)


def cancel_overdue(services: "Services", provenance: Provenance, order_id: str, at: str) -> Outcome:
    """Cancel an order whose time is over with one conditional write, if that is still the order's time.

    Run twice, the second finds it cancelled. Raises OrderNotFoundError and OrderAlreadyTerminalError.
    """
    result = services.orders.cancel(provenance, order_id, cancels_at(at))
    order = result.before
    if order is None or at not in (order.cancels_at, order.want and order.want.cancels_at):
        raise OrderNotFoundError(
            f"Order '{order_id}' has no cancel_after that ends at {at}, so there is nothing to cancel.",
            field="order_id",
        )
    order = order if result.applied else order.at(provenance.now)
    if not result.applied and order.state in FINISHED_OTHERWISE:
        raise OrderAlreadyTerminalError(
            f"Order '{order_id}' {ended(order)}; {_NOTHING_LEFT}",
            field="order_id",
            state=order.state,
        )
    return _outcome(provenance, Cancelled(order, result.applied))


def _outcome(provenance: Provenance, cancelled: Cancelled) -> Outcome:
    order, applied, entry, resent = cancelled
    venue = venue_of(order)
    pending = not applied and order.state in BEING_CANCELLED
    working = not applied and not pending and order.is_open
    ended = applied and venue.cancelled is OrderState.CANCELLED
    outcome = Outcome.of(
        order._replace(state=venue.cancelled) if applied else order,
        venue.word("cancelled") if applied else "cancel_pending" if pending else "already_cancelled",
        duplicate=True if pending else None,
        previous_state=order.state if applied else None,
        filled=str(order.filled),
        cancelled_at=provenance.now if ended else order.cancelled_at,
        warnings=(*_unprotected(order), *_group(order, entry)) if applied or (resent and not working) else (),
        affected_order_ids=tuple(open_legs(order).values()) if ended else (),
    )
    # A leg that was given anew since an earlier receipt of this alert ended it: what it is now is another one.
    return outcome._replace(state=None, cancelled_at=None) if working else outcome


def _group(order: Order, entry: Order | None) -> tuple[AlertWarning, ...]:
    """Return the warning for an order of an OCO group that a venue has: it ends the others of the group with it."""
    if order.made_by is not None and order.order_type != "MARKET":
        partner = f"{order.made_by}.{'2' if order.order_id.endswith('.1') else '1'}"
        detail = f"If {partner} works beside it, the venue ends both, and the bridge places {partner} again."
        return (AlertWarning("oco_partner", "order_id", detail),)
    if order.venue is None or order.oco_id is None:
        return ()
    if order.entry_id is None:
        detail = f"The venue also ends the other orders of the group {order.oco_id}."
        return (AlertWarning("oco_group", "order_id", detail),)
    if order.closes is None:
        return ()  # a leg that waits ends alone
    partner = partner_of(str(order.order_name))
    if entry is not None and (partner not in entry.legs or entry.legs[partner].end):
        return ()
    detail = (
        f"{partner} and {order.order_name} are one group at the venue, which ends both; {partner} is placed again, "
        "unless it was cancelled too, or another bridge or one that has lost its journal had placed it."
    )
    return (AlertWarning("oco_partner", "order_id", detail),)


def _unprotected(order: Order) -> tuple[AlertWarning, ...]:
    """Return the warning for the end of a stop that a fill has released: what is filled has none any more."""
    open_part = protected_by(order)
    if not open_part:
        return ()
    contracts, are, have = ("contract", "is", "has") if open_part == 1 else ("contracts", "are", "have")
    detail = (
        f"{open_part} {contracts} that {are} filled had {order.order_name or order.order_id}, and {have} no stop now."
    )
    return (AlertWarning("unprotected_quantity", "order_id", detail),)
