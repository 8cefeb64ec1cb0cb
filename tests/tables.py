"""The table of template.yaml, in moto or behind an endpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from moto import mock_aws
from moto.core.models import botocore_stubber

from local import demo
from local.table import create_table
from orderhook.book import OrderBook
from orderhook.wire import connect
from tests.service import RETENTION, Table

NAME = "orderhook"


@contextmanager
def in_process() -> Iterator[Table]:
    """Make it in moto, for as long as the block lasts."""
    with mock_aws():
        client = connect()
        create_table(client, NAME)
        # Moto imports as it goes: the first requests of each kind take longer than the handler would wait.
        create_table(client, "warm-up")
        demo.seed(OrderBook(client, "warm-up", RETENTION), datetime.now(UTC))
        yield Table(NAME, client, {}, _deliver_to_moto)


def _deliver_to_moto(request: AWSPreparedRequest) -> AWSResponse:
    answer = botocore_stubber("before-send", request)
    assert answer is not None
    return answer


def at(endpoint: str) -> Table:
    """Make it behind an endpoint."""
    client = connect(endpoint_url=endpoint)
    create_table(client, NAME)
    return Table(NAME, client, {"endpoint_url": endpoint}, URLLib3Session().send)
