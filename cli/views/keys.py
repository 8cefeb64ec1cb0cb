"""Show what is stored of keys."""

from collections.abc import Iterable

from rich.text import Text

from cli.terminal import BAD, DIM, WARNING, Cell, print_table, readable_time
from orderhook.keys import Key
from orderhook.listing import Unreadable


def show_keys(keys: Iterable[Key | Unreadable]) -> None:
    """Print keys as a table, without anything that would let somebody use them."""
    print_table(("key id", "ends in", "trader", "label", "may give", "created", "revoked"), map(_cells, keys))


def _cells(key: Key | Unreadable) -> list[Cell]:
    if isinstance(key, Unreadable):
        return [key.id, "", "", "", "", "", Text("unreadable", BAD)]
    commands = ", ".join(sorted(key.scopes)) or "every command"
    revoked = Text(readable_time(key.revoked), WARNING) if key.revoked else Text("no", DIM)
    return [key.key_id, key.last_four, key.trader, key.label, commands, readable_time(key.created), revoked]
