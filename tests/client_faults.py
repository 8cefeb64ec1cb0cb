"""Faults injected in a client's sender, and a record of what botocore's clients send to AWS.

It hooks into botocore where the signed request leaves: retries, time-outs and the reading of answers are the SDK's own.
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

from orderhook.aws.budget import CONNECT_SECONDS, READ_SECONDS
from tests.clock import Clock
from tests.faults import (
    Fault,
    Meanwhile,
    Refusal,
    Stopped,
    no_fault,
)

if TYPE_CHECKING:
    from botocore.client import BaseClient

REQUEST_SECONDS = 0.001
"""How long a request takes that meets no fault."""

Deliver = Callable[[AWSPreparedRequest], AWSResponse]
"""Bring a signed request to the table and return its answer, past the hooks of the client."""

Interception = Callable[[AWSPreparedRequest, Deliver], AWSResponse | None]
"""What a test does to a request of its own: answer it, raise what the network would, or let it through (None)."""


@dataclass(frozen=True)
class Selective:
    """A fault that only some requests meet."""

    fault: Fault
    meets: Callable[[AWSPreparedRequest], bool]


Injected = Fault | Selective | Interception


def in_writes(fault: Fault) -> Selective:
    """Inject a fault in writes alone: what is read before them gets through."""

    def is_write(request: AWSPreparedRequest) -> bool:
        target = request.headers.get("X-Amz-Target", "")
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        return operation not in ("GetItem", "Query", "BatchGetItem")

    return Selective(fault, is_write)


def in_requests_with(text: str, fault: Fault) -> Selective:
    """Inject a fault in those requests alone whose body contains this text."""
    return Selective(fault, lambda request: text in str(request.body))


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
    def is_key_use(self) -> bool:
        """Whether it notes when a key was used."""
        sort_key: str = self.payload.get("Key", {}).get("sk", {}).get("S", "")
        return self.operation == "UpdateItem" and sort_key.startswith("KEYUSE#")

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
class Network:
    """Record the requests of clients, and inject faults.

    The requests that write records of alerts, and when keys were used, are kept apart: what a test says of the others
    is about its command.
    """

    deliver: Deliver
    clock: Clock
    requests: list[Request] = field(default_factory=list)
    always: Injected = no_fault
    """What requests meet for which nothing else is planned."""
    records: list[Request] = field(default_factory=list)
    """The requests that write records of alerts."""
    records_meet: Injected = no_fault
    key_uses: list[Request] = field(default_factory=list)
    """The requests that note when keys were used."""
    key_uses_meet: Injected = no_fault
    _watched: list[Callable[[], None]] = field(default_factory=list)
    _next: dict[str, list[Injected]] = field(default_factory=dict)

    def watch(self, client: "BaseClient", deliver: Deliver | None = None) -> None:
        """Record what this client sends, and inject the faults there."""
        # After the client's own hook, which holds back what cannot be answered in time: that is never sent.
        hook: Any = partial(self._send, deliver or self.deliver)  # the stubs take no hook that answers
        sending = f"before-send.{client.meta.service_model.service_name}"
        client.meta.events.register_first(sending, hook)
        self._watched.append(partial(client.meta.events.unregister, sending, hook))

    def leave(self) -> None:
        """Leave all clients alone again."""
        for unregister in self._watched:
            unregister()
        self._watched.clear()

    def inject(self, operation: str, *faults: Injected) -> None:
        """Have the next requests for this operation meet these, one each; with none, forget those planned before."""
        self._next[operation] = list(faults)

    def forget(self) -> None:
        """Forget the requests so far."""
        self.requests.clear()
        self.records.clear()
        self.key_uses.clear()

    @property
    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]

    def _send(self, deliver: Deliver, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        assert request.body is None or isinstance(request.body, bytes)
        service, operation = event_name.split(".")[1:]
        sent = Request(service, operation, json.loads(request.body or "{}"))
        if sent.is_record:
            self.records.append(sent)
            fault = self.records_meet
        elif sent.is_key_use:
            self.key_uses.append(sent)
            fault = self.key_uses_meet
        else:
            self.requests.append(sent)
            planned = self._next.get(operation)
            fault = planned.pop(0) if planned else self.always
        answer = self._meet(fault, deliver, request)
        if answer is not None:
            # Moto hooks into the same place, and botocore asks both: it leaves alone what is not for AWS.
            request.url = "http://answered.already/"
        return answer

    def _meet(self, fault: Injected, deliver: Deliver, request: AWSPreparedRequest) -> AWSResponse | None:
        if isinstance(fault, Selective):
            fault = fault.fault if fault.meets(request) else no_fault
        if not isinstance(fault, Fault):
            self.clock.wait(REQUEST_SECONDS)
            return fault(request, deliver)
        self.clock.wait(_seconds(fault))
        return perform(fault, request, deliver)


def _seconds(fault: Fault) -> float:
    """Return how long a client waits for a request that meets this fault."""
    if fault.name == "block_connection":
        return CONNECT_SECONDS
    if fault.name in ("lose_request", "lose_response", "run_and_lose_response"):
        return READ_SECONDS
    return REQUEST_SECONDS


def perform(fault: Fault, request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
    """Answer a request in the table's place, or raise what the network would; None lets it through."""
    match fault:
        case Fault("no_fault"):
            return None
        case Refusal(body=body, status=status):
            headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"})
            return AWSResponse(request.url, status, headers, Raw(json.dumps(body).encode()))
        case Fault("cut_refusal"):
            return AWSResponse(request.url, 400, HTTPHeaders(), Raw(b'{"__type":"com.amaz'))
        case Fault("refuse_connection"):
            raise EndpointConnectionError(endpoint_url=request.url)
        case Fault("block_connection"):
            raise ConnectTimeoutError(endpoint_url=request.url)
        case Fault("lose_request"):
            raise ReadTimeoutError(endpoint_url=request.url)
        case Fault("lose_response"):
            deliver(request)
            raise ReadTimeoutError(endpoint_url=request.url)
        case Fault("cut_response"):
            return _cut(request, deliver(request))
        case Fault("stop_before"):
            raise Stopped
        case Fault("stop_after"):
            deliver(request)
            raise Stopped
        # What happens meanwhile is another function's doing: the alert on its way knows nothing of it.
        case Meanwhile("run_before", action):
            Context().run(action)
            return None
        case Meanwhile("run_and_lose_response", action):
            deliver(request)
            Context().run(action)
            raise ReadTimeoutError(endpoint_url=request.url)
    raise ValueError(f"{fault} cannot be injected in a client's sender")


def _cut(request: AWSPreparedRequest, answer: AWSResponse) -> AWSResponse:
    whole = answer.content
    # The checksum is DynamoDB's; moto leaves it out. Without one, botocore takes half an answer for a whole one.
    headers = HTTPHeaders.from_pairs([*answer.headers.items(), ("x-amz-crc32", str(crc32(whole)))])
    return AWSResponse(request.url, answer.status_code, headers, Raw(whole[: len(whole) // 2]))


class Raw(BytesIO):
    """The body of an answer as botocore reads it."""

    def stream(self, **_: object) -> list[bytes]:
        return [self.read()]
