"""What the API answers, for its description alone: answers are made of what the readers represent.

Whatever else is told, such as `counts` of a cancel of many orders, stands beside.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

Number = Annotated[Decimal | None, WithJsonSchema({"type": ["number", "null"]})]
Time = Annotated[str | None, WithJsonSchema({"type": ["string", "null"], "format": "date-time"})]


class Part(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", defer_build=True)


class Success(Part):
    """An answer to what was done or shown."""

    success: Annotated[bool, WithJsonSchema({"const": True})]


class Error(Part):
    """Why it was not done, and what to do about it."""

    success: Annotated[bool, WithJsonSchema({"const": False})]
    error: Annotated[
        str, Field(description="What clients branch on: docs/errors.md, and the API's own in docs/api.md.")
    ]
    detail: Annotated[str, Field(description="For a person; it may speak of an alert's fields.")]
    field: Annotated[str, Field(description="The name that is at fault, as the API has it.")] = ""
    request_id: Annotated[str, Field(description="There where the refusal has a record, under `/alerts`.")] = ""


class Warned(Part):
    """What the caller should know of what was done."""

    code: str
    detail: str


class Done(Success):
    """What was done: the webhook's answer, with the API's names."""

    status: Annotated[str, Field(description="The word of the answer, such as `placed`; docs/errors.md has each.")]
    request_id: Annotated[str, Field(description="Under this id `/alerts` has what was asked for, and its result.")]
    order_id: str = ""
    state: str = ""
    warnings: Sequence[Warned] = ()


class Order(Part):
    """An order as it is now; of one that this version cannot read hardly more than its id."""

    order_id: str
    account: str | None = None
    instrument: str | None = None
    state: str | None = None
    since: Time = None
    action: str | None = None
    quantity: Number = None
    filled: Number = None
    average: Number = None
    order_type: str | None = None
    time_in_force: str | None = None
    limit_price: Number = None
    stop_price: Number = None
    strategy_id: str | None = None
    order_name: str | None = None
    entry_id: str | None = None
    oco_id: str | None = None
    reason: str | None = None
    notes: str | None = None


class Event(Part):
    """What has happened to an order."""

    at: Time
    state: str | None
    leg: str | None
    changes: Mapping[str, Any]
    request_id: str


class OrderWithHistory(Order):
    """An order, everything that has happened to it, and its legs."""

    history: Sequence[Event] = ()
    legs: Sequence[Order] = ()


class Paged(Success):
    """A page of a list."""

    next_cursor: Annotated[str | None, Field(description="The `cursor` of the next page; null at the end.")]


class Orders(Paged):
    """Orders, legs under their entries."""

    orders: Sequence[Order]


class OneOrder(Success):
    """An order."""

    order: OrderWithHistory


class Strategy(Part):
    """A strategy."""

    strategy_id: str
    account: str
    instrument: str
    template: str | None
    entries: Annotated[Mapping[str, str], Field(description="The ids of orders by their names, such as ENTRY1.")]
    closed_at: Time


class Strategies(Paged):
    """Strategies."""

    strategies: Sequence[Strategy]


class Alert(Part):
    """The record of what came in by the webhook, the API or the console, and what came of it."""

    request_id: str
    received_at: Time
    origin: str = "webhook"
    command: str | None = None
    fields: Annotated[Mapping[str, str], Field(description="As they were sent, without any key.")] = {}
    status: int = 0
    outcome: str = ""
    detail: str | None = None
    order_ids: Sequence[str] = ()
    milliseconds: Number = None
    meaning: str | None = None
    what_to_do: str | None = None


class Alerts(Paged):
    """Alerts, newest first."""

    alerts: Sequence[Alert]


class OneAlert(Success):
    """An alert."""

    alert: Alert


class Fault(Part):
    """Why an alert would be refused."""

    status: int
    error: str
    detail: str


class Row(Part):
    """A field of an alert, and what is remarked of it."""

    name: str
    field: str
    value: str
    wrong: bool
    remark: str | None


class Checked(Success):
    """What the webhook would do with an alert."""

    accepted: bool
    verdict: str
    faults: Sequence[Fault]
    warnings: Sequence[Warned]
    fields: Sequence[Row]


class KillSwitch(Success):
    """The kill switch."""

    on: bool
    since: Time
    locked: Annotated[bool, Field(description="Whether the command line alone turns it off.")]
    stops_cancels: bool


class Bridge(Part):
    """Whether what is told is as it is now."""

    heard_at: Time
    away: Annotated[str | None, Field(description="Why nothing is carried out, and what is told is what was.")]


class Account(Part):
    """An account."""

    name: str


class Accounts(Success):
    """The accounts that the bridge was started for."""

    accounts: Sequence[Account]
    bridge: Bridge


class Position(Part):
    """A position as the bridge has told it."""

    account: str
    instrument: str
    market_position: Annotated[str, WithJsonSchema({"enum": ["Long", "Short", "Flat", "Unknown"]})]
    quantity: Number
    average_price: Number
    at: Time


class Positions(Success):
    """Positions."""

    positions: Sequence[Position]
    bridge: Bridge


class OnePosition(Success):
    """A position."""

    position: Position
    bridge: Bridge


class Execution(Part):
    """A part of what was filled."""

    order_id: str
    account: str | None
    instrument: str | None
    action: str | None
    quantity: Number
    price: Number
    cumulative: Annotated[Decimal | None, WithJsonSchema({"type": ["number", "null"]})]
    at: Time
    unattached: Annotated[bool, Field(description="Whether no order is known that it belongs to.")]


class Executions(Paged):
    """Executions, newest first."""

    executions: Sequence[Execution]


class Health(Success):
    """That the API answers."""


class OpenApi(Part):
    """The description of the API."""

    openapi: str
