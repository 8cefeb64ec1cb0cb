"""The kill switch in words: who has turned it, and which sessions may."""

import htpy as h
from htpy import Node

from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.errors import OrderhookError
from orderhook.store.controls import KillSwitchState

BY_COMMAND_LINE = "kill-switch"
"""Turns it where no console can."""


def why_not(visit: Visit) -> str:
    """Return why this visit may not turn the kill switch on; empty where it may.

    A console that only looks stops all the same: that makes the risk smaller.
    """
    if not visit.session.may_stop:
        return "This session may only look."
    if visit.session.grant.limits:
        return "This session is limited, and Stop is for everything."
    return ""


def turned_by(visit: Visit, switch: KillSwitchState) -> Node:
    """Return who has turned the switch to what it is, as far as a record says it."""
    if switch.request_id is None:
        return "nobody knows by whom"
    try:
        record = visit.services.alert_log.get(visit.trader, switch.request_id)
    except OrderhookError:
        record = None
    if record is None:
        return "on the command line" if switch.locked else "by whom no record says"
    who = {"operator": "on the command line, by ", "console": "by the console, session "}
    return [who.get(record.origin, "by an alert with the key "), value(record.key_label)]


def ways_without_console(visit: Visit) -> Node:
    """Return how trading is stopped where there is no console."""
    return h.section[
        h.h2["Ways to stop that need no console"],
        h.p["On the command line, and so that no alert can start again:"],
        h.pre[h.code[visit.command_line(f"{BY_COMMAND_LINE} on --lock")]],
        h.p["By an alert, with a key that may turn the kill switch:"],
        h.pre[h.code["kill_switch=on"]],
    ]
