"""Marks that the tests of several modules have."""

import pytest

LONG = pytest.mark.long
"""Left to `make test-engine`, where the table is quicker; `--long` runs it on moto too."""
