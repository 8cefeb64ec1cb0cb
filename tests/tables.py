"""The table of template.yaml, in moto or behind an endpoint, as tests see it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from botocore.session import get_session
from moto import mock_aws
from moto.core.models import botocore_stubber
from moto.dynamodb.models import dynamodb_backends

from cli.aws import demo
from cli.aws.moto import one_request_at_a_time
from cli.aws.table import create_table
from orderhook.aws import clients
from orderhook.aws.clients import connect
from orderhook.services import Services
from orderhook.store import table as store
from tests import quick
from tests.client_faults import Deliver

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAME = "orderhook"
RETENTION = timedelta(days=9)

Item = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A tier's table."""

    name: str
    client: "DynamoDBClient"
    """For what tests arrange and inspect."""
    options: Mapping[str, Any]
    """What connect("dynamodb") needs for a further client."""
    deliver: Deliver
    """How a request gets there past the hooks of a client."""
    read_all: Callable[[], list[Item]]
    """How to see every item, of all traders, in DynamoDB's own form."""
    read: Callable[[str], list[Item]]
    """How to see the items of one partition, by their sort keys."""
    empty: Callable[[], None]
    """How to remove every item."""
    checkpoint: Callable[[], Callable[[], None]]
    """Remember what the table holds, and return how to have it hold that again."""

    @cached_property
    def handlers_client(self) -> "DynamoDBClient":
        """The client of the handlers, whose requests meet a test's faults; a busy machine is not a slow table."""
        with pytest.MonkeyPatch.context() as patient:
            patient.setattr(clients, "READ_SECONDS", 20)
            return connect("dynamodb", **self.options)


@contextmanager
def in_process() -> Iterator[Table]:
    """Make it in moto, for as long as the block lasts."""
    with quick.answers_of_moto(), one_request_at_a_time(), mock_aws():
        client = connect("dynamodb")
        create_table(client, NAME)
        # Moto imports as it goes: the first requests of each kind take longer than the handler would wait.
        create_table(client, "warm-up")
        demo.seed(
            Services.over(store.Table(client, "warm-up"), retention=RETENTION, alert_retention=RETENTION),
            datetime.now(UTC),
        )
        (backend,) = dynamodb_backends.values()
        inside = backend[client.meta.region_name]

        # Past its API: a read takes moto some milliseconds. A transaction that fails leaves it another table object.

        def read_all() -> list[Item]:
            return [item.to_json()["Attributes"] for item in inside.tables[NAME].all_items()]

        def read(partition: str) -> list[Item]:
            items = [item for item in read_all() if item["pk"]["S"] == partition]
            return sorted(items, key=lambda item: str(item["sk"]["S"]))

        def empty() -> None:
            inside.tables[NAME].items.clear()

        def checkpoint() -> Callable[[], None]:
            kept = deepcopy(inside.tables[NAME].items)

            def restore() -> None:
                inside.tables[NAME].items = deepcopy(kept)

            return restore

        yield Table(NAME, client, {}, _deliver_to_moto, read_all, read, empty, checkpoint)


def _deliver_to_moto(request: AWSPreparedRequest) -> AWSResponse:
    answer = botocore_stubber("before-send", request)
    assert answer is not None
    return answer


def at(endpoint: str) -> Table:
    """Make it behind an endpoint."""
    # More patient than the handler's: DynamoDB Local takes its time for the first requests.
    client = cast("DynamoDBClient", get_session().create_client("dynamodb", endpoint_url=endpoint))
    create_table(client, NAME)

    def read_all() -> list[Item]:
        pages = client.get_paginator("scan").paginate(TableName=NAME, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def read(partition: str) -> list[Item]:
        pages = client.get_paginator("query").paginate(
            TableName=NAME,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]

    def write_all(requests: list[Any]) -> None:
        for start in range(0, len(requests), 25):
            client.batch_write_item(RequestItems={NAME: requests[start : start + 25]})

    def empty() -> None:
        write_all([{"DeleteRequest": {"Key": {"pk": item["pk"], "sk": item["sk"]}}} for item in read_all()])

    def checkpoint() -> Callable[[], None]:
        kept = [{"PutRequest": {"Item": item}} for item in read_all()]

        def restore() -> None:
            empty()
            write_all(kept)

        return restore

    return Table(NAME, client, {"endpoint_url": endpoint}, URLLib3Session().send, read_all, read, empty, checkpoint)
