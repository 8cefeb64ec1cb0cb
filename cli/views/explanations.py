"""Show the explanation of an alert that was checked and not sent."""

from rich.text import Text

from cli.terminal import BAD, GOOD, WARNING, Cell, print_line, print_table, print_text, printable
from orderhook.explain import Explanation, Row


def show_explanation(explanation: Explanation) -> None:
    """Print every field of an alert, everything that is wrong with it, and what it would do."""
    if explanation.rows:
        print_table(("as sent", "field", "value", ""), map(_cells, explanation.rows))
        print_line()
    for row in explanation.rows:
        if row.remark and not row.fault:
            print_text(printable(f"{row.name}: {row.remark}"), WARNING)
    for warning in explanation.apart:
        print_text(printable(warning.detail), WARNING)
    names = {id(row.fault): row.name for row in explanation.rows}
    for fault in explanation.faults:
        name = names.get(id(fault))
        is_named = name is None or fault.detail.startswith(f"{name} ")
        print_text(printable(fault.detail if is_named else f"{name}: {fault.detail}"), BAD)
    print_text(printable(explanation.verdict), BAD if explanation.faults else GOOD)


def _cells(row: Row) -> list[Cell]:
    mark = Text("wrong", BAD) if row.fault else Text("look", WARNING) if row.remark else Text("ok", GOOD)
    return [row.name, row.field, row.value, mark]
