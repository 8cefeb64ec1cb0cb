"""Reports: what a venue says of an order. Fills are facts, whatever the order's state."""

from collections.abc import Container
from decimal import Decimal
from typing import NamedTuple

from orderhook.orders import TERMINAL, TRANSITIONS, Leg, Order, OrderState, Provenance
from orderhook.store import items
from orderhook.store.expressions import VERSIONED
from orderhook.store.orders import OrderStore
from orderhook.store.results import WriteResult, refused
from orderhook.store.table import Table
from orderhook.store.writes import NEW, Put, TransactionFailed, Update
from orderhook.trade import kind_of, leg_id, must_be_above, oco_group, view_of_leg

_RACES = 8
"""How often other writes may change the same order at the same moment before a report gives up."""


class Report(NamedTuple):
    """A snapshot of an order as the venue has it; `seq` tells an older one from a newer one."""

    state: OrderState
    filled: int
    average: Decimal | None = None
    seq: int | None = None
    reason: str | None = None


class ReportStore:
    """Records reports in the orders of one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table, orders: OrderStore) -> None:
        self._table = table
        self._orders = orders

    def record(self, provenance: Provenance, order_id: str, report: Report) -> WriteResult:
        """Record a report, and release the legs that its fill reaches, in one transaction; run twice, it is one.

        A larger filled quantity is recorded whatever the state, and above the quantity too. A finished order keeps its
        end, and an older report undoes nothing. Returns the order as it was, and whether anything was recorded.
        """
        closed: set[str] = set()
        priced: set[str] = set()
        for _ in range(_RACES):
            order = self._orders.get(provenance.trader, order_id)
            if order is None:
                return WriteResult(None, applied=False)
            after = reported(order.at(provenance.now), report, provenance)
            if after is None:
                return refused(order, provenance.request_id)
            after, legs = releases(provenance, order, after, closed, priced)
            writes = [self._orders.rewriting(provenance, order, after), *legs.values()]
            try:
                self._table.transact(writes)
            except TransactionFailed as failed:
                # A leg that was ended by itself is not raised again; what another fill has made stands in the entry.
                entry, *failures = failed.failures
                for (name, write), failure in zip(legs.items(), failures, strict=True):
                    if failure and (entry is None or isinstance(write, Update)):
                        has_price = isinstance(write, Update) and ":price" in write.values
                        (priced if has_price else closed).add(name)
                continue
            return WriteResult(order, applied=True)
        raise RuntimeError(f"order {order_id} changes faster than it can be reported")


def releases(
    provenance: Provenance, before: Order, after: Order, closed: Container[str] = (), priced: Container[str] = ()
) -> tuple[Order, dict[str, Put | Update]]:
    """Return an entry with the legs released that its fills reach, and the writes of those, by their names.

    A leg becomes an item of its own at the first fill that reaches it; a later fill raises it, and the first average
    price gives it the price that it lacks, unless it was given one itself (`priced`). One that was ended by itself, in
    the entry or, `closed`, in its own item, stays as it is.
    """
    writes: dict[str, Put | Update] = {}
    for name, leg in after.legs.items():
        share = leg.share(after.filled)
        raised = leg.released and share > leg.share(before.filled)
        lacked_price = leg.released and leg.offset is not None and before.average is None and name not in priced
        price = _price(after, name, leg) if lacked_price and after.average is not None else None
        if leg.end or name in closed or not share or (leg.released and not raised and price is None):
            continue
        if price is not None:
            writes[name] = _give_price(provenance, after, name, share if raised else None, price)
        elif raised:
            writes[name] = _raise(provenance, after, name, share)
        else:
            order = _released(provenance, after, name, share)
            writes[name] = Put(items.order_item(provenance.trader, order, provenance.request_id), NEW)
            after = after._replace(legs={**after.legs, name: leg._replace(released=True)})
    return after, writes


def _basis(entry: Order) -> Decimal | None:
    """Return the price from which the offsets of an entry's legs count: what was paid, else what was asked for."""
    prices = (entry.average, entry.limit_price, entry.stop_price)
    return next((price for price in prices if price is not None), None)


def _price(entry: Order, name: str, leg: Leg) -> Decimal | None:
    basis = _basis(entry)
    if leg.offset is None or basis is None:
        return None
    return basis + (leg.offset if must_be_above(entry, name) else -leg.offset)


def _price_field(name: str) -> str:
    return "limit_price" if kind_of(name) == "TARGET" else "stop_price"


def _give_price(provenance: Provenance, entry: Order, name: str, qty: int | None, price: Decimal) -> Update:
    """Return the write that has a leg work which was released without a price, if it lacks it still."""
    field = _price_field(name)
    raises = "" if qty is None else "#qty = :qty, #closes = :qty, "
    return Update(
        items.order_key(provenance.trader, leg_id(entry.order_id, name)),
        f"SET {raises}#{field} = :price, #state = :working, #since = :now, {VERSIONED}",
        f"#state = :initialized AND attribute_not_exists(#{field})",
        {
            **({} if qty is None else {":qty": qty}),
            ":price": price,
            ":working": str(OrderState.WORKING),
            ":initialized": str(OrderState.INITIALIZED),
            ":now": provenance.now,
            ":one": 1,
            ":request_id": provenance.request_id,
        },
    )


def _raise(provenance: Provenance, entry: Order, name: str, qty: int) -> Update:
    states = {f":s{n}": str(state) for n, state in enumerate(sorted(TERMINAL))}
    return Update(
        items.order_key(provenance.trader, leg_id(entry.order_id, name)),
        f"SET #qty = :qty, #closes = :qty, {VERSIONED}",
        f"attribute_exists(pk) AND NOT #state IN ({', '.join(states)})",
        {":qty": qty, ":one": 1, ":request_id": provenance.request_id, **states},
    )


def _released(provenance: Provenance, entry: Order, name: str, qty: int) -> Order:
    leg = view_of_leg(entry, name, entry.legs[name])
    price = _price(entry, name, entry.legs[name])
    prices = {} if price is None else {_price_field(name): price}
    # Without a price nothing can work: it is an order that can be cancelled and changed, and waits for its price.
    state = OrderState.INITIALIZED if leg.offset is not None and price is None else OrderState.WORKING
    own = [event for event in entry.history if event.leg == name]
    return leg._replace(
        qty=qty,
        closes=qty,
        state=state,
        since=provenance.now,
        cancelled_at=None,
        reason=None,
        released_at=provenance.now,
        # One that comes alone has a group too: a partner that is added later cannot give it one in its own item.
        oco_id=leg.oco_id or (None if entry.template else oco_group(entry)),
        # What it was given while it waited goes with it: a resend of that is known by it.
        history=(*own, provenance.event(state, {"qty": str(qty)})),
        digests=tuple(event.digest for event in own if event.digest),
        **prices,  # type: ignore[arg-type]
    )


def reported(order: Order, report: Report, provenance: Provenance) -> Order | None:
    """Return an order after a report; None where the report says nothing that is not known."""
    newer = report.seq is None or order.report_seq is None or report.seq > order.report_seq
    more = report.filled > order.filled
    learns_average = order.average is None and report.average is not None and report.filled == order.filled > 0
    if order.event_of(provenance.request_id) is not None:
        return None
    moves = newer and report.state is not order.state and report.state in TRANSITIONS[order.state]
    moves = moves or (newer and report.state is OrderState.PART_FILLED and more and order.state is report.state)
    if not (more or moves or learns_average):
        # Its number stays all the same, or an older report could undo it.
        return order._replace(report_seq=report.seq) if newer and report.seq is not None else None
    after = order
    if more or learns_average:
        average = report.average if report.average is not None else order.average
        after = after._replace(filled=report.filled, average=average)
    if more and order.state in TERMINAL:
        after = after._replace(filled_after_end=report.filled)
    if moves:
        after = after._replace(state=report.state, since=provenance.now, reason=report.reason)
        if report.state is OrderState.CANCELLED:
            after = after._replace(cancelled_at=provenance.now)
    changes = {"filled": str(after.filled)} if more else {}
    event = provenance.event(report.state if moves else None, changes)
    seq = report.seq if newer and report.seq is not None else order.report_seq
    return after._replace(report_seq=seq, history=(*order.history, event))
