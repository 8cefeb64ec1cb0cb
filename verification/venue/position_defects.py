"""Defects to be seeded into what acts on positions: the simulation has to notice each."""

from datetime import timedelta
from typing import Any

import pytest

from bridge import (
    bracketing,
    closing,
    conditions,
    engine,
    heeding,
    instructing,
    making,
    partial_closes,
    reversing,
)
from bridge.records import Close, TableInstruction
from bridge.state import Turn
from verification.venue.loop_defects import Seeded

Patch = pytest.MonkeyPatch


def a_close_beside_living_stops(patch: Patch) -> None:
    patch.setattr(closing, "ORDERS_END_WITHIN", timedelta(0))


def a_close_that_is_repeated_at_once(patch: Patch) -> None:
    patch.setattr(closing, "_WRITTEN_AGAIN", timedelta(0))


def a_close_of_another_bridges_account(patch: Patch) -> None:
    for module in (closing, instructing):
        patch.setattr(module, "why_not_account", lambda *_: None)


def a_part_that_is_too_large(patch: Patch) -> None:
    def one_more(*parts: Any, **values: Any) -> Any:
        return making.make_order(*parts, **values | {"qty": values["qty"] + 1})

    patch.setattr(partial_closes, "make_order", one_more)


def a_reversal_that_waits_for_nothing(patch: Patch) -> None:
    await_flat = reversing._await_flat

    def at_once(turn: Turn, instruction: TableInstruction, close: Close) -> None:
        await_flat(turn, instruction, close._replace(result="done"))

    patch.setattr(reversing, "_await_flat", at_once)


def a_reversal_of_twice_the_size(patch: Patch) -> None:
    def twice(*parts: Any, **values: Any) -> Any:
        return making.make_order(*parts, **values | {"qty": 2 * values["qty"]})

    patch.setattr(reversing, "make_order", twice)


def a_turn_of_what_is_flat(patch: Patch) -> None:
    patch.setattr(conditions, "_there_is_one", lambda *_: "holds")


def an_entry_that_does_not_wait_for_its_close(patch: Patch) -> None:
    close = heeding._close

    def at_once(*parts: Any) -> Any:
        close(*parts)
        return "holds"

    patch.setattr(heeding, "_close", at_once)


def a_requirement_that_is_not_asked(patch: Patch) -> None:
    patch.setattr(conditions, "_is_where", lambda *_: "holds")


def a_number_of_positions_that_is_not_asked(patch: Patch) -> None:
    patch.setattr(conditions, "_is_room", lambda *_: "holds")


def a_sync_that_is_not_compared(patch: Patch) -> None:
    patch.setattr(heeding, "compare", lambda *_: "in_sync")


def a_bracket_larger_than_its_position(patch: Patch) -> None:
    patch.setattr(bracketing, "min", max, raising=False)


def a_result_that_is_not_told(patch: Patch) -> None:
    for module in (engine, instructing):
        patch.setattr(module, "report_instruction", lambda *_: None)


SEEDED: tuple[Seeded, ...] = (
    Seeded(a_close_beside_living_stops, (), "was closed beside"),
    Seeded(a_close_that_is_repeated_at_once, ("late positions",), "was closed again"),
    Seeded(a_close_of_another_bridges_account, (), "a position of account"),
    Seeded(a_part_that_is_too_large, (), ", and closed ", {"position commands": 0.7, "parts": 20}),
    Seeded(a_reversal_that_waits_for_nothing, (), "has turned", {"position commands": 0.7, "reversals": 20}),
    Seeded(a_reversal_of_twice_the_size, (), "has turned", {"position commands": 0.7, "reversals": 20}),
    Seeded(a_turn_of_what_is_flat, (), "was to turn a position", {"position commands": 0.7, "reversals": 20}),
    Seeded(an_entry_that_does_not_wait_for_its_close, (), "was never flat since"),
    Seeded(a_requirement_that_is_not_asked, (), " requires "),
    Seeded(
        a_number_of_positions_that_is_not_asked,
        (),
        " positions, and opened one",
        {"market orders": 9, "numbers of positions": 9},
    ),
    Seeded(a_sync_that_is_not_compared, (), " is in sync with "),
    Seeded(a_bracket_larger_than_its_position, (), "got brackets for", {"position commands": 0.5, "brackets": 10}),
    Seeded(a_result_that_is_not_told, (), "has no result"),
)
