"""Keys: what each may do, and revoking one. They are made by the command line alone.

Whoever steals a session must not be able to make a way in that outlives it.
"""

from collections.abc import Iterable
from contextlib import suppress

import htpy as h
from htpy import Node

from orderhook.administration import describe_limits, describe_scopes
from orderhook.console import http
from orderhook.console.http import HttpError
from orderhook.console.pages import ROOT, layout
from orderhook.console.pages.forms import act_button, form
from orderhook.console.pages.text import value
from orderhook.console.recording import record_of
from orderhook.console.visit import Visit
from orderhook.keys import Key
from orderhook.listing import Unreadable, list_keys
from orderhook.responses import Response
from orderhook.store.keys import revoking
from orderhook.store.writes import TransactionFailed

PATH = f"{ROOT}/keys"
REVOKE = f"{PATH}/revoke"

ACCEPTED_FOR = "It may still work for up to 30 seconds, where it is remembered."


def page(visit: Visit) -> Response:
    """Answer with the keys of this trader."""
    mine = [key for key in list_keys(visit.services) if isinstance(key, Unreadable) or key.trader == visit.trader]
    content = h.fragment[
        h.h1["Keys"],
        h.section(data_part="keys")[_table(visit, mine) if mine else _none()],
        h.section[
            h.h2["A new key"],
            h.p["Keys are made by the command line alone, where orderhook was set up, and shown once:"],
            h.pre[h.code[visit.command_line("keys create --label TradingView")]],
        ],
    ]
    return layout.respond(visit, "Keys", content, here=PATH)


def confirm(visit: Visit) -> Response:
    """Answer with what revoking a key means, and the button that does it."""
    key = _find(visit, visit.request.parameter("key"))
    valid = [it.key_id for it in list_keys(visit.services) if isinstance(it, Key) and _takes_alerts(visit, it)]
    is_last = valid == [key.key_id]
    content = h.fragment[
        h.h1["Revoke a key"],
        h.p["Alerts with this key are refused from then on, for good: ", _named(key), ". ", ACCEPTED_FOR],
        h.p(".notice.warn")[
            h.span(".mark", aria_hidden="true")["! "],
            "It is the last valid key: no alert is taken afterwards, cancels neither. Orders and stops stay.",
        ]
        if is_last
        else None,
        h.p(".notice")["It is revoked already, since ", layout.when(key.revoked, visit.now), "."]
        if key.revoked
        else h.div(".acts")[
            form(
                REVOKE,
                [h.input(type="hidden", name="key", value=key.key_id), _revoke_button(visit)],
                once=False,
            ),
            h.a(".button", href=PATH)["Back"],
        ],
    ]
    return layout.respond(visit, "Revoke a key", content, here=PATH, live=False)


def revoke(visit: Visit) -> Response:
    """Revoke a key, and leave the record of it, in one write; run twice, it is revoked and recorded once."""
    key = _find(visit, visit.request.form.get("key", ""))
    if visit.session.grant.limits:
        raise HttpError(403, "This session is limited, and a key is for more: nothing was revoked.")
    told = {"key_id": key.key_id, "label": key.label}
    record = record_of(visit, "KEYS REVOKE", "key_revoked", told)
    with suppress(TransactionFailed):  # it was revoked before, and has its record
        visit.services.table.transact([revoking(key.key_id, visit.now), visit.services.alert_log.putting(record)])
    return http.see_other(PATH)


def _takes_alerts(visit: Visit, key: Key) -> bool:
    return key.trader == visit.trader and key.takes_alerts


def _find(visit: Visit, key_id: str) -> Key:
    """Return the key of this trader; raises HttpError."""
    key = visit.services.keys.get(key_id) if key_id else None
    if key is None or key.trader != visit.trader:
        raise HttpError(404, "There is no such key of this trader.")
    return key


def _named(key: Key) -> Node:
    return h.b[value(key.label or key.key_id), " (ends in ", value(key.last_four), ")"]


def _none() -> Node:
    return h.p(".empty")["There is no key: no alert is taken. The line below makes one."]


def _table(visit: Visit, keys: Iterable[Key | Unreadable]) -> Node:
    return h.table(".rows")[
        h.thead[h.tr[(h.th[name] for name in ("label", "may give", "limits", "last used", "created", "revoke"))]],
        h.tbody[(_row(visit, key) for key in keys)],
    ]


def _row(visit: Visit, key: Key | Unreadable) -> Node:
    if isinstance(key, Unreadable):
        return h.tr[
            h.td(".wide", colspan="6")[value(key.id), ": this version cannot read it, and takes no alert by it"]
        ]
    return h.tr(class_="dim" if key.revoked else None)[
        h.td(".wide")[h.b[value(key.label or "no label")], h.small["ends in ", value(key.last_four)]],
        h.td(data_label="may give")[value(describe_scopes(key))],
        h.td(data_label="limits")[value(describe_limits(key.limits) or "none")],
        h.td(data_label="last used")[_last_used(visit, key)],
        h.td(data_label="created")[layout.day(key.created)],
        h.td[_standing(key)],
    ]


def _last_used(visit: Visit, key: Key) -> Node:
    hour = visit.services.keys.last_used(key)
    return ["in the hour from ", layout.day(hour), " ", layout.when(hour)] if hour else "never seen"


def _standing(key: Key) -> Node:
    if key.revoked:
        return [h.span(".neutral")[h.span(".word")["revoked"]], h.small[layout.day(key.revoked)]]
    link = http.address(REVOKE, {"key": key.key_id})
    return h.a(".button", href=link, aria_label=f"Revoke the key that ends in {key.last_four}")["Revoke"]


def _revoke_button(visit: Visit) -> Node:
    if visit.session.grant.limits:
        return h.fragment[
            h.button(disabled=True)["Revoke"], h.small(".needs")["This session is limited, and a key is for more."]
        ]
    return act_button(visit, "Revoke", class_="danger")
