"""What PLACE and CANCELREPLACE share: the new order that they say by their fields, and its legs."""

from collections.abc import Mapping, Set
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

from orderhook.commands.fields import (
    ActionWord,
    GivenLabel,
    Id,
    Label,
    OrderTypeWord,
    Qty,
    TimeInForceWord,
    is_off,
)
from orderhook.commands.opens_position import OpensPosition
from orderhook.commands.position_fields import MarketSides, MaxPositions, check_position_fields
from orderhook.commands.price_fields import (
    EntryPrice,
    LegPrice,
    Price,
    check_comparable,
    check_distance,
    number_of,
    price_text,
)
from orderhook.conditions import Conditions
from orderhook.errors import (
    AlertWarning,
    CommandNotAllowedError,
    InvalidValueError,
    MissingFieldError,
    UnsupportedValueError,
)
from orderhook.leg_prices import is_beyond
from orderhook.orders import PRICES, decimal_text, folded, timestamp
from orderhook.provenance import Provenance
from orderhook.relative_prices import Relative, read_relative
from orderhook.trade import LegTerms
from orderhook.trade_window import end_of_day

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.venues import Venue

OCO_WITHOUT_VENUE = AlertWarning(
    "oco_without_venue",
    "oco_id",
    "Without a venue oco_id is kept and has no effect: when one order of the group fills, cancel the others yourself.",
)


_STOPS = ("stop_loss", "stop_loss_limit", "stop_loss_stop")


class NewOrder(BaseModel):
    """An order as an alert asks for it, and the legs that come with it; a command has one among its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    account: GivenLabel
    instrument: GivenLabel
    action: ActionWord
    qty: Qty
    order_type: OrderTypeWord
    tif: TimeInForceWord
    reference_price: Price = None
    """What relative prices of the order itself count from; it is no part of the order."""
    limit_price: EntryPrice = None
    stop_price: EntryPrice = None
    oco_id: Id | None = None
    strategy: Label | None = None
    take_profit: LegPrice = None
    stop_loss: LegPrice = None
    stop_loss_limit: LegPrice = None
    stop_loss_stop: LegPrice = None

    @model_validator(mode="after")
    def _prices_fit_the_order_type(self) -> Self:
        for field, takers in PRICES.items():
            price = getattr(self, field)
            if self.order_type in takers and price is None:
                raise MissingFieldError(f"A {self.order_type} order needs {field}=... above 0.", field=field)
            if self.order_type not in takers and price is not None:
                protects = ", or write stop_loss for a stop that protects it" if field == "stop_price" else ""
                raise InvalidValueError(
                    f"A {self.order_type} order takes no {field}; take it out{protects}.", field=field
                )
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
    def _relative_legs_lie_beyond_the_fill(self) -> Self:
        entry = self.limit_price or self.stop_price or self.reference_price
        for field, price in self.relative_legs.items():
            check_distance(field, price, self.action, self.instrument, entry)
        return self

    @model_validator(mode="after")
    def _leg_prices_stand_in_order(self) -> Self:
        limit, stop = self.stop_loss_limit, self.stop_loss_stop
        check_comparable(limit, stop)
        if limit and stop and self._is_beyond(limit, stop):
            raise InvalidValueError(
                f"stop_loss_limit={price_text(limit)} must not lie {self._winning_side} stop_loss_stop="
                f"{price_text(stop)} where a {self.action} is to be stopped; correct one of them.",
                field="stop_loss_limit",
            )
        target = self.take_profit
        for field, price in self._stops.items():
            if isinstance(target, Decimal) and not is_beyond(self.action, target, price):
                raise self._wrong_side("take_profit", self._winning_side, field)
        return self

    def check_entry_between_legs(self) -> None:
        """Raise InvalidValueError unless each price of the entry lies between the stop and the target.

        That goes for an order of which nothing is filled: afterwards a stop may be moved beyond the entry.
        """
        for entry in PRICES:
            price = getattr(self, entry)
            for field, stop in self._stops.items():
                if price and not is_beyond(self.action, price, stop):
                    raise self._wrong_side(field, self._losing_side, entry)
            target = self.take_profit
            if price and isinstance(target, Decimal) and not is_beyond(self.action, target, price):
                raise self._wrong_side("take_profit", self._winning_side, entry)

    @property
    def relative_legs(self) -> dict[str, Relative]:
        """The prices of legs that are a distance from the fill, by their fields."""
        prices = {name: getattr(self, name) for name in ("take_profit", *_STOPS)}
        return {name: price for name, price in prices.items() if isinstance(price, Relative)}

    @property
    def _stops(self) -> dict[str, Decimal]:
        prices = {name: getattr(self, name) for name in _STOPS}
        return {name: price for name, price in prices.items() if isinstance(price, Decimal)}

    def _is_beyond(self, price: Decimal | Relative, other: Decimal | Relative) -> bool:
        return is_beyond(self.action, number_of(price, self.instrument), number_of(other, self.instrument))

    @property
    def _winning_side(self) -> str:
        return "above" if self.action == "BUY" else "below"

    @property
    def _losing_side(self) -> str:
        return "below" if self.action == "BUY" else "above"

    def _wrong_side(self, field: str, side: str, other: str) -> InvalidValueError:
        given = [f"{name}={decimal_text(getattr(self, name))}" for name in (field, other)]
        return InvalidValueError(
            f"{given[0]} must lie {side} {given[1]} for a {self.action}; correct one of them.", field=field
        )

    @property
    def legs(self) -> list[LegTerms]:
        """The legs that the alert itself asks for."""
        legs: list[LegTerms] = []
        if self.take_profit:
            legs.append(LegTerms("TARGET", "LIMIT", **self._terms("limit_price", self.take_profit)))
        if self.stop_loss:
            legs.append(LegTerms("STOP", "STOPMARKET", **self._terms("stop_price", self.stop_loss)))
        if self.stop_loss_limit:
            stop = self._terms("stop_price", self.stop_loss_stop or self.stop_loss_limit)
            limit = self._terms("limit_price", self.stop_loss_limit)
            if "offset" in limit:
                limit = {"limit_offset": limit["offset"]}
            legs.append(LegTerms("STOP", "STOPLIMIT", **stop, **limit))
        return legs

    def _terms(self, field: str, price: Decimal | Relative) -> dict[str, Any]:
        """Return what says where a leg is to work: this price, or how far it lies from the fill."""
        if isinstance(price, Decimal):
            return {field: price}
        return {"offset": abs(number_of(price, self.instrument)), "in_percent": price.unit == "percent"}

    def day_ends(self, provenance: Provenance, after: int = 0) -> str | None:
        """Return when it ends by itself, its day beginning so many seconds after receipt; None if it does not."""
        begins = provenance.received_on + timedelta(seconds=after)
        return timestamp(end_of_day(begins)) if self.tif == "DAY" else None

    def texts(self) -> dict[str, str]:
        """Return the order and its legs as they are compared: two spellings of a value are one."""
        values = {name: value for name, value in dict(self).items() if not (value is None or name == "reference_price")}
        return {name: _text(name, value) for name, value in values.items()}


def _text(name: str, value: Any) -> str:
    if isinstance(value, Decimal | Relative):
        return price_text(value)
    return folded(value) if name in ("account", "instrument", "strategy") else str(value)


_CONDITIONS = frozenset(("require_market_position", "max_positions"))


class PlacesOrder(OpensPosition):
    """A command that places a new order, which it has as its field `new_order`, where the position is as it asks."""

    new_order: NewOrder
    require_market_position: MarketSides = ()
    max_positions: MaxPositions | None = None

    refused: ClassVar[Mapping[str, str]] = {
        **{name: why for name, why in OpensPosition.refused.items() if name not in _CONDITIONS},
        "append_atm": "is not available yet; take it out",
        "strategy_tag": "is not available yet; take it out",
    }

    @model_validator(mode="before")
    @classmethod
    def _gather_new_order(cls, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        own = {name: value for name, value in fields.items() if name in NewOrder.model_fields}
        return {name: value for name, value in fields.items() if name not in own} | {"new_order": own}

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:
        """Return the conditions that the alert switches off, and reference_price where nothing counts from it."""
        off = {name for name in _CONDITIONS if is_off(name, given.get(name))}
        prices = [value for name in PRICES if isinstance(value := given.get(name), str)]
        return off if any(map(read_relative, prices)) else off | {"reference_price"}

    @property
    def position_conditions(self) -> Conditions:
        """What the bridge asks of the position, and does to it, before it places the order."""
        return Conditions(require_market_position=self.require_market_position, max_positions=self.max_positions)

    def check_venue(self, venue: "Venue") -> None:
        """Raise UnsupportedValueError for what only another venue can do."""
        super().check_venue(venue)
        check_position_fields(self, venue)
        relative = next(
            iter(self.new_order.relative_legs), "reference_price" if self.new_order.reference_price else None
        )
        if relative and venue.name is None:
            raise UnsupportedValueError(
                f"{relative} is for prices that count from another one, which a venue alone works with: give a price "
                "such as 5000.25, or deploy with Venue=ninjatrader.",
                field=relative,
            )

    def certain_warnings(self, venue: "Venue") -> tuple[AlertWarning, ...]:
        """Return what is said of a group that nothing heeds."""
        return (OCO_WITHOUT_VENUE,) if self.new_order.oco_id and venue.name is None else ()

    def beyond(self, limits: "Limits") -> CommandNotAllowedError | None:
        """Return the refusal of an account, an instrument or a quantity that the key is not for."""
        new = self.new_order
        return limits.refusal(account=new.account, instrument=new.instrument, qty=new.qty)

    @classmethod
    def alert_fields(cls) -> dict[str, bool]:
        """Return the fields that an alert may give this command, and whether it must; the new order's come last."""
        new_order = {name: field.is_required() for name, field in NewOrder.model_fields.items()}
        return {name: required for name, required in super().alert_fields().items() if name != "new_order"} | new_order
