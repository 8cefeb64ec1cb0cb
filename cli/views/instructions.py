"""Show what is asked of a venue about positions."""

import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.text import Text

from cli.terminal import (
    BAD,
    DIM,
    GOOD,
    WARNING,
    Cell,
    is_terminal,
    print_line,
    print_table,
    print_text,
    printable,
    readable_time,
)
from orderhook.orders import decimal_text

RESULT_STYLES: Mapping[str, str] = {"done": GOOD, "failed": BAD, "unresolved": BAD}
"""How a result is shown; any other is a warning."""

_WHAT_WIDTH = 25
"""What of a terminal's 80 columns is left beside the whole id, which people copy, and the age."""

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def describe_instruction(it: Mapping[str, Any]) -> str:
    """Say in one line what is asked."""
    percent = f"{decimal_text(Decimal(it['percent']) * 100)} %" if it["percent"] else None
    instrument = f"{it['root']} (every month)" if it["root"] else it["instrument"]
    asked = (it["command"], it["action"], it["qty"], percent, it["market_position"], instrument)
    where = (" ".join(filter(None, asked)), it["account"] or "every account", it["strategy_id"])
    return ", ".join(filter(None, where))


def readable_age(since: str, now: datetime | None = None) -> str:
    """Return how long ago a stored time was, in its two largest units."""
    seconds = max(0, int(((now or datetime.now(UTC)) - datetime.fromisoformat(since)).total_seconds()))
    first = next((number for number, (_, size) in enumerate(_UNITS) if seconds >= size), len(_UNITS) - 1)
    parts = []
    for name, size in _UNITS[first : first + 2]:
        parts.append(f"{seconds // size} {name}")
        seconds %= size
    return " ".join(parts)


def show_instructions(instructions: Sequence[Mapping[str, Any]], now: datetime | None = None) -> None:
    """Print the instructions that are under way; nothing where there are none."""
    if not instructions:
        return
    print_line()
    print_text("Not done yet at the venue; `orderhook alerts show ID` says more:", WARNING)
    columns = ("instruction", "what", "under way for")
    if is_terminal():
        print_table(columns, (_cells(it, now) for it in instructions))
    else:
        rows = ([*_cells(it, now), "" if "since" not in it else readable_time(it["since"])] for it in instructions)
        print_table((*columns, "since"), rows)


def show_instruction_news(it: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
    """Print a line about an instruction that is new, or has its result."""
    at = result["at"] if result else it["since"]
    told = ", ".join(filter(None, (result["result"], result["reason"]))) if result else "not done yet"
    style = RESULT_STYLES.get(result["result"], WARNING) if result else WARNING
    line = f"{readable_time(at)}  {it['instruction_id']}  {describe_instruction(it)}: {told}"
    print_text(printable(line), style, hanging=4)


def _cells(it: Mapping[str, Any], now: datetime | None) -> list[Cell]:
    if "since" not in it:
        return [it["instruction_id"], Text("unreadable", BAD), ""]
    age = Text(readable_age(it["since"], now), DIM)
    what = printable(describe_instruction(it))
    return [it["instruction_id"], Text("\n".join(textwrap.wrap(what, _WHAT_WIDTH)) if is_terminal() else what), age]
