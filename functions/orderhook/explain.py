"""Explain what the webhook would make of an alert: every field, everything that is wrong with it, what it would do.

Nothing is sent or looked up: neither the key nor the orders are compared with the table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import ValidationError

from orderhook import commands, payload, pipeline, responses
from orderhook.commands import Command
from orderhook.commands.addressed_order import AddressesOrder
from orderhook.commands.cancel import Cancel
from orderhook.commands.cancel_all_orders import CancelAllOrders
from orderhook.commands.cancel_orders import CancelOrders
from orderhook.commands.cancel_replace import CancelReplace, next_order_id
from orderhook.commands.change import Change
from orderhook.commands.close_strategy import CloseStrategy
from orderhook.commands.kill_switch import KillSwitch
from orderhook.commands.opens_position import OpensPosition
from orderhook.commands.place import Place
from orderhook.errors import (
    DuplicateFieldError,
    InvalidSecretKeyError,
    InvalidValueError,
    MalformedPayloadError,
    OrderhookError,
    PayloadError,
)
from orderhook.keys import holds_key, key_id_of
from orderhook.orders import decimal_text
from orderhook.payload import Pair, Split
from orderhook.responses import STATUS_AND_CODE
from orderhook.trade_window import clock

_SHORTEST_MASKED = 16


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
    """By account; an alert for one account has one command."""

    def add(self, fault: OrderhookError) -> None:
        """Add a fault, and mark the row of its field."""
        self.faults.append(fault)
        row = next((row for row in self.rows if row.field == fault.field and row.fault is None), None)
        if row and fault.field:
            row.fault = fault

    @property
    def verdict(self) -> str:
        """What the webhook would do with the alert, in one sentence."""
        if self.faults:
            status, code = STATUS_AND_CODE[type(self.faults[0])]
            return f"This alert would be refused: {status} {code}."
        return f"This alert {'; '.join(map(describe, self.commands.values()))}."


def explain(body: bytes) -> Explanation:
    """Explain an alert without sending it; of its key, only the form is checked."""
    explanation = Explanation()
    try:
        split = payload.split(body)
    except PayloadError as error:
        explanation.add(error)
        return explanation
    explanation.rows = [_row(pair) for pair in split.pairs]
    _check_key(split, explanation)
    fields, unreadable = _parse_fields(split.pairs, explanation)
    if "command" not in unreadable:
        _parse_command(fields, unreadable, explanation)
    return explanation


def mask(secret: str) -> str:
    """Return a secret's last four characters, or none of a secret that is too short to show them."""
    return f"…{secret[-4:] if len(secret) >= _SHORTEST_MASKED else ''}"


def _row(pair: Pair) -> Row:
    name, value = pair
    known_name = payload.SYNONYMS.get(payload.lower(name), payload.lower(name))
    shown_value = "(nested)" if value is None else value
    if known_name == "key":
        return Row(name=name, field="key", value=mask(shown_value) if shown_value else "")
    if _is_misplaced_key(pair):
        return Row(name="…", field="", value="…")
    return Row(name=name, field=known_name if known_name in payload.KNOWN_NAMES else "", value=shown_value)


def _is_misplaced_key(pair: Pair) -> bool:
    return payload.lower(pair[0]) != "key" and holds_key(f"{pair[0]}={pair[1]}")


def _check_key(split: Split, explanation: Explanation) -> None:
    """Check what the webhook checks before it reads any field, in the same order."""
    secrets, _ = payload.take_keys(split.pairs)
    malformed = MalformedPayloadError(split.fault) if split.fault else None
    if not secrets or key_id_of(secrets[0]) is None:
        if malformed:
            explanation.add(malformed)  # a sender without a key is told this and nothing else
        detail = "The key was not issued here; copy it again." if secrets else "There is no key; add key=..."
        explanation.add(InvalidSecretKeyError(detail, field="key"))
    elif malformed:
        explanation.add(malformed)
    if len(secrets) > 1:
        explanation.add(DuplicateFieldError("key is given twice; give it once.", field="key"))
    for row, pair in zip(explanation.rows, split.pairs, strict=True):
        if _is_misplaced_key(pair):
            row.fault = InvalidValueError("A key stands outside key=...; remove it, and revoke that key.")
            explanation.faults.append(row.fault)


def _parse_fields(pairs: tuple[Pair, ...], explanation: Explanation) -> tuple[dict[str, str], set[str]]:
    """Return the fields that could be read, and the names of those that could not."""
    fields: dict[str, str] = {}
    unreadable: set[str] = set()
    for row, pair in zip(explanation.rows, pairs, strict=True):
        if row.field == "key" or row.fault:
            continue
        try:
            fields |= payload.parse_field(pair, fields)
        except PayloadError as error:
            row.fault = error
            explanation.faults.append(error)
            unreadable |= {row.field}
        if pair[1] == "":
            row.remark = "empty, so it counts as absent"
    return fields, unreadable


def _parse_command(fields: dict[str, str], unreadable: set[str], explanation: Explanation) -> None:
    try:
        kind = commands.command_type(fields)
    except PayloadError as error:
        explanation.add(error)
        return
    unreadable -= fields.keys() | {""}
    # A field that is there but could not be read is not missing.
    fields = fields | dict.fromkeys(unreadable, "?")
    for fault in _faults(kind, fields):
        if fault.field not in unreadable and fault.detail not in [known.detail for known in explanation.faults]:
            explanation.add(fault)
    if not explanation.faults:
        alert = pipeline.alert_of(kind, fields)
        explanation.commands = alert.commands
        for row in explanation.rows:
            if row.field in alert.ignored:
                row.remark = responses.ignored_field(kind.word, row.field)["detail"]


def _faults(kind: type[Command], fields: dict[str, str]) -> Iterator[OrderhookError]:
    """Yield the fault that the webhook would answer with, then those behind it; some of them come twice."""
    used = {name: value for name, value in fields.items() if name in kind.alert_fields()}
    for attempt in (fields, used):
        try:
            pipeline.alert_of(kind, attempt)
        except PayloadError as error:
            yield error
    for name, value in fields.items():
        for parse in (lambda one_field: commands.parse_command(kind, one_field), lambda one_field: kind(**one_field)):
            try:
                parse({name: value})
            except ValidationError:
                continue  # about the other fields, which are missing here
            except PayloadError as error:
                if error.field == name:
                    yield error


def describe(command: Command) -> str:
    """Return what a command would do, and when, as the end of a sentence."""
    action = _describe_action(command)
    return f"{action}, {command.delay} s after the alert comes in" if command.delay else action


def _describe_action(command: Command) -> str:
    match command:
        case Cancel():
            return f"would cancel {_addressed_order(command)}"
        case Change():
            values = (f"{name.replace('_price', '')} {decimal_text(Decimal(new))}" for name, new in command.new.items())
            return f"would change {_addressed_order(command)} to {', '.join((*values, *_controls(command)))}"
        case CancelReplace():
            # strategy_id is that of the new order; the old one is looked up in it only if it is given by name.
            old = _addressed_order(command) if command.order_name else f"order {command.order_id}"
            new_id = None if command.order_name else next_order_id(command.order_id)
            return f"would cancel {old} and place {', '.join((*_order_phrases(command, new_id), *_controls(command)))}"
        case Place():
            return f"would place {', '.join((*_order_phrases(command, command.order_id), *_controls(command)))}"
        case CancelOrders():
            of_instrument = f" in {command.instrument}" if command.instrument else ""
            return f"would cancel every working order of account {command.account}{of_instrument}"
        case CancelAllOrders():
            return "would cancel every working order of every account"
        case CloseStrategy():
            return f"would close strategy {command.strategy_id} and cancel its working orders"
        case KillSwitch():
            return f"would turn the kill switch {'on' if command.kill_switch else 'off'}"
    return f"would give the command {command.word}"


def _addressed_order(command: AddressesOrder) -> str:
    if not command.strategy_id:
        return f"order {command.order_id}"
    return (
        f"order {command.order_id} {'of' if command.order_name else 'if it belongs to'} strategy {command.strategy_id}"
    )


def _order_phrases(command: Place | CancelReplace, order_id: str | None) -> Iterator[str]:
    new_order = command.new_order
    yield f"{new_order.action} {new_order.qty} {new_order.instrument} {new_order.order_type}"
    texts = {
        "limit_price": "limit",
        "stop_price": "stop",
        "tif": "",
        "account": "in account",
        "order_id": "as order",
        "strategy_id": "in strategy",
        "strategy": "with the legs of template",
        "take_profit": "with a target at",
        "stop_loss": "with a stop at",
        "stop_loss_stop": "with a stop at",
        "stop_loss_limit": "with a stop limit at",
        "oco_id": "in OCO group",
    }
    values = {**dict(new_order), "order_id": order_id, "strategy_id": command.strategy_id}
    for name, text in texts.items():
        value = values[name]
        if value is not None:
            yield f"{text} {decimal_text(value) if isinstance(value, Decimal) else value}".strip()
    if command.cancel_after:
        yield f"cancelled {command.cancel_after} min later if it is still open"


def _controls(command: OpensPosition) -> Iterator[str]:
    window = command.window
    if window:
        yield f"from {clock(window.start)} to {clock(window.end)} in New York"
        if window.closing_only_after is not None:
            yield f"but not from {clock(window.closing_only_after)} on"
    if command.rate_limit:
        alerts, seconds = command.rate_limit
        yield f"at most {alerts} times in {seconds} s among alerts of id {command.id}"
