"""Cancel one order by hand: the one that was looked at, and a stop only by somebody who was told what that leaves."""

import htpy as h
from htpy import Node
from pydantic import ValidationError

from orderhook.attention import protection
from orderhook.bridge_messages import PositionReport
from orderhook.commands.cancel import Cancel
from orderhook.console import acting
from orderhook.console.closed import seen_closed
from orderhook.console.fates import Fate, Mark
from orderhook.console.http import address
from orderhook.console.pages import came_of, forms, layout, parts
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.errors import OrderhookError
from orderhook.listing import Unreadable, UnreadableError, each_readable, find_order, list_orders
from orderhook.orders import BEING_CANCELLED, Order, folded
from orderhook.responses import Response
from orderhook.trade import kind_of, open_legs, protected_by, types_of

PATH = f"{parts.ORDER}/cancel"

_LONGEST = 200
"""No id of an order is longer; a key of the table has its own limit."""


def find(visit: Visit, account: str, order_id: str) -> Order | Unreadable | None:
    """Return an order of this account as it is now; None where there is none, or the session may not know of it."""
    if not order_id or len(order_id.encode()) > _LONGEST:
        return None
    try:
        order: Order | Unreadable | None = find_order(visit.services, visit.trader, order_id, parts.now_of(visit))
    except UnreadableError as error:
        order = error.item
    if order is None or not visit.reaches(order.account, order.instrument):
        return None
    return order if not account or folded(account) == folded(order.account) else None


def entry_of(visit: Visit, order: Order) -> Order | None:
    """Return the entry of a leg, as far as it can be read."""
    if order.entry_id is None:
        return None
    entry = find(visit, order.account, order.entry_id)
    return entry if isinstance(entry, Order) else None


def is_addressable(order: Order) -> bool:
    """Return whether an alert with this id means this order: one that looks like a name means another, or none."""
    try:
        cancel = Cancel.model_validate({"order_id": order.order_id})
    except (OrderhookError, ValidationError):
        return False
    return cancel.order_id == order.order_id and cancel.order_name is None


def leaves_without_stop(visit: Visit, order: Order) -> int:
    """Return how many contracts have no stop any more once this order is cancelled, or once its entry has filled."""
    if not order.is_open:
        return 0
    if order.entry_id is not None and order.closes is None:
        return order.qty if kind_of(str(order.order_name)) == "STOP" else 0
    if known := protected_by(order):
        return known
    if order.venue is None or order.order_type not in types_of("STOP"):
        return 0
    now = parts.now_of(visit)
    listed = list_orders(visit.services, visit.trader, now, open_only=True, account=order.account)
    orders = [it for it in listed if isinstance(it, Order)]
    positions = [it for it in positions_of(visit) if protection.is_of(it, order)]
    return sum(protection.loses(position, orders, order) for position in positions)


def positions_of(visit: Visit) -> list[PositionReport]:
    """Return the positions that the session may know of; what cannot be read is left out."""
    found = each_readable(visit.services.bridge.positions(visit.trader))
    return [it for it in found if it is not None and visit.reaches(it.account, it.instrument)]


def button(visit: Visit, order: Order, entry: Order | None) -> Node:
    """Return what cancels an order: a button, or the link to the page that says first what a stop leaves."""
    if not is_addressable(order):
        return h.p(".warn")["No alert can address this id, which looks like an order name: cancel it at the broker."]
    label = "Ask for its cancel again" if order.state in BEING_CANCELLED else "Cancel"
    without = leaves_without_stop(visit, order)
    if without and visit.may_act:
        link = address(PATH, {"account": order.account, "orderId": order.order_id})
        return h.fragment[h.a(".button.danger", href=link)[f"{label} …"], _note(order, without, entry)]
    return h.fragment[
        _form(visit, order, label, without=0),
        _note(order, without, entry) if without else h.small[_legs_end(order)] if order.legs else None,
    ]


def _note(order: Order, without: int, entry: Order | None) -> Node:
    words = Fate(Mark.WARN, "", unprotected=without).note
    waits = order.entry_id is not None and order.closes is None
    once = " once its entry fills" if waits and not (entry and entry.filled) else ""
    return h.span(".warn")[h.span(".mark", aria_hidden="true")["!"], h.span(".word")[f"{words}{once}"]]


def _legs_end(order: Order) -> str:
    waiting = len(open_legs(order))
    stays = f"{order.filled} filled stay, with their own stop and target. " if order.filled else ""
    ends = "The target or stop that waits ends" if waiting == 1 else f"{waiting} targets and stops that wait end"
    return f"{stays}{ends} with it." if waiting else stays


def _form(visit: Visit, order: Order, label: str, *, without: int) -> Node:
    fields = {
        "account": order.account,
        "orderId": order.order_id,
        "placed": _placed(order),
        "withoutStop": str(without) if without else "",
    }
    hidden = (h.input(type="hidden", name=name, value=text) for name, text in fields.items())
    return forms.form(PATH, [hidden, forms.act_button(visit, label, class_="danger")])


def _placed(order: Order) -> str:
    """Return what tells an order from a later one that has its id: its placing, and of a leg when it was given."""
    waits = order.entry_id is not None and order.closes is None
    return f"{order.placed_by} {order.received_at}" if waits else order.placed_by


def confirm(visit: Visit) -> Response:
    """Answer with what a cancel leaves behind, and the button that does it."""
    order_id = visit.request.parameter("orderId")
    order = find(visit, visit.request.parameter("account"), order_id)
    if not isinstance(order, Order):
        return came_of.not_found(visit, "order", order_id, here=parts.ORDERS)
    return _confirmation(visit, order)


def _confirmation(visit: Visit, order: Order, *, status: int = 200) -> Response:
    without = leaves_without_stop(visit, order)
    entry = entry_of(visit, order)
    content = h.div(".panel.warn")[
        h.h1["Cancel ", value(order.order_name or order.order_id), "?"],
        h.p(".facts")[parts.words(order), " in ", value(order.account)],
        h.p(".facts")[parts.order_fate(order, entry, parts.now_of(visit), seen_closed(visit))],
        h.p(".facts")["It ", _note(order, without, entry), "."] if without else None,
        h.p["What is filled stays open. Nothing here closes it."] if without else None,
        h.div(".acts")[
            _form(visit, order, "Cancel this stop" if without else "Cancel", without=without)
            if order.is_open and is_addressable(order)
            else None,
            h.a(".button", href=parts.order_address(order.account, order.order_id))["Leave it"],
        ],
    ]
    return layout.respond(visit, "Cancel an order", content, here=parts.ORDERS, status=status, live=False)


def send(visit: Visit) -> Response:
    """Cancel the order that the form was about, and lead to its page; sent again, nothing new is done."""
    form = visit.request.form
    account, order_id, once = (form.get(name, "") for name in ("account", "orderId", forms.ONCE))
    order = find(visit, account, order_id)
    if not isinstance(order, Order):
        return came_of.not_found(visit, "order", order_id, here=parts.ORDERS)
    back = parts.order_address(order.account, order_id)
    if refused := acting.refusal(visit, once, lambda: _not_cancelled(visit, order, back), [order_id]):
        return refused
    acted = acting.act_by_hand(visit, [("command", "CANCEL"), ("order_id", order_id)], once)
    parameters = {"account": order.account, "orderId": order_id}
    return came_of.settled(visit, acted, parts.ORDER, parameters, here=parts.ORDERS)


def _not_cancelled(visit: Visit, order: Order, back: str) -> Response | None:
    """Answer why the order that was looked at is not cancelled; None where it is."""
    form = visit.request.form
    if _placed(order) != form.get("placed", ""):
        text = "Another order has this id by now, or it was given anew: that is not the one you have looked at."
        return came_of.changed_since(visit, "Nothing was cancelled", text, back, here=parts.ORDERS)
    if not is_addressable(order):
        text = "No alert can address this id, which looks like an order name: cancel the order at the broker."
        return came_of.changed_since(visit, "Nothing was cancelled", text, back, here=parts.ORDERS)
    if leaves_without_stop(visit, order) > _number(form.get("withoutStop", "")):
        return _confirmation(visit, order, status=409)
    return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
