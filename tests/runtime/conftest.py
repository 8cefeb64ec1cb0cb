"""The runtime tier: the artifact as it is deployed, and the table of template.yaml behind an endpoint URL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request

from local import demo, embedded
from local.table import create_table
from orderhook.book import OrderBook
from orderhook.wire import connect
from tests.engine import dynamodb_local
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
        with embedded.everything() as door:
            server = make_server("127.0.0.1", 0, Request.application(door))
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.port}"
            server.shutdown()


@pytest.fixture
def function(built: Path, endpoint: str) -> Iterator[Function]:
    """The function, not yet started, over a table that holds the demo."""
    client = connect(endpoint_url=endpoint)
    create_table(client, TABLE)
    demo.seed(OrderBook(client, TABLE, timedelta(days=9)), datetime.now(UTC))
    with emulator.running(built, "webhook.handler", emulator.lambda_environment(TABLE, endpoint)) as function:
        yield function
    client.delete_table(TableName=TABLE)
