"""Orders that the engine makes itself, step by step: as any order, but that the table has to hear of them."""

from datetime import timedelta
from typing import Any

import pytest

from bridge import oif
from bridge.events import ConnectionRead, Fetch, Fetched, Save, WriteFile
from orderhook.bridge_messages import Made
from orderhook.order_reports import made_order
from orderhook.orders import Order, OrderState, timestamp
from orderhook.provenance import Provenance
from tests.bridge import START, Desk, asked, order, placed, want

NAME = "instruction.1"
ID = oif.venue_id(NAME, 1)
LINE = f"PLACE;Sim101;ES 12-26;SELL;1;MARKET;;;DAY;;{ID};;"
UNKNOWN_WORD = "MAKES"
"""The engine does nothing of itself for such an instruction."""


@pytest.fixture
def desk() -> Desk:
    desk = Desk().start()
    not_after = timestamp(desk.at + timedelta(seconds=30))
    desk.look(asked(desk, UNKNOWN_WORD, "instruction", not_after=not_after))
    return desk


def listed(desk: Desk, **values: Any) -> Order:
    """Return the made order as the table has it after its first report."""
    said = desk.last(NAME)
    assert said.made
    item = made_order(Provenance("main", "ninjatrader", said.placed_by, desk.at), NAME, said.made)
    return item._replace(**values)


def test_a_made_order_is_saved_before_it_is_written_and_told_at_once(desk: Desk) -> None:
    desk.wait(1)
    desk.effects.clear()
    assert desk.make("instruction", qty=1) == NAME
    kinds = [type(effect) for effect in desk.effects]
    assert kinds.index(Save) < kinds.index(WriteFile)
    assert desk.take() == [LINE]
    said = desk.last(NAME)
    assert (said.state, said.placed_by) == ("Initialized", NAME)
    received_at = timestamp(desk.state.instructions["instruction"].received_at)
    assert said.made == Made("Sim101", "ES 12-26", "SELL", 1, "MARKET", "DAY", "instruction", received_at)


def test_a_made_order_is_there_once_however_often_it_is_made(desk: Desk) -> None:
    for _ in range(3):
        desk.make("instruction")
        desk.wait(1)
    assert desk.take() == [LINE]
    assert desk.make("instruction", 2) == "instruction.2"
    assert [placed(line)["order_id"] for line in desk.take()] == [oif.venue_id("instruction.2", 1)]


def test_a_crash_before_the_file_was_seen_never_places_a_made_order_again(desk: Desk) -> None:
    desk.make("instruction")
    desk.crash()
    desk.start()
    desk.make("instruction")
    desk.wait(61)
    assert desk.take() == []
    assert desk.last(NAME).unresolved


def test_what_closes_is_placed_whatever_the_controls_say(desk: Desk) -> None:
    desk.look(kill_switch=True)
    desk.tell(ConnectionRead(connected=False))
    desk.at += timedelta(minutes=5)
    desk.make("instruction", opens=False)
    assert desk.take() == [LINE]


@pytest.mark.parametrize(
    ("waits", "kill_switch", "reason"),
    [(0, True, "the kill switch is on"), (31, False, "too late: the bridge was away")],
)
def test_a_made_order_that_opens_asks_what_a_place_asks(
    desk: Desk, waits: float, kill_switch: bool, reason: str
) -> None:
    desk.at += timedelta(seconds=waits)
    desk.look(kill_switch=kill_switch)
    desk.make("instruction", opens=True)
    assert desk.take() == []
    assert (desk.last(NAME).state, desk.last(NAME).reason) == ("Rejected", reason)
    assert desk.last(NAME).made


def test_a_made_order_that_opens_waits_for_a_fresh_look(desk: Desk) -> None:
    desk.at += timedelta(seconds=4)
    desk.make("instruction", opens=True)
    assert desk.take() == []
    desk.look()
    assert desk.take() == [LINE]


def test_a_look_that_lacks_a_made_order_does_not_end_it(desk: Desk) -> None:
    desk.make("instruction")
    desk.take()
    desk.effects.clear()
    desk.look()
    assert [it for it in desk.effects if isinstance(it, Fetch)] == [Fetch(NAME)]
    desk.tell(Fetched(NAME, None))
    desk.say(ID, "FILLED", 1, "5000")
    assert (desk.last(NAME).state, desk.last(NAME).filled) == ("Filled", 1)
    desk.look()
    assert NAME in desk.state.active


def test_the_end_of_a_made_order_is_told_until_the_table_has_it(desk: Desk) -> None:
    desk.make("instruction")
    desk.take()
    desk.say(ID, "FILLED", 1, "5000")
    told = len(desk.reports)
    desk.wait(11)
    desk.look()
    desk.tell(Fetched(NAME, None))
    assert [it.state for it in desk.reports[told:]] == ["Filled"]
    desk.wait(31)
    desk.look()
    desk.tell(Fetched(NAME, listed(desk, state=OrderState.FILLED)))
    assert NAME not in desk.state.active


def test_a_made_order_that_was_listed_ends_as_any_other(desk: Desk) -> None:
    desk.make("instruction")
    desk.take()
    desk.look(listed(desk))
    desk.say(ID, "FILLED", 1, "5000")
    desk.effects.clear()
    desk.look()
    assert NAME not in desk.state.active
    assert not [it for it in desk.effects if isinstance(it, Fetch)]


def test_a_cancel_from_the_table_reaches_a_made_order(desk: Desk) -> None:
    desk.make("instruction", order_type="LIMIT", limit_price=5000)
    desk.take()
    desk.say(ID, "WORKING")
    desk.look(listed(desk, want=want(desk, 2, "cancel")))
    assert desk.take() == [f"CANCEL;;;;;;;;;;{ID};;"]
    desk.say(ID, "CANCELLED")
    assert (desk.last(NAME).state, desk.last(NAME).acked) == ("Cancelled", 2)


def test_another_journal_never_places_what_the_first_one_has_made(desk: Desk) -> None:
    desk.make("instruction")
    item = listed(desk)
    other = Desk()
    other.at = START + timedelta(minutes=1)
    other.start().look(item)
    other.wait(1)
    assert other.take() == []
    assert other.last(NAME).unresolved
    other.look(item._replace(want=want(other, 2, "cancel")))
    assert other.take() == [f"CANCEL;;;;;;;;;;{ID};;"]


def test_an_order_in_the_place_of_another_bears_the_name_of_that_ones_placing(desk: Desk) -> None:
    desk.look(order(desk))
    desk.take()
    assert desk.make("long") == "request-long.1"
    assert desk.last("request-long.1").made.by == "long"  # type: ignore[union-attr]


def test_no_order_of_an_alert_says_that_it_was_made(desk: Desk) -> None:
    desk.look(order(desk))
    desk.take()
    desk.say(oif.venue_id("request-long", 1), "WORKING")
    assert desk.last("long").made is None
