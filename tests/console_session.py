"""Somebody who is signed in to the console: requests as events of API Gateway, and the forms of a page as sent."""

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from orderhook.console import app
from orderhook.console.http import address
from orderhook.console.sessions import ProcessSessions
from orderhook.console.visit import Deployment
from orderhook.grants import Grant
from tests.service import Service

_DOMAIN = "console.example"
_FORM = "application/x-www-form-urlencoded"


class Form(NamedTuple):
    """A form of a page: where it is sent, and its fields."""

    action: str
    fields: Mapping[str, str]
    labels: str
    """What stands on its buttons."""


class Page(NamedTuple):
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    markup: str

    @property
    def text(self) -> str:
        """What a person reads."""
        return " ".join("".join(_read(self.markup).texts).split())

    @property
    def forms(self) -> Sequence[Form]:
        return _read(self.markup).forms

    @property
    def links(self) -> Sequence[str]:
        return _read(self.markup).links

    def form(self, label: str) -> Form:
        """Return the form whose button says this."""
        (found,) = (form for form in self.forms if label in form.labels)
        return found


_INLINE = frozenset({"a", "b", "bdi", "code", "small", "span", "time"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._fields: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.texts += [] if tag in _INLINE else [" "]
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "form":
            self._fields = {}
            self.forms.append(Form(given.get("action", ""), self._fields, ""))
        if tag == "input" and self._fields is not None:
            self._fields[given.get("name", "")] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._fields is not None:
            self.forms[-1] = self.forms[-1]._replace(labels=self.forms[-1].labels + data)


def _read(markup: str) -> _Reader:
    reader = _Reader()
    reader.feed(markup)
    return reader


class Visitor:
    """A browser without its pages, signed in over the real door; `grant` are fields of Grant."""

    def __init__(self, service: Service, **grant: Any) -> None:
        self._console = app.Console(service.handlers_services, ProcessSessions(), Deployment("demo"))
        self._cookie = ""
        code = self._console.sessions.issue_code(Grant(service.trader, **grant), service.queue.now)
        signed_in = self._send("POST", "/console/login", "", {"code": code})
        assert signed_in.status == 303
        self._cookie = signed_in.headers["Set-Cookie"].partition(";")[0]

    def get(self, path: str, **parameters: str) -> Page:
        """Look at a page, whose path may have a query."""
        split = urlsplit(address(path, parameters) if parameters else path)
        return self._send("GET", split.path, split.query)

    def send(self, form: Form, **changes: str) -> Page:
        """Send a form, and go where that leads."""
        answer = self._send("POST", form.action, "", {**form.fields, **changes})
        return self.get(answer.headers["Location"]) if answer.status == 303 else answer

    def post(self, path: str, **fields: str) -> Page:
        """Send fields without a form."""
        return self._send("POST", path, "", fields)

    def _send(self, method: str, path: str, query: str, fields: Mapping[str, str] | None = None) -> Page:
        event: dict[str, Any] = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": _DOMAIN, "content-type": _FORM, "sec-fetch-site": "same-origin"},
            "requestContext": {
                "domainName": _DOMAIN,
                "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            },
            "isBase64Encoded": False,
            "body": urlencode(fields) if fields is not None else "",
        } | ({"cookies": [self._cookie]} if self._cookie else {})
        answer = app.answer(self._console, event, None)
        cookies = dict.fromkeys(("Set-Cookie",), "; ".join(answer["cookies"])) if "cookies" in answer else {}
        return Page(answer["statusCode"], {**answer["headers"], **cookies}, answer["body"])


def query_of(link: str) -> Mapping[str, str]:
    """Return the parameters of a link."""
    return dict(parse_qsl(urlsplit(link).query))
