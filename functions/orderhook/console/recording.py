"""The record of what is done in the console besides alerts: it stands among theirs, with the session's label."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from orderhook.console.acting import new_request_id
from orderhook.console.visit import Visit
from orderhook.grants import Session
from orderhook.orders import timestamp
from orderhook.store.alert_log import MAX_ORDER_IDS, AlertRecord


def record_of(
    visit: Visit, command: str, outcome: str, fields: Mapping[str, str], order_ids: Sequence[str] = ()
) -> AlertRecord:
    """Return the record of what this visit does."""
    return session_record(visit.session, visit.now, visit.request.source, command, outcome, fields, order_ids)


def session_record(
    session: Session,
    now: datetime,
    source: str,
    command: str,
    outcome: str,
    fields: Mapping[str, str],
    order_ids: Sequence[str] = (),
) -> AlertRecord:
    """Return the record of what a session does from an address."""
    return AlertRecord(
        trader=session.grant.trader,
        request_id=new_request_id(now),
        received_at=timestamp(now),
        key_id=session.key.key_id,
        key_label=session.grant.label,
        source=source,
        fields=fields,
        command=command,
        status=200,
        milliseconds=Decimal(0),
        outcome=outcome,
        order_ids=tuple(order_ids)[:MAX_ORDER_IDS],
        origin="console",
    )
