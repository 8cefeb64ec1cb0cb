"""The specification of an order's states: what CANCEL does in each, and what may follow it.

Written from the project's rules and NinjaTrader's list of states. It imports nothing of the product, so that a wrong
row in the product's table contradicts it.
"""

from itertools import pairwise

CANCELLABLE = (
    "Initialized",
    "TriggerPending",
    "Submitted",
    "Accepted",
    "Suspended",
    "Working",
    "ChangePending",
    "ChangeSubmitted",
    "PartFilled",
    "Unknown",
)
"""CANCEL cancels the order; CHANGE and CANCELREPLACE are possible."""

BEING_CANCELLED = ("CancelPending", "CancelSubmitted")
"""A cancel is on its way to the venue: CANCEL succeeds and changes nothing."""

FINISHED_OTHERWISE = ("Filled", "Rejected", "Expired")
"""The order is finished and not cancelled: CANCEL is refused."""

CANCELLED_ALREADY = ("Cancelled", *BEING_CANCELLED)
FINISHED = ("Cancelled", *FINISHED_OTHERWISE)
OPEN = (*CANCELLABLE, *BEING_CANCELLED)
NOT_CANCELLABLE = (*CANCELLED_ALREADY, *FINISHED_OTHERWISE)
STATES = (*OPEN, *FINISHED)

USUAL_WAYS = (
    "Initialized Submitted Accepted Working Filled",
    "Initialized Submitted Accepted Working PartFilled PartFilled Filled",
    "Initialized TriggerPending Submitted Accepted Working Filled",
    "Working ChangePending ChangeSubmitted Working",
    "Working CancelPending CancelSubmitted Cancelled",
    "Working PartFilled CancelPending CancelSubmitted Cancelled",
    "Working CancelPending CancelSubmitted PartFilled Filled",
    "CancelPending Cancelled",
    "Submitted Rejected",
    "Accepted Rejected",
    "Working Rejected",
    "Working Expired",
    "Working Unknown Working Filled",
    "Submitted Unknown Submitted Accepted Working",
    "PartFilled Unknown Cancelled",
)
"""What venues report, state by state. A fill after the end is recorded beside it and is no step."""

USUAL_STEPS = frozenset(step for way in USUAL_WAYS for step in pairwise(way.split()))
"""Reports that have to be taken."""


def may_follow(before: str, after: str) -> bool:
    """Return whether a venue's report brings an order from that state into this one; a finished one keeps its end."""
    if before in FINISHED:
        return False
    if before == after:
        return before == "PartFilled"
    match after:
        case "Initialized":
            return False
        case "Submitted":
            return before in {"Initialized", "TriggerPending", "Unknown"}
        case "CancelPending":
            return before != "CancelSubmitted"
    return True
