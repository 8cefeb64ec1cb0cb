"""What was filled, by the days of the exchange, as the bridge has told it; without a venue nothing is."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import htpy as h
from htpy import Node

from orderhook.console import placed
from orderhook.console.fates import Mark
from orderhook.console.http import address
from orderhook.console.pages import layout, parts
from orderhook.console.pages.positions import no_venue
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.limits import allows_instrument
from orderhook.listing import each_readable
from orderhook.orders import decimal_text, folded
from orderhook.profit import trading_day
from orderhook.responses import Response
from orderhook.store.bridge import ExecutionRecord
from orderhook.trade_window import NEW_YORK

SHOWN = 200
"""As many stand on a page."""

_FILTERS = {"account": "account", "instrument": "instrument"}
_MONDAY, _CLOSES = 0, time(17)


def page(visit: Visit) -> Response:
    """Answer with what was filled on a day, newest first."""
    if visit.services.venue.name is None:
        return layout.respond(visit, "Executions", no_venue("execution"), here=parts.POSITIONS)
    day = _day(visit)
    before = parts.before(visit)
    since, until = began(day), _ended(day)
    read = placed.InTime(
        each_readable(visit.services.bridge.ledger(visit.trader, since, min(until, before) if before else until))
    )
    found: list[ExecutionRecord] = []
    unreadable = 0
    for it in read:
        unreadable += it is None
        if isinstance(it, ExecutionRecord) and _is_wanted(visit, it):
            found.append(it)
        if len(found) > SHOWN:
            break
    more = found[SHOWN - 1].at if len(found) > SHOWN else None
    content = h.fragment[
        h.h1["Executions"],
        _days(visit, day),
        parts.filters(visit, parts.EXECUTIONS, _FILTERS, {"day": day.isoformat()}),
        h.p(".notice.warn")[f"{unreadable} cannot be read by this version."] if unreadable else None,
        h.p(".notice.warn")["Not all could be read in time: narrow the list."] if not read.complete else None,
        _table(found[:SHOWN]) if found else _nothing(day),
        h.p(".more-rows", data_part="more")[
            h.a(href=_address(visit, day=day.isoformat(), before=more))["older ones of this day"]
        ]
        if more
        else None,
        h.p(".dim")[
            "What was won by them, by account and day, without commissions: ",
            h.code[visit.command_line(f"positions --pnl --day {day.isoformat()}")],
        ],
    ]
    return layout.respond(visit, "Executions", content, here=parts.POSITIONS)


def began(day: date) -> datetime:
    """Return when a day of the exchange began: at 17:00 in New York of the day before, of a Monday on Friday."""
    return datetime.combine(day - timedelta(days=3 if day.weekday() == _MONDAY else 1), _CLOSES, NEW_YORK)


def _ended(day: date) -> datetime:
    return datetime.combine(day, _CLOSES, NEW_YORK)


def _day(visit: Visit) -> date:
    text = visit.request.parameter("day")
    today = trading_day(visit.now)
    try:
        day = date.fromisoformat(text) if text else today
    except ValueError:
        return today
    return day if date(2000, 1, 3) <= day <= today else today


def _address(visit: Visit, **more: str) -> str:
    return address(parts.EXECUTIONS, {name: visit.request.parameter(name) for name in _FILTERS} | more)


def _days(visit: Visit, day: date) -> Node:
    """Return links to the days before and after."""
    today = trading_day(visit.now)
    before = day - timedelta(days=3 if day.weekday() == _MONDAY else 1)
    after = day + timedelta(days=3 if day.weekday() == 4 else 1)
    return h.p(".bar")[
        h.a(".button", href=_address(visit, day=before.isoformat()))["← day before"],
        h.b[f"{day:%a %b} {day.day}, {day.year}" + (", today" if day == today else "")],
        h.a(".button", href=_address(visit, day=after.isoformat()))["day after →"] if day < today else None,
        h.span(".dim")["A day ends at 17:00 in New York."],
    ]


def _is_wanted(visit: Visit, it: ExecutionRecord) -> bool:
    if not visit.reaches(it.account, it.instrument):
        return False
    wanted = parts.wanted(visit)
    if wanted.account and (it.account is None or folded(it.account) != folded(wanted.account)):
        return False
    return not wanted.instrument or bool(it.instrument and allows_instrument((wanted.instrument,), it.instrument))


def _nothing(day: date) -> Node:
    return h.p(".empty", data_part="executions")[
        f"The bridge has told of nothing that was filled on {day:%b} {day.day} and that matches this."
    ]


def _table(found: Sequence[ExecutionRecord]) -> Node:
    heads = ("time", "what", "order", "account")
    return h.table(".rows.executions", data_part="executions", data_rows=True)[
        h.thead[h.tr[(h.th(scope="col")[name] for name in heads)]], h.tbody[map(_row, found)]
    ]


def _row(it: ExecutionRecord) -> Node:
    price = f" @ {decimal_text(it.price)}" if it.price is not None else " at a price that is not known"
    return h.tr(id=parts.row_id("x", f"{it.venue_id}#{it.cumulative}"))[
        h.td(".t")[layout.when(it.at), layout.age(it.at)],
        h.td(".wide")[h.span(".word")[value(it.action or "?"), f" {it.quantity} "], value(it.instrument or ""), price],
        h.td(".wide")[
            h.a(href=parts.order_address(it.account or "", it.order_id))[value(it.order_id)]
            if not it.unattached
            else [parts.marked(Mark.WARN, "belongs to no known order"), h.p(".why")["it names ", value(it.order_id)]]
        ],
        h.td[value(it.account or "-")],
    ]
