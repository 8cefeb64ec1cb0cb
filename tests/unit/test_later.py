"""The messages that wait for their time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhook.aws.deferred import DelayedAlert, TimedCancel, parse, serialize
from orderhook.payload import KNOWN_NAMES

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FIELDS = st.dictionaries(st.sampled_from(sorted(KNOWN_NAMES - {"key"})), TEXT, max_size=6)


@given(fields=FIELDS)
def test_a_delayed_alert_comes_back_as_it_went(fields: dict[str, str]) -> None:
    alert = DelayedAlert(
        trader="main", key_id="k", request_id="r", received_at="2026-01-02T03:04:05.000000Z", fields=fields
    )
    body = serialize(alert)
    assert parse(body) == alert
    assert list(fields) == list(json.loads(body)["alert"]["fields"])  # read in the order of the alert
    # SQS refuses some control characters, and Scheduler replaces what looks like its own attributes.
    assert body.isascii()
    assert body.isprintable()


@given(order_id=TEXT)
def test_a_cancel_comes_back_as_it_went(order_id: str) -> None:
    cancel = TimedCancel(trader="main", key_id="k", request_id="r.cancel_after", order_id=order_id, content="c")
    assert parse(serialize(cancel)) == cancel


@pytest.mark.parametrize("body", ["", "{}", "[]", '"alert"', '{"alert": {}}', '{"other": {}}', '{"cancel": {"x": 1}}'])
def test_anything_else_is_no_message(body: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(body)
