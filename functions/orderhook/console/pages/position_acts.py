"""Close, flatten or reverse a position by hand: first a page that says what will be done, then an instruction."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import htpy as h
from htpy import Node

from orderhook.console import acting, turning
from orderhook.console.http import HttpError
from orderhook.console.pages import came_of, forms, layout, parts
from orderhook.console.pages.positions import ACT, Held, account_kind, held, no_venue, side
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.orders import folded
from orderhook.responses import Response


class Act(NamedTuple):
    """What can be asked of positions, and how the page says it."""

    command: str
    title: str
    what: str


ACTS: Mapping[str, Act] = {
    "close": Act(
        "CLOSEPOSITION",
        "Close this position?",
        "Its orders are cancelled, then NinjaTrader closes all that is open of it, at the market.",
    ),
    "flatten": Act(
        "FLATTEN",
        "Flatten?",
        "Of each position that is not flat, UNKNOWN ones included, the orders are cancelled, then NinjaTrader closes "
        "all that is open of it, at the market.",
    ),
    "reverse": Act(
        "REVERSE",
        "Reverse this position?",
        "It is closed, its orders end, and when it is seen flat as much is opened on the other side, at the market, "
        "with no stop.",
    ),
}


class Asked(NamedTuple):
    """What a form asks for, and the positions that it is about."""

    act: Act
    name: str
    account: str
    instrument: str
    about: Sequence[Held]
    complete: bool

    @property
    def seen(self) -> str:
        """What the page says of the positions: a reverse is sent for this alone."""
        return "; ".join(f"{it.position.side} {it.position.quantity}" for it in self.about)


def confirm(visit: Visit) -> Response:
    """Answer with what will be done to which positions, and the button that asks for it."""
    if visit.services.venue.name is None:
        return layout.respond(visit, "Positions", no_venue("position"), here=parts.POSITIONS, live=False)
    asked = _asked(visit, dict(visit.request.query))
    if not asked.about:
        name = f"{asked.account} {asked.instrument}".strip() or "any account"
        return came_of.not_found(visit, "open position", name, here=parts.POSITIONS)
    return _confirmation(visit, asked)


def send(visit: Visit) -> Response:
    """Ask the bridge for it, and lead to the positions, where the result comes; sent again, it is asked once."""
    form = visit.request.form
    once = form.get(forms.ONCE, "")
    name, account, instrument = _given(form)
    # What closes waits for nothing that could fail: the bridge knows whether there is something to close.
    if name == "reverse" and visit.services.venue.name:
        refused = acting.refusal(visit, once, lambda: _not_reversed(visit, once))
        if refused:
            return refused
    market = (("account", account), ("instrument", instrument))
    pairs = [("command", ACTS[name].command), *((field, text) for field, text in market if text)]
    acted = acting.act_by_hand(visit, pairs, once)
    return came_of.settled(visit, acted, parts.POSITIONS, {}, here=parts.POSITIONS)


def _not_reversed(visit: Visit, once: str) -> Response | None:
    """Answer why what was looked at is not reversed; None where it is."""
    form = visit.request.form
    asked = _asked(visit, form)
    if not asked.about:
        name = f"{asked.account} {asked.instrument}"
        return came_of.not_found(visit, "open position", name, here=parts.POSITIONS)
    if asked.seen != form.get("seen", ""):
        return _confirmation(visit, asked, changed=True)
    if why := turning.claim(visit, [turning.Market(asked.account, asked.instrument)], once):
        return came_of.changed_since(visit, "Nothing was asked for", why, parts.POSITIONS, here=parts.POSITIONS)
    return None


def _given(given: Mapping[str, str]) -> tuple[str, str, str]:
    """Return what is asked for, the account and the instrument; raises HttpError for what is none of it."""
    name, account, instrument = (given.get(field, "") for field in ("act", "account", "instrument"))
    if name not in ACTS:
        raise HttpError(400, "Positions are closed, flattened or reversed; nothing was done.")
    if name != "flatten" and not (account and instrument):
        raise HttpError(400, "A position has an account and an instrument; nothing was done.")
    return name, account, instrument


def _asked(visit: Visit, given: Mapping[str, str]) -> Asked:
    name, account, instrument = _given(given)
    found, complete = held(visit)
    about = [
        it
        for it in found
        if it.position.side != "FLAT"
        and (not account or folded(it.position.account) == folded(account))
        and (not instrument or folded(it.position.instrument) == folded(instrument))
    ]
    return Asked(ACTS[name], name, account, instrument, about, complete)


def _confirmation(visit: Visit, asked: Asked, *, changed: bool = False) -> Response:
    orders = [order for it in asked.about for order in it.orders]
    is_unknown = any(it.position.side == "UNKNOWN" for it in asked.about)
    can = bool(asked.about) and not (asked.name == "reverse" and is_unknown)
    content = h.div(".panel.warn")[
        h.h1[asked.act.title],
        h.p(".notice.warn", role="alert")["The position has changed since the page said it. Nothing was done."]
        if changed
        else None,
        map(_position, asked.about),
        h.p[asked.act.what],
        _unknown(asked.name) if is_unknown else None,
        h.h2["Orders that end with it"],
        parts.ending(orders, "None is open now.", complete=asked.complete),
        h.div(".acts")[_form(visit, asked) if can else None, h.a(".button", href=parts.POSITIONS)["Leave it as it is"]],
        h.p(".dim")["It is asked for, and done when the bridge says so: the positions show what came of it."],
    ]
    status = 409 if changed else 200
    return layout.respond(visit, asked.act.title, content, here=parts.POSITIONS, status=status, live=False)


def _position(it: Held) -> Node:
    return h.p(".facts")[
        account_kind(it.position.account),
        " ",
        value(it.position.account),
        " ",
        h.b[value(it.position.instrument)],
        ": ",
        side(it.position),
        ", as of ",
        parts.day_and_time(it.position.at),
    ]


def _unknown(name: str) -> Node:
    if name == "reverse":
        text = "Nobody knows on which side it is, so it cannot be reversed. Look into NinjaTrader."
    else:
        text = (
            "Nobody knows whether there is a position, nor its side: NinjaTrader is told to close whatever is open. If "
            "it says nothing then, the result is unresolved: look into NinjaTrader."
        )
    return h.p(".notice.warn")[h.span(".mark", aria_hidden="true")["!"], text]


def _form(visit: Visit, asked: Asked) -> Node:
    label = {"close": "Close it", "flatten": "Flatten", "reverse": "Reverse it"}[asked.name]
    fields = {"act": asked.name, "account": asked.account, "instrument": asked.instrument, "seen": asked.seen}
    hidden = (h.input(type="hidden", name=name, value=text) for name, text in fields.items())
    return forms.form(ACT, [hidden, forms.act_button(visit, label, class_="danger")])
