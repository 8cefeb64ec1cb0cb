"""What the commands share that ask something of a position: only a venue knows one, so they become instructions."""

from typing import TYPE_CHECKING

from orderhook.instructions import Instruction
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


def instruct(services: "Services", provenance: Provenance, instruction: Instruction) -> Outcome:
    """Write an instruction for the bridge, and answer that it is accepted; what comes of it its item and record tell.

    Run twice in one request, it is written once.
    """
    services.instructions.put(provenance, instruction)
    return Outcome("accepted", extra={"instruction_id": instruction.instruction_id})
