"""The commands other than CANCEL and PLACE: their fields, the ids that they make, and the lists that they answer."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhook.commands import COMMANDS, Command, command_type
from orderhook.commands.cancel_many import CancelManyResult
from orderhook.commands.cancel_replace import CancelReplace, next_order_id
from orderhook.commands.change import Change
from orderhook.commands.place import Place
from orderhook.errors import (
    InvalidValueError,
    MissingFieldError,
    OrderhookError,
    StrategyIdRequiredError,
    UnsupportedValueError,
)
from orderhook.orders import OrderState, Outcome
from orderhook.store import items

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
# The least that each command needs.
LEAST: Mapping[str, Fields] = {
    "CANCEL": {"order_id": "a"},
    "PLACE": PLACED,
    "CANCELORDERS": {"account": "Sim101"},
    "CANCELALLORDERS": {},
    "CANCELREPLACE": {**PLACED, "order_id": "a"},
    "CHANGE": {"order_id": "a", "qty": "2"},
    "CLOSESTRATEGY": {"strategy_id": "s"},
}
each_command = pytest.mark.parametrize("word", LEAST)


def made(word: str, **fields: str | None) -> Command:
    given = {"command": word, **LEAST[word], **fields}
    present = {name: value for name, value in given.items() if value is not None}
    return read(command_type(present), present)[0]


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


# Notes


@each_command
def test_every_command_takes_a_remark_of_500_characters_and_keeps_it_as_sent(word: str) -> None:
    for notes in ("Breakout, 2nd try: \u00fc \u2191", "x" * 500, "\u2191" * 500):
        assert made(word, notes=notes).notes == notes
    error = refused(InvalidValueError, word, notes="x" * 501)
    assert (error.field, error.detail) == ("notes", "notes has 501 characters; at most 500 are accepted.")


@pytest.mark.parametrize("word", ["PLACE", "CANCELREPLACE"])
def test_a_remark_makes_no_other_order(word: str) -> None:
    with_notes, without = made(word, notes="x"), made(word)
    assert isinstance(with_notes, Place)
    assert isinstance(without, Place)
    assert with_notes.content == without.content


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
def test_a_new_quantity_that_is_no_whole_number_is_refused(qty: str) -> None:
    assert refused(InvalidValueError, "CHANGE", qty=qty).field == "qty"


def test_a_quantity_that_is_no_number_is_told_what_one_is() -> None:
    detail = refused(InvalidValueError, "CHANGE", qty="some").detail
    assert detail.startswith("qty must be a whole number: at most 12 digits before the point")


@pytest.mark.parametrize("name", ["limit_price", "stop_price"])
def test_a_new_price_is_a_plain_number(name: str) -> None:
    assert refused(InvalidValueError, "CHANGE", **{name: "abc"}).field == name
    assert refused(UnsupportedValueError, "CHANGE", **{name: "-2 ticks"}).field == name


# CANCELREPLACE


@pytest.mark.parametrize(
    ("order_id", "following"),
    [
        ("a", "a:2"),
        ("a:1", "a:2"),
        ("a:2", "a:3"),
        ("a:9", "a:10"),
        ("a:999999999", "a:1000000000"),
        ("a:1000000000", "a:1000000000:2"),
        ("a:0", "a:0:2"),
        ("a:01", "a:01:2"),
        ("a:b", "a:b:2"),
        ("a:", "a::2"),
        (":2", ":2:2"),
        ("a:2:7", "a:2:8"),
        ("x" * 62, "x" * 62 + ":2"),
        ("x" * 62 + ":8", "x" * 62 + ":9"),
    ],
)
def test_the_next_id_counts_on(order_id: str, following: str) -> None:
    assert next_order_id(order_id) == following
    if not order_id.endswith(":"):
        assert replacement(order_id=order_id).order_id == order_id


@pytest.mark.parametrize("order_id", ["x" * 63, "x" * 64, "x" * 62 + ":9"])
def test_an_id_without_room_for_a_number_is_refused(order_id: str) -> None:
    error = refused(InvalidValueError, "CANCELREPLACE", order_id=order_id)
    assert error.field == "order_id"
    assert "too long to be replaced" in error.detail


@given(st.from_regex(r"[A-Za-z0-9_.:-]{1,64}", fullmatch=True))
def test_a_next_id_is_another_id_that_place_would_take_and_cannot_be_a_name(order_id: str) -> None:
    try:
        following = next_order_id(order_id)
    except InvalidValueError:
        assert len(order_id) > 61
        return
    assert following != order_id
    assert made("PLACE", order_id=following)


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
        ({"take_profit": "4000"}, InvalidValueError, "take_profit"),
        ({"strategy": "t", "stop_loss": "4000"}, InvalidValueError, "stop_loss"),
    ],
    ids=str,
)
def test_the_new_order_has_to_be_one_that_place_would_take(
    fields: Fields, error: type[OrderhookError], field: str
) -> None:
    assert refused(error, "CANCELREPLACE", **fields).field == field


def test_of_all_that_could_write_an_order_of_this_id_none_has_the_content_of_another() -> None:
    writers = [
        made("PLACE", order_id="a:2"),
        made("PLACE", order_id="a:2", strategy_id="s"),
        replacement(order_id="a"),
        replacement(order_id="a:1"),
        replacement(order_id="a", strategy_id="s"),
        replacement(order_id="ENTRY1", strategy_id="s"),
        replacement(order_id="a", qty="2"),
    ]
    assert len({writer.content for writer in writers if isinstance(writer, Place)}) == len(writers)


# Many orders


def test_a_sweep_is_told_as_lists_and_their_lengths() -> None:
    assert CancelManyResult(["a", "b"], [], ["c"], ["d"]).as_data == {
        "counts": {"cancelled": 2, "already_cancelled": 0, "already_terminal": 1, "remaining": 1},
        "cancelled": ["a", "b"],
        "already_cancelled": [],
        "already_terminal": ["c"],
        "remaining": ["d"],
    }


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
    assert foreign.startswith(own) is ((account, instrument) == (other, others))
    assert foreign.startswith(items.open_prefix(account)) is (account == other)
