"""The commands: which there are, and how the fields of an alert become one of them.

A new command is a new module here and an entry in _CLASSES.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module

from orderhook.commands.command import Command
from orderhook.errors import (
    InvalidValueError,
    MissingFieldError,
    UnknownCommandError,
    UnsupportedCommandError,
    UnsupportedValueError,
)
from orderhook.payload import lower, upper

__all__ = ["COMMANDS", "KILL_SWITCH", "NOT_YET", "SCOPES", "Command", "load", "read", "recognise"]

_CLASSES = {
    "CANCEL": "cancel.Cancel",
    "PLACE": "place.Place",
    "CANCELORDERS": "cancel_orders.CancelOrders",
    "CANCELALLORDERS": "cancel_orders.CancelAllOrders",
    "CANCELREPLACE": "cancel_replace.CancelReplace",
    "CHANGE": "change.Change",
    "CLOSESTRATEGY": "close_strategy.CloseStrategy",
}


class _Commands(Mapping[str, type[Command]]):
    def __getitem__(self, word: str) -> type[Command]:
        return _imported(_CLASSES[word])

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


@cache
def _imported(path: str) -> type[Command]:
    module, _, name = path.partition(".")
    found: type[Command] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


COMMANDS: Mapping[str, type[Command]] = _Commands()
"""Every command by its word. Its module is imported when it is first asked for, so that no cold start imports all."""


def load(words: Iterable[str]) -> None:
    """Import these commands now."""
    for word in words:
        COMMANDS[word]


KILL_SWITCH = "KILLSWITCH"
"""What an alert without a command gives that turns the kill switch."""

SCOPES = (*COMMANDS, KILL_SWITCH)
"""What a key may be limited to: the commands, and the kill switch, which an alert turns without a command."""

NOT_YET = frozenset("CLOSEPOSITION FLATTEN FLATTENEVERYTHING FLATPLACE REVERSE REVERSEPOSITION".split())
"""Commands of the language that act on positions, which only a venue knows."""


def recognise(fields: Mapping[str, str]) -> type[Command]:
    """Return the command that the alert gives; raises MissingField-, UnknownCommand- or UnsupportedCommandError."""
    if "command" not in fields:
        if "kill_switch" in fields:
            return _imported("kill_switch.KillSwitch")
        raise MissingFieldError(f"There is no command: add command=... ({', '.join(COMMANDS)}).", field="command")
    word = upper(fields["command"])
    if word in NOT_YET:
        raise UnsupportedCommandError(f"{word} is not available yet; there are {', '.join(COMMANDS)}.", field="command")
    if word not in _CLASSES:
        nearest = _nearest(word[:64])
        way_out = f"did you mean {nearest}?" if nearest else f"there are {', '.join(COMMANDS)}."
        raise UnknownCommandError(f"There is no command {fields['command'][:64]!a}: {way_out}", field="command")
    return COMMANDS[word]


def _nearest(word: str) -> str | None:
    """Return the command that a word resembles, or else begins with: CrossTrade's page is called "Place Order"."""
    from difflib import get_close_matches  # only who mistypes waits for it

    close = get_close_matches(word, [*COMMANDS, *NOT_YET], n=1, cutoff=0.8)
    begun = [known for known in (*COMMANDS, *NOT_YET) if word.startswith(known)]
    return close[0] if close else max(begun, default=None)  # the longest: a word sorts after its beginnings


def read(kind: type[Command], fields: Mapping[str, str]) -> tuple[Command, list[str]]:
    """Make the command of its fields, and name those that it does not use.

    Raises the PayloadError of the first bad one.
    """
    if "kill_switch" in fields and kind.word != KILL_SWITCH:
        raise InvalidValueError("kill_switch goes without a command: send it alone.", field="kill_switch")
    for name, way_out in kind.refused.items():
        if lower(fields.get(name, "false")) not in ("false", "no", "off"):
            raise UnsupportedValueError(f"{name} {way_out}.", field=name)
    own = kind.model_fields
    missing = [name for name, field in own.items() if field.is_required() and name not in fields]
    if missing:
        raise MissingFieldError(f"{kind.word} needs {', '.join(missing)}: add {missing[0]}=...", field=missing[0])
    command = kind(**{name: fields[name] for name in own if name in fields})
    return command, [name for name in fields if name not in own and name != "command"]
