"""The records of alerts: what each one asked for and its result."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from orderhook.aws.budget import single_attempt
from orderhook.errors import AlertWarning
from orderhook.flat_json import NoText
from orderhook.instructions import Instruction, InstructionResult
from orderhook.keys import holds_key
from orderhook.needs import of_record
from orderhook.orders import timestamp
from orderhook.payload import MAX_FIELDS, Pair
from orderhook.store.items import alert_key
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Item, Put, Update

MASK = "…"
"""Stands where a key stood."""

UNREADABLE = "unreadable"
"""The outcome of a record that this version cannot read, such as one of a newer version; of it only the id is known."""

MAX_ORDER_IDS = 1000
"""How many order ids a record keeps of an alert that was about more, those of its accounts together.

An item has room for 400 KB; of several accounts each id stands in it twice.
"""

MAX_WARNINGS = 50
"""How many warnings a record keeps; each is a sentence or two."""

MOST_UNLOOKED = 200
"""How many records that a person has to look at are read, the newest ones."""

_LONGEST_ID = 200
"""Characters; what follows an alert by itself has an id that ends in what it is."""

_SHORTEST = timedelta(days=1)
"""How long what tells a resend is kept at least."""

Origin = Literal["webhook", "console", "api", "delayed", "cancel_after", "operator"]
"""By which way it came in, or what has carried it out later."""


class RecordedResult(NamedTuple):
    """What became of an alert in one of the accounts that it lists."""

    account: str
    status: int
    """The HTTP status that an alert for this account alone would have been answered with."""
    outcome: str
    """A status word or an error code, as of the whole alert."""
    detail: str | None = None
    field: str | None = None
    order_ids: tuple[str, ...] = ()
    duplicate: bool = False
    instruction_id: str | None = None


class Earlier(NamedTuple):
    """What is known of an earlier receipt of an alert when it comes again."""

    answered: bool = False
    """Whether it, or a resend of it, was answered 2xx or 4xx; without a record it was not."""
    results: tuple[RecordedResult, ...] = ()
    """What it came to in each account of a list, in its order; where it failed, what its latest resend did."""
    stops: Mapping[str, str] = MappingProxyType({})
    """The stops that it or a resend of it may have cancelled, as Progress has them."""

    def and_again(self, results: Sequence[RecordedResult], stops: Mapping[str, str]) -> "Earlier":
        """Return what is known once a resend came to this, and is to be sent again: that counts where the first failed.

        What an account was answered stays, or the third would act on what has come in since.
        """
        last = [*self.results, *results[len(self.results) :]]
        joined = (then if then.status < 500 else again for then, again in zip(last, results, strict=False))
        return Earlier(self.answered, tuple(joined) or self.results, {**self.stops, **stops})


class Answered(NamedTuple):
    """What a record says that is counted."""

    request_id: str
    status: int
    outcome: str
    origin: Origin = "webhook"
    is_duplicate: bool = False
    is_partly_done: bool = False
    """Whether it was done in some of its accounts alone."""
    field: str | None = None
    """Which field it was refused for, if for one."""


class AlertRecord(NamedTuple):
    """What an alert asked for, and its result; the key is nowhere in it."""

    trader: str
    request_id: str
    received_at: str
    """ISO 8601 text in UTC."""
    key_id: str
    key_label: str
    source: str
    """The address that the alert came from."""
    fields: Mapping[str, str]
    """Its fields as `as_sent` gives them, in the order of the alert."""
    command: str | None
    status: int
    """The answer's HTTP status."""
    milliseconds: Decimal
    """From when the alert came in to when its answer was ready, which is before the record was written."""
    outcome: str
    """The answer's status word, or its error code."""
    detail: str | None = None
    field: str | None = None
    order_ids: tuple[str, ...] = ()
    """The orders that it reached, if any."""
    instruction_ids: tuple[str, ...] = ()
    """What it asks of positions, if anything."""
    instruction_results: tuple[InstructionResult, ...] = ()
    """What became of those that it was the first to ask, as far as they are done."""
    duplicate: bool = False
    """Whether an earlier alert had done it already."""
    origin: Origin = "webhook"
    warnings: tuple[AlertWarning, ...] = ()
    """What the answer warned of: TradingView shows it to nobody."""
    results: tuple[RecordedResult, ...] = ()
    """What became of each account, where the alert lists several, in its order."""
    instrument: str | None = None
    """What its instrument means, where that is not as `fields` have it; a root is every month of a future."""
    reason: str | None = None
    """Of an answer 503, or 409 that could not be known: what kept it from being carried out, as in the log."""
    api_request_id: str | None = None
    """What API Gateway calls the request, as in its access log; likewise Lambda, and X-Ray where it samples it."""
    function_request_id: str | None = None
    xray_trace_id: str | None = None

    @property
    def answered(self) -> Answered:
        """What is counted of it."""
        partly = _is_partly_done([it.status for it in self.results])
        return Answered(self.request_id, self.status, self.outcome, self.origin, self.duplicate, partly, self.field)


def as_sent(pairs: Iterable[Pair], *secrets: str) -> dict[str, str]:
    """Return an alert's fields as they may be kept: no key is in them, wherever it stood, and nothing of `secrets`.

    A name that comes again is numbered, as in `order_id (2)`. What is beyond the number of fields that any alert may
    have is left out.
    """
    fields: dict[str, str] = {}
    for name, value in islice(pairs, MAX_FIELDS):
        shown = unique = MASK if holds_key(name, *secrets) else name
        number = 1
        while unique in fields:
            number += 1
            unique = f"{shown} ({number})"
        text = value.value if isinstance(value, NoText) else value
        fields[unique] = MASK if holds_key(text, *secrets) else text
    return fields


def digest_of(pairs: Iterable[Pair]) -> str:
    """Return the fingerprint of an alert's text, in which the id of its key stands for the key."""
    texts = [(name, value.value if isinstance(value, NoText) else value) for name, value in pairs]
    return sha256(json.dumps(texts).encode()).hexdigest()[:32]


def id_prefix(at: datetime) -> str:
    """Return how the id of a request begins that comes in at this moment: ids sort as time does, by milliseconds."""
    return f"{max(0, int(at.timestamp() * 1000)):012x}"


def end_of_id(record_id: str) -> str:
    """Return how an id ends after its time: that of what was due later ends as its alert's."""
    return record_id[len(id_prefix(datetime(2000, 1, 1, tzinfo=UTC))) :]


def record_id(request_id: str, due: datetime | None = None) -> str:
    """Return the id of the record of a request, be it of the alert or of one of its accounts.

    What is done when a delay is over has a record of its own: it begins with the time at which it was due.
    """
    alert_id = request_id.partition(".")[0]
    return due_record_id(alert_id, due) if due else alert_id


def due_record_id(request_id: str, due: datetime) -> str:
    """Return the id of the record of what was due then: it ends as its request's."""
    prefix = id_prefix(due)
    return prefix + request_id[len(prefix) :]


_RESULT_OF = "instruction_result"
"""How the attributes begin that say what became of an instruction: one each, for they may come in any order."""


class AlertLog:
    """The records in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table, retention: timedelta) -> None:
        self._table = table
        self._retention = retention

    @property
    def keeps(self) -> bool:
        """Whether records are kept that can be read."""
        return bool(self._retention)

    def put(self, record: AlertRecord, stops: Mapping[str, str] = MappingProxyType({})) -> None:
        """Write a record by one request that is not sent again; `stops` is what a resend needs besides.

        With no retention only the receipt, the status, of each account too, and the stops are kept, for a day: a resend
        is judged by them. Raises ConditionFailed if there is a record with this id. What has come before the record,
        such as the result of an instruction, stays.
        """
        item = dict(self.putting(record, stops).item)
        with single_attempt():
            try:
                self._table.put(Put(item))
            except ConditionFailed as failure:
                if failure.item is None or "status" in failure.item:
                    raise
                self._table.update(_added(item))

    def putting(self, record: AlertRecord, stops: Mapping[str, str] = MappingProxyType({})) -> Put:
        """Return the write of `put`, for a transaction."""
        return Put(_item(record, self._retention) | {"stops": _kept_stops(stops) or None})

    def earlier(self, trader: str, request_id: str) -> Earlier:
        """Return what the record of an alert tells its resend."""
        item = self._table.get(alert_key(trader, request_id)) or {}
        answered = bool(item.get("answered")) or ("status" in item and item["status"] < 500)
        recorded = item.get("results_again") or item.get("results") or ()
        results = tuple(map(_result, recorded))
        return Earlier(answered, results, item.get("stops", {}))

    def note_answered(self, trader: str, request_id: str, at: datetime) -> None:
        """Note in the record of an alert that a resend of it was answered; run twice, nothing more is written."""
        values = {":answered": True, ":expires": int((at + _SHORTEST).timestamp())}
        expression = "SET #answered = :answered, #expires = if_not_exists(#expires, :expires) REMOVE #open"
        with single_attempt(), suppress(ConditionFailed):
            key = alert_key(trader, request_id)
            self._table.update(Update(key, expression, "attribute_not_exists(#answered)", values))

    def note_again(self, trader: str, request_id: str, known: Earlier, at: datetime) -> None:
        """Note in the record of an alert what is known since a resend of it that is to be sent again itself."""
        values = {
            ":results": [_without_absent(result) for result in _kept_results(known.results, self._retention)],
            ":stops": _kept_stops(known.stops),
            ":expires": int((at + _SHORTEST).timestamp()),
        }
        expression = "SET #results_again = :results, #stops = :stops, #expires = if_not_exists(#expires, :expires)"
        with single_attempt(), suppress(ConditionFailed):
            key = alert_key(trader, request_id)
            self._table.update(Update(key, expression, "attribute_not_exists(#answered)", values))

    def note_result(self, trader: str, instruction: Instruction) -> None:
        """Note what became of an instruction in the record of its alert; run twice, it is noted once.

        The record is written last, so that it may come later. With no retention nothing is noted.
        """
        told = instruction.told
        if told is None or instruction.record_id is None or not self._retention:
            return
        _, _, number = instruction.instruction_id.partition(".")
        name = "_".join(filter(None, (_RESULT_OF, re.sub(r"\W", "_", number))))
        expires = datetime.fromisoformat(instruction.since) + self._retention
        values = {":told": _without_absent(told), ":expires": int(expires.timestamp())}
        expression = f"SET #{name} = :told, #expires = if_not_exists(#expires, :expires)"
        with suppress(ConditionFailed):
            key = alert_key(trader, instruction.record_id)
            self._table.update(Update(key, expression, f"attribute_not_exists(#{name})", values))

    def get(self, trader: str, request_id: str) -> AlertRecord | None:
        """Return the record of a request; None also for what is longer than any id, which DynamoDB would refuse."""
        item = self._table.get(alert_key(trader, request_id)) if len(request_id) <= _LONGEST_ID else None
        return _record(item) if item and _is_whole(item) else None

    def newest(
        self, trader: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[AlertRecord]:
        """Yield a trader's records, newest first: of what was received at `since` or later, and before `until`."""
        low = id_prefix(since) if since else "0"
        high = id_prefix(until) if until else "~"  # after every hexadecimal digit
        return self._query(trader, "#sk BETWEEN :low AND :high", {":low": low, ":high": high})

    def page(
        self,
        trader: str,
        size: int,
        since: datetime | None = None,
        until: datetime | None = None,
        before: str | None = None,
    ) -> tuple[list[AlertRecord], str | None]:
        """Return what `newest` yields, at most so many, and where a further page begins: `before` the last one's id.

        None is where there is no further one. It is one request, unless the records are very large.
        """
        low = id_prefix(since) if since else "0"
        high = id_prefix(until) if until else "~"
        if before:
            high = min(high, f"{before[:-1]}{chr(ord(before[-1]) - 1)}~")  # what sorts before it
        if high < low:
            return [], None
        values = {":pk": alert_key(trader, "")["pk"], ":low": low, ":high": high}
        condition = "#pk = :pk AND #sk BETWEEN :low AND :high"
        asked = self._table.query(condition, values, newest_first=True, limit=size + 1)
        found = list(islice(asked, size + 1))
        records = [_record(item) for item in found[:size] if _is_whole(item)]
        return records, str(found[size - 1]["sk"]) if len(found) > size else None

    def unlooked(self, trader: str) -> Iterator[AlertRecord]:
        """Yield the records that a person has to look at and nobody has, newest first, by one bounded query."""
        values = {":pk": alert_key(trader, "")["pk"]}
        found = self._table.query("#pk = :pk", values, index="open", newest_first=True, limit=MOST_UNLOOKED)
        whole = (item for item in islice(found, MOST_UNLOOKED) if _is_whole(item) and "answered" not in item)
        return map(_record, whole)

    def looking(self, trader: str, request_id: str, by: str, at: datetime) -> Update:
        """Return the write that somebody has looked at it, for a transaction; it fails where somebody has before."""
        values = {":at": timestamp(at), ":by": by}
        expression = "SET #looked_at = :at, #looked_by = :by REMOVE #open"
        return Update(alert_key(trader, request_id), expression, "attribute_exists(#open)", values)

    def answers(self, trader: str, since: datetime, most: int, until: datetime | None = None) -> Iterator[Answered]:
        """Yield what alerts were answered, newest first, by one query of so many at most.

        Of those received at `since` or later, and before `until`.
        """
        high = id_prefix(until) if until else "~"
        values = {":pk": alert_key(trader, "")["pk"], ":low": id_prefix(since), ":high": high}
        names = ("sk", "status", "outcome", "duplicate", "origin", "results", "field")
        condition = "#pk = :pk AND #sk BETWEEN :low AND :high"
        found = self._table.query(condition, values, newest_first=True, limit=most, attributes=names)
        for item in islice(found, most):
            if "status" in item and "outcome" in item:
                yield Answered(
                    str(item["sk"]),
                    int(item["status"]),
                    str(item["outcome"]),
                    item.get("origin", "webhook"),
                    bool(item.get("duplicate")),
                    _is_partly_done([int(it["status"]) for it in item.get("results") or ()]),
                    item.get("field"),
                )

    def beginning_with(self, trader: str, prefix: str) -> Iterator[AlertRecord]:
        """Yield a trader's records whose request id begins with `prefix`, which must not be empty, newest first."""
        return self._query(trader, "begins_with(#sk, :prefix)", {":prefix": prefix})

    def _query(self, trader: str, condition: str, values: dict[str, object]) -> Iterator[AlertRecord]:
        values |= {":pk": alert_key(trader, "")["pk"]}
        found = self._table.query(f"#pk = :pk AND {condition}", values, newest_first=True)
        return map(_record, filter(_is_whole, found))


def _is_partly_done(statuses: Sequence[int]) -> bool:
    return any(status >= 400 for status in statuses) and any(status < 400 for status in statuses)


def _item(record: AlertRecord, retention: timedelta) -> Item:
    expires = datetime.fromisoformat(record.received_at) + (retention or _SHORTEST)
    key = alert_key(record.trader, record.request_id)
    results = [_without_absent(result) for result in _kept_results(record.results, retention)]
    extra: Item = {"expires": int(expires.timestamp()), "results": results or None}
    if not retention:
        return key | {"received_at": record.received_at, "status": record.status} | extra
    warnings = [warning._asdict() for warning in record.warnings]
    values = record._asdict()
    del values["instruction_results"]  # the bridge's reports write them
    # A list, because the table does not keep the order of a map.
    values |= {"fields": list(record.fields.items()), "warnings": warnings or None}
    # The index lists what carries it: of this partition what a person has to look at.
    extra["open"] = record.request_id if of_record(record) else None
    return key | values | {"instruction_ids": list(record.instruction_ids) or None} | extra


def _added(item: Item) -> Update:
    """Return the write of a record beside what has come before it."""
    key = {name: item[name] for name in ("pk", "sk")}
    present = {name: value for name, value in item.items() if value is not None and name not in key}
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in present)
    values = {f":{name}": value for name, value in present.items()}
    return Update(key, expression, "attribute_not_exists(#status)", values)


def _kept_results(results: Iterable[RecordedResult], retention: timedelta) -> Iterable[RecordedResult]:
    return results if retention else map(_status_alone, results)


def _kept_stops(stops: Mapping[str, str]) -> dict[str, str]:
    return dict(islice(stops.items(), MAX_ORDER_IDS))


def _status_alone(result: RecordedResult) -> RecordedResult:
    return RecordedResult("", result.status, result.outcome, duplicate=result.duplicate)


def _without_absent(result: RecordedResult | InstructionResult) -> Item:
    return {name: value for name, value in result._asdict().items() if value not in (None, (), False, "")}


def _is_whole(item: Mapping[str, Any]) -> bool:
    """Return whether a record is there to be read, and not only what tells a resend."""
    return "fields" in item


def _record(item: Mapping[str, Any]) -> AlertRecord:
    try:
        return _read(item)
    except (AttributeError, KeyError, TypeError, ValueError):
        received_at = timestamp(datetime.fromtimestamp(int(item["sk"][:12], 16) / 1000, UTC))
        trader = item["pk"].partition("#")[2]
        return AlertRecord(trader, item["sk"], received_at, "", "", "", {}, None, 0, Decimal(0), UNREADABLE)


def _read(item: Mapping[str, Any]) -> AlertRecord:
    values = {name: item[name] for name in AlertRecord._fields if name in item}
    typed = {
        "fields": dict(item["fields"]),
        "command": item.get("command"),
        "status": int(item["status"]),
        "order_ids": tuple(item["order_ids"]),
        "instruction_ids": tuple(item.get("instruction_ids", ())),
        "instruction_results": tuple(_instruction_results(item)),
        "warnings": tuple(map(_warning, item.get("warnings", ()))),
        "results": tuple(map(_result, item.get("results", ()))),
    }
    return AlertRecord(**values | typed)


def _instruction_results(item: Mapping[str, Any]) -> Iterator[InstructionResult]:
    for name in sorted(name for name in item if name.startswith(_RESULT_OF)):
        values = {field: item[name][field] for field in InstructionResult._fields if field in item[name]}
        yield InstructionResult(**values | {"order_ids": tuple(values.get("order_ids", ()))})


def _warning(value: Mapping[str, Any]) -> AlertWarning:
    return AlertWarning(str(value["code"]), value.get("field"), str(value["detail"]))


def _result(value: Mapping[str, Any]) -> RecordedResult:
    values = {name: value[name] for name in RecordedResult._fields if name in value}
    typed = {"status": int(value["status"]), "order_ids": tuple(value.get("order_ids", ()))}
    return RecordedResult(**{"account": ""} | values | typed)
