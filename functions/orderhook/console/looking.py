"""What "I have looked" does: an event leaves the list of what needs a person, with a record of who said so."""

from collections.abc import Sequence

from orderhook.attention.needing import Attention
from orderhook.console.overview import overview_of
from orderhook.console.recording import record_of
from orderhook.console.visit import Visit
from orderhook.needs import Need
from orderhook.store.writes import Put, TransactionFailed, Update

MOST_AT_ONCE = 50
"""How many are looked at by one press: DynamoDB's transaction has room for 100."""

_RACES = 3


def look_at(visit: Visit, code: str, key: str, told_at: str) -> int:
    """Have looked at one event, or without a key at those of a kind, as far as they were told by then.

    Returns how many there were. Run twice, the second finds none: no record is left for nothing. What was told anew
    meanwhile stays, and so does a condition, which only its end takes away.
    """
    listed = [it for it in overview_of(visit).needs if it.may_be_looked_at and it.code == code and it.at <= told_at]
    chosen = [it for it in listed if not key or (it.key == key and it.at == told_at)][:MOST_AT_ONCE]
    for _ in range(_RACES):
        if not chosen:
            return 0
        try:
            visit.services.table.transact(_writes(visit, code, chosen))
        except TransactionFailed as failed:
            chosen = [it for it, failure in zip(chosen, failed.failures, strict=False) if failure is None]
        else:
            return len(chosen)
    return 0


def _writes(visit: Visit, code: str, chosen: Sequence[Attention]) -> list[Put | Update]:
    log = visit.services.alert_log
    told = {"what": code, "of": ", ".join(it.id for it in chosen), "told_at": max(it.at for it in chosen)}
    order_ids = [it.id for it in chosen if it.subject == "order"]
    record = record_of(visit, "LOOKED AT", "looked_at", told, order_ids)
    return [*(_write(visit, it) for it in chosen), log.putting(record)]


def _write(visit: Visit, it: Attention) -> Update:
    by = f"{visit.session.grant.label} ({visit.session.session_id})"
    if it.subject == "alert":
        return visit.services.alert_log.looking(visit.trader, it.id, by, visit.now)
    return visit.services.needs.looking(visit.trader, Need(it.code, it.subject, it.id, it.at), by, visit.now)
