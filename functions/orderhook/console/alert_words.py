"""What an alert says, in words, whether it was understood or not: all of it comes from outside."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orderhook import hints
from orderhook.payload import canonical, upper
from orderhook.store.alert_log import AlertRecord

_LONGEST = 80
"""How much of a value is shown where several stand in one line."""

_PLACES = ("PLACE", "FLATPLACE", "REVERSEPOSITION", "CANCELREPLACE")
_ORDER = ("action", "qty", "instrument", "order_type", "limit_price", "stop_price", "tif")
_APART = ("key", "command", "account", "order_id", "strategy_id", *_ORDER)
"""What has a place of its own in a row; a command that does not use it as an order does says it by name."""

_SHOWN_BESIDE = 5


class Told(NamedTuple):
    """A part of what an alert says."""

    text: str
    strong: bool = False


class AlertWords(NamedTuple):
    """What stands in a row of an alert."""

    phrases: tuple[Told, ...]
    accounts: str
    order_id: str | None
    """The order that it names, reached or not."""
    strategy_id: str | None
    beside: tuple[tuple[str, str], ...]
    """Some of its other fields, by the names that they have in the alert."""


def in_words(record: AlertRecord) -> AlertWords:
    """Say what an alert asks for; of one that was refused as far as its fields say it."""
    fields = fields_by_name(record)
    command = record.command or upper(fields.get("command", "")) or ("KILL SWITCH" if "kill_switch" in fields else "")
    beside = ((name, value) for name, value in fields.items() if name not in _APART)
    return AlertWords(
        phrases=tuple(_phrases(record, command, fields)),
        accounts=fields.get("account", ""),
        order_id=fields.get("order_id"),
        strategy_id=fields.get("strategy_id"),
        beside=tuple((name, _cut(value)) for name, value in beside)[:_SHOWN_BESIDE],
    )


def fields_by_name(record: AlertRecord) -> Mapping[str, str]:
    """Return an alert's fields by the names that the language has for them; the first of each, where it has a value."""
    found: dict[str, str] = {}
    for sent, value in record.fields.items():
        name = canonical(sent.partition(" (")[0])  # a second one is numbered
        name = name if name in _APART else hints.field(name) or name
        if value:
            found.setdefault(name, value)
    return found


def _phrases(record: AlertRecord, command: str, fields: Mapping[str, str]) -> Iterator[Told]:
    instrument = record.instrument or fields.get("instrument")
    if command in _PLACES and "action" in fields:
        if command != "PLACE":
            yield Told(command)
        for name in _ORDER:
            text = instrument if name == "instrument" else fields.get(name)
            if text:
                text = upper(text) if name in ("action", "order_type", "tif") else text
                yield Told(_cut(text), strong=name == "instrument")
        return
    yield Told(_cut(command) or "no command")
    if order_id := fields.get("order_id"):
        yield Told(_cut(order_id), strong=True)
    elif strategy_id := fields.get("strategy_id"):
        yield Told(_cut(strategy_id), strong=True)
    if instrument:
        yield Told(_cut(instrument), strong=True)
    for name in (name for name in _ORDER if name != "instrument" and name in fields):
        yield Told(f"{name}={_cut(fields[name])}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
