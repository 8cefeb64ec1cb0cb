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
        if any(isinstance(member, list) for member in value.values()):  # the legs that ended, by their entries
            return [_first([leg for legs in value.values() for leg in legs])]
        return [", ".join(f"{name} {member}" for name, member in value.items())]
    if not isinstance(value, list):
        return [f"{value}"]
    if value and isinstance(value[0], dict):
        if "reason" in value[0]:  # the orders that cannot be cancelled
            return [f"{failed.get('order_id')}: {failed['reason']}" for failed in value]
        return [f"{result.get('account')}: {_describe_result(result)}" for result in value]
    return [_first(list(map(str, value)))] if value else []


def _first(ids: list[str]) -> str:
    rest = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    return ", ".join(ids[:_SHOWN_IDS]) + rest


def _describe_result(result: Mapping[str, Any]) -> str:
    parts = (answer_word(result), result.get("order_id") or result.get("strategy_id"), result.get("detail"))
    counts = [describe_counts(result["counts"])] if "counts" in result else []
    return ", ".join(filter(None, (*parts, *counts)))
