"""What an alert's value can be once TradingView has filled it in, as far as that is known beforehand."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from orderhook.errors import InvalidValueError, PayloadError, UnknownCommandError, UnresolvedPlaceholderError
from orderhook.orders import Action, OrderType, TimeInForce
from orderhook.payload import is_filled_in, placeholders
from orderhook.relative_prices import read_relative

_PLACEHOLDER = r"\{\{[^{}\n]*\}\}"
_BEYOND_A_NUMBER = re.compile(r"[^0-9.]")

_A_NUMBER = re.compile(
    r"close|open|high|low|volume|plot_1?[0-9]|plot\(.*\)|strategy\.order\.(contracts|price)|strategy\.position_size"
    r"|strategy\.(prev_)?market_position_size"
)
_NO_NUMBER = re.compile(r"ticker|exchange|time|timenow|strategy\.order\.action|strategy\.(prev_)?market_position")
"""The rest, such as the comment of an order, may be either."""

PRICE_FIELDS = (
    "limit_price", "stop_price", "take_profit", "stop_loss", "stop_loss_limit", "stop_loss_stop", "reference_price",
)  # fmt: skip

_NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "qty": "a whole number from 1",
        "percent": "a part of the position such as 0.5",
        "max_positions": "a whole number from 1",
        "delay": "a number of seconds",
        "cancel_after": "a number of minutes",
        **dict.fromkeys(PRICE_FIELDS, "a price such as 5000.25"),
    }
)
_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"action": get_args(Action), "order_type": get_args(OrderType), "tif": get_args(TimeInForce)}
)


def goes_when_filled_in(fault: PayloadError | None, text: str) -> bool:
    """Return whether TradingView will put something in place of what is wrong with a text."""
    found = placeholders(text)
    return isinstance(fault, UnresolvedPlaceholderError) and bool(found) and all(map(is_filled_in, found))


def never_right(field: str, value: str) -> InvalidValueError | None:
    """Return the refusal that a value with placeholders will meet whatever they become; None where it may be right."""
    found = placeholders(value)
    around = re.sub(_PLACEHOLDER, "", value)
    if field in PRICE_FIELDS and as_distance(value):
        around = ""  # -{{plot_0}} ticks
    if expected := _NUMBERS.get(field):
        return _no_number(field, expected, found, around)
    if words := _WORDS.get(field):
        return _no_word(field, words, found, around)
    if field == "instrument" and not around and all(map(_A_NUMBER.fullmatch, found)):
        return InvalidValueError(
            f"{field} must be a contract such as ES 12-26, and {_shown(found)} is a number.", field=field
        )
    return None


def as_distance(value: str) -> str | None:
    """Return a value as a distance such as -10 ticks, with 10 for its placeholder; None where it cannot be one."""
    text = re.sub(_PLACEHOLDER, "10", value)
    return text if len(placeholders(value)) == 1 and read_relative(text) else None


def never_a_command(value: str) -> UnknownCommandError | None:
    """Return the refusal of a command that is none, whatever its placeholders become; None where it may be one."""
    found = placeholders(value)
    around = re.sub(_PLACEHOLDER, "", value)
    if any(map(_A_NUMBER.fullmatch, found)) or (not around and any(map(_NO_NUMBER.fullmatch, found))):
        return UnknownCommandError(
            f"command must be a word such as CANCEL, which {_shown(found)} never is; write the command itself.",
            field="command",
        )
    return None


def _no_number(field: str, expected: str, found: list[str], around: str) -> InvalidValueError | None:
    if text := next(filter(_NO_NUMBER.fullmatch, found), None):
        return InvalidValueError(f"{field} must be {expected}, and {_shown([text])} is none.", field=field)
    if _BEYOND_A_NUMBER.search(around) or around.count(".") > 1:
        return InvalidValueError(
            f"{field} must be {expected}: nothing calculates, so what stands around {_shown(found)} stays there when "
            "TradingView fills it in. Have the script calculate and plot it, and write {{plot_0}}.",
            field=field,
        )
    return None


def _no_word(field: str, words: tuple[str, ...], found: list[str], around: str) -> InvalidValueError | None:
    is_action = field == "action" and found == ["strategy.order.action"] and not around
    is_open = not any(_A_NUMBER.fullmatch(name) or _NO_NUMBER.fullmatch(name) for name in found)
    if is_action or is_open:
        return None
    more = " with what stands around it" if around else ""
    return InvalidValueError(
        f"{field} must be {' or '.join(words)}, which {_shown(found)}{more} never is.", field=field
    )


def _shown(found: list[str]) -> str:
    return " and ".join(f"{{{{{name}}}}}" for name in dict.fromkeys(found))
