"""The functions under test: the real handlers over a real table, as one trader sees them."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

import tests.environment  # noqa: F401  the functions read it when they are imported

# isort: split

import deferred
import notify
import reports
import webhook
from cli.aws.scheduler import LocalScheduler
from orderhook import answering, instruments, keys
from orderhook.aws import deferred as deferred_module
from orderhook.aws.clients import connect
from orderhook.aws.deferred import Deferred
from orderhook.aws.doorbell import Doorbell
from orderhook.commands import Command
from orderhook.keys import KeyRing
from orderhook.limits import Limits
from orderhook.order_reports import Report
from orderhook.orders import Binding, Order, OrderState, Strategy, Want, timestamp
from orderhook.outcome import Outcome
from orderhook.services import Services
from orderhook.store import items
from orderhook.store.alert_log import AlertLog, AlertRecord
from orderhook.store.strategies import strategy_write
from orderhook.store.table import Table as StoreTable
from orderhook.store.table import deserialize, serialize
from orderhook.store.writes import TransactionFailed
from orderhook.venues import NINJATRADER, TABLE, Venue
from tests.builders import ENTRY, Bracket, Event, alert, event, order, provenance, template
from tests.client_faults import Network
from tests.clock import Clock
from tests.output import Answer, Output
from tests.queues import Queue
from tests.tables import RETENTION, Item, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ALERT_RETENTION = timedelta(days=11)
BUDGET_SECONDS = answering.BUDGET_SECONDS

FILLED = {"PartFilled": 2, "Filled": 5}
"""How much is filled, of five, of an order in these states."""


def wall_clock(now: Callable[[], datetime]) -> type[datetime]:
    """Return a datetime that tells the time which a test has let pass."""

    class WallClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # noqa: ARG003
            return now()

    return WallClock


class NeverComing(dict[tuple[str, str], date]):
    """A list by which no contract rolls or expires."""

    def get(self, _: tuple[str, str], default: object = None) -> date:  # noqa: ARG002
        return date.max


class Service:
    """The handlers, the table behind them, and one trader with a key.

    What a test arranges and looks at does not pass the `network`, which is the handlers' alone.
    """

    def __init__(self, table: Table, queue: Queue, output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table = table
        self.queue = queue
        self.output = output
        self.monkeypatch = monkeypatch
        self.clock = Clock(monkeypatch)
        self.network = Network(table.deliver, self.clock)
        self.trader = f"trader-{uuid4().hex}"
        self.venue = TABLE
        self._doorbell: Doorbell | None = None
        self._watched: set[str] = set()
        """The services whose client the network watches."""
        self.services = self._services(table.client, table.name)
        self.orders, self.keys, self.templates = self.services.orders, self.services.keys, self.services.templates
        self.controls, self.alerts = self.services.controls, self.services.alert_log
        self.key = self.issue_key()
        self.network.watch(table.handlers_client)
        monkeypatch.setattr(deferred_module, "connect", self._client_of_deferred)
        self.deferred = Deferred(queue.settings)
        self.use_table(table.name)
        for handlers in (webhook, deferred, notify):
            monkeypatch.setattr(handlers, "datetime", wall_clock(lambda: queue.now))
        # What tests trade rolls and expires on no day on which they run.
        monkeypatch.setattr(instruments, "PUBLISHED_OTHERWISE", NeverComing())
        self.scheduler = LocalScheduler(deferred.handler, queue.settings)
        self._clients: list[DynamoDBClient] = []

    # What the handlers work with

    def _client_of_deferred(self, service: str) -> object:
        client = self.queue.handlers_client(service)
        if service not in self._watched:
            self._watched.add(service)
            self.network.watch(client, self.queue.deliver)
        return client

    @property
    def handlers_services(self) -> Services:
        """What the handlers work with."""
        return webhook.services

    def defer_with(self, deferred_work: Deferred | None) -> None:
        """Have the handlers put off with this what is due later; None is a deployment without a queue."""
        self._replace(deferred=deferred_work)

    def remember_keys(self, seconds: float) -> None:
        """Have the webhook know no key yet, and remember each for this long."""
        self.monkeypatch.setattr(webhook, "keyring", KeyRing(self.handlers_services.keys.get, seconds))

    def use_table(self, name: str) -> None:
        """Have the handlers work on another table behind the same client."""
        services = self._services(self.table.handlers_client, name)
        self._replace(**services._replace(deferred=self.deferred)._asdict())
        self.remember_keys(30)

    def use_venue(self, venue: Venue = NINJATRADER, *, heard: bool = True) -> None:
        """Have new orders go to this venue, of whose bridge a heartbeat has just come."""
        self.venue = venue
        self.use_table(self.table.name)
        if self._doorbell is None:
            client: Any = self._client_of_deferred("sqs")
            self._doorbell = Doorbell(self.queue.doorbell_url, client)
        self._replace(doorbell=self._doorbell if venue.name else None)
        if heard:
            self.hear_bridge()

    def services_of_operator(self) -> Services:
        """Return what the command line works with."""
        return self._services(self.table.client, self.table.name)._replace(doorbell=self._doorbell)

    def hear_bridge(self, *, accounts: tuple[str, ...] = ("Sim101",), ready: bool = True, reason: str = "") -> None:
        """Have the bridge say how it is, as ReportsFunction writes it."""
        bridge = {"journal": "j1", "host": "PC", "accounts": [*accounts], "ready": ready}
        bridge |= {"at": timestamp(self.queue.now)} | ({"reason": reason} if reason else {})
        self.table.client.update_item(
            TableName=self.table.name,
            Key=serialize(items.controls_key(self.trader)),
            UpdateExpression="SET bridge = :bridge",
            ExpressionAttributeValues=serialize({":bridge": bridge}),
        )

    def answer_want(self, state: str, order_id: str = "order-1", **fields: Any) -> None:
        """Have the bridge report that it has done what was asked of an order, which then is in this state."""
        order = self.order(order_id)
        assert order is not None
        assert order.want is not None
        signed = provenance(self.trader, f"{state}-{order_id}-{order.want.n}")
        history = (*order.history, signed.event(OrderState(state)))
        after = order._replace(state=OrderState(state), since=signed.now, acked=order.want.n, history=history, **fields)
        assert self.orders.rewrite(signed, order, after)

    def answer_release(self, order_id: str, want: Want | None) -> None:
        """Have a leg that was released be at the venue, as ReportsFunction writes it."""
        leg = self.order(order_id)
        assert leg is not None
        at_venue = leg._replace(venue=self.venue.name, want=want, acked=1)
        assert self.orders.rewrite(provenance(self.trader, f"release-{order_id}"), leg, at_venue)

    def write_to(self, endpoint: str) -> None:
        """Have the handlers write orders at another endpoint, and read keys and controls where they did before."""
        there = self._services(self._connect(endpoint), self.table.name)
        self._replace(table=there.table, orders=there.orders, strategies=there.strategies, templates=there.templates)

    def record_at(self, endpoint: str) -> None:
        """Have the handlers leave their records of alerts at another endpoint."""
        self._replace(alert_log=self._services(self._connect(endpoint), self.table.name).alert_log)

    def record_nothing(self) -> None:
        """Have the handlers leave no records, as in a deployment that keeps none."""
        table = StoreTable(self.table.handlers_client, self.table.name)
        self._replace(alert_log=AlertLog(table, timedelta(0)))

    def allow_sources(self, *networks: str) -> None:
        allowed = tuple(map(ip_network, networks))
        self.monkeypatch.setattr(webhook, "settings", webhook.settings._replace(allowed_sources=allowed))

    def _services(self, client: "DynamoDBClient", name: str) -> Services:
        return Services.over(
            StoreTable(client, name), retention=RETENTION, alert_retention=ALERT_RETENTION, venue=self.venue
        )

    def _replace(self, **services: Any) -> None:
        for handlers in (webhook, deferred, reports, notify):
            self.monkeypatch.setattr(handlers, "services", handlers.services._replace(**services))

    def _connect(self, endpoint: str) -> "DynamoDBClient":
        client = connect("dynamodb", endpoint_url=endpoint)
        self._clients.append(client)
        return client

    # Time

    def set_budget(self, seconds: float) -> None:
        """Have the webhook answer within this time."""
        self.monkeypatch.setattr(answering, "BUDGET_SECONDS", seconds)

    def let_pass(self, seconds: float) -> None:
        """Have the handlers' clock be this much later; nothing that is due by then is done."""
        self.queue.pass_time(seconds, self.monkeypatch)

    def pass_time(self, seconds: float) -> None:
        """Have the queue and the schedules be this much later, and do what is due by then."""
        self.queue.pass_time(seconds, self.monkeypatch)
        self.scheduler.run_once(self.queue.now)

    # Alerts

    def send(self, command: str, **fields: object) -> Answer:
        """Send an alert with the trader's key, or the one among `fields`."""
        return self.post(alert({"key": self.key, "command": command, **fields}))

    def cancel(self, order_id: str, **fields: object) -> Answer:
        return self.send("CANCEL", order_id=order_id, **fields)

    def turn(self, kill_switch: str, **fields: object) -> Answer:
        """Turn the kill switch with the trader's key, or the one among `fields`."""
        return self.post(alert({"key": self.key, "kill_switch": kill_switch, **fields}))

    def place(self, order_id: str | None = None, **changes: object) -> Answer:
        """Send a PLACE of builders.ENTRY with these changes."""
        return self.send("PLACE", order_id=order_id, **{**ENTRY, **changes})

    def post(self, body: str | bytes | None) -> Answer:
        return self.handle(event(body))

    def handle(self, request: Event) -> Answer:
        return Answer.of(webhook.handler(request, None))

    def warm_up(self) -> None:
        """Have the handler know the trader's key, and forget what it took to learn it."""
        self.cancel("nothing-has-this-id")
        self.network.forget()
        self.output.take()

    # Arrangements

    def set_strict_kill_switch(self, *, strict: bool) -> None:
        """Have an operator say whether the kill switch stops what the trader's key may cancel."""
        self.keys.set_strict_kill_switch(self.key.split("_")[1], strict=strict)

    def issue_key(
        self,
        *,
        trader: str | None = None,
        scopes: frozenset[str] = frozenset(),
        strict_kill_switch: bool = False,
        turns_kill_switch: bool = True,
        **limits: Any,
    ) -> str:
        """Issue a key; `limits` are the fields of Limits."""
        secret, key = keys.issue(
            trader=trader or self.trader,
            label="a test's",
            scopes=scopes,
            created="2026-01-02T03:04:05.000000Z",
            strict_kill_switch=strict_kill_switch,
            turns_kill_switch=turns_kill_switch,
            limits=Limits(**limits) if limits else None,
        )
        self.keys.put(key)
        return secret

    def revoke_key(self, key: str | None = None) -> None:
        """Have an operator revoke a key, the trader's if none is given."""
        self.keys.revoke((key or self.key).split("_")[1], datetime.now(UTC))

    def put_template(self, name: str, *brackets: Bracket, trader: str | None = None, replacing: bool = False) -> None:
        """Have an operator store a template; a bracket is a quantity and the points to its target and its stop."""
        stored = template(name, *brackets)
        assert self.templates.put(trader or self.trader, stored, replacing=replacing)

    def have_order(self, state: str, order_id: str = "order-1", *, filled: int | None = None, **fields: Any) -> None:
        """Have an order be in this state, as it would get there."""
        placed = provenance(self.trader, f"place-{order_id}")
        assert self.orders.put(placed, order(placed, order_id, **fields)).applied
        self._bring_to(state, order_id, filled)

    def have_strategy(self, state: str, name: str, order_id: str = "order-1", *, filled: int | None = None) -> None:
        """Have strategy-1 be running, and `name` in it be an order in this state."""
        assert self.join_strategy(order_id, name, start=True)
        self._bring_to(state, order_id, filled)

    def have_stop(self, state: str) -> Item:
        """Have order-1 be STOP1 of strategy-1, in this state and filled to match, and return its item."""
        self.have_strategy(state, "STOP1", filled=FILLED.get(state))
        item = self.item()
        assert item is not None
        return item

    def join_strategy(self, order_id: str, name: str, *, state: str = "Initialized", start: bool = False) -> bool:
        """Have another function place an order under this name in strategy-1, and return whether it could."""
        placed = provenance(self.trader, f"place-{order_id}")
        before = None if start else self.services.strategies.get(self.trader, "strategy-1")
        number = int(name.removeprefix("ENTRY"))
        numbers = {**(before.numbers if before else {}), number: Binding(order_id, placed.now)}
        strategy = Strategy(strategy_id="strategy-1", account="Sim101", instrument="ES 12-26", numbers=numbers)
        joining = order(
            placed, order_id, strategy_id="strategy-1", order_name=name, number=number, state=OrderState(state)
        )
        writes = [self.orders.putting(placed, joining), strategy_write(placed, before, strategy)]
        try:
            self.services.table.transact(writes)
        except TransactionFailed:
            return False
        return True

    def close_strategy(self, strategy_id: str = "strategy-1") -> None:
        """Have another function close a strategy."""
        self.services.strategies.close(provenance(self.trader, "closing"), strategy_id, lambda _: None)

    def report(self, state: str, filled: int | None = None, *, order_id: str = "order-1", request_id: str = "") -> None:
        """Have a venue report that an order is in this state, and how much of it is filled; it is taken."""
        assert self.try_report(state, filled, order_id=order_id, request_id=request_id)

    def try_report(
        self,
        state: str,
        filled: int | None = None,
        *,
        order_id: str = "order-1",
        request_id: str = "",
        trader: str | None = None,
        by_handler: bool = False,
    ) -> bool:
        """Have a venue report it, and return whether it is taken; `by_handler` its request meets the faults."""
        signed = provenance(trader or self.trader, request_id or f"{state}-{order_id}")
        services = self.handlers_services if by_handler else self.services
        return services.reports.record(signed, order_id, Report(OrderState(state), filled or 0)).applied

    def cancel_elsewhere(self, order_id: str = "order-1", *, request_id: str = "elsewhere") -> None:
        """Have another function cancel an order."""
        assert self.orders.cancel(provenance(self.trader, request_id), order_id).applied

    def run(self, command: Command, request_id: str) -> Outcome:
        """Carry out a command of the trader's in a request of its own, as another function would."""
        return command.run(self.services, provenance(self.trader, request_id))

    def _bring_to(self, state: str, order_id: str, filled: int | None) -> None:
        if state == "Cancelled":
            self.cancel_elsewhere(order_id, request_id=f"{state}-{order_id}")
        elif state != "Initialized":
            self.report(state, filled, order_id=order_id)

    def remove(self, order_id: str) -> None:
        """Have a finished order leave the table, as it does when its time has come."""
        self._remove(items.order_key(self.trader, order_id))

    def remove_item(self, item: Item) -> None:
        """Have an item leave the table, as one does that has expired."""
        self._remove({name: item[name] for name in ("pk", "sk")})

    def remove_template(self, name: str) -> None:
        self._remove(items.template_key(self.trader, name))

    def _remove(self, key: Item) -> None:
        self.table.client.delete_item(TableName=self.table.name, Key=serialize(key))

    def clear_away(self) -> None:
        """Leave the clients alone, and the table and the queue empty."""
        self.network.leave()
        for client in self._clients:
            client.close()
        self.queue.clear()
        self.table.empty()

    # What the table holds

    def item(self, order_id: str = "order-1") -> Item | None:
        """Return an order as it lies in the table, in DynamoDB's own form."""
        return self.get(items.order_key(self.trader, order_id))

    def order(self, order_id: str = "order-1") -> Order | None:
        """Return an order as the product reads it."""
        return self.orders.get(self.trader, order_id)

    def placed(self, trader: str | None = None) -> list[Order]:
        """Return all orders of a trader, by id."""
        return [items.order(item) for item in self.orders.items(trader or self.trader)]

    def state(self, order_id: str = "order-1") -> str | None:
        item = self.item(order_id)
        return item["state"]["S"] if item else None

    def record_of(self, answer: Answer) -> AlertRecord:
        """Return the record of an alert that was answered like this."""
        record = self.alerts.get(self.trader, answer.request_id)
        assert record is not None
        return record

    def belongings(self) -> list[Item]:
        """Return everything that belongs to the trader, in DynamoDB's own form, but for when keys were used."""
        found = self.table.read(items.trader_partition(self.trader))
        return [item for item in found if not item["sk"]["S"].startswith("KEYUSE#")]

    def open_orders(self) -> list[str]:
        """Return the ids in the index of open orders."""
        found = self.table.client.query(
            TableName=self.table.name,
            IndexName="open",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": items.trader_partition(self.trader)}},
            ConsistentRead=True,
        )
        return [item["order_id"]["S"] for item in found["Items"] if "order_id" in item]  # or it is an instruction

    def strategy(self, strategy_id: str = "strategy-1") -> Item | None:
        return self.get(items.strategy_key(self.trader, strategy_id))

    def everything(self) -> list[Item]:
        """Return every item of the table, of all traders."""
        return self.table.read_all()

    def get(self, key: Item) -> Item | None:
        """Return the item with this key, in DynamoDB's own form."""
        return next((item for item in self.table.read(key["pk"]) if item["sk"]["S"] == key["sk"]), None)

    def plain(self, order_id: str = "order-1") -> Item:
        """Return an order as it lies in the table, in plain values; it must be there."""
        item = self.item(order_id)
        assert item is not None
        return deserialize(item)

    def after_cancel(self, before: Item, request_id: str, at: str) -> Item:
        """Return an order's item with all that a cancel by the trader's key changes, and nothing else."""
        key_id = self.key.split("_")[1]
        expires = datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) + RETENTION
        event = {"state": "Cancelled", "at": at, "request_id": request_id, "key_id": key_id}
        changes = serialize(
            {
                "state": "Cancelled",
                "since": at,
                "version": int(before["version"]["N"]) + 1,
                "request_id": request_id,
                "cancelled_at": at,
                "cancel_request_id": request_id,
                "cancel_key_id": key_id,
                "cancel_filled": int(before["filled"]["N"]),
                "expires": int(expires.timestamp()),
                "history": [*deserialize(before)["history"], event],
            }
        )
        return {name: value for name, value in before.items() if name != "open"} | changes
