"""Work in processes of their own, one for each core; not forks, which a client and its threads would not survive."""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

CORES = os.cpu_count() or 1


class ProcessFailedError(Exception):
    """A process ended with an error, which it has printed."""


def in_processes(programs: Iterable[str]) -> None:
    """Run these Python programs side by side; when one fails the others are ended. Raises ProcessFailedError."""
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL) for program in programs]
    try:
        while any(process.poll() is None for process in running):
            if any(process.returncode for process in running):
                break
            time.sleep(0.1)
        if any(process.returncode for process in running):
            raise ProcessFailedError("A process failed: what it printed stands above.")
    finally:
        for process in running:
            process.kill()
            process.wait()


def results(function: str, arguments: Iterable[dict[str, Any]]) -> list[Any]:
    """Call a function ("module:name") once for each set of arguments, side by side, and return what they return."""
    module, _, name = function.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        calls = [(Path(folder, str(number)), given) for number, given in enumerate(arguments)]
        in_processes(
            f"from verification import processes; from {module} import {name}; "
            f"processes.keep({str(path)!r}, {name}, {given!r})"
            for path, given in calls
        )
        return [pickle.loads(path.read_bytes()) for path, _ in calls]


def keep(path: str, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Call a function and leave its result in a file."""
    Path(path).write_bytes(pickle.dumps(function(**arguments)))


@contextmanager
def captured() -> Iterator[tuple[Callable[[], str], pytest.MonkeyPatch]]:
    """Give what takes the standard output from here on, and a monkeypatch, to make a Service of outside pytest."""
    output = StringIO()

    def take() -> str:
        text = output.getvalue()
        output.seek(0)
        output.truncate()
        return text

    with redirect_stdout(output), pytest.MonkeyPatch.context() as monkeypatch:
        yield take, monkeypatch
