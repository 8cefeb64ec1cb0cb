"""Positions as the bridge has told them: what is open, what stops cover of it, what works besides, what can be done.

What is UNKNOWN is not flat; without a venue nobody knows a position, and the page says so.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import htpy as h
from htpy import Node

from orderhook.attention.protection import Cover, closing_action, cover, is_of, is_stop_of
from orderhook.bridge_messages import PositionReport
from orderhook.console import fates, placed
from orderhook.console.fates import Mark
from orderhook.console.http import address
from orderhook.console.pages import came_of, layout, parts
from orderhook.console.pages.order_cancel import positions_of
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.instructions import Instruction
from orderhook.listing import Instructed, Unreadable, list_instructions, list_orders
from orderhook.orders import Order, decimal_text
from orderhook.responses import Response
from orderhook.trade import types_of
from orderhook.venues import is_simulated

ACT = f"{parts.POSITIONS}/act"


class Held(NamedTuple):
    """A position, and the open orders of its account and instrument."""

    position: PositionReport
    orders: Sequence[Order]

    @property
    def cover(self) -> Cover:
        """What working stops cover of it."""
        return cover(self.position, self.orders)


def held(visit: Visit) -> tuple[list[Held], bool]:
    """Return the positions that the session may know of, each with its open orders; and whether all could be read."""
    read = placed.InTime(list_orders(visit.services, visit.trader, parts.now_of(visit), open_only=True))
    orders = [row for row in read if isinstance(row, Order)]
    return [Held(it, [order for order in orders if is_of(it, order)]) for it in positions_of(visit)], read.complete


def page(visit: Visit) -> Response:
    """Answer with the positions, open ones first, and what is asked of them."""
    if visit.services.venue.name is None:
        return layout.respond(visit, "Positions", no_venue("position"), here=parts.POSITIONS)
    wanted = parts.wanted(visit)
    everything, complete = held(visit)
    found = [it for it in everything if _is_wanted(it.position, wanted.account)]
    away = visit.controls().bridge.away(visit.now)
    content = h.fragment[
        h.h1["Positions"],
        came_of.note(visit),
        h.div(data_part="bridge")[
            h.p(".notice.warn")[
                h.span(".mark", aria_hidden="true")["!"],
                h.span(".word")["The bridge ", value(away), "."],
                " Positions are as of the times beside them, and may be others by now.",
            ]
            if away
            else None
        ],
        h.div(data_part="under-way")[_under_way(visit)],
        _table(visit, found, complete=complete) if found else _nothing(visit),
        _acts_on_all(visit, everything) if everything else None,
        h.p[h.a(href=parts.EXECUTIONS)["What was filled, and what was won by it"]],
    ]
    return layout.respond(visit, "Positions", content, here=parts.POSITIONS)


def no_venue(what: str) -> Node:
    """Return what a page says about something that only a venue knows, where there is none."""
    return h.fragment[
        h.h1[f"{what.capitalize()}s"],
        h.div(".empty")[
            h.p[h.b["No venue."], f" Nothing reaches a market from here, so nobody knows a {what}."],
            h.p["Orders are kept in the table alone: ", h.a(href=parts.ORDERS)["look at the orders"], "."],
        ],
    ]


def _is_wanted(position: PositionReport, account: str | None) -> bool:
    return account is None or position.account.lower() == account.lower()


def _nothing(visit: Visit) -> Node:
    accounts = visit.controls().bridge.accounts
    told = f"The bridge has told no position yet. It trades {', '.join(accounts)}." if accounts else ""
    return h.div(".empty", data_part="positions")[
        h.p[value(told or "No bridge was heard of yet, so no position is known.")],
        h.p["NinjaTrader tells a position when it changes. That none is listed does not mean that all are flat."],
    ]


def _table(visit: Visit, found: Sequence[Held], *, complete: bool) -> Node:
    ranks = {"UNKNOWN": 0, "LONG": 1, "SHORT": 1}
    rows = sorted(found, key=lambda it: (ranks.get(it.position.side, 2), it.position.account, it.position.instrument))
    heads = ("account, instrument", "position", "stops", "working besides", "as of", "what can be done")
    return h.fragment[
        None if complete else h.p(".notice.warn")["Not all orders could be read in time: stops may be missing below."],
        h.table(".rows.positions", data_part="positions")[
            h.thead[h.tr[(h.th(scope="col")[name] for name in heads)]],
            h.tbody[(_row(visit, it, complete=complete) for it in rows)],
        ],
    ]


def _row(visit: Visit, it: Held, *, complete: bool) -> Node:
    position = it.position
    return h.tr(id=parts.row_id("p", f"{position.account.lower()}#{position.instrument}"))[
        h.td(".wide")[
            h.b[value(position.instrument)], h.p(".why")[value(position.account), " ", account_kind(position.account)]
        ],
        h.td(".wide")[side(position)],
        h.td(".wide")[_stops(it, complete=complete)],
        h.td(data_label="besides")[list(_besides(it)) or h.span(".dim")["nothing"]],
        h.td(".t", data_label="as of")[parts.day_and_time(position.at), layout.age(position.at)],
        h.td(".wide")[_acts(visit, position)],
    ]


def side(position: PositionReport) -> Node:
    """Return a position in words."""
    if position.side == "UNKNOWN":
        return parts.marked(Mark.WARN, "UNKNOWN (not flat)")
    if position.side == "FLAT":
        return h.span(".word")["FLAT"]
    average = f" @ {decimal_text(round(position.average, 6))}" if position.average is not None else ""
    return h.span(".word.side")[f"{position.side} {position.quantity}{average}"]


def account_kind(account: str) -> Node:
    """Return whether an account trades real money."""
    return h.span(".badge.sim")["simulated"] if is_simulated(account) else h.span(".badge.live")["LIVE"]


def _stops(it: Held, *, complete: bool) -> Node:
    position = it.position
    if closing_action(position) is None:
        number = sum(1 for order in it.orders if order.order_type in types_of("STOP") and order.venue)
        if not number:
            return h.span(".dim")["no stop is known" if position.side == "UNKNOWN" else "none is open"]
        return f"{parts.count(number, 'stop order')} {'is' if number == 1 else 'are'} open" + (
            "; of how much, nobody knows" if position.side == "UNKNOWN" else ", though it is flat"
        )
    covered, beyond, uncertain = it.cover
    is_whole = covered >= position.quantity
    words = f"{covered} of {position.quantity} protected"
    return h.fragment[
        parts.marked(Mark.GOOD if is_whole else Mark.WARN if not complete or uncertain else Mark.BAD, words),
        h.p(".why")[f"Stops for {uncertain} more may work or not."] if uncertain else None,
        h.p(".note.warn")[f"Stops close {beyond} more than is open."] if beyond else None,
    ]


def _besides(it: Held) -> Iterator[Node]:
    """Yield the open orders that are no stops of the position."""
    others = [order for order in it.orders if not is_stop_of(it.position, order)]
    waiting = [order for order in others if order.entry_id is not None and order.closes is None]
    targets = [order for order in others if order.closes is not None]
    entries = [order for order in others if order.entry_id is None]
    link = address(parts.ORDERS, {"account": it.position.account, "instrument": it.position.instrument})
    for orders, name in ((entries, "entry"), (targets, "target"), (waiting, "leg that waits")):
        if orders:
            plural = {"entry": "entries", "target": "targets"}.get(name, "legs that wait")
            yield h.p[h.a(href=link)[f"{len(orders)} {name if len(orders) == 1 else plural}"]]


def _acts(visit: Visit, position: PositionReport) -> Node:
    if position.side == "FLAT":
        return None
    market = {"account": position.account, "instrument": position.instrument}

    def act(what: str, label: str) -> Node:
        return h.a(".button", href=address(ACT, {"act": what, **market}))[label]

    if not visit.may_act:
        return h.small(".needs")[visit.why_not]
    return h.div(".acts")[act("close", "Close …"), act("reverse", "Reverse …") if position.side != "UNKNOWN" else None]


def _acts_on_all(visit: Visit, everything: Sequence[Held]) -> Node:
    accounts = sorted({it.position.account for it in everything if it.position.side != "FLAT"})
    if not accounts or not visit.may_act:
        return None
    return h.div(".acts", data_part="flatten")[
        (
            h.a(".button.danger", href=address(ACT, {"act": "flatten", "account": account}))[
                h.span["Flatten ", value(account), " …"]
            ]
            for account in accounts
        ),
        h.a(".button.danger", href=address(ACT, {"act": "flatten"}))["Flatten all accounts …"]
        if len(accounts) > 1
        else None,
    ]


def _under_way(visit: Visit) -> Node:
    found = [
        it
        for it in list_instructions(visit.services, visit.trader)
        if isinstance(it, Unreadable) or visit.reaches(it.account, it.instrument)
    ]
    if not found:
        return None
    return h.div(".notice.later")[
        h.p[h.b["Asked for, not done yet:"]],
        h.ul(".todo")[(h.li[h.p[_instruction(it)]] for it in found)],
    ]


def _instruction(it: Instruction | Unreadable) -> Node:
    if isinstance(it, Unreadable):
        return ["one that this version cannot read: ", value(it.id)]
    every = f"every month of {it.root}" if it.root else "every instrument"
    market = h.fragment[value(it.account or "every account"), " ", value(it.instrument or every)]
    asked = parts.fate(fates.fate_of_instruction(Instructed(it.instruction_id, it, None)))
    return [h.b[it.command], " ", market, ": ", asked, " ", parts.alert_link(it.record_id or it.instruction_id)]
