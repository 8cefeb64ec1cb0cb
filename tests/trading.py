"""The whole way with the real bridge: the handlers of this process, and `orderhook bridge run` in one of its own."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import tests.environment  # noqa: F401  the functions read it when they are imported

# isort: split

import reports
from bridge.link import Link
from bridge.settings import BridgeSettings
from cli.aws import scheduler
from cli.aws.paper import Paper
from orderhook.aws.clients import connect
from tests import aws_door, bridge_process
from tests.aws_door import Door
from tests.local_server import PATIENCE_SECONDS
from tests.output import Answer
from tests.service import Service


class Trading:
    """A service, the stand-in, and the bridge between as a process."""

    def __init__(
        self, service: Service, door: Door, folder: Path, paper: Paper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service.clock.run()
        service.use_venue(heard=False)
        service.set_budget(PATIENCE_SECONDS)
        self.service, self.paper, self.door, self.folder = service, paper, door, folder
        monkeypatch.setattr(reports, "services", service.services)
        monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))
        sqs = connect("sqs")
        url = sqs.create_queue(QueueName=f"reports-{service.trader}")["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self._reports_arn = answer["Attributes"]["QueueArn"]
        doorbell = service.queue.doorbell_url
        self.settings = BridgeSettings("stack", "us-east-1", service.table.name, service.trader, doorbell, url)
        (folder / bridge_process.SETTINGS).write_text(self.settings.text())
        self._link = Link(service.table.client, sqs, self.settings)
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "subprocess.Popen[str]":
        """Start the bridge, and wait until it is ready."""
        endpoint = self.service.table.options.get("endpoint_url", self.door.url)
        aws = {"AWS_ENDPOINT_URL_SQS": self.door.url, "AWS_ENDPOINT_URL_DYNAMODB": str(endpoint)}
        self.process = bridge_process.start(self.folder, aws)
        started = datetime.now(UTC)
        self.until(lambda: self._is_ready_since(started))
        return self.process

    def kill(self) -> str:
        """End it without a word, wherever it is; return what it had printed."""
        assert self.process
        process, self.process = self.process, None
        process.kill()
        printed, _ = process.communicate()
        return printed

    def send(self, command: str, **fields: Any) -> Answer:
        """Send an alert."""
        with self.door.lock:
            return self.service.send(command, **fields)

    def _is_ready_since(self, started: datetime) -> bool:
        owner = self._link.owner()
        return owner.get("ready") is True and datetime.fromisoformat(owner["at"]) >= started

    def is_ready(self) -> bool:
        return self._link.owner().get("ready") is True

    def states(self) -> list[str]:
        return [str(order.state) for order in self.service.placed()]

    def until_read(self, lines: int) -> None:
        """Deliver reports until NinjaTrader has read so many lines."""
        self.until(lambda: len(self.paper.lines) >= lines)

    def until(self, condition: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> None:
        """Deliver reports until something is so."""
        ends = time.monotonic() + patience
        while True:
            self.deliver()
            if condition():
                return
            assert time.monotonic() < ends, self.states()
            time.sleep(0.05)

    def deliver(self) -> None:
        """Have the function take the reports that lie in their queue."""
        with self.door.lock:
            scheduler.deliver(reports.handler, [self._reports_arn], nullcontext())


@contextmanager
def trading(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trading]:
    """Give all of it, with a bridge that is not started yet; it is ended with the block."""
    with aws_door.opened() as door, bridge_process.ninjatrader(folder) as paper:
        all_of_it = Trading(service, door, folder, paper, monkeypatch)
        try:
            yield all_of_it
        finally:
            if all_of_it.process:
                all_of_it.kill()
