"""Reports: what a venue says of an order. Fills are facts, whatever the order's state."""

from collections.abc import Callable, Container, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from orderhook.leg_prices import price_from_offset, with_bounds
from orderhook.orders import OPEN, PRICES, TERMINAL, TRANSITIONS, Leg, LegEnd, Order, OrderState, Want, decimal_text
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.expressions import VERSIONED
from orderhook.store.orders import OrderStore
from orderhook.store.table import Table
from orderhook.store.writes import NEW, ConditionFailed, Put, TransactionFailed, Update
from orderhook.trade import entry_and_leg, kind_of, leg_id, oco_group, view_of_leg

if TYPE_CHECKING:
    from orderhook.bridge_messages import OrderReport

_RACES = 8
"""How often other writes may change the same order at the same moment before a report gives up."""

_LONGEST_REASON = 500
"""Nothing in an item grows without bound: NinjaTrader's log says what it likes."""

_ASKED = frozenset({OrderState.CHANGE_PENDING, OrderState.CANCEL_PENDING})
"""What a command has asked of a venue and no report has answered; only the answer, or the order's end, ends it."""


class Report(NamedTuple):
    """A snapshot of an order as the venue has it; `seq` tells an older one from a newer one."""

    state: OrderState
    filled: int
    average: Decimal | None = None
    seq: int | None = None
    reason: str | None = None
    acked: int = 0
    """The want that it answers."""
    values: Mapping[str, str] = MappingProxyType({})
    """What the venue has confirmed: the kind, the quantity and all prices, or nothing."""
    unresolved: str | None = None
    dropped: int = 0
    """The last want that the venue has not done, and will not do."""
    alarms: str | None = None
    """What somebody should look at, by the bridge's words for it."""

    @classmethod
    def of(cls, said: "OrderReport") -> "Report":
        """Return what a bridge's message says of its order."""
        told = (said.reason, said.unresolved, ", ".join(said.alarms) or None)
        reason, unresolved, alarms = (text and text[:_LONGEST_REASON] for text in told)
        answer = said.acked, said.values, unresolved, said.dropped
        return cls(said.state, said.filled, said.average, said.seq, reason, *answer, alarms)

    @property
    def alarm(self) -> Mapping[str, str]:
        """What of it rang, as a history has it."""
        return {"alarm": self.alarms} if self.alarms else {}


class ReportResult(NamedTuple):
    """The order as a report met it (None: there is none that it is about), and whether anything was recorded."""

    before: Order | None
    applied: bool
    after: Order | None = None
    """The order as it was written by this report, or, where it was written before and comes again, as it is now."""
    unprotected: tuple[str, ...] = ()
    """The stops of the entry that its fill reaches and that were ended by themselves."""


class ReportStore:
    """Records reports in the orders of one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table, orders: OrderStore) -> None:
        self._table = table
        self._orders = orders

    def take(self, provenance: Provenance, said: "OrderReport") -> ReportResult:
        """Record a bridge's report as `record` does, if the order is the one that it was placed for.

        A leg's that comes before its entry's fill is recorded where the leg waits, or has it released.
        """
        report, split = Report.of(said), entry_and_leg(said.order_id)
        if split:
            return self._record_leg(provenance, *split, report, said.placed_by)
        return self.record(provenance, said.order_id, report, lambda order: order.placed_by == said.placed_by)

    def resolve(self, provenance: Provenance, order_id: str, report: Report) -> ReportResult:
        """Record what a person says has become of an order, as `record` does, while nobody else can know it."""
        return self.record(provenance, order_id, report, lambda order: order.unresolved is not None)

    def record(
        self,
        provenance: Provenance,
        order_id: str,
        report: Report,
        is_meant: Callable[[Order], bool] = lambda _: True,
    ) -> ReportResult:
        """Record a report, and release the legs that its fill reaches, in one transaction; run twice, it is one.

        A larger filled quantity is recorded whatever the state, and above the quantity too. A finished order keeps its
        end, and an older report undoes nothing. What `is_meant` does not hold for is left alone.
        """
        met = _Legs(set(), set(), {})
        for _ in range(_RACES):
            order = self._orders.get(provenance.trader, order_id)
            if order is None or not is_meant(order):
                return ReportResult(None, applied=False)
            after = reported(order.at(provenance.now), report, provenance)
            if after is None:
                return self._met_again(provenance, order)
            after, legs = releases(provenance, order, after, met.closed, met.priced)
            for name in met.ended.keys() & legs.keys():
                leg, share = met.ended[name], after.legs[name].share(after.filled)
                if share > leg.qty:
                    again = _working_again(provenance, leg, share)
                    legs[name] = self._orders.rewriting(provenance, leg, again)
                else:  # its own report came before this fill's, and says how it ended
                    del legs[name]
            try:
                self._table.transact([self._orders.rewriting(provenance, order, after), *legs.values()])
            except TransactionFailed as failed:
                met.note(legs, failed.failures)
                continue
            return ReportResult(order, True, after, _unprotected(order, after, met.closed))
        raise RuntimeError(f"order {order_id} changes faster than it can be reported")

    def _met_again(self, provenance: Provenance, order: Order) -> ReportResult:
        """Return what a report has done that says nothing new: what its own earlier delivery did, or nothing.

        That one may have failed after its write, so that nobody was told.
        """
        event = order.event_of(provenance.request_id)
        if event is None:
            return ReportResult(order, applied=False)
        state, filled = OrderState.INITIALIZED, 0
        for earlier in order.history[: order.history.index(event)]:
            state = earlier.state or state
            filled = int(earlier.changes.get("filled", filled))
        unresolved = None if "unresolved" in event.changes else order.unresolved
        before = order._replace(state=state, filled=filled, unresolved=unresolved)
        closed = {name for name, leg in order.legs.items() if leg.released and self._is_behind(provenance, order, name)}
        return ReportResult(before, True, order, _unprotected(before, order, closed))

    def _is_behind(self, provenance: Provenance, entry: Order, name: str) -> bool:
        """Return whether a fill of its entry has not raised a leg, because it was ended by itself."""
        leg = self._orders.get(provenance.trader, leg_id(entry.order_id, name))
        return leg is None or leg.qty < entry.legs[name].share(entry.filled)

    def _record_leg(
        self, provenance: Provenance, entry_id: str, name: str, report: Report, placed_by: str
    ) -> ReportResult:
        """Record the report of a leg, which names its entry's placing."""
        for _ in range(_RACES):
            entry = self._orders.get(provenance.trader, entry_id)
            leg = entry.legs.get(name) if entry and entry.placed_by == placed_by else None
            if entry is None or leg is None:
                return ReportResult(None, applied=False)
            if leg.released:
                return self.record(provenance, leg_id(entry_id, name), report)
            before = view_of_leg(entry, name, leg)
            after, order = reported_waiting(provenance, entry, name, report)
            if after is entry:
                return ReportResult(before, applied=False)
            writes: list[Put | Update] = [self._orders.rewriting(provenance, entry, after)]
            if order:
                writes.append(self._orders.putting(provenance, order))
            try:
                self._table.transact(writes)
            except TransactionFailed:
                continue
            return ReportResult(before, True, order or view_of_leg(after, name, after.legs[name]))
        raise RuntimeError(f"order {entry_id} changes faster than its legs can be reported")


class _Legs(NamedTuple):
    """What the writes of an entry's legs have met."""

    closed: set[str]
    """Ended by themselves: a fill makes and raises them no more."""
    priced: set[str]
    """Given a price by something else."""
    ended: dict[str, Order]
    """Ended at the venue for what was filled before: a further fill has them work again."""

    def note(self, legs: Mapping[str, Put | Update], failures: Sequence[ConditionFailed | None]) -> None:
        """Keep why a transaction failed: first the entry's part, then those of the legs in their order."""
        entry, *of_legs = failures
        for (name, write), failure in zip(legs.items(), of_legs, strict=True):
            # What another fill has made stands in the entry. A leg that was ended by itself is not raised again.
            if failure is None or (entry is not None and isinstance(write, Put)):
                continue
            leg = items.order(failure.item) if failure.item else None
            if leg and works_again(leg) and ":qty" in write.values:
                self.ended[name] = leg
            elif leg and leg.is_open and name in self.ended:
                del self.ended[name]
            else:
                has_price = isinstance(write, Update) and ":price" in write.values
                (self.priced if has_price else self.closed).add(name)


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


def _price(entry: Order, name: str, leg: Leg) -> Decimal | None:
    """Return the price that a leg gets from its entry's; None where there is none at which an order can work."""
    price = price_from_offset(entry, name, leg)
    return price if price is not None and price > 0 else None


def _price_field(name: str) -> str:
    return "limit_price" if kind_of(name) == "TARGET" else "stop_price"


def _give_price(provenance: Provenance, entry: Order, name: str, qty: int | None, price: Decimal) -> Update:
    """Return the write that has a leg work which was released without a price, if it lacks it still."""
    field = _price_field(name)
    raises = "" if qty is None else "#qty = :qty, #closes = :qty, "
    # At a venue it works when that says so.
    works = "" if entry.venue else "#state = :working, #since = :now, "
    return Update(
        items.order_key(provenance.trader, leg_id(entry.order_id, name)),
        f"SET {raises}{works}#{field} = :price, {VERSIONED}",
        f"#state = :initialized AND attribute_not_exists(#{field})",
        {
            **({} if qty is None else {":qty": qty}),
            **({":working": str(OrderState.WORKING), ":now": provenance.now} if works else {}),
            ":price": price,
            ":initialized": str(OrderState.INITIALIZED),
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
    # What was asked of it while it waited goes on, though its entry may have ended before this fill was heard of.
    leg = view_of_leg(entry._replace(state=OrderState.WORKING), name, entry.legs[name]._replace(end=None))
    price = _price(entry, name, entry.legs[name])
    prices = {} if price is None else {_price_field(name): price}
    state = leg.state
    if entry.venue is None and (leg.offset is None or price is not None):
        # Without a price nothing can work: it is an order that can be cancelled and changed, and waits for its price.
        state = OrderState.WORKING
    own = [event for event in entry.history if event.leg == name]
    return leg._replace(
        qty=qty,
        closes=qty,
        state=state,
        since=provenance.now,
        cancelled_at=None,
        reason=None,
        released_at=provenance.now,
        want=(leg.want or Want(1, "place", leg.received_at or provenance.now)) if entry.venue else None,
        # One that comes alone has a group too: a partner that is added later cannot give it one in its own item.
        oco_id=leg.oco_id or (None if entry.template else oco_group(entry)),
        # What it was given while it waited goes with it: a resend of that is known by it.
        history=(*own, provenance.event(state, {"qty": str(qty)})),
        digests=tuple(event.digest for event in own if event.digest),
        **prices,  # type: ignore[arg-type]
    )


def works_again(leg: Order) -> bool:
    """Return whether a further fill of its entry has a finished leg work again, which at a venue is a further order.

    One that its trader has cancelled stays so.
    """
    cancelled = leg.state is OrderState.CANCELLED and leg.want is not None and leg.want.kind == "cancel"
    return leg.venue is not None and leg.entry_id is not None and leg.state in TERMINAL and not cancelled


def _working_again(provenance: Provenance, leg: Order, qty: int) -> Order:
    event = provenance.event(OrderState.INITIALIZED, {"qty": str(qty)})
    return leg._replace(
        qty=qty,
        closes=qty,
        state=OrderState.INITIALIZED,
        since=provenance.now,
        cancelled_at=None,
        reason=None,
        history=(*leg.history, event),
    )


def _unprotected(before: Order, after: Order, closed: Container[str]) -> tuple[str, ...]:
    return tuple(
        name
        for name, leg in after.legs.items()
        if kind_of(name) == "STOP"
        and (leg.end or name in closed)
        and leg.share(after.filled) > leg.share(before.filled)
    )


def reported_waiting(provenance: Provenance, entry: Order, name: str, report: Report) -> tuple[Order, Order | None]:
    """Return an entry after the report of a leg that waits in its item, and the leg where that has it released.

    A bridge answers at once what is asked of a leg that it has not placed. It places one by its entry's fill alone, so
    that anything else which it says of a leg tells of a fill whose own report is still on its way.
    """
    leg = entry.legs[name]
    rung = provenance.event(None, report.alarm, leg=name)
    is_heard = not report.alarms or entry.event_of(provenance.request_id) is not None
    heard = entry if is_heard else entry._replace(history=(*entry.history, rung))
    if report.state is OrderState.INITIALIZED and not (report.filled or report.unresolved):
        return _answered_waiting(provenance, heard, name, report), None
    if leg.end and not report.filled:
        return heard, None
    # One that a change of its entry was to add, or to give anew, ends where that was not done.
    cancels = leg.want is not None and (leg.want.kind == "cancel" or report.dropped >= leg.want.n)
    if cancels and report.state is OrderState.CANCELLED and not report.filled:
        end = LegEnd(OrderState.CANCELLED, provenance.now, provenance.request_id, provenance.key_id)
        leg = leg._replace(end=end, acked=max(leg.acked, report.acked))
        history = (*heard.history, provenance.event(None, leg=name))
        return with_bounds(heard._replace(legs={**entry.legs, name: leg}, history=history)), None
    qty = max(report.filled, int(report.values.get("qty", 0)), leg.share(entry.filled)) or leg.share(entry.qty)
    released = _released(provenance._replace(request_id=f"{provenance.request_id}.release"), entry, name, qty)
    entry = entry._replace(legs={**entry.legs, name: leg._replace(released=True, end=None)})
    return entry, reported(released, report, provenance) or released


def _answered_waiting(provenance: Provenance, entry: Order, name: str, report: Report) -> Order:
    """Return an entry after the answer to what was asked of a leg that waits in its item.

    What was dropped with a change of the entry is what it was: the bridge, which would place the leg, says it.
    """
    leg = entry.legs[name]
    if report.acked <= leg.acked:
        return entry
    leg = leg._replace(acked=report.acked)
    is_dropped = leg.want is not None and report.acked >= leg.want.n and report.dropped >= leg.want.n
    if not (is_dropped and report.values):
        return entry._replace(legs={**entry.legs, name: leg})
    values = {it: report.values.get(it) for it in (*PRICES, "offset")}
    prices = {it: None if text is None else Decimal(text) for it, text in values.items()}
    leg = leg._replace(order_type=report.values["order_type"], **prices)  # type: ignore[arg-type]
    told = {it: text for it, text in values.items() if text is not None} | {"reason": report.reason or "dropped"}
    history = (*entry.history, provenance.event(None, told, leg=name))
    return with_bounds(entry._replace(legs={**entry.legs, name: leg}, history=history))


def reported(order: Order, report: Report, provenance: Provenance) -> Order | None:
    """Return an order after a report; None where the report says nothing that is not known.

    While what was asked last of its venue is not answered, an order keeps its state and the values asked for, unless
    the report ends it. Otherwise its values are those that the venue has confirmed.
    """
    if order.event_of(provenance.request_id) is not None:
        return None
    newer = report.seq is None or order.report_seq is None or report.seq > order.report_seq
    more = report.filled > order.filled
    learns_average = order.average is None and report.average is not None and report.filled == order.filled > 0
    after = order
    changes: dict[str, str] = {}
    if more or learns_average:
        average = report.average if report.average is not None else order.average
        after = after._replace(filled=report.filled, average=average)
        changes |= {"filled": str(report.filled)} if more else {}
        changes |= {} if report.average is None else {"average": decimal_text(report.average)}
    if more and order.state in TERMINAL:
        after = after._replace(filled_after_end=report.filled)
    moves = newer and _moves(order, report, more=more)
    if newer and (order.is_open or moves):
        after, told = _told(after, report, moves=moves)
        changes |= told
    if moves:
        cancelled_at = provenance.now if report.state is OrderState.CANCELLED else None
        after = after._replace(state=report.state, since=provenance.now, cancelled_at=cancelled_at)
    changes |= report.alarm
    if newer and report.seq is not None:
        # It stays whatever else was known, or an older report could undo it.
        after = after._replace(report_seq=report.seq)
    if (after is order or after == order) and not report.alarms:
        return None
    if not (more or learns_average or moves or changes):
        return after
    event = provenance.event(report.state if moves else None, changes)
    return after._replace(history=(*order.history, event))


def _moves(order: Order, report: Report, *, more: bool) -> bool:
    """Return whether the latest report of an order gives it its state."""
    if report.state in OPEN and works_again(order):
        return True
    asked = order.want if order.state in _ASKED else None
    if asked and report.acked < asked.n and report.state not in TERMINAL:
        return False
    if report.state is order.state:
        return more and report.state is OrderState.PART_FILLED
    # What is answered before its venue knew it goes back to where it was.
    unknown_there = asked is not None and report.state in (OrderState.INITIALIZED, OrderState.SUBMITTED)
    return unknown_there or report.state in TRANSITIONS[order.state]


def _told(order: Order, report: Report, *, moves: bool) -> tuple[Order, dict[str, str]]:
    """Return an order with what the latest report says of it besides its state and its fills, and what is new."""
    ends = report.state in TERMINAL and moves
    changes: dict[str, str] = {}
    after = order._replace(
        acked=max(order.acked, report.acked),
        confirmed=dict(report.values) or order.confirmed,
        unresolved=None if ends else report.unresolved,
        reason=report.reason if moves else report.reason or order.reason,
    )
    answered = order.want is None or after.acked >= order.want.n
    dropped = order.want is not None and report.dropped >= order.want.n
    if dropped and order.want and order.want.cancels_at is not None:
        after = after._replace(cancels_at=order.want.cancels_at or None)
        changes["cancels_at"] = order.want.cancels_at or "none"
    if answered and order.want and order.want.cancels_at is not None:
        after = after._replace(want=order.want._replace(cancels_at=None))
    if (answered and (report.values or dropped)) or (ends and not answered):
        confirmed = _confirmed(after)
        changes |= {name: after.confirmed.get(name, str(value)) for name, value in confirmed.items()}
        after = after._replace(**confirmed)  # type: ignore[arg-type]
    if after.unresolved != order.unresolved:
        changes["unresolved"] = after.unresolved or "no"
    if report.reason and (moves or report.reason != order.reason):
        changes["reason"] = report.reason
    return after, changes


def _confirmed(order: Order) -> dict[str, int | str | Decimal | None]:
    """Return the fields of an order that its venue has otherwise: what was asked for was not done, or done otherwise.

    The quantity of a leg follows from its entry's fills; at the venue it may be in several orders.
    """
    confirmed = order.confirmed
    values: dict[str, int | str | Decimal | None] = {
        name: confirmed[name] for name in ("order_type", "tif") if name in confirmed
    }
    if "qty" in confirmed and order.entry_id is None:
        values["qty"] = int(confirmed["qty"])
    if confirmed.keys() & {"order_type", *PRICES}:
        values |= {name: Decimal(confirmed[name]) if name in confirmed else None for name in PRICES}
    return {name: value for name, value in values.items() if value != getattr(order, name)}
