"""The way of an alert to NinjaTrader: from the handler to a file in `incoming`, beside bare requests.

The webhook's handler runs in a process of its own, the bridge in another, and the queues are here; the stand-in takes
the files. What has to be reported is recorded between two measures.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import cycle, permutations
from pathlib import Path
from threading import Thread
from typing import Any

from cli.aws import demo, moto
from orderhook.store import items
from orderhook.store.table import serialize
from tests import aws_door, bridge_process
from tests.runtime import emulator
from verification.bench.report import Row
from verification.processes import results

ALERTS = 100
ENTRY = "account=Sim101;instrument=ES1!;action=BUY;qty=1;order_type=MARKET;tif=DAY"
PATIENCE_SECONDS = 60
BEYOND_THE_STEPS = (
    "it takes three requests to the table more than the bare steps: the kill switch is read before the order is "
    "written, and once more by the bridge, after it has listed what is open; the order's write is the third. Nothing "
    "may be opened without them. In the row below both sides have the same requests."
)


def rows(endpoint: str, table: str, alerts: int = ALERTS) -> Iterator[Row]:
    """Measure it, with a table behind an endpoint."""
    with moto.queue_and_schedules(emulator.REGION), aws_door.opened() as door:
        given = {"endpoint": endpoint, "queues": door.url, "table": table, "alerts": alerts}
        [samples] = results("verification.bench.way:measure", [given])
    measured = "alert received → instruction visible in `incoming`"
    steps = "a bare send, receive, query, and write of a file"
    yield Row(measured, steps, 1.5, samples["alert"], samples["steps"], BEYOND_THE_STEPS)
    same = "the same requests alone: get, put, send, receive, query, get, and a write of a file"
    yield Row(measured, same, 1.5, samples["alert"], samples["requests"])


def measure(endpoint: str, queues: str, table: str, alerts: int) -> dict[str, list[float]]:
    """Send alerts and wait for their files, in turns with the bare requests; return milliseconds."""
    aws = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_ENDPOINT_URL_SQS": queues}
    os.environ |= emulator.lambda_environment(table, endpoint) | aws
    from bridge.link import Link
    from bridge.settings import BridgeSettings
    from cli.aws.venue import create_queues

    there = create_queues("way")
    bare_url = create_queues("bare").doorbell_url
    os.environ |= there.environment
    settings = BridgeSettings("way", emulator.REGION, table, demo.TRADER, there.doorbell_url, there.report_queue_url)
    link = Link.connect(settings)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / bridge_process.SETTINGS).write_text(settings.text())
        with bridge_process.ninjatrader(folder):
            process = bridge_process.start(folder, os.environ)
            try:
                return _in_turns(folder, there.report_queue_arn, Bare(link, table, bare_url, folder), alerts)
            finally:
                process.kill()
                process.communicate()


class Bare:
    """The same way with nothing but its requests, or with fewer."""

    def __init__(self, link: Any, table: str, url: str, folder: Path) -> None:
        self._link, self._table, self._url, self.folder = link, table, url, folder / "bare"
        self.folder.mkdir()
        self._controls = {"TableName": table, "Key": serialize(items.controls_key(demo.TRADER)), "ConsistentRead": True}
        Thread(target=self._listen, daemon=True).start()

    def send(self, name: str) -> None:
        """Have a file of this name be written by whoever receives the message."""
        self._link.sqs.send_message(QueueUrl=self._url, MessageBody=name)

    def send_with_order(self, name: str, pattern: dict[str, Any]) -> None:
        """Do so after a read of the controls and the write of an order, and have the receiver read them, too."""
        self._link.dynamodb.get_item(**self._controls)
        self._link.dynamodb.put_item(TableName=self._table, Item=pattern | {"sk": {"S": f"BARE#{name}"}})
        self.send(name)

    def _listen(self) -> None:
        while True:
            answer = self._link.sqs.receive_message(QueueUrl=self._url, WaitTimeSeconds=20)
            for message in answer.get("Messages", []):
                name = message["Body"]
                list(self._link._open_items())
                if name.startswith("requests"):
                    self._link.dynamodb.get_item(**self._controls)
                (self.folder / name).write_bytes(b"PLACE\r\n")
                self._link.sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


def _in_turns(folder: Path, reports_arn: str, bare: Bare, alerts: int) -> dict[str, list[float]]:
    import reports
    import webhook
    from cli.aws import scheduler
    from tests.builders import event

    def place(order_id: str) -> str:
        request = event(f"key={demo.KEY};command=PLACE;order_id={order_id};{ENTRY}")
        answer: str = webhook.handler(request, None)["body"]
        return answer

    def record(order_id: str) -> bool:
        """Record what was reported; return whether the order is filled."""
        scheduler.deliver(reports.handler, [reports_arn], nullcontext())
        order = webhook.services.orders.get(demo.TRADER, order_id)
        return order is not None and order.state == "Filled"

    _until(lambda: '"placed"' in place("warm-up") or record("warm-up"))
    _until(lambda: record("warm-up"))
    placed = serialize(items.order_key(demo.TRADER, "warm-up"))
    pattern: dict[str, Any] = webhook.services.table.client.get_item(TableName=webhook.settings.table, Key=placed)[
        "Item"
    ]
    samples: dict[str, list[float]] = {"alert": [], "steps": [], "requests": []}
    for turn, order in zip(range(alerts), cycle(permutations(samples)), strict=False):
        for way in order:
            name = f"{way}-{turn}"
            match way:
                case "alert":
                    samples[way].append(_milliseconds(folder / "incoming", place, name))
                    _until(partial(record, name))
                case "steps":
                    samples[way].append(_milliseconds(bare.folder, bare.send, name))
                case _:
                    samples[way].append(_milliseconds(bare.folder, bare.send_with_order, name, pattern))
    return samples


def _milliseconds(folder: Path, begin: Callable[..., object], *arguments: object) -> float:
    """Return how long it takes from here until there is one file more in a folder."""
    before = set(os.listdir(folder))
    started = time.perf_counter()
    begin(*arguments)
    while not set(os.listdir(folder)) - before:
        if time.perf_counter() - started > PATIENCE_SECONDS:
            raise RuntimeError(f"nothing came into {folder}")
        time.sleep(0.0005)
    return (time.perf_counter() - started) * 1000


def _until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > ends:
            raise RuntimeError("the bridge has not done in time what it was told")
        time.sleep(0.05)
