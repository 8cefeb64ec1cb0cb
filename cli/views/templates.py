"""Show templates and their brackets."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from rich.text import Text

from cli.terminal import BAD, Cell, print_table
from orderhook.listing import Unreadable
from orderhook.orders import Template, decimal_text


def show_templates(templates: Iterable[Template | Unreadable]) -> None:
    """Print templates as a table, a row for each bracket."""
    rows = (cells for template in templates for cells in _rows(template))
    print_table(("template", "bracket", "qty", "target", "stop"), rows)


def _rows(template: Template | Unreadable) -> Iterator[list[Cell]]:
    if isinstance(template, Unreadable):
        yield [template.id, Text("unreadable", BAD), "", "", ""]
        return
    if template.ninjatrader:
        yield [template.name, "NinjaTrader's own", "", "", ""]
    for number, bracket in enumerate(template.brackets, 1):
        name = template.name if number == 1 else ""
        yield [name, f"{number}", f"{bracket.qty}", _points(bracket.target), _points(bracket.stop)]


def _points(points: Decimal | None) -> str:
    return "" if points is None else decimal_text(points)
