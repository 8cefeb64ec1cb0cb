"""The names of an entry and its legs."""

import pytest

from orderhook.trade import next_number


@pytest.mark.parametrize(
    ("kind", "names", "number"),
    [
        ("ENTRY", [], 1),
        ("ENTRY", ["STOP1", "TARGET1"], 1),
        ("ENTRY", ["ENTRY1"], 2),
        ("ENTRY", ["ENTRY1", "ENTRY3"], 4),
        ("TARGET", ["TARGET9", "TARGET10", "TARGET2"], 11),
        ("STOP", ["SIMSTOP7", "STOP2"], 3),
    ],
)
def test_the_next_number_of_a_name_is_one_more_than_the_highest(kind: str, names: list[str], number: int) -> None:
    assert next_number(kind, names) == number
