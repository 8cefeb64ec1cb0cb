"""What a look at the table shows: orders and what is wanted of them, who owns the stack, the kill switch."""

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Any

from bridge.adopting import adopt
from bridge.changing import give_up
from bridge.events import Fetch, Fetched, Looked, SendReport
from bridge.instructing import see_instructions
from bridge.pairs import is_older
from bridge.records import Fill, Increment, Memory, TableOrder, Terms, filled
from bridge.state import Turn
from orderhook.conditions import Conditions
from orderhook.orders import OPEN, Leg, Order, OrderState, Want
from orderhook.trade import leg_id, opposite
from orderhook.venues import NINJATRADER

_FETCHED_AGAIN = timedelta(seconds=30)
_SENT_AGAIN = timedelta(seconds=10)
_FORGOTTEN = timedelta(days=30)


def look(turn: Turn, looked: Looked) -> None:
    """Record what a look at the table shows."""
    began_at = looked.began_at or turn.at
    turn.set(owner=looked.owner, kill_switch=looked.kill_switch, looked_at=began_at, look_asked_at=None)
    _remember(turn, began_at, looked.owned_since)
    listed: set[str] = set()
    # Legs follow their entries, which know them.
    for item in sorted(looked.orders, key=lambda it: it.entry_id is not None):
        # A delayed order is the bridge's after its release alone.
        if item.venue == NINJATRADER.name and not item.due:
            listed.add(item.order_id)
            listed.update(leg_id(item.order_id, name) for name, leg in item.legs.items() if not leg.released)
            _see(turn, item)
    see_instructions(turn, looked.instructions, looked.unreadable)
    _tell_unreadable(turn, tuple(looked.unreadable))
    _miss(turn, listed, looked.unreadable)


def _remember(turn: Turn, began_at: datetime, owned_since: str | None) -> None:
    """Take down since when this journal alone places orders: another one did while another bridge owned the stack.

    Until the table was seen to say whose it is, that one may have placed what came in.
    """
    memory = turn.now.memory or Memory(began_at)
    if turn.owns and owned_since != memory.owned_since:
        memory = memory._replace(began=turn.at, owned_since=owned_since)
    if memory != turn.now.memory:
        turn.set(memory=memory)


def _tell_unreadable(turn: Turn, unreadable: tuple[str, ...]) -> None:
    """Alarm where other orders than before cannot be read."""
    if unreadable and unreadable != turn.now.unreadable:
        what = f"{', '.join(unreadable)} cannot be read by this version of the bridge; install the stack's."
        turn.alarm("unreadable", what)
    turn.set(unreadable=unreadable)


def fetch(turn: Turn, fetched: Fetched) -> None:
    """Record an order that was asked for by its id."""
    item = fetched.order
    turn.set(fetching={name: at for name, at in turn.now.fetching.items() if name != fetched.order_id})
    known = turn.orders.get(fetched.order_id)
    for leg in list(turn.orders.values()):
        if leg.entry_id == fetched.order_id and not leg.placed_by and item is not None:
            _know_entry(turn, leg, item)
    if known is None:
        return
    if item is None and known.made_by is not None and not known.is_listed:
        _tell_again(turn, known)
        return
    if item is not None and item.state in OPEN and item.venue == NINJATRADER.name:
        _see(turn, item)
        return
    if item is not None:
        _take_a_persons_word(turn, known, item)
    working = [it.venue_id for it in turn.venue_orders_of(known) if it.is_live and not it.is_lost]
    if working:
        turn.alarm("works_though_finished", f"{known.order_id} is finished in the table; {', '.join(working)} work")
    turn.put(turn.orders[known.order_id]._replace(is_closed=True))


def _tell_again(turn: Turn, made: TableOrder) -> None:
    """Send the last report of an order that the bridge has made again: the table has not had it yet."""
    if made.report is not None and turn.at - (made.reported_at or turn.at) >= _SENT_AGAIN:
        turn.put(made._replace(reported_at=turn.at))
        turn.ask(SendReport(made.report))


def _take_a_persons_word(turn: Turn, order: TableOrder, item: Order) -> None:
    """Take what a person says has become of an order (`orderhook resolve`): its legs are placed for what was filled."""
    was_unresolved = order.report is not None and order.report.unresolved is not None
    if not was_unresolved or (order.leg is None and order.placed_by != item.placed_by):
        return
    if order.is_foreign:
        if order.legs and item.filled > filled(turn.venue_orders_of(order)):
            why = "it was filled, as a person says, and its legs are another journal's: look at its stop"
            turn.alarm_once(order.order_id, "unprotected", why, of="resolved")
        return
    _end_presumably(turn, order, item)
    order = turn.orders[order.order_id]
    known = sum(it.quantity for it in order.increments)
    if order.leg is None and item.filled > known:
        increment = Increment(known, item.filled - known, item.average, turn.at)
        turn.put(order._replace(increments=(*order.increments, increment)))
    for leg in turn.legs_of(order):
        turn.put(leg._replace(is_closed=False))


def _end_presumably(turn: Turn, order: TableOrder, item: Order) -> None:
    """Have what an order has at the venue be over, of which NinjaTrader says nothing, until it does."""
    left = item.filled - filled(turn.venue_orders_of(order)) if order.leg else 0
    for it in turn.venue_orders_of(order):
        if not (it.may_work and (it.is_lost or it.state is None)):
            continue
        more = min(max(left, 0), it.qty - it.filled)
        left -= more
        ended = it._replace(state=OrderState.CANCELLED, since=turn.at, is_lost=False, unseen_since=None)
        if more:
            state = OrderState.FILLED if it.filled + more == it.qty else OrderState.CANCELLED
            fill = Fill(it.filled + more, more, None, turn.at)
            ended = ended._replace(state=state, filled=fill.cumulative, fills=(*it.fills, fill))
            # It is in the table, and no execution that NinjaTrader has told.
            told = {**turn.orders[order.order_id].fills_told, it.venue_id: fill.cumulative}
            turn.put(turn.orders[order.order_id]._replace(fills_told=told))
        turn.put(ended._replace(is_presumed_over=True))


def _see(turn: Turn, item: Order) -> None:
    known = turn.orders.get(item.order_id)
    if not turn.owns and (known is None or (item.entry_id is None and known.placed_by != item.placed_by)):
        # Whose it is shows when this bridge owns the stack.
        return
    if item.entry_id is not None:
        if known is None or known.is_foreign:
            known = _foreign_leg(turn, item, known)
    else:
        placed_by = item.placed_by
        if known is None or known.placed_by != placed_by:
            known = _new(turn, item, placed_by)
    if item.want is not None and item.want.n > known.n:
        turn.put((_leg_wanting if known.leg else _wanting)(known, item, item.want))
        _drop_what_follows(turn, known, item)
    if item.entry_id is None:
        for name, leg in item.legs.items():
            _see_leg(turn, item, name, leg)
    _compare(turn, turn.orders[item.order_id], item)


def _new(turn: Turn, item: Order, placed_by: str) -> TableOrder:
    received_at = _time(item.released_at or item.received_at)
    order = TableOrder(
        order_id=item.order_id,
        placed_by=placed_by,
        account=item.account,
        instrument=item.instrument,
        action=item.action,
        order_type=item.order_type,
        tif=item.tif,
        qty=item.qty,
        limit_price=item.limit_price,
        stop_price=item.stop_price,
        oco_id=item.oco_id,
        atm_template=item.atm_template,
        strategy_id=item.strategy_id,
        made_by=item.made_by,
        table_state=item.state,
        received_at=received_at,
        conditions=item.conditions,
        acked=item.acked,
        is_foreign=is_older(turn, received_at),
    )
    turn.put(order)
    if order.is_foreign and item.entry_id is None:
        adopt(turn, order, item)
    return turn.orders[item.order_id]


def _foreign_leg(turn: Turn, item: Order, known: TableOrder | None) -> TableOrder:
    """Return a leg of another journal by its own item; only its entry tells its ids at the venue."""
    if known is None or not known.is_released:
        leg = _new(turn, item, known.placed_by if known else "")._replace(
            entry_id=item.entry_id,
            leg=item.order_name,
            is_foreign=True,
            is_released=True,
            venue_ids=known.venue_ids if known else (),
        )
        turn.put(leg)
    elif known.qty != item.qty:
        turn.put(known._replace(qty=item.qty))
    if not turn.orders[item.order_id].placed_by:
        _fetch(turn, str(item.entry_id))
    return turn.orders[item.order_id]


def _know_entry(turn: Turn, leg: TableOrder, entry: Order) -> None:
    """Give a leg its entry, which was fetched for it: one that this journal has placed, or another's."""
    placed_by, known = entry.placed_by, turn.orders.get(entry.order_id)
    is_own = known is not None and known.placed_by == placed_by and not known.is_foreign
    if is_own and leg.leg in entry.legs:
        # It was added to an entry that was filled before a look showed it.
        _see_leg(turn, entry, str(leg.leg), entry.legs[str(leg.leg)])
    else:
        turn.put(leg._replace(placed_by=placed_by))
        adopt(turn, turn.orders[leg.order_id], entry)


def _wanting(order: TableOrder, item: Order, want: Want) -> TableOrder:
    """Return an order with what the table wants of it now."""
    return _heeding(order, item, want)._replace(
        n=want.n,
        kind=want.kind,
        wanted_at=_time(want.at),
        not_after=_deadline(order, want),
        order_type=item.order_type,
        tif=item.tif,
        qty=item.qty,
        limit_price=item.limit_price,
        stop_price=item.stop_price,
        why=None,
    )


def _heeding(order: TableOrder, item: Order, want: Want) -> TableOrder:
    """Return an order with what has to hold before it is placed, or replaced; a CHANGE asks nothing.

    One that was never written opens when it is placed, whatever has altered it since: what its PLACE asks counts.
    """
    if want.kind != "replace":
        return order
    if order.venue_ids:
        return order._replace(conditions=item.conditions, conditions_of=want.n, heeded_since=None)
    if item.conditions is None or order.conditions is None:
        return order._replace(conditions=item.conditions or order.conditions)
    asked = {name: value for name, value in item.conditions._asdict().items() if value}
    return order._replace(conditions=order.conditions._replace(**asked))


def _leg_wanting(leg: TableOrder, item: Order | Leg, want: Want) -> TableOrder:
    """Return a leg of which something is asked, which it takes when its entry allows (`legs.settle`)."""
    if leg.made_by is not None and isinstance(item, Order) and want.kind != "cancel" and _asks_for_more(leg, item):
        why = "of a leg of CANCELANDBRACKET the prices alone can be changed: send that again for the rest"
        return leg._replace(n=want.n, kind=want.kind, wanted_at=_time(want.at), given_up=want.n, acked=want.n, why=why)
    asked = Terms.of(item)
    takes_none = want.kind == "cancel" or (leg.is_foreign and not want.of)
    # It stays cancelled until it is given anew, which may be dropped.
    was_cancelled = leg.wants_cancel and leg.acked >= leg.n
    return leg._replace(
        ended=OrderState.CANCELLED if was_cancelled else leg.ended,
        n=want.n,
        kind=want.kind,
        wanted_at=_time(want.at),
        asked=None if takes_none else asked,
        of=want.of or 0,
        conditions=_conditions_of_leg(leg, item, want),
        heeded_since=None,
        why=None,
    )


def _asks_for_more(leg: TableOrder, item: Order) -> bool:
    """Return whether more is asked of a leg that the bridge has made than other prices."""
    told = leg.report.values.get("qty") if leg.report else None
    return (item.order_type, item.tif) != (leg.order_type, leg.tif) or str(item.qty) != (told or str(leg.qty))


def _conditions_of_leg(leg: TableOrder, item: Order | Leg, want: Want) -> Conditions | None:
    """Return what must hold before a leg is replaced; a change on top of that waits for it, too."""
    if want.kind == "replace":
        return item.conditions if isinstance(item, Order) else None
    return leg.conditions if want.kind == "change" and leg.asked is not None else None


def _drop_what_follows(turn: Turn, before: TableOrder, item: Order) -> None:
    """Drop a change that was asked on top of one which was dropped, before the table knew: it would bring that back."""
    order = turn.orders[item.order_id]
    is_on_top = item.acked < before.given_up and order.kind in ("change", "replace")
    if is_on_top and order.venue_ids and order.leg is None and not order.is_foreign:
        current = turn.venue_orders[order.venue_ids[-1]]
        give_up(turn, order, current, f"the change before it was dropped ({before.why}): send it again")


def _deadline(order: TableOrder, want: Want) -> datetime | None:
    """Return until when what is wanted may be carried out.

    An order that was never written opens when it is placed, whatever has altered it since: its PLACE's time counts. So
    does that of a replacement of another kind, until its generation is there.
    """
    not_after, at = _time(want.not_after), _time(want.at)
    if order.kind == "replace" and order.acked < order.n and order.not_after is not None and not_after is not None:
        return min(order.not_after, not_after)
    if want.kind == "place" or order.venue_ids or order.received_at is None or not_after is None or at is None:
        return not_after
    return order.received_at + (not_after - at)


def _see_leg(turn: Turn, entry: Order, name: str, leg: Leg) -> None:
    """Record a leg as it lies in its entry's item; once it is released, its own item counts."""
    order_id = leg_id(entry.order_id, name)
    known = turn.orders.get(order_id)
    owner = turn.orders[entry.order_id]
    if known is not None and known.placed_by == owner.placed_by and leg.released:
        return
    want = leg.want
    if known is None or known.placed_by != owner.placed_by:
        known = TableOrder(
            order_id=order_id,
            placed_by=owner.placed_by,
            account=entry.account,
            instrument=entry.instrument,
            action=opposite(entry.action),
            **Terms.of(leg)._asdict(),
            tif="GTC",
            qty=0,
            entry_id=entry.order_id,
            leg=name,
            acked=leg.acked,
            is_foreign=owner.is_foreign,
            # One that a change of its entry adds is not there before that is done.
            ended=OrderState.CANCELLED if want and want.of else None,
        )
    after = known._replace(start=leg.start, size=leg.size)
    if want is None:
        after = after._replace(**Terms.of(leg)._asdict(), ended=None)
    elif want.n > known.n:
        after = _leg_wanting(after, leg, want)
    if leg.end:
        after = after._replace(ended=leg.end.state, asked=None)
    turn.put(after if after != known else known)
    if name not in owner.legs:
        turn.put(owner._replace(legs=(*owner.legs, name)))
    if after.is_foreign and not after.venue_ids:
        adopt(turn, after, entry)


def _compare(turn: Turn, order: TableOrder, item: Order) -> None:
    """Send the last report again if the table has not had it for a while."""
    order = order._replace(is_closed=False) if order.is_closed else order
    order = order if order.is_listed or order.made_by is None else order._replace(is_listed=True)
    if order.report is None:
        turn.put(order)
    elif (item.report_seq or 0) >= order.report.seq:
        told = {it.venue_id: it.cumulative for it in order.report.executions}
        after = order._replace(behind_since=None, fills_told={**order.fills_told, **told})
        if order.leg and item.state is OrderState.INITIALIZED and order.report.state not in OPEN:
            # The table takes it to work again, for a further fill: that it does not is told anew.
            after = after._replace(report=order.report._replace(state=item.state))
        turn.put(after if after != order else order)
    elif order.behind_since is None:
        turn.put(order._replace(behind_since=turn.at))
    elif turn.at - max(order.behind_since, order.reported_at or order.behind_since) >= _SENT_AGAIN:
        turn.put(order._replace(reported_at=turn.at))
        turn.ask(SendReport(order.report))
    else:
        turn.put(order)


def _miss(turn: Turn, listed: Container[str], unreadable: Container[str]) -> None:
    """Close what the table has finished, and fetch what it should still have.

    An order that could not be read is open, and so may be the legs in the item of such an entry. One that the bridge
    has made is not finished because the table has never shown it.
    """
    for order in turn.active():
        if order.order_id in listed or order.order_id in unreadable or order.entry_id in unreadable:
            continue
        known_end = order.report is not None and order.report.state not in OPEN
        if order.made_by is not None and not order.is_listed:
            _fetch(turn, order.order_id)
        elif known_end or not (order.venue_ids or order.is_foreign or order.leg is None):
            # A leg without fills ends with its entry.
            turn.put(order._replace(is_closed=True))
        else:
            _fetch(turn, order.order_id)
    _forget(turn)


def _forget(turn: Turn) -> None:
    """Forget trades that are long over: an entry with its legs, of which some were never reported."""
    trades: dict[str, list[TableOrder]] = {}
    for order in turn.orders.values():
        trades.setdefault(order.entry_id or order.order_id, []).append(order)
    old: list[TableOrder] = []
    for trade in trades.values():
        times = [at for order in trade for at in (order.received_at, order.reported_at) if at]
        if all(order.is_closed for order in trade) and times and turn.at - max(times) > _FORGOTTEN:
            old += trade
    turn.forget(old)


def _fetch(turn: Turn, order_id: str) -> None:
    asked = turn.now.fetching.get(order_id)
    if asked is None or turn.at - asked >= _FETCHED_AGAIN:
        turn.set(fetching={**turn.now.fetching, order_id: turn.at})
        turn.ask(Fetch(order_id))


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text is not None else None
