"""What every tier shares: made-up credentials, the function's environment, and the handler over a tier's table.

A tier is a folder whose conftest.py gives the fixture `table` (see tests/service.py): moto's in integration/, DynamoDB
Local's in engine/. Everything else is the same, so the tests of one run in the other unchanged.
"""

import os
from collections.abc import Iterator

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "ORDERHOOK_TABLE": "the-tests-put-their-own-book-in-its-place",
    "POWERTOOLS_SERVICE_NAME": "orderhook",
    "POWERTOOLS_METRICS_NAMESPACE": "orderhook",
}
for name in ("AWS_PROFILE", "ORDERHOOK_ALLOWED_SOURCES", *(it for it in os.environ if it.startswith("AWS_ENDPOINT_"))):
    os.environ.pop(name, None)

# After the environment, and moto before any client: webhook makes its client when it is imported.
import moto  # noqa: E402, F401
import pytest  # noqa: E402

from tests import queues  # noqa: E402
from tests.queues import Queue  # noqa: E402
from tests.service import Output, Service, Table  # noqa: E402


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Output:
    """What the function writes to its log, from here on."""
    return Output(lambda: "".join(capsys.readouterr()), monkeypatch)


@pytest.fixture(scope="session")
def queue() -> Iterator[Queue]:
    """One queue and one group of schedules for all tests: moto's in every tier."""
    with queues.in_process() as queue:
        yield queue


@pytest.fixture
def service(table: Table, queue: Queue, output: Output, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The handlers over the tier's table, with a trader of this test's own."""
    made = Service(table, queue, output, monkeypatch)
    yield made
    made.clear_away()
