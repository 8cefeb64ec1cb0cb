"""What became of an alert and its orders: every state, want and kind of leg has words and a mark."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from orderhook.console.fates import (
    Mark,
    answer_of,
    fate_for,
    fate_of_instruction,
    fate_of_order,
    mark_of_row,
    worst,
)
from orderhook.description import order_in_words
from orderhook.errors import AlertWarning
from orderhook.instructions import Instruction, InstructionResult
from orderhook.listing import Instructed
from orderhook.orders import BEING_CANCELLED, OPEN, TERMINAL, Order, OrderState, Want, timestamp
from orderhook.store.alert_log import UNREADABLE, RecordedResult
from tests import builders
from tests.builders import alert_record, provenance

SIGNED = provenance("main", "placing")
NOW = SIGNED.now
LATER = timestamp(SIGNED.at.replace(year=SIGNED.at.year + 1))
ASKED = "2026-01-02T03:04:05.000000Z"
CONFIRMED = {"order_type": "LIMIT", "qty": "2", "limit_price": "5000.25"}


def order(state: OrderState | str = OrderState.WORKING, **changes: Any) -> Order:
    return builders.order(SIGNED, "order-1", **{"qty": 2, "state": OrderState(state), **changes})


def leg(state: OrderState | str, name: str = "STOP1", **changes: Any) -> Order:
    """Return a leg that was released for two contracts."""
    told = {"entry_id": "entry", "order_name": name, "closes": 2, "released_at": NOW, "order_type": "STOPMARKET"}
    return order(state, **told | {"limit_price": None, "stop_price": Decimal(4990)} | changes)


def waiting_leg(state: OrderState, **changes: Any) -> Order:
    return leg(state, closes=None, released_at=None, **changes)


FORMS: Mapping[str, Callable[..., Order]] = {"order": order, "released leg": leg, "waiting leg": waiting_leg}


def want(kind: Any, n: int = 2) -> Want:
    return Want(n, kind, ASKED)


def result(account: str, status: int, outcome: str) -> RecordedResult:
    return RecordedResult(account, status, outcome)


@pytest.mark.parametrize(
    ("state", "kind", "is_open_want", "form"),
    [*product(OrderState, ("place", "change", "replace", "cancel"), (True, False), FORMS)],
)
def test_every_order_has_words_and_a_mark(state: OrderState, kind: str, is_open_want: bool, form: str) -> None:
    it = FORMS[form](state, want=want(kind), acked=1 if is_open_want else 2, venue="ninjatrader", confirmed=CONFIRMED)
    fate = fate_of_order(it, NOW)
    if state in TERMINAL:
        assert fate.words == f"{state}, 0 of 2 filled"
        assert fate.mark is not Mark.LATER
    elif is_open_want:
        assert fate.mark is Mark.LATER
        assert ("asked" in fate.words) == (kind != "place" or form != "waiting leg")
        assert fate.at == (None if (kind, form) == ("place", "waiting leg") else ASKED)
    if state in OPEN and kind == "cancel" and form != "waiting leg":
        assert fate.mark in (Mark.LATER, Mark.WARN, Mark.BAD), "a cancel that was not done is no success"
    assert ("waits for its entry" in fate.words) == (form == "waiting leg" and state in OPEN)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_an_open_order_is_good_unless_something_is_under_way_or_unknown(state: OrderState) -> None:
    expected = Mark.LATER if state in BEING_CANCELLED else Mark.WARN if state is OrderState.UNKNOWN else Mark.GOOD
    assert fate_of_order(order(state), NOW).mark is expected


def test_the_row_of_every_state_is_the_worst_of_answer_and_fate() -> None:
    bad = {OrderState.REJECTED}
    for state in OrderState:
        mark = mark_of_row(alert_record(command="PLACE", outcome="placed"), [order(state)], NOW)
        assert (mark is Mark.BAD) == (state in bad), state


def test_a_cancel_that_is_asked_shows_what_the_venue_has() -> None:
    asked = order("CancelPending", want=want("cancel"), acked=1, confirmed=CONFIRMED)
    assert fate_of_order(asked, NOW)[:3] == (Mark.LATER, "Working 2 @ 5000.25, cancel asked", ASKED)


def test_a_change_that_is_asked_shows_what_the_venue_has_yet() -> None:
    asked = order("ChangePending", limit_price=Decimal(6000), want=want("change"), acked=1, confirmed=CONFIRMED)
    assert fate_of_order(asked, NOW).words == "Working 2 @ 5000.25, change asked"


def test_what_is_filled_is_said_with_its_price() -> None:
    filled = order("Filled", filled=2, average=Decimal("4998.750"))
    assert fate_of_order(filled, NOW)[:2] == (Mark.GOOD, "Filled, 2 of 2 filled @ 4998.75")


def test_a_rejected_order_is_bad_and_says_why() -> None:
    fate = fate_of_order(order("Rejected", reason="the account's maximum position"), NOW)
    assert (fate.mark, fate.reason) == (Mark.BAD, "the account's maximum position")


def test_an_unresolved_order_is_bad_whatever_its_state() -> None:
    for state in OPEN:
        fate = fate_of_order(order(state, unresolved="NinjaTrader says nothing"), NOW)
        assert fate.mark is Mark.BAD
        assert "UNRESOLVED" in fate.words


@pytest.mark.parametrize("changes", [{"filled": 3}, {"filled_after_end": 1}])
def test_more_than_was_ordered_and_fills_after_the_end_are_bad(changes: dict[str, int]) -> None:
    assert fate_of_order(order("Cancelled", **changes), NOW).mark is Mark.BAD


def test_an_order_that_waits_for_its_delay_says_until_when() -> None:
    waiting = order("Initialized", due=LATER, delay=60)
    assert fate_of_order(waiting, NOW)[:3] == (Mark.LATER, "waits for its delay, until", LATER)


def test_an_order_that_was_given_up_while_it_waited_is_bad() -> None:
    waiting = order("Initialized", due=NOW, delay=60)
    assert "its delay is over" in fate_of_order(waiting, NOW).words
    assert fate_of_order(waiting, LATER).mark is Mark.BAD


def test_a_day_order_whose_day_is_over_is_expired() -> None:
    assert fate_of_order(order(tif="DAY", day_ends=NOW), LATER).words == "Expired, 0 of 2 filled"


def test_an_order_that_the_bridge_has_not_placed_asks_to_be_looked_at() -> None:
    assert fate_of_order(order("Cancelled", reason="blocked: the position is short"), NOW).mark is Mark.WARN
    assert fate_of_order(order("Cancelled", cancel_request_id="0123"), NOW).mark is Mark.NEUTRAL


def test_the_cancel_of_a_stop_is_no_success() -> None:
    stop = leg("Cancelled", cancel_request_id="0123")
    fate = fate_for(alert_record(), stop, NOW)
    assert (fate.mark, fate.note) == (Mark.WARN, "leaves 2 contracts without a stop")
    assert mark_of_row(alert_record(), [stop], NOW) is Mark.WARN
    assert mark_of_row(alert_record(), [leg("Cancelled", "TARGET1", cancel_request_id="0123")], NOW) is Mark.GOOD


def test_a_stop_cancelled_while_it_waits_is_missed_once_its_entry_fills() -> None:
    stop = leg("Cancelled", closes=None, released_at=None, cancel_request_id="0123")
    assert fate_of_order(stop, NOW).unprotected == 2
    assert fate_of_order(stop, NOW, order("PartFilled", filled=1)).unprotected == 2
    assert fate_of_order(stop, NOW, order("Cancelled")).unprotected == 0
    assert fate_of_order(stop._replace(cancel_request_id=None), NOW).unprotected == 0, "it ended with its entry"


def test_a_stop_leaves_nothing_whose_position_was_seen_closed_since() -> None:
    asked: list[tuple[str, str]] = []

    def closed(stop: Order, since: str) -> bool:
        asked.append((stop.order_id, since))
        return True

    stop = leg("Cancelled", cancel_request_id="0123", since=NOW)
    assert fate_of_order(stop, NOW, closed=closed)[:2] == (Mark.NEUTRAL, "Cancelled, 0 of 2 filled")
    assert fate_for(alert_record(), stop, NOW, closed=closed).mark is Mark.GOOD
    assert mark_of_row(alert_record(), [stop], NOW, closed=closed) is Mark.GOOD
    waits = stop._replace(closes=None, released_at=None)
    filled = order("Filled", filled=2, since=LATER)
    assert fate_of_order(waits, NOW, filled, closed=closed).unprotected == 0
    assert {*asked} == {(stop.order_id, NOW), (stop.order_id, LATER)}
    assert fate_of_order(waits, NOW, order("PartFilled", filled=1), closed=closed).unprotected == 2, "more may fill"


def test_a_close_ends_stops_and_leaves_nothing_without_one() -> None:
    record = alert_record(command="FLATTEN", outcome="accepted", instruction_ids=("0123",))
    assert fate_for(record, leg("Cancelled", cancel_request_id="0123"), NOW)[:2] == (
        Mark.GOOD,
        "Cancelled, 0 of 2 filled",
    )


@pytest.mark.parametrize(
    ("state", "mark"),
    [("Working", Mark.BAD), ("Filled", Mark.WARN), ("CancelPending", Mark.LATER), ("Cancelled", Mark.GOOD)],
)
def test_what_a_cancel_was_to_end_and_goes_on_is_no_success(state: str, mark: Mark) -> None:
    filled = {"filled": 2} if state == "Filled" else {}
    assert mark_of_row(alert_record(), [order(state, **filled)], NOW) is mark


def test_a_cancel_that_was_done_in_one_account_is_good_there() -> None:
    done = RecordedResult("Sim101", 200, "cancelled", order_ids=("order-1",))
    partly = alert_record(outcome="order_not_found", status=404, results=(done, result("B", 404, "order_not_found")))
    assert fate_for(partly, order("Cancelled"), NOW).mark is Mark.GOOD
    assert fate_for(partly, order("Working"), NOW).mark is Mark.BAD
    assert mark_of_row(partly, [order("Cancelled")], NOW) is Mark.BAD


def test_a_cancel_that_the_venue_did_not_do_is_bad() -> None:
    refused = order("Working", want=want("cancel"), acked=2)
    assert fate_of_order(refused, NOW).words.endswith("the cancel was not done")
    assert mark_of_row(alert_record(outcome="cancel_pending"), [refused], NOW) is Mark.BAD


def test_what_the_venue_was_asked_is_not_done_until_it_is_known() -> None:
    asked = alert_record(outcome="cancel_pending")
    assert mark_of_row(asked, [], NOW) is Mark.LATER
    assert mark_of_row(asked, [order("Cancelled", cancel_request_id="0123")], NOW) is Mark.GOOD


@pytest.mark.parametrize(
    ("changes", "kind", "mark"),
    [
        ({"outcome": "placed"}, "done", Mark.GOOD),
        ({"outcome": "order_not_found", "status": 404}, "refused", Mark.BAD),
        ({"outcome": "already_placed"}, "repeated", Mark.NEUTRAL),
        ({"outcome": "cancel_pending", "duplicate": True}, "repeated", Mark.NEUTRAL),
        ({"outcome": "scheduled"}, "later", Mark.LATER),
        ({"outcome": "nothing_to_cancel"}, "done", Mark.NEUTRAL),
        ({"outcome": "nothing_to_cancel", "warnings": (AlertWarning("w", None, "d"),)}, "done", Mark.WARN),
        ({"outcome": "order_already_terminal", "status": 409}, "refused", Mark.BAD),
        ({"outcome": "order_already_terminal", "status": 409, "origin": "cancel_after"}, "done", Mark.NEUTRAL),
        ({"outcome": "already_cancelled", "origin": "delayed"}, "done", Mark.NEUTRAL),
        ({"outcome": UNREADABLE, "status": 0}, "unreadable", Mark.WARN),
        ({"results": (result("A", 200, "placed"), result("B", 200, "placed"))}, "done", Mark.GOOD),
        ({"results": (result("A", 200, "placed"), result("B", 403, "x"))}, "partly done", Mark.BAD),
        ({"status": 403, "results": (result("A", 403, "x"), result("B", 403, "x"))}, "refused", Mark.BAD),
    ],
)
def test_an_answer_is_done_refused_repeated_or_later(changes: dict[str, Any], kind: str, mark: Mark) -> None:
    assert answer_of(alert_record(**changes))[:2] == (kind, mark)


def test_a_repetition_is_neutral_unless_something_went_wrong() -> None:
    repeated = alert_record(command="PLACE", outcome="already_placed")
    assert mark_of_row(repeated, [order("Working")], NOW) is Mark.NEUTRAL
    assert mark_of_row(repeated, [order("Initialized", due=LATER)], NOW) is Mark.NEUTRAL
    assert mark_of_row(repeated, [order("Unknown")], NOW) is Mark.NEUTRAL
    assert mark_of_row(repeated, [order("Rejected")], NOW) is Mark.BAD


def test_what_came_again_and_was_done_is_bad_no_more() -> None:
    unavailable = alert_record(outcome="temporarily_unavailable", status=503)
    assert mark_of_row(unavailable, [], NOW) is Mark.BAD
    assert mark_of_row(unavailable, [], NOW, came_again=True) is Mark.NEUTRAL
    assert mark_of_row(alert_record(outcome="invalid_value", status=400), [], NOW, came_again=True) is Mark.BAD


@pytest.mark.parametrize(
    ("told", "mark"),
    [
        ("done", Mark.GOOD),
        ("no_position", Mark.NEUTRAL),
        ("superseded", Mark.NEUTRAL),
        ("blocked", Mark.WARN),
        ("failed", Mark.BAD),
        ("too_late", Mark.BAD),
        ("unresolved", Mark.BAD),
        ("a word of a newer version", Mark.BAD),
    ],
)
def test_the_result_of_an_instruction_marks_its_alert(told: Any, mark: Mark) -> None:
    it = Instructed("0123", None, InstructionResult("0123", told, NOW, "why"))
    assert fate_of_instruction(it)[:2] == (mark, f"at the venue: {told.replace('_', ' ')}")
    assert mark_of_row(alert_record(outcome="accepted"), [], NOW, instructed=[it]) is mark


def test_an_instruction_without_a_result_is_under_way_or_not_known() -> None:
    asked = Instruction("0123", "FLATTEN", ASKED, "ninjatrader")
    assert fate_of_instruction(Instructed("0123", asked, None))[:3] == (
        Mark.LATER,
        "under way at the venue, since",
        ASKED,
    )
    assert fate_of_instruction(Instructed("0123", None, None)).mark is Mark.NEUTRAL


def test_no_two_marks_look_or_read_alike() -> None:
    assert len({mark.sign for mark in Mark}) == len({mark.word for mark in Mark}) == len(Mark)
    assert [worst([Mark.GOOD, mark]) for mark in Mark] == [Mark.GOOD, Mark.GOOD, Mark.LATER, Mark.WARN, Mark.BAD]


def test_an_order_is_told_as_a_trader_would() -> None:
    assert order_in_words(order(tif="DAY")) == "BUY 2 ES 12-26 LIMIT 5000.25 DAY"
    stop = order(action="SELL", order_type="STOPMARKET", limit_price=None, offset=Decimal(5), tif="GTC")
    assert order_in_words(stop) == "SELL 2 ES 12-26 STOPMARKET entry - 5 GTC"
    assert "entry + 5%" in order_in_words(stop._replace(order_type="LIMIT", in_percent=True))
