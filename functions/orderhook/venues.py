"""Who says what becomes of an order: the table itself, or a venue, of which a bridge reports.

What a command leads to and how it is answered follows from the order's own venue, whatever a deployment has by now.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple

from orderhook.orders import Order, OrderState, Want, folded, timestamp
from orderhook.provenance import Provenance

Kind = Literal["place", "change", "replace", "cancel"]


class Venue(NamedTuple):
    """A venue, or the table in its place."""

    name: str | None
    """What Order.venue says; None where the table is the authority."""
    placed: OrderState
    """The state of an order that was just placed."""
    cancelled: OrderState
    """The state of an order that was just cancelled."""
    words: Mapping[str, str] = MappingProxyType({})
    """What is answered in place of a word that says that it is done."""
    too_late: timedelta = timedelta(seconds=30)
    """How long after an alert, or after its delay, the venue may still be given what opens a position."""
    runs_own_templates: bool = False
    """Whether it places targets and stops of templates of its own (NinjaTrader: ATM strategies)."""

    def word(self, done: str) -> str:
        """Return the word of an answer, where the table's would be `done`."""
        return self.words.get(done, done)

    def day_ends(self, at: str | None) -> str | None:
        """Return when a DAY order ends that would end then; None where the venue ends and reports it."""
        return at if self.name is None else None

    def want(self, provenance: Provenance, kind: Kind, n: int = 1, *, closes: bool = False) -> Want | None:
        """Return what is asked of the venue; None where there is none. What closes a position is never too late."""
        if self.name is None:
            return None
        return Want(n, kind, provenance.received_at, None if closes else self.not_after(provenance))

    def not_after(self, provenance: Provenance) -> str:
        """Return until when the venue may still be given what this alert opens."""
        return timestamp((provenance.due or provenance.received_on) + self.too_late)


_SIMULATED_PREFIX, _PLAYBACK = "sim", "playback101"


def is_simulated(account: str) -> bool:
    """Return whether an account is surely one of NinjaTrader's simulation: Sim101, or that of its playback."""
    name = folded(account.strip())
    return name.startswith(_SIMULATED_PREFIX) or name == _PLAYBACK


TABLE = Venue(None, OrderState.WORKING, OrderState.CANCELLED)
"""Without a venue what stands in the table works, and what is cancelled there is cancelled."""

NINJATRADER = Venue(
    "ninjatrader",
    OrderState.INITIALIZED,
    OrderState.CANCEL_PENDING,
    MappingProxyType(
        {
            "cancelled": "cancel_pending",
            "changed": "change_pending",
            "replaced": "replace_pending",
        }
    ),
    runs_own_templates=True,
)
"""What is asked is accepted, and done where a bridge says so."""

VENUES: Mapping[str, Venue] = MappingProxyType({"none": TABLE, "ninjatrader": NINJATRADER})
"""By the parameter `Venue` of the template."""


def venue_of(order: Order, own: Venue = TABLE) -> Venue:
    """Return the venue of an order; `own` is that of the deployment, whose times count where it is the same."""
    if order.venue == own.name:
        return own
    return next((it for it in VENUES.values() if it.name == order.venue), NINJATRADER._replace(name=order.venue))
