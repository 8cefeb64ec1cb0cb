"""Forms: each does what it says once, however often it is sent."""

import secrets

import htpy as h
from htpy import Element, Node

from orderhook.console.visit import Visit

ONCE = "once"
"""The hidden field that tells one form from another."""


def form(action: str, content: Node, *, once: bool = True, class_: str | None = None) -> Element:
    """Return a form that is posted; with `once` it is a form of its own, and what acts on it acts once."""
    hidden = h.input(type="hidden", name=ONCE, value=secrets.token_hex(16)) if once else None
    return h.form(method="post", action=action, class_=class_)[hidden, content]


def act_button(visit: Visit, label: str, *, class_: str | None = None) -> Node:
    """Return a button that does something; where the session may not, it says so beforehand."""
    if visit.may_act:
        return h.button(class_=class_)[label]
    return h.fragment[h.button(class_=class_, disabled=True)[label], h.small(".needs")[visit.why_not]]
