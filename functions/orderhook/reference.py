"""What every word of an answer means, and the way out: for `orderhook alerts show`, and docs/errors.md is made of it.

`python -m orderhook.reference` writes that page; a test compares the two.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from orderhook.responses import STATUS_AND_CODE

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

STATUS_OF: Mapping[str, int] = MappingProxyType({code: status for status, code in STATUS_AND_CODE.values()})
"""The HTTP status of each error code; status words all have 200."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a status word or an error code means, and what to do."""

    meaning: str
    way_out: str


DONE: Mapping[str, Entry] = MappingProxyType(
    {
        "cancelled": Entry(
            "What the command cancels is cancelled; what was filled before stays filled.",
            "Nothing. `filled` in the answer says how much was filled before.",
        ),
        "already_cancelled": Entry(
            "The order was cancelled, or was being cancelled, before this alert came.",
            "Nothing: a duplicate is a success. If you did not expect one, look for two alerts with the same text.",
        ),
        "placed": Entry("The order is in the book, and its targets and stops with it.", "Nothing."),
        "already_placed": Entry(
            "An order with this order_id and the same content was placed before; nothing was written.",
            "Nothing, if it is a repetition. If it was to be another order, give it an order_id of its own.",
        ),
        "changed": Entry("The order has the new quantity and prices.", "Nothing."),
        "replaced": Entry("The old order is cancelled, and the new one is in its place.", "Nothing."),
        "closed": Entry(
            "The strategy is closed and its working orders are cancelled.",
            "Nothing. A new entry needs a new strategy_id.",
        ),
        "scheduled": Entry(
            "The alert has a delay and waits for it; nothing is done yet.",
            "Nothing. What came of it is a record of its own, with the time at which the delay was over.",
        ),
        "kill_switch_on": Entry(
            "The kill switch is on from now: alerts that trade are refused.",
            "Turn it off when you want to trade again.",
        ),
        "kill_switch_off": Entry("The kill switch is off: alerts are carried out again.", "Nothing."),
    }
)
"""What the status words of a success mean."""

REFUSED: Mapping[str, Entry] = MappingProxyType(
    {
        "malformed_payload": Entry(
            "The body is neither name=value pairs nor one flat JSON object in UTF-8.",
            "End each field with ';' or a new line. JSON has to be whole: a placeholder may have put a quote into it.",
        ),
        "missing_field": Entry(
            "A field that the command needs is absent or empty.",
            "Add the field. If it is there, its placeholder was empty when the alert fired.",
        ),
        "duplicate_field": Entry("A field is given twice.", "Keep one of them. Two commands need two alerts."),
        "unknown_field": Entry(
            "There is no field of this name.", "Correct the name as `detail` proposes, or take the field out."
        ),
        "invalid_value": Entry(
            "A value has the wrong form, or does not go with the others.",
            "Correct the field as `detail` says. If it says that a key stands outside key=, revoke that key.",
        ),
        "unresolved_placeholder": Entry(
            "A value still has a {{placeholder}} in it: TradingView did not replace it.",
            "Use a placeholder that this kind of alert knows; those for strategies work in strategy alerts only.",
        ),
        "unsupported_value": Entry(
            "The field or its value is of the language, but cannot be done here.",
            "Take it out, or give an absolute value: the order would not do what the alert says.",
        ),
        "unknown_command": Entry("There is no such command.", "Correct the command as `detail` proposes."),
        "unsupported_command": Entry(
            "The command is of the language, but is not built yet.", "Use one of the commands that `detail` lists."
        ),
        "strategy_id_required": Entry(
            "order_id is an order name such as STOP1, and names exist within a strategy only.",
            "Add the strategy_id, or give the order's id.",
        ),
        "invalid_secret_key": Entry(
            "There is no key, or it is not a valid one, or it is revoked. Such an alert leaves no record.",
            "Compare the alert's key with `orderhook keys list`; create a new one with `orderhook keys create`.",
        ),
        "command_not_allowed": Entry(
            "The key is good, but not for this command.",
            "Use a key that may give it: `orderhook keys list` shows what each may.",
        ),
        "source_not_allowed": Entry(
            "The address that the alert came from is not on the endpoint's list. Such an alert leaves no record.",
            "Send it from TradingView, or add the address to the stack's SourceAllowList.",
        ),
        "order_not_found": Entry(
            "None of the trader's orders has this id, or the strategy has none of this name.",
            "Look with `orderhook orders` whether it was placed: case matters, and the key says whose orders they are.",
        ),
        "strategy_not_found": Entry(
            "The trader has no strategy, or no template, of this name.",
            "Compare with the strategy_id of the PLACE, or store the template with `orderhook templates put`.",
        ),
        "order_already_terminal": Entry(
            "The order is finished: filled, rejected, expired or cancelled, so there is nothing left to do.",
            "Nothing, if the fill was expected. `orderhook order ID` shows what happened to it, and when.",
        ),
        "strategy_mismatch": Entry(
            "The order, account or instrument does not go with the strategy that the alert names.",
            "Correct strategy_id, or leave it out.",
        ),
        "duplicate_order_id": Entry(
            "The order_id is taken by another order; a finished order's stays taken for the stack's RetentionDays.",
            "Choose another order_id; a time in it makes each one new.",
        ),
        "outcome_unknown": Entry(
            "The table did not answer, and the order may or may not have been written.",
            "Look with `orderhook orders` before you send it again. With an order_id it would have been safe.",
        ),
        "payload_too_large": Entry(
            "The body is larger than 8 KiB. Such an alert leaves no record.", "Shorten the alert's message."
        ),
        "kill_switch_on": Entry(
            "The kill switch was on, and nothing was done.",
            "Turn it off when you want to trade again, then send what is still to be done.",
        ),
        "outside_trade_window": Entry(
            "It was not the time of day at which the alert may trade.",
            "Correct the times of the alert, or let it say bypass_trade_windows=true.",
        ),
        "too_late": Entry(
            "A failure kept a delayed alert back for over five minutes; as it may open a position, nothing was done.",
            "See whether an earlier attempt has placed its order; if not, send it again if you still want it.",
        ),
        "rate_limited": Entry(
            "More alerts of this id came than its rate_limit allows.",
            "Nothing, if that is what it is for. Otherwise raise rate_limit, or have the condition fire less often.",
        ),
        "temporarily_unavailable": Entry(
            "The table did not answer in time, or a defect struck; nothing is half done.",
            "Look for the repetition among later alerts. Without one, send it again: that is safe.",
        ),
    }
)
"""What the error codes of a refusal mean."""

_NEVER_THERE: Mapping[str, str] = MappingProxyType(
    {
        "had no valid key, came from an address that is not allowed, was over 8 KiB or no UTF-8 text": (
            "in the function's log: one line with `outcome`"
        ),
        "was turned away by API Gateway's own throttling (429, not sent again)": "in the API's access log: `status`",
        "was answered, but the table did not take the record in time": (
            "in the function's log: `alert not recorded`; the alarm `AlertsNotRecordedAlarm` counts them"
        ),
        "is older than the stack's `AlertRetentionDays`": "nowhere: it is gone",
    }
)
"""Why an alert may have no record, and where to look instead."""


def entry(status: int, word: str) -> Entry | None:
    """Return what the word of an answer means, a status word or, with an HTTP status from 400, an error code."""
    return (REFUSED if status >= 400 else DONE).get(word)


def is_sent_again(status: int) -> bool:
    """Tell whether TradingView sends an alert again that was answered like this: three times at most."""
    return status >= 500


def page() -> str:
    """Return docs/errors.md."""
    parts = [
        "# What an answer means, and what to do",
        "<!-- Made by `make docs` from functions/orderhook/reference.py: change it there. -->",
        "`orderhook alerts` lists the alerts that came in; `orderhook alerts show ID` explains one with these words.\n"
        "`detail` and `field` of the answer say what it is about in that very alert.",
        "## Done: 200",
        _table(("Word", "Meaning", "What to do"), ((f"`{word}`", it.meaning, it.way_out) for word, it in DONE.items())),
        "## Refused",
        "TradingView sends an alert again after a 5xx, three times at most, and after nothing else.",
        _table(("Status", "Code", "Meaning", "What to do", "Sent again"), _refusals()),
        "## An alert that has no record",
        _table(("It", "Look"), _NEVER_THERE.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _refusals() -> Iterator[tuple[str, ...]]:
    for code, status in sorted(STATUS_OF.items(), key=lambda pair: pair[1]):
        again = "yes" if is_sent_again(status) else "no"
        yield f"{status}", f"`{code}`", REFUSED[code].meaning, REFUSED[code].way_out, again


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
