"""What `orderhook verify` says of a table and of a key in it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cli import checks
from orderhook import administration
from tests.service import Service

RECOVERABLE = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}


@pytest.fixture
def description(service: Service) -> dict[str, Any]:
    """The test's table, as its engine describes it, protected as the template has it."""
    table = service.services.table
    described = table.client.describe_table(TableName=table.name)["Table"]
    return dict(described) | {"DeletionProtectionEnabled": True}


def expiry(service: Service) -> dict[str, Any]:
    table = service.services.table
    return dict(table.client.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"])


def test_the_table_that_the_template_makes_is_in_order(service: Service, description: dict[str, Any]) -> None:
    findings = list(checks.check_table(description, expiry(service), RECOVERABLE))
    assert [finding.result for finding in findings] == ["ok"]


@pytest.mark.parametrize("lacking", ["KeySchema", "LocalSecondaryIndexes"])
def test_a_table_of_another_form_has_failed(service: Service, description: dict[str, Any], lacking: str) -> None:
    other = description | {lacking: []}
    assert next(checks.check_table(other, expiry(service), RECOVERABLE)).result == "failed"


def test_what_a_restore_does_not_bring_along_is_warned_of(description: dict[str, Any]) -> None:
    restored = description | {"DeletionProtectionEnabled": False}
    findings = list(checks.check_table(restored, {"TimeToLiveStatus": "DISABLED", "AttributeName": "expires"}, {}))
    assert [finding.result for finding in findings] == ["ok", "warning", "warning", "warning"]


def test_items_that_expire_by_another_attribute_are_warned_of(description: dict[str, Any]) -> None:
    other = {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    _, finding = checks.check_table(description, other, RECOVERABLE)
    assert (finding.result, "by the attribute `expires`" in finding.detail) == ("warning", True)


def test_a_key_is_valid_unknown_cut_or_revoked(service: Service) -> None:
    keys, now = service.services.keys, datetime.now(UTC)
    secret, key = administration.create_key(keys, trader=service.trader, label="", scopes=["CANCEL"], now=now)

    def said(given: str | None) -> str:
        [finding] = checks.check_key(service.services, given)
        assert secret not in finding.detail
        return f"{finding.result}: {finding.detail}"

    assert said(secret) == f"ok: {key.key_id} is valid for CANCEL of trader {service.trader}"
    assert said(secret[:-1]).startswith("failed: what is given is not a key")
    assert said(None).startswith("warning: none is given")
    other, _ = administration.create_key(keys, trader=service.trader, label="", scopes=[], now=now)
    keys.revoke(key.key_id, now)
    assert said(secret).startswith(f"failed: {key.key_id} has been revoked")
    assert said(other).startswith("ok")
