"""CANCELANDBRACKET: give a position a new target and stop in place of the orders of its instrument."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import BeforeValidator, ValidationInfo, model_validator

from orderhook.commands.command import Command
from orderhook.commands.fields import GivenLabel, Qty, one_of
from orderhook.commands.instructing import close_once, instructed_before, instruction_of
from orderhook.commands.position_fields import MarketSides, required_off
from orderhook.commands.price_fields import LegPrice, check_comparable, check_is_listed, number_of, price_text, sort_of
from orderhook.conditions import Conditions
from orderhook.errors import CommandNotAllowedError, InvalidValueError, MissingFieldError
from orderhook.orders import Action
from orderhook.outcome import Outcome
from orderhook.payload import upper
from orderhook.provenance import Provenance
from orderhook.relative_prices import Relative

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services

_STOPS = ("stop_loss", "stop_loss_limit", "stop_loss_stop")
_PRICES = ("take_profit", *_STOPS)

_SIDES = {"LONG": "BUY", "SHORT": "SELL"}


def _side(value: str, info: ValidationInfo) -> str:
    # CrossTrade: the direction of the position that is protected, not of the orders that do so.
    return one_of("BUY", "SELL")(_SIDES.get(upper(value), value), info)


PositionSide = Annotated[Action, BeforeValidator(_side)]
"""The side of a position: BUY or long, SELL or short."""


class CancelAndBracket(Command):
    """Protect a position by these prices, and by no order from before."""

    word: ClassVar[str] = "CANCELANDBRACKET"
    risk_reducing: ClassVar[bool] = True
    acts_on_positions: ClassVar[bool] = True
    refused_if_unused: ClassVar[Mapping[str, str]] = {
        "market_position": "action says the side of the position here, and require_market_position asks for it",
        **dict.fromkeys(
            ("strategy_id", "order_id"), "CHANGE moves one target or stop, by its id, or its name and strategy_id"
        ),
    }
    never_empty: ClassVar[frozenset[str]] = frozenset((*_PRICES, "require_market_position", "delay"))

    account: GivenLabel
    instrument: GivenLabel
    action: PositionSide
    qty: Qty
    take_profit: LegPrice = None
    stop_loss: LegPrice = None
    stop_loss_limit: LegPrice = None
    stop_loss_stop: LegPrice = None
    require_market_position: MarketSides = ()

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:
        """Return the condition where the alert switches it off."""
        return required_off(given)

    @model_validator(mode="after")
    def _prices_fit_together(self) -> Self:
        if self.take_profit is None and self.stop_loss is None and self.stop_loss_limit is None:
            raise MissingFieldError(
                "CANCELANDBRACKET needs take_profit=... or stop_loss=..., or both: it cancels what is there.",
                field="stop_loss_limit" if self.stop_loss_stop else "stop_loss",
            )
        if self.stop_loss is not None and self.stop_loss_limit is not None:
            raise InvalidValueError(
                "stop_loss and stop_loss_limit are two stops; give one of them.", field="stop_loss_limit"
            )
        if self.stop_loss_stop is not None and self.stop_loss_limit is None:
            raise MissingFieldError("stop_loss_stop goes with stop_loss_limit=...; add it.", field="stop_loss_limit")
        for name in _PRICES:
            if isinstance(price := getattr(self, name), Relative):
                check_is_listed(price, self.instrument, name)
        check_comparable(self.stop_loss_limit, self.stop_loss_stop)
        for name in _STOPS:
            self._check_beyond("take_profit", name)
        self._check_beyond("stop_loss_stop", "stop_loss_limit", or_equal=True)
        return self

    def _check_beyond(self, name: str, other: str, *, or_equal: bool = False) -> None:
        """Raise InvalidValueError unless a price lies on the winning side of another, where they can be compared.

        On which side of the position's own they lie only the bridge can see; a stop may be in profit.
        """
        price, than = (getattr(self, field) for field in (name, other))
        if price is None or than is None or sort_of(price) != sort_of(than):
            return
        distance = number_of(price, self.instrument) - number_of(than, self.instrument)
        if (or_equal and distance == 0) or (distance if self.action == "BUY" else -distance) > 0:
            return
        side, position = ("above", "long") if self.action == "BUY" else ("below", "short")
        raise InvalidValueError(
            f"{name}={price_text(price)} must lie {side} {other}={price_text(than)} for a position that is {position} "
            f"(action={self.action}); correct one of them.",
            field=name,
        )

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
            **{name: price_text(price) for name in _PRICES if (price := getattr(self, name)) is not None},
        )
        return close_once(services, provenance, asked).outcome
