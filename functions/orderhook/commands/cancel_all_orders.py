"""CANCELALLORDERS: cancel every working order of the trader."""

from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.cancel_many import cancel_many, outcome_of_many
from orderhook.commands.command import Command
from orderhook.orders import Outcome, Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


class CancelAllOrders(Command):
    """Cancel every working order of every account of the trader."""

    word: ClassVar[str] = "CANCELALLORDERS"
    risk_reducing: ClassVar[bool] = True

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Cancel each as CANCELORDERS does."""
        return outcome_of_many(cancel_many(services, provenance, services.orders.open_ids(provenance.trader)))
