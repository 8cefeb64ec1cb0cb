"""CANCELALLORDERS: cancel every working order of the trader."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.cancel_many import Scope, cancel_many, cutoff, outcome
from orderhook.commands.command import NARROWING, Command
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


class CancelAllOrders(Command):
    """Cancel every working order of the trader that the key reaches, also those that wait for their delay."""

    word: ClassVar[str] = "CANCELALLORDERS"
    risk_reducing: ClassVar[bool] = True
    refused_if_unused: ClassVar[Mapping[str, str]] = NARROWING

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Cancel each as CANCELORDERS does; what still waits for its delay is never placed."""
        until = cutoff(services, provenance, self.word, self.delay)
        if not (provenance.limits and provenance.limits.is_to_markets):
            # It voids whatever waits: a key that does not reach everything cancels what is in the table, and no more.
            services.controls.note_cancel_all(provenance, min(until, provenance.received_at))
        result = cancel_many(services, provenance, Scope(), until, bar=False)
        return outcome(services, provenance, result)
