"""What can befall a request to AWS: one name for each fault, whichever way it is injected.

`client_faults.py` injects them in a client's sender: no socket, no waiting. `fault_proxy.py` injects them in a proxy in
front of DynamoDB Local: real sockets, real time-outs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Fault:
    """A fault; two of the same name and values are the same."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Refusal(Fault):
    """DynamoDB answers with this error: nothing is written."""

    code: str
    status: int = 400
    message: str = "Injected by a test."
    reasons: tuple[str, ...] = ()
    """Of a cancelled transaction, item by item; "None" for an item that is not at fault."""

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{self.code}", "message": self.message}
        if self.reasons:
            body["CancellationReasons"] = [
                {"Code": reason} if reason == "None" else {"Code": reason, "Message": self.message}
                for reason in self.reasons
            ]
        return body


@dataclass(frozen=True)
class Delay(Fault):
    seconds: float


@dataclass(frozen=True)
class Meanwhile(Fault):
    """Something else happens at that moment."""

    action: Callable[[], object] = field(compare=False)


no_fault = Fault("no_fault")

refuse_connection = Fault("refuse_connection")
"""Nobody listens at the address."""
block_connection = Fault("block_connection")
"""Nothing comes back from the address: connecting times out."""

lose_request = Fault("lose_request")
"""The request never arrives: nothing is written."""
lose_response = Fault("lose_response")
"""What was asked is done, and the client does not know."""
cut_response = Fault("cut_response")
"""What was asked is done, and the connection ends in the middle of the answer."""
cut_refusal = Fault("cut_refusal")
"""DynamoDB refuses, and the connection ends before it said why."""
LEAVING_DONE = (lose_response, cut_response)
"""After these, what was asked is done, and nobody was told."""

stop_before = Fault("stop_before")
"""The function's process ends before the request has left."""
stop_after = Fault("stop_after")
"""What was asked is done, and the function's process ends before the answer is there."""


class Stopped(BaseException):
    """The function's process has ended: nothing catches this."""


def delay_request(seconds: float) -> Fault:
    """Hold the request back, then deliver it, even for a client that gave up: it takes effect late."""
    return Delay("delay_request", seconds)


def delay_response(seconds: float) -> Fault:
    """Do what was asked at once, and hold the answer back."""
    return Delay("delay_response", seconds)


def drip(seconds: float) -> Fault:
    """Answer byte by byte, with a pause before each: no single read lasts long enough for a read time-out."""
    return Delay("drip", seconds)


def run_before(action: Callable[[], object]) -> Fault:
    """Have something else happen just before the request arrives."""
    return Meanwhile("run_before", action)


def run_and_lose_response(action: Callable[[], object]) -> Fault:
    """Do what was asked, have something else happen, and lose the answer."""
    return Meanwhile("run_and_lose_response", action)


def refuse(code: str, status: int = 400, message: str = Refusal.message) -> Refusal:
    return Refusal(code, code, status, message)


def cancel_transaction(*reasons: str) -> Refusal:
    """Refuse a transaction for one reason per item; "None" for an item that is not at fault."""
    return Refusal(f"cancel_transaction({', '.join(reasons)})", "TransactionCanceledException", reasons=reasons)


throttle = Refusal("throttle", "ThrottlingException")
throttle_throughput = Refusal("throttle_throughput", "ProvisionedThroughputExceededException")
throttle_account = Refusal("throttle_account", "RequestLimitExceeded")
conflict = Refusal("conflict", "TransactionConflictException")
transaction_in_progress = Refusal("transaction_in_progress", "TransactionInProgressException")
internal_error = Refusal("internal_error", "InternalServerError", 500)
service_unavailable = Refusal("service_unavailable", "ServiceUnavailable", 503)
fail_condition = Refusal("fail_condition", "ConditionalCheckFailedException")
deny = Refusal("deny", "AccessDeniedException")
reject = Refusal("reject", "ValidationException")

PASSING: tuple[Fault, ...] = (
    throttle,
    throttle_throughput,
    throttle_account,
    conflict,
    internal_error,
    service_unavailable,
    refuse_connection,
    block_connection,
    lose_request,
    lose_response,
    cut_response,
    cut_refusal,
)
"""Faults that pass by themselves: who sends the same alert again gets through."""

every_fault = pytest.mark.parametrize("fault", PASSING, ids=str)

conflict_in_transaction = cancel_transaction("None", "TransactionConflict")

PASSING_IN_TRANSACTIONS: tuple[Fault, ...] = (
    conflict_in_transaction,
    cancel_transaction("ThrottlingError", "None"),
    cancel_transaction("None", "ProvisionedThroughputExceeded"),
    cancel_transaction("ConditionalCheckFailed", "TransactionConflict"),
    cancel_transaction("ThrottlingError", "ConditionalCheckFailed"),
)
"""Transactions that are cancelled for a reason that passes, beside others."""
