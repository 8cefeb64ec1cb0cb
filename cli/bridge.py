"""`orderhook bridge`: the program on the trader's PC that brings orders to NinjaTrader 8."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import boto3
import typer

from bridge import operator_requests, windows
from bridge.doctor import Finding, ahead, checks_of, examine
from bridge.events import FlatConfirmed, Resumed
from bridge.journal import Journal
from bridge.link import Link
from bridge.ninjatrader import Folder
from bridge.run import Bridge
from bridge.settings import BridgeSettings
from bridge.state import Config
from bridge.status import status_of
from cli import local_bridge
from cli.bridge_process import (
    SETTINGS_FILE,
    alone,
    is_locked,
    lock_of,
    ninjatrader_folder,
    refusals,
    settings_in,
    tell_running,
)
from cli.connection import LOCAL_PORT, PORT_VARIABLE, TableError, stack_output, stack_parameter
from cli.options import AsJson, Port, examples
from cli.plain import App
from cli.terminal import BAD, GOOD, REFUSED, USAGE, fail, print_json, print_line, print_text, printable
from cli.views.bridge import show_finding, show_status
from orderhook.instruments import tick_of

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
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help=f"What `orderhook bridge setup` has written.  [default: {SETTINGS_FILE}]",
        show_default=False,
    ),
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
SettingsTo = Annotated[Path, typer.Option("--config", metavar="FILE", help="The file to write, with its folder.")]
ServerPort = Annotated[
    int | None,
    typer.Option(
        "--port",
        metavar="PORT",
        help="Ask the bridge of the local server (serve --paper) at this port, in place of bridge.toml's.  "
        f"[env var: {PORT_VARIABLE}]",
        show_default=False,
    ),
]
Accounts = Annotated[
    list[str],
    typer.Option("--account", metavar="NAME", help="An account as NinjaTrader spells it; repeat it for others."),
]
Instruments = Annotated[
    list[str] | None,
    typer.Option(
        "--instrument",
        metavar="NAME",
        help="A contract to know the position of though no order was ever in it; repeat it for others.",
    ),
]


@app.command("setup", epilog=examples(_SETUP, f"{_SETUP} --config D:/orderhook/bridge.toml"))
def set_up(
    stack: Annotated[str, typer.Option("--stack", metavar="NAME", help="A deployed stack with a venue, by its name.")],
    config: SettingsTo = SETTINGS_FILE,
    instrument: Instruments = None,
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
            instruments=tuple(instrument or ()),
        )
        policy = stack_output(stack, "BridgePolicyArn")
    except TableError as error:
        fail(f"{error} A stack has a bridge if it was deployed with Venue=ninjatrader.")
    config.write_text(settings.text(), encoding="utf-8")
    print_line(f"{printable(str(config))} is written, for the trader {settings.trader}.", GOOD)
    print_text(f"The bridge's credentials need this policy and nothing else: {policy}")


@app.command("run", epilog=examples(_RUN, f"{_RUN} --account DEMO123456"))
def run(
    account: Accounts,
    folder: NinjaTraderFolder = None,
    config: ConfigFile = None,
    instrument: Instruments = None,
    live: Annotated[
        bool, typer.Option("--live", help="Trade accounts too whose names do not begin with Sim or DEMO: real money.")
    ] = False,
    stop_rejected: Annotated[
        Literal["close", "alarm"],
        typer.Option(
            metavar="WHAT", help="What follows where a stop is rejected: `close` what it protects, or `alarm` only."
        ),
    ] = "close",
    max_resync: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="How many contracts out_of_sync=resync may buy or sell at once; 0 allows none."
        ),
    ] = Config._field_defaults["max_resync"],
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Own the stack although another bridge's last sign of life is fresh.")
    ] = False,
) -> None:
    """Carry out a trader's orders, until Ctrl-C.

    Run it where NinjaTrader runs, as the same user. Killed at any moment, it goes on from its journal.
    """
    with refusals():
        settings = BridgeSettings.read(config or SETTINGS_FILE)
        there = ninjatrader_folder(folder)
        instruments = (*settings.instruments, *(instrument or ()))
        wanted = Config(
            "", socket.gethostname(), account, live, stop_rejected, take_over, instruments, tick_of, max_resync
        )
        with ExitStack() as stack:
            stack.enter_context(alone(there / "orderhook.lock", "over this NinjaTrader"))
            path = settings.journal_path
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone(lock_of(path), f"for the trader {settings.trader}"))
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
                asked_in=operator_requests.folder_of(path),
            )
            for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last is Windows'
                if number := getattr(signal, name, None):
                    signal.signal(number, lambda *_: bridge.stop())
            windows.stay_awake()
            windows.turn_quick_edit_off()
            _tell(f"The bridge of {settings.stack} is running over {there}; Ctrl-C stops it.")
            bridge.run()
            _tell("The bridge has stopped.")


@app.command("doctor", epilog=examples(_DOCTOR, f"{_DOCTOR} --port {LOCAL_PORT}", f"{_DOCTOR} --json"))
def doctor(
    account: Accounts,
    folder: NinjaTraderFolder = None,
    config: ConfigFile = None,
    port: ServerPort = None,
    as_json: AsJson = False,
) -> None:
    """Check everything before the first order.

    It places none. It ends with exit code 1 if something is not as it must be.
    """
    findings = []
    for finding in _findings(account, folder, config, port):
        findings.append(finding)
        if not as_json:
            show_finding(finding)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    if any(finding.result == "failed" for finding in findings):
        raise typer.Exit(REFUSED)


def _findings(account: list[str], folder: Path | None, config: Path | None, port: int | None) -> Iterator[Finding]:
    if (local := local_bridge.port_of(config, port)) is not None:
        if folder:
            fail("--folder and --port are both given: the local server has a folder of its own.", USAGE)
        yield from (Finding(**found) for found in local_bridge.ask(local, "doctor", account=account))
        return
    with refusals():
        link = Link.connect(settings_in(config))
    yield from examine(
        folder or windows.ninjatrader_folder(),
        account,
        started=windows.Process().started,
        clock=lambda: ahead(link),
        checks=checks_of(link),
    )


@app.command("confirm", epilog=examples("orderhook bridge confirm Sim101 flat"))
def confirm(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="As NinjaTrader spells it.")],
    position: Annotated[Literal["flat"], typer.Argument(metavar="flat", help="What it is.")],  # noqa: ARG001
    config: ConfigFile = None,
    port: ServerPort = None,
) -> None:
    """Say that you see an account flat in NinjaTrader.

    NinjaTrader writes a position only when it changes: after its start the bridge does not know it otherwise.
    `orderhook positions` shows FLAT then where it showed UNKNOWN. What NinjaTrader's own files call open stays open.
    """
    if found := _say(FlatConfirmed(account), "confirm", config, port):
        fail(
            f"{account} is not flat by NinjaTrader's own files: {', '.join(found)}. That stays until they say "
            "otherwise, so look again, and close it there; what was UNKNOWN in this account counts as flat."
        )
    print_text(printable(f"{account} counts as flat until NinjaTrader says otherwise or starts anew."), GOOD)


@app.command("resume", epilog=examples("orderhook bridge resume Sim101 'ES 12-26'"))
def resume(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="As NinjaTrader spells it.")],
    instrument: Annotated[str, typer.Argument(metavar="INSTRUMENT", help="In any of its spellings.")],
    config: ConfigFile = None,
    port: ServerPort = None,
) -> None:
    """Let a blocked account and instrument trade again.

    A close that was not seen to succeed blocks it. Say it when you have looked in NinjaTrader, and closed there what
    was to be closed. `orderhook bridge status` shows what is blocked, and why.
    """
    if _say(Resumed(account, instrument), "resume", config, port):
        fail(f"Nothing blocks {account}, {instrument}.")
    print_text(printable(f"{account}, {instrument} trades again."), GOOD)


def _say(said: operator_requests.Request, action: str, config: Path | None, port: int | None) -> list[str]:
    """Tell the bridge that is meant, and return what speaks against it; ends the command where nobody takes it."""
    if (local := local_bridge.port_of(config, port)) is None:
        return tell_running(config, said)
    found: list[str] | None = local_bridge.ask(
        local, action, **{name: [value] for name, value in said._asdict().items()}
    )
    if found is None:
        fail("The local server's bridge has not taken it; `orderhook bridge start` starts it.")
    return found


@app.command("status", epilog=examples(_STATUS, f"{_STATUS} --port {LOCAL_PORT}", f"{_STATUS} --json"))
def status(config: ConfigFile = None, port: ServerPort = None, as_json: AsJson = False) -> None:
    """Show whether the bridge is ready, and its orders.

    It shows besides which bridge owns the stack. It asks the table, by the bridge's own credentials, and this machine's
    journal.
    """
    if (local := local_bridge.port_of(config, port)) is not None:
        found = local_bridge.ask(local, "status")
    else:
        with refusals():
            settings = settings_in(config)
            link, path = Link.connect(settings), settings.journal_path
            running = is_locked(lock_of(path))
            found = status_of(settings, link.look(), link.owner(), path, link.now(), running=running)
    if as_json:
        print_json(found)
    else:
        show_status(found)


@app.command("stop", epilog=examples("orderhook bridge stop", "orderhook bridge stop --port 3001"))
def stop(port: Port = None) -> None:
    """Stop the local server's bridge (serve --paper).

    What opens is then answered `venue_offline`.
    """
    print_text(str(local_bridge.ask(local_bridge.usual_port(port), "stop")), GOOD)


@app.command("start", epilog=examples("orderhook bridge start", "orderhook bridge start --port 3001"))
def start(port: Port = None) -> None:
    """Start the local server's bridge again.

    It goes on from its journal.
    """
    print_text(str(local_bridge.ask(local_bridge.usual_port(port), "start")), GOOD)


def _tell(line: str) -> None:
    at = datetime.now().astimezone()
    print_text(f"{at:%Y-%m-%d %H:%M:%S}  {printable(line)}", BAD if line.startswith("ALARM") else "", hanging=21)
