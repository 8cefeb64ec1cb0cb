"""What each status word and error code of an answer means, and what to do about it.

`orderhook alerts show` prints these sentences, and `python -m orderhook.reference` writes docs/errors.md from them; a
test compares the two.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from orderhook.alarms import METRICS, SILENT, SILENT_SUCCESSES
from orderhook.responses import STATUS_AND_CODE
from orderhook.venue_words import INSTRUCTION_REASONS, INSTRUCTION_RESULTS, ORDER_REASONS, Guidance

if TYPE_CHECKING:
    from orderhook.store.alert_log import AlertRecord

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

_STATUS_OF: Mapping[str, int] = MappingProxyType({code: status for status, code in STATUS_AND_CODE.values()})
"""The HTTP status of each error code; every status word has 200."""


STATUS_WORDS: Mapping[str, Guidance] = MappingProxyType(
    {
        "cancelled": Guidance(
            "What the command cancels is cancelled, with what waited for it. What was filled before stays filled.",
            "Nothing. `filled` in the answer says how much was filled before.",
        ),
        "already_cancelled": Guidance(
            "Nothing was left to cancel: the order was cancelled, or was being cancelled, before this alert came in.",
            "Nothing: a duplicate counts as a success. If you did not expect one, look for two alerts with the same "
            "text.",
        ),
        "cancel_pending": Guidance(
            "The venue is asked to cancel it, now or, with `duplicate`, by an earlier alert. It is not cancelled yet.",
            "Nothing, unless it stays open: `orderhook order ID` shows what the venue has said.",
        ),
        "nothing_to_cancel": Guidance(
            "No order was cancelled: none was open where the alert looks, or it left alone those under `waiting` and "
            "`newer`, or those under `already_terminal` were finished meanwhile.",
            "Nothing, if that is what you expect. Otherwise compare the names: the warning lists accounts with "
            "open orders.",
        ),
        "placed": Guidance(
            "The order is stored, with its targets and stops. With a venue it gets there next, and its state says so.",
            "Nothing.",
        ),
        "already_placed": Guidance(
            "This order was placed before and is still open, or the alert is a resend. Nothing was written.",
            "Nothing, if the alert was sent twice. If you meant another order, give it its own order_id.",
        ),
        "changed": Guidance(
            "The order has the quantity and prices that the answer shows, and its waiting targets and stops follow.",
            "Nothing.",
        ),
        "change_pending": Guidance(
            "The venue is asked for the quantity and prices that the answer shows. It has not confirmed them yet.",
            "Nothing, unless it stays ChangePending: `orderhook order ID` shows what the venue has said.",
        ),
        "replace_pending": Guidance(
            "The venue is asked for the order that the answer shows, under the same id. It has not confirmed it yet.",
            "Nothing, unless it stays ChangePending: `orderhook order ID` shows what the venue has said.",
        ),
        "accepted": Guidance(
            "The venue is asked for it: to close, turn or protect a position, to place an order after a close, or to "
            "close a strategy. Nothing of it is done yet. With `duplicate`, an earlier alert had asked for the same.",
            "Nothing. What comes of it stands in the alert's record, `orderhook alerts show`; of an order, in "
            "`orderhook order ID`.",
        ),
        "replaced": Guidance(
            "The order has the new type, quantity and prices. Its id, name and strategy are the same as before.",
            "Nothing.",
        ),
        "closed": Guidance(
            "Without a venue: the strategy's working orders are cancelled, but for those that the lists name "
            "otherwise. Its position stays.",
            "If it has a position, close that yourself. The next PLACE with its strategy_id starts it anew.",
        ),
        "scheduled": Guidance(
            "The alert has a delay. A PLACE is listed as an order and can be cancelled until it is due; of any other "
            "command nothing has been done yet.",
            "Nothing. The result gets a record of its own when the delay is over.",
        ),
        "kill_switch_on": Guidance(
            "The kill switch is on: alerts that trade are refused. An alert that had passed the check before may still "
            "be written within 3 seconds.",
            "Cancel again in 3 seconds if orders may have been under way. Turn it off when you want to trade again.",
        ),
        "kill_switch_off": Guidance("The kill switch is now off: alerts are carried out again.", "Nothing."),
    }
)
"""The words in `status` of a success."""

RELEASE_WORDS: Mapping[str, Guidance] = MappingProxyType(
    {
        "already_cancelled": Guidance(
            "The order was cancelled while it waited for its delay, so nothing was placed when that was over.",
            "Nothing. `orderhook order ID` shows who cancelled it.",
        ),
        "already_placed": Guidance("The order was placed by an earlier delivery of this message.", "Nothing."),
    }
)
"""The words in records of a PLACE whose delay is over, where they mean something else than in an answer."""

OPERATOR_WORDS: Mapping[str, Guidance] = MappingProxyType(
    {
        "key_created": Guidance(
            "An operator issued a key.", "Nothing, if you know of it: `source` says who, and where."
        ),
        "key_revoked": Guidance("An operator revoked a key.", "Give alerts that still have it another one."),
        "kill_switch_set": Guidance("An operator set whether the kill switch stops cancels too.", "Nothing."),
        "template_stored": Guidance(
            "An operator stored a template.", "Nothing: orders already placed keep their legs."
        ),
        "order_resolved": Guidance(
            "An operator said what has become of an order of which its bridge could not know it.",
            "Nothing, if that is what NinjaTrader's own list of orders says.",
        ),
        "instruction_resolved": Guidance(
            "An operator said what has become of an instruction that no bridge has ended.",
            "Nothing, if NinjaTrader's own positions say so too.",
        ),
        "looked_at": Guidance(
            "Somebody has looked at what needed a person, and said so in the console.",
            "Nothing: `fields` says what it was, and the label of the session who it was.",
        ),
        "signed_in": Guidance(
            "Somebody signed in to the console, by a link from the command line.",
            "Nothing, if it was you. Otherwise end all sessions by `orderhook console --sign-out`, and see who may "
            "write the table.",
        ),
        "signed_out": Guidance("Somebody signed out of the console.", "Nothing."),
        "sessions_ended": Guidance("An operator ended every session of the console.", "Sign in again."),
        "notify_set": Guidance(
            "An operator changed how the trader is told of what needs a person.",
            "Nothing, if you know of it: `source` says who, and where.",
        ),
        "migrated": Guidance("An operator brought the trader's items into this version's form.", "Nothing."),
    }
)
"""The words in records of what was done beside alerts: by the command line, in the console, and who signed in to it."""

ERROR_CODES: Mapping[str, Guidance] = MappingProxyType(
    {
        "malformed_payload": Guidance(
            "The body is neither name=value pairs nor one flat JSON object, or it is not UTF-8.",
            "End each field with ';' or a line break. `detail` says at which line and column JSON breaks: a "
            "placeholder may have put a quotation mark into it.",
        ),
        "missing_field": Guidance(
            "A field that the command needs is absent or empty, or one is empty without which the command would do "
            "something else.",
            "Add the field, or take out the empty one. If the alert has a value for it, its placeholder was empty when "
            "the alert fired.",
        ),
        "duplicate_field": Guidance(
            "The alert has the same field twice.", "Keep one of the two. Two commands need two alerts."
        ),
        "unknown_field": Guidance(
            "There is no field with this name.", "Correct the name as `detail` suggests, or remove the field."
        ),
        "invalid_value": Guidance(
            "A value has the wrong form, or contradicts another value.",
            "Correct the field as `detail` says. If it says that a key stands outside key=, revoke that key.",
        ),
        "unresolved_placeholder": Guidance(
            "The alert still holds a {{placeholder}}: TradingView did not fill it in.",
            "Use a placeholder that this kind of alert knows. Strategy placeholders work in strategy alerts only.",
        ),
        "unsupported_value": Guidance(
            "The field or its value exists in the language but is not supported here, and without it the order would "
            "not do what the alert says.",
            "Remove it, or give an absolute value.",
        ),
        "unknown_command": Guidance("There is no such command.", "Correct the command as `detail` suggests."),
        "unsupported_command": Guidance(
            "The command acts on a position, which only a venue knows, and this deployment has none.",
            "Deploy with Venue=ninjatrader, or place the order that closes the position by PLACE.",
        ),
        "strategy_id_required": Guidance(
            "order_id is an order name such as STOP1, and a name only exists within a strategy.",
            "Add the strategy_id, or give the order's own id.",
        ),
        "invalid_secret_key": Guidance(
            "The alert has no key, or its key is not valid or is revoked. Such an alert leaves no record.",
            "Compare the alert's key with `orderhook keys list`, or create a new one with `orderhook keys create`.",
        ),
        "command_not_allowed": Guidance(
            "The key is valid but may not give this command, or not for this account, instrument or quantity.",
            "Use a key that may: `orderhook keys list` shows what each key may do, and its limits.",
        ),
        "account_not_connected": Guidance(
            "The bridge on the trader's PC is not started for this account, so nothing was written.",
            "Start it with `--account` and this name as NinjaTrader has it, or correct the alert.",
        ),
        "source_not_allowed": Guidance(
            "The alert came from an address that is not on the endpoint's list. Such an alert leaves no record.",
            "Send it from TradingView, or add the address to the stack's SourceAllowList.",
        ),
        "order_not_found": Guidance(
            "None of the trader's orders has this id, or the strategy has no order with this name.",
            "Check with `orderhook orders` whether it was placed. Case matters, and the key decides whose orders "
            "are meant.",
        ),
        "strategy_not_found": Guidance(
            "The trader has no strategy, or no template, with this name.",
            "Compare it with the strategy_id of the PLACE, or store the template with `orderhook templates put`.",
        ),
        "order_already_terminal": Guidance(
            "The order is finished (filled, rejected, expired or cancelled), so nothing was done.",
            "Nothing, if you expected the fill. `orderhook order ID` shows what happened to the order, and when.",
        ),
        "strategy_mismatch": Guidance(
            "The order does not belong to the strategy that the alert names; or the strategy has open orders in "
            "another account or instrument; or it was closed by an alert that came in after this one.",
            "Correct strategy_id, or leave it out. If a PLACE with targets or stops has none, add one.",
        ),
        "duplicate_order_id": Guidance(
            "An order has this order_id already, be it another one or this one, finished. The id stays taken for the "
            "stack's RetentionDays.",
            "Let TradingView put the time into it: order_id=long-{{timenow}};strategy_id=S, cancelled by "
            "order_id=ENTRY1;strategy_id=S.",
        ),
        "duplicate_alert": Guidance(
            "The same REVERSE, or the same FLATPLACE or REVERSEPOSITION without an order_id, came in less than a "
            "minute before, and is carried out. What opens a position is not done twice because an alert came twice.",
            "Nothing, if the alert fired twice. If you want both, let the text differ: `notes={{timenow}}`.",
        ),
        "change_dropped": Guidance(
            "With a venue: a resend of a CHANGE or CANCELREPLACE that its bridge has dropped since it came first (the "
            "kill switch, too late, refused by NinjaTrader). `detail` says why, and which values the order has.",
            "Send a new alert if you still want it.",
        ),
        "outcome_unknown": Guidance(
            "The table did not answer, and the order may or may not have been placed; or AWS refused a write that it "
            "would refuse again, and orders are left as they were; or this version cannot read an order, which a newer "
            "one has written; or a delayed alert was given up.",
            "Check with `orderhook orders` before you send the alert again; with an order_id that would have been "
            "safe. Look at the orders that `detail` names; the answer has all of them under `failed`. The answer and "
            "the record have the `reason`.",
        ),
        "payload_too_large": Guidance("The body is larger than 8 KiB.", "Shorten the alert's message."),
        "kill_switch_on": Guidance(
            "The kill switch was on, or was turned on while the alert waited for its delay, so nothing was done.",
            "Turn it off when you want to trade again, then send what still has to be done.",
        ),
        "outside_trade_window": Guidance(
            "The alert may not trade at this time of day.",
            "Correct the alert's times, or add bypass_trade_windows=true.",
        ),
        "too_late": Guidance(
            "A failure held a delayed alert back for more than five minutes, or five attempts failed. It may open a "
            "position, so nothing was done; an order that waited is cancelled.",
            "Check whether an earlier attempt placed the order. If not, send the alert again if you still want it.",
        ),
        "rate_limited": Guidance(
            "More alerts with this id came in than its rate_limit allows, or the key opened as many orders within a "
            "minute as it may.",
            "Nothing, if that is the purpose. Otherwise raise rate_limit, use a key that may open more, or make the "
            "condition fire less often.",
        ),
        "venue_offline": Guidance(
            "The bridge has not been heard of for 90 seconds, or says that it is not ready, so nothing that opens a "
            "position was written. What cancels or closes is taken all the same, and waits.",
            "Look at the bridge on the trader's PC: `detail` says what is wrong. The alert is sent again by itself; "
            "after that, send it if you still want it.",
        ),
        "temporarily_unavailable": Guidance(
            "The table did not answer in time, AWS refused to serve the endpoint, or an unexpected error occurred. "
            "Nothing is half done; of several orders or accounts the answer says what was done.",
            "Look for the same alert among later ones. If it is not there, send it again; that is safe.",
        ),
    }
)
"""The codes in `error` of a refusal."""

UNRECORDED: Mapping[str, str] = MappingProxyType(
    {
        "It had no valid key, or came from an address that is not allowed": (
            "The function's log: one line with `outcome`"
        ),
        "API Gateway turned it away by its own throttling (429, not sent again)": "The API's access log: `status`",
        "It was answered, but the table did not take the record in time": (
            "The function's log: `alert not recorded`. The alarm `AlertsNotRecordedAlarm` counts them"
        ),
        "It is older than the stack's `AlertRetentionDays`": "Nowhere: its record is deleted",
    }
)
"""Why an alert may have no record, and where to look instead."""


_FINISHED = Guidance(
    "The venue was asked for it, and is done with it: what came of it is the result.",
    "What stands beside the result.",
)
"""Of an answer `accepted`, when there is the result of each instruction."""


def guidance_of(record: "AlertRecord", *, is_finished: bool = False) -> Guidance | None:
    """Return what the answer in a record means; of a PLACE whose delay is over it may mean something else.

    `is_finished` says that all that the venue was asked for has its result, where the record is a duplicate's and has
    none itself. Of several accounts it says in which it was done, where the answer is the refusal of another.
    """
    is_release = record.origin == "delayed" and record.command == "PLACE" and record.status < 400
    if record.outcome == "accepted" and (is_finished or _has_results(record)):
        return _FINISHED
    released = RELEASE_WORDS.get(record.outcome) if is_release else None
    guidance = released or guidance_for(record.status, record.outcome)
    done = [result.account for result in record.results if result.status < 400]
    if guidance is None or not done or record.status < 400:
        return guidance
    refused = [result.account for result in record.results if result.outcome == record.outcome]
    return Guidance(
        f"It was done in {', '.join(done)}. In {', '.join(refused)}: {guidance.meaning}", guidance.what_to_do
    )


def _has_results(record: "AlertRecord") -> bool:
    """Return whether a record has the result of each instruction of its alert."""
    known = {it.instruction_id for it in record.instruction_results}
    return bool(record.instruction_ids) and known.issuperset(record.instruction_ids)


def guidance_for(status: int, word: str) -> Guidance | None:
    """Return what the word of an answer means: an error code from HTTP status 400 up, a status word below."""
    return (ERROR_CODES if status >= 400 else {**STATUS_WORDS, **OPERATOR_WORDS}).get(word)


def is_sent_again(status: int) -> bool:
    """Return whether TradingView repeats an alert that was answered with this status (up to three times)."""
    return status >= 500


def render_page() -> str:
    """Return the text of docs/errors.md."""
    parts = [
        "# What an answer means, and what to do",
        "<!-- Made by `make docs` from functions/orderhook/reference.py: change it there. -->",
        "`orderhook alerts` lists the alerts that came in; `orderhook alerts show ID` explains one of them in these\n"
        "words. `detail` and `field` of an answer say what it means for that particular alert.",
        "## Success: 200",
        _words(STATUS_WORDS),
        "## Refusals",
        "TradingView sends an alert again, up to three times, after a 5xx and after nothing else.",
        _table(("Status", "Code", "Meaning", "What to do", "Sent again"), _refusals()),
        "## What became of an instruction",
        "With a venue, what an alert asks of a position is answered `accepted`, and carried out afterwards.\n"
        "`orderhook alerts show ID` tells its result.",
        _words(INSTRUCTION_RESULTS, "Result"),
        "Where the reason beside it says more:",
        _words(INSTRUCTION_REASONS, "Result and reason"),
        "## Why the bridge has not placed an order",
        "The `reason` of a Rejected or Cancelled order begins so where the bridge has not placed it.",
        _words(ORDER_REASONS, "Reason"),
        "## Which alarm tells of it",
        "What each alarm means, and what to do then, is in [operate.md](operate.md#alarms). Without a valid key,\n"
        "whatever is refused rings `StrangersAlarm`; what was answered `scheduled` and is refused when its delay is\n"
        "over rings `NotDoneLaterAlarm`, unless this table has a reason for silence.",
        _table(("Code", "Alarm"), _alarms()),
        "## An alert without a record",
        _table(("Why", "Where to look"), UNRECORDED.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _words(words: Mapping[str, Guidance], name: str = "Word") -> str:
    rows = ((f"`{word}`", guidance.meaning, guidance.what_to_do) for word, guidance in words.items())
    return _table((name, "Meaning", "What to do"), rows)


def _refusals() -> Iterator[tuple[str, ...]]:
    for code, status in sorted(_STATUS_OF.items(), key=lambda pair: pair[1]):
        guidance = ERROR_CODES[code]
        again = "yes" if is_sent_again(status) else "no"
        yield f"{status}", f"`{code}`", guidance.meaning, guidance.what_to_do, again


def _alarms() -> Iterator[tuple[str, str]]:
    for code in _STATUS_OF:
        yield f"`{code}`", f"none: {SILENT[code]}" if code in SILENT else f"`{METRICS[code]}Alarm`"
    for word, reason in SILENT_SUCCESSES.items():
        yield f"`{word}` (200)", f"none: {reason}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
