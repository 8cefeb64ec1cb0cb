"""What tests send, and what they expect: each builder needs only what its test is about."""

import base64
import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orderhook import orders
from orderhook.commands.fields import ORDER_NAME
from orderhook.orders import Order, OrderState, Template
from orderhook.provenance import Provenance
from orderhook.store.alert_log import AlertRecord

EVENTS = Path(__file__).parents[1] / "events"

Event = dict[str, Any]


def event_named(name: str) -> Event:
    """Return the request of a file in events/."""
    found: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return found


_REQUEST = event_named("cancel_by_id")


def event(body: str | bytes | None, *, source: str | None = None, encoded: bool = False) -> Event:
    """Return what API Gateway sends for this body; it encodes every body that is not text, and may encode any."""
    request = deepcopy(_REQUEST)
    if source is not None:
        request["requestContext"]["http"]["sourceIp"] = source
    if isinstance(body, bytes) or encoded:
        raw = body.encode() if isinstance(body, str) else body or b""
        return request | {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
    return request | {"body": body}


def alert(fields: Mapping[str, object]) -> str:
    """Write an alert's text; a field that is None is left out."""
    return "".join(f"{name}={value};\n" for name, value in fields.items() if value is not None)


def refused(error: str, detail: str, **more: str) -> dict[str, Any]:
    """Return the body of a refusal, but for its request id; `more` is the field and the state, where there are any."""
    return {"success": False, "error": error, "detail": detail, **more}


def phrase(order_id: str) -> str:
    """Return what CrossTrade's API promises to keep stable, and clients match on."""
    return f"Order linked to '{order_id}' not found or already terminal."


def not_found(order_id: str) -> dict[str, Any]:
    """Return the body of the refusal of an id that no order of the trader has."""
    fact = f"There is no order '{order_id}' of yours; check order_id: case matters."
    if ORDER_NAME.fullmatch(order_id):
        fact = f"Strategy strategy-1 has no {order_id}; `orderhook orders` shows the names."
    detail = f"{fact} {phrase(order_id)}"
    return refused("order_not_found", detail, field="order_id")


LISTS = ("cancelled", "already_cancelled", "already_terminal", "remaining")
"""What may become of each order that a command over many reaches; `failed` and `waiting` come where there are any."""


def unfinished(*remaining: str) -> str:
    """Return the detail of a cancel of many orders that was not finished in time."""
    left = f": {', '.join(remaining)} may still be open" if remaining else ""
    return (
        f"Not all orders could be cancelled in time{left}. Send the same alert again; it is safe, and cancels the rest."
    )


def lists(*, cancelled_legs: Mapping[str, list[str]] | None = None, **order_ids: list[Any]) -> dict[str, Any]:
    """Return the lists of an answer about many orders, and their lengths; legs count with their entries."""
    found = {name: order_ids.get(name, []) for name in dict.fromkeys((*LISTS, *order_ids))}
    legs = {"cancelled_legs": cancelled_legs} if cancelled_legs else {}
    return {"counts": {name: len(ids) for name, ids in found.items()}, **found, **legs}


WAYS: Mapping[str, Mapping[str, str]] = {
    "by id": {"order_id": "order-1"},
    "by id and strategy": {"order_id": "order-1", "strategy_id": "strategy-1"},
    "by name": {"order_id": "eNtRy1", "strategy_id": "strategy-1"},
}
"""The ways to address order-1, which is ENTRY1 of strategy-1."""
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


ENTRY: Mapping[str, object] = {
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": 5,
    "order_type": "LIMIT",
    "limit_price": "5000.25",
    "tif": "GTC",
}
"""The fields of a PLACE but for its ids; a DAY order would end while a test lets time pass."""


def provenance(trader: str, request_id: str) -> Provenance:
    return Provenance(trader, "arranged", request_id, datetime.now(UTC))


def order(signed: Provenance, order_id: str, **changes: Any) -> Order:
    """Return an order for five contracts that has just been written down."""
    state = OrderState.INITIALIZED
    event = signed.event(state)
    fields: dict[str, Any] = {
        "order_id": order_id,
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "BUY",
        "qty": 5,
        "order_type": "LIMIT",
        "limit_price": Decimal("5000.25"),
        "tif": "GTC",
        "state": state,
        "since": event.at,
        "history": (event,),
    }
    return Order(**fields | changes)


Bracket = tuple[int, int | None, int | None]
"""A quantity, and the points to its target and its stop."""


def template(name: str, *brackets: Bracket) -> Template:
    """Return a template of these brackets."""

    def points(number: int | None) -> Decimal | None:
        return None if number is None else Decimal(number)

    return Template(
        name, tuple(orders.Bracket(qty=qty, target=points(target), stop=points(stop)) for qty, target, stop in brackets)
    )


def alert_record(**changes: Any) -> AlertRecord:
    """Return the record of a cancel that was carried out."""
    fields: dict[str, Any] = {
        "trader": "main",
        "request_id": "request-1",
        "received_at": "2026-01-02T03:04:05.000000Z",
        "key_id": "keyid",
        "key_label": "label",
        "source": "192.0.2.1",
        "fields": {},
        "command": "CANCEL",
        "status": 200,
        "outcome": "cancelled",
        "milliseconds": Decimal("1.5"),
    }
    return AlertRecord(**fields | changes)
