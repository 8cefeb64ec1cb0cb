"""What is done once of equal alerts that come within a minute: a mark in the table names what the last one wrote."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from orderhook.errors import DuplicateAlertError, TemporarilyUnavailableError
from orderhook.orders import Trace
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt
from orderhook.store.traces import left_trace, marks_of
from orderhook.store.writes import Put, TransactionFailed

if TYPE_CHECKING:
    from orderhook.services import Services

_RACES = 4
"""How often equal alerts may be written at the same moment before this one gives up."""


def write_once(
    services: "Services",
    provenance: Provenance,
    word: str,
    write: Callable[[Put], None],
    stands_for: Callable[[Trace], bool],
    *,
    look_first: bool = False,
) -> Trace | None:
    """Write something together with the mark of its alert; return the alert that did so before, if this is its resend.

    `write` writes both in one transaction: first what has the id of this request, and the mark last. Of another equal
    alert of the last minute `stands_for` says whether that stands for this one too, and then it is returned; or it
    raises why this one is refused. With `look_first`, `write` does more, and only what is written may begin it.
    """
    met = services.traces.marked(provenance, word) if look_first else None
    for _ in range(_RACES):
        traces = marks_of(met, provenance)
        if left_trace(traces, provenance):
            return None
        if first := first_receipt(services, provenance, traces):
            return first
        if traces and stands_for(traces[-1]):
            return traces[-1]
        try:
            write(services.traces.mark(provenance, word, met))
        except TransactionFailed as failed:
            of_write, *_, of_mark = failed.failures
        else:
            return None
        if of_write is not None or of_mark is None:
            return None  # it is there: this very request has written it, and did not hear of it
        met = of_mark.item
    raise TemporarilyUnavailableError("Equal alerts are being carried out. Send the same alert again; it is safe.")


def written_before(services: "Services", provenance: Provenance, word: str) -> Trace | None:
    """Return the alert that wrote what this one asks for, if this is its resend, or a message that comes once more."""
    traces = marks_of(services.traces.marked(provenance, word), provenance)
    own = next((trace for trace in traces if trace.request_id == provenance.request_id), None)
    return own or first_receipt(services, provenance, traces)


def refuse_equal(word: str, account: str | None, last: Trace) -> bool:
    """Raise DuplicateAlertError: what opens a position is not done twice because an alert came twice."""
    where = f" for account {account}" if account else ""
    raise DuplicateAlertError(
        f"The same {word}{where} came in at {last.received_at}, less than a minute before, and is carried out. "
        "If you want it once more, send it a minute after the first, or let its text differ: notes={{timenow}}."
    )
