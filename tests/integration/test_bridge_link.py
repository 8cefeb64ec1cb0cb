"""The bridge's way to AWS: what it reads and sends, what it may ask for, and what it makes of faults."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from bridge.link import Link, LinkError
from bridge.settings import BridgeSettings
from orderhook.aws.clients import connect
from orderhook.aws.doorbell import LOOK
from orderhook.instructions import Instruction
from orderhook.orders import Want, timestamp
from orderhook.store import items
from orderhook.store.table import serialize
from orderhook.venues import NINJATRADER
from tests import faults
from tests.builders import order, provenance
from tests.client_faults import Deliver, Network, perform
from tests.clock import Clock
from tests.faults import Fault
from tests.queues import Queue
from tests.service import Service
from tests.tables import Table

AT = datetime(2026, 11, 28, 14, 30, tzinfo=UTC)


class Linked:
    """A link over a table and queues of its own, and what passes between."""

    def __init__(self, service: Service, table: Table, queue: Queue) -> None:
        self.service, self.table, self.trader = service, table, service.trader
        self.network = Network(table.deliver, service.clock)
        self.sqs = connect("sqs")
        urls = [self.sqs.create_queue(QueueName=f"{name}-{uuid4().hex}")["QueueUrl"] for name in ("bell", "reports")]
        self.doorbell_url, self.report_queue_url = urls
        self.settings = BridgeSettings(
            "orderhook", "us-east-1", table.name, self.trader, self.doorbell_url, self.report_queue_url
        )
        with pytest.MonkeyPatch.context() as there:
            for endpoint in filter(None, [table.options.get("endpoint_url")]):
                there.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
            self.link = Link.connect(self.settings)
        self.network.watch(self.link.dynamodb)
        self.network.watch(self.link.sqs, queue.deliver)

    def write(self, order_id: str, **changes: Any) -> None:
        """Put an order into the table that waits for its venue."""
        signed = provenance(self.trader, "placing")
        want = Want(1, "place", signed.now, timestamp(AT))
        placed = order(signed, order_id, **{"venue": NINJATRADER.name, "want": want, **changes})
        self.put(items.order_item(self.trader, placed))

    def put(self, item: dict[str, Any]) -> None:
        self.table.client.put_item(TableName=self.table.name, Item=serialize(item))


@pytest.fixture
def linked(service: Service, table: Table, queue: Queue) -> Iterator[Linked]:
    linked = Linked(service, table, queue)
    yield linked
    linked.network.leave()


def test_a_look_lists_what_is_open_at_its_own_venue_and_then_reads_the_controls(linked: Linked) -> None:
    linked.write("b", want=Want(2, "cancel", timestamp(AT)))
    linked.write("a")
    linked.write("of-the-table", venue=None, want=None)
    linked.write("elsewhere", venue="another")
    asked = Instruction("1", "FLATTEN", timestamp(AT), str(NINJATRADER.name), qty=2, percent=Decimal("0.5"))
    linked.put(items.instruction_item(linked.trader, asked))
    looked = linked.link.look()
    assert [(order.order_id, order.want and order.want.kind) for order in looked.orders] == [
        ("a", "place"),
        ("b", "cancel"),
    ]
    assert looked.instructions == [asked]
    assert (looked.kill_switch, looked.owner, looked.unreadable) == (False, None, [])
    assert linked.network.operations == ["Query", "GetItem"]
    assert [request.payload["ConsistentRead"] for request in linked.network.requests] == [True, True]


def test_a_look_says_who_owns_the_stack_and_whether_the_kill_switch_is_on(linked: Linked) -> None:
    bridge = {"journal": "j1", "host": "pc", "at": timestamp(AT), "since": "then"}
    linked.put(items.controls_key(linked.trader) | {"kill_switch": True, "bridge": bridge})
    looked = linked.link.look()
    assert (looked.kill_switch, looked.owner, looked.owned_since) == (True, "j1", "then")


def test_an_order_that_cannot_be_read_is_named_and_hides_no_other(linked: Linked) -> None:
    linked.write("a")
    linked.write("good")
    broken = items.order_key(linked.trader, "newer") | {"order_id": "newer", "open": "3#x#y#newer"}
    linked.put(broken | {"venue": NINJATRADER.name, "state": "Teleported"})
    looked = linked.link.look()
    assert [order.order_id for order in looked.orders] == ["a", "good"]
    assert looked.unreadable == ["newer"]
    assert linked.link.fetch("newer") is None


def test_a_look_reads_every_page(linked: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        linked.write(f"order-{number}")
    query = linked.link.dynamodb.query
    monkeypatch.setattr(linked.link.dynamodb, "query", lambda **request: query(**request, Limit=2))
    assert [order.order_id for order in linked.link.look().orders] == [f"order-{number}" for number in range(5)]


def test_a_finished_order_is_fetched_by_its_id(linked: Linked) -> None:
    linked.write("done")
    fetched = linked.link.fetch("done")
    assert fetched
    assert fetched.order
    assert fetched.order.order_id == "done"
    gone = linked.link.fetch("nothing")
    assert gone
    assert gone.order is None


def test_the_doorbell_rings_once_for_all_that_has_rung_it(linked: Linked) -> None:
    for _ in range(3):
        linked.sqs.send_message(QueueUrl=linked.doorbell_url, MessageBody=LOOK)
    assert linked.link.wait(0)
    assert not linked.link.wait(0)


def test_a_ring_is_heard_before_it_is_deleted(linked: Linked) -> None:
    linked.sqs.send_message(QueueUrl=linked.doorbell_url, MessageBody=LOOK)
    linked.network.forget()
    asked: list[str] = []
    assert linked.link.wait(0, lambda: asked.extend(linked.network.operations))
    assert (asked, linked.network.operations) == (["ReceiveMessage"], ["ReceiveMessage", "DeleteMessage"])


def test_a_report_lies_in_its_queue(linked: Linked) -> None:
    linked.link.send("a report")
    [message] = linked.sqs.receive_message(QueueUrl=linked.report_queue_url)["Messages"]
    assert message["Body"] == "a report"


def test_the_link_asks_for_what_the_policy_of_a_bridge_allows(linked: Linked) -> None:
    linked.write("a")
    linked.sqs.send_message(QueueUrl=linked.doorbell_url, MessageBody=LOOK)
    linked.network.forget()
    linked.link.look()
    linked.link.fetch("a")
    linked.link.wait(0)
    linked.link.send("a report")
    asked = {action for request in linked.network.requests for action in request.actions}
    assert asked == {
        "dynamodb:Query",
        "dynamodb:GetItem",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:SendMessage",
    }
    for request in linked.network.requests:
        key = request.payload.get("Key", {}).get("pk") or request.payload.get("ExpressionAttributeValues", {}).get(
            ":pk"
        )
        assert key in (None, {"S": f"TRADER#{linked.trader}"})


@faults.every_fault
def test_whatever_befalls_a_request_is_one_error_with_a_reason(linked: Linked, fault: Fault) -> None:
    linked.write("a")
    linked.network.always = fault
    reads = [linked.link.look, lambda: linked.link.fetch("a")]
    # Half an answer of SQS, which has no checksum, says that it was done.
    others = [lambda: linked.link.wait(0), lambda: linked.link.send("a report")]
    for request in reads + (others if fault is not faults.cut_response else []):
        with pytest.raises(LinkError, match=r"There is no answer from|AWS refused"):
            request()
    linked.network.always = faults.no_fault
    assert [order.order_id for order in linked.link.look().orders] == ["a"]


def test_a_denied_request_says_so(linked: Linked) -> None:
    linked.network.inject("Query", faults.deny)
    with pytest.raises(LinkError, match=r"AWS refused what was asked of the table: .*AccessDenied"):
        linked.link.look()


class _Dated:
    """Answers as the table does, with a date."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.ahead = clock, timedelta()

    def __call__(self, request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse:
        answer = deliver(request)
        del answer.headers["date"]
        at = AT + self.ahead + timedelta(seconds=self.clock.elapsed)
        answer.headers["date"] = format_datetime(at.replace(microsecond=0), usegmt=True)
        return answer


def test_the_time_is_that_of_awss_answers_and_passes_between_them(linked: Linked) -> None:
    clock = linked.service.clock
    linked.network.always = dated = _Dated(clock)
    asleep = datetime.now(UTC)
    assert asleep <= linked.link.now() <= datetime.now(UTC)  # nothing has answered yet
    for _ in range(10):
        linked.link.look()
        clock.advance(0.37)
        error = linked.link.now() - (AT + timedelta(seconds=clock.elapsed))
        assert timedelta(seconds=-1.1) <= error <= timedelta(seconds=0.1)
    before = linked.link.now()
    clock.advance(100)
    assert linked.link.now() - before == timedelta(seconds=100)
    dated.ahead = timedelta(hours=3)  # this machine has slept, and its clock with it
    linked.link.look()
    assert abs(linked.link.now() - AT - timedelta(hours=3, seconds=clock.elapsed)) < timedelta(seconds=1.1)


def test_a_look_is_as_old_as_its_beginning_however_long_it_takes(linked: Linked) -> None:
    def answer_late(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse:
        linked.service.clock.advance(4)
        return dated(request, deliver)

    dated = _Dated(linked.service.clock)
    linked.network.always = dated
    linked.link.look()
    linked.network.inject("Query", answer_late)
    began_at = linked.link.look().began_at
    assert began_at
    assert timedelta(seconds=4) <= linked.link.now() - began_at < timedelta(seconds=4.1)


def test_a_refusal_tells_the_time_too(linked: Linked) -> None:
    def refuse(request: AWSPreparedRequest, _: Deliver) -> AWSResponse | None:
        answer = perform(faults.deny, request, linked.table.deliver)
        assert answer
        answer.headers["date"] = format_datetime(AT, usegmt=True)
        return answer

    linked.network.inject("Query", refuse)
    with pytest.raises(LinkError):
        linked.link.look()
    assert abs(linked.link.now() - AT) < timedelta(seconds=1)
