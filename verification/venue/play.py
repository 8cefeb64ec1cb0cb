"""One run: random alerts, fills, files, reports and crashes; at every quiet point, what must hold."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from bridge import events
from bridge.engine import step
from bridge.journal import Journal
from bridge.records import TableOrder
from bridge.state import Config, State
from orderhook.bridge_messages import OrderReport
from orderhook.orders import OPEN, TERMINAL, Leg, OrderState
from tests import oif_reader
from verification.venue.exchange import AtExchange, Exchange
from verification.venue.table import TOO_LATE, Table

TICK = Decimal("0.25")


class Play:
    """A table, a bridge and an exchange; every chance comes from one seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = Random(seed)
        self.folder = folder
        self.at = datetime(2026, 11, 28, 12, tzinfo=UTC)
        self.findings: list[str] = []
        self.steps = 0
        self.table = Table(self.find, self._was_refused)
        self.exchange = Exchange(self.chance, self.find)
        self.exchange.on_place = self._judge_place
        self.queue: list[OrderReport] = []
        self.alarms: set[str] = set()
        self.may_crash = False
        self.owner: str | None = None
        self.lost_at: datetime | None = None
        self.journals = 0
        self._new_journal()

    def find(self, what: str) -> None:
        """Take down what may not be."""
        if what not in self.findings:
            self.findings.append(what)

    # The bridge

    def _new_journal(self) -> None:
        self.journals += 1
        self.journal = Journal.open(self.folder / f"{self.journals}.sqlite", self.at)
        self._start()

    def _start(self) -> None:
        may_crash, self.may_crash = self.may_crash, False
        config = Config(self.journal.id, "pc", ("Sim101",), tick_of=lambda _: TICK)
        self.state = State.restored(config, self.journal.records(), self.at)
        self.owner = self.journal.id
        for name in list(self.exchange.incoming):
            # NinjaTrader goes on while the bridge is away.
            if self.chance.random() < 0.5 and name in self.exchange.incoming:
                self.exchange.consume(name)
                continue
            self.exchange.incoming.pop(name, None)
            self.tell(events.FileMovedOut(name))
        self.tell(events.NinjaTraderStarted())
        self.tell(events.ConnectionRead(connected=True))
        self.exchange.news = [order.id for order in self.exchange.orders.values() if order.state]
        self.may_crash = may_crash

    def tell(self, event: events.Event) -> None:
        """Have the engine take a step, and do what it asks for, unless it dies before an effect."""
        self.steps += 1
        self.state, effects = step(self.state, event, self.at)
        answers: list[events.Event] = []
        for effect in effects:
            if self.may_crash and self.chance.random() < 0.01:
                self._start()
                return
            match effect:
                case events.Save(records):
                    self.journal.save({name: json.loads(json.dumps(value)) for name, value in records.items()})
                case events.WriteFile(name, line):
                    answers.append(self._write(name, line))
                case events.MoveOut(name):
                    was_there = self.exchange.incoming.pop(name, None) is not None
                    answers.append(events.FileMovedOut(name) if was_there else events.FileConsumed(name))
                case events.Fetch(order_id):
                    answers.append(events.Fetched(order_id, self.table.orders.get(order_id)))
                case events.SendReport(OrderReport() as report):
                    self.queue.append(report)
                case events.Alarm(code, detail):
                    self.alarms.add(f"{code} {detail}")
                case _:
                    pass
        for answer in answers:
            self.tell(answer)

    def _write(self, name: str, line: str) -> events.Event:
        if self.owner != self.journal.id:
            self.find("a file was written by a bridge that does not own the stack")
        try:
            oif_reader.read_line(line)
        except AssertionError as error:
            self.find(f"a line that is no instruction: {error}")
        group, venue_id = line.split(";")[9:11]
        replaces = line.startswith("PLACE") and len(self._generations(venue_id)) > 1
        if self.may_crash and self.chance.random() < (0.5 if replaces else 0.03):
            if replaces:
                self._fill_late(venue_id)
            return events.FileNotWritten(name, "denied")
        members = [it for it in self.state.venue_orders.values() if it.oco_id == group and it.venue_id != venue_id]
        if group and any(it.state in TERMINAL for it in members):
            self.find(f"the OCO id {group} was used again, of an order that is known to have ended")
        known = self.state.venue_orders.get(venue_id)
        opens = line.startswith("PLACE") and known is not None and self.state.orders[known.order_id].leg is None
        if opens and self.state.kill_switch:
            self.find("an order was opened while the kill switch was on")
        self.exchange.incoming[name] = line
        return events.FileWritten(name)

    def look(self) -> None:
        """Show the table."""
        self.tell(events.Looked(self.table.listing(), self.table.kill_switch, self.owner))

    def scan(self) -> None:
        """Read the states that were written."""
        news, self.exchange.news = self.exchange.news, []
        for venue_id in dict.fromkeys(news):
            order = self.exchange.orders[venue_id]
            average = order.paid / order.filled if order.filled else None
            self.tell(events.OrderStateRead(venue_id, order.account, order.state, order.filled, average))

    def consume(self) -> None:
        """Have NinjaTrader take a file."""
        if self.exchange.incoming:
            name = self.chance.choice(list(self.exchange.incoming))
            self.exchange.consume(name)
            self.tell(events.FileConsumed(name))

    # Chances

    def wander(self) -> None:
        """Do something, by chance."""
        actions: Mapping[Any, int] = {
            self._alert: 3, self.look: 4, self.consume: 8, self.exchange.acknowledge: 5, self.scan: 8, self._fill: 4,
            self.exchange.finish_cancels: 2, self._deliver: 8, self._wait: 6, self._seldom: 1,
        }  # fmt: skip
        [action] = self.chance.choices(list(actions), list(actions.values()))
        action()

    def _wait(self) -> None:
        self.at += timedelta(seconds=self.chance.choice((0.1, 0.3, 1, 3, 6)))
        self.tell(events.Tick())

    def _seldom(self) -> None:
        match self.chance.randrange(6):
            case 0:
                self._start()
            case 1:
                self.table.kill_switch = not self.table.kill_switch
            case 2:
                self.owner = "another" if self.owner == self.journal.id else self.journal.id
                self.look()
            case 3:
                self.tell(events.NinjaTraderStarted())
                self.tell(events.ConnectionRead(connected=True))
                # It says of its orders what they are, unless it leaves that to the next change.
                if self.chance.random() < 0.8:
                    self.exchange.news = [order.id for order in self.exchange.orders.values() if order.state]
            case 4:
                self.at += timedelta(seconds=40)
                self.tell(events.Tick())
            case _:
                if self.chance.random() < 0.15:
                    self.at += timedelta(seconds=1)
                    self.lost_at = self.at
                    self._new_journal()

    def _alert(self) -> None:
        orders = [order for order in self.table.listing() if not order.unresolved]
        kind = self.chance.randrange(5) if orders else 0
        if kind < 2:
            self._place()
            return
        order = self.chance.choice((orders[-1], self.chance.choice(orders)))
        price = {name: getattr(order, name) + self.chance.choice((-1, 1)) for name in ("limit_price", "stop_price")
                 if getattr(order, name) is not None and order.offset is None}  # fmt: skip
        if kind == 2:
            self.table.ask(self.at, order.order_id, "cancel")
        elif kind == 3 and price:
            self.table.ask(self.at, order.order_id, "change", **price)
        elif kind == 4 and order.legs and self.chance.random() < 0.5:
            self.table.cancel_waiting_leg(self.at, order.order_id, self.chance.choice(sorted(order.legs)))
        elif kind == 4 and order.order_type == "LIMIT" and order.entry_id is None:
            self.table.ask(self.at, order.order_id, "replace", order_type="MARKET", limit_price=None)

    def _place(self) -> None:
        legs: dict[str, Leg] = {}
        if self.chance.random() < 0.7:
            legs["STOP1"] = Leg("STOPMARKET", stop_price=Decimal(4900), oco_id="g")
            legs["TARGET1"] = Leg("LIMIT", limit_price=Decimal(5100), oco_id="g")
            if self.chance.random() < 0.4:
                legs = {
                    name: leg._replace(limit_price=None, stop_price=None, offset=Decimal(10))
                    for name, leg in legs.items()
                }
        is_market = self.chance.random() < 0.5
        self.table.place(
            self.at,
            legs,
            action="BUY",
            qty=self.chance.randint(1, 5),
            order_type="MARKET" if is_market else "LIMIT",
            limit_price=None if is_market else Decimal(5000),
            tif="DAY",
        )

    def _fill(self) -> None:
        live = [order for order in self.exchange.orders.values() if order.is_live and order.filled < order.qty]
        if live:
            order = self.chance.choice(live)
            price = Decimal(5000 + self.chance.randint(-5, 5))
            self.exchange.fill(order, self.chance.randint(1, order.qty - order.filled), price)

    def _fill_late(self, venue_id: str) -> None:
        """Fill what ended to make room for an order whose file could not be written."""
        *_, ended = (self.exchange.orders[it] for it in self._generations(venue_id) if it != venue_id)
        if ended.filled < ended.qty:
            self.exchange.fill(ended, self.chance.randint(1, ended.qty - ended.filled), Decimal(5000))

    def _generations(self, venue_id: str) -> tuple[str, ...]:
        """Return the venue's ids of an order that is not a leg; none for a leg's."""
        order = self.state.orders[self.state.venue_orders[venue_id].order_id]
        return () if order.leg else order.venue_ids

    def _deliver(self) -> None:
        if self.queue:
            report = self.queue.pop(self.chance.randrange(len(self.queue)))
            if not self.table.take(report, self.at) or self.chance.random() < 0.1:
                self.queue.append(report)

    # What must hold

    def _was_refused(self, order_id: str) -> bool:
        """Return whether the bridge has given a cancel up, and said so; that report may still be on its way."""
        order = self.state.orders.get(order_id)
        return order is not None and "cancel_refused" in _rung(order)

    def _judge_place(self, order: AtExchange) -> None:
        known = self.state.venue_orders.get(order.id)
        if known is None:
            return
        asked = self.table.orders.get(known.order_id)
        of_leg = self.state.orders[known.order_id].leg
        if asked is not None and of_leg is None:
            if (
                asked.want
                and asked.want.kind == "place"
                and self.at > datetime.fromisoformat(str(asked.received_at)) + TOO_LATE + timedelta(seconds=10)
            ):
                self.find("something too late was carried out")
            if self.lost_at and datetime.fromisoformat(str(asked.received_at)) < self.lost_at:
                self.find("an order older than the journal was placed")
        if of_leg and of_leg.startswith("TARGET"):
            self._judge_target(known.order_id, known.start)

    def _judge_target(self, order_id: str, start: int) -> None:
        stop_id = order_id.replace("TARGET", "STOP")
        stop = self.state.orders.get(stop_id)
        stops = [it for it in self.state.venue_orders.values() if it.order_id == stop_id and it.start == start]
        is_wanted = stop is not None and not stop.wants_cancel and not stop.ended
        if is_wanted and not any(
            self.exchange.orders[it.venue_id].state for it in stops if it.venue_id in self.exchange.orders
        ):
            self.find("a target was placed before its stop lived")

    def settle(self) -> None:
        """Let everything come to rest, without chances."""
        self.may_crash = False
        self.table.kill_switch = False
        self.owner = self.journal.id
        for _ in range(90):
            self.look()
            while self.exchange.incoming:
                self.consume()
            self.exchange.acknowledge()
            self.exchange.finish_cancels()
            for order in list(self.exchange.orders.values()):
                if order.is_live and order.kind == "MARKET" and order.filled < order.qty:
                    self.exchange.fill(order, order.qty - order.filled, Decimal(5000))
            self.scan()
            for _ in range(len(self.queue)):
                report = self.queue.pop(0)
                if not self.table.take(report, self.at):
                    self.queue.append(report)
            self.at += timedelta(seconds=1)
            self.tell(events.Tick())
        self.judge()

    def judge(self) -> None:
        """Look for what may not be, now that everything rests."""
        for order in self.table.orders.values():
            mine = [it for it in self.state.venue_orders.values() if it.order_id == order.order_id]
            there = [self.exchange.orders[it.venue_id] for it in mine if it.venue_id in self.exchange.orders]
            is_foreign = order.order_id in self.state.orders and self.state.orders[order.order_id].is_foreign
            if is_foreign or order.unresolved or self._is_older(order.received_at):
                continue
            filled = sum(it.filled for it in there)
            if filled != order.filled:
                self.find(f"{order.order_id} has {order.filled} filled in the table, {filled} at the exchange")
            told = sum(qty for order_id, qty in self.table.executions.values() if order_id == order.order_id)
            if told != filled:
                self.find(f"{order.order_id} has executions of {told}, and {filled} filled")
            live = [it for it in there if it.is_live]
            if order.state in TERMINAL and live and order.filled <= order.qty:
                self.find(f"{order.order_id} is {order.state} in the table, and works at the exchange")
            is_refused = self._was_refused(order.order_id)
            if order.want and order.want.kind == "cancel" and order.state in OPEN and not is_refused:
                self.find(f"the cancel of {order.order_id} was forgotten: {order.state}")
            if order.state in OPEN and not live and order.entry_id is None:
                self.find(f"{order.order_id} is {order.state} in the table, and nothing works for it")
            if order.state is OrderState.CHANGE_PENDING and "change_unconfirmed" not in self.table.alarms.get(
                order.order_id, set()
            ):
                self.find(f"the change of {order.order_id} is pending for ever")
            if order.legs:
                self._judge_protection(order.order_id)

    def _is_older(self, received_at: str | None) -> bool:
        return self.lost_at is not None and datetime.fromisoformat(str(received_at)) < self.lost_at

    def _judge_protection(self, entry_id: str) -> None:
        entry = self.state.orders.get(entry_id)
        stop, target = self.state.orders.get(f"{entry_id}.STOP1"), self.state.orders.get(f"{entry_id}.TARGET1")
        if entry is None or stop is None or target is None:
            return
        legs = [self.exchange.orders[it] for it in (*stop.venue_ids, *target.venue_ids) if it in self.exchange.orders]
        stops = [self.exchange.orders[it] for it in stop.venue_ids if it in self.exchange.orders]
        filled = sum(it.quantity for it in entry.increments)
        rest = filled - sum(it.filled for it in legs)
        covered = sum(it.qty - it.filled for it in stops if it.is_live)
        is_known = {"unprotected", "not_read", "overfill"} & (_rung(stop) | _rung(target) | _rung(entry))
        if stop.wants_cancel or stop.ended or is_known:
            return
        if rest > 0 and covered != rest:
            self.find(f"{entry_id} has {rest} open, and stops for {covered}")
        goals = {it.stop for it in stops if it.is_live}
        if stop.offset is not None and stop.stop_price is None and entry.increments:
            right = entry.increments[0].price
            if right is not None and any(
                Decimal(it) != ((right - stop.offset) / TICK).quantize(Decimal(1)) * TICK for it in goals
            ):
                self.find(f"the stop of {entry_id} counts from another price than the first fill's")
        targets = [self.exchange.orders[it] for it in target.venue_ids if it in self.exchange.orders]
        offered = sum(it.qty - it.filled for it in targets if it.is_live)
        if offered > max(rest, 0):
            self.find(f"{entry_id} has {rest} open, and targets for {offered}")


def _rung(order: TableOrder) -> set[str]:
    """Return the codes of an order's alarms."""
    return {trouble.partition(" ")[0] for trouble in order.rung}


def play(seed: int, steps: int, folder: Path) -> Play:
    """Play a run of so many steps, with a quiet point after every 150 or so."""
    run = Play(seed, folder)
    while run.steps < steps and not run.findings:
        run.may_crash = True
        for _ in range(run.chance.randint(40, 160)):
            run.wander()
        run.settle()
    run.journal.close()
    return run
