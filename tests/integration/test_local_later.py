"""The local run's courier, in the place of SQS and EventBridge Scheduler."""

import threading
import time
from datetime import UTC, datetime, timedelta
from threading import Lock

import pytest
from werkzeug.test import Client

import deferred
import webhook
from cli.aws.gateway import Gateway
from cli.aws.scheduler import LocalScheduler, at_work
from tests.builders import ENTRY, alert
from tests.service import Service


@pytest.fixture
def gateway(service: Service) -> Client:
    """The webhook over HTTP."""
    del service
    return Client(Gateway(webhook.handler, lambda _: None))


def post(gateway: Client, service: Service, **fields: object) -> str:
    body = gateway.post("/webhook", data=alert({"key": service.key, **fields})).json
    assert body is not None
    return str(body.get("status") or body["error"])


def test_an_order_with_a_time_is_cancelled_when_it_is_over(gateway: Client, service: Service) -> None:
    assert post(gateway, service, command="PLACE", order_id="order-1", cancel_after=1, **ENTRY) == "placed"
    courier = LocalScheduler(deferred.handler, service.queue.settings)
    courier.round(datetime.now(UTC) + timedelta(seconds=58))
    assert service.state() == "Working"
    courier.round(datetime.now(UTC) + timedelta(seconds=62))
    assert post(gateway, service, command="CANCEL", order_id="order-1") == "already_cancelled"


def test_more_schedules_than_one_page_holds_are_all_done(service: Service) -> None:
    for number in range(55):
        service.place(f"order-{number}", cancel_after=1)
    service.pass_time(62)
    assert service.open_orders() == []
    assert service.queue.schedules == {}


def test_at_work_it_carries_out_what_is_due_until_it_is_stopped(service: Service) -> None:
    courier = LocalScheduler(deferred.handler, service.queue.settings)
    service.place("order-1", delay=1)
    with at_work(courier):
        deadline = time.monotonic() + 20
        while service.state() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert [thread for thread in threading.enumerate() if thread.name == "courier"] == []
    assert service.queue.messages == []


def test_the_function_waits_for_its_turn(service: Service) -> None:
    turn = Lock()
    courier = LocalScheduler(deferred.handler, service.queue.settings, turn)
    service.place("order-1", delay=1)
    service.queue.pass_time(2, service.monkeypatch)
    rounds = threading.Thread(target=courier.deliver)
    with turn:
        rounds.start()
        rounds.join(0.3)
        assert rounds.is_alive()
        assert service.state() is None
    rounds.join(20)
    assert service.state() == "Working"
