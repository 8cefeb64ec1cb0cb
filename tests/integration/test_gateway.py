"""Requests as API Gateway may pass them on, and as it never should: an answer always, and never a 5xx for them."""

import json
from datetime import UTC, datetime, tzinfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import webhook
from tests.builders import Event, alert, event
from tests.marks import OF_WORDS
from tests.service import Service

pytestmark = OF_WORDS


def good(service: Service) -> str:
    return alert({"key": service.key, "command": "CANCEL", "order_id": "order-1"})


ODD: dict[str, tuple[Event, str]] = {
    "no body": ({"body": ...}, "invalid_secret_key"),
    "a null body": ({"body": None}, "invalid_secret_key"),
    "an empty body": ({"body": ""}, "invalid_secret_key"),
    "a body of white space": ({"body": " \r\n;;\n "}, "invalid_secret_key"),
    "an empty body, encoded": ({"body": "", "isBase64Encoded": True}, "invalid_secret_key"),
    "no body, encoded": ({"body": None, "isBase64Encoded": True}, "invalid_secret_key"),
    "text that is said to be encoded": ({"body": "key=a;", "isBase64Encoded": True}, "malformed_payload"),
    "letters beyond ASCII said to be encoded": ({"body": "kéy", "isBase64Encoded": True}, "malformed_payload"),
    "half an encoding": ({"body": "a2V5PWE", "isBase64Encoded": True}, "malformed_payload"),
    "encoded bytes that are no text": ({"body": "/////w==", "isBase64Encoded": True}, "malformed_payload"),
    "an encoded text that is not said to be": ({"body": "a2V5PWE7"}, "malformed_payload"),
    "a lone surrogate": ({"body": "key=\ud800"}, "malformed_payload"),
    "a body that is no text": ({"body": {"key": "a"}}, "malformed_payload"),
    "a body that is a number": ({"body": 1}, "malformed_payload"),
    "a body that is no text, encoded": ({"body": ["a"], "isBase64Encoded": True}, "malformed_payload"),
    "no request context": ({"requestContext": ...}, "malformed_payload"),
    "a null request context": ({"requestContext": None}, "malformed_payload"),
    "a request context that is none": ({"requestContext": "none"}, "malformed_payload"),
    "no headers": ({"headers": ...}, "malformed_payload"),
    "nothing at all": (dict.fromkeys(event(None), ...), "invalid_secret_key"),
}


@pytest.mark.parametrize(("changes", "word"), ODD.values(), ids=list(ODD))
def test_an_odd_request_is_refused(service: Service, changes: Event, word: str) -> None:
    request = event("nonsense") | changes
    answer = service.handle({name: value for name, value in request.items() if value is not ...})
    assert answer.word == word
    assert service.network.requests == []


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "image/png", None])
def test_neither_content_type_nor_encoding_decides_how_a_body_is_read(
    service: Service, content_type: str | None, *, encoded: bool
) -> None:
    for body in (good(service), json.dumps({"key": service.key, "command": "CANCEL", "order_id": "order-1"})):
        request = event(body, encoded=encoded)
        request["headers"]["content-type"] = content_type
        assert service.handle(request).word == "order_not_found"


# Hypothesis builds whole requests: some values of the right kind, and some of none.
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "http": anything | st.fixed_dictionaries({}, optional={"sourceIp": anything, "method": anything}),
        "timeEpoch": anything | st.integers(),
    },
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "body": anything | st.text(max_size=200),
        "isBase64Encoded": anything,
        "requestContext": anything | contexts,
        "headers": anything,
    },
)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(request=requests | anything)
def test_whatever_comes_is_answered_as_a_mistake_of_the_sender(service: Service, request: Event) -> None:
    answer = service.handle(request)
    assert 400 <= answer.status < 500
    assert service.network.requests == []


# How long the sender has been waiting


NOW = datetime(2026, 1, 15, 15, tzinfo=UTC)


class Standing(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Standing":
        return cls.fromtimestamp(NOW.timestamp(), tz)


@pytest.fixture
def at_now(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The handler, called at NOW."""
    service.warm_up()
    monkeypatch.setattr(webhook, "datetime", Standing)
    return service


def received(service: Service, epoch: object) -> Event:
    request = event(good(service))
    request["requestContext"]["timeEpoch"] = epoch
    return request


def before_now(seconds: float) -> int:
    return int((NOW.timestamp() - seconds) * 1000)


def test_an_alert_that_has_waited_too_long_already_is_not_begun(at_now: Service) -> None:
    at_now.have_order("Working")
    answer = at_now.handle(received(at_now, before_now(1.6)))
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert at_now.network.requests == []
    assert at_now.handle(received(at_now, before_now(0.5))).word == "cancelled"


@pytest.mark.parametrize("seconds", [-5, 60, 86400 * 365], ids=["a clock ahead", "a minute", "a year"])
def test_a_request_from_a_file_or_another_clock_has_all_the_time(at_now: Service, seconds: int) -> None:
    assert at_now.handle(received(at_now, before_now(seconds))).word == "order_not_found"


@pytest.mark.parametrize("epoch", [10**400, -(10**400), "now", None, True, 0], ids=lambda epoch: str(epoch)[:6])
def test_a_time_that_is_not_a_time_is_ignored(service: Service, epoch: object) -> None:
    assert service.handle(received(service, epoch)).word == "order_not_found"
