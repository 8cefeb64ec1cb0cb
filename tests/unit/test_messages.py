"""The messages that wait for their time."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.aws import demo
from orderhook.messages import VERSION, DelayedAlert, Message, MessageError, Release, TimedCancel, parse, serialize
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


MESSAGES: tuple[Message, ...] = (
    DelayedAlert(trader="main", key_id="k", request_id="r", received_at=AT, fields={"command": "CANCEL"}, due=AT),
    Release(trader="main", key_id="k", request_id="r", received_at=AT, order_id="o", due=AT, window=[1, None, 2]),
    TimedCancel(trader="main", key_id="k", request_id="r", order_id="o", cancels_at=AT),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_says_its_version_and_one_of_the_release_before_is_read(message: Message) -> None:
    written = json.loads(serialize(message))
    assert written.pop("version") == VERSION
    assert parse(json.dumps(written)) == message  # 0.2 wrote it so
    for version in (0, VERSION + 1, -1, "2", True, None, 2.5):
        with pytest.raises(MessageError, match="its version is unknown"):
            parse(json.dumps({"version": version, **written}))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_field_more_or_less_or_of_another_type_is_refused(message: Message) -> None:
    [kind] = json.loads(serialize(message)).keys() - {"version"}
    values = message._asdict()
    with pytest.raises(MessageError):
        parse(json.dumps({kind: {**values, "THE-FIELD": "1"}}))
    for name in values:
        less = {other: value for other, value in values.items() if other != name}
        if name not in type(message)._field_defaults:
            with pytest.raises(MessageError, match=name):
                parse(json.dumps({kind: less}))
        for wrong in (1, True, ["a"], {"a": 1}):
            with pytest.raises(MessageError, match=name):
                parse(json.dumps({kind: {**less, name: wrong}}))


def test_a_window_of_what_is_no_number_is_refused() -> None:
    with pytest.raises(MessageError, match="window"):
        parse(serialize(MESSAGES[1]).replace("[1, null, 2]", "[true, null, 2]"))


@pytest.mark.parametrize("field", ["received_at", "due", "cancels_at"])
@pytest.mark.parametrize("text", ["", "soon", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused(field: str, text: str) -> None:
    for message in MESSAGES:
        if field in message._fields:
            with pytest.raises(MessageError, match=field):
                parse(serialize(message).replace(json.dumps({field: AT})[1:-1], json.dumps({field: text})[1:-1]))


@pytest.mark.parametrize(
    "body",
    [
        "", "{}", "[]", '"alert"', "1", "null", '{"alert": {}}', '{"alert": []}', '{"other": {}}', '{"release": {}}',
        '{"cancel": {"x": 1}}', '{"cancel": {}, "alert": {}}', '{"version": 2}', "[" * 100_000, '{"alert": ["a", "b"]}',
    ],
)  # fmt: skip
def test_anything_else_is_not_a_message(body: str) -> None:
    with pytest.raises(MessageError):
        parse(body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"version": 3, "cancel": {}}', "its version is unknown"),
        ('{"version": 2}', "it is none of alert, release, cancel"),
        ('{"cancel": {}, "alert": {}}', "it is none of alert, release, cancel"),
        ('{"release": []}', "its release has no fields"),
        (
            '{"cancel": {"trader": "main", "key_id": "k", "order_id": 1, "cancels_at": "", "x": "SECRET"}}',
            "fields of its cancel are missing, wrong or unknown: cancels_at, order_id, request_id",
        ),
    ],
)
def test_a_message_that_is_not_understood_is_told_why_without_its_values(body: str, why: str) -> None:
    with pytest.raises(MessageError) as refusal:
        parse(body)
    assert str(refusal.value) == why


def test_an_alert_whose_message_has_no_digest_and_no_due_has_none() -> None:
    message = json.loads(serialize(MESSAGES[0]))
    for name in ("digest", "due"):
        del message["alert"][name]
    alert = parse(json.dumps(message))
    assert isinstance(alert, DelayedAlert)
    assert (alert.digest, alert.due) == (None, None)


def test_what_is_sent_says_version_2_and_what_it_is_in_json() -> None:
    cancel = TimedCancel(trader="main", key_id="k", request_id="r", order_id="o", cancels_at=AT)
    values = {"trader": "main", "key_id": "k", "request_id": "r", "order_id": "o", "cancels_at": AT}
    assert json.loads(serialize(cancel)) == {"version": 2, "cancel": values}


@given(st.text(max_size=300) | st.from_type(type({})).map(json.dumps))
def test_no_text_whatever_breaks_the_reader(body: str) -> None:
    with pytest.raises(MessageError):
        parse(body)


@pytest.mark.parametrize("place", ["name", "value", "escaped"])
def test_a_message_that_holds_a_key_is_refused_and_not_quoted(place: str) -> None:
    fields = {demo.KEY: "1"} if place == "name" else {"notes": f"a {demo.KEY}"}
    body = serialize(MESSAGES[0]._replace(fields=fields))  # type: ignore[call-arg]
    if place == "escaped":
        body = body.replace("ohk_", "\\u006fhk_")
    with pytest.raises(MessageError) as refusal:
        parse(body)
    assert str(refusal.value) == "a key stands in it"


def test_a_time_of_another_zone_is_read_as_the_table_holds_times() -> None:
    message = serialize(MESSAGES[1]).replace(AT, "2026-01-02T04:04:05+01:00")
    assert parse(message) == MESSAGES[1]
