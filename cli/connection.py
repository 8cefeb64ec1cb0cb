"""Where a command finds its table and its webhook: in the local server, at another address, or in a stack on AWS."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from bridge.link import Clock
from cli.aws_errors import is_missing_stack, told
from orderhook.aws.doorbell import Doorbell
from orderhook.errors import OutcomeUnknownError, TemporarilyUnavailableError
from orderhook.services import Services
from orderhook.store.table import Table
from orderhook.venues import NINJATRADER, TABLE

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_dynamodb import DynamoDBClient

LOCAL_PORT = 3000
LOCAL_ENDPOINT = f"http://127.0.0.1:{LOCAL_PORT}"
LOCAL_TABLE = "orderhook"
ROUTE = "/webhook"

PORT_VARIABLE = "ORDERHOOK_PORT"
"""The environment variable that gives the local server another port: to the server, and to who looks for it."""

ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
"""The environment variables that give every AWS tool another endpoint."""

RETENTION, RECORD_RETENTION = timedelta(days=30), timedelta(days=90)
"""The template's, for a table that is named without its stack."""

NO_SERVER = "Start the local server with `make run`, or say where it is: --port for another port, --stack for AWS."

_PATIENT = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})


aws_clock = Clock(datetime.now(UTC))
"""The time by which this process signs what it writes: this machine's, unless an answer of the table contradicts it.

A switch turned by a clock that is ahead would void what comes in after it, and by one that is behind spare what waits.
"""


class TableError(Exception):
    """The table or its stack cannot be reached or used; the message says why and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class TableAddress:
    """A table and the endpoint that serves it; without an endpoint, AWS in the region of the environment."""

    table: str
    endpoint: str | None = None
    in_memory: bool = False
    """Whether it is the memory of the local server; other processes reach it at the local server's endpoint."""
    of_server: bool = field(default=False, compare=False)
    """Whether the endpoint is where the local server should be."""
    doorbell_url: str | None = field(default=None, compare=False)
    """Of a stack with a venue, the queue that tells its bridge to look."""
    retention: timedelta = field(default=RETENTION, compare=False)
    """How long a finished order is kept; of a stack as its parameter says."""
    record_retention: timedelta = field(default=RECORD_RETENTION, compare=False)
    """Likewise, the record of what an operator does."""

    def __str__(self) -> str:
        if self.in_memory:
            return f"table {self.table} in memory"
        return f"table {self.table} {f'at {self.endpoint}' if self.endpoint else 'on AWS'}"

    @property
    def is_local(self) -> bool:
        """Whether the table is certainly not on AWS, so that it may be created and the demo written into it."""
        if self.in_memory:
            return True
        host = urlsplit(self.endpoint or "").hostname
        return host is not None and not host.endswith(("amazonaws.com", "amazonaws.com.cn", ".api.aws"))


IN_MEMORY = TableAddress(LOCAL_TABLE, in_memory=True)


def find_table(
    table: str | None,
    stack: str | None,
    endpoint: str | None,
    port: int | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> TableAddress:
    """Return the address of a stack's table, of a table by its name, or else of the local server's table.

    What is given goes before the environment. Raises TableError if the arguments contradict each other or are not
    valid, or if the stack cannot be read.
    """
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise TableError(f"The endpoint {endpoint!a} is not a URL; give one such as {LOCAL_ENDPOINT}.")
    _check_one_of(table=table, stack=stack)
    _check_one_of(port=port, stack=stack)
    _check_one_of(port=port, endpoint_url=endpoint)
    if not (table or stack or endpoint):
        port = port if port is not None else port_of(environment)
    if port is not None:
        return TableAddress(table or LOCAL_TABLE, local_endpoint(port), of_server=True)
    endpoint = endpoint or next(filter(None, map(environment.get, ENDPOINT_VARIABLES)), None)
    if stack:
        return _table_of(stack, endpoint)
    if table or endpoint:
        return TableAddress(table or LOCAL_TABLE, endpoint)
    return TableAddress(LOCAL_TABLE, LOCAL_ENDPOINT, of_server=True)


def _table_of(stack: str, endpoint: str | None) -> TableAddress:
    described = _describe(stack)
    outputs, parameters = _outputs(described), _parameters(described)
    return TableAddress(
        _output(outputs, stack, "TableName"),
        endpoint,
        doorbell_url=outputs.get("DoorbellUrl"),
        retention=timedelta(days=int(parameters.get("RetentionDays", RETENTION.days))),
        record_retention=timedelta(days=int(parameters.get("AlertRetentionDays", RECORD_RETENTION.days))),
    )


def find_webhook(
    url: str | None, stack: str | None, port: int | None, environment: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Return the URL to send alerts to: the one that is given, a stack's, or else the local server's."""
    _check_one_of(url=url, stack=stack, port=port)
    if stack:
        return stack_output(stack, "WebhookUrl")
    if url:
        return url
    port = port if port is not None else port_of(environment)
    return local_endpoint(LOCAL_PORT if port is None else port) + ROUTE


def _check_one_of(**given: object) -> None:
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise TableError(f"{names[0]} and {names[1]} are both given; give only one of them.")


def port_of(environment: Mapping[str, str]) -> int | None:
    """Return the local server's port as the environment has it; raises TableError if it is not one."""
    text = environment.get(PORT_VARIABLE)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise TableError(f"{PORT_VARIABLE} is {text!a}, which is not a port; set it to a number such as {LOCAL_PORT}.")
    return int(text)


def local_endpoint(port: int) -> str:
    """Return the address of the local server at a port; raises TableError if it cannot be one."""
    if not 1 <= port <= 65535:
        raise TableError(f"{port} is not a port; give a number from 1 to 65535, such as {LOCAL_PORT}.")
    return f"http://127.0.0.1:{port}"


def stack_output(stack: str, name: str) -> str:
    """Return an output of a deployed stack; raises TableError if it cannot be read or is not orderhook's."""
    return _output(stack_outputs(stack), stack, name)


def stack_outputs(stack: str) -> dict[str, str]:
    """Return the outputs of a deployed stack, by their names; raises TableError if it cannot be read."""
    return _outputs(_describe(stack))


def stack_parameter(stack: str, name: str) -> str:
    """Return a parameter of a deployed stack; raises TableError if it cannot be read or is not orderhook's."""
    parameters = stack_parameters(stack)
    if name not in parameters:
        raise TableError(f"Stack {stack} has no parameter {name}, so it is older, or not orderhook's.")
    return parameters[name]


def stack_parameters(stack: str) -> dict[str, str]:
    """Return the parameters of a deployed stack, by their names; raises TableError if it cannot be read."""
    return _parameters(_describe(stack))


def _outputs(stack: "StackTypeDef") -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _parameters(stack: "StackTypeDef") -> dict[str, str]:
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}


def _describe(stack: str) -> "StackTypeDef":
    if "://" in stack:  # which may be a secret
        raise TableError("A stack has a name, such as orderhook: give that, not a URL.")
    try:
        return boto3.client("cloudformation", config=_PATIENT).describe_stacks(StackName=stack)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise unreadable_stack(stack, error) from error


def unreadable_stack(stack: str, error: BotoCoreError | ClientError) -> TableError:
    """Return what to say of a stack that CloudFormation does not describe."""
    if is_missing_stack(error):
        return TableError(f"There is no stack {stack!a} in this account and region; see AWS_PROFILE and its region.")
    return TableError(f"Stack {stack} cannot be read: {told(error)}.")


def _output(outputs: Mapping[str, str], stack: str, name: str) -> str:
    if name not in outputs:
        raise TableError(f"Stack {stack} has no output {name}, so it is not orderhook's; give the name of one that is.")
    return outputs[name]


def local_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that sign requests to a local endpoint: the environment's, or made-up ones.

    DynamoDB Local keeps separate tables for each access key, so all commands must use the same one.
    """
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or "us-east-1"
    made_up = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": region}
    return {name: environment.get(name) or value for name, value in made_up.items()}


def connect(address: TableAddress, environment: Mapping[str, str]) -> Services:
    """Return the services over a table, by a client that waits longer than a Lambda may."""
    table = Table(client(address, environment), address.table)
    doorbell = Doorbell(address.doorbell_url, boto3.client("sqs", config=_PATIENT)) if address.doorbell_url else None
    venue = NINJATRADER if doorbell else TABLE
    return Services.over(
        table,
        retention=address.retention,
        alert_retention=address.record_retention,
        venue=venue,
        doorbell=doorbell,
    )


def client(address: TableAddress, environment: Mapping[str, str]) -> "DynamoDBClient":
    """Return a client that is patient: a person's own machine and network may be slow."""
    credentials: dict[str, Any] = {}
    if address.is_local:
        local = local_credentials(environment)
        credentials = {
            "region_name": local["AWS_DEFAULT_REGION"],
            "aws_access_key_id": local["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": local["AWS_SECRET_ACCESS_KEY"],
        }
    made: DynamoDBClient = boto3.client(
        "dynamodb",
        config=_PATIENT,
        endpoint_url=address.endpoint,
        **credentials,
    )
    made.meta.events.register("before-call.dynamodb", _note_sent)
    made.meta.events.register("after-call.dynamodb", _set_clock)
    return made


def _note_sent(context: dict[str, Any], **_: object) -> None:
    context["sent"] = time.monotonic()


def _set_clock(parsed: Mapping[str, Any], context: Mapping[str, Any], **_: object) -> None:
    aws_clock.set(parsed, context["sent"], time.monotonic())


@contextmanager
def _causes() -> Iterator[None]:
    """Raise what AWS refused with, in place of what an alert would be answered."""
    try:
        yield
    except (TemporarilyUnavailableError, OutcomeUnknownError) as error:
        raise error.__cause__ if isinstance(error.__cause__, BotoCoreError | ClientError) else error from None


@contextmanager
def explained_errors(address: TableAddress) -> Iterator[None]:
    """Turn what the SDK raises into a TableError that says what to do."""
    try:
        with _causes():
            yield
    except (TemporarilyUnavailableError, EndpointConnectionError, ConnectTimeoutError, HTTPClientError) as error:
        hint = f" {NO_SERVER}" if address.of_server else ""
        raise TableError(f"There is no answer from {address}.{hint}") from error
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise TableError(f"There is no {address}.") from error
        raise TableError(f"{address} cannot be used: {told(error)}.") from error
    except BotoCoreError as error:
        raise TableError(f"{address} cannot be used: {told(error)}.") from error
