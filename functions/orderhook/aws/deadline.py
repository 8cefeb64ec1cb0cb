"""The hard end of a call: a socket's time-out is for each part of an answer, this is for all of it.

A signal and not a thread, because a thread would leave a write running that Lambda thaws into the next request.
"""

import signal
import threading
import time
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import TypeVar

Result = TypeVar("Result")

_REPEAT_SECONDS = 0.01
# Raised into these, the error could leave a lock locked for good, or a module half imported.
_NOT_TO_INTERRUPT = {"threading", "queue", "importlib._bootstrap"}


class DeadlineError(BaseException):
    """The deadline has passed. Not an Exception, or a library could take it for a failed request and try again."""


def call_until(deadline: float, function: Callable[..., Result], *arguments: object) -> Result:
    """Call the function, and raise DeadlineError out of whatever it does at `deadline` (seconds of time.monotonic).

    Only the main thread can be interrupted, which is where Lambda calls its handler; in any other the function is
    merely called. A call into C that goes on after a signal, such as a look-up of a host name, is interrupted when it
    is over.
    """
    if threading.current_thread() is not threading.main_thread():
        return _within(function, *arguments)
    _listen_for_alarms()
    # Repeatedly, because an error is swallowed where a destructor runs. A delay of 0 would turn the timer off.
    signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 1e-6), _REPEAT_SECONDS)
    try:
        return _within(function, *arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@cache  # once and for good: without a handler, an alarm would end the process
def _listen_for_alarms() -> None:
    signal.signal(signal.SIGALRM, _interrupt)


def _within(function: Callable[..., Result], *arguments: object) -> Result:
    return function(*arguments)


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Raise DeadlineError inside `_within`, and nowhere else: an alarm that comes late interrupts nothing."""
    while frame is not None and frame.f_code is not _within.__code__:
        if frame.f_globals.get("__name__") in _NOT_TO_INTERRUPT:
            return
        frame = frame.f_back
    if frame is not None:
        raise DeadlineError
