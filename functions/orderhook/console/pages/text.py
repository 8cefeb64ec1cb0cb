"""What came from outside, as text on a page: nothing in it is markup, and nothing in it is invisible."""

from htpy import Element, bdi

from orderhook.visible import visible


def value(text: object) -> Element:
    """Return a value from outside: it does not turn what stands around it."""
    return bdi[visible(str(text))]
