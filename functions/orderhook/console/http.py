"""A request of the console or the API, and the answers to it with the headers that each of them needs."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from orderhook.aws.gateway import HttpRequest
from orderhook.responses import Response

SECURITY: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}
"""Of every answer: a browser heeds the last one over HTTPS alone."""

API = "/v1/api"
"""Where the paths of the HTTP API begin."""

MAX_FIELDS = 200
"""As many fields may a query or a form have."""


class HttpError(Exception):
    """What a request is refused with before anything is looked up; `detail` is for the person who sent it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


class Request:
    """A request, as API Gateway passes it on: the path is decoded once, values are text."""

    def __init__(self, event: Mapping[str, Any], origin: str | None = None) -> None:
        http = HttpRequest(event)
        self.http = http
        self.method = http.method
        self.path = http.path
        self.headers = http.headers
        self.source = http.source
        self.origin = origin or f"https://{http.domain}"
        """Where the console's own pages come from."""

    @cached_property
    def query(self) -> Sequence[tuple[str, str]]:
        """The parameters of the query, in their order, also those that are empty; raises HttpError."""
        return _pairs(self.http.query)

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields of a form that was sent, the last of each name; raises HttpError."""
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/x-www-form-urlencoded":
            raise HttpError(415, "A form is sent as application/x-www-form-urlencoded.")
        return dict(_pairs(self.text))

    @cached_property
    def text(self) -> str:
        """The body as text; raises HttpError where it is not UTF-8."""
        try:
            return self.http.body().decode()
        except ValueError:
            raise HttpError(400, "The body is not UTF-8 text.") from None

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie; of several of this name none counts."""
        values = [value for each, _, value in (it.partition("=") for it in self._cookies()) if each == name]
        return values[0] if len(values) == 1 else None

    def _cookies(self) -> Iterator[str]:
        for line in self.http.cookies:
            yield from (cookie.strip() for cookie in line.split(";"))

    def parameter(self, name: str) -> str:
        """Return the last value that the query has for a parameter, which is empty where it has none."""
        return dict(self.query).get(name, "")


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HttpError(400, f"There are more than {MAX_FIELDS} fields, or one is not UTF-8 text.") from None


def html(page: object, status: int = 200, *, tag: str | None = None, cookies: Iterable[str] = ()) -> Response:
    """Answer with a page; `tag` is a digest of all that it shows, without which no poll asks for it again."""
    headers = {"Content-Type": "text/html; charset=utf-8"} | ({"ETag": tag} if tag else {})
    return _answer(status, headers, str(page), cookies)


def asset(content: bytes, content_type: str, tag: str) -> Response:
    """Answer with a file of the console, which a browser asks for again with its tag."""
    answer = _answer(200, {"Content-Type": content_type, "ETag": tag}, "")
    answer["headers"]["Cache-Control"] = "no-cache"
    return answer | {"body": base64.b64encode(content).decode(), "isBase64Encoded": True}


def not_modified(tag: str) -> Response:
    """Answer that nothing has changed."""
    return _answer(304, {"ETag": tag}, "")


def see_other(path: str, parameters: Mapping[str, str] | None = None, *, cookies: Iterable[str] = ()) -> Response:
    """Send the browser to a page of the console, which it gets by GET: no redirect leads to anything from a request."""
    if not path.startswith("/console"):
        raise ValueError("a redirect leads to a page of the console")
    return _answer(303, {"Location": address(path, parameters)}, "", cookies)


def address(path: str, parameters: Mapping[str, str] | None = None) -> str:
    """Return the address of a page with these parameters; those that are empty are left out."""
    query = urlencode({name: value for name, value in (parameters or {}).items() if value})
    return f"{path}?{query}" if query else path


def refusal(error: HttpError) -> Response:
    """Answer what a request is refused with, as plain text; the API has its own words."""
    text = error.detail or HTTPStatus(error.status).phrase
    return _answer(error.status, {"Content-Type": "text/plain; charset=utf-8"} | dict(error.headers), text + "\n")


def _answer(status: int, headers: Mapping[str, str], body: str, cookies: Iterable[str] = ()) -> Response:
    answer: Response = {
        "statusCode": status,
        "headers": {**SECURITY, **headers},
        "body": body,
        "isBase64Encoded": False,
    }
    if cookies := list(cookies):
        answer["cookies"] = cookies
    return answer
