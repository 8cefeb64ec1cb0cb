"""The integration tier: moto's DynamoDB in the process, with the table of template.yaml."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from moto.core.models import botocore_stubber

from local import demo
from local.embedded import one_request_at_a_time
from local.table import create_table
from orderhook.book import OrderBook
from orderhook.wire import connect
from tests.service import RETENTION, Table


def deliver(request: AWSPreparedRequest) -> AWSResponse:
    answer = botocore_stubber("before-send", request)
    assert answer is not None
    return answer


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """One table for the whole tier, empty before each test."""
    with one_request_at_a_time(), mock_aws():
        client = connect()
        create_table(client, "orderhook")
        # Moto imports as it goes: the first requests of each kind take longer than the handler would wait.
        create_table(client, "warm-up")
        demo.seed(OrderBook(client, "warm-up", RETENTION), datetime.now(UTC))
        yield Table("orderhook", client, {}, deliver)
