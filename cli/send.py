"""Send an alert as TradingView sends it."""

import json
from collections.abc import Mapping
from typing import Any

import requests

from orderhook import payload
from orderhook.errors import PayloadError

_SECONDS = 10


class UnreachableError(Exception):
    """Nothing that answers like the webhook is there; the message says what is, in one line."""


def with_key(body: bytes, key: str) -> bytes:
    """Put the key before an alert that has none of its own, in text or JSON."""
    try:
        presented, _ = payload.take_keys(payload.split(body).pairs)
    except PayloadError:
        presented = []
    if presented:
        return body
    before, brace, rest = body.partition(b"{")
    if brace and not before.strip():
        comma = b"" if rest.strip() == b"}" else b", "
        return b'{"key": ' + json.dumps(key).encode() + comma + rest
    return f"key={key};\n".encode() + body


def post(url: str, body: bytes) -> tuple[int, Mapping[str, Any]]:
    """Post an alert; return the status and the body of the answer.

    Raises UnreachableError when there is no answer, or one that is not JSON.
    """
    headers = {"Content-Type": f"{_content_type(body)}; charset=utf-8"}
    try:
        answer = requests.post(url, data=body, headers=headers, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        reason = "it is no URL" if isinstance(error, ValueError) else type(error).__name__
        raise UnreachableError(f"There is no answer from {url}: {reason}.") from error
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnreachableError(f"{url} answered {answer.status_code}, and not as this webhook does.")
    return answer.status_code, found


def _content_type(body: bytes) -> str:
    """Return the type that TradingView gives a body."""
    try:
        json.loads(body)
    except ValueError:
        return "text/plain"
    return "application/json"
