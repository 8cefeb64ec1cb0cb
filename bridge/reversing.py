"""Turns a position over: it is closed, FLAT is seen, and as much is opened on the other side.

Never by one order of twice as much: a stop that fills meanwhile would leave it all on the other side.
"""

from bridge.closing import FLAT_WITHIN, begin_close
from bridge.heeding import tell_other_month
from bridge.making import CLOSING_ACTION, make_order, outcome
from bridge.pairs import why_blocked
from bridge.partial_closes import end, settled
from bridge.positions import known_position
from bridge.records import Close, TableInstruction
from bridge.state import Turn

FLATTEN_TIMEOUT = "flatten_timeout: the position was not seen flat within 5 s of its closing; nothing is opened"


def reverse(turn: Turn, instruction: TableInstruction) -> None:
    """Take the next step of turning over the position that an instruction means, as it was when that began."""
    if instruction.order_ids:
        _follow_order(turn, instruction)
    elif instruction.closes:
        _await_flat(turn, instruction, turn.closes[instruction.closes[0]])
    else:
        _begin(turn, instruction)


def _begin(turn: Turn, instruction: TableInstruction) -> None:
    account, instrument = str(instruction.asked.account), str(instruction.asked.instrument)
    if (why := why_blocked(turn, account, instrument)) is not None:
        end(turn, instruction, "blocked", why)
        return
    position = settled(turn, instruction, known_position(turn, account, instrument))
    instruction = turn.instructions[instruction.instruction_id]
    if position is None and instruction.result is None:
        return
    other = tell_other_month(turn, instruction)
    instruction = turn.instructions[instruction.instruction_id]
    if instruction.result == "no_position":
        turn.put(instruction._replace(reason=other))
    elif position is not None:
        close = begin_close(turn, instruction.instruction_id, account, instrument, instruction.received_at)
        turn.put(instruction._replace(closes=(close.name,), side=position.side, held=position.quantity))


def _await_flat(turn: Turn, instruction: TableInstruction, close: Close) -> None:
    if close.result is None:
        if close.first_at is not None and turn.at - close.first_at >= FLAT_WITHIN:
            end(turn, instruction, "failed", FLATTEN_TIMEOUT)
    elif close.result != "done":
        end(turn, instruction, close.result, close.reason)
    else:
        order = make_order(
            turn,
            instruction.instruction_id,
            1,
            account=close.account,
            instrument=close.instrument,
            action=CLOSING_ACTION[instruction.side],
            qty=instruction.held,
            opens=True,
        )
        turn.put(instruction._replace(order_ids=(order.order_id,)))


def _follow_order(turn: Turn, instruction: TableInstruction) -> None:
    became = outcome(turn, turn.orders[instruction.order_ids[0]])
    if became is not None:
        reason = became.reason and f"the position is closed; on the other side {became.reason}"
        end(turn, instruction, became.result, reason)
