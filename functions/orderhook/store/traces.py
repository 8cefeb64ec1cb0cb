"""Traces: what an alert leaves in the item that it writes, so that its resend is known.

An order has them in its history. Any other item has them in a list, beside the list of their digests, which a condition
can look into.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from orderhook.aws.budget import repeatable_writes
from orderhook.errors import TemporarilyUnavailableError
from orderhook.orders import RESENDS_END, Trace, timestamp
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.expressions import Condition, Values, no_trace
from orderhook.store.table import Table
from orderhook.store.writes import NEW, ConditionFailed, Item, Put

FirstReceipt = Callable[[Sequence[Trace]], Trace | None]
"""Returns the trace of the first receipt if the alert is a resend of it."""

_MOST = 50
"""How many traces an item takes before a second write drops those that are older than any resend."""

_RETENTION = timedelta(days=1)

_RACES = 4
"""How often equal alerts may leave their traces at the same moment before this one gives up."""

MARK_LASTS = timedelta(seconds=60)
"""How long the mark of a text names what the last alert of that text has written."""

ADDS_TRACE = (
    "#digests = list_append(if_not_exists(#digests, :none), :digests), "
    "#traces = list_append(if_not_exists(#traces, :none), :traces)"
)
"""Sets what an alert leaves, with the values of `trace_values`."""

SETS_TRACES = "#digests = :digests, #traces = :traces"
"""Sets what an alert leaves in place of older traces, with the values of `trace_values` after those."""


def takes_trace(digest: str) -> Condition:
    """Return the condition that no equal alert has left a trace, and that there is room for this one's."""
    room = Condition("(attribute_not_exists(#digests) OR size(#digests) < :most)", {":most": _MOST})
    return no_trace(digest) & room


def trace_values(provenance: Provenance, earlier: Iterable[Trace] = ()) -> Values:
    """Return the values of SETS_TRACES, and where there is none earlier of ADDS_TRACE too."""
    traces = [*earlier, provenance.trace]
    return {":digests": [trace.digest for trace in traces], ":traces": list(map(items.trace, traces))}


def traces_of(item: Mapping[str, Any] | None, provenance: Provenance, within: timedelta = RESENDS_END) -> list[Trace]:
    """Return what alerts left in an item, oldest first, but for what is older than any resend, or than `within`."""
    earliest = timestamp(provenance.received_on - within)
    traces = map(items.read_trace, (item or {}).get("traces", ()))
    return [trace for trace in traces if trace.received_at >= earliest]


def left_trace(traces: Iterable[Trace], provenance: Provenance) -> bool:
    """Return whether this very request has written already: its answer was lost, and it was sent again."""
    return any(trace.request_id == provenance.request_id for trace in traces)


class TraceStore:
    """The traces of commands over many orders, instructions, and alerts for several accounts, in items of their own.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def leave(self, provenance: Provenance, word: str, first_receipt: FirstReceipt) -> Trace | None:
        """Leave the trace of an alert by one conditional write, unless it is a resend: then return the first's.

        Run twice, the second finds its own.
        """
        met: Item | None = None
        traces: Sequence[Trace] = ()
        for _ in range(_RACES):
            try:
                # No order is placed by it: an alert that fails after it may be sent again.
                with repeatable_writes():
                    self._table.put(self._leaving(provenance, word, met, traces))
            except ConditionFailed as failure:
                met = failure.item
            else:
                return None
            traces = traces_of(met, provenance)
            if left_trace(traces, provenance):
                return None
            if first := first_receipt(traces):
                return first
        raise TemporarilyUnavailableError("Equal alerts are being noted. Send the same alert again; it is safe.")

    def marked(self, provenance: Provenance, word: str) -> Item | None:
        """Return the mark of an alert's text, for `marks_of` and `mark`."""
        return self._table.get(items.trace_key(provenance.trader, word, provenance.digest))

    def mark(self, provenance: Provenance, word: str, met: Item | None) -> Put:
        """Return the write that marks what is written with it, in one transaction, as the last of this alert's text.

        Its condition is that the mark is still as it was met: of two equal alerts that race one writes.
        """
        return self._leaving(provenance, word, met, marks_of(met, provenance))

    def _leaving(self, provenance: Provenance, word: str, met: Item | None, earlier: Sequence[Trace]) -> Put:
        traces = trace_values(provenance, earlier)[":traces"]
        item = items.trace_key(provenance.trader, word, provenance.digest) | {
            "traces": traces,
            "request_id": provenance.request_id,
            "expires": int((provenance.at + _RETENTION).timestamp()),
        }
        unchanged, values = (NEW, {}) if met is None else ("#request_id = :seen", {":seen": met["request_id"]})
        # What a newer version wrote beside the traces stays.
        return Put((met or {}) | item, unchanged, values)


def marks_of(item: Mapping[str, Any] | None, provenance: Provenance) -> list[Trace]:
    """Return the alerts that a mark names, oldest first, no more than an item takes."""
    return traces_of(item, provenance, MARK_LASTS)[1 - _MOST :]
