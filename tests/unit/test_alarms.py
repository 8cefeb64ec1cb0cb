"""Every error code has an alarm, or a reason for silence."""

from typing import Any

import pytest

from cli.aws.table import read_template
from orderhook import alarms, reference
from orderhook.responses import STATUS_AND_CODE

RESOURCES = read_template()["Resources"]
STATUS = {code: status for status, code in STATUS_AND_CODE.values()}
DONE = {
    *("cancelled", "cancel_pending", "placed", "changed", "change_pending", "replaced", "replace_pending", "accepted"),
    *("closed", "scheduled", "kill_switch_on", "kill_switch_off"),
}
"""The status words that say that what the alert asks for is done, or on its way."""
COUNTED = {*alarms.METRICS.values(), alarms.STRANGERS} - {alarms.UNAVAILABLE}


def test_every_error_code_has_an_alarm_or_a_reason_for_silence() -> None:
    assert {*alarms.METRICS, *alarms.SILENT} == {*STATUS}
    assert not {*alarms.METRICS} & {*alarms.SILENT}


@pytest.mark.parametrize("metric", sorted({*alarms.METRICS.values()}))
def test_every_metric_has_an_alarm_of_its_name(metric: str) -> None:
    alarm = RESOURCES[f"{metric}Alarm"]
    assert alarm["Type"] == "AWS::CloudWatch::Alarm"
    assert "Condition" not in alarm
    expected = "5xx" if metric == alarms.UNAVAILABLE else metric
    assert alarm["Properties"]["MetricName"] == expected


def test_every_success_that_did_nothing_has_its_reason_for_silence() -> None:
    assert {*alarms.SILENT_SUCCESSES} == {*reference.STATUS_WORDS} - DONE


def test_every_silence_has_its_reason() -> None:
    assert all(len(reason.split()) > 5 for reason in {**alarms.SILENT, **alarms.SILENT_SUCCESSES}.values())


def test_every_silence_is_told_on_the_page_of_answers() -> None:
    page = reference.render_page()
    assert all(f"none: {reason}" in page for reason in {**alarms.SILENT, **alarms.SILENT_SUCCESSES}.values())


@pytest.mark.parametrize("code", STATUS)
def test_a_code_of_an_alert_with_a_key_counts_where_the_table_says(code: str) -> None:
    told_by_us = alarms.METRICS.get(code) in COUNTED
    assert alarms.metrics_of(code, "webhook", key_is_known=True) == ["Alerts", *[alarms.METRICS.get(code)] * told_by_us]


@pytest.mark.parametrize("code", STATUS)
def test_without_a_key_whatever_is_refused_for_good_is_a_strangers(code: str) -> None:
    if code not in alarms.SILENT:
        metrics = alarms.metrics_of(code, "webhook", key_is_known=False)
        assert metrics == (["Alerts"] if STATUS[code] == 503 else ["Strangers"])


@pytest.mark.parametrize("code", STATUS)
def test_what_is_delayed_and_refused_for_good_is_not_done_later(code: str) -> None:
    lost = code not in alarms.SILENT and STATUS[code] != 503
    again = ["DeferredUnavailable"] * (STATUS[code] == 503 and code != "venue_offline")
    assert alarms.metrics_of(code, "delayed", key_is_known=True) == ["Deferred", *["NotDoneLater"] * lost, *again]
    assert alarms.metrics_of(code, "cancel_after", key_is_known=True) == ["Deferred", *again]


@pytest.mark.parametrize("origin", ["delayed", "cancel_after"])
def test_a_dead_letter_that_cannot_be_given_up_is_told_at_once(origin: Any) -> None:
    code = "temporarily_unavailable"
    assert alarms.metrics_of(code, origin, key_is_known=True, dead_letter=True) == ["Deferred", "DeadLetters"]


def test_what_the_limit_of_a_key_refuses_is_told() -> None:
    assert alarms.metrics_of("rate_limited", "webhook", key_is_known=True) == ["Alerts"]
    assert alarms.metrics_of("rate_limited", "webhook", key_is_known=True, by_key=True) == ["Alerts", "RefusedAlerts"]


def test_what_is_done_is_counted_and_no_more() -> None:
    assert alarms.metrics_of(None, "webhook", key_is_known=True) == ["Alerts"]
    assert alarms.metrics_of(None, "delayed", key_is_known=True) == ["Deferred"]
