"""NinjaTrader 8's folder: instructions are files written into `incoming`, what came of them stands in `outgoing`.

Instructions are texts here; `oif` encodes them. What the files say is read by `outgoing` and `log_lines`.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bridge import outgoing, windows
from bridge.events import (
    ConnectionRead,
    Event,
    FileConsumed,
    FileMovedOut,
    FileNotWritten,
    FileWritten,
    LogLine,
    NinjaTraderStarted,
    NinjaTraderStopped,
)
from bridge.log_lines import LogReader

_MARKER = "orderhook_marker.txt"
"""A file of ours in `outgoing`: NinjaTrader empties the folder when it starts, so it is gone then."""

_MOVED_OUT = "orderhook not read"
"""The folder for instructions that NinjaTrader did not take."""

_OWN_NAME = re.compile(r"oif_oh_[\w.-]+\.txt", re.IGNORECASE | re.ASCII)
_LOG_NAME = re.compile(r"log\.(\d{8})\..*txt", re.IGNORECASE)

_OLD_LOG = 64 * 1024
"""How many bytes of the newest log are read when the folder is first scanned."""

_FINISHED = ("FILLED", "CANCELLED", "REJECTED", "EXPIRED")


class _Reading(NamedTuple):
    content: bytes
    stamp: tuple[int, int]
    """When it was written, in ns, and its size."""
    is_taken: bool
    """Whether it was whole, so that it was told."""
    is_final: bool
    """Whether it is read again only when its time or its size says that it was written."""


class Folder:
    """The folder of one NinjaTrader, and what was last read there. For one thread."""

    def __init__(self, path: Path, accounts: Sequence[str], started: Callable[[], float | None] | None = None) -> None:
        """Take `started` for what says since when NinjaTrader runs: in seconds since 1970, None while it does not.

        Without it NinjaTrader is taken to run, and only the marker tells of its start.
        """
        self._incoming, self._outgoing, self._log = path / "incoming", path / "outgoing", path / "log"
        self._moved_out = path / _MOVED_OUT
        self._accounts = tuple(accounts)
        self._started = started
        self._since = 0.0
        self._runs: bool | None = None
        self._untold: list[Event] = []
        self._written: set[str] = set()
        self._readings: dict[str, _Reading] = {}
        self._is_connected: bool | None = None
        self._log_reader = LogReader()
        self._log_ends: dict[str, int] | None = None

    def write(self, name: str, line: str) -> FileWritten | FileNotWritten:
        """Create a file in `incoming` that holds this one line, under its final name, by one write.

        A file that has the name already is taken for this one: nothing is written twice. FileNotWritten says that
        NinjaTrader can have seen nothing of it. Raises ValueError for what no instruction of ours can be.
        """
        if not _OWN_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an instruction of ours")
        if not (line.isascii() and line.isprintable()):
            raise ValueError("an instruction is one line of printable ASCII")
        path = self._incoming / name
        try:
            file = open(path, "xb", buffering=0)  # noqa: SIM115  what fails here has left nothing
        except FileExistsError:
            return self._is_written(name)
        except OSError as error:
            return FileNotWritten(name, str(error))
        try:
            with file:
                file.write(f"{line}\r\n".encode("ascii"))
        except OSError as error:
            if _taken_back_empty(path):
                return FileNotWritten(name, str(error))
        return self._is_written(name)

    def _is_written(self, name: str) -> FileWritten:
        self._written.add(name)
        return FileWritten(name)

    def move_out(self, name: str, *, is_kept: bool = True) -> FileMovedOut | FileConsumed | None:
        """Move a file out of `incoming`, unless NinjaTrader has taken it; None where that must be tried again.

        One that is not to be kept is deleted.
        """
        target = self._moved_out / name
        while target.exists():
            target = target.with_name(f"{target.stem}+{target.suffix}")
        try:
            if is_kept:
                self._moved_out.mkdir(exist_ok=True)
                os.replace(self._incoming / name, target)
            else:
                (self._incoming / name).unlink()
        except FileNotFoundError:
            self._written.discard(name)
            return FileConsumed(name)
        except OSError:
            return None
        self._written.discard(name)
        return FileMovedOut(name)

    def own_files(self) -> list[str]:
        """Return the names of the instructions of ours that lie in `incoming`, whoever wrote them."""
        return sorted(name for name in os.listdir(self._incoming) if _OWN_NAME.fullmatch(name))

    def scan(self) -> list[Event]:
        """Return what has changed since the last scan; raises OSError where a folder cannot be read.

        The next scan then tells what this one had found. A file that vanishes or is held meanwhile is read next time.
        """
        self._find(self._read_process)
        before = len(self._untold)
        self._find(self._read_outgoing)
        # NinjaTrader may take a file, and write of it, after a look at `incoming`: that comes last, and is told first.
        self._untold[before:before] = self._read_consumed()
        self._find(self._read_log)
        events, self._untold = self._untold, []
        return events

    def _find(self, read: Callable[[], Iterator[Event]]) -> None:
        for event in read():
            self._untold.append(event)  # so that what was found before a fault is kept

    def _read_process(self) -> Iterator[Event]:
        started = self._started() if self._started else 0.0
        if started is None:
            if self._runs is not False:
                yield NinjaTraderStopped()
            self._runs, self._is_connected = False, None
            return
        marked = _marked(self._outgoing / _MARKER)
        emptied = marked is None or abs(marked - started) > 1
        if emptied:
            (self._outgoing / _MARKER).write_text(f"{started:.3f}\n", encoding="ascii")
        if emptied or not self._runs:
            self._runs, self._is_connected = True, None
            self._since = started
            self._readings.clear()
            yield NinjaTraderStarted(emptied)

    def _read_consumed(self) -> Iterator[FileConsumed]:
        if self._written:
            left = {name.casefold() for name in os.listdir(self._incoming)}
            for name in sorted(name for name in self._written if name.casefold() not in left):
                self._written.discard(name)
                yield FileConsumed(name)

    def _read_outgoing(self) -> Iterator[Event]:
        with os.scandir(self._outgoing) as entries:
            files = sorted((each for each in entries if each.name.lower().endswith(".txt")), key=lambda each: each.name)
        self._readings = {each.name: self._readings[each.name] for each in files if each.name in self._readings}
        positions, connections = [], []
        for file in files:
            is_news = self._read(file)
            reading = self._readings.get(file.name)
            if reading is None or not reading.is_taken:
                continue
            if outgoing.is_position(file.name):
                positions += [(file.name, reading)] if is_news else []
            elif (is_connected := outgoing.is_connected(reading.content)) is not None:
                connections.append(is_connected)
            elif not outgoing.is_of_own_order(file.name):
                self._readings[file.name] = reading._replace(is_final=True)
            elif is_news and (read := outgoing.order_state(file.name, reading.content, self._accounts)):
                self._readings[file.name] = reading._replace(is_final=read.state in _FINISHED)
                yield read._replace(written_since_start=self._is_since_start(reading))
        if self._runs:
            yield from self._positions(positions)
            yield from self._connection(connections)

    def _read(self, file: "os.DirEntry[str]") -> bool:
        """Read a file, unless it stands as it stood; return whether it was written since, and is whole."""
        known = self._readings.get(file.name)
        try:
            # What Windows' list of a folder says of a file may be late; its own word is asked for while it matters.
            status = file.stat() if known and known.is_final else os.stat(file.path)
            stamp = (status.st_mtime_ns, status.st_size)
            if known and known.is_final and known.stamp == stamp:
                return False
            content = windows.read_shared(Path(file.path))
        except OSError:
            return False
        is_same = known is not None and known.content == content
        if known and known.is_taken and is_same and known.stamp == stamp:
            return False
        is_whole = content.endswith(b"\n") or is_same
        self._readings[file.name] = _Reading(content, stamp, is_whole, is_final=False)
        return is_whole

    def _positions(self, files: Sequence[tuple[str, _Reading]]) -> Iterator[Event]:
        for name, reading in files:
            written = reading.stamp[0] / 1e9
            today = datetime.fromtimestamp(written, UTC).date()
            if read := outgoing.position(name, reading.content, self._accounts, today):
                # Of before the start is what NinjaTrader has not deleted yet.
                yield read._replace(written_since_start=self._is_since_start(reading))

    def _is_since_start(self, reading: _Reading) -> bool:
        return reading.stamp[0] / 1e9 >= self._since

    def _connection(self, connections: Sequence[bool]) -> Iterator[ConnectionRead]:
        if connections and any(connections) != self._is_connected:
            self._is_connected = any(connections)
            yield ConnectionRead(self._is_connected)

    def _read_log(self) -> Iterator[LogLine]:
        try:
            names = sorted(name for name in os.listdir(self._log) if _LOG_NAME.fullmatch(name))
        except FileNotFoundError:
            names = []
        days = sorted({name[4:12] for name in names})[-2:]
        names = [name for name in names if name[4:12] in days]
        if self._log_ends is None:
            self._log_ends = {name: max(0, _size(self._log / name) - _OLD_LOG) for name in names}
        for name in names:
            lines, self._log_ends[name] = _new_lines(self._log / name, self._log_ends.get(name, 0))
            yield from filter(None, map(self._log_reader.read, lines))


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _new_lines(path: Path, end: int) -> tuple[list[str], int]:
    """Return the whole lines of a file after `end`, and where they end."""
    with suppress(OSError):
        if _size(path) > end:
            content = windows.read_shared(path, end)
            whole = content[: content.rfind(b"\n") + 1]
            return whole.decode("utf-8", errors="replace").splitlines(), end + len(whole)
    return [], end


def _taken_back_empty(path: Path) -> bool:
    """Remove a file that nothing could be written into; return False if it is gone, or something is in it."""
    try:
        if path.stat().st_size:
            return False
        path.unlink()
    except OSError:
        return False
    return True


def _marked(marker: Path) -> float | None:
    """Return which start of NinjaTrader's the marker is of; None where there is none."""
    with suppress(FileNotFoundError, ValueError):
        return float(marker.read_text(encoding="ascii"))
    return None
