"""The prices of an entry's legs: on which sides of one another they lie. Plain data and pure functions."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import product

from orderhook.errors import AlertWarning, InvalidValueError
from orderhook.orders import PRICES, Action, Leg, Order, decimal_text
from orderhook.relative_prices import Relative, price_at
from orderhook.trade import Kind, kind_of, leg_field, opposite


def is_beyond(action: Action, price: Decimal, other: Decimal) -> bool:
    """Return whether a price is better than another for who enters by `action`: for a BUY above it."""
    return price > other if action == "BUY" else price < other


def is_stop_limit_in_order(action: Action, limit_price: Decimal | None, stop_price: Decimal | None) -> bool:
    """Return whether a stop's limit, if it has one, is not beyond its stop price: for a SELL not above it."""
    return limit_price is None or stop_price is None or not is_beyond(action, stop_price, limit_price)


def check_prices(order: Order, given: Sequence[str] = ()) -> None:
    """Raise InvalidValueError unless stops, the entry's prices and targets lie on their sides of one another.

    The error names one of the `given` price fields of the alert, if there are any.

    For a BUY stop < entry < target, strictly, and mirrored for a SELL; once something is filled only stop < target.
    """
    for leg in _living_legs(order, "STOP"):
        if not is_stop_limit_in_order(opposite(order.action), leg.limit_price, leg.stop_price):
            side = "above" if order.action == "BUY" else "below"
            field = field_of(given, "stop_loss_limit")
            raise InvalidValueError(
                f"The limit {price_text(leg.limit_price)} of the stop must not be {side} its stop price "
                f"{price_text(leg.stop_price)}; correct {field}.",
                field=field,
            )
    own = [] if order.filled else [(name, price) for name in PRICES if (price := getattr(order, name)) is not None]
    stops, targets = _priced_legs(order, "STOP"), _priced_legs(order, "TARGET")
    side = "below" if order.action == "BUY" else "above"
    rows = (("price", own, "stop", stops), ("price", own, "target", targets), ("stop", stops, "target", targets))
    for name, prices, other_name, other_prices in rows:
        for (field, price), (other_field, other) in product(prices, other_prices):
            low, high = (other, price) if other_name == "stop" else (price, other)
            if not is_beyond(order.action, high, low):
                named = field_of(given, field, other_field)
                lower_name, upper_name = (other_name, name) if other_name == "stop" else (name, other_name)
                raise InvalidValueError(
                    f"The {lower_name} {price_text(low)} must be {side} the {upper_name} {price_text(high)} of order "
                    f"{order.order_id}, a {order.action}; correct {named}.",
                    field=named,
                )


def field_of(given: Sequence[str], *fields: str) -> str:
    """Return the first of the fields that the alert gives, else any that it gives, else the first."""
    return next((field for field in fields if field in given), (*given, *fields)[0])


def _living_legs(order: Order, kind: Kind) -> list[Leg]:
    """Return the legs of a kind that wait, or are to wait once the delay of their entry is over."""
    legs = (*order.legs.items(), *order.wanted.items())
    return [leg for name, leg in legs if kind_of(name) == kind and not (leg.end or leg.released)]


def _priced_legs(order: Order, kind: Kind) -> list[tuple[str, Decimal]]:
    """Return the prices of the living legs of a kind, each with the field by which an alert gives it."""
    prices = ((leg_field(kind, leg.order_type), price_of(kind, leg)) for leg in _living_legs(order, kind))
    return [(field, price) for field, price in prices if price is not None]


def _leg_prices(order: Order, kind: Kind) -> list[Decimal]:
    return [price for _, price in _priced_legs(order, kind)]


def price_text(price: Decimal | None) -> str:
    """Render a price as a refusal has it."""
    return "" if price is None else decimal_text(price)


def price_of(name: str, leg: Leg | Order) -> Decimal | None:
    """Return the price of a leg at which it closes the trade: the limit of a target, the stop price of a stop."""
    return leg.limit_price if kind_of(name) == "TARGET" else leg.stop_price


def price_field(name: str) -> str:
    """Return the field of that price."""
    return "limit_price" if kind_of(name) == "TARGET" else "stop_price"


def prices_from_offsets(entry: Order, name: str, leg: Leg) -> dict[str, Decimal]:
    """Return the prices that a leg's offsets come to, by their fields; none where there is nothing to count from.

    They count from what was paid for its entry, else from what was asked for. What is in percent is on the tick; the
    venue's own price of the others counts when it has them.
    """
    basis = next((it for it in (entry.average, entry.limit_price, entry.stop_price) if it is not None), None)
    if basis is None:
        return {}
    sign = 1 if must_be_above(entry, name) else -1
    offsets = {price_field(name): leg.offset, **({"limit_price": leg.limit_offset} if leg.limit_offset else {})}
    distances = {field: offset * sign for field, offset in offsets.items() if offset is not None}
    if not leg.in_percent:
        return {field: basis + distance for field, distance in distances.items()}
    return {
        field: price_at(basis, Relative(distance, "percent"), entry.instrument) for field, distance in distances.items()
    }


def without_price(entry: Order, legs: Mapping[str, Leg]) -> AlertWarning | None:
    """Return the warning that offsets of legs lead to no price above 0, as far as the entry's own price tells."""
    prices = {name: prices_from_offsets(entry, name, leg) for name, leg in legs.items()}
    names = [name for name, found in prices.items() if any(price <= 0 for price in found.values())]
    if not names:
        return None
    first = legs[names[0]]
    is_template = first.size is not None
    field = "strategy" if is_template else leg_field(names[0], first.order_type)
    by, correct = ("The template", "the template") if is_template else (field, field)
    return AlertWarning(
        "leg_without_price",
        field,
        f"{by} puts {', '.join(names)} at or below 0: without a price it does not work when the entry fills. "
        f"Give it one by CHANGE, or correct {correct}.",
    )


def is_ended(leg: Leg | Order) -> bool:
    """Return whether a leg was ended while it waited: given anew, it is checked like any other."""
    return isinstance(leg, Leg) and leg.end is not None


def must_be_above(entry: Order, name: str) -> bool:
    """Return whether a leg's price must be above those of the other kind: for a BUY stop < target, for a SELL not."""
    return (kind_of(name) == "TARGET") == (entry.action == "BUY")


def opposite_legs(entry: Order, name: str) -> dict[str, Leg]:
    """Return the legs of the other kind that were not ended while they waited, by their names."""
    return {other: leg for other, leg in entry.legs.items() if kind_of(other) != kind_of(name) and not leg.end}


def is_apart(entry: Order, name: str, price: Decimal, other: Decimal | None) -> bool:
    """Return whether a leg's price is on its side of the price of a leg of the other kind."""
    if other is None:
        return True
    return price > other if must_be_above(entry, name) else price < other


def crosses(entry: Order, name: str, price: Decimal, other: str, field: str | None = None) -> InvalidValueError:
    """Return the refusal of a leg's price, of this field, that is not on its side of that of another leg."""
    side = "above" if must_be_above(entry, name) else "below"
    field = field or price_field(name)
    return InvalidValueError(
        f"The price {decimal_text(price)} of {name} must be {side} that of {other} of order {entry.order_id}; correct "
        f"{field}.",
        field=field,
    )


def with_bounds(order: Order) -> Order:
    """Return the order with the prices of its legs that are nearest to its own."""
    highest, lowest = (max, min) if order.action == "BUY" else (min, max)
    return order._replace(
        nearest_stop=highest(_leg_prices(order, "STOP"), default=None),
        nearest_target=lowest(_leg_prices(order, "TARGET"), default=None),
    )
