"""What CHANGE and CANCELREPLACE make of an order: plain data and pure functions.

It may be written already: what describes it judges nothing.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from orderhook.conditions import NO_CONDITIONS, Conditions
from orderhook.errors import AlertWarning, InvalidValueError, UnsupportedValueError
from orderhook.leg_prices import check_prices, field_of, is_stop_limit_in_order, price_of, price_text, with_bounds
from orderhook.orders import PRICES, TERMINAL, Action, Leg, Order, OrderState, OrderType, TimeInForce, folded
from orderhook.relative_prices import NO_OFFSETS
from orderhook.trade import Kind, LegTerms, kind_of, oco_group, types_of, unprotected, unprotected_warning, view_of_leg

# CHANGE


def changed(order: Order, new: Mapping[str, int | Decimal]) -> tuple[Order, list[AlertWarning]]:
    """Return an order with other values, and what to warn of; a quantity not above what is filled ends the rest."""
    after = _priced(order._replace(**_prices(new), conditions=conditions_with(order)))
    # A price alone ends nothing, be more filled than the order's quantity or not.
    return _with_qty(after, int(new["qty"])) if "qty" in new else _described(after)


def _priced(order: Order) -> Order:
    """Return a leg that works now where it lacked a price alone."""
    lacked = order.entry_id is not None and order.state is OrderState.INITIALIZED and order.venue is None
    has = lacked and price_of(str(order.order_name), order) is not None
    return order._replace(state=OrderState.WORKING) if has else order


def check_changed(order: Order, new: Mapping[str, int | Decimal], after: Order) -> None:
    """Raise InvalidValueError unless the order can take the values that make it `after`.

    Prices that stay are not judged: version 0.1 took some that PLACE refuses now.
    """
    _check_prices_of_type(f"Order {order.order_id}", order.order_type, new)
    if order.entry_id is not None:
        _check_has_both_prices(order.order_id, after, new)
    given = tuple(_prices(new))
    _check_own_leg(order, after, int(new.get("qty", order.qty)), given)
    if given and after.state not in TERMINAL:
        check_prices(after, given)


def changed_leg(entry: Order, name: str, new: Mapping[str, int | Decimal]) -> Order:
    """Return an entry with other prices of a leg that waits in its item."""
    legs = {**entry.legs, name: entry.legs[name]._replace(**_prices(new), **NO_OFFSETS._asdict())}
    return with_bounds(entry._replace(legs=legs))


def check_changed_leg(name: str, new: Mapping[str, int | Decimal], after: Order) -> None:
    """Raise InvalidValueError unless a leg can take the prices that it has in `after`."""
    if "qty" in new:
        raise InvalidValueError(
            f"The quantity of {name} follows from its entry {after.order_id}; take qty out, or change the entry.",
            field="qty",
        )
    _check_prices_of_type(name, after.legs[name].order_type, new)
    _check_has_both_prices(name, after.legs[name], new)
    check_prices(after, [max(new)])  # of a stop limit, the stop price


def _check_prices_of_type(named: str, order_type: OrderType, new: Mapping[str, int | Decimal]) -> None:
    for price, takers in PRICES.items():
        if price in new and order_type not in takers:
            raise InvalidValueError(f"{named} is a {order_type} order and has no {price}; take it out.", field=price)


def _check_has_both_prices(named: str, after: Order | Leg, new: Mapping[str, int | Decimal]) -> None:
    """Raise InvalidValueError where of a stop limit that has none yet, as they are distances, one price is given."""
    missing = next((name for name in PRICES if getattr(after, name) is None), None)
    if after.order_type == "STOPLIMIT" and missing and any(name in new for name in PRICES):
        raise InvalidValueError(
            f"The prices of {named} are distances from the fill of its entry, and with one price alone it would have "
            f"no other: add {missing}=...",
            field=missing,
        )


def _check_own_leg(order: Order, after: Order, qty: int, given: Sequence[str]) -> None:
    """Raise InvalidValueError for a quantity or prices that a leg with an item of its own cannot have."""
    if order.closes is not None and qty > order.closes:
        raise InvalidValueError(
            f"Leg {order.order_id} closes the {order.closes} that are filled for it; give no larger qty.",
            field="qty",
            state=order.state,
        )
    if after.state in TERMINAL:
        return  # its remainder ends, whatever its prices
    if order.entry_id and not is_stop_limit_in_order(order.action, after.limit_price, after.stop_price):
        field = field_of(given, "limit_price")
        raise InvalidValueError(
            f"The limit {price_text(after.limit_price)} of a {order.action} stop must not be beyond its stop price "
            f"{price_text(after.stop_price)}; correct {field}.",
            field=field,
        )


def _prices(new: Mapping[str, int | Decimal]) -> Any:
    return {name: Decimal(new[name]) for name in PRICES if name in new}


# CANCELREPLACE


class Replacement(NamedTuple):
    """What CANCELREPLACE gives an order; None stays as it is."""

    account: str
    instrument: str
    action: Action
    qty: int
    order_type: OrderType
    tif: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    legs: Sequence[LegTerms]
    oco_id: str | None
    cancels_at: str | None
    day_ends: str | None
    notes: str | None
    root: str | None = None
    """The root of the continuous contract that it names, any month of which its order may be in."""
    lifts_time_limit: bool = False
    """Whether it ends the time limit that the order has."""
    conditions: Conditions = NO_CONDITIONS

    @property
    def given_prices(self) -> tuple[str, ...]:
        """The fields by which the alert gives prices."""
        own = (name for name in PRICES if getattr(self, name) is not None)
        return (*own, *(leg.field for leg in self.legs))

    @property
    def is_in_order(self) -> bool:
        """Whether a stop limit's prices are, as those of a leg must be."""
        return is_stop_limit_in_order(self.action, self.limit_price, self.stop_price)


def replaced(order: Order, new: Replacement) -> tuple[Order, list[AlertWarning]]:
    """Return an order in its next generation, and what to warn of."""
    after = order._replace(
        order_type=new.order_type,
        limit_price=new.limit_price,
        stop_price=new.stop_price,
        **NO_OFFSETS._asdict(),
        tif=order.tif if order.entry_id is not None else new.tif,
        # The day of an order that waits for its delay begins with its release; a venue ends its own.
        day_ends=order.day_ends if order.entry_id is not None or order.due or order.venue else new.day_ends,
        oco_id=new.oco_id or order.oco_id,
        cancels_at=None if new.lifts_time_limit else new.cancels_at or order.cancels_at,
        notes=new.notes or order.notes,
        conditions=conditions_with(order, new.conditions),
    )
    after = _priced(after)
    if new.legs:
        after = _with_legs(after, new.legs)
    after, warnings = _with_qty(after, new.qty)
    if (bare := _without_stop(after)) and any(leg.kind == "STOP" for leg in new.legs):
        # More than what no bracket reaches: a bracket that has no stop protects nothing where one is asked for.
        warnings = [it for it in warnings if it.code != "unprotected_quantity"]
        detail = f"{bare} of qty have no stop: the template has none for them. Place one by a PLACE of its own."
        warnings.append(AlertWarning("unprotected_quantity", "qty", detail))
    # That nothing is asked any more alters nothing of the order itself.
    asked = None if after.conditions is None else order.conditions
    same = with_bounds(order)._replace(notes=after.notes, conditions=asked) == after
    return (after if same else after._replace(generation=order.generation + 1)), warnings


def conditions_with(order: Order, given: Conditions = NO_CONDITIONS) -> Conditions | None:
    """Return what is asked of the position with these conditions for what is wanted of an order next.

    Until its venue has answered its placing, what the PLACE asks is still to be asked, unless it is given anew.
    """
    if order.acked or order.conditions is None:
        return given.if_any
    return order.conditions.given_anew(given)


def check_replaced(order: Order, new: Replacement, after: Order) -> None:
    """Raise InvalidValueError unless the order can become `after`."""
    check_market(order, new)
    _check_conditions(order, new)
    if order.entry_id is not None:
        _check_kind(kind_of(str(order.order_name)), str(order.order_name), new)
    _check_own_leg(order, after, new.qty, new.given_prices)
    for leg in new.legs:
        _check_new_leg(order, leg)
    if after.state not in TERMINAL:
        check_prices(after, new.given_prices)


def replaced_leg(entry: Order, name: str, new: Replacement) -> Order:
    """Return an entry with a leg that waits in its item in its next generation."""
    leg = entry.legs[name]
    after = leg._replace(
        order_type=new.order_type,
        limit_price=new.limit_price,
        stop_price=new.stop_price,
        **NO_OFFSETS._asdict(),
        oco_id=new.oco_id or leg.oco_id,
    )
    if after != leg:
        after = after._replace(generation=leg.generation + 1)
    return with_bounds(entry._replace(legs={**entry.legs, name: after}))


def check_replaced_leg(entry: Order, name: str, new: Replacement, after: Order) -> None:
    """Raise InvalidValueError unless a leg that waits in its entry's item can become what it is in `after`."""
    leg = entry.legs[name]
    check_market(view_of_leg(entry, name, leg), new)
    _check_conditions(view_of_leg(entry, name, leg), new)
    _check_kind(kind_of(name), name, new)
    _check_waiting_leg(entry, name, leg, new)
    check_prices(after, ["limit_price" if new.order_type == "LIMIT" else "stop_price"])


def _check_waiting_leg(entry: Order, name: str, leg: Leg, new: Replacement) -> None:
    if new.qty != leg.share(entry.qty):
        raise InvalidValueError(
            f"The quantity of {name} follows from its entry and is {leg.share(entry.qty)}: give that.", field="qty"
        )
    if new.cancels_at:
        raise InvalidValueError(
            f"{name} waits for its entry {entry.order_id} and ends with it; take cancel_after out, or give it with the "
            "entry.",
            field="cancel_after",
        )


def check_market(order: Order, new: Replacement) -> None:
    """Raise InvalidValueError unless account, instrument and action are the order's."""
    for name in ("account", "instrument", "action"):
        present, given = getattr(order, name), getattr(new, name)
        is_month = name == "instrument" and new.root is not None and present.startswith(f"{new.root} ")
        if folded(present) != folded(given) and not is_month:
            raise InvalidValueError(
                f"Order {order.order_id} has {name}={present}, and a replacement keeps it; give that, or place another "
                "order.",
                field=name,
            )


def _check_conditions(order: Order, new: Replacement) -> None:
    """Raise a PayloadError for conditions on the position where nobody asks them."""
    if new.conditions.if_any is None:
        return
    field = "require_market_position" if new.conditions.require_market_position else "max_positions"
    if order.entry_id is not None:
        raise InvalidValueError(
            f"{order.order_id} closes what its entry has opened, whatever the position is; take {field} out.",
            field=field,
        )
    if order.venue is None and order.due is None:
        raise UnsupportedValueError(
            f"{order.order_id} was placed without a venue, and none knows a position for it; take {field} out.",
            field=field,
        )


def _check_kind(kind: Kind, name: str, new: Replacement) -> None:
    types = types_of(kind)
    if new.order_type not in types:
        raise InvalidValueError(f"{name} stays a {' or '.join(types)} order; correct order_type.", field="order_type")
    if new.legs:
        field = new.legs[0].field
        raise InvalidValueError(f"{name} is a leg and has none of its own; take {field} out.", field=field)


def _check_new_leg(order: Order, new: LegTerms) -> None:
    """Raise InvalidValueError where the legs of a kind cannot be replaced with their entry."""
    kind, field = new.kind, new.field
    if order.due and order.template:
        raise InvalidValueError(
            f"Template {order.template} brings the legs of {order.order_id} when its delay is over; take {field} "
            "out, or change the legs then.",
            field=field,
        )
    if order.atm_template:
        raise UnsupportedValueError(
            f"NinjaTrader's own template {order.atm_template} brings the targets and stops of {order.order_id}; take "
            f"{field} out.",
            field=field,
        )
    if any(leg.released for name, leg in order.legs.items() if kind_of(name) == kind):
        raise InvalidValueError(
            f"The {kind} of {order.order_id} works already; take {field} out, and replace the leg itself.",
            field=field,
        )


def _with_legs(order: Order, terms: Sequence[LegTerms]) -> Order:
    """Replace the kinds of legs that are given, or add one that is not there."""
    legs = dict(order.wanted if order.due else order.legs)
    for leg in terms:
        names = [name for name in legs if kind_of(name) == leg.kind]
        for name in names:
            old = legs[name]
            changed = old._replace(**leg.prices, end=None)
            legs[name] = old if changed == old else changed._replace(generation=old.generation + 1)
        if not names:
            partner = next(iter(legs.values()), None)
            group = partner.oco_id if partner and not order.template else None
            legs[f"{leg.kind}{order.number or 1}"] = Leg(**leg.prices, oco_id=group)
    if len(legs) == 2 and not order.template and any(leg.oco_id is None for leg in legs.values()):
        legs = {name: leg._replace(oco_id=leg.oco_id or oco_group(order)) for name, leg in legs.items()}
    return order._replace(wanted=legs) if order.due else order._replace(legs=legs)


def _without_stop(entry: Order) -> int:
    """Return how much of an open entry's quantity no stop is for which brackets have; 0 where there are none.

    It is asked where the stops are given, so that none of them is ended.
    """
    if entry.state in TERMINAL or not any(leg.size is not None for leg in entry.legs.values()):
        return 0
    stops = (leg for name, leg in entry.legs.items() if kind_of(name) == "STOP")
    return max(0, entry.qty - sum(leg.share(entry.qty) for leg in stops))


def _with_qty(order: Order, qty: int) -> tuple[Order, list[AlertWarning]]:
    warnings: list[AlertWarning] = []
    if order.closes is not None and (bare := order.closes - max(qty, order.filled)) > 0:
        warnings.append(AlertWarning("unprotected_quantity", "qty", f"{bare} of what is filled have no such leg."))
    if order.filled and qty <= order.filled:
        state = OrderState.FILLED if qty == order.filled else OrderState.CANCELLED
        if qty < order.filled:
            warnings.append(
                AlertWarning(
                    "filled_more", "qty", f"{order.filled} are filled already, more than qty={qty}; the rest ended."
                )
            )
        if order.venue is not None:
            return order._replace(qty=order.filled), warnings  # the venue ends it, and reports that
        return order._replace(qty=order.filled, state=state, reason="qty not above what is filled"), warnings
    after, more = _described(order._replace(qty=qty))
    return after, [*warnings, *more]


def standing(order: Order) -> list[AlertWarning]:
    """Return what to warn of an order as it is."""
    return [it for it in _with_qty(order, order.qty)[1] if it.code == "unprotected_quantity"]


def _described(order: Order) -> tuple[Order, list[AlertWarning]]:
    rest = unprotected(order)
    return with_bounds(order), [unprotected_warning(rest)] if rest else []
