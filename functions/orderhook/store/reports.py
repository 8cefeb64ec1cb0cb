"""Reports: what a venue says of an order. Fills are facts, whatever the order's state."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from orderhook.order_reports import (
    Report,
    made_order,
    missing_stops,
    reported,
    reported_waiting,
    working_again,
    works_again,
)
from orderhook.orders import PRICES, Order, OrderState
from orderhook.provenance import Provenance
from orderhook.store.orders import OrderStore, read_order
from orderhook.store.releases import releases
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Put, TransactionFailed, Update
from orderhook.trade import entry_and_leg, leg_id, view_of_leg

if TYPE_CHECKING:
    from orderhook.bridge_messages import Made, OrderReport

_PRICED = frozenset(f":{name}" for name in PRICES)
"""The values of a write that gives a leg its price."""

_RACES = 8
"""How often other writes may change the same order at the same moment before a report gives up."""


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

        A leg's that comes before its entry's fill is recorded where the leg waits, or has it released. Of an order that
        the bridge has made itself, the first report that comes writes the item.
        """
        report, split = Report.of(said), entry_and_leg(said.order_id)
        if split:
            return self._record_leg(provenance, *split, report, said.placed_by)
        result = self._record_placed(provenance, said, report)
        if result.before is None and said.made is not None and self._make(provenance, said, said.made):
            return self._record_placed(provenance, said, report)
        return result

    def _record_placed(self, provenance: Provenance, said: "OrderReport", report: Report) -> ReportResult:
        return self.record(provenance, said.order_id, report, lambda order: order.placed_by == said.placed_by)

    def _make(self, provenance: Provenance, said: "OrderReport", made: "Made") -> bool:
        """Write the item of an order that a bridge has made itself; returns whether it is there now."""
        placing = provenance._replace(request_id=said.placed_by)
        return self._orders.put(placing, made_order(placing, said.order_id, made)).applied

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
        end, and an older report undoes nothing. The history tells of a stop that is missing. What `is_meant` does not
        hold for is left alone.
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
                    again = working_again(provenance, leg, share)
                    legs[name] = self._orders.rewriting(provenance, leg, again)
                else:  # its own report came before this fill's, and says how it ended
                    del legs[name]
            missing = missing_stops(order, after, met.closed)
            rung = (provenance.event(None, {"alarm": "unprotected"}, leg=name) for name in missing)
            after = after._replace(history=(*after.history, *rung))
            try:
                self._table.transact([self._orders.rewriting(provenance, order, after), *legs.values()])
            except TransactionFailed as failed:
                met.note(legs, failed.failures)
                continue
            return ReportResult(order, True, after, missing)
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
        return ReportResult(before, True, order, missing_stops(before, order, closed))

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
            leg = read_order(failure.item) if failure.item else None
            if leg and works_again(leg) and ":qty" in write.values:
                self.ended[name] = leg
            elif leg and leg.is_open and name in self.ended:
                del self.ended[name]
            else:
                has_price = isinstance(write, Update) and not write.values.keys().isdisjoint(_PRICED)
                (self.priced if has_price else self.closed).add(name)
