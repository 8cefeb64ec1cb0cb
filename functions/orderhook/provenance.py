"""Where a write comes from: whose it is, by which key, in which request, when, from which alert."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from orderhook.orders import Event, OrderState, Trace, timestamp

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.request_facts import Progress
    from orderhook.store.alert_log import Earlier


class Provenance(NamedTuple):
    """Where a write comes from: whose it is, by which key, in which request, when, from which alert."""

    trader: str
    key_id: str
    request_id: str
    at: datetime
    alert_digest: str | None = None
    """Fingerprint of the alert's text and of whose key it bears; None where no alert asks for the write."""
    received: datetime | None = None
    """When API Gateway received the alert; None is `at`."""
    resend_of: "dict[str, Earlier] | None" = None
    """Takes the requests that this one turns out to be a resend of, with what is known of each."""
    progress: "Progress | None" = None
    """Takes how far it has come, for the answer where it is cut off."""
    limits: "Limits | None" = None
    """Those of the key; None is none."""
    due: datetime | None = None
    """When the delay of its alert was over, of what is done later."""
    first_received: datetime | None = None
    """When the first of these alerts was received, where one for several accounts is known to be a resend."""

    @property
    def until(self) -> str | None:
        """Until when what the alert means was received, or had its name; None is any time.

        That is until its delay was over, or until its first receipt, where it is known to be a resend.
        """
        until = self.due or self.first_received
        return timestamp(until) if until else None

    @property
    def judged_on(self) -> datetime:
        """As of when the alert is judged: its receipt or, where it is known to be a resend, the first one."""
        return self.first_received or self.received_on

    def reaches(self, account: str, instrument: str) -> bool:
        """Return whether its key's limits let it reach what is in this account and instrument."""
        return self.limits is None or self.limits.reaches(account, instrument)

    @property
    def digest(self) -> str:
        """What the write leaves of its alert, or of itself: by it the same one again is known."""
        return self.alert_digest or self.request_id

    @property
    def now(self) -> str:
        """The time of the write, as the table holds times."""
        return timestamp(self.at)

    @property
    def received_on(self) -> datetime:
        """When the alert was received."""
        return self.received or self.at

    @property
    def received_at(self) -> str:
        """When the alert was received, as the table holds times."""
        return timestamp(self.received_on)

    @property
    def trace(self) -> "Trace":
        """What the alert leaves in an item that has no history."""
        return Trace(self.digest, self.request_id, self.received_at)

    def event(
        self, state: OrderState | None, changes: Mapping[str, str] | None = None, leg: str | None = None
    ) -> Event:
        """Return the history entry of an order that takes `state`, and these values, by this write."""
        return Event(
            state=state,
            at=self.now,
            request_id=self.request_id,
            key_id=self.key_id,
            changes=changes or {},
            leg=leg,
            digest=self.digest,
            received_at=self.received_at,
        )
