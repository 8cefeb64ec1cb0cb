"""Lists page by page: where the next page begins stands in a cursor, which is a position and grants nothing."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from orderhook.console.api.call import Call
from orderhook.errors import InvalidValueError

SEARCH_SECONDS = 1.2
"""How long a list is searched for what it is to show; the next page goes on from there."""

_REQUEST_ID = re.compile(r"[0-9a-f]{12}[0-9a-f]*")
_MAX_PART = 200

Row = TypeVar("Row")


class Rows(NamedTuple):
    """A page of a list, and where the next one begins; None is at its end."""

    shown: list[dict[str, object]]
    next_cursor: str | None


def cursor(kind: str, *parts: str) -> str:
    """Return the cursor of a position in a list of this kind."""
    return base64.urlsafe_b64encode(json.dumps([kind, *parts]).encode()).decode().rstrip("=")


def position(sent: str, **kinds: int) -> list[str]:
    """Return the kind and the parts of a cursor; raises InvalidValueError for one that is of another list, or none.

    `kinds` has how many parts a cursor of each kind has.
    """
    try:
        raw = base64.b64decode(sent.encode("ascii") + b"=" * (-len(sent) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or not all(isinstance(part, str) and len(part) <= _MAX_PART for part in parts):
        raise bad_cursor()
    if not parts or len(parts) - 1 != kinds.get(parts[0]) or cursor(*parts) != sent:
        raise bad_cursor()
    return parts


def bad_cursor() -> InvalidValueError:
    """Return the refusal of what is no cursor of this list."""
    return InvalidValueError("cursor is not one of this list; take nextCursor of the page before.", field="cursor")


def came_in(request_id: str) -> datetime | None:
    """Return when a request came in, by its id; None for what is no such id."""
    if not _REQUEST_ID.fullmatch(request_id):
        return None
    try:
        return datetime.fromtimestamp(int(request_id[:12], 16) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def until_request(until: datetime | None, request_id: str) -> datetime:
    """Return until when to look for what came in before a request: some of it may be of the same millisecond."""
    at = came_in(request_id)
    if at is None:
        raise bad_cursor()
    at += timedelta(milliseconds=2)
    return min(until, at) if until else at


def take(
    call: Call,
    rows: Iterable[Row],
    *,
    is_wanted: Callable[[Row], bool],
    represent: Callable[[Row], dict[str, object]],
    cursor_at: Callable[[Row], str],
) -> Rows:
    """Return the next rows that are wanted: as many as the query asks for, or as are found in time.

    One row is looked at however late it is: the cursor always moves on, and a list that was not read has no end.
    """
    shown: list[dict[str, object]] = []
    last: Row | None = None
    for row in rows:
        is_late = time.monotonic() - call.started > SEARCH_SECONDS
        if last is not None and (is_late or len(shown) == call.query.limit):
            return Rows(shown, cursor_at(last))
        last = row
        if is_wanted(row):
            shown.append(represent(row))
    return Rows(shown, None)
