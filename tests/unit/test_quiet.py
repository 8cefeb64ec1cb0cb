"""Quiet hours: across midnight, by the clock of a zone, and when that is put forward or back."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from orderhook.notifying.quiet import ZONES, QuietHours


def holds(hours: str, zone: str, moment: str) -> bool:
    return QuietHours.parse(hours, zone).hold(datetime.fromisoformat(f"{moment}+00:00"))


@pytest.mark.parametrize(
    ("hours", "clock", "is_quiet"),
    [
        ("22:00-07:00", "21:59:59", False),
        ("22:00-07:00", "22:00:00", True),
        ("22:00-07:00", "23:59:59", True),
        ("22:00-07:00", "00:00:00", True),
        ("22:00-07:00", "06:59:59", True),
        ("22:00-07:00", "07:00:00", False),
        ("12:00-13:30", "11:59:59", False),
        ("12:00-13:30", "12:00:00", True),
        ("12:00-13:30", "13:30:00", False),
        ("00:00-23:59", "23:58:59", True),
        ("00:00-23:59", "23:59:00", False),
        ("23:59-00:00", "23:59:30", True),
        ("23:59-00:00", "00:00:00", False),
    ],
)
def test_it_is_quiet_from_the_beginning_until_the_end(hours: str, clock: str, is_quiet: bool) -> None:
    assert holds(hours, "Etc/UTC", f"2026-11-28T{clock}") is is_quiet


@pytest.mark.parametrize(
    ("moment", "is_quiet"),
    [
        # New York puts its clocks forward on 2026-03-08 at 07:00 UTC, and back on 2026-11-01 at 06:00 UTC.
        ("2026-03-08T06:59", True),  # 01:59
        ("2026-03-08T07:00", False),  # 03:00: what would have been quiet until 02:30 is over
        ("2026-11-01T05:30", True),  # 01:30, the first
        ("2026-11-01T06:30", True),  # 01:30, the second
        ("2026-11-01T07:29", True),  # 02:29
        ("2026-11-01T07:30", False),
        ("2026-07-01T06:29", True),
        ("2026-07-01T06:30", False),
        ("2026-12-01T07:29", True),
        ("2026-12-01T07:30", False),
    ],
)
def test_it_follows_the_clock_of_its_zone_when_that_is_changed(moment: str, is_quiet: bool) -> None:
    assert holds("22:00-02:30", "America/New_York", moment) is is_quiet


def test_an_hour_that_comes_twice_is_quiet_twice_and_one_that_is_left_out_never() -> None:
    assert [holds("02:00-03:00", "Europe/Berlin", f"2026-10-25T{it}") for it in ("00:30", "01:30", "02:30")] == [
        True,
        True,
        False,
    ]
    assert [holds("02:00-03:00", "Europe/Berlin", f"2026-03-29T{it}") for it in ("00:59", "01:00", "01:30")] == [
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_every_zone_is_there(zone: str) -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC).astimezone(ZoneInfo(zone)).time()
    hours = QuietHours(noon, time((noon.hour + 1) % 24, noon.minute), zone)
    assert hours.hold(datetime(2026, 11, 28, 12, 30, tzinfo=UTC))
    assert not hours.hold(datetime(2026, 11, 28, 13, 0, tzinfo=UTC))


def test_what_is_read_is_written_the_same() -> None:
    read = QuietHours.parse(" 22:00-07:00 ", "europe/BERLIN")
    assert (read.text, read.zone) == ("22:00-07:00", "Europe/Berlin")


@pytest.mark.parametrize(
    "text",
    ["", "22-7", "22:00", "24:00-07:00", "22:60-07:00", "2:00-07:00", "22:00-22:00", "22:00 - 07:00", "٢٢:00-07:00"],
)
def test_what_is_no_pair_of_times_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quiet hours"):
        QuietHours.parse(text, "Etc/UTC")


@pytest.mark.parametrize(
    ("written", "zone"), [("UTC", "Etc/UTC"), ("berlin", "Europe/Berlin"), ("New York", "America/New_York")]
)
def test_a_zone_is_known_by_its_city(written: str, zone: str) -> None:
    assert QuietHours.parse("22:00-07:00", written).zone == zone


def test_no_two_zones_have_one_city() -> None:
    assert len({zone.rpartition("/")[2].casefold() for zone in ZONES}) == len(ZONES)


@pytest.mark.parametrize("zone", ["", "EST", "Mars/Olympus", "../etc/passwd", "Europe", "Europe/"])
def test_a_zone_that_the_functions_do_not_bring_along_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="the zone must be one of"):
        QuietHours.parse("22:00-07:00", zone)
