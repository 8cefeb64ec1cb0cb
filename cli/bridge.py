"""`orderhook bridge`: the program on the trader's PC that brings orders to NinjaTrader 8."""

import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import boto3
import requests
import typer

from bridge import asked, windows
from bridge.doctor import examine
from bridge.events import FlatConfirmed
from bridge.journal import Journal, JournalError
from bridge.link import Link, LinkError
from bridge.ninjatrader import Folder
from bridge.run import Bridge
from bridge.settings import BridgeSettings, SettingsError
from bridge.state import Config
from cli.connection import LOCAL_PORT, PORT_VARIABLE, TableError, stack_output, stack_parameter
from cli.options import AsJson, Port, examples
from cli.plain import App
from cli.terminal import BAD, GOOD, REFUSED, UNREACHABLE, fail, print_json, print_line, printable
from cli.views.bridge import represent_status, show_finding, show_status
from orderhook.orders import folded

SETTINGS_FILE = Path("bridge.toml")

_TRIES = 5
"""How often a run tries to get a lock: other commands hold it for a moment, to see whether one runs."""

_SETUP = "orderhook bridge setup --stack orderhook"
_RUN = "orderhook bridge run --account Sim101"
_DOCTOR = "orderhook bridge doctor --account Sim101"
_STATUS = "orderhook bridge status"

app = App(
    no_args_is_help=True,
    help="Bring orders to NinjaTrader 8, on the trader's PC.",
    epilog=examples(_SETUP, _RUN, _STATUS),
)

ConfigFile = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="What `orderhook bridge setup` has written.")
]
NinjaTraderFolder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="FOLDER",
        help="NinjaTrader's folder.  [default: NinjaTrader 8 in Documents]",
        show_default=False,
    ),
]
Accounts = Annotated[
    list[str],
    typer.Option("--account", metavar="NAME", help="An account as NinjaTrader spells it; repeat it for others."),
]


@app.command("setup", epilog=examples(_SETUP, f"{_SETUP} --config D:/orderhook/bridge.toml"))
def set_up(
    stack: Annotated[str, typer.Option("--stack", metavar="NAME", help="A deployed stack with a venue, by its name.")],
    config: ConfigFile = SETTINGS_FILE,
) -> None:
    """Write down where a stack's bridge finds everything.

    The file holds no secret. The one who runs the bridge needs it, and credentials with the stack's BridgePolicy.
    """
    try:
        settings = BridgeSettings(
            stack=stack,
            region=str(boto3.session.Session().region_name),
            table=stack_output(stack, "TableName"),
            trader=stack_parameter(stack, "VenueTrader"),
            doorbell_url=stack_output(stack, "DoorbellUrl"),
            report_queue_url=stack_output(stack, "ReportQueueUrl"),
        )
        policy = stack_output(stack, "BridgePolicyArn")
    except TableError as error:
        fail(f"{error} A stack has a bridge if it was deployed with Venue=ninjatrader.")
    config.write_text(settings.text(), encoding="utf-8")
    print_line(f"{printable(str(config))} is written, for the trader {settings.trader}.", GOOD)
    print_line(f"The bridge's credentials need this policy and nothing else: {policy}")


@app.command("run", epilog=examples(_RUN, f"{_RUN} --account DEMO123456"))
def run(
    account: Accounts,
    folder: NinjaTraderFolder = None,
    config: ConfigFile = SETTINGS_FILE,
    live: Annotated[
        bool, typer.Option("--live", help="Trade accounts too whose names do not begin with Sim or DEMO: real money.")
    ] = False,
    stop_rejected: Annotated[
        Literal["close", "alarm"],
        typer.Option(
            metavar="WHAT", help="What follows where a stop is rejected: `close` what it protects, or `alarm` only."
        ),
    ] = "close",
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Own the stack although another bridge's last sign of life is fresh.")
    ] = False,
) -> None:
    """Carry out a trader's orders, until Ctrl-C.

    Run it where NinjaTrader runs, as the same user. Killed at any moment, it goes on from its journal.
    """
    with _refusals():
        settings = BridgeSettings.read(config)
        there = _folder(folder)
        wanted = Config("", socket.gethostname(), account, live, stop_rejected, take_over)
        with ExitStack() as stack:
            stack.enter_context(_alone(there / "orderhook.lock", "over this NinjaTrader"))
            path = settings.journal_path
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_alone(_lock_of(path), f"for the trader {settings.trader}"))
            journal = Journal.open(path)
            stack.callback(journal.close)
            bridge = Bridge(
                wanted._replace(journal=journal.id),
                journal,
                Folder(there, account, windows.Process().started),
                Link.connect(settings),
                trader=settings.trader,
                background=stack.enter_context(ThreadPoolExecutor(2)),
                tell=_tell,
                asked_in=asked.folder_of(path),
            )
            for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last is Windows'
                if number := getattr(signal, name, None):
                    signal.signal(number, lambda *_: bridge.stop())
            windows.stay_awake()
            windows.turn_quick_edit_off()
            _tell(f"The bridge of {settings.stack} is running over {there}; Ctrl-C stops it.")
            bridge.run()
            _tell("The bridge has stopped.")


@app.command("doctor", epilog=examples(_DOCTOR, f"{_DOCTOR} --json"))
def doctor(
    account: Accounts, folder: NinjaTraderFolder = None, config: ConfigFile = SETTINGS_FILE, as_json: AsJson = False
) -> None:
    """Check everything before the first order.

    It places none. It ends with exit code 1 if something is not as it must be.
    """
    with _refusals():
        link = Link.connect(BridgeSettings.read(config))
    findings = []
    for finding in examine(
        folder or windows.ninjatrader_folder(),
        account,
        started=windows.Process().started,
        clock=lambda: _ahead(link),
        checks={"table": lambda: _listed(link), "doorbell": lambda: _heard(link)},
    ):
        findings.append(finding)
        if not as_json:
            show_finding(finding)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    if any(finding.result == "failed" for finding in findings):
        raise typer.Exit(REFUSED)


def _ahead(link: Link) -> timedelta:
    """Return by how much AWS's clock is ahead of this machine's."""
    link.look()
    return link.now() - datetime.now(UTC)


def _listed(link: Link) -> str:
    looked = link.look()
    return f"{len(looked.orders)} orders are open at the venue, and {len(looked.unreadable)} cannot be read"


def _heard(link: Link) -> str:
    link.wait(0)
    return "these credentials may listen to it"


@app.command("confirm", epilog=examples("orderhook bridge confirm Sim101 flat"))
def confirm(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="As NinjaTrader spells it.")],
    position: Annotated[Literal["flat"], typer.Argument(metavar="flat", help="What it is.")],  # noqa: ARG001
    config: ConfigFile = SETTINGS_FILE,
) -> None:
    """Say that you see an account flat in NinjaTrader.

    NinjaTrader writes a position only when it changes: after its start the bridge does not know it otherwise.
    `orderhook positions` shows FLAT then where it showed UNKNOWN.
    """
    with _refusals():
        settings = BridgeSettings.read(config)
        _need_bridge(settings)
        accounts = [str(it) for it in Link.connect(settings).owner().get("accounts", ())]
    if not any(folded(it) == folded(account) for it in accounts):
        fail(f"{account} is no account of the stack's bridge, which has {', '.join(accounts) or 'none'}.")
    _ask(settings, FlatConfirmed(account), f"{account} counts as flat until NinjaTrader says otherwise or starts anew.")


@app.command("resume", epilog=examples("orderhook bridge resume Sim101 'ES 12-26'"))
def resume(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="As NinjaTrader spells it.")],
    instrument: Annotated[str, typer.Argument(metavar="INSTRUMENT", help="As its orders name it.")],
) -> None:
    """Let a blocked account and instrument trade again.

    So far nothing blocks one: it says so, and ends with exit code 1.
    """
    fail(f"Nothing blocks {account}, {instrument}: this version of the bridge blocks no account and instrument.")


@app.command("status", epilog=examples(_STATUS, f"{_STATUS} --json"))
def status(config: ConfigFile = SETTINGS_FILE, as_json: AsJson = False) -> None:
    """Show whether the bridge is ready, and its orders.

    It shows besides which bridge owns the stack. It asks the table, by the bridge's own credentials, and this machine's
    journal.
    """
    with _refusals():
        settings = BridgeSettings.read(config)
        link = Link.connect(settings)
        found = represent_status(settings, link.look(), link.owner(), _here(settings.journal_path))
    if as_json:
        print_json(found)
    else:
        show_status(found)


@app.command("stop", epilog=examples("orderhook bridge stop", "orderhook bridge stop --port 3001"))
def stop(port: Port = None) -> None:
    """Stop the local server's bridge (serve --paper).

    What opens is then answered `venue_offline`.
    """
    _turn_local("stop", port)


@app.command("start", epilog=examples("orderhook bridge start", "orderhook bridge start --port 3001"))
def start(port: Port = None) -> None:
    """Start the local server's bridge again.

    It goes on from its journal.
    """
    _turn_local("start", port)


def _turn_local(word: str, port: int | None) -> None:
    """Tell the local server's bridge to stop or start."""
    port = port or int(os.environ.get(PORT_VARIABLE) or LOCAL_PORT)
    try:
        answer = requests.post(f"http://127.0.0.1:{port}/bridge/{word}", timeout=30)
    except requests.RequestException:
        fail(f"Nothing answers at port {port}. Start it with `make run ARGS=--paper`.", UNREACHABLE)
    if answer.status_code != 200:
        fail("This server has no bridge. Start it with `make run ARGS=--paper`.")
    print_line(str(answer.json()["message"]), GOOD)


def _tell(line: str) -> None:
    at = datetime.now().astimezone()
    print_line(f"{at:%Y-%m-%d %H:%M:%S}  {printable(line)}", BAD if line.startswith("ALARM") else "")


@contextmanager
def _refusals() -> Iterator[None]:
    """End the command with one line where the bridge cannot work."""
    try:
        yield
    except (SettingsError, JournalError, LinkError) as error:
        fail(str(error))
    except (OSError, sqlite3.Error) as error:
        fail(f"The bridge cannot go on: {error}. Started again, it goes on from its journal.")


def _folder(given: Path | None) -> Path:
    """Return NinjaTrader's folder; ends the command where it cannot be used."""
    folder = given or windows.ninjatrader_folder()
    if not (folder / "incoming").is_dir():
        fail(
            f"{folder} is not NinjaTrader's: it has no folder `incoming`. Give --folder, or start NinjaTrader with "
            "its AT Interface on."
        )
    if windows.is_under_onedrive(folder):
        fail(f"{folder} is in OneDrive, which copies it to other PCs: their NinjaTrader would place the same orders.")
    if windows.is_store_python():
        fail("This Python is the Microsoft Store's, which hides files from other programs; install python.org's.")
    return folder


def _here(path: Path) -> dict[str, Any]:
    """Return what this machine has of a bridge; the journal of one that never ran here is not made."""
    if not path.exists():
        return {"journal": None, "running": False, "reports_waiting": 0}
    journal = Journal.open(path)
    with closing(journal):
        waiting = len(journal.reports(1000))
        return {"journal": journal.id, "running": _is_locked(_lock_of(path)), "reports_waiting": waiting}


def _lock_of(journal: Path) -> Path:
    return journal.with_suffix(".lock")


@contextmanager
def _alone(lock: Path, where: str) -> Iterator[None]:
    with ExitStack() as stack:
        for left in reversed(range(_TRIES)):
            try:
                stack.enter_context(windows.lock(lock))
                break
            except windows.HeldElsewhereError:
                if not left:
                    fail(f"A bridge is running already {where}.")
                time.sleep(0.1)
        yield


def _is_locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with windows.lock(lock):
            return False
    except windows.HeldElsewhereError:
        return True


def _need_bridge(settings: BridgeSettings) -> None:
    """End the command where no bridge runs on this machine."""
    if not _is_locked(_lock_of(settings.journal_path)):
        fail("No bridge is running on this machine for this stack and trader; start it, then say it again.")


def _ask(settings: BridgeSettings, what: asked.Asked, done: str) -> None:
    """Ask something of the bridge that runs on this machine, and wait until it has taken it."""
    with _refusals():
        left = asked.ask(asked.folder_of(settings.journal_path), what)
        for _ in range(100):
            if not left.exists():
                print_line(printable(done), GOOD)
                return
            time.sleep(0.1)
        left.unlink(missing_ok=True)
    fail("The bridge has not taken it within 10 s. Look at what it prints, then say it again.")
