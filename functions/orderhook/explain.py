"""Explain what the webhook would make of an alert: every field, everything that is wrong with it, what it would do.

Nothing is sent or looked up: neither the key nor the orders are compared with the table.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from typing import TYPE_CHECKING

from pydantic import ValidationError

from orderhook import broken_json, commands, hints, payload, pipeline
from orderhook.commands import Command
from orderhook.description import describe
from orderhook.errors import (
    AlertWarning,
    DuplicateFieldError,
    InvalidSecretKeyError,
    InvalidValueError,
    MalformedPayloadError,
    MissingFieldError,
    OrderhookError,
    PayloadError,
    StrategyIdRequiredError,
    UnresolvedPlaceholderError,
)
from orderhook.filled_in import PRICE_FIELDS, as_distance, goes_when_filled_in, never_a_command, never_right
from orderhook.flat_json import NoText
from orderhook.keys import API, holds_key, is_placeholder, key_id_of
from orderhook.payload import Pair, Remark, Split
from orderhook.responses import STATUS_AND_CODE
from orderhook.venues import TABLE, Venue

if TYPE_CHECKING:
    from orderhook.commands.contracts import Meaning

PLACEHOLDER_SENT = (
    "your-secret-key stands for your own key: put that in its place. `orderhook keys create` issues one, and the local "
    "server prints the demo's."
)

_SHORTEST_MASKED = 16

_LEG_FIELDS = (("take_profit",), ("stop_loss",), ("stop_loss_limit", "stop_loss_stop"))
"""The fields of each kind of leg, which only stand together."""

_EXAMPLES: Mapping[str, str] = {
    "action": "BUY",
    "qty": "1",
    "market_position": "long",
    "prev_market_position": "flat",
    "target_quantity": "1",
    "percent": "0.5",
    "require_market_position": "flat",
    "max_positions": "1",
    **dict.fromkeys(PRICE_FIELDS, "5000"),
}
"""What stands for a value that TradingView fills in. Any other field holds the placeholder itself meanwhile."""

_SIDES = ("flat", "long", "short")
_ALTERNATIVES: Mapping[str, tuple[str, ...]] = {
    "action": ("BUY", "SELL"),
    "market_position": _SIDES,
    "prev_market_position": _SIDES,
}
"""What else may stand there where other fields contradict the example."""

_COMPARED = (
    {"action", *PRICE_FIELDS},
    {"action", "market_position", "prev_market_position"},
    {"target_quantity", "market_position"},
)
"""Fields that are compared with one another."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One field of the alert: its name as sent, the field's own name, its value without a secret, and a remark."""

    name: str
    field: str
    value: str
    remark: str = ""
    fault: OrderhookError | None = None


@dataclass(slots=True)
class Explanation:
    """The fields of an alert, and either the commands that it gives or the faults that it has.

    The webhook answers with the first fault only; it would find the next one once that is corrected.
    """

    rows: list[Row] = field(default_factory=list)
    faults: list[OrderhookError] = field(default_factory=list)
    commands: Mapping[str, Command] = field(default_factory=dict)
    """By account; an alert for one account has one command. There is none where it depends on what is filled in."""
    has_examples: bool = False
    """Whether an example stands for a value that TradingView fills in."""
    venue: Venue = TABLE
    """Where the order would be."""
    on: date | None = None
    """The day in New York, which decides what an instrument means."""
    warnings: list[AlertWarning] = field(default_factory=list)
    """What the answer would warn of."""
    apart: list[AlertWarning] = field(default_factory=list)
    """Those of the warnings that are the remark of no row."""

    def add(self, fault: OrderhookError) -> None:
        """Add a fault, and mark the row of its field."""
        self.faults.append(fault)
        # A name without its strategy: the field to add has no row, and the one that needs it is wrong as it stands.
        at_fault = "order_id" if isinstance(fault, StrategyIdRequiredError) else fault.field
        row = next((row for row in self.rows if at_fault in (row.field, row.name) and row.fault is None), None)
        if row and at_fault:
            row.fault = fault

    @property
    def verdict(self) -> str:
        """What the webhook would do with the alert, in one sentence."""
        if self.faults:
            status, code = STATUS_AND_CODE[type(self.faults[0])]
            return f"This alert would be refused: {status} {code}."
        if not self.commands:
            return "Nothing is wrong with this alert as far as it can be seen before TradingView fills it in."
        examples = " (with examples for what TradingView fills in)" if self.has_examples else ""
        told = "; ".join(describe(command, self.venue) for command in self.commands.values())
        return f"This alert {told}{examples}."


def explain(body: bytes, key: str | None = None, venue: Venue = TABLE, on: date | None = None) -> Explanation:
    """Explain an alert without sending it; of its key, or of the one it will be given, only the form is checked.

    Without a day in New York its instrument is left as it is.
    """
    explanation = Explanation(venue=venue, on=on)
    split, faults, unreadable = _taken_apart(body)
    secrets, pairs = payload.take_keys(split.pairs)
    secrets = secrets or ([key] if key else [])
    explanation.rows = [_row(pair, secrets) for pair in split.pairs]
    _check_key(split, secrets, faults, explanation)
    kind = None if split.fault and not faults else _command_type(pairs, explanation, unreadable)
    if kind:
        _read_fields(kind, pairs, explanation, unreadable, split)
    return explanation


def _taken_apart(body: bytes) -> tuple[Split, list[PayloadError], set[str]]:
    """Return an alert taken apart as far as it can be, its faults, and the names of the fields that cannot be read.

    Where TradingView will put something in place of the fault there is none.
    """
    split = payload.split(body)
    text = body.decode(errors="replace")
    reread = payload.split(text.encode()).fault  # without what is not UTF-8
    if split.fault is None or reread is None or reread.detail != split.fault.detail:
        return split, [split.fault] if split.fault else [], set()
    if split.is_json and isinstance(split.fault, (MalformedPayloadError, UnresolvedPlaceholderError)):
        found = broken_json.read_on(text)
        return split._replace(pairs=found.pairs, fault=next(iter(found.faults), None)), found.faults, found.unreadable
    if goes_when_filled_in(split.fault, text):
        return split, [], set()
    lines = text.split("\n")
    each = (payload.split(("\n" * number + line).encode()).fault for number, line in enumerate(lines))
    others = [fault for fault in each if fault and fault.detail != split.fault.detail]
    return split, [split.fault, *(fault for fault in others if not goes_when_filled_in(fault, text))], set()


def mask(secret: str) -> str:
    """Return a secret's last four characters, or none of a secret that is too short to show them."""
    return f"…{secret[-4:] if len(secret) >= _SHORTEST_MASKED else ''}"


def _row(pair: Pair, secrets: Sequence[str]) -> Row:
    name, value = pair
    shown_value = value.value if isinstance(value, NoText) else value
    known_name = payload.canonical(name)
    if known_name == "key":
        return Row(name=name, field="key", value=mask(shown_value) if shown_value else "")
    if holds_key(f"{name}={value}", *secrets):
        fault = InvalidValueError("A key stands outside key=...; remove it, and revoke that key.")
        return Row(name="…", field="", value="…", fault=fault)
    return Row(name=name, field=known_name if known_name in payload.KNOWN_NAMES else "", value=shown_value)


def _check_key(split: Split, secrets: Sequence[str], faults: Sequence[PayloadError], explanation: Explanation) -> None:
    """Check what the webhook checks before it reads any field, in the same order."""
    if any(map(key_id_of, (*split.keys, *secrets) if faults else secrets[:1])):
        for fault in faults:
            explanation.add(fault)
    else:
        # A sender without a key is told that a body is malformed, and nothing else.
        public = faults if faults and split.public_fault else ()
        for fault in public:
            explanation.add(fault)
        explanation.add(InvalidSecretKeyError(_key_fault(secrets), field="key"))
        for fault in () if public else faults:
            explanation.add(fault)
    if len(secrets) > 1:
        explanation.add(DuplicateFieldError("key is given twice; give it once.", field="key"))
    explanation.faults += [row.fault for row in explanation.rows if row.fault and row.name == "…"]


def _key_fault(secrets: Sequence[str]) -> str:
    if not secrets:
        return "There is no key; add key=..."
    if is_placeholder(secrets[0]):
        return PLACEHOLDER_SENT
    if key_id_of(secrets[0], API):
        return "This is a key of the HTTP API, and good for no alert; `orderhook keys create` issues one that is."
    return "The key was not issued here; copy it again."


def _command_type(pairs: Sequence[Pair], explanation: Explanation, unreadable: Collection[str]) -> type[Command] | None:
    """Return the type of the command, or of the one that was probably meant: the other faults are told by it."""
    try:
        return commands.command_type(pairs)
    except PayloadError as error:
        row = next((row for row in explanation.rows if row.field == "command" and row.value), None)
        if row and goes_when_filled_in(error, row.value):
            wrong = never_a_command(row.value)
            if wrong is None:
                row.remark = "filled in by TradingView"
                return None
            error = wrong
        if "command" not in unreadable or not isinstance(error, MissingFieldError):
            explanation.add(error)
    words = [value for name, value in pairs if "command" in (payload.lower(name), hints.field(name[:64]))]
    meant = {word for value in words if isinstance(value, str) and (word := _meant(value, pairs))}
    return commands.COMMANDS[meant.pop()] if len(meant) == 1 else None


def _meant(word: str, pairs: Sequence[Pair]) -> str | None:
    """Return the command that a word is, or probably was meant to be."""
    word = payload.upper(word)
    hint = word if word in commands.COMMANDS else commands.meant_command(word, pairs)
    return hint if hint in commands.COMMANDS else None


def _read_fields(
    kind: type[Command], pairs: Sequence[Pair], explanation: Explanation, unreadable: set[str], split: Split
) -> None:
    """Read each field as the webhook would, and mark what is wrong with it or told of it."""
    reader = commands.FieldReader(kind, pairs, is_json=split.is_json)
    filled_in: dict[str, str] = {}
    rows = [row for row in explanation.rows if row.field != "key"]
    for row, pair in zip(rows, pairs, strict=True):
        if row.fault:
            unreadable.add(row.field)
            continue
        told = len(reader.warnings)
        try:
            reader.read(pair)
        except PayloadError as error:
            goes = goes_when_filled_in(error, row.value)
            wrong = never_right(row.field, row.value) if goes else None
            if goes and wrong is None:
                row.remark = "filled in by TradingView"
                filled_in[row.field] = as_distance(row.value) or _EXAMPLES.get(row.field, row.value)
                continue
            row.fault = wrong or error
            explanation.faults.append(row.fault)
            unreadable.add(row.field)
        row.remark = " ".join(warning.detail for warning in reader.warnings[told:])
    _read_remarks(reader, split.remarks, explanation)
    explanation.warnings += dict.fromkeys(reader.warnings)
    unreadable -= reader.fields.keys() | {""}
    # A field that is there but could not be read is not missing.
    fields = reader.fields | filled_in | dict.fromkeys(unreadable, "?")
    if fields.get("instrument") != reader.fields.get("instrument"):
        explanation.on = None  # nobody knows yet what it will be
    for fault in _faults(kind, fields, explanation.on):
        if fault.field in unreadable or fault.detail in [known.detail for known in explanation.faults]:
            continue
        if not _depends_on_examples(fault, filled_in):
            explanation.add(fault)
    if not explanation.faults:
        explanation.has_examples = not _EXAMPLES.keys().isdisjoint(filled_in)
        _make_commands(kind, fields, explanation, rows, filled_in)


def _read_remarks(reader: commands.FieldReader, remarks: Iterable[Remark], explanation: Explanation) -> None:
    """Add the fields that stand in remarks, as far as there is something to tell of them."""
    for sent_name, name, is_comment in commands.fields_in_remarks(remarks):
        told = len(reader.warnings)
        row = Row(name=name, field=name, value="(behind //)" if is_comment else "(in parentheses)")
        try:
            reader.read_remark(sent_name, name, is_comment=is_comment)
        except PayloadError as error:
            row.fault = error
            explanation.faults.append(error)
        row.remark = " ".join(warning.detail for warning in reader.warnings[told:])
        if row.fault or row.remark:
            explanation.rows.append(row)


def _depends_on_examples(fault: OrderhookError, filled_in: Mapping[str, str]) -> bool:
    """Return whether another value than the example might do: in a field itself, or in one compared with others."""
    if fault.field in filled_in:
        return True
    return isinstance(fault, InvalidValueError) and any(
        fault.field in compared and not compared.isdisjoint(filled_in) for compared in _COMPARED
    )


def _make_commands(
    kind: type[Command],
    fields: dict[str, str],
    explanation: Explanation,
    rows: Sequence[Row],
    filled_in: Mapping[str, str],
) -> None:
    alert: pipeline.Alert | None = None
    with suppress(PayloadError):  # else only what TradingView fills in decides
        alert = pipeline.alert_of(kind, fields, on=explanation.on)
    possible = alert or _possible_alert(kind, fields, explanation.on, filled_in)
    try:
        kind.check_word(explanation.venue)
        if possible:
            possible.first.check_venue(explanation.venue)
    except PayloadError as error:
        explanation.add(error)
        return
    if alert is None:
        return
    explanation.commands = alert.commands
    certain = (warning for it in alert.commands.values() for warning in it.certain_warnings(explanation.venue))
    for warning in dict.fromkeys((*alert.warnings, *certain)):
        row = next((row for row in rows if row.field and row.field == warning.field), None)
        explanation.warnings.append(warning)
        if row is None:
            explanation.apart.append(warning)
        else:
            row.remark = f"{row.remark} {warning.detail}".lstrip()
    if alert.instrument and alert.instrument.told:
        row = next(row for row in rows if row.field == "instrument")
        row.remark = f"{meaning_of(alert.instrument)} {row.remark}".rstrip()


def _possible_alert(
    kind: type[Command], fields: Mapping[str, str], on: date | None, filled_in: Mapping[str, str]
) -> "pipeline.Alert | None":
    """Return an alert that this one may become, as far as one is found: what may be switched off is left out."""
    needed = kind.alert_fields()
    certain = {
        name: value for name, value in fields.items() if name not in filled_in or name in _EXAMPLES or needed.get(name)
    }
    others = {name: words for name, words in _ALTERNATIVES.items() if name in filled_in}
    others |= {
        name: (text, f"-{text}") for name, text in filled_in.items() if name in PRICE_FIELDS and text[-1:].isalpha()
    }
    for values in product(*others.values()):
        with suppress(PayloadError):
            return pipeline.alert_of(kind, {**certain, **dict(zip(others, values, strict=True))}, on=on)
    return None


def meaning_of(instrument: "Meaning") -> str:
    """Return what an instrument means, as a sentence."""
    if instrument.root:
        return f"This is every month of {instrument.root}."
    return f"This is {instrument.name}."


def _fault(kind: type[Command], fields: dict[str, str], on: date | None) -> OrderhookError | None:
    try:
        pipeline.alert_of(kind, fields, on=on)
    except PayloadError as error:
        return error
    return None


def _faults(kind: type[Command], fields: dict[str, str], on: date | None) -> Iterator[OrderhookError]:
    """Yield the fault that the webhook would answer with, then those behind it; some of them come twice."""
    left = dict(fields)
    while fault := _fault(kind, left, on):
        yield fault
        # Prices are compared with one another: behind a leg's may be the fault of another leg's.
        behind = next((own for own in _LEG_FIELDS if fault.field in own and fault.field in left), ())
        if not behind:
            break
        left = {name: value for name, value in left.items() if name not in behind}
    for name, value in fields.items():
        for parse in (lambda one_field: commands.parse_command(kind, one_field), lambda one_field: kind(**one_field)):
            try:
                parse({name: value})
            except ValidationError:
                continue  # about the other fields, which are missing here
            except PayloadError as error:
                if error.field == name:
                    yield error
