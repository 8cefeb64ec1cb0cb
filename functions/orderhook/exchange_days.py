"""The days on which exchanges are open, and steps from one to another.

The holidays follow from rules, so that no list runs out. Sources: CME Group's holiday calendar, Cboe's and Eurex's
trading calendars; docs/decisions.md says how they were compared. A day of mourning or the like is in none of them.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

Closed = Callable[[int], frozenset[date]]
"""The days of a year on which an exchange is closed, weekends left out."""

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = range(5)
_SATURDAY, _SUNDAY = 5, 6
_DAY = timedelta(days=1)


@cache
def us_exchanges(year: int) -> frozenset[date]:
    """Return when CME Group's exchanges and Cboe's count no business day."""
    days = {
        nth_weekday(year, 1, MONDAY, 3),  # Martin Luther King
        nth_weekday(year, 2, MONDAY, 3),  # Presidents
        _easter(year) - 2 * _DAY,
        last_weekday(year, 5, MONDAY),  # Memorial
        _observed(date(year, 7, 4)),
        nth_weekday(year, 9, MONDAY, 1),  # Labor
        nth_weekday(year, 11, THURSDAY, 4),  # Thanksgiving; the day after it is a business day
        _observed(date(year, 12, 25)),
    }
    new_year = date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:  # the Friday before is the last business day of a year
        days.add(_observed(new_year))
    if year >= 2022:
        days.add(_observed(date(year, 6, 19)))
    return frozenset(days)


@cache
def us_banks(year: int) -> frozenset[date]:
    """Return when the banks of New York and Chicago are closed besides: currencies end on a day of theirs."""
    veterans = date(year, 11, 11)
    days = {nth_weekday(year, 10, MONDAY, 2)}  # Columbus
    if veterans.weekday() != _SATURDAY:
        days.add(_observed(veterans))
    return us_exchanges(year) | days


@cache
def eurex(year: int) -> frozenset[date]:
    """Return when Eurex is closed for its index futures."""
    easter = _easter(year)
    fixed = ((1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31))
    return frozenset({easter - 2 * _DAY, easter + _DAY, *(date(year, month, day) for month, day in fixed)})


def is_business_day(day: date, closed: Closed) -> bool:
    """Return whether an exchange is open on a day."""
    return day.weekday() < _SATURDAY and day not in closed(day.year)


def business_days_before(day: date, count: int, closed: Closed) -> date:
    """Return the business day that is this many before a day; 0 is the day itself, or the last one before it."""
    return _walk(day, count, -_DAY, closed)


def business_days_after(day: date, count: int, closed: Closed) -> date:
    """Return the business day that is this many after a day; 0 is the day itself, or the first one after it."""
    return _walk(day, count, _DAY, closed)


def last_business_day(year: int, month: int, closed: Closed, *, before: int = 0) -> date:
    """Return the last business day of a month, or the one that is so many `before` it."""
    last = business_days_before(_month_after(year, month), 1, closed)
    return business_days_before(last, before, closed)


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Return the nth of a weekday in a month, counted from 1."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def last_weekday(year: int, month: int, weekday: int) -> date:
    """Return the last of a weekday in a month."""
    end = _month_after(year, month) - _DAY
    return end - timedelta(days=(end.weekday() - weekday) % 7)


def _walk(day: date, count: int, step: timedelta, closed: Closed) -> date:
    if count == 0 and is_business_day(day, closed):
        return day
    for _ in range(max(count, 1)):
        day += step
        while not is_business_day(day, closed):
            day += step
    return day


def _month_after(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)


def _observed(holiday: date) -> date:
    """Return the Friday or the Monday on which a holiday of a weekend is kept."""
    return holiday + {_SATURDAY: -_DAY, _SUNDAY: _DAY}.get(holiday.weekday(), timedelta())


def _easter(year: int) -> date:
    """Return Easter Sunday (Butcher's algorithm)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)
