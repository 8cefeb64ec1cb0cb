"""What `make test` takes of the combinations of a test's parameters."""

from tests.marks import diagonal


def test_each_value_of_each_parameter_is_taken_and_no_more_than_that() -> None:
    cases = {state + way + leg: [state, way, leg] for state in "abcd" for way in "xyz" for leg in "12"}
    assert diagonal(cases) == {"ax1", "by2", "cz1", "dx2"}


def test_of_one_parameter_every_value_is_taken() -> None:
    assert diagonal({"a": ["a"], "b": ["b"]}) == {"a", "b"}
