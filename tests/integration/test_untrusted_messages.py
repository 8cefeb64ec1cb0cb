"""Messages of the queue that nobody of this deployment can have sent: refused, counted, kept for a look."""

import json
from typing import Any

import pytest

import deferred
from orderhook.messages import DelayedAlert, Message, Release, TimedCancel, serialize
from orderhook.orders import timestamp
from tests.marks import OF_WORDS
from tests.service import Service

pytestmark = OF_WORDS

ATTEMPTS, VISIBILITY_SECONDS = 5, 36


def messages(service: Service, *, trader: str, key: str) -> dict[str, Message]:
    """Return a message of each kind about order-1, in the name of a trader, by a key."""
    key_id, now = key.split("_")[1], timestamp(service.queue.now)
    signed: dict[str, Any] = {"trader": trader, "key_id": key_id, "request_id": "0" * 32}
    fields = {"command": "CANCEL", "order_id": "order-1"}
    return {
        "alert": DelayedAlert(**signed, received_at=now, fields=fields, digest="d", due=now),
        "release": Release(**signed, received_at=now, order_id="order-1", due=str(service.plain().get("due", now))),
        "cancel": TimedCancel(**signed, order_id="order-1", cancels_at=str(service.plain().get("cancels_at", now))),
    }


def deliver(service: Service, body: str) -> list[dict[str, str]]:
    """Deliver a message, and return what is to be delivered again."""
    service.output.take()
    failures: list[dict[str, str]] = deferred.handler({"Records": [{"messageId": "m-1", "body": body}]}, None)[
        "batchItemFailures"
    ]
    return failures


@pytest.mark.parametrize("kind", ["alert", "release", "cancel"])
def test_a_message_whose_key_is_of_another_trader_is_refused(service: Service, kind: str) -> None:
    service.place("order-1", delay=5, cancel_after=1)
    before = service.item()
    theirs = service.issue_key(trader="somebody-else")
    body = serialize(messages(service, trader=service.trader, key=theirs)[kind])
    assert deliver(service, body) == [{"itemIdentifier": "m-1"}]
    line, metric = service.output.lines()
    assert (line["level"], line["message"], line["reason"]) == (
        "ERROR",
        "message refused",
        "its key is another trader's",
    )
    assert metric["MessagesRefused"] == [1.0]
    assert service.item() == before
    # Nor does it leave a record with either of them.
    assert [record.command for record in service.alerts.newest(service.trader)] == ["PLACE"]
    assert list(service.alerts.newest("somebody-else")) == []


@pytest.mark.parametrize("kind", ["alert", "release"])
def test_a_message_whose_key_nobody_issued_is_refused_and_ends_no_order(service: Service, kind: str) -> None:
    service.place("order-1", delay=5)
    before = service.item()
    body = serialize(messages(service, trader=service.trader, key="ohk_nosuchkeyid1_")[kind])
    assert deliver(service, body) == [{"itemIdentifier": "m-1"}]
    assert service.output.lines()[0]["reason"] == "its key is unknown"
    assert service.item() == before


@pytest.mark.parametrize("kind", ["alert", "release", "cancel"])
def test_a_message_of_the_release_before_is_carried_out(service: Service, kind: str) -> None:
    service.place("order-1", **({} if kind == "alert" else {"delay": 5} if kind == "release" else {"cancel_after": 1}))
    body = json.loads(serialize(messages(service, trader=service.trader, key=service.key)[kind]))
    del body["version"]
    assert deliver(service, json.dumps(body)) == []
    assert service.state() == ("Working" if kind == "release" else "Cancelled")


def test_a_message_of_a_later_version_waits_for_that_and_is_kept(service: Service) -> None:
    service.place("order-1", delay=5)
    body = json.loads(serialize(messages(service, trader=service.trader, key=service.key)["release"]))
    assert deliver(service, json.dumps({**body, "version": 99})) == [{"itemIdentifier": "m-1"}]
    assert service.state() == "Initialized"


def test_a_poisonous_message_ends_after_its_attempts_and_holds_up_no_other(service: Service) -> None:
    service.place("order-1", delay=5)
    service.queue.handlers_client("sqs").send_message(  # type: ignore[attr-defined]
        QueueUrl=service.queue.settings.queue_url, MessageBody='{"version": 2, "release": {"x": 1}}'
    )
    service.pass_time(6)
    assert service.state() == "Working"
    for _ in range(ATTEMPTS):
        service.pass_time(VISIBILITY_SECONDS)
    assert (len(service.queue.messages), len(service.queue.dead_letters)) == (0, 0)
    refused = [line for line in service.output.lines() if "MessagesRefused" in line]
    assert len(refused) == ATTEMPTS + 1
