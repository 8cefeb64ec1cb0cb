"""The way of an alert once its sender is known: fields to commands, past the controls, to their result.

The webhook takes it at once, and the function behind the queue when a delay is over: the same code for both.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from orderhook.accounts import per_account
from orderhook.aws.budget import may_have_written, result_in_time, run_each
from orderhook.aws.deferred import DelayedAlert, TimedCancel
from orderhook.commands import Command, command_type, parse_command
from orderhook.commands.kill_switch import KillSwitch
from orderhook.errors import (
    CommandNotAllowedError,
    OrderhookError,
    OutcomeUnknownError,
    TemporarilyUnavailableError,
)
from orderhook.keys import Key
from orderhook.orders import OPEN, AccountResults, Outcome, Provenance, timestamp
from orderhook.services import Services

if TYPE_CHECKING:
    from concurrent.futures import Future


@dataclass(slots=True)
class RequestFacts:
    """What is known of a request so far; nothing in it can hold a secret."""

    request_id: str
    key_id: str | None = None
    command: str | None = None
    order_id: str | None = None
    strategy_id: str | None = None
    repeatable: bool = True
    """Whether the alert, sent again, does nothing more than the first did."""
    key: Key | None = None
    """Who sent it; without a valid key, nobody is known and nothing is recorded."""
    source: str = ""
    """The address that it came from."""
    fields: Mapping[str, str] | None = None
    """Its fields as alert_log.as_sent gives them."""


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


def parse_alert(fields: Mapping[str, str], key: Key, facts: RequestFacts) -> Alert:
    """Make an alert of its fields; raises the PayloadError of the first bad one, and CommandNotAllowedError."""
    kind = command_type(fields)
    facts.command = kind.word
    if not key.allows(kind.word):
        raise CommandNotAllowedError(f"This key may not give {kind.word}; use one that may.", field="command")
    alert = alert_of(kind, fields)
    facts.repeatable = alert.first.repeatable
    several = len(alert.commands) > 1
    facts.order_id = fields.get("order_id") if several else getattr(alert.first, "order_id", None)
    facts.strategy_id = fields.get("strategy_id") if several else getattr(alert.first, "strategy_id", None)
    # The kill switch itself must pass, or it could not be turned off.
    passes = kind is KillSwitch or (kind.risk_reducing and not key.strict_kill_switch)
    return alert._replace(heeds_kill_switch=not passes)


def alert_of(kind: type[Command], fields: Mapping[str, str]) -> Alert:
    """Make the command of its fields, for each account; raises the PayloadError of the first bad one."""
    commands: dict[str, Command] = {}
    ignored: list[str] = []
    for account, own in per_account(fields, kind.alert_fields()).items():
        commands[account], ignored = parse_command(kind, own)
    return Alert(commands, tuple(ignored), fields)


def carry_out(alert: Alert, services: Services, provenance: Provenance, *, delayed: bool = False) -> Outcome:
    """Do what an alert says, or raise the OrderhookError that says why not.

    An alert with a delay is deferred, and done when this is called again with `delayed` under the same request id; its
    rate limit counted it the first time. For several accounts it is done at once, each with a request id of its own
    that begins with the alert's. The error of one account does not keep the others from being served: it stands for
    all, with the result of each.
    """
    with _admitted(alert, services, provenance, count=not delayed):
        if alert.first.delay and not delayed:
            return _defer(alert, services, provenance)
        if len(alert.commands) == 1:
            return _run(alert.first, services, provenance)
        return _joined(_run_all(alert.commands, services, provenance))


def as_answered(error: OrderhookError, facts: RequestFacts) -> OrderhookError:
    """Return the error to answer with: TradingView sends an alert again that is told "temporarily unavailable".

    Where that could place a second order, the error is OutcomeUnknownError instead.
    """
    if not isinstance(error, TemporarilyUnavailableError) or facts.repeatable or not may_have_written():
        return error
    unknown = OutcomeUnknownError(
        "The order may or may not have been placed: look before you send it again. An order_id makes that safe."
    )
    unknown.__cause__ = error.__cause__
    return unknown


@contextmanager
def _admitted(alert: Alert, services: Services, provenance: Provenance, *, count: bool) -> Iterator[None]:
    """Let an alert pass the controls; raises the ControlError of the first that stops it.

    The rate limit comes last, so that only what passes the kill switch and its trade window is counted. What fails in a
    way that has TradingView send it again is not counted either, or its second coming would be one too many.
    """
    command = alert.first  # in each account the controls are the same
    if alert.heeds_kill_switch:
        services.controls.check_kill_switch(provenance.trader)
    if command.window:
        command.window.check(provenance.at)
    if not (count and command.rate):
        yield
        return
    alert_id, rate = command.rate
    try:
        services.controls.count(provenance, alert_id, rate)
        yield
    except TemporarilyUnavailableError:
        if command.repeatable or not may_have_written():
            services.controls.uncount(provenance, alert_id)
        raise


def _defer(alert: Alert, services: Services, provenance: Provenance) -> Outcome:
    waiting = DelayedAlert(
        trader=provenance.trader,
        key_id=provenance.key_id,
        request_id=provenance.request_id,
        received_at=timestamp(provenance.at),
        fields=alert.fields,
    )
    services.deferred_for("delay").defer(waiting, alert.first.delay)
    return Outcome(status="scheduled", extra={"due": timestamp(alert.due(provenance.at))})


def _run(command: Command, services: Services, provenance: Provenance) -> Outcome:
    """Run a command; its order's end is scheduled before the order is placed, so that none is ever without it."""
    limit = command.time_limit(services, provenance)
    if limit is None:
        return command.run(services, provenance)
    cancel = TimedCancel(
        trader=provenance.trader,
        key_id=provenance.key_id,
        request_id=f"{provenance.request_id}.cancel_after",
        order_id=limit.order_id,
        content=limit.content,
    )
    at = services.deferred_for("cancel_after").schedule(cancel, limit.minutes, provenance.at)
    outcome = command.run(services, provenance)
    if outcome.state not in OPEN:
        return outcome
    return outcome._replace(extra={**outcome.extra, "cancels_at": timestamp(at)})


def _run_all(commands: Mapping[str, Command], services: Services, provenance: Provenance) -> AccountResults:
    def run(numbered: tuple[int, Command]) -> Outcome | OrderhookError:
        number, command = numbered
        try:
            return _run(command, services, provenance._replace(request_id=f"{provenance.request_id}.{number}"))
        except OrderhookError as error:
            return error

    futures = run_each(run, list(enumerate(commands.values(), 1)))
    return [(account, _result(future)) for account, future in zip(commands, futures, strict=True)]


def _result(future: "Future[Outcome | OrderhookError]") -> Outcome | OrderhookError:
    try:
        return result_in_time(future)
    except TemporarilyUnavailableError as error:
        return error


def _joined(results: AccountResults) -> Outcome:
    """Return one outcome for all accounts, or raise one error for all: if there is one, what may be sent again."""
    affected = tuple(order_id for _, result in results for order_id in affected_order_ids(result))
    refused = [(account, result) for account, result in results if isinstance(result, OrderhookError)]
    if refused:
        account, error = min(refused, key=lambda refusal: not isinstance(refusal[1], TemporarilyUnavailableError))
        detail = f"{len(refused)} of {len(results)} accounts were refused. Account {account}: {error.detail}"
        joined = type(error)(detail, field=error.field, state=error.state, results=results, affected_order_ids=affected)
        raise joined from error.__cause__
    outcomes = [result for _, result in results if isinstance(result, Outcome)]
    fresh = [outcome for outcome in outcomes if not outcome.is_duplicate]
    return Outcome(
        status=(fresh or outcomes)[0].status,
        duplicate=None if fresh else True,
        results=results,
        affected_order_ids=affected,
    )


def affected_order_ids(result: Outcome | OrderhookError) -> Sequence[str]:
    """Return the ids of the orders that a result is about."""
    return result.affected_order_ids if isinstance(result, OrderhookError) else result.order_ids
