"""`orderhook instruments`: the futures that are known, their front months and their rolls."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

import typer

from cli.options import AsCsv, AsJson, examples
from cli.terminal import USAGE, fail, print_csv, print_json, print_table
from orderhook.instruments import INSTRUMENTS, Contract, front_month, rolls
from orderhook.orders import decimal_text

EXAMPLES = examples(
    "orderhook instruments",
    "orderhook instruments ES CL --year",
    "orderhook instruments --on 2026-12-10",
    "orderhook instruments --year --csv > rolls.csv",
)

_NEW_YORK = ZoneInfo("America/New_York")
_YEAR = timedelta(days=365)


class _Front(NamedTuple):
    """A contract, and since when it is the front month; None where it is so already."""

    contract: Contract
    since: date | None


def list_instruments(
    roots: Annotated[list[str] | None, typer.Argument(metavar="ROOT", help="Only these, such as ES; any case.")] = None,
    year: Annotated[
        bool, typer.Option("--year", help="Also every contract that becomes the front month within a year.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="As of this day, such as 2026-12-10.  [default: today in New York]"),
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List futures with their front months, rolls and ticks.

    The front month is what ES1! stands for; from the day of its roll on that is the next contract. A point is what a
    move of the price by 1 is worth. What is not listed here goes by the name that NinjaTrader has for it.
    """
    if as_json and as_csv:
        fail("--csv and --json are both given; give only one of them.", USAGE)
    day = _day(on)
    chosen = _chosen(roots or [])
    found = [front for root in chosen for front in _fronts(root, day, year=year)]
    if as_json or as_csv:
        (print_json if as_json else print_csv)([_represent(front) for front in found])
    else:
        columns = ("root", "front month", "rolls on", "expires on", "tick", "point is", "currency")
        print_table(columns, map(_row, found))


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(_NEW_YORK).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{text!a} is not a day; write it as 2026-12-10.", USAGE)


def _chosen(roots: list[str]) -> list[str]:
    for root in roots:
        if root.upper() not in INSTRUMENTS:
            fail(f"{root!a} is not among the futures that are known; `orderhook instruments` lists them.")
    return [root.upper() for root in roots] or list(INSTRUMENTS)


def _fronts(root: str, day: date, *, year: bool) -> Iterator[_Front]:
    yield _Front(front_month(root, day), None)
    if year:
        # A roll of this very day has made the present front month.
        later = rolls(day + timedelta(days=1), day + _YEAR)
        yield from (_Front(roll.new, roll.on) for roll in later if roll.new.root == root)


def _row(front: _Front) -> list[str]:
    contract = front.contract
    instrument = INSTRUMENTS[contract.root]
    return [
        contract.root,
        contract.name,
        contract.roll.isoformat(),
        contract.expiry.isoformat(),
        decimal_text(instrument.tick),
        decimal_text(instrument.point_value),
        instrument.currency,
    ]


def _represent(front: _Front) -> dict[str, str | None]:
    """Represent a front month as a script reads it; `since` is null where it is the front month already."""
    contract = front.contract
    instrument = INSTRUMENTS[contract.root]
    return {
        "root": contract.root,
        "exchange": instrument.exchange,
        "front_month": contract.name,
        "since": front.since.isoformat() if front.since else None,
        "roll": contract.roll.isoformat(),
        "expiry": contract.expiry.isoformat(),
        "tick": decimal_text(instrument.tick),
        "point_value": decimal_text(instrument.point_value),
        "currency": instrument.currency,
    }
