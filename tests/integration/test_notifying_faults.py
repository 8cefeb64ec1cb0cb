"""At most once, and nothing lost in silence: whatever befalls a request of a look, and wherever its process ends."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

import notify
from orderhook.alarms import LOOKS
from orderhook.aws import budget
from orderhook.orders import timestamp
from tests.client_faults import Deliver, perform
from tests.faults import Fault, Stopped, lose_response, no_fault, stop_after, stop_before, throttle
from tests.integration.test_notifying import by_report
from tests.service import Service
from tests.telling import Telling, metrics_of

EXPECTED = Counter({"unprotected": 1, "kill_switch_off": 1, "order_not_found": 1, "unknown_command": 1, "test": 1})


class AtRequest:
    """Inject a fault at the n-th request, or at that and all that follow; it counts them."""

    def __init__(self, fault: Fault, n: int, *, and_all_after: bool) -> None:
        self.fault, self.n, self.and_all_after = fault, n, and_all_after
        self.seen = 0

    def __call__(self, request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
        self.seen += 1
        is_met = self.seen == self.n or (self.and_all_after and self.seen > self.n)
        return perform(self.fault, request, deliver) if is_met else None


@pytest.fixture
def much_to_tell(service: Service, telling: Telling) -> None:
    """Have there be something of each kind to tell, a minute after the last look."""
    telling.begin()
    by_report("unprotected")(service)
    service.turn("on")
    service.turn("off")
    service.cancel("a")
    service.send("CANCLE")
    service.let_pass(75)
    service.hear_bridge()
    telling.set(test="t1", test_at=timestamp(service.queue.now))


@pytest.mark.parametrize(
    ("fault", "and_all_after"),
    [
        pytest.param(stop_before, False, id="stopped before"),
        pytest.param(stop_after, False, id="stopped after"),
        pytest.param(lose_response, False, id="answer lost"),
        pytest.param(throttle, False, id="throttled once"),
        pytest.param(throttle, True, id="throttled from then on"),
    ],
)
@pytest.mark.usefixtures("much_to_tell")
@pytest.mark.moto_only(
    "it goes back to what the table held, which takes long there; races of claims are in tests/engine"
)
def test_whatever_befalls_a_request_all_is_told_once_or_its_claim_says_so(
    service: Service, telling: Telling, fault: Fault, and_all_after: bool
) -> None:
    go_back = service.table.checkpoint()
    passed = service.queue.passed
    n = 0
    while True:
        n += 1
        at = AtRequest(fault, n, and_all_after=and_all_after)
        service.network.always = at
        with suppress(Stopped):
            telling.look()
        service.network.always = no_fault
        if at.seen < n:
            break
        for _ in range(2):
            telling.look(later=65)
        told = Counter(telling.codes)
        claimed = Counter(it.title.partition(":")[0] for it in telling.told(state="claimed"))
        assert told <= EXPECTED, n
        assert EXPECTED - told <= claimed, n
        if fault in (lose_response, throttle) and not and_all_after:
            assert told == EXPECTED, n
        telling.forget()
        go_back()
        service.queue.passed = passed
    assert n > 20


@pytest.mark.usefixtures("much_to_tell")
def test_a_claim_whose_answer_is_lost_is_known_as_ones_own(service: Service, telling: Telling) -> None:
    service.network.inject("UpdateItem", no_fault, lose_response)
    telling.look()
    assert Counter(telling.codes) == EXPECTED


@pytest.mark.usefixtures("much_to_tell")
def test_refused_alerts_of_a_look_that_has_died_are_told_with_no_later_ones_lost(
    service: Service, telling: Telling
) -> None:
    def stop(*_: object) -> None:
        raise Stopped

    telling.fault = stop
    with pytest.raises(Stopped):
        telling.look()
    telling.fault = None
    service.cancel("b")
    telling.look(later=75)
    telling.look(later=75)
    assert telling.codes == ["order_not_found"]
    assert {it.state for it in telling.told() if it.title.startswith("order_not_found")} == {"sent", "claimed"}


@pytest.mark.usefixtures("much_to_tell")
def test_what_was_sent_when_the_time_for_a_look_was_over_is_noted(service: Service, telling: Telling) -> None:
    def publish_late(_: AWSPreparedRequest, __: Deliver) -> AWSResponse | None:
        for each in budgets:
            each.deadline = 0.0
        return None

    budgets: list[budget.Budget] = []
    real = budget.time_budget

    @contextmanager
    def time_budget(deadline: float) -> Iterator[budget.Budget]:
        with real(deadline) as made:
            budgets.append(made)
            yield made

    service.monkeypatch.setattr(notify, "time_budget", time_budget)
    telling.fault = publish_late
    telling.look()
    assert Counter(telling.codes) == EXPECTED
    assert {it.state for it in telling.told()} == {"sent"}


@pytest.mark.usefixtures("much_to_tell")
def test_a_look_that_dies_before_its_claims_loses_nothing(service: Service, telling: Telling) -> None:
    # The first write says which minutes are summed, the second claims.
    service.network.inject("UpdateItem", no_fault, stop_before)
    with pytest.raises(Stopped):
        telling.look()
    telling.look(later=60)
    assert Counter(telling.codes) == EXPECTED


@pytest.mark.usefixtures("much_to_tell")
def test_a_table_that_answers_nothing_has_the_messages_come_again(service: Service, telling: Telling) -> None:
    service.network.always = throttle
    service.output.take()
    telling.look(messages=2)
    assert telling.failed == ["m-0", "m-1"]
    written = service.output.take()
    assert "not looked" in written
    assert LOOKS not in written
    service.network.always = no_fault
    telling.look(messages=2)
    assert (telling.failed, Counter(telling.codes)) == ([], EXPECTED)
    assert metrics_of(service.output).count(LOOKS) == 1


def test_no_messages_are_no_look(service: Service, telling: Telling) -> None:
    service.network.forget()
    service.output.take()
    telling.look(messages=0)
    assert (service.network.requests, metrics_of(service.output)) == ([], [])


def test_an_alert_asks_nothing_more_for_what_is_told_of_it(service: Service, telling: Telling) -> None:
    telling.set("discord")
    service.warm_up()
    service.cancel("nobodys")
    asked = [*service.network.requests, *service.network.records, *service.network.key_uses]
    assert not any("NOTICES#" in json.dumps(it.payload) for it in asked)
    assert {it.service for it in asked} <= {"dynamodb", "sqs"}
