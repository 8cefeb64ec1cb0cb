"""REVERSE: close the position, and open as much on the other side."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.fields import GivenLabel
from orderhook.commands.instructing import instructed_before, instruction_of, open_once
from orderhook.commands.opens_position import OpensPosition
from orderhook.commands.position_fields import MarketSides, required_off
from orderhook.conditions import Conditions
from orderhook.errors import CommandNotAllowedError
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services

_OF_AN_ORDER = (
    "qty percent action order_type limit_price stop_price take_profit stop_loss stop_loss_limit stop_loss_stop strategy"
)


class Reverse(OpensPosition):
    """Turn the position over: as many contracts as are open, on the other side, at the market."""

    word: ClassVar[str] = "REVERSE"
    acts_on_positions: ClassVar[bool] = True
    refused: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            _OF_AN_ORDER.split(),
            "is not heeded by REVERSE, which turns over what is open at the market; take it out, or give "
            "REVERSEPOSITION, which places the order that you describe",
        ),
        **dict.fromkeys(
            ("flatten_first", "max_positions", "sync_strategy", "out_of_sync", "append_atm", "strategy_tag"),
            "does not go with REVERSE; take it out",
        ),
    }
    refused_if_unused: ClassVar[Mapping[str, str]] = {
        "market_position": "REVERSE with require_market_position turns over the position of one side",
        "strategy_id": "CLOSESTRATEGY acts on one strategy",
    }

    account: GivenLabel
    instrument: GivenLabel
    require_market_position: MarketSides = ()

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:
        """Return the condition where the alert switches it off."""
        return required_off(given)

    @property
    def venue_account(self) -> str:
        """The account that the venue must have."""
        return self.account

    def needs_venue(self, services: "Services", provenance: Provenance) -> bool:  # noqa: ARG002
        """Return that it opens something."""
        return True

    def beyond(self, limits: "Limits") -> CommandNotAllowedError | None:
        """Return the refusal of an account or instrument that the key is not for, and of one with a largest quantity.

        How much it opens nobody knows before the bridge does.
        """
        if refusal := limits.refusal(account=self.account, instrument=self.instrument):
            return refusal
        if limits.max_qty is None:
            return None
        return CommandNotAllowedError(
            f"This key is limited to a quantity of {limits.max_qty}, and REVERSE opens as much as was open; give "
            "REVERSEPOSITION with a qty, or use another key.",
            field="qty",
        )

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome where this is a resend of an alert that was accepted."""
        return instructed_before(self, services, provenance, self.account)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Ask the bridge to turn it over; run twice, it is asked once.

        Raises DuplicateAlertError where an equal alert came less than a minute before, unless this is its resend.
        """
        asked = instruction_of(
            self,
            services,
            provenance,
            account=self.account,
            instrument=self.instrument,
            conditions=Conditions(require_market_position=self.require_market_position, root=self.root).reaching(
                provenance.limits
            ),
            not_after=services.venue.not_after(provenance),
        )
        return open_once(services, provenance, asked).outcome
