"""CANCELORDERS: cancel every working order of an account, or of an account and instrument."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from orderhook.commands.cancel_many import Scope, cancel_many, cutoff, outcome
from orderhook.commands.command import NARROWING, Command
from orderhook.commands.fields import GivenLabel
from orderhook.commands.instructing import close_once, instructed_before, instruction_of
from orderhook.commands.position_fields import MarketSides, check_position_fields, required_off
from orderhook.conditions import Conditions
from orderhook.errors import CommandNotAllowedError, MissingFieldError
from orderhook.orders import folded
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services
    from orderhook.venues import Venue


class CancelOrders(Command):
    """Cancel every working order of the account, or of the account and instrument; `ES1!` is every month of ES.

    With a condition on the position the bridge cancels them, which knows it.
    """

    word: ClassVar[str] = "CANCELORDERS"
    risk_reducing: ClassVar[bool] = True
    refused_if_unused: ClassVar[Mapping[str, str]] = NARROWING
    never_empty: ClassVar[frozenset[str]] = frozenset(("instrument", "require_market_position"))

    account: GivenLabel
    instrument: GivenLabel | None = None
    require_market_position: MarketSides = ()

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:
        """Return the condition where the alert switches it off."""
        return required_off(given)

    @model_validator(mode="after")
    def _condition_has_its_instrument(self) -> Self:
        if self.require_market_position and self.instrument is None:
            raise MissingFieldError(
                "require_market_position asks for the position in one instrument: add instrument=...",
                field="instrument",
            )
        return self

    def check_venue(self, venue: "Venue") -> None:
        """Raise UnsupportedValueError for a condition that only another venue can ask."""
        super().check_venue(venue)
        check_position_fields(self, venue)

    def beyond(self, limits: "Limits") -> CommandNotAllowedError | None:
        """Return the refusal of a market that the key is not for, of which the bridge would be asked."""
        if not self.require_market_position:
            return None
        return limits.refusal(account=self.account, instrument=self.instrument)

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome where this is a resend of an alert of which the bridge was asked."""
        if not self.require_market_position:
            return None
        return instructed_before(self, services, provenance, self.account)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Cancel each with its own conditional write; run twice, the second finds what the first left.

        Raises TemporarilyUnavailableError, with what was done, when the time budget ends first.
        """
        if self.require_market_position:
            asked = instruction_of(
                self,
                services,
                provenance,
                account=self.account,
                instrument=self.instrument,
                conditions=Conditions(require_market_position=self.require_market_position),
            )
            return close_once(services, provenance, asked).outcome
        # Each account of a list has a trace of its own, or they would race for one.
        until = cutoff(services, provenance, f"{self.word}#{folded(self.account)}", self.delay)
        scope = Scope(self.account, self.instrument, root=self.root)
        result = cancel_many(services, provenance, scope, until, delay=self.delay)
        return outcome(services, provenance, result)
