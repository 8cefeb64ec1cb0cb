"""A form of the console does once what it says, however often it is sent."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orderhook.console.acting import Acted, act_by_hand
from orderhook.console.http import HttpError, Request
from orderhook.console.sessions import ProcessSessions
from orderhook.console.visit import Deployment, Visit
from orderhook.errors import OrderhookError
from orderhook.grants import Grant, Session
from orderhook.outcome import Outcome
from tests.service import Service

ONCE = 32 * "a"


def visit_of(service: Service, **grant: Any) -> Visit:
    now = datetime.now(UTC)
    session = Session("12345678", Grant(service.trader, **grant), now, now)
    request = Request({"requestContext": {"http": {"sourceIp": "127.0.0.1"}}})
    return Visit(service.handlers_services, ProcessSessions(), Deployment("demo"), request, session, "token", now)


def order_ids(service: Service) -> list[str]:
    return [str(item["order_id"]) for item in service.orders.items(service.trader, open_only=False)]


def send(service: Service, once: str, **fields: str) -> Acted:
    return act_by_hand(visit_of(service), fields.items(), once)


def place(service: Service, once: str, **fields: str) -> Acted:
    order = {
        "account": "Sim101",
        "instrument": "ES1!",
        "action": "BUY",
        "qty": "1",
        "order_type": "MARKET",
        "tif": "DAY",
    }
    return send(service, once, command="PLACE", **order | fields)


def test_a_form_that_comes_again_does_nothing_new(service: Service) -> None:
    first, again = place(service, ONCE), place(service, ONCE)
    assert first.result is not None
    assert again == Acted(first.request_id, None)
    assert order_ids(service) == [first.request_id]


def test_the_same_form_filled_in_anew_does_the_same_again(service: Service) -> None:
    first, second = place(service, ONCE), place(service, 32 * "b")
    assert first.request_id != second.request_id
    assert len(order_ids(service)) == 2


def test_a_form_whose_answer_was_lost_finds_what_it_wrote(service: Service) -> None:
    first = place(service, ONCE)
    service.table.client.delete_item(  # as if the table had not taken the record
        TableName=service.table.name, Key={"pk": {"S": f"ALERTS#{service.trader}"}, "sk": {"S": first.request_id}}
    )
    again = place(service, ONCE)
    assert again.request_id == first.request_id
    assert isinstance(again.result, Outcome)
    assert len(order_ids(service)) == 1


@pytest.mark.parametrize("once", ["", "a", 32 * "A", 33 * "a", 31 * "a" + "\n"])
def test_a_form_without_what_makes_it_its_own_does_nothing(service: Service, once: str) -> None:
    with pytest.raises(HttpError):
        place(service, once)
    assert order_ids(service) == []


def test_a_form_leaves_a_record_that_says_by_whom(service: Service) -> None:
    acted = act_by_hand(visit_of(service, label="phone"), [("kill_switch", "on")], ONCE)
    record = service.alerts.get(service.trader, acted.request_id)
    assert record is not None
    assert (record.origin, record.key_label, record.key_id) == ("console", "phone", "console-12345678")
    assert service.controls.kill_switch(service.trader).on


def test_a_key_in_a_form_is_refused_and_kept_nowhere(service: Service) -> None:
    acted = place(service, ONCE, notes=f"my key is {service.key}")
    assert isinstance(acted.result, OrderhookError)
    record = service.alerts.get(service.trader, acted.request_id)
    assert record is not None
    assert service.key not in repr(record)
