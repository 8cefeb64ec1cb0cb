import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.utils import is_valid_endpoint_url
from hypothesis import given
from hypothesis import strategies as st

from cli.aws.table import read_template
from orderhook.settings import DeferredSettings, Settings
from orderhook.venues import NINJATRADER, TABLE

TRADINGVIEW = ["52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7"]


def settings(**environment: str) -> Settings:
    return Settings.from_environment(
        {"ORDERHOOK_TABLE": "orders"} | {f"ORDERHOOK_{name}": value for name, value in environment.items()}
    )


@pytest.mark.parametrize(
    "unset", [{}, {"KEY_CACHE_SECONDS": "", "RETENTION_DAYS": "", "ALERT_RETENTION_DAYS": "", "ALLOWED_SOURCES": ""}]
)
def test_only_the_table_has_no_default(unset: dict[str, str]) -> None:
    assert settings(**unset) == Settings(
        table="orders",
        key_cache_seconds=30,
        retention=timedelta(days=30),
        alert_retention=timedelta(days=90),
        allowed_sources=(),
    )


def test_everything_can_be_chosen() -> None:
    chosen = settings(
        TABLE="other",
        KEY_CACHE_SECONDS="2.5",
        RETENTION_DAYS="90",
        ALERT_RETENTION_DAYS="400",
        ALLOWED_SOURCES=" 10.0.0.0/8,192.0.2.1 , 2001:db8::/32,",
    )
    assert chosen.table == "other"
    assert chosen.key_cache_seconds == 2.5
    assert chosen.retention == timedelta(days=90)
    assert chosen.alert_retention == timedelta(days=400)
    assert [str(network) for network in chosen.allowed_sources] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("KEY_CACHE_SECONDS", "0"),
        ("KEY_CACHE_SECONDS", "30"),
        ("RETENTION_DAYS", "7"),
        ("RETENTION_DAYS", "3650"),
        ("ALERT_RETENTION_DAYS", "0"),
        ("ALERT_RETENTION_DAYS", "3650"),
    ],
)
def test_the_limits_themselves_are_allowed(name: str, limit: str) -> None:
    settings(**{name: limit})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_CACHE_SECONDS", "-1"),
        ("KEY_CACHE_SECONDS", "30.1"),
        ("KEY_CACHE_SECONDS", "nan"),
        ("KEY_CACHE_SECONDS", "inf"),
        ("RETENTION_DAYS", "6"),
        ("RETENTION_DAYS", "6.99"),
        ("RETENTION_DAYS", "0"),
        ("RETENTION_DAYS", "3651"),
        ("RETENTION_DAYS", "nan"),
        ("ALERT_RETENTION_DAYS", "-1"),
        ("ALERT_RETENTION_DAYS", "3651"),
    ],
)
def test_a_number_outside_its_limits_stops_the_deployment_by_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"^ORDERHOOK_{name} must be from \d+ to \d+, not "):
        settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_CACHE_SECONDS", "soon"),
        ("RETENTION_DAYS", "a week"),
        ("ALERT_RETENTION_DAYS", "never"),
        ("ALLOWED_SOURCES", "tradingview.com"),
        ("ALLOWED_SOURCES", "010.0.0.1"),
        ("ALLOWED_SOURCES", "10.0.0.0/8 192.0.2.1"),
        ("TABLE", ""),
    ],
)
def test_a_setting_that_cannot_be_understood_stops_the_deployment(name: str, value: str) -> None:
    with pytest.raises((KeyError, ValueError)):
        settings(**{name: value})


def test_a_missing_table_stops_the_deployment() -> None:
    with pytest.raises(KeyError, match="ORDERHOOK_TABLE"):
        Settings.from_environment({})


@pytest.mark.parametrize("address", [*TRADINGVIEW, "192.0.2.1", "::1", "", "None"])
def test_without_an_allow_list_every_source_may_ask(address: str) -> None:
    assert settings().allows_source(address)


@pytest.mark.parametrize("address", TRADINGVIEW)
def test_the_sources_of_the_allow_list_may_ask(address: str) -> None:
    assert settings(ALLOWED_SOURCES=",".join(TRADINGVIEW)).allows_source(address)


@pytest.mark.parametrize(
    "address", ["52.89.214.239", "192.0.2.1", "::1", "::ffff:52.89.214.237", "", "None", "localhost"]
)
def test_a_source_outside_the_allow_list_may_not_ask(address: str) -> None:
    assert not settings(ALLOWED_SOURCES=",".join(TRADINGVIEW)).allows_source(address)


def test_a_network_of_the_allow_list_holds_all_its_addresses() -> None:
    networks = settings(ALLOWED_SOURCES="10.1.0.0/16,2001:db8::/32")
    assert networks.allows_source("10.1.255.255")
    assert networks.allows_source("2001:db8::7")
    assert not networks.allows_source("10.2.0.0")
    assert not networks.allows_source("2001:db9::7")


def test_an_address_with_a_prefix_is_the_network_that_it_lies_in() -> None:
    assert settings(ALLOWED_SOURCES="52.89.214.238/24") == settings(ALLOWED_SOURCES="52.89.214.0/24")


# What the template accepts

TEMPLATE = read_template()
PARAMETERS = TEMPLATE["Parameters"]
VARIABLES = {
    "KEY_CACHE_SECONDS": "KeyCacheSeconds",
    "RETENTION_DAYS": "RetentionDays",
    "ALERT_RETENTION_DAYS": "AlertRetentionDays",
    "ALLOWED_SOURCES": "SourceAllowList",
    "VENUE": "Venue",
    "TOO_LATE_SECONDS": "TooLateSeconds",
}


def accepted(parameter: dict[str, Any]) -> st.SearchStrategy[str]:
    """Draw the text of what CloudFormation lets pass for a parameter."""
    if "AllowedValues" in parameter:
        return st.sampled_from([str(value) for value in parameter["AllowedValues"]])
    if parameter["Type"] == "Number":
        low, high = parameter["MinValue"], parameter["MaxValue"]
        return st.integers(low, high).map(str) | st.decimals(low, high, places=3).map(str)
    longest = parameter.get("MaxLength", 4096)
    return st.from_regex(parameter["AllowedPattern"], fullmatch=True).filter(lambda text: len(text) <= longest)


NUMBERS = st.integers(0, 300).map(str) | st.integers(0, 40).map(str) | st.integers(0, 99).map("{:02}".format)
"""Numbers as addresses have them, and some that only look so."""


def test_every_parameter_that_the_settings_read_is_tried() -> None:
    functions = [TEMPLATE["Globals"]["Function"], TEMPLATE["Resources"]["WebhookFunction"]["Properties"]]
    variables = {name: value for it in functions for name, value in it["Environment"]["Variables"].items()}
    read = {name: value for name, value in variables.items() if isinstance(value, str) and value in PARAMETERS}
    assert read == {
        **{f"ORDERHOOK_{name}": parameter for name, parameter in VARIABLES.items()},
        "AWS_ENDPOINT_URL_DYNAMODB": "DynamoDBEndpoint",
    }


@given(st.fixed_dictionaries({name: accepted(PARAMETERS[parameter]) for name, parameter in VARIABLES.items()}))
def test_the_settings_take_what_the_template_accepts(values: dict[str, str]) -> None:
    settings(DOORBELL_URL="https://queue", **values)


@given(st.tuples(*[NUMBERS] * 4).map(".".join), NUMBERS | st.none())
def test_an_address_is_refused_by_the_template_or_taken_by_the_settings(address: str, prefix: str | None) -> None:
    source = address if prefix is None else f"{address}/{prefix}"
    if re.fullmatch(PARAMETERS["SourceAllowList"]["AllowedPattern"], source):
        settings(ALLOWED_SOURCES=source)


@given(accepted(PARAMETERS["DynamoDBEndpoint"]).filter(bool))
def test_the_client_takes_the_endpoint_that_the_template_accepts(endpoint: str) -> None:
    assert is_valid_endpoint_url(endpoint)
    assert urlsplit(endpoint).port != 0


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("DynamoDBEndpoint", "localhost:8000"),
        ("DynamoDBEndpoint", "dynamodb.us-east-1.amazonaws.com"),
        ("DynamoDBEndpoint", "http://"),
        ("DynamoDBEndpoint", "http://-a"),
        ("DynamoDBEndpoint", "http://a:65536"),
        ("DynamoDBEndpoint", "http://a:0"),
        ("SourceAllowList", "052.89.214.238"),
        ("SourceAllowList", "05.89.214.238"),
        ("SourceAllowList", "52.89.214.256"),
        ("SourceAllowList", "52.89.214.238/33"),
        ("SourceAllowList", "52.89.214.238 34.212.75.30"),
        ("SourceAllowList", ","),
        ("DomainName", "https://alerts.example.com"),
        ("DomainName", "alerts.example.com/webhook"),
        ("AlarmEmail", "me"),
        ("AlarmEmail", "me@example.com, you@example.com"),
    ],
)
def test_the_template_refuses_what_would_leave_a_dead_endpoint(parameter: str, value: str) -> None:
    assert not re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], value)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("DynamoDBEndpoint", "http://host.docker.internal:3000"),
        ("DynamoDBEndpoint", "https://vpce-0123456789abcdef0-abcdefgh.dynamodb.us-east-1.vpce.amazonaws.com"),
        ("DynamoDBEndpoint", "http://127.0.0.1:65535/"),
        ("SourceAllowList", "52.89.214.238/24"),
        ("SourceAllowList", "52.89.214.238, 10.0.0.0/8,0.0.0.0/0"),
        ("AlarmEmail", "first.last+alarms@mail.example.com"),
        ("DomainName", "alerts.example.com"),
        ("AlarmTopicArn", "arn:aws:sns:us-east-1:123456789012:alarms"),
    ],
)
def test_the_template_accepts_what_people_write(parameter: str, value: str) -> None:
    assert re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], value)


# What is deferred

QUEUE = {
    "QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/queue",
    "QUEUE_ARN": "arn:aws:sqs:us-east-1:123456789012:queue",
    "DEAD_LETTER_ARN": "arn:aws:sqs:us-east-1:123456789012:dead",
    "SCHEDULE_GROUP": "group",
    "SCHEDULER_ROLE": "arn:aws:iam::123456789012:role/scheduler",
}


def test_a_deployment_with_a_queue_can_defer() -> None:
    assert settings(**QUEUE).deferred == DeferredSettings(**{name.lower(): value for name, value in QUEUE.items()})


@pytest.mark.parametrize("unset", [{}, dict.fromkeys(QUEUE, "")])
def test_a_deployment_without_a_queue_cannot(unset: dict[str, str]) -> None:
    assert settings(**unset).deferred is None


@pytest.mark.parametrize("missing", QUEUE)
def test_a_queue_with_a_part_missing_stops_the_deployment_by_name(missing: str) -> None:
    with pytest.raises(ValueError, match=rf"^ORDERHOOK_{missing} must be set too; "):
        settings(**{**QUEUE, missing: ""})


def test_without_a_word_about_it_there_is_no_venue() -> None:
    assert (settings().venue, settings().doorbell_url) == (TABLE, None)
    assert settings(VENUE="none", DOORBELL_URL="").doorbell_url is None


@pytest.mark.parametrize(("more", "too_late"), [({}, 30), ({"TOO_LATE_SECONDS": "45"}, 45)])
def test_a_venue_has_its_doorbell_and_its_time(more: dict[str, str], too_late: int) -> None:
    chosen = settings(VENUE="ninjatrader", DOORBELL_URL="https://queue", **more)
    assert chosen.venue == NINJATRADER._replace(too_late=timedelta(seconds=too_late))
    assert chosen.doorbell_url == "https://queue"


@pytest.mark.parametrize(
    "wrong",
    [
        {"VENUE": "ninjatrader"},
        {"VENUE": "NinjaTrader", "DOORBELL_URL": "https://queue"},
        {"TOO_LATE_SECONDS": "4"},
    ],
    ids=str,
)
def test_a_venue_that_cannot_be_reached_or_is_not_one_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="ORDERHOOK_"):
        settings(**wrong)
