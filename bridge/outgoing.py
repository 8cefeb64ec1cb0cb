"""What NinjaTrader's update files say: the states of orders, positions, connections. Names and bytes to events.

Where its help guide and what was measured differ, both are read.
"""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from bridge.contracts import canonical
from bridge.events import OrderStateRead, PositionRead
from orderhook.bridge_messages import Side

_STATE_NAME = re.compile(r"(?:(?P<account>.+)_)?(?P<id>oh[a-z2-7]{8,})\.txt", re.IGNORECASE)
"""`<Account>_<id>.txt` as measured, `<id>.txt` as documented. An account may have blanks and underscores."""

_POSITION_ENDING = "_position.txt"
_SIDES: dict[str, Side] = {"LONG": "LONG", "SHORT": "SHORT", "FLAT": "FLAT"}
_CONNECTION_STATES = {"CONNECTED": True, "DISCONNECTED": False}


def venue_id_of(text: str) -> str | None:
    """Return the id of ours that the text is, in lower case: Windows may have changed its case."""
    return text.lower() if re.fullmatch(r"oh[a-z2-7]{8,}", text, re.IGNORECASE) else None


def is_of_own_order(name: str) -> bool:
    """Return whether a file is the state file of an order of ours, by its name."""
    return _STATE_NAME.fullmatch(name) is not None


def order_state(name: str, content: bytes, accounts: Sequence[str]) -> OrderStateRead | None:
    """Return what the state file of an order of ours says; None if it is another file, or not written yet."""
    named = _STATE_NAME.fullmatch(name)
    fields = _fields(content)
    if named is None or len(fields) != 3:
        return None
    state, filled, average = fields[0].replace(" ", "").upper(), _whole(fields[1]), _price(fields[2])
    if not re.fullmatch("[A-Z]+", state) or filled is None or (filled and average is None):
        return None
    return OrderStateRead(
        venue_id=named["id"].lower(),
        account=_as_configured(named["account"], accounts),
        state=state,
        filled=filled,
        average=average if filled else None,
    )


def is_position(name: str) -> bool:
    """Return whether a file is one of a position, by its name."""
    return name.casefold().endswith(_POSITION_ENDING)


def position(name: str, content: bytes, accounts: Sequence[str], today: date) -> PositionRead | None:
    """Return what the position file of a configured account says, under the contract's canonical name."""
    stem = name[: -len(_POSITION_ENDING)] if is_position(name) else ""
    account = max((each for each in accounts if _ends(stem, each)), key=len, default=None)
    fields = _fields(content)
    if account is None or len(fields) != 3:
        return None
    side, quantity, average = _SIDES.get(fields[0].upper()), _whole(fields[1]), _price(fields[2])
    if side is None or quantity is None or (side == "FLAT") != (quantity == 0):
        return None
    instrument = _without_exchange(stem[: -len(account) - 1], today)
    return PositionRead(account, instrument, side, quantity, average if quantity else None)


def is_connected(content: bytes) -> bool | None:
    """Return what the file of a connection says; None if it is another file."""
    return _CONNECTION_STATES.get(_text(content).upper())


def _ends(stem: str, account: str) -> bool:
    return stem.casefold().endswith(f"_{account}".casefold())


def _without_exchange(name: str, today: date) -> str:
    """Return the canonical name of `<instrument> <exchange>`; a file without an exchange is read too."""
    without = name.rpartition(" ")[0]
    for text in (without, name):
        contract = canonical(text, today)
        if re.fullmatch(r"\S+ \d\d-\d\d", contract):
            return contract
    return without or name


def _as_configured(account: str | None, accounts: Sequence[str]) -> str | None:
    folded = account.casefold() if account else None
    return next((each for each in accounts if each.casefold() == folded), account)


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", errors="replace").strip()


def _fields(content: bytes) -> list[str]:
    lines = _text(content).splitlines()
    return [field.strip() for field in lines[-1].split(";")] if lines else []


def _whole(text: str) -> int | None:
    number = _price(text)
    return int(number) if number is not None and number == number.to_integral_value() and number >= 0 else None


def _price(text: str) -> Decimal | None:
    """Return a number; a comma in it is a decimal one, as some countries' Windows writes them."""
    if not re.fullmatch(r"-?\d{1,15}(?:[.,]\d{1,30})?(?:E[+-]?\d{1,2})?", text, re.IGNORECASE | re.ASCII):
        return None
    try:
        return Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
