"""What the commands over many orders share: each order is judged by itself, and what became of it is always told."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from orderhook.errors import AlertWarning, OrderhookError, OutcomeUnknownError, TemporarilyUnavailableError
from orderhook.orders import (
    BEING_CANCELLED,
    RESENDS_END,
    SAME_BAR,
    TERMINAL,
    Order,
    OrderState,
    folded,
    timestamp,
)
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt
from orderhook.store.expressions import Condition, in_market, not_delayed_since, of_strategy, received_until
from orderhook.store.items import is_open
from orderhook.trade import kind_of, leg_id, open_legs
from orderhook.venues import venue_of

if TYPE_CHECKING:
    from orderhook.services import Services
    from orderhook.store.results import WriteResult

_LISTS = ("cancelled", "already_cancelled", "already_terminal", "remaining")
_IF_ANY = ("cancel_pending", "failed", "waiting", "newer")


class Scope(NamedTuple):
    """Which open orders a command is over; None is any."""

    account: str | None = None
    instrument: str | None = None
    strategy_id: str | None = None

    def conditions(self) -> list[Condition]:
        """Return what must still hold for an order when it is cancelled."""
        conditions = [in_market(self.account, self.instrument)] if self.account is not None else []
        return conditions + ([of_strategy(self.strategy_id)] if self.strategy_id is not None else [])


@dataclass(slots=True)
class ManyResult:
    """The ids of the orders that a command over many met, by what became of them."""

    cancelled: list[str] = field(default_factory=list)
    already_cancelled: list[str] = field(default_factory=list)
    already_terminal: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)
    """What the time budget left open, or may have: to send the alert again is safe, and finishes it."""
    failed: list[dict[str, str]] = field(default_factory=list)
    """Orders that cannot be cancelled however often it is tried, with the reason."""
    waiting: list[str] = field(default_factory=list)
    """Orders with `delay` of the same bar, which this does not touch."""
    newer: list[str] = field(default_factory=list)
    """Orders that came in after the first receipt of this alert, which this, a resend, does not touch."""
    cancel_pending: list[str] = field(default_factory=list)
    """Orders whose cancel is on its way to their venue."""
    asked: list[str] = field(default_factory=list)
    """Those of them that this command has asked their venue for."""
    legs: dict[str, list[str]] = field(default_factory=dict)
    """The waiting legs that ended with the orders that were cancelled."""
    stops: list[str] = field(default_factory=list)
    """Stops of what is filled that this command has cancelled, or asked their venue to."""
    overtakable: list[str] = field(default_factory=list)
    """Those of `cancel_pending` whose targets and stops are placed for what fills before their cancel is done."""
    waits_for_venue: bool = False
    """Whether a venue has yet to end some of them."""
    complete: bool = True
    """Whether all open orders could be listed in time."""

    @property
    def affected(self) -> tuple[str, ...]:
        """The ids of the orders that were written: cancelled, each with the legs that ended with it, or asked for."""
        ended = (order_id for entry in self.cancelled for order_id in (entry, *self.legs.get(entry, ())))
        return (*ended, *self.asked)

    @property
    def warnings(self) -> tuple[AlertWarning, ...]:
        """What a trader who thinks that all has ended must know."""
        warnings = []
        if self.newer:
            ids = ", ".join(self.newer[:5])
            detail = (
                f"This is a resend, which leaves alone what came in after the first alert: {ids}. To end that, send it "
                f"again {RESENDS_END.seconds} s after the first."
            )
            warnings.append(AlertWarning("newer_orders", None, detail))
        if self.stops:
            warnings.append(AlertWarning("unprotected_quantity", None, without_stop(sorted(self.stops)[:5])))
        return tuple(warnings)

    def as_data(self) -> dict[str, object]:
        """Return the lists and their lengths, as an answer has them."""
        lists: dict[str, list[Any]] = {name: getattr(self, name) for name in _LISTS}
        lists |= {name: ids for name in _IF_ANY if (ids := getattr(self, name))}
        extra: dict[str, object] = {"cancelled_legs": self.legs} if self.legs else {}
        return {"counts": {name: len(ids) for name, ids in lists.items()}, **lists, **extra}


def without_stop(stops: Iterable[str]) -> str:
    """Return what to say of the cancel of these stops of what is filled."""
    return f"What is filled stays, and has no stop now: {', '.join(stops)} protected it."


def cutoff(services: "Services", provenance: Provenance, word: str, delay: int) -> str:
    """Leave the trace of a command over many, and return up to which receipt it touches orders.

    That is its own receipt, or that of the alert which it is a resend of; with `delay` that many seconds later.
    """
    first = services.traces.leave(provenance, word, partial(first_receipt, services, provenance))
    received = datetime.fromisoformat(first.received_at) if first else first_received(provenance)
    return timestamp(received + timedelta(seconds=delay))


def first_received(provenance: Provenance) -> datetime:
    """Return when an alert was first received that has left no trace in this account."""
    return provenance.first_received or provenance.received_on


def cancel_many(
    services: "Services", provenance: Provenance, scope: Scope, until: str, *, delay: int = 0, bar: bool = True
) -> ManyResult:
    """Cancel every open order of the scope that was received until then, each by its own conditional write.

    Run twice, the second finds what is left. With `bar`, orders of the same bar whose `delay` is not shorter than the
    command's own are left alone and listed.
    Raises TemporarilyUnavailableError, with what was done and what remains, when the time budget ends before the last,
    and OutcomeUnknownError where one cannot be cancelled at all.
    """
    cancels = _Cancels(services, provenance, scope, until, delay=delay, bar=bar)
    listed = services.orders.reached_items(provenance, scope.account, scope.instrument)
    words, cancels.result.complete = services.orders.each_in_time(
        cancels.cancel, cancels.reached(listed), cancels.failed
    )
    for item, word in words:
        if word in (*_LISTS, "cancel_pending"):
            getattr(cancels.result, word).append(item["order_id"])
    _check_done(cancels.result)
    return cancels.result


class _Cancels:
    """The cancels of one command over many; they run concurrently."""

    def __init__(
        self, services: "Services", provenance: Provenance, scope: Scope, until: str, *, delay: int, bar: bool
    ) -> None:
        self.result = ManyResult()
        self._services = services
        self._provenance = provenance
        self._scope = scope
        self._until = until
        self._delay = delay
        # A resend is of the bar of its first receipt, and what has a delay is of the bar in which it came.
        received = min(provenance.received_on, datetime.fromisoformat(until))
        self._voiding = cache(lambda: services.controls.voiding(provenance.trader))
        self._bar = (timestamp(received - SAME_BAR), timestamp(received + SAME_BAR)) if bar else None
        self._conditions = [*scope.conditions(), received_until(until)]
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
            yield item

    def cancel(self, item: Mapping[str, Any]) -> str:
        """Cancel an order, and return the name of the list that it belongs in."""
        written = self._cancel(item["order_id"])
        order = written.before
        if order is None:
            return "already_cancelled"
        # Legs that a fill released after the orders were listed stand in no list, and are open all the same.
        listed = item.get("legs", {})
        for name in (name for name, leg in order.legs.items() if leg.released):
            worked = isinstance(listed.get(name), dict) and listed[name].get("released")
            if not worked and (leg := self._cancel(leg_id(order.order_id, name))).applied and leg.before:
                getattr(self.result, self._applied(leg.before)).append(leg.before.order_id)
        if written.applied:
            return self._applied(order)
        order = order.at(self._provenance.now)
        if order.state is OrderState.CANCELLED:
            return "already_cancelled"
        if order.state in BEING_CANCELLED:
            if order.venue is not None:
                self._note_waits(order)
            return "cancel_pending"
        return "already_terminal" if order.state in TERMINAL else "untouched"

    def _applied(self, order: Order) -> str:
        """Note a cancel that was applied to an order, and return the name of its list."""
        legs: list[str] = []
        if order.closes is not None and kind_of(str(order.order_name)) == "STOP":
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

    def _cancel(self, order_id: str) -> "WriteResult":
        return self._services.orders.cancel(self._provenance, order_id, *self._conditions)


def _check_done(result: ManyResult) -> None:
    affected = result.affected
    if result.remaining or not result.complete:
        raise TemporarilyUnavailableError(
            "Not all orders could be cancelled in time. Send the same alert again; it is safe, and cancels the rest.",
            extra=result.as_data(),
            affected_order_ids=affected,
            warnings=result.warnings,
        )
    if result.failed:
        raise OutcomeUnknownError(
            f"{len(result.failed)} of the orders could not be cancelled, and sending the alert again would not help: "
            "look at the orders under `failed`.",
            extra=result.as_data(),
            affected_order_ids=affected,
            warnings=result.warnings,
        )


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
        if result.already_terminal:
            what = "What matched was finished before it could be cancelled: see `already_terminal`."
        elif result.waiting:
            what = "Only orders under `waiting` matched, which came with a delay so that this cancel goes first."
        limited = " This key is limited to some accounts or instruments." if _is_limited(provenance) else ""
        warnings = (*warnings, AlertWarning("nothing_to_cancel", None, f"{what} {there}{limited}"))
    return Outcome(status=status, extra=result.as_data(), warnings=warnings, affected_order_ids=result.affected)


def _is_limited(provenance: Provenance) -> bool:
    return provenance.limits is not None and provenance.limits.is_to_markets
