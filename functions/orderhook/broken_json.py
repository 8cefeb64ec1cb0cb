"""Read on in a JSON alert behind what is wrong with it, so that a person is told of all of it at once.

The webhook stops at the first fault. Here it is blanked out or put in quotes, which leaves every line and column what
it was.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from orderhook import flat_json, payload
from orderhook.errors import MalformedPayloadError, PayloadError
from orderhook.payload import Pair

_PLACEHOLDER = re.compile(r"\{\{[^{}\n]*\}\}")
_NEXT_MEMBER = re.compile(r',(?=\s*"(?:[^"\\\n]|\\.)*"\s*:)')
_NUMBERS = re.compile(
    r"\{\{(?:close|open|high|low|volume|plot_1?[0-9]|plot\(.*\)"
    r"|strategy\.(?:order\.(?:contracts|price)|position_size|(?:prev_)?market_position_size))\}\}"
)
"""The placeholders that TradingView replaces by a number, which goes without quotes."""

_FIRST_STAND_IN = 0xE000
"""Characters for private use stand for placeholders meanwhile, as many as those have."""


class Found(NamedTuple):
    """What can be read of a JSON alert: its pairs, its faults, and the names of the fields that cannot be read."""

    pairs: tuple[Pair, ...]
    faults: list[PayloadError]
    unreadable: set[str]


def read_on(text: str) -> Found:
    """Return everything that can be read; a number that TradingView fills in is no fault, a text without quotes is."""
    pairs: list[Pair] = []
    faults: list[PayloadError] = []
    unreadable: set[str] = set()
    placeholders: dict[str, str] = {}
    while True:
        split = payload.split(text.encode())
        fault = flat_json.read_object(text)[1]
        if fault is None or split.fault is None:
            break
        name = payload.canonical(fault.name or "")
        placeholder = next((it for it in _PLACEHOLDER.finditer(text) if it.start() <= fault.position < it.end()), None)
        if placeholder and fault.name is not None:
            stand_in, before = chr(_FIRST_STAND_IN + len(placeholders)), text[: placeholder.start()]
            placeholders[stand_in] = placeholder[0]
            stand_in *= len(placeholder[0])
            if before.rstrip().endswith(":"):  # else it is part of a text, and has quotes of its own
                stand_in = f'"{stand_in[2:]}"'
                if not _NUMBERS.fullmatch(placeholder[0]):
                    faults.append(_unquoted(split.fault, name, placeholder[0]))
            text = before + stand_in + text[placeholder.end() :]
            continue
        pairs += split.pairs
        faults.append(split.fault)
        unreadable.add(name)
        following = _NEXT_MEMBER.search(text, fault.position)
        if following is None:
            return Found(_with_placeholders(pairs, placeholders), faults, unreadable)
        text = re.sub(r"[^\n]", " ", text[: following.start()]) + "{" + text[following.end() :]
    pairs += split.pairs
    if split.fault:
        faults.append(split.fault)
    return Found(_with_placeholders(pairs, placeholders), faults, unreadable)


def _unquoted(fault: PayloadError, name: str, placeholder: str) -> PayloadError:
    """Return the fault of a placeholder without quotes: of one that TradingView fills in, what its text does there."""
    if not payload.is_filled_in(placeholder[2:-2]):
        return fault
    detail = f"{name} holds {placeholder} without quotes, and TradingView puts text there: write it in double quotes."
    return MalformedPayloadError(detail, field=name if name in payload.KNOWN_NAMES else None)


def _with_placeholders(pairs: list[Pair], placeholders: Mapping[str, str]) -> tuple[Pair, ...]:
    return tuple((name, _restored(value, placeholders) if isinstance(value, str) else value) for name, value in pairs)


def _restored(value: str, placeholders: Mapping[str, str]) -> str:
    for stand_in, placeholder in placeholders.items():
        value = re.sub(f"{stand_in}+", lambda _, it=placeholder: it, value)  # type: ignore[misc]
    return value
