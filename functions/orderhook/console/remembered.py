"""What an instance remembers of a trader for some seconds, so that no poll asks the table for all of it again.

Whatever changes something has it forgotten, before and after: the page that follows shows what was done.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple, TypeVar, cast

Value = TypeVar("Value")

_MOST_TRADERS = 64


class _Kept(NamedTuple):
    read_at: datetime
    value: object


_lock = Lock()
_kept: dict[str, dict[str, _Kept]] = {}


def remembered(trader: str, name: str, now: datetime, seconds: int, read: Callable[[], Value]) -> Value:
    """Return what `read` returned in the last seconds, or what it returns now; in one visit it is asked once."""
    with _lock:
        mine = _kept.setdefault(trader, {})
        kept = mine.get(name)
    if kept is not None and (now == kept.read_at or now - kept.read_at < timedelta(seconds=seconds)):
        return cast("Value", kept.value)
    value = read()
    with _lock:
        # Where it was forgotten meanwhile, what was read may be from before.
        if _kept.get(trader) is mine:
            mine[name] = _Kept(now, value)
    return value


def forget(trader: str) -> None:
    """Forget what is known of a trader."""
    with _lock:
        _kept.pop(trader, None)
        while len(_kept) > _MOST_TRADERS:
            del _kept[next(iter(_kept))]
