"""Measure how long answers take, in real time, when the table is slow, deaf or gone, or an alert is about many orders.

TradingView gives up after three seconds: every answer has to leave before. A busy machine is not a slow handler, so
each case is tried several times, and its fastest answer counts.
"""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

from orderhook.orders import OrderState
from orderhook.store import items
from orderhook.store.table import serialize
from tests.builders import order, provenance
from tests.endpoints import closed, deaf, full
from tests.engine import dynamodb_local
from tests.fault_proxy import FaultProxy
from tests.faults import drip
from tests.output import Answer
from tests.service import Service
from verification.processes import captured, results
from verification.report import Part

PATIENCE_SECONDS = 2.3
ATTEMPTS = 3
MANY = 500


def have_many(service: Service, account: str) -> list[str]:
    """Have five hundred orders work in this account, and return their ids in their order."""
    placed = provenance(service.trader, "placed")
    order_ids = [f"{account}-{number:03}" for number in range(MANY)]
    working = (order(placed, order_id, account=account, state=OrderState.WORKING) for order_id in order_ids)
    requests: list[Any] = [
        {"PutRequest": {"Item": serialize(items.order_item(service.trader, each))}} for each in working
    ]
    for start in range(0, len(requests), 25):
        service.table.client.batch_write_item(RequestItems={service.table.name: requests[start : start + 25]})
    return order_ids


def run() -> Part:
    """Measure in a process of its own, whose main thread the alarm can interrupt."""
    started = time.monotonic()
    with dynamodb_local.running() as endpoint:
        [(lines, late)] = results("verification.deadlines:work", [{"endpoint": endpoint}])
    return Part("Deadlines", lines, late, len(late), time.monotonic() - started)


def work(endpoint: str) -> tuple[list[str], list[str]]:
    """Return a line for each case, and those that took too long."""
    from tests import queues, tables
    from tests.output import Output

    with captured() as (take, monkeypatch), queues.in_process() as queue:
        service = Service(tables.at(endpoint), queue, Output(take, monkeypatch), monkeypatch)
        service.clock.run()
        times = {name: min(measure() for _ in range(ATTEMPTS)) for name, measure in _cases(service)}
    lines = [f"{name}: {seconds:.2f} s." for name, seconds in times.items()]
    late = [f"{name}: {seconds:.2f} s" for name, seconds in times.items() if seconds > PATIENCE_SECONDS]
    return [f"The fastest answers of {ATTEMPTS}:", *lines], late


def _cases(service: Service) -> Iterator[tuple[str, Callable[[], float]]]:
    """Yield each case, and what does it once and returns how many seconds that took."""
    accounts = count(1)
    yield f"{MANY} orders cancelled by one alert", lambda: _cancel_many(service, f"A{next(accounts)}")
    service.have_order("Working")
    for name, place in {"deaf": deaf, "full": full, "closed": closed}.items():
        with place() as address:
            service.warm_up()
            service.write_to(address)
            yield f"CANCEL, the table {name}", lambda: _seconds(partial(service.cancel, "order-1"))
            service.record_at(address)
            yield f"CANCEL, the table {name} to its record too", lambda: _seconds(partial(service.cancel, "order-1"))
    with FaultProxy(service.table.options["endpoint_url"]) as proxy:
        proxy.inject(drip(0.4), times=math.inf)
        service.write_to(proxy.endpoint)
        yield "CANCEL, the table answering byte by byte", lambda: _seconds(partial(service.cancel, "order-1"))
        yield "PLACE, the table answering byte by byte", lambda: _seconds(service.place)


def _seconds(send: Callable[[], object]) -> float:
    started = time.monotonic()
    send()
    return time.monotonic() - started


def _cancel_many(service: Service, account: str) -> float:
    """Return the seconds that it took; one that was not finished in time took for ever."""
    have_many(service, account)
    service.warm_up()
    service.network.leave()  # which takes each request apart
    answers: list[Answer] = []
    seconds = _seconds(lambda: answers.append(service.send("CANCELORDERS", account=account)))
    return seconds if answers[0].status == 200 else math.inf
