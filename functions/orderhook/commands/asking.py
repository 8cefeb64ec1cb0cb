"""What CHANGE and CANCELREPLACE ask of the venue that has the order which they alter."""

from orderhook.commands.addressed_order import Met
from orderhook.errors import OrderhookError, UnsupportedValueError
from orderhook.orders import Leg, Order, OrderState, Want
from orderhook.provenance import Provenance
from orderhook.trade import leg_id
from orderhook.venues import Kind, Venue, venue_of

_KIND = ("order_type", "tif")
"""What NinjaTrader's CHANGE cannot alter: another order has to take its place."""

_VALUES = (*_KIND, "qty", "limit_price", "stop_price")


def asking(own: Venue, provenance: Provenance, met: Met, after: Order) -> Order:
    """Return an altered item with what is asked of its venue; as it is where it has none, or nothing is asked.

    `own` is the venue of this deployment.
    """
    before = met.item
    if before.venue is None:
        return after
    venue = venue_of(before, own)
    want = _want(venue, provenance, before, after) if met.leg is None else None
    legs = {
        name: _leg(venue, provenance, before.legs.get(name), leg, want and want.n) for name, leg in after.legs.items()
    }
    after = after._replace(legs=legs)
    return after._replace(state=OrderState.CHANGE_PENDING, since=provenance.now, want=want) if want else after


def _want(venue: Venue, provenance: Provenance, before: Order, after: Order) -> Want | None:
    """Return what is asked of the venue for an order itself; None where it has the values, or takes them."""
    last = before.want
    # What the venue has not confirmed is asked anew: it may have been lost there.
    is_open = last is not None and last.kind in ("change", "replace") and last.n > before.acked
    is_asked_of_position = after.conditions not in (None, before.conditions)
    if _same(before, after, _VALUES) and not (is_open or is_asked_of_position):
        return None
    is_replaced = is_open and last is not None and last.kind == "replace"
    is_other_kind = not _same(before, after, _KIND) or is_replaced
    want = venue.want(
        provenance, "replace" if is_other_kind else "change", _next(before), closes=before.entry_id is not None
    )
    if want and last and (is_replaced or not before.acked) and before.entry_id is None:
        # Until the venue has answered, what is asked of it is still the placing, or the order in the place of another
        # one, which may be too late.
        want = want._replace(not_after=last.not_after)
    return want and want._replace(cancels_at=_limit_until_done(before, after, is_open=is_open))


def _limit_until_done(before: Order, after: Order, *, is_open: bool) -> str | None:
    """Return the time limit that stands until a change is done: the one from before all that is still open."""
    if is_open and before.want and before.want.cancels_at is not None:
        return before.want.cancels_at
    return None if before.cancels_at == after.cancels_at else before.cancels_at or ""


def check_asking(met: Met, after: Order) -> None:
    """Raise UnsupportedValueError for what no venue can make of an order; without a venue there is nothing."""
    before = met.item
    if before.venue is None:
        return
    for name, leg in after.legs.items():
        if name in before.legs:
            _check_leg(leg_id(before.order_id, name), before.legs[name], leg)
    if before.entry_id is not None and before.qty != after.qty:
        raise UnsupportedValueError(
            f"The quantity of {before.order_id} follows from what is filled; take qty out, or cancel it.", field="qty"
        )
    if before.atm_template is not None and not _same(before, after, _KIND):
        raise UnsupportedValueError(
            f"{before.order_id} has NinjaTrader's own template {before.atm_template}: its order_type and tif stay "
            f"{before.order_type} and {before.tif}. Give those, or cancel it and place another order.",
            field="order_type" if before.order_type != after.order_type else "tif",
        )
    is_member = before.entry_id is not None or before.oco_id is not None
    if is_member and not _same(before, after, (*_KIND, "oco_id")):
        raise _not_of_another_kind(before.order_id, before, after)
    if before.oco_id != after.oco_id:
        raise UnsupportedValueError(
            f"{before.order_id} is in no group at the venue and cannot join one: take oco_id out, or cancel the order "
            "and place another one.",
            field="oco_id",
        )


def _check_leg(order_id: str, before: Leg, after: Leg) -> None:
    is_new = before.end is not None
    is_ending = before.want is not None and before.want.kind == "cancel" and before.want.n > before.acked
    if is_ending and before != after and not is_new:
        raise UnsupportedValueError(
            f"{order_id} is being cancelled; give it anew when that is done.",
            field="take_profit" if after.order_type == "LIMIT" else "stop_loss",
        )
    regrouped = before.oco_id not in (None, after.oco_id)  # its first partner brings it into a group
    if not is_new and (before.order_type != after.order_type or regrouped):
        raise _not_of_another_kind(order_id, before, after)


def _not_of_another_kind(order_id: str, before: Order | Leg, after: Order | Leg) -> OrderhookError:
    fields = (*_KIND, "oco_id")
    field = next((it for it in fields if getattr(before, it, None) != getattr(after, it, None)), "order_type")
    return UnsupportedValueError(
        f"{order_id} is one of a group at the venue, of which one ends the others: its {field} stays "
        f"{getattr(before, field)}. Give that, or cancel it and place another order.",
        field=field,
    )


def _leg(venue: Venue, provenance: Provenance, before: Leg | None, after: Leg, of: int | None) -> Leg:
    """Return a leg in its entry's item with what is asked of the venue for it, with its entry's want or alone."""
    if after.released or after.end or (before == after and after.want):
        return after
    kind: Kind = "place" if before is None or before.end or before.want is None else "change"
    want = venue.want(provenance, kind, _next(before) if before else 1, closes=True)
    return after._replace(want=want and want._replace(of=of))


def _next(before: Order | Leg) -> int:
    return before.want.n + 1 if before.want else 1


def _same(before: Order, after: Order, names: tuple[str, ...]) -> bool:
    return all(getattr(before, name) == getattr(after, name) for name in names)
