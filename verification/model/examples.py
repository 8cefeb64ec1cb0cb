"""For each defect one short sequence of steps that shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from verification import defects
from verification.defects import Defect
from verification.model.machine import Taken, take
from verification.model.trader import CancelAllOrders, CancelOrders, CloseStrategy

A = 0
"""The number of order a, which works and belongs to no strategy."""
LAST = -1
"""Stands for the order that was last spoken of."""
ENTRY = ("ENTRY1", "s")
"""The entry of a strategy with legs, which is filled in part."""


def _cancel(order: int, **more: Any) -> Taken:
    return take("cancel", about=(order, None), **more)


def _report(order: int, state: str, filled: int | None = None) -> Taken:
    return take("report", order=order, state=state, filled=filled)


def _place(order_id: str, strategy_id: str | None = None, price: str = "5000.25") -> Taken:
    return take("place", order_id=order_id, strategy_id=strategy_id, price=price, extras={}, market={})


def _replace(order: int) -> Taken:
    return take("replace", about=(order, None), legs={}, price="5001")


_CANCEL_ALL = take("cancel_many", command=CancelAllOrders())

EXAMPLES: Mapping[Defect, Sequence[Taken]] = {
    # One of all orders is being cancelled already.
    defects.a_write_without_condition: [_CANCEL_ALL],
    defects.a_condition_that_only_knows_filled: [_CANCEL_ALL],
    defects.a_cancel_of_what_is_being_cancelled: [_CANCEL_ALL],
    defects.a_cancel_of_many_that_writes_nothing: [_CANCEL_ALL],
    defects.a_list_without_its_first_order: [_CANCEL_ALL],
    defects.an_own_write_taken_for_anothers: [_cancel(A, mishap="answer lost")],
    defects.an_answer_before_the_write: [_cancel(A)],
    defects.a_name_that_leads_to_a_stale_order: [
        take("cancel_by_name", about=ENTRY),
        _place("e", "s"),
        take("cancel_by_name", about=("ENTRY2", "s")),
    ],
    # Both traders begin with orders of the same ids.
    defects.a_partition_for_all_traders: [],
    defects.a_cancel_that_forgets_what_was_filled: [take("cancel_by_name", about=ENTRY)],
    defects.a_late_fill_that_is_dropped: [_cancel(A), _report(LAST, "Filled", 5)],
    defects.a_finished_order_that_moves_again: [_report(A, "Filled", 5), _report(LAST, "Working")],
    defects.a_place_that_overwrites: [_place("a", price="5001")],
    defects.a_place_that_takes_every_order_for_its_own: [_place("a", price="5001")],
    defects.a_change_below_what_is_filled: [take("change_by_name", about=ENTRY, new={"qty": "1"})],
    defects.a_change_that_leaves_the_offset: [
        take("change_by_name", about=("TARGET1", "s"), new={"limit_price": "5001"})
    ],
    defects.a_replacement_of_what_is_finished: [_report(A, "Filled", 5), _replace(LAST)],
    defects.a_replacement_beside_the_order: [_replace(A)],
    defects.a_cancel_of_many_beyond_its_account: [
        take("cancel_many", command=CancelOrders({"account": "Sim101", "instrument": "NQ 12-26"}))
    ],
    defects.a_strategy_that_is_only_said_to_be_closed: [
        take("cancel_many", command=CloseStrategy({"strategy_id": "s"}))
    ],
    # After it was closed and its orders were listed, one cancel fails.
    defects.a_close_after_the_cancels: [
        take("cancel_many", command=CloseStrategy({"strategy_id": "s"}), mishap="busy at the third request")
    ],
}
