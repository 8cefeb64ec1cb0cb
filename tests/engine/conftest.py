"""The engine tier: DynamoDB Local, started once for all of its tests."""

from collections.abc import Iterator

import pytest

from tests import tables
from tests.engine import dynamodb_local
from tests.service import Table


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where DynamoDB Local listens; without Java or Maven the test is skipped."""
    if reason := dynamodb_local.missing():
        pytest.skip(reason)
    with dynamodb_local.running() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def table(endpoint: str) -> Table:
    """One table for the whole tier: every test has a trader of its own."""
    return tables.at(endpoint)
