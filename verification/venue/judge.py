"""What must hold of the whole loop: of every file when it is written, of everything whenever it is quiet."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from bridge.events import WriteFile
from bridge.positions import pair
from bridge.records import TableOrder
from bridge.state import State
from cli.aws.paper_market import PaperOrder
from orderhook.errors import InvalidValueError
from orderhook.leg_prices import check_prices, price_field, price_of, prices_from_offsets
from orderhook.orders import CANCELLABLE, OPEN, TERMINAL, Order, OrderState
from orderhook.trade import kind_of, leg_id, partner_of
from tests.oif_reader import Line, read_line

if TYPE_CHECKING:
    from verification.venue.loop import Loop

TRADED = frozenset({"Sim101", "Sim102"})
"""The bridge has Apex1 too, but may not trade real money; Sim103 is none of its accounts."""

_TICK = Decimal("0.25")

_LOOKED_WITHIN = timedelta(seconds=3.5)
"""How long after the kill switch was turned a look may still show it off, by which something is opened."""


class Judge:
    """Watches a loop; what may not be stands in `findings`."""

    def __init__(self, loop: "Loop") -> None:
        self._loop = loop
        self.findings: list[str] = []
        self.owners: dict[str, str] = {}
        """Whose each order of the venue is: by its id there, the table's."""
        self.alarms: dict[str, set[str]] = defaultdict(set)
        """What a person was told, by order."""
        self.by_hand: set[str] = set()
        """The instruments that a person has traded in NinjaTrader itself."""
        self.journal_lost_at: datetime | None = None
        self.restarted_at: datetime | None = None
        self._read = self._heard = 0
        self._placed: set[str] = set()

    def find(self, what: str) -> None:
        """Take down what may not be."""
        if what not in self.findings:
            self.findings.append(what)
            self._loop.note(f"FOUND {what}")

    def learn(self) -> None:
        """Learn what the bridge knows, and what it has told its person."""
        loop = self._loop
        if loop.is_up:
            self.owners |= {venue_id: it.order_id for venue_id, it in loop.state.venue_orders.items()}
        for line in loop.told[self._heard :]:
            if line.startswith("ALARM "):
                code, order_id, *_ = [*line.removeprefix("ALARM ").split(": "), ""]
                self.alarms[order_id].add(code)
                if code == "orphans_cancelled":
                    self._look_at_orphans(order_id)
            loop.note(f"told: {line}")
        self._heard = len(loop.told)

    # Files

    def look_at_file(self, file: WriteFile, state: State) -> None:
        """Judge a file that is about to be written."""
        try:
            line = read_line(file.line)
        except AssertionError as error:
            self.find(f"a line that NinjaTrader would not read: {error}")
            return
        if state.owner != state.config.journal:
            self.find("a bridge that does not own the stack wrote a file")
        if line.command == "PLACE":
            if line.account not in TRADED:
                self.find(f"account {line.account} was traded")
            known = state.venue_orders[line.order_id]
            owner = state.orders[known.order_id]
            if owner.leg is None:
                self._look_at_opening(known.order_id, known.generation)
            else:
                self._look_at_offset(state, owner, line)
                if owner.leg.startswith("TARGET"):
                    self._look_at_target(state, known.order_id, known.start)

    def _look_at_opening(self, order_id: str, generation: int) -> None:
        if self._loop.state.orders[order_id].made_by:
            return  # the bridge has made it, to close what a strategy holds
        now, trader = self._loop.at, self._loop.trader
        until = (trader.may_open_until if generation == 1 else trader.may_replace_until).get(order_id)
        if until is None:
            self.find(f"{order_id} was opened, and nobody has asked for it")
        elif now > until + timedelta(seconds=0.5):
            self.find(f"{order_id} was opened {(now - until).total_seconds():.1f} s too late")
        self._look_at_switch(order_id)
        if (at := trader.cancelled.get(order_id)) and now > at + timedelta(seconds=20):
            self.find(f"{order_id} was opened after its cancel")

    def _look_at_switch(self, order_id: str) -> None:
        switched_on = self._loop.trader.switched_on
        if switched_on and self._loop.at > switched_on + _LOOKED_WITHIN:
            self.find(f"{order_id} was opened while the kill switch was on")

    def _look_at_offset(self, state: State, leg: TableOrder, line: Line) -> None:
        """Legs that nobody has moved count from the entry's first fill."""
        entry = state.orders[str(leg.entry_id)]
        first = entry.increments[0].price if entry.increments else None
        prices = (line.limit_price, line.stop_price)
        price = next((Decimal(it) for it in prices if it), None)
        if first is None or price is None or leg.offset is None or leg.limit_price or leg.stop_price:
            return
        is_above = str(leg.leg).startswith("TARGET") == (entry.action == "BUY")
        if abs(price - first - leg.offset * (1 if is_above else -1)) > _TICK / 2:
            self.find(f"{leg.order_id} is at {price}, and counts {leg.offset} from {first}")

    def _look_at_target(self, state: State, order_id: str, start: int) -> None:
        target = state.orders[order_id]
        name = partner_of(str(target.leg))
        of_trade = (it for it in state.orders.values() if it.entry_id == target.entry_id)
        stop = next((it for it in of_trade if it.leg == name), None)
        if stop is None or stop.ended or stop.wants_cancel:
            return
        stops = [it for it in stop.venue_ids if state.venue_orders[it].start == start]
        if not any(order.order_id in stops for order in self._loop.paper.orders):
            self.find(f"{order_id} was placed before its stop lived")

    def look_at_lines(self) -> None:
        """Judge what NinjaTrader has read since the last time."""
        lines = self._loop.paper.lines
        for text in lines[self._read :]:
            line = Line(*text.split(";")) if text.count(";") == 12 else None
            if line and line.command == "PLACE" and line.order_id:
                if line.order_id in self._placed:
                    self.find(f"{self.owners.get(line.order_id)} was placed twice: {text}")
                self._placed.add(line.order_id)
        self._read = len(lines)

    def _look_at_orphans(self, entry_id: str) -> None:
        """Legs are cancelled only where no other trade of the pair has legs that work."""
        loop = self._loop
        entry = loop.state.orders[entry_id]
        for other in loop.state.orders.values():
            is_pair = self._pair(other) == self._pair(entry)
            if not is_pair or other.leg is None or other.entry_id in (None, entry_id):
                continue
            live = [it for it in loop.paper.orders if it.order_id in other.venue_ids and it.state == "Working"]
            if live:
                self.find(f"the legs of {entry_id} were cancelled, and those of {other.entry_id} work")

    # Quiet

    def judge(self) -> None:
        """Look for what may not be, now that everything rests."""
        self.learn()
        service = self._loop.service
        orders = {order.order_id: order for order in service.placed()}
        self._told = Counter[str]()
        for execution in service.services.bridge.executions(service.trader):
            self._told[execution.order_id] += execution.quantity
        # What an order of the bridge's own has closed is not whole any more.
        self.by_hand |= {order.instrument for order in orders.values() if order.made_by}
        at_venue: dict[str, list[PaperOrder]] = defaultdict(list)
        for there in self._loop.paper.orders:
            if owner := self.owners.get(there.order_id):
                at_venue[owner].append(there)
            elif there.order_id != there.native_id:
                self.find(f"nobody knows whose {there.order_id} is")
        for order in orders.values():
            self._judge_order(order, at_venue[order.order_id])
            if order.legs:
                self._judge_offsets(order, orders)
                for number in {name.removeprefix(kind_of(name)) for name in order.legs}:
                    self._judge_protection(order, number, orders, at_venue)
        for order_id in at_venue.keys() - orders.keys():
            if any(it.filled or not it.is_finished for it in at_venue[order_id]):
                self.find(f"{order_id} is at the venue, and not in the table")
        self._judge_orphans(orders, at_venue)
        self._judge_positions()
        self._judge_reports()

    def _is_foreign(self, order: Order) -> bool:
        at = self.journal_lost_at
        return at is not None and datetime.fromisoformat(str(order.received_at)) < at + timedelta(seconds=10)

    def _judge_order(self, order: Order, there: list[PaperOrder]) -> None:
        name, alarms = order.order_id, self.alarms[order.order_id]
        live = [it for it in there if not it.is_finished]
        filled = sum(it.filled for it in there)
        if self._is_foreign(order):
            return
        if order.filled != filled and not order.unresolved:
            self.find(f"{name} has {order.filled} filled in the table, {filled} at the venue")
        paid = sum((it.average * it.filled for it in there if it.filled), Decimal(0))
        if filled and order.average and abs(order.average - paid / filled) > Decimal("0.0001"):
            self.find(f"{name} was filled at {paid / filled}, not at {order.average}")
        told = self._told[name]
        if told != filled and not order.unresolved:
            self.find(f"{name} has executions of {told}, and {filled} are filled")
        if order.state in TERMINAL and live:
            self.find(f"{name} is {order.state} in the table, and works at the venue")
        # A target waits for its stop, of which perhaps nobody knows whether it is there.
        waits = order.entry_id is not None and "unprotected" in self.alarms[_stop_of(name)]
        if order.state in OPEN and not live and not (order.unresolved or "cancel_refused" in alarms or waits):
            self.find(f"{name} is {order.state} in the table, and nothing works for it")
        is_owed = order.state in OPEN and not order.unresolved and "cancel_refused" not in alarms
        if is_owed and name in self._loop.trader.cancelled:
            self.find(f"the cancel of {name} was forgotten: {order.state}")
        if is_owed and order.want and order.acked < order.want.n and "change_unconfirmed" not in alarms:
            self.find(f"nobody answered what was asked of {name}: {order.want.kind}, {order.state}")
        self._judge_history(order)
        self._judge_values(order, live)
        if order.state in OPEN and "change_unconfirmed" not in alarms:
            self._judge_waiting(order)

    def _judge_history(self, order: Order) -> None:
        states = [event.state for event in order.history if event.state and not event.leg]
        if OrderState.UNKNOWN in states:
            self.find(f"{order.order_id} was Unknown, which NinjaTrader has never written: a file was half read")
        asked = [number for number, state in enumerate(states) if state is OrderState.CANCEL_PENDING]
        taken_away = asked and order.venue and set(states[asked[0] + 1 :]) & CANCELLABLE
        if taken_away and "cancel_refused" not in self.alarms[order.order_id]:
            self.find(f"the cancel of {order.order_id} was taken away: {', '.join(states)}")

    def _judge_values(self, order: Order, live: list[PaperOrder]) -> None:
        if order.state not in OPEN or "change_unconfirmed" in self.alarms[order.order_id]:
            return
        for it in live:
            prices = (order.limit_price or 0, order.stop_price or 0)
            if it.order_type == order.order_type and prices != (it.limit, it.stop):
                self.find(f"{order.order_id} is at {it.limit}/{it.stop} at the venue, {prices} in the table")
        if order.entry_id is None and live and sum(it.rest for it in live) != order.qty - order.filled:
            self.find(f"{order.order_id} has {sum(it.rest for it in live)} left at the venue, {order.qty} in the table")

    def _judge_waiting(self, entry: Order) -> None:
        """Waiting legs are as the bridge would place them, and fit the price at which their entry works."""
        for name, leg in entry.legs.items():
            known = self._loop.state.orders.get(leg_id(entry.order_id, name)) if self._loop.is_up else None
            if known is None or leg.released or leg.end:
                continue
            if (known.limit_price, known.stop_price) != (leg.limit_price, leg.stop_price) or known.ended:
                self.find(f"{known.order_id} is {leg} in the table; the bridge would place {known}")
        try:
            check_prices(entry)
        except InvalidValueError as error:
            self.find(f"a change of {entry.order_id} was done in part: {error}")

    def _judge_offsets(self, entry: Order, orders: dict[str, Order]) -> None:
        """Legs that nobody has moved count from the entry's first fill."""
        known = self._loop.state.orders.get(entry.order_id) if self._loop.is_up else None
        first = known.increments[0].price if known and known.increments else None
        for name, leg in entry.legs.items():
            order = orders.get(leg_id(entry.order_id, name))
            price = order and price_of(name, order)
            is_placed = order and order.want and order.want.kind == "place" and order.state in OPEN
            if first is None or leg.offset is None or not is_placed or not price or self._is_foreign(entry):
                continue
            right = prices_from_offsets(entry._replace(average=first), name, leg).get(price_field(name))
            if right is not None and abs(price - right) > _TICK / 2:
                self.find(f"{order and order.order_id} is at {price}, and counts {leg.offset} from {first}")

    def _judge_protection(
        self, entry: Order, number: str, orders: dict[str, Order], at_venue: dict[str, list[PaperOrder]]
    ) -> None:
        name, leg = f"STOP{number}", entry.legs.get(f"STOP{number}")
        other = leg or entry.legs[f"TARGET{number}"]
        stops = at_venue[leg_id(entry.order_id, name)]
        targets = at_venue[leg_id(entry.order_id, f"TARGET{number}")]
        filled = other.share(sum(it.filled for it in at_venue[entry.order_id]))
        rest = filled - sum(it.filled for it in (*stops, *targets))
        covered = sum(it.rest for it in stops if not it.is_finished)
        offered = sum(it.rest for it in targets if not it.is_finished)
        alarms = {code for it in self.alarms if it.startswith(entry.order_id) for code in self.alarms[it]}
        if (
            self._is_foreign(entry)
            or entry.instrument in self.by_hand
            or alarms & {"overfill", "unprotected", "orphans_cancelled"}
        ):
            return
        if rest < 0:
            self.find(f"{entry.order_id} was closed by {-rest} more than it had")
        if max(covered, offered) > max(rest, 0):
            self.find(f"{entry.order_id} has {rest} open, stops for {covered} and targets for {offered}")
        stop = orders.get(leg_id(entry.order_id, name))
        if leg is None or leg.end or leg_id(entry.order_id, name) in self._loop.trader.cancelled:
            return
        if rest > 0 and covered != rest:
            self.find(f"{entry.order_id} has {rest} open, and stops for {covered}: {stop and stop.state}")

    def _judge_orphans(self, orders: dict[str, Order], at_venue: dict[str, list[PaperOrder]]) -> None:
        """Legs may work for a position that is known to be gone only if somebody was told."""
        loop = self._loop
        if not loop.is_up:
            return
        for order in orders.values():
            live = [it for it in at_venue[order.order_id] if not it.is_finished]
            known = loop.state.positions.get(self._pair(order))
            entry_id = order.entry_id or ""
            if live and entry_id and known and known.side == "FLAT" and not self._is_foreign(order):
                # What is wrong with a trade is told of one of its legs.
                of_trade = (it for it in self.alarms if it == entry_id or it.startswith(f"{entry_id}."))
                codes = {code for it in of_trade for code in self.alarms[it]}
                if not codes & {"orphans", "orphans_cancelled", "overfill", "unprotected"}:
                    self.find(f"{order.order_id} works, and its position is gone")

    def _pair(self, order: Order | TableOrder) -> str:
        return pair(self._loop.at, order.account, order.instrument)

    def _judge_positions(self) -> None:
        loop = self._loop
        told = {(it.account, it.instrument): it for it in loop.service.services.bridge.positions(loop.service.trader)}
        for (account, instrument), (quantity, _) in loop.paper.positions.items():
            position = told.get((account, instrument))
            if position is None or position.side == "UNKNOWN":
                # Where nothing was ever filled NinjaTrader writes no file.
                was_moved = any((it.account, it.instrument) == (account, instrument) for it in loop.paper.executions)
                if self.restarted_at is None and was_moved:
                    self.find(f"nobody knows the position of {account} in {instrument}: {quantity}")
                continue
            signed = {"LONG": 1, "SHORT": -1, "FLAT": 0}[position.side] * position.quantity
            if signed != quantity:
                self.find(
                    f"{account} has {quantity} of {instrument}; the table says {position.side} {position.quantity}"
                )

    def _judge_reports(self) -> None:
        loop = self._loop
        if loop.journal and loop.journal.reports():
            self.find("reports were not sent")
        if loop.waits_for_reports:
            self.find("reports were not taken")


def _stop_of(order_id: str) -> str:
    entry_id, _, name = order_id.rpartition(".")
    return leg_id(entry_id, partner_of(name)) if kind_of(name) == "TARGET" else ""
