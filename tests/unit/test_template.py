"""What template.yaml promises, where a slip would cost orders, secrets or money."""

import json
import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]  # cfn-lint ships no types

import before_traffic
import deferred
import notify
import reports
import smoke
from cli.connection import LOCAL_ENDPOINT
from orderhook import alarms
from orderhook.aws.budget import CONNECT_SECONDS, READ_SECONDS
from orderhook.aws.doorbell import LOOK
from orderhook.notifying import https
from orderhook.notifying.channels import url_parameter
from orderhook.settings import DeferredSettings
from orderhook.store import items
from orderhook.venues import VENUES
from tests.service import BUDGET_SECONDS

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = cfn_yaml.load(str(ROOT / "template.yaml"))
RESOURCES = TEMPLATE["Resources"]
TABLE = RESOURCES["Table"]["Properties"]
GLOBALS = TEMPLATE["Globals"]["Function"]
QUEUE = RESOURCES["Queue"]["Properties"]
TABLE_NAME = {"Fn::If": ["MakesTable", {"Ref": "Table"}, {"Ref": "ExistingTable"}]}
TABLE_ARN = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}"
OWN_TABLES = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${AWS::StackName}-Table-*"
SCHEDULES = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/${ScheduleGroup}/*"
VERSIONS = {"Fn::Sub": "${WebhookFunction.Arn}:*"}
ALARMS_OF_THE_ACCOUNT = {"Fn::Sub": "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*"}
DEPLOYMENTS = {
    "Fn::Sub": "arn:${AWS::Partition}:codedeploy:${AWS::Region}:${AWS::AccountId}:deploymentgroup:${AWS::StackName}-*"
}
URLS = {
    "Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"
    "/orderhook/${AWS::StackName}/notify/*"
}
ACCESS_LOG = RESOURCES["Api"]["Properties"]["AccessLogSettings"]["Format"]["Fn::Sub"]
STACK = {"Ref": "AWS::StackName"}
ALARMS = {name: resource["Properties"] for name, resource in RESOURCES.items() if name.endswith("Alarm")}


def is_intrinsic(value: dict[str, Any]) -> bool:
    """Return whether it is a function of CloudFormation, which SAM takes as one value."""
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def completed(shared: Any, own: Any) -> Any:
    """Complete what a function says by what Globals say, as SAM does."""
    if isinstance(shared, dict) and isinstance(own, dict) and not is_intrinsic(own):
        return shared | {name: completed(shared.get(name), value) for name, value in own.items()}
    return own


FUNCTIONS = {
    name: completed(GLOBALS, resource["Properties"])
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Serverless::Function"
}
COUNTED = sorted(
    {
        *alarms.METRICS.values(),
        alarms.STRANGERS,
        alarms.DEAD_LETTERS,
        "UnhandledErrors",
        "AlertsNotRecorded",
        "GivenUp",
        "MessagesRefused",
        alarms.NOTIFICATIONS_FAILED,
    }
    - {alarms.UNAVAILABLE}
)
"""The metrics that the functions write and an alarm watches."""
SOMETIMES_NOTHING = (alarms.DEFERRED_UNAVAILABLE, alarms.DOORBELLS_LOST)
"""What one of now and then is no reason to ring for."""
OF_BRIDGE = sorted(
    {
        *alarms.METRICS_OF_BRIDGE.values(),
        alarms.BRIDGE_ALARMS,
        alarms.UNRESOLVED,
        alarms.UNATTACHED,
        alarms.NOT_CARRIED_OUT,
        alarms.REPORT_DEAD_LETTERS,
    }
)
"""The metrics of reports that ring at once."""
WEBHOOK, DEFERRED = FUNCTIONS["WebhookFunction"], FUNCTIONS["DeferredFunction"]
ROUTE = WEBHOOK["Events"]["Webhook"]["Properties"]


def key_names(schema: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(key["KeyType"], key["AttributeName"]) for key in schema]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


ROLES = {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == "AWS::IAM::Role"}


def statements(*roles: str) -> list[dict[str, Any]]:
    """Return what these roles allow; without names, what any of them does."""
    return [
        statement
        for role in roles or ROLES
        for policy in ROLES[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def with_console(value: Any, of_console: bool = True) -> Any:
    """Return what stands in the template for a value that is there only with a console."""
    return {"Fn::If": ["HasConsole", value, {"Ref": "AWS::NoValue"}]} if of_console else value


def actions(role: str) -> set[str]:
    return {action for statement in statements(role) for action in as_list(statement["Action"])}


TAKING_MESSAGES = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
"""What a Lambda needs to be given the messages of a queue."""


def test_the_table_outlives_the_stack() -> None:
    assert RESOURCES["Table"]["DeletionPolicy"] == "Retain"
    assert RESOURCES["Table"]["UpdateReplacePolicy"] == "Retain"
    assert TABLE["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert TEMPLATE["Parameters"]["DeletionProtection"]["Default"] == "true"


def test_a_table_that_is_there_is_used_and_none_is_made() -> None:
    assert RESOURCES["Table"]["Condition"] == "MakesTable"
    assert TEMPLATE["Conditions"]["MakesTable"] == {"Fn::Equals": [{"Ref": "ExistingTable"}, ""]}
    assert GLOBALS["Environment"]["Variables"]["ORDERHOOK_TABLE"] == TABLE_NAME


@pytest.mark.parametrize("name", ["orderhook-Table-1A2B3C", "restored_2026.11", "a" * 45, ""])
def test_the_name_of_a_table_is_taken_up_to_45_characters(name: str) -> None:
    assert re.fullmatch(TEMPLATE["Parameters"]["ExistingTable"]["AllowedPattern"], name)


@pytest.mark.parametrize("name", ["ab", "a" * 46, "a table", "arn:aws:dynamodb:us-east-1:123456789012:table/orderhook"])
def test_what_is_not_the_name_of_a_table_is_refused(name: str) -> None:
    assert not re.fullmatch(TEMPLATE["Parameters"]["ExistingTable"]["AllowedPattern"], name)


def test_dead_letters_and_schedules_outlive_the_stack_and_end_in_one_queue() -> None:
    # A schedule needs its role to become a dead letter.
    for name in ("DeadLetterQueue", "ScheduleGroup", "SchedulerRole"):
        assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_the_table_can_be_restored_to_any_point_in_time() -> None:
    assert TABLE["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_table_is_keyed_by_pk_and_sk_and_paid_by_request() -> None:
    assert key_names(TABLE["KeySchema"]) == [("HASH", "pk"), ("RANGE", "sk")]
    assert TABLE["BillingMode"] == "PAY_PER_REQUEST"


def test_the_one_index_is_local_and_lists_open_orders_whole() -> None:
    [index] = TABLE["LocalSecondaryIndexes"]
    assert index["IndexName"] == "open"
    assert key_names(index["KeySchema"]) == [("HASH", "pk"), ("RANGE", "open")]
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert "GlobalSecondaryIndexes" not in TABLE


def test_finished_orders_leave_by_their_expiry_and_never_within_seven_days() -> None:
    assert TABLE["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert TEMPLATE["Parameters"]["RetentionDays"]["MinValue"] >= 7


def test_records_of_alerts_are_kept_for_the_days_chosen_and_ninety_by_default() -> None:
    assert TEMPLATE["Parameters"]["AlertRetentionDays"]["Default"] == 90
    assert WEBHOOK["Environment"]["Variables"]["ORDERHOOK_ALERT_RETENTION_DAYS"] == {"Ref": "AlertRetentionDays"}


def test_a_revoked_key_works_for_thirty_seconds_at_most() -> None:
    assert TEMPLATE["Parameters"]["KeyCacheSeconds"]["MaxValue"] <= 30


def test_the_api_answers_before_tradingview_hangs_up_and_after_the_function_has() -> None:
    assert 2300 < ROUTE["TimeoutInMillis"] < 3000
    assert ROUTE["TimeoutInMillis"] <= WEBHOOK["Timeout"] * 1000 <= 3000


def test_a_name_server_that_is_silent_is_given_up_before_tradingview_hangs_up() -> None:
    options = dict(option.split(":") for option in WEBHOOK["Environment"]["Variables"]["RES_OPTIONS"].split())
    latest_request = BUDGET_SECONDS - CONNECT_SECONDS - READ_SECONDS
    assert round(latest_request + int(options["timeout"]) * int(options["attempts"]), 3) <= 2.3


def test_alerts_are_posted_to_webhook_in_payload_format_2() -> None:
    assert (ROUTE["Method"], ROUTE["Path"], ROUTE["PayloadFormatVersion"]) == ("POST", "/webhook", "2.0")
    assert TEMPLATE["Outputs"]["WebhookUrl"]["Value"]["Fn::Sub"].endswith(ROUTE["Path"])


def test_every_route_is_throttled_as_the_operator_chooses_but_never_shut() -> None:
    assert RESOURCES["Api"]["Properties"]["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "RequestsPerSecond"},
        "ThrottlingBurstLimit": {"Ref": "RequestBurst"},
    }
    for name in ("RequestsPerSecond", "RequestBurst"):
        # A market's open of one trader must pass.
        assert TEMPLATE["Parameters"][name]["MinValue"] >= 10


def test_the_template_says_that_the_api_authenticates_nobody() -> None:
    # Or `sam deploy --guided` asks, and takes Enter for no: tests/runtime/test_deploy.py.
    assert RESOURCES["Api"]["Properties"]["Auth"] == {"EnableIamAuthorizer": False}
    assert "Auth" not in ROUTE


def test_the_access_log_is_json_and_names_nothing_that_a_sender_can_put_a_key_into() -> None:
    assert isinstance(json.loads(ACCESS_LOG), dict)
    assert set(re.findall(r"\$context\.([\w.]+)", ACCESS_LOG)) == {
        "requestTime",
        "requestId",
        "identity.sourceIp",
        "routeKey",
        "status",
        "responseLatency",
        "integrationStatus",
        "integrationLatency",
        "error.responseType",
    }
    assert ACCESS_LOG.count("$") == ACCESS_LOG.count("$context.") + ACCESS_LOG.count("${AWS::StackName}")


def test_no_permission_has_a_wildcard() -> None:
    assert statements()
    # The names of schedules and versions are made as they come; their group and function are this stack's. CodeDeploy
    # asks for alarms by name, and CloudFormation names its deployments after the stack.
    # A trader's parameter is named after him.
    subs = (VERSIONS, ALARMS_OF_THE_ACCOUNT, DEPLOYMENTS, URLS)
    open_ended = [SCHEDULES, OWN_TABLES, *(arn["Fn::Sub"] for arn in subs)]
    for statement in statements():
        named = json.dumps(statement)
        for arn in open_ended:
            named = named.replace(arn, "")
        conditions = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).values()
        partitions = [name for names in conditions for name in names]
        assert all(re.fullmatch(r"[A-Z_]+(#\*)?", name) for name in partitions)
        assert named.count("*") == sum(name.endswith("*") for name in partitions)
        assert {"NotAction", "NotResource"}.isdisjoint(statement)


@pytest.mark.parametrize(("role", "log"), [("WebhookRole", "WebhookLog"), ("DeferredRole", "DeferredLog")])
def test_a_functions_role_reaches_its_own_stack_and_its_own_log_alone(role: str, log: str) -> None:
    reachable = {
        "dynamodb": [{"Fn::Sub": [TABLE_ARN, {"Name": TABLE_NAME}]}, {"Fn::Sub": OWN_TABLES}],
        "dynamodb:Query": [
            {"Fn::Sub": [f"{TABLE_ARN}/index/open", {"Name": TABLE_NAME}]},
            {"Fn::Sub": f"{OWN_TABLES}/index/open"},
        ],
        "sqs": {"Fn::GetAtt": ["Queue", "Arn"]},
        "scheduler": {"Fn::Sub": SCHEDULES},
        "iam": {"Fn::GetAtt": ["SchedulerRole", "Arn"]},
        "logs": {"Fn::GetAtt": [log, "Arn"]},
    }
    for statement in statements(role):
        for action in as_list(statement["Action"]):
            expected = as_list(reachable.get(action, reachable[action.partition(":")[0]]))
            # Lambda takes the messages of both queues for the function behind them, and the webhook fills the one.
            given = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
            assert as_list(statement["Resource"]) == expected + [given] * (action in TAKING_MESSAGES)


def test_who_checks_a_version_may_ask_it_and_say_what_came_of_it_and_no_more() -> None:
    allowed = {
        action: statement["Resource"]
        for statement in statements("BeforeTrafficRole")
        for action in as_list(statement["Action"])
    }
    reports_function = {"Fn::If": ["HasVenue", {"Fn::GetAtt": ["ReportsFunction", "Arn"]}, {"Ref": "AWS::NoValue"}]}
    assert allowed == {
        "lambda:InvokeFunction": [
            VERSIONS,
            {"Fn::GetAtt": ["DeferredFunction", "Arn"]},
            reports_function,
            {"Fn::GetAtt": ["NotifyFunction", "Arn"]},
        ],
        "lambda:GetFunctionConfiguration": [{"Fn::GetAtt": ["WebhookFunction", "Arn"]}, VERSIONS],
        "dynamodb:GetItem": {"Fn::Sub": [TABLE_ARN, {"Name": TABLE_NAME}]},
        "dynamodb:Query": {"Fn::Sub": [TABLE_ARN, {"Name": TABLE_NAME}]},
        "codedeploy:PutLifecycleEventHookExecutionStatus": DEPLOYMENTS,
        "logs:CreateLogStream": {"Fn::GetAtt": ["BeforeTrafficLog", "Arn"]},
        "logs:PutLogEvents": {"Fn::GetAtt": ["BeforeTrafficLog", "Arn"]},
    }


def test_codedeploy_may_shift_this_functions_traffic_alone() -> None:
    webhook = [{"Fn::GetAtt": ["WebhookFunction", "Arn"]}, VERSIONS]
    allowed = {
        action: statement["Resource"]
        for statement in statements("DeploymentRole")
        for action in as_list(statement["Action"])
    }
    # What AWS's own policy allows (AWSCodeDeployRoleForLambdaLimited), but for files in S3, of which there are none.
    assert allowed == {
        "lambda:GetAlias": webhook,
        "lambda:GetProvisionedConcurrencyConfig": webhook,
        "lambda:UpdateAlias": webhook,
        "lambda:InvokeFunction": {"Fn::GetAtt": ["BeforeTrafficFunction", "Arn"]},
        "cloudwatch:DescribeAlarms": ALARMS_OF_THE_ACCOUNT,
    }
    [trust] = ROLES["DeploymentRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "codedeploy.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_a_new_version_is_checked_before_it_gets_traffic() -> None:
    preference = WEBHOOK["DeploymentPreference"]
    shifts = TEMPLATE["Mappings"]["TrafficShifts"]
    assert preference["Hooks"] == {"PreTraffic": {"Ref": "BeforeTrafficFunction"}}
    assert preference["Role"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]}
    assert preference["Type"] == {"Ref": "TrafficShift"}
    assert preference["Enabled"] == {"Fn::FindInMap": ["TrafficShifts", {"Ref": "TrafficShift"}, "Checked"]}
    assert list(shifts) == TEMPLATE["Parameters"]["TrafficShift"]["AllowedValues"]
    assert [name for name, shift in shifts.items() if shift["Checked"] == "false"] == ["Unchecked"]


def test_the_version_that_is_asked_is_the_new_one() -> None:
    assert (
        FUNCTIONS["BeforeTrafficFunction"]["Environment"]["Variables"].items()
        >= {
            "ORDERHOOK_WEBHOOK_VERSION": {"Ref": "WebhookFunction.Version"},
            "ORDERHOOK_DEFERRED_FUNCTION": {"Ref": "DeferredFunction"},
            "ORDERHOOK_REPORTS_FUNCTION": {"Fn::If": ["HasVenue", {"Ref": "ReportsFunction"}, ""]},
            "ORDERHOOK_NOTIFY_FUNCTION": {"Ref": "NotifyFunction"},
        }.items()
    )
    assert {*before_traffic.CHECKS} <= FUNCTIONS["BeforeTrafficFunction"]["Environment"]["Variables"].keys()


def test_an_alarm_ends_a_gradual_shift_and_never_keeps_a_repair_from_going_out() -> None:
    condition, alarms, otherwise = WEBHOOK["DeploymentPreference"]["Alarms"]["Fn::If"]
    assert (condition, otherwise) == ("ShiftsGradually", [{"Ref": "AWS::NoValue"}])
    assert {alarm["Ref"] for alarm in alarms} == {"UnhandledErrorsAlarm", "FunctionErrorsAlarm", "ApiServerErrorsAlarm"}


def test_the_alias_can_go_back_to_the_version_before() -> None:
    assert WEBHOOK["VersionDeletionPolicy"] == "Retain"
    assert RESOURCES["WebhookFunction"]["UpdateReplacePolicy"] == "Retain"
    assert "DeletionPolicy" not in RESOURCES["WebhookFunction"]


def test_who_checks_a_version_may_look_at_keys_and_at_nothing_else_in_the_table() -> None:
    [looks] = [it for it in statements("BeforeTrafficRole") if "dynamodb:Query" in as_list(it["Action"])]
    patterns = looks["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert patterns == [items.KEY_LIST, items.key_key("*")["pk"]]


@pytest.mark.parametrize("role", ["WebhookRole", "DeferredRole"])
def test_a_function_writes_neither_keys_nor_their_list(role: str) -> None:
    writes = {"dynamodb:PutItem", "dynamodb:UpdateItem"}
    [statement] = [each for each in statements(role) if writes.intersection(as_list(each["Action"]))]
    assert set(as_list(statement["Action"])) == writes
    [allowed] = statement["Condition"]["ForAllValues:StringLike"].values()

    def may_write(key: dict[str, str]) -> bool:
        return any(fnmatchcase(key["pk"], pattern) for pattern in allowed)

    assert not may_write(items.key_key("k"))
    assert not may_write({"pk": items.KEY_LIST})
    makers = (
        items.order_key,
        items.strategy_key,
        items.template_key,
        items.key_use_key,
        items.rate_key,
        items.alert_key,
    )
    assert all(may_write(make("trader", "id")) for make in makers)
    assert may_write(items.controls_key("trader"))
    assert may_write(items.trace_key("trader", "CANCELORDERS", "digest"))


@pytest.mark.parametrize(
    ("policy", "queue", "senders"),
    [
        ("QueuePolicy", "Queue", ["WebhookRole", "SchedulerRole", "ConsoleRole"]),
        ("DeadLetterQueuePolicy", "DeadLetterQueue", ["SchedulerRole"]),
    ],
)
def test_a_queue_takes_messages_of_its_senders_alone(policy: str, queue: str, senders: list[str]) -> None:
    resource = RESOURCES[policy]
    assert resource["Type"] == "AWS::SQS::QueuePolicy"
    assert resource["Properties"]["Queues"] == [{"Ref": queue}]
    [statement] = resource["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "sqs:SendMessage")
    assert statement["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
    arns = as_list(statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"])
    assert arns == [with_console({"Fn::GetAtt": [it, "Arn"]}, it == "ConsoleRole") for it in senders]
    # Those who may send by their own role are these and no others.
    allowed = {
        role
        for role in ROLES
        for each in statements(role)
        if each["Action"] == "sqs:SendMessage" and statement["Resource"] in as_list(each["Resource"])
    }
    assert allowed == set(senders)
    # What SQS moves by itself has no principal.
    assert statement["Condition"]["Null"] == {"aws:PrincipalArn": "false"}


def test_the_role_that_is_passed_on_is_for_the_scheduler_alone() -> None:
    passes = [statement for statement in statements() if statement["Action"] == "iam:PassRole"]
    assert len(passes) == 3
    for statement in passes:
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def test_the_scheduler_may_fill_the_queues_for_schedules_of_this_stack_alone() -> None:
    [statement] = statements("SchedulerRole")
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == [{"Fn::GetAtt": [name, "Arn"]} for name in ("Queue", "DeadLetterQueue")]
    [trust] = ROLES["SchedulerRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {
        "aws:SourceAccount": {"Ref": "AWS::AccountId"},
        "aws:SourceArn": {"Fn::GetAtt": ["ScheduleGroup", "Arn"]},
    }


def test_what_is_done_later_may_do_with_the_table_what_is_done_at_once_may() -> None:
    # The webhook's own are compared with what it calls, in tests/integration/test_events.py.
    shared = {action for action in actions("WebhookRole") if action != "sqs:SendMessage"}
    assert actions("DeferredRole") == shared | TAKING_MESSAGES


def test_a_message_is_not_delivered_again_while_it_may_still_be_worked_on() -> None:
    assert QUEUE["VisibilityTimeout"] == 6 * DEFERRED["Timeout"]
    assert RESOURCES["DeadLetterQueue"]["Properties"]["VisibilityTimeout"] >= 6 * DEFERRED["Timeout"]
    assert DEFERRED["Timeout"] > deferred.BUDGET_SECONDS + deferred.RECORD_SECONDS


def test_what_fails_five_times_is_kept_for_two_weeks() -> None:
    assert QUEUE["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "maxReceiveCount": 5,
    }
    # Its age counts from when it was sent: the second queue must keep it longer than the first.
    assert RESOURCES["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert QUEUE["MessageRetentionPeriod"] == 24 * 3600


def test_the_queues_are_encrypted() -> None:
    for name in ("Queue", "DeadLetterQueue"):
        assert RESOURCES[name]["Properties"]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize(("event", "queue"), [("Queue", "Queue"), ("DeadLetters", "DeadLetterQueue")])
def test_each_message_is_a_run_of_its_own_and_a_failed_one_is_delivered_again(event: str, queue: str) -> None:
    assert DEFERRED["Events"][event] == {
        "Type": "SQS",
        "Properties": {
            "Queue": {"Fn::GetAtt": [queue, "Arn"]},
            "BatchSize": 1,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
    }


def test_without_a_venue_there_is_no_doorbell_and_nobody_may_ring() -> None:
    assert TEMPLATE["Parameters"]["Venue"]["Default"] == "none"
    assert TEMPLATE["Parameters"]["Venue"]["AllowedValues"] == list(VENUES)
    assert TEMPLATE["Conditions"]["HasVenue"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Venue"}, "none"]}]}
    for name in ("Doorbell", "RingDoorbell", "DeliverAgain", "DoorbellsLostAlarm"):
        assert RESOURCES[name]["Condition"] == "HasVenue"
    assert TEMPLATE["Outputs"]["DoorbellUrl"]["Condition"] == "HasVenue"
    url = GLOBALS["Environment"]["Variables"]["ORDERHOOK_DOORBELL_URL"]
    assert url == {"Fn::If": ["HasVenue", {"Ref": "Doorbell"}, ""]}


def test_a_ring_that_nobody_takes_is_forgotten_within_a_minute() -> None:
    doorbell = RESOURCES["Doorbell"]["Properties"]
    assert doorbell["MessageRetentionPeriod"] == 60
    assert doorbell["SqsManagedSseEnabled"] is True
    assert "RedrivePolicy" not in doorbell


def test_whoever_writes_orders_may_ring_and_do_nothing_else_with_the_doorbell() -> None:
    policy = RESOURCES["RingDoorbell"]["Properties"]
    assert policy["Roles"] == [
        {"Ref": "WebhookRole"},
        {"Ref": "DeferredRole"},
        with_console({"Ref": "ConsoleRole"}),
    ]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Doorbell", "Arn"]}}
    ]


def test_what_is_done_later_may_have_its_messages_delivered_again_sooner() -> None:
    policy = RESOURCES["DeliverAgain"]["Properties"]
    assert policy["Roles"] == [{"Ref": "DeferredRole"}]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sqs:ChangeMessageVisibility"
    assert statement["Resource"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    # It ends by its own time, and not because SQS has tried it too often.
    tries = TEMPLATE["Parameters"]["TooLateSeconds"]["Default"] // deferred.BRIDGE_SECONDS + 1
    assert tries < QUEUE["RedrivePolicy"]["maxReceiveCount"]


@pytest.mark.parametrize("metric", SOMETIMES_NOTHING)
def test_an_alarm_for_what_is_nothing_now_and_then_waits_for_three_in_five_minutes(metric: str) -> None:
    alarm = ALARMS[f"{metric}Alarm"]
    assert (alarm["MetricName"], alarm["Period"], alarm["Threshold"]) == (metric, 300, 3)


OF_REPORTS = (
    *("ReportQueue", "ReportDeadLetterQueue", "ReportQueuePolicy", "ReportDeadLetterQueuePolicy", "ReportsFunction"),
    *("ReportsRole", "ReportsLog", "BridgePolicy", "ReportsErrorsAlarm", "ReportsAgeAlarm", "BridgeAwayAlarm"),
)


@pytest.mark.parametrize("name", OF_REPORTS)
def test_without_a_venue_there_is_nothing_that_takes_reports(name: str) -> None:
    assert RESOURCES[name]["Condition"] == "HasVenue"


@pytest.mark.parametrize("metric", OF_BRIDGE)
def test_what_a_bridge_calls_out_rings_at_once(metric: str) -> None:
    alarm = ALARMS[f"{metric}Alarm"]
    assert RESOURCES[f"{metric}Alarm"]["Condition"] == "HasVenue"
    assert (alarm["MetricName"], alarm["Statistic"], alarm["Period"], alarm["Threshold"]) == (metric, "Sum", 60, 1)


def test_a_bridge_that_is_not_heard_of_or_not_ready_rings() -> None:
    alarm = ALARMS["BridgeAwayAlarm"]
    assert (alarm["MetricName"], alarm["TreatMissingData"]) == (alarms.BRIDGE_READY, "breaching")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 120


def test_the_bridge_may_read_one_traders_orders_hear_the_doorbell_and_report() -> None:
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [{"Fn::Sub": "TRADER#${VenueTrader}"}]}}
    allowed = {
        action: (statement["Effect"], statement["Resource"], statement.get("Condition"))
        for statement in RESOURCES["BridgePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
    }
    doorbell = ("Allow", {"Fn::GetAtt": ["Doorbell", "Arn"]}, None)
    assert allowed == {
        "dynamodb:Query": ("Allow", {"Fn::Sub": [f"{TABLE_ARN}/index/open", {"Name": TABLE_NAME}]}, own),
        "dynamodb:GetItem": ("Allow", {"Fn::Sub": [TABLE_ARN, {"Name": TABLE_NAME}]}, own),
        "sqs:ReceiveMessage": doorbell,
        "sqs:DeleteMessage": doorbell,
        "sqs:SendMessage": ("Allow", {"Fn::GetAtt": ["ReportQueue", "Arn"]}, None),
    }


def test_what_the_function_that_tells_counts_too_names_its_log() -> None:
    _, values = ALARMS["UnhandledErrorsAlarm"]["AlarmDescription"]["Fn::Sub"]
    assert all("${NotifyLog}" in text["Fn::Sub"] for text in values["Logs"]["Fn::If"][1:])


@pytest.mark.parametrize("name", ["UnhandledErrorsAlarm", "MessagesRefusedAlarm"])
def test_what_reports_count_in_too_names_their_log_where_there_is_one(name: str) -> None:
    _, values = ALARMS[name]["AlarmDescription"]["Fn::Sub"]
    condition, with_venue, without = values["Logs"]["Fn::If"]
    assert condition == "HasVenue"
    assert ("${ReportsLog}" in with_venue["Fn::Sub"], "${ReportsLog}" in without["Fn::Sub"]) == (True, False)


def test_who_records_reports_reaches_one_traders_items_alone() -> None:
    assert actions("ReportsRole") == TAKING_MESSAGES | {
        *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("logs:CreateLogStream", "logs:PutLogEvents"),
    }
    [reads] = [it for it in statements("ReportsRole") if "dynamodb:GetItem" in as_list(it["Action"])]
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [{"Fn::Sub": "TRADER#${VenueTrader}"}]}}
    [lists] = [it for it in statements("ReportsRole") if "dynamodb:Query" in as_list(it["Action"])]
    assert reads["Condition"] == lists["Condition"] == own
    [writes] = [it for it in statements("ReportsRole") if "dynamodb:PutItem" in as_list(it["Action"])]
    assert writes["Condition"].keys() == {"ForAllValues:StringEquals"}
    [partitions] = writes["Condition"]["ForAllValues:StringEquals"].values()
    made = (
        items.controls_key("main"),
        items.alert_key("main", "r"),
        items.position_key("main", "a", "i"),
        items.execution_key("main", "v", 1),
        items.need_key("main", "n"),
    )
    assert [it["Fn::Sub"].replace("${VenueTrader}", "main") for it in partitions] == [key["pk"] for key in made]


def test_nobody_of_the_stack_sends_reports_and_nobody_of_another_account() -> None:
    queue = {"Fn::GetAtt": ["ReportQueue", "Arn"]}
    sending = [it for it in statements() if "sqs:SendMessage" in as_list(it["Action"])]
    assert all(queue not in as_list(it["Resource"]) for it in sending)
    [denied] = RESOURCES["ReportQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    own = {"Fn::Sub": "arn:${AWS::Partition}:*::${AWS::AccountId}:*"}
    assert (denied["Effect"], denied["Principal"], denied["Resource"]) == ("Deny", "*", queue)
    assert denied["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": own}, "Null": {"aws:PrincipalArn": "false"}}
    [moved] = RESOURCES["ReportDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (moved["Effect"], moved["Condition"]) == ("Deny", {"Null": {"aws:PrincipalArn": "false"}})


def test_a_report_is_not_delivered_again_while_it_may_still_be_worked_on() -> None:
    queue, dead = RESOURCES["ReportQueue"]["Properties"], RESOURCES["ReportDeadLetterQueue"]["Properties"]
    timeout = FUNCTIONS["ReportsFunction"]["Timeout"]
    assert queue["VisibilityTimeout"] == dead["VisibilityTimeout"] == 6 * timeout
    assert timeout > reports.BUDGET_SECONDS
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert queue["SqsManagedSseEnabled"] is dead["SqsManagedSseEnabled"] is True


def test_every_function_is_led_to_the_same_table_and_queue() -> None:
    settings = [f"ORDERHOOK_{name.upper()}" for name in DeferredSettings._fields]
    for name, function in FUNCTIONS.items():
        # What the console counts is told apart.
        own = {"POWERTOOLS_SERVICE_NAME"} if name == "ConsoleFunction" else set()
        shared = {it: value for it, value in GLOBALS["Environment"]["Variables"].items() if it not in own}
        assert function["Environment"]["Variables"].items() >= shared.items()
    assert {"ORDERHOOK_TABLE", *settings} <= GLOBALS["Environment"]["Variables"].keys()


def test_sam_local_reaches_this_machine_and_does_nothing_later() -> None:
    # SAM gives these to every function.
    variables = json.loads((ROOT / "sam-local.json").read_text())["Parameters"]
    # A container's 127.0.0.1 is its own.
    assert variables["AWS_ENDPOINT_URL_DYNAMODB"] == LOCAL_ENDPOINT.replace("127.0.0.1", "host.docker.internal")
    # Its functions would send to AWS.
    assert all(variables[f"ORDERHOOK_{name.upper()}"] == "" for name in DeferredSettings._fields)


def test_no_role_takes_a_managed_policy_and_no_function_a_role_of_sams_making() -> None:
    for resource in RESOURCES.values():
        assert "ManagedPolicyArns" not in resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            assert "Role" in resource["Properties"]
            assert "Policies" not in resource["Properties"]


def test_every_function_logs_json_to_a_group_of_its_own() -> None:
    logs = [function["LoggingConfig"] for function in FUNCTIONS.values()]
    assert all(log["LogFormat"] == "JSON" for log in logs)
    groups = [log["LogGroup"]["Ref"] for log in logs]
    assert len({*groups}) == len(FUNCTIONS)
    assert all(RESOURCES[group]["Type"] == "AWS::Logs::LogGroup" for group in groups)


def test_every_log_group_forgets_after_the_days_chosen() -> None:
    groups = [resource["Properties"] for resource in RESOURCES.values() if resource["Type"] == "AWS::Logs::LogGroup"]
    # Those of the two APIs, and one for each function.
    assert len(groups) == 2 + len(FUNCTIONS)
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups)


def test_the_page_about_cost_counts_the_alarms() -> None:
    of_venue = [name for name in ALARMS if RESOURCES[name].get("Condition") == "HasVenue"]
    always = [name for name in ALARMS if "Condition" not in RESOURCES[name]]
    page = (ROOT / "docs/capacity.md").read_text(encoding="utf-8").replace("\n", " ")
    assert (len(of_venue), "| The venue's sixteen alarms, 0.10 each | 1.60 |" in page) == (16, True)
    assert (len(always), "each of the nineteen alarms" in page) == (19, True)
    of_console = [name for name in ALARMS if RESOURCES[name].get("Condition") == "HasConsole"]
    assert (len(of_console), "| The console's two alarms, 0.10 each | 0.20 |" in page) == (2, True)


def test_every_alarm_says_what_to_do_and_reaches_whoever_is_to_be_told() -> None:
    assert {(alarm["Namespace"], alarm["MetricName"]) for alarm in ALARMS.values()} == {
        *(("orderhook", metric) for metric in (*COUNTED, *SOMETIMES_NOTHING, "ThrottledAlerts", "Alerts")),
        *(("orderhook", metric) for metric in (*OF_BRIDGE, alarms.BRIDGE_READY, alarms.REPORTS_UNAVAILABLE)),
        ("orderhook", alarms.LOOKS),
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/ApiGateway", "5xx"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
    }
    for alarm in ALARMS.values():
        description = alarm["AlarmDescription"]
        for command in re.findall(r"`(orderhook [^`]*)`", str(description)):
            assert "--stack" in command or command.startswith(("orderhook alerts show", "orderhook bridge"))
        assert re.search("Look in|look in|See|Look into", str(description))
        assert alarm["AlarmActions"] == [
            {"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AWS::NoValue"}]},
            {"Fn::If": ["HasAlarmEmail", {"Ref": "AlarmTopic"}, {"Ref": "AWS::NoValue"}]},
        ]


def test_no_alarm_is_longer_than_cloudwatch_allows() -> None:
    for alarm in ALARMS.values():
        description = alarm["AlarmDescription"]
        text = description["Fn::Sub"] if isinstance(description, dict) else description
        if isinstance(text, list):
            text, values = text
            text = text.replace("${Logs}", values["Logs"]["Fn::If"][1]["Fn::Sub"])
        # What is filled in is longer than its placeholder: names of log groups and of the stack.
        assert len(text) + 64 * text.count("${") <= 1024


def test_two_stacks_do_not_ring_each_others_alarms() -> None:
    assert GLOBALS["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == STACK
    of_a_resource = {"FunctionName", "ApiId", "QueueName"}
    for alarm in ALARMS.values():
        [dimension] = alarm["Dimensions"]
        of_console = {"Fn::Sub": "${AWS::StackName}-console"}
        assert dimension["Name"] in of_a_resource or (
            dimension["Name"] == "service" and dimension["Value"] in (STACK, of_console)
        )


@pytest.mark.parametrize("metric", COUNTED)
def test_the_alarm_for_it_watches_the_metric_that_the_function_writes(metric: str) -> None:
    alarm = ALARMS[f"{metric}Alarm"]
    assert alarm["MetricName"] == metric
    written = [ROOT / "functions" / "orderhook" / name for name in ("telemetry.py", "alarms.py")]
    assert any(f'"{metric}"' in path.read_text(encoding="utf-8") for path in written)
    assert alarm["Namespace"] == WEBHOOK["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
    assert (alarm["Statistic"], alarm["Period"], alarm["Threshold"]) == ("Sum", 60, 1)


def test_what_the_api_itself_turns_away_is_counted_from_its_log() -> None:
    counted = RESOURCES["ThrottledAlerts"]["Properties"]
    assert counted["LogGroupName"] == {"Ref": "AccessLog"}
    [transformation] = counted["MetricTransformations"]
    alarm = ALARMS["ThrottledAlertsAlarm"]
    assert (transformation["MetricNamespace"], transformation["MetricName"]) == (
        alarm["Namespace"],
        alarm["MetricName"],
    )
    # The dimension comes from the log, and the pattern must name it.
    assert transformation["Dimensions"] == [{"Key": "service", "Value": "$.service"}]
    fields = json.loads(ACCESS_LOG)
    assert fields["service"] == "${AWS::StackName}"
    assert set(re.findall(r"\$\.(\w+)", counted["FilterPattern"])) == {"service", "status", "integration_status"}
    assert set(re.findall(r"\$\.(\w+)", counted["FilterPattern"])) <= fields.keys()


def test_silence_is_an_alarm_where_the_operator_wants_it() -> None:
    alarm = ALARMS["NoAlertsAlarm"]
    assert RESOURCES["NoAlertsAlarm"]["Condition"] == "TellsOfSilence"
    assert TEMPLATE["Conditions"]["TellsOfSilence"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "NoAlertHours"}, "0"]}]}
    assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3600, {"Ref": "NoAlertHours"})
    # CloudWatch looks back seven days at most.
    assert TEMPLATE["Parameters"]["NoAlertHours"]["MaxValue"] * alarm["Period"] <= 7 * 24 * 3600


def test_an_address_gets_a_topic_of_the_stacks_own() -> None:
    topic = RESOURCES["AlarmTopic"]
    assert topic["Condition"] == "HasAlarmEmail"
    assert topic["Properties"]["Subscription"] == [{"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}]


def test_a_deployment_that_tells_nobody_says_so() -> None:
    warning = TEMPLATE["Outputs"]["Warning"]
    assert warning["Condition"] == "TellsNobody"
    told = [{"Condition": "HasAlarmTopic"}, {"Condition": "HasAlarmEmail"}]
    assert TEMPLATE["Conditions"]["TellsSomebody"] == {"Fn::Or": told}
    assert TEMPLATE["Conditions"]["TellsNobody"] == {"Fn::Not": [{"Condition": "TellsSomebody"}]}
    assert "AlarmEmail" in warning["Value"]


def test_every_parameter_has_a_default_and_says_what_it_is() -> None:
    for parameter in TEMPLATE["Parameters"].values():
        assert "Default" in parameter
        assert parameter["Description"]


def test_what_costs_extra_is_off_by_default() -> None:
    assert TEMPLATE["Parameters"]["SnapStart"]["Default"] == "None"
    assert TEMPLATE["Parameters"]["ProvisionedConcurrency"]["Default"] == 0


def parameters_in(value: object) -> set[str]:
    """Return the parameters that a part of the template refers to."""
    text = json.dumps(value)
    names = {*re.findall(r'"Ref": "(\w+)"', text), *re.findall(r"\$\{(\w+)\}", text)}
    return {name for name in names if name in TEMPLATE["Parameters"]}


def test_a_changed_parameter_reaches_the_alias_that_the_api_calls() -> None:
    # SAM makes a new version where a property is another, and CloudFormation where the description is: SAM itself does
    # not look at the values of parameters.
    assert WEBHOOK["AutoPublishAlias"]
    assert WEBHOOK["AutoPublishAliasAllProperties"] is True
    arrives_otherwise = {"TrafficShift", "ProvisionedConcurrency"}
    configuration = {name: value for name, value in WEBHOOK.items() if name != "VersionDescription"}
    assert parameters_in(configuration) - arrives_otherwise == parameters_in(WEBHOOK["VersionDescription"])


def test_the_description_of_a_version_is_no_longer_than_lambda_allows() -> None:
    description: str = WEBHOOK["VersionDescription"]["Fn::Sub"]
    longest = len(re.sub(r"\$\{\w+\}", "", description))
    for name in parameters_in(WEBHOOK["VersionDescription"]):
        parameter = TEMPLATE["Parameters"][name]
        values = parameter.get("AllowedValues", [parameter.get("MaxValue", "")])
        longest += parameter.get("MaxLength", max(len(str(value)) for value in values))
    assert longest <= 256


def test_a_domain_of_ones_own_leads_to_the_same_api() -> None:
    domain, mapping = RESOURCES["Domain"], RESOURCES["DomainMapping"]
    assert (
        domain["Condition"] == mapping["Condition"] == TEMPLATE["Outputs"]["DomainTarget"]["Condition"] == "HasDomain"
    )
    [configuration] = domain["Properties"]["DomainNameConfigurations"]
    assert configuration["CertificateArn"] == {"Ref": "CertificateArn"}
    assert configuration["SecurityPolicy"] == "TLS_1_2"
    assert mapping["Properties"] == {
        "ApiId": {"Ref": "Api"},
        "DomainName": {"Ref": "Domain"},
        "Stage": {"Ref": "Api.Stage"},
    }


def test_tradingviews_addresses_are_offered_and_accepted_by_the_allow_list() -> None:
    parameter = TEMPLATE["Parameters"]["SourceAllowList"]
    [addresses] = re.findall(r"[\d.]+(?:,[\d.]+)+", parameter["Description"])
    allowed = addresses.rstrip(".")
    assert set(allowed.split(",")) == {"52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7"}
    assert re.fullmatch(parameter["AllowedPattern"], allowed)
    assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"])
    assert not re.fullmatch(parameter["AllowedPattern"], "52.89.214.238;34.212.75.30")


def test_the_outputs_are_what_a_user_pastes_and_the_command_line_reads() -> None:
    assert TEMPLATE["Outputs"].keys() == {
        *(
            "WebhookUrl",
            "DomainTarget",
            "TableName",
            "DoorbellUrl",
            "VenueTrader",
            "ReportQueueUrl",
            "BridgePolicyArn",
            "NotifyQueueUrl",
            "ConsoleUrl",
            "Warning",
        )
    }
    assert TEMPLATE["Outputs"]["TableName"]["Value"] == TABLE_NAME


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_the_handler_is_a_function_in_a_file_that_is_deployed(function: dict[str, Any]) -> None:
    module, _, name = function["Handler"].partition(".")
    source = (ROOT / function["CodeUri"] / f"{module}.py").read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", source, re.MULTILINE)


def test_the_makefile_builds_every_function_for_the_templates_runtime_and_processor() -> None:
    makefile = (ROOT / GLOBALS["CodeUri"] / "Makefile").read_text(encoding="utf-8")
    assert f"\nLAMBDA_PYTHON ?= {GLOBALS['Runtime'].removeprefix('python')}\n" in makefile
    assert "\nbuild-%:" in makefile
    [entry_points] = re.findall("^entry_points := (.*)$", makefile, re.MULTILINE)
    assert {*entry_points.split()} == {function["Handler"].partition(".")[0] for function in FUNCTIONS.values()}
    for name in FUNCTIONS:
        # One artifact for every function and either processor: what is built cannot differ from what is deployed.
        assert RESOURCES[name]["Metadata"] == {"BuildMethod": "makefile"}
        assert {"CodeUri", "Runtime", "Architectures"}.isdisjoint(RESOURCES[name]["Properties"])
    assert GLOBALS["Architectures"] == [{"Ref": "Architecture"}]
    machines = {name.replace("aarch64", "arm64") for name in smoke.MACHINES}
    assert machines == {*TEMPLATE["Parameters"]["Architecture"]["AllowedValues"]}


# The console

OF_CONSOLE = {name for name, resource in RESOURCES.items() if name.startswith("Console")}


def test_without_a_console_there_is_nothing_of_it() -> None:
    assert TEMPLATE["Parameters"]["Console"]["Default"] == "false"
    assert TEMPLATE["Conditions"]["HasConsole"] == {"Fn::Equals": [{"Ref": "Console"}, "true"]}
    assert {"ConsoleApi", "ConsoleFunction", "ConsoleRole", "ConsoleLog", "ConsoleAccessLog"} <= OF_CONSOLE
    assert {RESOURCES[name]["Condition"] for name in OF_CONSOLE} == {"HasConsole"}
    assert TEMPLATE["Outputs"]["ConsoleUrl"]["Condition"] == "HasConsole"
    # Who refers to it does so only where it is there.
    for name, resource in RESOURCES.items():
        if name not in OF_CONSOLE:
            conditional = json.dumps(resource).count('"Fn::If": ["HasConsole", {')
            assert len(re.findall(r'"(?:Ref|Fn::GetAtt)": (?:\["|")Console\w+"', json.dumps(resource))) == conditional


def test_the_console_has_an_api_of_its_own_with_a_throttle_of_its_own() -> None:
    [event] = FUNCTIONS["ConsoleFunction"]["Events"].values()
    assert event["Properties"]["ApiId"] == {"Ref": "ConsoleApi"}
    assert {"Path", "Method", "Auth"}.isdisjoint(event["Properties"])
    assert event["Properties"]["PayloadFormatVersion"] == "2.0"
    webhooks = [it["Properties"]["ApiId"] for it in WEBHOOK["Events"].values()]
    assert webhooks == [{"Ref": "Api"}]
    limits = RESOURCES["ConsoleApi"]["Properties"]["DefaultRouteSettings"]
    assert limits["ThrottlingRateLimit"] <= TEMPLATE["Parameters"]["RequestsPerSecond"]["MinValue"]
    assert RESOURCES["ConsoleApi"]["Properties"]["Auth"] == {"EnableIamAuthorizer": False}


def test_the_consoles_access_log_has_no_path_query_header_or_cookie() -> None:
    log = RESOURCES["ConsoleApi"]["Properties"]["AccessLogSettings"]
    assert log["DestinationArn"] == {"Fn::GetAtt": ["ConsoleAccessLog", "Arn"]}
    text = log["Format"]["Fn::Sub"]
    assert isinstance(json.loads(text), dict)
    assert set(re.findall(r"\$context\.([\w.]+)", text)) == {
        *("requestTime", "requestId", "identity.sourceIp", "httpMethod", "status", "responseLatency"),
        *("integrationStatus", "integrationLatency", "error.responseType"),
    }


def test_the_console_may_do_what_an_alert_may_and_look() -> None:
    looking = {"dynamodb:BatchGetItem"}
    assert actions("ConsoleRole") == actions("WebhookRole") | looking
    for statement in statements("ConsoleRole"):
        if "dynamodb:" in str(statement["Action"]):
            assert all("table/" in str(arn) for arn in as_list(statement["Resource"]))
    logs = [it["Resource"] for it in statements("ConsoleRole") if "logs:" in str(it["Action"])]
    assert logs == [{"Fn::GetAtt": ["ConsoleLog", "Arn"]}]


def test_the_console_writes_no_key_but_when_it_was_revoked_and_lists_no_session() -> None:
    def partitions(statement: dict[str, Any]) -> list[str]:
        named: list[str] = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        return named

    own = statements("ConsoleRole")
    putting = [it for it in own if "dynamodb:PutItem" in as_list(it["Action"])]
    updating = [it for it in own if it["Action"] == "dynamodb:UpdateItem"]
    [written], [revoked] = putting, updating
    allowed = partitions(written)
    assert {items.SIGN_IN_CODES, items.SESSIONS} <= {*allowed}
    for key in (items.key_key("k"), {"pk": items.KEY_LIST}, items.position_key("main", "a", "i")):
        assert not any(fnmatchcase(key["pk"], pattern) for pattern in allowed)
    for key in (items.controls_key("main"), items.alert_key("main", "r"), items.once_key("main", "o")):
        assert any(fnmatchcase(key["pk"], pattern) for pattern in allowed)
    assert any(fnmatchcase(items.need_key("main", "n")["pk"], pattern) for pattern in allowed)
    assert partitions(revoked) == [items.key_key("*")["pk"]]
    assert revoked["Condition"]["ForAllValues:StringEquals"] == {"dynamodb:Attributes": ["pk", "sk", "revoked"]}
    [listed] = [it for it in own if it["Action"] == "dynamodb:Query" and "Condition" in it]
    assert {items.SIGN_IN_CODES, items.SESSIONS}.isdisjoint(partitions(listed))
    assert not [it for it in own if "dynamodb:DeleteItem" in as_list(it["Action"])]


def test_what_the_console_counts_rings_alarms_of_its_own() -> None:
    variables = FUNCTIONS["ConsoleFunction"]["Environment"]["Variables"]
    of_console = {"Fn::Sub": "${AWS::StackName}-console"}
    assert variables["POWERTOOLS_SERVICE_NAME"] == of_console
    assert variables["ORDERHOOK_STACK"] == STACK
    unhandled, errors = ALARMS["ConsoleUnhandledErrorsAlarm"], ALARMS["ConsoleErrorsAlarm"]
    assert (unhandled["MetricName"], unhandled["Dimensions"]) == (
        "UnhandledErrors",
        [{"Name": "service", "Value": of_console}],
    )
    assert errors["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "ConsoleFunction"}}]


def test_the_console_is_stopped_only_after_it_has_answered() -> None:
    assert FUNCTIONS["ConsoleFunction"]["Timeout"] > BUDGET_SECONDS
    assert FUNCTIONS["ConsoleFunction"]["Timeout"] == 10


# What tells the trader

NOTIFY = FUNCTIONS["NotifyFunction"]
NOTIFY_QUEUE = {"Fn::GetAtt": ["NotifyQueue", "Arn"]}
SENDING = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": NOTIFY_QUEUE}


def test_somebody_is_told_whether_the_stack_has_a_venue_a_console_or_an_address() -> None:
    names = ("NotifyQueue", "EveryMinute", "NotifyFunction", "NotifyRole", "NotifyLog", "NotificationsFailedAlarm")
    assert all("Condition" not in RESOURCES[name] for name in (*names, "NotifyErrorsAlarm", "NobodyLooksAlarm"))
    assert "Condition" not in TEMPLATE["Outputs"]["NotifyQueueUrl"]
    assert RESOURCES["RingNotify"]["Condition"] == "HasVenue"
    assert RESOURCES["PublishNotices"]["Condition"] == "TellsSomebody"


def test_every_minute_somebody_is_sent_to_look_and_a_late_one_is_left_out() -> None:
    schedule = RESOURCES["EveryMinute"]["Properties"]
    assert (schedule["ScheduleExpression"], schedule["FlexibleTimeWindow"]) == ("rate(1 minute)", {"Mode": "OFF"})
    assert (schedule["Target"]["Arn"], schedule["Target"]["Input"]) == (NOTIFY_QUEUE, LOOK)
    assert schedule["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    assert schedule["Target"]["RoleArn"] == {"Fn::GetAtt": ["EveryMinuteRole", "Arn"]}
    assert statements("EveryMinuteRole") == [SENDING]
    # For schedules of this stack alone.
    assert schedule["GroupName"] == {"Ref": "ScheduleGroup"}
    trust = ROLES["EveryMinuteRole"]["AssumeRolePolicyDocument"]
    assert trust == ROLES["SchedulerRole"]["AssumeRolePolicyDocument"]


def test_what_says_to_look_is_forgotten_in_minutes_and_never_a_dead_letter() -> None:
    queue = RESOURCES["NotifyQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 2 * NOTIFY["Timeout"]
    assert queue["MessageRetentionPeriod"] == 300
    assert queue["SqsManagedSseEnabled"] is True
    assert "RedrivePolicy" not in queue
    [event] = NOTIFY["Events"].values()
    assert event["Properties"] == {
        "Queue": NOTIFY_QUEUE,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 1,
        "ScalingConfig": {"MaximumConcurrency": 2},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }


def test_nobody_of_another_account_has_the_trader_told() -> None:
    [denied] = RESOURCES["NotifyQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    [of_reports] = RESOURCES["ReportQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert denied == of_reports | {"Resource": NOTIFY_QUEUE}
    assert RESOURCES["NotifyQueuePolicy"]["Properties"]["Queues"] == [{"Ref": "NotifyQueue"}]


def test_the_schedule_and_what_takes_reports_ring_and_nobody_on_an_alerts_way() -> None:
    assert RESOURCES["RingNotify"]["Properties"]["Roles"] == [{"Ref": "ReportsRole"}]
    assert RESOURCES["RingNotify"]["Properties"]["PolicyDocument"]["Statement"] == [SENDING]
    url = FUNCTIONS["ReportsFunction"]["Environment"]["Variables"]["ORDERHOOK_NOTIFY_QUEUE_URL"]
    assert url == {"Ref": "NotifyQueue"}
    assert {role for role in ROLES if SENDING in statements(role)} == {"EveryMinuteRole"}
    for name in ("WebhookFunction", "DeferredFunction", "ConsoleFunction"):
        assert "Notify" not in json.dumps(FUNCTIONS[name])
        assert "ORDERHOOK_NOTIFY_QUEUE_URL" not in FUNCTIONS[name]["Environment"]["Variables"]


@pytest.mark.parametrize("role", [name for name in ROLES if name != "NotifyRole"])
def test_nobody_but_the_function_that_tells_knows_of_notices_or_their_url(role: str) -> None:
    said = json.dumps([statements(role), ROLES[role].get("ManagedPolicyArns")])
    assert not re.search("NOTICES|ssm:|sns:|kms:", said)


def test_who_tells_writes_what_was_told_and_nothing_else() -> None:
    assert actions("NotifyRole") == TAKING_MESSAGES | {
        *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem", "ssm:GetParameter"),
        *("logs:CreateLogStream", "logs:PutLogEvents"),
    }
    [writes] = [it for it in statements("NotifyRole") if "UpdateItem" in str(it["Action"])]
    assert writes["Action"] == "dynamodb:UpdateItem"
    [own] = writes["Condition"]["ForAllValues:StringLike"].values()
    assert own == [items.notice_key("*", "")["pk"]]
    [listed] = [it for it in statements("NotifyRole") if it["Action"] == "dynamodb:Query" and "Condition" in it]
    [partitions] = listed["Condition"]["ForAllValues:StringLike"].values()
    assert {items.SIGN_IN_CODES, items.SESSIONS, items.key_key("*")["pk"]}.isdisjoint(partitions)
    [read] = [it for it in statements("NotifyRole") if "dynamodb:GetItem" in as_list(it["Action"])]
    [partitions] = read["Condition"]["ForAllValues:StringLike"].values()
    assert {items.SIGN_IN_CODES, items.SESSIONS}.isdisjoint(partitions)


def test_who_tells_reads_the_urls_of_this_stack_alone() -> None:
    [read] = [it for it in statements("NotifyRole") if "ssm:" in str(it["Action"])]
    assert (read["Action"], read["Resource"]) == ("ssm:GetParameter", URLS)
    pattern = URLS["Fn::Sub"].partition(":parameter")[2].replace("${AWS::StackName}", "mine")
    for trader in ("main", "a.b:c"):
        name = url_parameter("mine", trader)
        assert fnmatchcase(name, pattern)
        # What SSM takes for a name; a colon would begin a version.
        assert re.fullmatch(r"(/[\w.-]+)+", name)
        assert not fnmatchcase(url_parameter("mine2", trader), pattern)
    assert url_parameter("mine", "a:b") != url_parameter("mine", "a-b")


def test_e_mail_goes_by_the_topics_of_the_alarms_alone() -> None:
    [publish] = RESOURCES["PublishNotices"]["Properties"]["PolicyDocument"]["Statement"]
    topics = NOTIFY["Environment"]["Variables"]["ORDERHOOK_ALARM_TOPICS"]["Fn::Join"]
    assert topics == [",", ALARMS["GivenUpAlarm"]["AlarmActions"]]
    assert (publish["Action"], publish["Resource"]) == ("sns:Publish", ALARMS["GivenUpAlarm"]["AlarmActions"])
    assert RESOURCES["PublishNotices"]["Properties"]["Roles"] == [{"Ref": "NotifyRole"}]


def test_that_nobody_looks_is_an_alarm() -> None:
    alarm = ALARMS["NobodyLooksAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("orderhook", alarms.LOOKS, "Sum")
    assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
    assert (alarm["Threshold"], alarm["Period"] * alarm["EvaluationPeriods"]) == (1, 600)
    assert ALARMS["NotifyErrorsAlarm"]["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "NotifyFunction"}}]


def test_the_function_that_tells_is_stopped_only_after_its_table_and_two_messages() -> None:
    assert NOTIFY["Timeout"] >= notify.BUDGET_SECONDS + 2 * https.SECONDS
    assert NOTIFY["Environment"]["Variables"]["ORDERHOOK_STACK"] == STACK
    assert NOTIFY["Environment"]["Variables"]["ORDERHOOK_VENUE_TRADER"] == {"Ref": "VenueTrader"}


def test_a_function_says_which_version_it_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert GLOBALS["Environment"]["Variables"]["ORDERHOOK_VERSION"] == project["version"]
