"""Strategies: where they trade, and which entries their names lead to."""

from collections.abc import Iterator

from orderhook.console.api import paging, writing
from orderhook.console.api.call import Call
from orderhook.listing import each_readable
from orderhook.orders import Strategy
from orderhook.responses import Response


def listed(call: Call) -> Response:
    """Answer with the strategies, by id."""
    page = paging.take(
        call,
        _strategies(call),
        is_wanted=lambda it: call.reaches(it.account, it.instrument),
        represent=_represent,
        cursor_at=lambda it: paging.cursor("strategies", it.strategy_id),
    )
    return writing.success(strategies=page.shown, nextCursor=page.next_cursor)


def _strategies(call: Call) -> Iterator[Strategy]:
    parts = paging.position(call.query.cursor, strategies=1) if call.query.cursor else []
    for strategy in each_readable(call.services.strategies.list(call.trader)):
        if strategy and (not parts or strategy.strategy_id > parts[1]):
            yield strategy


def _represent(strategy: Strategy) -> dict[str, object]:
    entries = {f"ENTRY{number}": it.order_id for number, it in sorted(strategy.numbers.items()) if not it.legs_only}
    return {
        "strategyId": strategy.strategy_id,
        "account": strategy.account,
        "instrument": strategy.instrument,
        "template": strategy.template,
        "entries": entries,
        "closedAt": strategy.closed_at,
    }
