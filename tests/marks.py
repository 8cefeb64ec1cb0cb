"""Marks that the tests of several modules have."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import pytest

LONG = pytest.mark.long
"""Left to `make test-engine`, where the table is quicker; `--long` runs it on moto too."""

EACH_ONCE = pytest.mark.each_once
"""Of all combinations of its parameters, so many as have each value once; `--long` runs all."""

Case = TypeVar("Case", bound=Hashable)


def diagonal(cases: Mapping[Case, Sequence[str]]) -> set[Case]:
    """Return the cases that have the n-th value of each parameter; one with fewer values begins anew.

    The cases are all combinations, each with its value of each parameter.
    """
    axes = [list(dict.fromkeys(axis)) for axis in zip(*cases.values(), strict=True)]
    longest = max(map(len, axes))
    steps = {tuple(axis[n % len(axis)] for axis in axes) for n in range(longest)}
    return {case for case, values in cases.items() if tuple(values) in steps}
