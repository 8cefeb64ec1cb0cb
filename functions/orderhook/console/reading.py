"""Take an alert that was written elsewhere, or recorded, into a draft: without its key, with what is wrong put right.

Pure.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from orderhook import commands, hints, payload
from orderhook.console.drafts import Told, draft_of, holds_key
from orderhook.console.fields import KILL_SWITCH, places
from orderhook.errors import PayloadError
from orderhook.payload import Pair, canonical, lower, upper
from orderhook.store.alert_log import MASK

_NUMBERED = re.compile(r"(.*) \([0-9]+\)", re.DOTALL)
_LINE = re.compile(r"\bline ([0-9]+)", re.IGNORECASE)
_FILLED_IN_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
TAKEN_OUT = "(taken out)"


class Taken(NamedTuple):
    """What an alert says, as a form has it."""

    command: str
    values: Mapping[str, str]
    told: tuple[Told, ...]
    """What was put right, or could not be."""
    line: int | None = None
    """The line of a text that has the fault in its grammar."""
    text: str = ""
    """The text as it was given; empty where a key stood in it."""
    had_key: bool = False


def from_text(text: str) -> Taken:
    """Read a text, or JSON, as the webhook would; what is no field is told."""
    text = text.replace("\r\n", "\n")
    had_key = holds_key(text)
    split = payload.split(text.encode(errors="replace"))
    taken = from_pairs(split.pairs)
    told, line = list(taken.told), None
    if split.fault:
        found = _LINE.search(split.fault.detail)
        line = int(found[1]) if found else None
        told.insert(0, Told(split.fault.detail, None, "malformed_payload"))
    return taken._replace(told=tuple(told), line=line, text="" if had_key else text, had_key=had_key)


def from_record(fields: Mapping[str, str], command: str | None) -> Taken:
    """Read what the record of an alert has of it; a refused one may lack its command."""
    pairs = [(_NUMBERED.sub(r"\1", name), value) for name, value in fields.items()]
    if command in (*commands.COMMANDS, KILL_SWITCH) and not any(lower(name) == "command" for name, _ in pairs):
        pairs.insert(0, ("command", str(command)))
    taken = from_pairs(pairs)
    order_id = taken.values.get("order_id", "")
    if not _FILLED_IN_TIME.search(order_id) or any(
        it.name == "order_id" and it.required for it in places(taken.command)
    ):
        return taken
    told = Told("{{timenow}} stands where TradingView had put the time.", "order_id")
    return taken._replace(
        values={**taken.values, "order_id": _FILLED_IN_TIME.sub("{{timenow}}", order_id)}, told=(*taken.told, told)
    )


def from_pairs(pairs: Iterable[Pair]) -> Taken:
    """Read pairs: each field once, misspelt ones where they were probably meant, what cannot be a field told."""
    texts = [(name, value) for name, value in pairs if isinstance(value, str) and lower(name) != "key"]
    command, told = _command(texts)
    values: dict[str, str] = {}
    own = {it.name for it in places(command)}
    # Its own name goes before a misspelt one, wherever it stands.
    for name, value in sorted(texts, key=lambda pair: canonical(pair[0]) not in own):
        field = canonical(name)
        if field == "command" or (field not in own and hints.field(name[:64]) == "command"):
            continue
        meant = field if field in own else canonical(hints.field(name[:64]) or "")
        shown = TAKEN_OUT if holds_key(name) else name[:64]
        if holds_key(value) or value == MASK:
            told.append(Told(f"{shown}: a key stood here, and was taken out.", meant if meant in own else None))
        elif meant not in own:
            known = field in payload.KNOWN_NAMES
            why = f"{command} does not use it" if known else "there is no such field"
            told.append(Told(f"{shown}={value[:200]} was left out: {why}."))
        elif meant in values:
            told.append(Told(f"{shown}={value[:200]} was left out: {meant} is given twice.", meant))
        else:
            values[meant] = value
            if field != meant:
                told.append(Told(f"There is no field {shown}: it stands here as {meant}.", meant))
    return Taken(command, draft_of("strategy", command, values).values, tuple(told))


def _command(pairs: list[tuple[str, str]]) -> tuple[str, list[Told]]:
    """Return the command, or that which was probably meant; PLACE where nothing tells."""
    try:
        return commands.command_type(pairs).word, []
    except PayloadError as error:
        told = [Told(error.detail, "command")]
    words = [value for name, value in pairs if "command" in (lower(name), hints.field(name[:64]))]
    for word in map(upper, (it for it in words if it)):
        meant = word if word in commands.COMMANDS else commands.meant_command(word, pairs)
        if meant in commands.COMMANDS:
            return str(meant), told
    return "PLACE", told
