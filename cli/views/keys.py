"""Show what is stored of keys."""

from collections.abc import Iterable

from rich.text import Text

from cli.terminal import BAD, DIM, WARNING, Cell, is_terminal, print_table, printable, readable_time
from orderhook.administration import describe_limits, describe_scopes
from orderhook.keys import Key
from orderhook.listing import Unreadable

_COLUMNS = ("key id", "ends in", "trader", "label", "may give", "limits", "created", "last used", "revoked")


def show_keys(keys: Iterable[tuple[Key | Unreadable, str | None]]) -> None:
    """Print keys, each with the hour of its last use, as a table, without anything that would let somebody use them.

    In a terminal, which is seldom wide enough for one line each, they are on two lines.
    """
    if is_terminal():
        print_table(("key id", "label", "may give", "used"), (_two_lines(key, last_used) for key, last_used in keys))
    else:
        print_table(_COLUMNS, (_cells(key, last_used) for key, last_used in keys))


def _cells(key: Key | Unreadable, last_used: str | None) -> list[Cell]:
    if isinstance(key, Unreadable):
        return [key.id, "", "", "", "", "", "", "", Text("unreadable", BAD)]
    revoked = Text(readable_time(key.revoked), WARNING) if key.revoked else Text("no", DIM)
    used = _hour(last_used) or Text("never seen", DIM)
    limits = describe_limits(key.limits) or Text("none", DIM)
    created = readable_time(key.created)
    return [key.key_id, key.last_four, key.trader, key.label, describe_scopes(key), limits, created, used, revoked]


def _two_lines(key: Key | Unreadable, last_used: str | None) -> list[Cell]:
    if isinstance(key, Unreadable):
        return [key.id, "", "", Text("unreadable", BAD)]
    when = (f"revoked {key.revoked[:10]}", WARNING) if key.revoked else (f"created {key.created[:10]}", DIM)
    return [
        Text.assemble(key.key_id, "\n", (f"ends in {key.last_four}", DIM)),
        Text.assemble(printable(key.label), "\n" if key.label else "", (f"trader {key.trader}", DIM)),
        Text.assemble(describe_scopes(key), "\n", (printable(describe_limits(key.limits)) or "no limits", DIM)),
        Text.assemble(_hour(last_used) or ("never seen", DIM), "\n", when),
    ]


def _hour(last_used: str | None) -> str:
    return f"{last_used[:13].replace('T', ' ')}h UTC" if last_used else ""
