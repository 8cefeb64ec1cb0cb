"""NinjaTrader's log: what it says of our orders, best effort. It may be translated, and is never the sole proof.

A line is `time|level|category|text`. NinjaTrader names our id in the line of an instruction only; the lines of an order
have its own id for it. The two are matched by what the instruction asked for.
"""

import re
from collections import OrderedDict
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from bridge.events import LogLine
from bridge.outgoing import venue_id_of

_T = TypeVar("_T")

_INFORMATION = "1"
_INSTRUCTION = re.compile(r"OIF, '(?P<line>[^']*)'(?P<rest>.*)")
_ORDER = re.compile(r"Order='(?P<order>[^']*?)/(?P<account>[^']*)'")
_PAIR = re.compile(r"([A-Z][a-z ]*)=(?:'([^']*)'|(\S*))")
_OWN_FILE = re.compile(r"oif_oh_\S*?(?P<id>oh[a-z2-7]{8,})", re.IGNORECASE)
_REFUSALS = re.compile(
    r"invalid|unknown|does not exist|unable|reject|fail|not found|can(?:no|')t|already|error", re.IGNORECASE
)
_KEPT = 2000
"""How many orders and instructions are remembered."""


class LogReader:
    """Reads lines in their order, and remembers which order of NinjaTrader's is which of ours."""

    def __init__(self) -> None:
        self._asked: OrderedDict[str, list[str]] = OrderedDict()
        self._ids: OrderedDict[str, str] = OrderedDict()

    def read(self, line: str) -> LogLine | None:
        """Return what a line says of an order or a file of ours; None if it is about something else."""
        _, _, rest = line.partition("|")
        level, _, rest = rest.partition("|")
        _, _, text = rest.partition("|")
        if instruction := _INSTRUCTION.match(text):
            return self._of_instruction(level, text, instruction)
        if order := _ORDER.match(text):
            return self._of_order(level, text, order)
        if file := _OWN_FILE.search(text):
            return LogLine(file["id"].lower(), text, level != _INFORMATION or bool(_REFUSALS.search(text)))
        return None

    def _of_instruction(self, level: str, text: str, found: re.Match[str]) -> LogLine | None:
        fields = found["line"].split(";")
        ids = [fields[10]] if len(fields) == 13 else fields
        venue_id = next(filter(None, map(venue_id_of, ids)), None)
        if venue_id is None:
            return None
        is_error = level != _INFORMATION or bool(_REFUSALS.search(found["rest"]))
        if not is_error and fields[0] == "PLACE" and len(fields) == 13:
            _remember(self._asked, venue_id, fields)
        return LogLine(venue_id, text, is_error)

    def _of_order(self, level: str, text: str, found: re.Match[str]) -> LogLine | None:
        order, values = found["order"], {name: quoted or plain for name, quoted, plain in _PAIR.findall(text)}
        venue_id = self._ids.get(order)
        if venue_id is None:
            asked = (each for each, fields in self._asked.items() if _is_of(found["account"], values, fields))
            venue_id = next(asked, None)
            if venue_id is None:
                return None
            del self._asked[venue_id]
            _remember(self._ids, order, venue_id)
        failed = values.get("New state") == "Rejected" or values.get("Error", "No error") != "No error"
        return LogLine(venue_id, text, failed or level != _INFORMATION)


def words_of(text: str) -> str:
    """Return what a line says without the instruction that it repeats, of which the command alone stays."""
    found = _INSTRUCTION.match(text)
    return f"{found['line'].partition(';')[0]}: {found['rest'].strip()}" if found else text


def _is_of(account: str, values: dict[str, str], fields: list[str]) -> bool:
    """Return whether the order that has these values is the one that these fields placed."""
    _, asked_account, _, action, quantity, _, limit, stop, _, oco, *_ = fields
    return (
        account.casefold() == asked_account.casefold()
        and values.get("Action", "").split(" ")[0].upper() == action
        and values.get("Oco", "") == oco
        and all(
            _number(values.get(name, "")) == _number(asked)
            for name, asked in (("Quantity", quantity), ("Limit price", limit), ("Stop price", stop))
        )
    )


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", ".") or 0)
    except InvalidOperation:
        return None


def _remember(kept: "OrderedDict[str, _T]", key: str, value: _T) -> None:
    kept[key] = value
    if len(kept) > _KEPT:
        kept.popitem(last=False)
