"""A flat JSON object, read member by member: numbers stay the text they were, and a fault says where it is.

The standard library's reader gives all or nothing, and its words change from version to version; here the members
before a fault are known, the key among them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NamedTuple


class NoText(Enum):
    """What a JSON member can be besides text, a number, true and false."""

    NULL = "null"
    NESTED = "(nested)"


Member = tuple[str, str | NoText]


class Fault(NamedTuple):
    """Where a text stops being a flat JSON object, what was expected there, and the member that was being read."""

    position: int
    expected: str
    name: str | None


_BLANKS = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS: Mapping[str, str | NoText] = {"true": "true", "false": "false", "null": NoText.NULL}
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
# Numbers stay text here too: Python refuses to make one of 5000 digits.
_NESTED = json.JSONDecoder(parse_int=str, parse_float=str)


class _NotJsonError(Exception):
    def __init__(self, position: int, expected: str, name: str | None = None) -> None:
        super().__init__(expected)
        self.fault = Fault(position, expected, name)


def read_object(text: str) -> tuple[list[Member], Fault | None]:
    """Return the members in their order, up to the fault if there is one; names and texts come trimmed."""
    members: list[Member] = []
    try:
        for member in _members(text):
            members.append(member)  # noqa: PERF402  what came before a fault is kept
    except _NotJsonError as stop:
        return members, stop.fault
    return members, None


def _members(text: str) -> Iterator[Member]:
    position = len(text) - len(text.lstrip())
    position = _after(text, position, "{", "'{'")
    if text.startswith("}", position):
        position += 1
    else:
        more = True
        while more:
            name, position = _string(text, position, "a name in double quotes")
            position = _after(text, _skip(text, position), ":", "':' after the name", name)
            value, position = _value(text, position, name)
            yield name, value
            position = _skip(text, position)
            more = text.startswith(",", position)
            position = _after(text, position, "," if more else "}", "',' or '}'", name)
            if more and text.startswith("}", position):
                raise _NotJsonError(position, "another name after ','")
    if rest := text[position:].lstrip():
        raise _NotJsonError(len(text) - len(rest), "nothing after the closing '}'")


def _after(text: str, position: int, mark: str, expected: str, name: str | None = None) -> int:
    """Return where the text goes on after a mark and the blanks behind it."""
    if not text.startswith(mark, position):
        raise _NotJsonError(position, expected, name)
    return _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


def _string(text: str, position: int, expected: str, name: str | None = None) -> tuple[str, int]:
    match = _STRING.match(text, position)
    if match is None:
        raise _NotJsonError(position, expected, name)
    if not text.startswith('"', match.end()):
        raise _NotJsonError(match.end(), _ending_expected(text, match.end()), name)
    string: str = json.loads(text[position : match.end() + 1])
    if _NO_TEXT.search(string):
        raise _NotJsonError(position, "text without U+0000 and without half characters", name)
    string = string.strip()
    if name is None and not string:
        raise _NotJsonError(position, expected)
    return string, match.end() + 1


def _ending_expected(text: str, position: int) -> str:
    if text.startswith("\\", position):
        return "a JSON escape such as \\n or \\u00e9 after '\\'"
    return "a closing '\"' before the line ends" if position < len(text) else "a closing '\"'"


def _value(text: str, position: int, name: str) -> tuple[str | NoText, int]:
    if text.startswith('"', position):
        return _string(text, position, "a string", name)
    if text.startswith(("{", "["), position):
        return NoText.NESTED, _after_nested(text, position, name)
    for word, value in _WORDS.items():
        if text.startswith(word, position):
            return value, position + len(word)
    number = _NUMBER.match(text, position)
    if number is None:
        raise _NotJsonError(position, "a value: text in double quotes, a number, true, false or null", name)
    return number[0], number.end()


def _after_nested(text: str, position: int, name: str) -> int:
    expected = "one value: text in double quotes, a number, true, false or null"
    try:
        return _NESTED.raw_decode(text, position)[1]
    except json.JSONDecodeError as fault:
        raise _NotJsonError(fault.pos, expected, name) from None
    except RecursionError:
        raise _NotJsonError(position, expected, name) from None
