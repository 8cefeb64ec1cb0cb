"""The names of a futures contract: `ES 12-26`, `ES DEC26` and `ESZ6` are one.

What orderhook lists goes by its table, as in the cloud; of any other future the names are made one by their form.
"""

import re
from datetime import date
from functools import lru_cache

from orderhook import instruments

_CODES = "FGHJKMNQUVXZ"
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()

_SPELLINGS = (
    re.compile(r"(?P<root>\S+) (?P<month>\d\d)-?(?P<year>\d\d)"),
    re.compile(rf"(?P<root>\S+) (?P<name>{'|'.join(_MONTHS)}) ?(?P<year>\d\d)"),
    re.compile(rf"(?P<root>[A-Z0-9]{{2,5}})(?P<code>[{_CODES}])(?P<year>20\d\d|\d\d?)"),
)
"""With a number, as NinjaTrader's order files and help guide have it; with a name, as its windows; with a letter."""


@lru_cache(maxsize=1000)
def canonical(name: str, today: date) -> str:
    """Return a contract as NinjaTrader's order files name it, `ES 12-26`; what is no contract stays as it is.

    `today` decides which decade a year of one digit is of: the one that is not over by more than a year.
    """
    if listed := instruments.parse(name, today):
        return listed.name
    text = " ".join(name.split())
    for spelling in _SPELLINGS:
        if found := spelling.fullmatch(text.upper()):
            parts = found.groupdict()
            month = _month(parts)
            return f"{parts['root']} {month:02}-{_year(parts['year'], today):02}" if 1 <= month <= 12 else text
    return text


def spellings(name: str) -> tuple[str, str, str]:
    """Return the three spellings of a canonical name: `ES 12-26`, `ES DEC26`, `ESZ6`; thrice itself if it has none."""
    found = re.fullmatch(r"(\S+) (0[1-9]|1[0-2])-(\d\d)", name)
    if not found:
        return name, name, name
    root, month, year = found[1], int(found[2]) - 1, found[3]
    return name, f"{root} {_MONTHS[month]}{year}", f"{root}{_CODES[month]}{year[-1]}"


def _month(parts: dict[str, str | None]) -> int:
    if number := parts.get("month"):
        return int(number)
    if month_name := parts.get("name"):
        return _MONTHS.index(month_name) + 1
    return _CODES.index(parts.get("code") or "") + 1


def _year(digits: str, today: date) -> int:
    if len(digits) > 1:
        return int(digits) % 100
    last_year = today.year - 1
    return (last_year + (int(digits) - last_year) % 10) % 100
