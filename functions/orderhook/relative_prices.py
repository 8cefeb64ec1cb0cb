"""Prices that are a distance from another one: `-10 ticks`, `+0.5%`, `2 points`, `$250`. Plain data, pure functions.

Plus is above, minus below, whatever the side of the order (CrossTrade, "Percentage and Tick Prices"). What a tick and a
point are worth, the list of futures says, which is imported by those alone that have such a price.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from orderhook.orders import decimal_text

if TYPE_CHECKING:
    from orderhook.instruments import Instrument

Unit = Literal["percent", "ticks", "points", "dollars"]

_FORM = re.compile(
    r"(?P<sign>[+-]?)(?P<dollar>\$?)(?P<number>[0-9]{1,12}(?:\.[0-9]+)?) *(?P<unit>%|ticks?|points?|pts?|dollars?|\$)?",
    re.IGNORECASE | re.ASCII,
)
_UNITS: Mapping[str, Unit] = {"%": "percent", "t": "ticks", "p": "points", "d": "dollars", "$": "dollars"}
"""By the first character of what an alert may write."""

_SMALLEST = Decimal("0.00000001")
"""Of the distances and prices that are kept."""

_ANY_DAY = date(2000, 1, 1)
"""The root of a contract is the same on each."""


class Relative(NamedTuple):
    """A distance from a price; below 0 it lies below that."""

    amount: Decimal
    unit: Unit

    def __str__(self) -> str:
        """Return it as an alert may write it, in one spelling."""
        sign = "+" if self.amount > 0 else ""
        return f"{sign}{decimal_text(self.amount)}{'%' if self.unit == 'percent' else f' {self.unit}'}"


def read_relative(text: str) -> Relative | None:
    """Return the distance that a text is, to 8 decimals; None for any other text."""
    found = _FORM.fullmatch(text)
    if found is None or bool(found["dollar"]) == bool(found["unit"]):
        return None
    number = _rounded(Decimal(found["number"]))
    return Relative(-number if found["sign"] == "-" else number, _UNITS[(found["unit"] or "$")[0].lower()])


def listed(instrument: str) -> "Instrument | None":
    """Return what is known of an instrument; None for what is none of the futures that are listed."""
    from orderhook import instruments

    contract = instruments.parse(instrument, _ANY_DAY)
    return instruments.INSTRUMENTS[contract.root] if contract else None


def points_of(relative: Relative, instrument: str) -> Decimal | None:
    """Return a distance in points, with its sign; None for percent, and where the list does not say what it is."""
    if relative.unit == "points":
        return relative.amount
    future = listed(instrument) if relative.unit != "percent" else None
    if future is None:
        return None
    if relative.unit == "ticks":
        return relative.amount * future.tick
    return _rounded(relative.amount / future.point_value) if future.currency == "USD" else None


def price_at(basis: Decimal, relative: Relative, instrument: str) -> Decimal:
    """Return the price at a distance from another one, to the tick where the instrument is listed.

    Raises ValueError for ticks and dollars of what is not.
    """
    distance = basis * relative.amount / 100 if relative.unit == "percent" else points_of(relative, instrument)
    if distance is None:
        raise ValueError(f"it is not known what {relative} of {instrument} is")
    price = basis + distance
    future = listed(instrument)
    if future is None:
        return _rounded(price)
    return (price / future.tick).quantize(Decimal(1), ROUND_HALF_UP) * future.tick


def _rounded(number: Decimal) -> Decimal:
    return Decimal(decimal_text(number.quantize(_SMALLEST, ROUND_HALF_UP)))


# The distances of a leg, as a bridge's report has them


class Offsets(NamedTuple):
    """How far a leg lies from the price that its entry is filled at, on its own side of it.

    A BUY's target lies above, its stop below, mirrored for a SELL: these numbers are above 0.
    """

    offset: Decimal | None = None
    """To its price: the limit of a target, the stop price of a stop."""
    limit_offset: Decimal | None = None
    """Of a stop that is a stop limit, to its limit price."""
    in_percent: bool = False
    """Whether they are percent of that price; else they are points."""

    @property
    def texts(self) -> dict[str, str]:
        """These as texts, by their names: `2.5`, `0.5%`."""
        numbers = {"offset": self.offset, "limit_offset": self.limit_offset}
        unit = "%" if self.in_percent else ""
        return {name: f"{decimal_text(number)}{unit}" for name, number in numbers.items() if number is not None}


NO_OFFSETS = Offsets()


def read_offsets(texts: Mapping[str, str]) -> Offsets:
    """Return the offsets that Offsets.texts has as texts; what else is there is passed by."""
    given = {name: texts[name] for name in ("offset", "limit_offset") if name in texts}
    numbers = {name: Decimal(text.removesuffix("%")) for name, text in given.items()}
    return Offsets(**numbers, in_percent=any(text.endswith("%") for text in given.values()))
