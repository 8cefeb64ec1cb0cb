"""PLACE: place an order; it may bring a target and a stop, start or join a strategy, and wait for a delay."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from orderhook.commands.conditional_order import PlacesConditionally
from orderhook.commands.fields import Id, Minutes, NewOrderId
from orderhook.commands.instructing import mark_of
from orderhook.commands.marking import refuse_equal, write_once, written_before
from orderhook.commands.placed import ATM_STRATEGY, ending_of, outcome_of, taken, warnings_of_legs
from orderhook.commands.placing import Entry, brackets_of, place_entry, template_of
from orderhook.commands.release import ended_if_void
from orderhook.conditions import Conditions
from orderhook.errors import (
    AlertWarning,
    DuplicateOrderIdError,
    OrderNotFoundError,
    StrategyNotFoundError,
    UnsupportedValueError,
)
from orderhook.leg_prices import with_bounds
from orderhook.messages import Release
from orderhook.orders import Order, OrderState, Trace, timestamp
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt
from orderhook.store.writes import Put
from orderhook.trade import bracket_legs, own_legs
from orderhook.venues import TABLE, Venue

if TYPE_CHECKING:
    from orderhook.services import Services


class Place(PlacesConditionally):
    """Place one order, and with it the legs that its fields or its template ask for."""

    word: ClassVar[str] = "PLACE"
    waits_in_table: ClassVar[bool] = True

    once: ClassVar[bool] = False
    """Whether the same text without an order_id places one order within a minute, whose resend is recognised."""

    order_id: NewOrderId | None = None
    strategy_id: Id | None = None
    cancel_after: Minutes = 0

    @model_validator(mode="after")
    def _legs_lie_beyond_the_entry(self) -> Self:
        self.new_order.check_entry_between_legs()
        return self

    @property
    def repeatable(self) -> bool:
        """Whether a resend is recognised: without an order_id it would be another order."""
        return self.order_id is not None or self.once

    @property
    def venue_account(self) -> str:
        """The account that the venue must have."""
        return self.new_order.account

    def certain_warnings(self, venue: Venue) -> tuple[AlertWarning, ...]:
        """Return what is said of an order without an id, and of a group that nothing heeds."""
        return (*self._no_order_id, *super().certain_warnings(venue))

    @property
    def _no_order_id(self) -> tuple[AlertWarning, ...]:
        if self.order_id:
            return ()
        return (_NO_ORDER_ID_ONCE if self.once else _NO_ORDER_ID,)

    def needs_venue(self, services: "Services", provenance: Provenance) -> bool:  # noqa: ARG002
        """Return whether it opens something at once: its release asks again, after the delay."""
        return not self.delay

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome for an order that this very alert has placed, if this is its resend."""
        if self._is_marked:
            before = written_before(services, provenance, self._mark)
            return self._as_before(services, provenance, before) if before else None
        existing = services.orders.get(provenance.trader, self.order_id) if self.order_id else None
        if existing is None or existing.placed != self._placed:
            return None
        resent = first_receipt(services, provenance, existing.traces[:1])
        if not resent:
            return None
        existing = ended_if_void(services, provenance, existing) or existing
        return outcome_of(services, existing.at(provenance.now), applied=False)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Write the order, and in one transaction with it its strategy; its legs lie in its item.

        With `delay` it waits for its release. Run twice with an order_id, the second writes nothing and answers
        already_placed. Raises DuplicateOrderIdError and StrategyMismatchError, and StrategyNotFoundError and
        UnsupportedValueError for a template, and DuplicateAlertError.
        """
        order = self._order(services, provenance)
        return (
            self._run_once(services, provenance, order) if self._is_marked else self._write(services, provenance, order)
        )

    @property
    def _is_marked(self) -> bool:
        """Whether a mark knows its resend and an equal alert, for no id does."""
        return self.once and self.order_id is None

    @property
    def _mark(self) -> str:
        return mark_of(self.word, self.new_order.account)

    def _run_once(self, services: "Services", provenance: Provenance, order: Order) -> Outcome:
        outcomes: list[Outcome] = []
        before = write_once(
            services,
            provenance,
            self._mark,
            lambda mark: outcomes.append(self._write(services, provenance, order, mark)),
            partial(refuse_equal, self.word, self.new_order.account),
            look_first=self.delay > 0,  # its message is sent before
        )
        return outcomes[-1] if outcomes else self._as_before(services, provenance, before)

    def _as_before(self, services: "Services", provenance: Provenance, before: Trace | None) -> Outcome:
        """Answer for the order that an equal alert has placed, or, without one, this very request."""
        order_id = before.request_id if before else provenance.request_id
        order = services.orders.get(provenance.trader, order_id)
        if order is None:
            raise OrderNotFoundError(f"The order '{order_id}', which the first of these alerts placed, is gone.")
        order = ended_if_void(services, provenance, order) or order
        return outcome_of(services, order.at(provenance.now), applied=before is None)

    def _write(self, services: "Services", provenance: Provenance, order: Order, *checks: Put) -> Outcome:
        if self.delay:
            return self._wait(services, provenance, order, *checks)
        entry = Entry(order, self.new_order.legs, self.new_order.strategy, named=self.strategy_id is not None)
        placed = place_entry(services, provenance, entry, checks=checks)
        return self._answer(services, provenance, placed.order, applied=placed.applied)

    @property
    def _placed(self) -> Mapping[str, str]:
        ids = {"order_id": self.order_id, "strategy_id": self.strategy_id}
        return self.new_order.texts() | {name: value for name, value in ids.items() if value is not None}

    def _order(self, services: "Services", provenance: Provenance) -> Order:
        """Return the order as it is to be, without its legs; its end is scheduled before it is placed."""
        new, order_id = self.new_order, self.order_id or provenance.request_id
        minutes = self.cancel_after
        ends = schedule_end(services, provenance, order_id, minutes, after=self.delay) if minutes else None
        # What waits for its delay is not at the venue before its release.
        venue = TABLE if self.delay else services.venue
        state = OrderState.INITIALIZED if self.delay else venue.placed
        texts = {name: text for name, text in new.texts().items() if name in ("qty", "limit_price", "stop_price")}
        return Order(
            order_id=order_id,
            account=new.account,
            instrument=new.instrument,
            action=new.action,
            qty=new.qty,
            order_type=new.order_type,
            tif=new.tif,
            state=state,
            since=provenance.now,
            limit_price=new.limit_price,
            stop_price=new.stop_price,
            oco_id=new.oco_id,
            strategy_id=self.strategy_id,
            template=new.strategy,
            placed=self._placed,
            received_at=timestamp(provenance.judged_on),
            delay=self.delay or None,
            day_ends=venue.day_ends(new.day_ends(provenance)),
            cancels_at=ends,
            notes=self.notes,
            venue=venue.name,
            want=venue.want(provenance, "place"),
            conditions=self._conditions(services, provenance),
            history=(provenance.event(state, texts),),
        )

    def _conditions(self, services: "Services", provenance: Provenance) -> Conditions | None:
        """Return what is asked of the position; a root alone too, for the bridge tells of another month held."""
        asked = self.position_conditions.reaching(provenance.limits)
        return asked if asked.root and services.venue.name else asked.if_any

    def _wait(self, services: "Services", provenance: Provenance, order: Order, *checks: Put) -> Outcome:
        """Have the order wait for its release; the message that brings it is sent before the order is written."""
        due = timestamp(provenance.received_on + timedelta(seconds=self.delay))
        wanted = own_legs(1, self.new_order.legs, f"{provenance.request_id}.OCO")
        try:
            # A template that is not there is told now, and not when nobody waits for the answer.
            template = template_of(services, provenance, self.new_order.strategy)
        except (StrategyNotFoundError, UnsupportedValueError):
            # What has the id already says more: its template may have gone since.
            existing = services.orders.get(provenance.trader, order.order_id) if self.order_id else None
            if existing is None:
                raise
            return self._answer(services, provenance, existing, applied=False)
        # Its day begins with its release: it must not end at a close that lies before.
        order = with_bounds(order._replace(due=due, wanted=wanted, day_ends=None))
        release = Release(
            trader=provenance.trader,
            key_id=provenance.key_id,
            request_id=provenance.request_id,
            received_at=timestamp(provenance.judged_on),
            order_id=order.order_id,
            due=due,
            window=self.window,
        )
        services.deferred_for("delay").send(release, self.delay)
        if checks:
            services.table.transact([services.orders.putting(provenance, order), *checks])
            existing, applied = order, True
        else:
            existing, applied = services.orders.put(provenance, order)
        if applied:
            outcome = self._answer(services, provenance, order, applied=True)
            legs = bracket_legs(1, brackets_of(template), "")
            warnings = [ATM_STRATEGY] if template and template.ninjatrader else warnings_of_legs(order, legs)
            return outcome._replace(warnings=(*outcome.warnings, *warnings))
        return self._answer(services, provenance, existing, applied=False)

    def _answer(self, services: "Services", provenance: Provenance, order: Order, *, applied: bool) -> Outcome:
        """Answer for the order as written, or for the one that has its id already if it is the same."""
        if applied:
            outcome = outcome_of(services, order, applied=True)
            return outcome._replace(warnings=(*outcome.warnings, *self._no_order_id))
        if not provenance.reaches(order.account, order.instrument):
            sent_id = order.order_id.removesuffix(ending_of(self.new_order.account))
            raise DuplicateOrderIdError(
                f"order_id {order.order_id} is taken; write another, such as {sent_id[:40]}-{{{{timenow}}}}.",
                field="order_id",
            )
        order = (ended_if_void(services, provenance, order) or order).at(provenance.now)
        same = order.placed == self._placed
        # Whatever the order's state: that a resend was answered must be noted.
        resent = same and first_receipt(services, provenance, order.traces[:1])
        if same and (order.is_open or resent):
            outcome = outcome_of(services, order, applied=False)
            late = [_NO_NEW_LIMIT] if self.cancel_after and order.is_open and not order.cancels_at else []
            other = [] if resent else self.other_conditions(order)
            return outcome._replace(warnings=(*outcome.warnings, *late, *other))
        raise taken(order, same=same)


_NO_ORDER_ID = AlertWarning(
    "no_order_id",
    "order_id",
    "Without an order_id no later alert can be sure to reach this order, and a resend is "
    "not recognised: add order_id=...-{{timenow}}.",
)

_NO_ORDER_ID_ONCE = AlertWarning(
    "no_order_id",
    "order_id",
    "Without an order_id no later alert can be sure to reach this order, and the same text is refused for a minute: "
    "add order_id=...-{{timenow}}.",
)

_NO_NEW_LIMIT = AlertWarning(
    "ignored_field",
    "cancel_after",
    "The order is there already and has no time limit now; CANCELREPLACE can give it one.",
)


def schedule_end(services: "Services", provenance: Provenance, order_id: str, minutes: int, after: int = 0) -> str:
    """Have an order cancelled in so many minutes, and return the time, which the order must carry.

    Run twice, there is one schedule. It does nothing to an order that carries another time.
    """
    received = provenance.received_on + timedelta(seconds=after)
    return services.deferred_for("cancel_after").schedule(provenance, order_id, minutes, received)
