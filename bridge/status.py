"""How a stack's bridge stands: who owns the stack, what this machine has, what is blocked, what is at the venue."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from bridge.events import Looked
from bridge.journal import Journal
from bridge.settings import BridgeSettings
from orderhook.orders import Order
from orderhook.representations import represent_instruction
from orderhook.store.bridge import bridge_state

_MOST_REPORTS = 1000


def status_of(
    settings: BridgeSettings, looked: Looked, owner: Mapping[str, Any], journal: Path, now: datetime, *, running: bool
) -> dict[str, Any]:
    """Return the status as JSON, of what the table and this machine's `journal` say; raises JournalError.

    `running` says whether a bridge runs here over that journal, which is not made where there is none.
    """
    return {
        "stack": settings.stack,
        "trader": settings.trader,
        "table": settings.table,
        "owner": {
            name: list(value) if isinstance(value, list | tuple | set) else value for name, value in owner.items()
        }
        or None,
        "away": bridge_state({"bridge": dict(owner)}).away(now) if owner else None,
        "kill_switch": looked.kill_switch,
        "here": _here(journal, running=running),
        "orders": [_represent(order) for order in looked.orders],
        "instructions": [represent_instruction(it) for it in looked.instructions],
        "unreadable": list(looked.unreadable),
    }


def _here(path: Path, *, running: bool) -> Mapping[str, Any]:
    if not path.exists():
        return {"journal": None, "running": False, "reports_waiting": 0, "blocked": []}
    with closing(Journal.open(path)) as journal:
        waiting = len(journal.reports(_MOST_REPORTS))
        blocks = [it for name, it in journal.records().items() if name.startswith("block/")]
        blocked = [{name: it[name] for name in ("account", "instrument", "why", "since")} for it in blocks]
        return {"journal": journal.id, "running": running, "reports_waiting": waiting, "blocked": blocked}


def _represent(order: Order) -> dict[str, Any]:
    want = order.want
    return {
        "order_id": order.order_id,
        "account": order.account,
        "instrument": order.instrument,
        "state": str(order.state),
        "qty": str(order.present_qty),
        "filled": str(order.filled),
        "waits_for": want.kind if want and want.n > order.acked else None,
        "unresolved": order.unresolved,
        "since": order.since,
    }
