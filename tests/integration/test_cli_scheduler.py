"""The local scheduler, which stands in for SQS and EventBridge Scheduler."""

import threading
import time
from datetime import UTC, datetime, timedelta
from threading import Lock

import pytest
from werkzeug.test import Client

import deferred
import webhook
from cli.aws.gateway import Gateway
from cli.aws.scheduler import LocalScheduler, resume, running
from tests.builders import ENTRY, alert
from tests.marks import OF_A_TERMINAL
from tests.service import Service

pytestmark = OF_A_TERMINAL


@pytest.fixture
def gateway(service: Service) -> Client:
    """The webhook over HTTP."""
    del service
    return Client(Gateway(webhook.handler, lambda _: None))


def post(gateway: Client, service: Service, **fields: object) -> str:
    body = gateway.post("/webhook", data=alert({"key": service.key, **fields})).json
    assert body is not None
    return str(body.get("status") or body["error"])


def test_an_order_with_cancel_after_is_cancelled_when_it_is_due(gateway: Client, service: Service) -> None:
    assert post(gateway, service, command="PLACE", order_id="order-1", cancel_after=1, **ENTRY) == "placed"
    local_scheduler = LocalScheduler(deferred.handler, service.queue.settings)
    local_scheduler.run_once(datetime.now(UTC) + timedelta(seconds=58))
    assert service.state() == "Working"
    local_scheduler.run_once(datetime.now(UTC) + timedelta(seconds=62))
    assert post(gateway, service, command="CANCEL", order_id="order-1") == "already_cancelled"


def test_more_schedules_than_one_page_holds_are_all_carried_out(service: Service) -> None:
    for number in range(55):
        service.place(f"order-{number}", cancel_after=1)
    service.pass_time(62)
    assert service.open_orders() == []
    assert service.queue.schedules == {}


@pytest.mark.parametrize("down_for", [0, 600])
def test_a_time_limit_survives_a_restart_over_a_lasting_table(service: Service, down_for: int) -> None:
    service.place("order-1", cancel_after=1, stop_loss=4990)
    service.queue.schedules.clear()
    service.let_pass(down_for)
    for _ in range(2):
        resume(service.handlers_services, service.queue.now)
    assert len(service.queue.schedules) == 1
    service.pass_time(62)
    assert service.state("order-1") == "Cancelled"
    assert service.queue.schedules == {}


def test_an_order_that_waited_for_its_delay_ends_with_the_server(service: Service) -> None:
    service.place("waiting", delay=5)
    service.place("open")
    service.queue.messages.clear()
    resume(service.handlers_services, service.queue.now)
    ended = service.order("waiting")
    assert ended is not None
    assert (ended.state, ended.reason) == ("Cancelled", "the server was stopped while it waited for its delay")
    assert service.state("open") == "Working"


def test_running_it_carries_out_what_is_due_until_it_is_stopped(service: Service) -> None:
    local_scheduler = LocalScheduler(deferred.handler, service.queue.settings)
    service.place("order-1", delay=1)
    with running(local_scheduler):
        deadline = time.monotonic() + 20
        while service.state() != "Working" or service.queue.messages:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert [thread for thread in threading.enumerate() if thread.name == "local-scheduler"] == []
    assert service.queue.messages == []


def test_the_function_waits_for_the_lock(service: Service) -> None:
    lock = Lock()
    local_scheduler = LocalScheduler(deferred.handler, service.queue.settings, lock)
    service.place("order-1", delay=1)
    service.queue.pass_time(2, service.monkeypatch)
    delivery = threading.Thread(target=local_scheduler.deliver)
    with lock:
        delivery.start()
        delivery.join(0.3)
        assert delivery.is_alive()
        assert service.state() == "Initialized"
    delivery.join(20)
    assert service.state() == "Working"
