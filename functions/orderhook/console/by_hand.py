"""An order that somebody gives by hand: what it would do, read as an alert is read, and what may be known beforehand.

Pure.
"""

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

from orderhook import explain
from orderhook.commands import Command
from orderhook.console.drafts import ANY_KEY, MISSING, REAL_KEY, Told, holds_key, told_of
from orderhook.console.fields import FIELDS, KILL_SWITCH, NEW_ORDERS, defaults, places
from orderhook.limits import Limits
from orderhook.orders import Order, decimal_text
from orderhook.payload import Pair, canonical
from orderhook.trade_window import NEW_YORK, day_in_new_york
from orderhook.venues import Venue, is_simulated

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")

Money = Literal["live", "simulated", "nothing"]
"""Whose money an account trades; nothing where no venue is there to bring an order to a market."""


class Checked(NamedTuple):
    """What an order by hand would do; `commands` are those that it gives, by account, where nothing is wrong."""

    faults: tuple[Told, ...]
    warnings: tuple[Told, ...] = ()
    words: str = ""
    commands: Mapping[str, Command] = {}


def check(
    word: str, values: Mapping[str, str], *, venue: Venue, now: datetime, limits: Limits | None = None
) -> Checked:
    """Read what was filled in as the webhook would read an alert of it; nothing fills in a placeholder."""
    faults = [Told(REAL_KEY, name) for name, value in values.items() if holds_key(value)]
    faults += [
        Told("Nothing fills in a placeholder here: write the value itself.", name, "unresolved_placeholder")
        for name, value in values.items()
        if "{{" in value and name != "notes"
    ]
    faults += [
        Told(f"{FIELDS[it.name].label} is needed.", it.name, MISSING)
        for it in places(word)
        if it.required and it.name not in values
    ]
    if faults:
        return Checked(tuple(faults))
    body = json.dumps(dict(pairs_of(word, values))).encode()
    read = explain.explain(body, ANY_KEY, venue, day_in_new_york(now))
    beyond = [fault for it in read.commands.values() if limits and (fault := it.beyond(limits))]
    warnings = tuple(Told(it.detail, it.field, it.code) for it in read.warnings)
    return Checked(tuple(map(told_of, (*read.faults, *beyond))), warnings, read.verdict, read.commands)


def pairs_of(word: str, values: Mapping[str, str]) -> list[Pair]:
    """Return what is carried out, as the pairs of an alert."""
    return [*([] if word == KILL_SWITCH else [("command", word)]), *values.items()]


def once_of(form: str, word: str, values: Mapping[str, str]) -> str:
    """Return what tells this order from others of the same form: the form changed is another order, sent again none."""
    return sha256(json.dumps([form, *pairs_of(word, values)]).encode()).hexdigest()[:32]


def new_order_id(now: datetime) -> str:
    """Return an id for an order that is given by hand."""
    return f"hand-{now.astimezone(NEW_YORK):%m%d-%H%M%S}-{secrets.token_hex(2)}"


def first_values(word: str, query: Iterable[tuple[str, str]], now: datetime, order: Order | None) -> dict[str, str]:
    """Return what stands in a new form: what its address says, what the order is that it is about, and defaults."""
    names = {it.name for it in places(word)}
    asked = {canonical(_CAPITAL.sub("_", name)): value for name, value in query}
    own = dict(_of_order(order)) if order and word == "CANCELREPLACE" else {}
    fresh = {"order_id": new_order_id(now)} if word in NEW_ORDERS else {}
    values = {**defaults(word), **fresh, **own, **{name: value for name, value in asked.items() if value}}
    if word in ("CANCEL", "CHANGE", "CLOSESTRATEGY") and "," not in values.get("account", ""):
        values.pop("account", None)  # says only which orders of a list are meant
    return {name: value for name, value in values.items() if name in names and not holds_key(value)}


def _of_order(order: Order) -> Iterator[tuple[str, str]]:
    yield from (("account", order.account), ("instrument", order.instrument), ("action", order.action))
    yield from (("qty", str(order.qty)), ("order_type", order.order_type), ("tif", order.tif))
    for name, price in (("limit_price", order.limit_price), ("stop_price", order.stop_price)):
        if price is not None:
            yield name, decimal_text(price)


def money_of(account: str, venue: Venue) -> Money:
    """Return whose money an account trades: what is not one of NinjaTrader's own for simulation is live."""
    if venue.name is None:
        return "nothing"
    return "simulated" if is_simulated(account) else "live"
