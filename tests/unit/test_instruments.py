"""Futures: their values, the spellings of a contract, front months and rolls."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhook import instruments
from orderhook.exchange_days import business_days_after, business_days_before, us_exchanges
from orderhook.instruments import (
    INSTRUMENTS,
    Contract,
    canonical,
    continuous_root,
    expired,
    front_month,
    near_roll,
    parse,
    rolls,
    round_to_tick,
    tick_of,
)

TODAY = date(2026, 11, 28)
CODES = "FGHJKMNQUVXZ"
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()

# The specification's own list: root, value of a point, tick.
LISTED = """
    ES 50 1/4 · MES 5 1/4 · NQ 20 1/4 · MNQ 2 1/4 · YM 5 1 · MYM 1/2 1 · RTY 50 1/10 · M2K 5 1/10 · EMD 100 1/10 ·
    NKD 5 5 · CL 1000 1/100 · MCL 100 1/100 · NG 10000 1/1000 · RB 42000 1/10000 · HO 42000 1/10000 · GC 100 1/10 ·
    MGC 10 1/10 · SI 5000 5/1000 · SIL 1000 5/1000 · HG 25000 5/10000 · PL 50 1/10 · PA 100 1/2 · ZB 1000 1/32 ·
    UB 1000 1/32 · ZN 1000 1/64 · TN 1000 1/64 · ZF 1000 1/128 · ZT 2000 1/256 · 6E 125000 5/100000 ·
    6A 100000 5/100000 · 6C 100000 5/100000 · 6N 100000 5/100000 · 6B 62500 1/10000 · 6S 125000 5/100000 ·
    6J 12500000 5/10000000 · 6M 500000 1/100000 · M6A 10000 1/10000 · M6B 6250 1/10000 · M6E 12500 1/10000 · BTC 5 5 ·
    MBT 1/10 5 · ETH 50 1/2 · MET 1/10 1/2 · VX 1000 5/100 · FESX 10 1 · FDAX 25 1 · FDXM 5 1 · FDXS 1 1 ·
    ZC 50 1/4 · ZS 50 1/4 · ZW 50 1/4 · ZL 600 1/100
    """

EXCHANGES = {
    "CME": "ES MES NQ MNQ RTY M2K EMD NKD 6E 6A 6C 6N 6B 6S 6J 6M M6A M6B M6E BTC MBT ETH MET",
    "CBOT": "YM MYM ZB UB ZN TN ZF ZT ZC ZS ZW ZL",
    "NYMEX": "CL MCL NG RB HO PL PA",
    "COMEX": "GC MGC SI SIL HG",
    "CFE": "VX",
    "EUREX": "FESX FDAX FDXM FDXS",
}


def spellings(contract: Contract) -> Iterator[str]:
    """Yield every way to write a contract, without an exchange."""
    root, year, month = contract
    code, name = CODES[month - 1], MONTHS[month - 1]
    yield from (f"{root} {month:02}-{year % 100:02}", f"{root} {month:02}-{year}", f"{root} {month:02}{year % 100:02}")
    yield from (f"{root} {name}{year % 100:02}", f"{root} {name} {year % 100:02}", f"{root} {name}{year}")
    yield from (f"{root}{code}{year % 100:02}", f"{root}{code}{year}")
    if TODAY.year - 1 <= year <= TODAY.year + 8:
        yield f"{root}{code}{year % 10}"


def prefixes(exchange: str) -> Iterator[str]:
    """Yield the ways in which TradingView writes an exchange before a symbol."""
    yield from ("", f"{exchange}:", f"{exchange}_DL:", f"{exchange}_MINI:", f"{exchange}_MINI_DL:")
    if exchange == "CFE":
        yield "CBOE:"


def test_every_instrument_has_the_values_of_the_specification() -> None:
    listed = [row.split() for row in LISTED.split("·")]
    expected = {root: (Fraction(point), Fraction(tick)) for root, point, tick in listed}
    assert {it.root: (Fraction(it.point_value), Fraction(it.tick)) for it in INSTRUMENTS.values()} == expected
    assert all(root == it.root for root, it in INSTRUMENTS.items())


def test_every_instrument_has_its_exchange_and_its_currency() -> None:
    expected = {root: exchange for exchange, roots in EXCHANGES.items() for root in roots.split()}
    assert {it.root: it.exchange for it in INSTRUMENTS.values()} == expected
    assert {it.root for it in INSTRUMENTS.values() if it.currency != "USD"} == {"FESX", "FDAX", "FDXM", "FDXS"}
    assert INSTRUMENTS["FDAX"].currency == "EUR"


@pytest.mark.parametrize("root", sorted(INSTRUMENTS))
def test_every_spelling_of_every_contract_is_one(root: str) -> None:
    for year in range(2025, 2036):
        for month in range(1, 13):
            contract = Contract(root, year, month)
            for spelling in spellings(contract):
                for prefix in prefixes(INSTRUMENTS[root].exchange):
                    for text in (prefix + spelling, (prefix + spelling).lower(), f" {prefix}{spelling} "):
                        assert parse(text, TODAY) == contract, text
            assert canonical(contract.name, TODAY) == contract.name


@given(st.sampled_from(sorted(INSTRUMENTS)), st.integers(2000, 2099), st.integers(1, 12), st.data())
def test_a_canonical_name_means_its_contract_alone(root: str, year: int, month: int, data: st.DataObject) -> None:
    contract = Contract(root, year, month)
    spelling = data.draw(st.sampled_from(list(spellings(contract))))
    assert canonical(spelling, TODAY) == f"{root} {month:02}-{year % 100:02}" == contract.name
    assert parse(contract.name, TODAY) == contract


@given(st.text("ES M2K6ZFH10-!:_ ", max_size=12))
def test_whatever_a_text_is_its_name_is_itself_or_canonical(text: str) -> None:
    contract = parse(text, TODAY)
    assert canonical(text, TODAY) == (text if contract is None else contract.name)
    assert canonical(canonical(text, TODAY), TODAY) == canonical(text, TODAY)


@pytest.mark.parametrize(
    "text",
    [
        "AAPL", "msft", "EURUSD", "", "ES", "ES1", "ES!", "ES2!", "ES11!", "1!", "ES ##-##", "ES 00-26", "ES 13-26",
        "ES 1-26", "ESA26", "ESZ", "ESZ206", "ESZ12026", "ES Z26", "QM 12-26", "QMZ6", "QM1!", "M2K26", "FDAX26",
        "MOEX:SI1!", "BINANCE:ETH1!", "COMEX:ES1!", "CME:YM1!", "CBOE:ES1!", "CME_MAXI:ES1!", "CME:", "CME:CME:ES1!",
        "ES 12-2\uff16", "E\u017f 12-26", "ES\n12-26", "ES\u00a012-26",
    ],
)  # fmt: skip
def test_what_is_not_listed_passes_as_it_is(text: str) -> None:
    assert parse(text, TODAY) is None
    assert canonical(text, TODAY) == text


def test_a_year_of_one_digit_is_of_the_ten_years_from_the_last_one_on() -> None:
    assert [canonical(f"ESZ{digit}", TODAY) for digit in "5604"] == ["ES 12-25", "ES 12-26", "ES 12-30", "ES 12-34"]
    assert canonical("ESH0", date(2029, 12, 31)) == "ES 03-30"
    assert canonical("ESZ9", date(2030, 1, 2)) == "ES 12-29"
    assert canonical("ESZ9", date(2031, 1, 2)) == "ES 12-39"


# Front months and rolls


@pytest.mark.parametrize(
    ("on", "front"),
    [
        ("2026-06-10", "ES 06-26"), ("2026-06-11", "ES 09-26"), ("2026-09-09", "ES 09-26"), ("2026-09-10", "ES 12-26"),
        ("2026-12-09", "ES 12-26"), ("2026-12-10", "ES 03-27"), ("2026-12-31", "ES 03-27"), ("2027-01-01", "ES 03-27"),
    ],
)  # fmt: skip
def test_the_front_month_changes_on_the_day_of_the_roll(on: str, front: str) -> None:
    day = date.fromisoformat(on)
    assert front_month("ES", day).name == front
    assert canonical("CME_MINI:ES1!", day) == canonical("es1!", day) == front


@pytest.mark.parametrize("root", sorted(INSTRUMENTS))
def test_a_front_month_has_neither_rolled_nor_expired(root: str) -> None:
    before = front_month(root, date(2024, 1, 1))
    for day in (date(2024, 1, 1) + timedelta(days=count) for count in range(3 * 366)):
        front = front_month(root, day)
        assert front.roll > day
        assert not expired(front, day)
        assert before <= front
        assert front == before or before.roll == day
        assert parse(f"{root}1!", day) == front
        before = front


def test_gold_of_october_is_never_the_front_month() -> None:
    assert front_month("GC", date(2026, 7, 30)).name == "GC 12-26"
    assert front_month("GC", date(2026, 7, 29)).name == "GC 08-26"


def test_a_contract_is_expired_from_the_day_after_its_last_one() -> None:
    contract = Contract("ES", 2026, 6)
    assert not expired(contract, date(2026, 6, 18))
    assert expired(contract, date(2026, 6, 19))


def test_a_roll_is_near_from_three_business_days_before_to_three_after() -> None:
    old, new, later = Contract("ES", 2026, 12), Contract("ES", 2027, 3), Contract("ES", 2027, 6)
    roll = instruments.Roll(date(2026, 12, 10), old, new)
    first, last = date(2026, 12, 7), date(2026, 12, 15)
    assert (first, last) == (
        business_days_before(roll.on, 3, us_exchanges),
        business_days_after(roll.on, 3, us_exchanges),
    )
    assert [near_roll(it, day) for it in (old, new) for day in (first, roll.on, last)] == [roll] * 6
    assert near_roll(old, date(2026, 12, 4)) is None
    assert near_roll(old, date(2026, 12, 16)) is None
    assert near_roll(later, roll.on) is None
    # A weekend before the first day is no nearer than the Friday.
    assert near_roll(old, date(2026, 12, 6)) is None


def test_a_roll_is_near_over_the_end_of_a_year() -> None:
    old = Contract("RB", 2027, 1)
    near = near_roll(old, date(2027, 1, 1))
    assert near is not None
    assert (near.on, near.new.name) == (date(2026, 12, 29), "RB 02-27")


def test_rolls_are_listed_in_their_order_with_both_ends() -> None:
    found = [(roll.on, roll.old.name, roll.new.name) for roll in rolls(date(2026, 12, 7), date(2026, 12, 10))]
    currencies = ["6A", "6B", "6C", "6E", "6J", "6M", "6N", "6S", "M6A", "M6B", "M6E", "NKD"]
    indexes = ["EMD", "ES", "M2K", "MES", "MNQ", "MYM", "NQ", "RTY", "YM"]
    assert found == [
        *((date(2026, 12, 7), f"{root} 12-26", f"{root} 03-27") for root in currencies),
        *((date(2026, 12, 10), f"{root} 12-26", f"{root} 03-27") for root in indexes),
    ]


def test_the_rolls_of_a_year_lead_from_front_month_to_front_month() -> None:
    on, until = date(2026, 11, 28), date(2027, 11, 28)
    listed = rolls(on, until)
    assert listed == sorted(listed)
    for root in INSTRUMENTS:
        chain = [roll for roll in listed if roll.old.root == root]
        assert chain[0].old == front_month(root, on)
        assert chain[-1].new == front_month(root, until)
        assert [roll.new for roll in chain[:-1]] == [roll.old for roll in chain[1:]]
        assert all(roll.on == roll.old.roll for roll in chain)


def test_a_day_that_was_published_otherwise_goes_before_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "PUBLISHED_OTHERWISE", {("ES 12-26", "roll"): date(2026, 12, 14)})
    assert front_month("ES", date(2026, 12, 11)).name == "ES 12-26"
    assert front_month("ES", date(2026, 12, 14)).name == "ES 03-27"
    assert Contract("ES", 2026, 12).expiry == date(2026, 12, 18)
    assert Contract("NQ", 2026, 12).roll == date(2026, 12, 10)


# Ticks


@pytest.mark.parametrize(
    ("root", "price", "rounded"),
    [
        ("ES", "5000.1", "5000"), ("ES", "5000.125", "5000.25"), ("ES", "5000.2", "5000.25"), ("ES", "5000", "5000"),
        ("ZB", "118.04", "118.03125"), ("ZT", "104.0020", "104.00390625"), ("ZF", "108.0039", "108"),
        ("6J", "0.00674371", "0.0067435"), ("NKD", "38002.5", "38005"), ("CL", "-37.631", "-37.63"),
        ("ZC", "455.3", "455.25"), ("ES", "-0.125", "-0.25"), ("ES", "0", "0"),
    ],
)  # fmt: skip
def test_a_price_is_rounded_to_the_nearest_tick(root: str, price: str, rounded: str) -> None:
    assert round_to_tick(Decimal(price), root) == Decimal(rounded)


@given(st.sampled_from(sorted(INSTRUMENTS)), st.decimals(-(10**12), 10**12, allow_nan=False, places=8))
def test_a_rounded_price_is_a_multiple_of_the_tick_and_near(root: str, price: Decimal) -> None:
    tick = Fraction(INSTRUMENTS[root].tick)
    rounded = round_to_tick(price, root)
    assert (Fraction(rounded) / tick).denominator == 1
    assert abs(Fraction(rounded) - Fraction(price)) <= tick / 2
    assert round_to_tick(rounded, root) == rounded


@pytest.mark.parametrize(
    ("name", "root"),
    [("ES1!", "ES"), ("cme_mini:es1!", "ES"), ("ESZ6", None), ("ES2!", None), ("MOEX:SI1!", None), ("FOO1!", None)],
)
def test_a_continuous_contract_is_known_by_its_root(name: str, root: str | None) -> None:
    assert continuous_root(name) == root


@pytest.mark.parametrize(
    ("name", "tick"), [("ES 12-26", "0.25"), ("ZN 03-27", "0.015625"), ("FOO 12-26", None), ("", None)]
)
def test_a_contract_has_the_tick_of_its_future(name: str, tick: str | None) -> None:
    assert tick_of(name) == (Decimal(tick) if tick else None)
