"""Show the explanation of an alert that was checked and not sent."""

from rich.text import Text

from cli.terminal import BAD, GOOD, WARNING, Cell, print_line, print_table, printable
from orderhook.explain import Explanation, Row


def show_explanation(explanation: Explanation) -> None:
    """Print every field of an alert, everything that is wrong with it, and what it would do."""
    if explanation.rows:
        print_table(("as sent", "field", "value", "", "remark"), map(_cells, explanation.rows))
    shown_faults = [row.fault for row in explanation.rows]
    for fault in explanation.faults:
        if fault not in shown_faults:
            print_line(printable(fault.detail), BAD)
    print_line(explanation.verdict, BAD if explanation.faults else GOOD)


def _cells(row: Row) -> list[Cell]:
    mark = Text("wrong", BAD) if row.fault else Text("ok", GOOD)
    remark = Text(printable(row.fault.detail), BAD) if row.fault else Text(row.remark, WARNING)
    return [row.name, row.field, row.value, mark, remark]
