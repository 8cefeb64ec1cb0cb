"""The fields by which an alert says what must hold of a position before something is done.

The bridge asks it at that moment. A command has them by their types (`require_market_position: MarketSides = ()`), and
calls `check_position_fields`: without a venue nobody knows a position.
"""

from collections.abc import Mapping, Set
from decimal import Decimal
from typing import Annotated, get_args

from pydantic import BaseModel, BeforeValidator, ValidationInfo

from orderhook.commands.fields import MAX_QTY, Qty, is_off, one_of, read_decimal
from orderhook.conditions import MarketSide, OutOfSync
from orderhook.errors import InvalidValueError, UnsupportedValueError
from orderhook.payload import lower
from orderhook.venues import Venue

_SIDES: tuple[MarketSide, ...] = get_args(MarketSide)
_NEED_POSITION = ("flatten_first", "require_market_position", "max_positions", "sync_strategy")


def check_position_fields(command: BaseModel, venue: Venue) -> None:
    """Raise UnsupportedValueError, naming it, for a field of a command that is about a position, without a venue."""
    given = (name for name in _NEED_POSITION if getattr(command, name, None))
    if venue.name is None and (field := next(given, None)):
        raise UnsupportedValueError(
            f"{field} needs a position, which only a venue knows: take it out, or deploy with Venue=ninjatrader.",
            field=field,
        )


def required_off(given: Mapping[str, object]) -> Set[str]:
    """Return require_market_position where an alert switches it off, for `Command.idle`."""
    return {name for name in ("require_market_position",) if is_off(name, given.get(name))}


def _market_sides(value: str, info: ValidationInfo) -> tuple[MarketSide, ...]:
    words = [lower(word.strip()) for word in value.replace("/", ",").split(",")]
    if not all(word in _SIDES for word in words):
        raise InvalidValueError(
            f"{info.field_name} must be flat, long or short, or several of them such as flat/long.",
            field=info.field_name,
        )
    return tuple(side for side in _SIDES if side in words)


def _signed_qty(value: str, info: ValidationInfo) -> int:
    # TradingView's strategy.position_size is below 0 for a short.
    number = read_decimal(value.removeprefix("-"), info, "a whole number of contracts")
    if number != int(number) or number > MAX_QTY:
        raise InvalidValueError(
            f"{info.field_name} must be a whole number of contracts, at most {MAX_QTY}; below 0 is short.",
            field=info.field_name,
        )
    return -int(number) if value.startswith("-") else int(number)


def _part(value: str, info: ValidationInfo) -> Decimal:
    # CrossTrade, "Close Position": 0.5 is half of it.
    number = read_decimal(value, info, "a part of the position such as 0.5")
    if not 0 < number <= 1:
        raise InvalidValueError(
            f"{info.field_name} must be above 0 and at most 1: 0.5 is half of the position.", field=info.field_name
        )
    return number


MarketSides = Annotated[tuple[MarketSide, ...], BeforeValidator(_market_sides)]
"""The positions with which something may be done, each once: flat, long, short, separated by `,` or `/`."""

MarketSideWord = Annotated[MarketSide, BeforeValidator(one_of(*_SIDES, fold=lower))]
"""One of flat, long, short."""

OpenSideWord = Annotated[MarketSide, BeforeValidator(one_of("long", "short", fold=lower))]
"""The side of a position that is open."""

OutOfSyncWord = Annotated[OutOfSync, BeforeValidator(one_of(*get_args(OutOfSync), fold=lower))]

MaxPositions = Qty
"""How many instruments of the account may be open, from 1."""

SignedQty = Annotated[int, BeforeValidator(_signed_qty)]
"""A whole number of contracts; below 0 is short."""

Part = Annotated[Decimal, BeforeValidator(_part)]
"""A part of a position, above 0 and at most 1."""
