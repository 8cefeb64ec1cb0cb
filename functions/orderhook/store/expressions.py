"""Expressions that the writes of orders share: which orders a condition allows, and what every change sets.

In an expression `#name` stands for the attribute of that name, and `:name` for a value.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import NamedTuple

from orderhook.limits import Limits, months_of
from orderhook.orders import (
    CANCELS_OF_A_TRADE,
    MAX_HISTORY,
    RELEASED_WITHIN,
    SAME_BAR,
    Event,
    OrderState,
    Want,
    timestamp,
)
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.writes import Item, Update

Values = dict[str, object]

VERSIONED = "#version = #version + :one, #request_id = :request_id"
"""What every change of an order or a strategy sets; a change of an order sets more."""

SIGNED = f"{VERSIONED}, #history = list_append(#history, :event)"


_INNERMOST_PARENTHESES = re.compile(r"\([^()]*\)")


class Condition(NamedTuple):
    """A condition and its values; `a & b` holds where both do."""

    expression: str
    values: Mapping[str, object]

    def __and__(self, other: "Condition") -> "Condition":
        both = f"{_operand(self.expression)} AND {_operand(other.expression)}"
        return Condition(both, {**self.values, **other.values})


@lru_cache(maxsize=256)
def _operand(expression: str) -> str:
    """Return the expression, in parentheses where an OR stands outside of any; DynamoDB refuses what is redundant."""
    outside, found = expression, 1
    while found:
        outside, found = _INNERMOST_PARENTHESES.subn("", outside)
    return f"({expression})" if " OR " in outside else expression


@cache
def state_in(states: frozenset[OrderState]) -> Condition:
    """Return the condition that an order is in one of these states."""
    values = {f":state{number}": str(state) for number, state in enumerate(sorted(states))}
    return Condition(f"#state IN ({', '.join(values)})", values)


def open_in(states: frozenset[OrderState], provenance: Provenance) -> Condition:
    """Return the condition that an order is in one of these states, and not ended by its time (Order.at)."""
    day = Condition("(attribute_not_exists(#day_ends) OR #day_ends > :now)", {":now": provenance.now})
    earliest_due = timestamp(provenance.at - RELEASED_WITHIN)
    wait = Condition("(attribute_not_exists(#due) OR #due > :earliest_due)", {":earliest_due": earliest_due})
    return state_in(states) & day & wait


def of_strategy(strategy_id: str) -> Condition:
    """Return the condition that an order belongs to this strategy."""
    return Condition("#strategy_id = :strategy_id", {":strategy_id": strategy_id})


def in_market(account: str, instrument: str | None, root: str | None = None) -> Condition:
    """Return the condition that an open order is in this account, or in this account and instrument, or root."""
    return Condition("begins_with(#open, :market)", {":market": items.open_prefix(account, instrument, root)})


def within(limits: Limits, order_id: str) -> Condition:
    """Return the condition that an open order is in an account and an instrument that a key reaches."""
    accounts = {f":account{number}": items.open_prefix(each) for number, each in enumerate(limits.accounts)}
    # With the order's own id behind it, so that nothing in an id can pass for an instrument.
    endings = {
        f":instrument{number}": items.open_ending(each, order_id) for number, each in enumerate(limits.instruments)
    }
    # Of every month of a future: the names of what is listed are all spelt alike.
    months = {f":months{number}": each for number, each in enumerate(months_of(limits.instruments))}
    in_account = [f"begins_with(#open, {name})" for name in accounts]
    in_instrument = [f"contains(#open, {name})" for name in endings]
    in_instrument += [f"begins_with(#instrument, {name})" for name in months]
    either = [" OR ".join(names) for names in (in_account, in_instrument) if names]
    return Condition(" AND ".join(f"({each})" for each in either), {**accounts, **endings, **months})


def waiting_leg(name: str) -> Condition:
    """Return the condition that a leg waits in its entry's item, and has a share of its quantity."""
    leg = f"#legs.#{name}"
    waits = f"attribute_exists({leg}) AND attribute_not_exists({leg}.#end) AND attribute_not_exists({leg}.#released)"
    return Condition(f"{waits} AND (attribute_not_exists({leg}.#start) OR #qty > {leg}.#start)", {})


def no_larger_than(qty: int) -> Condition:
    """Return the condition that an order's quantity is not larger than this."""
    return Condition("#qty <= :most_qty", {":most_qty": qty})


def received_until(received_at: str) -> Condition:
    """Return the condition that an order was received by then; one that does not say when counts as older."""
    return Condition("(attribute_not_exists(#received_at) OR #received_at <= :until)", {":until": received_at})


def leg_received_until(name: str, received_at: str) -> Condition:
    """Return the condition that a leg in its entry's item was received by then, or came with its entry."""
    received = f"#legs.#{name}.#received_at"
    return Condition(f"(attribute_not_exists({received}) OR {received} <= :until)", {":until": received_at})


def not_delayed_since(at: datetime, delay: int) -> Condition:
    """Return the condition that an order is not of the bar of this time, with this `delay` or a longer one."""
    return Condition(
        "(attribute_not_exists(#delay) OR #delay < :own_delay OR #received_at < :bar OR #received_at > :bar_end)",
        {":own_delay": delay, ":bar": timestamp(at - SAME_BAR), ":bar_end": timestamp(at + SAME_BAR)},
    )


def cancels_at(at: str) -> Condition:
    """Return the condition that this is when the order's time is over, or was before a change that is not done."""
    return Condition("(#cancels_at = :cancels_at OR #want.#cancels_at = :cancels_at)", {":cancels_at": at})


ASKS_NOTHING_OF_POSITION = Condition("attribute_not_exists(#conditions)", {})
"""What asks something of the position is looked at: whether its venue has answered decides what is asked next."""

NOT_DUE = Condition("attribute_not_exists(#due)", {})
"""What waits for its delay is looked at: it may be void, its day begins with its release, and it leaves the table."""

HISTORY_HAS_ROOM = Condition("size(#history) < :room", {":room": MAX_HISTORY - CANCELS_OF_A_TRADE})


def at_venue(name: str | None) -> Condition:
    """Return the condition that an order is at this venue; None is that it has none."""
    if name is None:
        return Condition("attribute_not_exists(#venue)", {})
    return Condition("#venue = :venue", {":venue": name})


class Asked(NamedTuple):
    """What a write says that asks something of a venue: what it sets, what it removes, and the values."""

    sets: str = ""
    removes: str = ""
    values: Mapping[str, object] = {}


def asked(want: Want | None, of: str = "#want") -> Asked:
    """Return the assignments that ask this, as the next want of an order, or of a part of it; none for no want."""
    if want is None:
        return Asked()
    sets = f", {of}.#n = {of}.#n + :one, {of}.#kind = :kind, {of}.#at = :asked_at"
    values: Values = {":kind": want.kind, ":asked_at": want.at}
    # What is asked of a leg alone does not come with its entry.
    removes = f"{of}.#of"
    if want.not_after is None:
        return Asked(sets, f"{removes}, {of}.#not_after", values)
    return Asked(f"{sets}, {of}.#not_after = :not_after", removes, values | {":not_after": want.not_after})


def no_trace(digest: str) -> Condition:
    """Return the condition that no alert with this digest has changed the order."""
    return Condition("NOT contains(#digests, :digest)", {":digest": digest})


def leaves_trace(provenance: Provenance) -> tuple[str, Values]:
    """Return the assignment that notes the alert's digest, and its values."""
    return ", #digests = list_append(if_not_exists(#digests, :none), :digests)", {
        ":none": [],
        ":digests": [provenance.digest],
    }


def signature(provenance: Provenance, event: Event) -> Values:
    """Return the values of SIGNED."""
    return {":one": 1, ":request_id": provenance.request_id, ":event": [items.event(event)]}


def update_of(old: Item, new: Item) -> Update:
    """Return the write of what differs between two pictures of an item, if it still has the version of the first.

    What the item holds besides is left alone.
    """
    sets = {name: value for name, value in new.items() if value is not None and value != old.get(name)}
    removes = [name for name, value in new.items() if value is None]
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
    expression += " REMOVE " + ", ".join(f"#{name}" for name in removes) if removes else ""
    values: Values = {f":{name}": value for name, value in sets.items()} | {":seen": old["version"]}
    return Update({name: old[name] for name in ("pk", "sk")}, expression, "#version = :seen", values)
