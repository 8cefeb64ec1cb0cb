"""Plain values in DynamoDB's types and back, and the names that expressions use."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhook.store.table import _names, deserialize, serialize

NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(-(10**12), 10**12, allow_nan=False, places=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | NUMBERS | st.binary(),
    lambda members: st.lists(members) | st.dictionaries(st.text(min_size=1), members),
)


@given(VALUES)
def test_every_value_comes_back_as_it_went(value: Any) -> None:
    assert deserialize(serialize({"it": [value]})) == {"it": [value]}


@given(st.frozensets(st.integers(-(10**30), 10**30), min_size=1))
def test_a_set_of_numbers_is_stored_as_one_and_comes_back(value: frozenset[int]) -> None:
    typed = serialize({"it": value})
    assert {kind: sorted(numbers) for kind, numbers in typed["it"].items()} == {"NS": sorted(map(str, value))}
    assert deserialize(typed) == {"it": value}


def test_absent_values_are_left_out() -> None:
    assert serialize({"there": "x", "absent": None}) == {"there": {"S": "x"}}


def test_a_price_stays_exact() -> None:
    assert serialize({"price": Decimal("5000.25")}) == {"price": {"N": "5000.25"}}
    assert deserialize(serialize({"price": Decimal("5000.250")})) == {"price": Decimal("5000.25")}


@pytest.mark.parametrize("value", [5000.25, object()])
def test_a_value_that_no_item_may_hold_is_a_defect(value: object) -> None:
    with pytest.raises(TypeError):
        serialize({"it": value})


def test_binary_comes_back_as_bytes() -> None:
    assert type(deserialize({"it": {"B": b"\0\xff"}})["it"]) is bytes


def test_every_attribute_of_an_expression_has_an_alias() -> None:
    assert _names("SET #state = :new, #open = :gone", "#state = :old AND attribute_exists(#key_id)") == {
        "#state": "state",
        "#open": "open",
        "#key_id": "key_id",
    }
    assert _names("contains(:some, :one)") == {}
