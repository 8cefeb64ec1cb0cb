"""The release of an order that waits for the delay of its PLACE: PLACE's own transaction, with conditions more."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orderhook.commands.placing import Entry, place_entry, placed_word
from orderhook.errors import (
    InvalidSecretKeyError,
    KillSwitchOnError,
    OrderhookError,
    OrderNotFoundError,
    TemporarilyUnavailableError,
    TooLateError,
    VenueOfflineError,
)
from orderhook.messages import Release
from orderhook.orders import RELEASED_WITHIN, Order, OrderState, timestamp
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.store.writes import TransactionFailed
from orderhook.trade import LegTerms, open_legs
from orderhook.trade_window import TradeWindow, end_of_day

if TYPE_CHECKING:
    from orderhook.services import Services

_WRITTEN_WITHIN = timedelta(seconds=10)
"""How long after it is due an order may still be on its way into the table: its message is sent before."""

_RACES = 4


def release(services: "Services", provenance: Provenance, message: Release, *, key_is_good: bool) -> Outcome:
    """Place an order that waits for its delay, as its item has it now; run twice, the second finds it placed.

    What may not be placed any more ends as Cancelled, with the reason, and the error says it: the kill switch, a
    CANCELALLORDERS, a key that is revoked or limited to less, a window that is closed, more than five minutes too late,
    or a bridge that was away until the venue's own time was over. Before that VenueOfflineError says: try again.
    """
    for _ in range(_RACES):
        order = services.orders.get(provenance.trader, message.order_id)
        if order is None and provenance.at < datetime.fromisoformat(message.due) + _WRITTEN_WITHIN:
            raise TemporarilyUnavailableError("The order is not in the table yet.")
        if order is None or not _awaits(order, message):
            # Placed or ended already; or this is the message of a PLACE that was sent again.
            return _not_waiting(order, provenance, message)
        try:
            _check(provenance, message, order, key_is_good=key_is_good)
            _check_venue(services, provenance, order)
            return _release(services, provenance, order)
        except TransactionFailed:
            reason = services.controls.voided(provenance.trader, message.received_at)
            if reason is None:
                continue  # the item was changed meanwhile
            error: OrderhookError = KillSwitchOnError(f"The order was not placed: {reason}.")
        except TemporarilyUnavailableError:
            raise
        except OrderhookError as refusal:
            error = refusal
        if end(services, provenance, order, error.detail):
            raise error
    raise TemporarilyUnavailableError("Other alerts are changing this order.")


def ended_if_void(services: "Services", provenance: Provenance, order: Order) -> Order | None:
    """End an order that waits for its delay, if the kill switch or a CANCELALLORDERS has voided it, and return it.

    Its release would find that out, but a later alert must not be told that it goes on.
    """
    if order.due is None or not order.is_open:
        return None
    reason = services.controls.voided(provenance.trader, str(order.received_at))
    if reason is None:
        return None
    # Not by the alert that found it: neither its resend nor its own repetition must take this for what it asked for.
    signed = provenance._replace(request_id=f"{provenance.request_id}.end", alert_digest=None)
    if ended := end(services, signed, order, reason):
        return ended
    met = services.orders.get(provenance.trader, order.order_id)
    return met if met and met.event_of(signed.request_id) else None


def give_up(services: "Services", provenance: Provenance, message: Release) -> Outcome:
    """End an order whose release was given up as Cancelled, and raise TooLateError, which says so; likewise run twice.

    Returns what has become of one that does not wait any more: its release was done, and nobody heard of it.
    """
    for _ in range(_RACES):
        order = services.orders.get(provenance.trader, message.order_id)
        if order is None or (order.reason != _GIVEN_UP and not _awaits(order, message)):
            return _not_waiting(order, provenance, message)
        if order.reason == _GIVEN_UP or end(services, provenance, order, _GIVEN_UP):
            raise TooLateError(_GIVEN_UP, state=OrderState.CANCELLED, affected_order_ids=(order.order_id,))
    raise TemporarilyUnavailableError("Other alerts are changing this order.")


_GIVEN_UP = (
    "Given up: the order could not be placed when its delay was over, however often it was tried. It is cancelled."
)


def _awaits(order: Order, message: Release) -> bool:
    """Return whether the order still waits for this release: it is open, and not placed by a later PLACE."""
    superseded = order.due != message.due and order.history[0].request_id != message.request_id
    return order.due is not None and order.is_open and not superseded


def _not_waiting(order: Order | None, provenance: Provenance, message: Release) -> Outcome:
    """Return what has become of an order that was placed or has ended; raises OrderNotFoundError for another one."""
    if order is None or order.delay is None:
        raise OrderNotFoundError(
            f"Order '{message.order_id}' does not wait for its delay, so there is nothing to release.",
            field="order_id",
        )
    now = order.at(provenance.now)
    return _outcome(now, "already_cancelled" if now.state is OrderState.CANCELLED else "already_placed")


def end(services: "Services", provenance: Provenance, order: Order, reason: str) -> Order | None:
    """End an order that waits as Cancelled, and return it; None where it has changed meanwhile."""
    event = provenance.event(OrderState.CANCELLED)
    ended = order._replace(
        state=OrderState.CANCELLED,
        since=provenance.now,
        cancelled_at=provenance.now,
        cancel_request_id=provenance.request_id,
        reason=reason[:300],
        due=None,
        history=(*order.history, event),
    )
    return ended if services.orders.rewrite(provenance, order, ended) else None


def _check(provenance: Provenance, message: Release, order: Order, *, key_is_good: bool) -> None:
    if not key_is_good:
        raise InvalidSecretKeyError("The key was revoked while the alert waited for its delay: use another one.")
    limits = provenance.limits
    # A quantity that another key has given since was judged by the limits of that one.
    own_qty = order.qty if order.history[-1].key_id == message.key_id else None
    if limits and (beyond := limits.refusal(account=order.account, instrument=order.instrument, qty=own_qty)):
        raise beyond
    if limits and order.conditions and (beyond := limits.refusal_of_resync(order.conditions.sync)):
        raise beyond
    late = provenance.at - datetime.fromisoformat(str(order.due))
    if late >= RELEASED_WITHIN:
        raise TooLateError(
            f"The order was due at {order.due}, more than {RELEASED_WITHIN.seconds // 60} minutes ago: it is void."
        )
    if message.window is not None:
        start, end_minute, closing = message.window
        TradeWindow(int(start or 0), int(end_minute or 0), closing).check(provenance.at)


def _check_venue(services: "Services", provenance: Provenance, order: Order) -> None:
    """Raise what keeps the order from its venue: VenueOfflineError as long as its release may be tried again."""
    if services.venue.name is None:
        return
    refusal = services.bridge.state(provenance.trader).refusal(provenance.at, order.account)
    if isinstance(refusal, VenueOfflineError):
        too_late = datetime.fromisoformat(str(order.due)) + services.venue.too_late
        if provenance.at >= too_late:
            raise TooLateError(f"The order was not placed until {timestamp(too_late)}: the bridge was away.")
    if refusal:
        raise refusal


def _release(services: "Services", provenance: Provenance, order: Order) -> Outcome:
    venue = services.venue
    released = order._replace(
        state=venue.placed,
        since=provenance.now,
        due=None,
        wanted={},
        released_at=provenance.now,
        day_ends=venue.day_ends(timestamp(end_of_day(provenance.at))) if order.tif == "DAY" else None,
        venue=venue.name,
        want=venue.want(provenance._replace(due=provenance.at), "place"),
        history=(*order.history, provenance.event(venue.placed)),
    )
    legs = [LegTerms.of(name, leg) for name, leg in order.wanted.items()]
    entry = Entry(released, legs, order.template, named=order.strategy_id is not None)
    checks = [services.controls.allows_release(provenance.trader, str(order.received_at))]
    placed = place_entry(services, provenance, entry, waiting=order, checks=checks)
    return _outcome(placed.order, placed_word(placed.order))


def _outcome(order: Order, status: str) -> Outcome:
    return Outcome.of(order, status, legs=open_legs(order) or None)
