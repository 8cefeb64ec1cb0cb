"""What can need a person, what hurts most first: one list. A condition leaves when it is over, an event when looked at.

Each alarm has an entry here, or a reason why it has none. `needing` says which of them there are now.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from orderhook import alarms

ORDER_ID = "ORDER_ID"
"""Stands in a command line for what only its reader can put there: an id may hold what a shell would carry out."""

Ends = Literal["over", "looked at", "over, or looked at"]
"""Of the last, nobody but a person knows where the position cannot be known."""


class Entry(NamedTuple):
    """Something that needs a person: what it is, what to do, and how it leaves the list."""

    title: str
    what_to_do: str
    ends: Ends
    when_over: str = ""
    command: str = ""
    """The words for the command line, where that is the way out; `{id}` stands for the id of a request."""
    naked: bool = False
    """Whether a position may be without a stop, or open although it was to be closed: that waits for no morning."""


_E = Entry
_COVERED = "a stop works for all of it, or the position was seen flat"
_LOOK = "Look into NinjaTrader now"
ENTRIES: Mapping[str, Entry] = MappingProxyType(
    {
        # Naked.
        "unprotected": _E(
            "A position may be without its stop",
            f"{_LOOK}: place a stop there, or close the position. If the account is flat, say so on the bridge's PC:",
            "over, or looked at",
            _COVERED,
            command="bridge confirm ACCOUNT flat",
            naked=True,
        ),
        "unprotected_quantity": _E(
            "A part of an order has no stop or target",
            "If you did not mean that, give it a stop (CANCELANDBRACKET), or close it.",
            "over, or looked at",
            _COVERED,
            naked=True,
        ),
        "stop_rejected": _E(
            "NinjaTrader has rejected a stop",
            f"{_LOOK}: what it was for is closed, or has no stop.",
            "looked at",
            naked=True,
        ),
        "stop_on_wrong_side": _E(
            "A stop was on the wrong side of the market",
            f"{_LOOK}: the position is closed, or has none.",
            "looked at",
            naked=True,
        ),
        "close_failed": _E(
            "A position was not seen flat after it was to be closed",
            f"{_LOOK}, and close it there. Nothing opens in this account and instrument until you say so:",
            "looked at",
            command="bridge resume ACCOUNT INSTRUMENT",
            naked=True,
        ),
        "flipped": _E(
            "A position is on the other side after it was closed",
            f"{_LOOK}, and close it there. Nothing opens in this account and instrument until you say so:",
            "looked at",
            command="bridge resume ACCOUNT INSTRUMENT",
            naked=True,
        ),
        "not_closed": _E(
            "What was to close a position has not done so",
            f"{_LOOK}, and close there what is open.",
            "looked at",
            naked=True,
        ),
        # Not known.
        "unresolved": _E(
            "Nobody knows what has become of an order",
            "Look into NinjaTrader's own list of orders, then say what became of it (cancelled, rejected or filled=N):",
            "over",
            "NinjaTrader writes its state, or somebody has resolved it",
            command=f"resolve {ORDER_ID} cancelled",
        ),
        "unknown": _E(
            "NinjaTrader itself does not know what has become of an order",
            "It has lost its connection: connect it again. Cancel there what cannot wait.",
            "over",
            "NinjaTrader writes another state",
        ),
        "cancel_refused": _E(
            "An order works on although it was cancelled",
            "Cancel it in NinjaTrader.",
            "over, or looked at",
            "the order is finished",
        ),
        "works_though_finished": _E(
            "NinjaTrader works on what is finished here", "Cancel it in NinjaTrader.", "looked at"
        ),
        "change_unconfirmed": _E(
            "Nothing says that a change was done",
            "Compare the order here with NinjaTrader's, and send the change again.",
            "over, or looked at",
            "a later change is confirmed, or the order is finished",
        ),
        "change_refused": _E(
            "NinjaTrader has refused a change", "The order has its old values: send another change.", "looked at"
        ),
        # Not done.
        "blocked": _E(
            "Something was refused, because its account and instrument are blocked",
            "See what went wrong with the close before, put it right in NinjaTrader, then say so:",
            "looked at",
            command="bridge resume ACCOUNT INSTRUMENT",
        ),
        "too_late": _E(
            "An order came to the bridge too late, and was not placed",
            "Do by hand what it was to do, or send it again, if you still want it.",
            "looked at",
        ),
        "failed": _E(
            "What an alert asks of a position has failed",
            f"{_LOOK}, and do by hand what is missing: no command is sent again by itself.",
            "looked at",
            naked=True,
        ),
        "result_unresolved": _E(
            "Nobody knows what has become of what an alert asks of a position",
            f"{_LOOK}, and put right there what is not as you want it.",
            "looked at",
            naked=True,
        ),
        "overdue": _E(
            "What an alert asks of a position is under way for more than 5 minutes",
            "See whether the bridge runs. If it is gone, act in NinjaTrader itself, then say what became of it (done, "
            "failed):",
            "over",
            "it has a result",
            command="resolve {id} done",
            naked=True,
        ),
        "unclean": _E(
            "A position was closed while own orders had not ended",
            "See in NinjaTrader that none of them works on.",
            "looked at",
        ),
        "overfill": _E("More was filled than was wanted", f"{_LOOK}, and close what is too much.", "looked at"),
        "filled_after_end": _E(
            "An order was filled after its end", "Look at the position: close what nobody wants.", "looked at"
        ),
        "late_fill": _E("An order was filled late", "Look at the position: close what nobody wants.", "looked at"),
        "unattached": _E(
            "The bridge reports an order or a fill that belongs to nothing known here",
            f"{_LOOK}: cancel and close what nobody wants. What was filled is listed by:",
            "looked at",
            command="executions",
        ),
        "orphans": _E(
            "Targets and stops close more than is open",
            "Look at the position, and at NinjaTrader's orders.",
            "looked at",
        ),
        "orphans_cancelled": _E(
            "Targets and stops of a position that is gone were cancelled", "See that the position is flat.", "looked at"
        ),
        "target_rejected": _E("A target is not at the venue; its stop is", "Place one, or close.", "looked at"),
        "target_not_sent": _E("A target was not sent; the stop was", "Place one, or close.", "looked at"),
        "not_read": _E(
            "NinjaTrader did not take an instruction",
            "See whether NinjaTrader hangs or shows a question, and whether its automated interface is on.",
            "looked at",
        ),
        "not_written": _E("The bridge could not write a file", "Look at the PC: its disk, or a scanner.", "looked at"),
        "other_month": _E(
            "An alert for a continuous contract met a position in another month",
            "Close one of the two, by its own name.",
            "looked at",
        ),
        "unreadable": _E(
            "The bridge cannot read an order", "Install the stack's version on the bridge's PC.", "looked at"
        ),
        # Alerts.
        "outcome_unknown": _E(
            "It is not known whether an alert was carried out",
            "Look at the orders before you send it again: TradingView does not.",
            "looked at",
        ),
        "not_repeated": _E(
            "An alert was answered 503, and no repetition of it got through",
            "Do by hand what it was to do, or send it again, if you still want it.",
            "over, or looked at",
            "the same alert came again and was answered",
        ),
        "partly_done": _E(
            "An alert was done in some of its accounts alone", "Do by hand what is missing in the others.", "looked at"
        ),
        "not_done_later": _E(
            "An alert was answered `scheduled`, and was not carried out when its delay was over",
            "Do by hand what it was to do.",
            "looked at",
        ),
        # What carries the news.
        "dead_letter": _E(
            "A report of the bridge was given up: nothing here understands it",
            "See that the bridge has the stack's version. Trust NinjaTrader for what is open.",
            "looked at",
        ),
        "bridge_away": _E(
            "The bridge is away",
            "What opens is refused, and cancels wait. See whether the PC, NinjaTrader and its connection run; there:",
            "over",
            "the bridge says that it is ready",
            command="bridge doctor",
        ),
    }
)
"""Everything that needs a person, in the order in which it is shown."""

OTHER = _E(
    "The bridge asks somebody to look", "See its window on the PC, and docs/bridge.md for this word.", "looked at"
)
"""What a newer bridge tells and this version does not know."""

_RECORDS_SHOW = "each refused alert stands in the list with its reason, and is counted above it"
_OPERATOR = "whoever runs the stack mends it: the table says nothing of it"
OF_METRIC: Mapping[str, tuple[str, ...] | str] = MappingProxyType(
    {
        alarms.REFUSED: _RECORDS_SHOW,
        alarms.UNKNOWN: ("outcome_unknown",),
        alarms.STRANGERS: "nobody knows whose such an alert is, so that it has no record",
        alarms.NOT_DONE_LATER: ("not_done_later",),
        "GivenUp": ("not_done_later",),
        alarms.UNAVAILABLE: ("not_repeated",),
        "ThrottledAlerts": "API Gateway has refused them, so that they have no record",
        "NoAlerts": "it tells of what did not come; the list shows when the last alert came",
        "UnhandledErrors": _OPERATOR,
        "AlertsNotRecorded": "what has no record cannot be shown; the log has it",
        "FunctionErrors": _OPERATOR,
        "FunctionThrottles": _OPERATOR,
        "DeferredErrors": _OPERATOR,
        "MessagesRefused": ("dead_letter",),
        alarms.DEFERRED_UNAVAILABLE: "it is tried again; what is given up has a record, which needs a person then",
        alarms.DOORBELLS_LOST: "the bridge looks some seconds later all the same",
        "BridgeAway": ("bridge_away",),
        alarms.UNREAD: ("not_read",),
        alarms.UNRESOLVED: ("unresolved", "unknown"),
        alarms.OVERFILLS: ("overfill", "filled_after_end"),
        alarms.UNPROTECTED: ("unprotected",),
        "ChangesUnconfirmed": ("change_unconfirmed",),
        "CancelsRefused": ("cancel_refused",),
        alarms.CLOSES_FAILED: ("close_failed", "flipped"),
        alarms.UNATTACHED: ("unattached",),
        alarms.NOT_CARRIED_OUT: ("failed", "result_unresolved", "overdue"),
        alarms.BRIDGE_ALARMS: (
            "stop_rejected",
            "stop_on_wrong_side",
            "target_rejected",
            "target_not_sent",
            "orphans",
            "orphans_cancelled",
            "not_written",
            "change_refused",
            "late_fill",
            "works_though_finished",
            "not_closed",
            "too_late",
            "other_month",
            "blocked",
            "unreadable",
        ),
        alarms.REPORTS_UNAVAILABLE: "the reports come again; while the table takes none, no page is answered either",
        alarms.REPORT_DEAD_LETTERS: "they are tried until the table takes them; what is given up is a dead letter",
        "ReportsErrors": _OPERATOR,
        "ReportsAge": "the bridge is shown as away by then, for its heartbeats are late too",
        alarms.DEAD_LETTERS: "they are tried until the table answers; what is given up then has a record",
        "QueueAge": _OPERATOR,
        alarms.NOTIFICATIONS_FAILED: "`orderhook notify list` has what was not sent; here it is shown all the same",
        "NotifyErrors": _OPERATOR,
        "NobodyLooks": _OPERATOR,
        "ConsoleErrors": _OPERATOR,
        "ConsoleUnhandledErrors": _OPERATOR,
    }
)
"""By the metric of each alarm, what of the list tells of the same, or why nothing does."""
