"""Which metric tells of a refused alert, or why none does: no alert is lost in silence.

For each metric template.yaml has an alarm of the same name: RefusedAlerts and RefusedAlertsAlarm.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orderhook.store.alert_log import Origin

REFUSED = "RefusedAlerts"
"""The key is known, and the alert was not carried out."""
UNKNOWN = "UnknownOutcomes"
STRANGERS = "Strangers"
"""Nobody knows whose the alert is."""
NOT_DONE_LATER = "NotDoneLater"
"""An alert that had been answered `scheduled`."""
UNAVAILABLE = "ApiServerErrors"
"""Not counted here: API Gateway counts what it answers 5xx, whatever caused it."""
DEFERRED_UNAVAILABLE = "DeferredUnavailable"
"""What came in by the queue could not be done, and SQS delivers it again. Now and then that is nothing."""
DOORBELLS_LOST = "DoorbellsLost"
"""The bridge was not told to look, and looks some seconds later all the same."""
DEAD_LETTERS = "DeadLetters"
"""Not even what failed five times could be given up."""

BRIDGE_READY = "BridgeReady"
"""The bridge lives and can carry out what opens a position; `BridgeAwayAlarm` rings where this is not counted."""
UNREAD = "UnreadInstructions"
UNRESOLVED = "UnresolvedOrders"
"""The bridge cannot know what has become of an order, or NinjaTrader calls it Unknown."""
OVERFILLS = "Overfills"
UNPROTECTED = "Unprotected"
"""What is filled has no stop, though one was asked for."""
CLOSES_FAILED = "ClosesFailed"
"""A position was not seen flat after its closing, or was turned over by it."""
UNATTACHED = "UnattachedReports"
"""No order is known that a report is about."""
NOT_CARRIED_OUT = "InstructionsNotCarriedOut"
"""What was asked of a position failed, or nobody can know it, or has no result for long."""
BRIDGE_ALARMS = "BridgeAlarms"
REPORTS_UNAVAILABLE = "ReportsUnavailable"
"""A report could not be taken, and SQS delivers it again. Now and then that is nothing."""
REPORT_DEAD_LETTERS = "ReportDeadLetters"
"""Not even after five deliveries."""

LOOKS = "Looks"
"""It was seen what there is to tell the traders; rings where it is missing."""

NOTIFICATIONS_FAILED = "NotificationsFailed"
"""A message to a trader was not sent, or nobody knows whether it was; it may be sent again, but not for ever."""

METRICS_OF_BRIDGE: Mapping[str, str] = MappingProxyType(
    {
        "change_unconfirmed": "ChangesUnconfirmed",
        "cancel_refused": "CancelsRefused",
        "unprotected": UNPROTECTED,
        "not_read": UNREAD,
        "overfill": OVERFILLS,
        "unresolved": UNRESOLVED,
        "close_failed": CLOSES_FAILED,
        "flipped": CLOSES_FAILED,
    }
)
"""The metric of each alarm that a bridge sends; any other counts in BRIDGE_ALARMS."""

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "malformed_payload": REFUSED,
        "missing_field": REFUSED,
        "duplicate_field": REFUSED,
        "unknown_field": REFUSED,
        "invalid_value": REFUSED,
        "unresolved_placeholder": REFUSED,
        "unsupported_value": REFUSED,
        "unknown_command": REFUSED,
        "unsupported_command": REFUSED,
        "strategy_id_required": REFUSED,
        "invalid_secret_key": STRANGERS,
        "command_not_allowed": REFUSED,
        "source_not_allowed": STRANGERS,
        "account_not_connected": REFUSED,
        "order_not_found": REFUSED,
        "strategy_not_found": REFUSED,
        "strategy_mismatch": REFUSED,
        "duplicate_order_id": REFUSED,
        "duplicate_alert": REFUSED,
        "change_dropped": REFUSED,
        "outcome_unknown": UNKNOWN,
        "payload_too_large": REFUSED,
        "too_late": NOT_DONE_LATER,
        "temporarily_unavailable": UNAVAILABLE,
        "venue_offline": UNAVAILABLE,
    }
)
"""The metric of each error code, where the key is known and the alert is carried out at once."""

SILENT: Mapping[str, str] = MappingProxyType(
    {
        "order_already_terminal": "an order that fills before its cancel is trading, not a fault",
        "kill_switch_on": "whoever turned the kill switch on wants no trades",
        "outside_trade_window": "the alert itself says when it may not trade",
        "rate_limited": "the alert itself says how often it may come; where its key says so, RefusedAlertsAlarm rings",
    }
)
"""The error codes that no alarm tells of, and why."""

SILENT_SUCCESSES: Mapping[str, str] = MappingProxyType(
    {
        "nothing_to_cancel": "many scripts cancel before each entry, so most such alerts rightly find nothing; where a "
        "name is mistyped, the record's warning has the accounts with open orders",
        "already_cancelled": "it is as the alert wants it",
        "already_placed": "it is as the alert wants it",
    }
)
"""The status words of a success by which nothing was done, and why no alarm tells of them."""


def is_of_key(code: str | None, field: str | None) -> bool:
    """Return whether a limit of the key has refused an alert: it is no field of one."""
    return code == "rate_limited" and field is None


def metrics_of(
    code: str | None,
    origin: "Origin",
    *,
    key_is_known: bool,
    dead_letter: bool = False,
    by_key: bool = False,
) -> list[str]:
    """Return the metrics that an answer counts in; a success has no error code.

    `Alerts` counts what came in by the webhook, `Api` and `Console` what did there, `Deferred` what came in by the
    queue. Who trades by hand sees each answer, so that none of them rings. A time limit that meets an order
    which is filled, or has another limit by now, is no loss. `by_key` says that a limit of the key refused it, which no
    alert has asked for.
    """
    metric = METRICS.get(code or "") or (REFUSED if by_key else None)
    if origin == "console":
        return ["Console"]
    counted = "Api" if origin == "api" else "Alerts"
    if origin not in ("webhook", "api"):
        if metric == UNAVAILABLE:
            # BridgeAwayAlarm tells of that one, and what becomes too late by it counts in NOT_DONE_LATER.
            again = [] if code == "venue_offline" else [DEFERRED_UNAVAILABLE]
            return ["Deferred", *([DEAD_LETTERS] if dead_letter else again)]
        return ["Deferred", *([NOT_DONE_LATER] if origin == "delayed" and metric else [])]
    if metric and metric != UNAVAILABLE and not key_is_known:
        return [STRANGERS]
    return [counted, *([metric] if metric and metric != UNAVAILABLE else [])]


def rings(metrics: Iterable[str]) -> bool:
    """Return whether something of a report rings, so that the trader is to be told at once."""
    return any(metric not in ("Reports", BRIDGE_READY) for metric in metrics)


def metrics_of_bridge(told: Iterable[str]) -> list[str]:
    """Return the metrics that the alarms of a bridge count in: codes, as reports have them, or `code: sentence`."""
    return [METRICS_OF_BRIDGE.get(alarm.partition(":")[0], BRIDGE_ALARMS) for alarm in told]
