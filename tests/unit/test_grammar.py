"""The grammar of alerts, row by row: what pasted texts are taken for, and what they are refused with."""

import string
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.aws import demo
from orderhook import hints, payload, pipeline
from orderhook.commands import COMMANDS
from orderhook.errors import (
    DuplicateFieldError,
    InvalidValueError,
    MalformedPayloadError,
    MissingFieldError,
    OrderhookError,
    PayloadTooLargeError,
    UnknownCommandError,
    UnknownFieldError,
    UnresolvedPlaceholderError,
    UnsupportedValueError,
)
from orderhook.flat_json import NoText
from orderhook.keys import holds_key, issue
from orderhook.orders import folded
from orderhook.payload import KNOWN_NAMES, SYNONYMS, is_filled_in, placeholders, split, take_keys
from orderhook.pipeline import Alert
from orderhook.request_facts import RequestFacts

Fields = Mapping[str, object]

SECRET = demo.KEY
_, KEY = issue(
    trader="main", label="a test's", scopes=frozenset(), created="2026-01-02T03:04:05.000000Z", turns_kill_switch=True
)

ENTRY: Fields = {
    "command": "PLACE",
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": 5,
    "order_type": "LIMIT",
    "limit_price": 5000,
    "tif": "GTC",
}
CANCEL: Fields = {"command": "CANCEL", "order_id": "a"}
REPLACE: Fields = {**ENTRY, "command": "CANCELREPLACE", "order_id": "a"}
CHANGE: Fields = {"command": "CHANGE", "order_id": "a", "limit_price": 5001}
CANCELORDERS: Fields = {"command": "CANCELORDERS", "account": "Sim101"}
CANCELALLORDERS: Fields = {"command": "CANCELALLORDERS"}
CLOSESTRATEGY: Fields = {"command": "CLOSESTRATEGY", "strategy_id": "S"}
KILL_SWITCH: Fields = {"kill_switch": "on"}

OPENING = {"PLACE": ENTRY, "CANCELREPLACE": REPLACE, "CHANGE": CHANGE}
CANCELLING = {
    "CANCEL": CANCEL,
    "CANCELORDERS": CANCELORDERS,
    "CANCELALLORDERS": CANCELALLORDERS,
    "CLOSESTRATEGY": CLOSESTRATEGY,
}
ALL = {**OPENING, **CANCELLING, "KILLSWITCH": KILL_SWITCH}
MANY = {name: CANCELLING[name] for name in ("CANCELORDERS", "CANCELALLORDERS", "CLOSESTRATEGY")}


def text(*fields: Fields) -> str:
    """Write fields as an alert of one line; of two with the same name the later counts, None leaves it out."""
    merged = {name: value for part in fields for name, value in part.items()}
    return "".join(f"{name}={value};" for name, value in merged.items() if value is not None)


def parse(body: str | bytes) -> Alert:
    """Return the alert that a body gives; its key is not looked at."""
    found = split(body if isinstance(body, bytes) else body.encode())
    if found.fault:
        raise found.fault
    _, pairs = take_keys(found.pairs)
    return pipeline.parse_alert(pairs, KEY, RequestFacts("r"), is_json=found.is_json)


def refused(kind: type[OrderhookError], *fields: Fields | str) -> OrderhookError:
    """Return the error that the alert is refused with; fields are written as text."""
    with pytest.raises(kind) as error:
        parse("".join(part if isinstance(part, str) else text(part) for part in fields))
    assert type(error.value) is kind
    return error.value


def placed(*changes: Fields) -> Any:
    """Return the PLACE that the alert gives."""
    return parse(text(ENTRY, *changes)).first


def warnings(*fields: Fields | str) -> list[tuple[str, str | None]]:
    found = parse("".join(part if isinstance(part, str) else text(part) for part in fields))
    return [(warning.code, warning.field) for warning in found.warnings]


# Comments


@pytest.mark.parametrize(
    "body",
    [
        "// command=CANCEL; order_id=a;\ncommand=CANCEL;",
        "  // cancels; order_id=a;\ncommand=CANCEL",
        "\t//;order_id=a\r\ncommand=CANCEL;\r\n",
        "\ufeff// order_id=a\ncommand=CANCEL",
        "command=CANCEL\n// order_id=a; strategy_id=S;",
        "command=CANCEL;\n////;;;order_id=a;;;",
    ],
)
def test_a_line_of_comment_is_skipped_whole(body: str) -> None:
    assert refused(MissingFieldError, body).field == "order_id"


@pytest.mark.parametrize(
    ("comment", "field"),
    [
        ("// stop_loss=4990;", "stop_loss"),
        ("// my long; stop_loss=4990; take_profit=5010;", "stop_loss"),
        ("//stop_loss = 4990", "stop_loss"),
        ("// was Quantity=2", "qty"),
        (" ; // TIF=DAY is the default", "tif"),
        ("// see (stop_loss=4990)", "stop_loss"),
        ("notes=x; // atm_strategy=scalp", "strategy"),
        ("//; delay=5", "delay"),
        ("// a key=value comment", None),
        ("// x=1; y=2; strategy_id=S", "strategy_id"),
    ],
)
def test_a_comment_that_would_swallow_a_field_is_refused(comment: str, field: str | None) -> None:
    error = refused(InvalidValueError, ENTRY, comment)
    assert error.field == field
    assert error.detail.endswith("put the comment on a line of its own.")


@pytest.mark.parametrize("comment", ["// my long", "//", "// see https://example.org/?a", "// x=1; y=2", "// 100 = 1"])
def test_a_comment_behind_other_fields_is_skipped_to_the_end_of_its_line(comment: str) -> None:
    assert parse(f"command=CANCEL; {comment}; whatever this is\norder_id=a").warnings == ()


@pytest.mark.parametrize(
    "fields",
    [{"order_id": "a // mine"}, {"qty": "1 // one"}, {"action": "BUY // long"}, {"limit_price": "5000 // limit"}],
)
def test_a_comment_behind_a_value_belongs_on_a_line_of_its_own(fields: Fields) -> None:
    error = refused(InvalidValueError, {**ENTRY, **fields})
    assert error.field == next(iter(fields))
    assert "put the comment on a line of its own" in error.detail.lower()


# Accounts, instruments and templates


@pytest.mark.parametrize("field", ["account", "instrument", "strategy"])
@pytest.mark.parametrize(
    "value",
    [
        '"Sim101"', "'Sim101'", "Sim101,", "Sim101 // mine", "// mine", "Sim<101", "Sim>101", "Sim&101", "Sim\\101",
        "Sim\u200b101", "Sím101", "Sim\t101", "x" * 65,
    ],
)  # fmt: skip
def test_what_no_account_instrument_or_template_is_called_is_refused(field: str, value: str) -> None:
    assert refused(InvalidValueError, {**ENTRY, field: value}).field == field


@pytest.mark.parametrize("field", ["account", "instrument", "strategy"])
@pytest.mark.parametrize("value", ["Sim101", "My  Sim!", "-1", "a/b", "a//b", "a, b" * 0 + "ES 12-26", "x" * 64, "?*|"])
def test_any_other_name_is_kept_as_sent(field: str, value: str) -> None:
    assert getattr(placed({field: value}).new_order, field) == value


def test_runs_of_blanks_count_as_one_of_64_characters() -> None:
    assert placed({"account": "x" * 60 + "     " + "yyy"}).new_order.account == "x" * 60 + "     " + "yyy"
    assert placed({"order_id": "x" * 60 + "     " + "yyy"}).order_id == "x" * 60 + " yyy"


def test_quotes_around_a_value_are_to_be_taken_out() -> None:
    detail = refused(InvalidValueError, {**ENTRY, "account": '"Sim101"'}).detail
    assert detail.startswith("account holds '\"' (U+0022) at position 1; ")
    assert detail.endswith("Take the quotes out.")


@pytest.mark.parametrize(
    ("one", "other"), [("Sim101", "sim101"), ("ES 12-26", "es  12-26"), ("My   Sim", "MY SIM"), ("A", "a")]
)
def test_names_are_compared_without_case_and_with_runs_of_blanks_as_one(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert folded("a b") != folded("ab")


@pytest.mark.parametrize("word", ["null", "None", "NaN", "na", "undefined", "NULL", "Undefined", "nONE", "NA", "nan"])
@pytest.mark.parametrize("field", ["account", "instrument", "order_id", "strategy_id", "oco_id", "id"])
def test_what_a_script_writes_for_nothing_is_not_a_name(field: str, word: str) -> None:
    error = refused(InvalidValueError, {**ENTRY, field: word})
    assert error.field == field
    assert "looks like a variable that had no value" in error.detail


@pytest.mark.parametrize("order_id", ["nano", "na1", "none-1", "nullify", "n/a", "null null"])
def test_what_only_resembles_nothing_is_an_id(order_id: str) -> None:
    assert placed({"order_id": order_id}).order_id == order_id


# Lists of accounts


@pytest.mark.parametrize(
    "accounts",
    [
        "Sim101,sim101", "Sim101, SIM101", "My  Sim,my sim", "A,B,A", "A,null", "A,B,", ",A", "A,,B", ",", "A,STOP1",
        "entry,A", "Target01,A", 'A,"B"', "A,B // both", "A,\u200bB", "A," + "x" * 65,
        ",".join(f"A{number}" for number in range(21)),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "fields", [ENTRY, CANCEL, CHANGE, REPLACE, CANCELORDERS, CLOSESTRATEGY], ids=lambda it: it["command"]
)
def test_a_list_that_cannot_be_is_refused_by_every_command_that_reads_it(fields: Fields, accounts: str) -> None:
    assert refused(InvalidValueError, {**fields, "account": accounts}).field == "account"


@pytest.mark.parametrize("command", ["PLACE", "CANCELREPLACE", "CHANGE", "CANCEL", "CLOSESTRATEGY"])
def test_ids_end_in_the_accounts_name_in_lower_case(command: str) -> None:
    fields = {**ALL[command], "account": "Sim101, Apex  7", "order_id": "long", "strategy_id": "S"}
    if command == "CLOSESTRATEGY":
        del fields["order_id"]
    found: Mapping[str, Any] = parse(text(fields)).commands
    assert list(found) == ["Sim101", "Apex  7"]
    assert [each.strategy_id for each in found.values()] == ["S.sim101", "S.apex 7"]
    if command != "CLOSESTRATEGY":
        assert [each.order_id for each in found.values()] == ["long.sim101", "long.apex 7"]


@pytest.mark.parametrize(
    ("sent", "read"),
    [("STOP1", "STOP1"), ("stop1", "STOP1"), ("long.STOP1", "long.a.STOP1"), ("long.target12", "long.a.TARGET12")],
)
def test_a_name_has_no_ending_and_that_of_a_leg_stays_last(sent: str, read: str) -> None:
    command: Any = parse(text(CANCEL, {"order_id": sent, "strategy_id": "S", "account": "A,B"})).first
    assert (command.order_id, command.strategy_id) == (read, "S.a")


@pytest.mark.parametrize("field", ["order_id", "strategy_id", "oco_id"])
def test_in_a_list_too_an_id_without_a_value_is_refused(field: str) -> None:
    assert refused(InvalidValueError, {**ENTRY, "account": "A,B", "order_id": "new", field: "NaN"}).field == field


def test_64_characters_count_the_ending_of_the_account_and_not_that_of_a_leg() -> None:
    sent = "x" * (64 - len(".sim101"))
    accounts = {"account": "A,Sim101"}
    assert parse(text(ENTRY, accounts, {"order_id": sent}))
    assert refused(InvalidValueError, {**ENTRY, **accounts, "order_id": sent + "y"}).field == "order_id"
    assert parse(text(CANCEL, accounts, {"order_id": f"{sent}.STOP1"}))
    assert refused(InvalidValueError, {**CANCEL, **accounts, "order_id": f"{sent}y.STOP1"}).field == "order_id"


@pytest.mark.parametrize("command", ["CANCEL", "CHANGE", "KILLSWITCH"])
def test_one_account_alone_is_not_used_by_what_does_not_need_it(command: str) -> None:
    assert warnings({**ALL[command], "account": "Sim101"}) == [("ignored_field", "account")]


# Ids

IDS_OF_TRADINGVIEW = [
    "Long Entry",
    "TP/SL",
    "Long (1)",
    "a|b",
    "2026-11-27T09:30:00Z",
    "50%",
    "@1!",
    "a, b",
    "[x]",
    "a.",
]
ID_ALPHABET = "".join(sorted(set(map(chr, range(0x20, 0x7F))) - set(";=\"'\\<>&")))


@pytest.mark.parametrize("order_id", IDS_OF_TRADINGVIEW)
@pytest.mark.parametrize("fields", [ENTRY, CANCEL, CHANGE, REPLACE], ids=lambda it: it["command"])
def test_an_id_is_what_a_strategy_of_tradingview_calls_an_order(fields: Fields, order_id: str) -> None:
    command: Any = parse(text(fields, {"order_id": order_id})).first
    assert command.order_id == order_id


@given(st.text(ID_ALPHABET, min_size=1, max_size=64).map(str.strip))
@example("{{")
@example("Long {{ Entry")
def test_every_id_of_the_alphabet_is_kept_but_for_runs_of_blanks(sent: str) -> None:
    is_taken = sent and sent[0] != "-" and " //" not in f" {sent}" and sent.lower() not in ("null", "none", "nan", "na")
    if is_taken and "{{" in sent:
        assert refused(UnresolvedPlaceholderError, {**ENTRY, "oco_id": sent}).field == "oco_id"
    elif is_taken and sent.lower() != "undefined":
        assert placed({"oco_id": sent}).new_order.oco_id == " ".join(filter(None, sent.split(" ")))


@given(st.characters(codec="utf-8").filter(lambda character: character not in ID_ALPHABET + "\0\n;="))
def test_every_other_character_is_named_by_its_code_point(character: str) -> None:
    detail = refused(InvalidValueError, {**CANCEL, "order_id": f"a{character}b"}).detail
    assert f"(U+{ord(character):04X}) at position 2; " in detail


@pytest.mark.parametrize(
    ("order_id", "named"),
    [
        ("a\\b", "'\\' (U+005C) at position 2"),
        ("abc\\", "'\\' (U+005C) at position 4"),
        ('"a"', "'\"' (U+0022) at position 1"),
        ("it's", "''' (U+0027) at position 3"),
        ("a<b", "'<' (U+003C) at position 2"),
        ("a&b", "'&' (U+0026) at position 2"),
        ("-a", "'-' (U+002D) at position 1"),
        ("é", "'é' (U+00E9) at position 1"),
        ("a\u200bb", "an invisible character (U+200B) at position 2"),
        ("a\u00a0b", "an invisible character (U+00A0) at position 2"),
        ("a\tb", "an invisible character (U+0009) at position 2"),
        ("\u202ea", "an invisible character (U+202E) at position 1"),
    ],
)
def test_a_character_is_named_as_a_person_sees_it(order_id: str, named: str) -> None:
    for fields in (ENTRY, CANCEL):
        error = refused(InvalidValueError, {**fields, "order_id": order_id})
        assert error.detail.startswith(f"order_id holds {named}; ")


@pytest.mark.parametrize(
    ("order_id", "way_out"),
    [
        ("STOP1", "STOP1-{{timenow}}"),
        ("target", "target-{{timenow}}"),
        ("Entry0", "Entry0-{{timenow}}"),
        ("simstop07", "simstop07-{{timenow}}"),
        ("long.STOP1", "long-{{timenow}}"),
        ("long.target12", "long-{{timenow}}"),
        ("a.b.Exit3", "a.b-{{timenow}}"),
    ],
)
def test_place_takes_no_id_that_could_be_a_legs_and_says_the_way_out(order_id: str, way_out: str) -> None:
    error = refused(InvalidValueError, {**ENTRY, "order_id": order_id})
    assert (error.field, error.detail.endswith(f"such as {way_out}.")) == ("order_id", True)
    assert placed({"order_id": way_out.replace("{{timenow}}", "2026-11-27T09:30:00Z")})


@pytest.mark.parametrize("order_id", ["a.TARGET0", "a.STOP", ".STOP1", "STOP-1", "STOP 1", "STOP1.a", "a.STOP01"])
def test_place_takes_every_id_that_only_resembles_a_legs(order_id: str) -> None:
    assert placed({"order_id": order_id}).order_id == order_id


@pytest.mark.parametrize(
    ("sent", "read"), [("a.stop1", "a.STOP1"), ("a.Target20", "a.TARGET20"), ("a.STOP1", "a.STOP1")]
)
def test_the_ending_of_a_legs_id_is_read_without_case(sent: str, read: str) -> None:
    command: Any = parse(text(CANCEL, {"order_id": sent})).first
    assert command.order_id == read


@pytest.mark.parametrize("length", [64, 65])
@pytest.mark.parametrize("ending", ["", ".STOP12"])
def test_an_id_has_64_characters_and_the_ending_of_a_leg(length: int, ending: str) -> None:
    fields = {**CANCEL, "order_id": "x" * length + ending}
    if length == 64:
        assert parse(text(fields))
    else:
        assert refused(InvalidValueError, fields).field == "order_id"


# Empty values

STRIPPED = (
    "take_profit stop_loss stop_loss_limit stop_loss_stop strategy atm_strategy strategy_id oco_id cancel_after "
    "rate_limit id start_time end_time closing_only_after delay require_market_position max_positions max_position "
    "market_position prev_market_position sync_strategy out_of_sync target_quantity flatten_first"
).split()
NEEDED = ["command", *(name for name in ENTRY if name != "command"), "order_id"]


@pytest.mark.parametrize("name", STRIPPED)
@pytest.mark.parametrize("command", OPENING)
def test_an_empty_field_that_would_strip_the_alert_is_missing(command: str, name: str) -> None:
    error = refused(MissingFieldError, {**OPENING[command], name: ""})
    assert error.field == SYNONYMS.get(name, name)


@pytest.mark.parametrize("price", ["limit_price", "stop_price"])
def test_an_empty_price_of_a_change_is_missing(price: str) -> None:
    assert refused(MissingFieldError, {**OPENING["CHANGE"], price: ""}).field == price


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (command, name)
        for command in OPENING
        for name in sorted(KNOWN_NAMES - {*STRIPPED, *NEEDED, "key", "quantity"})
        if (command, name) != ("CHANGE", "stop_price")
    ],
)
def test_any_other_empty_field_counts_as_absent_and_is_told(command: str, name: str) -> None:
    assert warnings({**OPENING[command], name: " "}) == [("empty_field", name)]


@pytest.mark.parametrize("name", sorted(KNOWN_NAMES - {"key", "command", "order_id"}))
def test_every_empty_field_of_a_cancel_counts_as_absent(name: str) -> None:
    assert warnings({**CANCEL, name: ""}) == [("empty_field", SYNONYMS.get(name, name))]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("CANCELALLORDERS", "account"),
        ("CANCELALLORDERS", "instrument"),
        ("CANCELORDERS", "order_id"),
        ("CANCELORDERS", "action"),
        ("CLOSESTRATEGY", "account"),
        ("CLOSESTRATEGY", "instrument"),
    ],
)
def test_an_empty_field_that_was_to_narrow_a_command_over_many_is_refused(command: str, name: str) -> None:
    assert refused(InvalidValueError, {**MANY[command], name: ""}).field == name


def test_an_empty_instrument_is_not_every_instrument() -> None:
    assert refused(MissingFieldError, {**CANCELORDERS, "instrument": ""}).field == "instrument"


@pytest.mark.parametrize("name", ["account", "order_id", "command", "action", "qty"])
def test_an_empty_field_that_is_required_is_missing(name: str) -> None:
    fields = {**CANCEL, "order_id": ""} if name == "order_id" else {**ENTRY, name: ""}
    assert refused(MissingFieldError, fields).field == name


@pytest.mark.parametrize(
    ("order_type", "price"),
    [("LIMIT", "limit_price"), ("STOPMARKET", "stop_price"), ("STOPLIMIT", "stop_price"), ("STOPLIMIT", "limit_price")],
)
def test_an_empty_price_that_the_order_type_needs_is_missing(order_type: str, price: str) -> None:
    prices = {"LIMIT": ["limit_price"], "STOPMARKET": ["stop_price"], "STOPLIMIT": ["limit_price", "stop_price"]}
    given = {"limit_price": None, **dict.fromkeys(prices[order_type], 5000), price: ""}
    assert refused(MissingFieldError, text(ENTRY, {"order_type": order_type}, given)).field == price


@pytest.mark.parametrize("name", ["take_profit", "stop_loss", "stop_loss_limit", "stop_loss_stop"])
@pytest.mark.parametrize("zero", ["0", "0.0", "00.00", "0.000000001"])
@pytest.mark.parametrize("fields", [ENTRY, REPLACE], ids=lambda it: it["command"])
def test_zero_is_not_the_price_of_a_leg(fields: Fields, name: str, zero: str) -> None:
    legs = {"stop_loss_limit": 4980} if name == "stop_loss_stop" else {}
    assert refused(InvalidValueError, {**fields, **legs, name: zero}).field == name


def test_an_unknown_name_is_unknown_without_a_value_too() -> None:
    assert refused(UnknownFieldError, {**ENTRY, "sl": ""}).field == "sl"
    assert refused(UnknownFieldError, {**CANCELORDERS, "ticker": ""}).field == "ticker"


def test_null_in_json_is_absent_without_a_word() -> None:
    found = parse('{"command": "CANCEL", "order_id": "a", "stop_loss": null, "nonsense": null, "strategy_id": null}')
    assert found.warnings == ()
    assert parse('{"command": "CANCELALLORDERS", "account": null, "key": null}').warnings == ()


# Notes


@pytest.mark.parametrize(
    "notes",
    [
        "sl=4990 hit", "{{strategy.order.comment}}", "a=b=c {{", "x" * 500, "(optional)", "null",
        "https://example.org/?qty=5", "stop_loss=4990 was hit", "Crossing 5,000 → short “now” 🚀", "\u200b", "//",
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ALL)
def test_notes_are_any_text(command: str, notes: str) -> None:
    found = parse(text(ALL[command], {"notes": notes}))
    assert (found.first.notes, found.warnings) == (notes, ())


def test_notes_in_json_are_any_text() -> None:
    notes = "{{strategy.order.comment}}; order_id=b; old stop_loss=4990"
    members = ", ".join(f'"{name}": "{value}"' for name, value in {**ENTRY, "notes": notes}.items())
    found = parse(f"{{{members}}}")
    assert (found.first.notes, found.warnings) == (notes, ())


@pytest.mark.parametrize("command", ALL)
def test_long_notes_are_cut_with_a_warning(command: str) -> None:
    found = parse(text(ALL[command], {"notes": "x" * 501}))
    assert found.first.notes == "x" * 500
    assert [warning.code for warning in found.warnings] == ["notes_cut"]


@pytest.mark.parametrize(
    ("notes", "name"),
    [("old stop_loss=4990", "stop_loss"), ("long TIF = DAY", "TIF"), ("a b=c take_profit=1", "take_profit")],
)
def test_notes_that_swallow_a_field_are_refused_only_where_an_order_would_lose_it(notes: str, name: str) -> None:
    for fields in OPENING.values():
        error = refused(InvalidValueError, {**fields, "notes": notes})
        assert error.field == "notes"
        assert f"missing ';' before {name}?" in error.detail
    for fields in CANCELLING.values():
        assert warnings({**fields, "notes": notes}) == [("missing_semicolon", "notes")]


# Placeholders


@pytest.mark.parametrize(
    "body",
    [
        "{{strategy.order.alert_message}}",
        "key=K\n{{strategy.order.alert_message}}",
        "{{strategy.order.alert_message}}\nkey=K",
        "command=CANCEL;order_id=a\n{{strategy.order.alert_message}}",
        "{{plot_0}};command=CANCEL;order_id=a",
        "command=CANCEL;order_id=a\nBuy {{ticker}} now",
        "command=CANCEL;order_id=a;{{x}}=1",
        "command=CANCEL;order_id=a;{{a=b}}",
        "command=CANCEL;order_id={{strategy.order.id}}",
        "command=CANCEL;order_id=long-{{timenow}}",
        "command=CANCEL;order_id={{",
        "command=CANCEL;order_id=a;strategy_id={{strategy.order.comment}}",
        "command={{strategy.order.action}};order_id=a",
        '{"command": "CANCEL", "order_id": {{strategy.order.id}}}',
        '{"command": "CANCEL", "order_id": "a", {{strategy.order.alert_message}}}',
        '{{{strategy.order.alert_message}}, "key": "K"}',
        '{"command": "CANCEL", "order_id": "a", "qty": {{strategy.order.contracts}}}',
        '{"command": "CANCEL", "order_id": "{{plot("Order Id")}}"}',
        '{"command": "CANCEL", "order_id": "{{strategy.order.id}}"}',
        '{"command": "CANCEL", "order_id": "a", "{{x}}": 1}',
        '{"command": "CANCEL", "order_id": "a"} {{close}}',
        '{"command": "CANCEL", "order_id": ["a", {{x}}]}',
        '{"command": "CANCEL", "order_id": 1{{x}}}',
    ],
)
def test_a_placeholder_that_was_not_filled_in_is_named_as_such_wherever_it_stands(body: str) -> None:
    refused(UnresolvedPlaceholderError, body)


@pytest.mark.parametrize("command", CANCELLING)
def test_a_placeholder_in_a_field_that_is_not_used_does_no_harm(command: str) -> None:
    assert warnings({**CANCELLING[command], "tif": "{{x}}"}) == [("ignored_field", "tif")]


def test_the_placeholder_of_a_field_is_told_with_the_field() -> None:
    assert refused(UnresolvedPlaceholderError, {**ENTRY, "qty": "{{x}}"}).field == "qty"
    error = refused(UnresolvedPlaceholderError, '{"command": "PLACE",\n "Quantity": {{close}}}')
    assert (error.field, error.detail) == (
        "qty",
        "The JSON at line 2, column 14 still holds {{close}}: TradingView had no value for it. In JSON it stands in "
        "quotes.",
    )


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("{{strategy.order.id}}", "still holds {{strategy.order.id}}: TradingView fills it in for the orders of a "),
        ("{{ strategy.order.id }}", "still holds a {{placeholder}}: TradingView did not replace it. Use one that "),
        ("{{my secret}}", "still holds a {{placeholder}}: "),
        ("{{plot_3}}", "still holds {{plot_3}}: TradingView had no value for it."),
    ],
)
def test_a_placeholder_is_quoted_only_if_it_is_tradingviews_own(value: str, detail: str) -> None:
    assert refused(UnresolvedPlaceholderError, {**CANCEL, "order_id": value}).detail.startswith(f"order_id {detail}")


@pytest.mark.parametrize(
    "name",
    [
        "close", "timenow", "ticker", "interval", "plot_0", "plot_9", "plot_10", "plot_19", 'plot("Upper Band")',
        "syminfo.currency", "syminfo.basecurrency", "strategy.order.action", "strategy.order.contracts",
        "strategy.order.price", "strategy.order.id", "strategy.order.comment", "strategy.order.alert_message",
        "strategy.position_size", "strategy.market_position", "strategy.market_position_size",
        "strategy.prev_market_position", "strategy.prev_market_position_size",
    ],
)  # fmt: skip
def test_what_tradingview_fills_in_is_known(name: str) -> None:
    assert placeholders(f"a {{{{{name}}}}} b") == [name]
    assert is_filled_in(name)


@pytest.mark.parametrize(
    "name", ["", " close ", "Close", "plot_20", "plot_00", "plot_", "plot()", "strategy.order", "x"]
)
def test_what_tradingview_does_not_fill_in_is_not_known(name: str) -> None:
    assert not is_filled_in(name)


# What a command does not need


@pytest.mark.parametrize("name", sorted(KNOWN_NAMES - {"key", "command", "order_id", "strategy_id", "notes", "delay"}))
@pytest.mark.parametrize("value", ["{{x}}", "5,000", '"', "a=b", "\u200b", "0"])
def test_a_cancel_goes_without_every_known_field_that_it_does_not_use(name: str, value: str) -> None:
    if name == "kill_switch":
        assert refused(InvalidValueError, {**CANCEL, name: value}).field == name
    elif not (name == "account" and "," in value):
        assert warnings({**CANCEL, name: value}) == [("ignored_field", SYNONYMS.get(name, name))]


@pytest.mark.parametrize(
    "name", ["price", "sl", "symbol", "orderid", "comment", "sync", "é", "stop loss", "account_id"]
)
def test_a_cancel_goes_without_a_name_that_there_is_not(name: str) -> None:
    found = parse(text(CANCEL, {name: "{{x}}"}))
    assert [warning.code for warning in found.warnings] == ["unknown_field"]


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"orderid": "a"}, "order_id"),
        ({"OrderId": "a"}, "order_id"),
        ({"order-id": ""}, "order_id"),
        ({"client_order_id": "a"}, "order_id"),
        ({"oder_id": "a"}, "order_id"),
        ({"order_id": "a", "strategyid": "S"}, "strategy_id"),
        ({"order_id": "a", "stategy_id": "S"}, "strategy_id"),
        ({"order_id": "a", "accounts": "A,B"}, "account"),
        ({"order_id": "a", "\u200bstrategy_id": "S"}, "strategy_id"),
    ],
)
def test_a_cancel_does_not_go_without_what_says_which_order_is_meant(fields: Fields, hint: str) -> None:
    assert refused(UnknownFieldError, {"command": "CANCEL", **fields}).detail.endswith(f": did you mean {hint}?")


@pytest.mark.parametrize("command", sorted(ALL.keys() - {"CANCEL"}))
def test_every_other_command_refuses_a_name_that_there_is_not(command: str) -> None:
    assert refused(UnknownFieldError, {**ALL[command], "nonsense": "1"}).field == "nonsense"


NARROWING = ("account", "instrument", "order_id", "strategy_id", "action")


@pytest.mark.parametrize("name", NARROWING)
@pytest.mark.parametrize("command", MANY)
@pytest.mark.parametrize("value", ["A", "{{ticker}}"])
def test_a_command_over_many_does_not_go_without_what_was_to_narrow_it(command: str, name: str, value: str) -> None:
    used = {"CANCELORDERS": {"account", "instrument"}, "CANCELALLORDERS": set(), "CLOSESTRATEGY": {"strategy_id"}}
    if name in used[command]:
        return
    error = refused(InvalidValueError, {**MANY[command], name: value})
    assert error.field == name
    assert error.detail.startswith(f"{command} does not use {name}, and would act on more than that; ")


@pytest.mark.parametrize("name", ["require_market_position", "market_position"])
@pytest.mark.parametrize("command", MANY)
def test_a_command_over_many_does_not_go_without_a_condition_on_the_position(command: str, name: str) -> None:
    if (command, name) == ("CANCELORDERS", "require_market_position"):
        return  # which it uses
    error = refused(InvalidValueError, {**MANY[command], name: "long"})
    assert error.field == name
    assert error.detail.startswith(f"{command} does not use {name}, and would act on more than that; ")
    assert warnings({**MANY[command], name: "false"}) == [("ignored_field", name)]


OF_POSITION = ("require_market_position", "market_position")


@pytest.mark.parametrize(
    "name", sorted(KNOWN_NAMES - {*NARROWING, *OF_POSITION, "key", "command", "notes", "delay", "kill_switch"})
)
@pytest.mark.parametrize("command", MANY)
def test_a_command_over_many_goes_without_what_was_not_to_narrow_it(command: str, name: str) -> None:
    if command == "CLOSESTRATEGY" and name in ("qty", "quantity", "percent"):
        return  # with a venue it closes a position
    assert warnings({**MANY[command], name: "1"}) == [("ignored_field", SYNONYMS.get(name, name))]


def test_a_list_of_accounts_narrows_no_command_without_an_id_or_an_account() -> None:
    assert refused(InvalidValueError, {**CANCELALLORDERS, "account": "A,B"}).field == "account"
    assert [*parse(text(CLOSESTRATEGY, {"account": "A,B"})).commands] == ["A", "B"]


@pytest.mark.parametrize(
    "fields",
    [
        {**ENTRY, "destination": "nt8 stop_loss=4990"},
        {**ENTRY, "market_position": "long\tSTOP_LOSS = 4990"},
        {**CHANGE, "tif": "DAY stop_price=4990"},
        {**CANCELORDERS, "qty": "1 instrument=NQ"},
        {**CANCELALLORDERS, "tif": "DAY account=A"},
    ],
)
def test_a_missing_semicolon_hides_no_field_in_one_that_is_not_used(fields: Fields) -> None:
    assert refused(InvalidValueError, fields).detail.startswith("missing ';' before ")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("percent", UnsupportedValueError), ("append_atm", UnsupportedValueError),
        ("strategy_tag", UnsupportedValueError), ("kill_switch", InvalidValueError),
    ],
)  # fmt: skip
def test_place_does_not_go_without_what_would_change_the_order(name: str, error: type[OrderhookError]) -> None:
    assert refused(error, {**ENTRY, name: "1"}).field == SYNONYMS.get(name, name)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("max_positions", InvalidValueError), ("require_market_position", InvalidValueError),
        ("percent", UnsupportedValueError),
    ],
)  # fmt: skip
def test_zero_does_not_leave_out_what_is_not_a_boolean(name: str, error: type[OrderhookError]) -> None:
    assert refused(error, {**ENTRY, name: "0"}).field == name


# Values


@pytest.mark.parametrize(
    ("field", "value", "code_point"),
    [
        ("qty", "1\u200b", "U+200B"),
        ("qty", "\u00ad1", "U+00AD"),
        ("qty", "1\u2060", "U+2060"),
        ("qty", "\u0661", "U+0661"),
        ("limit_price", "5\u00a0000", "U+00A0"),
        ("limit_price", "\u22125000", "U+2212"),
        ("action", "BUY\u200b", "U+200B"),
        ("action", "B\u200dUY", "U+200D"),
        ("order_type", "LIM\u0131T", "U+0131"),
        ("tif", "D\u0410Y", "U+0410"),
        ("start_time", "9\u200b:30", "U+200B"),
        ("rate_limit", "5\u2044300", "U+2044"),
        ("bypass_trade_windows", "true\ufeff", "U+FEFF"),
        ("command", "PLACE\u200b", "U+200B"),
        ("command", "\u212aANCEL", "U+212A"),
    ],
)
def test_a_character_that_nobody_sees_is_named_in_a_number_and_a_word(field: str, value: str, code_point: str) -> None:
    error = refused(InvalidValueError, {**ENTRY, field: value})
    assert error.field == field
    assert f"({code_point}) at position " in error.detail


def test_an_invisible_character_in_a_name_is_named() -> None:
    detail = refused(UnknownFieldError, {**ENTRY, "\u200bstop_loss": "4990"}).detail
    assert "an invisible character (U+200B)" in detail
    assert detail.endswith("did you mean stop_loss?")


@pytest.mark.parametrize(
    ("value", "price"),
    [
        ("5000.12345678", "5000.12345678"),
        ("5000.123456784", "5000.12345678"),
        ("5000.123456785", "5000.12345679"),
        ("5000.249999999999545252649113535881", "5000.25"),
        ("4999.999999999999", "5000"),
        ("5000.1" + "0" * 2000, "5000.1"),
    ],
)
def test_more_than_8_decimals_are_rounded_with_a_warning(value: str, price: str) -> None:
    found = parse(text(ENTRY, {"limit_price": value}))
    order: Any = found.first
    assert order.new_order.limit_price == Decimal(price)
    noisy = len(value.partition(".")[2]) > 8
    assert [(each.code, each.field) for each in found.warnings] == [("float_noise", "limit_price")] * noisy


def test_a_warning_for_every_account_is_told_once() -> None:
    assert warnings({**ENTRY, "account": "A,B,C", "limit_price": "5000.000000001"}) == [("float_noise", "limit_price")]


@pytest.mark.parametrize(("sent", "qty"), [("2", 2), ("2.0", 2), ("2.0000000000000004", 2), ("1.99999999999", 2)])
def test_a_quantity_is_a_whole_number(sent: str, qty: int) -> None:
    assert placed({"qty": sent}).new_order.qty == qty


@pytest.mark.parametrize(
    "value", ["5,000", "5000,25", "5e3", "NaN", "Infinity", "-5000", "+5000", "5.000.000", ".5", "5."]
)
@pytest.mark.parametrize("field", ["limit_price", "qty", "stop_loss", "take_profit"])
def test_what_is_not_an_exact_decimal_is_refused(field: str, value: str) -> None:
    assert refused(InvalidValueError, {**ENTRY, field: value}).field == field


@pytest.mark.parametrize("value", ["12 ticks", "-2.5%", "$50", "250 dollars", "1 dollar", "+5 points", "3 pts"])
def test_a_price_that_needs_a_quote_is_unsupported(value: str) -> None:
    assert refused(UnsupportedValueError, {**ENTRY, "limit_price": value}).field == "limit_price"


@pytest.mark.parametrize(
    ("sent", "seconds"), [("0", 0), ("0.2", 1), ("1.5", 2), ("59.01", 60), ("60", 60), ("60.0", 60)]
)
def test_the_decimals_of_a_delay_are_rounded_up(sent: str, seconds: int) -> None:
    assert placed({"delay": sent}).delay == seconds


@pytest.mark.parametrize(("field", "value"), [("delay", "60.01"), ("delay", "61"), ("cancel_after", "1.5")])
def test_a_delay_over_a_minute_and_parts_of_minutes_are_refused(field: str, value: str) -> None:
    assert refused(InvalidValueError, {**ENTRY, field: value}).field == field


@pytest.mark.parametrize("word", ["true", "YES", "On", "1", "tRuE"])
def test_a_boolean_says_yes_in_four_ways(word: str) -> None:
    switch: Any = parse(f"kill_switch={word}").first
    assert switch.kill_switch is True
    assert placed({"bypass_trade_windows": word}).bypass_trade_windows is True
    assert placed({"flatten_first": word}).flatten_first is True


@pytest.mark.parametrize("word", ["false", "NO", "Off", "0"])
def test_a_boolean_says_no_in_four_ways(word: str) -> None:
    switch: Any = parse(f"kill_switch={word}").first
    assert switch.kill_switch is False
    assert warnings({**ENTRY, "flatten_first": word}) == [("ignored_field", "flatten_first")]


@pytest.mark.parametrize("word", ["t", "y", "2", "ja", "enable", "wahr", "00"])
def test_any_other_word_is_not_a_boolean(word: str) -> None:
    assert refused(InvalidValueError, f"kill_switch={word}").field == "kill_switch"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("qty", "quantity"),
        ("strategy", "atm_strategy"),
        ("max_positions", "max_position"),
        ("tif", "TIF"),
        ("notes", "notes"),
    ],
)
@pytest.mark.parametrize("command", ["CANCEL", "CANCELALLORDERS"])
def test_a_field_given_twice_is_refused_though_it_is_not_used(command: str, first: str, second: str) -> None:
    assert refused(DuplicateFieldError, ALL[command], f"{first}=1;{second}=1").field == first
    members = f'"command": "{command}", "order_id": "a", "{first}": 1, "{second}": 2'.replace(
        '"order_id": "a", ', "" if command == "CANCELALLORDERS" else '"order_id": "a", '
    )
    assert refused(DuplicateFieldError, f"{{{members}}}").field == first


@pytest.mark.parametrize("second", ["PLACE", "CANCEL", "cancel"])
def test_two_commands_in_one_alert_are_refused(second: str) -> None:
    assert refused(DuplicateFieldError, CANCEL, f"Command={second}").field == "command"


# Prices against each other


@pytest.mark.parametrize(
    ("action", "prices", "field"),
    [
        ("BUY", {"stop_loss": 5000}, "stop_loss"),
        ("BUY", {"take_profit": 5000}, "take_profit"),
        ("BUY", {"stop_loss": 5000, "take_profit": 5000}, "take_profit"),
        ("BUY", {"stop_loss": 5001}, "stop_loss"),
        ("BUY", {"take_profit": 4999}, "take_profit"),
        ("BUY", {"stop_loss_limit": 4995, "stop_loss_stop": 4990}, "stop_loss_limit"),
        ("BUY", {"stop_loss_limit": 5000}, "stop_loss_limit"),
        ("BUY", {"stop_loss_limit": 4990, "stop_loss_stop": 5000}, "stop_loss_stop"),
        ("SELL", {"stop_loss": 5000}, "stop_loss"),
        ("SELL", {"take_profit": 5000}, "take_profit"),
        ("SELL", {"stop_loss_limit": 5005, "stop_loss_stop": 5010}, "stop_loss_limit"),
        ("BUY", {"order_type": "STOPLIMIT", "stop_price": 4995, "stop_loss": 4995}, "stop_loss"),
        ("BUY", {"order_type": "STOPLIMIT", "stop_price": 5005, "take_profit": 5005}, "take_profit"),
        ("BUY", {"order_type": "MARKET", "limit_price": None, "stop_loss": 5000, "take_profit": 5000}, "take_profit"),
        ("SELL", {"order_type": "MARKET", "limit_price": None, "stop_loss": 4990, "take_profit": 5010}, "take_profit"),
    ],
)
def test_prices_on_the_wrong_side_of_each_other_are_refused(action: str, prices: Fields, field: str) -> None:
    assert refused(InvalidValueError, text(ENTRY, {"action": action}, prices)).field == field


@pytest.mark.parametrize(
    ("action", "prices"),
    [
        ("BUY", {"stop_loss": 4999.75, "take_profit": 5000.25}),
        ("BUY", {"stop_loss_limit": 4990, "stop_loss_stop": 4990}),
        ("BUY", {"stop_loss_limit": 4985, "stop_loss_stop": 4990, "take_profit": 5010}),
        ("SELL", {"stop_loss_limit": 5015, "stop_loss_stop": 5010, "take_profit": 4990}),
        ("BUY", {"order_type": "MARKET", "limit_price": None, "stop_loss": 4990, "take_profit": 5010}),
    ],
)
def test_prices_in_their_order_are_taken(action: str, prices: Fields) -> None:
    assert placed({"action": action}, prices)


def test_a_replacement_may_have_its_stop_beyond_the_entry_for_that_may_be_filled() -> None:
    assert parse(text(REPLACE, {"stop_loss": 5001}))
    assert refused(InvalidValueError, {**REPLACE, "stop_loss": 5001, "take_profit": 5001}).field == "take_profit"


# Hints


def as_field(name: str | None) -> str | None:
    return SYNONYMS.get(name, name) if name else None


@pytest.mark.parametrize("name", sorted(KNOWN_NAMES - {"key"}))
def test_every_known_name_is_its_own_hint_however_it_is_written(name: str) -> None:
    for sent in (name.upper(), name.replace("_", ""), name.replace("_", " "), name.replace("_", "-")):
        assert hints.field(sent) == name


@pytest.mark.parametrize("known", sorted(KNOWN_NAMES - {"key", "id"}))
def test_a_slip_of_the_pen_never_leads_to_another_field(known: str) -> None:
    for n in range(len(known)):
        slips = [known[:n] + known[n + 1 :], known[:n] + known[n : n + 2][::-1] + known[n + 2 :]]
        slips += [known[:n] + letter + known[n + skipped :] for letter in string.ascii_lowercase for skipped in (0, 1)]
        meant = {slip: hints.field(slip) for slip in slips if slip not in KNOWN_NAMES}
        assert {hint for hint in map(as_field, meant.values()) if hint} <= {as_field(known)}, meant


@pytest.mark.parametrize(
    ("sent", "meant"),
    {
        "limit": "limit_price", "price": "limit_price", "stop": "stop_price", "sl": "stop_loss", "tp": "take_profit",
        "symbol": "instrument", "ticker": "instrument", "side": "action", "size": "qty", "contracts": "qty",
        "orderType": "order_type", "timeInForce": "tif", "limitPrice": "limit_price", "takeProfit": "take_profit",
        "stop loss": "stop_loss", "account_id": "account", "clOrdId": "order_id", "oca_name": "oco_id",
        "stratId": "strategy_id", "comment": "notes", "Trigger Price": "stop_price", "quantiy": "quantity",
    }.items(),
)  # fmt: skip
def test_a_field_of_another_services_alerts_is_refused_with_the_one_here(sent: str, meant: str) -> None:
    assert refused(UnknownFieldError, {**ENTRY, sent: "1"}).detail.endswith(f": did you mean {meant}?")


@pytest.mark.parametrize(
    "sent",
    [
        "tf", "time", "interval", "trail", "trailing_stop", "sl_ticks", "tp_percent", "dollar_sl", "profit", "loss",
        "position_size", "sentiment", "amount", "strategy_name", "order", "entry", "target", "take_profit2", "stop_l",
        "no_flatten_first", "leverage", "password", "min_positions", "x", "é", "_", "stop_limit", "start_date",
    ],
)  # fmt: skip
def test_where_a_name_could_mean_something_else_there_is_no_hint(sent: str) -> None:
    assert "did you mean" not in refused(UnknownFieldError, {**ENTRY, sent: "1"}).detail


@pytest.mark.parametrize(
    ("sent", "meant"),
    {
        "CANCEL ORDER": "CANCEL", "CANCEL_ORDER": "CANCEL", "CANCELORDER": "CANCEL", "cancel-order": "CANCEL",
        "CANCLE": "CANCEL", "CANCELORDR": "CANCEL", "CANCELALL": "CANCELALLORDERS", "CANCEL ALL": "CANCELALLORDERS",
        "CANCEL ALL ORDERS": "CANCELALLORDERS", "CANCELALLORDER": "CANCELALLORDERS", "CANCEL ORDERS": "CANCELORDERS",
        "REPLACE": "CHANGE or CANCELREPLACE", "MODIFY": "CHANGE or CANCELREPLACE", "CANCEL REPLACE": "CANCELREPLACE",
        "CHANGE ORDER": "CHANGE", "PLACE ORDER": "PLACE", "PLCE": "PLACE", "buy": "PLACE with action=BUY",
        "sell": "PLACE with action=SELL", "CLOSE STRATEGY": "CLOSESTRATEGY", "Flatten Positions": "FLATTEN",
    }.items(),
)  # fmt: skip
def test_a_command_that_there_is_not_is_refused_with_what_was_meant(sent: str, meant: str) -> None:
    error = refused(UnknownCommandError, {"command": sent, "order_id": "a"})
    assert error.detail == f"There is no command '{sent}': did you mean {meant}?"


@pytest.mark.parametrize(
    "sent", ["CLOSE", "EXIT", "FLAT", "LONG", "STOP", "CANCELORDERR", "CANCEL THE ORDER", "ALERT", "?", "X" * 500]
)
def test_where_a_command_could_mean_two_things_there_is_no_hint(sent: str) -> None:
    assert "did you mean" not in refused(UnknownCommandError, {"command": sent}).detail


@pytest.mark.parametrize("word", sorted(COMMANDS))
def test_one_letter_less_never_makes_a_wider_command(word: str) -> None:
    narrower = {"CANCELORDERS": {"CANCEL"}}
    for n in range(len(word)):
        slip = word[:n] + word[n + 1 :]
        if slip not in COMMANDS:
            assert hints.command(slip, COMMANDS) in {word, None} | narrower.get(word, set())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("comand=CANCEL;order_id=a", "comand"),
        ("cmd=CANCEL;order_id=a", "cmd"),
        ("order_id=a;nonsense=1", "nonsense"),
    ],
)
def test_without_a_command_a_name_that_there_is_not_is_told_first(body: str, field: str) -> None:
    assert refused(UnknownFieldError, body).field == field


@pytest.mark.parametrize("body", ["order_id=a", "action=CANCEL;order_id=a", "command=;order_id=a", "kill_switch="])
def test_without_a_command_it_is_missing(body: str) -> None:
    error = refused(MissingFieldError, body)
    assert error.field == "command"
    assert "CANCEL, PLACE" in error.detail


# JSON. In these bodies ‸ marks where each breaks.

BROKEN = {
    '{"key": "K", "command": "CANCEL",‸}': "another name after ',', not '}'",
    '{"key": "K", "command": "CANCEL" ‸"order_id": "a"}': "',' or '}', not '\"'",
    '{"key": "K",\n "order_id": "a"‸': "',' or '}', and the body ends",
    '{"key": "K"\n\n‸': "',' or '}', and the body ends",
    "{\"key\": \"K\",\n ‸'command': 'CANCEL'}": "a name in double quotes, not \"'\"",
    '{"key": "K", ‸command: "CANCEL"}': "a name in double quotes, not 'c'",
    '{"key": "K",\r\n "command": ‸CANCEL}': "a value: text in double quotes, a number, true, false or null, not 'C'",
    '{"key": "K", "command": "CANCEL,‸\n "order_id": "a"}': "a closing '\"' before the line ends, not '\\n'",
    '{"key": "K", "command": "CANCEL‸': "a closing '\"', and the body ends",
    '{"key": "K", "command" ‸"CANCEL"}': "':' after the name, not '\"'",
    '{"key": "K", "qty": 0‸5}': "',' or '}', not '5'",
    '{"key": "K", "qty": ‸+5}': "a value: text in double quotes, a number, true, false or null, not '+'",
    '{"key": "K", "stop_loss": ‸NaN}': "a value: text in double quotes, a number, true, false or null, not 'N'",
    '{"key": "K", "path": "a‸\\c"}': "a JSON escape such as \\n or \\u00e9 after '\\', not '\\\\'",
    '{"key": "K"}\n‸{"command": "CANCEL"}': "nothing after the closing '}', not '{'",
    '{"key": "K"}‸;': "nothing after the closing '}', not ';'",
    '‸[{"key": "K", "command": "CANCEL"}]': "'{', not '['",
    '{‸{"key": "K", "command": "CANCEL"}}': "a name in double quotes, not '{'",
    "{‸\u201ckey\u201d: \u201cK\u201d}": "a name in double quotes, not '\\u201c'",
    '{"key": "K", ‸// mine\n "command": "CANCEL"}': "a name in double quotes, not '/'",
    '{"key": "K", "notes": ‸"\\ud800"}': "text without U+0000 and without half characters, not '\"'",
    '{"key": "K", "notes": ‸"a\\u0000"}': "text without U+0000 and without half characters, not '\"'",
    '{"key": "K", "notes": {"a": [1, 2‸}}': "one value: text in double quotes, a number, true, false or null, not '}'",
    '{"key": "K", ‸"": "x"}': "a name in double quotes, not '\"'",
    '{"key": "K", "qty": ‸}': "a value: text in double quotes, a number, true, false or null, not '}'",
    "{‸": "a name in double quotes, and the body ends",
}  # fmt: skip


@pytest.mark.parametrize(("marked", "expected"), BROKEN.items())
def test_broken_json_is_told_where_it_breaks_and_what_was_expected(marked: str, expected: str) -> None:
    before = marked[: marked.index("‸")]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    found = split(marked.replace("‸", "").encode())
    assert type(found.fault) is MalformedPayloadError
    assert found.fault.detail == f"The JSON breaks at line {line}, column {column}: expected {expected}."
    assert (found.public_fault or found.fault).detail == payload.FORMS


@pytest.mark.parametrize("marked", [body for body in BROKEN if "K" in body])
def test_the_key_of_broken_json_is_found(marked: str) -> None:
    found = split(marked.replace("‸", "").replace("K", SECRET, 1).encode())
    assert SECRET in found.keys
    assert not any(holds_key(f"{name}{value}") for name, value in take_keys(found.pairs)[1])


@pytest.mark.parametrize(
    "body",
    [
        "key=<key>;command=CANCEL;nonsense",
        "nonsense\nkey=<key>",
        "KEY = <key>\n=a",
        "key: <key>\ncommand: CANCEL",
        "{{strategy.order.alert_message}}\nkey=<key>",
        '{"a": 1 "Key" : "<key>"}',
        '{"a": 1, b: 2, "Key" : "<key>"}',
        '{"a": 1\n "Key" : "<key>"}',
        '{"key": "<key>, "command": "CANCEL"}',
        '{"key: "<key>", "command": "CANCEL"}',
        "{'key': '<key>'}",
        "{key: <key>}",
        "{key=<key>;command=CANCEL}",
        '"command": "CANCEL", "key": "<key>"',
    ],
)
def test_the_key_of_a_body_that_does_not_parse_is_found(body: str) -> None:
    assert SECRET in split(body.replace("<key>", SECRET).encode()).keys


@pytest.mark.parametrize(
    "body",
    [
        "my key is <key>",
        '{"notes": "<key>",}',
        '{"notes": "the key: <key>",}',
        '{"my_key": "<key>",}',
        "keys=<key>;x",
        "nonsense=key=<key>;x",
        "// key=<key>\nx",
        "x",
    ],
)
def test_a_key_that_stands_elsewhere_is_not_found(body: str) -> None:
    assert SECRET not in split(body.replace("<key>", SECRET).encode()).keys


def test_what_stands_before_the_fault_is_read() -> None:
    found = split(b'{"order_id": "a", "qty": 1.10, "tif": null, "x": [1], "b": true, oops')
    assert found.pairs == (
        ("order_id", "a"), ("qty", "1.10"), ("tif", NoText.NULL), ("x", NoText.NESTED), ("b", "true"),
    )  # fmt: skip
    assert found.is_json


@pytest.mark.parametrize("value", ["{}", "[]", '{"a": 1}', "[1]", "[" * 50 + "]" * 50, "[" + "9" * 4500 + "]"])
def test_nesting_is_refused_where_the_field_is_used_and_ignored_where_it_is_not(value: str) -> None:
    assert refused(InvalidValueError, f'{{"command": "CANCEL", "order_id": {value}}}').field == "order_id"
    assert refused(InvalidValueError, f'{{"command": "CANCEL", "order_id": "a", "notes": {value}}}').field == "notes"
    assert refused(InvalidValueError, f'{{"command": {value}}}').field == "command"
    found = parse(f'{{"command": "CANCEL", "order_id": "a", "qty": {value}, "takeProfit": []}}')
    assert [warning.code for warning in found.warnings] == ["ignored_field", "unknown_field"]


@pytest.mark.parametrize("sent", ["5000.10", "1e400", "0.1000000000000000055511151231257827", "9" * 5000, "-0", "1E-7"])
def test_a_number_in_json_stays_the_text_that_it_was(sent: str) -> None:
    assert split(f'{{"notes": {sent}}}'.encode()).pairs == (("notes", sent),)


# Bodies as a whole


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"key=K;order_id=\xe9", "There is a byte 0xE9, which is not UTF-8, at line 1, column 16."),
        (b"\xef\xbb\xbfkey=\xc3\xa9\n\xff", "There is a byte 0xFF, which is not UTF-8, at line 2, column 1."),
        (b"key=K\nnotes=a\0b", "There is a character U+0000 at line 2, column 8."),
        (b'{"a": "\0"}', "There is a character U+0000 at line 1, column 8."),
        (b"\xff\xfek\0e\0y\0", "There is a byte 0xFF, which is not UTF-8, at line 1, column 1."),
    ],
)
def test_what_is_not_text_is_told_where(body: bytes, detail: str) -> None:
    fault = split(body).fault
    assert type(fault) is MalformedPayloadError
    assert fault.detail == f"{detail} {payload.FORMS}"


def test_a_body_that_is_too_large_is_read_as_far_as_it_may_go() -> None:
    found = split(b"key=K;notes=" + b"x" * 9000)
    assert type(found.fault) is PayloadTooLargeError
    assert found.public_fault is found.fault
    assert found.keys == ("K",)


def test_more_than_64_fields_are_refused() -> None:
    assert split(b"a=1;" * 64).fault is None
    fault = split(b"a=1;" * 65).fault
    assert type(fault) is MalformedPayloadError
    assert fault.detail == "There are 65 fields; at most 64 are accepted."


@pytest.mark.parametrize("body", ["", " ", "\ufeff", "// key=K", "(none)", "{}", "a=1; // order_id=b"])
def test_what_splits_into_pairs_is_not_malformed_to_a_stranger(body: str) -> None:
    assert split(body.encode()).public_fault is None


# The key


@pytest.mark.parametrize(
    "shown",
    [
        SECRET, SECRET[17:], SECRET[20:40], SECRET.swapcase(), SECRET.replace("_", "%5F"), SECRET.replace("_", "%255f"),
        "".join(f"%{ord(character):02x}" for character in SECRET), f"https://x.y/?k={SECRET[17:60]}", SECRET[:40],
    ],
)  # fmt: skip
def test_a_key_or_its_secret_half_is_seen_wherever_it_stands(shown: str) -> None:
    assert holds_key(f"a {shown} b", SECRET)


@pytest.mark.parametrize("shown", ["", SECRET[:17], SECRET[-4:], SECRET[17:32], "100%", "%zz", "a=b", SECRET[::-1]])
def test_what_is_not_secret_is_shown(shown: str) -> None:
    assert not holds_key(shown, SECRET)
