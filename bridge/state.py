"""The engine's state, and the working copy of it that a step changes.

What a step has changed of the records is saved before anything that it asks for is done: `Turn.done` sees to that
alone, so that no rule of the engine has to.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from bridge.events import Alarm, Effect, Look, OrderStateRead, Save, WriteFile
from bridge.records import (
    Block,
    Close,
    Group,
    InstructionFile,
    Memory,
    Record,
    TableInstruction,
    TableOrder,
    VenueOrder,
    dump,
    load,
    record_id,
)
from orderhook.bridge_messages import Heartbeat, Side
from orderhook.orders import folded

_EMPTY: Mapping[str, Any] = MappingProxyType({})

_MOST_RUNG = 50
"""How many troubles of an order are remembered; one that is older and still stands rings again."""

LOOK_IS_FRESH = timedelta(seconds=3)
"""How long after a look what opens may be written."""


def _no_tick(_: str) -> Decimal | None:
    return None


class Config(NamedTuple):
    """What the operator has said."""

    journal: str
    """The journal's id: it is the bridge's name."""
    host: str
    accounts: Sequence[str]
    """As NinjaTrader spells them."""
    live: bool = False
    """Whether accounts that do not begin with Sim or DEMO may be traded."""
    stop_rejected: Literal["close", "alarm"] = "close"
    take_over: bool = False
    instruments: Sequence[str] = ()
    """Those of which positions are asked for though no order of ours was ever in them."""
    tick_of: Callable[[str], Decimal | None] = _no_tick
    """The tick of an instrument; None where it is unknown."""
    max_resync: int = 10
    """How many contracts one order may have that brings a position to where a strategy thinks it is."""

    def account(self, name: str) -> str | None:
        """Return an account's name as it is configured; None where it is not."""
        return next((account for account in self.accounts if folded(account) == folded(name)), None)


class Position(NamedTuple):
    """A position by NinjaTrader's file, or UNKNOWN."""

    account: str
    instrument: str
    side: Side
    quantity: int
    average: Decimal | None
    since: datetime
    """When this side was read first."""
    open_at: datetime | None = None
    """When it was last read, and was not FLAT."""
    read_at: datetime | None = None
    """When its file was last read; None where a person has said it, or nobody."""


class State(NamedTuple):
    """Everything that the engine knows; make it by `restored`."""

    config: Config
    orders: Mapping[str, TableOrder] = _EMPTY
    venue_orders: Mapping[str, VenueOrder] = _EMPTY
    groups: Mapping[str, Group] = _EMPTY
    instructions: Mapping[str, TableInstruction] = _EMPTY
    closes: Mapping[str, Close] = _EMPTY
    blocks: Mapping[str, Block] = _EMPTY
    """What a person has to look at before anything opens there, by the names of pairs."""
    memory: Memory | None = None
    active: tuple[str, ...] = ()
    """The ids of the orders that the table has not finished: a step walks through no others."""
    # What follows is not in the journal: nobody knows it after a start.
    has_read: bool = True
    """Whether NinjaTrader's files were read since the start: nothing is judged by what was known before."""
    owner: str | None = None
    kill_switch: bool = False
    looked_at: datetime | None = None
    look_asked_at: datetime | None = None
    unreadable: tuple[str, ...] = ()
    """Which orders the last look could not read."""
    fetching: Mapping[str, datetime] = _EMPTY
    """When orders were last asked for by their ids."""
    moving: Mapping[str, datetime] = _EMPTY
    """When files were last to be moved out of `incoming`."""
    runs: bool | None = None
    reads: bool = False
    """Whether NinjaTrader takes files: it has taken one since it was last in doubt."""
    probe: InstructionFile | None = None
    unclaimed: Mapping[str, OrderStateRead] = _EMPTY
    """What state files say whose orders are not known, or not yet, by the venue's ids."""
    connected: bool = False
    connected_at: datetime | None = None
    """Since when it is."""
    positions: Mapping[str, Position] = _EMPTY
    flat_since: Mapping[str, datetime] = _EMPTY
    """Since when a person says that accounts are flat, by their names; NinjaTrader's next start ends it."""
    too_many: Mapping[str, datetime] = _EMPTY
    """Since when the legs of a trade would close more than is open, by its entry's id."""
    alarms: tuple[str, ...] = ()
    """What the next heartbeat tells."""
    heartbeat: Heartbeat | None = None
    heartbeat_at: datetime | None = None

    @classmethod
    def restored(cls, config: Config, records: Mapping[str, object], at: datetime) -> "State":
        """Return the state that a journal's records tell, after a start or a crash."""
        state = cls(config)
        orders: dict[str, TableOrder] = {}
        venue_orders: dict[str, VenueOrder] = {}
        groups: dict[str, Group] = {}
        instructions: dict[str, TableInstruction] = {}
        closes: dict[str, Close] = {}
        blocks: dict[str, Block] = {}
        for name, value in records.items():
            record = load(name, value)
            match record:
                case TableOrder():
                    orders[record.order_id] = record
                case VenueOrder():
                    venue_orders[record.venue_id] = _after_crash(record, at)
                case Group():
                    groups[record.name] = record
                case TableInstruction():
                    # What may not have been written is written again: it closes what is open, or nothing.
                    files = tuple(it for it in record.files if it.stage != "intended")
                    instructions[record.instruction_id] = record._replace(files=files)
                case Close():
                    closes[record.name] = _close_after_crash(record, at)
                case Block():
                    blocks[record.name] = record
                case Memory():
                    state = state._replace(memory=record)
        active = tuple(name for name, order in orders.items() if not order.is_closed)
        return state._replace(
            orders=orders,
            venue_orders=venue_orders,
            groups=groups,
            instructions=instructions,
            closes=closes,
            blocks=blocks,
            active=active,
        )

    @property
    def is_busy(self) -> bool:
        """Whether something is at the venue that the table has not finished; what only may be there does not count."""
        known = (self.venue_orders[venue_id] for name in self.active for venue_id in self.orders[name].venue_ids)
        works = any(not it.is_over and (it.place or it.state) for it in known)
        orders = map(self.orders.__getitem__, self.active)
        waits = any(it.heeded_since and not (it.ended or it.venue_ids) for it in orders) or any(
            (it.heeded_since or it.begun_at) and not it.result for it in self.instructions.values()
        )
        return works or waits or any(it.result is None for it in self.closes.values())


def _after_crash(order: VenueOrder, at: datetime) -> VenueOrder:
    """Return an order whose last instructions are in doubt: a PLACE is ambiguous, the others are repeated."""
    if order.place is not None and order.place.stage == "intended" and order.state is None:
        order = order._replace(place=order.place._replace(stage="ambiguous", at=at))
    if order.change is not None:
        order = order._replace(change=None, in_doubt=True)
    cancel = order.cancel
    if cancel is not None and cancel.instruction is not None and cancel.instruction.is_under_way:
        order = order._replace(cancel=cancel._replace(instruction=None, is_early=False, first_at=None, writes=0))
    return order


def _close_after_crash(close: Close, at: datetime) -> Close:
    """Return a close whose last file is in doubt: it counts as written, unless it is still there and is moved out."""
    if close.file is not None and close.file.stage == "intended":
        return close._replace(file=close.file._replace(stage="ambiguous", at=at))
    return close


class Turn:
    """One step in the making: what it has changed so far, and what it asks for."""

    def __init__(self, state: State, at: datetime) -> None:
        self._before = state
        self.config = state.config
        self.at = at
        self.orders = dict(state.orders)
        self.venue_orders = dict(state.venue_orders)
        self.groups = dict(state.groups)
        self.instructions = dict(state.instructions)
        self.closes = dict(state.closes)
        self.blocks = dict(state.blocks)
        self.now = state
        """The rest of the state; replaced as a whole."""
        self._active = dict.fromkeys(state.active)
        self._touched: dict[str, Record | None] = {}
        """What was put, or forgotten, by the journal's ids."""
        self._effects: list[Effect] = []
        self._rung: list[tuple[str, str]] = []
        """The alarms of orders in this step: whose each is, and what it says."""
        self.awaiting: set[str] = set()
        """The legs that are still to be placed for something, by their ids."""

    def set(self, **values: Any) -> None:
        """Change what is not in the journal."""
        self.now = self.now._replace(**values)

    def put(self, record: TableOrder | TableInstruction | Close | Block | VenueOrder | Group) -> None:
        """Change a record."""
        self._touched[record_id(record)] = record
        match record:
            case TableOrder():
                self.orders[record.order_id] = record
                if record.is_closed:
                    self._active.pop(record.order_id, None)
                else:
                    self._active.setdefault(record.order_id)
            case VenueOrder():
                self.venue_orders[record.venue_id] = record
            case Group():
                self.groups[record.name] = record
            case TableInstruction():
                self.instructions[record.instruction_id] = record
            case Close():
                self.closes[record.name] = record
            case Block():
                self.blocks[record.name] = record

    def drop(self, record: TableInstruction | Close | Block) -> None:
        """Take a record out of the journal."""
        self._touched[record_id(record)] = None
        match record:
            case TableInstruction():
                del self.instructions[record.instruction_id]
            case Close():
                del self.closes[record.name]
            case Block():
                del self.blocks[record.name]

    def ask(self, effect: Effect) -> None:
        """Ask for something to be done."""
        self._effects.append(effect)

    def alarm(self, code: str, detail: str) -> None:
        """Tell a person, and the next heartbeat."""
        self.ask(Alarm(code, detail))
        self.set(alarms=(*self.now.alarms, f"{code}: {detail}"))

    def alarm_once(self, order_id: str, code: str, detail: str, of: object = "") -> None:
        """Tell a person of an order, and its report of this step, once; `of` tells one occurrence from the next."""
        order, trouble = self.orders[order_id], f"{code} {of}"
        if trouble not in order.rung:
            rung = (*order.rung, trouble)[-_MOST_RUNG:]
            self.put(order._replace(alarms=(*order.alarms, code)[-_MOST_RUNG:], rung=rung))
            self.ask(Alarm(code, f"{order_id}: {detail}"))
            self._rung.append((order_id, f"{code}: {order_id}: {detail}"))

    def alarm_of(self, owner: str, code: str, detail: str) -> None:
        """Tell a person of what is done for an instruction or an order, and its next report."""
        if owner in self.instructions:
            instruction = self.instructions[owner]
            self.put(instruction._replace(alarms=(*instruction.alarms, code)))
            self.ask(Alarm(code, f"{instruction.asked.command} {owner}: {detail}"))
        elif owner in self.orders:
            self.alarm_once(owner, code, detail, of=self.at)
        else:
            self.alarm(code, f"{owner}: {detail}")

    def tell_unreported_alarms(self) -> None:
        """Have the heartbeat tell of the alarms of this step whose orders send no report."""
        told = tuple(text for order_id, text in self._rung if self.orders[order_id].alarms)
        for order_id, _ in self._rung:
            if self.orders[order_id].alarms:
                self.put(self.orders[order_id]._replace(alarms=()))
        if told:
            self.set(alarms=(*self.now.alarms, *told))

    def has_rung(self, order_id: str, code: str, of: object = "") -> bool:
        """Return whether a person was told of this trouble of an order, and it is not over."""
        return f"{code} {of}" in self.orders[order_id].rung

    def calm(self, order_id: str, code: str, of: object = "") -> None:
        """Record that a trouble is over: its next occurrence rings again."""
        order, trouble = self.orders[order_id], f"{code} {of}"
        if trouble in order.rung:
            self.put(order._replace(rung=tuple(it for it in order.rung if it != trouble)))

    def look(self) -> None:
        """Ask for a look at the table, at most once a second."""
        asked = self.now.look_asked_at
        if asked is None or self.at - asked >= timedelta(seconds=1):
            self.set(look_asked_at=self.at)
            self.ask(Look())

    def write(self, name: str, line: str) -> InstructionFile:
        """Ask for a file to be written, and return its beginning."""
        self.ask(WriteFile(name, line))
        return InstructionFile(name, "intended", self.at)

    def venue_orders_of(self, order: TableOrder) -> list[VenueOrder]:
        """Return the orders that an order of the table has at the venue, oldest first."""
        return [self.venue_orders[venue_id] for venue_id in order.venue_ids]

    def legs_of(self, entry: TableOrder) -> list[TableOrder]:
        """Return the legs of an entry."""
        ids = map(entry.id_of_leg, entry.legs)
        return [self.orders[order_id] for order_id in ids if order_id in self.orders]

    def forget(self, orders: Sequence[TableOrder]) -> None:
        """Take orders out of the journal, with what they had at the venue, and groups that have no members any more."""
        for order in orders:
            self._touched[record_id(self.orders.pop(order.order_id))] = None
            self._active.pop(order.order_id, None)
            for venue_id in order.venue_ids:
                self._touched[record_id(self.venue_orders.pop(venue_id))] = None
        for group in list(self.groups.values()) if orders else ():
            if not any(member in self.venue_orders for member in group.members):
                self._touched[record_id(self.groups.pop(group.name))] = None

    def active(self) -> Iterator[TableOrder]:
        """Return the orders that the table has not finished."""
        return (self.orders[name] for name in list(self._active) if name in self._active)

    def active_entries(self) -> Iterator[TableOrder]:
        """Return the orders that are not legs, and are not finished, or have legs that are not."""
        ids = {order.entry_id or order.order_id for order in self.active()}
        return (self.orders[order_id] for order_id in sorted(ids) if order_id in self.orders)

    @property
    def owns(self) -> bool:
        """Whether this bridge owns the stack; it writes no file otherwise."""
        return self.now.owner == self.config.journal

    @property
    def may_write(self) -> bool:
        """Whether a file would be read: what reduces risk may be written."""
        return self.owns and self.now.reads

    @property
    def is_ready(self) -> bool:
        """Whether what opens may be written."""
        return self.may_write and self.now.connected

    @property
    def look_is_fresh(self) -> bool:
        """Whether the last look is so young that what it showed may be opened."""
        return self.now.looked_at is not None and self.at - self.now.looked_at <= LOOK_IS_FRESH

    def done(self) -> tuple[State, list[Effect]]:
        """Return the state after the step, and what it asks for: first of all, that what has changed is saved."""
        after = self.now._replace(
            orders=self.orders,
            venue_orders=self.venue_orders,
            groups=self.groups,
            instructions=self.instructions,
            closes=self.closes,
            blocks=self.blocks,
            active=tuple(self._active),
        )
        if self.now.memory is not None and self._before.memory is not self.now.memory:
            self._touched[record_id(self.now.memory)] = self.now.memory
        changed = {name: it and dump(it) for name, it in self._touched.items() if it is None or not self._is_known(it)}
        saves: list[Effect] = [Save(changed)] if changed else []
        return after, saves + self._effects

    def _is_known(self, record: Record) -> bool:
        """Return whether a record is as it was before the step."""
        match record:
            case TableOrder():
                return self._before.orders.get(record.order_id) is record
            case VenueOrder():
                return self._before.venue_orders.get(record.venue_id) is record
            case Group():
                return self._before.groups.get(record.name) is record
            case TableInstruction():
                return self._before.instructions.get(record.instruction_id) is record
            case Close():
                return self._before.closes.get(record.name) is record
            case Block():
                return self._before.blocks.get(record.name) is record
        return False
