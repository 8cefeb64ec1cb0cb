"""The lines and names of NinjaTrader's order instruction files."""

import re
from decimal import Decimal

import pytest

from bridge import oif
from bridge.records import VenueOrder
from tests import oif_reader

MARKET = VenueOrder("oh1", "long", "Sim101", "ES 12-26", "SELL", "MARKET", "DAY", 1)


def test_a_line_that_places_has_thirteen_fields_in_the_help_guides_order() -> None:
    order = VenueOrder("oh1", "long", "Sim101", "ES 12-26", "BUY", "STOPLIMIT", "GTC", 2)
    line = oif.place(order._replace(limit_price=Decimal("5000.50"), stop_price=Decimal("5000"), oco_id="oh2"))
    assert line == "PLACE;Sim101;ES 12-26;BUY;2;STOPLIMIT;5000.5;5000;GTC;oh2;oh1;;"
    assert line.count(";") == 12


def test_a_market_order_has_no_prices() -> None:
    assert oif.place(MARKET) == "PLACE;Sim101;ES 12-26;SELL;1;MARKET;;;DAY;;oh1;;"


def test_a_template_of_ninjatraders_stands_in_the_last_two_fields() -> None:
    line = oif.place(MARKET._replace(atm_template="ES scalp", atm_strategy_id="oh2"))
    assert line == "PLACE;Sim101;ES 12-26;SELL;1;MARKET;;;DAY;;oh1;ES scalp;oh2"


def test_a_change_leaves_prices_that_it_does_not_name() -> None:
    assert oif.change("oh1", qty=3, stop_price=Decimal("4990")) == "CHANGE;;;;3;;0;4990;;;oh1;;"


def test_a_strategy_of_ninjatraders_is_closed_by_its_id_in_the_last_field() -> None:
    line = oif.close_strategy("oh2")
    assert line == "CLOSESTRATEGY;;;;;;;;;;;;oh2"
    assert oif_reader.read_line(line).strategy_id == "oh2"
    name = oif.file_name("oh" + "a" * 16, "strategy", 2)
    assert (name, oif.read_file_name(name)) == (f"oif_oh_oh{'a' * 16}_s2.txt", ("oh" + "a" * 16, "strategy"))


def test_a_cancel_names_the_order_in_the_eleventh_field() -> None:
    assert oif.cancel("oh1") == "CANCEL;;;;;;;;;;oh1;;"


@pytest.mark.parametrize("account", ["Sim;101", "Sim\n101", "Sím101"])
def test_a_value_that_does_not_fit_into_a_line_is_refused(account: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        oif.place(MARKET._replace(account=account))


def test_the_same_parts_have_the_same_id_and_others_another() -> None:
    assert oif.venue_id("request", 1, "STOP1", 0) == oif.venue_id("request", 1, "STOP1", 0)
    assert len({oif.venue_id("request", 1, "STOP1", 0), oif.venue_id("request", 2, "STOP1", 0)}) == 2
    assert len({oif.venue_id("a", "b"), oif.venue_id("ab", ""), oif.venue_id("", "ab")}) == 3


def test_an_id_is_fit_for_the_name_of_a_file_on_windows() -> None:
    assert re.fullmatch("oh[a-z2-7]{16}", oif.venue_id("request"))


@pytest.mark.parametrize("purpose", ["place", "change", "cancel"])
def test_a_files_name_tells_what_it_is_for(purpose: oif.Purpose) -> None:
    order = oif.venue_id("request")
    assert oif.read_file_name(oif.file_name(order, purpose, 12)) == (order, purpose)


def test_the_files_of_an_orders_cancels_have_names_of_their_own() -> None:
    order = oif.venue_id("request")
    assert len({oif.file_name(order), *(oif.file_name(order, "cancel", n) for n in (1, 2))}) == 3


def test_the_name_of_another_programs_file_tells_nothing() -> None:
    assert oif.read_file_name("oif.txt") is None
    assert oif.read_file_name("oif_oh_oh1.txt") is None


@pytest.mark.parametrize("qty", [0, -1])
def test_an_order_of_nothing_has_no_line(qty: int) -> None:
    with pytest.raises(ValueError, match="contracts cannot be placed"):
        oif.place(MARKET._replace(qty=qty))
