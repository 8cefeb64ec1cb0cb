"""What a new version is asked before it gets traffic: whether it reaches the table as every alert needs it."""

import time
from datetime import UTC, datetime
from typing import Any

from orderhook.aws.budget import time_budget
from orderhook.aws.clients import error_code
from orderhook.aws.deployment import READY
from orderhook.provenance import Provenance
from orderhook.services import Services

_NOBODY = "#"
"""No key is for a trader of this name."""

_SECONDS = 2.5


def answer(services: Services) -> dict[str, Any]:
    """Read a key, list open orders and cancel one, of a trader that there is not; nothing is written."""
    nowhere = Provenance(_NOBODY, _NOBODY, _NOBODY, datetime.now(UTC))
    try:
        with time_budget(time.monotonic() + _SECONDS):
            services.keys.get(_NOBODY)
            next(services.orders.open_items(_NOBODY), None)
            services.orders.cancel(nowhere, _NOBODY)
    except Exception as fault:
        return {"ready": False, "reason": error_code(fault)}
    return READY
