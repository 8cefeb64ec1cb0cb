"""One way in: what a person or a program asks for is carried out as an alert is, and leaves a record as one does."""

import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from orderhook.answering import answer
from orderhook.errors import AlertWarning, InvalidValueError, OrderhookError
from orderhook.keys import Key, holds_key
from orderhook.outcome import Outcome
from orderhook.payload import Pair, Split
from orderhook.request_facts import RequestFacts
from orderhook.services import Services
from orderhook.store.alert_log import Origin, as_sent, id_prefix


class Acted(NamedTuple):
    """What came of it, under the request id that its record has."""

    request_id: str
    result: Outcome | OrderhookError
    warnings: tuple[AlertWarning, ...]
    facts: RequestFacts


def new_request_id(now: datetime) -> str:
    """Return an id for a request that comes in now; ids sort as time does."""
    return f"{id_prefix(now)}{secrets.token_hex(10)}"


def act(
    services: Services,
    pairs: Iterable[Pair],
    key: Key,
    *,
    origin: Origin,
    source: str,
    request_id: str | None = None,
    once: str | None = None,
) -> Acted:
    """Carry out what the fields ask for, within an alert's time, and leave its record; never raises.

    With a request id that was carried out before, what that has written is known again. `once` tells what was asked for
    twice on purpose from what came twice.
    """
    started, now = time.monotonic(), datetime.now(UTC)
    pairs = tuple(pairs)
    facts = RequestFacts(request_id or new_request_id(now), source=source)

    def authenticated(facts: RequestFacts) -> tuple[Split, Key]:
        facts.key, facts.key_id, facts.fields = key, key.key_id, as_sent(pairs)
        for name, value in pairs:
            if holds_key(f"{name}={value}"):
                raise InvalidValueError("A key stands in this; take it out, and have it revoked if others saw it.")
        return Split(pairs=pairs, fault=None, is_json=True), key

    result, warnings = answer(services, facts, authenticated, started=started, now=now, origin=origin, once=once)
    return Acted(facts.request_id, result, warnings, facts)
