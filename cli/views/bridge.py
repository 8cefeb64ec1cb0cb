"""Show how it stands with a stack's bridge."""

import textwrap
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from bridge.doctor import Finding
from cli.terminal import (
    BAD,
    DIM,
    GOOD,
    WARNING,
    Cell,
    is_terminal,
    print_line,
    print_table,
    print_text,
    printable,
    readable_time,
)
from cli.views.instructions import show_instructions
from cli.views.orders import parted_id

_STYLES = {"ok": GOOD, "warning": WARNING, "failed": BAD, "look": DIM}
_ABOUT_WIDTH, _WAITS_WIDTH = 11, 25


def show_finding(finding: Finding) -> None:
    """Print what `orderhook bridge doctor` has found of one thing."""
    heading = f"{finding.result:8} {finding.about:{_ABOUT_WIDTH}} "
    print_text(printable(f"{heading}{finding.detail}"), _STYLES[finding.result], hanging=len(heading))


def show_status(status: Mapping[str, Any]) -> None:
    """Print a bridge's status."""
    print_text(printable(f"{status['stack']}, trader {status['trader']}"))
    owner, here = status["owner"], status["here"]
    if owner is None:
        print_text("No bridge has ever owned this stack: what opens is answered venue_offline.", BAD)
    else:
        whose = "this machine's" if owner.get("journal") == here["journal"] else f"another's, {owner.get('journal')}"
        print_text(
            printable(f"owner: {whose}, on {owner.get('host')}, last heard from {readable_time(str(owner.get('at')))}")
        )
        print_text(printable(f"accounts: {', '.join(map(str, owner.get('accounts', ())))}"))
        if not owner.get("ready"):
            print_text(printable(f"ready: no, {owner.get('reason') or 'it has not said why'}"), WARNING)
        elif status["away"]:
            print_text(f"ready: no, the bridge {status['away']}: see whether it runs on its PC", BAD)
        else:
            print_line("ready: yes", GOOD)
    if status["kill_switch"]:
        print_line("The kill switch is on: nothing is opened.", BAD)
    running = "running" if here["running"] else "not running"
    print_line(f"this machine: {running}, {here['reports_waiting']} reports not sent", "" if here["running"] else DIM)
    for order_id in status["unreadable"]:
        print_text(printable(f"{order_id} cannot be read by this version of the bridge"), BAD)
    for it in here["blocked"]:
        where = f"{it['account']}, {it['instrument']}"
        print_text(printable(f"{where} opens nothing since {readable_time(it['since'])}: {it['why']}"), BAD)
        print_text(
            printable(f"  when that is mended: orderhook bridge resume {it['account']} '{it['instrument']}'"), DIM
        )
    show_instructions(status["instructions"])
    print_line()
    if not status["orders"]:
        print_line("No order is open at the venue.")
    elif is_terminal():
        print_table(("order", "state", "waits for"), map(_two_lines, status["orders"]))
    else:
        columns = ("order", "account", "instrument", "state", "filled", "waits for", "since")
        print_table(columns, map(_cells, status["orders"]))


def _cells(order: Mapping[str, Any]) -> list[Cell]:
    where = [order["account"], order["instrument"]]
    return [order["order_id"], *where, order["state"], _filled(order), _waits(order), readable_time(order["since"])]


def _two_lines(order: Mapping[str, Any]) -> list[Cell]:
    where = printable(f"{order['instrument']}, {order['account']}")
    return [
        Text.assemble(parted_id(order["order_id"]), "\n", (where, DIM)),
        Text.assemble(f"{order['state']}, {_filled(order)}", "\n", (readable_time(order["since"]), DIM)),
        _waits(order, _WAITS_WIDTH),
    ]


def _filled(order: Mapping[str, Any]) -> str:
    return f"{order['filled']} of {order['qty']}"


def _waits(order: Mapping[str, Any], width: int | None = None) -> Cell:
    if not order["unresolved"]:
        return order["waits_for"] or ""
    why = printable(f"unresolved: {order['unresolved']}")
    return Text("\n".join(textwrap.wrap(why, width)) if width else why, BAD)
