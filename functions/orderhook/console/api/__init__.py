"""The HTTP API: JSON for programs, by a key of its own kind."""

from typing import TYPE_CHECKING

from orderhook.console import http
from orderhook.console.http import Request
from orderhook.responses import Response

if TYPE_CHECKING:
    from orderhook.console.app import Console


def answer(console: "Console", request: Request) -> Response:  # noqa: ARG001
    """Answer one request."""
    return http.json_answer({"success": False, "error": "no_such_path"}, 404)
