"""Close a strategy by hand: first a page that says what ends and what stays, then CLOSESTRATEGY."""

from collections.abc import Sequence

import htpy as h
from htpy import Node

from orderhook.console import acting
from orderhook.console.pages import came_of, forms, layout, parts
from orderhook.console.pages.order_cancel import positions_of
from orderhook.console.pages.positions import account_kind, side
from orderhook.console.pages.strategy import Known, find
from orderhook.console.pages.text import value
from orderhook.console.placed import placed_at
from orderhook.console.visit import Visit
from orderhook.orders import Order, folded
from orderhook.responses import Response
from orderhook.trade import protected_by

PATH = f"{parts.STRATEGY}/close"


def confirm(visit: Visit) -> Response:
    """Answer with what closing it ends, and the button that does it."""
    known = find(visit)
    return _confirmation(visit, known) if known else _not_found(visit, visit.request.parameter("strategyId"))


def send(visit: Visit) -> Response:
    """Close it, and lead to its page; sent again, nothing new is done.

    What has come in since the page said what would end is not ended: the page comes again, and says it anew.
    """
    form = visit.request.form
    once, strategy_id = form.get(forms.ONCE, ""), form.get("strategyId", "")
    known = find(visit)
    if known is None:
        return _not_found(visit, strategy_id)
    orders = [row.order_id for trade in known.trades for row in trade.rows if isinstance(row, Order)]
    if refused := acting.refusal(visit, once, lambda: _not_closed(visit, known), orders):
        return refused
    acted = acting.act_by_hand(visit, [("command", "CLOSESTRATEGY"), ("strategy_id", strategy_id)], once)
    return came_of.settled(visit, acted, parts.STRATEGY, {"strategyId": strategy_id}, here=parts.STRATEGIES)


def _not_closed(visit: Visit, known: Known) -> Response | None:
    """Answer what has come in since the page said what would end; None where nothing has."""
    seen = visit.request.form.get("seen", "")
    newer = [order for order in known.open_orders if _came_in(order) > seen]
    return _confirmation(visit, known, newer) if newer else None


def _not_found(visit: Visit, name: str) -> Response:
    return came_of.not_found(visit, "strategy", name, here=parts.STRATEGIES)


def _came_in(order: Order) -> str:
    """Return when an order or a leg came in; legs that a fill has released are as old as their entry."""
    return order.received_at or placed_at(order)


def _confirmation(visit: Visit, known: Known, newer: Sequence[Order] = ()) -> Response:
    orders = known.open_orders
    fields = {"strategyId": known.strategy_id, "seen": parts.now_of(visit)}
    hidden = (h.input(type="hidden", name=name, value=text) for name, text in fields.items())
    link = parts.strategy_address(known.strategy_id)
    content = h.div(".panel.warn")[
        h.h1["Close the strategy ", value(known.strategy_id), "?"],
        h.p(".notice.warn", role="alert")[
            f"{parts.count(len(newer), 'order')} came in since the page said what would end. Nothing was done: "
            "look again."
        ]
        if newer
        else None,
        _position(visit, known),
        h.h2[f"What is cancelled: {parts.count(len(orders), 'order')}"],
        parts.ending(orders, "Nothing of it is open now.", complete=known.complete),
        h.div(".acts")[
            forms.form(PATH, [hidden, forms.act_button(visit, "Close the strategy", class_="danger")]),
            h.a(".button", href=link)["Leave it"],
        ],
    ]
    status = 409 if newer else 200
    return layout.respond(visit, "Close a strategy", content, here=parts.STRATEGIES, status=status, live=False)


def _position(visit: Visit, known: Known) -> Node:
    """Return what closing it does to the position."""
    if visit.services.venue.name is None:
        return h.p(".facts")[h.b["Its position stays."], " There is no venue: close at your broker what is open there."]
    item = known.item
    if item is None:
        return h.p(".facts")["Nothing is filled of it by orderhook's knowledge."]
    found = [
        it
        for it in positions_of(visit)
        if (folded(it.account), folded(it.instrument)) == (folded(item.account), folded(item.instrument))
    ]
    stops = sum(map(protected_by, known.open_orders))
    return h.fragment[
        h.p(".facts")[
            account_kind(item.account),
            " ",
            value(item.account),
            " ",
            h.b[value(item.instrument)],
            ": ",
            [[side(it), ", as of ", parts.day_and_time(it.at)] for it in found] or "no position was told",
        ],
        h.p[
            "The bridge is asked to close what is filled of this strategy, at the market and at most the position. It "
            "is done when the bridge says so; its page shows what came of it."
        ],
        h.p(".warn")[f"Until then {parts.count(stops, 'contract')} may have no stop."] if stops else None,
    ]
