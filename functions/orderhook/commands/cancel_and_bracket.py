"""CANCELANDBRACKET: give a position a new target and stop in place of the orders of its instrument."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import BeforeValidator, ValidationInfo, model_validator

from orderhook.commands.command import Command
from orderhook.commands.fields import GivenLabel, Qty, one_of
from orderhook.commands.instructing import close_once, instructed_before, instruction_of
from orderhook.commands.position_fields import MarketSides
from orderhook.commands.price_fields import check_is_listed, leg_price, price_text
from orderhook.conditions import Conditions
from orderhook.errors import CommandNotAllowedError, InvalidValueError, MissingFieldError
from orderhook.orders import Action, decimal_text
from orderhook.outcome import Outcome
from orderhook.payload import upper
from orderhook.provenance import Provenance
from orderhook.relative_prices import read_relative

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services

_STOPS = ("stop_loss", "stop_loss_limit", "stop_loss_stop")
_PRICES = ("take_profit", *_STOPS)

_SIDES = {"LONG": "BUY", "SHORT": "SELL"}


def _side(value: str, info: ValidationInfo) -> str:
    # CrossTrade: the direction of the position that is protected, not of the orders that do so.
    return one_of("BUY", "SELL")(_SIDES.get(upper(value), value), info)


def _price_text(value: str, info: ValidationInfo) -> str:
    return price_text(leg_price(value, info))


PositionSide = Annotated[Action, BeforeValidator(_side)]
"""The side of a position: BUY or long, SELL or short."""

PriceText = Annotated[str, BeforeValidator(_price_text)]
"""A price above 0, or one relative to the position's own, as text: that is known where the position is."""


class CancelAndBracket(Command):
    """Protect a position by these prices, and by no order from before."""

    word: ClassVar[str] = "CANCELANDBRACKET"
    risk_reducing: ClassVar[bool] = True
    acts_on_positions: ClassVar[bool] = True
    never_empty: ClassVar[frozenset[str]] = frozenset((*_PRICES, "require_market_position", "delay"))

    account: GivenLabel
    instrument: GivenLabel
    action: PositionSide
    qty: Qty
    take_profit: PriceText | None = None
    stop_loss: PriceText | None = None
    stop_loss_limit: PriceText | None = None
    stop_loss_stop: PriceText | None = None
    require_market_position: MarketSides = ()

    @model_validator(mode="after")
    def _prices_fit_together(self) -> Self:
        if self.take_profit is None and self.stop_loss is None and self.stop_loss_limit is None:
            raise MissingFieldError(
                "CANCELANDBRACKET needs take_profit=... or stop_loss=..., or both: it cancels what is there.",
                field="stop_loss_limit" if self.stop_loss_stop else "stop_loss",
            )
        if self.stop_loss is not None and (other := self.stop_loss_limit and "stop_loss_limit"):
            raise InvalidValueError(f"stop_loss and {other} are two stops; give one of them.", field=other)
        if self.stop_loss_stop is not None and self.stop_loss_limit is None:
            raise MissingFieldError("stop_loss_stop goes with stop_loss_limit=...; add it.", field="stop_loss_limit")
        for name in _PRICES:
            if (relative := read_relative(getattr(self, name) or "")) is not None:
                check_is_listed(relative, self.instrument, name)
        for name in _STOPS:
            self._check_beyond("take_profit", name)
        self._check_beyond("stop_loss_stop", "stop_loss_limit", or_equal=True)
        return self

    def _check_beyond(self, name: str, other: str, *, or_equal: bool = False) -> None:
        """Raise InvalidValueError unless a price lies on the winning side of another, where both are absolute."""
        price, than = self._absolute(name), self._absolute(other)
        if price is None or than is None or (or_equal and price == than):
            return
        if (price > than) is not (self.action == "BUY"):
            side = "above" if self.action == "BUY" else "below"
            position = "long" if self.action == "BUY" else "short"
            raise InvalidValueError(
                f"{name}={decimal_text(price)} must lie {side} {other}={decimal_text(than)} for a position that is "
                f"{position} (action={self.action}); correct one of them.",
                field=name,
            )

    def _absolute(self, name: str) -> Decimal | None:
        text: str | None = getattr(self, name)
        return Decimal(text) if text is not None and read_relative(text) is None else None

    def beyond(self, limits: "Limits") -> CommandNotAllowedError | None:
        """Return the refusal of an account or instrument that the key is not for; it covers no more than is open."""
        return limits.refusal(account=self.account, instrument=self.instrument)

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome where this is a resend of an alert that was accepted."""
        return instructed_before(self, services, provenance, self.account)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Ask the bridge for it; run twice, or where an equal alert has just asked, it is asked once."""
        asked = instruction_of(
            self,
            services,
            provenance,
            account=self.account,
            instrument=self.instrument,
            action=self.action,
            qty=self.qty,
            conditions=Conditions(require_market_position=self.require_market_position),
            **{name: getattr(self, name) for name in _PRICES},
        )
        return close_once(services, provenance, asked).outcome
