"""What a person sees: tables and colours in a terminal, plain lines that a script can read everywhere else."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orderhook.explain import Reading, sentence
from orderhook.keys import Key
from orderhook.orders import OPEN, Order, OrderState, Template, decimal_text
from orderhook.responses import STATUS_AND_CODE

GOOD, BAD, WARNING, DIM = "green", "bold red", "yellow", "dim"

_UNBROKEN = 10_000
"""A width at which no line is wrapped or cut, for what is not a terminal."""

_FEW = 5
"""So many ids of a long list are shown."""

Cell = str | Text


def printable(text: str) -> str:
    """Return the text with everything escaped that a terminal would obey instead of showing."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def line(text: str = "", style: str = "", *, error: bool = False) -> None:
    """Print one line as it is: never wrapped, cut or marked up, and at once."""
    console = Console(stderr=error, soft_wrap=True, highlight=False)
    console.print(Text(text, style))
    console.file.flush()


def as_json(value: object) -> None:
    """Print a value for a script."""
    line(json.dumps(value, indent=2, default=str))


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print rows under their columns."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_UNBROKEN)
    drawn = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in drawn.columns:
        column.overflow = "fold"
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    console.print(drawn)
    console.file.flush()


# The book


def orders(found: Iterable[Order]) -> None:
    """Print orders as a table: a line for each, or two in a terminal, which is seldom wide enough for one."""
    if Console().is_terminal:
        table(("order", "", "", "state"), map(_two_lines, found))
    else:
        names = ("order id", "name", "strategy", "account", "instrument", "order", "price", "filled", "state", "since")
        table(names, map(_one_line, found))


def _one_line(order: Order) -> list[Cell]:
    return [
        order.order_id,
        order.order_name or "",
        order.strategy_id or "",
        order.account,
        order.instrument,
        _what(order),
        _price(order),
        str(order.filled),
        order.state,
        moment(order.since),
    ]


def _two_lines(order: Order) -> list[Cell]:
    style = GOOD if order.state in OPEN else WARNING if order.state is OrderState.CANCELLED else DIM
    filled = f", {order.filled} filled" if order.filled else ""
    name = f"{order.order_name} of {order.strategy_id}" if order.order_name else ""
    return [
        Text.assemble(order.order_id, "\n", (name, DIM)),
        Text.assemble(_what(order), "\n", (_price(order), DIM)),
        Text.assemble(printable(order.instrument), "\n", (printable(order.account), DIM)),
        Text.assemble((order.state, style), filled, "\n", (moment(order.since), DIM)),
    ]


def _what(order: Order) -> str:
    return f"{order.action} {order.qty} {order.order_type} {order.tif}"


def _price(order: Order) -> str:
    above = (order.order_type == "LIMIT") == (order.action == "SELL")  # a leg closes what its entry opened
    parts = {"stop": order.stop_price, "limit": order.limit_price, f"entry {'+' if above else '-'}": order.offset}
    return ", ".join(f"{name} {decimal_text(price)}" for name, price in parts.items() if price is not None)


def order_as_data(order: Order) -> dict[str, Any]:
    """Return an order for a script: numbers that are money or quantity as strings, as in every answer."""
    names = (
        "order_id order_name strategy_id account instrument action qty filled order_type tif limit_price stop_price "
        "offset oco_id state since cancelled_at notes replaces replaced_by"
    )
    found = {name: getattr(order, name) for name in names.split()}
    return {name: None if value is None else str(value) for name, value in found.items()}


def moment(at: str) -> str:
    """Return a stored time as a person reads it, to the second, in UTC."""
    return at[:19].replace("T", " ") + " UTC"


# Keys and templates


def keys(found: Iterable[Key]) -> None:
    """Print the stored halves of keys as a table."""
    table(("key id", "ends in", "trader", "label", "may give", "created", "revoked"), map(_key, found))


def _key(key: Key) -> list[Cell]:
    may = ", ".join(sorted(key.scopes)) or "every command"
    revoked = Text(moment(key.revoked), WARNING) if key.revoked else Text("no", DIM)
    return [key.key_id, key.last_four, key.trader, key.label, may, moment(key.created), revoked]


def key_as_data(key: Key) -> dict[str, Any]:
    """Return the stored half of a key for a script, without its digest."""
    names = ("key_id", "last_four", "trader", "label", "created", "revoked")
    return {name: getattr(key, name) for name in names} | {"scopes": sorted(key.scopes)}


def templates(found: Iterable[Template]) -> None:
    """Print templates as a table, a row for each bracket."""
    rows = (
        [
            template.name if number == 1 else "",
            f"{number}",
            f"{bracket.qty}",
            _points(bracket.target),
            _points(bracket.stop),
        ]
        for template in found
        for number, bracket in enumerate(template.brackets, 1)
    )
    table(("template", "bracket", "qty", "target", "stop"), rows)


def template_as_data(template: Template) -> dict[str, Any]:
    """Return a template for a script."""
    brackets = [
        {"qty": str(bracket.qty), "target": _points(bracket.target) or None, "stop": _points(bracket.stop) or None}
        for bracket in template.brackets
    ]
    return {"name": template.name, "brackets": brackets}


def _points(points: Any) -> str:
    return "" if points is None else decimal_text(points)


# Alerts


def answer(status: int, body: Mapping[str, Any]) -> None:
    """Print what the webhook answered."""
    good = body.get("success") is True
    line(printable(f"{status} {answer_word(body)}"), GOOD if good else BAD)
    if "detail" in body:
        line(printable(str(body["detail"])))
    told = {"success", "status", "error", "message", "detail", "warnings"}
    for name, value in body.items():
        if name not in told:
            for number, text in enumerate(_texts(value)):
                line(printable(f"  {name if number == 0 else '':<15} {text}"))
    for warning in body.get("warnings", []):
        line(printable(f"Warning: {warning['detail']}"), WARNING)


def _texts(value: Any) -> list[str]:
    """Return a value of an answer as lines; of many ids the first few, because their number is told besides."""
    if isinstance(value, dict):
        return [", ".join(f"{name} {member}" for name, member in value.items())]
    if not isinstance(value, list):
        return [f"{value}"]
    if value and isinstance(value[0], dict):  # the results of several accounts
        return [f"{each['account']}: {_result(each)}" for each in value]
    more = f" and {len(value) - _FEW} more" if len(value) > _FEW else ""
    return [", ".join(map(str, value[:_FEW])) + more] if value else []


def _result(result: Mapping[str, Any]) -> str:
    parts = (answer_word(result), result.get("order_id") or result.get("strategy_id"), result.get("detail"))
    counts = [counted(result["counts"])] if "counts" in result else []
    return ", ".join(filter(None, (*parts, *counts)))


def answer_word(body: Mapping[str, Any]) -> str:
    """Return the status word of a success, the code of a refusal; API Gateway's own has a message and nothing else."""
    return str(body.get("status") or body.get("error") or body.get("message"))


def counted(counts: Mapping[str, int]) -> str:
    """Return how many orders a command over many met, by what became of them."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no orders"


def reading(found: Reading) -> None:
    """Print how an alert was read, everything that is wrong with it, and what it would do."""
    rows: list[list[Cell]] = []
    for row in found.rows:
        mark = Text("wrong" if row.fault else "ok", BAD if row.fault else GOOD)
        remark = Text(printable(row.fault.detail), BAD) if row.fault else Text(row.remark, WARNING)
        rows.append([row.name, row.field, row.value, mark, remark])
    if rows:
        table(("as sent", "field", "value", "", "remark"), rows)
    in_rows = [row.fault for row in found.rows]
    for fault in found.faults:
        if fault not in in_rows:
            line(printable(fault.detail), BAD)
    line(verdict(found), BAD if found.faults else GOOD)


def verdict(found: Reading) -> str:
    """Say in one sentence what the alert would do."""
    if found.faults:
        status, code = STATUS_AND_CODE[type(found.faults[0])]
        return f"This alert would be refused: {status} {code}."
    return f"This alert {'; '.join(map(sentence, found.commands.values()))}."


def reading_as_data(found: Reading) -> dict[str, Any]:
    """Return how an alert was read for a script."""
    return {
        "accepted": not found.faults,
        "verdict": verdict(found),
        "faults": [
            {
                "status": STATUS_AND_CODE[type(fault)][0],
                "error": STATUS_AND_CODE[type(fault)][1],
                "detail": fault.detail,
            }
            | ({"field": fault.field} if fault.field else {})
            for fault in found.faults
        ],
        "fields": [
            {"name": row.name, "field": row.field, "value": row.value, "wrong": row.fault is not None}
            for row in found.rows
        ],
    }
