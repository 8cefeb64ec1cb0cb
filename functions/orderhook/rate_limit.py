"""Rate limits: how many alerts of one id may come in a time (CrossTrade, "Rate-Limiting")."""

from typing import NamedTuple

MAX_ALERTS, MAX_SECONDS = 1_000, 86_400
"""The largest rate limit."""


class Rate(NamedTuple):
    """At most `alerts` alerts in any `seconds` seconds."""

    alerts: int
    seconds: int
