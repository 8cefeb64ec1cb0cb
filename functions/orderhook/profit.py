"""Realized profit and loss, by account and day, from what was filled. Exact until it is shown.

Each account and instrument has one position, at its average cost: a fill against it closes at that, and what is more
than the position opens another one. What is won or lost belongs to the day of the exchange on which it was closed,
which ends at 17:00 in New York. Commissions are not in it, nor is what is still open.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from orderhook import instruments
from orderhook.orders import folded
from orderhook.trade_window import day_in_new_york, end_of_day

SETTLED = timedelta(seconds=2)
"""How long after a fill NinjaTrader's position file may still be from before it."""

_CENT = Decimal("0.01")
_DIGITS = Context(prec=28)
_POINT = Decimal("0.0000000001")

Pair = tuple[str, str]
"""An account and an instrument, by which positions are kept apart."""


class Fill(NamedTuple):
    """A part of an order that was filled."""

    account: str
    instrument: str
    quantity: int
    """Bought; below 0 sold."""
    price: Decimal | None
    """None where the venue has not said it."""
    at: datetime


class Flat(NamedTuple):
    """That the venue was seen without a position: whatever was open is closed, at a price that is not known."""

    account: str
    instrument: str
    at: datetime


class Closed(NamedTuple):
    """A part of a position that was closed."""

    account: str
    instrument: str
    quantity: int
    at: datetime
    points: Fraction | None
    """What was won by each, added up; None where a price of it is not known."""


class _Position(NamedTuple):
    """What is open: short below 0."""

    quantity: int = 0
    cost: Fraction | None = Fraction()
    """What was paid for it, or below 0 received; None where a price is not known."""
    filled_at: datetime | None = None


class Matched(NamedTuple):
    """What was closed, oldest first, and what is open by the fills."""

    closed: Sequence[Closed]
    open: Mapping[Pair, int]


class OfInstrument(NamedTuple):
    """What was realized in an instrument on a day."""

    instrument: str
    closed: int
    """How many contracts, those of a known price."""
    points: Decimal
    realized: Decimal | None
    """In the currency; None where the instrument is not listed, and nobody knows what a point is worth."""
    unpriced: int
    """How many contracts were closed, or had been opened, at a price that is not known: they are left out."""


class OfDay(NamedTuple):
    """What was realized in an account on a day, in one currency; None is that of instruments that are not listed."""

    day: date
    account: str
    currency: str | None
    realized: Decimal | None
    instruments: Sequence[OfInstrument]


def match(events: Iterable[Fill | Flat]) -> Matched:
    """Match fills, in the order of their times, with what they close."""
    closed: list[Closed] = []
    positions: dict[Pair, _Position] = {}
    for event in sorted(events, key=attrgetter("at")):
        pair = event.account, event.instrument
        position = positions.get(pair, _Position())
        if isinstance(event, Flat):
            if position.quantity and position.filled_at and event.at - position.filled_at > SETTLED:
                closed.append(Closed(*pair, abs(position.quantity), event.at, None))
                positions[pair] = _Position()
            continue
        part, positions[pair] = _fill(position, event)
        if part:
            closed.append(part)
    return Matched(closed, {pair: position.quantity for pair, position in positions.items() if position.quantity})


def _fill(position: _Position, fill: Fill) -> tuple[Closed | None, _Position]:
    """Return what a fill closes of a position, if anything, and the position after it."""
    price = None if fill.price is None else Fraction(fill.price)
    held, bought, cost = position.quantity, fill.quantity, position.cost
    part = None
    if held * bought < 0:
        quantity = min(abs(held), abs(bought))
        sold = quantity if held > 0 else -quantity
        share = None if cost is None else cost * quantity / abs(held)
        points = None if price is None or share is None else sold * price - share
        part = Closed(fill.account, fill.instrument, quantity, fill.at, points)
        held, bought = held - sold, bought + sold
        cost = Fraction() if not held else None if cost is None or share is None else cost - share
    if bought:
        cost = None if price is None or cost is None else cost + bought * price
    return part, _Position(held + bought, cost, fill.at)


def by_day(closed: Iterable[Closed]) -> list[OfDay]:
    """Return what was realized, oldest day first, by account, currency and instrument."""

    def key(it: Closed) -> tuple[date, str, str, str]:
        return trading_day(it.at), it.account, _currency(it) or "", it.instrument

    days = []
    for (day, account, currency), of_day in groupby(sorted(closed, key=key), lambda it: key(it)[:3]):
        parts = list(of_day)
        rows = tuple(_of_instrument(list(own)) for _, own in groupby(parts, attrgetter("instrument")))
        total = sum((_money(it) or Fraction() for it in parts), Fraction())
        days.append(OfDay(day, account, currency or None, _rounded(total, _CENT) if currency else None, rows))
    return days


class Total(NamedTuple):
    """What was realized in an account in all, in one currency."""

    account: str
    currency: str
    realized: Decimal
    closed: int
    """How many contracts it is of; `unpriced` of an instrument says what that is."""
    unpriced: int


def totals(days: Iterable[OfDay]) -> list[Total]:
    """Return the sums of several days."""
    sums: dict[tuple[str, str], Total] = {}
    for day in days:
        if day.currency is not None and day.realized is not None:
            key = day.account, day.currency
            before = sums.get(key, Total(*key, Decimal(), 0, 0))
            sums[key] = before._replace(
                realized=before.realized + day.realized,
                closed=before.closed + sum(it.closed for it in day.instruments),
                unpriced=before.unpriced + sum(it.unpriced for it in day.instruments),
            )
    return [total for _, total in sorted(sums.items())]


def trading_day(at: datetime) -> date:
    """Return the day of the exchange at this moment: from 17:00 in New York on the next, at a weekend Monday."""
    day = day_in_new_york(end_of_day(at))
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def _of_instrument(parts: Sequence[Closed]) -> OfInstrument:
    known = [it for it in parts if it.points is not None]
    points = sum((it.points for it in known if it.points is not None), Fraction())
    money = sum((_money(it) or Fraction() for it in known), Fraction())
    return OfInstrument(
        parts[0].instrument,
        sum(it.quantity for it in known),
        _rounded(points, _POINT),
        _rounded(money, _CENT) if _currency(parts[0]) else None,
        sum(it.quantity for it in parts) - sum(it.quantity for it in known),
    )


def _listed(part: Closed) -> instruments.Instrument | None:
    contract = instruments.parse(part.instrument, day_in_new_york(part.at))
    return instruments.INSTRUMENTS[contract.root] if contract else None


def _currency(part: Closed) -> str | None:
    listed = _listed(part)
    return listed.currency if listed else None


def _money(part: Closed) -> Fraction | None:
    listed = _listed(part)
    return None if part.points is None or listed is None else part.points * Fraction(listed.point_value)


def _rounded(value: Fraction, to: Decimal) -> Decimal:
    exact = _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))
    return exact.quantize(to, ROUND_HALF_EVEN, _DIGITS)


def same_names(events: Iterable[Fill | Flat]) -> Iterator[Fill | Flat]:
    """Yield the same events under one name each: contracts by their canonical one, others in the case that came first.

    Accounts are compared without case.
    """
    names: dict[str, str] = {}
    for event in events:
        instrument = instruments.canonical(event.instrument, day_in_new_york(event.at))
        account = names.setdefault(folded(event.account), event.account)
        yield event._replace(account=account, instrument=names.setdefault(f"#{folded(instrument)}", instrument))
