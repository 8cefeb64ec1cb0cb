"""Keys, codes and sessions are in no log line, item or answer of the console and the API, wherever they are typed."""

import json
import logging
from collections.abc import Iterator
from urllib.parse import quote, unquote_plus

import pytest

from orderhook import keys
from orderhook.console import app
from orderhook.console.http import API
from orderhook.console.pages import PAGES
from orderhook.console.visit import Deployment
from orderhook.grants import Grant
from orderhook.store.sessions import TableSessions
from tests.console_client import FORM, SAME_ORIGIN, Page, StackDoor, form
from tests.marks import OF_PAGES
from tests.service import Service
from verification.console_fuzzing import Known, known_by_tables
from verification.markup import read

pytestmark = OF_PAGES

TYPED = "a secret"
"""Stands for each secret in turn in what is sent."""


class Visitor:
    """Somebody who is signed in at a stack, and a program with a key of the API."""

    def __init__(self, service: Service, caplog: pytest.LogCaptureFixture) -> None:
        self.service, self.caplog = service, caplog
        table = service.handlers_services.table
        sessions = TableSessions(table)
        self.door = StackDoor(
            app.Console(service.handlers_services, sessions, Deployment("stack", "us-east-1")),
            lambda grant: sessions.issue_code(grant, service.queue.now),
        )
        api_key, key = keys.issue(
            trader=service.trader, label="l", scopes=frozenset({"read", "trade"}), created="2026", kind=keys.API
        )
        service.keys.put(key)
        unused, code = (self.door.code(Grant(service.trader)) for _ in range(2))
        answer = self.door.send("POST", "/console/login", SAME_ORIGIN, form(code=code))
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        token = self.cookie.partition("=")[2]
        self.secrets = {"key": service.key, "API key": api_key, "session": token, "code": code, "unused code": unused}
        self.check("signing in", answer._replace(headers={}))

    def send(self, known: Known, typed: str) -> Page:
        """Send a request in which a secret stands for what is typed, and look where the secrets then are."""
        secret = self.secrets[typed]
        query = "&".join(f"{quote(name)}={quote(value.replace(TYPED, secret))}" for name, value in known.query)
        fields = {name: value.replace(TYPED, secret) for name, value in known.fields or ()}
        is_api = known.path.startswith(API)
        body = json.dumps(fields) if is_api and fields else form(**fields)
        headers = {**SAME_ORIGIN, "content-type": "application/json" if is_api else FORM}
        headers |= {"authorization": f"Bearer {self.secrets['API key']}"} if is_api else {"cookie": self.cookie}
        path = known.path.replace(quote(TYPED), secret)
        answer = self.door.send(known.method, f"{path}?{query}" if query else path, headers, body)
        self.check(f"{known.method} {known.path} with {typed}", answer)
        return answer

    def check(self, what: str, answer: Page) -> None:
        places = {
            "answer": f"{answer.body} {answer.headers}",
            "output": self.service.output.take(),
            "log": self.caplog.text,
            "table": repr(self.service.everything()),
        }
        self.caplog.clear()
        for name, text in places.items():
            seen = f"{text} {unquote_plus(text)}".lower()
            for kind, secret in self.secrets.items():
                half = secret[17:60] if secret.startswith("oh") else secret
                assert half.lower() not in seen, f"{what}: the {kind} is in the {name}"


@pytest.fixture
def visitor(service: Service, caplog: pytest.LogCaptureFixture) -> Visitor:
    caplog.set_level(logging.DEBUG)
    service.place("order-1", strategy_id="strategy-1", take_profit=5020, stop_loss=4980)
    service.cancel("nobodys")
    return Visitor(service, caplog)


def typed_into(known: Known) -> Iterator[Known]:
    """Yield a request as it is, and with a secret in each of its values."""
    yield known
    for number, _ in enumerate(known.query):
        yield Known(known.method, known.path, _with(known.query, number), known.fields)
    for number, _ in enumerate(known.fields or ()):
        yield Known(known.method, known.path, known.query, _with(known.fields or (), number))


def _with(pairs: tuple[tuple[str, str], ...], number: int) -> tuple[tuple[str, str], ...]:
    return tuple((name, TYPED if at == number else value) for at, (name, value) in enumerate(pairs))


def test_a_secret_in_the_address_of_any_page_is_nowhere(visitor: Visitor) -> None:
    names = ("account", "orderId", "alert", "q", "status", "cursor", "since", "asked", "entries", "command", "notes")
    for path in PAGES.addresses("GET"):
        known = Known("GET", path.replace("{id}", 32 * "0"), tuple((name, TYPED) for name in names))
        for kind in ("key", "API key"):
            visitor.send(known, kind)


def test_a_secret_in_any_field_of_any_form_is_nowhere(visitor: Visitor) -> None:
    kinds = ("key", "API key")
    for path in (
        "/console/builder",
        "/console/trade",
        "/console/keys",
        "/console/orders",
        "/console",
        "/console/start",
    ):
        for found in read(visitor.send(Known("GET", path), "key").body).forms:
            if found.path == "/console/sign-out":
                continue
            known = Known(found.method, found.path, found.query, found.fields)
            for number, request in enumerate(typed_into(known)):
                visitor.send(request, kinds[number % 2])


def test_a_secret_in_any_field_of_any_operation_is_nowhere(visitor: Visitor) -> None:
    for known in known_by_tables():
        if known.path.startswith(API):
            for number, request in enumerate(typed_into(known)):
                visitor.send(request, ("key", "API key")[number % 2])


def test_a_secret_that_is_no_code_signs_nobody_in_and_is_nowhere(visitor: Visitor) -> None:
    for kind in ("key", "API key", "session", "code"):
        answer = visitor.send(Known("POST", "/console/login", fields=(("code", TYPED),)), kind)
        assert answer.status == 403
