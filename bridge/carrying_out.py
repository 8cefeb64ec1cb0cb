"""Brings what is at the venue nearer to what the table wants of an order that is not a leg.

It acts on the journal and the wants, never on the table's state: an order that was never written is placed with the
merged values, or, on cancel, not at all.
"""

from datetime import timedelta

from bridge import oif
from bridge.cancelling import answer_refused, ask_cancel
from bridge.changing import Goal, give_up, is_changing, may_change, write_change
from bridge.pairs import CLOSED, is_superseded, waits, why_blocked, why_unconfirmed
from bridge.records import Group, TableOrder, VenueOrder, filled
from bridge.state import Turn
from orderhook.orders import BEING_CANCELLED, OrderState, folded

_STOOD = timedelta(milliseconds=200)
"""How long an order's end must have stood before the order that replaces it is placed."""

REPLACED = "replaced"
"""Why an order of the venue is cancelled to make room for its next generation."""

ENOUGH = "qty not above what is filled"
"""Why an order of the venue is cancelled when no more of it is wanted than is filled."""

KILL_SWITCH = "the kill switch is on"
"""Why nothing is opened while it is."""

TOO_LATE = "too late: the bridge was away"
"""Why nothing is opened after its time."""


def carry_out(turn: Turn, order: TableOrder) -> None:
    """Take the next step for an order, if there is one."""
    if order.ended or not turn.owns:
        return
    current = latest(turn, order)
    if current is not None and current.is_unwritten and filled_of(turn, order) >= order.qty:
        end(turn, order, OrderState.FILLED, "it was filled before its next generation was written")
    elif order.wants_cancel:
        _cancel(turn, order)
    elif order.is_foreign:
        return
    elif current is None or current.is_unwritten:
        _open(turn, order, current)
    elif not current.is_over:
        _adapt(turn, order, current)
    elif is_being_replaced(turn, order) and current.since and turn.at - current.since >= _STOOD:
        _open_next(turn, order, current)


def latest(turn: Turn, order: TableOrder) -> VenueOrder | None:
    """Return the last generation of an order at the venue."""
    return turn.venue_orders[order.venue_ids[-1]] if order.venue_ids else None


def filled_of(turn: Turn, order: TableOrder, except_of: VenueOrder | None = None) -> int:
    """Return what is filled of an order in all, or by all its generations but one."""
    known = turn.venue_orders_of(order)
    return filled(it for it in known if except_of is None or it.venue_id != except_of.venue_id)


def is_being_replaced(turn: Turn, order: TableOrder) -> bool:
    """Return whether the end of an order's generation is not the order's end, because another is to follow."""
    current = latest(turn, order)
    return (
        current is not None
        and current.state is OrderState.CANCELLED
        and current.cancel is not None
        and current.cancel.why == REPLACED
        and not (order.ended or order.wants_cancel)
        and filled_of(turn, order) < order.qty
    )


def is_other_kind(order: TableOrder, current: VenueOrder) -> bool:
    """Return whether a CHANGE cannot make what is wanted of what is there."""
    return (order.order_type, order.tif) != (current.order_type, current.tif)


def is_as_wanted(turn: Turn, order: TableOrder) -> bool:
    """Return whether what NinjaTrader has of an order is what is wanted of it."""
    current = latest(turn, order)
    if current is None or current.state is None or is_other_kind(order, current):
        return False
    if was_enough(current):
        return is_ended_as_enough(turn, order, current)
    return not is_changing(current, _goal(turn, order, current))


def was_enough(current: VenueOrder) -> bool:
    """Return whether an order of the venue was ended because no more was wanted than was filled."""
    return current.is_over and current.cancel is not None and current.cancel.why == ENOUGH


def is_ended_as_enough(turn: Turn, order: TableOrder, current: VenueOrder) -> bool:
    """Return whether an order of the venue was ended because no more is wanted than is filled, by now too."""
    return was_enough(current) and filled_of(turn, order) >= order.qty


def _goal(turn: Turn, order: TableOrder, current: VenueOrder) -> Goal:
    return Goal(order.qty - filled_of(turn, order, except_of=current), order.limit_price, order.stop_price)


def end(turn: Turn, order: TableOrder, state: OrderState, why: str) -> None:
    """End an order that the venue does not have."""
    turn.put(turn.orders[order.order_id]._replace(ended=state, why=why, acked=order.n))


def _cancel(turn: Turn, order: TableOrder) -> None:
    known = turn.venue_orders_of(order)
    if not any(it.may_work for it in known) and not order.is_foreign and (not known or known[-1].is_unwritten):
        # NinjaTrader has nothing of its last generation.
        end(turn, order, OrderState.CANCELLED, "cancelled before it was sent")
        return
    for venue_order in known:
        ask_cancel(turn, venue_order, "cancelled", order.n)
    answer_refused(turn, order)


def at_venue(turn: Turn, order: TableOrder, venue_id: str) -> VenueOrder:
    """Return an order as it is to be sent to the venue, under this id there, with what is wanted of it now."""
    return VenueOrder(
        venue_id=venue_id,
        order_id=order.order_id,
        account=turn.config.account(order.account) or order.account,
        instrument=order.instrument,
        action=order.action,
        order_type=order.order_type,
        tif=order.tif,
        qty=order.qty,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
    )


def place(turn: Turn, order: TableOrder, venue_order: VenueOrder) -> None:
    """Send an order to the venue: one that was never written, or certainly could not be."""
    known = turn.venue_orders.get(venue_order.venue_id)
    if known is not None and not known.is_unwritten:
        raise AssertionError(f"{venue_order.venue_id} would be placed twice")
    instruction = turn.write(oif.file_name(venue_order.venue_id), oif.place(venue_order))
    turn.put(venue_order._replace(place=instruction))
    if known is None:
        order = turn.orders[order.order_id]
        turn.put(order._replace(venue_ids=(*order.venue_ids, venue_order.venue_id)))


# Opening


def _open(turn: Turn, order: TableOrder, unwritten: VenueOrder | None) -> None:
    """Place an order that NinjaTrader has certainly not had: `unwritten` is what could not be written."""
    generation = unwritten.generation if unwritten else 1
    if order.closing or is_superseded(turn, order):
        end(turn, order, OrderState.CANCELLED, CLOSED)
    elif (why := why_refused(turn, order)) is not None:
        end(turn, order, OrderState.REJECTED if generation == 1 else OrderState.CANCELLED, why)
    elif order.opens and waits(turn, order):
        return
    elif (turn.is_ready if order.opens else turn.may_write) and not (unwritten and unwritten.is_held(turn.at)):
        if turn.look_is_fresh or not order.opens:
            _place(turn, order, generation, order.qty - filled_of(turn, order))
        else:
            turn.look()


def _open_next(turn: Turn, order: TableOrder, ended: VenueOrder) -> None:
    """Place what is left of an order after its generation of another kind has ended, and one more look."""
    if (why := why_refused(turn, order)) is not None:
        end(turn, order, OrderState.CANCELLED, f"not replaced: {why}")
    elif waits(turn, order):
        return
    elif turn.is_ready and ended.since is not None:
        looked_at = turn.now.looked_at
        if looked_at is not None and looked_at >= ended.since + _STOOD and turn.look_is_fresh:
            _place(turn, order, ended.generation + 1, order.qty - filled_of(turn, order))
        else:
            turn.look()


def why_refused(turn: Turn, order: TableOrder) -> str | None:
    """Return why an order may not be opened; None where it may."""
    if (why := why_not_account(turn, order.account)) is not None:
        return why
    if not order.opens:
        return None
    if order.not_after is not None and turn.at > order.not_after:
        return TOO_LATE
    if turn.now.kill_switch:
        return KILL_SWITCH
    if (why := why_blocked(turn, order.account, order.instrument)) is not None:
        turn.alarm_once(order.order_id, "blocked", why)
    return why or why_unconfirmed(turn, order)


def why_not_account(turn: Turn, name: str) -> str | None:
    """Return why nothing is sent to an account; None where something may be."""
    account = turn.config.account(name)
    if account is None:
        return f"account {name} is not one of this bridge's: give it by --account"
    if not (turn.config.live or account.lower().startswith(("sim", "demo"))):
        return f"account {account} trades real money: start the bridge with --live to allow that"
    return None


def _place(turn: Turn, order: TableOrder, generation: int, qty: int) -> None:
    venue_id = oif.venue_id(order.placed_by, generation)
    venue_order = at_venue(turn, order, venue_id)
    venue_order = venue_order._replace(
        qty=qty,
        oco_id=_join_group(turn, order, venue_order.account, venue_id),
        atm_template=order.atm_template,
        atm_strategy_id=oif.venue_id(order.placed_by, generation, "ATM") if order.atm_template else None,
        generation=generation,
    )
    place(turn, order, venue_order)


def _join_group(turn: Turn, order: TableOrder, account: str, venue_id: str) -> str | None:
    """Return the id of a trader's OCO group at the venue: another one once a member has ended or is to."""
    if order.oco_id is None:
        return None
    name = f"{folded(account)}/{order.oco_id}"
    group = turn.groups.get(name)
    if group is None or not all(_is_in_force(turn, it) for it in group.members if it != venue_id):
        number = group.number + 1 if group else 1
        group = Group(name, oif.venue_id("oco", name, order.placed_by, number), number)
    if venue_id not in group.members:
        group = group._replace(members=(*group.members, venue_id))
        turn.put(group)
    return group.oco_id


def _is_in_force(turn: Turn, venue_id: str) -> bool:
    member = turn.venue_orders.get(venue_id)
    return member is not None and not (member.is_over or member.awaits_cancel or member.state in BEING_CANCELLED)


# What is there, and should be otherwise


def _adapt(turn: Turn, order: TableOrder, current: VenueOrder) -> None:
    if current.awaits_cancel:
        return
    goal = _goal(turn, order, current)
    if (cancel := current.cancel) is not None:
        current = current._replace(cancel=None)
        turn.put(current)
        # One that a trader asked for was answered, and has nothing to do with what is asked since.
        if order.acked < order.n and not cancel.n:
            give_up(turn, order, current, "NinjaTrader has refused the cancel that would make room")
            return
    is_new = order.acked < order.n
    is_other = is_other_kind(order, current)
    ends_rest = goal.qty <= current.filled < current.qty
    if not (is_other or ends_rest or may_change(turn, current, goal)) or not current.is_live:
        return
    if is_new and (why := _why_not_changed(turn, order, current, goal)) is not None:
        give_up(turn, order, current, why)
    elif ends_rest:
        ask_cancel(turn, current, ENOUGH)
    elif is_other:
        ask_cancel(turn, current, REPLACED)
    elif turn.may_write:
        write_change(turn, turn.orders[order.order_id], current, goal)


def _why_not_changed(turn: Turn, order: TableOrder, current: VenueOrder, goal: Goal) -> str | None:
    if current.changed_for == order.n:
        # It was in time when it was written first.
        return None
    only_less = goal == (min(goal.qty, current.qty), current.limit_price, current.stop_price)
    if only_less and order.kind == "replace" and current.generation > 1 and not is_other_kind(order, current):
        # Nobody has asked for that: the generation before was filled after its end, and left less.
        return None
    if order.not_after is not None and turn.at > order.not_after:
        return TOO_LATE
    if turn.now.kill_switch and (is_other_kind(order, current) or not only_less):
        return KILL_SWITCH
    return None
