"""Send an alert as TradingView sends it."""

import json
from collections.abc import Mapping
from typing import Any

import requests

from orderhook import payload
from orderhook.errors import PayloadError

_TIMEOUT_SECONDS = 10


class UnreachableError(Exception):
    """There is no answer, or not one of this webhook; the message says so in one line."""


def with_key(body: bytes, key: str) -> bytes:
    """Return the alert, in text or JSON, with the key put before it if it has none of its own."""
    try:
        secrets, _ = payload.take_keys(payload.split(body).pairs)
    except PayloadError:
        secrets = []
    if secrets:
        return body
    before, brace, rest = body.partition(b"{")
    if brace and not before.strip():
        comma = b"" if rest.strip() == b"}" else b", "
        return b'{"key": ' + json.dumps(key).encode() + comma + rest
    return f"key={key};\n".encode() + body


def post(url: str, body: bytes) -> tuple[int, Mapping[str, Any]]:
    """Post an alert; return the status and the JSON body of the answer.

    Raises UnreachableError if there is no answer, or one that is not a JSON object.
    """
    headers = {"Content-Type": f"{_content_type(body)}; charset=utf-8"}
    try:
        response = requests.post(url, data=body, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        reason = "it is not a URL" if isinstance(error, ValueError) else type(error).__name__
        raise UnreachableError(f"There is no answer from {url}: {reason}.") from error
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise UnreachableError(f"{url} answered {response.status_code}, but not as orderhook does; check --url.")
    return response.status_code, answer


def _content_type(body: bytes) -> str:
    """Return the content type that TradingView gives a body."""
    try:
        json.loads(body)
    except ValueError:
        return "text/plain"
    return "application/json"
