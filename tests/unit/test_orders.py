import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderhook.limits import Limits
from orderhook.orders import (
    BEING_CANCELLED,
    CANCELLABLE,
    CANCELS_OF_A_TRADE,
    CHANGEABLE,
    FINISHED_OTHERWISE,
    KEPT_HISTORY,
    MAX_HISTORY,
    OPEN,
    PRICES,
    RELEASED_WITHIN,
    RESENDS_END,
    SAME_BAR,
    TERMINAL,
    TRANSITIONS,
    Binding,
    Bracket,
    Event,
    Leg,
    Order,
    OrderState,
    Strategy,
    Trace,
    Want,
    decimal_text,
    end_of_wait,
    folded,
    timestamp,
)
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.trade import MAX_BRACKETS
from tests import states
from tests.builders import order
from tests.states import STATES, USUAL_WAYS, may_follow

ROOT = Path(__file__).parents[2]

NOON = datetime(2026, 1, 2, 12, 0, 0, 5, tzinfo=UTC)
SIGNED = Provenance(trader="ada", key_id="k1", request_id="r1", at=NOON)


def test_the_states_are_those_of_the_specification() -> None:
    assert sorted(OrderState) == sorted(STATES)
    assert len(STATES) == 16


@pytest.mark.parametrize(("before", "after"), [*product(STATES, repeat=2)])
def test_a_state_follows_another_exactly_where_the_specification_lets_it(before: str, after: str) -> None:
    assert (OrderState(after) in TRANSITIONS[OrderState(before)]) is may_follow(before, after)


@pytest.mark.parametrize("way", USUAL_WAYS)
def test_every_usual_way_is_open(way: str) -> None:
    for before, after in pairwise(map(OrderState, way.split())):
        assert after in TRANSITIONS[before]


def test_every_state_has_its_row_and_can_be_reached_from_the_first() -> None:
    assert set(TRANSITIONS) == set(OrderState)
    reached = {OrderState.INITIALIZED}
    while following := set[OrderState]().union(*(TRANSITIONS[state] for state in reached)) - reached:
        reached |= following
    assert reached == set(OrderState)


def test_cancel_cancels_from_the_states_of_its_row_and_the_table_lets_it() -> None:
    assert set(CANCELLABLE) == set(states.CANCELLABLE)
    assert {state for state in OrderState if may_follow(state, OrderState.CANCELLED)} == CANCELLABLE | BEING_CANCELLED


def test_every_state_is_either_cancellable_or_being_cancelled_or_terminal() -> None:
    assert set(BEING_CANCELLED) == set(states.BEING_CANCELLED)
    assert set(TERMINAL) == set(states.FINISHED)
    assert set(OPEN) == set(states.OPEN)
    assert len(CANCELLABLE) + len(BEING_CANCELLED) + len(TERMINAL) == 16
    assert {"Filled", "Rejected", "Expired"} == FINISHED_OTHERWISE


def test_change_alters_what_cancel_would_cancel() -> None:
    assert set(CHANGEABLE) == set(states.CANCELLABLE)


@pytest.mark.parametrize(
    ("order_type", "prices"),
    [
        ("MARKET", set()),
        ("LIMIT", {"limit_price"}),
        ("STOPMARKET", {"stop_price"}),
        ("STOPLIMIT", {"limit_price", "stop_price"}),
    ],
)
def test_an_order_has_the_prices_of_its_type(order_type: str, prices: set[str]) -> None:
    assert {price for price, types in PRICES.items() if order_type in types} == prices


def test_every_price_is_of_types_that_there_are() -> None:
    assert set(PRICES) == {"limit_price", "stop_price"}
    assert {order_type for types in PRICES.values() for order_type in types} == {"LIMIT", "STOPMARKET", "STOPLIMIT"}


def test_a_history_is_as_long_as_is_written_down() -> None:
    assert (MAX_HISTORY, KEPT_HISTORY) == (200, 100)
    rows = [line for line in (ROOT / "docs/capacity.md").read_text().splitlines() if "history" in line]
    assert any(str(MAX_HISTORY) in row for row in rows)


def test_a_trade_has_room_for_a_cancel_of_its_entry_and_of_each_of_its_legs() -> None:
    assert CANCELS_OF_A_TRADE == 1 + 2 * MAX_BRACKETS


def test_the_times_of_resends_bars_and_releases_are_those_of_the_specification() -> None:
    assert timedelta(seconds=30) == RESENDS_END
    assert timedelta(seconds=3) == SAME_BAR
    assert timedelta(minutes=5) == RELEASED_WITHIN


def test_nobody_can_change_the_tables_at_run_time() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[OrderState.FILLED] = frozenset(OrderState)  # type: ignore[index]
    with pytest.raises(TypeError):
        PRICES["limit_price"] = ()  # type: ignore[index]


# Outcomes


@pytest.mark.parametrize(
    ("status", "duplicate", "expected"),
    [
        ("cancelled", None, False),
        ("already_cancelled", None, True),
        ("already_placed", None, True),
        ("changed", True, True),
        ("changed", False, False),
        ("cancel_pending", True, True),
        ("nothing_to_cancel", None, False),
    ],
)
def test_an_outcome_tells_whether_an_earlier_alert_had_done_it(
    status: str, duplicate: bool | None, *, expected: bool
) -> None:
    assert Outcome(status=status, duplicate=duplicate).is_duplicate is expected


def test_an_outcome_names_every_order_that_it_is_about() -> None:
    assert Outcome(status="cancelled").order_ids == ()
    assert Outcome(status="placed", order_id="a1", legs={"STOP1": "a2"}, affected_order_ids=("a3", "a4")).order_ids == (
        *("a1", "a2"),
        *("a3", "a4"),
    )


def test_an_outcome_about_an_order_tells_its_ids_its_name_and_its_state() -> None:
    named = placed(strategy_id="s1", order_name="ENTRY1")
    assert Outcome.of(named, "changed", filled="2", duplicate=True) == Outcome(
        status="changed",
        duplicate=True,
        order_id="a1",
        strategy_id="s1",
        order_name="ENTRY1",
        state=OrderState.WORKING,
        filled="2",
    )


def test_what_orders_outcomes_and_the_rest_do_not_have_is_absent() -> None:
    assert Outcome(status="placed") == Outcome(
        status="placed",
        duplicate=None,
        order_id=None,
        strategy_id=None,
        order_name=None,
        legs=None,
        previous_state=None,
        state=None,
        filled=None,
        cancelled_at=None,
        extra={},
        warnings=(),
        results=(),
        affected_order_ids=(),
    )
    assert Bracket(qty=1) == Bracket(qty=1, target=None, stop=None)
    strategy = Strategy(strategy_id="s1", account="Sim101", instrument="ES 12-26")
    assert (strategy.template, strategy.numbers, strategy.closed_at, strategy.version) == (None, {}, None, 1)
    assert Binding("a1", "2026-01-02T12:00:00.000000Z").before == ()
    leg = Leg("LIMIT")
    assert (leg.start, leg.size, leg.generation, leg.released, leg.end) == (0, None, 1, False, None)


def test_a_new_order_is_the_first_of_its_generations_and_of_its_versions_and_has_filled_nothing() -> None:
    made = placed()
    assert (made.generation, made.version, made.filled, made.history_dropped) == (1, 1, 0, 0)
    assert (made.legs, made.wanted, made.placed, made.digests) == ({}, {}, {}, ())
    assert {made.due, made.day_ends, made.cancels_at, made.report_seq, made.average} == {None}
    assert (made.acked, made.confirmed, made.unresolved, made.want, made.venue) == (0, {}, None, None, None)
    assert (Leg("LIMIT").acked, Leg("LIMIT").want, Want(1, "place", ENDS).not_after) == (0, None, None)


def test_an_order_is_named_by_the_request_that_placed_it() -> None:
    later = SIGNED._replace(request_id="r2").event(None)
    assert placed(history=(SIGNED.event(OrderState.WORKING), later)).placed_by == "r1"


@pytest.mark.parametrize(("qty", "shares"), [(0, [0, 0, 0]), (2, [0, 0, 2]), (3, [1, 1, 3]), (6, [4, 3, 6])])
def test_a_legs_share_is_what_the_brackets_before_it_leave_up_to_its_own(qty: int, shares: list[int]) -> None:
    legs = [Leg("LIMIT", start=2), Leg("LIMIT", start=2, size=3), Leg("LIMIT")]
    assert [leg.share(qty) for leg in legs] == shares


# What an order is at a time


def placed(**changes: Any) -> Order:
    return order(SIGNED, "a1", state=OrderState.WORKING, **changes)


ENDS = "2026-01-02T22:00:00.000000Z"


@pytest.mark.parametrize("state", states.STATES)
@pytest.mark.parametrize(
    ("now", "is_over"),
    [
        ("2026-01-02T21:59:59.999999Z", False),
        (ENDS, True),
        ("2026-01-02T22:00:00.000001Z", True),
        ("2027-01-02T00:00:00.000000Z", True),
    ],
)
def test_an_open_day_order_is_expired_from_the_end_of_its_day_on(state: str, now: str, *, is_over: bool) -> None:
    day = placed(day_ends=ENDS)._replace(state=OrderState(state))
    then = day.at(now)
    if is_over and state in states.OPEN:
        assert then == day._replace(state=OrderState.EXPIRED, since=ENDS)
        assert not then.is_open
    else:
        assert then is day
        assert then.is_open is (state in states.OPEN)


@pytest.mark.parametrize("state", states.STATES)
def test_an_order_without_an_end_of_its_day_is_what_its_item_says(state: str) -> None:
    lasting = placed()._replace(state=OrderState(state))
    assert lasting.at("9999-12-31T23:59:59.999999Z") is lasting


def test_what_is_filled_of_a_day_order_stays_when_its_day_is_over() -> None:
    day = placed(day_ends=ENDS)._replace(state=OrderState.PART_FILLED, filled=2)
    assert day.at(ENDS).filled == 2


# What waits for its delay

DUE, GIVEN_UP = "2026-01-02T12:00:05.000000Z", "2026-01-02T12:05:05.000000Z"


@pytest.mark.parametrize("state", states.STATES)
@pytest.mark.parametrize(("now", "is_over"), [("2026-01-02T12:05:04.999999Z", False), (GIVEN_UP, True)])
def test_what_is_not_released_in_time_is_cancelled_with_the_reason(state: str, now: str, *, is_over: bool) -> None:
    waiting = placed(due=DUE, day_ends=DUE)._replace(state=OrderState(state))
    assert end_of_wait(DUE) == GIVEN_UP
    if is_over and state in states.OPEN:
        assert waiting.at(now) == waiting._replace(
            state=OrderState.CANCELLED,
            since=GIVEN_UP,
            cancelled_at=GIVEN_UP,
            reason="it was not placed within 5 minutes of its delay",
            due=None,
        )
    else:
        assert waiting._replace(day_ends=None).at(now) == waiting._replace(day_ends=None)


@pytest.mark.parametrize("state", states.STATES)
def test_what_has_voided_a_wait_ends_it_where_it_goes_on(state: str) -> None:
    waiting = placed(due=DUE)._replace(state=OrderState(state))
    voided = waiting.void("the kill switch was on")
    if state in states.OPEN:
        assert voided == waiting._replace(state=OrderState.CANCELLED, reason="the kill switch was on", due=None)
    else:
        assert voided is waiting
    assert waiting.void(None) is waiting
    released = waiting._replace(due=None)
    assert released.void("the kill switch was on") is released


# Traces


def test_a_request_is_found_in_the_history_by_its_id() -> None:
    first, second = SIGNED.event(OrderState.WORKING), SIGNED._replace(request_id="r2").event(None, {"qty": "2"})
    changed = placed(history=(first, second))
    assert changed.event_of("r2") is second
    assert changed.event_of("r1") is first
    assert changed.event_of("r3") is None


def test_the_traces_of_alerts_stand_in_the_history_oldest_first() -> None:
    events = [
        SIGNED._replace(request_id=request_id, alert_digest=digest, received=NOON + timedelta(seconds=number)).event(
            None
        )
        for number, (request_id, digest) in enumerate([("r1", "d1"), ("r2", "d2"), ("r3", "d1"), ("r4", "d3")])
    ]
    traced = placed(history=tuple(events))
    assert traced.traces == [
        Trace(digest, request_id, f"2026-01-02T12:00:0{number}.000005Z")
        for number, (request_id, digest) in enumerate([("r1", "d1"), ("r2", "d2"), ("r3", "d1"), ("r4", "d3")])
    ]


def test_an_entry_that_does_not_say_when_its_alert_was_received_is_no_trace() -> None:
    event = Event(OrderState.WORKING, ENDS, "r1", "k1", digest="d1")
    older = Event(OrderState.WORKING, ENDS, "r0", "k1", digest="d1", received_at=ENDS)
    assert placed(history=(older, event)).traces == [Trace("d1", "r0", ENDS)]


# Numbers and times


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("5000", "5000"),
        ("5000.0", "5000"),
        ("5000.250", "5000.25"),
        ("0.25", "0.25"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("1E-8", "0.00000001"),
        ("0.00", "0"),
        ("0", "0"),
        ("-2.50", "-2.5"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
    ],
)
def test_a_number_is_rendered_without_exponent_and_trailing_zeros(number: str, text: str) -> None:
    assert decimal_text(Decimal(number)) == text


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12))
def test_a_rendered_number_is_the_same_number_and_equal_numbers_look_alike(number: Decimal) -> None:
    text = decimal_text(number)
    assert Decimal(text) == number
    assert decimal_text(number + Decimal("0.0000000000")) == text or number == 0


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOON, "2026-01-02T12:00:00.000005Z"),
        (NOON.replace(microsecond=0), "2026-01-02T12:00:00.000000Z"),
        (NOON.astimezone(timezone(timedelta(hours=14))), "2026-01-02T12:00:00.000005Z"),
        (NOON.astimezone(timezone(-timedelta(hours=5, minutes=30))), "2026-01-02T12:00:00.000005Z"),
    ],
)
def test_a_time_is_rendered_in_utc_with_a_fixed_width(at: datetime, text: str) -> None:
    assert timestamp(at) == text


aware_times = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001  hypothesis adds the zone itself
    max_value=datetime(9999, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)


@settings(deadline=None)
@given(aware_times, aware_times)
def test_rendered_times_sort_as_the_times_do(first: datetime, second: datetime) -> None:
    assert (timestamp(first) < timestamp(second)) is (first < second)
    assert len(timestamp(first)) == len(timestamp(second)) == 27


def test_a_time_is_rendered_in_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with monkeypatch.context() as there:
            there.setenv("TZ", "Asia/Tokyo")
            time.tzset()
            assert timestamp(NOON) == "2026-01-02T12:00:00.000005Z"
    finally:
        time.tzset()


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the time has no zone$"):
        timestamp(NOON.replace(tzinfo=None))


def test_provenance_signs_the_history_of_an_order() -> None:
    assert SIGNED.event(OrderState.WORKING) == Event(
        state=OrderState.WORKING,
        at="2026-01-02T12:00:00.000005Z",
        request_id="r1",
        key_id="k1",
        changes={},
        leg=None,
        digest="r1",
        received_at="2026-01-02T12:00:00.000005Z",
    )


def test_a_key_without_limits_reaches_every_market_and_one_with_limits_only_its_own() -> None:
    assert SIGNED.reaches("Sim101", "ES 12-26")
    limited = SIGNED._replace(limits=Limits(accounts=("Sim101",), instruments=("ES 12-26",)))
    assert limited.reaches("sim101", "ES 12-26")
    assert not limited.reaches("Sim102", "ES 12-26")
    assert not limited.reaches("Sim101", "NQ 12-26")


def test_an_alert_leaves_its_digest_its_request_and_its_receipt() -> None:
    signed = SIGNED._replace(alert_digest="d1", received=NOON - timedelta(seconds=1))
    assert signed.trace == Trace("d1", "r1", "2026-01-02T11:59:59.000005Z")
    assert SIGNED.trace == Trace("r1", "r1", "2026-01-02T12:00:00.000005Z")


def test_provenance_signs_with_the_alert_and_its_receipt_where_an_alert_asks() -> None:
    signed = SIGNED._replace(alert_digest="d1", received=NOON - timedelta(seconds=1))
    assert (signed.digest, signed.now) == ("d1", "2026-01-02T12:00:00.000005Z")
    event = signed.event(None, {"qty": "2"}, leg="STOP1")
    assert (event.state, event.changes, event.leg) == (None, {"qty": "2"}, "STOP1")
    assert (event.digest, event.at, event.received_at) == (
        "d1",
        "2026-01-02T12:00:00.000005Z",
        "2026-01-02T11:59:59.000005Z",
    )


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("Sim101", "sim101"),
        ("sim101", "sim101"),
        ("ES 12-26", "es 12-26"),
        ("ES  12-26", "es 12-26"),
        ("es    12-26", "es 12-26"),
        ("A  B   C", "a b c"),
        ("", ""),
    ],
)
def test_names_are_compared_without_case_and_with_runs_of_blanks_as_one(text: str, compared: str) -> None:
    assert folded(text) == compared
    assert folded(folded(text)) == compared
