"""`orderhook notify`: how a trader is told, tried, and what was told."""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.sns.models import sns_backends
from typer.testing import CliRunner, Result

import notify as function
from cli import connection, notify
from cli.app import app
from cli.aws import demo, notifier
from orderhook.aws.doorbell import LOOK
from orderhook.notifying.channels import EMAIL, by_terminal, url_parameter
from orderhook.notifying.looking import Recipient, look
from orderhook.orders import timestamp
from orderhook.store.notices import Notifying
from tests.cloudformation import stand_in
from tests.local_server import running
from tests.marks import OF_MESSAGES
from tests.service import Service, wall_clock

pytestmark = OF_MESSAGES

Run = Callable[..., Result]

TOKEN = "S3cr3tTokenThatStandsNowhereAtAll"
DISCORD = f"https://discord.com/api/webhooks/123456789012345678/{TOKEN}-abWXYZ"
SLACK = f"https://hooks.slack.com/services/T0/B0/{TOKEN}"
TELEGRAM = f"https://api.telegram.org/bot123:{TOKEN}/sendMessage?chat_id=-1001"

STACK = (
    '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>'
    "<member><StackName>mine</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{}</Outputs>"
    "<Parameters>{}</Parameters></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
)
OUTPUT = "<member><OutputKey>{}</OutputKey><OutputValue>{}</OutputValue></member>"
PARAMETER = "<member><ParameterKey>{}</ParameterKey><ParameterValue>{}</ParameterValue></member>"
OLDER = STACK.format(OUTPUT.format("TableName", "any"), "")


def stack_with(queue_url: str, **parameters: str) -> str:
    """Return how CloudFormation describes a stack."""
    outputs = {"TableName": "any", "NotifyQueueUrl": queue_url}
    return STACK.format(
        "".join(OUTPUT.format(name, value) for name, value in outputs.items()),
        "".join(PARAMETER.format(name, value) for name, value in parameters.items()),
    )


@pytest.fixture
def queue_url(service: Service) -> str:
    return str(boto3.client("sqs").create_queue(QueueName=f"notify-{service.trader}")["QueueUrl"])


@pytest.fixture
def run(service: Service, queue_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `orderhook notify` on a stack, whose table is the service's; what is `typed` comes by standard input."""
    monkeypatch.setattr(connection, "connect", lambda _address, _environment: service.services)
    monkeypatch.setattr(notify, "_POLL_SECONDS", 0)

    def run(*arguments: str, typed: str | None = None, parameters: dict[str, str] | None = None) -> Result:
        described = stack_with(queue_url, **(parameters or {"AlarmEmail": "you@example.com"}))
        with stand_in(monkeypatch)(described, 200):
            trader = () if "--trader" in arguments else ("--trader", service.trader)
            return CliRunner().invoke(app, ["notify", *arguments, "--stack", "mine", *trader], input=typed)

    return run


@pytest.fixture
def topic(service: Service, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the stack's function be there, with a topic of its own."""
    arn = str(boto3.client("sns").create_topic(Name=service.trader)["TopicArn"])
    monkeypatch.setattr(function, "services", service.handlers_services)
    monkeypatch.setattr(function, "stack", "mine")
    monkeypatch.setattr(function, "datetime", wall_clock(lambda: service.queue.now))
    monkeypatch.setattr(function, "topics", [arn])
    return arn


@pytest.fixture
def _in_function(queue_url: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the function take the messages of its queue while the command waits."""
    del topic

    def take(_: float) -> None:
        messages = boto3.client("sqs").receive_message(QueueUrl=queue_url).get("Messages", [])
        assert [it["Body"] for it in messages] == [LOOK]
        assert function.handler({"Records": [{"messageId": "1"}]}, None) == {"batchItemFailures": []}

    monkeypatch.setattr(time, "sleep", take)


def settings(service: Service) -> Notifying:
    return service.services.notices.settings(service.trader)


def kept_url(service: Service, stack: str = "mine") -> tuple[str, str] | None:
    """Return the type and the value of the parameter that SSM has."""
    ssm = boto3.client("ssm")
    try:
        found = ssm.get_parameter(Name=url_parameter(stack, service.trader), WithDecryption=True)["Parameter"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return found["Type"], found["Value"]


def recorded(service: Service) -> list[Mapping[str, str]]:
    """Return what the records of changes say; of the same moment in any order."""
    kept = list(service.alerts.newest(service.trader))
    assert {(it.command, it.outcome, it.origin) for it in kept} <= {("NOTIFY", "notify_set", "operator")}
    return [it.fields for it in kept]


def mails(topic: str) -> list[tuple[str, str]]:
    """Return subject and text of what SNS was given."""
    sent = sns_backends["123456789012"]["us-east-1"].topics[topic].sent_notifications
    return [(str(subject), text) for _, text, subject, *_ in sent]


# Setting


@pytest.mark.parametrize(("url", "service_name"), [(DISCORD, "discord"), (SLACK, "slack"), (TELEGRAM, "telegram")])
def test_a_url_of_standard_input_is_kept_in_ssm_and_shown_by_its_end(
    service: Service, run: Run, url: str, service_name: str
) -> None:
    result = run("set", typed=f"{url}\n")
    assert result.exit_code == 0, result.output
    assert f"Outgoing webhook: {service_name.title()}, by the URL that ends in {url[-4:]}." in result.stdout
    assert "Try it: orderhook notify test --stack mine" in result.stdout
    assert kept_url(service) == ("SecureString", url)
    assert (settings(service).service, settings(service).ends) == (service_name, url[-4:])


@pytest.mark.usefixtures("_in_function")
def test_the_url_is_nowhere_but_in_ssm(service: Service, run: Run) -> None:
    said = [run("set", typed=DISCORD).output, run("list").output, run("list", "--json").output]
    said += [run("set", "--off").output]
    in_table = repr(service.table.read_all())
    for text in (*said, in_table, service.output.take()):
        assert TOKEN not in text
        assert "123456789012345678" not in text


def test_its_record_says_who_and_what_and_of_the_url_four_characters(service: Service, run: Run) -> None:
    run("set", typed=DISCORD)
    run("set", "--email", "no", "--quiet", "22:00-07:00")
    run("set", "--off")
    fields = recorded(service)
    assert len(fields) == 3
    assert {"service": "discord", "ends": "WXYZ"} in fields
    assert {"email": "no", "quiet": "22:00-07:00", "zone": "America/New_York"} in fields
    assert {"service": "none", "ends": "none"} in fields


def test_at_a_terminal_it_is_asked_for_and_not_shown(
    run: Run, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return f" {SLACK} "

    monkeypatch.setattr(notify, "getpass", typed)
    monkeypatch.setattr(notify, "_is_typed", lambda: True)
    assert run("set").exit_code == 0
    assert asked == ["URL of the webhook (not shown): "]
    assert kept_url(service) == ("SecureString", SLACK)


BAD_URLS = [
    (f"http://discord.com/api/webhooks/1/{TOKEN}", "must begin with https://"),
    (f"https://discord.com.evil.example/api/webhooks/1/{TOKEN}", "host must be one of discord.com"),
    (f"https://{TOKEN}@discord.com/api/webhooks/1/x", "host must be one of"),
    (f"https://discord.com:8443/api/webhooks/1/{TOKEN}", "host must be one of"),
    (f"https://discord.com/api/users/{TOKEN}", "not as Discord gives it out"),
    (f"https://hooks.slack.com/services/{TOKEN}?x=1", "not as Slack gives it out"),
    (f"https://api.telegram.org/bot1:{TOKEN}/sendMessage", "not as Telegram gives it out"),
    (f"https://discord.com/api/webhooks/1/{TOKEN}\u200b", "not as Discord gives it out"),
    (f"https://[{TOKEN}", "URL"),
    ("", "No URL was given"),
]


@pytest.mark.parametrize(("url", "says"), BAD_URLS, ids=[str(number) for number, _ in enumerate(BAD_URLS)])
def test_a_url_that_leads_elsewhere_is_refused_and_not_repeated(
    service: Service, run: Run, url: str, says: str
) -> None:
    result = run("set", typed=url)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
    assert TOKEN not in result.output
    assert kept_url(service) is None
    assert settings(service) == Notifying()


def test_a_url_in_the_command_is_not_set_nor_repeated(service: Service, run: Run) -> None:
    result = run("set", DISCORD)
    assert result.exit_code == 2
    assert "The URL is asked for" in " ".join(result.output.split())
    assert TOKEN not in result.output
    assert settings(service) == Notifying()


@pytest.mark.parametrize(
    "option", ["", "set --email", "set --quiet", "set --zone", "set --stack", "test", "test --stack"]
)
def test_a_url_in_any_place_is_not_repeated(
    service: Service, queue_url: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [*option.split(), DISCORD, "--trader", service.trader]
    monkeypatch.setattr(connection, "connect", lambda _address, _environment: service.services)
    with stand_in(monkeypatch)(stack_with(queue_url), 200):
        on_stack = [] if "--stack" in option else ["--stack", "mine"]
        result = CliRunner().invoke(app, ["notify", *arguments, *on_stack], input=f"{SLACK}\n")
    assert result.exit_code != 0
    assert result.output
    assert TOKEN not in "".join(result.output.split())
    assert settings(service) == Notifying()


def test_a_url_is_set_on_a_stack_alone(service: Service) -> None:
    result = CliRunner().invoke(app, ["notify", "set", "--trader", service.trader], input=DISCORD)
    assert result.exit_code == 2
    assert "Add --stack NAME" in result.output


def test_a_stack_of_an_older_version_is_told_of(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "connect", lambda _address, _environment: service.services)
    for arguments in (["set"], ["test"], ["list"]):
        with stand_in(monkeypatch)(OLDER, 200):
            words = ["notify", *arguments, "--stack", "mine", "--trader", service.trader]
            result = CliRunner().invoke(app, words, input=DISCORD)
        assert result.exit_code == 1
        assert "has no output NotifyQueueUrl, so it is older" in result.output
    assert kept_url(service) is None


def test_what_ssm_refuses_is_said_without_the_url_and_sets_nothing(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = f"1 validation error detected: Value '{DISCORD}' at 'value' failed to satisfy constraint"
    refuse(monkeypatch, "PutParameter", "ValidationException", refusal)
    result = run("set", typed=DISCORD)
    assert result.exit_code == 1
    assert "The URL cannot be kept in SSM, and nothing was set" in result.output
    assert TOKEN not in result.output
    assert settings(service) == Notifying()
    assert recorded(service) == []


def test_off_forgets_the_url_and_once_more_does_no_harm(service: Service, run: Run) -> None:
    run("set", typed=DISCORD)
    for _ in range(2):
        result = run("set", "--off")
        assert (result.exit_code, "Outgoing webhook: none." in result.stdout) == (0, True)
        assert kept_url(service) is None
        assert settings(service).service is None


def test_a_url_that_ssm_does_not_delete_is_named_for_who_can(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("set", typed=DISCORD)
    refuse(monkeypatch, "DeleteParameter", "AccessDeniedException", "User me is not authorized")
    result = run("set", "--off")
    assert result.exit_code == 1
    assert f"SSM still has its URL, as {url_parameter('mine', service.trader)}" in " ".join(result.output.split())
    assert settings(service).service is None
    assert {"service": "none", "ends": "none"} in recorded(service)


def test_a_trader_without_a_key_is_mistyped(service: Service, run: Run) -> None:
    result = run("set", "--trader", "mian", typed=DISCORD)
    assert (result.exit_code, "No key belongs to a trader 'mian'" in result.output) == (1, True)
    assert kept_url(service) is None


# Quiet hours, e-mail


def test_quiet_hours_are_set_moved_to_another_zone_and_ended(service: Service, run: Run) -> None:
    assert "Quiet from 22:00 to 07:00, America/New_York." in run("set", "--quiet", "22:00-07:00").stdout
    assert "Quiet from 22:00 to 07:00, Europe/Berlin." in run("set", "--zone", "europe/berlin").stdout
    assert "Quiet from 23:00 to 06:30, Europe/Berlin." in run("set", "--quiet", "23:00-06:30").stdout
    assert "Quiet" not in run("set", "--quiet", "none").stdout
    assert settings(service).quiet is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--quiet", "22-7"], "write quiet hours as 22:00-07:00"),
        (["--quiet", "25:00-07:00"], "write quiet hours as 22:00-07:00"),
        (["--quiet", "07:00-07:00"], "cannot end when they begin"),
        (["--quiet", "22:00-07:00", "--zone", "Mars/Olympus"], "the zone must be one of America/New_York"),
        (["--zone", "Europe/Berlin"], "write --quiet 22:00-07:00 too"),
        (["--quiet", "none", "--zone", "Europe/Berlin"], "leave it out with --quiet none"),
        (["--email", "maybe"], "is not one of 'yes', 'no'"),
    ],
)
def test_hours_and_zones_that_cannot_be_set_nothing(
    service: Service, run: Run, arguments: list[str], says: str
) -> None:
    result = run("set", *arguments)
    assert (result.exit_code, says in " ".join(result.output.split())) == (2, True), result.output
    assert settings(service) == Notifying()


def test_who_turns_off_the_last_way_is_told_that_nobody_is_told(run: Run) -> None:
    result = run("set", "--email", "no")
    assert "E-mail: no, for `--email no` was set. Outgoing webhook: none." in result.stdout
    assert "Nobody is told of anything." in result.stdout
    assert "Nobody" not in run("set", "--email", "yes").stdout
    without = run("set", "--email", "yes", parameters={"AlarmEmail": "", "AlarmTopicArn": ""})
    assert "E-mail: no, for the stack has no AlarmEmail." in without.stdout
    assert "Nobody is told of anything." in without.stdout


def test_what_waits_for_the_morning_is_not_lost_by_another_setting(service: Service, run: Run) -> None:
    notices, begun = service.services.notices, service.queue.now - timedelta(hours=8)
    notices.begin_summing(service.trader, EMAIL, begun)
    run("set", "--quiet", "22:00-07:00")
    run("set", typed=DISCORD)
    run("set", "--email", "no")
    assert summed_since(service, EMAIL) == timestamp(begun)
    # But of what came before a way was there, nothing is told by it.
    run("set", "--email", "yes")
    assert summed_since(service, EMAIL) > timestamp(begun)
    assert summed_since(service, "discord") > timestamp(begun)


def summed_since(service: Service, way: str) -> str:
    summing = service.services.notices.summing(service.trader, way)
    assert summing is not None
    return summing.since


# Trying


@pytest.mark.usefixtures("_in_function")
def test_a_test_goes_by_the_queue_and_the_function_to_the_topic(run: Run, topic: str) -> None:
    result = run("test")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("e-mail: sent, to every address that has confirmed its subscription\n")
    [(subject, text)] = mails(topic)
    assert subject == "mine: test: This is how you are told"
    assert text.startswith("orderhook, mine")
    assert "\n\ntest: This is how you are told\n" in text


@pytest.mark.usefixtures("_in_function")
def test_a_test_says_which_way_failed_and_why(service: Service, run: Run) -> None:
    service.services.notices.change(service.trader, service="slack", ends="abcd")
    result = run("test")
    assert result.exit_code == 1
    assert "e-mail: sent" in result.stdout
    assert "slack: not sent, try 1 of 3: its URL cannot be read: ParameterNotFound" in result.stdout
    assert "slack" in run("list").stdout


def test_a_test_without_any_way_says_how_to_have_one(run: Run) -> None:
    result = run("test", parameters={"AlarmEmail": "", "AlarmTopicArn": ""})
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "no outgoing webhook, and the stack has no AlarmEmail. Set one: orderhook notify set --stack mine" in said


def test_a_test_that_nobody_takes_up_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "_TEST_SECONDS", -1)
    result = run("test")
    assert result.exit_code == 1
    assert "e-mail: nobody has told it within" in result.stdout


@pytest.mark.usefixtures("_in_function")
def test_a_queue_that_refuses_is_told_of_and_the_minute_waited_for(
    run: Run, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "SendMessage", "AccessDenied", "User me is not authorized")

    def minute_passes(_: float) -> None:
        assert function.handler({"Records": [{"messageId": "1"}]}, None) == {"batchItemFailures": []}

    monkeypatch.setattr(time, "sleep", minute_passes)
    result = run("test")
    assert (result.exit_code, len(mails(topic))) == (0, 1)
    assert "it looks within a minute" in " ".join(result.output.split())


def test_on_this_machine_a_test_is_printed_by_the_server(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    recipient, way = Recipient(service.handlers_services, service.trader, "this machine"), by_terminal(shown.append)
    monkeypatch.setattr(time, "sleep", lambda _: [*look(recipient, service.queue.now, lambda _: [way])])
    monkeypatch.setattr(connection, "connect", lambda _address, _environment: service.services)
    result = CliRunner().invoke(app, ["notify", "test", "--trader", service.trader, "--port", "3731"])
    assert (result.exit_code, result.stdout) == (0, "terminal: sent: it stands in the window of the server\n")
    assert "test: This is how you are told" in shown[0]


def test_the_server_prints_what_is_told_beside_the_requests_and_not_what_the_demo_did(tmp_path: Path) -> None:
    with running(tmp_path / "log", with_alerts=True) as server:
        assert any(it["results"] for it in server.data("alerts"))  # done in some accounts alone
        server.post(f"key={demo.KEY}; kill_switch=on;")
        assert server.run("notify", "test").exit_code == 0
        log = server.log.read_text()
        assert "orderhook, this machine" not in log
        told = re.findall(r"^\d\d:\d\d:\d\d  told (\w+): .*\n {15}\S", log, re.MULTILINE)
        assert sorted(told) == ["kill_switch_on", "test"]
        assert demo.KEY not in log[log.index("told") :]
        assert "A server on this machine tells you" in server.run("notify", "list").stdout


def test_the_server_sums_no_alert_that_the_demo_was_refused(service: Service) -> None:
    shown: list[str] = []
    service.cancel("of-the-demo")
    with notifier.running(service.services, Lock(), lambda _: None, past_is_told=True):
        pass
    service.let_pass(60)
    service.cancel("of-a-person")
    recipient, way = Recipient(service.services, service.trader, "this machine"), by_terminal(shown.append)
    list(look(recipient, service.queue.now + timedelta(minutes=2), lambda _: [way]))
    [told] = shown
    assert "order_not_found: 1 alert was refused" in told


# Listing


@pytest.mark.usefixtures("_in_function")
def test_the_list_has_what_was_told_newest_first(service: Service, run: Run) -> None:
    assert "Nothing was told yet." in run("list").stdout
    service.services.notices.begin_summing(service.trader, EMAIL, service.queue.now)
    service.cancel("none")  # an id that nothing may have
    service.pass_time(90)
    assert function.handler({"Records": [{"messageId": "1"}]}, None) == {"batchItemFailures": []}
    run("test")
    lines = run("list").stdout.splitlines()
    assert lines[0] == "E-mail: yes. Outgoing webhook: none."
    assert [line.split() for line in lines[1:2]] == [["time", "way", "state", "what"]]
    assert [re.sub(r"^\S+ \S+ UTC +", "", line).rstrip() for line in lines[2:]] == [
        "e-mail  sent   test: This is how you are told",
        "e-mail  sent   invalid_value: 1 alert was refused",
    ]
    shown = json.loads(run("list", "--json").stdout)
    assert shown["ways"] == ["e-mail"]
    assert shown["url_ends"] is None
    assert [(it["channel"], it["state"]) for it in shown["told"]] == [("e-mail", "sent")] * 2


def refuse(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, message: str) -> None:
    """Have AWS refuse an operation to the clients that are made from here on."""
    make = boto3.client

    def client(service: str, **options: Any) -> Any:
        made = make(service, **options)  # type: ignore[call-overload]

        def answer(**_: object) -> None:
            raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

        made.meta.events.register(f"before-call.{service}.{operation}", answer)
        return made

    monkeypatch.setattr(boto3, "client", client)
