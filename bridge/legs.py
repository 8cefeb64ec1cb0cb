"""What is asked of an entry's legs: what comes with a change of the entry is done with it, or not at all.

A CANCELREPLACE brings the entry's price, its target and its stop as one. While the entry's part is not done, legs keep
the terms that fit the price at which it works, and are placed with those where it is filled.
"""

from bridge.carrying_out import is_as_wanted, is_being_replaced, latest, was_enough
from bridge.conditions import Answer, Asked, Fails, judge
from bridge.records import TableOrder, Terms
from bridge.state import Turn
from orderhook.conditions import NO_CONDITIONS
from orderhook.leg_prices import is_beyond
from orderhook.trade import kind_of, opposite


def settle(turn: Turn, entry: TableOrder) -> None:
    """Have the legs of an entry take what is asked of them, or drop it with the change of the entry."""
    if entry.acked < entry.n and _is_over(turn, entry) and not (entry.is_foreign or is_as_wanted(turn, entry)):
        # It ended without what was asked of it last, or before a cancel.
        dropped = entry.n if entry.kind != "cancel" else entry.n - 1
        current = latest(turn, entry)
        is_late = current is not None and was_enough(current) and entry.kind != "cancel"
        why = "its rest was being ended by the change before" if is_late else entry.why
        entry = entry._replace(given_up=max(entry.given_up, dropped), why=why)
        turn.put(entry)
    for leg in turn.legs_of(entry):
        if leg.asked is not None:
            _settle_leg(turn, entry, leg, leg.asked)


def _is_over(turn: Turn, entry: TableOrder) -> bool:
    current = latest(turn, entry)
    is_over = current is not None and current.is_over and not is_being_replaced(turn, entry)
    return is_over or entry.ended is not None


def _settle_leg(turn: Turn, entry: TableOrder, leg: TableOrder, asked: Terms) -> None:
    if not leg.of and not _fits(turn, entry, leg, asked):
        # It was asked for the price that its entry is to have.
        leg = leg._replace(of=entry.n)
        turn.put(leg)
    if leg.conditions is not None and not leg.is_foreign and (answer := _judge(turn, leg)) != "holds":
        if isinstance(answer, Fails):
            turn.put(leg._replace(asked=None, given_up=leg.n, acked=leg.n, why=str(answer)))
        return
    # An entry that ended before anybody saw what was asked of it has not done that either.
    if leg.of > 0 and (entry.given_up >= leg.of or (entry.n < leg.of and _is_over(turn, entry))):
        why = f"dropped with the change of {entry.order_id}: {entry.why or 'it had ended'}"
        turn.put(leg._replace(asked=None, given_up=leg.n, acked=leg.n, why=why))
        if entry.increments and leg.ended and kind_of(str(leg.leg)) == "STOP":
            # It was to be added.
            turn.alarm_once(leg.order_id, "unprotected", f"what is filled has no stop: it was {why}", of=leg.n)
    elif entry.acked >= leg.of or (entry.n >= leg.of and is_as_wanted(turn, entry)):
        turn.put(leg._replace(**asked._asdict(), asked=None, ended=None))


def _judge(turn: Turn, leg: TableOrder) -> Answer:
    """Return whether what a CANCELREPLACE of a leg asks of the position holds."""
    since = leg.heeded_since or turn.at
    if leg.heeded_since is None:
        turn.put(leg._replace(heeded_since=since))
    return judge(turn, leg.conditions or NO_CONDITIONS, Asked(leg.account, leg.instrument, since))


def _fits(turn: Turn, entry: TableOrder, leg: TableOrder, asked: Terms) -> bool:
    """Return whether what is asked of a leg alone fits its entry as it works, while that is to be changed."""
    current = latest(turn, entry)
    is_to_change = entry.acked < entry.n and entry.kind in ("change", "replace")
    if current is None or not is_to_change or entry.increments:
        return True
    is_target = kind_of(str(leg.leg)) == "TARGET"
    price = asked.limit_price if is_target else asked.stop_price
    side = entry.action if is_target else opposite(entry.action)
    own = (current.limit_price, current.stop_price)
    return price is None or all(it is None or is_beyond(side, price, it) for it in own)
