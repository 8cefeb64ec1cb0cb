"""Alerts as traders paste them, through the handler: what is done all the same, what is not, and what is recorded.

tests/unit/test_grammar.py has every form of them; here is what comes of an order, an answer and a record.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.marks import OF_WORDS

pytestmark = OF_WORDS

if TYPE_CHECKING:
    from tests.output import Answer
    from tests.service import Service

Fields = Mapping[str, object]

ENTRY: Fields = {
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": 5,
    "order_type": "LIMIT",
    "limit_price": 5000,
    "tif": "GTC",
}


def text(*fields: Fields) -> str:
    """Write fields as an alert of one line; of two with the same name the later counts, None leaves it out."""
    merged = {name: value for part in fields for name, value in part.items()}
    return "".join(f"{name}={value};" for name, value in merged.items() if value is not None)


def post(service: "Service", *fields: Fields | str) -> "Answer":
    return service.post(
        f"key={service.key};" + "".join(part if isinstance(part, str) else text(part) for part in fields)
    )


def place(service: "Service", *changes: Fields) -> "Answer":
    return post(service, {"command": "PLACE"}, text(ENTRY, *changes))


def have_living_order(service: "Service", **changes: object) -> None:
    assert place(service, {"order_id": "living", **changes}).word == "placed"


def lives(service: "Service", order_id: str = "living") -> bool:
    """Return whether an order works; the question cancels it."""
    return service.cancel(order_id).word == "cancelled"


def refusal(answer: "Answer") -> tuple[int, str, str | None]:
    return answer.status, answer.word, answer.body.get("field")


def warnings(answer: "Answer") -> list[tuple[str, str]]:
    return [(warning["code"], warning["field"]) for warning in answer.body.get("warnings", [])]


# Comments


def test_a_line_of_comment_cancels_nothing(service: "Service") -> None:
    have_living_order(service)
    answer = service.post(f"key={service.key}\n// command=CANCEL; order_id=living;\ncommand=CANCEL;")
    assert refusal(answer) == (400, "missing_field", "order_id")
    assert lives(service)


def test_a_comment_that_would_swallow_the_stop_places_nothing(service: "Service") -> None:
    answer = post(service, {"command": "PLACE"}, ENTRY, "order_id=new; // stop_loss=4990; take_profit=5010;")
    assert refusal(answer) == (400, "invalid_value", "stop_loss")
    record = service.record_of(answer)
    assert record is not None
    assert record.fields["order_id"] == "new"
    assert not lives(service, "new")


def test_a_comment_behind_other_fields_is_skipped(service: "Service") -> None:
    have_living_order(service)
    assert post(service, "command=CANCEL; // my long; x\norder_id=living").word == "cancelled"


def test_a_stranger_is_told_of_the_key_and_not_of_the_comment(service: "Service") -> None:
    assert service.post("key=your-secret-key; command=CANCEL; // order_id=a").word == "invalid_secret_key"


# Accounts, instruments and ids


@pytest.mark.parametrize(
    "changes",
    [
        {"account": '"Sim101"'},
        {"account": "null"},
        {"account": "Sim101,sim101"},
        {"account": "Sim101,STOP1"},
        {"instrument": "ES 12-26,"},
        {"instrument": "ES 12-26 // the e-mini"},
        {"order_id": "NaN"},
        {"strategy_id": "undefined"},
    ],
    ids=str,
)
def test_what_is_not_a_name_places_nothing(service: "Service", changes: Fields) -> None:
    assert refusal(place(service, {"order_id": "new"}, changes)) == (400, "invalid_value", *changes)
    assert service.send("CANCELALLORDERS").body.get("cancelled", []) == []


def test_a_command_over_many_takes_no_quotes_around_an_account(service: "Service") -> None:
    have_living_order(service)
    answer = service.send("CANCELORDERS", account='"Sim101"')
    assert refusal(answer) == (400, "invalid_value", "account")
    assert "'\"' (U+0022) at position 1" in answer.body["detail"]
    assert lives(service)


def test_ids_end_in_the_accounts_names_in_lower_case(service: "Service") -> None:
    placed = place(service, {"account": "Sim101,Apex 7", "order_id": "long"})
    assert [result["order_id"] for result in placed.body["results"]] == ["long.sim101", "long.apex 7"]
    assert lives(service, "long.sim101")
    cancelled = service.cancel("long", account="APEX  7, SIM101")
    assert [result["order_id"] for result in cancelled.body["results"]] == ["long.apex 7", "long.sim101"]


def test_in_a_list_the_ending_of_a_leg_stays_last(service: "Service") -> None:
    answer = service.cancel("long.stop1", account="Sim101,Apex")
    assert "'long.sim101.STOP1'" in answer.body["results"][0]["detail"]


@pytest.mark.parametrize("order_id", ["Long Entry", "TP/SL", "2026-11-27T09:30:00Z"])
def test_an_id_is_what_a_strategy_of_tradingview_calls_an_order(service: "Service", order_id: str) -> None:
    assert place(service, {"order_id": order_id}).body["order_id"] == order_id
    assert lives(service, order_id)


def test_runs_of_blanks_in_an_id_become_one(service: "Service") -> None:
    assert place(service, {"order_id": "Long   Entry"}).body["order_id"] == "Long Entry"
    assert lives(service, "Long  Entry")


@pytest.mark.parametrize(
    ("order_id", "way_out"), [("STOP1", "STOP1-{{timenow}}"), ("long.target2", "long-{{timenow}}")]
)
def test_place_takes_no_id_that_could_be_a_legs(service: "Service", order_id: str, way_out: str) -> None:
    answer = place(service, {"order_id": order_id})
    assert refusal(answer) == (400, "invalid_value", "order_id")
    assert way_out in answer.body["detail"]


# Empty values


def test_an_empty_stop_places_nothing(service: "Service") -> None:
    assert refusal(place(service, {"order_id": "new", "stop_loss": ""})) == (400, "missing_field", "stop_loss")
    assert not lives(service, "new")


def test_a_stop_of_zero_places_nothing(service: "Service") -> None:
    assert refusal(place(service, {"order_id": "new", "stop_loss": "0"})) == (400, "invalid_value", "stop_loss")
    assert not lives(service, "new")


def test_an_empty_instrument_is_not_every_instrument(service: "Service") -> None:
    have_living_order(service)
    answer = service.send("CANCELORDERS", account="Sim101", instrument="")
    assert refusal(answer) == (400, "missing_field", "instrument")
    assert lives(service)


def test_any_other_empty_field_counts_as_absent_and_is_told(service: "Service") -> None:
    have_living_order(service)
    answer = service.cancel("living", strategy_id="", quantity=" ", notes="")
    assert answer.word == "cancelled"
    assert answer.body["warnings"] == [
        {"code": "empty_field", "field": name, "detail": f"{name} is empty, so it counts as absent."}
        for name in ("strategy_id", "qty", "notes")
    ]


def test_null_in_json_is_absent_without_a_word_and_stands_in_the_record(service: "Service") -> None:
    have_living_order(service)
    members = (
        f'"key": "{service.key}", "command": "CANCEL", "order_id": "living", "strategy_id": null, "nonsense": null'
    )
    answer = service.post(f"{{{members}}}")
    assert answer.word == "cancelled"
    assert "warnings" not in answer.body
    record = service.record_of(answer)
    assert record is not None
    assert record.fields["nonsense"] == "null"


# What a cancel does not need


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"notes": "sl=4990 hit"}, []),
        ({"notes": "{{strategy.order.comment}}"}, []),
        ({"notes": "x" * 501}, [("notes_cut", "notes")]),
        ({"notes": "old stop_loss=4990"}, [("missing_semicolon", "notes")]),
        ({"price": 5000}, [("unknown_field", "price")]),
        ({"qty": "{{strategy.order.contracts}}"}, [("ignored_field", "qty")]),
        ({"limit_price": "5,000.25"}, [("ignored_field", "limit_price")]),
        ({"orderid": "other"}, [("unknown_field", "orderid")]),
        ({"account": "Sim101"}, [("ignored_field", "account")]),
        ({"target_quantity": 0}, [("ignored_field", "target_quantity")]),
        ({"strategy_tag": "a"}, [("ignored_field", "strategy_tag")]),
        ({"reference_price": "{{close}}"}, [("ignored_field", "reference_price")]),
        ({"sl": "", "tif": "DAY"}, [("unknown_field", "sl"), ("ignored_field", "tif")]),
    ],
)
def test_a_cancel_goes_without_what_it_does_not_need(
    service: "Service", fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    have_living_order(service)
    answer = service.cancel("living", **fields)
    assert answer.word == "cancelled"
    assert warnings(answer) == expected
    assert all(set(warning) == {"code", "field", "detail"} for warning in answer.body.get("warnings", []))


def test_a_cancel_in_json_takes_any_notes(service: "Service") -> None:
    have_living_order(service)
    notes = "{{strategy.order.comment}}; order_id=b; old stop_loss=4990"
    members = f'"key": "{service.key}", "command": "CANCEL", "order_id": "living", "notes": "{notes}"'
    answer = service.post(f"{{{members}}}")
    assert answer.word == "cancelled"
    assert "warnings" not in answer.body


@pytest.mark.parametrize("fields", [{"orderid": "living"}, {"order_id": "living", "strategyid": "S"}], ids=str)
def test_a_cancel_does_not_go_without_what_says_which_order_is_meant(
    service: "Service", fields: dict[str, Any]
) -> None:
    have_living_order(service)
    assert refusal(service.send("CANCEL", **fields)) == (400, "unknown_field", [*fields][-1])
    assert lives(service)


# What was meant to narrow


@pytest.mark.parametrize(
    ("command", "fields", "error"),
    [
        ("CANCELALLORDERS", {"account": "A"}, "invalid_value"),
        ("CANCELALLORDERS", {"account": "A,B"}, "invalid_value"),
        ("CANCELALLORDERS", {"account": ""}, "invalid_value"),
        ("CANCELALLORDERS", {"instrument": "ES 12-26"}, "invalid_value"),
        ("CANCELALLORDERS", {"symbol": "ES"}, "unknown_field"),
        ("CANCELORDERS", {"account": "Sim101", "symbol": "NQ 12-26"}, "unknown_field"),
        ("CANCELORDERS", {"account": "Sim101", "order_id": "a"}, "invalid_value"),
        ("CANCELORDERS", {"account": "Sim101", "qty": "1 instrument=NQ"}, "invalid_value"),
        ("CLOSESTRATEGY", {"strategy_id": "S", "account": "Sim101"}, "invalid_value"),
        ("CLOSESTRATEGY", {"strategy_id": "S", "nonsense": "1"}, "unknown_field"),
    ],
)
def test_a_command_over_many_does_not_go_without_what_was_to_narrow_it(
    service: "Service", command: str, fields: dict[str, Any], error: str
) -> None:
    have_living_order(service, strategy_id="S")
    assert refusal(service.send(command, **fields)) == (400, error, [*fields][-1])
    assert lives(service)


# Hints


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("CANCEL ORDER", "CANCEL"),
        ("CANCELORDER", "CANCEL"),
        ("CANCELALL", "CANCELALLORDERS"),
        ("REPLACE", "CHANGE or CANCELREPLACE"),
        ("MODIFY", "CHANGE or CANCELREPLACE"),
    ],
)
def test_a_command_that_there_is_not_is_refused_with_what_was_meant(service: "Service", sent: str, meant: str) -> None:
    answer = service.send(sent, account="Sim101", order_id="a")
    assert refusal(answer) == (400, "unknown_command", "command")
    assert answer.body["detail"].endswith(f": did you mean {meant}?")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("limit", "limit_price"),
        ("sl", "stop_loss"),
        ("tp", "take_profit"),
        ("side", "action"),
        ("symbol", "instrument"),
    ],
)
def test_a_field_of_another_services_alerts_is_refused_with_the_one_here(
    service: "Service", sent: str, meant: str
) -> None:
    answer = place(service, {sent: "1"})
    assert refusal(answer) == (400, "unknown_field", sent)
    assert answer.body["detail"].endswith(f": did you mean {meant}?")


# What does not parse


@pytest.mark.parametrize(
    ("body", "error", "told"),
    [
        ("key=KEY\n{{strategy.order.alert_message}}", "unresolved_placeholder", "Line 2 still holds"),
        ("{{strategy.order.alert_message}}\nkey=KEY", "unresolved_placeholder", "Line 1 still holds"),
        ('{"command": "PLACE", "qty": {{x}}, "key": "KEY"}', "unresolved_placeholder", "line 1, column 29 still holds"),
        ('{"command": "CANCEL",\n "key": "KEY",\n}', "malformed_payload", "line 3, column 1: expected another name"),
        ('{"key": "KEY",\n "order_id": "a" "qty": 1}', "malformed_payload", "line 2, column 18: expected ',' or '}'"),
        ('{"key": "KEY",\n "order_id": "a"', "malformed_payload", "line 2, column 17: expected ',' or '}', and the bo"),
        ("{'key': 'KEY', 'command': 'CANCEL'}", "malformed_payload", "line 1, column 2: expected a name in double q"),
        ('{"qty": NaN, "key": "KEY"}', "malformed_payload", "line 1, column 9: expected a value"),
        ('{"command": CANCEL, "key": "KEY"}', "malformed_payload", "line 1, column 13: expected a value"),
        ('[{"key": "KEY"}]', "malformed_payload", "line 1, column 1: expected '{'"),
        (
            "{\u201ckey\u201d: \u201cKEY\u201d}",
            "malformed_payload",
            "line 1, column 2: expected a name in double quotes",
        ),
        (r'"{\"key\":\"KEY\",\"command\":\"CANCEL\"}"', "malformed_payload", "Line 1 has a piece without '='"),
        ("key=KEY;command=CANCEL;nonsense", "malformed_payload", "Line 1 has a piece without '='"),
        ("key: KEY\ncommand: CANCEL", "malformed_payload", "Line 1 has a piece without '='"),
        (b"order_id=\xe9;key=KEY", "malformed_payload", "a byte 0xE9, which is not UTF-8, at line 1, column 10"),
        (b"order_id=\0;key=KEY", "malformed_payload", "a character U+0000 at line 1, column 10"),
        ("key=KEY;notes=" + "x" * 9000, "payload_too_large", "bytes; at most 8192 are accepted"),
    ],
)
def test_a_body_that_does_not_parse_and_holds_a_key_is_its_senders(
    service: "Service", body: str | bytes, error: str, told: str
) -> None:
    raw = body if isinstance(body, bytes) else body.encode()
    answer = service.post(raw.replace(b"KEY", service.key.encode()))
    assert answer.word == error
    assert told in answer.body["detail"]
    record = service.record_of(answer)
    assert record is not None
    assert (record.outcome, record.status, record.detail) == (error, answer.status, answer.body["detail"])
    assert service.key[17:] not in f"{record}{answer.text}"
    for key in (b"your-secret-key", service.key[:-8].encode() + b"00000000"):
        answer = service.post(raw.replace(b"KEY", key))
        assert answer.word in ("malformed_payload", "payload_too_large")
        assert not any(part in answer.body["detail"] for part in ("ine 1", "ine 2", "ine 3", "{{"))


def test_a_body_that_does_not_parse_and_holds_two_keys_is_nobodys(service: "Service") -> None:
    answer = service.post(f'{{"key": "{service.key}", "key": "{service.issue_key()}",}}')
    assert (answer.status, answer.word) == (400, "malformed_payload")
    assert "column" not in answer.body["detail"]
    assert service.alerts.get(service.trader, answer.request_id) is None


def test_a_key_outside_a_key_field_does_not_tell_whose_a_body_is(service: "Service") -> None:
    answer = service.post(f'{{"notes": "the key is {service.key}",}}')
    assert "column" not in answer.body["detail"]
    assert service.alerts.get(service.trader, answer.request_id) is None


# The key, wherever it stands


@pytest.mark.parametrize("where", ["notes", "order_id", "strategy_id", "nonsense", "tif"])
def test_the_secret_half_of_the_key_is_kept_nowhere(service: "Service", where: str) -> None:
    half = service.key[17:]
    encoded = "".join(f"%{ord(character):02x}" for character in service.key)
    for shown in (half, half[:30], half.swapcase(), service.key.replace("_", "%5F"), encoded, quote(encoded)):
        answer = service.send("CANCEL", **{"order_id": "a", where: f"a{shown}b"})
        assert (answer.status, answer.word) == (400, "invalid_value")
        record = service.record_of(answer)
        assert record is not None
        assert shown.lower() not in f"{record}{answer.text}".lower()


# Prices


def test_the_noise_of_a_float_is_taken_with_a_warning(service: "Service") -> None:
    answer = place(service, {"limit_price": "5000.249999999999545252649113535881"})
    assert answer.word == "placed"
    assert ("float_noise", "limit_price") in warnings(answer)


@pytest.mark.parametrize(
    ("prices", "field"),
    [
        ({"stop_loss": 5000}, "stop_loss"),
        ({"take_profit": 5000}, "take_profit"),
        ({"stop_loss_limit": 4995, "stop_loss_stop": 4990}, "stop_loss_limit"),
        ({"action": "SELL", "stop_loss_limit": 5005, "stop_loss_stop": 5010}, "stop_loss_limit"),
    ],
)
def test_prices_on_the_wrong_side_of_each_other_place_nothing(service: "Service", prices: Fields, field: str) -> None:
    assert refusal(place(service, {"order_id": "new"}, prices)) == (400, "invalid_value", field)
    assert not lives(service, "new")


# Fields in parentheses, which are left out


@pytest.mark.parametrize(
    ("command", "remark", "field"),
    [
        ("PLACE", "(stop_loss=4990)", "stop_loss"),
        ("PLACE", "(sl at 4990, take_profit = 5010)", "take_profit"),
        ("PLACE", "( order_id=other )", "order_id"),
        ("PLACE", "(flatten_first=true)", "flatten_first"),
        ("PLACE", "(sl=4990)", "stop_loss"),
        ("PLACE", "(my stop loss = 4990)", "stop_loss"),
        ("PLACE", "(stop-loss=4990)", "stop_loss"),
        ("PLACE", "(target first, tp=5010)", "take_profit"),
        ("CANCELREPLACE", "(ATM_STRATEGY=brackets)", "strategy"),
    ],
)
def test_what_opens_is_refused_where_a_field_would_be_lost_in_parentheses(
    service: "Service", command: str, remark: str, field: str
) -> None:
    have_living_order(service)
    fields = {"order_id": "living"} if command == "CANCELREPLACE" else {}
    answer = post(service, {"command": command}, {**ENTRY, **fields}, remark)
    assert refusal(answer) == (400, "invalid_value", field)
    assert service.open_orders() == ["living"]


@pytest.mark.parametrize(
    ("text_before", "remark", "field"),
    [
        ("command=CANCELORDERS;account=Sim101;", "(instrument=NQ 12-26)", "instrument"),
        ("command=CANCELORDERS;account=Sim101;", "(strategy_id=S)", "strategy_id"),
        ("command=CANCELALLORDERS;", "(account=Sim102)", "account"),
        ("command=CANCELORDERS;account=Sim101;", "(symbol=NQ 12-26)", "instrument"),
        ("command=CANCELALLORDERS;", "(account id=Sim102)", "account"),
    ],
)
def test_a_cancel_is_refused_where_what_narrows_it_stands_in_parentheses(
    service: "Service", text_before: str, remark: str, field: str
) -> None:
    have_living_order(service)
    assert refusal(post(service, text_before, remark)) == (400, "invalid_value", field)
    assert lives(service)


def test_a_cancel_is_done_without_a_field_in_parentheses_and_warns(service: "Service") -> None:
    have_living_order(service)
    answer = post(service, "command=CANCEL;order_id=living;(strategy_id=S)")
    assert answer.word == "cancelled"
    assert warnings(answer) == [("ignored_field", "strategy_id")]


@pytest.mark.parametrize(
    "remark",
    [
        "(optional)",
        "(qty=1 or 2)",
        "(command=PLACE)",
        "(notes=mine)",
        "(price=4990)",
        "(sl 4990)",
        "(x=1)",
        "(kill_switch=on)",
    ],
)
def test_parentheses_around_anything_else_are_a_remark(service: "Service", remark: str) -> None:
    answer = post(service, {"command": "PLACE", **ENTRY, "order_id": "living"}, remark)
    assert answer.word == "placed"
    assert warnings(answer) == []


@pytest.mark.parametrize(
    ("comment", "field"),
    [
        ("// stoploss=4990", "stop_loss"),
        ("// sl=", "stop_loss"),
        ("//; my long; tp = 5010;", "take_profit"),
        ("// old stop loss=4990", "stop_loss"),
    ],
)
def test_a_comment_that_would_swallow_a_misspelt_stop_places_nothing(
    service: "Service", comment: str, field: str
) -> None:
    answer = post(service, {"command": "PLACE", **ENTRY, "order_id": "living"}, comment)
    assert refusal(answer) == (400, "invalid_value", field)
    assert "did you mean" in answer.body["detail"]
    assert "put the comment on a line of its own" in answer.body["detail"]


@pytest.mark.parametrize("comment", ["// at price=4990", "// x=1", "// sl 4990", "// comment=mine", "\n// sl=4990"])
def test_a_comment_may_hold_what_is_no_field_or_stands_in_the_alert(service: "Service", comment: str) -> None:
    answer = post(service, {"command": "PLACE", **ENTRY, "order_id": "living"}, comment)
    assert answer.word == "placed"
    assert warnings(answer) == []


@pytest.mark.parametrize("alert", ["command=CANCELORDERS;account=Sim101", "command=CANCELALLORDERS"])
def test_a_misspelt_field_in_a_comment_was_meant_to_narrow_what_cancels_many(service: "Service", alert: str) -> None:
    have_living_order(service)
    answer = post(service, f"{alert}; // symbol=NQ 12-26")
    assert refusal(answer) == (400, "invalid_value", "instrument")
    assert service.state("living") == "Working"


def test_a_cancel_warns_of_a_misspelt_field_in_a_comment(service: "Service") -> None:
    have_living_order(service)
    answer = post(service, "command=CANCEL;order_id=living; // strategyid=S, sl=4990")
    assert answer.word == "cancelled"
    assert warnings(answer) == [("ignored_field", "strategy_id")]


@pytest.mark.parametrize("notes", ["foo sl=4990", "long, stop loss = 4990", "a=b tp=5010", "entry,\tstop-loss=4990"])
def test_what_opens_is_refused_where_its_notes_swallow_a_misspelt_field(service: "Service", notes: str) -> None:
    answer = post(service, {"command": "PLACE", **ENTRY, "order_id": "living"}, f"notes={notes}")
    assert refusal(answer) == (400, "invalid_value", "notes")
    assert "did you mean" in answer.body["detail"]


@pytest.mark.parametrize("notes", ["sl=4990", "at price=5000", "x=1", "sl 4990 = mine", "comment=sl"])
def test_notes_may_hold_what_is_no_field_or_stands_in_the_alert(service: "Service", notes: str) -> None:
    answer = post(service, {"command": "PLACE", **ENTRY, "order_id": "living"}, f"notes={notes}")
    assert answer.word == "placed"
    assert warnings(answer) == []


def test_a_cancel_warns_of_a_misspelt_field_in_its_notes(service: "Service") -> None:
    have_living_order(service)
    answer = post(service, "command=CANCEL;order_id=living;notes=old sl=4990")
    assert answer.word == "cancelled"
    assert warnings(answer) == [("missing_semicolon", "notes")]


def test_a_field_that_is_not_used_does_not_swallow_a_misspelt_one(service: "Service") -> None:
    answer = post(service, {"command": "PLACE", **ENTRY, "order_id": "living"}, "destination=x sl=4990")
    assert refusal(answer) == (400, "invalid_value", "destination")


def test_a_key_in_parentheses_is_no_key_and_is_not_told(service: "Service") -> None:
    answer = service.post(f"(key={service.key});command=CANCEL;order_id=a")
    assert refusal(answer) == (401, "invalid_secret_key", None)
    assert service.key not in str(answer.body)
