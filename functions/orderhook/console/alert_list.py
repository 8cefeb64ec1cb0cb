"""A page of alerts as a person reads them: which records, what became of each, and which belong together."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import NamedTuple

from orderhook.console.alert_words import fields_by_name
from orderhook.console.closed import seen_closed
from orderhook.console.fates import Closed, Fate, Mark, answer_of, fate_for, fate_of_instruction, mark_of_row, worst
from orderhook.console.overview import LaterResults, shown_as
from orderhook.console.visit import Visit
from orderhook.errors import InvalidValueError
from orderhook.listing import Instructed, Snapshot, Unreadable, take_snapshot
from orderhook.orders import Order, timestamp
from orderhook.payload import lower
from orderhook.records import parse_time
from orderhook.resend import EARLIEST, LATEST
from orderhook.store.alert_log import AlertRecord, end_of_id, id_prefix
from orderhook.trade_window import NEW_YORK, day_began

SHOWN = 50
"""How many alerts a page has."""
ORDERS_OF_ROW = 4
SEARCH_SECONDS = 1.3
"""How long records are searched before a page says how far it came; the rest of a request's time is for the page."""
READ_AT_ONCE = 200
"""How many records a search reads by one request."""

SIGN_INS = "sign-ins"
KINDS: Mapping[str, str] = {
    "": "All",
    "done": "Done",
    "refused": "Refused",
    "repeated": "Repeated",
    "later": "Later",
    SIGN_INS: "Sign-ins",
}
"""What may be asked for. A sign-in stands only where it is: whoever has just come in asks about an alert."""
SPANS: Mapping[str, str] = {"1h": "1 h", "today": "today", "7d": "7 d"}

_POSITION = re.compile(r"[0-9a-f]{1,64}[0-9a-z_.]{0,40}")


class Asked(NamedTuple):
    """Which alerts a page is to show."""

    kind: str = ""
    text: str = ""
    span: str = "today"
    start: str = ""
    end: str = ""
    """What was typed, where the span is one's own."""
    since: datetime | None = None
    until: datetime | None = None
    before: str = ""
    """Where a further page begins."""
    fault: str = ""
    """Why a time that was typed is none."""

    @property
    def filters(self) -> bool:
        """Whether records have to be looked through for it."""
        return bool(self.kind or self.text)

    def parameters(self, **changes: str) -> dict[str, str]:
        """Return the query of the page that shows the same but for these; a further page begins anew."""
        typed = {"from": self.start, "to": self.end} if self.span == "own" else {}
        span = "" if self.span == "today" else self.span
        return {"show": self.kind, "q": self.text, "span": span, **typed} | changes


def parse(visit: Visit) -> Asked:
    """Return what the query of a page asks for; what nobody can ask for is left out."""
    ask = visit.request.parameter
    kind, span, before = ask("show"), ask("span"), ask("before")
    asked = Asked(
        kind=kind if kind in KINDS else "",
        text=ask("q").strip()[:200],
        before=before if _POSITION.fullmatch(before) else "",
    )
    if span != "own":
        span = span if span in SPANS else "today"
        return asked._replace(span=span, since=_beginning(span, visit.now))
    asked = asked._replace(span=span, start=ask("from").strip()[:40], end=ask("to").strip()[:40])
    try:
        since, until = (parse_time(text, visit.now, NEW_YORK) if text else None for text in (asked.start, asked.end))
    except InvalidValueError as error:
        return asked._replace(fault=error.detail, since=day_began(visit.now))
    return asked._replace(since=since, until=until)


def _beginning(span: str, now: datetime) -> datetime:
    return {"1h": now - timedelta(hours=1), "today": day_began(now), "7d": now - timedelta(days=7)}[span]


# Reading


class Found(NamedTuple):
    """The records of a page."""

    records: Sequence[AlertRecord]
    older: str | None
    """Where a further page begins; None where there is nothing older in the span."""
    searched_to: datetime | None = None
    """How far back records were searched, where the time was over before a page was full."""
    context: Sequence[AlertRecord] = ()
    """What was looked through besides, where there is a filter: some of it may belong to what was found."""


def read(visit: Visit, asked: Asked, ends: float) -> Found:
    """Return the newest records that are asked for; with a filter until a second of time.monotonic()."""
    found = _read(visit, asked, ends)
    above = _repetitions_above(visit, asked, found.records)
    return found._replace(context=[*found.context, *filter(visit.sees, above)])


def _repetitions_above(visit: Visit, asked: Asked, records: Sequence[AlertRecord]) -> Sequence[AlertRecord]:
    """Return what came just after a page that is not the newest, where that may repeat what was answered 5xx."""
    if not records or not (asked.before or asked.until):
        return ()
    newest = _at(records[0])
    latest = max((_at(it) + LATEST for it in records if it.status >= 500), default=newest)
    if latest <= newest:
        return ()
    return visit.services.alert_log.page(visit.trader, READ_AT_ONCE, newest, latest)[0]


def _read(visit: Visit, asked: Asked, ends: float) -> Found:
    log, trader = visit.services.alert_log, visit.trader
    if visit.sees_all and not asked.filters:
        newest, older = log.page(trader, SHOWN, asked.since, asked.until, asked.before)
        if older is None or not all(map(_is_sign_in, newest)):
            return Found([it for it in newest if _matches(it, asked)], older)
    found: list[AlertRecord] = []
    passed: list[AlertRecord] = []
    results = LaterResults()
    position: str | None = asked.before
    while position is not None:
        records, position = log.page(trader, READ_AT_ONCE, asked.since, asked.until, position)
        for record in filter(visit.sees, records):
            is_told = results.has(record.answered) and asked.kind == "later"
            (found if not is_told and _matches(record, asked) else passed).append(record)
        if len(found) > SHOWN:
            return Found(found[:SHOWN], found[SHOWN - 1].request_id, context=passed)
        if position and time.monotonic() >= ends:
            return Found(found, position, _time_of(position), passed)
    return Found(found, None, context=passed)


def _is_sign_in(record: AlertRecord) -> bool:
    return record.outcome in ("signed_in", "signed_out")


def _matches(record: AlertRecord, asked: Asked) -> bool:
    if asked.kind == SIGN_INS:
        is_of_kind = _is_sign_in(record)
    elif asked.kind:
        is_of_kind = asked.kind == shown_as(record.answered)
    else:
        is_of_kind = bool(asked.text) or not _is_sign_in(record)
    return is_of_kind and (not asked.text or _says(record, lower(asked.text)))


def _says(record: AlertRecord, text: str) -> bool:
    """Return whether a record is about what somebody looks for: an order, strategy, instrument, code, or its own id."""
    if record.request_id.startswith(text):
        return True
    fields = fields_by_name(record)
    named = (fields.get(name) for name in ("order_id", "strategy_id", "instrument", "account"))
    codes = (record.outcome, *(result.outcome for result in record.results))
    said = (*named, record.instrument, record.command, *record.order_ids, *codes)
    return any(text in lower(it) or text in lower(it).replace("_", " ") for it in said if it)


def _time_of(record_id: str) -> datetime:
    return datetime.fromtimestamp(int(record_id[:_TIME_DIGITS], 16) / 1000, NEW_YORK)


_TIME_DIGITS = len(id_prefix(datetime(2000, 1, 1, tzinfo=NEW_YORK)))
_ALERT_ID = re.compile(rf"[0-9a-f]{{{_TIME_DIGITS},}}")


# Rows


class Related(NamedTuple):
    """Another alert that one has to do with."""

    request_id: str
    seconds: float
    """How much later this one came; below 0 how much earlier."""
    account: str = ""
    """Where it is about one account of several."""
    outcome: str = ""
    """What that one was answered, where it is known."""


class Row(NamedTuple):
    """An alert, what became of it, and what it has to do with others."""

    record: AlertRecord
    mark: Mark
    fates: Sequence[tuple[Order, Fate]] = ()
    unreadable: Sequence[Unreadable] = ()
    asked: Sequence[tuple[Instructed, Fate]] = ()
    gone: int = 0
    """How many of its orders the table has no more."""
    more: int = 0
    """How many of its orders were not looked at."""
    repeats: Sequence[Related] = ()
    """The alerts that had done before what this one asks for."""
    resend_of: Related | None = None
    """What was answered 5xx, so that TradingView sent it again."""
    came_again: Related | None = None
    """What came of it when TradingView sent it again."""
    result: AlertRecord | None = None
    """What came of it later, when its delay was over."""

    @property
    def due(self) -> str | None:
        """When its delay is over, where it has one."""
        delay = fields_by_name(self.record).get("delay", "")
        if not re.fullmatch("[0-9]{1,4}", delay):
            return None
        return timestamp(_at(self.record) + timedelta(seconds=int(delay)))


def rows_of(visit: Visit, records: Sequence[AlertRecord], context: Sequence[AlertRecord] = ()) -> list[Row]:
    """Return the rows of some records, newest first, by one request; `context` are others that may belong to them."""
    now = timestamp(visit.now)
    shown = [_orders_of(record)[:ORDERS_OF_ROW] for record in records]
    # One of each alert first: what cannot be asked for in one request is a further order of some alert.
    order_ids = [it for it in chain.from_iterable(zip_longest(*shown)) if it]
    instruction_ids = [it for record in records for it in _without_result(record)[:ORDERS_OF_ROW]]
    snapshot = Snapshot({}, {}, frozenset())
    if order_ids or instruction_ids:
        voided = visit.controls().voided
        snapshot = take_snapshot(visit.services, visit.trader, order_ids, instruction_ids, now, voided)
    belonging = _Belonging([*records, *context])
    closed = seen_closed(visit)
    return [_row(record, ids, snapshot, belonging, now, closed) for record, ids in zip(records, shown, strict=True)]


def _orders_of(record: AlertRecord) -> list[str]:
    """Return the ids of an alert's orders: of several accounts first one of each."""
    of_accounts = zip_longest(*(result.order_ids for result in record.results))
    made = (order_id for result in record.instruction_results for order_id in result.order_ids)
    return list(dict.fromkeys(it for it in (*chain.from_iterable(of_accounts), *record.order_ids, *made) if it))


def _without_result(record: AlertRecord) -> list[str]:
    known = {result.instruction_id for result in record.instruction_results}
    return [it for it in record.instruction_ids if it not in known]


def _row(
    record: AlertRecord,
    order_ids: Sequence[str],
    snapshot: Snapshot,
    belonging: "_Belonging",
    now: str,
    closed: Closed,
) -> Row:
    found = [snapshot.orders[it] for it in order_ids if it in snapshot.orders]
    orders = [it for it in found if isinstance(it, Order)]
    unreadable = [it for it in found if isinstance(it, Unreadable)]
    entries = [it for it in snapshot.orders.values() if isinstance(it, Order)]
    by_id = {entry.order_id: entry for entry in entries}
    left_out = len([it for it in order_ids if it in snapshot.left_out])
    instructed = [*_instructed(record, snapshot)]
    came_again = belonging.came_again(record)
    was_done = came_again is not None and came_again[1].status < 400
    result = belonging.result(record)
    mark = mark_of_row(
        record,
        orders,
        now,
        instructed=instructed,
        entries=entries,
        came_again=was_done,
        result=result,
        closed=closed,
    )
    return Row(
        record,
        worst((mark, Mark.WARN)) if unreadable else mark,
        fates=[(it, fate_for(record, it, now, by_id.get(it.entry_id or ""), closed=closed)) for it in orders],
        unreadable=unreadable,
        asked=[(it, fate_of_instruction(it)) for it in instructed],
        gone=len(order_ids) - len(found) - left_out,
        more=len(_orders_of(record)) - len(order_ids) + left_out,
        repeats=_repeats(record, orders, belonging),
        resend_of=belonging.resend_of(record),
        came_again=came_again and came_again[0],
        result=result,
    )


def _instructed(record: AlertRecord, snapshot: Snapshot) -> Iterator[Instructed]:
    known = {result.instruction_id: result for result in record.instruction_results}
    for it in record.instruction_ids[:ORDERS_OF_ROW]:
        asked = snapshot.instructions.get(it)
        yield Instructed(it, asked, known.get(it) or (asked and asked.told))


def _repeats(record: AlertRecord, orders: Iterable[Order], belonging: "_Belonging") -> Sequence[Related]:
    """Return which alerts had done what this one repeats: its orders say it, or an equal alert on the page."""
    several = len(record.results) > 1
    again = {result.account for result in record.results if result.duplicate or "already_" in result.outcome}
    found: dict[tuple[str, str], Related] = {}
    if answer_of(record).kind == "repeated" or again:
        for order in orders:
            if several and order.account not in again:
                continue
            done_by = order.cancel_request_id if "cancel" in record.outcome else order.placed_by
            alert_id = (done_by or "").partition(".")[0]
            if _ALERT_ID.match(alert_id) and alert_id != record.request_id:
                account = order.account if several else ""
                found.setdefault((alert_id, account), Related(alert_id, _later(alert_id, record), account))
        if not found and (equal := belonging.done_before(record)):
            return [Related(equal.request_id, _later(equal.request_id, record), outcome=equal.outcome)]
    return list(found.values())


def _later(earlier_id: str, record: AlertRecord) -> float:
    return _ms(record.request_id) - _ms(earlier_id)


def _ms(record_id: str) -> float:
    return int(record_id[:_TIME_DIGITS], 16) / 1000 if _ALERT_ID.match(record_id) else 0.0


class _Belonging:
    """Which of some records belong together: the same alert again, and what followed one."""

    def __init__(self, records: Iterable[AlertRecord]) -> None:
        self._equal: dict[object, list[AlertRecord]] = {}
        self._results: dict[str, AlertRecord] = {}
        for record in sorted(records, key=lambda record: record.request_id):
            self._equal.setdefault(_text(record), []).append(record)
            if record.origin == "delayed":
                self._results[end_of_id(record.request_id)] = record

    def came_again(self, record: AlertRecord) -> tuple[Related, AlertRecord] | None:
        """Return what came of an alert that was answered 5xx when it came again: what was done, else the last one."""
        if record.status < 500 or record.origin != "webhook":
            return None
        later = [it for it in self._equal[_text(record)] if EARLIEST <= _at(it) - _at(record) <= LATEST]
        final = next((it for it in later if it.status < 500), later[-1] if later else None)
        return final and (_related(final, record), final)

    def resend_of(self, record: AlertRecord) -> Related | None:
        """Return the first receipt, answered 5xx, of an alert that TradingView sent again."""
        earlier = (it for it in self._equal[_text(record)] if EARLIEST <= _at(record) - _at(it) <= LATEST)
        first = next((it for it in earlier if it.status >= 500), None)
        return first and _related(first, record)

    def done_before(self, record: AlertRecord) -> AlertRecord | None:
        """Return the equal alert before this one that was done."""
        before = (it for it in self._equal[_text(record)] if it.request_id < record.request_id)
        return next((it for it in before if answer_of(it).kind in ("done", "later")), None)

    def result(self, record: AlertRecord) -> AlertRecord | None:
        """Return what came of an alert when its delay was over."""
        if record.origin == "delayed":
            return None
        return self._results.get(end_of_id(record.request_id))


def _text(record: AlertRecord) -> object:
    # What came by the queue, or was done by an operator, is no alert that comes again.
    if record.origin not in ("webhook", "api", "console") or not record.fields:
        return record.request_id
    return record.origin, record.key_id, tuple(record.fields.items())


def _related(other: AlertRecord, record: AlertRecord) -> Related:
    return Related(other.request_id, (_at(record) - _at(other)).total_seconds(), outcome=other.outcome)


def _at(record: AlertRecord) -> datetime:
    return datetime.fromisoformat(record.received_at)
