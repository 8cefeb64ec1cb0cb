"""Signing in: a one-time code from who may use the table, and the session that it opens.

Only digests are kept, in a process or in the table: neither has anything that lets somebody in.
"""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import NamedTuple, Protocol

from orderhook.keys import Key
from orderhook.limits import Limits

CODE_FOR = timedelta(minutes=5)
"""How long a code may be redeemed."""
SESSION_FOR = timedelta(days=30)
UNUSED_FOR = timedelta(days=7)
"""A session ends that nobody used for so long; a poll is no use."""
ACTS_FOR = timedelta(hours=12)
"""How long after the sign-in a session may do more than read and stop."""


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
            key_id=f"console-{self.session_id}",
            digest=b"",
            trader=self.grant.trader,
            label=self.grant.label,
            scopes=frozenset(),
            created="",
            last_four="",
            limits=self.grant.limits,
        )

    def is_over(self, now: datetime) -> bool:
        """Return whether it lets nobody in any more."""
        return now - self.signed_in >= SESSION_FOR or now - self.used >= UNUSED_FOR

    def may_act(self, now: datetime) -> bool:
        """Return whether it may do more than read and stop."""
        return not self.grant.read_only and now - self.signed_in < ACTS_FOR

    @property
    def may_stop(self) -> bool:
        """Return whether it may stop: that only makes the risk smaller."""
        return not self.grant.read_only


class Sessions(Protocol):
    """Where codes and sessions are kept."""

    def issue_code(self, grant: Grant, now: datetime) -> str:
        """Return a new code, which opens one session with this grant."""

    def redeem(self, code: str, now: datetime) -> str | None:
        """Return the token of a new session; None for a code that there is not, or was redeemed, or is too old."""

    def find(self, token: str, now: datetime, *, consistently: bool, renew: bool) -> Session | None:
        """Return the session of a token, None where it is over.

        `consistently` asks whoever keeps it, in place of what was known half a minute ago; `renew` notes that a person
        uses it.
        """

    def end(self, token: str) -> None:
        """End the session of a token; run twice, it is ended once."""

    def end_all(self, trader: str) -> int:
        """End every session of a trader, and return how many there were."""


def new_secret() -> str:
    """Return 32 random bytes as text for a URL or a cookie."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return what is kept of a code or a token."""
    return sha256(secret.encode(errors="replace")).hexdigest()


def session_id_of(token: str) -> str:
    """Return the id that a session with this token has in records."""
    return digest(f"id of {token}")[:8]


class ProcessSessions:
    """Codes and sessions in the memory of a process, which end with it; any thread may use them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._codes: dict[str, tuple[Grant, datetime]] = {}
        self._sessions: dict[str, Session] = {}

    def issue_code(self, grant: Grant, now: datetime) -> str:
        """Return a new code, which opens one session with this grant."""
        code = new_secret()
        with self._lock:
            self._codes[digest(code)] = (grant, now + CODE_FOR)
        return code

    def redeem(self, code: str, now: datetime) -> str | None:
        """Return the token of a new session; None for a code that there is not, or was redeemed, or is too old."""
        with self._lock:
            grant, until = self._codes.pop(digest(code), (None, now))
            if grant is None or now >= until:
                return None
            token = new_secret()
            self._sessions[digest(token)] = Session(session_id_of(token), grant, now, now)
        return token

    def find(self, token: str, now: datetime, *, consistently: bool, renew: bool) -> Session | None:  # noqa: ARG002
        """Return the session of a token, None where it is over."""
        with self._lock:
            session = self._sessions.get(digest(token))
            if session is None or session.is_over(now):
                self._sessions.pop(digest(token), None)
                return None
            if renew:
                self._sessions[digest(token)] = session._replace(used=now)
        return session

    def end(self, token: str) -> None:
        """End the session of a token; run twice, it is ended once."""
        with self._lock:
            self._sessions.pop(digest(token), None)

    def end_all(self, trader: str) -> int:
        """End every session of a trader, and return how many there were."""
        with self._lock:
            ended = [name for name, session in self._sessions.items() if session.grant.trader == trader]
            for name in ended:
                del self._sessions[name]
        return len(ended)
