"""What the commands over many orders share: each order is judged by itself, and what became of it is always told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from orderhook.commands.addressed_order import has_reached, wrote
from orderhook.commands.many_result import LISTS, ManyResult
from orderhook.errors import AlertWarning, OrderhookError, OutcomeUnknownError, TemporarilyUnavailableError
from orderhook.orders import BEING_CANCELLED, SAME_BAR, TERMINAL, Order, OrderState, folded, timestamp
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt
from orderhook.store.expressions import Condition, in_market, not_delayed_since, of_strategy, received_until
from orderhook.store.items import is_open
from orderhook.trade import entry_and_leg, kind_of, leg_id, open_legs, protected_by
from orderhook.venues import venue_of

if TYPE_CHECKING:
    from orderhook.services import Services
    from orderhook.store.results import WriteResult

_NAMED = 5
"""How many orders a refusal names."""


class Scope(NamedTuple):
    """Which open orders a command is over; None is any."""

    account: str | None = None
    instrument: str | None = None
    strategy_id: str | None = None
    root: str | None = None
    """The root of a future: each month of it, whichever the instrument is."""

    def conditions(self) -> list[Condition]:
        """Return what must still hold for an order when it is cancelled."""
        conditions = [in_market(self.account, self.instrument, self.root)] if self.account is not None else []
        return conditions + ([of_strategy(self.strategy_id)] if self.strategy_id is not None else [])


def cutoff(services: "Services", provenance: Provenance, word: str, delay: int) -> str:
    """Leave the trace of a command over many, and return up to which receipt it touches orders.

    That is its own receipt, or that of the alert which it is a resend of; with `delay` that many seconds later.
    """
    first = services.traces.leave(provenance, word, partial(first_receipt, services, provenance))
    received = datetime.fromisoformat(first.received_at) if first else provenance.judged_on
    return timestamp(received + timedelta(seconds=delay))


def cancel_many(
    services: "Services",
    provenance: Provenance,
    scope: Scope,
    until: str,
    *,
    delay: int = 0,
    bar: bool = True,
    closes: bool = False,
    spares_legs: bool = False,
) -> ManyResult:
    """Cancel every open order of the scope that was received until then, each by its own conditional write.

    Run twice, the second finds what is left; a resend also looks at stops that an earlier receipt may have cancelled,
    and warns of those. With `bar`, orders of the same bar whose `delay` is not shorter than the command's own are left
    alone and listed. With `closes` the bridge is asked to close what is filled, and the warnings say so; with
    `spares_legs` it ends the legs of what is filled itself, once it knows that it can.
    Raises TemporarilyUnavailableError, with what was done and what remains, when the time budget ends before the last,
    and OutcomeUnknownError where one cannot be cancelled at all.
    """
    cancels = _Cancels(services, provenance, scope, until, delay=delay, bar=bar, spares_legs=spares_legs)
    cancels.result.closes = closes
    listed = services.orders.reached_items(provenance, scope.account, scope.instrument, scope.root)
    words, cancels.result.complete = services.orders.each_in_time(
        cancels.cancel, cancels.reached(listed), cancels.failed
    )
    looked, _ = services.orders.each_in_time(cancels.look, cancels.tried_before(), cancels.failed)
    for item, word in (*words, *looked):
        if word in (*LISTS, "cancel_pending"):
            getattr(cancels.result, word).append(item["order_id"])
    _check_done(cancels.result)
    return cancels.result


class _Cancels:
    """The cancels of one command over many; they run concurrently."""

    def __init__(
        self,
        services: "Services",
        provenance: Provenance,
        scope: Scope,
        until: str,
        *,
        delay: int,
        bar: bool,
        spares_legs: bool,
    ) -> None:
        self.result = ManyResult()
        self._services = services
        self._provenance = provenance
        self._scope = scope
        self._until = until
        self._delay = delay
        self._spares_legs = spares_legs
        # A resend is of the bar of its first receipt, and what has a delay is of the bar in which it came.
        received = min(provenance.received_on, datetime.fromisoformat(until))
        self._voiding = cache(lambda: services.controls.voiding(provenance.trader))
        self._bar = (timestamp(received - SAME_BAR), timestamp(received + SAME_BAR)) if bar else None
        self._conditions = [*scope.conditions(), received_until(until)]
        self._tried: set[str] = set()
        if bar:
            self._conditions.append(not_delayed_since(received, delay))

    def reached(self, items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the items of the orders that are to be cancelled."""
        for item in items:
            received_at = str(item.get("received_at", ""))
            if not is_open(item, self._provenance.now):
                continue
            if self._scope.strategy_id is not None and item.get("strategy_id") != self._scope.strategy_id:
                continue
            if received_at > self._until:
                if received_at < self._provenance.received_at:
                    self.result.newer.append(item["order_id"])
                continue
            of_bar = self._bar is not None and self._bar[0] <= received_at <= self._bar[1]
            if of_bar and item.get("delay", -1) >= self._delay:
                is_void = "due" in item and self._voiding()(received_at) is not None
                (self.result.already_cancelled if is_void else self.result.waiting).append(item["order_id"])
                continue
            if self._spares(item):
                continue
            yield item

    def _spares(self, item: Mapping[str, Any]) -> bool:
        """Return whether an order closes what is filled, and is the bridge's to end; note it where it is a stop."""
        if not self._spares_legs or item.get("closes") is None or item.get("venue") is None:
            return False
        if kind_of(str(item.get("order_name"))) == "STOP":
            self.result.stops.append(item["order_id"])
        return True

    def cancel(self, item: Mapping[str, Any]) -> str:
        """Cancel an order, and return the name of the list that it belongs in."""
        written = self._cancel(item["order_id"])
        order = written.before
        if order is None:
            return "already_cancelled"
        # Legs that a fill released after the orders were listed stand in no list, and are open all the same.
        listed = item.get("legs", {})
        for name in (name for name, leg in order.legs.items() if leg.released and not self._spares_legs):
            worked = isinstance(listed.get(name), dict) and listed[name].get("released")
            if not worked and (leg := self._cancel(leg_id(order.order_id, name))).applied and leg.before:
                getattr(self.result, self._applied(leg.before)).append(leg.before.order_id)
        if written.applied:
            return self._applied(order)
        order = order.at(self._provenance.now)
        self._note_stop(order)
        if order.state is OrderState.CANCELLED:
            return "already_cancelled"
        if order.state in BEING_CANCELLED:
            if order.venue is not None:
                self._note_waits(order)
            return "cancel_pending"
        return "already_terminal" if order.state in TERMINAL else "untouched"

    def tried_before(self) -> Iterator[dict[str, Any]]:
        """Yield the ids of the stops that an earlier receipt may have cancelled, and this one has not met."""
        for earlier in list((self._provenance.resend_of or {}).values()):
            for order_id, account in earlier.stops.items():
                if account == self._account and order_id not in self._tried:
                    yield {"order_id": order_id}

    def look(self, item: Mapping[str, Any]) -> str:
        """Note a stop if an earlier receipt has cancelled it; it stands in no list, for this one does not end it."""
        if order := self._services.orders.reached(self._provenance, item["order_id"]):
            self._note_stop(order.at(self._provenance.now))
        return "looked at"

    def _note_stop(self, order: Order) -> None:
        """Note a stop of what is filled that is ending, or has, by an earlier receipt of this alert."""
        ends = order.state is OrderState.CANCELLED or order.state in BEING_CANCELLED
        if ends and protected_by(order) and self._reached_before(order):
            self.result.stops.append(order.order_id)

    def _reached_before(self, order: Order) -> bool:
        """Return what has_reached does, without a read where this is known to be no resend."""
        if not self._provenance.resend_of:
            return wrote(self._provenance, order)
        return has_reached(self._services, self._provenance, order)

    def _applied(self, order: Order) -> str:
        """Note a cancel that was applied to an order, and return the name of its list."""
        legs: list[str] = []
        if protected_by(order):
            self.result.stops.append(order.order_id)
        if order.venue is not None:  # its legs wait on: a fill may overtake the cancel
            self.result.asked.append(order.order_id)
            self._note_waits(order)
        elif legs := sorted(open_legs(order).values()):
            self.result.legs[order.order_id] = legs
        if self._provenance.progress:
            self._provenance.progress.ended += [order.order_id, *legs]
        return venue_of(order).word("cancelled")

    def _note_waits(self, order: Order) -> None:
        """Note that a venue has yet to end an order."""
        self.result.waits_for_venue = True
        if open_legs(order):
            self.result.overtakable.append(order.order_id)

    def failed(self, item: Mapping[str, Any], error: Exception | None) -> str:
        """Return the name of the list of an order that was not cancelled in time (None), or not at all."""
        if error is None or isinstance(error, TemporarilyUnavailableError):
            return "remaining"
        if not isinstance(error, OrderhookError) and self._provenance.progress:
            self._provenance.progress.defects.append(error)
        reason = error.extra.get("reason") if isinstance(error, OutcomeUnknownError) else None
        self.result.failed.append(
            {"order_id": str(item.get("order_id")), "reason": str(reason or type(error).__name__)}
        )
        return "failed"

    @property
    def _account(self) -> str:
        """The number of its account, where the alert lists several."""
        return self._provenance.request_id.partition(".")[2]

    def _cancel(self, order_id: str) -> "WriteResult":
        split = entry_and_leg(order_id)
        if split and kind_of(split[1]) == "STOP":
            self._tried.add(order_id)
            if self._provenance.progress:
                self._provenance.progress.stops[order_id] = self._account
        return self._services.orders.cancel(self._provenance, order_id, *self._conditions)


def _check_done(result: ManyResult) -> None:
    """Raise what says that something is left: its words have the orders, for of the answer a record keeps no lists."""
    told: dict[str, Any] = {
        "extra": result.as_data(),
        "affected_order_ids": result.affected,
        "warnings": result.warnings,
    }
    if result.remaining or not result.complete:
        left = f": {_some(result.remaining)} may still be open" if result.remaining else ""
        raise TemporarilyUnavailableError(
            f"Not all orders could be cancelled in time{left}. Send the same alert again; it is safe, and cancels the "
            "rest.",
            **told,
        )
    if result.failed:
        failed = [f"{it['order_id']} ({it['reason']})" for it in result.failed]
        raise OutcomeUnknownError(
            f"{len(failed)} of the orders could not be cancelled, and sending the alert again would not help: "
            f"{_some(failed)}.",
            **told,
        )


def _some(orders: Sequence[str]) -> str:
    """Name the first orders of many."""
    more = len(orders) - _NAMED
    return ", ".join(orders[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def outcome(services: "Services", provenance: Provenance, result: ManyResult) -> Outcome:
    """Return the outcome of CANCELORDERS and CANCELALLORDERS: with nothing to cancel it says where orders are open."""
    warnings = result.warnings
    if result.waits_for_venue:
        status = "cancel_pending"  # not all of it is done yet
    elif result.cancelled:
        status = "cancelled"
    elif result.cancel_pending:
        status = "cancel_pending"
    elif result.already_cancelled:
        status = "already_cancelled"
    else:
        status = "nothing_to_cancel"
        listed = services.orders.reached_items(provenance)
        named = (str(item.get("account")) for item in listed if is_open(item, provenance.now))
        accounts = sorted({folded(account): account for account in named}.values())
        there = (
            f"Accounts with open orders: {', '.join(accounts[:20])}." if accounts else "No account has an open order."
        )
        what = "No open order matched."
        if provenance.resend_of:
            what = (
                "No open order matches any more: this is a resend, and `orderhook alerts` shows what the first ended."
            )
        if result.already_terminal:
            what = "What matched was finished before it could be cancelled: see `already_terminal`."
        elif result.waiting:
            what = "Only orders under `waiting` matched, which came with a delay so that this cancel goes first."
        limited = " This key is limited to some accounts or instruments." if _is_limited(provenance) else ""
        warnings = (*warnings, AlertWarning("nothing_to_cancel", None, f"{what} {there}{limited}"))
    return Outcome(status=status, extra=result.as_data(), warnings=warnings, affected_order_ids=result.affected)


def _is_limited(provenance: Provenance) -> bool:
    return provenance.limits is not None and provenance.limits.is_to_markets
