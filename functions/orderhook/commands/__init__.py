"""The commands: which there are, and how the fields of an alert become one of them.

A new command is a new module here and an entry in COMMANDS.
"""

from collections.abc import Mapping
from difflib import get_close_matches

from orderhook.commands.cancel import Cancel
from orderhook.commands.cancel_all_orders import CancelAllOrders
from orderhook.commands.cancel_orders import CancelOrders
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.commands.change import Change
from orderhook.commands.close_strategy import CloseStrategy
from orderhook.commands.command import Command
from orderhook.commands.kill_switch import KillSwitch
from orderhook.commands.place import Place
from orderhook.errors import (
    InvalidValueError,
    MissingFieldError,
    UnknownCommandError,
    UnsupportedCommandError,
    UnsupportedValueError,
)
from orderhook.payload import lower, upper

__all__ = ["COMMANDS", "NOT_YET", "SCOPES", "Command", "command_type", "parse_command"]

COMMANDS: Mapping[str, type[Command]] = {
    kind.word: kind for kind in (Cancel, Place, CancelOrders, CancelAllOrders, CancelReplace, Change, CloseStrategy)
}
"""Every command by its word. The kill switch is a command without one: its alert gives kill_switch instead."""

SCOPES = (*COMMANDS, KillSwitch.word)
"""What a key may be limited to."""

NOT_YET = frozenset("CLOSEPOSITION FLATTEN FLATTENEVERYTHING FLATPLACE REVERSE REVERSEPOSITION".split())
"""Commands of the language that act on positions, which only a venue knows."""


def command_type(fields: Mapping[str, str]) -> type[Command]:
    """Return the type of the alert's command; raises MissingField-, UnknownCommand- or UnsupportedCommandError."""
    if "command" not in fields:
        if "kill_switch" in fields:
            return KillSwitch
        raise MissingFieldError(f"There is no command: add command=... ({', '.join(COMMANDS)}).", field="command")
    word = upper(fields["command"])
    if word in NOT_YET:
        raise UnsupportedCommandError(f"{word} is not available yet; there are {', '.join(COMMANDS)}.", field="command")
    if word not in COMMANDS:
        nearest = _nearest(word[:64])
        way_out = f"did you mean {nearest}?" if nearest else f"there are {', '.join(COMMANDS)}."
        raise UnknownCommandError(f"There is no command {fields['command'][:64]!a}: {way_out}", field="command")
    return COMMANDS[word]


def _nearest(word: str) -> str | None:
    """Return the command that a word resembles, or else begins with: CrossTrade's page is called "Place Order"."""
    close = get_close_matches(word, [*COMMANDS, *NOT_YET], n=1, cutoff=0.8)
    begun = [known for known in (*COMMANDS, *NOT_YET) if word.startswith(known)]
    return close[0] if close else max(begun, default=None)  # the longest: a word sorts after its beginnings


def parse_command(kind: type[Command], fields: Mapping[str, str]) -> tuple[Command, list[str]]:
    """Make the command of its fields, and name those that it does not use.

    Raises the PayloadError of the first bad one.
    """
    if "kill_switch" in fields and kind is not KillSwitch:
        raise InvalidValueError("kill_switch goes without a command: send it alone.", field="kill_switch")
    for name, way_out in kind.refused.items():
        if lower(fields.get(name, "false")) not in ("false", "no", "off"):
            raise UnsupportedValueError(f"{name} {way_out}.", field=name)
    own = kind.alert_fields()
    missing = [name for name, required in own.items() if required and name not in fields]
    if missing:
        raise MissingFieldError(f"{kind.word} needs {', '.join(missing)}: add {missing[0]}=...", field=missing[0])
    command = kind(**{name: fields[name] for name in own if name in fields})
    return command, [name for name in fields if name not in own and name != "command"]
