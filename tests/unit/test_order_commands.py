"""The commands about orders that are there: their fields, how they address an order, and the lists that they answer."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhook.commands import COMMANDS, Command, parse_command, parse_fields
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.commands.change import Change
from orderhook.commands.changing import values
from orderhook.commands.many_result import ManyResult
from orderhook.commands.place import Place
from orderhook.errors import (
    InvalidValueError,
    MissingFieldError,
    OrderhookError,
    StrategyIdRequiredError,
    UnsupportedValueError,
)
from orderhook.orders import OrderState, folded
from orderhook.outcome import Outcome
from orderhook.store import items
from tests.builders import order, provenance

ErrorT = TypeVar("ErrorT", bound=OrderhookError)
Fields = Mapping[str, str]

PLACED: Fields = {
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": "1",
    "order_type": "LIMIT",
    "limit_price": "5000",
    "tif": "DAY",
}
POSITION: Fields = {"account": "Sim101", "instrument": "ES 12-26"}
# The least that each command needs.
LEAST: Mapping[str, Fields] = {
    "CANCEL": {"order_id": "a"},
    "PLACE": PLACED,
    "CANCELORDERS": {"account": "Sim101"},
    "CANCELALLORDERS": {},
    "CANCELREPLACE": {**PLACED, "order_id": "a"},
    "CHANGE": {"order_id": "a", "qty": "2"},
    "CLOSESTRATEGY": {"strategy_id": "s"},
    "CLOSEPOSITION": POSITION,
    "FLATTEN": {},
    "FLATTENEVERYTHING": {},
    "FLATPLACE": PLACED,
    "REVERSE": POSITION,
    "REVERSEPOSITION": PLACED,
    "CANCELANDBRACKET": {**POSITION, "action": "BUY", "qty": "1", "stop_loss": "4990"},
}
each_command = pytest.mark.parametrize("word", LEAST)


def made(word: str, **fields: str | None) -> Command:
    present = {name: value for name, value in {**LEAST[word], **fields}.items() if value is not None}
    kind = COMMANDS[word]
    return parse_command(kind, parse_fields(kind, present.items(), is_json=False)[0])[0]


def refused(error: type[ErrorT], word: str, **fields: str | None) -> ErrorT:
    with pytest.raises(error) as refusal:
        made(word, **fields)
    return refusal.value


def change(**fields: str | None) -> Change:
    command = made("CHANGE", **{"qty": None, **fields})
    assert isinstance(command, Change)
    return command


def replacement(**fields: str | None) -> CancelReplace:
    command = made("CANCELREPLACE", **fields)
    assert isinstance(command, CancelReplace)
    return command


def test_every_command_has_its_row_here() -> None:
    assert list(LEAST) == list(COMMANDS)


@each_command
def test_the_least_is_enough_and_may_be_sent_again_where_an_id_tells_it(word: str) -> None:
    assert made(word).repeatable is (word != "PLACE")


@pytest.mark.parametrize(
    ("word", "name"),
    [(word, name) for word in LEAST for name in LEAST[word] if (word, name) != ("CHANGE", "qty")],
)
def test_no_part_of_the_least_can_be_left_out(word: str, name: str) -> None:
    error = refused(MissingFieldError, word, **{name: None})
    assert error.field == name


@pytest.mark.parametrize("word", ["CANCEL", "CHANGE", "CANCELREPLACE"])
@pytest.mark.parametrize("name", ["stop1", "Entry2", "TARGET10"])
def test_an_order_name_stands_for_an_order_in_a_strategy_alone(word: str, name: str) -> None:
    assert refused(StrategyIdRequiredError, word, order_id=name).field == "strategy_id"
    command: Any = made(word, order_id=name, strategy_id="s")
    assert command.order_id == command.order_name == name.upper()
    assert refused(InvalidValueError, word, order_id="STOP01", strategy_id="s").field == "order_id"


@pytest.mark.parametrize("word", ["CANCEL", "CHANGE", "CANCELREPLACE"])
@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("long.STOP1", "long.STOP1"),
        ("long.stop1", "long.STOP1"),
        ("Long.Target10", "Long.TARGET10"),
        ("a.b.sTOP2", "a.b.STOP2"),
        ("long.STOP01", "long.STOP01"),
        ("long.STOP", "long.STOP"),
        ("long.", "long."),
        ("x" * 64 + ".STOP1", "x" * 64 + ".STOP1"),
    ],
)
def test_a_leg_is_addressed_by_its_entrys_id_and_its_name_in_any_case(word: str, sent: str, meant: str) -> None:
    command: Any = made(word, order_id=sent)
    assert (command.order_id, command.order_name) == (meant, None)


@pytest.mark.parametrize("word", ["CANCEL", "CHANGE", "CANCELREPLACE"])
@pytest.mark.parametrize("order_id", ["x" * 65, "x" * 65 + ".STOP1", "NaN", "none.STOP1", "-a", "a<b", "a.STOP1;"])
def test_what_can_be_no_order_is_refused_as_one(word: str, order_id: str) -> None:
    assert refused(InvalidValueError, word, order_id=order_id).field == "order_id"


# Notes


@each_command
def test_every_command_takes_a_remark_of_500_characters_and_cuts_a_longer_one(word: str) -> None:
    for notes in ("Breakout, 2nd try: \u00fc \u2191", "x" * 500, "\u2191" * 500):
        assert made(word, notes=notes).notes == notes
    command, warnings = parse_command(COMMANDS[word], {**LEAST[word], "notes": "\u2191" * 499 + "abc"})
    assert command.notes == "\u2191" * 499 + "a"
    assert [(warning.code, warning.field) for warning in warnings] == [("notes_cut", "notes")]


@pytest.mark.parametrize("word", ["PLACE", "CANCELREPLACE"])
def test_a_remark_makes_no_other_order(word: str) -> None:
    with_notes, without = made(word, notes="x"), made(word)
    assert isinstance(with_notes, Place | CancelReplace)
    assert isinstance(without, Place | CancelReplace)
    assert with_notes.new_order.texts() == without.new_order.texts()


# CHANGE


@pytest.mark.parametrize(
    ("fields", "new"),
    [
        ({"qty": "2"}, {"qty": 2}),
        ({"qty": "2.0", "limit_price": "0", "stop_price": "0.00"}, {"qty": 2}),
        ({"qty": "0", "limit_price": "5000.250"}, {"limit_price": Decimal("5000.25")}),
        ({"stop_price": "1", "limit_price": "2"}, {"stop_price": Decimal(1), "limit_price": Decimal(2)}),
        ({"qty": "1000000"}, {"qty": 1_000_000}),
    ],
)
def test_a_change_takes_what_is_above_zero(fields: Fields, new: dict[str, object]) -> None:
    assert change(**fields).new == new


@pytest.mark.parametrize("fields", [{}, {"qty": "0"}, {"qty": "0.0", "limit_price": "0", "stop_price": "00"}], ids=str)
def test_a_change_of_nothing_is_refused(fields: Fields) -> None:
    error = refused(MissingFieldError, "CHANGE", **{"qty": None, **fields})
    assert error.field == "qty"


@pytest.mark.parametrize("qty", ["-1", "1.5", "0.5", "1000001", "1e3", "1,5", "two", "-0", "+2"])
def test_a_new_quantity_that_is_not_a_whole_number_is_refused(qty: str) -> None:
    assert refused(InvalidValueError, "CHANGE", qty=qty).field == "qty"


def test_a_quantity_that_is_not_a_number_is_told_what_one_is() -> None:
    detail = refused(InvalidValueError, "CHANGE", qty="some").detail
    assert detail.startswith("qty must be a whole number: at most 12 digits before the point")


@pytest.mark.parametrize("name", ["limit_price", "stop_price"])
def test_a_new_price_is_a_plain_number(name: str) -> None:
    assert refused(InvalidValueError, "CHANGE", **{name: "abc"}).field == name
    assert refused(UnsupportedValueError, "CHANGE", **{name: "-2 ticks"}).field == name


@pytest.mark.parametrize(
    ("order_type", "prices", "told"),
    [
        ("MARKET", {}, {"qty": "5"}),
        ("LIMIT", {"limit_price": Decimal("4999.50")}, {"qty": "5", "limit_price": "4999.5"}),
        ("STOPMARKET", {"stop_price": Decimal("1E+3")}, {"qty": "5", "stop_price": "1000"}),
    ],
)
def test_the_answer_has_the_quantity_and_the_prices_that_the_order_has(
    order_type: str, prices: dict[str, Decimal], told: dict[str, str]
) -> None:
    fields = {"limit_price": None, "order_type": order_type, **prices}
    assert values(order(provenance("ada", "r1"), "a1", **fields)) == told


# CANCELREPLACE


@pytest.mark.parametrize("order_id", ["a", "a:2", "a:9", "x" * 64, "x" * 62 + ":9", "x" * 64 + ".TARGET1"])
def test_every_id_that_place_takes_can_be_replaced_and_is_kept(order_id: str) -> None:
    assert replacement(order_id=order_id).order_id == order_id


@given(st.from_regex(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]{0,63}", fullmatch=True))
def test_an_id_that_place_takes_addresses_its_order_in_every_command(order_id: str) -> None:
    try:
        placed: Any = made("PLACE", order_id=order_id)
    except InvalidValueError:
        return
    for word in ("CANCEL", "CHANGE", "CANCELREPLACE"):
        command: Any = made(word, order_id=order_id)
        assert (command.order_id, command.order_name) == (placed.order_id, None)


def test_a_replacement_takes_no_template_because_the_order_keeps_the_legs_that_it_has() -> None:
    error = refused(UnsupportedValueError, "CANCELREPLACE", strategy="scalp")
    assert (error.field, "take it out" in error.detail) == ("strategy", True)


@pytest.mark.parametrize("name", sorted(Place.refused))
def test_what_would_change_the_new_order_and_cannot_is_refused_as_by_place(name: str) -> None:
    assert refused(UnsupportedValueError, "CANCELREPLACE", **{name: "1"}).detail == (
        refused(UnsupportedValueError, "PLACE", **{name: "1"}).detail
    )


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"stop_price": "5000"}, InvalidValueError, "stop_price"),
        ({"limit_price": "0"}, MissingFieldError, "limit_price"),
        ({"take_profit": "4000", "stop_loss": "4001"}, InvalidValueError, "take_profit"),
        ({"take_profit": "4000", "stop_loss": "4000"}, InvalidValueError, "take_profit"),
        ({"stop_loss_limit": "4991", "stop_loss_stop": "4990"}, InvalidValueError, "stop_loss_limit"),
        ({"stop_loss": "4990", "stop_loss_limit": "4990"}, InvalidValueError, "stop_loss_limit"),
        ({"stop_loss_stop": "4990"}, MissingFieldError, "stop_loss_limit"),
        ({"take_profit": "0"}, InvalidValueError, "take_profit"),
        ({"stop_loss": "0.0"}, InvalidValueError, "stop_loss"),
        ({"qty": "0"}, InvalidValueError, "qty"),
    ],
    ids=str,
)
def test_the_new_order_has_to_be_one_that_place_would_take(
    fields: Fields, error: type[OrderhookError], field: str
) -> None:
    assert refused(error, "CANCELREPLACE", **fields).field == field


@pytest.mark.parametrize("fields", [{"stop_loss": "5001"}, {"take_profit": "4999"}], ids=str)
def test_a_leg_beyond_the_entry_is_left_to_the_order_to_judge_because_a_fill_may_have_freed_it(fields: Fields) -> None:
    assert replacement(**fields).new_order.legs
    assert refused(InvalidValueError, "PLACE", **fields).field == next(iter(fields))


def test_an_alert_that_has_placed_an_order_is_the_same_only_with_the_same_fields() -> None:
    texts = [
        made("PLACE", **fields).new_order.texts()  # type: ignore[attr-defined]
        for fields in (
            {},
            {"qty": "2"},
            {"limit_price": "5001"},
            {"tif": "GTC"},
            {"action": "SELL"},
            {"account": "Sim102"},
            {"oco_id": "g"},
            {"stop_loss": "4990"},
            {"stop_loss_limit": "4990"},
            {"take_profit": "5010"},
            {"strategy": "scalp"},
        )
    ]
    assert len({tuple(sorted(each.items())) for each in texts}) == len(texts)


@pytest.mark.parametrize(
    "fields",
    [
        {"qty": "1.0"},
        {"limit_price": "5000.000"},
        {"account": "sim101", "instrument": "es  12-26"},
        {"action": "buy", "order_type": "limit", "tif": "day"},
        {"notes": "x", "delay": "5", "cancel_after": "3"},
    ],
    ids=str,
)
def test_another_spelling_and_what_does_not_count_make_no_other_order(fields: Fields) -> None:
    other, same = made("PLACE", **fields), made("PLACE")
    assert isinstance(other, Place)
    assert isinstance(same, Place)
    assert other.new_order.texts() == same.new_order.texts()


# Many orders


def test_what_became_of_many_orders_is_told_as_lists_and_their_lengths() -> None:
    result = ManyResult(cancelled=["a", "b"], already_terminal=["c"], remaining=["d"])
    assert result.as_data() == {
        "counts": {"cancelled": 2, "already_cancelled": 0, "already_terminal": 1, "remaining": 1},
        "cancelled": ["a", "b"],
        "already_cancelled": [],
        "already_terminal": ["c"],
        "remaining": ["d"],
    }


def test_what_failed_what_waits_and_the_legs_that_ended_are_told_where_there_are_any() -> None:
    failed = [{"order_id": "e", "reason": "ValueError"}]
    result = ManyResult(cancelled=["a"], failed=failed, waiting=["f", "g"], legs={"a": ["a.STOP1", "a.TARGET1"]})
    told = result.as_data()
    assert told["counts"] == {
        "cancelled": 1,
        "already_cancelled": 0,
        "already_terminal": 0,
        "remaining": 0,
        "failed": 1,
        "waiting": 2,
    }
    assert (told["failed"], told["waiting"]) == (failed, ["f", "g"])
    assert told["cancelled_legs"] == {"a": ["a.STOP1", "a.TARGET1"]}


def test_an_outcome_is_about_the_orders_that_it_wrote() -> None:
    assert Outcome(status="closed", affected_order_ids=("a", "b")).order_ids == ("a", "b")
    assert Outcome(status="placed", order_id="a", legs={"STOP1": "b"}).order_ids == ("a", "b")


@pytest.mark.parametrize(
    ("outcome", "duplicate"),
    [
        (Outcome(status="changed"), False),
        (Outcome(status="changed", duplicate=True), True),
        (Outcome(status="already_cancelled", state=OrderState.CANCELLED), True),
        (Outcome(status="cancelled"), False),
    ],
)
def test_a_duplicate_says_so_in_its_word_or_beside_it(outcome: Outcome, *, duplicate: bool) -> None:
    assert outcome.is_duplicate is duplicate


LABELS = st.text(st.sampled_from("aA %#25"), min_size=1, max_size=4)


@given(LABELS, LABELS, LABELS, LABELS)
def test_the_index_values_of_one_account_and_instrument_never_begin_like_anothers(
    account: str, instrument: str, other: str, others: str
) -> None:
    own, foreign = items.open_prefix(account, instrument), items.open_prefix(other, others)
    equal = folded(account) == folded(other)
    assert foreign.startswith(own) is (equal and folded(instrument) == folded(others))
    assert foreign.startswith(items.open_prefix(account)) is equal
