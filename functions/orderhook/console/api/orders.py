"""Orders: those that are open from their index, those that are closed by when they were placed."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain

from orderhook import administration
from orderhook.aws.budget import CONNECTIONS, result_in_time, run_each
from orderhook.console.api import paging, writing
from orderhook.console.api.call import Call
from orderhook.console.placed import is_in_doubt, placed_by
from orderhook.errors import OrderNotFoundError, UnsupportedCommandError
from orderhook.listing import OrderFilter, Unreadable, UnreadableError, find_legs, find_order, list_orders
from orderhook.orders import Order, folded, timestamp
from orderhook.representations import represent_order, represent_order_with_history, represent_unreadable
from orderhook.responses import Response
from orderhook.store.alert_log import AlertRecord, record_id
from orderhook.trade_window import day_began, day_in_new_york

Listed = tuple[Order | Unreadable, str]
"""An order, and the cursor behind it."""


def of_all(call: Call) -> Response:
    """Answer with the orders that are open, or with those that are closed and were placed in the span."""
    return _listed(call, call.query.account, [call.query.status])


def of_account(call: Call) -> Response:
    """Answer with the open orders of an account and, unless only those are asked for, with closed ones behind them."""
    return _listed(call, call.account, ["open"] if call.query.active_only else ["open", "closed"])


def one(call: Call) -> Response:
    """Answer with an order, its history, and its legs where it has some."""
    now = timestamp(call.now)
    try:
        order: Order | Unreadable | None = find_order(call.services, call.trader, call.order_id, now)
    except UnreadableError as unreadable:
        order = unreadable.item
    if order is None or folded(order.account) != folded(call.account) or not _is_reached(call, order):
        raise OrderNotFoundError("There is no such order in this account; check both: case matters.", field="orderId")
    if isinstance(order, Unreadable):
        return writing.success(order=writing.for_programs(represent_unreadable(order)))
    shown = writing.for_programs(represent_order_with_history(order))
    if order.legs:
        shown["legs"] = [_represent(leg) for leg in find_legs(call.services, call.trader, order, now)]
    return writing.success(order=shown)


def _listed(call: Call, account: str | None, sections: Sequence[str]) -> Response:
    if "closed" in sections and not call.services.alert_log.keeps:
        raise UnsupportedCommandError(
            "Closed orders are found by the records of their alerts, and none are kept here (AlertRetentionDays=0): "
            "ask for status=open or activeOnly=true, and for one order by its id; `orderhook orders` lists all."
        )
    query = call.query
    day = day_in_new_york(call.now)
    instrument = administration.instrument_name(query.instrument, day) if query.instrument else None
    wanted = OrderFilter(account, instrument, query.strategy_id)
    kind, *behind = paging.position(query.cursor, **dict.fromkeys(sections, 2)) if query.cursor else [sections[0]]
    readers = {"open": _open, "closed": _closed}
    rows = chain.from_iterable(
        readers[section](call, behind if section == kind else []) for section in sections[sections.index(kind) :]
    )
    page = paging.take(
        call,
        rows,
        is_wanted=lambda row: _is_reached(call, row[0]) and _matches(wanted, row[0]),
        represent=lambda row: _represent(row[0]),
        cursor_at=lambda row: row[1],
    )
    return writing.success(orders=page.shown, nextCursor=page.next_cursor)


def _open(call: Call, behind: Sequence[str]) -> Iterator[Listed]:
    """Yield open orders by id, legs under their entry: what is placed meanwhile moves nothing from page to page."""
    rows = list_orders(call.services, call.trader, timestamp(call.now), open_only=True)
    placed = sorted((_place_of(row), number, row) for number, row in enumerate(rows))
    for place, _, row in placed:
        if not behind or place > tuple(behind):
            yield row, paging.cursor("open", *place)


def _place_of(row: Order | Unreadable) -> tuple[str, str]:
    return (row.id, row.id) if isinstance(row, Unreadable) else (row.entry_id or row.order_id, row.order_id)


def _closed(call: Call, behind: Sequence[str]) -> Iterator[Listed]:
    """Yield closed orders, the last placed first, by the records of the alerts that have placed them."""
    since, until = call.query.since or day_began(call.now), call.query.until
    if behind:
        until = paging.until_request(until, behind[0])
    listed: set[str] = set()
    for record in call.services.alert_log.newest(call.trader, since, until):
        if behind and record.request_id > behind[0]:
            continue
        order_ids = placed_by(record)
        if behind and record.request_id == behind[0] and behind[1] in order_ids:
            order_ids = order_ids[order_ids.index(behind[1]) + 1 :]
        for order in _found(call, [it for it in order_ids if it not in listed]):
            if not _is_open(order) and not _is_anothers(call, record, order):
                order_id = order.id if isinstance(order, Unreadable) else order.order_id
                listed.add(order_id)
                yield order, paging.cursor("closed", record.request_id, order_id)


def _is_anothers(call: Call, record: AlertRecord, order: Order | Unreadable) -> bool:
    """Return whether an alert that was sent again, or was not answered, names an order that another's record lists."""
    if not (record.duplicate or is_in_doubt(record)) or isinstance(order, Unreadable) or not order.history:
        return False
    first = record_id(order.history[0].request_id)
    placed = call.services.alert_log.get(call.trader, first) if first != record.request_id else None
    return placed is not None and order.order_id in placed_by(placed)


def _found(call: Call, order_ids: Sequence[str]) -> Iterator[Order | Unreadable]:
    """Yield the orders of these ids that are there, several read at once."""
    find = partial(_find, call)
    for start in range(0, len(order_ids), CONNECTIONS):
        for future in run_each(find, order_ids[start : start + CONNECTIONS]):
            if order := result_in_time(future):
                yield order


def _find(call: Call, order_id: str) -> Order | Unreadable | None:
    try:
        return find_order(call.services, call.trader, order_id, timestamp(call.now))
    except UnreadableError as unreadable:
        return unreadable.item


def _is_open(order: Order | Unreadable) -> bool:
    return isinstance(order, Order) and order.is_open


def _is_reached(call: Call, order: Order | Unreadable) -> bool:
    return call.reaches(order.account, order.instrument)


def _matches(wanted: OrderFilter, order: Order | Unreadable) -> bool:
    if isinstance(order, Order):
        return wanted.matches(order)
    return (wanted.account is None or folded(wanted.account) == folded(order.account)) and wanted.strategy_id is None


def _represent(order: Order | Unreadable) -> dict[str, object]:
    shown = represent_unreadable(order) if isinstance(order, Unreadable) else represent_order(order)
    told: dict[str, object] = writing.for_programs(shown)
    return told
