"""A trade: an entry with the targets and stops that close it. Plain data and pure functions.

Until they are released by a fill, legs lie in their entry's item: their quantity and their end follow from it. Sources:
CrossTrade, "Bracket Orders"; NinjaTrader's ATM strategy templates.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import product
from typing import Any, Literal, NamedTuple

from orderhook.errors import AlertWarning, InvalidValueError, UnsupportedValueError
from orderhook.orders import (
    CANCELS_OF_A_TRADE,
    KEPT_HISTORY,
    MAX_HISTORY,
    PRICES,
    SAME_BAR,
    TERMINAL,
    Action,
    Bracket,
    Event,
    Leg,
    Order,
    OrderState,
    OrderType,
    TimeInForce,
    decimal_text,
    folded,
)

Kind = Literal["TARGET", "STOP"]

MAX_BRACKETS = 20

_LEG_ID = re.compile(r"(.+)\.((?:TARGET|STOP)[1-9][0-9]*)")


class LegTerms(NamedTuple):
    """What is asked of a leg: prices, or an offset in points from the entry's average fill price."""

    kind: Kind
    order_type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    offset: Decimal | None = None
    received_at: str | None = None
    """When the alert was received that adds it, where that was a later one than its entry's."""

    @property
    def field(self) -> str:
        """The field by which an alert asks for it."""
        return leg_field(self.kind, self.order_type)


# Ids and names


def leg_id(entry_id: str, name: str) -> str:
    """Return the id of an entry's leg."""
    return f"{entry_id}.{name}"


def entry_and_leg(order_id: str) -> tuple[str, str] | None:
    """Return the entry's id and the leg's name that an id of a leg consists of; None for any other id."""
    match = _LEG_ID.fullmatch(order_id)
    return (match[1], match[2]) if match else None


def kind_of(name: str) -> Kind:
    """Return what a leg of this name is."""
    return "TARGET" if name.startswith("TARGET") else "STOP"


def partner_of(name: str) -> str:
    """Return the name of the leg that stands in one bracket with the leg of this name."""
    kind = kind_of(name)
    return f"{'STOP' if kind == 'TARGET' else 'TARGET'}{name.removeprefix(kind)}"


def leg_field(name: str, order_type: OrderType) -> str:
    """Return the field by which an alert gives its entry a leg of this name, or kind."""
    if kind_of(name) == "TARGET":
        return "take_profit"
    return "stop_loss_limit" if order_type == "STOPLIMIT" else "stop_loss"


def types_of(kind: Kind) -> tuple[OrderType, ...]:
    """Return the order types that a leg of this kind may have."""
    return ("LIMIT",) if kind == "TARGET" else ("STOPMARKET", "STOPLIMIT")


# Legs


def opposite(action: Action) -> Action:
    """Return the side of an order that closes what an order of this side has entered."""
    return "SELL" if action == "BUY" else "BUY"


def bracket_legs(number: int, brackets: Sequence[Bracket], oco_id: str) -> dict[str, Leg]:
    """Return the legs of a template's brackets, which have the numbers from `number` on."""
    legs: dict[str, Leg] = {}
    start = 0
    for n, bracket in enumerate(brackets, number):
        offsets: dict[Kind, Decimal | None] = {"TARGET": bracket.target, "STOP": bracket.stop}
        group = f"{oco_id}.{n}" if None not in offsets.values() else None
        for kind, offset in offsets.items():
            if offset is not None:
                order_type: OrderType = "LIMIT" if kind == "TARGET" else "STOPMARKET"
                legs[f"{kind}{n}"] = Leg(order_type, offset=offset, start=start, size=bracket.qty, oco_id=group)
        start += bracket.qty
    return legs


def own_legs(number: int, terms: Sequence[LegTerms], oco_id: str) -> dict[str, Leg]:
    """Return the legs that an alert itself asks for."""
    group = f"{oco_id}.{number}" if len(terms) > 1 else None
    return {
        f"{leg.kind}{number}": Leg(
            leg.order_type, leg.limit_price, leg.stop_price, leg.offset, oco_id=group, received_at=leg.received_at
        )
        for leg in terms
    }


def oco_group(entry: Order) -> str:
    """Return the group of a leg that came alone, and of the one that may be added to it later."""
    return f"{entry.placed_by}.OCO{entry.number or 1}"


def view_of_leg(entry: Order, name: str, leg: Leg) -> Order:
    """Return a leg that waits in its entry's item as an order; of a released one this is what it was before."""
    if leg.end:
        state, since, reason = leg.end.state, leg.end.at, None
    elif entry.state in TERMINAL:
        state, since = OrderState.CANCELLED, entry.since
        reason = "entry ended unfilled" if not entry.filled else "entry ended"
    else:
        state, since, reason = _state_of_waiting(leg), entry.history[0].at, None
    ended = state is OrderState.CANCELLED
    return Order(
        order_id=leg_id(entry.order_id, name),
        account=entry.account,
        instrument=entry.instrument,
        action=opposite(entry.action),
        qty=leg.share(entry.qty),
        order_type=leg.order_type,
        tif="GTC",
        state=state,
        since=since,
        limit_price=leg.limit_price,
        stop_price=leg.stop_price,
        offset=leg.offset,
        oco_id=leg.oco_id,
        strategy_id=entry.strategy_id,
        order_name=name,
        entry_id=entry.order_id,
        generation=leg.generation,
        received_at=leg.received_at or entry.received_at,
        delay=entry.delay if _is_of_its_bar(entry, leg) else None,
        notes=entry.notes,
        cancelled_at=since if ended else None,
        cancel_request_id=leg.end.request_id if leg.end else None,
        cancel_key_id=leg.end.key_id if leg.end else None,
        reason=reason,
        venue=entry.venue,
        want=leg.want,
        acked=leg.acked,
        history=tuple(event for event in entry.history if event.leg in (None, name)),
        digests=entry.digests,
    )


def _state_of_waiting(leg: Leg) -> OrderState:
    """Return the state of a leg that has not ended: what is asked of its venue is open until that has answered."""
    if leg.want is None or leg.want.kind == "place" or leg.want.n <= leg.acked:
        return OrderState.INITIALIZED
    return OrderState.CANCEL_PENDING if leg.want.kind == "cancel" else OrderState.CHANGE_PENDING


def _is_of_its_bar(entry: Order, leg: Leg) -> bool:
    """Return whether a leg came with its entry, or in the same bar."""
    if not (leg.received_at and entry.received_at):
        return True
    return datetime.fromisoformat(leg.received_at) - datetime.fromisoformat(entry.received_at) <= SAME_BAR


def waiting_legs(entry: Order) -> list[Order]:
    """Return the legs that were not released, as orders; a leg that the entry's quantity does not reach is left out."""
    return [
        view_of_leg(entry, name, leg) for name, leg in entry.legs.items() if not leg.released and leg.share(entry.qty)
    ]


def open_legs(entry: Order) -> Mapping[str, str]:
    """Return the ids of the legs that still wait, by name."""
    return {str(leg.order_name): leg.order_id for leg in waiting_legs(entry) if leg.is_open}


def unprotected(entry: Order) -> int:
    """Return how much of the entry's quantity its template's brackets do not reach, as far as they were not ended."""
    if any(kind_of(name) == "STOP" and leg.size is None and not leg.end for name, leg in entry.legs.items()):
        return 0
    sized = {name: leg for name, leg in entry.legs.items() if leg.size is not None}
    # A bracket that had a stop protects nothing without it, whatever becomes of its target.
    protecting = {
        leg.start: leg.share(entry.qty)
        for name, leg in sized.items()
        if not leg.end and not (kind_of(name) == "TARGET" and (stop := sized.get(partner_of(name))) and stop.end)
    }
    return entry.qty - sum(protecting.values()) if sized else 0


def _without_stop(entry: Order) -> int:
    """Return how much of an open entry's quantity no stop of a bracket is for; 0 where there are no brackets."""
    if entry.state in TERMINAL or not any(leg.size is not None for leg in entry.legs.values()):
        return 0
    stops = (leg for name, leg in entry.legs.items() if kind_of(name) == "STOP" and not leg.end)
    return max(0, entry.qty - sum(leg.share(entry.qty) for leg in stops))


# Prices


def is_beyond(action: Action, price: Decimal, other: Decimal) -> bool:
    """Return whether a price is better than another for who enters by `action`: for a BUY above it."""
    return price > other if action == "BUY" else price < other


def is_stop_limit_in_order(action: Action, limit_price: Decimal | None, stop_price: Decimal | None) -> bool:
    """Return whether a stop's limit, if it has one, is not beyond its stop price: for a SELL not above it."""
    return limit_price is None or stop_price is None or not is_beyond(action, stop_price, limit_price)


def check_prices(order: Order, given: Sequence[str] = ()) -> None:
    """Raise InvalidValueError unless stops, the entry's prices and targets lie on their sides of one another.

    The error names one of the `given` price fields of the alert, if there are any.

    For a BUY stop < entry < target, strictly, and mirrored for a SELL; once something is filled only stop < target.
    """
    for leg in _living_legs(order, "STOP"):
        if not is_stop_limit_in_order(opposite(order.action), leg.limit_price, leg.stop_price):
            side = "above" if order.action == "BUY" else "below"
            field = _field_of(given, "stop_loss_limit", "stop_loss_stop")
            raise InvalidValueError(
                f"The limit {_text(leg.limit_price)} of the stop must not be {side} its stop price "
                f"{_text(leg.stop_price)}; correct {field}.",
                field=field,
            )
    own = [] if order.filled else [(name, price) for name in PRICES if (price := getattr(order, name)) is not None]
    stops, targets = _priced_legs(order, "STOP"), _priced_legs(order, "TARGET")
    side = "below" if order.action == "BUY" else "above"
    rows = (("price", own, "stop", stops), ("price", own, "target", targets), ("stop", stops, "target", targets))
    for name, prices, other_name, other_prices in rows:
        for (field, price), (other_field, other) in product(prices, other_prices):
            low, high = (other, price) if other_name == "stop" else (price, other)
            if not is_beyond(order.action, high, low):
                named = _field_of(given, field, other_field)
                lower_name, upper_name = (other_name, name) if other_name == "stop" else (name, other_name)
                raise InvalidValueError(
                    f"The {lower_name} {_text(low)} must be {side} the {upper_name} {_text(high)} of order "
                    f"{order.order_id}, a {order.action}; correct {named}.",
                    field=named,
                )


def _field_of(given: Sequence[str], *fields: str) -> str:
    """Return the first of the fields that the alert gives, else any that it gives, else the first."""
    return next((field for field in fields if field in given), (*given, *fields)[0])


def _living_legs(order: Order, kind: Kind) -> list[Leg]:
    """Return the legs of a kind that wait, or are to wait once the delay of their entry is over."""
    legs = (*order.legs.items(), *order.wanted.items())
    return [leg for name, leg in legs if kind_of(name) == kind and not (leg.end or leg.released)]


def _priced_legs(order: Order, kind: Kind) -> list[tuple[str, Decimal]]:
    """Return the prices of the living legs of a kind, each with the field by which an alert gives it."""
    prices = ((leg_field(kind, leg.order_type), price_of(kind, leg)) for leg in _living_legs(order, kind))
    return [(field, price) for field, price in prices if price is not None]


def _leg_prices(order: Order, kind: Kind) -> list[Decimal]:
    return [price for _, price in _priced_legs(order, kind)]


def _text(price: Decimal | None) -> str:
    return "" if price is None else decimal_text(price)


def price_of(name: str, leg: Leg | Order) -> Decimal | None:
    """Return the price of a leg at which it closes the trade: the limit of a target, the stop price of a stop."""
    return leg.limit_price if kind_of(name) == "TARGET" else leg.stop_price


def price_from_offset(entry: Order, name: str, leg: Leg) -> Decimal | None:
    """Return what a leg's offset comes to: it counts from what was paid for its entry, else from what was asked for."""
    prices = (entry.average, entry.limit_price, entry.stop_price)
    basis = next((price for price in prices if price is not None), None)
    if leg.offset is None or basis is None:
        return None
    return basis + (leg.offset if must_be_above(entry, name) else -leg.offset)


def without_price(entry: Order, legs: Mapping[str, Leg]) -> AlertWarning | None:
    """Return the warning that offsets of legs lead to no price above 0, as far as the entry's own price tells."""
    prices = {name: price_from_offset(entry, name, leg) for name, leg in legs.items()}
    names = [name for name, price in prices.items() if price is not None and price <= 0]
    if not names:
        return None
    return AlertWarning(
        "leg_without_price",
        "strategy",
        f"The template puts {', '.join(names)} at or below 0: without a price it does not work when the entry fills. "
        "Give it one by CHANGE, or correct the template.",
    )


def is_ended(leg: Leg | Order) -> bool:
    """Return whether a leg was ended while it waited: given anew, it is checked like any other."""
    return isinstance(leg, Leg) and leg.end is not None


def must_be_above(entry: Order, name: str) -> bool:
    """Return whether a leg's price must be above those of the other kind: for a BUY stop < target, for a SELL not."""
    return (kind_of(name) == "TARGET") == (entry.action == "BUY")


def opposite_legs(entry: Order, name: str) -> dict[str, Leg]:
    """Return the legs of the other kind that were not ended while they waited, by their names."""
    return {other: leg for other, leg in entry.legs.items() if kind_of(other) != kind_of(name) and not leg.end}


def is_apart(entry: Order, name: str, price: Decimal, other: Decimal | None) -> bool:
    """Return whether a leg's price is on its side of the price of a leg of the other kind."""
    if other is None:
        return True
    return price > other if must_be_above(entry, name) else price < other


def crosses(entry: Order, name: str, price: Decimal, other: str, field: str | None = None) -> InvalidValueError:
    """Return the refusal of a leg's price, of this field, that is not on its side of that of another leg."""
    side = "above" if must_be_above(entry, name) else "below"
    field = field or ("limit_price" if kind_of(name) == "TARGET" else "stop_price")
    return InvalidValueError(
        f"The price {decimal_text(price)} of {name} must be {side} that of {other} of order {entry.order_id}; correct "
        f"{field}.",
        field=field,
    )


def with_bounds(order: Order) -> Order:
    """Return the order with the prices of its legs that are nearest to its own."""
    highest, lowest = (max, min) if order.action == "BUY" else (min, max)
    return order._replace(
        nearest_stop=highest(_leg_prices(order, "STOP"), default=None),
        nearest_target=lowest(_leg_prices(order, "TARGET"), default=None),
    )


# History


def trimmed(history: Sequence[Event]) -> tuple[tuple[Event, ...], int]:
    """Return a history that has room for a cancel, and how many entries it lost: the first and the latest ones stay."""
    if len(history) <= MAX_HISTORY - CANCELS_OF_A_TRADE:
        return tuple(history), 0
    return (history[0], *history[-KEPT_HISTORY:]), len(history) - KEPT_HISTORY - 1


def kept_digests(digests: Iterable[str], history: Iterable[Event]) -> tuple[str, ...]:
    """Return the digests whose alerts still stand in the history, each once."""
    present = {event.digest for event in history}
    return tuple(digest for digest in dict.fromkeys(digests) if digest in present)


# What CHANGE and CANCELREPLACE make of an order. It may be written already: what describes it judges nothing.


def changed(order: Order, new: Mapping[str, int | Decimal]) -> tuple[Order, list[AlertWarning]]:
    """Return an order with other values, and what to warn of; a quantity not above what is filled ends the rest."""
    after = _priced(order._replace(**_prices(new)))
    # A price alone ends nothing, be more filled than the order's quantity or not.
    return _with_qty(after, int(new["qty"])) if "qty" in new else _described(after)


def _priced(order: Order) -> Order:
    """Return a leg that works now where it lacked a price alone."""
    lacked = order.entry_id is not None and order.state is OrderState.INITIALIZED and order.venue is None
    has = lacked and price_of(str(order.order_name), order) is not None
    return order._replace(state=OrderState.WORKING) if has else order


def check_changed(order: Order, new: Mapping[str, int | Decimal], after: Order) -> None:
    """Raise InvalidValueError unless the order can take the values that make it `after`.

    Prices that stay are not judged: version 0.1 took some that PLACE refuses now.
    """
    _check_prices_of_type(f"Order {order.order_id}", order.order_type, new)
    given = tuple(_prices(new))
    _check_own_leg(order, after, int(new.get("qty", order.qty)), given)
    if given and after.state not in TERMINAL:
        check_prices(after, given)


def changed_leg(entry: Order, name: str, new: Mapping[str, int | Decimal]) -> Order:
    """Return an entry with other prices of a leg that waits in its item."""
    legs = {**entry.legs, name: entry.legs[name]._replace(**_prices(new), offset=None)}
    return with_bounds(entry._replace(legs=legs))


def check_changed_leg(name: str, new: Mapping[str, int | Decimal], after: Order) -> None:
    """Raise InvalidValueError unless a leg can take the prices that it has in `after`."""
    if "qty" in new:
        raise InvalidValueError(
            f"The quantity of {name} follows from its entry {after.order_id}; take qty out, or change the entry.",
            field="qty",
        )
    _check_prices_of_type(name, after.legs[name].order_type, new)
    check_prices(after, sorted(new, reverse=True))  # of a stop limit, the stop price


def _check_prices_of_type(named: str, order_type: OrderType, new: Mapping[str, int | Decimal]) -> None:
    for price, takers in PRICES.items():
        if price in new and order_type not in takers:
            raise InvalidValueError(f"{named} is a {order_type} order and has no {price}; take it out.", field=price)


def _check_own_leg(order: Order, after: Order, qty: int, given: Sequence[str]) -> None:
    """Raise InvalidValueError for a quantity or prices that a leg with an item of its own cannot have."""
    if order.closes is not None and qty > order.closes:
        raise InvalidValueError(
            f"Leg {order.order_id} closes the {order.closes} that are filled for it; give no larger qty.",
            field="qty",
            state=order.state,
        )
    if after.state in TERMINAL:
        return  # its remainder ends, whatever its prices
    if order.entry_id and not is_stop_limit_in_order(order.action, after.limit_price, after.stop_price):
        field = _field_of(given, "limit_price", "stop_price")
        raise InvalidValueError(
            f"The limit {_text(after.limit_price)} of a {order.action} stop must not be beyond its stop price "
            f"{_text(after.stop_price)}; correct {field}.",
            field=field,
        )


def _prices(new: Mapping[str, int | Decimal]) -> Any:
    return {name: Decimal(new[name]) for name in PRICES if name in new}


class Replacement(NamedTuple):
    """What CANCELREPLACE gives an order; None stays as it is."""

    account: str
    instrument: str
    action: Action
    qty: int
    order_type: OrderType
    tif: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    legs: Sequence[LegTerms]
    oco_id: str | None
    cancels_at: str | None
    day_ends: str | None
    notes: str | None
    lifts_time_limit: bool = False
    """Whether it ends the time limit that the order has."""

    @property
    def given_prices(self) -> tuple[str, ...]:
        """The fields by which the alert gives prices."""
        own = (name for name in PRICES if getattr(self, name) is not None)
        return (*own, *(leg.field for leg in self.legs))

    @property
    def is_in_order(self) -> bool:
        """Whether a stop limit's prices are, as those of a leg must be."""
        return is_stop_limit_in_order(self.action, self.limit_price, self.stop_price)


def replaced(order: Order, new: Replacement) -> tuple[Order, list[AlertWarning]]:
    """Return an order in its next generation, and what to warn of."""
    after = order._replace(
        order_type=new.order_type,
        limit_price=new.limit_price,
        stop_price=new.stop_price,
        offset=None,
        tif=order.tif if order.entry_id is not None else new.tif,
        # The day of an order that waits for its delay begins with its release; a venue ends its own.
        day_ends=order.day_ends if order.entry_id is not None or order.due or order.venue else new.day_ends,
        oco_id=new.oco_id or order.oco_id,
        cancels_at=None if new.lifts_time_limit else new.cancels_at or order.cancels_at,
        notes=new.notes or order.notes,
    )
    after = _priced(after)
    if new.legs:
        after = _with_legs(after, new.legs)
    after, warnings = _with_qty(after, new.qty)
    if (bare := _without_stop(after)) and any(leg.kind == "STOP" for leg in new.legs):
        # More than what no bracket reaches: a bracket that has no stop protects nothing where one is asked for.
        warnings = [it for it in warnings if it.code != "unprotected_quantity"]
        detail = f"{bare} of qty have no stop: the template has none for them. Place one by a PLACE of its own."
        warnings.append(AlertWarning("unprotected_quantity", "qty", detail))
    same = with_bounds(order)._replace(notes=after.notes) == after
    return (after if same else after._replace(generation=order.generation + 1)), warnings


def check_replaced(order: Order, new: Replacement, after: Order) -> None:
    """Raise InvalidValueError unless the order can become `after`."""
    check_market(order, new)
    if order.entry_id is not None:
        _check_kind(kind_of(str(order.order_name)), str(order.order_name), new)
    _check_own_leg(order, after, new.qty, new.given_prices)
    for leg in new.legs:
        _check_new_leg(order, leg)
    if after.state not in TERMINAL:
        check_prices(after, new.given_prices)


def replaced_leg(entry: Order, name: str, new: Replacement) -> Order:
    """Return an entry with a leg that waits in its item in its next generation."""
    leg = entry.legs[name]
    after = leg._replace(
        order_type=new.order_type,
        limit_price=new.limit_price,
        stop_price=new.stop_price,
        offset=None,
        oco_id=new.oco_id or leg.oco_id,
    )
    if after != leg:
        after = after._replace(generation=leg.generation + 1)
    return with_bounds(entry._replace(legs={**entry.legs, name: after}))


def check_replaced_leg(entry: Order, name: str, new: Replacement, after: Order) -> None:
    """Raise InvalidValueError unless a leg that waits in its entry's item can become what it is in `after`."""
    leg = entry.legs[name]
    check_market(view_of_leg(entry, name, leg), new)
    _check_kind(kind_of(name), name, new)
    _check_waiting_leg(entry, name, leg, new)
    check_prices(after, ["limit_price" if new.order_type == "LIMIT" else "stop_price"])


def _check_waiting_leg(entry: Order, name: str, leg: Leg, new: Replacement) -> None:
    if new.qty != leg.share(entry.qty):
        raise InvalidValueError(
            f"The quantity of {name} follows from its entry and is {leg.share(entry.qty)}: give that.", field="qty"
        )
    if new.cancels_at:
        raise InvalidValueError(
            f"{name} waits for its entry {entry.order_id} and ends with it; take cancel_after out, or give it with the "
            "entry.",
            field="cancel_after",
        )


def check_market(order: Order, new: Replacement) -> None:
    """Raise InvalidValueError unless account, instrument and action are the order's."""
    for name in ("account", "instrument", "action"):
        present, given = getattr(order, name), getattr(new, name)
        if folded(present) != folded(given):
            raise InvalidValueError(
                f"Order {order.order_id} has {name}={present}, and a replacement keeps it; give that, or place another "
                "order.",
                field=name,
            )


def _check_kind(kind: Kind, name: str, new: Replacement) -> None:
    types = types_of(kind)
    if new.order_type not in types:
        raise InvalidValueError(f"{name} stays a {' or '.join(types)} order; correct order_type.", field="order_type")
    if new.legs:
        field = new.legs[0].field
        raise InvalidValueError(f"{name} is a leg and has none of its own; take {field} out.", field=field)


def _check_new_leg(order: Order, new: LegTerms) -> None:
    """Raise InvalidValueError where the legs of a kind cannot be replaced with their entry."""
    kind, field = new.kind, new.field
    if order.due and order.template:
        raise InvalidValueError(
            f"Template {order.template} brings the legs of {order.order_id} when its delay is over; take {field} "
            "out, or change the legs then.",
            field=field,
        )
    if order.atm_template:
        raise UnsupportedValueError(
            f"NinjaTrader's own template {order.atm_template} brings the targets and stops of {order.order_id}; take "
            f"{field} out.",
            field=field,
        )
    if any(leg.released for name, leg in order.legs.items() if kind_of(name) == kind):
        raise InvalidValueError(
            f"The {kind} of {order.order_id} works already; take {field} out, and replace the leg itself.",
            field=field,
        )


def _with_legs(order: Order, terms: Sequence[LegTerms]) -> Order:
    """Replace the kinds of legs that are given, or add one that is not there."""
    legs = dict(order.wanted if order.due else order.legs)
    for leg in terms:
        names = [name for name in legs if kind_of(name) == leg.kind]
        prices: Any = {"order_type": leg.order_type, "limit_price": leg.limit_price, "stop_price": leg.stop_price}
        for name in names:
            old = legs[name]
            changed = old._replace(**prices, offset=None, end=None)
            legs[name] = old if changed == old else changed._replace(generation=old.generation + 1)
        if not names:
            partner = next(iter(legs.values()), None)
            group = partner.oco_id if partner and not order.template else None
            legs[f"{leg.kind}{order.number or 1}"] = Leg(leg.order_type, leg.limit_price, leg.stop_price, oco_id=group)
    if len(legs) == 2 and not order.template and any(leg.oco_id is None for leg in legs.values()):
        legs = {name: leg._replace(oco_id=leg.oco_id or oco_group(order)) for name, leg in legs.items()}
    return order._replace(wanted=legs) if order.due else order._replace(legs=legs)


def _with_qty(order: Order, qty: int) -> tuple[Order, list[AlertWarning]]:
    warnings: list[AlertWarning] = []
    if order.closes is not None and (bare := order.closes - max(qty, order.filled)) > 0:
        warnings.append(AlertWarning("unprotected_quantity", "qty", f"{bare} of what is filled have no such leg."))
    if order.filled and qty <= order.filled:
        state = OrderState.FILLED if qty == order.filled else OrderState.CANCELLED
        if qty < order.filled:
            warnings.append(
                AlertWarning(
                    "filled_more", "qty", f"{order.filled} are filled already, more than qty={qty}; the rest ended."
                )
            )
        if order.venue is not None:
            return order._replace(qty=order.filled), warnings  # the venue ends it, and reports that
        return order._replace(qty=order.filled, state=state, reason="qty not above what is filled"), warnings
    after, more = _described(order._replace(qty=qty))
    return after, [*warnings, *more]


def standing(order: Order) -> list[AlertWarning]:
    """Return what to warn of an order as it is."""
    return [it for it in _with_qty(order, order.qty)[1] if it.code == "unprotected_quantity"]


def _described(order: Order) -> tuple[Order, list[AlertWarning]]:
    rest = unprotected(order)
    return with_bounds(order), [unprotected_warning(rest)] if rest else []


def unprotected_warning(rest: int) -> AlertWarning:
    """Return the warning that a template's brackets do not reach all of the entry's quantity."""
    return AlertWarning("unprotected_quantity", "qty", f"The template's brackets leave {rest} of qty without a leg.")
