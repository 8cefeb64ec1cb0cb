"""When a futures contract expires, and when the next one becomes the front month: a rule for each kind of future.

An expiry is the last day of trading by the exchange's contract specifications, whose text each rule repeats. A roll is
a convention: the day from which the next contract is the front month. Where an exchange or NinjaTrader has published
one, it is named; where none was found, it says so, and docs/decisions.md lists them.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from orderhook.exchange_days import (
    FRIDAY,
    WEDNESDAY,
    Closed,
    business_days_after,
    business_days_before,
    eurex,
    last_business_day,
    last_weekday,
    nth_weekday,
    us_banks,
    us_exchanges,
)

Rule = Callable[[int, int], date]
"""A day for the contract of a year and a month."""


class Dates(NamedTuple):
    """The rules of one kind of future."""

    expiry: Rule
    roll: Rule
    closed: Closed = us_exchanges


def _before(rule: Rule, count: int, closed: Closed = us_exchanges) -> Rule:
    """Return the rule for the business day that is this many before another rule's."""
    return lambda year, month: business_days_before(rule(year, month), count, closed)


def _month_before(year: int, month: int) -> tuple[int, int]:
    return (year, month - 1) if month > 1 else (year - 1, 12)


def _first_position_day(year: int, month: int) -> date:
    """From this day on, the last but one business day before the month, whoever is long may be delivered to.

    CME Group: the active month of gold and silver "becomes a non-active month effective on its First Position Date";
    grains cease to trade at settlement on it. That Treasuries and the other metals roll on it too is our choice:
    published are their first position days, and no roll.
    """
    return last_business_day(*_month_before(year, month), us_exchanges, before=1)


# Equity index: "9:30 a.m. ET on the 3rd Friday of the contract month"; a holiday moves it to the business day before.


def _third_friday(closed: Closed) -> Rule:
    return lambda year, month: business_days_before(nth_weekday(year, month, FRIDAY, 3), 0, closed)


def _week_before_third_friday(year: int, month: int) -> date:
    """CME Group's convention, and NinjaTrader's: eight days before the third Friday, whatever holiday that is."""
    return nth_weekday(year, month, FRIDAY, 3) - timedelta(days=8)


EQUITY_INDEX = Dates(_third_friday(us_exchanges), _week_before_third_friday)


# Nikkei 225: "the business day prior to the 2nd Friday".


def _nikkei_expiry(year: int, month: int) -> date:
    return business_days_before(nth_weekday(year, month, FRIDAY, 2), 1, us_exchanges)


def _nikkei_roll(year: int, month: int) -> date:
    """CME Group: the Monday before; on Labor Day it has published the Tuesday."""
    return business_days_after(nth_weekday(year, month, FRIDAY, 2) - timedelta(days=4), 0, us_exchanges)


NIKKEI = Dates(_nikkei_expiry, _nikkei_roll)


# Eurex: "the third Friday of each maturity month if this is an exchange day; otherwise the exchange day immediately
# preceding". No roll was found for it: eSignal's rule for futures in general, two days before the last day of trading.

EUREX_INDEX = Dates(_third_friday(eurex), _before(_third_friday(eurex), 2, eurex), eurex)


# Crude oil: "3 business days before the 25th calendar day of the month prior to the contract month. If the 25th is not
# a business day, 4 business days before". The micro contract ends a business day earlier. NinjaTrader rolls "4 days
# prior to the 25th of the month preceding the expiry", so on the business day before.


def _crude_expiry(year: int, month: int) -> date:
    twenty_fifth = date(*_month_before(year, month), 25)
    return business_days_before(business_days_before(twenty_fifth, 0, us_exchanges), 3, us_exchanges)


CRUDE_OIL = Dates(_crude_expiry, _before(_crude_expiry, 1))
MICRO_CRUDE_OIL = Dates(_before(_crude_expiry, 1), _before(_crude_expiry, 2))


# Natural gas: "the 3rd last business day of the month prior to the contract month"; gasoline and heating oil: the last
# one. No roll was found: eSignal's rule in general.


def _gas_expiry(year: int, month: int) -> date:
    return last_business_day(*_month_before(year, month), us_exchanges, before=2)


def _fuel_expiry(year: int, month: int) -> date:
    return last_business_day(*_month_before(year, month), us_exchanges)


NATURAL_GAS = Dates(_gas_expiry, _before(_gas_expiry, 2))
FUEL = Dates(_fuel_expiry, _before(_fuel_expiry, 2))


# Metals: "the third last business day of the contract month".


def _metal_expiry(year: int, month: int) -> date:
    return last_business_day(year, month, us_exchanges, before=2)


METAL = Dates(_metal_expiry, _first_position_day)


# Treasuries, bonds and ten years: "7 business days prior to the last business day of the contract month"; five and two
# years: "the last business day of the contract month".


def _bond_expiry(year: int, month: int) -> date:
    return last_business_day(year, month, us_exchanges, before=7)


def _note_expiry(year: int, month: int) -> date:
    return last_business_day(year, month, us_exchanges)


BOND = Dates(_bond_expiry, _first_position_day)
NOTE = Dates(_note_expiry, _first_position_day)


# Currencies: "the second business day prior to the third Wednesday", the Canadian dollar's the first; on a holiday of
# the banks of Chicago or New York the business day before that. CME Group's convention is to roll 5 business days
# before, 6 for the Canadian dollar: both on the same day.


def _currency_expiry(days: int) -> Rule:
    return lambda year, month: business_days_before(nth_weekday(year, month, WEDNESDAY, 3), days, us_banks)


CURRENCY = Dates(_currency_expiry(2), _before(_currency_expiry(2), 5, us_banks), us_banks)
CANADIAN_DOLLAR = Dates(_currency_expiry(1), _before(_currency_expiry(1), 6, us_banks), us_banks)


# Cryptocurrencies: "the last Friday of the contract month. If this is not both a London and U.S. business day, the
# prior London and U.S. business day". Last Fridays on which London is closed are Good Friday, Christmas and Boxing Day;
# the last, next in 2031, is not looked at. No roll was found: eSignal's rule in general.


def _crypto_expiry(year: int, month: int) -> date:
    return business_days_before(last_weekday(year, month, FRIDAY), 0, us_exchanges)


CRYPTO = Dates(_crypto_expiry, _before(_crypto_expiry, 2))


# VIX: "the Wednesday that is 30 days prior to the third Friday of the calendar month immediately following"; where that
# Wednesday or that Friday is a holiday, the business day before the Wednesday. No roll was found: eSignal's rule.


def _vix_expiry(year: int, month: int) -> date:
    friday = nth_weekday(year + month // 12, month % 12 + 1, FRIDAY, 3)
    is_moved = friday in us_exchanges(friday.year)
    return business_days_before(friday - timedelta(days=30), int(is_moved), us_exchanges)


VIX = Dates(_vix_expiry, _before(_vix_expiry, 2))


# Grains: "the business day prior to the 15th calendar day of the contract month".


def _grain_expiry(year: int, month: int) -> date:
    return business_days_before(date(year, month, 15), 1, us_exchanges)


GRAIN = Dates(_grain_expiry, _first_position_day)
