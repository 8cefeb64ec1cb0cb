"""What the commands share that ask something of a position: only a venue knows one, so they become instructions.

The bridge carries out an instruction, and its report tells the result: in the instruction's item, and in the record of
the alert.
"""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from orderhook.commands.marking import refuse_equal, write_once, written_before
from orderhook.instructions import Instruction
from orderhook.orders import Trace, folded, timestamp
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.store.items import UNREADABLE

if TYPE_CHECKING:
    from orderhook.commands.command import Command
    from orderhook.services import Services


class Instructed(NamedTuple):
    """The instruction that an alert has led to."""

    instruction_id: str
    before: Trace | None = None
    """The equal alert that had led to it before, where this one is its resend or folds into it."""

    @property
    def outcome(self) -> Outcome:
        """What is answered: that it is accepted."""
        return Outcome(
            "accepted", duplicate=True if self.before else None, extra={"instruction_id": self.instruction_id}
        )


def instruction_of(command: "Command", services: "Services", provenance: Provenance, **asked: Any) -> Instruction:
    """Return the instruction of a command, with what it asks for besides its market.

    It means what had come in when its alert did or, with a delay, when that was over; and no more than its key reaches.
    """
    limits = provenance.limits
    return Instruction(
        instruction_id=provenance.request_id,
        command=command.word,
        received_at=timestamp(provenance.judged_on + timedelta(seconds=command.delay)),
        venue=str(services.venue.name),
        # What opens does so in the front month alone.
        root=command.root if command.risk_reducing else None,
        accounts=limits.accounts if limits else (),
        instruments=limits.instruments if limits else (),
        notes=command.notes,
        **asked,
    )


def close_once(services: "Services", provenance: Provenance, instruction: Instruction) -> Instructed:
    """Write an instruction that closes, unless the one of an equal alert stands for it: then return that.

    That is one of the last minute that is not done yet. Run twice in one request, there is one.
    """
    return _instruct(services, provenance, instruction, closes=True)


def open_once(services: "Services", provenance: Provenance, instruction: Instruction) -> Instructed:
    """Write an instruction that opens something; raises DuplicateAlertError for an equal alert of the last minute.

    A resend leads to the first one's. Run twice in one request, there is one.
    """
    return _instruct(services, provenance, instruction, closes=False)


def instructed_before(
    command: "Command", services: "Services", provenance: Provenance, account: str | None
) -> Outcome | None:
    """Return the outcome where the alert is a resend of one that has led to an instruction, though refused now."""
    before = written_before(services, provenance, mark_of(command.word, account))
    return Instructed(before.request_id, before).outcome if before else None


def mark_of(word: str, account: str | None) -> str:
    """Return what the mark of a command is found by, beside its alert's digest: each account of a list has its own."""
    return word if account is None else f"{word}#{folded(account)}"


def _instruct(services: "Services", provenance: Provenance, instruction: Instruction, *, closes: bool) -> Instructed:
    word = mark_of(instruction.command, instruction.account)
    again = (
        partial(_stands_for, services, provenance, instruction)
        if closes
        else partial(refuse_equal, instruction.command, instruction.account)
    )
    new = services.instructions.putting(provenance, instruction)
    before = write_once(services, provenance, word, lambda mark: services.table.transact([new, mark]), again)
    return Instructed(before.request_id if before else instruction.instruction_id, before)


def _stands_for(services: "Services", provenance: Provenance, instruction: Instruction, last: Trace) -> bool:
    """Return whether the instruction of an equal alert, which closes, stands for this one too.

    It must not be done yet, and no order of its market may have come in since: that one is not touched by it.
    """
    try:
        earlier = services.instructions.get(provenance.trader, last.request_id)
    except UNREADABLE:  # of a newer version, say: what closes is rather asked twice than not at all
        return False
    if earlier is None or not earlier.is_open:
        return False
    # An order that is filled already is not listed; the legs that its fill has released are, as old as it.
    listed = services.orders.reached_items(provenance, instruction.account, instruction.instrument, instruction.root)
    return all(str(item.get("received_at", "")) <= earlier.received_at for item in listed)
