import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderhook.orders import (
    BEING_CANCELLED,
    CANCELLABLE,
    CHANGEABLE,
    MAX_HISTORY,
    OPEN,
    PRICES,
    TERMINAL,
    TRANSITIONS,
    Bracket,
    Event,
    OrderState,
    Outcome,
    Provenance,
    Strategy,
    StrategyState,
    decimal_text,
    next_number,
    sources,
    timestamp,
)
from tests import states
from tests.states import STATES, USUAL_WAYS, may_follow

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("state", sorted(OrderState))
def test_the_sources_of_a_state_are_the_rows_in_which_it_stands(state: OrderState) -> None:
    assert sources(state) == {before for before in OrderState if may_follow(before, state)}


def test_cancel_cancels_from_the_states_of_its_row_and_the_table_lets_it() -> None:
    assert set(CANCELLABLE) == set(states.CANCELLABLE)
    assert sources(OrderState.CANCELLED) == CANCELLABLE | BEING_CANCELLED


def test_every_state_is_either_cancellable_or_being_cancelled_or_terminal() -> None:
    assert set(BEING_CANCELLED) == set(states.BEING_CANCELLED)
    assert set(TERMINAL) == set(states.FINISHED)
    assert set(OPEN) == set(states.OPEN)
    assert len(CANCELLABLE) + len(BEING_CANCELLED) + len(TERMINAL) == 16


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


def test_no_price_is_of_a_type_that_is_none() -> None:
    assert set(PRICES) == {"limit_price", "stop_price"}
    assert {order_type for types in PRICES.values() for order_type in types} == {"LIMIT", "STOPMARKET", "STOPLIMIT"}


def test_a_history_has_the_room_that_is_written_down() -> None:
    assert f"has room for {MAX_HISTORY} |" in (ROOT / "docs/capacity.md").read_text()


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
        affected_order_ids=(),
    )
    assert Bracket(qty=1) == Bracket(qty=1, target=None, stop=None)
    strategy = Strategy(strategy_id="s1", account="Sim101", instrument="ES 12-26", state=StrategyState.ACTIVE)
    assert (strategy.template, strategy.names) == (None, {})


# Names, numbers, times


@pytest.mark.parametrize(
    ("kind", "names", "number"),
    [
        ("ENTRY", [], 1),
        ("ENTRY", ["STOP1", "TARGET1"], 1),
        ("ENTRY", ["ENTRY1"], 2),
        ("ENTRY", ["ENTRY1", "ENTRY3"], 4),
        ("TARGET", ["TARGET9", "TARGET10", "TARGET2"], 11),
        ("STOP", ["SIMSTOP7", "STOP2"], 3),
    ],
)
def test_the_next_number_of_a_name_is_one_more_than_the_highest(kind: str, names: list[str], number: int) -> None:
    assert next_number(kind, names) == number


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


NOON = datetime(2026, 1, 2, 12, 0, 0, 5, tzinfo=UTC)


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
    with pytest.raises(ValueError, match=r"^a time without a zone could be any time$"):
        timestamp(NOON.replace(tzinfo=None))


def test_a_stamp_signs_the_history_of_an_order() -> None:
    provenance = Provenance(trader="ada", key_id="k1", request_id="r1", at=NOON)
    assert provenance.event(OrderState.WORKING) == Event(
        state=OrderState.WORKING, at="2026-01-02T12:00:00.000005Z", request_id="r1", key_id="k1"
    )


def test_a_stamp_signs_the_values_that_an_order_takes() -> None:
    provenance = Provenance(trader="ada", key_id="k1", request_id="r1", at=NOON)
    assert provenance.event(OrderState.WORKING).changes == {}
    assert provenance.event(OrderState.WORKING, {"qty": "2"}).changes == {"qty": "2"}
