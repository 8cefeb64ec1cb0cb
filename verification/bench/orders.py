"""A million orders, written to DynamoDB Local in bulk."""

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from os import cpu_count
from typing import TYPE_CHECKING, Any, cast

from botocore.session import get_session

from orderhook.orders import OrderState
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.table import serialize
from tests.builders import order

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 25
"""The most that BatchWriteItem takes."""


def load(endpoint: str, table: str, trader: str, count: int) -> None:
    """Write the working orders order-0, order-1, … of a trader."""
    share = 20_000
    starts = range(0, count, share)
    with ProcessPoolExecutor(cpu_count()) as pool:
        jobs = [pool.submit(_write, endpoint, table, trader, start, min(start + share, count)) for start in starts]
        for job in jobs:
            job.result()


def _write(endpoint: str, table: str, trader: str, first: int, end: int) -> None:
    # Without the functions' short timeouts: nobody waits for this.
    client = cast("DynamoDBClient", get_session().create_client("dynamodb", endpoint_url=endpoint))
    provenance = Provenance(trader, "benchmark", "bulk", datetime.now(UTC))
    pattern = order(provenance, "", state=OrderState.WORKING)
    for start in range(first, end, BATCH):
        numbers = range(start, min(start + BATCH, end))
        batch: list[Any] = [
            serialize(items.order_item(trader, pattern._replace(order_id=f"order-{number}"))) for number in numbers
        ]
        left = client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in batch]})
        if left["UnprocessedItems"]:
            raise RuntimeError("DynamoDB Local did not take a batch")
