"""Show what the webhook answered."""

from collections.abc import Mapping
from typing import Any

from cli.terminal import BAD, GOOD, WARNING, print_line, printable

_SHOWN_IDS = 5
"""How many ids of a long list are shown."""

_NAME_WIDTH = 15

_SHOWN_APART = frozenset({"success", "status", "error", "message", "detail", "warnings"})


def show_answer(status: int, body: Mapping[str, Any]) -> None:
    """Print the status word or error code, then every other value of an answer, then its warnings."""
    print_line(printable(f"{status} {answer_word(body)}"), GOOD if body.get("success") is True else BAD)
    if "detail" in body:
        print_line(printable(str(body["detail"])))
    for name, value in body.items():
        if name not in _SHOWN_APART:
            for number, text in enumerate(_lines(value)):
                print_line(printable(f"  {name if number == 0 else '':<{_NAME_WIDTH}} {text}"))
    for warning in body.get("warnings", []):
        print_line(printable(f"Warning: {warning['detail']}"), WARNING)


def answer_word(body: Mapping[str, Any]) -> str:
    """Return the status word of a success or the code of a refusal; API Gateway's own refusals have only a message."""
    return str(body.get("status") or body.get("error") or body.get("message"))


def describe_counts(counts: Mapping[str, int]) -> str:
    """Return how many orders a command over many affected, by what became of them."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no orders"


def _lines(value: Any) -> list[str]:
    """Return a value of an answer as lines; of many ids only the first few, because their number is shown in counts."""
    if isinstance(value, dict):
        return [", ".join(f"{name} {member}" for name, member in value.items())]
    if not isinstance(value, list):
        return [f"{value}"]
    if value and isinstance(value[0], dict):  # the results of several accounts
        return [f"{result['account']}: {_describe_result(result)}" for result in value]
    rest = f" and {len(value) - _SHOWN_IDS} more" if len(value) > _SHOWN_IDS else ""
    return [", ".join(map(str, value[:_SHOWN_IDS])) + rest] if value else []


def _describe_result(result: Mapping[str, Any]) -> str:
    parts = (answer_word(result), result.get("order_id") or result.get("strategy_id"), result.get("detail"))
    counts = [describe_counts(result["counts"])] if "counts" in result else []
    return ", ".join(filter(None, (*parts, *counts)))
