"""The codes that sign somebody in to the console of a stack, and the sessions that they have opened.

A code is used up and its session written in one transaction: a code never opens two sessions, whatever answer is lost,
and none opens one behind the back of whoever ends them all.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from orderhook.aws.budget import single_attempt
from orderhook.errors import OutcomeUnknownError, TemporarilyUnavailableError
from orderhook.grants import CODE_FOR, Grant, Session, digest, is_secret, new_secret, session_id_of
from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import EXISTING, ConditionFailed, Item, Put, TransactionFailed, Update

CACHED_FOR = timedelta(seconds=30)
"""How long an instance may show pages to a session that was ended elsewhere; nothing is done by it meanwhile."""

NOTED_EVERY = timedelta(hours=1)
"""How often it is noted that a session is used."""

_MOST_KNOWN = 256

_UNUSED = f"{EXISTING} AND attribute_not_exists(#opened)"
_LIVES = f"{EXISTING} AND attribute_not_exists(#ended)"


class TableSessions:
    """Codes and sessions in one table, of all traders.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[str, tuple[datetime, Session]] = {}

    def issue_code(self, grant: Grant, now: datetime) -> str:
        """Return a new code, which opens one session with this grant."""
        code, until = new_secret(), now + CODE_FOR
        item = (
            items.sign_in_code_key(digest(code))
            | _grant_item(grant)
            | {
                "until": timestamp(until),
                "expires": int(until.timestamp()),
            }
        )
        with suppress(ConditionFailed):  # it is our own, written before an answer was lost: nobody else has this code
            self._table.put(Put(item))
        return code

    def redeem(self, code: str, now: datetime) -> str | None:
        """Return the token of a new session; None for a code that there is not, or was redeemed, or is too old.

        A code that this version cannot read opens nothing.
        """
        if not is_secret(code):
            return None
        key = items.sign_in_code_key(digest(code))
        item = self._table.get(key)
        if item is None or "opened" in item:
            return None
        token = new_secret()
        name, session = digest(token), Session(session_id_of(token), _grant(item), now, now)
        # The condition asks the clock, because items are deleted long after they expire.
        opened, at = {":opened": name}, {":now": timestamp(now)}
        uses = Update(key, "SET #opened = :opened", f"{_UNUSED} AND #until > :now", opened | at)
        try:
            self._table.transact([uses, Put(_session_item(name, session))])
        except TransactionFailed as failure:
            met = failure.failures[0]
            if met is None or met.item is None or met.item.get("opened") != name:
                return None  # otherwise it was this very request, whose answer was lost
        self._remember(name, now, session)
        return token

    def find(self, token: str, now: datetime, *, consistently: bool, renew: bool) -> Session | None:
        """Return the session of a token, None where it is over; `renew` notes at most once an hour that it is used."""
        if not is_secret(token):
            return None
        name = digest(token)
        read_at, session = self._known.get(name, (None, None))
        if consistently or read_at is None or not read_at <= now < read_at + CACHED_FOR:
            session = self._read(name)
            self._remember(name, now, session)
        if session is None or session.is_over(now):
            return None
        if renew and now - session.used >= NOTED_EVERY:
            self._note_use(name, session, now)
        return session

    def end(self, token: str) -> None:
        """End the session of a token; run twice, it is ended once."""
        self._end(digest(token))

    def end_all(self, trader: str, now: datetime) -> int:
        """End every session of a trader, and every code that waits to open one; return how many sessions there were."""
        # First the codes: what is opened before that is among the sessions, and nothing is opened afterwards.
        for item in self._of(trader, items.SIGN_IN_CODES):
            with suppress(ConditionFailed):
                key = items.sign_in_code_key(item["sk"])
                self._table.update(Update(key, "SET #opened = :nobody", _UNUSED, {":nobody": "nobody"}))
        # One that this version cannot read is ended too.
        alive = [item for item in self._of(trader, items.SESSIONS) if item["expires"] > now.timestamp()]
        return sum(self._end(item["sk"]) for item in alive)

    def _of(self, trader: str, partition: str) -> Iterator[Item]:
        found = self._table.query("#pk = :pk", {":pk": partition})
        return (item for item in found if item.get("trader") == trader)

    def _end(self, name: str) -> bool:
        """End a session; return whether there was one."""
        self._known.pop(name, None)
        try:
            self._table.update(Update(items.session_key(name), "SET #ended = :ended", _LIVES, {":ended": True}))
        except ConditionFailed:
            return False
        return True

    def _read(self, name: str) -> Session | None:
        item = self._table.get(items.session_key(name))
        return None if item is None or "ended" in item else _session(item)

    def _remember(self, name: str, now: datetime, session: Session | None) -> None:
        self._known.pop(name, None)
        if session is not None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.pop(next(iter(self._known)), None)
            self._known[name] = (now, session)

    def _note_use(self, name: str, session: Session, now: datetime) -> None:
        """Note that a session is used now, by one request that is not sent again; without it, all else is as it is."""
        used = session._replace(used=now)
        values = {":used": timestamp(now), ":expires": int(used.ends.timestamp())}
        update = Update(
            items.session_key(name), "SET #used = :used, #expires = :expires", f"{_LIVES} AND #used < :used", values
        )
        with single_attempt(), suppress(ConditionFailed, OutcomeUnknownError, TemporarilyUnavailableError):
            self._table.update(update)
            self._remember(name, now, used)


def _grant_item(grant: Grant) -> Item:
    limits = grant.limits and items.limits_item(grant.limits)
    return grant._asdict() | {"limits": limits}


def _grant(item: Mapping[str, Any]) -> Grant:
    values = {name: item[name] for name in Grant._fields if name in item}
    return Grant(**values | ({"limits": items.read_limits(item["limits"])} if "limits" in item else {}))


def _session_item(name: str, session: Session) -> Item:
    times = {"signed_in": timestamp(session.signed_in), "used": timestamp(session.used)}
    values = {"session_id": session.session_id, "expires": int(session.ends.timestamp())}
    return items.session_key(name) | _grant_item(session.grant) | times | values


def _session(item: Mapping[str, Any]) -> Session:
    times = {name: datetime.fromisoformat(item[name]) for name in ("signed_in", "used")}
    return Session(item["session_id"], _grant(item), **times)
