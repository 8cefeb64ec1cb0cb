"""What is explained about an alert: every field, everything that is wrong with it, and what it would do."""

import json
import os
import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from cli.aws import demo
from orderhook.explain import explain, mask
from orderhook.representations import represent_explanation
from orderhook.venues import NINJATRADER, TABLE, Venue

ENTRY = (
    "account=Sim101;instrument=ES 12-26;action=buy;qty=1;order_type=STOPLIMIT;stop_price=5000;limit_price=5000.50;"
    "tif=gtc"
)


def explained(text: str) -> dict[str, Any]:
    explanation: dict[str, Any] = json.loads(json.dumps(represent_explanation(explain(os.fsencode(text)))))
    return explanation


def wrong(text: str) -> set[str]:
    """Return the names of the fields that are marked wrong."""
    return {field["name"] for field in explained(text)["fields"] if field["wrong"]}


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
            f"command=CANCELREPLACE;{ENTRY};order_id=mine;take_profit=5010",
            "This alert would replace order mine by BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in account "
            "Sim101, with a target at 5010.",
        ),
        (
            f"command=CANCELREPLACE;{ENTRY};order_id=mine;strategy_id=S",
            "This alert would replace order mine if it belongs to strategy S by BUY 1 ES 12-26 STOPLIMIT, limit "
            "5000.5, stop 5000, GTC, in account Sim101.",
        ),
        (
            f"command=CANCELREPLACE;{ENTRY};order_id=entry1;strategy_id=S;cancel_after=5",
            "This alert would replace order ENTRY1 of strategy S by BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, "
            "GTC, in account Sim101, cancelled 5 min later if it is still open.",
        ),
        (
            f"command=PLACE;{ENTRY};order_id=mine;delay=1.5",
            "This alert would place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in account Sim101, as "
            "order mine, 2 s after the alert comes in.",
        ),
        (
            "command=CLOSESTRATEGY;strategy_id=S",
            "This alert would cancel the working orders of strategy S, and leave its position as it is.",
        ),
        (
            "command=CANCEL;order_id=long;account=A,B",
            "This alert would cancel order long.a; would cancel order long.b.",
        ),
    ],
)
def test_it_says_what_an_alert_would_do(text: str, verdict: str) -> None:
    assert explained(f"key={demo.KEY};{text}")["verdict"] == verdict


PAIR = "account=Sim101;instrument=ES 12-26"


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (f"command=CLOSEPOSITION;{PAIR}", "close the position in ES 12-26 of account Sim101"),
        (f"command=CLOSEPOSITION;{PAIR};qty=2", "close 2 of the position in ES 12-26 of account Sim101"),
        (
            f"command=CLOSEPOSITION;{PAIR};percent=0.25;require_market_position=long",
            "close 25% of the position in ES 12-26 of account Sim101, only if it is long",
        ),
        (
            "command=CLOSEPOSITION;account=Sim101;instrument=ES1!",
            "close the position in every month of ES of account Sim101",
        ),
        (
            "command=FLATTEN",
            "close each position in every instrument of every account that the key reaches, and cancel its orders",
        ),
        (
            "command=FLATTEN;account=Sim101;market_position=short",
            "close each short position in every instrument of account Sim101, and cancel its orders",
        ),
        ("command=FLATTENEVERYTHING", "cancel every order of every account, and close every position"),
        (
            f"command=REVERSE;{PAIR};rate_limit=1/60;id=r",
            "turn over the position in ES 12-26 of account Sim101, at most 1 times in 60 s among alerts of id r",
        ),
        (
            f"command=CANCELANDBRACKET;{PAIR};action=short;qty=2;take_profit=-20 ticks;stop_loss=5010.50",
            "give up to 2 contracts of the position in ES 12-26 of account Sim101, if it is short, a target -20 ticks "
            "and a stop 5010.5 in place of its orders",
        ),
        (
            f"command=FLATPLACE;{PAIR};action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=a",
            "place BUY 1 ES 12-26 MARKET, DAY, in account Sim101, as order a, once the position is closed",
        ),
        (
            "command=FLATPLACE;account=Sim101;instrument=ES1!;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=a",
            "place BUY 1 ES 12-26 MARKET, DAY, in account Sim101, as order a, once the position is closed in every "
            "month of ES",
        ),
        (
            "command=PLACE;account=Sim101;instrument=ES1!;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=a;"
            "flatten_first=true",
            "place BUY 1 ES 12-26 MARKET, DAY, in account Sim101, as order a, once the orders are cancelled and the "
            "position is closed in every month of ES",
        ),
        (
            f"command=REVERSEPOSITION;{PAIR};action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=a",
            "place BUY 1 ES 12-26 MARKET, DAY, in account Sim101, as order a, once the orders of the instrument are "
            "cancelled and its position is closed, if there is one to close",
        ),
        (
            "command=CLOSESTRATEGY;strategy_id=S",
            "cancel the working orders of strategy S, and close what is filled of it",
        ),
    ],
)
def test_it_says_what_the_bridge_would_be_asked_to_do(text: str, action: str) -> None:
    explanation = explain(f"key={demo.KEY};{text}".encode(), venue=NINJATRADER, on=date(2026, 11, 27))
    assert (explanation.faults, explanation.verdict) == ([], f"This alert would ask the venue to {action}.")


@pytest.mark.parametrize("word", ["FLATTENEVERYTHING", "REVERSE"])
def test_it_says_which_commands_need_a_venue(word: str) -> None:
    fields = "" if word == "FLATTENEVERYTHING" else PAIR
    [fault] = explained(f"key={demo.KEY};command={word};{fields}")["faults"]
    assert "Venue=ninjatrader" in fault["detail"]


def test_it_marks_everything_that_is_wrong_and_not_just_the_first() -> None:
    text = "key=x;command=PLACE;account=Sim101;instrument=é;action=BUYY;quantity=1.5;percent=5;foo=1;strategy_id={{x}}"
    assert wrong(text) == {"key", "instrument", "action", "quantity", "percent", "foo", "strategy_id"}
    details = " ".join(fault["detail"] for fault in explained(text)["faults"])
    assert "PLACE needs order_type, tif" in details


@pytest.mark.parametrize(
    ("prices", "marked"),
    [
        ("limit_price=5000;stop_loss=5001;take_profit=4999", {"take_profit", "stop_loss"}),
        (
            "limit_price=5000;stop_loss_limit=5001;stop_loss_stop=5002;take_profit=4999",
            {"take_profit", "stop_loss_limit"},
        ),
        ("limit_price=5000;stop_loss=5001;take_profit=5002", {"stop_loss"}),
        ("limit_price=5000;stop_loss=4999;take_profit=4998", {"take_profit"}),
        ("limit_price=5000;stop_loss=4999;take_profit=5001", set()),
    ],
)
def test_it_marks_every_price_that_is_on_a_wrong_side(prices: str, marked: set[str]) -> None:
    market = "account=Sim101;instrument=ES 12-26;action=BUY;qty=1;order_type=LIMIT;tif=GTC"
    assert wrong(f"key={demo.KEY};command=PLACE;{market};{prices}") == marked


def test_it_marks_a_list_of_accounts_that_cannot_be() -> None:
    assert wrong(f"key={demo.KEY};command=CANCEL;order_id=a;account=A,A") == {"account"}


def test_a_field_that_could_not_be_read_is_not_called_missing() -> None:
    faults = explained(f"key={demo.KEY};command=CANCEL;order_id={{{{my.id}}}}")["faults"]
    assert [fault["error"] for fault in faults] == ["unresolved_placeholder"]


OPEN = "Nothing is wrong with this alert as far as it can be seen before TradingView fills it in."
MARKET = ENTRY.replace("STOPLIMIT;stop_price=5000;limit_price=5000.50", "MARKET")


@pytest.mark.parametrize(
    "text",
    [
        f"command=PLACE;{ENTRY};stop_loss={{{{plot_3}}}}",
        f'command=PLACE;{ENTRY};take_profit={{{{plot("Target")}}}}',
        f"command=PLACE;{MARKET};stop_loss={{{{plot_3}}}};take_profit={{{{plot_4}}}}",
        f"command=PLACE;{MARKET.replace('buy', '{{strategy.order.action}}')};stop_loss=5010;take_profit=4990",
        f"command=PLACE;{ENTRY.replace('STOPLIMIT', '{{strategy.order.comment}}')}",
        f"command=PLACE;{ENTRY};delay={{{{plot_0}}}}",
        "command={{strategy.order.comment}};order_id=a",
        "kill_switch={{strategy.order.comment}}",
        "\n{{strategy.order.alert_message}}",
        'command=CANCEL;order_id={{plot("a=b")}}',
    ],
)
def test_what_depends_on_what_tradingview_fills_in_is_not_wrong(text: str) -> None:
    explanation = explain(f"key={demo.KEY};{text}".encode())
    assert (explanation.faults, explanation.verdict) == ([], OPEN)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("command=CANCEL;order_id={{strategy.order.id}}", "This alert would cancel order {{strategy.order.id}}."),
        ("command=CANCEL;order_id=long-{{timenow}}", "This alert would cancel order long-{{timenow}}."),
        (
            "command=CANCELORDERS;account=Sim101;instrument={{ticker}}",
            "This alert would cancel every working order of account Sim101 in {{ticker}}.",
        ),
        (
            f"command=PLACE;{ENTRY.replace('buy', '{{strategy.order.action}}')}",
            "This alert would place BUY 1 ES 12-26 STOPLIMIT, limit 5000.5, stop 5000, GTC, in account Sim101 (with "
            "examples for what TradingView fills in).",
        ),
        (
            "command=CHANGE;order_id=STOP1;strategy_id=S;qty={{strategy.order.contracts}};stop_price={{plot_0}}",
            "This alert would change order STOP1 of strategy S to qty 1, stop 5000 (with examples for what TradingView "
            "fills in).",
        ),
    ],
)
def test_it_says_what_an_alert_would_do_before_tradingview_fills_it_in(text: str, verdict: str) -> None:
    assert explained(f"key={demo.KEY};{text}")["verdict"] == verdict


@pytest.mark.parametrize("name", ["action", "qty", "limit_price", "order_id", "account", "tif"])
def test_what_tradingview_fills_in_is_remarked_on(name: str) -> None:
    text = f"key={demo.KEY};command=PLACE;{name}={{{{strategy.order.comment}}}}"
    row = explain(text.encode()).rows[-1]
    assert (row.value, row.remark, row.fault) == ("{{strategy.order.comment}}", "filled in by TradingView", None)


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("stop_loss={{close}}-10", "nothing calculates"),
        ("limit_price={{close}}+1", "nothing calculates"),
        ("limit_price={{close}} * 1.01", "nothing calculates"),
        ("stop_price=1.{{plot_0}}.5", "nothing calculates"),
        ("quantity={{strategy.order.contracts}}x2", "nothing calculates"),
        ("delay={{plot_0}}s", "nothing calculates"),
        ("limit_price={{ticker}}", "{{ticker}} is none"),
        ("take_profit={{timenow}}", "{{timenow}} is none"),
        ("qty={{strategy.order.action}}", "{{strategy.order.action}} is none"),
        ("action={{ticker}}", "BUY or SELL, which {{ticker}} never is"),
        ("action={{close}}", "never is"),
        ("action={{strategy.market_position}}", "never is"),
        ("action={{strategy.order.action}}_STOP", "with what stands around it never is"),
        ("tif={{interval}}{{strategy.order.action}}", "never is"),
        ('order_type={{plot("Type")}}', "never is"),
        ("instrument={{close}}", "is a number"),
    ],
)
def test_what_can_never_be_right_once_it_is_filled_in_is_wrong(field: str, says: str) -> None:
    explanation = explained(f"key={demo.KEY};command={_command_with(field)};order_id=a;{field}")
    [fault] = [fault for fault in explanation["faults"] if says in fault["detail"]]
    assert (fault["status"], fault["error"]) == (400, "invalid_value")
    assert [row["name"] for row in explanation["fields"] if row["wrong"]] == [field.partition("=")[0]]


@pytest.mark.parametrize("value", ["{{close}}", "CANCEL{{plot_0}}", "{{ticker}}", "{{strategy.order.action}}"])
def test_a_command_that_can_never_be_one_once_it_is_filled_in_is_wrong(value: str) -> None:
    explanation = explained(f"key={demo.KEY};command={value};order_id=a")
    [fault] = explanation["faults"]
    assert (fault["status"], fault["error"], fault["field"]) == (400, "unknown_command", "command")
    assert "never is; write the command itself" in fault["detail"]


@pytest.mark.parametrize("value", ["{{strategy.order.comment}}", "CANCEL{{strategy.order.alert_message}}"])
def test_a_command_that_may_be_one_once_it_is_filled_in_is_accepted(value: str) -> None:
    assert not wrong(f"key={demo.KEY};command={value};order_id=a")


def _command_with(field: str) -> str:
    return "CHANGE" if field.startswith(("limit_price", "stop_price", "q")) else "PLACE"


@pytest.mark.parametrize(
    "field",
    [
        "limit_price={{close}}",
        "limit_price={{close}}.25",
        "limit_price={{strategy.order.comment}}",
        "limit_price={{strategy.order.price}}",
        "qty=1{{interval}}",
        "action={{strategy.order.action}}",
        "order_type={{strategy.order.alert_message}}MARKET",
        "instrument={{ticker}}",
        "instrument=ES {{plot_0}}-26",
        "account={{plot_0}}",
    ],
)
def test_what_may_be_right_once_it_is_filled_in_is_accepted(field: str) -> None:
    row = explain(f"key={demo.KEY};command=PLACE;{field}".encode()).rows[-1]
    assert (row.remark, row.fault) == ("filled in by TradingView", None)


def test_text_around_a_placeholder_is_free_where_the_command_does_not_use_the_field() -> None:
    assert not wrong(f"key={demo.KEY};command=CANCEL;order_id=a;qty={{{{close}}}}x2;notes={{{{close}}}}+1")


@pytest.mark.parametrize(
    ("text", "error", "field"),
    [
        (f"command=PLACE;{ENTRY};order_id=a-{{{{timenow}}}}".replace("gtc", "always"), "invalid_value", "tif"),
        (f"command=PLACE;{ENTRY};order_id=a-{{{{timenow}}}};stop_loss={{{{my_stop}}}}", "unresolved_placeholder", ""),
        (f"command=PLACE;{ENTRY};order_id=a-{{{{timenow}}}}".replace("limit_price=5000.50;", ""), "missing_field", ""),
        (f"command=PLACE;{ENTRY};order_id=a-{{{{timenow}}}};stop_loss=5010", "invalid_value", "stop_loss"),
        (f"command=PLACE;{ENTRY};order_id=STOP1;oco_id={{{{ticker}}}}", "invalid_value", "order_id"),
        ("command=CHANGE;order_id=STOP1;stop_price={{plot_0}}", "strategy_id_required", ""),
    ],
)
def test_what_tradingview_does_not_fill_in_is_checked_as_ever(text: str, error: str, field: str) -> None:
    explanation = explained(f"key={demo.KEY};{text}")
    assert [fault["error"] for fault in explanation["faults"]] == [error]
    assert not field or wrong(f"key={demo.KEY};{text}") == {field}


def test_unquoted_placeholders_in_json_are_filled_in_too() -> None:
    members = f'"key": "{demo.KEY}", "command": "CANCEL", "order_id": {{{{plot_0}}}}'
    assert explained(f"{{{members}}}")["verdict"] == "This alert would cancel order {{plot_0}}."


def test_a_placeholder_with_quotes_of_its_own_breaks_no_text_in_json() -> None:
    order = '"account": "Sim101", "instrument": "ES", "action": "BUY", "qty": 1, "order_type": "MARKET", "tif": "GTC"'
    members = f'"key": "{demo.KEY}", "command": "PLACE", {order}, "stop_loss": "{{{{plot("My stop")}}}}"'
    explanation = explained(f"{{{members}}}")
    assert (explanation["faults"], explanation["fields"][-1]["value"]) == ([], '{{plot("My stop")}}')


def test_text_that_tradingview_puts_into_json_without_quotes_breaks_it() -> None:
    members = f'"key": "{demo.KEY}", "command": "CANCEL", "order_id": {{{{timenow}}}}, "qty": {{{{strategy.order.id}}}}'
    explanation = explained(f"{{{members}}}")
    assert explanation["verdict"] == "This alert would be refused: 400 malformed_payload."
    assert [(fault["field"], fault["detail"]) for fault in explanation["faults"]] == [
        (
            name,
            f"{name} holds {{{{{what}}}}} without quotes, and TradingView puts text there: write it in double quotes.",
        )
        for name, what in (("order_id", "timenow"), ("qty", "strategy.order.id"))
    ]
    assert wrong(f"{{{members}}}") == {"order_id", "qty"}


def test_json_that_is_broken_behind_a_placeholder_is_broken() -> None:
    text = f'{{"key": "{demo.KEY}", "command": "CANCEL", "order_id": {{{{plot_0}}}} "qty": 1}}'
    explanation = explained(text)
    assert [fault["error"] for fault in explanation["faults"]] == ["malformed_payload"]
    place = text.index('"qty"') + 1
    assert f"line 1, column {place}" in explanation["faults"][0]["detail"]


def test_of_broken_json_every_fault_is_told_with_its_place() -> None:
    lines = [
        "{",
        f'"key": "{demo.KEY}",',
        '"command": "CHANGE",',
        '"order_id": a,',
        '"limit_price": {{close}},',
        '"stop_price": 5,5,',
        '"quantity": "1.5"}',
    ]
    explanation = explained("\n".join(lines))
    details = [fault["detail"] for fault in explanation["faults"]]
    assert [detail.partition(": ")[0] for detail in details[:2]] == [
        "The JSON breaks at line 4, column 13",
        "The JSON breaks at line 6, column 17",
    ]
    assert details[2:] == ["qty must be a whole number from 1 to 1000000."]
    assert wrong("\n".join(lines)) == {"quantity"}


def test_of_a_text_every_line_that_is_no_field_is_told() -> None:
    faults = explained(f"key={demo.KEY};command=CANCEL\nhello\norder_id=STOP01\nworld")["faults"]
    assert [fault["detail"][:6] for fault in faults if fault["error"] == "malformed_payload"] == ["Line 2", "Line 4"]
    assert [fault["field"] for fault in faults if fault["error"] == "invalid_value"] == ["order_id"]


@pytest.mark.parametrize("command", ["command=CANCLE", "comand=CANCEL", "cmd=CANCLE"])
def test_behind_a_mistyped_command_the_fields_are_checked_too(command: str) -> None:
    assert wrong(f"key={demo.KEY};{command};order_id=STOP01;foo=1") == {command.partition("=")[0], "order_id"}


def test_bytes_that_are_no_text_are_told_in_json_too() -> None:
    body = f'{{"key": "{demo.KEY}", "command": "CANCEL", "order_id": "'.encode() + b'\xff"}'
    assert explain(body).faults[0].detail.startswith("There is a byte 0xFF, which is not UTF-8, at line 1, column ")


def test_a_key_that_will_be_added_counts_and_is_not_shown() -> None:
    explanation = explain(b"command=CANCEL;order_id=a", demo.KEY)
    assert (explanation.faults, [row.name for row in explanation.rows]) == ([], ["command", "order_id"])


def test_only_the_second_of_two_equal_fields_is_wrong() -> None:
    fields = explained(f"key={demo.KEY};command=CANCEL;order_id=a;ORDER_ID=b")["fields"]
    assert [field["wrong"] for field in fields] == [False, False, False, True]


def test_the_key_is_masked_wherever_it_stands() -> None:
    explanation = explained(f"key={demo.KEY};command=CANCEL;order_id={demo.KEY};{demo.KEY}=1")
    assert demo.KEY not in str(explanation)
    assert explanation["fields"][0]["value"] == f"…{demo.KEY[-4:]}"


def test_of_a_short_secret_not_even_the_end_is_shown() -> None:
    assert mask("hunter2") == "…"


def test_ignored_and_empty_fields_are_remarked_on() -> None:
    rows = explain(f"key={demo.KEY};command=CANCEL;order_id=a;account=Sim101;qty=".encode()).rows
    assert [row.remark for row in rows] == [
        "",
        "",
        "",
        "CANCEL does not use account.",
        "qty is empty, so it counts as absent.",
    ]


PLACE = f"key={demo.KEY};command=PLACE;{ENTRY}"


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        (PLACE, ["no_order_id"]),
        (f"{PLACE};order_id=a", []),
        (f"key={demo.KEY};kill_switch=on", ["kill_switch"]),
        (f"key={demo.KEY};kill_switch=off", []),
    ],
)
def test_what_the_answer_warns_of_in_any_case_is_told_beside_the_fields(text: str, warned: list[str]) -> None:
    assert [warning["code"] for warning in explained(text)["warnings"]] == warned


@pytest.mark.parametrize(("venue", "says"), [(TABLE, "no effect"), (NINJATRADER, "")])
def test_a_group_that_nothing_heeds_is_remarked_on(venue: Venue, says: str) -> None:
    explanation = explain(f"{PLACE};order_id=a;oco_id=g".encode(), venue=venue)
    [remark] = [row.remark for row in explanation.rows if row.field == "oco_id"]
    assert says in remark
    assert bool(says) == bool(remark)


def test_a_field_has_every_remark_that_is_made_of_it() -> None:
    fields = f"key={demo.KEY};command=CANCEL;order_id=a;notes=old stop_loss=4990 {'x' * 500}"
    [notes] = [field for field in explained(fields)["fields"] if field["name"] == "notes"]
    assert "is a ';' missing" in notes["remark"]
    assert "500" in notes["remark"]


def test_a_misspelt_field_behind_two_slashes_is_shown() -> None:
    told = explained(f"{PLACE};order_id=a; // sl=4990")
    assert not told["accepted"]
    [row] = [field for field in told["fields"] if field["wrong"]]
    assert (row["name"], row["value"]) == ("stop_loss", "(behind //)")


def test_a_remark_is_told_to_a_script_too() -> None:
    fields = explained(f"key={demo.KEY};command=CANCEL;order_id={{{{ticker}}}};qty=1")["fields"]
    assert [field["remark"] for field in fields] == [
        None,
        None,
        "filled in by TradingView",
        "CANCEL does not use qty.",
    ]


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert explained("key=\udcff")["verdict"] == "This alert would be refused: 400 malformed_payload."


def test_what_the_command_line_shares_needs_no_package_of_its_own() -> None:
    code = (
        "import sys, orderhook.administration, orderhook.records, orderhook.representations;"
        "print(*{'cli', 'moto', 'requests', 'rich', 'typer', 'yaml'} & sys.modules.keys())"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "\n"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("command=CANCEL; order_id=a;", "This alert would ask the venue to cancel order a."),
        ("command=CHANGE; order_id=a; qty=2;", "This alert would ask the venue to change order a to qty 2."),
        (
            "command=PLACE; account=A; instrument=ES; action=BUY; qty=1; order_type=MARKET; tif=DAY; order_id=a; "
            "strategy=scalp;",
            "This alert would ask the venue to place BUY 1 ES MARKET, DAY, in account A, as order a, with the legs of "
            "template scalp (NinjaTrader's own legs, if the template is declared as NinjaTrader's).",
        ),
        ("command=CANCELALLORDERS;", "This alert would ask the venue to cancel every working order of every account."),
        ("kill_switch=on;", "This alert would turn the kill switch on."),
        (
            "command=PLACE;account=Sim101;instrument=ES 12-26;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=a;"
            "flatten_first=true;require_market_position=short/flat;max_positions=2;stop_loss=-10ticks;take_profit=1%",
            "This alert would ask the venue to place BUY 1 ES 12-26 MARKET, DAY, in account Sim101, as order a, with a "
            "target +1% from the fill, with a stop -10 ticks from the fill, only while the position is flat or short, "
            "only if at most 2 instruments of the account are open with it, once the orders of the instrument are "
            "cancelled and its position is closed.",
        ),
        *(
            (
                "command=PLACE;account=Sim101;instrument=ES 12-26;action=SELL;qty=2;order_type=MARKET;tif=DAY;"
                "order_id=a;sync_strategy=true;market_position=short;prev_market_position=long;target_quantity=-2;"
                f"out_of_sync={word}",
                "This alert would ask the venue to place SELL 2 ES 12-26 MARKET, DAY, in account Sim101, as order a, "
                f"if the position is long (else {otherwise}).",
            )
            for word, otherwise in (
                ("wait", "place nothing"),
                ("flatten", "close it and place nothing"),
                ("resync", "bring it to short 2 in place of this"),
            )
        ),
        (
            "command=CANCELREPLACE;account=Sim101;instrument=ES 12-26;action=BUY;qty=1;order_type=LIMIT;tif=GTC;"
            "order_id=a;limit_price=-2 ticks;reference_price={{close}};require_market_position=flat",
            "This alert would ask the venue to replace order a by BUY 1 ES 12-26 LIMIT, limit 4999.5, GTC, in account "
            "Sim101, only while the position is flat (with examples for what TradingView fills in).",
        ),
        (
            "command=PLACE;account=Sim101;instrument=ES 12-26;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=a;"
            "stop_loss=-{{plot_0}} ticks",
            "This alert would ask the venue to place BUY 1 ES 12-26 MARKET, DAY, in account Sim101, as order a, with a "
            "stop -10 ticks from the fill (with examples for what TradingView fills in).",
        ),
    ],
)
def test_with_a_venue_an_alert_asks_for_it(text: str, verdict: str) -> None:
    assert explain(f"key={demo.KEY}; {text}".encode(), venue=NINJATRADER).verdict == verdict


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("flatten_first=true", "flatten_first"),
        ("require_market_position=flat", "require_market_position"),
        ("max_positions=1", "max_positions"),
        ("sync_strategy=true;market_position={{strategy.market_position}};prev_market_position=flat", "sync_strategy"),
        ("stop_loss=-10 ticks", "stop_loss"),
    ],
)
def test_without_a_venue_what_needs_one_is_marked(option: str, field: str) -> None:
    assert wrong(f"{PLACE};order_id=a;{option}") == {field}
    assert not explain(f"{PLACE};order_id=a;{option}".encode(), venue=NINJATRADER).faults


@pytest.mark.parametrize(
    "sides",
    [
        "action=SELL;market_position={{strategy.market_position}};prev_market_position=flat",
        "action=SELL;market_position=short;prev_market_position={{strategy.prev_market_position}}",
        "action={{strategy.order.action}};market_position=flat;prev_market_position=long",
        "action=SELL;market_position={{strategy.market_position}};prev_market_position=long;target_quantity=-2",
    ],
)
def test_the_sides_of_a_strategy_are_compared_once_all_are_filled_in(sides: str) -> None:
    text = f"key={demo.KEY};command=PLACE;{ENTRY.replace('action=buy', sides)};order_id=a;sync_strategy=true"
    assert not explain(text.encode(), venue=NINJATRADER).faults


def test_a_field_that_is_lost_in_parentheses_is_shown() -> None:
    assert wrong(f"command=PLACE;{ENTRY};(stop_loss=4990)") == {"stop_loss"}
    fields = explained("command=CANCEL;order_id=a;(strategy_id=S)")["fields"]
    assert [field["remark"] for field in fields if field["name"] == "strategy_id"] == [
        "strategy_id= stands in parentheses, as a remark does: CANCEL was done without it."
    ]


# What an instrument means

BEFORE_ROLL = date(2026, 12, 8)


def on_a_day(text: str, on: date = BEFORE_ROLL) -> dict[str, Any]:
    shown: dict[str, Any] = represent_explanation(explain(f"key={demo.KEY};{text}".encode(), on=on))
    return shown


def remark_on_instrument(shown: dict[str, Any]) -> str:
    [remark] = [str(row["remark"] or "") for row in shown["fields"] if row["field"] == "instrument"]
    return remark


@pytest.mark.parametrize(
    ("spelling", "remark"),
    [
        ("ES1!", "This is ES 12-26. ES 12-26 rolls to ES 03-27 on 2026-12-10: see that this is the month you mean"),
        ("CME_MINI:ESM2027", "This is ES 06-27."),
        ("ES 06-27", ""),
        ("es 06-27", ""),
        ("AAPL", "AAPL is none of the futures that are listed here"),
    ],
)
def test_it_tells_which_contract_is_meant_and_what_is_said_of_it(spelling: str, remark: str) -> None:
    shown = on_a_day(f"command=PLACE;order_id=a;{MARKET.replace('ES 12-26', spelling)}")
    assert remark_on_instrument(shown).startswith(remark)
    assert bool(remark) == bool(remark_on_instrument(shown))
    assert shown["accepted"]


def test_it_says_that_a_cancel_reaches_every_month() -> None:
    shown = on_a_day("command=CANCELORDERS;account=Sim101;instrument=CME_MINI:ES1!")
    assert remark_on_instrument(shown) == "This is every month of ES."
    assert shown["verdict"] == "This alert would cancel every working order of account Sim101 in every month of ES."


def test_an_expired_contract_is_at_fault_and_so_is_what_stands_beside_it() -> None:
    text = f"command=PLACE;order_id=a;{MARKET}".replace("qty=1", "qty=x")
    shown = on_a_day(text, date(2026, 12, 19))
    assert {fault["field"] for fault in shown["faults"]} == {"instrument", "qty"}
    assert [row["field"] for row in shown["fields"] if row["wrong"]] == ["instrument", "qty"]


def test_what_tradingview_will_fill_in_as_an_instrument_means_nothing_yet() -> None:
    text = f"command=PLACE;order_id=a;{MARKET}".replace("ES 12-26", "{{ticker}}")
    assert remark_on_instrument(on_a_day(text)) == "filled in by TradingView"
