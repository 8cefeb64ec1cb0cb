"""That new prices of legs cross none of a leg which works: what the transaction that writes them checks."""

from collections.abc import Mapping
from decimal import Decimal

from orderhook.commands.addressed_order import Met
from orderhook.errors import OrderhookError
from orderhook.leg_prices import crosses, is_apart, is_ended, must_be_above, opposite_legs, price_field, price_of
from orderhook.orders import TERMINAL, Leg, Order
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.expressions import Condition, state_in
from orderhook.store.writes import Check
from orderhook.trade import leg_field, leg_id


def price_checks(provenance: Provenance, met: Met, after: Order) -> list[tuple[Check, OrderhookError | None]]:
    """Return the checks that the new prices of legs cross none of a leg which works, each with the refusal it means.

    A check without one is that the entry, whose waiting legs were looked at, is still the same. Raises
    InvalidValueError where a price crosses that of such a leg.
    """
    checks: dict[str, tuple[Check, OrderhookError | None]] = {}
    with_entry = met.leg is None and met.item.entry_id is None
    # Legs that this very alert adds, or that its fills reach now, were checked beside one another.
    entry = met.item if met.entry is None else met.entry
    for name, price in _new_prices(met, after).items():
        field = leg_field(name, after.legs[name].order_type) if with_entry else None
        for other, leg in opposite_legs(entry, name).items():
            if leg.released:
                check = _apart(provenance, entry, name, price, other)
                checks[check.key["sk"]] = (check, crosses(entry, name, price, other, field))
            elif met.entry is not None and entry.at(provenance.now).is_open:
                if not is_apart(entry, name, price, price_of(other, leg)):
                    raise crosses(entry, name, price, other, field)
                key = items.order_key(provenance.trader, entry.order_id)
                checks[key["sk"]] = (Check(key, "#version = :seen", {":seen": entry.version}), None)
    return list(checks.values())


def _new_prices(met: Met, after: Order) -> dict[str, Decimal]:
    """Return the prices of the legs that get other ones, by their names."""
    was: Mapping[str, Leg | Order] = met.item.legs
    now: Mapping[str, Leg | Order] = after.legs
    if met.item.entry_id is not None:
        if after.state in TERMINAL:
            return {}
        name = str(after.order_name)
        was, now = {name: met.item}, {name: after}
    prices = {name: price_of(name, leg) for name, leg in now.items()}
    return {
        name: price
        for name, price in prices.items()
        if price is not None and (name not in was or price != price_of(name, was[name]) or is_ended(was[name]))
    }


def _apart(provenance: Provenance, entry: Order, name: str, price: Decimal, other: str) -> Check:
    """Return the check that the price of a leg is on its side of that of another which has an item of its own."""
    attribute = price_field(other)
    sign = "<" if must_be_above(entry, name) else ">"
    finished = state_in(TERMINAL)
    condition = Condition(
        f"attribute_not_exists(pk) OR {finished.expression} OR attribute_not_exists(#{attribute}) "
        f"OR #{attribute} {sign} :price",
        {**finished.values, ":price": price},
    )
    key = items.order_key(provenance.trader, leg_id(entry.order_id, other))
    return Check(key, condition.expression, condition.values)
