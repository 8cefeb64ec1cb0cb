"""CLOSEPOSITION: close the position of an account and instrument, in full or in part."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from orderhook.commands.command import Command
from orderhook.commands.fields import GivenLabel, Qty
from orderhook.commands.instructing import close_once, instructed_before, instruction_of
from orderhook.commands.position_fields import MarketSides, Part, required_off
from orderhook.conditions import Conditions
from orderhook.errors import CommandNotAllowedError, InvalidValueError
from orderhook.outcome import Outcome
from orderhook.payload import upper
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services


class ClosePosition(Command):
    """Close the position, or a part of it."""

    word: ClassVar[str] = "CLOSEPOSITION"
    risk_reducing: ClassVar[bool] = True
    acts_on_positions: ClassVar[bool] = True
    refused_if_unused: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("market_position", "action"),
            "FLATTEN with market_position closes the positions of one side, as require_market_position does here",
        ),
        "strategy_id": "CLOSESTRATEGY acts on one strategy",
        "order_id": "CANCEL cancels one order",
        **dict.fromkeys(
            ("order_type", "limit_price", "stop_price"),
            "a close is at the market, and PLACE places an order at a price",
        ),
    }
    never_empty: ClassVar[frozenset[str]] = frozenset(("qty", "percent", "require_market_position", "delay"))

    account: GivenLabel
    instrument: GivenLabel
    qty: Qty | None = None
    percent: Part | None = None
    require_market_position: MarketSides = ()

    @classmethod
    def narrowing(cls, given: Mapping[str, object]) -> Mapping[str, str]:
        """Return what it refuses; MARKET, and a price of 0, which is none, say what it does anyway."""
        said = {name for name in ("limit_price", "stop_price") if given.get(name) in ("0", "0.0", "0.00")}
        order_type = given.get("order_type")
        said |= {"order_type"} if isinstance(order_type, str) and upper(order_type) == "MARKET" else set()
        return {name: way_out for name, way_out in cls.refused_if_unused.items() if name not in said}

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:
        """Return the condition where the alert switches it off."""
        return required_off(given)

    @model_validator(mode="after")
    def _one_part(self) -> Self:
        if self.qty is not None and self.percent is not None:
            raise InvalidValueError("qty and percent both say how much is closed; give one of them.", field="percent")
        return self

    def beyond(self, limits: "Limits") -> CommandNotAllowedError | None:
        """Return the refusal of an account or instrument that the key is not for; a close has no largest quantity."""
        return limits.refusal(account=self.account, instrument=self.instrument)

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome where this is a resend of an alert that was accepted."""
        return instructed_before(self, services, provenance, self.account)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Ask the bridge to close it; run twice, or where an equal alert has just asked, it is asked once."""
        asked = instruction_of(
            self,
            services,
            provenance,
            account=self.account,
            instrument=self.instrument,
            qty=self.qty,
            percent=self.percent,
            conditions=Conditions(require_market_position=self.require_market_position),
        )
        return close_once(services, provenance, asked).outcome
