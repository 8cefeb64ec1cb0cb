import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain, combinations, permutations
from typing import TypeAlias, TypeVar

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.states import CANCELLABLE, CANCELLED_ALREADY, FINISHED_OTHERWISE, STATES
from verification.histories.linearizability import UNKNOWN, Model, Operation, Outcome, contradiction, contradictions
from verification.histories.order import Answer, Cancel, Command, Look, Order, Place, Report, one_order

StateT = TypeVar("StateT", bound=Hashable)
CommandT = TypeVar("CommandT", bound=Hashable)
ResultT = TypeVar("ResultT", bound=Hashable)
Done: TypeAlias = Operation[Command, Answer]


def done(
    command: Command, word: str, invoked: int, completed: int, *, state: str | None = None, filled: int | None = None
) -> Done:
    return Operation(command, Answer(word, state, filled), invoked, completed)


def lost(command: Command, invoked: int) -> Done:
    return Operation(command, UNKNOWN, invoked)


def explained(*history: Done, model: Model[Order | None, Command, Answer] | None = None) -> bool:
    return contradiction(history, model or one_order()) is None


PLACED = done(Place(), "placed", 0, 1)
CANCELLED = done(Cancel(), "cancelled", 2, 3)


def test_commands_one_after_the_other_are_explained_by_their_order() -> None:
    assert explained(PLACED, CANCELLED, done(Cancel(), "already_cancelled", 4, 5))


def test_concurrent_commands_may_have_taken_effect_in_either_order() -> None:
    assert explained(PLACED, done(Cancel(), "already_cancelled", 2, 9), done(Cancel(), "cancelled", 3, 8))
    assert explained(PLACED, done(Cancel(), "cancelled", 2, 9), done(Cancel(), "already_cancelled", 3, 8))


def test_real_time_order_is_kept() -> None:
    twice = [done(Cancel(), "already_cancelled", 2, 3), done(Cancel(), "cancelled", 4, 5)]
    assert not explained(PLACED, *twice)
    during_both = done(Report("Filled", 1), "applied", 2, 5)
    assert not explained(PLACED, *twice, during_both)


def test_what_ends_at_the_moment_in_which_another_begins_is_concurrent_with_it() -> None:
    assert explained(PLACED, done(Cancel(), "already_cancelled", 2, 4), done(Cancel(), "cancelled", 4, 5))


def test_a_stale_read_is_found() -> None:
    assert not explained(PLACED, CANCELLED, done(Look(), "found", 4, 5, state="Working"))


def test_a_lost_update_is_found() -> None:
    fill = done(Report("Filled", 1), "applied", 2, 9)
    cancel = done(Cancel(), "cancelled", 3, 8)
    assert not explained(PLACED, fill, cancel, done(Look(), "found", 10, 11, state="Cancelled", filled=0))
    assert explained(PLACED, fill, cancel, done(Look(), "found", 10, 11, state="Cancelled", filled=1))


def test_two_cancels_that_both_succeed_are_found_however_they_overlap() -> None:
    assert not explained(PLACED, done(Cancel(), "cancelled", 2, 9), done(Cancel(), "cancelled", 3, 8))


def test_a_cancel_of_a_filled_order_is_not_explained_by_a_fill_that_came_later() -> None:
    cancel = done(Cancel(), "order_already_terminal", 2, 3, state="Filled")
    assert not explained(PLACED, cancel, done(Report("Filled", 1), "applied", 4, 5))
    assert explained(PLACED, cancel, done(Report("Filled", 1), "applied", 3, 5))


def test_a_lost_operation_may_have_happened_or_not() -> None:
    assert explained(PLACED, lost(Cancel(), 2), done(Look(), "found", 4, 5, state="Working"))
    assert explained(PLACED, lost(Cancel(), 2), done(Look(), "found", 4, 5, state="Cancelled"))


def test_a_lost_operation_may_happen_long_after_its_client_gave_up() -> None:
    working = done(Look(), "found", 4, 5, state="Working")
    assert explained(PLACED, lost(Cancel(), 2), working, done(Look(), "found", 6, 7, state="Cancelled"))


def test_a_lost_operation_does_not_happen_before_it_was_invoked() -> None:
    assert not explained(PLACED, done(Look(), "found", 4, 5, state="Cancelled"), lost(Cancel(), 6))


def test_a_lost_operation_happens_once_at_most() -> None:
    place_again = done(Place("other"), "placed", 4, 5)
    assert not explained(lost(Place(), 0), CANCELLED, place_again)
    both_parts = [done(Look(), "found", time, time + 1, state=state) for time, state in ((4, "Filled"), (6, "Working"))]
    assert not explained(PLACED, lost(Report("Filled", 1), 2), *both_parts)


def test_a_lost_operation_that_must_have_happened_cannot_be_undone() -> None:
    seen = done(Look(), "found", 4, 5, state="Cancelled")
    assert not explained(PLACED, lost(Cancel(), 2), seen, done(Look(), "found", 6, 7, state="Working"))


def test_as_many_lost_operations_happened_as_the_results_need() -> None:
    def counter(state: int, command: str) -> Iterable[tuple[int, int]]:
        return [(state, state + 1 if command == "add" else state)]

    model = Model(0, counter)
    adds: list[Operation[str, int]] = [Operation("add", UNKNOWN, 0) for _ in range(3)]
    assert contradiction([*adds, Operation("read", 3, 1, 2)], model) is None
    assert contradiction([*adds, Operation("read", 4, 1, 2)], model) is not None


def test_a_way_that_leaves_more_lost_operations_is_tried_though_another_came_first() -> None:
    # k, a, b lead to 7 as well, and are tried first; but only a, k leave the b that leads on to 9.
    moves = {(0, "k"): 5, (5, "a"): 6, (6, "b"): 7, (0, "a"): 8, (8, "k"): 7, (7, "b"): 9}

    def step(state: int, command: str) -> Iterable[tuple[int | None, int]]:
        after = moves.get((state, command), state)
        return [(after, after)]

    history: list[Operation[str, int | None]] = [
        Operation("a", UNKNOWN, 0),
        Operation("b", UNKNOWN, 0),
        Operation("read", 7, 2, 3),
        Operation("read", 9, 4, 5),
    ]
    model = Model(0, step, agrees=lambda heard, allowed: heard in (None, allowed))
    assert contradiction([*history, Operation("k", None, 0, 1)], model) is None
    assert contradiction([*history, Operation("k", 5, 0, 1)], model) is not None


@pytest.mark.parametrize(
    ("change", "before"),
    [
        (done(Place(), "placed", 2, 9), done(Look(), "order_not_found", 3, 8)),
        (done(Cancel(), "cancelled", 2, 9), done(Look(), "found", 3, 8, state="Working")),
        (done(Report("Filled", 1), "applied", 2, 9), done(Look(), "found", 3, 8, state="Working")),
    ],
)
def test_a_change_may_come_after_what_was_asked_later(change: Done, before: Done) -> None:
    initial = None if change.command == Place() else Order("Working", 0, "")
    assert explained(change, before, model=one_order(initial=initial))


def test_only_answers_that_never_go_with_a_change_are_said_to_change_nothing() -> None:
    model = one_order()
    commands: list[Command] = [
        Place(),
        Place("other"),
        Cancel(),
        Cancel(own=False),
        Look(),
        *(Report(state, 2) for state in STATES),
    ]
    steps = [
        (order, answer, after)
        for order in (None, *(Order(state, 1, "") for state in STATES))
        for command in commands
        for answer, after in model.step(order, command)
    ]
    assert {answer.word for order, answer, after in steps if order != after} == {"placed", "cancelled", "applied"}
    assert all(order == after for order, answer, after in steps if model.changes_nothing(answer))


def test_what_had_only_begun_is_not_taken_for_the_contradiction() -> None:
    look = done(Look(), "found", 2, 100, state="Cancelled")
    stranger = done(Cancel(own=False), "order_not_found", 3, 10)
    cancels = [done(Cancel(), "cancelled", 50, 60), done(Cancel(), "cancelled", 200, 201)]
    found = contradiction([PLACED, look, stranger, *cancels], one_order())
    assert found
    assert found.operations == cancels


def test_a_contradiction_names_the_operations_that_make_it_and_no_others() -> None:
    fine = [done(Cancel(own=False), "order_not_found", time, time + 50) for time in range(0, 200, 5)]
    bad = done(Cancel(), "cancelled", 2_000_000, 3_000_000)
    found = contradiction([*fine, PLACED, CANCELLED, bad, done(Look(), "found", 4_000_000, 5_000_000)], one_order())
    assert found
    assert str(found).splitlines() == [
        "No order of these operations explains their results (ms):",
        "      0.000 to     0.000  Cancel(own=True) -> cancelled",
        "      2.000 to     3.000  Cancel(own=True) -> cancelled",
        "  Nor does it help if any of 41 further operations happened or not, and when.",
    ]


def test_each_order_has_its_own_history() -> None:
    found = contradictions({"good": [PLACED, CANCELLED], "bad": [CANCELLED], "empty": []}, one_order())
    assert list(found) == ["bad"]
    assert found["bad"].operations == [CANCELLED]


@pytest.mark.parametrize("state", CANCELLABLE)
def test_an_open_order_is_cancelled(state: str) -> None:
    model = one_order(initial=Order(state, 0, ""))
    assert explained(done(Cancel(), "cancelled", 0, 1, state=state), model=model)
    assert not explained(done(Cancel(), "already_cancelled", 0, 1), model=model)


@pytest.mark.parametrize("state", CANCELLED_ALREADY)
def test_an_order_that_is_being_cancelled_stays_as_it_is(state: str) -> None:
    model = one_order(initial=Order(state, 0, ""))
    look = done(Look(), "found", 2, 3, state=state)
    assert explained(done(Cancel(), "already_cancelled", 0, 1), look, model=model)
    assert not explained(done(Cancel(), "cancelled", 0, 1), model=model)


@pytest.mark.parametrize("state", FINISHED_OTHERWISE)
def test_a_finished_order_stays_finished(state: str) -> None:
    model = one_order(initial=Order(state, 1, ""))
    assert explained(done(Cancel(), "order_already_terminal", 0, 1, state=state), model=model)
    assert not explained(done(Cancel(), "cancelled", 0, 1), model=model)
    assert not explained(done(Report("Working", 1), "applied", 0, 1), model=model)
    assert explained(done(Report("Filled", 1), "refused", 0, 1), model=model)


def test_a_fill_that_overtook_the_cancel_is_recorded_beside_the_end() -> None:
    fill = done(Report("Filled", 1), "applied", 4, 5)
    assert explained(PLACED, CANCELLED, fill, done(Look(), "found", 6, 7, state="Cancelled", filled=1))
    assert not explained(PLACED, CANCELLED, fill, done(Look(), "found", 6, 7, state="Filled", filled=1))
    assert not explained(PLACED, CANCELLED, done(Report("Filled", 1), "refused", 4, 5))


def test_a_cancelled_order_keeps_what_was_filled() -> None:
    part = done(Report("PartFilled", 2), "applied", 2, 3)
    cancel = done(Cancel(), "cancelled", 4, 5, state="PartFilled")
    assert explained(PLACED, part, cancel, done(Look(), "found", 6, 7, state="Cancelled", filled=2))
    assert not explained(PLACED, part, cancel, done(Look(), "found", 6, 7, state="Cancelled", filled=0))


def test_a_report_without_a_quantity_leaves_what_was_filled() -> None:
    parts = [done(Report("PartFilled", 2), "applied", 2, 3), done(Report("PartFilled"), "refused", 4, 5)]
    assert explained(PLACED, *parts, done(Look(), "found", 6, 7, state="PartFilled", filled=2))
    assert not explained(PLACED, *parts, done(Look(), "found", 6, 7, state="PartFilled", filled=0))


def test_another_trader_sees_no_order_and_changes_none() -> None:
    stranger = Cancel(own=False)
    assert explained(PLACED, done(stranger, "order_not_found", 2, 3), done(Look(), "found", 4, 5, state="Working"))
    assert not explained(PLACED, done(stranger, "cancelled", 2, 3))
    assert not explained(PLACED, done(stranger, "order_not_found", 2, 3, state="Working"))


def test_an_order_id_stays_taken_after_the_order_is_finished() -> None:
    assert explained(PLACED, done(Place(), "already_placed", 4, 5))
    assert explained(PLACED, CANCELLED, done(Place(), "duplicate_order_id", 4, 5))
    assert not explained(PLACED, CANCELLED, done(Place(), "already_placed", 4, 5))
    assert explained(PLACED, CANCELLED, done(Place("other"), "duplicate_order_id", 4, 5))
    assert not explained(PLACED, CANCELLED, done(Place(), "placed", 4, 5))
    assert not explained(done(Cancel(), "cancelled", 0, 1))
    assert explained(done(Cancel(), "order_not_found", 0, 1), done(Report("Filled", 1), "refused", 2, 3))


def tried_in_every_order(
    history: Sequence[Operation[CommandT, ResultT]], model: Model[StateT, CommandT, ResultT]
) -> bool:
    """Decide the same by definition: every subset of the lost operations, in every order that real time allows."""

    def runs(order: Sequence[Operation[CommandT, ResultT]]) -> bool:
        states = {model.initial}
        for op in order:
            states = {
                after
                for state in states
                for result, after in model.step(state, op.command)
                if isinstance(op.result, Outcome) or model.agrees(op.result, result)
            }
        return bool(states)

    known = [op for op in history if op.result is not UNKNOWN]
    perhaps = [op for op in history if op.result is UNKNOWN]
    happened = chain.from_iterable(combinations(perhaps, count) for count in range(len(perhaps) + 1))
    return any(
        all(earlier.invoked <= later.completed for earlier, later in combinations(order, 2)) and runs(order)
        for subset in happened
        for order in permutations([*known, *subset])
    )


def histories(
    commands: st.SearchStrategy[CommandT], results: Callable[[CommandT], st.SearchStrategy[ResultT]]
) -> st.SearchStrategy[list[Operation[CommandT, ResultT]]]:
    @st.composite
    def operation(draw: st.DrawFn) -> Operation[CommandT, ResultT]:
        command, invoked = draw(commands), draw(st.integers(0, 8))
        if draw(st.integers(0, 3)) == 0:
            return Operation(command, UNKNOWN, invoked)
        return Operation(command, draw(results(command)), invoked, invoked + draw(st.integers(0, 6)))

    return st.lists(operation(), max_size=6)


def register(state: int, command: int | str) -> Iterable[tuple[int | None, int]]:
    return [(state, state)] if command == "read" else [(None, int(command))]


@given(
    histories(
        st.sampled_from([1, 2, "read", "read"]),
        lambda command: st.sampled_from([0, 1, 2]) if command == "read" else st.none(),
    )
)
def test_the_search_decides_about_a_register_as_trying_every_order_does(
    history: list[Operation[int | str, int | None]],
) -> None:
    model = Model(0, register)
    expected = tried_in_every_order(history, model)
    event(f"linearizable: {expected}")
    assert (contradiction(history, model) is None) == expected


ANSWERS = {
    Place: ["placed", "already_placed", "duplicate_order_id"],
    Cancel: ["cancelled", "cancelled", "already_cancelled", "order_already_terminal", "order_not_found"],
    Report: ["applied", "refused"],
    Look: ["found", "order_not_found"],
}
SOME_STATES = st.sampled_from([None, None, "Working", "PartFilled", "Cancelled", "Filled"])


@given(
    histories(
        st.sampled_from(
            [Place(), Place(), Place("other"), Cancel(), Cancel(), Report("Filled", 2), Report("PartFilled", 1), Look()]
        ),
        lambda command: st.builds(Answer, st.sampled_from(ANSWERS[type(command)]), SOME_STATES),
    ),
    st.sampled_from([None, Order("Working", 0, ""), Order("Suspended", 0, ""), Order("Cancelled", 1, "")]),
)
def test_the_search_decides_about_an_order_as_trying_every_order_does(
    history: list[Done], initial: Order | None
) -> None:
    model = one_order(initial=initial)
    expected = tried_in_every_order(history, model)
    event(f"linearizable: {expected}")
    found = contradiction(history, model)
    assert (found is None) == expected
    if found:
        # What is named contradicts itself when everything else is left open.
        rest = [op for op in history if op not in found.operations]
        assert not tried_in_every_order(
            [*found.operations, *(Operation(op.command, UNKNOWN, op.invoked, math.inf) for op in rest)], model
        )
