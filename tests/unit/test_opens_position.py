"""The fields by which an alert bounds how often and when it is carried out."""

import pytest

from orderhook.commands import parse_command, parse_fields
from orderhook.commands.place import Place
from orderhook.errors import InvalidValueError, MissingFieldError, OrderhookError
from orderhook.rate_limit import Rate
from orderhook.trade_window import TradeWindow

MARKET = {
    "command": "PLACE",
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": "1",
    "order_type": "MARKET",
    "tif": "DAY",
}


def place(**fields: str) -> Place:
    read, warnings = parse_fields(Place, (MARKET | fields).items(), is_json=False)
    command, of_values = parse_command(Place, read)
    assert isinstance(command, Place)
    assert [*warnings, *of_values] == []
    return command


def refused(**fields: str) -> OrderhookError:
    with pytest.raises(OrderhookError) as refusal:
        place(**fields)
    return refusal.value


# Rate limits


@pytest.mark.parametrize(
    ("sent", "rate"),
    [
        ("1", Rate(1, 60)),
        ("1000", Rate(1000, 60)),
        ("5/300", Rate(5, 300)),
        ("5 / 300", Rate(5, 300)),
        ("5/ 300", Rate(5, 300)),
        ("1/28800", Rate(1, 28_800)),
        ("1000/86400", Rate(1000, 86_400)),
        ("1/1", Rate(1, 1)),
    ],
)
def test_a_rate_limit_is_a_number_of_alerts_in_a_minute_or_another_time(sent: str, rate: Rate) -> None:
    assert place(rate_limit=sent, id="es").rate_limit == rate


@pytest.mark.parametrize(
    "sent",
    [
        "0",
        "1001",
        "5/0",
        "5/86401",
        "-1",
        "1.5",
        "5/",
        "/60",
        "5/60/2",
        "5 60",
        "5/1m",
        "off",
        "true",
        "\u0665",
        "9" * 50,
    ],
)
def test_anything_else_is_not_a_rate_limit(sent: str) -> None:
    error = refused(rate_limit=sent, id="es")
    assert (type(error), error.field) == (InvalidValueError, "rate_limit")


def test_a_rate_limit_needs_an_id_but_an_id_needs_no_rate_limit() -> None:
    error = refused(rate_limit="5")
    assert (type(error), error.field) == (MissingFieldError, "id")
    assert place(id="es").id == "es"
    assert refused(id="a&b", rate_limit="5").field == "id"


# Windows


@pytest.mark.parametrize(
    ("fields", "window"),
    [
        ({}, None),
        ({"start_time": "9:30"}, TradeWindow(start=570)),
        ({"end_time": "4:00 PM"}, TradeWindow(end=960)),
        ({"start_time": "09:30 AM", "end_time": "16:00"}, TradeWindow(570, 960)),
        ({"start_time": "18:00", "end_time": "5:00PM"}, TradeWindow(1080, 1020)),
        (
            {"start_time": "09:30", "end_time": "16:00", "closing_only_after": "15:45"},
            TradeWindow(570, 960, closing_only_after=945),
        ),
        ({"start_time": "09:30", "bypass_trade_windows": "false"}, TradeWindow(start=570)),
        ({"start_time": "09:30", "bypass_trade_windows": "NO"}, TradeWindow(start=570)),
        ({"start_time": "09:30", "bypass_trade_windows": "true"}, None),
        ({"start_time": "09:30", "end_time": "16:00", "bypass_trade_windows": "Yes"}, None),
        ({"bypass_trade_windows": "true"}, None),
    ],
)
def test_the_times_of_an_alert_make_its_window(fields: dict[str, str], window: TradeWindow | None) -> None:
    assert place(**fields).window == window


@pytest.mark.parametrize("name", ["start_time", "end_time", "closing_only_after"])
@pytest.mark.parametrize("sent", ["24:00", "13:30 PM", "off", "0", "9:30 ET"])
def test_what_is_not_a_time_of_day_is_refused(name: str, sent: str) -> None:
    error = refused(**{name: sent})
    assert (type(error), error.field) == (InvalidValueError, name)


@pytest.mark.parametrize("given", ["start_time", "end_time", None])
def test_closing_only_after_needs_both_ends_of_a_window(given: str | None) -> None:
    missing = "end_time" if given == "start_time" else "start_time"
    error = refused(closing_only_after="15:45", **({given: "12:00"} if given else {}))
    assert (type(error), error.field) == (MissingFieldError, missing)


@pytest.mark.parametrize(
    ("start", "end", "closing"),
    [
        ("09:30", "16:00", "16:00"),
        ("09:30", "16:00", "09:29"),
        ("22:00", "02:00", "02:00"),
        ("22:00", "02:00", "12:00"),
    ],
)
@pytest.mark.parametrize("bypass", ["true", "false"])
def test_closing_only_after_lies_inside_the_window(start: str, end: str, closing: str, bypass: str) -> None:
    error = refused(start_time=start, end_time=end, closing_only_after=closing, bypass_trade_windows=bypass)
    assert (type(error), error.field) == (InvalidValueError, "closing_only_after")


def test_a_window_does_not_end_when_it_begins() -> None:
    assert refused(start_time="9:30", end_time="09:30 AM").field == "end_time"
    assert refused(end_time="12:00 AM").field == "end_time"
    assert place(start_time="00:00").window == TradeWindow()


@pytest.mark.parametrize("sent", ["maybe", "2", "y", "00", "bypass"])
def test_a_window_is_bypassed_by_a_word_for_yes_and_nothing_else(sent: str) -> None:
    assert refused(bypass_trade_windows=sent).field == "bypass_trade_windows"
