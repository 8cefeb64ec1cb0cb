"""CANCELORDERS: cancel every working order of an account, or of an account and instrument."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.cancel_many import Scope, cancel_many, cutoff, outcome
from orderhook.commands.command import NARROWING, Command
from orderhook.commands.fields import GivenLabel
from orderhook.orders import folded
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


class CancelOrders(Command):
    """Cancel every working order of the account, or of the account and instrument; `ES1!` is every month of ES."""

    word: ClassVar[str] = "CANCELORDERS"
    risk_reducing: ClassVar[bool] = True
    refused_if_unused: ClassVar[Mapping[str, str]] = NARROWING
    never_empty: ClassVar[frozenset[str]] = frozenset({"instrument"})

    account: GivenLabel
    instrument: GivenLabel | None = None

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Cancel each with its own conditional write; run twice, the second finds what the first left.

        Raises TemporarilyUnavailableError, with what was done, when the time budget ends first.
        """
        # Each account of a list has a trace of its own, or they would race for one.
        until = cutoff(services, provenance, f"{self.word}#{folded(self.account)}", self.delay)
        scope = Scope(self.account, self.instrument, root=self.root)
        result = cancel_many(services, provenance, scope, until, delay=self.delay)
        return outcome(services, provenance, result)
