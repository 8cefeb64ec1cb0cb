"""Which records of alerts a person asks for: times and filters as typed, one by how its id begins, and new ones."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from orderhook import reference
from orderhook.commands import COMMANDS, NOT_YET
from orderhook.errors import InvalidValueError
from orderhook.payload import lower, upper
from orderhook.store.alert_log import AlertLog, AlertRecord

POLL_SECONDS = 1.0

_LATE = timedelta(seconds=10)
"""By how much a record may be written after those of later alerts: more than any alert's time budget."""

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime) -> datetime:
    """Return the time that is written as an age (90s, 30m, 2h, 7d) or in ISO 8601; UTC where it names no zone.

    Raises InvalidValueError.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidValueError(f"{text!a} is no time: write 2h, 30m, 2026-01-02 or 2026-01-02T09:30.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a record must have to be shown; None wants anything."""

    status: str | None = None
    """`refused`, `done`, an HTTP status, a status word or an error code."""
    command: str | None = None
    order_id: str | None = None

    @classmethod
    def checked(cls, status: str | None, command: str | None, order_id: str | None) -> "Wanted":
        """Return what is wanted if it can ever be met; raises InvalidValueError."""
        status, command = status and lower(status), command and upper(command)
        words = ["refused", "done", *reference.DONE, *reference.REFUSED]
        if status and status not in words and not re.fullmatch(r"[1-5][0-9]{2}", status):
            raise InvalidValueError(f"There is no status {status!a}: {_nearest(status, words)}")
        known = [*COMMANDS, *NOT_YET]
        if command and command not in known:
            raise InvalidValueError(f"There is no command {command!a}: {_nearest(command, known)}")
        return cls(status, command, order_id)

    def __call__(self, record: AlertRecord) -> bool:
        """Tell whether this is one."""
        return (
            (self.command is None or record.command == self.command)
            and (self.status is None or self._has_status(record))
            and (self.order_id is None or _concerns(record, self.order_id))
        )

    def _has_status(self, record: AlertRecord) -> bool:
        if self.status in ("refused", "done"):
            return (record.status >= 400) == (self.status == "refused")
        return self.status in (record.outcome, str(record.status))


def _nearest(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}."


def _concerns(record: AlertRecord, order_id: str) -> bool:
    """Tell whether the alert touched the order, or named it without coming to it."""
    named = [value for name, value in record.fields.items() if lower(name) == "order_id"]
    # An order that was placed without an id has that of its alert.
    return order_id in (*record.order_ids, *named, record.request_id)


def find(log: AlertLog, trader: str, beginning: str) -> AlertRecord:
    """Return the one record whose request id begins like this; raises InvalidValueError."""
    found = []
    for record in log.beginning_with(trader, lower(beginning)) if beginning else ():
        found.append(record)
        if len(found) == 2:
            raise InvalidValueError(f"More than one alert's id begins with {beginning!a}: give more of it.")
    if not found:
        raise InvalidValueError(f"There is no record of an alert {beginning!a}; `orderhook alerts` lists them.")
    return found[0]


def recent(log: AlertLog, trader: str) -> list[AlertRecord]:
    """Return the newest record and those that came in so little before it that others may still come between them."""
    found: list[AlertRecord] = []
    for record in log.newest(trader):
        if found and _received(record) < _received(found[0]) - _LATE:
            break
        found.append(record)
    return found


def follow(log: AlertLog, trader: str, last: list[AlertRecord], shown: Iterable[AlertRecord]) -> Iterator[AlertRecord]:
    """Yield records as they are written, for ever, asking once a second: what was neither `recent` then nor `shown`.

    A record is written when its alert has been carried out, so one that took long comes after those of later alerts:
    what is a little older than the newest is asked for again each time.
    """
    known = {record.request_id for record in (*last, *shown)}
    while True:
        time.sleep(POLL_SECONDS)
        found = list(log.newest(trader, _received(last[0]) - _LATE if last else None))
        yield from (record for record in reversed(found) if record.request_id not in known)
        known |= {record.request_id for record in found}
        last = found or last


def _received(record: AlertRecord) -> datetime:
    return datetime.fromisoformat(record.received_at)
