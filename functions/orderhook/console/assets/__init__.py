"""The console's script and style sheet, as a browser asks for them."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from orderhook.console import http
from orderhook.console.http import Request
from orderhook.responses import Response

_FOLDER = Path(__file__).parent
_PREFIX = "/console/assets/"
_TYPES: Mapping[str, str] = {
    "app.js": "text/javascript; charset=utf-8",
    "app.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def find(request: Request) -> Response | None:
    """Return a file of the console, None where the request asks for something else; nobody has to be signed in."""
    name = request.path.removeprefix(_PREFIX)
    if request.method != "GET" or not request.path.startswith(_PREFIX) or name not in _TYPES:
        return None
    content, tag = _read(name)
    if request.headers.get("if-none-match") == tag:
        return http.not_modified(tag)
    return http.asset(content, _TYPES[name], tag)


def address(name: str) -> str:
    """Return the address of a file."""
    return f"{_PREFIX}{name}"


@cache
def _read(name: str) -> tuple[bytes, str]:
    content = (_FOLDER / name).read_bytes()
    return content, f'"{sha256(content).hexdigest()[:16]}"'
