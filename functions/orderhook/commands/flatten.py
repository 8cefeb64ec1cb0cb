"""FLATTEN: close every position of the accounts, or those of an account, an instrument or a side."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from orderhook.commands.command import NARROWING, Command
from orderhook.commands.fields import GivenLabel
from orderhook.commands.instructing import close_once, instructed_before, instruction_of
from orderhook.commands.position_fields import MarketSides, OpenSideWord, required_off
from orderhook.conditions import Conditions
from orderhook.errors import CommandNotAllowedError, MissingFieldError
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services


class Flatten(Command):
    """Close each position that the fields say; without any, every one that the key reaches."""

    word: ClassVar[str] = "FLATTEN"
    risk_reducing: ClassVar[bool] = True
    acts_on_positions: ClassVar[bool] = True
    refused_if_unused: ClassVar[Mapping[str, str]] = {
        **NARROWING,
        "action": "FLATTEN with market_position closes the positions of one side",
        **dict.fromkeys(("qty", "percent"), "CLOSEPOSITION closes a part of one position"),
    }
    never_empty: ClassVar[frozenset[str]] = frozenset(
        ("account", "instrument", "market_position", "require_market_position", "delay")
    )

    account: GivenLabel | None = None
    instrument: GivenLabel | None = None
    market_position: OpenSideWord | None = None
    require_market_position: MarketSides = ()

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:
        """Return the condition where the alert switches it off."""
        return required_off(given)

    @model_validator(mode="after")
    def _condition_is_on_one_position(self) -> Self:
        for name in ("account", "instrument"):
            if self.require_market_position and getattr(self, name) is None:
                raise MissingFieldError(
                    f"require_market_position is about one position: add {name}=..., or write market_position for the "
                    "positions of one side.",
                    field=name,
                )
        return self

    def beyond(self, limits: "Limits") -> CommandNotAllowedError | None:
        """Return the refusal of an account or instrument that the key is not for."""
        return limits.refusal(account=self.account, instrument=self.instrument)

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome where this is a resend of an alert that was accepted."""
        return instructed_before(self, services, provenance, self.account)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Ask the bridge to close them; run twice, or where an equal alert has just asked, it is asked once."""
        asked = instruction_of(
            self,
            services,
            provenance,
            account=self.account,
            instrument=self.instrument,
            market_position=self.market_position,
            conditions=Conditions(require_market_position=self.require_market_position),
        )
        return close_once(services, provenance, asked).outcome
