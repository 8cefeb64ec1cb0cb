"""What somebody may write to get at whoever looks at it, and a table that is full of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from orderhook.bridge_messages import Execution, Heartbeat, PositionReport, Side
from orderhook.orders import Strategy, timestamp
from orderhook.provenance import Provenance
from orderhook.services import Services
from orderhook.store.strategies import strategy_write
from orderhook.store.writes import TransactionFailed
from tests.builders import alert, order

TEXTS: Mapping[str, str] = {
    "image": "<img src=x onerror=alert(1)>",
    "script": "</script><script>alert(1)</script>",
    "svg": '"><svg onload=alert(1)>',
    "attribute": "' autofocus onfocus=alert(1) x='",
    "comment": "--><!-- <style>*{display:none}</style>",
    "link": "javascript:alert(1)",
    "address": "//evil.example/%0d%0aSet-Cookie:x=1",
    "entity": "&lt;b&gt;&#x3c;script&#x3e;",
    "turned": "abc\u202egnorw",
    "isolated": "\u2066never closed",
    "invisible": "a\u200bb\u200cc\ufeffd",
    "control": "bell\x07 escape\x1b[31m nothing\0",
    "lines": "one\r\nSet-Cookie: two=2\u2028three",
    "shell": "$(touch /tmp/x)",
    "backticks": "`touch /tmp/x`; rm -rf ~",
    "template": "{{7*7}}${7*7}%s%(x)s",
    "long": 600 * "W",
}
"""By what it is; what an alert's limits refuse is in its record all the same."""

ID_LENGTH = 64
"""As long is an id at most."""

SIDES: tuple[Side, ...] = ("LONG", "SHORT", "FLAT", "UNKNOWN")

_FIELDS = {
    "account": "Sim101",
    "instrument": "ES1!",
    "action": "BUY",
    "qty": "2",
    "order_type": "LIMIT",
    "limit_price": "5000",
    "tif": "GTC",
}
_TEXTS_OF_PLACE = ("account", "instrument", "qty", "order_id", "strategy_id", "oco_id", "notes", "strategy")


def alerts(key: str) -> Iterator[str]:
    """Yield alerts that hold each text as the value of every field, as a name and as the command, and as a remark."""
    for text in TEXTS.values():
        # The record has all of them, whichever it is refused for.
        yield alert({"key": key, "command": "PLACE", **_FIELDS, **dict.fromkeys(_TEXTS_OF_PLACE, text), text: text})
        yield alert({"key": key, "command": text, "order_id": text})
        yield alert({"key": key, "command": "CANCEL", "order_id": f"{text}.STOP1", "strategy_id": text})
        yield alert({"key": key, "command": "PLACE", **_FIELDS, "notes": text})


def have(services: Services, trader: str, signed: Callable[[str], Provenance]) -> None:
    """Write orders, strategies and what a bridge says, each with such texts, past whatever keeps them out of alerts."""
    for number, (name, text) in enumerate(TEXTS.items()):
        by = signed(f"{number:032x}")
        words: dict[str, Any] = {
            "account": text[:ID_LENGTH],
            "instrument": text[:ID_LENGTH],
            "oco_id": text[:ID_LENGTH],
        }
        strategy = {"strategy_id": text[:ID_LENGTH]} if number % 2 else {}
        said = {"notes": text, "reason": text, "unresolved": text if number % 3 == 0 else None}
        services.orders.put(by, order(by, text[:ID_LENGTH], **words, **strategy, **said))
        services.orders.put(by, order(by, f"of-{name}", **said))
        if strategy:
            running = Strategy(text[:ID_LENGTH], text[:ID_LENGTH], text[:ID_LENGTH], template=text)
            with suppress(TransactionFailed):  # an alert was let through with it
                services.table.transact([strategy_write(by, None, running)])
        at = timestamp(by.at)
        side: Side = SIDES[number % 4]
        held = PositionReport(text[:ID_LENGTH], text[:ID_LENGTH], side, number, Decimal(5000), at)
        services.bridge.put_position(trader, held)
        execution = Execution(f"{text[:ID_LENGTH]}", 1, 1, Decimal(5000), at)
        services.bridge.put_execution(trader, execution, text[:ID_LENGTH], None)
    now = by.at + timedelta(seconds=1)
    accounts = [text[:ID_LENGTH] for text in TEXTS.values()]
    reason = " ".join(TEXTS.values())
    services.bridge.note_heartbeat(
        trader, Heartbeat("j1", TEXTS["image"], accounts, ready=False, at=timestamp(now), reason=reason), now
    )
