"""The way of an alert once its sender is known: fields to commands, past the controls, to what came of it.

The webhook goes it at once, and the function behind the queue when a delay is over: the same code for both.
"""

from collections.abc import Collection, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from orderhook import accounts, commands, responses
from orderhook.alerts import MAX_ORDER_IDS, AlertRecord, Origin
from orderhook.book import OrderBook
from orderhook.commands import Command
from orderhook.errors import CommandNotAllowedError, OrderhookError, TemporarilyUnavailableError
from orderhook.keys import Key
from orderhook.orders import Outcome, Stamp, timestamp
from orderhook.wire import result_in_time

if TYPE_CHECKING:
    from concurrent.futures import Future


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
    """An alert that was understood: its command for each account, and the fields that it does not use."""

    commands: Mapping[str, Command]
    """By account; an alert for one account has one command, under the name ""."""
    ignored: tuple[str, ...]


def read(fields: Mapping[str, str], key: Key, trail: Trail) -> Alert:
    """Make an alert of its fields; raises the PayloadError of the first bad one, and CommandNotAllowedError."""
    kind = commands.recognise(fields)
    trail.command = kind.word
    if not key.allows(kind.word):
        raise CommandNotAllowedError(f"This key may not give {kind.word}; use one that may.", field="command")
    alert = make(kind, fields)
    one = next(iter(alert.commands.values()))
    trail.repeatable = one.repeatable
    several = len(alert.commands) > 1
    trail.order_id = fields.get("order_id") if several else getattr(one, "order_id", None)
    trail.strategy_id = fields.get("strategy_id") if several else getattr(one, "strategy_id", None)
    return alert


def make(kind: type[Command], fields: Mapping[str, str]) -> Alert:
    """Make the command of its fields, for each account; raises the PayloadError of the first bad one."""
    made: dict[str, Command] = {}
    ignored: list[str] = []
    for account, own in accounts.spread(fields, kind.model_fields).items():
        made[account], ignored = commands.read(kind, own)
    return Alert(made, tuple(ignored))


def carry_out(alert: Alert, desk: Desk, stamp: Stamp) -> Outcome:
    """Do what an alert says, or raise the OrderhookError that says why not.

    For several accounts at once, each with a request id of its own that begins with the alert's. The error of one
    account does not keep the others from being served: it stands for all, with the result of each.
    """
    if len(alert.commands) == 1:
        return next(iter(alert.commands.values())).run(desk.book, stamp)
    return _joined(list(zip(alert.commands, _run_all(alert.commands.values(), desk, stamp), strict=True)))


def _run_all(several: Collection[Command], desk: Desk, stamp: Stamp) -> list[Outcome | OrderhookError]:
    def run(number: int, command: Command) -> Outcome | OrderhookError:
        try:
            return command.run(desk.book, replace(stamp, request_id=f"{stamp.request_id}.{number}"))
        except OrderhookError as error:
            return error

    # Threads of their own: a command over many orders has others at work, and would wait for itself among these.
    from concurrent.futures import ThreadPoolExecutor  # needed by few alerts

    threads = ThreadPoolExecutor(len(several))
    running = [threads.submit(copy_context().run, run, number, command) for number, command in enumerate(several, 1)]
    threads.shutdown(wait=False)  # ends them when they are done
    return [_result(result) for result in running]


def _result(running: "Future[Outcome | OrderhookError]") -> Outcome | OrderhookError:
    try:
        return result_in_time(running)
    except TemporarilyUnavailableError as error:
        return error


def _joined(results: Sequence[tuple[str, Outcome | OrderhookError]]) -> Outcome:
    """Return one outcome for all accounts, or raise one error for all: if there is one, what may be sent again."""
    told = [{"account": account, **responses.part(result)} for account, result in results]
    refused = [(account, result) for account, result in results if isinstance(result, OrderhookError)]
    if refused:
        account, error = min(refused, key=lambda it: not isinstance(it[1], TemporarilyUnavailableError))
        detail = f"{len(refused)} of {len(results)} accounts were refused. Account {account}: {error.detail}"
        raise type(error)(detail, field=error.field, state=error.state, more={"results": told})
    outcomes = [result for _, result in results if isinstance(result, Outcome)]
    fresh = [outcome for outcome in outcomes if not outcome.is_duplicate]
    return Outcome(
        status=(fresh or outcomes)[0].status,
        duplicate=None if fresh else True,
        more={"results": told},
        touched=tuple(order_id for outcome in outcomes for order_id in outcome.order_ids),
    )


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
        order_ids=trail.order_ids[:MAX_ORDER_IDS],
        duplicate=trail.duplicate,
        origin=origin,
    )
