"""Requests to AWS in the background, one of a kind at a time: the loop never waits for one."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from threading import Event as Signal
from typing import Any

from bridge.link import Link, LinkError

SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds between two attempts to reach AWS: twice as long after each failure."""

Tell = Callable[[str], None]
"""What takes a line for a person to read."""

Message = tuple[int | None, str]
"""A report with its number in the journal; the heartbeat has none."""


class Lane:
    """Requests of one kind; after a failure the next one waits, ever longer."""

    def __init__(
        self, of: str, background: Executor, tell: Tell, monotonic: Callable[[], float], done: Callable[[], object]
    ) -> None:
        """`done` is called whenever a request has ended, in its thread."""
        self._of, self._background, self._tell, self._monotonic, self._done = of, background, tell, monotonic, done
        self._under_way: Future[Any] | None = None
        self._failures = 0
        self._not_before = 0.0

    @property
    def has_failed(self) -> bool:
        """Whether the last request failed."""
        return self._failures > 0

    @property
    def is_free(self) -> bool:
        """Whether the next request may begin."""
        return self._under_way is None and self._monotonic() >= self._not_before

    def start(self, request: Callable[..., Any], *arguments: Any) -> None:
        """Begin a request."""
        self._under_way = self._background.submit(request, *arguments)
        self._under_way.add_done_callback(lambda _: self._done())

    def wait(self) -> None:
        """Wait until the request that is under way has ended."""
        if self._under_way is not None:
            wait([self._under_way])

    def take(self) -> Any:
        """Return what came back, once; None where nothing has, or not what was asked for."""
        if self._under_way is None or not self._under_way.done():
            return None
        future, self._under_way = self._under_way, None
        try:
            answer = future.result()
        except LinkError as error:
            self._failures += 1
            self._not_before = self._monotonic() + pause(self._failures)
            if self._failures == 1:
                self._tell(f"{error} It is tried again until it succeeds.")
            return None
        if self._failures:
            self._tell(f"There is an answer from {self._of} again.")
        self._failures = 0
        return answer


def pause(failures: int) -> float:
    """Return how long to wait after so many failures in a row."""
    return float(min(SHORTEST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE))


def send(link: Link, messages: Sequence[Message], stop: Signal) -> list[Message]:
    """Send reports until the bridge stops, and return those that were taken; raises LinkError where none was."""
    sent: list[Message] = []
    for message in messages:
        if stop.is_set():
            break
        try:
            link.send(message[1])
        except LinkError:
            if not sent:
                raise
            break
        sent.append(message)
    return sent
