"""The messages that wait for their time."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhook.messages import DelayedAlert, Message, Release, TimedCancel, parse, serialize
from orderhook.payload import KNOWN_NAMES

AT = "2026-01-02T03:04:05.000000Z"

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FIELDS = st.dictionaries(st.sampled_from(sorted(KNOWN_NAMES - {"key"})), TEXT, max_size=6)
MINUTES = st.none() | st.integers(0, 24 * 60 - 1)


def written(message: Message) -> str:
    """Return what is sent: SQS refuses some control characters, and Scheduler replaces what looks like its own."""
    body = serialize(message)
    assert body.isascii()
    assert body.isprintable()
    return body


@given(fields=FIELDS, digest=st.none() | TEXT)
def test_a_delayed_alert_comes_back_as_it_went(fields: dict[str, str], digest: str | None) -> None:
    alert = DelayedAlert(trader="main", key_id="k", request_id="r", received_at=AT, fields=fields, digest=digest)
    body = written(alert)
    assert parse(body) == alert
    assert list(fields) == list(json.loads(body)["alert"]["fields"])  # read in the order of the alert


@given(order_id=TEXT, window=st.none() | st.lists(MINUTES, min_size=3, max_size=3))
def test_a_release_comes_back_as_it_went(order_id: str, window: Sequence[int | None] | None) -> None:
    release = Release(
        trader="main", key_id="k", request_id="r", received_at=AT, order_id=order_id, due=AT, window=window
    )
    assert parse(written(release)) == release


@given(order_id=TEXT)
def test_a_cancel_comes_back_as_it_went(order_id: str) -> None:
    cancel = TimedCancel(trader="main", key_id="k", request_id="r.cancel_after", order_id=order_id, cancels_at=AT)
    assert parse(written(cancel)) == cancel


@pytest.mark.parametrize(
    "body",
    [
        "", "{}", "[]", '"alert"', '{"alert": {}}', '{"other": {}}', '{"cancel": {"x": 1}}', '{"release": {}}',
        '{"cancel": {}, "alert": {}}',
    ],
)  # fmt: skip
def test_anything_else_is_not_a_message(body: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        parse(body)
