"""What a deployed stack tells its trader: by e-mail through its own topic, and by the webhook that was set.

There may be no way from here to Discord: whether its message got there is not asked, but that what came of it is said.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.app import app
from tests.deploy.emulator import Emulator
from tests.deploy.stack import Stack, wait_for

TOKEN = "S3cr3tTokenThatStandsNowhereAtAll"
URL = f"https://discord.com/api/webhooks/123456789012345678/{TOKEN}"
PARAMETER = "/orderhook/told/notify/main"


@pytest.fixture(scope="module")
def told(emulator: Emulator, template: Path) -> Iterator[Stack]:
    """A stack that has somebody to tell, and a queue that hears what its topic is given."""
    stack = Stack(emulator, "told")
    stack.deploy(template, AlarmEmail="you@example.com", DeletionProtection="false")
    sqs, sns = stack.client("sqs"), stack.client("sns")
    queue = sqs.create_queue(QueueName="told-hears")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=stack.resources["AlarmTopic"], Protocol="sqs", Endpoint=arn)
    stack.new_key()
    yield stack
    stack.delete()


def mails(stack: Stack) -> list[tuple[str, str]]:
    """Return subject and text of what the topic has been given since the last time."""
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName="told-hears")["QueueUrl"]
    found: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [(it["Subject"], it["Message"]) for it in found]


def listed(stack: Stack) -> dict[str, Any]:
    shown: dict[str, Any] = stack.data("notify", "list")
    return shown


def test_before_a_url_is_set_a_test_is_told_by_e_mail_alone(told: Stack) -> None:
    result = told.orderhook("notify", "test")
    assert (result.exit_code, result.stdout.startswith("e-mail: sent")) == (0, True), result.output
    assert [subject for subject, _ in mails(told)] == ["told: test: This is how you are told"]


def test_the_url_is_a_secure_string_and_stands_nowhere_else(told: Stack) -> None:
    printed = CliRunner().invoke(
        app, ["notify", "set", "--stack", told.name], input=f"{URL}\n", env=told.emulator.environment
    )
    assert printed.exit_code == 0, printed.output
    assert f"Discord, by the URL that ends in {URL[-4:]}" in printed.stdout
    kept = told.client("ssm").get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]
    assert (kept["Type"], kept["Value"]) == ("SecureString", URL)
    tried = told.orderhook("notify", "test")
    [became] = [line for line in tried.stdout.splitlines() if line.startswith("discord: ")]
    # A webhook of this number there is not: whatever Discord, or the way to it, has said, it says.
    assert became.startswith(("discord: not sent", "discord: failed")), tried.output
    assert tried.exit_code == 1
    assert "e-mail: sent" in tried.stdout
    table = told.client("dynamodb").scan(TableName=told.output("TableName"))["Items"]
    said = [printed.output, tried.output, repr(table), repr(told.log("notify")), repr(listed(told)), repr(mails(told))]
    assert [text for text in said if TOKEN in text] == []
    assert {line["state"] for line in told.log("notify") if line.get("channel") == "discord"} <= {
        *("failed", "not reached"),
    }


def test_a_refused_alert_is_told_once_by_the_schedule_of_every_minute(told: Stack) -> None:
    key = told.new_key()
    mails(told)
    assert told.post(f"key={key}; command=CANCEL; order_id=none;").word == "invalid_value"
    heard: list[tuple[str, str]] = []

    def told_of_it() -> bool:
        heard.extend(mails(told))
        return any("invalid_value: 1 alert was refused" in text for _, text in heard)

    wait_for(told_of_it)
    [(channel, state)] = [
        (it["channel"], it["state"])
        for it in listed(told)["told"]
        if it["title"].startswith("invalid_value") and it["channel"] == "e-mail"
    ]
    assert (channel, state) == ("e-mail", "sent")
    assert len([text for _, text in heard if "invalid_value" in text]) == 1
    assert key.rpartition("_")[2] not in repr(heard)


def test_the_kill_switch_is_told_of_and_off_forgets_the_url(told: Stack) -> None:
    assert told.orderhook("notify", "set", "--off").exit_code == 0
    ssm = told.client("ssm")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=PARAMETER)
    assert told.orderhook("kill-switch", "on").exit_code == 0
    wait_for(lambda: any("kill_switch_on" in subject for subject, _ in mails(told)))
    assert told.orderhook("kill-switch", "off").exit_code == 0


def test_verify_says_who_is_told(told: Stack) -> None:
    lines = told.orderhook("verify").stdout.splitlines()
    [line] = [line for line in lines if line.split()[1] == "notify"]
    assert line.split()[0] in ("ok", "warning")
