"""Which table a command works on (the local server's, one at another endpoint, or one on AWS), and how to reach it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
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

from orderhook.errors import OutcomeUnknownError, TemporarilyUnavailableError
from orderhook.services import Services
from orderhook.store.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOCAL_ENDPOINT = "http://127.0.0.1:3000"
LOCAL_TABLE = "orderhook"

_PATIENT = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
_RETENTION = timedelta(days=30)


class TableError(Exception):
    """The table cannot be reached or used; the message says why and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class TableAddress:
    """A table and the endpoint that serves it; without an endpoint, AWS in the region of the environment."""

    table: str
    endpoint: str | None = None
    in_memory: bool = False
    """Whether it is the memory of the local server; other processes reach it at the local server's endpoint."""

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


def find_table(table: str | None, stack: str | None, endpoint: str | None) -> TableAddress:
    """Return the address of a stack's table, of a table by its name, or else of the local server's table.

    Raises TableError if the arguments contradict each other or are not valid, or if the stack cannot be read.
    """
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise TableError(f"The endpoint {endpoint!a} is not a URL; give one such as {LOCAL_ENDPOINT}.")
    if table and stack:
        raise TableError("--table and --stack are both given; give only one of them.")
    if stack:
        return TableAddress(_table_of_stack(stack), endpoint)
    if table:
        return TableAddress(table, endpoint)
    return TableAddress(LOCAL_TABLE, endpoint or LOCAL_ENDPOINT)


def _table_of_stack(stack: str) -> str:
    try:
        stacks = boto3.client("cloudformation", config=_PATIENT).describe_stacks(StackName=stack)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise TableError(f"Stack {stack} cannot be read: {error}") from error
    for output in stacks[0].get("Outputs", []):
        if output.get("OutputKey") == "TableName":
            return output["OutputValue"]
    raise TableError(f"Stack {stack} has no output TableName, so it is not orderhook's; give the name of one that is.")


def local_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that sign requests to a local endpoint: the environment's, or made-up ones.

    DynamoDB Local keeps separate tables for each access key, so all commands must use the same one.
    """
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or "us-east-1"
    made_up = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": region}
    return {name: environment.get(name) or value for name, value in made_up.items()}


def connect(address: TableAddress, environment: Mapping[str, str]) -> Services:
    """Return the services over a table, by a client that waits longer than a Lambda may.

    Records of alerts are only read by them: the functions write those.
    """
    table = Table(client(address, environment), address.table)
    return Services.over(table, retention=_RETENTION, alert_retention=timedelta(0))


def client(address: TableAddress, environment: Mapping[str, str]) -> "DynamoDBClient":
    """Return a client that is patient: a person's own machine and network may be slow."""
    if not address.is_local:
        return boto3.client("dynamodb", config=_PATIENT, endpoint_url=address.endpoint)
    credentials = local_credentials(environment)
    return boto3.client(
        "dynamodb",
        config=_PATIENT,
        endpoint_url=address.endpoint,
        region_name=credentials["AWS_DEFAULT_REGION"],
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
    )


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
        hint = " Is `orderhook serve` running?" if address.endpoint == LOCAL_ENDPOINT else ""
        raise TableError(f"There is no answer from {address}.{hint}") from error
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise TableError(f"There is no {address}.") from error
        raise TableError(f"{address} cannot be used: {error}") from error
    except BotoCoreError as error:
        raise TableError(f"{address} cannot be used: {error}") from error
