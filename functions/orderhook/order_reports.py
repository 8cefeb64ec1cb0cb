"""What a report of a venue makes of an order: plain data and pure functions. Fills are facts, whatever its state."""

from collections.abc import Container, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from orderhook.leg_prices import prices_from_offsets, with_bounds
from orderhook.orders import OPEN, PRICES, TERMINAL, TRANSITIONS, Leg, LegEnd, Order, OrderState, Want, decimal_text
from orderhook.provenance import Provenance
from orderhook.relative_prices import read_offsets
from orderhook.trade import kind_of, oco_group, view_of_leg
from orderhook.venues import NINJATRADER

if TYPE_CHECKING:
    from orderhook.bridge_messages import Made, OrderReport

LONGEST_REASON = 500
"""Nothing in an item grows without bound: NinjaTrader's log says what it likes."""


_ASKED = frozenset({OrderState.CHANGE_PENDING, OrderState.CANCEL_PENDING})
"""What a command has asked of a venue and no report has answered; only the answer, or the order's end, ends it."""


class Report(NamedTuple):
    """A snapshot of an order as the venue has it; `seq` tells an older one from a newer one."""

    state: OrderState
    filled: int
    average: Decimal | None = None
    seq: int | None = None
    reason: str | None = None
    acked: int = 0
    """The want that it answers."""
    values: Mapping[str, str] = MappingProxyType({})
    """What the venue has confirmed: the kind, the quantity and all prices, or nothing."""
    unresolved: str | None = None
    dropped: int = 0
    """The last want that the venue has not done, and will not do."""
    alarms: str | None = None
    """What somebody should look at, by the bridge's words for it."""

    @classmethod
    def of(cls, said: "OrderReport") -> "Report":
        """Return what a bridge's message says of its order."""
        told = (said.reason, said.unresolved, ", ".join(said.alarms) or None)
        reason, unresolved, alarms = (text and text[:LONGEST_REASON] for text in told)
        answer = said.acked, said.values, unresolved, said.dropped
        return cls(said.state, said.filled, said.average, said.seq, reason, *answer, alarms)

    @property
    def alarm(self) -> Mapping[str, str]:
        """What of it rang, as a history has it."""
        return {"alarm": self.alarms} if self.alarms else {}


def made_order(placing: Provenance, order_id: str, made: "Made") -> Order:
    """Return an order that a bridge has made itself, as it was before anything came of it.

    Where it comes from is its placing, so that its reports find it.
    """
    values = {"qty": str(made.qty), "order_type": made.order_type, "tif": made.tif}
    prices = {name: decimal_text(price) for name in PRICES if (price := getattr(made, name)) is not None}
    return Order(
        order_id=order_id,
        account=made.account,
        instrument=made.instrument,
        action=made.action,
        qty=made.qty,
        order_type=made.order_type,
        tif=made.tif,
        state=OrderState.INITIALIZED,
        since=placing.now,
        limit_price=made.limit_price,
        stop_price=made.stop_price,
        oco_id=made.oco_id,
        strategy_id=made.strategy_id,
        received_at=made.received_at,
        venue=NINJATRADER.name,
        want=Want(1, "place", made.received_at),
        made_by=made.by,
        history=(placing.event(OrderState.INITIALIZED, values | prices),),
    )


def working_prices(entry: Order, name: str, leg: Leg) -> dict[str, Decimal]:
    """Return the prices that a leg gets from its entry's; none where an order cannot work at them."""
    prices = prices_from_offsets(entry, name, leg)
    return prices if all(price > 0 for price in prices.values()) else {}


def released_leg(provenance: Provenance, entry: Order, name: str, qty: int) -> Order:
    """Return a leg that waited in its entry's item as an order of its own, for this quantity."""
    # What was asked of it while it waited goes on, though its entry may have ended before this fill was heard of.
    leg = view_of_leg(entry._replace(state=OrderState.WORKING), name, entry.legs[name]._replace(end=None))
    prices = working_prices(entry, name, entry.legs[name])
    state = leg.state
    if entry.venue is None and (leg.offset is None or prices):
        # Without a price nothing can work: it is an order that can be cancelled and changed, and waits for its price.
        state = OrderState.WORKING
    own = [event for event in entry.history if event.leg == name]
    return leg._replace(
        qty=qty,
        closes=qty,
        state=state,
        since=provenance.now,
        cancelled_at=None,
        reason=None,
        released_at=provenance.now,
        want=(leg.want or Want(1, "place", leg.received_at or provenance.now)) if entry.venue else None,
        # One that comes alone has a group too: a partner that is added later cannot give it one in its own item.
        oco_id=leg.oco_id or (None if entry.template else oco_group(entry)),
        # What it was given while it waited goes with it: a resend of that is known by it.
        history=(*own, provenance.event(state, {"qty": str(qty)})),
        digests=tuple(event.digest for event in own if event.digest),
        **prices,  # type: ignore[arg-type]
    )


def works_again(leg: Order) -> bool:
    """Return whether a further fill of its entry has a finished leg work again, which at a venue is a further order.

    One that its trader has cancelled does not, filled or not, nor one that came with a change which was not done.
    """
    if leg.venue is None or leg.entry_id is None or leg.state not in TERMINAL:
        return False
    is_dropped = leg.want is not None and leg.dropped >= leg.want.n
    was_cancelled = leg.want is not None and leg.want.kind == "cancel" and not is_dropped
    # What was at the venue has had its quantity confirmed, which a bridge does not say of a leg that it never placed.
    never_was_there = is_dropped and "qty" not in leg.confirmed
    return not (never_was_there or was_cancelled)


def working_again(provenance: Provenance, leg: Order, qty: int) -> Order:
    """Return a finished leg as a further fill of its entry has it work again, for this quantity in all."""
    event = provenance.event(OrderState.INITIALIZED, {"qty": str(qty)})
    return leg._replace(
        qty=qty,
        closes=qty,
        state=OrderState.INITIALIZED,
        since=provenance.now,
        cancelled_at=None,
        reason=None,
        history=(*leg.history, event),
    )


def missing_stops(before: Order, after: Order, closed: Container[str]) -> tuple[str, ...]:
    """Return the stops that a fill of their entry reaches and that were ended by themselves."""
    return tuple(
        name
        for name, leg in after.legs.items()
        if kind_of(name) == "STOP"
        and (leg.end or name in closed)
        and leg.share(after.filled) > leg.share(before.filled)
    )


def reported_waiting(provenance: Provenance, entry: Order, name: str, report: Report) -> tuple[Order, Order | None]:
    """Return an entry after the report of a leg that waits in its item, and the leg where that has it released.

    A bridge answers at once what is asked of a leg that it has not placed. It places one by its entry's fill alone, so
    that anything else which it says of a leg tells of a fill whose own report is still on its way.
    """
    leg = entry.legs[name]
    rung = provenance.event(None, report.alarm, leg=name)
    is_heard = not report.alarms or entry.event_of(provenance.request_id) is not None
    heard = entry if is_heard else entry._replace(history=(*entry.history, rung))
    if report.state is OrderState.INITIALIZED and not (report.filled or report.unresolved):
        return _answered_waiting(provenance, heard, name, report), None
    if leg.end and not report.filled:
        return heard, None
    # One that a change of its entry was to add, or to give anew, ends where that was not done.
    cancels = leg.want is not None and (leg.want.kind == "cancel" or report.dropped >= leg.want.n)
    if cancels and report.state is OrderState.CANCELLED and not report.filled:
        end = LegEnd(OrderState.CANCELLED, provenance.now, provenance.request_id, provenance.key_id)
        leg = leg._replace(end=end, acked=max(leg.acked, report.acked))
        history = (*heard.history, provenance.event(None, leg=name))
        return with_bounds(heard._replace(legs={**entry.legs, name: leg}, history=history)), None
    if report.state is OrderState.CANCELLED and not (report.filled or report.values or report.unresolved):
        # It never was at the venue, and ends with its entry: a late fill of that releases it for what is filled.
        return _answered_waiting(provenance, heard, name, report), None
    qty = max(report.filled, int(report.values.get("qty", 0)), leg.share(entry.filled)) or leg.share(entry.qty)
    released = released_leg(provenance._replace(request_id=f"{provenance.request_id}.release"), entry, name, qty)
    entry = entry._replace(legs={**entry.legs, name: leg._replace(released=True, end=None)})
    return entry, reported(released, report, provenance) or released


def _answered_waiting(provenance: Provenance, entry: Order, name: str, report: Report) -> Order:
    """Return an entry after the answer to what was asked of a leg that waits in its item.

    What was dropped with a change of the entry is what it was: the bridge, which would place the leg, says it.
    """
    leg = entry.legs[name]
    if report.acked <= leg.acked:
        return entry
    leg = leg._replace(acked=report.acked)
    is_dropped = leg.want is not None and report.acked >= leg.want.n and report.dropped >= leg.want.n
    if not (is_dropped and report.values):
        return entry._replace(legs={**entry.legs, name: leg})
    prices = {it: Decimal(report.values[it]) if it in report.values else None for it in PRICES}
    offsets = read_offsets(report.values)
    leg = leg._replace(order_type=report.values["order_type"], **prices, **offsets._asdict())  # type: ignore[arg-type]
    told = {it: report.values[it] for it in PRICES if it in report.values} | offsets.texts
    told |= {"reason": report.reason or "dropped"}
    history = (*entry.history, provenance.event(None, told, leg=name))
    return with_bounds(entry._replace(legs={**entry.legs, name: leg}, history=history))


def reported(order: Order, report: Report, provenance: Provenance) -> Order | None:
    """Return an order after a report; None where the report says nothing that is not known.

    While what was asked last of its venue is not answered, an order keeps its state and the values asked for, unless
    the report ends it. Otherwise its values are those that the venue has confirmed.
    """
    if order.event_of(provenance.request_id) is not None:
        return None
    newer = report.seq is None or order.report_seq is None or report.seq > order.report_seq
    more = report.filled > order.filled
    learns_average = order.average is None and report.average is not None and report.filled == order.filled > 0
    after = order
    changes: dict[str, str] = {}
    if more or learns_average:
        average = report.average if report.average is not None else order.average
        after = after._replace(filled=report.filled, average=average)
        changes |= {"filled": str(report.filled)} if more else {}
        changes |= {} if report.average is None else {"average": decimal_text(report.average)}
    if more and order.state in TERMINAL:
        after = after._replace(filled_after_end=report.filled)
    moves = newer and _moves(order, report, more=more)
    if newer and (order.is_open or moves):
        after, told = _told(after, report, moves=moves)
        changes |= told
    if moves:
        cancelled_at = provenance.now if report.state is OrderState.CANCELLED else None
        after = after._replace(state=report.state, since=provenance.now, cancelled_at=cancelled_at)
    changes |= report.alarm
    if newer and report.seq is not None:
        # It stays whatever else was known, or an older report could undo it.
        after = after._replace(report_seq=report.seq)
    if (after is order or after == order) and not report.alarms:
        return None
    if not (more or learns_average or moves or changes):
        return after
    event = provenance.event(report.state if moves else None, changes)
    return after._replace(history=(*order.history, event))


def _moves(order: Order, report: Report, *, more: bool) -> bool:
    """Return whether the latest report of an order gives it its state."""
    if report.state in OPEN and works_again(order):
        return True
    asked = order.want if order.state in _ASKED else None
    if asked and report.acked < asked.n and report.state not in TERMINAL:
        return False
    if report.state is order.state:
        return more and report.state is OrderState.PART_FILLED
    # What is answered before its venue knew it goes back to where it was.
    unknown_there = asked is not None and report.state in (OrderState.INITIALIZED, OrderState.SUBMITTED)
    # A leg of which nothing works waits for a further fill of its entry.
    waits = order.is_open and order.entry_id is not None and report.state is OrderState.INITIALIZED
    return unknown_there or waits or report.state in TRANSITIONS[order.state]


def _told(order: Order, report: Report, *, moves: bool) -> tuple[Order, dict[str, str]]:
    """Return an order with what the latest report says of it besides its state and its fills, and what is new."""
    ends = report.state in TERMINAL and moves
    changes: dict[str, str] = {}
    after = order._replace(
        acked=max(order.acked, report.acked),
        dropped=max(order.dropped, report.dropped),
        confirmed=dict(report.values) or order.confirmed,
        unresolved=None if ends else report.unresolved,
        reason=report.reason if moves else report.reason or order.reason,
    )
    answered = order.want is None or after.acked >= order.want.n
    dropped = order.want is not None and report.dropped >= order.want.n
    if dropped and order.want and order.want.cancels_at is not None:
        after = after._replace(cancels_at=order.want.cancels_at or None)
        changes["cancels_at"] = order.want.cancels_at or "none"
    if answered and order.want and order.want.cancels_at is not None:
        after = after._replace(want=order.want._replace(cancels_at=None))
    if (answered and (report.values or dropped)) or (ends and not answered):
        confirmed = _confirmed(after)
        changes |= {name: after.confirmed.get(name, str(value)) for name, value in confirmed.items()}
        after = after._replace(**confirmed)  # type: ignore[arg-type]
    if after.unresolved != order.unresolved:
        changes["unresolved"] = after.unresolved or "no"
    if report.reason and (moves or report.reason != order.reason):
        changes["reason"] = report.reason
    return after, changes


def _confirmed(order: Order) -> dict[str, int | str | Decimal | None]:
    """Return the fields of an order that its venue has otherwise: what was asked for was not done, or done otherwise.

    The quantity of a leg follows from its entry's fills; at the venue it may be in several orders.
    """
    confirmed = order.confirmed
    values: dict[str, int | str | Decimal | None] = {
        name: confirmed[name] for name in ("order_type", "tif") if name in confirmed
    }
    if "qty" in confirmed and order.entry_id is None:
        values["qty"] = int(confirmed["qty"])
    if confirmed.keys() & {"order_type", *PRICES}:
        values |= {name: Decimal(confirmed[name]) if name in confirmed else None for name in PRICES}
    return {name: value for name, value in values.items() if value != getattr(order, name)}
