"""The real `orderhook bridge run`, in a process of its own, is killed amid work: nothing is doubled, nothing lost."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

import reports
from bridge.link import Link
from bridge.settings import BridgeSettings
from cli.aws import scheduler
from cli.aws.paper import Paper
from orderhook.aws.clients import connect
from tests import aws_door
from tests.aws_door import Door
from tests.local_server import PATIENCE_SECONDS, ROOT
from tests.marks import LONG
from tests.service import Service

ENTRY = {
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": 1,
    "order_type": "MARKET",
    "limit_price": None,
    "tif": "DAY",
}


class Trading:
    """A service, a stand-in for NinjaTrader that runs, and the bridge between as a process."""

    def __init__(self, service: Service, door: Door, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        service.clock.run()
        service.use_venue(heard=False)
        service.set_budget(PATIENCE_SECONDS)
        self.service, self.door, self.folder = service, door, folder
        monkeypatch.setattr(reports, "services", service.services)
        monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))
        sqs = connect("sqs")
        url = sqs.create_queue(QueueName=f"reports-{service.trader}")["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self._reports_arn = answer["Attributes"]["QueueArn"]
        doorbell = service.queue.doorbell_url
        settings = BridgeSettings("stack", "us-east-1", service.table.name, service.trader, doorbell, url)
        (folder / "bridge.toml").write_text(settings.text())
        self._link = Link(service.table.client, sqs, settings)
        self.paper = Paper(folder, moves=False)
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "subprocess.Popen[str]":
        """Start the bridge, and wait until it is ready."""
        endpoint = self.service.table.options.get("endpoint_url", self.door.url)
        state = {name: str(self.folder / "state") for name in ("XDG_STATE_HOME", "LOCALAPPDATA")}
        aws = {"AWS_ENDPOINT_URL_SQS": self.door.url, "AWS_ENDPOINT_URL_DYNAMODB": str(endpoint)}
        words = ["bridge", "run", "--account", "Sim101", "--folder", ".", "--config", "bridge.toml"]
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "functions", *filter(None, [os.environ.get("PYTHONPATH")]))))
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from cli.app import app; app()", *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **state, **aws, "PYTHONPATH": paths},
        )
        started = datetime.now(UTC)
        self.until(lambda: self._is_ready_since(started))
        return self.process

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

    def until(self, condition: Callable[[], bool]) -> None:
        """Deliver reports until something is so."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            with self.door.lock:
                scheduler.deliver(reports.handler, [self._reports_arn], nullcontext())
                if condition():
                    return
            assert time.monotonic() < ends, self.states()
            time.sleep(0.05)


@pytest.fixture
def trading(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trading]:
    sleep = shutil.which("sleep")
    if sleep is None:
        pytest.skip("there is no program to run under NinjaTrader's name")
    (tmp_path / "NinjaTrader.exe").symlink_to(sleep)
    stopped = threading.Event()
    with aws_door.opened() as door, subprocess.Popen([tmp_path / "NinjaTrader.exe", "1000"]) as ninjatrader:
        trading = Trading(service, door, tmp_path, monkeypatch)
        trading.paper.start(datetime.now(UTC))
        thread = threading.Thread(target=trading.paper.run, args=(stopped,), daemon=True)
        thread.start()
        try:
            yield trading
        finally:
            if trading.process:
                trading.process.kill()
                trading.process.communicate()
            stopped.set()
            thread.join()
            ninjatrader.kill()


@LONG
def test_a_bridge_process_that_is_killed_amid_work_doubles_and_loses_nothing(trading: Trading) -> None:
    for number in range(4):
        process = trading.start()
        with trading.door.lock:
            answer = trading.service.place(f"long-{number}", **ENTRY)
        assert answer.body["status"] == "placed", answer.body
        read = len(trading.paper.lines)
        # The kill comes as far along as the loop has got by then: that what is asserted below holds wherever it is.
        trading.until_read(read + number % 2)
        process.kill()
        process.communicate()
    process = trading.start()
    trading.until(lambda: set(trading.states()) <= {"Filled", "Rejected"})
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "The bridge has stopped." in printed) == (0, True), printed
    trading.until(lambda: not trading.is_ready())
    placed = [line for line in trading.paper.lines if line.startswith("PLACE;")]
    filled = trading.states().count("Filled")
    assert (len(placed), trading.paper.positions["Sim101", "ES 12-26"].quantity) == (filled, filled)
    assert filled >= 2
