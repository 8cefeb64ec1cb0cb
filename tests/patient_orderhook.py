"""The `orderhook` command, but patient: on a busy machine an answer may take longer than TradingView would wait."""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from orderhook.aws import budget, clients, deadline

MORE_SECONDS = 60
READ_SECONDS = 20
"""How long a table on this machine may take for one answer."""

_time_budget, _call_until = budget.time_budget, deadline.call_until


def time_budget(until: float) -> AbstractContextManager[budget.Budget]:
    return _time_budget(until + MORE_SECONDS)


def call_until(until: float, function: Callable[..., object], *arguments: object) -> object:
    return _call_until(until + MORE_SECONDS, function, *arguments)


# Before the handlers are imported, which take them by name.
clients.READ_SECONDS = READ_SECONDS  # type: ignore[attr-defined]
budget.time_budget = time_budget  # type: ignore[assignment]
deadline.call_until = call_until  # type: ignore[assignment]


def stop(odd: str) -> None:
    """End the process: it has written for NinjaTrader what it would not understand."""
    sys.stderr.write(f"{odd}\n")
    os._exit(1)


if __name__ == "__main__":
    from cli.app import app
    from tests import oif_watch

    oif_watch.watch(pytest.MonkeyPatch(), stop)
    app()
