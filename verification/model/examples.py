"""For each defect one short sequence of steps that shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from verification import defects
from verification.defects import Defect
from verification.model.account import CancelAllOrders, CancelOrders, CloseStrategy
from verification.model.machine import Taken, take

LOST = "every answer lost"
"""What the alert meets whose first write is done, and which is answered 503 all the same."""
WRITE_LOST = "answer to the second request lost"
"""The same for one that first looks at the kill switch."""


def _cancel(order_id: str, strategy_id: str | None = None, **more: Any) -> Taken:
    return take("cancel", about=(order_id, strategy_id), **more)


def _report(order_id: str, state: str, filled: int = 0) -> Taken:
    return take("report", order=order_id, state=state, filled=filled)


def _place(order_id: str, strategy_id: str | None = None, **more: Any) -> Taken:
    given = {"price": "5000.25", "extras": {}, "market": {}, "delay": None, "mishap": "none"} | more
    return take("place", order_id=order_id, strategy_id=strategy_id, **given)


def _change(order_id: str, strategy_id: str | None = None, *, mishap: str = "none", **new: str) -> Taken:
    return take("change", about=(order_id, strategy_id), new=new, mishap=mishap)


def _replace(order_id: str, price: str = "5001", mishap: str = "none", **new: str) -> Taken:
    return take("replace", about=(order_id, None), new=new, qty="5", price=price, mishap=mishap)


def _turn(to: str, mishap: str = "none") -> Taken:
    return take("turn", to=to, mishap=mishap)


def _wait(seconds: int) -> Taken:
    return Taken("wait", {"seconds": seconds})


_RESEND = Taken("resend", {"which": 0, "mishap": "none"})
_CANCEL_ALL = take("cancel_many", command=CancelAllOrders())
_CANCEL_ORDERS = take("cancel_many", command=CancelOrders({"account": "Sim101"}))
_CLOSE = take("cancel_many", command=CloseStrategy({"strategy_id": "t"}))
_SAME_AGAIN = Taken("send_a_recent_alert", {"back": 0, "mishap": "none"})
_STANDSTILL = Taken("the_queue_stands_still", {})
_FIRST_AGAIN = Taken("send_an_earlier_alert", {"which": 10, "mishap": "none"})
"""Sends the first alert again that came after those with which both traders begin."""

_LEFT = (
    _report("l", "Filled", 5),
    _cancel("l.STOP1"),
    _cancel("l.TARGET1"),
    Taken("leave", {"trader": "ann", "order": "l"}),
)
"""An entry is gone, and the items of its legs are not."""

EXAMPLES: Mapping[Defect, Sequence[Taken]] = {
    # One of all orders is being cancelled already.
    defects.a_write_without_condition: [_CANCEL_ALL],
    defects.a_condition_that_only_knows_filled: [_CANCEL_ALL],
    defects.a_cancel_of_what_is_being_cancelled: [_CANCEL_ALL],
    defects.a_cancel_of_many_that_writes_nothing: [_CANCEL_ALL],
    defects.a_list_without_its_first_order: [_CANCEL_ALL],
    defects.an_own_write_taken_for_anothers: [_cancel("a", mishap="answer lost")],
    defects.an_answer_before_the_write: [_cancel("a")],
    # Both traders begin with orders of the same ids.
    defects.a_partition_for_all_traders: [],
    defects.a_cancel_that_forgets_what_was_filled: [_cancel("ENTRY1", "t")],
    defects.a_late_fill_that_is_dropped: [_cancel("a"), _report("a", "Filled", 5)],
    defects.a_finished_order_that_moves_again: [_report("a", "Filled", 5), _report("a", "Working")],
    defects.a_place_that_overwrites: [_place("a", price="5001")],
    defects.a_place_that_takes_every_order_for_its_own: [_place("a", price="5001")],
    defects.a_change_below_what_is_filled: [_change("ENTRY1", "t", qty="1")],
    defects.a_replacement_of_what_is_finished: [_report("a", "Filled", 5), _replace("a")],
    defects.a_change_that_leaves_the_offset: [
        Taken("store_template", {"trader": "ann", "name": "swing", "brackets": ((5, "7.5", "2.5"),)}),
        _place("f", extras={"strategy": "swing"}),
        _change("f.TARGET1", limit_price="5020"),
    ],
    defects.a_cancel_of_many_beyond_its_account: [
        take("cancel_many", command=CancelOrders({"account": "Sim101", "instrument": "NQ 12-26"}))
    ],
    defects.a_spelling_that_stays_as_it_is_sent: [
        take("cancel_many", command=CancelOrders({"account": "sim101", "instrument": "ES DEC26"}))
    ],
    defects.a_cancel_of_the_front_month_alone: [
        _place("x", market={"instrument": "NQ 12-26"}),
        take("cancel_many", command=CancelOrders({"account": "Sim101", "instrument": "NQ1!"})),
    ],
    defects.a_strategy_that_is_only_said_to_be_closed: [_CLOSE],
    # After its orders were cancelled, the close fails.
    defects.a_close_after_the_cancels: [
        take("cancel_many", command=CloseStrategy({"strategy_id": "t"}), mishap="busy at the fourth request")
    ],
    defects.a_replacement_under_another_id: [_replace("a")],
    defects.a_total_taken_for_an_addition: [_replace("c")],
    defects.a_remainder_that_works_on: [_change("c", qty="3")],
    defects.legs_that_outlive_their_entry: [_cancel("l")],
    defects.a_leg_that_keeps_its_quantity: [_report("l", "PartFilled", 2), _report("l", "PartFilled", 3)],
    defects.a_leg_that_no_late_fill_brings: [_cancel("l"), _report("l", "PartFilled", 2)],
    defects.a_leg_that_was_cancelled_and_comes_back: [_cancel("STOP1", "l"), _report("l", "PartFilled", 2)],
    defects.an_overfill_that_is_dropped: [_report("a", "Filled", 6)],
    defects.prices_that_nobody_checks: [_change("l", limit_price="5020")],
    defects.a_leg_that_is_never_raised_again: [
        _report("l", "Filled", 5),
        _change("l.STOP1", qty="2"),
        _change("l.STOP1", qty="5"),
    ],
    defects.a_leg_for_more_than_is_filled: [_report("l", "PartFilled", 2), _change("l.STOP1", qty="3")],
    defects.working_legs_that_cross: [
        _report("l", "Filled", 5),
        _change("l.STOP1", stop_price="5003"),
        _change("l.TARGET1", limit_price="5001"),
    ],
    # Of this one, 3 are filled.
    defects.a_leg_that_is_added_and_waits: [_replace("c", stop_loss="4990.5")],
    defects.a_leg_that_is_added_beside_an_earlier_one: [
        *_LEFT,
        _place("l", "u"),
        _replace("l", take_profit="5010", stop_loss="4990"),
    ],
    defects.a_place_beside_an_earlier_leg: [*_LEFT, _place("l", extras={"stop_loss": "4990.5"})],
    # A stop is moved, works by the time of the resend, and was moved again.
    defects.a_leg_that_forgets_what_it_was_given: [
        _change("l.STOP1", stop_price="4985.5", mishap=WRITE_LOST),
        _report("l", "PartFilled", 2),
        _change("l.STOP1", stop_price="4992"),
        _RESEND,
    ],
    defects.a_replacement_by_the_same_values: [_replace("a", price="5000.25")],
    defects.a_report_that_leaves_no_number: [
        _report("a", "Accepted"),
        _report("a", "Accepted"),
        take("report", order="a", state="Working", filled=0, late=1),
    ],
    defects.a_name_that_is_never_free_again: [_cancel("ENTRY1", "t"), _place("e", "t")],
    defects.a_name_that_is_taken_from_an_open_order: [_place("e", "t")],
    defects.a_large_template_that_never_frees_its_names: [
        Taken("store_template", {"trader": "ann", "name": "swing", "brackets": ((1, "10", "5"),) * 20}),
        _place("e", "u", extras={"strategy": "swing"}),
        _cancel("ENTRY1", "u"),
        _place("f", "u", extras={"strategy": "swing"}),
    ],
    defects.a_strategy_that_stays_closed: [_CLOSE, _place("e", "t")],
    defects.an_account_compared_with_case: [take("cancel_many", command=CancelOrders({"account": "sim101"}))],
    defects.a_resend_taken_for_a_new_alert: [
        _change("a", limit_price="5001", mishap=WRITE_LOST),
        _change("a", limit_price="5009"),
        _RESEND,
    ],
    # The second is a new alert, which is answered; what comes 5 s after the first is that one's resend.
    defects.a_resend_judged_by_the_latest_trace: [
        _change("a", limit_price="5001", mishap=WRITE_LOST),
        _SAME_AGAIN,
        _change("a", limit_price="5009"),
        _RESEND,
    ],
    # The name leads to a third order when the resend comes that means the first one.
    defects.a_name_that_remembers_one_order_alone: [
        _cancel("ENTRY1", "t", mishap=WRITE_LOST),
        _place("e", "t"),
        _cancel("e"),
        _place("f", "t"),
        _RESEND,
    ],
    defects.a_new_alert_taken_for_a_resend: [
        _change("a", limit_price="5001"),
        _change("a", limit_price="5009"),
        _wait(5),
        _FIRST_AGAIN,
    ],
    defects.a_resend_that_may_come_at_any_time: [
        _change("a", limit_price="5001", mishap=WRITE_LOST),
        _change("a", limit_price="5009"),
        _wait(31),
        _RESEND,
    ],
    defects.a_cutoff_that_is_ignored: [
        take("cancel_many", command=CancelAllOrders(), mishap=LOST),
        _place("e"),
        _RESEND,
    ],
    defects.an_off_that_undoes_a_later_on: [_turn("on"), _turn("off", LOST), _turn("on"), _RESEND],
    defects.an_off_that_leaves_no_trace_where_it_is_off: [_turn("off")],
    defects.a_close_that_leaves_no_trace_where_orders_only_wait: [
        _place("e", "u", delay="10"),
        take("cancel_many", command=CloseStrategy({"strategy_id": "u"})),
    ],
    defects.a_kill_switch_that_stops_the_price_of_a_leg: [
        _turn("on"),
        _change("l.STOP1", stop_price="4985.5"),
        _change("STOP1", "l", stop_price="4990"),
    ],
    defects.a_kill_switch_that_lets_a_quantity_grow: [_turn("on"), _change("a", qty="3"), _change("a", qty="4")],
    defects.a_kill_switch_that_lets_the_price_of_an_entry_pass: [
        _turn("on"),
        _change("a", qty="3", limit_price="5001"),
    ],
    defects.a_resent_change_that_the_kill_switch_stops: [_replace("a", mishap=WRITE_LOST), _turn("on"), _RESEND],
    defects.an_order_that_waits_for_ever: [_place("e", delay="2"), _STANDSTILL, _cancel("e"), _wait(1)],
    defects.a_finished_order_that_is_said_to_wait: [
        _place("e", delay="10", mishap=WRITE_LOST),
        _cancel("e"),
        _RESEND,
    ],
    defects.a_delayed_order_that_is_only_a_message: [_place("e", delay="2")],
    defects.a_release_after_the_kill_switch: [_place("e", delay="2"), _turn("on"), _turn("off"), _wait(4)],
    defects.a_cancel_of_all_that_is_not_noted: [_place("e", delay="2"), _CANCEL_ALL, _wait(4)],
    defects.a_bar_that_is_cancelled_whole: [_place("e", delay="2"), _CANCEL_ORDERS],
    defects.a_release_of_what_was_ended: [_place("e", delay="2"), _cancel("e"), _wait(4)],
}

ANSWERED_RESENDS: Sequence[Sequence[Taken]] = (
    # A resend was answered: the same text after that is a new alert, and means the order that has the name then.
    (
        _cancel("ENTRY1", "t", mishap=WRITE_LOST),
        _RESEND,
        _place("e", "t"),
        _FIRST_AGAIN,
    ),
    # The same of a PLACE, whose id is taken by then.
    (
        _place("e", mishap=WRITE_LOST),
        _RESEND,
        _cancel("e"),
        _wait(5),
        _FIRST_AGAIN,
    ),
)

_STOP = {"stop_loss": "4990"}
_TWO_LATE = (
    *(step for order_id in ("a2", "b2") for step in (_place(order_id, "v", extras=_STOP), _cancel(order_id))),
    _place("c2", "v"),
    _wait(40),
    *(_report(order_id, "Filled", 5) for order_id in ("a2", "b2")),
)
"""STOP1 leads to an order without a stop; two trades that were filled late have one of that name."""

BORNE_NAMES: Sequence[Sequence[Taken]] = tuple(
    (*_TWO_LATE, _cancel("STOP1", "v", mishap=f"{mishap} the ninth request{lost}"), *between, _RESEND)
    for mishap, lost in (("answer to", " lost"), ("busy at", ""))
    for between in ((), (_cancel("c2"), _place("d2", "v", extras=_STOP)), (_report("a2.STOP1", "Filled", 5),))
)
"""A resend by such a name, of an alert that was carried out and of one that was not, and what comes in between."""
