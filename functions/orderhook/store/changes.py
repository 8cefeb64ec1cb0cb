"""The writes by which CHANGE and CANCELREPLACE alter an order at once, without a look at its item.

Each stands under a condition that says all it needs to know. It is None where no condition can say that.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from orderhook.altering import Replacement
from orderhook.orders import CHANGEABLE, PRICES, OrderState, decimal_text
from orderhook.provenance import Provenance
from orderhook.relative_prices import NO_OFFSETS
from orderhook.store.asking import EXPIRES, changes, changes_leg, replaces
from orderhook.store.expressions import (
    ASKS_NOTHING_OF_POSITION,
    HISTORY_HAS_ROOM,
    NOT_DUE,
    SIGNED,
    Condition,
    Values,
    in_market,
    leaves_trace,
    no_trace,
    open_in,
    signature,
    waiting_leg,
)
from orderhook.trade import entry_and_leg, kind_of, partner_of, types_of
from orderhook.venues import Venue


class Alteration(NamedTuple):
    """A write of an order: what it sets and removes, the values of that, and the condition with its own."""

    condition: Condition
    expression: str
    values: Values


# CHANGE


def changing(venue: Venue, provenance: Provenance, order_id: str, new: Mapping[str, int | Decimal]) -> Alteration:
    """Return the write that gives an order these values."""
    asked = changes(venue, provenance, is_leg=entry_and_leg(order_id) is not None)
    condition = open_in(CHANGEABLE, provenance) & NOT_DUE & HISTORY_HAS_ROOM & no_trace(provenance.digest)
    condition &= ASKS_NOTHING_OF_POSITION & asked.condition
    if asked.state:
        condition &= differs(new, ())
    if "qty" in new:
        condition &= Condition("#filled < :qty AND attribute_not_exists(#entry_id)", {})
    prices = [name for name in PRICES if name in new]
    for name in prices:
        condition &= Condition(f"attribute_exists(#{name})", {})
    if prices:
        condition &= beyond_legs(prices)
        # Of a leg that is a stop limit the two prices have an order of their own.
        condition &= Condition("(attribute_not_exists(#entry_id) OR #order_type <> :two)", {":two": "STOPLIMIT"})
    trace, trace_values = leaves_trace(provenance)
    expression = f"SET {SIGNED}, {_assign(new)}{trace}{asked.assignments}"
    texts = {name: decimal_text(Decimal(value)) for name, value in new.items()}
    values: Values = {**_values(new), **trace_values, **asked.values}
    values |= signature(provenance, provenance.event(asked.state, texts))
    return Alteration(condition, expression, values)


def changing_leg(venue: Venue, provenance: Provenance, name: str, new: Mapping[str, Decimal]) -> Alteration | None:
    """Return the write that gives a leg a price which waits in its entry's item; None for two prices."""
    if len(new) > 1:
        return None
    leg = f"#legs.#{name}"
    [(price, value)] = new.items()
    condition = Condition(f"attribute_exists({leg}.#{price})", {})
    if kind_of(name) == "STOP":
        # Of a stop limit the two prices have an order of their own: `rewrite` looks at it.
        condition &= Condition(f"{leg}.#order_type = :stopmarket", {":stopmarket": "STOPMARKET"})
    return _pricing_leg(venue, provenance, name, value, condition, {price: decimal_text(value)})


# CANCELREPLACE


def replacing(
    venue: Venue,
    provenance: Provenance,
    order_id: str,
    new: Replacement,
    texts: Mapping[str, str],
    retention: timedelta,
) -> Alteration | None:
    """Return the write that brings an order into its next generation."""
    leg = entry_and_leg(order_id)
    # A venue may not do it: then the time limit is again the one that it was.
    changes_limit = venue.name is not None and (new.cancels_at or new.lifts_time_limit)
    is_other = leg and (new.order_type not in types_of(kind_of(leg[1])) or not new.is_in_order)
    if new.legs or changes_limit or is_other or new.conditions.if_any:
        return None
    day_ends = None if leg else venue.day_ends(new.day_ends)
    sets, removes = _replaced_attributes(new, day_ends, is_leg=leg is not None)
    asked = replaces(venue, provenance, is_leg=leg is not None, names_group=new.oco_id is not None)
    condition = open_in(CHANGEABLE, provenance) & NOT_DUE & HISTORY_HAS_ROOM & no_trace(provenance.digest)
    condition &= ASKS_NOTHING_OF_POSITION & asked.condition
    entry = "attribute_not_exists(#entry_id) AND attribute_not_exists(#template)"
    of_kind = "attribute_exists(#entry_id) AND #closes >= :qty" if leg else entry
    condition &= Condition(f"#action = :action AND #filled < :qty AND {of_kind}", {":action": new.action})
    if prices := [name for name in PRICES if name in sets]:
        condition &= beyond_legs(prices)
    if leg:
        # One that lacked a price works as soon as it has one.
        condition &= Condition("#state <> :initialized", {":initialized": str(OrderState.INITIALIZED)})
    condition &= differs([it for it in sets if it != "notes"], [it for it in removes if it != "expires"])
    trace, trace_values = leaves_trace(provenance)
    expression = f"SET {SIGNED}, {_next_generation()}, {_assign(sets)}{trace}{asked.sets}"
    values: Values = {**_values(sets), **trace_values, **asked.values}
    if day_ends:
        expression += f", {EXPIRES}"
        expires = int((datetime.fromisoformat(day_ends) + retention).timestamp())
        values |= {":expires": expires, ":none_longer": 0}
    expression += " REMOVE " + ", ".join([*(f"#{it}" for it in removes), *filter(None, [asked.removes])])
    values |= signature(provenance, provenance.event(asked.state, texts))
    return Alteration(condition, expression, values)


def _replaced_attributes(
    new: Replacement, day_ends: str | None, *, is_leg: bool
) -> tuple[Mapping[str, object], Sequence[str]]:
    """Return the attributes of an order that its replacement sets, and those that it removes."""
    given = {it: value for it in (*PRICES, "oco_id", "cancels_at", "notes") if (value := getattr(new, it)) is not None}
    sets: dict[str, object] = {"order_type": new.order_type, "qty": new.qty, **given}
    removes = [*NO_OFFSETS._fields, *(it for it in PRICES if it not in sets)]
    if not is_leg:
        sets |= {"tif": new.tif} | ({"day_ends": day_ends} if day_ends else {})
        removes += [] if day_ends else ["day_ends", "expires"]
    if new.lifts_time_limit and "cancels_at" not in sets:
        removes.append("cancels_at")
    return sets, removes


def replacing_leg(
    venue: Venue, provenance: Provenance, name: str, new: Replacement, texts: Mapping[str, str]
) -> Alteration | None:
    """Return the write that brings a leg which waits in its entry's item into its next generation."""
    leg, target = f"#legs.#{name}", kind_of(name) == "TARGET"
    order_type = "LIMIT" if target else "STOPMARKET"
    if new.order_type != order_type or new.legs or new.cancels_at or new.oco_id or new.conditions.if_any:
        return None
    price = "limit_price" if target else "stop_price"
    condition = Condition(
        f"{leg}.#order_type = :order_type AND #action <> :action AND NOT {leg}.#{price} = :price",
        {":action": new.action, ":order_type": order_type},
    )
    condition &= Condition("#qty = :qty", {":qty": new.qty}) & in_market(new.account, new.instrument, new.root)
    sets = f", {_next_generation(f'{leg}.')}"
    return _pricing_leg(venue, provenance, name, getattr(new, price), condition, texts, sets)


# Both


def _pricing_leg(
    venue: Venue,
    provenance: Provenance,
    name: str,
    value: Decimal,
    condition: Condition,
    texts: Mapping[str, str],
    sets: str = "",
) -> Alteration:
    leg, target = f"#legs.#{name}", kind_of(name) == "TARGET"
    price, nearest = ("limit_price", "nearest_target") if target else ("stop_price", "nearest_stop")
    asked = changes_leg(venue, provenance, name, price)
    # An offset goes with the first price that it is given.
    of_its_own = f"attribute_not_exists({leg}.#size) AND attribute_not_exists({leg}.#offset)"
    condition &= asked.condition & Condition(of_its_own, {}) & HISTORY_HAS_ROOM
    condition &= open_in(CHANGEABLE, provenance) & waiting_leg(name) & no_trace(provenance.digest)
    condition &= leg_before_entry(kind_of(name), ":price")
    # The price of a leg that was released stands in its own item.
    condition &= Condition(f"attribute_not_exists(#legs.#{partner_of(name)}.#released)", {})
    trace, trace_values = leaves_trace(provenance)
    expression = f"SET {SIGNED}, {leg}.#{price} = :price, #{nearest} = :price{sets}{trace}{asked.assignments}"
    values: Values = {":price": value, **trace_values, **asked.values}
    values |= signature(provenance, provenance.event(None, texts, leg=name))
    return Alteration(condition, expression, values)


def _next_generation(of: str = "") -> str:
    generation = f"{of}#generation"
    return f"{generation} = if_not_exists({generation}, :one) + :one"


def _assign(names: Iterable[str]) -> str:
    return ", ".join(f"#{name} = :{name}" for name in names)


def _values(new: Mapping[str, object]) -> Values:
    return {f":{name}": value for name, value in new.items()}


def differs(sets: Iterable[str], removes: Iterable[str]) -> Condition:
    """Return the condition that an order has not all of these values, and none of the others, already."""
    same = [*(f"#{name} = :{name}" for name in sets), *(f"attribute_not_exists(#{name})" for name in removes)]
    return Condition(f"NOT ({' AND '.join(same)})", {})


def beyond_legs(prices: Sequence[str]) -> Condition:
    """Return the condition that new prices of an entry lie beyond its stops and before its targets, or it has fills."""

    def side(above: str, below: str) -> str:
        parts = [
            f"(attribute_not_exists(#{nearest}) OR #{nearest} {sign} :{price})"
            for price in prices
            for nearest, sign in (("nearest_stop", above), ("nearest_target", below))
        ]
        return " AND ".join(parts)

    return Condition(
        f"(#filled > :zero OR (#action = :buy AND {side('<', '>')}) OR (#action <> :buy AND {side('>', '<')}))",
        {":zero": 0, ":buy": "BUY"},
    )


def leg_before_entry(kind: str, price: str) -> Condition:
    """Return the condition that a leg's new price lies on its side of the entry's prices and of the other leg's."""
    other = "nearest_stop" if kind == "TARGET" else "nearest_target"

    def side(sign: str) -> str:
        own = " AND ".join(f"(attribute_not_exists(#{name}) OR #{name} {sign} {price})" for name in PRICES)
        return f"(#filled > :zero OR ({own})) AND (attribute_not_exists(#{other}) OR #{other} {sign} {price})"

    long, short = ("<", ">") if kind == "TARGET" else (">", "<")
    return Condition(
        f"((#action = :buy AND {side(long)}) OR (#action <> :buy AND {side(short)}))", {":zero": 0, ":buy": "BUY"}
    )
