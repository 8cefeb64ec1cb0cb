"""Whether a request is one that the console reads, and whether what may change something comes from a page of its own.

A browser says so itself: `Sec-Fetch-Site` (no page can set it) or, where a browser does not know that, `Origin`.
"""

from orderhook.console.http import HttpError, Request
from orderhook.keys import holds_key

SAFE = ("GET", "HEAD")

MAX_BYTES = 100_000
"""More is no form and no alert."""


def check_size(request: Request) -> None:
    """Raise HttpError, 413, for a body that is larger than anything the console or the API takes."""
    if request.http.body_length > MAX_BYTES * 4 // 3 + 4:  # it may be in base64
        raise HttpError(413, f"This is more than {MAX_BYTES:,} bytes.")


def check_address(request: Request) -> None:
    """Raise HttpError, 400, for an address with a key in it: pages repeat their addresses in filters and links."""
    if holds_key(request.http.query):
        raise HttpError(400, "A key stands in this address: take it out, and have it revoked if others saw it.")


def check_same_origin(request: Request) -> None:
    """Raise HttpError, 403, for an unsafe request unless the console's own page has sent it."""
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    same = site == "same-origin" if site is not None else request.headers.get("origin") == request.origin
    if not same:
        raise HttpError(403, "This was not sent by the console's own page, so nothing was done.")
