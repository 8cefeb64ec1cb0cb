"""API Gateway's event (HTTP API, payload format 2.0), read for every function that answers HTTP."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any


class HttpRequest:
    """A request as API Gateway passes it on. An event can be any JSON: what is not as it should be is absent."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event

    @property
    def source(self) -> str:
        """The address that the request came from, as text that can be stored: without half characters."""
        return str(self._at("requestContext", "http", "sourceIp")).encode(errors="replace").decode()

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

    def _at(self, *path: str) -> object:
        value: object = self._event
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value
