"""Show what is stored of keys."""

from collections.abc import Iterable

from rich.text import Text

from cli.terminal import BAD, DIM, WARNING, Cell, print_table, readable_time
from orderhook.keys import KILL_SWITCH, Key
from orderhook.listing import Unreadable

_COLUMNS = ("key id", "ends in", "trader", "label", "may give", "limits", "created", "last used", "revoked")


def show_keys(keys: Iterable[tuple[Key | Unreadable, str | None]]) -> None:
    """Print keys, each with the hour of its last use, as a table, without anything that would let somebody use them."""
    print_table(_COLUMNS, (_cells(key, last_used) for key, last_used in keys))


def describe_scopes(key: Key) -> str:
    """Say which commands a key may give."""
    everything = "every command" if key.turns_kill_switch else f"every command but {KILL_SWITCH}"
    return ", ".join(sorted(map(str, key.scopes))) or everything


def describe_limits(key: Key) -> str:
    """Say what a key is limited to; nothing where it is not."""
    if key.limits is None:
        return ""
    accounts, instruments, max_qty, rate = key.limits
    parts = (
        f"account {' or '.join(accounts)}" if accounts else "",
        f"instrument {' or '.join(instruments)}" if instruments else "",
        f"qty {max_qty}" if max_qty else "",
        f"{rate} orders a minute" if rate else "",
    )
    return ", ".join(filter(None, parts))


def _cells(key: Key | Unreadable, last_used: str | None) -> list[Cell]:
    if isinstance(key, Unreadable):
        return [key.id, "", "", "", "", "", "", "", Text("unreadable", BAD)]
    revoked = Text(readable_time(key.revoked), WARNING) if key.revoked else Text("no", DIM)
    used = f"{last_used[:13].replace('T', ' ')}h UTC" if last_used else Text("never seen", DIM)
    limits = describe_limits(key) or Text("none", DIM)
    created = readable_time(key.created)
    return [key.key_id, key.last_four, key.trader, key.label, describe_scopes(key), limits, created, used, revoked]
