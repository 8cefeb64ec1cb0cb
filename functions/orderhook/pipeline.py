"""The way of an alert once its sender is known: fields to commands, past the controls, to what came of it.

The webhook goes it at once, and the function behind the queue when a delay is over: the same code for both.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, cast

from orderhook import accounts, commands, responses
from orderhook.aws.clients import may_have_written, result_in_time, why
from orderhook.aws.deferred import Deferred, DelayedAlert, TimedCancel
from orderhook.commands import Command
from orderhook.errors import (
    CommandNotAllowedError,
    OrderhookError,
    TemporarilyUnavailableError,
    UnsupportedValueError,
)
from orderhook.keys import Key
from orderhook.orders import OPEN, Outcome, Provenance, timestamp
from orderhook.store.alert_log import MAX_ORDER_IDS, AlertRecord, Origin
from orderhook.store.book import OrderBook
from orderhook.store.controls import Controls

if TYPE_CHECKING:
    from concurrent.futures import Future

    from orderhook.commands.kill_switch import KillSwitch


@dataclass(slots=True)
class RequestFacts:
    """What is known of a request so far, for its log line and its record; nothing of it can hold a secret."""

    request_id: str
    key_id: str | None = None
    command: str | None = None
    order_id: str | None = None
    strategy_id: str | None = None
    outcome: str | None = None
    field: str | None = None
    state: str | None = None
    reason: str | None = None
    """What kept the table from answering."""

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

    def note_success(self, outcome: Outcome) -> None:
        """Note what was done."""
        self.outcome, self.state = outcome.status, outcome.state
        self.order_ids, self.duplicate = outcome.order_ids, outcome.is_duplicate

    def note_refusal(self, error: OrderhookError) -> None:
        """Note why nothing was done."""
        self.outcome, self.field, self.state = responses.code(error), error.field, error.state
        self.detail, self.order_ids = error.detail, error.touched
        self.reason = why(error) if error.__cause__ else None


LOGGED = ("request_id", "key_id", "command", "order_id", "strategy_id", "outcome", "field", "state", "reason")
"""What of a trail stands in the log line."""


class Services(NamedTuple):
    """What alerts are carried out with."""

    book: OrderBook
    controls: Controls
    later: Deferred | None = None
    """None where nothing can be done later."""

    def later_for(self, field: str) -> Deferred:
        """Return what does things later; raises UnsupportedValueError, naming the field that asks, where nothing is."""
        if self.later is None:
            raise UnsupportedValueError(f"{field} is not available in this deployment; take it out.", field=field)
        return self.later


class Alert(NamedTuple):
    """An alert that was understood: its command for each account, and the fields that it does not use."""

    commands: Mapping[str, Command]
    """By account; an alert for one account has one command, under the name ""."""
    ignored: tuple[str, ...]
    fields: Mapping[str, str]
    """What it was made of, so that it can be made again."""
    heeds_kill_switch: bool = True

    @property
    def first(self) -> Command:
        """The command; of several, which differ in accounts and ids alone, the first."""
        return next(iter(self.commands.values()))

    def due(self, received_at: datetime) -> datetime:
        """Return when its delay is over."""
        return received_at + timedelta(seconds=self.first.delay)


def read(fields: Mapping[str, str], key: Key, trail: RequestFacts) -> Alert:
    """Make an alert of its fields; raises the PayloadError of the first bad one, and CommandNotAllowedError."""
    kind = commands.recognise(fields)
    trail.command = kind.word
    if not key.allows(kind.word):
        raise CommandNotAllowedError(f"This key may not give {kind.word}; use one that may.", field="command")
    alert = make(kind, fields)
    trail.repeatable = alert.first.repeatable
    several = len(alert.commands) > 1
    trail.order_id = fields.get("order_id") if several else getattr(alert.first, "order_id", None)
    trail.strategy_id = fields.get("strategy_id") if several else getattr(alert.first, "strategy_id", None)
    return alert._replace(heeds_kill_switch=not kind.risk_reducing or key.strict_kill_switch)


def make(kind: type[Command], fields: Mapping[str, str]) -> Alert:
    """Make the command of its fields, for each account; raises the PayloadError of the first bad one."""
    made: dict[str, Command] = {}
    ignored: list[str] = []
    for account, own in accounts.spread(fields, kind.model_fields).items():
        made[account], ignored = commands.read(kind, own)
    return Alert(made, tuple(ignored), fields)


def carry_out(alert: Alert, desk: Services, provenance: Provenance, *, delayed: bool = False) -> Outcome:
    """Do what an alert says, or raise the OrderhookError that says why not.

    An alert with a delay is put off, and done when this is called again with `delayed` under the same request id;
    its rate limit counted it the first time. For several accounts it is done at once, each with a request id of its own
    that begins with the alert's. The error of one account does not keep the others from being served: it stands for
    all, with the result of each.
    """
    if alert.first.word == commands.KILL_SWITCH:
        return cast("KillSwitch", alert.first).turn(desk.controls, provenance)
    with _admitted(alert, desk.controls, provenance, count=not delayed):
        if alert.first.delay and not delayed:
            return _put_off(alert, desk, provenance)
        if len(alert.commands) == 1:
            return _run(alert.first, desk, provenance)
        return _joined(list(zip(alert.commands, _run_all(alert.commands.values(), desk, provenance), strict=True)))


@contextmanager
def _admitted(alert: Alert, controls: Controls, provenance: Provenance, *, count: bool) -> Iterator[None]:
    """Let an alert pass the controls; raises the ControlError of the first that stops it.

    The rate limit comes last, so that only what passes the kill switch and its trade window is counted. What fails in
    a way that has TradingView send it again is not counted either, or its second coming would be one too many.
    """
    command = alert.first  # in each account the controls are the same
    if alert.heeds_kill_switch:
        controls.check_kill_switch(provenance.trader)
    if command.window:
        command.window.check(provenance.at)
    if not (count and command.rate):
        yield
        return
    alert_id, rate = command.rate
    try:
        controls.count(provenance, alert_id, rate)
        yield
    except TemporarilyUnavailableError:
        if command.repeatable or not may_have_written():
            controls.uncount(provenance, alert_id)
        raise


def _put_off(alert: Alert, desk: Services, provenance: Provenance) -> Outcome:
    waiting = DelayedAlert(
        trader=provenance.trader,
        key_id=provenance.key_id,
        request_id=provenance.request_id,
        received_at=timestamp(provenance.at),
        fields=alert.fields,
    )
    desk.later_for("delay").send(waiting, alert.first.delay)
    return Outcome(status="scheduled", more={"due": timestamp(alert.due(provenance.at))})


def _run(command: Command, desk: Services, provenance: Provenance) -> Outcome:
    """Run a command; the end of an order comes before its beginning, so that none is ever without it."""
    limit = command.time_limit(desk.book, provenance)
    if limit is None:
        return command.run(desk.book, provenance)
    later = desk.later_for("cancel_after")
    cancel = TimedCancel(
        trader=provenance.trader,
        key_id=provenance.key_id,
        request_id=f"{provenance.request_id}.cancel_after",
        order_id=limit.order_id,
        content=limit.content,
    )
    at = later.cancel(cancel, limit.minutes, provenance.at)
    outcome = command.run(desk.book, provenance)
    if outcome.state not in OPEN:
        return outcome
    return outcome._replace(more={**outcome.more, "cancels_at": timestamp(at)})


def _run_all(several: Collection[Command], desk: Services, provenance: Provenance) -> list[Outcome | OrderhookError]:
    def run(number: int, command: Command) -> Outcome | OrderhookError:
        try:
            return _run(command, desk, provenance._replace(request_id=f"{provenance.request_id}.{number}"))
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
    touched = tuple(
        order_id
        for _, result in results
        for order_id in (result.touched if isinstance(result, OrderhookError) else result.order_ids)
    )
    refused = [(account, result) for account, result in results if isinstance(result, OrderhookError)]
    if refused:
        account, error = min(refused, key=lambda it: not isinstance(it[1], TemporarilyUnavailableError))
        detail = f"{len(refused)} of {len(results)} accounts were refused. Account {account}: {error.detail}"
        joined = type(error)(detail, field=error.field, state=error.state, more={"results": told}, touched=touched)
        raise joined from error.__cause__
    outcomes = [result for _, result in results if isinstance(result, Outcome)]
    fresh = [outcome for outcome in outcomes if not outcome.is_duplicate]
    return Outcome(
        status=(fresh or outcomes)[0].status,
        duplicate=None if fresh else True,
        more={"results": told},
        touched=touched,
    )


def record(
    trail: RequestFacts,
    key: Key,
    at: datetime,
    *,
    status: int,
    milliseconds: float,
    origin: Origin = "webhook",
    record_id: str | None = None,
) -> AlertRecord:
    """Return the record of an alert that was answered with this status; what is done later has an id of its own."""
    return AlertRecord(
        trader=key.trader,
        request_id=record_id or trail.request_id,
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
