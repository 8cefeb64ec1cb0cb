"""CANCELORDERS: cancel every working order of an account, or of an account and instrument."""

from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.cancel_many import cancel_many, outcome_of_many
from orderhook.commands.command import Command
from orderhook.commands.fields import Label
from orderhook.orders import Outcome, Provenance

if TYPE_CHECKING:
    from orderhook.services import Services


class CancelOrders(Command):
    """Cancel every working order of the account, or of the account and instrument."""

    word: ClassVar[str] = "CANCELORDERS"
    risk_reducing: ClassVar[bool] = True

    account: Label
    instrument: Label | None = None

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Cancel each with its own conditional write; run twice, the second finds what the first left.

        Raises TemporarilyUnavailableError, with what was done, when the time budget ends first. An order that is placed
        meanwhile may be cancelled or not.
        """
        order_ids = services.orders.open_ids(provenance.trader, self.account, self.instrument)
        return outcome_of_many(cancel_many(services, provenance, order_ids))
