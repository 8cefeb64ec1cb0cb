"""What the functions import that answer alerts: nothing of the console, for which no alert waits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tests.environment  # noqa: F401  which the process inherits

FUNCTIONS = Path(__file__).parents[2] / "functions"
IMPORTED = "import sys, {}; print(*sys.modules)"


@pytest.mark.parametrize("name", ["webhook", "deferred", "reports", "before_traffic"])
def test_a_function_of_alerts_imports_nothing_of_the_console(name: str) -> None:
    path = {"PYTHONPATH": str(FUNCTIONS)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED.format(name)], env=os.environ | path, capture_output=True, text=True, check=True
    )
    modules = done.stdout.split()
    assert name in modules
    assert [it for it in modules if it.startswith(("orderhook.console", "htpy", "markupsafe"))] == []


@pytest.mark.parametrize("name", ["webhook", "deferred", "reports", "before_traffic", "console"])
def test_no_other_function_imports_what_tells_the_trader(name: str) -> None:
    path = {"PYTHONPATH": str(FUNCTIONS)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED.format(name)], env=os.environ | path, capture_output=True, text=True, check=True
    )
    modules = done.stdout.split()
    assert name in modules
    assert [it for it in modules if it.startswith(("orderhook.notifying", "notify"))] == []
