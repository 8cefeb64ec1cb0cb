"""Whether an alert may be carried out: the kill switch, its trade window, rate limits, and the limits of its key."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from orderhook.aws.budget import may_have_written
from orderhook.commands import Command
from orderhook.errors import (
    AccountNotConnectedError,
    CommandNotAllowedError,
    ControlError,
    KillSwitchOnError,
    OrderhookError,
    OutcomeUnknownError,
    OutsideTradeWindowError,
    RateLimitedError,
    TemporarilyUnavailableError,
    TooLateError,
)
from orderhook.orders import timestamp
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt
from orderhook.services import Services
from orderhook.store.bridge import BridgeState
from orderhook.store.rates import Counter

if TYPE_CHECKING:
    from orderhook.pipeline import Alert


class Admission(NamedTuple):
    """What the controls leave to be judged of each command of an alert."""

    refusal: ControlError | None = None
    """What lets only that pass which reduces risk, for a command which may: the kill switch, or closing_only_after."""
    bridge: BridgeState | None = None
    """What is known of the bridge; None where the switch was not looked at, or is on: nothing opens."""


def pass_controls(alert: "Alert", services: Services, provenance: Provenance, *, delayed: bool) -> Admission:
    """Let an alert pass the controls; raises the ControlError of the first that stops it.

    What may only reduce risk is judged when the order is looked at. The rate limits come last, so that only what passes
    the others is counted.
    """
    command = alert.first  # in each account the controls are the same
    only_reducing: ControlError | None = None
    bridge = None
    if alert.heeds_kill_switch:
        # What waited for its delay is void where the switch, or a CANCELALLORDERS, came after its receipt.
        since = provenance.received_at if delayed and not command.risk_reducing else None
        try:
            bridge = services.controls.check_kill_switch(provenance.trader, since)
        except KillSwitchOnError as refusal:
            if alert.strict_kill_switch or not command.may_reduce:
                raise
            only_reducing = refusal
    try:
        if command.window:
            command.window.check(provenance.at)
    except OutsideTradeWindowError as refusal:
        if not (refusal.lets_closes_pass and (command.may_reduce or command.has_closing_half)):
            raise
        only_reducing = only_reducing or refusal
    if not delayed:
        _count(alert, services, provenance)
    return Admission(only_reducing, bridge)


def beyond_venue(
    bridge: BridgeState | None, command: Command, services: Services, provenance: Provenance
) -> OrderhookError | None:
    """Return the refusal of what the venue cannot open now; None for all else, and where there is no venue."""
    if bridge is None or services.venue.name is None or not command.opens:
        return None
    refusal = bridge.refusal(provenance.at, command.venue_account)
    if refusal is None or isinstance(refusal, AccountNotConnectedError):
        return refusal
    if not command.needs_venue(services, provenance):
        return None
    if provenance.due and provenance.at >= provenance.due + services.venue.too_late:
        return TooLateError(f"It was due at {timestamp(provenance.due)}, and the bridge was away: nothing is done now.")
    return refusal


def _count(alert: "Alert", services: Services, provenance: Provenance) -> None:
    counted: list[Counter] = []
    try:
        for counter in counters(alert, provenance):
            counted.append(counter)
            services.rates.count(provenance, counter, partial(first_receipt, services, provenance))
    except RateLimitedError:
        _uncount(counted[:-1], services, provenance)
        raise
    except TemporarilyUnavailableError:
        _uncount(counted, services, provenance)
        raise


def uncounted_if_nothing_is_done(
    counted: Iterable[Counter], services: Services, provenance: Provenance, do: Callable[[], Outcome]
) -> Outcome:
    """Do what was counted, and take it out of the counters if it is refused, or turns out to be done already.

    Of several accounts the key's counter keeps as many as something was done in. What may have been done is counted,
    and its resend takes its place.
    """
    try:
        outcome = do()
    except OrderhookError as error:
        _uncount(counted, services, provenance, _done(error))
        raise
    _uncount(counted, services, provenance, _done(outcome))
    return outcome


def _done(result: Outcome | OrderhookError) -> int | None:
    """Return in how many accounts something was done, or may have been; None is all: its resend takes their place."""
    if isinstance(result, TemporarilyUnavailableError) and may_have_written():
        return None
    return sum(_is_done(each) for each in ([each for _, each in result.results] or [result]))


def _is_done(result: Outcome | OrderhookError) -> bool:
    if isinstance(result, Outcome):
        return not result.is_duplicate
    return isinstance(result, TemporarilyUnavailableError | OutcomeUnknownError) and may_have_written()


def _uncount(counters: Iterable[Counter], services: Services, provenance: Provenance, done: int | None = 0) -> None:
    """Take an alert out of what it was counted in, but for `done` of the orders that its key counts."""
    for counter in counters:
        nothing = 0 if done is None else counter.number - done if counter.of_key or not done else 0
        if nothing > 0:
            services.rates.uncount(provenance, counter, nothing)


def counters(alert: "Alert", provenance: Provenance) -> Iterator[Counter]:
    """Yield what an alert counts in: the rate limit that it gives itself, and the one of its key for what opens."""
    if alert.first.rate:
        alert_id, rate = alert.first.rate
        yield Counter(alert_id, rate)
    if provenance.limits and provenance.limits.rate and alert.first.opens:
        # What another limit forbids opens nothing, and is told of that, not of the rate.
        orders = len(within_limits(alert, provenance))
        if orders:
            yield Counter.for_key(provenance.key_id, provenance.limits.rate, orders)


def beyond_limits(command: Command, provenance: Provenance) -> CommandNotAllowedError | None:
    """Return the refusal of a command that asks for more than the key's limits allow; None for any other."""
    return command.beyond(provenance.limits) if provenance.limits else None


def within_limits(alert: "Alert", provenance: Provenance) -> list[Command]:
    """Return the commands of the accounts for which the key's limits allow what they ask for."""
    return [command for command in alert.commands.values() if beyond_limits(command, provenance) is None]
