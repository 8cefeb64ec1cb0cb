from collections.abc import Iterator

import pytest

from orderhook import errors
from orderhook.errors import OrderhookError


def family(error: type[OrderhookError], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, error.__name__
    for kind in error.__subclasses__():
        if kind.__module__ == errors.__name__:  # the API has errors of its own, for what only HTTP can get wrong
            yield from family(kind, depth + 1)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = []
    for line in str(errors.__doc__).splitlines():
        branch, _, rest = line.rpartition("── ")
        word, _, _ = rest.partition(" ")
        if word.endswith("Error"):
            drawn.append(((len(branch) + 3) // 4, word))
    assert drawn == list(family(OrderhookError))


def test_an_error_has_its_detail_and_a_field_and_a_state_where_they_are_given() -> None:
    error = errors.InvalidValueError("qty must be a whole number.", field="qty")
    assert (str(error), error.detail, error.field, error.state) == (
        error.detail,
        "qty must be a whole number.",
        "qty",
        None,
    )
    assert errors.OrderAlreadyTerminalError("Gone.", state="Filled").state == "Filled"


@pytest.mark.parametrize("name", sorted(name for _, name in family(OrderhookError)))
def test_every_error_states_in_its_docstring_what_is_the_case(name: str) -> None:
    assert str(getattr(errors, name).__doc__).rstrip().endswith(".")
