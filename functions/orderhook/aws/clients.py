"""Clients of DynamoDB, SQS and EventBridge Scheduler: their time-outs, and which failures are tried again."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ChecksumError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from orderhook.aws import budget
from orderhook.aws.budget import CONNECT_SECONDS, CONNECTIONS, READ_SECONDS, OutOfTimeError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

ATTEMPTS = 3

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
# The reasons inside a cancelled transaction that mean the same two things.
_PASSING_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


@overload
def connect(service: Literal["dynamodb"], **options: Any) -> "DynamoDBClient": ...
@overload
def connect(service: Literal["sqs"], **options: Any) -> "SQSClient": ...
@overload
def connect(service: Literal["scheduler"], **options: Any) -> "EventBridgeSchedulerClient": ...
def connect(service: Literal["dynamodb", "sqs", "scheduler"], **options: Any) -> object:
    """Return the client that a function keeps for its life; `options` are boto3's, such as endpoint_url."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        # Legacy mode has DynamoDB's own schedule, 50 ms and doubling; standard mode may wait a second at once. And only
        # legacy mode compares DynamoDB's checksums: without that, half an answer is taken for a whole one.
        retries={"mode": "legacy", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        max_pool_connections=CONNECTIONS,
    )
    client: Any = boto3.client(service, config=config, **options)
    events = client.meta.events
    events.register_first(f"before-send.{service}", _before_send)
    events.register_first(f"needs-retry.{service}", _retry_conflict if service == "dynamodb" else _retry_soon)
    events.register_first(f"needs-retry.{service}", _give_up)
    for write in _WRITES:
        events.register(f"response-received.{service}.{write}", _note_write_refused)
    return client


def send(request: Callable[..., Any], **arguments: Any) -> Any:
    """Send a request; raises TemporarilyUnavailableError for every fault that passes by itself."""
    try:
        return request(**arguments)
    except (HTTPClientError, NoConnectionError, ChecksumError, OutOfTimeError) as error:
        raise budget.unavailable() from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        passing = code in _THROTTLED | _CONFLICT or status >= 500 or _is_cut_short(error.response)
        if passing or _PASSING_REASONS & set(cancellation_reasons(error.response)):
            raise budget.unavailable() from error
        raise


def error_code(failure: BaseException) -> str:
    """Return AWS's code for what failed, or a class name; never a message, which may quote the payload."""
    cause = failure.__cause__ or failure
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else type(cause).__name__


def cancellation_reasons(answer: Mapping[str, Any]) -> list[str]:
    """Return why the writes of a transaction were refused, leaving out those that were not."""
    return [reason["Code"] for reason in answer.get("CancellationReasons", []) if reason["Code"] != "None"]


# Hooks, which botocore calls with its own arguments


def _before_send(event_name: str, **_: object) -> None:
    if in_force := budget.current():
        in_force.check()
        in_force.count_in_doubt(event_name.endswith(_WRITES))


def _note_write_refused(parsed_response: Mapping[str, Any] | None, exception: Exception | None, **_: object) -> None:
    """Take back the doubt about a write that was surely not done: it never left, or the service refused it."""
    never_left = isinstance(exception, ConnectTimeoutError | EndpointConnectionError)
    refused = parsed_response and 400 <= parsed_response["ResponseMetadata"]["HTTPStatusCode"] < 500
    if (in_force := budget.current()) and (never_left or refused):
        in_force.count_in_doubt(-1)


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
    """Raise at once what the last attempt met: a hook that returns cannot keep the others from another attempt."""
    in_force = budget.current()
    if in_force is None or in_force.attempts is None or attempts < in_force.attempts:
        return
    if caught_exception:
        raise caught_exception
    if response and response[0].status_code >= 300:
        raise ClientError(cast("Any", response[1]), operation.name)


def _is_throttled(answer: Mapping[str, Any]) -> bool:
    return answer.get("Error", {}).get("Code") in _THROTTLED


def _is_conflict(answer: Mapping[str, Any]) -> bool:
    return answer.get("Error", {}).get("Code") in _CONFLICT or "TransactionConflict" in cancellation_reasons(answer)


def _is_cut_short(answer: Mapping[str, Any]) -> bool:
    """Return whether a refusal ended before its code, for which botocore then puts the status."""
    code: str | None = answer.get("Error", {}).get("Code")
    return code == str(answer["ResponseMetadata"]["HTTPStatusCode"])
