"""Notifications on this machine: what there is to tell is looked for all the time, and printed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from threading import Event

from cli.aws.scheduler import in_background
from orderhook import telemetry
from orderhook.errors import OrderhookError
from orderhook.listing import traders
from orderhook.notifying.channels import Channel, by_terminal
from orderhook.notifying.looking import Recipient, look
from orderhook.services import Services

_LOOK_SECONDS = 5
"""Each look costs moto as much as an alert; a server that nobody asks anything should cost next to nothing."""


@contextmanager
def running(
    services: Services, lock: AbstractContextManager[object], show: Callable[[str], None], *, past_is_told: bool = False
) -> Iterator[None]:
    """Look and print in a thread; `lock` is held meanwhile, so that no function uses the same table.

    Where the `past_is_told`, what there is to tell by now is not, and no sum has what was refused by now.
    """
    if past_is_told:
        _look(services, lock, lambda _: None)
        with lock:
            for trader in sorted(traders(services)):
                services.notices.begin_summing(trader, by_terminal(show).name, datetime.now(UTC))
    with in_background("notifications", partial(_run, services, lock, show)):
        yield


def _run(services: Services, lock: AbstractContextManager[object], show: Callable[[str], None], stopped: Event) -> None:
    while not stopped.wait(_LOOK_SECONDS):
        _look(services, lock, show)


def _look(services: Services, lock: AbstractContextManager[object], show: Callable[[str], None]) -> None:
    way = by_terminal(show)
    with lock, suppress(OrderhookError):  # where the table did not answer, the next look tells it
        for trader in sorted(traders(services)):
            _look_for(services, trader, way)


def _look_for(services: Services, trader: str, way: Channel) -> None:
    try:
        list(look(Recipient(services, trader, "this machine"), datetime.now(UTC), lambda _: [way]))
    except OrderhookError:
        return
    except Exception as defect:  # the thread goes on, and the other traders are told
        telemetry.report(defect, None)
