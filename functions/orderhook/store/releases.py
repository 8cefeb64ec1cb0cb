"""The writes of the legs that a fill of their entry releases, raises, or gives a price."""

from collections.abc import Container, Mapping
from decimal import Decimal

from orderhook.order_reports import released_leg, working_prices
from orderhook.orders import TERMINAL, Order, OrderState
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.expressions import VERSIONED
from orderhook.store.writes import NEW, Put, Update
from orderhook.trade import leg_id


def releases(
    provenance: Provenance, before: Order, after: Order, closed: Container[str] = (), priced: Container[str] = ()
) -> tuple[Order, dict[str, Put | Update]]:
    """Return an entry with the legs released that its fills reach, and the writes of those, by their names.

    A leg becomes an item of its own at the first fill that reaches it; a later fill raises it, and the first average
    price gives it the price that it lacks, unless it was given one itself (`priced`). One that was ended by itself, in
    the entry or, `closed`, in its own item, stays as it is.
    """
    writes: dict[str, Put | Update] = {}
    for name, leg in after.legs.items():
        share = leg.share(after.filled)
        raised = leg.released and share > leg.share(before.filled)
        lacked_price = leg.released and leg.offset is not None and before.average is None and name not in priced
        prices = working_prices(after, name, leg) if lacked_price and after.average is not None else {}
        if leg.end or name in closed or not share or (leg.released and not raised and not prices):
            continue
        if prices:
            writes[name] = _give_prices(provenance, after, name, share if raised else None, prices)
        elif raised:
            writes[name] = _raise(provenance, after, name, share)
        else:
            order = released_leg(provenance, after, name, share)
            writes[name] = Put(items.order_item(provenance.trader, order, provenance.request_id), NEW)
            after = after._replace(legs={**after.legs, name: leg._replace(released=True)})
    return after, writes


def _give_prices(
    provenance: Provenance, entry: Order, name: str, qty: int | None, prices: Mapping[str, Decimal]
) -> Update:
    """Return the write that has a leg work which was released without a price, if it lacks it still."""
    raises = "" if qty is None else "#qty = :qty, #closes = :qty, "
    # At a venue it works when that says so.
    works = "" if entry.venue else "#state = :working, #since = :now, "
    return Update(
        items.order_key(provenance.trader, leg_id(entry.order_id, name)),
        f"SET {raises}{works}{', '.join(f'#{field} = :{field}' for field in prices)}, {VERSIONED}",
        f"#state = :initialized AND {' AND '.join(f'attribute_not_exists(#{field})' for field in prices)}",
        {
            **({} if qty is None else {":qty": qty}),
            **({":working": str(OrderState.WORKING), ":now": provenance.now} if works else {}),
            **{f":{field}": price for field, price in prices.items()},
            ":initialized": str(OrderState.INITIALIZED),
            ":one": 1,
            ":request_id": provenance.request_id,
        },
    )


def _raise(provenance: Provenance, entry: Order, name: str, qty: int) -> Update:
    states = {f":s{n}": str(state) for n, state in enumerate(sorted(TERMINAL))}
    return Update(
        items.order_key(provenance.trader, leg_id(entry.order_id, name)),
        f"SET #qty = :qty, #closes = :qty, {VERSIONED}",
        f"attribute_exists(pk) AND NOT #state IN ({', '.join(states)})",
        {":qty": qty, ":one": 1, ":request_id": provenance.request_id, **states},
    )
