"""Show the records of alerts: as a list, one as a line, and one of them explained."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

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
from cli.views.instructions import RESULT_STYLES, describe_instruction, readable_age
from cli.views.orders import describe, parted_id
from orderhook import reference
from orderhook.instructions import InstructionResult
from orderhook.listing import Instructed
from orderhook.orders import Order
from orderhook.payload import lower
from orderhook.representations import represent_instruction
from orderhook.store.alert_log import UNREADABLE, AlertRecord, Origin, RecordedResult
from orderhook.venue_words import Guidance, guidance_for_reason, guidance_for_result

_SHORT_ID = 16
"""This much of a request id tells it from others: its milliseconds, and four digits within a millisecond."""

_NAME_WIDTH = 12

_RELATIONS: Mapping[Origin, str] = {"webhook": "the alert", "delayed": "its result", "cancel_after": "time limit"}
"""What a record is to another of the same alert."""


def show_alerts(records: Iterable[AlertRecord]) -> None:
    """Print records as a table; in a terminal, which is seldom wide enough for one line each, on some lines."""
    if is_terminal():
        records = list(records)
        # Where all are of one key, its name says nothing.
        several = len({record.key_id for record in records}) > 1
        print_table(("alert", "answer", "command"), (_on_lines(record, with_key=several) for record in records))
    else:
        columns = ("id", "received", "status", "outcome", "command", "orders", "ms", "key", "source")
        print_table(columns, map(_one_line, records))


def show_alert_line(record: AlertRecord) -> None:
    """Print one record as a line that makes sense without the others."""
    parts = (
        f"{record.status} {_outcome(record)}",
        record.command or "",
        _order_ids(record),
        f"({record.milliseconds} ms)",
        _instructed(record),
    )
    text = f"{readable_time(record.received_at)}  {record.request_id[:_SHORT_ID]}  {' '.join(filter(None, parts))}"
    print_text(printable(text), _style(record), hanging=4)


def show_alert(
    record: AlertRecord,
    related: Sequence[AlertRecord] = (),
    orders: Sequence[Order] = (),
    instructions: Sequence[Instructed] = (),
    now: datetime | None = None,
) -> None:
    """Print everything that is known about one alert, what its answer means, what to do, and what it belongs to."""
    if record.outcome == UNREADABLE:
        print_text(
            f"The record {record.request_id} cannot be read by this version; a newer one may have written it.", BAD
        )
        return
    print_line(f"{record.status} {record.outcome}", _style(record))
    if record.detail:
        print_text(printable(record.detail))
    if record.reason:
        print_text(printable(f"Reason in the log: {record.reason}"))
    for name, value in _facts(record).items():
        if value:
            _print_fact(name, value)
    for warning in record.warnings:
        print_text(printable(f"Warning: {warning.detail}"), WARNING)
    for number, result in enumerate(record.results):
        _print_fact("accounts" if number == 0 else "", _describe_result(result), _style(result))
    for it in related:
        _print_fact(_RELATIONS[it.origin], _describe_related(it), _style(it))
    for instructed in instructions:
        _show_instructed(instructed, now)
    for number, order in enumerate(orders):
        _print_fact("now" if number == 0 else "", f"{order.order_id}: {describe(order)}")
    for reason, guidance in _reasons(orders):
        print_text(printable(f"{reason}: {guidance.meaning} {guidance.what_to_do}"), WARNING)
    print_line()
    print_line("The alert, without its key:" if record.origin == "webhook" else "It was about:", DIM)
    for name, value in record.fields.items():
        print_text(printable(f"  {name}={value}"), WARNING if _is_at_fault(name, record) else "", hanging=4)
    print_line()
    is_finished = bool(instructions) and all(it.result for it in instructions)
    for sentence in _guidance(record, is_finished=is_finished):
        print_text(sentence)


def _show_instructed(it: Instructed, now: datetime | None) -> None:
    """Print what an alert asks of a position, what became of it, what that means, and what to do."""
    asked = (
        f"{it.instruction_id}: {describe_instruction(represent_instruction(it.asked))}"
        if it.asked
        else it.instruction_id
    )
    _print_fact("instruction", asked)
    if it.result:
        reason = f": {it.result.reason}" if it.result.reason else ""
        style = RESULT_STYLES.get(it.result.result, WARNING)
        _print_fact("result", f"{it.result.result}{reason}, at {readable_time(it.result.at)}", style)
    elif it.asked:
        _print_fact("result", f"none yet: under way for {readable_age(it.asked.since, now)}", WARNING)
    else:
        _print_fact("result", "not known any more: what is finished leaves the table after RetentionDays", DIM)
        return
    if guidance := _guidance_for(it.result):
        _print_fact("it means", guidance.meaning)
        _print_fact("what to do", guidance.what_to_do)


def _guidance_for(result: InstructionResult | None) -> Guidance | None:
    return guidance_for_result(result.result, result.reason) if result else guidance_for_result(None)


def _reasons(orders: Iterable[Order]) -> Iterator[tuple[str, Guidance]]:
    """Yield each reason with which the bridge has refused orders, and what it means."""
    for reason in dict.fromkeys(order.reason for order in orders if not order.is_open):
        if guidance := guidance_for_reason(reason):
            yield str(reason), guidance


def _print_fact(name: str, value: str, style: str = "") -> None:
    print_text(printable(f"  {name:<{_NAME_WIDTH}} {value}"), style, hanging=_NAME_WIDTH + 3)


def _describe_related(record: AlertRecord) -> str:
    return f"{record.status} {_outcome(record)}: `orderhook alerts show {record.request_id}`"


def _one_line(record: AlertRecord) -> list[Cell]:
    return [
        record.request_id,
        readable_time(record.received_at),
        f"{record.status}",
        _outcome(record),
        record.command or "",
        _order_ids(record),
        f"{record.milliseconds}",
        record.key_label or record.key_id,
        record.source,
    ]


def _on_lines(record: AlertRecord, *, with_key: bool) -> list[Cell]:
    ids = _ids_of(record)
    more = f"and {len(ids) - 1} more" if len(ids) > 1 else ""
    key = f"by {printable(record.key_label or record.key_id)}" if with_key else ""
    about = "\n".join(filter(None, (parted_id(ids[0]) if ids else "", more, key)))
    return [
        Text.assemble(record.request_id[:_SHORT_ID], "\n", (readable_time(record.received_at), DIM)),
        Text.assemble((_outcome(record), _style(record)), "\n", (f"{record.status}, {record.milliseconds} ms", DIM)),
        Text.assemble(record.command or "", "\n", (about, DIM)),
    ]


def _style(record: AlertRecord | RecordedResult) -> str:
    return BAD if record.status >= 400 or record.outcome == UNREADABLE else WARNING if record.duplicate else GOOD


def _outcome(record: AlertRecord | RecordedResult) -> str:
    is_unclear = record.duplicate and not record.outcome.startswith("already_")
    return f"{record.outcome} (duplicate)" if is_unclear else record.outcome


def _describe_result(result: RecordedResult) -> str:
    """Return a line about one account of several; of many orders it names the first few, as all stand above."""
    parts = (f"{result.status} {_outcome(result)}", _first(result.order_ids), result.detail)
    return f"{result.account}: {', '.join(filter(None, parts))}"


def _instructed(record: AlertRecord) -> str:
    """Return what became of what the alert asks of positions, as far as its record has it."""
    known = {it.instruction_id: it for it in record.instruction_results}
    # What a duplicate repeats, an earlier alert's record has.
    asked = [known.get(instruction_id) for instruction_id in record.instruction_ids if not record.duplicate]
    told = ["under way" if it is None else ": ".join(filter(None, (it.result, it.reason))) for it in asked]
    return f"at the venue: {'; '.join(told)}" if told else ""


def _order_ids(record: AlertRecord) -> str:
    """Return the first few ids of the orders that the alert affected, or the one that it named."""
    return _first(_ids_of(record))


def _ids_of(record: AlertRecord) -> Sequence[str]:
    return record.order_ids or [value for name, value in record.fields.items() if lower(name) == "order_id"]


def _first(ids: Sequence[str], shown: int = 3) -> str:
    rest = [f"and {len(ids) - shown} more"] if len(ids) > shown else []
    return ", ".join([*ids[:shown], *rest])


def _facts(record: AlertRecord) -> Mapping[str, str]:
    return {
        "received": readable_time(record.received_at),
        "id": record.request_id,
        "command": record.command or "",
        "orders": ", ".join(record.order_ids),
        "instrument": record.instrument or "",
        "duplicate": "of an earlier alert" if record.duplicate and record.origin == "webhook" else "",
        "field": record.field or "",
        "key": " ".join(filter(None, (record.key_label, f"({record.key_id})"))),
        "source": record.source,
        "took": f"{record.milliseconds} ms",
        "came by": "" if record.origin == "webhook" else record.origin,
    }


def _is_at_fault(name: str, record: AlertRecord) -> bool:
    return record.field is not None and lower(name) == lower(record.field)


def _guidance(record: AlertRecord, *, is_finished: bool) -> Iterator[str]:
    if guidance := reference.guidance_of(record, is_finished=is_finished):
        yield f"It means: {guidance.meaning}"
        yield f"What to do: {_cancelled_again(record) or guidance.what_to_do}"
    if record.status >= 400 and record.origin == "webhook":
        repeats = reference.is_sent_again(record.status)
        yield f"TradingView {'sends it again, up to three times' if repeats else 'does not send it again'}."


def _cancelled_again(record: AlertRecord) -> str | None:
    """Return what to do after `orderhook kill-switch on --cancel`, which has cancelled again by itself."""
    if record.outcome != "kill_switch_on" or "cancel" not in record.fields:
        return None
    cancelled = "All open orders were cancelled, or their venue was asked to cancel them, and again 3 seconds later."
    return f"Turn it off when you want to trade again. {cancelled}"
