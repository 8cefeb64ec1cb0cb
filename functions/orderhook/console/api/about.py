"""What needs no key: that the API answers, and what it is."""

from functools import cache

from orderhook.console.api import writing
from orderhook.responses import Response


def health() -> Response:
    """Answer."""
    return writing.success()


def openapi() -> Response:
    """Answer with the description of the API."""
    return writing.answer(_document())


@cache
def _document() -> dict[str, object]:
    from orderhook.console.api.openapi import document  # what only describes the API is imported for that alone

    return document()
