"""Futures: what a point and a tick are worth, the names of a contract, its front month and its rolls.

The values are those of the exchanges' contract specifications, compared with an open data set (docs/decisions.md). The
day that is passed in is the one in New York.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from types import MappingProxyType
from typing import NamedTuple

from orderhook import contract_dates
from orderhook.contract_dates import Dates
from orderhook.exchange_days import business_days_after, business_days_before

NEAR = 3
"""How many business days before and after a roll count as near it."""

_CODES = "FGHJKMNQUVXZ"
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()


class Instrument(NamedTuple):
    """A future that is listed here."""

    root: str
    exchange: str
    point_value: Decimal
    """What a move of the price by 1 is worth, in the currency."""
    tick: Decimal
    months: str
    """The months that become the front month one after the other, by their letters; others may be listed too."""
    dates: Dates
    currency: str = "USD"


def _rows(exchange: str, months: str, dates: Dates, rows: str, currency: str = "USD") -> Iterator[Instrument]:
    for row in rows.split(","):
        root, point_value, tick = row.split()
        yield Instrument(root, exchange, Decimal(point_value), Decimal(tick), months, dates, currency)


_QUARTERLY, _MONTHLY = "HMUZ", _CODES

INSTRUMENTS: Mapping[str, Instrument] = MappingProxyType(
    {
        it.root: it
        for rows in (
            _rows(
                "CME", _QUARTERLY, contract_dates.EQUITY_INDEX,
                "ES 50 .25, MES 5 .25, NQ 20 .25, MNQ 2 .25, RTY 50 .1, M2K 5 .1, EMD 100 .1",
            ),
            _rows("CBOT", _QUARTERLY, contract_dates.EQUITY_INDEX, "YM 5 1, MYM .5 1"),
            _rows("CME", _QUARTERLY, contract_dates.NIKKEI, "NKD 5 5"),
            _rows("NYMEX", _MONTHLY, contract_dates.CRUDE_OIL, "CL 1000 .01"),
            _rows("NYMEX", _MONTHLY, contract_dates.MICRO_CRUDE_OIL, "MCL 100 .01"),
            _rows("NYMEX", _MONTHLY, contract_dates.NATURAL_GAS, "NG 10000 .001"),
            _rows("NYMEX", _MONTHLY, contract_dates.FUEL, "RB 42000 .0001, HO 42000 .0001"),
            # Metals: the active months of CME Group's settlement procedures; October gold is none of them.
            _rows("COMEX", "GJMQZ", contract_dates.METAL, "GC 100 .1, MGC 10 .1"),
            _rows("COMEX", "HKNUZ", contract_dates.METAL, "SI 5000 .005, SIL 1000 .005, HG 25000 .0005"),
            _rows("NYMEX", "FJNV", contract_dates.METAL, "PL 50 .1"),
            _rows("NYMEX", _QUARTERLY, contract_dates.METAL, "PA 100 .5"),
            _rows(
                "CBOT", _QUARTERLY, contract_dates.BOND,
                "ZB 1000 .03125, UB 1000 .03125, ZN 1000 .015625, TN 1000 .015625",
            ),
            _rows("CBOT", _QUARTERLY, contract_dates.NOTE, "ZF 1000 .0078125, ZT 2000 .00390625"),
            _rows(
                "CME", _QUARTERLY, contract_dates.CURRENCY,
                "6E 125000 .00005, 6A 100000 .00005, 6N 100000 .00005, 6B 62500 .0001, 6S 125000 .00005,"
                "6J 12500000 .0000005, 6M 500000 .00001, M6A 10000 .0001, M6B 6250 .0001, M6E 12500 .0001",
            ),
            _rows("CME", _QUARTERLY, contract_dates.CANADIAN_DOLLAR, "6C 100000 .00005"),
            _rows("CME", _MONTHLY, contract_dates.CRYPTO, "BTC 5 5, MBT .1 5, ETH 50 .5, MET .1 .5"),
            _rows("CFE", _MONTHLY, contract_dates.VIX, "VX 1000 .05"),
            _rows(
                "EUREX", _QUARTERLY, contract_dates.EUREX_INDEX,
                "FESX 10 1, FDAX 25 1, FDXM 5 1, FDXS 1 1", "EUR",
            ),
            # Grains are quoted in cents: a point is a cent.
            _rows("CBOT", "HKNUZ", contract_dates.GRAIN, "ZC 50 .25, ZW 50 .25"),
            _rows("CBOT", "FHKNQUX", contract_dates.GRAIN, "ZS 50 .25"),
            _rows("CBOT", "FHKNQUVZ", contract_dates.GRAIN, "ZL 600 .01"),
        )
        for it in rows
    }
)  # fmt: skip
"""Every future that is listed here, by its root."""


class Contract(NamedTuple):
    """The contract of one month of a future; contracts of one root sort by their time."""

    root: str
    year: int
    month: int

    @property
    def name(self) -> str:
        """Its canonical name, which is that of NinjaTrader's order files: `ES 12-26`."""
        return f"{self.root} {self.month:02}-{self.year % 100:02}"

    @property
    def expiry(self) -> date:
        """The last day on which it trades."""
        return self._date("expiry")

    @property
    def roll(self) -> date:
        """The day from which the next contract is the front month."""
        return self._date("roll")

    def _date(self, which: str) -> date:
        otherwise = PUBLISHED_OTHERWISE.get((self.name, which))
        rule = getattr(INSTRUMENTS[self.root].dates, which)
        return otherwise or rule(self.year, self.month)


PUBLISHED_OTHERWISE: Mapping[tuple[str, str], date] = MappingProxyType({})
"""Days that differ from their rule, such as `("ES 06-26", "roll"): date(2026, 6, 15)`. To be edited where an exchange
or NinjaTrader publishes another day, as after a holiday that was proclaimed late."""


class Roll(NamedTuple):
    """The change of a front month: from this day on it is `new`."""

    on: date
    old: Contract
    new: Contract


_PREFIX = re.compile(r"(CME|CBOT|NYMEX|COMEX|CFE|CBOE|EUREX)(?:_MINI)?(?:_DLY?)?:")
"""The exchange as TradingView writes it before a symbol: small contracts and delayed prices have endings of it."""

_FRONT = re.compile(r"(?P<root>[A-Z0-9]+)1!")
_SPELLINGS = (
    re.compile(r"(?P<root>[A-Z0-9]+) (?P<number>0[1-9]|1[0-2])-?(?:20)?(?P<year>\d\d)"),
    re.compile(rf"(?P<root>[A-Z0-9]+) (?P<name>{'|'.join(_MONTHS)}) ?(?:20)?(?P<year>\d\d)"),
    re.compile(rf"(?P<root>[A-Z0-9]+)(?P<code>[{_CODES}])(?:20(?P<year>\d\d)|(?P<digits>\d\d?))"),
)
"""With a number, as NinjaTrader's order files have it; with a name, as its windows; with a letter, as exchanges and
TradingView."""


def parse(text: str, on: date) -> Contract | None:
    """Return the contract that a name in any spelling means on a day; None for what is not listed here.

    `ES1!` is the front month. A year of one digit is of the ten years that begin with the last one.
    """
    found = _read(text)
    if found is None:
        return None
    if found.re is _FRONT:
        return front_month(found["root"], on)
    return Contract(found["root"], _year(found.groupdict(), on), _month(found.groupdict()))


def canonical(text: str, on: date) -> str:
    """Return the one name of a contract, `ES 12-26`; what is not listed here stays as it is."""
    contract = parse(text, on)
    return contract.name if contract else text


def continuous_root(text: str) -> str | None:
    """Return the root of the future whose front month, whichever that is, a name means: ES of `CME_MINI:ES1!`."""
    found = _read(text)
    return found["root"] if found and found.re is _FRONT else None


def is_root(name: str) -> bool:
    """Return whether a name is a listed future without its month: `ES`."""
    return name.isascii() and name.strip().upper() in INSTRUMENTS


def months_of(root: str) -> list[int]:
    """Return the months of a listed root that become the front month."""
    return [_CODES.index(code) + 1 for code in INSTRUMENTS[root].months]


def is_listed(contract: Contract) -> bool:
    """Return whether a contract's month is one of those that become the front month of its root."""
    return contract.month in months_of(contract.root)


def tick_of(name: str) -> Decimal | None:
    """Return the tick of a contract by its canonical name; None for what is not listed here."""
    instrument = INSTRUMENTS.get(name.partition(" ")[0])
    return instrument.tick if instrument else None


def _read(text: str) -> re.Match[str] | None:
    """Return the spelling of a listed contract, or of a front month, that a text is."""
    if not (text.isascii() and text.isprintable()):
        return None  # other digits and other blanks are no spelling
    name = " ".join(text.split()).upper()
    prefix = _PREFIX.match(name)
    name = name[prefix.end() :] if prefix else name
    found = next(filter(None, (spelling.fullmatch(name) for spelling in (_FRONT, *_SPELLINGS))), None)
    instrument = INSTRUMENTS.get(found["root"]) if found else None
    if instrument is None or (prefix and prefix[1].replace("CBOE", "CFE") != instrument.exchange):
        return None
    return found


def _month(parts: Mapping[str, str | None]) -> int:
    if number := parts.get("number"):
        return int(number)
    if name := parts.get("name"):
        return _MONTHS.index(name) + 1
    return _CODES.index(parts.get("code") or "") + 1


def _year(parts: Mapping[str, str | None], on: date) -> int:
    digits = parts.get("year") or parts.get("digits") or ""
    if len(digits) == 2:
        return 2000 + int(digits)
    last_year = on.year - 1
    return last_year + (int(digits) - last_year) % 10


def front_month(root: str, on: date) -> Contract:
    """Return the contract of a listed root that is the front month on a day: the first that has not rolled."""
    return next(contract for contract in _contracts(root, on.year) if contract.roll > on)


def expired(contract: Contract, on: date) -> bool:
    """Return whether a contract has ceased to trade before a day; on its last day it has not."""
    return contract.expiry < on


def near_roll(contract: Contract, on: date) -> Roll | None:
    """Return the roll from or to this contract that is within NEAR business days of a day; None if there is none."""
    closed = INSTRUMENTS[contract.root].dates.closed
    first, last = business_days_before(on, NEAR, closed), business_days_after(on, NEAR, closed)
    near = (roll for roll in _rolls(contract.root, first, last) if contract in (roll.old, roll.new))
    return next(near, None)


def rolls(on: date, until: date) -> list[Roll]:
    """Return every roll from a day up to another one, both included: in their order, those of one day by root."""
    return sorted(roll for root in INSTRUMENTS for roll in _rolls(root, on, until))


def round_to_tick(price: Decimal, root: str) -> Decimal:
    """Return the multiple of a listed root's tick that is nearest to a price; from the middle, away from zero."""
    tick = INSTRUMENTS[root].tick
    return (price / tick).quantize(Decimal(1), ROUND_HALF_UP) * tick


def _rolls(root: str, on: date, until: date) -> Iterator[Roll]:
    contracts = _contracts(root, on.year)
    old = next(contracts)
    for new in contracts:
        if old.roll > until:
            return
        if old.roll >= on:
            yield Roll(old.roll, old, new)
        old = new


def _contracts(root: str, since: int) -> Iterator[Contract]:
    """Yield the contracts that become the front month, without end, from the first of a year on."""
    months = months_of(root)
    return (Contract(root, year, month) for year in count(since) for month in months)
