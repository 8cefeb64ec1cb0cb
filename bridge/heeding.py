"""Heeds what orders and instructions ask of positions before they are carried out, and does what comes first.

Controls come before conditions: the time that an order has, the kill switch, the block of its pair. Then sync,
require_market_position, max_positions, what is to be closed first, and the order. A close that was not confirmed is
never followed by the order.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from bridge.carrying_out import KILL_SWITCH, end, is_being_replaced, latest, why_refused
from bridge.changing import give_up
from bridge.closing import FLAT_WITHIN, begin_close, signed, tell_unprotected
from bridge.conditions import (
    Answer,
    Asked,
    Fails,
    compare,
    is_unsettled,
    judge,
    orders_of,
    settled_side,
)
from bridge.making import made_id, make_order, outcome
from bridge.months import months_to_close, why_other_month
from bridge.pairs import is_superseded, pair, root_of, waits
from bridge.positions import held, known_pairs, known_position
from bridge.records import Close, First, TableInstruction, TableOrder, VenueOrder
from bridge.state import Turn
from orderhook.conditions import Conditions, MarketSide, Sync
from orderhook.instructions import Instruction
from orderhook.orders import TERMINAL, Action, OrderState, folded

_SIGNS: Mapping[MarketSide, int] = {"flat": 0, "long": 1, "short": -1}

# Orders


def heed(turn: Turn, order: TableOrder) -> bool:
    """Have what must hold before an order is placed or replaced be asked; return whether it may take its next step."""
    conditions, current = order.conditions, latest(turn, order)
    if conditions is None or order.ended or order.is_foreign or not turn.owns:
        return True
    if current is None or (current.is_unwritten and current.generation == 1):
        return _heed_placing(turn, order, conditions)
    return not order.conditions_of or _heed_replacing(turn, order, current, conditions)


def _heed_placing(turn: Turn, order: TableOrder, conditions: Conditions) -> bool:
    if order.closing or is_superseded(turn, order):
        return True
    if (why := why_refused(turn, order)) is not None:
        return why != KILL_SWITCH or _close_at_least(turn, order, conditions)
    if waits(turn, order) or not (turn.is_ready and turn.look_is_fresh):
        return True
    order = _is_asked(turn, order)
    answer = _do_first(turn, order, conditions) if order.first else _ask(turn, order, conditions)
    if answer != "waits" or turn.orders[order.order_id].ended:
        _tell_other_month(turn, order, conditions)
    if isinstance(answer, Fails):
        end(turn, order, OrderState.REJECTED, str(answer))
    return answer == "holds"


def _tell_other_month(turn: Turn, order: TableOrder, conditions: Conditions) -> None:
    """Tell a person where another month is held than the one that an order for a continuous contract is for."""
    if (why := why_other_month(turn, conditions, order.account, order.instrument)) is not None:
        turn.alarm_once(order.order_id, "other_month", f"{order.account}: {why}")


def _close_at_least(turn: Turn, order: TableOrder, conditions: Conditions) -> bool:
    """Have a position be closed though the kill switch refuses what opens; return whether that is settled."""
    if not conditions.closes_first or order.first or not turn.may_write:
        return True
    order = _is_asked(turn, order)
    asked = _asked(turn, order)
    answer: str | Fails = "in_sync" if conditions.sync is None else compare(turn, conditions, conditions.sync, asked)
    if answer == "in_sync":
        answer = judge(turn, conditions._replace(max_positions=None), asked)
    if answer == "holds":
        _begin_close(turn, order, conditions)
    return answer != "waits"


def _heed_replacing(turn: Turn, order: TableOrder, current: VenueOrder, conditions: Conditions) -> bool:
    """Have the conditions of a CANCELREPLACE be asked when it is carried out, and where it takes two orders, again."""
    is_next = current.is_unwritten or is_being_replaced(turn, order)
    has_begun = (
        order.acked >= order.conditions_of or current.changed_for >= order.conditions_of or current.awaits_cancel
    )
    if not is_next and (has_begun or not current.is_live):
        return True
    if order.not_after is not None and turn.at > order.not_after:
        return True
    answer = judge(turn, conditions, _asked(turn, _is_asked(turn, order)))
    if isinstance(answer, Fails) and is_next:
        end(turn, order, OrderState.CANCELLED, f"not replaced: {answer}")
    elif isinstance(answer, Fails):
        give_up(turn, turn.orders[order.order_id], current, str(answer))
    return answer == "holds"


def _is_asked(turn: Turn, order: TableOrder) -> TableOrder:
    """Return an order after it was taken down since when its conditions are asked."""
    if order.heeded_since is None:
        order = order._replace(heeded_since=turn.at)
        turn.put(order)
    return order


def _asked(turn: Turn, order: TableOrder) -> Asked:
    return Asked(order.account, order.instrument, order.heeded_since or turn.at)


def _ask(turn: Turn, order: TableOrder, conditions: Conditions) -> Answer:
    answer: Answer = "holds"
    if conditions.sync is not None:
        answer = _sync(turn, order, conditions, conditions.sync)
    if answer == "holds":
        answer = judge(turn, conditions, _asked(turn, order))
    if answer == "holds" and conditions.closes_first:
        answer = _begin(turn, order, conditions, "close")
    return answer


# What comes first, or instead


def _sync(turn: Turn, order: TableOrder, conditions: Conditions, sync: Sync) -> Answer:
    """Compare the position with what the strategy thinks of it, and begin what follows where they differ."""
    stands = compare(turn, conditions, sync, _asked(turn, order))
    if stands == "in_sync" and not conditions.closes_first and _goes_too_far(turn, order, sync):
        stands = "there" if sync.prev_market_position == "flat" else "out"
    other = why_other_month(turn, conditions, order.account, order.instrument)
    match stands:
        case "in_sync":
            return "holds"
        case "there":
            end(turn, order, OrderState.CANCELLED, f"already there: the position is {sync.market_position}")
            return "waits"
        case "out" if sync.out_of_sync == "flatten":
            return _begin(turn, order, conditions, "close and drop")
        case "out" if other is not None:
            return Fails("blocked", f"out of sync: {other}")
        case "out" if sync.out_of_sync == "resync":
            gap = _gap(turn, order, sync)
            return gap if isinstance(gap, Fails) else _begin(turn, order, conditions, "resync")
        case "out":
            return Fails("blocked", f"out of sync: {_why_out(turn, order, sync)}")
        case _:
            return stands


def _goes_too_far(turn: Turn, order: TableOrder, sync: Sync) -> bool:
    """Return whether an order that is to leave the strategy flat would open something: it is larger, or adds."""
    if sync.market_position != "flat":
        return False
    held = signed(known_position(turn, order.account, order.instrument))
    return order.qty > (held if order.action == "SELL" else -held)


def _why_out(turn: Turn, order: TableOrder, sync: Sync) -> str:
    side = settled_side(turn, _asked(turn, order))
    if side != sync.prev_market_position:
        return f"the position is {side}, not {sync.prev_market_position}"
    held = known_position(turn, order.account, order.instrument).quantity
    return f"the position is {side} {held}, and {order.action} {order.qty} would not leave it flat"


def _begin(turn: Turn, order: TableOrder, conditions: Conditions, first: First) -> Answer:
    order = order._replace(first=first, heeded_since=turn.at)
    turn.put(order)
    return _do_first(turn, order, conditions)


def _do_first(turn: Turn, order: TableOrder, conditions: Conditions) -> Answer:
    """Take the next step of what comes before an order, or instead of it."""
    if order.first == "resync" and conditions.sync is not None:
        return _resync(turn, order, conditions.sync)
    answer = _close(turn, order, conditions)
    if order.first == "close" and answer == "holds" and conditions.sync and conditions.sync.market_position == "flat":
        end(turn, order, OrderState.CANCELLED, "already there: the position is flat, as the strategy is")
        return "waits"
    if order.first == "close" or answer == "waits":
        return answer
    became = f"it was not seen flat: {answer.detail}" if isinstance(answer, Fails) else "it was closed"
    return Fails("blocked", f"out of sync: {became}; the order is dropped")


def _resync(turn: Turn, order: TableOrder, sync: Sync) -> Answer:
    """Have own orders of the pair end, which are of another position, and then one order bring it where it should be.

    Nothing protects what it opens: the legs of the alert's order are for another quantity.
    """
    until = order.received_at or turn.at
    ends = begin_close(turn, order.order_id, order.account, order.instrument, until, only_orders=True)
    _note_close(turn, order, ends.name)
    is_changing = is_unsettled(turn, order.account, order.instrument)
    if ends.result is None or is_changing:
        if turn.at - _asked(turn, order).since < FLAT_WITHIN:
            return "waits"
        return Fails("blocked", "out of sync: own orders of the pair have not ended within 5 s")
    gap = _gap(turn, order, sync)
    if isinstance(gap, Fails) or ends.result != "done":
        return gap if isinstance(gap, Fails) else Fails("blocked", f"out of sync: {ends.reason}")
    if gap == 0:
        end(turn, order, OrderState.CANCELLED, f"already there: the position is {sync.market_position}")
        return "waits"
    action: Action = "BUY" if gap > 0 else "SELL"
    made = make_order(
        turn,
        order.order_id,
        1,
        account=order.account,
        instrument=order.instrument,
        action=action,
        qty=abs(gap),
        opens=sync.market_position != "flat",
    )
    if order.legs and made.opens:
        turn.alarm_once(
            order.order_id, "unprotected", f"{made.order_id} opens in its place, without a stop", of="resync"
        )
    end(turn, order, OrderState.CANCELLED, f"resynced: {action} {abs(gap)} by {made.order_id} in its place")
    return "waits"


def watch_resync(turn: Turn, order: TableOrder) -> None:
    """Tell a person of a resync that ends in this step without its order, after own orders were cancelled for it.

    Whatever has ended it: a control, a CANCEL, NinjaTrader.
    """
    asked = turn.orders.get(order.made_by or order.order_id)
    is_told = order.report is not None and order.report.state in TERMINAL
    if is_told or asked is None or asked.first != "resync":
        return
    made = turn.orders.get(made_id(turn, asked.order_id, 1), asked)
    close, became = turn.closes.get(asked.first_close or ""), outcome(turn, made)
    if close is None or close.began is None or became is None or made.order_id != order.order_id:
        return
    if became.result in ("failed", "blocked") and not turn.has_rung(order.order_id, "unprotected", of="resync"):
        why = f"a resync that has ended: {became.reason}"
        tell_unprotected(turn, order.order_id, order.account, order.instrument, why)


def _gap(turn: Turn, order: TableOrder, sync: Sync) -> int | Fails:
    """Return how much is to be bought, or sold below 0, for the position to be where the strategy thinks it is."""
    position = known_position(turn, order.account, order.instrument)
    if position.side == "UNKNOWN":
        return Fails("position_unknown", f"NinjaTrader has not told the position of {order.instrument} since its start")
    wanted = 0 if sync.market_position == "flat" else sync.target_quantity or order.qty
    gap = _SIGNS[sync.market_position] * wanted - signed(position)
    if abs(gap) > turn.config.max_resync:
        why = f"out of sync: it would take {abs(gap)} contracts, and --max-resync is {turn.config.max_resync}"
        return Fails("blocked", why)
    return gap


def _close(turn: Turn, order: TableOrder, conditions: Conditions) -> Answer:
    """Have a position be closed; holds once it was seen flat in time."""
    if conditions.closes_first == "position" and not order.first_close:
        # It closes by an order of its own: how much is open has to be known, with what is about to be filled.
        months = months_to_close(turn, conditions, order.account, order.instrument)
        for each in (order.instrument, *months):
            side = settled_side(turn, _asked(turn, order)._replace(instrument=each))
            if side == "waits" or isinstance(side, Fails):
                return side
    answers = [_flat(turn, order, conditions, turn.closes[name]) for name in _begin_close(turn, order, conditions)]
    failed = next((it for it in answers if isinstance(it, Fails)), None)
    return failed or ("waits" if "waits" in answers else "holds")


def _flat(turn: Turn, order: TableOrder, conditions: Conditions, close: Close) -> Answer:
    """Return whether a pair was seen flat in time, and nothing of it is about to open again."""
    where = "" if close.instrument == order.instrument else f"{close.instrument}: "
    is_changing = is_unsettled(turn, close.account, close.instrument)
    if close.result is None:
        is_late = close.first_at is not None and turn.at - close.first_at >= FLAT_WITHIN
        # Nothing could be sent yet: it goes on, and the position is closed without the order.
        is_late = is_late or (close.began is not None and turn.at - close.began >= 2 * FLAT_WITHIN)
        return _not_flat(f"{where}the position was not seen flat within 5 s") if is_late else "waits"
    if close.result not in ("done", "no_position"):
        return _not_flat(f"{where}{close.reason or close.result}")
    position = known_position(turn, close.account, close.instrument)
    if position.side != "FLAT":
        return _not_flat(f"{where}the position is {position.side}")
    works = conditions.closes_first != "position" and _own_works(turn, order, close.instrument)
    if not (is_changing or works):
        return "holds"
    if turn.at - (close.first_at or _asked(turn, order).since) < FLAT_WITHIN:
        return "waits"
    return _not_flat(where + ("an own order has not ended" if works else "a market order or a fill is under way"))


def _own_works(turn: Turn, order: TableOrder, instrument: str) -> bool:
    """Return whether an own order of the pair that was received before may still be filled: it would open again."""
    until = order.received_at or turn.at
    return any(
        it.may_work and (it.place or it.state)
        for other in orders_of(turn, pair(turn.at, order.account, instrument))
        if other.order_id != order.order_id and _received_at(turn, other) <= until
        for it in turn.venue_orders_of(other)
    )


def _received_at(turn: Turn, order: TableOrder) -> datetime:
    """Return when an order was received, or a leg's entry."""
    return turn.orders.get(order.entry_id or "", order).received_at or datetime.min.replace(tzinfo=UTC)


def _not_flat(why: str) -> Fails:
    return Fails("flatten_timeout", why)


def _begin_close(turn: Turn, order: TableOrder, conditions: Conditions) -> list[str]:
    """Have a position be closed for an order, of a continuous contract in every month, and return the closes' names.

    Begun before, they are the same: its own pair's, and those of the other months.
    """
    months = [turn.closes[name].instrument for name in order.month_closes]
    if not order.first_close:
        months = months_to_close(turn, conditions, order.account, order.instrument)
    keeps_entries = conditions.closes_first == "position"
    until = order.received_at or turn.at
    names = [
        begin_close(
            turn, order.order_id, order.account, each, until, keeps_entries=keeps_entries, even_flat=not keeps_entries
        ).name
        for each in (order.instrument, *months)
    ]
    if order.first_close != names[0]:
        turn.put(turn.orders[order.order_id]._replace(first_close=names[0], month_closes=tuple(names[1:])))
    return names


def _note_close(turn: Turn, order: TableOrder, name: str) -> None:
    if order.first_close != name:
        turn.put(turn.orders[order.order_id]._replace(first_close=name))


# Instructions


def heed_instruction(turn: Turn, instruction: TableInstruction) -> TableInstruction:
    """Return an instruction as it is once its turn has come: it begins, waits for its condition, or has its result."""
    asked = instruction.asked
    since = instruction.heeded_since or turn.at
    answers: list[Answer] = []
    if asked.conditions.require_market_position and asked.account:
        answers = [
            judge(turn, asked.conditions, Asked(asked.account, each, since)) for each in instruments_of(turn, asked)
        ]
    failed = next((it for it in answers if isinstance(it, Fails)), None)
    if failed is not None:
        tell_other_month(turn, instruction)
        instruction = turn.instructions[instruction.instruction_id]
        reason = failed.detail if failed.code == "blocked" else str(failed)
        return instruction._replace(result="blocked", reason=reason)
    if "waits" in answers:
        return instruction._replace(heeded_since=since)
    return instruction._replace(begun_at=turn.at)


def tell_other_month(turn: Turn, instruction: TableInstruction) -> str | None:
    """Tell a person where another month is held than the one that an instruction opens in, and return why."""
    asked = instruction.asked
    why = why_other_month(turn, asked.conditions, str(asked.account), str(asked.instrument))
    if why is not None:
        turn.alarm_of(asked.instruction_id, "other_month", f"{asked.account}: {why}")
    return why


def instruments_of(turn: Turn, asked: Instruction) -> list[str]:
    """Return the instruments that an instruction with an account is about: of a root, the months that are held."""
    if asked.root is None:
        return [str(asked.instrument)]
    of_account = [it for it in known_pairs(turn) if folded(it.account) == folded(str(asked.account))]
    months = [it for it in of_account if root_of(turn.at, it.instrument) == folded(str(asked.root))]
    return (
        [it.instrument for it in held(turn, months)]
        or [it.instrument for it in months]
        or [str(asked.instrument or asked.root)]
    )
