"""What botocore clients send to AWS, request by request, and faults put in the place of answers.

It hangs into botocore where the signed request leaves: retries, time-outs and the reading of answers are the SDK's own.
"""

import json
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zlib import crc32

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

if TYPE_CHECKING:
    from botocore.client import BaseClient

Deliver = Callable[[AWSPreparedRequest], AWSResponse]
"""Bring a signed request there and return its answer, past everything that hangs into the client."""

Fault = Callable[[AWSPreparedRequest, Deliver], AWSResponse | None]
"""Answer a request in the table's place, or raise what the network would; None lets the request through."""


def answering(status: int, code: str, *reasons: str, message: str = "made by a test") -> Fault:
    """Have the table refuse with an error; `reasons` are those of a cancelled transaction, item by item."""
    body: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    if reasons:
        body["CancellationReasons"] = [{"Code": reason} for reason in reasons]

    def answer(request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
        headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, status, headers, _Raw(json.dumps(body).encode()))

    return answer


def through(_: AWSPreparedRequest, __: Deliver) -> None:
    """Let the request through."""


def nobody_listens(request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
    """Let nobody listen at the table's address."""
    raise EndpointConnectionError(endpoint_url=request.url)


def unreachable(request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
    """Let nothing come back from the table's address."""
    raise ConnectTimeoutError(endpoint_url=request.url)


def lost_before_commit(request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
    """Lose the request on its way."""
    raise ReadTimeoutError(endpoint_url=request.url)


def lost_after_commit(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse:
    """Have the request done, and lose the answer."""
    deliver(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def in_writes(fault: Fault) -> Fault:
    """Put a fault in the way of writes alone: what is read before them gets through."""

    def put(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
        target = request.headers.get("X-Amz-Target", "")
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        return None if operation in ("GetItem", "Query") else fault(request, deliver)

    return put


def preceded(by: Callable[[], object]) -> Fault:
    """Have something else happen just before the request goes through."""

    def fault(_: AWSPreparedRequest, __: Deliver) -> None:
        Context().run(by)  # to the alert on its way this is another function's doing

    return fault


def overtaken(by: Callable[[], object]) -> Fault:
    """Have the request done, something else happen, and lose the answer."""

    def fault(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse:
        deliver(request)
        Context().run(by)
        raise ReadTimeoutError(endpoint_url=request.url)

    return fault


class Died(BaseException):
    """The process has ended: nothing catches this."""


def dies(_: AWSPreparedRequest, __: Deliver) -> AWSResponse:
    """End the process before the request has left."""
    raise Died


def dies_after_commit(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse:
    """Have the request done, and end the process before the answer is there."""
    deliver(request)
    raise Died


def cut_short(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse:
    """Have the request done, and end the connection in the middle of the answer."""
    answer = deliver(request)
    whole = answer.content
    # The checksum is DynamoDB's; moto leaves it out. Without one, botocore takes half an answer for a whole one.
    headers = HTTPHeaders.from_pairs([*answer.headers.items(), ("x-amz-crc32", str(crc32(whole)))])
    return AWSResponse(request.url, answer.status_code, headers, _Raw(whole[: len(whole) // 2]))


COMMITTED: tuple[Fault, ...] = (lost_after_commit, cut_short)
"""Faults after which what was asked is done, and nobody was told."""


def refusal_cut_short(request: AWSPreparedRequest, _: Deliver) -> AWSResponse:
    """Have the table refuse, and end the connection before it said why."""
    return AWSResponse(request.url, 400, HTTPHeaders(), _Raw(b'{"__type":"com.amaz'))


class _Raw(BytesIO):
    def stream(self, **_: object) -> list[bytes]:
        return [self.read()]


@dataclass(frozen=True)
class Request:
    service: str
    operation: str
    payload: Mapping[str, Any]

    @property
    def is_record(self) -> bool:
        """Whether it writes the record of an alert."""
        partition: str = self.payload.get("Item", {}).get("pk", {}).get("S", "")
        return partition.startswith("ALERTS#")

    @property
    def actions(self) -> set[str]:
        """What IAM asks for: a transaction needs the permission of each of its parts and none of its own."""
        if self.operation == "TransactWriteItems":
            return {f"dynamodb:{part}Item" for item in self.payload["TransactItems"] for part in item}
        passed = {"iam:PassRole"} if self.operation == "CreateSchedule" else set()  # a schedule is given its role
        return {f"{self.service}:{self.operation}"} | passed

    @property
    def writes(self) -> list[Mapping[str, Any]]:
        """The parameters of each item that it writes."""
        if self.operation == "TransactWriteItems":
            return [write for item in self.payload["TransactItems"] for write in item.values()]
        return [self.payload] if self.operation in ("PutItem", "UpdateItem", "DeleteItem") else []


@dataclass
class Wire:
    """Record the requests of clients, and put faults in the place of their answers.

    The one that writes the record of an alert is kept apart: what a test says of the others is about its command.
    """

    deliver: Deliver
    requests: list[Request] = field(default_factory=list)
    always: Fault | None = None
    records: list[Request] = field(default_factory=list)
    """The requests that write records of alerts."""
    records_meet: Fault | None = None
    _watched: list[Callable[[], None]] = field(default_factory=list)
    _next: dict[str, list[Fault]] = field(default_factory=dict)

    def watch(self, client: "BaseClient", deliver: Deliver | None = None) -> None:
        # After the client's own hook, which holds back what cannot be answered in time: that is never sent.
        hook: Any = partial(self._send, deliver or self.deliver)  # the stubs take no hook that answers
        sending = f"before-send.{client.meta.service_model.service_name}"
        client.meta.events.register_first(sending, hook)
        self._watched.append(partial(client.meta.events.unregister, sending, hook))

    def leave(self) -> None:
        for unregister in self._watched:
            unregister()
        self._watched.clear()

    def fault_at(self, operation: str, *faults: Fault) -> None:
        """Put these in the way of the next requests for this operation, one each."""
        self._next[operation] = list(faults)

    @property
    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]

    def _send(self, deliver: Deliver, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        assert isinstance(request.body, bytes)
        payload = json.loads(request.body)
        service, operation = event_name.split(".")[1:]
        made = Request(service, operation, payload)
        if made.is_record:
            self.records.append(made)
            fault = self.records_meet
        else:
            self.requests.append(made)
            following = self._next.get(operation)
            fault = following.pop(0) if following else self.always
        answer = fault(request, deliver) if fault else None
        if answer is not None:
            # Moto hangs into the same place, and botocore asks both: it leaves alone what is not for AWS.
            request.url = "http://answered.already/"
        return answer
