"""The fields of prices, which may be a distance from another price: from the fill, or from reference_price."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo

from orderhook.commands.fields import read_decimal
from orderhook.errors import InvalidValueError, UnsupportedValueError
from orderhook.orders import Action, decimal_text
from orderhook.relative_prices import Relative, listed, points_of, price_at, read_relative

_RELATIVE = re.compile(r"\$.*|[+-]?[0-9.]+ *(%|\$|dollars?|ticks?|points?|pts?)", re.IGNORECASE | re.ASCII)


def _price(value: str, info: ValidationInfo) -> Decimal | None:
    if _RELATIVE.fullmatch(value):
        raise UnsupportedValueError(
            f"{info.field_name} is relative to a quote, and there are no quotes here; give a price such as 5000.25.",
            field=info.field_name,
        )
    number = read_decimal(value, info, "a price such as 5000.25")
    return number or None  # 0 is NinjaTrader's way to write "no price"


def leg_price(value: str, info: ValidationInfo) -> Decimal | Relative:
    """Return the price of a target or stop, or how far it lies; raises InvalidValueError for 0, which is not one."""
    price = _relative(value, info) or _price(value, info)
    if price is None:
        # An entry must not lose its stop in silence because a variable was 0.
        raise InvalidValueError(
            f"{info.field_name} is 0, which is not a price; give it one, or take it out.", field=info.field_name
        )
    return price


def _entry_price(value: str, info: ValidationInfo) -> Decimal | None:
    """Return an entry's price; one that is relative counts from reference_price, which is read before it."""
    relative = _relative(value, info)
    if relative is None:
        return _price(value, info)
    field, instrument, reference = info.field_name, info.data.get("instrument"), info.data.get("reference_price")
    if instrument is None:
        return None  # which is missing, and says so
    if reference is None:
        raise UnsupportedValueError(
            f"{field} counts from reference_price, for there are no quotes here: add reference_price={{{{close}}}}, or "
            "give a price such as 5000.25.",
            field=field,
        )
    check_is_listed(relative, instrument, str(field))
    price = price_at(reference, relative, instrument)
    if price <= 0:
        raise InvalidValueError(f"{field}={value} is at or below 0; give a smaller distance.", field=field)
    return price


def _relative(value: str, info: ValidationInfo) -> Relative | None:
    """Return a price that is a distance from another one; None for any other."""
    relative = read_relative(value)
    if relative is None and _RELATIVE.fullmatch(value):
        raise InvalidValueError(
            f"{info.field_name} must be a price such as 5000.25, or a distance such as -10 ticks, +0.5%, 2 points or "
            "$50.",
            field=info.field_name,
        )
    return relative


def check_is_listed(relative: Relative, instrument: str, field: str) -> None:
    """Raise UnsupportedValueError where it is not known what a distance comes to in an instrument."""
    future = listed(instrument)
    if relative.unit != "points" and future is None:
        raise UnsupportedValueError(
            f"{field} is in {relative.unit}, and {instrument} is none of the futures whose tick is known here "
            "(`orderhook instruments`): give a price, or a number of points.",
            field=field,
        )
    if relative.unit == "dollars" and future is not None and future.currency != "USD":
        raise UnsupportedValueError(
            f"{field} is in dollars, and {instrument} trades in {future.currency}: give ticks, points or percent.",
            field=field,
        )


def sort_of(price: Decimal | Relative) -> str:
    """Return which prices one can be compared with: prices, percentages, or distances that are points."""
    if isinstance(price, Decimal):
        return "price"
    return "percent" if price.unit == "percent" else "points"


def number_of(price: Decimal | Relative, instrument: str) -> Decimal:
    """Return a price, or a distance with its sign in points or percent, to compare it with one of its sort."""
    if isinstance(price, Decimal):
        return price
    points = points_of(price, instrument)
    return price.amount if points is None else points


def check_comparable(limit: Decimal | Relative | None, stop: Decimal | Relative | None) -> None:
    """Raise InvalidValueError where nobody can say on which side of a stop's price its limit lies."""
    if limit is not None and stop is not None and sort_of(limit) != sort_of(stop):
        raise InvalidValueError(
            "stop_loss_limit and stop_loss_stop cannot be compared: give two prices, two percentages, or two distances "
            "in ticks, points or dollars.",
            field="stop_loss_limit",
        )


def price_text(price: Decimal | Relative) -> str:
    """Write a price of an alert in its one spelling."""
    return decimal_text(price) if isinstance(price, Decimal) else str(price)


def check_distance(field: str, price: Relative, action: Action, instrument: str, entry: Decimal | None = None) -> None:
    """Raise a PayloadError for a distance at which a leg of a trade that `action` enters would be filled at once.

    Plus is above the fill and minus below, whatever the side. A percentage is judged at the price of the entry, where
    that is known.
    """
    check_is_listed(price, instrument, field)
    is_above = (field == "take_profit") == (action == "BUY")
    side, sign = ("above", "") if is_above else ("below", "-")
    if price.amount == 0 or (price.amount > 0) != is_above:
        other = str(price._replace(amount=abs(price.amount) or Decimal(10))).lstrip("+")
        raise InvalidValueError(
            f"{field}={price} must lie {side} the fill of a {action}, and plus is above, minus below: write "
            f"{field}={sign}{other}.",
            field=field,
        )
    if price.unit == "percent" and price.amount <= -100:
        raise InvalidValueError(f"{field}={price} leads below 0; give a smaller distance.", field=field)
    future, points = listed(instrument), points_of(price, instrument)
    if price.unit == "percent" and entry is not None:
        points = entry * price.amount / 100
    if future and points and abs(points) < future.tick:
        raise InvalidValueError(
            f"{field}={price} is less than a tick of {instrument}, which is {decimal_text(future.tick)}; give a larger "
            "distance.",
            field=field,
        )


Price = Annotated[Decimal | None, PlainValidator(_price)]
"""An exact price above 0; 0 means none."""

LegPrice = Annotated[Decimal | Relative | None, PlainValidator(leg_price)]
"""An exact price above 0, or how far it lies from the fill, if it is there."""

EntryPrice = Annotated[Decimal | None, PlainValidator(_entry_price)]
"""A Price, or how far it lies from reference_price; `instrument` and that are fields before it."""
