"""The integration tier: moto's DynamoDB in the process, with the table of template.yaml."""

from collections.abc import Iterator

import pytest

from tests import tables
from tests.service import Table


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """One table for the whole tier, empty before each test."""
    with tables.in_process() as table:
        yield table
