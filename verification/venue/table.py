"""The cloud's half, small: what alerts ask for, and what reports make of it (venue.md, sections 1 and 2)."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from orderhook.bridge_messages import OrderReport
from orderhook.order_reports import works_again
from orderhook.orders import OPEN, PRICES, TERMINAL, Event, Leg, LegEnd, Order, OrderState, Want, timestamp
from orderhook.trade import leg_id, view_of_leg
from orderhook.venues import NINJATRADER

TOO_LATE = timedelta(seconds=30)


class Table:
    """Orders by their ids, and everything that was reported of them."""

    def __init__(self, found: Callable[[str], None], was_refused: Callable[[str], bool]) -> None:
        self.found, self.was_refused = found, was_refused
        self.orders: dict[str, Order] = {}
        self.executions: dict[tuple[str, int], tuple[str, int]] = {}
        self.alarms: dict[str, set[str]] = {}
        self.kill_switch = False
        self.requests = 0

    def place(self, at: datetime, legs: Mapping[str, Leg], **values: Any) -> str:
        """Take a PLACE."""
        self.requests += 1
        order_id, now = f"o{self.requests}", timestamp(at)
        placing = Event(OrderState.INITIALIZED, now, f"request-{self.requests}", "key")
        self.orders[order_id] = Order(
            order_id=order_id,
            account="Sim101",
            instrument="ES 12-26",
            state=OrderState.INITIALIZED,
            since=now,
            received_at=now,
            venue=NINJATRADER.name,
            want=Want(1, "place", now, timestamp(at + TOO_LATE)),
            legs=legs,
            history=(placing,),
            **values,
        )
        return order_id

    def ask(self, at: datetime, order_id: str, kind: Any, **values: Any) -> None:
        """Take a CANCEL, a CHANGE or a CANCELREPLACE of an order with an item of its own."""
        order = self.orders[order_id]
        if order.state not in OPEN or order.state is OrderState.CANCEL_PENDING:
            return
        n = order.want.n + 1 if order.want else 1
        has_end = kind != "cancel" and order.entry_id is None
        want = Want(n, kind, timestamp(at), timestamp(at + TOO_LATE) if has_end else None)
        pending = OrderState.CANCEL_PENDING if kind == "cancel" else OrderState.CHANGE_PENDING
        self.orders[order_id] = order._replace(want=want, state=pending, **values)

    def cancel_waiting_leg(self, at: datetime, entry_id: str, name: str) -> None:
        """Take a CANCEL of a leg that lies in its entry's item."""
        entry = self.orders[entry_id]
        leg = entry.legs[name]
        if leg.want is None and not leg.released and entry.state in OPEN:
            wanting = leg._replace(want=Want(1, "cancel", timestamp(at)))
            self.orders[entry_id] = entry._replace(legs={**entry.legs, name: wanting})

    def listing(self) -> list[Order]:
        """Return what is open."""
        return [order for order in self.orders.values() if order.state in OPEN]

    def take(self, report: OrderReport, at: datetime) -> bool:
        """Take a report; returns False for one whose order is not there yet."""
        for it in report.executions:
            self.executions[it.venue_id, it.cumulative] = (report.order_id, it.quantity)
        self.alarms.setdefault(report.order_id, set()).update(report.alarms)
        order = self.orders.get(report.order_id)
        if order is None:
            return self._take_of_waiting_leg(report, at)
        if report.filled > order.filled:
            order = order._replace(filled=report.filled, average=report.average)
        if report.seq > (order.report_seq or 0):
            before, order = order, _moved(order, report)
            is_over = order.state is OrderState.CANCEL_PENDING or order.state in TERMINAL
            if before.state is OrderState.CANCEL_PENDING and not is_over and not self.was_refused(order.order_id):
                self.found(f"a report has taken the cancel of {order.order_id} away")
        self.orders[order.order_id] = self._released(order)
        return True

    def _take_of_waiting_leg(self, report: OrderReport, at: datetime) -> bool:
        entry_id, _, name = report.order_id.rpartition(".")
        entry = self.orders.get(entry_id)
        if entry is None or name not in entry.legs:
            return True
        if report.filled or report.state is not OrderState.CANCELLED or entry.legs[name].released:
            return entry.state in TERMINAL
        leg = entry.legs[name]._replace(end=LegEnd(OrderState.CANCELLED, timestamp(at), "report", "key"))
        self.orders[entry_id] = entry._replace(legs={**entry.legs, name: leg})
        return True

    def _released(self, entry: Order) -> Order:
        for name, leg in entry.legs.items():
            share = leg.share(entry.filled)
            order_id = leg_id(entry.order_id, name)
            if leg.released and order_id in self.orders:
                self.orders[order_id] = self.orders[order_id]._replace(qty=share, closes=share)
            elif share and not leg.end:
                view = view_of_leg(entry._replace(state=OrderState.WORKING), name, leg)
                state = OrderState.CANCEL_PENDING if leg.want else OrderState.WORKING
                self.orders[order_id] = view._replace(
                    qty=share, closes=share, state=state, want=leg.want, venue=NINJATRADER.name, legs={}
                )
                entry = entry._replace(legs={**entry.legs, name: leg._replace(released=True)})
        return entry


def _moved(order: Order, report: OrderReport) -> Order:
    acked = max(order.acked, report.acked)
    order = order._replace(
        report_seq=report.seq,
        acked=acked,
        dropped=max(order.dropped, report.dropped),
        unresolved=report.unresolved,
        confirmed=dict(report.values),
    )
    if order.state in TERMINAL and report.state in OPEN and works_again(order):
        return order._replace(state=report.state, reason=report.reason)
    if order.state in TERMINAL:
        return order
    is_pending = order.want is not None and acked < order.want.n
    if report.state in TERMINAL or not is_pending or order.state is OrderState.INITIALIZED:
        order = order._replace(state=report.state, reason=report.reason)
    if order.want is not None and acked >= order.want.n and report.values and order.entry_id is None:
        prices = {name: Decimal(report.values[name]) if name in report.values else None for name in PRICES}
        confirmed: dict[str, Any] = {"order_type": report.values["order_type"], **prices}
        order = order._replace(qty=int(report.values["qty"]), **confirmed)
    return order
