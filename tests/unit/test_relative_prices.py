"""Prices that are a distance from another one: how they are written, and what they come to."""

from decimal import Decimal

import pytest

from orderhook.leg_prices import prices_from_offsets
from orderhook.orders import Leg, Order, OrderState
from orderhook.relative_prices import (
    NO_OFFSETS,
    Offsets,
    Relative,
    Unit,
    points_of,
    price_at,
    read_offsets,
    read_relative,
)

ES, FDAX, UNLISTED = "ES 12-26", "FDAX 12-26", "ZZ 12-26"


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("5%", "5", "percent"), ("5 %", "5", "percent"), ("5  ticks", "5", "ticks"), ("-3.3129%", "-3.3129", "percent"),
        ("1tick", "1", "ticks"), ("+12 TICKS", "12", "ticks"), ("-7.5 ticks", "-7.5", "ticks"),
        ("15 points", "15", "points"), ("1 Point", "1", "points"), ("-.25 pts", None, None), ("2pt", "2", "points"),
        ("250 dollars", "250", "dollars"), ("1 dollar", "1", "dollars"), ("-20 $", "-20", "dollars"),
        ("$50", "50", "dollars"), ("-$50.5", "-50.5", "dollars"), ("0.123456785%", "0.12345679", "percent"),
    ],
)  # fmt: skip
def test_a_distance_is_a_sign_a_number_and_a_unit(text: str, amount: str | None, unit: Unit) -> None:
    assert read_relative(text) == (Relative(Decimal(amount), unit) if amount else None)


@pytest.mark.parametrize(
    "text",
    ["5000", "-5", "$", "%", "ticks", "$5 ticks", "$5$", "5 tick s", "- 5 ticks", "5,5%", "1e3%", ""],
)
def test_anything_else_is_not_a_distance(text: str) -> None:
    assert read_relative(text) is None


@pytest.mark.parametrize("text", ["-10 ticks", "+0.5%", "+2 points", "-250 dollars"])
def test_a_distance_is_written_in_one_spelling(text: str) -> None:
    read = read_relative(text)
    assert str(read) == text


@pytest.mark.parametrize(
    ("text", "instrument", "points"),
    [
        ("-10 ticks", ES, "-2.5"), ("2 points", ES, "2"), ("$250", ES, "5"), ("-$1", "6J 12-26", "-0.00000008"),
        ("3 ticks", "ESZ6", "0.75"), ("1 tick", "ZT 12-26", "0.00390625"),
        ("2 points", UNLISTED, "2"), ("2 ticks", UNLISTED, None), ("$2", UNLISTED, None), ("1%", ES, None),
        ("$2", FDAX, None), ("2 ticks", FDAX, "2"),
    ],
)  # fmt: skip
def test_ticks_and_dollars_are_points_where_the_list_says_what_they_are_worth(
    text: str, instrument: str, points: str | None
) -> None:
    relative = read_relative(text)
    assert relative is not None
    assert points_of(relative, instrument) == (None if points is None else Decimal(points))


def test_a_price_at_a_distance_is_on_the_tick_where_that_is_known() -> None:
    def at(basis: str, distance: str, instrument: str = ES) -> str:
        relative = read_relative(distance)
        assert relative is not None
        return str(price_at(Decimal(basis), relative, instrument))

    assert at("5000.25", "-0.5%") == "4975.25"
    assert at("5000.125", "-2.5 points") == "4997.75"
    assert at("5000.125", "-10 ticks") == "4997.75"
    assert at("5000.125", "-2.5 points", UNLISTED) == "4997.625"
    assert at("3", "0.12345679%", UNLISTED) == "3.0037037"
    with pytest.raises(ValueError, match=r"not known what \+2 ticks of ZZ 12-26 is"):
        at("3", "2 ticks", UNLISTED)


def long(**values: object) -> Order:
    order = Order("a", "Sim101", ES, "BUY", 1, "MARKET", "DAY", OrderState.PART_FILLED, "now")
    return order._replace(filled=1, average=Decimal("5000.25"), **values)  # type: ignore[arg-type]


def test_a_legs_prices_lie_on_its_side_of_the_fill() -> None:
    target = Leg("LIMIT", offset=Decimal("0.5"), in_percent=True)
    stop = Leg("STOPLIMIT", offset=Decimal(10), limit_offset=Decimal(12))
    assert prices_from_offsets(long(), "TARGET1", target) == {"limit_price": Decimal("5025.25")}
    assert prices_from_offsets(long(), "STOP1", stop) == {
        "stop_price": Decimal("4990.25"),
        "limit_price": Decimal("4988.25"),
    }
    short = long(action="SELL")
    assert prices_from_offsets(short, "TARGET1", target) == {"limit_price": Decimal("4975.25")}
    in_percent = stop._replace(offset=Decimal(1), limit_offset=Decimal("1.5"), in_percent=True)
    assert prices_from_offsets(short, "STOP1", in_percent) == {
        "stop_price": Decimal("5050.25"),
        "limit_price": Decimal("5075.25"),
    }


@pytest.mark.parametrize(
    ("offsets", "texts"),
    [
        (NO_OFFSETS, {}),
        (Offsets(Decimal("2.50")), {"offset": "2.5"}),
        (Offsets(Decimal(1), Decimal("1.5"), in_percent=True), {"offset": "1%", "limit_offset": "1.5%"}),
    ],
)
def test_offsets_are_read_as_they_are_written(offsets: Offsets, texts: dict[str, str]) -> None:
    assert offsets.texts == texts
    assert read_offsets({**texts, "order_type": "LIMIT"}) == offsets
