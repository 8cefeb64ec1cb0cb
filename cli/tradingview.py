"""Send an alert as TradingView sends it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from orderhook import payload

_TIMEOUT_SECONDS = 10
_BLANKS = b" \t\r\n\xef\xbb\xbf"
"""White space, and the mark that some editors begin a file with."""


class UnreachableError(Exception):
    """There is no answer, or not one of this webhook; the message says so in one line."""


def keys_of(body: bytes) -> Sequence[str]:
    """Return what an alert, in text or JSON, has as its key: one, or none, or too many."""
    split = payload.split(body)
    return split.keys or payload.take_keys(split.pairs)[0]


def with_key(body: bytes, key: str) -> bytes:
    """Return the alert, in text or JSON, with the key put behind it if it has none of its own.

    Behind it, so that the line and the column that an answer names are those of the alert.
    """
    if keys_of(body):
        return body
    if not payload.split(body).is_json:
        return body + f"\nkey={key};".encode()
    before, brace, rest = body.rpartition(b"}")
    if not brace:
        before, rest = body, b""
    comma = b"" if before.strip(_BLANKS) == b"{" else b", "
    return before + comma + b'"key": ' + json.dumps(key).encode() + brace + rest


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
