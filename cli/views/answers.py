"""Show what the webhook answered."""

from collections.abc import Mapping
from typing import Any

from cli.terminal import BAD, GOOD, WARNING, print_line, print_text, printable

_NAME_WIDTH = 15
_VALUE_WIDTH = 80 - 2 - _NAME_WIDTH - 1
"""What a line of ids may take beside the name of their list."""

_SHOWN_APART = frozenset({"success", "status", "error", "message", "detail", "warnings"})


def show_answer(status: int, body: Mapping[str, Any]) -> None:
    """Print the status word or error code, then every other value of an answer, then its warnings."""
    print_line(printable(f"{status} {answer_word(body)}"), GOOD if body.get("success") is True else BAD)
    if "detail" in body:
        print_text(printable(str(body["detail"])))
    for name, value in body.items():
        if name not in _SHOWN_APART:
            for number, text in enumerate(_lines(value)):
                shown = f"  {name if number == 0 else '':<{_NAME_WIDTH}} {text}"
                print_text(printable(shown), hanging=_NAME_WIDTH + 3)
    for warning in body.get("warnings", []):
        print_text(printable(f"Warning: {warning['detail']}"), WARNING)


def answer_word(body: Mapping[str, Any]) -> str:
    """Return the status word of a success or the code of a refusal; API Gateway's own refusals have only a message."""
    return str(body.get("status") or body.get("error") or body.get("message"))


def describe_counts(counts: Mapping[str, int]) -> str:
    """Return how many orders a command over many affected, by what became of them."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no orders"


def _lines(value: Any) -> list[str]:
    """Return a value of an answer as lines, whole: what became of an order must not be left out."""
    if isinstance(value, dict):
        if any(isinstance(member, list) for member in value.values()):  # the legs that ended, by their entries
            return _on_lines([leg for legs in value.values() for leg in legs])
        return _on_lines([f"{name} {member}" for name, member in value.items()])
    if not isinstance(value, list):
        return [f"{value}"]
    if value and isinstance(value[0], dict):
        if "reason" in value[0]:  # the orders that cannot be cancelled
            return [f"{failed.get('order_id')}: {failed['reason']}" for failed in value]
        return [f"{result.get('account')}: {_describe_result(result)}" for result in value]
    return _on_lines(list(map(str, value)))


def _on_lines(parts: list[str]) -> list[str]:
    """Return lines of ids or the like, none of them parted, as many on a line as 80 columns hold."""
    lines: list[str] = []
    for number, part in enumerate(parts):
        text = part if number == len(parts) - 1 else f"{part},"
        if lines and len(lines[-1]) + 1 + len(text) <= _VALUE_WIDTH:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return lines


def _describe_result(result: Mapping[str, Any]) -> str:
    parts = (answer_word(result), result.get("order_id") or result.get("strategy_id"), result.get("detail"))
    counts = [describe_counts(result["counts"])] if "counts" in result else []
    return ", ".join(filter(None, (*parts, *counts)))
