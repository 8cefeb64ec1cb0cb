"""Orders, strategies, and which state may follow which: plain data and pure functions.

The states and their names are NinjaTrader 8's (OrderState).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple

from orderhook.errors import OrderhookError

Action = Literal["BUY", "SELL"]
OrderType = Literal["MARKET", "LIMIT", "STOPMARKET", "STOPLIMIT"]
TimeInForce = Literal["DAY", "GTC"]


class OrderState(StrEnum):
    """Where an order stands, in NinjaTrader's words."""

    INITIALIZED = "Initialized"
    TRIGGER_PENDING = "TriggerPending"
    SUBMITTED = "Submitted"
    ACCEPTED = "Accepted"
    SUSPENDED = "Suspended"
    WORKING = "Working"
    CHANGE_PENDING = "ChangePending"
    CHANGE_SUBMITTED = "ChangeSubmitted"
    PART_FILLED = "PartFilled"
    CANCEL_PENDING = "CancelPending"
    CANCEL_SUBMITTED = "CancelSubmitted"
    CANCELLED = "Cancelled"
    FILLED = "Filled"
    REJECTED = "Rejected"
    UNKNOWN = "Unknown"
    EXPIRED = "Expired"


_S = OrderState

CANCELLABLE = frozenset(
    {
        _S.INITIALIZED,
        _S.TRIGGER_PENDING,
        _S.SUBMITTED,
        _S.ACCEPTED,
        _S.SUSPENDED,
        _S.WORKING,
        _S.CHANGE_PENDING,
        _S.CHANGE_SUBMITTED,
        _S.PART_FILLED,
    }
)
"""The states from which CANCEL cancels; the condition of its write is rendered from this set."""

CHANGEABLE = CANCELLABLE
"""The states in which CHANGE alters an order: it is open, and no cancel is on its way."""

PRICES: Mapping[str, tuple[OrderType, ...]] = MappingProxyType(
    {"limit_price": ("LIMIT", "STOPLIMIT"), "stop_price": ("STOPMARKET", "STOPLIMIT")}
)
"""The order types that have each price."""

MAX_HISTORY = 300
"""How long a history grows before CHANGE adds no more: an item holds 400 KB, and must still take its cancel."""

BEING_CANCELLED = frozenset({_S.CANCEL_PENDING, _S.CANCEL_SUBMITTED})
"""Open, but a cancel is on its way to the venue."""

TERMINAL = frozenset({_S.CANCELLED, _S.FILLED, _S.REJECTED, _S.UNKNOWN, _S.EXPIRED})
"""No way leads out, but from Cancelled for a fill that overtook the cancel."""

FINISHED_OTHERWISE = TERMINAL - {_S.CANCELLED}
"""What a cancel can only refuse."""

OPEN = CANCELLABLE | BEING_CANCELLED
"""The states of an order that is not finished."""

# Every open order can come to an end in these ways, whatever it is doing.
_ENDINGS = BEING_CANCELLED | {_S.CANCELLED, _S.REJECTED, _S.UNKNOWN, _S.EXPIRED}
# To and fro among these while the venue has the order; its state file shows the latest only, so steps may be skipped.
# No way leads back to Initialized or Submitted.
_LIVE = {
    _S.TRIGGER_PENDING,
    _S.ACCEPTED,
    _S.SUSPENDED,
    _S.WORKING,
    _S.CHANGE_PENDING,
    _S.CHANGE_SUBMITTED,
    _S.PART_FILLED,
    _S.FILLED,
}

TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        # Written down here, unknown to the venue. A leg of a bracket waits in this state for its entry.
        _S.INITIALIZED: frozenset({_S.SUBMITTED} | _LIVE | _ENDINGS),
        # Held back until its trigger price is met.
        _S.TRIGGER_PENDING: frozenset({_S.SUBMITTED} | (_LIVE - {_S.TRIGGER_PENDING}) | _ENDINGS),
        # Sent to the venue; a market order can be filled before any other word comes back.
        _S.SUBMITTED: frozenset(_LIVE | _ENDINGS),
        # Known to the venue.
        _S.ACCEPTED: frozenset((_LIVE - {_S.ACCEPTED}) | _ENDINGS),
        _S.SUSPENDED: frozenset((_LIVE - {_S.SUSPENDED}) | _ENDINGS),
        _S.WORKING: frozenset((_LIVE - {_S.WORKING}) | _ENDINGS),
        _S.CHANGE_PENDING: frozenset((_LIVE - {_S.CHANGE_PENDING}) | _ENDINGS),
        _S.CHANGE_SUBMITTED: frozenset((_LIVE - {_S.CHANGE_SUBMITTED}) | _ENDINGS),
        # A further part may fill, so it may follow itself.
        _S.PART_FILLED: frozenset(_LIVE | _ENDINGS),
        # A cancel on its way can be overtaken by a fill, or refused by the exchange: then the order works on.
        _S.CANCEL_PENDING: frozenset((_LIVE | _ENDINGS) - {_S.CANCEL_PENDING}),
        _S.CANCEL_SUBMITTED: frozenset((_LIVE | _ENDINGS) - BEING_CANCELLED),
        # The one exception to "terminal is terminal": the venue reports a fill that overtook the cancel.
        _S.CANCELLED: frozenset({_S.FILLED}),
        _S.FILLED: frozenset(),
        _S.REJECTED: frozenset(),
        _S.UNKNOWN: frozenset(),
        _S.EXPIRED: frozenset(),
    }
)
"""What a venue may report next. CANCEL alone moves an order without a venue: from CANCELLABLE to Cancelled."""


def sources(target: OrderState) -> frozenset[OrderState]:
    """Return the states that `target` may follow."""
    return frozenset(state for state, following in TRANSITIONS.items() if target in following)


_NONE: Mapping[str, str] = MappingProxyType({})


class Event(NamedTuple):
    """One entry of an order's history: the state it took (None: a CHANGE, it kept its own), when, in which request."""

    state: OrderState | None
    at: str
    request_id: str
    key_id: str
    changes: Mapping[str, str] = _NONE
    """The fields that took a value, and which: all of them when the order was placed, then those of each CHANGE."""


class Provenance(NamedTuple):
    """Where a write comes from: whose it is, by which key, in which request, when."""

    trader: str
    key_id: str
    request_id: str
    at: datetime

    def event(self, state: OrderState | None, changes: Mapping[str, str] | None = None) -> Event:
        """Return the history entry of an order that takes `state`, and these values, by this write."""
        return Event(
            state=state, at=timestamp(self.at), request_id=self.request_id, key_id=self.key_id, changes=changes or {}
        )


class Order(NamedTuple):
    """An order as the table holds it; prices are Decimal points, times ISO 8601 text in UTC."""

    order_id: str
    account: str
    instrument: str
    action: Action
    qty: int
    order_type: OrderType
    tif: TimeInForce
    state: OrderState
    since: str
    """When the order took its state."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    offset: Decimal | None = None
    """A template's leg: points from the entry's average fill price, which becomes its price when the entry fills."""
    oco_id: str | None = None
    strategy_id: str | None = None
    order_name: str | None = None
    legs: Mapping[str, str] = _NONE
    """An entry's: the names and ids of the targets and stops that were placed with it."""
    filled: int = 0
    content: str | None = None
    """Fingerprint of the alert that an order came from: a repetition is recognised by it."""
    notes: str | None = None
    replaces: str | None = None
    """The id of the order in whose place a CANCELREPLACE put this one."""
    replaced_by: str | None = None
    cancelled_at: str | None = None
    cancel_request_id: str | None = None
    cancel_key_id: str | None = None
    cancel_filled: int | None = None
    """What was filled when the cancel was written; a fill that overtook it counts in `filled` alone."""
    history: tuple[Event, ...] = ()
    version: int = 1


class StrategyState(StrEnum):
    """Whether a strategy takes further entries."""

    ACTIVE = "Active"
    CLOSED = "Closed"


class Strategy(NamedTuple):
    """A strategy: what a PLACE with strategy_id starts; `names` binds order names to order ids, once."""

    strategy_id: str
    account: str
    instrument: str
    state: StrategyState
    closed_at: str | None = None
    template: str | None = None
    names: Mapping[str, str] = _NONE


class Bracket(NamedTuple):
    """A target and a stop for a part of the entry; both are points from the entry's average fill price."""

    qty: int
    target: Decimal | None = None
    stop: Decimal | None = None


class Template(NamedTuple):
    """A stored set of brackets that `strategy=NAME` attaches to an entry (NinjaTrader: an ATM strategy template)."""

    name: str
    brackets: tuple[Bracket, ...]


class Outcome(NamedTuple):
    """What a command has done; `status` is the word of the answer, and None is left out of it."""

    status: str
    duplicate: bool | None = None
    """True where an earlier alert had done it already and `status` does not say so."""
    order_id: str | None = None
    strategy_id: str | None = None
    order_name: str | None = None
    legs: Mapping[str, str] | None = None
    previous_state: OrderState | None = None
    state: OrderState | None = None
    filled: str | None = None
    cancelled_at: str | None = None
    extra: Mapping[str, object] = _NONE
    """What only this command tells; it stands in the answer beside the rest."""
    results: "AccountResults" = ()
    """What became of each account, where the alert lists several."""
    affected_order_ids: tuple[str, ...] = ()
    """The ids of the orders that were written, where `order_id` and `legs` do not name them; not in the answer."""

    @property
    def is_duplicate(self) -> bool:
        """Whether an earlier alert had done it already."""
        return bool(self.duplicate) or self.status.startswith("already_")

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The ids of all orders that this is about."""
        own = (self.order_id,) if self.order_id else ()
        return (*own, *(self.legs or {}).values(), *self.affected_order_ids)


AccountResults = Sequence[tuple[str, Outcome | OrderhookError]]
"""What became of an alert in each account that it lists."""


def decimal_text(number: Decimal) -> str:
    """Render an exact number without exponent and without trailing zeros: 5000, 0.25."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def timestamp(at: datetime) -> str:
    """Render a time as fixed-width ISO 8601 in UTC: text sorts as time does. Raises ValueError without a zone."""
    if at.tzinfo is None:
        raise ValueError("the time has no zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
