"""The bridge as a process of this machine: what it runs over, that it runs alone, and what is asked of it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bridge import operator_requests, windows
from bridge.journal import JournalError
from bridge.link import Link, LinkError
from bridge.settings import BridgeSettings, SettingsError
from cli.connection import LOCAL_PORT
from cli.terminal import fail
from orderhook.orders import folded

SETTINGS_FILE = Path("bridge.toml")

_TRIES = 5
"""How often a run tries to get a lock: other commands hold it for a moment, to see whether one runs."""


def settings_in(config: Path | None) -> BridgeSettings:
    """Return what bridge.toml says; raises SettingsError, which names the local server too where none is there."""
    try:
        return BridgeSettings.read(config or SETTINGS_FILE)
    except SettingsError as error:
        if config is not None or SETTINGS_FILE.exists():
            raise
        raise SettingsError(
            f"{error} The bridge of `make run ARGS=--paper` is reached by --port {LOCAL_PORT}."
        ) from None


@contextmanager
def refusals() -> Iterator[None]:
    """End the command with one line where the bridge cannot work."""
    try:
        yield
    except (SettingsError, JournalError, LinkError) as error:
        fail(str(error))
    except (OSError, sqlite3.Error) as error:
        fail(f"The bridge cannot go on: {error}. Started again, it goes on from its journal.")


def ninjatrader_folder(given: Path | None) -> Path:
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


def lock_of(journal: Path) -> Path:
    """Return the lock that a bridge holds which runs over a journal."""
    return journal.with_suffix(".lock")


@contextmanager
def alone(lock: Path, where: str) -> Iterator[None]:
    """Hold a lock; ends the command where another bridge holds it, which runs `where` this says."""
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


def is_locked(lock: Path) -> bool:
    """Return whether a bridge that runs holds a lock."""
    if not lock.exists():
        return False
    try:
        with windows.lock(lock):
            return False
    except windows.HeldElsewhereError:
        return True


def tell_running(config: Path | None, said: operator_requests.Request) -> list[str]:
    """Tell the bridge that runs on this machine, and return what speaks against it; ends the command without one."""
    with refusals():
        settings = settings_in(config)
        if not is_locked(lock_of(settings.journal_path)):
            fail("No bridge is running on this machine for this stack and trader; start it, then say it again.")
        accounts = [str(it) for it in Link.connect(settings).owner().get("accounts", ())]
        if not any(folded(it) == folded(said.account) for it in accounts):
            fail(f"{said.account} is no account of the stack's bridge, which has {', '.join(accounts) or 'none'}.")
        against = operator_requests.ask_and_wait(operator_requests.folder_of(settings.journal_path), said)
    if against is None:
        seconds = operator_requests.PATIENCE_SECONDS
        fail(f"The bridge has not taken it within {seconds} s. Look at what it prints, then say it again.")
    return against
