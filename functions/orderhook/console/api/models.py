"""What requests of the API may hold: names as CrossTrade's API has them where they mean the same.

These say which names and types there are. What a value may be is checked where it is for every alert.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel


def _whole(value: Any) -> Any:
    """Return 2 for 2.0, which is the same number in JSON."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _from_text(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9 else value


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not a time; write it in ISO 8601, such as 2026-01-02T15:04:05Z") from None
    if at.tzinfo is None:
        raise ValueError("a time without its offset from UTC; let it end in Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a time that there is") from None


Text = Annotated[str, Field(min_length=1)]
Whole = Annotated[int, BeforeValidator(_whole)]
Price = Annotated[
    int | Decimal | Text,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "minLength": 1}]}),
    Field(description="A price or, as text, a distance such as `-10 ticks` or `0.5%`."),
]
Part = Annotated[int | Decimal, WithJsonSchema({"type": "number"})]
Time = Annotated[Text, AfterValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
Flag = Annotated[bool, BeforeValidator(_flag)]
Limit = Annotated[int, Field(ge=1, le=500, description="How many to return."), BeforeValidator(_from_text)]


class Given(BaseModel):
    """What a request gives; other names are refused."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        hide_input_in_errors=True,
        defer_build=True,
    )


# Queries


class NoParameters(Given):
    """A query without parameters."""


class Page(Given):
    """Which part of a list."""

    limit: Limit = 50
    cursor: Annotated[Text | None, Field(description="`nextCursor` of the page before.")] = None


class Span(Page):
    """Which part of a list, and of which time."""

    since: Annotated[Time | None, Field(description="From this time on.")] = None
    until: Annotated[Time | None, Field(description="Before this time.")] = None


class OrdersQuery(Span):
    """Which orders."""

    status: Annotated[
        Literal["open", "closed"], Field(description="`closed` lists those that were placed in the span.")
    ] = "open"
    account: Text | None = None
    instrument: Annotated[Text | None, Field(description="`ES1!` is every month of ES.")] = None
    strategy_id: Text | None = None


class AccountOrders(Span):
    """Which orders of an account."""

    active_only: Annotated[Flag, Field(description="Without it, also those closed that were placed in the span.")] = (
        False
    )
    instrument: Text | None = None
    strategy_id: Text | None = None


class OrderAddress(Given):
    """Which order."""

    account: Text
    order_id: Text


class InstrumentQuery(Given):
    """Which instrument."""

    instrument: Text


class OptionalInstrument(Given):
    """Which instrument, if not every one."""

    instrument: Text | None = None


class AlertsQuery(Span):
    """Which alerts."""

    after: Annotated[Text | None, Field(description="The `requestId` of an alert: only what came in later.")] = None
    status: Annotated[
        Text | None, Field(description="`refused`, `done`, an HTTP status, a status word or an error code.")
    ] = None
    command: Text | None = None
    order_id: Text | None = None


class PositionsQuery(Given):
    """Which positions."""

    include_flat: Annotated[Flag, Field(description="Also those that are flat.")] = False


class AccountExecutions(Span):
    """Which executions of an account."""

    instrument: Text | None = None


class Executions(AccountExecutions):
    """Which executions."""

    account: Text | None = None


# Bodies


class Remarked(Given):
    """What every command takes."""

    notes: Annotated[Text | None, Field(description="Up to 500 characters, which the record keeps.")] = None
    delay: Annotated[Part | None, Field(description="Seconds to wait, up to 60.")] = None


class Windowed(Remarked):
    """What commands take that may open a position."""

    rate_limit: Annotated[Text | None, Field(description="Such as `1/60`, beside `id`.")] = None
    id: Text | None = None
    start_time: Text | None = None
    end_time: Text | None = None
    closing_only_after: Text | None = None
    bypass_trade_windows: bool | None = None


class Described(Windowed):
    """An order, as the body says it."""

    instrument: Text
    action: Annotated[Text, Field(description="`BUY` or `SELL`.")]
    quantity: Whole
    order_type: Annotated[Text, Field(description="`MARKET`, `LIMIT`, `STOPMARKET` or `STOPLIMIT`.")]
    time_in_force: Annotated[Text, Field(description="`DAY` or `GTC`.")]
    limit_price: Price | None = None
    stop_price: Price | None = None
    reference_price: Annotated[Part | None, Field(description="What distances of the order count from.")] = None
    oco_id: Text | None = None
    take_profit: Price | None = None
    stop_loss: Price | None = None
    stop_loss_limit: Price | None = None
    stop_loss_stop: Price | None = None
    strategy_id: Text | None = None
    require_market_position: Annotated[Text | None, Field(description="Such as `flat,long`.")] = None
    max_positions: Whole | None = None
    cancel_after: Annotated[Whole | None, Field(description="Minutes, up to 180.")] = None


class Place(Described):
    """A new order."""

    order_id: Annotated[
        Text | None,
        Field(description="Its id, and what makes it safe to send this again. `Idempotency-Key` serves as one."),
    ] = None
    strategy: Annotated[Text | None, Field(description="A template, which brings targets and stops.")] = None
    flatten_first: bool | None = None
    sync_strategy: bool | None = None
    market_position: Text | None = None
    prev_market_position: Text | None = None
    out_of_sync: Text | None = None
    target_quantity: Whole | None = None


class Replace(Described):
    """What an order is to be from now on; `quantity` is the total, fills included."""


class Change(Windowed):
    """What is to change of an order; at least one."""

    quantity: Whole | None = None
    limit_price: Part | None = None
    stop_price: Part | None = None
    strategy_id: Text | None = None


class Cancel(Remarked):
    """A cancel of one order."""

    strategy_id: Annotated[Text | None, Field(description="The order must be of this strategy.")] = None


class CancelOrders(Remarked):
    """A cancel of many orders of an account."""

    instrument: Text | None = None
    require_market_position: Text | None = None


class Close(Remarked):
    """A close of a position; without `quantity` and `percent` all of it."""

    instrument: Text
    quantity: Whole | None = None
    percent: Annotated[Part | None, Field(description="Above 0 and at most 1.")] = None
    require_market_position: Text | None = None


class Reverse(Windowed):
    """A position that is to be turned over."""

    instrument: Text
    require_market_position: Text | None = None


class Flatten(Remarked):
    """Which positions to close; with none of these fields, everything, and every order is cancelled."""

    account: Text | None = None
    instrument: Text | None = None
    market_position: Annotated[Text | None, Field(description="`long` or `short`.")] = None
    require_market_position: Text | None = None


class Switch(Given):
    """Which way the kill switch is to be."""

    on: bool


class Check(Given):
    """The text of an alert, with or without its key; its placeholders may be as TradingView fills them in."""

    alert: str
