"""What came in and what became of it; and what an alert would do."""

from collections.abc import Iterator

from orderhook import keys, representations
from orderhook.console.api import paging, writing
from orderhook.console.api.call import Call
from orderhook.console.api.errors import AlertNotFoundError
from orderhook.console.sight import reaches_record
from orderhook.errors import InvalidValueError
from orderhook.explain import explain
from orderhook.listing import instructions_of
from orderhook.records import RecordFilter
from orderhook.responses import Response
from orderhook.store.alert_log import AlertRecord
from orderhook.trade_window import day_in_new_york


def listed(call: Call) -> Response:
    """Answer with the records of alerts, newest first."""
    query = call.query
    wanted = RecordFilter.parse(query.status, query.command, query.order_id)
    page = paging.take(
        call,
        _records(call),
        is_wanted=lambda record: wanted.matches(record) and _reaches(call, record),
        represent=_represent,
        cursor_at=lambda record: paging.cursor("alerts", record.request_id),
    )
    return writing.success(alerts=page.shown, nextCursor=page.next_cursor)


def one(call: Call) -> Response:
    """Answer with the record of an alert, and what it asks of positions."""
    request_id = call.path["requestId"]
    found = call.services.alert_log.get(call.trader, request_id) if paging.came_in(request_id) else None
    if found is None or not _reaches(call, found):
        raise AlertNotFoundError("There is no record of such an alert.")
    shown = _represent(found)
    if found.instruction_ids:
        asked = (representations.represent_instructed(it) for it in instructions_of(call.services, found))
        shown["instructions"] = writing.for_programs(list(asked))
    return writing.success(alert=shown)


def check(call: Call) -> Response:
    """Answer what the webhook would do with an alert; its key is looked at for its form alone, if it has one."""
    some_key, _ = keys.issue(trader="", label="", scopes=frozenset(), created="")
    text, day = call.body.alert.encode(), day_in_new_york(call.now)
    explained = representations.represent_explanation(explain(text, some_key, call.services.venue, day))
    return writing.success(**writing.for_programs(explained))


def _records(call: Call) -> Iterator[AlertRecord]:
    """Yield the records of the span and the cursor."""
    query = call.query
    since, until, before = query.since, query.until, None
    if query.cursor:
        _, before = paging.position(query.cursor, alerts=1)
        until = paging.until_request(until, before)
    if query.after is not None:
        at = paging.came_in(query.after)
        if at is None:
            raise InvalidValueError("after is not the requestId of an alert.", field="after")
        since = max(since, at) if since else at
    for record in call.services.alert_log.newest(call.trader, since, until):
        if query.after is not None and record.request_id <= query.after:
            return
        if before is None or record.request_id < before:
            yield record


def _reaches(call: Call, record: AlertRecord) -> bool:
    return reaches_record(call.key.limits, call.key.key_id, record)


def _represent(record: AlertRecord) -> dict[str, object]:
    shown: dict[str, object] = writing.for_programs(representations.represent_alert_record(record))
    return shown
