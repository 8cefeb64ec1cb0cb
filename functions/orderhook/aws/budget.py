"""The time budget of an alert: no request begins that could outlast it.

With it goes what became of the requests: writes of unknown fate are counted, and faults are noted.

A request that waits for its answer as long as it may must end before the deadline, so the last one begins
CONNECT_SECONDS + READ_SECONDS before it; docs/architecture.md draws the time line. The budget is a ContextVar because
botocore calls its hooks with arguments of its own and takes none of ours.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from threading import Lock
from traceback import FrameSummary
from typing import NamedTuple, TypeVar

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

    met_before = "OutOfTimeError"
    """What the attempt before had met, if there was one."""


class Fault(NamedTuple):
    """What kept a request to AWS from being done."""

    reason: str
    """AWS's code, or the class of what failed on the way; never a message, which may quote the payload."""
    operation: str | None = None
    """AWS's name of the request, such as UpdateItem."""
    passing: bool = True
    """Whether it passes by itself; what does not is for whoever runs the stack."""
    stack: tuple[FrameSummary, ...] = ()
    """Where it was sent, of what does not pass."""


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
    faults: list[Fault] = field(default_factory=list)
    """What requests met that were given up, in that order."""
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
def _in_force(budget: Budget) -> Iterator[Budget]:
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)


def time_budget(deadline: float) -> AbstractContextManager[Budget]:
    """Let no request begin that could outlast `deadline` (seconds of time.monotonic)."""
    return _in_force(Budget(deadline))


def last_requests_until(seconds: float) -> AbstractContextManager[Budget | None]:
    """Let requests begin until `seconds` before the deadline; the caller answers in time without waiting for them."""
    budget = _current.get()
    return _in_force(replace(budget, reserve=seconds, in_doubt=0)) if budget else nullcontext()


def repeatable_writes() -> AbstractContextManager[Budget | None]:
    """Keep may_have_written() from counting what is written here: an alert that does so may be sent again."""
    budget = _current.get()
    return _in_force(replace(budget)) if budget else nullcontext()


def single_attempt() -> AbstractContextManager[Budget | None]:
    """Send each request once, until shortly before the deadline; may_have_written() does not count it."""
    budget = _current.get() or Budget(math.inf)
    return _in_force(replace(budget, reserve=LAST_ATTEMPT_SECONDS, attempts=1, in_doubt=0))


def note(fault: Fault) -> None:
    """Keep what a request met that is given up, for the log line of its alert."""
    if budget := _current.get():
        budget.faults.append(fault)


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
        note(Fault(OutOfTimeError.__name__))
        raise unavailable() from None


def run_each(function: Callable[[Argument], Result], arguments: Sequence[Argument]) -> "list[Future[Result]]":
    """Run the function for each argument at once, in threads of its own, which end when they are done.

    Not the threads of a command over many orders: a task that waits for others in the same pool may wait for itself.
    """
    executor = ThreadPoolExecutor(len(arguments))
    futures = [submit(executor, function, argument) for argument in arguments]
    executor.shutdown(wait=False)
    return futures


_NO_TIME = "No time was left to ask the table: the alert came in late, or what went before took long."
_CONFLICT = "Other alerts are changing the same order or strategy."
_WORDS: Mapping[str, str] = {
    OutOfTimeError.__name__: _NO_TIME,
    "TransactionConflictException": _CONFLICT,
    "TransactionCanceledException: TransactionConflict": _CONFLICT,
}
"""What to say of those that are not as most are."""


def unavailable(reason: str = "") -> TemporarilyUnavailableError:
    """Return the error for an answer that did not come in time, or for this reason not at all."""
    words = _WORDS.get(reason, "The table did not answer in time.")
    return TemporarilyUnavailableError(f"{words} Send the same alert again; it is safe.")
