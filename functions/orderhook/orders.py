"""Orders, strategies, and which state may follow which: plain data and pure functions.

The states and their names are NinjaTrader 8's (OrderState).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from orderhook.conditions import Conditions

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
        _S.UNKNOWN,
    }
)
"""The states from which CANCEL cancels; the condition of its write is rendered from this set."""

CHANGEABLE = CANCELLABLE
"""The states in which CHANGE alters an order: it is open, and no cancel is on its way."""

PRICES: Mapping[str, tuple[OrderType, ...]] = MappingProxyType(
    {"limit_price": ("LIMIT", "STOPLIMIT"), "stop_price": ("STOPMARKET", "STOPLIMIT")}
)
"""The order types that have each price."""

MAX_HISTORY = 200
"""How many entries a history has at most; what is trimmed leaves the first one and the latest KEPT_HISTORY."""

KEPT_HISTORY = 100

CANCELS_OF_A_TRADE = 41
"""How many cancels an entry and its legs may still get, which are written without a look: there is room for them."""

BEING_CANCELLED = frozenset({_S.CANCEL_PENDING, _S.CANCEL_SUBMITTED})
"""Open, but a cancel is on its way to the venue."""

TERMINAL = frozenset({_S.CANCELLED, _S.FILLED, _S.REJECTED, _S.EXPIRED})
"""The states of a finished order: it keeps its end, whatever is reported afterwards."""

FINISHED_OTHERWISE = TERMINAL - {_S.CANCELLED}
"""What a cancel can only refuse."""

OPEN = CANCELLABLE | BEING_CANCELLED
"""The states of an order that is not finished."""

# Every open order can come to an end in these ways, whatever it is doing.
_ENDINGS = BEING_CANCELLED | {_S.CANCELLED, _S.REJECTED, _S.EXPIRED}
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
    _S.UNKNOWN,
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
        # NinjaTrader's word for a lost connection: nobody knows, so anything may follow.
        _S.UNKNOWN: frozenset({_S.SUBMITTED} | (_LIVE - {_S.UNKNOWN}) | _ENDINGS),
        # Fills that are reported after the end are recorded beside it.
        _S.CANCELLED: frozenset(),
        _S.FILLED: frozenset(),
        _S.REJECTED: frozenset(),
        _S.EXPIRED: frozenset(),
    }
)
"""What a venue may report next. CANCEL alone moves an order without a venue: from CANCELLABLE to Cancelled."""


_NONE: Mapping[str, str] = MappingProxyType({})

_UNKNOWN: Mapping[str, Any] = MappingProxyType({})
"""What a newer version wrote into a part of an item, and this one does not know: it is written back as it was read."""


class Event(NamedTuple):
    """One entry of an order's history: the state it took (None: it kept its own), when, in which request."""

    state: OrderState | None
    at: str
    request_id: str
    key_id: str
    changes: Mapping[str, str] = _NONE
    """The fields that took a value, and which: all of them when the order was placed, then those of each change."""
    leg: str | None = None
    """The waiting leg that it is about, by its name; None is the order itself."""
    digest: str | None = None
    """That of the alert: the same one again may be a resend."""
    received_at: str | None = None
    unknown: Mapping[str, Any] = _UNKNOWN

    @property
    def trace(self) -> "Trace | None":
        """What its alert left; None where no alert is known."""
        return Trace(self.digest, self.request_id, self.received_at) if self.digest and self.received_at else None


RESENDS_END = timedelta(seconds=30)
"""How long after the first receipt of an alert a resend of it may come."""


class Trace(NamedTuple):
    """What an alert left in what it wrote: by it the same alert again is known."""

    digest: str
    request_id: str
    received_at: str
    order_id: str | None = None
    """The order that the alert reached, where a strategy has the trace of a name."""
    unknown: Mapping[str, Any] = _UNKNOWN


class Want(NamedTuple):
    """What was asked last of an order that a venue has; the values that were asked for are the order's own.

    The bridge makes it so, and a report that has acknowledged `n` ends it. Only commands raise `n`.
    """

    n: int
    kind: Literal["place", "change", "replace", "cancel"]
    at: str
    """When the alert was first received that asks it."""
    not_after: str | None = None
    """Until when it may be carried out; None for what reduces risk."""
    of: int | None = None
    """The want of its entry that it came with, of a leg: it is done with that, or not at all."""
    cancels_at: str | None = None
    """The time limit that stands until it is done, where it gives another one; empty where there is none."""
    unknown: Mapping[str, Any] = _UNKNOWN


class LegEnd(NamedTuple):
    """The end of a leg that was ended by itself while it waited in its entry's item."""

    state: OrderState
    at: str
    request_id: str
    key_id: str
    unknown: Mapping[str, Any] = _UNKNOWN


class Leg(NamedTuple):
    """A target or a stop as it lies in its entry's item: it waits there, or was released into an item of its own."""

    order_type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    offset: Decimal | None = None
    """How far it lies from the entry's average fill price, on its own side of that, always above 0: in points, or with
    `in_percent` in percent of that price. It becomes the price when the entry fills: the limit price of a target, the
    stop price of a stop."""
    limit_offset: Decimal | None = None
    """Likewise, of a stop whose stop price has an `offset` and which is a STOPLIMIT: how far its limit price lies."""
    in_percent: bool = False
    """Whether `offset` and `limit_offset` are percent of the entry's average fill price, and not points."""
    start: int = 0
    """The quantity of the entry that the brackets before this leg's take."""
    size: int | None = None
    """The quantity that its bracket takes at most; None is all of the entry's."""
    oco_id: str | None = None
    generation: int = 1
    released: bool = False
    end: LegEnd | None = None
    received_at: str | None = None
    """When the alert was received that added it to its entry, where that was a later one than the entry's."""
    want: Want | None = None
    """What was asked last of a leg that waits, where its entry has a venue: from its placing on."""
    acked: int = 0
    """The last want that its venue has answered while it waited."""
    unknown: Mapping[str, Any] = _UNKNOWN

    def share(self, qty: int) -> int:
        """Return what of a quantity of the entry is this leg's."""
        rest = max(0, qty - self.start)
        return rest if self.size is None else min(rest, self.size)


SAME_BAR = timedelta(seconds=3)
"""How shortly before a command over many orders a PLACE with `delay` was received that is of the same bar."""

RELEASED_WITHIN = timedelta(minutes=5)
"""How long after its delay an order may still be released; SQS's own repetitions are over before."""

_NOT_RELEASED = f"it was not placed within {RELEASED_WITHIN // timedelta(minutes=1)} minutes of its delay"


def end_of_wait(due: str) -> str:
    """Return when an order that waits for its delay is given up, if nothing has released it."""
    return timestamp(datetime.fromisoformat(due) + RELEASED_WITHIN)


class Order(NamedTuple):
    """An order as the table holds it; prices are exact decimals, times ISO 8601 text in UTC."""

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
    """Of a leg that waits for its price: Leg says what these three are."""
    limit_offset: Decimal | None = None
    in_percent: bool = False
    oco_id: str | None = None
    strategy_id: str | None = None
    order_name: str | None = None
    number: int | None = None
    """Its number in the strategy: 1 is ENTRY1, with the legs TARGET1 and STOP1."""
    legs: Mapping[str, Leg] = MappingProxyType({})
    """An entry's legs, by their names."""
    wanted: Mapping[str, Leg] = MappingProxyType({})
    """The legs of an entry that waits for its delay, which has no names yet: by the names that number 1 would give."""
    template: str | None = None
    """The template that gives an entry its legs."""
    atm_template: str | None = None
    """The same where it is one of NinjaTrader's own, as that spells it: the legs are there alone."""
    entry_id: str | None = None
    """A released leg's entry."""
    closes: int | None = None
    """What is filled for a released leg: its quantity may be lowered, never raised above this."""
    filled: int = 0
    average: Decimal | None = None
    """The average price of what is filled."""
    filled_after_end: int | None = None
    """What was filled in all, where a report came after the end."""
    generation: int = 1
    """How often the order was replaced, and one more."""
    placed: Mapping[str, str] = _NONE
    """The fields of the order and its legs that it was placed with: the same PLACE again is recognised by them."""
    received_at: str | None = None
    delay: int | None = None
    """The seconds for which its PLACE was to wait."""
    due: str | None = None
    """When its release is due; only an order that still waits for it has this."""
    released_at: str | None = None
    day_ends: str | None = None
    """When a DAY order ends, where no venue reports it."""
    cancels_at: str | None = None
    """When it is cancelled if it is still open (cancel_after)."""
    nearest_stop: Decimal | None = None
    """The price of its stops that is nearest to the entry: the entry's prices must stay beyond it."""
    nearest_target: Decimal | None = None
    notes: str | None = None
    cancelled_at: str | None = None
    cancel_request_id: str | None = None
    cancel_key_id: str | None = None
    cancel_filled: int | None = None
    """What was filled when the cancel was written; a fill that overtook it counts in `filled` alone."""
    reason: str | None = None
    """Why it ended, where no cancel says it."""
    report_seq: int | None = None
    """The sequence number of the last report."""
    venue: str | None = None
    """The venue that has it, from its placing on; None where the table is the authority."""
    want: Want | None = None
    """What was asked last of its venue."""
    made_by: str | None = None
    """The instruction, or the order, for which the bridge has made it; None where an alert has placed it."""
    conditions: Conditions | None = None
    """What the bridge asks of the position before it does what is wanted; None is nothing.

    They are those of the PLACE until its venue has answered that (`acked`); afterwards those of the last CANCELREPLACE,
    and none once a CHANGE has followed. What is done to the position before an order, is done for its placing alone."""
    acked: int = 0
    """The last want that its venue has answered."""
    dropped: int = 0
    """The last want that its venue has not done, and will not do."""
    confirmed: Mapping[str, str] = _NONE
    """What its venue has confirmed, as texts: kind, quantity and prices; the order's own are those asked for."""
    unresolved: str | None = None
    """Why its bridge cannot know what has become of it; `orderhook resolve` ends it."""
    history: tuple[Event, ...] = ()
    history_dropped: int = 0
    digests: tuple[str, ...] = ()
    """Those of the alerts that changed it; when and by which request stands in the history."""
    version: int = 1

    def at(self, now: str) -> "Order":
        """Return the order as it is at a time: a DAY order whose day is over is Expired.

        One that waits for its delay and was not released in time is Cancelled.
        """
        given_up = end_of_wait(self.due) if self.due is not None else None
        if self.state in OPEN and given_up is not None and given_up <= now:
            return self._replace(
                state=OrderState.CANCELLED, since=given_up, cancelled_at=given_up, reason=_NOT_RELEASED, due=None
            )
        if self.state in OPEN and self.day_ends is not None and self.day_ends <= now:
            return self._replace(state=OrderState.EXPIRED, since=self.day_ends)
        return self

    def void(self, reason: str | None) -> "Order":
        """Return the order as it is where something has voided its wait for its delay; its release writes that down."""
        if reason is None or self.due is None or not self.is_open:
            return self
        return self._replace(state=OrderState.CANCELLED, reason=reason, due=None)

    @property
    def is_open(self) -> bool:
        """Whether it is not finished; ask `at` first."""
        return self.state in OPEN

    @property
    def present_qty(self) -> int:
        """The quantity; of a target or stop what its venue has, where that is less, as after a close in part."""
        at_venue = int(self.confirmed.get("qty", 0))
        if self.entry_id is None or not at_venue:
            return self.qty
        return min(self.qty, max(self.filled, at_venue))

    @property
    def placed_by(self) -> str:
        """The request of its placing, which a venue's reports name: an order that takes the id later has another."""
        return self.history[0].request_id if self.history else ""

    def event_of(self, request_id: str) -> Event | None:
        """Return what a request wrote into the history."""
        return next((event for event in self.history if event.request_id == request_id), None)

    @property
    def traces(self) -> list[Trace]:
        """What alerts left in its history, oldest first."""
        return [trace for event in self.history if (trace := event.trace)]


class FormerBinding(NamedTuple):
    """An entry that had a number of a strategy, and until when."""

    order_id: str
    until: str
    unknown: Mapping[str, Any] = _UNKNOWN


class Binding(NamedTuple):
    """What a number of a strategy leads to: an entry, since when, and the entries before it."""

    order_id: str
    at: str
    before: "tuple[FormerBinding, ...]" = ()
    """The entries that had the number before, the last one first: a resend may still mean one of them."""
    legs_only: bool | None = None
    """True where the entry has this number for its legs alone: it is that of a further bracket of its template."""
    atm: bool | None = None
    """True where the entry's template is NinjaTrader's own."""
    unknown: Mapping[str, Any] = _UNKNOWN


class Strategy(NamedTuple):
    """A strategy: what a PLACE with strategy_id starts. ENTRY1, TARGET1 and STOP1 have the number 1."""

    strategy_id: str
    account: str
    instrument: str
    template: str | None = None
    numbers: Mapping[int, Binding] = MappingProxyType({})
    freed: Mapping[int, Binding] = MappingProxyType({})
    """What the latest numbers that are free led to, until they are bound anew."""
    closed_at: str | None = None
    """When the last CLOSESTRATEGY was received: no PLACE received before it may join."""
    traces: "tuple[Trace, ...]" = ()
    """Those of its last CLOSESTRATEGY alerts, oldest first."""
    named: "tuple[Trace, ...]" = ()
    """Those of alerts which a name led to an order that it is not bound to: the same alert again means that order."""
    version: int = 1

    @property
    def has_atm(self) -> bool:
        """Whether an entry that has a number has a template of NinjaTrader's own, whose legs are not known here."""
        return any(binding.atm for binding in self.numbers.values())


class Bracket(NamedTuple):
    """A target and a stop for a part of the entry; both are points from the entry's average fill price."""

    qty: int
    target: Decimal | None = None
    stop: Decimal | None = None


class Template(NamedTuple):
    """A stored set of brackets that `strategy=NAME` attaches to an entry, or the name of one of NinjaTrader's own."""

    name: str
    brackets: tuple[Bracket, ...] = ()
    ninjatrader: bool = False
    """Whether it is an ATM strategy template of NinjaTrader's, which knows what is in it."""


def folded(text: str) -> str:
    """Return the form in which accounts, instruments and templates are compared: lower case, runs of blanks as one."""
    return re.sub(" +", " ", text.lower())


def decimal_text(number: Decimal) -> str:
    """Render an exact number without exponent and without trailing zeros: 5000, 0.25."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def timestamp(at: datetime) -> str:
    """Render a time as fixed-width ISO 8601 in UTC: text sorts as time does. Raises ValueError without a zone."""
    if at.tzinfo is None:
        raise ValueError("the time has no zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
