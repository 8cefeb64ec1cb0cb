"""Print to a terminal: lines, tables and colours; plain text that a script can read when it is not a terminal."""

import csv
import io
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from decimal import Context, Decimal
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orderhook.orders import decimal_text

GOOD, BAD, WARNING, DIM = "green", "bold red", "yellow", "dim"
"""Styles."""

REFUSED, UNREACHABLE, USAGE = 1, 2, 2
"""Exit codes."""

EXIT_CODES: Mapping[int, str] = {
    0: "done; of send, the alert was carried out; of check, it is in order",
    1: "refused, not there, left undone, not readable, or the table not usable",
    2: "send got no answer, or the command line was not understood",
}
"""What each exit code means, for every command."""

MOST_IN_CELL = 64
"""The widest that a line in a cell of a table may be: one long value must not widen all the others."""

_UNLIMITED_WIDTH = 10_000
"""The width of what is not a terminal: no line is wrapped or cut."""

_AVERAGE = Context(prec=8)
"""Finer than any tick of what is traded, and coarser than the digits that an average never ends."""

_zone: ContextVar[tzinfo | None] = ContextVar("zone", default=UTC)
"""The time zone that times are shown in; None is this machine's."""

Cell = str | Text


def printable(text: str) -> str:
    """Return the text with every character escaped that a terminal would act on instead of showing it."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def print_line(text: str = "", style: str = "", *, error: bool = False) -> None:
    """Print one line as it is, at once: never wrapped, cut or interpreted as markup."""
    console = Console(stderr=error, soft_wrap=True, highlight=False)
    console.print(Text(text, style))
    console.file.flush()


def print_text(text: str, style: str = "", *, hanging: int = 0, error: bool = False) -> None:
    """Print sentences: in a terminal wrapped between words, with `hanging` blanks before each further line."""
    console = Console(stderr=error)
    lines = [text]
    if console.is_terminal:
        indent = " " * min(hanging, console.width // 2)
        lines = textwrap.wrap(
            text, console.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    print_line("\n".join(lines), style, error=error)


def print_json(value: object) -> None:
    """Print a value for a script."""
    print_line(json.dumps(value, indent=2))


def print_csv(objects: Iterable[Mapping[str, Any]]) -> None:
    """Print JSON objects for a spreadsheet, under the names of their members; what is not text is JSON."""
    rows = list(objects)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if columns:
        writer.writerow(columns)
    writer.writerows([_csv_cell(row.get(name)) for name in columns] for row in rows)
    typer.echo(text.getvalue(), nl=False)


def _csv_cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print rows under the names of their columns; a line of a cell that is too wide is cut, and ends in `…`."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_UNLIMITED_WIDTH)
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*map(_cut, row))
    console.print(table)
    console.file.flush()


def _cut(cell: Cell) -> Text:
    lines = (cell if isinstance(cell, Text) else Text(printable(cell))).split("\n", allow_blank=True)
    for line in lines:
        line.truncate(MOST_IN_CELL, overflow="ellipsis")
    return Text("\n").join(lines)


def is_terminal() -> bool:
    """Return whether a person is looking, so that a row may take two lines to fit the width."""
    return Console().is_terminal


@contextmanager
def times_shown(*, local: bool) -> Iterator[None]:
    """Show times in UTC, or in this machine's time zone."""
    token = _zone.set(None if local else UTC)
    try:
        yield
    finally:
        _zone.reset(token)


def shown_zone() -> tzinfo | None:
    """Return the time zone that times are shown in, and typed in; None is this machine's."""
    return _zone.get()


def readable_time(at: str) -> str:
    """Return a stored time as a person reads it, to the second; what is not a time comes back as it is."""
    try:
        return f"{datetime.fromisoformat(at).astimezone(_zone.get()):%Y-%m-%d %H:%M:%S %Z}"
    except ValueError:
        return at


def readable_average(average: Decimal | None) -> str:
    """Return an average price as a person reads it: as a quotient it may have no end."""
    return "" if average is None else decimal_text(_AVERAGE.plus(average))


def fail(message: str, exit_code: int = REFUSED) -> NoReturn:
    """End the command with one sentence that says why."""
    print_text(printable(message), BAD, error=True)
    raise typer.Exit(exit_code)
