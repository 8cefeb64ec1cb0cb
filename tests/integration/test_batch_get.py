"""Many items by one request: what DynamoDB leaves out of an answer is asked for again, inside the time budget."""

import json
import time
from typing import Any, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from orderhook.aws.budget import time_budget
from orderhook.errors import TemporarilyUnavailableError
from orderhook.store import items
from tests.client_faults import Deliver, Raw
from tests.faults import lose_request
from tests.service import Service


def leave_all_out(request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
    """Answer as DynamoDB does that has no throughput left."""
    asked = json.loads(cast("bytes", request.body))["RequestItems"]
    headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"})
    return AWSResponse(request.url, 200, headers, Raw(json.dumps({"Responses": {}, "UnprocessedKeys": asked}).encode()))


def read(service: Service, *order_ids: str) -> list[dict[str, Any]]:
    keys = [items.order_key(service.trader, order_id) for order_id in order_ids]
    return list(service.handlers_services.table.get_many(keys, items.SHOWN_IN_LISTS))


def test_what_is_there_comes_and_of_its_history_the_first_entry_alone(service: Service) -> None:
    service.place("order-1")
    service.cancel("order-1")
    [found] = read(service, "order-1", "nobodys")
    whole = service.plain("order-1")
    left_out = {"history", "digests", "expires", "request_id"}
    assert {name: it for name, it in found.items() if name != "history"} == {
        name: it for name, it in whole.items() if name not in left_out
    }
    assert (len(whole["history"]), found["history"]) == (2, whole["history"][:1])


def test_what_was_left_out_is_asked_for_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", service.clock.wait)
    service.place("order-1")
    service.network.forget()
    service.network.inject("BatchGetItem", leave_all_out, leave_all_out)
    assert [it["order_id"] for it in read(service, "order-1")] == ["order-1"]
    assert service.network.operations == ["BatchGetItem"] * 3


def test_a_table_that_leaves_everything_out_is_given_up(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", service.clock.wait)
    service.network.always = leave_all_out
    with pytest.raises(TemporarilyUnavailableError):
        read(service, "order-1")


def test_nothing_is_asked_again_once_the_time_is_over(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", service.clock.wait)
    service.network.always = leave_all_out
    with time_budget(time.monotonic() + 0.95), pytest.raises(TemporarilyUnavailableError):
        read(service, "order-1")
    assert len(service.network.operations) < 4


def test_a_table_that_does_not_answer_is_unavailable(service: Service) -> None:
    service.network.always = lose_request
    with pytest.raises(TemporarilyUnavailableError):
        read(service, "order-1")
