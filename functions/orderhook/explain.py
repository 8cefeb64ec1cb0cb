"""Read an alert as the webhook would, and collect everything that is wrong with it instead of stopping at the first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import ValidationError

from orderhook import commands, payload, pipeline, responses
from orderhook.commands import Command
from orderhook.commands.addressed_order import AddressesOrder
from orderhook.commands.cancel import Cancel
from orderhook.commands.cancel_orders import CancelAllOrders, CancelOrders
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
from orderhook.trade_window import clock

_SHORTEST_MASKED = 16


@dataclass(slots=True, kw_only=True)
class Row:
    """One pair of the alert: its name as sent, the field that it is, its value without a secret, and a remark."""

    name: str
    field: str
    value: str
    remark: str = ""
    fault: OrderhookError | None = None


@dataclass(slots=True)
class Reading:
    """How an alert was read, and either the command that it gives or the faults that it has.

    The webhook would answer with the first fault; the others would come one by one as each is mended.
    """

    rows: list[Row] = field(default_factory=list)
    faults: list[OrderhookError] = field(default_factory=list)
    commands: Mapping[str, Command] = field(default_factory=dict)
    """By account; an alert for one account has one command."""

    def add(self, fault: OrderhookError) -> None:
        """Note a fault, and mark the row of its field."""
        self.faults.append(fault)
        row = next((row for row in self.rows if row.field == fault.field and row.fault is None), None)
        if row and fault.field:
            row.fault = fault


def read(body: bytes) -> Reading:
    """Read an alert without sending it: of the key only the form is looked at, of the orders nothing."""
    reading = Reading()
    try:
        split = payload.split(body)
    except PayloadError as error:
        reading.add(error)
        return reading
    reading.rows = [_row(pair) for pair in split.pairs]
    _check_key(split, reading)
    fields, unreadable = _read_fields(split.pairs, reading)
    if "command" not in unreadable:
        _read_command(fields, unreadable, reading)
    return reading


def masked(secret: str) -> str:
    """Return a secret's last four characters, or nothing of one that is too short to lose them."""
    return f"…{secret[-4:] if len(secret) >= _SHORTEST_MASKED else ''}"


def _row(pair: Pair) -> Row:
    name, value = pair
    known = payload.SYNONYMS.get(payload.lower(name), payload.lower(name))
    shown = "(nested)" if value is None else value
    if known == "key":
        return Row(name=name, field="key", value=masked(shown) if shown else "")
    if _is_stray_key(pair):
        return Row(name="…", field="", value="…")
    return Row(name=name, field=known if known in payload.KNOWN_NAMES else "", value=shown)


def _is_stray_key(pair: Pair) -> bool:
    return payload.lower(pair[0]) != "key" and holds_key(f"{pair[0]}={pair[1]}")


def _check_key(split: Split, reading: Reading) -> None:
    """Do what the webhook does before it reads any field, in its order."""
    presented, _ = payload.take_keys(split.pairs)
    fault = MalformedPayloadError(split.fault) if split.fault else None
    if not presented or key_id_of(presented[0]) is None:
        if fault:
            reading.add(fault)  # a sender without a key learns this and no more
        way_out = "This is no key of ours: copy it again." if presented else "There is no key: add key=..."
        reading.add(InvalidSecretKeyError(way_out, field="key"))
    elif fault:
        reading.add(fault)
    if len(presented) > 1:
        reading.add(DuplicateFieldError("key is given twice; give it once.", field="key"))
    for row, pair in zip(reading.rows, split.pairs, strict=True):
        if _is_stray_key(pair):
            row.fault = InvalidValueError("A key stands outside key=...; take it out, and have it revoked.")
            reading.faults.append(row.fault)


def _read_fields(pairs: tuple[Pair, ...], reading: Reading) -> tuple[dict[str, str], set[str]]:
    """Return the fields that could be read, and the names of those that could not."""
    fields: dict[str, str] = {}
    unreadable: set[str] = set()
    for row, pair in zip(reading.rows, pairs, strict=True):
        if row.field == "key" or row.fault:
            continue
        try:
            fields |= payload.parse_field(pair, fields)
        except PayloadError as error:
            row.fault = error
            reading.faults.append(error)
            unreadable |= {row.field}
        if pair[1] == "":
            row.remark = "empty, so it counts as absent"
    return fields, unreadable


def _read_command(fields: dict[str, str], unreadable: set[str], reading: Reading) -> None:
    try:
        kind = commands.command_type(fields)
    except PayloadError as error:
        reading.add(error)
        return
    unreadable -= fields.keys() | {""}
    # What is there and could not be read is not missing.
    fields = fields | dict.fromkeys(unreadable, "?")
    for fault in _faults(kind, fields):
        if fault.field not in unreadable and fault.detail not in [known.detail for known in reading.faults]:
            reading.add(fault)
    if not reading.faults:
        alert = pipeline.alert_of(kind, fields)
        reading.commands = alert.commands
        for row in reading.rows:
            if row.field in alert.ignored:
                row.remark = responses.ignored_field(kind.word, row.field)["detail"]


def _faults(kind: type[Command], fields: dict[str, str]) -> Iterator[OrderhookError]:
    """Yield the fault that the webhook would answer with, then what it would find behind it; some of them twice."""
    used = {name: value for name, value in fields.items() if name in kind.alert_fields()}
    for attempt in (fields, used):
        try:
            pipeline.alert_of(kind, attempt)
        except PayloadError as error:
            yield error
    for name, value in fields.items():
        for make in (lambda only: commands.parse_command(kind, only), lambda only: kind(**only)):
            try:
                make({name: value})
            except ValidationError:
                continue  # of the others, which are not there
            except PayloadError as error:
                if error.field == name:
                    yield error


def sentence(command: Command) -> str:
    """Say what a command would do, and when."""
    what = _what(command)
    return f"{what}, {command.delay} s after the alert comes in" if command.delay else what


def _what(command: Command) -> str:
    match command:
        case Cancel():
            return f"would cancel {_target(command)}"
        case Change():
            values = (f"{name.replace('_price', '')} {decimal_text(Decimal(new))}" for name, new in command.new.items())
            return f"would change {_target(command)} to {', '.join((*values, *_bounds(command)))}"
        case CancelReplace():
            # Its strategy_id is the new order's; only a name is looked up in it.
            old = _target(command) if command.order_name else f"order {command.order_id}"
            new_id = None if command.order_name else next_order_id(command.order_id)
            return f"would cancel {old} and place {', '.join((*_phrases(command, new_id), *_bounds(command)))}"
        case Place():
            return f"would place {', '.join((*_phrases(command, command.order_id), *_bounds(command)))}"
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


def _target(command: AddressesOrder) -> str:
    if not command.strategy_id:
        return f"order {command.order_id}"
    return (
        f"order {command.order_id} {'of' if command.order_name else 'if it belongs to'} strategy {command.strategy_id}"
    )


def _phrases(place: Place, order_id: str | None) -> Iterator[str]:
    yield f"{place.action} {place.qty} {place.instrument} {place.order_type}"
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
    values = {**dict(place), "order_id": order_id}
    for name, text in texts.items():
        value = values[name]
        if value is not None:
            yield f"{text} {decimal_text(value) if isinstance(value, Decimal) else value}".strip()
    if place.cancel_after:
        yield f"cancelled {place.cancel_after} min later if it is still open"


def _bounds(command: OpensPosition) -> Iterator[str]:
    window = command.window
    if window:
        yield f"from {clock(window.start)} to {clock(window.end)} in New York"
        if window.closing_only_after is not None:
            yield f"but not from {clock(window.closing_only_after)} on"
    if command.rate_limit:
        alerts, seconds = command.rate_limit
        yield f"at most {alerts} times in {seconds} s among alerts of id {command.id}"
