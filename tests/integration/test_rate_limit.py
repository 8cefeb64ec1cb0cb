"""rate_limit: how many alerts of one id pass in a time, whatever becomes of the table's answers."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderhook.aws.deadline import DeadlineError
from orderhook.errors import RateLimitedError, TemporarilyUnavailableError
from orderhook.orders import timestamp
from orderhook.provenance import Provenance
from orderhook.rate_limit import MAX_ALERTS, Rate
from orderhook.store import items
from orderhook.store.rates import Counter, RateStore
from orderhook.store.table import deserialize, serialize
from tests.builders import refused
from tests.client_faults import Deliver, in_writes, perform
from tests.faults import Fault, lose_request, lose_response, no_fault, run_before, throttle
from tests.marks import LONG
from tests.service import Service

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
numbers = count()


def signed(service: Service, seconds: float, request_id: str | None = None) -> Provenance:
    """Sign a request this long after START."""
    request_id = request_id or f"request-{next(numbers)}"
    return Provenance(service.trader, "key", request_id, START + timedelta(seconds=seconds))


def passes(rates: RateStore, provenance: Provenance, rate: Rate, alert_id: str = "es") -> bool:
    try:
        count_one(rates, provenance, alert_id, rate)
    except RateLimitedError:
        return False
    return True


def count_one(rates: RateStore, provenance: Provenance, alert_id: str, rate: Rate) -> None:
    """Count an alert that is not a resend."""
    rates.count(provenance, Counter(alert_id, rate), lambda _: None)


def counted(service: Service, alert_id: str = "es") -> int:
    """Return how many alerts of the id are counted, expired ones too."""
    item = service.get(items.rate_key(service.trader, alert_id))
    return len(deserialize(item).get("alerts", ())) if item else 0


@pytest.fixture
def rates(service: Service) -> RateStore:
    """The rates on the handlers' client, whose requests meet the faults."""
    return service.handlers_services.rates


# Through the handler


def test_one_alert_more_than_the_limit_allows_is_refused_and_places_nothing(service: Service) -> None:
    for order_id in ("order-1", "order-2"):
        assert service.place(order_id, rate_limit="2/300", id="es").word == "placed"
    before = service.belongings()
    answer = service.place("order-3", rate_limit="2/300", id="es")
    [first, _] = sorted(deserialize(item)["since"] for item in before)
    free = datetime.fromisoformat(first) + timedelta(seconds=300)
    milliseconds = timestamp(free.replace(microsecond=free.microsecond // 1000 * 1000))
    detail = f"Alerts of id es within 300 s: 2; rate_limit allows 2. The next may come at {milliseconds}."
    assert (answer.status, answer.body) == (429, refused("rate_limited", detail, field="rate_limit"))
    assert service.belongings() == before


def test_each_id_and_each_trader_has_a_count_of_its_own(service: Service) -> None:
    assert service.place(rate_limit="1", id="es").word == "placed"
    assert service.place(rate_limit="1", id="nq").word == "placed"
    assert service.place(rate_limit="1", id="ES").word == "placed"
    assert service.place(rate_limit="1", id="es").word == "rate_limited"
    assert service.place(id="es").word == "placed"
    theirs = service.issue_key(trader=f"{service.trader}-too")
    assert service.place(key=theirs, rate_limit="1", id="es").word == "placed"


def test_an_alert_that_is_refused_for_its_order_does_not_count(service: Service) -> None:
    service.have_order("Working", "order-1")
    assert service.place("order-1", rate_limit="1", id="es").word == "duplicate_order_id"
    assert service.place("order-2", rate_limit="1", id="es").word == "placed"


def test_the_counted_alerts_leave_by_their_expiry_and_lie_beside_no_order(service: Service) -> None:
    answer = service.place(rate_limit="1/86400", id="es")
    item = deserialize(service.get(items.rate_key(service.trader, "es")) or {})
    assert item["pk"] != items.trader_partition(service.trader)
    assert item["request_id"] == answer.request_id
    assert int(item["expires"]) > (datetime.now(UTC) + timedelta(days=1)).timestamp()


# How many, in which time


@LONG
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 0.001, 0.5, 1, 2, 3, 30]), st.integers(1, 4), st.sampled_from([1, 2, 3, 10, 60])),
        max_size=25,
    )
)
def test_an_alert_passes_if_fewer_came_in_its_own_time_before_it(
    service: Service, alerts: list[tuple[float, int, int]]
) -> None:
    alert_id, now = uuid4().hex, 0.0
    # What no limit so far looked back to is forgotten, so one that looks back the furthest comes first.
    assert passes(service.services.rates, signed(service, now), Rate(1, 60), alert_id)
    came = [now]
    for pause, most, seconds in alerts:
        now += pause
        expected = sum(at > now - seconds for at in came) < most
        assert passes(service.services.rates, signed(service, now), Rate(most, seconds), alert_id) == expected
        came += [now] if expected else []


@pytest.mark.parametrize(("alerts", "seconds"), [(1, 1), (3, 60), (1, 86_400)])
def test_the_next_may_come_when_the_refusal_says_and_no_millisecond_before(
    service: Service, alerts: int, seconds: int
) -> None:
    rate = Rate(alerts, seconds)
    for number in range(alerts):
        assert passes(service.services.rates, signed(service, number * 0.1), rate)
    with pytest.raises(RateLimitedError) as refusal:
        count_one(service.services.rates, signed(service, 0.5), "es", rate)
    assert timestamp(START + timedelta(seconds=seconds)) in refusal.value.detail
    assert not passes(service.services.rates, signed(service, seconds - 0.001), rate)
    assert passes(service.services.rates, signed(service, seconds), rate)


def test_a_shorter_limit_between_does_not_make_a_longer_one_forget(service: Service) -> None:
    assert passes(service.services.rates, signed(service, 0), Rate(2, 3600))
    assert passes(service.services.rates, signed(service, 100), Rate(1, 1))
    assert passes(service.services.rates, signed(service, 102), Rate(1, 1))
    assert not passes(service.services.rates, signed(service, 3000), Rate(2, 3600))


def test_a_longer_limit_that_comes_later_is_looked_back_to_from_then_on(service: Service) -> None:
    assert passes(service.services.rates, signed(service, 0), Rate(3, 1))
    assert passes(service.services.rates, signed(service, 0.5), Rate(3, 3600))
    assert passes(service.services.rates, signed(service, 100), Rate(1, 1))
    assert not passes(service.services.rates, signed(service, 200), Rate(3, 3600))


def test_where_more_came_than_a_limit_allows_the_next_waits_for_them_to_expire(service: Service) -> None:
    for seconds in (0, 10):
        assert passes(service.services.rates, signed(service, seconds), Rate(2, 60))
    with pytest.raises(RateLimitedError) as refusal:
        count_one(service.services.rates, signed(service, 20), "es", Rate(1, 60))
    assert timestamp(START + timedelta(seconds=70)) in refusal.value.detail
    assert not passes(service.services.rates, signed(service, 69), Rate(1, 60))
    assert passes(service.services.rates, signed(service, 70), Rate(1, 60))


def test_a_function_whose_clock_is_behind_counts_what_is_ahead_of_it(service: Service) -> None:
    assert passes(service.services.rates, signed(service, 2), Rate(1, 1))
    assert not passes(service.services.rates, signed(service, 0), Rate(1, 1))


def test_no_more_are_kept_than_the_largest_limit_asks_for(service: Service) -> None:
    for number in range(3):
        assert passes(service.services.rates, signed(service, number), Rate(3, 3))
    assert passes(service.services.rates, signed(service, 100), Rate(3, 3))
    assert counted(service) == 1


@pytest.mark.parametrize("kept", [MAX_ALERTS - 1, MAX_ALERTS])
def test_a_thousand_alerts_are_kept_in_little_room_and_no_more(service: Service, kept: int) -> None:
    entries = frozenset(int((START + timedelta(seconds=n)).timestamp() * 1000) * 10**10 + n for n in range(kept))
    key = items.rate_key(service.trader, "es")
    item = serialize(key | {"alerts": entries, "seconds": 86_400, "version": 7})
    service.table.client.put_item(TableName=service.table.name, Item=item)
    assert passes(service.services.rates, signed(service, 2000), Rate(MAX_ALERTS, 86_400)) == (kept < MAX_ALERTS)
    assert passes(service.services.rates, signed(service, 2002), Rate(1, 1))
    assert not passes(service.services.rates, signed(service, 2003), Rate(MAX_ALERTS, 86_400))
    assert counted(service) == MAX_ALERTS
    # A number takes a byte for two digits, one for its exponent, and one in the set.
    assert max(len(str(entry)) for entry in entries) / 2 + 2 < 14


# Lost answers, and other alerts at the same moment


@pytest.mark.parametrize("before", [[], [0], [0, 50]], ids=["the first", "one of few", "beside what has expired"])
def test_a_count_whose_answer_is_lost_is_one_count(service: Service, rates: RateStore, before: list[int]) -> None:
    rate = Rate(2, 60)
    for seconds in before:
        count_one(service.services.rates, signed(service, seconds), "es", rate)
    faults: list[Fault] = [no_fault, lose_response] if len(before) == 2 else [lose_response]
    service.network.inject("UpdateItem", *faults)
    now = 70 if len(before) == 2 else 1
    count_one(rates, signed(service, now), "es", rate)
    recent = len([seconds for seconds in before if seconds > now - 60])
    assert counted(service) == recent + 1
    assert passes(service.services.rates, signed(service, now + 1), rate) == (recent + 1 < 2)


def test_the_last_place_is_taken_once_though_two_alerts_saw_it_free(service: Service, rates: RateStore) -> None:
    rate = Rate(2, 60)
    count_one(service.services.rates, signed(service, 0), "es", rate)
    overtake = run_before(lambda: count_one(service.services.rates, signed(service, 1), "es", rate))
    service.network.inject("UpdateItem", overtake)
    assert not passes(rates, signed(service, 1), rate)
    assert counted(service) == 2


def test_an_alert_that_others_overtake_while_it_forgets_the_expired_counts_them(
    service: Service, rates: RateStore
) -> None:
    rate = Rate(2, 60)
    for seconds in (0, 1):
        count_one(service.services.rates, signed(service, seconds), "es", rate)
    overtake = run_before(lambda: count_one(service.services.rates, signed(service, 100), "es", rate))
    service.network.inject("UpdateItem", no_fault, overtake)
    assert passes(rates, signed(service, 100), rate)
    assert counted(service) == 2
    assert not passes(rates, signed(service, 101), rate)


def test_an_alert_that_is_overtaken_again_and_again_gives_way(service: Service, rates: RateStore) -> None:
    # Each of the others takes all room and is gone again before this one is counted.
    moments = iter(range(1000, 100_000, 1000))

    def overtake() -> None:
        for _ in range(2):
            count_one(service.services.rates, signed(service, next(moments)), "es", Rate(2, 60))

    count_one(service.services.rates, signed(service, 0), "es", Rate(2, 86_400))
    count_one(service.services.rates, signed(service, 1), "es", Rate(2, 60))
    service.network.inject("UpdateItem", *[no_fault, run_before(overtake)] * 4)
    with pytest.raises(TemporarilyUnavailableError, match="Other alerts of id es are being counted"):
        count_one(rates, signed(service, 900_000), "es", Rate(2, 60))


# What TradingView sends again


@pytest.mark.parametrize("order_id", ["order-1", None])
def test_an_order_that_the_table_did_not_take_is_not_counted(service: Service, order_id: str | None) -> None:
    service.warm_up()
    service.network.inject("PutItem", *[throttle] * 3)
    answer = service.place(order_id, rate_limit="1/86400", id="es")
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert counted(service) == 0
    assert service.place(order_id, rate_limit="1/86400", id="es").word == "placed"


@pytest.mark.parametrize("lost", [lose_request, lose_response])
def test_an_order_that_may_be_placed_and_is_not_sent_again_is_counted(service: Service, lost: Fault) -> None:
    service.warm_up()
    service.network.inject("PutItem", *[lost] * 6)
    assert service.place(None, rate_limit="1", id="es").word == "outcome_unknown"
    assert counted(service) == 1


def test_an_order_that_was_cut_off_stays_counted_and_its_resend_takes_its_place(service: Service) -> None:
    service.warm_up()

    def cut_off(_: AWSPreparedRequest, __: Deliver) -> AWSResponse | None:
        raise DeadlineError

    service.network.inject("PutItem", cut_off)
    assert service.place("order-1", rate_limit="1", id="es").status == 503
    assert counted(service) == 1
    service.let_pass(5)
    assert service.place("order-1", rate_limit="1", id="es").word == "placed"
    assert counted(service) == 1
    assert service.place("order-2", rate_limit="1", id="es").status == 429


@pytest.mark.parametrize("order_id", ["order-1", None])
@pytest.mark.parametrize("fault", [throttle, lose_request, lose_response], ids=str)
def test_an_alert_that_could_not_be_counted_is_to_be_sent_again(
    service: Service, fault: Fault, order_id: str | None
) -> None:
    service.warm_up()
    service.network.inject("UpdateItem", *[fault] * 3)
    answer = service.place(order_id, rate_limit="1", id="es")
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert counted(service) == 0
    assert service.belongings() == []
    assert service.place(order_id, rate_limit="1", id="es").word == "placed"


def test_an_order_for_which_the_time_was_too_short_is_not_counted(service: Service) -> None:
    service.warm_up()

    def throttle_late(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
        service.clock.advance(1.5)
        return perform(throttle, request, deliver)

    service.network.inject("PutItem", throttle_late)
    assert service.place("order-1", rate_limit="1", id="es").status == 503
    assert counted(service) == 0


def test_what_cannot_be_taken_back_in_time_stays_counted_and_changes_no_answer(service: Service) -> None:
    service.warm_up()
    service.network.inject("UpdateItem", no_fault, *[in_writes(throttle)] * 6)
    service.network.inject("PutItem", *[throttle] * 3)
    assert service.place("order-1", rate_limit="1", id="es").word == "temporarily_unavailable"
    assert counted(service) == 1


def test_only_what_this_request_counted_is_taken_back(service: Service) -> None:
    count_one(service.services.rates, signed(service, 0), "es", Rate(5, 60))
    mine = signed(service, 1)
    service.services.rates.uncount(mine, Counter("es", Rate(1, 60)))
    service.services.rates.uncount(mine, Counter("nothing-counted", Rate(1, 60)))
    count_one(service.services.rates, mine, "es", Rate(5, 60))
    service.services.rates.uncount(mine, Counter("es", Rate(1, 60)))
    service.services.rates.uncount(mine, Counter("es", Rate(1, 60)))
    assert counted(service) == 1
