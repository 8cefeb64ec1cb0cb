"""Find records of alerts: times and filters as a person types them, one record by its id, and new ones as they come.

And make those of what is done beside alerts.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice

from orderhook import hints, reference
from orderhook.commands import SCOPES
from orderhook.errors import InvalidValueError
from orderhook.instructions import OVERDUE
from orderhook.keys import holds_key
from orderhook.payload import lower, upper
from orderhook.provenance import Provenance
from orderhook.store.alert_log import MAX_ORDER_IDS, AlertLog, AlertRecord, Origin, id_prefix

POLL_SECONDS = 1.0

OPERATOR_COMMANDS = ("KEYS CREATE", "KEYS REVOKE", "TEMPLATES PUT", "MIGRATE", "RESOLVE", "LOOKED AT")
"""What an operator does by the command line, beside turning the kill switch, and what is done in the console alone."""

_MAX_DELAY = timedelta(seconds=10)
"""A record may be written this long after those of later alerts: longer than any alert's time budget."""

_LONGEST_WAIT = timedelta(minutes=190)
"""A time limit is three hours at most, a delay less; the queue may take some minutes more."""

_TIME_DIGITS = len(id_prefix(datetime.fromtimestamp(0, UTC)))

_BEGINS_ID = re.compile(r"[0-9a-f]+(\.|$)")
_REPORT = "report."
"""What the id of a bridge's report begins with, where a history has an alert's."""
_AGE = re.compile(r"([0-9]{1,6})([smhd])")
_TIME_OF_DAY = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def record_beside_alerts(
    signed: Provenance,
    command: str,
    outcome: str,
    fields: Mapping[str, str],
    order_ids: Sequence[str] = (),
    *,
    label: str,
    source: str,
    origin: Origin,
) -> AlertRecord:
    """Return the record of what an operator or a session has done beside alerts: it stands among theirs.

    `label` says who, where the key's label of an alert would stand.
    """
    return AlertRecord(
        trader=signed.trader,
        request_id=signed.request_id,
        received_at=signed.now,
        key_id=signed.key_id,
        key_label=label,
        source=source,
        fields=fields,
        command=command,
        status=200,
        milliseconds=Decimal(0),
        outcome=outcome,
        order_ids=tuple(order_ids)[:MAX_ORDER_IDS],
        origin=origin,
    )


def parse_time(text: str, now: datetime, zone: tzinfo | None = UTC) -> datetime:
    """Return the time that is written as an age (90s, 30m, 2h, 7d), as one of today (09:30), or in ISO 8601.

    It is in `zone` unless it names one; no zone is this machine's.

    Raises InvalidValueError.
    """
    try:
        if age := _AGE.fullmatch(text):
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        if _TIME_OF_DAY.fullmatch(text):
            text = f"{now.astimezone(zone):%Y-%m-%d}T{text.zfill(5)}"
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidValueError(
            f"{text!a} is not a time; write 2h, 30m, 09:30, 2026-01-02 or 2026-01-02T09:30."
        ) from None
    return at if at.tzinfo else (at.replace(tzinfo=zone) if zone else at.astimezone())


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What a record must have to be listed; None accepts anything."""

    status: str | None = None
    """`refused`, `done`, an HTTP status, a status word or an error code."""
    command: str | None = None
    order_id: str | None = None
    key_id: str | None = None

    @classmethod
    def parse(
        cls, status: str | None, command: str | None, order_id: str | None, key_id: str | None = None
    ) -> "RecordFilter":
        """Return the filter that was typed; raises InvalidValueError if no record can ever match it."""
        status, command = status and lower(status), command and upper(command)
        statuses = ["refused", "done", *reference.STATUS_WORDS, *reference.OPERATOR_WORDS, *reference.ERROR_CODES]
        if status and status not in statuses and not re.fullmatch(r"[1-5][0-9]{2}", status):
            raise InvalidValueError(
                f"There is no status {status!a}; {_suggestion(status, list(dict.fromkeys(statuses)))}"
            )
        known_commands = [*SCOPES, *OPERATOR_COMMANDS]
        if command and command not in known_commands:
            raise InvalidValueError(f"There is no command {command!a}; {_suggestion(command, known_commands)}")
        if key_id and holds_key(key_id):
            raise InvalidValueError("--key takes a key's id, as `orderhook keys list` shows it; not the key.")
        return cls(status, command, order_id, key_id)

    def matches(self, record: AlertRecord) -> bool:
        """Return whether the record has everything that the filter asks for."""
        return (
            (self.command is None or self.command in _commands(record))
            and (self.status is None or self._matches_status(record))
            and (self.order_id is None or _concerns(record, self.order_id))
            # What an operator did to a key names it.
            and (self.key_id is None or self.key_id in (record.key_id, record.fields.get("key_id")))
        )

    def _matches_status(self, record: AlertRecord) -> bool:
        if self.status in ("refused", "done"):
            return (record.status >= 400) == (self.status == "refused")
        return self.status in (record.outcome, str(record.status))


def _suggestion(word: str, known_words: list[str]) -> str:
    closest = get_close_matches(word, known_words, n=1)
    return f"did you mean {closest[0]}?" if closest else f"there are {', '.join(known_words)}."


def _commands(record: AlertRecord) -> list[str]:
    """Return the command, or, of an alert that was refused before its command was read, what stands in its place."""
    if record.command:
        return [record.command]
    named = ((name.partition(" (")[0], value) for name, value in record.fields.items())  # a second one is numbered
    return [upper(value) for name, value in named if "command" in (lower(name), hints.field(name))]


def _concerns(record: AlertRecord, order_id: str) -> bool:
    """Return whether the alert affected the order, or named it without reaching it."""
    named = [value for name, value in record.fields.items() if lower(name) == "order_id"]
    # An order that was placed without an id takes the request id of its alert.
    return order_id in (*record.order_ids, *named, record.request_id)


def find_record(log: AlertLog, trader: str, request_id: str) -> AlertRecord:
    """Return the record of a request by its id, the beginning of it, or the id that an order's history has of it.

    Such an id may end in the number of an account, or say that a time limit was over. Raises InvalidValueError for none
    or several.
    """
    sent, request_id = request_id, lower(request_id)
    if request_id and (record := log.get(trader, request_id)):
        return record
    matching = list(islice(log.beginning_with(trader, request_id), 2)) if request_id else []
    if len(matching) > 1:
        raise InvalidValueError(f"More than one alert's id begins with {request_id!a}; give more of it.")
    alert_id, dot, _ = request_id.partition(".")
    if not matching and dot and (alert := log.get(trader, alert_id)):
        # What follows an alert has a record of its own, which begins with the time of that.
        ending = request_id[_TIME_DIGITS:]
        matching = [it for it in related_records(log, alert) if it.request_id[_TIME_DIGITS:] == ending] or [alert]
    if not matching:
        raise InvalidValueError(f"There is no record of an alert {sent!a}{_other_than_an_alert(request_id)}")
    return matching[0]


def cause(request_id: str, length: int | None = None) -> str:
    """Return how to show what has changed an order: a report's id, or so much of an alert's, or that it was neither."""
    if request_id.startswith(_REPORT):
        return request_id
    if _BEGINS_ID.match(request_id):
        return request_id[:length]
    return "no alert" if length else f"no alert ({request_id})"


def _other_than_an_alert(request_id: str) -> str:
    if request_id.startswith(_REPORT):
        return ": that is a report of the bridge, and `orderhook order ID` shows what it has said of the order."
    if not _BEGINS_ID.match(request_id):
        return (
            ", whose id is hexadecimal: `orderhook alerts` lists them, and --order ID those about an order. What the "
            "local server's demo has written itself came by no alert."
        )
    return "; `orderhook alerts` lists them, and --order ID those about an order."


def related_records(log: AlertLog, record: AlertRecord) -> Iterator[AlertRecord]:
    """Yield, oldest first, the other records of one alert: of itself, of its delayed result, of its time limit."""
    ending = _ending(record)
    may_follow = {"delay", "cancel_after"} & {lower(name) for name in record.fields}
    if not ending or (record.origin == "webhook" and not may_follow):
        return
    at = _received_at(record)
    before = timedelta(0) if record.origin == "webhook" else _LONGEST_WAIT
    found = [it for it in log.newest(record.trader, at - before, at + _LONGEST_WAIT) if _ending(it) == ending]
    yield from (it for it in reversed(found) if it.request_id != record.request_id)


def _ending(record: AlertRecord) -> str:
    """Return the part of a record's id that all records of one alert share: what is behind the time, up to a '.'."""
    return record.request_id[_TIME_DIGITS:].partition(".")[0]


def recent_records(log: AlertLog, trader: str) -> list[AlertRecord]:
    """Return the newest record and those so little older that other records may still be written between them."""
    recent: list[AlertRecord] = []
    for record in log.newest(trader):
        if recent and _received_at(record) < _received_at(recent[0]) - _MAX_DELAY:
            break
        recent.append(record)
    return recent


def follow_records(
    log: AlertLog, trader: str, recent: list[AlertRecord], shown: Iterable[AlertRecord]
) -> Iterator[AlertRecord]:
    """Yield records as they are written, for ever, asking once a second; skip those in `recent` and `shown`.

    A record is written when its alert has been carried out, so the record of a slow alert comes after those of later
    alerts. Records a little older than the newest are therefore read again each time. One comes again when it is known
    what became of an instruction of the alert, if that takes no longer than an instruction may be under way.
    """
    known = {record.request_id: record for record in (*recent, *shown)}
    while True:
        time.sleep(POLL_SECONDS)
        latest = list(log.newest(trader, _followed_since(recent[0], known.values()) if recent else None))
        for record in reversed(latest):
            before = known.get(record.request_id)
            if before is None or before.instruction_results != record.instruction_results:
                yield record
        known |= {record.request_id: record for record in latest}
        recent = latest or recent


def _followed_since(newest: AlertRecord, known: Iterable[AlertRecord]) -> datetime:
    """Return from when on records are read again: a little before the newest, and from what is still under way."""
    overdue = _received_at(newest) - OVERDUE
    waiting = (
        _received_at(record)
        for record in known
        if len(record.instruction_results) < len(record.instruction_ids) and not record.duplicate
    )
    return min((_received_at(newest) - _MAX_DELAY, *(at for at in waiting if at > overdue)))


def _received_at(record: AlertRecord) -> datetime:
    return datetime.fromisoformat(record.received_at)
