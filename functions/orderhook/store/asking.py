"""What the writes of cancels and changes say by who says what becomes of an order: the table, or the order's venue.

Without a venue a cancel ends an order at once, and a change has its effect; at a venue both are asked, and done when a
report says so.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from orderhook.orders import BEING_CANCELLED, CANCELLABLE, OPEN, OrderState
from orderhook.provenance import Provenance
from orderhook.store.expressions import Condition, Values, asked, at_venue, open_in
from orderhook.venues import Venue

EXPIRES = "#expires = :expires + if_not_exists(#kept_longer, :none_longer)"
"""What a write without a look sets: `kept_longer` has what the legs of an entry add to the time, once released."""


class Clause(NamedTuple):
    """What a write says besides: its condition, what it sets and removes, the values, and the state it brings."""

    condition: Condition
    sets: str = ""
    removes: str = ""
    values: Mapping[str, object] = {}
    state: OrderState | None = None
    """None: it stays."""

    @property
    def assignments(self) -> str:
        """What it sets and removes, as the rest of an expression that sets something before."""
        return self.sets + (f" REMOVE {self.removes}" if self.removes else "")


def cancels(venue: Venue, provenance: Provenance, retention: timedelta) -> Clause:
    """Return what the cancel of an order says."""
    if venue.name is None:
        values = {":expires": int((provenance.at + retention).timestamp()), ":none_longer": 0}
        return Clause(
            open_in(CANCELLABLE, provenance) & at_venue(None),
            f", {EXPIRES}, #cancelled_at = :now, #cancel_filled = #filled",
            "#open",
            values,
            venue.cancelled,
        )
    want = asked(venue.want(provenance, "cancel", closes=True))
    condition = open_in(OPEN, provenance) & at_venue(venue.name) & no_cancel_asked()
    return Clause(condition, want.sets, want.removes, want.values, venue.cancelled)


def cancels_leg(venue: Venue, provenance: Provenance, name: str) -> Clause:
    """Return what the cancel of a leg says that waits in its entry's item."""
    # Also while a cancel of its entry is on its way: a fill could overtake that, and release the leg.
    condition = open_in(OPEN, provenance) & at_venue(venue.name)
    if venue.name is None:
        end = {
            "state": str(OrderState.CANCELLED),
            "at": provenance.now,
            "request_id": provenance.request_id,
            "key_id": provenance.key_id,
        }
        return Clause(condition, f", #legs.#{name}.#end = :end", values={":end": end})
    want = asked(venue.want(provenance, "cancel", closes=True), f"#legs.#{name}.#want")
    return Clause(condition & not_being_cancelled(name), want.sets, want.removes, want.values)


def changes(venue: Venue, provenance: Provenance, *, is_leg: bool) -> Clause:
    """Return what the change of an order says."""
    condition = at_venue(venue.name)
    if venue.name is None:
        return Clause(condition)
    if not is_leg:
        # Until the venue has answered, what is asked of it is still the placing, or the order in the place of another
        # one, which may be too late: that needs a look.
        is_done = "attribute_exists(#acked) AND (#want.#kind <> :is_replace OR #acked >= #want.#n)"
        condition &= Condition(is_done, {":is_replace": "replace"})
    want = asked(venue.want(provenance, "change", closes=is_leg))
    state = OrderState.CHANGE_PENDING
    values = {**want.values, ":changing": str(state), ":now": provenance.now}
    return Clause(condition, f", #state = :changing, #since = :now{want.sets}", want.removes, values, state)


def replaces(venue: Venue, provenance: Provenance, *, is_leg: bool, names_group: bool) -> Clause:
    """Return what the replacement of an order says: at a venue it is a change, if it keeps the kind and the group."""
    clause = changes(venue, provenance, is_leg=is_leg)
    if venue.name is None:
        return clause
    kept = ["order_type", "qty" if is_leg else "tif", *(["oco_id"] if names_group else [])]
    same = Condition(" AND ".join(f"#{name} = :{name}" for name in kept), {})
    return clause._replace(condition=clause.condition & same)


def changes_leg(venue: Venue, provenance: Provenance, name: str, price: str) -> Clause:
    """Return what a new `price` of a leg says that waits in its entry's item, whose value is `:price`."""
    condition = at_venue(venue.name)
    if venue.name is None:
        return Clause(condition)
    want = asked(venue.want(provenance, "change", closes=True), f"#legs.#{name}.#want")
    condition &= not_being_cancelled(name) & Condition(f"#legs.#{name}.#{price} <> :price", {})
    return Clause(condition, want.sets, want.removes, want.values)


def no_cancel_asked() -> Condition:
    """Return the condition that an order at a venue is not being cancelled because somebody asked for it.

    The venue cancels by itself too: one of an OCO group, which may be placed again.
    """
    values: Values = {f":ending{number}": str(state) for number, state in enumerate(sorted(BEING_CANCELLED))}
    expression = f"NOT (#want.#kind = :is_cancel AND #state IN ({', '.join(values)}))"
    return Condition(expression, {**values, ":is_cancel": "cancel"})


def not_being_cancelled(name: str) -> Condition:
    """Return the condition that no cancel of a leg is on its way to the venue."""
    leg = f"#legs.#{name}"
    answered = f"{leg}.#acked >= {leg}.#want.#n"
    return Condition(f"({leg}.#want.#kind <> :being_cancelled OR {answered})", {":being_cancelled": "cancel"})
