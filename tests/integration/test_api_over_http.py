"""The API over real HTTP, by the door of this machine: the examples of docs/api.md, and paths as they are sent."""

import http.client
import json
import shlex
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.aws import console_door
from orderhook.console.api.documentation import example
from orderhook.console.api.routes import ROUTES
from orderhook.console.visit import Deployment
from orderhook.grants import Grant
from tests.api import Api
from tests.marks import OF_PAGES
from tests.service import Service

pytestmark = OF_PAGES


@dataclass(frozen=True)
class Door:
    """The API at a port of this machine."""

    api: Api
    port: int

    def send(
        self, method: str, target: str, headers: dict[str, str], body: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send a request whose target stays as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, target, body=body.encode() if body is not None else None, headers=headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, json.loads(content) if content else {}

    def get(self, target: str) -> tuple[int, dict[str, Any]]:
        return self.send("GET", f"/v1/api{target}", {"Authorization": f"Bearer {self.api.key}"})


def port_of(console: console_door.Running) -> int:
    """Return the port that a link of a console leads to."""
    return urlsplit(console.link(Grant())).port or 0


@pytest.fixture
def door(service: Service) -> Iterator[Door]:
    api = Api(service)
    with console_door.running(service.handlers_services, Deployment("demo"), nullcontext()) as console:
        yield Door(api, port_of(console))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_example_of_an_operation_does_what_it_shows(service: Service, route: Any) -> None:
    service.use_venue()
    api = Api(service)
    placed = {} if route.path.endswith("/place") else api.place("es-1", strategyId="es-trend", stopLoss=4990).body
    with console_door.running(service.handlers_services, Deployment("demo"), nullcontext()) as console:
        door = Door(api, port_of(console))
        method, target, headers, body = read_curl(example(route), f"Authorization: Bearer {api.key}")
        status, told = door.send(method, target.replace("REQUEST_ID", placed.get("requestId", "")), headers, body)
    assert status == 200, told
    assert told.get("success", True) is True


def read_curl(line: str, key: str) -> tuple[str, str, dict[str, str], str | None]:
    """Return the method, the target, the headers and the body that a line of the page has curl send."""
    program, *words = shlex.split(line.replace("$API", "/v1/api").replace("$KEY", key))
    assert program == "curl"
    method, target, headers, body = "GET", "", {}, None
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                body = words.pop(0)
            case target:
                assert target.startswith("/v1/api")
    return method, target, headers, body


@pytest.mark.parametrize(
    ("sent", "order_id"),
    [
        ("cancel", "cancel"),
        ("100%25", "100%"),
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("Long%20Entry", "Long Entry"),
        ("..", ".."),
        ("%2e%2e", ".."),
    ],
)
def test_a_path_is_decoded_once(door: Door, sent: str, order_id: str) -> None:
    door.api.place(order_id)
    status, told = door.get(f"/accounts/Sim101/orders/{sent}")
    assert (status, told["order"]["orderId"]) == (200, order_id)


def test_no_slash_is_folded_on_the_way(door: Door) -> None:
    assert door.get("/accounts//orders")[0] == 400
    assert door.get("/orders/")[0] == 400
    door.api.place("TP/SL")
    status, told = door.get("/accounts/Sim101/orders/TP%2FSL")
    assert (status, told["didYouMean"]) == (404, "/v1/api/order")
    assert door.get("/order?account=Sim101&orderId=TP%2FSL")[0] == 200


def test_a_page_of_another_name_reaches_nothing(door: Door) -> None:
    headers = {"Authorization": f"Bearer {door.api.key}", "Host": f"evil.example:{door.port}"}
    assert door.send("GET", "/v1/api/orders", headers) == (421, {})


def test_a_body_that_is_too_large_is_refused(door: Door) -> None:
    headers = {"Authorization": f"Bearer {door.api.key}", "Content-Type": "application/json"}
    assert door.send("PUT", "/v1/api/killswitch", headers, " " * 70_000)[0] == 413


def test_head_has_no_body(door: Door) -> None:
    assert door.send("HEAD", "/v1/api/health", {}) == (200, {})
