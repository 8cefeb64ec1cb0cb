"""A trade: ids, shares, sides of prices, ends of legs, and what CHANGE and CANCELREPLACE make of all that.

The prices are checked against every combination of a few, by a rule written down here a second time.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhook import altering
from orderhook.altering import Replacement
from orderhook.errors import AlertWarning, InvalidValueError, UnsupportedValueError
from orderhook.leg_prices import (
    check_prices,
    crosses,
    is_apart,
    is_ended,
    must_be_above,
    opposite_legs,
    price_field,
    prices_from_offsets,
    with_bounds,
    without_price,
)
from orderhook.orders import (
    CANCELS_OF_A_TRADE,
    KEPT_HISTORY,
    MAX_HISTORY,
    Bracket,
    Event,
    Leg,
    LegEnd,
    Order,
    OrderState,
    Want,
)
from orderhook.provenance import Provenance
from orderhook.trade import (
    MAX_BRACKETS,
    LegTerms,
    bracket_legs,
    entry_and_leg,
    kept_digests,
    kind_of,
    leg_id,
    oco_group,
    open_legs,
    own_legs,
    partner_of,
    trimmed,
    types_of,
    unprotected,
    view_of_leg,
    waiting_legs,
)
from tests import builders
from tests.states import FINISHED, OPEN

PLACED_AT = "2026-01-02T12:00:00.000000Z"
ENDED_AT = "2026-01-02T13:00:00.000000Z"
SIGNED = Provenance("ada", "k1", "r1", datetime(2026, 1, 2, 12, tzinfo=UTC))
ENDED_BY_ITSELF = LegEnd(OrderState.CANCELLED, ENDED_AT, "r9", "k9")

TARGET = Leg("LIMIT", limit_price=Decimal(5010), oco_id="g.1")
STOP = Leg("STOPMARKET", stop_price=Decimal(4990), oco_id="g.1")
LEGS: Mapping[str, Leg] = {"TARGET1": TARGET, "STOP1": STOP}


def told(*values: object) -> list[str]:
    """Return values as text, to be compared with numbers of any type."""
    return [str(value) for value in values]


def price(number: float | str | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))


def entry(**changes: Any) -> Order:
    """Return a BUY of five at 5000 that works as ENTRY1 of s1, with a target at 5010 and a stop at 4990."""
    fields: dict[str, Any] = {
        "state": OrderState.WORKING,
        "limit_price": Decimal(5000),
        "strategy_id": "s1",
        "order_name": "ENTRY1",
        "number": 1,
        "legs": LEGS,
        "received_at": PLACED_AT,
        "history": (SIGNED.event(OrderState.WORKING),),
    }
    return with_bounds(builders.order(SIGNED, "a1", **{**fields, **changes}))


def template_entry(qty: int, *brackets: tuple[int, int | None, int | None], **changes: Any) -> Order:
    legs = bracket_legs(1, builders.template("t", *brackets).brackets, "g")
    return entry(qty=qty, legs=legs, template="t", **changes)


def released_leg(name: str = "STOP1", **changes: Any) -> Order:
    """Return a leg of five that lies in an item of its own."""
    leg = view_of_leg(entry(), name, LEGS[name])
    return leg._replace(**{"state": OrderState.WORKING, "closes": 5, **changes})


def replacement(**changes: Any) -> Replacement:
    """Return what CANCELREPLACE asks for: the entry as it is, but for these changes."""
    fields: dict[str, Any] = {
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "BUY",
        "qty": 5,
        "order_type": "LIMIT",
        "tif": "GTC",
        "limit_price": Decimal(5000),
        "stop_price": None,
        "legs": [],
        "oco_id": None,
        "cancels_at": None,
        "day_ends": None,
        "notes": None,
    }
    return Replacement(**{**fields, **changes})


def of_stop(stop_price: float | None = 4995, **changes: Any) -> Replacement:
    """Return a replacement of the entry's stop."""
    fields = {"action": "SELL", "order_type": "STOPMARKET", "limit_price": None, "stop_price": price(stop_price)}
    return replacement(**{**fields, **changes})


def of_target(limit_price: float | None = 5020, **changes: Any) -> Replacement:
    """Return a replacement of the entry's target."""
    return replacement(**{"action": "SELL", "limit_price": price(limit_price), **changes})


def terms(kind: str, number: float, limit: float | None = None) -> LegTerms:
    if kind == "TARGET":
        return LegTerms("TARGET", "LIMIT", limit_price=price(number))
    if limit is None:
        return LegTerms("STOP", "STOPMARKET", stop_price=price(number))
    return LegTerms("STOP", "STOPLIMIT", stop_price=price(number), limit_price=price(limit))


def unchanged_but(before: Order, after: Order) -> dict[str, object]:
    """Return the fields in which two pictures of an order differ, as the second has them."""
    return {name: value for name, value in after._asdict().items() if value != getattr(before, name)}


# What CHANGE and CANCELREPLACE make of an order that is looked at: it is worked out, then judged


def changed(order: Order, new: Mapping[str, Any]) -> tuple[Order, list[AlertWarning]]:
    after, warnings = altering.changed(order, new)
    altering.check_changed(order, new, after)
    return after, warnings


def changed_leg(order: Order, name: str, new: Mapping[str, Any]) -> Order:
    after = altering.changed_leg(order, name, new)
    altering.check_changed_leg(name, new, after)
    return after


def replaced(order: Order, new: Replacement) -> tuple[Order, list[AlertWarning]]:
    after, warnings = altering.replaced(order, new)
    altering.check_replaced(order, new, after)
    return after, warnings


def replaced_leg(order: Order, name: str, new: Replacement) -> Order:
    after = altering.replaced_leg(order, name, new)
    altering.check_replaced_leg(order, name, new, after)
    return after


# Ids and names


@pytest.mark.parametrize(
    ("order_id", "parts"),
    [
        ("a.STOP1", ("a", "STOP1")),
        ("a.TARGET1", ("a", "TARGET1")),
        ("long.sim101.STOP12", ("long.sim101", "STOP12")),
        ("a.STOP1.TARGET2", ("a.STOP1", "TARGET2")),
        ("Long Entry.STOP1", ("Long Entry", "STOP1")),
        ("a..STOP1", ("a.", "STOP1")),
        ("STOP1", None),
        (".STOP1", None),
        ("a.STOP", None),
        ("a.STOP0", None),
        ("a.STOP01", None),
        ("a.stop1", None),
        ("a.STOP1 ", None),
        ("a.STOP1.", None),
        ("a.ENTRY1", None),
        ("a.EXIT1", None),
        ("a.SIMSTOP1", None),
        ("aSTOP1", None),
        ("", None),
    ],
)
def test_the_id_of_a_leg_is_its_entrys_and_its_name(order_id: str, parts: tuple[str, str] | None) -> None:
    assert entry_and_leg(order_id) == parts


@given(st.from_regex(r"[ -~]{1,64}", fullmatch=True), st.sampled_from(["TARGET", "STOP"]), st.integers(1, 10**6))
def test_every_leg_is_found_by_its_id(entry_id: str, kind: str, number: int) -> None:
    name = f"{kind}{number}"
    assert entry_and_leg(leg_id(entry_id, name)) == (entry_id, name)
    assert kind_of(name) == kind


# Legs as they are asked for


def test_a_template_gives_each_bracket_a_number_a_group_and_its_part_of_the_quantity() -> None:
    brackets = (
        Bracket(2, Decimal(10), Decimal(5)),
        Bracket(1, target=Decimal(20)),
        Bracket(4),
        Bracket(3, stop=Decimal("2.5")),
    )
    assert bracket_legs(3, brackets, "g") == {
        "TARGET3": Leg("LIMIT", offset=Decimal(10), start=0, size=2, oco_id="g.3"),
        "STOP3": Leg("STOPMARKET", offset=Decimal(5), start=0, size=2, oco_id="g.3"),
        "TARGET4": Leg("LIMIT", offset=Decimal(20), start=2, size=1),
        "STOP6": Leg("STOPMARKET", offset=Decimal("2.5"), start=7, size=3),
    }
    assert bracket_legs(1, (), "g") == {}


def test_an_alerts_own_legs_are_one_group_if_there_are_two() -> None:
    both = own_legs(2, [terms("TARGET", 5010), terms("STOP", 4990, 4989)], "g")
    assert both == {
        "TARGET2": Leg("LIMIT", limit_price=Decimal(5010), oco_id="g.2"),
        "STOP2": Leg("STOPLIMIT", stop_price=Decimal(4990), limit_price=Decimal(4989), oco_id="g.2"),
    }
    assert own_legs(1, [terms("STOP", 4990)], "g") == {"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))}
    assert own_legs(1, [], "g") == {}


def test_an_alerts_own_leg_keeps_its_offset_and_the_receipt_that_adds_it() -> None:
    added = LegTerms("STOP", "STOPMARKET", offset=Decimal(5), received_at=ENDED_AT)
    assert own_legs(1, [added], "g") == {"STOP1": Leg("STOPMARKET", offset=Decimal(5), received_at=ENDED_AT)}


def test_a_trade_has_at_most_the_brackets_of_the_specification() -> None:
    assert MAX_BRACKETS == 20


# Shares


@pytest.mark.parametrize(
    ("qty", "shares"),
    [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [2, 0, 0]), (3, [2, 1, 0]), (5, [2, 3, 0]), (6, [2, 3, 1]), (9, [2, 3, 1])],
)
def test_brackets_take_the_quantity_in_their_order_each_up_to_its_own(qty: int, shares: list[int]) -> None:
    legs = bracket_legs(1, builders.template("t", (2, 1, 1), (3, 1, 1), (1, 1, 1)).brackets, "g")
    assert [legs[f"STOP{number}"].share(qty) for number in (1, 2, 3)] == shares
    assert [legs[f"TARGET{number}"].share(qty) for number in (1, 2, 3)] == shares


@pytest.mark.parametrize("qty", [0, 1, 5, 1_000_000])
def test_an_alerts_own_leg_closes_all_of_the_entry(qty: int) -> None:
    assert STOP.share(qty) == TARGET.share(qty) == qty


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(0, 200))
def test_no_contract_has_two_stops_and_none_is_left_out_that_a_bracket_reaches(sizes: list[int], qty: int) -> None:
    legs = bracket_legs(1, [Bracket(size, stop=Decimal(1)) for size in sizes], "g")
    shares = [leg.share(qty) for leg in legs.values()]
    assert sum(shares) == min(qty, sum(sizes))
    assert all(0 <= share <= size for share, size in zip(shares, sizes, strict=True))
    # A bracket gets something only where the one before it is full.
    assert all(before == size or not after for size, (before, after) in zip(sizes, pairwise(shares), strict=False))
    # More of the entry never takes anything away from a leg.
    assert all(leg.share(qty) <= leg.share(qty + 1) for leg in legs.values())
    assert unprotected(entry(qty=max(qty, 1), legs=legs)) == max(0, max(qty, 1) - sum(sizes))


def test_what_exceeds_a_templates_brackets_is_unprotected_and_an_alerts_own_legs_leave_nothing() -> None:
    assert unprotected(template_entry(5, (2, 10, 5), (1, 20, 5))) == 2
    assert unprotected(template_entry(3, (2, 10, 5), (1, 20, 5))) == 0
    assert unprotected(template_entry(1, (2, 10, 5))) == 0
    assert unprotected(entry()) == 0
    assert unprotected(entry(legs={})) == 0


# Legs as orders


@pytest.mark.parametrize(("action", "opposite"), [("BUY", "SELL"), ("SELL", "BUY")])
def test_a_waiting_leg_is_listed_like_an_order_and_all_that_it_shares_follows_from_its_entry(
    action: str, opposite: str
) -> None:
    other = Event(None, ENDED_AT, "r2", "k2", {"limit_price": "5011"}, leg="TARGET1")
    own = Event(None, ENDED_AT, "r3", "k2", {"stop_price": "4991"}, leg="STOP1")
    waiting = entry(action=action, notes="a remark", oco_id="x", digests=("d1",), qty=4, tif="DAY")
    waiting = waiting._replace(history=(*waiting.history, other, own))
    stop = STOP._replace(generation=3)
    assert view_of_leg(waiting, "STOP1", stop) == Order(
        order_id="a1.STOP1",
        account="Sim101",
        instrument="ES 12-26",
        action=opposite,  # type: ignore[arg-type]
        qty=4,
        order_type="STOPMARKET",
        tif="GTC",
        state=OrderState.INITIALIZED,
        since=PLACED_AT,
        stop_price=Decimal(4990),
        oco_id="g.1",
        strategy_id="s1",
        order_name="STOP1",
        entry_id="a1",
        generation=3,
        received_at=PLACED_AT,
        notes="a remark",
        history=(*entry().history, own),
        digests=("d1",),
    )


def test_a_waiting_leg_shows_the_prices_that_it_has() -> None:
    stop = Leg("STOPLIMIT", limit_price=Decimal(4989), stop_price=Decimal(4990))
    view = view_of_leg(entry(), "STOP1", stop)
    assert (view.order_type, *told(view.limit_price, view.stop_price)) == ("STOPLIMIT", "4989", "4990")


@pytest.mark.parametrize("state", OPEN)
def test_a_leg_waits_while_its_entry_is_open(state: str) -> None:
    view = view_of_leg(entry(state=OrderState(state), filled=2), "STOP1", STOP)
    assert (view.state, view.since, view.reason, view.cancelled_at) == ("Initialized", PLACED_AT, None, None)


@pytest.mark.parametrize("state", FINISHED)
@pytest.mark.parametrize(("filled", "reason"), [(0, "entry ended unfilled"), (2, "entry ended")])
def test_a_leg_that_waits_is_cancelled_at_its_entrys_end(state: str, filled: int, reason: str) -> None:
    ended = entry(state=OrderState(state), since=ENDED_AT, filled=filled)
    view = view_of_leg(ended, "STOP1", STOP)
    assert (view.state, view.since, view.reason) == ("Cancelled", ENDED_AT, reason)
    assert (view.cancelled_at, view.cancel_request_id, view.cancel_key_id) == (ENDED_AT, None, None)


@pytest.mark.parametrize("state", ["Working", "Cancelled", "Filled"])
def test_a_leg_that_was_ended_by_itself_keeps_that_end(state: str) -> None:
    view = view_of_leg(entry(state=OrderState(state)), "STOP1", STOP._replace(end=ENDED_BY_ITSELF))
    assert (view.state, view.since, view.reason) == ("Cancelled", ENDED_AT, None)
    assert (view.cancelled_at, view.cancel_request_id, view.cancel_key_id) == (ENDED_AT, "r9", "k9")


def test_a_leg_of_a_template_shows_its_offset_and_what_is_its_of_the_quantity() -> None:
    placed = template_entry(3, (2, 10, 5), (4, 20, 5))
    views = [view_of_leg(placed, name, leg) for name, leg in placed.legs.items()]
    assert [f"{view.order_name} {view.qty} {view.offset}" for view in views] == [
        "TARGET1 2 10",
        "STOP1 2 5",
        "TARGET2 1 20",
        "STOP2 1 5",
    ]


def test_legs_that_were_released_or_that_the_quantity_does_not_reach_do_not_wait() -> None:
    placed = template_entry(3, (2, 10, 5), (1, 20, None), (5, 30, None))
    assert [leg.order_id for leg in waiting_legs(placed)] == ["a1.TARGET1", "a1.STOP1", "a1.TARGET2"]
    released = placed._replace(legs={**placed.legs, "STOP1": placed.legs["STOP1"]._replace(released=True)})
    assert [leg.order_name for leg in waiting_legs(released)] == ["TARGET1", "TARGET2"]
    assert waiting_legs(entry(legs={})) == []


def test_the_legs_that_are_open_are_told_by_name_with_their_ids() -> None:
    ended = {**LEGS, "STOP1": STOP._replace(end=ENDED_BY_ITSELF)}
    assert open_legs(entry()) == {"TARGET1": "a1.TARGET1", "STOP1": "a1.STOP1"}
    assert open_legs(entry(legs=ended)) == {"TARGET1": "a1.TARGET1"}
    assert [leg.state for leg in waiting_legs(entry(legs=ended))] == ["Initialized", "Cancelled"]
    assert open_legs(entry(state=OrderState.CANCELLED)) == {}


# What is asked of a venue for a leg that waits


@pytest.mark.parametrize(
    ("kind", "acked", "state"),
    [
        ("place", 1, "Initialized"),
        ("change", 1, "ChangePending"),
        ("change", 2, "Initialized"),
        ("change", 3, "Initialized"),
        ("replace", 1, "ChangePending"),
        ("cancel", 1, "CancelPending"),
        ("cancel", 2, "Initialized"),
    ],
)
def test_a_waiting_leg_is_in_the_state_of_what_its_venue_has_not_answered(kind: Any, acked: int, state: str) -> None:
    want = Want(2, kind, PLACED_AT)
    view = view_of_leg(entry(venue="ninjatrader"), "STOP1", STOP._replace(want=want, acked=acked))
    assert (view.state, view.since, view.cancelled_at) == (state, PLACED_AT, None)
    assert (view.venue, view.want, view.acked) == ("ninjatrader", want, acked)


@pytest.mark.parametrize(
    ("added_at", "delay"),
    [(None, 5), ("2026-01-02T12:00:03.000000Z", 5), ("2026-01-02T12:00:03.000001Z", None)],
)
def test_a_leg_that_was_added_after_its_entrys_bar_has_nothing_of_the_delay(
    added_at: str | None, delay: int | None
) -> None:
    leg = STOP._replace(received_at=added_at)
    view = view_of_leg(entry(delay=5), "STOP1", leg)
    assert (view.received_at, view.delay) == (added_at or PLACED_AT, delay)
    assert view_of_leg(entry(delay=5, received_at=None), "STOP1", leg).delay == 5


def test_a_quantity_not_above_what_is_filled_ends_nothing_that_a_venue_has() -> None:
    before = entry(filled=3, state=OrderState.PART_FILLED, venue="ninjatrader")
    for qty, codes in ((3, []), (2, ["filled_more"])):
        after, warnings = changed(before, {"qty": qty})
        assert unchanged_but(before, after) == {"qty": 3}
        assert [warning.code for warning in warnings] == codes


def test_a_replacement_has_a_day_of_its_own_unless_a_venue_or_a_delay_ends_it() -> None:
    new = replacement(tif="DAY", day_ends=ENDED_AT)
    assert replaced(entry(tif="DAY"), new)[0].day_ends == ENDED_AT
    for elsewhere in (entry(tif="DAY", venue="ninjatrader"), entry(tif="DAY", due=ENDED_AT)):
        assert replaced(elsewhere, new)[0].day_ends is None


# A released leg that lacks its price


def test_a_leg_that_lacked_its_price_alone_works_once_it_has_it() -> None:
    lacking: dict[str, Any] = {"state": OrderState.INITIALIZED, "stop_price": None, "offset": Decimal(10)}
    leg = released_leg(**lacking)
    assert changed(leg, {"stop_price": Decimal(4980)})[0].state == "Working"
    assert replaced(leg, of_stop(4980))[0].state == "Working"
    assert changed(leg, {"qty": 4})[0].state == "Initialized"
    target = released_leg("TARGET1", **{**lacking, "limit_price": None})
    assert changed(target, {"limit_price": Decimal(5020)})[0].state == "Working"


def test_no_other_order_begins_to_work_by_a_price() -> None:
    prices = {"order_type": "STOPMARKET", "limit_price": None, "stop_price": Decimal(5000)}
    for waiting in (
        entry(state=OrderState.INITIALIZED, legs={}, **prices),
        released_leg(state=OrderState.INITIALIZED, venue="ninjatrader"),
        released_leg(state=OrderState.SUBMITTED),
    ):
        assert changed(waiting, {"stop_price": Decimal(4985)})[0].state == waiting.state


# Offsets


@pytest.mark.parametrize(
    ("action", "name", "price_there"),
    [("BUY", "TARGET1", 5010), ("BUY", "STOP1", 4990), ("SELL", "TARGET1", 4990), ("SELL", "STOP1", 5010)],
)
def test_an_offset_counts_from_what_was_paid_else_from_what_was_asked_for(
    action: str, name: str, price_there: int
) -> None:
    leg = Leg("LIMIT", offset=Decimal(10))
    asked = entry(action=action, limit_price=Decimal(5000), stop_price=Decimal(6000))
    field = price_field(name)
    assert prices_from_offsets(asked, name, leg) == {field: price_there}
    assert prices_from_offsets(asked._replace(average=Decimal(5100)), name, leg) == {field: price_there + 100}
    assert prices_from_offsets(asked._replace(limit_price=None), name, leg) == {field: price_there + 1000}
    assert prices_from_offsets(asked._replace(limit_price=None, stop_price=None), name, leg) == {}
    assert prices_from_offsets(asked, name, leg._replace(offset=None)) == {}
    assert must_be_above(asked, name) is (price_there == 5010)


def test_offsets_that_lead_to_no_price_above_0_are_told_with_the_names_of_their_legs() -> None:
    def warned(limit_price: int | None) -> AlertWarning | None:
        placed = template_entry(5, (2, 10, 5), (3, 20, 8), limit_price=price(limit_price))
        return without_price(placed, placed.legs)

    assert warned(9) is None
    assert warned(None) is None
    for limit_price, names in ((8, "STOP2"), (5, "STOP1, STOP2")):
        warning = warned(limit_price)
        assert warning is not None
        assert warning == AlertWarning(
            "leg_without_price",
            "strategy",
            f"The template puts {names} at or below 0: without a price it does not work when the entry fills. "
            "Give it one by CHANGE, or correct the template.",
        )


# A leg beside those of the other kind


def test_a_leg_stands_on_its_side_of_those_of_the_other_kind() -> None:
    numbers = [Decimal(number) for number in (1, 2, 3)]
    for action, name in product(("BUY", "SELL"), ("TARGET1", "STOP1")):
        trade_of = entry(action=action, legs={})
        above = (action == "BUY") == (name == "TARGET1")
        apart = [number for number in numbers if is_apart(trade_of, name, number, Decimal(2))]
        assert apart == [Decimal(3 if above else 1)]
        assert is_apart(trade_of, name, Decimal(2), None)


def test_the_refusal_of_a_price_beyond_another_leg_names_both_legs_and_the_side() -> None:
    refusals = [
        crosses(entry(), "TARGET1", Decimal("4980.50"), "STOP1"),
        crosses(entry(), "STOP1", Decimal(5), "TARGET1"),
    ]
    assert [(refusal.detail, refusal.field) for refusal in refusals] == [
        ("The price 4980.5 of TARGET1 must be above that of STOP1 of order a1; correct limit_price.", "limit_price"),
        ("The price 5 of STOP1 must be below that of TARGET1 of order a1; correct stop_price.", "stop_price"),
    ]


def test_the_legs_of_the_other_kind_are_those_that_were_not_ended() -> None:
    ended = STOP._replace(end=ENDED_BY_ITSELF)
    released = STOP._replace(released=True)
    legs = {"TARGET1": TARGET, "STOP1": STOP, "STOP2": ended, "STOP3": released}
    assert opposite_legs(entry(legs=legs), "TARGET2") == {"STOP1": STOP, "STOP3": released}
    assert opposite_legs(entry(legs=legs), "STOP1") == {"TARGET1": TARGET}
    assert [is_ended(leg) for leg in (STOP, ended, released, released_leg(state=OrderState.CANCELLED))] == [
        False,
        True,
        False,
        False,
    ]


def test_a_leg_has_a_partner_of_its_number_and_the_types_of_its_kind() -> None:
    assert (partner_of("TARGET12"), partner_of("STOP1")) == ("STOP12", "TARGET1")
    assert types_of("TARGET") == ("LIMIT",)
    assert types_of("STOP") == ("STOPMARKET", "STOPLIMIT")


def test_the_group_of_a_trade_is_its_placings_and_its_numbers() -> None:
    assert [oco_group(entry(number=number)) for number in (None, 1, 2)] == ["r1.OCO1", "r1.OCO1", "r1.OCO2"]


# What a template's brackets protect once a leg was ended


@pytest.mark.parametrize(
    ("ended", "rest"),
    [
        ([], 1),
        (["TARGET1"], 1),
        (["STOP1"], 3),
        (["TARGET1", "STOP1"], 3),
        (["STOP2"], 4),
        (["STOP1", "STOP2"], 6),
        (["TARGET3"], 2),
    ],
    ids=str,
)
def test_a_bracket_whose_stop_was_ended_protects_nothing(ended: list[str], rest: int) -> None:
    placed = template_entry(7, (2, 10, 5), (3, 20, 8), (1, 30, None))
    legs = {name: leg._replace(end=ENDED_BY_ITSELF) if name in ended else leg for name, leg in placed.legs.items()}
    assert unprotected(placed._replace(legs=legs)) == rest


def test_a_stop_of_the_alerts_own_protects_all_beside_brackets_until_it_is_ended() -> None:
    placed = template_entry(7, (2, 10, 5))
    assert unprotected(placed._replace(legs={**placed.legs, "STOP9": STOP})) == 0
    assert unprotected(placed._replace(legs={**placed.legs, "STOP9": STOP._replace(end=ENDED_BY_ITSELF)})) == 5
    assert unprotected(placed._replace(legs={**placed.legs, "TARGET9": TARGET})) == 5


# Prices on their sides


def stands_in_order(action: str, filled: int, own: list[int], stops: list[int], targets: list[int]) -> bool:
    """Say by the rule whether these prices may stand together: stop < entry < target for a BUY."""
    sign = 1 if action == "BUY" else -1
    between = [] if filled else own
    chain = [*product(stops, between), *product(between, targets), *product(stops, targets)]
    return all(sign * lower < sign * upper for lower, upper in chain)


_NONE_OR = (None, 1, 2, 3)


@pytest.mark.parametrize("filled", [0, 2])
@pytest.mark.parametrize("action", ["BUY", "SELL"])
def test_every_combination_of_prices_is_judged_by_the_rule(action: str, filled: int) -> None:
    judged = set()
    for limit, stop_price, stop, target, other_target in product(_NONE_OR, repeat=5):
        legs = {
            "STOP1": stop and Leg("STOPMARKET", stop_price=Decimal(stop)),
            "TARGET1": target and Leg("LIMIT", limit_price=Decimal(target)),
            "TARGET2": other_target and Leg("LIMIT", limit_price=Decimal(other_target)),
        }
        present = {name: leg for name, leg in legs.items() if leg}
        prices = {"limit_price": price(limit), "stop_price": price(stop_price)}
        order = builders.order(SIGNED, "a1", action=action, filled=filled, legs=present, **prices)
        own = [number for number in (limit, stop_price) if number]
        targets = [number for number in (target, other_target) if number]
        good = stands_in_order(action, filled, own, [stop] if stop else [], targets)
        judged.add(good)
        for arranged in (order, order._replace(legs={}, wanted=present)):
            if good:
                check_prices(arranged)
            else:
                with pytest.raises(InvalidValueError):
                    check_prices(arranged)
    assert judged == {True, False}


@pytest.mark.parametrize("filled", [0, 2])
@pytest.mark.parametrize(
    ("action", "limit", "stop", "is_good"),
    [
        ("BUY", 4990, 4990, True),
        ("BUY", 4989, 4990, True),
        ("BUY", 4991, 4990, False),
        ("SELL", 5010, 5010, True),
        ("SELL", 5011, 5010, True),
        ("SELL", 5009, 5010, False),
    ],
)
def test_the_limit_of_a_stop_lies_on_its_losing_side(
    action: str, limit: int, stop: int, filled: int, *, is_good: bool
) -> None:
    legs = {"STOP1": Leg("STOPLIMIT", limit_price=Decimal(limit), stop_price=Decimal(stop))}
    order = builders.order(SIGNED, "a1", action=action, filled=filled, legs=legs, limit_price=Decimal(5000))
    if is_good:
        check_prices(order)
        return
    side = "above" if action == "BUY" else "below"
    detail = f"The limit {limit} of the stop must not be {side} its stop price {stop}; correct stop_loss_limit."
    with pytest.raises(InvalidValueError) as refusal:
        check_prices(order)
    assert refusal.value.detail == detail
    assert refusal.value.field == "stop_loss_limit"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        (
            {"limit_price": Decimal(4990)},
            "The stop 4990 must be below the price 4990 of order a1, a BUY; correct limit_price.",
        ),
        (
            {"limit_price": Decimal(5010)},
            "The price 5010 must be below the target 5010 of order a1, a BUY; correct limit_price.",
        ),
        ({"action": "SELL"}, "The stop 4990 must be above the price 5000 of order a1, a SELL; correct limit_price."),
        (
            {"limit_price": None, "action": "SELL"},
            "The stop 4990 must be above the target 5010 of order a1, a SELL; correct stop_loss.",
        ),
    ],
)
def test_the_refusal_names_both_prices_and_the_side(changes: dict[str, Any], detail: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        check_prices(entry()._replace(**changes))
    assert refusal.value.detail == detail
    with pytest.raises(InvalidValueError) as refusal:
        check_prices(entry()._replace(**changes), ["take_profit"])
    assert refusal.value.field == "take_profit"


@pytest.mark.parametrize(
    ("own", "field"),
    [({"limit_price": 4990}, "limit_price"), ({"limit_price": None, "stop_price": 4990}, "stop_price")],
)
def test_the_refusal_is_of_the_price_that_the_entry_has_else_of_the_stops(own: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        check_prices(entry(**own))
    assert refusal.value.field == field
    with pytest.raises(InvalidValueError) as refusal:
        check_prices(entry(filled=1, legs={**LEGS, "STOP1": STOP._replace(stop_price=Decimal(5010))}))
    assert refusal.value.field == "stop_loss"


@pytest.mark.parametrize("number", [Decimal("1E-8"), Decimal("9.99999E+11"), Decimal("5E+3")], ids=str)
@pytest.mark.parametrize("action", ["BUY", "SELL"])
@pytest.mark.parametrize(
    "names", [("limit_price", "STOP1"), ("stop_price", "TARGET1"), ("STOP1", "TARGET1"), ("STOP1",)], ids=" ".join
)
def test_a_refusal_writes_its_prices_as_an_alert_does(action: str, names: tuple[str, ...], number: Decimal) -> None:
    legs = {
        "STOP1": Leg("STOPMARKET", stop_price=number),
        "TARGET1": Leg("LIMIT", limit_price=number),
    }
    if len(names) == 1:  # the limit of a stop beyond its stop price
        lower, higher = sorted([number, number * 2], reverse=action == "SELL")
        legs["STOP1"] = Leg("STOPLIMIT", stop_price=lower, limit_price=higher)
    own = {name: number for name in names if name not in legs}
    given = {name: leg for name, leg in legs.items() if name in names}
    order = builders.order(SIGNED, "a1", action=action, legs=given, **{"limit_price": None, **own})
    with pytest.raises(InvalidValueError) as refusal:
        check_prices(order)
    assert not re.search(r"\dE", refusal.value.detail)
    assert f" {number:f}" in refusal.value.detail


@pytest.mark.parametrize("number", [Decimal("1E-8"), Decimal("5E+3")], ids=str)
def test_the_refusal_of_a_released_stop_limit_writes_its_prices_as_an_alert_does(number: Decimal) -> None:
    stop = released_leg()._replace(order_type="STOPLIMIT", stop_price=number, limit_price=number)
    detail = (
        f"The limit {number * 2:f} of a SELL stop must not be beyond its stop price {number:f}; correct limit_price."
    )
    with pytest.raises(InvalidValueError) as refusal:
        changed(stop._replace(limit_price=None), {"limit_price": number * 2})
    assert (refusal.value.detail, refusal.value.field) == (detail, "limit_price")


@pytest.mark.parametrize(
    ("new", "field"),
    [
        ({"limit_price": 5001}, "limit_price"),
        ({"stop_price": 4980}, "stop_price"),
        ({"limit_price": 5001, "stop_price": 5000}, "limit_price"),
        ({"qty": 4}, "limit_price"),
    ],
)
def test_the_refusal_of_a_stop_limit_names_a_price_that_the_alert_gives(new: dict[str, int], field: str) -> None:
    wrong = released_leg(order_type="STOPLIMIT", limit_price=Decimal(4991))
    with pytest.raises(InvalidValueError) as refusal:
        changed(wrong, new)
    assert refusal.value.field == field


def test_the_prices_of_what_ends_with_a_change_are_not_judged() -> None:
    stop = released_leg(order_type="STOPLIMIT", filled=2, limit_price=Decimal(4989))
    assert changed(stop, {"qty": 2, "limit_price": Decimal(4991)})[0].state == "Filled"
    with pytest.raises(InvalidValueError):
        changed(stop, {"qty": 3, "limit_price": Decimal(4991)})


@pytest.mark.parametrize("gone", [{"end": ENDED_BY_ITSELF}, {"released": True}], ids=["ended", "released"])
def test_legs_that_do_not_wait_here_any_more_hold_no_price_back(gone: dict[str, Any]) -> None:
    check_prices(entry(legs={**LEGS, "STOP1": STOP._replace(**gone)}, limit_price=Decimal(4980)))
    check_prices(entry(legs={**LEGS, "TARGET1": TARGET._replace(**gone)}, limit_price=Decimal(5020)))


def test_offsets_stand_on_their_sides_by_themselves_until_they_are_prices() -> None:
    check_prices(template_entry(5, (5, 10, 5)))


@pytest.mark.parametrize(
    ("action", "stop", "target"), [("BUY", 4995, 5005), ("SELL", 4990, 5010)], ids=["long", "short"]
)
def test_the_bounds_are_the_prices_of_the_legs_that_are_nearest_to_the_entry(
    action: str, stop: int, target: int
) -> None:
    # Mirrored, a short's stops are above and its targets below; here only the choice matters.
    legs = {
        "STOP1": Leg("STOPMARKET", stop_price=Decimal(4990)),
        "STOP2": Leg("STOPLIMIT", stop_price=Decimal(4995), limit_price=Decimal(4994)),
        "TARGET1": Leg("LIMIT", limit_price=Decimal(5010)),
        "TARGET2": Leg("LIMIT", limit_price=Decimal(5005)),
        "TARGET3": Leg("LIMIT", offset=Decimal(1)),
    }
    bounded = with_bounds(entry()._replace(action=action, legs=legs))  # type: ignore[arg-type]
    assert told(bounded.nearest_stop, bounded.nearest_target) == told(stop, target)
    ended = {name: leg._replace(end=ENDED_BY_ITSELF) for name, leg in legs.items()}
    bounded = with_bounds(bounded._replace(legs=ended))
    assert (bounded.nearest_stop, bounded.nearest_target) == (None, None)


# Orders that version 0.1 took, and PLACE refuses now


def stands_wrong() -> Order:
    """Return a BUY whose stop has the price of the entry."""
    return entry(legs={**LEGS, "STOP1": STOP._replace(stop_price=Decimal(5000))})


def test_a_quantity_alone_is_taken_whatever_the_prices_are_that_stay() -> None:
    assert unchanged_but(stands_wrong(), changed(stands_wrong(), {"qty": 3})[0]) == {"qty": 3}


def test_a_new_price_is_judged_beside_those_that_stay() -> None:
    assert changed(stands_wrong(), {"limit_price": Decimal(5001)})[0].limit_price == 5001
    for new in ({"limit_price": Decimal(4999)}, {"qty": 3, "limit_price": Decimal(5000)}):
        with pytest.raises(InvalidValueError):
            changed(stands_wrong(), new)


# Histories


def history(length: int) -> list[Event]:
    return [Event(None, PLACED_AT, f"r{number}", "k1", digest=f"d{number}") for number in range(length)]


@pytest.mark.parametrize("length", [0, 1, 2, KEPT_HISTORY, KEPT_HISTORY + 1, *range(195, 205), 300, 5000])
def test_a_full_history_keeps_its_first_entry_and_the_latest_and_counts_the_rest(length: int) -> None:
    events = history(length)
    kept, dropped = trimmed(events)
    assert len(kept) + dropped == length
    assert len(kept) < MAX_HISTORY, "there is room for the cancel that appends without looking"
    if dropped:
        assert kept[0] is events[0]
        assert len(kept) > KEPT_HISTORY
        assert [*kept[1:]] == events[-len(kept) + 1 :]
    else:
        assert [*kept] == events
    assert trimmed(kept) == (kept, 0)


def test_a_history_is_trimmed_where_the_cancels_of_a_trade_would_not_find_room() -> None:
    assert trimmed(history(MAX_HISTORY - CANCELS_OF_A_TRADE))[1] == 0
    assert trimmed(history(MAX_HISTORY - CANCELS_OF_A_TRADE + 1))[1] > 0


def test_of_the_digests_those_are_kept_whose_alerts_still_stand_in_the_history() -> None:
    events = history(5)
    assert kept_digests(["d9", "d1", "d3", "d0"], events) == ("d1", "d3", "d0")
    assert kept_digests([], events) == ()


def test_an_alert_that_came_often_is_kept_as_one_digest() -> None:
    assert kept_digests(["d1", "d2", "d1", "d1"], history(5)) == ("d1", "d2")


# CHANGE


@pytest.mark.parametrize("filled", [0, 2])
@pytest.mark.parametrize(
    "new",
    [
        {"qty": 7},
        {"limit_price": Decimal("5001.5")},
        {"qty": 3, "limit_price": Decimal(4999)},
        {"qty": 5},
        {"limit_price": Decimal(5000)},
    ],
    ids=str,
)
def test_a_change_gives_an_order_the_new_values_and_leaves_the_rest(new: dict[str, int | Decimal], filled: int) -> None:
    before = entry(filled=filled)
    after, warnings = changed(before, new)
    assert after == before._replace(**new)  # type: ignore[arg-type]
    assert warnings == []
    assert [leg.qty for leg in waiting_legs(after)] == [after.qty] * 2


@pytest.mark.parametrize(
    ("order_type", "prices"),
    [
        ("MARKET", []),
        ("LIMIT", ["limit_price"]),
        ("STOPMARKET", ["stop_price"]),
        ("STOPLIMIT", ["limit_price", "stop_price"]),
    ],
)
@pytest.mark.parametrize("name", ["limit_price", "stop_price"])
def test_a_price_must_fit_the_type_of_the_order(order_type: str, prices: list[str], name: str) -> None:
    fields = {"limit_price": None, "stop_price": None} | dict.fromkeys(prices, Decimal(5000))
    before = entry(order_type=order_type, **fields)
    if name in prices:
        assert unchanged_but(before, changed(before, {name: Decimal(5001)})[0]) == {name: 5001}
        return
    with pytest.raises(InvalidValueError) as refusal:
        changed(before, {"qty": 7, name: Decimal(5001)})
    assert refusal.value.field == name
    assert refusal.value.detail == f"Order a1 is a {order_type} order and has no {name}; take it out."


@pytest.mark.parametrize(("filled", "is_free"), [(0, False), (1, True)])
@pytest.mark.parametrize("limit_price", [4980, 4990, 5010, 5020])
def test_an_entry_stays_between_its_legs_until_something_is_filled(
    limit_price: int, filled: int, *, is_free: bool
) -> None:
    before = entry(filled=filled)
    new = {"limit_price": Decimal(limit_price)}
    if is_free:
        assert changed(before, new)[0].limit_price == limit_price
        return
    with pytest.raises(InvalidValueError) as refusal:
        changed(before, new)
    assert refusal.value.field == "limit_price"


@pytest.mark.parametrize("filled", [1, 3, 5, 6])
@pytest.mark.parametrize("qty", range(1, 9))
def test_a_quantity_not_above_what_is_filled_ends_the_remainder(filled: int, qty: int) -> None:
    before = entry(filled=filled, state=OrderState.PART_FILLED)
    after, warnings = changed(before, {"qty": qty, "limit_price": Decimal(5001)})
    assert after.filled == filled
    assert after.limit_price == 5001
    if qty > filled:
        assert (after.state, after.qty) == ("PartFilled", qty)
    else:
        assert (after.state, after.qty) == ("Filled" if qty == filled else "Cancelled", filled)
        assert after.reason is not None
    assert [warning.code for warning in warnings] == (["filled_more"] if qty < filled else [])


def test_what_ends_since_more_is_filled_says_so() -> None:
    part_filled = entry(filled=3, state=OrderState.PART_FILLED)
    after, [warning] = changed(part_filled, {"qty": 2})
    detail = "3 are filled already, more than qty=2; the rest ended."
    assert (after.reason, warning) == (
        "qty not above what is filled",
        AlertWarning("filled_more", "qty", detail),
    )


@pytest.mark.parametrize("filled", [5, 6])
def test_a_price_alone_ends_nothing_be_more_filled_than_the_orders_quantity_or_not(filled: int) -> None:
    before = entry(filled=filled, state=OrderState.PART_FILLED)
    after, warnings = changed(before, {"limit_price": Decimal(5001)})
    assert unchanged_but(before, after) == {"limit_price": 5001}
    assert warnings == []


def test_a_quantity_below_what_a_template_reaches_or_above_it_is_told_where_it_protects_less() -> None:
    before = template_entry(3, (2, 10, 5), (1, 20, 5))
    assert changed(before, {"qty": 1})[1] == []
    after, [warning] = changed(before, {"qty": 5})
    detail = "The template's brackets leave 2 of qty without a leg."
    assert warning == AlertWarning("unprotected_quantity", "qty", detail)
    assert [leg.qty for leg in waiting_legs(after)] == [2, 2, 1, 1]
    assert [leg.qty for leg in waiting_legs(changed(before, {"qty": 1})[0])] == [1, 1]


@pytest.mark.parametrize(
    ("qty", "word"), [(6, None), (5, []), (4, ["unprotected_quantity"]), (1, ["unprotected_quantity"])]
)
def test_a_released_legs_quantity_may_be_lowered_and_never_raised(qty: int, word: list[str] | None) -> None:
    leg = released_leg()
    if word is None:
        with pytest.raises(InvalidValueError) as refusal:
            changed(leg, {"qty": qty})
        assert (refusal.value.field, refusal.value.state) == ("qty", "Working")
        assert refusal.value.detail == "Leg a1.STOP1 closes the 5 that are filled for it; give no larger qty."
        return
    after, warnings = changed(leg, {"qty": qty})
    assert unchanged_but(leg, after) == ({} if qty == 5 else {"qty": qty})
    detail = f"{5 - qty} of what is filled have no such leg."
    assert warnings == [AlertWarning(code, "qty", detail) for code in word]


@pytest.mark.parametrize("stop_price", [4985, 5000, 5005])
def test_a_released_stop_may_be_moved_to_break_even_and_beyond(stop_price: int) -> None:
    leg = released_leg()
    assert unchanged_but(leg, changed(leg, {"stop_price": Decimal(stop_price)})[0]) == {"stop_price": stop_price}


def test_the_refusal_of_a_new_price_names_that_one_though_another_stands_wrong() -> None:
    wrong = entry(order_type="STOPLIMIT", limit_price=Decimal(4985), stop_price=Decimal(5000))
    with pytest.raises(InvalidValueError) as refusal:
        changed(wrong, {"stop_price": Decimal(5001)})
    assert refusal.value.field == "stop_price"


# CHANGE of a waiting leg


@pytest.mark.parametrize(
    ("name", "new", "bound"),
    [
        ("STOP1", {"stop_price": Decimal(4995)}, {"nearest_stop": 4995}),
        ("TARGET1", {"limit_price": Decimal("5001.5")}, {"nearest_target": Decimal("5001.5")}),
    ],
)
def test_a_change_of_a_waiting_leg_is_a_change_of_its_entrys_item(
    name: str, new: dict[str, Any], bound: dict[str, Decimal]
) -> None:
    before = entry()
    legs = {**LEGS, name: LEGS[name]._replace(**new)}
    assert unchanged_but(before, changed_leg(before, name, new)) == {"legs": legs, **bound}


@pytest.mark.parametrize(
    ("name", "new", "field"),
    [
        ("STOP1", {"qty": 3}, "qty"),
        ("STOP1", {"qty": 5}, "qty"),
        ("TARGET1", {"limit_price": Decimal(5015), "qty": 5}, "qty"),
        ("STOP1", {"limit_price": Decimal(4989)}, "limit_price"),
        ("TARGET1", {"stop_price": Decimal(5011)}, "stop_price"),
        ("STOP1", {"stop_price": Decimal(5000)}, "stop_price"),
        ("STOP1", {"stop_price": Decimal(5005)}, "stop_price"),
        ("STOP1", {"stop_price": Decimal(5010)}, "stop_price"),
        ("TARGET1", {"limit_price": Decimal(5000)}, "limit_price"),
        ("TARGET1", {"limit_price": Decimal(4990)}, "limit_price"),
    ],
)
def test_what_place_would_refuse_a_change_of_a_waiting_leg_refuses(
    name: str, new: dict[str, int | Decimal], field: str
) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        changed_leg(entry(), name, new)
    assert refusal.value.field == field


@pytest.mark.parametrize(("stop_price", "is_good"), [(5000, True), (5009, True), (5010, False), (5050, False)])
def test_from_the_first_fill_on_a_stop_that_still_waits_has_only_the_target_above_it(
    stop_price: int, *, is_good: bool
) -> None:
    before = entry(filled=1)
    if is_good:
        assert changed_leg(before, "STOP1", {"stop_price": Decimal(stop_price)}).legs["STOP1"].stop_price == stop_price
    else:
        with pytest.raises(InvalidValueError):
            changed_leg(before, "STOP1", {"stop_price": Decimal(stop_price)})


@pytest.mark.parametrize(
    ("new", "is_good"),
    [
        ({"limit_price": 4990}, True),
        ({"limit_price": 4991}, False),
        ({"stop_price": 4989}, True),
        ({"stop_price": 4988}, False),
        ({"stop_price": 4980, "limit_price": 4980}, True),
        ({"stop_price": 4980, "limit_price": 4981}, False),
        ({"stop_price": 5000, "limit_price": 4981}, False),
    ],
    ids=str,
)
def test_the_two_prices_of_a_stop_limit_keep_their_order(new: dict[str, int], *, is_good: bool) -> None:
    stop = Leg("STOPLIMIT", stop_price=Decimal(4990), limit_price=Decimal(4989))
    before = entry(legs={**LEGS, "STOP1": stop})
    prices: dict[str, Any] = {name: Decimal(number) for name, number in new.items()}
    if is_good:
        assert changed_leg(before, "STOP1", prices).legs["STOP1"] == stop._replace(**prices)
    else:
        with pytest.raises(InvalidValueError):
            changed_leg(before, "STOP1", prices)


def test_the_refusal_of_a_price_that_a_waiting_leg_has_not_names_the_leg() -> None:
    with pytest.raises(InvalidValueError) as refusal:
        changed_leg(entry(), "STOP1", {"limit_price": Decimal(4989)})
    assert refusal.value.detail == "STOP1 is a STOPMARKET order and has no limit_price; take it out."


def test_the_refusal_of_a_stop_limit_beyond_its_entry_names_the_wrong_price() -> None:
    stop = Leg("STOPLIMIT", stop_price=Decimal(4990), limit_price=Decimal(4989))
    with pytest.raises(InvalidValueError) as refusal:
        changed_leg(entry(legs={**LEGS, "STOP1": stop}), "STOP1", {"limit_price": Decimal(5001), "stop_price": 5002})
    assert refusal.value.field == "stop_price"


def test_a_leg_of_a_template_that_is_given_a_price_has_it_and_no_offset_any_more() -> None:
    before = template_entry(5, (2, 10, 5), (3, 20, 8))
    after = changed_leg(before, "STOP2", {"stop_price": Decimal(4980)})
    assert after.legs["STOP2"] == before.legs["STOP2"]._replace(stop_price=Decimal(4980), offset=None)
    assert {name: leg for name, leg in after.legs.items() if name != "STOP2"} == {
        name: leg for name, leg in before.legs.items() if name != "STOP2"
    }
    assert told(after.nearest_stop, after.nearest_target) == ["4980", "None"]


# CANCELREPLACE


def test_a_replacement_is_the_same_order_in_its_next_generation() -> None:
    before = entry(oco_id="x", cancels_at="2026-01-02T12:05:00.000000Z", notes="first", day_ends=ENDED_AT, tif="DAY")
    new = replacement(qty=3, order_type="STOPLIMIT", limit_price=Decimal(5002), stop_price=Decimal(5001))
    after, warnings = replaced(before, new)
    assert unchanged_but(before, after) == {
        "qty": 3,
        "order_type": "STOPLIMIT",
        "limit_price": 5002,
        "stop_price": 5001,
        "tif": "GTC",
        "day_ends": None,
        "generation": 2,
    }
    assert warnings == []
    assert replaced(after, new) == (with_bounds(after), [])  # it has these values already


def test_group_time_limit_and_remark_are_the_new_ones_where_they_are_given() -> None:
    given_anew = {"oco_id": "y", "cancels_at": "2026-01-02T12:09:00.000000Z", "notes": "second"}
    before = entry(oco_id="x", cancels_at="2026-01-02T12:05:00.000000Z", notes="first")
    after, _ = replaced(before, replacement(**given_anew, tif="DAY", day_ends=ENDED_AT))
    assert unchanged_but(before, after) == {**given_anew, "tif": "DAY", "day_ends": ENDED_AT, "generation": 2}


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"account": "Sim102"}, "account"), ({"instrument": "NQ 12-26"}, "instrument"), ({"action": "SELL"}, "action")],
)
def test_account_instrument_and_action_stay(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        replaced(entry(legs={}), replacement(**changes))
    assert refusal.value.field == field
    with pytest.raises(InvalidValueError) as refusal:
        replaced_leg(entry(), "STOP1", of_stop(**({"action": "BUY"} if field == "action" else changes)))
    assert refusal.value.field == field


@pytest.mark.parametrize("changes", [{"account": "SIM101"}, {"instrument": "es  12-26"}])
def test_another_spelling_of_account_and_instrument_is_the_same(changes: dict[str, Any]) -> None:
    after, _ = replaced(entry(), replacement(**changes))
    assert (after.account, after.instrument, after.generation) == ("Sim101", "ES 12-26", 1)


@pytest.mark.parametrize("filled", [0, 3])
@pytest.mark.parametrize("qty", range(1, 7))
def test_the_quantity_of_a_replacement_is_the_total_wanted_fills_included(filled: int, qty: int) -> None:
    before = entry(filled=filled, state=OrderState.PART_FILLED if filled else OrderState.WORKING)
    after, warnings = replaced(before, replacement(qty=qty))
    assert after.filled == filled
    if qty > filled:
        assert (after.state, after.qty) == (before.state, qty)
    else:
        assert (after.state, after.qty) == ("Filled" if qty == filled else "Cancelled", filled)
    assert [warning.code for warning in warnings] == (["filled_more"] if qty < filled else [])


@pytest.mark.parametrize("filled", [0, 1])
@pytest.mark.parametrize("limit_price", [4990, 5010])
def test_a_replacement_stays_between_the_legs_until_something_is_filled(limit_price: int, filled: int) -> None:
    new = replacement(limit_price=Decimal(limit_price))
    if filled:
        assert replaced(entry(filled=filled), new)[0].limit_price == limit_price
        return
    with pytest.raises(InvalidValueError):
        replaced(entry(), new)


def test_a_market_order_in_its_place_has_no_price_between_its_legs() -> None:
    after, _ = replaced(entry(), replacement(order_type="MARKET", limit_price=None))
    assert (after.order_type, after.limit_price, after.legs) == ("MARKET", None, LEGS)


def test_a_price_of_its_own_takes_the_place_of_a_legs_offset() -> None:
    assert replaced(released_leg(offset=Decimal(5)), of_stop())[0].offset is None
    waiting = entry(legs={**LEGS, "STOP1": STOP._replace(offset=Decimal(5))})
    assert replaced_leg(waiting, "STOP1", of_stop()).legs["STOP1"].offset is None


def test_a_time_limit_stays_until_another_is_given_or_it_is_lifted() -> None:
    limited = entry(cancels_at=ENDED_AT)
    assert replaced(limited, replacement())[0].cancels_at == ENDED_AT
    assert replaced(limited, replacement(lifts_time_limit=True))[0].cancels_at is None


def test_a_refused_replacement_is_told_what_the_order_has() -> None:
    with pytest.raises(InvalidValueError) as refusal:
        replaced(entry(), replacement(account="Sim102"))
    assert refusal.value.detail == (
        "Order a1 has account=Sim101, and a replacement keeps it; give that, or place another order."
    )


@pytest.mark.parametrize(
    ("action", "limit", "stop", "is_in_order"),
    [
        ("SELL", 4990, 4990, True),
        ("SELL", 4991, 4990, False),
        ("SELL", 4991, None, True),
        ("SELL", None, 4990, True),
        ("BUY", 4989, 4990, False),
        ("BUY", 4991, 4990, True),
    ],
)
def test_a_replacement_knows_whether_the_prices_of_a_stop_limit_are_in_order(
    action: str, limit: float | None, stop: float | None, *, is_in_order: bool
) -> None:
    new = replacement(action=action, limit_price=price(limit), stop_price=price(stop))
    assert new.is_in_order is is_in_order


# CANCELREPLACE with legs


@pytest.mark.parametrize(
    ("given_legs", "legs"),
    [
        (
            [terms("STOP", 4995)],
            {"TARGET1": TARGET, "STOP1": STOP._replace(stop_price=Decimal(4995), generation=2)},
        ),
        (
            [terms("STOP", 4995, 4994)],
            {
                "TARGET1": TARGET,
                "STOP1": Leg("STOPLIMIT", Decimal(4994), Decimal(4995), oco_id="g.1", generation=2),
            },
        ),
        (
            [terms("TARGET", 5020)],
            {"TARGET1": TARGET._replace(limit_price=Decimal(5020), generation=2), "STOP1": STOP},
        ),
        (
            [terms("TARGET", 5020), terms("STOP", 4995)],
            {
                "TARGET1": TARGET._replace(limit_price=Decimal(5020), generation=2),
                "STOP1": STOP._replace(stop_price=Decimal(4995), generation=2),
            },
        ),
    ],
    ids=["a stop", "a stop limit for a stop", "a target", "both"],
)
def test_only_the_kinds_of_legs_that_are_given_are_replaced(
    given_legs: list[LegTerms], legs: Mapping[str, Leg]
) -> None:
    after, _ = replaced(entry(), replacement(legs=given_legs))
    assert after.legs == legs
    assert after == with_bounds(after)


def test_a_kind_that_was_not_there_is_added_to_the_group_of_the_other() -> None:
    single = entry(legs={"STOP1": STOP._replace(oco_id=None)})
    after, _ = replaced(single, replacement(legs=[terms("TARGET", 5020)]))
    target, stop = after.legs["TARGET1"], after.legs["STOP1"]
    assert told(target.limit_price, target.generation) == ["5020", "1"]
    assert target.oco_id == stop.oco_id is not None
    assert told(after.nearest_stop, after.nearest_target) == ["4990", "5020"]


def test_a_kind_that_was_not_there_joins_the_group_that_the_other_has() -> None:
    after, _ = replaced(entry(legs={"STOP1": STOP}), replacement(legs=[terms("TARGET", 5020)]))
    assert after.legs == {"STOP1": STOP, "TARGET1": Leg("LIMIT", Decimal(5020), oco_id="g.1")}


def test_a_leg_that_comes_alone_is_in_no_group_and_has_the_number_1() -> None:
    bare = entry(legs={}, number=None)
    after, _ = replaced(bare, replacement(legs=[terms("STOP", 4990, 4989)]))
    assert after.legs == {"STOP1": Leg("STOPLIMIT", Decimal(4989), Decimal(4990))}


def test_the_single_legs_of_brackets_are_in_no_group_when_they_are_replaced() -> None:
    for brackets in ([(2, 10, None), (3, 20, None)], [(5, None, 5)]):
        before = template_entry(5, *brackets)
        after, _ = replaced(before, replacement(legs=[terms("TARGET", 5020)]))
        assert {leg.oco_id for leg in after.legs.values()} == {None}


def test_a_leg_that_is_given_what_it_has_is_the_same_leg() -> None:
    after, warnings = replaced(entry(), replacement(legs=[terms("STOP", 4990), terms("TARGET", 5020)]))
    assert after.legs == {"STOP1": STOP, "TARGET1": TARGET._replace(limit_price=Decimal(5020), generation=2)}
    assert warnings == []


def test_legs_that_an_entry_of_another_number_gets_have_that_number() -> None:
    second = entry(number=2, order_name="ENTRY2", legs={})
    after, _ = replaced(second, replacement(legs=[terms("TARGET", 5020), terms("STOP", 4995)]))
    assert list(after.legs) == ["TARGET2", "STOP2"]
    assert len({leg.oco_id for leg in after.legs.values()} - {None}) == 1


def test_a_leg_that_was_ended_waits_again_when_it_is_replaced() -> None:
    ended = entry(legs={**LEGS, "STOP1": STOP._replace(end=ENDED_BY_ITSELF)})
    after, _ = replaced(ended, replacement(legs=[terms("STOP", 4995)]))
    assert after.legs["STOP1"] == STOP._replace(stop_price=Decimal(4995), generation=2)
    assert view_of_leg(after, "STOP1", after.legs["STOP1"]).state == "Initialized"


def test_what_waits_for_its_delay_has_its_legs_replaced_there() -> None:
    waiting = entry(due=ENDED_AT, legs={}, wanted=LEGS, number=None, order_name=None)
    after, _ = replaced(waiting, replacement(legs=[terms("STOP", 4995)]))
    assert after.legs == {}
    assert after.wanted["STOP1"].stop_price == 4995
    assert after.wanted["TARGET1"] == TARGET
    with pytest.raises(InvalidValueError):
        replaced(waiting, replacement(limit_price=Decimal(4990)))


@pytest.mark.parametrize(
    ("given_legs", "field"), [([terms("STOP", 4995)], "stop_loss"), ([terms("TARGET", 5020)], "take_profit")]
)
def test_once_that_kind_is_released_the_leg_itself_is_to_be_replaced(given_legs: list[LegTerms], field: str) -> None:
    kind = given_legs[0].kind
    released = {name: leg._replace(released=name.startswith(kind)) for name, leg in LEGS.items()}
    with pytest.raises(InvalidValueError) as refusal:
        replaced(entry(filled=2, legs=released), replacement(legs=given_legs))
    assert (refusal.value.field, refusal.value.detail) == (
        field,
        f"The {kind} of a1 works already; take {field} out, and replace the leg itself.",
    )
    others = {name: leg._replace(released=not name.startswith(kind)) for name, leg in LEGS.items()}
    after, _ = replaced(entry(filled=2, legs=others), replacement(legs=given_legs))
    assert after.legs[f"{kind}1"].generation == 2


@pytest.mark.parametrize(("kind", "field"), [("STOP", "stop_loss"), ("TARGET", "take_profit")])
def test_what_waits_for_its_delay_gets_the_legs_of_its_template_then_and_no_others(kind: str, field: str) -> None:
    waiting = entry(due=ENDED_AT, legs={}, template="t", number=None, order_name=None)
    with pytest.raises(InvalidValueError) as refusal:
        replaced(waiting, replacement(legs=[terms(kind, 4995 if kind == "STOP" else 5020)]))
    assert (refusal.value.field, refusal.value.detail) == (
        field,
        f"Template t brings the legs of a1 when its delay is over; take {field} out, or change the legs then.",
    )
    assert replaced(waiting, replacement(qty=3))[0].qty == 3


@pytest.mark.parametrize(
    "given_legs", [[terms("STOP", 5000)], [terms("TARGET", 5000)], [terms("STOP", 4995, 4996)]], ids=str
)
def test_legs_that_place_would_refuse_a_replacement_refuses(given_legs: list[LegTerms]) -> None:
    with pytest.raises(InvalidValueError):
        replaced(entry(), replacement(legs=given_legs))


@pytest.mark.parametrize(
    ("filled", "new", "field"),
    [
        (0, {"legs": [terms("TARGET", 4985)]}, "limit_price"),
        (1, {"legs": [terms("TARGET", 4985)]}, "take_profit"),
        (1, {"legs": [terms("STOP", 5015)]}, "stop_loss"),
        (1, {"legs": [terms("STOP", 5015, 5014)]}, "stop_loss_limit"),
        (0, {"order_type": "MARKET", "limit_price": None, "legs": [terms("TARGET", 4985)]}, "take_profit"),
    ],
    ids=["beside the entry's", "target", "stop", "stop limit", "market"],
)
def test_the_refusal_of_a_replacement_names_a_price_that_it_gives(filled: int, new: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        replaced(entry(filled=filled), replacement(**new))
    assert refusal.value.field == field


@pytest.mark.parametrize(("kind", "field"), [("STOP", "stop_loss"), ("TARGET", "take_profit")])
def test_an_entry_whose_template_is_ninjatraders_own_gets_no_legs_beside_it(kind: str, field: str) -> None:
    before = entry(legs={}, atm_template="Scalp")
    with pytest.raises(UnsupportedValueError) as refusal:
        replaced(before, replacement(legs=[terms(kind, 4995 if kind == "STOP" else 5020)]))
    assert (refusal.value.field, refusal.value.detail) == (
        field,
        f"NinjaTrader's own template Scalp brings the targets and stops of a1; take {field} out.",
    )


def test_every_leg_of_the_kind_that_is_given_is_replaced_where_a_template_gave_several() -> None:
    before = template_entry(5, (2, 10, 5), (3, 20, 8))
    after, _ = replaced(before, replacement(legs=[terms("STOP", 4980)]))
    stops = [leg for name, leg in after.legs.items() if name.startswith("STOP")]
    assert [told(leg.stop_price, leg.offset, leg.size) for leg in stops] == [
        ["4980", "None", "2"],
        ["4980", "None", "3"],
    ]
    assert after.legs["TARGET2"] == before.legs["TARGET2"]


def test_a_replacement_tells_what_the_templates_brackets_leave_without_a_leg() -> None:
    before = template_entry(3, (2, 10, 5), (1, 20, 5))
    assert replaced(before, replacement(qty=3))[1] == []
    [warning] = replaced(before, replacement(qty=4))[1]
    assert warning.code == "unprotected_quantity"


@pytest.mark.parametrize(
    ("qty", "brackets", "bare"),
    [
        (5, [(2, 10, 5), (3, 20, None)], 3),
        (7, [(2, 10, 5), (3, 20, None)], 5),
        (7, [(5, 10, 5)], 2),
        (5, [(5, 10, 5)], 0),
        (5, [(5, 10, None)], 0),  # it gets a stop for all of it
    ],
)
def test_a_stop_in_place_of_a_templates_tells_what_has_none(
    qty: int, brackets: list[tuple[int, int | None, int | None]], bare: int
) -> None:
    _, warnings = replaced(template_entry(5, *brackets), replacement(qty=qty, legs=[terms("STOP", 4980)]))
    detail = f"{bare} of qty have no stop: the template has none for them. Place one by a PLACE of its own."
    assert warnings == ([AlertWarning("unprotected_quantity", "qty", detail)] if bare else [])


@pytest.mark.parametrize(
    "before",
    [
        entry(due=ENDED_AT, legs={}, wanted=LEGS, number=None, order_name=None),
        template_entry(5, (2, 10, None), (3, 20, 5), filled=2),
    ],
    ids=["waits for its delay", "ends with it"],
)
def test_a_stop_that_leaves_nothing_bare_warns_of_nothing(before: Order) -> None:
    assert replaced(before, replacement(qty=2, legs=[terms("STOP", 4980)]))[1] == []


def test_of_an_order_as_it_stands_what_has_no_leg_is_told_and_nothing_else() -> None:
    [warning] = altering.standing(template_entry(7, (5, 10, 5)))
    detail = "The template's brackets leave 2 of qty without a leg."
    assert warning == AlertWarning("unprotected_quantity", "qty", detail)
    assert altering.standing(entry(filled=6, state=OrderState.PART_FILLED)) == []


# CANCELREPLACE of a leg


@pytest.mark.parametrize(
    ("name", "new", "leg", "bound"),
    [
        (
            "STOP1",
            of_stop(),
            STOP._replace(stop_price=Decimal(4995), generation=2),
            {"nearest_stop": 4995},
        ),
        (
            "STOP1",
            of_stop(order_type="STOPLIMIT", limit_price=Decimal(4994)),
            Leg("STOPLIMIT", Decimal(4994), Decimal(4995), oco_id="g.1", generation=2),
            {"nearest_stop": 4995},
        ),
        (
            "TARGET1",
            of_target(),
            TARGET._replace(limit_price=Decimal(5020), generation=2),
            {"nearest_target": 5020},
        ),
    ],
    ids=["a stop", "a stop limit for a stop", "a target"],
)
def test_a_waiting_leg_is_replaced_in_its_entrys_item(
    name: str, new: Replacement, leg: Leg, bound: dict[str, int]
) -> None:
    before = entry()
    assert unchanged_but(before, replaced_leg(before, name, new)) == {"legs": {**LEGS, name: leg}, **bound}


def test_a_legs_time_in_force_stays_whatever_the_alert_says() -> None:
    after = replaced_leg(entry(), "STOP1", of_stop(tif="DAY", day_ends=ENDED_AT))
    assert after.day_ends is None
    assert view_of_leg(after, "STOP1", after.legs["STOP1"]).tif == "GTC"
    leg, _ = replaced(released_leg(), of_stop(tif="DAY", day_ends=ENDED_AT))
    assert (leg.tif, leg.day_ends) == ("GTC", None)


@pytest.mark.parametrize(
    ("name", "new", "field"),
    [
        ("STOP1", of_stop(order_type="LIMIT", limit_price=Decimal(5010), stop_price=None), "order_type"),
        ("STOP1", of_stop(order_type="MARKET", stop_price=None), "order_type"),
        ("TARGET1", of_target(order_type="STOPMARKET", stop_price=Decimal(4990), limit_price=None), "order_type"),
        ("TARGET1", of_target(order_type="STOPLIMIT", stop_price=Decimal(4990)), "order_type"),
        ("STOP1", of_stop(legs=[terms("TARGET", 5020)]), "take_profit"),
        ("STOP1", of_stop(qty=4), "qty"),
        ("STOP1", of_stop(qty=6), "qty"),
        ("STOP1", of_stop(5000), "stop_price"),
        ("STOP1", of_stop(5015), "stop_price"),
        ("STOP1", of_stop(order_type="STOPLIMIT", limit_price=Decimal(4996)), "stop_price"),
        ("TARGET1", of_target(5000), "limit_price"),
        ("TARGET1", of_target(4985), "limit_price"),
    ],
)
def test_what_a_waiting_leg_cannot_become(name: str, new: Replacement, field: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        replaced_leg(entry(), name, new)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("new", "field", "detail"),
    [
        (of_stop(qty=4), "qty", "The quantity of STOP1 follows from its entry and is 5: give that."),
        (
            of_stop(cancels_at=ENDED_AT),
            "cancel_after",
            "STOP1 waits for its entry a1 and ends with it; take cancel_after out, or give it with the entry.",
        ),
        (
            of_stop(order_type="MARKET"),
            "order_type",
            "STOP1 stays a STOPMARKET or STOPLIMIT order; correct order_type.",
        ),
        (
            of_stop(legs=[terms("TARGET", 5020)]),
            "take_profit",
            "STOP1 is a leg and has none of its own; take take_profit out.",
        ),
    ],
)
def test_the_refusal_of_a_waiting_legs_replacement_says_what_to_do(new: Replacement, field: str, detail: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        replaced_leg(entry(), "STOP1", new)
    assert (refusal.value.field, refusal.value.detail) == (field, detail)


def test_the_refusal_of_a_waiting_legs_quantity_names_its_entry() -> None:
    with pytest.raises(InvalidValueError) as refusal:
        changed_leg(entry(), "STOP1", {"qty": 3})
    detail = "The quantity of STOP1 follows from its entry a1; take qty out, or change the entry."
    assert refusal.value.detail == detail


def test_a_waiting_leg_takes_the_group_that_it_is_given() -> None:
    after = replaced_leg(entry(), "STOP1", of_stop(oco_id="x"))
    assert after.legs["STOP1"].oco_id == "x"


def test_the_quantity_of_a_templates_leg_is_its_share_and_nothing_else() -> None:
    before = template_entry(3, (2, 10, 5), (4, 20, 8))
    assert replaced_leg(before, "STOP2", of_stop(4980, qty=1)).legs["STOP2"].stop_price == 4980
    for qty in (2, 3, 4):
        with pytest.raises(InvalidValueError):
            replaced_leg(before, "STOP2", of_stop(4980, qty=qty))


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (of_stop(order_type="LIMIT", limit_price=Decimal(5010), stop_price=None), "order_type"),
        (of_stop(legs=[terms("TARGET", 5020)]), "take_profit"),
        (of_stop(qty=6), "qty"),
        (of_stop(action="BUY"), "action"),
    ],
)
def test_what_a_released_leg_cannot_become(new: Replacement, field: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        replaced(released_leg(), new)
    assert refusal.value.field == field


def test_the_kind_of_a_released_leg_is_that_of_its_name() -> None:
    target = released_leg("TARGET1")
    assert unchanged_but(target, replaced(target, of_target())[0]) == {"limit_price": 5020, "generation": 2}
    for leg, new, types in (
        (target, of_stop(), "LIMIT"),
        (released_leg(), of_target(), "STOPMARKET or STOPLIMIT"),
    ):
        with pytest.raises(InvalidValueError) as refusal:
            replaced(leg, new)
        assert refusal.value.detail == f"{leg.order_name} stays a {types} order; correct order_type."


def test_a_released_leg_is_replaced_in_its_own_item() -> None:
    leg = released_leg()
    after, warnings = replaced(leg, of_stop(5005))
    assert unchanged_but(leg, after) == {"stop_price": 5005, "generation": 2}
    assert warnings == []
    after, [warning] = replaced(leg, of_stop(5005, qty=3))
    assert (after.qty, warning.code) == (3, "unprotected_quantity")
