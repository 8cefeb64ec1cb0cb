"""Carries out instructions: what alerts ask of positions. Each ends with one result, which its report tells."""

from collections.abc import Container, Sequence
from datetime import datetime, timedelta

from bridge.bracketing import abandon, bracket
from bridge.carrying_out import TOO_LATE, why_not_account
from bridge.closing import begin_close, end_close, why_unheard
from bridge.events import SendReport
from bridge.heeding import heed_instruction, instruments_of
from bridge.lateness import tell_not_turned
from bridge.pairs import CLOSING, closes_whole, is_next
from bridge.partial_closes import close_in_part, end, take_back
from bridge.positions import SETTLES_WITHIN, last_moved, may_be_on_other_side, pairs_to_close
from bridge.records import Close, TableInstruction
from bridge.reversing import reverse
from bridge.state import Turn
from bridge.strategy_closes import close_strategy, release
from orderhook.bridge_messages import InstructionReport
from orderhook.instructions import Instruction, Result
from orderhook.orders import timestamp
from orderhook.venues import NINJATRADER

_SENT_AGAIN = timedelta(seconds=10)
_FORGOTTEN = timedelta(days=30)
_CLOSE_FORGOTTEN = timedelta(days=1)
"""When a close is: what was received before it is too late for anything to be opened long since."""

_PART_WAITS = timedelta(minutes=5)
"""How long a part of a position waits to be closed; what closes all waits for ever."""

_WORST: Sequence[Result] = (
    "failed",
    "unresolved",
    "blocked",
    "superseded",
    "too_late",
    "done",
    "no_position",
)
"""Which result of several closes is the instruction's: the first of these."""


def see_instructions(turn: Turn, listed: Sequence[Instruction], unreadable: Container[str] = ()) -> None:
    """Record what a look shows of instructions; what the table lists no more has its result there."""
    asked = {it.instruction_id: it for it in listed if it.venue == NINJATRADER.name}
    for instruction in list(turn.instructions.values()):
        if instruction.instruction_id not in unreadable:
            _compare(turn, instruction, asked.get(instruction.instruction_id))
    for name, it in asked.items():
        if name not in turn.instructions and turn.owns:
            not_after = datetime.fromisoformat(it.not_after) if it.not_after else None
            turn.put(TableInstruction(it, datetime.fromisoformat(it.received_at), not_after))
    _forget(turn)


def _compare(turn: Turn, instruction: TableInstruction, listed: Instruction | None) -> None:
    """Close what the table has finished, and send a report again that it has not had for a while."""
    sent, sent_at = instruction.report, instruction.reported_at
    if listed is None and not instruction.is_closed:
        if instruction.result is None:
            _abandon(turn, instruction, "another bridge has carried it out, or an operator has ended it")
            instruction = turn.instructions[instruction.instruction_id]
        turn.put(instruction._replace(is_closed=True))
    elif listed is not None and instruction.is_closed and instruction.result:
        turn.put(instruction._replace(is_closed=False))
    elif listed is not None and sent is not None and sent_at is not None and turn.owns:
        is_behind = (listed.report_seq or 0) < sent.seq
        if is_behind and turn.at - sent_at >= _SENT_AGAIN:
            turn.put(instruction._replace(reported_at=turn.at))
            turn.ask(SendReport(sent))


def _abandon(turn: Turn, instruction: TableInstruction, why: str) -> None:
    """End an instruction that is not to go on: what it has taken from own orders comes back, or a person is told."""
    for name in instruction.closes:
        end_close(turn, turn.closes[name], "superseded", why)
    instruction = turn.instructions[instruction.instruction_id]
    if instruction.asked.command == "CANCELANDBRACKET":
        abandon(turn, instruction, why)
        return
    end(turn, instruction, "superseded", why)
    if instruction.asked.command == "CLOSESTRATEGY" and instruction.begun_at is not None:
        release(turn, instruction.instruction_id)


def _forget(turn: Turn) -> None:
    """Forget what is long over."""
    for instruction in list(turn.instructions.values()):
        if instruction.is_closed and turn.at - (instruction.reported_at or instruction.received_at) > _FORGOTTEN:
            turn.drop(instruction)
    for close in list(turn.closes.values()):
        is_over = close.ended_at is not None and turn.at - close.ended_at > _CLOSE_FORGOTTEN
        if is_over and not _is_needed(turn, close):
            turn.drop(close)


def _is_needed(turn: Turn, close: Close) -> bool:
    """Return whether what a close is for has not ended."""
    instruction, order = turn.instructions.get(close.owner), turn.orders.get(close.owner)
    return (instruction is not None and instruction.result is None) or (order is not None and not order.is_closed)


def rank(instruction: TableInstruction) -> tuple[bool, datetime]:
    """Return what instructions are sorted by: what closes first, then the older one."""
    return instruction.asked.command not in CLOSING, instruction.received_at


def instruct(turn: Turn, instruction: TableInstruction) -> None:
    """Take the next step of an instruction, if there is one: one of a pair after the other, what closes first."""
    if not turn.owns:
        return
    if instruction.result is not None:
        take_back(turn, instruction)
        return
    if instruction.begun_at is None:
        instruction = _begin(turn, instruction)
    if instruction.begun_at is None or instruction.result is not None:
        return
    asked = instruction.asked
    match asked.command:
        case "CLOSEPOSITION" if not closes_whole(asked):
            close_in_part(turn, instruction)
        case "CLOSESTRATEGY":
            close_strategy(turn, instruction)
        case "REVERSE":
            reverse(turn, instruction)
        case "CLOSEPOSITION" | "FLATTEN" | "FLATTENEVERYTHING" | "CANCELORDERS":
            _close(turn, instruction)
        case "CANCELANDBRACKET":
            bracket(turn, instruction)
        case word:
            why = f"this version of the bridge does not know {word}; install the stack's"
            turn.put(instruction._replace(result="failed", reason=why))
            turn.alarm_of(asked.instruction_id, "unreadable", why)


def _begin(turn: Turn, instruction: TableInstruction) -> TableInstruction:
    """Begin an instruction when its turn has come, unless that is too late."""
    asked = instruction.asked
    if instruction.not_after is not None and turn.at > instruction.not_after:
        tell_not_turned(turn, instruction)
        instruction = turn.instructions[asked.instruction_id]._replace(result="too_late", reason=TOO_LATE)
    elif asked.account and (why := why_not_account(turn, asked.account)) is not None:
        turn.alarm_of(instruction.instruction_id, "not_closed", why)
        instruction = turn.instructions[instruction.instruction_id]._replace(result="blocked", reason=why)
    elif _is_other_position(turn, instruction):
        why = "too late: it has waited for 5 minutes, and the position may be another one by now"
        turn.alarm_of(instruction.instruction_id, "not_closed", why)
        instruction = turn.instructions[instruction.instruction_id]._replace(result="too_late", reason=why)
    elif not turn.is_ready:
        return instruction  # what is held shows when NinjaTrader runs
    elif not _is_next(turn, instruction):
        return instruction
    elif _is_about_to_change(turn, instruction):
        instruction = instruction._replace(heeded_since=instruction.heeded_since or turn.at)
    else:
        instruction = heed_instruction(turn, instruction)
    turn.put(instruction)
    return instruction


def _is_other_position(turn: Turn, instruction: TableInstruction) -> bool:
    """Return whether a part was to be closed of a position so long ago that it may be of another trade."""
    is_part = instruction.asked.command == "CLOSEPOSITION" and not closes_whole(instruction.asked)
    return is_part and turn.at - instruction.received_at > _PART_WAITS


def _is_next(turn: Turn, instruction: TableInstruction) -> bool:
    """Return whether the turn of an instruction has come; each close of one over several pairs waits for its own."""
    asked, name = instruction.asked, instruction.instruction_id
    if asked.account is None or asked.instrument is None:
        return True
    return all(is_next(turn, name, asked.account, each) for each in instruments_of(turn, asked))


def _close(turn: Turn, instruction: TableInstruction) -> None:
    """Close every pair that is meant; the worst result of them is the instruction's."""
    if not instruction.closes:
        even_flat = instruction.asked.command == "FLATTENEVERYTHING"
        closes = [
            begin_close(
                turn,
                instruction.instruction_id,
                account,
                instrument,
                instruction.received_at,
                even_flat=even_flat,
                only_orders=instruction.asked.command == "CANCELORDERS",
            )
            for account, instrument in pairs_to_close(turn, instruction)
        ]
        instruction = instruction._replace(closes=tuple(it.name for it in closes))
        turn.put(instruction)
        side = instruction.asked.market_position
        for close in closes:
            if side and may_be_on_other_side(turn, close.account, close.instrument, side):
                end_close(turn, close, "unresolved", "position_unknown: it may be on the other side")
    closes = [turn.closes[name] for name in instruction.closes]
    if all(it.result for it in closes):
        result, reason = _result_of(instruction.asked.command, closes)
        turn.put(instruction._replace(result=result, reason=reason))


def _is_about_to_change(turn: Turn, instruction: TableInstruction) -> bool:
    """Return whether the side of a position is waited for that decides whether it is meant."""
    since = instruction.heeded_since or turn.at
    if instruction.asked.market_position is None or turn.at - since >= SETTLES_WITHIN:
        return False
    meant = pairs_to_close(turn, instruction)
    return any(last_moved(turn, account, instrument) is not None for account, instrument in meant)


def _result_of(command: str, closes: Sequence[Close]) -> tuple[Result, str | None]:
    """Return the result of several closes, and the pairs of which there is more to say.

    Pairs of which nothing is known count only where a CLOSEPOSITION has found nothing else: what closes whatever is
    open meets them every evening.
    """
    unheard = [it for it in closes if it.is_unheard]
    heard = [it for it in closes if not it.is_unheard]
    results = [it.result for it in heard or (closes if command == "CLOSEPOSITION" else ())]
    result: Result = next((it for it in _WORST if it in results), "no_position")
    if len(closes) == 1:
        return result, closes[0].reason
    told = [f"{it.instrument}, {it.account}: {it.reason}" for it in heard if it.reason]
    told += [why_unheard(unheard)] if unheard else []
    return result, "; ".join(told) or None


def _is_undone(instruction: TableInstruction) -> bool:
    """Return whether an instruction has just ended of which a person may believe that it has closed a position."""
    command, last = instruction.asked.command, instruction.report
    if command not in CLOSING or instruction.alarms or instruction.is_closed or (last is not None and last.result):
        return False
    if instruction.result == "blocked":
        is_asked = instruction.begun_at is not None and command not in ("CANCELANDBRACKET", "CANCELORDERS")
        return is_asked or "position_unknown" in str(instruction.reason)
    return instruction.result == "unresolved"


def report_instruction(turn: Turn, instruction: TableInstruction) -> None:
    """Send how far an instruction has come if that differs from the last report."""
    if _is_undone(instruction):
        turn.alarm_of(instruction.instruction_id, "not_closed", f"{instruction.reason}: look in NinjaTrader")
        instruction = turn.instructions[instruction.instruction_id]
    if instruction.is_closed and not instruction.alarms:
        return
    last = instruction.report
    now = int(turn.at.timestamp() * 1000)
    seq = now if last is None else max(last.seq + 1, now)
    said = InstructionReport(
        instruction.instruction_id,
        seq,
        timestamp(turn.at),
        instruction.result,
        instruction.reason,
        order_ids=instruction.order_ids,
        alarms=instruction.alarms,
    )
    is_news = (instruction.result is not None or bool(instruction.order_ids)) and (
        last is None or (last.result, last.reason, last.order_ids) != (said.result, said.reason, said.order_ids)
    )
    if (is_news and not instruction.is_closed) or said.alarms:
        turn.put(instruction._replace(report=said, reported_at=turn.at, alarms=()))
        turn.ask(SendReport(said))
