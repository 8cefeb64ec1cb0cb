"""What an operator does by the command line leaves a record among those of the alerts: what, who, and from where.

And it rings, as an alert does.
"""

import getpass
import secrets
import socket
import time
from collections.abc import Mapping, Sequence

from cli import connection
from orderhook.errors import OutcomeUnknownError, TemporarilyUnavailableError
from orderhook.provenance import Provenance
from orderhook.records import record_beside_alerts
from orderhook.services import Services
from orderhook.store.alert_log import id_prefix

OPERATOR = "orderhook"
"""Stands where the key of an alert would stand."""

_RING_SECONDS = 3


def ring(services: Services) -> None:
    """Tell a bridge to look, where there is a venue; one that is not told looks some seconds later."""
    if services.doorbell:
        services.doorbell.ring().failure(time.monotonic() + _RING_SECONDS)


def operators_provenance(trader: str) -> Provenance:
    """Return where a write comes from that an operator makes for a trader now, by the table's clock as far as known."""
    now = connection.aws_clock.now()
    return Provenance(trader, OPERATOR, f"{id_prefix(now)}{secrets.token_hex(10)}", now)


def leave_record(
    services: Services,
    signed: Provenance,
    command: str,
    outcome: str,
    fields: Mapping[str, str],
    order_ids: Sequence[str] = (),
) -> str | None:
    """Leave the record of what was done; return what the operator is to be told if the table did not take it."""
    source = f"{_user()} at {socket.gethostname()}"
    record = record_beside_alerts(
        signed, command, outcome, fields, order_ids, label="the command line", source=source, origin="operator"
    )
    try:
        services.alert_log.put(record)
    except (TemporarilyUnavailableError, OutcomeUnknownError):
        return "The table did not take the record of this in time."
    return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may have no user of that number
        return "somebody"
