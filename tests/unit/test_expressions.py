"""How conditions combine."""

import pytest

from orderhook.store.expressions import Condition


def joined(*expressions: str) -> str:
    """Return the expression in which all of these hold."""
    first, *rest = (Condition(expression, {}) for expression in expressions)
    for further in rest:
        first &= further
    return first.expression


@pytest.mark.parametrize(
    ("expressions", "wanted"),
    [
        (("#a = :a", "#b = :b"), "#a = :a AND #b = :b"),
        (("#a = :a OR #b = :b", "#c = :c"), "(#a = :a OR #b = :b) AND #c = :c"),
        (("#c = :c", "size(#a) < :a OR attribute_exists(#b)"), "#c = :c AND (size(#a) < :a OR attribute_exists(#b))"),
        (("(#a = :a) OR (#b = :b)", "#c = :c"), "((#a = :a) OR (#b = :b)) AND #c = :c"),
    ],
)
def test_a_condition_holds_whole_beside_another(expressions: tuple[str, ...], wanted: str) -> None:
    assert joined(*expressions) == wanted


def test_no_parentheses_are_redundant_which_dynamodb_refuses() -> None:
    parts = ("(#a = :a OR (#b = :b AND #c = :c))", "NOT (#d = :d OR #e = :e)", "#f IN (:f, :g)")
    assert joined(*parts) == " AND ".join(parts)


def test_both_conditions_keep_their_values() -> None:
    assert (Condition("#a = :a", {":a": 1}) & Condition("#b = :b", {":b": 2})).values == {":a": 1, ":b": 2}
