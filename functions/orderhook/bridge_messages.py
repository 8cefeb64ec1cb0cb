"""What a bridge sends to the report queue: snapshots of orders and instructions, positions, and its heartbeat.

The cloud and the bridge share this page: `serialize` is the bridge's half, `parse` is that of the function that reads
the queue. Every message is whole in itself, and may come twice, late, or in any order.
"""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import AfterValidator, NonNegativeInt, PositiveInt, StringConstraints

from orderhook.instructions import Result
from orderhook.messages import MessageError, Time, read_kind, read_object
from orderhook.orders import PRICES, Action, OrderState, OrderType, TimeInForce, decimal_text

VERSION = 1

Side = Literal["LONG", "SHORT", "FLAT", "UNKNOWN"]

ANOTHER_JOURNALS = "the journal of the bridge is younger than the order"
"""How a bridge begins to say why it does not know what has become of an order, or of its targets and stops."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""What becomes part of a key in the table."""


_PRICE = r"-?[0-9]+(\.[0-9]+)?"

_VALUES: Mapping[str, str] = {
    "qty": "[0-9]+",
    **dict.fromkeys(PRICES, _PRICE),
    **dict.fromkeys(("offset", "limit_offset"), f"{_PRICE}%?"),
    "order_type": "|".join(get_args(OrderType)),
    "tif": "|".join(get_args(TimeInForce)),
}
"""The form of each value."""


def _values(values: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in values.items():
        if name not in _VALUES or not re.fullmatch(_VALUES[name], text):
            raise ValueError("not a value of an order, or of another form")
    return values


Values = Annotated[Mapping[str, str], AfterValidator(_values)]
"""Values as texts, by the names of the order's fields: qty, limit_price, stop_price, order_type, tif; Offsets.texts."""


class Execution(NamedTuple):
    """A fill of an order of the venue: what was filled since the last one."""

    venue_id: Id
    """The venue's order; an order of ours may have several: generations, and legs for parts of an entry."""
    cumulative: PositiveInt
    """What is filled of it in all; with `venue_id` it names the execution."""
    quantity: PositiveInt
    price: Decimal | None
    """None where the venue did not say it."""
    at: Time


class Made(NamedTuple):
    """An order that the bridge has made itself, to carry out an instruction: the table knows it by its report alone."""

    account: Id
    instrument: Id
    action: Action
    qty: PositiveInt
    order_type: OrderType
    tif: TimeInForce
    by: Id
    """The instruction that it is for, or the order in whose place it is (sync_strategy)."""
    received_at: Time
    """When the alert was received that asks for it."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    oco_id: str | None = None
    strategy_id: str | None = None


class OrderReport(NamedTuple):
    """An order as the venue has it: a snapshot, not an event (FIX: Execution Report)."""

    order_id: Id
    """A released leg's is its entry's id and its name: long.STOP1."""
    placed_by: str
    """The request id of the order's placing; an order that took its id later is another one."""
    state: OrderState
    filled: NonNegativeInt
    seq: PositiveInt
    """Grows with every snapshot of the order: max(last + 1, AWS's time in ms)."""
    acked: NonNegativeInt = 0
    """The want that it answers; what was asked later goes on."""
    average: Decimal | None = None
    values: Values = {}  # noqa: RUF012  nobody changes it, and pydantic copies it
    """What the venue has confirmed: kind, quantity and every price that it works with, or nothing."""
    reason: str | None = None
    unresolved: str | None = None
    """Why the bridge cannot know what has become of it."""
    venue_ids: Sequence[str] = ()
    executions: Sequence[Execution] = ()
    alarms: Sequence[str] = ()
    """What somebody should look at: change_unconfirmed, cancel_refused, unprotected, not_read, overfill ..."""
    dropped: NonNegativeInt = 0
    """The last want that was not done and is not done any more."""
    made: Made | None = None
    """Of an order that the bridge has made itself: the first report that comes writes it into the table."""


class InstructionReport(NamedTuple):
    """How far an instruction has come: a snapshot, not an event."""

    instruction_id: Id
    seq: PositiveInt
    """As of an order's report."""
    at: Time
    result: Result | None = None
    """None while it is under way."""
    reason: str | None = None
    order_ids: Sequence[str] = ()
    """The orders that were made for it."""
    alarms: Sequence[str] = ()


class PositionReport(NamedTuple):
    """A position as NinjaTrader's own file has it."""

    account: Id
    instrument: Id
    side: Side
    quantity: NonNegativeInt
    average: Decimal | None
    at: Time


class Heartbeat(NamedTuple):
    """That a bridge lives, and whether it can carry out what opens a position."""

    journal: str
    """The id of its journal: it names the bridge. One bridge owns a stack."""
    host: str
    accounts: Sequence[str]
    ready: bool
    at: Time
    reason: str | None = None
    """Why it is not ready."""
    take_over: bool = False
    """Whether it is to own the stack although another one's heartbeat is fresh."""
    positions: Sequence[PositionReport] = ()
    alarms: Sequence[str] = ()


class Sent(NamedTuple):
    """A message of the report queue: whose, from which bridge, and what it says."""

    trader: str
    journal: str
    what: OrderReport | InstructionReport | PositionReport | Heartbeat


_KINDS: Mapping[str, type[OrderReport | InstructionReport | PositionReport | Heartbeat]] = {
    "order": OrderReport,
    "instruction": InstructionReport,
    "position": PositionReport,
    "heartbeat": Heartbeat,
}


def serialize(sent: Sent) -> str:
    """Return the message as the queue holds it: JSON in ASCII, with numbers of money as text."""
    [kind] = [name for name, type_ in _KINDS.items() if type(sent.what) is type_]
    message = {"version": VERSION, "trader": sent.trader, "journal": sent.journal, kind: _by_name(sent.what)}
    return json.dumps(message)


def _by_name(value: object) -> object:
    """Return a value as JSON has it, with every field by its name and every price as text."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _by_name(it) for name, it in value._asdict().items()}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_by_name(it) for it in value]
    return decimal_text(value) if isinstance(value, Decimal) else value


def parse(body: str) -> Sent:
    """Return the message that serialize wrote; raises MessageError otherwise."""
    message = read_object(body)
    if message.pop("version", None) != VERSION:
        raise MessageError("its version is unknown")
    trader, journal = message.pop("trader", None), message.pop("journal", None)
    if not (isinstance(trader, str) and trader and isinstance(journal, str) and journal):
        raise MessageError("it does not say whose it is")
    return Sent(trader, journal, read_kind(message, _KINDS, strict=False))
