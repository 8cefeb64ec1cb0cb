"""Refused alerts, summed by their reasons: a strategy that is refused at every bar fills no telephone."""

from collections.abc import Iterable
from typing import NamedTuple

from orderhook.alarms import SILENT, is_of_key
from orderhook.store.alert_log import Answered

BY_SWITCH = "kill_switch_on"

_TOLD_AT_ONCE = frozenset({"outcome_unknown"})
"""They need a person, each by itself."""

_UNTOLD = (frozenset(SILENT) - {BY_SWITCH}) | _TOLD_AT_ONCE


class Refused(NamedTuple):
    """How many alerts were refused for one reason, and the last of them."""

    code: str
    alerts: int
    last_id: str


def summed(answers: Iterable[Answered]) -> list[Refused]:
    """Return the refused of these alerts by their reasons, most often refused first; `answers` has the newest first.

    Untold is what rings no alarm either (`alarms.SILENT`; a limit of the key does), but for what the kill switch
    refuses; what TradingView sends again; what was sent by hand, whose sender has its answer; and what has a need of
    its own in the list.
    """
    found: dict[str, Refused] = {}
    for it in answers:
        if it.origin not in ("webhook", "api") or not 400 <= it.status < 500:
            continue
        if it.outcome in _UNTOLD and not is_of_key(it.outcome, it.field):
            continue
        before = found.get(it.outcome, Refused(it.outcome, 0, it.request_id))
        found[it.outcome] = before._replace(alerts=before.alerts + 1)
    return sorted(found.values(), key=lambda refused: -refused.alerts)
