"""Signing in and out, and the record that each leaves: who came in, by which session, and from where.

What signs nobody in leaves no record, for anybody may try; it is logged and counted.
"""

import time
from collections.abc import Mapping
from datetime import datetime

from orderhook import telemetry
from orderhook.console.http import Request
from orderhook.console.recording import session_record
from orderhook.console.sessions import Sessions
from orderhook.console.visit import Visit
from orderhook.grants import Session
from orderhook.request_facts import RequestFacts
from orderhook.services import Services

RECORD_SECONDS = 0.5
"""How long the record may take, after which somebody is signed in or out without it."""


def redeem(services: Services, sessions: Sessions, request: Request, now: datetime) -> str | None:
    """Return the token of a new session for the code that the form has; None where it has none that is good."""
    token = sessions.redeem(request.form.get("code", ""), now)
    session = token and sessions.find(token, now, consistently=False, renew=False)
    if not token or not session:
        telemetry.log_sign_in(request.source, None)
        return None
    telemetry.log_sign_in(request.source, session.session_id)
    may = "look" if session.grant.read_only else "look, stop, and for 12 hours do more"
    _leave_record(services, session, request, now, "SIGN IN", "signed_in", {"may": may})
    return token


def sign_out(visit: Visit) -> None:
    """End the session of whoever asks for it."""
    visit.sessions.end(visit.token)
    _leave_record(visit.services, visit.session, visit.request, visit.now, "SIGN OUT", "signed_out", {})


def _leave_record(
    services: Services,
    session: Session,
    request: Request,
    now: datetime,
    command: str,
    outcome: str,
    fields: Mapping[str, str],
) -> None:
    record = session_record(session, now, request.source, command, outcome, fields)
    facts = RequestFacts(record.request_id, source=request.source)
    telemetry.write_record(services.alert_log, record, facts, time.monotonic() + RECORD_SECONDS)
