"""A trade: an entry, with the targets and stops that close it. Plain data and pure functions.

Source of the rules: CrossTrade, "Bracket Orders"; NinjaTrader's ATM strategy templates.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from orderhook.orders import (
    PRICES,
    Action,
    Bracket,
    Order,
    OrderState,
    OrderType,
    Provenance,
    Strategy,
    TimeInForce,
    decimal_text,
    timestamp,
)


class EntryTerms(NamedTuple):
    """What is asked of an entry, whatever its id and its strategy."""

    account: str
    instrument: str
    action: Action
    qty: int
    order_type: OrderType
    tif: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    oco_id: str | None
    notes: str | None
    content: str
    """Fingerprint of the alert that asks for it."""


class LegTerms(NamedTuple):
    """What is asked of a leg: a price, or an offset in points from the entry's average fill price."""

    kind: Literal["TARGET", "STOP"]
    order_type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    offset: Decimal | None = None
    qty: int | None = None
    """None is the entry's."""


def legs_of(bracket: Bracket) -> list[LegTerms]:
    """Return the legs of a template's bracket; their prices follow from the entry's fill price."""
    legs = (
        LegTerms("TARGET", "LIMIT", offset=bracket.target, qty=bracket.qty),
        LegTerms("STOP", "STOPMARKET", offset=bracket.stop, qty=bracket.qty),
    )
    return [leg for leg in legs if leg.offset is not None]


def entry_and_legs(
    provenance: Provenance,
    order_id: str,
    terms: EntryTerms,
    strategy: Strategy,
    brackets: Sequence[Sequence[LegTerms]],
    replaces: str | None = None,
) -> list[Order]:
    """Return an entry and its legs, entry first, named by the first numbers that are free in the strategy."""
    first = max(next_number(kind, strategy.names) for kind in ("TARGET", "STOP"))
    legs = [
        leg
        for number, bracket in enumerate(brackets, first)
        for leg in _legs(provenance, terms, strategy.strategy_id, number, bracket)
    ]
    entry = single_order(
        provenance,
        order_id,
        terms,
        strategy_id=strategy.strategy_id,
        order_name=f"ENTRY{next_number('ENTRY', strategy.names)}",
        legs={str(leg.order_name): leg.order_id for leg in legs},
        replaces=replaces,
    )
    return [entry, *legs]


def single_order(provenance: Provenance, order_id: str, terms: EntryTerms, **extra: Any) -> Order:
    """Return an order of these terms. Without a venue the table is the authority: what stands in it works."""
    return _new(provenance, order_id=order_id, state=OrderState.WORKING, **terms._asdict(), **extra)


def _legs(
    provenance: Provenance, terms: EntryTerms, strategy_id: str, number: int, bracket: Sequence[LegTerms]
) -> Iterator[Order]:
    for leg in bracket:
        name = f"{leg.kind}{number}"
        yield _new(
            provenance,
            order_id=f"{provenance.request_id}.{name}",
            account=terms.account,
            instrument=terms.instrument,
            action="SELL" if terms.action == "BUY" else "BUY",
            qty=leg.qty or terms.qty,
            order_type=leg.order_type,
            tif="GTC",
            limit_price=leg.limit_price,
            stop_price=leg.stop_price,
            offset=leg.offset,
            oco_id=f"{provenance.request_id}.OCO{number}" if len(bracket) > 1 else None,
            state=OrderState.INITIALIZED,
            strategy_id=strategy_id,
            order_name=name,
            notes=terms.notes,
        )


def _new(provenance: Provenance, **fields: Any) -> Order:
    values: Mapping[str, Any] = {name: fields.get(name) for name in ("qty", *PRICES)}
    changes = {name: decimal_text(Decimal(value)) for name, value in values.items() if value is not None}
    history = (provenance.event(fields["state"], changes),)
    return Order(**fields, since=timestamp(provenance.at), history=history)


def next_number(kind: str, names: Iterable[str]) -> int:
    """Return the number after the highest that `kind` (ENTRY, TARGET, STOP) has among `names`; 1 if it has none."""
    return 1 + max((int(name[len(kind) :]) for name in names if name.startswith(kind)), default=0)
