"""A draft of an alert: what somebody has filled in, as the text of an alert, and what the webhook would make of it.

Pure. Its judge is the webhook's own reader, by `explain`: of the text as it is, and of what it becomes when the alert
fires, twice, an hour apart.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from orderhook import explain, keys, payload
from orderhook.console.fields import FIELDS, KILL_SWITCH, NEW_ORDERS, places
from orderhook.console.placeholders import BASE, FREE, AlertKind, Firing, fill_in, unknown
from orderhook.errors import InvalidValueError, OrderhookError
from orderhook.filled_in import PRICE_FIELDS
from orderhook.orders import folded
from orderhook.payload import placeholders
from orderhook.responses import word as code_of
from orderhook.trade_window import day_in_new_york
from orderhook.venues import Venue

KEY_LINE = "key=your-secret-key;"
"""Stands in every text: where the trader's key goes, which is in none."""

REAL_KEY = "This is a real key, or a part of one: it was taken out, and is in no answer. Revoke it if others saw it."

PRICES = "prices"
"""The code of what other prices than the example's would be refused for."""

MISSING = "missing_field"
"""The code of what is not there yet."""

_LOOKS_LIKE_KEY = re.compile(r"oh[kt]_[0-9a-z_]{6}", re.IGNORECASE | re.ASCII)
_ENDS_FIELD = re.compile(r"[;\r\n]")
_STOPS = ("stop_loss", "stop_loss_limit")


class Draft(NamedTuple):
    """What a form has of an alert."""

    kind: AlertKind
    command: str
    values: Mapping[str, str]
    """By field, trimmed, without what is empty."""

    @property
    def has_key(self) -> bool:
        """Whether a key stands somewhere in it."""
        return any(map(holds_key, self.values.values()))


class Told(NamedTuple):
    """What is told of a draft; of a field, or of all of it."""

    detail: str
    field: str | None = None
    code: str = ""


class Fired(NamedTuple):
    """What an alert becomes at one moment, and what it then would do."""

    at: datetime
    values: Mapping[str, str]
    verdict: str
    faults: tuple[OrderhookError, ...]


class Preview(NamedTuple):
    """What the webhook would make of a draft."""

    text: str
    faults: tuple[Told, ...] = ()
    warnings: tuple[Told, ...] = ()
    fired: tuple[Fired, ...] = ()
    """What it would do, twice, where nothing is wrong with it."""
    offer: Mapping[str, str] = MappingProxyType({})
    """What to write in place of an id that serves once."""

    @property
    def is_right(self) -> bool:
        """Whether its text works when it is posted, as far as anybody can see."""
        return not self.faults


def holds_key(text: str) -> bool:
    """Return whether a key of either kind, or enough of one to be worth hiding, stands in a text."""
    return _LOOKS_LIKE_KEY.search(text) is not None or keys.holds_key(text)


def draft_of(kind: str, command: str, values: Mapping[str, str]) -> Draft:
    """Return a draft of what a form has, with the fields alone that its command's form has."""
    own = {it.name: values.get(it.name, "").strip() for it in places(command)}
    given = {name: value for name, value in own.items() if value}
    return Draft("indicator" if kind == "indicator" else "strategy", command, given)


def text_of(command: str, values: Mapping[str, str]) -> str:
    """Return the text of an alert, with the words that stand for its key."""
    return f"{KEY_LINE}\n{_body(command, values)}"


def _body(command: str, values: Mapping[str, str]) -> str:
    pairs = {} if command == KILL_SWITCH else {"command": command}
    return "".join(f"{name}={value};\n" for name, value in (pairs | dict(values)).items())


def preview(draft: Draft, venue: Venue, now: datetime) -> Preview:
    """Read a draft as the webhook would, as it is and filled in."""
    faults = [*_faults_of_form(draft)]
    if faults:
        return Preview("", tuple(faults))
    read = _read(draft.command, draft.values, venue, now)
    faults = [*_missing(draft), *_misplaced(draft), *map(told_of, read.faults)]
    if faults:
        return Preview("", tuple(_of_each_field(faults)))
    tried = [_fire(draft, venue, firing) for firing in _firings(draft, now)]
    fired = _first_two(tried)
    faults = [*_certain(draft, tried)]
    told = [*_ids(draft, fired), *(Told(it.detail, it.field, it.code) for it in read.warnings)]
    told += _sometimes(draft, tried)
    if faults:
        return Preview("", tuple(faults), tuple(told), offer=_offer(draft))
    return Preview(text_of(draft.command, draft.values), (), tuple(dict.fromkeys(told)), fired, _offer(draft))


def _faults_of_form(draft: Draft) -> Iterator[Told]:
    for name, value in draft.values.items():
        if holds_key(value):
            yield Told(REAL_KEY, name, "invalid_value")
        elif found := _ENDS_FIELD.search(value):
            shown = "';'" if found[0] == ";" else "A line's end"
            yield Told(f"{shown} would end the field here; take it out.", name, "invalid_value")


def _missing(draft: Draft) -> Iterator[Told]:
    for it in places(draft.command):
        if it.required and it.name not in draft.values:
            yield Told(f"{FIELDS[it.name].label} is needed.", it.name, MISSING)


def _misplaced(draft: Draft) -> Iterator[Told]:
    for name, value in draft.values.items():
        if name != "notes":
            yield from (Told(detail, name, "unresolved_placeholder") for detail in unknown(draft.kind, value))


def _of_each_field(faults: Iterable[Told]) -> Iterator[Told]:
    """Yield the first fault of each field, and all that are of none."""
    seen: set[str | None] = {None}
    for fault in faults:
        if fault.field is None or fault.field not in seen:
            seen.add(fault.field)
            yield fault


def told_of(fault: OrderhookError) -> Told:
    """Return what a refusal tells."""
    return Told(fault.detail, fault.field, code_of(fault))


def _read(command: str, values: Mapping[str, str], venue: Venue, at: datetime) -> explain.Explanation:
    body = _body(command, values).encode()
    explanation = explain.explain(body, ANY_KEY, venue, day_in_new_york(at))
    pairs = payload.split(body).pairs
    expected = values if command == KILL_SWITCH else {"command": command, **values}
    if not explanation.faults and dict(pairs) != dict(expected):
        explanation.add(InvalidValueError("What stands here would be read as something else; write it otherwise."))
    return explanation


ANY_KEY = keys.issue(trader="", label="", scopes=frozenset(), created="")[0]
"""A key by its form, which opens nothing: only the form of a key is looked at here."""


# What it becomes


def _firings(draft: Draft, now: datetime) -> Iterator[Firing]:
    """Yield moments of all kinds: those that the draft's own prices suggest come first."""
    at = now.replace(microsecond=0)
    later = at + timedelta(hours=1)
    side = folded(draft.values.get("action", ""))
    by_action = "{{" in side
    buys = side not in ("sell", "short")
    bases = [*_bases(draft, buys=buys), BASE]
    for base in bases:
        yield Firing(at, buys, base)
        yield Firing(later, not buys if by_action else buys, base)
    base = bases[0]
    for far in (base, base * 2, base / 2):
        yield Firing(later, buys, far.quantize(Decimal("0.01")), crossed=True)
        yield Firing(later, buys, far.quantize(Decimal("0.01")))


def _bases(draft: Draft, *, buys: bool) -> Iterator[Decimal]:
    """Yield where the price probably is, from those prices that are written out."""
    sign = 1 if buys else -1
    given = {name: number for name in PRICE_FIELDS if (number := _number(draft.values.get(name, ""))) is not None}
    stop = given.get("stop_loss", given.get("stop_loss_stop", given.get("stop_loss_limit")))
    target = given.get("take_profit")
    if stop is not None and target is not None:
        yield (stop + target) / 2
    yield from (given[name] for name in ("limit_price", "stop_price", "reference_price") if name in given)
    if stop is not None:
        yield stop + sign * 5
    if target is not None and target > 5:
        yield target - sign * 5


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 < number < 10**9 else None


def _fire(draft: Draft, venue: Venue, firing: Firing) -> tuple[Firing, Fired]:
    values = fill_in(draft.values, firing)
    read = _read(draft.command, values, venue, firing.at)
    return firing, Fired(firing.at, values, read.verdict, tuple(read.faults))


def _first_two(tried: list[tuple[Firing, Fired]]) -> tuple[Fired, ...]:
    """Return what it is now and an hour later, at the first price at which it would be carried out both times."""
    pairs = [(now_, later) for (_, now_), (_, later) in zip(tried[::2], tried[1::2], strict=False)][:-3]
    right = (pair for pair in pairs if not pair[0].faults and not pair[1].faults)
    of_one = (pair for pair in pairs if not pair[0].faults)
    return next(right, next(of_one, pairs[0]))


def _certain(draft: Draft, tried: list[tuple[Firing, Fired]]) -> Iterator[Told]:
    """Yield what would be refused whatever is filled in, but for what a script writes itself."""
    if any(not fired.faults for _, fired in tried):
        return
    fault = tried[0][1].faults[0]
    value = draft.values.get(fault.field or "", "")
    if not FREE.intersection(placeholders(value)):
        yield told_of(fault)


def _sometimes(draft: Draft, tried: list[tuple[Firing, Fired]]) -> Iterator[Told]:
    """Yield what would be refused with other values than those of the example."""
    if not any("{{" in value for value in draft.values.values()):
        return
    if all(fired.faults for _, fired in tried):
        fault = tried[0][1].faults[0]
        if FREE.intersection(placeholders(draft.values.get(fault.field or "", ""))):
            yield Told(f"Whether this works, your script decides: with the example, {fault.detail}", fault.field)
        return
    # Where the script writes the field itself, a price at which it would be wrong is always to be found.
    written_out = (it for _, fired in tried for it in fired.faults if "{{" not in draft.values.get(it.field or "", ""))
    for fault in islice(written_out, 1):
        yield Told(f"With other prices than the example's it would be refused: {fault.detail}", fault.field, PRICES)


# Ids


def _ids(draft: Draft, fired: tuple[Fired, ...]) -> Iterator[Told]:
    """Yield what is to be known of the id of a new order, where two firings may give the same one."""
    if draft.command not in NEW_ORDERS or "order_id" not in draft.values:
        return
    order_id = draft.values["order_id"]
    found = placeholders(order_id)
    if not found:
        detail = (
            "This id serves once: it stays taken after its order is finished, and the next firing is refused, "
            "duplicate_order_id."
        )
        yield Told(detail, "order_id", "serves_once")
    elif "timenow" in found:
        return
    elif "time" in found:
        yield Told("Two firings in one bar have the same id: {{timenow}} tells them apart.", "order_id", "may_repeat")
    elif fired[0].values["order_id"] == fired[-1].values["order_id"] or "timenow" not in found:
        names = " and ".join(f"{{{{{name}}}}}" for name in dict.fromkeys(found))
        detail = f"{names} may be the same again, and a second order of this id is refused, duplicate_order_id."
        yield Told(detail, "order_id", "may_repeat")


def _offer(draft: Draft) -> dict[str, str]:
    """Return an id that is another one at every firing, and a strategy by which a fixed text finds its order."""
    if draft.command not in NEW_ORDERS or "{{timenow}}" in draft.values.get("order_id", ""):
        return {}
    given = re.sub(r"-?\{\{[^{}]*\}\}", "", draft.values.get("order_id", "")).strip("- .")
    stem = given or _stem(draft)
    if len(stem) > 40 or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]*", stem):
        stem = _stem(draft)
    offer = {"order_id": f"{stem}-{{{{timenow}}}}"}
    return offer if "strategy_id" in draft.values else {**offer, "strategy_id": stem}


def _stem(draft: Draft) -> str:
    """Return such as `es-long`."""
    root = re.match(r"[A-Za-z]{1,4}", draft.values.get("instrument", ""))
    side = {"buy": "long", "sell": "short"}.get(folded(draft.values.get("action", "")), "entry")
    return f"{root[0].lower() if root else 'my'}-{side}"


# What belongs beside it


def companions(draft: Draft) -> Iterator[tuple[str, str]]:
    """Yield the texts that cancel and change what a draft places: what each does, and the text."""
    if draft.command not in NEW_ORDERS:
        return
    values = draft.values
    strategy_id, order_id = values.get("strategy_id"), values.get("order_id", "")
    if strategy_id:
        entry, stop = (
            {"order_id": "ENTRY1", "strategy_id": strategy_id},
            {"order_id": "STOP1", "strategy_id": strategy_id},
        )
    elif order_id and not placeholders(order_id):
        entry, stop = {"order_id": order_id}, {"order_id": f"{order_id}.STOP1"}
    else:
        return
    if "," in values.get("account", ""):
        entry["account"] = stop["account"] = values["account"]
    yield "Cancel the entry, with its target and stop", text_of("CANCEL", entry)
    price = {"LIMIT": "limit_price", "STOPMARKET": "stop_price", "STOPLIMIT": "limit_price"}.get(
        payload.upper(values.get("order_type", ""))
    )
    if price:
        yield "Give the entry another price", text_of("CHANGE", {**entry, price: "{{close}}"})
    if any(name in values for name in (*_STOPS, "strategy")):
        yield "Move its stop, to what the script plots first", text_of("CHANGE", {**stop, "stop_price": "{{plot_0}}"})
