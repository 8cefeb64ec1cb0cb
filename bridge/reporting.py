"""Snapshots of orders for the cloud: sent whenever one says something new."""

from collections.abc import Mapping
from decimal import Decimal

from bridge.brackets import is_wanted, prices_of, waits_for_fill
from bridge.carrying_out import ENOUGH, filled_of, is_as_wanted, is_being_replaced, is_ended_as_enough, latest
from bridge.confirming import unresolved_of
from bridge.events import SendReport
from bridge.making import told_of
from bridge.records import PRICE_DIGITS, TableOrder, VenueOrder, filled
from bridge.state import Turn
from orderhook.bridge_messages import Execution, OrderReport
from orderhook.orders import BEING_CANCELLED, TERMINAL, OrderState, decimal_text, timestamp
from orderhook.relative_prices import Offsets
from orderhook.trade import kind_of

_S = OrderState


def report(turn: Turn, order: TableOrder) -> None:
    """Send a snapshot of an order if it differs from the last one."""
    order = turn.orders[order.order_id]
    if order.is_foreign and not turn.owns:
        # What another journal has placed is told by its own bridge, and judged by the one that owns the stack.
        return
    state = _state_of(turn, order)
    if _is_answered(turn, order, state):
        order = order._replace(acked=order.n)
    known = turn.venue_orders_of(order)
    last = order.report
    snapshot = OrderReport(
        order_id=order.order_id,
        placed_by=order.placed_by,
        state=state,
        filled=filled(known),
        seq=1 if last is None else last.seq,
        acked=order.acked,
        average=_average(known),
        values=_values(turn, order, known),
        reason=order.why or _why_ended(turn, order, known, state),
        unresolved=unresolved_of(turn, order),
        venue_ids=tuple(order.venue_ids),
        executions=_executions(order, known),
        alarms=order.alarms,
        dropped=order.given_up,
        made=told_of(turn, order),
    )
    if order.placed_by and _says_more(turn, order, snapshot):
        now = int(turn.at.timestamp() * 1000)
        snapshot = snapshot._replace(seq=now if last is None else max(last.seq + 1, now))
        order = order._replace(report=snapshot, reported_at=turn.at, alarms=())
        turn.ask(SendReport(snapshot))
    if order != turn.orders[order.order_id]:
        turn.put(order)


def _says_more(turn: Turn, order: TableOrder, snapshot: OrderReport) -> bool:
    if _ends_with_entry(turn, order, snapshot):
        return False
    last = order.report
    if last is not None:
        kept = last._replace(executions=snapshot.executions, alarms=())
        return snapshot != kept
    says_nothing = snapshot.state is order.table_state or snapshot.state is _S.INITIALIZED
    if order.leg and not (order.venue_ids or order.acked or _share(turn, order)):
        # It waits in its entry's item, and ends with that.
        return False
    # Of a made one the table knows nothing before its first report.
    return (
        not says_nothing
        or order.made_by is not None
        or bool(snapshot.acked or snapshot.filled or snapshot.unresolved or snapshot.alarms)
    )


def _ends_with_entry(turn: Turn, order: TableOrder, snapshot: OrderReport) -> bool:
    """Return whether an order is a leg that ends in its entry's item, because nothing was filled for it."""
    was_there = order.leg is None or order.venue_ids or _share(turn, order)
    is_dropped = snapshot.dropped >= order.n > 0
    return not (was_there or is_dropped) and is_wanted(order) and snapshot.state in TERMINAL


# State


def _state_of(turn: Turn, order: TableOrder) -> OrderState:
    if order.leg:
        return _state_of_leg(turn, order)
    if order.ended:
        return order.ended
    if order.is_foreign:
        seen = [it for it in turn.venue_orders_of(order) if it.state]
        return seen[-1].state or order.table_state if seen else order.table_state
    current = latest(turn, order)
    if current is None or current.state is None:
        return _S.CHANGE_PENDING if len(order.venue_ids) > 1 else _S.INITIALIZED
    if is_being_replaced(turn, order):
        return _S.CHANGE_PENDING
    if current.state is _S.CANCELLED and filled_of(turn, order) == order.qty:
        # A change to the filled quantity is carried out by a cancel.
        return _S.FILLED
    return current.state


def _state_of_leg(turn: Turn, leg: TableOrder) -> OrderState:
    known = turn.venue_orders_of(leg)
    done = filled(known)
    live = [it for it in known if it.may_work]
    if leg.is_foreign and not leg.ended:
        return _state_of_foreign_leg(turn, leg, known)
    if live:
        return _state_of_live_leg(leg, known, live)
    if not is_wanted(leg) and leg.asked is None:
        # A fill that has overtaken its cancel counts, unless the cancel keeps it from what its entry still fills.
        is_whole = done > 0 and done >= _own_share(turn, leg) and not _may_grow(turn, leg)
        return _S.FILLED if is_whole else leg.ended or _S.CANCELLED
    if leg.order_id in turn.awaiting or _may_grow(turn, leg):
        return _S.PART_FILLED if done else _S.INITIALIZED
    if done and done >= _own_share(turn, leg):
        return _S.FILLED
    return _S.REJECTED if known and all(it.state is _S.REJECTED for it in known) else _S.CANCELLED


def _state_of_live_leg(leg: TableOrder, known: list[VenueOrder], live: list[VenueOrder]) -> OrderState:
    """Return the state of a leg that has living orders at the venue, one for each part that it closes."""
    # One that ends although nobody asked is ended by its partner's end, and is placed again: the leg goes on.
    ends = BEING_CANCELLED if is_wanted(leg) else frozenset[_S]()
    states = [_S.ACCEPTED if it.state in ends else it.state for it in live if it.state]
    if len(states) == 1 and len(known) == 1:
        return states[0]
    if any(it.filled for it in known):
        return _S.PART_FILLED
    if _S.WORKING in states:
        return _S.WORKING
    return states[0] if states else _S.INITIALIZED


def _state_of_foreign_leg(turn: Turn, leg: TableOrder, known: list[VenueOrder]) -> OrderState:
    seen = [it.state for it in known if it.state]
    live = [it.state for it in known if it.state and it.is_live]
    done = filled(known)
    if live:
        return _S.PART_FILLED if done else _S.WORKING if _S.WORKING in live else live[-1]
    if not seen:
        # A leg without fills was never placed.
        return _S.CANCELLED if leg.wants_cancel and waits_for_fill(turn, leg) else leg.table_state
    if done:
        return _S.FILLED if done >= leg.qty else _S.CANCELLED if _S.CANCELLED in seen else _S.PART_FILLED
    return seen[-1]


def _share(turn: Turn, leg: TableOrder) -> int:
    """Return what is filled of the entry for a leg."""
    entry = turn.orders.get(leg.entry_id or "")
    return leg.share(sum(it.quantity for it in entry.increments)) if entry else 0


def _own_share(turn: Turn, leg: TableOrder) -> int:
    """Return what of that the leg is to close itself."""
    entry = turn.orders.get(leg.entry_id or "")
    number = str(leg.leg).removeprefix(kind_of(str(leg.leg)))
    left = sum(it.closed.get(number, 0) for it in entry.increments) if entry else 0
    return _share(turn, leg) - left


def _may_grow(turn: Turn, leg: TableOrder) -> bool:
    """Return whether more may be filled for a leg: its entry is not at its end."""
    entry = turn.orders.get(leg.entry_id or "")
    if entry is None or entry.ended or entry.is_closed:
        return False
    current = latest(turn, entry)
    return current is None or not current.is_over or is_being_replaced(turn, entry)


# What is answered


def _is_answered(turn: Turn, order: TableOrder, state: OrderState) -> bool:
    """Return whether what is wanted of an order is so."""
    if order.acked >= order.n:
        return False
    if state in (_S.CANCELLED, _S.FILLED, _S.REJECTED, _S.EXPIRED):
        return True
    if order.is_foreign or order.wants_cancel or order.asked is not None:
        return False
    if order.leg:
        return _is_leg_answered(turn, order)
    current = latest(turn, order)
    return current is not None and current.cancel is None and is_as_wanted(turn, order)


def _is_leg_answered(turn: Turn, leg: TableOrder) -> bool:
    """Return whether all that a leg has at the venue has its prices; what it has not placed has nothing to change."""
    live = [it for it in turn.venue_orders_of(leg) if it.may_work and not it.closes]
    entry = turn.orders.get(leg.entry_id or "")
    wanted = prices_of(turn, entry, leg) if entry and live else None
    return all(it.state and not it.change and (it.limit_price, it.stop_price) == wanted for it in live)


# Values


def _values(turn: Turn, order: TableOrder, known: list[VenueOrder]) -> dict[str, str]:
    seen = [it for it in known if it.state and not it.closes]
    if order.leg and not (seen or order.is_released) and order.acked == order.given_up == order.n > 0:
        return _values_of_waiting(order)
    if not seen or order.is_foreign:
        # This journal does not know what another one's order was changed to.
        return {}
    current = seen[-1]
    elsewhere = filled_of(turn, order, except_of=current)
    is_enough = is_ended_as_enough(turn, order, current) or (
        current.is_over and current.filled + elsewhere == order.qty
    )
    qty = _own_share(turn, order) if order.leg else order.qty if is_enough else current.qty + elsewhere
    # A leg of which nothing works has the prices that its next part is placed with.
    priced = order if _waits_for_more(turn, order) else current
    prices = {"limit_price": priced.limit_price, "stop_price": priced.stop_price}
    return {"qty": str(qty), "order_type": current.order_type, "tif": current.tif, **_texts(prices)}


def _waits_for_more(turn: Turn, order: TableOrder) -> bool:
    """Return whether an order is a leg with prices of its own, of which nothing works, and may be placed again."""
    has_prices = order.limit_price is not None or order.stop_price is not None
    works = any(it.may_work for it in turn.venue_orders_of(order))
    return order.leg is not None and has_prices and not works and is_wanted(order) and _may_grow(turn, order)


def _values_of_waiting(leg: TableOrder) -> dict[str, str]:
    """Return the values of a leg that is not at the venue yet, where what was asked of it last was dropped."""
    prices = {"limit_price": leg.limit_price, "stop_price": leg.stop_price}
    offsets = Offsets(leg.offset, leg.limit_offset, leg.in_percent)
    return {"order_type": leg.order_type, "tif": leg.tif, **_texts(prices), **offsets.texts}


def _texts(prices: Mapping[str, Decimal | None]) -> dict[str, str]:
    return {name: decimal_text(price) for name, price in prices.items() if price is not None}


def _average(known: list[VenueOrder]) -> Decimal | None:
    paid = [(it.filled, it.average) for it in known if it.filled]
    if len(paid) == 1:
        return paid[0][1]
    if not paid or any(average is None for _, average in paid):
        return None
    total = sum((qty * average for qty, average in paid if average is not None), Decimal(0))
    return Decimal(decimal_text((total / filled(known)).quantize(PRICE_DIGITS)))


def _executions(order: TableOrder, known: list[VenueOrder]) -> tuple[Execution, ...]:
    """Return the fills that the table is not known to have: a report of them may have been lost with the process."""
    return tuple(
        Execution(it.venue_id, fill.cumulative, fill.quantity, fill.price, timestamp(fill.at))
        for it in known
        for fill in it.fills
        if fill.cumulative > order.fills_told.get(it.venue_id, 0)
    )


def _why_ended(turn: Turn, order: TableOrder, known: list[VenueOrder], state: OrderState) -> str | None:
    if state is _S.REJECTED:
        return next((it.log for it in reversed(known) if it.log), None)
    is_enough = bool(known) and known[-1].state is _S.CANCELLED and is_ended_as_enough(turn, order, known[-1])
    return ENOUGH if is_enough else None
