from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer  # noqa: TID251  what ours is compared with
from hypothesis import given
from hypothesis import strategies as st

from orderhook import items

NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(-(10**12), 10**12, allow_nan=False, places=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | NUMBERS | st.binary(),
    lambda members: st.lists(members) | st.dictionaries(st.text(min_size=1), members),
)


@given(VALUES)
def test_values_get_the_types_that_boto3_gives_them(value: Any) -> None:
    typed = TypeSerializer().serialize(value)
    assert items.wire({"it": [value]}) == {"it": {"L": [typed]}}


@given(VALUES)
def test_values_come_back_as_boto3_brings_them_back(value: Any) -> None:
    typed = TypeSerializer().serialize(value)
    assert items.plain({"it": typed})["it"] == TypeDeserializer().deserialize(typed) == value


def test_absent_values_are_left_out() -> None:
    assert items.wire({"there": "x", "absent": None}) == {"there": {"S": "x"}}


@given(st.frozensets(st.integers(-(10**30), 10**30), min_size=1))
def test_a_set_of_numbers_gets_the_type_that_boto3_gives_it_and_comes_back(value: frozenset[int]) -> None:
    typed = items.wire({"it": value})["it"]
    theirs = TypeSerializer().serialize(set(value))
    assert {kind: sorted(numbers) for kind, numbers in typed.items()} == {"NS": sorted(theirs["NS"])}
    assert items.plain({"it": typed})["it"] == TypeDeserializer().deserialize(typed) == value


@pytest.mark.parametrize("value", [1.5, {"a", "b"}, frozenset({"a"}), frozenset(), object()])
def test_a_value_that_no_item_holds_is_a_defect(value: object) -> None:
    with pytest.raises(TypeError):
        items.wire({"it": value})


def test_a_type_that_no_item_holds_is_a_defect() -> None:
    with pytest.raises(TypeError):
        items.plain({"it": {"SS": ["a"]}})


def test_a_price_stays_exact() -> None:
    assert items.plain(items.wire({"price": Decimal("5000.250")})) == {"price": Decimal("5000.25")}
