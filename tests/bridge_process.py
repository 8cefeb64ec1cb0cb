"""The real `orderhook bridge run` in a process of its own, and the stand-in for NinjaTrader that runs beside it."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.aws.paper import Paper

ROOT = Path(__file__).parents[1]
SETTINGS = "bridge.toml"
"""Where the bridge looks for its settings, in NinjaTrader's folder."""


@contextmanager
def ninjatrader(folder: Path) -> Iterator[Paper]:
    """Run the stand-in over a folder, and a process of NinjaTrader's name, by which the bridge sees that it runs."""
    sleep = shutil.which("sleep")
    if sleep is None:
        pytest.skip("there is no program to run under NinjaTrader's name")
    program = folder / "NinjaTrader.exe"
    program.symlink_to(sleep)
    stopped, paper = threading.Event(), Paper(folder, moves=False)
    thread = threading.Thread(target=paper.run, args=(stopped,), daemon=True)
    with subprocess.Popen([program, "10000"]) as process:
        paper.start(datetime.now(UTC))
        thread.start()
        try:
            yield paper
        finally:
            stopped.set()
            thread.join()
            process.kill()


def start(folder: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start the bridge over a folder that has its settings, too; its journal lies there as well."""
    return subprocess.Popen(
        _command("run", "--account", "Sim101", "--folder", "."),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(folder, environment),
    )


def ask(folder: Path, environment: Mapping[str, str], *words: str) -> str:
    """Run another command of the bridge in the same place, and return what it prints."""
    command, there = _command(*words), _environment(folder, environment)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=there).stdout


def _command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from cli.app import app; app()", "bridge", *words, "--config", SETTINGS]


def _environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    state = {name: str(folder / "state") for name in ("XDG_STATE_HOME", "LOCALAPPDATA")}
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "functions", *filter(None, [os.environ.get("PYTHONPATH")]))))
    return {**os.environ, **state, "PYTHONPATH": paths, **environment}
