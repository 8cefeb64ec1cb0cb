"""The commands: which there are, and how the fields of an alert become one of them.

A new command is a new module here and an entry in COMMANDS.
"""

from collections.abc import Iterable, Mapping

from orderhook import hints
from orderhook.commands.cancel import Cancel
from orderhook.commands.cancel_all_orders import CancelAllOrders
from orderhook.commands.cancel_and_bracket import CancelAndBracket
from orderhook.commands.cancel_orders import CancelOrders
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.commands.change import Change
from orderhook.commands.close_position import ClosePosition
from orderhook.commands.close_strategy import CloseStrategy
from orderhook.commands.command import Command
from orderhook.commands.flat_place import FlatPlace
from orderhook.commands.flatten import Flatten
from orderhook.commands.flatten_everything import FlattenEverything
from orderhook.commands.kill_switch import KillSwitch
from orderhook.commands.parsing import FieldReader, fields_in_remarks, parse_fields, parse_word
from orderhook.commands.place import Place
from orderhook.commands.reverse import Reverse
from orderhook.commands.reverse_position import ReversePosition
from orderhook.errors import AlertWarning, MissingFieldError, UnknownCommandError
from orderhook.flat_json import NoText
from orderhook.payload import Pair, canonical, upper

__all__ = [
    "COMMANDS",
    "SCOPES",
    "Command",
    "FieldReader",
    "command_type",
    "fields_in_remarks",
    "meant_command",
    "parse_command",
    "parse_fields",
]

COMMANDS: Mapping[str, type[Command]] = {
    kind.word: kind
    for kind in (
        Cancel,
        Place,
        CancelOrders,
        CancelAllOrders,
        CancelReplace,
        Change,
        CloseStrategy,
        ClosePosition,
        Flatten,
        FlattenEverything,
        FlatPlace,
        Reverse,
        ReversePosition,
        CancelAndBracket,
    )
}
"""Every command by its word. The kill switch is a command without one: its alert gives kill_switch instead."""

SCOPES = (*COMMANDS, KillSwitch.word)
"""What a key may be limited to."""


def command_type(pairs: Iterable[Pair]) -> type[Command]:
    """Return the type of the alert's command; raises the PayloadError that says why there is none."""
    pairs = list(pairs)
    sent = parse_word(pairs, COMMANDS)
    if sent is None:
        return KillSwitch
    word = upper(sent)
    if word not in COMMANDS:
        raise UnknownCommandError(f"There is no command {sent[:64]!a}: {_way_out(word, pairs)}", field="command")
    return COMMANDS[word]


def meant_command(word: str, pairs: Iterable[Pair]) -> str | None:
    """Return the command that a word which is none was probably meant to be; not CANCEL of an account's orders."""
    hint = hints.command(word[:64], COMMANDS)
    return None if hint == Cancel.word and _names_account_alone(pairs) else hint


def _way_out(word: str, pairs: Iterable[Pair]) -> str:
    if hints.is_kill_switch(word[:64]):
        return (
            "the kill switch has none. Send kill_switch=on or kill_switch=off in place of the command, or run "
            "`orderhook kill-switch`."
        )
    if hint := meant_command(word, pairs):
        return f"did you mean {hint}?"
    if hints.command(word[:64], COMMANDS) == Cancel.word:
        # To name CANCEL alone would lead to the next refusal, and CANCELORDERS alone to a wider act.
        return (
            "CANCEL cancels the one order that order_id names; CANCELORDERS cancels every working order of an account."
        )
    return f"there are {', '.join(COMMANDS)}."


def _names_account_alone(pairs: Iterable[Pair]) -> bool:
    given = {canonical(name) for name, value in pairs if value not in ("", NoText.NULL)}
    return "account" in given and "order_id" not in given


def parse_command(kind: type[Command], fields: Mapping[str, str]) -> tuple[Command, list[AlertWarning]]:
    """Make the command of the fields that it uses, and tell what the trader should know of them.

    Raises the PayloadError of the first bad one.
    """
    own = kind.alert_fields()
    missing = [name for name, required in own.items() if required and name not in fields]
    if missing:
        raise MissingFieldError(f"{kind.word} needs {', '.join(missing)}: add {missing[0]}=...", field=missing[0])
    warnings: list[AlertWarning] = []
    used = (*own, "sent_instrument")
    command = kind.model_validate({name: fields[name] for name in used if name in fields}, context=warnings)
    return command, warnings
