"""Prices of alerts that are a distance from the fill or from reference_price."""

from decimal import Decimal
from typing import Any

import pytest

from orderhook.commands import parse_command, parse_fields
from orderhook.commands.place import Place
from orderhook.errors import InvalidValueError, PayloadError, UnsupportedValueError
from orderhook.trade import LegTerms
from orderhook.venues import NINJATRADER, TABLE

BUY: dict[str, str] = {
    "account": "Sim101", "instrument": "ES 12-26", "action": "BUY", "qty": "1", "order_type": "MARKET", "tif": "DAY",
}  # fmt: skip


def place(**fields: str) -> Any:
    given, warnings = parse_fields(Place, {**BUY, **fields}.items(), is_json=True)
    assert not warnings
    return parse_command(Place, given)[0]


def refused(error: type[PayloadError], **fields: str) -> tuple[str | None, str]:
    with pytest.raises(error) as caught:
        place(**fields)
    return caught.value.field, caught.value.detail


# Legs


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({"take_profit": "20   ticks"}, [LegTerms("TARGET", "LIMIT", offset=Decimal(5))]),
        ({"take_profit": "+0.5%"}, [LegTerms("TARGET", "LIMIT", offset=Decimal("0.5"), in_percent=True)]),
        ({"stop_loss": "-$250"}, [LegTerms("STOP", "STOPMARKET", offset=Decimal(5))]),
        ({"action": "SELL", "stop_loss": "2.5 pts"}, [LegTerms("STOP", "STOPMARKET", offset=Decimal("2.5"))]),
        (
            {"stop_loss_limit": "-12 ticks"},
            [LegTerms("STOP", "STOPLIMIT", offset=Decimal(3), limit_offset=Decimal(3))],
        ),
        (
            {"stop_loss_limit": "-3 points", "stop_loss_stop": "-10 ticks"},
            [LegTerms("STOP", "STOPLIMIT", offset=Decimal("2.5"), limit_offset=Decimal(3))],
        ),
        (
            {"action": "SELL", "stop_loss_limit": "1.5%", "stop_loss_stop": "1%"},
            [LegTerms("STOP", "STOPLIMIT", offset=Decimal(1), limit_offset=Decimal("1.5"), in_percent=True)],
        ),
        (
            {"take_profit": "5020", "stop_loss": "-10 ticks"},
            [LegTerms("TARGET", "LIMIT", Decimal(5020)), LegTerms("STOP", "STOPMARKET", offset=Decimal("2.5"))],
        ),
    ],
)
def test_a_leg_lies_as_far_from_the_fill_as_the_alert_says(fields: dict[str, str], terms: list[LegTerms]) -> None:
    assert place(**fields).new_order.legs == terms


@pytest.mark.parametrize(
    ("action", "field", "sent", "written"),
    [
        ("BUY", "stop_loss", "10 ticks", "stop_loss=-10 ticks"),
        ("BUY", "stop_loss", "$250", "stop_loss=-250 dollars"),
        ("BUY", "take_profit", "-1%", "take_profit=1%"),
        ("SELL", "stop_loss", "-10 ticks", "stop_loss=10 ticks"),
        ("SELL", "take_profit", "+2 points", "take_profit=-2 points"),
        ("BUY", "stop_loss_limit", "3 points", "stop_loss_limit=-3 points"),
        ("BUY", "take_profit", "0 ticks", "take_profit=10 ticks"),
    ],
)
def test_a_leg_on_the_wrong_side_of_any_fill_is_refused_with_the_right_sign(
    action: str, field: str, sent: str, written: str
) -> None:
    name, detail = refused(InvalidValueError, action=action, **{field: sent})
    assert (name, detail.endswith(f"write {written}.")) == (field, True)


@pytest.mark.parametrize(
    ("limit", "stop"), [("4990", "-10 ticks"), ("-10 ticks", "4990"), ("-1%", "-10 ticks"), ("-2 points", "-1%")]
)
def test_a_stop_limits_prices_that_cannot_be_compared_are_refused(limit: str, stop: str) -> None:
    assert refused(InvalidValueError, stop_loss_limit=limit, stop_loss_stop=stop)[0] == "stop_loss_limit"


def test_a_stop_limits_limit_is_not_nearer_than_its_stop() -> None:
    field, detail = refused(InvalidValueError, stop_loss_limit="-2 points", stop_loss_stop="-10 ticks")
    assert (field, "stop_loss_limit=-2 points must not lie above stop_loss_stop=-10 ticks" in detail) == (
        "stop_loss_limit", True,
    )  # fmt: skip
    place(stop_loss_limit="-2.5 points", stop_loss_stop="-10 ticks")


@pytest.mark.parametrize(("field", "sent"), [("take_profit", "0.2 ticks"), ("stop_loss", "-0.2 pts")])
def test_what_is_less_than_a_tick_is_refused(field: str, sent: str) -> None:
    assert refused(InvalidValueError, **{field: sent})[0] == field


def test_a_stop_below_zero_is_refused() -> None:
    assert refused(InvalidValueError, stop_loss="-100%")[0] == "stop_loss"
    place(stop_loss="-99.9%")


@pytest.mark.parametrize("sent", ["$", "$x", "1.2.3 ticks", "$5 ticks"])
def test_what_only_resembles_a_distance_says_how_one_is_written(sent: str) -> None:
    field, detail = refused(InvalidValueError, take_profit=sent)
    assert (field, "a distance such as -10 ticks" in detail) == ("take_profit", True)


@pytest.mark.parametrize("sent", ["-10 ticks", "-$100", "-1%"])
def test_what_needs_the_tick_of_an_unlisted_instrument_is_unsupported(sent: str) -> None:
    assert refused(UnsupportedValueError, instrument="ZZ 12-26", stop_loss=sent)[0] == "stop_loss"
    assert place(instrument="ZZ 12-26", stop_loss="-2 points").new_order.legs[0].offset == 2


def test_dollars_of_what_trades_in_another_currency_are_unsupported() -> None:
    field, detail = refused(UnsupportedValueError, instrument="FDAX 12-26", stop_loss="-$100")
    assert (field, "trades in EUR" in detail) == ("stop_loss", True)


def test_legs_in_another_spelling_are_the_same_order() -> None:
    spellings = {"stop_loss": "-10ticks", "take_profit": "5 %"}, {"stop_loss": "-10 TICK", "take_profit": "+5.0%"}
    first, second = (place(**fields).new_order.texts() for fields in spellings)
    assert first == second
    assert (first["stop_loss"], first["take_profit"]) == ("-10 ticks", "+5%")


@pytest.mark.parametrize(
    "entry",
    [
        {"order_type": "LIMIT", "limit_price": "5000"},
        {"order_type": "STOPMARKET", "stop_price": "5000"},
        {"order_type": "LIMIT", "limit_price": "-8 ticks", "reference_price": "5000"},
    ],
)
def test_a_percentage_of_less_than_a_tick_is_refused_where_the_entry_has_a_price(entry: dict[str, str]) -> None:
    for field, sign in (("stop_loss", "-"), ("take_profit", "+")):
        refusal = refused(InvalidValueError, **entry, **{field: f"{sign}0.0049%"})
        assert (refusal[0], "is less than a tick of ES 12-26, which is 0.25" in refusal[1]) == (field, True)
        assert place(**entry, **{field: f"{sign}0.0051%"}).new_order.relative_legs
        assert place(**{field: f"{sign}0.0049%"}).new_order.relative_legs  # at the market nobody knows


def test_relative_legs_are_for_a_venue() -> None:
    command = place(take_profit="1%")
    command.check_venue(NINJATRADER)
    with pytest.raises(UnsupportedValueError, match="Venue=ninjatrader"):
        command.check_venue(TABLE)


# The order's own prices

LIMIT: dict[str, str] = {"order_type": "LIMIT", "reference_price": "5000.25"}


@pytest.mark.parametrize(
    ("sent", "price"),
    [
        ("-10 ticks", "4997.75"),
        ("+0.1%", "5005.25"),
        ("2 points", "5002.25"),
        ("-$50", "4999.25"),
        ("0 ticks", "5000.25"),
    ],
)
def test_the_price_of_an_order_counts_from_reference_price_to_the_tick(sent: str, price: str) -> None:
    order = place(**LIMIT, limit_price=sent).new_order
    assert order.limit_price == Decimal(price)
    assert "reference_price" not in order.texts()
    stop = place(**{**LIMIT, "order_type": "STOPLIMIT"}, limit_price=sent, stop_price="+1 tick").new_order
    assert (stop.limit_price, stop.stop_price) == (Decimal(price), Decimal("5000.50"))


def test_relative_prices_of_an_order_are_judged_like_any_others() -> None:
    assert refused(InvalidValueError, **LIMIT, limit_price="-10 ticks", stop_loss="4999")[0] == "stop_loss"
    place(**LIMIT, limit_price="-10 ticks", stop_loss="-10 ticks", take_profit="5010")


def test_a_price_that_comes_to_nothing_is_refused() -> None:
    assert refused(InvalidValueError, **LIMIT, limit_price="-100%")[0] == "limit_price"


def test_without_a_tick_nothing_but_points_can_be_counted() -> None:
    unlisted = {**LIMIT, "instrument": "ZZ 12-26"}
    assert place(**unlisted, limit_price="-0.125 points").new_order.limit_price == Decimal("5000.125")
    for sent in ("-1%", "1 tick", "$1"):
        assert refused(UnsupportedValueError, **unlisted, limit_price=sent)[0] == "limit_price"


def test_reference_price_is_for_prices_that_count_from_it() -> None:
    given, warnings = parse_fields(
        Place, {**BUY, "reference_price": "{{close}}", "take_profit": "1%"}.items(), is_json=True
    )
    assert [(it.code, it.field) for it in warnings] == [("ignored_field", "reference_price")]
    assert "reference_price" not in given
    with pytest.raises(UnsupportedValueError) as caught:
        place(**LIMIT, limit_price="-1%").check_venue(TABLE)
    assert caught.value.field == "reference_price"
