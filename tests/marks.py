"""Marks that the tests of several modules have."""

import pytest

LONG = pytest.mark.long
"""Left to `make test-engine`, where the table is quicker; `--long` runs it on moto too."""

EACH_ONCE = pytest.mark.each_once
"""Of all combinations of its parameters, so many as have each value once; `make test-engine` and `--long` run all."""
