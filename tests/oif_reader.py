"""An independent reader of order instruction files: NinjaTrader's grammar as its help guide and published measurements
have it. Every line that a test ever writes may be held against it."""

import re
from typing import NamedTuple

FIELDS = (
    "command account instrument action quantity order_type limit_price stop_price tif oco_id order_id strategy "
    "strategy_id"
).split()

# R: required, O: optional; what a command does not name must be empty. The help guide's table, CANCEL to PLACE.
_GRAMMAR = {
    "CANCEL": {"order_id": "R", "strategy_id": "O"},
    "CHANGE": {"quantity": "O", "limit_price": "O", "stop_price": "O", "order_id": "R", "strategy_id": "O"},
    "CLOSEPOSITION": {"account": "R", "instrument": "R"},
    "CLOSESTRATEGY": {"strategy_id": "R"},
    "PLACE": {
        **dict.fromkeys(("account", "instrument", "action", "quantity", "order_type", "tif"), "R"),
        **dict.fromkeys(("limit_price", "stop_price", "oco_id", "strategy", "strategy_id"), "O"),
        # NinjaTrader makes an id of its own without one; an order of ours has to be found again.
        "order_id": "R",
    },
}
"""CANCELALLORDERS and FLATTENEVERYTHING reach every account, REVERSEPOSITION is two orders in one: none is written."""

_PRICE = r"0|[1-9]\d{0,9}|(?:0|[1-9]\d{0,9})\.\d{1,10}"
_FORMS = {
    "account": r"[^;\r\n]{1,50}",
    "instrument": r"[^;\r\n]{1,30}",
    "action": "BUY|SELL",
    "quantity": r"0|[1-9]\d{0,8}",
    "order_type": "MARKET|LIMIT|STOPMARKET|STOPLIMIT",
    "limit_price": _PRICE,
    "stop_price": _PRICE,
    "tif": "DAY|GTC",
    "oco_id": r"[a-z0-9]{1,60}",
    "order_id": r"[a-z0-9]{1,60}",
    "strategy": r"[^;\r\n]{1,64}",
    "strategy_id": r"[a-z0-9]{1,60}",
}
"""Ids become the names of files on Windows, where A and a are one and `:` is none: lower case and digits alone."""

_PRICES_OF = {
    "MARKET": (),
    "LIMIT": ("limit_price",),
    "STOPMARKET": ("stop_price",),
    "STOPLIMIT": ("limit_price", "stop_price"),
}


class Line(NamedTuple):
    """A line, by field."""

    command: str
    account: str
    instrument: str
    action: str
    quantity: str
    order_type: str
    limit_price: str
    stop_price: str
    tif: str
    oco_id: str
    order_id: str
    strategy: str
    strategy_id: str


def read_file(name: str, content: bytes) -> Line:
    """Return the one line of a file; AssertionError says what is wrong with it."""
    assert re.fullmatch(r"oif.*\.txt", name), name
    assert re.fullmatch(r'[^<>:"/\\|?*\x00-\x1f]+', name), f"{name} is not a name on Windows"
    assert not content.startswith(b"\xef\xbb\xbf"), "a byte order mark"
    assert content.endswith(b"\r\n"), content
    assert content.count(b"\n") == content.count(b"\r") == 1, content
    return read_line(content[:-2].decode("ascii"))


def read_line(text: str) -> Line:
    """Return a line by field; AssertionError says what is wrong with it."""
    assert text.isascii(), text
    assert text.isprintable(), text
    assert text.count(";") == len(FIELDS) - 1, f"{text.count(';') + 1} fields: {text}"
    line = Line(*text.split(";"))
    assert line.command in _GRAMMAR, line.command
    grammar = _GRAMMAR[line.command]
    for field, value in list(line._asdict().items())[1:]:
        if value:
            assert field in grammar, f"{line.command} has no {field}: {text}"
            assert re.fullmatch(_FORMS[field], value, re.ASCII), f"{field}={value}"
            assert value.strip() == value, f"{field}={value!r}"
        else:
            assert grammar.get(field) != "R", f"{line.command} needs {field}: {text}"
    if line.command == "PLACE":
        _check_order(line)
    return line


def _check_order(line: Line) -> None:
    assert int(line.quantity) > 0, line
    for field in ("limit_price", "stop_price"):
        has_price = float(getattr(line, field) or 0) > 0
        assert has_price == (field in _PRICES_OF[line.order_type]), line
