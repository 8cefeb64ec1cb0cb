"""CLOSEPOSITION: close the position of an account and instrument, in full or in part."""

from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.command import Command
from orderhook.commands.fields import GivenLabel
from orderhook.commands.instructing import instruct
from orderhook.instructions import Instruction
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


class ClosePosition(Command):
    """Close the position."""

    word: ClassVar[str] = "CLOSEPOSITION"
    risk_reducing: ClassVar[bool] = True
    acts_on_positions: ClassVar[bool] = True

    account: GivenLabel
    instrument: GivenLabel

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Ask the bridge to close it."""
        return instruct(
            services,
            provenance,
            Instruction(
                instruction_id=provenance.request_id,
                command=self.word,
                received_at=provenance.received_at,
                venue=str(services.venue.name),
                account=self.account,
                instrument=self.instrument,
                notes=self.notes,
            ),
        )
