"""The wire to DynamoDB, SQS and EventBridge Scheduler: clients, what is retried, and the time that all may take."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from botocore.config import Config
from botocore.exceptions import (
    ChecksumError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.session import get_session

from orderhook.errors import TemporarilyUnavailableError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from botocore.awsrequest import AWSResponse
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

Result = TypeVar("Result")

CONNECT_SECONDS, READ_SECONDS = 0.3, 0.6
ATTEMPTS = 3
ANSWER_SECONDS = 0.25
"""How long before the end of the time budget the waiting ends: time to tell what was done, and to record it."""
_LAST_SECONDS = 0.05
CONNECTIONS = 16
"""How many requests may be under way at once, and keep their connections for the next ones."""

_WRITES = ("PutItem", "UpdateItem", "TransactWriteItems", "SendMessage")
"""What may not be done twice if the alert cannot be; a schedule for an order that is never placed does nothing."""

_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
}
_CONFLICT = {"TransactionConflictException", "TransactionInProgressException", "ReplicatedWriteConflictException"}
# The reasons inside a cancelled transaction for which the same two apply.
_PASSING_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


@overload
def connect(service: Literal["dynamodb"] = ..., **options: Any) -> "DynamoDBClient": ...
@overload
def connect(service: Literal["sqs"], **options: Any) -> "SQSClient": ...
@overload
def connect(service: Literal["scheduler"], **options: Any) -> "EventBridgeSchedulerClient": ...
def connect(service: str = "dynamodb", **options: Any) -> object:
    """Make the client that a function keeps for its life; `options` go to create_client, such as an endpoint_url."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        # Legacy mode has DynamoDB's own schedule, 50 ms and doubling; standard mode may wait a second at once. And it
        # alone compares DynamoDB's checksums: without that, half an answer is taken for a whole one.
        retries={"mode": "legacy", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        max_pool_connections=CONNECTIONS,
    )
    # What boto3.client makes, without the transfer manager for S3 that comes with boto3: a twentieth of the cold start.
    client = get_session().create_client(cast("Any", service), config=config, **options)
    client.meta.events.register_first(f"before-send.{service}", _before_send)
    client.meta.events.register_first(
        f"needs-retry.{service}", _retry_conflict if service == "dynamodb" else _retry_soon
    )
    client.meta.events.register_first(f"needs-retry.{service}", _give_up)
    for write in _WRITES:
        client.meta.events.register(f"response-received.{service}.{write}", _note_write_refused)
    return client


@dataclass(slots=True)
class _Budget:
    deadline: float
    reserve: float = CONNECT_SECONDS + READ_SECONDS
    """How long before the deadline the last request may begin: as long as the client may wait for its answer."""
    attempts: int | None = None
    """How often a request may be sent; None leaves it to the retry rules."""
    in_doubt: int = 0
    """Writes that were sent, and not refused."""
    lock: Lock = field(default_factory=Lock)

    def doubt(self, more: int) -> None:
        """Count a write, or take one back; threads that serve one alert share its budget."""
        with self.lock:
            self.in_doubt += more


class _OutOfTimeError(Exception):
    """A request that could not be answered inside the time budget was not sent."""


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def time_budget(deadline: float) -> Iterator[None]:
    """Let no request to the table begin that could outlast `deadline` (seconds of time.monotonic)."""
    token = _budget.set(_Budget(deadline))
    try:
        yield
    finally:
        _budget.reset(token)


@contextmanager
def last_requests_until(seconds: float) -> Iterator[None]:
    """Let requests begin until so many seconds before the deadline; the caller answers in time without waiting."""
    budget = _budget.get()
    token = _budget.set(budget and _Budget(budget.deadline, reserve=seconds))
    try:
        yield
    finally:
        _budget.reset(token)


@contextmanager
def repeatable_writes() -> Iterator[None]:
    """Keep may_have_written() from counting what is written here, because an alert that does so may be sent again."""
    budget = _budget.get()
    token = _budget.set(replace(budget) if budget else None)
    try:
        yield
    finally:
        _budget.reset(token)


@contextmanager
def single_attempt() -> Iterator[None]:
    """Send each request once, until shortly before the end of the present time budget.

    may_have_written() does not count what is sent here.
    """
    budget = _budget.get()
    token = _budget.set(_Budget(budget.deadline if budget else math.inf, reserve=_LAST_SECONDS, attempts=1))
    try:
        yield
    finally:
        _budget.reset(token)


def result_in_time(future: "Future[Result]") -> Result:
    """Wait for a result as long as the present time budget allows; raises TemporarilyUnavailableError after that."""
    budget = _budget.get()
    left = budget.deadline - ANSWER_SECONDS - time.monotonic() if budget else None
    try:
        return future.result(left and max(0.0, left))
    except TimeoutError:
        raise _unavailable() from None


def may_have_written() -> bool:
    """Tell whether the present time budget saw a write that was sent and not refused: done, or its fate unknown."""
    budget = _budget.get()
    return budget is not None and budget.in_doubt > 0


def _before_send(event_name: str, **_: object) -> None:
    budget = _budget.get()
    if budget is None:
        return
    if time.monotonic() + budget.reserve > budget.deadline:
        raise _OutOfTimeError
    budget.doubt(event_name.endswith(_WRITES))


def _note_write_refused(parsed_response: Mapping[str, Any] | None, exception: Exception | None, **_: object) -> None:
    """Take back the doubt about a write that surely was not done: it never left, or the table said no."""
    never_left = isinstance(exception, ConnectTimeoutError | EndpointConnectionError)
    refused = parsed_response and 400 <= parsed_response["ResponseMetadata"]["HTTPStatusCode"] < 500
    if (budget := _budget.get()) and (never_left or refused):
        budget.doubt(-1)


def _retry_conflict(response: tuple[Any, Mapping[str, Any]] | None, attempts: int, **_: object) -> Any:
    """Have botocore retry what its tables leave out: a transaction in the way of another, which passes in a moment."""
    if response is None or attempts >= 2 * ATTEMPTS or not (_is_conflict(response[1]) or _is_cut_short(response[1])):
        return None
    return 0.01 * 2**attempts


def _retry_soon(
    response: "tuple[AWSResponse, Mapping[str, Any]] | None", caught_exception: object, attempts: int, **_: object
) -> Any:
    """Have botocore wait as briefly as for DynamoDB: its schedule for all other services may wait two seconds."""
    failed = response is not None and (response[0].status_code >= 500 or _is_throttled(response[1]))
    if attempts >= ATTEMPTS or not (failed or isinstance(caught_exception, HTTPClientError | NoConnectionError)):
        return None
    return 0.05 * 2 ** (attempts - 1)


def _give_up(
    operation: "OperationModel",
    response: "tuple[AWSResponse, Mapping[str, Any]] | None",
    caught_exception: Exception | None,
    attempts: int,
    **_: object,
) -> None:
    """Raise at once what the last attempt met: a hook that returns cannot keep the others from another one."""
    budget = _budget.get()
    if budget is None or budget.attempts is None or attempts < budget.attempts:
        return
    if caught_exception:
        raise caught_exception
    if response and response[0].status_code >= 300:
        raise ClientError(cast("Any", response[1]), operation.name)


def _is_throttled(answer: Mapping[str, Any]) -> bool:
    return answer.get("Error", {}).get("Code") in _THROTTLED


def _is_conflict(answer: Mapping[str, Any]) -> bool:
    return answer.get("Error", {}).get("Code") in _CONFLICT or "TransactionConflict" in reasons(answer)


def _is_cut_short(answer: Mapping[str, Any]) -> bool:
    """Tell whether a refusal ended before its code, for which botocore then puts the status."""
    code: str | None = answer.get("Error", {}).get("Code")
    return code == str(answer["ResponseMetadata"]["HTTPStatusCode"])


def reasons(answer: Mapping[str, Any]) -> list[str]:
    """Return why the items of a transaction were refused, leaving out those that were not."""
    return [reason["Code"] for reason in answer.get("CancellationReasons", []) if reason["Code"] != "None"]


def call(request: Callable[..., Any], **arguments: Any) -> Any:
    """Send a request; raises TemporarilyUnavailableError for every fault that passes by itself."""
    try:
        return request(**arguments)
    except (HTTPClientError, NoConnectionError, ChecksumError, _OutOfTimeError) as error:
        raise _unavailable() from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        passing = code in _THROTTLED | _CONFLICT or status >= 500 or _is_cut_short(error.response)
        if passing or _PASSING_REASONS & set(reasons(error.response)):
            raise _unavailable() from error
        raise


def pages(query: Callable[..., Any], **arguments: Any) -> Iterator[dict[str, Any]]:
    """Yield the items of a query, asking for a page when the one before is used up; raises as call does."""
    page: dict[str, Any] | None = {}
    while page is not None:
        answer = call(query, **arguments, **page)
        yield from answer["Items"]
        last = answer.get("LastEvaluatedKey")
        page = {"ExclusiveStartKey": last} if last else None


def why(failure: BaseException) -> str:
    """Name what kept a request from being answered: the table's code, or a class; a message may quote the payload."""
    cause = failure.__cause__ or failure
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else type(cause).__name__


def existing_item(error: ClientError) -> dict[str, Any] | None:
    """Return the item that a failed condition met, None if there was none; raises any other error as it is."""
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise error
    item: Any = error.response.get("Item")
    return cast("dict[str, Any] | None", item)


def _unavailable() -> TemporarilyUnavailableError:
    return TemporarilyUnavailableError("The order book did not answer in time. Send the same alert again; it is safe.")
