"""The queue and the schedules of template.yaml, in moto."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from moto.core.models import botocore_stubber
from moto.core.utils import unix_time_millis
from moto.scheduler.models import scheduler_backends
from moto.sqs.models import sqs_backends

from cli.aws.moto import one_request_at_a_time
from cli.aws.scheduler import create_queue
from orderhook.aws.clients import connect
from orderhook.settings import DeferredSettings

if TYPE_CHECKING:
    from botocore.client import BaseClient

NAME = "orderhook"


@dataclass
class Queue:
    """What is done later lies here; time passes only when a test says so."""

    settings: DeferredSettings
    doorbell_url: str
    passed: timedelta = timedelta()
    _clients: dict[str, "BaseClient"] = field(default_factory=dict)

    def handlers_client(self, service: str) -> "BaseClient":
        """The client of the handlers, whose requests meet a test's faults."""
        if service not in self._clients:
            self._clients[service] = connect(service)  # type: ignore[call-overload]
        return self._clients[service]

    def deliver(self, request: AWSPreparedRequest) -> AWSResponse:
        answer = botocore_stubber("before-send", request)
        assert answer is not None
        return answer

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def pass_time(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be so much later, until the test ends."""
        self.passed += timedelta(seconds=seconds)
        ahead = self.passed / timedelta(milliseconds=1)
        monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: unix_time_millis() + ahead)

    # Looked at from within moto: asking it as a client would make messages invisible, and each test slower.

    @property
    def messages(self) -> list[Any]:
        """What lies in the queue, be it held back or handed out."""
        return _only(sqs_backends).queues[NAME]._messages  # type: ignore[no-any-return]

    @property
    def dead_letters(self) -> list[Any]:
        return _only(sqs_backends).queues[f"{NAME}-dead-letters"]._messages  # type: ignore[no-any-return]

    @property
    def rings(self) -> list[Any]:
        """What lies in the queue that tells a bridge to look."""
        return self.messages_in(self.doorbell_url)

    def messages_in(self, url: str) -> list[Any]:
        """What lies in a queue that a test has made."""
        return _only(sqs_backends).queues[url.rpartition("/")[2]]._messages  # type: ignore[no-any-return]

    @property
    def schedules(self) -> dict[str, Any]:
        return _only(scheduler_backends).schedule_groups[NAME].schedules  # type: ignore[no-any-return]

    def clear(self) -> None:
        """Forget everything, and be in the present again."""
        for kept in (self.messages, self.dead_letters, self.rings, self.schedules):
            kept.clear()
        self.passed = timedelta()


def _only(backends: Any) -> Any:
    [backend] = backends.values()
    return backend["us-east-1"]


@contextmanager
def in_process() -> Iterator[Queue]:
    """Make it, for as long as the block lasts; DynamoDB clients of another endpoint than AWS's are left alone."""
    with one_request_at_a_time(), mock_aws(config={"core": {"mock_credentials": False}}):
        doorbell = connect("sqs").create_queue(QueueName=f"{NAME}-doorbell")["QueueUrl"]
        yield Queue(create_queue(NAME), doorbell)
