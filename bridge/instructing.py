"""Carries out instructions: what alerts ask of positions. Each ends with one result, which its report tells."""

from collections.abc import Sequence
from datetime import datetime

from bridge.closing import begin_close
from bridge.events import SendReport
from bridge.heeding import heed_instruction
from bridge.records import TableInstruction
from bridge.state import Turn
from orderhook.bridge_messages import InstructionReport
from orderhook.instructions import Instruction
from orderhook.orders import timestamp
from orderhook.venues import NINJATRADER


def see_instructions(turn: Turn, listed: Sequence[Instruction]) -> None:
    """Record what a look shows of instructions; what the table lists no more has its result there."""
    asked = {it.instruction_id: it for it in listed if it.venue == NINJATRADER.name}
    for instruction in turn.instructions.values():
        if instruction.result and not instruction.is_closed and instruction.instruction_id not in asked:
            turn.put(instruction._replace(is_closed=True))
    for name, it in asked.items():
        if name not in turn.instructions and turn.owns:
            not_after = datetime.fromisoformat(it.not_after) if it.not_after else None
            turn.put(TableInstruction(it, datetime.fromisoformat(it.received_at), not_after))


def instruct(turn: Turn, instruction: TableInstruction) -> None:
    """Take the next step of an instruction, if there is one."""
    if instruction.result is not None or not turn.owns or not heed_instruction(turn, instruction):
        return
    instruction = turn.instructions[instruction.instruction_id]
    asked = instruction.asked
    match asked.command:
        case "CLOSEPOSITION":
            close = begin_close(
                turn, asked.instruction_id, str(asked.account), str(asked.instrument), instruction.received_at
            )
            if close.name not in instruction.closes:
                instruction = instruction._replace(closes=(*instruction.closes, close.name))
                turn.put(instruction)
            if close.result is not None:
                turn.put(instruction._replace(result=close.result, reason=close.reason))


def report_instruction(turn: Turn, instruction: TableInstruction) -> None:
    """Send how far an instruction has come if that differs from the last report."""
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
    is_news = (last and (last.result, last.reason)) != (said.result, said.reason) or bool(said.alarms)
    if instruction.result is not None and is_news:
        turn.put(instruction._replace(report=said, reported_at=turn.at, alarms=()))
        turn.ask(SendReport(said))
