"""The whole way in one thread: webhook, table, bridge, folder, stand-in for NinjaTrader, reports. Time stands still."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import deferred
import reports
import webhook
from bridge.journal import Journal
from bridge.link import Clock, Link, LinkError
from bridge.ninjatrader import Folder
from bridge.run import IDLE_SECONDS, Bridge
from bridge.settings import BridgeSettings
from bridge.state import Config, State
from cli.aws import scheduler
from cli.aws.paper import Paper
from orderhook.aws.clients import connect
from tests.client_faults import Network
from tests.service import Service, wall_clock

STEP = timedelta(milliseconds=100)
PATIENCE = timedelta(minutes=2)
"""How long, in the world's time, a test waits for what never comes."""
ACCOUNTS = ("Sim101", "Sim102")


class AtOnce(Executor):
    """Does at once what it is given."""

    def submit(self, request: Callable[..., Any], /, *arguments: Any, **options: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(request(*arguments, **options))
        except LinkError as error:
            future.set_exception(error)
        return future


class World:
    """One trader, one NinjaTrader, and the bridge between; `step` lets a moment pass."""

    accounts_at_venue: tuple[str, ...] = ACCOUNTS
    accounts: tuple[str, ...] = ACCOUNTS
    """The bridge's."""

    def __init__(
        self,
        service: Service,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        reports_of: "World | None" = None,
    ) -> None:
        """`reports_of` is a world before it on the same stack, whose queue it sends to."""
        self.service, self._path = service, folder
        self.asked_in = folder / "asked"
        if reports_of is None:
            service.use_venue(heard=False)
        self.at: datetime = service.queue.now
        for handlers in (webhook, deferred):
            monkeypatch.setattr(handlers, "datetime", wall_clock(lambda: self.at))
        monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: self.at.timestamp() * 1000)
        monkeypatch.setattr(reports, "services", service.services)
        monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))
        sqs = connect("sqs")
        # Made twice, it is one queue.
        self._reports_url = sqs.create_queue(QueueName=f"reports-{service.trader}")["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=self._reports_url, AttributeNames=["QueueArn"])
        self._reports_arn = answer["Attributes"]["QueueArn"]
        self.paper = Paper(folder, accounts=self.accounts_at_venue, moves=False)
        self.paper.start(self.at)
        self.told: list[str] = []
        """What the bridge has told its person."""
        self.network = Network(service.table.deliver, service.clock)
        self._bridge: Bridge | None = None
        self.journal: Journal | None = None

    # The bridge

    def start(self, *, take_over: bool = False) -> None:
        """Start the bridge, from its journal if it has one."""
        urls = self.service.queue.doorbell_url, self._reports_url
        settings = BridgeSettings("stack", "us-east-1", self.service.table.name, self.service.trader, *urls)
        with pytest.MonkeyPatch.context() as there:
            for endpoint in filter(None, [self.service.table.options.get("endpoint_url")]):
                there.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
            self.link = Link.connect(settings, _WorldsClock(self))
        self.network.leave()
        self.network.watch(self.link.dynamodb)
        self.network.watch(self.link.sqs, self.service.queue.deliver)
        self.journal = Journal.open(self._path / "journal.sqlite", self.at)
        self._bridge = self.make_bridge(
            Config(self.journal.id, "PC", self.accounts, take_over=take_over),
            self.journal,
            Folder(self._path, self.accounts, self.paper.started),
            self.link,
            trader=self.service.trader,
            background=AtOnce(),
            tell=self.told.append,
            asked_in=self.asked_in,
            monotonic=lambda: self.at.timestamp(),
        )

    def ring(self) -> None:
        """Have the bridge look at the table in its next turn."""
        assert self._bridge
        self._bridge.ring()

    def make_bridge(self, *parts: Any, **options: Any) -> Bridge:
        """Return the bridge, of these parts."""
        return Bridge(*parts, **options)

    def kill(self) -> None:
        """End the bridge without a word."""
        if self.journal:
            self.journal.close()
        self._bridge = self.journal = None

    def stop(self) -> None:
        """End the bridge as Ctrl-C does, and have its last word be heard."""
        assert self._bridge
        self._bridge.say_goodbye()
        self.kill()
        self.deliver_reports()

    # Time

    def step(self) -> None:
        """Let a moment pass: NinjaTrader, the doorbell, the bridge, and the reports take their turns."""
        self.at += STEP
        self.paper.step(self.at)
        if self._bridge:
            self.turn()
        self.deliver_reports()

    def turn(self) -> None:
        """Have the bridge take its turn, after the doorbell."""
        assert self._bridge
        if self.service.queue.rings and self.link.wait(0):  # to ask an empty queue takes longer than all else in a turn
            self._bridge.ring()
        self._bridge.turn()

    @property
    def state(self) -> State:
        """What the bridge knows."""
        assert self._bridge
        return self._bridge.state

    def deliver_reports(self) -> None:
        if self.service.queue.messages_in(self._reports_url):
            scheduler.deliver(reports.handler, [self._reports_arn], nullcontext())

    def rest(self, seconds: float) -> None:
        """Let time pass as the bridge's loop does while nothing is under way; nobody listens to the doorbell."""
        assert self._bridge
        ends = self.at + timedelta(seconds=seconds)
        while self.at < ends:
            self.at += timedelta(seconds=IDLE_SECONDS)
            self.paper.step(self.at)
            self._bridge.turn()
            self.deliver_reports()

    def let_pass(self, seconds: float) -> None:
        ends = self.at + timedelta(seconds=seconds)
        while self.at < ends:
            self.step()

    def until(self, condition: Callable[[], object]) -> None:
        """Let time pass until something is so."""
        ends = self.at + PATIENCE
        while not condition():
            assert self.at < ends, self.picture()
            self.step()

    def until_state(self, order_id: str, *states: str) -> None:
        """Let time pass until an order is in one of these states."""
        self.until(lambda: self.states().get(order_id) in states)

    # What is there

    def states(self) -> dict[str, str]:
        """Return the state of each order of the table."""
        return {order.order_id: str(order.state) for order in self.service.placed()}

    def live(self) -> list[str]:
        """Return what works at the venue: kind, action, quantity and price of each order, in their order."""
        orders = [order for order in self.paper.orders if not order.is_finished]
        return sorted(f"{it.order_type} {it.action} {it.rest} {it.limit or it.stop or ''}".strip() for it in orders)

    def position(self, account: str = "Sim101", instrument: str = "ES 12-26") -> int:
        quantity, _ = self.paper.positions[account, instrument]
        return quantity

    def placed_lines(self) -> list[str]:
        """Return the instructions to place that NinjaTrader has read."""
        return [line for line in self.paper.lines if line.startswith("PLACE;")]

    def picture(self) -> str:
        return f"{self.states()}, {self.live()}, {self.told}"


class _WorldsClock(Clock):
    """AWS's time is the world's."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def now(self) -> datetime:
        return self._world.at
