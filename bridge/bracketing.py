"""Carries out CANCELANDBRACKET: a position gets the stop and the target that an alert gives it, and nothing else.

Where own legs of these kinds close what is asked for, they are changed in place: the position is never without a stop.
Otherwise own orders of the pair end first, and the new stop is placed for what is open then: two stops beside one
another could turn the position over. The legs that are made belong to a record that stands for the position, so that
what keeps the legs of a trade (`brackets`) keeps them: the stop first, then the target, one OCO pair, equal quantities.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from bridge.brackets import Part, is_wanted, last_of, parts_of, price_from, prices_of
from bridge.cancelling import TAKEN_OVER
from bridge.carrying_out import why_not_account
from bridge.closing import FILE_IS_LATE, ORDERS_END_WITHIN, have_end
from bridge.confirming import unresolved_of
from bridge.making import make_order
from bridge.pairs import closes_whole, concerns, pair
from bridge.partial_closes import position_of
from bridge.positions import SETTLES_WITHIN, known_position, unsettled_since
from bridge.records import MADE_LEGS, Bracket, Fill, Increment, TableInstruction, TableOrder, Terms, VenueOrder, filled
from bridge.state import Position, Turn
from orderhook.instructions import Instruction, Result
from orderhook.leg_prices import is_beyond
from orderhook.orders import Action, OrderState, decimal_text
from orderhook.relative_prices import points_of, read_relative
from orderhook.trade import kind_of, opposite

_SEEN = timedelta(seconds=60)
"""Until when legs must have been seen working."""


def bracket(turn: Turn, instruction: TableInstruction) -> None:
    """Take the next step of a CANCELANDBRACKET, if there is one."""
    known = instruction.bracket
    if not turn.may_write:
        return
    if known is None:
        _begin(turn, instruction)
    elif known.leg_ids:
        _follow(turn, instruction, known)
    else:
        _replace(turn, instruction, known)


def abandon(turn: Turn, instruction: TableInstruction, why: str) -> None:
    """End an instruction that is not to go on, and tell a person where own orders were cancelled for it."""
    if instruction.bracket is None:
        _finish(turn, instruction, "superseded", why)
    else:
        _fail(turn, instruction, f"{why}: look whether the position has its stop", "superseded")


def _finish(turn: Turn, instruction: TableInstruction, result: Result, reason: str | None = None) -> None:
    known = turn.instructions[instruction.instruction_id]
    turn.put(known._replace(result=result, reason=reason))


def _fail(turn: Turn, instruction: TableInstruction, why: str, result: Result = "failed") -> None:
    """End an instruction that may have left a position without a stop, and tell a person."""
    turn.alarm_of(instruction.instruction_id, "unprotected", why)
    _finish(turn, instruction, result, why)


def _side(instruction: TableInstruction) -> Action:
    """Return the side of the position that an instruction is for."""
    return instruction.asked.action or "BUY"


def _name_of(turn: Turn, instruction: TableInstruction, known: Bracket) -> str:
    return pair(turn.at, str(instruction.asked.account), known.instrument)


def _is_of(turn: Turn, order: TableOrder | VenueOrder, name: str) -> bool:
    return pair(turn.at, order.account, order.instrument) == name


def _open(position: Position, side: Action) -> int:
    """Return how much of a position is open on the side of who has entered by `side`; below 0 on the other one."""
    is_same = (position.side == "LONG") == (side == "BUY")
    return position.quantity if is_same else -position.quantity


# The beginning: nothing was touched yet


def _begin(turn: Turn, instruction: TableInstruction) -> None:
    """Judge what is asked, and change the legs that are there, or have own orders end."""
    asked = instruction.asked
    if (why := why_not_account(turn, str(asked.account))) is not None:
        _fail(turn, instruction, why, "blocked")
        return
    position = position_of(turn, instruction)
    if position is None:
        ended = turn.instructions[instruction.instruction_id]
        if ended.result in ("unresolved", "blocked"):
            began = "another journal may have begun it: look whether the position has its stop"
            why = began if ended.result == "unresolved" else str(ended.reason)
            turn.alarm_of(instruction.instruction_id, "unprotected", why)
    elif position.side == "FLAT":
        _finish(turn, instruction, "blocked", "the position is FLAT")
    elif _open(position, _side(instruction)) <= 0:
        _fail(turn, instruction, f"the position is {position.side}", "blocked")
    else:
        try:
            terms = terms_of(turn, asked, position)
        except ValueError as refusal:
            _finish(turn, instruction, "failed", str(refusal))
            return
        known = Bracket(position.instrument, turn.at, position.quantity, terms)
        if _is_target_on_wrong_side(asked, position, terms):
            target = terms.pop("TARGET")
            why = f"its target {target.limit_price} is not sent: it is not beyond the average {position.average}"
            turn.alarm_of(instruction.instruction_id, "target_not_sent", why)
            known = known._replace(without_target=True, said=(why,))
        if not terms:
            _finish(turn, instruction, "failed", *known.said)
            return
        _start(turn, turn.instructions[instruction.instruction_id], known)


def _is_target_on_wrong_side(asked: Instruction, position: Position, terms: Mapping[str, Terms]) -> bool:
    """Return whether a target would close a position at once, for what is known: there are no quotes."""
    price = terms["TARGET"].limit_price if "TARGET" in terms else None
    if price is None or position.average is None:
        return False
    return not is_beyond(asked.action or "BUY", price, position.average)


def _start(turn: Turn, instruction: TableInstruction, known: Bracket) -> None:
    size = min(instruction.asked.qty or known.open, known.open)
    parts = _parts_in_place(turn, instruction, known, size)
    if not parts and (lost := _unresolved(turn, instruction, known)):
        why = f"nobody knows what has become of {', '.join(lost)}: see orderhook orders"
        _fail(turn, instruction, why, "blocked")
        return
    if not parts:
        known = known._replace(clears_since=turn.at)
        turn.put(instruction._replace(bracket=known))
        _replace(turn, turn.instructions[instruction.instruction_id], known)
        return
    legs = dict.fromkeys(leg.order_id for part in parts for leg in _legs(part))
    _have_orders_end(turn, instruction, known, but=legs)
    for part in parts:
        if part.entry.is_position:
            whole = part.increment._replace(quantity=filled(part.all) + size, closed={})
            turn.put(part.entry._replace(increments=(whole,)))
    given = [leg for leg in map(turn.orders.__getitem__, legs) if kind_of(str(leg.leg)) in known.terms]
    for leg in given:
        if not _is_changed_later(instruction, leg):
            turn.put(leg._replace(**known.terms[kind_of(str(leg.leg))]._asdict(), asked=None))
    known = _tell_bare(turn, parts[0].entry, known, known.open, size)
    turn.put(instruction._replace(bracket=known._replace(leg_ids=tuple(it.order_id for it in given))))


def _tell_bare(turn: Turn, entry: TableOrder, known: Bracket, open_: int, size: int) -> Bracket:
    """Return how far it has come with what of the position has no stop; a person is told once of the same."""
    bare = open_ - (size if "STOP" in known.terms else 0)
    if bare <= 0:
        return known
    why = f"{bare} of {open_} have no stop"
    turn.alarm_once(entry.order_id, "unprotected", why, of=f"bracket {bare}")
    return known._replace(said=(*known.said, why))


def terms_of(turn: Turn, asked: Instruction, position: Position) -> dict[str, Terms]:
    """Return the stop and the target that a position is given, by their kinds.

    Prices that are distances count from its average. Raises ValueError, which says why, where there are none.
    """
    texts = asked.stop_loss, asked.stop_loss_limit, asked.stop_loss_stop, asked.take_profit
    stop_loss, limit, stop, target = (text and _price(turn, position, text) for text in texts)
    terms: dict[str, Terms] = {}
    if stop_loss:
        terms["STOP"] = Terms("STOPMARKET", stop_price=stop_loss)
    elif limit:
        terms["STOP"] = Terms("STOPLIMIT", limit, stop or limit)
    if target:
        terms["TARGET"] = Terms("LIMIT", target)
    if not terms:
        raise ValueError("it gives the position neither a stop nor a target")
    stop_price = terms["STOP"].stop_price if "STOP" in terms else None
    is_sent = not _is_target_on_wrong_side(asked, position, terms)
    if stop_price and target and is_sent and not is_beyond(asked.action or "BUY", target, stop_price):
        raise ValueError(f"the target {decimal_text(target)} is not beyond the stop {decimal_text(stop_price)}")
    return terms


def _price(turn: Turn, position: Position, text: str) -> Decimal:
    relative = read_relative(text)
    if relative is None:
        try:
            return Decimal(text)
        except ArithmeticError:
            raise ValueError(f"{text} is not a price") from None
    if position.average is None:
        raise ValueError(f"nobody knows the average price of the position, from which {text} counts")
    in_percent = relative.unit == "percent"
    distance = relative.amount if in_percent else points_of(relative, position.instrument)
    if distance is None:
        raise ValueError(f"nobody knows what {text} of {position.instrument} is")
    price = price_from(turn, position.instrument, position.average, distance, in_percent=in_percent)
    if price <= 0:
        raise ValueError(f"{text} from {decimal_text(position.average)} leads to no price above 0")
    return price


# In place


def _parts_in_place(turn: Turn, instruction: TableInstruction, known: Bracket, size: int) -> list[Part]:
    """Return the parts of the pair's trades if their legs are what is asked for but for their prices; else none."""
    name = _name_of(turn, instruction, known)
    entries = [entry for entry in turn.active_entries() if _is_of(turn, entry, name)]
    parts = [part for entry in entries for part in parts_of(turn, entry) if part.rest > 0]
    of_others = [leg for entry in entries if entry.is_foreign for leg in turn.legs_of(entry)]
    if any(it.may_work for leg in of_others for it in turn.venue_orders_of(leg)):
        return []
    if not all(part.entry.action == _side(instruction) and _is_alike(part, known) for part in parts):
        return []
    is_of_position = [part.entry.is_position for part in parts] == [True]
    return parts if is_of_position or sum(part.rest for part in parts) == size else []


def _is_alike(part: Part, known: Bracket) -> bool:
    """Return whether a part has legs of these kinds and no others, which work, or are about to be placed."""
    types = {kind_of(str(leg.leg)): leg.order_type for leg in _legs(part)}
    if known.without_target:
        types.pop("TARGET", None)
    latest = [order for order in (last_of(part.stops), last_of(part.targets)) if order is not None]
    is_ending = any(order.is_over or order.awaits_cancel for order in latest)
    return part.close is None and not is_ending and types == {kind: it.order_type for kind, it in known.terms.items()}


def _legs(part: Part) -> Iterator[TableOrder]:
    return (leg for leg in (part.stop, part.target) if leg is not None and is_wanted(leg))


def _is_changed_later(instruction: TableInstruction, leg: TableOrder) -> bool:
    """Return whether an alert that came later asks something of a leg: that counts."""
    is_later = leg.wanted_at is not None and leg.wanted_at > instruction.received_at
    return is_later and leg.kind != "place"


# In the place of others


def _replace(turn: Turn, instruction: TableInstruction, known: Bracket) -> None:
    """Have own orders end, look at the position again, and give it legs of its own."""
    is_left = _have_orders_end(turn, instruction, known)
    if is_left and turn.at - (known.clears_since or turn.at) < ORDERS_END_WITHIN:
        return
    name, side = _name_of(turn, instruction, known), _side(instruction)
    position = known_position(turn, str(instruction.asked.account), known.instrument)
    if position.side == "UNKNOWN":
        _fail(turn, instruction, "its orders were cancelled, and nobody knows the position any more: look at its stop")
        return
    fills = [(fill.quantity, 1 if it.action == side else -1) for it, fill in _fills_since(turn, name, known.began)]
    by_file, by_fills = _open(position, side), known.open + sum(quantity * sign for quantity, sign in fills)
    moved_at = unsettled_since(turn, position.account, position.instrument)
    if by_file != by_fills and moved_at is not None:
        if turn.at - moved_at < SETTLES_WITHIN or by_file <= 0 < by_fills:
            return
        # So much is open for certain; the file, when it comes, says how much more.
        by_file = min(by_file, by_fills)
        known = known._replace(is_provisional=True)
    size = min(instruction.asked.qty or by_file, by_file)
    left = _left_to_close(turn, name, opposite(side))
    if by_file <= 0:
        _finish(turn, instruction, "no_position", "own orders have closed it while they were being cancelled")
    elif size <= left:
        _fail(turn, instruction, f"own orders that would close {left} have not ended: look at its stop")
    else:
        _make(turn, instruction, known, size - left, position.open_at or turn.at)
        made = turn.instructions[instruction.instruction_id]
        given = _tell_bare(turn, turn.orders[made.instruction_id], made.bracket or known, by_file, size)
        turn.put(made._replace(bracket=given))


def _own(turn: Turn, instruction: TableInstruction, known: Bracket) -> list[TableOrder]:
    """Return the orders of the pair that were received before, legs with their entries."""
    name, until = _name_of(turn, instruction, known), instruction.received_at
    own = [order for order in turn.active() if _is_of(turn, order, name)]
    times = [(order, turn.orders.get(order.entry_id or "", order).received_at) for order in own]
    return [order for order, received_at in times if received_at is None or received_at <= until]


def _unresolved(turn: Turn, instruction: TableInstruction, known: Bracket) -> list[str]:
    """Return the orders of which nobody knows whether they would close the position beside a new stop."""
    own = [order for order in _own(turn, instruction, known) if order.action == opposite(_side(instruction))]
    return [order.order_id for order in own if unresolved_of(turn, order) is not None]


def _have_orders_end(turn: Turn, instruction: TableInstruction, known: Bracket, but: Collection[str] = ()) -> bool:
    """Have the own orders of the pair end that were received before, but these; return whether some have not yet."""
    is_left = False
    for order in _own(turn, instruction, known):
        if order.order_id in but:
            continue
        entry = turn.orders.get(order.entry_id or "", order)
        if order.leg is not None and len(entry.increments) > entry.over:
            turn.put(entry._replace(over=len(entry.increments)))
        is_left = have_end(turn, order, TAKEN_OVER) or is_left
    return is_left


def _fills_since(turn: Turn, name: str, began: datetime) -> Iterator[tuple[VenueOrder, Fill]]:
    for order in turn.venue_orders.values():
        if order.fills and order.fills[-1].at > began and _is_of(turn, order, name):
            yield from ((order, fill) for fill in order.fills if fill.at > began)


def _left_to_close(turn: Turn, name: str, action: Action, but: Collection[str] = ()) -> int:
    """Return what own orders but these, whose ends were not seen, would close; a stop and its target do the same."""
    orders = [it for order in turn.active() if order.order_id not in but for it in turn.venue_orders_of(order)]
    left = [it for it in orders if it.may_work and (it.place or it.state) and it.action == action]
    left = [it for it in left if _is_of(turn, it, name)]
    targets = sum(it.qty - it.filled for it in left if it.order_type == "LIMIT")
    return max(targets, sum(it.qty - it.filled for it in left if it.order_type != "LIMIT"))


def _make(turn: Turn, instruction: TableInstruction, known: Bracket, size: int, at: datetime) -> None:
    """Make the legs of a position, which are placed at once; `at` is when it was read last."""
    asked, names = instruction.asked, [f"{kind}1" for kind in known.terms]
    position = TableOrder(
        order_id=instruction.instruction_id,
        placed_by=instruction.instruction_id,
        account=str(asked.account),
        instrument=known.instrument,
        action=_side(instruction),
        order_type="MARKET",
        tif="GTC",
        qty=size,
        received_at=instruction.received_at,
        legs=tuple(names),
        is_position=True,
        ended=OrderState.FILLED,
        increments=(Increment(0, size, None, at),),
        is_closed=True,
    )
    turn.put(position)
    for name, terms in zip(names, known.terms.values(), strict=True):
        made = make_order(
            turn,
            instruction.instruction_id,
            MADE_LEGS[name],
            account=position.account,
            instrument=position.instrument,
            action=opposite(position.action),
            qty=size,
            order_type=terms.order_type,
            tif="GTC",
            limit_price=terms.limit_price,
            stop_price=terms.stop_price,
            opens=False,
        )
        turn.put(made._replace(entry_id=position.order_id, leg=name))
    ids = tuple(map(position.id_of_leg, names))
    turn.put(instruction._replace(bracket=known._replace(leg_ids=ids, began=turn.at), order_ids=ids))


# Until the legs work


def _follow(turn: Turn, instruction: TableInstruction, known: Bracket) -> None:
    """End an instruction once its legs are seen working, or have closed the position, or it is certain that not."""
    legs = [turn.orders[leg_id] for leg_id in known.leg_ids]
    entries = dict.fromkeys(str(leg.entry_id) for leg in legs)
    parts = [part for entry_id in entries for part in parts_of(turn, turn.orders[entry_id]) if part.rest > 0]
    if any(leg.wants_cancel for leg in legs) or _gives_way(turn, instruction, known):
        _finish(turn, instruction, "superseded", "a later command cancels or changes its legs")
        return
    if (why := _why_closed(turn, instruction, known, legs)) is not None:
        turn.alarm_of(instruction.instruction_id, "stop_on_wrong_side", why)
        _finish(turn, instruction, "failed", why)
        return
    waits = known.is_provisional
    for part in parts:
        for leg, order in ((part.stop, last_of(part.stops)), (part.target, last_of(part.targets))):
            if leg is None or leg.order_id not in known.leg_ids or _is_changed_later(instruction, leg):
                continue
            if (why := _why_failed(turn, part, leg, order, known.terms)) is not None:
                _finish(turn, instruction, "failed", why)
                return
            waits = waits or not _works(turn, part, leg, order)
    if known.is_provisional:
        _correct(turn, instruction, known)
    elif not waits:
        _finish(turn, instruction, "done", "; ".join(known.said) or None)
    elif turn.at - known.began >= _SEEN:
        _finish(turn, instruction, "unresolved", "nothing says that its legs work: look in NinjaTrader")


def _correct(turn: Turn, instruction: TableInstruction, known: Bracket) -> None:
    """Give the legs the size of the position once its file tells it, or tell a person that it does not come."""
    name, side = _name_of(turn, instruction, known), _side(instruction)
    position = known_position(turn, str(instruction.asked.account), known.instrument)
    moved_at = unsettled_since(turn, position.account, position.instrument)
    if position.side == "UNKNOWN" or (moved_at is not None and turn.at - moved_at >= FILE_IS_LATE):
        _fail(turn, instruction, "more was filled than its legs close, and no file tells how much: look at its stop")
        return
    if moved_at is not None:
        return
    entry, is_open = turn.orders[instruction.instruction_id], _open(position, side)
    left = _left_to_close(turn, name, opposite(side), but=known.leg_ids)
    size = max(min(instruction.asked.qty or is_open, is_open) - left, 0)
    for part in parts_of(turn, entry):
        turn.put(entry._replace(increments=(part.increment._replace(quantity=filled(part.all) + size),)))
    turn.put(instruction._replace(bracket=known._replace(is_provisional=False, open=is_open)))


def _gives_way(turn: Turn, instruction: TableInstruction, known: Bracket) -> bool:
    """Return whether a later command waits that closes the whole position, or gives it other legs."""
    account = str(instruction.asked.account)
    later = (it for it in turn.instructions.values() if it.result is None and not it.is_closed)
    return any(
        it.instruction_id != instruction.instruction_id
        and it.received_at >= instruction.received_at
        and (
            closes_whole(it.asked)
            or (it.asked.command == instruction.asked.command and it.asked.action == _side(instruction))
        )
        and concerns(turn, it._replace(begun_at=None), account, known.instrument)
        for it in later
    )


def _why_closed(turn: Turn, instruction: TableInstruction, known: Bracket, legs: Collection[TableOrder]) -> str | None:
    """Return that a stop has closed what it was to protect before it was seen working; None where none has."""
    for leg in legs:
        if kind_of(str(leg.leg)) != "STOP" or _is_changed_later(instruction, leg):
            continue
        for order in turn.venue_orders_of(leg):
            is_given = order.stop_price == known.terms["STOP"].stop_price and not order.closes
            if is_given and order.fills and order.fills[-1].at > known.began:
                what = f"{leg.order_id} has closed {order.filled} at once"
                return f"{what}: {order.stop_price} is on the wrong side of the market"
    return None


def _why_failed(
    turn: Turn, part: Part, leg: TableOrder, order: VenueOrder | None, terms: Mapping[str, Terms]
) -> str | None:
    """Return why a leg does not work as it should, and will not; None where it may still."""
    wanted = terms[kind_of(str(leg.leg))]
    if part.close is not None or (order is not None and order.state is OrderState.REJECTED):
        why = order.log if order and order.log else "NinjaTrader does not say why"
        is_stop = kind_of(str(leg.leg)) == "STOP"
        then = "its part is closed at the market" if turn.config.stop_rejected == "close" else "its part has no stop"
        return f"{leg.order_id} was rejected: {why}" + (f"; {then}" if is_stop else "")
    if (leg.limit_price, leg.stop_price) != (wanted.limit_price, wanted.stop_price):
        return f"{leg.order_id} keeps its price: {leg.why}"
    return None


def _works(turn: Turn, part: Part, leg: TableOrder, order: VenueOrder | None) -> bool:
    """Return whether NinjaTrader has a leg at its price, for what is left of its part."""
    if order is None or not order.is_live or not order.has_known_values:
        return False
    is_whole = order.qty == order.filled + part.rest
    return is_whole and (order.limit_price, order.stop_price) == prices_of(turn, part.entry, leg)
