"""What the writes of orders met, and how our own write is told from another's.

When the answer of a committed write is lost, the SDK sends it again, and it meets what it has written itself: the
request id in the item's history says so.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from orderhook.orders import Order, OrderState, Provenance, Strategy


class WriteResult(NamedTuple):
    """What a conditional write met: the order as it was before (None: there was none), and whether it was applied.

    When this very request had written already and its answer was lost, it is applied, and `before` has the state that
    the order had before that write, but the filled quantity that it reported.
    """

    before: Order | None
    applied: bool


class PlaceResult(NamedTuple):
    """What a write of new orders met, with their strategy and the order that they replace, if there are such."""

    applied: bool
    existing: Order | None = None
    """The order that has the entry's id already."""
    strategy: Strategy | None = None
    """The strategy as it is, where it is not as the write expected."""
    not_replaced: Order | None = None
    """The order that was to be replaced, where its state forbade it."""
    missing: bool = False
    """Whether the order that was to be replaced is not there."""

    @property
    def replaceable(self) -> bool:
        """Whether nothing is known against replacing the order that was to be replaced."""
        return self.not_replaced is None and not self.missing


@dataclass(slots=True)
class CancelManyResult:
    """The ids of the orders that a command over many met, by what became of them."""

    cancelled: list[str] = field(default_factory=list)
    already_cancelled: list[str] = field(default_factory=list)
    already_terminal: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)
    """What the time budget left open, or may have: to send the alert again is safe, and finishes it."""
    complete: bool = True
    """Whether all open orders could be listed in time."""


def own_placing(entry: Order | None, provenance: Provenance) -> PlaceResult | None:
    """Return the result of our own write, whose answer was lost and which the SDK has sent again, if it is that."""
    ours = entry is not None and entry.history[0].request_id == provenance.request_id
    return PlaceResult(applied=True) if ours else None


def refused(order: Order | None, request_id: str) -> WriteResult:
    """Return the result of a write that was refused, which may be our own, sent again by the SDK."""
    if order is None or request_id not in [event.request_id for event in order.history]:
        return WriteResult(order, applied=False)
    # A fill may have overtaken the cancel since.
    filled = order.filled if order.cancel_filled is None else order.cancel_filled
    return WriteResult(order._replace(state=_state_before(order, request_id), filled=filled), applied=True)


def _state_before(order: Order, request_id: str) -> OrderState:
    state = order.state
    for event in order.history:
        if event.request_id == request_id:
            break
        state = event.state or state
    return state
