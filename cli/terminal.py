"""Print to a terminal: lines, tables and colours; plain text that a script can read when it is not a terminal."""

import json
from collections.abc import Iterable, Sequence
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

GOOD, BAD, WARNING, DIM = "green", "bold red", "yellow", "dim"
"""Styles."""

REFUSED, UNREACHABLE, USAGE = 1, 2, 2
"""Exit codes."""

_UNLIMITED_WIDTH = 10_000
"""The width of what is not a terminal: no line is wrapped or cut."""

Cell = str | Text


def printable(text: str) -> str:
    """Return the text with every character escaped that a terminal would act on instead of showing it."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def print_line(text: str = "", style: str = "", *, error: bool = False) -> None:
    """Print one line as it is, at once: never wrapped, cut or interpreted as markup."""
    console = Console(stderr=error, soft_wrap=True, highlight=False)
    console.print(Text(text, style))
    console.file.flush()


def print_json(value: object) -> None:
    """Print a value for a script."""
    print_line(json.dumps(value, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print rows under the names of their columns."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_UNLIMITED_WIDTH)
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    console.print(table)
    console.file.flush()


def is_terminal() -> bool:
    """Return whether a person is looking, so that a row may take two lines to fit the width."""
    return Console().is_terminal


def readable_time(at: str) -> str:
    """Return a stored time as a person reads it: to the second, in UTC."""
    return at[:19].replace("T", " ") + " UTC"


def fail(message: str, exit_code: int = REFUSED) -> NoReturn:
    """End the command with one line that says why."""
    print_line(printable(message), BAD, error=True)
    raise typer.Exit(exit_code)
