"""Whether a CHANGE or CANCELREPLACE comes too late: alerts that came in after what it is judged as of count more.

That is the end of its delay or, of a resend, the first receipt.
"""

from collections.abc import Iterable

from orderhook.commands.addressed_order import Met
from orderhook.orders import PRICES, Event
from orderhook.provenance import Provenance
from orderhook.trade import kind_of


def is_overtaken(provenance: Provenance, met: Met, names: Iterable[str]) -> bool:
    """Return whether an alert that came in later than this one counts has given the order one of these values.

    Those stay: the queue may bring a message late, or once more after it failed; and what failed in one account of a
    list is sent again.
    """
    if provenance.until is None:
        return False
    given: set[str] = set()
    for event in met.item.history:
        # A fill is no alert: what it leaves bears its own id.
        if event.digest != event.request_id and (event.received_at or "") > provenance.until:
            given |= _given(met, event)
    return not given.isdisjoint(names)


def _given(met: Met, event: Event) -> set[str]:
    """Return the values that an entry of a history has given the order which was met."""
    if met.leg is None:
        return set(event.changes) if event.leg is None or met.item.entry_id is not None else set()
    if event.leg is not None:
        return set(event.changes) if event.leg == met.leg else set()
    anew = "take_profit" if kind_of(met.leg) == "TARGET" else "stop_loss"
    return {*PRICES} if any(name.startswith(anew) for name in event.changes) else set()
