"""The local gateway turns requests into events, and answers into responses, as API Gateway does."""

import base64
import json
import re
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Request, Response

from cli.aws.gateway import Gateway, make_event, make_response
from cli.aws.moto import Forward
from tests.builders import event_named

ARRIVED = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def event_of(body: bytes = b"key=x", content_type: str = "text/plain", **options: Any) -> dict[str, Any]:
    headers = [("Content-Type", content_type), ("User-Agent", "Go-http-client/1.1")]
    options = {"path": "/webhook", "base_url": "http://localhost:3000", **options}
    builder = EnvironBuilder(
        method="POST", data=body, headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.9"}, **options
    )
    return make_event(Request(builder.get_environ()), ARRIVED)


def shape(value: Any) -> Any:
    return {name: shape(inner) for name, inner in value.items()} if isinstance(value, dict) else type(value)


def test_an_event_has_the_shape_of_the_recorded_ones() -> None:
    event, recorded = shape(event_of()), shape(event_named("cancel_by_id"))
    assert {**event, "headers": dict} == {**recorded, "headers": dict}


def test_an_event_says_who_asks_what_and_when() -> None:
    context = event_of()["requestContext"]
    assert context["http"]["sourceIp"] == "10.0.0.9"
    assert context["http"]["userAgent"] == "Go-http-client/1.1"
    assert context["timeEpoch"] == 1767323045678
    assert context["time"] == "02/Jan/2026:03:04:05 +0000"


def test_two_requests_have_two_ids() -> None:
    assert event_of()["requestContext"]["requestId"] != event_of()["requestContext"]["requestId"]


def test_header_names_are_lower_case() -> None:
    headers = event_of()["headers"]
    assert headers["user-agent"] == "Go-http-client/1.1"
    assert all(name == name.lower() for name in headers)


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "application/json", "text/html"])
def test_text_is_passed_on_as_text(content_type: str) -> None:
    event = event_of("key=é".encode(), content_type)
    assert (event["body"], event["isBase64Encoded"]) == ("key=é", False)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"key=x", "application/x-www-form-urlencoded"), (b"key=\xff", "text/plain"), (b"\0\1", "image/png")],
)
def test_everything_else_is_base64_encoded(body: bytes, content_type: str) -> None:
    event = event_of(body, content_type)
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (body, True)


def test_an_empty_body_is_absent() -> None:
    assert "body" not in event_of(b"")


def test_a_query_is_passed_on() -> None:
    event = event_of(query_string="a=1&a=2&b=%C3%A9")
    assert event["rawQueryString"] == "a=1&a=2&b=%C3%A9"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "é"}


@pytest.mark.parametrize(("forward", "at_once"), [(lambda _: Response(), 1), (None, 3)])
def test_requests_come_one_at_a_time_only_where_the_table_is_motos(forward: Forward | None, at_once: int) -> None:
    inside, most, enough = 0, 0, threading.Barrier(at_once)
    counting = threading.Lock()

    def handler(_event: object, _context: object) -> dict[str, Any]:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        enough.wait(60)
        time.sleep(0.05)
        with counting:
            inside -= 1
        return {"statusCode": 200, "body": '{"status": "cancelled"}'}

    client = Client(Gateway(handler, lambda _: None, forward))
    threads = [threading.Thread(target=client.post, args=("/webhook",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == at_once


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": "cancelled", "order_id": "a", "strategy_id": "s"}, "cancelled a"),
        ({"error": "missing_field", "field": "qty"}, "missing_field qty"),
        ({"error": "malformed_payload"}, "malformed_payload"),
        ({"error": "temporarily_unavailable", "reason": "OutOfTimeError"}, "temporarily_unavailable: OutOfTimeError"),
        (
            {"status": "cancelled", "counts": {"cancelled": 500, "remaining": 0}, "cancelled": ["a"] * 500},
            "cancelled: 500 cancelled",
        ),
        ({"status": "already_cancelled", "counts": {"cancelled": 0}}, "already_cancelled: no orders"),
        ({"status": "closed", "strategy_id": "s", "counts": {"cancelled": 2}}, "closed s: 2 cancelled"),
        (
            {"error": "temporarily_unavailable", "counts": {"cancelled": 3, "remaining": 4}},
            "temporarily_unavailable: 3 cancelled, 4 remaining",
        ),
        ({"status": "placed", "results": [{"account": "A"}, {"account": "B"}]}, "placed: 2 accounts"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_is_logged_as_one_line_about_its_answer(body: dict[str, Any], words: str) -> None:
    lines: list[str] = []
    handler: Any = lambda *_: {"statusCode": 200, "body": json.dumps(body)}  # noqa: E731
    Client(Gateway(handler, lines.append)).post("/webhook")
    [line] = lines
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  200  {re.escape(words)}  \(\d+ ms\)", line)


def test_an_answer_becomes_a_response() -> None:
    answer = {"statusCode": 503, "headers": {"Retry-After": "5"}, "body": "b2s=", "isBase64Encoded": True}
    response = make_response(answer)
    assert (response.status_code, response.headers["Retry-After"], response.get_data()) == (503, "5", b"ok")
