"""How the stand-in reads an instruction, and the words in which it refuses one: NinjaTrader's, as its log has them."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

_FIELDS = 13
"""M: a line of 12 or 14 is refused."""

_COMMANDS = frozenset("CANCEL CANCELALLORDERS CHANGE CLOSEPOSITION CLOSESTRATEGY FLATTENEVERYTHING PLACE".split())
"""D; REVERSEPOSITION, which NinjaTrader has besides, is not imitated."""
_ACTIONS = frozenset({"BUY", "SELL"})
_ORDER_TYPES = frozenset({"MARKET", "LIMIT", "STOPMARKET", "STOPLIMIT"})
"""M: not STOP, whatever the help guide says."""
_TIFS = frozenset({"DAY", "GTC"})


class RefusedError(Exception):
    """A line that is not understood: M, it leaves a line in the log and no file."""


class Instruction(NamedTuple):
    """A line, field by field."""

    command: str
    account: str
    instrument: str
    action: str
    quantity: int
    order_type: str
    limit: Decimal
    stop: Decimal
    tif: str
    oco: str
    order_id: str
    strategy: str
    strategy_id: str


def parse(line: str, accounts: Sequence[str], contract: Callable[[str], str | None]) -> Instruction:
    """Return what a line asks for, with the contract's canonical name; raises RefusedError with the log's words."""
    fields = line.split(";")
    if len(fields) != _FIELDS:
        raise RefusedError(f"has invalid # of parameters, should be {_FIELDS} but is {len(fields)}")  # M
    command, account, instrument, action, quantity, order_type, limit, stop, tif, oco, order_id, *strategy = fields
    _one_of(_COMMANDS, command, "command")
    asked = command in ("PLACE", "CLOSEPOSITION")
    if asked and account not in accounts:
        raise RefusedError(f"holds unknown account '{account}'")  # I
    known = contract(instrument) if asked else ""
    if known is None:
        raise RefusedError(f"holds unknown instrument '{instrument}'")  # M
    if command == "PLACE":
        _one_of(_ACTIONS, action, "action")
        _one_of(_ORDER_TYPES, order_type, "order type")
        _one_of(_TIFS, tif, "time in force")
    size = int(_number(quantity or "0", "quantity", whole=True))
    if command == "PLACE" and size == 0:
        raise RefusedError("holds invalid quantity parameter '0'")  # I
    return Instruction(
        command,
        account,
        known,
        action,
        size,
        order_type,
        _number(limit or "0", "limit price"),
        _number(stop or "0", "stop price"),
        tif,
        oco,
        order_id,
        *strategy,
    )


def _one_of(values: frozenset[str], value: str, what: str) -> None:
    if value not in values:
        raise RefusedError(f"holds invalid {what} parameter '{value}'")  # M for the order type, I for the others


def _number(text: str, what: str, *, whole: bool = False) -> Decimal:
    """D: a price is written with a decimal point."""
    if not re.fullmatch(r"\d+" if whole else r"\d+(\.\d+)?", text, re.ASCII):
        raise RefusedError(f"holds invalid {what} parameter '{text}'")
    return Decimal(text)
