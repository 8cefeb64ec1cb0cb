"""Show how it stands with a stack's bridge."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from bridge.doctor import Finding
from bridge.events import Looked
from bridge.settings import BridgeSettings
from cli.terminal import BAD, DIM, GOOD, WARNING, Cell, print_line, print_table, printable, readable_time
from orderhook.orders import Order

_STYLES = {"ok": GOOD, "warning": WARNING, "failed": BAD, "look": DIM}


def show_finding(finding: Finding) -> None:
    """Print what `orderhook bridge doctor` has found of one thing."""
    print_line(printable(f"{finding.result:8} {finding.about:11} {finding.detail}"), _STYLES[finding.result])


def represent_status(
    settings: BridgeSettings, looked: Looked, owner: Mapping[str, Any], here: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a bridge's status as JSON: who owns the stack, what this machine has, which orders are at the venue."""
    return {
        "stack": settings.stack,
        "trader": settings.trader,
        "table": settings.table,
        "owner": {
            name: list(value) if isinstance(value, list | tuple | set) else value for name, value in owner.items()
        }
        or None,
        "kill_switch": looked.kill_switch,
        "here": dict(here),
        "orders": [_represent_order(order) for order in looked.orders],
        "unreadable": list(looked.unreadable),
    }


def _represent_order(order: Order) -> dict[str, Any]:
    want = order.want
    return {
        "order_id": order.order_id,
        "account": order.account,
        "instrument": order.instrument,
        "state": str(order.state),
        "qty": str(order.qty),
        "filled": str(order.filled),
        "waits_for": want.kind if want and want.n > order.acked else None,
        "unresolved": order.unresolved,
        "since": order.since,
    }


def show_status(status: Mapping[str, Any]) -> None:
    """Print a bridge's status."""
    print_line(printable(f"{status['stack']}, trader {status['trader']}"))
    owner, here = status["owner"], status["here"]
    if owner is None:
        print_line("No bridge has ever owned this stack: what opens is answered venue_offline.", BAD)
    else:
        whose = "this machine's" if owner.get("journal") == here["journal"] else f"another's, {owner.get('journal')}"
        print_line(printable(f"owner: {whose}, on {owner.get('host')}, heard of {readable_time(str(owner.get('at')))}"))
        print_line(printable(f"accounts: {', '.join(map(str, owner.get('accounts', ())))}"))
        if owner.get("ready"):
            print_line("ready: yes", GOOD)
        else:
            print_line(printable(f"ready: no, {owner.get('reason') or 'it has not said why'}"), WARNING)
    if status["kill_switch"]:
        print_line("The kill switch is on: nothing is opened.", BAD)
    running = "running" if here["running"] else "not running"
    print_line(f"this machine: {running}, {here['reports_waiting']} reports not sent", "" if here["running"] else DIM)
    for order_id in status["unreadable"]:
        print_line(printable(f"{order_id} cannot be read by this version of the bridge"), BAD)
    print_line()
    print_table(
        ("order", "account", "instrument", "state", "filled", "waits for", "since"), map(_cells, status["orders"])
    )


def _cells(order: Mapping[str, Any]) -> list[Cell]:
    waits = Text(f"unresolved: {order['unresolved']}", BAD) if order["unresolved"] else order["waits_for"] or ""
    filled = f"{order['filled']} of {order['qty']}"
    return [
        order["order_id"],
        order["account"],
        order["instrument"],
        order["state"],
        filled,
        waits,
        readable_time(order["since"]),
    ]
