"""The venue on this machine: its queues, the function behind them, a bridge, and a stand-in for NinjaTrader."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, RLock, Thread
from typing import Any, NamedTuple

from bridge import operator_requests
from bridge.doctor import ahead, checks_of, examine
from bridge.events import FlatConfirmed, Resumed
from bridge.journal import Journal
from bridge.lane import Tell
from bridge.link import WAIT_SECONDS, Link
from bridge.ninjatrader import Folder
from bridge.run import Bridge
from bridge.settings import BridgeSettings
from bridge.state import Config
from bridge.status import status_of
from cli.aws import demo, scheduler
from cli.aws.paper import Paper
from orderhook.aws.clients import connect
from orderhook.instruments import tick_of
from orderhook.venues import NINJATRADER

ACCOUNTS = ("Sim101", "Sim102")
_PATIENCE_SECONDS = 30
_POLL_SECONDS = 0.25
_REPORTS_SECONDS = 0.1


class VenueQueues(NamedTuple):
    """The queues that template.yaml has with a venue, in moto."""

    doorbell_url: str
    report_queue_url: str
    report_queue_arn: str
    report_dead_letter_arn: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that tell the functions of the venue."""
        return {
            "ORDERHOOK_VENUE": str(NINJATRADER.name),
            "ORDERHOOK_VENUE_TRADER": demo.TRADER,
            "ORDERHOOK_DOORBELL_URL": self.doorbell_url,
            "ORDERHOOK_REPORT_DEAD_LETTER_ARN": self.report_dead_letter_arn,
        }


def create_queues(name: str = "orderhook") -> VenueQueues:
    """Create the doorbell and the queue of reports, with its dead letters."""
    sqs = connect("sqs")
    doorbell, _ = scheduler.create_like(sqs, f"{name}-doorbell", "Doorbell")
    _, dead_letter_arn = scheduler.create_like(sqs, f"{name}-report-dead-letters", "ReportDeadLetterQueue")
    reports, reports_arn = scheduler.create_like(sqs, f"{name}-reports", "ReportQueue", dead_letter_arn)
    return VenueQueues(doorbell, reports, reports_arn, dead_letter_arn)


class LocalLink(Link):
    """A link to moto, which lets nobody else in while a request waits for a message."""

    def wait(self, seconds: int = WAIT_SECONDS, heard: Callable[[], object] | None = None) -> bool:  # noqa: ARG002
        """Wait a moment for the doorbell, and return whether it rang."""
        time.sleep(_POLL_SECONDS)
        return super().wait(0, heard)


class LocalBridge:
    """A bridge over the stand-in's folder, in threads of this process; stopped and started again it has its journal."""

    def __init__(self, settings: BridgeSettings, paper: Paper, folder: Path, tell: Callable[[str], None]) -> None:
        self._settings, self._paper, self._folder, self._tell = settings, paper, folder, tell
        self._journal_path = folder / "journal.sqlite"
        self._link = LocalLink.connect(settings)
        self._lock = RLock()
        self._thread: Thread | None = None
        self._bridge: Bridge | None = None

    @property
    def actions(self) -> Mapping[str, Callable[..., object]]:
        """What `orderhook bridge` asks of it, by the path of the local server."""
        return {
            f"/bridge/{action.__name__}": action
            for action in (self.start, self.stop, self.status, self.doctor, self.confirm, self.resume)
        }

    def start(self) -> str:
        """Start it, wait until the table says that it is ready, and return what to tell of it."""
        with self._lock:
            if self._thread is not None:
                return "The bridge is running already."
            self._thread = Thread(target=self._run, name="bridge", daemon=True)
            self._thread.start()
            if self._is_told(ready=True):
                return "The bridge is ready: what opens goes to the stand-in for NinjaTrader."
            return f"The bridge is running, but not ready: {self._link.owner().get('reason', 'nobody heard of it')}."

    def start_afresh(self) -> str:
        """Start it over a stand-in that has just started, and say of that that nothing is open; return what to tell.

        A person says so of NinjaTrader, after a look. Nobody can have traded here before.
        """
        told = self.start()
        if any(self.confirm([account]) is None for account in ACCOUNTS):
            return told
        accounts = " and ".join(ACCOUNTS)
        return (
            f"{told} {accounts} hold nothing, and the bridge was told so. After a start of your own NinjaTrader you "
            f"say it: `orderhook bridge confirm {ACCOUNTS[0]} flat`."
        )

    def stop(self) -> str:
        """Stop it, wait until the table says so, and return what to tell of it."""
        with self._lock:
            if self._thread is None or self._bridge is None:
                return "The bridge is not running."
            self._bridge.stop()
            self._thread.join()
            self._thread = self._bridge = None
            self._is_told(ready=False)
            return "The bridge has stopped: what opens is answered venue_offline; what cancels is written, and waits."

    def status(self) -> dict[str, Any]:
        """Return how it stands, as `orderhook bridge status` shows it."""
        running = self._thread is not None
        link = self._link
        return status_of(self._settings, link.look(), link.owner(), self._journal_path, link.now(), running=running)

    def doctor(self, account: Sequence[str]) -> list[dict[str, Any]]:
        """Return what the check finds; there is nothing that only a person could see."""
        found = examine(
            self._folder,
            account,
            started=self._paper.started,
            clock=lambda: ahead(self._link),
            checks=checks_of(self._link),
        )
        return [finding._asdict() for finding in found if finding.result != "look"]

    def confirm(self, account: Sequence[str]) -> list[str] | None:
        """Tell it that an account is flat; return what is open there all the same, None where it has not taken it."""
        return self._ask(FlatConfirmed(*account))

    def resume(self, account: Sequence[str], instrument: Sequence[str]) -> list[str] | None:
        """Tell it that a pair may trade again; return what speaks against it, None where it has not taken it."""
        return self._ask(Resumed(*account, *instrument))

    def _ask(self, said: operator_requests.Request) -> list[str] | None:
        if self._thread is None:
            return None
        return operator_requests.ask_and_wait(self._asked_in, said)

    @property
    def _asked_in(self) -> Path:
        return operator_requests.folder_of(self._journal_path)

    def _is_told(self, *, ready: bool) -> bool:
        """Wait for the table to say whether the bridge is ready; return False if it does not in time."""
        ends = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < ends:
            if self._link.owner().get("ready") is ready:
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _run(self) -> None:
        # The journal is this thread's alone.
        with ExitStack() as stack:
            journal = Journal.open(self._journal_path)
            stack.callback(journal.close)
            self._bridge = Bridge(
                Config(journal.id, "this machine", ACCOUNTS, tick_of=tick_of),
                journal,
                Folder(self._folder, ACCOUNTS, self._paper.started),
                self._link,
                trader=self._settings.trader,
                background=stack.enter_context(ThreadPoolExecutor(2)),
                tell=self._tell,
                asked_in=self._asked_in,
            )
            self._bridge.run()


@contextmanager
def running(
    queues: VenueQueues, table: str, reports: scheduler.Handler, lock: AbstractContextManager[object], tell: Tell
) -> Iterator[tuple[LocalBridge, Paper]]:
    """Run the stand-in, the bridge, and the function that takes the reports; give the first two."""
    settings = BridgeSettings(
        stack="this machine",
        region=os.environ["AWS_DEFAULT_REGION"],
        table=table,
        trader=demo.TRADER,
        doorbell_url=queues.doorbell_url,
        report_queue_url=queues.report_queue_url,
    )
    arns = (queues.report_queue_arn, queues.report_dead_letter_arn)
    with TemporaryDirectory(prefix="orderhook-paper-") as name, ExitStack() as stack:
        paper = Paper(Path(name), accounts=ACCOUNTS)
        paper.start(datetime.now(UTC))
        stack.enter_context(scheduler.in_background("paper", lambda stopped: paper.run(stopped)))
        deliver = partial(_deliver, reports, arns, lock)
        stack.enter_context(scheduler.in_background("reports", deliver))
        bridge = LocalBridge(settings, paper, Path(name), tell)
        stack.callback(bridge.stop)
        yield bridge, paper


def _deliver(
    reports: scheduler.Handler, arns: Sequence[str], lock: AbstractContextManager[object], stopped: Event
) -> None:
    while not stopped.wait(_REPORTS_SECONDS):
        scheduler.deliver(reports, arns, lock)
