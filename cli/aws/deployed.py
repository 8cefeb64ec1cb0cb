"""What a stack runs, for a console on somebody's own machine: its settings, and what these credentials may do there."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cli import connection
from cli.aws_errors import is_refused, told
from cli.connection import TableAddress, TableError
from orderhook.aws.deferred import Deferred
from orderhook.console.visit import Deployment
from orderhook.errors import OrderhookError, UnsupportedValueError
from orderhook.messages import DelayedAlert, Release
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store import items
from orderhook.store.writes import Check, ConditionFailed, Put, TransactionFailed, Update

FUNCTION, ALIAS = "WebhookFunction", "live"
"""Whose settings these are: those of the version that alerts are answered by."""

CLOCK_IS_OFF = timedelta(seconds=5)
"""What is signed by such a clock could void what came in after it, or spare what waits."""

_NEVER = "attribute_exists(pk) AND attribute_not_exists(pk)"
"""A condition that holds for nothing: what is written under it is only asked for."""


class _WithoutDelays(Deferred):
    """The queue and the schedules of a stack, whose queue takes messages of its own functions alone."""

    def send(self, message: DelayedAlert | Release, seconds: int) -> None:  # noqa: ARG002
        """Raise UnsupportedValueError."""
        raise UnsupportedValueError(
            "A console on your own machine cannot delay an alert, because the stack's queue takes only what its own "
            "functions send. Take the delay out.",
            field="delay",
        )


def find(
    stack: str, services: Services, address: TableAddress, trader: str, environment: Mapping[str, str]
) -> tuple[Services, Deployment]:
    """Return a stack's services by its own settings, and what the console says of it.

    It is read-only where its version, a permission or this machine's clock does not allow more. Raises TableError if
    its settings are none that this version understands.
    """
    problems = []
    try:
        settings = _settings(stack)
    except _NotAllowedError as refusal:
        problems.append(str(refusal))
    else:
        services = _services(settings, address, environment)
        problems += [*_of_version(settings)]
    problems += [*_of_permissions(services, trader), *_of_clock()]
    return services, Deployment(
        stack,
        services.table.client.meta.region_name,
        read_only_because=" ".join(problems) or None,
        command_options=f"--stack {stack}",
    )


class _NotAllowedError(Exception):
    """These credentials may not ask for it; the message says so."""


def _settings(stack: str) -> Settings:
    try:
        variables = _variables(stack)
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and is_refused(error):
            raise _NotAllowedError(_sentence(error)) from None
        raise TableError(f"The settings of stack {stack} cannot be read: {told(error)}.") from error
    try:
        return Settings.from_environment(variables)
    except (KeyError, ValueError) as error:
        raise TableError(
            f"Stack {stack} has settings that orderhook {version('orderhook')} does not understand ({error}); install "
            "the version that the stack runs."
        ) from None


def _variables(stack: str) -> Mapping[str, str]:
    found = boto3.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=FUNCTION)
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    configured: Any = boto3.client("lambda").get_function_configuration(FunctionName=name, Qualifier=ALIAS)
    variables: Mapping[str, str] = configured["Environment"]["Variables"]
    return variables


def _services(settings: Settings, address: TableAddress, environment: Mapping[str, str]) -> Services:
    """Return the services by the stack's settings, which its outputs and parameters do not all tell."""
    there = replace(
        address,
        table=settings.table,
        doorbell_url=settings.doorbell_url,
        retention=settings.retention,
        record_retention=settings.alert_retention,
    )
    deferred = _WithoutDelays(settings.deferred) if settings.deferred else None
    return connection.connect(there, environment)._replace(venue=settings.venue, deferred=deferred)


def _of_version(settings: Settings) -> Iterator[str]:
    here = version("orderhook")
    if settings.version != here:
        there = f"orderhook {settings.version}" if settings.version else "an older orderhook"
        yield f"The stack runs {there}, and this is {here}: use the version that the stack runs, or deploy this one."


def _of_permissions(services: Services, trader: str) -> Iterator[str]:
    """Yield what keeps these credentials from doing what the console can do; asked for by writes that never hold."""
    controls, record = items.controls_key(trader), items.alert_key(trader, "permission")
    table = services.table
    asked = (
        lambda: table.update(Update(controls, "SET #permission = :asked", _NEVER, {":asked": True})),
        lambda: table.put(Put(record, _NEVER)),
        lambda: table.transact([Check(controls, _NEVER, {})]),
    )
    missing: dict[str, None] = {}
    for ask in asked:
        with suppress(ConditionFailed, TransactionFailed):
            try:
                ask()
            except OrderhookError as error:
                cause = error.__cause__
                if not (isinstance(cause, ClientError) and is_refused(cause)):
                    raise
                missing[_sentence(cause)] = None
    yield from missing


def _of_clock() -> Iterator[str]:
    off = abs(connection.aws_clock.now() - datetime.now(UTC))
    if off > CLOCK_IS_OFF:
        yield f"This machine's clock is {off.total_seconds():.0f} s off; set it."


def _sentence(error: ClientError) -> str:
    text = told(error)
    return f"{text[0].upper()}{text[1:]}."


def what_to_do(failure: BaseException) -> str | None:
    """Return what somebody can do about AWS's refusal, such as of credentials that have expired; None of any other."""
    cause = failure.__cause__
    if not isinstance(cause, BotoCoreError | ClientError):
        return None
    text = told(cause)
    return (
        f"{text[0].upper()}{text[1:]}. Then load this page again; if it still says so, start `orderhook console` again."
    )
