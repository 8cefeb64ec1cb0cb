"""The function under test: the real handler over a real book, as one trader sees it."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

import deferred
import webhook
from cli.aws.scheduler import LocalScheduler
from orderhook import keys, telemetry
from orderhook.aws import deferred as deferred_module
from orderhook.aws.clients import connect
from orderhook.aws.deferred import Deferred
from orderhook.keys import KeyRing
from orderhook.orders import OrderState, Strategy, StrategyState
from orderhook.store import items
from orderhook.store.alert_log import AlertLog, AlertRecord
from orderhook.store.book import OrderBook
from orderhook.store.controls import Controls
from tests.builders import ENTRY, Event, alert, event, order, provenance
from tests.queues import Queue
from tests.wire import Deliver, Wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RETENTION = timedelta(days=9)
ALERT_RETENTION = timedelta(days=11)
BUDGET_SECONDS = webhook.BUDGET_SECONDS

Item = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A tier's table."""

    name: str
    client: "DynamoDBClient"
    """For what tests arrange and inspect."""
    options: Mapping[str, Any]
    """What connect() needs for a further client."""
    deliver: Deliver
    """How a request gets there past the hooks of a client."""
    read_all: Callable[[], list[Item]]
    """How to see every item, of all traders, in DynamoDB's own form."""
    checkpoint: Callable[[], Callable[[], None]] | None = None
    """Remember what the table holds, and return how to have it hold that again, where there is a fast way to."""

    @cached_property
    def handlers_client(self) -> "DynamoDBClient":
        """The client of the handler, on which a test's wire is."""
        return connect("dynamodb", **self.options)


@dataclass(frozen=True)
class Answer:
    """What the handler returned; `body` is without the request id, which no test can know."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    request_id: str
    text: str

    @classmethod
    def of(cls, response: Mapping[str, Any]) -> "Answer":
        assert response["isBase64Encoded"] is False
        body = json.loads(response["body"])
        return cls(response["statusCode"], response["headers"], body, body.pop("request_id"), str(response))

    @property
    def word(self) -> str:
        """The status word of a success, the code of a refusal."""
        word: str = self.body["status" if self.body["success"] else "error"]
        return word


class _Stdout:
    """Standard output as it is at the moment: the logger keeps the one of webhook's import, pytest changes it often."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


class Output:
    """Everything that the function writes to standard output and error; taking it empties it."""

    def __init__(self, take: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Take what was written with `take`."""
        self.take = take
        monkeypatch.setattr(telemetry.logger.registered_handler, "stream", _Stdout())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.take().splitlines()]


class Service:
    """The handler, the table behind it, and one trader with a key.

    What a test arranges and inspects goes through `book` and is not on the `wire`, which is the handler's alone.
    """

    def __init__(self, table: Table, queue: Queue, output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table = table
        self.queue = queue
        self.output = output
        self.wire = Wire(table.deliver)
        self.trader = f"trader-{uuid4().hex}"
        self.monkeypatch = monkeypatch
        self.book = OrderBook(table.client, table.name, RETENTION)
        self.controls = Controls(table.client, table.name)
        self.key = self.issue_key()
        self.wire.watch(table.handlers_client)
        self.wired_book = OrderBook(table.handlers_client, table.name, RETENTION)
        self.work_on(self.wired_book)
        self.alerts = AlertLog(table.client, table.name, ALERT_RETENTION)
        self.record_in(AlertLog(table.handlers_client, table.name, ALERT_RETENTION))
        monkeypatch.setattr(deferred_module, "connect", self._client_of_later)
        self.later = Deferred(queue.settings)
        self.do_later_with(self.later)
        self.local_scheduler = LocalScheduler(deferred.handler, queue.settings)
        self.take_time()

    def _client_of_later(self, service: str) -> object:
        client = self.queue.handlers_client(service)
        self.wire.watch(client, self.queue.deliver)
        return client

    def do_later_with(self, later: Deferred | None) -> None:
        """Have the handlers put off with this what is to be done later; None is a deployment without a queue."""
        self.monkeypatch.setattr(webhook, "later", later)
        self.monkeypatch.setattr(deferred, "later", later)

    def pass_time(self, seconds: float) -> None:
        """Have the queue and the schedules be so much later, and done what is due then."""
        self.queue.pass_time(seconds, self.monkeypatch)
        self.local_scheduler.run_once(self.queue.now)

    def take_time(self) -> None:
        """Have the handlers answer when they can: a busy machine is not a slow table."""
        self.monkeypatch.setattr(webhook, "BUDGET_SECONDS", 30)
        self.monkeypatch.setattr(deferred, "BUDGET_SECONDS", 30)

    def keep_time(self) -> None:
        """Have the handler answer as soon as it must."""
        self.monkeypatch.setattr(webhook, "BUDGET_SECONDS", BUDGET_SECONDS)

    def work_on(self, book: OrderBook, *, key_cache_seconds: float = 30) -> None:
        """Have the handler work on this book and the controls in its table, with an empty cache of keys."""
        self.write_to(book)
        self.monkeypatch.setattr(webhook, "controls", Controls(book._client, book._table))
        self.monkeypatch.setattr(deferred, "controls", Controls(book._client, book._table))
        self.monkeypatch.setattr(webhook, "keyring", KeyRing(book.key, key_cache_seconds))

    def write_to(self, book: OrderBook) -> None:
        """Have the handler write orders to this book, and know the keys and the controls that it knows."""
        self.monkeypatch.setattr(webhook, "book", book)
        self.monkeypatch.setattr(deferred, "book", book)

    def record_in(self, log: AlertLog) -> None:
        """Have the handler leave its records of alerts here."""
        self.monkeypatch.setattr(webhook, "alerts", log)
        self.monkeypatch.setattr(deferred, "alerts", log)

    def allow_sources(self, *networks: str) -> None:
        allowed = tuple(map(ip_network, networks))
        self.monkeypatch.setattr(webhook, "settings", webhook.settings._replace(allowed_sources=allowed))

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
        self.wire.requests.clear()
        self.wire.records.clear()
        self.output.take()

    # Arrangements

    def issue_key(
        self, *, trader: str | None = None, scopes: frozenset[str] = frozenset(), strict_kill_switch: bool = False
    ) -> str:
        secret, key = keys.issue(
            trader=trader or self.trader,
            label="a test's",
            scopes=scopes,
            created="2026-01-02T03:04:05.000000Z",
            strict_kill_switch=strict_kill_switch,
        )
        self.book.put_key(key)
        return secret

    def have_order(self, state: str, order_id: str = "order-1", *, filled: int | None = None) -> None:
        """Have the book hold an order in this state, as it would get there."""
        placed = provenance(self.trader, f"place-{order_id}")
        assert self.book.place(placed, order(placed, order_id)).done
        self._bring_to(state, order_id, filled)

    def have_strategy(self, state: str, name: str, order_id: str = "order-1", *, filled: int | None = None) -> None:
        """Have the book hold strategy-1, in which `name` is an order in this state."""
        placed = provenance(self.trader, f"place-{order_id}")
        strategy = Strategy(
            strategy_id="strategy-1", account="Sim101", instrument="ES 12-26", state=StrategyState.ACTIVE
        )
        bound = order(placed, order_id, strategy_id=strategy.strategy_id, order_name=name)
        assert self.book.place_in_strategy(placed, strategy, [bound], join=False).done
        self._bring_to(state, order_id, filled)

    def fill(self, order_id: str, filled: int) -> None:
        """Have a venue report that so much of a working order for five is filled."""
        state = OrderState.FILLED if filled == 5 else OrderState.PART_FILLED
        assert self.book.report(provenance(self.trader, f"fill-{order_id}"), order_id, state, filled).done

    def _bring_to(self, state: str, order_id: str, filled: int | None) -> None:
        later = provenance(self.trader, f"{state}-{order_id}")
        if state == OrderState.CANCELLED:
            assert self.book.cancel(later, order_id).done
        elif state != OrderState.INITIALIZED:
            assert self.book.report(later, order_id, OrderState(state), filled).done

    def remove(self, order_id: str) -> None:
        """Have a finished order leave the table, as it does when its time has come."""
        self._remove(items.order_key(self.trader, order_id))

    def remove_template(self, name: str) -> None:
        self._remove(items.template_key(self.trader, name))

    def _remove(self, key: Item) -> None:
        self.table.client.delete_item(TableName=self.table.name, Key=items.wire(key))

    def clear_away(self) -> None:
        """Leave the wire, and the table empty."""
        self.wire.leave()
        self.queue.clear()
        self.empty()

    def empty(self) -> None:
        """Empty the table, keys included: moto copies all of it at each transaction, and would crawl."""
        keys = [{"pk": item["pk"], "sk": item["sk"]} for item in self.everything()]
        requests = [{"DeleteRequest": {"Key": key}} for key in keys]
        for start in range(0, len(requests), 25):
            batch: Any = requests[start : start + 25]
            self.table.client.batch_write_item(RequestItems={self.table.name: batch})

    # What the table holds

    def item(self, order_id: str = "order-1") -> Item | None:
        """Return an order as it lies in the table, in DynamoDB's own form."""
        return self.get(items.order_key(self.trader, order_id))

    def state(self, order_id: str = "order-1") -> str | None:
        item = self.item(order_id)
        return item["state"]["S"] if item else None

    def record_of(self, answer: Answer) -> AlertRecord:
        """Return the record of an alert that was answered like this."""
        record = self.alerts.get(self.trader, answer.request_id)
        assert record is not None
        return record

    def belongings(self) -> list[Item]:
        """Return everything that belongs to the trader, in DynamoDB's own form."""
        return self._query({"pk": items.trader_partition(self.trader)})

    def open_orders(self) -> list[str]:
        """Return the ids in the index of open orders."""
        found = self._query({"pk": items.trader_partition(self.trader)}, IndexName="open")
        return [item["order_id"]["S"] for item in found]

    def strategy(self, strategy_id: str = "strategy-1") -> Item | None:
        return self.get(items.strategy_key(self.trader, strategy_id))

    def everything(self) -> list[Item]:
        """Return every item of the table, of all traders."""
        return self.table.read_all()

    def get(self, key: Item) -> Item | None:
        """Return the item with this key, in DynamoDB's own form."""
        return self.table.client.get_item(TableName=self.table.name, Key=items.wire(key), ConsistentRead=True).get(
            "Item"
        )

    def _query(self, partition: Item, **options: Any) -> list[Item]:
        return self.table.client.query(
            TableName=self.table.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.wire({":pk": partition["pk"]}),
            ConsistentRead=True,
            **options,
        )["Items"]
