"""Time as the functions see it: it stands still, but for what a test, a fault or a pause between attempts lets pass."""

import math
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

PATIENCE_SECONDS = 60
"""How long, in real time, a test waits for what never comes."""

_SET_TIMER, _RESULT = signal.setitimer, Future.result


class Clock:
    """Stands in for time.monotonic, for waits and pauses, and for the alarm that ends a call at its deadline.

    However slow the machine is, a test sees the same times, and waits for none of them.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let time stand still until the monkeypatch is undone."""
        self._monkeypatch = monkeypatch
        self._lock = threading.Lock()
        self.elapsed = 0.0
        """The seconds that have passed since the test began."""
        self._start, self._real = time.monotonic(), time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: self._start + self.elapsed)
        monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=self.wait))
        monkeypatch.setattr(Future, "result", self._result)
        monkeypatch.setattr(signal, "setitimer", lambda *_: (0.0, 0.0))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.elapsed += seconds

    def wait(self, seconds: float) -> None:
        """Let the time pass that a request or a pause takes; what other threads do takes none of the main thread's."""
        if threading.current_thread() is threading.main_thread():
            self.advance(seconds)

    @property
    def _result(self) -> Callable[..., Any]:
        """Return what waits for the result of a future by this clock."""

        def result(future: "Future[Any]", timeout: float | None = None) -> Any:
            ends = math.inf if timeout is None else time.monotonic() + timeout
            gives_up = self._real() + PATIENCE_SECONDS
            while not future.done() and time.monotonic() < ends and self._real() < gives_up:
                with suppress(TimeoutError):
                    return _RESULT(future, 0.01)
            return _RESULT(future, 0)

        return result

    def ring_alarms(self) -> None:
        """Have alarms ring, after as much real time as they are set to."""
        self._monkeypatch.setattr(signal, "setitimer", _SET_TIMER)

    def run(self) -> None:
        """Have time pass by itself from here on, as it does outside tests."""
        self._monkeypatch.setattr(time, "monotonic", self._real)
        self._monkeypatch.setattr("botocore.endpoint.time", time)
        self._monkeypatch.setattr(Future, "result", _RESULT)
        self.ring_alarms()
