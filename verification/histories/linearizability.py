"""Is a history of concurrent operations explained by some order in which they took effect one at a time?

The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993) with Lowe's pruning ("Testing for
linearizability", 2017): a configuration, which operations have taken effect and the state they left, is visited once.

Histories of separate objects are checked separately: linearizability is local (Herlihy and Wing, 1990).
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from operator import eq, le
from typing import Generic, NamedTuple, TypeVar

StateT = TypeVar("StateT", bound=Hashable)
CommandT = TypeVar("CommandT", bound=Hashable)
ResultT = TypeVar("ResultT", bound=Hashable)


class Outcome(Enum):
    UNKNOWN = "unknown"


UNKNOWN = Outcome.UNKNOWN
"""The result of an operation that took effect once, at any time after it was invoked, or never."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[CommandT, ResultT]):
    """What a client asked, when, and what it was told; times are of one monotonic clock, such as time.monotonic_ns.

    An operation without a known result has no end either: it may take effect long after its client gave up.
    """

    command: CommandT
    result: ResultT | Outcome
    invoked: float
    completed: float = math.inf


@dataclass(frozen=True, slots=True)
class Model(Generic[StateT, CommandT, ResultT]):
    """What one object does when its operations come one at a time.

    `step` lists every allowed (result, next state): several where the specification leaves a choice.
    `agrees` tells whether the result that a client was told is the one allowed here, `changes_nothing` whether a result
    is of the kind that never goes with a new state; to know it saves the search most of its way.
    """

    initial: StateT
    step: Callable[[StateT, CommandT], Iterable[tuple[ResultT, StateT]]]
    agrees: Callable[[ResultT, ResultT], bool] = eq
    changes_nothing: Callable[[ResultT], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Contradiction(Generic[CommandT, ResultT]):
    """Operations whose results no order explains, whatever the `others` answered and whether or not they happened."""

    operations: Sequence[Operation[CommandT, ResultT]]
    others: int

    def __str__(self) -> str:
        start = min((operation.invoked for operation in self.operations), default=0)
        lines = ["No order of these operations explains their results (ms):"]
        lines += [
            f"  {(op.invoked - start) / 1e6:9.3f} to {(op.completed - start) / 1e6:9.3f}  {op.command} -> {op.result}"
            for op in self.operations
        ]
        if self.others:
            lines.append(f"  Nor does it help if any of {self.others} further operations happened or not, and when.")
        return "\n".join(lines)


def contradictions(
    histories: Mapping[str, Sequence[Operation[CommandT, ResultT]]], model: Model[StateT, CommandT, ResultT]
) -> dict[str, Contradiction[CommandT, ResultT]]:
    """Check the history of every object, and return what is wrong with those that are not linearizable."""
    found = {name: contradiction(history, model) for name, history in histories.items()}
    return {name: wrong for name, wrong in found.items() if wrong}


def contradiction(
    history: Sequence[Operation[CommandT, ResultT]], model: Model[StateT, CommandT, ResultT]
) -> Contradiction[CommandT, ResultT] | None:
    """Return None for a linearizable history, else a small part of it that is none."""
    if _explained(history, model):
        return None
    history = _shortest_beginning(history, model)
    # An operation whose result may be forgotten, and the contradiction stays, is no part of it.
    for index, operation in enumerate(history):
        forgetful = [*history[:index], _forget(operation), *history[index + 1 :]]
        if not _explained(forgetful, model, effort=3_000):
            history = forgetful
    known = [operation for operation in history if operation.result is not UNKNOWN]
    return Contradiction(known, others=len(history) - len(known))


def _forget(operation: Operation[CommandT, ResultT]) -> Operation[CommandT, ResultT]:
    return replace(operation, result=UNKNOWN, completed=math.inf)


def _shortest_beginning(
    history: Sequence[Operation[CommandT, ResultT]], model: Model[StateT, CommandT, ResultT]
) -> list[Operation[CommandT, ResultT]]:
    """Cut the history at the first result that cannot be explained: what begins well is linearizable up to there."""

    def until(time: float) -> list[Operation[CommandT, ResultT]]:
        begun = sorted((op for op in history if op.invoked <= time), key=lambda op: op.invoked)
        return [op if op.completed <= time else _forget(op) for op in begun]

    times = sorted(op.completed for op in history if op.result is not UNKNOWN)
    good, bad = -1, len(times) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if _explained(until(times[middle]), model):
            good = middle
        else:
            bad = middle
    return until(times[bad])


def _explained(
    history: Sequence[Operation[CommandT, ResultT]],
    model: Model[StateT, CommandT, ResultT],
    effort: float = math.inf,
) -> bool:
    """Search for an order that explains every known result; after `effort` configurations, suppose there is one."""
    search = _Search(history, model)
    stack = [search.start]
    seen = {(search.start.done, search.start.state): [search.start.spent]}
    while stack:
        configuration = stack.pop()
        if configuration.done == search.everything or len(seen) > effort:
            return True
        # Reversed, so that the order of invocation, most likely the right one, is tried first, and lost ones last.
        for following in reversed(search.following(configuration)):
            others = seen.setdefault((following.done, following.state), [])
            # Whoever came here with fewer lost operations spent can do all that this one can.
            if not any(all(map(le, fewer, following.spent)) for fewer in others):
                others.append(following.spent)
                stack.append(following)
    return False


class _Configuration(NamedTuple, Generic[StateT]):
    done: int
    """A bit for each known operation that took effect."""
    spent: tuple[int, ...]
    """How many of each lost command took effect."""
    state: StateT


class _Search(Generic[StateT, CommandT, ResultT]):
    def __init__(
        self, history: Sequence[Operation[CommandT, ResultT]], model: Model[StateT, CommandT, ResultT]
    ) -> None:
        in_order = sorted(history, key=lambda operation: operation.invoked)
        self.model = model
        self.known = [(op, op.result) for op in in_order if not isinstance(op.result, Outcome)]
        # Lost operations with the same command are interchangeable, so the one invoked first is always the one to try.
        self.lost: dict[CommandT, list[float]] = {}
        for operation in in_order:
            if operation.result is UNKNOWN:
                self.lost.setdefault(operation.command, []).append(operation.invoked)
        self.everything = (1 << len(self.known)) - 1
        self.start = _Configuration(0, (0,) * len(self.lost), model.initial)

    def following(self, configuration: _Configuration[StateT]) -> list[_Configuration[StateT]]:
        """Let every operation that may be next take effect."""
        done, spent, state = configuration
        found = []
        # Whoever was invoked after somebody's completion comes after him: only up to the earliest one may be next.
        deadline = math.inf
        first_not_done = (~done & (done + 1)).bit_length() - 1
        for index in range(first_not_done, len(self.known)):
            operation, told = self.known[index]
            if operation.invoked > deadline:
                break
            if done >> index & 1:
                continue
            deadline = min(deadline, operation.completed)
            for result, after in self.model.step(state, operation.command):
                if self.model.agrees(told, result):
                    one_more = _Configuration(done | 1 << index, spent, after)
                    if self.model.changes_nothing(told):
                        # It stands in nobody's way, so to place it wherever it first fits is never worse.
                        return [one_more]
                    found.append(one_more)
        for kind, (command, invocations) in enumerate(self.lost.items()):
            count = spent[kind]
            if count < len(invocations) and invocations[count] <= deadline:
                more_spent = (*spent[:kind], count + 1, *spent[kind + 1 :])
                # One that changes nothing might as well never have happened.
                found += [
                    _Configuration(done, more_spent, after)
                    for _, after in self.model.step(state, command)
                    if after != state
                ]
        return found
