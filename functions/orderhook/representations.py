"""Represent orders, keys, templates, records and explanations as JSON objects, the same for every reader.

Money and quantities are strings, as in every answer; times are ISO 8601 text in UTC; what is absent is null.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from orderhook import reference, responses
from orderhook.bridge_messages import PositionReport
from orderhook.errors import OrderhookError
from orderhook.explain import Explanation, Row
from orderhook.instructions import Instruction, InstructionResult
from orderhook.keys import KILL_SWITCH, Key
from orderhook.listing import Instructed, Unreadable
from orderhook.orders import Order, Template, decimal_text
from orderhook.profit import OfDay, totals
from orderhook.relative_prices import Offsets
from orderhook.store.alert_log import UNREADABLE, AlertRecord
from orderhook.store.bridge import ExecutionRecord
from orderhook.store.controls import KillSwitchState
from orderhook.venue_words import guidance_for_result

_ORDER_FIELDS = (
    "order_id",
    "order_name",
    "strategy_id",
    "account",
    "instrument",
    "action",
    "qty",
    "filled",
    "order_type",
    "tif",
    "limit_price",
    "stop_price",
    "state",
    "since",
    "offset",
    "limit_offset",
    "oco_id",
    "generation",
    "average",
    "filled_after_end",
    "entry_id",
    "atm_template",
    "due",
    "day_ends",
    "cancels_at",
    "cancelled_at",
    "reason",
    "notes",
    "venue",
    "made_by",
    "unresolved",
)

JsonObject = dict[str, Any]


def represent_order(order: Order) -> JsonObject:
    """Represent an order as it is now."""
    values = {name: getattr(order, name) for name in _ORDER_FIELDS}
    if not order.is_open:
        values["due"] = None  # it waits for nothing any more
    offsets = Offsets(order.offset, order.limit_offset, order.in_percent)
    return {name: _text(value) for name, value in values.items()} | offsets.texts


def _text(value: object) -> str | None:
    if value is None:
        return None
    return decimal_text(value) if isinstance(value, Decimal) else str(value)


def represent_unreadable(item: Unreadable, name: str = "order_id") -> JsonObject:
    """Represent an item that this version cannot read; `name` says what its id is called."""
    more = (
        {"state": item.state, "account": item.account or None, "instrument": item.instrument or None}
        if name == "order_id"
        else {}
    )
    return {name: item.id} | more | {"unreadable": "true"}


def represent_order_with_history(order: Order) -> JsonObject:
    """Represent an order and everything that has happened to it, oldest first; `leg` names the leg that it was about.

    A waiting leg shares its entry's history, in which `leg` names the entry where it was about that.
    """
    history = [
        {
            "at": event.at,
            "state": event.state or event.unknown.get("state"),
            "leg": event.leg,
            "changes": dict(event.changes),
            "request_id": event.request_id,
            "key_id": event.key_id,
        }
        for event in order.history
    ]
    more = {"history": history, "history_dropped": str(order.history_dropped)}
    return represent_order(order) | {"confirmed": dict(order.confirmed), **more}


def represent_position(position: PositionReport) -> JsonObject:
    """Represent a position as the bridge has reported it."""
    return {name: _text(value) for name, value in position._asdict().items()}


def represent_profit(days: Sequence[OfDay], notes: Sequence[str]) -> JsonObject:
    """Represent what was realized by days; without a currency the instrument is not listed, and `points` is all."""
    return {
        "days": [
            _texts(day._asdict()) | {"instruments": [_texts(it._asdict()) for it in day.instruments]} for day in days
        ],
        "totals": [_texts(it._asdict()) for it in totals(days)],
        "notes": list(notes),
    }


def _texts(values: Mapping[str, object]) -> JsonObject:
    return {name: _text(value) for name, value in values.items()}


def represent_execution(execution: ExecutionRecord) -> JsonObject:
    """Represent a part of what was filled; `cumulative` is what is filled of the venue's order in all."""
    values = {name: _text(value) for name, value in execution._asdict().items()}
    return values | {"unattached": execution.unattached}


def represent_key(key: Key, last_used: str | None = None) -> JsonObject:
    """Represent what is stored of a key, without its digest, and the hour of its last use; no scopes are every one."""
    names = ("key_id", "kind", "last_four", "trader", "label", "created", "revoked")
    limits = {name: value for name, value in key.limits._asdict().items() if value} if key.limits else {}
    return {name: getattr(key, name) for name in names} | {
        "scopes": sorted(key.scopes),
        "kill_switch": key.allows(KILL_SWITCH),
        "limits": limits,
        "last_used": last_used,
    }


def represent_template(template: Template) -> JsonObject:
    """Represent a template with its brackets; targets and stops are points from the entry's fill price.

    `ninjatrader` says that it is NinjaTrader's own, whose brackets are not known here.
    """
    brackets = [
        {"qty": str(bracket.qty), "target": _points(bracket.target), "stop": _points(bracket.stop)}
        for bracket in template.brackets
    ]
    return {"name": template.name, "brackets": brackets, "ninjatrader": template.ninjatrader}


def _points(points: Decimal | None) -> str | None:
    return None if points is None else decimal_text(points)


def represent_kill_switch(trader: str, state: KillSwitchState, *, stops_cancels: bool) -> JsonObject:
    """Represent a trader's kill switch, and whether cancels are refused too while it is on."""
    return {
        "trader": trader,
        "on": state.on,
        "since": state.since,
        "locked": state.locked,
        "stops_cancels": stops_cancels,
    }


def represent_alert_record(record: AlertRecord) -> JsonObject:
    """Represent the record of an alert, with what its answer means and what to do about it."""
    if record.outcome == UNREADABLE:
        return {"request_id": record.request_id, "received_at": record.received_at, "unreadable": "true"}
    guidance = reference.guidance_of(record)
    return record._asdict() | {
        "milliseconds": str(record.milliseconds),
        "warnings": [warning._asdict() for warning in record.warnings],
        "results": [result._asdict() for result in record.results],
        "instruction_results": [represent_result(result) for result in record.instruction_results],
        "meaning": guidance.meaning if guidance else None,
        "way_out": guidance.what_to_do if guidance else None,
        "sent_again": reference.is_sent_again(record.status),
    }


def represent_result(result: InstructionResult) -> JsonObject:
    """Represent what became of an instruction, with what that means and what to do about it."""
    guidance = guidance_for_result(result.result, result.reason)
    return result._asdict() | {
        "meaning": guidance.meaning if guidance else None,
        "way_out": guidance.what_to_do if guidance else None,
    }


_INSTRUCTION_FIELDS = (
    "command",
    "account",
    "instrument",
    "root",
    "action",
    "qty",
    "percent",
    "market_position",
    "strategy_id",
    "since",
)


def represent_instruction(instruction: Instruction | Unreadable) -> JsonObject:
    """Represent what is asked of a venue about positions; `since` is when it was written."""
    if isinstance(instruction, Unreadable):
        return represent_unreadable(instruction, "instruction_id")
    told = {"instruction_id": instruction.instruction_id}
    return told | {name: _text(getattr(instruction, name)) for name in _INSTRUCTION_FIELDS}


def represent_instructed(it: Instructed) -> JsonObject:
    """Represent an instruction of an alert: what is asked, and the result, which is null while it is under way."""
    asked = represent_instruction(it.asked) if it.asked else {"instruction_id": it.instruction_id}
    return asked | {"under_way": it.under_way, "result": represent_result(it.result) if it.result else None}


def represent_explanation(explanation: Explanation) -> JsonObject:
    """Represent the explanation of an alert that was checked and not sent."""
    return {
        "accepted": not explanation.faults,
        "verdict": explanation.verdict,
        "faults": [_represent_fault(fault) for fault in explanation.faults],
        "warnings": [warning._asdict() for warning in explanation.warnings],
        "fields": [_represent_row(row) for row in explanation.rows],
    }


def _represent_row(row: Row) -> JsonObject:
    shown = {"name": row.name, "field": row.field, "value": row.value}
    return shown | {"wrong": row.fault is not None, "remark": row.remark or None}


def _represent_fault(fault: OrderhookError) -> JsonObject:
    status, code = responses.STATUS_AND_CODE[type(fault)]
    shown = {"status": status, "error": code, "detail": fault.detail}
    return shown | {"field": fault.field} if fault.field else shown
