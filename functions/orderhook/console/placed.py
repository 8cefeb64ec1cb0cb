"""Orders as trades, as a person lists them: each entry with its legs under it, whatever waits, works or is finished.

Open ones come from the index. Finished ones are listed by when they were placed, from the records of alerts: no index
has them. Both read for a limited time, and say where they stopped.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from orderhook.limits import Limits, allows_instrument, reaches
from orderhook.listing import OrderFilter, Unreadable, find_orders, list_orders
from orderhook.orders import Order, folded, timestamp
from orderhook.services import Services
from orderhook.store.alert_log import AlertRecord
from orderhook.trade import leg_id, waiting_legs

READS_FOR = 1.5
"""The seconds for which a page reads: it has to leave within those of an alert."""

_PLACING = frozenset({"PLACE", "FLATPLACE", "REVERSEPOSITION"})
"""The commands whose alerts place the orders that their records name."""

Row = Order | Unreadable

Read = TypeVar("Read")


class Trade(NamedTuple):
    """An entry, or an order that stands alone, and the legs under it."""

    entry: Row | None
    """None where the legs alone are known: their entry has left the table."""
    legs: tuple[Row, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The entry and its legs."""
        return (self.entry, *self.legs) if self.entry else self.legs

    @property
    def placed_at(self) -> str:
        """When it was placed; empty where that cannot be read."""
        return next((placed_at(row) for row in self.rows if isinstance(row, Order)), "")

    @property
    def urgency(self) -> int:
        """How far up it stands: 0 is what nobody knows, 1 what has rung, 2 all else."""
        if any(isinstance(row, Unreadable) or (row.is_open and row.unresolved) for row in self.rows):
            return 0
        return 1 if any(isinstance(row, Order) and row.is_open and alarms_of(row) for row in self.rows) else 2


class Trades(NamedTuple):
    """Some trades, and whether there are more."""

    trades: Sequence[Trade]
    back_to: str | None = None
    """Where it was stopped: there is more before this time."""
    complete: bool = True
    """Whether all could be read in time."""


def placed_at(order: Order) -> str:
    """Return when an order was placed; of a leg, when the alert came in that gave it."""
    if order.entry_id is not None and order.received_at:
        return order.received_at
    return order.history[0].at if order.history else order.since


def alarms_of(order: Order) -> list[tuple[str, str, str]]:
    """Return what a bridge has called a person for: when, of what, and its words."""
    own = order.order_name or order.order_id
    return [(event.at, event.leg or own, alarm) for event in order.history if (alarm := event.changes.get("alarm"))]


def open_trades(services: Services, trader: str, now: str, wanted: OrderFilter, limits: Limits | None) -> Trades:
    """Return the trades with an open order: first what nobody knows, then what has rung, then the newest."""
    read = InTime(list_orders(services, trader, now, open_only=True, account=wanted.account))
    rows = [row for row in read if reaches(limits, row.account, row.instrument) and _matches(wanted, row)]
    trades = sorted(_grouped(rows), key=lambda trade: trade.placed_at, reverse=True)
    return Trades(sorted(trades, key=lambda trade: trade.urgency), complete=read.complete)


def with_entries(services: Services, trader: str, now: str, trades: Sequence[Trade]) -> list[Trade]:
    """Return trades with the entries of those whose legs alone are open: they were filled, and are read for this."""
    wanted = {_entry_id(trade.legs) for trade in trades if trade.entry is None}
    found = find_orders(services, trader, sorted(wanted), now)
    return [trade if trade.entry else trade._replace(entry=found.get(_entry_id(trade.legs))) for trade in trades]


def finished_trades(
    services: Services,
    trader: str,
    now: str,
    wanted: OrderFilter,
    limits: Limits | None,
    *,
    since: datetime,
    until: datetime | None,
    most: int,
) -> Trades:
    """Return the newest trades that were placed in a span and whose entry is finished, with all their legs."""
    records = InTime(services.alert_log.newest(trader, since, until))
    found: list[Order | Unreadable] = []
    seen: set[str] = set()
    back_to = None
    for at, order_ids in _by_moment(records):
        new = [order_id for order_id in dict.fromkeys(order_ids) if order_id not in seen]
        seen.update(new)
        rows = find_orders(services, trader, new, now).values() if new else ()
        mine = (row for row in rows if reaches(limits, row.account, row.instrument))
        found += [row for row in mine if _is_finished(row) and _matches(wanted, row)]
        if len(found) >= most:
            back_to = at
            break
    if back_to is None and not records.complete:
        back_to = records.last.received_at if records.last else None
    return Trades(list(with_legs(services, trader, now, found)), back_to, records.complete)


class InTime(Generic[Read]):
    """What can be read in time; `complete` says whether that was all."""

    def __init__(self, found: Iterator[Read]) -> None:
        self._found = found
        self._until = time.monotonic() + READS_FOR
        self.complete = True
        self.last: Read | None = None

    def __iter__(self) -> Iterator[Read]:
        return self

    def __next__(self) -> Read:
        if time.monotonic() > self._until:
            self.complete = False
            raise StopIteration
        self.last = next(self._found)
        return self.last


_READ_TOGETHER = 100
"""Of as many records the orders are looked up together."""


def _by_moment(records: Iterable[AlertRecord]) -> Iterator[tuple[str, list[str]]]:
    """Yield the ids that some records have placed, newest first, and the time of the last: no moment is parted."""
    order_ids: list[str] = []
    last = None
    for record in records:
        if last and len(order_ids) >= _READ_TOGETHER and _moment(record.received_at) != _moment(last):
            yield last, order_ids
            order_ids = []
        order_ids += placed_by(record)
        last = record.received_at
    if last:
        yield last, order_ids


def _moment(at: str) -> str:
    """Return a time to the millisecond, by which records are found."""
    return at[:23]


def placed_by(record: AlertRecord) -> list[str]:
    """Return the ids of the orders that an alert has placed, or may have placed, and those a bridge made for it.

    Sent again, it names those that it has found placed. With a delay they were placed when it came in: its later record
    has nothing new. Entries stand before legs.
    """
    made = [order_id for result in record.instruction_results for order_id in result.order_ids]
    if record.command not in _PLACING or record.origin == "delayed":
        return list(dict.fromkeys(made))
    order_ids = [*record.order_ids, *(order_id for result in record.results for order_id in result.order_ids)]
    if not order_ids and is_in_doubt(record):
        order_ids = [record.fields.get("order_id") or record.request_id]
    return list(dict.fromkeys((*order_ids, *made)))


def is_in_doubt(record: AlertRecord) -> bool:
    """Return whether nobody knew whether an alert was carried out when it was answered."""
    return record.status >= 500 or record.outcome == "outcome_unknown"


def _is_finished(row: Row) -> bool:
    return isinstance(row, Unreadable) or (not row.is_open and row.entry_id is None)


def _matches(wanted: OrderFilter, row: Row) -> bool:
    if isinstance(row, Order):
        return wanted.matches(row)
    if wanted.account is not None and folded(row.account) != folded(wanted.account):
        return False
    if wanted.instrument is not None and not allows_instrument((wanted.instrument,), row.instrument):
        return False
    return wanted.strategy_id is None  # nobody knows


def _grouped(rows: Iterable[Row]) -> Iterator[Trade]:
    """Yield trades, each with those of its legs that are among the rows."""
    entries: dict[str, Row] = {}
    legs: dict[str, list[Row]] = {}
    for row in rows:
        if isinstance(row, Order) and row.entry_id is not None:
            legs.setdefault(row.entry_id, []).append(row)
        else:
            entries[row.order_id if isinstance(row, Order) else row.id] = row
    for order_id, entry in entries.items():
        yield Trade(entry, _sorted(legs.pop(order_id, [])))
    for own in legs.values():
        yield Trade(None, _sorted(own))


def with_legs(services: Services, trader: str, now: str, entries: Sequence[Row]) -> Iterator[Trade]:
    """Yield finished entries, newest first, each with all its legs: those that were released have their own items."""
    names = {
        entry.order_id: [leg_id(entry.order_id, name) for name, leg in entry.legs.items() if leg.released]
        for entry in entries
        if isinstance(entry, Order)
    }
    released = find_orders(services, trader, [it for own in names.values() for it in own], now)
    trades = []
    for entry in entries:
        if isinstance(entry, Unreadable):
            trades.append(Trade(entry))
            continue
        own: list[Row] = list(waiting_legs(entry))
        own += [released[it] for it in names[entry.order_id] if it in released]
        trades.append(Trade(entry, _sorted(own)))
    yield from sorted(trades, key=lambda trade: trade.placed_at, reverse=True)


def _sorted(legs: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(legs, key=lambda leg: leg.order_id if isinstance(leg, Order) else leg.id))


def _entry_id(legs: Iterable[Row]) -> str:
    return next(str(leg.entry_id) for leg in legs if isinstance(leg, Order))


def until_of(back_to: str) -> str:
    """Return the time before which a list goes on that was stopped there."""
    return timestamp(datetime.fromisoformat(_moment(back_to) + "Z"))
