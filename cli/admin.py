"""Keys, templates and the kill switch: what a person types, checked by the rules that alerts are checked by."""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel

from orderhook import keys
from orderhook.commands import SCOPES
from orderhook.commands.fields import Id, Label, Qty
from orderhook.errors import InvalidValueError
from orderhook.keys import Key
from orderhook.orders import Bracket, Template, timestamp
from orderhook.payload import upper
from orderhook.services import Services

_POINTS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?")
_MAX_BRACKETS = 40
"""A PLACE writes its strategy, entry and all legs in one transaction, and DynamoDB's takes 100 items."""


class _Form(BaseModel):
    trader: Id = "main"
    label: Label = ""
    template: Label = ""
    qty: Qty = 1


def checked_trader(trader: str) -> str:
    """Return a trader's name if it may be one; raises InvalidValueError."""
    if not trader:
        raise InvalidValueError("trader is empty; leave it out for main.", field="trader")
    return _Form(trader=trader).trader


def create_key(services: Services, *, trader: str, label: str, scopes: Iterable[str], now: datetime) -> tuple[str, Key]:
    """Issue a key and store its other half; returns the secret, which nobody can read again.

    Raises InvalidValueError.
    """
    words = frozenset(map(upper, scopes))
    for word in words.difference(SCOPES):
        raise InvalidValueError(f"There is no command {word!a} to allow; there are {', '.join(SCOPES)}.")
    secret, key = keys.issue(
        trader=checked_trader(trader),
        label=_Form(label=label).label,
        scopes=words,
        created=timestamp(now),
        strict_kill_switch=stops_cancels(services, trader),
    )
    services.keys.put(key)
    return secret, key


def keys_of(services: Services, trader: str) -> list[Key]:
    """Return the stored halves of a trader's keys, revoked ones too."""
    stored = services.keys.list()
    return [key for key in stored if key.trader == trader]


def stops_cancels(services: Services, trader: str) -> bool:
    """Tell whether the trader's kill switch stops what reduces risk, too: every key of a trader says the same."""
    return any(key.strict_kill_switch for key in keys_of(services, trader))


def set_stops_cancels(services: Services, trader: str, *, stops: bool) -> None:
    """Set it on every key of the trader; raises InvalidValueError if there is none to keep it."""
    found = keys_of(services, trader)
    if not found:
        raise InvalidValueError(f"{trader} has no key to keep this with: create one first.")
    for key in found:
        services.keys.set_strict_kill_switch(key.key_id, strict=stops)


def make_template(name: str, brackets: Iterable[str]) -> Template:
    """Return the template that is written as QTY:TARGET:STOP for each bracket; raises InvalidValueError."""
    if not name:
        raise InvalidValueError("The template needs a name.")
    made = tuple(map(_bracket, brackets))
    if not 1 <= len(made) <= _MAX_BRACKETS:
        raise InvalidValueError(f"A template has from 1 to {_MAX_BRACKETS} brackets: add --bracket QTY:TARGET:STOP.")
    return Template(_Form(template=name).template, made)


def _bracket(text: str) -> Bracket:
    parts = text.split(":")
    if len(parts) != 3:
        raise InvalidValueError(f"The bracket {text!a} is not QTY:TARGET:STOP, such as 1:10:5, 1:10: or 1::5.")
    qty, target, stop = parts
    if not target and not stop:
        raise InvalidValueError(f"The bracket {text!a} has neither a target nor a stop.")
    return Bracket(
        qty=_Form.model_validate({"qty": qty}).qty, target=_points("target", target), stop=_points("stop", stop)
    )


def _points(name: str, text: str) -> Decimal | None:
    if not text:
        return None
    points = Decimal(text) if _POINTS.fullmatch(text) else Decimal(0)
    if not points:
        raise InvalidValueError(f"The {name} {text!a} is no distance: give points above 0, such as 10 or 2.25.")
    return points
