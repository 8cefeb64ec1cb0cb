"""What somebody who is signed in to the console may see and do, and for how long.

Only digests of codes and tokens are kept, in a process or in the table: neither has anything that lets somebody in.
"""

import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from orderhook.keys import Key
from orderhook.limits import Limits

CODE_FOR = timedelta(minutes=5)
"""How long a code may be redeemed."""
SESSION_FOR = timedelta(days=30)
UNUSED_FOR = timedelta(days=7)
"""A session ends that nobody used for so long; a poll is no use."""
ACTS_FOR = timedelta(hours=12)
"""How long after the sign-in a session may do more than read and stop."""

_OF_SESSION = "console-"

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class Grant(NamedTuple):
    """What a session may see and do, as whoever makes its code has said."""

    trader: str = "main"
    label: str = "console"
    read_only: bool = False
    limits: Limits | None = None
    """As a key's."""


class Session(NamedTuple):
    """A session of the console."""

    session_id: str
    """Names it in records; it lets nobody in."""
    grant: Grant
    signed_in: datetime
    used: datetime

    @property
    def key(self) -> Key:
        """What the pipeline takes for whoever asks: everything that the grant allows."""
        return Key(
            key_id=f"{_OF_SESSION}{self.session_id}",
            digest=b"",
            trader=self.grant.trader,
            label=self.grant.label,
            scopes=frozenset(),
            created="",
            last_four="",
            limits=self.grant.limits,
        )

    @property
    def ends(self) -> datetime:
        """When it lets nobody in any more, unless somebody uses it before."""
        return min(self.signed_in + SESSION_FOR, self.used + UNUSED_FOR)

    def is_over(self, now: datetime) -> bool:
        """Return whether it lets nobody in any more."""
        return now >= self.ends

    def may_act(self, now: datetime) -> bool:
        """Return whether it may do more than read and stop."""
        return not self.grant.read_only and now - self.signed_in < ACTS_FOR

    @property
    def may_stop(self) -> bool:
        """Return whether it may stop: that only makes the risk smaller."""
        return not self.grant.read_only


def key_of_session(key_id: str, trader: str) -> Key | None:
    """Return who a session was, which may be over, for the record of what it has left behind; None for a real key."""
    if not key_id.startswith(_OF_SESSION):
        return None
    return Key(key_id, b"", trader, Grant().label, frozenset(), created="", last_four="")


def new_secret() -> str:
    """Return 32 random bytes as text for a URL or a cookie."""
    return secrets.token_urlsafe(32)


def is_secret(text: str) -> bool:
    """Return whether this can be a code or a token, by its form: nothing else is looked up."""
    return _SECRET.fullmatch(text) is not None


def digest(secret: str) -> str:
    """Return what is kept of a code or a token."""
    return sha256(secret.encode(errors="replace")).hexdigest()


def session_id_of(token: str) -> str:
    """Return the id that a session with this token has in records."""
    return digest(f"id of {token}")[:8]
