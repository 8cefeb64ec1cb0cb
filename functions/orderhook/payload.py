"""The grammar of an alert: bytes to pairs, pairs to fields.

Source of the language: CrossTrade's webhook documentation, and what people paste from it.
"""

import json
import re
import string
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from orderhook.errors import (
    DuplicateFieldError,
    InvalidValueError,
    MalformedPayloadError,
    PayloadTooLargeError,
    UnknownFieldError,
    UnresolvedPlaceholderError,
)

MAX_BYTES = 8 * 1024
MAX_FIELDS = 64

KNOWN_NAMES = frozenset(
    "key command account instrument action qty quantity percent order_type limit_price stop_price tif oco_id order_id "
    "strategy atm_strategy strategy_id take_profit stop_loss stop_loss_limit stop_loss_stop append_atm flatten_first "
    "require_market_position max_positions max_position market_position prev_market_position sync_strategy out_of_sync "
    "cancel_after start_time end_time closing_only_after bypass_trade_windows delay rate_limit id kill_switch notes "
    "destination".split()
)

SYNONYMS = {"quantity": "qty", "atm_strategy": "strategy", "max_position": "max_positions"}
"""Names that mean the same field as another."""

FORMS = "The body must be UTF-8 text: name=value pairs, each ended by ';' or a new line, or one flat JSON object."
"""All that a sender without a key is told about a malformed body."""

_NAME_BEFORE_EQUALS = re.compile(r"([A-Za-z_]{1,32})\s*=")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)

Pair = tuple[str, str | None]
"""A name as sent and its trimmed value; None stands for a nested JSON value."""


class Split(NamedTuple):
    """A body taken apart: its pairs in order, and what kept the rest from being pairs, if anything."""

    pairs: tuple[Pair, ...]
    fault: str | None


def lower(text: str) -> str:
    """Lower ASCII letters and no others: to str.lower the Kelvin sign is a k."""
    return text.translate(_LOWER)


def upper(text: str) -> str:
    """Return the text with its ASCII letters, and no others, in upper case."""
    return text.translate(_UPPER)


def split(body: bytes) -> Split:
    """Take a body apart, without judging names or values.

    Raises PayloadTooLargeError and MalformedPayloadError. A piece that is no pair is reported in `fault` beside the
    pairs found, so that its sender can be authenticated before being told.
    """
    if len(body) > MAX_BYTES:
        raise PayloadTooLargeError(f"The body has {len(body)} bytes; at most {MAX_BYTES} are accepted.")
    try:
        text = body.decode("utf-8-sig")
        stripped = text.strip()
        split = _split_json(stripped) if stripped.startswith("{") else _split_text(text)
        # Only JSON escapes can smuggle in what the decoder lets nobody send: a lone surrogate.
        everything = "".join(name + (value or "") for name, value in split.pairs).encode()
    except (ValueError, RecursionError):
        raise MalformedPayloadError(FORMS) from None
    if "\0" in text or b"\0" in everything:
        raise MalformedPayloadError(FORMS)
    if len(split.pairs) > MAX_FIELDS:
        return Split(split.pairs, f"There are {len(split.pairs)} fields; at most {MAX_FIELDS} are accepted.")
    return split


def _split_text(text: str) -> Split:
    pairs: list[Pair] = []
    fault = None
    for number, line in enumerate(text.split("\n"), 1):
        for piece in map(str.strip, line.split(";")):
            if not piece or piece.startswith("//") or _is_remark(piece):
                continue
            name, equals, value = (part.strip() for part in piece.partition("="))
            if name and equals:
                pairs.append((name, value))
            elif fault is None:
                missing = "a name" if equals else "'='"
                fault = f"Line {number} has a piece without {missing}. {FORMS}"
    return Split(tuple(pairs), fault)


def _is_remark(piece: str) -> bool:
    """Return whether the piece's first parenthesis is closed by its last character, and not before."""
    if piece[-1] != ")":
        return False
    depth = 0
    for character in piece[:-1]:
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return False
    return depth == 1


def _split_json(text: str) -> Split:
    # Numbers stay the text they were: a price never passes through a float. An object arrives as a list of pairs, so
    # that a name written twice is seen; a list among the values is therefore an object or an array.
    members = json.loads(text, object_pairs_hook=list, parse_float=str, parse_int=str, parse_constant=_no_number)
    pairs = tuple((name.strip(), _json_value(value)) for name, value in members)
    return Split(pairs, None if all(name for name, _ in pairs) else f"A field has no name. {FORMS}")


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _json_value(value: str | bool | list[object] | None) -> str | None:
    if value is None:
        return ""
    if isinstance(value, list):
        return None
    return value.strip() if isinstance(value, str) else str(value).lower()


def take_keys(pairs: Iterable[Pair]) -> tuple[list[str], list[Pair]]:
    """Separate the values of `key` from all other pairs. This is the first step: what comes after sees no secret."""
    secrets: list[str] = []
    others: list[Pair] = []
    for name, value in pairs:
        if lower(name) != "key":
            others.append((name, value))
        elif value != "":
            secrets.append(value or "")  # a nested one is no key, but it is there
    return secrets, others


def parse_fields(pairs: Iterable[Pair]) -> dict[str, str]:
    """Check every pair as far as it concerns all commands, and return the fields that have a value, in order.

    Raises as parse_field does, for the first bad pair.
    """
    fields: dict[str, str] = {}
    for pair in pairs:
        fields |= parse_field(pair, fields)
    return fields


def parse_field(pair: Pair, before: Mapping[str, str]) -> dict[str, str]:
    """Return the one field that a pair adds to those `before` it, or none where its value is empty.

    Raises UnknownFieldError, DuplicateFieldError, UnresolvedPlaceholderError and InvalidValueError. A value is never
    quoted in them: it may be a secret in the wrong place.
    """
    sent_name, value = pair
    name = lower(sent_name)
    if value == "":
        return {}
    if name not in KNOWN_NAMES:
        raise UnknownFieldError(_unknown_name(sent_name, name), field=ascii(sent_name[:64])[1:-1])
    name = SYNONYMS.get(name, name)
    if name in before:
        raise DuplicateFieldError(f"{name} is given twice; send one alert per command, each field once.", field=name)
    if value is None:
        raise InvalidValueError(f"{name} must be a string, a number, true, false or null.", field=name)
    if "{{" in value:
        raise UnresolvedPlaceholderError(
            f"{name} still holds a {{{{placeholder}}}}: TradingView did not replace it. Use one that it knows.",
            field=name,
        )
    if "=" in value:
        raise InvalidValueError(_missing_semicolon(name, value), field=name)
    return {name: value}


def _unknown_name(sent_name: str, name: str) -> str:
    nearest = get_close_matches(name[:64], KNOWN_NAMES, n=1)
    way_out = f"did you mean {nearest[0]}?" if nearest else "take it out, or see docs/commands.md."
    return f"There is no field {sent_name[:64]!a}: {way_out}"


def _missing_semicolon(name: str, value: str) -> str:
    # Mostly the end of the field before was forgotten.
    following = _NAME_BEFORE_EQUALS.search(value)
    if following and lower(following[1]) in KNOWN_NAMES:
        return f"missing ';' before {following[1]}?"
    return f"{name} cannot hold '='; is a ';' missing before it?"
