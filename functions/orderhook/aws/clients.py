"""Clients of the services of AWS that are used: their time-outs, and which failures are tried again."""

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from orderhook.aws import budget
from orderhook.aws.budget import CONNECT_SECONDS, CONNECTIONS, READ_SECONDS, Fault, OutOfTimeError
from orderhook.aws.deadline import DeadlineError
from orderhook.errors import OrderhookError, OutcomeUnknownError, TemporarilyUnavailableError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

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

_FOR_GOOD = {
    "InvalidMessageContents",
    "InvalidParameterValue",
    "ItemCollectionSizeLimitExceededException",
    "SerializationException",
    "TransactionCanceledException",
    "ValidationException",
}
"""Refusals of what a request says, not of who sends it or when: the same one again would be refused again."""

_READS = ("GetItem", "Query", "BatchGetItem")
"""What they cannot say is a fault of the table that they are sent to: another one may be put in its place."""

_FRAMES = 15
"""How many calls a log line has that led to a request: from the handler on, in most commands."""

_HELD_UP = "AWS refuses to serve this endpoint; whoever runs it is told. Send the same alert again; it is safe."
_REFUSED = (
    "AWS refused to write this, and would refuse it again: it is not done. Look at your orders before you send another "
    "alert; whoever runs this endpoint is told."
)


@overload
def connect(service: Literal["dynamodb"], **options: Any) -> "DynamoDBClient": ...
@overload
def connect(service: Literal["sqs"], **options: Any) -> "SQSClient": ...
@overload
def connect(service: Literal["scheduler"], **options: Any) -> "EventBridgeSchedulerClient": ...
@overload
def connect(service: Literal["sns"], **options: Any) -> "SNSClient": ...
@overload
def connect(service: Literal["ssm"], **options: Any) -> "SSMClient": ...
def connect(
    service: Literal["dynamodb", "sqs", "scheduler", "sns", "ssm"],
    *,
    read_seconds: float = READ_SECONDS,
    **options: Any,
) -> object:
    """Return the client that a function keeps for its life; `options` are boto3's, such as endpoint_url."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        # Legacy mode has DynamoDB's own schedule, 50 ms and doubling; standard mode may wait a second at once. And only
        # legacy mode compares DynamoDB's checksums: without that, half an answer is taken for a whole one.
        retries={"mode": "legacy", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        max_pool_connections=CONNECTIONS,
    )
    # Where all is logged, it would log each answer; SSM's has the URL of the outgoing webhook.
    logging.getLogger("botocore.parsers").setLevel(logging.INFO)
    client: Any = boto3.client(service, config=config, **options)
    events = client.meta.events
    events.register_first(f"before-send.{service}", _before_send)
    events.register_first(f"needs-retry.{service}", _retry_conflict if service == "dynamodb" else _retry_soon)
    events.register_first(f"needs-retry.{service}", _give_up)
    events.register(f"response-received.{service}", _note_attempt)
    for write in _WRITES:
        events.register(f"response-received.{service}.{write}", _note_write_refused)
    return client


def send(request: Callable[..., Any], **arguments: Any) -> Any:
    """Send a request, and note on the budget what it met if it is given up.

    Raises ClientError for an answer that the caller understands, such as that a condition did not hold,
    OutcomeUnknownError for a write that would be refused again, and TemporarilyUnavailableError for everything else:
    what passes by itself, and what an operator can mend.
    """
    operation = _operation(request)
    try:
        return request(**arguments)
    except DeadlineError:
        budget.note(Fault(DeadlineError.__name__, operation))
        raise
    except (HTTPClientError, NoConnectionError, ChecksumError, OutOfTimeError) as error:
        raise _given_up(Fault(_met_before(error), operation)) from error
    except ClientError as error:
        if _is_answer(error):
            raise
        raise _given_up(Fault(_code(error.response), operation, passing=_passes(error.response))) from error
    except BotoCoreError as error:  # it was not sent: there are no credentials, say
        raise _given_up(Fault(type(error).__name__, operation, passing=False)) from error


def error_code(failure: BaseException) -> str:
    """Return AWS's code for what failed, or a class name; never a message, which may quote the payload."""
    cause = failure.__cause__ or failure
    return _code(cause.response) if isinstance(cause, ClientError) else type(cause).__name__


def _operation(request: Callable[..., Any]) -> str:
    """Return AWS's name of what a method of a client asks for: GetItem for get_item."""
    return request.__name__.title().replace("_", "")


def _given_up(fault: Fault) -> OrderhookError:
    """Note what a request met that is given up, and return the error that stands for it."""
    if fault.passing:
        budget.note(fault)
        return budget.unavailable(fault.reason)
    budget.note(fault._replace(stack=tuple(traceback.extract_stack(limit=_FRAMES))))
    if _is_for_good(fault):
        return OutcomeUnknownError(_REFUSED, extra={"reason": fault.reason})
    return TemporarilyUnavailableError(_HELD_UP)


def _is_answer(error: ClientError) -> bool:
    """Return whether a refusal is an answer to what was asked: a condition, or that there is such a schedule."""
    code = error.response["Error"]["Code"]
    reasons = set(cancellation_reasons(error.response))
    return code in ("ConditionalCheckFailedException", "ConflictException") or reasons == {"ConditionalCheckFailed"}


def _is_for_good(fault: Fault) -> bool:
    """Return whether a write would be refused again however often it is sent."""
    return fault.reason.partition(":")[0] in _FOR_GOOD and fault.operation not in _READS


def _passes(answer: Mapping[str, Any]) -> bool:
    return (
        answer["Error"]["Code"] in _THROTTLED | _CONFLICT
        or answer["ResponseMetadata"]["HTTPStatusCode"] >= 500
        or _is_cut_short(answer)
        or bool(_PASSING_REASONS & set(cancellation_reasons(answer)))
    )


def _code(answer: Mapping[str, Any]) -> str:
    """Return AWS's code of a refusal; of a cancelled transaction with those of its parts."""
    reasons = sorted(set(cancellation_reasons(answer)))
    return ": ".join(filter(None, (answer["Error"]["Code"], ", ".join(reasons))))


def _met_before(error: Exception) -> str:
    """Return what a request met: where there was no time left for another attempt, what the one before had met."""
    return error.met_before if isinstance(error, OutOfTimeError) else type(error).__name__


def cancellation_reasons(answer: Mapping[str, Any]) -> list[str]:
    """Return why the writes of a transaction were refused, leaving out those that were not."""
    return [reason["Code"] for reason in answer.get("CancellationReasons", []) if reason["Code"] != "None"]


# Hooks, which botocore calls with its own arguments


def _before_send(event_name: str, **_: object) -> None:
    if in_force := budget.current():
        in_force.check()
        in_force.count_in_doubt(event_name.endswith(_WRITES))


def _note_attempt(
    context: dict[str, Any], parsed_response: Mapping[str, Any] | None, exception: Exception | None, **_: object
) -> None:
    """Keep what one attempt met until the next: the context is that of all attempts of a request."""
    if isinstance(exception, OutOfTimeError):
        exception.met_before = context.get("orderhook_met", exception.met_before)
    elif exception:
        context["orderhook_met"] = type(exception).__name__
    elif parsed_response and "Error" in parsed_response:
        context["orderhook_met"] = _code(parsed_response)


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
