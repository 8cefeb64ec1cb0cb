"""Whether an alert may be carried out: the kill switch, its trade window, rate limits, and the limits of its key."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from orderhook.aws.budget import may_have_written
from orderhook.commands import Command
from orderhook.errors import RateLimitedError, TemporarilyUnavailableError
from orderhook.orders import Provenance
from orderhook.resend import first_receipt
from orderhook.services import Services
from orderhook.store.controls import Counter

if TYPE_CHECKING:
    from orderhook.pipeline import Alert


@contextmanager
def admitted(alert: "Alert", services: Services, provenance: Provenance, *, delayed: bool) -> Iterator[None]:
    """Let an alert pass the controls; raises the ControlError of the first that stops it.

    The rate limits come last, so that only what passes the kill switch and its trade window is counted. What surely
    wrote nothing is not counted either. What may have written is, and its resend takes its place.
    """
    command = alert.first  # in each account the controls are the same
    if alert.heeds_kill_switch:
        # What waited for its delay is void where the switch, or a CANCELALLORDERS, came after its receipt.
        since = provenance.received_at if delayed and not command.risk_reducing else None
        services.controls.check_kill_switch(provenance.trader, since)
    if command.window:
        command.window.check(provenance.at)
    counted: list[Counter] = []
    try:
        for counter in () if delayed else _counters(alert, provenance):
            counted.append(counter)
            services.controls.count(provenance, counter, partial(first_receipt, services, provenance))
        yield
    except RateLimitedError:
        for counter in counted[:-1]:
            services.controls.uncount(provenance, counter)
        raise
    except TemporarilyUnavailableError:
        if not may_have_written():
            for counter in counted:
                services.controls.uncount(provenance, counter)
        raise


def _counters(alert: "Alert", provenance: Provenance) -> Iterator[Counter]:
    """Yield what an alert counts in: the rate limit that it gives itself, and the one of its key for what opens."""
    if alert.first.rate:
        alert_id, rate = alert.first.rate
        yield Counter(alert_id, rate)
    if provenance.limits and provenance.limits.rate and alert.first.opens:
        orders = len(within_limits(alert, provenance))
        yield Counter.for_key(provenance.key_id, provenance.limits.rate, orders)


def within_limits(alert: "Alert", provenance: Provenance) -> list[Command]:
    """Return the commands of the accounts for which the key's limits allow what they ask for."""
    limits = provenance.limits
    return [command for command in alert.commands.values() if limits is None or command.beyond(limits) is None]
