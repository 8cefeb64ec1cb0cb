"""The fields of a PLACE and a CANCELREPLACE that ask something of the position, as an alert gives them."""

from typing import Any

import pytest

from orderhook.commands import parse_command, parse_fields
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.commands.new_order import PlacesOrder
from orderhook.commands.place import Place
from orderhook.conditions import NO_CONDITIONS, Conditions, Sync
from orderhook.errors import InvalidValueError, MissingFieldError, PayloadError, UnsupportedValueError
from orderhook.venues import NINJATRADER, TABLE

Fields = dict[str, str]

MARKET: Fields = {
    "account": "Sim101", "instrument": "ES 12-26", "action": "BUY", "qty": "1", "order_type": "MARKET", "tif": "DAY",
}  # fmt: skip
SYNC: Fields = {"sync_strategy": "true", "market_position": "long", "prev_market_position": "flat"}


def read(kind: type[PlacesOrder], **fields: str) -> tuple[Any, list[str]]:
    """Return the command, and the fields that it has no use for."""
    given, warnings = parse_fields(kind, fields.items(), is_json=True)
    return parse_command(kind, given)[0], [str(warning.field) for warning in warnings]


def place(**fields: str) -> Any:
    command, ignored = read(Place, **{**MARKET, **fields})
    assert not ignored
    return command


def refused(error: type[PayloadError], **fields: str) -> tuple[str | None, str]:
    with pytest.raises(error) as caught:
        place(**fields)
    return caught.value.field, caught.value.detail


def test_an_order_without_any_option_asks_nothing_of_the_position() -> None:
    assert place().position_conditions == NO_CONDITIONS
    assert place().position_conditions.if_any is None


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("flat", ("flat",)), ("FLAT/Long", ("flat", "long")), ("short, flat", ("flat", "short")),
        ("long,long", ("long",)), ("flat/long/short", ("flat", "long", "short")),
    ],
)  # fmt: skip
def test_the_position_that_an_order_requires_is_a_set_in_any_spelling(text: str, sides: Any) -> None:
    for kind, own in ((Place, {}), (CancelReplace, {"order_id": "a"})):
        command, _ = read(kind, **MARKET, **own, require_market_position=text)
        assert command.position_conditions == Conditions(require_market_position=sides)


@pytest.mark.parametrize("text", ["0", "1", "flat/", ",flat", "flat long", "any", "buy", "flat;long", "FL\u0410T"])
def test_another_word_for_a_position_is_refused(text: str) -> None:
    assert refused(InvalidValueError, require_market_position=text)[0] == "require_market_position"


def test_the_most_positions_are_a_whole_number_by_either_name() -> None:
    assert place(max_positions="2").position_conditions == Conditions(max_positions=2)
    assert place(max_position="3.0").position_conditions == Conditions(max_positions=3)
    for text in ("0", "1.5", "-1", "two"):
        assert refused(InvalidValueError, max_positions=text)[0] == "max_positions"


def test_flatten_first_ends_orders_and_position_before_the_order() -> None:
    assert place(flatten_first="yes").position_conditions == Conditions(closes_first="orders_and_position")
    assert refused(InvalidValueError, flatten_first="perhaps")[0] == "flatten_first"


def test_a_strategy_that_is_compared_says_its_position_before_and_after() -> None:
    assert place(**SYNC).position_conditions.sync == Sync("long", "flat")
    given = {"action": "SELL", "market_position": "SHORT", "prev_market_position": "Long", "out_of_sync": "Resync"}
    for text in ("3", "-3", "3.0"):
        sync = place(**{**SYNC, **given}, target_quantity=text).position_conditions.sync
        assert sync == Sync("short", "long", "resync", 3)
    flat = {**SYNC, "market_position": "flat", "out_of_sync": "resync"}
    assert place(**flat).position_conditions.sync == Sync("flat", "flat", "resync")


@pytest.mark.parametrize(
    ("before", "after", "actions"),
    [
        ("flat", "long", "BUY"), ("flat", "short", "SELL"), ("long", "flat", "SELL"), ("short", "flat", "BUY"),
        ("long", "short", "SELL"), ("short", "long", "BUY"), ("flat", "flat", "BUY SELL"), ("long", "long", "BUY SELL"),
        ("short", "short", "BUY SELL"),
    ],
)  # fmt: skip
def test_an_action_that_does_not_lead_where_its_strategy_says_is_refused(before: str, after: str, actions: str) -> None:
    sides = {**SYNC, "prev_market_position": before, "market_position": after}
    for action in ("BUY", "SELL"):
        if action in actions:
            assert place(**sides, action=action).position_conditions.sync == Sync(after, before)  # type: ignore[arg-type]
        else:
            field, detail = refused(InvalidValueError, **sides, action=action)
            assert field == "action"
            assert f"from prev_market_position={before} to market_position={after}" in detail


@pytest.mark.parametrize(
    ("before", "after", "fields", "warned"),
    [
        ("long", "short", {"action": "SELL"}, True),
        ("short", "long", {}, True),
        ("short", "long", {"flatten_first": "true"}, False),
        ("flat", "long", {}, False),
        ("long", "long", {}, False),
        ("long", "flat", {"action": "SELL"}, False),
    ],
)
def test_one_order_that_turns_a_position_over_says_that_legs_stay(
    before: str, after: str, fields: Fields, warned: bool
) -> None:
    alert = {**MARKET, **SYNC, "prev_market_position": before, "market_position": after, **fields}
    _, warnings = parse_command(Place, parse_fields(Place, alert.items(), is_json=True)[0])
    assert [warning.code for warning in warnings] == ["legs_stay"] * warned


@pytest.mark.parametrize("name", ["market_position", "prev_market_position"])
def test_what_sync_needs_besides_is_named_with_the_placeholder_for_it(name: str) -> None:
    field, detail = refused(MissingFieldError, **{it: text for it, text in SYNC.items() if it != name})
    assert (field, f"add {name}={{{{strategy.{name}}}}}." in detail) == (name, True)


def test_a_resync_needs_the_quantity_to_bring_the_position_to() -> None:
    assert refused(MissingFieldError, **SYNC, out_of_sync="resync")[0] == "target_quantity"


def test_what_is_to_protect_where_nothing_is_compared_is_refused() -> None:
    assert refused(MissingFieldError, out_of_sync="flatten")[0] == "sync_strategy"


@pytest.mark.parametrize(
    ("side", "target"), [("flat", "1"), ("long", "0"), ("long", "-1"), ("short", "0"), ("long", "1.5")]
)
def test_a_quantity_that_contradicts_its_side_is_refused(side: str, target: str) -> None:
    given = {**SYNC, "market_position": side, "target_quantity": target}
    assert refused(InvalidValueError, **given)[0] == "target_quantity"


@pytest.mark.parametrize(
    "fields",
    [
        {"market_position": "{{strategy.market_position}}", "target_quantity": "x"},
        {**SYNC, "sync_strategy": "false", "out_of_sync": "flatten"},
        {**SYNC, "sync_strategy": "0"},
        {"flatten_first": "no"},
        {"require_market_position": "off", "max_positions": "false"},
    ],
)
def test_what_is_switched_off_is_told_and_asks_nothing(fields: Fields) -> None:
    command, told = read(Place, **MARKET, **fields)
    assert command.position_conditions == NO_CONDITIONS
    assert told == [*fields]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("flatten_first", {"flatten_first": "true"}),
        ("require_market_position", {"require_market_position": "flat"}),
        ("max_positions", {"max_position": "1"}),
        ("sync_strategy", SYNC),
    ],
)
def test_without_a_venue_each_is_refused_and_names_the_way(field: str, fields: Fields) -> None:
    command = place(**fields)
    command.check_venue(NINJATRADER)
    with pytest.raises(UnsupportedValueError) as caught:
        command.check_venue(TABLE)
    assert caught.value.field == field
    assert caught.value.detail == (
        f"{field} needs a position, which only a venue knows: take it out, or deploy with Venue=ninjatrader."
    )
    place().check_venue(TABLE)


@pytest.mark.parametrize("name", ["flatten_first", "sync_strategy", "out_of_sync"])
def test_a_replacement_takes_no_option_of_place_alone(name: str) -> None:
    with pytest.raises(UnsupportedValueError) as caught:
        read(CancelReplace, **MARKET, order_id="a", **{name: "true"})
    assert (caught.value.field, caught.value.detail) == (
        name, f"{name} is of PLACE, and nothing here would heed it; take it out.",
    )  # fmt: skip
