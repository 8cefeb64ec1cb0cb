"""What was filled, as the bridge has told it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from orderhook import administration
from orderhook.console.api import paging, writing
from orderhook.console.api.call import Call
from orderhook.console.api.positions import check_account
from orderhook.limits import allows_instrument
from orderhook.listing import each_readable
from orderhook.orders import folded
from orderhook.representations import represent_execution
from orderhook.responses import Response
from orderhook.store.bridge import ExecutionRecord
from orderhook.trade_window import day_began, day_in_new_york


def of_all(call: Call) -> Response:
    """Answer with the executions of the span, newest first."""
    return _listed(call, call.query.account)


def of_account(call: Call) -> Response:
    """Answer with those of an account."""
    check_account(call)
    return _listed(call, call.account)


def _listed(call: Call, account: str | None) -> Response:
    asked = call.query.instrument
    instrument = administration.instrument_name(asked, day_in_new_york(call.now)) if asked else None

    def is_wanted(it: ExecutionRecord) -> bool:
        return (
            call.reaches(it.account, it.instrument)
            and (account is None or (it.account is not None and folded(it.account) == folded(account)))
            and (instrument is None or (it.instrument is not None and allows_instrument((instrument,), it.instrument)))
        )

    page = paging.take(
        call,
        _executions(call),
        is_wanted=is_wanted,
        represent=lambda it: writing.for_programs(represent_execution(it)),
        cursor_at=lambda it: paging.cursor("executions", it.at, it.venue_id, str(it.cumulative)),
    )
    return writing.success(executions=page.shown, nextCursor=page.next_cursor)


def _executions(call: Call) -> Iterator[ExecutionRecord]:
    query = call.query
    since, until, behind = query.since or day_began(call.now), query.until, ""
    if query.cursor:
        _, *place = paging.position(query.cursor, executions=3)
        behind = "#".join(place)
        try:
            at = datetime.fromisoformat(place[0]) + timedelta(microseconds=1)
            until = min(until, at) if until else at
        except (ValueError, TypeError, OverflowError):
            raise paging.bad_cursor() from None
    for it in each_readable(call.services.bridge.ledger(call.trader, since, until)):
        if isinstance(it, ExecutionRecord) and (not behind or f"{it.at}#{it.venue_id}#{it.cumulative}" < behind):
            yield it
