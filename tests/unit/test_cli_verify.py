"""What `orderhook verify` makes of what AWS says."""

from typing import Any

import pytest

from cli import checks
from orderhook.store.notices import State, Told
from tests import endpoints

TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
CONFIRMED = f"{TOPIC}:1a2b"


def results(findings: checks.Findings) -> list[str]:
    return [finding.result for finding in findings]


def alarm(name: str = "one", **changes: Any) -> dict[str, Any]:
    return {"AlarmName": name, "ActionsEnabled": True, "StateValue": "OK", "AlarmActions": [TOPIC]} | changes


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("CREATE_COMPLETE", "ok"),
        ("UPDATE_COMPLETE", "ok"),
        ("UPDATE_ROLLBACK_COMPLETE", "warning"),
        ("UPDATE_IN_PROGRESS", "warning"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "warning"),
        ("ROLLBACK_COMPLETE", "failed"),
        ("UPDATE_ROLLBACK_FAILED", "failed"),
        ("DELETE_FAILED", "failed"),
    ],
)
def test_a_stacks_status_says_whether_it_was_deployed(status: str, result: str) -> None:
    assert results(checks.check_status(status)) == [result]


def test_an_endpoint_without_an_answer_has_failed() -> None:
    with endpoints.closed() as address:
        [finding] = checks.check_endpoint(f"{address}/webhook")
    assert (finding.result, finding.about) == ("failed", "endpoint")
    assert "There is no answer" in finding.detail


def test_alarms_with_a_confirmed_subscriber_are_in_order() -> None:
    assert results(checks.check_alarms(["one"], [alarm()], {TOPIC: [CONFIRMED]})) == ["ok"]


@pytest.mark.parametrize("subscriptions", [[], ["PendingConfirmation"], [CONFIRMED, "PendingConfirmation"]])
def test_a_topic_without_subscribers_or_with_an_unconfirmed_one_is_a_warning(subscriptions: list[str]) -> None:
    assert results(checks.check_alarms(["one"], [alarm()], {TOPIC: subscriptions})) == ["warning"]


def test_alarms_that_tell_nobody_are_a_warning_that_says_what_to_set() -> None:
    [finding] = checks.check_alarms(["one"], [alarm(AlarmActions=[])], {})
    assert finding.result == "warning"
    assert "any of them: set AlarmEmail or AlarmTopicArn" in finding.detail


@pytest.mark.parametrize("changes", [{"ActionsEnabled": False}, {"StateValue": "ALARM"}])
def test_an_alarm_that_is_muted_or_rings_is_named_in_a_warning(changes: dict[str, Any]) -> None:
    finding, _ = checks.check_alarms(["one"], [alarm(**changes)], {TOPIC: [CONFIRMED]})
    assert finding.result == "warning"
    assert "one" in finding.detail


def test_an_alarm_that_somebody_deleted_has_failed() -> None:
    finding, _ = checks.check_alarms(["one", "two"], [alarm()], {TOPIC: [CONFIRMED]})
    assert (finding.result, finding.detail) == ("failed", "are not all there: two; deploy again")


def told(state: State, **more: Any) -> Told:
    at = "2026-11-28T14:30:05.000000Z"
    return Told("test 1", "discord", at, at, "test", state, "0f", **more)


@pytest.mark.parametrize(("state", "expected"), [("ENABLED", []), ("DISABLED", ["failed"]), (None, ["failed"])])
def test_a_schedule_by_which_nobody_looks_has_failed(state: str | None, expected: list[str]) -> None:
    assert results(checks.check_schedule(state)) == expected


def test_who_is_told_by_what_is_said_and_nobody_is_a_warning() -> None:
    [finding] = checks.check_ways("mine", "main", [checks.Way("e-mail"), checks.Way("discord", last=told("sent"))])
    assert finding == ("ok", "notify", "trader main is told by e-mail and discord of what needs a person")
    [finding] = checks.check_ways("mine", "main", [])
    assert (finding.result, "orderhook notify set --stack mine" in finding.detail) == ("warning", True)


def test_a_way_that_leads_nowhere_is_named_with_its_reason() -> None:
    ways = [checks.Way("e-mail"), checks.Way("discord", has_url=False)]
    [finding] = checks.check_ways("mine", "main", ways)
    assert (finding.result, "is not in SSM" in finding.detail) == ("failed", True)
    last = told("failed", reason="it was answered 404")
    [finding] = checks.check_ways("mine", "main", [checks.Way("discord", last=last)])
    assert finding.result == "warning"
    assert "by discord is failed: it was answered 404" in finding.detail
