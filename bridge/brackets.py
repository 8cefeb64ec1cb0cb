"""The targets and stops of an entry at the venue: one OCO pair for every part of it that is filled, and bracket.

They follow from the fills in the journal alone, without a look at the table: the stop at once, the target once the stop
lives. What a pair should have is worked out from its fills, at every step anew.
"""

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from bridge import oif
from bridge.cancelling import answer_refused, ask_cancel
from bridge.carrying_out import at_venue, place
from bridge.changing import Goal, give_up, may_change, write_change
from bridge.records import PRICE_DIGITS, Increment, TableOrder, VenueOrder, filled
from bridge.state import Turn
from orderhook.leg_prices import is_beyond
from orderhook.orders import Action, OrderState, decimal_text
from orderhook.trade import kind_of

_STOP_IS_SEEN = timedelta(seconds=5)
"""Until when a stop must have had a state: nobody knows whether it is there before."""

PARTNER_ENDS = timedelta(seconds=2)
"""How long NinjaTrader has to end the partner of a leg that has filled."""


_CLOSED = "its part is closed"
"""Why what works of a part is cancelled when there is nothing left that it could close."""


class Part(NamedTuple):
    """What one bracket closes of one increment of an entry, and with what."""

    entry: TableOrder
    number: str
    increment: Increment
    qty: int
    stop: TableOrder | None
    target: TableOrder | None
    stops: list[VenueOrder]
    targets: list[VenueOrder]
    close: VenueOrder | None

    @property
    def all(self) -> list[VenueOrder]:
        """All that it has at the venue."""
        return [*self.stops, *self.targets, *([self.close] if self.close else [])]

    @property
    def rest(self) -> int:
        """What of it its legs are still to close."""
        return self.qty - filled(self.all) - self.increment.closed.get(self.number, 0)


def keep(turn: Turn, entry: TableOrder) -> None:
    """Take the next step for the legs of what is filled of an entry."""
    if entry.is_foreign or entry.closing:
        return
    for part in parts_of(turn, entry):
        _keep_part(turn, part)


def parts_of(turn: Turn, entry: TableOrder) -> list[Part]:
    """Return the parts of an entry that its legs close, oldest first."""
    legs = {str(leg.leg): leg for leg in turn.legs_of(entry)}
    numbers = sorted({name.removeprefix(kind_of(name)) for name in legs}, key=int)
    return [
        part
        for increment in entry.increments[entry.over :]
        for number in numbers
        if (part := _part(turn, entry, increment, number, legs.get(f"STOP{number}"), legs.get(f"TARGET{number}"))).qty
    ]


def _part(
    turn: Turn,
    entry: TableOrder,
    increment: Increment,
    number: str,
    stop: TableOrder | None,
    target: TableOrder | None,
) -> Part:
    leg = stop or target
    end = increment.start + increment.quantity
    qty = leg.share(end) - leg.share(increment.start) if leg else 0
    stops = _at_venue(turn, stop, increment)
    close = next((it for it in stops if it.closes), None)
    stops = [it for it in stops if not it.closes]
    return Part(entry, number, increment, qty, stop, target, stops, _at_venue(turn, target, increment), close)


def _at_venue(turn: Turn, leg: TableOrder | None, increment: Increment) -> list[VenueOrder]:
    return [it for it in turn.venue_orders_of(leg) if it.start == increment.start] if leg else []


def cancel_by_name(turn: Turn, leg: TableOrder) -> None:
    """Cancel all that a leg has at the venue; of another journal's, what it may have there until that is answered."""
    is_over = leg.is_foreign and (leg.acked >= leg.n or waits_for_fill(turn, leg))
    for order in turn.venue_orders_of(leg):
        if order.state or not (is_over or (leg.is_foreign and order.closes)):
            ask_cancel(turn, order, "cancelled", leg.n)
    answer_refused(turn, leg)


def waits_for_fill(turn: Turn, leg: TableOrder) -> bool:
    """Return whether a leg of another journal waits: its entry is seen, and nothing is filled of it."""
    entry = turn.orders.get(leg.entry_id or "")
    seen = [it for it in turn.venue_orders_of(entry) if it.state] if entry and not leg.is_released else []
    return bool(seen) and not any(it.filled for it in seen)


def is_wanted(leg: TableOrder | None) -> bool:
    """Return whether a leg is there, and was not ended by itself."""
    return leg is not None and not leg.ended and not leg.wants_cancel


def last_of(orders: list[VenueOrder]) -> VenueOrder | None:
    """Return the last order of a leg, unless NinjaTrader has never had it."""
    return orders[-1] if orders and not orders[-1].is_unwritten else None


def _keep_part(turn: Turn, part: Part) -> None:
    if part.rest <= 0:
        _end_leftovers(turn, part)
    elif part.close is not None and not part.close.is_unwritten:
        if part.close.is_over:
            what = f"the order that was to close {part.rest} is {part.close.state}"
            _alarm(turn, part, "unprotected", what, part.close)
    elif _keep_stop(turn, part):
        _keep_target(turn, part)


def _end_leftovers(turn: Turn, part: Part) -> None:
    """Cancel what still works of a pair that has closed its part, if NinjaTrader has not done so itself."""
    if filled(part.all) > part.qty:
        _alarm(turn, part, "overfill", "its legs have closed more than was filled")
    filled_at = max((fill.at for order in part.all for fill in order.fills), default=turn.at)
    groups = {order.oco_id for order in part.all if order.fills and order.oco_id}
    for order in part.all:
        # NinjaTrader ends no order of another group, or of none.
        if order.oco_id not in groups or turn.at - filled_at >= PARTNER_ENDS:
            ask_cancel(turn, order, _CLOSED)


# The stop


def _keep_stop(turn: Turn, part: Part) -> bool:
    """Take the next step for the stop; returns whether the target may follow."""
    stop, last = part.stop, last_of(part.stops)
    if stop is None or not is_wanted(stop):
        if last is None or last.is_over:
            return True
        _await(turn, part.target)
        return False
    if last is None:
        _await(turn, stop, part.target)
        _place_stop(turn, part, stop)
        return False
    if last.state is OrderState.REJECTED:
        _close(turn, part, stop, "stop_rejected", last.log or "NinjaTrader has rejected it")
        return False
    if last.is_over:
        return _keep_ended_stop(turn, part, stop, last)
    if last.state is None:
        if last.place is not None and (
            last.place.stage in ("ambiguous", "unread") or turn.at - last.place.at >= _STOP_IS_SEEN
        ):
            _alarm(turn, part, "unprotected", f"nobody knows whether the stop {last.venue_id} is at the venue", last)
        _await(turn, part.target)
        return False
    _change(turn, part, stop, last)
    return True


def _keep_ended_stop(turn: Turn, part: Part, stop: TableOrder, last: VenueOrder) -> bool:
    """Place a stop again that NinjaTrader has ended with its target; a person's cancel stays."""
    target = last_of(part.targets)
    if _is_given_anew(stop, last) or _ended_as_closed(last):
        _await(turn, stop, part.target)
        _place_stop(turn, part, stop)
        return False
    if _took_partner_along(part.target, target) and _was_cancelled(last):
        _await(turn, stop)
        if target is None or target.is_over:
            _place_stop(turn, part, stop)
        elif target.is_lost:
            why = f"the stop {last.venue_id} has ended, and nobody knows whether its target {target.venue_id} has"
            _alarm(turn, part, "unprotected", why, last)
        return False
    if _waits_for_partner(turn, last, target):
        _await(turn, stop)
        return False
    _alarm(turn, part, "unprotected", f"the stop {last.venue_id} is {last.state}, with {part.rest} open", last)
    _drop_change(turn, stop, last)
    return True


def _waits_for_partner(turn: Turn, ended: VenueOrder, partner: VenueOrder | None) -> bool:
    """Return whether the partner that may have ended an order is about to be read: the files come in any order."""
    if partner is None or partner.is_over or partner.oco_id != ended.oco_id or not _was_cancelled(ended):
        return False
    return ended.since is not None and turn.at - ended.since < PARTNER_ENDS


def _is_given_anew(leg: TableOrder, order: VenueOrder) -> bool:
    """Return whether a leg that was cancelled by name was given anew with its entry, whose fill was not known then."""
    was_asked = order.cancel is not None and order.cancel.n > 0 and not order.cancel.is_refused
    return was_asked and leg.kind != "cancel" and order.state is OrderState.CANCELLED


def _ended_as_closed(order: VenueOrder) -> bool:
    """Return whether an order was ended because another one was to close its part, which did not."""
    return order.state is OrderState.CANCELLED and order.cancel is not None and order.cancel.why == _CLOSED


def _was_cancelled(order: VenueOrder) -> bool:
    """Return whether NinjaTrader may have ended an order with its partner; a person's word of it is another thing."""
    return order.state is OrderState.CANCELLED and order.oco_id is not None and not order.is_presumed_over


def _took_partner_along(partner: TableOrder | None, order: VenueOrder | None) -> bool:
    """Return whether a leg was ended by name or rejected, so that NinjaTrader has ended the other one with it."""
    if partner is None or order is None:
        return False
    return not is_wanted(partner) or order.state is OrderState.REJECTED


def _place_stop(turn: Turn, part: Part, stop: TableOrder) -> None:
    prices = prices_of(turn, part.entry, stop)
    if prices is None:
        _alarm(turn, part, "unprotected", f"nobody knows a price above 0 for {stop.leg}, which counts from the fill")
    elif not _is_moved(part, stop) and _is_on_wrong_side(part, stop, prices):
        _close(turn, part, stop, "stop_on_wrong_side", f"{prices.stop_price} is not beyond the fill")
    elif turn.may_write:
        _place(turn, part, stop, part.stops, prices, _oco_id(part, part.targets))
    elif turn.at - part.increment.at >= _STOP_IS_SEEN:
        _alarm(turn, part, "unprotected", "its stop cannot be sent: no file would be read")


def _is_moved(part: Part, stop: TableOrder) -> bool:
    """Return whether a stop has worked for its part, or was moved since the fill: then it may be in profit."""
    was_changed = stop.wanted_at is not None and stop.wanted_at > part.increment.at
    return was_changed or any(not it.is_unwritten for it in part.stops)


def _close(turn: Turn, part: Part, stop: TableOrder, code: str, why: str) -> None:
    """Close a part whose stop cannot work by one opposite MARKET order, once its target has ended."""
    _alarm(turn, part, code, why)
    if turn.config.stop_rejected == "alarm":
        if (last := last_of(part.stops)) is not None:
            _drop_change(turn, stop, last)
        return
    _await(turn, stop)
    for order in part.targets:
        ask_cancel(turn, order, code)
    may_retry = part.close is None or not part.close.is_held(turn.at)
    if turn.may_write and may_retry and not any(it.may_work for it in part.targets):
        venue_id = oif.venue_id(stop.placed_by, 1, f"CLOSE{part.number}", part.increment.start)
        close = at_venue(turn, stop._replace(order_type="MARKET", limit_price=None, stop_price=None), venue_id)
        place(turn, stop, close._replace(tif="GTC", qty=part.rest, start=part.increment.start, closes=True))


# The target


def _keep_target(turn: Turn, part: Part) -> None:
    target, last = part.target, last_of(part.targets)
    if target is None or not is_wanted(target):
        return
    stop = last_of(part.stops)
    if last is None:
        _place_target(turn, part, target)
    elif last.is_live:
        _change(turn, part, target, last)
    elif last.state is OrderState.REJECTED:
        _alarm(turn, part, "target_rejected", last.log or "NinjaTrader has rejected it", last)
        _drop_change(turn, target, last)
    elif (
        _is_given_anew(target, last)
        or _ended_as_closed(last)
        or (_was_cancelled(last) and _took_partner_along(part.stop, stop))
    ):
        # NinjaTrader has ended it with its stop, which was cancelled by name.
        _place_target(turn, part, target)
    elif last.is_over:
        _drop_change(turn, target, last)


def _place_target(turn: Turn, part: Part, target: TableOrder) -> None:
    prices = prices_of(turn, part.entry, target)
    if prices is None:
        _alarm(
            turn, part, "target_not_sent", f"nobody knows a price above 0 for {target.leg}, which counts from the fill"
        )
    elif not part.targets and _is_on_wrong_side(part, target, prices):
        _alarm(turn, part, "target_not_sent", f"{prices.limit_price} is not beyond the fill")
    else:
        _await(turn, target)
        if turn.may_write:
            _place(turn, part, target, part.targets, prices, _oco_id(part, part.stops))


# Both


def _oco_id(part: Part, partners: list[VenueOrder]) -> str | None:
    """Return the OCO id for a leg: that of a partner that works, a new one for the first of a pair, else none.

    A leg that comes alone has a group too, for a partner that is added later. An OCO id is never taken twice.
    """
    partner = last_of(partners)
    if partner is not None and partner.is_live and not partner.awaits_cancel:
        return partner.oco_id
    if any(not it.is_unwritten for it in part.all):
        return None
    return oif.venue_id(part.entry.placed_by, "OCO", part.number, part.increment.start)


def _venue_id(part: Part, leg: TableOrder, generation: int) -> str:
    """Return a leg's id at the venue: by its entry's placing, or its own where the bridge has made it."""
    if part.entry.is_position:
        return oif.venue_id(leg.placed_by, generation)
    return oif.venue_id(part.entry.placed_by, generation, str(leg.leg), part.increment.start)


class Prices(NamedTuple):
    """Where a leg is to work."""

    limit_price: Decimal | None
    stop_price: Decimal | None


def prices_of(turn: Turn, entry: TableOrder, leg: TableOrder) -> Prices | None:
    """Return the prices of a leg; None where it counts from a fill whose price nobody knows, or would not be above 0.

    An offset counts from the average at the entry's first fill, for all its parts.
    """
    if leg.offset is None or leg.limit_price is not None or leg.stop_price is not None:
        return Prices(leg.limit_price, leg.stop_price)
    first = entry.increments[0].price if entry.increments else None
    basis = next((price for price in (first, entry.limit_price, entry.stop_price) if price is not None), None)
    if basis is None:
        return None
    distances = [it if _is_above(entry, leg) else -it for it in (leg.offset, leg.limit_offset) if it is not None]
    made = [price_from(turn, entry.instrument, basis, it, in_percent=leg.in_percent) for it in distances]
    if min(made) <= 0:
        return None
    price, *limit = made
    return Prices(price, None) if _is_target(leg) else Prices(limit[0] if limit else None, price)


def price_from(turn: Turn, instrument: str, basis: Decimal, distance: Decimal, *, in_percent: bool) -> Decimal:
    """Return the price at a distance from another one, in points or percent of that, to the nearest tick if known."""
    price = basis + (basis * distance / 100 if in_percent else distance)
    tick = turn.config.tick_of(instrument)
    if tick is None:
        return Decimal(decimal_text(price.quantize(PRICE_DIGITS, ROUND_HALF_UP)))
    return (price / tick).quantize(Decimal(1), ROUND_HALF_UP) * tick


def _is_above(entry: TableOrder, leg: TableOrder) -> bool:
    return _is_target(leg) == (entry.action == "BUY")


def _is_on_wrong_side(part: Part, leg: TableOrder, prices: Prices) -> bool:
    """Return whether a leg would close its part at once: a long's stop is not below the fill, its target not above."""
    fill, price = part.increment.price, prices.limit_price if _is_target(leg) else prices.stop_price
    if fill is None or price is None:
        return False
    side: Action = "BUY" if _is_above(part.entry, leg) else "SELL"
    return not is_beyond(side, price, fill)


def _is_target(leg: TableOrder) -> bool:
    return kind_of(str(leg.leg)) == "TARGET"


def _place(
    turn: Turn, part: Part, leg: TableOrder, before: list[VenueOrder], prices: Prices, oco_id: str | None
) -> None:
    """Place a leg for its part, the first time or again; one that could not be written keeps its id."""
    last = before[-1] if before else None
    if last is not None and last.is_held(turn.at):
        return
    generation = 1 if last is None else last.generation + (not last.is_unwritten)
    start = part.increment.start
    priced = leg._replace(limit_price=prices.limit_price, stop_price=prices.stop_price)
    venue_order = at_venue(turn, priced, _venue_id(part, leg, generation))
    place(
        turn,
        leg,
        venue_order._replace(tif="GTC", qty=part.rest, oco_id=oco_id, generation=generation, start=start),
    )


def _change(turn: Turn, part: Part, leg: TableOrder, order: VenueOrder) -> None:
    """Give a leg that works the prices that are wanted, and the quantity that is left of its part."""
    prices = prices_of(turn, part.entry, leg)
    if prices is None:
        return
    goal = Goal(order.filled + part.rest, *prices)
    if turn.may_write and may_change(turn, order, goal):
        write_change(turn, leg, order, goal)


def _drop_change(turn: Turn, leg: TableOrder, ended: VenueOrder) -> None:
    """Drop a change of a leg of which nothing works, because NinjaTrader has ended it with its part open."""
    leg = turn.orders[leg.order_id]
    is_asked = leg.acked < leg.n and leg.asked is None and leg.kind in ("change", "replace")
    if is_asked and not any(it.may_work for it in turn.venue_orders_of(leg)):
        why = f"it is {ended.state} in NinjaTrader, with its part open: place another order there, or close"
        give_up(turn, leg, ended, why)


def _await(turn: Turn, *legs: TableOrder | None) -> None:
    """Say that these legs are still to be placed, so that they are not at their end."""
    turn.awaiting.update(leg.order_id for leg in legs if leg is not None and is_wanted(leg))


def _alarm(turn: Turn, part: Part, code: str, detail: str, order: VenueOrder | None = None) -> None:
    """Alarm once for each part of an entry and, where it is one's, state of an order."""
    leg = part.target if code.startswith("target") else part.stop
    order_id = leg.order_id if leg else part.entry.order_id
    what = f"{order.venue_id} {order.state}" if order else len(part.stops)
    turn.alarm_once(order_id, code, detail, of=f"{part.number} {part.increment.start} {what}")
