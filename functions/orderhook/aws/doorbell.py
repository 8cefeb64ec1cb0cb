"""The doorbell: a message that there may be news in the table, so that a bridge looks at once and not in 5 seconds."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from typing import TYPE_CHECKING

from orderhook.aws.budget import single_attempt, submit
from orderhook.aws.clients import connect, error_code, send

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOOK = '{"version": 1, "look": {}}'
"""What a ring says: there may be news in the table. A lost or doubled one does no harm."""

PATIENCE_SECONDS = 0.1
"""How long an answer that is ready otherwise waits for it. What is under way then may still get there."""


class Doorbell:
    """The doorbell of one deployment. Its client is made with it, at import: with a venue every alert rings."""

    def __init__(self, queue_url: str, client: "SQSClient | None" = None) -> None:
        self._queue_url = queue_url
        self._sqs = client or connect("sqs")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="doorbell")

    def ring(self) -> "Ringing":
        """Send the message, once and in another thread; a lost one or one too many does no harm."""
        with single_attempt():
            return Ringing(submit(self._thread, self._send))

    def _send(self) -> None:
        send(self._sqs.send_message, QueueUrl=self._queue_url, MessageBody=LOOK)


class Ringing:
    """A message on its way."""

    def __init__(self, sent: "Future[None]") -> None:
        self._sent = sent

    def failure(self, deadline: float) -> str | None:
        """Wait a moment for it, not beyond the deadline, and return why it failed; None where it was sent."""
        try:
            self._sent.result(max(0.0, min(PATIENCE_SECONDS, deadline - time.monotonic())))
        except NotInTimeError:
            return "NotInTime"
        except Exception as error:
            return error_code(error)
        return None
