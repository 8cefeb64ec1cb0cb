"""From the pairs of an alert to the fields of its command: which it uses, must not lack, and may go without."""

from collections.abc import Iterable, Iterator

from orderhook import hints
from orderhook.commands.command import Command
from orderhook.commands.fields import IDS, check_plain, is_off
from orderhook.commands.kill_switch import KillSwitch
from orderhook.commands.opens_position import OpensPosition
from orderhook.errors import (
    AlertWarning,
    DuplicateFieldError,
    InvalidValueError,
    MissingFieldError,
    PayloadError,
    UnknownFieldError,
    UnresolvedPlaceholderError,
    UnsupportedValueError,
)
from orderhook.flat_json import NoText
from orderhook.payload import (
    KNOWN_NAMES,
    Pair,
    Remark,
    canonical,
    lower,
    missing_semicolon,
    still_holds_placeholder,
)

_WAYS_OUT = {
    False: ("in parentheses, as a remark does", "take the parentheses away"),
    True: ("behind //, as a comment does", "put the comment on a line of its own"),
}
"""Where a field stands that is left out, and what to do about it."""

_CONDITIONS = frozenset(("require_market_position", "market_position"))
"""Those of the fields that narrow which an alert can switch off."""

_ADDRESSES = frozenset(("order_id", "strategy_id"))
"""The fields that say which order a CANCEL means."""


class FieldReader:
    """Read the pairs of an alert, one by one, as fields of its command.

    `fields` has those that the command uses, by their canonical names; `warnings`, what the trader should know of the
    others. A value is never quoted: it may be a secret in the wrong place.
    """

    def __init__(self, kind: type[Command], pairs: Iterable[Pair], *, is_json: bool) -> None:
        self.fields: dict[str, str] = {}
        self.warnings: list[AlertWarning] = []
        self._kind = kind
        self._is_json = is_json
        given = {canonical(name): value for name, value in pairs if value not in ("", NoText.NULL)}
        self._given = given.keys()
        self._narrowing = kind.narrowing(given)
        self._read: set[str] = set()
        self._used = {"command", *kind.alert_fields()} - kind.idle(given)
        account = given.get("account")
        if isinstance(account, str) and "," in account and self._used & set(IDS):
            self._used.add("account")  # a list is read by every command that has an id

    def read(self, pair: Pair) -> None:
        """Take in one pair; raises the PayloadError that says why the alert cannot be carried out with it."""
        sent_name, value = pair
        name = canonical(sent_name)
        if value is NoText.NULL:
            return
        if name not in KNOWN_NAMES:
            self._read_unknown(sent_name, value)
        elif value == "":
            self._read_empty(name)
        elif name in self._read:
            raise DuplicateFieldError(
                f"{name} is given twice; send one alert per command, each field once.", field=name
            )
        else:
            self._read.add(name)
            if name in self._kind.refused and not is_off(name, value):
                raise UnsupportedValueError(f"{name} {self._kind.refused[name]}.", field=name)
            if name in self._used:
                self.fields[name] = self._checked(name, value)
            else:
                self._read_unused(name, value)

    def read_remark(self, sent_name: str, name: str, *, is_comment: bool) -> None:
        """Take in a field that stands in a remark, and so is left out; raises InvalidValueError where that matters.

        Where the alert gives the field besides, it is a remark indeed. `name` is the field that was probably meant.
        """
        where, way_out = _WAYS_OUT[is_comment]
        kind = self._kind
        shown = _shown(sent_name, name)
        if name in self._given or name in ("key", "command", "notes"):
            return
        if name in self._narrowing and name not in self._used:
            raise self._not_narrowed(name)
        if name not in self._used and name not in kind.refused:
            return
        if self._opens_or_alters or name in kind.never_empty:
            raise InvalidValueError(
                f"{shown} stands {where}, and would be lost: {way_out}, or write it without '='.", field=name
            )
        detail = f"{shown} stands {where}: {kind.word} was done without it."
        self.warnings.append(AlertWarning("ignored_field", name, detail))

    def _read_unknown(self, sent_name: str, value: str | NoText) -> None:
        shown = ascii(sent_name[:64])[1:-1]
        if "{{" in sent_name:
            raise UnresolvedPlaceholderError(f"The name of a field {still_holds_placeholder(sent_name)}", field=shown)
        hint = hints.field(sent_name[:64])
        detail = unknown_name(sent_name, hint)
        if not self._kind.takes_unknown_names or self._is_needed(hint, value):
            raise UnknownFieldError(detail, field=shown)
        self.warnings.append(AlertWarning("unknown_field", shown, f"{detail} {self._kind.word} was done without it."))

    def _is_needed(self, hint: str | None, value: str | NoText) -> bool:
        """Return whether an unknown name probably is a field that the command uses to say what it means, and lacks."""
        if hint is None or canonical(hint) in self._given:
            return False
        return hint in _ADDRESSES or (hint == "account" and isinstance(value, str) and "," in value)

    def _read_empty(self, name: str) -> None:
        word = self._kind.word
        if name in self._kind.never_empty:
            raise MissingFieldError(
                f"{name} is empty, and without it {word} would do something else than the alert asks for; give it a "
                "value, or take it out.",
                field=name,
            )
        if name in self._narrowing and name not in self._used:
            raise self._not_narrowed(name)
        self.warnings.append(AlertWarning("empty_field", name, f"{name} is empty, so it counts as absent."))

    def _read_unused(self, name: str, value: str | NoText) -> None:
        kind = self._kind
        if name == "kill_switch":
            raise InvalidValueError(
                "kill_switch goes without a command: send it in an alert of its own, with nothing but the key.",
                field=name,
            )
        if name in self._narrowing and not (name in _CONDITIONS and is_off(name, value)):
            raise self._not_narrowed(name)
        if isinstance(value, str) and not self._is_json:
            for hidden, meant in self._swallowed(value):
                if meant in self._narrowing or (self._opens_or_alters and meant in self._used):
                    raise InvalidValueError(f"missing ';' before {hidden}?", field=name)
        self.warnings.append(AlertWarning("ignored_field", name, f"{kind.word} does not use {name}."))

    def _not_narrowed(self, name: str) -> PayloadError:
        heeds_it = self._narrowing[name]
        way_out = f", or give another command: {heeds_it}" if heeds_it else ""
        return InvalidValueError(
            f"{self._kind.word} does not use {name}, and would act on more than that; take it out{way_out}.", field=name
        )

    def _checked(self, name: str, value: str | NoText) -> str:
        if isinstance(value, NoText):
            raise InvalidValueError(f"{name} must be a string, a number, true, false or null.", field=name)
        if name == "notes":
            self._check_notes(value)
            return value
        if "{{" in value:
            raise UnresolvedPlaceholderError(f"{name} {still_holds_placeholder(value)}", field=name)
        if "=" in value:
            raise missing_semicolon(name, value)
        check_plain(value, name)
        return value

    def _check_notes(self, notes: str) -> None:
        swallowed = None if self._is_json else next(self._swallowed(notes), None)
        if swallowed is None:
            return
        name, shown = swallowed[0], _shown(*swallowed)
        if self._opens_or_alters:
            raise InvalidValueError(
                f"notes holds {shown}: missing ';' before {name}? If it is part of the notes, write it without '='.",
                field="notes",
            )
        detail = f"notes holds {shown}, which was taken for a part of the notes; is a ';' missing before it?"
        self.warnings.append(AlertWarning("missing_semicolon", "notes", detail))

    def _swallowed(self, value: str) -> Iterator[tuple[str, str]]:
        """Yield the fields that a value may have swallowed: known ones, and misspelt ones that the alert lacks."""
        for sent_name, name in hints.fields_in(value, after_blank=True):
            if canonical(sent_name) == name or name not in (*self._given, "command", "notes"):
                yield sent_name, name

    @property
    def _opens_or_alters(self) -> bool:
        return issubclass(self._kind, OpensPosition) or self._kind.acts_on_positions


def parse_fields(
    kind: type[Command], pairs: Iterable[Pair], *, is_json: bool, remarks: Iterable[Remark] = ()
) -> tuple[dict[str, str], list[AlertWarning]]:
    """Return the fields that the command uses, and what to warn of; raises the PayloadError of the first bad pair."""
    pairs = list(pairs)
    reader = FieldReader(kind, pairs, is_json=is_json)
    for pair in pairs:
        reader.read(pair)
    for sent_name, name, is_comment in fields_in_remarks(remarks):
        reader.read_remark(sent_name, name, is_comment=is_comment)
    return reader.fields, reader.warnings


def fields_in_remarks(remarks: Iterable[Remark]) -> Iterable[tuple[str, str, bool]]:
    """Return the fields that stand in remarks, each once: as sent, what was probably meant, whether in a comment."""
    found = ((*field, remark.is_comment) for remark in remarks for field in hints.fields_in(remark.text))
    return dict.fromkeys(found)


def parse_word(pairs: Iterable[Pair], commands: Iterable[str]) -> str | None:
    """Return the command as sent, None for the kill switch; raises the PayloadError that says why there is neither."""
    pairs = list(pairs)
    words = [value for name, value in pairs if lower(name) == "command" and value not in ("", NoText.NULL)]
    if len(words) > 1:
        raise DuplicateFieldError(
            "command is given twice; send one alert per command, each field once.", field="command"
        )
    if not words:
        if any(lower(name) == "kill_switch" and value not in ("", NoText.NULL) for name, value in pairs):
            return None
        # A name mistaken may be the command's.
        parse_fields(KillSwitch, [pair for pair in pairs if canonical(pair[0]) not in KNOWN_NAMES], is_json=False)
        raise MissingFieldError(f"There is no command: add command=... ({', '.join(commands)}).", field="command")
    reader = FieldReader(KillSwitch, pairs, is_json=False)
    reader.read(("command", words[0]))
    return reader.fields["command"]


def _shown(sent_name: str, name: str) -> str:
    """Say which field stands somewhere, and which was probably meant."""
    return f"{name}=" if canonical(sent_name) == name else f"{sent_name}= (did you mean {name}?)"


def unknown_name(sent_name: str, hint: str | None) -> str:
    """Say that there is no field of this name, and which was probably meant."""
    way_out = f"did you mean {hint}?" if hint else "take it out, or see docs/commands.md."
    unseen = next((each for each in sent_name if not each.isprintable()), None)
    named = "" if unseen is None else f", which holds an invisible character (U+{ord(unseen):04X})"
    return f"There is no field {sent_name[:64]!a}{named}: {way_out}"
