"""What the commands over many orders share: what became of each."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from orderhook.errors import TemporarilyUnavailableError
from orderhook.orders import Outcome, Provenance

if TYPE_CHECKING:
    from orderhook.services import Services
    from orderhook.store.results import CancelManyResult

_LISTS = ("cancelled", "already_cancelled", "already_terminal", "remaining")


def cancel_many(services: "Services", provenance: Provenance, order_ids: Iterable[str]) -> "CancelManyResult":
    """Cancel every order, each by its own conditional write; run twice, the second finds what is left.

    Raises TemporarilyUnavailableError, with what was done and what remains, when the time budget ends before the last.
    """
    result = services.orders.cancel_many(provenance, order_ids)
    if result.remaining or not result.complete:
        raise TemporarilyUnavailableError(
            "Not all orders could be cancelled in time. Send the same alert again; it is safe, and cancels the rest.",
            extra=counts_and_ids(result),
            affected_order_ids=tuple(result.cancelled),
        )
    return result


def outcome_of_many(result: "CancelManyResult") -> Outcome:
    """Return the outcome of a command that cancelled all of them that it could."""
    return Outcome(
        status="cancelled" if result.cancelled else "already_cancelled",
        extra=counts_and_ids(result),
        affected_order_ids=tuple(result.cancelled),
    )


def counts_and_ids(result: "CancelManyResult") -> dict[str, object]:
    """Return the lists of ids and their lengths, as an answer has them."""
    lists = {name: getattr(result, name) for name in _LISTS}
    return {"counts": {name: len(ids) for name, ids in lists.items()}, **lists}
