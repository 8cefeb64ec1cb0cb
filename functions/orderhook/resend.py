"""The same alert again: TradingView repeats what was answered 5xx, and only that.

A resend is the same text of the same trader, received 4 to 30 s after the first receipt, where no record says that the
first or a resend of it was answered 2xx or 4xx. It is judged as of its first receipt; the same text otherwise is a new
alert. Source: TradingView waits 5 s after a 5xx and sends the alert again, up to three times.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orderhook.orders import RESENDS_END, Provenance, Trace

if TYPE_CHECKING:
    from orderhook.services import Services

EARLIEST, LATEST = timedelta(seconds=4), RESENDS_END


def first_receipt(services: "Services", provenance: Provenance, traces: Iterable[Trace]) -> Trace | None:
    """Return the trace of the first receipt of the alert if this is a resend of it, and note that it is one.

    Several equal alerts may have left traces, oldest first. The record of one is read only where the times fit. What is
    answered to a resend is noted in that record.
    """
    for trace in traces:
        if trace.digest != provenance.digest or trace.request_id == provenance.request_id:
            continue
        if not EARLIEST <= provenance.received_on - datetime.fromisoformat(trace.received_at) <= LATEST:
            continue
        first = first_request(trace.request_id)
        if services.alert_log.was_answered(provenance.trader, first):
            continue
        if provenance.resend_of is not None:
            provenance.resend_of.append(first)
        return trace
    return None


def first_request(request_id: str) -> str:
    """Return the request id of the alert that a part for one account belongs to."""
    return request_id.partition(".")[0]
