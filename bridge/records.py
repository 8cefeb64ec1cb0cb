"""What the bridge knows of orders and its journal keeps: plain data, to JSON and back.

An order of the table (TableOrder) may have several at the venue (VenueOrder): generations of it, and a leg one for
every part of its entry that was filled.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter

from orderhook.bridge_messages import InstructionReport, OrderReport, Side
from orderhook.conditions import Conditions
from orderhook.instructions import Instruction, Result
from orderhook.orders import TERMINAL, Action, Leg, Order, OrderState, OrderType, TimeInForce, timestamp
from orderhook.trade import leg_id

Stage = Literal["intended", "written", "consumed", "unread", "unwritten", "ambiguous"]
"""How far a file has come.

intended: the journal says that it is about to be written
written: it is in `incoming`
consumed: NinjaTrader has taken it, or there is other proof that it had it
unread: it was moved out of `incoming`, because NinjaTrader had not taken it
unwritten: it could certainly not be created; or, of a leg, it was moved out, and is written again
ambiguous: the bridge ended between the intent and the word that it was written; a PLACE is never written again
"""

MADE_LEGS = {"STOP1": 1, "TARGET1": 2}
"""The legs that CANCELANDBRACKET makes for a position, and their numbers among the orders that are made for it."""

PRICE_DIGITS = Decimal("0.00000001")
"""How exactly a price is kept that comes of a division."""


class InstructionFile(NamedTuple):
    """One instruction file, and since when it is where it is."""

    name: str
    stage: Stage
    at: datetime

    @property
    def is_under_way(self) -> bool:
        """Whether NinjaTrader may be about to take it."""
        return self.stage in ("intended", "written")


class Fill(NamedTuple):
    """What was filled of an order of the venue between two readings of its state."""

    cumulative: int
    quantity: int
    price: Decimal | None
    at: datetime


class Change(NamedTuple):
    """A CHANGE that was asked for, and is not confirmed."""

    instruction: InstructionFile
    n: int
    """The want that it carries out."""
    qty: int
    limit_price: Decimal | None
    stop_price: Decimal | None
    is_pending: bool = False
    """Whether NinjaTrader was seen to be at it."""
    seen_at: datetime | None = None
    """When the order's state was first read since its file was taken, live and no longer being changed."""
    is_overdue: bool = False


class Refused(NamedTuple):
    """A CHANGE that NinjaTrader has refused, and how often."""

    n: int
    qty: int
    limit_price: Decimal | None
    stop_price: Decimal | None
    times: int
    at: datetime


class Done(NamedTuple):
    """A CHANGE that counts as done, and the values before it, which stand if the log refuses it after all."""

    change: Change
    qty: int
    limit_price: Decimal | None
    stop_price: Decimal | None
    refused: Refused | None = None


class Cancel(NamedTuple):
    """That an order of the venue is to be cancelled."""

    why: str
    n: int
    """The want that asks for it; 0 where none does."""
    since: datetime
    instruction: InstructionFile | None = None
    is_early: bool = False
    """Whether it was written before the order had any state: NinjaTrader may have lost it."""
    first_at: datetime | None = None
    """When it was first written to an order that was seen alive."""
    writes: int = 0
    is_refused: bool = False


class VenueOrder(NamedTuple):
    """An order at the venue: what was sent, and what its files say."""

    venue_id: str
    order_id: str
    """The order of the table that it belongs to."""
    account: str
    instrument: str
    action: Action
    order_type: OrderType
    tif: TimeInForce
    qty: int
    """The quantity and the prices are those that NinjaTrader has confirmed."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    oco_id: str | None = None
    atm_template: str | None = None
    """The template of NinjaTrader's own that it is placed with: NinjaTrader places its legs."""
    atm_strategy_id: str | None = None
    """What the strategy is called there that it starts: never the trader's id, which comes back every day."""
    generation: int = 1
    start: int = 0
    """How much of the entry was filled before the part that it closes; only of legs."""
    closes: bool = False
    """Whether it is a MARKET order that closes a part whose stop cannot work."""
    place: InstructionFile | None = None
    """None where an earlier journal would have placed it."""
    state: OrderState | None = None
    """None before its first state file."""
    since: datetime | None = None
    filled: int = 0
    average: Decimal | None = None
    fills: tuple[Fill, ...] = ()
    change: Change | None = None
    changed_for: int = 0
    """The last want that a CHANGE was written for."""
    refused: Refused | None = None
    done: Done | None = None
    """The last CHANGE that was done."""
    in_doubt: bool = False
    """Whether a CHANGE was dropped that may have been done: its values are written again, though they seem right."""
    cancel: Cancel | None = None
    files: int = 0
    """How many files were written for it after its PLACE."""
    held_until: datetime | None = None
    """No file is written for it before: the last could not be."""
    log: str | None = None
    """What NinjaTrader's log says of it."""
    unseen_since: datetime | None = None
    """The start of NinjaTrader's with which its state file has gone; None where it was written since."""
    is_lost: bool = False
    """Whether that file did not come back in time."""
    is_presumed_over: bool = False
    """Whether it has ended as far as is known, and NinjaTrader has not said so: a later file of it counts."""

    @property
    def changed(self) -> "VenueOrder":
        """The order with the values of its CHANGE, which was done."""
        if (it := self.change) is None:
            return self
        done = Done(it, self.qty, self.limit_price, self.stop_price, self.refused)
        return self._replace(
            change=None,
            refused=None,
            done=done,
            in_doubt=False,
            qty=it.qty,
            limit_price=it.limit_price,
            stop_price=it.stop_price,
        )

    @property
    def unchanged(self) -> "VenueOrder":
        """The order as it was before its last CHANGE, which is under way again unless another one is."""
        if (done := self.done) is None:
            return self
        return self._replace(
            change=self.change or done.change,
            refused=self.refused or done.refused,
            done=None,
            qty=done.qty,
            limit_price=done.limit_price,
            stop_price=done.stop_price,
        )

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in TERMINAL

    @property
    def is_unwritten(self) -> bool:
        """Whether NinjaTrader has certainly never had it."""
        return self.state is None and self.place is not None and self.place.stage == "unwritten"

    @property
    def is_live(self) -> bool:
        """Whether NinjaTrader has it, as far as its last state says."""
        return self.state is not None and not self.is_over

    @property
    def may_work(self) -> bool:
        """Whether NinjaTrader may have it: its file was, or is being, written, and no end of it was read."""
        return not (self.is_over or self.is_unwritten)

    @property
    def awaits_cancel(self) -> bool:
        """Whether it is to be cancelled, and NinjaTrader has not refused that."""
        return self.cancel is not None and not self.cancel.is_refused

    @property
    def has_known_values(self) -> bool:
        """Whether its values are what NinjaTrader has: no CHANGE is under way, and none is in doubt."""
        return self.change is None and not self.in_doubt

    def is_held(self, at: datetime) -> bool:
        """Return whether no file is written for it yet, because the last one could not be."""
        return self.held_until is not None and at < self.held_until


def filled(orders: Iterable[VenueOrder]) -> int:
    """Return what is filled of orders of the venue in all."""
    return sum(order.filled for order in orders)


class Terms(NamedTuple):
    """What a leg is to be: its kind and its prices, or how far they lie from its entry's fill (Leg.offset)."""

    order_type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    offset: Decimal | None = None
    limit_offset: Decimal | None = None
    in_percent: bool = False

    @classmethod
    def of(cls, asked: Order | Leg) -> "Terms":
        """Return what an item asks of a leg."""
        return cls(**{name: getattr(asked, name) for name in cls._fields})


class Increment(NamedTuple):
    """A part of an entry that was filled at once: its legs are placed for it."""

    start: int
    quantity: int
    price: Decimal | None
    at: datetime
    closed: Mapping[str, int] = {}
    """How much of it other orders close than its legs, by the numbers of its brackets."""


First = Literal["close", "close and drop", "resync"]
"""What is done before an order whose conditions hold, or in its place.

close: what is open is closed, and own orders are cancelled, and then it is placed
close and drop: the same, and it is not placed
resync: one order of the bridge's own is placed, that brings the position to where the strategy thinks it is
"""


class TableOrder(NamedTuple):
    """An order as the table wants it, and what was answered."""

    order_id: str
    placed_by: str
    account: str
    instrument: str
    action: Action
    order_type: OrderType
    tif: TimeInForce
    qty: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    oco_id: str | None = None
    atm_template: str | None = None
    strategy_id: str | None = None
    made_by: str | None = None
    """The instruction, or the order, for which the bridge has made it itself; None where an alert asks for it."""
    opens: bool = True
    """Whether it may open a position; one that was made to close is placed whatever the controls say."""
    is_listed: bool = False
    """Whether the table was seen to have it: it hears of a made one by its reports."""
    table_state: OrderState = OrderState.INITIALIZED
    """Its state in the table when it was first seen."""
    received_at: datetime | None = None
    """When its PLACE was received, or released after its delay."""
    n: int = 0
    kind: Literal["place", "change", "replace", "cancel"] = "place"
    wanted_at: datetime | None = None
    not_after: datetime | None = None
    legs: tuple[str, ...] = ()
    """The names of an entry's legs."""
    entry_id: str | None = None
    leg: str | None = None
    """The name of a leg: STOP1."""
    offset: Decimal | None = None
    limit_offset: Decimal | None = None
    in_percent: bool = False
    asked: Terms | None = None
    """What is asked of a leg and is not done yet: it may wait for what is asked of its entry."""
    of: int = 0
    """The want of its entry that this came with; 0 where it stands alone."""
    start: int = 0
    size: int | None = None
    is_position: bool = False
    """Whether it is no order, but stands for a position that was given a stop or a target: it is never at the venue."""
    is_foreign: bool = False
    """Whether it is older than the journal: another one may have placed it."""
    is_released: bool = False
    """Whether it is a leg with an item of its own; of foreign ones alone."""
    conditions: Conditions | None = None
    """What must hold of the position before it is placed, or replaced."""
    conditions_of: int = 0
    """The want that they came with; 0 where they are its PLACE's."""
    heeded_since: datetime | None = None
    """Since when its conditions are asked, or what comes first is done."""
    first: First | None = None
    """What comes first: its conditions held then, and are not asked again."""
    first_close: str | None = None
    """The name of the close that comes first."""
    month_closes: tuple[str, ...] = ()
    """The names of the closes of other months of its root, which come first too."""
    acked: int = 0
    given_up: int = 0
    """The last want that was dropped."""
    why: str | None = None
    ended: OrderState | None = None
    """Its end, where the bridge has ended it without the venue."""
    increments: tuple[Increment, ...] = ()
    over: int = 0
    """How many of the increments need legs no more, because the position is gone."""
    closing: str | None = None
    """The close that ends it, with its trade: nothing of it is placed any more."""
    venue_ids: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    """The codes of those that its report of the same step tells."""
    rung: tuple[str, ...] = ()
    """The troubles that have rung: each rings once."""
    fills_told: Mapping[str, int] = {}
    """What of its fills the table has recorded: by the venue's ids, how much in all."""
    report: OrderReport | None = None
    """The last one that was sent."""
    reported_at: datetime | None = None
    behind_since: datetime | None = None
    """Since when the table shows an older report than the last one."""
    is_closed: bool = False
    """Whether the table has finished it, too."""

    @property
    def wants_cancel(self) -> bool:
        """Whether it is to be cancelled, and that was not given up."""
        return self.kind == "cancel" and self.n > self.given_up

    def id_of_leg(self, name: str) -> str:
        """Return the id of a leg of this entry; a position's are orders that the bridge has made."""
        return f"{self.order_id}.{MADE_LEGS[name]}" if self.is_position else leg_id(self.order_id, name)

    def share(self, qty: int) -> int:
        """Return how much of a quantity of the entry this leg closes."""
        rest = max(0, qty - self.start)
        return rest if self.size is None else min(rest, self.size)


class Bracket(NamedTuple):
    """How far a CANCELANDBRACKET has come."""

    instrument: str
    """The contract that it is for: of a continuous one the month that is held."""
    began: datetime
    open: int
    """How much was open when it began, on the side that it is for."""
    terms: Mapping[str, Terms] = {}
    """What the position is given, by the kinds of the legs."""
    clears_since: datetime | None = None
    """Since when own orders have to end before others take their place."""
    is_provisional: bool = False
    """Whether a file of the position is still to come, by which the size of its legs is corrected."""
    leg_ids: tuple[str, ...] = ()
    """The legs that were changed, or made, and are to be seen working."""
    without_target: bool = False
    """Whether a target was asked for that would close the position at once; one that works stays as it is."""
    said: tuple[str, ...] = ()
    """What its result says besides."""


class Share(NamedTuple):
    """What the legs of a part of an entry leave to another order to close."""

    order_id: str
    start: int
    number: str
    """Of its bracket."""
    qty: int


class TableInstruction(NamedTuple):
    """An instruction of the table, and what has come of it."""

    asked: Instruction
    received_at: datetime
    not_after: datetime | None = None
    heeded_since: datetime | None = None
    """Since when its conditions are asked, while it waits for them."""
    begun_at: datetime | None = None
    """When its turn came; None while it waits for that."""
    closes: tuple[str, ...] = ()
    """The names of the closes that carry it out, one for each pair."""
    bracket: Bracket | None = None
    order_ids: tuple[str, ...] = ()
    """The orders that were made to carry it out."""
    shares: tuple[Share, ...] = ()
    """What of trades those close in place of their legs."""
    prepared_at: datetime | None = None
    """Since when own legs shrink for that."""
    decided_at: datetime | None = None
    """When it was decided that a strategy can be closed; none of its orders is touched before."""
    living: tuple[str, ...] = ()
    """The entries of the strategy whose legs worked then."""
    files: tuple[InstructionFile, ...] = ()
    """Those that were written for it itself, the last for each of NinjaTrader's ATM strategies."""
    side: Side = "UNKNOWN"
    """The position that it acts on, as it was when that began."""
    held: int = 0
    """How much of it was open then."""
    result: Result | None = None
    reason: str | None = None
    alarms: tuple[str, ...] = ()
    """The codes of those that its next report tells."""
    report: InstructionReport | None = None
    """The last one that was sent."""
    reported_at: datetime | None = None
    is_closed: bool = False
    """Whether the table has its result, too."""

    @property
    def instruction_id(self) -> str:
        """Its id, which is that of the alert in its account."""
        return self.asked.instruction_id


class Close(NamedTuple):
    """The closing of one pair's whole position: own orders are cancelled, then NinjaTrader closes what there is."""

    name: str
    """What it is for, and the pair."""
    owner: str
    """The instruction, or the order, that it is for."""
    account: str
    instrument: str
    until: datetime
    """Orders that were received later are not touched."""
    keeps_entries: bool = False
    """Whether pending entries stay (FLATPLACE): an opposite MARKET order closes, for NinjaTrader's command ends all."""
    even_flat: bool = False
    """Whether own orders end where there is no position, too."""
    only_orders: bool = False
    """Whether own orders end, and the position stays (CANCELORDERS)."""
    began: datetime | None = None
    """When its turn came; None while it waits for that."""
    side: Side = "UNKNOWN"
    """The position that it closes, as it was last seen before the closing began."""
    file: InstructionFile | None = None
    """The last CLOSEPOSITION that was written."""
    writes: int = 0
    first_at: datetime | None = None
    """When its closing order went out: the first CLOSEPOSITION, or the order that was made."""
    last_at: datetime | None = None
    """When the last one was written: what is read later may have come of it."""
    held_until: datetime | None = None
    """No file is written before: the last could not be."""
    made: str | None = None
    """The order that was made to close it, where NinjaTrader's own command would take too much with it."""
    is_unclean: bool = False
    """Whether own orders had not ended when it was written."""
    had_orders: bool = False
    """Whether own orders were at the venue when it began."""
    is_unheard: bool = False
    """Whether nothing was known of the position before it nor after, and nothing of ours says that there is one."""
    is_flipped: bool = False
    """Whether the opposite position was seen after it."""
    is_late: bool = False
    """Whether a person was told that it cannot be written."""
    result: Result | None = None
    reason: str | None = None
    ended_at: datetime | None = None

    @property
    def pair(self) -> str:
        """The name of its account and instrument (`positions.pair`)."""
        return self.name.removeprefix(f"{self.owner}/")


class Block(NamedTuple):
    """That nothing opens in an account and instrument until a person says so (`orderhook bridge resume`)."""

    name: str
    """The pair."""
    account: str
    instrument: str
    why: str
    since: datetime


class Group(NamedTuple):
    """A trader's OCO group: its id at the venue, and who is in it."""

    name: str
    oco_id: str
    number: int
    members: tuple[str, ...] = ()


class Memory(NamedTuple):
    """What the journal keeps besides orders."""

    began: datetime
    """Since when this journal alone places orders, by AWS's clock: an older order may be another journal's."""
    owned_since: str | None = None
    """The time, as the table tells it, from which its bridge has owned the stack."""
    flat_at: Mapping[str, datetime] = {}
    """When pairs were last seen flat, by their names."""


Record = TableOrder | TableInstruction | Close | Block | VenueOrder | Group | Memory

_KINDS: Mapping[str, Any] = {
    "order": TableOrder,
    "instruction": TableInstruction,
    "close": Close,
    "block": Block,
    "venue": VenueOrder,
    "group": Group,
    "memory": Memory,
}


def record_id(record: Record) -> str:
    """Return the id under which the journal keeps a record."""
    match record:
        case TableOrder():
            return f"order/{record.order_id}"
        case TableInstruction():
            return f"instruction/{record.instruction_id}"
        case Close():
            return f"close/{record.name}"
        case Block():
            return f"block/{record.name}"
        case VenueOrder():
            return f"venue/{record.venue_id}"
        case Group():
            return f"group/{record.name}"
        case Memory():
            return "memory/"


def dump(value: object) -> object:
    """Return a record as JSON can hold it, without the fields that have their defaults."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        defaults = value._field_defaults  # type: ignore[attr-defined]
        fields = {name: getattr(value, name) for name in value._fields}
        return {name: dump(it) for name, it in fields.items() if name not in defaults or it != defaults[name]}
    if isinstance(value, Mapping):
        return {str(name): dump(it) for name, it in value.items()}
    if isinstance(value, (tuple, list)):
        return [dump(it) for it in value]
    if isinstance(value, datetime):
        return timestamp(value)
    return str(value) if isinstance(value, (Decimal, Enum)) else value


def load(name: str, value: object) -> Record:
    """Return the record that the journal keeps under this id; raises ValueError for what is not one."""
    kind = name.split("/", 1)[0]
    if kind not in _KINDS:
        raise ValueError(f"{name} is no record of this version")
    record: Record = _reader(kind).validate_python(value)
    return record


@cache
def _reader(kind: str) -> "TypeAdapter[Any]":
    return TypeAdapter(_KINDS[kind])
