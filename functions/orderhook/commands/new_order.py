"""What PLACE and CANCELREPLACE share: the new order that they say by their fields, and its legs."""

from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

from orderhook.commands.fields import (
    ActionWord,
    Id,
    Label,
    OrderTypeWord,
    Price,
    Qty,
    TimeInForceWord,
)
from orderhook.commands.opens_position import OpensPosition
from orderhook.errors import InvalidValueError, MissingFieldError
from orderhook.orders import PRICES, decimal_text
from orderhook.trade import EntryTerms, LegTerms


class NewOrder(BaseModel):
    """An order as an alert asks for it, and the legs that come with it; a command has one among its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    account: Label
    instrument: Label
    action: ActionWord
    qty: Qty
    order_type: OrderTypeWord
    tif: TimeInForceWord
    limit_price: Price = None
    stop_price: Price = None
    oco_id: Id | None = None
    strategy: Label | None = None
    take_profit: Price = None
    stop_loss: Price = None
    stop_loss_limit: Price = None
    stop_loss_stop: Price = None

    @model_validator(mode="after")
    def _prices_fit_the_order_type(self) -> Self:
        for field, takers in PRICES.items():
            price = getattr(self, field)
            if self.order_type in takers and price is None:
                raise MissingFieldError(f"A {self.order_type} order needs {field}=... above 0.", field=field)
            if self.order_type not in takers and price is not None:
                raise InvalidValueError(f"A {self.order_type} order takes no {field}; take it out.", field=field)
        return self

    @model_validator(mode="after")
    def _legs_fit_together(self) -> Self:
        for field in ("take_profit", "stop_loss", "stop_loss_limit", "stop_loss_stop"):
            if self.strategy and getattr(self, field):
                raise InvalidValueError(
                    f"The template brings its own legs: take out {field}, or strategy.", field=field
                )
        # CrossTrade, "Bracket Orders": stop_loss or stop_loss_limit, and stop_loss_stop only beside the latter.
        if self.stop_loss and self.stop_loss_limit:
            raise InvalidValueError("Give stop_loss or stop_loss_limit, not both.", field="stop_loss_limit")
        if self.stop_loss_stop and not self.stop_loss_limit:
            raise MissingFieldError("stop_loss_stop needs stop_loss_limit=... beside it.", field="stop_loss_limit")
        return self

    @model_validator(mode="after")
    def _prices_stand_in_order(self) -> Self:
        stop = self.stop_loss or self.stop_loss_stop or self.stop_loss_limit
        levels = [price for price in (stop, self.limit_price or self.stop_price, self.take_profit) if price]
        if levels != sorted(levels, reverse=self.action == "SELL"):
            raise InvalidValueError(
                f"For a {self.action} the stop loss, the order's price and the take profit must be in "
                f"{'rising' if self.action == 'BUY' else 'falling'} order.",
                field="take_profit" if self.take_profit else "stop_loss" if self.stop_loss else "stop_loss_limit",
            )
        return self

    @property
    def legs(self) -> list[LegTerms]:
        """The legs that the alert itself asks for."""
        legs: list[LegTerms] = []
        if self.take_profit:
            legs.append(LegTerms("TARGET", "LIMIT", limit_price=self.take_profit))
        if self.stop_loss:
            legs.append(LegTerms("STOP", "STOPMARKET", stop_price=self.stop_loss))
        if self.stop_loss_limit:
            stop_price = self.stop_loss_stop or self.stop_loss_limit
            legs.append(LegTerms("STOP", "STOPLIMIT", stop_price=stop_price, limit_price=self.stop_loss_limit))
        return legs

    def terms(self, notes: str | None, content: str) -> EntryTerms:
        """Return what is asked of the entry."""
        own = {name: getattr(self, name) for name in EntryTerms._fields if name in type(self).model_fields}
        return EntryTerms(**own, notes=notes, content=content)

    def content(self, order_id: str | None, strategy_id: str | None) -> str:
        """Return the fingerprint of the order, with its ids: two spellings of a number are one."""
        fields = dict(self) | {"order_id": order_id, "strategy_id": strategy_id}
        values = {name: decimal_text(value) if isinstance(value, Decimal) else value for name, value in fields.items()}
        lines = (f"{name}={values[name]}" for name in _CONTENT if values[name] is not None)
        return sha256("\n".join(lines).encode()).hexdigest()


_CONTENT = (
    "account instrument action qty order_type tif limit_price stop_price oco_id order_id strategy strategy_id "
    "take_profit stop_loss stop_loss_limit stop_loss_stop".split()
)
"""In this order since the first version: stored fingerprints are compared with it."""


class PlacesOrder(OpensPosition):
    """A command that places a new order, which it has as its field `new_order`."""

    refused: ClassVar[Mapping[str, str]] = {
        **OpensPosition.refused,
        "append_atm": "is not available yet; take it out",
    }

    @model_validator(mode="before")
    @classmethod
    def _gather_new_order(cls, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        own = {name: value for name, value in fields.items() if name in NewOrder.model_fields}
        return {name: value for name, value in fields.items() if name not in own} | {"new_order": own}

    @classmethod
    def alert_fields(cls) -> dict[str, bool]:
        """Return the fields that an alert may give this command, and whether it must; the new order's come last."""
        new_order = {name: field.is_required() for name, field in NewOrder.model_fields.items()}
        return {name: required for name, required in super().alert_fields().items() if name != "new_order"} | new_order
