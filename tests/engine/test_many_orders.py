"""Five hundred working orders of one account, cancelled by one alert inside its time budget."""

from functools import partial
from typing import Any

from orderhook.orders import OrderState
from orderhook.store import items
from tests.builders import order, provenance
from tests.service import Answer, Service

MANY = 500


def test_five_hundred_working_orders_are_cancelled_in_time(service: Service) -> None:
    service.work_on(service.book)  # past the wire, which takes each request apart
    assert sweep(service, "warm-up").body["counts"]["cancelled"] == MANY
    service.keep_time()
    # A busy machine is not a slow table, and an engine that has just started compiles as it goes: one of three will do.
    answer = next((found for found in map(partial(sweep, service), "ABC") if found.status == 200), None)
    assert answer is not None
    assert answer.body["counts"] == {"cancelled": MANY, "already_cancelled": 0, "already_terminal": 0, "remaining": 0}


def sweep(service: Service, account: str) -> Answer:
    """Have five hundred orders work in this account, cancel them by one alert, and see that it is true what it says."""
    placed = provenance(service.trader, "placed")
    order_ids = [f"{account}-{number:03}" for number in range(MANY)]
    working = (order(placed, order_id, account=account, state=OrderState.WORKING) for order_id in order_ids)
    write(service, [{"PutRequest": {"Item": items.order_item(placed, each)}} for each in working])
    service.warm_up()
    answer = service.send("CANCELORDERS", account=account)
    assert sorted(answer.body["cancelled"] + answer.body["remaining"]) == order_ids
    assert set(service.open_orders()) <= set(answer.body["remaining"])
    keys = (items.wire(items.order_key(service.trader, order_id)) for order_id in order_ids)
    write(service, [{"DeleteRequest": {"Key": key}} for key in keys])
    return answer


def write(service: Service, requests: list[Any]) -> None:
    for start in range(0, len(requests), 25):
        service.table.client.batch_write_item(RequestItems={service.table.name: requests[start : start + 25]})
