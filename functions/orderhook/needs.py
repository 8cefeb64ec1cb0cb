"""What of a report or an answer a person has to look at, so that it is kept: a metric says only that it rang.

What an order or the controls show by themselves while it lasts, such as an order that is unresolved, is not kept.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from orderhook import alarms
from orderhook.orders import TERMINAL, Order, timestamp

if TYPE_CHECKING:
    from orderhook.bridge_messages import Heartbeat, InstructionReport, OrderReport
    from orderhook.instructions import Instruction
    from orderhook.store.alert_log import AlertRecord
    from orderhook.store.reports import ReportResult

Subject = Literal["order", "instruction", "bridge", "message"]

MOST_OF_A_REPORT = 20
"""Nothing in the table grows without bound: a report that has more alarms has lost its way."""

LONGEST_CODE = 60
LONGEST_DETAIL = 500

SHOWN_BY_ITSELF = frozenset({"unresolved"})
"""The alarms that the item of their order shows for as long as they last."""

_UNCLEAN = "unclean"
"""How the reason of a close begins that was carried out though own orders had not ended."""

_OLDEST_SEQ = 10**12
"""Sequence numbers follow the clock, in milliseconds; a smaller one says no time."""


class Need(NamedTuple):
    """What a person has to look at, since a report told of it."""

    code: str
    """The word of the alarm, or what was seen here: overfill, filled_after_end, unattached, failed, unclean ..."""
    subject: Subject
    id: str
    """The order's, the instruction's, or a digest of what a heartbeat said."""
    at: str
    """When it was last told."""
    detail: str | None = None
    account: str | None = None
    instrument: str | None = None
    placed_by: str | None = None
    """The request of the order's placing: an order that takes the id later is another one."""
    want: int = 0
    """What was asked last of the order."""


def of_order(said: "OrderReport", result: "ReportResult", sent: datetime) -> Iterator[Need]:
    """Yield what the report of an order tells; of a second delivery the same."""
    before, after = result.before, result.after
    at = _told_at(said.seq, sent)
    if before is None:
        # Of what neither works nor was filled there is nothing to look at.
        if said.filled or said.executions or said.state not in TERMINAL:
            yield Need("unattached", "order", said.order_id, at, said.reason and said.reason[:LONGEST_DETAIL])
        yield from (_coded(alarm, "order", said.order_id, at, said.reason) for alarm in _kept(said.alarms))
        return
    yield from (_of(before, _coded(alarm, "order", said.order_id, at, said.reason)) for alarm in _kept(said.alarms))
    if after is None:
        return
    if is_overfilled(before, after) and "overfill" not in map(_code, said.alarms):
        yield _of(before, Need("overfill", "order", said.order_id, at, f"{after.filled} of {after.qty} are filled"))
    if after.filled_after_end is not None and after.filled > before.filled and before.state in TERMINAL:
        detail = f"it was {before.state}, and {after.filled} are filled"
        yield _of(before, Need("filled_after_end", "order", said.order_id, at, detail))
    for name in result.unprotected:
        detail = f"its entry was filled, and {name} had been ended by itself"
        yield _of(before, Need("unprotected", "order", f"{said.order_id}.{name}", at, detail))


def is_overfilled(before: Order, after: Order) -> bool:
    """Return whether more of an order is filled by a report than anybody has ordered."""
    return after.filled > before.filled and after.filled > max(after.qty, int(after.confirmed.get("qty", 0)))


def of_instruction(said: "InstructionReport", instruction: "Instruction | None", sent: datetime) -> Iterator[Need]:
    """Yield what the report of an instruction tells."""
    at, of_id = _told_at(said.seq, sent), said.instruction_id
    account = instruction.account if instruction else None
    # A root is every month of a future: which of them is meant nobody knows here.
    instrument = instruction.instrument if instruction and instruction.root is None else None
    needs = [_coded(alarm, "instruction", of_id, at, said.reason) for alarm in _kept(said.alarms)]
    reason = said.reason and said.reason[:LONGEST_DETAIL]
    if instruction is None:
        needs.append(Need("unattached", "instruction", of_id, at, reason))
    elif said.result == "failed":
        needs.append(Need("failed", "instruction", of_id, at, reason))
    elif said.result == "unresolved":
        needs.append(Need("result_unresolved", "instruction", of_id, at, reason))
    elif reason and reason.startswith(_UNCLEAN):
        needs.append(Need("unclean", "instruction", of_id, at, reason))
    yield from (need._replace(account=account, instrument=instrument) for need in needs)


def of_heartbeat(said: "Heartbeat") -> Iterator[Need]:
    """Yield what a heartbeat tells: a code and a sentence each, which names what it is about."""
    for alarm in _kept(said.alarms):
        yield _coded(alarm, "bridge", sha256(alarm.encode(errors="replace")).hexdigest()[:16], said.at, None)


def of_refused_message(message_id: str, sent: datetime, why: str) -> Need:
    """Return that a report was given up, because nothing here understands it."""
    return Need("dead_letter", "message", message_id, timestamp(sent), why[:LONGEST_DETAIL])


def of_record(record: "AlertRecord") -> tuple[str, ...]:
    """Return why a person has to look at what became of an alert; nothing for most, and for what TradingView repeats.

    Who has sent an alert by hand, or by a program, has its answer: a 503 is theirs to repeat.
    """
    results = record.results or (record,)
    codes = {
        "outcome_unknown": any(result.outcome == "outcome_unknown" for result in (record, *results)),
        "partly_done": len({result.status < 400 for result in results}) > 1,
        "unprotected_quantity": any(warning.code == "unprotected_quantity" for warning in record.warnings),
        "not_done_later": alarms.NOT_DONE_LATER
        in alarms.metrics_of(_refusal(record), record.origin, key_is_known=True),
        "not_repeated": record.status >= 500 and record.origin == "webhook",
    }
    return tuple(code for code, holds in codes.items() if holds)


def _refusal(record: "AlertRecord") -> str | None:
    return record.outcome if record.status >= 400 else None


def _kept(told: Iterable[str]) -> Iterator[str]:
    return islice((alarm for alarm in dict.fromkeys(told) if _code(alarm) not in SHOWN_BY_ITSELF), MOST_OF_A_REPORT)


def _code(alarm: str) -> str:
    return alarm.partition(":")[0][:LONGEST_CODE]


def _coded(alarm: str, subject: Subject, of_id: str, at: str, reason: str | None) -> Need:
    detail = alarm.partition(":")[2].strip() or reason or ""
    return Need(_code(alarm), subject, of_id, at, detail[:LONGEST_DETAIL] or None)


def _of(order: Order, need: Need) -> Need:
    asked = order.want.n if order.want else 0
    return need._replace(
        account=order.account, instrument=order.instrument, placed_by=order.placed_by or None, want=asked
    )


def _told_at(seq: int, sent: datetime) -> str:
    """Return when a report was made: it keeps its number where it is sent again, and the queue gives another time."""
    if seq < _OLDEST_SEQ:
        return timestamp(sent)
    return min(timestamp(datetime.fromtimestamp(seq / 1000, UTC)), timestamp(sent))
