"""One order: how it stands, its legs or its entry, what its venue has, what can be done, and all that has happened."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import htpy as h
from htpy import Node

from orderhook.attention.entries import ENTRIES
from orderhook.console import placed
from orderhook.console.closed import seen_closed
from orderhook.console.http import address
from orderhook.console.pages import came_of, layout, order_cancel, parts
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.listing import Unreadable, find_legs
from orderhook.orders import CHANGEABLE, PRICES, Event, Order, decimal_text
from orderhook.records import cause
from orderhook.responses import Response
from orderhook.venue_words import guidance_for_reason

_Tell = Callable[[Order, Order | None], Node]
"""Says what became of an order; of a leg its entry says whether it has to protect."""

_SHOWN_FIRST = ("alarm", "filled", "average", "qty", "order_type", "tif", *PRICES)
"""The order of an event's values; the others follow. The table does not keep that of a map."""


def page(visit: Visit) -> Response:
    """Answer with the order that the query names."""
    order_id = visit.request.parameter("orderId")
    order = order_cancel.find(visit, visit.request.parameter("account"), order_id)
    if order is None:
        return came_of.not_found(visit, "order", order_id, here=parts.ORDERS)
    if isinstance(order, Unreadable):
        return layout.respond(visit, "Order", _unreadable(order), here=parts.ORDERS)
    now = parts.now_of(visit)
    entry = order_cancel.entry_of(visit, order)
    tell = partial(parts.order_fate, now=now, closed=seen_closed(visit))
    legs = find_legs(visit.services, visit.trader, order, now) if order.legs else []
    content = h.fragment[
        h.h1["Order ", value(order.order_id)],
        came_of.note(visit, order, entry),
        h.div(".panel", data_part="order")[
            h.p(".facts")[parts.words(order), " in ", value(order.account)],
            h.p(".facts")[tell(order, entry)],
            _unresolved(order),
            _alarms(order, legs),
            _acts(visit, order, entry),
        ],
        h.div(".two", data_part="facts")[
            h.section[h.h2["What is known"], _facts(order)],
            _relatives(order, entry, legs, tell),
        ],
        h.h2["History"],
        _history(order),
    ]
    return layout.respond(visit, f"Order {order.order_id[:40]}", content, here=parts.ORDERS)


def _unreadable(order: Unreadable) -> Node:
    return h.fragment[
        h.h1["Order ", value(order.id)],
        h.div(".panel", data_part="order")[
            h.p(".facts")[parts.unreadable(order)],
            h.p[value(order.instrument or "-"), " in ", value(order.account or "-")],
            h.p[
                "Its item was written by another version, or is damaged. Nothing can be done to it from here: install "
                "the version that wrote it, and end at the broker what must end now."
            ],
        ],
    ]


def _unresolved(order: Order) -> Node:
    if not order.unresolved or not order.is_open:
        return None
    return h.div(".notice.bad")[
        h.p[
            "The bridge cannot know what became of it. Look into NinjaTrader, at Orders and Executions. A later file "
            "of NinjaTrader's ends this by itself; otherwise say what you have seen, with this order's id in quotes "
            "for ORDER:"
        ],
        h.pre["orderhook resolve ORDER cancelled\norderhook resolve ORDER filled=N"],
    ]


def _alarms(order: Order, legs: Sequence[Order | Unreadable]) -> Node:
    released = [leg for leg in legs if isinstance(leg, Order) and leg.released_at]
    # What a leg was told while it waited stands in its own history, too.
    rung = sorted(dict.fromkeys(alarm for it in (order, *released) for alarm in placed.alarms_of(it)))
    if not rung:
        return None
    return h.div(".notice.bad")[(_alarm(*alarm) for alarm in rung)]


def _alarm(at: str, name: str, told: str) -> Node:
    """Return what has rung of an order or a leg, and what to do."""
    known = (ENTRIES.get(code) for code in re.split(r"[:,]", told))
    entry = next((it for it in known if it), None)
    text = entry.what_to_do if entry else "Compare it with NinjaTrader now."
    return h.fragment[
        h.p[
            h.span(".mark", aria_hidden="true")["!"],
            h.span(".word")["ALARM"],
            " of ",
            value(name),
            ": ",
            value(told),
            ", at ",
            parts.day_and_time(at),
        ],
        h.p[text, f" `orderhook {entry.command}`" if entry and entry.command and "{" not in entry.command else None],
        h.p(".why")["All of them: docs/bridge.md, Alarms."],
    ]


def _acts(visit: Visit, order: Order, entry: Order | None) -> Node:
    if not order.is_open:
        return None
    can_change = order.state in CHANGEABLE and order_cancel.is_addressable(order)
    account, order_id = order.account, order.order_id

    def link(command: str) -> str:
        return address(parts.TRADE, {"command": command, "account": account, "orderId": order_id})

    what = "Change price" if order.entry_id and order.venue else "Change price or quantity"
    closes = address(f"{parts.STRATEGY}/close", {"strategyId": order.strategy_id or ""})
    return h.div(".acts")[
        order_cancel.button(visit, order, entry),
        h.a(".button", href=link("CHANGE"))[what] if can_change else None,
        h.a(".button", href=link("CANCELREPLACE"))["Replace"] if can_change else None,
        h.a(".button", href=closes)["Close the whole strategy …"] if order.strategy_id else None,
    ]


def _facts(order: Order) -> Node:
    pairs = [(name, content) for name, content in _pairs(order) if content is not None]
    return h.dl(".pairs")[((h.dt[name], h.dd[content]) for name, content in pairs)]


def _pairs(order: Order) -> Iterator[tuple[str, Node]]:
    yield "placed", [parts.day_and_time(placed.placed_at(order)), " ", layout.age(placed.placed_at(order))]
    yield "since", [value(order.state), " since ", parts.day_and_time(order.since)]
    yield "account", value(order.account)
    yield "instrument", value(order.instrument)
    strategy = [parts.strategy_link(order.strategy_id), ", as ", value(order.order_name or "none yet")]
    yield "strategy", strategy if order.strategy_id else None
    average = f" @ {decimal_text(round(order.average, 6))}" if order.average is not None else ""
    yield "filled", f"{order.filled} of {order.present_qty}{average}"
    yield "the venue has", _confirmed(order) if order.venue else "no venue: it stands in the table alone"
    if order.want is not None and order.acked < order.want.n and order.is_open:
        yield "not answered", [value(order.want.kind), ", asked ", parts.day_and_time(order.want.at)]
    yield "its reason", value(order.reason) if order.reason else None
    guidance = None if order.is_open else guidance_for_reason(order.reason)
    yield "what to do", f"{guidance.meaning} {guidance.what_to_do}" if guidance else None
    yield "group (OCO)", value(order.oco_id) if order.oco_id else None
    yield "template", value(order.atm_template or order.template) if order.atm_template or order.template else None
    yield "due", parts.day_and_time(order.due) if order.due and order.is_open else None
    yield "day ends", parts.day_and_time(order.day_ends) if order.day_ends else None
    yield "time limit", parts.day_and_time(order.cancels_at) if order.cancels_at else None
    yield "replaced", f"{order.generation - 1} times" if order.generation > 1 else None
    yield "made by", value(order.made_by) if order.made_by else None
    yield "notes", value(order.notes) if order.notes else None


def _confirmed(order: Order) -> Node:
    if not order.confirmed:
        return "confirmed nothing yet"
    return value(", ".join(f"{name} {text}" for name, text in _ordered(order.confirmed)))


def _relatives(order: Order, entry: Order | None, legs: Sequence[Order | Unreadable], tell: _Tell) -> Node:
    if order.entry_id is not None:
        gone = h.p[value(order.entry_id), ", which has left the table."]
        return h.section[h.h2["Its entry"], _relative(entry, entry.order_id, None, tell) if entry else gone]
    if not legs:
        return h.section[h.h2["Targets and stops"], h.p(".dim")[_no_legs(order)]]
    names = ((leg, str(leg.order_name) if isinstance(leg, Order) else leg.id) for leg in legs)
    return h.section[h.h2["Targets and stops"], (_relative(leg, name, order, tell) for leg, name in names)]


def _no_legs(order: Order) -> str:
    if order.atm_template:
        return "NinjaTrader's own, by its template: orderhook does not know them."
    return "None of its own." if order.due is None else "They get their names when its delay is over."


def _relative(row: Order | Unreadable, name: str, entry: Order | None, tell: _Tell) -> Node:
    if isinstance(row, Unreadable):
        return h.p[parts.order_link(row), " ", parts.unreadable(row)]
    return h.div(".relative")[h.p[parts.order_link(row, name), " ", parts.words(row)], h.p[tell(row, entry)]]


def _history(order: Order) -> Node:
    heads = ("time", "state", "what", "by")
    dropped = f"{order.history_dropped} entries after the first were dropped." if order.history_dropped else None
    return h.fragment[
        h.p(".dim")[dropped] if dropped else None,
        h.table(".rows.history", data_part="history")[
            h.thead[h.tr[(h.th(scope="col")[name] for name in heads)]],
            h.tbody[(_event(order, event) for event in reversed(order.history))],
        ],
    ]


def _event(order: Order, event: Event) -> Node:
    changes = _ordered({name: text for name, text in event.changes.items() if name != "alarm"})
    alarm = event.changes.get("alarm")
    return h.tr[
        h.td(".t")[parts.day_and_time(event.at)],
        h.td[
            value(event.state or event.unknown.get("state") or _end_of_leg(order, event) or "-"),
            h.p(".why")[value(event.leg)] if event.leg else None,
        ],
        h.td(".wide")[
            h.p(".note.bad")[h.span(".word")["ALARM "], value(alarm)] if alarm else None,
            [[h.span(".pair")[value(f"{name} {text}")], " "] for name, text in changes],
        ],
        h.td[_by(event)],
    ]


def _end_of_leg(order: Order, event: Event) -> str:
    """Return what an event says that has no state and no values: the cancel of a leg that waited for its entry."""
    if event.leg is None or event.changes:
        return ""
    return "cancel asked" if order.venue and event.key_id != order.venue else "cancelled"


def _by(event: Event) -> Node:
    shown = cause(event.request_id)
    if shown != event.request_id or shown.startswith("report."):
        return value("a report of the bridge" if shown.startswith("report.") else shown)
    return parts.alert_link(event.request_id, f"alert {event.request_id[:16]}")


def _ordered(values: Mapping[str, str]) -> list[tuple[str, str]]:
    known = [name for name in _SHOWN_FIRST if name in values]
    return [(name, values[name]) for name in (*known, *sorted(values.keys() - set(known)))]
