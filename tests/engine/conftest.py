"""The engine tier: its tests always run on DynamoDB Local, started once for all of them."""

import pytest

from tests import tables
from tests.tables import Table


@pytest.fixture(scope="session")
def table(endpoint: str) -> Table:
    """The table of the tier, whether --engine is given or not."""
    return tables.at(endpoint)
