"""One way in: what a person or a program asks for is carried out as an alert is, and leaves a record as one does."""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from orderhook.accounts import MAX_ACCOUNTS
from orderhook.answering import answer
from orderhook.console.fields import NOT_BY_HAND
from orderhook.console.http import HttpError
from orderhook.console.visit import Visit
from orderhook.errors import AlertWarning, InvalidValueError, OrderhookError
from orderhook.keys import Key, holds_key
from orderhook.listing import find_orders, take_snapshot
from orderhook.orders import RESENDS_END, Order, timestamp
from orderhook.outcome import Outcome
from orderhook.payload import Pair, Split, canonical
from orderhook.request_facts import RequestFacts
from orderhook.services import Services
from orderhook.store.alert_log import Origin, as_sent, id_prefix, record_id
from orderhook.store.once import OnceStore
from orderhook.trade import entry_and_leg

Refusal = TypeVar("Refusal")

ONCE = re.compile(r"[0-9a-f]{32}")
"""What the own field of a form holds."""


class Acted(NamedTuple):
    """What came of it, under the request id that its record has."""

    request_id: str
    result: Outcome | OrderhookError | None
    """None where a form has come again that was carried out: nothing was done, and the record has what came of it."""
    warnings: tuple[AlertWarning, ...] = ()
    told: Mapping[str, str] = MappingProxyType({})
    """What is told whatever came of it: of an instrument that has another name, both."""


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
    started: float | None = None,
) -> Acted:
    """Carry out what the fields ask for, within an alert's time, and leave its record; never raises.

    With a request id that was carried out before, what that has written is known again. `once` tells what was asked for
    twice on purpose from what came twice. The time counts from `started`, a second of time.monotonic, which is now.
    """
    started, now = started or time.monotonic(), datetime.now(UTC)
    pairs = tuple(pairs)
    facts = RequestFacts(request_id or new_request_id(now), source=source)

    def authenticated(facts: RequestFacts) -> tuple[Split, Key]:
        facts.key, facts.key_id, facts.fields = key, key.key_id, as_sent(pairs)
        for name, value in pairs:
            if holds_key(f"{name}={value}"):
                raise InvalidValueError("A key stands in this; take it out, and have it revoked if others saw it.")
        return Split(pairs=pairs, fault=None, is_json=True), key

    result, warnings = answer(services, facts, authenticated, started=started, now=now, origin=origin, once=once)
    return Acted(facts.request_id, result, warnings, facts.told)


def claim(visit: Visit, once: str, request_id: str, about: Sequence[str] = ()) -> str:
    """Return the request that a form leads to: this one, or that of the first time that it came; raises as below."""
    if not ONCE.fullmatch(once):
        raise HttpError(400, "This form is not whole, so nothing was done. Load the page again.")
    return OnceStore(visit.services.table).claim(visit.trader, once, request_id, visit.now, about)


def act_by_hand(visit: Visit, pairs: Iterable[Pair], once: str) -> Acted:
    """Carry out a form of the console; sent again it does nothing new, whatever has come in since.

    `once` is the form's own field. Raises HttpError for a form that is not whole or holds what is not done by hand, and
    TemporarilyUnavailableError where the table does not say whether it came before: nothing is done then.
    """
    pairs = tuple(pairs)
    for name, _ in pairs:
        if why := NOT_BY_HAND.get(canonical(name)):
            raise HttpError(400, f"{why} Nothing was done.")
    request_id = new_request_id(visit.now)
    first = claim(visit, once, request_id)
    if first != request_id and _is_over(visit, first):
        return Acted(first, None)
    # The first may be under way, or was cut off: what it has written is known by its id.
    return act(
        visit.services,
        pairs,
        visit.session.key,
        origin="console",
        source=visit.request.source,
        request_id=first,
        once=once,
    )


def _is_over(visit: Visit, first: str) -> bool:
    """Return whether the first of a form was answered, or came too long ago to be under way, or to be known again."""
    log = visit.services.alert_log
    if first < id_prefix(visit.now - RESENDS_END) or log.get(visit.trader, first):
        return True
    return log.earlier(visit.trader, first).answered  # all that there is where no records are kept


def refusal(
    visit: Visit, once: str, check: Callable[[], Refusal | None], order_ids: Iterable[str] = ()
) -> Refusal | None:
    """Return why a form is not carried out, as `check` finds it; None where it is, or has done something before.

    What has come in since a form was carried out counts for nothing when it comes again. A sending that was cut off
    before it wrote anything has done nothing. `order_ids` are the orders that it may change or place.
    """
    order_ids = tuple(order_ids)
    if _has_begun(visit, once, order_ids):
        return None
    found = check()
    # Of two sendings at a time the check of one may have met what the other has just written.
    return None if found is not None and _has_begun(visit, once, order_ids) else found


def _has_begun(visit: Visit, once: str, order_ids: Iterable[str]) -> bool:
    claimed = OnceStore(visit.services.table).get(visit.trader, once) if ONCE.fullmatch(once) else None
    if claimed is None:
        return False
    first = claimed.request_id
    return _is_over(visit, first) or _has_written(visit, first, order_ids)


def _has_written(visit: Visit, first: str, order_ids: Iterable[str]) -> bool:
    """Return whether a request has left an instruction, or an event in the history of an order."""
    services, trader, now = visit.services, visit.trader, timestamp(visit.now)
    of_accounts = (f"{first}.{number}" for number in range(1, MAX_ACCOUNTS + 1))
    if take_snapshot(services, trader, (), [first, *of_accounts], now, visit.controls().voided).instructions:
        return True
    ids = [first, *order_ids]
    entries = [split[0] for it in ids if (split := entry_and_leg(it))]
    found = find_orders(services, trader, list(dict.fromkeys([*ids, *entries])), now)
    events = (event for order in found.values() if isinstance(order, Order) for event in order.history)
    return any(record_id(event.request_id) == first for event in events)
