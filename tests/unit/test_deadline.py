"""Whatever a call is doing, its caller goes on at the deadline; an alarm is felt nowhere else."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import LifoQueue

import pytest

from orderhook.aws.deadline import DeadlineError, call_until

SOON = 0.05
LATER = 60
"""How many seconds it takes until a call would end by itself."""


@pytest.fixture(autouse=True)
def timer_is_stopped() -> Iterator[None]:
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def take_every_exception_for_a_fault() -> None:
    end = time.monotonic() + LATER
    while time.monotonic() < end:
        with suppress(Exception):  # as libraries do that try again
            time.sleep(LATER)


class Slow:
    def __del__(self) -> None:
        spin(3 * SOON)  # an error in here is reported, and goes no further


def destroy_something_slow() -> None:
    Slow()
    time.sleep(LATER)


def test_a_call_that_ends_in_time_returns_what_it_returns() -> None:
    assert call_until(time.monotonic() + LATER, divmod, 7, 2) == (3, 1)


def test_an_error_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        call_until(time.monotonic() + LATER, divmod, 7, 0)


@pytest.mark.parametrize(
    "call",
    [lambda: time.sleep(LATER), lambda: spin(LATER), take_every_exception_for_a_fault, destroy_something_slow],
    ids=["waiting", "working", "catching", "destroying"],
)
@pytest.mark.parametrize("seconds", [SOON, 0, -1])
def test_a_call_that_goes_on_is_left_at_the_deadline(
    call: Callable[[], None], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test runner's own hook formats what a destructor raises, and the next alarm would be felt in there.
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    with pytest.raises(DeadlineError):
        call_until(time.monotonic() + seconds, call)


def test_an_alarm_is_felt_inside_the_call_or_not_at_all() -> None:
    for number in range(200):
        with suppress(DeadlineError):
            call_until(time.monotonic() + 0.001, spin, 0.001 * (0.9 + 0.001 * number))
        spin(0.0001)


def test_a_lock_is_not_left_locked() -> None:
    connections = LifoQueue[int]()

    def take_and_put_back() -> None:
        while True:
            connections.put(1)
            connections.get()
            sum(range(500))  # as long as a request does something else

    for _ in range(100):
        with pytest.raises(DeadlineError):
            call_until(time.monotonic() + 0.001, take_and_put_back)
        assert connections.mutex.acquire(blocking=False)
        connections.mutex.release()


def test_outside_the_main_thread_a_call_is_merely_a_call() -> None:
    with ThreadPoolExecutor() as threads:
        assert threads.submit(call_until, time.monotonic() - 1, divmod, 7, 2).result() == (3, 1)
