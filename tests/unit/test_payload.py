import json
import string
from collections.abc import Callable, Iterable
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orderhook.commands import Command, parse_fields
from orderhook.errors import (
    DuplicateFieldError,
    InvalidValueError,
    MalformedPayloadError,
    PayloadError,
    PayloadTooLargeError,
    UnknownFieldError,
    UnresolvedPlaceholderError,
)
from orderhook.flat_json import NoText
from orderhook.outcome import Outcome
from orderhook.payload import FORMS, KNOWN_NAMES, SYNONYMS, Pair, lower, split, take_keys, upper

# CrossTrade's page "Cancel Order", character for character.
PUBLISHED_EXAMPLE = """\
key=your-secret-key;
command=CANCEL
order_id=your-order-ID;
strategy_id=your-strategy-id; (optional)
"""

LIST_OF_NAMES = """
    key, command, account, instrument, action, qty, quantity, percent, order_type, limit_price, stop_price, tif,
    oco_id, order_id, strategy, atm_strategy, strategy_id, take_profit, stop_loss, stop_loss_limit, stop_loss_stop,
    append_atm, flatten_first, require_market_position, max_positions, max_position, market_position,
    prev_market_position, sync_strategy, out_of_sync, target_quantity, strategy_tag, cancel_after, start_time, end_time,
    closing_only_after, bypass_trade_windows, delay, rate_limit, id, kill_switch, notes, destination, reference_price
"""
NAMES = sorted(name.strip() for name in LIST_OF_NAMES.split(","))
OTHER_NAMES = {"quantity": "qty", "atm_strategy": "strategy", "max_position": "max_positions"}

LOOKALIKES = {"Kelvin sign": "\u212aey", "dotless i": "t\u0131f", "long s": "\u017ftrategy", "full width": "\uff4bey"}


class _UsesEverything(Command):
    """A command that uses every field, so that its grammar alone decides."""

    word: ClassVar[str] = "EVERYTHING"

    def run(self, services: object, provenance: object) -> Outcome:
        raise NotImplementedError

    @classmethod
    def alert_fields(cls) -> dict[str, bool]:
        return dict.fromkeys(KNOWN_NAMES, False)


def fields_of(body: str | bytes) -> dict[str, str]:
    found = split(body if isinstance(body, bytes) else body.encode())
    assert found.fault is None
    return read(found.pairs, is_json=found.is_json)


def read(pairs: Iterable[Pair], *, is_json: bool = False) -> dict[str, str]:
    return parse_fields(_UsesEverything, pairs, is_json=is_json)[0]


def fault_of(body: str) -> str:
    fault = split(body.encode()).fault
    assert fault is not None
    return fault.detail


Pairs = Iterable[tuple[str, str]]
Write = Callable[[Pairs], str]


def as_text(pairs: Pairs) -> str:
    return ";".join(f"{name}={value}" for name, value in pairs)


def as_json(pairs: Pairs) -> str:
    # By hand: a dict could not hold a name twice.
    return f"{{{', '.join(f'{json.dumps(name)}: {json.dumps(value)}' for name, value in pairs)}}}"


in_both_forms = pytest.mark.parametrize("write", [as_text, as_json])


# What ends a field, and what is no field


def test_the_published_example_works_as_it_stands() -> None:
    assert fields_of(PUBLISHED_EXAMPLE) == {
        "key": "your-secret-key",
        "command": "CANCEL",
        "order_id": "your-order-ID",
        "strategy_id": "your-strategy-id",
    }


@pytest.mark.parametrize(
    "body",
    [
        "command=CANCEL;order_id=a1",
        "command=CANCEL;order_id=a1;",
        "command=CANCEL\norder_id=a1",
        "command=CANCEL\r\norder_id=a1\r\n",
        "command=CANCEL;\r\norder_id=a1;\r\n",
        ";;\n \n;command=CANCEL; ;\t;\n\norder_id=a1;;\r\n;",
        "\ufeffcommand=CANCEL;order_id=a1",
        "\ufeff\r\ncommand=CANCEL;order_id=a1",
    ],
)
def test_semicolons_and_line_ends_separate_fields_and_blank_pieces_are_skipped(body: str) -> None:
    assert fields_of(body) == {"command": "CANCEL", "order_id": "a1"}


@pytest.mark.parametrize("body", ["", "\ufeff", " \r\n\t", ";", "(remark)", "// comment"])
def test_a_body_without_fields_is_not_a_fault(body: str) -> None:
    assert fields_of(body) == {}


@pytest.mark.parametrize("space", list(" \t\r\v\f\u00a0\u0085\u2003\u2028\u3000"))
def test_white_space_is_trimmed_around_names_and_values_and_kept_inside_a_value(space: str) -> None:
    value = f"ES{space}{space}12-26"
    assert fields_of(f"{space}notes{space}={space}{value}{space};{space}") == {"notes": value}
    assert fields_of(as_json([(f"{space}notes{space}", f"{space}{value}{space}")])) == {"notes": value}


@pytest.mark.parametrize(
    "remark", ["(optional)", "()", "( a (nested) remark )", "((a)(b))", "(order_id=b2)", "(an 'É')", "\u00a0(a)\t"]
)
@pytest.mark.parametrize("body", ["{};order_id=a1", "order_id=a1;{}", "order_id=a1\n{}", "order_id=a1; {} ;"])
def test_a_remark_in_parentheses_is_dropped(body: str, remark: str) -> None:
    assert fields_of(body.replace("{}", remark)) == {"order_id": "a1"}


@pytest.mark.parametrize("name", ["(a) order_id", "(a", "((a)", "(a))(b"])
def test_a_piece_that_only_begins_and_ends_with_a_parenthesis_is_not_a_remark(name: str) -> None:
    assert split(f"{name}=1 (b)".encode()).pairs == ((name, "1 (b)"),)


@pytest.mark.parametrize("piece", ["(a)(b)", "(a) b (c)", "(a", "(a b", "((a)", "(a))", "(", ")", ")(", "(a; b)"])
def test_parentheses_that_do_not_enclose_the_piece_make_no_remark(piece: str) -> None:
    assert fault_of(f"order_id=a1;{piece}") == f"Line 1 has a piece without '='. {FORMS}"


@pytest.mark.parametrize("comment", ["//", "// cancels the stop", "//nonsense=b2", " \t// a // b"])
def test_a_piece_that_starts_with_two_slashes_is_a_comment(comment: str) -> None:
    assert fields_of(f"{comment}\norder_id=a1;{comment}") == {"order_id": "a1"}


def test_a_comment_ends_where_its_line_ends() -> None:
    assert fields_of("// the stop; order_id=b2\norder_id=a1; // a; b\ntif=DAY") == {"order_id": "a1", "tif": "DAY"}


@pytest.mark.parametrize("value", ["http://example.org/a", "a1 // mine", "a1 (mine)", "(mine)", "//"])
def test_inside_a_value_nothing_is_a_comment_or_a_remark(value: str) -> None:
    assert fields_of(f"notes={value}") == {"notes": value}


@in_both_forms
def test_in_json_nothing_is_a_comment_or_a_remark_and_in_text_only_whole_pieces_are(write: Write) -> None:
    assert fields_of(write([("notes", "(mine)"), ("destination", "//")])) == {"notes": "(mine)", "destination": "//"}
    with pytest.raises(UnknownFieldError):
        fields_of(as_json([("(a remark)", "1")]))


def test_a_piece_without_an_equals_sign_is_named_and_leaves_the_others_readable() -> None:
    found = split(b"key=k\n\ncommand=CANCEL; order_id a1\nnor this")
    assert found.pairs == (("key", "k"), ("command", "CANCEL"))
    assert str(found.fault) == f"Line 3 has a piece without '='. {FORMS}"


@pytest.mark.parametrize("piece", ["=a1", " = a1", "=", "=="])
def test_a_piece_without_a_name_is_a_fault(piece: str) -> None:
    assert fault_of(f"key=k\n{piece}") == f"Line 2 has a piece without a name. {FORMS}"


# Names


def test_the_known_names_are_those_of_the_language() -> None:
    assert sorted(KNOWN_NAMES) == NAMES
    assert SYNONYMS == OTHER_NAMES


@in_both_forms
@pytest.mark.parametrize("name", NAMES)
def test_every_known_name_is_read_whatever_the_case_of_its_letters(name: str, write: Write) -> None:
    canonical = OTHER_NAMES.get(name, name)
    for sent in (name, name.upper(), name.title(), name.swapcase()):
        assert fields_of(write([(sent, "a Value")])) == {canonical: "a Value"}


@in_both_forms
@pytest.mark.parametrize("name", LOOKALIKES.values(), ids=LOOKALIKES)
def test_a_name_is_compared_without_case_in_ascii_only(name: str, write: Write) -> None:
    with pytest.raises(UnknownFieldError):
        fields_of(write([(name, "x")]))


def test_lower_and_upper_change_ascii_letters_and_no_others() -> None:
    ascii_text, others = string.printable, "".join(map(chr, range(0x80, 0x110000)))
    assert lower(ascii_text + others) == ascii_text.lower() + others
    assert upper(ascii_text + others) == ascii_text.upper() + others


@in_both_forms
@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("orderid", "order_id"),
        ("order-id", "order_id"),
        ("OrderID", "order_id"),
        ("comand", "command"),
        ("qyt", "qty"),
        ("quantiy", "quantity"),
        ("stategy_id", "strategy_id"),
        ("limit price", "limit_price"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(name: str, nearest: str, write: Write) -> None:
    with pytest.raises(UnknownFieldError) as refusal:
        fields_of(write([(name, "x")]))
    assert refusal.value.detail == f"There is no field '{name}': did you mean {nearest}?"
    assert refusal.value.field == name


def test_an_unknown_name_that_is_near_to_none_points_to_the_list() -> None:
    with pytest.raises(UnknownFieldError, match=r"^There is no field 'xyz': take it out, or see docs/commands\.md\.$"):
        fields_of("xyz=1")


@in_both_forms
@pytest.mark.parametrize("name", [pytest.param("a" * 8000, id="long"), "\u202egnp", "\U0001f600", "a\tb", "a'b", "\\"])
def test_an_unknown_name_is_shown_short_and_in_printable_ascii(name: str, write: Write) -> None:
    with pytest.raises(UnknownFieldError) as refusal:
        fields_of(write([(name, "x")]))
    shown = f"{refusal.value.detail} {refusal.value.field}"
    assert len(shown) < 1000
    assert set(shown) <= set(string.printable) - set("\t\n\r\v\f")


@in_both_forms
def test_an_unknown_name_is_cut_after_64_characters(write: Write) -> None:
    with pytest.raises(UnknownFieldError) as refusal:
        fields_of(write([("0123456789abcdef" * 5, "x")]))
    shown = "0123456789abcdef" * 4
    assert refusal.value.detail.startswith(f"There is no field '{shown}': ")
    assert refusal.value.field == shown


@in_both_forms
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("order_id", "order_id"),
        ("order_id", "ORDER_ID"),
        ("command", "command"),
        *OTHER_NAMES.items(),
        *((canonical, other) for other, canonical in OTHER_NAMES.items()),
        ("Quantity", "QTY"),
        ("quantity", "quantity"),
    ],
)
@pytest.mark.parametrize("value", ["1", "2"])
def test_a_field_given_twice_is_refused_even_with_the_same_value(
    first: str, second: str, value: str, write: Write
) -> None:
    canonical = OTHER_NAMES.get(first.lower(), first.lower())
    with pytest.raises(DuplicateFieldError) as refusal:
        fields_of(write([(first, "1"), ("tif", "DAY"), (second, value)]))
    assert refusal.value.field == canonical
    assert refusal.value.detail == f"{canonical} is given twice; send one alert per command, each field once."


@in_both_forms
def test_strategy_and_strategy_id_are_two_fields(write: Write) -> None:
    pairs = {"strategy": "a", "strategy_id": "b", "stop_loss": "1", "stop_loss_limit": "2", "order_id": "c", "id": "d"}
    assert fields_of(write(pairs.items())) == pairs


# Values


@in_both_forms
@pytest.mark.parametrize("empty", ["", " ", "\t\u00a0"])
def test_an_empty_value_is_the_same_as_an_absent_field(empty: str, write: Write) -> None:
    assert fields_of(write([("order_id", empty), ("tif", "DAY")])) == {"tif": "DAY"}
    assert fields_of(write([("order_id", empty), ("order_id", "a1"), ("ORDER_ID", empty)])) == {"order_id": "a1"}


@in_both_forms
@pytest.mark.parametrize(
    "value", ["{{strategy.order.id}}", "{{ close }}", "ES {{interval}}", "{{a=b}}", "{{close}} TIF=DAY", "{{"]
)
def test_a_placeholder_that_was_not_replaced_is_refused_by_the_name_of_its_field(value: str, write: Write) -> None:
    with pytest.raises(UnresolvedPlaceholderError) as refusal:
        fields_of(write([("command", "CANCEL"), ("Quantity", value)]))
    assert refusal.value.field == "qty"
    assert refusal.value.detail.startswith("qty still holds ")


@in_both_forms
@pytest.mark.parametrize("value", ["{", "{close}", "}}", "{ {close} }"])
def test_single_braces_are_no_placeholder(value: str, write: Write) -> None:
    assert fields_of(write([("notes", value)])) == {"notes": value}


@in_both_forms
@pytest.mark.parametrize(
    ("value", "following"),
    [
        ("5000 TIF=DAY", "TIF"),
        ("5000 tif = DAY", "tif"),
        ("5000\tstop_price=4990 tif=DAY", "stop_price"),
        ("order_id=", "order_id"),
        ("5000 == tif=DAY", "tif"),
        ("5000,tif=DAY", "tif"),
    ],
)
def test_a_forgotten_semicolon_is_refused_by_the_name_before_which_it_is_missing(
    value: str, following: str, write: Write
) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        fields_of(write([("limit_price", value)]))
    assert refusal.value.detail == f"missing ';' before {following}?"
    assert refusal.value.field == "limit_price"


@in_both_forms
@pytest.mark.parametrize("value", ["=", "1=2", "a1 ==", "= a1", "a=1 tif=DAY"])
def test_an_equals_sign_in_a_value_with_no_name_before_it_is_refused_too(value: str, write: Write) -> None:
    with pytest.raises(InvalidValueError, match=r"^order_id cannot hold '='; is a ';' missing before it\?$") as refusal:
        fields_of(write([("order_id", value)]))
    assert refusal.value.field == "order_id"


def test_the_first_bad_pair_is_the_one_that_is_named() -> None:
    with pytest.raises(UnresolvedPlaceholderError):
        fields_of("qty={{x}};nonsense=1")
    with pytest.raises(UnknownFieldError):
        fields_of("nonsense=1;qty={{x}}")


# JSON


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('"CANCEL"', "CANCEL"),
        (r'"\u00e9\ud83d\ude00"', "\u00e9\U0001f600"),
        ('"a;b"', "a;b"),
        (r'"a\nb"', "a\nb"),
        ("1.10", "1.10"),
        ("5000", "5000"),
        ("-0", "-0"),
        ("1e400", "1e400"),
        ("1E-7", "1E-7"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        pytest.param("9" * 5000, "9" * 5000, id="5000 digits"),
        ("true", "true"),
        ("false", "false"),
    ],
)
def test_a_json_value_is_read_as_it_was_written(value: str, read: str) -> None:
    assert fields_of(f'{{"notes": {value}}}') == {"notes": read}


def test_null_in_json_is_the_same_as_an_absent_field() -> None:
    assert fields_of('{"order_id": null, "tif": "DAY", "nonsense": null}') == {"tif": "DAY"}


@pytest.mark.parametrize("start", ["", " ", "\r\n\t", "\ufeff", "\ufeff\n", "\u00a0"])
def test_a_body_that_begins_with_a_brace_is_json_whatever_stands_before_it(start: str) -> None:
    assert fields_of(start + '{"order_id": "a1"}\n') == {"order_id": "a1"}


@pytest.mark.parametrize("nested", ["{}", "[]", '{"a": 1}', "[1]", '[{"a": []}]', "[" * 100 + "]" * 100])
def test_nesting_is_refused_by_the_name_of_the_field(nested: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        fields_of(f'{{"command": "CANCEL", "ORDER_ID": {nested}}}')
    assert refusal.value.field == "order_id"
    assert refusal.value.detail == "order_id must be a string, a number, true, false or null."


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_as_deep_as_a_body_can_be_is_refused(opening: str, closing: str) -> None:
    depth = 8000 // len(opening + closing)
    whole = split(f'{{"notes": {opening * depth}1{closing * depth}}}'.encode())
    assert whole.fault is not None or whole.pairs == (("notes", NoText.NESTED),)
    assert type(split(f'{{"notes": {opening * depth}'.encode()).fault) is MalformedPayloadError


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_json_does_not_call_a_number_is_refused(number: str) -> None:
    assert "a value: text in double quotes, a number" in fault_of(f'{{"order_id": {number}}}')


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{]",
        "{'order_id': 'a1'}",
        '{"order_id": "a1",}',
        '{"order_id": "a1"',
        '{"order_id"}',
        '{"order_id": a1}',
        '{"qty": 01}',
        '{"qty": +1}',
        '{"qty": 1.}',
        '{"notes": True}',
        '{"order_id": "a1"} {}',
        '{"order_id": "a1"};tif=DAY',
        '{"order_id": "a\n1"}',
    ],
)
def test_a_body_that_begins_with_a_brace_and_is_not_a_json_object_is_malformed(body: str) -> None:
    found = split(body.encode())
    assert type(found.fault) is MalformedPayloadError
    assert str(found.public_fault) == FORMS


@pytest.mark.parametrize("body", ["[]", '["order_id"]', "null", "true", "1", '"order_id"'])
def test_json_that_is_not_an_object_is_a_fault(body: str) -> None:
    assert FORMS in fault_of(body)


@pytest.mark.parametrize("body", ['{"": "a1"}', '{"key": "k", " ": "a1"}', '{"": null}'])
def test_a_json_field_without_a_name_is_a_fault(body: str) -> None:
    assert "expected a name in double quotes" in fault_of(body)


# Encoding and size


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"order_id=\xe9",
        b"order_id=\xc0\xaf",
        b"order_id=\xe2\x82",
        b"order_id=\xed\xa0\x80",
        b'{"order_id": "\xe9"}',
        "order_id=a1".encode("utf-16"),
        "order_id=a1".encode("utf-16-le"),
        b"order_id=a\0001",
        b"\0",
        b"order_id=a1\0",
        b"// a comment \0\norder_id=a1",
        b'{"order_id": "a1"}\0',
        rb'{"order_id": "a\u0000"}',
        rb'{"order\u0000id": "a1"}',
        rb'{"order_id": "\ud800"}',
        rb'{"order_id": "\udc00\ud800"}',
        rb'{"\udfff": "a1"}',
    ],
)
def test_what_is_not_utf_8_or_holds_a_nul_is_malformed(body: bytes) -> None:
    found = split(body)
    assert type(found.fault) is MalformedPayloadError
    assert str(found.public_fault) == FORMS
    assert "\0" not in str(found.pairs)


@pytest.mark.parametrize("filler", [b"a", "\u00e9".encode(), "\U0001f600".encode()])
@pytest.mark.parametrize("start", [b"notes=aa", b"\xef\xbb\xbfnotes=aaa", b"// aaaaa"])
def test_a_body_may_have_8192_bytes_and_not_one_more(start: bytes, filler: bytes) -> None:
    largest = start + filler * ((8192 - len(start)) // len(filler))
    assert len(largest) == 8192
    assert split(largest).fault is None
    fault = split(largest + b"a").fault
    assert type(fault) is PayloadTooLargeError
    assert fault.detail == "The body has 8193 bytes; at most 8192 are accepted."


def test_the_size_is_looked_at_before_anything_else() -> None:
    assert type(split(b"\xff" * 8193).fault) is PayloadTooLargeError


@in_both_forms
def test_a_body_may_have_64_fields_and_not_one_more(write: Write) -> None:
    names = [f"n{number}" for number in range(65)]
    assert split(write((name, "x") for name in names[:64]).encode()).fault is None
    found = split(write((name, "x") for name in names).encode())
    assert str(found.fault) == "There are 65 fields; at most 64 are accepted."
    assert [name for name, _ in found.pairs] == names


def test_remarks_comments_and_blank_pieces_are_no_fields() -> None:
    assert split(b"order_id=a1" + b";(r)\n//c\n;" * 100).fault is None


# The key is taken out first


@in_both_forms
def test_the_keys_are_taken_out_and_everything_else_keeps_its_order(write: Write) -> None:
    pairs = [("tif", "DAY"), ("KEY", "first"), ("order_id", "a1"), ("key", ""), ("tif", "GTC"), ("Key", "second")]
    presented, others = take_keys(split(write(pairs).encode()).pairs)
    assert presented == ["first", "second"]
    assert others == [("tif", "DAY"), ("order_id", "a1"), ("tif", "GTC")]


def test_no_key_at_all_leaves_the_pairs_as_they_are() -> None:
    assert take_keys([("tif", "DAY"), ("\u212aey", "x"), ("keys", "x")]) == (
        [],
        [("tif", "DAY"), ("\u212aey", "x"), ("keys", "x")],
    )


def test_a_nested_key_beside_a_good_one_is_a_second_key() -> None:
    presented, others = take_keys(split(b'{"key": "good", "KEY": ["another"]}').pairs)
    assert presented == ["good", ""]
    assert others == []


# For all bodies

# A busy machine is no defect.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CANARY = "c4n4ry-83"

scraps = st.lists(
    st.one_of(
        st.sampled_from(NAMES),
        st.sampled_from(["=", ";", "\n", "\r\n", "(", ")", "//", "{{", "}}", "{", "}", '"', ":", ",", "[", "]", "\\u"]),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)


@unhurried
@given(st.one_of(st.binary(), scraps.map(lambda text: text.encode()), scraps.map(lambda text: b"{" + text.encode())))
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
def test_whatever_the_bytes_they_are_read_or_refused_with_a_payload_error(body: bytes) -> None:
    try:
        found = split(body)
        _, others = take_keys(found.pairs)
        fields = read(others)
    except PayloadError:
        return
    assert set(fields) <= KNOWN_NAMES - SYNONYMS.keys() - {"key"}
    assert all(value and value == value.strip() for value in fields.values())


any_case = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])


def alerts(outside: str) -> st.SearchStrategy[dict[str, str]]:
    characters = st.characters(exclude_categories=["Cs"], exclude_characters=outside)
    texts = st.text(characters, min_size=1, max_size=20).map(str.strip).filter(lambda v: v and "{{" not in v)
    values = texts.map(lambda text: "".join(filter(lambda c: " " <= c <= "~", text)).strip()).filter(bool)
    names = sorted(set(NAMES) - {*OTHER_NAMES, "notes"})
    return st.builds(
        lambda plain, notes: plain | notes,
        st.dictionaries(st.sampled_from(names), values, max_size=7),
        st.dictionaries(st.just("notes"), texts, max_size=1),
    )


@unhurried
@given(alerts(outside="\0=;\n"), st.data())
def test_a_text_written_from_fields_reads_back_to_the_same_fields(alert: dict[str, str], data: st.DataObject) -> None:
    between = st.sampled_from([";", "\n", "\r\n", " ; ", ";\n", "; (optional)\n", "\n// a comment\n", ";;"])
    text = data.draw(st.sampled_from(["", "\ufeff", "\n", "// first\n", "(first);"]))
    for name, value in alert.items():
        text += f"{data.draw(any_case)(name)} =\t{value}{data.draw(between)}"
    assert fields_of(text) == alert


@unhurried
@given(alerts(outside="\0="), st.data())
def test_a_json_object_written_from_fields_reads_back_to_the_same_fields(
    alert: dict[str, str], data: st.DataObject
) -> None:
    written = {data.draw(any_case)(name): value for name, value in alert.items()}
    options: tuple[bool, int | None] = data.draw(st.tuples(st.booleans(), st.sampled_from([None, 2])))
    assert fields_of(json.dumps(written, ensure_ascii=options[0], indent=options[1])) == alert


values_around_the_canary = st.tuples(scraps, scraps).map(CANARY.join)


def said_of(body: str) -> str:
    """Return all that a sender is told about a body whose values hold the canary."""
    try:
        found = split(body.encode())
        # Where a ';' or a new line cut a value in two, what follows may itself be a name, and names are quoted.
        read((name, value) for name, value in found.pairs if CANARY not in name)
    except PayloadError as refusal:
        return f"{refusal!r} {refusal.detail} {refusal.field} {refusal.state}"
    return str(found.fault)


@unhurried
@given(st.lists(st.tuples(st.sampled_from([*NAMES, "nonsense"]), values_around_the_canary), min_size=1, max_size=4))
@example([("order_id", f"{CANARY} tif=1")])
@example([("order_id", f"{{{{{CANARY}}}}}")])
@example([("order_id", f"a;{CANARY}")])
@example([("nonsense", CANARY)])
@example([("order_id", CANARY), ("order_id", CANARY)])
def test_no_value_is_quoted_in_what_is_said_about_it(pairs: list[tuple[str, str]]) -> None:
    for body in (as_text(pairs), as_json(pairs)):
        assert CANARY not in said_of(body)


def test_a_nested_value_is_not_quoted() -> None:
    assert CANARY not in said_of(f'{{"order_id": ["{CANARY}"]}}')
