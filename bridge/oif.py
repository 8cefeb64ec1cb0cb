"""NinjaTrader's order instruction files (OIF): their lines and names, and the ids of orders at the venue.

A line has exactly 13 fields; what a command does not use is empty. Source: NinjaTrader 8's help guide, "Order
Instruction Files (OIF)" and "Commands and Valid Parameters".
"""

import re
from base64 import b32encode
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from bridge.records import VenueOrder
from orderhook.orders import decimal_text

FIELDS = (
    "command account instrument action qty order_type limit_price stop_price tif oco_id order_id strategy strategy_id"
).split()

_NAME = re.compile(r"oif_oh_(oh[a-z2-7]{16})(?:_([crps])[0-9]+)?\.txt")

Purpose = Literal["place", "change", "cancel", "close", "strategy"]

_PURPOSES: dict[str | None, Purpose] = {None: "place", "c": "cancel", "r": "change", "p": "close", "s": "strategy"}


def venue_id(*parts: str | int) -> str:
    """Return the venue's id of what these name: the same parts always have the same id.

    NinjaTrader puts an id into the name of a file, and Windows' names have no case and no colon.
    """
    digest = sha256("\n".join(map(str, parts)).encode()).digest()
    return "oh" + b32encode(digest[:10]).decode().lower()


def file_name(venue_id: str, purpose: Purpose = "place", number: int = 1) -> str:
    """Return the name of an instruction's file; `number` tells an order's cancels, and its changes, apart.

    A CLOSEPOSITION has no order: its id is that of the close. That of a CLOSESTRATEGY is its ATM strategy's.
    """
    letter = next(letter for letter, it in _PURPOSES.items() if it == purpose)
    return f"oif_oh_{venue_id}_{letter}{number}.txt" if letter else f"oif_oh_{venue_id}.txt"


def read_file_name(name: str) -> tuple[str, Purpose] | None:
    """Return the venue's id and the purpose that a file's name tells; None where it is not one of ours."""
    match = _NAME.fullmatch(name)
    return (match[1], _PURPOSES[match[2]]) if match else None


def place(order: VenueOrder) -> str:
    """Return the line, without its end, that places an order; with a template it starts an ATM strategy of its id.

    Raises ValueError for less than one contract.
    """
    if order.qty < 1:
        raise ValueError(f"an order of {order.qty} contracts cannot be placed")
    return _line(
        "PLACE",
        order.account,
        order.instrument,
        order.action,
        str(order.qty),
        order.order_type,
        _price(order.limit_price),
        _price(order.stop_price),
        order.tif,
        order.oco_id or "",
        order.venue_id,
        order.atm_template or "",
        order.atm_strategy_id or "",
    )


def change(order_id: str, *, qty: int, limit_price: Decimal | None = None, stop_price: Decimal | None = None) -> str:
    """Return the line that gives an order another quantity or other prices; 0 leaves one as it is."""
    prices = (_price(limit_price) or "0", _price(stop_price) or "0")
    return _line("CHANGE", "", "", "", str(qty), "", *prices, "", "", order_id)


def cancel(order_id: str) -> str:
    """Return the line that cancels an order."""
    return _line("CANCEL", *[""] * 9, order_id)


def close_position(account: str, instrument: str) -> str:
    """Return the line that has NinjaTrader cancel what works of a pair, and close its position, whatever its size."""
    return _line("CLOSEPOSITION", account, instrument)


def close_strategy(strategy_id: str) -> str:
    """Return the line that has NinjaTrader close an ATM strategy of its own, with its orders and what it holds."""
    return _line("CLOSESTRATEGY", *[""] * 11, strategy_id)


def _price(price: Decimal | None) -> str:
    return "" if price is None else decimal_text(price)


def _line(*values: str) -> str:
    line = ";".join([*values, *[""] * (len(FIELDS) - len(values))])
    if line.count(";") != len(FIELDS) - 1 or not line.isascii() or not line.isprintable():
        raise ValueError(f"a value does not fit into the line {line!r}")
    return line
