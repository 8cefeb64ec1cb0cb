"""When contracts expire and roll, against dates that were published.

Lean: QuantConnect's Lean, Tests/TestData/FuturesExpiryFunctionsTestData.xml (Apache License 2.0), commit 24863901.
CME: pages of cmegroup.com, facts alone: its roll dates of equity indexes and of currencies, its product calendars of
gold and silver. Brokers: the last days of trading and first notices of the CBOT that Capital Futures lists for 2024,
with December 2023, and KGI Futures for 2025. What stands here are single dates, written down anew; docs/decisions.md
says of which futures three years were found.
"""

from datetime import date, timedelta

import pytest

from orderhook.exchange_days import (
    business_days_after,
    business_days_before,
    eurex,
    is_business_day,
    us_banks,
    us_exchanges,
)
from orderhook.instruments import INSTRUMENTS, Contract

CODES = "FGHJKMNQUVXZ"

EXPIRIES = {
    # CME, Equity Index Roll Dates: one column for all of them.
    "ES NQ MES MNQ YM MYM RTY M2K EMD": """
        H18 2018-03-16  M18 2018-06-15  U18 2018-09-21  Z18 2018-12-21  H19 2019-03-15  M19 2019-06-21
        U19 2019-09-20  Z19 2019-12-20  H20 2020-03-20  M20 2020-06-19  U20 2020-09-18  Z20 2020-12-18
        H21 2021-03-19  M21 2021-06-18  U21 2021-09-17  Z21 2021-12-17  H22 2022-03-18  M22 2022-06-17
        U22 2022-09-16  Z22 2022-12-16
        """,
    "NKD": """
        H18 2018-03-08  M18 2018-06-07  U18 2018-09-13  Z18 2018-12-13  H19 2019-03-07  M19 2019-06-13
        U19 2019-09-12  Z19 2019-12-12  H20 2020-03-12
        """,  # Lean and CME: CME names the day of settlement, the Friday after
    # Lean.
    "CL": """
        F19 2018-12-19  G19 2019-01-22  H19 2019-02-20  J19 2019-03-20  K19 2019-04-22  M19 2019-05-21
        N19 2019-06-20  Q19 2019-07-22  U19 2019-08-20  V19 2019-09-20  X19 2019-10-22  Z19 2019-11-20
        F20 2019-12-19  G20 2020-01-21  H20 2020-02-20  J20 2020-03-20  K20 2020-04-21  M20 2020-05-19
        N20 2020-06-22  Q20 2020-07-21  U20 2020-08-20  V20 2020-09-22  X20 2020-10-20  Z20 2020-11-20
        F21 2020-12-21  G21 2021-01-20  H21 2021-02-22  J21 2021-03-22  K21 2021-04-20  M21 2021-05-20
        N21 2021-06-22  Q21 2021-07-20  U21 2021-08-20  V21 2021-09-21  X21 2021-10-20  Z21 2021-11-19
        M24 2024-05-21  Z24 2024-11-20  M25 2025-05-20  Z25 2025-11-20
        """,
    "MCL": "M17 2017-05-19  N17 2017-06-19  Q17 2017-07-19  U17 2017-08-21  V17 2017-09-19",
    # Lean.
    "NG": """
        F24 2023-12-27  G24 2024-01-29  H24 2024-02-27  J24 2024-03-26  K24 2024-04-26  M24 2024-05-29
        N24 2024-06-26  Q24 2024-07-29  U24 2024-08-28  V24 2024-09-26  X24 2024-10-29  Z24 2024-11-26
        F25 2024-12-27  G25 2025-01-29  H25 2025-02-26  J25 2025-03-27  K25 2025-04-28  M25 2025-05-28
        N25 2025-06-26  Q25 2025-07-29  U25 2025-08-27  V25 2025-09-26  X25 2025-10-29  Z25 2025-11-25
        F26 2025-12-29  G26 2026-01-28  H26 2026-02-25  J26 2026-03-27  K26 2026-04-28  M26 2026-05-27
        N26 2026-06-26  Q26 2026-07-29  U26 2026-08-27  V26 2026-09-28  X26 2026-10-28  Z26 2026-11-25
        """,
    "RB HO": """
        M17 2017-05-31  N17 2017-06-30  Q17 2017-07-31  U17 2017-08-31  V17 2017-09-29  X17 2017-10-31
        Z17 2017-11-30  F18 2017-12-29  G18 2018-01-31  H18 2018-02-28  J18 2018-03-29  K18 2018-04-30
        """,
    # CME's calendar of gold until February 2016, then Lean.
    "GC MGC": """
        M14 2014-06-26  Q14 2014-08-27  Z14 2014-12-29  G15 2015-02-25  J15 2015-04-28  M15 2015-06-26
        Q15 2015-08-27  V15 2015-10-28  Z15 2015-12-29  G16 2016-02-25  M17 2017-06-28  Q17 2017-08-29
        V17 2017-10-27  Z17 2017-12-27  G18 2018-02-26  J18 2018-04-26  M18 2018-06-27  Q18 2018-08-29
        V18 2018-10-29  Z18 2018-12-27  G19 2019-02-26  J19 2019-04-26  M19 2019-06-26  Z19 2019-12-27
        M20 2020-06-26  Z20 2020-12-29  M21 2021-06-28  M22 2022-06-28  Z22 2022-12-28
        """,
    # CME's calendar of silver.
    "SI SIL": """
        U14 2014-09-26  Z14 2014-12-29  H15 2015-03-27  K15 2015-05-27  N15 2015-07-29  U15 2015-09-28
        Z15 2015-12-29  H16 2016-03-29  K16 2016-05-26  N16 2016-07-27
        """,
    # Lean.
    "HG": "K19 2019-05-29  N19 2019-07-29  U19 2019-09-26  Z19 2019-12-27  H20 2020-03-27  K20 2020-05-27",
    "PL PA": "M17 2017-06-28  Q17 2017-08-29  Z17 2017-12-27  H18 2018-03-27  M18 2018-06-27",
    # Lean, then the brokers.
    "ZN ZB UB TN": """
        M17 2017-06-21  U17 2017-09-20  Z17 2017-12-19  H20 2020-03-20  M20 2020-06-19  U20 2020-09-21
        Z23 2023-12-19  H24 2024-03-19  M24 2024-06-18  U24 2024-09-19  Z24 2024-12-19  H25 2025-03-20
        M25 2025-06-18  U25 2025-09-19  Z25 2025-12-19
        """,
    "ZF ZT": """
        M17 2017-06-30  U17 2017-09-29  Z17 2017-12-29  Z23 2023-12-29  H24 2024-03-28  M24 2024-06-28
        U24 2024-09-30  Z24 2024-12-31  H25 2025-03-31  M25 2025-06-30  U25 2025-09-30  Z25 2025-12-31
        """,
    "6E 6A 6N 6B 6S 6J M6A M6B M6E": """
        H18 2018-03-19  M18 2018-06-18  U18 2018-09-17  Z18 2018-12-17  H19 2019-03-18  M19 2019-06-17
        U19 2019-09-16  Z19 2019-12-16  H20 2020-03-16  M20 2020-06-15  U20 2020-09-14  Z20 2020-12-14
        H21 2021-03-15  M21 2021-06-14  U21 2021-09-13  Z21 2021-12-13  H22 2022-03-14  M23 2023-06-16
        """,
    "6C": """
        H18 2018-03-20  M18 2018-06-19  U18 2018-09-18  Z18 2018-12-18  H19 2019-03-19  M19 2019-06-18
        U19 2019-09-17  Z19 2019-12-17  H20 2020-03-17  M20 2020-06-16  U20 2020-09-15  Z20 2020-12-15
        """,
    # Holidays of banks, on which the exchange is open.
    "6M": "F16 2016-01-15  V19 2019-10-11  G20 2020-02-14  H20 2020-03-16",
    "BTC MBT ETH MET": """
        F18 2018-01-26  G18 2018-02-23  H18 2018-03-29  J18 2018-04-27  K18 2018-05-25  M18 2018-06-29
        N18 2018-07-27  Q18 2018-08-31  U18 2018-09-28  V18 2018-10-26  X18 2018-11-30  Z18 2018-12-28
        G23 2023-02-24  Z23 2023-12-29
        """,
    "VX": """
        H14 2014-03-18  F18 2018-01-17  G18 2018-02-14  H18 2018-03-21  J18 2018-04-18  K18 2018-05-16
        M18 2018-06-20  N18 2018-07-18  Q18 2018-08-22  U18 2018-09-19  V18 2018-10-17  X18 2018-11-21
        Z18 2018-12-19  F19 2019-01-16  H19 2019-03-19  Z19 2019-12-18
        """,
    "ZC ZW ZS ZL": """
        K17 2017-05-12  N17 2017-07-14  U17 2017-09-14  H18 2018-03-14  K18 2018-05-14  N18 2018-07-13
        U18 2018-09-14  H19 2019-03-14  K19 2019-05-14  N19 2019-07-12  H24 2024-03-14  K24 2024-05-14
        N24 2024-07-12  U24 2024-09-13  H25 2025-03-14  K25 2025-05-14  N25 2025-07-14  U25 2025-09-12
        """,
    "ZC ZW": "Z23 2023-12-14  Z24 2024-12-13  Z25 2025-12-12",
    "ZS": """
        F24 2024-01-12  Q24 2024-08-14  X24 2024-11-14  F25 2025-01-14  Q25 2025-08-14  X25 2025-11-14
        F26 2026-01-14
        """,
    # October 2019 on a holiday of banks.
    "ZL": """
        V19 2019-10-14  Z19 2019-12-13  Z23 2023-12-14  F24 2024-01-12  Q24 2024-08-14  V24 2024-10-14
        Z24 2024-12-13  F25 2025-01-14  Q25 2025-08-14  V25 2025-10-14  Z25 2025-12-12  F26 2026-01-14
        """,
    # Eurex, the last trading days that Capital Futures lists for 2025.
    "FDAX FDXM FDXS FESX": "H25 2025-03-21  M25 2025-06-20  U25 2025-09-19  Z25 2025-12-19",
}

ROLLS = {
    # CME, Equity Index Roll Dates.
    "ES NQ MES MNQ YM MYM RTY M2K EMD": """
        H18 2018-03-08  M18 2018-06-07  U18 2018-09-13  Z18 2018-12-13  H19 2019-03-07  M19 2019-06-13
        U19 2019-09-12  Z19 2019-12-12  H20 2020-03-12  M20 2020-06-11  U20 2020-09-10  Z20 2020-12-10
        H21 2021-03-11  M21 2021-06-10  U21 2021-09-09  Z21 2021-12-09  H22 2022-03-10  M22 2022-06-09
        U22 2022-09-08  Z22 2022-12-08
        """,
    # The same page; 2020 to 2022 the Tuesday after Labor Day.
    "NKD": """
        H18 2018-03-05  M18 2018-06-04  U18 2018-09-10  Z18 2018-12-10  H20 2020-03-09  U20 2020-09-08
        U21 2021-09-07  U22 2022-09-06
        """,
    # CME, FX Quarterly Roll Dates.
    "6E 6A 6N 6B 6S 6J 6M M6A M6B M6E 6C": """
        H13 2013-03-11  M13 2013-06-10  U13 2013-09-09  Z13 2013-12-09  H14 2014-03-10  M14 2014-06-09
        U14 2014-09-08  Z14 2014-12-08  H15 2015-03-09  M15 2015-06-08  U15 2015-09-04  Z15 2015-12-07
        H16 2016-03-07  M16 2016-06-06  U16 2016-09-12  Z16 2016-12-12
        """,
    # First position days: CME's calendars of gold and silver.
    "GC MGC": """
        J14 2014-03-28  M14 2014-05-29  Q14 2014-07-30  Z14 2014-11-26  G15 2015-01-29  J15 2015-03-30
        M15 2015-05-28  Q15 2015-07-30  Z15 2015-11-27  G16 2016-01-28
        """,
    "SI SIL": """
        U14 2014-08-28  Z14 2014-11-26  H15 2015-02-26  K15 2015-04-29  N15 2015-06-29  U15 2015-08-28
        Z15 2015-11-27  H16 2016-02-26  K16 2016-04-28  N16 2016-06-29
        """,
}

FIRST_NOTICES = {
    # The brokers.
    "ZN ZB UB TN ZF ZT": """
        Z23 2023-11-30  H24 2024-02-29  M24 2024-05-31  U24 2024-08-30  Z24 2024-11-29  H25 2025-02-28
        M25 2025-05-30  U25 2025-08-29  Z25 2025-11-28
        """,
    "ZC ZW": """
        Z23 2023-11-30  H24 2024-02-29  K24 2024-04-30  N24 2024-06-28  U24 2024-08-30  Z24 2024-11-29
        H25 2025-02-28  K25 2025-04-30  N25 2025-06-30  U25 2025-08-29  Z25 2025-11-28
        """,
    "ZS": """
        F24 2023-12-29  H24 2024-02-29  K24 2024-04-30  N24 2024-06-28  Q24 2024-07-31  U24 2024-08-30
        X24 2024-10-31  F25 2024-12-31  X25 2025-10-31  F26 2025-12-31
        """,
    "ZL": "V24 2024-09-30  Z24 2024-11-29  V25 2025-09-30  Z25 2025-11-28  F26 2025-12-31",
    # Discount Trading, First Notice Dates of 2026: whoever is long the day before may be delivered to.
    "GC": "G26 2026-01-30  J26 2026-03-31  M26 2026-05-29  Q26 2026-07-31  Z26 2026-11-30",
    "SI HG": "H26 2026-02-27  K26 2026-04-30  N26 2026-06-30  U26 2026-08-31  Z26 2026-11-30",
    "PL": "F26 2025-12-31  J26 2026-03-31  N26 2026-06-30  V26 2026-09-30",
    "PA": "H26 2026-02-27  M26 2026-05-29  U26 2026-08-31  Z26 2026-11-30",
    "ZC": "H26 2026-02-27  K26 2026-04-30  N26 2026-06-30  U26 2026-08-31  Z26 2026-11-30",
}


def days(published: dict[str, str]) -> list[tuple[str, Contract, date]]:
    """Return each published day with its contract and a name."""
    found = []
    for roots, text in published.items():
        words = text.split()
        for root in roots.split():
            for code, day in zip(words[::2], words[1::2], strict=True):
                contract = Contract(root, 2000 + int(code[1:]), CODES.index(code[0]) + 1)
                found.append((f"{root}{code}", contract, date.fromisoformat(day)))
    return found


@pytest.mark.parametrize("root", sorted(INSTRUMENTS))
def test_contracts_expire_on_the_published_days(root: str) -> None:
    published = {name: day for name, contract, day in days(EXPIRIES) if contract.root == root}
    assert published
    assert {name: contract.expiry for name, contract, _ in days(EXPIRIES) if contract.root == root} == published


@pytest.mark.parametrize("root", sorted({contract.root for _, contract, _ in days(ROLLS)}))
def test_contracts_roll_on_the_published_days(root: str) -> None:
    published = {name: day for name, contract, day in days(ROLLS) if contract.root == root}
    assert {name: contract.roll for name, contract, _ in days(ROLLS) if contract.root == root} == published


def test_what_is_delivered_rolls_on_the_business_day_before_its_first_notice() -> None:
    for name, contract, notice in days(FIRST_NOTICES):
        assert contract.roll == business_days_before(notice, 1, us_exchanges), name


def test_micro_crude_oil_ends_a_business_day_before_crude_oil() -> None:
    """CME, the questions and answers about it; so by the published days of crude oil."""
    for name, contract, day in days(EXPIRIES):
        if contract.root == "CL":
            assert contract._replace(root="MCL").expiry == business_days_before(day, 1, us_exchanges), name


@pytest.mark.parametrize("root", ["ES", "NQ", "YM", "RTY", "MES", "MNQ", "MYM", "M2K", "EMD"])
def test_an_equity_index_rolls_eight_days_before_the_third_friday(root: str) -> None:
    third_fridays = """
        2024-03-15 2024-06-21 2024-09-20 2024-12-20 2025-03-21 2025-06-20 2025-09-19 2025-12-19
        2026-03-20 2026-06-19 2026-09-18 2026-12-18
        """
    for friday in map(date.fromisoformat, third_fridays.split()):
        contract = Contract(root, friday.year, friday.month)
        assert contract.roll == friday - timedelta(days=8)
        assert contract.roll.strftime("%A") == "Thursday"
        # 19 June 2026 is Juneteenth: trading ends the day before, and the roll stays.
        holiday = friday == date(2026, 6, 19)
        assert contract.expiry == friday - timedelta(days=int(holiday))


def test_what_a_holiday_moves_ends_on_the_business_day_before() -> None:
    assert Contract("ES", 2027, 6).expiry == date(2027, 6, 17)  # Lean; Juneteenth of a Saturday
    assert Contract("ES", 2008, 3).expiry == date(2008, 3, 20)  # Good Friday
    assert Contract("CL", 2027, 1).expiry == date(2026, 12, 21)  # Christmas on the 25th
    assert Contract("BTC", 2024, 3).expiry == date(2024, 3, 28)  # Good Friday
    assert Contract("BTC", 2026, 12).expiry == date(2026, 12, 24)  # Christmas
    assert Contract("VX", 2026, 5).expiry == date(2026, 5, 19)  # Juneteenth 30 days later
    assert Contract("VX", 2024, 6).expiry == date(2024, 6, 18)  # Juneteenth itself
    assert Contract("FDAX", 2008, 3).expiry == date(2008, 3, 20)  # Good Friday


def test_crude_oil_rolls_four_business_days_before_the_25th() -> None:
    """As NinjaTrader's support has published it; where the 25th is a holiday, before the business day before it."""
    assert Contract("CL", 2026, 10).roll == date(2026, 9, 21)  # the 25th is a Friday
    assert Contract("CL", 2026, 11).roll == date(2026, 10, 19)  # a Sunday, so before Friday the 23rd


def test_a_contract_rolls_before_it_expires_and_before_the_next_one() -> None:
    for root, instrument in INSTRUMENTS.items():
        before = date.min
        for year in range(2016, 2041):
            for month in [CODES.index(code) + 1 for code in instrument.months]:
                contract = Contract(root, year, month)
                assert before < contract.roll < contract.expiry, contract
                closed = instrument.dates.closed
                assert is_business_day(contract.expiry, closed), contract
                before = contract.roll


# Holidays: those of the New York Stock Exchange, which the others' business days follow, and of Eurex.


HOLIDAYS = """
    2024-01-01 2024-01-15 2024-02-19 2024-03-29 2024-05-27 2024-06-19 2024-07-04 2024-09-02 2024-11-28 2024-12-25
    2025-01-01 2025-01-20 2025-02-17 2025-04-18 2025-05-26 2025-06-19 2025-07-04 2025-09-01 2025-11-27 2025-12-25
    2026-01-01 2026-01-19 2026-02-16 2026-04-03 2026-05-25 2026-06-19 2026-07-03 2026-09-07 2026-11-26 2026-12-25
    2027-01-01 2027-01-18 2027-02-15 2027-03-26 2027-05-31 2027-06-18 2027-07-05 2027-09-06 2027-11-25 2027-12-24
    """


def test_exchanges_are_closed_on_the_published_holidays() -> None:
    published = {date.fromisoformat(day) for day in HOLIDAYS.split()}
    assert set().union(*map(us_exchanges, range(2024, 2028))) == published
    assert not {day for day in us_exchanges(2022) if (day.month, day.day) in ((1, 1), (12, 31))}
    assert date(2023, 1, 2) in us_exchanges(2023)  # New Year's Day was a Sunday
    assert not {day for day in us_exchanges(2021) if day.month == 6}  # Juneteenth came a year later
    assert date(2022, 6, 20) in us_exchanges(2022)


def test_banks_are_closed_on_two_days_more() -> None:
    assert us_banks(2026) - us_exchanges(2026) == {date(2026, 10, 12), date(2026, 11, 11)}
    assert us_banks(2023) - us_exchanges(2023) == {date(2023, 10, 9)}  # Veterans Day was a Saturday
    assert us_banks(2029) - us_exchanges(2029) == {date(2029, 10, 8), date(2029, 11, 12)}


def test_eurex_is_closed_on_the_published_holidays() -> None:
    published = """
        2026-01-01 2026-04-03 2026-04-06 2026-05-01 2026-12-24 2026-12-25 2026-12-31
        """
    open_days = {day for day in eurex(2026) if day.weekday() < 5}
    assert open_days == {date.fromisoformat(day) for day in published.split()}


def test_business_days_are_counted_over_weekends_and_holidays() -> None:
    thanksgiving = date(2026, 11, 26)
    assert business_days_before(thanksgiving, 0, us_exchanges) == date(2026, 11, 25)
    assert business_days_after(thanksgiving, 0, us_exchanges) == date(2026, 11, 27)
    assert business_days_before(date(2026, 11, 27), 0, us_exchanges) == date(2026, 11, 27)
    assert business_days_after(date(2026, 11, 27), 0, us_exchanges) == date(2026, 11, 27)
    assert business_days_before(date(2026, 11, 30), 3, us_exchanges) == date(2026, 11, 24)
    assert business_days_after(date(2026, 11, 24), 3, us_exchanges) == date(2026, 11, 30)
    assert business_days_before(date(2026, 11, 29), 1, us_exchanges) == date(2026, 11, 27)
