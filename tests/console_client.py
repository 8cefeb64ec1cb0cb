"""A browser without its pages: requests to the console as one sends them, over HTTP or as API Gateway's events."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from cli.aws import console_door
from orderhook.console import app
from orderhook.console.visit import Deployment
from orderhook.grants import Grant
from orderhook.services import Services

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
FORM = "application/x-www-form-urlencoded"
DOMAIN = "abc123.execute-api.us-east-1.amazonaws.com"

Headers = Mapping[str, str]


class Page(NamedTuple):
    """What was answered."""

    status: int
    headers: Headers
    """By their names in lower case; of several cookies the last."""
    body: str


class LocalDoor:
    """A console on this machine."""

    def __init__(self, door: console_door.Running) -> None:
        self._door = door
        self.cookie = "orderhook"
        self.origin = "http://" + urlsplit(self.link(Grant())).netloc

    @property
    def host(self) -> str:
        return urlsplit(self.origin).netloc

    def link(self, grant: Grant) -> str:
        return self._door.link(grant)

    def code(self, grant: Grant | None = None) -> str:
        return urlsplit(self.link(grant or Grant())).fragment

    def send(
        self, method: str, path: str, headers: Headers | None = None, body: str = "", hosts: tuple[str, ...] = ()
    ) -> Page:
        """Send a request with exactly these headers besides its length, and as many Host headers as are given."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for host in hosts or (self.host,):
            connection.putheader("Host", host)
        if body or method not in ("GET", "HEAD"):
            connection.putheader("Content-Length", str(len(body.encode())))
            connection.putheader("Content-Type", FORM)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders(body.encode())
        answer = connection.getresponse()
        text = answer.read().decode()
        found = {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        return Page(answer.status, found, text)


class StackDoor:
    """The console of a stack, as its function is called."""

    def __init__(self, console: app.Console, code: Any) -> None:
        self._console = console
        self._code = code
        self.cookie = "__Host-orderhook"
        self.origin = f"https://{DOMAIN}"
        self.host = DOMAIN

    def code(self, grant: Grant | None = None) -> str:
        return str(self._code(grant or Grant()))

    def send(self, method: str, path: str, headers: Headers | None = None, body: str = "", **_: object) -> Page:
        given = {name.lower(): value for name, value in (headers or {}).items()}
        cookies = given.pop("cookie", None)
        path, _, query = path.partition("?")  # type: ignore[assignment]
        event: dict[str, Any] = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": DOMAIN, "content-type": FORM} | given,
            "requestContext": {
                "domainName": DOMAIN,
                "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            },
            "isBase64Encoded": False,
            "body": body,
        } | ({"cookies": [each.strip() for each in cookies.split(";")]} if cookies else {})
        answer = app.answer(self._console, event, None)
        headers_sent = {name.lower(): value for name, value in answer["headers"].items()}
        for cookie in answer.get("cookies", ()):
            headers_sent["set-cookie"] = cookie
        return Page(answer["statusCode"], headers_sent, answer["body"])


Door = LocalDoor | StackDoor


@contextmanager
def local_door(services: Services, deployment: Deployment | None = None, **options: Any) -> Iterator[LocalDoor]:
    """Run a console on this machine."""
    with console_door.running(services, deployment or Deployment("demo"), nullcontext(), **options) as door:
        yield LocalDoor(door)


def form(**fields: str) -> str:
    return urlencode(fields)


def sign_in(door: Door, grant: Grant | None = None) -> str:
    """Return the Cookie header of a session."""
    answer = door.send("POST", "/console/login", SAME_ORIGIN, form(code=door.code(grant)))
    assert (answer.status, answer.headers["location"]) == (303, "/console")
    return answer.headers["set-cookie"].partition(";")[0]
