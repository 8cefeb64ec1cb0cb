"""Show what was realized, by account and day."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from rich.text import Text

from cli.terminal import BAD, DIM, GOOD, WARNING, Cell, print_line, print_table, print_text, printable
from orderhook.orders import decimal_text
from orderhook.profit import OfDay, totals


def show_profit(days: Sequence[OfDay], notes: Iterable[str]) -> None:
    """Print a row for each instrument of each day, the sum of a day with several, and the sum of all."""
    columns = ("day", "account", "instrument", "closed", "points", "realized")
    print_table(columns, (row for day in days for row in _rows(day)))
    if len(days) > 1:
        print_line()
        for total in totals(days):
            part = f" of {total.closed} of {total.closed + total.unpriced} contracts" if total.unpriced else ""
            print_text(printable(f"{total.account}, together: {_money(total.realized, total.currency)}{part}"))
    print_line()
    show_notes(notes)


def show_notes(notes: Iterable[str]) -> None:
    """Print what the figures are, and what is not in them."""
    first, *others = notes
    print_text(printable(first), DIM)
    for note in others:
        print_text(printable(note), WARNING)


def _rows(day: OfDay) -> Iterator[list[Cell]]:
    where = [day.day.isoformat(), day.account]
    for it in day.instruments:
        yield [
            *where,
            it.instrument,
            _closed(it.closed, it.unpriced),
            decimal_text(it.points),
            _amount(it.realized, day.currency),
        ]
    if len(day.instruments) > 1 and day.currency:
        closed, unpriced = sum(it.closed for it in day.instruments), sum(it.unpriced for it in day.instruments)
        yield [
            *where,
            "together",
            _closed(closed, unpriced) if unpriced else "",
            "",
            _amount(day.realized, day.currency),
        ]


def _closed(closed: int, unpriced: int) -> Cell:
    return Text(f"{closed} of {closed + unpriced}", WARNING) if unpriced else str(closed)


def _amount(realized: Decimal | None, currency: str | None) -> Cell:
    style = "" if not realized else GOOD if realized > 0 else BAD
    return Text(_money(realized, currency), style or DIM)


def _money(realized: Decimal | None, currency: str | None) -> str:
    return "not listed" if realized is None else f"{realized:,.2f} {currency}"
