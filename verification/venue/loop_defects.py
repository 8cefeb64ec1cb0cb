"""Defects to be seeded into the bridge and the functions: the simulation of the whole loop has to notice each."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from bridge import brackets, carrying_out, changing, engine, legs, looking, oif, positions, reporting, state
from bridge.ninjatrader import Folder
from bridge.records import TableOrder, Terms, VenueOrder
from bridge.state import Turn
from cli.aws import paper_exchange
from orderhook import order_reports
from verification.venue import defects
from verification.venue.defects import Defect

Patch = pytest.MonkeyPatch


def a_half_read_file_that_is_believed(patch: Patch) -> None:
    read = Folder._read

    def believe(folder: Folder, file: Any) -> bool:
        is_news = read(folder, file)
        reading = folder._readings.get(file.name)
        if reading is None or reading.is_taken:
            return is_news
        folder._readings[file.name] = reading._replace(is_taken=True)
        return True

    patch.setattr(Folder, "_read", believe)


def a_position_of_yesterday(patch: Patch) -> None:
    read = positions.read_position
    patch.setattr(engine, "read_position", lambda turn, it: read(turn, it._replace(written_since_start=True)))


def legs_that_nobody_cancels(patch: Patch) -> None:
    patch.setattr(engine, "end_orphans", lambda _: None)


def legs_that_are_cancelled_with_anothers(patch: Patch) -> None:
    end_orphans = positions.end_orphans

    def each_alone(turn: Turn) -> None:
        for entry in list(turn.active_entries()):
            with pytest.MonkeyPatch.context() as alone:
                alone.setattr(turn, "active_entries", lambda entry=entry: iter([turn.orders[entry.order_id]]))
                alone.setattr(turn, "awaiting", set())
                end_orphans(turn)

    patch.setattr(engine, "end_orphans", each_alone)


def a_refused_change_that_is_taken_for_done(patch: Patch) -> None:
    patch.setattr(changing, "_refuse", lambda *_: None)


def a_real_account_without_leave(patch: Patch) -> None:
    why_refused = carrying_out.why_refused

    def why(turn: Turn, order: TableOrder) -> str | None:
        found = why_refused(turn, order)
        return None if found and "trades real money" in found else found

    patch.setattr(carrying_out, "why_refused", why)


def a_late_report_that_takes_a_cancel_away(patch: Patch) -> None:
    patch.setattr(order_reports, "_ASKED", frozenset())


def an_execution_that_is_dropped(patch: Patch) -> None:
    executions = reporting._executions
    patch.setattr(reporting, "_executions", lambda order, known: executions(order, known)[:1])


def a_file_that_is_written_twice(patch: Patch) -> None:
    after_crash = state._after_crash

    def unwritten(order: VenueOrder, at: Any) -> VenueOrder:
        order = after_crash(order, at)
        place = order.place
        if place is None or place.stage != "ambiguous":
            return order
        return order._replace(place=place._replace(stage="unwritten"))

    patch.setattr(state, "_after_crash", unwritten)
    # It shows where neither the log nor a state says in time that NinjaTrader has read the file.
    patch.setattr(engine, "read_log", lambda *_: None)
    patch.setattr(paper_exchange, "_SUBMITTED_AFTER", timedelta(seconds=5))


def an_offset_from_the_last_fill(patch: Patch) -> None:
    defects.an_offset_from_the_last_fill(patch)


def a_stop_that_waits_for_a_look(patch: Patch) -> None:
    place_stop = brackets._place_stop

    def wait(turn: Turn, *arguments: Any) -> None:
        if turn.at - (turn.now.looked_at or turn.at) > timedelta(days=1):
            place_stop(turn, *arguments)

    patch.setattr(brackets, "_place_stop", wait)


def a_journal_that_does_not_know_its_age(patch: Patch) -> None:
    patch.setattr(looking, "is_older", lambda *_: False)


def a_change_that_is_confirmed_unseen(patch: Patch) -> None:
    write_change = changing.write_change

    def confirmed(turn: Turn, table_order: TableOrder, order: VenueOrder, goal: changing.Goal) -> None:
        write_change(turn, table_order, order, goal)
        known = turn.venue_orders[order.venue_id]
        turn.put(known._replace(change=None)._replace(**goal._asdict()))

    patch.setattr(changing, "write_change", confirmed)
    patch.setattr(carrying_out, "write_change", confirmed)
    patch.setattr(brackets, "write_change", confirmed)


def a_line_without_its_price(patch: Patch) -> None:
    patch.setattr(oif, "_price", lambda price: "" if price is None else str(int(price)))


def a_change_dropped_in_part(patch: Patch) -> None:
    def take(turn: Turn, _: TableOrder, leg: TableOrder, asked: Terms) -> None:
        turn.put(leg._replace(**asked._asdict(), asked=None, ended=None))

    patch.setattr(legs, "_settle_leg", take)


class Seeded(NamedTuple):
    """A defect, and where it shows."""

    defect: Defect
    troubles: tuple[str, ...] = ()
    """In which it shows."""
    shows: str = ""
    """The words of what is found then, where another finding would not do."""
    habits: Mapping[str, float] = {}
    """What the trader does oftener, so that it shows."""


SEEDED = (
    Seeded(a_half_read_file_that_is_believed, ("writes_halves",)),
    Seeded(a_position_of_yesterday, ("yesterday's files",)),
    Seeded(legs_that_nobody_cancels, ("a person trades",)),
    Seeded(legs_that_are_cancelled_with_anothers, ("a person trades",), "were cancelled, and those of"),
    Seeded(a_refused_change_that_is_taken_for_done, ("refuses_changes",)),
    Seeded(a_real_account_without_leave),
    Seeded(a_late_report_that_takes_a_cancel_away, ("late reports",)),
    Seeded(an_execution_that_is_dropped, ("part fills", "network")),
    Seeded(a_file_that_is_written_twice, ("crashes",), "was placed twice"),
    Seeded(an_offset_from_the_last_fill, ("part fills",), ", and counts ", {"templates": 10}),
    Seeded(a_stop_that_waits_for_a_look),
    Seeded(a_journal_that_does_not_know_its_age, ("journal lost",)),
    Seeded(a_change_that_is_confirmed_unseen, ("refuses_changes",), " at the venue, ("),
    Seeded(
        a_change_dropped_in_part,
        ("refuses_changes",),
        "was done in part",
        {"market orders": 0, "replacements": 15, "replacements with legs": 0.9, "points to a limit": 20},
    ),
    Seeded(a_line_without_its_price),
)
