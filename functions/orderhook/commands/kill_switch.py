"""The kill switch: `kill_switch=on` or `off` in an alert without a command."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.command import NARROWING, Command
from orderhook.commands.fields import FALSE, OnOff
from orderhook.errors import AlertWarning, CommandNotAllowedError
from orderhook.keys import KILL_SWITCH
from orderhook.orders import RESENDS_END
from orderhook.outcome import Outcome
from orderhook.payload import lower
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt
from orderhook.store.controls import KillSwitchResult

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services
    from orderhook.venues import Venue

_UNDER_WAY = AlertWarning(
    "kill_switch",
    None,
    "An alert that had passed the check before may still be written within 3 s: cancel again in 3 s.",
)

_NO_SWITCH_OF_ITS_OWN = dict.fromkeys(NARROWING, "")

_STAYS_ON = AlertWarning(
    "kill_switch",
    None,
    "This is a resend of an alert that came before the switch was turned on, which stays so. To turn it off, send "
    f"kill_switch=off again {RESENDS_END.seconds} s after the first.",
)


class KillSwitch(Command):
    """Turn the trader's kill switch on, so that later alerts are refused, or off."""

    word: ClassVar[str] = KILL_SWITCH

    refused: ClassVar[Mapping[str, str]] = {"delay": "does not go with kill_switch; take it out"}

    kill_switch: OnOff

    @classmethod
    def narrowing(cls, given: Mapping[str, object]) -> Mapping[str, str]:
        """Return what `off` refuses, which lets everything trade again; `on`, which only stops, is never refused."""
        turn = given.get("kill_switch")
        return _NO_SWITCH_OF_ITS_OWN if isinstance(turn, str) and lower(turn) in FALSE else {}

    def certain_warnings(self, venue: "Venue") -> tuple[AlertWarning, ...]:  # noqa: ARG002
        """Return that other alerts may be under way when it is turned on."""
        return (_UNDER_WAY,) if self.kill_switch else ()

    def beyond(self, limits: "Limits") -> CommandNotAllowedError:  # noqa: ARG002
        """Return the refusal of a key with limits, whatever they are: the switch is for all that the trader has."""
        return CommandNotAllowedError(
            "This key is limited, and the kill switch is for everything; use a key without limits.", field="kill_switch"
        )

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Turn it by one conditional write; where it stood that way already, that is a success.

        A resent `off` does not undo a later `on`: it answers that the switch is on, and why.
        """
        result = self._turn(services, provenance)
        on = result.state.on
        return Outcome(
            status="kill_switch_on" if on else "kill_switch_off",
            duplicate=None if result.applied else True,
            extra={"since": result.state.since} if result.state.since else {},
            warnings=(_UNDER_WAY,) if self.kill_switch else (_STAYS_ON,) if on else (),
        )

    def _turn(self, services: "Services", provenance: Provenance) -> KillSwitchResult:
        if self.kill_switch:
            return services.controls.turn_on(provenance)
        return services.controls.turn_off(provenance, partial(first_receipt, services, provenance))
