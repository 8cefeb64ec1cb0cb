"""What commands lead to with a venue, and without one."""

from datetime import UTC, datetime, timedelta

import pytest

from orderhook.orders import CANCELLABLE, OPEN, OrderState, Want
from orderhook.provenance import Provenance
from orderhook.venues import NINJATRADER, TABLE, VENUES, Kind, venue_of
from tests.builders import order, provenance

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RECEIVED = AT - timedelta(seconds=2)
BY = Provenance("ada", "k1", "r1", AT, received=RECEIVED)


def test_the_table_ends_what_is_cancelled_and_a_venue_keeps_it_open() -> None:
    assert TABLE.cancelled is OrderState.CANCELLED
    assert NINJATRADER.cancelled in OPEN - CANCELLABLE
    assert NINJATRADER.placed in CANCELLABLE


@pytest.mark.parametrize("kind", ["place", "change", "replace", "cancel"])
def test_of_the_table_nothing_is_wanted(kind: Kind) -> None:
    assert TABLE.want(BY, kind) is None


def test_what_opens_may_be_done_for_a_time_after_its_receipt_and_what_closes_at_any_time() -> None:
    received = "2026-01-02T03:04:03.000000Z"
    assert NINJATRADER.want(BY, "place") == Want(1, "place", received, "2026-01-02T03:04:33.000000Z")
    assert NINJATRADER.want(BY, "change", 5, closes=True) == Want(5, "change", received)


def test_what_was_delayed_has_its_time_from_the_end_of_its_delay_on() -> None:
    venue = NINJATRADER._replace(too_late=timedelta(seconds=10))
    want = venue.want(BY._replace(due=AT + timedelta(seconds=40)), "change")
    assert want is not None
    assert want.not_after == "2026-01-02T03:04:55.000000Z"


@pytest.mark.parametrize(
    ("done", "asked"),
    [
        ("cancelled", "cancel_pending"),
        ("changed", "change_pending"),
        ("replaced", "replace_pending"),
        ("placed", "placed"),
        ("already_cancelled", "already_cancelled"),
    ],
)
def test_an_answer_never_says_done_of_what_is_only_asked(done: str, asked: str) -> None:
    assert (TABLE.word(done), NINJATRADER.word(done)) == (done, asked)


def test_an_order_keeps_its_venue_whatever_the_deployment_has() -> None:
    own = NINJATRADER._replace(too_late=timedelta(seconds=10))
    here = order(provenance("ada", "r1"), "a")
    there = here._replace(venue="ninjatrader")
    assert (venue_of(here, own), venue_of(there, own)) == (TABLE, own)
    assert (venue_of(here, TABLE), venue_of(there, TABLE)) == (TABLE, NINJATRADER)


def test_a_venue_that_only_a_newer_version_knows_is_asked_and_never_taken_for_the_table() -> None:
    elsewhere = order(provenance("ada", "r1"), "a")._replace(venue="exchange")
    assert venue_of(elsewhere) == NINJATRADER._replace(name="exchange")


def test_each_venue_has_the_name_that_orders_carry() -> None:
    assert {name: venue.name for name, venue in VENUES.items()} == {"none": None, "ninjatrader": "ninjatrader"}
