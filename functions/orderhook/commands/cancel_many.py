"""Cancel many orders at once, each with a conditional write of its own, as many as the time budget allows."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field

from orderhook.aws.clients import CONNECTIONS, last_requests_until, result_in_time
from orderhook.errors import TemporarilyUnavailableError
from orderhook.orders import TERMINAL, OrderState, Provenance
from orderhook.store.book import OrderBook

_LAST_SECONDS = 0.3
"""How long before the end of the time budget the last cancel may begin."""

_threads = ThreadPoolExecutor(max_workers=CONNECTIONS)


@dataclass(slots=True)
class CancelManyResult:
    """The ids of the orders that were met, by what became of them."""

    cancelled: list[str] = field(default_factory=list)
    already_cancelled: list[str] = field(default_factory=list)
    already_terminal: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)
    """What the time budget left open, or may have: to send the alert again is safe, and finishes it."""

    @property
    def as_data(self) -> dict[str, object]:
        """Return the lists and their lengths, as an answer tells them."""
        lists = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"counts": {name: len(found) for name, found in lists.items()}, **lists}


def cancel_many(book: OrderBook, provenance: Provenance, order_ids: Iterable[str]) -> CancelManyResult:
    """Cancel every order, concurrently.

    Raises TemporarilyUnavailableError, with what was done and what remains, when the time budget ends before the last;
    run twice, the second finds what is left.
    """
    sweep = CancelManyResult()
    sent: list[tuple[str, Future[str]]] = []
    complete = True
    with last_requests_until(_LAST_SECONDS):
        try:
            for order_id in order_ids:
                # Not list.extend: what was sent before the listing failed has to stay.
                sent.append((order_id, _threads.submit(copy_context().run, _cancel, book, provenance, order_id)))  # noqa: PERF401
        except TemporarilyUnavailableError:
            complete = False
    for order_id, word in sent:
        getattr(sweep, _result(word)).append(order_id)
    if sweep.remaining or not complete:
        raise TemporarilyUnavailableError(
            "Not all orders could be cancelled in time. Send the same alert again; it is safe, and cancels the rest.",
            more=sweep.as_data,
            touched=tuple(sweep.cancelled),
        )
    return sweep


def _result(word: Future[str]) -> str:
    try:
        return result_in_time(word)
    except TemporarilyUnavailableError:
        word.cancel()  # what waits for its turn would stand in the way of the next alert
        return "remaining"


def _cancel(book: OrderBook, provenance: Provenance, order_id: str) -> str:
    """Cancel one order, and return the name of the list that it belongs to."""
    try:
        written = book.cancel(provenance, order_id)
    except TemporarilyUnavailableError:
        return "remaining"
    if written.done:
        return "cancelled"
    # An order that is gone was finished long ago.
    state = written.before.state if written.before else OrderState.UNKNOWN
    return "already_terminal" if state in TERMINAL - {OrderState.CANCELLED} else "already_cancelled"
