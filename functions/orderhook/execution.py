"""The way of an alert once its sender is known: fields to commands, past the controls, to what came of it.

The webhook goes it at once, and the function behind the queue when a delay is over: the same code for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orderhook import commands
from orderhook.alerts import AlertRecord, Origin
from orderhook.book import OrderBook
from orderhook.errors import CommandNotAllowedError
from orderhook.keys import Key
from orderhook.orders import Outcome, Stamp, timestamp


@dataclass(slots=True)
class Trail:
    """What is known of a request so far, for its log line and its record; nothing of it can hold a secret."""

    request_id: str
    key_id: str | None = None
    command: str | None = None
    order_id: str | None = None
    strategy_id: str | None = None
    outcome: str | None = None
    field: str | None = None
    state: str | None = None

    # Not for the log:
    repeatable: bool = True
    """Whether the same alert may be sent again."""
    key: Key | None = None
    """Who sent it; without a valid key, nobody is known and nothing is recorded."""
    source: str = ""
    fields: Mapping[str, str] | None = None
    """As alerts.as_sent gives them."""
    detail: str | None = None
    order_ids: tuple[str, ...] = ()
    duplicate: bool = False


LOGGED = ("request_id", "key_id", "command", "order_id", "strategy_id", "outcome", "field", "state")
"""What of a trail stands in the log line."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What alerts are carried out with."""

    book: OrderBook


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that was understood, and the fields that its command does not use."""

    command: commands.Command
    ignored: tuple[str, ...]


def read(fields: Mapping[str, str], key: Key, trail: Trail) -> Alert:
    """Make an alert of its fields; raises the PayloadError of the first bad one, and CommandNotAllowedError."""
    kind = commands.recognise(fields)
    trail.command = kind.word
    if not key.allows(kind.word):
        raise CommandNotAllowedError(f"This key may not give {kind.word}; use one that may.", field="command")
    command, ignored = commands.read(kind, fields)
    trail.order_id = getattr(command, "order_id", None)
    trail.strategy_id = getattr(command, "strategy_id", None)
    trail.repeatable = command.repeatable
    return Alert(command, tuple(ignored))


def carry_out(alert: Alert, desk: Desk, stamp: Stamp) -> Outcome:
    """Do what an alert says, or raise the OrderhookError that says why not."""
    return alert.command.run(desk.book, stamp)


def record(
    trail: Trail, key: Key, at: datetime, *, status: int, milliseconds: float, origin: Origin = "webhook"
) -> AlertRecord:
    """Return the record of an alert that was answered with this status."""
    return AlertRecord(
        trader=key.trader,
        request_id=trail.request_id,
        received_at=timestamp(at),
        key_id=key.key_id,
        key_label=key.label,
        source=trail.source,
        fields=trail.fields or {},
        command=trail.command,
        status=status,
        outcome=str(trail.outcome),
        detail=trail.detail,
        field=trail.field,
        milliseconds=Decimal(str(milliseconds)),
        order_ids=trail.order_ids,
        duplicate=trail.duplicate,
        origin=origin,
    )
