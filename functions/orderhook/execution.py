"""The way of an alert once its sender is known: fields to commands, past the controls, to what came of it.

The webhook goes it at once, and the function behind the queue when a delay is over: the same code for both.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from orderhook import commands
from orderhook.book import OrderBook
from orderhook.commands import KillSwitch
from orderhook.commands.controlled import Controlled
from orderhook.controls import Controls
from orderhook.errors import CommandNotAllowedError, TemporarilyUnavailableError
from orderhook.keys import Key
from orderhook.orders import Outcome, Stamp
from orderhook.wire import may_have_written


@dataclass(slots=True)
class Trail:
    """What is known of a request so far, for its log line; nothing of it can hold a secret."""

    request_id: str
    key_id: str | None = None
    command: str | None = None
    order_id: str | None = None
    strategy_id: str | None = None
    outcome: str | None = None
    field: str | None = None
    state: str | None = None
    repeatable: bool = True
    """Whether the same alert may be sent again; not for the log."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What alerts are carried out with."""

    book: OrderBook
    controls: Controls


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that was understood, and the fields that its command does not use."""

    command: commands.Command
    ignored: tuple[str, ...]
    heeds_kill_switch: bool = True


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
    return Alert(command, tuple(ignored), not kind.risk_reducing or key.strict_kill_switch)


def carry_out(alert: Alert, desk: Desk, stamp: Stamp, *, count: bool = True) -> Outcome:
    """Do what an alert says, or raise the OrderhookError that says why not.

    With `count` False a rate limit is left out: for an alert that was counted before it was held back.
    """
    if isinstance(alert.command, KillSwitch):
        return alert.command.turn(desk.controls, stamp)
    with admitted(alert, desk.controls, stamp, count=count):
        return alert.command.run(desk.book, stamp)


@contextmanager
def admitted(alert: Alert, controls: Controls, stamp: Stamp, *, count: bool = True) -> Iterator[None]:
    """Let an alert pass the controls; raises the ControlError of the first that stops it.

    The rate limit comes last, so that only what passes the kill switch and its trade window is counted. What fails in
    a way that has TradingView send it again is not counted either, or its second coming would be one too many.
    """
    command = alert.command
    if alert.heeds_kill_switch:
        controls.check_kill_switch(stamp.trader)
    if isinstance(command, Controlled) and command.window:
        command.window.check(stamp.at)
    if not (count and isinstance(command, Controlled) and command.rate_limit and command.id):
        yield
        return
    try:
        controls.count(stamp, command.id, command.rate_limit)
        yield
    except TemporarilyUnavailableError:
        if command.repeatable or not may_have_written():
            controls.uncount(stamp, command.id)
        raise
