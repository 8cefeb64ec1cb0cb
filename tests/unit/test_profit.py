"""Realized profit and loss: average cost by account and instrument, by days of the exchange, exact."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, product

import pytest

from orderhook.instruments import INSTRUMENTS
from orderhook.profit import (
    SETTLED,
    Closed,
    Fill,
    Flat,
    OfDay,
    OfInstrument,
    Total,
    by_day,
    match,
    same_names,
    totals,
    trading_day,
)

NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
"""12:00 in New York, on a Tuesday."""
TUESDAY = date(2026, 11, 24)
ES, ACCOUNT = "ES 12-26", "Sim101"
PRICES = [Decimal(text) for text in ("5000", "5001.25", "4999.5", "5010", "4980.75", "5003.25")]


def fills(
    *parts: tuple[int, str | None], account: str = ACCOUNT, instrument: str = ES, at: datetime = NOON
) -> list[Fill]:
    """Return fills of these quantities, below 0 sold, and prices, a minute apart."""
    return [
        Fill(account, instrument, quantity, None if price is None else Decimal(price), at + timedelta(minutes=number))
        for number, (quantity, price) in enumerate(parts)
    ]


def points(events: Iterable[Fill | Flat]) -> list[tuple[int, Fraction | None]]:
    """Return what was closed, one part after the other, and what was won by it."""
    return [(it.quantity, it.points) for it in match(events).closed]


# Matching


@pytest.mark.parametrize(
    ("parts", "closed", "held"),
    [
        ([(1, "5000")], [], 1),
        ([(1, "5000"), (-1, "5002.25")], [(1, "2.25")], 0),
        ([(-1, "5000"), (1, "5002.25")], [(1, "-2.25")], 0),
        ([(3, "5000"), (-1, "5001"), (-2, "4999")], [(1, "1"), (2, "-2")], 0),
        ([(1, "5000"), (1, "5010"), (-1, "5008")], [(1, "3")], 1),
        ([(1, "5000"), (1, "5010"), (-1, "5008"), (-1, "5008")], [(1, "3"), (1, "3")], 0),
        ([(-1, "5010"), (-3, "5002"), (2, "5000"), (2, "5004")], [(2, "8"), (2, "0")], 0),
        ([(2, "5000"), (-5, "5003"), (3, "5001")], [(2, "6"), (3, "6")], 0),
        ([(-2, "5000"), (3, "4990"), (-1, "4995")], [(2, "20"), (1, "5")], 0),
        ([(1, "5000"), (-2, "5001")], [(1, "1")], -1),
    ],
    ids=str,
)
def test_a_fill_against_the_position_closes_at_its_average_cost(
    parts: list[tuple[int, str]], closed: list[tuple[int, str]], held: int
) -> None:
    matched = match(fills(*parts))
    assert [(it.quantity, it.points) for it in matched.closed] == [(n, Fraction(won)) for n, won in closed]
    assert matched.open == ({(ACCOUNT, ES): held} if held else {})


def test_what_is_opened_again_has_its_own_cost() -> None:
    assert points(fills((1, "5000"), (-1, "5010"), (1, "5020"), (-1, "5015"))) == [(1, 10), (1, -5)]


def test_an_average_without_an_end_loses_nothing() -> None:
    parts = fills((1, "5000"), (2, "5000.25"), (-1, "5001"), (-1, "5001"), (-1, "5001"))
    assert [it for _, it in points(parts)] == [Fraction(5, 6)] * 3
    assert by_day(match(parts).closed)[0].realized == Decimal("125.00")


@pytest.mark.parametrize("length", range(1, 6))
def test_whatever_is_filled_from_flat_to_flat_wins_what_was_paid_less(length: int) -> None:
    """Every sequence of buying and selling one to three: what was realized and what is held is the cash that flowed."""
    for quantities in product((-3, -2, -1, 1, 2, 3), repeat=length):
        events = [
            Fill(ACCOUNT, ES, quantity, price, NOON + timedelta(seconds=number))
            for number, (quantity, price) in enumerate(zip(quantities, PRICES, strict=False))
        ]
        matched = match(events)
        cash = -sum(Fraction(it.price or 0) * it.quantity for it in events)
        held = sum(quantities)
        assert matched.open.get((ACCOUNT, ES), 0) == held
        won = sum((it.points or Fraction() for it in matched.closed), Fraction())
        assert won == cash + _cost(events), quantities
        if not held:
            assert won == cash
        # Each contract is opened once and closed once, or is held.
        assert sum(map(abs, quantities)) == 2 * sum(it.quantity for it in matched.closed) + abs(held)


def _cost(events: Sequence[Fill]) -> Fraction:
    """Return what is paid for what is held: another reckoning, contract by contract at the average of all held."""
    held: list[Fraction] = []
    side = 0
    for event in events:
        for _ in range(abs(event.quantity)):
            direction = 1 if event.quantity > 0 else -1
            if held and side != direction:
                average = sum(held, Fraction()) / len(held)
                held = [average] * (len(held) - 1)
            else:
                side, price = direction, Fraction(event.price or 0)
                held.append(price)
    return side * sum(held, Fraction())


def test_accounts_and_instruments_have_positions_of_their_own() -> None:
    both = [
        *fills((1, "5000"), (-1, "5001")),
        *fills((-1, "5000"), account="Sim102"),
        *fills((2, "21000"), (-1, "21010"), instrument="NQ 12-26"),
    ]
    matched = match(both)
    assert [(it.account, it.instrument, it.points) for it in matched.closed] == [
        (ACCOUNT, ES, 1),
        (ACCOUNT, "NQ 12-26", 10),
    ]
    assert matched.open == {("Sim102", ES): -1, (ACCOUNT, "NQ 12-26"): 1}


def test_fills_are_matched_in_the_order_of_their_times() -> None:
    events = fills((1, "5000"), (-1, "5001"), (-1, "5005"), (1, "5003"))
    assert points(reversed(events)) == points(events) == [(1, 1), (1, 2)]


# What is not known


@pytest.mark.parametrize(
    ("parts", "closed", "held"),
    [
        ([(1, None), (-1, "5000")], [(1, None)], 0),
        ([(1, "5000"), (-1, None)], [(1, None)], 0),
        ([(2, "5000"), (-1, None), (-1, "5003")], [(1, None), (1, "3")], 0),
        ([(1, "5000"), (1, None), (-1, "5003"), (-1, "5003")], [(1, None), (1, None)], 0),
        ([(1, None), (-1, "5000"), (1, "5000"), (-1, "5004")], [(1, None), (1, "4")], 0),
        ([(1, None), (-3, "5000"), (2, "4999")], [(1, None), (2, "2")], 0),
        ([(1, "5000"), (-2, None), (1, "4999")], [(1, None), (1, None)], 0),
    ],
    ids=str,
)
def test_what_a_fill_without_a_price_touches_is_not_known_and_nothing_else(
    parts: list[tuple[int, str | None]], closed: list[tuple[int, str | None]], held: int
) -> None:
    matched = match(fills(*parts))
    expected = [(quantity, None if won is None else Fraction(won)) for quantity, won in closed]
    assert [(it.quantity, it.points) for it in matched.closed] == expected
    assert sum(matched.open.values()) == held


def test_what_was_open_when_it_was_seen_flat_was_closed_at_an_unknown_price() -> None:
    later = NOON + timedelta(minutes=10)
    events: list[Fill | Flat] = [
        *fills((2, "5000")),
        Flat(ACCOUNT, ES, later),
        *fills((1, "5000"), (-1, "5004"), at=later),
    ]
    matched = match(events)
    assert [(it.quantity, it.points, it.at) for it in matched.closed][:1] == [(2, None, later)]
    assert [it.points for it in matched.closed[1:]] == [4]
    assert matched.open == {}


@pytest.mark.parametrize(("after", "counts"), [(timedelta(), False), (SETTLED, False), (SETTLED * 2, True)], ids=str)
def test_a_flat_of_a_moment_after_a_fill_may_be_from_before_it(after: timedelta, counts: bool) -> None:
    events: list[Fill | Flat] = [*fills((1, "5000")), Flat(ACCOUNT, ES, NOON + after)]
    assert bool(match(events).closed) is counts


def test_a_flat_of_what_is_flat_or_of_another_pair_says_nothing() -> None:
    later = NOON + timedelta(minutes=10)
    events: list[Fill | Flat] = [
        *fills((1, "5000"), (-1, "5001")),
        *fills((1, "5000"), account="Sim102"),
        Flat(ACCOUNT, ES, later),
        Flat(ACCOUNT, "NQ 12-26", later),
    ]
    matched = match(events)
    assert len(matched.closed) == 1
    assert matched.open == {("Sim102", ES): 1}


# Days and money


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-24T16:59:59-05:00", "2026-11-24"),
        ("2026-11-24T17:00:00-05:00", "2026-11-25"),
        ("2026-11-27T16:59:59-05:00", "2026-11-27"),
        ("2026-11-27T17:00:00-05:00", "2026-11-30"),
        ("2026-11-28T12:00:00-05:00", "2026-11-30"),
        ("2026-11-29T18:00:00-05:00", "2026-11-30"),
        ("2026-11-30T17:30:00-05:00", "2026-12-01"),
        ("2026-07-01T16:59:59-04:00", "2026-07-01"),
        ("2026-07-01T17:00:00-04:00", "2026-07-02"),
        ("2026-03-08T01:30:00-05:00", "2026-03-09"),
        ("2026-11-25T00:30:00+00:00", "2026-11-25"),
    ],
)
def test_a_day_ends_at_five_in_new_york_and_a_weekend_belongs_to_monday(at: str, day: str) -> None:
    assert trading_day(datetime.fromisoformat(at)) == date.fromisoformat(day)


def test_a_win_belongs_to_the_day_on_which_it_was_closed() -> None:
    evening = NOON + timedelta(hours=6)
    events = [*fills((2, "5000"), (-1, "5001")), *fills((-1, "5003"), at=evening)]
    days = by_day(match(events).closed)
    assert [(it.day, it.realized) for it in days] == [(TUESDAY, 50), (TUESDAY + timedelta(days=1), 150)]


@pytest.mark.parametrize("root", INSTRUMENTS)
def test_every_listed_future_is_worth_its_points(root: str) -> None:
    it = INSTRUMENTS[root]
    name = f"{root} 12-26"
    price = Decimal(100)
    events = fills((2, str(price)), (-2, str(price + it.tick)), instrument=name)
    [day] = by_day(match(events).closed)
    worth = (2 * it.tick * it.point_value).quantize(Decimal("0.01"))
    assert (day.currency, day.realized) == (it.currency, worth)
    assert day.instruments == (OfInstrument(name, 2, 2 * it.tick, worth, 0),)


def test_what_is_not_listed_has_points_and_no_money() -> None:
    [day] = by_day(match(fills((3, "10"), (-3, "9.5"), instrument="AAPL")).closed)
    assert day == OfDay(TUESDAY, ACCOUNT, None, None, (OfInstrument("AAPL", 3, Decimal("-1.5"), None, 0),))


def test_currencies_and_accounts_are_kept_apart_and_instruments_stand_together() -> None:
    events = [
        *fills((1, "5000"), (-1, "5001")),
        *fills((1, "21000"), (-1, "20990"), instrument="NQ 12-26"),
        *fills((1, "18000"), (-1, "18002"), instrument="FDAX 12-26"),
        *fills((1, "10"), (-1, "11"), instrument="AAPL"),
        *fills((1, "5000"), (-1, "5001"), account="Sim102"),
    ]
    days = by_day(match(events).closed)
    assert [(it.account, it.currency, it.realized, [row.instrument for row in it.instruments]) for it in days] == [
        (ACCOUNT, None, None, ["AAPL"]),
        (ACCOUNT, "EUR", 50, ["FDAX 12-26"]),
        (ACCOUNT, "USD", -150, [ES, "NQ 12-26"]),
        ("Sim102", "USD", 50, [ES]),
    ]
    assert totals(days) == [
        Total(ACCOUNT, "EUR", Decimal(50), 1, 0),
        Total(ACCOUNT, "USD", Decimal(-150), 2, 0),
        Total("Sim102", "USD", Decimal(50), 1, 0),
    ]


def test_what_is_not_known_is_counted_apart() -> None:
    [day] = by_day(match(fills((3, "5000"), (-1, "5001"), (-2, None))).closed)
    assert day.realized == 50
    assert day.instruments == (OfInstrument(ES, 1, Decimal(1), Decimal(50), 2),)


def test_a_day_of_which_nothing_is_known_has_its_row() -> None:
    [day] = by_day([Closed(ACCOUNT, ES, 2, NOON, None)])
    assert (day.realized, day.instruments[0].closed, day.instruments[0].unpriced) == (0, 0, 2)


def test_the_days_come_oldest_first() -> None:
    closed = [Closed(ACCOUNT, ES, 1, NOON + timedelta(days=days), Fraction(1)) for days in (2, 0, 1)]
    days = [it.day for it in by_day(closed)]
    assert all(earlier < later for earlier, later in pairwise(days))


def test_all_spellings_of_a_contract_and_of_an_account_are_one_position() -> None:
    spelt = ["ES 12-26", "ES DEC26", "ESZ6", "ESZ2026", "CME_MINI:ESZ2026"]
    events = [Fill(ACCOUNT, name, 1, Decimal(5000), NOON) for name in spelt]
    events.append(Fill("SIM101", "es dec26", -5, Decimal(5001), NOON + timedelta(minutes=1)))
    matched = match(same_names(events))
    assert [(it.account, it.instrument, it.points) for it in matched.closed] == [(ACCOUNT, ES, 5)]
    others: list[Fill | Flat] = [
        Fill(ACCOUNT, "Aapl", 1, Decimal(10), NOON),
        Flat("sim101", "AAPL", NOON + timedelta(minutes=1)),
    ]
    assert [(it.instrument, it.points) for it in match(same_names(others)).closed] == [("Aapl", None)]
