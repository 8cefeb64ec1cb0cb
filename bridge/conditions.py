"""What must hold of positions before an order is placed, or an instruction carried out. It asks, and changes nothing.

Unknown is not flat. What is about to change is waited for, a little.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from bridge.months import why_other_month
from bridge.pairs import pair
from bridge.positions import SETTLES_WITHIN, known_pairs, known_position, last_moved
from bridge.records import TableOrder
from bridge.state import Position, Turn
from orderhook.conditions import Conditions, MarketSide, Sync
from orderhook.orders import folded

SIDES: dict[str, MarketSide] = {"FLAT": "flat", "LONG": "long", "SHORT": "short"}


class Fails(NamedTuple):
    """That a condition does not hold, so that nothing is done."""

    code: Literal["blocked", "no_position", "position_unknown", "flatten_timeout"]
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


Answer = Literal["holds", "waits"] | Fails
"""Whether something may be done: now, perhaps in a moment, or not at all."""

Sides = Literal["in_sync", "there", "out"]


class Asked(NamedTuple):
    """What is to be done, where, and since when its conditions are asked."""

    account: str
    instrument: str
    since: datetime


def judge(turn: Turn, conditions: Conditions, asked: Asked) -> Answer:
    """Return whether the conditions hold that say where a position has to be, and how many may be open."""
    answer: Answer = "holds"
    if conditions.reverses:
        answer = _there_is_one(turn, conditions, asked)
    if answer == "holds" and conditions.require_market_position:
        answer = _is_where(turn, conditions, asked)
    if answer == "holds" and conditions.max_positions is not None:
        answer = _is_room(turn, asked, conditions.max_positions)
    return answer


def compare(turn: Turn, conditions: Conditions, sync: Sync, asked: Asked) -> Sides | Literal["waits"] | Fails:
    """Return how a position stands to what a strategy thinks of it: out of sync where another month is held instead."""
    side = settled_side(turn, asked)
    if isinstance(side, Fails) or side == "waits":
        return side
    if side == "flat" and why_other_month(turn, conditions, asked.account, asked.instrument):
        return "out"
    if side == sync.prev_market_position:
        return "in_sync"
    return "there" if side == sync.market_position else "out"


def settled_side(turn: Turn, asked: Asked) -> MarketSide | Literal["waits"] | Fails:
    """Return on which side a position is, once that is certain."""
    is_about_to_change = is_unsettled(turn, asked.account, asked.instrument)
    if is_about_to_change and turn.at - asked.since < SETTLES_WITHIN:
        return "waits"
    side = known_position(turn, asked.account, asked.instrument).side
    if side == "UNKNOWN":
        why = f"NinjaTrader has not told the position of {asked.instrument} since its start"
        return Fails("position_unknown", why)
    if is_about_to_change:
        return Fails("blocked", f"{asked.instrument} is not settled: a market order or a fill is under way")
    return SIDES[side]


def is_unsettled(turn: Turn, account: str, instrument: str) -> bool:
    """Return whether a position is about to change: a MARKET order is in flight, or a fill is not in its file."""
    return last_moved(turn, account, instrument) is not None


def _there_is_one(turn: Turn, conditions: Conditions, asked: Asked) -> Answer:
    side = settled_side(turn, asked)
    if side == "flat":
        other = why_other_month(turn, conditions, asked.account, asked.instrument)
        return Fails("no_position", other or f"{asked.instrument} is flat")
    return side if isinstance(side, Fails) or side == "waits" else "holds"


def _is_where(turn: Turn, conditions: Conditions, asked: Asked) -> Answer:
    side, allowed = settled_side(turn, asked), conditions.require_market_position
    if isinstance(side, Fails) or side == "waits":
        return side
    if side in allowed:
        return "holds"
    why = f"the position is {side}, and require_market_position is {', '.join(allowed)}"
    other = why_other_month(turn, conditions, asked.account, asked.instrument)
    return Fails("blocked", f"{why}; {other}" if other else why)


def _is_room(turn: Turn, asked: Asked, most: int) -> Answer:
    """Return whether an order opens no further instrument, or there is room for it.

    What may be open counts: a pair whose position is not known, and one with an entry that may be filled.
    """
    name = pair(turn.at, asked.account, asked.instrument)
    others = [it for it in known_pairs(turn) if folded(it.account) == folded(asked.account)]
    others = [it for it in others if pair(turn.at, it.account, it.instrument) != name and _may_be_open(turn, it)]
    if len(others) < most:
        return "holds"
    position = known_position(turn, asked.account, asked.instrument)
    is_open = position.side in ("LONG", "SHORT")
    about_to_change = [it for it in (*others, position) if is_unsettled(turn, it.account, it.instrument)]
    if is_open and position not in about_to_change:
        return "holds"
    if about_to_change and turn.at - asked.since < SETTLES_WITHIN:
        return "waits"
    counted = ", ".join(sorted(f"{it.instrument} {_how(it)}" for it in others))
    return Fails("blocked", f"max_positions is {most}: {counted}")


def _may_be_open(turn: Turn, position: Position) -> bool:
    if position.side != "FLAT" or is_unsettled(turn, position.account, position.instrument):
        return True
    orders = orders_of(turn, pair(turn.at, position.account, position.instrument))
    return any(_may_open(turn, order) for order in orders)


def _may_open(turn: Turn, order: TableOrder) -> bool:
    """Return whether an order is an entry that may be filled, or takes the place of what it has closed."""
    if order.leg or order.ended:
        return False
    known = turn.venue_orders_of(order)
    known = [it for it in known if it.place or it.state] or known  # of another journal's, those that are seen count
    return any(it.may_work for it in known) or (not known and order.first is not None)


def _how(position: Position) -> str:
    return position.side if position.side != "FLAT" else "with an entry under way"


def orders_of(turn: Turn, name: str) -> Iterator[TableOrder]:
    """Return the orders of a pair that the table has not finished."""
    return (order for order in turn.active() if pair(turn.at, order.account, order.instrument) == name)
