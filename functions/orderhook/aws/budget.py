"""The time budget of an alert: no request begins that could outlast it, and writes of unknown fate are counted.

A request that waits for its answer as long as it may must end before the deadline, so the last one begins
CONNECT_SECONDS + READ_SECONDS before it; docs/architecture.md draws the time line. The budget is a ContextVar because
botocore calls its hooks with arguments of its own and takes none of ours.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TypeVar

from orderhook.errors import TemporarilyUnavailableError

Argument = TypeVar("Argument")
Result = TypeVar("Result")

CONNECT_SECONDS, READ_SECONDS = 0.3, 0.6
ANSWER_SECONDS = 0.25
"""How long before the deadline the waiting ends: time to say what was done, and to record it."""
LAST_ATTEMPT_SECONDS = 0.05
"""How long before the deadline a request may begin whose answer nobody depends on."""
CONNECTIONS = 16
"""The number of connections that are kept, and of the threads of a command over many orders."""


class OutOfTimeError(Exception):
    """The request was not sent, because its answer could have come after the deadline."""


@dataclass(slots=True)
class Budget:
    """A deadline (seconds of time.monotonic), and what was sent before it."""

    deadline: float
    reserve: float = CONNECT_SECONDS + READ_SECONDS
    """The number of seconds before the deadline after which no request begins."""
    attempts: int | None = None
    """The number of times that a request may be sent; None leaves it to the retry rules."""
    in_doubt: int = 0
    """The number of writes that were sent and not refused."""
    lock: Lock = field(default_factory=Lock)

    def check(self) -> None:
        """Raise OutOfTimeError if a request that begins now could outlast the deadline."""
        if time.monotonic() + self.reserve > self.deadline:
            raise OutOfTimeError

    def count_in_doubt(self, change: int) -> None:
        """Count a write, or take one back; the threads that serve one alert share its budget."""
        with self.lock:
            self.in_doubt += change


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget | None:
    """Return the budget in force; None where nobody set one, and requests may take their time."""
    return _current.get()


@contextmanager
def _in_force(budget: Budget | None) -> Iterator[None]:
    token = _current.set(budget)
    try:
        yield
    finally:
        _current.reset(token)


def time_budget(deadline: float) -> AbstractContextManager[None]:
    """Let no request begin that could outlast `deadline` (seconds of time.monotonic)."""
    return _in_force(Budget(deadline))


def last_requests_until(seconds: float) -> AbstractContextManager[None]:
    """Let requests begin until `seconds` before the deadline; the caller answers in time without waiting for them."""
    budget = _current.get()
    return _in_force(budget and Budget(budget.deadline, reserve=seconds))


def repeatable_writes() -> AbstractContextManager[None]:
    """Keep may_have_written() from counting what is written here: an alert that does so may be sent again."""
    budget = _current.get()
    return _in_force(replace(budget) if budget else None)


def single_attempt() -> AbstractContextManager[None]:
    """Send each request once, until shortly before the deadline; may_have_written() does not count it."""
    budget = _current.get()
    return _in_force(Budget(budget.deadline if budget else math.inf, reserve=LAST_ATTEMPT_SECONDS, attempts=1))


def may_have_written() -> bool:
    """Return whether a write was sent under the budget in force and not refused: it is done, or its fate is unknown."""
    budget = _current.get()
    return budget is not None and budget.in_doubt > 0


def submit(executor: Executor, function: Callable[..., Result], *arguments: object) -> "Future[Result]":
    """Run the function in another thread, under the budget in force here."""
    return executor.submit(copy_context().run, function, *arguments)


def result_in_time(future: "Future[Result]") -> Result:
    """Wait for a result as long as the budget allows; raises TemporarilyUnavailableError after that."""
    budget = _current.get()
    left = budget.deadline - ANSWER_SECONDS - time.monotonic() if budget else None
    try:
        return future.result(left and max(0.0, left))
    except TimeoutError:
        raise unavailable() from None


def run_each(function: Callable[[Argument], Result], arguments: Sequence[Argument]) -> "list[Future[Result]]":
    """Run the function for each argument at once, in threads of its own, which end when they are done.

    Not the threads of a command over many orders: a task that waits for others in the same pool may wait for itself.
    """
    executor = ThreadPoolExecutor(len(arguments))
    futures = [submit(executor, function, argument) for argument in arguments]
    executor.shutdown(wait=False)
    return futures


def unavailable() -> TemporarilyUnavailableError:
    """Return the error for an answer that did not come in time."""
    return TemporarilyUnavailableError("The table did not answer in time. Send the same alert again; it is safe.")
