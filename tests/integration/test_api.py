"""What the API asks of every request before it does anything: a path, a method, a key, and what is understood."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orderhook.console import api as api_module
from orderhook.console import app
from orderhook.console.api.routes import ROUTES
from orderhook.console.http import SECURITY
from tests.api import ES, Api
from tests.marks import OF_WORDS
from tests.service import Service

pytestmark = OF_WORDS

SCOPED = [route for route in ROUTES if route.scope]
WITH_BODY = [route for route in ROUTES if route.body]


@pytest.fixture
def api(service: Service) -> Api:
    return Api(service)


def filled_in(path: str) -> str:
    return path.replace("{account}", "Sim101").replace("{orderId}", "a").replace("{strategyId}", "s")


def named(route: Any) -> str:
    return f"{route.method} {route.path}"


# Keys


@pytest.mark.parametrize("route", SCOPED, ids=named)
def test_without_a_key_nothing_is_answered(api: Api, route: Any) -> None:
    told = api.send(route.method, filled_in(route.path), headers={"authorization": ""})
    assert told.refusal == (401, "invalid_secret_key")
    assert told.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", SCOPED, ids=named)
def test_a_key_without_the_scope_is_refused(api: Api, route: Any) -> None:
    other = "trade" if route.scope == "read" else "read"
    told = api.limited(other).send(route.method, filled_in(route.path))
    assert told.refusal == (403, "command_not_allowed")


@pytest.mark.parametrize("path", ["/health", "/openapi.json"])
def test_what_says_nothing_of_a_trader_needs_no_key(api: Api, path: str) -> None:
    assert api.send("GET", path, headers={"authorization": ""}).status == 200


def test_a_key_of_alerts_does_not_open_the_api(api: Api) -> None:
    told = api.send("GET", "/orders", headers={"authorization": f"Bearer {api.service.key}"})
    assert told.refusal == (401, "invalid_secret_key")
    assert "orderhook keys create --api" in told.body["detail"]


@pytest.mark.parametrize("bend", [str, lambda key: key[:-1] + ("0" if key[-1] != "0" else "1")], ids=["good", "bad"])
def test_a_key_of_the_api_opens_no_webhook_and_is_told_so_alike(api: Api, bend: Any) -> None:
    answer = api.service.send("CANCEL", key=bend(api.key), order_id="a")
    assert (answer.status, answer.word) == (401, "invalid_secret_key")
    assert answer.body["detail"] == (
        "A key that begins with oht_ is for the HTTP API alone: an alert takes one that begins with ohk_."
    )


@pytest.mark.parametrize(
    "header", ["{}", "Basic {}", "Bearer", "Bearer {}x", "Bearer {} {}", "Bearer{}", "bearer:{}"], ids=repr
)
def test_a_key_that_is_sent_otherwise_is_none(api: Api, header: str) -> None:
    told = api.send("GET", "/orders", headers={"authorization": header.replace("{}", api.key)})
    assert told.refusal == (401, "invalid_secret_key")


def test_the_scheme_may_be_written_in_any_case(api: Api) -> None:
    assert api.send("GET", "/orders", headers={"authorization": f"BEARER {api.key}"}).status == 200


def test_a_revoked_key_is_none(api: Api) -> None:
    api.service.keys.revoke(api.key.split("_")[1], datetime.now(UTC))
    assert api.get("/orders").refusal == (401, "invalid_secret_key")


def test_a_cookie_opens_nothing(api: Api) -> None:
    told = api.send("GET", "/orders", headers={"authorization": "", "cookie": f"orderhook={api.key}"})
    assert told.refusal == (401, "invalid_secret_key")


def test_the_use_of_a_key_is_noted_also_where_it_reads(api: Api) -> None:
    reader = api.limited("read")
    reader.get("/orders")
    key = api.service.keys.get(reader.key.split("_")[1])
    assert key is not None
    assert api.service.keys.last_used(key) is not None


# Paths and methods


def test_every_answer_has_the_headers_of_security_and_none_lets_another_origin_read(api: Api) -> None:
    for told in (api.get("/orders"), api.get("/nothing"), api.send("DELETE", "/orders"), api.place()):
        assert told.headers.items() >= SECURITY.items()
        assert not [name for name in told.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/ordres", "/v1/api/orders"),
        ("/accounts/Sim101/order/place", "/v1/api/accounts/{account}/orders/place"),
        ("/kill-switch", "/v1/api/killswitch"),
        ("/accounts/Sim101/orders/TP/SL/cancel", "/v1/api/order/cancel"),
        ("/accounts/Sim101/orders/TP/SL", "/v1/api/order"),
    ],
)
def test_a_path_that_is_not_there_names_the_one_that_was_meant(api: Api, path: str, meant: str) -> None:
    told = api.get(path)
    assert told.refusal == (404, "no_such_path")
    assert told.body["didYouMean"] == meant


def test_a_key_in_a_path_or_a_name_comes_back_nowhere(api: Api) -> None:
    secret = api.key.split("_")[2]
    for told in (
        api.get(f"/{api.key}"),
        api.get("/orders", **{api.key: 1}),
        api.get("/orders", cursor=api.key),
        api.post("/orders/cancelall", {api.key: 1}),
        api.place(notes=api.key),
        api.get(f"/accounts/Sim101/orders/{api.key}"),
    ):
        assert told.status in (400, 404)
        assert secret not in told.text


@pytest.mark.parametrize("path", ["", "/"])
def test_the_base_itself_is_no_operation(api: Api, path: str) -> None:
    assert api.get(path).status in (400, 404)


@pytest.mark.parametrize("path", ["/orders/", "//orders", "/accounts//orders", "/accounts/Sim101//orders/a/cancel"])
def test_an_empty_segment_is_refused_and_no_slash_is_folded(api: Api, path: str) -> None:
    api.place("a")
    for method in ("GET", "POST"):
        assert api.send(method, path).refusal == (400, "invalid_value")
    assert api.service.state("a") == "Working"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/orders", "GET, HEAD"),
        ("GET", "/orders/cancelall", "POST"),
        ("POST", "/killswitch", "GET, HEAD, PUT"),
        ("OPTIONS", "/positions/flatten", "POST"),
        ("POST", "/accounts/Sim101/orders/a", "GET, HEAD"),
        ("GET", "/accounts/Sim101/orders/a/cancel", "POST"),
    ],
)
def test_another_method_is_405_and_told_which_there_are(api: Api, method: str, path: str, allowed: str) -> None:
    told = api.send(method, path)
    assert told.refusal == (405, "method_not_allowed")
    assert told.headers["Allow"] == allowed


def test_head_is_answered_as_get(api: Api) -> None:
    assert api.send("HEAD", "/orders").status == 200
    assert api.send("HEAD", "/orders", headers={"authorization": ""}).status == 401


# Queries


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("acount=Sim101", "unknown_field"),
        ("account", "invalid_value"),
        ("account=", "invalid_value"),
        ("account=A&account=A", "duplicate_field"),
        ("limit=0", "invalid_value"),
        ("limit=501", "invalid_value"),
        ("limit=-1", "invalid_value"),
        ("limit=1.0", "invalid_value"),
        ("limit=%EF%BC%91", "invalid_value"),
        ("status=all", "invalid_value"),
        ("since=yesterday", "invalid_value"),
        ("since=2026-01-02T03:04:05", "invalid_value"),
        ("since=0001-01-01T00:00:00%2B23:59", "invalid_value"),
        ("cursor=x", "invalid_value"),
        ("account=%FF", "malformed_payload"),
        ("", ""),
    ],
)
def test_what_a_query_may_not_hold_is_refused(api: Api, query: str, code: str) -> None:
    told = api.send("GET", "/orders", query=query)
    assert told.body.get("error", "") == code
    assert told.status == (400 if code else 200)


def test_what_is_asked_without_parameters_takes_none(api: Api) -> None:
    assert api.get("/killswitch", verbose="1").refusal == (400, "unknown_field")
    api.place("a")
    assert api.post("/accounts/Sim101/orders/a/cancel", query="force=1").refusal == (400, "unknown_field")
    assert api.service.state("a") == "Working"


# Bodies


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "unsupported_media_type"),
        ("{", "malformed_payload"),
        ("[]", "malformed_payload"),
        ("null", "malformed_payload"),
        ('"x"', "malformed_payload"),
        ('{"on": true} x', "malformed_payload"),
        ('{"on": NaN}', "malformed_payload"),
        ('{"on": 1e999999999}', "malformed_payload"),
        ('{"on": "\\ud800"}', "malformed_payload"),
        ("[" * 50_000, "malformed_payload"),
        ('{"on": true, "on": true}', "duplicate_field"),
        ('{"on": true, "of": true}', "unknown_field"),
        ("{}", "missing_field"),
        ('{"on": null}', "invalid_value"),
        ('{"on": "true"}', "invalid_value"),
        ('{"on": 1}', "invalid_value"),
        ('{"on": {}}', "invalid_value"),
        (" " * 70_000, "payload_too_large"),
    ],
    ids=lambda text: repr(text[:30]),
)
def test_a_body_that_is_not_understood_is_refused_before_anything(api: Api, text: str, code: str) -> None:
    told = api.put("/killswitch", text=text, headers={} if text else {"content-type": "text/plain"})
    assert told.body["error"] == code
    assert told.status == {"unsupported_media_type": 415, "payload_too_large": 413}.get(code, 400)
    assert not api.service.controls.kill_switch(api.service.trader).on


@pytest.mark.parametrize("route", WITH_BODY, ids=named)
def test_a_body_that_is_not_said_to_be_json_is_refused(api: Api, route: Any) -> None:
    api.service.use_venue()
    told = api.send(route.method, filled_in(route.path), {}, headers={"content-type": "text/plain"})
    # The order's address in a query is missing besides.
    assert told.status == (400 if route.path.startswith("/order/") else 415)


def test_the_content_type_may_name_a_character_set(api: Api) -> None:
    told = api.put("/killswitch", {"on": True}, headers={"content-type": "application/json; charset=utf-8"})
    assert told.status == 200


def test_a_body_may_come_in_base64_and_must_be_utf_8(api: Api) -> None:
    event: dict[str, Any] = {
        "rawPath": "/v1/api/killswitch",
        "headers": {"authorization": f"Bearer {api.key}", "content-type": "application/json"},
        "requestContext": {"http": {"method": "PUT"}},
        "isBase64Encoded": True,
    }
    for body, status in ((b'{"on": true}', 200), (b'{"on": "\xff"}', 400)):
        answer = app.answer(api.console, event | {"body": base64.b64encode(body).decode()}, None)
        assert answer["statusCode"] == status
    assert app.answer(api.console, event | {"body": "%"}, None)["statusCode"] == 400


def test_a_get_takes_no_body(api: Api) -> None:
    assert api.send("GET", "/orders", {}).refusal == (400, "malformed_payload")


# Faults


def test_what_cannot_be_answered_is_503_and_is_json(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "BUDGET_SECONDS", 0.0)
    told = api.get("/orders")
    assert told.refusal == (503, "temporarily_unavailable")
    assert told.headers["Retry-After"] == "5"


def test_an_order_is_placed_with_exactly_the_numbers_that_are_sent(api: Api) -> None:
    text = json.dumps({**ES, "orderId": "a"}).replace("5000.25", "5000.12345678").replace("5,", "5.0,")
    assert api.post("/accounts/Sim101/orders/place", text=text).word == "placed"
    assert '"limitPrice": 5000.12345678' in api.get("/orders").text
