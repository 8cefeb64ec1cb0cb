"""Signing in: a one-time code from who may use the table, and the session that it opens.

Where the console runs on somebody's own machine both are kept in its process; of a stack's they are in the table, by
`store/sessions`.
"""

from datetime import datetime
from threading import Lock
from typing import Protocol

from orderhook.grants import CODE_FOR, Grant, Session, digest, new_secret, session_id_of


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

    def end_all(self, trader: str, now: datetime) -> int:
        """End every session of a trader, and every code that waits to open one; return how many sessions there were."""


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

    def end_all(self, trader: str, now: datetime) -> int:
        """End every session of a trader, and every code that waits to open one; return how many sessions there were."""
        with self._lock:
            self._codes = {name: it for name, it in self._codes.items() if it[0].trader != trader}
            ended = [name for name, session in self._sessions.items() if session.grant.trader == trader]
            there = [session for name in ended if not (session := self._sessions.pop(name)).is_over(now)]
        return len(there)
