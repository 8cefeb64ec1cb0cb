"""The types of the fields that commands share: each checks the form of a value, and its error names the field."""

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, get_args

from pydantic import BeforeValidator, ValidationInfo

from orderhook.errors import AlertWarning, InvalidValueError
from orderhook.orders import Action, OrderType, TimeInForce
from orderhook.payload import lower, upper

# The injection guard of NinjaTrader's ';' lines, of XML and of shells; no id becomes a file name.
_FORBIDDEN = re.compile(r"""[^ -~]|[;="'\\<>&]""")
_NOT_PLAIN = re.compile(r"[^ -~]")
_BLANKS = re.compile(r" +")
_COMMENT = re.compile(r"(^| )//")
_NOTHING = frozenset(("null", "none", "nan", "na", "undefined"))
_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.([0-9]+))?")
_DECIMALS = 8
_SMALLEST = Decimal(1).scaleb(-_DECIMALS)
MAX_LENGTH = 64
MAX_NOTES = 500
MAX_QTY = 1_000_000

IDS = ("order_id", "strategy_id", "oco_id")

_KINDS = "ENTRY|EXIT|STOP|SIMSTOP|TARGET"
ORDER_NAME = re.compile(rf"({_KINDS})[1-9][0-9]*")
LIKE_A_NAME = re.compile(rf"({_KINDS})[0-9]*")


def leg_parts(order_id: str) -> tuple[str, str] | None:
    """Return the entry's id and the order name, in capitals, that the id of a leg consists of; None for other ids."""
    entry_id, _, ending = order_id.rpartition(".")
    name = upper(ending)
    return (entry_id, name) if entry_id and ORDER_NAME.fullmatch(name) else None


def check_plain(value: str, field: str) -> None:
    """Raise InvalidValueError, naming the character, unless a value is printable ASCII; only notes may be more."""
    if outside := _NOT_PLAIN.search(value):
        raise InvalidValueError(
            f"{field} holds {_named(outside)}; write it in plain letters without accents.", field=field
        )


def _named(found: re.Match[str]) -> str:
    """Say which character stands where: as a person sees it, if at all, and by its code point."""
    code_point = f"U+{ord(found[0]):04X}"
    seen = f"'{found[0]}' ({code_point})" if found[0].isprintable() else f"an invisible character ({code_point})"
    return f"{seen} at position {found.start() + 1}"


def check_text(value: str, field: str) -> None:
    """Raise InvalidValueError for what can be neither an id nor the name of an account, an instrument or a template."""
    if forbidden := _FORBIDDEN.search(value):
        quoted = " Take the quotes out." if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else ""
        raise InvalidValueError(
            f"{field} holds {_named(forbidden)}; use printable ASCII without ; = \" ' \\ < > and &.{quoted}",
            field=field,
        )
    if _COMMENT.search(value):
        raise InvalidValueError(f"{field} holds ' //': put the comment on a line of its own.", field=field)
    _check_length(_BLANKS.sub(" ", value), field)


def _check_length(value: str, field: str) -> None:
    if len(value) > MAX_LENGTH:
        raise InvalidValueError(
            f"{field} has {len(value)} characters; at most {MAX_LENGTH} are accepted: write a shorter one.", field=field
        )


def check_is_something(value: str, field: str) -> None:
    """Raise InvalidValueError for what a script writes where a variable has no value."""
    if lower(value) in _NOTHING:
        raise InvalidValueError(
            f"{field}={value} looks like a variable that had no value; see what the script puts there.", field=field
        )


def check_label(value: str, field: str) -> None:
    """Raise InvalidValueError for what cannot be the name of an account, an instrument or a template."""
    check_text(value, field)
    if value.endswith(","):
        raise InvalidValueError(f"{field} ends in ','; take it out.", field=field)


def _id(value: str, info: ValidationInfo) -> str:
    field = str(info.field_name)
    check_is_something(value, field)
    if value.startswith("-"):
        detail = f"{field} holds '-' (U+002D) at position 1; begin it with another character."
        raise InvalidValueError(detail, field=field)
    check_text(value, field)
    return _BLANKS.sub(" ", value)


def check_alphabet(value: str, field: str, outside: re.Pattern[str], alphabet: str) -> None:
    """Raise InvalidValueError, naming the character, for one that is `outside` the alphabet, or for too many."""
    if found := outside.search(value):
        raise InvalidValueError(f"{field} holds {_named(found)}; use {alphabet}.", field=field)
    _check_length(value, field)


def _label(value: str, info: ValidationInfo) -> str:
    check_label(value, str(info.field_name))
    return value


def _given_label(value: str, info: ValidationInfo) -> str:
    check_is_something(value, str(info.field_name))
    return _label(value, info)


def _notes(value: str, info: ValidationInfo) -> str:
    if len(value) > MAX_NOTES:
        _warn(info, "notes_cut", f"notes has {len(value)} characters; the first {MAX_NOTES} are kept.")
    return value[:MAX_NOTES]


def _warn(info: ValidationInfo, code: str, detail: str) -> None:
    """Add a warning to those of the alert; they are the context in which its command is made."""
    if info.context is not None:
        info.context.append(AlertWarning(code, info.field_name, detail))


def _new_order_id(value: str, info: ValidationInfo) -> str:
    value = _id(value, info)
    leg = leg_parts(value)
    if leg or LIKE_A_NAME.fullmatch(upper(value)):
        way_out = f"{leg[0] if leg else value}-{{{{timenow}}}}"
        fact = f"ends in .{leg[1]}, as the id of a leg does" if leg else "looks like an order name"
        raise InvalidValueError(
            f"order_id {fact} (ENTRY, EXIT, STOP, SIMSTOP, TARGET and a number); choose another, such as {way_out}.",
            field=info.field_name,
        )
    return value


def _order_id_or_name(value: str, info: ValidationInfo) -> str:
    if leg := leg_parts(value):
        return f"{_id(leg[0], info)}.{leg[1]}"
    value = _id(value, info)
    name = upper(value)
    if ORDER_NAME.fullmatch(name):
        return name
    if LIKE_A_NAME.fullmatch(name):
        raise InvalidValueError(
            f"order_id {value} looks like an order name and is not one: a name ends in a number from 1 without "
            "leading zeros, such as TARGET1.",
            field=info.field_name,
        )
    return value


def _qty(value: str, info: ValidationInfo) -> int:
    number = read_decimal(value, info, "a whole number from 1")
    if number != int(number) or not 1 <= number <= MAX_QTY:
        raise InvalidValueError(f"{info.field_name} must be a whole number from 1 to {MAX_QTY}.", field=info.field_name)
    return int(number)


def _new_qty(value: str, info: ValidationInfo) -> int | None:
    # NinjaTrader's CHANGE reads 0 as "leave it as it is".
    return None if read_decimal(value, info, "a whole number") == 0 else _qty(value, info)


def read_decimal(value: str, info: ValidationInfo, expected: str) -> Decimal:
    """Return an exact number without a sign; raises InvalidValueError, which says what is expected."""
    match = _DECIMAL.fullmatch(value)
    if match is None:
        comment = " Put the comment on a line of its own." if "//" in value else ""
        raise InvalidValueError(
            f"{info.field_name} must be {expected}: at most 12 digits before the point, no comma, no sign and no "
            f"exponent.{comment}",
            field=info.field_name,
        )
    number = Decimal(value)
    if match[1] and len(match[1]) > _DECIMALS:
        number = number.quantize(_SMALLEST, rounding=ROUND_HALF_UP)
        detail = f"{info.field_name} has {len(match[1])} decimals; it was rounded to {number:f}."
        _warn(info, "float_noise", detail)
    return number


def _up_to(maximum: int, unit: str, *, in_parts: bool = False) -> Callable[[str, ValidationInfo], int]:
    """Return a check of a whole number; `in_parts`, decimals are taken too, and rounded up."""

    def check(value: str, info: ValidationInfo) -> int:
        expected = (
            f"a number of {unit} up to {maximum}" if in_parts else f"a whole number of {unit} from 1 to {maximum}"
        )
        number = read_decimal(value, info, expected)
        if (number != int(number) and not in_parts) or number > maximum:
            raise InvalidValueError(f"{info.field_name} must be {expected}; 0 means none.", field=info.field_name)
        return math.ceil(number)

    return check


_ELSEWHERE = {
    "LONG": "BUY",
    "SHORT": "SELL",
    "MKT": "MARKET",
    "LMT": "LIMIT",
    **dict.fromkeys(("STOP", "STP", "STP_MARKET", "STOP_MARKET"), "STOPMARKET"),
    **dict.fromkeys(("STP LMT", "STPLMT", "STOP LIMIT", "STOP_LIMIT"), "STOPLIMIT"),
}
"""What other services call a word; what may mean to close a position (EXIT, FLAT) is in no place of an order's."""


def one_of(*words: str, fold: Callable[[str], str] = upper) -> Callable[[str, ValidationInfo], str]:
    """Return a check that takes these words in any case, and returns them as they stand here."""

    def check(value: str, info: ValidationInfo) -> str:
        if fold(value) not in words:
            word = _ELSEWHERE.get(upper(value))
            hint = f" ({upper(value)} is written {word})" if word in words else ""
            hint = hint or (": put the comment on a line of its own" if "//" in value else "")
            raise InvalidValueError(f"{info.field_name} must be {' or '.join(words)}{hint}.", field=info.field_name)
        return fold(value)

    return check


_TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
_BOOLEANS = frozenset(("append_atm", "flatten_first", "sync_strategy"))


def is_off(name: str, value: object) -> bool:
    """Return whether an option says that it is not wanted; where it is not a boolean, 0 is a value like others."""
    return isinstance(value, str) and lower(value) in FALSE and (value != "0" or name in _BOOLEANS)


def _boolean(yes: str, no: str) -> Callable[[str, ValidationInfo], bool]:
    """Return a check that reads every word for yes and no; its error names these two."""

    def check(value: str, info: ValidationInfo) -> bool:
        if lower(value) not in _TRUE + FALSE:
            raise InvalidValueError(f"{info.field_name} must be {yes} or {no}.", field=info.field_name)
        return lower(value) in _TRUE

    return check


Id = Annotated[str, BeforeValidator(_id)]
"""1 to 64 printable ASCII characters without ; = " ' \\ < > and &, as sent but for runs of blanks, which become one."""

Label = Annotated[str, BeforeValidator(_label)]
"""A template's name: of the same characters, kept as sent."""

GivenLabel = Annotated[str, BeforeValidator(_given_label)]
"""An account or an instrument: as a template's name, and nothing that a script writes for a missing value."""

Notes = Annotated[str, BeforeValidator(_notes)]
"""A remark, kept as sent up to 500 characters."""

NewOrderId = Annotated[str, BeforeValidator(_new_order_id)]
"""An Id that cannot be taken for an order name or for the id of a leg."""

OrderIdOrName = Annotated[str, BeforeValidator(_order_id_or_name)]
"""An Id, which may be a leg's, or an order name; names come in capitals."""

Qty = Annotated[int, BeforeValidator(_qty)]
"""A whole number of contracts from 1."""

NewQty = Annotated[int | None, BeforeValidator(_new_qty)]
"""A whole number of contracts; 0 means unchanged."""

Seconds = Annotated[int, BeforeValidator(_up_to(60, "seconds", in_parts=True))]
"""A number of seconds, at most a minute, rounded up to a whole one; 0 means none."""

Minutes = Annotated[int, BeforeValidator(_up_to(180, "minutes"))]
"""A whole number of minutes, at most three hours; 0 means none."""

ActionWord = Annotated[Action, BeforeValidator(one_of(*get_args(Action)))]
OrderTypeWord = Annotated[OrderType, BeforeValidator(one_of(*get_args(OrderType)))]
TimeInForceWord = Annotated[TimeInForce, BeforeValidator(one_of(*get_args(TimeInForce)))]

OnOff = Annotated[bool, BeforeValidator(_boolean("on", "off"))]
YesNo = Annotated[bool, BeforeValidator(_boolean("true", "false"))]
