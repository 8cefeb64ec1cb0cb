"""The stack with a venue, and the real bridge beside it, whose credentials have BridgePolicy and nothing else."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError

from bridge.settings import BridgeSettings
from cli.aws.paper import Paper
from tests import bridge_process, oif_reader
from tests.deploy.emulator import REGION, Emulator
from tests.deploy.stack import PATIENCE_SECONDS, Stack, wait_for

ES = "account=Sim101; instrument=ES1!; action=BUY; qty=1; tif=DAY;"
BRACKET = "order_type=MARKET; take_profit=5040; stop_loss=4960; strategy_id=trend;"
WORKING = {"long": "Filled", "long.TARGET1": "Working", "long.STOP1": "Working"}


class Credentials(NamedTuple):
    """Of the user that the bridge is."""

    key_id: str
    secret: str

    def environment(self, emulator: Emulator) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_SESSION_TOKEN": "",
            "AWS_ENDPOINT_URL": emulator.address,
        }

    def client(self, emulator: Emulator, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=REGION,
            endpoint_url=emulator.address,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
        )


@pytest.fixture(scope="module")
def stack(emulator: Emulator, template: Path) -> Stack:
    """A stack with a venue, and as little else as it takes."""
    stack = Stack(emulator, "venue")
    stack.deploy(template, Venue="ninjatrader")
    return stack


@pytest.fixture(scope="module")
def credentials(stack: Stack) -> Credentials:
    """What docs/bridge.md has its reader make in the console."""
    iam = stack.client("iam")
    iam.create_user(UserName="orderhook-bridge")
    iam.attach_user_policy(UserName="orderhook-bridge", PolicyArn=stack.output("BridgePolicyArn"))
    made = iam.create_access_key(UserName="orderhook-bridge")["AccessKey"]
    return Credentials(made["AccessKeyId"], made["SecretAccessKey"])


@pytest.fixture(scope="module")
def settings(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NinjaTrader's folder, with what `orderhook bridge setup` has written beside it."""
    folder = tmp_path_factory.mktemp("ninjatrader")
    result = stack.orderhook("bridge", "setup", "--config", str(folder / bridge_process.SETTINGS))
    assert result.exit_code == 0, result.output
    assert stack.output("BridgePolicyArn") in result.stdout
    return folder


@pytest.fixture
def paper(settings: Path) -> Iterator[Paper]:
    with bridge_process.ninjatrader(settings) as paper:
        yield paper


def states(stack: Stack) -> dict[str, str]:
    return {order["order_id"]: order["state"] for order in stack.data("orders")}


def until(condition: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait until something is so, but no longer than the bridge runs."""

    def look() -> bool:
        assert process.poll() is None, process.stdout and process.stdout.read()
        return bool(condition())

    wait_for(look)


def asked_by(emulator: Emulator) -> dict[str, set[str]]:
    """Return what the bridge has asked for: of each action the partitions of the table, or the queues."""
    asked: dict[str, set[str]] = {}
    for target, body in emulator.asked_by_users:
        service, _, operation = target.partition(".")
        said = json.loads(body)
        if service == "AmazonSQS":
            asked.setdefault(f"sqs:{operation}", set()).add(said["QueueUrl"].rpartition("/")[2])
        else:
            keys = said.get("Key") or {"pk": said["ExpressionAttributeValues"][":pk"]}
            asked.setdefault(f"dynamodb:{operation}", set()).add(keys["pk"]["S"])
    return asked


def allowed(stack: Stack) -> dict[str, set[str]]:
    """Return the same of what the policy allows, as it was deployed."""
    policy, iam = stack.output("BridgePolicyArn"), stack.client("iam")
    version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    found: dict[str, set[str]] = {}
    for statement in iam.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]["Document"][
        "Statement"
    ]:
        actions, queue = statement["Action"], {statement["Resource"].rpartition(":")[2]}
        for action in [actions] if isinstance(actions, str) else actions:
            keys = statement.get("Condition", {}).get("ForAllValues:StringEquals", {}).get("dynamodb:LeadingKeys")
            found[action] = queue if keys is None else set(keys)
    return found


def test_an_alert_is_filled_and_told_by_the_bridge_and_cancelled(
    stack: Stack, credentials: Credentials, settings: Path, paper: Paper
) -> None:
    key, as_bridge = stack.new_key(), credentials.environment(stack.emulator)
    place = f"key={key}; command=PLACE; {ES} order_type=MARKET;"
    # Before anything was heard of a bridge; a function that starts on a busy machine may not answer the first in time.
    wait_for(lambda: stack.post_once(place).word == "venue_offline")

    process = bridge_process.start(settings, as_bridge)
    try:
        # As TradingView does, the alert is sent again after each 5xx, until the bridge is ready.
        answer = stack.post(f"key={key}; command=PLACE; order_id=long; {ES} {BRACKET}")
        assert answer.word == "placed"
        until(lambda: states(stack) == WORKING and stack.data("positions") and stack.data("executions"), process)
        [position] = stack.data("positions")
        assert (position["account"], position["side"], position["quantity"]) == ("Sim101", "LONG", "1")
        [execution] = stack.data("executions")
        assert (execution["order_id"], execution["quantity"], execution["price"]) == ("long", "1", "5000")

        cancel = stack.post(f"key={key}; command=CANCEL; order_id=STOP1; strategy_id=trend;")
        assert cancel.word == "cancel_pending"
        until(lambda: states(stack) == WORKING | {"long.STOP1": "Cancelled"}, process)
        assert stack.data("order", "long.STOP1")["history"][-2]["request_id"] == cancel.request_id
        status = json.loads(bridge_process.ask(settings, as_bridge, "status", "--json"))
        assert (status["owner"]["ready"], status["here"]["running"]) == (True, True), status
    finally:
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "The bridge has stopped." in printed) == (0, True), printed
    wait_for(lambda: stack.post_once(place).word == "venue_offline")
    placed = [line.order_id for line in map(oif_reader.read_line, paper.lines) if line.command == "PLACE"]
    # The entry, its stop, its target, and the target again, which had ended with the stop.
    assert len(placed) == len(set(placed)) == 4
    assert asked_by(stack.emulator) == allowed(stack)


TABLE, OWN = {"TableName": "table"}, {"S": "TRADER#main"}
CONTROLS = TABLE | {"Key": {"pk": OWN, "sk": {"S": "CONTROLS"}}}
OFF = {"UpdateExpression": "SET kill_switch = :off", "ExpressionAttributeValues": {":off": {"BOOL": False}}}
ALL = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": OWN}}
FORBIDDEN: dict[str, dict[str, Any]] = {
    "dynamodb put_item": TABLE | {"Item": CONTROLS["Key"]},
    "dynamodb update_item": CONTROLS | OFF,
    "dynamodb delete_item": CONTROLS,
    "dynamodb scan": TABLE,
    "dynamodb query": TABLE | ALL,  # not by the index of what is open
    "sqs receive_message": {"QueueUrl": "report_queue_url"},
    "sqs purge_queue": {"QueueUrl": "report_queue_url"},
    "sqs send_message": {"QueueUrl": "doorbell_url", "MessageBody": "look"},
    "lambda list_functions": {},
    "iam list_users": {},
    "cloudformation list_stacks": {},
}
"""What the bridge's user may not do; its settings stand under their names."""


def test_the_bridges_user_may_do_nothing_else(stack: Stack, credentials: Credentials, settings: Path) -> None:
    # The emulator does not know dynamodb:LeadingKeys, and would let through what is of another trader: that the bridge
    # asks for its own trader's alone, and that the policy as it was deployed names that one, stands above.
    there = BridgeSettings.read(settings / bridge_process.SETTINGS)._asdict()
    for what, arguments in FORBIDDEN.items():
        service, operation = what.split()
        given = {name: there.get(str(value), value) for name, value in arguments.items()}
        with pytest.raises(ClientError, match="not authorized") as caught:
            getattr(credentials.client(stack.emulator, service), operation)(**given)
        assert "AccessDenied" in caught.value.response["Error"]["Code"], what
    assert len(stack.emulator.denied) == len(FORBIDDEN)
    stack.emulator.denied.clear()
