from datetime import timedelta

import pytest

from orderhook.settings import DeferredSettings, Settings

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


@pytest.mark.parametrize(
    ("initialization", "ahead"),
    [("on-demand", False), ("provisioned-concurrency", True), ("snap-start", True), (None, False)],
)
def test_lambda_says_whether_it_starts_ahead_of_the_alerts(initialization: str | None, *, ahead: bool) -> None:
    said = {} if initialization is None else {"AWS_LAMBDA_INITIALIZATION_TYPE": initialization}
    assert Settings.from_environment({"ORDERHOOK_TABLE": "orders"} | said).starts_ahead is ahead


def test_everything_can_be_chosen() -> None:
    chosen = settings(
        TABLE="book",
        KEY_CACHE_SECONDS="2.5",
        RETENTION_DAYS="90",
        ALERT_RETENTION_DAYS="400",
        ALLOWED_SOURCES=" 10.0.0.0/8,192.0.2.1 , 2001:db8::/32,",
    )
    assert chosen.table == "book"
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
        ("ALLOWED_SOURCES", "10.0.0.1/8"),
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


# What is done later

LATER = {
    "QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/queue",
    "QUEUE_ARN": "arn:aws:sqs:us-east-1:123456789012:queue",
    "DEAD_LETTER_ARN": "arn:aws:sqs:us-east-1:123456789012:dead",
    "SCHEDULE_GROUP": "group",
    "SCHEDULER_ROLE": "arn:aws:iam::123456789012:role/scheduler",
}


def test_a_deployment_with_a_queue_can_do_things_later() -> None:
    assert settings(**LATER).deferred == DeferredSettings(**{name.lower(): value for name, value in LATER.items()})


@pytest.mark.parametrize("unset", [{}, dict.fromkeys(LATER, "")])
def test_a_deployment_without_a_queue_cannot(unset: dict[str, str]) -> None:
    assert settings(**unset).deferred is None


@pytest.mark.parametrize("missing", LATER)
def test_a_queue_with_a_part_missing_stops_the_deployment_by_name(missing: str) -> None:
    with pytest.raises(ValueError, match=rf"^ORDERHOOK_{missing} must be set too; "):
        settings(**{**LATER, missing: ""})
