"""The integration tier: moto's DynamoDB in the process, with the table of template.yaml."""

from collections.abc import Iterator

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from moto.core.models import botocore_stubber

from local.table import create_table
from orderhook.wire import connect
from tests.service import Table


def deliver(request: AWSPreparedRequest) -> AWSResponse:
    answer = botocore_stubber("before-send", request)
    assert answer is not None
    return answer


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """One table for the whole tier, empty before each test."""
    with mock_aws():
        client = connect()
        create_table(client, "orderhook")
        yield Table("orderhook", client, {}, deliver)
