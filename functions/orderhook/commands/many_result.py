"""What became of the orders that a command over many met."""

from dataclasses import dataclass, field
from typing import Any

from orderhook.errors import AlertWarning
from orderhook.orders import RESENDS_END

LISTS = ("cancelled", "already_cancelled", "already_terminal", "remaining")
_IF_ANY = ("cancel_pending", "failed", "waiting", "newer")


@dataclass(slots=True)
class ManyResult:
    """The ids of the orders that a command over many met, by what became of them."""

    cancelled: list[str] = field(default_factory=list)
    already_cancelled: list[str] = field(default_factory=list)
    already_terminal: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)
    """What the time budget left open, or may have: to send the alert again is safe, and finishes it."""
    failed: list[dict[str, str]] = field(default_factory=list)
    """Orders that cannot be cancelled however often it is tried, with the reason."""
    waiting: list[str] = field(default_factory=list)
    """Orders with `delay` of the same bar, which this does not touch."""
    newer: list[str] = field(default_factory=list)
    """Orders that came in after the first receipt of this alert, which this, a resend, does not touch."""
    cancel_pending: list[str] = field(default_factory=list)
    """Orders whose cancel is on its way to their venue."""
    asked: list[str] = field(default_factory=list)
    """Those of them that this command has asked their venue for."""
    legs: dict[str, list[str]] = field(default_factory=dict)
    """The waiting legs that ended with the orders that were cancelled."""
    stops: list[str] = field(default_factory=list)
    """Stops of what is filled that this alert has cancelled, or asked their venue to: now, or at an earlier receipt."""
    overtakable: list[str] = field(default_factory=list)
    """Those of `cancel_pending` whose targets and stops are placed for what fills before their cancel is done."""
    waits_for_venue: bool = False
    """Whether a venue has yet to end some of them."""
    complete: bool = True
    """Whether all open orders could be listed in time."""
    closes: bool = False
    """Whether the bridge is asked to close what is filled besides."""

    @property
    def affected(self) -> tuple[str, ...]:
        """The ids of the orders that were written: cancelled, each with the legs that ended with it, or asked for."""
        ended = (order_id for entry in self.cancelled for order_id in (entry, *self.legs.get(entry, ())))
        return (*ended, *self.asked)

    @property
    def warnings(self) -> tuple[AlertWarning, ...]:
        """What a trader who thinks that all has ended must know."""
        warnings = []
        if self.newer:
            ids = ", ".join(self.newer[:5])
            detail = (
                f"This is a resend, which leaves alone what came in after the first alert: {ids}. To end that, send it "
                f"again {RESENDS_END.seconds} s after the first."
            )
            warnings.append(AlertWarning("newer_orders", None, detail))
        if self.stops:
            warnings.append(AlertWarning("unprotected_quantity", None, self._without_stop))
        return tuple(warnings)

    @property
    def _without_stop(self) -> str:
        """What to say of the stops that were cancelled."""
        stops = ", ".join(sorted(set(self.stops))[:5])
        if self.closes:
            return (
                f"What is filled may have no stop until it is closed: {stops} protected it. `orderhook alerts show` "
                "tells when that is done."
            )
        return f"What is filled stays, and has no stop now: {stops} protected it."

    def as_data(self) -> dict[str, object]:
        """Return the lists and their lengths, as an answer has them."""
        lists: dict[str, list[Any]] = {name: getattr(self, name) for name in LISTS}
        lists |= {name: ids for name in _IF_ANY if (ids := getattr(self, name))}
        extra: dict[str, object] = {"cancelled_legs": self.legs} if self.legs else {}
        return {"counts": {name: len(ids) for name, ids in lists.items()}, **lists, **extra}
