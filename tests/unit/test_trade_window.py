"""Times of day and trade windows, minute by minute, on ordinary days and on those when the clock is changed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from orderhook.errors import OutsideTradeWindowError
from orderhook.trade_window import TradeWindow, clock, day_began, end_of_day, minute_of_day

DAY = 24 * 60
MINUTES = range(DAY)


def at(text: str) -> int:
    minute = minute_of_day(text)
    assert minute is not None
    return minute


def window(start: str | None, end: str | None, closing_only_after: str | None = None) -> TradeWindow:
    bounds = {"start": start, "end": end, "closing_only_after": closing_only_after}
    return TradeWindow(**{name: at(text) for name, text in bounds.items() if text is not None})


# Times


def test_every_minute_of_the_day_is_read_in_each_of_its_forms() -> None:
    for minute in MINUTES:
        hour, rest = divmod(minute, 60)
        half = "AM" if hour < 12 else "PM"
        twelve = hour - 12 if hour > 12 else hour or 12
        forms = [f"{hour:02}:{rest:02}", f"{hour}:{rest:02}"]
        forms += [f"{twelve:0{width}}:{rest:02}{space}{half}" for width in (1, 2) for space in ("", " ", "  ")]
        for form in forms:
            assert minute_of_day(form) == minute_of_day(form.lower()) == minute_of_day(form.title()) == minute, form


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("13:30", "13:30"), ("01:30 PM", "13:30"), ("1:30PM", "13:30"), ("12:30 AM", "00:30"), ("12:30 PM", "12:30")],
)
def test_a_time_is_read_as_crosstrade_writes_it(sent: str, shown: str) -> None:
    assert clock(at(sent)) == shown


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "9",
            "930",
            "9.30",
            "9:3",
            "9:300",
            ":30",
            ":30 PM",
            "009:30",
            "9:60",
            "24:00",
            "24:30",
            "25:00",
            "-1:30",
            "9:30:00",
            "noon",
        ),
        *(
            "13:30 PM",
            "13:30PM",
            "0:30 AM",
            "00:30 PM",
            "13:00 AM",
            "1:30 P",
            "1:30 P.M.",
            "1:30 XM",
            "PM 1:30",
            "9: 30",
        ),
        *("\u0661:30", "9\uff1a30", "1:30 \uff30M", "1:30\u00a0PM", "9:30 ET", "9:30\n"),
    ],
)
def test_anything_else_is_not_a_time_of_day(text: str) -> None:
    assert minute_of_day(text) is None


# Windows

WINDOWS = [
    ("09:30", "16:00"),
    ("18:00", "17:00"),
    ("22:00", "02:00"),
    ("23:59", "00:00"),
    ("23:59", "00:01"),
    ("00:00", "00:01"),
    ("00:00", "23:59"),
    ("12:00", "11:59"),
    ("09:30", None),
    ("00:00", None),
    (None, "16:00"),
    (None, "00:01"),
]


def inside(start: str | None, end: str | None) -> set[int]:
    """Walk from the start to the end, and over midnight where need be; a window without an end ends at midnight."""
    minute = at(start) if start else 0
    end_minute = at(end) if end else 0
    found: set[int] = set()
    while minute != end_minute or not found:
        found.add(minute)
        minute = (minute + 1) % DAY
    return found


def passes(found: TradeWindow, moment: datetime) -> bool:
    try:
        found.check(moment)
    except OutsideTradeWindowError:
        return False
    return True


def moments(first: datetime, hours: int = 24) -> Iterator[datetime]:
    """Yield each minute's first and last instant."""
    for minute in range(hours * 60):
        yield first + timedelta(minutes=minute)
        yield first + timedelta(minutes=minute, seconds=59, microseconds=999_999)


@pytest.mark.parametrize(("start", "end"), WINDOWS)
@pytest.mark.parametrize(
    "midnight",
    [datetime(2026, 1, 15, 5, tzinfo=UTC), datetime(2026, 7, 15, 4, tzinfo=UTC)],
    ids=["winter", "summer"],
)
def test_an_alert_passes_from_the_start_on_and_before_the_end(
    start: str | None, end: str | None, midnight: datetime
) -> None:
    found, expected = window(start, end), inside(start, end)
    assert {minute for minute in MINUTES if found.holds(minute)} == expected
    for moment in moments(midnight):
        minute = int((moment - midnight).total_seconds()) // 60
        assert passes(found, moment) == (minute in expected), moment


@pytest.mark.parametrize(
    ("start", "end", "closing"),
    [("09:30", "16:00", "15:45"), ("22:00", "02:00", "23:30"), ("22:00", "02:00", "01:00"), ("9:30", "16:00", "9:30")],
)
def test_from_closing_only_after_to_the_end_none_passes(start: str, end: str, closing: str) -> None:
    found, midnight = window(start, end, closing), datetime(2026, 1, 15, 5, tzinfo=UTC)
    expected = inside(start, end) - inside(closing, end)
    for moment in moments(midnight):
        minute = int((moment - midnight).total_seconds()) // 60
        assert passes(found, moment) == (minute in expected)


@pytest.mark.parametrize("start", ["00:00", "09:30", "23:59"])
def test_a_window_that_begins_when_it_ends_is_empty(start: str) -> None:
    assert window(start, start).is_empty
    assert not any(window(*bounds).is_empty for bounds in WINDOWS)
    assert window(None, "00:00").is_empty


def test_the_zone_of_the_moment_does_not_matter() -> None:
    moment = datetime(2026, 1, 15, 14, 30, tzinfo=UTC)
    for hours in (-12, 0, 14):
        elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
        assert passes(window("09:30", "09:31"), elsewhere)
        assert not passes(window("09:31", "09:30"), elsewhere)


# The days on which the clock is changed

CHANGES = {
    "spring": (datetime(2026, 3, 8, 5, tzinfo=UTC), 23, datetime(2026, 3, 8, 7, tzinfo=UTC), -5, -4),
    "autumn": (datetime(2026, 11, 1, 4, tzinfo=UTC), 25, datetime(2026, 11, 1, 6, tzinfo=UTC), -4, -5),
}
"""A day's first instant in New York, its hours, when the clock is changed, and the hours to UTC before and after."""


def on_the_wall(day: str) -> Iterator[tuple[datetime, int]]:
    """Yield each minute of the day and what the clock on the wall shows."""
    midnight, hours, change, before, after = CHANGES[day]
    for minute in range(hours * 60):
        moment = midnight + timedelta(minutes=minute)
        there = moment + timedelta(hours=before if moment < change else after)
        yield moment, there.hour * 60 + there.minute


@pytest.mark.parametrize(("start", "end"), [*WINDOWS, ("01:00", "02:00"), ("02:00", "03:00"), ("01:30", "02:30")])
@pytest.mark.parametrize("day", CHANGES)
def test_on_the_days_of_change_the_clock_on_the_wall_decides(day: str, start: str | None, end: str | None) -> None:
    found, expected = window(start, end), inside(start, end)
    for moment, shown in on_the_wall(day):
        assert passes(found, moment) == (shown in expected), moment


@pytest.mark.parametrize(
    ("day", "start", "end", "minutes"),
    [
        ("spring", "02:00", "03:00", 0),
        ("spring", "01:30", "02:30", 30),
        ("spring", "02:30", "04:00", 60),
        ("spring", "00:00", "04:00", 180),
        ("spring", "00:00", None, 23 * 60),
        ("autumn", "01:00", "02:00", 120),
        ("autumn", "01:30", "02:30", 90),
        ("autumn", "00:00", "04:00", 300),
        ("autumn", "00:00", None, 25 * 60),
    ],
)
def test_a_window_is_open_for_an_hour_less_or_more_on_the_days_of_change(
    day: str, start: str, end: str | None, minutes: int
) -> None:
    assert sum(passes(window(start, end), moment) for moment, _ in on_the_wall(day)) == minutes


# What a refusal says


@pytest.mark.parametrize(
    ("start", "end", "moment", "detail", "field"),
    [
        (
            "09:30",
            "16:00",
            datetime(2026, 1, 15, 14, 29, tzinfo=UTC),
            "It is 09:29 EST in New York, and this alert trades from 09:30 to 16:00; "
            "bypass_trade_windows=true would let it pass.",
            "start_time",
        ),
        (
            "09:30",
            "16:00",
            datetime(2026, 7, 15, 20, 0, tzinfo=UTC),
            "It is 16:00 EDT in New York, and this alert trades from 09:30 to 16:00; "
            "bypass_trade_windows=true would let it pass.",
            "end_time",
        ),
        (
            "18:00",
            "17:00",
            datetime(2026, 7, 15, 21, 30, tzinfo=UTC),
            "It is 17:30 EDT in New York, and this alert trades from 18:00 to 17:00; "
            "bypass_trade_windows=true would let it pass.",
            "start_time",
        ),
        (
            "10:00",
            None,
            datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
            "It is 01:30 EST in New York, and this alert trades from 10:00 to 00:00; "
            "bypass_trade_windows=true would let it pass.",
            "start_time",
        ),
        (
            None,
            "01:00",
            datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
            "It is 01:30 EDT in New York, and this alert trades from 00:00 to 01:00; "
            "bypass_trade_windows=true would let it pass.",
            "end_time",
        ),
    ],
)
def test_a_refusal_says_the_time_the_window_and_the_bound_that_decides(
    start: str | None, end: str | None, moment: datetime, detail: str, field: str
) -> None:
    with pytest.raises(OutsideTradeWindowError) as refusal:
        window(start, end).check(moment)
    assert (refusal.value.detail, refusal.value.field) == (detail, field)


def test_a_refusal_of_what_may_only_close_says_so() -> None:
    with pytest.raises(OutsideTradeWindowError) as refusal:
        window("09:30", "16:00", "15:45").check(datetime(2026, 1, 15, 20, 50, tzinfo=UTC))
    assert refusal.value.field == "closing_only_after"
    assert refusal.value.detail == (
        "It is 15:50 EST in New York, and from 15:45 to 16:00 only closing orders pass: a CHANGE that lowers what "
        "is at stake, and the commands that close or cancel, which have no window. "
        "bypass_trade_windows=true would let it pass."
    )


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-01-02T12:34:56.789012+00:00", "2026-01-02T22:00:00+00:00"),
        ("2026-01-02T21:59:59.999999+00:00", "2026-01-02T22:00:00+00:00"),
        ("2026-01-02T22:00:00+00:00", "2026-01-03T22:00:00+00:00"),
        ("2026-01-02T22:00:00.000001+00:00", "2026-01-03T22:00:00+00:00"),
        ("2026-01-03T01:00:00+00:00", "2026-01-03T22:00:00+00:00"),  # still the evening of the 2nd in New York
        ("2026-07-01T12:00:00+00:00", "2026-07-01T21:00:00+00:00"),
        ("2026-07-01T12:00:00+09:00", "2026-07-01T21:00:00+00:00"),
        ("2026-03-07T23:00:00+00:00", "2026-03-08T21:00:00+00:00"),  # over the night in which summer time begins
        ("2026-10-31T22:00:00+00:00", "2026-11-01T22:00:00+00:00"),  # and over the one in which it ends
        ("2026-11-01T05:30:00+00:00", "2026-11-01T22:00:00+00:00"),  # 01:30 for the first time
        ("2026-11-01T06:30:00+00:00", "2026-11-01T22:00:00+00:00"),  # and for the second time
    ],
)
def test_a_day_ends_at_the_first_17_00_in_new_york_after_its_receipt(at: str, end: str) -> None:
    assert end_of_day(datetime.fromisoformat(at)).astimezone(UTC) == datetime.fromisoformat(end)


@pytest.mark.parametrize(
    ("moment", "began"),
    [
        ("2026-11-28T12:00", "2026-11-27T22:00"),
        ("2026-11-28T21:59", "2026-11-27T22:00"),
        ("2026-11-28T22:00", "2026-11-28T22:00"),
        ("2026-11-01T12:00", "2026-10-31T21:00"),  # the clocks have gone back that night
        ("2026-03-08T12:00", "2026-03-07T22:00"),
    ],
)
def test_a_day_began_at_the_last_17_00_in_new_york(moment: str, began: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert day_began(at).astimezone(UTC).isoformat()[:16] == began
