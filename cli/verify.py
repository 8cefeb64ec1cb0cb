"""`orderhook verify`: check a deployed stack, from the address of the webhook to who hears of an alarm."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.aws_errors import told
from cli.checks import (
    Finding,
    Findings,
    Way,
    check_alarms,
    check_endpoint,
    check_key,
    check_round_trip,
    check_schedule,
    check_status,
    check_table,
    check_ways,
)
from cli.connection import unreadable_stack
from cli.options import AsJson, examples
from cli.send import key_option
from cli.terminal import BAD, GOOD, REFUSED, WARNING, fail, print_json, print_text, printable
from orderhook.errors import TemporarilyUnavailableError
from orderhook.notifying.channels import EMAIL, url_parameter
from orderhook.services import Services
from orderhook.store.table import Table

EXAMPLES = examples("orderhook verify --stack orderhook")

_PATIENT = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
_LOOKED_AT = 20
"""Messages; of each way the last of them counts."""

_STYLES = {"ok": GOOD, "warning": WARNING, "failed": BAD}


def verify(
    stack: Annotated[str, typer.Option("--stack", metavar="NAME", help="The name of a deployed stack.")],
    key: Annotated[str | None, key_option("The key to try. Better give it in ORDERHOOK_KEY; it is not shown.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check that a deployed stack can do its work.

    It looks at the endpoint, the table, your key, the whole way of an alert, the alarms, and at who is told of what
    needs a person. It changes nothing but for the record of the one alert that it sends with your key, a CANCEL of an
    order that does not exist. The exit code is 1 if something has failed; warnings leave it 0.
    """
    findings: list[Finding] = []
    for finding in check_stack(stack, key):
        findings.append(finding)
        if not as_json:
            print_text(
                printable(f"{finding.result:<8} {finding.about:<9} {finding.detail}"),
                _STYLES[finding.result],
                hanging=19,
            )
    if as_json:
        print_json([finding._asdict() for finding in findings])
    if any(finding.result == "failed" for finding in findings):
        raise typer.Exit(REFUSED)


@dataclass(frozen=True, slots=True)
class _Stack:
    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    alarms: Sequence[str]
    schedule: str | None
    """The name of the schedule by which it looks what there is to tell, and of its group."""
    schedule_group: str | None

    @property
    def url(self) -> str:
        return self.outputs["WebhookUrl"]

    @property
    def table(self) -> str:
        return self.outputs["TableName"]


def check_stack(name: str, secret: str | None) -> Findings:
    """Yield what every check of a stack finds; one that may not look says so, and the others go on."""
    try:
        stack = _read(name)
    except (BotoCoreError, ClientError) as error:
        fail(str(unreadable_stack(name, error)))
    if not stack.outputs.keys() >= {"WebhookUrl", "TableName"}:
        fail(f"Stack {name} has no outputs WebhookUrl and TableName, so it is not orderhook's.")
    services = _services(stack)
    yield from check_status(stack.status)
    endpoint = list(check_endpoint(stack.url))
    yield from endpoint
    yield from _guarded("table", lambda: _look_at_table(stack))
    key = list(_guarded("key", lambda: check_key(services, secret)))
    yield from key
    if secret and all(finding.result == "ok" for finding in (*endpoint, *key)):
        keeps_records = stack.parameters.get("AlertRetentionDays") != "0"
        sent = partial(check_round_trip, name, stack.url, services, secret, keeps_records=keeps_records)
        yield from _guarded("alert", sent)
    yield from _guarded("alarms", lambda: _look_at_alarms(stack))
    yield from _guarded("notify", lambda: _look_at_notify(stack, services))


def _guarded(about: str, check: Callable[[], Findings]) -> Findings:
    try:
        yield from check()
    except (BotoCoreError, ClientError) as error:
        yield Finding("failed", about, f"cannot be looked at: {told(error)}")
    except TemporarilyUnavailableError as error:
        yield Finding("failed", about, f"cannot be looked at: {error.detail}")


def _read(name: str) -> _Stack:
    client = boto3.client("cloudformation", config=_PATIENT)
    [stack] = client.describe_stacks(StackName=name)["Stacks"]
    pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    by_name = {it["LogicalResourceId"]: it.get("PhysicalResourceId") for it in resources}
    return _Stack(
        name=name,
        status=stack["StackStatus"],
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        parameters={each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])},
        alarms=[
            resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::CloudWatch::Alarm" and "PhysicalResourceId" in resource
        ],
        schedule=by_name.get("EveryMinute"),
        schedule_group=by_name.get("ScheduleGroup"),
    )


def _services(stack: _Stack) -> Services:
    table = Table(boto3.client("dynamodb", config=_PATIENT), stack.table)
    return Services.over(table, retention=timedelta(0), alert_retention=timedelta(0))


def _look_at_table(stack: _Stack) -> Findings:
    client = boto3.client("dynamodb", config=_PATIENT)
    yield from check_table(
        client.describe_table(TableName=stack.table)["Table"],
        client.describe_time_to_live(TableName=stack.table)["TimeToLiveDescription"],
        client.describe_continuous_backups(TableName=stack.table)["ContinuousBackupsDescription"],
    )


def _look_at_alarms(stack: _Stack) -> Findings:
    pages = (
        boto3.client("cloudwatch", config=_PATIENT).get_paginator("describe_alarms").paginate(AlarmNames=stack.alarms)
    )
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    topics = boto3.client("sns", config=_PATIENT).get_paginator("list_subscriptions_by_topic")
    targets = {target for alarm in alarms for target in alarm.get("AlarmActions", []) if ":sns:" in target}
    subscribers = {
        topic: [each["SubscriptionArn"] for page in topics.paginate(TopicArn=topic) for each in page["Subscriptions"]]
        for topic in sorted(targets)
    }
    yield from check_alarms(stack.alarms, alarms, subscribers)


def _look_at_notify(stack: _Stack, services: Services) -> Findings:
    yield from check_schedule(_state_of_schedule(stack))
    has_topic = any(stack.parameters.get(name) for name in ("AlarmEmail", "AlarmTopicArn"))
    for trader in sorted({key.trader for key in services.keys.list() if not key.revoked}):
        settings = services.notices.settings(trader)
        last = {it.channel: it for it in reversed([*services.notices.latest(trader, _LOOKED_AT)])}
        ways = [Way(EMAIL, last=last.get(EMAIL))] if settings.email and has_topic else []
        if settings.service:
            ways.append(
                Way(settings.service, _is_in_ssm(url_parameter(stack.name, trader)), last.get(settings.service))
            )
        yield from check_ways(stack.name, trader, ways)


def _state_of_schedule(stack: _Stack) -> str | None:
    client = boto3.client("scheduler", config=_PATIENT)
    try:
        return client.get_schedule(Name=str(stack.schedule), GroupName=str(stack.schedule_group))["State"]
    except client.exceptions.ResourceNotFoundException:
        return None


def _is_in_ssm(name: str) -> bool:
    """Return whether there is a parameter; its value stays encrypted."""
    client = boto3.client("ssm", config=_PATIENT)
    try:
        client.get_parameter(Name=name, WithDecryption=False)
    except client.exceptions.ParameterNotFound:
        return False
    return True
