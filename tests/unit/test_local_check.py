"""What `orderhook check` shows of an alert: every field, everything that is wrong, and what it would do."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.aws import demo
from orderhook.explain import masked

ENTRY = (
    "account=Sim101;instrument=ES 12-26;action=buy;qty=1;order_type=STOPLIMIT;stop_price=5000;limit_price=5000.50;"
    "tif=gtc"
)


def check(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CliRunner().invoke(app, ["check", text, "--json"]).stdout)
    return found


def wrong(text: str) -> set[str]:
    """Return the names of the fields that are marked wrong."""
    return {field["name"] for field in check(text)["fields"] if field["wrong"]}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("command=CANCEL;order_id=demo-1", "This alert would cancel order demo-1."),
        ("command=CANCEL;order_id=a;strategy_id=S", "This alert would cancel order a if it belongs to strategy S."),
        ("command=cancel;order_id=stop1;strategy_id=S", "This alert would cancel order STOP1 of strategy S."),
        (
            f"command=PLACE;{ENTRY};strategy_id=S;stop_loss=4990;take_profit=5020",
            "This alert would place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in account Sim101, in "
            "strategy S, with a target at 5020, with a stop at 4990.",
        ),
        (
            f"command=PLACE;{ENTRY};order_id=mine;strategy=two brackets",
            "This alert would place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in account Sim101, as "
            "order mine, with the legs of template two brackets.",
        ),
        (
            "command=CANCELORDERS;account=Sim101",
            "This alert would cancel every working order of account Sim101.",
        ),
        (
            "command=CANCELORDERS;account=Sim101;instrument=ES 12-26",
            "This alert would cancel every working order of account Sim101 in ES 12-26.",
        ),
        ("command=CANCELALLORDERS", "This alert would cancel every working order of every account."),
        ("kill_switch=ON", "This alert would turn the kill switch on."),
        ("kill_switch=false", "This alert would turn the kill switch off."),
        (
            f"command=PLACE;{ENTRY};start_time=9:30 AM;end_time=16:00;closing_only_after=15:45;rate_limit=5/300;id=es",
            "This alert would place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in account Sim101, from "
            "09:30 to 16:00 in New York, but not from 15:45 on, at most 5 times in 300 s among alerts of id es.",
        ),
        (
            f"command=PLACE;{ENTRY};start_time=9:30 AM;bypass_trade_windows=yes",
            "This alert would place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in account Sim101.",
        ),
        (
            "command=CANCELORDERS;account=A,B",
            "This alert would cancel every working order of account A; would cancel every working order of account B.",
        ),
        ("command=CHANGE;order_id=a;qty=3", "This alert would change order a to qty 3."),
        (
            "command=CHANGE;order_id=stop1;strategy_id=S;qty=0;limit_price=5000.50;stop_price=5001",
            "This alert would change order STOP1 of strategy S to limit 5000.5, stop 5001.",
        ),
        (
            f"command=CANCELREPLACE;{ENTRY};order_id=mine:9",
            "This alert would cancel order mine:9 and place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in "
            "account Sim101, as order mine:10.",
        ),
        (
            f"command=CANCELREPLACE;{ENTRY};order_id=mine;strategy_id=S",
            "This alert would cancel order mine and place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in "
            "account Sim101, as order mine:2, in strategy S.",
        ),
        (
            f"command=CANCELREPLACE;{ENTRY};order_id=entry1;strategy_id=S",
            "This alert would cancel order ENTRY1 of strategy S and place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop "
            "5000, GTC, in account Sim101, in strategy S.",
        ),
        (
            "command=CLOSESTRATEGY;strategy_id=S",
            "This alert would close strategy S and cancel its working orders.",
        ),
        (
            "command=CANCEL;order_id=long;account=A,B",
            "This alert would cancel order long.A; would cancel order long.B.",
        ),
    ],
)
def test_it_says_what_an_alert_would_do(text: str, verdict: str) -> None:
    assert check(f"key={demo.KEY};{text}")["verdict"] == verdict


def test_it_marks_everything_that_is_wrong_and_not_just_the_first() -> None:
    text = "key=x;command=PLACE;account=Sim101;instrument=é;action=BUYY;quantity=1.5;percent=5;foo=1;strategy_id={{x}}"
    assert wrong(text) == {"key", "instrument", "action", "quantity", "percent", "foo", "strategy_id"}
    details = " ".join(fault["detail"] for fault in check(text)["faults"])
    assert "PLACE needs order_type, tif" in details


def test_it_marks_a_list_of_accounts_that_cannot_be() -> None:
    assert wrong(f"key={demo.KEY};command=CANCEL;order_id=a;account=A,A") == {"account"}


def test_a_field_that_could_not_be_read_is_not_called_missing() -> None:
    faults = check(f"key={demo.KEY};command=CANCEL;order_id={{{{strategy.order.id}}}}")["faults"]
    assert [fault["error"] for fault in faults] == ["unresolved_placeholder"]


def test_only_the_second_of_two_equal_fields_is_wrong() -> None:
    fields = check(f"key={demo.KEY};command=CANCEL;order_id=a;ORDER_ID=b")["fields"]
    assert [field["wrong"] for field in fields] == [False, False, False, True]


def test_the_key_is_masked_wherever_it_stands() -> None:
    text = f"key={demo.KEY};command=CANCEL;order_id={demo.KEY};{demo.KEY}=1"
    for arguments in (["check", text], ["check", text, "--json"]):
        assert demo.KEY not in CliRunner().invoke(app, arguments).output
    assert check(text)["fields"][0]["value"] == f"…{demo.KEY[-4:]}"


def test_a_secret_too_short_to_lose_four_characters_is_not_shown_at_all() -> None:
    assert masked("hunter2") == "…"


def test_ignored_and_empty_fields_are_remarked_on() -> None:
    result = CliRunner().invoke(app, ["check", f"key={demo.KEY};command=CANCEL;order_id=a;account=Sim101;qty="])
    assert result.exit_code == 0
    assert "CANCEL does not use account." in result.stdout
    assert "empty, so it counts as absent" in result.stdout


def test_no_line_is_cut_where_there_is_no_terminal() -> None:
    stdout = CliRunner().invoke(app, ["check", f"key={demo.KEY};command=CANCEL;order_id=TARGET01"]).stdout
    assert "such as TARGET1." in next(line for line in stdout.splitlines() if line.startswith("order_id"))


def test_what_a_terminal_would_obey_is_shown_escaped() -> None:
    stdout = CliRunner().invoke(app, ["check", f"key={demo.KEY};command=CANCEL;order_id=a\x1b[2Jb"]).stdout
    assert "a\\x1b[2Jb" in stdout
    assert "\x1b" not in stdout


def test_bytes_that_are_not_utf8_are_refused_and_not_stumbled_over() -> None:
    result = CliRunner().invoke(app, ["check", "key=\udcff"])
    assert result.exit_code == 1
    assert "This alert would be refused: 400 malformed_payload." in result.stdout
