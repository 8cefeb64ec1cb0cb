"""What PLACE answers of the order that it has placed, or that has its id already."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orderhook.commands.new_order import OCO_WITHOUT_VENUE
from orderhook.commands.placing import placed_word
from orderhook.errors import AlertWarning, DuplicateOrderIdError, OrderhookError
from orderhook.leg_prices import without_price
from orderhook.orders import Leg, Order, folded
from orderhook.outcome import Outcome
from orderhook.trade import open_legs, unprotected, unprotected_warning

if TYPE_CHECKING:
    from orderhook.services import Services

ATM_STRATEGY = AlertWarning(
    "atm_strategy",
    "strategy",
    "NinjaTrader places the targets and stops of its own template, and moves them. Only the entry is an order here: "
    "the others are not listed, and no command reaches them.",
)


def outcome_of(services: "Services", order: Order, *, applied: bool) -> Outcome:
    """Return what is answered of an order, which this very alert has placed if it was `applied`."""
    word = placed_word(order)
    status = "already_placed" if word == "placed" and not applied else word
    extra: dict[str, object] = {"cancels_at": order.cancels_at} if order.cancels_at else {}
    if order.due and order.is_open:
        status = "scheduled"
        extra["due"] = order.due
    warnings = [ATM_STRATEGY] if order.atm_template else warnings_of_legs(order, order.legs)
    if order.oco_id and not (order.venue or (order.due and services.venue.name)):
        warnings.append(OCO_WITHOUT_VENUE)
    return Outcome.of(
        order,
        status,
        duplicate=True if status in ("scheduled", "accepted") and not applied else None,
        legs=open_legs(order) or None,
        extra=extra,
        warnings=tuple(warnings),
    )


def warnings_of_legs(order: Order, legs: Mapping[str, Leg]) -> list[AlertWarning]:
    """Return what to warn of where these are the order's legs."""
    rest = unprotected(order._replace(legs=legs))
    no_price = without_price(order, legs)
    return [*([unprotected_warning(rest)] if rest else []), *([no_price] if no_price else [])]


def ending_of(account: str) -> str:
    """Return what ids end in for an account of a list, and an alert does not write."""
    return f".{folded(account)}"


def taken(order: Order, *, same: bool) -> OrderhookError:
    """Return the refusal where another order has the id, or the same one whose time is over."""
    what = "the same order, placed before" if same else "another order"
    ending = ending_of(order.account)
    order_id, strategy = (text.removesuffix(ending) for text in (order.order_id, order.strategy_id or "S"))
    example = "" if order.strategy_id else " (S stands for a strategy_id of your choice)"
    return DuplicateOrderIdError(
        f"order_id {order.order_id} is taken by {what}, which has been {order.state} since {order.since}. Write an id "
        f"that is new each time, order_id={order_id[:40]}-{{{{timenow}}}};strategy_id={strategy}, and cancel it by "
        f"order_id=ENTRY1;strategy_id={strategy}{example}.",
        field="order_id",
        state=order.state,
    )
