"""The kill switch: `kill_switch=on` or `off` in an alert without a command."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.command import Command
from orderhook.commands.fields import OnOff
from orderhook.orders import Outcome, Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


class KillSwitch(Command):
    """Turn the trader's kill switch on, so that later alerts are refused, or off."""

    word: ClassVar[str] = "KILLSWITCH"

    refused: ClassVar[Mapping[str, str]] = {"delay": "does not go with kill_switch; take it out"}

    kill_switch: OnOff

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Turn it by one conditional write; where it stood that way already, that is a success."""
        result = services.controls.turn_kill_switch(provenance, on=self.kill_switch)
        return Outcome(
            status="kill_switch_on" if self.kill_switch else "kill_switch_off",
            duplicate=None if result.applied else True,
            extra={"since": result.state.since} if result.state.since else {},
        )
