"""Closes what NinjaTrader's own ATM strategies hold, by its own command: their legs are known there alone.

Only the position tells whether that was done. A strategy that is closed already is closed again without harm.
"""

from collections.abc import Sequence
from datetime import timedelta

from bridge import oif
from bridge.confirming import follow_file
from bridge.partial_closes import end
from bridge.positions import known_position
from bridge.records import InstructionFile, TableInstruction
from bridge.state import Turn

_SEEN_WITHIN = timedelta(seconds=10)
"""Until when the position must have become smaller after all files were taken."""

_STANDS = timedelta(seconds=1)
"""How long a smaller position must stand, so that what is closed by several orders is closed."""


def close_atm(turn: Turn, instruction: TableInstruction, strategy_ids: Sequence[str]) -> bool:
    """Take the next step of closing these strategies of NinjaTrader's; return whether they are closed.

    The instruction ends where that is not seen.
    """
    position = known_position(turn, str(instruction.asked.account), str(instruction.asked.instrument))
    if not instruction.files and position.side == "FLAT":
        return True
    for strategy_id in strategy_ids:
        _write(turn, instruction.instruction_id, strategy_id)
    instruction = turn.instructions[instruction.instruction_id]
    taken = [file.at for file in instruction.files if file.stage == "consumed"]
    if len(taken) < len(strategy_ids):
        return False
    is_smaller = position.side != "UNKNOWN" and (
        position.side != instruction.side or position.quantity < instruction.held
    )
    if is_smaller and position.read_at is not None and turn.at - max(position.read_at, *taken) >= _STANDS:
        return True
    if not is_smaller and turn.at - max(taken) >= _SEEN_WITHIN:
        seen = f"{position.side} {position.quantity}" if position.quantity else position.side
        why = f"NinjaTrader was told to close its ATM strategies {', '.join(strategy_ids)}; the position is {seen}"
        end(turn, instruction, "unresolved" if position.side == "UNKNOWN" else "failed", why)
    return False


def _write(turn: Turn, instruction_id: str, strategy_id: str) -> None:
    """Write the command for a strategy, unless it was, or again where NinjaTrader has not taken it."""
    instruction = turn.instructions[instruction_id]
    own = [it for it in instruction.files if oif.read_file_name(it.name) == (strategy_id, "strategy")]
    if own:
        follow_file(turn, own[-1])
    is_wanted = not own or (own[-1].stage in ("unread", "unwritten") and turn.at - own[-1].at >= _STANDS)
    if not (is_wanted and turn.may_write):
        return
    if not instruction.files:
        position = known_position(turn, str(instruction.asked.account), str(instruction.asked.instrument))
        instruction = instruction._replace(side=position.side, held=position.quantity)
    others = tuple(it for it in instruction.files if it not in own)
    name = oif.file_name(strategy_id, "strategy", 1 + sum(_number(it) for it in own))
    file = turn.write(name, oif.close_strategy(strategy_id))
    turn.put(instruction._replace(files=(*others, file)))


def _number(file: InstructionFile) -> int:
    return int(file.name.rpartition("_s")[2].removesuffix(".txt"))
