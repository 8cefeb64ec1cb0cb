"""What Windows does differently from every other system: sharing of files, locks, folders, processes, the console.

NinjaTrader 8 runs on Windows alone. The other half of each function lets the bridge run elsewhere over a stand-in.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import platformdirs
import psutil

PROCESS = "NinjaTrader.exe"


class HeldElsewhereError(Exception):
    """Another process holds the lock."""


def read_shared(path: Path, start: int = 0) -> bytes:
    """Read a file from `start` on, while others may read, write, rename and delete it; raises OSError as `open` does.

    Python's own `open` forbids Windows to delete or replace the file meanwhile, and NinjaTrader's write would fail.
    """
    if sys.platform != "win32":
        with open(path, "rb") as file:
            file.seek(start)
            return file.read()
    import ctypes
    import msvcrt
    from ctypes import wintypes

    generic_read, share_all, open_existing, normal = 0x80000000, 0x1 | 0x2 | 0x4, 3, 0x80
    create_file = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
    create_file.restype = wintypes.HANDLE
    word = wintypes.DWORD
    create_file.argtypes = [wintypes.LPCWSTR, word, word, wintypes.LPVOID, word, word, wintypes.HANDLE]
    handle = create_file(str(path), generic_read, share_all, None, open_existing, normal, None)
    if handle == ctypes.c_void_p(-1).value:
        raise ctypes.WinError(ctypes.get_last_error())
    with open(msvcrt.open_osfhandle(handle, os.O_RDONLY | os.O_BINARY), "rb") as file:
        file.seek(start)
        return file.read()


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however it ends; raises HeldElsewhereError if another one has it."""
    if sys.platform != "win32":
        with _locked_database(path):
            yield
        return
    import msvcrt

    with open(path, "ab") as file:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            raise HeldElsewhereError(path) from None
        try:
            yield
        finally:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)


@contextmanager
def _locked_database(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
        try:
            database.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise HeldElsewhereError(path) from None
        yield


def ninjatrader_folder() -> Path:
    """Return where NinjaTrader 8 keeps its files: in the user's Documents, wherever Windows has them."""
    return platformdirs.user_documents_path() / "NinjaTrader 8"


def is_under_onedrive(folder: Path, environment: dict[str, str] | None = None) -> bool:
    """Return whether OneDrive syncs the folder to other machines, by its variables and by the names of the folders."""
    environment = dict(os.environ) if environment is None else environment
    resolved = _folded(folder.resolve())
    roots = [Path(root) for name, root in environment.items() if name.upper().startswith("ONEDRIVE") and root]
    if any(resolved[: len(parts)] == parts for parts in (_folded(root.resolve()) for root in roots)):
        return True
    return any(part == "onedrive" or part.startswith("onedrive - ") for part in resolved)


def _folded(path: Path) -> tuple[str, ...]:
    return tuple(part.casefold() for part in path.parts)


def is_store_python(executable: str = sys.executable) -> bool:
    """Return whether this Python is the Microsoft Store's, whose files in %LOCALAPPDATA% nobody else sees."""
    return any(
        part.casefold() == "windowsapps" or part.startswith("PythonSoftwareFoundation.") for part in _parts(executable)
    )


def _parts(path: str) -> list[str]:
    return path.replace("\\", "/").split("/")


class Process:
    """A program by its name: whether it runs, and since when. It is looked for once a second at most."""

    def __init__(self, name: str = PROCESS) -> None:
        self._name = name.casefold()
        self._found: psutil.Process | None = None
        self._look_at = 0.0

    def started(self) -> float | None:
        """Return when the program was started, in seconds since 1970; None while it does not run."""
        if self._found and not self._found.is_running():
            self._found = None
        if self._found is None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + 1
            self._found = next((each for each in psutil.process_iter() if self._is_it(each)), None)
        try:
            return self._found.create_time() if self._found else None
        except psutil.Error:
            return None

    def _is_it(self, process: psutil.Process) -> bool:
        try:
            return process.name().casefold() == self._name
        except psutil.Error:
            return False


def stay_awake() -> None:
    """Keep Windows from sleeping while this process runs; the screen may go dark."""
    if sys.platform == "win32":
        import ctypes

        continuous, system_required = 0x80000000, 0x1
        ctypes.windll.kernel32.SetThreadExecutionState(continuous | system_required)


def turn_quick_edit_off() -> None:
    """Keep a click into the console's window from halting this process until a key is pressed."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        standard_input, quick_edit, extended = -10, 0x40, 0x80
        kernel, mode = ctypes.windll.kernel32, wintypes.DWORD()
        kernel.GetStdHandle.restype = wintypes.HANDLE
        console = kernel.GetStdHandle(standard_input)
        if kernel.GetConsoleMode(wintypes.HANDLE(console), ctypes.byref(mode)):  # else it is no console
            kernel.SetConsoleMode(wintypes.HANDLE(console), (mode.value & ~quick_edit) | extended)
