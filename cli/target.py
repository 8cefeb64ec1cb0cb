"""Which table a command speaks to: the local server's, one at another endpoint, or one on AWS."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3  # noqa: TID251  a person's own machine needs more patience than a Lambda, and CloudFormation too
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from orderhook.errors import TemporarilyUnavailableError
from orderhook.store.alert_log import AlertLog
from orderhook.services import Services
from orderhook.store.controls import Controls

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOCAL_ENDPOINT = "http://127.0.0.1:3000"
LOCAL_TABLE = "orderhook"

_PATIENCE = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
_RETENTION = timedelta(days=30)


class TargetError(Exception):
    """The table cannot be reached or used; the message says what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Target:
    """A table and the endpoint that serves it; without one, AWS in the region of the environment."""

    table: str
    endpoint: str | None = None
    in_memory: bool = False
    """Whether it is the local run's own, which other processes reach at the local run's address."""

    def __str__(self) -> str:
        if self.in_memory:
            return f"table {self.table} in memory"
        return f"table {self.table} {f'at {self.endpoint}' if self.endpoint else 'on AWS'}"

    @property
    def is_local(self) -> bool:
        """Tell whether this is surely no table on AWS, so that it may be made and seeded."""
        if self.in_memory:
            return True
        host = urlsplit(self.endpoint or "").hostname
        return host is not None and not host.endswith(("amazonaws.com", "amazonaws.com.cn", ".api.aws"))


IN_MEMORY = Target(LOCAL_TABLE, in_memory=True)


def choose(table: str | None, stack: str | None, endpoint: str | None) -> Target:
    """Return what the options name: a stack's table, a table, or else the local server's.

    Raises TargetError when they contradict each other, make no sense, or the stack cannot be read.
    """
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise TargetError(f"The endpoint must be a URL such as {LOCAL_ENDPOINT}.")
    if table and stack:
        raise TargetError("Give --table or --stack, not both.")
    if stack:
        return Target(_table_of_stack(stack), endpoint)
    if table:
        return Target(table, endpoint)
    return Target(LOCAL_TABLE, endpoint or LOCAL_ENDPOINT)


def _table_of_stack(stack: str) -> str:
    try:
        stacks = boto3.client("cloudformation", config=_PATIENCE).describe_stacks(StackName=stack)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise TargetError(f"Stack {stack} cannot be read: {error}") from error
    for output in stacks[0].get("Outputs", []):
        if output.get("OutputKey") == "TableName":
            return output["OutputValue"]
    raise TargetError(f"Stack {stack} has no output TableName: is it orderhook's?")


def local_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a signature for a local endpoint needs: the environment's, or made-up ones.

    DynamoDB Local keeps the tables of each access key apart, so every command has to come with the same.
    """
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or "us-east-1"
    made_up = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": region}
    return {name: environment.get(name) or value for name, value in made_up.items()}


def connect(target: Target, environment: Mapping[str, str]) -> "DynamoDBClient":
    """Make a client that is patient enough for a person's own machine."""
    if not target.is_local:
        return boto3.client("dynamodb", config=_PATIENCE, endpoint_url=target.endpoint)
    credentials = local_credentials(environment)
    return boto3.client(
        "dynamodb",
        config=_PATIENCE,
        endpoint_url=target.endpoint,
        region_name=credentials["AWS_DEFAULT_REGION"],
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
    )


def services(target: Target, environment: Mapping[str, str]) -> Services:
    """Return the target's order book."""
    return OrderBook(connect(target, environment), target.table, _RETENTION)


def alert_log(target: Target, environment: Mapping[str, str]) -> AlertLog:
    """Return the target's records of alerts, to be read: the function alone writes them."""
    return AlertLog(connect(target, environment), target.table, retention=timedelta(0))


def controls(target: Target, environment: Mapping[str, str]) -> Controls:
    """Return the controls in the target's table."""
    return Controls(connect(target, environment), target.table)


@contextmanager
def explained(target: Target) -> Iterator[None]:
    """Turn what the SDK raises into a TargetError that says what to do."""
    try:
        yield
    except (TemporarilyUnavailableError, EndpointConnectionError, ConnectTimeoutError, HTTPClientError) as error:
        hint = " Is `orderhook serve` running?" if target.endpoint == LOCAL_ENDPOINT else ""
        raise TargetError(f"There is no answer from {target}.{hint}") from error
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise TargetError(f"There is no {target}.") from error
        raise TargetError(f"{target} cannot be used: {error}") from error
    except BotoCoreError as error:
        raise TargetError(f"{target} cannot be used: {error}") from error
