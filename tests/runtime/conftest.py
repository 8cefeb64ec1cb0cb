"""The runtime tier: the artifact as it is deployed, and the table of template.yaml behind an endpoint URL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from orderhook.store.book import OrderBook
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from cli.aws import demo, moto, scheduler
from cli.aws.table import create_table
from orderhook.aws.clients import connect
from tests.engine import dynamodb_local
from tests.queues import Queue
from tests.runtime import artifact, emulator
from tests.runtime.emulator import Function

TABLE = "orderhook"


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder that is deployed."""
    if reason := artifact.missing():
        pytest.skip(reason)
    return artifact.built()


@pytest.fixture(scope="session")
def plain(built: Path) -> Path:  # noqa: ARG001  it skips where nothing can be built
    """The same code and packages, as they come."""
    return artifact.plain()


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Amazon's engine where it can run, or else moto's."""
    if dynamodb_local.missing() is None:
        with dynamodb_local.running() as address:
            yield address
    else:
        with moto.everything() as forward_to_dynamodb:
            server = make_server("127.0.0.1", 0, Request.application(forward_to_dynamodb))
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.port}"
            server.shutdown()


@pytest.fixture(scope="session")
def queue_variables(queue: Queue) -> Iterator[dict[str, str]]:
    """What leads a function to moto's queue and schedules, behind one endpoint."""
    to_scheduler, to_sqs = (moto.forward_to(service, emulator.REGION) for service in ("scheduler", "sqs"))

    def forward(request: Request) -> Response:
        return to_scheduler(request) if request.path.startswith("/schedules/") else to_sqs(request)

    server = make_server("127.0.0.1", 0, Request.application(forward))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.port}"
    yield scheduler.environment(queue.settings) | dict.fromkeys(
        ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SCHEDULER"), address
    )
    server.shutdown()


@pytest.fixture
def table(endpoint: str) -> Iterator[OrderBook]:
    """A table that holds the demo."""
    client = connect(endpoint_url=endpoint)
    create_table(client, TABLE)
    book = OrderBook(client, TABLE, timedelta(days=9))
    demo.seed(book, datetime.now(UTC))
    yield book
    client.delete_table(TableName=TABLE)


@pytest.fixture
def function(built: Path, endpoint: str, table: OrderBook, queue_variables: dict[str, str]) -> Iterator[Function]:
    """The webhook's function, not yet started."""
    del table
    environment = emulator.lambda_environment(TABLE, endpoint) | queue_variables
    with emulator.running(built, "webhook.handler", environment) as function:
        yield function


@pytest.fixture
def delayed_function(
    built: Path, endpoint: str, table: OrderBook, queue_variables: dict[str, str]
) -> Iterator[Function]:
    """The function behind the queue, not yet started."""
    del table
    environment = emulator.lambda_environment(TABLE, endpoint, "DeferredFunction") | queue_variables
    with emulator.running(built, "deferred.handler", environment) as function:
        yield function
