"""The kill switch: `kill_switch=on` or `off` in an alert without a command."""

from collections.abc import Mapping
from typing import ClassVar

from orderhook.commands.command import Command
from orderhook.commands.fields import OnOff
from orderhook.orders import Outcome, Provenance
from orderhook.store.controls import Controls


class KillSwitch(Command):
    """Turn the trader's kill switch on, so that later alerts are refused, or off."""

    word: ClassVar[str] = "KILLSWITCH"

    refused: ClassVar[Mapping[str, str]] = {"delay": "does not go with kill_switch; take it out"}

    kill_switch: OnOff

    def turn(self, controls: Controls, provenance: Provenance) -> Outcome:
        """Turn it; where it was so already that is a success."""
        turned = controls.turn_kill_switch(provenance, on=self.kill_switch)
        return Outcome(
            status="kill_switch_on" if self.kill_switch else "kill_switch_off",
            duplicate=None if turned.done else True,
            more={"since": turned.state.since} if turned.state.since else {},
        )
