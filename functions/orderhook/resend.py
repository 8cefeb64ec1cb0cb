"""The same alert again: TradingView repeats what was answered 5xx, and only that.

A resend is the same text of the same trader, received 4 to 30 s after the first receipt, where no record says that the
first or a resend of it was answered 2xx or 4xx. It is judged as of its first receipt; the same text otherwise is a new
alert. Source: TradingView waits 5 s after a 5xx and sends the alert again, up to three times.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from orderhook.orders import RESENDS_END, Trace
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.services import Services
    from orderhook.store.alert_log import Earlier

EARLIEST, LATEST = timedelta(seconds=4), RESENDS_END

_ACCOUNTS = "ACCOUNTS"
"""What the trace of an alert for several accounts is found by, beside its digest."""


def first_receipt(services: "Services", provenance: Provenance, traces: Iterable[Trace]) -> Trace | None:
    """Return the trace of the first receipt of the alert if this is a resend of it, and note that it is one.

    Several equal alerts may have left traces, oldest first. The record of one is read only where the times fit, and
    once. What is answered to a resend is noted in that record. Of two messages of one alert the queue may bring that of
    the resend first: then it is the trace of that one.
    """
    known = provenance.resend_of or {}
    for trace in traces:
        if trace.digest != provenance.digest or trace.request_id == provenance.request_id:
            continue
        later = provenance.received_on - datetime.fromisoformat(trace.received_at)
        if not EARLIEST <= abs(later) <= LATEST:
            continue
        first = first_request(trace.request_id if later > timedelta(0) else provenance.request_id)
        if first in known:
            return trace
        earlier = services.alert_log.earlier(provenance.trader, first)
        if earlier.answered:
            continue
        if provenance.resend_of is not None:
            provenance.resend_of[first] = earlier
        return trace
    return None


def first_of_accounts(services: "Services", provenance: Provenance) -> "tuple[datetime | None, Earlier | None]":
    """Leave the trace of an alert for several accounts; of a resend, return when the first came, and what came of it.

    In an account where nothing was written there is no other trace.
    """
    first = services.traces.leave(provenance, _ACCOUNTS, partial(first_receipt, services, provenance))
    if first is None:
        return None, None
    known = (provenance.resend_of or {}).get(first.request_id)
    return datetime.fromisoformat(first.received_at), known


def first_request(request_id: str) -> str:
    """Return the request id of the alert that a part for one account belongs to."""
    return request_id.partition(".")[0]
