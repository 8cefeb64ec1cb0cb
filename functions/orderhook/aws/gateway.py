"""API Gateway's event (HTTP API, payload format 2.0), read for every function that answers HTTP; and AWS's ids."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

_AWS_ID = re.compile(r"[A-Za-z0-9+/=_:-]{1,64}")


class HttpRequest:
    """A request as API Gateway passes it on. An event can be any JSON: what is not as it should be is absent."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event

    @property
    def source(self) -> str:
        """The address that the request came from, as text that can be stored: without half characters."""
        return str(self._at("requestContext", "http", "sourceIp")).encode(errors="replace").decode()

    @property
    def request_id(self) -> str | None:
        """What API Gateway calls the request, as its access log does."""
        request_id = self._at("requestContext", "requestId")
        return request_id if isinstance(request_id, str) and _AWS_ID.fullmatch(request_id) else None

    @property
    def method(self) -> str:
        """The method, such as GET."""
        return self._text("requestContext", "http", "method")

    @property
    def path(self) -> str:
        """The path, which API Gateway has decoded once: nobody may do so again."""
        return self._text("rawPath")

    @property
    def query(self) -> str:
        """The query string as it was sent."""
        return self._text("rawQueryString")

    @property
    def domain(self) -> str:
        """The host name that the request was sent to, with its port where it has one."""
        return self._text("requestContext", "domainName")

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by their names in lower case; those of cookies stand apart."""
        headers = self._at("headers")
        return {str(name).lower(): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}

    @property
    def cookies(self) -> Sequence[str]:
        """The cookies, each as `name=value`; what stands in for API Gateway may leave them in their header."""
        cookies = self._at("cookies")
        if isinstance(cookies, list):
            return [str(cookie) for cookie in cookies]
        return [header] if (header := self.headers.get("cookie")) else []

    @property
    def body_length(self) -> int:
        """How long the body is as the event has it, which may be base64."""
        return len(str(self._at("body") or ""))

    def body(self) -> bytes:
        """Return the body's bytes; raises ValueError where they are not the base64 that the event says they are."""
        body: Any = self._at("body") or ""
        if not self._at("isBase64Encoded"):
            return str(body).encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(body, validate=True)
        except TypeError:
            raise ValueError("the body is not text") from None

    def seconds_waited(self, now: datetime) -> float:
        """Return how long the sender has been waiting already; an event replayed from a file has not waited."""
        received = self._at("requestContext", "timeEpoch")
        milliseconds = int(now.timestamp() * 1000) - received if isinstance(received, int) else 0
        return milliseconds / 1000 if 0 < milliseconds < 10_000 else 0.0

    def _text(self, *path: str) -> str:
        value = self._at(*path)
        return value.encode(errors="replace").decode() if isinstance(value, str) else ""

    def _at(self, *path: str) -> object:
        value: object = self._event
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value


def aws_ids(context: object, environment: Mapping[str, str], request: HttpRequest | None = None) -> dict[str, str]:
    """Return what AWS calls a request, by the names that log lines and records have for it.

    Lambda passes the context, and puts the trace into the environment for each request; one that X-Ray does not sample
    can be found nowhere.
    """
    trace = dict(part.partition("=")[::2] for part in environment.get("_X_AMZN_TRACE_ID", "").split(";"))
    ids = {
        "api_request_id": request and request.request_id,
        "function_request_id": getattr(context, "aws_request_id", None),
        "xray_trace_id": trace.get("Root") if trace.get("Sampled") == "1" else None,
    }
    return {name: value for name, value in ids.items() if value}
