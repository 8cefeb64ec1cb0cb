"""What a page works with: the deployment that it shows, and who looks at it, when."""

from dataclasses import dataclass
from datetime import datetime

from orderhook.console.http import Request
from orderhook.console.sessions import Session, Sessions
from orderhook.services import Services


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

    @property
    def trader(self) -> str:
        """Whose table this is about."""
        return self.session.grant.trader

    def command_line(self, words: str) -> str:
        """Return a line for a terminal that does this in the same table; `words` may hold ids of requests alone."""
        return " ".join(filter(None, ("orderhook", words, self.deployment.command_options)))
