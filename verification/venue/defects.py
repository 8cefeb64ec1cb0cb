"""Defects to be seeded into the engine: the simulation has to notice each."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from bridge import (
    brackets,
    cancelling,
    carrying_out,
    changing,
    confirming,
    engine,
    looking,
    oif,
    readiness,
    reading,
    reporting,
    state,
)
from bridge.events import Save
from bridge.records import TableOrder, VenueOrder
from bridge.state import Turn

Patch = pytest.MonkeyPatch
Defect = Callable[[Patch], None]


def _nothing(*_: object) -> None:
    return None


def a_journal_after_the_file(patch: Patch) -> None:
    done = Turn.done

    def late(turn: Turn) -> Any:
        after, effects = done(turn)
        return after, sorted(effects, key=lambda effect: isinstance(effect, Save))

    patch.setattr(Turn, "done", late)


def a_place_that_is_retried_after_a_crash(patch: Patch) -> None:
    after_crash = state._after_crash

    def unwritten(order: VenueOrder, at: datetime) -> VenueOrder:
        order = after_crash(order, at)
        place = order.place
        is_doubtful = place is not None and place.stage == "ambiguous"
        return order._replace(place=place._replace(stage="unwritten")) if place and is_doubtful else order

    patch.setattr(state, "_after_crash", unwritten)


def a_second_owner(patch: Patch) -> None:
    patch.setattr(Turn, "owns", property(lambda _: True))


def a_cancel_that_is_forgotten_before_the_first_state(patch: Patch) -> None:
    follow_live = cancelling._follow_live
    patch.setattr(cancelling, "HELD", timedelta(0))

    def once(turn: Turn, order: VenueOrder, cancel: Any) -> None:
        if not cancel.is_early:
            follow_live(turn, order, cancel)

    patch.setattr(cancelling, "_follow_live", once)


def a_report_that_ends_a_newer_want(patch: Patch) -> None:
    patch.setattr(reporting, "_is_answered", lambda _turn, order, _state: order.acked < order.n)


def a_target_before_its_stop(patch: Patch) -> None:
    keep_stop = brackets._keep_stop
    patch.setattr(brackets, "_keep_stop", lambda turn, part: keep_stop(turn, part) or True)


def an_offset_from_the_last_fill(patch: Patch) -> None:
    prices_of = brackets.prices_of

    def last(turn: Turn, entry: TableOrder, leg: TableOrder) -> Any:
        return prices_of(turn, entry._replace(increments=entry.increments[-1:]), leg)

    patch.setattr(brackets, "prices_of", last)


def a_leg_for_the_whole_quantity(patch: Patch) -> None:
    part = brackets._part
    patch.setattr(brackets, "_part", lambda turn, entry, *rest: part(turn, entry, *rest)._replace(qty=entry.qty))


def an_oco_id_for_all_pairs(patch: Patch) -> None:
    venue_id = oif.venue_id

    def same(*parts: str | int) -> str:
        return venue_id("OCO") if "OCO" in parts else venue_id(*parts)

    patch.setattr(oif, "venue_id", same)


def a_global_command(patch: Patch) -> None:
    patch.setattr(oif, "cancel", lambda _: "CANCELALLORDERS;;;;;;;;;;;;")


def a_line_of_fourteen_fields(patch: Patch) -> None:
    line = oif._line
    patch.setattr(oif, "_line", lambda *values: line(*values) + ";")


def an_opening_that_is_too_late(patch: Patch) -> None:
    _without_refusal(patch, "too late: the bridge was away")


def _without_refusal(patch: Patch, reason: str) -> None:
    why_refused = carrying_out.why_refused

    def why(turn: Turn, order: TableOrder) -> str | None:
        found = why_refused(turn, order)
        return None if found == reason else found

    patch.setattr(carrying_out, "why_refused", why)


def a_kill_switch_that_is_not_asked(patch: Patch) -> None:
    _without_refusal(patch, "the kill switch is on")


def an_order_of_another_journal_that_is_placed(patch: Patch) -> None:
    patch.setattr(looking, "is_older", lambda *_: False)


def a_report_that_is_never_sent_again(patch: Patch) -> None:
    patch.setattr(looking, "_SENT_AGAIN", timedelta(days=1))


def fills_that_are_told_once(patch: Patch) -> None:
    executions = reporting._executions
    patch.setattr(reporting, "_executions", lambda order, known: executions(order, known)[-1:])


def a_stop_that_is_not_placed(patch: Patch) -> None:
    patch.setattr(brackets, "_place_stop", _nothing)


def a_rejected_stop_that_is_let_be(patch: Patch) -> None:
    patch.setattr(brackets, "_close", _nothing)


def a_partner_that_is_not_shrunk(patch: Patch) -> None:
    patch.setattr(brackets, "_change", _nothing)


def a_partner_that_is_not_placed_again(patch: Patch) -> None:
    patch.setattr(brackets, "_was_cancelled", lambda _: False)
    alarm = brackets._alarm
    patch.setattr(
        brackets,
        "_alarm",
        lambda turn, part, code, *why: None if code == "unprotected" else alarm(turn, part, code, *why),
    )


def a_file_that_is_left_in_incoming(patch: Patch) -> None:
    patch.setattr(confirming, "follow_file", _nothing)
    patch.setattr(readiness, "follow_file", _nothing)


def a_change_that_is_never_confirmed(patch: Patch) -> None:
    patch.setattr(changing, "values_of", lambda order: changing.Goal(order.qty, None, None))


def a_replacement_whose_rest_is_lost(patch: Patch) -> None:
    patch.setattr(carrying_out, "_open_next", _nothing)


def a_fill_after_the_end_that_is_dropped(patch: Patch) -> None:
    read = reading.read_state

    def deaf(turn: Turn, event: Any) -> None:
        known = turn.venue_orders.get(event.venue_id)
        if known is None or known.cancel is None:
            read(turn, event)
        else:
            read(turn, event._replace(filled=known.filled))

    patch.setattr(engine, "read_state", deaf)


SEEDED: tuple[Defect, ...] = (
    a_journal_after_the_file,
    a_place_that_is_retried_after_a_crash,
    a_second_owner,
    a_cancel_that_is_forgotten_before_the_first_state,
    a_report_that_ends_a_newer_want,
    a_target_before_its_stop,
    an_offset_from_the_last_fill,
    a_leg_for_the_whole_quantity,
    an_oco_id_for_all_pairs,
    a_global_command,
    a_line_of_fourteen_fields,
    an_opening_that_is_too_late,
    a_kill_switch_that_is_not_asked,
    an_order_of_another_journal_that_is_placed,
    a_report_that_is_never_sent_again,
    fills_that_are_told_once,
    a_stop_that_is_not_placed,
    a_rejected_stop_that_is_let_be,
    a_partner_that_is_not_shrunk,
    a_partner_that_is_not_placed_again,
    a_file_that_is_left_in_incoming,
    a_replacement_whose_rest_is_lost,
    a_fill_after_the_end_that_is_dropped,
)
