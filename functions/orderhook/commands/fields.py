"""The types of the fields that commands share: each checks the form of a value, and its error names the field."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from orderhook.errors import InvalidValueError, UnsupportedValueError
from orderhook.payload import lower, upper

OUTSIDE_ID = re.compile(r"[^A-Za-z0-9_.:-]")
_OUTSIDE_LABEL = re.compile(r"[^ -:<>-~]")
# DynamoDB keeps 38 digits of a number exactly; a price that Pine computed can bring 16 of them.
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,18})?")
_RELATIVE = re.compile(r"\$.*|[+-]?[0-9.]+ ?(%|\$|ticks?|points?|pts?)", re.IGNORECASE | re.ASCII)
MAX_LENGTH = 64
_MAX_NOTES = 500
_MAX_QTY = 1_000_000

_KINDS = "ENTRY|EXIT|STOP|SIMSTOP|TARGET"
ORDER_NAME = re.compile(rf"({_KINDS})[1-9][0-9]*")
LIKE_A_NAME = re.compile(rf"({_KINDS})[0-9]*")


def _id(value: str, info: ValidationInfo) -> str:
    # Ids end up in NinjaTrader's file names and ';' lines: this is the injection guard.
    return _limited(value, info, OUTSIDE_ID, "A-Z a-z 0-9 _ . : -")


def _label(value: str, info: ValidationInfo) -> str:
    return _limited(value, info, _OUTSIDE_LABEL, "printable ASCII characters other than ';' and '='")


def _limited(value: str, info: ValidationInfo, outside: re.Pattern[str], alphabet: str) -> str:
    forbidden = outside.search(value)
    if forbidden:
        raise InvalidValueError(
            f"{info.field_name} holds U+{ord(forbidden[0]):04X} at position {forbidden.start() + 1}; use {alphabet}.",
            field=info.field_name,
        )
    if len(value) > MAX_LENGTH:
        raise InvalidValueError(
            f"{info.field_name} has {len(value)} characters; at most {MAX_LENGTH} are accepted.", field=info.field_name
        )
    return value


def _notes(value: str, info: ValidationInfo) -> str:
    if len(value) > _MAX_NOTES:
        raise InvalidValueError(
            f"{info.field_name} has {len(value)} characters; at most {_MAX_NOTES} are accepted.", field=info.field_name
        )
    return value


def _new_order_id(value: str, info: ValidationInfo) -> str:
    value = _id(value, info)
    if LIKE_A_NAME.fullmatch(upper(value)):
        raise InvalidValueError(
            "order_id looks like an order name (ENTRY, EXIT, STOP, SIMSTOP, TARGET); choose another.",
            field=info.field_name,
        )
    return value


def _order_id_or_name(value: str, info: ValidationInfo) -> str:
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


def _price(value: str, info: ValidationInfo) -> Decimal | None:
    if _RELATIVE.fullmatch(value):
        raise UnsupportedValueError(
            f"{info.field_name} is relative to a quote, and there are no quotes here; give a price such as 5000.25.",
            field=info.field_name,
        )
    number = _decimal(value, info, "a price such as 5000.25")
    return number or None  # 0 is NinjaTrader's way to write "no price"


def _qty(value: str, info: ValidationInfo) -> int:
    number = _decimal(value, info, "a whole number from 1")
    if number != int(number) or not 1 <= number <= _MAX_QTY:
        raise InvalidValueError(
            f"{info.field_name} must be a whole number from 1 to {_MAX_QTY}.", field=info.field_name
        )
    return int(number)


def _new_qty(value: str, info: ValidationInfo) -> int | None:
    # NinjaTrader's CHANGE reads 0 as "leave it as it is".
    return None if _decimal(value, info, "a whole number") == 0 else _qty(value, info)


def _decimal(value: str, info: ValidationInfo, expected: str) -> Decimal:
    if not _DECIMAL.fullmatch(value):
        raise InvalidValueError(
            f"{info.field_name} must be {expected}: at most 12 digits before the point and 18 after it, no comma, no "
            "sign and no exponent.",
            field=info.field_name,
        )
    return Decimal(value)


def _up_to(maximum: int, unit: str) -> Callable[[str, ValidationInfo], int]:
    def check(value: str, info: ValidationInfo) -> int:
        expected = f"a whole number of {unit} from 1 to {maximum}"
        number = _decimal(value, info, expected)
        if number != int(number) or number > maximum:
            raise InvalidValueError(f"{info.field_name} must be {expected}; 0 means none.", field=info.field_name)
        return int(number)

    return check


def _one_of(*words: str) -> Callable[[str, ValidationInfo], str]:
    def check(value: str, info: ValidationInfo) -> str:
        if upper(value) not in words:
            hint = " (STOP is written STOPMARKET)" if upper(value) == "STOP" and "STOPMARKET" in words else ""
            raise InvalidValueError(f"{info.field_name} must be {' or '.join(words)}{hint}.", field=info.field_name)
        return upper(value)

    return check


def _boolean(yes: tuple[str, ...], no: tuple[str, ...]) -> Callable[[str, ValidationInfo], bool]:
    """Return a check that reads a word of either group; its error names the first of each."""

    def check(value: str, info: ValidationInfo) -> bool:
        if lower(value) not in yes + no:
            raise InvalidValueError(f"{info.field_name} must be {yes[0]} or {no[0]}.", field=info.field_name)
        return lower(value) in yes

    return check


Id = Annotated[str, BeforeValidator(_id)]
"""1 to 64 of A-Z a-z 0-9 _ . : -, kept as sent."""

Label = Annotated[str, BeforeValidator(_label)]
"""An account, an instrument or a template's name: 1 to 64 printable ASCII characters without ; and =, kept as sent."""

Notes = Annotated[str, BeforeValidator(_notes)]
"""A remark of at most 500 characters, kept as sent."""

NewOrderId = Annotated[str, BeforeValidator(_new_order_id)]
"""An Id that cannot be taken for an order name."""

OrderIdOrName = Annotated[str, BeforeValidator(_order_id_or_name)]
"""An Id, or an order name in capitals."""

Price = Annotated[Decimal | None, BeforeValidator(_price)]
"""An exact price above 0; 0 means none."""

Qty = Annotated[int, BeforeValidator(_qty)]
"""A whole number of contracts from 1."""

NewQty = Annotated[int | None, BeforeValidator(_new_qty)]
"""A whole number of contracts; 0 means unchanged."""

Seconds = Annotated[int, BeforeValidator(_up_to(60, "seconds"))]
"""A whole number of seconds, at most a minute; 0 means none."""

Minutes = Annotated[int, BeforeValidator(_up_to(60, "minutes"))]
"""A whole number of minutes, at most an hour; 0 means none."""

ActionWord = Annotated[str, BeforeValidator(_one_of("BUY", "SELL"))]
OrderTypeWord = Annotated[str, BeforeValidator(_one_of("MARKET", "LIMIT", "STOPMARKET", "STOPLIMIT"))]
TimeInForceWord = Annotated[str, BeforeValidator(_one_of("DAY", "GTC"))]

OnOff = Annotated[bool, BeforeValidator(_boolean(("on", "true"), ("off", "false")))]
YesNo = Annotated[bool, BeforeValidator(_boolean(("true", "yes"), ("false", "no")))]
