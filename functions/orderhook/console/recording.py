"""The record of what is done in the console besides alerts: it stands among theirs, with the session's label."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from orderhook.console.acting import new_request_id
from orderhook.console.visit import Visit
from orderhook.grants import Session
from orderhook.provenance import Provenance
from orderhook.records import record_beside_alerts
from orderhook.store.alert_log import AlertRecord


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
    signed = Provenance(session.grant.trader, session.key.key_id, new_request_id(now), now)
    label = session.grant.label
    return record_beside_alerts(
        signed, command, outcome, fields, order_ids, label=label, source=source, origin="console"
    )
