"""Whether a request that may change something comes from a page of this console.

A browser says so itself: `Sec-Fetch-Site` (no page can set it) or, where a browser does not know that, `Origin`.
"""

from orderhook.console.http import HttpError, Request

SAFE = ("GET", "HEAD")


def check_same_origin(request: Request) -> None:
    """Raise HttpError, 403, for an unsafe request unless the console's own page has sent it."""
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    same = site == "same-origin" if site is not None else request.headers.get("origin") == request.origin
    if not same:
        raise HttpError(403, "This was not sent by the console's own page, so nothing was done.")
