"""What the writes of orders met, and how our own write is told from another's.

When the answer of a committed write is lost, the SDK sends it again, and it meets what it has written itself: the
request id in the item's history says so.
"""

from typing import NamedTuple

from orderhook.orders import Order, OrderState


class WriteResult(NamedTuple):
    """What a conditional write met: the order as it was before (None: there was none), and whether it was applied.

    When this very request had written already and its answer was lost, it is applied, and `before` has the state that
    the order had before that write, but the filled quantity that it reported.
    """

    before: Order | None
    applied: bool


class PutResult(NamedTuple):
    """The order as written, or, where nothing was, the one that has its id already."""

    order: Order
    applied: bool


def refused(order: Order | None, request_id: str) -> WriteResult:
    """Return the result of a write that was refused, which may be our own, sent again by the SDK."""
    if order is None or order.event_of(request_id) is None:
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
