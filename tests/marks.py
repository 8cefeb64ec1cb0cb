"""Marks that the tests of several modules have."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import pytest

LONG = pytest.mark.long
"""Left to `make test-engine`, where the table is quicker; `--long` runs it on moto too."""

EACH_ONCE = pytest.mark.each_once
"""Of all combinations of its parameters, so many as have each value once; `--long` runs all."""

# Modules that ask of the table nothing that others do not ask of it: `make test-engine` holds what DynamoDB decides.
OF_THE_BRIDGE = pytest.mark.moto_only(
    "the bridge's own way, its folder and its journal; what is read and written there is in other tests"
)
"""Whole ways to NinjaTrader and back; `test_bridge_loop` goes them over DynamoDB Local too."""

OF_WORDS = pytest.mark.moto_only("about what is said, not about the table")
"""What is answered or logged, of alerts that other tests bring to the table in every way."""

OF_A_TERMINAL = pytest.mark.moto_only("about what a terminal shows; what is read there is in other tests")
"""What a person reads at a terminal."""

OF_PAGES = pytest.mark.moto_only("about pages and who sees them; what is read there is in other tests")
"""What a page or an answer says, and to whom."""

OF_MESSAGES = pytest.mark.moto_only("about messages that go out; races and faults of their claims are in other tests")
"""What a trader is told, by which way, and when."""

OF_SEQUENCES = pytest.mark.moto_only(
    "each alert of it is in other tests, and the model and the races have sequences too"
)
"""What alerts make of one another."""

OF_KEYS = pytest.mark.moto_only("what a key may is decided before the table is asked anything by its conditions")
"""What a key is limited to."""

Case = TypeVar("Case", bound=Hashable)


def diagonal(cases: Mapping[Case, Sequence[str]]) -> set[Case]:
    """Return the cases that have the n-th value of each parameter; one with fewer values begins anew.

    The cases are all combinations, each with its value of each parameter.
    """
    axes = [list(dict.fromkeys(axis)) for axis in zip(*cases.values(), strict=True)]
    longest = max(map(len, axes))
    steps = {tuple(axis[n % len(axis)] for axis in axes) for n in range(longest)}
    return {case for case, values in cases.items() if tuple(values) in steps}
