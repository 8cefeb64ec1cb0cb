"""What a page works with: the deployment that it shows, and who looks at it, when."""

from dataclasses import dataclass, field
from datetime import datetime

from orderhook.console.http import Request
from orderhook.console.sessions import Sessions
from orderhook.console.sight import reaches_record
from orderhook.grants import Session
from orderhook.limits import reaches
from orderhook.services import Services
from orderhook.store.alert_log import AlertRecord
from orderhook.store.controls import ControlsNow


@dataclass(frozen=True, slots=True)
class Deployment:
    """Which orderhook a console shows."""

    name: str
    """`demo`, or the name of its stack."""
    region: str | None = None
    read_only_because: str | None = None
    """Why nothing can be done by this console, such as that the versions differ."""
    command_options: str = ""
    """What the command line needs to work on the same table, such as `--stack orderhook`."""

    @property
    def is_demo(self) -> bool:
        """Whether it is the local server's, which is gone when that stops."""
        return self.region is None


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in."""

    services: Services
    sessions: Sessions
    deployment: Deployment
    request: Request
    session: Session
    token: str
    now: datetime
    _controls: list[ControlsNow] = field(default_factory=list)

    def controls(self) -> ControlsNow:
        """Return the trader's controls, which a page and what is around it read once."""
        if not self._controls:
            self._controls.append(self.services.controls.look(self.trader))
        return self._controls[0]

    @property
    def trader(self) -> str:
        """Whose table this is about."""
        return self.session.grant.trader

    def reaches(self, account: str | None, instrument: str | None) -> bool:
        """Return whether what is in this account and instrument is there for the session; None is not known."""
        return reaches(self.session.grant.limits, account, instrument)

    def sees(self, record: AlertRecord) -> bool:
        """Return whether the limits of this session reach what an alert is about."""
        return reaches_record(self.session.grant.limits, self.session.key.key_id, record)

    @property
    def sees_all(self) -> bool:
        """Whether no alert of the trader's is hidden from it."""
        limits = self.session.grant.limits
        return limits is None or not limits.is_to_markets

    @property
    def why_not(self) -> str:
        """Why this visit may only look, and stop; empty where it may do more."""
        if self.deployment.read_only_because:
            return self.deployment.read_only_because
        if self.session.grant.read_only:
            return "This session may only look."
        if not self.session.may_act(self.now):
            return "Your sign-in is more than 12 hours old: sign in again to do this."
        return ""

    @property
    def may_act(self) -> bool:
        """Whether it may do more than look and stop."""
        return not self.why_not

    def command_line(self, words: str) -> str:
        """Return a line for a terminal that does this in the same table; `words` may hold ids of requests alone."""
        return " ".join(filter(None, ("orderhook", words, self.deployment.command_options)))
