"""A trade: an entry with the targets and stops that close it. Plain data and pure functions.

Until they are released by a fill, legs lie in their entry's item: their quantity and their end follow from it. Sources:
CrossTrade, "Bracket Orders"; NinjaTrader's ATM strategy templates.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from orderhook.errors import AlertWarning
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
)

Kind = Literal["TARGET", "STOP"]

MAX_BRACKETS = 20

LEG_PRICES = (*PRICES, "offset", "limit_offset", "in_percent")
"""What says where a leg is to work: its prices, or how far they lie from its entry's."""

_LEG_ID = re.compile(r"(.+)\.((?:TARGET|STOP)[1-9][0-9]*)")


class LegTerms(NamedTuple):
    """What is asked of a leg: prices, or how far they lie from the entry's average fill price (Leg.offset)."""

    kind: Kind
    order_type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    offset: Decimal | None = None
    limit_offset: Decimal | None = None
    in_percent: bool = False
    received_at: str | None = None
    """When the alert was received that adds it, where that was a later one than its entry's."""

    @classmethod
    def of(cls, name: str, leg: Leg, received_at: str | None = None) -> "LegTerms":
        """Return what a leg of this name is asked to be."""
        own = {field: getattr(leg, field) for field in LEG_PRICES}
        return cls(kind_of(name), leg.order_type, **own, received_at=received_at)

    @property
    def prices(self) -> dict[str, Any]:
        """Its type, and where it is to work."""
        return {"order_type": self.order_type, **{field: getattr(self, field) for field in LEG_PRICES}}

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
            **{name: value for name, value in leg._asdict().items() if name != "kind"}, oco_id=group
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
        limit_offset=leg.limit_offset,
        in_percent=leg.in_percent,
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


def protected_by(order: Order) -> int:
    """Return how much of what is filled has no stop without this order: what a stop that works has still to close.

    A stop that the bridge has made stands for a position (CANCELANDBRACKET), and has no entry.
    """
    if order.made_by is not None and order.order_type in types_of("STOP"):
        return max(0, order.qty - order.filled)
    if order.closes is None or kind_of(str(order.order_name)) != "STOP":
        return 0
    return max(0, order.closes - order.filled)


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


def unprotected_warning(rest: int) -> AlertWarning:
    """Return the warning that a template's brackets do not reach all of the entry's quantity."""
    return AlertWarning("unprotected_quantity", "qty", f"The template's brackets leave {rest} of qty without a leg.")


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
