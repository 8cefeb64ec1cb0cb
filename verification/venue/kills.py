"""Kill the real `orderhook bridge run` amid work, again and again, and compare the table with what NinjaTrader has.

The process is killed by -9, at a moment that chance and the machine choose; DynamoDB Local has the table, the stand-in
plays NinjaTrader. After every few kills everything comes to rest, and is compared.
"""

import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from bridge.journal import Journal
from bridge.state import Config, State
from orderhook.orders import CANCELLABLE, TERMINAL, Order, OrderState
from tests import oif_reader, queues, tables, trading
from tests.engine import dynamodb_local
from tests.output import Output
from tests.service import Service
from tests.trading import Trading
from verification.processes import captured
from verification.report import Part, counts

KILLS_OF_A_RUN = 10

PATIENCE_SECONDS = 240
"""How long everything may take to come to rest: what nobody can know is `unresolved` after a minute."""

PRICES = tuple(map(Decimal, ("4990", "5000", "5010")))
INSTRUMENT = "ES 12-26"
ENTRY = {"account": "Sim101", "instrument": INSTRUMENT, "action": "BUY", "tif": "GTC"}
BRACKET = {"take_profit": "5040", "stop_loss": "4960"}


class Killing:
    """A run of kills over one table and one NinjaTrader."""

    def __init__(self, trading: Trading, chance: Random) -> None:
        self.trading, self.chance = trading, chance
        self.done: Counter[str] = Counter()
        self.findings: list[str] = []
        self._placed = 0

    def kill(self) -> None:
        """Start the bridge, give it something to do, and kill it meanwhile."""
        trading = self.trading
        trading.start()
        for _ in range(self.chance.randint(1, 3)):
            self._command()
        read, more = len(trading.paper.lines), self.chance.randint(0, 3)
        ends = time.monotonic() + self.chance.uniform(0, 1.5)
        while len(trading.paper.lines) < read + more and time.monotonic() < ends:
            trading.deliver()
            time.sleep(0.01)
        trading.kill()
        self.done["kills"] += 1

    def _command(self) -> None:
        orders = [order for order in self.trading.service.placed() if order.state in CANCELLABLE]
        word = self.chance.choice(("PLACE", "PLACE", "PLACE", "CANCEL", "CHANGE", "market"))
        limits = [order for order in orders if order.order_type == "LIMIT"]
        if word == "PLACE" or not orders:
            self._place()
        elif word == "CANCEL":
            self._send("CANCEL", order_id=self.chance.choice(orders).order_id)
        elif word == "CHANGE" and limits:
            price = self.chance.choice(("4985", "4988"))
            self._send("CHANGE", order_id=self.chance.choice(limits).order_id, limit_price=price)
        else:
            self.trading.paper.set_price(INSTRUMENT, self.chance.choice(PRICES), datetime.now(UTC))

    def _place(self) -> None:
        self._placed += 1
        kind = self.chance.choice(({"order_type": "MARKET"}, {"order_type": "LIMIT", "limit_price": "4985"}))
        bracket = BRACKET if self.chance.random() < 0.6 else {}
        self._send("PLACE", order_id=f"long-{self._placed}", qty=self.chance.randint(1, 3), **ENTRY, **kind, **bracket)

    def _send(self, command: str, **fields: object) -> None:
        answer = self.trading.send(command, **fields)
        self.done[f"{command} {answer.word}"] += 1
        if answer.status >= 500:
            self.findings.append(f"{command} was answered {answer.status} {answer.word}")

    def settle(self) -> None:
        """Have the bridge run until nothing is under way, compare, and kill it once more."""
        self.trading.start()
        try:
            self.trading.until(self._is_at_rest, PATIENCE_SECONDS)
        except AssertionError as error:
            self.findings.append(f"no rest: {error}, {list(self._differences())}")
        self.findings += self._differences()
        self.trading.kill()

    def _is_at_rest(self) -> bool:
        return not any(_is_under_way(order) for order in self.trading.service.placed()) and not any(self._differences())

    def _differences(self) -> Iterator[str]:
        """Yield what differs between the table, the bridge's journal and NinjaTrader."""
        service, paper = self.trading.service, self.trading.paper
        lines = Counter(
            line.order_id for line in map(oif_reader.read_line, list(paper.lines)) if line.command == "PLACE"
        )
        yield from (f"{venue_id} was placed {number} times" for venue_id, number in lines.items() if number > 1)
        known = self._journal()
        there = defaultdict(list)
        for at_venue in list(paper.orders):
            if at_venue.order_id in known.venue_orders:
                there[known.venue_orders[at_venue.order_id].order_id].append(at_venue)
            else:
                yield f"{at_venue.order_id} is in no journal"
        told: Counter[str] = Counter()
        for execution in service.services.bridge.executions(service.trader):
            told[execution.venue_id] += execution.quantity
        filled: Counter[str] = Counter()
        for fill in list(paper.executions):
            filled[fill.order_id] += abs(fill.quantity)
        yield from (
            f"{it}: {told[it]} are told as filled, {filled[it]} were"
            for it in sorted(told | filled)
            if told[it] != filled[it]
        )
        held = {(it.account, it.instrument): it for it in service.services.bridge.positions(service.trader)}
        for pair, position in list(paper.positions.items()):
            said = held.get(pair)
            signed = 0 if said is None else said.quantity * (-1 if said.side == "SHORT" else 1)
            if signed != position.quantity:
                yield f"{pair} is {position.quantity}, and {signed} in the table"
        for order in service.placed():
            live = [it for it in there[order.order_id] if not it.is_finished]
            sizes = sum(it.filled for it in there[order.order_id] if not known.venue_orders[it.order_id].closes)
            if order.state in TERMINAL and live:
                yield f"{order.order_id} is {order.state}, and works at NinjaTrader"
            if order.state not in TERMINAL and not live and not order.unresolved:
                yield f"{order.order_id} is {order.state}, and nothing works for it"
            if order.filled != sizes:
                yield f"{order.order_id}: {order.filled} are filled in the table, {sizes} at NinjaTrader"
            if order.unresolved and there[order.order_id]:
                yield f"{order.order_id} is unresolved, and NinjaTrader has said what became of it"

    def _journal(self) -> State:
        journal = Journal.open(self.trading.settings.journal_path)
        with closing(journal):
            return State.restored(Config(journal.id, "", ()), journal.records(), datetime.now(UTC))

    def outcomes(self) -> Counter[str]:
        """Return how many orders are in which state."""
        orders = self.trading.service.placed()
        return Counter("unresolved" if order.unresolved else str(order.state) for order in orders)


def _is_under_way(order: Order) -> bool:
    if order.state in TERMINAL or order.unresolved:
        return False
    return order.state is OrderState.INITIALIZED or (order.want is not None and order.want.n > order.acked)


def run(*, kills: int, seed: int) -> Part:
    """Kill it so many times, and say what was found."""
    began = time.monotonic()
    with (
        dynamodb_local.running() as endpoint,
        queues.in_process() as queue,
        captured() as (take, monkeypatch),
        tempfile.TemporaryDirectory() as folder,
    ):
        for variable in ("XDG_STATE_HOME", "LOCALAPPDATA"):  # where the process has its journal
            monkeypatch.setenv(variable, str(Path(folder, "state")))
        service = Service(tables.at(endpoint), queue, Output(take, monkeypatch), monkeypatch)
        with trading.trading(service, Path(folder), monkeypatch) as bridged:
            killing = Killing(bridged, Random(seed))
            for number in range(kills):
                killing.kill()
                if (number + 1) % KILLS_OF_A_RUN == 0 or number + 1 == kills:
                    killing.settle()
            outcomes = killing.outcomes()
            written, had = len(bridged.paper.lines), len(bridged.paper.orders)
        service.clear_away()
    lines = [
        f"{killing.done.pop('kills')} kills of the bridge's process, over DynamoDB Local and a stand-in. Seed {seed}.",
        f"Commands: {counts(killing.done)}.",
        f"Orders: {counts(outcomes)}. Instructions read: {written}; orders at the venue: {had}.",
    ]
    shown = list(dict.fromkeys(killing.findings))
    return Part("Kills", lines, shown[:20], len(shown), time.monotonic() - began)
