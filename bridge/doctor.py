"""The check before the first order, which places none: whether a bridge could work here."""

import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from bridge import oif, outgoing, windows
from bridge.events import FileNotWritten
from bridge.link import Link
from bridge.ninjatrader import Folder

PATIENCE = 5.0
"""Seconds for NinjaTrader to take a file; a tenth of one is usual."""

_MOST_OFF = timedelta(seconds=5)
_LOG_TAIL = 1024 * 1024

TO_LOOK_AT: Sequence[str] = (
    "Tools, Options, Automated trading interface: AT Interface is ticked",
    "Tools, Options, Automated trading interface: Default account is Sim101, so that no line without one trades money",
    "Tools, Options, Trading: Confirm order placement is not ticked, for nobody answers the question",
    "Windows Security, Exclusions: NinjaTrader's folder `incoming`, so that no scanner holds a file open",
    "nothing else writes into the folder `incoming`, and no other NinjaTrader runs on this PC",
)
"""What no program can see."""


class Finding(NamedTuple):
    """What was found, in one sentence; `look` is for a person to look at."""

    result: Literal["ok", "warning", "failed", "look"]
    about: str
    detail: str


def examine(
    path: Path,
    accounts: Sequence[str],
    *,
    started: Callable[[], float | None],
    clock: Callable[[], timedelta] | None = None,
    checks: Mapping[str, Callable[[], str]] | None = None,
    executable: str = sys.executable,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Finding]:
    """Yield what is found of NinjaTrader's folder, and of what it takes to work over it.

    `clock` returns by how much AWS's clock is ahead of this machine's. A check of `checks` returns what is in order, or
    raises an error that says what is not.
    """
    yield _python(executable)
    folder_finding = _folder(path)
    yield folder_finding
    if folder_finding.result != "failed":
        runs = started() is not None
        yield _process(runs)
        yield from _strangers(path)
        if runs:
            yield _probe(Folder(path, accounts), wait)
            yield _connection(path)
        yield from _accounts(path, accounts)
    if clock is not None:
        yield _guarded("clock", lambda: _clock(clock()))
    for about, check in (checks or {}).items():
        yield _guarded(about, partial(_passed, about, check))
    for detail in TO_LOOK_AT:
        yield Finding("look", "you", detail)


def ahead(link: Link) -> timedelta:
    """Return by how much AWS's clock is ahead of this machine's."""
    link.look()
    return link.now() - datetime.now(UTC)


def checks_of(link: Link) -> Mapping[str, Callable[[], str]]:
    """Return the checks of what a bridge needs of AWS, for `examine`."""
    return {"table": partial(_listed, link), "doorbell": partial(_heard, link)}


def _listed(link: Link) -> str:
    looked = link.look()
    return f"{len(looked.orders)} orders are open at the venue, and {len(looked.unreadable)} cannot be read"


def _heard(link: Link) -> str:
    link.wait(0)
    return "these credentials may listen to it"


def _passed(about: str, check: Callable[[], str]) -> Finding:
    return Finding("ok", about, check())


def _guarded(about: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # whatever it is, the others are still to be looked at
        return Finding("failed", about, str(error) or type(error).__name__)


def _python(executable: str) -> Finding:
    if windows.is_store_python(executable):
        detail = "this is the Microsoft Store's, whose files other programs do not see: install Python from python.org"
        return Finding("failed", "python", detail)
    return Finding("ok", "python", f"{sys.version_info.major}.{sys.version_info.minor}, at {executable}")


def _folder(path: Path) -> Finding:
    if missing := [name for name in ("incoming", "outgoing") if not (path / name).is_dir()]:
        detail = f"{path} has no folder {' and no folder '.join(missing)}: it is not NinjaTrader 8's; give --folder"
        return Finding("failed", "folder", detail)
    if windows.is_under_onedrive(path):
        detail = (
            f"{path} is synced by OneDrive: the NinjaTrader of another PC would execute the same files. Move Documents"
        )
        return Finding("failed", "folder", detail)
    return Finding("ok", "folder", str(path))


def _process(runs: bool) -> Finding:
    if runs:
        return Finding("ok", "process", "NinjaTrader runs")
    return Finding("failed", "process", "NinjaTrader does not run, or as another user: start it, and look again")


def _strangers(path: Path) -> Iterator[Finding]:
    """Say what lies in `incoming`: NinjaTrader executes it as soon as it can."""
    if names := sorted(os.listdir(path / "incoming")):
        detail = f"has {len(names)} files that NinjaTrader has not taken, {names[0]} first: look whose they are"
        yield Finding("warning", "incoming", detail)


def _probe(folder: Folder, wait: Callable[[float], None]) -> Finding:
    """Have NinjaTrader take a file that does nothing: the cancel of an order that does not exist."""
    venue_id = oif.venue_id("doctor", secrets.token_hex(8))
    name = oif.file_name(venue_id, "cancel")
    written = folder.write(name, oif.cancel(venue_id))
    if isinstance(written, FileNotWritten):
        return Finding("failed", "incoming", f"cannot be written into: {written.reason}")
    for _ in range(round(PATIENCE * 10)):
        wait(0.1)
        if name not in folder.own_files():
            return Finding("ok", "incoming", "NinjaTrader takes files from it")
    folder.move_out(name, is_kept=False)
    detail = (
        f"NinjaTrader has not taken a file in {PATIENCE:g} s: tick AT Interface in its options; restart it if it is"
    )
    return Finding("failed", "incoming", detail)


def _connection(path: Path) -> Finding:
    states = {file.stem: outgoing.is_connected(_content(file)) for file in (path / "outgoing").glob("*.txt")}
    connected = sorted(name for name, state in states.items() if state)
    if connected:
        return Finding("ok", "connected", f"NinjaTrader is connected: {', '.join(connected)}")
    return Finding("failed", "connected", "NinjaTrader says of no connection that it is up: connect it")


def _accounts(path: Path, accounts: Sequence[str]) -> Iterator[Finding]:
    """Compare the names with those that NinjaTrader has written: it takes an account exactly as it spells it."""
    known = _known_accounts(path)
    for account in accounts:
        spelled = next((each for each in known if each.casefold() == account.casefold()), None)
        if account in known:
            yield Finding("ok", "account", f"{account} is known to NinjaTrader")
        elif spelled is not None:
            yield Finding("failed", "account", f"{account} is spelled {spelled} by NinjaTrader: write it so")
        else:
            detail = f"{account} is in nothing that NinjaTrader has written so far: compare the spelling with its own"
            yield Finding("warning", "account", detail)


def _known_accounts(path: Path) -> set[str]:
    """Return every account that NinjaTrader names in its files and in its last logs."""
    names = set()
    for file in (path / "outgoing").glob("*_*.txt"):
        is_position = outgoing.is_position(file.name)
        owner_and_rest = file.stem.partition("_")[2] if is_position else file.stem
        names.add(owner_and_rest.rpartition("_")[0])
    for file in sorted((path / "log").glob("log.*.txt"))[-2:]:
        text = _content(file)[-_LOG_TAIL:].decode("utf-8", errors="replace")
        names.update(re.findall(r"[Aa]ccount='([^']+)'", text), re.findall(r"Order='[^'/]*/([^']+)'", text))
    return names


def _content(file: Path) -> bytes:
    try:
        return windows.read_shared(file)
    except OSError:
        return b""


def _clock(ahead: timedelta) -> Finding:
    seconds = abs(ahead.total_seconds())
    if abs(ahead) > _MOST_OFF:
        detail = (
            f"this PC's is {seconds:.0f} s off AWS's: set the time. The bridge goes by AWS's, your credentials may not"
        )
        return Finding("warning", "clock", detail)
    return Finding("ok", "clock", f"this PC's is {seconds:.1f} s off AWS's")
